/*
 * clock.h - three clocks: processor time for throughput, wall time beside it, the cycle counter for single operations.
 * The counter is read between fences, so that the timed call can neither start before the first reading nor end after the second; what an
 * empty timed pair costs is measured and reported, never subtracted.
 */
#ifndef NTMM_TOOL_CLOCK_H
#define NTMM_TOOL_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static inline double clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
/* The whole process: what a helper thread does for an allocator counts too. Neighbours on the same processor do not. */
static inline double clock_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
static inline double clock_wall_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* Nothing before moves behind, nothing behind moves before. */
static inline uint64_t clock_ticks_begin(void)
{
#if defined(__x86_64__)
    _mm_lfence();
    uint64_t ticks = __rdtsc();
    _mm_lfence();
    return ticks;
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(ticks) : : "memory");
    return ticks;
#else
    return (uint64_t)clock_wall_ns();
#endif
}

static inline uint64_t clock_ticks_end(void)
{
#if defined(__x86_64__)
    unsigned processor;
    uint64_t ticks = __rdtscp(&processor); /* waits for what is before it */
    _mm_lfence();
    return ticks;
#else
    return clock_ticks_begin();
#endif
}

/** Nanoseconds in a tick, measured against the wall clock over some milliseconds. */
double clock_calibrate(void);

/** What an empty timed pair shows, in ticks: the mean of many, without the slowest tenth. */
double clock_floor_ticks(void);

/** How far apart two different readings are at least, in ticks: 1 for a true cycle counter, more for a slower clock that is scaled up. */
uint64_t clock_step_ticks(void);

#endif
