/*
 * mdl_user.c - memory of the system at addresses of a process: MmMapLockedPagesSpecifyCache for UserMode.
 * The addresses are a reservation of the process like any other (view.c), so that nothing else comes to lie there. Over it the host maps the
 * frames where they are: at home, or in their slots. So a touch is no page fault, and what must not be done (a write, an execution) ends as
 * in any page that is reserved: in an exception.
 *
 *     slice of the process   | ... | reserved, private ........... | ... |
 *     the host               | ... | frame | frame | slot  | frame | ... |          one mapping for each stretch
 *
 * The MDL holds the frames: it must stay locked as long as it is mapped, which is the driver's affair, as on Windows.
 *
 * Locks       mm_paging_lock for the table of mappings and what the space counts.
 * Source      WDK reference: MmMapLockedPagesSpecifyCache, MmUnmapLockedPages.
 * Fidelity    ZwQueryVirtualMemory calls it a reservation. Memory of the host process, and I/O space, cannot be mapped so.
 */
#include "mm/mdl_user.h"

#include "ke/bugcheck.h"
#include "mm/lock_pages.h"
#include "mm/machine.h"
#include "mm/space.h"

#define MAPPINGS_MOST 256u

typedef struct user_mapping {
    mm_space_t *space; /* NULL: free */
    uintptr_t   base;
    size_t      page_count, stretches;
    unsigned    access;
    const MDL  *mdl;
} user_mapping_t;
static user_mapping_t mappings[MAPPINGS_MOST]; /* under mm_paging_lock */
_Atomic uint32_t      mm_user_mappings;

void mm_user_mappings_boot(void)
{
    memset(mappings, 0, sizeof mappings);
    atomic_store(&mm_user_mappings, 0);
}

static user_mapping_t *free_record_locked(void)
{
    for (size_t i = 0; i < MAPPINGS_MOST; i++)
        if (mappings[i].space == NULL)
            return &mappings[i];
    return NULL;
}

/* ---- the host's mappings ---- */

static size_t stretch_length(const mm_mapping_t *mapping, size_t first)
{
    size_t   end = first + 1;
    uint64_t offset = mm_frame_offset(mapping->pfns[first]);
    while (end < mapping->page_count && mm_frame_offset(mapping->pfns[end]) == offset + ((uint64_t)(end - first) << PAGE_SHIFT))
        end++;
    return end - first;
}

static size_t count_stretches(const mm_mapping_t *mapping)
{
    size_t count = 0;
    for (size_t at = 0; at < mapping->page_count; at += stretch_length(mapping, at))
        count++;
    return count;
}

static bool map_stretches(uintptr_t base, const mm_mapping_t *mapping)
{
    for (size_t at = 0, length; at < mapping->page_count; at += length) {
        length = stretch_length(mapping, at);
        if (host_map_object((void *)(base + (at << PAGE_SHIFT)), &mm_object, mm_frame_offset(mapping->pfns[at]), length << PAGE_SHIFT,
                            mapping->access) != 0)
            return false;
    }
    return true;
}

static bool can_be_shown(const mm_mapping_t *mapping)
{
    for (size_t i = 0; i < mapping->page_count; i++)
        if (mm_is_host_frame(mapping->pfns[i]) || mapping->io_space)
            return ke_error(false, "memory of the host process, and I/O space, cannot be mapped at user addresses");
    return true;
}

static NTSTATUS lay_over_locked(mm_space_t *space, MDL *mdl, const mm_mapping_t *mapping, uintptr_t base)
{
    size_t          stretches = count_stretches(mapping);
    user_mapping_t *record = free_record_locked();
    if (record == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (mm_mappings_left() < stretches || !map_stretches(base, mapping))
        return mm_no_mappings();
    space->mappings += stretches;
    mm_note_frames(mapping->pfns, mapping->page_count);
    atomic_fetch_add(&mm_user_mappings, 1);
    *record = (user_mapping_t){ space, base, mapping->page_count, stretches, mapping->access, mdl };
    return STATUS_SUCCESS;
}

NTSTATUS mm_user_mapping_make(mm_space_t *space, MDL *mdl, const mm_mapping_t *mapping, uintptr_t requested, uintptr_t *base)
{
    mm_view_want_t want = { .address = requested,
                            .bytes = (uint64_t)mapping->page_count << PAGE_SHIFT,
                            .protect = (mapping->access & HOST_WRITE) != 0 ? PAGE_READWRITE : PAGE_READONLY,
                            .type = MEM_PRIVATE };
    if (!can_be_shown(mapping))
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = mm_view_map(space, &want, base);
    if (!NT_SUCCESS(status))
        return status;
    ke_lock(&mm_paging_lock);
    status = lay_over_locked(space, mdl, mapping, *base);
    ke_unlock(&mm_paging_lock);
    if (!NT_SUCCESS(status))
        (void)mm_view_unmap(space, *base);
    return status;
}

/* ---- and back ---- */

static void forget_locked(user_mapping_t *record)
{
    record->space->mappings -= record->stretches;
    *record = (user_mapping_t){ 0 };
    atomic_fetch_sub(&mm_user_mappings, 1);
}

bool mm_user_mapping_drop(mm_space_t *space, const MDL *mdl, uintptr_t base)
{
    bool found = false;
    ke_lock(&mm_paging_lock);
    for (size_t i = 0; i < MAPPINGS_MOST && !found; i++) {
        found = mappings[i].space == space && space != NULL && mappings[i].base == base && mappings[i].mdl == mdl;
        if (found)
            forget_locked(&mappings[i]);
    }
    ke_unlock(&mm_paging_lock);
    if (found)
        (void)mm_view_unmap(space, base);
    return found;
}

void mm_user_mappings_forget_locked(mm_space_t *space)
{
    for (size_t i = 0; i < MAPPINGS_MOST; i++)
        if (mappings[i].space == space)
            forget_locked(&mappings[i]);
}

/* ---- what is there ---- */

static bool is_mapped(const MDL *mdl)
{
    bool found = false;
    ke_lock(&mm_paging_lock);
    for (size_t i = 0; i < MAPPINGS_MOST && !found; i++)
        found = mappings[i].space != NULL && mappings[i].mdl == mdl;
    ke_unlock(&mm_paging_lock);
    return found;
}

static bool shows(const user_mapping_t *record, mm_pfn_number_t pfn)
{
    const PFN_NUMBER *pfns = record->space != NULL ? MmGetMdlPfnArray(record->mdl) : NULL;
    for (size_t i = 0; pfns != NULL && i < record->page_count; i++)
        if (pfns[i] == pfn)
            return true;
    return false;
}

bool mm_user_mapping_shows(mm_pfn_number_t pfn)
{
    bool found = false;
    if (NTMM_LIKELY(atomic_load_explicit(&mm_user_mappings, memory_order_relaxed) == 0))
        return false;
    ke_lock(&mm_paging_lock);
    for (size_t i = 0; i < MAPPINGS_MOST && !found; i++)
        found = shows(&mappings[i], pfn);
    ke_unlock(&mm_paging_lock);
    return found;
}

/* The process would go on seeing frames that are somebody else's by and by. */
void mm_mdl_stays_for_users(const char *routine, const MDL *mdl)
{
    if (NTMM_LIKELY(atomic_load_explicit(&mm_user_mappings, memory_order_relaxed) == 0) || ke_thread_ready(routine) == NULL)
        return;
    if (is_mapped(mdl))
        ke_bugcheck(routine, "The MDL gives up its pages while they are mapped at addresses of a process.", MEMORY_MANAGEMENT, 0x1233,
                    (ULONG_PTR)MmGetMdlPfnArray(mdl)[0], (ULONG_PTR)mdl, 0);
}

size_t mm_user_mapping_stretches_locked(const mm_space_t *space)
{
    size_t count = 0;
    for (size_t i = 0; i < MAPPINGS_MOST; i++)
        count += mappings[i].space == space ? mappings[i].stretches : 0;
    return count;
}

bool mm_user_mapping_lies_in_locked(const mm_space_t *space, size_t first, size_t end)
{
    for (size_t i = 0; i < MAPPINGS_MOST; i++) {
        size_t at = mappings[i].space == space ? mm_space_index(space, mappings[i].base) : 0;
        if (mappings[i].space == space && at < end && first < at + mappings[i].page_count)
            return true;
    }
    return false;
}

/* On a halted machine somebody may have been stopped with the lock in his hand. */
bool mm_user_mapping_frame(uintptr_t va, bool write, mm_pfn_number_t *pfn)
{
    bool found = false, lock = atomic_load_explicit(&ke_machine_state, memory_order_relaxed) != KE_MACHINE_HALTED;
    if (lock)
        ke_lock(&mm_paging_lock);
    for (size_t i = 0; i < MAPPINGS_MOST && !found; i++) {
        const user_mapping_t *record = &mappings[i];
        uint64_t              offset = va - record->base;
        if (record->space == NULL || offset >= (uint64_t)record->page_count << PAGE_SHIFT)
            continue;
        found = !write || (record->access & HOST_WRITE) != 0;
        *pfn = MmGetMdlPfnArray(record->mdl)[offset >> PAGE_SHIFT];
    }
    if (lock)
        ke_unlock(&mm_paging_lock);
    return found;
}
