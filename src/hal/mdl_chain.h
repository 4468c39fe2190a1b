/*
 * mdl_chain.h - a buffer as a chain of MDLs has it, and places in it.
 */
#ifndef NTMM_HAL_MDL_CHAIN_H
#define NTMM_HAL_MDL_CHAIN_H

#include "hal/dma.h"

/* From the page of the MDL's first byte on. */
static inline uint64_t hal_on_pages(const hal_cursor_t *cursor) { return (uint64_t)cursor->mdl->ByteOffset + cursor->offset; }

/* How much of `length` the cursor's MDL has. */
static inline uint32_t hal_within(const hal_cursor_t *cursor, uint64_t length)
{
    uint64_t left = cursor->mdl->ByteCount - cursor->offset;
    return (uint32_t)(left < length ? left : length);
}

static inline void hal_advance(hal_cursor_t *cursor, uint32_t bytes)
{
    *cursor = hal_cursor_at(cursor->mdl, (uint64_t)cursor->offset + bytes);
}

#endif
