/*
 * wdf_device.h - a framework device for tests of the framework: loaded, added and started for each test, removed and unloaded afterwards.
 *
 *     static void reads(void **state) { ... ntmm_request_read(wdf_test_object(), ...) ... }
 *     static int setup(void **state) { wdf_device_init = ...; return wdf_device_setup(state); }
 *
 * wdf_device_init may set what it likes in the WDFDEVICE_INIT, wdf_device_made makes queues and the like for the device.
 */
#ifndef NTMM_TESTS_WDF_DEVICE_H
#define NTMM_TESTS_WDF_DEVICE_H

#include <ntmm/cmocka.h>
#include <wdf.h>

#include <string.h>

static PDRIVER_OBJECT         wdf_test_driver;
static ntmm_device           *wdf_test_bus_device;
static WDFDEVICE              wdf_test_device;
static PWDF_OBJECT_ATTRIBUTES wdf_device_attributes;
static VOID (*wdf_device_init)(PWDFDEVICE_INIT init);
static NTSTATUS (*wdf_device_made)(WDFDEVICE device);

static inline PDEVICE_OBJECT wdf_test_object(void) { return WdfDeviceWdmGetDeviceObject(wdf_test_device); }

static NTSTATUS wdf_test_add(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    (void)driver;
    if (wdf_device_init != NULL)
        wdf_device_init(init);
    NTSTATUS status = WdfDeviceCreate(&init, wdf_device_attributes, &wdf_test_device);
    return NT_SUCCESS(status) && wdf_device_made != NULL ? wdf_device_made(wdf_test_device) : status;
}

static NTSTATUS wdf_test_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, wdf_test_add);
    return WdfDriverCreate(driver, path, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* ---- plug and play ---- */

/* An interrupt at vector and level, the machine's. */
static inline CM_RESOURCE_LIST wdf_test_interrupt(ULONG vector, ULONG level)
{
    CM_RESOURCE_LIST list = { .Count = 1 };
    list.List[0].PartialResourceList.Count = 1;
    list.List[0].PartialResourceList.PartialDescriptors[0].Type = CmResourceTypeInterrupt;
    list.List[0].PartialResourceList.PartialDescriptors[0].u.Interrupt.Vector = vector;
    list.List[0].PartialResourceList.PartialDescriptors[0].u.Interrupt.Level = level;
    list.List[0].PartialResourceList.PartialDescriptors[0].u.Interrupt.Affinity = 1;
    return list;
}

static NTSTATUS wdf_test_pnp_of(PDEVICE_OBJECT device, UCHAR minor, PCM_RESOURCE_LIST resources)
{
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, device, NULL, 0, NULL, &event, &block);
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IoGetNextIrpStackLocation(irp)->MinorFunction = minor;
    IoGetNextIrpStackLocation(irp)->Parameters.StartDevice.AllocatedResources = resources;
    IoGetNextIrpStackLocation(irp)->Parameters.StartDevice.AllocatedResourcesTranslated = resources;
    if (IoCallDriver(device, irp) == STATUS_PENDING)
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    return block.Status;
}
static NTSTATUS wdf_test_pnp(UCHAR minor, PCM_RESOURCE_LIST resources) { return wdf_test_pnp_of(wdf_test_object(), minor, resources); }

/* ---- life ---- */

/* Loaded and added, not started. */
static inline NTSTATUS wdf_test_load(void)
{
    wdf_test_device = NULL;
    wdf_test_driver = ntmm_driver_load(wdf_test_entry);
    if (wdf_test_driver == NULL)
        return STATUS_UNSUCCESSFUL;
    wdf_test_bus_device = ntmm_device_create(NULL);
    NTSTATUS status = wdf_test_driver->DriverExtension->AddDevice(wdf_test_driver, ntmm_device_object(wdf_test_bus_device));
    if (!NT_SUCCESS(status))
        wdf_test_device = NULL; /* it was deleted */
    return status;
}

static inline void wdf_test_unload(void)
{
    if (wdf_test_device != NULL && wdf_test_pnp(IRP_MN_REMOVE_DEVICE, NULL) == STATUS_INSUFFICIENT_RESOURCES)
        (void)wdf_test_pnp(IRP_MN_REMOVE_DEVICE, NULL); /* the failure of a sweep comes once */
    wdf_test_device = NULL;
    ntmm_device_destroy(wdf_test_bus_device);
    wdf_test_bus_device = NULL;
    if (wdf_test_driver != NULL && ntmm_driver_unload(wdf_test_driver) != 0)
        print_error("%s\n", ntmm_error());
    wdf_test_driver = NULL;
}

static inline int wdf_device_setup(void **state)
{
    if (ntmm_cmocka_setup(state) != 0 || !NT_SUCCESS(wdf_test_load()) || !NT_SUCCESS(wdf_test_pnp(IRP_MN_START_DEVICE, NULL))) {
        print_error("%s\n", ntmm_error());
        return -1;
    }
    return 0;
}

static inline int wdf_device_teardown(void **state)
{
    if (!ntmm_is_halted() && KeGetCurrentIrql() == PASSIVE_LEVEL)
        wdf_test_unload();
    return ntmm_cmocka_teardown(state);
}

#endif
