/*
 * pool_api.c - the routines that drivers call: their words become ours, and a refusal becomes what the documentation says.
 *
 *     ExAllocatePool2 ..      this file        flags, type, tag       ExFreePoolWithTag ..
 *      |- ex_fast_take        pool_fast.h      most calls end here     |- ex_fast_give        pool_fast.h
 *      |- the same, nearly    pool_fast.h      a larger block, pages   |- ex_fast_give_run    pool_fast.h      whole pages
 *      `- ex_request_serve    pool_request.c                           |- ex_pool_find        pool_find.c      whose is it, what is wrong
 *          |- ke_inject_failure                is a failure wanted?    |- ex_quota_refund     pool_quota.c
 *          |- ex_front_take       pool_front.c     the stock, refilled |- ex_front_put        pool_front.c
 *          |   `- ex_blocks_take  pool_select.c    lock: ex.pool       |   `- ex_blocks_give  pool_select.c    lock: ex.pool
 *          |- ex_big_take         pool_big.c       whole pages         |- ex_big_give         pool_big.c
 *          `- ex_tag_count_alloc  pool_tag.c                           `- ex_tag_count_free   pool_tag.c
 *
 * Elsewhere   with quota: pool_quota.c. With a priority: pool_priority.c. With more parameters: pool_extended.c, pool_secure.c.
 * Source      WDK reference: the pages of these routines; Bug Check 0xC2.
 */
#include "ex/pool_fast.h"
#include "ex/pool_front.h"
#include "ex/pool_quota.h"
#include "ex/pool_request.h"
#include "ex/pool_secure.h"
#include "ex/pool_special.h"
#include "ex/pool_tools.h"
#include "ke/allocation_trace.h"
#include "ke/probe.h"

#define TAG_NONE NTMM_TAG("None")

/* ---- by flags ---- */

static NTMM_COLD PVOID allocate2_slowly(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ex_request_t request = { .routine = "ExAllocatePool2", .caller = caller };
    if (!ex_request_from_flags(&request, flags, bytes, tag))
        return ex_request_refuse(&request, STATUS_INVALID_PARAMETER);
    return ex_request_serve(&request);
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

EX_ALWAYS_INLINE PVOID allocate2_run(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, bool near)
{
    POOL_FLAGS plain = flags & ~POOL_FLAG_UNINITIALIZED;
    if (NTMM_LIKELY(plain == POOL_FLAG_NON_PAGED))
        return ex_fast_take_run(ke_self(), MM_NONPAGED_NX, bytes, tag, near);
    return plain == POOL_FLAG_PAGED ? ex_fast_take_run(ke_self(), MM_PAGED, bytes, tag, near) : NULL;
}

static __attribute__((noinline)) PVOID allocate2_pages_near(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    void *run = allocate2_run(flags, bytes, tag, true);
    if (run == NULL)
        return allocate2_slowly(flags, bytes, tag, caller);
    return (flags & POOL_FLAG_UNINITIALIZED) != 0 ? run : memset(run, 0, bytes);
}

/* Whole pages that the thread keeps ready, or the slow way. */
static __attribute__((noinline)) PVOID allocate2_pages(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    void *run = allocate2_run(flags, bytes, tag, false);
    if (NTMM_UNLIKELY(run == NULL))
        return allocate2_pages_near(flags, bytes, tag, caller);
    return (flags & POOL_FLAG_UNINITIALIZED) != 0 ? run : memset(run, 0, bytes);
}

EX_LINE_BEGIN PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    if (NTMM_UNLIKELY(NumberOfBytes - 1 >= EX_BLOCK_MAX)) /* too large for a block, or 0 */
        return allocate2_pages(Flags, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
    ke_thread_t *thread = ke_self();
    POOL_FLAGS   plain = Flags & ~POOL_FLAG_UNINITIALIZED;
    void        *body = NULL;
    if (NTMM_LIKELY(plain == POOL_FLAG_NON_PAGED))
        body = ex_fast_take(thread, MM_NONPAGED_NX, NumberOfBytes, Tag, false);
    else if (plain == POOL_FLAG_PAGED)
        body = ex_fast_take(thread, MM_PAGED, NumberOfBytes, Tag, false);
    if (NTMM_UNLIKELY(body == NULL))
        return allocate2_near(Flags, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
    return (Flags & POOL_FLAG_UNINITIALIZED) != 0 ? body : memset(body, 0, NumberOfBytes);
}

/* ---- by type ---- */

static NTMM_COLD PVOID allocate_with_tag_slowly(const char *routine, ULONG type, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ex_request_t request = { .routine = routine, .caller = caller };
    ex_request_from_type(&request, type, bytes, tag);
    return ex_request_serve(&request);
}

static void *take_near(POOL_TYPE plain, SIZE_T bytes, ULONG tag)
{
    if (bytes == 0 || (plain != NonPagedPoolNx && plain != PagedPool && plain != NonPagedPool))
        return NULL;
    mm_pool_t pool = plain == PagedPool ? MM_PAGED : plain == NonPagedPoolNx ? MM_NONPAGED_NX : MM_NONPAGED_EXECUTE;
    return bytes > EX_BLOCK_MAX ? ex_fast_take_run(ke_self(), pool, bytes, tag, true) : ex_fast_take(ke_self(), pool, bytes, tag, true);
}

static __attribute__((noinline)) PVOID allocate_with_tag_near(const char *routine, POOL_TYPE type, SIZE_T bytes, ULONG tag,
                                                              ULONG_PTR caller)
{
    void *body = take_near((POOL_TYPE)((ULONG)type & ~(ULONG)POOL_ZERO_ALLOCATION), bytes, tag);
    if (body == NULL)
        return allocate_with_tag_slowly(routine, (ULONG)type, bytes, tag, caller);
    return ((ULONG)type & POOL_ZERO_ALLOCATION) != 0 && ex_zeroes_natively ? memset(body, 0, bytes) : body;
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

EX_LINE_BEGIN PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate_with_tag("ExAllocatePoolWithTag", PoolType, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
}

PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return allocate_with_tag("ExAllocatePool", PoolType, NumberOfBytes, TAG_NONE, (ULONG_PTR)__builtin_return_address(0));
}

/* ---- free ---- */

/* What is charged and counted; false: the machine is about to stop. */
static bool settle(ke_thread_t *thread, const ex_found_t *found, void *address, ex_stop_t *stop)
{
    ex_thread_t *own = ex_thread_of(thread);
    POOL_HEADER *header = found->header;
    if (header == NULL && (found->owner->flags & MM_OWNER_SECURE) != 0) {
        ex_secure_stop_free(address, stop);
    } else if (ex_is_special(found->owner) && !ex_special_is_whole(found, address, stop)) {
        return false;
    } else if (header == NULL && ex_big_is_locked(PAGE_ALIGN(address), found->owner, stop)) {
        return false;
    } else if (header == NULL) {
        ex_tag_count_free(own, found->tag, found->pool, ex_big_bytes(found->owner), found->owner->bytes);
    } else if (ex_quota_refund(header, address, stop)) {
        ex_tag_count_free(own, found->tag, found->pool, (size_t)header->BlockSize << EX_UNIT_SHIFT, ex_requested(header));
        ex_quota_forget(header);
    }
    return stop->code == 0;
}

static void free_found(ke_thread_t *thread, ex_found_t *found, void *address, ex_stop_t *stop)
{
    if (!settle(thread, found, address, stop))
        return;
    if (NTMM_UNLIKELY(ke_trace_on))
        ke_trace_freed(address);
    if (NTMM_UNLIKELY(ex_tools_on) && !ex_is_special(found->owner))
        address = ex_tools_exchange(found, address);
    if (address != NULL)
        ex_found_give(thread, found, address, stop);
}

/* A verifier looks at what is freed before it is: with no lock held, and not if the free itself is wrong. */
static NTMM_COLD void show_verifier(const char *routine, PVOID address, ULONG tag)
{
    ex_stop_t    stop = { 0 };
    ex_found_t   found;
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return;
    ex_tools_begin();
    bool   is_good = ex_pool_find(address, tag, thread->irql, &found, &stop);
    size_t bytes = !is_good ? 0 : found.header != NULL ? ex_requested(found.header) : found.owner->bytes;
    ex_tools_end();
    ke_thread_leave(thread);
    const ke_freed_t freed = { (uintptr_t)address, bytes, is_good ? found.tag : 0, is_good ? (ULONG)ex_pool_type(found.pool) : 0 };
    if (is_good)
        ke_probe->freeing(routine, &freed);
}

static NTMM_COLD void free_slowly(const char *routine, PVOID address, ULONG tag)
{
    if (NTMM_UNLIKELY(ke_probe != NULL))
        show_verifier(routine, address, tag);
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

static __attribute__((noinline)) void free_pages_near(PVOID address, ULONG tag, const char *routine)
{
    if (BYTE_OFFSET(address) != 0 || !ex_fast_give_run(ke_self(), address, tag, true))
        free_slowly(routine, address, tag);
}

/* Whole pages, or an address where no block can begin. */
static __attribute__((noinline)) void free_pages(PVOID address, ULONG tag, const char *routine)
{
    if (NTMM_UNLIKELY(BYTE_OFFSET(address) != 0 || !ex_fast_give_run(ke_self(), address, tag, false)))
        free_pages_near(address, tag, routine);
}

/* A block of paged or executable pool: a function of its own, so that no jump of its path goes far. What it is told stands where ExFreePoolWithTag
 * has it already. */
static __attribute__((noinline)) void free_elsewhere(PVOID address, ULONG tag, unsigned unit, const char *routine)
{
    ke_thread_t *thread = ke_self();
    bool         done = false;
    if (NTMM_LIKELY(ex_fast_in(MM_PAGED, address)))
        done = ex_fast_give_to(thread, MM_PAGED, address, unit, tag);
    else if (ex_fast_in(MM_NONPAGED_EXECUTE, address))
        done = ex_fast_give_to(thread, MM_NONPAGED_EXECUTE, address, unit, tag);
    if (NTMM_UNLIKELY(!done))
        free_slowly(routine, address, tag);
}

EX_ALWAYS_INLINE void free_pool(const char *routine, PVOID address, ULONG tag)
{
    unsigned unit = ex_unit_before(address);
    if (NTMM_UNLIKELY(unit >= EX_PAGE_UNITS))
        free_pages(address, tag, routine);
    else if (NTMM_UNLIKELY(!ex_fast_in(MM_NONPAGED_NX, address)))
        free_elsewhere(address, tag, unit, routine);
    else if (NTMM_UNLIKELY(!ex_fast_give_to(ke_self(), MM_NONPAGED_NX, address, unit, tag)))
        free_slowly(routine, address, tag);
}

EX_LINE_BEGIN VOID ExFreePoolWithTag(PVOID P, ULONG Tag) { free_pool("ExFreePoolWithTag", P, Tag); }

EX_LINE_BEGIN VOID ExFreePool(PVOID P) { free_pool("ExFreePool", P, 0); }

VOID ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount)
{
    if (NTMM_UNLIKELY(ExtendedParametersCount != 0))
        ex_secure_free("ExFreePool2", P, Tag, ExtendedParameters, ExtendedParametersCount);
    else
        free_pool("ExFreePool2", P, Tag);
}
