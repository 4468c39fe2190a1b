/*
 * user_range.h - which addresses are user addresses, and whose. mm and the layers above include this.
 */
#ifndef NTMM_MM_USER_RANGE_H
#define NTMM_MM_USER_RANGE_H

#include "mm/view.h"

void mm_user_range_boot(void); /* fills in MmUserProbeAddress and its like */

/* User addresses of some process, or of none, mapped or not. No bytes: true. */
bool mm_is_user_range(uintptr_t va, size_t bytes);
/* And none of a process in which the thread does not run: what a routine that takes user addresses accepts. */
bool mm_user_range_is_ours(const ke_thread_t *thread, uintptr_t va, size_t bytes);

#endif
