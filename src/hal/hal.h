/*
 * hal.h - what the hardware abstraction layer offers the rest: buses, and what a test has put on them.
 */
#ifndef NTMM_HAL_HAL_H
#define NTMM_HAL_HAL_H

#include <stdbool.h>
#include <stdint.h>

#include <ntmm/ntmm.h>

/* Nothing is on any port or bus; also in a forked child, whose locks may be held by nobody who lives. */
void hal_ports_reset(void);
void hal_pci_reset(void);

/* ---- devices on the bus (device.c) ---- */

/* io keeps its half of a physical device object beside ours: called with no lock held; each may be NULL. */
#define HAL_DEVICE_UPPER_BYTES 384u
typedef struct hal_device_hooks {
    void (*start)(PDEVICE_OBJECT object, void *upper); /* made, and not seen by anybody yet; upper is zero */
    void (*gone)(PDEVICE_OBJECT object, void *upper);  /* ntmm_device_destroy: off the bus, whoever still refers to it */
} hal_device_hooks_t;
extern hal_device_hooks_t hal_device_hooks;

/* For the object manager: how many references drivers and handles have now; -1: it is gone, or they have none to give back. The first takes
 * no lock. */
bool    hal_device_is_at(const void *object); /* any address may be asked for */
int64_t hal_device_object_reference(void *object);
int64_t hal_device_object_dereference(void *object);
void   *hal_device_upper(PDEVICE_OBJECT object); /* of one that is there */

/* ---- DMA (dma.h) ---- */
void hal_dma_reset(void); /* no device, no adapter; after mm_shutdown or before a boot, and in a forked child */
bool hal_check(void);     /* no map register is lost; false with ke_error set */
void hal_visit_leaks(void (*visit)(void *context, const ntmm_leak *leak), void *context);

/* Configuration space, at any IRQL up to that of devices: bytes, as HalGetBusDataByOffset and HalSetBusDataByOffset return them. */
uint32_t hal_pci_read(uint32_t bus, uint32_t slot, void *to, uint32_t offset, uint32_t bytes);
uint32_t hal_pci_write(uint32_t bus, uint32_t slot, const void *from, uint32_t offset, uint32_t bytes);

bool hal_pci_bus_exists(uint32_t bus); /* segment << 8 | bus number: 0:0, and those with a function on them */

/* One access as it reaches what stands behind an address. Where there is no callback nothing answers: a bus that nobody drives reads as
 * ones. Call with no lock held. */
static inline uint64_t hal_ones(unsigned bytes) { return UINT64_MAX >> (64 - 8 * bytes); }
static inline uint64_t hal_read(const ntmm_io_ops *ops, void *context, uint64_t offset, unsigned bytes)
{
    return (ops->read != NULL ? ops->read(context, offset, bytes) : UINT64_MAX) & hal_ones(bytes);
}
static inline void hal_write(const ntmm_io_ops *ops, void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    if (ops->write != NULL)
        ops->write(context, offset, bytes, value & hal_ones(bytes));
}

/* Bytes of memory, in one access of that width. */
static inline uint64_t hal_load(const volatile void *from, unsigned bytes)
{
    switch (bytes) {
    case 1: return __atomic_load_n((const volatile uint8_t *)from, __ATOMIC_ACQUIRE);
    case 2: return __atomic_load_n((const volatile uint16_t *)from, __ATOMIC_ACQUIRE);
    case 4: return __atomic_load_n((const volatile uint32_t *)from, __ATOMIC_ACQUIRE);
    default: return __atomic_load_n((const volatile uint64_t *)from, __ATOMIC_ACQUIRE);
    }
}
static inline void hal_store(volatile void *to, unsigned bytes, uint64_t value)
{
    switch (bytes) {
    case 1: __atomic_store_n((volatile uint8_t *)to, (uint8_t)value, __ATOMIC_RELEASE); break;
    case 2: __atomic_store_n((volatile uint16_t *)to, (uint16_t)value, __ATOMIC_RELEASE); break;
    case 4: __atomic_store_n((volatile uint32_t *)to, (uint32_t)value, __ATOMIC_RELEASE); break;
    default: __atomic_store_n((volatile uint64_t *)to, value, __ATOMIC_RELEASE); break;
    }
}

#endif
