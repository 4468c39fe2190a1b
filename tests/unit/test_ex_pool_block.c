/*
 * test_ex_pool_block.c - the layout of pool pages, predicted: which unit of which page a block gets, and what a free leaves behind.
 * Magazines are off, so that every call follows the rules of the free lists alone. Positions are in units from the start of the page.
 */
#include <ntmm/cmocka.h>

#include "ex/pool_front.h"

#define TAG NTMM_TAG("Blk1")

static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config BARE_BEFORE_VISTA = { .quiet = true, .no_magazines = true, .windows_version = 0x05020000 };

/* A block that occupies exactly `units`. */
static void *take(unsigned units)
{
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, units * EX_UNIT - EX_HEADER_BYTES, TAG);
    assert_non_null(block);
    assert_int_equal(ex_header_of(block)->BlockSize, units);
    return block;
}
static void give(void *block)
{
    ExFreePoolWithTag(block, TAG);
    if (!ntmm_check())
        fail_msg("%s", ntmm_error());
}
static unsigned at(const void *block) { return ex_unit_of(ex_header_of(block)); }
static void    *page_of(const void *block) { return PAGE_ALIGN(block); }
static unsigned left_of(const void *block) { return ex_header_of(block)->PreviousSize; }
static uint64_t pages(void)
{
    ntmm_pool_usage usage;
    ntmm_query_pool(NonPagedPoolNx, &usage);
    return usage.pages;
}

static void a_fresh_page_gives_its_front_then_its_tail(void **state)
{
    (void)state;
    void *first = take(10), *second = take(20), *third = take(5);
    assert_int_equal(at(first), 0);
    assert_int_equal(at(second), 236);
    assert_int_equal(at(third), 231);
    assert_ptr_equal(page_of(first), page_of(third));
    assert_int_equal(left_of(first), 0);
    assert_int_equal(left_of(second), 5);
    assert_int_equal(left_of(third), 221);
    assert_int_equal(pages(), 1);
    give(first);
    give(second);
    give(third);
}

static void a_free_block_at_the_start_of_its_page_gives_its_front(void **state)
{
    (void)state;
    void *first = take(10), *second = take(20);
    give(first); /* joins the middle: one free block from 0 to 236 */
    void *again = take(3);
    assert_int_equal(at(again), 0);
    assert_int_equal(left_of(second), 233);
    give(again);
    give(second);
}

static void the_smallest_block_that_is_large_enough_is_cut(void **state)
{
    (void)state;
    void *anchor = take(100), *big = take(40), *wall = take(30), *small = take(20), *end = take(66); /* one page, nothing free */
    assert_int_equal(at(end), 100);
    give(big);
    give(small);
    void *cut = take(15);
    assert_ptr_equal(ex_left(ex_header_of(cut), 5), ex_header_of(small)); /* the tail of the smaller one */
    give(cut);
    give(anchor);
    give(wall);
    give(end);
    assert_int_equal(pages(), 0);
}

static void an_exact_fit_is_taken_whole(void **state)
{
    (void)state;
    void    *anchor = take(100), *hole = take(40), *rest = take(116);
    unsigned where = at(hole);
    give(hole);
    void *again = take(40);
    assert_int_equal(at(again), where);
    assert_int_equal(left_of(rest), 100);
    give(anchor);
    give(again);
    give(rest);
}

static void a_remainder_too_small_for_links_stays_unlisted(void **state)
{
    (void)state;
    void *anchor = take(100), *hole = take(8), *wall = take(148);
    assert_int_equal(at(wall), 100);
    assert_int_equal(at(hole), 248);
    give(hole);
    void *cut = take(7);
    assert_int_equal(at(cut), 249); /* unit 248 is left over */
    void *other = take(EX_MIN_UNITS);
    if (EX_MIN_UNITS > 1) {
        assert_ptr_not_equal(page_of(other), page_of(anchor)); /* nobody finds it */
        assert_int_equal(pages(), 2);
    } else {
        assert_int_equal(at(other), 248); /* with larger units it holds a block */
    }
    give(other);
    give(cut);
    hole = take(8); /* it was joined when its neighbour was freed */
    assert_int_equal(at(hole), 248);
    give(hole);
    give(wall);
    give(anchor);
    assert_int_equal(pages(), 0);
}

static void the_block_freed_last_is_used_first(void **state)
{
    (void)state;
    void *block[5];
    for (unsigned i = 0; i < 5; i++)
        block[i] = take(51); /* 5 * 51 + 1 = 256 */
    give(block[1]);
    give(block[3]); /* both between live neighbours */
    void *a = take(51), *b = take(51);
    assert_ptr_equal(a, block[3]);
    assert_ptr_equal(b, block[1]);
    for (unsigned i = 0; i < 5; i++)
        give(block[i]);
    assert_int_equal(pages(), 0);
}

static void a_remainder_waits_at_the_end_of_its_list(void **state)
{
    (void)state;
    /* page 1: a hole of 30; page 2: a hole of 50, of which a request for 20 leaves another 30 */
    void *a1 = take(226), *hole30 = take(30);
    void *a2 = take(206), *hole50 = take(50);
    give(hole30);
    give(hole50);
    void *first = take(30), *second = take(40);
    give(second);
    give(first);          /* the same two holes again, 30 at the head of its list */
    void *cut = take(31); /* from the 50: leaves 19 */
    give(cut);
    void *cut20 = take(20); /* 30 is the better fit: leaves 10 there */
    assert_ptr_equal(page_of(cut20), page_of(hole30));
    void *again = take(20); /* from the 50: leaves 30 */
    assert_ptr_equal(page_of(again), page_of(hole50));
    give(cut20); /* a freed 30 goes to the head, before the remainder */
    void *head = take(30), *tail = take(30);
    assert_ptr_equal(head, hole30);
    assert_ptr_equal(page_of(tail), page_of(hole50));
    give(head);
    give(tail);
    give(again);
    give(a1);
    give(a2);
    assert_int_equal(pages(), 0);
}

static void both_neighbours_are_joined(void **state)
{
    (void)state;
    void *block[4] = { take(64), take(64), take(64), take(64) }; /* units 0, 192, 128, 64 */
    assert_int_equal(at(block[3]), 64);
    give(block[3]);
    give(block[1]);
    give(block[2]); /* between the two */
    void *joined = take(192);
    assert_int_equal(at(joined), 64);
    give(joined);
    give(block[0]);
    assert_int_equal(pages(), 0);
}

static void a_page_goes_back_with_its_last_block(void **state)
{
    (void)state;
    void *block[64];
    for (unsigned i = 0; i < 64; i++)
        block[i] = take(4);
    assert_int_equal(pages(), 1);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(pages(), 1);
        give(block[(i * 29) % 64]);
    }
    assert_int_equal(pages(), 0);
}

/* The size classes of a 4 KiB page, as they are published; a page of another size has the same 256 units. */
static void sizes_become_units(void **state)
{
    static const struct {
        unsigned bytes, units;
    } CLASSES[] = { { 0, 2 },    { 1, 2 },    { 16, 2 },    { 17, 3 },     { 32, 3 },     { 33, 4 },
                    { 496, 32 }, { 497, 33 }, { 1000, 64 }, { 4048, 254 }, { 4049, 255 }, { 4064, 255 } };
    (void)state;
    for (unsigned i = 0; PAGE_SIZE == 4096 && i < sizeof CLASSES / sizeof *CLASSES; i++) {
        void *block = ExAllocatePoolWithTag(NonPagedPoolNx, CLASSES[i].bytes, TAG);
        assert_int_equal(ex_header_of(block)->BlockSize, CLASSES[i].units);
        give(block);
    }
    void *smallest = ExAllocatePoolWithTag(NonPagedPoolNx, 0, TAG),
         *largest = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE - EX_UNIT - 16, TAG);
    assert_int_equal(ex_header_of(smallest)->BlockSize, EX_MIN_UNITS);
    assert_int_equal(ex_header_of(largest)->BlockSize, 255);
    void *page = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE - EX_UNIT - 15, TAG);
    assert_int_equal(BYTE_OFFSET(page), 0);
    give(smallest);
    give(largest);
    give(page);
}

/* A free block in the middle of a page gives its tail, again and again; what is left stays where it is. */
static void what_is_left_of_a_block_in_the_middle_stays_in_place(void **state)
{
    (void)state;
    void *anchor = take(40), *hole = take(60), *wall = take(156), *cut[5];
    assert_int_equal(at(hole), 196);
    give(hole);
    for (unsigned i = 0; i < 5; i++) {
        cut[i] = take(10);
        assert_int_equal(at(cut[i]), 246 - 10 * i);
        assert_int_equal(left_of(cut[i]), 50 - 10 * i);
    }
    for (unsigned i = 0; i < 5; i++)
        give(cut[i]);
    hole = take(60);
    assert_int_equal(at(hole), 196);
    give(hole);
    give(anchor);
    give(wall);
    assert_int_equal(pages(), 0);
}

/* With no neighbour free on either side nothing joins; the page is returned by the free that completes it. */
static void a_free_joins_the_next_and_then_the_previous(void **state)
{
    (void)state;
    void *block[4] = { take(64), take(64), take(64), take(64) }; /* units 0, 192, 128, 64 */
    give(block[2]);
    ex_pool_counts_t before = ex_pool_counts_of(MM_NONPAGED_NX), after;
    give(block[0]); /* between live blocks on one side and the start of the page */
    after = ex_pool_counts_of(MM_NONPAGED_NX);
    assert_int_equal(after.merged, before.merged);
    give(block[3]); /* right: 128, left: 0 */
    after = ex_pool_counts_of(MM_NONPAGED_NX);
    assert_int_equal(after.merged, before.merged + 2);
    assert_int_equal(after.returned_pages, 0);
    give(block[1]);
    after = ex_pool_counts_of(MM_NONPAGED_NX);
    assert_int_equal(after.returned_pages, 1);
    assert_int_equal(pages(), 0);
}

/* ---- the tail behind a large allocation ---- */

static void the_tail_of_the_last_page_serves_small_blocks(void **state)
{
    (void)state;
    char *big = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE + 10 * EX_UNIT, TAG);
    assert_non_null(big);
    assert_int_equal(BYTE_OFFSET(big), 0);
    assert_int_equal(pages(), 2);
    char *small = take(6);
    assert_ptr_equal(page_of(small), big + PAGE_SIZE);
    assert_int_equal(at(small), 250); /* not at the start of its page: the tail of the tail */
    memset(big, 0xAA, PAGE_SIZE + 10 * EX_UNIT);
    assert_true(ntmm_check());
    give(big);
    assert_int_equal(pages(), 1); /* the shared page lives on as a pool page */
    void *front = take(250);
    assert_ptr_equal(page_of(front), page_of(small));
    assert_int_equal(at(front), 0);
    give(front);
    give(small);
    assert_int_equal(pages(), 0);
}

static void the_tail_survives_when_small_blocks_go_first(void **state)
{
    (void)state;
    char *big = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE + 1, TAG);
    void *small = take(100), *other = take(155);
    assert_ptr_equal(page_of(other), page_of(small));
    give(small);
    give(other);
    assert_int_equal(pages(), 4);
    give(big);
    assert_int_equal(pages(), 0);
}

static void before_vista_the_tail_is_wasted(void **state)
{
    (void)state;
    char *big = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE + 10 * EX_UNIT, TAG), *small = take(6);
    assert_ptr_not_equal(page_of(small), big + PAGE_SIZE);
    assert_int_equal(pages(), 3);
    give(small);
    give(big);
    assert_int_equal(pages(), 0);
}

/* ---- the header in memory ---- */

static void the_header_is_what_a_dump_would_show(void **state)
{
    (void)state;
    unsigned char *nonpaged = ExAllocatePoolWithTag(NonPagedPoolNx, 20, TAG), *paged = ExAllocatePoolWithTag(PagedPool, 20, TAG);
    unsigned       units = (20 + 16 + EX_UNIT - 1) / EX_UNIT;
    assert_memory_equal(nonpaged - 12, "Blk1", 4);
    assert_int_equal(NTMM_TAG("Fred"), 0x64657246);
    assert_int_equal(nonpaged[-16], 0);
    assert_int_equal(nonpaged[-14], units);
    assert_int_equal(nonpaged[-13], 2);
    assert_int_equal(paged[-13], 3);
    assert_int_equal(nonpaged[-8], 20);
    give(nonpaged);
    give(paged);
}

#define bare(test) ntmm_cmocka_test_config(test, &BARE)

int main(void)
{
    const struct CMUnitTest tests[] = {
        bare(a_fresh_page_gives_its_front_then_its_tail),
        bare(a_free_block_at_the_start_of_its_page_gives_its_front),
        bare(the_smallest_block_that_is_large_enough_is_cut),
        bare(an_exact_fit_is_taken_whole),
        bare(a_remainder_too_small_for_links_stays_unlisted),
        bare(the_block_freed_last_is_used_first),
        bare(a_remainder_waits_at_the_end_of_its_list),
        bare(both_neighbours_are_joined),
        bare(a_page_goes_back_with_its_last_block),
        bare(the_tail_of_the_last_page_serves_small_blocks),
        bare(the_tail_survives_when_small_blocks_go_first),
        ntmm_cmocka_test_config(before_vista_the_tail_is_wasted, &BARE_BEFORE_VISTA),
        bare(the_header_is_what_a_dump_would_show),
        bare(sizes_become_units),
        bare(what_is_left_of_a_block_in_the_middle_stays_in_place),
        bare(a_free_joins_the_next_and_then_the_previous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
