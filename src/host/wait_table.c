/*
 * wait_table.c - sleep until a word of memory changes, where the kernel has no futex for us.
 * The word's address is hashed to one of 64 buckets, each a mutex with a condition. A sleeper looks at the word again under the bucket's
 * mutex; a waker, who has changed the word before, passes through the same mutex. So either the sleeper sees the new value, or the waker
 * comes after it is asleep and the broadcast reaches it: no wake-up is lost.
 *
 * Words that share a bucket wake each other's sleepers: a spurious wake-up, which host_wait allows.
 *
 * Locks       a bucket's mutex, held for a few instructions that cannot fault (the words waited on are never pageable).
 */
#include "host/wait_table.h"
#include "host/host.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { BUCKET_COUNT = 64 };

typedef struct bucket {
    pthread_mutex_t mutex;
    pthread_cond_t  changed;
} bucket_t;

static bucket_t       buckets[BUCKET_COUNT];
static pthread_once_t buckets_once = PTHREAD_ONCE_INIT;

static void init_buckets(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__ /* there a relative wait is used, which no change of the date disturbs */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    for (int i = 0; i < BUCKET_COUNT; i++) {
        pthread_mutex_init(&buckets[i].mutex, NULL);
        pthread_cond_init(&buckets[i].changed, &attributes);
    }
    pthread_condattr_destroy(&attributes);
}

static bucket_t *bucket_of(const _Atomic uint32_t *word)
{
    pthread_once(&buckets_once, init_buckets);
    return &buckets[((uintptr_t)word >> 2) * UINT64_C(0x9E3779B97F4A7C15) >> 58];
}

/* One bounded sleep; the caller looks at its word again whatever ended it. */
static void sleep_on(bucket_t *bucket, uint64_t timeout_ns)
{
    const uint64_t second = UINT64_C(1000000000);
#ifdef __APPLE__
    struct timespec limit = { .tv_sec = (time_t)(timeout_ns / second), .tv_nsec = (long)(timeout_ns % second) };
    pthread_cond_timedwait_relative_np(&bucket->changed, &bucket->mutex, &limit);
#else
    uint64_t        end = host_clock_ns() + timeout_ns;
    struct timespec limit = { .tv_sec = (time_t)(end / second), .tv_nsec = (long)(end % second) };
    pthread_cond_timedwait(&bucket->changed, &bucket->mutex, &limit);
#endif
}

void host_wait_table_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    bucket_t *bucket = bucket_of(word);
    pthread_mutex_lock(&bucket->mutex);
    if (atomic_load(word) == expected) {
        if (timeout_ns == 0)
            pthread_cond_wait(&bucket->changed, &bucket->mutex);
        else
            sleep_on(bucket, timeout_ns < UINT64_MAX / 4 ? timeout_ns : UINT64_MAX / 4);
    }
    pthread_mutex_unlock(&bucket->mutex);
}

void host_wait_table_wake(_Atomic uint32_t *word)
{
    bucket_t *bucket = bucket_of(word);
    pthread_mutex_lock(&bucket->mutex);
    pthread_cond_broadcast(&bucket->changed);
    pthread_mutex_unlock(&bucket->mutex);
}

void host_wait_table_forget(void)
{
    pthread_once(&buckets_once, init_buckets);
    init_buckets(); /* a thread that is not in this process may have held any of them */
}
