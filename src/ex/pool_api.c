/*
 * pool_api.c - the routines that drivers call: their words become ours, and a refusal becomes what the documentation says.
 *
 *     ExAllocatePool2 ..      this file        flags, type, tag       ExFreePoolWithTag ..
 *      |- ex_fast_take        pool_fast.h      most calls end here     |- ex_fast_give        pool_fast.h
 *      |- the same, nearly    pool_fast.h      a larger block, pages   |- ex_fast_give_run    pool_fast.h      whole pages
 *      |- ke_inject_failure                    is a failure wanted?    |- ex_pool_find        pool_find.c      whose is it, what is wrong
 *      |- ex_front_take       pool_front.c     the stock, refilled     |- ex_front_put        pool_front.c
 *      |   `- ex_blocks_take  pool_select.c    lock: ex.pool           |   `- ex_blocks_give  pool_select.c    lock: ex.pool
 *      |- ex_big_take         pool_big.c       whole pages             |- ex_big_give         pool_big.c
 *      `- ex_tag_count_alloc  pool_tag.c                               `- ex_tag_count_free   pool_tag.c
 *
 * Source      WDK reference: the pages of these routines; Bug Check 0xC2.
 * Fidelity    quota: only the System process exists for pool, and it is never charged. Session pool: ordinary pool. POOL_FLAG_SPECIAL_POOL
 *             and POOL_COLD_ALLOCATION: hints that change nothing.
 */
#include "ex/pool_big.h"
#include "ex/pool_fast.h"
#include "ex/pool_front.h"
#include "ex/pool_rules.h"
#include "ex/pool_tools.h"
#include "ke/inject.h"

#define TAG_NONE 0x656e6f4eu /* "None" */
#define POOL_MUST_SUCCEED 2u
#define POOL_CACHE_ALIGNED 4u

typedef struct ex_request {
    const char *routine;
    mm_pool_t   pool;
    ULONG       type; /* as bug checks show it: a POOL_TYPE with whatever was or-ed to it */
    SIZE_T      bytes;
    ULONG       tag;
    bool        legacy; /* the tag must have a letter or digit; a bad one is a bug check */
    bool        zero, raise, cache_aligned;
    ULONG_PTR   caller;
} ex_request_t;

/* ---- allocation ---- */

static void give(ke_thread_t *thread, const ex_found_t *found, void *address, ex_stop_t *stop)
{
    if (found->header != NULL)
        ex_front_put(thread, found->pool, found->header, stop);
    else
        ex_big_give(thread, found->pool, address, found->owner, stop);
}

/* Memory is short: what this thread keeps ready, and what lies still for the tools, may be what is missing. False: nothing of the kind. */
static bool give_all(ke_thread_t *thread, ex_stop_t *stop)
{
    ex_found_t found;
    if (stop->code != 0 || (!ex_magazines_on && !ex_tools_on))
        return false;
    for (void *address; stop->code == 0 && (address = ex_tools_oldest(&found)) != NULL;)
        give(thread, &found, address, stop);
    ex_magazines_empty(ex_thread_of(thread), stop);
    return stop->code == 0;
}

static POOL_HEADER *block_for(ke_thread_t *thread, const ex_request_t *request, size_t bytes, ex_stop_t *stop)
{
    POOL_HEADER *header = ex_front_take(thread, request->pool, ex_units(bytes), stop);
    if (header == NULL && give_all(thread, stop))
        header = ex_front_take(thread, request->pool, ex_units(bytes), stop);
    return header;
}

static void *allocate_block(ke_thread_t *thread, const ex_request_t *request, ex_stop_t *stop)
{
    size_t asked = request->bytes == 0 ? 1 : request->bytes, bytes = asked;
    bool   align = request->cache_aligned && asked + EX_CACHE_LINE <= EX_BLOCK_MAX;
    if (align)
        bytes += EX_CACHE_LINE;
    POOL_HEADER *header = block_for(thread, request, bytes, stop);
    if (header == NULL)
        return NULL;
    unsigned type = EX_TYPE_IN_USE | ex_paged_bit(request->pool);
    unsigned number =
        ex_tag_count_alloc(ex_thread_of(thread), request->tag, request->pool, (size_t)header->BlockSize << EX_UNIT_SHIFT, request->bytes);
    if (number == 0)
        type |= EX_TYPE_UNNUMBERED;
    ex_header_own(header, header->BlockSize, type, request->tag, request->bytes, number);
    if (align)
        ex_second_header_add(header, type);
    return ex_block_body(header);
}

static void *allocate_pages(ke_thread_t *thread, const ex_request_t *request, bool *zeroed, ex_stop_t *stop)
{
    void *run = ex_big_take(thread, request->pool, request->bytes, request->tag, zeroed, stop);
    if (run == NULL && give_all(thread, stop))
        run = ex_big_take(thread, request->pool, request->bytes, request->tag, zeroed, stop);
    if (run != NULL)
        ex_tag_count_alloc(ex_thread_of(thread), mm_owner_of(run)->tag, request->pool, ex_big_bytes(mm_owner_of(run)), request->bytes);
    return run;
}

static bool tag_is_acceptable(const ex_request_t *request, ex_stop_t *stop)
{
    if (!request->legacy || ex_tag_is_ordinary(request->tag))
        return true;
    if (request->tag == 0)
        ex_stop_set(stop, "Pool was allocated with tag 0.", BAD_POOL_CALLER, 0x9B, request->type, request->bytes, request->caller);
    else if (request->tag == EX_TAG_BIG)
        ex_stop_set(stop, "Pool was allocated with the tag `BIG `, which is the pool's own.", BAD_POOL_CALLER, 0x9C, request->type,
                    request->bytes, request->caller);
    else
        ex_stop_set(stop, "Pool was allocated with a tag that has no letter or digit.", BAD_POOL_CALLER, 0x9D, request->tag, request->type,
                    request->caller);
    return false;
}

static bool is_must_succeed(const ex_request_t *request) { return request->legacy && (request->type & POOL_MUST_SUCCEED) != 0; }

/* Before Windows XP a driver could ask for must-succeed pool, and when there was none the machine stopped. */
static void must_not_fail(const ex_request_t *request, ex_stop_t *stop)
{
    ntmm_memory_usage memory;
    mm_query_frames(&memory);
    ex_stop_set(stop, "There is no memory for a request that must succeed.", MUST_SUCCEED_POOL_EMPTY, request->bytes,
                mm_pool_page_count(MM_NONPAGED_NX) + mm_pool_page_count(MM_NONPAGED_EXECUTE), 0, memory.zeroed + memory.free);
}

static bool request_is_allowed(const ke_thread_t *thread, const ex_request_t *request, ex_stop_t *stop)
{
    if (thread->irql > ex_irql_limit(request->pool))
        ex_stop_set(stop, "Pool was allocated at too high an IRQL.", BAD_POOL_CALLER, 8, thread->irql, request->type, request->bytes);
    else if (is_must_succeed(request) && !ex_pool_rules.must_succeed)
        ex_stop_set(stop, "Drivers may not ask for must-succeed pool.", BAD_POOL_CALLER, 0x9A, request->type, request->bytes, request->tag);
    else
        return tag_is_acceptable(request, stop);
    return false;
}

static NTMM_COLD void *allocate_slowly(const ex_request_t *request)
{
    ex_stop_t    stop = { 0 };
    void        *body = NULL;
    bool         zeroed = false;
    ke_thread_t *thread = ke_thread_enter(request->routine);
    if (thread == NULL)
        return NULL;
    ex_tools_begin();
    if (request_is_allowed(thread, request, &stop) && !ke_inject_failure())
        body = request->bytes <= EX_BLOCK_MAX ? allocate_block(thread, request, &stop) : allocate_pages(thread, request, &zeroed, &stop);
    ex_tools_end();
    if (body == NULL && stop.code == 0 && is_must_succeed(request))
        must_not_fail(request, &stop);
    if (body != NULL)
        ex_tools_hand_out(body, request->bytes);
    ke_thread_leave(thread);
    ex_stop_if_set(request->routine, &stop);
    if (body == NULL && request->raise)
        ke_raise_status(request->routine, STATUS_INSUFFICIENT_RESOURCES, request->caller);
    if (body != NULL && request->zero && !zeroed)
        memset(body, 0, request->bytes);
    return body;
}

/* Returns false when the flags do not name exactly one pool, or ask for something unknown. */
static bool pool_of_flags(POOL_FLAGS flags, mm_pool_t *pool)
{
    const POOL_FLAGS kinds = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;
    const POOL_FLAGS known =
        kinds | POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION | POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_RAISE_ON_FAILURE;
    if ((flags & UINT32_MAX & ~known) != 0)
        return false;
    switch (flags & kinds) {
    case POOL_FLAG_NON_PAGED: *pool = MM_NONPAGED_NX; return true;
    case POOL_FLAG_NON_PAGED_EXECUTE: *pool = MM_NONPAGED_EXECUTE; return true;
    case POOL_FLAG_PAGED: *pool = MM_PAGED; return true;
    default: return false;
    }
}

static NTMM_COLD PVOID allocate2_slowly(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ex_request_t request = { .routine = "ExAllocatePool2",
                             .bytes = bytes,
                             .tag = tag,
                             .caller = caller,
                             .zero = (flags & POOL_FLAG_UNINITIALIZED) == 0,
                             .raise = (flags & POOL_FLAG_RAISE_ON_FAILURE) != 0,
                             .cache_aligned = (flags & POOL_FLAG_CACHE_ALIGNED) != 0 };
    if (!pool_of_flags(flags, &request.pool) || bytes == 0 || tag == 0) {
        if (request.raise)
            ke_raise_status(request.routine, STATUS_INVALID_PARAMETER, caller);
        return NULL;
    }
    request.type = (ULONG)ex_pool_type(request.pool);
    return allocate_slowly(&request);
}

/* No block of exactly that size is in stock, or its tag meets another: a larger block, a longer look, or the slow way. */
static __attribute__((noinline)) PVOID allocate2_near(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    POOL_FLAGS plain = flags & ~POOL_FLAG_UNINITIALIZED;
    void      *body = NULL;
    if (plain == POOL_FLAG_NON_PAGED || plain == POOL_FLAG_PAGED)
        body = ex_fast_take(ke_self(), plain == POOL_FLAG_PAGED ? MM_PAGED : MM_NONPAGED_NX, bytes, tag, true);
    if (body == NULL)
        return allocate2_slowly(flags, bytes, tag, caller);
    return (flags & POOL_FLAG_UNINITIALIZED) != 0 ? body : memset(body, 0, bytes);
}

/* Whole pages that the thread keeps ready, or the slow way. */
static __attribute__((noinline)) PVOID allocate2_pages(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    POOL_FLAGS plain = flags & ~POOL_FLAG_UNINITIALIZED;
    void      *run = NULL;
    if (NTMM_UNLIKELY(bytes == 0))
        return allocate2_slowly(flags, bytes, tag, caller);
    if (NTMM_LIKELY(plain == POOL_FLAG_NON_PAGED))
        run = ex_fast_take_run(ke_self(), MM_NONPAGED_NX, bytes, tag);
    else if (plain == POOL_FLAG_PAGED)
        run = ex_fast_take_run(ke_self(), MM_PAGED, bytes, tag);
    if (NTMM_UNLIKELY(run == NULL))
        return allocate2_slowly(flags, bytes, tag, caller);
    return (flags & POOL_FLAG_UNINITIALIZED) != 0 ? run : memset(run, 0, bytes);
}

PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    ke_thread_t *thread = ke_self();
    POOL_FLAGS   plain = Flags & ~POOL_FLAG_UNINITIALIZED;
    void        *body = NULL;
    if (NTMM_UNLIKELY(NumberOfBytes - 1 >= EX_BLOCK_MAX)) /* too large for a block, or 0 */
        return allocate2_pages(Flags, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
    if (NTMM_LIKELY(plain == POOL_FLAG_NON_PAGED))
        body = ex_fast_take(thread, MM_NONPAGED_NX, NumberOfBytes, Tag, false);
    else if (plain == POOL_FLAG_PAGED)
        body = ex_fast_take(thread, MM_PAGED, NumberOfBytes, Tag, false);
    if (NTMM_UNLIKELY(body == NULL))
        return allocate2_near(Flags, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
    return (Flags & POOL_FLAG_UNINITIALIZED) != 0 ? body : memset(body, 0, NumberOfBytes);
}

static mm_pool_t pool_of_type(ULONG type)
{
    return (type & PagedPool) != 0 ? MM_PAGED : (type & POOL_NX_ALLOCATION) != 0 ? MM_NONPAGED_NX : MM_NONPAGED_EXECUTE;
}

static NTMM_COLD PVOID allocate_with_tag_slowly(const char *routine, ULONG type, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ex_request_t request = { .routine = routine,
                             .type = type,
                             .bytes = bytes,
                             .tag = tag,
                             .legacy = true,
                             .caller = caller,
                             .raise = (type & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0,
                             .cache_aligned = (type & POOL_CACHE_ALIGNED) != 0 };
    request.pool = pool_of_type(type);
    return allocate_slowly(&request);
}

static __attribute__((noinline)) PVOID allocate_with_tag_near(const char *routine, POOL_TYPE type, SIZE_T bytes, ULONG tag,
                                                              ULONG_PTR caller)
{
    ke_thread_t *thread = ke_self();
    void        *body = NULL;
    if (bytes != 0 && (type == NonPagedPoolNx || type == PagedPool || type == NonPagedPool))
        body = bytes > EX_BLOCK_MAX ? ex_fast_take_run(thread, pool_of_type((ULONG)type), bytes, tag)
                                    : ex_fast_take(thread, pool_of_type((ULONG)type), bytes, tag, true);
    return body != NULL ? body : allocate_with_tag_slowly(routine, (ULONG)type, bytes, tag, caller);
}

EX_ALWAYS_INLINE PVOID allocate_with_tag(const char *routine, POOL_TYPE type, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_self();
    void        *body = NULL;
    if (NTMM_UNLIKELY(bytes - 1 >= EX_BLOCK_MAX))
        return allocate_with_tag_near(routine, type, bytes, tag, caller);
    if (NTMM_LIKELY(type == NonPagedPoolNx))
        body = ex_fast_take(thread, MM_NONPAGED_NX, bytes, tag, false);
    else if (type == PagedPool)
        body = ex_fast_take(thread, MM_PAGED, bytes, tag, false);
    else if (type == NonPagedPool)
        body = ex_fast_take(thread, MM_NONPAGED_EXECUTE, bytes, tag, false);
    return NTMM_LIKELY(body != NULL) ? body : allocate_with_tag_near(routine, type, bytes, tag, caller);
}

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate_with_tag("ExAllocatePoolWithTag", PoolType, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
}

PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return allocate_with_tag("ExAllocatePool", PoolType, NumberOfBytes, TAG_NONE, (ULONG_PTR)__builtin_return_address(0));
}

/* ---- free ---- */

static void free_found(ke_thread_t *thread, ex_found_t *found, void *address, ex_stop_t *stop)
{
    ex_thread_t *own = ex_thread_of(thread);
    if (found->header != NULL)
        ex_tag_count_free(own, found->tag, found->pool, (size_t)found->header->BlockSize << EX_UNIT_SHIFT, ex_requested(found->header));
    else
        ex_tag_count_free(own, found->tag, found->pool, ex_big_bytes(found->owner), found->owner->bytes);
    if (NTMM_UNLIKELY(ex_tools_on))
        address = ex_tools_exchange(found, address);
    if (address != NULL)
        give(thread, found, address, stop);
}

static NTMM_COLD void free_slowly(const char *routine, PVOID address, ULONG tag)
{
    ex_stop_t    stop = { 0 };
    ex_found_t   found;
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return;
    ex_tools_begin();
    if (ex_pool_find(address, tag, thread->irql, &found, &stop))
        free_found(thread, &found, address, &stop);
    ex_tools_end();
    ke_thread_leave(thread);
    ex_stop_if_set(routine, &stop);
}

/* Whole pages, or the slow way. */
static __attribute__((noinline)) void free_near(const char *routine, PVOID address, ULONG tag)
{
    if (BYTE_OFFSET(address) != 0 || !ex_fast_give_run(ke_self(), address, tag))
        free_slowly(routine, address, tag);
}

VOID ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    if (NTMM_UNLIKELY(!ex_fast_give(ke_self(), P, Tag)))
        free_near("ExFreePoolWithTag", P, Tag);
}

VOID ExFreePool(PVOID P)
{
    if (NTMM_UNLIKELY(!ex_fast_give(ke_self(), P, 0)))
        free_near("ExFreePool", P, 0);
}

VOID ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount)
{
    (void)ExtendedParameters; /* they concern secure pools, and nobody can create one */
    (void)ExtendedParametersCount;
    if (NTMM_UNLIKELY(!ex_fast_give(ke_self(), P, Tag)))
        free_near("ExFreePool2", P, Tag);
}
