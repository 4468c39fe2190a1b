/*
 * pool_special.c - special pool, for NTMM_VERIFY_SPECIAL_POOL: every block smaller than a page has a page of its own (mm/special_pages.c), so that who
 * writes behind it, or uses it when it is freed, is stopped at that instruction.
 *
 *     | guard | ppppppppppppppp bytes of the block sss | guard |      at the end: the next byte but s faults
 *     | guard | bytes of the block sss ppppppppppppppp | guard |      at the start, if the config or a priority says so: the byte before faults
 *
 * p, the rest of the page, and s, up to the next multiple of 16 bytes, are filled with a pattern, which must still be there when the block is freed.
 * There is no header: what is known of a block stands in the owner entry of its page, as for whole pages (pool_big.c).
 *
 * Locks       none: a block belongs to its driver.
 * Source      WDK documentation: "Special Pool"; Bug Check 0xC1; EX_POOL_PRIORITY.
 * Fidelity    blocks that are charged to a process, and secure ones, come from ordinary pool; so does everything when addresses, frames or host mappings run
 *             out, as documented. Paged blocks are never paged out. 0xC1 with 0x30 and 0x31 do not occur: the automatic checks come first (0xC4).
 */
#include "ex/pool_special.h"

#include <stdio.h>
#include <string.h>

#include "ex/ex.h"
#include "ex/pool_big.h"
#include "ex/pool_tag.h"

bool ex_special_on;

static bool     at_start; /* unless the request says */
static uint32_t only_tag; /* 0: any */

void ex_special_boot(const ntmm_config *config)
{
    ex_special_on = (config->verifier & NTMM_VERIFY_SPECIAL_POOL) != 0;
    at_start = config->special_pool_start;
    only_tag = config->special_pool_tag;
}

static size_t rounded(size_t bytes) { return (bytes + MEMORY_ALLOCATION_ALIGNMENT - 1) & ~((size_t)MEMORY_ALLOCATION_ALIGNMENT - 1); }

/* Not the same on every page, so that no driver's bytes are it by chance for long. */
static uint8_t pattern_of(const void *page) { return (uint8_t)(((uintptr_t)page >> PAGE_SHIFT) * 0x9D | 1); }

void *ex_special_body(void *page, const mm_owner_t *owner)
{
    bool start = (owner->flags & MM_OWNER_SPECIAL_START) != 0;
    return start ? page : (char *)page + PAGE_SIZE - rounded((size_t)owner->bytes);
}

/* ---- allocating ---- */

static bool belongs_at_start(const ex_request_t *request) { return request->side == EX_ANY_SIDE ? at_start : request->side == EX_UNDERRUN; }

static bool is_for_special_pool(const ex_request_t *request)
{
    return ex_special_on && request->bytes - 1 < PAGE_SIZE - 1 && !request->quota && (only_tag == 0 || only_tag == request->tag);
}

void *ex_special_allocate(ke_thread_t *thread, const ex_request_t *request)
{
    void *page = is_for_special_pool(request) ? mm_special_alloc(request->on_node ? request->node : MM_ANY_NODE, request->pool) : NULL;
    if (page == NULL)
        return NULL;
    if (request->on_node && !request->other_nodes_too && mm_node_of(page) != request->node) {
        mm_special_free(page);
        return NULL;
    }
    memset(page, pattern_of(page), PAGE_SIZE);
    mm_owner_t *owner = mm_owner_of(page);
    ex_big_own(owner, request->bytes, request->tag, request->pool,
               MM_OWNER_SPECIAL | (belongs_at_start(request) ? MM_OWNER_SPECIAL_START : 0));
    ex_tag_count_alloc(ex_thread_of(thread), request->tag, request->pool, PAGE_SIZE, request->bytes);
    return ex_special_body(page, owner);
}

/* ---- freeing ---- */

static void bad_address(const void *address, ULONG_PTR asked, ULONG_PTR computed, ULONG_PTR kind, const char *why, ex_stop_t *stop)
{
    ex_stop_set(stop, why, SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)address, asked, computed, kind);
}

bool ex_special_look(const void *address, ex_found_t *found, ex_stop_t *stop)
{
    mm_special_t special = mm_special_at((uintptr_t)address);
    if (special.is == MM_SPECIAL_NONE)
        return false;
    *found = (ex_found_t){ .pool = (mm_pool_t)special.owner->pool, .owner = special.owner, .tag = special.owner->tag };
    if (special.is == MM_SPECIAL_BLOCK && ex_special_body(special.page, special.owner) == address)
        return true;
    if (special.is == MM_SPECIAL_BLOCK) {
        bool start = (special.owner->flags & MM_OWNER_SPECIAL_START) != 0;
        bad_address(address, special.owner->bytes, start ? BYTE_OFFSET(address) : PAGE_SIZE - BYTE_OFFSET(address), start ? 0x22 : 0x21,
                    "The address is inside a block of special pool, or beside it.", stop);
    } else {
        bad_address(address, 0, 0, 0x20, "No block of special pool is allocated at this address: it was freed already, or never allocated.",
                    stop);
    }
    return true;
}

/* One bit of one byte is memory that fails, rather than a driver that writes. */
static bool is_single_bit(const uint8_t *wrong, const uint8_t *end, uint8_t pattern)
{
    for (const uint8_t *byte = wrong + 1; byte < end; byte++)
        if (*byte != pattern)
            return false;
    return __builtin_popcount((unsigned)(*wrong ^ pattern)) == 1;
}

/* kind: 0x23 in the rest of the page, 0x24 right behind the block. */
static bool is_untouched(const void *address, const uint8_t *from, const uint8_t *end, uint8_t pattern, ULONG_PTR kind, ex_stop_t *stop)
{
    for (const uint8_t *byte = from; byte < end; byte++) {
        if (*byte == pattern)
            continue;
        if (is_single_bit(byte, end, pattern))
            bad_address(address, (ULONG_PTR)byte, 0, 0x32, "One bit beside a block of special pool has changed.", stop);
        else
            bad_address(address, (ULONG_PTR)byte, 0, kind,
                        kind == 0x24 ? "Bytes behind the end of a block of special pool were overwritten."
                                     : "Bytes beside a block of special pool were overwritten.",
                        stop);
        return false;
    }
    return true;
}

bool ex_special_is_whole(const ex_found_t *found, const void *address, ex_stop_t *stop)
{
    const uint8_t *page = PAGE_ALIGN(address), *block = address, *behind = block + found->owner->bytes;
    const uint8_t *slack_end = block + rounded((size_t)found->owner->bytes), *page_end = page + PAGE_SIZE;
    uint8_t        pattern = pattern_of(page);
    return is_untouched(address, page, block, pattern, 0x23, stop) && is_untouched(address, behind, slack_end, pattern, 0x24, stop) &&
           is_untouched(address, slack_end, page_end, pattern, 0x23, stop);
}

void ex_special_give(void *address) { mm_special_free(PAGE_ALIGN(address)); }

/* ---- stop reports ---- */

bool ex_special_describe(uintptr_t address, char *line, size_t bytes)
{
    static const char *const WHAT[] = {
        [MM_SPECIAL_BLOCK] = "in the page of", [MM_SPECIAL_GUARD] = "a page that guards", [MM_SPECIAL_FREED] = "freed:"
    };
    mm_special_t special = mm_special_at(address);
    if (special.is == MM_SPECIAL_NONE)
        return false;
    uintptr_t body = (uintptr_t)ex_special_body(special.page, special.owner);
    char      tag[5];
    ex_tag_text(special.owner->tag, tag);
    snprintf(line, bytes, "special pool, %s a block of %llu bytes at 0x%llx, tag '%s', offset %lld", WHAT[special.is],
             (unsigned long long)special.owner->bytes, (unsigned long long)body, tag, (long long)(address - body));
    return true;
}
