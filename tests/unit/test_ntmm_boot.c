/*
 * test_ntmm_boot.c - the life of a machine: what boots, what is refused and why, what shutdown reports, and that none of it grows.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "../support/sanitizer.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- configs that must be refused, one row each ---- */

static const ntmm_ram_range OVERLAP[] = { { 0x100000, 0x200000 }, { 0x200000, 0x200000 } };
static const ntmm_ram_range NOT_ALIGNED[] = { { 0x100800, 0x200000 } };
static const ntmm_ram_range EMPTY[] = { { 0x100000, 0 }, { 0x100000, 0x100000 } };
static const ntmm_ram_range TOP[] = { { 0 - (uint64_t)PAGE_SIZE, PAGE_SIZE } };
static const ntmm_ram_range WRAPS[] = { { 0x100000, 0 - (uint64_t)PAGE_SIZE } };

static struct refused {
    const char *name;
    int         expected;
    ntmm_config config;
} REFUSED[] = {
    { "verifier flags are not built yet", -ENOTSUP, { .verifier = NTMM_VERIFY_IO } },
    { "the segment heap is not built yet", -ENOTSUP, { .pool_model = NTMM_POOL_SEGMENT } },
    { "a page file beyond any", -EINVAL, { .page_file_size = UINT64_MAX } },
    { "a page gate that does not exist", -EINVAL, { .page_gate = (enum ntmm_page_gate)3 } },
    { "a page replacement that does not exist", -EINVAL, { .page_replacement = (enum ntmm_page_replacement)3 } },
    { "65 processors", -EINVAL, { .processors = 65 } },
    { "65 NUMA nodes", -EINVAL, { .numa_nodes = 65 } },
    { "a pool model that does not exist", -EINVAL, { .pool_model = (enum ntmm_pool_model)7 } },
    { "a run policy that does not exist", -EINVAL, { .run_policy = (enum ntmm_run_policy)9 } },
    { "a Windows before 2000", -EINVAL, { .windows_version = 0x04000000 } },
    { "RAM ranges that overlap", -EINVAL, { .ram = OVERLAP, .ram_ranges = 2 } },
    { "a RAM range that is not page aligned", -EINVAL, { .ram = NOT_ALIGNED, .ram_ranges = 1 } },
    { "an empty RAM range", -EINVAL, { .ram = EMPTY, .ram_ranges = 1 } },
    { "RAM that is not whole pages", -EINVAL, { .physical_memory = 64 * MIB + 1 } },
    { "a RAM map of no ranges", -EINVAL, { .ram = OVERLAP } },
    { "ranges without a RAM map", -EINVAL, { .ram_ranges = 1 } },
    { "a RAM range at the top of 64 bits", -EINVAL, { .ram = TOP, .ram_ranges = 1 } },
    { "a RAM range that wraps", -EINVAL, { .ram = WRAPS, .ram_ranges = 1 } },
    { "an amount and a map that disagree", -EINVAL, { .physical_memory = 64 * MIB, .ram = EMPTY + 1, .ram_ranges = 1 } },
};

static void refuse_config(void **state)
{
    const struct refused *row = *state;
    assert_int_equal(ntmm_boot(&row->config), row->expected);
    assert_true(strlen(ntmm_error()) > 10);
    assert_int_equal(ntmm_boot(NULL), 0); /* nothing was half built */
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void boot_twice_is_busy(void **state)
{
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    assert_int_equal(ntmm_boot(NULL), -EBUSY);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void calls_without_a_machine_are_refused(void **state)
{
    ntmm_pool_usage usage;
    (void)state;
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Test")));
    assert_non_null(strstr(ntmm_error(), "ExAllocatePool2"));
    assert_false(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
    ntmm_query_pool(NonPagedPool, &usage);
    assert_int_equal(usage.allocs, 0);
    KeLowerIrql(PASSIVE_LEVEL); /* returns */
}

static void queries_without_a_machine_are_refused(void **state)
{
    PHYSICAL_ADDRESS highest = { .QuadPart = -1 }, physical;
    WCHAR            letters[] = { 'K', 'e', 'B', 'u', 'g', 'C', 'h', 'e', 'c', 'k' };
    UNICODE_STRING   name = { sizeof letters, sizeof letters, letters };
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .server = true }), 0);
    void *page = MmAllocateContiguousMemory(PAGE_SIZE, highest);
    physical = MmGetPhysicalAddress(page);
    assert_true(physical.QuadPart != 0 && MmGetVirtualForPhysical(physical) != NULL && MmIsAddressValid(page));
    assert_true(MmIsThisAnNtAsSystem() && MmQuerySystemSize() == MmMediumSystem && MmGetSystemRoutineAddress(&name) != NULL);
    assert_int_equal(ntmm_shutdown(NULL), 1);
    assert_int_equal(MmGetPhysicalAddress(page).QuadPart, 0);
    assert_non_null(strstr(ntmm_error(), "MmGetPhysicalAddress: no machine is up"));
    assert_null(MmGetVirtualForPhysical(physical));
    assert_non_null(strstr(ntmm_error(), "MmGetVirtualForPhysical: no machine is up"));
    assert_false(MmIsAddressValid(page));
    assert_non_null(strstr(ntmm_error(), "MmIsAddressValid: no machine is up"));
    assert_int_equal(MmQuerySystemSize(), MmSmallSystem);
    assert_non_null(strstr(ntmm_error(), "MmQuerySystemSize: no machine is up"));
    assert_false(MmIsThisAnNtAsSystem());
    assert_non_null(strstr(ntmm_error(), "MmIsThisAnNtAsSystem: no machine is up"));
    assert_null(MmGetSystemRoutineAddress(&name));
    assert_non_null(strstr(ntmm_error(), "MmGetSystemRoutineAddress: no machine is up"));
}

/* ---- the default machine ---- */

static void default_machine_has_memory_at_every_boundary(void **state)
{
    uint64_t               below_1m = 0, below_16m = 0, below_4g = 0, above = 0;
    unsigned               holes = 0;
    uint64_t               end = 0;
    PPHYSICAL_MEMORY_RANGE ranges;
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    ranges = MmGetPhysicalMemoryRanges();
    assert_non_null(ranges);
    for (int i = 0; ranges[i].NumberOfBytes.QuadPart != 0; i++) {
        uint64_t base = (uint64_t)ranges[i].BaseAddress.QuadPart, bytes = (uint64_t)ranges[i].NumberOfBytes.QuadPart;
        assert_true(base >= end);
        holes += base > end;
        end = base + bytes;
        *(end <= MIB ? &below_1m : end <= 16 * MIB ? &below_16m : end <= 4 * GIB ? &below_4g : &above) += bytes;
    }
    ExFreePool(ranges);
    assert_true(below_1m > 0 && below_16m > 0 && below_4g > 0 && above > 0);
    assert_int_equal(below_1m + below_16m + below_4g + above, 64 * MIB);
    assert_true(holes >= 3);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void fresh_memory_is_all_zeroed(void **state)
{
    ntmm_memory_usage usage;
    (void)state;
    for (int round = 0; round < 3; round++) {
        void *block;
        assert_int_equal(ntmm_boot(NULL), 0);
        ntmm_query_memory(&usage);
        assert_int_equal(usage.total, 64 * MIB / PAGE_SIZE);
        assert_int_equal(usage.zeroed + usage.free + usage.active, usage.total);
        assert_int_equal(usage.free, 0);
        block = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 3 * PAGE_SIZE, NTMM_TAG("Test"));
        assert_non_null(block);
        memset(block, 0xA5, 3 * PAGE_SIZE);
        ExFreePoolWithTag(block, NTMM_TAG("Test"));
        assert_true(ntmm_check());
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

static void same_calls_give_the_same_physical_addresses(void **state)
{
    PHYSICAL_ADDRESS seen[2][64], highest = { .QuadPart = 0xFFFFFF };
    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .seed = 42 }), 0);
        for (unsigned i = 0; i < 64; i++) {
            void *block = i % 8 == 7 ? MmAllocateContiguousMemory((1 + i) * PAGE_SIZE / 2, highest)
                                     : ExAllocatePool2(i % 3 != 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, 40 + i * 97, NTMM_TAG("Same"));
            assert_non_null(block);
            seen[round][i] = MmGetPhysicalAddress(block);
        }
        assert_int_equal(ntmm_shutdown(NULL), 64);
    }
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(seen[0][i].QuadPart, seen[1][i].QuadPart);
}

/* ---- leaks ---- */

static void leaks_are_listed_by_address(void **state)
{
    ntmm_report      report;
    PHYSICAL_ADDRESS highest = { .QuadPart = -1 };
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    void *small = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, NTMM_TAG("Smal"));
    void *big = ExAllocatePool2(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE + 5, NTMM_TAG("Big1"));
    void *paged = ExAllocatePool2(POOL_FLAG_PAGED, 100, NTMM_TAG("Pagd"));
    void *range = MmAllocateContiguousMemory(2 * PAGE_SIZE, highest);
    void *plain = MmAllocateNonCachedMemory(PAGE_SIZE);
    void *freed = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, NTMM_TAG("Gone"));
    ExFreePool(freed);
    assert_int_equal(ntmm_shutdown(&report), 5);
    assert_int_equal(report.leak_count, 5);
    unsigned found = 0;
    for (unsigned i = 0; i < 5; i++) {
        const ntmm_leak *leak = &report.leaks[i];
        assert_true(i == 0 || (uintptr_t)report.leaks[i - 1].address < (uintptr_t)leak->address);
        if (leak->address == small && leak->tag == NTMM_TAG("Smal") && leak->bytes >= 100 && leak->bytes < 200 &&
            leak->type == NonPagedPoolNx)
            found |= 1;
        if (leak->address == big && leak->tag == NTMM_TAG("Big1") && leak->bytes >= 3 * PAGE_SIZE + 5)
            found |= 2;
        if (leak->address == paged && leak->tag == NTMM_TAG("Pagd") && leak->type == PagedPool)
            found |= 4;
        if (leak->address == range && leak->bytes == 2 * PAGE_SIZE)
            found |= 8;
        if (leak->address == plain && leak->bytes == PAGE_SIZE)
            found |= 16;
    }
    assert_int_equal(found, 31);
}

static void more_leaks_than_the_report_lists(void **state)
{
    ntmm_report report;
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    for (int i = 0; i < 1000; i++)
        assert_non_null(ExAllocatePool2(POOL_FLAG_PAGED, 24, NTMM_TAG("Many")));
    assert_int_equal(ntmm_shutdown(&report), 1000);
    for (int i = 1; i < 64; i++)
        assert_true((uintptr_t)report.leaks[i - 1].address < (uintptr_t)report.leaks[i].address);
}

/* ---- refusing to shut down ---- */

static void shutdown_at_dispatch_level_is_refused(void **state)
{
    KIRQL old;
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(ntmm_shutdown(NULL), SIZE_MAX);
    assert_non_null(strstr(ntmm_error(), "IRQL"));
    KeLowerIrql(old);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static pthread_barrier_t raised, done;
static void             *raised_thread(void *unused)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    pthread_barrier_wait(&raised);
    pthread_barrier_wait(&done);
    KeLowerIrql(old);
    return unused;
}
static void shutdown_waits_for_nobody(void **state)
{
    pthread_t thread;
    (void)state;
    pthread_barrier_init(&raised, NULL, 2);
    pthread_barrier_init(&done, NULL, 2);
    assert_int_equal(ntmm_boot(NULL), 0);
    pthread_create(&thread, NULL, raised_thread, NULL);
    pthread_barrier_wait(&raised);
    assert_int_equal(ntmm_shutdown(NULL), SIZE_MAX);
    assert_false(ntmm_check());
    pthread_barrier_wait(&done);
    pthread_join(thread, NULL);
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static pthread_barrier_t together;
static void             *shut_down_together(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&together);
    return (void *)(uintptr_t)ntmm_shutdown(NULL);
}
static void *boot_together(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&together);
    return (void *)(intptr_t)ntmm_boot(&(ntmm_config){ .quiet = true });
}
static void stop(void *unused)
{
    (void)unused;
    KeBugCheck(MANUALLY_INITIATED_CRASH);
}
/* One of them shuts the machine down and has the leak; the others find no machine. Halted or not. */
static void one_of_many_boots_and_shuts_down(void **state)
{
    pthread_t thread[4];
    (void)state;
    pthread_barrier_init(&together, NULL, 4);
    for (int round = 0; round < 200; round++) {
        size_t booted = 0, leaks = 0;
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, boot_together, NULL), 0);
        for (int i = 0; i < 4; i++) {
            void *result = NULL;
            pthread_join(thread[i], &result);
            booted += result == NULL;
            assert_true(result == NULL || (intptr_t)result == -EBUSY);
        }
        assert_int_equal(booted, 1);
        assert_non_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Race")));
        if (round % 8 == 7)
            assert_true(ntmm_catch_bugcheck(stop, NULL, NULL));
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, shut_down_together, NULL), 0);
        for (int i = 0; i < 4; i++) {
            void *result = NULL;
            pthread_join(thread[i], &result);
            leaks += (size_t)(uintptr_t)result;
        }
        assert_int_equal(leaks, 1);
    }
    pthread_barrier_destroy(&together);
}

static void shut_down(void *leaks) { *(size_t *)leaks = ntmm_shutdown(NULL); }
/* Shutdown hands back what magazines hold, and meets the damage. The second one shuts the halted machine down. */
static void a_stop_during_shutdown_is_caught_and_leaves_a_machine_to_shut_down(void **state)
{
    size_t leaks = 77;
    char  *block[8];
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    for (int i = 0; i < 8; i++)
        assert_non_null(block[i] = ExAllocatePool2(POOL_FLAG_NON_PAGED, 48, NTMM_TAG("Dmgd")));
    for (int i = 0; i < 8; i++)
        ExFreePool(block[i]);
    for (int i = 0; i < 8; i++)
        memset(block[i] - 16, 0xA5, 16); /* headers of free blocks */
    assert_true(ntmm_catch_bugcheck(shut_down, &leaks, NULL));
    assert_int_equal(leaks, 77);
    assert_true(ntmm_shutdown(NULL) != SIZE_MAX);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- fork ---- */

static int child_has_no_machine_but_may_boot_one(void)
{
    void *block;
    if (ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Chld")) != NULL)
        return 1;
    if (ntmm_check())
        return 2;
    if (ntmm_boot(NULL) != 0)
        return 3;
    block = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 64, NTMM_TAG("Chld"));
    if (block == NULL)
        return 4;
    memset(block, 0xCC, 64);
    ExFreePool(block);
    return ntmm_shutdown(NULL) == 0 ? 0 : 5;
}
/* What the parent's thread does without a look at the machine, because it did the same a moment ago. */
static KSPIN_LOCK parents_lock;
static int        child_takes_no_fast_path(PVOID parents_block)
{
    KIRQL old = 0xff;
    if (ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Parn")) != NULL)
        return 1;
    ExFreePoolWithTag(parents_block, NTMM_TAG("Parn"));
    if (strstr(ntmm_error(), "forked child") == NULL)
        return 2;
    KeReleaseSpinLockFromDpcLevel(&parents_lock);
    if (parents_lock == 0 || strstr(ntmm_error(), "KeReleaseSpinLockFromDpcLevel: this is a forked child") == NULL)
        return 3;
    KeLowerIrql(PASSIVE_LEVEL);
    if (strstr(ntmm_error(), "KeLowerIrql: this is a forked child") == NULL || KeGetCurrentIrql() != PASSIVE_LEVEL)
        return 4;
    KeRaiseIrql(APC_LEVEL, &old);
    if (old != PASSIVE_LEVEL || strstr(ntmm_error(), "KeRaiseIrql: this is a forked child") == NULL)
        return 5;
    if (ntmm_boot(NULL) != 0)
        return 6;
    KeInitializeSpinLock(&parents_lock);
    KeAcquireSpinLock(&parents_lock, &old);
    if (old != PASSIVE_LEVEL || KeGetCurrentIrql() != DISPATCH_LEVEL)
        return 7;
    KeReleaseSpinLock(&parents_lock, old);
    return ntmm_shutdown(NULL) == 0 ? 0 : 8;
}
static void a_forked_child_takes_no_fast_path(void **state)
{
    int   status = -1;
    pid_t child;
    PVOID first, second;
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    first = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Parn"));
    second = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Parn"));
    ExFreePoolWithTag(first, NTMM_TAG("Parn")); /* one to be had again without a look */
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&parents_lock);
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(child_takes_no_fast_path(second));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    KeReleaseSpinLock(&parents_lock, old);
    ExFreePoolWithTag(second, NTMM_TAG("Parn"));
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}
static void a_forked_child_has_no_machine(void **state)
{
    int   status = -1;
    pid_t child;
    char *block;
    (void)state;
    assert_int_equal(ntmm_boot(NULL), 0);
    block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Parn"));
    memset(block, 0x11, 64);
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(child_has_no_machine_but_may_boot_one());
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(block[i], 0x11);
    ExFreePool(block);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- a thousand boots ---- */

typedef struct footprint {
    long resident_pages, mappings, descriptors;
} footprint;

static footprint footprint_now(void)
{
    footprint now = { 0, 0, 0 };
    long      unused;
    FILE     *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return now; /* not Linux: the loop still ran */
    if (fscanf(file, "%ld %ld", &unused, &now.resident_pages) != 2)
        now.resident_pages = 0;
    fclose(file);
    file = fopen("/proc/self/maps", "r");
    for (int c; file != NULL && (c = getc(file)) != EOF;)
        now.mappings += c == '\n';
    if (file != NULL)
        fclose(file);
    for (int fd = 0; fd < 256; fd++)
        now.descriptors += fcntl(fd, F_GETFD) != -1;
    return now;
}
/* ThreadSanitizer is told as much by few. */
#define LIVES (WATCHED_BY_TSAN ? 150 : 1100)
#define SHAPES (WATCHED_BY_TSAN ? 36 : 120)
/* Leaks of every kind, sometimes on a machine that has halted, sometimes after its RAM has changed. */
static void one_life(const ntmm_config *config, bool halts, bool changes)
{
    PHYSICAL_ADDRESS highest = { .QuadPart = -1 }, start = { .QuadPart = 15 << 20 };
    LARGE_INTEGER    bytes = { .QuadPart = 1 << 20 };
    assert_int_equal(ntmm_boot(config), 0);
    if (changes)
        assert_int_equal(MmAddPhysicalMemory(&start, &bytes), STATUS_SUCCESS);
    memset(ExAllocatePool2(POOL_FLAG_NON_PAGED, 5000, NTMM_TAG("Life")), 1, 5000);
    memset(ExAllocatePool2(POOL_FLAG_PAGED, 5000, NTMM_TAG("Life")), 1, 5000);
    memset(ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, 50, NTMM_TAG("Life")), 1, 50);
    memset(ExAllocatePool2(POOL_FLAG_PAGED, 50, NTMM_TAG("Life")), 1, 50);
    memset(MmAllocateContiguousMemory(5000, highest), 1, 5000);
    memset(MmAllocateContiguousNodeMemory(5000, (PHYSICAL_ADDRESS){ 0 }, highest, (PHYSICAL_ADDRESS){ 0 }, PAGE_READWRITE, 0), 1, 5000);
    memset(MmAllocateNonCachedMemory(5000), 1, 5000);
    assert_non_null(MmGetPhysicalMemoryRanges());
    assert_true(ntmm_check());
    if (halts)
        assert_true(ntmm_catch_bugcheck(stop, NULL, NULL));
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 8);
}
static void assert_not_grown(footprint before, long resident_pages)
{
    footprint now = footprint_now();
    assert_true(now.resident_pages - before.resident_pages < resident_pages);
    assert_true(now.mappings - before.mappings < 8); /* the process' own heap may have one more */
    assert_int_equal(now.descriptors, before.descriptors);
}
static void a_thousand_lives_do_not_grow(void **state)
{
    footprint   before = { 0, 0, 0 };
    ntmm_config quiet = { .quiet = true };
    (void)state;
    if (getenv("NTMM_EMULATED") != NULL) /* qemu-user keeps a record of every page that was ever mapped, and of every instruction */
        skip();
    for (int i = 0; i < LIVES; i++) {
        one_life(&quiet, i % 50 == 49, false);
        if (i == 99)
            before = footprint_now();
    }
    assert_not_grown(before, 64);
}
/* Every boot has another shape than the one before, so that nothing can be used again. */
static void a_hundred_machines_of_changing_shape_do_not_grow(void **state)
{
    static const ntmm_config shapes[] = { { .quiet = true, .physical_memory = 32 << 20 },
                                          { .quiet = true, .run_policy = NTMM_RUNS_BUDDY, .numa_nodes = 3 },
                                          { .quiet = true, .portable_memory = true },
                                          { .quiet = true, .paged_pool_limit = UINT64_C(2) << 30, .processors = 64 } };
    footprint                before = { 0, 0, 0 };
    (void)state;
    if (getenv("NTMM_EMULATED") != NULL)
        skip();
    for (int i = 0; i < SHAPES; i++) {
        one_life(&shapes[i % 4], i % 16 == 15, i % 3 == 0);
        if (i == 23)
            before = footprint_now();
    }
    assert_not_grown(before, 512);
}

static void unbacked_terabyte(void **state)
{
    ntmm_memory_usage usage;
    (void)state;
    /* qemu-user keeps a record of every page of address space: gigabytes of its own for a terabyte of ours */
    const uint64_t ram = getenv("NTMM_EMULATED") != NULL ? 64 * GIB : 1024 * GIB;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .physical_memory = ram, .unbacked_ram = true }), 0);
    ntmm_query_memory(&usage);
    assert_int_equal(usage.total, ram / PAGE_SIZE);
    assert_int_equal(usage.zeroed, usage.total);
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("None"))); /* no bytes behind the frames */
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

int main(void)
{
    struct CMUnitTest tests[17 + sizeof REFUSED / sizeof REFUSED[0]] = {
        cmocka_unit_test(calls_without_a_machine_are_refused),
        cmocka_unit_test(boot_twice_is_busy),
        cmocka_unit_test(default_machine_has_memory_at_every_boundary),
        cmocka_unit_test(fresh_memory_is_all_zeroed),
        cmocka_unit_test(same_calls_give_the_same_physical_addresses),
        cmocka_unit_test(leaks_are_listed_by_address),
        cmocka_unit_test(more_leaks_than_the_report_lists),
        cmocka_unit_test(shutdown_at_dispatch_level_is_refused),
        cmocka_unit_test(shutdown_waits_for_nobody),
        cmocka_unit_test(a_forked_child_has_no_machine),
        cmocka_unit_test(a_forked_child_takes_no_fast_path),
        cmocka_unit_test(a_thousand_lives_do_not_grow),
        cmocka_unit_test(a_hundred_machines_of_changing_shape_do_not_grow),
        cmocka_unit_test(unbacked_terabyte),
        cmocka_unit_test(queries_without_a_machine_are_refused),
        cmocka_unit_test(one_of_many_boots_and_shuts_down),
        cmocka_unit_test(a_stop_during_shutdown_is_caught_and_leaves_a_machine_to_shut_down),
    };
    size_t fixed = 17;
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        tests[fixed + i] = (struct CMUnitTest){ REFUSED[i].name, refuse_config, NULL, NULL, &REFUSED[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
