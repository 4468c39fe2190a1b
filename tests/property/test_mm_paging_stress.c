/*
 * test_mm_paging_stress.c - four threads touch pageable memory three times the size of RAM; one of them trims all of it again and again,
 * another raises its IRQL, with forced IRQL checking: each raise closes every page for everybody. Every word must be what was written last.
 * Half of the memory is paged pool, half user memory of a process to which all threads are attached. Each page belongs to one thread, and its
 * neighbours to others.
 * Prints its seed; NTMM_SEED replays one, NTMM_OPERATIONS changes the number of accesses of each thread.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../support/sanitizer.h"

#define DEFAULT_OPERATIONS (SANITIZED ? 3000u : 10000u)

enum { RAM_PAGES = 256, PAGES = 3 * RAM_PAGES, THREADS = 4, WORDS = 8, TRIM_EVERY = 512, RAISE_EVERY = 256 };
#define TAG NTMM_TAG("Strs")

static uint64_t        seed;
static unsigned        operations = DEFAULT_OPERATIONS;
static char           *pages[PAGES];
static uint64_t        held[PAGES][WORDS]; /* what the owner of the page wrote */
static ntmm_process   *process;
static _Atomic(char *) wrong;

static uint64_t next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}
static uint32_t below(uint64_t *state, uint32_t limit) { return (uint32_t)((next(state) >> 32) * limit >> 32); }

static volatile uint64_t *word_of(unsigned page, unsigned word) { return (volatile uint64_t *)(pages[page] + word * (PAGE_SIZE / WORDS)); }

static void touch(uint64_t *random, unsigned thread)
{
    unsigned page = below(random, PAGES / THREADS) * THREADS + thread, word = below(random, WORDS);
    if (*word_of(page, word) != held[page][word])
        wrong = pages[page];
    if (below(random, 2) == 0)
        *word_of(page, word) = held[page][word] = next(random);
}

static void raise_and_lower(void)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeLowerIrql(old);
}

static void *play(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    uint64_t random = seed + thread * 0x9E3779B97F4A7C15ull;
    ntmm_process_attach(process);
    for (unsigned i = 0; i < operations && wrong == NULL; i++) {
        touch(&random, thread);
        if (thread == 0 && i % TRIM_EVERY == 0)
            ntmm_trim_pageable();
        if (thread == 1 && i % RAISE_EVERY == 0)
            raise_and_lower();
    }
    ntmm_process_attach(NULL);
    return NULL;
}

static void take_memory(void)
{
    process = ntmm_process_create();
    assert_non_null(process);
    char *user = ntmm_user_alloc(process, (size_t)PAGES / 2 * PAGE_SIZE, PAGE_READWRITE);
    assert_non_null(user);
    for (unsigned i = 0; i < PAGES; i++)
        pages[i] = i % 8 < 4 ? user + (size_t)(i / 8 * 4 + i % 4) * PAGE_SIZE : ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, TAG);
    for (unsigned i = 0; i < PAGES; i++)
        assert_non_null(pages[i]);
    memset(held, 0, sizeof held);
    wrong = NULL;
}

static void give_memory(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (i % 8 >= 4)
            ExFreePoolWithTag(pages[i], TAG);
    ntmm_process_destroy(process);
}

static void every_word_is_right(void)
{
    ntmm_process_attach(process);
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned word = 0; word < WORDS; word++)
            if (*word_of(page, word) != held[page][word])
                fail_msg("seed %llu: word %u of page %u is not what was written last", (unsigned long long)seed, word, page);
    ntmm_process_attach(NULL);
}

static void four_threads(void **state)
{
    pthread_t         thread[THREADS];
    ntmm_fault_counts faults;
    ntmm_config       config = { .quiet = true,
                                 .physical_memory = RAM_PAGES * (uint64_t)PAGE_SIZE,
                                 .page_file_size = 4 * RAM_PAGES * (uint64_t)PAGE_SIZE,
                                 .verifier = NTMM_VERIFY_FORCE_IRQL,
                                 .page_gate = (enum ntmm_page_gate)(uintptr_t)*state,
                                 .seed = seed };
    int               status = ntmm_boot(&config);
    if (status == -ENOTSUP && config.page_gate == NTMM_GATE_USERFAULTFD)
        skip();
    assert_int_equal(status, 0);
    take_memory();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, play, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    if (wrong != NULL)
        fail_msg("seed %llu: the page at %p is not what was written last", (unsigned long long)seed, (void *)wrong);
    every_word_is_right();
    if (!ntmm_check())
        fail_msg("seed %llu: %s", (unsigned long long)seed, ntmm_error());
    ntmm_query_faults(&faults);
    /* However few of them ran at the same time: each one's own pages fit into RAM, and all of them do not. */
    assert_true(faults.soft > operations / RAISE_EVERY && faults.hard > RAM_PAGES && faults.demand_zero > 0);
    give_memory();
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

int main(void)
{
    const char *given = getenv("NTMM_SEED"), *count = getenv("NTMM_OPERATIONS");
    seed = given != NULL ? strtoull(given, NULL, 0) : ((uint64_t)time(NULL) * 0x9E3779B97F4A7C15ull) | 1;
    if (count != NULL && strtoul(count, NULL, 0) >= 1000)
        operations = (unsigned)strtoul(count, NULL, 0);
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        { "userfaultfd", four_threads, NULL, NULL, (void *)(uintptr_t)NTMM_GATE_USERFAULTFD },
        { "mprotect", four_threads, NULL, NULL, (void *)(uintptr_t)NTMM_GATE_MPROTECT },
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
