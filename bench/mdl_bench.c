/*
 * mdl_bench.c - what does it cost to lock a buffer, give it a system address, and take both back, against what the host charges for less?
 *
 *     ntmm_mdl_bench [--quick] [--rounds N]      default 9
 *
 * One system call   getppid(): a number comes back, nothing else happens.
 * In place          64 KiB of nonpaged pool or contiguous memory: no system call is made, so that it is compared with one. The whole life of an
 *                   MDL, IoAllocateMdl to IoFreeMdl, and that of an MDL that is used again.
 * Scattered         16 pages of paged pool, no two in a row, so that each needs a host mapping: locked, mapped, each page touched once,
 *                   unmapped, unlocked. The floor is what no implementation can avoid: 16 mmap() of such pages into one reservation, the
 *                   16 touches, one mmap() that makes the range bare again.
 *
 * Processor time of one thread; rounds take turns, printed are medians. `at most` is what the design asks for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <ntmm/ntmm.h>

#define TAG NTMM_TAG("Bnch")
#define BYTES ((SIZE_T)64 << 10)
#define PAGES 16u
#define ROUNDS_MOST 99

static unsigned loops = 20000;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- floors ---- */

static double system_call_ns(void)
{
    double start = now_ns();
    for (unsigned i = 0; i < loops; i++)
        (void)syscall(SYS_getppid);
    return (now_ns() - start) / loops;
}

static void touch_pages(char *base, SIZE_T page)
{
    for (unsigned k = 0; k < PAGES; k++)
        *(volatile char *)(base + k * page) = 1;
}

static double bare_mappings_ns(void)
{
    static int   fd = -1;
    static char *at;
    const SIZE_T page = PAGE_SIZE;
    if (fd < 0) {
        char name[] = "/tmp/ntmm_mdl_bench_XXXXXX";
        fd = mkstemp(name);
        if (fd < 0 || unlink(name) != 0 || ftruncate(fd, (off_t)(2 * PAGES * page)) != 0)
            exit(2);
        at = mmap(NULL, PAGES * page, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    }
    unsigned rounds = loops / 20;
    double   start = now_ns();
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < PAGES; k++)
            if (mmap(at + k * page, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)(2 * k * page)) == MAP_FAILED)
                exit(2);
        touch_pages(at, page);
        if (mmap(at, PAGES * page, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0) == MAP_FAILED)
            exit(2);
    }
    return (now_ns() - start) / rounds;
}

/* ---- in place ---- */

static void lock_and_map(PMDL mdl)
{
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    (void)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    MmUnlockPages(mdl);
}

static double whole_life_ns(char *buffer)
{
    double start = now_ns();
    for (unsigned i = 0; i < loops; i++) {
        PMDL mdl = IoAllocateMdl(buffer, (ULONG)BYTES, FALSE, FALSE, NULL);
        lock_and_map(mdl);
        IoFreeMdl(mdl);
    }
    return (now_ns() - start) / loops;
}

static double again_ns(char *buffer)
{
    PMDL   mdl = IoAllocateMdl(buffer, (ULONG)BYTES, FALSE, FALSE, NULL);
    double start = now_ns();
    for (unsigned i = 0; i < loops; i++)
        lock_and_map(mdl);
    double took = (now_ns() - start) / loops;
    IoFreeMdl(mdl);
    return took;
}

static double built_ns(char *buffer)
{
    double start = now_ns();
    for (unsigned i = 0; i < loops; i++) {
        PMDL mdl = IoAllocateMdl(buffer, (ULONG)BYTES, FALSE, FALSE, NULL);
        MmBuildMdlForNonPagedPool(mdl);
        (void)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        IoFreeMdl(mdl);
    }
    return (now_ns() - start) / loops;
}

/* ---- scattered ---- */

static double scattered_ns(void)
{
    FILE_SEGMENT_ELEMENT segments[PAGES];
    char                *pages = ExAllocatePool2(POOL_FLAG_PAGED, 2 * PAGES * PAGE_SIZE, TAG);
    PMDL                 mdl = IoAllocateMdl(NULL, PAGES * PAGE_SIZE, FALSE, FALSE, NULL);
    unsigned             rounds = loops / 20;
    for (unsigned k = 0; k < PAGES; k++)
        segments[k].Buffer = pages + 2 * (size_t)k * PAGE_SIZE;
    memset(pages, 1, 2 * PAGES * PAGE_SIZE);
    double start = now_ns();
    for (unsigned i = 0; i < rounds; i++) {
        MmProbeAndLockSelectedPages(mdl, segments, KernelMode, IoWriteAccess);
        touch_pages(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute), PAGE_SIZE);
        MmUnlockPages(mdl);
    }
    double took = (now_ns() - start) / rounds;
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pages, TAG);
    return took;
}

/* ---- the report ---- */

enum { SYSTEM_CALL, POOL_LIFE, POOL_AGAIN, POOL_BUILT, CONTIGUOUS_LIFE, BARE, SCATTERED, MEASURES };
static const struct measure {
    const char *name, *must;
    int         floor; /* what it is divided by */
} MEASURES_OF[MEASURES] = {
    [SYSTEM_CALL] = { "one system call", "", SYSTEM_CALL },
    [POOL_LIFE] = { "64 KiB of pool: MDL made, locked, mapped, all undone", "2, aim 0.5", SYSTEM_CALL },
    [POOL_AGAIN] = { "the same with an MDL that is used again", "2, aim 0.5", SYSTEM_CALL },
    [POOL_BUILT] = { "the same, built for nonpaged pool", "2, aim 0.5", SYSTEM_CALL },
    [CONTIGUOUS_LIFE] = { "64 KiB of contiguous memory: made, locked, mapped", "2, aim 0.5", SYSTEM_CALL },
    [BARE] = { "16 scattered pages: host mappings and touches", "", BARE },
    [SCATTERED] = { "16 scattered pages: locked, mapped, touched, undone", "1.25", BARE },
};

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(const double *values, int count)
{
    static double sorted[ROUNDS_MOST];
    memcpy(sorted, values, (size_t)count * sizeof sorted[0]);
    qsort(sorted, (size_t)count, sizeof sorted[0], compare);
    return sorted[count / 2];
}

static void measure(double took[MEASURES][ROUNDS_MOST], int round)
{
    const PHYSICAL_ADDRESS anywhere = { .QuadPart = -1 };
    char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, BYTES, TAG), *contiguous = MmAllocateContiguousMemory(BYTES, anywhere);
    took[SYSTEM_CALL][round] = system_call_ns();
    took[POOL_LIFE][round] = whole_life_ns(pool);
    took[POOL_AGAIN][round] = again_ns(pool);
    took[POOL_BUILT][round] = built_ns(pool);
    took[CONTIGUOUS_LIFE][round] = whole_life_ns(contiguous);
    took[BARE][round] = bare_mappings_ns();
    took[SCATTERED][round] = scattered_ns();
    ExFreePoolWithTag(pool, TAG);
    MmFreeContiguousMemory(contiguous);
}

int main(int argc, char **argv)
{
    static double took[MEASURES][ROUNDS_MOST];
    int           rounds = 9;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            rounds = 1;
            loops = 1000;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = atoi(argv[++i]);
        } else {
            fprintf(stderr, "usage: %s [--quick] [--rounds N]\n", argv[0]);
            return 2;
        }
    }
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
    if (ntmm_boot(NULL) != 0) {
        fprintf(stderr, "%s\n", ntmm_error());
        return 1;
    }
    for (int round = 0; round < rounds; round++)
        measure(took, round);
    ntmm_shutdown(NULL);
    printf("%-56s %10s %8s   at most\n", "median", "ns", "floors");
    for (int m = 0; m < MEASURES; m++) {
        double ns = median(took[m], rounds);
        printf("%-56s %10.1f %8.2f   %s\n", MEASURES_OF[m].name, ns, ns / median(took[MEASURES_OF[m].floor], rounds), MEASURES_OF[m].must);
    }
    return 0;
}
