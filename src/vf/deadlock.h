/*
 * deadlock.h - the order in which locks are acquired, for NTMM_VERIFY_DEADLOCK.
 */
#ifndef NTMM_VF_DEADLOCK_H
#define NTMM_VF_DEADLOCK_H

#include "ke/probe.h"

void vf_deadlock_boot(bool on);
void vf_deadlock_init(const char *routine, uintptr_t object); /* a lock, or the event in a fast mutex, is initialised */
void vf_deadlock_step(const char *routine, ke_own_step_t step, ke_own_kind_t kind, const volatile void *lock);
void vf_deadlock_freeing(const char *routine, uintptr_t address, size_t bytes); /* pool, with locks in it perhaps */

#endif
