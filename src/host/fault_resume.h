/*
 * fault_resume.h - the way from a signal handler to ordinary code and, perhaps, back to the instruction that faulted (fault_resume.c).
 */
#ifndef NTMM_HOST_FAULT_RESUME_H
#define NTMM_HOST_FAULT_RESUME_H

#include "host/host.h"

#include <sys/ucontext.h>

/* For the signal handler: is this the way back? Then the frame holds what was interrupted, and the handler returns. */
bool host_fault_resumes(ucontext_t *now, uintptr_t pc);

#endif
