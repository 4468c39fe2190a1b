/*
 * driver_protect.c - data of a driver that nobody may write any more: MmProtectDriverSection.
 *
 * Windows asks the hypervisor to keep the section's frames from being written. Here its pages lose the right to be written, in the process
 * itself: a write is 0xBE from then on, until the machine is shut down. Only whole pages can, so a section that shares one is refused.
 *
 * Locks       mm_paging_lock; the dynamic linker's before it.
 * Source      WDK reference: MmProtectDriverSection (statuses; 0x1A/0x1100).
 * Fidelity    the machine counts as one with virtual secure mode.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "mm/driver_pages.h"

typedef struct sought { /* the section that holds an address */
    uintptr_t      address;
    uintptr_t      image; /* 0: no image holds it */
    host_section_t section;
    bool           shares_a_page; /* with its neighbours */
} sought_t;

static uintptr_t end_of(const host_section_t *section) { return section->start + section->bytes; }

static void seek_in_image(const host_image_t *image, void *context)
{
    sought_t *sought = context;
    if (sought->address - image->base >= image->end - image->base)
        return;
    sought->image = image->base;
    for (size_t i = 0; i < image->section_count; i++) {
        const host_section_t *section = &image->sections[i];
        if (sought->address - section->start >= section->bytes)
            continue;
        sought->section = *section;
        sought->shares_a_page =
            (i > 0 && end_of(section - 1) > section->start / PAGE_SIZE * PAGE_SIZE) ||
            (i + 1 < image->section_count && section[1].start < (end_of(section) + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE);
    }
}

static NTSTATUS protect_locked(const sought_t *sought)
{
    const host_section_t *section = &sought->section;
    mm_driver_section_t  *record = mm_driver_section_locked(sought->address);
    size_t                host_page = host_page_size();
    if (record != NULL && record->is_protected)
        return STATUS_ALREADY_COMMITTED;
    if (section->bytes == 0 || (record != NULL && record->run == NULL) || sought->shares_a_page) {
        ke_error(0, "MmProtectDriverSection: section `%s` shares a page with another one", section->name);
        return STATUS_NOT_SUPPORTED;
    }
    if (record == NULL) {
        mm_driver_section_t fresh = {
            .start = section->start, .end = end_of(section), .image = sought->image, .access = section->access, .is_resident = true
        };
        memcpy(fresh.name, section->name, MM_DRIVER_NAME);
        fresh.run = mm_driver_add_run_locked(section->start / host_page * host_page,
                                             (end_of(section) + host_page - 1) / host_page * host_page, section->access, true);
        record = fresh.run != NULL ? mm_driver_add_resident_locked(&fresh) : NULL;
        if (record == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
    }
    record->is_protected = true;
    for (size_t i = mm_driver_page_index(record->run, record->start); i <= mm_driver_page_index(record->run, record->end - 1); i++)
        mm_driver_page_protect_locked(record->run, i);
    return STATUS_SUCCESS;
}

static NTSTATUS protect(const sought_t *sought, SIZE_T size, ULONG flags)
{
    if (size != 0 || (flags & ~(ULONG)MM_PROTECT_DRIVER_SECTION_ALLOW_UNLOAD) != 0)
        return STATUS_INVALID_PARAMETER;
    if ((sought->section.access & HOST_EXECUTE) != 0)
        return STATUS_INVALID_PAGE_PROTECTION;
    ke_lock(&mm_paging_lock);
    NTSTATUS status = protect_locked(sought);
    ke_unlock(&mm_paging_lock);
    return status;
}

NTSTATUS MmProtectDriverSection(PVOID AddressWithinSection, SIZE_T Size, ULONG Flags)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    sought_t     sought = { .address = (uintptr_t)AddressWithinSection };
    NTSTATUS     status = STATUS_SUCCESS;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    mm_driver_look();
    mm_driver_visit_images(seek_in_image, &sought);
    if (sought.image != 0)
        status = protect(&sought, Size, Flags);
    ke_thread_leave(thread);
    if (sought.image == 0)
        ke_bugcheck(__func__, "The address whose section is to be protected lies in no image that is loaded.", MEMORY_MANAGEMENT, 0x1100,
                    (ULONG_PTR)AddressWithinSection, 0, 0);
    return status;
}
