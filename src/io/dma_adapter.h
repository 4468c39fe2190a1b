/* dma_adapter.h - where DMA adapters come from. */
#ifndef NTMM_IO_DMA_ADAPTER_H
#define NTMM_IO_DMA_ADAPTER_H

#include <stdbool.h>

#include <ntddk.h>

/* hal's own adapter of that device; <= DISPATCH_LEVEL. NULL: refused. */
PDMA_ADAPTER io_dma_adapter_make(const char *routine, PDEVICE_OBJECT object, const DEVICE_DESCRIPTION *description, PULONG registers);
/* The adapter that the bus has for that physical device (dma_bus.c). false: nobody was there to answer; true: *adapter, which may be NULL. */
bool io_dma_bus_adapter(PDEVICE_OBJECT physical, PDEVICE_DESCRIPTION description, PULONG registers, PDMA_ADAPTER *adapter);

#endif
