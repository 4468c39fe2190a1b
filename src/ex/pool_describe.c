/*
 * pool_describe.c - what a stop report says of an address in a pool.
 * Runs while the machine stops: takes no lock, believes no header further than to the end of its page.
 */
#include <stdio.h>

#include "ex/ex.h"

#include "ex/pool_big.h"
#include "ex/pool_find.h"
#include "ex/pool_special.h"
#include "ke/allocation_trace.h"

static const char *const POOL_NAMES[MM_POOLS] = { "nonpaged pool", "executable nonpaged pool", "paged pool" };

static char printable(uint32_t c) { return c >= 0x20 && c <= 0x7e ? (char)c : '.'; }

void ex_tag_text(uint32_t tag, char text[5])
{
    for (unsigned i = 0; i < 4; i++)
        text[i] = printable(tag >> (8 * i) & (i == 3 ? 0x7f : 0xff));
    text[4] = '\0';
}

/* First page of the run that a page belongs to. */
static mm_owner_t *run_of(uintptr_t *page)
{
    mm_owner_t *owner = mm_owner_of((void *)*page);
    if (owner == NULL || owner->use != MM_USE_POOL_TAIL)
        return owner;
    *page -= owner->bytes << PAGE_SHIFT;
    owner = mm_owner_of((void *)*page);
    return owner != NULL && (owner->use == MM_USE_POOL_RUN || owner->use == MM_USE_POOL_CACHED) ? owner : NULL;
}

static bool describe_run(uintptr_t address, mm_pool_t pool, char *line, size_t bytes)
{
    uintptr_t         page = address & ~((uintptr_t)PAGE_SIZE - 1);
    const mm_owner_t *owner = run_of(&page);
    char              tag[5];
    if (owner == NULL || (owner->use != MM_USE_POOL_RUN && owner->use != MM_USE_POOL_CACHED))
        return false;
    ex_tag_text(owner->tag, tag);
    snprintf(line, bytes, "%s, %s of %llu bytes at 0x%llx, tag '%s', offset %llu",
             (owner->flags & MM_OWNER_SECURE) != 0 ? "secure pool, read-only" : POOL_NAMES[pool],
             owner->use == MM_USE_POOL_RUN ? "an allocation" : "a freed allocation", (unsigned long long)owner->bytes,
             (unsigned long long)page, tag, (unsigned long long)(address - page));
    return true;
}

/* NULL: the headers in front of it are damaged. */
static POOL_HEADER *block_at(uintptr_t address, unsigned first)
{
    void *page = PAGE_ALIGN(address);
    for (unsigned unit = first; unit < EX_PAGE_UNITS; unit += ex_at(page, unit)->BlockSize) {
        POOL_HEADER *header = ex_at(page, unit);
        if (header->BlockSize == 0 || address < (uintptr_t)header)
            break;
        if (address < (uintptr_t)ex_right(header, header->BlockSize))
            return header;
    }
    return NULL;
}

static bool describe_block(uintptr_t address, mm_pool_t pool, unsigned first, char *line, size_t bytes)
{
    POOL_HEADER *header = block_at(address, first);
    char         tag[5];
    if (header == NULL) {
        snprintf(line, bytes, "%s, a page whose block headers are damaged before this address", POOL_NAMES[pool]);
        return true;
    }
    bool in_use = (ex_type(header) & (EX_TYPE_IN_USE | EX_TYPE_HELD)) == EX_TYPE_IN_USE;
    ex_tag_text(header->PoolTag, tag);
    snprintf(line, bytes, "%s, %s block of %u bytes at 0x%llx, tag '%s', offset %lld", POOL_NAMES[pool], in_use ? "in use: a" : "freed: a",
             in_use ? ex_requested(header) : ((unsigned)header->BlockSize << EX_UNIT_SHIFT) - EX_HEADER_BYTES,
             (unsigned long long)(uintptr_t)ex_block_body(header), tag, (long long)(address - (uintptr_t)ex_block_body(header)));
    return true;
}

/* Behind the end of a large allocation, in blocks that share its last page. */
static bool lies_in_tail(const mm_owner_t *owner, uintptr_t address)
{
    return owner->first_unit != 0 && ex_unit_of((void *)address) >= owner->first_unit && owner->use != MM_USE_POOL_CACHED;
}

/* The address that the driver was given of what lies here, held or freed; NULL: nothing of that kind. */
static const void *start_of(uintptr_t address)
{
    mm_special_t special = mm_special_at(address);
    if (special.is != MM_SPECIAL_NONE)
        return ex_special_body(special.page, special.owner);
    mm_pool_t         pool = mm_pool_of((void *)address);
    const mm_owner_t *owner = pool != MM_POOLS ? mm_owner_of((void *)address) : NULL;
    uintptr_t         page = address & ~((uintptr_t)PAGE_SIZE - 1);
    if (owner == NULL)
        return NULL;
    if (owner->use != MM_USE_POOL_BLOCKS && !lies_in_tail(owner, address))
        return run_of(&page) != NULL ? (void *)page : NULL;
    POOL_HEADER *header = block_at(address, owner->use == MM_USE_POOL_BLOCKS ? 0 : owner->first_unit);
    return header != NULL ? ex_block_body(header) : NULL;
}

static bool describe(uintptr_t address, char *line, size_t bytes)
{
    if (ex_special_describe(address, line, bytes))
        return true;
    mm_pool_t         pool = mm_pool_of((void *)address);
    const mm_owner_t *owner = pool != MM_POOLS ? mm_owner_of((void *)address) : NULL;
    if (owner == NULL)
        return false;
    if (owner->use == MM_USE_POOL_BLOCKS)
        return describe_block(address, pool, 0, line, bytes);
    return lies_in_tail(owner, address) ? describe_block(address, pool, owner->first_unit, line, bytes)
                                        : describe_run(address, pool, line, bytes);
}

void ex_describe_register(void)
{
    ke_describe_register(describe);
    ke_trace_start_of = start_of;
}
