/*
 * wait.c - a thread waits for dispatcher objects, and the lines in front of them.
 *
 *     KeWaitFor...  not signaled --> a block for each object, at the end of its line --> asleep on thread->granted
 *     KeSetEvent    signaled     --> its line from the front: whose wait is satisfied now? blocks out of all lines, granted, awake
 *     time is up                 --> blocks out of all lines, unless somebody was faster
 *
 * The lines are not kept in the objects but here, found by the object's address; a thread's blocks are in its record, which is never
 * unmapped. So an object that is freed or overwritten while somebody waits for it damages nothing of ours, and a halted machine leaves
 * nothing dangling. Its waiters then wait on, until time is up or something else is signaled at the same address.
 *
 * Invariants  1 a thread has wait_count blocks in the lines, one for each object that it waits for, or none
 *             2 whoever is in a line could not go on when its object was last signaled
 * Locks       ke_dispatcher_lock around all states and lines, so that several objects are looked at as one moment. Objects are read once
 *             before it is taken, so that a bad address faults with nothing locked.
 * Source      WDK reference: wdm.h, KeWaitForSingleObject, KeWaitForMultipleObjects, KeDelayExecutionThread; Bug Checks 0xC, 0xB8.
 * Fidelity    first come, first served; no priorities, so no boosts. No APC is ever delivered: alertable waits are like others.
 */
#include "ke/wait.h"

#include "ke/bugcheck.h"
#include "ke/exception.h"
#include "ke/irql.h"
#include "ke/probe.h"
#include "ke/system_thread.h"
#include "ke/time.h"
#include "ke/timer.h"

#define LINES 64u
#define RECHECK_NS 10000000u /* how late a waiter may notice that the machine has halted */
#define ABANDONED ((uint32_t)(STATUS_ABANDONED_WAIT_0 - STATUS_WAIT_0))

ke_lock_t ke_dispatcher_lock = KE_LOCK_INIT(KE_RANK_KE_DISPATCHER);

static struct wait_line { /* the objects whose addresses fall together share one */
    ke_wait_block_t *first, *last;
} lines[LINES];

void ke_dispatcher_boot(void)
{
    ke_lock_init(&ke_dispatcher_lock, KE_RANK_KE_DISPATCHER);
    for (size_t i = 0; i < LINES; i++)
        lines[i] = (struct wait_line){ 0 };
}

/* ---- lines ---- */

static struct wait_line *line_of(const DISPATCHER_HEADER *object)
{
    return &lines[((uintptr_t)object >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 58];
}

static void enqueue_locked(ke_thread_t *thread)
{
    for (uint32_t i = 0; i < thread->wait_count; i++) {
        ke_wait_block_t  *block = &thread->wait_blocks[i];
        struct wait_line *line = line_of(block->object);
        block->next = NULL;
        block->prev = line->last;
        *(line->last != NULL ? &line->last->next : &line->first) = block;
        line->last = block;
    }
}

static void dequeue_locked(ke_thread_t *thread)
{
    for (uint32_t i = 0; i < thread->wait_count; i++) {
        ke_wait_block_t  *block = &thread->wait_blocks[i];
        struct wait_line *line = line_of(block->object);
        *(block->prev != NULL ? &block->prev->next : &line->first) = block->next;
        *(block->next != NULL ? &block->next->prev : &line->last) = block->prev;
    }
    thread->wait_count = 0;
}

/* ---- states ---- */

static bool is_signaled(const DISPATCHER_HEADER *object) { return __atomic_load_n(&object->SignalState, __ATOMIC_RELAXED) > 0; }

static bool is_own_mutex(const DISPATCHER_HEADER *object, const ke_thread_t *thread)
{
    return object->Type == KE_OBJECT_MUTEX && ke_mutex_is_owned_by(object, thread);
}

static bool is_signaled_for(const DISPATCHER_HEADER *object, const ke_thread_t *thread)
{
    return is_signaled(object) || is_own_mutex(object, thread);
}

/* What to add to the wait's status: ABANDONED for a mutex whose last owner has ended. */
static uint32_t consume_locked(PDISPATCHER_HEADER object, ke_thread_t *thread)
{
    if (object->Type == SynchronizationEvent || object->Type == KE_OBJECT_SYNCHRONIZATION_TIMER)
        __atomic_store_n(&object->SignalState, 0, __ATOMIC_RELAXED);
    else if (object->Type == KE_OBJECT_SEMAPHORE && object->SignalState > 0) /* 0: the same one twice in a wait for all */
        __atomic_store_n(&object->SignalState, object->SignalState - 1, __ATOMIC_RELAXED);
    else if (object->Type == KE_OBJECT_MUTEX && ke_mutex_take_locked(object, thread))
        return ABANDONED;
    return 0;
}

static bool satisfy_any_locked(ke_thread_t *thread)
{
    for (uint32_t i = 0; i < thread->wait_count; i++) {
        if (!is_signaled_for(thread->wait_blocks[i].object, thread))
            continue;
        thread->wait_key = i + consume_locked(thread->wait_blocks[i].object, thread);
        return true;
    }
    return false;
}

static bool satisfy_all_locked(ke_thread_t *thread)
{
    for (uint32_t i = 0; i < thread->wait_count; i++)
        if (!is_signaled_for(thread->wait_blocks[i].object, thread))
            return false;
    thread->wait_key = 0;
    for (uint32_t i = 0; i < thread->wait_count; i++)
        thread->wait_key |= consume_locked(thread->wait_blocks[i].object, thread);
    return true;
}

/* The wait is over if its objects allow it; then they have changed as they do when a wait is satisfied. */
static bool satisfy_locked(ke_thread_t *thread) { return thread->wait_all ? satisfy_all_locked(thread) : satisfy_any_locked(thread); }

/* This wait would acquire a mutex once more that the thread has acquired as often as possible. */
static bool is_one_too_many_locked(const ke_thread_t *thread)
{
    for (uint32_t i = 0; i < thread->wait_count; i++) {
        const DISPATCHER_HEADER *object = thread->wait_blocks[i].object;
        if (object->SignalState == INT32_MIN && is_own_mutex(object, thread))
            return true;
        if (!thread->wait_all && is_signaled_for(object, thread))
            return false;
    }
    return false;
}

static ke_wait_block_t *next_thread_in(ke_wait_block_t *block)
{
    const ke_thread_t *thread = block->thread;
    while (block != NULL && block->thread == thread)
        block = block->next;
    return block;
}

void ke_wait_test_locked(PDISPATCHER_HEADER object)
{
    for (ke_wait_block_t *block = line_of(object)->first, *next; block != NULL && is_signaled(object); block = next) {
        ke_thread_t *thread = block->thread;
        if (block->object != object || !satisfy_locked(thread)) {
            next = block->next;
            continue;
        }
        next = next_thread_in(block); /* its other blocks leave with this one */
        dequeue_locked(thread);
        atomic_store_explicit(&thread->granted, 1, memory_order_release);
        host_wake(&thread->granted, true);
    }
}

/* ---- when time is up ---- */

static uint64_t deadline_of(const LARGE_INTEGER *timeout) { return timeout != NULL ? ke_time_due(timeout->QuadPart) : KE_TIME_NEVER; }

static uint64_t ns_left(uint64_t deadline) { return deadline == KE_TIME_NEVER ? UINT64_MAX : ke_time_left_ns(deadline); }

void ke_wait_wake_due(uint64_t now)
{
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        if (atomic_load(&thread->asleep) != 0 && atomic_load(&thread->wake_at) <= now)
            host_wake(&thread->granted, true);
}

/* ---- waiting ---- */

/* false: somebody was faster, the wait is satisfied. */
static bool give_up(ke_thread_t *self)
{
    ke_lock(&ke_dispatcher_lock);
    bool late = atomic_load_explicit(&self->granted, memory_order_relaxed) != 0;
    if (!late)
        dequeue_locked(self);
    ke_unlock(&ke_dispatcher_lock);
    return !late;
}

/* The machine shuts down, and nobody is left who would end this wait (system_thread.c). */
static NTMM_COLD void leave_abandoned(ke_thread_t *self)
{
    if (!give_up(self))
        return;
    atomic_store_explicit(&self->asleep, 0, memory_order_release);
    ke_system_thread_end();
}

static void fall_asleep(ke_thread_t *self, uint64_t deadline)
{
    atomic_store(&self->wake_at, deadline);
    atomic_store(&self->asleep, 1);
}

static void wake_up(ke_thread_t *self)
{
    atomic_fetch_add(&ke_activity, 1);
    atomic_store(&self->asleep, 0);
    atomic_store(&self->wake_at, KE_TIME_NEVER);
}

static NTSTATUS sleep_until(ke_thread_t *self, uint64_t deadline)
{
    fall_asleep(self, deadline);
    while (atomic_load_explicit(&self->granted, memory_order_acquire) == 0) {
        uint64_t left = ns_left(deadline);
        ke_wait_poll();
        if (NTMM_UNLIKELY(atomic_load_explicit(&self->abandoned, memory_order_relaxed) != 0))
            leave_abandoned(self);
        if (left == 0 && give_up(self))
            break;
        if (left != 0 && !(ke_time_stands_still && ke_time_leap(self)))
            host_wait(&self->granted, 0, left < RECHECK_NS ? left : RECHECK_NS);
    }
    wake_up(self);
    return atomic_load_explicit(&self->granted, memory_order_relaxed) != 0 ? STATUS_WAIT_0 + (NTSTATUS)self->wait_key : STATUS_TIMEOUT;
}

static NTSTATUS wait_for(ke_thread_t *self, PVOID const *objects, uint32_t count, bool all, const LARGE_INTEGER *timeout)
{
    uint64_t deadline = deadline_of(timeout);
    ke_lock(&ke_dispatcher_lock);
    for (uint32_t i = 0; i < count; i++)
        self->wait_blocks[i] = (ke_wait_block_t){ .object = objects[i], .thread = self };
    self->wait_count = count;
    self->wait_all = all;
    bool one_too_many = is_one_too_many_locked(self);
    bool satisfied = !one_too_many && satisfy_locked(self),
         sleep = !satisfied && !one_too_many && (timeout == NULL || timeout->QuadPart != 0);
    atomic_store_explicit(&self->granted, 0, memory_order_relaxed);
    if (sleep)
        enqueue_locked(self);
    else
        self->wait_count = 0;
    ke_unlock(&ke_dispatcher_lock);
    if (sleep)
        return sleep_until(self, deadline);
    if (one_too_many)
        return STATUS_MUTANT_LIMIT_EXCEEDED;
    return satisfied ? STATUS_WAIT_0 + (NTSTATUS)self->wait_key : STATUS_TIMEOUT;
}

/* ---- the rules ---- */

typedef struct wait_call {
    const char          *routine;
    ULONG_PTR            address, caller; /* of the routine; of whoever called it */
    PVOID const         *objects;
    uint32_t             count;
    bool                 all;
    const LARGE_INTEGER *timeout;
} wait_call_t;

void ke_wait_stay_raised(const char *routine, ULONG_PTR caller)
{
    ke_raised_t raised = ke_raise(DISPATCH_LEVEL, routine, caller);
    if (raised.thread == NULL)
        return;
    raised.thread->set_irql = raised.old;
    raised.thread->set_and_wait = true;
}

/* KeSetEvent with Wait TRUE, or its like, has left the thread at DISPATCH_LEVEL for this. */
static void come_down(const char *routine)
{
    ke_thread_t *self = ke_self();
    if (NTMM_LIKELY(!self->set_and_wait))
        return;
    self->set_and_wait = false;
    if (self->irql > self->set_irql)
        ke_lower(self, self->set_irql, routine, KE_CALLER());
}

static _Noreturn NTMM_COLD void wait_too_high(const wait_call_t *call)
{
    const ke_thread_t *self = ke_self();
    const char        *why = "It was called at an IRQL above the highest it may be called at.";
    ntmm_bugcheck      check = { .code = IRQL_NOT_LESS_OR_EQUAL, .parameter = { call->address, self->irql, 8, call->caller } };
    if (self->irql == DISPATCH_LEVEL && self->dpc != NULL) {
        why = "A DPC routine tried to wait: only a timeout of 0 is allowed there.";
        check = (ntmm_bugcheck){ .code = ATTEMPTED_SWITCH_FROM_DPC,
                                 .parameter = { (ULONG_PTR)self->kthread, 0, (ULONG_PTR)__builtin_frame_address(0), 0 } };
    }
    ke_bugcheck_about(call->routine, why, &check, call->count != 0 ? (ULONG_PTR)call->objects[0] : 0, (ULONG_PTR)call->timeout);
}

static bool may_sleep(const wait_call_t *call) { return call->timeout == NULL || call->timeout->QuadPart != 0 || call->count == 0; }

static void check_irql(const wait_call_t *call)
{
    if (NTMM_UNLIKELY(ke_self()->irql > (may_sleep(call) ? APC_LEVEL : DISPATCH_LEVEL)))
        wait_too_high(call);
}

/* Reads them, so that a bad address faults here. */
static bool can_be_waited_for(const DISPATCHER_HEADER *object)
{
    if (object->Type == KE_OBJECT_MUTEX)
        (void)ke_mutex_is_owned_by(object, ke_self());
    return ke_object_is_event(object) || object->Type == KE_OBJECT_MUTEX || object->Type == KE_OBJECT_SEMAPHORE ||
           object->Type == KE_OBJECT_THREAD || object->Type == KE_OBJECT_TIMER || object->Type == KE_OBJECT_SYNCHRONIZATION_TIMER;
}

static bool are_waitable(PVOID const *objects, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const DISPATCHER_HEADER *object = objects[i];
        (void)is_signaled(object);
        if (!can_be_waited_for(object))
            return ke_error(0,
                            "a wait for the object at %p, which is no initialised event, mutex, semaphore, timer or thread: its type is %u",
                            objects[i], object->Type) != 0;
    }
    return true;
}

/* Mutexes are locks with an owner. Of several that are waited for at once none is waited for while another is held. */
static const DISPATCHER_HEADER *only_mutex(const wait_call_t *call)
{
    const DISPATCHER_HEADER *object = call->count == 1 ? call->objects[0] : NULL;
    return object != NULL && object->Type == KE_OBJECT_MUTEX ? object : NULL;
}

static void show_taking(const wait_call_t *call)
{
    const DISPATCHER_HEADER *mutex = may_sleep(call) ? only_mutex(call) : NULL;
    if (mutex != NULL)
        ke_probe_own(call->routine, KE_OWN_TAKE, KE_OWN_MUTEX, mutex);
}

static void show_taken(const wait_call_t *call, NTSTATUS status)
{
    const DISPATCHER_HEADER *mutex = only_mutex(call);
    bool                     has_ended_well = status >= STATUS_WAIT_0 && status < STATUS_WAIT_0 + (NTSTATUS)call->count;
    bool                     was_abandoned = status >= STATUS_ABANDONED_WAIT_0 && status < STATUS_ABANDONED_WAIT_0 + (NTSTATUS)call->count;
    uint32_t                 index = (uint32_t)status & 0x3F;
    if (mutex != NULL && may_sleep(call)) {
        if (!has_ended_well && !was_abandoned)
            ke_probe_own(call->routine, KE_OWN_CANCEL, KE_OWN_MUTEX, mutex);
        return;
    }
    for (uint32_t i = 0; i < call->count && (has_ended_well || was_abandoned); i++) {
        const DISPATCHER_HEADER *object = call->objects[i];
        if ((call->all || i == index) && object->Type == KE_OBJECT_MUTEX)
            ke_probe_own(call->routine, KE_OWN_TRIED, KE_OWN_MUTEX, object);
    }
}

static NTSTATUS wait_checked(const wait_call_t *call)
{
    NTSTATUS status = STATUS_OBJECT_TYPE_MISMATCH;
    come_down(call->routine);
    check_irql(call);
    ke_loop_poll();
    if (NTMM_UNLIKELY(ke_probe != NULL))
        show_taking(call);
    ke_thread_t *self = ke_thread_enter(call->routine);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    if (are_waitable(call->objects, call->count))
        status = wait_for(self, call->objects, call->count, call->all, call->timeout);
    ke_thread_leave(self);
    if (NTMM_UNLIKELY(ke_probe != NULL))
        show_taken(call, status);
    if (NTMM_UNLIKELY(status == STATUS_MUTANT_LIMIT_EXCEEDED))
        ke_raise_status(call->routine, status, call->caller);
    return status;
}

NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    wait_call_t call = { .routine = __func__, .address = (ULONG_PTR)&KeWaitForSingleObject, .caller = KE_CALLER() };
    (void)WaitReason; /* no APCs: both modes and alertable waits come to the same */
    (void)Alertable;
    if (WaitMode == UserMode)
        ke_probe_lock(__func__, KE_WAIT_FOR_USER, Object, 0);
    call.objects = &Object;
    call.count = 1;
    call.timeout = Timeout;
    return wait_checked(&call);
}

/* Windows keeps the lines in the caller's blocks. Ours are elsewhere, but storage that is too small should show. */
static void fill_blocks(PKWAIT_BLOCK blocks, PVOID const *objects, ULONG count, WAIT_TYPE type)
{
    for (ULONG i = 0; blocks != NULL && i < count; i++) {
        PLIST_ENTRY entry = &blocks[i].WaitListEntry;
        blocks[i] = (KWAIT_BLOCK){ .WaitType = (UCHAR)type, .WaitKey = (USHORT)i, .Object = objects[i] };
        blocks[i].Thread = (struct _KTHREAD *)(void *)ke_self()->kthread;
        entry->Flink = entry->Blink = entry;
    }
}

NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
                                  BOOLEAN Alertable, PLARGE_INTEGER Timeout, PKWAIT_BLOCK WaitBlockArray)
{
    wait_call_t call = { .routine = __func__, .address = (ULONG_PTR)&KeWaitForMultipleObjects, .caller = KE_CALLER() };
    (void)WaitReason;
    (void)Alertable;
    for (ULONG i = 0; i < Count && WaitMode == UserMode && ke_probe != NULL; i++)
        ke_probe_lock(__func__, KE_WAIT_FOR_USER, Object[i], 0);
    if (Count > (WaitBlockArray != NULL ? MAXIMUM_WAIT_OBJECTS : THREAD_WAIT_OBJECTS))
        ke_bugcheck(__func__, "It was asked to wait for more objects than it may be.", MAXIMUM_WAIT_OBJECTS_EXCEEDED, 0, 0, 0, 0);
    if (WaitType != WaitAll && WaitType != WaitAny)
        return STATUS_INVALID_PARAMETER_3;
    fill_blocks(WaitBlockArray, Object, Count, WaitType);
    call.objects = Object;
    call.count = Count;
    call.all = WaitType == WaitAll;
    call.timeout = Timeout;
    return wait_checked(&call);
}

NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    wait_call_t call = { .routine = __func__, .address = (ULONG_PTR)&KeDelayExecutionThread, .caller = KE_CALLER(), .timeout = Interval };
    (void)WaitMode;
    (void)Alertable;
    come_down(__func__);
    check_irql(&call);
    ke_loop_poll();
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    if (ns_left(deadline_of(Interval)) == 0)
        host_yield();
    (void)wait_for(self, NULL, 0, false, Interval);
    ke_thread_leave(self);
    return STATUS_SUCCESS;
}
