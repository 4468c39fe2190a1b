/*
 * time.h - the machine's clock, inside the library: one count since boot, from which everything that knows the time is derived.
 *
 * Units   100 ns, as drivers count.
 */
#ifndef NTMM_KE_TIME_H
#define NTMM_KE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <ntddk.h>

#define KE_TIME_NEVER UINT64_MAX

extern bool ke_time_stands_still; /* config.stopped_clock: it moves only when somebody moves it */

void ke_time_configure(bool stands_still); /* before ke_time_boot; else it is the host's */
void ke_time_boot(void);

uint64_t ke_time_now(void);  /* since boot: the interrupt time */
uint64_t ke_time_date(void); /* since 1601: the system time, the date at boot and what has passed since */
/* When a due time or a timeout is up, as an interrupt time: below 0 from now on, else a date. */
uint64_t ke_time_due(int64_t when);
/* Nanoseconds of the host until then; of a clock that stands still UINT64_MAX until somebody has moved it. 0: it is there. */
uint64_t ke_time_left_ns(uint64_t due);
void     ke_time_move(uint64_t to); /* a clock that stands still: never back. Whose wait is over by then wakes up */

/* ---- the performance counter (performance_counter.c) ---- */

void    ke_counter_boot(void);
int64_t ke_counter_at(uint64_t interrupt_time);
/* Who gives drivers its values instead, and looks at them; NULL: nobody. Any IRQL. Set at boot. */
extern int64_t (*ke_counter_watch)(const char *routine);

#endif
