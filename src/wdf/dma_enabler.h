/*
 * dma_enabler.h - DMA enablers, inside the library: the adapters of a device, one for each direction or one for both.
 *
 *     device <- enabler <- transactions, common buffers
 *                  |- sides[0]   reading, or both directions
 *                  `- sides[1]   duplex profiles: writing
 */
#ifndef NTMM_WDF_DMA_ENABLER_H
#define NTMM_WDF_DMA_ENABLER_H

#include "wdf/device_dma.h"

/* What the adapter of a direction is good for; (B) once the enabler is created or its system profile configured. */
typedef struct wdf_dma_side {
    PDMA_ADAPTER adapter;   /* NULL: a system profile that is not configured */
    ULONG        registers; /* map registers that one transfer may use */
    size_t       fragment;  /* bytes of one transfer at most: they fit the registers wherever they begin on a page */
} wdf_dma_side_t;

typedef struct wdf_dma_enabler {
    wdf_object_t           object;
    wdf_device_t          *device;
    wdf_device_dma_t      *dma;                        /* (dma->lock) whose list it is on; NULL: none */
    LIST_ENTRY             link;                       /* (dma->lock) */
    uint64_t               number;                     /* on the list */
    bool                   fill_failed, enable_failed; /* on the way to D0 */
    WDF_DMA_ENABLER_CONFIG config;
    ULONG                  version; /* DEVICE_DESCRIPTION_VERSION2 or 3: which table of DMA routines */
    bool                   master;  /* a bus master; otherwise the system's DMA controller moves the bytes */
    bool                   lists;   /* scatter/gather */
    bool                   duplex;
    ULONG                  alignment;     /* of common buffers, less one */
    _Atomic uint32_t       most_elements; /* of a list */
    wdf_dma_side_t         sides[2];
} wdf_dma_enabler_t;

extern const wdf_type_t wdf_dma_enabler_type;

static inline wdf_dma_side_t *wdf_dma_side(wdf_dma_enabler_t *enabler, WDF_DMA_DIRECTION direction)
{
    return &enabler->sides[enabler->duplex && direction == WdfDmaDirectionWriteToDevice ? 1 : 0];
}
static inline bool wdf_dma_is_direction(WDF_DMA_DIRECTION direction)
{
    return direction == WdfDmaDirectionReadFromDevice || direction == WdfDmaDirectionWriteToDevice;
}
static inline bool wdf_dma_is_v3(const wdf_dma_enabler_t *enabler) { return enabler->version >= DEVICE_DESCRIPTION_VERSION3; }

#endif
