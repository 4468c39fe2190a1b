/*
 * wait_table.h - sleeping on a word of memory with nothing but pthreads; the portable half of host_wait and host_wake.
 */
#ifndef NTMM_HOST_WAIT_TABLE_H
#define NTMM_HOST_WAIT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/** As host_wait. */
void host_wait_table_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
/** As host_wake; wakes every sleeper of the word's bucket, whatever `all` would have said. */
void host_wait_table_wake(_Atomic uint32_t *word);
/** In a forked child: no bucket is locked, nobody sleeps. */
void host_wait_table_forget(void);

#endif
