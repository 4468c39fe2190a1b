/*
 * dma_leaks.c - what of DMA a driver still holds when the machine goes; and the end of all of it.
 * A leaked common buffer is contiguous memory, and a leaked list of the machine's is a block of pool: others find those. Here are adapters
 * that were never put, map registers, and common buffers made of MDLs.
 *
 * Locks   none: every other thread is outside the library.
 */
#include "hal/common_buffer.h"
#include "hal/hal.h"

typedef struct leaks {
    void (*visit)(void *context, const ntmm_leak *leak);
    void *context;
} leaks_t;

static void leak(const leaks_t *leaks, void *address, size_t bytes, uint32_t tag)
{
    ntmm_leak one = { .address = address, .bytes = bytes, .tag = tag, .type = NonPagedPoolNx };
    leaks->visit(leaks->context, &one);
}

static void adapter_leaks(void *context, void *record)
{
    const hal_adapter_t *adapter = record;
    if (!adapter->put)
        leak(context, record, sizeof *adapter, HAL_TAG_ADAPTER);
}

static void request_leaks(void *context, void *record)
{
    const hal_request_t *request = record;
    if ((hal_state(request) & (HAL_REGISTERS | HAL_CHANNEL)) != 0 && !request->list_is_ours)
        leak(context, record, (size_t)request->count << PAGE_SHIFT, HAL_TAG_MAP_REGISTERS);
}

static void buffer_leaks(void *context, void *record)
{
    const hal_common_buffer_t *buffer = record;
    if (buffer->of_mdl)
        leak(context, buffer->va, buffer->length, HAL_TAG_COMMON_BUFFER);
}

/* A reference to its device object was not given back. */
static void device_leaks(void *context, hal_device_t *device)
{
    if (atomic_load(&device->references) != 0)
        leak(context, &device->object, sizeof device->object, HAL_TAG_DEVICE);
}

void hal_visit_leaks(void (*visit)(void *context, const ntmm_leak *leak), void *context)
{
    leaks_t leaks = { visit, context };
    hal_records_visit(HAL_ADAPTER, adapter_leaks, &leaks);
    hal_records_visit(HAL_REQUEST, request_leaks, &leaks);
    hal_records_visit(HAL_COMMON_BUFFER, buffer_leaks, &leaks);
    hal_devices_visit(device_leaks, &leaks);
}

void hal_dma_reset(void)
{
    hal_devices_reset();
    hal_common_buffers_reset();
}
