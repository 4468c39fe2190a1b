/*
 * test_mm_mdl_map.c - system addresses for MDLs: where they are, that all of them show the same bytes, what they allow, and when they go.
 */
#define NTMM_USES_TRY
#include <ntmm/cmocka.h>

#include <string.h>

#include "mm/mapping.h"
#include "mm/paging.h"
#include "mm/pinned.h"
#include "mm/system_pte.h"

#define TAG NTMM_TAG("MdMp")

static void *allocate(POOL_FLAGS flags, SIZE_T bytes)
{
    void *p = ExAllocatePool2(flags, bytes, TAG);
    assert_non_null(p);
    return p;
}

static PMDL locked(void *p, SIZE_T bytes)
{
    PMDL mdl = IoAllocateMdl(p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    return mdl;
}

static void unlock_and_free(PMDL mdl)
{
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

/* Pages of paged pool from here and there: no address shows them in a row. */
static FILE_SEGMENT_ELEMENT segments[32];
static PMDL                 scattered(char *p, unsigned pages, ULONG offset)
{
    PMDL mdl = IoAllocateMdl((PVOID)(uintptr_t)offset, pages * PAGE_SIZE - offset, FALSE, FALSE, NULL);
    for (unsigned i = 0; i < pages; i++)
        segments[i].Buffer = p + (size_t)(pages - 1 - i) * PAGE_SIZE;
    MmProbeAndLockSelectedPages(mdl, segments, KernelMode, IoWriteAccess);
    return mdl;
}

static bool is_own(const void *va) { return mm_in(&mm_system_pte_region, (uintptr_t)va); }

/* ---- in place ---- */

static void nonpaged_memory_is_seen_where_it_is(void **state)
{
    (void)state;
    const PHYSICAL_ADDRESS anywhere = { .QuadPart = -1 };
    char                  *p = allocate(POOL_FLAG_NON_PAGED, 16 * PAGE_SIZE), *q = MmAllocateContiguousMemory(16 * PAGE_SIZE, anywhere);
    PMDL                   mdl = locked(p + 40, 15 * PAGE_SIZE), other = locked(q + 40, 15 * PAGE_SIZE);
    char                  *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    assert_ptr_equal(seen, p + 40);
    assert_true((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), seen); /* once */
    assert_ptr_equal(MmGetSystemAddressForMdl(mdl), seen);
    MmUnmapLockedPages(seen, mdl);
    assert_true((mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED)) == MDL_PAGES_LOCKED);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(other, NormalPagePriority), q + 40);
    seen = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmNonCached, NULL, FALSE, HighPagePriority);
    assert_ptr_equal(seen, p + 40);
    unlock_and_free(mdl); /* with the mapping */
    unlock_and_free(other);
    ExFreePool(p);
    MmFreeContiguousMemory(q);
    assert_true(ntmm_check());
}

static void memory_that_is_mapped_page_by_page_is_seen_there(void **state)
{
    (void)state;
    char *p = MmAllocateNonCachedMemory(4 * PAGE_SIZE);
    PMDL  mdl = locked(p + 9, 3 * PAGE_SIZE);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), p + 9);
    assert_int_equal(MmProtectMdlSystemAddress(mdl, PAGE_READONLY), STATUS_SUCCESS); /* it is not for one MDL to close */
    p[9] = 1;
    unlock_and_free(mdl);
    MmFreeNonCachedMemory(p, 4 * PAGE_SIZE);
    assert_true(ntmm_check());
}

static void executable_memory_is_seen_without_the_right_when_that_is_asked_for(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED_EXECUTE, 2 * PAGE_SIZE);
    PMDL  mdl = locked(p, 2 * PAGE_SIZE);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), p);
    MmUnmapLockedPages(p, mdl);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    assert_true(mm_in(&mm_physical_map, (uintptr_t)seen));
    seen[5] = 7;
    assert_int_equal(p[5], 7);
    unlock_and_free(mdl);
    ExFreePool(p);
}

static void paged_pool_is_seen_through_its_slots(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 10 * PAGE_SIZE);
    memset(p, 3, 10 * PAGE_SIZE);
    ntmm_page_out();
    PMDL  mdl = locked(p + PAGE_SIZE + 5, 6 * PAGE_SIZE);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_true(mm_in(&mm_slot_region, (uintptr_t)seen));
    assert_int_equal(BYTE_OFFSET(seen), 5);
    assert_true(MmIsAddressValid(seen));
    assert_int_equal(MmGetPhysicalAddress(seen).QuadPart, MmGetPhysicalAddress(p + PAGE_SIZE + 5).QuadPart);
    assert_int_equal(seen[3 * PAGE_SIZE], 3);
    seen[3 * PAGE_SIZE] = 9;
    assert_int_equal(p[4 * PAGE_SIZE + 5], 9);
    p[4 * PAGE_SIZE + 6] = 10;
    assert_int_equal(seen[3 * PAGE_SIZE + 1], 10);
    PMDL again = locked(seen, 6 * PAGE_SIZE); /* an MDL of the address that an MDL gave */
    assert_int_equal(MmGetMdlPfnArray(again)[2], MmGetMdlPfnArray(mdl)[2]);
    assert_int_equal(mm_pins_of(MmGetMdlPfnArray(mdl)[2]), 2);
    unlock_and_free(again);
    unlock_and_free(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* ---- a mapping of its own ---- */

static void scattered_pages_get_addresses_in_a_row(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 16 * PAGE_SIZE);
    PMDL  mdl = scattered(p, 16, 100);
    for (unsigned i = 0; i < 16; i++)
        p[i * PAGE_SIZE + 100] = (char)i;
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_true(is_own(seen));
    assert_int_equal(BYTE_OFFSET(seen), 100);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(seen[i * PAGE_SIZE], 15 - i);
        seen[i * PAGE_SIZE] = (char)(40 + i);
        assert_int_equal(p[(15 - i) * PAGE_SIZE + 100], 40 + i);
    }
    assert_true(ntmm_check());
    ntmm_page_out();
    assert_int_equal(seen[3 * PAGE_SIZE], 43);
    MmUnmapLockedPages(seen, mdl);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, seen, *(volatile char *)seen = 1);
}

static void frames_that_follow_each_other_share_a_host_mapping(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 20 * PAGE_SIZE);
    PMDL  mdl = IoAllocateMdl(NULL, 20 * PAGE_SIZE, FALSE, FALSE, NULL);
    for (unsigned i = 0; i < 20; i++)
        segments[i].Buffer = p + (size_t)((i + 10) % 20) * PAGE_SIZE; /* two stretches */
    MmProbeAndLockSelectedPages(mdl, segments, KernelMode, IoWriteAccess);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    assert_true(is_own(seen) && ntmm_check());
    seen[0] = 1, seen[19 * PAGE_SIZE] = 2;
    assert_true(p[10 * PAGE_SIZE] == 1 && p[9 * PAGE_SIZE] == 2);
    unlock_and_free(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void a_mapping_without_the_right_to_write_is_its_own(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE);
    PMDL  mdl = locked(p, 2 * PAGE_SIZE);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoWrite);
    assert_true(is_own(seen));
    p[77] = 12;
    assert_int_equal(seen[77], 12);
    assert_true(ntmm_check());
    assert_bugcheck_all(ATTEMPTED_WRITE_TO_READONLY_MEMORY, seen + 77, mm_pte_of((uintptr_t)seen), 0, 0, *(volatile char *)(seen + 77) = 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[1] & MM_PTE_WRITE, 0);
}

static void a_mapping_without_the_right_to_execute(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 4 * PAGE_SIZE);
    PMDL  mdl = scattered(p, 4, 0);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, seen, ((void (*)(void))(uintptr_t)seen)());
}

/* ---- partial MDLs ---- */

static void a_part_shares_the_mapping_of_its_source(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 8 * PAGE_SIZE);
    PMDL  source = scattered(p, 8, 0), part = IoAllocateMdl(p, 4 * PAGE_SIZE, FALSE, FALSE, NULL);
    char *seen = MmGetSystemAddressForMdlSafe(source, NormalPagePriority);
    IoBuildPartialMdl(source, part, (PVOID)(uintptr_t)(2 * PAGE_SIZE + 3), 2 * PAGE_SIZE);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(part, NormalPagePriority), seen + 2 * PAGE_SIZE + 3);
    assert_int_equal(part->MdlFlags & (MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED), MDL_PARTIAL);
    MmPrepareMdlForReuse(part);
    seen[2 * PAGE_SIZE + 3] = 4; /* it is there still */
    IoFreeMdl(part);
    seen[2 * PAGE_SIZE + 3] = 5;
    unlock_and_free(source);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void a_part_may_have_a_mapping_of_its_own(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 8 * PAGE_SIZE);
    PMDL  source = scattered(p, 8, 0), part = IoAllocateMdl(p, 4 * PAGE_SIZE, FALSE, FALSE, NULL);
    for (int i = 0; i < 2; i++) {
        IoBuildPartialMdl(source, part, (PVOID)(uintptr_t)(PAGE_SIZE + 3), 3 * PAGE_SIZE);
        char *seen = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
        assert_true(is_own(seen));
        assert_int_equal(part->MdlFlags & (MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_MAPPED_TO_SYSTEM_VA),
                         MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_MAPPED_TO_SYSTEM_VA);
        seen[0] = 9;
        assert_int_equal(p[6 * PAGE_SIZE + 3], 9);
        if (i == 0)
            MmPrepareMdlForReuse(part);
    }
    assert_true(ntmm_check());
    IoFreeMdl(part); /* the mapping goes, too */
    unlock_and_free(source);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* ---- failures ---- */

static void no_mapping_is_null_or_a_bug_check(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    PMDL  mdl = locked(p, PAGE_SIZE);
    ntmm_fail_allocation(1);
    assert_null(MmGetSystemAddressForMdlSafe(mdl, HighPagePriority));
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    mdl->MdlFlags |= MDL_MAPPING_CAN_FAIL;
    ntmm_fail_allocation(1);
    assert_null(MmGetSystemAddressForMdl(mdl));
    ntmm_fail_allocation(0);
    assert_null(MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmMaximumCacheType, NULL, FALSE, HighPagePriority));
    mdl->MdlFlags &= ~MDL_MAPPING_CAN_FAIL;
    ntmm_fail_allocation(1);
    assert_bugcheck_all(NO_MORE_SYSTEM_PTES, 0, 1, mm_system_pte_free(), mm_table_pages(&mm_system_table), MmGetSystemAddressForMdl(mdl));
    ntmm_cmocka_reboot();
    p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    mdl = locked(p, PAGE_SIZE);
    ntmm_fail_allocation(1);
    assert_bugcheck_all(NO_MORE_SYSTEM_PTES, 0, 1, mm_system_pte_free(), mm_table_pages(&mm_system_table),
                        MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, TRUE, HighPagePriority));
}

/* The last quarter of the system PTEs is not for LowPagePriority, nor the last sixteenth for NormalPagePriority. */
static void scarce_addresses_go_by_priority(void **state)
{
    (void)state;
    const struct {
        uint64_t share; /* 1/share is free, less a page */
        bool     low, normal, high;
    } rows[] = { { 2, true, true, true }, { 4, false, true, true }, { 16, false, false, true } };
    char    *p = allocate(POOL_FLAG_PAGED, 2 * PAGE_SIZE);
    PMDL     mdl = scattered(p, 2, 0);
    uint64_t total = mm_table_pages(&mm_system_table);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t taken = (size_t)(mm_system_pte_free() - total / rows[i].share + 1);
        void  *hoard = mm_system_pte_reserve(taken), *seen;
        assert_non_null(hoard);
        const MM_PAGE_PRIORITY priorities[] = { LowPagePriority, NormalPagePriority, HighPagePriority };
        const bool             granted[] = { rows[i].low, rows[i].normal, rows[i].high };
        for (int k = 0; k < 3; k++) {
            seen = MmGetSystemAddressForMdlSafe(mdl, priorities[k] | MdlMappingNoExecute);
            assert_int_equal(seen != NULL, granted[k]);
            if (seen != NULL)
                MmUnmapLockedPages(seen, mdl);
        }
        mm_system_pte_abandon(hoard, taken);
    }
    unlock_and_free(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* Host mappings run out before anything else; the machine goes on. */
static void exhaustion_is_null_and_the_machine_goes_on(void **state)
{
    (void)state;
    enum { MAPPINGS = 3000, PAGES = 32 };
    static PMDL mdls[MAPPINGS];
    char       *p = allocate(POOL_FLAG_PAGED, PAGES * PAGE_SIZE);
    unsigned    made = 0;
    for (; made < MAPPINGS; made++) {
        mdls[made] = scattered(p, PAGES, 0);
        if (MmGetSystemAddressForMdlSafe(mdls[made], HighPagePriority) == NULL)
            break;
    }
    assert_in_range(made, 10, MAPPINGS - 1);
    assert_true(strstr(ntmm_error(), "host mappings") != NULL || strstr(ntmm_error(), "system PTEs") != NULL);
    assert_true(ntmm_check());
    for (unsigned i = 0; i <= made; i++)
        unlock_and_free(mdls[i]);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void an_mdl_that_was_never_filled_is_not_mapped(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 2 * PAGE_SIZE);
    PMDL  mdl = locked(p, 2 * PAGE_SIZE);
    MmUnlockPages(mdl);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1236, mdl, &MmGetMdlPfnArray(mdl)[0], MmGetMdlPfnArray(mdl)[0],
                        MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    ntmm_cmocka_reboot();
    p = allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE);
    mdl = IoAllocateMdl(p, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    MmGetMdlPfnArray(mdl)[1] = 0xABCDEF;
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1236, mdl, &MmGetMdlPfnArray(mdl)[1], 0xABCDEF,
                        MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority));
}

/* ---- unmapping what is not mapped so ---- */

static void unmapping_wrongly(void **state)
{
    (void)state;
    for (volatile int row = 0; row < 8; row++) {
        char       *p = allocate(POOL_FLAG_PAGED, 8 * PAGE_SIZE);
        PMDL        mdl = scattered(p, 8, 8), part = IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL);
        char       *seen = row == 0 ? p : MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        ULONG_PTR   code = 0x06, p2 = (ULONG_PTR)mdl, p3 = (ULONG_PTR)seen, p4 = 8;
        mm_owner_t *record = mm_mapping_find(PAGE_ALIGN(seen)).record;
        PMDL        what = mdl;
        switch (row) {
        case 1: MmUnmapLockedPages(seen, mdl); break;
        case 2:
            IoBuildPartialMdl(mdl, part, (PVOID)(uintptr_t)100, 10);
            what = part, p2 = (ULONG_PTR)part, seen += 92, p3 = (ULONG_PTR)seen, p4 = 1;
            break;
        case 3: code = 0x03, p2 = (ULONG_PTR)record, p4 = (ULONG_PTR)seen + 1, seen++; break;
        case 4: code = 0x02, p2 = (ULONG_PTR)record, p3 = 8, p4 = 7, mdl->ByteCount -= PAGE_SIZE; break;
        case 5: code = 0x05, p2 = (ULONG_PTR)record, p3 = (ULONG_PTR)mdl->StartVa, mdl->StartVa = p, p4 = (ULONG_PTR)p; break;
        case 6: code = 0x04, p2 = (ULONG_PTR)record, p3 = MmGetMdlPfnArray(mdl)[0], p4 = ++MmGetMdlPfnArray(mdl)[0]; break;
        case 7: /* a stack of nonpaged memory is mapped anyway, and not by this */
            what = IoAllocateMdl(part, 10, FALSE, FALSE, NULL);
            MmBuildMdlForNonPagedPool(what);
            seen = (char *)part, p2 = (ULONG_PTR)what, p3 = (ULONG_PTR)part, p4 = 1;
            break;
        default: break;
        }
        assert_bugcheck_all(SYSTEM_PTE_MISUSE, code, p2, p3, p4, MmUnmapLockedPages(seen, what));
        ntmm_cmocka_reboot();
    }
}

/* ---- protection ---- */

static void protection_of_a_mapping(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 4 * PAGE_SIZE);
    PMDL  mdl = scattered(p, 4, 0);
    assert_int_equal(MmProtectMdlSystemAddress(mdl, PAGE_READONLY), STATUS_NOT_MAPPED_VIEW);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_int_equal(MmProtectMdlSystemAddress(mdl, PAGE_WRITECOPY), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(MmProtectMdlSystemAddress(mdl, PAGE_READWRITE | PAGE_NOCACHE), STATUS_INVALID_PAGE_PROTECTION);
    const ULONG allowed[] = { PAGE_NOACCESS, PAGE_READONLY, PAGE_EXECUTE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_READWRITE };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        assert_int_equal(MmProtectMdlSystemAddress(mdl, allowed[i]), STATUS_SUCCESS);
        assert_true(ntmm_check());
        p[3 * PAGE_SIZE] = (char)i;
        assert_int_equal(MmIsAddressValid(seen), allowed[i] != PAGE_NOACCESS);
        if (allowed[i] != PAGE_NOACCESS)
            assert_int_equal(*(volatile char *)seen, i);
    }
    *(volatile char *)seen = 99;
    assert_int_equal(p[3 * PAGE_SIZE], 99);
    assert_int_equal(MmProtectMdlSystemAddress(mdl, PAGE_READONLY), STATUS_SUCCESS);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, seen, *(volatile char *)seen = 1);
    ntmm_cmocka_reboot();
    p = allocate(POOL_FLAG_PAGED, 4 * PAGE_SIZE);
    mdl = scattered(p, 4, 0);
    seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_int_equal(MmProtectMdlSystemAddress(mdl, PAGE_NOACCESS), STATUS_SUCCESS);
    unlock_and_free(mdl); /* a closed mapping goes like any other */
    assert_true(ntmm_check());
    mdl = scattered(p, 4, 0);
    seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    MmProtectMdlSystemAddress(mdl, PAGE_NOACCESS);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, seen, *(volatile char *)seen = 1);
    ntmm_cmocka_reboot();
    p = allocate(POOL_FLAG_PAGED, 4 * PAGE_SIZE);
    mdl = scattered(p, 4, 0);
    seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    mdl->MappedSystemVa = (char *)mm_system_pte_region.base + mm_system_pte_region.bytes - PAGE_SIZE;
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1235, 0, 0, 0, MmProtectMdlSystemAddress(mdl, PAGE_READONLY));
}

/* ---- MmMapMdl ---- */

static PVOID mapped_at;
static VOID  note_address(PVOID context, PVOID va)
{
    mapped_at = va;
    (*(char *)va)++;
    (*(int *)context)++;
}

static void mapped_for_one_call(void **state)
{
    (void)state;
    int   calls = 0;
    char *p = allocate(POOL_FLAG_PAGED, 4 * PAGE_SIZE);
    PMDL  mdl = scattered(p, 4, 12);
    p[3 * PAGE_SIZE + 12] = 5;
    assert_int_equal(MmMapMdl(mdl, PAGE_READWRITE, note_address, &calls), STATUS_SUCCESS);
    assert_true(calls == 1 && p[3 * PAGE_SIZE + 12] == 6 && is_own(mapped_at));
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    assert_false(MmIsAddressValid(mapped_at));
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_int_equal(MmMapMdl(mdl, PAGE_READWRITE, note_address, &calls), STATUS_SUCCESS);
    assert_ptr_equal(mapped_at, seen);
    assert_int_equal(*seen, 7); /* it stays mapped */
    assert_int_equal(MmMapMdl(mdl, PAGE_GUARD, note_address, &calls), STATUS_INVALID_PAGE_PROTECTION);
    MmUnmapLockedPages(seen, mdl);
    ntmm_fail_allocation(1);
    assert_int_equal(MmMapMdl(mdl, PAGE_READWRITE, note_address, &calls), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    assert_int_equal(calls, 2);
    unlock_and_free(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* ---- advance ---- */

static void what_is_passed_leaves_the_mapping(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 6 * PAGE_SIZE);
    PMDL  mdl = scattered(p, 6, 0);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    p[2 * PAGE_SIZE + 9] = 77;
    assert_int_equal(MmAdvanceMdl(mdl, 3 * PAGE_SIZE + 9), STATUS_SUCCESS);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), seen + 3 * PAGE_SIZE + 9);
    assert_int_equal(seen[3 * PAGE_SIZE + 9], 77);
    assert_false(MmIsAddressValid(seen + 2 * PAGE_SIZE));
    assert_true(ntmm_check());
    MmUnmapLockedPages(seen + 3 * PAGE_SIZE + 9, mdl);
    assert_false(MmIsAddressValid(seen + 3 * PAGE_SIZE));
    seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_int_equal(*seen, 77);
    assert_int_equal(MmAdvanceMdl(mdl, 3 * PAGE_SIZE - 9), STATUS_SUCCESS); /* all of it */
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    unlock_and_free(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* Memory that is built for is mapped from the beginning: its address moves with the buffer, whatever is passed. */
static void the_address_of_nonpaged_memory_moves(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, 4 * PAGE_SIZE);
    PMDL  mdl = IoAllocateMdl(p + 10, 3 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    const ULONG steps[] = { 0, 1, PAGE_SIZE - 11, 1, PAGE_SIZE, PAGE_SIZE - 1 };
    char       *at = p + 10;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(MmAdvanceMdl(mdl, steps[i]), STATUS_SUCCESS);
        at += steps[i];
        assert_ptr_equal(MmGetMdlVirtualAddress(mdl), at);
        assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), at);
        assert_int_equal(MmGetMdlPfnArray(mdl)[0], MmGetPhysicalAddress(at).QuadPart >> PAGE_SHIFT);
        assert_int_equal(MmGetMdlByteCount(mdl), 3 * PAGE_SIZE - (at - p - 10));
    }
    assert_int_equal(MmAdvanceMdl(mdl, MmGetMdlByteCount(mdl) + 1), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(MmAdvanceMdl(mdl, MAXULONG), STATUS_INVALID_PARAMETER_2);
    IoFreeMdl(mdl);
    ExFreePool(p);
}

/* ---- the rest ---- */

static __attribute__((noinline)) NTSTATUS map_user(PMDL mdl, bool old)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    __try {
        if (old)
            MmMapLockedPages(mdl, UserMode);
        else
            MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

static void a_user_mapping_that_cannot_be_had_raises(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    PMDL  mdl = locked(p, PAGE_SIZE);
    ntmm_fail_allocation(1);
    assert_int_equal(map_user(mdl, false), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(1);
    assert_int_equal(map_user(mdl, true), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    unlock_and_free(mdl);
    ExFreePool(p);
}

static void a_mapping_that_stays_is_a_leak(void **state)
{
    (void)state;
    static ntmm_report report;
    char              *p = allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE);
    PMDL               mdl = IoAllocateMdl(p, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    char *seen = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority | MdlMappingNoWrite);
    assert_true(is_own(seen));
    IoFreeMdl(mdl);
    ExFreePool(p);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, seen);
    assert_int_equal(report.leaks[0].bytes, 2 * PAGE_SIZE);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void irql_rules(void **state)
{
    (void)state;
    for (volatile int row = 0; row < 8; row++) {
        char *p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
        PMDL  mdl = locked(p, PAGE_SIZE), io = NULL;
        KIRQL before;
        int   calls = 0;
        KeRaiseIrql(DISPATCH_LEVEL, &before);
        MmUnmapLockedPages(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), mdl);
        assert_int_equal(MmMapMdl(mdl, PAGE_READWRITE, note_address, &calls), STATUS_SUCCESS);
        if (row > 0)
            KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
            switch (row) {
            case 0: MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority); break;
            case 1: MmMapLockedPages(mdl, KernelMode); break;
            case 2: MmUnmapLockedPages(p, mdl); break;
            case 3: MmProtectMdlSystemAddress(mdl, PAGE_READONLY); break;
            case 4: MmMapMdl(mdl, PAGE_READWRITE, note_address, &calls); break;
            case 5: MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority); break;
            case 6: MmAllocateMdlForIoSpace(NULL, 0, &io); break;
            default: MmAdvanceMdl(mdl, 1); break;
            }
        });
        ntmm_cmocka_reboot();
    }
}

static void registers_are_not_ram(void **state)
{
    (void)state;
    const uint64_t physical = (uint64_t)0xF << 36;
    assert_int_equal(ntmm_io_space_add(physical, 3 * PAGE_SIZE), 0);
    PHYSICAL_ADDRESS where = { .QuadPart = (LONGLONG)physical };
    char            *io = MmMapIoSpace(where, 3 * PAGE_SIZE, MmNonCached);
    PMDL             mdl = locked(io + 10, 2 * PAGE_SIZE), built = IoAllocateMdl(io, PAGE_SIZE, FALSE, FALSE, NULL);
    assert_true((mdl->MdlFlags & MDL_IO_SPACE) != 0);
    assert_int_equal(MmGetMdlPfnArray(mdl)[0], physical >> PAGE_SHIFT);
    MmBuildMdlForNonPagedPool(built);
    assert_true((built->MdlFlags & MDL_IO_SPACE) != 0);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_true(is_own(seen) && seen != io + 10);
    *(volatile char *)seen = 44;
    assert_int_equal(*(volatile char *)(io + 10), 44);
    assert_true(ntmm_check());
    unlock_and_free(mdl);
    IoFreeMdl(built);
    MmUnmapIoSpace(io, 3 * PAGE_SIZE);
    assert_true(ntmm_check());
}

static void an_mdl_for_io_space(void **state)
{
    (void)state;
    const uint64_t           physical = (uint64_t)0xF << 36;
    MM_PHYSICAL_ADDRESS_LIST list[] = { { { .QuadPart = (LONGLONG)physical + 2 * PAGE_SIZE }, PAGE_SIZE },
                                        { { .QuadPart = (LONGLONG)physical }, 2 * PAGE_SIZE } };
    PMDL                     mdl;
    assert_int_equal(ntmm_io_space_add(physical, 3 * PAGE_SIZE), 0);
    assert_int_equal(MmAllocateMdlForIoSpace(list, 2, &mdl), STATUS_SUCCESS);
    assert_int_equal(MmGetMdlByteCount(mdl), 3 * PAGE_SIZE);
    assert_true((mdl->MdlFlags & MDL_IO_SPACE) != 0);
    assert_int_equal(MmGetMdlPfnArray(mdl)[2], (physical >> PAGE_SHIFT) + 1);
    char *device = ntmm_io_space_bytes(physical),
         *seen = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmNonCached, NULL, FALSE, NormalPagePriority);
    assert_non_null(seen);
    *(volatile char *)(seen + PAGE_SIZE) = 5; /* the second page of the MDL is the first one of the window */
    assert_int_equal(device[0], 5);
    assert_true(ntmm_check());
    MmUnmapLockedPages(seen, mdl);
    assert_false(MmIsAddressValid(seen));
    IoFreeMdl(mdl);
    for (int row = 0; row < 6; row++) {
        MM_PHYSICAL_ADDRESS_LIST bad[] = { list[0], list[1] };
        switch (row) {
        case 0: bad[1].PhysicalAddress.QuadPart += 8; break;
        case 1: bad[1].NumberOfBytes -= 1; break;
        case 2: bad[1].PhysicalAddress.QuadPart = 0; break; /* RAM */
        case 3: bad[1].NumberOfBytes = (SIZE_T)1 << 32; break;
        case 4: bad[0].NumberOfBytes = bad[1].NumberOfBytes = (SIZE_T)1 << 31; break;
        default: break;
        }
        assert_int_equal(MmAllocateMdlForIoSpace(bad, row == 5 ? 0 : 2, &mdl), STATUS_INVALID_PARAMETER_1);
        assert_null(mdl);
    }
    ntmm_fail_allocation(1);
    assert_int_equal(MmAllocateMdlForIoSpace(list, 2, &mdl), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    list[1].PhysicalAddress.QuadPart = (LONGLONG)physical + 16 * PAGE_SIZE; /* nothing there */
    assert_int_equal(MmAllocateMdlForIoSpace(list, 2, &mdl), STATUS_SUCCESS);
    assert_null(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    IoFreeMdl(mdl);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(nonpaged_memory_is_seen_where_it_is),
        ntmm_cmocka_test(memory_that_is_mapped_page_by_page_is_seen_there),
        ntmm_cmocka_test(executable_memory_is_seen_without_the_right_when_that_is_asked_for),
        ntmm_cmocka_test(paged_pool_is_seen_through_its_slots),
        ntmm_cmocka_test(scattered_pages_get_addresses_in_a_row),
        ntmm_cmocka_test(frames_that_follow_each_other_share_a_host_mapping),
        ntmm_cmocka_test(a_mapping_without_the_right_to_write_is_its_own),
        ntmm_cmocka_test(a_mapping_without_the_right_to_execute),
        ntmm_cmocka_test(a_part_shares_the_mapping_of_its_source),
        ntmm_cmocka_test(a_part_may_have_a_mapping_of_its_own),
        ntmm_cmocka_test(no_mapping_is_null_or_a_bug_check),
        ntmm_cmocka_test(scarce_addresses_go_by_priority),
        ntmm_cmocka_test(exhaustion_is_null_and_the_machine_goes_on),
        ntmm_cmocka_test(an_mdl_that_was_never_filled_is_not_mapped),
        ntmm_cmocka_test(unmapping_wrongly),
        ntmm_cmocka_test(protection_of_a_mapping),
        ntmm_cmocka_test(mapped_for_one_call),
        ntmm_cmocka_test(what_is_passed_leaves_the_mapping),
        ntmm_cmocka_test(the_address_of_nonpaged_memory_moves),
        ntmm_cmocka_test(a_user_mapping_that_cannot_be_had_raises),
        ntmm_cmocka_test(a_mapping_that_stays_is_a_leak),
        ntmm_cmocka_test(irql_rules),
        ntmm_cmocka_test(registers_are_not_ram),
        ntmm_cmocka_test(an_mdl_for_io_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
