/*
 * pool_quota.h - blocks for which a process is charged, and how their headers name it.
 */
#ifndef NTMM_EX_POOL_QUOTA_H
#define NTMM_EX_POOL_QUOTA_H

#include "ex/pool_find.h"
#include "ke/process.h"

extern uint64_t ex_quota_cookie;

void ex_quota_boot(uint64_t seed);
/* The current process pays for so many units: *payer is it, or NULL for System, who never pays. False: its quota is exceeded. */
bool ex_quota_charge(const ke_thread_t *thread, mm_pool_t pool, unsigned units, ke_process_t **payer);
void ex_quota_cancel(ke_process_t *payer, mm_pool_t pool, unsigned units); /* of what was just charged: there is no block */
/* The header of a block in use, second header included, names the payer from now on. */
void ex_quota_bill(POOL_HEADER *header, ke_process_t *payer, size_t requested);
/* The block at `address` is freed: whom its header names gets the quota back. False with *stop set: it names nobody, or one who never paid as
 * much. For a block without quota it does nothing. */
bool ex_quota_refund(const POOL_HEADER *header, const void *address, ex_stop_t *stop);
void ex_quota_forget(POOL_HEADER *header); /* afterwards, when nobody needs to know any longer what was asked for */
/* Adds a block to what its process was found to be charged with (ex_pool_check). False: it names no process. */
bool ex_quota_note(const POOL_HEADER *header);

#endif
