/*
 * ports.c - the processor's I/O space: 65,536 ports, and what a test has put there.
 * An access belongs to the range in which its first byte lies, whatever its width.
 *
 * Locks       ports_lock, a leaf, while a range is looked up; callbacks run without it.
 * Source      WDK reference: wdm.h, READ_PORT_UCHAR and its like. The control API is our own.
 * Fidelity    ports where nothing is read as ones, as on a PC. A string of values is one access each.
 */
#include <errno.h>

#include <ntddk.h>

#include "hal/hal.h"
#include "ke/bugcheck.h"

#define PORTS 0x10000u
#define RANGES_MAX 64u

typedef struct port_range {   /* under ports_lock */
    uint32_t    first, count; /* count 0: the slot is empty */
    ntmm_io_ops ops;
    void       *context;
} port_range_t;
static port_range_t ranges[RANGES_MAX];
static ke_lock_t    ports_lock = KE_LOCK_INIT(KE_RANK_LEAF);

void hal_ports_reset(void)
{
    ke_lock_init(&ports_lock, KE_RANK_LEAF);
    for (uint32_t i = 0; i < RANGES_MAX; i++)
        ranges[i].count = 0;
}

/* The slot to use, or NULL with what is in the way. */
static port_range_t *free_slot_locked(uint32_t first, uint32_t count, const port_range_t **taken)
{
    port_range_t *slot = NULL;
    *taken = NULL;
    for (port_range_t *range = ranges; range < ranges + RANGES_MAX; range++) {
        if (range->count == 0)
            slot = range;
        else if (range->first < first + count && first < range->first + range->count)
            *taken = range;
    }
    return *taken == NULL ? slot : NULL;
}

static int add_ports(uint16_t port, size_t count, const ntmm_io_ops *ops, void *context)
{
    const port_range_t *taken;
    if (ops == NULL || count == 0 || count > PORTS - port)
        return ke_error(-EINVAL, "ntmm_io_port_add: %zu ports from 0x%x on: some ports, up to 0xffff, and callbacks are needed", count,
                        port);
    ke_lock(&ports_lock);
    port_range_t *slot = free_slot_locked(port, (uint32_t)count, &taken);
    uint32_t      in_the_way = taken != NULL ? taken->first : 0;
    if (slot != NULL)
        *slot = (port_range_t){ port, (uint32_t)count, *ops, context };
    ke_unlock(&ports_lock);
    if (slot != NULL)
        return 0;
    if (taken != NULL)
        return ke_error(-EINVAL, "ntmm_io_port_add: some of the %zu ports from 0x%x on belong to the range at 0x%x", count, port,
                        in_the_way);
    return ke_error(-ENOSPC, "ntmm_io_port_add: there are %u ranges of ports already, and there is room for no more", RANGES_MAX);
}

int ntmm_io_port_add(uint16_t port, size_t count, const ntmm_io_ops *ops, void *context)
{
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return -ENODEV;
    int status = add_ports(port, count, ops, context);
    ke_thread_leave(thread);
    return status;
}

int ntmm_io_port_remove(uint16_t port)
{
    bool         found = false;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return -ENODEV;
    ke_lock(&ports_lock);
    for (port_range_t *range = ranges; range < ranges + RANGES_MAX && !found; range++) {
        found = range->count != 0 && range->first == port;
        if (found)
            range->count = 0;
    }
    ke_unlock(&ports_lock);
    ke_thread_leave(thread);
    return found ? 0 : ke_error(-EINVAL, "ntmm_io_port_remove: no range of ports begins at 0x%x", port);
}

/* ---- access ---- */

/* Without callbacks where no range is. */
static port_range_t range_of(uint32_t port)
{
    port_range_t found = { .first = port };
    ke_lock(&ports_lock);
    for (uint32_t i = 0; i < RANGES_MAX; i++)
        if (port - ranges[i].first < ranges[i].count)
            found = ranges[i];
    ke_unlock(&ports_lock);
    return found;
}

static uint64_t port_read(const char *routine, const volatile void *port, unsigned bytes)
{
    uint32_t number = (uint32_t)(uintptr_t)port & (PORTS - 1);
    if (ke_thread_ready(routine) == NULL)
        return hal_ones(bytes);
    port_range_t range = range_of(number);
    return hal_read(&range.ops, range.context, number - range.first, bytes);
}

static void port_write(const char *routine, const volatile void *port, unsigned bytes, uint64_t value)
{
    uint32_t number = (uint32_t)(uintptr_t)port & (PORTS - 1);
    if (ke_thread_ready(routine) == NULL)
        return;
    port_range_t range = range_of(number);
    hal_write(&range.ops, range.context, number - range.first, bytes, value);
}

#define PORT_ROUTINES(Type) \
    Type READ_PORT_##Type(Type *Port) { return (Type)port_read(__func__, Port, sizeof(Type)); } \
    VOID WRITE_PORT_##Type(Type *Port, Type Value) { port_write(__func__, Port, sizeof(Type), Value); } \
    VOID READ_PORT_BUFFER_##Type(Type *Port, Type *Buffer, ULONG Count) \
    { \
        for (ULONG i = 0; i < Count; i++) \
            Buffer[i] = (Type)port_read(__func__, Port, sizeof(Type)); \
    } \
    VOID WRITE_PORT_BUFFER_##Type(Type *Port, Type *Buffer, ULONG Count) \
    { \
        for (ULONG i = 0; i < Count; i++) \
            port_write(__func__, Port, sizeof(Type), Buffer[i]); \
    }
PORT_ROUTINES(UCHAR)
PORT_ROUTINES(USHORT)
PORT_ROUTINES(ULONG)
