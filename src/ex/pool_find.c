/*
 * pool_find.c - which allocation begins at this address, and what is wrong when none does.
 * A good free is settled by the header in front of the address. Everything else is a driver's mistake, and the answer is to be found on
 * the page: it is walked from its first block, under the lock, until the address is reached.
 *
 *     outside every pool                       BAD_POOL_CALLER 0x46    page-aligned, nothing allocated there   BAD_POOL_HEADER 0x22
 *     the block there is free already          BAD_POOL_CALLER 0x07    inside a block, or of some other page   BAD_POOL_CALLER 0x99
 *     the block has another tag                BAD_POOL_CALLER 0x0A    the walk meets a header that cannot be  BAD_POOL_HEADER 0x20
 *     IRQL above the pool's limit              BAD_POOL_CALLER 0x09    it is a block, but the walk leaves it out     BAD_POOL_HEADER 0x0A
 *     its second header is not what it was     BAD_POOL_CALLER 0x02    PoolIndex names no descriptor                 BAD_POOL_CALLER 0x01
 *
 * Locks       the descriptor's, while a page is walked.
 * Source      WDK reference: Bug Check 0xC2 and 0x19, parameters.
 * Fidelity    which of several possible codes a mistake gets is a choice where the reference names only the codes.
 */
#include "ex/pool_find.h"

#include "ex/pool_big_table.h"
#include "ex/pool_block.h"
#include "ex/pool_special.h"
#include "ex/pool_tag.h"

static void bad_caller(ex_stop_t *stop, const char *why, ULONG_PTR kind, const void *address)
{
    ex_stop_set(stop, why, BAD_POOL_CALLER, kind, (ULONG_PTR)address, 0, 0);
}

static void freed_twice(ex_stop_t *stop, const void *address)
{
    ex_stop_set(stop, "The pool block was already free.", BAD_POOL_CALLER, 7, 0, ex_header_contents(ex_header_of(address)),
                (ULONG_PTR)address);
}

static bool tag_is_right(const void *address, uint32_t has, uint32_t given, ex_stop_t *stop)
{
    if (given == has || (given == 0 && (has & PROTECTED_POOL) == 0))
        return true;
    ex_stop_set(stop,
                given == 0 ? "A protected pool block must be freed with its tag."
                           : "The pool block was freed with another tag than it was allocated with.",
                BAD_POOL_CALLER, 0x0A, (ULONG_PTR)address, has, given);
    return false;
}

/* ---- diagnosis ---- */

/* The descriptor of a page, as far as its first header can be believed. */
static ex_descriptor_t *descriptor_of_page(mm_pool_t pool, POOL_HEADER *first)
{
    unsigned index = first->PoolIndex;
    return ex_descriptor_of(pool, ex_descriptor_exists(pool, index) ? index : ex_descriptor_first(pool));
}

/* What lies there could be the header of a block in use. */
static bool looks_in_use(mm_pool_t pool, const POOL_HEADER *header)
{
    return ((uintptr_t)header & (EX_UNIT - 1)) == 0 && ex_plain_type(header) == (EX_TYPE_IN_USE | ex_paged_bit(pool)) &&
           header->BlockSize >= EX_MIN_UNITS && ex_unit_of(header) + header->BlockSize <= EX_PAGE_UNITS &&
           ex_tag_is_ordinary(header->PoolTag);
}

/* The address lies inside a block in use, as the headers on the page have it. */
static void inside_block(mm_pool_t pool, POOL_HEADER *block, const void *address, ex_stop_t *stop)
{
    const POOL_HEADER *target = ex_header_of(address);
    if (ex_block_body(block) == address && !ex_second_header_is_good(block, stop))
        return;
    if (looks_in_use(pool, target))
        ex_stop_set(stop, "A pool header was overwritten: the blocks of the page, counted by their sizes, leave out this one.",
                    BAD_POOL_HEADER, 0x0A, (ULONG_PTR)target, 0, (ULONG_PTR)PAGE_ALIGN(address));
    else
        bad_caller(stop, "The address is inside a pool block, not at its beginning.", 0x99, address);
}

static void walk_to(mm_pool_t pool, void *page, unsigned first, const void *address, ex_stop_t *stop)
{
    POOL_HEADER     *target = ex_header_of(address), *block = ex_at(page, first), *left = NULL;
    ex_descriptor_t *descriptor = descriptor_of_page(pool, block);
    ke_lock(&descriptor->lock);
    while (block < target && ex_block_agrees(block)) {
        left = block;
        block = ex_right(block, block->BlockSize);
    }
    bool    reached = block == target, passed = block > target;
    uint8_t type = ex_type(passed ? left : block);
    bool    is_free = type == EX_TYPE_FREE || (type & EX_TYPE_HELD) != 0;
    if (passed && !is_free)
        inside_block(pool, left, address, stop);
    else if ((reached || passed) && is_free)
        freed_twice(stop, address);
    else
        ex_stop_set(stop, "A pool header was overwritten: the sizes of neighbouring blocks do not agree.", BAD_POOL_HEADER, 0x20,
                    (ULONG_PTR)block, (ULONG_PTR)ex_right(block, block->BlockSize), 0);
    ke_unlock(&descriptor->lock);
}

/* The byte is there whether or not its frame is allocated. */
static bool is_at_home(mm_pool_t pool, const void *address)
{
    const mm_region_t *map = pool == MM_NONPAGED_NX ? &mm_physical_map : &mm_executable_map;
    return pool != MM_PAGED && mm_in(map, (uintptr_t)address) && mm_pfn_is_ram(((uintptr_t)address - map->base) >> PAGE_SHIFT);
}

/* Nothing is allocated on the page. In nonpaged pool its bytes are still there and tell whether the address was once a block. */
static void nothing_allocated(mm_pool_t pool, const void *address, ex_stop_t *stop)
{
    if (BYTE_OFFSET(address) == 0) {
        ex_stop_set(stop, "No allocation of whole pages is known at this address: it was freed already, or never allocated.",
                    BAD_POOL_HEADER, 0x22, (ULONG_PTR)address, 0, 0);
        return;
    }
    const POOL_HEADER *header = ex_header_of(address);
    if (is_at_home(pool, address) && ((uintptr_t)header & (EX_UNIT - 1)) == 0 && header->BlockSize >= EX_MIN_UNITS &&
        (header->PoolType & EX_TYPE_IN_USE) == 0 && header->PoolTag != 0)
        freed_twice(stop, address);
    else
        bad_caller(stop, "No pool block is allocated at this address.", 0x99, address);
}

/* ---- what is there ---- */

static bool find_run(const void *address, mm_owner_t *owner, ex_found_t *found, ex_stop_t *stop)
{
    if (owner->use == MM_USE_POOL_CACHED) {
        nothing_allocated(found->pool, address, stop);
    } else if (owner->use != MM_USE_POOL_RUN) {
        bad_caller(stop, "No pool block begins at this page.", 0x99, address);
    } else {
        found->owner = owner;
        found->tag = owner->tag;
        found->any_tag = ex_big_table_on && owner->tag == EX_TAG_BIG && ex_big_table_tag(address) == 0;
        return true;
    }
    return false;
}

/* The block's own header, when the address has one in front that makes sense; NULL otherwise. */
static POOL_HEADER *plausible_header(mm_pool_t pool, const void *address)
{
    POOL_HEADER *header = ex_header_of(address);
    unsigned     type = EX_TYPE_IN_USE | ex_paged_bit(pool) | (ex_type(header) & EX_TYPE_QUOTA);
    if (ex_plain_type(header) == (type | EX_TYPE_SECOND_HEADER) && (uintptr_t)address % EX_CACHE_LINE == 0) {
        header = ex_first_header(header);
        type |= EX_TYPE_SECOND_HEADER;
        if (header == NULL)
            return NULL;
    }
    bool good = ((uintptr_t)header & (EX_UNIT - 1)) == 0 && ex_plain_type(header) == type && ex_block_agrees(header) &&
                ex_block_body(header) == address;
    return good ? header : NULL;
}

/* Where the small blocks of a page begin, EX_PAGE_UNITS when it carries none. In one look: behind a large allocation that is being freed this
 * changes. */
static unsigned first_block_unit(const void *address)
{
    const mm_owner_t *owner = mm_owner_of(address);
    mm_owner_t        seen = owner != NULL ? mm_owner_glance(owner) : (mm_owner_t){ 0 };
    if (seen.use == MM_USE_POOL_BLOCKS)
        return 0;
    bool shared = (seen.use == MM_USE_POOL_RUN || seen.use == MM_USE_POOL_TAIL) && seen.first_unit != 0;
    return shared ? seen.first_unit : EX_PAGE_UNITS;
}

static bool find_block(const void *address, unsigned first, ex_found_t *found, ex_stop_t *stop)
{
    if ((uintptr_t)address % 16 != 0 || ex_unit_of(ex_header_of(address)) < first) {
        bad_caller(stop, "No pool block begins at this address.", 0x99, address);
        return false;
    }
    POOL_HEADER *header = plausible_header(found->pool, address);
    if (header == NULL) {
        walk_to(found->pool, PAGE_ALIGN(address), first, address, stop);
        return false;
    }
    found->header = header;
    found->tag = header->PoolTag;
    return ex_second_header_is_good(header, stop) && ex_block_index_is_good(found->pool, header, stop);
}

bool ex_pool_look(const void *address, KIRQL irql, ex_found_t *found, ex_stop_t *stop)
{
    bool is_special = NTMM_UNLIKELY(ex_special_on) && ex_special_look(address, found, stop);
    if (is_special && stop->code != 0)
        return false;
    if (!is_special)
        *found = (ex_found_t){ .pool = mm_pool_of(address) };
    if (found->pool == MM_POOLS) {
        bad_caller(stop, "The address does not lie in any pool.", 0x46, address);
        return false;
    }
    if (irql > ex_irql_limit(found->pool)) {
        ex_stop_set(stop, "Pool was freed at too high an IRQL.", BAD_POOL_CALLER, 9, irql, (ULONG_PTR)ex_pool_type(found->pool),
                    (ULONG_PTR)address);
        return false;
    }
    if (is_special)
        return true;
    unsigned first = BYTE_OFFSET(address) != 0 ? first_block_unit(address) : EX_PAGE_UNITS;
    if (first < EX_PAGE_UNITS)
        return find_block(address, first, found, stop);
    mm_owner_t *owner = mm_owner_of(address);
    if (owner == NULL || owner->use == MM_USE_NONE)
        nothing_allocated(found->pool, address, stop);
    else if (owner->use < MM_USE_POOL_BLOCKS || owner->use > MM_USE_POOL_CACHED ||
             owner->pool != found->pool) /* the last: a second view of it */
        bad_caller(stop, "The memory at this address does not come from a pool.", 0x46, address);
    else if (BYTE_OFFSET(address) != 0)
        bad_caller(stop, "No pool block begins at this address.", 0x99, address);
    else
        return find_run(address, owner, found, stop);
    return false;
}

bool ex_pool_find(const void *address, uint32_t tag, KIRQL irql, ex_found_t *found, ex_stop_t *stop)
{
    return ex_pool_look(address, irql, found, stop) && (found->any_tag || tag_is_right(address, found->tag, tag, stop));
}
