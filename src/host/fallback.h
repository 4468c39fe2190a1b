/*
 * fallback.h - the ways that serve where the host's better one is missing, named so that they are tested where it is not.
 */
#ifndef NTMM_HOST_FALLBACK_H
#define NTMM_HOST_FALLBACK_H

#include "host/host.h"

/** As host_object_discard, but the object keeps its memory. */
int host_discard_by_writing(const host_object_t *object, uint64_t offset, uint64_t bytes);

#ifdef __linux__
/** As host_copy_safely, through a pipe; needs two free descriptors. */
size_t host_copy_through_pipe(void *to, const void *from, size_t bytes);
#endif

#endif
