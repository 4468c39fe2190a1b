/*
 * lookaside_depth.c - how many entries a list may keep, from how often it had none.
 * Each scan looks at what happened to a list since the one before:
 *
 *     fewer than 25 allocations           Depth - 10          hardly used
 *     less than 0.5 % of them missed      Depth - 1           it has more than it needs
 *     else                                Depth + miss ratio * (MaximumDepth - Depth) / 2 + 5
 *
 * and Depth stays between 4 and MaximumDepth. Entries beyond the new Depth go back to the pool at once where the pool's own routine frees
 * them. A driver's Free routine is not called from here, since this may run in the middle of any other driver's call: such a list gets
 * smaller as its entries are freed.
 *
 * Locks       the set's, while the lists are looked at; what was taken off them is freed after it.
 * Source      the published description of the dynamic lookaside lists of Windows 10 (C. Bayet and P. Fariello, "Scoop the Windows 10 pool!",
 *             2020); !lookaside (MaximumDepth); "Using lookaside lists" (surplus entries go back to the pool).
 * Fidelity    which formula a driver's lists follow is not documented; that they follow the one of the dynamic lists is a choice.
 */
#include "ex/ex.h"

#include "ex/lookaside.h"
#include "ex/slist.h"
#include "ke/balance.h"
#include "ke/irql.h"

#define FEW_ALLOCATES 25u
#define FEW_MISSES 5u /* of a thousand */
#define SLOW_STEP 1u
#define FAST_STEP 10u
#define GROWTH_LEAST 5u

static ULONG lowered(ULONG depth, ULONG step) { return depth > EX_LOOKASIDE_DEPTH_LEAST + step ? depth - step : EX_LOOKASIDE_DEPTH_LEAST; }

static ULONG raised(ULONG depth, ULONG maximum, ULONG misses_of_1000)
{
    ULONG room = maximum > depth ? maximum - depth : 0, growth = misses_of_1000 * room / 2000 + GROWTH_LEAST;
    return growth < room ? depth + growth : depth + room;
}

USHORT ex_lookaside_next_depth(ULONG depth, ULONG maximum, ULONG allocates, ULONG misses)
{
    ULONG misses_of_1000;

    if (allocates < FEW_ALLOCATES)
        return (USHORT)lowered(depth, FAST_STEP);
    if (misses > allocates) /* counted while other threads allocate */
        misses = allocates;
    misses_of_1000 = (ULONG)((uint64_t)misses * 1000 / allocates);
    return (USHORT)(misses_of_1000 < FEW_MISSES ? lowered(depth, SLOW_STEP) : raised(depth, maximum, misses_of_1000));
}

/* What goes back to the pool, chained. */
static void take_surplus(ex_lookaside_t *list, PSLIST_ENTRY *surplus)
{
    PSLIST_ENTRY entry;
    while (ex_slist_depth(&list->ListHead) > list->Depth && (entry = ex_slist_take(&list->ListHead)) != NULL) {
        entry->Next = *surplus;
        *surplus = entry;
    }
}

static const char *adjust(void *context, ex_lookaside_t *list)
{
    ULONG misses = __atomic_load_n(&list->AllocateMisses, __ATOMIC_RELAXED),
          total = __atomic_load_n(&list->TotalAllocates, __ATOMIC_RELAXED);
    USHORT depth =
        ex_lookaside_next_depth(list->Depth, list->MaximumDepth, total - list->LastTotalAllocates, misses - list->LastAllocateMisses);

    __atomic_store_n(&list->Depth, depth, __ATOMIC_RELAXED);
    list->LastTotalAllocates = total;
    list->LastAllocateMisses = misses;
    if (ex_lookaside_frees_to_pool(list))
        take_surplus(list, context);
    return NULL;
}

static void scan(const char *routine, ULONG_PTR caller)
{
    PSLIST_ENTRY surplus = NULL;
    const char  *wrong = ex_lookaside_visit(adjust, &surplus);

    while (surplus != NULL) {
        PSLIST_ENTRY next = surplus->Next;
        ExFreePool(surplus);
        surplus = next;
    }
    if (wrong != NULL)
        ke_fast_fail(routine, wrong, FAST_FAIL_CORRUPT_LIST_ENTRY, caller);
}

static void scan_as_balance_set_manager(void) { scan("the balance set manager", KE_CALLER()); }

void ex_lookaside_boot(void)
{
    ex_lookaside_registry_boot();
    ke_balance_register(scan_as_balance_set_manager);
}

VOID ExAdjustLookasideDepth(VOID)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    scan(__func__, KE_CALLER());
    ke_thread_leave(thread);
}
