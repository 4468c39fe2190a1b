/*
 * exception.h - exceptions inside the library: looking for a handler, and what becomes of one that no handler takes.
 */
#ifndef NTMM_KE_EXCEPTION_H
#define NTMM_KE_EXCEPTION_H

#include "ke/bugcheck.h"

/* Search the __try statements of this thread. sp: where it happened. Does not return when a handler takes it. true: a filter wants the
 * interrupted instruction to run again, with the registers that the context says now; never for a noncontinuable exception. false: nobody
 * takes it; the record may be another one by now, STATUS_NONCONTINUABLE_EXCEPTION. */
bool ke_exception_dispatch(PEXCEPTION_POINTERS exception, uintptr_t sp);

/* Fill code and parameters of *stop: 0x7E in a system thread, 0x1E elsewhere. Async-signal-safe. */
void ke_exception_unhandled(ke_stop_t *stop, ke_thread_t *thread, const EXCEPTION_POINTERS *exception);

/* Registers as Windows lays them out, and back. */
void ke_context_from(CONTEXT *context, const host_registers_t *registers);
void ke_context_to(host_registers_t *registers, const CONTEXT *context);

extern _Atomic uint64_t ke_access_violations; /* user addresses that were touched and are not there, since boot (fault.c) */

#endif
