/*
 * test_ex_pool_priority.c - requests in no hurry fail while there is still memory for others: when exactly, and with what result.
 */
#include <ntmm/cmocka.h>

#include "ex/pool_header.h"

#define TAG NTMM_TAG("Prio")

/* Pages of the pools; nothing is kept ready, so that each is counted once. */
enum { LIMIT = 64, LOW_LEAVES = LIMIT / 8, NORMAL_LEAVES = LIMIT / 32 };
static const ntmm_config TIGHT = {
    .quiet = true, .no_magazines = true, .nonpaged_pool_limit = LIMIT * PAGE_SIZE, .paged_pool_limit = LIMIT * PAGE_SIZE
};
/* RAM is short here, and not the pools' limits. */
enum { FRAMES = 2048, LOW_LEAVES_FRAMES = FRAMES / 64, NORMAL_LEAVES_FRAMES = FRAMES / 256 };
static const ntmm_config SMALL = { .quiet = true,
                                   .no_magazines = true,
                                   .physical_memory = FRAMES * (uint64_t)PAGE_SIZE,
                                   .nonpaged_pool_limit = FRAMES * (uint64_t)PAGE_SIZE };

static const struct {
    EX_POOL_PRIORITY priority, base;
} PRIORITIES[] = {
    { LowPoolPriority, LowPoolPriority },
    { LowPoolPrioritySpecialPoolOverrun, LowPoolPriority },
    { LowPoolPrioritySpecialPoolUnderrun, LowPoolPriority },
    { NormalPoolPriority, NormalPoolPriority },
    { NormalPoolPrioritySpecialPoolOverrun, NormalPoolPriority },
    { NormalPoolPrioritySpecialPoolUnderrun, NormalPoolPriority },
    { HighPoolPriority, HighPoolPriority },
    { HighPoolPrioritySpecialPoolOverrun, HighPoolPriority },
    { HighPoolPrioritySpecialPoolUnderrun, HighPoolPriority },
};
enum { PRIORITY_COUNT = sizeof PRIORITIES / sizeof PRIORITIES[0] };

static unsigned leaves(EX_POOL_PRIORITY base)
{
    return base == LowPoolPriority ? LOW_LEAVES : base == NormalPoolPriority ? NORMAL_LEAVES : 0;
}

static void *take(POOL_TYPE type, size_t page_count)
{
    void *pages = ExAllocatePoolWithTag(type, page_count * PAGE_SIZE, TAG);
    assert_non_null(pages);
    return pages;
}

/* ---- memory is plentiful ---- */

static void all_are_served(void **state)
{
    (void)state;
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        for (size_t bytes = 0; bytes < 4 * PAGE_SIZE; bytes += PAGE_SIZE / 2) {
            void *block = ExAllocatePoolWithTagPriority(PagedPool, bytes, TAG, PRIORITIES[i].priority);
            assert_non_null(block);
            memset(block, 0x3C, bytes);
            if (bytes >= PAGE_SIZE)
                assert_int_equal(BYTE_OFFSET(block), 0);
            ExFreePoolWithTag(block, TAG);
        }
    }
    assert_true(ntmm_check());
}

static void zeros_if_wanted(void **state)
{
    (void)state;
    unsigned char *block = ExAllocatePoolPriorityUninitialized(NonPagedPoolNx, 200, TAG, NormalPoolPriority);
    memset(block, 0xEE, 200);
    ExFreePool(block);
    block = ExAllocatePoolPriorityZero(NonPagedPoolNx, 200, TAG, LowPoolPriority);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(block[i], 0);
    ExFreePool(block);
}

/* ---- the pool's limit is near ---- */

static void the_limit_of_a_pool(POOL_TYPE type)
{
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        unsigned left = leaves(PRIORITIES[i].base);
        void    *most = take(type, LIMIT - left - 1);
        void    *last = ExAllocatePoolWithTagPriority(type, PAGE_SIZE, TAG, PRIORITIES[i].priority);
        assert_non_null(last); /* after it exactly as much is left as must be */
        assert_null(ExAllocatePoolWithTagPriority(type, PAGE_SIZE, TAG, PRIORITIES[i].priority));
        assert_null(ExAllocatePoolWithTagPriority(type, 100, TAG, PRIORITIES[i].priority));
        if (left != 0) {
            void *urgent = ExAllocatePoolWithTagPriority(type, left * PAGE_SIZE, TAG, HighPoolPriority);
            assert_non_null(urgent);
            assert_null(ExAllocatePoolWithTagPriority(type, PAGE_SIZE, TAG, HighPoolPriority));
            ExFreePool(urgent);
        }
        ExFreePool(last);
        void *again = ExAllocatePoolWithTagPriority(type, 100, TAG, PRIORITIES[i].priority);
        assert_non_null(again);
        ExFreePool(again);
        ExFreePool(most);
    }
    assert_true(ntmm_check());
}
static void the_limit_of_paged_pool(void **state)
{
    (void)state;
    the_limit_of_a_pool(PagedPool);
}
static void the_limit_of_nonpaged_pool(void **state)
{
    (void)state;
    the_limit_of_a_pool(NonPagedPoolNx);
    the_limit_of_a_pool(NonPagedPoolExecute);
    void *other = take(NonPagedPoolNx, LIMIT - LOW_LEAVES); /* both kinds have one limit */
    assert_null(ExAllocatePoolWithTagPriority(NonPagedPoolExecute, 100, TAG, LowPoolPriority));
    void *block = ExAllocatePoolWithTagPriority(NonPagedPoolExecute, 100, TAG, NormalPoolPriority);
    assert_non_null(block);
    ExFreePool(block);
    ExFreePool(other);
}
static void a_request_larger_than_the_pool(void **state)
{
    (void)state;
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        assert_null(ExAllocatePoolWithTagPriority(PagedPool, ~(SIZE_T)0, TAG, PRIORITIES[i].priority));
        assert_null(ExAllocatePoolWithTagPriority(PagedPool, (LIMIT + 1) * PAGE_SIZE, TAG, PRIORITIES[i].priority));
    }
}

/* ---- RAM is short ---- */

static size_t free_frames(void)
{
    ntmm_memory_usage memory;
    ntmm_query_memory(&memory);
    return memory.free + memory.zeroed;
}
static void ram_is_short(void **state)
{
    (void)state;
    PHYSICAL_ADDRESS anywhere = { .QuadPart = -1 };
    void            *hogs[FRAMES];
    size_t           count = 0;
    while (free_frames() > LOW_LEAVES_FRAMES) {
        hogs[count] = MmAllocateContiguousMemory(PAGE_SIZE, anywhere);
        assert_non_null(hogs[count]);
        count++;
    }
    assert_null(ExAllocatePoolWithTagPriority(NonPagedPoolNx, 100, TAG, LowPoolPriority));
    void *block = ExAllocatePoolWithTagPriority(NonPagedPoolNx, 100, TAG, NormalPoolPriority);
    assert_non_null(block);
    ExFreePool(block);
    while (free_frames() > NORMAL_LEAVES_FRAMES)
        hogs[count++] = MmAllocateContiguousMemory(PAGE_SIZE, anywhere);
    assert_null(ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, NormalPoolPriority));
    block = ExAllocatePoolWithTagPriority(PagedPool, NORMAL_LEAVES_FRAMES * PAGE_SIZE, TAG, HighPoolPriority); /* the last there is */
    assert_non_null(block);
    ExFreePool(block);
    while (count > 0)
        MmFreeContiguousMemory(hogs[--count]);
    assert_true(ntmm_check());
}

/* ---- failing ---- */

static void raising_on_failure(void **state)
{
    (void)state;
    void *most = take(PagedPool, LIMIT - LOW_LEAVES);
    (void)most;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_INSUFFICIENT_RESOURCES,
                    ExAllocatePoolWithTagPriority((POOL_TYPE)(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE), 100, TAG, LowPoolPriority));
}
static void an_armed_failure(void **state)
{
    (void)state;
    ntmm_fail_allocation(2);
    void *first = ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, HighPoolPriority);
    assert_non_null(first);
    assert_null(ExAllocatePoolPriorityZero(PagedPool, 100, TAG, HighPoolPriority));
    ntmm_fail_allocation(0);
    ExFreePool(first);
}

/* A priority that no header has is taken for the next lower one. */
static void priorities_that_are_none(void **state)
{
    (void)state;
    void *most = take(PagedPool, LIMIT - LOW_LEAVES);
    assert_null(ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, (EX_POOL_PRIORITY)15));
    void *block = ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, (EX_POOL_PRIORITY)17);
    assert_non_null(block);
    ExFreePool(block);
    void *rest = take(PagedPool, LOW_LEAVES - NORMAL_LEAVES);
    assert_null(ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, (EX_POOL_PRIORITY)31));
    block = ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, (EX_POOL_PRIORITY)1000);
    assert_non_null(block);
    ExFreePool(block);
    ExFreePool(rest);
    ExFreePool(most);
}

/* ---- rules ---- */

static void the_rules_of_all_allocations(void **state)
{
    KIRQL old;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ExFreePool(ExAllocatePoolWithTagPriority(NonPagedPoolNx, 100, TAG, LowPoolPriority));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 100,
                        ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, LowPoolPriority));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(BAD_POOL_CALLER, 0x9A, NonPagedPoolCacheAlignedMustS, 24, TAG,
                        ExAllocatePoolWithTagPriority(NonPagedPoolCacheAlignedMustS, 24, TAG, HighPoolPriority));
    ntmm_cmocka_reboot();
    assert_bugcheck(BAD_POOL_CALLER, 0x9B, ExAllocatePoolWithTagPriority(PagedPool, 24, 0, HighPoolPriority));
    assert_true(ntmm_cmocka_caught.parameter[1] == PagedPool && ntmm_cmocka_caught.parameter[2] == 24 &&
                ntmm_cmocka_caught.parameter[3] != 0);
    ntmm_cmocka_reboot();
    assert_bugcheck(BAD_POOL_CALLER, 0x9C, ExAllocatePoolWithTagPriority(PagedPool, 24, NTMM_TAG("BIG "), HighPoolPriority));
    assert_true(ntmm_cmocka_caught.parameter[1] == PagedPool && ntmm_cmocka_caught.parameter[2] == 24 &&
                ntmm_cmocka_caught.parameter[3] != 0);
    ntmm_cmocka_reboot();
    assert_bugcheck(BAD_POOL_CALLER, 0x9D, ExAllocatePoolWithTagPriority(PagedPool, 24, NTMM_TAG("(-:)"), HighPoolPriority));
    assert_true(ntmm_cmocka_caught.parameter[1] == NTMM_TAG("(-:)") && ntmm_cmocka_caught.parameter[2] == PagedPool &&
                ntmm_cmocka_caught.parameter[3] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(all_are_served),
        ntmm_cmocka_test(zeros_if_wanted),
        ntmm_cmocka_test_config(the_limit_of_paged_pool, &TIGHT),
        ntmm_cmocka_test_config(the_limit_of_nonpaged_pool, &TIGHT),
        ntmm_cmocka_test_config(a_request_larger_than_the_pool, &TIGHT),
        ntmm_cmocka_test_config(ram_is_short, &SMALL),
        ntmm_cmocka_test_config(raising_on_failure, &TIGHT),
        ntmm_cmocka_test_config(an_armed_failure, &TIGHT),
        ntmm_cmocka_test_config(priorities_that_are_none, &TIGHT),
        ntmm_cmocka_test(the_rules_of_all_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
