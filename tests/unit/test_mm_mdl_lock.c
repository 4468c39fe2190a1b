/*
 * test_mm_mdl_lock.c - which frames a buffer lies on, and that they stay: by region, by access, by how often; what is refused, and how.
 */
#define NTMM_USES_TRY
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/charge.h"
#include "mm/paging.h"
#include "mm/pinned.h"

#define TAG NTMM_TAG("MdLk")
static const PHYSICAL_ADDRESS ANYWHERE = { .QuadPart = -1 };

static void *allocate(POOL_FLAGS flags, SIZE_T bytes)
{
    void *p = ExAllocatePool2(flags, bytes, TAG);
    assert_non_null(p);
    return p;
}

static PMDL mdl_for(void *p, SIZE_T bytes)
{
    PMDL mdl = IoAllocateMdl(p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    return mdl;
}

/* The status that it raises; 0: none. */
static __attribute__((noinline)) NTSTATUS lock(PMDL mdl, KPROCESSOR_MODE mode, LOCK_OPERATION operation)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    __try {
        MmProbeAndLockPages(mdl, mode, operation);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

static PFN_NUMBER frame_of(const void *p) { return (PFN_NUMBER)MmGetPhysicalAddress((PVOID)(uintptr_t)p).QuadPart >> PAGE_SHIFT; }
static uint32_t   pins_of(const void *p) { return mm_pins_of(frame_of(p)); }

/* ---- nonpaged ---- */

static void frames_are_those_of_the_buffer(PMDL mdl, const char *p, uint32_t pins)
{
    for (SIZE_T i = 0; i < ADDRESS_AND_SIZE_TO_SPAN_PAGES(p, MmGetMdlByteCount(mdl)); i++) {
        const char *page = (const char *)PAGE_ALIGN(p) + i * PAGE_SIZE;
        assert_int_equal(MmGetMdlPfnArray(mdl)[i], frame_of(page));
        assert_int_equal(pins_of(page), pins);
    }
}

static void every_kind_of_nonpaged_memory(void **state)
{
    (void)state;
    char *memory[] = { allocate(POOL_FLAG_NON_PAGED, 5 * PAGE_SIZE), allocate(POOL_FLAG_NON_PAGED_EXECUTE, 5 * PAGE_SIZE),
                       MmAllocateContiguousMemory(5 * PAGE_SIZE, ANYWHERE), MmAllocateNonCachedMemory(5 * PAGE_SIZE),
                       allocate(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE + 100) };
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        PMDL mdl = mdl_for(memory[i] + 33, 3 * PAGE_SIZE);
        MmBuildMdlForNonPagedPool(mdl);
        frames_are_those_of_the_buffer(mdl, memory[i] + 33, 0);
        assert_true((mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0 && (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) == 0);
        assert_ptr_equal(mdl->MappedSystemVa, memory[i] + 33);
        assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), memory[i] + 33);
        IoFreeMdl(mdl);
        mdl = mdl_for(memory[i] + 33, 3 * PAGE_SIZE);
        MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
        frames_are_those_of_the_buffer(mdl, memory[i] + 33, 1);
        assert_int_equal(mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_IO_SPACE), MDL_PAGES_LOCKED);
        assert_null(mdl->Process);
        assert_true(ntmm_check());
        MmUnlockPages(mdl);
        assert_int_equal(mdl->MdlFlags & MDL_PAGES_LOCKED, 0);
        frames_are_those_of_the_buffer(mdl, memory[i] + 33, 0);
        IoFreeMdl(mdl);
    }
    ExFreePool(memory[0]);
    ExFreePool(memory[1]);
    MmFreeContiguousMemory(memory[2]);
    MmFreeNonCachedMemory(memory[3], 5 * PAGE_SIZE);
    ExFreePool(memory[4]);
    assert_true(ntmm_check());
}

static char global[3 * PAGE_SIZE];

static void memory_of_the_process_has_frames_above_all_ram(void **state)
{
    (void)state;
    char  local[64];
    char *memory[] = { global + 5, local };
    for (int i = 0; i < 2; i++) {
        SIZE_T bytes = i == 0 ? 2 * PAGE_SIZE : sizeof local;
        PMDL   mdl = mdl_for(memory[i], bytes);
        assert_int_equal(lock(mdl, KernelMode, IoModifyAccess), 0);
        assert_true(MmGetMdlPfnArray(mdl)[0] > mm_highest_pfn);
        memory[i][3] = (char)(40 + i);
        char           *mapped = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
        char            copy = 0;
        SIZE_T          copied = 0;
        MM_COPY_ADDRESS from = { .PhysicalAddress.QuadPart =
                                     (LONGLONG)((MmGetMdlPfnArray(mdl)[0] << PAGE_SHIFT) + MmGetMdlByteOffset(mdl) + 3) };
        assert_ptr_equal(mapped, memory[i]);
        assert_int_equal(MmCopyMemory(&copy, from, 1, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_SUCCESS);
        assert_int_equal(copy, 40 + i);
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    }
    PMDL mdl = mdl_for(global, sizeof global);
    MmBuildMdlForNonPagedPool(mdl);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), global);
    IoFreeMdl(mdl);
}

static void a_page_is_locked_until_the_last_mdl_unlocks_it(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE);
    PMDL  one = mdl_for(p, PAGE_SIZE), other = mdl_for(p + 10, PAGE_SIZE);
    MmProbeAndLockPages(one, KernelMode, IoWriteAccess);
    MmProbeAndLockPages(other, KernelMode, IoReadAccess);
    assert_int_equal(pins_of(p), 2);
    assert_int_equal(pins_of(p + PAGE_SIZE), 1);
    MmUnlockPages(one);
    assert_int_equal(pins_of(p), 1);
    MmUnlockPages(other);
    assert_int_equal(pins_of(p), 0);
    IoFreeMdl(one);
    IoFreeMdl(other);
    ExFreePool(p);
}

/* ---- paged ---- */

static uint64_t pte_of(const void *page) { return mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)page)]; }

static void a_paged_buffer_is_brought_in_and_stays(void **state)
{
    (void)state;
    const unsigned pages = 20;
    char          *p = allocate(POOL_FLAG_PAGED, pages * PAGE_SIZE);
    for (unsigned i = 0; i < pages; i++)
        p[i * PAGE_SIZE] = (char)i;
    ntmm_page_out();
    assert_false(mm_pte_is_valid(pte_of(p + PAGE_SIZE)));
    PMDL mdl = mdl_for(p + 7, 4 * PAGE_SIZE);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    frames_are_those_of_the_buffer(mdl, p + 7, 1);
    assert_true((pte_of(p) & MM_PTE_DIRTY) == 0);
    ntmm_page_out();
    for (unsigned i = 0; i < 5; i++)
        assert_true(mm_pte_is_valid(pte_of(p + i * PAGE_SIZE)));
    assert_int_equal(frame_of(p), MmGetMdlPfnArray(mdl)[0]);
    assert_false(mm_pte_is_valid(pte_of(p + 6 * PAGE_SIZE)));
    assert_true(ntmm_check());
    MmUnlockPages(mdl);
    ntmm_page_out();
    assert_false(mm_pte_is_valid(pte_of(p)));
    for (unsigned i = 0; i < pages; i++)
        assert_int_equal(p[i * PAGE_SIZE], i);
    IoFreeMdl(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void what_a_device_writes_survives(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 3 * PAGE_SIZE);
    memset(p, 1, 3 * PAGE_SIZE);
    ntmm_page_out();
    PMDL mdl = mdl_for(p, 3 * PAGE_SIZE);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    assert_true((mdl->MdlFlags & MDL_WRITE_OPERATION) != 0);
    memset(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), 2, 3 * PAGE_SIZE); /* through another alias than the page's gate */
    MmUnlockPages(mdl);
    ntmm_page_out();
    for (SIZE_T i = 0; i < 3 * PAGE_SIZE; i += 100)
        assert_int_equal(p[i], 2);
    IoFreeMdl(mdl);
    ExFreePool(p);
}

static void demand_zero_pages_are_made(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, 40 * PAGE_SIZE);
    PMDL  mdl = mdl_for(p + 20 * PAGE_SIZE, 10 * PAGE_SIZE);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    for (SIZE_T i = 0; i < 10 * PAGE_SIZE; i += 64)
        assert_int_equal(seen[i], 0);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* RAM that is locked is not there for those who need it: who locks too much is told, and the machine goes on. */
static void not_more_can_be_locked_than_there_is(void **state)
{
    (void)state;
    const SIZE_T bytes = 5 << 20; /* of 4 MiB */
    char        *p = allocate(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, bytes);
    PMDL         mdl = mdl_for(p, bytes);
    assert_int_equal(lock(mdl, KernelMode, IoWriteAccess), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(mdl->MdlFlags & MDL_PAGES_LOCKED, 0);
    assert_int_equal(atomic_load(&mm_charges.locked), 0);
    assert_true(ntmm_check());
    IoFreeMdl(mdl);
    mdl = mdl_for(p, 2 << 20);
    assert_int_equal(lock(mdl, KernelMode, IoWriteAccess), 0);
    assert_int_equal(atomic_load(&mm_charges.locked), (2u << 20) / PAGE_SIZE);
    void *q = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 << 20, TAG); /* of the 4 MiB a little less than 2 are left */
    assert_null(q);
    for (SIZE_T i = 0; i < bytes; i += PAGE_SIZE)
        p[i] = 1;
    MmUnlockPages(mdl);
    assert_int_equal(atomic_load(&mm_charges.locked), 0);
    q = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 << 20, TAG);
    assert_non_null(q);
    ExFreePool(q);
    IoFreeMdl(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

/* IoModifyAccess is IoWriteAccess by another name; and an MDL that is used again says what it is locked for now. */
static void the_flag_says_what_it_was_locked_for(void **state)
{
    (void)state;
    const struct {
        LOCK_OPERATION operation;
        unsigned       flag;
    } rows[] = {
        { IoWriteAccess, MDL_WRITE_OPERATION }, { IoReadAccess, 0 }, { IoModifyAccess, MDL_WRITE_OPERATION }, { IoReadAccess, 0 }
    };
    char *p = allocate(POOL_FLAG_PAGED, 2 * PAGE_SIZE);
    PMDL  mdl = mdl_for(p, 2 * PAGE_SIZE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ntmm_page_out();
        MmProbeAndLockPages(mdl, KernelMode, rows[i].operation);
        assert_int_equal(mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION), MDL_PAGES_LOCKED | rows[i].flag);
        assert_int_equal((pte_of(p) & MM_PTE_DIRTY) != 0, rows[i].flag != 0);
        MmUnlockPages(mdl);
        assert_int_equal(mdl->MdlFlags & MDL_PAGES_LOCKED, 0);
    }
    IoFreeMdl(mdl);
    ExFreePool(p);
}

/* ---- selected pages, processes ---- */

static void selected_pages_come_from_here_and_there(void **state)
{
    (void)state;
    char                *paged = allocate(POOL_FLAG_PAGED, 4 * PAGE_SIZE), *nonpaged = allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE);
    FILE_SEGMENT_ELEMENT segments[] = { { .Buffer = paged + 2 * PAGE_SIZE }, { .Buffer = nonpaged + 9 }, { .Buffer = paged } };
    PMDL                 mdl = mdl_for(NULL, 3 * PAGE_SIZE);
    ntmm_page_out();
    MmProbeAndLockSelectedPages(mdl, segments, KernelMode, IoWriteAccess);
    assert_int_equal(MmGetMdlPfnArray(mdl)[0], frame_of(paged + 2 * PAGE_SIZE));
    assert_int_equal(MmGetMdlPfnArray(mdl)[1], frame_of(nonpaged));
    assert_int_equal(MmGetMdlPfnArray(mdl)[2], frame_of(paged));
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    seen[0] = 1, seen[PAGE_SIZE] = 2, seen[2 * PAGE_SIZE] = 3;
    assert_true(paged[2 * PAGE_SIZE] == 1 && nonpaged[0] == 2 && paged[0] == 3);
    MmUnlockPages(mdl);
    segments[1].Buffer = (char *)mm_paged_region.base + mm_paged_region.bytes - PAGE_SIZE; /* nobody's */
    volatile NTSTATUS status = 0;
    __try {
        MmProbeAndLockSelectedPages(mdl, segments, KernelMode, IoWriteAccess);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    assert_int_equal(pins_of(paged + 2 * PAGE_SIZE), 0);
    IoFreeMdl(mdl);
    ExFreePool(paged);
    ExFreePool(nonpaged);
    assert_true(ntmm_check());
}

static void system_addresses_in_the_name_of_a_process(void **state)
{
    (void)state;
    ntmm_process *process = ntmm_process_create();
    char         *p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    PMDL          mdl = mdl_for(p, PAGE_SIZE);
    MmProbeAndLockProcessPages(mdl, (PEPROCESS)process, KernelMode, IoReadAccess);
    assert_int_equal(pins_of(p), 1);
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ExFreePool(p);
    ntmm_process_destroy(process);
}

/* ---- refusals ---- */

static void what_is_nobodys_raises(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE), *gone = MmAllocateNonCachedMemory(PAGE_SIZE);
    MmFreeNonCachedMemory(gone, PAGE_SIZE);
    void *const bad[] = { NULL, (void *)16, gone, (char *)mm_paged_region.base + mm_paged_region.bytes - PAGE_SIZE,
                          (char *)mm_physical_map.base + (mm_highest_pfn << PAGE_SHIFT) };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PMDL mdl = mdl_for(bad[i], 100);
        assert_int_equal(lock(mdl, KernelMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
        assert_int_equal(mdl->MdlFlags & MDL_PAGES_LOCKED, 0);
        IoFreeMdl(mdl);
    }
    PMDL mdl = mdl_for(p, 100);
    assert_int_equal(lock(mdl, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION); /* no address of user space */
    IoFreeMdl(mdl);
    ExFreePool(p);
}

static void memory_that_is_read_only_is_not_locked_for_writing(void **state)
{
    (void)state;
    HANDLE     pool = NULL;
    PFN_NUMBER pfn;
    char       secret[] = "secret";
    assert_int_equal(ExCreatePool(POOL_CREATE_FLG_SECURE_POOL | POOL_CREATE_FLG_USE_GLOBAL_POOL, TAG, NULL, &pool), STATUS_SUCCESS);
    POOL_EXTENDED_PARAMS_SECURE_POOL secure = { pool, secret, 1, SECURE_POOL_FLAGS_FREEABLE };
    POOL_EXTENDED_PARAMETER          parameter = { .Type = PoolExtendedParameterSecurePool, .SecurePoolParams = &secure };
    char                            *p = ExAllocatePool3(POOL_FLAG_NON_PAGED, 7, TAG, &parameter, 1);
    assert_non_null(p);
    PMDL mdl = mdl_for(p, 7);
    assert_int_equal(lock(mdl, KernelMode, IoWriteAccess), STATUS_ACCESS_VIOLATION);
    assert_int_equal(lock(mdl, KernelMode, IoModifyAccess), STATUS_ACCESS_VIOLATION);
    assert_int_equal(lock(mdl, KernelMode, IoReadAccess), 0);
    pfn = MmGetMdlPfnArray(mdl)[0];
    assert_int_equal(pfn, frame_of(p));
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_int_equal(seen[0], 's');
    assert_bugcheck_code(ATTEMPTED_WRITE_TO_READONLY_MEMORY, *(volatile char *)seen = 'x');
}

static void a_failure_is_an_exception(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, PAGE_SIZE);
    PMDL  mdl = mdl_for(p, PAGE_SIZE);
    ntmm_fail_allocation(1);
    assert_int_equal(lock(mdl, KernelMode, IoReadAccess), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    assert_int_equal(pins_of(p), 0);
    IoFreeMdl(mdl);
    ExFreePool(p);
}

static void without_a_try_it_is_a_bug_check(void **state)
{
    (void)state;
    PMDL mdl = mdl_for(NULL, 1);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (ULONG_PTR)(NTSTATUS)STATUS_ACCESS_VIOLATION,
                    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess));
}

/* ---- IRQL ---- */

static void irql_rules(void **state)
{
    (void)state;
    KIRQL before;
    char *p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    PMDL  mdl = mdl_for(p, 10);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    MmUnlockPages(mdl);
    MmBuildMdlForNonPagedPool(mdl);
    KeLowerIrql(before);
    for (volatile int i = 0; i < 4; i++) {
        p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
        mdl = mdl_for(p, 10);
        FILE_SEGMENT_ELEMENT segment = { .Buffer = p };
        KeRaiseIrql(i == 3 ? DISPATCH_LEVEL : DISPATCH_LEVEL + 1, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
            if (i == 0)
                MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
            else if (i == 1)
                MmUnlockPages(mdl);
            else if (i == 2)
                MmBuildMdlForNonPagedPool(mdl);
            else
                MmProbeAndLockSelectedPages(mdl, &segment, KernelMode, IoReadAccess);
        });
        ntmm_cmocka_reboot();
    }
    p = allocate(POOL_FLAG_PAGED, PAGE_SIZE); /* there or not: it is pageable */
    mdl = mdl_for(p, 10);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck(IRQL_NOT_LESS_OR_EQUAL, PAGE_ALIGN(p), MmProbeAndLockPages(mdl, KernelMode, IoReadAccess));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
}

/* ---- mistakes ---- */

static void unlocked_more_often_than_locked(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    PMDL  mdl = mdl_for(p, PAGE_SIZE);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    MmUnlockPages(mdl);
    assert_bugcheck_all(PFN_LIST_CORRUPT, 0x7, frame_of(p), 0, 0, MmUnlockPages(mdl));
    ntmm_cmocka_reboot();
    p = allocate(POOL_FLAG_NON_PAGED, PAGE_SIZE);
    mdl = mdl_for(p, PAGE_SIZE);
    MmBuildMdlForNonPagedPool(mdl);
    assert_bugcheck_all(PFN_LIST_CORRUPT, 0x7, frame_of(p), 0, 0, MmUnlockPages(mdl));
}

static void memory_is_freed_while_it_is_locked(void **state)
{
    (void)state;
    for (volatile int i = 0; i < 5; i++) {
        char *p = i == 0   ? allocate(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE)
                  : i == 1 ? allocate(POOL_FLAG_PAGED, 3 * PAGE_SIZE)
                  : i == 2 ? MmAllocateContiguousMemory(3 * PAGE_SIZE, ANYWHERE)
                  : i == 3 ? MmAllocateNonCachedMemory(3 * PAGE_SIZE)
                           : allocate(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE + 64);
        PMDL  mdl = mdl_for(p + PAGE_SIZE, 10);
        MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
        assert_bugcheck_all(PFN_LIST_CORRUPT, 0x9A, frame_of(p + PAGE_SIZE), MM_ACTIVE, 1, {
            if (i < 2 || i == 4)
                ExFreePool(p);
            else if (i == 2)
                MmFreeContiguousMemory(p);
            else
                MmFreeNonCachedMemory(p, 3 * PAGE_SIZE);
        });
        ntmm_cmocka_reboot();
    }
}

static void a_pool_run_can_be_freed_afterwards(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        char *p = allocate(i % 2 == 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, 4 * PAGE_SIZE);
        PMDL  mdl = mdl_for(p + PAGE_SIZE, PAGE_SIZE);
        MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
        ExFreePoolWithTag(p, TAG);
    }
    assert_true(ntmm_check());
}

/* A page of small blocks goes back to mm with a lock on it, because its blocks were freed: the frame waits. */
static void a_page_of_blocks_waits_for_its_last_lock(void **state)
{
    (void)state;
    enum { BLOCKS = 64 };
    char *p[BLOCKS];
    PMDL  mdl[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        p[i] = allocate(i % 2 == 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, PAGE_SIZE / 2 - 64);
        mdl[i] = mdl_for(p[i], 16);
        MmProbeAndLockPages(mdl[i], KernelMode, IoWriteAccess);
    }
    for (int i = 0; i < BLOCKS; i++)
        ExFreePool(p[i]);
    ntmm_fail_allocation(1000); /* the stocks of the threads go back, and empty pages with them */
    ntmm_fail_allocation(0);
    assert_true(ntmm_check());
    for (int i = 0; i < BLOCKS; i++)
        for (int k = 0; k < i; k++)
            assert_true(mm_pins_of(MmGetMdlPfnArray(mdl[i])[0]) >= 1);
    for (int i = 0; i < BLOCKS; i++) {
        MmUnlockPages(mdl[i]);
        IoFreeMdl(mdl[i]);
    }
    assert_int_equal(atomic_load(&mm_charges.locked), 0);
    assert_true(ntmm_check());
}

static void pageable_memory_is_not_built_for(void **state)
{
    (void)state;
    char *p = allocate(POOL_FLAG_PAGED, 3 * PAGE_SIZE);
    PMDL  mdl = mdl_for(p, 3 * PAGE_SIZE);
    ntmm_trim_pageable();
    *(volatile char *)p = 1;
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1240, mdl, &mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)p + PAGE_SIZE)], 0,
                        MmBuildMdlForNonPagedPool(mdl));
}

/* Nor for memory of the process that is not there. */
static void nothing_is_built_for_where_nothing_is(void **state)
{
    (void)state;
    char *const mapped = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    char *const pages = (char *)PAGE_ALIGN(mapped + PAGE_SIZE - 1); /* the host's may be smaller than the machine's */
    assert_int_equal(mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    char *const nowhere[] = { NULL, (char *)0x1000, pages + PAGE_SIZE - 5, (char *)(UINTPTR_MAX - 5) };
    for (volatile size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        PMDL mdl = mdl_for(nowhere[i], i == 3 ? 5 : 10);
        assert_bugcheck(MEMORY_MANAGEMENT, 0x1240, MmBuildMdlForNonPagedPool(mdl));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)mdl);
        assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)PAGE_ALIGN(nowhere[i] + (i == 2 ? PAGE_SIZE : 0)));
        ntmm_cmocka_reboot();
    }
    PMDL mdl = mdl_for(pages + 1, PAGE_SIZE - 1);
    MmBuildMdlForNonPagedPool(mdl);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), pages + 1);
    IoFreeMdl(mdl);
    munmap(mapped, 3 * PAGE_SIZE);
}

static void pages_that_stay_locked_are_leaks(void **state)
{
    (void)state;
    static ntmm_report report;
    char              *p = allocate(POOL_FLAG_PAGED, 3 * PAGE_SIZE);
    PMDL               mdl = mdl_for(p, 3 * PAGE_SIZE);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    assert_in_range(ntmm_shutdown(&report), 3, 5); /* the pool, the MDL, and pages in as many rows as their frames make */
    (void)mdl;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

/* ---- advance ---- */

static void advancing_unlocks_what_is_passed(void **state)
{
    (void)state;
    for (int paged = 0; paged < 2; paged++) {
        char *p = allocate(paged ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED, 4 * PAGE_SIZE);
        PMDL  mdl = mdl_for(p + 100, 3 * PAGE_SIZE);
        memset(p, 0, 4 * PAGE_SIZE);
        MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
        char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        assert_int_equal(MmAdvanceMdl(mdl, 3 * PAGE_SIZE + 1), STATUS_INVALID_PARAMETER_2);
        assert_int_equal(MmAdvanceMdl(mdl, 50), STATUS_SUCCESS);
        assert_int_equal(MmGetMdlByteOffset(mdl), 150);
        assert_int_equal(pins_of(p), 1);
        assert_int_equal(MmAdvanceMdl(mdl, 2 * PAGE_SIZE), STATUS_SUCCESS);
        assert_ptr_equal(MmGetMdlVirtualAddress(mdl), p + 150 + 2 * PAGE_SIZE);
        assert_int_equal(MmGetMdlByteCount(mdl), PAGE_SIZE - 50);
        assert_int_equal(MmGetMdlPfnArray(mdl)[0], frame_of(p + 2 * PAGE_SIZE));
        assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), seen + 50 + 2 * PAGE_SIZE);
        assert_true(pins_of(p) == 0 && pins_of(p + PAGE_SIZE) == 0 && pins_of(p + 2 * PAGE_SIZE) == 1 && pins_of(p + 3 * PAGE_SIZE) == 1);
        assert_int_equal(MmAdvanceMdl(mdl, PAGE_SIZE - 50), STATUS_SUCCESS); /* to the very end, in the last page */
        assert_int_equal(MmGetMdlByteCount(mdl), 0);
        MmUnlockPages(mdl);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pins_of(p + (size_t)i * PAGE_SIZE), 0);
        IoFreeMdl(mdl);
        ExFreePool(p);
    }
    assert_true(ntmm_check());
}

/* ---- threads ---- */

typedef struct job {
    char    *p;
    unsigned seed;
} job_t;

static void *lock_and_unlock(void *argument)
{
    job_t *job = argument;
    for (unsigned i = 0; i < 3000; i++) {
        job->seed = job->seed * 1103515245 + 12345;
        unsigned first = (job->seed >> 16) % 12, pages = 1 + (job->seed >> 24) % 4;
        PMDL     mdl = IoAllocateMdl(job->p + first * PAGE_SIZE, pages * PAGE_SIZE, FALSE, FALSE, NULL);
        MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
        if (i % 64 == 0)
            ntmm_trim_pageable();
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    }
    return NULL;
}

static void two_threads_lock_the_same_pages(void **state)
{
    (void)state;
    for (int paged = 0; paged < 2; paged++) {
        char     *p = allocate(paged ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED, 16 * PAGE_SIZE);
        pthread_t thread[2];
        job_t     job[2] = { { p, 1 }, { p, 2 } };
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, lock_and_unlock, &job[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(thread[i], NULL);
        assert_int_equal(atomic_load(&mm_charges.locked), 0);
        assert_true(ntmm_check());
        ExFreePool(p);
    }
}

int main(void)
{
    static const ntmm_config small = { .quiet = true, .physical_memory = 4 << 20 };
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test(every_kind_of_nonpaged_memory),
         ntmm_cmocka_test(memory_of_the_process_has_frames_above_all_ram),
         ntmm_cmocka_test(a_page_is_locked_until_the_last_mdl_unlocks_it),
         ntmm_cmocka_test(a_paged_buffer_is_brought_in_and_stays),
         ntmm_cmocka_test(what_a_device_writes_survives),
         ntmm_cmocka_test(demand_zero_pages_are_made),
         ntmm_cmocka_test_config(not_more_can_be_locked_than_there_is, &small),
         ntmm_cmocka_test(the_flag_says_what_it_was_locked_for),
         ntmm_cmocka_test(selected_pages_come_from_here_and_there),
         ntmm_cmocka_test(system_addresses_in_the_name_of_a_process),
         ntmm_cmocka_test(what_is_nobodys_raises),
         ntmm_cmocka_test(memory_that_is_read_only_is_not_locked_for_writing),
         ntmm_cmocka_test(a_failure_is_an_exception),
         ntmm_cmocka_test(without_a_try_it_is_a_bug_check),
         ntmm_cmocka_test(irql_rules),
         ntmm_cmocka_test(unlocked_more_often_than_locked),
         ntmm_cmocka_test(memory_is_freed_while_it_is_locked),
         ntmm_cmocka_test(a_pool_run_can_be_freed_afterwards),
         ntmm_cmocka_test(a_page_of_blocks_waits_for_its_last_lock),
         ntmm_cmocka_test(pageable_memory_is_not_built_for),
         ntmm_cmocka_test(nothing_is_built_for_where_nothing_is),
         ntmm_cmocka_test(pages_that_stay_locked_are_leaks),
         ntmm_cmocka_test(advancing_unlocks_what_is_passed),
         ntmm_cmocka_test(two_threads_lock_the_same_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
