/* test_ke_queued_spinlock.c - spin locks taken in turn: in-stack handles, numbered locks, and that the turn is kept. */
#include "../support/ke_machine.h"

#include "ke/spinlock.h"

static KSPIN_LOCK         lock;
static KLOCK_QUEUE_HANDLE handle;

static int fresh(void **state)
{
    (void)state;
    KeInitializeSpinLock(&lock);
    return ke_machine_boot(8);
}

/* ---- in-stack ---- */

static void the_raising_pair(void **state)
{
    (void)state;
    KeAcquireInStackQueuedSpinLock(&lock, &handle);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(handle.OldIrql, PASSIVE_LEVEL);
    assert_ptr_equal(handle.LockQueue.Lock, &lock);
    assert_false(KeTestSpinLock(&lock));
    KeReleaseInStackQueuedSpinLock(&handle);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_true(KeTestSpinLock(&lock));
}

static void the_pair_at_dispatch_level(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
    assert_false(KeTestSpinLock(&lock));
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_true(KeTestSpinLock(&lock));
    KeLowerIrql(old);
}

static void the_pair_for_dpcs(void **state)
{
    KIRQL old;

    (void)state;
    KeAcquireInStackQueuedSpinLockForDpc(&lock, &handle);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeReleaseInStackQueuedSpinLockForDpc(&handle);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeAcquireInStackQueuedSpinLockForDpc(&lock, &handle);
    KeReleaseInStackQueuedSpinLockForDpc(&handle);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
}

/* ---- numbered ---- */

static void numbered_locks(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    for (int i = 0; i < LockQueueMaximumLock; i++) {
        KSPIN_LOCK_QUEUE_NUMBER number = (KSPIN_LOCK_QUEUE_NUMBER)i;
        assert_int_equal(KeAcquireQueuedSpinLock(number), PASSIVE_LEVEL);
        assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
        assert_false(KeTryToAcquireQueuedSpinLock(number, &old));
        assert_int_equal(old, DISPATCH_LEVEL);
        KeReleaseQueuedSpinLock(number, PASSIVE_LEVEL);
        assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
        assert_true(KeTryToAcquireQueuedSpinLock(number, &old));
        assert_int_equal(old, PASSIVE_LEVEL);
        assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
        KeReleaseQueuedSpinLock(number, old);
    }
}

static void numbers_are_locks_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(KeAcquireQueuedSpinLock(LockQueueVacbLock), PASSIVE_LEVEL);
    assert_int_equal(KeAcquireQueuedSpinLock(LockQueueBcbLock), DISPATCH_LEVEL);
    KeReleaseQueuedSpinLock(LockQueueBcbLock, DISPATCH_LEVEL);
    KeReleaseQueuedSpinLock(LockQueueVacbLock, PASSIVE_LEVEL);
}

static void a_number_without_a_lock_is_refused(void **state)
{
    KIRQL old;

    (void)state;
    assert_int_equal(KeAcquireQueuedSpinLock(LockQueueMaximumLock), PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeAcquireQueuedSpinLock: 17"));
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_false(KeTryToAcquireQueuedSpinLock(LockQueueMaximumLock, &old));
    KeReleaseQueuedSpinLock(LockQueueMaximumLock, PASSIVE_LEVEL);
}

static void the_cancel_lock_is_a_numbered_one(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    IoAcquireCancelSpinLock(&old);
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_false(KeTryToAcquireQueuedSpinLock(LockQueueIoCancelLock, &old));
    IoReleaseCancelSpinLock(PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

/* ---- the mistakes ---- */

static void *take_and_end(void *unused)
{
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
    return unused;
}

static void held_by_another(void) { pthread_join(thread_run(take_and_end, NULL), NULL); }
static void held_by_me(void) { KeAcquireInStackQueuedSpinLock(&lock, &handle); }
static void held_as_ordinary(void) { handle.LockQueue.Lock = &lock, (void)KeAcquireSpinLockRaiseToDpc(&lock); }
static void released_already(void) { held_by_me(), KeReleaseInStackQueuedSpinLock(&handle), (void)KeRaiseIrqlToDpcLevel(); }
static void above_dispatch_level(void) { (void)KzRaiseIrql(5); }
static void cancel_lock_held(void)
{
    KIRQL old;
    IoAcquireCancelSpinLock(&old);
}
static void nothing(void) {}

static KLOCK_QUEUE_HANDLE other;
static void               acquire(void) { KeAcquireInStackQueuedSpinLock(&lock, &other); }
static void               acquire_at_dpc(void) { KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &other); }
static void               acquire_for_dpc(void) { KeAcquireInStackQueuedSpinLockForDpc(&lock, &other); }
static void               release(void) { KeReleaseInStackQueuedSpinLock(&handle); }
static void               release_from_dpc(void) { KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle); }
static void               release_for_dpc(void) { KeReleaseInStackQueuedSpinLockForDpc(&handle); }
static void               acquire_cancel(void)
{
    KIRQL old;
    IoAcquireCancelSpinLock(&old);
}
static void acquire_number(void) { (void)KeAcquireQueuedSpinLock(LockQueueIoCancelLock); }
static void release_cancel(void) { IoReleaseCancelSpinLock(PASSIVE_LEVEL); }
static void release_number(void) { KeReleaseQueuedSpinLock(LockQueueMasterLock, PASSIVE_LEVEL); }
static void try_number(void)
{
    KIRQL old;
    (void)KeTryToAcquireQueuedSpinLock(LockQueueMasterLock, &old);
}
static void *take_system_locks_and_end(void *unused)
{
    (void)KeAcquireQueuedSpinLock(LockQueueMasterLock);
    cancel_lock_held();
    return unused;
}
static void system_locks_of_another(void) { pthread_join(thread_run(take_system_locks_and_end, NULL), NULL); }

static struct mistake_case {
    const char *name;
    void (*before)(void);
    void (*mistake)(void);
    ULONG code;
    bool  is_lock; /* p1 is &lock; else some address of the system's */
} MISTAKES[] = {
    { "0xF: KeAcquireInStackQueuedSpinLock twice", held_by_me, acquire, SPIN_LOCK_ALREADY_OWNED, true },
    { "0xF: KeAcquireInStackQueuedSpinLockAtDpcLevel twice", held_by_me, acquire_at_dpc, SPIN_LOCK_ALREADY_OWNED, true },
    { "0xF: KeAcquireInStackQueuedSpinLockForDpc twice", held_by_me, acquire_for_dpc, SPIN_LOCK_ALREADY_OWNED, true },
    { "0xF: ordinary, then in a queue", held_as_ordinary, acquire_at_dpc, SPIN_LOCK_ALREADY_OWNED, true },
    { "0xF: IoAcquireCancelSpinLock twice", cancel_lock_held, acquire_cancel, SPIN_LOCK_ALREADY_OWNED, false },
    { "0xF: KeAcquireQueuedSpinLock of the cancel lock held", cancel_lock_held, acquire_number, SPIN_LOCK_ALREADY_OWNED, false },
    { "0x10: KeReleaseInStackQueuedSpinLock twice", released_already, release, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: KeReleaseInStackQueuedSpinLockFromDpcLevel twice", released_already, release_from_dpc, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: KeReleaseInStackQueuedSpinLockForDpc twice", released_already, release_for_dpc, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: release of another's lock", held_by_another, release, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: release of another's lock from DISPATCH_LEVEL", held_by_another, release_from_dpc, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: release of another's lock in a DPC", held_by_another, release_for_dpc, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: IoReleaseCancelSpinLock, held by another", system_locks_of_another, release_cancel, SPIN_LOCK_NOT_OWNED, false },
    { "0x10: KeReleaseQueuedSpinLock, held by another", system_locks_of_another, release_number, SPIN_LOCK_NOT_OWNED, false },
    { "0x10: release of a lock held as ordinary", held_as_ordinary, release, SPIN_LOCK_NOT_OWNED, true },
    { "0x10: IoReleaseCancelSpinLock of the free lock", nothing, release_cancel, SPIN_LOCK_NOT_OWNED, false },
    { "0x10: KeReleaseQueuedSpinLock of a free lock", nothing, release_number, SPIN_LOCK_NOT_OWNED, false },
};

static void check_mistake(void **state)
{
    const struct mistake_case *c = *state;
    ntmm_catch_frame           frame;

    fresh(NULL);
    c->before();
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        c->mistake();
        fail_msg("not noticed");
    }
    assert_int_equal(frame.stop.code, c->code);
    assert_int_equal(frame.stop.parameter[0] == (uintptr_t)&lock, c->is_lock);
    assert_int_not_equal(frame.stop.parameter[0], 0);
    assert_int_equal(frame.stop.parameter[1], frame.stop.irql);
    assert_true(ke_machine_shutdown());
}

static void acquire_above_dispatch_level(void **state)
{
    static void (*const forms[])(void) = { acquire, acquire_for_dpc, acquire_cancel, acquire_number, try_number };

    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(forms); i++) {
        assert_int_equal(fresh(NULL), 0);
        above_dispatch_level();
        assert_stop(IRQL_NOT_GREATER_OR_EQUAL, DISPATCH_LEVEL, forms[i]());
        assert_int_equal(last_stop.parameter[1], 5);
        assert_true(ke_machine_shutdown());
    }
}

static void acquire_at_dirql_without_a_raise(void **state)
{
    KIRQL old = KzRaiseIrql(5);

    (void)state;
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle); /* >= DISPATCH_LEVEL */
    assert_int_equal(KeGetCurrentIrql(), 5);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
    assert_int_equal(KeGetCurrentIrql(), 5);
    assert_true(KeTestSpinLock(&lock));
    KeLowerIrql(old);
}

static void an_unused_handle_holds_nothing(void **state)
{
    KLOCK_QUEUE_HANDLE unused = { .OldIrql = PASSIVE_LEVEL };

    (void)state;
    assert_stop(SPIN_LOCK_NOT_OWNED, 0, KeReleaseInStackQueuedSpinLock(&unused));
}

static void nobody_takes_a_lock_without_a_machine(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    lock = 0;
    KeAcquireInStackQueuedSpinLock(&lock, &handle);
    assert_int_equal(lock, 0);
    KeReleaseInStackQueuedSpinLock(&handle);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
    assert_int_equal(lock, 0);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
    assert_int_equal(KeAcquireQueuedSpinLock(LockQueueMasterLock), PASSIVE_LEVEL);
    assert_false(KeTryToAcquireQueuedSpinLock(LockQueueMasterLock, &old));
    IoAcquireCancelSpinLock(&old);
    assert_non_null(strstr(ntmm_error(), "IoAcquireCancelSpinLock: no machine is up"));
    IoReleaseCancelSpinLock(PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "IoReleaseCancelSpinLock: no machine is up"));
}

/* ---- the turn ---- */

enum { QUEUE = 6 };
static _Atomic uint32_t served;
static uint32_t         order[QUEUE]; /* written under the lock */

static void *take_in_turn(void *argument)
{
    KLOCK_QUEUE_HANDLE mine;

    KeAcquireInStackQueuedSpinLock(&lock, &mine);
    order[atomic_fetch_add(&served, 1)] = (uint32_t)(uintptr_t)argument;
    KeReleaseInStackQueuedSpinLock(&mine);
    return NULL;
}

static void first_come_first_served(void **state)
{
    pthread_t threads[QUEUE];

    (void)state;
    for (int round = 0; round < 10; round++) {
        atomic_store(&served, 0);
        KeAcquireInStackQueuedSpinLock(&lock, &handle);
        for (uint32_t i = 0; i < QUEUE; i++) {
            threads[i] = thread_run(take_in_turn, (void *)(uintptr_t)i);
            assert_true(eventually(ke_queued_waiters(&lock) == i + 1));
        }
        assert_int_equal(__atomic_load_n(&lock, __ATOMIC_RELAXED) & KE_SPIN_WAITERS, KE_SPIN_WAITERS);
        KeReleaseInStackQueuedSpinLock(&handle);
        for (uint32_t i = 0; i < QUEUE; i++)
            pthread_join(threads[i], NULL);
        for (uint32_t i = 0; i < QUEUE; i++)
            assert_int_equal(order[i], i);
        assert_int_equal(lock, 0);
    }
}

#define ROUNDS 20000

static uint64_t          counter;
static pthread_barrier_t together;

static void *count_in_turn(void *mixed)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        KLOCK_QUEUE_HANDLE mine;
        KeAcquireInStackQueuedSpinLock(&lock, &mine);
        counter++;
        KeReleaseInStackQueuedSpinLock(&mine);
        if (mixed != NULL && i % 16 == 0) { /* forbidden, and works */
            KIRQL old = KeAcquireSpinLockRaiseToDpc(&lock);
            counter++;
            KeReleaseSpinLock(&lock, old);
        }
    }
    return NULL;
}

static uint64_t run_counters(void *mixed)
{
    enum { CROWD = 2 };
    pthread_t threads[CROWD];

    counter = 0;
    pthread_barrier_init(&together, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        threads[i] = thread_run(count_in_turn, mixed);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    return counter / CROWD;
}

static void queued_locks_exclude(void **state)
{
    (void)state;
    assert_int_equal(run_counters(NULL), ROUNDS);
    assert_int_equal(lock, 0);
}

static void ordinary_and_queued_mixed_exclude(void **state)
{
    (void)state;
    assert_int_equal(run_counters(&lock), ROUNDS + ROUNDS / 16);
    assert_int_equal(lock, 0);
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(nobody_takes_a_lock_without_a_machine),
        cmocka_unit_test_setup_teardown(the_raising_pair, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pair_at_dispatch_level, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pair_for_dpcs, fresh, shut_down),
        cmocka_unit_test_setup_teardown(numbered_locks, fresh, shut_down),
        cmocka_unit_test_setup_teardown(numbers_are_locks_of_their_own, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_number_without_a_lock_is_refused, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_cancel_lock_is_a_numbered_one, fresh, shut_down),
        cmocka_unit_test(acquire_above_dispatch_level),
        cmocka_unit_test_setup_teardown(acquire_at_dirql_without_a_raise, fresh, shut_down),
        cmocka_unit_test_setup_teardown(an_unused_handle_holds_nothing, fresh, shut_down),
        cmocka_unit_test_setup_teardown(first_come_first_served, fresh, shut_down),
        cmocka_unit_test_setup_teardown(queued_locks_exclude, fresh, shut_down),
        cmocka_unit_test_setup_teardown(ordinary_and_queued_mixed_exclude, fresh, shut_down),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), MISTAKE_COUNT = NTMM_ARRAY_COUNT(MISTAKES) };
    struct CMUnitTest tests[FIXED_COUNT + MISTAKE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < MISTAKE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = MISTAKES[i].name, .test_func = check_mistake, .initial_state = &MISTAKES[i] };
    return cmocka_run_group_tests_name("ke queued spinlock", tests, NULL, NULL);
}
