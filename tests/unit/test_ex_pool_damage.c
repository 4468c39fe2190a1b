/*
 * test_ex_pool_damage.c - memory that a driver wrote where it may not, and how the pools find out: lists, links, neighbours, what lies behind a
 * large allocation, the second header of a cache-aligned block. All four parameters count.
 */
#include <ntmm/cmocka.h>

#include "ex/pool_header.h"

#define TAG NTMM_TAG("Damg")

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config BEFORE_WINDOWS_8 = { .quiet = true, .no_magazines = true, .windows_version = 0x06010000 };

static void *take(POOL_TYPE type, size_t bytes)
{
    void *block = ExAllocatePoolWithTag(type, bytes, TAG);
    assert_non_null(block);
    return block;
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
/* ---- damage that only the free lists find ---- */

/* Three blocks side by side on a page that stays, the middle one of which is freed. */
static void *free_between_walls(unsigned units)
{
    size_t bytes = units * EX_UNIT - EX_HEADER_BYTES;
    void  *keep = take(NonPagedPoolNx, bytes), *block = take(NonPagedPoolNx, bytes), *wall = take(NonPagedPoolNx, bytes);
    (void)keep;
    (void)wall;
    ExFreePool(block);
    return block;
}
/* What a magazine keeps goes back to the free lists. */
static void give_everything_back(void) { ntmm_fail_allocation(1000000); }

static void a_first_block_that_is_not(void **state)
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24);
    (void)keep;
    POOL_HEADER *header = ex_header_of(block);
    header->PreviousSize = 0;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x07, 0, 0, header, {
        ExFreePool(block);
        give_everything_back();
    });
}
static void a_kept_block_whose_size_is_zero(void **state) /* with magazines */
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24);
    ExFreePool(block);
    ex_header_of(block)->BlockSize = 0;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x08, 0, 0, ex_header_of(block), give_everything_back());
}
static void a_kept_block_whose_size_leaves_the_page(void **state) /* with magazines */
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24);
    (void)keep;
    ExFreePool(block);
    POOL_HEADER *header = ex_header_of(block);
    header->BlockSize = 200;
    assert_true(ex_unit_of(header) > 56);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x09, ex_right(header, 200), 0, header, give_everything_back());
}
static void a_kept_block_whose_size_contradicts_the_next(void **state) /* with magazines */
{
    (void)state;
    void *block = take(NonPagedPoolNx, 24), *other = take(NonPagedPoolNx, 24);
    (void)other;
    POOL_HEADER *header = ex_header_of(block);
    assert_int_equal(ex_unit_of(header), 0);
    ExFreePool(block);
    header->BlockSize++;
    ex_right(header, header->BlockSize)->PreviousSize = 77;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x05, header, 0, ex_right(header, header->BlockSize), give_everything_back());
}

/* The culprit's own header says that it is as long as itself and its victim, and so does the header behind the two. */
static void a_block_that_the_walk_leaves_out(void **state)
{
    void *one, *two;
    (void)state;
    take_neighbours(&one, &two);
    while (ex_unit_of(ex_header_of(two)) + ex_header_of(two)->BlockSize == EX_PAGE_UNITS) /* something must be behind the two */
        take_neighbours(&one, &two);
    POOL_HEADER *culprit = ex_header_of(one), *victim = ex_header_of(two);
    unsigned     both = (unsigned)culprit->BlockSize + victim->BlockSize;
    ex_right(culprit, both)->PreviousSize = (uint8_t)both;
    culprit->BlockSize = (uint8_t)both;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x0A, victim, 0, PAGE_ALIGN(two), ExFreePoolWithTag(two, TAG));
}

/* ---- links ---- */

static void a_link_to_another_valid_block(void **state) /* on BARE */
{
    (void)state;
    LIST_ENTRY *other = take(NonPagedPoolNx, 100), *link = free_between_walls(40), *blink = link->Blink;
    other->Flink = other->Blink = other; /* the driver's own list */
    link->Flink = other;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x03, link, other, blink->Flink, take(NonPagedPoolNx, 40 * EX_UNIT - EX_HEADER_BYTES));
}
static void a_damaged_list_that_a_block_joins(void **state) /* on BARE, and before Windows 8 */
{
    (void)state;
    size_t bytes = 51 * EX_UNIT - EX_HEADER_BYTES;
    void  *block[5];
    for (unsigned i = 0; i < 5; i++)
        block[i] = take(NonPagedPoolNx, bytes); /* 5 * 51 + 1 units: one page */
    ExFreePool(block[1]);
    LIST_ENTRY *first = block[1], *head = first->Flink;
    first->Blink = (LIST_ENTRY *)(uintptr_t)0x4141414141414141;
    if (ntmm_cmocka_config == &BEFORE_WINDOWS_8)
        assert_bugcheck_all(BAD_POOL_HEADER, 0x03, first, head, 0x4141414141414141, ExFreePool(block[3]));
    else
        assert_bugcheck_all(KERNEL_SECURITY_CHECK_FAILURE, 3, 0, 0, 0, ExFreePool(block[3]));
}

static void a_link_to_nowhere_at_dispatch_level(void **state) /* on BARE */
{
    KIRQL old;
    (void)state;
    LIST_ENTRY *link = free_between_walls(40);
    link->Flink = (LIST_ENTRY *)(uintptr_t)0x10; /* nothing is ever there */
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck(DRIVER_CORRUPTED_EXPOOL, 0x18, take(NonPagedPoolNx, 40 * EX_UNIT - EX_HEADER_BYTES));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0);
    assert_int_not_equal(ntmm_cmocka_caught.parameter[3], 0);
}
static void a_back_link_to_nowhere_at_dispatch_level(void **state) /* on BARE */
{
    KIRQL old;
    (void)state;
    LIST_ENTRY *link = free_between_walls(40);
    link->Blink = (LIST_ENTRY *)(uintptr_t)0x20;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck(DRIVER_CORRUPTED_EXPOOL, 0x20, take(NonPagedPoolNx, 40 * EX_UNIT - EX_HEADER_BYTES));
}
static void a_link_to_nowhere_below(void **state) /* on BARE */
{
    (void)state;
    LIST_ENTRY *link = free_between_walls(40), *blink = link->Blink;
    link->Flink = (LIST_ENTRY *)(uintptr_t)0x10;
    assert_bugcheck_all(BAD_POOL_HEADER, 0x03, link, 0x10, blink, take(NonPagedPoolNx, 40 * EX_UNIT - EX_HEADER_BYTES));
}

/* ---- behind a large allocation ---- */

static void a_large_overrun(void **state)
{
    (void)state;
    size_t bytes = 2 * PAGE_SIZE + 10 * EX_UNIT;
    char  *pages = take(NonPagedPoolNx, bytes);
    memset(pages, 0x41, bytes + 8);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x21, pages, bytes, 0x4141414141414141, ExFreePoolWithTag(pages, TAG));
}
static void a_large_overrun_onto_a_block_in_use(void **state)
{
    (void)state;
    size_t bytes = PAGE_SIZE + 10 * EX_UNIT;
    char  *pages = take(PagedPool, bytes), *small = NULL;
    for (unsigned i = 0; i < 5 && small == NULL; i++) { /* the whole of what is behind it, from whichever descriptor */
        char *block = take(PagedPool, 246 * EX_UNIT - EX_HEADER_BYTES);
        small = PAGE_ALIGN(block) == (void *)(pages + PAGE_SIZE) ? block : NULL;
    }
    assert_non_null(small);
    uint64_t header;
    memset(pages + bytes, 0, 4); /* sizes and type, not the tag */
    memcpy(&header, pages + bytes, sizeof header);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x21, pages, bytes, header, ExFreePool(pages));
}
static void a_large_allocation_filled_to_the_last_byte(void **state)
{
    (void)state;
    size_t bytes = 2 * PAGE_SIZE + 10 * EX_UNIT - 3;
    char  *pages = take(NonPagedPoolNx, bytes);
    memset(pages, 0x41, bytes);
    assert_no_bugcheck(ExFreePoolWithTag(pages, TAG));
}

/* ---- the second header of a cache-aligned block ---- */

/* One whose two headers do not touch: only then there is room between them. */
static char *take_aligned(POOL_HEADER **first)
{
    char    *unfit[8], *found = NULL;
    unsigned count = 0;
    while (found == NULL && count < 8) {
        char *block = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED, 100, TAG);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        POOL_HEADER *second = ex_header_of(block);
        if ((second->PoolType & EX_TYPE_SECOND_HEADER) != 0 && second->PreviousSize >= 2)
            found = block;
        else
            unfit[count++] = block;
    }
    while (count > 0)
        ExFreePool(unfit[--count]);
    assert_non_null(found);
    *first = (POOL_HEADER *)(found - 16 - ex_header_of(found)->PreviousSize * 16);
    return found;
}
static void an_aligned_block_is_freed(void **state)
{
    POOL_HEADER *first;
    (void)state;
    char *block = take_aligned(&first);
    if (EX_UNIT == 64) /* every body begins 16 bytes into a line */
        assert_int_equal(ex_header_of(block)->PreviousSize, 3);
    assert_int_equal(first->PoolType, EX_TYPE_IN_USE | EX_TYPE_SECOND_HEADER);
    assert_no_bugcheck(ExFreePoolWithTag(block, TAG));
}
static void an_underrun_of_an_aligned_block(void **state)
{
    POOL_HEADER *first;
    (void)state;
    char *block = take_aligned(&first);
    memset(block - 8, 0x41, 8); /* ProcessBilled: nothing that a free looks at */
    assert_no_bugcheck(ExFreePool(block));
    block = take_aligned(&first);
    memset(block - 16, 0x41, 16);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x02, block - 16, 0x4141414141414141, 0, ExFreePool(block));
}
static void the_pointer_between_the_headers(void **state)
{
    POOL_HEADER *first;
    (void)state;
    char     *block = take_aligned(&first);
    ULONG_PTR contents = ex_header_contents(ex_header_of(block));
    ((char *)(first + 1))[0] ^= 1;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x02, block - 16, contents, 0, ExFreePoolWithTag(block, TAG));
}
static void the_pointer_differs_with_the_seed(void **state)
{
    static const ntmm_config other = { .quiet = true, .seed = 12345 };
    POOL_HEADER             *first;
    uint64_t                 pointer[2];
    (void)state;
    char *block = take_aligned(&first);
    memcpy(&pointer[0], first + 1, 8);
    pointer[0] ^= (uintptr_t)ex_header_of(block);
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&other), 0);
    block = take_aligned(&first);
    memcpy(&pointer[1], first + 1, 8);
    pointer[1] ^= (uintptr_t)ex_header_of(block);
    assert_int_not_equal(pointer[0], pointer[1]);
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(NULL), 0);
}

#define both(test) ntmm_cmocka_test_config(test, &PLAIN), ntmm_cmocka_test_config(test, &BARE)
#define bare(test) ntmm_cmocka_test_config(test, &BARE)

int main(void)
{
    const struct CMUnitTest tests[] = {
        both(a_first_block_that_is_not),
        ntmm_cmocka_test_config(a_kept_block_whose_size_is_zero, &PLAIN),
        ntmm_cmocka_test_config(a_kept_block_whose_size_leaves_the_page, &PLAIN),
        ntmm_cmocka_test_config(a_kept_block_whose_size_contradicts_the_next, &PLAIN),
        both(a_block_that_the_walk_leaves_out),
        bare(a_link_to_another_valid_block),
        bare(a_damaged_list_that_a_block_joins),
        ntmm_cmocka_test_config(a_damaged_list_that_a_block_joins, &BEFORE_WINDOWS_8),
        bare(a_link_to_nowhere_at_dispatch_level),
        bare(a_back_link_to_nowhere_at_dispatch_level),
        bare(a_link_to_nowhere_below),
        both(a_large_overrun),
        both(a_large_overrun_onto_a_block_in_use),
        both(a_large_allocation_filled_to_the_last_byte),
        both(an_aligned_block_is_freed),
        both(an_underrun_of_an_aligned_block),
        both(the_pointer_between_the_headers),
        ntmm_cmocka_test_config(the_pointer_differs_with_the_seed, &PLAIN),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
