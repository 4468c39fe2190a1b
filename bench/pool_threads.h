/*
 * pool_threads.h - threads of a test: their stops are caught, and two of them do not share a processor.
 */
#ifndef NTMM_BENCH_POOL_THREADS_H
#define NTMM_BENCH_POOL_THREADS_H

#include <pthread.h>

#include "pool_tests.h"

#define POOL_THREADS 2u

typedef struct pool_worker {
    const allocator *allocator;
    void (*body)(void *context);
    void     *context;
    unsigned  place; /* 0 or 1: which of two processors */
    pthread_t thread;
} pool_worker;

/** Body runs in a thread of its own. The process ends when there is no thread to be had, or when the body stops the machine. */
void pool_worker_start(pool_worker *worker);
void pool_worker_join(pool_worker *worker);

/** Call again and again while another thread is waited for, with a counter that begins at 0. */
void pool_worker_wait(unsigned *looks);

#endif
