/*
 * noncached.c - noncached memory: whole pages, each any frame, mapped in a row through system PTEs.
 * The first page's owner entry knows the bytes that were asked for; the others how far back it is.
 *
 * Locks       none held here; system_pte.c takes its own.
 * Source      WDK reference: ntddk.h, MmAllocateNonCachedMemory, MmFreeNonCachedMemory; Bug Check 0xDA.
 * Fidelity    the pages are ordinary memory of the host: noncached in name. The reference names no bug check for a bad free; 0xDA, the
 *             misuse of system PTEs, has sub-codes that fit (choice).
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/low_resources.h"
#include "mm/charge.h"
#include "mm/pinned.h"
#include "mm/system_pte.h"

#define TAG_NONCACHED NTMM_TAG("MmNc")

static mm_owner_t *owner_at(void *va, size_t index)
{
    return &mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)va) + index];
}

static void *allocate(uint32_t node, SIZE_T bytes)
{
    bool zeroed;
    if (bytes == 0 || bytes > mm_system_pte_region.bytes)
        return NULL;
    size_t page_count = BYTES_TO_PAGES(bytes);
    if (!mm_charge(MM_CHARGE_OTHER, page_count))
        return NULL;
    void *va = mm_scattered_alloc(node, page_count, HOST_READ | HOST_WRITE, MM_NONPAGED_NX, 1 + MmNonCached, &zeroed);
    if (va == NULL) {
        mm_uncharge(MM_CHARGE_OTHER, page_count);
        return NULL;
    }
    for (size_t i = 0; i < page_count; i++)
        *owner_at(va, i) = (mm_owner_t){ .bytes = i, .tag = TAG_NONCACHED, .use = MM_USE_TAIL, .pool = MM_NONPAGED_NX };
    owner_at(va, 0)->bytes = bytes;
    __atomic_store_n(&owner_at(va, 0)->use, (uint8_t)MM_USE_NONCACHED, __ATOMIC_RELEASE);
    ke_low_resources_soil(va, page_count << PAGE_SHIFT);
    return va;
}

PVOID MmAllocateNonCachedMemory(SIZE_T NumberOfBytes)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    void        *va = NULL;
    if (thread == NULL)
        return NULL;
    if (!ke_inject_failure())
        va = allocate(thread->processor->node, NumberOfBytes);
    ke_thread_leave(thread);
    return va;
}

typedef struct free_stop { /* what is wrong with a free, if anything */
    const char     *why;
    ULONG_PTR       code, p3, p4;
    mm_pfn_number_t pinned;
} free_stop_t;

static bool claim(mm_owner_t *owner)
{
    uint8_t expected = MM_USE_NONCACHED;
    return __atomic_compare_exchange_n(&owner->use, &expected, (uint8_t)MM_USE_NONE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void free_checked(void *base, SIZE_T bytes, free_stop_t *stop)
{
    mm_owner_t *owner = mm_in(&mm_system_pte_region, (uintptr_t)base) ? mm_owner_of(base) : NULL;
    if (owner == NULL || (owner->use != MM_USE_NONCACHED && owner->use != MM_USE_TAIL)) {
        *stop = (free_stop_t){ "Nothing that MmAllocateNonCachedMemory returned is mapped at this address.", 0x302, 0, 0, MM_PFN_NONE };
        return;
    }
    size_t page_count = BYTES_TO_PAGES(owner->bytes);
    if (owner->use == MM_USE_TAIL || (uintptr_t)base % PAGE_SIZE != 0)
        *stop = (free_stop_t){ "The address lies inside noncached memory; only its base can be freed.", 0x304, BYTES_TO_PAGES(bytes), 0,
                               MM_PFN_NONE };
    else if (bytes != owner->bytes)
        *stop = (free_stop_t){ "Noncached memory was freed with another size than it was allocated with.", 0x305, BYTES_TO_PAGES(bytes),
                               page_count, MM_PFN_NONE };
    for (size_t i = 0; i < page_count && stop->why == NULL && stop->pinned == MM_PFN_NONE; i++)
        if (mm_frame_is_held(mm_system_pte_frame(base, i)))
            stop->pinned = mm_system_pte_frame(base, i);
    if (stop->why != NULL || stop->pinned != MM_PFN_NONE)
        return;
    if (claim(owner)) {
        mm_scattered_free(base, page_count);
        mm_uncharge(MM_CHARGE_OTHER, page_count);
    } else {
        *stop = (free_stop_t){ "Two threads freed the same noncached memory at once.", 0x302, 0, 0, MM_PFN_NONE };
    }
}

VOID MmFreeNonCachedMemory(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    free_stop_t  stop = { .pinned = MM_PFN_NONE };
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    free_checked(BaseAddress, NumberOfBytes, &stop);
    ke_thread_leave(thread);
    if (stop.pinned != MM_PFN_NONE)
        mm_stop_pinned(__func__, stop.pinned);
    if (stop.why != NULL)
        ke_bugcheck(__func__, stop.why, SYSTEM_PTE_MISUSE, stop.code, (ULONG_PTR)BaseAddress, stop.p3, stop.p4);
}
