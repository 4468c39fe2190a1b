/*
 * device_parts.c - the parts of the framework that each device has, in the order of powering up.
 */
#include "wdf/device_bus.h"
#include "wdf/device_dma.h"
#include "wdf/device_io.h"
#include "wdf/device_resources.h"

const wdf_device_part_t *const wdf_device_parts[] = { &wdf_resources_part, &wdf_interrupts_part, &wdf_dma_part,
                                                      &wdf_bus_part,       &wdf_io_part,         NULL };
