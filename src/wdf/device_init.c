/*
 * device_init.c - WDFDEVICE_INIT: what a driver says about a device before it is made.
 * That of a Plug and Play device lies on the stack of AddDevice; that of a control device or a static child is a block of pool, which
 * WdfDeviceCreate or WdfDeviceInitFree frees.
 *
 * Locks       none: it belongs to one thread.
 * Source      WDK reference: wdfdevice.h, wdfcontrol.h, wdffdo.h, the pages of the routines.
 */
#include "wdf/device_init.h"

#include <string.h>

#include <wdfcontrol.h>
#include <wdffdo.h>

#include "wdf/pdo.h"

void wdf_device_init_begin(struct WDFDEVICE_INIT *init, wdf_driver_t *driver, PDEVICE_OBJECT physical)
{
    memset(init, 0, sizeof *init);
    init->driver = driver;
    init->physical = physical;
    init->setup.is_control = physical == NULL;
    init->setup.is_power_policy_owner = physical != NULL;
    init->setup.type = FILE_DEVICE_UNKNOWN;
    init->setup.characteristics = FILE_DEVICE_SECURE_OPEN;
    init->setup.io.ReadWriteIoType = init->setup.io.DeviceControlIoType = WdfDeviceIoBuffered;
}

void wdf_device_init_end(struct WDFDEVICE_INIT *init)
{
    ULONG tag = init->driver->globals.DriverTag;
    if (init->name.Buffer != NULL)
        ExFreePoolWithTag(init->name.Buffer, tag);
    init->name.Buffer = NULL;
    if (init->pdo != NULL)
        wdf_pdo_delete(init->pdo, tag);
    init->pdo = NULL;
    if (init->is_allocated)
        ExFreePoolWithTag(init, tag);
}

PWDFDEVICE_INIT WdfControlDeviceInitAllocate(WDFDRIVER Driver, const UNICODE_STRING *SDDLString)
{
    WDF_ENTER(PASSIVE_LEVEL, NULL);
    wdf_object_t *object = WDF_FROM(Driver, NULL);
    WDF_REQUIRE(SDDLString);
    struct WDFDEVICE_INIT *init = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *init, object->driver->globals.DriverTag);
    if (init == NULL)
        return NULL;
    wdf_device_init_begin(init, object->driver, NULL);
    init->is_allocated = true;
    return init;
}

VOID WdfDeviceInitFree(PWDFDEVICE_INIT DeviceInit)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    WDF_REQUIRE(DeviceInit);
    if (DeviceInit->is_allocated)
        wdf_device_init_end(DeviceInit);
}

/* What each routine below begins with. */
#define INIT_OF(DeviceInit) \
    WDF_ENTER(PASSIVE_LEVEL, ); \
    WDF_REQUIRE(DeviceInit); \
    wdf_device_setup_t *setup = &(DeviceInit)->setup
/* What points to the future of a structure, or to no such structure at all, is not taken. */
#define TAKE(to, from) \
    do { \
        WDF_REQUIRE(from); \
        if ((from)->Size == sizeof(to)) \
            (to) = *(from); \
        else \
            (void)ke_error(0, "%s: Size is %u, and should be %zu", __func__, (from)->Size, sizeof(to)); \
    } while (0)

VOID WdfDeviceInitSetPnpPowerEventCallbacks(PWDFDEVICE_INIT DeviceInit, PWDF_PNPPOWER_EVENT_CALLBACKS PnpPowerEventCallbacks)
{
    INIT_OF(DeviceInit);
    TAKE(setup->pnp, PnpPowerEventCallbacks);
}
VOID WdfDeviceInitSetPowerPolicyEventCallbacks(PWDFDEVICE_INIT DeviceInit, PWDF_POWER_POLICY_EVENT_CALLBACKS PowerPolicyEventCallbacks)
{
    INIT_OF(DeviceInit);
    TAKE(setup->power_policy, PowerPolicyEventCallbacks);
}
VOID WdfDeviceInitSetPowerPolicyOwnership(PWDFDEVICE_INIT DeviceInit, BOOLEAN IsPowerPolicyOwner)
{
    INIT_OF(DeviceInit);
    setup->is_power_policy_owner = IsPowerPolicyOwner != FALSE;
}
VOID WdfDeviceInitSetExclusive(PWDFDEVICE_INIT DeviceInit, BOOLEAN IsExclusive)
{
    INIT_OF(DeviceInit);
    setup->is_exclusive = IsExclusive != FALSE;
}
VOID WdfDeviceInitSetIoType(PWDFDEVICE_INIT DeviceInit, WDF_DEVICE_IO_TYPE IoType)
{
    INIT_OF(DeviceInit);
    setup->io.ReadWriteIoType = IoType;
}
VOID WdfDeviceInitSetIoTypeEx(PWDFDEVICE_INIT DeviceInit, PWDF_IO_TYPE_CONFIG IoTypeConfig)
{
    INIT_OF(DeviceInit);
    TAKE(setup->io, IoTypeConfig);
}
VOID WdfDeviceInitSetPowerNotPageable(PWDFDEVICE_INIT DeviceInit)
{
    INIT_OF(DeviceInit);
    setup->power_flags &= ~(ULONG)DO_POWER_PAGABLE;
}
VOID WdfDeviceInitSetPowerPageable(PWDFDEVICE_INIT DeviceInit)
{
    INIT_OF(DeviceInit);
    setup->power_flags |= DO_POWER_PAGABLE;
}
VOID WdfDeviceInitSetPowerInrush(PWDFDEVICE_INIT DeviceInit)
{
    INIT_OF(DeviceInit);
    setup->power_flags |= DO_POWER_INRUSH;
}
VOID WdfDeviceInitSetDeviceType(PWDFDEVICE_INIT DeviceInit, DEVICE_TYPE DeviceType)
{
    INIT_OF(DeviceInit);
    setup->type = DeviceType;
}
VOID WdfDeviceInitSetCharacteristics(PWDFDEVICE_INIT DeviceInit, ULONG DeviceCharacteristics, BOOLEAN OrInValues)
{
    INIT_OF(DeviceInit);
    setup->characteristics = DeviceCharacteristics | (OrInValues ? setup->characteristics : 0u);
}
VOID WdfDeviceInitSetDeviceClass(PWDFDEVICE_INIT DeviceInit, CONST GUID *DeviceClassGuid)
{
    INIT_OF(DeviceInit);
    WDF_REQUIRE(DeviceClassGuid);
    (void)setup;
}
VOID WdfDeviceInitSetRemoveLockOptions(PWDFDEVICE_INIT DeviceInit, PWDF_REMOVE_LOCK_OPTIONS Options)
{
    INIT_OF(DeviceInit);
    WDF_REQUIRE(Options);
    (void)setup;
}
VOID WdfDeviceInitSetReleaseHardwareOrderOnFailure(PWDFDEVICE_INIT                       DeviceInit,
                                                   WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE ReleaseHardwareOrderOnFailure)
{
    INIT_OF(DeviceInit);
    (void)setup, (void)ReleaseHardwareOrderOnFailure;
}
VOID WdfDeviceInitSetIoInCallerContextCallback(PWDFDEVICE_INIT DeviceInit, PFN_WDF_IO_IN_CALLER_CONTEXT EvtIoInCallerContext)
{
    INIT_OF(DeviceInit);
    setup->in_caller_context = EvtIoInCallerContext;
}
VOID WdfDeviceInitSetFileObjectConfig(PWDFDEVICE_INIT DeviceInit, PWDF_FILEOBJECT_CONFIG FileObjectConfig,
                                      PWDF_OBJECT_ATTRIBUTES FileObjectAttributes)
{
    INIT_OF(DeviceInit);
    TAKE(setup->file_config, FileObjectConfig);
    setup->has_file_config = true;
    setup->has_file_attributes = FileObjectAttributes != NULL;
    if (FileObjectAttributes != NULL)
        setup->file_attributes = *FileObjectAttributes;
}
VOID WdfDeviceInitSetRequestAttributes(PWDFDEVICE_INIT DeviceInit, PWDF_OBJECT_ATTRIBUTES RequestAttributes)
{
    INIT_OF(DeviceInit);
    TAKE(setup->request_attributes, RequestAttributes);
    setup->has_request_attributes = true;
}
VOID WdfControlDeviceInitSetShutdownNotification(PWDFDEVICE_INIT DeviceInit, PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION Notification, UCHAR Flags)
{
    INIT_OF(DeviceInit);
    setup->shutdown = Notification;
    setup->shutdown_flags = Flags;
}
VOID WdfFdoInitSetFilter(PWDFDEVICE_INIT DeviceInit)
{
    INIT_OF(DeviceInit);
    setup->is_filter = true;
    setup->is_power_policy_owner = false;
}
VOID WdfFdoInitSetEventCallbacks(PWDFDEVICE_INIT DeviceInit, struct _WDF_FDO_EVENT_CALLBACKS *FdoEventCallbacks)
{
    INIT_OF(DeviceInit);
    WDF_REQUIRE(FdoEventCallbacks);
    (void)setup;
}

PDEVICE_OBJECT WdfFdoInitWdmGetPhysicalDevice(PWDFDEVICE_INIT DeviceInit)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    WDF_REQUIRE(DeviceInit);
    return DeviceInit->physical;
}

static bool is_string(PCUNICODE_STRING text)
{
    return (text->Length & 1) == 0 && text->Length <= text->MaximumLength && (text->Length == 0 || text->Buffer != NULL);
}

NTSTATUS WdfDeviceInitAssignName(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING DeviceName)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    ULONG tag = DeviceInit->driver->globals.DriverTag;
    if (DeviceName != NULL && !is_string(DeviceName))
        return STATUS_INVALID_PARAMETER;
    PWCH copy = DeviceName != NULL && DeviceName->Length != 0 ? ExAllocatePool2(POOL_FLAG_PAGED, DeviceName->Length, tag) : NULL;
    if (copy == NULL && DeviceName != NULL && DeviceName->Length != 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (copy != NULL)
        memcpy(copy, DeviceName->Buffer, DeviceName->Length);
    if (DeviceInit->name.Buffer != NULL)
        ExFreePoolWithTag(DeviceInit->name.Buffer, tag);
    DeviceInit->name.Buffer = copy;
    DeviceInit->name.Length = DeviceInit->name.MaximumLength = copy != NULL ? DeviceName->Length : 0;
    return STATUS_SUCCESS;
}

NTSTATUS WdfDeviceInitAssignSDDLString(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING SDDLString)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    return SDDLString == NULL || is_string(SDDLString) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS WdfDeviceInitAssignWdmIrpPreprocessCallback(PWDFDEVICE_INIT DeviceInit, PFN_WDFDEVICE_WDM_IRP_PREPROCESS EvtDeviceWdmIrpPreprocess,
                                                     UCHAR MajorFunction, PUCHAR MinorFunctions, ULONG NumMinorFunctions)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(EvtDeviceWdmIrpPreprocess);
    if (MajorFunction > IRP_MJ_MAXIMUM_FUNCTION)
        return STATUS_INVALID_PARAMETER;
    wdf_preprocess_t *preprocess = &DeviceInit->setup.preprocess[MajorFunction];
    preprocess->callback = EvtDeviceWdmIrpPreprocess;
    preprocess->minors = MinorFunctions == NULL ? MAXULONG : 0;
    for (ULONG i = 0; MinorFunctions != NULL && i < NumMinorFunctions; i++)
        preprocess->minors |= 1u << (MinorFunctions[i] & 31);
    return STATUS_SUCCESS;
}
