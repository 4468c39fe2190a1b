/*
 * slist.c - sequenced singly linked lists: push and pop without a lock.
 *
 *     push    read the header; entry->Next = first; header = { depth + 1, sequence + 1, entry }      if it is still what was read, else again
 *     pop     read the header; next = first->Next;  header = { depth - 1, sequence,     next  }      if it is still what was read, else again
 *     flush   read the header;                      header = { 0,         sequence,     NULL  }      if it is still what was read, else again
 *
 * Between its reading of the header and the exchange, pop follows a pointer to an entry that another thread may pop and free meanwhile. What it
 * reads there counts only if the header has not changed since: nobody has pushed (the sequence is the same), so the entry has been first
 * all the time. The memory itself may be gone: then the peek says so instead of faulting. If the header has changed, that was the reason,
 * and pop begins again; if not, an entry was freed while it was on the list, and the fault is taken as for any other wrong pointer.
 *
 * Invariants  the header's words are read in the order low, high, and each exchange compares both, so that a header torn by an exchange in
 *             between is never taken for one
 *             depth wraps at 65,536 without touching the sequence
 * Locks       none (on processors that exchange no 16 bytes at once, those of rtl/pair.c).
 * Source      WDK reference: "Singly and doubly linked lists"; wdm.h, the pages of these routines; winnt.h, SLIST_HEADER.
 * Fidelity    that the sequence counts pushes alone is a choice; x86 versions of Windows are known to do so.
 */
#include "ex/slist.h"

#include "host/host.h"
#include "ke/bugcheck.h"
#include "rtl/pair.h"

#define ALIGNMENT 16u
#define DEPTH_MASK UINT64_C(0xffff)
#define SEQUENCE_ONE (DEPTH_MASK + 1)

static void require_aligned(const volatile void *address, const char *routine, ULONG_PTR caller)
{
    if (NTMM_UNLIKELY(((uintptr_t)address & (ALIGNMENT - 1)) != 0))
        ke_raise_status(routine, STATUS_DATATYPE_MISALIGNMENT, caller);
}
#define REQUIRE_ALIGNED(address) require_aligned((address), __func__, (ULONG_PTR)__builtin_return_address(0))

static rt_pair_t header_read(PSLIST_HEADER head)
{
    rt_pair_t now;
    now.low = __atomic_load_n(&head->Alignment, __ATOMIC_ACQUIRE);
    now.high = __atomic_load_n(&head->Region, __ATOMIC_ACQUIRE);
    return now;
}

static bool header_exchange(PSLIST_HEADER head, rt_pair_t before, uint64_t low, PSLIST_ENTRY first)
{
    return rt_pair_exchange((rt_pair_t *)(void *)head, before, (rt_pair_t){ low, (uintptr_t)first });
}

static PSLIST_ENTRY first_of(rt_pair_t header) { return (PSLIST_ENTRY)(uintptr_t)(header.high & ~(uint64_t)(ALIGNMENT - 1)); }

static uint64_t with_depth(uint64_t low, uint64_t depth) { return (low & ~DEPTH_MASK) | (depth & DEPTH_MASK); }

VOID InitializeSListHead(PSLIST_HEADER ListHead)
{
    REQUIRE_ALIGNED(ListHead);
    __atomic_store_n(&ListHead->Region, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ListHead->Alignment, 0, __ATOMIC_RELEASE);
}

static PSLIST_ENTRY push(PSLIST_HEADER head, PSLIST_ENTRY entry)
{
    rt_pair_t before;
    do {
        before = header_read(head);
        entry->Next = first_of(before);
    } while (!header_exchange(head, before, with_depth(before.low + SEQUENCE_ONE, before.low + 1), entry));
    return first_of(before);
}

/* The entry behind the first one. NEXT_GONE: it cannot be read, although the header is still the same. */
typedef enum next_answer { NEXT_KNOWN, NEXT_LOOK_AGAIN, NEXT_GONE } next_answer_t;

static next_answer_t next_of(PSLIST_HEADER head, rt_pair_t header, PSLIST_ENTRY *next)
{
    host_peeked_t peeked = host_peek_word(&first_of(header)->Next);
    rt_pair_t     now;

    *next = (PSLIST_ENTRY)peeked.value;
    if (NTMM_LIKELY(peeked.there != 0))
        return NEXT_KNOWN;
    now = header_read(head);
    return now.low == header.low && now.high == header.high ? NEXT_GONE : NEXT_LOOK_AGAIN;
}

/* NULL: the list is empty, or *gone is the entry that cannot be read. */
static PSLIST_ENTRY take(PSLIST_HEADER head, PSLIST_ENTRY *gone)
{
    for (;;) {
        rt_pair_t     before = header_read(head);
        PSLIST_ENTRY  first = first_of(before), next;
        next_answer_t answer;

        *gone = NULL;
        if (first == NULL)
            return NULL;
        answer = next_of(head, before, &next);
        if (answer == NEXT_KNOWN && header_exchange(head, before, with_depth(before.low, before.low - 1), next))
            return first;
        if (answer == NEXT_GONE) {
            *gone = first;
            return NULL;
        }
    }
}

static PSLIST_ENTRY pop(PSLIST_HEADER head)
{
    PSLIST_ENTRY gone, first = take(head, &gone);

    while (NTMM_UNLIKELY(gone != NULL)) {
        (void)*(PSLIST_ENTRY volatile *)&gone->Next; /* the page fault that it deserves; or it is back */
        first = take(head, &gone);
    }
    if (first == NULL)
        ke_loop_poll(); /* a driver may ask until there is one */
    return first;
}

PSLIST_ENTRY ex_slist_take(PSLIST_HEADER head)
{
    PSLIST_ENTRY gone;
    return take(head, &gone);
}

static PSLIST_ENTRY flush(PSLIST_HEADER head)
{
    rt_pair_t before;
    do {
        before = header_read(head);
        if (first_of(before) == NULL) {
            ke_loop_poll();
            return NULL;
        }
    } while (!header_exchange(head, before, with_depth(before.low, 0), NULL));
    return first_of(before);
}

PSLIST_ENTRY ExpInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry)
{
    REQUIRE_ALIGNED(ListHead);
    REQUIRE_ALIGNED(ListEntry);
    return push(ListHead, ListEntry);
}

PSLIST_ENTRY ExpInterlockedPopEntrySList(PSLIST_HEADER ListHead)
{
    REQUIRE_ALIGNED(ListHead);
    return pop(ListHead);
}

PSLIST_ENTRY ExpInterlockedFlushSList(PSLIST_HEADER ListHead)
{
    REQUIRE_ALIGNED(ListHead);
    return flush(ListHead);
}

PSLIST_ENTRY ExInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    UNREFERENCED_PARAMETER(Lock);
    REQUIRE_ALIGNED(ListHead);
    REQUIRE_ALIGNED(ListEntry);
    return push(ListHead, ListEntry);
}

PSLIST_ENTRY ExInterlockedPopEntrySList(PSLIST_HEADER ListHead, PKSPIN_LOCK Lock)
{
    UNREFERENCED_PARAMETER(Lock);
    REQUIRE_ALIGNED(ListHead);
    return pop(ListHead);
}

PSLIST_ENTRY ExInterlockedFlushSList(PSLIST_HEADER ListHead)
{
    REQUIRE_ALIGNED(ListHead);
    return flush(ListHead);
}

USHORT ExQueryDepthSList(PSLIST_HEADER SListHead)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return (USHORT)(__atomic_load_n(&SListHead->Alignment, __ATOMIC_ACQUIRE) & DEPTH_MASK);
}

PSLIST_ENTRY FirstEntrySList(const SLIST_HEADER *SListHead)
{
    return (PSLIST_ENTRY)(uintptr_t)(__atomic_load_n(&SListHead->Region, __ATOMIC_ACQUIRE) & ~(uint64_t)(ALIGNMENT - 1));
}
