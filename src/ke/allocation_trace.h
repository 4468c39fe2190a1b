/*
 * allocation_trace.h - who allocated what, and who freed it: the calls that led there, for machines that asked for it (config.stack_traces).
 * Constant while a machine is up: with it every allocation takes its slow path, which asks here.
 */
#ifndef NTMM_KE_ALLOCATION_TRACE_H
#define NTMM_KE_ALLOCATION_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KE_TRACE_FRAMES 7u

typedef struct ke_trace { /* return addresses, innermost first; 0: there are no more */
    uintptr_t allocated[KE_TRACE_FRAMES];
    uintptr_t freed[KE_TRACE_FRAMES]; /* none: it is still held */
} ke_trace_t;

extern bool ke_trace_on;

int  ke_trace_boot(uint32_t most); /* stacks of so many allocations, and of so many frees. -ENOMEM; forgets the machine before */
void ke_trace_allocated(const void *address);
void ke_trace_freed(const void *address);
/* Of an allocation that begins at the address, held or freed. False: nothing is known. Takes no lock: for stop reports, and after shutdown. */
bool ke_trace_find(const void *address, ke_trace_t *out);

/* Where the allocation begins that an address lies in, held or freed, or NULL: upper layers know (set at boot). */
extern const void *(*ke_trace_start_of)(uintptr_t address);

#endif
