/*
 * wmi.c - Windows management instrumentation: providers register, the test asks them, and the library answers IRP_MJ_SYSTEM_CONTROL for them.
 *
 *     IRP --> WmiSystemControl     whose is it, which block, which callback of the driver's   --> the callback: fills in the data
 *             WmiCompleteRequest   the head of the answer, the status; completes the IRP     <--'
 *
 *     buffer of IRP_MN_QUERY_ALL_DATA, one instance        with several
 *     | WNODE_ALL_DATA | pad to 8 | data                   | WNODE_ALL_DATA, [instances] offset and length | pad | data, each on 8
 *
 * Locks       wmi_lock (leaf) for the list of providers.
 * Source      WDK reference: wmilib.h, WmiSystemControl, WmiCompleteRequest, WmiFireEvent; wdm.h, IoWMIRegistrationControl; wmistr.h; "WMI minor
 *             IRPs".
 * Fidelity    instance names are static: a request by a dynamic name is STATUS_WMI_INSTANCE_NOT_FOUND. Nobody but the test listens to events.
 */
#include <errno.h>
#include <string.h>

#include <wmilib.h>

#include <ntmm/ntmm.h>

#include "io/irp.h"
#include "io/wmi.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_PROVIDER NTMM_TAG("WmiR")
#define TAG_EVENT NTMM_TAG("WmiE")
#define NO_GUID MAXULONG

typedef struct provider {
    LIST_ENTRY     link;
    PDEVICE_OBJECT device;
} provider_t;

static ke_lock_t         wmi_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY        providers; /* wmi_lock */
static ntmm_wmi_listener listener;
static void             *listener_context;

void io_wmi_boot(void)
{
    ke_lock_init(&wmi_lock, KE_RANK_LEAF);
    InitializeListHead(&providers);
}

/* ---- providers ---- */

static provider_t *take_locked(PDEVICE_OBJECT device, bool out)
{
    for (PLIST_ENTRY at = providers.Flink; at != &providers; at = at->Flink) {
        provider_t *one = CONTAINING_RECORD(at, provider_t, link);
        if (one->device == device) {
            if (out)
                RemoveEntryList(&one->link);
            return one;
        }
    }
    return NULL;
}

static NTSTATUS add_provider(PDEVICE_OBJECT device)
{
    provider_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, TAG_PROVIDER);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->device = device;
    ke_lock(&wmi_lock);
    bool there = take_locked(device, false) != NULL;
    if (!there)
        InsertTailList(&providers, &fresh->link);
    ke_unlock(&wmi_lock);
    if (there)
        ExFreePoolWithTag(fresh, TAG_PROVIDER);
    return there ? STATUS_OBJECT_NAME_EXISTS : STATUS_SUCCESS;
}

NTSTATUS IoWMIRegistrationControl(PDEVICE_OBJECT DeviceObject, ULONG Action)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    Action &= 0xFFFF; /* above it flags of trace providers */
    if (Action == WMIREG_ACTION_REGISTER)
        return add_provider(DeviceObject);
    if (Action < WMIREG_ACTION_DEREGISTER || Action > WMIREG_ACTION_BLOCK_IRPS)
        return STATUS_INVALID_PARAMETER;
    ke_lock(&wmi_lock);
    provider_t *one = take_locked(DeviceObject, Action == WMIREG_ACTION_DEREGISTER);
    ke_unlock(&wmi_lock);
    if (one != NULL && Action == WMIREG_ACTION_DEREGISTER)
        ExFreePoolWithTag(one, TAG_PROVIDER);
    return one != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

ULONG IoWMIDeviceObjectToProviderId(PDEVICE_OBJECT DeviceObject) { return (ULONG)((ULONG_PTR)DeviceObject >> 4); }

/* ---- events ---- */

void ntmm_wmi_listen(ntmm_wmi_listener listen, void *context)
{
    listener = listen;
    listener_context = context;
}

NTSTATUS IoWMIWriteEvent(PVOID WnodeEventItem)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL || listener == NULL)
        return STATUS_UNSUCCESSFUL;
    listener(listener_context, WnodeEventItem);
    ExFreePool(WnodeEventItem);
    return STATUS_SUCCESS;
}

NTSTATUS WmiFireEvent(PDEVICE_OBJECT DeviceObject, LPCGUID Guid, ULONG InstanceIndex, ULONG EventDataSize, PVOID EventData)
{
    const ULONG            head = (ULONG)ALIGN_UP_BY(FIELD_OFFSET(WNODE_SINGLE_INSTANCE, VariableData), 8);
    PWNODE_SINGLE_INSTANCE event = ExAllocatePool2(POOL_FLAG_NON_PAGED, (SIZE_T)head + EventDataSize, TAG_EVENT);
    NTSTATUS               status = STATUS_INSUFFICIENT_RESOURCES;
    if (event != NULL) {
        event->WnodeHeader.BufferSize = head + EventDataSize;
        event->WnodeHeader.ProviderId = IoWMIDeviceObjectToProviderId(DeviceObject);
        event->WnodeHeader.Guid = *Guid;
        event->WnodeHeader.Flags = WNODE_FLAG_SINGLE_INSTANCE | WNODE_FLAG_EVENT_ITEM | WNODE_FLAG_STATIC_INSTANCE_NAMES;
        KeQuerySystemTime(&event->WnodeHeader.TimeStamp);
        event->InstanceIndex = InstanceIndex;
        event->DataBlockOffset = head;
        event->SizeDataBlock = EventDataSize;
        if (EventDataSize != 0)
            memcpy((char *)event + head, EventData, EventDataSize);
        status = IoWMIWriteEvent(event);
        if (!NT_SUCCESS(status))
            ExFreePoolWithTag(event, TAG_EVENT);
    }
    if (EventData != NULL)
        ExFreePool(EventData);
    return status;
}

/* ---- IRP_MN_REGINFO ---- */

static ULONG append_text(char *buffer, ULONG at, ULONG room, PCUNICODE_STRING text)
{
    USHORT bytes = text->Length;
    if (at + sizeof bytes + bytes <= room) {
        memcpy(buffer + at, &bytes, sizeof bytes);
        if (bytes != 0)
            memcpy(buffer + at + sizeof bytes, text->Buffer, bytes);
    }
    return at + (ULONG)sizeof bytes + bytes;
}

typedef struct registration {
    ULONG           flags;
    UNICODE_STRING  instance, mof;
    PUNICODE_STRING path;
    PDEVICE_OBJECT  pdo;
} registration_t;

static void fill_guids(WMIREGINFOW *info, const WMILIB_CONTEXT *library, const registration_t *what, ULONG name_at)
{
    for (ULONG i = 0; i < library->GuidCount; i++) {
        info->WmiRegGuid[i].Guid = *library->GuidList[i].Guid;
        info->WmiRegGuid[i].Flags = library->GuidList[i].Flags | what->flags;
        info->WmiRegGuid[i].InstanceCount = library->GuidList[i].InstanceCount;
        if ((what->flags & WMIREG_FLAG_INSTANCE_PDO) != 0) {
            info->WmiRegGuid[i].Pdo = (ULONG_PTR)what->pdo;
            if (what->pdo != NULL)
                ObReferenceObject(what->pdo);
        } else {
            info->WmiRegGuid[i].BaseNameOffset = name_at;
        }
    }
}

static NTSTATUS answer_registration(const WMILIB_CONTEXT *library, const registration_t *what, PIRP irp, ULONG room)
{
    static const UNICODE_STRING no_path = { 0 };
    char                       *buffer = IoGetCurrentIrpStackLocation(irp)->Parameters.WMI.Buffer;
    WMIREGINFOW                *info = (WMIREGINFOW *)(void *)buffer;
    ULONG                       at = (ULONG)(FIELD_OFFSET(WMIREGINFOW, WmiRegGuid) + library->GuidCount * sizeof(WMIREGGUIDW));
    ULONG                       name_at = at;
    if ((what->flags & WMIREG_FLAG_INSTANCE_PDO) == 0)
        at = append_text(buffer, at, room, &what->instance);
    ULONG mof_at = at;
    at = append_text(buffer, at, room, &what->mof);
    ULONG path_at = at;
    at = append_text(buffer, at, room, what->path != NULL ? what->path : &no_path);
    irp->IoStatus.Information = sizeof(ULONG);
    if (at > room) {
        *(ULONG *)(void *)buffer = at;
        return STATUS_BUFFER_TOO_SMALL;
    }
    memset(info, 0, FIELD_OFFSET(WMIREGINFOW, WmiRegGuid));
    info->BufferSize = at;
    info->RegistryPath = path_at;
    info->MofResourceName = what->mof.Length != 0 ? mof_at : 0;
    info->GuidCount = library->GuidCount;
    fill_guids(info, library, what, name_at);
    irp->IoStatus.Information = at;
    return STATUS_SUCCESS;
}

static NTSTATUS register_guids(const WMILIB_CONTEXT *library, PDEVICE_OBJECT device, PIRP irp)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    registration_t           what = { .flags = 0 };
    if (location->Parameters.WMI.BufferSize < sizeof(ULONG))
        return STATUS_BUFFER_TOO_SMALL;
    NTSTATUS status = library->QueryWmiRegInfo(device, &what.flags, &what.instance, &what.path, &what.mof, &what.pdo);
    if (NT_SUCCESS(status))
        status = answer_registration(library, &what, irp, location->Parameters.WMI.BufferSize);
    if ((what.flags & WMIREG_FLAG_INSTANCE_PDO) == 0 && what.instance.Buffer != NULL)
        ExFreePool(what.instance.Buffer);
    return status;
}

/* ---- requests for data ---- */

static ULONG guid_index(const WMILIB_CONTEXT *library, const void *guid)
{
    for (ULONG i = 0; i < library->GuidCount; i++)
        if (IsEqualGUID(library->GuidList[i].Guid, (const GUID *)guid))
            return i;
    return NO_GUID;
}

static ULONG head_of_all(ULONG instances)
{
    size_t lengths = instances > 1 ? instances * sizeof(OFFSETINSTANCEDATAANDLENGTH) : sizeof(ULONG);
    return (ULONG)ALIGN_UP_BY(FIELD_OFFSET(WNODE_ALL_DATA, OffsetInstanceDataAndLength) + lengths, 8);
}

typedef struct call { /* of a callback of the driver's */
    const WMILIB_CONTEXT *library;
    PDEVICE_OBJECT        device;
    PIRP                  irp;
    ULONG                 guid, room;
    char                 *buffer;
} call_t;

/* Lengths of the instances are gathered where their offsets and lengths will stand. Without room for the head the driver is asked for sizes
 * alone. */
static NTSTATUS query_all(const call_t *call)
{
    ULONG           instances = call->library->GuidList[call->guid].InstanceCount, head = head_of_all(instances);
    WNODE_ALL_DATA *all = (WNODE_ALL_DATA *)(void *)call->buffer;
    all->DataBlockOffset = head; /* there is room for that much: it ends where a WNODE_TOO_SMALL does */
    if (call->room < head)
        return call->library->QueryWmiDataBlock(call->device, call->irp, call->guid, 0, instances, NULL, 0, NULL);
    all->InstanceCount = instances;
    PULONG lengths = instances > 1 ? &all->OffsetInstanceDataAndLength[0].OffsetInstanceData : &all->FixedInstanceSize;
    return call->library->QueryWmiDataBlock(call->device, call->irp, call->guid, 0, instances, lengths, call->room - head,
                                            (PUCHAR)call->buffer + head);
}

/* Where the data begin: behind the number of an item or a method, if there is one. */
static ULONG data_offset(const void *buffer, UCHAR minor)
{
    if (minor == IRP_MN_CHANGE_SINGLE_ITEM || minor == IRP_MN_EXECUTE_METHOD)
        return ((const WNODE_METHOD_ITEM *)buffer)->DataBlockOffset; /* laid out as WNODE_SINGLE_ITEM */
    return ((const WNODE_SINGLE_INSTANCE *)buffer)->DataBlockOffset;
}

static NTSTATUS on_instance(const call_t *call, UCHAR minor)
{
    PWNODE_SINGLE_INSTANCE one = (PWNODE_SINGLE_INSTANCE)(void *)call->buffer;
    PWNODE_SINGLE_ITEM     item = (PWNODE_SINGLE_ITEM)(void *)call->buffer;
    PWNODE_METHOD_ITEM     method = (PWNODE_METHOD_ITEM)(void *)call->buffer;
    ULONG                  offset = data_offset(call->buffer, minor), room = call->room - offset;
    PUCHAR                 data = (PUCHAR)call->buffer + offset;
    const WMILIB_CONTEXT  *library = call->library;
    switch (minor) {
    case IRP_MN_QUERY_SINGLE_INSTANCE:
        return library->QueryWmiDataBlock(call->device, call->irp, call->guid, one->InstanceIndex, 1, &one->SizeDataBlock, room, data);
    case IRP_MN_CHANGE_SINGLE_INSTANCE:
        return library->SetWmiDataBlock(call->device, call->irp, call->guid, one->InstanceIndex, one->SizeDataBlock, data);
    case IRP_MN_CHANGE_SINGLE_ITEM:
        return library->SetWmiDataItem(call->device, call->irp, call->guid, item->InstanceIndex, item->ItemId, item->SizeDataItem, data);
    default:
        return library->ExecuteWmiMethod(call->device, call->irp, call->guid, method->InstanceIndex, method->MethodId,
                                         method->SizeDataBlock, room, data);
    }
}

static bool has_callback(const WMILIB_CONTEXT *library, UCHAR minor)
{
    switch (minor) {
    case IRP_MN_CHANGE_SINGLE_INSTANCE: return library->SetWmiDataBlock != NULL;
    case IRP_MN_CHANGE_SINGLE_ITEM: return library->SetWmiDataItem != NULL;
    case IRP_MN_EXECUTE_METHOD: return library->ExecuteWmiMethod != NULL;
    default: return library->QueryWmiDataBlock != NULL;
    }
}

/* What is wrong with a request for one instance; STATUS_SUCCESS: nothing. */
static NTSTATUS look_at_instance(const call_t *call, UCHAR minor)
{
    const WNODE_SINGLE_INSTANCE *one = (const WNODE_SINGLE_INSTANCE *)(void *)call->buffer;
    if ((one->WnodeHeader.Flags & WNODE_FLAG_STATIC_INSTANCE_NAMES) == 0 ||
        one->InstanceIndex >= call->library->GuidList[call->guid].InstanceCount)
        return STATUS_WMI_INSTANCE_NOT_FOUND;
    if (data_offset(call->buffer, minor) > call->room)
        return STATUS_BUFFER_TOO_SMALL;
    if (!has_callback(call->library, minor))
        return minor == IRP_MN_QUERY_SINGLE_INSTANCE ? STATUS_INVALID_DEVICE_REQUEST : STATUS_WMI_READ_ONLY;
    return STATUS_SUCCESS;
}

static bool is_control(UCHAR minor)
{
    return minor == IRP_MN_ENABLE_EVENTS || minor == IRP_MN_DISABLE_EVENTS || minor == IRP_MN_ENABLE_COLLECTION ||
           minor == IRP_MN_DISABLE_COLLECTION;
}

static NTSTATUS control(const call_t *call, UCHAR minor)
{
    bool events = minor == IRP_MN_ENABLE_EVENTS || minor == IRP_MN_DISABLE_EVENTS;
    if (call->library->WmiFunctionControl == NULL)
        return WmiCompleteRequest(call->device, call->irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
    return call->library->WmiFunctionControl(call->device, call->irp, call->guid, events ? WmiEventControl : WmiDataBlockControl,
                                             minor == IRP_MN_ENABLE_EVENTS || minor == IRP_MN_ENABLE_COLLECTION);
}

static ULONG smallest_of(UCHAR minor)
{
    return minor == IRP_MN_QUERY_ALL_DATA ? sizeof(WNODE_TOO_SMALL) : FIELD_OFFSET(WNODE_SINGLE_ITEM, VariableData);
}

/* The driver is to complete it. */
static NTSTATUS not_completed(PIRP irp, NTSTATUS status, PSYSCTL_IRP_DISPOSITION disposition)
{
    irp->IoStatus.Status = status;
    if (!NT_SUCCESS(status) && irp->IoStatus.Information != sizeof(ULONG)) /* else the size that a registration needs */
        irp->IoStatus.Information = 0;
    *disposition = IrpNotCompleted;
    return status;
}

NTSTATUS WmiSystemControl(PWMILIB_CONTEXT WmiLibInfo, PDEVICE_OBJECT DeviceObject, PIRP Irp, PSYSCTL_IRP_DISPOSITION IrpDisposition)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);
    UCHAR              minor = location->MinorFunction;
    *IrpDisposition = IrpNotWmi;
    if (location->MajorFunction != IRP_MJ_SYSTEM_CONTROL || minor > IRP_MN_REGINFO_EX || minor == IRP_MN_REGINFO_EX - 1)
        return STATUS_SUCCESS;
    *IrpDisposition = IrpForward;
    if (location->Parameters.WMI.ProviderId != (ULONG_PTR)DeviceObject)
        return STATUS_SUCCESS;
    if (minor == IRP_MN_REGINFO || minor == IRP_MN_REGINFO_EX)
        return not_completed(Irp, register_guids(WmiLibInfo, DeviceObject, Irp), IrpDisposition);
    call_t call = { .library = WmiLibInfo, .device = DeviceObject, .irp = Irp };
    call.buffer = location->Parameters.WMI.Buffer;
    call.room = location->Parameters.WMI.BufferSize;
    call.guid = guid_index(WmiLibInfo, location->Parameters.WMI.DataPath);
    if (call.guid == NO_GUID)
        return not_completed(Irp, STATUS_WMI_GUID_NOT_FOUND, IrpDisposition);
    if (!is_control(minor) && call.room < smallest_of(minor))
        return not_completed(Irp, STATUS_BUFFER_TOO_SMALL, IrpDisposition);
    if (minor != IRP_MN_QUERY_ALL_DATA && !is_control(minor)) {
        NTSTATUS status = look_at_instance(&call, minor);
        if (!NT_SUCCESS(status))
            return not_completed(Irp, status, IrpDisposition);
    }
    *IrpDisposition = IrpProcessed;
    if (minor == IRP_MN_QUERY_ALL_DATA)
        return query_all(&call);
    return is_control(minor) ? control(&call, minor) : on_instance(&call, minor);
}

/* ---- the end of a request ---- */

static ULONG tell_too_small(char *buffer, ULONG needed)
{
    PWNODE_TOO_SMALL small = (PWNODE_TOO_SMALL)(void *)buffer;
    small->WnodeHeader.BufferSize = sizeof *small;
    small->WnodeHeader.Flags |= WNODE_FLAG_TOO_SMALL;
    small->SizeNeeded = needed;
    return sizeof *small;
}

/* Each instance begins on 8; lengths become offsets and lengths, last one first, as the former are packed. */
static void place_instances(PWNODE_ALL_DATA all)
{
    const ULONG *lengths = &all->OffsetInstanceDataAndLength[0].OffsetInstanceData;
    ULONG        at = all->DataBlockOffset, count = all->InstanceCount;
    for (ULONG i = 0; i + 1 < count; i++)
        at += (ULONG)ALIGN_UP_BY(lengths[i], 8);
    for (ULONG i = count; i-- > 0;) {
        ULONG length = lengths[i];
        all->OffsetInstanceDataAndLength[i].LengthInstanceData = length;
        all->OffsetInstanceDataAndLength[i].OffsetInstanceData = at;
        at -= i > 0 ? (ULONG)ALIGN_UP_BY(lengths[i - 1], 8) : 0;
    }
}

static ULONG finish_all(char *buffer, ULONG used)
{
    PWNODE_ALL_DATA all = (PWNODE_ALL_DATA)(void *)buffer;
    if (all->InstanceCount > 1) {
        place_instances(all);
    } else {
        all->FixedInstanceSize = used;
        all->WnodeHeader.Flags |= WNODE_FLAG_FIXED_INSTANCE_SIZE;
    }
    all->WnodeHeader.BufferSize = all->DataBlockOffset + used;
    KeQuerySystemTime(&all->WnodeHeader.TimeStamp);
    return all->WnodeHeader.BufferSize;
}

static ULONG finish_one(char *buffer, UCHAR minor, ULONG used)
{
    PWNODE_HEADER header = (PWNODE_HEADER)(void *)buffer;
    if (minor == IRP_MN_EXECUTE_METHOD)
        ((PWNODE_METHOD_ITEM)(void *)buffer)->SizeDataBlock = used;
    else
        ((PWNODE_SINGLE_INSTANCE)(void *)buffer)->SizeDataBlock = used;
    header->BufferSize = data_offset(buffer, minor) + used;
    KeQuerySystemTime(&header->TimeStamp);
    return header->BufferSize;
}

/* Of a request that gives something back. */
static NTSTATUS finish(const IO_STACK_LOCATION *location, NTSTATUS status, ULONG used, ULONG *information)
{
    bool  all = location->MinorFunction == IRP_MN_QUERY_ALL_DATA;
    char *buffer = location->Parameters.WMI.Buffer;
    ULONG head = all ? ((PWNODE_ALL_DATA)(void *)buffer)->DataBlockOffset : data_offset(buffer, location->MinorFunction);
    if (status == STATUS_BUFFER_TOO_SMALL) {
        *information = tell_too_small(buffer, head + used);
        return STATUS_SUCCESS;
    }
    if (NT_SUCCESS(status))
        *information = all ? finish_all(buffer, used) : finish_one(buffer, location->MinorFunction, used);
    return status;
}

NTSTATUS WmiCompleteRequest(PDEVICE_OBJECT DeviceObject, PIRP Irp, NTSTATUS Status, ULONG BufferUsed, CCHAR PriorityBoost)
{
    (void)DeviceObject;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(Irp);
    ULONG                    information = 0;
    if (location->MinorFunction == IRP_MN_QUERY_ALL_DATA || location->MinorFunction == IRP_MN_QUERY_SINGLE_INSTANCE ||
        location->MinorFunction == IRP_MN_EXECUTE_METHOD)
        Status = finish(location, Status, BufferUsed, &information);
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = information;
    IoCompleteRequest(Irp, PriorityBoost);
    return Status;
}

/* ---- the test asks ---- */

NTSTATUS ntmm_wmi_request(PDEVICE_OBJECT device, uint8_t minor, const GUID *guid, void *buffer, uint32_t bytes, size_t *used)
{
    GUID block;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (used != NULL)
        *used = 0;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PDEVICE_OBJECT top = IoGetAttachedDevice(device);
    PIRP           irp = IoAllocateIrp(top->StackSize, FALSE);
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (guid != NULL)
        block = *guid;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = IRP_MJ_SYSTEM_CONTROL;
    next->MinorFunction = minor;
    next->Parameters.WMI.ProviderId = (ULONG_PTR)device;
    next->Parameters.WMI.DataPath = guid != NULL ? &block : NULL;
    next->Parameters.WMI.BufferSize = bytes;
    next->Parameters.WMI.Buffer = buffer;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    NTSTATUS status = io_irp_send(top, irp);
    if (used != NULL)
        *used = irp->IoStatus.Information;
    IoFreeIrp(irp);
    return status;
}
