/*
 * wmi_dispatch.c - what WMI asks a device, by IRP_MJ_SYSTEM_CONTROL: the framework is a driver that answers with the WMI library.
 *
 *     wdf_wmi_dispatch
 *      `- WmiSystemControl     whose is it, is there such a block and instance            io/wmi.c
 *          |- query_block      EvtWmiInstanceQueryInstance of one instance, or of each; or their contexts
 *          |- set_block, set_item, execute
 *          `- control          somebody begins to listen, or ends: EvtWmiProviderFunctionControl
 *
 * A callback finds its provider by the GUID in the IRP. No request is pended, so what was looked up for it lives on this stack.
 *
 * Locks       none is held while the driver's code runs; providers and instances are referenced.
 * Source      WDK reference: wdfwmi.h, the pages of the callbacks; "WMI Minor IRPs"; KMDF 1.33 (statuses, queries of an instance that has methods).
 * Fidelity    statuses of malformed requests are those of the WMI library.
 */
#include <string.h>

#include <wmilib.h>

#include "wdf/driver_object.h"
#include "wdf/request.h"
#include "wdf/wmi.h"

#define TAG_WMI NTMM_TAG("WdfW")
#define DATA_ALIGNMENT 8u

static wdf_wmi_provider_t *provider_of(PDEVICE_OBJECT device, PIRP irp)
{
    return wdf_wmi_find(wdf_device_of(device), IoGetCurrentIrpStackLocation(irp)->Parameters.WMI.DataPath);
}

static void let_go(wdf_wmi_provider_t *provider, wdf_wmi_instance_t *instance)
{
    if (instance != NULL)
        wdf_object_dereference(__func__, &instance->object);
    if (provider != NULL)
        wdf_object_dereference(__func__, &provider->object);
}

#define CALL(instance, status, callback, ...) \
    do { \
        wdf_call_t call_ = wdf_call_begin((instance)->object.driver); \
        (status) = (callback)((WDFWMIINSTANCE)(void *)(instance), __VA_ARGS__); \
        WDF_CALL_END(&call_, (callback)); \
        if ((status) == STATUS_PENDING) \
            wdf_break("IRP_MJ_SYSTEM_CONTROL", "A callback for WMI has returned STATUS_PENDING."); \
    } while (0)

/* ---- queries ---- */

static NTSTATUS query_context(const wdf_wmi_instance_t *instance, ULONG room, void *buffer, ULONG *used)
{
    *used = instance->bytes;
    if (room < instance->bytes)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(buffer, instance->data, instance->bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS query_driver(wdf_wmi_instance_t *instance, ULONG room, void *buffer, ULONG *used)
{
    NTSTATUS status;
    char     nothing; /* a driver never sees a buffer of no bytes */
    bool     is_empty = room == 0;
    if (is_empty) {
        buffer = &nothing;
        room = sizeof nothing;
    }
    CALL(instance, status, instance->config.EvtWmiInstanceQueryInstance, room, buffer, used);
    if (NT_SUCCESS(status) && *used > room)
        wdf_break("EvtWmiInstanceQueryInstance", "The callback says that it has written more than there is room for.");
    return NT_SUCCESS(status) && is_empty && *used != 0 ? STATUS_BUFFER_TOO_SMALL : status;
}

/* One that has methods is asked before they are executed, and has no data. */
static bool is_readable(const wdf_wmi_instance_t *instance)
{
    return instance->data != NULL || instance->config.EvtWmiInstanceQueryInstance != NULL ||
           instance->config.EvtWmiInstanceExecuteMethod != NULL;
}

static NTSTATUS query_one(wdf_wmi_instance_t *instance, ULONG room, void *buffer, ULONG *used)
{
    *used = 0;
    if (room < instance->provider->min_bytes) {
        *used = instance->provider->min_bytes;
        return STATUS_BUFFER_TOO_SMALL;
    }
    if (instance->data != NULL)
        return query_context(instance, room, buffer, used);
    return instance->config.EvtWmiInstanceQueryInstance != NULL ? query_driver(instance, room, buffer, used) : STATUS_SUCCESS;
}

/* Instances, each on a multiple of 8; when one does not fit, the others are still asked how much they need. */
typedef struct all {
    UCHAR *buffer;
    ULONG  room, used; /* `used` is a multiple of 8 but for the last instance, and may be more than `room` */
    bool   is_too_small;
} all_t;

static NTSTATUS query_next(all_t *all, wdf_wmi_instance_t *instance, PULONG length)
{
    ULONG    at = (ULONG)ALIGN_UP_BY(all->used, DATA_ALIGNMENT), bytes = 0;
    ULONG    room = all->buffer != NULL && at < all->room ? all->room - at : 0;
    NTSTATUS status = is_readable(instance) ? query_one(instance, room, room != 0 ? all->buffer + at : NULL, &bytes) : STATUS_SUCCESS;
    if (status == STATUS_BUFFER_TOO_SMALL) {
        all->is_too_small = true;
        status = STATUS_SUCCESS;
    }
    if (length != NULL)
        *length = bytes;
    all->used = bytes != 0 ? at + bytes : all->used;
    return status;
}

static NTSTATUS query_all(wdf_wmi_provider_t *provider, ULONG count, PULONG lengths, all_t *all)
{
    NTSTATUS status = count != 0 ? STATUS_SUCCESS : STATUS_WMI_INSTANCE_NOT_FOUND;
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++) {
        wdf_wmi_instance_t *instance = wdf_wmi_instance_at(provider, i);
        if (instance == NULL)
            return STATUS_WMI_INSTANCE_NOT_FOUND; /* it went just now */
        status = query_next(all, instance, lengths != NULL ? &lengths[i] : NULL);
        let_go(NULL, instance);
    }
    return NT_SUCCESS(status) && all->is_too_small ? STATUS_BUFFER_TOO_SMALL : status;
}

static NTSTATUS query_block(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG index, ULONG count, PULONG lengths, ULONG room,
                            PUCHAR buffer)
{
    wdf_wmi_provider_t *provider = provider_of(device, irp);
    NTSTATUS            status = STATUS_WMI_GUID_NOT_FOUND;
    ULONG               used = 0;
    (void)guid;
    if (provider != NULL && IoGetCurrentIrpStackLocation(irp)->MinorFunction == IRP_MN_QUERY_ALL_DATA) {
        all_t all = { .buffer = buffer, .room = room };
        status = query_all(provider, count, lengths, &all);
        used = all.used;
    } else if (provider != NULL) {
        wdf_wmi_instance_t *instance = wdf_wmi_instance_at(provider, index);
        status = instance == NULL         ? STATUS_WMI_INSTANCE_NOT_FOUND
                 : !is_readable(instance) ? STATUS_INVALID_DEVICE_REQUEST
                                          : query_one(instance, room, buffer, &used);
        let_go(NULL, instance);
    }
    let_go(provider, NULL);
    return WmiCompleteRequest(device, irp, status, used, IO_NO_INCREMENT);
}

/* ---- changes, methods ---- */

/* A buffer that is too small cannot be made larger by who only sets. */
static NTSTATUS set_status(NTSTATUS status) { return status == STATUS_BUFFER_TOO_SMALL ? STATUS_WMI_SET_FAILURE : status; }

static NTSTATUS set_block(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG index, ULONG bytes, PUCHAR buffer)
{
    wdf_wmi_provider_t *provider = provider_of(device, irp);
    wdf_wmi_instance_t *instance = provider != NULL ? wdf_wmi_instance_at(provider, index) : NULL;
    NTSTATUS            status = STATUS_WMI_INSTANCE_NOT_FOUND;
    (void)guid;
    if (instance != NULL && instance->config.EvtWmiInstanceSetInstance == NULL)
        status = STATUS_WMI_READ_ONLY;
    else if (instance != NULL && bytes < provider->min_bytes)
        status = STATUS_BUFFER_TOO_SMALL;
    else if (instance != NULL)
        CALL(instance, status, instance->config.EvtWmiInstanceSetInstance, bytes, bytes != 0 ? buffer : NULL);
    let_go(provider, instance);
    return WmiCompleteRequest(device, irp, set_status(status), 0, IO_NO_INCREMENT);
}

static NTSTATUS set_item(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG index, ULONG item, ULONG bytes, PUCHAR buffer)
{
    wdf_wmi_provider_t *provider = provider_of(device, irp);
    wdf_wmi_instance_t *instance = provider != NULL ? wdf_wmi_instance_at(provider, index) : NULL;
    NTSTATUS            status = STATUS_WMI_INSTANCE_NOT_FOUND;
    (void)guid;
    if (instance != NULL && instance->config.EvtWmiInstanceSetItem == NULL)
        status = STATUS_WMI_READ_ONLY;
    else if (instance != NULL)
        CALL(instance, status, instance->config.EvtWmiInstanceSetItem, item, bytes, bytes != 0 ? buffer : NULL);
    let_go(provider, instance);
    return WmiCompleteRequest(device, irp, set_status(status), 0, IO_NO_INCREMENT);
}

static NTSTATUS execute(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG index, ULONG method, ULONG in, ULONG out, PUCHAR buffer)
{
    wdf_wmi_provider_t *provider = provider_of(device, irp);
    wdf_wmi_instance_t *instance = provider != NULL ? wdf_wmi_instance_at(provider, index) : NULL;
    NTSTATUS            status = STATUS_WMI_INSTANCE_NOT_FOUND;
    ULONG               used = 0;
    (void)guid;
    if (instance != NULL && instance->config.EvtWmiInstanceExecuteMethod == NULL)
        status = STATUS_INVALID_DEVICE_REQUEST;
    else if (instance != NULL)
        CALL(instance, status, instance->config.EvtWmiInstanceExecuteMethod, method, in, out, in != 0 || out != 0 ? buffer : NULL, &used);
    let_go(provider, instance);
    return WmiCompleteRequest(device, irp, status, used, IO_NO_INCREMENT);
}

/* ---- somebody listens ---- */

static NTSTATUS tell_driver(wdf_wmi_provider_t *provider, WDF_WMI_PROVIDER_CONTROL what, BOOLEAN enable)
{
    if (provider->control == NULL)
        return STATUS_SUCCESS;
    wdf_call_t call = wdf_call_begin(provider->object.driver);
    NTSTATUS   status = provider->control((WDFWMIPROVIDER)(void *)provider, what, enable);
    WDF_CALL_END(&call, provider->control);
    if (status == STATUS_PENDING)
        wdf_break("EvtWmiProviderFunctionControl", "The callback has returned STATUS_PENDING.");
    return status;
}

static void note(wdf_wmi_provider_t *provider, bool events, bool enable, uint64_t tracing)
{
    if (events)
        provider->has_events = enable;
    else
        provider->has_collection = enable;
    if (events && (provider->flags & WdfWmiProviderTracing) != 0)
        provider->tracing = tracing;
}

static NTSTATUS control(PDEVICE_OBJECT device, PIRP irp, ULONG guid, WMIENABLEDISABLECONTROL function, BOOLEAN enable)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    wdf_wmi_provider_t      *provider = provider_of(device, irp);
    bool                     events = function == WmiEventControl;
    NTSTATUS                 status = STATUS_WMI_GUID_NOT_FOUND;
    (void)guid;
    if (provider != NULL && location->Parameters.WMI.BufferSize < sizeof(WNODE_HEADER)) {
        status = STATUS_INVALID_PARAMETER;
    } else if (provider != NULL) {
        note(provider, events, enable != FALSE, ((const WNODE_HEADER *)location->Parameters.WMI.Buffer)->HistoricalContext);
        status = tell_driver(provider, events ? WdfWmiEventControl : WdfWmiInstanceControl, enable);
        if (!NT_SUCCESS(status))
            note(provider, events, false, 0);
    }
    let_go(provider, NULL);
    return WmiCompleteRequest(device, irp, status, 0, IO_NO_INCREMENT);
}

/* ---- registration ---- */

static NTSTATUS query_registration(PDEVICE_OBJECT wdm, PULONG flags, PUNICODE_STRING instance, PUNICODE_STRING *path, PUNICODE_STRING mof,
                                   PDEVICE_OBJECT *physical)
{
    wdf_device_t *device = wdf_device_of(wdm);
    (void)instance;
    *flags = WMIREG_FLAG_INSTANCE_PDO;
    *path = &((wdf_driver_object_t *)device->object.driver->object)->path;
    *physical = device->physical;
    if (device->wmi.mof.Buffer != NULL)
        *mof = device->wmi.mof;
    return STATUS_SUCCESS;
}

static ULONG registration_flags(wdf_wmi_provider_t *provider)
{
    ULONG flags = (provider->flags & WdfWmiProviderTracing) != 0 ? WMIREG_FLAG_TRACED_GUID | WMIREG_FLAG_TRACE_CONTROL_GUID : 0;
    flags |= (provider->flags & WdfWmiProviderExpensive) != 0 ? WMIREG_FLAG_EXPENSIVE : 0;
    flags |= (provider->flags & WdfWmiProviderEventOnly) != 0 ? WMIREG_FLAG_EVENT_ONLY_GUID : 0;
    flags |= provider->is_removed ? WMIREG_FLAG_REMOVE_GUID : 0;
    provider->is_removed = false; /* said once */
    return flags;
}

/* As many as there is room for; how many there are. */
static ULONG list_providers(wdf_device_t *device, WMIGUIDREGINFO *list, GUID *guids, ULONG room)
{
    ULONG count = 0;
    wdf_lock(&device->wmi.lock);
    for (PLIST_ENTRY at = device->wmi.providers.Flink; at != &device->wmi.providers; at = at->Flink, count++) {
        wdf_wmi_provider_t *provider = CONTAINING_RECORD(at, wdf_wmi_provider_t, of_device);
        if (count < room) {
            guids[count] = provider->guid;
            list[count] = (WMIGUIDREGINFO){ &guids[count], provider->count, registration_flags(provider) };
        }
    }
    wdf_unlock(&device->wmi.lock);
    return count;
}

static const WMILIB_CONTEXT library = { .QueryWmiRegInfo = query_registration,
                                        .QueryWmiDataBlock = query_block,
                                        .SetWmiDataBlock = set_block,
                                        .SetWmiDataItem = set_item,
                                        .ExecuteWmiMethod = execute,
                                        .WmiFunctionControl = control };

static NTSTATUS ask_library(wdf_device_t *device, PIRP irp, WMIGUIDREGINFO *list, ULONG count)
{
    WMILIB_CONTEXT         known = library;
    SYSCTL_IRP_DISPOSITION disposition;
    known.GuidList = list;
    known.GuidCount = count;
    NTSTATUS status = WmiSystemControl(&known, device->wdm, irp, &disposition);
    if (disposition == IrpNotCompleted)
        IoCompleteRequest(irp, IO_NO_INCREMENT);
    else if (disposition != IrpProcessed)
        status = wdf_device_pass_on(device, irp);
    return status;
}

static NTSTATUS answer_registration(wdf_device_t *device, PIRP irp)
{
    ULONG           room = list_providers(device, NULL, NULL, 0);
    WMIGUIDREGINFO *list = ExAllocatePool2(POOL_FLAG_NON_PAGED, (room + 1) * (sizeof *list + sizeof(GUID)), TAG_WMI);
    if (list == NULL)
        return wdf_device_complete(irp, STATUS_INSUFFICIENT_RESOURCES);
    ULONG    count = list_providers(device, list, (GUID *)(void *)(list + room + 1), room);
    NTSTATUS status = ask_library(device, irp, list, count < room ? count : room);
    ExFreePoolWithTag(list, TAG_WMI);
    return status;
}

NTSTATUS wdf_wmi_dispatch(wdf_device_t *device, PIRP irp)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    WMIGUIDREGINFO           one = { .Guid = NULL };
    if (location->Parameters.WMI.ProviderId != (ULONG_PTR)device->wdm)
        return wdf_device_pass_on(device, irp);
    if (location->MinorFunction == IRP_MN_REGINFO || location->MinorFunction == IRP_MN_REGINFO_EX)
        return answer_registration(device, irp);
    wdf_wmi_provider_t *provider =
        location->Parameters.WMI.DataPath != NULL ? wdf_wmi_find(device, location->Parameters.WMI.DataPath) : NULL;
    if (provider != NULL) {
        one.Guid = &provider->guid;
        wdf_lock(&device->wmi.lock);
        one.InstanceCount = provider->count;
        wdf_unlock(&device->wmi.lock);
    }
    NTSTATUS status = ask_library(device, irp, &one, provider != NULL);
    let_go(provider, NULL);
    return status;
}
