/*
 * pressure.h - the memory conditions of \KernelObjects, for who opens them by name.
 */
#ifndef NTMM_MM_PRESSURE_H
#define NTMM_MM_PRESSURE_H

#include <ntmm/ntmm.h>

typedef enum mm_condition {
    MM_LOW_MEMORY,
    MM_HIGH_MEMORY,
    MM_LOW_NONPAGED,
    MM_HIGH_NONPAGED,
    MM_LOW_PAGED,
    MM_HIGH_PAGED,
    MM_LOW_COMMIT,
    MM_HIGH_COMMIT,
    MM_MAXIMUM_COMMIT,
    MM_CONDITIONS
} mm_condition_t;

void           mm_pressure_boot(const ntmm_config *config); /* after mm_charges_boot */
PKEVENT        mm_pressure_event(mm_condition_t condition); /* NULL: this Windows has no such event */
mm_condition_t mm_pressure_condition_of(const void *event); /* MM_CONDITIONS: it is none of these events */
/* Sets and resets the events whose conditions changed, if any did. With no lock held; threads that leave the library do it by themselves. */
void mm_pressure_settle(void);

#endif
