/*
 * test_ex_fast_mutex.c - fast mutexes and guarded mutexes: what keeps APCs off, exclusion under contention, and the mistakes that are found out.
 */
#include <ntmm/cmocka.h>

#include <ntddk.h>
#include <pthread.h>

static FAST_MUTEX     fast;
static KGUARDED_MUTEX guarded;
static _Atomic int    seen;

static void in_another_thread(void *(*body)(void *))
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void prepare(void)
{
    memset(&fast, 0xA5, sizeof fast);
    memset(&guarded, 0xA5, sizeof guarded);
    ExInitializeFastMutex(&fast);
    KeInitializeGuardedMutex(&guarded);
}

/* ---- one thread ---- */

static void a_fast_mutex_raises_to_apc_level(void **state)
{
    KIRQL old;
    (void)state;
    prepare();
    assert_int_equal(fast.Count, 1);
    assert_null(fast.Owner);
    ExAcquireFastMutex(&fast);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    assert_int_equal(fast.Count, 0);
    assert_int_equal(fast.OldIrql, PASSIVE_LEVEL);
    assert_non_null(fast.Owner);
    ExReleaseFastMutex(&fast);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(fast.Count, 1);
    assert_null(fast.Owner);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_true(ExTryToAcquireFastMutex(&fast));
    ExReleaseFastMutex(&fast);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(old);
}

static void the_unsafe_forms_leave_the_irql(void **state)
{
    (void)state;
    prepare();
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&fast);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(fast.Count, 0);
    ExReleaseFastMutexUnsafe(&fast);
    KeLeaveCriticalRegion();
    KeEnterGuardedRegion();
    KeAcquireGuardedMutexUnsafe(&guarded);
    KeReleaseGuardedMutexUnsafe(&guarded);
    assert_true(KeAreAllApcsDisabled());
    KeLeaveGuardedRegion();
    assert_false(KeAreAllApcsDisabled());
}

static void a_guarded_mutex_is_a_guarded_region(void **state)
{
    (void)state;
    prepare();
    KeAcquireGuardedMutex(&guarded);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_true(KeAreAllApcsDisabled());
    KeReleaseGuardedMutex(&guarded);
    assert_false(KeAreAllApcsDisabled());
    assert_true(KeTryToAcquireGuardedMutex(&guarded));
    assert_true(KeAreAllApcsDisabled());
    assert_false(KeTryToAcquireGuardedMutex(&guarded)); /* not even for its owner */
    KeReleaseGuardedMutex(&guarded);
    assert_false(KeAreAllApcsDisabled());
}

/* ---- several ---- */

static void *try_both(void *argument)
{
    (void)argument;
    seen = !ExTryToAcquireFastMutex(&fast) && KeGetCurrentIrql() == PASSIVE_LEVEL && !KeTryToAcquireGuardedMutex(&guarded) &&
           !KeAreAllApcsDisabled();
    return NULL;
}

static void trying_changes_nothing(void **state)
{
    (void)state;
    prepare();
    KeAcquireGuardedMutex(&guarded);
    ExAcquireFastMutex(&fast);
    in_another_thread(try_both);
    assert_true(seen);
    ExReleaseFastMutex(&fast);
    KeReleaseGuardedMutex(&guarded);
}

static int counters[2]; /* nothing else guards them */

static void *contend(void *argument)
{
    (void)argument;
    for (int i = 0; i < 500; i++) {
        ExAcquireFastMutex(&fast);
        counters[0]++;
        ExReleaseFastMutex(&fast);
        if (i % 2 == 0)
            KeAcquireGuardedMutex(&guarded);
        else
            while (!KeTryToAcquireGuardedMutex(&guarded))
                ;
        counters[1]++;
        KeReleaseGuardedMutex(&guarded);
    }
    return NULL;
}

static void they_exclude(void **state)
{
    pthread_t threads[4];
    (void)state;
    prepare();
    counters[0] = counters[1] = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counters[0], 4 * 500);
    assert_int_equal(counters[1], 4 * 500);
    assert_int_equal(fast.Count, 1);
    assert_int_equal(guarded.Count, 1);
}

static void *wait_until_the_stop(void *argument)
{
    (void)argument;
    ntmm_catch_bugcheck((void (*)(void *))ExAcquireFastMutex, &fast, NULL);
    seen = 2;
    return NULL;
}

static void a_stop_ends_the_wait(void **state)
{
    pthread_t thread;
    (void)state;
    prepare();
    ExAcquireFastMutex(&fast);
    assert_int_equal(pthread_create(&thread, NULL, wait_until_the_stop, NULL), 0);
    while (__atomic_load_n(&fast.Contention, __ATOMIC_RELAXED) == 0)
        ;
    assert_bugcheck(0xE2, 0, KeBugCheckEx(0xE2, 0, 0, 0, 0));
    pthread_join(thread, NULL);
    assert_int_equal(seen, 2);
}

/* ---- mistakes ---- */

static void no_recursion(void **state)
{
    (void)state;
    prepare();
    ExAcquireFastMutex(&fast);
    assert_bugcheck(MUTEX_ALREADY_OWNED, &fast, ExAcquireFastMutex(&fast));
    assert_ptr_equal(ntmm_cmocka_caught.parameter[1], fast.Owner);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0);
    ntmm_cmocka_reboot();
    prepare();
    KeAcquireGuardedMutex(&guarded);
    assert_bugcheck(MUTEX_ALREADY_OWNED, &guarded, KeAcquireGuardedMutex(&guarded));
}

static void only_the_owner_releases(void **state)
{
    (void)state;
    prepare();
    assert_bugcheck(THREAD_NOT_MUTEX_OWNER, &fast, ExReleaseFastMutex(&fast));
    ntmm_cmocka_reboot();
    prepare();
    KeEnterGuardedRegion();
    assert_bugcheck(THREAD_NOT_MUTEX_OWNER, &guarded, KeReleaseGuardedMutex(&guarded));
}

static void not_at_dispatch_level(void **state)
{
    (void)state;
    prepare();
    (void)KeRaiseIrqlToDpcLevel();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExAcquireFastMutex(&fast));
    ntmm_cmocka_reboot();
    (void)KeRaiseIrqlToDpcLevel();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeTryToAcquireGuardedMutex(&guarded));
    ntmm_cmocka_reboot();
    ExAcquireFastMutex(&fast);
    (void)KeRaiseIrqlToDpcLevel();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExReleaseFastMutex(&fast));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_fast_mutex_raises_to_apc_level),
        ntmm_cmocka_test(the_unsafe_forms_leave_the_irql),
        ntmm_cmocka_test(a_guarded_mutex_is_a_guarded_region),
        ntmm_cmocka_test(trying_changes_nothing),
        ntmm_cmocka_test(they_exclude),
        ntmm_cmocka_test(a_stop_ends_the_wait),
        ntmm_cmocka_test(no_recursion),
        ntmm_cmocka_test(only_the_owner_releases),
        ntmm_cmocka_test(not_at_dispatch_level),
    };
    return cmocka_run_group_tests_name("fast and guarded mutexes", tests, NULL, NULL);
}
