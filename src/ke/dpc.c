/*
 * dpc.c - deferred procedure calls: one queue per processor, run when its IRQL falls below DISPATCH_LEVEL.
 *
 *     KeInsertQueueDpc --> queue of the processor --+-- its owner lowers: ke_processor_drain ------------> routine at DISPATCH_LEVEL
 *                                                   `-- nobody is there: its DPC thread claims it, drains -'
 *                      --> threaded queue ------------- its DPC thread ----------------------------------> routine at PASSIVE_LEVEL
 *
 * A processor's own thread sees its DPCs on the next lower, so that one queued below DISPATCH_LEVEL has run when KeInsertQueueDpc returns.
 * For another processor the question is whether its owner will lower: KE_PENDING_DPC is set, then after a heavy fence the owner is either
 * seen at DISPATCH_LEVEL (and sees the bit when it lowers), or the DPC thread is called. DPC threads are made when first needed.
 *
 * A KDPC leaves its queue before its routine begins, so that the routine may queue it again, or free it.
 *
 * Locks       dpc_lock of a processor, for queues and DpcData; never held while a routine runs.
 * Source      WDK reference: "Organization of DPC queues", "Introduction to threaded DPCs", wdm.h; Bug Check 0xC7, 0xC8.
 * Fidelity    importance orders the queue (High at the head); the delays of low importance are not modelled: a processor is always
 *             interrupted at once. The watchdog is disabled.
 */
#include "ke/dpc.h"

#include <string.h>

#include "ke/bugcheck.h"
#include "ke/dpc_object.h"
#include "ke/force_irql.h"
#include "ke/irql.h"
#include "ke/region.h"
#include "ke/timer.h"
#include "ke/try.h"

#define SETTLE_PATIENCE_NS 1000000000u
#define STOP_PATIENCE_NS 2000000000u /* a routine of a halted machine that never returns is left behind */
#define FLUSH_TURN_NS 1000000u

enum dpc_thread_state { DPC_THREAD_NONE, DPC_THREAD_STARTING, DPC_THREAD_RUNNING, DPC_THREAD_STOPPING, DPC_THREAD_ENDED };

typedef struct dpc_call { /* what a KDPC said when it left its queue */
    PKDPC              dpc;
    PKDEFERRED_ROUTINE routine;
    PVOID              context, argument1, argument2;
} dpc_call_t;

/* ---- queues ---- */

static void push_locked(ke_dpc_queue_t *queue, PSINGLE_LIST_ENTRY entry, bool at_head)
{
    entry->Next = at_head ? queue->head : NULL;
    if (queue->tail == NULL)
        queue->head = queue->tail = entry;
    else if (at_head)
        queue->head = entry;
    else
        queue->tail = queue->tail->Next = entry;
}

static bool unlink_locked(ke_dpc_queue_t *queue, PSINGLE_LIST_ENTRY entry)
{
    PSINGLE_LIST_ENTRY before = NULL, at;

    for (at = queue->head; at != NULL && at != entry; at = at->Next)
        before = at;
    if (at == NULL)
        return false;
    if (before == NULL)
        queue->head = entry->Next;
    else
        before->Next = entry->Next;
    if (queue->tail == entry)
        queue->tail = before;
    return true;
}

static const KDPC *find_in_locked(const ke_dpc_queue_t *queue, uintptr_t address, size_t bytes)
{
    const SINGLE_LIST_ENTRY *at = queue->head;
    while (at != NULL && (uintptr_t)at - address >= bytes)
        at = at->Next;
    return at != NULL ? CONTAINING_RECORD(at, KDPC, DpcListEntry) : NULL;
}

const KDPC *ke_dpc_queued_in(uintptr_t address, size_t bytes)
{
    const KDPC *found = NULL;
    for (uint32_t i = 0; i < ke_processor_count && found == NULL; i++) {
        ke_processor_t *processor = &ke_processors[i];
        ke_lock(&processor->dpc_lock);
        found = find_in_locked(&processor->dpc_queue, address, bytes);
        if (found == NULL)
            found = find_in_locked(&processor->threaded_queue, address, bytes);
        ke_unlock(&processor->dpc_lock);
    }
    return found;
}

static ke_dpc_queue_t *queue_of(ke_processor_t *processor, PKDPC dpc)
{
    return dpc->Type == KE_THREADED_DPC_OBJECT ? &processor->threaded_queue : &processor->dpc_queue;
}

/* false: it is queued already, here or elsewhere. */
static bool insert(ke_processor_t *processor, PKDPC dpc, PVOID argument1, PVOID argument2)
{
    ke_dpc_queue_t *queue = queue_of(processor, dpc);
    PVOID           expected = NULL;
    bool            inserted;

    ke_lock(&processor->dpc_lock);
    inserted = __atomic_compare_exchange_n(&dpc->DpcData, &expected, (PVOID)processor, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (inserted) {
        dpc->SystemArgument1 = argument1;
        dpc->SystemArgument2 = argument2;
        dpc->ProcessorHistory |= (KAFFINITY)1 << processor->number;
        push_locked(queue, &dpc->DpcListEntry, dpc->Importance == HighImportance);
        atomic_fetch_add_explicit(&processor->dpcs_queued, 1, memory_order_relaxed);
        if (queue == &processor->dpc_queue)
            atomic_fetch_or(&processor->pending, KE_PENDING_DPC);
    }
    ke_unlock(&processor->dpc_lock);
    return inserted;
}

static bool pop(ke_processor_t *processor, bool threaded, dpc_call_t *call)
{
    ke_dpc_queue_t *queue = threaded ? &processor->threaded_queue : &processor->dpc_queue;
    PKDPC           dpc = NULL;

    ke_lock(&processor->dpc_lock);
    if (queue->head != NULL) {
        dpc = CONTAINING_RECORD(queue->head, KDPC, DpcListEntry);
        *call = (dpc_call_t){ dpc, dpc->DeferredRoutine, dpc->DeferredContext, dpc->SystemArgument1, dpc->SystemArgument2 };
        unlink_locked(queue, &dpc->DpcListEntry);
        atomic_store(threaded ? &processor->executing_threaded : &processor->executing, dpc);
        __atomic_store_n(&dpc->DpcData, (PVOID)NULL, __ATOMIC_RELEASE);
    } else if (!threaded) {
        atomic_fetch_and(&processor->pending, ~(uint32_t)KE_PENDING_DPC);
    }
    ke_unlock(&processor->dpc_lock);
    return dpc != NULL;
}

/* ---- running ---- */

static void run(ke_processor_t *processor, ke_thread_t *thread, const dpc_call_t *call)
{
    ULONG_PTR apcs = ke_apc_disable_count(thread);
    KIRQL     irql = thread->irql;
    uint32_t  fence = ke_try_fence((uintptr_t)__builtin_frame_address(0));

    call->routine(call->dpc, call->context, call->argument1, call->argument2);
    ke_try_unfence(fence);
    if (thread->irql != irql)
        ke_bugcheck("KeInsertQueueDpc", "A DPC routine returned at another IRQL than it was called at.", IRQL_UNEXPECTED_VALUE,
                    (ULONG_PTR)thread->irql << 16 | (ULONG_PTR)irql << 8, (ULONG_PTR)call->routine, (ULONG_PTR)call->dpc, 0);
    if (ke_apc_disable_count(thread) != apcs)
        ke_bugcheck("KeInsertQueueDpc", "A DPC routine did not leave a critical or guarded region, or left one that it had not entered.",
                    TIMER_OR_DPC_INVALID, 4, (ULONG_PTR)call->routine, apcs, ke_apc_disable_count(thread));
    atomic_fetch_add_explicit(&processor->dpcs_run, 1, memory_order_relaxed);
}

void ke_processor_drain(ke_thread_t *thread)
{
    ke_processor_t *processor = thread->processor;
    dpc_call_t      call;

    if ((atomic_load_explicit(&processor->pending, memory_order_acquire) & KE_PENDING_DPC) == 0)
        return;
    while (pop(processor, false, &call)) {
        thread->dpc = call.dpc;
        run(processor, thread, &call);
        thread->dpc = NULL;
        atomic_store(&processor->executing, NULL);
        ke_wait_poll();
    }
}

/* ---- the DPC thread of a processor ---- */

/* Below DISPATCH_LEVEL: go where the DPCs are, and come back down. false: the machine has stopped. */
static bool run_ordinary(ke_processor_t *processor, ke_thread_t *thread)
{
    if ((atomic_load(&processor->pending) & KE_PENDING_DPC) == 0)
        return true;
    if (ke_processor_claim(thread, processor->number, "the DPC thread") == NULL)
        return false;
    thread->irql = DISPATCH_LEVEL;
    ke_forced_raised();
    ke_lower(thread, PASSIVE_LEVEL, "the DPC thread", KE_CALLER());
    ke_processor_release(thread);
    return true;
}

static void run_threaded(ke_processor_t *processor, ke_thread_t *thread)
{
    dpc_call_t call;

    while (pop(processor, true, &call)) {
        run(processor, thread, &call);
        atomic_store(&processor->executing_threaded, NULL);
        ke_wait_poll();
    }
}

static bool is_stopping(ke_processor_t *processor) { return atomic_load(&processor->dpc_thread_state) == DPC_THREAD_STOPPING; }

static void dpc_thread_serve(void *argument)
{
    ke_processor_t *processor = argument;
    ke_thread_t    *thread;

    while (!is_stopping(processor) && atomic_load(&ke_machine_state) == KE_MACHINE_UP) {
        uint32_t calls = atomic_load(&processor->wake);

        thread = ke_thread_enter("the DPC thread");
        if (thread == NULL)
            return;
        atomic_store(&thread->is_system, 1);
        atomic_store(&thread->idle, 1); /* whether it has something to do idle_at says */
        thread->serves = processor;
        if (!run_ordinary(processor, thread))
            return;
        run_threaded(processor, thread);
        ke_thread_leave(thread);
        atomic_store(&processor->idle_at, calls);
        while (atomic_load(&processor->wake) == calls && !is_stopping(processor))
            host_wait(&processor->wake, calls, 0);
    }
}

static void dpc_thread_main(void *argument)
{
    ke_processor_t *processor = argument;

    ke_system_thread_guard(dpc_thread_serve, processor);
    atomic_store(&processor->idle_at, atomic_load(&processor->wake));
    atomic_store(&processor->dpc_thread_state, DPC_THREAD_ENDED);
}

static void dpc_thread_start(ke_processor_t *processor)
{
    uint32_t none = DPC_THREAD_NONE, starting = DPC_THREAD_STARTING;
    int      error;

    if (!atomic_compare_exchange_strong(&processor->dpc_thread_state, &none, DPC_THREAD_STARTING))
        return;
    error = host_thread_start(&processor->dpc_thread, dpc_thread_main, processor);
    if (error == 0) {
        atomic_compare_exchange_strong(&processor->dpc_thread_state, &starting, DPC_THREAD_RUNNING);
        return;
    }
    ke_error(error, "processor %u: the host has no thread for its DPCs; they wait for the next thread that comes by", processor->number);
    atomic_store(&processor->idle_at, atomic_load(&processor->wake));
    atomic_store(&processor->dpc_thread_state, DPC_THREAD_NONE);
}

NTMM_COLD void ke_dpc_kick(ke_processor_t *processor)
{
    if (atomic_load(&ke_machine_state) != KE_MACHINE_UP)
        return;
    atomic_fetch_add(&ke_activity, 1);
    atomic_fetch_add(&processor->wake, 1);
    host_wake(&processor->wake, true);
    dpc_thread_start(processor);
}

static bool wait_until(ke_processor_t *processor, bool (*condition)(ke_processor_t *), uint64_t patience_ns)
{
    uint64_t deadline = host_clock_ns() + patience_ns;

    while (!condition(processor)) {
        if (host_clock_ns() > deadline)
            return false;
        host_sleep_ns(50000);
    }
    return true;
}

static bool is_idle(ke_processor_t *processor) { return atomic_load(&processor->idle_at) == atomic_load(&processor->wake); }
static bool has_ended(ke_processor_t *processor) { return atomic_load(&processor->dpc_thread_state) == DPC_THREAD_ENDED; }
static bool has_started(ke_processor_t *processor) { return atomic_load(&processor->dpc_thread_state) != DPC_THREAD_STARTING; }

bool ke_dpc_is_settled(void)
{
    for (uint32_t i = 0; i < ke_processor_count; i++)
        if (!is_idle(&ke_processors[i]))
            return false;
    return true;
}

bool ke_dpc_settle(void)
{
    for (uint32_t i = 0; i < ke_processor_count; i++)
        if (!wait_until(&ke_processors[i], is_idle, SETTLE_PATIENCE_NS))
            return false;
    return true;
}

void ke_dpc_shutdown(void)
{
    for (uint32_t i = 0; i < ke_processor_count; i++) {
        ke_processor_t *processor = &ke_processors[i];
        uint32_t        running = DPC_THREAD_RUNNING;

        wait_until(processor, has_started, STOP_PATIENCE_NS);
        if (atomic_load(&processor->dpc_thread_state) == DPC_THREAD_NONE)
            continue;
        atomic_compare_exchange_strong(&processor->dpc_thread_state, &running, DPC_THREAD_STOPPING);
        atomic_fetch_add(&processor->wake, 1);
        host_wake(&processor->wake, true);
        if (wait_until(processor, has_ended, STOP_PATIENCE_NS))
            host_thread_join(processor->dpc_thread);
        processor->dpc_thread = NULL;
    }
}

/* ---- objects ---- */

static void dpc_init(PKDPC dpc, UCHAR type, PKDEFERRED_ROUTINE routine, PVOID context)
{
    memset(dpc, 0, sizeof *dpc);
    dpc->Type = type;
    dpc->Importance = MediumImportance;
    dpc->DeferredRoutine = routine;
    dpc->DeferredContext = context;
}

static bool is_in_locked(const ke_dpc_queue_t *queue, PSINGLE_LIST_ENTRY entry)
{
    PSINGLE_LIST_ENTRY at = queue->head;
    while (at != NULL && at != entry)
        at = at->Next;
    return at != NULL;
}

/* Looked for by its address: what is in its memory may never have been written. */
static void require_not_queued(const char *routine, PRKDPC dpc)
{
    bool queued = false;
    for (uint32_t i = 0; atomic_load(&ke_machine_state) == KE_MACHINE_UP && i < ke_processor_count && !queued; i++) {
        ke_processor_t *processor = &ke_processors[i];
        ke_lock(&processor->dpc_lock);
        queued = is_in_locked(&processor->dpc_queue, &dpc->DpcListEntry) || is_in_locked(&processor->threaded_queue, &dpc->DpcListEntry);
        ke_unlock(&processor->dpc_lock);
    }
    if (queued)
        ke_bugcheck(routine, "The DPC is initialised once more, and is still queued: remove or flush it first.", TIMER_OR_DPC_INVALID, 1,
                    (ULONG_PTR)dpc, (ULONG_PTR)dpc, (ULONG_PTR)(dpc + 1));
}

VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    require_not_queued(__func__, Dpc);
    dpc_init(Dpc, KE_DPC_OBJECT, DeferredRoutine, DeferredContext);
}

VOID KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    require_not_queued(__func__, Dpc);
    dpc_init(Dpc, KE_THREADED_DPC_OBJECT, DeferredRoutine, DeferredContext);
}

VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance) { Dpc->Importance = (UCHAR)Importance; }

static _Noreturn void target_is_wrong(const char *routine, PKDPC dpc, ULONG_PTR number)
{
    ke_bugcheck(routine, "The DPC's target processor does not exist.", TIMER_OR_DPC_INVALID, 3, (ULONG_PTR)dpc, number, ke_processor_count);
}

VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number)
{
    UCHAR number = (UCHAR)Number; /* CCHAR is signed on some hosts and not on others */

    if (ke_thread_ready(__func__) == NULL)
        return;
    if (number >= ke_processor_count)
        target_is_wrong(__func__, Dpc, number);
    Dpc->Number = (USHORT)(KE_DPC_TARGETED + number);
}

NTSTATUS KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber)
{
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (ProcNumber->Group != 0 || ProcNumber->Reserved != 0 || ProcNumber->Number >= ke_processor_count)
        return STATUS_INVALID_PARAMETER;
    Dpc->Number = (USHORT)(KE_DPC_TARGETED + ProcNumber->Number);
    return STATUS_SUCCESS;
}

/* ---- queueing ---- */

static ke_processor_t *target_of(PKDPC dpc, ke_thread_t *thread, const char *routine)
{
    ULONG number = dpc->Number;

    if (number == 0)
        return thread->processor;
    if (number - KE_DPC_TARGETED >= ke_processor_count) /* damaged, or set before the machine was booted anew */
        target_is_wrong(routine, dpc, number < KE_DPC_TARGETED ? number : number - KE_DPC_TARGETED);
    return &ke_processors[number - KE_DPC_TARGETED];
}

/* The queue is on a processor that is not this thread's: will somebody come? */
static void call_for(ke_processor_t *processor, bool threaded)
{
    ke_thread_t *owner;

    host_fence_heavy();
    owner = atomic_load(&processor->owner);
    if (threaded || owner == NULL || atomic_load(&owner->dispatching) == 0)
        ke_dpc_kick(processor);
}

static bool queue_on(ke_processor_t *processor, ke_thread_t *thread, PKDPC dpc, PVOID argument1, PVOID argument2)
{
    bool threaded = dpc->Type == KE_THREADED_DPC_OBJECT; /* it may be gone once it is queued */

    if (!insert(processor, dpc, argument1, argument2))
        return false;
    if (threaded || processor != thread->processor || thread->irql < DISPATCH_LEVEL)
        call_for(processor, threaded);
    return true;
}

static bool queue_here(const char *routine, PKDPC dpc, PVOID argument1, PVOID argument2, ULONG_PTR caller)
{
    KIRQL       irql = ke_self()->irql > DISPATCH_LEVEL ? ke_self()->irql : DISPATCH_LEVEL;
    ke_raised_t raised = ke_raise(irql, routine, caller); /* the current processor shall stay this one */
    bool        inserted;

    if (raised.thread == NULL)
        return false;
    inserted = queue_on(target_of(dpc, raised.thread, routine), raised.thread, dpc, argument1, argument2);
    if (raised.old < DISPATCH_LEVEL)
        ke_lower(raised.thread, raised.old, routine, caller);
    return inserted;
}

BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    return queue_here(__func__, Dpc, SystemArgument1, SystemArgument2, KE_CALLER());
}

bool ke_dpc_queue_here(const char *routine, PKDPC dpc) { return queue_here(routine, dpc, NULL, NULL, KE_CALLER()); }

bool ke_dpc_queue_there(const char *routine, PKDPC dpc, uint16_t processor)
{
    bool            threaded = dpc->Type == KE_THREADED_DPC_OBJECT;
    ke_processor_t *target = dpc->Number == 0 ? &ke_processors[processor % ke_processor_count] : target_of(dpc, ke_self(), routine);

    if (!insert(target, dpc, NULL, NULL))
        return false;
    call_for(target, threaded);
    return true;
}

BOOLEAN KeRemoveQueueDpc(PRKDPC Dpc)
{
    ke_processor_t *processor = __atomic_load_n(&Dpc->DpcData, __ATOMIC_ACQUIRE);
    bool            removed;

    if (ke_thread_ready(__func__) == NULL || processor == NULL)
        return FALSE;
    ke_lock(&processor->dpc_lock);
    removed = __atomic_load_n(&Dpc->DpcData, __ATOMIC_RELAXED) == processor && unlink_locked(queue_of(processor, Dpc), &Dpc->DpcListEntry);
    if (removed)
        __atomic_store_n(&Dpc->DpcData, (PVOID)NULL, __ATOMIC_RELEASE);
    ke_unlock(&processor->dpc_lock);
    return removed;
}

/* ---- flushing ---- */

static KDEFERRED_ROUTINE mark_reached;
static VOID              mark_reached(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    ke_thread_t *thread = context;

    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(argument1);
    UNREFERENCED_PARAMETER(argument2);
    atomic_fetch_add(&thread->flushed, 1);
    host_wake(&thread->flushed, true);
}

static bool has_work(ke_processor_t *processor, bool threaded)
{
    bool work;

    ke_lock(&processor->dpc_lock);
    work = threaded ? processor->threaded_queue.head != NULL || atomic_load(&processor->executing_threaded) != NULL
                    : processor->dpc_queue.head != NULL || atomic_load(&processor->executing) != NULL;
    ke_unlock(&processor->dpc_lock);
    return work;
}

/* A marker at the end of the queue runs when everything before it has. */
static void flush_queue(ke_processor_t *processor, ke_thread_t *thread, bool threaded)
{
    PKDPC marker = &thread->flush[threaded];

    if (!has_work(processor, threaded))
        return;
    dpc_init(marker, threaded ? KE_THREADED_DPC_OBJECT : KE_DPC_OBJECT, mark_reached, thread);
    atomic_store(&thread->flushed, 0);
    (void)queue_on(processor, thread, marker, NULL, NULL);
    while (atomic_load(&thread->flushed) == 0) {
        host_wait(&thread->flushed, 0, FLUSH_TURN_NS);
        ke_wait_poll();
    }
}

VOID KeFlushQueuedDpcs(VOID)
{
    ke_thread_t *thread = ke_thread_ready(__func__);

    if (thread == NULL)
        return;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    thread = ke_thread_enter(__func__);
    for (uint32_t i = 0; thread != NULL && i < ke_processor_count; i++) {
        if (&ke_processors[i] == thread->serves) { /* a threaded DPC flushes: this thread itself is who runs that processor's DPCs */
            (void)run_ordinary(&ke_processors[i], thread);
            continue;
        }
        flush_queue(&ke_processors[i], thread, false);
        flush_queue(&ke_processors[i], thread, true);
    }
    if (thread != NULL)
        ke_thread_leave(thread);
}

/* ---- asking ---- */

static bool is_executing(const ke_thread_t *thread)
{
    return thread != NULL && thread->irql >= DISPATCH_LEVEL && atomic_load(&thread->processor->executing) != NULL;
}

ULONG KeIsExecutingDpc(VOID) { return is_executing(ke_thread_ready(__func__)); }

NTSTATUS KeQueryDpcWatchdogInformation(PKDPC_WATCHDOG_INFORMATION WatchdogInformation)
{
    ke_thread_t *thread = ke_thread_ready(__func__);

    memset(WatchdogInformation, 0, sizeof *WatchdogInformation);
    return is_executing(thread) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
