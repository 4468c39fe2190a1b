/*
 * test_mm_physmem.c - physical memory as a driver sees it: ranges, addresses both ways, safe copies, memory that comes and goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TAG NTMM_TAG("Phys")

static PHYSICAL_ADDRESS       at(uint64_t bytes) { return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)bytes }; }
static const PHYSICAL_ADDRESS ANYWHERE = { .QuadPart = -1 };
static int                    global = 5;

static uint64_t sum_of(PPHYSICAL_MEMORY_RANGE ranges, size_t *count)
{
    uint64_t sum = 0;
    for (*count = 0; ranges[*count].NumberOfBytes.QuadPart != 0; ++*count) {
        sum += (uint64_t)ranges[*count].NumberOfBytes.QuadPart;
        if (*count > 0)
            assert_true(ranges[*count].BaseAddress.QuadPart >
                        ranges[*count - 1].BaseAddress.QuadPart + ranges[*count - 1].NumberOfBytes.QuadPart);
    }
    assert_int_equal(ranges[*count].BaseAddress.QuadPart, 0);
    return sum;
}

static void ranges_say_where_ram_is(void **state)
{
    (void)state;
    size_t                 count;
    PPHYSICAL_MEMORY_RANGE plain = MmGetPhysicalMemoryRanges(), ex = MmGetPhysicalMemoryRangesEx(NULL),
                           ex2 = MmGetPhysicalMemoryRangesEx2(NULL, 0);
    assert_true(plain != NULL && ex != NULL && ex2 != NULL);
    assert_int_equal(sum_of(plain, &count), MIB(64));
    assert_int_equal(count, 4);
    assert_memory_equal(plain, ex, 5 * sizeof *plain);
    assert_memory_equal(plain, ex2, 5 * sizeof *plain);
    ExFreePool(plain);
    ExFreePool(ex);
    ExFreePool(ex2);
    assert_null(MmGetPhysicalMemoryRangesEx(&count)); /* no such partition */
    assert_null(MmGetPhysicalMemoryRangesEx2(&count, 0));
    ntmm_fail_allocation(1);
    assert_null(MmGetPhysicalMemoryRanges());
    ntmm_fail_allocation(1);
    assert_null(MmGetPhysicalMemoryRangesEx(NULL));
    ntmm_fail_allocation(1);
    assert_null(MmGetPhysicalMemoryRangesEx2(NULL, 0));
    KIRQL before;
    for (volatile int form = 0; form < 3; form++) {
        KeRaiseIrql(APC_LEVEL, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, form == 0   ? MmGetPhysicalMemoryRanges()
                                                     : form == 1 ? MmGetPhysicalMemoryRangesEx(NULL)
                                                                 : MmGetPhysicalMemoryRangesEx2(NULL, 0));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], APC_LEVEL);
        ntmm_cmocka_reboot();
    }
}

static void every_region_has_physical_addresses(void **state)
{
    (void)state;
    char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE, TAG), *paged = ExAllocatePool2(POOL_FLAG_PAGED, 3 * PAGE_SIZE, TAG);
    char *run = MmAllocateContiguousMemory(3 * PAGE_SIZE, ANYWHERE), *mapped = MmAllocateNonCachedMemory(3 * PAGE_SIZE);
    char *const regions[] = { pool, paged, run, mapped };
    for (int i = 0; i < 4; i++) {
        char *p = regions[i] + PAGE_SIZE + 13;
        assert_non_null(regions[i]);
        memset(regions[i], 0x30 + i, 3 * PAGE_SIZE);
        PHYSICAL_ADDRESS pa = MmGetPhysicalAddress(p);
        assert_int_equal(pa.QuadPart % PAGE_SIZE, 13);
        char *back = MmGetVirtualForPhysical(pa); /* true aliasing, through whatever address */
        assert_int_equal(*back, 0x30 + i);
        *back = 0x55;
        assert_int_equal(*p, 0x55);
        assert_true(MmIsAddressValid(p));
    }
    assert_int_equal(MmGetPhysicalAddress(&global).QuadPart, 0);
    assert_int_equal(MmGetPhysicalAddress(NULL).QuadPart, 0);
    assert_null(MmGetVirtualForPhysical(at(0)));
    assert_null(MmGetVirtualForPhysical(at(MIB(15))));
    assert_null(MmGetVirtualForPhysical(at(UINT64_MAX)));
    ExFreePool(pool);
    ExFreePool(paged);
    MmFreeContiguousMemory(run);
    MmFreeNonCachedMemory(mapped, 3 * PAGE_SIZE);
    assert_int_equal(MmGetPhysicalAddress(mapped).QuadPart, 0);
}

static void some_answers_are_to_be_had_at_any_irql(void **state)
{
    (void)state;
    KIRQL before;
    void *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
    KeRaiseIrql(HIGH_LEVEL, &before);
    PHYSICAL_ADDRESS pa = MmGetPhysicalAddress(p);
    assert_true(pa.QuadPart != 0);
    assert_non_null(MmGetVirtualForPhysical(pa));
    assert_int_equal(MmQuerySystemSize(), MmMediumSystem);
    assert_false(MmIsThisAnNtAsSystem());
    KeLowerIrql(before);
    MmFreeContiguousMemory(p);
}

static void valid_means_a_touch_would_not_fault(void **state)
{
    (void)state;
    assert_true(MmIsAddressValid(&global));
    assert_true(MmIsAddressValid(&state));
    assert_false(MmIsAddressValid(NULL));
    assert_false(MmIsAddressValid((PVOID)(uintptr_t)64));
    assert_false(MmIsAddressValid((PVOID)(uintptr_t)0x0123456789abcdef)); /* not canonical */
    char *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
    assert_true(MmIsAddressValid(p));
    MmFreeContiguousMemory(p);
    assert_false(MmIsAddressValid(p));
    KIRQL before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_true(MmIsAddressValid(&global));
    KeLowerIrql(before);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmIsAddressValid(&global));
}

static NTSTATUS copy_from(char *to, void *va, uint64_t pa, ULONG flags, SIZE_T bytes, SIZE_T *copied)
{
    MM_COPY_ADDRESS source;
    if (flags == MM_COPY_MEMORY_PHYSICAL)
        source.PhysicalAddress = at(pa);
    else
        source.VirtualAddress = va;
    return MmCopyMemory(to, source, bytes, flags, copied);
}

static void copies_stop_where_memory_stops(void **state)
{
    (void)state;
    static char to[4 * 16384];
    SIZE_T      copied = 77;
    char       *mapped = MmAllocateNonCachedMemory(2 * PAGE_SIZE);
    memset(mapped, 0x61, 2 * PAGE_SIZE);
    assert_int_equal(copy_from(to, mapped, 0, MM_COPY_MEMORY_VIRTUAL, 2 * PAGE_SIZE, &copied), STATUS_SUCCESS);
    assert_int_equal(copied, 2 * PAGE_SIZE);
    assert_int_equal(to[2 * PAGE_SIZE - 1], 0x61);
    assert_int_equal(copy_from(to, mapped + PAGE_SIZE + 100, 0, MM_COPY_MEMORY_VIRTUAL, 2 * PAGE_SIZE, &copied), STATUS_ACCESS_VIOLATION);
    assert_int_equal(copied, PAGE_SIZE - 100);
    assert_int_equal(copy_from(to, &global, 0, MM_COPY_MEMORY_VIRTUAL, sizeof global, &copied), STATUS_SUCCESS);
    assert_int_equal(to[0], 5);
    assert_int_equal(copy_from(to, NULL, 0, MM_COPY_MEMORY_VIRTUAL, 10, &copied), STATUS_ACCESS_VIOLATION);
    assert_int_equal(copied, 0);
    assert_int_equal(copy_from(to, mapped, 0, MM_COPY_MEMORY_VIRTUAL, 0, &copied), STATUS_SUCCESS);
    MmFreeNonCachedMemory(mapped, 2 * PAGE_SIZE);
    assert_int_equal(copy_from(to, mapped, 0, MM_COPY_MEMORY_VIRTUAL, 1, &copied), STATUS_ACCESS_VIOLATION);
}

static void physical_copies_are_of_ram_only(void **state)
{
    (void)state;
    static char to[4 * 16384];
    SIZE_T      copied;
    char       *paged = ExAllocatePool2(POOL_FLAG_PAGED, 2 * PAGE_SIZE, TAG);
    memset(paged, 0x19, 2 * PAGE_SIZE);
    uint64_t pa = (uint64_t)MmGetPhysicalAddress(paged + 8).QuadPart;
    assert_int_equal(copy_from(to, NULL, pa, MM_COPY_MEMORY_PHYSICAL, 64, &copied), STATUS_SUCCESS); /* bytes in a slot, not at home */
    assert_int_equal(to[63], 0x19);
    ExFreePool(paged);
    assert_int_equal(copy_from(to, NULL, MIB(15) - 10, MM_COPY_MEMORY_PHYSICAL, 64, &copied), STATUS_INVALID_ADDRESS);
    assert_int_equal(copied, 10);
    assert_int_equal(copy_from(to, NULL, GIB(3) + MIB(600), MM_COPY_MEMORY_PHYSICAL, 64, &copied), STATUS_INVALID_ADDRESS);
    assert_int_equal(copied, 0);
    assert_int_equal(copy_from(to, NULL, UINT64_MAX - 3, MM_COPY_MEMORY_PHYSICAL, 64, &copied), STATUS_INVALID_ADDRESS);
    assert_int_equal(copy_from(to, &global, 0, 0, 1, &copied), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(copy_from(to, &global, 0, MM_COPY_MEMORY_PHYSICAL | MM_COPY_MEMORY_VIRTUAL, 1, &copied), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(copy_from(to, &global, 0, 4, 1, &copied), STATUS_INVALID_PARAMETER_4);
    KIRQL before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, copy_from(to, &global, 0, MM_COPY_MEMORY_VIRTUAL, 1, &copied));
}

static uint64_t total(void)
{
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    return usage.total * PAGE_SIZE;
}

static NTSTATUS change(bool add, uint64_t start, uint64_t bytes)
{
    PHYSICAL_ADDRESS base = at(start);
    LARGE_INTEGER    length = { .QuadPart = (LONGLONG)bytes };
    return add ? MmAddPhysicalMemory(&base, &length) : MmRemovePhysicalMemory(&base, &length);
}

static void memory_is_added_and_removed(void **state)
{
    (void)state;
    assert_null(MmAllocateContiguousMemory(MIB(100), ANYWHERE));
    assert_int_equal(change(true, GIB(5), MIB(128)), STATUS_SUCCESS);
    assert_int_equal(total(), MIB(192));
    char *p = MmAllocateContiguousMemory(MIB(100), ANYWHERE);
    assert_non_null(p);
    p[0] = p[MIB(100) - 1] = 1;
    assert_true(ntmm_check());
    assert_int_equal(change(false, GIB(5), MIB(128)), STATUS_INSUFFICIENT_RESOURCES); /* in use */
    MmFreeContiguousMemory(p);
    ntmm_fail_allocation(1);
    assert_int_equal(change(false, GIB(5), MIB(128)), STATUS_INSUFFICIENT_RESOURCES); /* wants memory to do it */
    assert_int_equal(total(), MIB(192));
    assert_int_equal(change(false, GIB(5) + MIB(1), MIB(127)), STATUS_SUCCESS);
    assert_null(MmAllocateContiguousMemory(MIB(100), ANYWHERE));
    assert_int_equal(total(), MIB(65));
    assert_true(ntmm_check());
    assert_int_equal(change(true, GIB(5) + MIB(1), MIB(1)), STATUS_SUCCESS); /* beside what is left: one run of both */
    p = MmAllocateContiguousMemorySpecifyCache(MIB(2), at(GIB(5)), ANYWHERE, at(0), MmCached);
    assert_non_null(p);
    for (uint64_t i = 0; i < MIB(2); i += 512)
        if (p[i] != 0)
            assert_true(i < MIB(1)); /* what came back from removal is zero */
    MmFreeContiguousMemory(p);
}

/* Memory that is added later does not make the pools larger. */
static unsigned pieces_of(POOL_FLAGS pool)
{
    static char *piece[1024];
    unsigned     count = 0;
    while (count < 1024 && (piece[count] = ExAllocatePool2(pool | POOL_FLAG_UNINITIALIZED, MIB(1), NTMM_TAG("Hot "))) != NULL)
        count++;
    for (unsigned i = 0; i < count; i++)
        ExFreePool(piece[i]);
    return count;
}
static void pools_are_as_large_as_at_the_boot(void **state)
{
    (void)state;
    unsigned nonpaged = pieces_of(POOL_FLAG_NON_PAGED), paged = pieces_of(POOL_FLAG_PAGED);
    assert_in_range(nonpaged, 40, 48); /* three quarters of 64 MiB */
    assert_in_range(paged, 40, 128);
    assert_int_equal(change(true, GIB(5), MIB(128)), STATUS_SUCCESS);
    assert_int_equal(pieces_of(POOL_FLAG_NON_PAGED), nonpaged);
    assert_in_range(pieces_of(POOL_FLAG_PAGED), paged,
                    128); /* up to the limit of the boot, RAM and page file, all of which can be had now */
    assert_int_equal(change(false, GIB(5), MIB(128)), STATUS_SUCCESS);
}

static void changes_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    assert_int_equal(change(true, MIB(1), PAGE_SIZE), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(change(true, MIB(15) - PAGE_SIZE, 2 * PAGE_SIZE), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(change(true, MIB(15) + 1, PAGE_SIZE), STATUS_INVALID_PARAMETER_1);
    assert_int_equal(change(true, MIB(15), PAGE_SIZE + 1), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(change(true, MIB(15), 0), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(change(true, GIB(100), PAGE_SIZE), STATUS_INVALID_PARAMETER_1); /* no room was left for it at boot */
    assert_int_equal(change(true, GIB(6), GIB(100)), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(change(true, UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE), STATUS_INVALID_PARAMETER_1);
    assert_int_equal(change(false, MIB(15), PAGE_SIZE), STATUS_MEMORY_NOT_ALLOCATED);
    assert_int_equal(change(false, MIB(15) - PAGE_SIZE, 2 * PAGE_SIZE), STATUS_MEMORY_NOT_ALLOCATED);
    ntmm_fail_allocation(1);
    assert_int_equal(change(true, GIB(6), PAGE_SIZE), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(total(), MIB(64));
    assert_true(ntmm_check());
    KIRQL before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, change(true, GIB(6), PAGE_SIZE));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, change(false, MIB(1), PAGE_SIZE));
}

static void the_next_machine_has_its_own_map(void **state)
{
    (void)state;
    assert_int_equal(change(true, GIB(6), MIB(1)), STATUS_SUCCESS);
    ntmm_cmocka_reboot();
    assert_int_equal(total(), MIB(64));
    assert_null(MmGetVirtualForPhysical(at(GIB(6))));
}

static void size_and_edition_follow_the_config(void **state)
{
    (void)state;
    const struct {
        uint64_t      ram;
        MM_SYSTEMSIZE size;
    } cases[] = { { MIB(63), MmSmallSystem }, { MIB(64), MmMediumSystem }, { MIB(1023), MmMediumSystem }, { GIB(1), MmLargeSystem } };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .physical_memory = cases[i].ram, .server = i % 2, .quiet = true }), 0);
        assert_int_equal(MmQuerySystemSize(), cases[i].size);
        assert_int_equal(MmIsThisAnNtAsSystem(), i % 2);
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(ranges_say_where_ram_is),
        ntmm_cmocka_test(every_region_has_physical_addresses),
        ntmm_cmocka_test(some_answers_are_to_be_had_at_any_irql),
        ntmm_cmocka_test(valid_means_a_touch_would_not_fault),
        ntmm_cmocka_test(copies_stop_where_memory_stops),
        ntmm_cmocka_test(physical_copies_are_of_ram_only),
        ntmm_cmocka_test(memory_is_added_and_removed),
        ntmm_cmocka_test(pools_are_as_large_as_at_the_boot),
        ntmm_cmocka_test(changes_that_make_no_sense_are_refused),
        ntmm_cmocka_test(the_next_machine_has_its_own_map),
        cmocka_unit_test(size_and_edition_follow_the_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
