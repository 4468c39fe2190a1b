/*
 * allocator_ntmm.c - the pools of a machine booted for the purpose.
 *
 *     flags      ExAllocatePool2
 *     -          POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED         NonPagedPoolNx
 *     paged      POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED
 *     zeroed     without POOL_FLAG_UNINITIALIZED: zeroing is what ExAllocatePool2 does unless told otherwise
 *
 * The machine has at least 1 GiB of RAM, more when the work needs it: RAM that is never touched costs the host nothing.
 */
#include "tool/allocator.h"

#include <stdio.h>

#include <ntmm/ntmm.h>

#define LEAST_RAM (UINT64_C(1) << 30)
#define RAM_GRAIN (UINT64_C(64) << 20)

static KIRQL passive; /* what KeRaiseIrql gave back */

/* Pools are limited to a share of RAM, and small blocks cost up to a header and a rounding more than was asked for: four times is ample. */
static uint64_t ram_for(const allocator_need *need)
{
    uint64_t bytes = need->live_bytes * 4 + need->largest_bytes * 4;
    bytes = (bytes + RAM_GRAIN - 1) / RAM_GRAIN * RAM_GRAIN;
    return bytes > LEAST_RAM ? bytes : LEAST_RAM;
}

bool machine_start(const allocator *self, const allocator_need *need, char *why)
{
    ntmm_config config = { .physical_memory = ram_for(need), .pool_model = (enum ntmm_pool_model)self->variant };
    if (ntmm_boot(&config) == 0)
        return true;
    snprintf(why, ALLOCATOR_WHY, "the machine does not boot: %.200s", ntmm_error());
    return false;
}

void *machine_alloc(size_t bytes, uint32_t tag, uint32_t flags)
{
    static const POOL_FLAGS POOLS[4] = {
        POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED,
        POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED,
        POOL_FLAG_NON_PAGED,
        POOL_FLAG_PAGED,
    };
    return ExAllocatePool2(POOLS[flags / BLOCK_PAGED % 4], bytes, tag);
}

void machine_release(void *block, uint32_t tag) { ExFreePoolWithTag(block, tag); }

void machine_set_level(bool dispatch)
{
    if (dispatch)
        KeRaiseIrql(DISPATCH_LEVEL, &passive);
    else
        KeLowerIrql(passive);
}

void machine_usage(allocator_usage *usage)
{
    ntmm_pool_usage   nonpaged, paged;
    ntmm_memory_usage memory;
    ntmm_query_pool(NonPagedPool, &nonpaged);
    ntmm_query_pool(PagedPool, &paged);
    ntmm_query_memory(&memory);
    usage->known = true;
    usage->allotted = nonpaged.bytes_in_use + paged.bytes_in_use;
    usage->free_pages = memory.free + memory.zeroed;
    usage->largest_free_run = memory.largest_free_run;
}

bool machine_guard(void (*body)(void *), void *context, char *why)
{
    ntmm_bugcheck stop;
    if (!ntmm_catch_bugcheck(body, context, &stop))
        return true;
    snprintf(why, ALLOCATOR_WHY, "bug check 0x%X %s (0x%llx, 0x%llx, 0x%llx, 0x%llx)", stop.code, ntmm_bugcheck_name(stop.code),
             (unsigned long long)stop.parameter[0], (unsigned long long)stop.parameter[1], (unsigned long long)stop.parameter[2],
             (unsigned long long)stop.parameter[3]);
    return false;
}

bool machine_finish(char *why)
{
    ntmm_report report;
    if (!ntmm_check()) {
        snprintf(why, ALLOCATOR_WHY, "a structure is broken at the end: %.180s", ntmm_error());
        return false;
    }
    size_t leaks = ntmm_shutdown(&report);
    if (leaks != 0)
        snprintf(why, ALLOCATOR_WHY, leaks == SIZE_MAX ? "shutdown was refused" : "%zu blocks leaked", leaks);
    return leaks == 0;
}
