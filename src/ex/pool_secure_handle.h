/*
 * pool_secure_handle.h - secure pools by their handles, for those who keep the blocks.
 */
#ifndef NTMM_EX_POOL_SECURE_HANDLE_H
#define NTMM_EX_POOL_SECURE_HANDLE_H

#include <ntddk.h>

#include "ke/lock.h"

typedef struct ex_secure_pool { /* all under ex_secure_lock */
    uint64_t handle;            /* 0: no pool */
    uint32_t tag;
    size_t   blocks; /* that can be freed, and have not been */
} ex_secure_pool_t;

extern ke_lock_t ex_secure_lock; /* KE_RANK_LEAF */

ex_secure_pool_t *ex_secure_pool_locked(HANDLE handle); /* NULL: none has it */
bool              ex_secure_is_pool(HANDLE handle);
bool              ex_secure_blocks_ready_locked(void); /* the table of blocks is there; false: the host has no memory for it */
void              ex_secure_handles_boot(void);

#endif
