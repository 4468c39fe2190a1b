/*
 * paging.h - for property tests of pageable memory: a seed, numbers from it, and what takes pages away, at fixed steps or from a thread.
 */
#ifndef NTMM_TESTS_PAGING_H
#define NTMM_TESTS_PAGING_H

#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t seed;

static inline uint64_t next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}
static inline uint32_t below(uint64_t *state, uint32_t limit) { return (uint32_t)((next(state) >> 32) * limit >> 32); }

static inline void choose_seed(void)
{
    const char *text = getenv("NTMM_SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
}

static inline uint64_t operations(uint64_t otherwise)
{
    const char *text = getenv("NTMM_OPERATIONS");
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

/* false: this host has no such gate */
static inline bool boot(const ntmm_config *config)
{
    int status = ntmm_boot(config);
    if (status == -ENOTSUP && config->page_gate == NTMM_GATE_USERFAULTFD)
        return false;
    assert_int_equal(status, 0);
    return true;
}

static inline int tear_down(void **state)
{
    (void)state;
    ntmm_shutdown(NULL);
    return 0;
}

/* Round after round all pages go a step away, and in the last of `rounds` to the page file. */
static inline void take_pages_away(uint64_t round, unsigned rounds)
{
    if (round % rounds == rounds - 1)
        ntmm_page_out();
    else
        ntmm_trim_pageable();
}

typedef struct trimmer {
    pthread_t    thread;
    unsigned     rounds; /* as above */
    _Atomic bool done;
} trimmer_t;

static inline void *trim(void *argument)
{
    trimmer_t *trimmer = argument;
    for (uint64_t round = 0; !atomic_load(&trimmer->done); round++) {
        take_pages_away(round, trimmer->rounds);
        for (struct timespec nap = { 0, 2000000 }; nanosleep(&nap, &nap) != 0;)
            ;
    }
    return NULL;
}
static inline void trimmer_start(trimmer_t *trimmer, unsigned rounds)
{
    trimmer->rounds = rounds;
    atomic_store(&trimmer->done, false);
    assert_int_equal(pthread_create(&trimmer->thread, NULL, trim, trimmer), 0);
}
static inline void trimmer_stop(trimmer_t *trimmer)
{
    atomic_store(&trimmer->done, true);
    pthread_join(trimmer->thread, NULL);
}

#endif
