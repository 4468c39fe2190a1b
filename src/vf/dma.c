/*
 * dma.c - Driver Verifier's DMA checking, NTMM_VERIFY_DMA: every use of an adapter is looked at before it happens, and every mistake is bug
 * check 0xE6 with a code of its own.
 * While it is on all transfers are copied through bounce pages, whatever the device reaches, so that a driver that does not flush sees stale
 * bytes on any machine. What nobody may touch is filled with a pattern:
 *
 *     common buffer     | 0F 0F ... 0F "DmaVrfy0" | the driver's bytes | "DmaVrfy0" 0F 0F ... |
 *                         a page and more before                         to the page's end, and a page more
 *     bounce pages      | 0F 0F ... | of registers that nobody holds: a device that still writes there is found out when they are allocated
 *
 * Locks       (D) while requests of a device are counted; no stop is raised under it.
 * Source      WDK documentation: "DMA Verification"; Bug Check 0xE6.
 * Elsewhere   0x01 and 0x02: performance_counter.c.
 * Fidelity    the pages do not say when these are raised (choices): 0x11 for what is left of an adapter's references at its release when
 *             nothing of 0x07 to 0x0A is, as a routine of the driver's that the adapter is still calling; 0x14 instead of 0x13 for a routine
 *             whose page names no level; 0x22 for a buffer without a system address when there are no system PTEs to map it for copying. 0x00
 *             with 2 is a transfer that needs more map registers than its driver has; for a list it is 0x15. 0x1F with 4 and 5 go by the
 *             device's own alignment: caches agree with memory. "Verifier data" is the adapter's record. Behind an IOMMU transfers are not
 *             copied: the device sees nothing else anyway.
 */
#include "vf/dma.h"

#include <string.h>

#include <ntddk.h>

#include "hal/common_buffer.h"
#include "hal/dma_probe.h"
#include "mm/system_pte.h"

#define FILL 0x0F
static const char TAG[8] = { 'D', 'm', 'a', 'V', 'r', 'f', 'y', '0' };

_Noreturn static NTMM_COLD void violation(const char *routine, const char *why, ULONG_PTR code, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    ke_bugcheck(routine, why, DRIVER_VERIFIER_DMA_VIOLATION, code, p2, p3, p4);
}

static void irql(const char *routine, KIRQL least, KIRQL most)
{
    KIRQL now = ke_self()->irql;
    if (now > most)
        violation(routine, "A DMA routine was called at too high an IRQL.", 0x13, 2, most, now);
    if (now < least)
        violation(routine, "A DMA routine was called below the IRQL that it expects.", 0x13, 1, least, now);
}

static void irql_unsaid(const char *routine)
{
    violation(routine, "A DMA routine was called at too high an IRQL; its page says nothing of it.", 0x14, 0, 0, 0);
}

static void describe(const char *routine, const DEVICE_DESCRIPTION *description)
{
    if (description->Version > DEVICE_DESCRIPTION_VERSION3)
        violation(routine, "The device description has a version that there is not: was it zeroed?", 0x25, 0, 0, 0);
}

static void obsolete(const char *routine)
{
    violation(routine, "HalGetAdapter is obsolete: a driver calls IoGetDmaAdapter.", 0x1E, 0, 0, 0);
}

/* ---- what an adapter's driver holds ---- */

typedef struct held {
    const hal_adapter_t *adapter;
    ULONG_PTR            buffers, channels, registers, lists, all; /* all: references to the adapter, of whatever kind */
} held_t;

static void count_buffer(void *context, void *record)
{
    held_t *held = context;
    held->buffers += ((const hal_common_buffer_t *)record)->adapter == held->adapter;
}

static void count_request(void *context, void *record)
{
    held_t              *held = context;
    const hal_request_t *request = record;
    if (request->adapter != held->adapter)
        return;
    bool list = request->list != NULL;
    held->lists += list && (hal_state(request) & (HAL_LIST | HAL_WAITING)) != 0;
    held->channels += !list && (hal_state(request) & (HAL_CHANNEL | HAL_WAITING)) != 0;
    if (!list && (hal_state(request) & HAL_CHANNEL) == 0 && (hal_state(request) & HAL_REGISTERS) != 0)
        held->registers += request->count;
}

static held_t held_by(hal_adapter_t *adapter)
{
    held_t held = { .adapter = adapter };
    ke_lock(&adapter->device->lock);
    hal_records_visit(HAL_COMMON_BUFFER, count_buffer, &held);
    hal_records_visit(HAL_REQUEST, count_request, &held);
    held.all = adapter->held;
    ke_unlock(&adapter->device->lock);
    return held;
}

static void put(const char *routine, hal_adapter_t *adapter)
{
    held_t held = held_by(adapter);
    if (held.buffers != 0)
        violation(routine, "A DMA adapter is released while common buffers of it are left.", 0x07, (ULONG_PTR)adapter, held.buffers,
                  (ULONG_PTR)adapter);
    if (held.channels != 0)
        violation(routine, "A DMA adapter is released while its channel is allocated.", 0x08, (ULONG_PTR)adapter, held.channels,
                  (ULONG_PTR)adapter);
    if (held.registers != 0)
        violation(routine, "A DMA adapter is released while map registers of it are left.", 0x09, (ULONG_PTR)adapter, held.registers,
                  (ULONG_PTR)adapter);
    if (held.lists != 0)
        violation(routine, "A DMA adapter is released while scatter/gather lists of it are left.", 0x0A, (ULONG_PTR)adapter, held.lists,
                  (ULONG_PTR)adapter);
    if (held.all != 0)
        violation(routine, "A DMA adapter is released while it is in use: by a routine of the driver's that it calls, for example.", 0x11,
                  held.all, (ULONG_PTR)adapter, (ULONG_PTR)adapter);
}

static void channel(const char *routine, hal_adapter_t *adapter, ULONG registers)
{
    held_t held = held_by(adapter);
    if (registers > adapter->most)
        violation(routine, "More map registers are asked for than IoGetDmaAdapter allowed.", 0x0C, registers, adapter->most, 0);
    if (held.channels != 0)
        violation(routine, "The adapter's channel is asked for by a driver that has it, or waits for it already.", 0x0B, held.channels + 1,
                  0, 0);
}

/* ---- buffers ---- */

static void locked(const char *routine, PMDL mdl)
{
    for (const MDL *one = mdl; one != NULL; one = one->Next)
        if ((one->MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE)) == 0)
            violation(routine, "The buffer is pageable, and not locked: the device may find another page there.", 0x0E, (ULONG_PTR)one, 0,
                      0);
}

/* To copy a buffer takes an address for it, and so addresses that are free if it has none. */
static void addressable(const char *routine, const hal_adapter_t *adapter, const MDL *mdl)
{
    const int mapped = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_PARENT_MAPPED_SYSTEM_VA;
    for (; mdl != NULL && adapter->device->iommu.entries == NULL; mdl = mdl->Next) {
        size_t pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(MmGetMdlVirtualAddress(mdl), mdl->ByteCount);
        if ((mdl->MdlFlags & mapped) != 0 || pages == 0)
            continue;
        void *place = mm_system_pte_reserve(pages);
        if (place == NULL)
            violation(routine, "The buffer has no system address, and cannot be mapped to be copied.", 0x22, (ULONG_PTR)mdl, 0, 0);
        mm_system_pte_abandon(place, pages);
    }
}

static uint64_t bytes_of(const MDL *mdl)
{
    uint64_t bytes = 0;
    for (; mdl != NULL; mdl = mdl->Next)
        bytes += mdl->ByteCount;
    return bytes;
}

/* The bytes are whole units of those that the device moves. */
static void aligned(const char *routine, const hal_adapter_t *adapter, PMDL mdl, uint64_t offset, uint32_t length)
{
    const hal_cursor_t cursor = hal_cursor_at(mdl, offset);
    const ULONG        mask = adapter->device->config.dma_alignment - 1;
    ULONG_PTR          start = (ULONG_PTR)MmGetMdlVirtualAddress(cursor.mdl) + cursor.offset;
    if ((start & mask) != 0)
        violation(routine, "The buffer does not begin where GetDmaAlignment allows it.", 0x1F, 4, start, (ULONG_PTR)mdl);
    if ((length & mask) != 0)
        violation(routine, "The length of the transfer is no multiple of what GetDmaAlignment says.", 0x1F, 5, length, (ULONG_PTR)mdl);
}

static void list(const char *routine, hal_adapter_t *adapter, PMDL mdl, const PVOID *va, uint64_t offset, uint32_t length)
{
    if (mdl == NULL)
        return;
    if (va != NULL && (char *)*va < (char *)MmGetMdlVirtualAddress(mdl))
        violation(routine, "The buffer begins before the first MDL.", 0x1F, 1, (ULONG_PTR)*va, (ULONG_PTR)mdl);
    if (va != NULL)
        offset = hal_offset_of(mdl, *va);
    uint64_t bytes = bytes_of(mdl);
    if (va != NULL && offset > mdl->ByteCount)
        violation(routine, "The buffer begins after the first MDL.", 0x1F, 2, (ULONG_PTR)*va, (ULONG_PTR)mdl);
    if (length > bytes || offset > bytes - length)
        violation(routine, "The MDLs have fewer bytes than the transfer.", 0x24, (ULONG_PTR)(offset + length - bytes), 0, 0);
    locked(routine, mdl);
    addressable(routine, adapter, mdl);
    if (length != 0 && hal_chain_pages(mdl, offset, length) > adapter->most)
        violation(routine, "The list needs more map registers than IoGetDmaAdapter allowed.", 0x15, hal_chain_pages(mdl, offset, length),
                  adapter->most, 0);
    if (length != 0)
        aligned(routine, adapter, mdl, offset, length);
}

/* A register that maps some of these bytes, or NULL. */
static const hal_map_register_t *mapped_there(const hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length)
{
    const hal_map_register_t *entry = request->adapter->device->file.registers;
    for (uint32_t i = 0; entry != NULL && i < request->used; i++) {
        const hal_map_register_t *one = &entry[request->first + i];
        if (one->mdl == mdl && one->offset < offset + length && offset < (uint64_t)one->offset + one->bytes)
            return one;
    }
    return NULL;
}

static ULONG_PTR system_address(const hal_request_t *request, const hal_map_register_t *entry)
{
    const hal_register_file_t *file = &request->adapter->device->file;
    return entry->at != HAL_DIRECT && file->bounce != NULL ? (ULONG_PTR)file->bounce + entry->at : 0;
}

static void map(const char *routine, hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length)
{
    ULONG_PTR address = (ULONG_PTR)MmGetMdlVirtualAddress(mdl) + offset;
    if (length == 0)
        violation(routine, "Nothing is to be mapped: the length is 0.", 0x21, (ULONG_PTR)request->adapter, 0, 0);
    if (offset >= bytes_of(mdl))
        violation(routine, "The address is not inside the MDL.", 0x1B, address, (ULONG_PTR)mdl, 0);
    if (!hal_chain_has(mdl, offset, length))
        violation(routine, "The transfer goes beyond the end of the MDL.", 0x1F, 3, (ULONG_PTR)mdl, length);
    locked(routine, mdl);
    addressable(routine, request->adapter, mdl);
    aligned(routine, request->adapter, mdl, offset, length);
    hal_cursor_t              cursor = hal_cursor_at(mdl, offset);
    const hal_map_register_t *entry = mapped_there(request, cursor.mdl, cursor.offset, length);
    if (entry != NULL)
        violation(routine, "Some of the range is mapped already: it was not flushed.", 0x1D, address, address + length - 1,
                  system_address(request, entry));
    uint64_t most = (uint64_t)request->count << PAGE_SHIFT, now = (uint64_t)request->mapped << PAGE_SHIFT;
    uint32_t needed = hal_chain_pages(mdl, offset, length);
    if (needed > request->count)
        violation(routine, "The transfer needs more map registers than the driver has in a row.", 0x00, 2, needed, request->count);
    if (request->used + (uint64_t)needed > request->count && request->mapped != 0)
        violation(routine, "Transfers before this one were not flushed, and no map registers are left.", 0x0D, now + length, most, 0);
}

static void flush(const char *routine, hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length)
{
    uint64_t       bytes = bytes_of(mdl);
    hal_adapter_t *adapter = request->adapter;
    if (length > bytes || offset > bytes - length)
        violation(routine, "More is flushed than the MDL has.", 0x00, 1, offset < bytes ? bytes - offset : 0, length);
    if (request->mapped == 0)
        violation(routine, "A buffer is flushed that is not mapped.", 0x16,
                  (ULONG_PTR)adapter->device->file.bounce + ((size_t)request->first << PAGE_SHIFT), (ULONG_PTR)adapter, 0);
    hal_cursor_t cursor = hal_cursor_at(mdl, offset);
    if (mapped_there(request, cursor.mdl, cursor.offset, length) == NULL)
        violation(routine, "Map registers are flushed that do not map those bytes.", 0x20, (ULONG_PTR)request,
                  (ULONG_PTR)MmGetMdlVirtualAddress(mdl) + offset, (ULONG_PTR)mdl);
    if (!adapter->master && !adapter->over)
        violation(routine, "The controller's transfer is neither over nor cancelled.", 0x23, 0, 0, adapter->controller_channel);
}

static void free_registers(const char *routine, hal_request_t *request)
{
    if (request->mapped != 0 && request->list == NULL)
        violation(routine, "Map registers are freed while they map something: it was not flushed.", 0x10, request->mapped, 0, 0);
}

static void bad_buffer(const char *routine, PVOID va)
{
    (void)va;
    violation(routine, "There is no such common buffer: it was freed already, or is freed with other arguments.", 0x03, 1, 0, 0);
}

static void iommu_fault(const char *routine, PDEVICE_OBJECT object, uint64_t logical, bool write)
{
    violation(routine, "A device used a logical address that is not mapped for it.", 0x26, (ULONG_PTR)object, (ULONG_PTR)logical,
              write ? 2 : 1);
}

/* ---- guards ---- */

static void guard(char *base, size_t bytes, char *start, size_t length)
{
    memset(base, FILL, (size_t)(start - base));
    memset(start + length, FILL, (size_t)(base + bytes - (start + length)));
    memcpy(start - sizeof TAG, TAG, sizeof TAG);
    memcpy(start + length, TAG, sizeof TAG);
}

/* The first byte that is not the pattern, or NULL. */
static const char *first_damage(const char *at, size_t bytes)
{
    for (const char *end = at + bytes; at < end; at++)
        if (*at != FILL)
            return at;
    return NULL;
}

static void guarded(const char *routine, const char *base, size_t bytes, const char *start, size_t length)
{
    const char *after = start + length + sizeof TAG, *damage;
    if (memcmp(start - sizeof TAG, TAG, sizeof TAG) != 0)
        violation(routine, "Something wrote just before the beginning of a common buffer.", 0x0F, 1, length, (ULONG_PTR)start);
    if (memcmp(start + length, TAG, sizeof TAG) != 0)
        violation(routine, "Something wrote just past the end of a common buffer.", 0x0F, 2, length, (ULONG_PTR)start);
    damage = first_damage(base, (size_t)(start - sizeof TAG - base));
    if (damage != NULL)
        violation(routine, "Something wrote before the beginning of a common buffer.", 0x0F, 4, (ULONG_PTR)start, (ULONG_PTR)damage);
    damage = first_damage(after, (size_t)(base + bytes - after));
    if (damage != NULL)
        violation(routine, "Something wrote past the end of a common buffer.", 0x0F, 5, (ULONG_PTR)start, (ULONG_PTR)damage);
}

static void bounce_free(char *at, size_t bytes) { memset(at, FILL, bytes); }

static void bounce_taken(const char *at, size_t bytes)
{
    const char *damage = first_damage(at, bytes);
    if (damage != NULL)
        violation("DMA", "A device wrote to map registers that nobody had: a transfer went on after it was flushed and freed.", 0x0F, 3,
                  (ULONG_PTR)damage, 0);
}

void vf_dma_boot(bool on)
{
    static const hal_dma_probe_t probe = { .irql = irql,
                                           .irql_unsaid = irql_unsaid,
                                           .describe = describe,
                                           .obsolete = obsolete,
                                           .put = put,
                                           .channel = channel,
                                           .list = list,
                                           .map = map,
                                           .flush = flush,
                                           .free_registers = free_registers,
                                           .bad_buffer = bad_buffer,
                                           .iommu_fault = iommu_fault,
                                           .guard = guard,
                                           .guarded = guarded,
                                           .bounce_free = bounce_free,
                                           .bounce_taken = bounce_taken };
    hal_probe = on ? &probe : NULL;
}
