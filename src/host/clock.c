/*
 * clock.c - time from the host: one clock that never goes back, and the date as Windows counts it.
 * Units       nanoseconds since some fixed moment (host_clock_ns); 100 ns since 1 January 1601 UTC (host_wall_100ns).
 */
#include "host/host.h"

#include <time.h>

#define SECONDS_1601_TO_1970 UINT64_C(11644473600) /* 369 years, 89 of them leap years */

static uint64_t read_clock(clockid_t id, uint64_t units_per_second)
{
    struct timespec now;
    NTMM_INVARIANT(clock_gettime(id, &now) == 0, "the host has this clock");
    return (uint64_t)now.tv_sec * units_per_second + (uint64_t)now.tv_nsec / (UINT64_C(1000000000) / units_per_second);
}

uint64_t host_clock_ns(void) { return read_clock(CLOCK_MONOTONIC, UINT64_C(1000000000)); }

uint64_t host_wall_100ns(void) { return read_clock(CLOCK_REALTIME, 10000000) + SECONDS_1601_TO_1970 * 10000000; }
