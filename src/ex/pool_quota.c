/*
 * pool_quota.c - charging pool to the process that asked for it.
 * The process pays for the whole block, header and rounding included, before it gets it, and is refunded when the block is freed, by whomever.
 * Until then the block refers to the process, which may have ended meanwhile. The header says who paid, in ProcessBilled:
 *
 *     address of the process  |  slack  ^  cookie of this boot  ^  address of the header
 *                                `- bytes of the block behind what was asked for: in the low bits, which are zero in such an address,
 *                                   so that the exact size is still known
 *
 * A driver that writes past the end of the block in front destroys the cookie's work, and the free finds that no process is meant.
 *
 * Only blocks smaller than a page are charged: whole pages have no header to say it in. System is never charged.
 *
 * Source      WDK reference: ExAllocatePoolWithQuotaTag, ExAllocatePoolWithQuota (from PAGE_SIZE on nothing is charged); Bug Checks 0x21
 *             and 0xC2, 0x0D. Published analyses of pool headers since Windows 8 (process, cookie and address are combined by exclusive or).
 * Fidelity    how many bytes are charged, and the slack, are a choice. The cookie comes from ntmm_config.seed.
 */
#include "ex/pool_quota.h"

#include <ntifs.h>

#include "ex/pool_big.h"
#include "ex/pool_request.h"
#include "ex/pool_special.h"

#define TAG_NONE NTMM_TAG("None")
#define SLACK_BITS (KE_PROCESS_ALIGN - 1u)
_Static_assert(EX_CACHE_LINE + EX_UNIT <= KE_PROCESS_ALIGN, "a block is at most a cache line and a unit larger than what was asked for");

uint64_t ex_quota_cookie;

/* One step of SplitMix64: another number for every seed. */
void ex_quota_boot(uint64_t seed)
{
    uint64_t z = seed + 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    ex_quota_cookie = z ^ z >> 31;
}

static ke_quota_t quota_of(mm_pool_t pool) { return pool == MM_PAGED ? KE_QUOTA_PAGED : KE_QUOTA_NONPAGED; }

bool ex_quota_charge(const ke_thread_t *thread, mm_pool_t pool, unsigned units, ke_process_t **payer)
{
    ke_process_t *process = ke_process_current(thread);
    *payer = process != ke_process_system() ? process : NULL;
    return *payer == NULL || ke_process_charge(process, quota_of(pool), (uint64_t)units << EX_UNIT_SHIFT);
}

void ex_quota_cancel(ke_process_t *payer, mm_pool_t pool, unsigned units)
{
    if (payer != NULL)
        ke_process_refund(payer, quota_of(pool), (uint64_t)units << EX_UNIT_SHIFT);
}

/* ---- the header ---- */

static uint64_t mask_of(const POOL_HEADER *header) { return ex_quota_cookie ^ (uintptr_t)header; }
static uint64_t decode(const POOL_HEADER *header) { return header->ProcessBilled ^ mask_of(header); }

static size_t room_of(const POOL_HEADER *header) /* bytes from the driver's first one to the end of the block */
{
    POOL_HEADER *block = (POOL_HEADER *)header;
    return (size_t)((char *)ex_right(block, block->BlockSize) - (char *)ex_block_body(block));
}

void ex_quota_bill(POOL_HEADER *header, ke_process_t *payer, size_t requested)
{
    POOL_HEADER *second = ex_header_of(ex_block_body(header));
    size_t       slack = room_of(header) - requested;
    NTMM_INVARIANT(slack <= SLACK_BITS, "a block with quota is no larger than it need be");
    header->ProcessBilled = ((uintptr_t)payer | slack) ^ mask_of(header);
    ex_set_type(header, (ex_type(header) | EX_TYPE_QUOTA) & ~(unsigned)EX_TYPE_UNNUMBERED);
    if (second != header) {
        second->ProcessBilled = header->ProcessBilled;
        ex_set_type(second, ex_type(header));
    }
}

unsigned ex_quota_requested(const POOL_HEADER *header)
{
    size_t room = room_of(header), slack = decode(header) & SLACK_BITS;
    return (unsigned)(room > slack ? room - slack : 0); /* a damaged one may say anything */
}

static ke_process_t *process_in(const POOL_HEADER *header)
{
    uintptr_t address = (uintptr_t)(decode(header) & ~(uint64_t)SLACK_BITS);
    return ke_process_is_at(address) ? (ke_process_t *)address : NULL;
}

static bool       is_charged(const POOL_HEADER *header) { return (ex_type(header) & EX_TYPE_QUOTA) != 0; }
static size_t     bytes_of(const POOL_HEADER *header) { return (size_t)header->BlockSize << EX_UNIT_SHIFT; }
static ke_quota_t kind_of(const POOL_HEADER *header) { return (ex_type(header) & EX_TYPE_PAGED) != 0 ? KE_QUOTA_PAGED : KE_QUOTA_NONPAGED; }

bool ex_quota_refund(const POOL_HEADER *header, const void *address, ex_stop_t *stop)
{
    if (!is_charged(header))
        return true;
    ke_process_t *process = process_in(header);
    if (process == NULL) {
        ex_stop_set(stop, "The pool block's header names no process to give the quota back to: it was overwritten.", BAD_POOL_CALLER, 0x0D,
                    (ULONG_PTR)address, header->PoolTag, (ULONG_PTR)(decode(header) & ~(uint64_t)SLACK_BITS));
        return false;
    }
    uint64_t beyond = ke_process_refund(process, kind_of(header), bytes_of(header));
    if (beyond != 0)
        ex_stop_set(stop, "More quota was to be given back to a process than it is charged.", QUOTA_UNDERFLOW, (ULONG_PTR)process,
                    kind_of(header), bytes_of(header), beyond);
    return beyond == 0;
}

void ex_quota_forget(POOL_HEADER *header)
{
    if (is_charged(header))
        header->ProcessBilled = 0;
}

bool ex_quota_note(const POOL_HEADER *header)
{
    ke_process_t *process = process_in(header);
    if (process == NULL)
        return false;
    process->found[kind_of(header)] += bytes_of(header);
    process->blocks_found++;
    return true;
}

/* ---- the routines ---- */

static PVOID allocate(const char *routine, ULONG type, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ex_request_t request = { .routine = routine, .caller = caller };
    ex_request_from_type(&request, type, bytes, tag);
    request.quota = true;
    request.raise = (type & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) == 0;
    return ex_request_serve(&request);
}

PVOID ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate(__func__, (ULONG)PoolType, NumberOfBytes, Tag, (ULONG_PTR)__builtin_return_address(0));
}

PVOID ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return allocate(__func__, (ULONG)PoolType, NumberOfBytes, TAG_NONE, (ULONG_PTR)__builtin_return_address(0));
}

SIZE_T ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged)
{
    ex_stop_t    stop = { 0 };
    ex_found_t   found;
    SIZE_T       bytes = 0;
    ke_thread_t *thread = ke_thread_enter(__func__);
    *QuotaCharged = FALSE;
    if (thread == NULL)
        return 0;
    if (ex_pool_look(PoolBlock, thread->irql, &found, &stop)) {
        bytes = found.header != NULL ? room_of(found.header) : ex_is_special(found.owner) ? found.owner->bytes : ex_big_bytes(found.owner);
        *QuotaCharged = found.header != NULL && is_charged(found.header);
    }
    ke_thread_leave(thread);
    ex_stop_if_set(__func__, &stop);
    return bytes;
}
