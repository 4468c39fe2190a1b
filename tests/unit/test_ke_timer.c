/*
 * test_ke_timer.c - timers, those of the system, too, and the clock that stands still. Only the first few rows go by the host's clock, and they
 * wait for what comes, however long it takes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ntmm/cmocka.h>

#define MS 10000ll
#define SECOND 10000000ll
#define TAG NTMM_TAG("TTim")

static const ntmm_config stopped = { .quiet = true, .stopped_clock = true };
#define stopped_test(test) ntmm_cmocka_test_config(test, &stopped)

static LARGE_INTEGER in(LONGLONG units) { return (LARGE_INTEGER){ .QuadPart = -units }; }

typedef struct calls {
    _Atomic uint32_t count;
    ULONGLONG        at[16]; /* interrupt times */
    KIRQL            irql;
} calls_t;

static VOID note(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    calls_t *calls = context;
    (void)dpc, (void)argument1, (void)argument2;
    calls->irql = KeGetCurrentIrql();
    calls->at[atomic_load(&calls->count) % 16] = KeQueryInterruptTime();
    atomic_fetch_add(&calls->count, 1);
}

static NTSTATUS wait_for(PVOID object, LONGLONG units)
{
    LARGE_INTEGER timeout = in(units);
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &timeout);
}

/* ---- by the host's clock ---- */

static void a_timer_expires_and_calls_its_dpc(void **state)
{
    KTIMER  timer;
    KDPC    dpc;
    calls_t calls = { 0 };
    (void)state;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, note, &calls);
    assert_false(KeSetTimer(&timer, in(1 * MS), &dpc));
    assert_int_equal(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_true(KeReadStateTimer(&timer));
    while (atomic_load(&calls.count) == 0)
        KeFlushQueuedDpcs();
    assert_int_equal(calls.irql, DISPATCH_LEVEL);
    assert_false(KeCancelTimer(&timer));
    assert_true(ntmm_check());
}

static void a_period_comes_again(void **state)
{
    KTIMER timer;
    (void)state;
    KeInitializeTimerEx(&timer, SynchronizationTimer);
    assert_false(KeSetTimerEx(&timer, in(0), 1, NULL));
    for (int i = 0; i < 5; i++)
        assert_int_equal(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_true(KeCancelTimer(&timer));
    assert_false(KeCancelTimer(&timer));
}

static void an_earlier_timer_is_not_late(void **state)
{
    KTIMER late, early;
    (void)state;
    KeInitializeTimer(&late);
    KeInitializeTimer(&early);
    (void)KeSetTimer(&late, in(3600 * SECOND), NULL);
    (void)KeSetTimer(&early, in(1 * MS), NULL);
    assert_int_equal(KeWaitForSingleObject(&early, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_true(KeCancelTimer(&late));
}

#if defined(__has_feature)
#define NTMM_CLANG_TSAN __has_feature(thread_sanitizer)
#else
#define NTMM_CLANG_TSAN 0
#endif

__attribute__((unused)) static void the_clock_of_a_forked_child_goes(void **state)
{
    KTIMER timer;
    int    status = -1;
    (void)state;
    if (getenv("NTMM_EMULATED") != NULL) /* qemu-user stops at an assertion of its own when such a child starts a thread */
        skip();
    KeInitializeTimer(&timer);
    (void)KeSetTimer(&timer, in(3600 * SECOND), NULL); /* so the parent has a clock thread, which the child has not */
    pid_t child = fork();
    if (child == 0) {
        static const ntmm_config config = { .quiet = true };
        KTIMER                   own;
        if (ntmm_boot(&config) != 0)
            _exit(1);
        KeInitializeTimer(&own);
        (void)KeSetTimer(&own, in(1 * MS), NULL);
        if (KeWaitForSingleObject(&own, Executive, KernelMode, FALSE, NULL) != STATUS_SUCCESS)
            _exit(2);
        _exit(ntmm_shutdown(NULL) == 0 ? 0 : 3);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(KeCancelTimer(&timer));
}

static void a_timer_that_is_set_is_a_leak(void **state)
{
    static KTIMER timer;
    ntmm_report   report;
    (void)state;
    KeInitializeTimer(&timer);
    (void)KeSetTimer(&timer, in(3600 * SECOND), NULL);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, &timer);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("Time"));
    assert_int_equal(ntmm_boot(NULL), 0);
    KeInitializeTimer(&timer); /* the new machine knows nothing of it */
}

/* ---- a clock that stands still ---- */

static void nothing_moves_by_itself(void **state)
{
    LARGE_INTEGER date, later, ticks;
    TIME_FIELDS   fields;
    (void)state;
    assert_int_equal(KeQueryInterruptTime(), 0);
    KeQuerySystemTime(&date);
    RtlTimeToTimeFields(&date, &fields);
    assert_int_equal(fields.Year, 2024);
    assert_int_equal(ntmm_time_until_due(), UINT64_MAX);
    assert_int_equal(ntmm_time_advance(2 * SECOND), 0);
    KeQuerySystemTime(&later);
    KeQueryTickCount(&ticks);
    assert_int_equal(later.QuadPart - date.QuadPart, 2 * SECOND);
    assert_int_equal(KeQueryInterruptTime(), 2 * SECOND);
    assert_int_equal(KeQueryPerformanceCounter(NULL).QuadPart, 2 * SECOND);
    assert_int_equal(ticks.QuadPart, 2 * SECOND / KeQueryTimeIncrement());
    KeStallExecutionProcessor(50);
    assert_int_equal(KeQueryInterruptTime(), 2 * SECOND + 500);
}

static void the_hosts_clock_cannot_be_moved(void **state)
{
    (void)state;
    assert_int_equal(ntmm_time_advance(1), -EINVAL);
    assert_int_equal(ntmm_time_until_due(), UINT64_MAX);
}

static void a_timer_expires_at_its_time(void **state)
{
    KTIMER  timer;
    KDPC    dpc;
    calls_t calls = { 0 };
    (void)state;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, note, &calls);
    assert_false(KeSetTimer(&timer, in(5 * MS), &dpc));
    assert_int_equal(ntmm_time_until_due(), 5 * MS);
    assert_int_equal(ntmm_time_advance(5 * MS - 1), 0);
    assert_int_equal(calls.count, 0);
    assert_false(KeReadStateTimer(&timer));
    assert_int_equal(ntmm_time_advance(1), 0);
    assert_int_equal(calls.count, 1);
    assert_true(KeReadStateTimer(&timer));
    assert_false(KeCancelTimer(&timer));
    assert_true(KeReadStateTimer(&timer)); /* cancelled or not */
}

static void at_dispatch_level_the_dpc_waits(void **state)
{
    KTIMER  timer;
    KDPC    dpc;
    calls_t calls = { 0 };
    KIRQL   old;
    (void)state;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, note, &calls);
    (void)KeSetTimer(&timer, in(1), &dpc);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(ntmm_time_advance(1), 0);
    assert_true(KeReadStateTimer(&timer));
    assert_int_equal(calls.count, 0);
    KeLowerIrql(old);
    assert_int_equal(calls.count, 1);
    KeRaiseIrql(HIGH_LEVEL, &old);
    assert_int_equal(ntmm_time_advance(1), -EINVAL);
    KeLowerIrql(old);
}

static void a_long_step_misses_no_period(void **state)
{
    KTIMER  timer;
    KDPC    dpc;
    calls_t calls = { 0 };
    (void)state;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, note, &calls);
    assert_false(KeSetTimerEx(&timer, in(3 * MS), 2, &dpc));
    assert_int_equal(ntmm_time_advance(12 * MS), 0);
    assert_int_equal(calls.count, 5); /* 3, 5, 7, 9, 11 */
    assert_int_equal(calls.at[0], 3 * MS);
    assert_int_equal(calls.at[4], 11 * MS);
    assert_true(KeCancelTimer(&timer));
    assert_int_equal(ntmm_time_advance(12 * MS), 0);
    assert_int_equal(calls.count, 5);
}

static void set_again_means_cancelled(void **state)
{
    KTIMER  timer;
    KDPC    dpc, other;
    calls_t calls = { 0 }, others = { 0 };
    (void)state;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, note, &calls);
    KeInitializeDpc(&other, note, &others);
    assert_false(KeSetCoalescableTimer(&timer, in(1 * MS), 0, 100, &dpc));
    assert_true(KeSetTimer(&timer, in(2 * MS), &other));
    assert_int_equal(ntmm_time_advance(3 * MS), 0);
    assert_int_equal(calls.count, 0);
    assert_int_equal(others.count, 1);
    assert_false(KeSetTimer(&timer, in(2 * MS), NULL));
    assert_false(KeReadStateTimer(&timer)); /* setting it says so */
    assert_true(KeCancelTimer(&timer));
}

static struct due_case {
    const char *name;
    LONGLONG    from_date; /* of the due time: this much after the date, when it is absolute */
    bool        absolute;
    LONGLONG    expires_after; /* 0: at once */
} DUES[] = {
    { "due: a moment to come", 7 * MS, true, 7 * MS },
    { "due: this moment", 0, true, 0 },
    { "due: a moment that has passed", -SECOND, true, 0 },
    { "due: from now on, nothing", 0, false, 0 },
    { "due: from now on", 3, false, 3 },
};

static void check_due_case(void **state)
{
    const struct due_case *c = *state;
    KTIMER                 timer;
    KDPC                   dpc;
    calls_t                calls = { 0 };
    LARGE_INTEGER          due = in(c->from_date), date;
    assert_int_equal(ntmm_boot(&stopped), 0);
    ntmm_rearm_faults();
    assert_int_equal(ntmm_time_advance(60 * SECOND), 0);
    KeQuerySystemTime(&date);
    if (c->absolute)
        due.QuadPart = date.QuadPart + c->from_date;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, note, &calls);
    assert_false(KeSetTimer(&timer, due, &dpc));
    assert_int_equal(calls.count, c->expires_after == 0);
    assert_int_equal(KeReadStateTimer(&timer), c->expires_after == 0);
    assert_int_equal(ntmm_time_advance((uint64_t)c->expires_after), 0);
    assert_int_equal(calls.count, 1);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void those_due_at_once_expire_in_order(void **state)
{
    KTIMER  timers[8];
    KDPC    dpcs[8];
    calls_t calls[8] = { 0 };
    (void)state;
    for (int i = 0; i < 8; i++) {
        KeInitializeTimer(&timers[i]);
        KeInitializeDpc(&dpcs[i], note, &calls[i]);
        (void)KeSetTimer(&timers[i], in((8 - i) * MS), &dpcs[i]);
    }
    assert_true(KeCancelTimer(&timers[3]));
    assert_int_equal(ntmm_time_advance(20 * MS), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(calls[i].count, i != 3);
        assert_int_equal(calls[i].at[0], i != 3 ? (8 - i) * MS : 0);
    }
}

static void many_timers_come_and_go(void **state)
{
    enum { TIMERS = 500 };
    static KTIMER timers[TIMERS];
    static KDPC   dpcs[TIMERS];
    calls_t       calls = { 0 };
    uint32_t      expected = 0;
    (void)state;
    for (uint32_t i = 0; i < TIMERS; i++) {
        KeInitializeTimer(&timers[i]);
        KeInitializeDpc(&dpcs[i], note, &calls);
        (void)KeSetTimer(&timers[i], in(1 + (LONGLONG)(i * 7919u % TIMERS) * MS), &dpcs[i]);
    }
    for (uint32_t i = 0; i < TIMERS; i += 3)
        assert_true(KeCancelTimer(&timers[i]));
    for (uint32_t step = 0; step < TIMERS; step++) {
        assert_int_equal(ntmm_time_advance(MS), 0);
        expected = 0;
        for (uint32_t i = 0; i < TIMERS; i++)
            expected += i % 3 != 0 && i * 7919u % TIMERS <= step;
        assert_int_equal(calls.count, expected);
    }
    assert_int_equal(ntmm_time_until_due(), UINT64_MAX);
}

static VOID set_once_more(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    static calls_t calls;
    KTIMER        *timer = context;
    note(dpc, &calls, argument1, argument2);
    if (atomic_load(&calls.count) < 4)
        (void)KeSetTimer(timer, in(MS), dpc);
}

static void a_dpc_may_set_its_timer(void **state)
{
    KTIMER timer;
    KDPC   dpc;
    (void)state;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, set_once_more, &timer);
    (void)KeSetTimer(&timer, in(MS), &dpc);
    assert_int_equal(ntmm_time_advance(3 * MS + 1), 0);
    assert_int_equal(ntmm_time_until_due(), MS - 1);
    assert_int_equal(ntmm_time_advance(10 * MS), 0);
    assert_int_equal(ntmm_time_until_due(), UINT64_MAX);
}

/* ---- waits let time leap ---- */

static void a_delay_costs_nothing(void **state)
{
    LARGE_INTEGER hour = in(3600 * SECOND);
    KEVENT        never;
    (void)state;
    assert_int_equal(KeDelayExecutionThread(KernelMode, FALSE, &hour), STATUS_SUCCESS);
    assert_int_equal(KeQueryInterruptTime(), 3600 * SECOND);
    KeInitializeEvent(&never, NotificationEvent, FALSE);
    assert_int_equal(wait_for(&never, SECOND), STATUS_TIMEOUT);
    assert_int_equal(KeQueryInterruptTime(), 3601 * SECOND);
}

static void a_wait_meets_the_timers_on_its_way(void **state)
{
    KTIMER  notification, synchronization;
    KDPC    dpc;
    calls_t calls = { 0 };
    (void)state;
    KeInitializeTimer(&notification);
    KeInitializeTimerEx(&synchronization, SynchronizationTimer);
    KeInitializeDpc(&dpc, note, &calls);
    (void)KeSetTimer(&notification, in(2 * SECOND), &dpc);
    (void)KeSetTimerEx(&synchronization, in(SECOND), 1000, NULL);
    assert_int_equal(wait_for(&synchronization, 10 * SECOND), STATUS_SUCCESS);
    assert_int_equal(KeQueryInterruptTime(), SECOND);
    assert_int_equal(wait_for(&synchronization, 0), STATUS_TIMEOUT); /* the wait has used it up */
    assert_int_equal(KeWaitForSingleObject(&notification, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_int_equal(KeQueryInterruptTime(), 2 * SECOND);
    assert_int_equal(wait_for(&notification, 0), STATUS_SUCCESS); /* it stays signaled */
    KeFlushQueuedDpcs();
    assert_int_equal(calls.count, 1);
    assert_true(KeCancelTimer(&synchronization));
}

static VOID set_event(PVOID context) { (void)KeSetEvent(context, IO_NO_INCREMENT, FALSE); }

static void a_timeout_is_longer_than_work_that_is_done(void **state)
{
    WORK_QUEUE_ITEM item;
    KEVENT          done;
    (void)state;
    for (int i = 0; i < 100; i++) {
        KeInitializeEvent(&done, NotificationEvent, FALSE);
        ExInitializeWorkItem(&item, set_event, &done);
        ExQueueWorkItem(&item, DelayedWorkQueue);
        assert_int_equal(wait_for(&done, 1), STATUS_SUCCESS);
    }
    assert_int_equal(KeQueryInterruptTime(), 0);
}

typedef struct ticker {
    KEVENT           stop;
    _Atomic uint32_t ticks;
} ticker_t;

static VOID tick(PVOID context)
{
    ticker_t *ticker = context;
    while (wait_for(&ticker->stop, SECOND) == STATUS_TIMEOUT)
        atomic_fetch_add(&ticker->ticks, 1);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static void a_thread_that_polls_once_a_second(void **state)
{
    ticker_t ticker = { 0 };
    HANDLE   handle;
    PVOID    thread;
    (void)state;
    KeInitializeEvent(&ticker.stop, NotificationEvent, FALSE);
    assert_int_equal(PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, tick, &ticker), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &thread, NULL), STATUS_SUCCESS);
    (void)ZwClose(handle);
    while (ntmm_time_until_due() == UINT64_MAX) /* until it has begun to wait */
        ;
    assert_int_equal(ntmm_time_advance(10 * SECOND), 0);
    (void)KeSetEvent(&ticker.stop, IO_NO_INCREMENT, FALSE);
    assert_int_equal(KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_int_equal(ticker.ticks, 10);
    ObDereferenceObject(thread);
}

/* ---- mistakes ---- */

static void rules_of_irql(void **state)
{
    KTIMER timer;
    KIRQL  old;
    (void)state;
    KeInitializeTimer(&timer);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_false(KeSetTimer(&timer, in(SECOND), NULL));
    assert_true(KeCancelTimer(&timer));
    KeLowerIrql(old);
    KeRaiseIrql(HIGH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeSetTimer(&timer, in(SECOND), NULL));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeCancelTimer(&timer));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeReadStateTimer(&timer));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeInitializeTimer(&timer));
}

static void a_timer_that_is_set_is_not_initialised(void **state)
{
    KTIMER timer;
    (void)state;
    KeInitializeTimer(&timer);
    (void)KeSetTimer(&timer, in(SECOND), NULL);
    assert_bugcheck_all(TIMER_OR_DPC_INVALID, 0, &timer, &timer, &timer + 1, KeInitializeTimer(&timer));
}

static void a_timer_in_freed_memory(void **state)
{
    KTIMER *timer = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
    (void)state;
    KeInitializeTimer(timer);
    (void)KeSetTimer(timer, in(SECOND), NULL);
    memset(timer, 0xDD, sizeof *timer);
    ExFreePoolWithTag(timer, TAG);
    assert_bugcheck(TIMER_OR_DPC_INVALID, 0, ntmm_time_advance(SECOND));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)timer);
}

static void what_is_no_timer_is_refused(void **state)
{
    KTIMER timer = { 0 };
    (void)state;
    assert_false(KeSetTimer(&timer, in(SECOND), NULL));
    assert_non_null(strstr(ntmm_error(), "no initialised timer"));
    assert_int_equal(ntmm_time_until_due(), UINT64_MAX);
}

/* ---- those of the system ---- */

typedef struct ex_calls {
    PEX_TIMER        timer;
    _Atomic uint32_t calls, deleted;
    KIRQL            irql;
    bool             delete_inside;
} ex_calls_t;

static VOID ex_deleted(PVOID context) { atomic_fetch_add(&((ex_calls_t *)context)->deleted, 1); }

static EXT_DELETE_PARAMETERS at_end(ex_calls_t *calls)
{
    EXT_DELETE_PARAMETERS parameters;
    ExInitializeDeleteTimerParameters(&parameters);
    parameters.DeleteCallback = ex_deleted;
    parameters.DeleteContext = calls;
    return parameters;
}

static VOID ex_note(PEX_TIMER timer, PVOID context)
{
    ex_calls_t           *calls = context;
    EXT_DELETE_PARAMETERS parameters = at_end(calls);
    assert_ptr_equal(timer, calls->timer);
    calls->irql = KeGetCurrentIrql();
    atomic_fetch_add(&calls->calls, 1);
    if (calls->delete_inside)
        assert_false(ExDeleteTimer(timer, TRUE, FALSE, &parameters));
}

static void a_callback_and_a_period_below_a_millisecond(void **state)
{
    ex_calls_t            calls = { 0 };
    EXT_DELETE_PARAMETERS parameters = at_end(&calls);
    EXT_SET_PARAMETERS    tolerant;
    (void)state;
    calls.timer = ExAllocateTimer(ex_note, &calls, EX_TIMER_HIGH_RESOLUTION);
    assert_non_null(calls.timer);
    ExInitializeSetTimerParameters(&tolerant);
    assert_false(ExSetTimer(calls.timer, -5000, 2500, &tolerant));
    assert_int_equal(ntmm_time_advance(10000), 0);
    assert_int_equal(calls.calls, 3); /* 5000, 7500, 10000 */
    assert_int_equal(calls.irql, DISPATCH_LEVEL);
    assert_true(ExCancelTimer(calls.timer, NULL));
    assert_false(ExCancelTimer(calls.timer, NULL));
    assert_false(ExSetTimer(calls.timer, -5000, 0, NULL));
    assert_true(ExSetTimer(calls.timer, -5000, 0, NULL));
    assert_true(ExDeleteTimer(calls.timer, TRUE, TRUE, &parameters));
    assert_int_equal(calls.deleted, 1);
    assert_int_equal(ntmm_time_advance(10000), 0);
    assert_int_equal(calls.calls, 3);
}

static void the_system_s_timer_can_be_waited_for(void **state)
{
    PEX_TIMER once = ExAllocateTimer(NULL, NULL, 0), stays = ExAllocateTimer(NULL, NULL, EX_TIMER_NOTIFICATION);
    (void)state;
    (void)ExSetTimer(once, -MS, 0, NULL);
    (void)ExSetTimer(stays, -MS, 0, NULL);
    assert_int_equal(KeWaitForSingleObject(once, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_int_equal(wait_for(once, 0), STATUS_TIMEOUT);
    assert_int_equal(KeWaitForSingleObject(stays, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_int_equal(wait_for(stays, 0), STATUS_SUCCESS);
    assert_false(ExDeleteTimer(once, TRUE, FALSE, NULL));
    assert_false(ExDeleteTimer(stays, FALSE, FALSE, NULL));
}

static void deleted_while_it_is_set(void **state)
{
    ex_calls_t            calls = { 0 };
    EXT_DELETE_PARAMETERS parameters = at_end(&calls);
    (void)state;
    for (LONGLONG period = 0; period <= MS; period += MS) {
        calls = (ex_calls_t){ .timer = ExAllocateTimer(ex_note, &calls, 0) };
        (void)ExSetTimer(calls.timer, -MS, period, NULL);
        assert_false(ExDeleteTimer(calls.timer, FALSE, FALSE, &parameters));
        assert_int_equal(calls.deleted, 0);
        assert_int_equal(ntmm_time_advance(10 * MS), 0);
        assert_int_equal(calls.calls, 1);
        assert_int_equal(calls.deleted, 1);
    }
}

static void deleted_by_its_callback(void **state)
{
    ex_calls_t calls = { .delete_inside = true };
    (void)state;
    calls.timer = ExAllocateTimer(ex_note, &calls, 0);
    (void)ExSetTimer(calls.timer, -MS, 0, NULL);
    assert_int_equal(ntmm_time_advance(MS), 0);
    assert_int_equal(calls.calls, 1);
    assert_int_equal(calls.deleted, 1);
}

static void mistakes_with_the_system_s_timers(void **state)
{
    PEX_TIMER timer = ExAllocateTimer(NULL, NULL, EX_TIMER_HIGH_RESOLUTION);
    KIRQL     old;
    (void)state;
    assert_null(ExAllocateTimer(NULL, NULL, EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE));
    assert_null(ExAllocateTimer(NULL, NULL, 1));
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, ExSetTimer(timer, 1, 0, NULL));
    ntmm_cmocka_reboot();
    timer = ExAllocateTimer(NULL, NULL, 0);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, ExDeleteTimer(timer, FALSE, TRUE, NULL));
    ntmm_cmocka_reboot();
    timer = ExAllocateTimer(NULL, NULL, 0);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, ExSetTimer(timer, -1, -1, NULL));
    ntmm_cmocka_reboot();
    timer = ExAllocateTimer(NULL, NULL, 0);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExDeleteTimer(timer, TRUE, TRUE, NULL));
}

static void allocate_one(void *context)
{
    PEX_TIMER timer = ExAllocateTimer(NULL, NULL, 0);
    (void)context;
    if (timer != NULL)
        (void)ExDeleteTimer(timer, TRUE, FALSE, NULL);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(allocate_one, NULL) > 1);
}

/* ---- several threads ---- */

typedef struct race {
    KTIMER           timer;
    KDPC             dpc;
    _Atomic uint32_t calls, rounds;
} race_t;

static VOID count(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc, (void)argument1, (void)argument2;
    atomic_fetch_add((_Atomic uint32_t *)context, 1);
}

static void *set_and_cancel(void *argument)
{
    race_t *race = argument;
    for (uint32_t i = 0; i < 300; i++) {
        (void)KeSetTimer(&race->timer, in((LONGLONG)(i % 3) * 100), &race->dpc);
        if (i % 2 == 0)
            (void)KeCancelTimer(&race->timer);
        atomic_fetch_add(&race->rounds, 1);
    }
    return NULL;
}

/* Cancelled and flushed means that nothing comes any more, whoever set it. */
static void cancelled_and_flushed(void **state)
{
    race_t   *race = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *race, TAG);
    pthread_t threads[2];
    (void)state;
    KeInitializeTimer(&race->timer);
    KeInitializeDpc(&race->dpc, count, &race->calls);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_and_cancel, race), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)KeCancelTimer(&race->timer);
    KeFlushQueuedDpcs();
    assert_int_equal(race->rounds, 600);
    ExFreePoolWithTag(race, TAG);
}

int main(void)
{
    struct CMUnitTest tests[64] = {
        ntmm_cmocka_test(a_timer_expires_and_calls_its_dpc),
        ntmm_cmocka_test(a_period_comes_again),
        ntmm_cmocka_test(an_earlier_timer_is_not_late),
#if !defined(__SANITIZE_THREAD__) && !NTMM_CLANG_TSAN /* which allows no threads in a child of a process that has some */
        ntmm_cmocka_test(the_clock_of_a_forked_child_goes),
#endif
        ntmm_cmocka_test(a_timer_that_is_set_is_a_leak),
        ntmm_cmocka_test(the_hosts_clock_cannot_be_moved),
        ntmm_cmocka_test(cancelled_and_flushed),
        stopped_test(nothing_moves_by_itself),
        stopped_test(a_timer_expires_at_its_time),
        stopped_test(at_dispatch_level_the_dpc_waits),
        stopped_test(a_long_step_misses_no_period),
        stopped_test(set_again_means_cancelled),
        stopped_test(those_due_at_once_expire_in_order),
        stopped_test(many_timers_come_and_go),
        stopped_test(a_dpc_may_set_its_timer),
        stopped_test(a_delay_costs_nothing),
        stopped_test(a_wait_meets_the_timers_on_its_way),
        stopped_test(a_timeout_is_longer_than_work_that_is_done),
        stopped_test(a_thread_that_polls_once_a_second),
        stopped_test(rules_of_irql),
        stopped_test(a_timer_that_is_set_is_not_initialised),
        stopped_test(a_timer_in_freed_memory),
        stopped_test(what_is_no_timer_is_refused),
        stopped_test(a_callback_and_a_period_below_a_millisecond),
        stopped_test(the_system_s_timer_can_be_waited_for),
        stopped_test(deleted_while_it_is_set),
        stopped_test(deleted_by_its_callback),
        stopped_test(mistakes_with_the_system_s_timers),
        stopped_test(memory_may_be_short),
    };
    size_t count = 0;
    while (tests[count].test_func != NULL)
        count++;
    for (size_t i = 0; i < sizeof DUES / sizeof DUES[0]; i++)
        tests[count++] = (struct CMUnitTest){ .name = DUES[i].name, .test_func = check_due_case, .initial_state = &DUES[i] };
    return _cmocka_run_group_tests("test_ke_timer", tests, count, NULL, NULL);
}
