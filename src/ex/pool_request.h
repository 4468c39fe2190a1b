/*
 * pool_request.h - what a driver asked for, in our words: every allocation routine fills one in, and one function serves them all.
 */
#ifndef NTMM_EX_POOL_REQUEST_H
#define NTMM_EX_POOL_REQUEST_H

#include <ntddk.h>

#include "mm/mm.h"

typedef enum ex_urgency { EX_URGENT = 0, EX_NORMAL, EX_LOW } ex_urgency_t; /* pool_priority.c; zero: any memory will do */

typedef enum ex_side { EX_ANY_SIDE = 0, EX_OVERRUN, EX_UNDERRUN } ex_side_t; /* of a page of special pool: which mistake is found at once */

typedef struct ex_request {
    const char *routine;
    mm_pool_t   pool;
    ULONG       type; /* as bug checks show it: a POOL_TYPE with whatever was or-ed to it */
    SIZE_T      bytes;
    ULONG       tag;
    ULONG_PTR   caller;
    bool        legacy; /* the tag must have a letter or digit; a bad one is a bug check */
    bool        zero, raise, cache_aligned, quota;
    bool        on_node, other_nodes_too; /* the second: when `node` has none; without the first, memory near the caller is preferred */
    uint8_t     urgency;                  /* ex_urgency_t */
    uint8_t     side;                     /* ex_side_t */
    uint32_t    node;
    const POOL_EXTENDED_PARAMS_SECURE_POOL *secure; /* NULL: ordinary pool */
} ex_request_t;

extern bool ex_zeroes_natively; /* this Windows understands POOL_ZERO_ALLOCATION */

/* routine and caller are set already. The first is false for flags, a size or a tag that nobody may ask for. */
bool ex_request_from_flags(ex_request_t *request, POOL_FLAGS flags, SIZE_T bytes, ULONG tag);
void ex_request_from_type(ex_request_t *request, ULONG type, SIZE_T bytes, ULONG tag);
/* The slow way, complete: rules, injected failures, memory, zeros; NULL or a raise when there is none. */
void *ex_request_serve(const ex_request_t *request);
void *ex_request_refuse(const ex_request_t *request, NTSTATUS status);

#endif
