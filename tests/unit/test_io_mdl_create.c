/*
 * test_io_mdl_create.c - pages that come with an MDL: where from, how many, in which order, with which contents; every flag; what is refused.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <string.h>

#include "mm/pfn.h"
#include "mm/pinned.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static PHYSICAL_ADDRESS at(uint64_t address) { return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)address }; }
static PMDL any(SIZE_T bytes, ULONG flags) { return MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(0), bytes, MmCached, flags); }
static void give(PMDL mdl)
{
    MmFreePagesFromMdl(mdl);
    ExFreePool(mdl);
}
static SIZE_T      pages_of(PMDL mdl) { return MmGetMdlByteCount(mdl) / PAGE_SIZE; }
static PPFN_NUMBER frames_of(PMDL mdl) { return MmGetMdlPfnArray(mdl); }
static uint64_t    physical(PMDL mdl, SIZE_T i) { return (uint64_t)frames_of(mdl)[i] << PAGE_SHIFT; }

static uint64_t active_frames(void)
{
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    return usage.active;
}

/* ---- the common case ---- */

static void pages_are_zero_and_come_without_an_address(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        PMDL mdl = MmAllocatePagesForMdl(at(0), at(UINT64_MAX), at(0), 40 * PAGE_SIZE - 7);
        assert_non_null(mdl);
        assert_int_equal(MmGetMdlByteCount(mdl), 40 * PAGE_SIZE); /* rounded up */
        assert_int_equal(MmGetMdlByteOffset(mdl), 0);
        assert_int_equal(mdl->MdlFlags, MDL_PAGES_LOCKED);
        char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        assert_non_null(seen);
        for (SIZE_T i = 0; i < 40 * PAGE_SIZE; i += 8)
            assert_int_equal(*(uint64_t *)(void *)(seen + i), 0);
        memset(seen, 0xA5, 40 * PAGE_SIZE);
        assert_true(ntmm_check());
        MmUnmapLockedPages(seen, mdl);
        give(mdl);
        assert_true(ntmm_check());
    }
}

static void frames_are_not_all_in_a_row_unless_that_is_asked_for(void **state)
{
    (void)state;
    PMDL mdl = any(8 * PAGE_SIZE, 0), run = any(8 * PAGE_SIZE, MM_ALLOCATE_PREFER_CONTIGUOUS);
    assert_true(frames_of(mdl)[1] != frames_of(mdl)[0] + 1);
    for (SIZE_T i = 1; i < 8; i++)
        assert_int_equal(frames_of(run)[i], frames_of(run)[0] + i);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority); /* frames apart: a mapping of its own */
    assert_true(mm_in(&mm_system_pte_region, (uintptr_t)seen));
    seen[0] = 1;
    give(mdl); /* the mapping goes with the pages */
    assert_false(MmIsAddressValid(seen));
    give(run);
    assert_true(ntmm_check());
}

static void ranges_are_kept(void **state)
{
    (void)state;
    const struct {
        uint64_t low, high;
    } rows[] = { { 0, MIB(1) - 1 }, { 0, MIB(16) - 1 }, { MIB(16), GIB(4) - 1 }, { GIB(4), UINT64_MAX }, { MIB(1) + 1, MIB(4) - 2 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PMDL mdl = MmAllocatePagesForMdl(at(rows[i].low), at(rows[i].high), at(0), 16 * PAGE_SIZE);
        assert_non_null(mdl);
        for (SIZE_T k = 0; k < pages_of(mdl); k++)
            assert_true(physical(mdl, k) >= rows[i].low && physical(mdl, k) + PAGE_SIZE - 1 <= rows[i].high);
        give(mdl);
    }
    assert_null(MmAllocatePagesForMdl(at(5), at(PAGE_SIZE + 5), at(0), PAGE_SIZE)); /* no whole page */
    assert_null(MmAllocatePagesForMdl(at(MIB(2)), at(MIB(1)), at(0), PAGE_SIZE));
}

static void skipping_goes_on_to_the_end_of_ram(void **state)
{
    (void)state;
    const SIZE_T wanted = 20;
    PMDL         mdl = MmAllocatePagesForMdl(at(MIB(2)), at(MIB(2) + 2 * PAGE_SIZE - 1), at(MIB(1)), wanted * PAGE_SIZE);
    assert_non_null(mdl);
    assert_int_equal(pages_of(mdl), wanted);
    for (SIZE_T i = 0; i < wanted; i++)
        assert_true(physical(mdl, i) % MIB(1) < 2 * PAGE_SIZE);
    give(mdl);
    mdl = MmAllocatePagesForMdl(at(MIB(2)), at(MIB(2) + 2 * PAGE_SIZE - 1), at(0), wanted * PAGE_SIZE); /* one range alone: a part of it */
    assert_int_equal(pages_of(mdl), 2);
    give(mdl);
}

static void fewer_pages_than_asked_for_are_a_success(void **state)
{
    (void)state;
    uint64_t before = active_frames();
    PMDL     mdl = any(GIB(1), 0); /* of 64 MiB */
    assert_non_null(mdl);
    assert_in_range(MmGetMdlByteCount(mdl), MIB(48), MIB(64));
    assert_true(ntmm_check());
    assert_null(any(GIB(1), MM_ALLOCATE_FULLY_REQUIRED));
    give(mdl);
    assert_null(any(GIB(1), MM_ALLOCATE_FULLY_REQUIRED));
    assert_true(active_frames() < before + 200); /* but for the pools' own */
    mdl = any(MIB(16), MM_ALLOCATE_FULLY_REQUIRED);
    assert_int_equal(MmGetMdlByteCount(mdl), MIB(16));
    give(mdl);
    assert_true(ntmm_check());
}

/* ---- contents ---- */

static void contents_stay_when_zeros_are_not_wanted(void **state)
{
    (void)state;
    bool found = false;
    for (int round = 0; round < 4 && !found; round++) {
        PMDL           mdl = any(64 * PAGE_SIZE, MM_DONT_ZERO_ALLOCATION);
        volatile char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        for (SIZE_T i = 0; i < pages_of(mdl); i++) {
            found = found || seen[i * PAGE_SIZE] == 0x5A;
            seen[i * PAGE_SIZE] = 0x5A;
        }
        give(mdl);
    }
    assert_true(found);
    PMDL  mdl = any(64 * PAGE_SIZE, 0);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    for (SIZE_T i = 0; i < pages_of(mdl); i++)
        assert_int_equal(seen[i * PAGE_SIZE], 0);
    give(mdl);
}

/* ---- chunks ---- */

static void one_chunk(void **state)
{
    (void)state;
    PMDL mdl = any(MIB(2), MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS);
    assert_non_null(mdl);
    for (SIZE_T i = 1; i < pages_of(mdl); i++)
        assert_int_equal(frames_of(mdl)[i], frames_of(mdl)[0] + i);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_true(mm_in(&mm_physical_map, (uintptr_t)seen)); /* a row has addresses already */
    give(mdl);
    assert_null(any(MIB(62), MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS)); /* there is no such run: none, and not a part */
    assert_true(ntmm_check());
}

static void several_chunks_are_aligned(void **state)
{
    (void)state;
    const SIZE_T chunk = 16 * PAGE_SIZE;
    PMDL mdl = MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(chunk), 6 * chunk, MmCached, MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS);
    assert_int_equal(MmGetMdlByteCount(mdl), 6 * chunk);
    for (SIZE_T i = 0; i < pages_of(mdl); i++) {
        assert_int_equal(physical(mdl, i - i % 16) % chunk, 0);
        assert_int_equal(frames_of(mdl)[i], frames_of(mdl)[i - i % 16] + i % 16);
    }
    give(mdl);
    mdl = MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(MIB(8)), MIB(64), MmCached, MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS);
    assert_non_null(mdl); /* fewer chunks than asked for */
    assert_true(MmGetMdlByteCount(mdl) % MIB(8) == 0 && MmGetMdlByteCount(mdl) < MIB(64));
    give(mdl);
    assert_null(MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(3 * PAGE_SIZE), 6 * PAGE_SIZE, MmCached,
                                        MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS)); /* no power of two */
    assert_null(MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(4 * PAGE_SIZE), 6 * PAGE_SIZE, MmCached,
                                        MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS)); /* does not divide */
    assert_true(ntmm_check());
}

static void large_pages(void **state)
{
    (void)state;
    const uint64_t large = (uint64_t)PAGE_SIZE / 8 * PAGE_SIZE;
    const ULONG    flags = MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS | MM_ALLOCATE_FAST_LARGE_PAGES;
    PMDL           mdl = MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(large), large, MmCached, flags);
    if (PAGE_SIZE == 4096) { /* else they are as large as the machine */
        assert_non_null(mdl);
        assert_int_equal(MmGetMdlByteCount(mdl), large);
    }
    if (mdl != NULL)
        give(mdl);
    assert_null(MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(large), large, MmCached, MM_ALLOCATE_FAST_LARGE_PAGES));
    assert_null(MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(large / 2), large, MmCached, flags));
    assert_null(MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(0), large, MmCached, flags));
}

/* ---- waiting, nodes, partitions ---- */

static void pageable_memory_makes_room_unless_nobody_may_wait(void **state)
{
    (void)state;
    KIRQL  before;
    SIZE_T bytes = MIB(56);
    char  *paged = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, bytes, NTMM_TAG("Fill"));
    for (SIZE_T i = 0; i < bytes; i += PAGE_SIZE)
        paged[i] = (char)(i / PAGE_SIZE);
    assert_null(any(MIB(16), MM_ALLOCATE_NO_WAIT | MM_ALLOCATE_FULLY_REQUIRED));
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_null(any(MIB(16), MM_ALLOCATE_FULLY_REQUIRED));
    KeLowerIrql(before);
    PMDL mdl = any(MIB(16), MM_ALLOCATE_FULLY_REQUIRED);
    assert_non_null(mdl);
    for (SIZE_T i = 0; i < bytes; i += PAGE_SIZE)
        assert_int_equal(paged[i], (char)(i / PAGE_SIZE));
    give(mdl);
    ExFreePool(paged);
    assert_true(ntmm_check());
}

static void nodes(void **state)
{
    (void)state;
    for (ULONG node = 0; node < 4; node++) {
        PMDL mdl = MmAllocateNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(1), MmCached, node, MM_ALLOCATE_FROM_LOCAL_NODE_ONLY);
        for (SIZE_T i = 0; i < pages_of(mdl); i++)
            assert_int_equal(mm_node_of_frame(frames_of(mdl)[i]), node);
        give(mdl);
        mdl = MmAllocateNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(24), MmCached, node, 0); /* more than a node has */
        assert_int_equal(MmGetMdlByteCount(mdl), MIB(24));
        give(mdl);
        mdl = MmAllocateNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(24), MmCached, node, MM_ALLOCATE_FROM_LOCAL_NODE_ONLY);
        assert_in_range(MmGetMdlByteCount(mdl), MIB(8), MIB(17));
        give(mdl);
    }
    PMDL mdl = MmAllocateNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(24), MmCached, MM_ANY_NODE_OK, MM_ALLOCATE_FULLY_REQUIRED);
    assert_non_null(mdl);
    give(mdl);
    mdl = any(MIB(24), MM_ALLOCATE_FROM_LOCAL_NODE_ONLY); /* of the thread's */
    assert_true(MmGetMdlByteCount(mdl) < MIB(24));
    give(mdl);
    assert_null(MmAllocateNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(1), MmCached, 4, 0));
    mdl = MmAllocatePartitionNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(1), MmCached, 1, 0, NULL);
    assert_non_null(mdl);
    give(mdl);
    assert_null(MmAllocatePartitionNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), MIB(1), MmCached, 1, 0, state));
}

/* While the thread of the test has the first processor, the other one has one of another node. */
static void *on_another_node(void *unused)
{
    KIRQL before;
    (void)unused;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    ULONG node = KeGetCurrentNodeNumber();
    PMDL  mdl = any(4 * PAGE_SIZE, MM_ALLOCATE_FROM_LOCAL_NODE_ONLY);
    bool  right = node != 0 && mdl != NULL && mm_node_of_frame(frames_of(mdl)[0]) == node && mm_node_of_frame(frames_of(mdl)[3]) == node;
    if (mdl != NULL)
        give(mdl);
    KeLowerIrql(before);
    return right ? mdl : NULL;
}
static void the_local_node_is_that_of_the_processor(void **state)
{
    (void)state;
    pthread_t other;
    void     *right = NULL;
    KIRQL     before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_int_equal(KeGetCurrentNodeNumber(), 0);
    assert_int_equal(pthread_create(&other, NULL, on_another_node, NULL), 0);
    pthread_join(other, &right);
    KeLowerIrql(before);
    assert_non_null(right);
}

/* ---- out of the machine ---- */

static void pages_may_leave_the_machine(void **state)
{
    (void)state;
    ntmm_memory_usage before, after;
    ntmm_query_memory(&before);
    PMDL mdl = any(8 * PAGE_SIZE, MM_ALLOCATE_AND_HOT_REMOVE | MM_ALLOCATE_PREFER_CONTIGUOUS);
    assert_non_null(mdl);
    assert_int_equal(MmGetMdlByteCount(mdl), 8 * PAGE_SIZE);
    ntmm_query_memory(&after);
    assert_int_equal(after.total, before.total - 8);
    assert_true(ntmm_check());
    PHYSICAL_ADDRESS first = at(physical(mdl, 0));
    LARGE_INTEGER    bytes = { .QuadPart = 8 * PAGE_SIZE };
    assert_int_equal(MmAddPhysicalMemory(&first, &bytes), STATUS_SUCCESS);
    ntmm_query_memory(&after);
    assert_int_equal(after.total, before.total);
    ExFreePool(mdl);
    assert_null(any(8 * PAGE_SIZE, MM_ALLOCATE_AND_HOT_REMOVE | MM_ALLOCATE_FULLY_REQUIRED));
    KIRQL old;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, any(PAGE_SIZE, MM_ALLOCATE_AND_HOT_REMOVE));
}

/* ---- refusals ---- */

static void what_is_not_allowed_is_null(void **state)
{
    (void)state;
    assert_null(any(0, 0));
    assert_null(any(GIB(4), 0));
    PMDL most = any(GIB(4) - PAGE_SIZE, MM_DONT_ZERO_ALLOCATION); /* as much as may be asked for: all that there is */
    assert_non_null(most);
    assert_in_range(MmGetMdlByteCount(most), PAGE_SIZE, GIB(4) - PAGE_SIZE);
    MmFreePagesFromMdl(most);
    ExFreePool(most);
    assert_null(any(GIB(4) - PAGE_SIZE + 1, MM_DONT_ZERO_ALLOCATION));
    assert_null(any(PAGE_SIZE, 0x80));
    assert_null(any(PAGE_SIZE, 0x80000000u));
    assert_null(MmAllocatePagesForMdl(at(0), at(UINT64_MAX), at(PAGE_SIZE + 1), PAGE_SIZE));
    assert_null(MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(0), PAGE_SIZE, MmMaximumCacheType, 0));
    assert_null(MmAllocatePagesForMdl(at(GIB(900)), at(UINT64_MAX), at(0), PAGE_SIZE)); /* no RAM there */
    ntmm_fail_allocation(1);
    assert_null(any(PAGE_SIZE, 0));
    ntmm_fail_allocation(0);
    assert_true(ntmm_check());
}

static void freed_wrongly(void **state)
{
    (void)state;
    for (volatile int row = 0; row < 5; row++) {
        PMDL       mdl = any(4 * PAGE_SIZE, 0);
        char      *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        PFN_NUMBER pfn = frames_of(mdl)[0];
        PMDL       other = IoAllocateMdl(seen + PAGE_SIZE, 10, FALSE, FALSE, NULL);
        MmProbeAndLockPages(other, KernelMode, IoWriteAccess);
        PFN_NUMBER locked = frames_of(other)[0];
        assert_int_equal(locked, frames_of(mdl)[1]);
        if (row != 0)
            MmUnlockPages(other);
        switch (row) {
        case 0: assert_bugcheck_all(PFN_LIST_CORRUPT, 0x9A, locked, MM_ACTIVE, 1, MmFreePagesFromMdl(mdl)); break;
        case 1: /* twice */
            MmFreePagesFromMdl(mdl);
            assert_bugcheck_all(PFN_LIST_CORRUPT, 0x99, pfn, mm_pfn_entry(pfn)->list, 0, MmFreePagesFromMdl(mdl));
            break;
        case 2: /* an MDL of other memory */
            MmBuildMdlForNonPagedPool(other);
            frames_of(other)[0] = 5;
            assert_bugcheck_all(PFN_LIST_CORRUPT, 0x99, 5, mm_pfn_entry(5)->list, 0, MmFreePagesFromMdl(other));
            break;
        case 3: /* they were never locked by MmProbeAndLockPages */
            assert_bugcheck_all(PFN_LIST_CORRUPT, 0x7, pfn, 0, 0, MmUnlockPages(mdl));
            break;
        default: /* a number that is none */
            frames_of(mdl)[3] = 0xFFFFFFFFFF;
            assert_bugcheck_all(PFN_LIST_CORRUPT, 0x99, 0xFFFFFFFFFF, MM_LISTS, 0, MmFreePagesFromMdl(mdl));
            break;
        }
        ntmm_cmocka_reboot();
    }
}

static void pages_that_stay_are_a_leak(void **state)
{
    (void)state;
    static ntmm_report report;
    PMDL               mdl = any(40 * PAGE_SIZE, 0);
    assert_int_equal(ntmm_shutdown(&report), 2); /* the pages and the MDL */
    size_t pages = report.leaks[0].tag == NTMM_TAG("MmPg") ? 0 : 1;
    assert_int_equal(report.leaks[pages].bytes, 40 * PAGE_SIZE);
    assert_int_equal(report.leaks[1 - pages].tag, NTMM_TAG("Mdl "));
    assert_ptr_equal(report.leaks[1 - pages].address, mdl);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void an_mdl_that_is_freed_alone_leaks_its_pages(void **state)
{
    (void)state;
    static ntmm_report report;
    ExFreePool(any(3 * PAGE_SIZE, 0));
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].bytes, 3 * PAGE_SIZE);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void pages_that_are_passed_are_given_up(void **state)
{
    (void)state;
    static ntmm_report report;
    PMDL               mdl = any(6 * PAGE_SIZE, 0);
    char              *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    PFN_NUMBER         first = frames_of(mdl)[0], third = frames_of(mdl)[2];
    seen[2 * PAGE_SIZE] = 9;
    assert_int_equal(MmAdvanceMdl(mdl, 2 * PAGE_SIZE), STATUS_SUCCESS);
    assert_true(frames_of(mdl)[0] == third && mm_pfn_entry(first)->list != MM_ACTIVE);
    assert_int_equal(*(char *)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), 9);
    assert_true(ntmm_check());
    give(mdl);
    assert_true(ntmm_check());
    mdl = any(6 * PAGE_SIZE, 0);
    assert_int_equal(MmAdvanceMdl(mdl, 2 * PAGE_SIZE), STATUS_SUCCESS);
    assert_int_equal(ntmm_shutdown(&report), 2);
    assert_true(report.leaks[0].bytes == 4 * PAGE_SIZE || report.leaks[1].bytes == 4 * PAGE_SIZE);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void irql_rules_go_by_the_version(void **state)
{
    (void)state;
    KIRQL before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    PMDL mdl = MmAllocatePagesForMdl(at(0), at(UINT64_MAX), at(0), PAGE_SIZE);
    assert_non_null(mdl);
    give(mdl);
    KeLowerIrql(before);
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_VISTA }), 0);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmAllocatePagesForMdl(at(0), at(UINT64_MAX), at(0), PAGE_SIZE));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, any(PAGE_SIZE, 0));
    for (volatile int old = 0; old < 2; old++) { /* giving back is no different */
        ntmm_shutdown(NULL);
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = old != 0 ? NTDDI_VISTA : 0 }), 0);
        mdl = any(PAGE_SIZE, 0);
        KeRaiseIrql(old != 0 ? DISPATCH_LEVEL : DISPATCH_LEVEL + 1, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmFreePagesFromMdl(mdl));
    }
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL,
                         MmAllocateNodePagesForMdlEx(at(0), at(UINT64_MAX), at(0), PAGE_SIZE, MmCached, MM_ANY_NODE_OK, 0));
}

/* Before Windows 7 the driver unmaps. */
static void old_versions_leave_the_mapping(void **state)
{
    (void)state;
    static ntmm_report report;
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_WS08 }), 0);
    PMDL  mdl = any(6 * PAGE_SIZE, 0);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_true(mm_in(&mm_system_pte_region, (uintptr_t)seen));
    give(mdl);
    assert_true(MmIsAddressValid(seen) && ntmm_check());
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, seen);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void cache_types(void **state)
{
    (void)state;
    PMDL mdl = MmAllocatePagesForMdl(at(0), at(UINT64_MAX), at(0), 2 * PAGE_SIZE);
    assert_int_equal(mm_pfn_entry(frames_of(mdl)[0])->cache, 0);
    void *seen = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmWriteCombined, NULL, FALSE, NormalPagePriority);
    assert_int_equal(mm_pfn_entry(frames_of(mdl)[1])->cache, 1 + MmWriteCombined);
    MmUnmapLockedPages(seen, mdl);
    MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority); /* ignored: they have one */
    assert_int_equal(mm_pfn_entry(frames_of(mdl)[1])->cache, 1 + MmWriteCombined);
    give(mdl);
    mdl = MmAllocatePagesForMdlEx(at(0), at(UINT64_MAX), at(0), 2 * PAGE_SIZE, MmNonCached, 0);
    assert_int_equal(mm_pfn_entry(frames_of(mdl)[0])->cache, 1 + MmNonCached);
    give(mdl);
}

int main(void)
{
    static const ntmm_config four_nodes = { .quiet = true, .numa_nodes = 4 };
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test(pages_are_zero_and_come_without_an_address),
         ntmm_cmocka_test(frames_are_not_all_in_a_row_unless_that_is_asked_for),
         ntmm_cmocka_test(ranges_are_kept),
         ntmm_cmocka_test(skipping_goes_on_to_the_end_of_ram),
         ntmm_cmocka_test(fewer_pages_than_asked_for_are_a_success),
         ntmm_cmocka_test(contents_stay_when_zeros_are_not_wanted),
         ntmm_cmocka_test(one_chunk),
         ntmm_cmocka_test(several_chunks_are_aligned),
         ntmm_cmocka_test(large_pages),
         ntmm_cmocka_test(pageable_memory_makes_room_unless_nobody_may_wait),
         ntmm_cmocka_test_config(nodes, &four_nodes),
         ntmm_cmocka_test_config(the_local_node_is_that_of_the_processor, &four_nodes),
         ntmm_cmocka_test(pages_may_leave_the_machine),
         ntmm_cmocka_test(what_is_not_allowed_is_null),
         ntmm_cmocka_test(freed_wrongly),
         ntmm_cmocka_test(pages_that_stay_are_a_leak),
         ntmm_cmocka_test(an_mdl_that_is_freed_alone_leaks_its_pages),
         ntmm_cmocka_test(pages_that_are_passed_are_given_up),
         ntmm_cmocka_test(irql_rules_go_by_the_version),
         ntmm_cmocka_test(old_versions_leave_the_mapping),
         ntmm_cmocka_test(cache_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
