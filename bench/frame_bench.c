/*
 * frame_bench.c - what does a frame cost, one by one and in runs, what an IRQL, what a __try, and what does the machine around them
 *                 cost?
 *
 * Singles   a frame taken and put back as the pools' pages do it, inline, and through calls, beside an uncontended atomic addition.
 * Runs      mm_frames_get of 512 frames: search, and 512 PFN entries written. The map: 16 GiB of unbacked RAM, all of it taken, one frame
 *           in ten given back at random, and 64 aligned runs of 512 given back at random places, for in such a map long runs do not exist
 *           by chance. The same map for each policy; each repetition takes all 64 and gives them back.
 * IRQL      KeRaiseIrql to DISPATCH_LEVEL and KeLowerIrql back, which claims and leaves a processor, and a spin lock around nothing, each
 *           beside an uncontended atomic addition. The library is linked statically here: a shared one adds two indirect calls.
 * Try       a __try whose body raises nothing, beside a sigsetjmp() that saves no signal mask: neither makes a system call. And one whose body
 *           raises: the calls are walked, the filter is asked, the stack unwound.
 * Machine   ntmm_boot and ntmm_shutdown of a machine that nobody uses, beside the first touch of a page of a fresh memory object, which is
 *           what the host charges for anything new.
 * Time      processor time of the thread; the median of the repetitions, in which the things compared take turns. The machine's rows are
 *           wall time.
 *
 * usage: ntmm_frame_bench [--json FILE] [--repetitions N] [--quick] [--strict]
 *        --quick: 1 GiB, for a smoke test.  --strict: exit status 1 when a target that must be met is missed by more than 15 %.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ntmm/ntmm.h>

#include "mm/frame_cache.h"
#include "try_loop.h"

#define RUN 512u
#define PLANTED 64u
#define MOST_REPETITIONS 31u
#define SEED UINT64_C(88172645463325252)
#define GIB(n) ((uint64_t)(n) << 30)

static unsigned repetitions = 11, missed;
static bool     quick;

/* ---- time and results ---- */

static double clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

typedef struct sample {
    double cpu, real;
} sample_t; /* ns of one operation */

static sample_t now(void) { return (sample_t){ clock_ns(CLOCK_THREAD_CPUTIME_ID), clock_ns(CLOCK_MONOTONIC) }; }
static sample_t since(sample_t start, double operations)
{
    sample_t t = now();
    return (sample_t){ (t.cpu - start.cpu) / operations, (t.real - start.real) / operations };
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct result {
    char     name[96], extra[256];
    sample_t time;
} result_t;
static result_t results[64];
static unsigned result_count;

__attribute__((format(printf, 3, 4))) static sample_t report(const char *name, const sample_t *samples, const char *extra, ...)
{
    double    cpu[MOST_REPETITIONS], real[MOST_REPETITIONS];
    result_t *r = &results[result_count++];
    va_list   arguments;
    for (unsigned i = 0; i < repetitions; i++) {
        cpu[i] = samples[i].cpu;
        real[i] = samples[i].real;
    }
    qsort(cpu, repetitions, sizeof *cpu, by_size);
    qsort(real, repetitions, sizeof *real, by_size);
    *r = (result_t){ .time = { cpu[repetitions / 2], real[repetitions / 2] } };
    snprintf(r->name, sizeof r->name, "%s", name);
    va_start(arguments, extra);
    vsnprintf(r->extra, sizeof r->extra, extra, arguments);
    va_end(arguments);
    printf("  %-52s %14.1f ns  %s\n", r->name, r->time.cpu, r->extra);
    fflush(stdout);
    return r->time;
}

/* A ratio that should be small, beside what is promised and what is hoped for. */
static void judge(const char *what, double ratio, double must, double aim)
{
    result_t *r = &results[result_count++];
    missed += ratio > must * 1.15;
    *r = (result_t){ .time = { 0, 0 } };
    snprintf(r->name, sizeof r->name, "target/%s", what);
    snprintf(r->extra, sizeof r->extra, "\"ratio\": %.6g, \"must\": %.6g, \"aim\": %.6g, \"met\": %s, \"aim_met\": %s", ratio, must, aim,
             ratio <= must ? "true" : "false", ratio <= aim ? "true" : "false");
    if (ratio < 0.01)
        printf("  => %-49s 1/%-12.0f must 1/%-8.0f %-7s aim 1/%-8.0f %s\n", what, 1 / ratio, 1 / must, ratio <= must ? "met" : "MISSED",
               1 / aim, ratio <= aim ? "met" : "missed");
    else
        printf("  => %-49s %-14.4g must %-10.4g %-7s aim %-10.4g %s\n", what, ratio, must, ratio <= must ? "met" : "MISSED", aim,
               ratio <= aim ? "met" : "missed");
}

static int write_json(const char *path)
{
    FILE  *f = fopen(path, "w");
    time_t t = time(NULL);
    char   date[64];
    if (f == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", localtime(&t));
    fprintf(f,
            "{\n  \"context\": {\"date\": \"%s\", \"executable\": \"ntmm_frame_bench\", \"repetitions\": %u, \"seed\": %llu, "
            "\"page_size\": %u, "
            "\"quick\": %s, \"aggregate\": \"median\"},\n  \"benchmarks\": [\n",
            date, repetitions, (unsigned long long)SEED, PAGE_SIZE, quick ? "true" : "false");
    for (unsigned i = 0; i < result_count; i++)
        fprintf(
            f,
            "    {\"name\": \"%s\", \"run_type\": \"iteration\", \"real_time\": %.6g, \"cpu_time\": %.6g, \"time_unit\": \"ns\"%s%s}%s\n",
            results[i].name, results[i].time.real, results[i].time.cpu, results[i].extra[0] ? ", " : "", results[i].extra,
            i + 1 < result_count ? "," : "");
    fprintf(f, "  ]\n}\n");
    return fclose(f) == 0 ? 0 : 1;
}

static uint64_t random_state = SEED;
static uint64_t random_below(uint64_t bound) /* splitmix64 */
{
    uint64_t x = random_state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint64_t)(((unsigned __int128)(x ^ x >> 31) * bound) >> 64);
}

static void boot(const ntmm_config *config)
{
    if (ntmm_boot(config) != 0 || ke_thread_ready("ntmm_frame_bench") == NULL) {
        fprintf(stderr, "no machine: %s\n", ntmm_error());
        exit(1);
    }
}

/* What single frames and the IRQL are compared with. */
static sample_t additions(void)
{
    enum { ADDITIONS = 2000000 };
    static _Atomic uint64_t counter;
    sample_t                start = now();
    for (unsigned i = 0; i < ADDITIONS; i++)
        atomic_fetch_add(&counter, 1);
    return since(start, ADDITIONS);
}

/* ---- single frames ---- */

static void singles(void)
{
    enum { PAIRS = 2000000, MANY = 200000 };
    static mm_pfn_number_t held[MANY];
    sample_t               add[MOST_REPETITIONS], pair[MOST_REPETITIONS], called[MOST_REPETITIONS], many[MOST_REPETITIONS];
    printf("\n1. single frames, 16 GiB\n");
    boot(&(ntmm_config){ .physical_memory = GIB(quick ? 1 : 16), .unbacked_ram = true });
    mm_frame_put(mm_frame_get(MM_ANY_NODE, NULL));
    for (unsigned r = 0; r < repetitions; r++) {
        add[r] = additions();
        sample_t start = now();
        for (unsigned i = 0; i < PAIRS; i++)
            mm_frame_put(mm_frame_get(MM_ANY_NODE, NULL));
        called[r] = since(start, PAIRS);
        start = now();
        for (unsigned i = 0; i < PAIRS; i++)
            mm_frame_put_inline(mm_frame_get_inline(MM_ANY_NODE, MM_FREE, NULL));
        pair[r] = since(start, PAIRS);
        start = now();
        for (unsigned i = 0; i < MANY; i++)
            held[i] = mm_frame_get(MM_ANY_NODE, NULL);
        for (unsigned i = MANY; i-- > 0;)
            mm_frame_put(held[i]);
        many[r] = since(start, MANY);
    }
    sample_t one = report("atomic addition, uncontended", add, "%s", "");
    sample_t cached = report("single/get + put, cached, inline", pair, "%s", "");
    report("single/get + put, cached, two calls", called, "%s", "");
    sample_t uncached = report("single/200,000 gets, then 200,000 puts, a pair", many, "%s", "");
    judge("cached pair / atomic addition", cached.cpu / one.cpu, 1.5, 0.8);
    judge("pair through the run space / atomic addition", uncached.cpu / one.cpu, 6, 4);
    ntmm_shutdown(NULL);
}

/* ---- runs ---- */

/* Takes all of RAM, gives one frame in ten back, then the planted runs. Frames go straight to the run spaces, not through a cache. */
static void fragment(void)
{
    uint64_t count = mm_frames.map.page_count;
    random_state = SEED;
    for (uint32_t i = 0; i < mm_frames.map.range_count; i++) {
        mm_ram_range_t  range = mm_frames.map.range[i];
        mm_frame_want_t all = {
            .page_count = 1, .low = range.first_pfn, .high = range.first_pfn + range.page_count - 1, .node = MM_ANY_NODE
        };
        while (mm_frames_get(&all, NULL) != MM_PFN_NONE) {
            if (all.page_count < RUN)
                all.page_count *= 2;
        }
        all.page_count = 1;
        while (mm_frames_get(&all, NULL) != MM_PFN_NONE)
            ;
    }
    for (uint64_t i = 0; i < count / 10; i++) {
        mm_pfn_number_t pfn = mm_ram_map_nth(&mm_frames.map, random_below(count));
        if (mm_pfn_entry(pfn)->list == MM_ACTIVE)
            mm_frames_put(pfn, 1);
    }
    for (unsigned i = 0; i < PLANTED; i++) {
        mm_pfn_number_t first = mm_ram_map_highest(&mm_frames.map) / RUN * RUN - RUN * (1 + random_below(count / RUN / 2));
        for (mm_pfn_number_t pfn = first; pfn < first + RUN; pfn++)
            if (mm_pfn_entry(pfn)->list == MM_ACTIVE)
                mm_frames_put(pfn, 1);
    }
}

static sample_t runs_of(const char *name, enum ntmm_run_policy policy, sample_t *failing)
{
    sample_t        get[MOST_REPETITIONS];
    mm_pfn_number_t first[PLANTED];
    mm_frame_want_t want = { .page_count = RUN, .high = UINT64_MAX, .node = MM_ANY_NODE };
    char            label[96];
    unsigned        found = 0;
    boot(&(ntmm_config){ .physical_memory = GIB(quick ? 1 : 16), .unbacked_ram = true, .run_policy = policy });
    fragment();
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    for (unsigned r = 0; r < repetitions; r++) {
        sample_t start = now();
        for (found = 0; found < PLANTED / 2 && (first[found] = mm_frames_get(&want, NULL)) != MM_PFN_NONE;)
            found++;
        get[r] = since(start, found != 0 ? found : 1);
        for (unsigned i = found; i-- > 0;)
            mm_frames_put(first[i], RUN);
    }
    snprintf(label, sizeof label, "run/512 frames, %s", name);
    sample_t t = report(label, get, "\"used\": %.3f, \"found\": %u", (double)usage.active / (double)usage.total, found);
    want.page_count = 4 * RUN; /* nothing as long as that */
    unsigned tries = policy == NTMM_RUNS_LINEAR ? 4 : 10000;
    for (unsigned r = 0; r < repetitions; r++) {
        sample_t start = now();
        for (unsigned i = 0; i < tries; i++)
            first[0] = mm_frames_get(&want, NULL);
        get[r] = since(start, tries);
    }
    snprintf(label, sizeof label, "run/2048 frames, %s, %s", first[0] == MM_PFN_NONE ? "none exists" : "found", name);
    *failing = report(label, get, "%s", "");
    ntmm_shutdown(NULL);
    return t;
}

static void runs(void)
{
    printf("\n2. runs of 512 frames, search and take, 90 %% used\n");
    sample_t failing[3];
    sample_t indexed = runs_of("indexed", NTMM_RUNS_INDEXED, &failing[0]);
    sample_t linear = runs_of("linear", NTMM_RUNS_LINEAR, &failing[1]);
    runs_of("buddy", NTMM_RUNS_BUDDY, &failing[2]);
    judge("run of 512: indexed / linear", indexed.cpu / linear.cpu, 1.0 / 2000, 1.0 / 10000);
    judge("no such run: indexed / linear", failing[0].cpu / failing[1].cpu, 1.0 / 100000, 1.0 / 3000000);
}

/* ---- IRQL ---- */

static void irql(void)
{
    enum { PAIRS = 2000000 };
    sample_t   add[MOST_REPETITIONS], raised[MOST_REPETITIONS], locked[MOST_REPETITIONS];
    KSPIN_LOCK lock;
    KIRQL      old;
    printf("\n3. IRQL\n");
    boot(&(ntmm_config){ .quiet = true });
    KeInitializeSpinLock(&lock);
    KeRaiseIrql(DISPATCH_LEVEL, &old); /* a processor is this thread's from now on, as long as nobody else wants it */
    KeLowerIrql(old);
    for (unsigned r = 0; r < repetitions; r++) {
        add[r] = additions();
        sample_t start = now();
        for (unsigned i = 0; i < PAIRS; i++) {
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            KeLowerIrql(old);
        }
        raised[r] = since(start, PAIRS);
        start = now();
        for (unsigned i = 0; i < PAIRS; i++) {
            KeAcquireSpinLock(&lock, &old);
            KeReleaseSpinLock(&lock, old);
        }
        locked[r] = since(start, PAIRS);
    }
    sample_t one = report("irql/atomic addition, uncontended", add, "%s", "");
    sample_t pair = report("irql/raise to DISPATCH_LEVEL + lower", raised, "%s", "");
    report("irql/spin lock, uncontended", locked, "%s", "");
    judge("raise + lower / atomic addition", pair.cpu / one.cpu, 2, 0.5);
    ntmm_shutdown(NULL);
}

/* ---- exceptions ---- */

static sample_t loop(void (*body)(unsigned), unsigned times, double floor)
{
    sample_t start = now();
    body(times);
    sample_t t = since(start, times);
    return (sample_t){ t.cpu - floor, t.real - floor };
}

static void exceptions(void)
{
    enum { TIMES = 2000000, RAISES = 20000 };
    sample_t set[MOST_REPETITIONS], tried[MOST_REPETITIONS], raised[MOST_REPETITIONS];
    printf("\n4. __try\n");
    boot(&(ntmm_config){ .quiet = true });
    for (unsigned r = 0; r < repetitions; r++) {
        double floor = loop(loop_plain, TIMES, 0).cpu;
        set[r] = loop(loop_sigsetjmp, TIMES, floor);
        tried[r] = loop(loop_try, TIMES, floor);
        raised[r] = loop(loop_raise, RAISES, floor);
    }
    sample_t one = report("try/sigsetjmp(..., 0)", set, "%s", "");
    sample_t other = report("try/__try and __except, nothing raised", tried, "%s", "");
    report("try/raised and handled, two calls away", raised, "%s", "");
    judge("__try / sigsetjmp", other.cpu / one.cpu, 4, 2);
    ntmm_shutdown(NULL);
}

/* ---- the machine ---- */

static sample_t first_touch(void)
{
    enum { PAGES = 2048 };
    host_object_t object;
    size_t        page = host_page_size(), bytes = PAGES * page;
    char         *at = host_reserve(bytes);
    if (at == NULL || host_object_create(&object, bytes, HOST_OBJECT_BEST) != 0 ||
        host_map_object(at, &object, 0, bytes, HOST_READ | HOST_WRITE) != 0)
        exit(1);
    sample_t start = now();
    for (unsigned i = 0; i < PAGES; i++)
        at[i * page] = 1;
    sample_t t = since(start, PAGES);
    host_release(at, bytes);
    host_object_close(&object);
    return t;
}

static double boots(const char *name, const ntmm_config *config)
{
    enum { BOOTS = 40 };
    sample_t pair[MOST_REPETITIONS];
    for (unsigned r = 0; r < repetitions; r++) {
        sample_t start = now();
        for (unsigned i = 0; i < BOOTS; i++) {
            if (ntmm_boot(config) != 0)
                exit(1);
            ntmm_shutdown(NULL);
        }
        pair[r] = since(start, BOOTS);
    }
    return report(name, pair, "%s", "").real;
}

static void machine(void)
{
    sample_t touch[MOST_REPETITIONS];
    printf("\n5. the machine\n");
    for (unsigned r = 0; r < repetitions; r++)
        touch[r] = first_touch();
    double page = report("first touch of a page of a memory object", touch, "%s", "").real;
    double small = boots("boot + shutdown, default machine", &(ntmm_config){ .quiet = true });
    double large = boots("boot + shutdown, 1 TiB unbacked", &(ntmm_config){ .physical_memory = GIB(1024), .unbacked_ram = true });
    judge("boot + shutdown, default / first touch", small / page, 500, 50);
    judge("boot + shutdown, 1 TiB / first touch", large / page, 2000, 50);
    uint64_t frames = GIB(16) >> PAGE_SHIFT;
    double   bytes = (double)sizeof(mm_pfn_t) + (double)rt_policy_indexed.bytes(frames) / (double)frames;
    printf("  %.3f bytes a frame: PFN entry and run index, 16 GiB\n", bytes);
    judge("bytes a frame", bytes, 32.5, 32.16);
}

int main(int argc, char **argv)
{
    const char *json = NULL;
    bool        strict = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
            json = argv[++i];
        else if (strcmp(argv[i], "--repetitions") == 0 && i + 1 < argc)
            repetitions = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--quick") == 0)
            quick = true;
        else if (strcmp(argv[i], "--strict") == 0)
            strict = true;
        else {
            fprintf(stderr, "usage: %s [--json FILE] [--repetitions N] [--quick] [--strict]\n", argv[0]);
            return 2;
        }
    }
    if (repetitions < 1 || repetitions > MOST_REPETITIONS)
        repetitions = 11;
    printf("frames: seed %llu, %u repetitions\n", (unsigned long long)SEED, repetitions);
    singles();
    runs();
    irql();
    exceptions();
    machine();
    printf("\n%u targets that must be met were missed by more than 15 %%\n", missed);
    if (json != NULL && write_json(json) != 0)
        return 1;
    return strict && missed > 0 ? 1 : 0;
}
