/*
 * page_file.c - the page file: a real file of the host, and which of its slots are in use.
 *
 *     slot      0        1      2      3     ...     pages      + MM_CLUSTER spare ones
 *     offset    (none)   1 PAGE_SIZE ...                        so that 0 can mean "in no slot"
 *
 * A slot belongs to one page, from the write that fills it until the page is written to again, or freed. So a page that was read in and not
 * written since has its bytes twice, and costs no write when it goes once more. When all slots are in use, such copies are given up first
 * (modified_writer.c). The spare slots are what a page that comes in needs while another goes out to make room for it.
 *
 * The file is made at the first write, without a name, and emptied at shutdown. If the host refuses it, the machine has no page file from
 * then on: the commit limit falls to what RAM and the slots in use hold.
 *
 * Locks       mm_paging_lock.
 * Source      none (choice): one file, of fixed size. Windows has up to 16, which may grow.
 */
#include "mm/paging.h"

#include <errno.h>

#include "ke/bugcheck.h"
#include "mm/charge.h"

static rt_runs_t   slots; /* unit = slot - 1 */
static void       *slot_tables;
static size_t      slot_table_bytes;
static host_file_t file = { .fd = -1 };
static bool        was_written;

int mm_page_file_build(uint64_t page_count)
{
    uint64_t units = page_count + MM_CLUSTER;
    slot_table_bytes = rt_runs_bytes(units);
    slot_tables = host_tables(slot_table_bytes);
    if (slot_tables == NULL)
        return -ENOMEM;
    rt_runs_init(&slots, units, slot_tables);
    return 0;
}

void mm_page_file_release(void)
{
    if (slot_tables != NULL)
        host_release(slot_tables, slot_table_bytes);
    slot_tables = NULL;
    host_file_close(&file);
    was_written = false;
}

void mm_page_file_reset(void)
{
    if (slot_tables != NULL)
        rt_runs_reset(&slots);
    if (was_written && host_file_forget_bytes(&file) != 0)
        host_file_close(&file);
    was_written = false;
}

/* The longest run up to `most`, halving: pages that lie in a row in memory are to lie so in the file. */
uint32_t mm_page_file_take_locked(uint32_t most, uint32_t *first)
{
    for (uint32_t count = most; count > 0; count /= 2) {
        rt_runs_want_t want = { .count = count, .high = slots.unit_count };
        uint64_t       unit = count <= slots.free_count ? rt_runs_find(&slots, &want) : RT_RUNS_NONE;
        if (unit == RT_RUNS_NONE)
            continue;
        rt_runs_take(&slots, unit, count);
        *first = (uint32_t)unit + 1;
        return count;
    }
    return 0;
}

void mm_page_file_give_locked(uint32_t file_slot)
{
    if (file_slot != 0)
        rt_runs_give(&slots, file_slot - 1, 1);
}

uint64_t mm_page_file_used_locked(void) { return slot_tables != NULL ? slots.unit_count - slots.free_count : 0; }

static uint64_t offset_of(uint32_t file_slot) { return (uint64_t)file_slot << PAGE_SHIFT; }

int mm_page_file_write_locked(uint32_t first, uint32_t count, const void *from)
{
    int status = file.fd < 0 ? host_file_create(&file) : 0;
    if (status == 0) {
        was_written = true;
        status = host_file_write(&file, offset_of(first), from, (size_t)count << PAGE_SHIFT);
    }
    if (status != 0)
        mm_charges_page_file_is(mm_page_file_used_locked() - count);
    return status;
}

int mm_page_file_read_locked(uint32_t first, uint32_t count, void *to)
{
    return host_file_read(&file, offset_of(first), to, (size_t)count << PAGE_SHIFT);
}

bool mm_page_file_check(const char **what) { return slot_tables == NULL || rt_runs_check(&slots, what); }

int mm_page_file_descriptor(void) { return file.fd; }
