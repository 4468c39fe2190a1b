/*
 * pci.c - PCI functions that a test has put into slots, and their configuration space.
 * Configuration space is 4,096 bytes: plain ones, or callbacks. An access of a driver, of any length at any offset, becomes the fewest that a
 * PCI bus knows: one, two or four bytes, each on a boundary of its width, and none beyond what was asked for.
 *
 *     offset 0x0f, 8 bytes        0f | 10 11 12 13 | 14 15 | 16
 *
 * Locks       pci_lock, a leaf, while a function is looked up; callbacks run without it.
 * Source      WDK reference: ntddk.h, HalGetBusDataByOffset, HalSetBusDataByOffset; Windows 2000 DDK, HalGetBusData (0: no such bus, 2: nothing
 *             in the slot, and the IRQL).
 * Fidelity    a bus exists when it is bus 0 of segment 0, or when a function is on it (choice). Which of a function's registers can be
 *             written, and what a base address register answers to ones, is the test's affair.
 */
#include <errno.h>
#include <string.h>

#include <ntddk.h>

#include "hal/hal.h"
#include "ke/bugcheck.h"

#define FUNCTIONS_MAX 256u
#define CONFIG_BYTES 4096u
#define COMMON_BYTES 256u     /* of which a bridge's cannot be written here */
#define SLOTS 0x100u          /* 32 devices with 8 functions */
#define BUSES_MOST 0x1000000u /* 65,536 segments of 256 buses */
#define HEADER_TYPE FIELD_OFFSET(PCI_COMMON_HEADER, HeaderType)

typedef struct pci_function { /* under pci_lock */
    bool        in_use;
    uint32_t    bus, slot;
    char       *bytes; /* NULL: callbacks */
    ntmm_io_ops ops;
    void       *context;
} pci_function_t;
static pci_function_t functions[FUNCTIONS_MAX];
static ke_lock_t      pci_lock = KE_LOCK_INIT(KE_RANK_LEAF);

void hal_pci_reset(void)
{
    ke_lock_init(&pci_lock, KE_RANK_LEAF);
    for (pci_function_t *function = functions; function < functions + FUNCTIONS_MAX; function++) {
        if (function->bytes != NULL)
            host_release(function->bytes, CONFIG_BYTES);
        *function = (pci_function_t){ .in_use = false };
    }
}

static pci_function_t *find_locked(uint32_t bus, uint32_t slot)
{
    for (pci_function_t *function = functions; function < functions + FUNCTIONS_MAX; function++)
        if (function->in_use && function->bus == bus && function->slot == slot)
            return function;
    return NULL;
}

/* A copy of it; false: there is none. */
static bool find(uint32_t bus, uint32_t slot, pci_function_t *out)
{
    ke_lock(&pci_lock);
    const pci_function_t *function = find_locked(bus, slot);
    if (function != NULL)
        *out = *function;
    ke_unlock(&pci_lock);
    return function != NULL;
}

bool hal_pci_bus_exists(uint32_t bus)
{
    bool exists = bus == 0;
    ke_lock(&pci_lock);
    for (uint32_t i = 0; i < FUNCTIONS_MAX && !exists; i++)
        exists = functions[i].in_use && functions[i].bus == bus;
    ke_unlock(&pci_lock);
    return exists;
}

/* ---- the control API ---- */

static int add_locked(const pci_function_t *wanted)
{
    if (find_locked(wanted->bus, wanted->slot) != NULL)
        return -EINVAL;
    for (pci_function_t *function = functions; function < functions + FUNCTIONS_MAX; function++) {
        if (function->in_use)
            continue;
        *function = *wanted;
        return 0;
    }
    return -ENOSPC;
}

static int add_function(pci_function_t *wanted, bool plain)
{
    if (wanted->bus >= BUSES_MOST || wanted->slot >= SLOTS)
        return ke_error(-EINVAL, "ntmm_pci_add: there is no bus 0x%x, or no slot 0x%x on it", wanted->bus, wanted->slot);
    if (plain && (wanted->bytes = host_tables(CONFIG_BYTES)) == NULL)
        return ke_error(-ENOMEM, "ntmm_pci_add: the host has no memory for a configuration space");
    ke_lock(&pci_lock);
    int status = add_locked(wanted);
    ke_unlock(&pci_lock);
    if (status != 0 && wanted->bytes != NULL)
        host_release(wanted->bytes, CONFIG_BYTES);
    if (status == -EINVAL)
        return ke_error(status, "ntmm_pci_add: slot 0x%x on bus 0x%x is taken", wanted->slot, wanted->bus);
    return status == 0 ? 0 : ke_error(status, "ntmm_pci_add: there is room for %u functions and no more", FUNCTIONS_MAX);
}

int ntmm_pci_add(uint32_t bus, uint32_t slot, const ntmm_io_ops *ops, void *context)
{
    pci_function_t wanted = { .in_use = true, .bus = bus, .slot = slot, .context = context };
    ke_thread_t   *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return -ENODEV;
    if (ops != NULL)
        wanted.ops = *ops;
    int status = add_function(&wanted, ops == NULL);
    ke_thread_leave(thread);
    return status;
}

void *ntmm_pci_bytes(uint32_t bus, uint32_t slot)
{
    pci_function_t function = { .bytes = NULL };
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    if (!find(bus, slot, &function) || function.bytes == NULL)
        ke_error(0, "%s: no function with plain bytes is in slot 0x%x on bus 0x%x", __func__, slot, bus);
    return function.bytes;
}

int ntmm_pci_remove(uint32_t bus, uint32_t slot)
{
    char        *bytes = NULL;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return -ENODEV;
    ke_lock(&pci_lock);
    pci_function_t *function = find_locked(bus, slot);
    if (function != NULL) {
        bytes = function->bytes;
        *function = (pci_function_t){ .in_use = false };
    }
    ke_unlock(&pci_lock);
    if (bytes != NULL)
        host_release(bytes, CONFIG_BYTES);
    ke_thread_leave(thread);
    return function != NULL ? 0 : ke_error(-EINVAL, "%s: nothing is in slot 0x%x on bus 0x%x", __func__, slot, bus);
}

/* ---- access ---- */

static unsigned widest(uint32_t offset, uint32_t left) { return offset % 4 == 0 && left >= 4 ? 4 : offset % 2 == 0 && left >= 2 ? 2 : 1; }

static void read_some(const pci_function_t *function, uint32_t offset, char *to, unsigned bytes)
{
    uint64_t value =
        function->bytes != NULL ? hal_load(function->bytes + offset, bytes) : hal_read(&function->ops, function->context, offset, bytes);
    memcpy(to, &value, bytes); /* our hosts are little-endian, and so is PCI */
}

static void write_some(const pci_function_t *function, uint32_t offset, const char *from, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, from, bytes);
    if (function->bytes != NULL)
        hal_store(function->bytes + offset, bytes, value);
    else
        hal_write(&function->ops, function->context, offset, bytes, value);
}

static uint32_t within_config_space(uint32_t offset, uint32_t length)
{
    return offset >= CONFIG_BYTES ? 0 : length < CONFIG_BYTES - offset ? length : CONFIG_BYTES - offset;
}

static bool is_bridge(const pci_function_t *function)
{
    uint8_t type;
    read_some(function, HEADER_TYPE, (char *)&type, 1);
    return (type & ~PCI_MULTIFUNCTION) == PCI_BRIDGE_TYPE;
}

uint32_t hal_pci_read(uint32_t bus, uint32_t slot, void *to, uint32_t offset, uint32_t bytes)
{
    pci_function_t function;
    uint32_t       length = within_config_space(offset, bytes);
    if (!hal_pci_bus_exists(bus))
        return 0;
    if (!find(bus, slot, &function)) {
        memset(to, 0xFF, bytes < sizeof(USHORT) ? bytes : sizeof(USHORT)); /* PCI_INVALID_VENDORID */
        return sizeof(USHORT);
    }
    for (uint32_t done = 0, now; done < length; done += now) {
        now = widest(offset + done, length - done);
        read_some(&function, offset + done, (char *)to + done, now);
    }
    return length;
}

uint32_t hal_pci_write(uint32_t bus, uint32_t slot, const void *from, uint32_t offset, uint32_t bytes)
{
    pci_function_t function;
    uint32_t       length = within_config_space(offset, bytes);
    if (!find(bus, slot, &function) || (offset < COMMON_BYTES && is_bridge(&function)))
        return 0;
    for (uint32_t done = 0, now; done < length; done += now) {
        now = widest(offset + done, length - done);
        write_some(&function, offset + done, (const char *)from + done, now);
    }
    return length;
}

/* ---- what drivers call ---- */

ULONG HalGetBusDataByOffset(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Offset, ULONG Length)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL || BusDataType != PCIConfiguration)
        return 0;
    return hal_pci_read(BusNumber, SlotNumber, Buffer, Offset, Length);
}

ULONG HalSetBusDataByOffset(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Offset, ULONG Length)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL || BusDataType != PCIConfiguration)
        return 0;
    return hal_pci_write(BusNumber, SlotNumber, Buffer, Offset, Length);
}

ULONG HalGetBusData(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Length)
{
    return HalGetBusDataByOffset(BusDataType, BusNumber, SlotNumber, Buffer, 0, Length);
}

ULONG HalSetBusData(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Length)
{
    return HalSetBusDataByOffset(BusDataType, BusNumber, SlotNumber, Buffer, 0, Length);
}
