/*
 * wdf_dma.h - a KMDF driver with one device, whose DMA a test drives: what every test of the framework's DMA begins with.
 * The driver does nothing but make its device; the test calls the framework as the driver's own code would.
 */
#ifndef NTMM_TESTS_SUPPORT_WDF_DMA_H
#define NTMM_TESTS_SUPPORT_WDF_DMA_H

#include "dma.h"

#include <wdf.h>

static WDFDEVICE wdf_dma_device;

static NTSTATUS wdf_dma_device_add(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    (void)driver;
    return WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &wdf_dma_device);
}

static NTSTATUS wdf_dma_driver_entry(PDRIVER_OBJECT object, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, wdf_dma_device_add);
    return WdfDriverCreate(object, path, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

typedef struct wdf_dma {
    ntmm_device   *device;
    PDRIVER_OBJECT driver;
    WDFDEVICE      wdf;
    WDFDMAENABLER  enabler;
} wdf_dma_t;

static inline wdf_dma_t wdf_dma_start_device(const ntmm_device_config *config)
{
    wdf_dma_t dma = { .device = ntmm_device_create(config) };
    assert_non_null(dma.device);
    dma.driver = ntmm_driver_load(wdf_dma_driver_entry);
    assert_non_null(dma.driver);
    assert_int_equal(dma.driver->DriverExtension->AddDevice(dma.driver, ntmm_device_object(dma.device)), STATUS_SUCCESS);
    dma.wdf = wdf_dma_device;
    return dma;
}

static inline WDFDMAENABLER wdf_dma_enabler(WDFDEVICE device, WDF_DMA_PROFILE profile, size_t length, ULONG version, ULONG flags)
{
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, profile, length);
    config.WdmDmaVersionOverride = version;
    config.Flags = flags;
    assert_int_equal(WdfDmaEnablerCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler), STATUS_SUCCESS);
    return enabler;
}

/* `registers` 0: as many as are needed; version 0: the profile's. */
static inline wdf_dma_t wdf_dma_start(WDF_DMA_PROFILE profile, uint32_t registers, size_t length, ULONG version)
{
    bool               lists = profile != WdfDmaProfilePacket && profile != WdfDmaProfilePacket64;
    ntmm_device_config config = { .map_registers = registers, .scatter_gather = lists };
    wdf_dma_t          dma = wdf_dma_start_device(&config);
    dma.enabler = wdf_dma_enabler(dma.wdf, profile, length, version, 0);
    return dma;
}

static inline void wdf_dma_stop(wdf_dma_t *dma)
{
    assert_int_equal(ntmm_driver_unload(dma->driver), 0);
    ntmm_device_destroy(dma->device);
    assert_true(ntmm_check());
}

#endif
