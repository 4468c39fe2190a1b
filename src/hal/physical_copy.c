/*
 * physical_copy.c - bytes between a buffer of ours and physical memory, as a device reaches it.
 *
 *     physical address --RAM------------> the PFN entry says where: home, or the slot of a pageable page        mm_device_view
 *                      --2^48 and more---> the driver's globals and stack, which an MDL may hold                    likewise
 *                      --window, memory-> its bytes, from the device's side                                     mm_io_target_at
 *                      --window, played-> one call of the test's callbacks for each 8, 4, 2 or 1 bytes
 *                      --nothing, or a frame that nobody has: the copy ends
 *
 * A frame that was freed is nobody's: a device that still writes there would damage whoever gets it next, and is told so.
 *
 * Locks   none held; callbacks may do what code may do at the caller's IRQL.
 */
#include <string.h>

#include "hal/dma.h"
#include "hal/hal.h"
#include "mm/io_space.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static unsigned widest(uint64_t address, size_t bytes)
{
    unsigned width = 8;
    while (address % width != 0 || bytes < width)
        width /= 2;
    return width;
}

/* One access of a device to another one's registers. */
static size_t played(const mm_io_target_t *target, char *buffer, size_t bytes, bool write)
{
    unsigned width = widest(target->offset, bytes);
    uint64_t value = 0;
    if (write) {
        memcpy(&value, buffer, width); /* our hosts are little-endian, and so is the bus */
        hal_write(&target->ops, target->context, target->offset, width, value);
    } else {
        value = hal_read(&target->ops, target->context, target->offset, width);
        memcpy(buffer, &value, width);
    }
    return width;
}

static size_t copy_io_space(char *buffer, uint64_t physical, size_t bytes, bool write)
{
    mm_io_target_t target;
    mm_io_target_at(physical, &target);
    bytes = least(bytes, target.left);
    if (bytes == 0)
        return 0;
    if (target.memory == NULL)
        return played(&target, buffer, bytes, write);
    if (write)
        memcpy(target.memory, buffer, bytes);
    else
        memcpy(buffer, target.memory, bytes);
    return bytes;
}

/* Memory of the process: the address may be no more than a number. */
static size_t copy_process(char *buffer, char *view, size_t bytes, bool write)
{
    return write ? host_copy_safely(view, buffer, bytes) : host_copy_safely(buffer, view, bytes);
}

/* How much of the bytes lies in a row from `view` on: pages are copied in as few pieces as can be. */
static size_t in_a_row(const char *view, uint64_t physical, size_t bytes, bool write)
{
    size_t row = PAGE_SIZE - (size_t)(physical & (PAGE_SIZE - 1));
    while (row < bytes && mm_device_view(physical + row, write) == view + row)
        row += PAGE_SIZE;
    return least(row, bytes);
}

static size_t copy_some(char *buffer, uint64_t physical, size_t bytes, bool write)
{
    char *view = mm_device_view(physical, write);
    if (view == NULL)
        return copy_io_space(buffer, physical, least(bytes, PAGE_SIZE - (size_t)(physical & (PAGE_SIZE - 1))), write);
    bytes = in_a_row(view, physical, bytes, write);
    if (!mm_in(&mm_all, (uintptr_t)view))
        return copy_process(buffer, view, bytes, write);
    if (write)
        memcpy(view, buffer, bytes);
    else
        memcpy(buffer, view, bytes);
    return bytes;
}

static size_t copy(char *buffer, uint64_t physical, size_t bytes, bool write)
{
    size_t done = 0, now = 1;
    for (; done < bytes && now != 0; done += now)
        now = copy_some(buffer + done, physical + done, bytes - done, write);
    return done;
}

size_t hal_copy_from_physical(void *to, uint64_t physical, size_t bytes) { return copy(to, physical, bytes, false); }
size_t hal_copy_to_physical(uint64_t physical, const void *from, size_t bytes)
{
    return copy((char *)(uintptr_t)from, physical, bytes, true);
}
