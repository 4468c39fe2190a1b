/*
 * pool_describe.c - what a stop report says of an address in a pool.
 * Runs while the machine stops: takes no lock, believes no header further than to the end of its page.
 */
#include <stdio.h>

#include "ex/ex.h"

#include "ex/pool_big.h"
#include "ex/pool_find.h"

static const char *const POOL_NAMES[MM_POOLS] = { "nonpaged pool", "executable nonpaged pool", "paged pool" };

static char printable(uint32_t c) { return c >= 0x20 && c <= 0x7e ? (char)c : '.'; }

static void tag_text(uint32_t tag, char text[5])
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
    tag_text(owner->tag, tag);
    snprintf(line, bytes, "%s, %s of %llu bytes at 0x%llx, tag '%s', offset %llu",
             (owner->flags & MM_OWNER_SECURE) != 0 ? "secure pool, read-only" : POOL_NAMES[pool],
             owner->use == MM_USE_POOL_RUN ? "an allocation" : "a freed allocation", (unsigned long long)owner->bytes,
             (unsigned long long)page, tag, (unsigned long long)(address - page));
    return true;
}

static bool describe_block(uintptr_t address, mm_pool_t pool, unsigned first, char *line, size_t bytes)
{
    void *page = PAGE_ALIGN(address);
    for (unsigned unit = first; unit < EX_PAGE_UNITS; unit += ex_at(page, unit)->BlockSize) {
        POOL_HEADER *header = ex_at(page, unit);
        char         tag[5];
        if (header->BlockSize == 0 || address < (uintptr_t)header)
            break;
        if (address >= (uintptr_t)ex_right(header, header->BlockSize))
            continue;
        bool in_use = (ex_type(header) & (EX_TYPE_IN_USE | EX_TYPE_HELD)) == EX_TYPE_IN_USE;
        tag_text(header->PoolTag, tag);
        snprintf(line, bytes, "%s, %s block of %u bytes at 0x%llx, tag '%s', offset %lld", POOL_NAMES[pool],
                 in_use ? "in use: a" : "freed: a",
                 in_use ? ex_requested(header) : ((unsigned)header->BlockSize << EX_UNIT_SHIFT) - EX_HEADER_BYTES,
                 (unsigned long long)(uintptr_t)ex_block_body(header), tag, (long long)(address - (uintptr_t)ex_block_body(header)));
        return true;
    }
    snprintf(line, bytes, "%s, a page whose block headers are damaged before this address", POOL_NAMES[pool]);
    return true;
}

static bool describe(uintptr_t address, char *line, size_t bytes)
{
    mm_pool_t         pool = mm_pool_of((void *)address);
    const mm_owner_t *owner = pool != MM_POOLS ? mm_owner_of((void *)address) : NULL;
    if (owner == NULL)
        return false;
    if (owner->use == MM_USE_POOL_BLOCKS)
        return describe_block(address, pool, 0, line, bytes);
    bool in_tail = owner->first_unit != 0 && ex_unit_of((void *)address) >= owner->first_unit && owner->use != MM_USE_POOL_CACHED;
    return in_tail ? describe_block(address, pool, owner->first_unit, line, bytes) : describe_run(address, pool, line, bytes);
}

void ex_describe_register(void) { ke_describe_register(describe); }
