/*
 * test_ntmm_control.c - failing allocations on purpose, and asking the machine what it did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#define TAG NTMM_TAG("Ctrl")

static int boot(void **state)
{
    (void)state;
    return ntmm_boot(&(ntmm_config){ .quiet = true });
}
static int shutdown_clean(void **state)
{
    (void)state;
    return ntmm_shutdown(NULL) == 0 ? 0 : -1;
}

/* Every fallible routine of this version, as one call that either succeeds and is undone, or fails cleanly. */

static const PHYSICAL_ADDRESS ANYWHERE = { .QuadPart = -1 }, NOWHERE = { .QuadPart = 0 };

static bool pool2(void)
{
    void *block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
    if (block != NULL)
        ExFreePoolWithTag(block, TAG);
    return block != NULL;
}
static bool pool2_paged(void)
{
    void *block = ExAllocatePool2(POOL_FLAG_PAGED, 64, TAG);
    if (block != NULL)
        ExFreePoolWithTag(block, TAG);
    return block != NULL;
}
static bool pool2_big(void)
{
    void *block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 5 * PAGE_SIZE, TAG);
    if (block != NULL)
        ExFreePool2(block, TAG, NULL, 0);
    return block != NULL;
}
static bool pool_with_tag(void)
{
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 640, TAG);
    if (block != NULL)
        ExFreePool(block);
    return block != NULL;
}
static bool pool_zero(void)
{
    void *block = ExAllocatePoolZero(PagedPool, 640, TAG);
    if (block != NULL)
        ExFreePool(block);
    return block != NULL;
}
static bool pool_uninitialized(void)
{
    void *block = ExAllocatePoolUninitialized(NonPagedPoolExecute, 640, TAG);
    if (block != NULL)
        ExFreePool(block);
    return block != NULL;
}
static bool freed(void *block)
{
    if (block != NULL)
        ExFreePool(block);
    return block != NULL;
}
static bool pool_with_tag_priority(void) { return freed(ExAllocatePoolWithTagPriority(PagedPool, 640, TAG, LowPoolPriority)); }
static bool pool_priority_zero(void) { return freed(ExAllocatePoolPriorityZero(NonPagedPoolNx, 640, TAG, HighPoolPriority)); }
static bool pool_with_quota(void) { return freed(ExAllocatePoolWithQuota((POOL_TYPE)(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE), 640)); }
static bool pool_with_quota_tag(void)
{
    return freed(ExAllocatePoolWithQuotaTag((POOL_TYPE)(NonPagedPoolNx | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE), 640, TAG));
}
static bool pool_quota_zero(void)
{
    return freed(ExAllocatePoolQuotaZero((POOL_TYPE)(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE), 5 * PAGE_SIZE, TAG));
}
static bool pool2_quota(void) { return freed(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 640, TAG)); }
static bool pool3(void)
{
    const POOL_EXTENDED_PARAMETER node = { .Type = PoolExtendedParameterNumaNode, .PreferredNode = 0 };
    return freed(ExAllocatePool3(POOL_FLAG_NON_PAGED, 640, TAG, &node, 1));
}
static bool create_pool(void)
{
    HANDLE pool;
    if (ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &pool) != STATUS_SUCCESS)
        return false;
    ExDestroyPool(pool);
    return true;
}
static bool contiguous(void)
{
    void *block = MmAllocateContiguousMemory(3 * PAGE_SIZE, ANYWHERE);
    if (block != NULL)
        MmFreeContiguousMemory(block);
    return block != NULL;
}
static bool contiguous_specify_cache(void)
{
    void *block = MmAllocateContiguousMemorySpecifyCache(PAGE_SIZE, NOWHERE, ANYWHERE, NOWHERE, MmNonCached);
    if (block != NULL)
        MmFreeContiguousMemorySpecifyCache(block, PAGE_SIZE, MmNonCached);
    return block != NULL;
}
static bool contiguous_specify_cache_node(void)
{
    void *block = MmAllocateContiguousMemorySpecifyCacheNode(PAGE_SIZE, NOWHERE, ANYWHERE, NOWHERE, MmCached, MM_ANY_NODE_OK);
    if (block != NULL)
        MmFreeContiguousMemory(block);
    return block != NULL;
}
static bool contiguous_node(void)
{
    void *block = MmAllocateContiguousNodeMemory(PAGE_SIZE, NOWHERE, ANYWHERE, NOWHERE, PAGE_READWRITE, MM_ANY_NODE_OK);
    if (block != NULL)
        MmFreeContiguousMemory(block);
    return block != NULL;
}
static bool contiguous_ex(void)
{
    SIZE_T bytes = PAGE_SIZE;
    PVOID  block;
    if (MmAllocateContiguousMemoryEx(&bytes, NOWHERE, ANYWHERE, NOWHERE, MM_ANY_NODE_OK, PAGE_READWRITE, NULL, TAG, 0, &block) !=
        STATUS_SUCCESS)
        return false;
    MmFreeContiguousMemory(block);
    return true;
}
static bool noncached(void)
{
    void *block = MmAllocateNonCachedMemory(2 * PAGE_SIZE);
    if (block != NULL)
        MmFreeNonCachedMemory(block, 2 * PAGE_SIZE);
    return block != NULL;
}
static bool physical_ranges(void)
{
    PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRanges();
    if (ranges != NULL)
        ExFreePool(ranges);
    return ranges != NULL;
}

static bool physical_ranges_ex(void)
{
    PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRangesEx(NULL);
    if (ranges != NULL)
        ExFreePool(ranges);
    return ranges != NULL;
}
static bool physical_ranges_ex2(void)
{
    PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRangesEx2(NULL, 0);
    if (ranges != NULL)
        ExFreePool(ranges);
    return ranges != NULL;
}
static DRIVER_OBJECT driver;
static bool          ksr_reserve(void)
{
    PVOID handle;
    if (IoReserveKsrPersistentMemory(&driver, NULL, 100, 0, &handle) != STATUS_SUCCESS)
        return false;
    assert_int_equal(IoFreeKsrPersistentMemory(handle), STATUS_SUCCESS);
    return true;
}
static bool ksr_reserve_ex(void)
{
    PVOID handle;
    if (IoReserveKsrPersistentMemoryEx(&driver, NULL, NULL, NULL, 1, 100, 0, &handle) != STATUS_SUCCESS)
        return false;
    assert_int_equal(IoFreeKsrPersistentMemory(handle), STATUS_SUCCESS);
    return true;
}

static struct fallible {
    const char *name;
    bool (*attempt)(void);
} FALLIBLE[] = {
    { "ExAllocatePool2 nonpaged", pool2 },
    { "ExAllocatePool2 paged", pool2_paged },
    { "ExAllocatePool2 of whole pages", pool2_big },
    { "ExAllocatePoolWithTag", pool_with_tag },
    { "ExAllocatePoolZero", pool_zero },
    { "ExAllocatePoolUninitialized", pool_uninitialized },
    { "ExAllocatePoolWithTagPriority", pool_with_tag_priority },
    { "ExAllocatePoolPriorityZero", pool_priority_zero },
    { "ExAllocatePoolWithQuota", pool_with_quota },
    { "ExAllocatePoolWithQuotaTag", pool_with_quota_tag },
    { "ExAllocatePoolQuotaZero", pool_quota_zero },
    { "ExAllocatePool2 with quota", pool2_quota },
    { "ExAllocatePool3", pool3 },
    { "ExCreatePool", create_pool },
    { "MmAllocateContiguousMemory", contiguous },
    { "MmAllocateContiguousMemorySpecifyCache", contiguous_specify_cache },
    { "MmAllocateContiguousMemorySpecifyCacheNode", contiguous_specify_cache_node },
    { "MmAllocateContiguousNodeMemory", contiguous_node },
    { "MmAllocateContiguousMemoryEx", contiguous_ex },
    { "MmAllocateNonCachedMemory", noncached },
    { "MmGetPhysicalMemoryRanges", physical_ranges },
    { "MmGetPhysicalMemoryRangesEx", physical_ranges_ex },
    { "MmGetPhysicalMemoryRangesEx2", physical_ranges_ex2 },
    { "IoReserveKsrPersistentMemory", ksr_reserve },
    { "IoReserveKsrPersistentMemoryEx", ksr_reserve_ex },
};
enum { FALLIBLE_COUNT = sizeof FALLIBLE / sizeof FALLIBLE[0] };

static void the_nth_call_fails_and_only_that(void **state)
{
    const struct fallible *row = *state;
    for (int warm = 0; warm < 100; warm++) /* magazines are full: an armed failure must not be served from them */
        assert_true(row->attempt());
    for (uint64_t nth = 1; nth <= 5; nth++) {
        ntmm_fail_allocation(nth);
        for (uint64_t call = 1; call <= 7; call++)
            assert_int_equal(row->attempt(), call != nth);
    }
    ntmm_fail_allocation(1);
    ntmm_fail_allocation(0);
    assert_true(row->attempt());
    assert_true(ntmm_check());
}

static unsigned failures_seen[FALLIBLE_COUNT];
static void     call_everything(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < FALLIBLE_COUNT; i++)
        if (!FALLIBLE[i].attempt())
            failures_seen[i]++;
}
static void each_failure_is_reached_once(void **state)
{
    (void)state;
    memset(failures_seen, 0, sizeof failures_seen);
    assert_int_equal(ntmm_for_each_failure(call_everything, NULL), FALLIBLE_COUNT + 1);
    for (unsigned i = 0; i < FALLIBLE_COUNT; i++)
        assert_int_equal(failures_seen[i], 1);
    assert_true(ntmm_check());
}

static void pool_counts_are_exact(void **state)
{
    ntmm_pool_usage before, after;
    void           *blocks[100];
    (void)state;
    ntmm_query_pool(PagedPool, &before);
    for (unsigned i = 0; i < 100; i++)
        blocks[i] = ExAllocatePool2(POOL_FLAG_PAGED, 10 + i, NTMM_TAG("Cnt1"));
    ntmm_query_pool(PagedPool, &after);
    assert_int_equal(after.allocs - before.allocs, 100);
    assert_int_equal(after.bytes_requested - before.bytes_requested, 100 * 10 + 99 * 100 / 2);
    assert_true(after.bytes_in_use - before.bytes_in_use >= after.bytes_requested - before.bytes_requested + 100 * 16);
    assert_true(after.pages > 0);
    assert_true(ntmm_query_tag(NTMM_TAG("Cnt1"), PagedPool, &after));
    assert_int_equal(after.allocs, 100);
    assert_int_equal(after.frees, 0);
    assert_false(ntmm_query_tag(NTMM_TAG("Nope"), PagedPool, NULL));
    for (unsigned i = 0; i < 100; i++)
        ExFreePoolWithTag(blocks[i], NTMM_TAG("Cnt1"));
    assert_true(ntmm_query_tag(NTMM_TAG("Cnt1"), PagedPool, &after));
    assert_int_equal(after.frees, 100);
    assert_int_equal(after.bytes_in_use, 0);
    assert_int_equal(after.bytes_requested, 0);
}

static void look_up(void *name) { (void)MmGetSystemRoutineAddress(name); }
static void routines_are_found_by_name(void **state)
{
    static const WCHAR there[] = { 'E', 'x', 'A', 'l', 'l', 'o', 'c', 'a', 't', 'e', 'P', 'o', 'o', 'l', '2' };
    UNICODE_STRING     name = { sizeof there, sizeof there, (PWCH)(uintptr_t)there };
    (void)state;
    assert_ptr_equal(MmGetSystemRoutineAddress(&name), (void *)(uintptr_t)ExAllocatePool2);
    name.Length -= 2; /* "ExAllocatePool", the old one */
    assert_ptr_equal(MmGetSystemRoutineAddress(&name), (void *)(uintptr_t)ExAllocatePool);
    name.Length -= 2;
    assert_null(MmGetSystemRoutineAddress(&name));
    name.Length = 0;
    assert_null(MmGetSystemRoutineAddress(&name));
}

static void routines_are_looked_up_at_passive_level(void **state)
{
    KIRQL          old;
    UNICODE_STRING name = { 0, 0, NULL };
    ntmm_bugcheck  stop;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_true(ntmm_catch_bugcheck(look_up, &name, &stop));
    assert_int_equal(stop.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(stop.parameter[1], APC_LEVEL);
}

int main(void)
{
    struct CMUnitTest tests[4 + FALLIBLE_COUNT] = {
        cmocka_unit_test_setup_teardown(each_failure_is_reached_once, boot, shutdown_clean),
        cmocka_unit_test_setup_teardown(pool_counts_are_exact, boot, shutdown_clean),
        cmocka_unit_test_setup_teardown(routines_are_found_by_name, boot, shutdown_clean),
        cmocka_unit_test_setup_teardown(routines_are_looked_up_at_passive_level, boot, shutdown_clean),
    };
    for (unsigned i = 0; i < FALLIBLE_COUNT; i++)
        tests[4 + i] = (struct CMUnitTest){ FALLIBLE[i].name, the_nth_call_fails_and_only_that, boot, shutdown_clean, &FALLIBLE[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
