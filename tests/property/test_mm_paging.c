/*
 * test_mm_paging.c - paged pool three times the size of RAM against a model: an array of what each page should hold.
 * Random reads and writes, mixed with frees and fresh allocations, and at fixed steps with trims and page-outs, so that any seed pages enough;
 * each access must see what the model says. RAM is small: a page fault is the most expensive step on a host, and what counts is how much does
 * not fit.
 * Prints its seed; NTMM_SEED replays one, NTMM_OPERATIONS changes the number of accesses (millions find more).
 */
#include "../support/paging.h"

#define TAG NTMM_TAG("Pgng")
#define RAM_PAGES 256u
#define RUNS 48u
#define RUN_PAGES 16u   /* RUNS * RUN_PAGES: three times RAM */
#define AWAY_EVERY 250u /* steps */

static ntmm_config small(enum ntmm_page_gate gate, enum ntmm_page_replacement replacement)
{
    return (ntmm_config){ .quiet = true,
                          .physical_memory = RAM_PAGES * (uint64_t)PAGE_SIZE,
                          .page_file_size = 4 * RAM_PAGES * (uint64_t)PAGE_SIZE,
                          .page_gate = gate,
                          .page_replacement = replacement,
                          .seed = seed };
}

/* ---- one thread, every byte known ---- */

typedef struct model {
    char    *run[RUNS];
    size_t   pages[RUNS];
    uint32_t word[RUNS][8 * RUN_PAGES]; /* of each page: one word, and its complement at another place */
} model_t;
static model_t model;

static volatile uint32_t *word_at(char *page, uint32_t value_at) { return (volatile uint32_t *)(void *)(page + value_at * 4); }

static void check_page(size_t run, size_t page)
{
    char    *at = model.run[run] + page * PAGE_SIZE;
    uint32_t word = model.word[run][page];
    if (*word_at(at, 3) != word || *word_at(at, PAGE_SIZE / 4 - 1) != (word != 0 ? ~word : 0))
        fail_msg("seed %llu: page %zu of run %zu holds 0x%x, not 0x%x", (unsigned long long)seed, page, run, *word_at(at, 3), word);
}

static void write_page(size_t run, size_t page, uint32_t word)
{
    char *at = model.run[run] + page * PAGE_SIZE;
    *word_at(at, 3) = word;
    *word_at(at, PAGE_SIZE / 4 - 1) = word != 0 ? ~word : 0;
    model.word[run][page] = word;
}

static void allocate(size_t run, uint64_t *state)
{
    size_t pages = below(state, 4) == 0 ? 1 + below(state, 8 * RUN_PAGES) : 1 + below(state, 2 * RUN_PAGES);
    pages = pages > 8 * RUN_PAGES ? 8 * RUN_PAGES : pages;
    model.run[run] = ExAllocatePool2(POOL_FLAG_PAGED, pages * PAGE_SIZE, TAG);
    model.pages[run] = model.run[run] != NULL ? pages : 0;
    memset(model.word[run], 0, sizeof model.word[run]);
}

static void free_run(size_t run)
{
    if (model.run[run] != NULL)
        ExFreePoolWithTag(model.run[run], TAG);
    model.run[run] = NULL;
    model.pages[run] = 0;
}

static void play(uint64_t steps)
{
    uint64_t state = seed * 2 + 1;
    memset(&model, 0, sizeof model);
    for (size_t run = 0; run < RUNS; run++)
        allocate(run, &state);
    for (uint64_t i = 0; i < steps; i++) {
        size_t   run = below(&state, 3) != 0 ? below(&state, RUNS / 8) : below(&state, RUNS); /* some are hot */
        uint32_t what = below(&state, 10000);
        if (i % AWAY_EVERY == AWAY_EVERY - 1)
            take_pages_away(i / AWAY_EVERY, 4);
        if (what < 54)
            free_run(run);
        else if (model.run[run] == NULL)
            allocate(run, &state);
        else {
            size_t page = below(&state, (uint32_t)model.pages[run]);
            check_page(run, page);
            if (what < 4000)
                write_page(run, page, (uint32_t)next(&state));
        }
        if (i % (steps / 16 + 1) == 0 && !ntmm_check())
            fail_msg("seed %llu, step %llu: %s", (unsigned long long)seed, (unsigned long long)i, ntmm_error());
    }
    for (size_t run = 0; run < RUNS; run++)
        for (size_t page = 0; page < model.pages[run]; page++)
            check_page(run, page);
    for (size_t run = 0; run < RUNS; run++)
        free_run(run);
    assert_true(ntmm_check());
}

static void pages_hold_what_was_written(void **state)
{
    const ntmm_config *wanted = *state;
    ntmm_config        config = small(wanted->page_gate, wanted->page_replacement);
    ntmm_fault_counts  faults;
    config.no_magazines = wanted->no_magazines;
    if (!boot(&config))
        skip();
    play(operations(4000));
    ntmm_query_faults(&faults);
    assert_true(faults.soft > 100 && faults.hard > 100 && faults.demand_zero > 10);
    assert_int_equal(faults.access_violations + faults.copy_on_write, 0);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- small blocks: the pool's own headers and links are paged as well ---- */

enum { BLOCKS = 3000 }; /* of 1 KiB in the mean: three times RAM with pages of 4 KiB */
static struct {
    unsigned char *block;
    uint32_t       bytes;
    unsigned char  fill;
} blocks[BLOCKS];

static void check_block(size_t i)
{
    for (size_t k = 0; k < blocks[i].bytes; k += 61)
        if (blocks[i].block[k] != blocks[i].fill)
            fail_msg("seed %llu: block %zu is damaged", (unsigned long long)seed, i);
}

static void blocks_survive_as_well(void **state)
{
    const ntmm_config *wanted = *state;
    ntmm_config        config = small(wanted->page_gate, wanted->page_replacement);
    uint64_t           rnd = seed * 2 + 1, steps = operations(4000);
    config.page_file_size *= 2; /* pages of mixed sizes are far from full */
    if (!boot(&config))
        skip();
    memset(blocks, 0, sizeof blocks);
    for (uint64_t i = 0; i < steps; i++) {
        size_t at = below(&rnd, BLOCKS);
        if (i % AWAY_EVERY == AWAY_EVERY - 1)
            take_pages_away(i / AWAY_EVERY, 4);
        if (blocks[at].block != NULL) {
            check_block(at);
            ExFreePoolWithTag(blocks[at].block, TAG);
        }
        blocks[at].bytes = 1 + below(&rnd, below(&rnd, 8) == 0 ? 3 * PAGE_SIZE : 700);
        blocks[at].fill = (unsigned char)next(&rnd);
        blocks[at].block = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, blocks[at].bytes, TAG);
        assert_non_null(blocks[at].block);
        memset(blocks[at].block, blocks[at].fill, blocks[at].bytes);
    }
    assert_true(ntmm_check());
    for (size_t i = 0; i < BLOCKS; i++)
        if (blocks[i].block != NULL) {
            check_block(i);
            ExFreePoolWithTag(blocks[i].block, TAG);
            blocks[i].block = NULL;
        }
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- much more than RAM ---- */

static void twelve_times_as_much_as_ram(void **state)
{
    const ntmm_config *wanted = *state;
    enum { PIECE = 16 * PAGE_SIZE, PIECES = 12 * RAM_PAGES / 16 };
    static uint64_t  *piece[PIECES];
    ntmm_config       config = small(wanted->page_gate, wanted->page_replacement);
    ntmm_memory_usage usage;
    config.page_file_size *= 4;
    if (!boot(&config))
        skip();
    for (size_t i = 0; i < PIECES; i++) {
        piece[i] = ExAllocatePool2(POOL_FLAG_PAGED, PIECE, TAG);
        assert_non_null(piece[i]);
        for (size_t k = 0; k < PIECE / sizeof *piece[i]; k += 64)
            piece[i][k] = seed + i * PIECE + k;
    }
    ntmm_query_memory(&usage);
    assert_true(usage.committed >= 12 * RAM_PAGES && usage.total == RAM_PAGES);
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < PIECE / sizeof *piece[i]; k += 64)
            if (piece[i][k] != seed + i * PIECE + k)
                fail_msg("piece %zu is damaged at %zu", i, k);
    assert_true(ntmm_check());
    for (size_t i = 0; i < PIECES; i++)
        ExFreePoolWithTag(piece[i], TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- threads ---- */

enum { THREADS = 4 };
static char            *shared;
static size_t           shared_pages;
static _Atomic uint64_t wrong;

/* Each thread owns every fourth page, so that neighbours in a cluster belong to different threads. */
static void *touch(void *argument)
{
    uintptr_t       self = (uintptr_t)argument;
    uint64_t        rnd = seed * 8 + 2 * self + 1, steps = operations(6000) / THREADS;
    static uint32_t expected[THREADS][4 * RAM_PAGES];
    memset(expected[self], 0, sizeof expected[self]);
    for (uint64_t i = 0; i < steps; i++) {
        size_t             own = below(&rnd, (uint32_t)(shared_pages / THREADS));
        volatile uint32_t *word = word_at(shared + (own * THREADS + self) * PAGE_SIZE, 5);
        if (*word != expected[self][own])
            atomic_fetch_add(&wrong, 1);
        if (below(&rnd, 3) == 0)
            *word = expected[self][own] = (uint32_t)next(&rnd);
    }
    return NULL;
}

static void threads_share_a_working_set(void **state)
{
    const ntmm_config *wanted = *state;
    ntmm_config        config = small(wanted->page_gate, wanted->page_replacement);
    pthread_t          thread[THREADS];
    trimmer_t          trimmer;
    if (!boot(&config))
        skip();
    shared_pages = 3 * RAM_PAGES;
    shared = ExAllocatePool2(POOL_FLAG_PAGED, shared_pages * PAGE_SIZE, TAG);
    assert_non_null(shared);
    atomic_store(&wrong, 0);
    trimmer_start(&trimmer, 16);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, touch, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    trimmer_stop(&trimmer);
    assert_int_equal(wrong, 0);
    assert_true(ntmm_check());
    ExFreePoolWithTag(shared, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- the same calls, the same pages ---- */

static void replacement_is_deterministic(void **state)
{
    const ntmm_config *wanted = *state;
    ntmm_fault_counts  faults[2];
    ntmm_memory_usage  usage[2];
    for (int round = 0; round < 2; round++) {
        ntmm_config config = small(wanted->page_gate, wanted->page_replacement);
        if (!boot(&config))
            skip();
        play(2000);
        ntmm_query_faults(&faults[round]);
        ntmm_query_memory(&usage[round]);
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
    assert_memory_equal(&faults[0], &faults[1], sizeof faults[0]);
    assert_memory_equal(&usage[0], &usage[1], sizeof usage[0]);
}

int main(void)
{
    choose_seed();
    static ntmm_config clock_userfaultfd = { .page_gate = NTMM_GATE_USERFAULTFD }, clock_mprotect = { .page_gate = NTMM_GATE_MPROTECT },
                       fifo = { .page_replacement = NTMM_REPLACE_FIFO }, any = { .page_replacement = NTMM_REPLACE_RANDOM },
                       bare = { .no_magazines = true };
#define TEST(test, config) \
    { \
#test ", " #config, test, NULL, tear_down, &config \
    }
#define BOTH(test) TEST(test, clock_userfaultfd), TEST(test, clock_mprotect)
    const struct CMUnitTest tests[] = {
        BOTH(pages_hold_what_was_written),      TEST(pages_hold_what_was_written, fifo),
        TEST(pages_hold_what_was_written, any), TEST(pages_hold_what_was_written, bare),
        BOTH(blocks_survive_as_well),           BOTH(twelve_times_as_much_as_ram),
        BOTH(threads_share_a_working_set),      TEST(threads_share_a_working_set, any),
        BOTH(replacement_is_deterministic),     TEST(replacement_is_deterministic, any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
