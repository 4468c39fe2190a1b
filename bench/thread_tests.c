/*
 * thread_tests.c - every thread makes pairs for itself: do they stand in each other's way?
 *
 * The figure is the processor time of each thread, which a neighbour does not add to; so a thread that slept for the other would not show
 * here, only in the wall time beside. A thread goes on, untimed, until all have finished: nobody is timed alone. What share of the time the
 * threads had a processor is reported too (pool_figure.at_once): taking turns on one says nothing.
 *
 * Source  the shape is that of glibc-thread in the field's suites; the code is ours.
 */
#include <stdatomic.h>

#include "pool_loops.h"
#include "pool_threads.h"
#include "tool/clock.h"

typedef struct crew {
    _Atomic unsigned waiting, timed; /* threads that have yet to come to the start; that are still timed */
} crew;

typedef struct member {
    const allocator *allocator;
    const pool_test *test;
    crew            *crew;
    double           cpu, wall;
} member;

static void pairs_of_a_thread(void *context)
{
    member *m = context;
    pool_pairs(m->allocator, m->test, m->test->operations / 4);
    atomic_fetch_sub(&m->crew->waiting, 1);
    for (unsigned looks = 0; atomic_load(&m->crew->waiting) != 0;)
        pool_worker_wait(&looks);
    double cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), wall = clock_wall_ns();
    pool_pairs(m->allocator, m->test, m->test->operations);
    m->cpu = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / m->test->operations;
    m->wall = (clock_wall_ns() - wall) / m->test->operations;
    atomic_fetch_sub(&m->crew->timed, 1);
    while (atomic_load(&m->crew->timed) != 0)
        pool_pairs(m->allocator, m->test, 1000);
}

void pool_run_threads(const allocator *a, const pool_test *test, pool_outcome *out)
{
    crew        together = { test->threads, test->threads };
    member      members[POOL_THREADS];
    pool_worker workers[POOL_THREADS];
    for (unsigned i = 0; i < test->threads; i++) {
        members[i] = (member){ a, test, &together, 0, 0 };
        workers[i] = (pool_worker){ a, pairs_of_a_thread, &members[i], i, 0 };
        pool_worker_start(&workers[i]);
    }
    for (unsigned i = 0; i < test->threads; i++) {
        pool_worker_join(&workers[i]);
        out->figure.cpu += members[i].cpu / test->threads;
        out->figure.wall += members[i].wall / test->threads;
        out->figure.at_once += members[i].cpu / members[i].wall / test->threads;
    }
}
