/*
 * test_ex_pool_accounting.c - four threads allocate, free, and free each other's blocks, under more tags than a thread counts by itself;
 * each keeps books of its own. When they rest, what the machine says of every tag and of every pool must be what the books add up to, to the
 * byte. Somebody who asks meanwhile gets an answer that may lag, and nothing worse.
 * Prints its seed; NTMM_SEED replays one.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#if defined(THREAD_SANITIZER) || defined(__SANITIZE_ADDRESS__)
#define TURNS 6000u
#else
#define TURNS 60000u
#endif

enum { THREADS = 4, TAGS = 320, POOLS = 3, SLOTS = 1000 };

static uint64_t seed;

static uint64_t next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}
static uint32_t below(uint64_t *state, uint32_t limit) { return (uint32_t)((next(state) >> 32) * limit >> 32); }

static ULONG tag_of(unsigned i)
{
    char name[8];
    snprintf(name, sizeof name, "a%03u", i);
    return NTMM_TAG(name);
}

/* ---- books ---- */

typedef struct entry {
    uint64_t allocs, frees, allocated, freed; /* the latter two: bytes asked for */
} entry_t;

typedef struct books {
    entry_t of[TAGS][POOLS];
} books_t;

typedef struct block {
    void    *at;
    uint32_t bytes, tag, pool;
} block_t;

static books_t            books[THREADS + 1]; /* the last are the test's own */
static _Atomic(block_t *) slots[SLOTS];

static block_t *take(books_t *mine, uint64_t *random)
{
    static const POOL_FLAGS FLAGS[POOLS] = { POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED };
    static const POOL_TYPE  TYPES[POOLS] = { NonPagedPoolNx, NonPagedPool, PagedPool };
    block_t                *block = malloc(sizeof *block);
    uint32_t                few = below(random, 2) == 0 ? TAGS : 20; /* some tags are used often */
    block->tag = below(random, few);
    block->pool = below(random, POOLS);
    block->bytes = 1 + below(random, below(random, 16) == 0 ? 5 * PAGE_SIZE : 600);
    block->at = below(random, 3) == 0 ? ExAllocatePoolWithTag(TYPES[block->pool], block->bytes, tag_of(block->tag))
                                      : ExAllocatePool2(FLAGS[block->pool] | POOL_FLAG_UNINITIALIZED, block->bytes, tag_of(block->tag));
    if (block->at == NULL) { /* short of memory: what is not had is not counted */
        free(block);
        return NULL;
    }
    mine->of[block->tag][block->pool].allocs++;
    mine->of[block->tag][block->pool].allocated += block->bytes;
    return block;
}

static void give(books_t *mine, block_t *block, uint64_t *random)
{
    if (below(random, 2) == 0)
        ExFreePoolWithTag(block->at, tag_of(block->tag));
    else
        ExFreePool(block->at);
    mine->of[block->tag][block->pool].frees++;
    mine->of[block->tag][block->pool].freed += block->bytes;
    free(block);
}

static void *play(void *argument)
{
    uintptr_t place = (uintptr_t)argument;
    uint64_t  random = (seed + place) * 0x9E3779B97F4A7C15ull | 1;
    for (unsigned i = 0; i < TURNS; i++) {
        block_t *in = below(&random, 5) < (i / 5000 % 2 == 0 ? 4u : 1u) ? take(&books[place], &random) : NULL;
        block_t *out = atomic_exchange(&slots[below(&random, SLOTS)], in);
        if (out != NULL)
            give(&books[place], out, &random);
    }
    return NULL;
}

/* ---- the machine's answer ---- */

static entry_t of_kinds(unsigned tag, unsigned first, unsigned last)
{
    entry_t sum = { 0 };
    for (unsigned b = 0; b <= THREADS; b++)
        for (unsigned pool = first; pool <= last; pool++) {
            const entry_t *entry = &books[b].of[tag][pool];
            sum.allocs += entry->allocs;
            sum.frees += entry->frees;
            sum.allocated += entry->allocated;
            sum.freed += entry->freed;
        }
    return sum;
}

static void same(const ntmm_pool_usage *usage, const entry_t *entry)
{
    if (usage->allocs != entry->allocs || usage->frees != entry->frees || usage->bytes_requested != entry->allocated - entry->freed)
        fail_msg("seed %llu: %llu allocs, %llu frees, %llu bytes; the books say %llu, %llu, %llu", (unsigned long long)seed,
                 (unsigned long long)usage->allocs, (unsigned long long)usage->frees, (unsigned long long)usage->bytes_requested,
                 (unsigned long long)entry->allocs, (unsigned long long)entry->frees,
                 (unsigned long long)(entry->allocated - entry->freed));
    assert_true(usage->bytes_in_use >= usage->bytes_requested);
    assert_true((usage->allocs == usage->frees) == (usage->bytes_in_use == 0));
}

typedef struct sums {
    ntmm_pool_usage of[2]; /* nonpaged, paged */
    size_t          rows;
} sums_t;

static void row_is_right(void *context, uint32_t tag, POOL_TYPE type, const ntmm_pool_usage *usage)
{
    sums_t         *sums = context;
    ntmm_pool_usage nx;
    unsigned        number = (tag >> 8 & 15) * 100 + (tag >> 16 & 15) * 10 + (tag >> 24 & 15);
    entry_t         expected = type == PagedPool ? of_kinds(number, 2, 2) : of_kinds(number, 0, 1);
    same(usage, &expected);
    if (type == NonPagedPool && ntmm_query_tag(tag, NonPagedPoolNx, &nx)) {
        expected = of_kinds(number, 0, 0);
        same(&nx, &expected);
    }
    ntmm_pool_usage *sum = &sums->of[type == PagedPool];
    sum->allocs += usage->allocs;
    sum->frees += usage->frees;
    sum->bytes_in_use += usage->bytes_in_use;
    sum->bytes_requested += usage->bytes_requested;
    sums->rows++;
}

static void the_books_are_right(void)
{
    sums_t sums = { 0 };
    size_t expected_rows = 0;
    for (unsigned tag = 0; tag < TAGS; tag++)
        expected_rows += (size_t)(of_kinds(tag, 0, 1).allocs != 0) + (size_t)(of_kinds(tag, 2, 2).allocs != 0);
    assert_int_equal(ntmm_query_tags("a*", row_is_right, &sums), expected_rows);
    assert_int_equal(sums.rows, expected_rows);
    for (int paged = 0; paged < 2; paged++) {
        ntmm_pool_usage usage;
        ntmm_query_pool(paged ? PagedPool : NonPagedPool, &usage);
        sums.of[paged].pages = usage.pages;
        assert_memory_equal(&usage, &sums.of[paged], sizeof usage);
    }
    if (!ntmm_check()) /* live blocks and their bytes, found by a walk over all pages, agree with the counters */
        fail_msg("seed %llu: %s", (unsigned long long)seed, ntmm_error());
}

/* ---- tests ---- */

static void look(void *context, uint32_t tag, POOL_TYPE type, const ntmm_pool_usage *usage)
{
    (void)tag;
    (void)type;
    *(uint64_t *)context += usage->allocs;
}

static _Atomic bool over;

__attribute__((unused)) static void *ask_meanwhile(void *argument)
{
    uint64_t before = 0;
    (void)argument;
    while (!atomic_load(&over)) {
        uint64_t allocs = 0;
        ntmm_query_tags("*", look, &allocs);
        if (allocs < before) /* what was counted stays counted */
            return (void *)1;
        before = allocs;
    }
    return NULL;
}

static void four_threads(void **state)
{
    pthread_t thread[THREADS], asker;
    uint64_t  random = seed;
    void     *went_back = NULL;
    (void)state;
    memset(books, 0, sizeof books);
    for (int round = 0; round < 2; round++) { /* in the second there are threads that have ended */
        atomic_store(&over, false);
#ifndef THREAD_SANITIZER /* the walk over whole pages looks at what others change */
        assert_int_equal(pthread_create(&asker, NULL, ask_meanwhile, NULL), 0);
#endif
        for (uintptr_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, play, (void *)i), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        atomic_store(&over, true);
#ifndef THREAD_SANITIZER
        pthread_join(asker, &went_back);
        assert_null(went_back);
#endif
        the_books_are_right();
    }
    for (int i = 0; i < SLOTS; i++) {
        block_t *left = atomic_exchange(&slots[i], NULL);
        if (left != NULL)
            give(&books[THREADS], left, &random);
    }
    the_books_are_right();
    (void)asker;
    (void)went_back;
}

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config SCARCE = { .quiet = true, .physical_memory = 200 * (uint64_t)PAGE_SIZE, .nonpaged_pool_limit = 100 * PAGE_SIZE };

int main(void)
{
    const char *given = getenv("NTMM_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&given * 0x9E3779B97F4A7C15ull | 1;
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(four_threads, &PLAIN),
        ntmm_cmocka_test_config(four_threads, &BARE),
        ntmm_cmocka_test_config(four_threads, &SCARCE),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
