/*
 * segment.c - segments: rows of pages that have prototype PTEs instead of an address, in the page file or over a file of the host.
 * The pages are slots of mm_shared, in a row, and so is what belongs to one space alone: private memory and copies.
 *
 *     mm_shared   | segment A .......... | private 1 .... | copy | segment B ...... | private 2 | ........ free ........
 *     owner         A  A  A  A  A  A  A    address 0 1 2     addr   B  B  B  B  B  B
 *
 * Over a file   every page starts as one that is in the file; what is behind the end of the file is zeros. A dirty page is written there
 *               when it leaves its frame (modified_writer.c), when it is flushed, and when the segment goes.
 *
 * A page that somebody has pinned stays when the rest of its segment goes: an orphan, which shows its bytes to whoever pinned it, and is
 * given back when a slot is wanted and nobody pins it any longer.
 *
 * Locks   mm_paging_lock, also while the host reads and writes.
 * Source  Windows Internals: prototype PTEs, segments, control areas.
 */
#include "mm/space.h"

#include <errno.h>
#include <string.h>

#include "mm/charge.h"
#include "mm/pinned.h"

#define FREE_AT_ONCE 64u /* slots that go together give their bytes back without waiting for the batch */

static mm_segment_t *segments; /* MM_SEGMENTS_MOST of them */
static uint32_t      segments_seen;
static mm_segment_t *free_segments;
static uint64_t      serials;
static size_t        orphans;

int mm_segments_build(void)
{
    segments = host_tables(MM_SEGMENTS_MOST * sizeof *segments);
    return segments != NULL ? 0 : -ENOMEM;
}

void mm_segments_release(void)
{
    if (segments != NULL)
        host_release(segments, MM_SEGMENTS_MOST * sizeof *segments);
    segments = free_segments = NULL;
    segments_seen = 0;
}

void mm_segments_shutdown(void)
{
    for (uint32_t i = 0; i < segments_seen; i++)
        if (segments[i].page_count != 0)
            host_file_close(&segments[i].file);
    if (segments_seen != 0)
        memset(segments, 0, segments_seen * sizeof *segments);
    segments_seen = 0;
    free_segments = NULL;
    orphans = 0;
}

/* ---- slots ---- */

static uint64_t *owner_of(size_t slot) { return &mm_shared_table.owners[slot].bytes; }

void mm_slots_own_locked(size_t first, size_t count, uint64_t owner, uint64_t step)
{
    for (size_t i = 0; i < count; i++)
        *owner_of(first + i) = owner + i * step;
}

bool mm_slot_is_pinned_locked(size_t slot)
{
    uint64_t pte = mm_shared_table.ptes[slot];
    return mm_pte_has_frame(pte) && mm_pins_of(mm_pte_pfn(pte)) != 0;
}

/* It is nobody's but who pins it, and no file's. */
static void make_orphan(size_t slot)
{
    mm_pfn_t *entry = mm_pfn_entry(mm_pte_pfn(mm_shared_table.ptes[slot]));
    *owner_of(slot) = MM_ORPHAN;
    orphans++;
    if (entry->mapped.file_slot < MM_LOST)
        return;
    entry->mapped.file_slot = 0;
    mm_pte_write(&mm_shared_table.ptes[slot], mm_shared_table.ptes[slot] | MM_PTE_DIRTY);
}

static void give_row(size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        mm_page_free_locked(&mm_shared, i);
    rt_runs_give(&mm_shared_table.runs, first, count);
    if (count >= FREE_AT_ONCE) {
        mm_discard_slots(&mm_shared, first, count);
        return;
    }
    for (size_t i = first; i < first + count; i++)
        if ((mm_shared_table.ptes[i] & MM_PTE_STALE_SLOT) != 0)
            mm_note_stale_slot(&mm_shared, i);
}

void mm_slots_give_locked(size_t first, size_t count)
{
    for (size_t i = first, end, all = first + count; i < all; i = end) {
        for (end = i; end < all && !mm_slot_is_pinned_locked(end);)
            end++;
        if (end > i)
            give_row(i, end - i);
        if (end < all)
            make_orphan(end++);
    }
}

static void collect_orphan(void *context, mm_page_table_t *table, size_t index)
{
    (void)context;
    if (table->owners[index].bytes != MM_ORPHAN || mm_slot_is_pinned_locked(index))
        return;
    orphans--;
    give_row(index, 1);
}

bool mm_slots_take_locked(size_t count, size_t *first)
{
    rt_runs_t     *runs = &mm_shared_table.runs;
    rt_runs_want_t want = { .count = count, .high = mm_table_pages(&mm_shared_table) };
    uint64_t       unit = RT_RUNS_NONE;
    if (orphans != 0)
        mm_table_visit(&mm_shared_table, collect_orphan, NULL);
    if (count == 1)
        return rt_runs_take_singles(runs, 0, want.high, &unit, 1) == 1 && (*first = (size_t)unit, true);
    unit = rt_runs_find(runs, &want);
    if (unit == RT_RUNS_NONE)
        return false;
    rt_runs_take(runs, unit, count);
    *first = (size_t)unit;
    return true;
}

bool mm_shared_follows_locked(size_t slot)
{
    uint64_t before = *owner_of(slot - 1), here = *owner_of(slot);
    return (before & 1) != 0 ? here == before + PAGE_SIZE : before > MM_ORPHAN && here == before;
}

static mm_segment_t *segment_of(size_t slot)
{
    uint64_t owner = *owner_of(slot);
    return (owner & 1) != 0 || owner <= MM_ORPHAN ? NULL : (mm_segment_t *)(uintptr_t)owner;
}

/* ---- making and giving up ---- */

static mm_segment_t *new_segment_locked(size_t page_count)
{
    mm_segment_t *segment = free_segments;
    size_t        first;
    if (segment == NULL && segments_seen == MM_SEGMENTS_MOST)
        return NULL;
    if (!mm_slots_take_locked(page_count, &first))
        return NULL;
    if (segment != NULL)
        free_segments = segment->next;
    else
        segment = &segments[segments_seen++];
    *segment = (mm_segment_t){ .references = 1, .first_slot = first, .page_count = page_count, .file = { .fd = -1 } };
    segment->serial = ++serials;
    mm_slots_own_locked(first, page_count, (uintptr_t)segment, 0);
    return segment;
}

static void fill_prototypes(const mm_segment_t *segment, uint64_t pte)
{
    for (size_t i = segment->first_slot; i < segment->first_slot + segment->page_count; i++)
        mm_pte_write(&mm_shared_table.ptes[i], (mm_shared_table.ptes[i] & MM_PTE_STALE_SLOT) | pte);
}

static NTSTATUS no_slots(uint64_t page_count)
{
    ke_error(0, "there are no %llu pages in a row left for user memory and sections (%zu in all), or no more than %u sections can be had",
             (unsigned long long)page_count, mm_table_pages(&mm_shared_table), MM_SEGMENTS_MOST);
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS mm_segment_create(uint64_t page_count, bool committed, mm_segment_t **out)
{
    if (mm_unbacked || page_count == 0 || page_count > mm_table_pages(&mm_shared_table))
        return no_slots(page_count);
    if (committed && !mm_charge(MM_CHARGE_SECTION, page_count))
        return STATUS_COMMITMENT_LIMIT;
    ke_lock(&mm_paging_lock);
    mm_segment_t *segment = new_segment_locked((size_t)page_count);
    if (segment != NULL && committed) {
        segment->charged = page_count;
        fill_prototypes(segment, MM_PTE_READ_WRITE);
    }
    ke_unlock(&mm_paging_lock);
    *out = segment;
    if (segment != NULL)
        return STATUS_SUCCESS;
    if (committed)
        mm_uncharge(MM_CHARGE_SECTION, page_count);
    return no_slots(page_count);
}

NTSTATUS mm_segment_create_file(host_file_t file, uint64_t bytes, bool writable, mm_segment_t **out)
{
    uint64_t page_count = (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_SIZE - 1)) != 0);
    if (mm_unbacked || page_count == 0 || page_count > mm_table_pages(&mm_shared_table))
        return no_slots(page_count);
    ke_lock(&mm_paging_lock);
    mm_segment_t *segment = new_segment_locked((size_t)page_count);
    if (segment != NULL) {
        segment->file = file;
        segment->bytes = bytes;
        segment->writable = writable;
        fill_prototypes(segment, mm_pte_in_file(MM_IN_SEGMENT_FILE));
    }
    ke_unlock(&mm_paging_lock);
    *out = segment;
    return segment != NULL ? STATUS_SUCCESS : no_slots(page_count);
}

void mm_segment_reference(mm_segment_t *segment)
{
    ke_lock(&mm_paging_lock);
    segment->references++;
    ke_unlock(&mm_paging_lock);
}

static NTSTATUS flush_locked(mm_segment_t *segment, size_t first, size_t end, uint64_t *pages_written);

void mm_segment_unhold_locked(mm_segment_t *segment)
{
    uint64_t written;
    NTMM_INVARIANT(segment->references != 0, "a segment is given up once by each who holds it");
    if (--segment->references != 0)
        return;
    NTMM_INVARIANT(segment->views == NULL, "every view holds its segment");
    (void)flush_locked(segment, 0, segment->page_count, &written); /* there is nobody left to tell */
    mm_slots_give_locked(segment->first_slot, segment->page_count);
    mm_uncharge(MM_CHARGE_SECTION, segment->charged);
    host_file_close(&segment->file);
    *segment = (mm_segment_t){ .next = free_segments };
    free_segments = segment;
}

void mm_segment_dereference(mm_segment_t *segment)
{
    ke_lock(&mm_paging_lock);
    mm_segment_unhold_locked(segment);
    ke_unlock(&mm_paging_lock);
}

uint64_t mm_segment_pages(const mm_segment_t *segment) { return segment->page_count; }
uint64_t mm_segments_most(void) { return mm_table_pages(&mm_shared_table); }

/* ---- who looks at it ---- */

static void count_view(const mm_view_t *view, mm_segment_usage_t *out)
{
    uint64_t end = view->first_page + view->page_count;
    if (!view->space->is_user) {
        out->system_views++;
        return;
    }
    out->user_views++;
    out->writable_user_views += mm_protect_writes(view->protect) && !mm_protect_copies(view->protect);
    out->user_end = end > out->user_end ? end : out->user_end;
}

void mm_segment_query(const mm_segment_t *segment, mm_segment_usage_t *out)
{
    ke_lock(&mm_paging_lock);
    *out = (mm_segment_usage_t){ .references = segment->references, .pages = segment->page_count, .bytes = segment->bytes };
    out->writable = segment->writable;
    for (const mm_view_t *view = segment->views; view != NULL; view = view->next)
        count_view(view, out);
    for (size_t i = 0; i < segment->page_count; i++)
        out->pinned += mm_slot_is_pinned_locked(segment->first_slot + i);
    ke_unlock(&mm_paging_lock);
}

uint64_t mm_segment_serial(const mm_segment_t *segment) { return segment->serial; }

bool mm_segment_try_reference(mm_segment_t *segment, uint64_t serial)
{
    ke_lock(&mm_paging_lock);
    bool there = segment->serial == serial;
    segment->references += there;
    ke_unlock(&mm_paging_lock);
    return there;
}

uint64_t mm_segment_references(const mm_segment_t *segment)
{
    ke_lock(&mm_paging_lock);
    uint64_t references = segment->references;
    ke_unlock(&mm_paging_lock);
    return references;
}

NTSTATUS mm_segment_prefetch(mm_segment_t *segment, uint64_t page)
{
    if (page >= segment->page_count)
        return STATUS_SUCCESS;
    ke_lock(&mm_paging_lock);
    mm_page_answer_t answer = mm_page_bring_locked(&mm_shared, segment->first_slot + (size_t)page, false);
    ke_unlock(&mm_paging_lock);
    return answer == MM_PAGE_IO_ERROR ? STATUS_IN_PAGE_ERROR : answer == MM_PAGE_NO_FRAME ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

/* ---- over a file ---- */

mm_segment_t *mm_segment_with_file_locked(size_t slot)
{
    mm_segment_t *segment = segment_of(slot);
    return segment != NULL && segment->file.fd >= 0 ? segment : NULL;
}

void mm_segment_use_file(mm_segment_t *segment, host_file_t file, bool writable)
{
    ke_lock(&mm_paging_lock);
    host_file_t before = segment->file;
    segment->file = file;
    segment->writable = writable;
    ke_unlock(&mm_paging_lock);
    host_file_close(&before);
}

bool mm_segment_grow(mm_segment_t *segment, uint64_t bytes)
{
    bool fits = bytes <= (uint64_t)segment->page_count << PAGE_SHIFT;
    ke_lock(&mm_paging_lock);
    if (fits && bytes > segment->bytes)
        segment->bytes = bytes;
    ke_unlock(&mm_paging_lock);
    return fits;
}

/* How many of the bytes of the pages are the file's. */
static size_t bytes_in_file(const mm_segment_t *segment, uint64_t offset, size_t count)
{
    uint64_t left = offset < segment->bytes ? segment->bytes - offset : 0;
    return left < (uint64_t)count << PAGE_SHIFT ? (size_t)left : count << PAGE_SHIFT;
}

int mm_segment_read_locked(size_t slot, size_t count, void *to)
{
    const mm_segment_t *segment = segment_of(slot);
    uint64_t            offset = (uint64_t)(slot - segment->first_slot) << PAGE_SHIFT;
    size_t              bytes = bytes_in_file(segment, offset, count);
    int                 status = bytes != 0 ? host_file_read(&segment->file, offset, to, bytes) : 0;
    if (status == 0)
        memset((char *)to + bytes, 0, (count << PAGE_SHIFT) - bytes);
    return status;
}

int mm_segment_write_locked(size_t slot, size_t count, const void *from)
{
    const mm_segment_t *segment = segment_of(slot);
    uint64_t            offset = (uint64_t)(slot - segment->first_slot) << PAGE_SHIFT;
    size_t              bytes = bytes_in_file(segment, offset, count);
    if (bytes != 0 && !segment->writable)
        return -EBADF;
    return bytes != 0 ? host_file_write(&segment->file, offset, from, bytes) : 0;
}

static bool is_dirty(size_t slot)
{
    uint64_t pte = mm_shared_table.ptes[slot];
    if (mm_pte_is_valid(pte))
        return (pte & MM_PTE_DIRTY) != 0;
    return mm_pte_is_transition(pte) && mm_pfn_entry(mm_pte_pfn(pte))->list == MM_MODIFIED;
}

/* The gates of all views are closed, so that the next write is seen. Who has pinned the page may write at any time. */
static void page_was_flushed(size_t slot)
{
    uint64_t        pte = mm_shared_table.ptes[slot];
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    if (mm_pte_is_transition(pte)) {
        mm_page_was_written_locked(pfn, MM_IN_SEGMENT_FILE);
    } else if (mm_pins_of(pfn) == 0) {
        mm_pfn_entry(pfn)->mapped.file_slot = MM_IN_SEGMENT_FILE;
        mm_pte_write(&mm_shared_table.ptes[slot], pte & ~MM_PTE_DIRTY);
    }
}

static NTSTATUS flush_locked(mm_segment_t *segment, size_t first, size_t end, uint64_t *pages_written)
{
    NTSTATUS status = STATUS_SUCCESS;
    *pages_written = 0;
    for (size_t at = first, last; segment->file.fd >= 0 && at < end; at = last) {
        size_t slot = segment->first_slot + at;
        for (last = at; last < end && last - at < MM_CLUSTER && is_dirty(segment->first_slot + last);)
            last++;
        if (last == at) {
            last++;
            continue;
        }
        mm_views_hide_locked(slot, last - at);
        if (mm_segment_write_locked(slot, last - at, mm_alias_of(&mm_shared, slot)) != 0) {
            status = STATUS_IO_DEVICE_ERROR;
            continue;
        }
        for (size_t i = 0; i < last - at; i++)
            page_was_flushed(slot + i);
        *pages_written += last - at;
    }
    return status;
}

NTSTATUS mm_segment_flush(mm_segment_t *segment, uint64_t first, uint64_t page_count, uint64_t *pages_written)
{
    *pages_written = 0;
    ke_lock(&mm_paging_lock);
    uint64_t all = segment->page_count;
    first = first < all ? first : all;
    NTSTATUS status = flush_locked(segment, (size_t)first, (size_t)(page_count < all - first ? first + page_count : all), pages_written);
    ke_unlock(&mm_paging_lock);
    return status;
}

/* ---- check ---- */

bool mm_segment_is_sound(const mm_segment_t *segment)
{
    size_t number = (size_t)(segment - segments);
    return number < segments_seen && segment == &segments[number] && segment->page_count != 0 && segment->references != 0;
}

uint64_t mm_segments_charged(void)
{
    uint64_t charged = 0;
    for (uint32_t i = 0; i < segments_seen; i++)
        charged += segments[i].charged;
    return charged;
}
