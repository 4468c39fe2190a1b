/* test_ke_dpc.c - deferred procedure calls: when they run, where, in which order, and what their routines must not do. */
#include "../support/ke_machine.h"

#include "ke/dpc.h"

typedef struct note { /* what a routine saw */
    _Atomic uint32_t runs;
    PKDPC            dpc;
    PVOID            argument1, argument2;
    KIRQL            irql;
    ULONG            processor, executing;
} note_t;

static VOID take_note(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    note_t *note = context;

    note->dpc = dpc;
    note->argument1 = argument1;
    note->argument2 = argument2;
    note->irql = KeGetCurrentIrql();
    note->processor = KeGetCurrentProcessorNumber();
    note->executing = KeIsExecutingDpc();
    atomic_fetch_add(&note->runs, 1);
}

static KDPC   dpc;
static note_t note;

static int prepare(uint32_t processors)
{
    note = (note_t){ 0 };
    KeInitializeDpc(&dpc, take_note, &note);
    return ke_machine_boot(processors);
}
static int fresh_one(void **state)
{
    (void)state;
    return prepare(1);
}
static int fresh_two(void **state)
{
    (void)state;
    return prepare(2);
}
static int fresh_four(void **state)
{
    (void)state;
    return prepare(4);
}

/* ---- when ---- */

static void below_dispatch_level_it_runs_at_once(void **state)
{
    int one, two;

    (void)state;
    assert_true(KeInsertQueueDpc(&dpc, &one, &two));
    assert_int_equal(note.runs, 1);
    assert_ptr_equal(note.dpc, &dpc);
    assert_ptr_equal(note.argument1, &one);
    assert_ptr_equal(note.argument2, &two);
    assert_int_equal(note.irql, DISPATCH_LEVEL);
    assert_int_equal(note.processor, 0);
    assert_int_not_equal(note.executing, 0);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(KeIsExecutingDpc(), 0);
    assert_true(dpc.ProcessorHistory == 1);
}

static void at_dispatch_level_it_waits_for_the_lower(void **state)
{
    KIRQL old, higher;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_false(KeInsertQueueDpc(&dpc, NULL, NULL)); /* queued at most once */
    KeRaiseIrql(8, &higher);
    KeLowerIrql(higher);
    assert_int_equal(note.runs, 0);
    assert_int_equal(KeIsExecutingDpc(), 0);
    KeLowerIrql(APC_LEVEL);
    assert_int_equal(note.runs, 1);
    assert_int_equal(note.irql, DISPATCH_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(old);
    assert_int_equal(note.runs, 1);
}

static void a_queued_dpc_is_not_initialised(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_stop(TIMER_OR_DPC_INVALID, 1, KeInitializeDpc(&dpc, dpc.DeferredRoutine, NULL));
    assert_int_equal(last_stop.parameter[1], (uintptr_t)&dpc);
}

static void from_dirql_it_waits_for_the_lower(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(9, &old);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(KeGetCurrentIrql(), 9);
    KeLowerIrql(DISPATCH_LEVEL);
    assert_int_equal(note.runs, 0);
    KeLowerIrql(old);
    assert_int_equal(note.runs, 1);
}

static void the_end_of_a_spin_lock_is_a_lower(void **state)
{
    KSPIN_LOCK lock = 0;
    KIRQL      old;

    (void)state;
    KeAcquireSpinLock(&lock, &old);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(note.runs, 0);
    KeReleaseSpinLock(&lock, old);
    assert_int_equal(note.runs, 1);
}

/* The objects are made, set and taken back at any IRQL. */
static void at_high_level_everything_but_the_flush_works(void **state)
{
    PROCESSOR_NUMBER number = { 0, 0, 0 };
    KIRQL            old = KzRaiseIrql(HIGH_LEVEL);

    (void)state;
    KeInitializeDpc(&dpc, take_note, &note);
    KeSetImportanceDpc(&dpc, HighImportance);
    KeSetTargetProcessorDpc(&dpc, 0);
    assert_int_equal(KeSetTargetProcessorDpcEx(&dpc, &number), STATUS_SUCCESS);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_true(KeRemoveQueueDpc(&dpc));
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(KeIsExecutingDpc(), 0);
    assert_int_equal(note.runs, 0);
    KeLowerIrql(old);
    assert_int_equal(note.runs, 1);
    old = KzRaiseIrql(HIGH_LEVEL);
    KeInitializeThreadedDpc(&dpc, take_note, &note);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    KeLowerIrql(old);
    KeFlushQueuedDpcs();
    assert_int_equal(note.runs, 2);
    assert_int_equal(note.irql, PASSIVE_LEVEL);
}

static void taken_back_it_does_not_run(void **state)
{
    KIRQL old;

    (void)state;
    assert_false(KeRemoveQueueDpc(&dpc));
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_true(KeRemoveQueueDpc(&dpc));
    assert_false(KeRemoveQueueDpc(&dpc));
    KeLowerIrql(old);
    assert_int_equal(note.runs, 0);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL)); /* and may be queued again */
    assert_int_equal(note.runs, 1);
}

/* ---- order ---- */

static char   order[16];
static size_t order_length;

static VOID write_letter(PKDPC unused, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)unused, (void)argument1, (void)argument2;
    order[order_length++] = (char)(uintptr_t)context;
}

#define LOW LowImportance
#define MEDIUM MediumImportance
#define HIGH HighImportance
#define MEDIUM_HIGH MediumHighImportance

static struct order_case {
    const char     *name, *removed, *expected;
    KDPC_IMPORTANCE importance[5]; /* of A, B, C, D, E, queued in this order */
} ORDERS[] = {
    { "order: all medium", "", "ABCDE", { MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM } },
    { "order: high goes to the head", "", "CABDE", { MEDIUM, MEDIUM, HIGH, LOW, MEDIUM_HIGH } },
    { "order: the last high one first", "", "EDABC", { LOW, MEDIUM, MEDIUM, HIGH, HIGH } },
    { "order: without the first", "A", "BCDE", { MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM } },
    { "order: without the last", "E", "ABCD", { MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM } },
    { "order: without some in between", "BD", "ACE", { MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM } },
    { "order: without any", "ABCDE", "", { HIGH, MEDIUM, MEDIUM, MEDIUM, MEDIUM } },
};

static void check_order(void **state)
{
    const struct order_case *c = *state;
    KDPC                     dpcs[5];
    KIRQL                    old;

    assert_int_equal(ke_machine_boot(1), 0);
    memset(order, 0, sizeof order);
    order_length = 0;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    for (int i = 0; i < 5; i++) {
        KeInitializeDpc(&dpcs[i], write_letter, (PVOID)(uintptr_t)('A' + i));
        KeSetImportanceDpc(&dpcs[i], c->importance[i]);
        assert_true(KeInsertQueueDpc(&dpcs[i], NULL, NULL));
    }
    for (const char *letter = c->removed; *letter != '\0'; letter++)
        assert_true(KeRemoveQueueDpc(&dpcs[*letter - 'A']));
    KeLowerIrql(old);
    assert_string_equal(order, c->expected);
    assert_true(ke_machine_shutdown());
}

static VOID queue_again(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    take_note(self, context, argument1, argument2);
    if (note.runs < 5 && !KeInsertQueueDpc(self, NULL, NULL))
        note.runs = 100;
}

static void a_routine_may_queue_its_dpc_again(void **state)
{
    (void)state;
    KeInitializeDpc(&dpc, queue_again, &note);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(note.runs, 5);
}

/* ---- where ---- */

static void on_an_idle_processor_its_dpc_thread_runs_it(void **state)
{
    PROCESSOR_NUMBER number = { 0, 3, 0 };

    (void)state;
    for (CCHAR i = 1; i < 3; i++) {
        KeSetTargetProcessorDpc(&dpc, i);
        assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
        KeFlushQueuedDpcs();
        assert_int_equal(note.runs, i);
        assert_int_equal(note.processor, i);
        assert_int_equal(note.irql, DISPATCH_LEVEL);
        assert_int_not_equal(note.executing, 0);
    }
    assert_int_equal(KeSetTargetProcessorDpcEx(&dpc, &number), STATUS_SUCCESS);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    KeFlushQueuedDpcs();
    assert_int_equal(note.processor, 3);
    assert_true(dpc.ProcessorHistory == 0xe);
    assert_int_equal(KeGetCurrentProcessorNumber(), 0);
}

static _Atomic uint32_t stage;

static void wait_for_stage(uint32_t wanted)
{
    while (atomic_load(&stage) != wanted)
        host_sleep_ns(50000);
}

static void *sit_on_processor_1(void *runs_before_and_after)
{
    uint32_t *runs = runs_before_and_after;
    KIRQL     old = KeRaiseIrqlToDpcLevel();

    atomic_store(&stage, KeGetCurrentProcessorNumber() == 1 ? 1 : 99);
    wait_for_stage(2);
    runs[0] = note.runs;
    KeLowerIrql(old);
    runs[1] = note.runs;
    return NULL;
}

static void on_a_busy_processor_the_lower_runs_it(void **state)
{
    uint32_t  runs[2] = { 99, 99 };
    KIRQL     old = KeRaiseIrqlToDpcLevel(); /* on processor 0, so the other thread is on 1 */
    pthread_t thread;

    (void)state;
    atomic_store(&stage, 0);
    thread = thread_run(sit_on_processor_1, runs);
    assert_true(eventually(atomic_load(&stage) == 1));
    KeSetTargetProcessorDpc(&dpc, 1);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    host_sleep_ns(2000000);
    atomic_store(&stage, 2);
    pthread_join(thread, NULL);
    assert_int_equal(runs[0], 0);
    assert_int_equal(runs[1], 1);
    assert_int_equal(note.processor, 1);
    KeLowerIrql(old);
}

static void *queue_and_end_at_dispatch_level(void *unused)
{
    (void)KeRaiseIrqlToDpcLevel();
    (void)KeInsertQueueDpc(&dpc, NULL, NULL);
    return unused;
}

static void a_dpc_survives_the_thread_that_queued_it(void **state)
{
    (void)state;
    pthread_join(thread_run(queue_and_end_at_dispatch_level, NULL), NULL);
    assert_true(eventually(note.runs == 1));
}

/* ---- threaded ---- */

static void a_threaded_dpc_runs_at_passive_level(void **state)
{
    (void)state;
    KeInitializeThreadedDpc(&dpc, take_note, &note);
    assert_true(KeInsertQueueDpc(&dpc, &dpc, NULL));
    KeFlushQueuedDpcs();
    assert_int_equal(note.runs, 1);
    assert_int_equal(note.irql, PASSIVE_LEVEL);
    assert_int_equal(note.executing, 0);
    assert_ptr_equal(note.argument1, &dpc);
}

static VOID flush_inside(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    KSPIN_LOCK lock = 0;
    KIRQL      old = KeAcquireSpinLockForDpc(&lock);

    KeReleaseSpinLockForDpc(&lock, old);
    KeFlushQueuedDpcs();
    take_note(self, context, argument1, argument2);
}

static void a_threaded_dpc_may_flush(void **state)
{
    (void)state;
    KeInitializeThreadedDpc(&dpc, flush_inside, &note);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_true(eventually(note.runs == 1));
}

/* ---- flushing ---- */

static void a_flush_waits_for_all(void **state)
{
    enum { EACH = 20, PROCESSORS = 4 };
    static KDPC   dpcs[PROCESSORS][EACH];
    static note_t notes[PROCESSORS][EACH];

    (void)state;
    for (int round = 0; round < 20; round++) {
        memset(notes, 0, sizeof notes);
        for (int p = 0; p < PROCESSORS; p++)
            for (int i = 0; i < EACH; i++) {
                if (i % 3 == 0)
                    KeInitializeThreadedDpc(&dpcs[p][i], take_note, &notes[p][i]);
                else
                    KeInitializeDpc(&dpcs[p][i], take_note, &notes[p][i]);
                KeSetTargetProcessorDpc(&dpcs[p][i], (CCHAR)p);
                assert_true(KeInsertQueueDpc(&dpcs[p][i], NULL, NULL));
            }
        KeFlushQueuedDpcs();
        for (int p = 0; p < PROCESSORS; p++)
            for (int i = 0; i < EACH; i++) {
                assert_int_equal(notes[p][i].runs, 1);
                assert_int_equal(notes[p][i].irql, i % 3 == 0 ? PASSIVE_LEVEL : DISPATCH_LEVEL);
                if (i % 3 != 0)
                    assert_int_equal(notes[p][i].processor, p);
            }
    }
}

#define ROUNDS 5000

static _Atomic uint32_t queued, ran;

static VOID count_run(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)self, (void)context, (void)argument1, (void)argument2;
    atomic_fetch_add(&ran, 1);
}

static void *queue_to_processor_1(void *mine)
{
    for (int i = 0; i < ROUNDS; i++)
        if (KeInsertQueueDpc(mine, NULL, NULL))
            atomic_fetch_add(&queued, 1);
    return NULL;
}

static void no_dpc_is_lost(void **state)
{
    enum { CROWD = 3 };
    static KDPC mine[CROWD];
    pthread_t   threads[CROWD];

    (void)state;
    atomic_store(&queued, 0);
    atomic_store(&ran, 0);
    for (int i = 0; i < CROWD; i++) {
        KeInitializeDpc(&mine[i], count_run, NULL);
        KeSetTargetProcessorDpc(&mine[i], i == 0 ? 0 : 1);
        threads[i] = thread_run(queue_to_processor_1, &mine[i]);
    }
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    KeFlushQueuedDpcs();
    assert_in_range(atomic_load(&queued), 1, CROWD * ROUNDS);
    assert_int_equal(atomic_load(&ran), atomic_load(&queued));
    for (int i = 0; i < 2; i++) /* the flush's markers are counted, too, a moment after they have run */
        assert_true(eventually(atomic_load(&ke_processors[i].dpcs_run) == atomic_load(&ke_processors[i].dpcs_queued)));
}

/* One thread lowers, once, just when another queues a DPC to its processor: somebody must run it, and nobody comes by later. */
enum { LAST_LOWERS = 5000 };
static _Atomic uint32_t begun, lowered;

static void *lower_once_a_round(void *unused)
{
    for (uint32_t round = 1; round <= LAST_LOWERS; round++) {
        KIRQL old = KeRaiseIrqlToDpcLevel();
        atomic_store(&begun, round);
        for (uint32_t n = round % 64; n > 0; n--)
            host_pause();
        KeLowerIrql(old);
        atomic_store(&lowered, round);
        while (atomic_load(&ran) < round && atomic_load(&ran) != LAST_LOWERS)
            host_yield();
    }
    return unused;
}

static void a_dpc_queued_during_a_lower_is_not_lost(void **state)
{
    KIRQL     old = KeRaiseIrqlToDpcLevel(); /* on processor 0: the other thread is on 1 */
    bool      lost = false;
    pthread_t thread;

    (void)state;
    begun = lowered = ran = 0;
    KeInitializeDpc(&dpc, count_run, NULL);
    KeSetTargetProcessorDpc(&dpc, 1);
    thread = thread_run(lower_once_a_round, NULL);
    for (uint32_t round = 1; round <= LAST_LOWERS && !lost; round++) {
        while (atomic_load(&begun) < round)
            host_pause();
        (void)KeInsertQueueDpc(&dpc, NULL, NULL);
        for (uint32_t spins = 0; spins < 100000 && atomic_load(&ran) < round; spins++)
            host_pause();
        lost = !eventually(atomic_load(&ran) >= round);
    }
    atomic_store(&ran, LAST_LOWERS);
    pthread_join(thread, NULL);
    KeLowerIrql(old);
    assert_false(lost);
}

static void a_flush_above_passive_level_is_a_mistake(void **state)
{
    static const KIRQL levels[] = { APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL };

    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(levels); i++) {
        ntmm_catch_frame frame;
        assert_int_equal(ke_machine_boot(1), 0);
        (void)KzRaiseIrql(levels[i]);
        if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
            KeFlushQueuedDpcs();
            fail();
        }
        assert_int_equal(frame.stop.code, IRQL_NOT_LESS_OR_EQUAL);
        assert_int_equal(frame.stop.parameter[1], levels[i]);
        assert_int_equal(frame.stop.parameter[2], 8);
        assert_true(ke_machine_shutdown());
    }
}

/* ---- the mistakes of routines ---- */

static VOID return_at_7(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)self, (void)context, (void)argument1, (void)argument2;
    (void)KzRaiseIrql(7);
}

static VOID return_at_passive_level(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)self, (void)context, (void)argument1, (void)argument2;
    KeLowerIrql(PASSIVE_LEVEL);
}

static VOID stay_in_a_region(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)self, (void)context, (void)argument1, (void)argument2;
    KeEnterCriticalRegion();
}

static struct routine_case {
    const char        *name;
    PKDEFERRED_ROUTINE routine;
    ULONG              code;
    ULONG_PTR          p1, p3, p4; /* p2 is the routine */
} ROUTINES[] = {
    { "0xC8: a DPC returns at DIRQL", return_at_7, IRQL_UNEXPECTED_VALUE, 7 << 16 | DISPATCH_LEVEL << 8, (ULONG_PTR)&dpc, 0 },
    { "0xC8: a DPC returns at PASSIVE_LEVEL", return_at_passive_level, IRQL_UNEXPECTED_VALUE, DISPATCH_LEVEL << 8, (ULONG_PTR)&dpc, 0 },
    { "0xC7/4: a DPC stays in a critical region", stay_in_a_region, TIMER_OR_DPC_INVALID, 4, 0, 0xffff },
};

static void check_routine(void **state)
{
    const struct routine_case *c = *state;

    fresh_one(NULL);
    KeInitializeDpc(&dpc, c->routine, NULL);
    assert_stop(c->code, c->p1, KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(last_stop.parameter[1], (uintptr_t)c->routine);
    assert_int_equal(last_stop.parameter[2], c->p3);
    assert_int_equal(last_stop.parameter[3], c->p4);
    assert_true(ke_machine_shutdown());
}

static void queue_and_flush(void)
{
    (void)KeInsertQueueDpc(&dpc, NULL, NULL);
    KeFlushQueuedDpcs(); /* leaves from here, if it was called before the stop; else it is refused */
    ke_wait_poll();
}

/* A second catch outside of the first stays until the DPC thread is through: a process without any catch would abort. */
static void a_bug_check_on_a_dpc_thread_stops_everybody(void **state)
{
    ntmm_catch_frame outer;

    (void)state;
    KeInitializeDpc(&dpc, return_at_7, NULL);
    KeSetTargetProcessorDpc(&dpc, 1);
    if (sigsetjmp(*ntmm_catch_push(&outer), 0) != 0)
        fail_msg("the inner catch was passed by");
    assert_stop(IRQL_UNEXPECTED_VALUE, 7 << 16 | DISPATCH_LEVEL << 8, queue_and_flush()); /* with the other thread's stop */
    assert_true(eventually(ke_dpc_settle()));
    assert_true(ke_threads_are_outside());
    ntmm_catch_pop(&outer);
}

/* ---- targets ---- */

static struct target_case {
    const char *name;
    CCHAR       number;
    ULONG_PTR   p3;
} TARGETS[] = { { "0xC7/3: processor 2 of 2", 2, 2 }, { "0xC7/3: processor 100", 100, 100 }, { "0xC7/3: processor -1", -1, 255 } };

static void check_target(void **state)
{
    const struct target_case *c = *state;

    fresh_two(NULL);
    assert_stop(TIMER_OR_DPC_INVALID, 3, KeSetTargetProcessorDpc(&dpc, c->number));
    assert_int_equal(last_stop.parameter[1], (uintptr_t)&dpc);
    assert_int_equal(last_stop.parameter[2], c->p3);
    assert_int_equal(last_stop.parameter[3], 2);
    assert_true(ke_machine_shutdown());
}

static void a_target_that_went_away_is_noticed_when_it_is_queued(void **state)
{
    (void)state;
    assert_int_equal(prepare(4), 0);
    KeSetTargetProcessorDpc(&dpc, 3);
    assert_true(ke_machine_shutdown());
    assert_int_equal(ke_machine_boot(2), 0);
    assert_stop(TIMER_OR_DPC_INVALID, 3, KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(last_stop.parameter[1], (uintptr_t)&dpc);
    assert_int_equal(last_stop.parameter[2], 3); /* the number as the driver knows it */
    assert_int_equal(last_stop.parameter[3], 2);
    assert_true(ke_machine_shutdown());
}

static void a_wrong_target_with_a_group_is_a_status(void **state)
{
    PROCESSOR_NUMBER far = { 1, 0, 0 }, high = { 0, 2, 0 }, reserved = { 0, 0, 1 };

    (void)state;
    assert_int_equal(KeSetTargetProcessorDpcEx(&dpc, &far), STATUS_INVALID_PARAMETER);
    assert_int_equal(KeSetTargetProcessorDpcEx(&dpc, &high), STATUS_INVALID_PARAMETER);
    assert_int_equal(KeSetTargetProcessorDpcEx(&dpc, &reserved), STATUS_INVALID_PARAMETER);
    assert_int_equal(dpc.Number, 0);
}

/* ---- the rest ---- */

static VOID ask_the_watchdog(PKDPC self, PVOID context, PVOID argument1, PVOID argument2)
{
    take_note(self, &note, argument1, argument2);
    note.processor = (ULONG)KeQueryDpcWatchdogInformation(context);
}

static void the_watchdog_is_disabled(void **state)
{
    KDPC_WATCHDOG_INFORMATION info, zero;
    KIRQL                     old;

    (void)state;
    memset(&zero, 0, sizeof zero);
    memset(&info, 0xff, sizeof info);
    KeInitializeDpc(&dpc, ask_the_watchdog, &info);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(note.processor, STATUS_SUCCESS);
    assert_memory_equal(&info, &zero, sizeof info);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(KeQueryDpcWatchdogInformation(&info), STATUS_UNSUCCESSFUL);
    KeLowerIrql(old);
}

static IO_DPC_ROUTINE dpc_for_isr;
static VOID           dpc_for_isr(PKDPC self, PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    take_note(self, device->DeviceExtension, irp, context);
}

static void a_device_has_a_dpc(void **state)
{
    DEVICE_OBJECT device;
    PIRP          irp = (PIRP)(void *)&stage;
    KIRQL         old;

    (void)state;
    memset(&device, 0, sizeof device);
    device.DeviceExtension = &note;
    IoInitializeDpcRequest(&device, dpc_for_isr);
    IoRequestDpc(&device, irp, &order);
    assert_int_equal(note.runs, 1);
    assert_ptr_equal(note.dpc, &device.Dpc);
    assert_ptr_equal(note.argument1, irp);
    assert_ptr_equal(note.argument2, &order);
    KeRaiseIrql(7, &old); /* as in the service routine */
    IoRequestDpc(&device, irp, NULL);
    IoRequestDpc(&device, NULL, &order); /* queued already: this request is lost, as documented for KeInsertQueueDpc */
    assert_int_equal(note.runs, 1);
    KeLowerIrql(old);
    assert_int_equal(note.runs, 2);
    assert_ptr_equal(note.argument1, irp);
    assert_null(note.argument2);
}

static void a_queued_dpc_is_forgotten_at_shutdown(void **state)
{
    (void)state;
    assert_int_equal(prepare(2), 0);
    (void)KeRaiseIrqlToDpcLevel();
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_true(ke_machine_shutdown());
    assert_int_equal(prepare(2), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    assert_int_equal(note.runs, 0);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(note.runs, 1);
    assert_true(ke_machine_shutdown());
}

static void without_a_machine_nothing_is_queued(void **state)
{
    PROCESSOR_NUMBER          first = { 0, 0, 0 };
    KDPC_WATCHDOG_INFORMATION info;

    (void)state;
    KeInitializeDpc(&dpc, take_note, &note);
    assert_false(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_non_null(strstr(ntmm_error(), "KeInsertQueueDpc: no machine is up"));
    assert_false(KeRemoveQueueDpc(&dpc));
    KeSetTargetProcessorDpc(&dpc, 0);
    assert_int_equal(dpc.Number, 0);
    assert_int_equal(KeSetTargetProcessorDpcEx(&dpc, &first), STATUS_UNSUCCESSFUL);
    assert_int_equal(KeIsExecutingDpc(), 0);
    assert_int_equal(KeQueryDpcWatchdogInformation(&info), STATUS_UNSUCCESSFUL);
    KeFlushQueuedDpcs();
    assert_non_null(strstr(ntmm_error(), "KeFlushQueuedDpcs: no machine is up"));
    assert_int_equal(note.runs, 0);
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(without_a_machine_nothing_is_queued),
        cmocka_unit_test_setup_teardown(below_dispatch_level_it_runs_at_once, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(at_dispatch_level_it_waits_for_the_lower, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(a_queued_dpc_is_not_initialised, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(from_dirql_it_waits_for_the_lower, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(the_end_of_a_spin_lock_is_a_lower, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(at_high_level_everything_but_the_flush_works, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(taken_back_it_does_not_run, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(a_routine_may_queue_its_dpc_again, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(on_an_idle_processor_its_dpc_thread_runs_it, fresh_four, shut_down),
        cmocka_unit_test_setup_teardown(on_a_busy_processor_the_lower_runs_it, fresh_two, shut_down),
        cmocka_unit_test_setup_teardown(a_dpc_survives_the_thread_that_queued_it, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(a_threaded_dpc_runs_at_passive_level, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(a_threaded_dpc_may_flush, fresh_two, shut_down),
        cmocka_unit_test_setup_teardown(a_flush_waits_for_all, fresh_four, shut_down),
        cmocka_unit_test_setup_teardown(no_dpc_is_lost, fresh_two, shut_down),
        cmocka_unit_test_setup_teardown(a_dpc_queued_during_a_lower_is_not_lost, fresh_two, shut_down),
        cmocka_unit_test(a_flush_above_passive_level_is_a_mistake),
        cmocka_unit_test_setup_teardown(a_bug_check_on_a_dpc_thread_stops_everybody, fresh_two, shut_down),
        cmocka_unit_test(a_target_that_went_away_is_noticed_when_it_is_queued),
        cmocka_unit_test_setup_teardown(a_wrong_target_with_a_group_is_a_status, fresh_two, shut_down),
        cmocka_unit_test_setup_teardown(the_watchdog_is_disabled, fresh_one, shut_down),
        cmocka_unit_test_setup_teardown(a_device_has_a_dpc, fresh_one, shut_down),
        cmocka_unit_test(a_queued_dpc_is_forgotten_at_shutdown),
    };
    enum {
        FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED),
        ORDER_COUNT = NTMM_ARRAY_COUNT(ORDERS),
        ROUTINE_COUNT = NTMM_ARRAY_COUNT(ROUTINES),
        TARGET_COUNT = NTMM_ARRAY_COUNT(TARGETS)
    };
    struct CMUnitTest tests[FIXED_COUNT + ORDER_COUNT + ROUTINE_COUNT + TARGET_COUNT];
    size_t            n = 0;

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[n++] = FIXED[i];
    for (size_t i = 0; i < ORDER_COUNT; i++)
        tests[n++] = (struct CMUnitTest){ .name = ORDERS[i].name, .test_func = check_order, .initial_state = &ORDERS[i] };
    for (size_t i = 0; i < ROUTINE_COUNT; i++)
        tests[n++] = (struct CMUnitTest){ .name = ROUTINES[i].name, .test_func = check_routine, .initial_state = &ROUTINES[i] };
    for (size_t i = 0; i < TARGET_COUNT; i++)
        tests[n++] = (struct CMUnitTest){ .name = TARGETS[i].name, .test_func = check_target, .initial_state = &TARGETS[i] };
    return cmocka_run_group_tests_name("ke dpc", tests, NULL, NULL);
}
