/*
 * inject.h - failing the nth allocation on purpose.
 * Every routine that can fail for want of memory asks once per call, on its slow path: `if (ke_inject_failure()) return refuse;`.
 * While a failure is armed the pools' magazines are off, so that no allocation passes by unseen.
 */
#ifndef NTMM_KE_INJECT_H
#define NTMM_KE_INJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

void ke_inject_arm(uint64_t nth); /* 0: off */
bool ke_inject_failure(void);     /* true exactly once per arming, for the nth asker; and at random, with low_resources.h */
bool ke_inject_is_armed(void);    /* armed and not yet fired */
bool ke_inject_fired(void);       /* since the last arming */

/* From the arming until ke_inject_arm(0), whether or not the failure has fired: no cache may answer an allocation. */
extern _Atomic bool ke_inject_caches_off;

/* Whoever caches blocks in front of the slow path turns that off (true) before a failure is armed, and on again (false) when it is disarmed by
 * ke_inject_arm(0). It is not called when the failure fires. NULL: nobody does. */
extern void (*ke_inject_armed_hook)(bool armed);

#endif
