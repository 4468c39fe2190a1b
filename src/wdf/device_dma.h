/*
 * device_dma.h - what a device has to do with DMA: its enablers, and who of version 2 has its channel.
 */
#ifndef NTMM_WDF_DEVICE_DMA_H
#define NTMM_WDF_DEVICE_DMA_H

#include "wdf/device.h"

struct wdf_dma_enabler;

typedef struct wdf_device_dma {
    wdf_lock_t lock;
    LIST_ENTRY enablers; /* (lock) in order of creation */
    uint64_t   created;  /* (lock) enablers so far */
    _Atomic bool
        packet_busy; /* version 2: a packet transaction has map registers, or waits for them; a device object has one such request */
} wdf_device_dma_t;

static inline wdf_device_dma_t *wdf_device_dma(const wdf_device_t *device) { return device->parts[WDF_PART_DMA]; }

/* An enabler is there, or about to go. */
void wdf_device_dma_add(wdf_device_t *device, struct wdf_dma_enabler *enabler);
void wdf_device_dma_remove(struct wdf_dma_enabler *enabler);

extern const wdf_device_part_t wdf_dma_part;

#endif
