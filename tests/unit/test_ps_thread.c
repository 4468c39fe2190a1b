/*
 * test_ps_thread.c - system threads: made, waited for, ended in every way, and what a shutdown does with those that are left.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>
#include <pthread.h>
#include <time.h>

#include "../support/exceptions.h"

#define HANDLE_TAG NTMM_TAG("Obtb")
#define SYSTEM NULL

static KEVENT      go, arrived;
static _Atomic int counted;
static _Atomic int never;

static void nap(void) { nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); }

static uint64_t live(uint32_t tag, POOL_TYPE type)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(tag, type, &usage) ? usage.allocs - usage.frees : 0;
}

static PETHREAD start(PKSTART_ROUTINE routine, PVOID context)
{
    HANDLE handle;
    void  *thread;
    assert_int_equal(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, SYSTEM, NULL, routine, context), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &thread, NULL), STATUS_SUCCESS);
    assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
    return thread;
}

static NTSTATUS wait_for(PVOID object)
{
    LARGE_INTEGER limit = { .QuadPart = -10 * 10000000ll };
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &limit);
}

static void finish(PETHREAD thread)
{
    assert_int_equal(wait_for(thread), STATUS_SUCCESS);
    ObDereferenceObject(thread);
}

/* ---- one thread ---- */

typedef struct seen {
    PETHREAD  self;
    HANDLE    id, process;
    ULONG_PTR bytes, left;
    KIRQL     irql;
    BOOLEAN   is_system;
    ULONG     on_stack;
} seen_t;

static VOID look_around(PVOID context)
{
    seen_t   *seen = context;
    ULONG_PTR low, high;
    IoGetStackLimits(&low, &high);
    seen->self = PsGetCurrentThread();
    seen->id = PsGetCurrentThreadId();
    seen->process = PsGetCurrentProcessId();
    seen->bytes = high - low;
    seen->left = IoGetRemainingStackSize();
    seen->irql = KeGetCurrentIrql();
    seen->is_system = PsIsSystemThread(PsGetCurrentThread());
    seen->on_stack = IoWithinStackLimits((ULONG_PTR)&low, sizeof low);
}

static void a_thread_runs_and_ends(void **state)
{
    seen_t seen = { 0 };
    (void)state;
    PETHREAD thread = start(look_around, &seen);
    assert_int_equal(wait_for(thread), STATUS_SUCCESS);
    assert_ptr_equal(seen.self, thread);
    assert_ptr_equal(seen.id, PsGetThreadId(thread));
    assert_ptr_equal(seen.process, (HANDLE)4);
    assert_int_equal(seen.irql, PASSIVE_LEVEL);
    assert_true(seen.is_system && seen.on_stack);
    assert_true(seen.bytes >= KERNEL_STACK_SIZE && seen.bytes <= 16 * KERNEL_STACK_SIZE);
    assert_true(seen.left < seen.bytes && seen.left > seen.bytes - 4096);
    assert_int_equal(PsGetThreadExitStatus(thread), STATUS_SUCCESS);
    assert_int_equal(wait_for(thread), STATUS_SUCCESS); /* signaled for good */
    ObDereferenceObject(thread);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 0);
    assert_true(ntmm_check());
}

static VOID terminate(PVOID status)
{
    PsTerminateSystemThread((NTSTATUS)(intptr_t)status);
    never = 1;
}

static void an_exit_status(void **state)
{
    (void)state;
    never = 0;
    PETHREAD thread = start(terminate, (PVOID)(intptr_t)STATUS_DEVICE_BUSY);
    assert_int_equal(wait_for(thread), STATUS_SUCCESS);
    assert_int_equal(PsGetThreadExitStatus(thread), STATUS_DEVICE_BUSY);
    ObDereferenceObject(thread);
    assert_int_equal(never, 0);
}

static VOID wait_for_go(PVOID unused)
{
    (void)unused;
    KeSetEvent(&arrived, 0, FALSE);
    KeWaitForSingleObject(&go, Executive, KernelMode, FALSE, NULL);
    counted++;
}

static void prepare(void)
{
    KeInitializeEvent(&go, NotificationEvent, FALSE);
    KeInitializeEvent(&arrived, SynchronizationEvent, FALSE);
    counted = 0;
}

static void it_is_not_signaled_while_it_runs(void **state)
{
    LARGE_INTEGER now = { .QuadPart = 0 };
    PETHREAD      found;
    (void)state;
    prepare();
    PETHREAD thread = start(wait_for_go, NULL);
    wait_for(&arrived);
    assert_int_equal(KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, &now), STATUS_TIMEOUT);
    assert_int_equal(PsGetThreadExitStatus(thread), STATUS_PENDING);
    assert_int_equal(PsLookupThreadByThreadId(PsGetThreadId(thread), &found), STATUS_SUCCESS);
    assert_ptr_equal(found, thread);
    ObDereferenceObject(found);
    assert_ptr_equal(IoThreadToProcess(thread), PsInitialSystemProcess);
    KeSetEvent(&go, 0, FALSE);
    HANDLE id = PsGetThreadId(thread);
    finish(thread);
    assert_int_equal(PsLookupThreadByThreadId((HANDLE)5, &found), STATUS_INVALID_CID);
    (void)id;
}

static void many_are_waited_for_at_once(void **state)
{
    PVOID       threads[5];
    KWAIT_BLOCK blocks[5];
    (void)state;
    prepare();
    for (int i = 0; i < 5; i++)
        threads[i] = start(wait_for_go, NULL);
    KeSetEvent(&go, 0, FALSE);
    assert_int_equal(KeWaitForMultipleObjects(5, threads, WaitAll, Executive, KernelMode, FALSE, NULL, blocks), STATUS_SUCCESS);
    assert_int_equal(counted, 5);
    for (int i = 0; i < 5; i++)
        ObDereferenceObject(threads[i]);
}

static void its_handle_and_numbers(void **state)
{
    OBJECT_ATTRIBUTES attributes;
    CLIENT_ID         id = { 0 };
    HANDLE            handle;
    void             *thread;
    (void)state;
    prepare();
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ntmm_process *process = ntmm_process_create();
    HANDLE        in;
    assert_int_equal(ObOpenObjectByPointer(process, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, &in),
                     STATUS_SUCCESS);
    assert_int_equal(PsCreateSystemThread(&handle, SYNCHRONIZE, &attributes, in, &id, wait_for_go, NULL), STATUS_SUCCESS);
    assert_true((uintptr_t)handle > 0xFFFFFFFF80000000u);
    ZwClose(in);
    assert_ptr_equal(id.UniqueProcess, PsGetProcessId((PEPROCESS)(void *)process));
    assert_int_equal(ObReferenceObjectByHandle(handle, SYNCHRONIZE, *PsThreadType, KernelMode, &thread, NULL), STATUS_SUCCESS);
    assert_ptr_equal(id.UniqueThread, PsGetThreadId(thread));
    assert_ptr_equal(PsGetThreadProcessId(thread), id.UniqueProcess);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, *PsProcessType, KernelMode, &thread, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, *PsThreadType, KernelMode, &thread, NULL), STATUS_SUCCESS);
    ObDereferenceObject(thread);
    ZwClose(handle);
    KeSetEvent(&go, 0, FALSE);
    finish(thread);
    ntmm_process_destroy(process);
    assert_int_equal(PsCreateSystemThread(&handle, 0, NULL, (HANDLE)0x1234, NULL, wait_for_go, NULL), STATUS_INVALID_HANDLE);
    assert_null(handle);
    assert_int_equal(PsCreateSystemThread(&handle, 0, NULL, NtCurrentThread(), NULL, wait_for_go, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(counted, 1);
}

static void threads_of_a_test(void **state)
{
    (void)state;
    assert_false(PsIsSystemThread(PsGetCurrentThread()));
    assert_int_equal(PsTerminateSystemThread(STATUS_SUCCESS), STATUS_INVALID_PARAMETER);
    assert_int_equal(PsGetThreadExitStatus(PsGetCurrentThread()), STATUS_PENDING);
    assert_ptr_equal(PsGetThreadId(PsGetCurrentThread()), PsGetCurrentThreadId());
    assert_int_equal((uintptr_t)PsGetCurrentThreadId() % 4, 0);
    assert_null(PsGetThreadId((PETHREAD)(void *)&go));
    assert_int_equal(KeQueryPriorityThread(KeGetCurrentThread()), 8);
    assert_int_equal(KeSetPriorityThread(KeGetCurrentThread(), LOW_REALTIME_PRIORITY), 8);
    assert_int_equal(KeSetPriorityThread(KeGetCurrentThread(), HIGH_PRIORITY + 1), LOW_REALTIME_PRIORITY);
    assert_int_equal(KeQueryPriorityThread(KeGetCurrentThread()), LOW_REALTIME_PRIORITY);
}

static void *refer_to_me(void *unused)
{
    (void)unused;
    ObReferenceObject(PsGetCurrentThread());
    return PsGetCurrentThread();
}

static void an_object_outlives_its_thread(void **state)
{
    pthread_t thread;
    void     *object, *other;
    (void)state;
    pthread_create(&thread, NULL, refer_to_me, NULL);
    pthread_join(thread, &object);
    assert_int_equal(wait_for(object), STATUS_SUCCESS); /* a test's thread, too, is signaled at its end */
    pthread_create(&thread, NULL, refer_to_me, NULL);
    pthread_join(thread, &other);
    assert_ptr_not_equal(object, other); /* the record waits */
    ObDereferenceObject(object);
    ObDereferenceObject(other);
    assert_bugcheck(REFERENCE_BY_POINTER, *PsThreadType, ObDereferenceObject(object));
}

/* ---- rules ---- */

static VOID end_raised(PVOID unused)
{
    KIRQL old;
    (void)unused;
    KeRaiseIrql(APC_LEVEL, &old);
}
static VOID end_in_a_region(PVOID unused)
{
    (void)unused;
    KeEnterCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}
static VOID end_with_its_stack_locked(PVOID unused)
{
    (void)unused;
    KeSetKernelStackSwapEnable(FALSE);
}
static VOID raise_unhandled(PVOID unused)
{
    (void)unused;
    raise_now(STATUS_A);
}
static VOID touch_null(PVOID unused)
{
    (void)unused;
    write_at(NULL);
}
static VOID stop_the_machine(PVOID unused)
{
    (void)unused;
    KeBugCheckEx(0xABCD, 1, 2, 3, 4);
}

static void run_and_wait(PKSTART_ROUTINE routine)
{
    HANDLE handle;
    (void)PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, routine, NULL); /* it may stop the machine before this returns */
    (void)wait_for(&go);                                                     /* which the stop unwinds */
}

static struct stop_case {
    const char     *name;
    PKSTART_ROUTINE routine;
    uint32_t        code;
    uintptr_t       parameter;
} STOPS[] = {
    { "stop: it ends above PASSIVE_LEVEL", end_raised, IRQL_NOT_LESS_OR_EQUAL, 0 },
    { "stop: it ends in a critical region", end_in_a_region, KERNEL_APC_PENDING_DURING_EXIT, 0 },
    { "stop: it ends with its stack locked", end_with_its_stack_locked, KERNEL_STACK_LOCKED_AT_EXIT, 0 },
    { "stop: an exception that nobody takes", raise_unhandled, SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_A },
    { "stop: a NULL pointer", touch_null, SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ACCESS_VIOLATION },
    { "stop: KeBugCheckEx", stop_the_machine, 0xABCD, 1 },
};

static void check_stop_case(void **state)
{
    const struct stop_case *c = *state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    prepare();
    if (c->code == IRQL_NOT_LESS_OR_EQUAL)
        assert_bugcheck_code(c->code, run_and_wait(c->routine));
    else
        assert_bugcheck(c->code, c->parameter, run_and_wait(c->routine));
    assert_non_null(strstr(ntmm_stop_report(), "kernel stack"));
    assert_int_not_equal(ntmm_shutdown(NULL), SIZE_MAX);
}

static VOID handle_it(PVOID unused)
{
    (void)unused;
    __try {
        raise_now(STATUS_A);
    } __except (GetExceptionCode() == STATUS_A) {
        counted++;
    }
    __try {
        PsTerminateSystemThread(STATUS_ALERTED); /* leaves the body */
    } __finally {
        counted += 100;
    }
}

static void exceptions_in_it(void **state)
{
    (void)state;
    counted = 0;
    PETHREAD thread = start(handle_it, NULL);
    assert_int_equal(wait_for(thread), STATUS_SUCCESS);
    assert_int_equal(PsGetThreadExitStatus(thread), STATUS_ALERTED);
    ObDereferenceObject(thread);
    assert_int_equal(counted, 1);
}

static VOID catch_it(PVOID unused)
{
    ntmm_bugcheck stop;
    counted += ntmm_catch_bugcheck(stop_the_machine, unused, &stop) && stop.code == 0xABCD;
}

static void a_catch_in_it(void **state)
{
    (void)state;
    HANDLE handle;
    counted = 0;
    (void)PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, catch_it, NULL);
    for (int i = 0; i < 1000 && counted == 0; i++)
        nap();
    assert_int_equal(counted, 1);
}

static void only_at_passive_level(void **state)
{
    HANDLE handle;
    KIRQL  old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, wait_for_go, NULL));
}

/* ---- what is left ---- */

static void a_thread_that_waits_for_ever_is_a_leak(void **state)
{
    ntmm_report report;
    (void)state;
    prepare();
    for (int round = 0; round < 2; round++) {
        KeInitializeEvent(&go, NotificationEvent, FALSE);
        PETHREAD thread = start(wait_for_go, NULL);
        wait_for(&arrived);
        assert_int_equal(ntmm_shutdown(&report), 1);
        assert_int_equal(report.leaks[0].tag, NTMM_TAG("Thre"));
        assert_ptr_equal(report.leaks[0].address, thread);
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
        KeInitializeEvent(&arrived, SynchronizationEvent, FALSE);
    }
    assert_int_equal(counted, 0);
}

static VOID delay(PVOID unused)
{
    LARGE_INTEGER long_time = { .QuadPart = -600 * 10000000ll };
    (void)unused;
    KeSetEvent(&arrived, 0, FALSE);
    KeDelayExecutionThread(KernelMode, FALSE, &long_time);
    never = 1;
}

static void nor_does_a_delay_hang_the_shutdown(void **state)
{
    (void)state;
    prepare();
    never = 0;
    start(delay, NULL);
    wait_for(&arrived);
    assert_int_equal(ntmm_shutdown(NULL), 1);
    assert_int_equal(never, 0);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static VOID just_ends(PVOID unused)
{
    (void)unused;
    wait_for_go(NULL);
}

static void one_that_is_about_to_end_is_none(void **state)
{
    (void)state;
    prepare();
    for (int i = 0; i < 20; i++) {
        PETHREAD thread = start(just_ends, NULL);
        ObDereferenceObject(thread);
    }
    KeSetEvent(&go, 0, FALSE);
    assert_no_leaks();
    assert_int_equal(counted, 20);
}

static void a_halted_machine_ends_its_threads(void **state)
{
    (void)state;
    prepare();
    for (int i = 0; i < 3; i++)
        start(wait_for_go, NULL);
    assert_bugcheck_code(0xABCD, stop_the_machine(NULL));
    ntmm_cmocka_reboot();
    assert_int_equal(counted, 0);
}

static _Atomic int keep_running;
static VOID        run_on(PVOID unused)
{
    (void)unused;
    counted++;
    while (keep_running != 0)
        nap();
}

static void one_that_runs_is_named(void **state)
{
    (void)state;
    prepare();
    keep_running = 1;
    PETHREAD thread = start(run_on, NULL);
    while (counted == 0)
        nap();
    assert_int_equal(ntmm_shutdown(NULL), SIZE_MAX);
    assert_non_null(strstr(ntmm_error(), "system thread"));
    keep_running = 0;
    finish(thread);
}

/* ---- failures, many ---- */

static int  refused, served;
static void make_one(void *unused)
{
    HANDLE   handle;
    void    *thread;
    NTSTATUS status = PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, run_on, unused);
    refused += status == STATUS_INSUFFICIENT_RESOURCES && handle == NULL;
    served += NT_SUCCESS(status);
    if (!NT_SUCCESS(status))
        return;
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &thread, NULL), STATUS_SUCCESS);
    ZwClose(handle);
    finish(thread);
}

static void every_failure_leaves_nothing_behind(void **state)
{
    (void)state;
    keep_running = 0;
    refused = served = 0;
    counted = 0;
    assert_int_equal(ntmm_for_each_failure(make_one, NULL), 3); /* the thread, its handle */
    assert_int_equal(refused, 2);
    assert_int_equal(served, 1);
    assert_no_leaks();
    assert_int_equal(counted, 1);
}

static VOID make_another(PVOID depth)
{
    counted++;
    if ((intptr_t)depth > 0)
        finish(start(make_another, (PVOID)((intptr_t)depth - 1)));
}

static void threads_make_threads(void **state)
{
    (void)state;
    counted = 0;
    finish(start(make_another, (PVOID)10));
    assert_int_equal(counted, 11);
    for (int i = 0; i < 100; i++)
        finish(start(run_on, NULL));
    assert_int_equal(counted, 111);
    assert_true(ntmm_check());
}

int main(void)
{
    struct CMUnitTest stops[sizeof STOPS / sizeof STOPS[0]];
    for (size_t i = 0; i < sizeof STOPS / sizeof STOPS[0]; i++)
        stops[i] = (struct CMUnitTest){ STOPS[i].name, check_stop_case, NULL, NULL, &STOPS[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_thread_runs_and_ends),
        ntmm_cmocka_test(an_exit_status),
        ntmm_cmocka_test(it_is_not_signaled_while_it_runs),
        ntmm_cmocka_test(many_are_waited_for_at_once),
        ntmm_cmocka_test(its_handle_and_numbers),
        ntmm_cmocka_test(threads_of_a_test),
        ntmm_cmocka_test(an_object_outlives_its_thread),
        ntmm_cmocka_test(exceptions_in_it),
        ntmm_cmocka_test(a_catch_in_it),
        ntmm_cmocka_test(only_at_passive_level),
        ntmm_cmocka_test(a_thread_that_waits_for_ever_is_a_leak),
        ntmm_cmocka_test(nor_does_a_delay_hang_the_shutdown),
        ntmm_cmocka_test(one_that_is_about_to_end_is_none),
        ntmm_cmocka_test(a_halted_machine_ends_its_threads),
        ntmm_cmocka_test(one_that_runs_is_named),
        ntmm_cmocka_test(every_failure_leaves_nothing_behind),
        ntmm_cmocka_test(threads_make_threads),
    };
    int failed = _cmocka_run_group_tests("stops", stops, sizeof stops / sizeof stops[0], NULL, NULL);
    return failed + cmocka_run_group_tests_name("system threads", tests, NULL, NULL);
}
