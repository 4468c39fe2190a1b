/*
 * device.c - devices that do DMA: what a test plays of them, and what the rest of hal knows of them.
 * ntmm_device_create puts a device on the bus: it can say addresses of so many bits, has so many map registers, and has a physical device
 * object, which is made here; the driver behind it is io's (io/bus.c). An adapter for no known device gets one of its own, which nobody plays.
 *
 *     ntmm_device_read (device)                          MapTransfer, AllocateCommonBuffer (driver)
 *      |- can its width say the address?                  |- can the width that the driver described?
 *      |- subordinate: is it what the controller moves?   |
 *      `- hal_physical_of --------- the bus --------------'- hal_logical_of
 *          `- hal_copy_from_physical: the frame's bytes, wherever they are
 *
 * Locks       devices_lock for which devices there are; (D) for one device's registers and requests. Neither is held while bytes are copied.
 * Source      none (choice): the control API is our own; DEVICE_OBJECT: WDK reference.
 */
#include <errno.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "hal/dma_probe.h"

#define DEVICES_MAX 1024u
#define IO_TYPE_OF_DEVICE 3 /* DEVICE_OBJECT.Type */
#define DEVICE_IS_UNKNOWN 0x22u
#define BUS_ENUMERATED 0x00001000u /* DEVICE_OBJECT.Flags: DO_BUS_ENUMERATED_DEVICE */

static hal_device_t     devices[DEVICES_MAX];
static _Atomic uint32_t device_count; /* devices[0, device_count) were in use at least once */
static ke_lock_t        devices_lock = KE_LOCK_INIT(KE_RANK_LEAF);

hal_device_hooks_t hal_device_hooks;

static void object_init(DEVICE_OBJECT *object)
{
    memset(object, 0, sizeof *object);
    object->Type = IO_TYPE_OF_DEVICE;
    object->Size = sizeof *object;
    object->Flags = BUS_ENUMERATED;
    object->DeviceType = DEVICE_IS_UNKNOWN;
    object->StackSize = 1;
    InitializeListHead(&object->DeviceQueue.DeviceListHead);
    InitializeListHead(&object->DeviceLock.Header.WaitListHead);
    object->DeviceLock.Header.SignalState = 1;
}

/* ---- which there are ---- */

static hal_device_t *free_device_locked(void)
{
    for (hal_device_t *device = devices; device < devices + device_count; device++)
        if (!device->in_use)
            return device;
    return device_count < DEVICES_MAX ? &devices[device_count++] : NULL;
}

static hal_device_t *add_locked(const ntmm_device_config *config, bool played)
{
    hal_device_t *device = free_device_locked();
    if (device == NULL)
        return NULL;
    memset(device, 0, sizeof *device);
    device->in_use = true;
    device->played = played;
    device->config = *config;
    device->config.dma_alignment = config->dma_alignment != 0 ? config->dma_alignment : 1;
    device->reach = hal_reach_of(config->address_bits);
    ke_lock_init(&device->lock, KE_RANK_HAL_DEVICE);
    object_init(&device->object);
    return device;
}

/* An adapter less, or the test has it no longer: what nobody needs goes. Map registers live as long as somebody has an adapter. */
static void drop(hal_device_t *device, uint32_t adapters, bool unplugged)
{
    hal_register_file_t file = { .total = 0 };
    ke_lock(&devices_lock);
    device->adapters -= adapters;
    if (unplugged)
        device->played = false;
    bool idle = device->adapters == 0, gone = idle && !device->played && atomic_load(&device->references) == 0;
    if (idle) {
        file = device->file;
        device->file = (hal_register_file_t){ .total = 0 };
    }
    ke_unlock(&devices_lock);
    hal_file_release(device, &file);
    if (!gone)
        return;
    hal_iommu_release(&device->iommu);
    ke_lock(&devices_lock);
    device->in_use = false;
    ke_unlock(&devices_lock);
}

static hal_device_t *find_locked(PDEVICE_OBJECT object)
{
    for (hal_device_t *device = devices; device < devices + device_count; device++)
        if (device->in_use && device->played && &device->object == object)
            return device;
    return NULL;
}

hal_device_t *hal_device_of(PDEVICE_OBJECT object)
{
    static const ntmm_device_config nobody = { .address_bits = 64, .scatter_gather = true };
    ke_lock(&devices_lock);
    hal_device_t *device = object != NULL ? find_locked(object) : NULL;
    if (device == NULL)
        device = add_locked(&nobody, false);
    if (device != NULL)
        device->adapters++;
    ke_unlock(&devices_lock);
    return device;
}

void hal_device_drop(hal_device_t *device) { drop(device, 1, false); }

void hal_devices_reset(void)
{
    ke_lock_init(&devices_lock, KE_RANK_LEAF);
    for (hal_device_t *device = devices; device < devices + device_count; device++) {
        if (device->in_use && device->file.registers != NULL)
            host_release(device->file.registers, device->file.table_bytes); /* the pages behind them go with the machine */
        if (device->in_use)
            hal_iommu_release(&device->iommu);
        device->in_use = false;
    }
    device_count = 0;
    hal_records_reset();
}

void hal_devices_visit(void (*visit)(void *context, hal_device_t *device), void *context)
{
    for (hal_device_t *device = devices; device < devices + device_count; device++)
        if (device->in_use)
            visit(context, device);
}

/* ---- its device object ---- */

static hal_device_t *holder_of(const void *object)
{
    uintptr_t first = (uintptr_t)devices, at = (uintptr_t)object - offsetof(hal_device_t, object);
    if (at < first || at >= first + device_count * sizeof *devices || (at - first) % sizeof *devices != 0)
        return NULL;
    hal_device_t *device = &devices[(at - first) / sizeof *devices];
    return device->in_use ? device : NULL;
}

bool  hal_device_is_at(const void *object) { return holder_of(object) != NULL; }
void *hal_device_upper(PDEVICE_OBJECT object) { return holder_of(object)->upper; }

int64_t hal_device_object_reference(void *object)
{
    hal_device_t *device = holder_of(object);
    return device != NULL ? atomic_fetch_add(&device->references, 1) + 1 : -1;
}

int64_t hal_device_object_dereference(void *object)
{
    hal_device_t *device = holder_of(object);
    int64_t       count = device != NULL ? atomic_load(&device->references) : 0;
    do {
        if (count == 0)
            return -1;
    } while (!atomic_compare_exchange_weak(&device->references, &count, count - 1));
    if (count == 1)
        drop(device, 0, false);
    return count - 1;
}

/* ---- the control API ---- */

static bool is_device(const char *routine, const ntmm_device *device)
{
    if (device >= devices && device < devices + device_count && device->in_use && device->played)
        return true;
    ke_error(0, "%s: %p is no device, or one that was destroyed", routine, (const void *)device);
    return false;
}

ntmm_device *ntmm_device_create(const ntmm_device_config *config)
{
    ntmm_device_config wanted = config != NULL ? *config : (ntmm_device_config){ .address_bits = 64, .scatter_gather = true };
    ke_thread_t       *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return NULL;
    ntmm_device *device = NULL;
    if (wanted.address_bits == 0)
        wanted.address_bits = 64;
    if (wanted.address_bits < PAGE_SHIFT + 1 || wanted.address_bits > 64) {
        ke_error(0, "ntmm_device_create: address_bits is %u; a device says addresses of 24, 32 or 64 bits, or of others up to 64",
                 wanted.address_bits);
    } else if (wanted.dma_alignment > PAGE_SIZE || (wanted.dma_alignment & (wanted.dma_alignment - 1)) != 0) {
        ke_error(0, "ntmm_device_create: dma_alignment is %u; a power of two up to %u", wanted.dma_alignment, PAGE_SIZE);
    } else {
        ke_lock(&devices_lock);
        device = add_locked(&wanted, true);
        ke_unlock(&devices_lock);
        if (device == NULL)
            ke_error(0, "ntmm_device_create: there are %u devices already", DEVICES_MAX);
        if (device != NULL && wanted.iommu && !hal_iommu_make(&device->iommu, device->reach)) {
            drop(device, 0, true);
            device = NULL;
            ke_error(0, "ntmm_device_create: the host has no memory for an IOMMU, or the device reaches nothing of its window");
        }
    }
    ke_thread_leave(thread);
    if (device != NULL && hal_device_hooks.start != NULL)
        hal_device_hooks.start(&device->object, device->upper);
    return device;
}

PDEVICE_OBJECT ntmm_device_object(ntmm_device *device) { return is_device(__func__, device) ? &device->object : NULL; }

void ntmm_device_destroy(ntmm_device *device)
{
    ke_thread_t *thread = device != NULL ? ke_thread_enter(__func__) : NULL;
    if (thread == NULL)
        return;
    bool is_there = is_device(__func__, device);
    ke_thread_leave(thread);
    if (is_there && hal_device_hooks.gone != NULL)
        hal_device_hooks.gone(&device->object, device->upper); /* which may call drivers */
    if (is_there)
        drop(device, 0, true);
}

/* ---- the device does DMA ---- */

typedef struct access {
    uint64_t logical;
    char    *buffer;
    size_t   bytes;
    bool     write; /* to memory */
} access_t;

/* A subordinate device has no address of its own: the system's controller moves what it was told, in order. */
static bool controller_agrees_locked(const hal_adapter_t *adapter, const access_t *access)
{
    return !adapter->over && access->write != adapter->to_device && access->logical >= adapter->logical &&
           access->logical + access->bytes <= adapter->logical + adapter->length;
}

static bool is_permitted(ntmm_device *device, const access_t *access)
{
    if (access->logical > device->reach || access->bytes - 1 > device->reach - access->logical)
        return ke_error(false, "logical address 0x%llx and what follows: the device says addresses of %u bits",
                        (unsigned long long)access->logical, device->config.address_bits);
    ke_lock(&device->lock);
    bool agrees = device->programmed != NULL ? controller_agrees_locked(device->programmed, access)
                                             : device->subordinates == 0 || device->masters != 0;
    ke_unlock(&device->lock);
    if (!agrees)
        return ke_error(false, "logical address 0x%llx and what follows: the DMA controller was not told to move that, or not that way",
                        (unsigned long long)access->logical);
    return true;
}

static void controller_has_moved(ntmm_device *device, const access_t *access)
{
    hal_adapter_t done = { .length = 0 }, *adapter;
    ke_lock(&device->lock);
    adapter = device->programmed;
    if (adapter != NULL && !adapter->over) {
        uint32_t up_to = (uint32_t)(access->logical + access->bytes - adapter->logical);
        adapter->moved = adapter->moved < up_to ? up_to : adapter->moved;
        adapter->over = adapter->moved == adapter->length;
        if (adapter->over)
            done = *adapter;
    }
    ke_unlock(&device->lock);
    if (done.completion != NULL)
        hal_complete(adapter, &done, DmaComplete);
}

void hal_complete(hal_adapter_t *adapter, const hal_adapter_t *transfer, DMA_COMPLETION_STATUS status)
{
    KIRQL irql = KeGetCurrentIrql();
    hal_adapter_hold(adapter); /* the routine may put it */
    if (irql < DISPATCH_LEVEL)
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
    transfer->completion(&adapter->public, transfer->completion_object, transfer->completion_context, status);
    if (irql < DISPATCH_LEVEL)
        KeLowerIrql(irql);
    hal_adapter_release(adapter);
}

static size_t move(const access_t *access, uint64_t physical, size_t done, size_t bytes)
{
    char *buffer = access->buffer + done;
    return access->write ? hal_copy_to_physical(physical, buffer, bytes) : hal_copy_from_physical(buffer, physical, bytes);
}

/* Bytes moved, up to the first that the device cannot reach. */
static size_t move_all(ntmm_device *device, const access_t *access)
{
    size_t done = 0, now = 1;
    if (device->iommu.entries == NULL)
        return move(access, hal_physical_of(access->logical), 0, access->bytes);
    for (; done < access->bytes && now != 0; done += now) {
        uint64_t logical = access->logical + done, physical = hal_iommu_find(&device->iommu, logical);
        size_t   page = PAGE_SIZE - (size_t)(logical & (PAGE_SIZE - 1)), left = access->bytes - done;
        now = physical != UINT64_MAX ? move(access, physical, done, left < page ? left : page) : 0;
    }
    return done;
}

static int do_access(const char *routine, ntmm_device *device, const access_t *access)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return -ENODEV;
    bool   permitted = is_device(routine, device) && (access->bytes == 0 || is_permitted(device, access));
    size_t done = permitted ? move_all(device, access) : 0;
    ke_thread_leave(thread);
    if (permitted && done == access->bytes) {
        if (access->bytes != 0)
            controller_has_moved(device, access);
        return 0;
    }
    if (permitted) {
        uint64_t logical = access->logical + done;
        if (hal_probe != NULL && device->iommu.entries != NULL && hal_iommu_find(&device->iommu, logical) == UINT64_MAX)
            hal_probe->iommu_fault(routine, &device->object, logical, access->write);
        ke_error(0, "logical address 0x%llx: nothing is there that a device could %s", (unsigned long long)logical,
                 access->write ? "write to" : "read");
    }
    return -EFAULT;
}

int ntmm_device_read(ntmm_device *device, uint64_t logical, void *to, size_t bytes)
{
    return do_access(__func__, device, &(access_t){ .logical = logical, .buffer = to, .bytes = bytes });
}

int ntmm_device_write(ntmm_device *device, uint64_t logical, const void *from, size_t bytes)
{
    return do_access(__func__, device, &(access_t){ .logical = logical, .buffer = (char *)(uintptr_t)from, .bytes = bytes, .write = true });
}
