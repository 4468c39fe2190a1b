/*
 * physical_memory.c - how much RAM there is, and changing it while the machine runs.
 * Adding a range maps its homes and builds the index of free frames anew over the changed map, so that runs across the old edge are found
 * too. Removing one needs all of its frames free: those that threads keep in their caches are called back first, those in use stay where
 * they are.
 *
 * Locks       ram_map_lock around a change, mm_pfn_lock inside it.
 * Source      WDK reference: ntddk.h, MmAddPhysicalMemory; wdm.h, MmQuerySystemSize. The statuses are our choice.
 */
#include "mm/physical_memory.h"

#include <ntddk.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/io_space.h"
#include "mm/machine.h"
#include "mm/pfn.h"

#define MEDIUM_SYSTEM_BYTES ((uint64_t)64 << 20)
#define LARGE_SYSTEM_BYTES ((uint64_t)1 << 30)

static ke_lock_t    ram_map_lock;
static mm_ram_map_t new_map; /* under ram_map_lock: 8 KiB */

void mm_physical_memory_boot(void) { ke_lock_init(&ram_map_lock, KE_RANK_MM_RAM_MAP); }
void mm_ram_map_lock(void) { ke_lock(&ram_map_lock); }
void mm_ram_map_unlock(void) { ke_unlock(&ram_map_lock); }

uint32_t mm_physical_ranges(mm_ram_range_t *ranges, uint32_t most)
{
    ke_lock(&mm_pfn_lock);
    uint32_t count = mm_frames.map.range_count;
    memcpy(ranges, mm_frames.map.range, (count < most ? count : most) * sizeof ranges[0]);
    ke_unlock(&mm_pfn_lock);
    return count;
}

typedef struct pages_of {
    mm_pfn_number_t first;
    uint64_t        page_count;
} pages_of_t;

/* A range that the machine has room for; else which parameter is wrong. */
static NTSTATUS check_range(PPHYSICAL_ADDRESS start, PLARGE_INTEGER bytes, pages_of_t *pages)
{
    uint64_t base = (uint64_t)start->QuadPart, length = (uint64_t)bytes->QuadPart, end = mm_span_pfns << PAGE_SHIFT;
    if (base % PAGE_SIZE != 0 || base >= end)
        return STATUS_INVALID_PARAMETER_1;
    if (length == 0 || length % PAGE_SIZE != 0 || length > end - base)
        return STATUS_INVALID_PARAMETER_2;
    *pages = (pages_of_t){ base >> PAGE_SHIFT, length >> PAGE_SHIFT };
    return STATUS_SUCCESS;
}

/* The new map becomes the machine's; frames that are new count as zeroed, those that go did. */
static NTSTATUS adopt_new_map_locked(void)
{
    if (mm_frames_remap_locked(&new_map) != 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    mm_highest_pfn = mm_ram_map_highest(&new_map);
    mm_map_changed = true;
    return STATUS_SUCCESS;
}

/* ---- add ---- */

static NTSTATUS add_pages(pages_of_t pages)
{
    ke_lock(&ram_map_lock);
    new_map = mm_frames.map; /* changes under both locks only */
    NTSTATUS status = STATUS_SUCCESS;
    if (!mm_ram_map_add(&new_map, pages.first, pages.page_count))
        status = new_map.range_count == MM_RAM_RANGES_MAX ? STATUS_INSUFFICIENT_RESOURCES : STATUS_CONFLICTING_ADDRESSES;
    else if (mm_io_overlaps(pages.first, pages.page_count))
        status = STATUS_CONFLICTING_ADDRESSES;
    else if (mm_map_homes(pages.first, pages.page_count) != 0)
        status = STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(status)) {
        ke_lock(&mm_pfn_lock);
        status = adopt_new_map_locked();
        if (NT_SUCCESS(status)) {
            mm_frames.zeroed += pages.page_count;
            mm_charges_ram_changed_locked();
        }
        ke_unlock(&mm_pfn_lock);
        if (!NT_SUCCESS(status))
            mm_unmap_homes(pages.first, pages.page_count);
    }
    ke_unlock(&ram_map_lock);
    return status;
}

NTSTATUS MmAddPhysicalMemory(PPHYSICAL_ADDRESS StartAddress, PLARGE_INTEGER NumberOfBytes)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    pages_of_t   pages;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = check_range(StartAddress, NumberOfBytes, &pages);
    if (NT_SUCCESS(status))
        status = ke_inject_failure() ? STATUS_INSUFFICIENT_RESOURCES : add_pages(pages);
    ke_thread_leave(thread);
    return status;
}

/* ---- remove ---- */

static void forget_entries_locked(pages_of_t pages)
{
    for (mm_pfn_t *entry = mm_pfn_entry(pages.first), *end = entry + pages.page_count; entry < end; entry++) {
        if (entry->list == MM_ZEROED)
            mm_frames.zeroed--;
        else
            mm_frames.free--;
        mm_pfn_set(entry, MM_ZEROED, MM_ZEROED);
    }
}

static NTSTATUS remove_pages(pages_of_t pages)
{
    ke_lock(&ram_map_lock);
    new_map = mm_frames.map;
    NTSTATUS status = STATUS_SUCCESS;
    bool     full = new_map.range_count == MM_RAM_RANGES_MAX;
    if (!mm_ram_map_remove(&new_map, pages.first, pages.page_count))
        status = full && mm_ram_map_contains(&new_map, pages.first) ? STATUS_INSUFFICIENT_RESOURCES : STATUS_MEMORY_NOT_ALLOCATED;
    else if (new_map.page_count == 0)
        status = STATUS_INSUFFICIENT_RESOURCES; /* a machine keeps some RAM */
    ke_lock(&mm_pfn_lock);
    if (NT_SUCCESS(status) && !mm_frames_all_free_locked(pages.first, pages.page_count))
        mm_frame_caches_drain_locked();
    if (NT_SUCCESS(status) && !mm_frames_all_free_locked(pages.first, pages.page_count))
        status = STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(status) && !mm_charges_fit_without_locked(pages.page_count))
        status = STATUS_INSUFFICIENT_RESOURCES; /* free now, and promised */
    if (NT_SUCCESS(status))
        status = adopt_new_map_locked();
    if (NT_SUCCESS(status))
        forget_entries_locked(pages);
    mm_charges_ram_changed_locked();
    ke_unlock(&mm_pfn_lock);
    if (NT_SUCCESS(status))
        mm_unmap_homes(pages.first, pages.page_count);
    ke_unlock(&ram_map_lock);
    return status;
}

NTSTATUS mm_remove_ram(uint64_t first_pfn, uint64_t page_count) { return remove_pages((pages_of_t){ first_pfn, page_count }); }

NTSTATUS MmRemovePhysicalMemory(PPHYSICAL_ADDRESS StartAddress, PLARGE_INTEGER NumberOfBytes)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    pages_of_t   pages;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = check_range(StartAddress, NumberOfBytes, &pages);
    if (NT_SUCCESS(status))
        status = ke_inject_failure() ? STATUS_INSUFFICIENT_RESOURCES : remove_pages(pages); /* a new index of what is left */
    ke_thread_leave(thread);
    return status;
}

/* ---- what kind of machine ---- */

MM_SYSTEMSIZE MmQuerySystemSize(VOID)
{
    uint64_t bytes = ke_thread_ready(__func__) != NULL ? mm_frames.map.page_count << PAGE_SHIFT : 0;
    return bytes < MEDIUM_SYSTEM_BYTES ? MmSmallSystem : bytes < LARGE_SYSTEM_BYTES ? MmMediumSystem : MmLargeSystem;
}

BOOLEAN MmIsThisAnNtAsSystem(VOID) { return ke_thread_ready(__func__) != NULL && mm_is_server; }
