/*
 * test_ke_mutex.c - mutexes and semaphores: who owns them, what waits make of their states, what is raised, and what the end of an owner does.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>
#include <pthread.h>

#define MS (-10000ll) /* a relative timeout of 1 ms */

static NTSTATUS wait_one(PVOID object, LONGLONG timeout)
{
    LARGE_INTEGER t = { .QuadPart = timeout };
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &t);
}
static NTSTATUS poll(PVOID object) { return wait_one(object, 0); }
static NTSTATUS acquire(PKMUTEX mutex) { return wait_one(mutex, 10000 * MS); }

static NTSTATUS wait_two(PVOID first, PVOID second, WAIT_TYPE type, LONGLONG timeout)
{
    PVOID         objects[2] = { first, second };
    LARGE_INTEGER t = { .QuadPart = timeout };
    return KeWaitForMultipleObjects(2, objects, type, Executive, KernelMode, FALSE, &t, NULL);
}

static NTSTATUS raised_by_release(PKMUTEX mutex)
{
    NTSTATUS volatile status = STATUS_SUCCESS;
    __try {
        KeReleaseMutex(mutex, FALSE);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

static NTSTATUS raised_by_acquire(PKMUTEX mutex)
{
    NTSTATUS volatile status = STATUS_SUCCESS;
    __try {
        poll(mutex);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

static NTSTATUS raised_by_add(PKSEMAPHORE semaphore, LONG units)
{
    NTSTATUS volatile status = STATUS_SUCCESS;
    __try {
        KeReleaseSemaphore(semaphore, IO_NO_INCREMENT, units, FALSE);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

static void in_another_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- mutexes, one thread ---- */

static void a_mutex_begins_free(void **state)
{
    KMUTEX mutex;
    (void)state;
    memset(&mutex, 0xA5, sizeof mutex);
    KeInitializeMutex(&mutex, 0);
    assert_int_equal(mutex.Header.Type, 2);
    assert_int_equal(mutex.Header.Size, 14);
    assert_int_equal(KeReadStateMutex(&mutex), 1);
    assert_null(mutex.OwnerThread);
    assert_int_equal(mutex.Abandoned, 0);
    assert_ptr_equal(mutex.MutantListEntry.Flink, &mutex.MutantListEntry);
}

static void it_is_released_as_often_as_acquired(void **state)
{
    KMUTEX mutex;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    assert_false(KeAreApcsDisabled());
    for (int i = 0; i < 3; i++) {
        assert_int_equal(KeWaitForMutexObject(&mutex, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
        assert_int_equal(KeReadStateMutex(&mutex), -i);
        assert_true(KeAreApcsDisabled());
        assert_false(KeAreAllApcsDisabled());
    }
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), -2);
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), -1);
    assert_true(KeAreApcsDisabled());
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 0);
    assert_false(KeAreApcsDisabled());
    assert_int_equal(KeReadStateMutex(&mutex), 1);
    assert_int_equal(raised_by_release(&mutex), STATUS_MUTANT_NOT_OWNED);
    assert_int_equal(KeReadStateMutex(&mutex), 1);
}

static void recursion_has_a_limit(void **state)
{
    KMUTEX mutex;
    KEVENT event;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    assert_int_equal(poll(&mutex), STATUS_SUCCESS);
    mutex.Header.SignalState = INT32_MIN + 1; /* as if acquired so often */
    assert_int_equal(poll(&mutex), STATUS_SUCCESS);
    assert_int_equal(raised_by_acquire(&mutex), STATUS_MUTANT_LIMIT_EXCEEDED);
    assert_int_equal(wait_two(&event, &mutex, WaitAny, 0), STATUS_WAIT_0); /* the event comes first */
    assert_int_equal(KeReadStateMutex(&mutex), INT32_MIN);
    mutex.Header.SignalState = 0;
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 0);
}

static void nobody_takes_the_exception(void **state)
{
    static KMUTEX mutex;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (ULONG_PTR)(LONG_PTR)STATUS_MUTANT_NOT_OWNED, KeReleaseMutex(&mutex, FALSE));
}

static void release_and_wait(void **state)
{
    KMUTEX     mutex;
    KSEMAPHORE semaphore;
    KEVENT     event;
    KIRQL      old;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    KeInitializeSemaphore(&semaphore, 0, 1);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(poll(&mutex), STATUS_SUCCESS);
    assert_int_equal(KeReleaseMutex(&mutex, TRUE), 0);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(wait_one(&event, MS), STATUS_TIMEOUT);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(old);
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 1, TRUE), 0);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(wait_one(&semaphore, MS), STATUS_SUCCESS);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void several_at_once(void **state)
{
    KMUTEX     mutex;
    KSEMAPHORE semaphore;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    KeInitializeSemaphore(&semaphore, 0, 5);
    assert_int_equal(wait_two(&mutex, &semaphore, WaitAll, MS), STATUS_TIMEOUT);
    assert_int_equal(KeReadStateMutex(&mutex), 1); /* nothing changed */
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 2, FALSE), 0);
    assert_int_equal(wait_two(&mutex, &semaphore, WaitAll, MS), STATUS_SUCCESS);
    assert_int_equal(KeReadStateMutex(&mutex), 0);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 1);
    assert_int_equal(wait_two(&semaphore, &mutex, WaitAny, 0), STATUS_WAIT_0);
    assert_int_equal(wait_two(&semaphore, &mutex, WaitAny, 0), STATUS_WAIT_1); /* its own, once more */
    assert_int_equal(KeReadStateMutex(&mutex), -1);
    KeReleaseMutex(&mutex, FALSE);
    KeReleaseMutex(&mutex, FALSE);
}

/* ---- mutexes, several threads ---- */

static KMUTEX      shared;
static KEVENT      go, arrived;
static _Atomic int seen;

static void *stranger(void *argument)
{
    (void)argument;
    seen = poll(&shared) == STATUS_TIMEOUT && wait_one(&shared, MS) == STATUS_TIMEOUT &&
           raised_by_release(&shared) == STATUS_MUTANT_NOT_OWNED && !KeAreApcsDisabled();
    return NULL;
}

static void a_stranger_gets_nothing(void **state)
{
    (void)state;
    KeInitializeMutex(&shared, 0);
    acquire(&shared);
    in_another_thread(stranger, NULL);
    assert_true(seen);
    assert_int_equal(KeReleaseMutex(&shared, FALSE), 0);
}

static void *take_in_turn(void *argument)
{
    int *counter = argument;
    for (int i = 0; i < 300; i++) {
        if (acquire(&shared) != STATUS_SUCCESS)
            return NULL;
        ++*counter; /* nothing else guards it */
        if (i % 3 == 0 && acquire(&shared) == STATUS_SUCCESS)
            KeReleaseMutex(&shared, FALSE);
        KeReleaseMutex(&shared, FALSE);
    }
    seen += !KeAreApcsDisabled();
    return NULL;
}

static void it_excludes(void **state)
{
    pthread_t threads[4];
    int       counter = 0;
    (void)state;
    seen = 0;
    KeInitializeMutex(&shared, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_in_turn, &counter), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, 4 * 300);
    assert_int_equal(seen, 4);
}

static void *end_as_owner(void *argument)
{
    PKMUTEX *mutexes = argument;
    for (int i = 0; i < 2; i++)
        (void)acquire(mutexes[i]);
    (void)acquire(mutexes[0]);
    KeSetEvent(&arrived, IO_NO_INCREMENT, FALSE);
    wait_one(&go, 10000 * MS);
    return NULL;
}

static void an_owner_that_ends_abandons(void **state)
{
    KMUTEX    second;
    PKMUTEX   both[2] = { &shared, &second };
    pthread_t thread;
    (void)state;
    KeInitializeMutex(&shared, 0);
    KeInitializeMutex(&second, 0);
    KeInitializeEvent(&go, NotificationEvent, FALSE);
    KeInitializeEvent(&arrived, NotificationEvent, FALSE);
    assert_int_equal(pthread_create(&thread, NULL, end_as_owner, both), 0);
    assert_int_equal(wait_one(&arrived, 10000 * MS), STATUS_SUCCESS);
    KeSetEvent(&go, IO_NO_INCREMENT, FALSE);
    assert_int_equal(acquire(&shared), STATUS_ABANDONED); /* asleep, or there already */
    pthread_join(thread, NULL);
    assert_int_equal(KeReadStateMutex(&shared), 0);
    assert_int_equal(raised_by_release(&second), STATUS_ABANDONED);
    assert_int_equal(wait_two(&arrived, &second, WaitAll, MS), STATUS_ABANDONED_WAIT_0);
    assert_int_equal(KeReleaseMutex(&second, FALSE), 0);
    assert_int_equal(KeReleaseMutex(&shared, FALSE), 0);
    assert_int_equal(acquire(&shared), STATUS_SUCCESS); /* said once */
    assert_int_equal(KeReleaseMutex(&shared, FALSE), 0);
}

static void abandoned_with_its_index(void **state)
{
    KMUTEX  second;
    PKMUTEX both[2] = { &shared, &second };
    KEVENT  never;
    (void)state;
    KeInitializeMutex(&shared, 0);
    KeInitializeMutex(&second, 0);
    KeInitializeEvent(&never, NotificationEvent, FALSE);
    KeInitializeEvent(&go, NotificationEvent, TRUE);
    in_another_thread(end_as_owner, both);
    assert_int_equal(wait_two(&never, &second, WaitAny, MS), STATUS_ABANDONED_WAIT_0 + 1);
    assert_int_equal(KeReleaseMutex(&second, FALSE), 0);
}

static void *free_what_it_owns(void *argument)
{
    PKMUTEX mutex = ExAllocatePool2(POOL_FLAG_NON_PAGED, *(SIZE_T *)argument, NTMM_TAG("Tst1"));
    if (mutex == NULL)
        return NULL;
    KeInitializeMutex(mutex, 0);
    seen = acquire(mutex) == STATUS_SUCCESS;
    ExFreePool(mutex);
    return NULL;
}

static void a_freed_mutex_harms_nobody(void **state)
{
    SIZE_T sizes[] = { sizeof(KMUTEX), PAGE_SIZE, 64 * PAGE_SIZE };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        in_another_thread(free_what_it_owns, &sizes[i]);
        assert_true(seen);
        assert_true(ntmm_check());
    }
}

static VOID end_in_system_thread(PVOID context)
{
    (void)acquire(context);
    KeSetEvent(&arrived, IO_NO_INCREMENT, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static void run_and_wait(PKSTART_ROUTINE routine)
{
    HANDLE handle;
    (void)PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, routine, &shared); /* it may stop the machine before this returns */
    (void)wait_one(&go, 10000 * MS);                                            /* which the stop unwinds */
}

static void a_system_thread_may_not_end_as_owner(void **state)
{
    (void)state;
    KeInitializeMutex(&shared, 0);
    KeInitializeEvent(&arrived, NotificationEvent, FALSE);
    KeInitializeEvent(&go, NotificationEvent, FALSE);
    assert_bugcheck_code(THREAD_TERMINATE_HELD_MUTEX, run_and_wait(end_in_system_thread));
    assert_ptr_equal(ntmm_cmocka_caught.parameter[0], shared.OwnerThread);
    assert_ptr_equal(ntmm_cmocka_caught.parameter[1], &shared);
    assert_int_equal(ntmm_cmocka_caught.parameter[2] | ntmm_cmocka_caught.parameter[3], 0);
}

/* ---- semaphores ---- */

static void a_semaphore_counts(void **state)
{
    KSEMAPHORE semaphore;
    (void)state;
    memset(&semaphore, 0xA5, sizeof semaphore);
    KeInitializeSemaphore(&semaphore, 2, 3);
    assert_int_equal(semaphore.Header.Type, 5);
    assert_int_equal(semaphore.Header.Size, 8);
    assert_int_equal(semaphore.Limit, 3);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 2);
    assert_int_equal(poll(&semaphore), STATUS_SUCCESS);
    assert_int_equal(poll(&semaphore), STATUS_SUCCESS);
    assert_int_equal(poll(&semaphore), STATUS_TIMEOUT);
    assert_int_equal(wait_one(&semaphore, MS), STATUS_TIMEOUT);
    assert_int_equal(KeReleaseSemaphore(&semaphore, SEMAPHORE_INCREMENT, 2, FALSE), 0);
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 1, FALSE), 2);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 3);
}

static void it_has_a_limit(void **state)
{
    KSEMAPHORE semaphore;
    (void)state;
    KeInitializeSemaphore(&semaphore, 1, 3);
    assert_int_equal(raised_by_add(&semaphore, 3), STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    assert_int_equal(raised_by_add(&semaphore, -1), STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    assert_int_equal(raised_by_add(&semaphore, MAXLONG), STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 1);
    assert_int_equal(raised_by_add(&semaphore, 2), STATUS_SUCCESS);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 3);
}

static void *take_units(void *argument)
{
    for (int i = 0; i < 200; i++)
        seen += wait_one(argument, 10000 * MS) == STATUS_SUCCESS;
    return NULL;
}

static void as_many_waits_as_units(void **state)
{
    KSEMAPHORE semaphore;
    pthread_t  threads[3];
    (void)state;
    seen = 0;
    KeInitializeSemaphore(&semaphore, 0, 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_units, &semaphore), 0);
    for (int i = 0; i < 200; i++)
        KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 3, FALSE);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(seen, 600);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 0);
}

/* ---- IRQL ---- */

static void at_dispatch_level(void **state)
{
    KMUTEX     mutex;
    KSEMAPHORE semaphore;
    KIRQL      old = KeRaiseIrqlToDpcLevel();
    (void)state;
    KeInitializeMutex(&mutex, 0);
    KeInitializeSemaphore(&semaphore, 0, 1);
    assert_int_equal(poll(&mutex), STATUS_SUCCESS);
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 0);
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 1, FALSE), 0);
    KeLowerIrql(old);
}

static void not_above(void **state)
{
    static KSEMAPHORE semaphore;
    KIRQL             old;
    (void)state;
    KeInitializeSemaphore(&semaphore, 0, 1);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 1, FALSE));
}

static void not_above_with_wait(void **state)
{
    static KMUTEX mutex;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    (void)KeRaiseIrqlToDpcLevel();
    poll(&mutex);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeReleaseMutex(&mutex, TRUE));
}

static void a_halted_machine_refuses(void **state)
{
    KMUTEX     mutex;
    KSEMAPHORE semaphore;
    (void)state;
    KeInitializeMutex(&mutex, 0);
    KeInitializeSemaphore(&semaphore, 0, 1);
    poll(&mutex);
    assert_bugcheck(0xE2, 0, KeBugCheckEx(0xE2, 0, 0, 0, 0));
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 0);
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 1, FALSE), 0);
    assert_int_equal(semaphore.Header.SignalState, 0);
    ntmm_cmocka_reboot();
    assert_false(KeAreApcsDisabled());
}

int main(void)
{
    const struct CMUnitTest mutexes[] = {
        ntmm_cmocka_test(a_mutex_begins_free),
        ntmm_cmocka_test(it_is_released_as_often_as_acquired),
        ntmm_cmocka_test(recursion_has_a_limit),
        ntmm_cmocka_test(nobody_takes_the_exception),
        ntmm_cmocka_test(release_and_wait),
        ntmm_cmocka_test(several_at_once),
        ntmm_cmocka_test(a_stranger_gets_nothing),
        ntmm_cmocka_test(it_excludes),
        ntmm_cmocka_test(an_owner_that_ends_abandons),
        ntmm_cmocka_test(abandoned_with_its_index),
        ntmm_cmocka_test(a_freed_mutex_harms_nobody),
        ntmm_cmocka_test(a_system_thread_may_not_end_as_owner),
    };
    const struct CMUnitTest semaphores[] = {
        ntmm_cmocka_test(a_semaphore_counts),       ntmm_cmocka_test(it_has_a_limit), ntmm_cmocka_test(as_many_waits_as_units),
        ntmm_cmocka_test(at_dispatch_level),        ntmm_cmocka_test(not_above),      ntmm_cmocka_test(not_above_with_wait),
        ntmm_cmocka_test(a_halted_machine_refuses),
    };
    int failed = cmocka_run_group_tests_name("mutexes", mutexes, NULL, NULL);
    return failed + cmocka_run_group_tests_name("semaphores", semaphores, NULL, NULL);
}
