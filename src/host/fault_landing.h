/*
 * fault_landing.h - the record at the top of a redirected thread's stack, and the code that is entered with it (fault_landing.c).
 */
#ifndef NTMM_HOST_FAULT_LANDING_H
#define NTMM_HOST_FAULT_LANDING_H

#include <assert.h>
#include <stdint.h>

typedef struct host_landing { /* the layout is part of the unwind table */
    uintptr_t frame_pointer, pc;
    uintptr_t sp, return_address; /* the link register; 0 on x86-64, which keeps return addresses on the stack */
} host_landing_t;
static_assert(sizeof(host_landing_t) == 32, "leaves the stack aligned for a call");

/** Enter with sp and the frame pointer at a host_landing_t, the target's argument and the target in the first two argument registers. */
void host_fault_landing(void);

#endif
