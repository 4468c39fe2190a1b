/*
 * pool_growth.c - how much memory the host is asked for at once when a pool grows.
 * The first write to a page costs a visit to the host, which charges more for coming than for bringing. So a pool that holds much already
 * has it bring more:
 *
 *     the pool holds        the host is asked for
 *     less than 16 pages    the page that is needed, by its first write
 *     less than 1,024       2 to 16 pages: at most 1/GROW_SHARE of what the pool holds
 *     more                  16 to 64 pages: at most 1/GROW_SHARE_LATER
 *     two large pages       a whole large page of the host, when one has been begun and the rest of it, 1/BEGUN_SHARE apart, was never in use
 *
 * A large page (2 MiB on most hosts) comes for a fifth of the price of its small ones, and has one entry in the host's page tables and in the
 * processor's cache of them: a free reads a header somewhere in the pool, and without large pages nearly every such read begins with a walk
 * through those tables. Windows maps its nonpaged pool by large pages for the same reason. Price: up to one large page that the pool does
 * not need yet. Its frames stay what they are, free and zeroed, and are the lowest, so they are next.
 *
 * Locks       none. Two threads may ask for the same pages: the host sees to it.
 * Fidelity    choice; which addresses a pool gets does not depend on it.
 */
#include "mm/pool_growth.h"

#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/machine.h"

#define GROW_SHARE 8u
#define GROW_SHARE_LATER 32u
#define GROW_MOST 64u  /* pages, a power of two */
#define LARGE_SHARE 2u /* a large page is at most 1/LARGE_SHARE of what the pool holds */
#define BEGUN_SHARE 8u
#define NO_AREA UINT64_MAX

/* Numbers of large pages, counted from physical address 0: which one came last, and which one the host was asked for last. */
static _Atomic uint64_t last_area = NO_AREA, last_asked = NO_AREA;

size_t mm_pool_grows_by(mm_pool_t pool)
{
    size_t held = mm_pool_page_count(pool), soon = held / GROW_SHARE, later = held / GROW_SHARE_LATER, ahead = 1;
    size_t most = soon < MM_GROW_AT_ONCE ? soon : later < MM_GROW_AT_ONCE ? MM_GROW_AT_ONCE : later;
    while (ahead < GROW_MOST && 2 * ahead <= most)
        ahead *= 2;
    return ahead;
}

/* Glances without the lock: whoever is wrong about a frame has asked the host for too much, or for too little. */
static bool is_new(mm_pfn_number_t pfn)
{
    uint32_t state = __atomic_load_n(&mm_pfn_entry(pfn)->state, __ATOMIC_RELAXED), list = state & 0xFF, was = state >> 8 & 0xFF;
    return list == MM_ZEROED || (list == MM_CACHED && was == MM_ZEROED);
}

static bool are_new(mm_pfn_number_t first, mm_pfn_number_t end)
{
    while (first < end && first < mm_span_pfns && is_new(first))
        first++;
    return first == end;
}

/* Once for each: a host that refuses is not asked again for every page. */
static bool ask_for_large(mm_pool_t pool, mm_pfn_number_t area, size_t pages)
{
    if (atomic_exchange_explicit(&last_asked, area, memory_order_relaxed) == area)
        return false;
    return host_expect_writes_large(mm_home_address(pool, area * pages));
}

/* True: the frame's home is in a large page that came just now, or came last. */
static bool came_large(mm_pool_t pool, mm_pfn_number_t first)
{
    size_t pages = host_large_page_bytes() >> PAGE_SHIFT;
    if (pages <= 1 || mm_pool_page_count(pool) < LARGE_SHARE * pages)
        return false;
    mm_pfn_number_t area = first / pages;
    if (area == atomic_load_explicit(&last_area, memory_order_relaxed))
        return true;
    if (first % pages >= pages / BEGUN_SHARE || !are_new(first + 1, (area + 1) * pages) || !ask_for_large(pool, area, pages))
        return false;
    atomic_store_explicit(&last_area, area, memory_order_relaxed);
    return true;
}

void mm_pool_expect_homes(mm_pool_t pool, mm_pfn_number_t first, size_t page_count)
{
    size_t count = page_count;
    if (page_count > MM_GROW_AT_ONCE || came_large(pool, first))
        return;
    if (page_count == 1) {
        size_t ahead = mm_pool_grows_by(pool);
        count += ahead > 1 ? mm_frame_cache_claim(first, (uint32_t)ahead - 1) : 0;
    }
    if (count > 1)
        host_expect_writes(mm_home_address(pool, first), count << PAGE_SHIFT);
}

void mm_pool_growth_forget(void)
{
    atomic_store_explicit(&last_area, NO_AREA, memory_order_relaxed);
    atomic_store_explicit(&last_asked, NO_AREA, memory_order_relaxed);
}
