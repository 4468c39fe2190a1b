/*
 * test_ke_event.c - events and waits: states, who goes on and in which order, timeouts, the IRQL rules, and what a stop does to waiters.
 * Other threads are seen to be asleep in the machine's own records, so that nothing here depends on how long something takes.
 */
#include "../support/ke_machine.h"

#include "ke/wait.h"

#define MS (-10000ll) /* a relative timeout of 1 ms */

static LARGE_INTEGER units(LONGLONG count) { return (LARGE_INTEGER){ .QuadPart = count }; }

static NTSTATUS wait_one(PVOID object, LONGLONG timeout)
{
    LARGE_INTEGER t = units(timeout);
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &t);
}
static NTSTATUS poll(PVOID object) { return wait_one(object, 0); }
static NTSTATUS wait_for_ever(PVOID object) { return KeWaitForSingleObject(object, UserRequest, UserMode, TRUE, NULL); }

static NTSTATUS wait_many(ULONG count, PVOID *objects, WAIT_TYPE type, LONGLONG timeout)
{
    LARGE_INTEGER t = units(timeout);
    return KeWaitForMultipleObjects(count, objects, type, Executive, KernelMode, FALSE, &t, NULL);
}

static unsigned sleepers(void)
{
    unsigned count = 0;
    for (ke_thread_t *t = ke_thread_first(); t != NULL; t = t->next)
        count += atomic_load(&t->alive) && atomic_load(&t->asleep) != 0;
    return count;
}

/* ---- states ---- */

static void an_event_begins_as_it_is_told(void **state)
{
    KEVENT event;
    (void)state;
    memset(&event, 0xA5, sizeof event);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    assert_int_equal(event.Header.Type, 0);
    assert_int_equal(event.Header.Signalling, 0);
    assert_int_equal(event.Header.Size, 6);
    assert_int_equal(event.Header.SignalState, 0);
    assert_ptr_equal(event.Header.WaitListHead.Flink, &event.Header.WaitListHead);
    assert_ptr_equal(event.Header.WaitListHead.Blink, &event.Header.WaitListHead);
    KeInitializeEvent(&event, SynchronizationEvent, 0x80); /* any BOOLEAN but FALSE */
    assert_int_equal(event.Header.Type, 1);
    assert_int_equal(KeReadStateEvent(&event), 1);
}

static struct state_case {
    const char *name;
    EVENT_TYPE  type;
    BOOLEAN     before;
    char        call; /* set, reset, clear, poll */
    LONG        result;
    LONG        after;
} STATES[] = {
    { "set: a notification event stays signaled", NotificationEvent, FALSE, 's', 0, 1 },
    { "set: and says so the next time", NotificationEvent, TRUE, 's', 1, 1 },
    { "set: nobody waits for the synchronization event", SynchronizationEvent, FALSE, 's', 0, 1 },
    { "set: one signal is not counted twice", SynchronizationEvent, TRUE, 's', 1, 1 },
    { "reset: it was signaled", NotificationEvent, TRUE, 'r', 1, 0 },
    { "reset: it was not", SynchronizationEvent, FALSE, 'r', 0, 0 },
    { "pulse: nobody waits, and the signal is gone", NotificationEvent, FALSE, 'P', 0, 0 },
    { "pulse: it was signaled", SynchronizationEvent, TRUE, 'P', 1, 0 },
    { "clear: signaled", SynchronizationEvent, TRUE, 'c', 0, 0 },
    { "clear: not signaled", NotificationEvent, FALSE, 'c', 0, 0 },
    { "poll: a notification event is not used up", NotificationEvent, TRUE, 'p', STATUS_SUCCESS, 1 },
    { "poll: a synchronization event is", SynchronizationEvent, TRUE, 'p', STATUS_SUCCESS, 0 },
    { "poll: not signaled, notification", NotificationEvent, FALSE, 'p', STATUS_TIMEOUT, 0 },
    { "poll: not signaled, synchronization", SynchronizationEvent, FALSE, 'p', STATUS_TIMEOUT, 0 },
};

static void check_state_case(void **state)
{
    const struct state_case *c = *state;
    KEVENT                   event;
    LONG                     result = 0;
    KeInitializeEvent(&event, c->type, c->before);
    switch (c->call) {
    case 's': result = KeSetEvent(&event, EVENT_INCREMENT, FALSE); break;
    case 'r': result = KeResetEvent(&event); break;
    case 'P': result = KePulseEvent(&event, EVENT_INCREMENT, FALSE); break;
    case 'c': KeClearEvent(&event); break;
    default: result = poll(&event); break;
    }
    assert_int_equal(result, c->result);
    assert_int_equal(KeReadStateEvent(&event), c->after);
}

/* ---- several objects, nobody else about ---- */

static void any_takes_the_lowest_index_and_no_other(void **state)
{
    KEVENT events[3];
    PVOID  objects[3] = { &events[0], &events[1], &events[2] };
    (void)state;
    for (int i = 0; i < 3; i++)
        KeInitializeEvent(&events[i], SynchronizationEvent, i > 0);
    assert_int_equal(wait_many(3, objects, WaitAny, 0), STATUS_WAIT_1);
    assert_int_equal(KeReadStateEvent(&events[1]), 0);
    assert_int_equal(KeReadStateEvent(&events[2]), 1);
    assert_int_equal(wait_many(3, objects, WaitAny, 0), STATUS_WAIT_2);
    assert_int_equal(wait_many(3, objects, WaitAny, 0), STATUS_TIMEOUT);
}

static void all_changes_nothing_until_all_are_signaled(void **state)
{
    KEVENT events[3];
    PVOID  objects[3] = { &events[0], &events[1], &events[2] };
    (void)state;
    for (int i = 0; i < 3; i++)
        KeInitializeEvent(&events[i], i == 2 ? NotificationEvent : SynchronizationEvent, i != 1);
    assert_int_equal(wait_many(3, objects, WaitAll, 0), STATUS_TIMEOUT);
    assert_int_equal(wait_many(3, objects, WaitAll, MS), STATUS_TIMEOUT);
    assert_int_equal(KeReadStateEvent(&events[0]), 1);
    KeSetEvent(&events[1], IO_NO_INCREMENT, FALSE);
    assert_int_equal(wait_many(3, objects, WaitAll, MS), STATUS_SUCCESS);
    assert_int_equal(KeReadStateEvent(&events[0]), 0);
    assert_int_equal(KeReadStateEvent(&events[1]), 0);
    assert_int_equal(KeReadStateEvent(&events[2]), 1);
}

static void the_same_object_may_come_twice(void **state)
{
    KEVENT event;
    PVOID  objects[2] = { &event, &event };
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    assert_int_equal(wait_many(2, objects, WaitAny, 0), STATUS_WAIT_0);
    assert_int_equal(wait_many(2, objects, WaitAny, MS), STATUS_TIMEOUT);
    KeSetEvent(&event, 0, FALSE);
    assert_int_equal(wait_many(2, objects, WaitAll, 0), STATUS_SUCCESS);
    assert_int_equal(KeReadStateEvent(&event), 0);
}

static void as_many_as_the_blocks_hold(void **state)
{
    KEVENT        events[MAXIMUM_WAIT_OBJECTS];
    PVOID         objects[MAXIMUM_WAIT_OBJECTS];
    KWAIT_BLOCK   blocks[MAXIMUM_WAIT_OBJECTS + 1];
    LARGE_INTEGER now = units(0);
    (void)state;
    memset(blocks, 0x5A, sizeof blocks);
    for (int i = 0; i < MAXIMUM_WAIT_OBJECTS; i++) {
        KeInitializeEvent(&events[i], SynchronizationEvent, i == MAXIMUM_WAIT_OBJECTS - 1);
        objects[i] = &events[i];
    }
    assert_int_equal(KeWaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, objects, WaitAny, Executive, KernelMode, FALSE, &now, blocks),
                     STATUS_WAIT_63);
    assert_ptr_equal(blocks[MAXIMUM_WAIT_OBJECTS - 1].Object, &events[MAXIMUM_WAIT_OBJECTS - 1]);
    assert_int_equal(blocks[MAXIMUM_WAIT_OBJECTS - 1].WaitKey, MAXIMUM_WAIT_OBJECTS - 1);
    assert_int_equal(*(unsigned char *)&blocks[MAXIMUM_WAIT_OBJECTS], 0x5A);
    assert_int_equal(KeWaitForMultipleObjects(0, objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(wait_many(0, NULL, WaitAny, MS), STATUS_TIMEOUT);
    assert_int_equal(wait_many(THREAD_WAIT_OBJECTS, objects, WaitAny, 0), STATUS_TIMEOUT);
}

static void one_object_too_many(void **state)
{
    KEVENT      event;
    PVOID       objects[MAXIMUM_WAIT_OBJECTS + 1];
    KWAIT_BLOCK blocks[MAXIMUM_WAIT_OBJECTS + 1];
    (void)state;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    for (int i = 0; i <= MAXIMUM_WAIT_OBJECTS; i++)
        objects[i] = &event;
    assert_stop(MAXIMUM_WAIT_OBJECTS_EXCEEDED, 0,
                KeWaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS + 1, objects, WaitAny, Executive, KernelMode, FALSE, NULL, blocks));
    for (int i = 1; i < 4; i++)
        assert_int_equal(last_stop.parameter[i], 0);
}

static void one_object_too_many_without_blocks(void **state)
{
    KEVENT event;
    PVOID  objects[] = { &event, &event, &event, &event };
    (void)state;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    assert_stop(MAXIMUM_WAIT_OBJECTS_EXCEEDED, 0, wait_many(THREAD_WAIT_OBJECTS + 1, objects, WaitAll, 0));
}

static void what_is_no_event_is_refused(void **state)
{
    KEVENT event, other;
    PVOID  objects[] = { &event, &other };
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    memset(&other, 0xDD, sizeof other);
    assert_int_equal(wait_one(&other, MS), STATUS_OBJECT_TYPE_MISMATCH);
    assert_non_null(strstr(ntmm_error(), "no initialised event"));
    assert_int_equal(wait_many(2, objects, WaitAny, 0), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(KeReadStateEvent(&event), 1);
    assert_int_equal(wait_many(1, objects, WaitNotification, 0), STATUS_INVALID_PARAMETER_3);
}

/* ---- time ---- */

static void a_relative_timeout_runs_out(void **state)
{
    KEVENT   event;
    uint64_t before = host_clock_ns();
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    assert_int_equal(wait_one(&event, 25 * MS), STATUS_TIMEOUT);
    assert_true(host_clock_ns() - before >= 25000000);
    KeSetEvent(&event, 0, FALSE); /* nobody is left in its line */
    assert_int_equal(KeReadStateEvent(&event), 1);
    assert_int_equal(wait_one(&event, -1), STATUS_SUCCESS); /* signaled: whatever the time */
}

static void an_absolute_timeout_is_a_date(void **state)
{
    KEVENT        event;
    LARGE_INTEGER now;
    (void)state;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    assert_int_equal(wait_one(&event, 1), STATUS_TIMEOUT); /* 1601 is over */
    KeQuerySystemTime(&now);
    assert_int_equal(wait_one(&event, now.QuadPart - 1), STATUS_TIMEOUT);
    assert_int_equal(wait_one(&event, now.QuadPart + 200000), STATUS_TIMEOUT);
    LARGE_INTEGER later;
    KeQuerySystemTime(&later);
    assert_true(later.QuadPart >= now.QuadPart + 200000);
    KeSetEvent(&event, 0, FALSE);
    assert_int_equal(wait_one(&event, 1), STATUS_SUCCESS);
}

static void a_delay_lets_time_pass(void **state)
{
    LARGE_INTEGER interval = units(15 * MS), now;
    (void)state;
    ULONGLONG before = KeQueryInterruptTime();
    assert_int_equal(KeDelayExecutionThread(KernelMode, FALSE, &interval), STATUS_SUCCESS);
    ULONGLONG between = KeQueryInterruptTime();
    assert_true(between - before >= 150000);
    KeQuerySystemTime(&now);
    now.QuadPart += 150000;
    assert_int_equal(KeDelayExecutionThread(KernelMode, FALSE, &now), STATUS_SUCCESS);
    assert_true(KeQueryInterruptTime() - between >= 140000);
    interval = units(0);
    assert_int_equal(KeDelayExecutionThread(KernelMode, TRUE, &interval), STATUS_SUCCESS);
}

static void the_interrupt_time_begins_with_the_machine(void **state)
{
    (void)state;
    assert_true(ke_machine_shutdown());
    uint64_t before = host_clock_ns();
    assert_int_equal(ke_machine_boot(1), 0);
    ULONGLONG up = KeQueryInterruptTime();
    assert_true(up <= (host_clock_ns() - before) / 100);
}

/* ---- other threads ---- */

typedef struct waiter {
    pthread_t     thread;
    PVOID         objects[3];
    ULONG         count;
    WAIT_TYPE     type;
    LARGE_INTEGER timeout;
    bool          is_timed;
    _Atomic int   order; /* 0: still waits; else it was the how-many-th to go on */
    NTSTATUS      status;
    bool          halted;
} waiter_t;

static _Atomic int gone_on;

static void wait_as_told(void *argument)
{
    waiter_t *w = argument;
    w->status =
        KeWaitForMultipleObjects(w->count, w->objects, w->type, Executive, KernelMode, FALSE, w->is_timed ? &w->timeout : NULL, NULL);
    atomic_store(&w->order, ++gone_on);
}

static void *waiter_main(void *argument)
{
    waiter_t *w = argument;
    w->halted = ntmm_catch_bugcheck(wait_as_told, w, NULL);
    return NULL;
}

/* Returns when it is asleep, so that the next one to start is behind it in every line. */
static void waiter_start(waiter_t *w)
{
    unsigned before = sleepers();
    atomic_store(&w->order, 0);
    w->thread = thread_run(waiter_main, w);
    assert_true(eventually(sleepers() == before + 1));
}

static int with_threads(void **state)
{
    (void)state;
    atomic_store(&gone_on, 0);
    return ke_machine_boot(2);
}

static void a_notification_lets_everybody_go_on(void **state)
{
    KEVENT   event;
    waiter_t w[5] = { 0 };
    (void)state;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    for (int i = 0; i < 5; i++) {
        w[i] = (waiter_t){ .objects = { &event }, .count = 1, .type = i % 2 == 0 ? WaitAny : WaitAll };
        waiter_start(&w[i]);
    }
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
    for (int i = 0; i < 5; i++) {
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].status, STATUS_SUCCESS);
    }
    assert_int_equal(KeReadStateEvent(&event), 1);
    assert_int_equal(sleepers(), 0);
}

static void a_synchronization_event_serves_in_order_of_arrival(void **state)
{
    KEVENT   event;
    waiter_t w[6] = { 0 };
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    for (int i = 0; i < 6; i++) {
        w[i] = (waiter_t){ .objects = { &event }, .count = 1, .type = WaitAny };
        waiter_start(&w[i]);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
        assert_int_equal(KeReadStateEvent(&event), 0); /* handed over: a later poll cannot have it */
        assert_int_equal(poll(&event), STATUS_TIMEOUT);
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].order, i + 1);
    }
    KeSetEvent(&event, 0, FALSE);
    assert_int_equal(KeReadStateEvent(&event), 1);
}

static void a_pulse_is_for_those_who_wait_now(void **state)
{
    KEVENT   event;
    waiter_t w[5] = { 0 };
    (void)state;
    for (int type = 0; type < 2; type++) { /* all go on; then only the first */
        bool all = type == 0;
        KeInitializeEvent(&event, all ? NotificationEvent : SynchronizationEvent, FALSE);
        for (int i = 0; i < 5; i++) {
            w[i] = (waiter_t){ .objects = { &event }, .count = 1, .type = WaitAny };
            waiter_start(&w[i]);
        }
        assert_int_equal(KePulseEvent(&event, 0, FALSE), 0);
        assert_int_equal(KeReadStateEvent(&event), 0);
        assert_int_equal(poll(&event), STATUS_TIMEOUT);
        for (int i = 0; i < 5; i++) {
            if (!all && i > 0)
                assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
            pthread_join(w[i].thread, NULL);
            assert_int_equal(w[i].status, STATUS_SUCCESS);
        }
    }
    assert_int_equal(sleepers(), 0);
}

static void who_gives_up_is_out_of_line(void **state)
{
    KEVENT   event;
    waiter_t first = { 0 }, second = { 0 };
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    first = (waiter_t){ .objects = { &event }, .count = 1, .type = WaitAny, .is_timed = true, .timeout = units(60 * MS) };
    second = (waiter_t){ .objects = { &event }, .count = 1, .type = WaitAny };
    waiter_start(&first);
    waiter_start(&second);
    pthread_join(first.thread, NULL);
    assert_int_equal(first.status, STATUS_TIMEOUT);
    assert_int_equal(second.order, 0);
    KeSetEvent(&event, 0, FALSE);
    pthread_join(second.thread, NULL);
    assert_int_equal(second.status, STATUS_SUCCESS);
}

static void any_says_which_and_leaves_the_other_lines(void **state)
{
    KEVENT   events[3];
    waiter_t w = { .count = 3, .type = WaitAny };
    (void)state;
    for (int i = 0; i < 3; i++) {
        KeInitializeEvent(&events[i], SynchronizationEvent, FALSE);
        w.objects[i] = &events[i];
    }
    waiter_start(&w);
    KeSetEvent(&events[2], 0, FALSE);
    pthread_join(w.thread, NULL);
    assert_int_equal(w.status, STATUS_WAIT_2);
    assert_int_equal(KeReadStateEvent(&events[2]), 0);
    KeSetEvent(&events[0], 0, FALSE);
    assert_int_equal(KeReadStateEvent(&events[0]), 1);
}

static void all_waits_for_the_last_one_and_takes_none_before(void **state)
{
    KEVENT   events[2];
    waiter_t all = { .count = 2, .type = WaitAll }, any = { .count = 1, .type = WaitAny };
    (void)state;
    for (int i = 0; i < 2; i++) {
        KeInitializeEvent(&events[i], SynchronizationEvent, FALSE);
        all.objects[i] = &events[i];
    }
    any.objects[0] = &events[0];
    waiter_start(&all); /* first in both lines */
    waiter_start(&any);
    KeSetEvent(&events[0], 0, FALSE); /* not enough for the first: the second has it */
    pthread_join(any.thread, NULL);
    assert_int_equal(any.status, STATUS_SUCCESS);
    KeSetEvent(&events[1], 0, FALSE);
    assert_int_equal(KeReadStateEvent(&events[1]), 1);
    assert_int_equal(all.order, 0);
    KeSetEvent(&events[0], 0, FALSE);
    pthread_join(all.thread, NULL);
    assert_int_equal(all.status, STATUS_SUCCESS);
    assert_int_equal(KeReadStateEvent(&events[0]), 0);
    assert_int_equal(KeReadStateEvent(&events[1]), 0);
}

static void a_waiter_with_two_places_goes_on_once(void **state)
{
    KEVENT   event;
    waiter_t twice = { .count = 2, .type = WaitAny, .objects = { &event, &event } }, next = { .count = 1, .objects = { &event } };
    (void)state;
    next.type = WaitAny;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    waiter_start(&twice);
    waiter_start(&next);
    KeSetEvent(&event, 0, FALSE);
    pthread_join(twice.thread, NULL);
    pthread_join(next.thread, NULL);
    assert_int_equal(twice.status, STATUS_WAIT_0);
    assert_int_equal(next.status, STATUS_SUCCESS);
}

static VOID set_in_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc;
    (void)argument1;
    (void)argument2;
    KeSetEvent(context, 0, FALSE);
}

static void a_dpc_may_set_an_event(void **state)
{
    KEVENT   event;
    KDPC     dpc;
    waiter_t w = { .count = 1, .type = WaitAny, .objects = { &event } };
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    KeInitializeDpc(&dpc, set_in_dpc, &event);
    waiter_start(&w);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    pthread_join(w.thread, NULL);
    assert_int_equal(w.status, STATUS_SUCCESS);
}

/* What Windows would follow into freed memory is not followed here: the waiter is found by address alone. */
static void an_event_that_is_freed_keeps_its_waiters(void **state)
{
    KEVENT   event;
    waiter_t timed = { .count = 1, .type = WaitAny, .objects = { &event }, .is_timed = true, .timeout = units(60 * MS) };
    waiter_t endless = { .count = 1, .type = WaitAny, .objects = { &event } };
    (void)state;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    waiter_start(&timed);
    waiter_start(&endless);
    memset(&event, 0, sizeof event);
    pthread_join(timed.thread, NULL);
    assert_int_equal(timed.status, STATUS_TIMEOUT);
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    KeSetEvent(&event, 0, FALSE);
    pthread_join(endless.thread, NULL);
    assert_int_equal(endless.status, STATUS_SUCCESS);
}

static void a_stop_ends_every_wait(void **state)
{
    KEVENT   event;
    waiter_t w[3] = { 0 };
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    for (int i = 0; i < 3; i++) {
        w[i] = (waiter_t){ .objects = { &event }, .count = 1, .type = WaitAny, .is_timed = i == 2, .timeout = units(600000 * MS) };
        waiter_start(&w[i]);
    }
    assert_stop(0xE2, 7, KeBugCheckEx(0xE2, 7, 0, 0, 0));
    for (int i = 0; i < 3; i++) {
        pthread_join(w[i].thread, NULL);
        assert_true(w[i].halted);
    }
    assert_true(ke_machine_shutdown());
    assert_int_equal(ke_machine_boot(2), 0);
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    KeSetEvent(&event, 0, FALSE); /* the new machine knows none of them */
    assert_int_equal(KeReadStateEvent(&event), 1);
}

static void a_halted_machine_refuses(void **state)
{
    KEVENT event;
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    assert_stop(0xE2, 0, KeBugCheckEx(0xE2, 0, 0, 0, 0));
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
    assert_int_equal(KeResetEvent(&event), 0);
    assert_int_equal(poll(&event), STATUS_UNSUCCESSFUL);
    assert_int_equal(event.Header.SignalState, 1);
}

/* ---- IRQL ---- */

static void at_dispatch_level_polling_is_allowed(void **state)
{
    KEVENT event;
    KIRQL  old;
    (void)state;
    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(poll(&event), STATUS_SUCCESS);
    assert_int_equal(poll(&event), STATUS_TIMEOUT);
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
    assert_int_equal(KeResetEvent(&event), 1);
    KeClearEvent(&event);
    KeLowerIrql(old);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(wait_one(&event, MS), STATUS_TIMEOUT);
    KeLowerIrql(old);
}

static struct irql_case {
    const char *name;
    KIRQL       irql;
    char        call; /* Wait, never; wait for 1 ms; poll; multiple; delay; set; Set and wait; reset; clear; */
    uint32_t    code; /* 0: allowed */
} IRQLS[] = {
    { "irql: no wait without limit at DISPATCH_LEVEL, even for a signaled event", DISPATCH_LEVEL, 'W', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no timed wait at DISPATCH_LEVEL", DISPATCH_LEVEL, 'w', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no wait for several at DISPATCH_LEVEL", DISPATCH_LEVEL, 'm', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no delay at DISPATCH_LEVEL", DISPATCH_LEVEL, 'd', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no poll at DIRQL", 5, 'p', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no set at DIRQL", 5, 's', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no set with Wait at DISPATCH_LEVEL", DISPATCH_LEVEL, 'S', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no pulse at DIRQL", 5, 'u', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no pulse with Wait at DISPATCH_LEVEL", DISPATCH_LEVEL, 'U', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no reset at DIRQL", 5, 'r', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: no clear at DIRQL", 5, 'c', IRQL_NOT_LESS_OR_EQUAL },
    { "irql: reading the state is allowed at DIRQL", 5, 'R', 0 },
};

static void call_at_irql(void *argument)
{
    const struct irql_case *c = argument;
    KEVENT                  event;
    PVOID                   objects[] = { &event, &event };
    LARGE_INTEGER           now = units(0);
    KIRQL                   old;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    KeRaiseIrql(c->irql, &old);
    switch (c->call) {
    case 'W': wait_for_ever(&event); break;
    case 'w': wait_one(&event, MS); break;
    case 'm': wait_many(2, objects, WaitAll, MS); break;
    case 'd': KeDelayExecutionThread(KernelMode, FALSE, &now); break;
    case 'p': poll(&event); break;
    case 's': KeSetEvent(&event, 0, FALSE); break;
    case 'S': KeSetEvent(&event, 0, TRUE); break;
    case 'u': KePulseEvent(&event, 0, FALSE); break;
    case 'U': KePulseEvent(&event, 0, TRUE); break;
    case 'r': KeResetEvent(&event); break;
    case 'c': KeClearEvent(&event); break;
    default: assert_int_equal(KeReadStateEvent(&event), 1); break;
    }
    KeLowerIrql(old);
}

static void check_irql_case(void **state)
{
    struct irql_case *c = *state;
    ntmm_bugcheck     stop = { 0 };
    assert_int_equal(ntmm_catch_bugcheck(call_at_irql, c, &stop), c->code != 0);
    assert_int_equal(stop.code, c->code);
    if (c->code == 0)
        return;
    assert_int_equal(stop.parameter[1], c->irql);
    assert_int_equal(stop.parameter[2], 8);
    assert_int_equal(stop.irql, c->irql);
}

static VOID wait_in_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc;
    (void)argument2;
    assert_int_equal(poll(context), STATUS_TIMEOUT); /* that much is allowed */
    *(PVOID *)argument1 = KeGetCurrentThread();
    wait_one(context, MS);
}

static void a_dpc_may_not_wait(void **state)
{
    KEVENT event;
    KDPC   dpc;
    PVOID  thread = NULL;
    (void)state;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeDpc(&dpc, wait_in_dpc, &event);
    assert_stop(ATTEMPTED_SWITCH_FROM_DPC, thread, KeInsertQueueDpc(&dpc, &thread, NULL));
    assert_non_null(thread);
    assert_int_equal(last_stop.parameter[1], 0);
    assert_in_range((uintptr_t)&event - last_stop.parameter[2], 1, 1 << 20); /* on this stack, further down */
    assert_int_equal(last_stop.parameter[3], 0);
}

static void set_and_wait_is_one_step_of_irql(void **state)
{
    KEVENT done, go;
    KIRQL  old;
    (void)state;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    KeInitializeEvent(&go, SynchronizationEvent, TRUE);
    for (KIRQL irql = PASSIVE_LEVEL; irql <= APC_LEVEL; irql++) {
        KeRaiseIrql(irql, &old);
        KeSetEvent(&done, 0, TRUE);
        assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
        assert_int_equal(irql == PASSIVE_LEVEL ? wait_for_ever(&go) : wait_one(&go, MS),
                         irql == PASSIVE_LEVEL ? STATUS_SUCCESS : STATUS_TIMEOUT);
        assert_int_equal(KeGetCurrentIrql(), irql);
        KeLowerIrql(old);
    }
    KeSetEvent(&done, 0, TRUE);
    KeLowerIrql(PASSIVE_LEVEL); /* a driver that changed its mind */
    assert_int_equal(poll(&go), STATUS_TIMEOUT);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

/* ---- many threads ---- */

enum { RUNNERS = 4, TURNS = 3000 };

static KEVENT          ring[RUNNERS];
static uint32_t        baton; /* whoever has the event of its place has the baton */
static KEVENT          tokens[2];
static _Atomic int64_t put, taken;
static _Atomic bool    putting_is_over;

static void *run_in_the_ring(void *argument)
{
    uint32_t place = (uint32_t)(uintptr_t)argument;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        NTSTATUS status = wait_for_ever(&ring[place]);
        if (status != STATUS_SUCCESS || baton++ % RUNNERS != place)
            return (void *)1;
        KeSetEvent(&ring[(place + 1) % RUNNERS], 0, FALSE);
    }
    return NULL;
}

static void no_wakeup_is_lost_in_a_ring(void **state)
{
    pthread_t thread[RUNNERS];
    (void)state;
    baton = 0;
    for (uintptr_t i = 0; i < RUNNERS; i++)
        KeInitializeEvent(&ring[i], SynchronizationEvent, i == 0);
    for (uintptr_t i = 0; i < RUNNERS; i++)
        thread[i] = thread_run(run_in_the_ring, (void *)i);
    for (int i = 0; i < RUNNERS; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(baton, RUNNERS * TURNS);
}

/* Waits whose time runs out while they are granted: a token is neither lost nor given twice. */
static void *take_tokens(void *argument)
{
    PVOID    objects[] = { &tokens[0], &tokens[1] };
    unsigned i = (unsigned)(uintptr_t)argument;
    while (!atomic_load(&putting_is_over)) {
        bool     all = ++i % 8 == 0;
        NTSTATUS status = wait_many(2, objects, all ? WaitAll : WaitAny, -(LONGLONG)(i % 4) * 50);
        if (status != STATUS_TIMEOUT)
            atomic_fetch_add(&taken, all ? 2 : 1);
    }
    return NULL;
}

static void timeouts_and_signals_race(void **state)
{
    pthread_t thread[RUNNERS];
    (void)state;
    atomic_store(&put, 0);
    atomic_store(&taken, 0);
    atomic_store(&putting_is_over, false);
    for (int i = 0; i < 2; i++)
        KeInitializeEvent(&tokens[i], SynchronizationEvent, FALSE);
    for (uintptr_t i = 0; i < RUNNERS; i++)
        thread[i] = thread_run(take_tokens, (void *)i);
    for (unsigned i = 0; i < RUNNERS * TURNS; i++) {
        if (KeSetEvent(&tokens[i & 1], 0, FALSE) == 0)
            atomic_fetch_add(&put, 1);
        if (i % 64 == 0)
            host_yield();
    }
    atomic_store(&putting_is_over, true);
    for (int i = 0; i < RUNNERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 2; i++)
        if (poll(&tokens[i]) == STATUS_SUCCESS)
            atomic_fetch_add(&taken, 1);
    assert_int_equal(put, taken);
    assert_int_equal(sleepers(), 0);
}

#define ALONE(test) cmocka_unit_test_setup_teardown(test, boot_two, shut_down)
#define WITH_THREADS(test) cmocka_unit_test_setup_teardown(test, with_threads, shut_down)

static int boot_case(void **state)
{
    (void)state;
    return ke_machine_boot(1);
}

int main(void)
{
    struct CMUnitTest cases[NTMM_ARRAY_COUNT(STATES) + NTMM_ARRAY_COUNT(IRQLS)];
    size_t            count = 0;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(STATES); i++)
        cases[count++] = (struct CMUnitTest){ STATES[i].name, check_state_case, boot_case, shut_down, &STATES[i] };
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(IRQLS); i++)
        cases[count++] = (struct CMUnitTest){ IRQLS[i].name, check_irql_case, boot_case, shut_down, &IRQLS[i] };
    const struct CMUnitTest tests[] = {
        ALONE(an_event_begins_as_it_is_told),
        ALONE(any_takes_the_lowest_index_and_no_other),
        ALONE(all_changes_nothing_until_all_are_signaled),
        ALONE(the_same_object_may_come_twice),
        ALONE(as_many_as_the_blocks_hold),
        ALONE(one_object_too_many),
        ALONE(one_object_too_many_without_blocks),
        ALONE(what_is_no_event_is_refused),
        ALONE(a_relative_timeout_runs_out),
        ALONE(an_absolute_timeout_is_a_date),
        ALONE(a_delay_lets_time_pass),
        ALONE(the_interrupt_time_begins_with_the_machine),
        WITH_THREADS(a_notification_lets_everybody_go_on),
        WITH_THREADS(a_synchronization_event_serves_in_order_of_arrival),
        WITH_THREADS(a_pulse_is_for_those_who_wait_now),
        WITH_THREADS(who_gives_up_is_out_of_line),
        WITH_THREADS(any_says_which_and_leaves_the_other_lines),
        WITH_THREADS(all_waits_for_the_last_one_and_takes_none_before),
        WITH_THREADS(a_waiter_with_two_places_goes_on_once),
        WITH_THREADS(a_dpc_may_set_an_event),
        WITH_THREADS(an_event_that_is_freed_keeps_its_waiters),
        WITH_THREADS(a_stop_ends_every_wait),
        WITH_THREADS(a_halted_machine_refuses),
        ALONE(at_dispatch_level_polling_is_allowed),
        ALONE(a_dpc_may_not_wait),
        ALONE(set_and_wait_is_one_step_of_irql),
        WITH_THREADS(no_wakeup_is_lost_in_a_ring),
        WITH_THREADS(timeouts_and_signals_race),
    };
    int failed = _cmocka_run_group_tests("events: tables", cases, count, NULL, NULL);
    return failed + cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
