/*
 * copy_safely.h - the way of host_copy_safely that works in any sandbox, named so that it can be tested where the usual way works too.
 */
#ifndef NTMM_HOST_COPY_SAFELY_H
#define NTMM_HOST_COPY_SAFELY_H

#include <stddef.h>

#ifdef __linux__
/** As host_copy_safely, through a pipe; needs two free descriptors. */
size_t host_copy_through_pipe(void *to, const void *from, size_t bytes);
#endif

#endif
