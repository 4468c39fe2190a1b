/*
 * work_queue.c - work items: one queue, and threads of the system that serve it.
 *
 *     ExQueueWorkItem --> tail of the queue --> a worker, woken; one more is made when all are busy --> routine at PASSIVE_LEVEL
 *
 * An item leaves the queue before its routine begins, so that the routine may queue it again, or free it. Workers live until the shutdown,
 * which they notice when the queue is empty; a halted machine has none after a moment.
 *
 * Locks       queue_lock for the queue and the counts; never held while a routine runs.
 * Source      WDK reference: wdm.h, ExQueueWorkItem, "System worker threads"; Bug Checks 0xE1, 0xE4.
 * Fidelity    the types of queues have no priorities among them.
 */
#include "ex/work_queue.h"

#include "ke/bugcheck.h"
#include "ke/probe.h"
#include "ke/system_thread.h"
#include "ke/timer.h"

#define WORKERS_MAX 8u
#define RECHECK_NS 10000000u /* how late a worker may notice that the machine has halted */

static ke_lock_t        queue_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY       queue; /* of WORK_QUEUE_ITEM.List */
static uint32_t         workers, idle_workers;
static _Atomic bool     stopping;
static _Atomic uint32_t calls; /* counts items; idle workers sleep on it */

void ex_work_boot(void)
{
    ke_lock_init(&queue_lock, KE_RANK_LEAF);
    queue.Flink = queue.Blink = &queue;
    workers = idle_workers = 0;
    atomic_store(&stopping, false);
}

void ex_work_stop(void)
{
    atomic_store(&stopping, true);
    atomic_fetch_add(&calls, 1);
    host_wake(&calls, true);
}

void ex_work_go_on(void) { atomic_store(&stopping, false); }

/* ---- a worker ---- */

static PWORK_QUEUE_ITEM pop(void)
{
    PWORK_QUEUE_ITEM item = NULL;
    ke_lock(&queue_lock);
    PLIST_ENTRY first = queue.Flink;
    if (first != &queue) {
        item = CONTAINING_RECORD(first, WORK_QUEUE_ITEM, List);
        queue.Flink = first->Flink;
        first->Flink->Blink = &queue;
        item->List.Flink = NULL;
    }
    ke_unlock(&queue_lock);
    return item;
}

void ex_work_check_return(ULONG_PTR routine, ULONG_PTR parameter, ULONG_PTR item)
{
    const KIRQL irql = ke_self()->irql;
    if (irql != PASSIVE_LEVEL)
        ke_bugcheck("ExQueueWorkItem", "The routine of a work item returned above PASSIVE_LEVEL.", WORKER_THREAD_RETURNED_AT_BAD_IRQL,
                    routine, irql, parameter, item);
}

static void run_all(void)
{
    for (PWORK_QUEUE_ITEM item = pop(); item != NULL; item = pop()) {
        const WORK_QUEUE_ITEM copy = *item; /* the routine may free it */
        atomic_fetch_sub(&ke_work_waiting, 1);
        copy.WorkerRoutine(copy.Parameter);
        ex_work_check_return((ULONG_PTR)(uintptr_t)copy.WorkerRoutine, (ULONG_PTR)copy.Parameter, (ULONG_PTR)item);
    }
}

static void count_idle(int by)
{
    atomic_store(&ke_self()->idle, by > 0);
    ke_lock(&queue_lock);
    idle_workers = (uint32_t)((int)idle_workers + by);
    ke_unlock(&queue_lock);
}

/* Whoever queues after this finds one worker fewer, and makes one. */
static bool may_end(void)
{
    ke_lock(&queue_lock);
    bool is_over = atomic_load(&stopping) && queue.Flink == &queue;
    workers -= is_over;
    ke_unlock(&queue_lock);
    return is_over;
}

static VOID work(PVOID unused)
{
    (void)unused;
    while (atomic_load(&ke_machine_state) == KE_MACHINE_UP) {
        uint32_t seen = atomic_load(&calls);
        run_all();
        if (may_end())
            return;
        count_idle(1);
        host_wait(&calls, seen, RECHECK_NS);
        count_idle(-1);
    }
}

/* ---- queueing ---- */

static bool push(PWORK_QUEUE_ITEM item, bool *one_more)
{
    ke_lock(&queue_lock);
    bool is_new = item->List.Flink == NULL;
    if (is_new) {
        item->List.Flink = &queue;
        item->List.Blink = queue.Blink;
        queue.Blink->Flink = &item->List;
        queue.Blink = &item->List;
        atomic_fetch_add(&ke_work_waiting, 1);
        atomic_fetch_add(&ke_activity, 1);
        *one_more = idle_workers == 0 && workers < WORKERS_MAX;
        workers += *one_more;
    }
    ke_unlock(&queue_lock);
    return is_new;
}

const WORK_QUEUE_ITEM *ex_work_queued_in(uintptr_t address, size_t bytes)
{
    ke_lock(&queue_lock);
    const LIST_ENTRY *at = queue.Flink;
    while (at != &queue && (uintptr_t)at - address >= bytes)
        at = at->Flink;
    ke_unlock(&queue_lock);
    return at != &queue ? CONTAINING_RECORD(at, WORK_QUEUE_ITEM, List) : NULL;
}

/* The others serve the queue when the host has no thread; with no other one the next item tries again. */
static void make_worker(void)
{
    ke_system_thread_t *thread = ke_system_thread_make(work, NULL, NULL);
    if (thread != NULL) {
        ke_thread_t *record = ke_system_thread_object(thread);
        ke_system_thread_begin(thread, true);
        (void)ke_thread_object_dereference(record->kthread);
        return;
    }
    ke_lock(&queue_lock);
    workers--;
    ke_unlock(&queue_lock);
}

bool ex_work_is_queued(const WORK_QUEUE_ITEM *item)
{
    ke_lock(&queue_lock);
    bool is_queued = item->List.Flink != NULL;
    ke_unlock(&queue_lock);
    return is_queued;
}

void ex_work_queue_by_type(const char *routine, PWORK_QUEUE_ITEM item, WORK_QUEUE_TYPE type)
{
    bool         one_more = false;
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return;
    (void)__atomic_load_n(&item->List.Flink, __ATOMIC_RELAXED); /* a bad address faults here */
    bool is_new = push(item, &one_more);
    if (one_more)
        make_worker();
    ke_thread_leave(self);
    if (!is_new)
        ke_bugcheck(routine, "The work item is in the queue already.", WORKER_INVALID, 1, (ULONG_PTR)item, type, 0);
    atomic_fetch_add(&calls, 1);
    host_wake(&calls, true);
}

void ex_work_queue(const char *routine, PWORK_QUEUE_ITEM item) { ex_work_queue_by_type(routine, item, DelayedWorkQueue); }

/* CustomPriorityWorkQueue and a thread priority added to it name a queue, too. */
static bool is_queue(WORK_QUEUE_TYPE type)
{
    unsigned number = (unsigned)type;
    return number < MaximumWorkQueue || (number >= CustomPriorityWorkQueue && number <= CustomPriorityWorkQueue + MAXIMUM_PRIORITY - 1);
}

void ex_work_check_words(const char *routine, const void *item, WORK_QUEUE_TYPE type, ULONG_PTR worker_routine)
{
    if (ke_thread_ready(routine) == NULL)
        return;
    if (!is_queue(type))
        ke_bugcheck(routine, "There is no such queue of work items.", WORKER_INVALID, 6, (ULONG_PTR)item, (ULONG)type, 0);
    if (worker_routine == 0)
        ke_bugcheck(routine, "The work item has no routine.", WORKER_INVALID, 7, (ULONG_PTR)item, (ULONG)type, 0);
    ke_probe_lock(routine, KE_WORK_ITEM_QUEUE, item, 0);
}

VOID ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ex_work_check_words(__func__, WorkItem, QueueType, (ULONG_PTR)(uintptr_t)WorkItem->WorkerRoutine);
    ex_work_queue_by_type(__func__, WorkItem, QueueType);
}
