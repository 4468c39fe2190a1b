/*
 * pool_priority.h - whether there is enough memory left for somebody in no hurry.
 */
#ifndef NTMM_EX_POOL_PRIORITY_H
#define NTMM_EX_POOL_PRIORITY_H

#include "ex/pool_request.h"

bool         ex_priority_allows(const ex_request_t *request);
bool         ex_priority_is_valid(EX_POOL_PRIORITY priority);
ex_urgency_t ex_urgency_of(EX_POOL_PRIORITY priority);
ex_side_t    ex_side_of(EX_POOL_PRIORITY priority);

#endif
