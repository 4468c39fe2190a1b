/*
 * low_resources.h - requests that are refused at random, and memory that is not clean, for NTMM_VERIFY_LOW_RESOURCES.
 */
#ifndef NTMM_KE_LOW_RESOURCES_H
#define NTMM_KE_LOW_RESOURCES_H

#include <ntmm/ntmm.h>

#include "host/host.h"

extern bool ke_low_resources_on;

void ke_low_resources_boot(const ntmm_config *config); /* NULL: off */
bool ke_low_resources_refuse(void);                    /* one request more: is it to fail? */
void ke_low_resources_soil_bytes(void *memory, size_t bytes);

/* Memory that is handed out as it is. */
static inline void ke_low_resources_soil(void *memory, size_t bytes)
{
    if (NTMM_UNLIKELY(ke_low_resources_on))
        ke_low_resources_soil_bytes(memory, bytes);
}

#endif
