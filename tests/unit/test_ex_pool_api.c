/*
 * test_ex_pool_api.c - what the allocation routines promise: which arguments are served and how, alignment, zeros, limits, failure.
 */
#include <ntmm/cmocka.h>

#include "ex/pool_header.h"

#define TAG NTMM_TAG("Api1")

/* The fixture's own machine records who called, for which each call takes the long way. A driver's calls mostly end on the short one. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config SMALL_POOLS = { .quiet = true, .nonpaged_pool_limit = 64 * PAGE_SIZE, .paged_pool_limit = 64 * PAGE_SIZE };

/* ---- one call, its alignment ---- */

typedef struct alloc_case {
    const char *name;
    POOL_FLAGS  flags;
    SIZE_T      bytes;
    ULONG       tag;
    SIZE_T      align; /* expected, in bytes; 0: NULL is expected */
} alloc_case_t;

static alloc_case_t CASES[] = {
    { "alloc2: a small block is 16-byte aligned", POOL_FLAG_NON_PAGED, 24, TAG, 16 },
    { "alloc2: one byte", POOL_FLAG_PAGED, 1, TAG, 16 },
    { "alloc2: the largest block with a header", POOL_FLAG_NON_PAGED, EX_BLOCK_MAX, TAG, 16 },
    { "alloc2: one byte more has a page", POOL_FLAG_NON_PAGED, EX_BLOCK_MAX + 1, TAG, PAGE_SIZE },
    { "alloc2: one page", POOL_FLAG_PAGED, PAGE_SIZE, TAG, PAGE_SIZE },
    { "alloc2: more than a page", POOL_FLAG_PAGED, PAGE_SIZE + 1, TAG, PAGE_SIZE },
    { "alloc2: a megabyte", POOL_FLAG_NON_PAGED, 1 << 20, TAG, PAGE_SIZE },
    { "alloc2: executable", POOL_FLAG_NON_PAGED_EXECUTE, 24, TAG, 16 },
    { "alloc2: executable pages", POOL_FLAG_NON_PAGED_EXECUTE, 2 * PAGE_SIZE, TAG, PAGE_SIZE },
    { "alloc2: session pool", POOL_FLAG_PAGED | POOL_FLAG_SESSION, 24, TAG, 16 },
    { "alloc2: quota", POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 24, TAG, 16 },
    { "alloc2: cache aligned", POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED, 24, TAG, 64 },
    { "alloc2: cache aligned, paged", POOL_FLAG_PAGED | POOL_FLAG_CACHE_ALIGNED, 200, TAG, 64 },
    { "alloc2: too large to be moved to a cache line", POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED, EX_BLOCK_MAX - 10, TAG, 16 },
    { "alloc2: optional flags are ignored", POOL_FLAG_NON_PAGED | POOL_FLAG_SPECIAL_POOL | 0x4000000000000000ULL, 24, TAG, 16 },
    { "alloc2: a tag of punctuation", POOL_FLAG_NON_PAGED, 24, NTMM_TAG("...."), 16 },
    { "alloc2: tag 0", POOL_FLAG_NON_PAGED, 24, 0, 0 },
    { "alloc2: size 0", POOL_FLAG_NON_PAGED, 0, TAG, 0 },
    { "alloc2: no pool named", 0, 24, TAG, 0 },
    { "alloc2: no pool named, uninitialized", POOL_FLAG_UNINITIALIZED, 24, TAG, 0 },
    { "alloc2: two pools named", POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED, 24, TAG, 0 },
    { "alloc2: all pools named", POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED, 24, TAG, 0 },
    { "alloc2: reserved flag", POOL_FLAG_NON_PAGED | POOL_FLAG_RESERVED1, 24, TAG, 0 },
    { "alloc2: unknown required flag", POOL_FLAG_NON_PAGED | 0x80000000ULL, 24, TAG, 0 },
    { "alloc2: more than there is", POOL_FLAG_NON_PAGED, (SIZE_T)1 << 40, TAG, 0 },
    { "alloc2: the largest size there is", POOL_FLAG_PAGED, ~(SIZE_T)0, TAG, 0 },
};

static void check_alloc_case(void **state)
{
    const alloc_case_t *c = *state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    for (unsigned round = 0; round < 2; round++) { /* the second is served by what the first left ready */
        unsigned char *block = ExAllocatePool2(c->flags, c->bytes, c->tag);
        assert_int_equal(block != NULL, c->align != 0);
        if (block == NULL)
            continue;
        assert_int_equal((uintptr_t)block % c->align, 0);
        for (SIZE_T i = 0; i < c->bytes; i++)
            if (block[i] != 0)
                fail_msg("byte %zu is not zero", (size_t)i);
        memset(block, 0xA5, c->bytes);
        assert_true(ntmm_check());
        ExFreePoolWithTag(block, c->tag);
    }
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- the legacy routines ---- */

static void legacy_routines_serve_zero_bytes(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 0, TAG);
    assert_non_null(block);
    assert_int_equal(ex_header_of(block)->BlockSize, EX_MIN_UNITS);
    ExFreePoolWithTag(block, TAG);
}
static void an_untagged_block_has_the_tag_none(void **state)
{
    (void)state;
    ntmm_pool_usage usage;
    void           *block = ExAllocatePool(PagedPool, 24);
    assert_non_null(block);
    assert_true(ntmm_query_tag(NTMM_TAG("None"), PagedPool, &usage));
    assert_int_equal(usage.allocs, 1);
    ExFreePool(block);
}
static void every_pool_type_is_served(void **state)
{
    static const POOL_TYPE types[] = { NonPagedPool,          PagedPool,        NonPagedPoolCacheAligned,
                                       PagedPoolCacheAligned, NonPagedPoolNx,   NonPagedPoolNxCacheAligned,
                                       NonPagedPoolSessionNx, PagedPoolSession, NonPagedPoolSession };
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (SIZE_T bytes = 1; bytes < 3 * PAGE_SIZE; bytes += PAGE_SIZE / 2) {
            void *block = ExAllocatePoolWithTag(types[i], bytes, TAG);
            assert_non_null(block);
            if ((types[i] & 4) != 0 && bytes + 64 <= EX_BLOCK_MAX)
                assert_int_equal((uintptr_t)block % 64, 0);
            memset(block, 0xC3, bytes);
            assert_true(ntmm_check());
            ExFreePoolWithTag(block, TAG);
        }
    }
    assert_true(ntmm_check());
}
/* Small blocks beside each other, whatever their sizes: none crosses the end of a page, as a device that reads one physically expects. */
static void no_block_crosses_a_page(void **state)
{
    (void)state;
    static void *block[600];
    for (unsigned pool = 0; pool < 2; pool++) {
        for (unsigned i = 0; i < 600; i++) {
            SIZE_T bytes = 1 + i * 97 % PAGE_SIZE;
            block[i] = ExAllocatePool2((pool != 0 ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED) | POOL_FLAG_UNINITIALIZED, bytes, TAG);
            assert_ptr_equal(PAGE_ALIGN(block[i]), PAGE_ALIGN((char *)block[i] + bytes - 1));
        }
        for (unsigned i = 0; i < 600; i++)
            ExFreePoolWithTag(block[i], TAG);
    }
}
static void a_zeroing_wrapper_zeroes(void **state)
{
    (void)state;
    unsigned char *block = ExAllocatePoolUninitialized(NonPagedPoolNx, 300, TAG);
    memset(block, 0xFF, 300);
    ExFreePool(block);
    block = ExAllocatePoolZero(NonPagedPoolNx, 300, TAG);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(block[i], 0);
    ExFreePool(block);
}
static void zeros_come_back_after_use(void **state)
{
    (void)state;
    static const SIZE_T sizes[] = { 16, 100, 1000, EX_BLOCK_MAX, PAGE_SIZE, 2 * PAGE_SIZE, 2 * PAGE_SIZE + 100, 20 * PAGE_SIZE };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (unsigned round = 0; round < 4; round++) {
            unsigned char *block = ExAllocatePool2(round % 2 == 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, sizes[i], TAG);
            for (SIZE_T at = 0; at < sizes[i]; at++)
                if (block[at] != 0)
                    fail_msg("byte %zu of %zu is not zero", (size_t)at, (size_t)sizes[i]);
            memset(block, 0xEE, sizes[i]);
            ExFreePool(block);
        }
    }
}
static void take_dirty_give(POOL_FLAGS flags, SIZE_T bytes, ULONG tag)
{
    unsigned char *block = ExAllocatePool2(flags, bytes, tag);
    assert_non_null(block);
    for (SIZE_T at = 0; at < bytes; at++)
        if (block[at] != 0)
            fail_msg("byte %zu of %zu is not zero", (size_t)at, (size_t)bytes);
    memset(block, 0xD1, bytes);
    ExFreePoolWithTag(block, tag);
}
/* A block that is a little larger than what was asked for serves as well, dirty as its last owner left it. */
static void zeros_in_a_larger_block(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++)
        for (SIZE_T bytes = EX_BLOCK_MAX; bytes > 3 * EX_UNIT; bytes -= EX_UNIT)
            take_dirty_give(pool == 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, bytes, TAG);
}
/* Whatever the tag, and whether or not it shares its place in the table of tags with another. */
static void zeros_under_every_tag(void **state)
{
    static const SIZE_T sizes[] = { 40, 700, PAGE_SIZE, 2 * PAGE_SIZE };
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        ULONG tag = 1;
        for (unsigned i = 0; i < 240; i++) {
            tag = tag * 1664525u + 1013904223u;
            for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
                take_dirty_give(k % 2 == i % 2 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, sizes[k], tag & ~(ULONG)PROTECTED_POOL);
        }
    }
}
static void a_protected_tag_is_counted(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG | PROTECTED_POOL);
    assert_non_null(block);
    ExFreePoolWithTag(block, TAG | PROTECTED_POOL);
}

/* ---- failure ---- */

static void exhaust(POOL_FLAGS flags, SIZE_T bytes)
{
    void  *list = NULL, *block;
    size_t count = 0;
    while ((block = ExAllocatePool2(flags, bytes, TAG)) != NULL) {
        *(void **)block = list;
        list = block;
        assert_true(++count < 100000);
    }
    assert_true(count * bytes > 45 * PAGE_SIZE); /* most of the 64 pages could be had, whatever the size leaves over */
    assert_true(ntmm_check());
    while ((block = list) != NULL) {
        list = *(void **)block;
        ExFreePoolWithTag(block, TAG);
    }
    assert_true(ntmm_check());
    block = ExAllocatePool2(flags, bytes, TAG);
    assert_non_null(block);
    ExFreePool(block);
}
static void pools_end_at_their_limits(void **state)
{
    (void)state;
    static const SIZE_T sizes[] = { 8 * EX_UNIT, 1000, EX_BLOCK_MAX, PAGE_SIZE, 3 * PAGE_SIZE + 50 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        exhaust(POOL_FLAG_NON_PAGED, sizes[i]);
        exhaust(POOL_FLAG_PAGED, sizes[i]);
        exhaust(POOL_FLAG_NON_PAGED_EXECUTE, sizes[i]);
    }
}
static void what_a_thread_keeps_ready_is_not_lost_to_others(void **state)
{
    (void)state;
    void *page[60];
    for (unsigned i = 0; i < 60; i++)
        page[i] = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
    for (unsigned i = 0; i < 60; i++)
        ExFreePool(page[i]); /* some of them stay with the thread */
    void *all = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64 * PAGE_SIZE, TAG);
    assert_non_null(all);
    ExFreePool(all);
}
static void an_armed_failure_hits_the_nth_call(void **state)
{
    (void)state;
    void *warm = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
    ExFreePool(warm);
    ntmm_fail_allocation(3);
    void *first = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG), *second = ExAllocatePoolWithTag(PagedPool, 5 * PAGE_SIZE, TAG);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 0, TAG)); /* refused for its arguments: it never asked for memory */
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG));
    void *fourth = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
    assert_non_null(fourth);
    ntmm_fail_allocation(0);
    ExFreePool(first);
    ExFreePool(second);
    ExFreePool(fourth);
    assert_true(ntmm_check());
}
static void raising_on_failure(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_INSUFFICIENT_RESOURCES,
                    ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, (SIZE_T)1 << 40, TAG));
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_INSUFFICIENT_RESOURCES,
                    ExAllocatePoolWithTag((POOL_TYPE)(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE), (SIZE_T)1 << 40, TAG));
    ntmm_cmocka_reboot();
    assert_no_bugcheck(ExFreePool(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 100, TAG)));
}

/* ---- leaks ---- */

static void leaks_are_found_by_walking(void **state)
{
    static ntmm_report report;
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    void *small = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, NTMM_TAG("Lk01")),
         *paged = ExAllocatePool2(POOL_FLAG_PAGED, 200, NTMM_TAG("Lk02"));
    void *large = ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, PAGE_SIZE + 50, NTMM_TAG("Lk03"));
    void *line = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED, 40, NTMM_TAG("Lk04"));
    ExFreePool(ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG));
    assert_int_equal(ntmm_shutdown(&report), 4);
    for (unsigned i = 0; i < 4; i++) {
        const ntmm_leak *leak = &report.leaks[i];
        if (leak->address == small) {
            assert_true(leak->bytes >= 100 && leak->bytes < 100 + EX_UNIT && leak->tag == NTMM_TAG("Lk01") && leak->type == NonPagedPoolNx);
        } else if (leak->address == paged) {
            assert_true(leak->bytes >= 200 && leak->bytes < 200 + EX_UNIT && leak->tag == NTMM_TAG("Lk02") && leak->type == PagedPool);
        } else if (leak->address == large) {
            assert_true(leak->bytes >= PAGE_SIZE + 50 && leak->tag == NTMM_TAG("Lk03") && leak->type == NonPagedPool);
        } else {
            assert_ptr_equal(leak->address, line);
            assert_true(leak->bytes >= 40 && leak->tag == NTMM_TAG("Lk04"));
        }
    }
}

#define CASE_COUNT (sizeof CASES / sizeof CASES[0])

#define each(test) ntmm_cmocka_test(test), ntmm_cmocka_test_config(test, &PLAIN)

int main(void)
{
    static struct CMUnitTest cases[CASE_COUNT];
    for (size_t i = 0; i < CASE_COUNT; i++)
        cases[i] = (struct CMUnitTest){ .name = CASES[i].name, .test_func = check_alloc_case, .initial_state = &CASES[i] };
    const struct CMUnitTest tests[] = {
        each(legacy_routines_serve_zero_bytes),
        each(an_untagged_block_has_the_tag_none),
        each(every_pool_type_is_served),
        each(no_block_crosses_a_page),
        each(a_zeroing_wrapper_zeroes),
        each(zeros_come_back_after_use),
        each(zeros_in_a_larger_block),
        each(zeros_under_every_tag),
        each(a_protected_tag_is_counted),
        ntmm_cmocka_test_config(pools_end_at_their_limits, &SMALL_POOLS),
        ntmm_cmocka_test_config(what_a_thread_keeps_ready_is_not_lost_to_others, &SMALL_POOLS),
        each(an_armed_failure_hits_the_nth_call),
        each(raising_on_failure),
        cmocka_unit_test(leaks_are_found_by_walking),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
