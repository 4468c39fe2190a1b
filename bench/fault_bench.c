/*
 * fault_bench.c - what does a page fault of the machine cost, against the bare round trip of a signal on the same host?
 *
 *     ntmm_fault_bench [rounds]      default 9
 *
 * The floor is SIGSEGV delivered to a handler that steps over the instruction and returns. Everything else is one access to paged pool, or
 * one trimmed page, divided by the floor of the same round. Rounds are interleaved, gate by gate; printed is the median, and the spread of
 * the floor. Processor time of one thread; nothing is subtracted. Pages are visited in an order that is random, but the same in every round.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include <ntmm/ntmm.h>

#define TAG NTMM_TAG("Bnch")
#define PAGES 3000u      /* less than a batch of slots of the default machine (src/mm/slots.c) */
#define MANY (3 * PAGES) /* more than that */
#define ROUNDS_MOST 101

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- the floor ---- */

#if defined(__x86_64__) && defined(__linux__)
#define TOUCH(p) __asm__ volatile("movb (%%rax), %%al" : "+a"(p)::"memory") /* two bytes long */
static void step_over(ucontext_t *context) { context->uc_mcontext.gregs[REG_RIP] += 2; }
#elif defined(__aarch64__) && defined(__linux__)
#define TOUCH(p) __asm__ volatile("ldrb wzr, [%0]" : : "r"(p) : "memory")
static void step_over(ucontext_t *context) { context->uc_mcontext.pc += 4; }
#elif defined(__aarch64__) && defined(__APPLE__)
#define TOUCH(p) __asm__ volatile("ldrb wzr, [%0]" : : "r"(p) : "memory")
static void step_over(ucontext_t *context) { context->uc_mcontext->__ss.__pc += 4; }
#elif defined(__x86_64__) && defined(__APPLE__)
#define TOUCH(p) __asm__ volatile("movb (%%rax), %%al" : "+a"(p)::"memory")
static void step_over(ucontext_t *context) { context->uc_mcontext->__ss.__rip += 2; }
#endif

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    step_over(context);
}

static double floor_ns(void)
{
    struct sigaction ours = { .sa_flags = SA_SIGINFO }, before[2];
    char            *closed = mmap(NULL, PAGES * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    ours.sa_sigaction = on_signal;
    sigaction(SIGSEGV, &ours, &before[0]);
    sigaction(SIGBUS, &ours, &before[1]);
    double start = now_ns();
    for (size_t i = 0; i < PAGES; i++) {
        char *p = closed + i * PAGE_SIZE;
        TOUCH(p);
    }
    double took = (now_ns() - start) / PAGES;
    sigaction(SIGSEGV, &before[0], NULL);
    sigaction(SIGBUS, &before[1], NULL);
    munmap(closed, PAGES * PAGE_SIZE);
    return took;
}

/* ---- the machine ---- */

static uint32_t order[PAGES];

static void shuffle(void)
{
    uint64_t state = 0x5eed;
    for (uint32_t i = 0; i < PAGES; i++)
        order[i] = i;
    for (uint32_t i = PAGES - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t k = (uint32_t)((state >> 33) % (i + 1)), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
}

static char *page[PAGES];

static double touch_all(bool random, bool write)
{
    double start = now_ns();
    for (uint32_t i = 0; i < PAGES; i++) {
        volatile char *p = page[random ? order[i] : i];
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    return (now_ns() - start) / PAGES;
}

enum { SOFT_READ, SOFT_WRITE, TRIM, HARD_ALONE, HARD_IN_A_ROW, HARD_BARE, ZERO_ALONE, ZERO_IN_A_ROW, FRESH, MEASURES };
static const struct measure {
    const char *name, *must;
} MEASURES_OF[MEASURES] = {
    [SOFT_READ] = { "soft fault, read", "1.9, by mprotect 2.5" },
    [SOFT_WRITE] = { "soft fault, write", "1.9, by mprotect 2.5" },
    [TRIM] = { "a page trimmed", "0.3" },
    [HARD_ALONE] = { "hard fault, one page", "4.0" },
    [HARD_IN_A_ROW] = { "hard faults in a row, for each page", "0.6" },
    [HARD_BARE] = { "the same, the host has the memory back", "" },
    [ZERO_ALONE] = { "demand zero, one page", "" },
    [ZERO_IN_A_ROW] = { "demand zero in a row, for each page", "" },
    [FRESH] = { "a fresh page from the pool, allocated and touched", "" },
};

static void row_of_pages(char *run)
{
    for (uint32_t i = 0; i < PAGES; i++)
        page[i] = run + (size_t)i * PAGE_SIZE;
}

/* So many pages are out that the host has been given the memory of all of them: it must make it anew. */
static void measure_bare_pages(double *ns)
{
    char  *run = ExAllocatePool2(POOL_FLAG_PAGED, MANY * PAGE_SIZE, TAG);
    double start;
    for (size_t i = 0; i < MANY; i++)
        run[i * PAGE_SIZE] = 1;
    ntmm_page_out();
    start = now_ns();
    for (size_t i = 0; i < PAGES; i++)
        (void)*(volatile char *)(run + i * PAGE_SIZE);
    ns[HARD_BARE] = (now_ns() - start) / PAGES;
    ExFreePoolWithTag(run, TAG);
}

/* Every second of twice as many pages: none has a neighbour that could come along. */
#define LONE (PAGES / 2)
static void lone_pages(void)
{
    static char *between[LONE];
    for (uint32_t i = 0; i < LONE; i++) {
        page[i] = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, PAGE_SIZE, TAG);
        between[i] = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, PAGE_SIZE, TAG);
    }
    for (uint32_t i = 0; i < LONE; i++)
        ExFreePoolWithTag(between[i], TAG);
}

static void free_pages(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ExFreePoolWithTag(page[i], TAG);
}

static void measure_runs(double *ns)
{
    char *run = ExAllocatePool2(POOL_FLAG_PAGED, PAGES * PAGE_SIZE, TAG);
    row_of_pages(run);
    ns[ZERO_ALONE] = touch_all(true, true);
    double start = now_ns();
    size_t trimmed = ntmm_trim_pageable();
    ns[TRIM] = (now_ns() - start) / (double)trimmed;
    ns[SOFT_READ] = touch_all(true, false);
    ntmm_trim_pageable();
    ns[SOFT_WRITE] = touch_all(true, true);
    /* The first times the page file is read, the host moves its pages from list to list (folio_mark_accessed): a quarter of the time. */
    for (int warm = 0; warm < 5; warm++) {
        ntmm_page_out();
        ns[HARD_IN_A_ROW] = touch_all(false, false);
    }
    ExFreePoolWithTag(run, TAG);
    run = ExAllocatePool2(POOL_FLAG_PAGED, PAGES * PAGE_SIZE, TAG);
    row_of_pages(run);
    ns[ZERO_IN_A_ROW] = touch_all(false, true);
    ExFreePoolWithTag(run, TAG);
}

static void measure_lone_pages(double *ns)
{
    lone_pages();
    for (uint32_t i = 0; i < LONE; i++)
        *page[i] = 1;
    for (int warm = 0; warm < 2; warm++) {
        ntmm_page_out();
        double start = now_ns();
        for (uint32_t i = 0; i < PAGES; i++)
            if (order[i] < LONE)
                (void)*(volatile char *)page[order[i]];
        ns[HARD_ALONE] = (now_ns() - start) / LONE;
    }
    free_pages(LONE);
}

static void measure_fresh_pages(double *ns)
{
    double start = now_ns();
    for (uint32_t i = 0; i < PAGES; i++) {
        page[i] = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, TAG);
        *page[i] = 1;
    }
    ns[FRESH] = (now_ns() - start) / PAGES;
    free_pages(PAGES);
}

static bool measure(enum ntmm_page_gate gate, double *ns)
{
    ntmm_config config = { .quiet = true, .page_gate = gate, .no_magazines = true };
    void (*const parts[])(double *) = { measure_fresh_pages, measure_runs, measure_lone_pages, measure_bare_pages };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (ntmm_boot(&config) != 0)
            return false;
        parts[i](ns);
        ntmm_shutdown(NULL);
    }
    return true;
}

/* ---- the report ---- */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "userfaultfd", "mprotect" };
    static double            ratio[2][MEASURES][ROUNDS_MOST], floors[ROUNDS_MOST];
    bool                     there[2] = { true, true };
    int                      rounds = argc > 1 ? atoi(argv[1]) : 9;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
    shuffle();
    for (int round = 0; round < rounds; round++) {
        floors[round] = floor_ns();
        for (int g = 0; g < 2; g++) {
            double ns[MEASURES];
            there[g] = there[g] && measure(g == 0 ? NTMM_GATE_USERFAULTFD : NTMM_GATE_MPROTECT, ns);
            for (int m = 0; m < MEASURES; m++)
                ratio[g][m][round] = there[g] ? ns[m] / floors[round] : 0;
        }
    }
    double low = median(floors, rounds), high = floors[rounds - 1];
    printf("floor: SIGSEGV and back, %.0f ns (from %.0f to %.0f in %d rounds)\n\n", low, floors[0], high, rounds);
    printf("%-50s %12s %12s   at most\n", "in floors, median", names[0], names[1]);
    for (int m = 0; m < MEASURES; m++)
        printf("%-50s %12.2f %12.2f   %s\n", MEASURES_OF[m].name, median(ratio[0][m], rounds), median(ratio[1][m], rounds),
               MEASURES_OF[m].must);
    for (int g = 0; g < 2; g++)
        if (!there[g])
            printf("(this host has no gate by %s)\n", names[g]);
    return 0;
}
