/*
 * lookaside.c - lookaside lists as drivers call them.
 *
 *     ExAllocateFrom...LookasideList...                   ExFreeTo...LookasideList...
 *      |- is it active? IRQL?                              |- is it active? IRQL?
 *      |- ke_balance_tick      is a scan due?              |- freed twice in a row?
 *      |- pop                  lock: none                  |- fewer entries than Depth: push   lock: none
 *      `- Allocate routine, or the pool: a miss            `- Free routine, or the pool: a miss
 *
 * Counters are exact, also with several threads. Depth may be exceeded by as many entries as threads free at the same moment, as on Windows.
 *
 * Locks       none here; the list of entries needs none (slist.c). The driver's routines are called with nothing held.
 * Elsewhere   the system's set of lists: lookaside_registry.c. How Depth follows demand: lookaside_depth.c. ntmm_check: lookaside_check.c.
 * Source      WDK reference: "Using lookaside lists"; wdm.h, the pages of these routines.
 * Fidelity    what is not a list, or not any more, is noticed by a mark in the structure (lookaside.h); Windows would follow the pointers in it.
 */
#include "ex/lookaside.h"

#include "ex/pool_header.h"
#include "ex/pool_tools.h"
#include "ex/slist.h"
#include "ke/balance.h"
#include "ke/inject.h"
#include "ke/irql.h"
#include "ke/probe.h"
#include "mm/mm.h"

/* A call under way: on whose behalf, about which list. */
typedef struct call {
    const char         *routine;
    ULONG_PTR           caller;
    ex_lookaside_t     *list;
    ex_lookaside_kind_t kind;
} call_t;
#define CALL(list_, kind_) \
    (&(call_t){ .routine = __func__, .caller = KE_CALLER(), .list = (ex_lookaside_t *)(void *)(list_), .kind = (kind_) })

/* ---- what is no active list ---- */

static const char *why_inactive(const call_t *call)
{
    const ULONG *mark;
    ULONG        state;

    if (!ex_lookaside_is_aligned(call->list))
        return "There is no lookaside list at this address: it is not aligned to 16 bytes.";
    mark = call->list->Future;
    state = mark[0] & ~EX_LOOKASIDE_KIND_MASK;
    if (state != EX_LOOKASIDE_ACTIVE && state != EX_LOOKASIDE_DELETED)
        return "The lookaside list was never initialised, or has been overwritten.";
    if (mark[1] != ex_lookaside_number(call->list))
        return "The lookaside list was initialised before the machine was booted, or at another address: initialise it again.";
    return state == EX_LOOKASIDE_DELETED ? "The lookaside list has been deleted."
                                         : "The lookaside list was initialised as one of another kind, which has routines of its own.";
}

static _Noreturn NTMM_COLD void inactive(const call_t *call, ULONG code)
{
    ke_fast_fail(call->routine, why_inactive(call), code, call->caller);
}

/* false: refused. */
static inline bool begin(const call_t *call, ULONG code_when_inactive)
{
    if (NTMM_UNLIKELY(ke_thread_ready(call->routine) == NULL))
        return false;
    if (NTMM_UNLIKELY(!ex_lookaside_is_active(call->list, call->kind)))
        inactive(call, code_when_inactive);
    return true;
}

static inline void require_irql_for_entries(const call_t *call)
{
    if (NTMM_UNLIKELY((call->list->Type & PagedPool) != 0 && ke_self()->irql > APC_LEVEL))
        ke_irql_too_high(call->routine, 0, call->caller);
}

/* ---- entries ---- */

static inline void count(ULONG *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

static PVOID allocate_ex(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    UNREFERENCED_PARAMETER(list);
    return ExAllocatePoolWithTag(type, bytes, tag);
}

static VOID free_ex(PVOID entry, PLOOKASIDE_LIST_EX list)
{
    UNREFERENCED_PARAMETER(list);
    ExFreePool(entry);
}

bool ex_lookaside_frees_to_pool(const ex_lookaside_t *list)
{
    bool is_ex = (list->Future[0] & EX_LOOKASIDE_KIND_MASK) == EX_LOOKASIDE_EX;
    return is_ex ? list->FreeEx == free_ex : list->Free == ExFreePool;
}

bool ex_lookaside_is_plain(const ex_lookaside_t *list)
{
    bool is_ex = (list->Future[0] & EX_LOOKASIDE_KIND_MASK) == EX_LOOKASIDE_EX;
    return ex_lookaside_frees_to_pool(list) && (is_ex ? list->AllocateEx == allocate_ex : list->Allocate == ExAllocatePoolWithTag);
}

static PVOID entry_new(const call_t *call)
{
    ex_lookaside_t *list = call->list;
    if (call->kind == EX_LOOKASIDE_EX)
        return list->AllocateEx(list->Type, list->Size, list->Tag, (PLOOKASIDE_LIST_EX)(void *)list);
    return list->Allocate(list->Type, list->Size, list->Tag);
}

static void entry_free(const call_t *call, PVOID entry)
{
    ex_lookaside_t *list = call->list;
    if (call->kind == EX_LOOKASIDE_EX)
        list->FreeEx(entry, (PLOOKASIDE_LIST_EX)(void *)list);
    else
        list->Free(entry);
}

/* An entry that waits on a list is nobody's, but AddressSanitizer and memcheck know only of what goes back to the pool. */
static bool caches_are_off(void) { return atomic_load_explicit(&ke_inject_caches_off, memory_order_relaxed) || ex_tools_on; }

static PVOID allocate(const call_t *call)
{
    PSLIST_ENTRY entry = NULL;

    if (!begin(call, FAST_FAIL_INVALID_ARG))
        return NULL;
    require_irql_for_entries(call);
    ke_balance_tick(ke_self());
    count(&call->list->TotalAllocates);
    if (NTMM_LIKELY(!caches_are_off()))
        entry = ExpInterlockedPopEntrySList(&call->list->ListHead);
    if (entry != NULL)
        return entry;
    count(&call->list->AllocateMisses);
    return entry_new(call);
}

/* An entry that its owner gives back is not on the list. */
static NTMM_COLD void freed_twice(const call_t *call, const void *entry)
{
    bool      has_header = mm_pool_of(entry) != MM_POOLS && BYTE_OFFSET(entry) >= EX_HEADER_BYTES && ex_lookaside_frees_to_pool(call->list);
    ULONG_PTR header = has_header ? ex_header_contents(ex_header_of(entry)) : 0;

    ke_bugcheck(call->routine, "The entry is on the lookaside list already: it was freed twice.", BAD_POOL_CALLER, 7, 0, header,
                (ULONG_PTR)entry);
}

static void give(const call_t *call, PVOID entry)
{
    ex_lookaside_t *list = call->list;

    if (!begin(call, FAST_FAIL_INVALID_ARG))
        return;
    require_irql_for_entries(call);
    count(&list->TotalFrees);
    if (NTMM_UNLIKELY(entry != NULL && entry == (PVOID)FirstEntrySList(&list->ListHead)))
        freed_twice(call, entry);
    if (ex_slist_depth(&list->ListHead) < __atomic_load_n(&list->Depth, __ATOMIC_RELAXED) && !caches_are_off()) {
        ExpInterlockedPushEntrySList(&list->ListHead, entry);
        return;
    }
    count(&list->FreeMisses);
    entry_free(call, entry);
}

static void give_all_back(const call_t *call)
{
    PSLIST_ENTRY entry = ExpInterlockedFlushSList(&call->list->ListHead);
    while (entry != NULL) {
        PSLIST_ENTRY next = entry->Next;
        entry_free(call, entry);
        entry = next;
    }
}

/* ---- life ---- */

static void initialise(const call_t *call, POOL_TYPE type, SIZE_T size, ULONG tag)
{
    ex_lookaside_t *list = call->list;

    if (!ex_lookaside_is_aligned(list))
        ke_raise_status(call->routine, STATUS_DATATYPE_MISALIGNMENT, call->caller);
    bool is_active = ex_lookaside_is_active(list, (ex_lookaside_kind_t)(list->Future[0] & EX_LOOKASIDE_KIND_MASK));
    if (size < LOOKASIDE_MINIMUM_BLOCK_SIZE)
        ke_probe_lock(call->routine, KE_LOOKASIDE_SMALL, list, size);
    if (is_active)
        ke_probe_lock(call->routine, KE_LOOKASIDE_TWICE, list, 0);
    if (is_active)
        ke_fast_fail(call->routine, "The lookaside list is active already: delete it before its memory is freed or initialised again.",
                     FAST_FAIL_CORRUPT_LIST_ENTRY, call->caller);
    InitializeSListHead(&list->ListHead);
    list->Depth = EX_LOOKASIDE_DEPTH_LEAST;
    list->MaximumDepth = EX_MAXIMUM_LOOKASIDE_DEPTH_BASE;
    list->TotalAllocates = list->AllocateMisses = list->TotalFrees = list->FreeMisses = 0;
    list->LastTotalAllocates = list->LastAllocateMisses = 0;
    list->Type = type;
    list->Tag = tag;
    list->Size = size < LOOKASIDE_MINIMUM_BLOCK_SIZE ? LOOKASIDE_MINIMUM_BLOCK_SIZE : size > MAXULONG ? MAXULONG : (ULONG)size;
    list->Future[0] = EX_LOOKASIDE_ACTIVE | call->kind;
    list->Future[1] = ex_lookaside_number(list);
}

/* From here on scans find it. */
static void activate(const call_t *call)
{
    const char *wrong = ex_lookaside_register(call->list);
    if (wrong != NULL)
        ke_fast_fail(call->routine, wrong, FAST_FAIL_CORRUPT_LIST_ENTRY, call->caller);
}

static void initialise_plain(const call_t *call, PALLOCATE_FUNCTION allocate_routine, PFREE_FUNCTION free_routine, POOL_TYPE type,
                             SIZE_T size, ULONG tag)
{
    if (ke_thread_ready(call->routine) == NULL)
        return;
    initialise(call, type, size, tag);
    call->list->Allocate = allocate_routine != NULL ? allocate_routine : ExAllocatePoolWithTag;
    call->list->Free = free_routine != NULL ? free_routine : ExFreePool;
    activate(call);
}

static void end(const call_t *call)
{
    const char *wrong;

    if (!ex_lookaside_is_active(call->list, call->kind))
        ke_probe_lock(call->routine, KE_LOOKASIDE_UNKNOWN, call->list, 0);
    if (!begin(call, FAST_FAIL_CORRUPT_LIST_ENTRY))
        return;
    give_all_back(call);
    wrong = ex_lookaside_unregister(call->list);
    if (wrong != NULL)
        ke_fast_fail(call->routine, wrong, FAST_FAIL_CORRUPT_LIST_ENTRY, call->caller);
    call->list->Future[0] = EX_LOOKASIDE_DELETED | call->kind;
}

/* ---- nonpaged entries ---- */

#undef ExInitializeNPagedLookasideList
VOID ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free, ULONG Flags,
                                     SIZE_T Size, ULONG Tag, USHORT Depth)
{
    ULONG type = NonPagedPool | (Flags & (POOL_NX_ALLOCATION | POOL_RAISE_IF_ALLOCATION_FAILURE));

    UNREFERENCED_PARAMETER(Depth);
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    initialise_plain(CALL(Lookaside, EX_LOOKASIDE_NONPAGED), Allocate, Free, (POOL_TYPE)type, Size, Tag);
}

VOID ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    end(CALL(Lookaside, EX_LOOKASIDE_NONPAGED));
}

PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return allocate(CALL(Lookaside, EX_LOOKASIDE_NONPAGED));
}

VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    give(CALL(Lookaside, EX_LOOKASIDE_NONPAGED), Entry);
}

/* ---- paged entries ---- */

VOID ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free, ULONG Flags,
                                    SIZE_T Size, ULONG Tag, USHORT Depth)
{
    ULONG type = PagedPool | (Flags & POOL_RAISE_IF_ALLOCATION_FAILURE);

    UNREFERENCED_PARAMETER(Depth);
    KE_REQUIRE_IRQL(APC_LEVEL);
    initialise_plain(CALL(Lookaside, EX_LOOKASIDE_PAGED), Allocate, Free, (POOL_TYPE)type, Size, Tag);
}

VOID ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    end(CALL(Lookaside, EX_LOOKASIDE_PAGED));
}

PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return allocate(CALL(Lookaside, EX_LOOKASIDE_PAGED));
}

VOID ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    give(CALL(Lookaside, EX_LOOKASIDE_PAGED), Entry);
}

/* ---- entries of either kind ---- */

static bool names_a_pool(POOL_TYPE type)
{
    switch (type) {
    case NonPagedPool:
    case PagedPool:
    case NonPagedPoolCacheAligned:
    case PagedPoolCacheAligned:
    case NonPagedPoolSession:
    case PagedPoolSession:
    case NonPagedPoolCacheAlignedSession:
    case PagedPoolCacheAlignedSession:
    case NonPagedPoolNx:
    case NonPagedPoolNxCacheAligned:
    case NonPagedPoolSessionNx: return true;
    default: return false;
    }
}

/* What the Allocate routine sees of the flags. false: they are not acceptable. */
static bool type_flags(ULONG flags, bool has_routine, ULONG *type_bits)
{
    *type_bits = flags == EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL   ? POOL_RAISE_IF_ALLOCATION_FAILURE
                 : flags == EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE ? POOL_QUOTA_FAIL_INSTEAD_OF_RAISE
                                                                     : 0;
    return flags == 0 || (*type_bits != 0 && (flags != EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE || has_routine));
}

NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate, PFREE_FUNCTION_EX Free,
                                     POOL_TYPE PoolType, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    const call_t *call = CALL(Lookaside, EX_LOOKASIDE_EX);
    ULONG         type_bits;

    UNREFERENCED_PARAMETER(Depth);
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!names_a_pool(PoolType))
        return STATUS_INVALID_PARAMETER_4;
    if (!type_flags(Flags, Allocate != NULL, &type_bits))
        return STATUS_INVALID_PARAMETER_5;
    if (Size > MAXULONG)
        return STATUS_INVALID_PARAMETER_6;
    initialise(call, (POOL_TYPE)((ULONG)PoolType | type_bits), Size, Tag);
    Lookaside->L.AllocateEx = Allocate != NULL ? Allocate : allocate_ex;
    Lookaside->L.FreeEx = Free != NULL ? Free : free_ex;
    activate(call);
    return STATUS_SUCCESS;
}

VOID ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    end(CALL(Lookaside, EX_LOOKASIDE_EX));
}

PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return allocate(CALL(Lookaside, EX_LOOKASIDE_EX));
}

VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    give(CALL(Lookaside, EX_LOOKASIDE_EX), Entry);
}

VOID ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    const call_t *call = CALL(Lookaside, EX_LOOKASIDE_EX);

    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (begin(call, FAST_FAIL_INVALID_ARG))
        give_all_back(call);
}
