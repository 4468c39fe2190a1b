/*
 * test_ex_pool_magazine.c - what a thread keeps ready: in which order it comes back, how much it may be, and that nothing of it is lost.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>

#include "ex/ex.h"
#include "ex/pool_descriptor.h"
#include "ex/pool_magazine.h"
#include "ex/pool_thread.h"

#define TAG NTMM_TAG("Mag1")

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };

static void *take(size_t bytes)
{
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, TAG);
    assert_non_null(block);
    return block;
}
static void         give(void *block) { ExFreePoolWithTag(block, TAG); }
static size_t       request_of(unsigned units) { return units * EX_UNIT - EX_HEADER_BYTES; }
static ex_thread_t *own(void) { return ex_thread_of(ke_self()); }
static unsigned     kept(unsigned units)
{
    unsigned count = 0;
    for (void *body = own()->blocks[MM_NONPAGED_NX][units].head; body != NULL; body = *(void **)body)
        count++;
    return count;
}
static uint64_t pages(void)
{
    ntmm_pool_usage usage;
    ntmm_query_pool(NonPagedPoolNx, &usage);
    return usage.pages;
}

static void the_block_freed_last_comes_back_first(void **state)
{
    (void)state;
    void *a = take(100), *b = take(100), *c = take(100);
    give(a);
    give(c);
    give(b);
    assert_ptr_equal(take(100), b);
    assert_ptr_equal(take(100), c);
    assert_ptr_equal(take(100), a);
    give(a);
    give(b);
    give(c);
    assert_true(ntmm_check());
}

/* One block, then two, then four: each batch lies in ascending order at the end of what was free of the page. */
static void batches_double_and_come_in_ascending_order(void **state)
{
    (void)state;
    void *block[7];
    for (unsigned i = 0; i < 7; i++) {
        block[i] = take(request_of(4));
        assert_int_equal(kept(4), i == 0 ? 0 : i < 3 ? 2 - i : 6 - i);
    }
    char *page = PAGE_ALIGN(block[0]);
    assert_int_equal(ex_unit_of(ex_header_of(block[0])), 0); /* a fresh page gives its front */
    for (unsigned i = 1; i < 7; i++) {
        assert_ptr_equal(PAGE_ALIGN(block[i]), page);
        assert_int_equal(ex_unit_of(ex_header_of(block[i])), i < 3 ? EX_PAGE_UNITS - 8 + 4 * (i - 1) : EX_PAGE_UNITS - 24 + 4 * (i - 3));
    }
    for (unsigned i = 0; i < 7; i++)
        give(block[i]);
    assert_true(ntmm_check());
}

/* Before a pool takes another page, it has back what the thread keeps: joined, that is room for blocks of any size. */
static void a_pool_gets_its_magazines_back_before_it_grows(void **state)
{
    enum { BLOCKS = 4000 };
    static void *block[BLOCKS];
    (void)state;
    for (unsigned i = 0; i < BLOCKS; i++)
        block[i] = take(request_of(8));
    for (unsigned i = 0; i < BLOCKS; i++)
        give(block[i]);
    uint64_t before = pages();
    assert_true(before * PAGE_SIZE > 256 << 10); /* the thread keeps so much, and none of it is of the size that is wanted next */
    for (unsigned i = 0; i < 64; i++)
        block[i] = take(request_of(100));
    assert_true(pages() <= before);
    assert_true(own()->kept_after[MM_NONPAGED_NX] < 64 << 10 >> EX_UNIT_SHIFT);
    for (unsigned i = 0; i < 64; i++)
        give(block[i]);
    assert_true(ntmm_check());
}

static void a_freed_block_is_marked_as_held(void **state)
{
    (void)state;
    void *block = take(100);
    give(block);
    assert_int_equal(ex_header_of(block)->PoolType, EX_TYPE_HELD);
    assert_int_equal(ex_header_of(block)->BlockSize, ex_units(100));
    void *paged = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    give(paged);
    assert_int_equal(ex_header_of(paged)->PoolType, EX_TYPE_HELD | EX_TYPE_PAGED);
}

static void a_slightly_larger_block_may_serve(void **state)
{
    (void)state;
    void *larger = take(request_of(102));
    assert_int_equal(kept(102), 0); /* blocks of that size come one at a time */
    give(larger);
    void *near = take(request_of(96)); /* 96 + 96/16 = 102 */
    assert_ptr_equal(near, larger);
    assert_int_equal(ex_header_of(near)->BlockSize, 102);
    give(near);
    void *far = take(request_of(95)); /* 95 + 95/16 = 100 */
    assert_ptr_not_equal(far, larger);
    assert_int_equal(ex_header_of(far)->BlockSize, 95);
    give(far);
    assert_true(ntmm_check());
}

static void small_blocks_are_served_exactly(void **state)
{
    (void)state;
    void *larger = take(request_of(EX_NEAR_SHARE));
    give(larger);
    void *other = take(request_of(EX_NEAR_SHARE - 1));
    assert_int_equal(ex_header_of(other)->BlockSize, EX_NEAR_SHARE - 1);
    give(other);
}

static void a_thread_keeps_no_more_than_its_limit(void **state)
{
    enum { BLOCKS = 2000 };
    static void *block[BLOCKS];
    (void)state;
    for (unsigned i = 0; i < BLOCKS; i++)
        block[i] = take(500);
    uint64_t most = pages();
    for (unsigned i = 0; i < BLOCKS; i++) {
        give(block[i]);
        assert_true(own()->limit - own()->room <= own()->limit);
    }
    assert_true(ntmm_check());
    assert_true(pages() < most / 2);
    assert_true((size_t)(own()->limit - own()->room) * EX_UNIT <= most * PAGE_SIZE / 2);
}

static void a_pool_that_shrinks_takes_its_magazines_along(void **state)
{
    enum { BLOCKS = 12000 };
    static void *block[BLOCKS];
    uint64_t     random = 99;
    (void)state;
    for (unsigned i = 0; i < BLOCKS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        block[i] = take(1 + (random >> 40) % 2000);
    }
    uint64_t most = pages(), steps = 0;
    for (unsigned i = 7; steps < BLOCKS; i = (i + 7919) % BLOCKS, steps++)
        give(block[i]);
    assert_true(pages() < most / 2); /* of all sizes a little is kept, but not what the pool at its largest would have justified */
    assert_true((own()->limit - own()->room) * (ptrdiff_t)EX_UNIT <= (ptrdiff_t)EX_LIMIT_MIN);
    assert_true(ntmm_check());
}

static void an_idle_magazine_is_given_back_for_a_busy_one(void **state)
{
    enum { BLOCKS = 2000 };
    static void *block[BLOCKS];
    (void)state;
    give(take(request_of(7))); /* once, and never again */
    assert_true(kept(7) != 0);
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < BLOCKS; i++)
            block[i] = take(1000);
        for (unsigned i = 0; i < BLOCKS; i++)
            give(block[i]);
    }
    assert_int_equal(kept(7), 0);
    assert_true(ntmm_check());
}

static void whole_pages_are_kept_too(void **state)
{
    (void)state;
    void *run = take(3 * PAGE_SIZE);
    give(run);
    assert_int_equal(pages(), 3);
    assert_ptr_equal(take(3 * PAGE_SIZE), run);
    give(run);
    assert_true(ntmm_check());
    void *large = take(40 * PAGE_SIZE); /* too long to be kept */
    give(large);
    assert_true(ntmm_check());
    assert_int_equal(pages(), 3);
}

static void magazines_off_hand_everything_back(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 40; i++)
        give(take(i * 100));
    give(take(2 * PAGE_SIZE));
    assert_true(pages() > 0);
    ex_pool_magazines(false);
    assert_int_equal(pages(), 0);
    assert_true(ntmm_check());
    void *a = take(100), *b = take(100);
    give(a);
    assert_int_equal(ex_header_of(a)->PoolType, EX_TYPE_FREE);
    give(b);
    assert_int_equal(pages(), 0);
    ex_pool_magazines(true);
    a = take(100);
    give(a);
    assert_int_equal(ex_header_of(a)->PoolType, EX_TYPE_HELD);
    assert_true(ntmm_check());
}

static void *use_and_end(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 200; i++)
        give(take(1 + i * 20));
    give(take(PAGE_SIZE));
    return NULL;
}

static void a_thread_that_ends_hands_its_stock_back(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, use_and_end, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pages(), 0);
    assert_true(ntmm_check());
}

static void addresses_repeat_with_the_calls(void **state)
{
    enum { CALLS = 3000 };
    static uintptr_t first[CALLS];
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        void    *held[64] = { NULL };
        uint64_t random = 12345;
        for (unsigned i = 0; i < CALLS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            void **slot = &held[random >> 58];
            if (*slot != NULL)
                give(*slot);
            *slot = take(1 + (random >> 40) % (2 * PAGE_SIZE));
            uintptr_t offset = (uintptr_t)*slot - mm_physical_map.base;
            if (round == 0)
                first[i] = offset;
            else
                assert_int_equal(offset, first[i]);
        }
        for (unsigned i = 0; i < 64; i++)
            if (held[i] != NULL)
                give(held[i]);
        ntmm_cmocka_reboot();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(the_block_freed_last_comes_back_first, &PLAIN),
        ntmm_cmocka_test_config(batches_double_and_come_in_ascending_order, &PLAIN),
        ntmm_cmocka_test_config(a_pool_gets_its_magazines_back_before_it_grows, &PLAIN),
        ntmm_cmocka_test_config(a_freed_block_is_marked_as_held, &PLAIN),
        ntmm_cmocka_test_config(a_slightly_larger_block_may_serve, &PLAIN),
        ntmm_cmocka_test_config(small_blocks_are_served_exactly, &PLAIN),
        ntmm_cmocka_test_config(a_thread_keeps_no_more_than_its_limit, &PLAIN),
        ntmm_cmocka_test_config(a_pool_that_shrinks_takes_its_magazines_along, &PLAIN),
        ntmm_cmocka_test_config(an_idle_magazine_is_given_back_for_a_busy_one, &PLAIN),
        ntmm_cmocka_test_config(whole_pages_are_kept_too, &PLAIN),
        ntmm_cmocka_test_config(magazines_off_hand_everything_back, &PLAIN),
        ntmm_cmocka_test_config(a_thread_that_ends_hands_its_stock_back, &PLAIN),
        ntmm_cmocka_test_config(addresses_repeat_with_the_calls, &PLAIN),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
