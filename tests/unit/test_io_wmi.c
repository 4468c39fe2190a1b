/*
 * test_io_wmi.c - a provider of WMI data blocks by way of the library: registration, queries of one and of several instances, changes, methods,
 * events, and what is too small.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#include <wmilib.h>

static const GUID one_block = { .Data1 = 1 }, two_blocks = { .Data1 = 2 }, unknown = { .Data1 = 3 };

static WMIGUIDREGINFO guids[] = { { &one_block, 1, 0 }, { &two_blocks, 2, 0 } };
static ULONG          value = 7, enabled;
static PDEVICE_OBJECT the_device;
static UNICODE_STRING registry_path = RTL_CONSTANT_STRING(L"\\Registry\\Test");

static NTSTATUS reg_info(PDEVICE_OBJECT device, PULONG flags, PUNICODE_STRING name, PUNICODE_STRING *path, PUNICODE_STRING mof,
                         PDEVICE_OBJECT *pdo)
{
    (void)name;
    *flags = WMIREG_FLAG_INSTANCE_PDO;
    *path = &registry_path;
    RtlInitUnicodeString(mof, L"Mof");
    *pdo = device;
    return STATUS_SUCCESS;
}
static NTSTATUS query_block(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG instance, ULONG count, PULONG lengths, ULONG room,
                            PUCHAR buffer)
{
    ULONG needed = 0;
    (void)instance;
    for (ULONG i = 0; i < count; i++) {
        ULONG at = needed;
        needed = at + (i + 1 < count ? 8 : 4); /* each begins on 8 */
        if (needed > room)
            continue;
        ULONG now = value + i + guid * 100;
        memcpy(buffer + at, &now, 4);
        lengths[i] = 4;
    }
    return WmiCompleteRequest(device, irp, needed > room ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS, needed, IO_NO_INCREMENT);
}
static NTSTATUS set_block(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG instance, ULONG bytes, PUCHAR buffer)
{
    (void)guid;
    (void)instance;
    if (bytes == 4)
        memcpy(&value, buffer, 4);
    return WmiCompleteRequest(device, irp, bytes == 4 ? STATUS_SUCCESS : STATUS_WMI_SET_FAILURE, 0, IO_NO_INCREMENT);
}
static NTSTATUS method(PDEVICE_OBJECT device, PIRP irp, ULONG guid, ULONG instance, ULONG id, ULONG in, ULONG out, PUCHAR buffer)
{
    (void)guid;
    (void)instance;
    if (id != 5 || in != 4 || out < 4)
        return WmiCompleteRequest(device, irp, STATUS_WMI_ITEMID_NOT_FOUND, 0, IO_NO_INCREMENT);
    buffer[0]++;
    return WmiCompleteRequest(device, irp, STATUS_SUCCESS, 4, IO_NO_INCREMENT);
}
static NTSTATUS function_control(PDEVICE_OBJECT device, PIRP irp, ULONG guid, WMIENABLEDISABLECONTROL function, BOOLEAN enable)
{
    (void)guid;
    enabled = function == WmiEventControl ? enable : 99;
    return WmiCompleteRequest(device, irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}
static WMILIB_CONTEXT library = { .GuidCount = 2,
                                  .GuidList = guids,
                                  .QueryWmiRegInfo = reg_info,
                                  .QueryWmiDataBlock = query_block,
                                  .SetWmiDataBlock = set_block,
                                  .ExecuteWmiMethod = method,
                                  .WmiFunctionControl = function_control };

static SYSCTL_IRP_DISPOSITION disposition;
static NTSTATUS               system_control(PDEVICE_OBJECT device, PIRP irp)
{
    NTSTATUS status = WmiSystemControl(&library, device, irp, &disposition);
    if (disposition == IrpNotCompleted)
        IoCompleteRequest(irp, IO_NO_INCREMENT);
    else if (disposition != IrpProcessed) {
        status = irp->IoStatus.Status;
        IoCompleteRequest(irp, IO_NO_INCREMENT);
    }
    return status;
}
static VOID unload(PDRIVER_OBJECT driver)
{
    IoWMIRegistrationControl(the_device, WMIREG_ACTION_DEREGISTER);
    IoDeleteDevice(driver->DeviceObject);
}
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = system_control;
    driver->DriverUnload = unload;
    NTSTATUS status = IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &the_device);
    if (NT_SUCCESS(status))
        status = IoWMIRegistrationControl(the_device, WMIREG_ACTION_REGISTER);
    return status;
}
static PDRIVER_OBJECT load(void)
{
    value = 7;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    assert_non_null(driver);
    return driver;
}

typedef union room {
    WNODE_HEADER          header;
    WNODE_ALL_DATA        all;
    WNODE_SINGLE_INSTANCE one;
    WNODE_METHOD_ITEM     method;
    WNODE_TOO_SMALL       small;
    WMIREGINFOW           info;
    ULONG                 needed;
    UCHAR                 bytes[256];
} room_t;

static void registered(void **state)
{
    room_t room = { .needed = 0 };
    size_t used;
    (void)state;
    PDRIVER_OBJECT driver = load();
    assert_int_equal(IoWMIRegistrationControl(the_device, WMIREG_ACTION_UPDATE_GUIDS), STATUS_SUCCESS);
    assert_int_equal(IoWMIRegistrationControl(the_device, 17), STATUS_INVALID_PARAMETER);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_REGINFO_EX, NULL, &room, 40, &used), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(used, 4);
    ULONG needed = room.needed;
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_REGINFO_EX, NULL, &room, needed, &used), STATUS_SUCCESS);
    assert_true(used == needed && room.info.BufferSize == needed && room.info.GuidCount == 2 && disposition == IrpNotCompleted);
    assert_true(IsEqualGUID(&room.info.WmiRegGuid[1].Guid, &two_blocks) && room.info.WmiRegGuid[1].InstanceCount == 2);
    assert_true((room.info.WmiRegGuid[0].Flags & WMIREG_FLAG_INSTANCE_PDO) != 0 && room.info.WmiRegGuid[0].Pdo == (ULONG_PTR)the_device);
    assert_memory_equal(room.bytes + room.info.MofResourceName, "\6\0M\0o\0f", 8);
    ObDereferenceObject(the_device); /* one for each block */
    ObDereferenceObject(the_device);
    assert_int_equal(ntmm_wmi_request(the_device, 0x77, NULL, &room, 40, &used), STATUS_NOT_SUPPORTED);
    assert_int_equal(disposition, IrpNotWmi);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void all_data(void **state)
{
    room_t room = { .needed = 0 };
    size_t used;
    (void)state;
    PDRIVER_OBJECT driver = load();
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_ALL_DATA, &one_block, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_true(room.all.InstanceCount == 1 && room.all.FixedInstanceSize == 4 && disposition == IrpProcessed);
    assert_true(used == room.all.DataBlockOffset + 4 && room.header.BufferSize == used && room.all.DataBlockOffset % 8 == 0);
    assert_int_equal(*(ULONG *)(void *)(room.bytes + room.all.DataBlockOffset), 7);
    memset(&room, 0, sizeof room);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_ALL_DATA, &two_blocks, &room, sizeof room, &used), STATUS_SUCCESS);
    for (ULONG i = 0; i < 2; i++) {
        assert_int_equal(room.all.OffsetInstanceDataAndLength[i].LengthInstanceData, 4);
        assert_int_equal(*(ULONG *)(void *)(room.bytes + room.all.OffsetInstanceDataAndLength[i].OffsetInstanceData), 107 + i);
    }
    memset(&room, 0, sizeof room);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_ALL_DATA, &two_blocks, &room, sizeof(WNODE_TOO_SMALL), &used),
                     STATUS_SUCCESS);
    assert_true(used == sizeof(WNODE_TOO_SMALL) && (room.header.Flags & WNODE_FLAG_TOO_SMALL) != 0);
    assert_int_equal(room.small.SizeNeeded, 80 + 12);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_ALL_DATA, &two_blocks, &room, 8, &used), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_ALL_DATA, &unknown, &room, sizeof room, &used), STATUS_WMI_GUID_NOT_FOUND);
    assert_int_equal(disposition, IrpNotCompleted);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void single_instances(void **state)
{
    room_t room = { .needed = 0 };
    size_t used;
    (void)state;
    PDRIVER_OBJECT driver = load();
    room.header.Flags = WNODE_FLAG_SINGLE_INSTANCE | WNODE_FLAG_STATIC_INSTANCE_NAMES;
    room.one.DataBlockOffset = 64;
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_SINGLE_INSTANCE, &one_block, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_true(used == 68 && room.one.SizeDataBlock == 4 && room.bytes[64] == 7);
    room.bytes[64] = 9;
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_CHANGE_SINGLE_INSTANCE, &one_block, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(value, 9);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_CHANGE_SINGLE_ITEM, &one_block, &room, sizeof room, &used), STATUS_WMI_READ_ONLY);
    room.one.InstanceIndex = 1;
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_QUERY_SINGLE_INSTANCE, &one_block, &room, sizeof room, &used),
                     STATUS_WMI_INSTANCE_NOT_FOUND);
    room.method.InstanceIndex = 0;
    room.method.MethodId = 5;
    room.method.DataBlockOffset = 72;
    room.method.SizeDataBlock = 4;
    room.bytes[72] = 41;
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_EXECUTE_METHOD, &one_block, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(room.bytes[72], 42);
    assert_int_equal(ntmm_wmi_request(the_device, IRP_MN_ENABLE_EVENTS, &one_block, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(enabled, TRUE);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static ULONG events, event_value;
static void  heard(void *context, const void *wnode)
{
    const WNODE_SINGLE_INSTANCE *event = wnode;
    assert_ptr_equal(context, &events);
    events++;
    assert_true(IsEqualGUID(&event->WnodeHeader.Guid, &one_block) && (event->WnodeHeader.Flags & WNODE_FLAG_EVENT_ITEM) != 0);
    memcpy(&event_value, (const char *)wnode + event->DataBlockOffset, 4);
}
static void events_are_heard(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = load();
    ntmm_wmi_listen(heard, &events);
    for (int i = 0; i < 2; i++) {
        ULONG *data = ExAllocatePool2(POOL_FLAG_NON_PAGED, 4, NTMM_TAG("Evnt"));
        *data = 5;
        assert_int_equal(WmiFireEvent(the_device, &one_block, 0, 4, data), i == 0 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        ntmm_wmi_listen(NULL, NULL);
    }
    assert_true(events == 1 && event_value == 5);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(registered),
        ntmm_cmocka_test(all_data),
        ntmm_cmocka_test(single_instances),
        ntmm_cmocka_test(events_are_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
