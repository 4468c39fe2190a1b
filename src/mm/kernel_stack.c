/*
 * kernel_stack.c - kernel stacks: frames mapped in a row through system PTEs, with pages below that have none.
 *
 *     addresses ->   | guard: no frames, faults      | stack ................ |
 *                    guard                           low                      high: the first call begins here
 *
 * Windows leaves one page without a frame, and its compilers touch every page of a large frame in order. Ours need not, so the gap is wide
 * enough for a large frame not to reach over it.
 *
 * A few stacks are kept for the next who asks. Those stay committed, unless memory is short when they come back.
 *
 * Locks       kernel_stack_lock around the stacks that are kept; it is held while nothing else is taken.
 * Source      WDK reference: "Using the kernel stack".
 * Fidelity    never paged out. Charged like noncached memory: to the commit limit alone.
 */
#include "mm/kernel_stack.h"

#include <ntddk.h>

#include "host/stack.h"
#include "ke/bugcheck.h"
#include "ke/stack.h"
#include "mm/charge.h"
#include "mm/paging.h"
#include "mm/system_pte.h"

#define GUARD_PAGES ((0x10000u + PAGE_SIZE - 1) / PAGE_SIZE)
#define KEPT_MOST 4u
#define SHORT_OF_MEMORY(committed, limit) ((committed) > (limit) / 8 * 7)
#define TAG_STACK NTMM_TAG("MmKs")

static ke_lock_t kernel_stack_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static struct {
    ke_stack_t stack[KEPT_MOST];
    unsigned   count;
} kept;

/* ---- making ---- */

static bool find_frames(char *low, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++) {
        bool            zeroed;
        mm_pfn_number_t pfn = mm_frame_get_or_reclaim(ke_self()->processor->node, &zeroed);
        if (pfn == MM_PFN_NONE) {
            while (i-- > 0)
                mm_frame_put(mm_system_pte_frame(low, i));
            return ke_error(0, "no frame is left for a kernel stack") != 0;
        }
        mm_pfn_entry(pfn)->mapped.va = (uintptr_t)low + (i << PAGE_SHIFT);
        mm_pfn_entry(pfn)->mapped.use = MM_USE_MAPPED;
        mm_system_pte_set(low, i, pfn, HOST_READ | HOST_WRITE);
    }
    return true;
}

static void put_frames(const char *low, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++)
        mm_frame_put(mm_system_pte_frame(low, i));
}

static void say_owner(const char *low, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++)
        mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)low) + i] =
            (mm_owner_t){ .bytes = i, .tag = TAG_STACK, .use = MM_USE_KERNEL_STACK, .pool = MM_NONPAGED_NX };
}

static bool map(char *base, size_t page_count)
{
    char *low = base + GUARD_PAGES * PAGE_SIZE;
    if (!find_frames(low, page_count))
        return false;
    if (mm_system_pte_commit(low, page_count))
        return true;
    put_frames(low, page_count);
    return false;
}

static bool make(size_t page_count, ke_stack_t *stack)
{
    if (!mm_charge(MM_CHARGE_OTHER, page_count))
        return ke_error(0, "a kernel stack of %zu pages would go over the commit limit", page_count) != 0;
    char *base = mm_system_pte_reserve(GUARD_PAGES + page_count);
    if (base == NULL)
        goto uncharge;
    if (!map(base, page_count))
        goto abandon;
    stack->guard = (uintptr_t)base;
    stack->low = stack->guard + GUARD_PAGES * PAGE_SIZE;
    stack->high = stack->low + (page_count << PAGE_SHIFT);
    stack->tool = host_stack_register(stack->low, stack->high);
    say_owner((char *)stack->low, page_count);
    return true;

abandon:
    mm_system_pte_abandon(base, GUARD_PAGES + page_count);
uncharge:
    mm_uncharge(MM_CHARGE_OTHER, page_count);
    return false;
}

static size_t pages_of(const ke_stack_t *stack) { return (stack->high - stack->low) >> PAGE_SHIFT; }

static void unmake(const ke_stack_t *stack)
{
    host_stack_forget(stack->tool);
    mm_system_pte_close((void *)stack->low, pages_of(stack));
    put_frames((const char *)stack->low, pages_of(stack)); /* after the mapping: the next owner's bytes are never seen through it */
    mm_system_pte_abandon((void *)stack->guard, GUARD_PAGES + pages_of(stack));
    mm_uncharge(MM_CHARGE_OTHER, pages_of(stack));
}

/* ---- keeping ---- */

static bool take_kept(size_t page_count, ke_stack_t *stack)
{
    bool found = false;
    ke_lock(&kernel_stack_lock);
    for (unsigned i = kept.count; i-- > 0 && !found;) {
        found = pages_of(&kept.stack[i]) == page_count;
        if (found) {
            *stack = kept.stack[i];
            kept.stack[i] = kept.stack[--kept.count];
        }
    }
    ke_unlock(&kernel_stack_lock);
    return found;
}

static bool keep(const ke_stack_t *stack)
{
    if (SHORT_OF_MEMORY(mm_gauge_now(MM_GAUGE_COMMITTED), atomic_load(&mm_charges.limit[MM_GAUGE_COMMITTED])))
        return false;
    ke_lock(&kernel_stack_lock);
    bool room = kept.count < KEPT_MOST;
    if (room)
        kept.stack[kept.count++] = *stack;
    ke_unlock(&kernel_stack_lock);
    return room;
}

static bool take(size_t bytes, ke_stack_t *stack)
{
    size_t page_count = BYTES_TO_PAGES(bytes);
    if (mm_unbacked)
        return ke_error(0, "a machine whose frames have no memory has no kernel stacks") != 0;
    return take_kept(page_count, stack) || make(page_count, stack);
}

static void give(const ke_stack_t *stack)
{
    if (!keep(stack))
        unmake(stack);
}

void mm_kernel_stacks_boot(void)
{
    ke_lock_init(&kernel_stack_lock, KE_RANK_LEAF);
    kept.count = 0; /* those of the last machine went with their PTEs */
    ke_stack_maker = (ke_stack_maker_t){ take, give };
}
