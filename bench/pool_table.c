/*
 * pool_table.c - which tests there are, how large each is, and how small a quick one.
 */
#include "pool_tests.h"

#include <string.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define MEAN_BYTES 2048u /* of the uniform sizes */

#define PAIR(bytes_, flags_, count) .run = pool_run_pair, .bytes = (bytes_), .flags = (flags_), .operations = (count), .threads = 1
#define LIVE(count, kind_, flags_) \
    .run = pool_run_live, .blocks = (count), .kind = (kind_), .flags = (flags_), .operations = 500000, .threads = 1
#define BATCH(order) .run = pool_run_batch, .bytes = 64, .blocks = 1000, .kind = (order), .operations = 1000000, .threads = 1
#define PHASES(run_, grow_) .measure = POOL_MEMORY, .run = (run_), .grow = MIB(grow_), .threads = 1, .most_rounds = 1

const pool_test POOL_TESTS[] = {
    { "pair_64_zeroed", "64 bytes, zeroed", PAIR(64, BLOCK_ZEROED, 2000000) },
    { "live_10k_log_zeroed", "10,000 live, 16 bytes to 4 KiB log-uniform, zeroed", LIVE(10000, POOL_LOG, BLOCK_ZEROED) },
    { "pair_64", "64 bytes", PAIR(64, 0, 2000000) },
    { "pair_64_paged", "64 bytes, paged pool", PAIR(64, BLOCK_PAGED, 2000000) },
    { "live_10k", "10,000 live, 16 to 4,080 bytes, random replacement", LIVE(10000, POOL_UNIFORM, 0) },
    { "live_1m", "1,000,000 live, 16 to 4,080 bytes, random replacement", LIVE(1000000, POOL_UNIFORM, 0), .most_rounds = 3,
      .host_bytes = MIB(6144) },
    { "pair_4k", "4 KiB", PAIR(4096, 0, 200000) },
    { "pair_8k", "8 KiB", PAIR(8192, 0, 200000) },
    { "pair_16k", "16 KiB", PAIR(16384, 0, 200000) },
    { "pair_64k", "64 KiB", PAIR(65536, 0, 100000) },
    { "batch_lifo", "1,000 x 64 bytes, freed last first", BATCH(POOL_LAST_FIRST) },
    { "batch_fifo", "1,000 x 64 bytes, freed first first", BATCH(POOL_FIRST_FIRST) },
    { "batch_shuffled", "1,000 x 64 bytes, freed shuffled", BATCH(POOL_SHUFFLED) },
    { "exchange_64", "64 bytes, one thread allocates, another frees: wall time", .measure = POOL_WALL, .run = pool_run_exchange,
      .bytes = 64, .operations = 1000000, .threads = 2 },
    { "pair_64_1_thread", "64 bytes, in a thread of its own", .run = pool_run_threads, .bytes = 64, .operations = 2000000, .threads = 1 },
    { "pair_64_2_threads", "64 bytes, in two threads at once: time of each", .run = pool_run_threads, .bytes = 64, .operations = 2000000,
      .threads = 2 },
    { "size_shift", "W1: 8 phases, each grows one size, then frees 90 % at random", PHASES(pool_run_size_shift, 64) },
    { "survivors", "W2: 24 rounds of shifting sizes, 1 % stay for good", PHASES(pool_run_survivors, 48) },
    { "drift", "W3: random replacement while the mean size doubles five times", PHASES(pool_run_drift, 48) },
};
const size_t POOL_TEST_COUNT = sizeof POOL_TESTS / sizeof POOL_TESTS[0];
_Static_assert(sizeof POOL_TESTS / sizeof POOL_TESTS[0] <= POOL_TESTS_LIMIT, "there is room for every test's results");

size_t pool_test_find(const char *name)
{
    size_t t = 0;
    while (t < POOL_TEST_COUNT && strcmp(POOL_TESTS[t].name, name) != 0)
        t++;
    return t;
}

pool_test pool_test_quick(const pool_test *test)
{
    pool_test small = *test;
    small.operations /= 20;
    small.grow /= 16;
    if (small.host_bytes != 0) {
        small.blocks /= 20;
        small.host_bytes /= 20;
    }
    return small;
}

allocator_need pool_test_need(const pool_test *test)
{
    uint64_t block = test->bytes != 0 ? test->bytes : MEAN_BYTES;
    uint64_t live = test->blocks * block;
    return (allocator_need){ .live_bytes = live + 2 * test->grow, .largest_bytes = test->bytes > 65536 ? test->bytes : 65536 };
}
