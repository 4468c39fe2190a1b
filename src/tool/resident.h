/*
 * resident.h - how much memory of the host this process holds: the same measure for every allocator.
 */
#ifndef NTMM_TOOL_RESIDENT_H
#define NTMM_TOOL_RESIDENT_H

#include <stdint.h>

/** Resident bytes, shared memory included. Where /proc is missing: the most there ever was, so that a curve can only rise. */
uint64_t resident_bytes(void);

#endif
