/*
 * modified_writer.c - dirty pages that left the working set, on their way to the page file.
 * The head of the modified list has waited longest. It is written together with its neighbours by address that are modified as well, up to
 * MM_CLUSTER of them, to slots in a row if there are any: one write of the host, and later one read that brings several pages back.
 *
 *     addresses      | valid | modified | modified | HEAD | modified | page file |
 *                             `------- one cluster -------------'
 *
 * Pages over a file of the host go to that file, each to its own place there, and only together with pages of the same segment.
 *
 * Nobody writes in the background: the thread that needs a frame does it, so that the same calls put the same pages out (choice; Windows has
 * a thread for it).
 *
 * Locks   mm_paging_lock, also while the host writes.
 */
#include "mm/paging.h"
#include "mm/space.h"

#include <errno.h>

NTSTATUS mm_modified_error;

static NTSTATUS status_of(int host_error) { return host_error == -ENOSPC ? STATUS_DISK_FULL : STATUS_IO_DEVICE_ERROR; }

typedef struct cluster {
    mm_pageable_t *region;
    size_t         first;
    uint32_t       count;
    mm_segment_t  *segment; /* whose file the pages go to; NULL: the page file */
} cluster_t;

static mm_segment_t *file_of(const mm_pageable_t *region, size_t index)
{
    return mm_has_gate(region) ? NULL : mm_segment_with_file_locked(index);
}

static bool is_alike(const cluster_t *c, size_t index)
{
    uint64_t pte = index < mm_table_pages(c->region->table) ? c->region->table->ptes[index] : 0;
    return mm_pte_is_transition(pte) && mm_pfn_entry(mm_pte_pfn(pte))->list == MM_MODIFIED && file_of(c->region, index) == c->segment;
}

static cluster_t cluster_around(mm_pfn_number_t pfn)
{
    uintptr_t      va = mm_pfn_entry(pfn)->mapped.va;
    mm_pageable_t *region = mm_pageable_of(va);
    size_t         index = mm_table_index(region->table, va);
    cluster_t      c = { region, index, 1, file_of(region, index) };
    while (c.count < MM_CLUSTER && c.first > 0 && is_alike(&c, c.first - 1)) {
        c.first--;
        c.count++;
    }
    while (c.count < MM_CLUSTER && is_alike(&c, c.first + c.count))
        c.count++;
    return c;
}

/* All slots are in use, some of them by pages that are there as well: those count as never written from now on. */
static uint32_t give_up_copies(uint32_t wanted)
{
    uint32_t given = 0;
    for (uint32_t at = mm_working_set.head; at != 0 && given < wanted; at = mm_pfn_entry(at - 1)->next) {
        mm_pfn_t *entry = mm_pfn_entry(at - 1);
        if (!mm_is_page_file_slot(entry->mapped.file_slot))
            continue;
        given++;
        mm_page_file_give_locked(entry->mapped.file_slot);
        entry->mapped.file_slot = 0;
    }
    return given;
}

/* Fewer slots than pages: those around the head of the list go first, whichever end of the cluster it is at. */
static void shrink(cluster_t *c, uint32_t count, size_t head)
{
    if (head - c->first >= count)
        c->first = head - count + 1;
    c->count = count;
}

static size_t write_to_page_file(cluster_t *c, mm_pfn_number_t head)
{
    uint32_t slot, count = mm_page_file_take_locked(c->count, &slot);
    if (count == 0 && give_up_copies(c->count) != 0)
        count = mm_page_file_take_locked(c->count, &slot);
    if (count == 0)
        return 0;
    shrink(c, count, mm_table_index(c->region->table, mm_pfn_entry(head)->mapped.va));
    int status = mm_page_file_write_locked(slot, count, mm_alias_of(c->region, c->first));
    for (uint32_t i = 0; i < count; i++) {
        if (status == 0)
            mm_page_was_written_locked(mm_pte_pfn(c->region->table->ptes[c->first + i]), slot + i);
        else
            mm_page_file_give_locked(slot + i);
    }
    mm_modified_error = status != 0 ? status_of(status) : mm_modified_error;
    return status == 0 ? count : 0;
}

/* What the host refuses to take goes to the end of the list, so that it is in nobody's way. */
static size_t write_to_segment(const cluster_t *c)
{
    int status = mm_segment_write_locked(c->first, c->count, mm_alias_of(c->region, c->first));
    for (uint32_t i = 0; i < c->count; i++) {
        mm_pfn_number_t pfn = mm_pte_pfn(c->region->table->ptes[c->first + i]);
        if (status == 0) {
            mm_page_was_written_locked(pfn, MM_IN_SEGMENT_FILE);
            continue;
        }
        ke_lock(&mm_pfn_lock);
        mm_list_remove_locked(MM_MODIFIED, pfn);
        mm_list_push_tail_locked(MM_MODIFIED, pfn);
        ke_unlock(&mm_pfn_lock);
    }
    mm_modified_error = status != 0 ? status_of(status) : mm_modified_error;
    return status == 0 ? c->count : 0;
}

size_t mm_modified_write_locked(void)
{
    size_t written = 0;
    for (uint64_t tries = mm_frames.list[MM_MODIFIED].count; tries > 0 && written == 0; tries--) {
        mm_pfn_number_t pfn = mm_frames.list[MM_MODIFIED].head - 1;
        cluster_t       c = cluster_around(pfn);
        if (c.segment == NULL)
            return write_to_page_file(&c, pfn);
        written = write_to_segment(&c);
    }
    return written;
}
