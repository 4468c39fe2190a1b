/*
 * pool_loops.h - what the loops of all tests are made of: numbers from a seed, a block that must come, tables of our own.
 */
#ifndef NTMM_BENCH_POOL_LOOPS_H
#define NTMM_BENCH_POOL_LOOPS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pool_tests.h"

static inline uint64_t pool_random(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline uint32_t pool_random_below(uint64_t *state, uint32_t limit) { return (uint32_t)((pool_random(state) >> 32) * limit >> 32); }

/* The figures would be of something else. The child ends, and its parent says so. */
static inline _Noreturn void pool_give_up(const allocator *a, const char *why)
{
    fprintf(stderr, "%s: %s\n", a->name, why);
    _Exit(1);
}

/* Eight bytes are written: whoever asks for a block uses it. */
static inline void *pool_must_allocate(const allocator *a, size_t bytes, uint32_t flags)
{
    void *block = a->alloc(bytes, POOL_TAG, flags);
    if (__builtin_expect(block == NULL, 0))
        pool_give_up(a, "refuses a block");
    *(volatile uint64_t *)block = bytes;
    return block;
}

/* One pair after another: the loop that tests of one thread and of several share. */
static inline void pool_pairs(const allocator *a, const pool_test *test, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        a->release(pool_must_allocate(a, test->bytes, test->flags), POOL_TAG);
}

/* Mapped and touched, and never from the allocator under test. */
static inline void *pool_own_memory(const allocator *a, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        pool_give_up(a, "there is no memory for the test's own tables");
    memset(memory, 1, bytes);
    return memory;
}

#endif
