/*
 * test_mm_noncached.c - noncached memory: whole pages through system PTEs, gone when freed, and frees that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

static void pages_are_whole_writable_and_distinct(void **state)
{
    (void)state;
    const SIZE_T sizes[] = { 1, PAGE_SIZE, PAGE_SIZE + 1, 40 * PAGE_SIZE - 3 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = MmAllocateNonCachedMemory(sizes[i]), *q = MmAllocateNonCachedMemory(PAGE_SIZE);
        assert_true(p != NULL && q != NULL);
        assert_int_equal((uintptr_t)p % PAGE_SIZE, 0);
        memset(p, 0x77, ROUND_TO_PAGES(sizes[i]));
        memset(q, 0x11, PAGE_SIZE);
        for (SIZE_T k = 0; k < ROUND_TO_PAGES(sizes[i]); k += PAGE_SIZE) {
            assert_int_equal(p[k], 0x77);
            assert_true(MmGetPhysicalAddress(p + k).QuadPart != 0);
            assert_true(MmGetPhysicalAddress(p + k).QuadPart != MmGetPhysicalAddress(q).QuadPart);
            char *home = MmGetVirtualForPhysical(MmGetPhysicalAddress(p + k)); /* the same bytes, at home */
            assert_int_equal(home[0], 0x77);
        }
        assert_true(ntmm_check());
        MmFreeNonCachedMemory(p, sizes[i]);
        MmFreeNonCachedMemory(q, PAGE_SIZE);
        assert_true(ntmm_check());
    }
}

static void pages_do_not_follow_each_other_in_ram(void **state)
{
    (void)state;
    for (SIZE_T pages = 2; pages < 40; pages += 5) {
        char  *p = MmAllocateNonCachedMemory(pages * PAGE_SIZE);
        SIZE_T in_a_row = 1;
        assert_non_null(p);
        for (SIZE_T i = 1; i < pages; i++)
            in_a_row += MmGetPhysicalAddress(p + i * PAGE_SIZE).QuadPart == MmGetPhysicalAddress(p).QuadPart + (LONGLONG)(i * PAGE_SIZE);
        assert_true(in_a_row < pages);
        memset(p, 0x29, pages * PAGE_SIZE);
        assert_true(ntmm_check());
        MmFreeNonCachedMemory(p, pages * PAGE_SIZE);
    }
}

static void what_is_freed_is_inaccessible(void **state)
{
    (void)state;
    volatile char *p = MmAllocateNonCachedMemory(2 * PAGE_SIZE);
    p[PAGE_SIZE] = 1;
    assert_true(MmIsAddressValid((PVOID)(uintptr_t)p));
    MmFreeNonCachedMemory((PVOID)(uintptr_t)p, 2 * PAGE_SIZE);
    assert_false(MmIsAddressValid((PVOID)(uintptr_t)p));
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, p + PAGE_SIZE, p[PAGE_SIZE] = 2);
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 2); /* a write */
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0); /* its PTE is free */
    assert_non_null(strstr(ntmm_stop_report(), "system PTEs, no page is there now"));
}

static void the_page_behind_is_not_there(void **state)
{
    (void)state;
    volatile char *p = MmAllocateNonCachedMemory(PAGE_SIZE);
    KIRQL          before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (void)p[PAGE_SIZE]);
    assert_int_equal(ntmm_cmocka_caught.parameter[0], (uintptr_t)p + PAGE_SIZE);
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0);
}

static void wrong_frees_are_system_pte_misuse(void **state)
{
    (void)state;
    for (volatile int wrong = 0; wrong < 7; wrong++) {
        char *p = MmAllocateNonCachedMemory(3 * PAGE_SIZE), *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, NTMM_TAG("Othr"));
        const struct {
            void     *base;
            SIZE_T    bytes;
            uintptr_t code, p3, p4;
        } bad[] = {
            { p, 2 * PAGE_SIZE, 0x305, 2, 3 },     { p, 3 * PAGE_SIZE - 1, 0x305, 3, 3 }, { p + PAGE_SIZE, 2 * PAGE_SIZE, 0x304, 2, 0 },
            { p + 8, 3 * PAGE_SIZE, 0x304, 3, 0 }, { pool, PAGE_SIZE, 0x302, 0, 0 },      { NULL, PAGE_SIZE, 0x302, 0, 0 },
            { p, 3 * PAGE_SIZE, 0x302, 0, 0 }
        };
        if (wrong == 6)
            MmFreeNonCachedMemory(p, 3 * PAGE_SIZE);
        assert_bugcheck_all(SYSTEM_PTE_MISUSE, bad[wrong].code, bad[wrong].base, bad[wrong].p3, bad[wrong].p4,
                            MmFreeNonCachedMemory(bad[wrong].base, bad[wrong].bytes));
        ntmm_cmocka_reboot();
    }
}

static void irql_is_at_most_apc_level(void **state)
{
    (void)state;
    KIRQL before;
    KeRaiseIrql(APC_LEVEL, &before);
    void *p = MmAllocateNonCachedMemory(PAGE_SIZE);
    assert_non_null(p);
    MmFreeNonCachedMemory(p, PAGE_SIZE);
    KeLowerIrql(before);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmAllocateNonCachedMemory(PAGE_SIZE));
    ntmm_cmocka_reboot();
    p = MmAllocateNonCachedMemory(PAGE_SIZE);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmFreeNonCachedMemory(p, PAGE_SIZE));
}

static void it_runs_out_cleanly(void **state)
{
    (void)state;
    static void *held[20000];
    size_t       count = 0;
    assert_null(MmAllocateNonCachedMemory(0));
    assert_null(MmAllocateNonCachedMemory(SIZE_MAX));
    assert_null(MmAllocateNonCachedMemory((SIZE_T)65 << 20)); /* more than RAM: what was gathered goes back */
    assert_true(ntmm_check());
    ntmm_fail_allocation(1);
    assert_null(MmAllocateNonCachedMemory(PAGE_SIZE));
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    uint64_t available = usage.zeroed + usage.free;
    while ((held[count] = MmAllocateNonCachedMemory(16 * PAGE_SIZE)) != NULL)
        count++;
    assert_int_equal(count, available / 16);
    assert_true(ntmm_check());
    while (count > 0)
        MmFreeNonCachedMemory(held[--count], 16 * PAGE_SIZE);
    assert_true(ntmm_check());
}

static void a_leak_is_one_entry(void **state)
{
    (void)state;
    static ntmm_report report;
    void              *p = MmAllocateNonCachedMemory(3 * PAGE_SIZE - 5);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, p);
    assert_int_equal(report.leaks[0].bytes, 3 * PAGE_SIZE);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("MmNc"));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    volatile char *gone = p; /* and is inaccessible on the next machine */
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, p, gone[0] = 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(pages_are_whole_writable_and_distinct),
        ntmm_cmocka_test(pages_do_not_follow_each_other_in_ram),
        ntmm_cmocka_test(what_is_freed_is_inaccessible),
        ntmm_cmocka_test(the_page_behind_is_not_there),
        ntmm_cmocka_test(wrong_frees_are_system_pte_misuse),
        ntmm_cmocka_test(irql_is_at_most_apc_level),
        ntmm_cmocka_test(it_runs_out_cleanly),
        ntmm_cmocka_test(a_leak_is_one_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
