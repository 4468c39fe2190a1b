/*
 * test_ex_push_lock.c - push locks and rundown protection: who may enter, who waits, and mistakes.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <ntmm/cmocka.h>

#define TAG NTMM_TAG("TRun")
#define THREADS 4
#define ROUNDS 500

/* ---- push locks ---- */

static void one_writer_or_many_readers(void **state)
{
    EX_PUSH_LOCK lock = 77;
    (void)state;
    ExInitializePushLock(&lock);
    assert_int_equal(lock, 0);
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&lock);
    ExReleasePushLockExclusive(&lock);
    ExAcquirePushLockShared(&lock);
    ExAcquirePushLockShared(&lock);
    ExReleasePushLockShared(&lock);
    ExReleasePushLockShared(&lock);
    KeLeaveCriticalRegion();
    assert_int_equal(lock, 0);
}

typedef struct guarded {
    EX_PUSH_LOCK     lock;
    uint64_t         first, second; /* equal for whoever holds the lock */
    _Atomic uint32_t torn;
} guarded_t;

static void *write_and_read(void *argument)
{
    guarded_t *g = argument;
    for (int i = 0; i < ROUNDS; i++) {
        KeEnterCriticalRegion();
        if (i % 4 == 0) {
            ExAcquirePushLockExclusive(&g->lock);
            g->first++;
            g->second++;
            ExReleasePushLockExclusive(&g->lock);
        } else {
            ExAcquirePushLockShared(&g->lock);
            if (g->first != g->second)
                atomic_fetch_add(&g->torn, 1);
            ExReleasePushLockShared(&g->lock);
        }
        KeLeaveCriticalRegion();
    }
    return NULL;
}

static void run_threads(void *(*body)(void *), void *argument)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, argument), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void writers_are_alone(void **state)
{
    static guarded_t g;
    (void)state;
    memset(&g, 0, sizeof g);
    run_threads(write_and_read, &g);
    assert_int_equal(g.torn, 0);
    assert_int_equal(g.first, THREADS * (ROUNDS / 4));
    assert_int_equal(g.second, g.first);
    assert_int_equal(g.lock, 0);
}

static void mistakes_with_push_locks(void **state)
{
    EX_PUSH_LOCK lock = 0;
    KIRQL        old;
    (void)state;
    ExAcquirePushLockExclusive(&lock);
    assert_bugcheck(MUTEX_ALREADY_OWNED, &lock, ExAcquirePushLockShared(&lock));
    ntmm_cmocka_reboot();
    lock = 0;
    assert_bugcheck(THREAD_NOT_MUTEX_OWNER, &lock, ExReleasePushLockExclusive(&lock));
    ntmm_cmocka_reboot();
    ExAcquirePushLockShared(&lock);
    assert_bugcheck(THREAD_NOT_MUTEX_OWNER, &lock, ExReleasePushLockExclusive(&lock));
    ntmm_cmocka_reboot();
    lock = 0;
    ExAcquirePushLockExclusive(&lock);
    assert_bugcheck(THREAD_NOT_MUTEX_OWNER, &lock, ExReleasePushLockShared(&lock));
    ntmm_cmocka_reboot();
    lock = 0;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExAcquirePushLockShared(&lock));
}

/* ---- rundown protection ---- */

static void nobody_comes_after_the_rundown(void **state)
{
    EX_RUNDOWN_REF ref;
    KIRQL          old;
    (void)state;
    ExInitializeRundownProtection(&ref);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(ExAcquireRundownProtection(&ref));
    assert_true(ExAcquireRundownProtectionEx(&ref, 3));
    ExReleaseRundownProtectionEx(&ref, 2);
    ExReleaseRundownProtection(&ref);
    ExReleaseRundownProtection(&ref);
    KeLowerIrql(old);
    ExWaitForRundownProtectionRelease(&ref);
    assert_false(ExAcquireRundownProtection(&ref));
    ExWaitForRundownProtectionRelease(&ref); /* at once */
    ExRundownCompleted(&ref);
    assert_false(ExAcquireRundownProtectionEx(&ref, 2));
    ExReInitializeRundownProtection(&ref);
    assert_true(ExAcquireRundownProtection(&ref));
    ExReleaseRundownProtection(&ref);
}

typedef struct shared {
    EX_RUNDOWN_REF              ref;
    PEX_RUNDOWN_REF_CACHE_AWARE refs; /* or NULL */
    _Atomic uint32_t            users, turned_away, after;
    _Atomic bool                is_gone;
} shared_t;

static bool come_in(shared_t *s)
{
    return s->refs != NULL ? ExAcquireRundownProtectionCacheAware(s->refs) : ExAcquireRundownProtection(&s->ref);
}

static void go_out(shared_t *s)
{
    if (s->refs != NULL)
        ExReleaseRundownProtectionCacheAware(s->refs);
    else
        ExReleaseRundownProtection(&s->ref);
}

static void *use_until_it_is_gone(void *argument)
{
    shared_t *s = argument;
    while (come_in(s)) {
        atomic_fetch_add(&s->users, 1);
        if (atomic_load(&s->is_gone))
            atomic_fetch_add(&s->after, 1);
        go_out(s);
    }
    atomic_fetch_add(&s->turned_away, 1);
    return NULL;
}

static void *run_down(void *argument)
{
    shared_t *s = argument;
    while (atomic_load(&s->users) < ROUNDS)
        ;
    if (s->refs != NULL)
        ExWaitForRundownProtectionReleaseCacheAware(s->refs);
    else
        ExWaitForRundownProtectionRelease(&s->ref);
    atomic_store(&s->is_gone, true);
    return NULL;
}

static void play(shared_t *s)
{
    pthread_t last;
    assert_int_equal(pthread_create(&last, NULL, run_down, s), 0);
    run_threads(use_until_it_is_gone, s);
    assert_int_equal(pthread_join(last, NULL), 0);
    assert_true(s->is_gone);
    assert_int_equal(s->after, 0);
    assert_int_equal(s->turned_away, THREADS);
}

static void the_last_user_lets_the_waiter_go(void **state)
{
    static shared_t s;
    (void)state;
    memset(&s, 0, sizeof s);
    ExInitializeRundownProtection(&s.ref);
    play(&s);
}

static void the_same_with_a_count_for_each_processor(void **state)
{
    static shared_t s;
    (void)state;
    memset(&s, 0, sizeof s);
    s.refs = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, TAG);
    assert_non_null(s.refs);
    play(&s);
    ExRundownCompletedCacheAware(s.refs);
    ExReInitializeRundownProtectionCacheAware(s.refs);
    assert_true(ExAcquireRundownProtectionCacheAwareEx(s.refs, 5));
    ExReleaseRundownProtectionCacheAwareEx(s.refs, 5);
    ExFreeCacheAwareRundownProtection(s.refs);
}

static void counts_in_the_drivers_memory(void **state)
{
    SIZE_T                      bytes = ExSizeOfRundownProtectionCacheAware();
    PEX_RUNDOWN_REF_CACHE_AWARE refs = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
    (void)state;
    assert_true(bytes >= KeQueryMaximumProcessorCount() * sizeof(EX_RUNDOWN_REF));
    ExInitializeRundownProtectionCacheAware(refs, bytes);
    assert_true(ExAcquireRundownProtectionCacheAware(refs));
    ExReleaseRundownProtectionCacheAware(refs);
    ExWaitForRundownProtectionReleaseCacheAware(refs);
    assert_false(ExAcquireRundownProtectionCacheAware(refs));
    ExFreePoolWithTag(refs, TAG);
}

static void mistakes_with_rundown_protection(void **state)
{
    EX_RUNDOWN_REF ref;
    KIRQL          old;
    (void)state;
    ExInitializeRundownProtection(&ref);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_REFERENCE_COUNT, ExReleaseRundownProtection(&ref));
    ntmm_cmocka_reboot();
    ExInitializeRundownProtection(&ref);
    ExWaitForRundownProtectionRelease(&ref);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_REFERENCE_COUNT, ExReleaseRundownProtection(&ref));
    ntmm_cmocka_reboot();
    ExInitializeRundownProtection(&ref);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_REFERENCE_COUNT, ExRundownCompleted(&ref));
    ntmm_cmocka_reboot();
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_REFERENCE_COUNT, ExReInitializeRundownProtection(&ref));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExWaitForRundownProtectionRelease(&ref));
    ntmm_cmocka_reboot();
    KeRaiseIrql(HIGH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExAcquireRundownProtection(&ref));
}

static void allocate_one(void *context)
{
    PEX_RUNDOWN_REF_CACHE_AWARE refs = ExAllocateCacheAwareRundownProtection(PagedPool, TAG);
    (void)context;
    if (refs != NULL)
        ExFreeCacheAwareRundownProtection(refs);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(allocate_one, NULL) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(one_writer_or_many_readers),
        ntmm_cmocka_test(writers_are_alone),
        ntmm_cmocka_test(mistakes_with_push_locks),
        ntmm_cmocka_test(nobody_comes_after_the_rundown),
        ntmm_cmocka_test(the_last_user_lets_the_waiter_go),
        ntmm_cmocka_test(the_same_with_a_count_for_each_processor),
        ntmm_cmocka_test(counts_in_the_drivers_memory),
        ntmm_cmocka_test(mistakes_with_rundown_protection),
        ntmm_cmocka_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
