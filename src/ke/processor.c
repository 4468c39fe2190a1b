/*
 * processor.c - who has which processor: claim, take over, hand over.
 *
 *     idle, owner A (bias) --A raises: no call in here--> A dispatching --A lowers--> idle, owner A
 *        |                                                     ^    |
 *        | B claims: take_over, A not dispatching              |    | A lowers, B has waited long: hand_over
 *        v                                                     |    v
 *     B dispatching -------------------------------------------'    B dispatching
 *
 * A thread that finds no processor spins, yields and sleeps in short turns, so that the owner may go on without a switch of threads at each
 * lower. After that it stands in the queue of waiters and marks the processors as wanted: the next lower hands one over, first come, first
 * served. Hence no thread starves, and a crowd on one processor costs a switch per turn of some 100 microseconds and not per raise.
 *
 * Which one: the thread's last, else the lowest that nobody owns, else the lowest idle one. A thread alone is always on processor 0.
 *
 * Locks       claim_lock (a leaf): owners, the queue of waiters. Never held while waiting.
 * Source      none for the mechanism; WDK reference: "Managing hardware priorities" for what DISPATCH_LEVEL promises.
 * Fidelity    a thread may come back to another processor after each lower, as on Windows; affinity is not modelled.
 */
#include "ke/thread.h"

#include <errno.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "ke/dpc.h"
#include "ke/interrupt.h"
#include "ke/spinlock.h"
#include "ke/time.h"
#include "ke/timer.h"
#include "ke/wait.h"

#define WAIT_SPINS 8u   /* rounds of 1, 2, 4 ... pauses */
#define WAIT_YIELDS 16u /* rounds after them that yield */
#define WAIT_NAPS 2u    /* rounds after them that sleep, before the thread queues up */
#define WAIT_NAP_NS 50000u
#define WAIT_QUEUED_NS 1000000u /* a queued waiter looks for itself that often */

ke_processor_t ke_processors[KE_PROCESSORS_MAX];
ke_processor_t ke_no_processor = { .pending = KE_PENDING_STOPPED };
uint32_t       ke_processor_count;
uint32_t       ke_node_count;

static ke_lock_t    claim_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static ke_thread_t *waiters_first, *waiters_last; /* (C) by wait_next */

static bool machine_is_up(void) { return atomic_load(&ke_machine_state) == KE_MACHINE_UP; }

/* ---- taking, under the claim lock ---- */

static void give_up_locked(ke_thread_t *thread)
{
    if (atomic_load_explicit(&thread->processor->owner, memory_order_relaxed) == thread)
        atomic_store(&thread->processor->owner, NULL);
}

/* Against ke_processors_disarm, which takes no lock: either it sees the new owner, or the new owner sees that the machine has stopped. */
static bool give_locked(ke_processor_t *processor, ke_thread_t *thread)
{
    if (processor != thread->processor)
        give_up_locked(thread);
    thread->processor = processor;
    atomic_store(&processor->owner, thread);
    if (machine_is_up())
        return true;
    atomic_store(&processor->owner, NULL);
    return false;
}

static bool is_free_locked(ke_processor_t *processor)
{
    ke_thread_t *owner = atomic_load_explicit(&processor->owner, memory_order_acquire);

    if (owner == NULL)
        return true;
    if (atomic_load_explicit(&owner->dispatching, memory_order_relaxed) != 0)
        return false;
    atomic_store(&processor->owner, NULL);
    host_fence_heavy();
    if (atomic_load_explicit(&owner->dispatching, memory_order_acquire) == 0)
        return true;
    atomic_store(&processor->owner, owner); /* it came back in the meantime */
    return false;
}

static bool take_locked(ke_processor_t *processor, ke_thread_t *thread)
{
    bool mine = atomic_load_explicit(&processor->owner, memory_order_relaxed) == thread;
    return (mine || is_free_locked(processor)) && give_locked(processor, thread);
}

static bool take_any_locked(ke_thread_t *thread)
{
    if (thread->processor != &ke_no_processor && take_locked(thread->processor, thread))
        return true;
    for (uint32_t i = 0; i < ke_processor_count; i++)
        if (atomic_load_explicit(&ke_processors[i].owner, memory_order_acquire) == NULL && give_locked(&ke_processors[i], thread))
            return true;
    for (uint32_t i = 0; i < ke_processor_count; i++)
        if (take_locked(&ke_processors[i], thread))
            return true;
    return false;
}

static bool try_to_take(ke_thread_t *thread, uint32_t number)
{
    ke_lock(&claim_lock);
    bool taken = number == KE_PROCESSOR_ANY ? take_any_locked(thread) : take_locked(&ke_processors[number], thread);
    ke_unlock(&claim_lock);
    return taken;
}

/* ---- waiting ---- */

static void queue_locked(ke_thread_t *thread)
{
    thread->wait_next = NULL;
    if (waiters_first == NULL)
        waiters_first = thread;
    else
        waiters_last->wait_next = thread;
    waiters_last = thread;
}

static void unqueue_locked(ke_thread_t *thread, ke_thread_t *before)
{
    if (before == NULL)
        waiters_first = thread->wait_next;
    else
        before->wait_next = thread->wait_next;
    if (waiters_last == thread)
        waiters_last = before;
    thread->wait_next = NULL;
}

static void leave_queue(ke_thread_t *thread)
{
    ke_lock(&claim_lock);
    for (ke_thread_t *before = NULL, *t = waiters_first; t != NULL; before = t, t = t->wait_next)
        if (t == thread) {
            unqueue_locked(t, before);
            break;
        }
    ke_unlock(&claim_lock);
}

static void mark_wanted(uint32_t number)
{
    for (uint32_t i = 0; i < ke_processor_count; i++)
        if (number == KE_PROCESSOR_ANY || number == i)
            atomic_fetch_or(&ke_processors[i].pending, KE_PENDING_WANTED);
}

/* In turn: returns owning a processor, or with the machine stopped. */
static void wait_in_queue(ke_thread_t *thread, uint32_t number)
{
    atomic_store(&thread->granted, 0);
    thread->wait_number = number;
    ke_lock(&claim_lock);
    queue_locked(thread);
    ke_unlock(&claim_lock);
    while (atomic_load_explicit(&thread->granted, memory_order_acquire) == 0 && machine_is_up()) {
        mark_wanted(number);
        host_fence_heavy(); /* a lower that missed the mark has cleared `dispatching` by now: the next line sees it */
        if (try_to_take(thread, number)) {
            leave_queue(thread);
            return;
        }
        host_wait(&thread->granted, 0, WAIT_QUEUED_NS);
        ke_wait_poll();
    }
}

static void wait_out_of_queue(uint32_t round)
{
    if (round < WAIT_SPINS)
        for (uint32_t i = 0; i < 1u << round; i++)
            host_pause();
    else if (round < WAIT_SPINS + WAIT_YIELDS)
        host_yield();
    else
        host_sleep_ns(WAIT_NAP_NS);
    ke_wait_poll();
}

static bool owns(const ke_thread_t *thread, uint32_t number)
{
    return atomic_load_explicit(&thread->processor->owner, memory_order_acquire) == thread &&
           (number == KE_PROCESSOR_ANY || number == thread->processor->number);
}

NTMM_COLD ke_thread_t *ke_processor_claim(ke_thread_t *thread, uint32_t number, const char *routine)
{
    atomic_store(&thread->dispatching, 0); /* it may be the record that all new threads share */
    thread = ke_thread_enter(routine);
    if (thread == NULL)
        return NULL;
    if (number != KE_PROCESSOR_ANY && !owns(thread, number))
        ke_processor_release(thread);
    atomic_store(&thread->dispatching, 1);
    for (uint32_t round = 0; machine_is_up() && !try_to_take(thread, number); round++) {
        if (round < WAIT_SPINS + WAIT_YIELDS + WAIT_NAPS) {
            wait_out_of_queue(round);
        } else {
            wait_in_queue(thread, number);
            break;
        }
    }
    ke_wait_poll();
    ke_thread_leave(thread);
    if (owns(thread, number))
        return thread;
    atomic_store(&thread->dispatching, 0); /* shut down meanwhile, against the rules */
    return NULL;
}

/* ---- giving back ---- */

/* By compare and exchange, because a thread that ends takes no lock. If a taker has the owner in its hand just now, it may put it back: the
 * processor is then taken over from an idle thread. */
void ke_processor_release(ke_thread_t *thread)
{
    ke_processor_t *processor = thread->processor;
    ke_thread_t    *owner = thread;

    if (processor == &ke_no_processor)
        return;
    atomic_store(&thread->dispatching, 0);
    if (atomic_compare_exchange_strong(&processor->owner, &owner, NULL) && atomic_load(&processor->pending) != 0)
        ke_processor_left(thread);
}

static void hand_over(ke_processor_t *processor)
{
    ke_thread_t *before = NULL, *waiter;

    ke_lock(&claim_lock);
    for (waiter = waiters_first; waiter != NULL; before = waiter, waiter = waiter->wait_next)
        if (waiter->wait_number == KE_PROCESSOR_ANY || waiter->wait_number == processor->number)
            break;
    if (waiter == NULL)
        atomic_fetch_and(&processor->pending, ~(uint32_t)KE_PENDING_WANTED);
    else if (is_free_locked(processor) && give_locked(processor, waiter)) {
        unqueue_locked(waiter, before);
        atomic_store_explicit(&waiter->granted, 1, memory_order_release);
        host_wake(&waiter->granted, true);
    }
    ke_unlock(&claim_lock);
}

NTMM_COLD void ke_processor_left(ke_thread_t *thread)
{
    ke_processor_t *processor = thread->processor;
    uint32_t        pending = atomic_load(&processor->pending);

    if ((pending & KE_PENDING_STOPPED) != 0)
        return;
    if ((pending & KE_PENDING_WANTED) != 0)
        hand_over(processor);
    if ((pending & KE_PENDING_DPC) != 0)
        ke_dpc_kick(processor);
}

/* ---- boot, halt, shutdown ---- */

int ke_processors_boot(uint32_t count, uint32_t numa_nodes)
{
    if (count == 0 || count > KE_PROCESSORS_MAX)
        return ke_error(-EINVAL, "%u processors: a machine has 1 to %u", count, KE_PROCESSORS_MAX);
    if (numa_nodes == 0 || numa_nodes > KE_PROCESSORS_MAX)
        return ke_error(-EINVAL, "%u NUMA nodes: a machine has 1 to %u", numa_nodes, KE_PROCESSORS_MAX);
    ke_lock_init(&claim_lock, KE_RANK_LEAF); /* a halted machine may have left it taken */
    waiters_first = waiters_last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        memset(&ke_processors[i], 0, sizeof ke_processors[i]);
        ke_processors[i].number = i;
        ke_processors[i].node = i * numa_nodes / count;
        ke_lock_init(&ke_processors[i].dpc_lock, KE_RANK_KE_DPC);
    }
    ke_processor_count = count;
    ke_node_count = numa_nodes;
    ke_queued_locks_boot();
    ke_dispatcher_boot();
    ke_time_boot();
    ke_timers_boot();
    ke_clock_boot();
    ke_interrupts_forget(); /* of a machine that a forked child has never shut down */
    return 0;
}

void ke_processors_disarm(void)
{
    for (uint32_t i = 0; i < ke_processor_count; i++) {
        atomic_fetch_or(&ke_processors[i].pending, KE_PENDING_STOPPED);
        atomic_store(&ke_processors[i].owner, NULL);
    }
}

void ke_processors_shutdown(void)
{
    ke_clock_shutdown();
    ke_dpc_shutdown();
    ke_interrupts_forget();
    ke_processors_disarm();
    ke_threads_shutdown();
}

/* ---- what a driver may ask ---- */

static ke_processor_t *current_processor(const char *routine)
{
    ke_thread_t *thread = ke_thread_ready(routine);
    return thread != NULL && thread->processor != &ke_no_processor ? thread->processor : &ke_processors[0];
}

ULONG KeGetCurrentProcessorNumber(VOID) { return current_processor(__func__)->number; }

ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber)
{
    ULONG number = current_processor(__func__)->number;
    if (ProcNumber != NULL)
        *ProcNumber = (PROCESSOR_NUMBER){ .Group = 0, .Number = (UCHAR)number };
    return number;
}

/* The cache lines of the hosts that this is built for. */
ULONG KeGetRecommendedSharedDataAlignment(VOID) { return 64; }

static ULONG count_of_group(USHORT group, const char *routine)
{
    return ke_thread_ready(routine) != NULL && (group == 0 || group == ALL_PROCESSOR_GROUPS) ? ke_processor_count : 0;
}

ULONG KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors)
{
    ULONG count = count_of_group(0, __func__);
    if (ActiveProcessors != NULL)
        *ActiveProcessors = count == 64 ? ~(KAFFINITY)0 : ((KAFFINITY)1 << count) - 1;
    return count;
}

ULONG  KeQueryActiveProcessorCountEx(USHORT GroupNumber) { return count_of_group(GroupNumber, __func__); }
ULONG  KeQueryMaximumProcessorCount(VOID) { return count_of_group(0, __func__); }
ULONG  KeQueryMaximumProcessorCountEx(USHORT GroupNumber) { return count_of_group(GroupNumber, __func__); }
USHORT KeGetCurrentNodeNumber(VOID) { return (USHORT)current_processor(__func__)->node; }
USHORT KeQueryHighestNodeNumber(VOID) { return ke_thread_ready(__func__) != NULL ? (USHORT)(ke_node_count - 1) : 0; }

PKTHREAD KeGetCurrentThread(VOID)
{
    ke_thread_t *thread = ke_thread_ready(__func__);
    return thread != NULL ? (PKTHREAD)(void *)thread->kthread : NULL;
}
