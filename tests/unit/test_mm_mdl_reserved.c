/*
 * test_mm_mdl_reserved.c - addresses that are reserved before there is something to map: that mapping does not fail, and every misuse.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#include "mm/mapping.h"
#include "mm/system_pte.h"

#include "../support/levels.h"

#define TAG NTMM_TAG("Resv")
#define OTHER NTMM_TAG("Oops")

static PMDL built(char *p, SIZE_T bytes)
{
    PMDL mdl = IoAllocateMdl(p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    MmBuildMdlForNonPagedPool(mdl);
    return mdl;
}

static char *pool(SIZE_T pages)
{
    char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, pages * PAGE_SIZE, TAG);
    assert_non_null(p);
    return p;
}

static void reserved_mapped_unmapped_freed(void **state)
{
    (void)state;
    KIRQL before;
    char *p = pool(4), *va = MmAllocateMappingAddress(4 * PAGE_SIZE, TAG);
    PMDL  mdl = built(p + 20, 3 * PAGE_SIZE);
    assert_non_null(va);
    assert_false(MmIsAddressValid(va));
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    for (int i = 0; i < 3; i++) {
        char *seen = MmMapLockedPagesWithReservedMapping(va, TAG, mdl, MmCached);
        assert_ptr_equal(seen, va + 20);
        assert_ptr_equal(mdl->MappedSystemVa, va); /* without the offset, as documented */
        assert_true((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0);
        seen[5] = (char)(i + 1);
        assert_int_equal(p[25], i + 1);
        KeLowerIrql(before);
        assert_true(ntmm_check());
        KeRaiseIrql(DISPATCH_LEVEL, &before);
        MmUnmapReservedMapping(va, TAG, mdl);
        assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
        assert_false(MmIsAddressValid(va));
        assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), p + 20); /* as it was built */
    }
    KeLowerIrql(before);
    assert_true(ntmm_check());
    PMDL large = built(p, 4 * PAGE_SIZE);
    large->ByteCount += PAGE_SIZE; /* five pages */
    MmGetMdlPfnArray(large)[4] = MmGetMdlPfnArray(large)[0];
    assert_null(MmMapLockedPagesWithReservedMapping(va, TAG, large, MmCached));
    MmFreeMappingAddress(va, TAG);
    IoFreeMdl(mdl);
    IoFreeMdl(large);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void flags(void **state)
{
    (void)state;
    char *va = MmAllocateMappingAddressEx(PAGE_SIZE, TAG, 0), *other = MmAllocateMappingAddressEx(1, TAG, MM_MAPPING_ADDRESS_DIVISIBLE);
    assert_true(va != NULL && other != NULL);
    assert_null(MmAllocateMappingAddressEx(PAGE_SIZE, TAG, 0x80));
    MmFreeMappingAddress(va, TAG);
    MmFreeMappingAddress(other, TAG);
    ntmm_fail_allocation(1);
    assert_null(MmAllocateMappingAddress(PAGE_SIZE, TAG));
    ntmm_fail_allocation(0);
    assert_null(MmAllocateMappingAddress(SIZE_MAX, TAG));
    assert_true(ntmm_check());
}

/* What others map in the meantime does not take what was promised. */
static void mapping_does_not_fail_when_nothing_is_left(void **state)
{
    (void)state;
    enum { MOST = 4000, PAGES = 16 };
    static PMDL mdls[MOST];
    char       *p = pool(2 * PAGES), *va = MmAllocateMappingAddress(PAGES * PAGE_SIZE, TAG);
    PMDL        whole = built(p, 2 * PAGES * PAGE_SIZE);
    unsigned    made = 0;
    for (; made < MOST; made++) {
        PMDL mdl = mdls[made] = IoAllocateMdl(p, PAGES * PAGE_SIZE, FALSE, FALSE, NULL);
        MmBuildMdlForNonPagedPool(mdl);
        for (unsigned i = 0; i < PAGES; i++) /* every other frame: a host mapping for each */
            MmGetMdlPfnArray(mdl)[i] = MmGetMdlPfnArray(whole)[2 * i];
        if (MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, HighPagePriority) == NULL)
            break;
    }
    assert_in_range(made, 10, MOST - 1);
    assert_null(MmAllocateMappingAddress(PAGES * PAGE_SIZE, TAG));
    char *seen = MmMapLockedPagesWithReservedMapping(va, TAG, mdls[made], MmCached);
    assert_ptr_equal(seen, va);
    seen[PAGE_SIZE] = 31;
    assert_int_equal(p[2 * PAGE_SIZE], 31);
    assert_true(ntmm_check());
    MmUnmapReservedMapping(va, TAG, mdls[made]);
    MmFreeMappingAddress(va, TAG);
    for (unsigned i = 0; i <= made; i++) {
        if (i < made)
            MmUnmapLockedPages(mdls[i]->MappedSystemVa, mdls[i]);
        IoFreeMdl(mdls[i]);
    }
    IoFreeMdl(whole);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void misuse(void **state)
{
    (void)state;
    for (volatile int row = 0; row < 13; row++) {
        char           *p = pool(4), *va = MmAllocateMappingAddress(3 * PAGE_SIZE, TAG);
        PMDL            two = built(p, 2 * PAGE_SIZE), one = built(p, PAGE_SIZE), four = built(p, 4 * PAGE_SIZE);
        const uintptr_t at = (uintptr_t)va;
        const struct {
            uintptr_t parameter[4];
        } expected[] = {
            { { 0x101, at, OTHER, TAG } },             /* free: another's */
            { { 0x102, at + PAGE_SIZE, TAG, 0 } },     /* free: nothing begins there */
            { { 0x103, at, TAG, 2 } },                 /* free: mapped */
            { { 0x104, at, OTHER, TAG } },             /* map: another's */
            { { 0x105, (uintptr_t)p, TAG, 0 } },       /* map: nothing reserved */
            { { 0x107, at, at, at + PAGE_SIZE } },     /* map: mapped */
            { { 0x108, at, OTHER, TAG } },             /* unmap: another's */
            { { 0x109, at + 2 * PAGE_SIZE, TAG, 0 } }, /* unmap: nothing begins there */
            { { 0x10A, at, 3, 4 } },                   /* unmap: more than there is */
            { { 0x10B, at, TAG, 2 } },                 /* unmap: nothing mapped */
            { { 0x10C, at, TAG, 1 } },                 /* unmap: not all */
            { { 0x100, 0, TAG, 0 } },                  /* reserve: nothing */
            { { 0x102, at, TAG, 0 } },                 /* free: twice */
        };
        const uintptr_t *e = expected[row].parameter;
        if (row == 2 || row == 5 || row == 6 || row == 8 || row == 10)
            assert_non_null(MmMapLockedPagesWithReservedMapping(va, TAG, two, MmCached));
        assert_bugcheck(SYSTEM_PTE_MISUSE, e[0], {
            switch (row) {
            case 0: MmFreeMappingAddress(va, OTHER); break;
            case 1: MmFreeMappingAddress(va + PAGE_SIZE, TAG); break;
            case 2: MmFreeMappingAddress(va, TAG); break;
            case 3: MmMapLockedPagesWithReservedMapping(va, OTHER, two, MmCached); break;
            case 4: MmMapLockedPagesWithReservedMapping(p, TAG, two, MmCached); break;
            case 5: MmMapLockedPagesWithReservedMapping(va, TAG, one, MmCached); break;
            case 6: MmUnmapReservedMapping(va, OTHER, two); break;
            case 7: MmUnmapReservedMapping(va + 2 * PAGE_SIZE, TAG, two); break;
            case 8: MmUnmapReservedMapping(va, TAG, four); break;
            case 9: MmUnmapReservedMapping(va, TAG, two); break;
            case 10: MmUnmapReservedMapping(va, TAG, one); break;
            case 11: MmAllocateMappingAddress(0, TAG); break;
            default: MmFreeMappingAddress(va, TAG), MmFreeMappingAddress(va, TAG); break;
            }
        });
        for (int i = 1; i < (row == 11 ? 3 : 4); i++)
            assert_int_equal(ntmm_cmocka_caught.parameter[i], e[i]);
        ntmm_cmocka_reboot();
    }
}

static void an_mdl_that_is_not_locked_is_not_mapped(void **state)
{
    (void)state;
    char *va = MmAllocateMappingAddress(3 * PAGE_SIZE, TAG), *p = pool(1);
    PMDL  mdl = built(p, PAGE_SIZE);
    MmGetMdlPfnArray(mdl)[0] = 0x7777777;
    assert_bugcheck(MEMORY_MANAGEMENT, 0x1236, MmMapLockedPagesWithReservedMapping(va, TAG, mdl, MmCached));
}

static void unlocking_clears_a_reserved_mapping(void **state)
{
    (void)state;
    char *p = ExAllocatePool2(POOL_FLAG_PAGED, 2 * PAGE_SIZE, TAG), *va = MmAllocateMappingAddress(2 * PAGE_SIZE, TAG);
    PMDL  mdl = IoAllocateMdl(p, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    char *seen = MmMapLockedPagesWithReservedMapping(va, TAG, mdl, MmCached);
    seen[0] = 3;
    assert_int_equal(p[0], 3);
    MmUnlockPages(mdl);
    assert_false(MmIsAddressValid(va));
    MmFreeMappingAddress(va, TAG);
    IoFreeMdl(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void reserved_addresses_are_a_leak(void **state)
{
    (void)state;
    static ntmm_report report;
    char              *va = MmAllocateMappingAddress(3 * PAGE_SIZE, TAG);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, va);
    assert_int_equal(report.leaks[0].bytes, 3 * PAGE_SIZE);
    assert_int_equal(report.leaks[0].tag, TAG);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static PVOID level_va;
static PMDL  level_mdl;
static void  reserve_and_map(void)
{
    level_va = MmAllocateMappingAddress(PAGE_SIZE, TAG);
    level_mdl = built(pool(1), PAGE_SIZE);
    assert_ptr_equal(MmMapLockedPagesWithReservedMapping(level_va, TAG, level_mdl, MmCached), level_va);
}
LEVEL(MmAllocateMappingAddress, APC_LEVEL, MmAllocateMappingAddress(PAGE_SIZE, TAG))
LEVEL(MmAllocateMappingAddressEx, APC_LEVEL, MmAllocateMappingAddressEx(PAGE_SIZE, TAG, 0))
LEVEL(MmFreeMappingAddress, APC_LEVEL, MmFreeMappingAddress(level_va, TAG))
LEVEL(MmMapLockedPagesWithReservedMapping, DISPATCH_LEVEL, MmMapLockedPagesWithReservedMapping(level_va, TAG, level_mdl, MmCached))
LEVEL(MmUnmapReservedMapping, DISPATCH_LEVEL, MmUnmapReservedMapping(level_va, TAG, level_mdl))

static void irql_rules(void **state)
{
    static const struct level_case cases[] = { LEVEL_ROW(MmAllocateMappingAddress), LEVEL_ROW(MmAllocateMappingAddressEx),
                                               LEVEL_ROW(MmFreeMappingAddress), LEVEL_ROW(MmMapLockedPagesWithReservedMapping),
                                               LEVEL_ROW(MmUnmapReservedMapping) };
    (void)state;
    assert_levels(cases, sizeof cases / sizeof cases[0], reserve_and_map);
}

static void for_a_dump(void **state)
{
    (void)state;
    char *p = pool(3), *va = MmAllocateMappingAddress(4 * PAGE_SIZE, TAG);
    PMDL  mdl = built(p + 8, 2 * PAGE_SIZE), other = built(p, PAGE_SIZE);
    assert_int_equal(MmMapMemoryDumpMdlEx(p, 4, mdl, 0), STATUS_INVALID_PARAMETER_1);
    assert_int_equal(MmMapMemoryDumpMdlEx(va, 5, mdl, 0), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(MmMapMemoryDumpMdlEx(va, 2, mdl, 0), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(MmMapMemoryDumpMdlEx(va, 4, mdl, 0x100), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(MmMapMemoryDumpMdlEx(va, 4, mdl, MM_DUMP_MAP_CACHED), STATUS_SUCCESS);
    assert_ptr_equal(mdl->MappedSystemVa, va + 8);
    p[2 * PAGE_SIZE] = 8;
    assert_int_equal(va[2 * PAGE_SIZE], 8);
    assert_int_equal(MmMapMemoryDumpMdlEx(va, 4, other, 0), STATUS_SUCCESS); /* one at a time */
    assert_false(MmIsAddressValid(va + PAGE_SIZE));
    assert_int_equal(MmMapMemoryDumpMdlEx(va, 4, other, MM_DUMP_MAP_INVALIDATE), STATUS_SUCCESS);
    assert_false(MmIsAddressValid(va));
    MmFreeMappingAddress(va, TAG);
    IoFreeMdl(mdl);
    IoFreeMdl(other);
    ExFreePool(p);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(reserved_mapped_unmapped_freed),
        ntmm_cmocka_test(flags),
        ntmm_cmocka_test(mapping_does_not_fail_when_nothing_is_left),
        ntmm_cmocka_test(misuse),
        ntmm_cmocka_test(an_mdl_that_is_not_locked_is_not_mapped),
        ntmm_cmocka_test(unlocking_clears_a_reserved_mapping),
        ntmm_cmocka_test(reserved_addresses_are_a_leak),
        ntmm_cmocka_test(irql_rules),
        ntmm_cmocka_test(for_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
