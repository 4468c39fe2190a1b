/*
 * test_vf_deadlock.c - deadlock detection: orders of two and three locks of every kind, in one thread and in two; tries; memory and locks that begin anew;
 * owners that are none; and that order alone is no mistake.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define TAG 'kcoL'

static KSPIN_LOCK a, b, c;
static FAST_MUTEX m, n;
static KMUTEX     x, y;

static void initialise(void)
{
    KeInitializeSpinLock(&a);
    KeInitializeSpinLock(&b);
    KeInitializeSpinLock(&c);
    ExInitializeFastMutex(&m);
    ExInitializeFastMutex(&n);
    KeInitializeMutex(&x, 0);
    KeInitializeMutex(&y, 0);
}

static int setup(void **state)
{
    int status = ntmm_cmocka_setup(state);
    initialise();
    return status;
}

static void again(void)
{
    ntmm_cmocka_reboot();
    initialise();
}

static void both(PKSPIN_LOCK first, PKSPIN_LOCK second)
{
    KIRQL irql;
    KeAcquireSpinLock(first, &irql);
    KeAcquireSpinLockAtDpcLevel(second);
    KeReleaseSpinLockFromDpcLevel(second);
    KeReleaseSpinLock(first, irql);
}

static void wait_for(PVOID mutex) { assert_int_equal(KeWaitForSingleObject(mutex, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS); }

/* ---- the order ---- */

static void two_locks_in_both_orders(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        both(&a, &b); /* as often as one likes */
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, &a, 0, 0, both(&b, &a));
    assert_non_null(strstr(ntmm_stop_report(), "in the other order before"));
    assert_non_null(strstr(ntmm_stop_report(), "two locks are acquired in both orders"));
}

static void *take_a_then_b(void *nothing)
{
    both(&a, &b);
    return nothing;
}

static void two_threads_that_never_met(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, take_a_then_b, NULL), 0);
    pthread_join(thread, NULL);
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, &a, 0, 0, both(&b, &a));
}

static void three_in_a_circle(void **state)
{
    (void)state;
    both(&a, &b);
    both(&b, &c);
    both(&a, &c); /* that is the same order */
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, &a, 0, 0, both(&c, &a));
}

static void queued_locks(PKSPIN_LOCK first, PKSPIN_LOCK second)
{
    KLOCK_QUEUE_HANDLE one, two;
    KeAcquireInStackQueuedSpinLock(first, &one);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(second, &two);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&two);
    KeReleaseInStackQueuedSpinLock(&one);
}

static void fast_mutexes(PFAST_MUTEX first, PFAST_MUTEX second)
{
    ExAcquireFastMutex(first);
    ExAcquireFastMutex(second);
    ExReleaseFastMutex(second);
    ExReleaseFastMutex(first);
}

static void guarded_mutexes(PKGUARDED_MUTEX first, PKGUARDED_MUTEX second)
{
    KeAcquireGuardedMutex(first);
    KeAcquireGuardedMutex(second);
    KeReleaseGuardedMutex(second);
    KeReleaseGuardedMutex(first);
}

static void mutexes(PKMUTEX first, PKMUTEX second)
{
    wait_for(first);
    wait_for(second);
    KeReleaseMutex(second, FALSE);
    KeReleaseMutex(first, FALSE);
}

static void mutex_then_spin(void)
{
    wait_for(&x);
    both(&a, &b);
    KeReleaseMutex(&x, FALSE);
}

static void cancel_then_ours(void)
{
    KIRQL irql;
    IoAcquireCancelSpinLock(&irql);
    KeAcquireSpinLockAtDpcLevel(&a);
    KeReleaseSpinLockFromDpcLevel(&a);
    IoReleaseCancelSpinLock(irql);
}

static void ours_then_cancel(void)
{
    KIRQL irql, cancel;
    KeAcquireSpinLock(&a, &irql);
    IoAcquireCancelSpinLock(&cancel);
    IoReleaseCancelSpinLock(cancel);
    KeReleaseSpinLock(&a, irql);
}

static void every_kind_of_lock(void **state)
{
    (void)state;
    queued_locks(&a, &b);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, queued_locks(&b, &a));
    again();
    fast_mutexes(&m, &n);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, fast_mutexes(&n, &m));
    again();
    guarded_mutexes(&m, &n);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, guarded_mutexes(&n, &m));
    again();
    mutexes(&x, &y);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, mutexes(&y, &x));
    again();
    mutex_then_spin();
    both(&a, &b); /* one kind alone */
    cancel_then_ours();
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, ours_then_cancel());
}

static void fast_then_mutex(void)
{
    ExAcquireFastMutex(&m);
    wait_for(&x);
    KeReleaseMutex(&x, FALSE);
    ExReleaseFastMutex(&m);
}

static void mutex_then_fast(void)
{
    wait_for(&x);
    ExAcquireFastMutex(&m);
    ExReleaseFastMutex(&m);
    KeReleaseMutex(&x, FALSE);
}

static void kinds_among_each_other(void **state)
{
    (void)state;
    fast_then_mutex();
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, &m, 0, 0, mutex_then_fast());
}

/* ---- what is no mistake ---- */

static void who_only_tries_waits_for_nobody(void **state)
{
    KIRQL irql;
    (void)state;
    both(&a, &b);
    KeAcquireSpinLock(&b, &irql);
    assert_true(KeTryToAcquireSpinLockAtDpcLevel(&a));
    KeReleaseSpinLockFromDpcLevel(&a);
    KeReleaseSpinLock(&b, irql);
    fast_mutexes(&m, &n);
    ExAcquireFastMutex(&n);
    assert_true(ExTryToAcquireFastMutex(&m));
    ExReleaseFastMutex(&m);
    ExReleaseFastMutex(&n);
    LARGE_INTEGER at_once = { .QuadPart = 0 };
    mutexes(&x, &y);
    wait_for(&y);
    assert_int_equal(KeWaitForSingleObject(&x, Executive, KernelMode, FALSE, &at_once), STATUS_SUCCESS);
    KeReleaseMutex(&x, FALSE);
    KeReleaseMutex(&y, FALSE);
    both(&a, &b); /* the tries have left no order */
}

/* But who waits for another lock while he holds one that he has only tried does. */
static void try_then_take(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_true(KeTryToAcquireSpinLockAtDpcLevel(&b));
    KeAcquireSpinLockAtDpcLevel(&a);
    KeReleaseSpinLockFromDpcLevel(&a);
    KeReleaseSpinLockFromDpcLevel(&b);
    KeLowerIrql(irql);
}

static void what_was_tried_is_held(void **state)
{
    (void)state;
    both(&a, &b);
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, &a, 0, 0, try_then_take());
}

static void mutexes_may_be_owned_twice_and_waited_for_together(void **state)
{
    PVOID all[2] = { &x, &y }, turned[2] = { &y, &x };
    (void)state;
    wait_for(&x);
    wait_for(&x);
    KeReleaseMutex(&x, FALSE);
    KeReleaseMutex(&x, FALSE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(KeWaitForMultipleObjects(2, i == 0 ? all : turned, WaitAll, Executive, KernelMode, FALSE, NULL, NULL),
                         STATUS_SUCCESS);
        KeReleaseMutex(&x, FALSE);
        KeReleaseMutex(&y, FALSE);
    }
    mutexes(&x, &y);
}

/* A wait that ends without the mutex has not acquired it. */
static void *own_x(void *go)
{
    wait_for(&x);
    atomic_store((atomic_int *)go, 1);
    while (atomic_load((atomic_int *)go) == 1)
        sched_yield();
    KeReleaseMutex(&x, FALSE);
    return NULL;
}

static void a_wait_that_ends_without_it(void **state)
{
    LARGE_INTEGER soon = { .QuadPart = -10000 };
    atomic_int    go = 0;
    pthread_t     thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, own_x, &go), 0);
    while (atomic_load(&go) == 0)
        sched_yield();
    assert_int_equal(KeWaitForSingleObject(&x, Executive, KernelMode, FALSE, &soon), STATUS_TIMEOUT);
    both(&a, &b); /* nothing comes behind x */
    atomic_store(&go, 2);
    pthread_join(thread, NULL);
    mutex_then_spin();
}

static void locks_begin_anew(void **state)
{
    (void)state;
    both(&a, &b);
    KeInitializeSpinLock(&a);
    both(&b, &a);
    PKSPIN_LOCK locks = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * sizeof *locks, TAG);
    both(&locks[0], &locks[1]);
    ExFreePoolWithTag(locks, TAG);
    PKSPIN_LOCK others = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * sizeof *locks, TAG);
    assert_ptr_equal(others, locks); /* the same bytes, and other locks */
    both(&others[1], &others[0]);
    ExFreePoolWithTag(others, TAG);
    fast_mutexes(&m, &n);
    ExInitializeFastMutex(&m);
    fast_mutexes(&n, &m);
}

/* Hand over hand, at DISPATCH_LEVEL all the time. */
static void hand_over_hand(void **state)
{
    KIRQL irql;
    (void)state;
    KeAcquireSpinLock(&a, &irql);
    KeAcquireSpinLockAtDpcLevel(&b);
    KeReleaseSpinLockFromDpcLevel(&a);
    KeAcquireSpinLockAtDpcLevel(&c);
    KeReleaseSpinLockFromDpcLevel(&b);
    KeReleaseSpinLock(&c, irql);
}

/* ---- owners ---- */

static void twice(void)
{
    KIRQL irql;
    KeAcquireSpinLock(&a, &irql);
    KeAcquireSpinLockAtDpcLevel(&a);
}

static void fast_twice(void)
{
    ExAcquireFastMutex(&m);
    ExAcquireFastMutex(&m);
}

static void lowers_too_early(void)
{
    KIRQL irql;
    KeAcquireSpinLock(&a, &irql);
    KeAcquireSpinLockAtDpcLevel(&b);
    KeReleaseSpinLock(&a, irql);
}

static void never_acquired(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeReleaseSpinLock(&a, irql);
}

static void initialised_while_held(void)
{
    KIRQL irql;
    KeAcquireSpinLock(&a, &irql);
    KeInitializeSpinLock(&a);
}

static void freed_while_held(PKSPIN_LOCK lock)
{
    KIRQL irql;
    KeAcquireSpinLock(lock, &irql);
    ExFreePoolWithTag(lock, TAG);
}

static void owners_that_are_none(void **state)
{
    (void)state;
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1000, &a, 0, 0, twice());
    again();
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1000, &m, 0, 0, fast_twice());
    again();
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1003, &a, &b, 0, lowers_too_early());
    again();
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1007, &a, 0, 0, never_acquired());
    again();
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1005, &a, 0, 0, initialised_while_held());
    again();
    PKSPIN_LOCK lock = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x100B, lock, KeGetCurrentThread(), 0, freed_while_held(lock));
}

static volatile PKTHREAD owner;

static void *own_m(void *go)
{
    ExAcquireFastMutex(&m);
    owner = KeGetCurrentThread();
    atomic_store((atomic_int *)go, 1);
    while (atomic_load((atomic_int *)go) == 1)
        sched_yield();
    if (!ntmm_is_halted())
        ExReleaseFastMutex(&m);
    return NULL;
}

static void release_m(void)
{
    KIRQL irql;
    KeRaiseIrql(APC_LEVEL, &irql);
    ExReleaseFastMutex(&m);
}

static void another_threads_lock(void **state)
{
    atomic_int go = 0;
    pthread_t  thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, own_m, &go), 0);
    while (atomic_load(&go) == 0)
        sched_yield();
    assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1004, &m, owner, KeGetCurrentThread(), release_m());
    atomic_store(&go, 2);
    pthread_join(thread, NULL);
}

/* Waits until it is waited for: a machine that has halted gives no reference to a thread. */
static VOID ends_with_it(PVOID referenced)
{
    KeWaitForSingleObject(referenced, Executive, KernelMode, FALSE, NULL);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&m);
    KeLeaveCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static void join_one(void)
{
    static KEVENT referenced;
    HANDLE        handle;
    PVOID         thread;
    KeInitializeEvent(&referenced, NotificationEvent, FALSE);
    assert_int_equal(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, ends_with_it, &referenced), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, NULL, KernelMode, &thread, NULL), STATUS_SUCCESS);
    KeSetEvent(&referenced, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
}

static void a_thread_ends_with_a_lock(void **state)
{
    (void)state;
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x100A, join_one());
}

/* Many locks, more than are recorded: nobody is blamed for what is not known. */
static void many_locks(void **state)
{
    enum { MANY = 3000 };
    PKSPIN_LOCK locks = ExAllocatePool2(POOL_FLAG_NON_PAGED, MANY * sizeof *locks, TAG);
    (void)state;
    for (int i = 0; i + 1 < MANY; i++)
        both(&locks[i], &locks[i + 1]);
    both(&locks[MANY - 1], &locks[MANY - 2]);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1001, both(&locks[900], &locks[3]));
}

int main(void)
{
    static ntmm_config config = { .quiet = true, .verifier = NTMM_VERIFY_DEADLOCK };
#define ROW(test) \
    { \
#test, test, setup, ntmm_cmocka_teardown, &config \
    }
    const struct CMUnitTest tests[] = {
        ROW(two_locks_in_both_orders),
        ROW(two_threads_that_never_met),
        ROW(three_in_a_circle),
        ROW(every_kind_of_lock),
        ROW(kinds_among_each_other),
        ROW(who_only_tries_waits_for_nobody),
        ROW(what_was_tried_is_held),
        ROW(mutexes_may_be_owned_twice_and_waited_for_together),
        ROW(a_wait_that_ends_without_it),
        ROW(locks_begin_anew),
        ROW(hand_over_hand),
        ROW(owners_that_are_none),
        ROW(another_threads_lock),
        ROW(a_thread_ends_with_a_lock),
        ROW(many_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
