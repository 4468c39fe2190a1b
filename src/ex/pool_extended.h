/*
 * pool_extended.h - the array of extended parameters, read into a request.
 */
#ifndef NTMM_EX_POOL_EXTENDED_H
#define NTMM_EX_POOL_EXTENDED_H

#include "ex/pool_request.h"

/* False: one that is not optional is not acceptable. */
bool ex_request_extend(ex_request_t *request, PCPOOL_EXTENDED_PARAMETER parameters, ULONG count);

#endif
