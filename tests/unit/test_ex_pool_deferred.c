/*
 * test_ex_pool_deferred.c - frees that wait: until there are 32, or until somebody cannot do without.
 */
#include <ntmm/cmocka.h>

#include "ex/pool_deferred.h"
#include "ex/pool_front.h"

#define TAG NTMM_TAG("Defr")

static const ntmm_config CLASSIC = { .quiet = true, .classic_lookaside = true };

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
static const ex_descriptor_t *descriptor(void) { return ex_descriptor_of(MM_NONPAGED_NX, 0); }
static uint64_t               pages(void)
{
    ntmm_pool_usage usage;
    ntmm_query_pool(NonPagedPoolNx, &usage);
    return usage.pages;
}

static void the_32nd_free_gives_all_of_them(void **state)
{
    void *block[33];
    (void)state;
    for (unsigned i = 0; i < 33; i++)
        block[i] = take(NonPagedPoolNx, 40);
    uint64_t before = pages();
    for (unsigned i = 0; i < 31; i++) {
        give(block[i]);
        assert_int_equal(descriptor()->pending_count, i + 1);
        assert_int_equal(ex_header_of(block[i])->PoolType, EX_TYPE_HELD);
    }
    check();
    assert_int_equal(pages(), before);
    assert_int_equal(descriptor()->counts.deferred_batches, 0);
    give(block[31]);
    assert_int_equal(descriptor()->pending_count, 0);
    assert_int_equal(descriptor()->counts.deferred, 32);
    assert_int_equal(descriptor()->counts.deferred_batches, 1);
    assert_int_equal(pages(), 1); /* of the last block */
    check();
    give(block[32]);
    assert_int_equal(descriptor()->pending_count, 1);
    check();
}

/* The newest goes first, so the oldest ends at the head of its list. */
static void the_newest_goes_first(void **state)
{
    void *pair[16], *wall[16], *more[17];
    (void)state;
    for (unsigned i = 0; i < 16; i++) { /* a page each: 100 + 100 + 56 units */
        pair[i] = take(NonPagedPoolNx, 100);
        wall[i] = take(NonPagedPoolNx, 100);
        more[i] = take(NonPagedPoolNx, 56);
    }
    for (unsigned i = 0; i < 16; i++)
        give(pair[i]);
    more[16] = take(NonPagedPoolNx, 60); /* a fresh page: none of those serves */
    assert_int_equal(pages(), 17);
    for (unsigned i = 0; i < 15; i++)
        give(more[i]);
    assert_int_equal(descriptor()->pending_count, 31);
    give(more[15]);
    assert_int_equal(descriptor()->pending_count, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_ptr_equal(take(NonPagedPoolNx, 100), pair[i]);
    check();
    for (unsigned i = 0; i < 16; i++) {
        give(pair[i]);
        give(wall[i]);
    }
    give(more[16]);
    check();
}

static void each_descriptor_has_its_own(void **state)
{
    void *block[8];
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        block[i] = take(PagedPool, 50);
    for (unsigned i = 0; i < 8; i++)
        give(block[i]);
    for (unsigned index = 1; index <= 4; index++)
        assert_int_equal(ex_descriptor_of(MM_PAGED, index)->pending_count, 2);
    check();
}

static void what_waits_is_neither_in_use_nor_a_leak(void **state)
{
    (void)state;
    give(take(NonPagedPoolNx, 200));
    give(take(PagedPool, 200));
    ntmm_pool_usage usage;
    ntmm_query_pool(PagedPool, &usage);
    assert_int_equal(usage.bytes_in_use, 0);
    assert_int_equal(usage.pages, 1);
    assert_no_leaks();
}

static void a_waiting_block_freed_again(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 100);
    give(block);
    ULONG_PTR contents = ex_header_contents(ex_header_of(block));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x07, 0, contents, block, give(block));
}

/* Written to after its free, a waiting block is found out when its turn comes. */
static void a_waiting_header_overwritten(void **state)
{
    void *block[32];
    (void)state;
    for (unsigned i = 0; i < 32; i++)
        block[i] = take(NonPagedPoolNx, 50);
    give(block[31]);
    POOL_HEADER *header = ex_header_of(block[31]);
    header->BlockSize = 0;
    for (unsigned i = 1; i < 31; i++)
        give(block[i]);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x08, 0, 0, header, give(block[0]));
}

#define classic(test) ntmm_cmocka_test_config(test, &CLASSIC)

int main(void)
{
    const struct CMUnitTest tests[] = {
        classic(the_32nd_free_gives_all_of_them),         classic(the_newest_goes_first),       classic(each_descriptor_has_its_own),
        classic(what_waits_is_neither_in_use_nor_a_leak), classic(a_waiting_block_freed_again), classic(a_waiting_header_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
