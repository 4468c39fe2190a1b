/*
 * test_ex_pool_lookaside.c - the lookaside lists of the classic pool: P, then L, then the descriptor; and how their depth follows demand.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "ex/pool_front.h"
#include "ex/pool_lookaside.h"

#define TAG NTMM_TAG("Look")

static const ntmm_config CLASSIC = { .quiet = true, .classic_lookaside = true };
static const ntmm_config WINDOWS_7 = { .quiet = true, .classic_lookaside = true, .windows_version = 0x06010000 };
static const ntmm_config SMALL = { .quiet = true, .classic_lookaside = true, .nonpaged_pool_limit = 4 * PAGE_SIZE };

static void *take(POOL_TYPE type, unsigned units)
{
    void *block = ExAllocatePoolWithTag(type, units * EX_UNIT - EX_HEADER_BYTES, TAG);
    assert_non_null(block);
    return block;
}
static void give(void *block) { ExFreePoolWithTag(block, TAG); }
static void check(void)
{
    if (!ntmm_check())
        fail_msg("%s", ntmm_error());
}
static const ex_lookaside_t *list_p(mm_pool_t pool, unsigned units) { return &ex_lookaside_set(0)->list[pool][units]; }
static const ex_lookaside_t *list_l(mm_pool_t pool, unsigned units)
{
    return &ex_lookaside_set(ex_lookaside_sets() - 1)->list[pool][units];
}
static ex_pool_counts_t counts(void) { return ex_pool_counts_of(MM_NONPAGED_NX); }

static void the_first_request_misses_and_the_next_is_served_by_p(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 4);
    assert_int_equal(counts().lookaside_p, 0);
    assert_int_equal(counts().fresh, 1);
    give(block);
    assert_int_equal(list_p(MM_NONPAGED_NX, 4)->count, 1);
    assert_int_equal(ex_header_of(block)->PoolType, EX_TYPE_HELD);
    check();
    assert_ptr_equal(take(NonPagedPoolNx, 4), block);
    assert_int_equal(counts().lookaside_p, 1);
    assert_int_equal(counts().lookaside_l, 0);
    give(block);
    check();
}

static void p_holds_four_then_l_then_they_are_deferred(void **state)
{
    void *block[10];
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        block[i] = take(NonPagedPoolNx, 6);
    for (unsigned i = 0; i < 10; i++) {
        give(block[i]);
        assert_int_equal(list_p(MM_NONPAGED_NX, 6)->count, i < 4 ? i + 1 : 4);
        assert_int_equal(list_l(MM_NONPAGED_NX, 6)->count, i < 4 ? 0 : i < 8 ? i - 3 : 4);
        assert_int_equal(ex_descriptor_of(MM_NONPAGED_NX, 0)->pending_count, i < 8 ? 0 : i - 7);
    }
    check();
    for (unsigned i = 4; i-- > 0;)
        assert_ptr_equal(take(NonPagedPoolNx, 6), block[i]); /* P, the newest first */
    for (unsigned i = 8; i-- > 4;)
        assert_ptr_equal(take(NonPagedPoolNx, 6), block[i]); /* L, the same */
    assert_int_equal(counts().lookaside_p, 4);
    assert_int_equal(counts().lookaside_l, 4);
    void *fresh = take(NonPagedPoolNx, 6); /* what is deferred serves nobody */
    assert_ptr_not_equal(fresh, block[8]);
    assert_ptr_not_equal(fresh, block[9]);
    check();
    give(fresh);
    for (unsigned i = 0; i < 8; i++)
        give(block[i]);
    check();
}

static void thirty_two_units_are_eligible_and_no_more(void **state)
{
    (void)state;
    void *small = take(NonPagedPoolNx, 32), *large = take(NonPagedPoolNx, 33);
    give(small);
    give(large);
    assert_int_equal(list_p(MM_NONPAGED_NX, 32)->count, 1);
    assert_int_equal(ex_descriptor_of(MM_NONPAGED_NX, 0)->pending_count, 1);
    assert_ptr_equal(take(NonPagedPoolNx, 32), small);
    give(small);
    check();
}

static void each_pool_has_lists_of_its_own(void **state)
{
    (void)state;
    void *nx = take(NonPagedPoolNx, 5), *execute = take(NonPagedPool, 5), *paged = take(PagedPool, 5);
    give(nx);
    give(execute);
    give(paged);
    assert_int_equal(list_p(MM_NONPAGED_NX, 5)->count, 1);
    assert_int_equal(list_p(MM_NONPAGED_EXECUTE, 5)->count, 1);
    assert_int_equal(list_p(MM_PAGED, 5)->count, 1);
    assert_ptr_equal(take(PagedPool, 5), paged);
    assert_ptr_equal(take(NonPagedPool, 5), execute);
    assert_int_equal(ex_header_of(paged)->PoolType, EX_TYPE_IN_USE | EX_TYPE_PAGED);
    give(execute);
    give(paged);
    check();
}

static void nx_pool_has_none_before_windows_8(void **state) /* on WINDOWS_7 */
{
    (void)state;
    void *nx = take(NonPagedPoolNx, 5), *nonpaged = take(NonPagedPool, 5);
    give(nx);
    give(nonpaged);
    assert_int_equal(list_p(MM_NONPAGED_NX, 5)->count, 0);
    assert_int_equal(ex_descriptor_of(MM_NONPAGED_NX, 0)->pending_count, 1);
    assert_int_equal(list_p(MM_NONPAGED_EXECUTE, 5)->count, 1);
    check();
}

/* ---- processors ---- */

static void on_processor(uint32_t number)
{
    ke_thread_t *thread = ke_processor_claim(ke_self(), number, "the test");
    assert_non_null(thread);
    ke_processor_release(thread);
}

static void each_processor_has_a_p_and_all_share_l(void **state)
{
    void *block[12];
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        block[i] = take(NonPagedPoolNx, 7);
    for (unsigned i = 0; i < 5; i++) /* four to P of 0, one to L */
        give(block[i]);
    on_processor(1);
    assert_ptr_equal(take(NonPagedPoolNx, 7), block[4]); /* from L: P of 1 is empty */
    give(block[4]);
    assert_int_equal(ex_lookaside_set(1)->list[MM_NONPAGED_NX][7].count, 1);
    assert_int_equal(list_p(MM_NONPAGED_NX, 7)->count, 4);
    on_processor(0);
    assert_ptr_equal(take(NonPagedPoolNx, 7), block[3]);
    check();
    for (unsigned i = 5; i < 12; i++)
        give(block[i]);
    give(block[3]);
    check();
}

/* ---- depth ---- */

/* A round of requests for one size that all miss. */
static void misses(unsigned count, void **block)
{
    for (unsigned i = 0; i < count; i++)
        block[i] = take(NonPagedPoolNx, 3);
}

static void misses_make_a_list_deeper(void **state)
{
    void *block[100];
    (void)state;
    misses(100, block);
    ex_pool_lookaside_scan(); /* every request missed: 4 + 1 * (256 - 4) / 2 + 5 */
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 135);
    assert_int_equal(list_l(MM_NONPAGED_NX, 3)->depth, 135);
    for (unsigned i = 0; i < 100; i++)
        give(block[i]);
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->count, 100);
    check();
}

static void half_of_the_requests_missing(void **state)
{
    void *block[60];
    (void)state;
    misses(30, block);
    for (unsigned i = 0; i < 30; i++)
        give(take(NonPagedPoolNx, 3)); /* the first misses, the others are served */
    ex_pool_lookaside_scan();          /* 31 of 60: 4 + 31 * 252 / 120 + 5 */
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 4 + 31 * 252 / 120 + 5);
    for (unsigned i = 0; i < 30; i++)
        give(block[i]);
    check();
}

static void few_requests_make_a_list_shallower_and_it_gives_back(void **state)
{
    void *block[100];
    (void)state;
    misses(100, block);
    ex_pool_lookaside_scan();
    for (unsigned i = 0; i < 100; i++)
        give(block[i]);
    for (unsigned depth = 135; depth > 4;) { /* nobody asks */
        ex_pool_lookaside_scan();
        depth = depth > 14 ? depth - 10 : 4;
        assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, depth);
        assert_int_equal(list_p(MM_NONPAGED_NX, 3)->count, depth < 100 ? depth : 100);
        check();
    }
    ex_pool_lookaside_scan();
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 4);
    assert_ptr_equal(take(NonPagedPoolNx, 3), block[3]); /* the newest left first */
    give(block[3]);
}

static void requests_that_are_served_cost_one(void **state)
{
    void *block[60];
    (void)state;
    misses(60, block);
    ex_pool_lookaside_scan();
    give(block[59]);
    for (unsigned i = 0; i < 200; i++)
        give(take(NonPagedPoolNx, 3));
    ex_pool_lookaside_scan(); /* none of 200 missed */
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 134);
    for (unsigned i = 0; i < 199; i++)
        give(take(NonPagedPoolNx, 3));
    void *one = take(NonPagedPoolNx, 3), *two = take(NonPagedPoolNx, 3); /* the 201st misses: 0.497 % */
    ex_pool_lookaside_scan();
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 133);
    give(one);
    give(two);
    for (unsigned i = 0; i < 59; i++)
        give(block[i]);
    check();
}

static void no_list_is_deeper_than_256(void **state)
{
    enum { BLOCKS = 300 };
    static void *block[BLOCKS];
    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        misses(BLOCKS, block);
        for (unsigned i = 0; i < BLOCKS; i++)
            give(block[i]);
        misses(BLOCKS, block);
        ex_pool_lookaside_scan();
        assert_true(list_p(MM_NONPAGED_NX, 3)->depth <= 256);
        for (unsigned i = 0; i < BLOCKS; i++)
            give(block[i]);
        check();
    }
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 256);
}

static void the_clock_counts_calls(void **state)
{
    void *block[50];
    (void)state;
    misses(50, block);
    for (unsigned i = 50; i + 2 < EX_LOOKASIDE_PERIOD; i += 2)
        give(take(NonPagedPoolNx, 9));
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 4);
    give(take(NonPagedPoolNx, 9)); /* the period is full */
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 135);
    for (unsigned i = 0; i < 50; i++)
        give(block[i]);
}

static void a_scan_waits_for_a_call_below_dispatch_level(void **state)
{
    void *block[50];
    KIRQL old;
    (void)state;
    misses(50, block);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    for (unsigned i = 0; i < EX_LOOKASIDE_PERIOD; i += 2)
        give(take(NonPagedPoolNx, 9));
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 4);
    KeLowerIrql(old);
    give(take(NonPagedPoolNx, 9));
    assert_int_equal(list_p(MM_NONPAGED_NX, 3)->depth, 135);
    for (unsigned i = 0; i < 50; i++)
        give(block[i]);
}

/* ---- what is held is nobody's ---- */

static void held_blocks_are_neither_in_use_nor_leaks(void **state)
{
    void *block[100];
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        block[i] = take(i % 2 == 0 ? PagedPool : NonPagedPoolNx, 2 + i);
    for (unsigned i = 0; i < 100; i++)
        give(block[i]);
    ntmm_pool_usage usage;
    ntmm_query_pool(NonPagedPoolNx, &usage);
    assert_int_equal(usage.allocs, 50);
    assert_int_equal(usage.frees, 50);
    assert_int_equal(usage.bytes_in_use, 0);
    assert_true(usage.pages != 0);
    check();
    assert_no_leaks();
}

static void a_held_block_freed_again(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 4);
    give(block);
    ULONG_PTR contents = ex_header_contents(ex_header_of(block));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x07, 0, contents, block, give(block));
}

static void short_memory_gets_everything_back(void **state) /* on SMALL: four pages */
{
    void *block[8];
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        block[i] = take(NonPagedPoolNx, 32); /* one page, exactly */
    for (unsigned i = 0; i < 8; i++)
        give(block[i]); /* all held: four by P, four by L */
    void *rest[3];
    for (unsigned i = 0; i < 3; i++)
        rest[i] = take(NonPagedPoolNx, 255);
    void *fourth = take(NonPagedPoolNx, 255); /* only joined they are a page */
    check();
    assert_null(ExAllocatePoolWithTag(NonPagedPoolNx, 255 * EX_UNIT - EX_HEADER_BYTES, TAG));
    give(fourth);
    for (unsigned i = 0; i < 3; i++)
        give(rest[i]);                                                       /* deferred */
    char *pages = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * PAGE_SIZE, TAG); /* and what is deferred serves whole pages */
    assert_non_null(pages);
    check();
    give(pages);
}

static void failure_injection_reaches_every_request(void **state)
{
    (void)state;
    give(take(NonPagedPoolNx, 4));
    ntmm_fail_allocation(2);
    void *first = take(NonPagedPoolNx, 4);
    assert_null(ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG));
    give(first);
    ntmm_fail_allocation(0);
    check();
}

static void no_magazines_and_classic_lookaside_exclude_each_other(void **state)
{
    ntmm_config both = { .quiet = true, .no_magazines = true, .classic_lookaside = true };
    (void)state;
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&both), -EINVAL);
    assert_int_equal(ntmm_boot(&CLASSIC), 0);
}

/* ---- threads ---- */

static void *play(void *argument)
{
    void    *held[64] = { NULL };
    uint64_t random = 88172645463325252ull + (uintptr_t)argument;
    for (unsigned i = 0; i < 20000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        void **slot = &held[random % 64];
        if (*slot != NULL)
            give(*slot);
        *slot = take((random >> 8 & 1) != 0 ? PagedPool : NonPagedPoolNx, 2 + (unsigned)(random >> 16) % 40);
    }
    for (unsigned i = 0; i < 64; i++)
        if (held[i] != NULL)
            give(held[i]);
    return NULL;
}

static void four_threads(void **state)
{
    pthread_t thread[4];
    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, play, (void *)i), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    check();
    assert_no_leaks();
}

#define classic(test) ntmm_cmocka_test_config(test, &CLASSIC)

int main(void)
{
    const struct CMUnitTest tests[] = {
        classic(the_first_request_misses_and_the_next_is_served_by_p),
        classic(p_holds_four_then_l_then_they_are_deferred),
        classic(thirty_two_units_are_eligible_and_no_more),
        classic(each_pool_has_lists_of_its_own),
        ntmm_cmocka_test_config(nx_pool_has_none_before_windows_8, &WINDOWS_7),
        classic(each_processor_has_a_p_and_all_share_l),
        classic(misses_make_a_list_deeper),
        classic(half_of_the_requests_missing),
        classic(few_requests_make_a_list_shallower_and_it_gives_back),
        classic(requests_that_are_served_cost_one),
        classic(no_list_is_deeper_than_256),
        classic(the_clock_counts_calls),
        classic(a_scan_waits_for_a_call_below_dispatch_level),
        classic(held_blocks_are_neither_in_use_nor_leaks),
        classic(a_held_block_freed_again),
        ntmm_cmocka_test_config(short_memory_gets_everything_back, &SMALL),
        classic(failure_injection_reaches_every_request),
        classic(no_magazines_and_classic_lookaside_exclude_each_other),
        classic(four_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
