/* test_ke_rwspinlock.c - EX_SPIN_LOCK: readers, writers, conversion; who holds what. */
#include "../support/ke_machine.h"

static EX_SPIN_LOCK lock;

static int fresh(void **state)
{
    (void)state;
    lock = 0;
    return ke_machine_boot(4);
}

/* ---- taking ---- */

static void the_raising_pairs(void **state)
{
    (void)state;
    assert_int_equal(ExAcquireSpinLockExclusive(&lock), PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_not_equal(lock, 0);
    ExReleaseSpinLockExclusive(&lock, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(lock, 0);
    assert_int_equal(ExAcquireSpinLockShared(&lock), PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(lock, 1);
    ExReleaseSpinLockShared(&lock, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(lock, 0);
}

static void the_pairs_at_dispatch_level(void **state)
{
    KIRQL old = KeRaiseIrqlToDpcLevel();

    (void)state;
    ExAcquireSpinLockExclusiveAtDpcLevel(&lock);
    ExReleaseSpinLockExclusiveFromDpcLevel(&lock);
    assert_int_equal(lock, 0);
    ExAcquireSpinLockSharedAtDpcLevel(&lock);
    assert_int_equal(lock, 1);
    ExReleaseSpinLockSharedFromDpcLevel(&lock);
    assert_int_equal(lock, 0);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
}

static void the_pairs_at_dirql(void **state)
{
    KIRQL old = KzRaiseIrql(6);

    (void)state;
    ExAcquireSpinLockExclusiveAtDpcLevel(&lock); /* >= DISPATCH_LEVEL */
    assert_int_equal(KeGetCurrentIrql(), 6);
    ExReleaseSpinLockExclusiveFromDpcLevel(&lock);
    ExAcquireSpinLockSharedAtDpcLevel(&lock);
    assert_int_equal(KeGetCurrentIrql(), 6);
    ExReleaseSpinLockSharedFromDpcLevel(&lock);
    assert_int_equal(lock, 0);
    KeLowerIrql(old);
}

static void the_only_reader_becomes_the_writer(void **state)
{
    KIRQL old = ExAcquireSpinLockShared(&lock);

    (void)state;
    assert_true(ExTryConvertSharedSpinLockExclusive(&lock));
    ExReleaseSpinLockExclusive(&lock, old);
    assert_int_equal(lock, 0);
}

static _Atomic uint32_t stage;

static void wait_for_stage(uint32_t wanted)
{
    while (atomic_load(&stage) != wanted)
        host_sleep_ns(50000);
}

static void *read_for_a_while(void *unused)
{
    KIRQL old = ExAcquireSpinLockShared(&lock);

    atomic_store(&stage, 1);
    wait_for_stage(2);
    ExReleaseSpinLockShared(&lock, old);
    return unused;
}

static void one_of_two_readers_does_not_become_the_writer(void **state)
{
    pthread_t thread;
    KIRQL     old;

    (void)state;
    atomic_store(&stage, 0);
    thread = thread_run(read_for_a_while, NULL);
    wait_for_stage(1);
    old = ExAcquireSpinLockShared(&lock); /* two readers at once */
    assert_int_equal(lock, 2);
    assert_false(ExTryConvertSharedSpinLockExclusive(&lock));
    atomic_store(&stage, 2);
    pthread_join(thread, NULL);
    assert_true(ExTryConvertSharedSpinLockExclusive(&lock));
    ExReleaseSpinLockExclusive(&lock, old);
}

static _Atomic uint32_t order, wrote_as, read_as;

static void *write_once(void *unused)
{
    KIRQL old = ExAcquireSpinLockExclusive(&lock);
    atomic_store(&wrote_as, atomic_fetch_add(&order, 1) + 1);
    ExReleaseSpinLockExclusive(&lock, old);
    return unused;
}

static void *read_once(void *unused)
{
    KIRQL old = ExAcquireSpinLockShared(&lock);
    atomic_store(&read_as, atomic_fetch_add(&order, 1) + 1);
    ExReleaseSpinLockShared(&lock, old);
    return unused;
}

static void a_waiting_writer_keeps_new_readers_out(void **state)
{
    pthread_t writer, reader;
    KIRQL     old;

    (void)state;
    order = wrote_as = read_as = 0;
    old = ExAcquireSpinLockShared(&lock);
    writer = thread_run(write_once, NULL);
    assert_true(eventually(__atomic_load_n(&lock, __ATOMIC_RELAXED) != 1)); /* it waits */
    assert_false(ExTryConvertSharedSpinLockExclusive(&lock));
    reader = thread_run(read_once, NULL);
    host_sleep_ns(2000000);
    assert_int_equal(read_as, 0); /* though only a reader is in */
    ExReleaseSpinLockShared(&lock, old);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(wrote_as, 1);
    assert_int_equal(read_as, 2);
    assert_int_equal(lock, 0);
}

/* ---- many locks at once ---- */

static void more_locks_than_have_names(void **state)
{
    enum { LOCKS = KE_THREAD_RW_LOCKS + 4 };
    EX_SPIN_LOCK locks[LOCKS] = { 0 };
    KIRQL        old = KeRaiseIrqlToDpcLevel();

    (void)state;
    for (int i = 0; i < LOCKS; i++)
        ExAcquireSpinLockSharedAtDpcLevel(&locks[i]);
    assert_true(ExTryConvertSharedSpinLockExclusive(&locks[LOCKS - 1]));
    ExReleaseSpinLockExclusiveFromDpcLevel(&locks[LOCKS - 1]);
    for (int i = 0; i < LOCKS - 1; i++)
        ExReleaseSpinLockSharedFromDpcLevel(&locks[i]);
    for (int i = 0; i < LOCKS; i++)
        assert_int_equal(locks[i], 0);
    assert_int_equal(ke_self()->rw_count + ke_self()->rw_unnamed, 0);
    KeLowerIrql(old);
}

/* ---- the mistakes ---- */

static void *share_and_end(void *unused)
{
    ExAcquireSpinLockSharedAtDpcLevel(&lock);
    return unused;
}

static void *write_and_end(void *unused)
{
    ExAcquireSpinLockExclusiveAtDpcLevel(&lock);
    return unused;
}

static void exclusive_by_another(void) { pthread_join(thread_run(write_and_end, NULL), NULL); }
static void free_lock(void) { (void)KeRaiseIrqlToDpcLevel(); }
static void exclusive(void) { (void)ExAcquireSpinLockExclusive(&lock); }
static void shared(void) { (void)ExAcquireSpinLockShared(&lock); }
static void shared_by_another(void) { pthread_join(thread_run(share_and_end, NULL), NULL); }
static void above(void) { (void)KzRaiseIrql(5); }
static void exclusive_at_dpc(void) { ExAcquireSpinLockExclusiveAtDpcLevel(&lock); }
static void shared_at_dpc(void) { ExAcquireSpinLockSharedAtDpcLevel(&lock); }
static void end_exclusive(void) { ExReleaseSpinLockExclusive(&lock, PASSIVE_LEVEL); }
static void end_shared(void) { ExReleaseSpinLockShared(&lock, PASSIVE_LEVEL); }
static void end_exclusive_from_dpc(void) { ExReleaseSpinLockExclusiveFromDpcLevel(&lock); }
static void end_shared_from_dpc(void) { ExReleaseSpinLockSharedFromDpcLevel(&lock); }
static void convert(void) { (void)ExTryConvertSharedSpinLockExclusive(&lock); }

static struct mistake_case {
    const char *name;
    void (*before)(void);
    void (*mistake)(void);
    ULONG code;
} MISTAKES[] = {
    { "0xF: exclusive, exclusive", exclusive, exclusive, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: exclusive, shared", exclusive, shared, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: shared, exclusive", shared, exclusive, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: shared, shared", shared, shared, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: exclusive, exclusive at DISPATCH_LEVEL", exclusive, exclusive_at_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: shared, shared at DISPATCH_LEVEL", shared, shared_at_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: shared, exclusive at DISPATCH_LEVEL", shared, exclusive_at_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0xF: exclusive, shared at DISPATCH_LEVEL", exclusive, shared_at_dpc, SPIN_LOCK_ALREADY_OWNED },
    { "0x10: free, release exclusive", free_lock, end_exclusive, SPIN_LOCK_NOT_OWNED },
    { "0x10: free, release shared", free_lock, end_shared, SPIN_LOCK_NOT_OWNED },
    { "0x10: free, release exclusive from DISPATCH_LEVEL", free_lock, end_exclusive_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: free, release shared from DISPATCH_LEVEL", free_lock, end_shared_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: exclusive, release shared", exclusive, end_shared, SPIN_LOCK_NOT_OWNED },
    { "0x10: shared, release exclusive", shared, end_exclusive, SPIN_LOCK_NOT_OWNED },
    { "0x10: shared by another, release shared", shared_by_another, end_shared_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: shared by another, convert", shared_by_another, convert, SPIN_LOCK_NOT_OWNED },
    { "0x10: exclusive by another, release exclusive", exclusive_by_another, end_exclusive, SPIN_LOCK_NOT_OWNED },
    { "0x10: exclusive by another, release exclusive at DPC", exclusive_by_another, end_exclusive_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: exclusive, release shared from DISPATCH_LEVEL", exclusive, end_shared_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: shared, release exclusive from DISPATCH_LEVEL", shared, end_exclusive_from_dpc, SPIN_LOCK_NOT_OWNED },
    { "0x10: free, convert", free_lock, convert, SPIN_LOCK_NOT_OWNED },
    { "0x10: exclusive, convert", exclusive, convert, SPIN_LOCK_NOT_OWNED },
    { "0x9: exclusive above DISPATCH_LEVEL", above, exclusive, IRQL_NOT_GREATER_OR_EQUAL },
    { "0x9: shared above DISPATCH_LEVEL", above, shared, IRQL_NOT_GREATER_OR_EQUAL },
};

static void check_mistake(void **state)
{
    const struct mistake_case *c = *state;

    fresh(NULL);
    c->before();
    assert_stop(c->code, c->code == IRQL_NOT_GREATER_OR_EQUAL ? DISPATCH_LEVEL : (uintptr_t)&lock, c->mistake());
    assert_int_equal(last_stop.parameter[1], last_stop.irql);
    assert_int_equal(last_stop.parameter[2], 0);
    assert_int_not_equal(last_stop.parameter[3], 0); /* the caller */
    assert_true(ke_machine_shutdown());
}

static void nobody_takes_a_lock_without_a_machine(void **state)
{
    (void)state;
    lock = 0;
    assert_int_equal(ExAcquireSpinLockExclusive(&lock), PASSIVE_LEVEL);
    assert_int_equal(ExAcquireSpinLockShared(&lock), PASSIVE_LEVEL);
    ExAcquireSpinLockExclusiveAtDpcLevel(&lock);
    ExAcquireSpinLockSharedAtDpcLevel(&lock);
    assert_int_equal(lock, 0);
    ExReleaseSpinLockExclusive(&lock, PASSIVE_LEVEL);
    ExReleaseSpinLockShared(&lock, PASSIVE_LEVEL);
    ExReleaseSpinLockExclusiveFromDpcLevel(&lock);
    ExReleaseSpinLockSharedFromDpcLevel(&lock);
    assert_false(ExTryConvertSharedSpinLockExclusive(&lock));
    assert_non_null(strstr(ntmm_error(), "ExTryConvertSharedSpinLockExclusive: no machine is up"));
    assert_int_equal(lock, 0);
}

/* ---- excluding ---- */

#define ROUNDS 20000

static uint64_t          pair[2]; /* plain; a writer keeps both equal */
static _Atomic uint32_t  torn;
static pthread_barrier_t together;

static void *read_and_write(void *unused)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        KIRQL old;
        if (i % 4 != 0) {
            old = ExAcquireSpinLockShared(&lock);
            if (pair[0] != pair[1])
                atomic_fetch_add(&torn, 1);
            if (i % 64 == 1 && ExTryConvertSharedSpinLockExclusive(&lock)) {
                pair[0]++, pair[1]++;
                ExReleaseSpinLockExclusive(&lock, old);
            } else {
                ExReleaseSpinLockShared(&lock, old);
            }
        } else {
            old = ExAcquireSpinLockExclusive(&lock);
            pair[0]++;
            pair[1]++;
            ExReleaseSpinLockExclusive(&lock, old);
        }
    }
    return unused;
}

static void readers_and_writers_exclude(void **state)
{
    enum { CROWD = 3 };
    pthread_t threads[CROWD];

    (void)state;
    pair[0] = pair[1] = 0;
    atomic_store(&torn, 0);
    pthread_barrier_init(&together, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        threads[i] = thread_run(read_and_write, NULL);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    assert_int_equal(torn, 0);
    assert_true(pair[0] == pair[1] && pair[0] >= (uint64_t)CROWD * ROUNDS / 4);
    assert_int_equal(lock, 0);
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(nobody_takes_a_lock_without_a_machine),
        cmocka_unit_test_setup_teardown(the_raising_pairs, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pairs_at_dispatch_level, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_pairs_at_dirql, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_only_reader_becomes_the_writer, fresh, shut_down),
        cmocka_unit_test_setup_teardown(one_of_two_readers_does_not_become_the_writer, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_waiting_writer_keeps_new_readers_out, fresh, shut_down),
        cmocka_unit_test_setup_teardown(more_locks_than_have_names, fresh, shut_down),
        cmocka_unit_test_setup_teardown(readers_and_writers_exclude, fresh, shut_down),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), MISTAKE_COUNT = NTMM_ARRAY_COUNT(MISTAKES) };
    struct CMUnitTest tests[FIXED_COUNT + MISTAKE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < MISTAKE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = MISTAKES[i].name, .test_func = check_mistake, .initial_state = &MISTAKES[i] };
    return cmocka_run_group_tests_name("ke reader/writer spinlock", tests, NULL, NULL);
}
