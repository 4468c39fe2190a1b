/*
 * pair.h - two words changed at once: a compare and exchange of 16 bytes.
 * The processors of our hosts can do that; their compilers would rather call a library, so the instructions stand here. Elsewhere, or with
 * NTMM_PAIR_LOCKS defined, one of a few locks, picked by address, makes all exchanges of a pair exclude each other.
 *
 * A reader needs no such instruction: it reads word by word, and the exchange that follows fails when the two did not belong together.
 *
 * Source  Intel SDM volume 2, CMPXCHG16B; Arm ARM, LDAXP and STLXP (a pair that was read counts once the store has succeeded).
 */
#ifndef NTMM_RTL_PAIR_H
#define NTMM_RTL_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RT_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(RT_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#define RT_PAIR_RELEASES(at) __tsan_release(at) /* it does not see what assembler orders */
#define RT_PAIR_ACQUIRED(at) __tsan_acquire(at)
#else
#define RT_PAIR_RELEASES(at) ((void)(at))
#define RT_PAIR_ACQUIRED(at) ((void)(at))
#endif

typedef struct rt_pair {
    uint64_t low, high;
} __attribute__((aligned(16), may_alias)) rt_pair_t;

bool rt_pair_exchange_locked(rt_pair_t *at, rt_pair_t expected, rt_pair_t desired); /* pair.c: by lock, on any processor */

/* true: *at was `expected` and is now `desired`. A full barrier then; false orders nothing. `at` is aligned to 16 bytes. */
static inline bool rt_pair_exchange(rt_pair_t *at, rt_pair_t expected, rt_pair_t desired)
{
    bool done;
    RT_PAIR_RELEASES(at);
#if defined(__x86_64__) && !defined(NTMM_PAIR_LOCKS)
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*at), "+a"(expected.low), "+d"(expected.high)
                     : "b"(desired.low), "c"(desired.high)
                     : "memory");
#elif defined(__aarch64__) && !defined(NTMM_PAIR_LOCKS)
    uint64_t low, high;
    uint32_t differs;
    __asm__ volatile("1:  ldaxp %[low], %[high], %[at]\n"
                     "    cmp   %[low], %[expected_low]\n"
                     "    ccmp  %[high], %[expected_high], #0, eq\n"
                     "    cset  %w[differs], ne\n"
                     "    b.ne  2f\n"
                     "    stlxp %w[differs], %[desired_low], %[desired_high], %[at]\n"
                     "    cbnz  %w[differs], 1b\n" /* somebody else wrote: look again */
                     "    dmb   ish\n"
                     "2:\n"
                     : [low] "=&r"(low), [high] "=&r"(high), [differs] "=&r"(differs), [at] "+Q"(*at)
                     : [expected_low] "r"(expected.low), [expected_high] "r"(expected.high), [desired_low] "r"(desired.low),
                       [desired_high] "r"(desired.high)
                     : "cc", "memory");
    done = differs == 0;
#else
    done = rt_pair_exchange_locked(at, expected, desired);
#endif
    if (done)
        RT_PAIR_ACQUIRED(at);
    return done;
}

#endif
