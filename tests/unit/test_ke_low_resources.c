/*
 * test_ke_low_resources.c - requests that fail at random: how many, which routines, the same again with the same seed, spared at first; and memory that is
 * not clean. A driver that survives goes on, and nothing leaks.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#define TAG 'woLm'
#define MANY 10000

static ntmm_config low = { .quiet = true, .verifier = NTMM_VERIFY_LOW_RESOURCES, .seed = 7 };
static ntmm_config always = {
    .quiet = true, .verifier = NTMM_VERIFY_LOW_RESOURCES, .low_resources_share = 10000, .low_resources_after = 3
};

/* Bit i: request i failed. */
static unsigned requests(unsigned char *failed)
{
    unsigned count = 0;
    memset(failed, 0, MANY / 8);
    for (unsigned i = 0; i < MANY; i++) {
        void *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
        if (p != NULL) {
            ExFreePoolWithTag(p, TAG);
            continue;
        }
        failed[i / 8] = (unsigned char)(failed[i / 8] | 1u << i % 8);
        count++;
    }
    return count;
}

static void six_in_a_hundred_fail_by_the_seed(void **state)
{
    static unsigned char first[MANY / 8], again[MANY / 8];
    ntmm_config          other = low;
    (void)state;
    unsigned count = requests(first);
    assert_in_range(count, 500, 700);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&low), 0);
    assert_int_equal(requests(again), count);
    assert_memory_equal(first, again, sizeof first);
    other.seed = 8;
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&other), 0);
    requests(again);
    assert_memory_not_equal(first, again, sizeof first);
}

static void lock_one(PMDL mdl, volatile NTSTATUS *status)
{
    __try {
        MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        *status = GetExceptionCode();
    }
}

static void all_that_can_fail_does(void **state)
{
    PHYSICAL_ADDRESS  zero = { .QuadPart = 0 }, all = { .QuadPart = -1 };
    volatile NTSTATUS status = STATUS_SUCCESS;
    (void)state;
    char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG), *paged = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, TAG);
    PMDL  mdl = IoAllocateMdl(paged, PAGE_SIZE, FALSE, FALSE, NULL);
    assert_non_null(p); /* three were spared */
    assert_non_null(paged);
    assert_non_null(mdl);
    assert_null(ExAllocatePoolWithTag(PagedPool, 1, TAG));
    assert_null(IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL));
    assert_null(IoAllocateIrp(1, FALSE));
    assert_null(MmAllocateContiguousMemory(PAGE_SIZE, all));
    assert_null(MmAllocateNonCachedMemory(PAGE_SIZE));
    assert_null(MmAllocatePagesForMdlEx(zero, all, zero, PAGE_SIZE, MmCached, 0));
    lock_one(mdl, &status);
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(p, TAG);
    ExFreePoolWithTag(paged, TAG);
    assert_true(ntmm_check());
}

static bool is_clean(const unsigned char *p)
{
    size_t zeros = 0;
    for (size_t i = 0; i < PAGE_SIZE; i++)
        zeros += p[i] == 0;
    return zeros > PAGE_SIZE / 16;
}

/* share 1 of 10,000: by this seed none of these requests fails. */
static void memory_is_not_clean(void **state)
{
    const ntmm_config *config = *state;
    bool               since_8_1 = config->windows_version == 0;
    PHYSICAL_ADDRESS   zero = { .QuadPart = 0 }, all = { .QuadPart = -1 };
    unsigned char     *contiguous = MmAllocateContiguousMemory(PAGE_SIZE, all), *noncached = MmAllocateNonCachedMemory(PAGE_SIZE);
    PMDL               dirty = MmAllocatePagesForMdlEx(zero, all, zero, PAGE_SIZE, MmCached, MM_DONT_ZERO_ALLOCATION);
    PMDL               clean = MmAllocatePagesForMdlEx(zero, all, zero, PAGE_SIZE, MmCached, 0);
    assert_int_equal(is_clean(contiguous), !since_8_1);
    assert_int_equal(is_clean(noncached), !since_8_1);
    assert_int_equal(is_clean(MmGetSystemAddressForMdlSafe(dirty, NormalPagePriority)), !since_8_1);
    assert_true(is_clean(MmGetSystemAddressForMdlSafe(clean, NormalPagePriority)));
    MmFreeContiguousMemory(contiguous);
    MmFreeNonCachedMemory(noncached, PAGE_SIZE);
    MmUnmapLockedPages(MmGetSystemAddressForMdlSafe(dirty, NormalPagePriority), dirty);
    MmUnmapLockedPages(MmGetSystemAddressForMdlSafe(clean, NormalPagePriority), clean);
    MmFreePagesFromMdl(dirty);
    MmFreePagesFromMdl(clean);
    ExFreePool(dirty);
    ExFreePool(clean);
}

int main(void)
{
    static ntmm_config newest = { .quiet = true, .verifier = NTMM_VERIFY_LOW_RESOURCES, .low_resources_share = 1 };
    static ntmm_config eight = {
        .quiet = true, .verifier = NTMM_VERIFY_LOW_RESOURCES, .low_resources_share = 1, .windows_version = NTDDI_WIN8
    };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(six_in_a_hundred_fail_by_the_seed, &low),
        ntmm_cmocka_test_config(all_that_can_fail_does, &always),
        ntmm_cmocka_test_config(memory_is_not_clean, &newest),
        ntmm_cmocka_test_config(memory_is_not_clean, &eight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
