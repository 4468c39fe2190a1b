/*
 * dma_probe.h - where a verifier of DMA looks in. hal asks at each of these places when somebody watches, and knows nothing of who. A hook
 * returns, or stops the machine; it is called with no lock held.
 */
#ifndef NTMM_HAL_DMA_PROBE_H
#define NTMM_HAL_DMA_PROBE_H

#include "hal/dma.h"

typedef struct hal_dma_probe {
    /* a routine of the table is called; least, most: what its page allows */
    void (*irql)(const char *routine, KIRQL least, KIRQL most);
    void (*irql_unsaid)(const char *routine);                                     /* too high, of a routine whose page names no level */
    void (*describe)(const char *routine, const DEVICE_DESCRIPTION *description); /* an adapter is wanted */
    void (*obsolete)(const char *routine);
    void (*put)(const char *routine, hal_adapter_t *adapter);
    void (*channel)(const char *routine, hal_adapter_t *adapter, ULONG registers);
    /* a list is wanted, from *va on; NULL: from that offset on */
    void (*list)(const char *routine, hal_adapter_t *adapter, PMDL mdl, const PVOID *va, uint64_t offset, uint32_t length);
    void (*map)(const char *routine, hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length);
    void (*flush)(const char *routine, hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length);
    void (*free_registers)(const char *routine, hal_request_t *request);
    void (*bad_buffer)(const char *routine, PVOID va); /* FreeCommonBuffer: there is none */
    void (*iommu_fault)(const char *routine, PDEVICE_OBJECT object, uint64_t logical, bool write);
    /* memory that nobody may touch: filled when it becomes that, looked at before it is something else again */
    void (*guard)(char *base, size_t bytes, char *start, size_t length);
    void (*guarded)(const char *routine, const char *base, size_t bytes, const char *start, size_t length);
    void (*bounce_free)(char *at, size_t bytes);
    void (*bounce_taken)(const char *at, size_t bytes);
} hal_dma_probe_t;

#endif
