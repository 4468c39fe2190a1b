/*
 * test_mm_force_irql.c - NTMM_VERIFY_FORCE_IRQL: pageable memory that is there is out of reach at DISPATCH_LEVEL as well. Every test of paged pool
 * runs with both gates.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define TAG NTMM_TAG("Forc")

static volatile int one = 1, sink; /* so that each call of a function that does next to nothing is made, and made where it stands */

NTMM_PAGEABLE_CODE static int          tiny(int x) { return x + one; }
NTMM_PAGEABLE_DATA static volatile int number = 7;

static char *allocate(void)
{
    char *p = ExAllocatePool2(POOL_FLAG_PAGED, 3 * PAGE_SIZE, TAG);
    assert_non_null(p);
    p[0] = 1;
    return p;
}

static ntmm_force_irql_counts counts(void)
{
    ntmm_force_irql_counts out;
    ntmm_query_force_irql(&out);
    return out;
}

/* ---- a touch of what is there ---- */

static void read_raised(char *p)
{
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    (void)*(volatile char *)p;
    KeLowerIrql(irql);
}

static void write_under_spin_lock(char *p)
{
    KSPIN_LOCK lock;
    KIRQL      irql;
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &irql);
    *(volatile char *)p = 2;
    KeReleaseSpinLock(&lock, irql);
}

static void without_the_flag_luck_holds(void **state)
{
    (void)state;
    char *p = allocate();
    read_raised(p);
    write_under_spin_lock(p);
    assert_int_equal(counts().raises, 0);
    ExFreePoolWithTag(p, TAG);
}

static void paged_pool_is_out_of_reach(void **state)
{
    (void)state;
    char *p = allocate();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, read_raised(p));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0);
    ntmm_cmocka_reboot();
    p = allocate();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, write_under_spin_lock(p));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 1);
}

static void each_raise_closes_it_again(void **state)
{
    (void)state;
    char *p = allocate();
    for (int i = 0; i < 5; i++) {
        KeLowerIrql(KeRaiseIrqlToDpcLevel());
        assert_int_equal(*(volatile char *)p, 1);
    }
    assert_int_equal(counts().raises, 5);
    assert_true(counts().closed >= 5);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, read_raised(p));
}

static void below_dispatch_level_it_comes_back(void **state)
{
    (void)state;
    ntmm_fault_counts before, after;
    char             *p = allocate();
    KIRQL             irql;
    KeRaiseIrql(APC_LEVEL, &irql);
    KeLowerIrql(irql);
    assert_int_equal(counts().raises, 0); /* APC_LEVEL closes nothing */
    KeLowerIrql(KeRaiseIrqlToDpcLevel());
    ntmm_query_faults(&before);
    p[0] = 3;
    ntmm_query_faults(&after);
    assert_int_equal(after.soft, before.soft + 1);
    assert_int_equal(counts().given_back, 0); /* nobody was raised */
    assert_true(ntmm_check());
    ExFreePoolWithTag(p, TAG);
    assert_true(ntmm_check());
}

static void nonpaged_memory_stays(void **state)
{
    (void)state;
    char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
    KIRQL irql = KeRaiseIrqlToDpcLevel(), higher;
    p[5] = 7;
    KeRaiseIrql(HIGH_LEVEL, &higher);
    p[6] = 8;
    KeLowerIrql(higher);
    char *q = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
    q[0] = 1;
    ExFreePoolWithTag(q, TAG);
    KeLowerIrql(irql);
    assert_int_equal(counts().raises, 1); /* a raise further up closes nothing */
    ExFreePoolWithTag(p, TAG);
}

/* ---- other ways up ---- */

static char *paged;

static void dpc_routine(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc, (void)argument1, (void)argument2;
    *(volatile char *)context = 4;
}

static void queue_a_dpc(void *unused)
{
    static KDPC dpc;
    (void)unused;
    KeInitializeDpc(&dpc, dpc_routine, paged);
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeLowerIrql(irql);
}

static BOOLEAN read_paged(PVOID context) { return *(volatile char *)context == 1; }
static BOOLEAN serve_nothing(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    return TRUE;
}
static void synchronized_execution(void **state)
{
    (void)state;
    PKINTERRUPT interrupt;
    char       *p = allocate();
    assert_int_equal(IoConnectInterrupt(&interrupt, serve_nothing, NULL, NULL, 1, 4, 5, Latched, FALSE, 1, FALSE), STATUS_SUCCESS);
    assert_true(read_paged(p));
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, KeSynchronizeExecution(interrupt, read_paged, p));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 5);
}

static void pop_from_paged_memory(void *unused)
{
    KSPIN_LOCK lock = 0;
    (void)unused;
    ExInterlockedRemoveHeadList((PLIST_ENTRY)(PVOID)paged, &lock);
}

static void a_dpc_and_an_interlocked_list(void **state)
{
    (void)state;
    paged = allocate();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)paged, queue_a_dpc(NULL));
    ntmm_cmocka_reboot();
    paged = allocate();
    InitializeListHead((PLIST_ENTRY)(PVOID)paged);
    assert_true(ntmm_catch_bugcheck(pop_from_paged_memory, NULL, &ntmm_cmocka_caught));
    assert_true(ntmm_cmocka_caught.code == IRQL_NOT_LESS_OR_EQUAL || ntmm_cmocka_caught.code == DRIVER_IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(ntmm_cmocka_caught.parameter[0] & ~(uintptr_t)15, (uintptr_t)paged); /* in the list head */
}

/* ---- pageable sections of drivers ---- */

static void call_raised(void)
{
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    sink = tiny(1);
    KeLowerIrql(irql);
}

static void add_raised(void)
{
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    number++;
    KeLowerIrql(irql);
}

static void pageable_sections_too(void **state)
{
    (void)state;
    assert_int_equal(tiny(number), 8);
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)tiny, call_raised());
    ntmm_cmocka_reboot();
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)&number, add_raised());
}

static void locked_sections_stay(void **state)
{
    (void)state;
    PVOID code = MmLockPagableCodeSection((PVOID)(uintptr_t)tiny), data = MmLockPagableDataSection((PVOID)(uintptr_t)&number);
    call_raised();
    add_raised();
    assert_int_equal(number, 8);
    number = 7;
    MmUnlockPagableImageSection(code);
    MmUnlockPagableImageSection(data);
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)tiny, call_raised());
}

/* ---- others go on ---- */

static _Atomic int step;

static void wait_for(int value)
{
    while (atomic_load(&step) < value)
        sched_yield();
}

static void *touch_below(void *p)
{
    wait_for(1);
    *(volatile char *)p = 9;
    atomic_store(&step, 2);
    return NULL;
}

static void a_thread_below_gets_its_page_back(void **state)
{
    (void)state;
    pthread_t other;
    char     *p = allocate();
    atomic_store(&step, 0);
    pthread_create(&other, NULL, touch_below, p);
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    atomic_store(&step, 1);
    wait_for(2);
    assert_int_equal(counts().given_back, !counts().by_key); /* open to all until the next raise, or not: docs/fidelity.md */
    if (!counts().by_key)
        assert_int_equal(*(volatile char *)p, 9);
    KeLowerIrql(irql);
    pthread_join(other, NULL);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, read_raised(p));
}

enum { ROUNDS = 300 };

static void *raise_and_lower(void *nonpaged)
{
    for (int i = 0; i < ROUNDS; i++) {
        KIRQL irql = KeRaiseIrqlToDpcLevel();
        ++*(volatile int *)nonpaged;
        KeLowerIrql(irql);
    }
    return NULL;
}

static void *count_in_paged(void *p)
{
    for (int i = 0; i < ROUNDS; i++) {
        ++*(volatile int *)p;
        if (i % 8 == 0) {
            void *more = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
            ExFreePoolWithTag(more, TAG);
        }
    }
    return NULL;
}

static void threads_go_up_and_down(void **state)
{
    (void)state;
    pthread_t threads[4];
    int      *paged_counts = ExAllocatePool2(POOL_FLAG_PAGED, 2 * PAGE_SIZE, TAG), nonpaged[2] = { 0 };
    assert_non_null(paged_counts);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, raise_and_lower, &nonpaged[i]);
        pthread_create(&threads[2 + i], NULL, count_in_paged, &paged_counts[(unsigned)i * PAGE_SIZE / sizeof(int)]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(nonpaged[0] + nonpaged[1], 2 * ROUNDS);
    assert_int_equal(paged_counts[0] + paged_counts[PAGE_SIZE / sizeof(int)], 2 * ROUNDS);
    assert_true(counts().raises >= 2 * ROUNDS);
    assert_true(ntmm_check());
    ExFreePoolWithTag(paged_counts, TAG);
}

/* ---- the flag ---- */

static void other_flags_are_refused(void **state)
{
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .verifier = NTMM_VERIFY_FORCE_IRQL | NTMM_VERIFY_POOL_TRACKING }), -ENOTSUP);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .verifier = 0x400 }), -ENOTSUP);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .verifier = NTMM_VERIFY_FORCE_IRQL, .processors = 1 }), 0);
    KeLowerIrql(KeRaiseIrqlToDpcLevel());
    assert_int_equal(counts().raises, 1);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(NULL), 0);
    char *p = allocate();
    read_raised(p); /* switched off again */
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static const ntmm_config userfault = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL, .page_gate = NTMM_GATE_BEST };
static const ntmm_config protect = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL, .page_gate = NTMM_GATE_MPROTECT };
static const ntmm_config one_processor = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL, .processors = 1 };

#define BOTH(test) ntmm_cmocka_test_config(test, &userfault), ntmm_cmocka_test_config(test, &protect)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_flags_are_refused),
        ntmm_cmocka_test(without_the_flag_luck_holds),
        BOTH(paged_pool_is_out_of_reach),
        BOTH(each_raise_closes_it_again),
        BOTH(below_dispatch_level_it_comes_back),
        BOTH(nonpaged_memory_stays),
        BOTH(a_dpc_and_an_interlocked_list),
        BOTH(synchronized_execution),
        BOTH(a_thread_below_gets_its_page_back),
        BOTH(threads_go_up_and_down),
        ntmm_cmocka_test_config(threads_go_up_and_down, &one_processor),
#ifdef HAVE_LINK_STEP
        BOTH(pageable_sections_too),
        BOTH(locked_sections_stay),
#endif
    };
    (void)pageable_sections_too, (void)locked_sections_stay;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
