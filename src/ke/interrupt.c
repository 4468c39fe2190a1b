/*
 * interrupt.c - device interrupts that a test fires, and the spin locks that go with them.
 *
 *     ntmm_fire_interrupt --IRQL below DIRQL--> service routine at SynchronizeIrql, holding the interrupt's lock, on the calling thread
 *                         `-masked------------> pending on the processor --a lower unmasks it--> the same
 *     ntmm_fire_vector       the same for all that share the vector, in the order in which they connected: a level-sensitive one is served
 *                            when the first claims it, a latched one is shown to all
 *
 * There is no device and no wire: who fires is the device, and the processor interrupted is the caller's own. A masked interrupt is
 * remembered once, as a level or an edge would be.
 *
 * Locks       table_lock (a leaf) for the table of interrupts.
 * Source      WDK reference: "Introduction to interrupt service routines", wdm.h, IoConnectInterrupt, KeSynchronizeExecution.
 * Fidelity    affinity and floating-point saving are accepted and ignored. Passive-level interrupts, which only IoConnectInterruptEx
 *             can make, are absent.
 */
#include "ke/interrupt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/spinlock.h"
#include "ke/try.h"

#define INTERRUPTS_MAX 256u /* as many as a processor's table has vectors */

struct _KINTERRUPT {              /* opaque to drivers.  (L) table_lock  (A) atomic */
    bool              in_use;     /* (L) the slot is taken */
    _Atomic bool      connected;  /* (A) written under (L), or under the interrupt's own lock */
    _Atomic uint32_t  pending_on; /* (A) 1 + the processor on which it was masked; 0: nothing pending */
    _Atomic bool      by_vector;  /* (A) it is pending because its vector was fired */
    uint32_t          number;     /* (L) in the order of connections */
    PKSERVICE_ROUTINE routine;
    PVOID             context;
    PKSPIN_LOCK       lock; /* the caller's, or own_lock */
    KSPIN_LOCK        own_lock;
    ULONG             vector;
    KIRQL             irql, synchronize_irql;
    KINTERRUPT_MODE   mode;
    BOOLEAN           share;
};

static struct _KINTERRUPT interrupts[INTERRUPTS_MAX];
static uint32_t           connections; /* (L) */
static ke_lock_t          table_lock = KE_LOCK_INIT(KE_RANK_LEAF);

static bool is_connected(const KINTERRUPT *interrupt, const char *routine)
{
    uintptr_t offset = (uintptr_t)interrupt - (uintptr_t)interrupts;

    if (offset < sizeof interrupts && offset % sizeof interrupts[0] == 0 && atomic_load(&interrupt->connected))
        return true;
    ke_error(-EINVAL, "%s: %p is no connected interrupt", routine, (const void *)interrupt);
    fprintf(stderr, "ntmm: %s was refused: %p is no connected interrupt\n", routine, (const void *)interrupt);
    return false;
}

/* ---- the lock, and what runs under it ---- */

static KIRQL lock_interrupt(PKINTERRUPT interrupt, const char *routine, ULONG_PTR caller, bool *taken)
{
    ke_raised_t raised = ke_raise(interrupt->synchronize_irql, routine, caller);

    *taken = raised.thread != NULL && ke_spin_take(interrupt->lock, raised.thread, routine, caller);
    return raised.old;
}

static void unlock_interrupt(PKINTERRUPT interrupt, KIRQL irql, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_self();

    if (ke_spin_let_go(interrupt->lock, thread, routine, caller))
        ke_lower(thread, irql, routine, caller);
}

static void require_same_irql(PKINTERRUPT interrupt, ULONG_PTR called, const char *routine)
{
    KIRQL irql = ke_self()->irql;

    if (irql != interrupt->synchronize_irql)
        ke_bugcheck(routine, "A routine called at the interrupt's IRQL returned at another one.", IRQL_UNEXPECTED_VALUE,
                    (ULONG_PTR)irql << 16 | (ULONG_PTR)interrupt->synchronize_irql << 8, called, (ULONG_PTR)interrupt, 0);
}

/* One of those that share a level has claimed it: the level is gone for the others, too. */
static void level_is_served(const KINTERRUPT *served)
{
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++)
        if (atomic_load(&interrupts[i].by_vector) && interrupts[i].vector == served->vector) {
            atomic_store(&interrupts[i].by_vector, false);
            atomic_store(&interrupts[i].pending_on, 0);
        }
}

static BOOLEAN serve(PKINTERRUPT interrupt, const char *routine)
{
    BOOLEAN claimed = FALSE;
    bool    taken;
    KIRQL   old = lock_interrupt(interrupt, routine, KE_CALLER(), &taken);

    if (!taken)
        return FALSE;
    if (atomic_load(&interrupt->connected)) { /* not any more, if it was disconnected while this thread waited for the lock */
        uint32_t fence = ke_try_fence((uintptr_t)__builtin_frame_address(0));
        claimed = interrupt->routine(interrupt, interrupt->context);
        ke_try_unfence(fence);
        require_same_irql(interrupt, (ULONG_PTR)interrupt->routine, routine);
        if (claimed && interrupt->mode == LevelSensitive)
            level_is_served(interrupt); /* before the way down, which delivers what is pending */
    }
    unlock_interrupt(interrupt, old, routine, KE_CALLER());
    return claimed;
}

/* ---- firing ---- */

static void leave_pending(ke_thread_t *thread, PKINTERRUPT interrupt, bool by_vector)
{
    atomic_store(&interrupt->by_vector, by_vector);
    atomic_store(&interrupt->pending_on, thread->processor->number + 1);
    atomic_fetch_or(&thread->processor->pending, KE_PENDING_INTERRUPT);
}

bool ntmm_fire_interrupt(PKINTERRUPT interrupt)
{
    ke_thread_t *thread = ke_thread_ready(__func__);

    if (thread == NULL || !is_connected(interrupt, __func__))
        return false;
    if (thread->irql < interrupt->irql)
        return serve(interrupt, __func__) != FALSE;
    leave_pending(thread, interrupt, false);
    return false;
}

/* Those that share a vector, in the order in which they connected. */
static uint32_t sharers_of(ULONG vector, PKINTERRUPT sharers[static INTERRUPTS_MAX])
{
    uint32_t count = 0;

    ke_lock(&table_lock);
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
        if (!atomic_load(&interrupts[i].connected) || interrupts[i].vector != vector)
            continue;
        uint32_t at = count++;
        for (; at != 0 && sharers[at - 1]->number > interrupts[i].number; at--)
            sharers[at] = sharers[at - 1];
        sharers[at] = &interrupts[i];
    }
    ke_unlock(&table_lock);
    return count;
}

bool ntmm_fire_vector(uint32_t vector)
{
    PKINTERRUPT  sharers[INTERRUPTS_MAX];
    ke_thread_t *thread = ke_thread_ready(__func__);
    uint32_t     count = thread != NULL ? sharers_of(vector, sharers) : 0;
    bool         claimed = false;

    if (thread != NULL && count == 0)
        return ke_error(false, "%s: no interrupt is connected to vector 0x%X", __func__, vector);
    for (uint32_t i = 0; i < count && !(claimed && sharers[i]->mode == LevelSensitive); i++) {
        if (thread->irql < sharers[i]->irql)
            claimed = serve(sharers[i], __func__) || claimed;
        else
            leave_pending(thread, sharers[i], true);
    }
    return claimed;
}

static bool comes_before(const KINTERRUPT *one, const KINTERRUPT *other)
{
    return one->irql != other->irql ? one->irql > other->irql : one->number < other->number;
}

/* The highest one above irql, of these the first connected; *more: others are pending on that processor, masked or not. */
static PKINTERRUPT next_unmasked(const ke_processor_t *processor, KIRQL irql, bool *more)
{
    PKINTERRUPT best = NULL;

    *more = false;
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
        PKINTERRUPT interrupt = &interrupts[i];
        if (atomic_load_explicit(&interrupt->pending_on, memory_order_relaxed) != processor->number + 1)
            continue;
        *more = *more || best != NULL || interrupt->irql <= irql;
        if (interrupt->irql > irql && (best == NULL || comes_before(interrupt, best)))
            best = interrupt;
    }
    return best;
}

void ke_interrupts_deliver(ke_thread_t *thread, KIRQL irql)
{
    ke_processor_t *processor = thread->processor;
    KIRQL           level = irql > DISPATCH_LEVEL ? irql : DISPATCH_LEVEL;
    PKINTERRUPT     interrupt;
    bool            more;

    if ((atomic_load_explicit(&processor->pending, memory_order_relaxed) & KE_PENDING_INTERRUPT) == 0)
        return;
    thread->irql = level;
    while ((interrupt = next_unmasked(processor, level, &more)) != NULL) {
        bool by_vector = atomic_exchange(&interrupt->by_vector, false);
        atomic_store(&interrupt->pending_on, 0);
        (void)serve(interrupt, by_vector ? "ntmm_fire_vector" : "ntmm_fire_interrupt");
    }
    if (!more)
        atomic_fetch_and(&processor->pending, ~(uint32_t)KE_PENDING_INTERRUPT);
}

/* ---- connecting ---- */

static bool vector_is_taken_locked(const struct _KINTERRUPT *wanted)
{
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++)
        if (atomic_load(&interrupts[i].connected) && interrupts[i].vector == wanted->vector && (!wanted->share || !interrupts[i].share))
            return true;
    return false;
}

static NTSTATUS connect_locked(const struct _KINTERRUPT *wanted, PKINTERRUPT *out)
{
    if (vector_is_taken_locked(wanted))
        return STATUS_INVALID_PARAMETER;
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
        PKINTERRUPT slot = &interrupts[i];
        if (slot->in_use)
            continue;
        slot->in_use = true;
        slot->routine = wanted->routine;
        slot->context = wanted->context;
        slot->own_lock = 0;
        slot->lock = wanted->lock != NULL ? wanted->lock : &slot->own_lock;
        slot->vector = wanted->vector;
        slot->irql = wanted->irql;
        slot->synchronize_irql = wanted->synchronize_irql;
        slot->mode = wanted->mode;
        slot->share = wanted->share;
        slot->number = ++connections;
        atomic_store(&slot->by_vector, false);
        atomic_store(&slot->pending_on, 0);
        atomic_store(&slot->connected, true);
        *out = slot;
        return STATUS_SUCCESS;
    }
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS IoConnectInterrupt(PKINTERRUPT *InterruptObject, PKSERVICE_ROUTINE ServiceRoutine, PVOID ServiceContext, PKSPIN_LOCK SpinLock,
                            ULONG Vector, KIRQL Irql, KIRQL SynchronizeIrql, KINTERRUPT_MODE InterruptMode, BOOLEAN ShareVector,
                            KAFFINITY ProcessorEnableMask, BOOLEAN FloatingSave)
{
    struct _KINTERRUPT wanted = { .routine = ServiceRoutine,
                                  .context = ServiceContext,
                                  .lock = SpinLock,
                                  .vector = Vector,
                                  .irql = Irql,
                                  .synchronize_irql = SynchronizeIrql,
                                  .mode = InterruptMode,
                                  .share = ShareVector };
    NTSTATUS           status;

    UNREFERENCED_PARAMETER(ProcessorEnableMask);
    UNREFERENCED_PARAMETER(FloatingSave);
    *InterruptObject = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ServiceRoutine == NULL || Irql <= DISPATCH_LEVEL || SynchronizeIrql < Irql || SynchronizeIrql > HIGH_LEVEL)
        return STATUS_INVALID_PARAMETER;
    if (ke_inject_failure())
        return STATUS_INSUFFICIENT_RESOURCES;
    ke_lock(&table_lock);
    status = connect_locked(&wanted, InterruptObject);
    ke_unlock(&table_lock);
    return status;
}

/* A service routine that runs elsewhere holds the interrupt's lock: to take it once means to wait for that routine. */
VOID IoDisconnectInterrupt(PKINTERRUPT InterruptObject)
{
    bool  taken;
    KIRQL old;

    if (ke_thread_ready(__func__) == NULL)
        return;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (!is_connected(InterruptObject, __func__))
        return;
    old = lock_interrupt(InterruptObject, __func__, KE_CALLER(), &taken);
    if (!taken)
        return;
    atomic_store(&InterruptObject->pending_on, 0);
    atomic_store(&InterruptObject->connected, false);
    unlock_interrupt(InterruptObject, old, __func__, KE_CALLER());
    ke_lock(&table_lock);
    InterruptObject->in_use = false;
    ke_unlock(&table_lock);
}

bool ke_interrupt_is_connected_to(uintptr_t start, uintptr_t end)
{
    bool found = false;
    ke_lock(&table_lock);
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++)
        found = found || (atomic_load(&interrupts[i].connected) && (uintptr_t)interrupts[i].routine - start < end - start);
    ke_unlock(&table_lock);
    return found;
}

void ke_interrupts_forget(void)
{
    ke_lock_init(&table_lock, KE_RANK_LEAF);
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
        interrupts[i].in_use = false;
        atomic_store(&interrupts[i].connected, false);
        atomic_store(&interrupts[i].by_vector, false);
        atomic_store(&interrupts[i].pending_on, 0);
    }
}

/* ---- for the driver's code outside of the service routine ---- */

KIRQL KeAcquireInterruptSpinLock(PKINTERRUPT Interrupt)
{
    bool taken;
    return is_connected(Interrupt, __func__) ? lock_interrupt(Interrupt, __func__, KE_CALLER(), &taken) : ke_self()->irql;
}

VOID KeReleaseInterruptSpinLock(PKINTERRUPT Interrupt, KIRQL OldIrql)
{
    if (is_connected(Interrupt, __func__))
        unlock_interrupt(Interrupt, OldIrql, __func__, KE_CALLER());
}

BOOLEAN KeSynchronizeExecution(PKINTERRUPT Interrupt, PKSYNCHRONIZE_ROUTINE SynchronizeRoutine, PVOID SynchronizeContext)
{
    BOOLEAN result;
    bool    taken;
    KIRQL   old;

    if (ke_thread_ready(__func__) == NULL || !is_connected(Interrupt, __func__))
        return FALSE;
    old = lock_interrupt(Interrupt, __func__, KE_CALLER(), &taken);
    if (!taken)
        return FALSE;
    result = SynchronizeRoutine(SynchronizeContext);
    require_same_irql(Interrupt, (ULONG_PTR)SynchronizeRoutine, __func__);
    unlock_interrupt(Interrupt, old, __func__, KE_CALLER());
    return result;
}
