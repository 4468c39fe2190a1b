/*
 * pool_secure.h - pools whose memory a driver cannot write to, from the inside.
 */
#ifndef NTMM_EX_POOL_SECURE_H
#define NTMM_EX_POOL_SECURE_H

#include "ex/pool_find.h"
#include "ex/pool_request.h"

void ex_secure_boot(void);                                                       /* also at shutdown: every pool and block is forgotten */
bool ex_secure_params_are_valid(const POOL_EXTENDED_PARAMS_SECURE_POOL *secure); /* for an allocation: the handle and the flags exist */
/* Read-only pages that hold what request->secure says. NULL: memory is short, or the pool was destroyed meanwhile (*status). */
void *ex_secure_allocate(ke_thread_t *thread, const ex_request_t *request, NTSTATUS *status, ex_stop_t *stop);
/* ExFreePool2 with parameters. */
void ex_secure_free(const char *routine, PVOID address, ULONG tag, PCPOOL_EXTENDED_PARAMETER parameters, ULONG count);
void ex_secure_stop_free(const void *address, ex_stop_t *stop); /* another routine than ExFreePool2 was to free such a block */
void ex_secure_visit_leaks(void (*visit)(void *context, const ntmm_leak *leak), void *context); /* pools that were never destroyed */

#endif
