/* test_ke_spinlock.c - ordinary spin locks: every way to take one, who may not, and that they exclude. */
#include "../support/ke_machine.h"

#include "ke/spinlock.h"

static KSPIN_LOCK lock;

static int fresh(void **state)
{
    (void)state;
    KeInitializeSpinLock(&lock);
    return ke_machine_boot(2);
}

/* ---- taking ---- */

static void the_raising_pair(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    assert_true(KeTestSpinLock(&lock));
    KeAcquireSpinLock(&lock, &old);
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_false(KeTestSpinLock(&lock));
    assert_int_equal(lock, (KSPIN_LOCK)ke_self() | KE_SPIN_HELD);
    KeReleaseSpinLock(&lock, old);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(lock, 0);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(KeAcquireSpinLockRaiseToDpc(&lock), APC_LEVEL);
    KeReleaseSpinLock(&lock, APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(old);
}

static void the_pair_at_dispatch_level(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeAcquireSpinLockAtDpcLevel(&lock);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_false(KeTestSpinLock(&lock));
    KeReleaseSpinLockFromDpcLevel(&lock);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_true(KeTestSpinLock(&lock));
    KeAcquireSpinLockAtDpcLevel(&lock);
    KefReleaseSpinLockFromDpcLevel(&lock);
    assert_true(KeTestSpinLock(&lock));
    KeLowerIrql(old);
}

static void the_pair_at_dispatch_level_at_dirql(void **state)
{
    KIRQL old = KzRaiseIrql(7);

    (void)state;
    KeAcquireSpinLockAtDpcLevel(&lock); /* >= DISPATCH_LEVEL */
    assert_int_equal(KeGetCurrentIrql(), 7);
    assert_false(KeTestSpinLock(&lock)); /* any IRQL */
    assert_false(KeTryToAcquireSpinLockAtDpcLevel(&lock));
    KeReleaseSpinLockFromDpcLevel(&lock);
    assert_true(KeTestSpinLock(&lock));
    KeInitializeSpinLock(&lock); /* any IRQL */
    assert_int_equal(KeGetCurrentIrql(), 7);
    KeLowerIrql(old);
}

static void the_pair_at_dispatch_level_below_it(void **state)
{
    (void)state;
    KeAcquireSpinLockAtDpcLevel(&lock); /* only the verifier minds */
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_false(KeTestSpinLock(&lock));
    KeReleaseSpinLockFromDpcLevel(&lock);
    assert_true(KeTestSpinLock(&lock));
}

static void trying(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(KeTryToAcquireSpinLockAtDpcLevel(&lock));
    assert_false(KeTryToAcquireSpinLockAtDpcLevel(&lock)); /* not even by its owner */
    KeReleaseSpinLockFromDpcLevel(&lock);
    assert_true(KeTryToAcquireSpinLockAtDpcLevel(&lock));
    KeReleaseSpinLockFromDpcLevel(&lock);
    KeLowerIrql(old);
}

static void the_pair_for_dpcs(void **state)
{
    KIRQL old;

    (void)state;
    assert_int_equal(KeAcquireSpinLockForDpc(&lock), PASSIVE_LEVEL); /* as in a threaded DPC */
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeReleaseSpinLockForDpc(&lock, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(KeAcquireSpinLockForDpc(&lock), DISPATCH_LEVEL); /* as in an ordinary one */
    KeReleaseSpinLockForDpc(&lock, DISPATCH_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
}

static void two_locks_nest(void **state)
{
    KSPIN_LOCK inner = 0; /* zero bytes are a free lock */
    KIRQL      old, old_inner;

    (void)state;
    KeAcquireSpinLock(&lock, &old);
    KeAcquireSpinLock(&inner, &old_inner);
    assert_int_equal(old_inner, DISPATCH_LEVEL);
    KeReleaseSpinLock(&inner, old_inner);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeReleaseSpinLock(&lock, old);
}

/* ---- the mistakes ---- */

static void *take_and_end(void *unused)
{
    KeAcquireSpinLockAtDpcLevel(&lock);
    return unused;
}

static void               held_by_another(void) { pthread_join(thread_run(take_and_end, NULL), NULL); }
static void               held_by_me(void) { (void)KeAcquireSpinLockRaiseToDpc(&lock); }
static void               held_by_nobody(void) { (void)KeRaiseIrqlToDpcLevel(); }
static void               above_dispatch_level(void) { (void)KzRaiseIrql(5); }
static KLOCK_QUEUE_HANDLE handle;
static void               held_as_queued(void) { KeAcquireInStackQueuedSpinLock(&lock, &handle); }

static void acquire(void) { (void)KeAcquireSpinLockRaiseToDpc(&lock); }
static void acquire_at_dpc(void) { KeAcquireSpinLockAtDpcLevel(&lock); }
static void acquire_for_dpc(void) { (void)KeAcquireSpinLockForDpc(&lock); }
static void release(void) { KeReleaseSpinLock(&lock, PASSIVE_LEVEL); }
static void release_from_dpc(void) { KeReleaseSpinLockFromDpcLevel(&lock); }
static void release_fastcall(void) { KefReleaseSpinLockFromDpcLevel(&lock); }
static void release_for_dpc(void) { KeReleaseSpinLockForDpc(&lock, PASSIVE_LEVEL); }

static struct mistake_case {
    const char *name;
    void (*before)(void);
    void (*mistake)(void);
    ULONG code;
} MISTAKES[] = {
    { "0xF: KeAcquireSpinLockRaiseToDpc twice", held_by_me, acquire, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: KeAcquireSpinLockAtDpcLevel twice", held_by_me, acquire_at_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: KeAcquireSpinLockForDpc twice", held_by_me, acquire_for_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: taken in a queue, then again", held_as_queued, acquire_at_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0x10: KeReleaseSpinLock of a free lock", held_by_nobody, release, SPIN_LOCK_NOT_OWNED },
    { "0x10: KeReleaseSpinLockFromDpcLevel of a free lock", held_by_nobody, release_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: KefReleaseSpinLockFromDpcLevel of a free lock", held_by_nobody, release_fastcall, SPIN_LOCK_NOT_OWNED },
    { "0x10: KeReleaseSpinLockForDpc of a free lock", held_by_nobody, release_for_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: KeReleaseSpinLock of another's lock", held_by_another, release, SPIN_LOCK_NOT_OWNED },
    { "0x10: KeReleaseSpinLockFromDpcLevel of another's lock", held_by_another, release_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: KefReleaseSpinLockFromDpcLevel of another's lock", held_by_another, release_fastcall, SPIN_LOCK_NOT_OWNED },
    { "0x10: KeReleaseSpinLockForDpc of another's lock", held_by_another, release_for_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: KeReleaseSpinLock of a lock held in a queue", held_as_queued, release, SPIN_LOCK_NOT_OWNED },
    { "0x9: KeAcquireSpinLockRaiseToDpc above DISPATCH_LEVEL", above_dispatch_level, acquire, IRQL_NOT_GREATER_OR_EQUAL },
    { "0x9: KeAcquireSpinLockForDpc above DISPATCH_LEVEL", above_dispatch_level, acquire_for_dpc, IRQL_NOT_GREATER_OR_EQUAL },
};

static void check_mistake(void **state)
{
    const struct mistake_case *c = *state;

    fresh(NULL);
    c->before();
    assert_stop(c->code, c->code == IRQL_NOT_GREATER_OR_EQUAL ? DISPATCH_LEVEL : (uintptr_t)&lock, c->mistake());
    if (c->code != IRQL_NOT_GREATER_OR_EQUAL) {
        assert_int_equal(last_stop.parameter[1], last_stop.irql);
        assert_int_equal(last_stop.parameter[2], 0);
        assert_int_not_equal(last_stop.parameter[3], 0);
    }
    assert_true(ke_machine_shutdown());
}

static void release_to_a_level_above(void **state)
{
    (void)state;
    KeAcquireSpinLockAtDpcLevel(&lock);
    assert_stop(IRQL_NOT_LESS_OR_EQUAL, DISPATCH_LEVEL, KeReleaseSpinLock(&lock, DISPATCH_LEVEL));
}

/* ---- the refusals ---- */

static void nobody_takes_a_lock_without_a_machine(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &old);
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_int_equal(lock, 0);
    assert_non_null(strstr(ntmm_error(), "KeAcquireSpinLockRaiseToDpc: no machine is up"));
    KeAcquireSpinLockAtDpcLevel(&lock);
    assert_int_equal(lock, 0);
    assert_false(KeTryToAcquireSpinLockAtDpcLevel(&lock));
    assert_int_equal(lock, 0);
    assert_false(KeTestSpinLock(&lock));
    KeReleaseSpinLock(&lock, PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeReleaseSpinLock: no machine is up"));
    KeReleaseSpinLockFromDpcLevel(&lock);
}

static void a_halted_machine_refuses(void **state)
{
    (void)state;
    assert_stop(SPIN_LOCK_NOT_OWNED, &lock, KeReleaseSpinLock(&lock, PASSIVE_LEVEL));
    assert_int_equal(KeAcquireSpinLockRaiseToDpc(&lock), PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeAcquireSpinLockRaiseToDpc: the machine has halted"));
    assert_int_equal(lock, 0);
}

/* ---- excluding ---- */

#define ROUNDS 50000

static uint64_t          counter; /* plain: protected by the lock */
static pthread_barrier_t together;

static void *count_under_the_lock(void *unused)
{
    KIRQL old;

    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        KeAcquireSpinLock(&lock, &old);
        counter++;
        KeReleaseSpinLock(&lock, old);
    }
    return unused;
}

static void two_processors_one_lock(void **state)
{
    enum { CROWD = 3 };
    pthread_t threads[CROWD];

    (void)state;
    counter = 0;
    pthread_barrier_init(&together, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        threads[i] = thread_run(count_under_the_lock, NULL);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    assert_int_equal(counter, (uint64_t)CROWD * ROUNDS);
}

static _Atomic uint32_t stage;

static void spin_in_vain(void *unused)
{
    (void)unused;
    atomic_store(&stage, 1);
    (void)KeAcquireSpinLockRaiseToDpc(&lock);
    atomic_store(&stage, 9);
}

static void *wait_for_the_lock(void *out)
{
    ntmm_bugcheck stop;

    if (ntmm_catch_bugcheck(spin_in_vain, NULL, &stop))
        *(ULONG *)out = stop.code;
    return NULL;
}

static void release_anothers(void *unused)
{
    (void)unused;
    release_from_dpc();
}

static void *try_as_a_stranger(void *unused)
{
    ntmm_bugcheck stop;

    if (KeTestSpinLock(&lock) || KeTryToAcquireSpinLockAtDpcLevel(&lock))
        return unused;
    if (!ntmm_catch_bugcheck(release_anothers, NULL, &stop) || stop.code != SPIN_LOCK_NOT_OWNED)
        return unused;
    return &stage;
}

/* Both live, on two processors; the owner waits for nothing. */
static void a_stranger_does_not_disturb_the_owner(void **state)
{
    void     *noticed = NULL;
    pthread_t thread;

    (void)state;
    (void)KeAcquireSpinLockRaiseToDpc(&lock);
    thread = thread_run(try_as_a_stranger, NULL);
    pthread_join(thread, &noticed);
    assert_ptr_equal(noticed, &stage);
    assert_int_equal(lock, (KSPIN_LOCK)ke_self() | KE_SPIN_HELD);
}

static void who_spins_leaves_a_halted_machine(void **state)
{
    ULONG     code = 0;
    pthread_t thread;

    (void)state;
    atomic_store(&stage, 0);
    (void)KeAcquireSpinLockRaiseToDpc(&lock);
    thread = thread_run(wait_for_the_lock, &code);
    assert_true(eventually(atomic_load(&stage) == 1));
    host_sleep_ns(2000000);
    assert_false(ke_threads_are_outside());
    assert_stop(SPIN_LOCK_ALREADY_OWNED, &lock, KeAcquireSpinLockAtDpcLevel(&lock));
    pthread_join(thread, NULL);
    assert_int_equal(code, SPIN_LOCK_ALREADY_OWNED);
    assert_int_equal(atomic_load(&stage), 1);
}

/* A loop that waits for TRUE is a wait, too, and a halted machine never says TRUE. */
static void poll_test(void)
{
    while (!KeTestSpinLock(&lock))
        host_yield();
}
static void poll_try(void)
{
    while (!KeTryToAcquireSpinLockAtDpcLevel(&lock))
        host_yield();
}
static void poll_try_queued(void)
{
    KIRQL old;
    while (!KeTryToAcquireQueuedSpinLock(LockQueueMasterLock, &old))
        host_yield();
}
static EX_SPIN_LOCK rw_lock;
static void         poll_convert(void)
{
    ExAcquireSpinLockSharedAtDpcLevel(&rw_lock);
    while (!ExTryConvertSharedSpinLockExclusive(&rw_lock))
        host_yield();
}

static void poll_in_vain(void *poll)
{
    atomic_store(&stage, 1);
    ((void (*)(void))(uintptr_t)poll)();
    atomic_store(&stage, 9);
}

typedef struct poller {
    void (*poll)(void);
    ULONG code; /* of the stop that came back */
} poller_t;

static void *poll_for_the_lock(void *argument)
{
    poller_t     *poller = argument;
    ntmm_bugcheck stop;

    if (ntmm_catch_bugcheck(poll_in_vain, (void *)(uintptr_t)poller->poll, &stop))
        poller->code = stop.code;
    return NULL;
}

static void stop_now(void *unused)
{
    (void)unused;
    KeBugCheck(MANUALLY_INITIATED_CRASH);
}

static void who_polls_leaves_a_halted_machine(void **state)
{
    static void (*const polls[])(void) = { poll_test, poll_try, poll_try_queued, poll_convert };

    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(polls); i++) {
        poller_t  poller = { polls[i], 0 };
        pthread_t thread;

        assert_int_equal(fresh(NULL), 0);
        rw_lock = 0;
        atomic_store(&stage, 0);
        ExAcquireSpinLockSharedAtDpcLevel(&rw_lock);
        (void)KeAcquireQueuedSpinLock(LockQueueMasterLock);
        KeAcquireSpinLockAtDpcLevel(&lock);
        thread = thread_run(poll_for_the_lock, &poller);
        assert_true(eventually(atomic_load(&stage) == 1));
        host_sleep_ns(2000000);
        assert_true(ntmm_catch_bugcheck(stop_now, NULL, NULL));
        pthread_join(thread, NULL);
        assert_int_equal(poller.code, MANUALLY_INITIATED_CRASH);
        assert_int_equal(atomic_load(&stage), 1);
        assert_false(KeTestSpinLock(&lock)); /* who has left the halted machine is refused with a sentence, as ever */
        assert_true(ke_machine_shutdown());
    }
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(nobody_takes_a_lock_without_a_machine),
        cmocka_unit_test_setup_teardown(the_raising_pair, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pair_at_dispatch_level, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pair_at_dispatch_level_at_dirql, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pair_at_dispatch_level_below_it, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_stranger_does_not_disturb_the_owner, fresh, shut_down),
        cmocka_unit_test_setup_teardown(trying, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pair_for_dpcs, fresh, shut_down),
        cmocka_unit_test_setup_teardown(two_locks_nest, fresh, shut_down),
        cmocka_unit_test_setup_teardown(release_to_a_level_above, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_halted_machine_refuses, fresh, shut_down),
        cmocka_unit_test_setup_teardown(two_processors_one_lock, fresh, shut_down),
        cmocka_unit_test_setup_teardown(who_spins_leaves_a_halted_machine, fresh, shut_down),
        cmocka_unit_test(who_polls_leaves_a_halted_machine),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), MISTAKE_COUNT = NTMM_ARRAY_COUNT(MISTAKES) };
    struct CMUnitTest tests[FIXED_COUNT + MISTAKE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < MISTAKE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = MISTAKES[i].name, .test_func = check_mistake, .initial_state = &MISTAKES[i] };
    return cmocka_run_group_tests_name("ke spinlock", tests, NULL, NULL);
}
