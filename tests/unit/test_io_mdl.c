/*
 * test_io_mdl.c - making MDLs: sizes, chains behind an IRP, quota, parts of others, and what is wrong with a part.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#define TAG NTMM_TAG("IoMd")

static char *pool(SIZE_T bytes)
{
    char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
    assert_non_null(p);
    return p;
}

/* ---- headers ---- */

static void the_macros_say_what_the_header_says(void **state)
{
    (void)state;
    struct {
        MDL        mdl;
        PFN_NUMBER pfns[4];
    } room;
    char *const base = (char *)(uintptr_t)(7 * PAGE_SIZE + 0x123);
    memset(&room, 0xCC, sizeof room);
    MmInitializeMdl(&room.mdl, base, 2 * PAGE_SIZE);
    assert_null(room.mdl.Next);
    assert_int_equal(room.mdl.MdlFlags, 0);
    assert_int_equal(room.mdl.Size, sizeof(MDL) + 3 * sizeof(PFN_NUMBER));
    assert_int_equal(MmGetMdlByteCount(&room.mdl), 2 * PAGE_SIZE);
    assert_int_equal(MmGetMdlByteOffset(&room.mdl), 0x123);
    assert_ptr_equal(MmGetMdlVirtualAddress(&room.mdl), base);
    assert_ptr_equal(MmGetMdlBaseVa(&room.mdl), base - 0x123);
    assert_ptr_equal(MmGetMdlPfnArray(&room.mdl), room.pfns);
    assert_int_equal(room.pfns[0], 0xCCCCCCCCCCCCCCCCu); /* the array is not touched */
    PMDL same = MmCreateMdl(&room.mdl, base + 5, 1);
    assert_ptr_equal(same, &room.mdl);
    assert_int_equal(MmGetMdlByteOffset(same), 0x128);
    assert_int_equal(MmGetMdlByteCount(same), 1);
}

static void the_size_counts_the_pages_that_are_touched(void **state)
{
    (void)state;
    const struct {
        uintptr_t base;
        SIZE_T    length, pages;
    } rows[] = {
        { 0, 0, 0 },
        { 0, 1, 1 },
        { 0, PAGE_SIZE, 1 },
        { 0, PAGE_SIZE + 1, 2 },
        { PAGE_SIZE - 1, 1, 1 },
        { PAGE_SIZE - 1, 2, 2 },
        { 5, PAGE_SIZE, 2 },
        { 5, 0, 1 },
        { 1, PAGE_SIZE * 9 - 1, 9 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(MmSizeOfMdl((PVOID)rows[i].base, rows[i].length), sizeof(MDL) + rows[i].pages * sizeof(PFN_NUMBER));
}

/* ---- IoAllocateMdl ---- */

static void an_mdl_is_a_block_of_nonpaged_pool(void **state)
{
    (void)state;
    char           *p = pool(3 * PAGE_SIZE);
    ntmm_pool_usage before, after;
    assert_false(ntmm_query_tag(NTMM_TAG("Mdl "), NonPagedPool, &before) && before.allocs != before.frees);
    PMDL mdl = IoAllocateMdl(p + 3, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    assert_true(ntmm_query_tag(NTMM_TAG("Mdl "), NonPagedPool, &after));
    assert_int_equal(after.allocs - after.frees, 1);
    assert_null(mdl->Next);
    assert_null(mdl->Process);
    assert_int_equal(mdl->MdlFlags, MDL_ALLOCATED_FIXED_SIZE);
    assert_ptr_equal(MmGetMdlVirtualAddress(mdl), p + 3);
    assert_int_equal(MmGetMdlByteCount(mdl), 2 * PAGE_SIZE);
    IoFreeMdl(mdl);
    mdl = IoAllocateMdl(p, 100 * PAGE_SIZE, FALSE, FALSE, NULL); /* a large one has a size of its own */
    assert_int_equal(mdl->MdlFlags, 0);
    assert_int_equal(mdl->Size, sizeof(MDL) + 100 * sizeof(PFN_NUMBER));
    IoFreeMdl(mdl);
    ExFreePool(p);
    assert_true(ntmm_check());
}

static void an_mdl_that_is_not_freed_is_a_leak(void **state)
{
    (void)state;
    static ntmm_report report;
    PMDL               mdl = IoAllocateMdl((PVOID)state, 10, FALSE, FALSE, NULL);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, mdl);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("Mdl "));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void length_limits_go_by_the_version(void **state)
{
    (void)state;
    const struct {
        uint32_t version;
        uint64_t most;
    } rows[] = {
        { 0, ((uint64_t)1 << 32) - PAGE_SIZE },
        { NTDDI_WIN7, ((uint64_t)1 << 32) - PAGE_SIZE },
        { NTDDI_VISTA, ((uint64_t)1 << 31) - PAGE_SIZE },
        { NTDDI_WS03, (uint64_t)PAGE_SIZE * ((65535 - 48) / 8) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ntmm_shutdown(NULL);
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = rows[i].version }), 0);
        PMDL mdl = IoAllocateMdl((PVOID)(uintptr_t)PAGE_SIZE, (ULONG)rows[i].most, FALSE, FALSE, NULL);
        assert_non_null(mdl);
        IoFreeMdl(mdl);
        assert_null(IoAllocateMdl((PVOID)(uintptr_t)PAGE_SIZE, (ULONG)rows[i].most + 1, FALSE, FALSE, NULL));
    }
}

static void an_irp_has_a_chain(void **state)
{
    (void)state;
    IRP  irp = { 0 };
    PMDL first = IoAllocateMdl((PVOID)state, 1, FALSE, FALSE, &irp);
    assert_ptr_equal(irp.MdlAddress, first);
    PMDL second = IoAllocateMdl((PVOID)state, 2, TRUE, FALSE, &irp), third = IoAllocateMdl((PVOID)state, 3, TRUE, FALSE, &irp);
    assert_ptr_equal(irp.MdlAddress, first);
    assert_ptr_equal(first->Next, second);
    assert_ptr_equal(second->Next, third);
    assert_null(third->Next);
    PMDL instead = IoAllocateMdl((PVOID)state, 4, FALSE, FALSE, &irp);
    assert_ptr_equal(irp.MdlAddress, instead);
    assert_null(instead->Next);
    IoFreeMdl(first); /* one MDL, and not the chain */
    IoFreeMdl(second);
    IoFreeMdl(third);
    IoFreeMdl(instead);
    irp.MdlAddress = NULL;
    second = IoAllocateMdl((PVOID)state, 2, TRUE, FALSE, &irp); /* the first one of a chain */
    assert_ptr_equal(irp.MdlAddress, second);
    IoFreeMdl(second);
}

static void quota_is_charged_when_that_is_asked_for(void **state)
{
    (void)state;
    ntmm_process    *process = ntmm_process_create();
    ntmm_quota_usage usage;
    ntmm_process_set_quota(process, 2048, 0);
    ntmm_process_attach(process);
    PMDL free_of_charge = IoAllocateMdl((PVOID)state, 1, FALSE, FALSE, NULL), mdl = IoAllocateMdl((PVOID)state, 1, FALSE, TRUE, NULL);
    assert_non_null(mdl);
    ntmm_process_query_quota(process, &usage);
    assert_in_range(usage.nonpaged_bytes, MmSizeOfMdl(NULL, 1), 1024);
    PMDL     more[16];
    unsigned count = 0;
    while (count < 16 && (more[count] = IoAllocateMdl(NULL, 1, FALSE, TRUE, NULL)) != NULL) /* NULL in the end, and no exception */
        count++;
    assert_in_range(count, 1, 15);
    while (count-- > 0)
        IoFreeMdl(more[count]);
    IoFreeMdl(mdl);
    IoFreeMdl(free_of_charge);
    ntmm_process_query_quota(process, &usage);
    assert_int_equal(usage.nonpaged_bytes, 0);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
}

static void no_pool_is_null(void **state)
{
    (void)state;
    IRP irp = { 0 };
    ntmm_fail_allocation(1);
    assert_null(IoAllocateMdl((PVOID)state, 1, FALSE, FALSE, &irp));
    assert_null(irp.MdlAddress);
    ntmm_fail_allocation(1);
    assert_null(MmCreateMdl(NULL, (PVOID)state, 1));
    ntmm_fail_allocation(0);
    PMDL mdl = MmCreateMdl(NULL, (PVOID)state, 1);
    assert_non_null(mdl);
    IoFreeMdl(mdl);
}

static void irql_rules(void **state)
{
    (void)state;
    KIRQL before;
    PMDL  mdl;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    mdl = IoAllocateMdl((PVOID)state, 1, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    IoFreeMdl(mdl);
    KeLowerIrql(before);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoAllocateMdl((PVOID)state, 1, FALSE, FALSE, NULL));
    ntmm_cmocka_reboot();
    mdl = IoAllocateMdl((PVOID)state, 1, FALSE, FALSE, NULL);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoFreeMdl(mdl));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmCreateMdl(NULL, (PVOID)state, 1));
    ntmm_cmocka_reboot();
    char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
    PMDL  part = IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL);
    mdl = IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    IoBuildPartialMdl(mdl, part, p, 1);
    MmPrepareMdlForReuse(part);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoBuildPartialMdl(mdl, part, p, 1));
}

/* ---- parts ---- */

static PMDL built(char *p, SIZE_T bytes)
{
    PMDL mdl = IoAllocateMdl(p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    MmBuildMdlForNonPagedPool(mdl);
    return mdl;
}

static void a_part_has_the_frames_of_its_bytes(void **state)
{
    (void)state;
    char *p = pool(5 * PAGE_SIZE);
    PMDL  source = built(p + 100, 4 * PAGE_SIZE), part = IoAllocateMdl(p, 5 * PAGE_SIZE, FALSE, FALSE, NULL);
    for (ULONG offset = 0; offset < 4 * PAGE_SIZE; offset += PAGE_SIZE / 2 + 17)
        for (ULONG length = 1; length <= 4 * PAGE_SIZE - offset; length += PAGE_SIZE - 300) {
            IoBuildPartialMdl(source, part, p + 100 + offset, length);
            assert_int_equal(MmGetMdlByteCount(part), length);
            assert_ptr_equal(MmGetMdlVirtualAddress(part), p + 100 + offset);
            SIZE_T pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(p + 100 + offset, length);
            for (SIZE_T i = 0; i < pages; i++) {
                char *page = (char *)PAGE_ALIGN(p + 100 + offset) + i * PAGE_SIZE;
                assert_int_equal(MmGetMdlPfnArray(part)[i], MmGetPhysicalAddress(page).QuadPart >> PAGE_SHIFT);
            }
            assert_true((part->MdlFlags & MDL_PARTIAL) != 0 && (part->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0);
            assert_true((part->MdlFlags & MDL_ALLOCATED_FIXED_SIZE) != 0);
            assert_ptr_equal(MmGetSystemAddressForMdlSafe(part, NormalPagePriority), p + 100 + offset);
            MmPrepareMdlForReuse(part);
        }
    IoBuildPartialMdl(source, part, p + 100 + PAGE_SIZE, 0); /* the rest */
    assert_int_equal(MmGetMdlByteCount(part), 3 * PAGE_SIZE);
    IoFreeMdl(part);
    IoFreeMdl(source);
    ExFreePool(p);
}

/* What the frames are, and what they were locked for, is as true of a part. */
static void a_part_inherits_what_its_source_says(void **state)
{
    (void)state;
    const uint64_t   physical = (uint64_t)0xF << 36;
    PHYSICAL_ADDRESS where = { .QuadPart = (LONGLONG)physical };
    ntmm_process    *process = ntmm_process_create();
    char            *user = ntmm_user_alloc(process, 2 * PAGE_SIZE, PAGE_READWRITE);
    PMDL source = IoAllocateMdl(user, 2 * PAGE_SIZE, FALSE, FALSE, NULL), part = IoAllocateMdl(user, PAGE_SIZE, FALSE, FALSE, NULL);
    ntmm_process_attach(process);
    MmProbeAndLockPages(source, UserMode, IoWriteAccess);
    part->MdlFlags |= MDL_NETWORK_HEADER; /* the driver's own */
    IoBuildPartialMdl(source, part, user + PAGE_SIZE, PAGE_SIZE);
    assert_int_equal(part->MdlFlags, MDL_PARTIAL | MDL_WRITE_OPERATION | MDL_NETWORK_HEADER | MDL_ALLOCATED_FIXED_SIZE);
    assert_ptr_equal(part->Process, source->Process);
    MmUnlockPages(source);
    MmProbeAndLockPages(source, UserMode, IoReadAccess);
    IoBuildPartialMdl(source, part, user, 1);
    assert_int_equal(part->MdlFlags & MDL_WRITE_OPERATION, 0);
    MmUnlockPages(source);
    ntmm_process_attach(NULL);
    IoFreeMdl(source);
    IoFreeMdl(part);
    ntmm_process_destroy(process);

    assert_int_equal(ntmm_io_space_add(physical, 2 * PAGE_SIZE), 0);
    char *io = MmMapIoSpace(where, 2 * PAGE_SIZE, MmNonCached);
    source = IoAllocateMdl(io, 2 * PAGE_SIZE, FALSE, FALSE, NULL), part = IoAllocateMdl(io, PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(source, KernelMode, IoWriteAccess);
    IoBuildPartialMdl(source, part, io + PAGE_SIZE, PAGE_SIZE);
    assert_true((part->MdlFlags & MDL_IO_SPACE) != 0);
    volatile char *seen = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
    assert_true(seen != NULL);
    *seen = 12;
    assert_int_equal(*(volatile char *)(io + PAGE_SIZE), 12);
    IoFreeMdl(part);
    MmUnlockPages(source);
    IoFreeMdl(source);
    MmUnmapIoSpace(io, 2 * PAGE_SIZE);
    assert_true(ntmm_check());
}

/* Size has 16 bits, and so cannot tell how much room there is behind the header of a very large MDL: its own buffer does. */
static void a_part_of_more_pages_than_size_can_count(void **state)
{
    (void)state;
    const uint64_t pages = 9000; /* 72,048 bytes */
    const ULONG    bytes = (ULONG)(pages * PAGE_SIZE);
    char *const    base = (char *)(uintptr_t)((uint64_t)PAGE_SIZE << 16); /* nobody looks there */
    PMDL           source = IoAllocateMdl(base, bytes, FALSE, FALSE, NULL), target = IoAllocateMdl(base, bytes, FALSE, FALSE, NULL);
    for (uint64_t i = 0; i < pages; i++)
        MmGetMdlPfnArray(source)[i] = (PFN_NUMBER)(i + 5);
    IoBuildPartialMdl(source, target, base, bytes);
    assert_int_equal(MmGetMdlPfnArray(target)[pages - 1], pages + 4);
    IoBuildPartialMdl(source, target, base, bytes); /* as large as it was */
    assert_int_equal(MmGetMdlByteCount(target), bytes);
    IoFreeMdl(target);
    IoFreeMdl(source);
}

static void a_part_must_be_inside(void **state)
{
    (void)state;
    for (volatile int row = 0; row < 5; row++) {
        char       *p = pool(3 * PAGE_SIZE);
        PMDL        source = built(p + 8, 2 * PAGE_SIZE), target = IoAllocateMdl(p, 3 * PAGE_SIZE, FALSE, FALSE, NULL);
        char *const start[] = { p + 7, p + 8, p + 9, p + 8 + 2 * PAGE_SIZE, p + 9 + 2 * PAGE_SIZE };
        const ULONG length[] = { 10, 2 * PAGE_SIZE + 1, 2 * PAGE_SIZE, 1, 0 };
        assert_bugcheck_all(INVALID_MDL_RANGE, source, target, start[row], length[row],
                            IoBuildPartialMdl(source, target, start[row], length[row]));
        ntmm_cmocka_reboot();
    }
}

static void a_target_must_be_large_enough(void **state)
{
    (void)state;
    char *p = pool(30 * PAGE_SIZE);
    PMDL  source = built(p, 30 * PAGE_SIZE), target = IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL);
    IoBuildPartialMdl(source, target, p, 23 * PAGE_SIZE); /* small ones have room for 23 pages */
    assert_bugcheck_all(TARGET_MDL_TOO_SMALL, target, source, p, 24 * PAGE_SIZE, IoBuildPartialMdl(source, target, p, 24 * PAGE_SIZE));
}

static void a_large_target_remembers_its_room(void **state)
{
    (void)state;
    char *p = pool(40 * PAGE_SIZE);
    PMDL  source = built(p, 40 * PAGE_SIZE), target = IoAllocateMdl(p, 30 * PAGE_SIZE, FALSE, FALSE, NULL);
    IoBuildPartialMdl(source, target, p + PAGE_SIZE, PAGE_SIZE);
    IoBuildPartialMdl(source, target, p + 10 * PAGE_SIZE, 30 * PAGE_SIZE); /* as long as it ever was */
    assert_int_equal(MmGetMdlPfnArray(target)[29], MmGetPhysicalAddress(p + 39 * PAGE_SIZE).QuadPart >> PAGE_SHIFT);
    assert_bugcheck_all(TARGET_MDL_TOO_SMALL, target, source, p + 1, 30 * PAGE_SIZE,
                        IoBuildPartialMdl(source, target, p + 1, 30 * PAGE_SIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(the_macros_say_what_the_header_says),
        ntmm_cmocka_test(the_size_counts_the_pages_that_are_touched),
        ntmm_cmocka_test(an_mdl_is_a_block_of_nonpaged_pool),
        ntmm_cmocka_test(an_mdl_that_is_not_freed_is_a_leak),
        ntmm_cmocka_test(length_limits_go_by_the_version),
        ntmm_cmocka_test(an_irp_has_a_chain),
        ntmm_cmocka_test(quota_is_charged_when_that_is_asked_for),
        ntmm_cmocka_test(no_pool_is_null),
        ntmm_cmocka_test(irql_rules),
        ntmm_cmocka_test(a_part_has_the_frames_of_its_bytes),
        ntmm_cmocka_test(a_part_inherits_what_its_source_says),
        ntmm_cmocka_test(a_part_of_more_pages_than_size_can_count),
        ntmm_cmocka_test(a_part_must_be_inside),
        ntmm_cmocka_test(a_target_must_be_large_enough),
        ntmm_cmocka_test(a_large_target_remembers_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
