/*
 * dma_map.c - mapping a part of a buffer for a device, and flushing it afterwards.
 * A page that the device reaches is given to it as it is. For one that it does not reach, or when the device takes one piece only and the
 * pages are not in a row, the bytes take a way through bounce pages:
 *
 *                   mapped, to the device           mapped, from the device         flushed, from the device
 *     buffer        [ A ][ B ][ C ]                 [   ][   ][   ]                 [ A ][ B ][ C ]
 *                     |    |    |   copied                                            ^    ^    ^   copied
 *     bounce pages  [ A ][ B ][ C ]  device reads   [ A ][ B ][ C ]  device writes  [ A ][ B ][ C ]
 *
 * Nothing else copies: a driver that does not flush sees what was in its buffer before; one that maps in the wrong direction sends what
 * was in the bounce page.
 *
 *     piece       a part of one page: what one map register maps
 *     run         pieces of one MDL in a row, all of which take the same way
 *     element     pieces in a row, as the device sees them
 *
 * In lists of pieces a byte keeps its offset on the page. For a device that takes one piece, all of it lies in a row from the first byte on,
 * across the MDLs of a chain; that never needs more bounce pages than there are pieces.
 *
 * Locks       none: map registers are used by who holds them.
 * Source      WDK reference: "Map Registers", "Performing DMA in 64-Bit Windows".
 */
#include "hal/dma_probe.h"
#include "hal/mdl_chain.h"

typedef struct piece {
    uint64_t physical;
    uint32_t bytes;
} piece_t;

/* Not behind an IOMMU, and not when somebody watches, who wants every byte to be copied. */
static bool uses_memory_itself(const hal_adapter_t *adapter) { return hal_probe == NULL && adapter->device->iommu.entries == NULL; }

static piece_t piece_at(const hal_cursor_t *cursor, uint32_t length)
{
    uint64_t at = hal_on_pages(cursor);
    uint32_t in = (uint32_t)(at & (PAGE_SIZE - 1)), bytes = hal_within(cursor, length);
    return (piece_t){ .physical = (MmGetMdlPfnArray(cursor->mdl)[at >> PAGE_SHIFT] << PAGE_SHIFT) | in,
                      .bytes = bytes < PAGE_SIZE - in ? bytes : (uint32_t)PAGE_SIZE - in };
}

/* Bytes from the cursor on, in its MDL, that lie in a row and that the device reaches as they are; 0: not even the first. */
static uint32_t direct_run(const hal_adapter_t *adapter, const hal_cursor_t *cursor, uint32_t length, uint64_t *physical)
{
    uint64_t          at = hal_on_pages(cursor), in = at & (PAGE_SIZE - 1), bytes = hal_within(cursor, length), run = PAGE_SIZE - in;
    const PFN_NUMBER *pfns = MmGetMdlPfnArray(cursor->mdl) + (at >> PAGE_SHIFT);
    *physical = pfns[0] << PAGE_SHIFT | in;
    uint64_t logical = hal_logical_of(*physical);
    if (logical > adapter->highest || !uses_memory_itself(adapter))
        return 0;
    for (uint64_t i = 1; run < bytes && pfns[i] == pfns[0] + i; i++)
        run += PAGE_SIZE;
    run = run < bytes ? run : bytes;
    return (uint32_t)(run - 1 <= adapter->highest - logical ? run : adapter->highest - logical + 1);
}

/* Bytes from the cursor on, in its MDL, that the device does not reach: each page gets a bounce page, and those lie in a row. */
static uint32_t bounced_run(const hal_adapter_t *adapter, const hal_cursor_t *cursor, uint32_t length)
{
    uint64_t          at = hal_on_pages(cursor), bytes = hal_within(cursor, length), run = PAGE_SIZE - (at & (PAGE_SIZE - 1));
    const PFN_NUMBER *pfns = MmGetMdlPfnArray(cursor->mdl) + (at >> PAGE_SHIFT);
    if (!uses_memory_itself(adapter))
        return (uint32_t)bytes;
    for (uint64_t i = 1; run < bytes && hal_logical_of(pfns[i] << PAGE_SHIFT) > adapter->highest; i++)
        run += PAGE_SIZE;
    return (uint32_t)(run < bytes ? run : bytes);
}

/* All of it is one piece that the device reaches. */
static bool is_one_run(const hal_adapter_t *adapter, hal_cursor_t cursor, uint32_t length)
{
    for (uint64_t next = 0, physical; length != 0;) {
        uint32_t run = direct_run(adapter, &cursor, length, &physical);
        if (run == 0 || (next != 0 && physical != next))
            return false;
        next = physical + run;
        length -= run;
        hal_advance(&cursor, run);
    }
    return true;
}

/* ---- copying ---- */

/* Bytes on their way between the driver's memory and bounce pages: pieces that follow each other on both sides go together. */
typedef struct way {
    char    *bounce; /* where the bounce pages are */
    bool     to_device;
    uint64_t physical, at;
    uint32_t bytes; /* 0: none are on their way */
} way_t;

static void arrive(way_t *way)
{
    if (way->bytes != 0 && way->to_device)
        hal_copy_from_physical(way->bounce + way->at, way->physical, way->bytes);
    else if (way->bytes != 0)
        hal_copy_to_physical(way->physical, way->bounce + way->at, way->bytes);
    way->bytes = 0;
}

static void send(way_t *way, uint64_t physical, uint64_t at, uint32_t bytes)
{
    if (way->bytes == 0 || way->physical + way->bytes != physical || way->at + way->bytes != at) {
        arrive(way);
        way->physical = physical;
        way->at = at;
    }
    way->bytes += bytes;
}

/* ---- mapping ---- */

/* A piece that goes on where the last one ended, on the same page, shares its register. */
static bool shares_register(const hal_request_t *request, const hal_cursor_t *cursor)
{
    return request->used != 0 && request->adapter->scatter_gather && request->mapped_mdl == cursor->mdl &&
           request->mapped_to == cursor->offset && (hal_on_pages(cursor) & (PAGE_SIZE - 1)) != 0;
}

/* One piece, for a device that takes no more: it has a register of its own. `at`: where in the bounce pages it goes, HAL_DIRECT: nowhere.
 * false: no register is left. */
static bool map_piece(hal_request_t *request, const hal_cursor_t *cursor, const piece_t *piece, uint64_t at, way_t *way, uint64_t *logical)
{
    hal_device_t              *device = request->adapter->device;
    const hal_register_file_t *file = &device->file;
    if (request->used == request->count)
        return false;
    request->mapped++;
    file->registers[request->first + request->used++] =
        (hal_map_register_t){ cursor->mdl, cursor->offset, piece->bytes, piece->physical, at };
    if (at == HAL_DIRECT) {
        *logical = hal_logical_of(piece->physical);
        return true;
    }
    *logical = hal_register_address(file, at);
    if (file->iova != 0)
        hal_iommu_map(&device->iommu, *logical, piece->physical);
    else if (way->to_device)
        send(way, piece->physical, at, piece->bytes);
    return true;
}

/* The bounce page of the register that the next piece will get. */
static uint64_t bounce_place(const hal_request_t *request, const hal_cursor_t *cursor)
{
    uint64_t number = request->first + request->used - (shares_register(request, cursor) ? 1u : 0u);
    return (number << PAGE_SHIFT) + (hal_on_pages(cursor) & (PAGE_SIZE - 1));
}

/* An IOMMU keeps the offset on the page. */
static bool is_translatable(const hal_request_t *request, const piece_t *piece, uint64_t at)
{
    return request->adapter->device->file.iova == 0 || at == HAL_DIRECT || ((at ^ piece->physical) & (PAGE_SIZE - 1)) == 0;
}

static uint32_t map_one_piece_device(hal_request_t *request, hal_cursor_t *cursor, uint32_t length, bool write, uint64_t *logical)
{
    bool     direct = is_one_run(request->adapter, *cursor, length);
    uint32_t done = 0;
    way_t    way = { .bounce = request->adapter->device->file.bounce, .to_device = write };
    for (uint64_t at = HAL_DIRECT, this; done < length;) {
        piece_t piece = piece_at(cursor, length - done);
        if (!direct && done == 0)
            at = bounce_place(request, cursor);
        if (!is_translatable(request, &piece, at) || !map_piece(request, cursor, &piece, at, &way, &this))
            break;
        if (done == 0)
            *logical = this;
        if (!direct)
            at += piece.bytes;
        done += piece.bytes;
        hal_advance(cursor, piece.bytes);
    }
    arrive(&way);
    return done;
}

/* Map registers are only counted: as much of a run as there are registers for. */
static uint32_t count_registers(hal_request_t *request, const hal_cursor_t *cursor, uint32_t run)
{
    uint64_t in = hal_on_pages(cursor) & (PAGE_SIZE - 1), shared = shares_register(request, cursor) ? 1u : 0u;
    uint64_t left = request->count - request->used + shared, pages = (in + run + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (pages > left) {
        pages = left;
        run = left != 0 ? (uint32_t)((left << PAGE_SHIFT) - in) : 0;
    }
    if (run == 0)
        return 0;
    request->used += (uint32_t)(pages - shared);
    request->mapped += (uint32_t)(pages - shared);
    request->mapped_mdl = cursor->mdl;
    request->mapped_to = cursor->offset + run;
    return run;
}

static uint32_t map_counted(hal_request_t *request, hal_cursor_t *cursor, uint32_t length, uint64_t *logical)
{
    uint32_t done = 0;
    for (uint64_t physical; done < length;) {
        uint32_t run = direct_run(request->adapter, cursor, length - done, &physical);
        if (run == 0 || (done != 0 && hal_logical_of(physical) != *logical + done) || (run = count_registers(request, cursor, run)) == 0)
            break;
        if (done == 0)
            *logical = hal_logical_of(physical);
        done += run;
        hal_advance(cursor, run);
    }
    return done;
}

/* A run of pages, or of parts of them, of one MDL: as much of it as there are registers for. at: of its first byte in the bounce pages,
 * HAL_DIRECT: the device reaches it. */
static uint32_t map_run(hal_request_t *request, const hal_cursor_t *cursor, uint32_t run, uint64_t at, way_t *way)
{
    hal_device_t       *device = request->adapter->device;
    uint64_t            place = hal_on_pages(cursor), in = place & (PAGE_SIZE - 1);
    const PFN_NUMBER   *pfn = MmGetMdlPfnArray(cursor->mdl) + (place >> PAGE_SHIFT);
    uint32_t            done = 0, used = request->used - (shares_register(request, cursor) ? 1u : 0u);
    hal_map_register_t *entry = &device->file.registers[request->first + used];
    for (uint32_t now; done < run && used < request->count; done += now, used++, entry++, pfn++, in = 0) {
        uint64_t physical = *pfn << PAGE_SHIFT | in, to = at == HAL_DIRECT ? HAL_DIRECT : at + done;
        uint32_t offset = cursor->offset + done;
        now = run - done < PAGE_SIZE - in ? run - done : (uint32_t)(PAGE_SIZE - in);
        if (used < request->used && entry->mdl == cursor->mdl && entry->offset + entry->bytes == offset) {
            entry->bytes += now; /* shared */
        } else {
            *entry = (hal_map_register_t){ cursor->mdl, offset, now, physical, to };
            request->mapped++;
        }
        if (to == HAL_DIRECT)
            continue;
        if (device->file.iova != 0)
            hal_iommu_map(&device->iommu, hal_register_address(&device->file, to), physical);
        else if (way->to_device)
            send(way, physical, to, now);
    }
    if (done == 0)
        return 0;
    request->used = used;
    request->mapped_mdl = cursor->mdl;
    request->mapped_to = cursor->offset + done;
    return done;
}

static uint32_t map_pieces(hal_request_t *request, hal_cursor_t *cursor, uint32_t length, bool write, uint64_t *logical)
{
    const hal_adapter_t *adapter = request->adapter;
    uint32_t             done = 0;
    way_t                way = { .bounce = adapter->device->file.bounce, .to_device = write };
    for (uint64_t this, at; done < length;) {
        uint32_t run = direct_run(adapter, cursor, length - done, &this), now;
        at = HAL_DIRECT;
        this = hal_logical_of(this);
        if (run == 0) {
            run = bounced_run(adapter, cursor, length - done);
            at = bounce_place(request, cursor);
            this = hal_register_address(&adapter->device->file, at);
        }
        if ((done != 0 && this != *logical + done) || (now = map_run(request, cursor, run, at, &way)) == 0)
            break;
        if (done == 0)
            *logical = this;
        done += now;
        hal_advance(cursor, now);
        if (now < run)
            break;
    }
    arrive(&way);
    return done;
}

uint32_t hal_map_element(hal_request_t *request, hal_cursor_t *cursor, uint32_t length, bool write, uint64_t *logical)
{
    if (!request->adapter->scatter_gather)
        return map_one_piece_device(request, cursor, length, write, logical);
    if (request->adapter->device->file.registers == NULL)
        return map_counted(request, cursor, length, logical);
    return map_pieces(request, cursor, length, write, logical);
}

/* The next run, as long as it surely is one element, and where it would be; bounce page `number` would be its own. */
static uint32_t next_element_part(const hal_adapter_t *adapter, const hal_cursor_t *cursor, uint32_t length, uint64_t number,
                                  uint64_t *where)
{
    uint32_t run = direct_run(adapter, cursor, length, where);
    if (run != 0 || adapter->device->file.registers == NULL)
        return run;
    *where = UINT64_MAX / 2 + 1 + (number << PAGE_SHIFT) + (hal_on_pages(cursor) & (PAGE_SIZE - 1)); /* nowhere near RAM */
    return bounced_run(adapter, cursor, length);
}

/* For a device that takes one piece behind an IOMMU, pieces must meet at the ends of pages. */
static bool is_translatable_in_one(PMDL mdl, uint64_t offset, uint32_t length)
{
    hal_cursor_t cursor = hal_cursor_at(mdl, offset);
    for (uint64_t next = 0, done = 0; done < length;) {
        piece_t piece = piece_at(&cursor, (uint32_t)(length - done));
        if (done != 0 && ((piece.physical | next) & (PAGE_SIZE - 1)) != 0)
            return false;
        next = piece.physical + piece.bytes;
        done += piece.bytes;
        hal_advance(&cursor, piece.bytes);
    }
    return true;
}

uint32_t hal_count_elements(const hal_adapter_t *adapter, PMDL mdl, uint64_t offset, uint32_t length)
{
    uint32_t elements = 0, part;
    if (!adapter->scatter_gather)
        return adapter->device->file.iova == 0 || is_translatable_in_one(mdl, offset, length) ? 1 : 0;
    hal_cursor_t cursor = hal_cursor_at(mdl, offset);
    for (uint64_t next = 0, number = 0, where; length != 0; length -= part) {
        part = next_element_part(adapter, &cursor, length, number, &where);
        if (part == 0)
            return 0; /* memory came out of reach after the adapter was made */
        elements += elements == 0 || where != next;
        next = where + part;
        number += ((hal_on_pages(&cursor) & (PAGE_SIZE - 1)) + part + PAGE_SIZE - 1) >> PAGE_SHIFT;
        hal_advance(&cursor, part);
    }
    return elements;
}

/* ---- flushing ---- */

static uint32_t later(uint32_t a, uint32_t b) { return a > b ? a : b; }
static uint32_t sooner(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* [from, to) of what a register maps is not mapped any longer, if it is at one of its ends; true: nothing is left. */
static bool unmap_part(hal_map_register_t *entry, uint32_t from, uint32_t to)
{
    uint32_t end = entry->offset + entry->bytes, gone = to - entry->offset;
    if (from == entry->offset && to == end) {
        entry->mdl = NULL;
        return true;
    }
    if (from == entry->offset) {
        entry->offset = to;
        entry->bytes -= gone;
        entry->origin += gone;
        entry->at += entry->at != HAL_DIRECT ? gone : 0;
    } else if (to == end) {
        entry->bytes = from - entry->offset;
    }
    return false;
}

/* What a register maps of [begin, end) of an MDL goes back to the driver's page; all of it: the register is free for the next transfer. */
static bool flush_register(hal_device_t *device, hal_map_register_t *entry, PMDL mdl, uint32_t begin, uint32_t end, way_t *way)
{
    const hal_register_file_t *file = &device->file;
    uint32_t                   from = later(entry->offset, begin), to = sooner(entry->offset + entry->bytes, end);
    if (entry->mdl != mdl || from >= to)
        return false;
    if (way != NULL && entry->at != HAL_DIRECT && file->iova == 0)
        send(way, entry->origin + (from - entry->offset), entry->at + (from - entry->offset), to - from);
    if (!unmap_part(entry, from, to))
        return false;
    if (file->iova != 0)
        hal_iommu_unmap(&device->iommu, hal_register_address(file, entry->at), 1);
    return true;
}

static uint32_t flush_bounced(hal_request_t *request, PMDL mdl, uint32_t begin, uint32_t bytes, bool copy)
{
    hal_device_t *device = request->adapter->device;
    uint32_t      flushed = 0;
    way_t         way = { .bounce = device->file.bounce };
    for (uint32_t i = 0; i < request->used; i++)
        flushed += flush_register(device, &device->file.registers[request->first + i], mdl, begin, begin + bytes, copy ? &way : NULL);
    arrive(&way);
    return flushed;
}

uint32_t hal_flush(hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length, bool write)
{
    uint32_t flushed = 0;
    if (request->adapter->device->file.registers == NULL) {
        flushed = sooner(hal_chain_pages(mdl, offset, length), request->mapped);
        length = 0;
    }
    for (hal_cursor_t cursor = hal_cursor_at(mdl, offset); length != 0 && cursor.mdl != NULL;) {
        uint32_t now = hal_within(&cursor, length); /* 0: an MDL without a byte */
        if (now != 0)
            flushed += flush_bounced(request, cursor.mdl, cursor.offset, now, !write);
        length -= now;
        cursor = (hal_cursor_t){ cursor.mdl->Next, 0 };
    }
    request->mapped -= sooner(flushed, request->mapped);
    if (request->mapped == 0) {
        request->used = 0;
        request->mapped_mdl = NULL;
    }
    return flushed;
}

bool hal_is_bounced(const hal_request_t *request)
{
    const hal_map_register_t *entry = request->adapter->device->file.registers;
    for (uint32_t i = 0; entry != NULL && i < request->used; i++)
        if (request->adapter->device->file.iova == 0 && entry[request->first + i].mdl != NULL && entry[request->first + i].at != HAL_DIRECT)
            return true;
    return false;
}
