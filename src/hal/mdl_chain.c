/*
 * mdl_chain.c - a buffer as a chain of MDLs has it: a byte of it by its offset from the beginning, and how many pages it touches.
 *
 *     MDL 0 --------> MDL 1 --------> MDL 2          offset 0 ... n0 - 1 | n0 ... n0 + n1 - 1 | ...
 *
 * Source      WDK reference: "Using MDLs"; PMAP_TRANSFER_EX (offsets).
 */
#include "hal/mdl_chain.h"

hal_cursor_t hal_cursor_at(PMDL mdl, uint64_t offset)
{
    while (offset >= mdl->ByteCount && mdl->Next != NULL) {
        offset -= mdl->ByteCount;
        mdl = mdl->Next;
    }
    return (hal_cursor_t){ mdl, (uint32_t)offset };
}

bool hal_chain_has(PMDL mdl, uint64_t offset, uint64_t length)
{
    uint64_t bytes = 0;
    if (length > UINT64_MAX - offset)
        return false;
    for (; mdl != NULL && bytes < offset + length; mdl = mdl->Next)
        bytes += mdl->ByteCount;
    return bytes >= offset + length;
}

uint64_t hal_offset_of(PMDL mdl, PVOID va)
{
    uintptr_t begin = (uintptr_t)MmGetMdlVirtualAddress(mdl);
    return (uintptr_t)va >= begin ? (uintptr_t)va - begin : UINT64_MAX;
}

uint32_t hal_chain_pages(PMDL mdl, uint64_t offset, uint64_t length)
{
    uint64_t pages = 0;
    for (hal_cursor_t cursor = hal_cursor_at(mdl, offset); length != 0;) {
        uint32_t now = hal_within(&cursor, length);
        uint64_t begin = hal_on_pages(&cursor) & (PAGE_SIZE - 1);
        pages += (begin + now + PAGE_SIZE - 1) >> PAGE_SHIFT;
        length -= now;
        if (length == 0 || now == 0)
            break;
        hal_advance(&cursor, now);
    }
    return pages > UINT32_MAX ? UINT32_MAX : (uint32_t)pages;
}
