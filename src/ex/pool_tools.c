/*
 * pool_tools.c - what the tools are told, and how long a freed block lies still.
 *
 *     fresh page      all hidden                    header and slack of a block stay so: an overrun by one byte is seen
 *     allocation      handed out, to the byte
 *     free            hidden again, and put at the end of a queue: memory that is used again at once would hide the mistake that is looked
 *                     for, a touch after the free. Then, QUEUE_MOST frees or QUEUE_BYTES later, it goes the way of every free.
 *     page goes       mm forgets all that was said of it
 *
 * While the tools are on, or a verifier is, every call takes the slow path (ex_pool_is_slow).
 * Everything else is as without: the same rules, the same bug checks, later reuse.
 *
 * LeakSanitizer takes pointers that lie in nonpaged memory for pointers: each ROOT_BYTES of RAM that a pool has been given pages of is a
 * root. Paged pool is none, because it may be read only where it may fault.
 *
 * Locks       queue_lock, a leaf.
 * Switches    config.no_memory_tools, or NTMM_MEMORY_TOOLS=off in the environment.
 */
#include "ex/pool_tools.h"

#include "ex/pool_big.h"
#include "ke/allocation_trace.h"

#define QUEUE_MOST 256u
#define QUEUE_BYTES (256u << 10)
#define ROOT_BYTES ((uintptr_t)1 << 20)

bool ex_tools_on, ex_pool_is_slow;

typedef struct waiting {
    ex_found_t found;
    void      *address;
    size_t     bytes;
} waiting_t;

static struct { /* under queue_lock */
    waiting_t entry[QUEUE_MOST];
    unsigned  first, count;
    size_t    bytes;
} queue;
static ke_lock_t queue_lock = KE_LOCK_INIT(KE_RANK_LEAF);

/* ---- pages ---- */

static uint8_t root_known[1u << 16]; /* a bit for each ROOT_BYTES of the physical map; under queue_lock */

static void note_root(uintptr_t offset)
{
    size_t   index = offset / ROOT_BYTES;
    unsigned bit = 1u << (index & 7);
    if (index / 8 >= sizeof root_known)
        return; /* RAM above 512 GiB */
    ke_lock(&queue_lock);
    if ((root_known[index / 8] & bit) == 0) {
        root_known[index / 8] |= (uint8_t)bit;
        host_tools_root((void *)(mm_physical_map.base + index * ROOT_BYTES), ROOT_BYTES);
    }
    ke_unlock(&queue_lock);
}

void ex_tools_pages(void *page, size_t page_count)
{
    if (NTMM_LIKELY(!ex_tools_on))
        return;
    mm_pool_t pool = mm_pool_of(page);
    host_tools_hide(page, page_count << PAGE_SHIFT);
    if (pool == MM_NONPAGED_NX || pool == MM_NONPAGED_EXECUTE)
        for (uintptr_t at = (uintptr_t)page, end = at + (page_count << PAGE_SHIFT); at < end; at += PAGE_SIZE)
            note_root(at - (pool == MM_NONPAGED_NX ? mm_physical_map.base : mm_executable_map.base));
}

/* ---- the queue ---- */

static size_t bytes_of(const ex_found_t *found)
{
    return found->header != NULL ? (size_t)found->header->BlockSize << EX_UNIT_SHIFT : ROUND_TO_PAGES(found->owner->bytes);
}

/* What is hidden: all that the driver was handed. The free part of a shared last page is another block's. */
static size_t handed_out(const ex_found_t *found, const void *address)
{
    if (found->header == NULL)
        return found->owner->bytes;
    return (size_t)((const char *)ex_right(found->header, found->header->BlockSize) - (const char *)address);
}

/* A second free is recognised from here on. */
static void mark_free(const ex_found_t *found)
{
    if (found->header != NULL)
        ex_set_type(found->header, EX_TYPE_HELD | (found->pool == MM_PAGED ? EX_TYPE_PAGED : 0u));
    else
        found->owner->use = MM_USE_POOL_CACHED;
}

static void *pop_locked(ex_found_t *found)
{
    waiting_t *oldest = &queue.entry[queue.first];
    queue.first = (queue.first + 1) % QUEUE_MOST;
    queue.count--;
    queue.bytes -= oldest->bytes;
    *found = oldest->found;
    return oldest->address;
}

/* A paged block's turn is put off while nobody may touch it. */
static bool oldest_may_go_locked(void) { return queue.entry[queue.first].found.pool != MM_PAGED || mm_may_touch_pageable(); }

void *ex_tools_exchange(ex_found_t *found, void *address)
{
    waiting_t entry = { *found, address, bytes_of(found) };
    void     *oldest = NULL;
    host_tools_take_back(address, handed_out(found, address));
    bool shares_its_last_page = found->header == NULL && (found->owner->flags & MM_OWNER_HAS_TAIL_BLOCKS) != 0;
    if (entry.bytes > QUEUE_BYTES || shares_its_last_page) /* that page's state is one with its blocks' */
        return address;
    mark_free(found);
    ke_lock(&queue_lock);
    bool full = queue.count == QUEUE_MOST || queue.bytes + entry.bytes > QUEUE_BYTES;
    if (full && oldest_may_go_locked())
        oldest = pop_locked(found);
    else if (full)
        oldest = address;
    if (oldest != address) {
        queue.entry[(queue.first + queue.count) % QUEUE_MOST] = entry;
        queue.count++;
        queue.bytes += entry.bytes;
    }
    ke_unlock(&queue_lock);
    return oldest;
}

void *ex_tools_oldest(ex_found_t *found)
{
    void *oldest = NULL;
    ke_lock(&queue_lock);
    if (queue.count != 0 && oldest_may_go_locked())
        oldest = pop_locked(found);
    ke_unlock(&queue_lock);
    return oldest;
}

uint64_t ex_tools_waiting(mm_pool_t pool, unsigned units)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < queue.count; i++) {
        const ex_found_t *found = &queue.entry[(queue.first + i) % QUEUE_MOST].found;
        count += found->pool == pool && (found->header != NULL ? found->header->BlockSize == units : units == 0);
    }
    return count;
}

/* ---- with the machine ---- */

void ex_tools_boot(bool wanted, bool watched)
{
    queue.first = queue.count = 0;
    queue.bytes = 0;
    memset(root_known, 0, sizeof root_known);
    ex_tools_on = wanted && host_tools_watch();
    ex_pool_is_slow = ex_tools_on || ke_trace_on || watched;
}

void ex_tools_shutdown(void)
{
    if (ex_tools_on)
        host_tools_forget_pieces();
    ex_tools_on = ex_pool_is_slow = false;
}
