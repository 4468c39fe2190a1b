/*
 * pool_find.h - from the address that a driver frees to the allocation that begins there, or to the bug check that it deserves.
 */
#ifndef NTMM_EX_POOL_FIND_H
#define NTMM_EX_POOL_FIND_H

#include "ex/pool_aligned.h"
#include "ex/pool_descriptor.h"

typedef struct ex_found {
    mm_pool_t    pool;
    POOL_HEADER *header; /* a block; NULL: whole pages */
    mm_owner_t  *owner;  /* whole pages: entry of the first */
    uint32_t     tag;
    bool         any_tag; /* whole pages whose own tag nobody knows any longer: `BIG ` stands for it */
} ex_found_t;

/* The first asks for no tag. Tag 0 accepts any but a protected one. False with *stop set. */
bool ex_pool_look(const void *address, KIRQL irql, ex_found_t *found, ex_stop_t *stop);
bool ex_pool_find(const void *address, uint32_t tag, KIRQL irql, ex_found_t *found, ex_stop_t *stop);

static inline KIRQL     ex_irql_limit(mm_pool_t pool) { return pool == MM_PAGED ? APC_LEVEL : DISPATCH_LEVEL; }
static inline POOL_TYPE ex_pool_type(mm_pool_t pool)
{
    return pool == MM_PAGED ? PagedPool : pool == MM_NONPAGED_NX ? NonPagedPoolNx : NonPagedPool;
}
#endif
