/*
 * interlocked.c - lists and counters changed under a driver's spin lock, with interrupts masked.
 *
 *     enter: raise to HIGH_LEVEL, take the lock --> the plain operation --> leave: let it go, lower
 *
 * HIGH_LEVEL stands for what Windows does with the processor's interrupt flag: no service routine runs here meanwhile, and whatever is not
 * resident stops the machine. An interrupt that came in between is delivered by the lower.
 *
 * Locks       the driver's own KSPIN_LOCK, by the ways of ke/spinlock.h, so that every mistake with it is noticed as elsewhere.
 * Source      WDK reference: wdm.h, ExInterlockedInsertHeadList and the pages of the others; Bug Check 0x139.
 * Fidelity    in the stop report of a damaged list the IRQL is HIGH_LEVEL.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/spinlock.h"

typedef struct ex_interlocked { /* one call under way */
    const char  *routine;
    ULONG_PTR    caller;
    PKSPIN_LOCK  lock;
    ke_thread_t *thread;
    KIRQL        irql; /* before */
} ex_interlocked_t;

/* false: refused, and nothing has changed. */
static bool enter(ex_interlocked_t *call)
{
    ke_raised_t raised = ke_raise(HIGH_LEVEL, call->routine, call->caller);

    call->thread = raised.thread;
    call->irql = raised.old;
    if (NTMM_UNLIKELY(raised.thread == NULL))
        return false;
    if (NTMM_LIKELY(ke_spin_take(call->lock, raised.thread, call->routine, call->caller)))
        return true;
    ke_lower(raised.thread, raised.old, call->routine, call->caller);
    return false;
}

static void leave(const ex_interlocked_t *call)
{
    if (NTMM_LIKELY(ke_spin_let_go(call->lock, call->thread, call->routine, call->caller)))
        ke_lower(call->thread, call->irql, call->routine, call->caller);
}

#define EX_INTERLOCKED(lock_) \
    { \
        .routine = __func__, .caller = KE_CALLER(), .lock = (lock_) \
    }

static void require_link(const ex_interlocked_t *call, const LIST_ENTRY *left, const LIST_ENTRY *right)
{
    if (NTMM_UNLIKELY(left->Flink != right || right->Blink != left))
        ke_fast_fail(call->routine, "A list entry and its neighbour do not agree: removed twice, inserted while on a list, or overwritten.",
                     FAST_FAIL_CORRUPT_LIST_ENTRY, call->caller);
}

static void insert_between(const ex_interlocked_t *call, PLIST_ENTRY left, PLIST_ENTRY entry, PLIST_ENTRY right)
{
    require_link(call, left, right);
    entry->Flink = right;
    entry->Blink = left;
    left->Flink = entry;
    right->Blink = entry;
}

PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    ex_interlocked_t call = EX_INTERLOCKED(Lock);
    PLIST_ENTRY      first;

    if (!enter(&call))
        return NULL;
    first = ListHead->Flink;
    insert_between(&call, ListHead, ListEntry, first);
    leave(&call);
    return first != ListHead ? first : NULL;
}

PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    ex_interlocked_t call = EX_INTERLOCKED(Lock);
    PLIST_ENTRY      last;

    if (!enter(&call))
        return NULL;
    last = ListHead->Blink;
    insert_between(&call, last, ListEntry, ListHead);
    leave(&call);
    return last != ListHead ? last : NULL;
}

PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    ex_interlocked_t call = EX_INTERLOCKED(Lock);
    PLIST_ENTRY      first, next;

    if (!enter(&call))
        return NULL;
    first = ListHead->Flink;
    if (first != ListHead) {
        next = first->Flink;
        require_link(&call, ListHead, first);
        require_link(&call, first, next);
        ListHead->Flink = next;
        next->Blink = ListHead;
    }
    leave(&call);
    return first != ListHead ? first : NULL;
}

PSINGLE_LIST_ENTRY ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    ex_interlocked_t   call = EX_INTERLOCKED(Lock);
    PSINGLE_LIST_ENTRY first;

    if (!enter(&call))
        return NULL;
    first = ListHead->Next;
    PushEntryList(ListHead, ListEntry);
    leave(&call);
    return first;
}

PSINGLE_LIST_ENTRY ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    ex_interlocked_t   call = EX_INTERLOCKED(Lock);
    PSINGLE_LIST_ENTRY first;

    if (!enter(&call))
        return NULL;
    first = PopEntryList(ListHead);
    leave(&call);
    return first;
}

ULONG ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock)
{
    ex_interlocked_t call = EX_INTERLOCKED(Lock);
    ULONG            before;

    if (!enter(&call))
        return 0;
    before = *Addend;
    *Addend = before + Increment;
    leave(&call);
    return before;
}

LARGE_INTEGER ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock)
{
    ex_interlocked_t call = EX_INTERLOCKED(Lock);
    LARGE_INTEGER    before = { .QuadPart = 0 };

    if (!enter(&call))
        return before;
    before = *Addend;
    Addend->QuadPart = (LONGLONG)((ULONGLONG)before.QuadPart + (ULONGLONG)Increment.QuadPart);
    leave(&call);
    return before;
}
