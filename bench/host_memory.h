/*
 * host_memory.h - how much memory this machine can spare, asked before a test that needs much of it.
 */
#ifndef NTMM_BENCH_HOST_MEMORY_H
#define NTMM_BENCH_HOST_MEMORY_H

#include <stdint.h>

/** Bytes that can be had without driving anything out, and within the limit of this container. Where the host does not say: all it has. */
uint64_t host_memory_available(void);

#endif
