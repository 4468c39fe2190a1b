/*
 * pool_request.c - serving a request the slow way: rules first, then memory, then what the block shall say of itself.
 *
 *     ex_request_serve
 *      |- request_is_allowed           IRQL, must-succeed, tag: a driver that breaks them stops the machine
 *      |- ke_inject_failure            was this allocation to fail?
 *      |- ex_priority_allows           pool_priority.c    is there enough left for somebody in no hurry?
 *      |- ex_secure_allocate           pool_secure.c      read-only pages
 *      |- ex_special_allocate          pool_special.c     a page of its own, when a verifier wants that
 *      |- allocate_block               smaller than a page
 *      |   |- ex_quota_charge          pool_quota.c       the process pays before it gets
 *      |   |- ex_front_take            pool_front.c       a stock of free blocks;  ex_block_take_past_stock: past it
 *      |   `- header, second header, quota, tag
 *      `- allocate_pages               pool_big.c
 *
 * What a thread keeps ready may be what is missing: before a request fails, the thread gives back its stock and looks again.
 *
 * Source      WDK reference: POOL_TYPE, POOL_FLAGS; Bug Check 0xC2.
 * Fidelity    session pool: ordinary pool. POOL_COLD_ALLOCATION: a hint that changes nothing.
 */
#include "ex/pool_request.h"

#include "ex/pool_big.h"
#include "ex/pool_find.h"
#include "ex/pool_front.h"
#include "ex/pool_priority.h"
#include "ex/pool_quota.h"
#include "ex/pool_rules.h"
#include "ex/pool_secure.h"
#include "ex/pool_select.h"
#include "ex/pool_special.h"
#include "ex/pool_tag.h"
#include "ex/pool_tools.h"
#include "ke/allocation_trace.h"
#include "ke/inject.h"
#include "ke/probe.h"

#define POOL_MUST_SUCCEED 2u
#define POOL_CACHE_ALIGNED 4u

bool ex_zeroes_natively;

/* ---- the driver's words ---- */

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

bool ex_request_from_flags(ex_request_t *request, POOL_FLAGS flags, SIZE_T bytes, ULONG tag)
{
    request->bytes = bytes;
    request->tag = tag;
    request->zero = (flags & POOL_FLAG_UNINITIALIZED) == 0;
    request->raise = (flags & POOL_FLAG_RAISE_ON_FAILURE) != 0;
    request->cache_aligned = (flags & POOL_FLAG_CACHE_ALIGNED) != 0;
    request->quota = (flags & POOL_FLAG_USE_QUOTA) != 0;
    if (!pool_of_flags(flags, &request->pool))
        return false;
    request->type = (ULONG)ex_pool_type(request->pool);
    return bytes != 0 && tag != 0;
}

void ex_request_from_type(ex_request_t *request, ULONG type, SIZE_T bytes, ULONG tag)
{
    request->pool = (type & PagedPool) != 0 ? MM_PAGED : (type & POOL_NX_ALLOCATION) != 0 ? MM_NONPAGED_NX : MM_NONPAGED_EXECUTE;
    request->type = type;
    request->bytes = bytes;
    request->tag = tag;
    request->legacy = true;
    request->zero = ex_zeroes_natively && (type & POOL_ZERO_ALLOCATION) != 0;
    request->raise = (type & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0;
    request->cache_aligned = (type & POOL_CACHE_ALIGNED) != 0;
}

/* ---- rules ---- */

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

/* A mistake, but one that the pools bear: only a verifier minds. */
static bool is_minded_zero(const ex_request_t *request) { return request->bytes == 0 && NTMM_UNLIKELY(ke_probe != NULL); }

static void zero_bytes(const ex_request_t *request, ex_stop_t *stop)
{
    ex_stop_set(stop, "Zero bytes of pool were asked for.", BAD_POOL_CALLER, 0, 0, request->type, request->tag);
}

static bool request_is_allowed(const ke_thread_t *thread, const ex_request_t *request, ex_stop_t *stop)
{
    if (thread->irql > ex_irql_limit(request->pool))
        ex_stop_set(stop, "Pool was allocated at too high an IRQL.", BAD_POOL_CALLER, 8, thread->irql, request->type, request->bytes);
    else if (is_must_succeed(request) && !ex_pool_rules.must_succeed)
        ex_stop_set(stop, "Drivers may not ask for must-succeed pool.", BAD_POOL_CALLER, 0x9A, request->type, request->bytes, request->tag);
    else if (is_minded_zero(request))
        zero_bytes(request, stop);
    else
        return tag_is_acceptable(request, stop);
    return false;
}

/* ---- blocks ---- */

/* `exact`: not a larger one that happens to be in stock. */
static POOL_HEADER *take_block(ke_thread_t *thread, const ex_request_t *request, unsigned units, bool exact, ex_stop_t *stop)
{
    if (!exact && !request->on_node)
        return ex_front_take(thread, request->pool, units, stop);
    return ex_block_take_past_stock(thread, request->pool, request->on_node ? request->node : MM_ANY_NODE, request->other_nodes_too, units,
                                    stop);
}

static POOL_HEADER *block_for(ke_thread_t *thread, const ex_request_t *request, unsigned units, bool exact, ex_stop_t *stop)
{
    POOL_HEADER *header = take_block(thread, request, units, exact, stop);
    if (header == NULL && ex_front_give_all(thread, stop))
        header = take_block(thread, request, units, exact, stop);
    return header;
}

static void *dress_block(ke_thread_t *thread, const ex_request_t *request, POOL_HEADER *header, bool align, ke_process_t *payer)
{
    unsigned type = EX_TYPE_IN_USE | ex_paged_bit(request->pool);
    unsigned number =
        ex_tag_count_alloc(ex_thread_of(thread), request->tag, request->pool, (size_t)header->BlockSize << EX_UNIT_SHIFT, request->bytes);
    if (number == 0)
        type |= EX_TYPE_UNNUMBERED;
    ex_header_own(header, header->BlockSize, type, request->tag, request->bytes, EX_TAG_MARK(number));
    if (align)
        ex_second_header_add(header, type);
    if (payer != NULL)
        ex_quota_bill(header, payer, request->bytes);
    return ex_block_body(header);
}

static void *allocate_block(ke_thread_t *thread, const ex_request_t *request, NTSTATUS *status, ex_stop_t *stop)
{
    size_t        asked = request->bytes == 0 ? 1 : request->bytes;
    bool          align = request->cache_aligned && asked + EX_CACHE_LINE <= EX_BLOCK_MAX;
    unsigned      units = ex_units(align ? asked + EX_CACHE_LINE : asked);
    ke_process_t *payer = NULL;
    if (request->quota && !ex_quota_charge(thread, request->pool, units, &payer)) {
        *status = STATUS_QUOTA_EXCEEDED;
        return NULL;
    }
    POOL_HEADER *header = block_for(thread, request, units, payer != NULL, stop);
    if (header != NULL)
        return dress_block(thread, request, header, align, payer);
    ex_quota_cancel(payer, request->pool, units);
    return NULL;
}

/* ---- pages ---- */

static void *take_pages(ke_thread_t *thread, const ex_request_t *request, bool *zeroed, ex_stop_t *stop)
{
    void *run = NULL;
    if (request->on_node)
        run = ex_big_take(thread, request->pool, request->node, request->bytes, request->tag, zeroed, stop);
    if (run == NULL && stop->code == 0 && (!request->on_node || request->other_nodes_too))
        run = ex_big_take(thread, request->pool, MM_ANY_NODE, request->bytes, request->tag, zeroed, stop);
    return run;
}

static void *allocate_pages(ke_thread_t *thread, const ex_request_t *request, bool *zeroed, ex_stop_t *stop)
{
    void *run = take_pages(thread, request, zeroed, stop);
    if (run == NULL && ex_front_give_all(thread, stop))
        run = take_pages(thread, request, zeroed, stop);
    if (run != NULL)
        ex_tag_count_alloc(ex_thread_of(thread), mm_owner_of(run)->tag, request->pool, ex_big_bytes(mm_owner_of(run)), request->bytes);
    return run;
}

/* ---- all of it ---- */

void *ex_request_refuse(const ex_request_t *request, NTSTATUS status)
{
    ex_stop_t stop = { 0 };
    if (is_minded_zero(request) && ke_thread_ready(request->routine) != NULL)
        zero_bytes(request, &stop);
    ex_stop_if_set(request->routine, &stop);
    if (request->raise)
        ke_raise_status(request->routine, status, request->caller);
    return NULL;
}

NTMM_COLD void *ex_request_serve(const ex_request_t *request)
{
    ex_stop_t    stop = { 0 };
    NTSTATUS     status = STATUS_INSUFFICIENT_RESOURCES;
    void        *body = NULL;
    bool         zeroed = false, in_place = true;
    ke_thread_t *thread = ke_thread_enter(request->routine);
    if (thread == NULL)
        return NULL;
    ex_tools_begin();
    if (request_is_allowed(thread, request, &stop) && !ke_inject_failure() && ex_priority_allows(request)) {
        if (request->secure != NULL)
            body = ex_secure_allocate(thread, request, &status, &stop);
        else if (NTMM_UNLIKELY(ex_special_on) && (body = ex_special_allocate(thread, request)) != NULL)
            in_place = false;
        else if (request->bytes <= EX_BLOCK_MAX)
            body = allocate_block(thread, request, &status, &stop);
        else
            body = allocate_pages(thread, request, &zeroed, &stop);
    }
    ex_tools_end();
    if (body == NULL && stop.code == 0 && is_must_succeed(request))
        must_not_fail(request, &stop);
    if (body != NULL && request->secure == NULL && in_place)
        ex_tools_hand_out(body, request->bytes);
    if (zeroed && request->zero)
        ex_tools_zeroed(body, request->bytes);
    if (NTMM_UNLIKELY(ke_trace_on) && body != NULL)
        ke_trace_allocated(body);
    ke_thread_leave(thread);
    ex_stop_if_set(request->routine, &stop);
    if (body == NULL)
        return ex_request_refuse(request, status);
    if (request->zero && !zeroed && request->secure == NULL)
        memset(body, 0, request->bytes);
    return body;
}
