/*
 * common_buffer.h - common buffers from the inside.
 */
#ifndef NTMM_HAL_COMMON_BUFFER_H
#define NTMM_HAL_COMMON_BUFFER_H

#include "hal/dma.h"

typedef struct hal_common_buffer {  /* a record */
    struct hal_common_buffer *next; /* in its bucket */
    hal_adapter_t            *adapter;
    void                     *va;
    uint64_t                  logical;
    uint32_t                  length;    /* as asked for */
    char                     *base;      /* of the memory, guards included; NULL: `va`, and there are none */
    size_t                    bytes;     /* from there on */
    uint64_t                  iova;      /* behind an IOMMU: the logical pages that are its; else 0 */
    bool                      of_mdl;    /* the memory is the driver's */
    bool                      of_vector; /* it goes by FreeCommonBufferFromVector */
} hal_common_buffer_t;
_Static_assert(sizeof(hal_common_buffer_t) <= HAL_RECORD_BYTES, "a common buffer is a record");

typedef struct hal_common_buffer_want {
    uint64_t bytes, lowest, highest; /* logical addresses; highest: of the last byte */
    uint32_t node;
    uint8_t  cache; /* MEMORY_CACHING_TYPE */
    bool     large;
} hal_common_buffer_want_t;

/* NULL: no memory, or none in those limits. Asks for no injected failure. */
hal_common_buffer_t *hal_common_buffer_make(hal_adapter_t *adapter, const hal_common_buffer_want_t *want);
hal_common_buffer_t *hal_common_buffer_record(hal_adapter_t *adapter, void *va, uint64_t logical, uint32_t length, bool of_mdl);
void                 hal_common_buffer_end(hal_common_buffer_t *buffer); /* out of its bucket, its memory freed */
void                 hal_common_buffers_reset(void);
/* Behind an IOMMU: logical pages for `bytes`, of which page i leads to pfns[i], or, without pfns, to the one at va + i pages. 0: none left. */
uint64_t hal_map_behind_iommu(hal_adapter_t *adapter, const char *va, const PFN_NUMBER *pfns, uint64_t bytes, uint64_t lowest,
                              uint64_t highest);
void     hal_unmap_behind_iommu(hal_adapter_t *adapter, uint64_t iova, uint64_t bytes);

#endif
