/*
 * secure_pages.c - pages that the driver sees read-only, and the machine writes behind its back.
 * On Windows a hypervisor keeps secure pool: the kernel has no access right to write there, and asks the secure kernel to do it. Here the frames
 * of such pages are mapped through system PTEs without the right to write, and are written at their homes, where no routine ever leads a
 * driver:
 *
 *     driver ---read---> system PTE (read only) ---+
 *                                                  +--> frame        write through the system PTE: bug check 0xBE
 *     ExSecurePoolUpdate ---write---> its home ----+
 *
 * Units       pages; bytes for what is written.
 * Locks       none of its own: a page belongs to the caller, who keeps writers and the one who frees apart.
 * Source      Microsoft Security Blog, "Introducing Kernel Data Protection" (read-only for the normal world, written by the secure one).
 * Fidelity    a driver that computes the address of a frame in the map of RAM by itself can still write to it.
 */
#include "mm/charge.h"
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/system_pte.h"

static mm_owner_t *owner_at(const void *va, size_t index)
{
    return &mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)va) + index];
}

static char *home_of(const char *va) { return (char *)mm_physical_map.base + (mm_system_pte_frame(va, 0) << PAGE_SHIFT) + BYTE_OFFSET(va); }

/* `from` NULL: zeros. */
static void write_bytes(char *va, const char *from, size_t bytes)
{
    for (size_t done = 0, now; done < bytes; done += now) {
        char  *at = va + done;
        size_t left = PAGE_SIZE - BYTE_OFFSET(at);
        now = bytes - done < left ? bytes - done : left;
        if (from != NULL)
            memcpy(home_of(at), from + done, now);
        else
            memset(home_of(at), 0, now);
    }
}

void *mm_secure_alloc(uint32_t node, size_t page_count)
{
    bool zeroed = false;
    if (page_count == 0 || mm_unbacked || !mm_charge(MM_NONPAGED_NX, page_count))
        return NULL;
    void *va = mm_scattered_alloc_on_node(node, page_count, HOST_READ, MM_NONPAGED_NX, 1 + MmCached, &zeroed);
    if (va == NULL) {
        mm_uncharge(MM_NONPAGED_NX, page_count);
        return NULL;
    }
    for (size_t i = 0; i < page_count; i++)
        mm_unpoison((uintptr_t)home_of((char *)va + (i << PAGE_SHIFT)), PAGE_SIZE);
    if (!zeroed)
        write_bytes(va, NULL, page_count << PAGE_SHIFT);
    for (size_t i = 0; i < page_count; i++)
        *owner_at(va, i) = (mm_owner_t){ .bytes = i, .use = MM_USE_POOL_TAIL, .pool = MM_NONPAGED_NX, .flags = MM_OWNER_SECURE };
    return va;
}

void mm_secure_write(void *va, const void *from, size_t bytes) { write_bytes(va, from, bytes); }

void mm_secure_free(void *va, size_t page_count)
{
    mm_scattered_free(va, page_count);
    mm_uncharge(MM_NONPAGED_NX, page_count);
}
