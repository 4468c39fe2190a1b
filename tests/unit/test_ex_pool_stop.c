/*
 * test_ex_pool_stop.c - what a driver gets for each mistake with pool memory: the bug check and its four parameters.
 */
#include <ntmm/cmocka.h>

#include <stdlib.h>

#include "ex/pool_header.h"

#define TAG NTMM_TAG("Stop")
#define OTHER NTMM_TAG("Oops")

/* The fixture's own machine records who called, for which each call takes the long way. A driver's calls mostly end on the short one. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };

static const ntmm_config WINDOWS_2000 = {
    .quiet = true, .no_magazines = true, .windows_version = 0x05000000, .nonpaged_pool_limit = 8 * PAGE_SIZE
};

static void *take(POOL_TYPE type, size_t bytes)
{
    void *block = ExAllocatePoolWithTag(type, bytes, TAG);
    assert_non_null(block);
    return block;
}

/* ---- freeing ---- */

static void a_block_freed_twice(void **state)
{
    (void)state;
    void *neighbour = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24); /* the page stays: it has another block */
    (void)neighbour;
    ExFreePoolWithTag(block, TAG);
    uintptr_t contents = ex_header_contents(ex_header_of(block));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x07, 0, contents, block, ExFreePoolWithTag(block, TAG));
}
static void a_block_freed_twice_without_tag(void **state)
{
    (void)state;
    void *block = NULL;
    for (unsigned i = 0; i < 5; i++) /* the first and the last share a page, with one descriptor as with four in turn */
        block = take(PagedPool, 24);
    ExFreePool(block);
    assert_bugcheck(BAD_POOL_CALLER, 0x07, ExFreePool(block));
    assert_int_equal(ntmm_cmocka_caught.parameter[3], block);
}
static void a_block_freed_twice_whose_page_is_gone(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    ExFreePool(block);
    assert_bugcheck(BAD_POOL_CALLER, 0x07, ExFreePool(block));
}
static void a_block_freed_twice_that_was_joined(void **state)
{
    (void)state;
    void *left = take(NonPagedPoolNx, 4 * EX_UNIT), *a = take(NonPagedPoolNx, 100), *b = take(NonPagedPoolNx, 100);
    (void)left;
    ExFreePool(b);
    ExFreePool(a); /* one free block now, of which neither is the beginning */
    assert_bugcheck(BAD_POOL_CALLER, 0x07, ExFreePool(a));
}
static void whole_pages_freed_twice(void **state)
{
    (void)state;
    void *pages = take(NonPagedPoolNx, 2 * PAGE_SIZE);
    ExFreePool(pages);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x22, pages, 0, 0, ExFreePool(pages));
}
static void a_wrong_tag(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG, OTHER, ExFreePoolWithTag(block, OTHER));
}
static void a_wrong_tag_for_paged_pool(void **state)
{
    (void)state;
    void *block = take(PagedPool, 24);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG, OTHER, ExFreePool2(block, OTHER, NULL, 0));
}
static void a_wrong_tag_for_whole_pages(void **state)
{
    (void)state;
    void *pages = take(NonPagedPoolNx, 2 * PAGE_SIZE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, pages, TAG, OTHER, ExFreePoolWithTag(pages, OTHER));
}
static void a_protected_block_without_its_tag(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG | PROTECTED_POOL);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG | PROTECTED_POOL, 0, ExFreePool(block));
}
static void a_protected_block_with_its_tag(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG | PROTECTED_POOL),
         *pages = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, TAG | PROTECTED_POOL);
    assert_no_bugcheck(ExFreePoolWithTag(block, TAG | PROTECTED_POOL));
    assert_no_bugcheck(ExFreePoolWithTag(pages, TAG | PROTECTED_POOL));
}

static int  a_global;
static void null(void **state)
{
    (void)state;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x46, 0, 0, 0, ExFreePool(NULL));
}
static void an_address_on_the_stack(void **state)
{
    int local;
    (void)state;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x46, &local, 0, 0, ExFreePool(&local));
}
static void a_global_variable(void **state)
{
    (void)state;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x46, &a_global, 0, 0, ExFreePoolWithTag(&a_global, TAG));
}
static void memory_of_the_c_library(void **state)
{
    (void)state;
    void *foreign = malloc(64);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x46, foreign, 0, 0, ExFreePool(foreign));
    free(foreign);
}
static void an_address_of_a_pool_where_no_memory_is(void **state)
{
    (void)state;
    PHYSICAL_ADDRESS low = { .QuadPart = 0x100000 };
    char            *hole = (char *)MmGetVirtualForPhysical(low) + 0xE00000; /* 15 MiB: a hole in the RAM of the default machine */
    ntmm_bugcheck    stop;
    assert_true(ntmm_catch_bugcheck(ExFreePool, hole + 64, &stop)); /* the header is read, or found not to be there */
    assert_true(stop.code == PAGE_FAULT_IN_NONPAGED_AREA || (stop.code == BAD_POOL_CALLER && stop.parameter[0] == 0x99));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(BAD_POOL_HEADER, 0x22, hole, 0, 0, ExFreePoolWithTag(hole, TAG)); /* whole pages would have no header */
}
static void the_middle_of_a_block(void **state)
{
    (void)state;
    char *block = memset(take(NonPagedPoolNx, 512), 0, 512);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block + 64, 0, 0, ExFreePool(block + 64));
}
static void an_odd_address(void **state)
{
    (void)state;
    char *block = take(NonPagedPoolNx, 512);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block + 5, 0, 0, ExFreePool(block + 5));
}
static void the_second_page_of_an_allocation(void **state)
{
    (void)state;
    char *pages = take(NonPagedPoolNx, 3 * PAGE_SIZE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, pages + PAGE_SIZE, 0, 0, ExFreePool(pages + PAGE_SIZE));
}
static void the_middle_of_whole_pages(void **state)
{
    (void)state;
    char *pages = memset(take(NonPagedPoolNx, 2 * PAGE_SIZE), 0, 2 * PAGE_SIZE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, pages + 64, 0, 0, ExFreePool(pages + 64));
}
static void the_start_of_a_pool_page(void **state)
{
    (void)state;
    char *block = take(NonPagedPoolNx, 24);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, PAGE_ALIGN(block), 0, 0, ExFreePool(PAGE_ALIGN(block)));
}

/* ---- damage ---- */

static void overrun(void *block, size_t beyond, int value) /* the driver writes past the end of its block */
{
    POOL_HEADER *header = ex_header_of(block);
    memset(ex_right(header, header->BlockSize), value, beyond);
}

static void an_overrun_found_at_the_free(void **state)
{
    (void)state;
    void        *block = take(NonPagedPoolNx, 24);
    POOL_HEADER *header = ex_header_of(block);
    overrun(block, 8, 0xEE);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x20, header, ex_right(header, header->BlockSize), 0, ExFreePoolWithTag(block, TAG));
}
/* Two blocks next to each other, whatever the order they came in. */
static void take_neighbours(void **left, void **right)
{
    void *block[8];
    for (unsigned i = 0; i < 8; i++)
        block[i] = take(NonPagedPoolNx, 24);
    for (unsigned i = 0; i < 64; i++) {
        POOL_HEADER *header = ex_header_of(block[i / 8]);
        *left = block[i / 8];
        *right = block[i % 8];
        if (ex_right(header, header->BlockSize) == ex_header_of(*right))
            return;
    }
    fail();
}
static void an_overrun_found_at_the_victims_free(void **state)
{
    void *culprit, *victim;
    (void)state;
    take_neighbours(&culprit, &victim);
    overrun(culprit, EX_HEADER_BYTES, 0xEE);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x20, ex_header_of(culprit), ex_header_of(victim), 0, ExFreePoolWithTag(victim, TAG));
}
static void a_block_size_of_zero(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    ex_header_of(block)->BlockSize = 0;
    assert_bugcheck(BAD_POOL_HEADER, 0x20, ExFreePoolWithTag(block, TAG));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], ex_header_of(block));
}
static void a_block_size_that_leaves_the_page(void **state)
{
    (void)state;
    void *block;
    do /* 255 units fit behind the first two places */
        block = take(NonPagedPoolNx, 24);
    while (ex_unit_of(ex_header_of(block)) < 2);
    ex_header_of(block)->BlockSize = 255;
    assert_bugcheck(BAD_POOL_HEADER, 0x20, ExFreePool(block));
}
static void a_type_that_is_none(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    ex_header_of(block)->PoolType = 0x55;
    assert_bugcheck(BAD_POOL_HEADER, 0x20, ExFreePoolWithTag(block, TAG));
}
static void free_list_links_overwritten(void **state) /* on BARE */
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24), *wall = take(NonPagedPoolNx, 24);
    (void)keep;
    (void)wall;
    ExFreePool(block);
    memset(block, 0xDD, 16); /* use after free */
    assert_bugcheck(BAD_POOL_HEADER, 0x03, take(NonPagedPoolNx, 24));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], block);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0xDDDDDDDDDDDDDDDD);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0xDDDDDDDDDDDDDDDD);
}
static void a_free_header_overwritten(void **state) /* on BARE */
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24), *wall = take(NonPagedPoolNx, 24);
    (void)keep;
    (void)wall;
    ExFreePool(block);
    ex_header_of(block)->BlockSize ^= 0x10;
    assert_bugcheck(BAD_POOL_HEADER, 0x05, take(NonPagedPoolNx, 24));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], ex_header_of(block));
}
static void a_previous_size_that_disagrees(void **state) /* on BARE */
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24);
    (void)keep;
    ex_header_of(block)->PreviousSize = (uint8_t)(ex_header_of(block)->PreviousSize - 1);
    assert_bugcheck(BAD_POOL_HEADER, 0x05, ExFreePool(block));
    assert_int_equal(ntmm_cmocka_caught.parameter[3], ex_header_of(block));
}
static void a_previous_size_that_leaves_the_page(void **state) /* on BARE */
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    assert_int_equal(ex_unit_of(ex_header_of(block)), 0);
    ex_header_of(block)->PreviousSize = 3;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x06, ex_left(ex_header_of(block), 3), 0, ex_header_of(block), ExFreePool(block));
}

/* ---- IRQL ---- */

static void raise_to(KIRQL irql)
{
    KIRQL old;
    KeRaiseIrql(irql, &old);
}

static void nonpaged_pool_at_dispatch_level(void **state)
{
    (void)state;
    raise_to(DISPATCH_LEVEL);
    assert_no_bugcheck(ExFreePool(ExAllocatePool2(POOL_FLAG_NON_PAGED, 24, TAG)));
    assert_no_bugcheck(ExFreePool(ExAllocatePoolWithTag(NonPagedPool, 3 * PAGE_SIZE, TAG)));
    KeLowerIrql(PASSIVE_LEVEL);
}
static void paged_pool_at_apc_level(void **state)
{
    (void)state;
    raise_to(APC_LEVEL);
    assert_no_bugcheck(ExFreePool(ExAllocatePool2(POOL_FLAG_PAGED, 24, TAG)));
    KeLowerIrql(PASSIVE_LEVEL);
}
static void paged_pool2_at_dispatch_level(void **state)
{
    (void)state;
    raise_to(DISPATCH_LEVEL);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 24, ExAllocatePool2(POOL_FLAG_PAGED, 24, TAG));
}
static void nonpaged_pool2_above_dispatch_level(void **state)
{
    (void)state;
    raise_to(DISPATCH_LEVEL + 1);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL + 1, NonPagedPoolNx, 24, ExAllocatePool2(POOL_FLAG_NON_PAGED, 24, TAG));
}
static void paged_pool_with_tag_at_dispatch_level(void **state)
{
    (void)state;
    raise_to(DISPATCH_LEVEL);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 0x5000, ExAllocatePoolWithTag(PagedPool, 0x5000, TAG));
}
static void nonpaged_pool_with_tag_above_dispatch_level(void **state)
{
    (void)state;
    raise_to(HIGH_LEVEL);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, HIGH_LEVEL, NonPagedPool, 24, ExAllocatePool(NonPagedPool, 24));
}
static void nonpaged_pool_freed_above_dispatch_level(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    raise_to(DISPATCH_LEVEL + 1);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x09, DISPATCH_LEVEL + 1, NonPagedPoolNx, block, ExFreePool(block));
}
static void paged_pool_freed_at_dispatch_level(void **state)
{
    (void)state;
    void *block = take(PagedPool, 24);
    raise_to(DISPATCH_LEVEL);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x09, DISPATCH_LEVEL, PagedPool, block, ExFreePoolWithTag(block, TAG));
}
static void paged_pages_freed_at_dispatch_level(void **state)
{
    (void)state;
    void *pages = take(PagedPool, 2 * PAGE_SIZE);
    raise_to(DISPATCH_LEVEL);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x09, DISPATCH_LEVEL, PagedPool, pages, ExFreePool(pages));
}

/* What a thread keeps ready is given and taken by a shorter way, which has the same rules. */
static void *take_warm(POOL_TYPE type, size_t bytes)
{
    void *block[4];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 4; i++)
            block[i] = take(type, bytes);
        for (unsigned i = 0; i < 4; i++)
            ExFreePoolWithTag(block[i], TAG);
    }
    return take(type, bytes);
}
static void where_a_stock_would_serve(void **state)
{
    static const struct {
        POOL_TYPE  type;
        POOL_FLAGS flags;
        size_t     bytes;
        KIRQL      irql;
    } rows[] = { { PagedPool, POOL_FLAG_PAGED, 64, DISPATCH_LEVEL },
                 { PagedPool, POOL_FLAG_PAGED, 2 * PAGE_SIZE, DISPATCH_LEVEL },
                 { NonPagedPoolNx, POOL_FLAG_NON_PAGED, 64, DISPATCH_LEVEL + 1 },
                 { NonPagedPoolNx, POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, DISPATCH_LEVEL + 1 },
                 { NonPagedPool, POOL_FLAG_NON_PAGED_EXECUTE, 64, DISPATCH_LEVEL + 1 },
                 { NonPagedPool, POOL_FLAG_NON_PAGED_EXECUTE, 2 * PAGE_SIZE, DISPATCH_LEVEL + 1 } };
    (void)state;
    for (volatile size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        POOL_TYPE type = rows[i].type;
        void     *block = take_warm(type, rows[i].bytes);
        raise_to(rows[i].irql);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x09, rows[i].irql, type, block, ExFreePoolWithTag(block, TAG));
        ntmm_cmocka_reboot();
        block = take_warm(type, rows[i].bytes);
        raise_to(rows[i].irql);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x08, rows[i].irql, type, rows[i].bytes, ExAllocatePool2(rows[i].flags, rows[i].bytes, TAG));
        ntmm_cmocka_reboot();
        block = take_warm(type, rows[i].bytes);
        raise_to(rows[i].irql);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x08, rows[i].irql, type, rows[i].bytes, ExAllocatePoolWithTag(type, rows[i].bytes, TAG));
        ntmm_cmocka_reboot();
        block = take_warm(type, rows[i].bytes);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG, OTHER, ExFreePoolWithTag(block, OTHER));
        ntmm_cmocka_reboot();
        ExFreePoolWithTag(take_warm(type, rows[i].bytes), TAG);
        block = ExAllocatePoolWithTag(type, rows[i].bytes, TAG | PROTECTED_POOL);
        assert_non_null(block);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG | PROTECTED_POOL, 0, ExFreePool(block));
        ntmm_cmocka_reboot();
    }
}

/* ---- arguments ---- */

static void must_succeed_pool(void **state)
{
    (void)state;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x9A, NonPagedPoolMustSucceed, 24, TAG, ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 24, TAG));
}
static void must_succeed_pool_before_xp(void **state) /* on WINDOWS_2000 */
{
    (void)state;
    void *small = take(NonPagedPoolMustSucceed, 24), *pages[16];
    assert_non_null(small);
    unsigned count = 0;
    while (count < 16 && (pages[count] = ExAllocatePoolWithTag(NonPagedPoolMustSucceed - 2, PAGE_SIZE, TAG)) != NULL)
        count++;
    assert_int_equal(count, 7); /* of eight */
    ntmm_memory_usage memory;
    ntmm_query_memory(&memory);
    assert_bugcheck_all(MUST_SUCCEED_POOL_EMPTY, 2 * PAGE_SIZE, 8, 0, memory.zeroed + memory.free,
                        ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 2 * PAGE_SIZE, TAG));
}
static void tag_zero(void **state)
{
    (void)state;
    assert_bugcheck(BAD_POOL_CALLER, 0x9B, ExAllocatePoolWithTag(PagedPool, 24, 0));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], PagedPool);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 24);
    assert_int_not_equal(ntmm_cmocka_caught.parameter[3], 0);
}
static void tag_big(void **state)
{
    (void)state;
    assert_bugcheck(BAD_POOL_CALLER, 0x9C, ExAllocatePoolWithTag(NonPagedPoolNx, 24, NTMM_TAG("BIG ")));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], NonPagedPoolNx);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 24);
}
static void tag_without_letter_or_digit(void **state)
{
    (void)state;
    void *block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 24, NTMM_TAG("+-*/")); /* ExAllocatePool2 takes it: so the tag is known */
    assert_non_null(block);
    ExFreePool(block);
    assert_bugcheck(BAD_POOL_CALLER, 0x9D, ExAllocatePoolWithTag(NonPagedPoolNx, 24, NTMM_TAG("+-*/")));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], NTMM_TAG("+-*/"));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], NonPagedPoolNx);
}

/* ---- afterwards ---- */

static void a_halted_machine_refuses(void **state)
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    ExFreePool(take(NonPagedPoolNx, 24)); /* a stock is there, and would serve */
    assert_bugcheck_code(BAD_POOL_CALLER, ExFreePool(NULL));
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 24, TAG));
    assert_null(ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG));
    ExFreePool(block);
    ntmm_pool_usage usage;
    assert_true(ntmm_query_tag(TAG, NonPagedPoolNx, &usage)); /* but it can be inspected */
    assert_int_equal(usage.allocs, 2);
    assert_int_equal(usage.frees, 1);
}

#define each(test) ntmm_cmocka_test(test), ntmm_cmocka_test_config(test, &PLAIN), ntmm_cmocka_test_config(test, &BARE)
#define bare(test) ntmm_cmocka_test_config(test, &BARE)

int main(void)
{
    const struct CMUnitTest tests[] = {
        each(a_block_freed_twice),
        each(a_block_freed_twice_without_tag),
        each(a_block_freed_twice_whose_page_is_gone),
        each(a_block_freed_twice_that_was_joined),
        each(whole_pages_freed_twice),
        each(a_wrong_tag),
        each(a_wrong_tag_for_paged_pool),
        each(a_wrong_tag_for_whole_pages),
        each(a_protected_block_without_its_tag),
        each(a_protected_block_with_its_tag),
        each(null),
        each(an_address_on_the_stack),
        each(a_global_variable),
        each(memory_of_the_c_library),
        each(an_address_of_a_pool_where_no_memory_is),
        each(the_middle_of_a_block),
        each(an_odd_address),
        each(the_second_page_of_an_allocation),
        each(the_middle_of_whole_pages),
        each(the_start_of_a_pool_page),
        each(an_overrun_found_at_the_free),
        each(an_overrun_found_at_the_victims_free),
        each(a_block_size_of_zero),
        each(a_block_size_that_leaves_the_page),
        each(a_type_that_is_none),
        bare(free_list_links_overwritten),
        bare(a_free_header_overwritten),
        bare(a_previous_size_that_disagrees),
        bare(a_previous_size_that_leaves_the_page),
        each(nonpaged_pool_at_dispatch_level),
        each(paged_pool_at_apc_level),
        each(paged_pool2_at_dispatch_level),
        each(nonpaged_pool2_above_dispatch_level),
        each(paged_pool_with_tag_at_dispatch_level),
        each(nonpaged_pool_with_tag_above_dispatch_level),
        each(nonpaged_pool_freed_above_dispatch_level),
        each(paged_pool_freed_at_dispatch_level),
        each(paged_pages_freed_at_dispatch_level),
        each(where_a_stock_would_serve),
        each(must_succeed_pool),
        ntmm_cmocka_test_config(must_succeed_pool_before_xp, &WINDOWS_2000),
        each(tag_zero),
        each(tag_big),
        each(tag_without_letter_or_digit),
        each(a_halted_machine_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
