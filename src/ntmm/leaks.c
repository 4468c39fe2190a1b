/*
 * leaks.c - finding everything that a driver still holds, by walking the pages that hold it.
 * No allocation keeps a record for this: pool pages are rows of blocks whose headers say what is in use, and runs of pages carry their owner's
 * tag and size in the PFN entry. So a leak report costs nothing until it is asked for, and what was freed cannot be in it.
 */
#include <string.h>

#include "ex/ex.h"
#include "hal/hal.h"
#include "ke/system_thread.h"
#include "ke/timer.h"
#include "mm/mm.h"
#include "mm/view.h"
#include "ntmm/leaks.h"
#include "wdf/driver.h"

#define VIEW_TAG 0x77656956u /* "View": of a section in system space */

/* Keeps the list sorted by address and drops the highest when it is full. */
static void leak_add(void *context, const ntmm_leak *leak)
{
    ntmm_report *report = context;
    size_t       listed = report->leak_count < NTMM_ARRAY_COUNT(report->leaks) ? report->leak_count : NTMM_ARRAY_COUNT(report->leaks);
    size_t       at = listed;

    while (at > 0 && (uintptr_t)report->leaks[at - 1].address > (uintptr_t)leak->address)
        at--;
    if (at < NTMM_ARRAY_COUNT(report->leaks)) {
        size_t moved = listed - at - (listed == NTMM_ARRAY_COUNT(report->leaks) ? 1 : 0);
        memmove(&report->leaks[at + 1], &report->leaks[at], moved * sizeof *leak);
        report->leaks[at] = *leak;
    }
    report->leak_count++;
}

static void owner_visit(void *context, void *page, mm_owner_t *owner)
{
    if (owner->use == MM_USE_IO) {
        ntmm_leak mapping = { .tag = owner->tag, .type = NonPagedPoolNx };
        mapping.address = mm_io_extent(page, owner, &mapping.bytes);
        leak_add(context, &mapping);
    }
    if (owner->use != MM_USE_CONTIGUOUS && owner->use != MM_USE_NONCACHED && owner->use != MM_USE_MDL_PAGES)
        return;
    ntmm_leak leak = {
        .address = page,
        .bytes = ROUND_TO_PAGES(owner->bytes),
        .tag = owner->tag,
        .type = (owner->flags & MM_OWNER_EXECUTE) != 0 ? NonPagedPoolExecute : NonPagedPoolNx,
    };
    leak_add(context, &leak);
}

static void mapping_visit(void *context, void *page, mm_owner_t *owner)
{
    bool      reserved = owner->use == MM_USE_RESERVED;
    ntmm_leak leak = { .address = page, .tag = reserved ? owner->tag : NTMM_TAG("MmMp"), .type = NonPagedPoolNx };
    leak.bytes = (size_t)(reserved ? owner->bytes & UINT32_MAX : owner->tag) << PAGE_SHIFT;
    leak_add(context, &leak);
}

static void locked_visit(void *context, void *first, size_t page_count)
{
    ntmm_leak leak = { .address = first, .bytes = page_count << PAGE_SHIFT, .tag = NTMM_TAG("MmLk"), .type = NonPagedPoolNx };
    leak_add(context, &leak);
}

static void view_visit(void *context, void *base, uint64_t bytes)
{
    ntmm_leak view = { .address = base, .bytes = bytes, .tag = VIEW_TAG, .type = PagedPool };
    leak_add(context, &view);
}

/* A system thread that waited for something that never came. */
static void thread_visit(void *context, void *object)
{
    ntmm_leak thread = { .address = object, .bytes = KERNEL_STACK_SIZE, .tag = NTMM_TAG("Thre"), .type = NonPagedPoolNx };
    leak_add(context, &thread);
}

/* It would have expired in memory that is gone. */
static void timer_visit(void *context, void *object, size_t bytes)
{
    ntmm_leak timer = { .address = object, .bytes = bytes, .tag = NTMM_TAG("Time"), .type = NonPagedPoolNx };
    leak_add(context, &timer);
}

/* Blocks of pool that are more than that. */
static void framework_notes(ntmm_report *report)
{
    for (size_t i = 0; i < report->leak_count && i < NTMM_ARRAY_COUNT(report->leaks); i++) {
        ntmm_leak *leak = &report->leaks[i];
        if (leak->type != PagedPool && !wdf_describe_block(leak->address, leak->note, sizeof leak->note))
            leak->note[0] = '\0';
    }
}

size_t leaks_collect(ntmm_report *report)
{
    ke_system_threads_visit_abandoned(thread_visit, report);
    ke_timers_visit_set(timer_visit, report);
    ex_pool_visit_leaks(leak_add, report);
    framework_notes(report);
    mm_visit_owners(owner_visit, report);
    mm_visit_mappings(mapping_visit, report);
    mm_visit_locked(locked_visit, report);
    hal_visit_leaks(leak_add, report);
    mm_system_views_visit(view_visit, report);
    return report->leak_count;
}
