/*
 * exception.h - an exception that no handler takes becomes a stop.
 */
#ifndef NTMM_KE_EXCEPTION_H
#define NTMM_KE_EXCEPTION_H

#include "ke/bugcheck.h"

/* Fill code and parameters of *stop: 0x7E in a system thread, 0x1E elsewhere. Async-signal-safe. */
void ke_exception_unhandled(ke_stop_t *stop, const ke_thread_t *thread, NTSTATUS status, uintptr_t address, uintptr_t information0,
                            uintptr_t information1);

extern _Atomic uint64_t ke_access_violations; /* user addresses that were touched and are not there, since boot (fault.c) */

#endif
