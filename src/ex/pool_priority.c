/*
 * pool_priority.c - requests that are to fail early, so that more important ones need not fail at all.
 * A request may take memory only if, after it, as much is left as its priority leaves to others:
 *
 *                  of what the pool's limit allows    of the machine's RAM
 *     Low          1/8                                1/64                  "running low"
 *     Normal       1/32                               1/256                 "very low"
 *     High         nothing                            nothing               "completely out of resources"
 *
 * Units       pages; a block smaller than a page counts as one, whether or not a page has to be taken for it.
 * Locks       mm's, for the count of free frames.
 * Source      WDK reference: ExAllocatePoolWithTagPriority, EX_POOL_PRIORITY (which fails when, in words).
 * Fidelity    the shares are a choice: the reference gives no numbers. A Priority that is none of the documented ones is taken for the next
 *             lower one by ExAllocatePoolWithTagPriority, and refused by ExAllocatePool3 (choice).
 */
#include "ex/pool_priority.h"

#define OVERRUN 8u /* where in special pool */
#define UNDERRUN 9u

static const struct {
    uint8_t pool_share, ram_share; /* 1 / 2^n is left to others */
} LEFT_TO_OTHERS[] = { [EX_NORMAL] = { 5, 8 }, [EX_LOW] = { 3, 6 } };

static bool leaves(uint64_t available, uint64_t page_count, uint64_t reserve)
{
    return available >= page_count && available - page_count >= reserve;
}

bool ex_priority_allows(const ex_request_t *request)
{
    if (request->urgency == EX_URGENT)
        return true;
    uint64_t page_count = request->bytes == 0 ? 1 : BYTES_TO_PAGES(request->bytes);
    uint8_t  pool_share = LEFT_TO_OTHERS[request->urgency].pool_share, ram_share = LEFT_TO_OTHERS[request->urgency].ram_share;
    return leaves(mm_pool_room(request->pool), page_count, mm_pool_limit_pages(request->pool) >> pool_share) &&
           leaves(mm_frames_available(), page_count, mm_frames_total() >> ram_share);
}

bool ex_priority_is_valid(EX_POOL_PRIORITY priority)
{
    unsigned special = (unsigned)priority & 0xFu, base = (unsigned)priority & ~0xFu;
    return base <= HighPoolPriority && (special == 0 || special == OVERRUN || special == UNDERRUN);
}

ex_urgency_t ex_urgency_of(EX_POOL_PRIORITY priority)
{
    return (unsigned)priority >= HighPoolPriority ? EX_URGENT : (unsigned)priority >= NormalPoolPriority ? EX_NORMAL : EX_LOW;
}

ex_side_t ex_side_of(EX_POOL_PRIORITY priority)
{
    unsigned special = (unsigned)priority & 0xFu;
    return special == OVERRUN ? EX_OVERRUN : special == UNDERRUN ? EX_UNDERRUN : EX_ANY_SIDE;
}

PVOID ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EX_POOL_PRIORITY Priority)
{
    ex_request_t request = { .routine = __func__, .caller = (ULONG_PTR)__builtin_return_address(0) };
    ex_request_from_type(&request, (ULONG)PoolType, NumberOfBytes, Tag);
    request.urgency = (uint8_t)ex_urgency_of(Priority);
    request.side = (uint8_t)ex_side_of(Priority);
    return ex_request_serve(&request);
}
