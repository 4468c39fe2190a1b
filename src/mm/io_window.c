/*
 * io_window.c - windows of I/O space: what a test puts where no RAM is.
 * A window of memory keeps the bytes that are written to it. The device's side sees them through a mapping of its own, the view, for as
 * long as the window lives; drivers see them through system PTEs. A window of registers has callbacks in place of bytes.
 *
 *     ntmm_io_space_add --> window --+-- view --------- ntmm_io_space_bytes       the device's side
 *                                    `-- system PTEs -- MmMapIoSpace              the driver's side
 *
 * Units       bytes; pages for the view.
 * Invariants  windows ascend, overlap neither each other nor RAM; memory added later keeps clear of them (physical_memory.c)
 * Locks       (W) and (I) of io_space.h. No callback is called here.
 * Elsewhere   who calls them: hal/registers.c. Ports and configuration space: hal.
 * Source      none (choice): the control API is our own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "mm/io_space.h"
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/physical_memory.h"

#define PHYSICAL_END ((uint64_t)1 << MM_PHYSICAL_ADDRESS_BITS)

typedef unsigned long long ull;

typedef struct io_window { /* (W) to change, (I) as well */
    uint64_t    base, bytes;
    char       *view; /* memory: where the page of the first byte is mapped; NULL: registers */
    ntmm_io_ops ops;  /* registers */
    void       *context;
} io_window_t;
static io_window_t windows[MM_IO_WINDOWS_MAX];
static size_t      window_count;

ke_lock_t mm_io_lock = KE_LOCK_INIT(KE_RANK_MM_IO_SPACE);

static mm_pfn_number_t first_page(const io_window_t *window) { return window->base >> PAGE_SHIFT; }
static mm_pfn_number_t last_page(const io_window_t *window) { return (window->base + window->bytes - 1) >> PAGE_SHIFT; }
static size_t          view_bytes(const io_window_t *window) { return (last_page(window) - first_page(window) + 1) << PAGE_SHIFT; }

/* The number of windows that begin at or below the address: the last of them is the only one that may hold it. */
static size_t windows_up_to(uint64_t physical)
{
    size_t low = 0, high = window_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (windows[middle].base <= physical)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static io_window_t *window_at(uint64_t physical)
{
    size_t up_to = windows_up_to(physical);
    return up_to != 0 && physical - windows[up_to - 1].base < windows[up_to - 1].bytes ? &windows[up_to - 1] : NULL;
}

static void target_at(uint64_t physical, mm_io_target_t *target)
{
    const io_window_t *window = window_at(physical);
    *target = (mm_io_target_t){ .memory = NULL };
    if (window != NULL)
        target->left = window->base + window->bytes - physical;
    if (window != NULL && window->view != NULL) {
        target->memory = window->view + (physical - (first_page(window) << PAGE_SHIFT));
    } else if (window != NULL) {
        target->ops = window->ops;
        target->context = window->context;
        target->offset = physical - window->base;
    }
}

void mm_io_target_at(uint64_t physical, mm_io_target_t *target)
{
    ke_lock(&mm_io_lock);
    target_at(physical, target);
    ke_unlock(&mm_io_lock);
}

bool mm_io_overlaps(mm_pfn_number_t first, uint64_t page_count)
{
    uint64_t begin = first << PAGE_SHIFT;
    size_t   up_to = windows_up_to(begin + (page_count << PAGE_SHIFT) - 1);
    return up_to != 0 && windows[up_to - 1].base + windows[up_to - 1].bytes > begin;
}

/* ---- add ---- */

static bool overlaps_ram(const io_window_t *window)
{
    for (uint32_t i = 0; i < mm_frames.map.range_count; i++) {
        const mm_ram_range_t *range = &mm_frames.map.range[i];
        if (range->first_pfn <= last_page(window) && first_page(window) < range->first_pfn + range->page_count)
            return true;
    }
    return false;
}

static int check_window(const io_window_t *wanted)
{
    ull base = wanted->base, bytes = wanted->bytes;
    if (mm_unbacked)
        return ke_error(-ENOTSUP, "a machine with unbacked_ram has no I/O space");
    if (bytes == 0 || base >= PHYSICAL_END || bytes > PHYSICAL_END - base)
        return ke_error(-EINVAL, "0x%llx bytes at physical address 0x%llx: a window has some bytes, and ends at 2^%u", bytes, base,
                        MM_PHYSICAL_ADDRESS_BITS);
    if (overlaps_ram(wanted))
        return ke_error(-EINVAL, "some of the 0x%llx bytes at physical address 0x%llx are RAM", bytes, base);
    size_t             up_to = windows_up_to(base + bytes - 1);
    const io_window_t *last = up_to != 0 ? &windows[up_to - 1] : NULL;
    if (last != NULL && last->base + last->bytes > base)
        return ke_error(-EINVAL, "some of the 0x%llx bytes at physical address 0x%llx belong to the window at 0x%llx", bytes, base,
                        (ull)last->base);
    if (window_count == MM_IO_WINDOWS_MAX)
        return ke_error(-ENOSPC, "there are %u windows of I/O space already, and there is room for no more", MM_IO_WINDOWS_MAX);
    return 0;
}

static int make_view(io_window_t *window)
{
    window->view = host_reserve(view_bytes(window));
    if (window->view == NULL)
        return ke_error(-ENOMEM, "the host has no addresses for a window of 0x%llx bytes", (ull)window->bytes);
    uint64_t pages = view_bytes(window) >> PAGE_SHIFT;
    int      status = mm_io_pages_map(window->view, first_page(window), pages, HOST_READ | HOST_WRITE);
    if (status != 0) {
        host_release(window->view, view_bytes(window));
        return ke_error(status, "the host refuses to map a window of 0x%llx bytes", (ull)window->bytes);
    }
    return 0;
}

static void insert(const io_window_t *window)
{
    ke_lock(&mm_io_lock);
    size_t at = windows_up_to(window->base);
    memmove(&windows[at + 1], &windows[at], (window_count - at) * sizeof windows[0]);
    windows[at] = *window;
    window_count++;
    ke_unlock(&mm_io_lock);
}

/* The window is in the table no more, or not yet; neighbours may share a page with it. */
static void forget_pages_locked(const io_window_t *window)
{
    mm_io_pages_unmark_locked(first_page(window), last_page(window));
    for (const io_window_t *other = windows; other < windows + window_count; other++)
        if (first_page(other) <= last_page(window) && first_page(window) <= last_page(other))
            mm_io_pages_mark_locked(first_page(other), last_page(other), other->view == NULL);
}

static void undo_hold(const io_window_t *window)
{
    ke_lock(&mm_io_lock);
    forget_pages_locked(window);
    ke_unlock(&mm_io_lock);
    mm_io_pages_drop(first_page(window), last_page(window));
}

static int add_locked(io_window_t *window, bool registers)
{
    int status = check_window(window);
    if (status == 0)
        status = mm_io_pages_hold(first_page(window), last_page(window), registers);
    if (status != 0)
        return status;
    if (!registers) {
        status = make_view(window);
        if (status != 0) {
            undo_hold(window);
            return status;
        }
    }
    insert(window);
    return 0;
}

static int add_window(const char *routine, io_window_t *window, bool registers)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return -ENODEV;
    mm_ram_map_lock();
    int status = add_locked(window, registers);
    mm_ram_map_unlock();
    ke_thread_leave(thread);
    return status;
}

int ntmm_io_space_add(uint64_t physical, size_t bytes)
{
    io_window_t window = { .base = physical, .bytes = bytes };
    return add_window(__func__, &window, false);
}

int ntmm_io_space_add_device(uint64_t physical, size_t bytes, const ntmm_io_ops *ops, void *context)
{
    if (ops == NULL)
        return ke_error(-EINVAL, "%s: registers need callbacks; ntmm_io_space_add makes a window of memory", __func__);
    io_window_t window = { .base = physical, .bytes = bytes, .ops = *ops, .context = context };
    return add_window(__func__, &window, true);
}

/* ---- remove ---- */

/* The pages may stay, for the sake of a neighbour: what comes here next finds zeros. */
static void wipe(const io_window_t *window)
{
    uint64_t lead = window->base & (PAGE_SIZE - 1), tail = (window->base + window->bytes) & (PAGE_SIZE - 1);
    char    *bytes = window->view + lead;
    uint64_t head = lead == 0 ? 0 : PAGE_SIZE - lead;
    if (head >= window->bytes) {
        memset(bytes, 0, window->bytes);
        return;
    }
    memset(bytes, 0, head);
    memset(bytes + window->bytes - tail, 0, tail);
    mm_io_pages_wipe(first_page(window) + (lead != 0), (window->bytes - head - tail) >> PAGE_SHIFT);
}

/* Out of the table, unless a page of it is mapped. */
static bool take_out(io_window_t *window, io_window_t *out)
{
    *out = *window;
    ke_lock(&mm_io_lock);
    bool free = !mm_io_pages_are_mapped_locked(first_page(window), last_page(window));
    if (free) {
        window_count--;
        memmove(window, window + 1, (size_t)(windows + window_count - window) * sizeof *window);
        forget_pages_locked(out);
    }
    ke_unlock(&mm_io_lock);
    return free;
}

static void release(const io_window_t *window)
{
    if (window->view != NULL) {
        wipe(window);
        host_release(window->view, view_bytes(window));
    }
    mm_io_pages_drop(first_page(window), last_page(window));
}

int ntmm_io_space_remove(uint64_t physical)
{
    int          status = 0;
    io_window_t  old;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return -ENODEV;
    mm_ram_map_lock();
    io_window_t *window = window_at(physical);
    if (window == NULL || window->base != physical)
        status = ke_error(-EINVAL, "%s: no window of I/O space begins at physical address 0x%llx", __func__, (ull)physical);
    else if (!take_out(window, &old))
        status = ke_error(-EBUSY, "%s: pages of the window at physical address 0x%llx are mapped", __func__, (ull)physical);
    else
        release(&old);
    mm_ram_map_unlock();
    ke_thread_leave(thread);
    return status;
}

/* ---- the device's side ---- */

void *ntmm_io_space_bytes(uint64_t physical)
{
    mm_io_target_t target;
    bool           halted = atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED;
    if (!halted && ke_thread_ready(__func__) == NULL)
        return NULL;
    if (halted)
        target_at(physical, &target); /* past a lock that nobody may ever give back */
    else
        mm_io_target_at(physical, &target);
    if (target.memory == NULL)
        ke_error(0, "%s: no window of memory has physical address 0x%llx", __func__, (ull)physical);
    return target.memory;
}

/* ---- life, checking, stop reports ---- */

void mm_io_space_boot(void)
{
    ke_lock_init(&mm_io_lock, KE_RANK_MM_IO_SPACE);
    mm_io_map_boot();
}

void mm_io_space_shutdown(void)
{
    ke_lock_init(&mm_io_lock, KE_RANK_MM_IO_SPACE); /* a halted machine may have left it held */
    for (size_t i = 0; i < window_count; i++)
        if (windows[i].view != NULL)
            host_release(windows[i].view, view_bytes(&windows[i]));
    window_count = 0;
    mm_io_pages_shutdown();
    mm_io_map_boot();
}

bool mm_io_space_check(void)
{
    for (size_t i = 0; i < window_count; i++) {
        if (i != 0 && windows[i - 1].base + windows[i - 1].bytes > windows[i].base)
            return ke_error(false, "the windows of I/O space at 0x%llx and 0x%llx overlap", (ull)windows[i - 1].base, (ull)windows[i].base);
        if (overlaps_ram(&windows[i]))
            return ke_error(false, "the window of I/O space at 0x%llx overlaps RAM", (ull)windows[i].base);
    }
    return mm_io_pages_check();
}

static void name_window(const io_window_t *window, uint64_t physical, char *line, size_t bytes)
{
    snprintf(line, bytes, "byte 0x%llx of the %s of 0x%llx bytes at physical address 0x%llx", (ull)(physical - window->base),
             window->view != NULL ? "window of memory" : "window of registers", (ull)window->bytes, (ull)window->base);
}

bool mm_io_describe_window(uint64_t physical, char *line, size_t bytes)
{
    const io_window_t *window = window_at(physical);
    if (window != NULL)
        name_window(window, physical, line, bytes);
    return window != NULL;
}

bool mm_io_describe_view(uintptr_t va, char *line, size_t bytes)
{
    for (size_t i = 0; i < window_count; i++) {
        uintptr_t offset = va - (uintptr_t)windows[i].view;
        if (windows[i].view == NULL || offset >= view_bytes(&windows[i]))
            continue;
        int written = snprintf(line, bytes, "the device's side of ");
        name_window(&windows[i], (first_page(&windows[i]) << PAGE_SHIFT) + offset, line + written, bytes - (size_t)written);
        return true;
    }
    return false;
}
