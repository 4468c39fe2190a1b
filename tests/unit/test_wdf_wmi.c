/*
 * test_wdf_wmi.c - data blocks of framework devices: registered, queried, set, executed, enabled, fired; refusals; nothing left.
 */
#include "../support/wdf_device.h"

#include <wdfcontrol.h>
#include <wdfwmi.h>
#include <wmistr.h>

static const GUID plain = { .Data1 = 1 }, expensive = { .Data1 = 2 }, traced = { .Data1 = 3 }, unknown = { .Data1 = 4 };

#define DATA 72 /* where data begin in requests for one instance: behind the longest head */

typedef struct BLOCK {
    ULONG value;
    UCHAR more;
} BLOCK;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(BLOCK, GetBlock)

typedef union room {
    WNODE_HEADER          header;
    WNODE_ALL_DATA        all;
    WNODE_SINGLE_INSTANCE one;
    WNODE_SINGLE_ITEM     item;
    WNODE_METHOD_ITEM     method;
    WNODE_TOO_SMALL       small;
    WMIREGINFOW           info;
    ULONG                 needed;
    UCHAR                 bytes[512];
} room_t;

static WDFWMIPROVIDER provider;
static WDFWMIINSTANCE instances[3];
static ULONG          bytes_of[3];      /* that an instance answers */
static NTSTATUS       answer;           /* of callbacks that change something */
static ULONG          item, item_bytes; /* what was set */
static UCHAR          seen[8];

/* ---- the driver ---- */

static ULONG number_of(WDFWMIINSTANCE instance)
{
    ULONG number = 0;
    while (instances[number] != instance)
        number++;
    return number;
}

static NTSTATUS on_query(WDFWMIINSTANCE instance, ULONG room, PVOID buffer, PULONG used)
{
    ULONG number = number_of(instance);
    assert_irql(PASSIVE_LEVEL);
    assert_ptr_equal(WdfGetDriver(), WdfDeviceGetDriver(wdf_test_device));
    assert_true(room != 0 && buffer != NULL);
    *used = bytes_of[number];
    if (room < *used)
        return STATUS_BUFFER_TOO_SMALL;
    memset(buffer, 'a' + (int)number, *used);
    return STATUS_SUCCESS;
}
static NTSTATUS on_set(WDFWMIINSTANCE instance, ULONG bytes, PVOID buffer)
{
    (void)instance;
    item_bytes = bytes;
    memcpy(seen, buffer, bytes < sizeof seen ? bytes : sizeof seen);
    return answer;
}
static NTSTATUS on_set_item(WDFWMIINSTANCE instance, ULONG id, ULONG bytes, PVOID buffer)
{
    item = id;
    return on_set(instance, bytes, buffer);
}
static NTSTATUS on_execute(WDFWMIINSTANCE instance, ULONG id, ULONG in, ULONG out, PVOID buffer, PULONG used)
{
    (void)instance;
    item = id;
    *used = in + 1;
    if (out < *used)
        return STATUS_BUFFER_TOO_SMALL;
    ((PUCHAR)buffer)[in] = 'x';
    return STATUS_SUCCESS;
}

static WDF_WMI_INSTANCE_CONFIG all_callbacks(WDFWMIPROVIDER of)
{
    WDF_WMI_INSTANCE_CONFIG config;
    WDF_WMI_INSTANCE_CONFIG_INIT_PROVIDER(&config, of);
    config.Register = TRUE;
    config.EvtWmiInstanceQueryInstance = on_query;
    config.EvtWmiInstanceSetInstance = on_set;
    config.EvtWmiInstanceSetItem = on_set_item;
    config.EvtWmiInstanceExecuteMethod = on_execute;
    return config;
}

/* Three instances of a plain block. */
static NTSTATUS make_blocks(WDFDEVICE device)
{
    WDF_WMI_PROVIDER_CONFIG config;
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &plain);
    NTSTATUS status = WdfWmiProviderCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &provider);
    for (int i = 0; i < 3 && NT_SUCCESS(status); i++) {
        WDF_WMI_INSTANCE_CONFIG instance = all_callbacks(provider);
        status = WdfWmiInstanceCreate(device, &instance, WDF_NO_OBJECT_ATTRIBUTES, &instances[i]);
    }
    return status;
}

static int setup(void **state)
{
    for (ULONG i = 0; i < 3; i++)
        bytes_of[i] = 3 + i;
    answer = STATUS_SUCCESS;
    wdf_device_made = make_blocks;
    return wdf_device_setup(state);
}

/* ---- WMI ---- */

static NTSTATUS ask(UCHAR minor, const GUID *guid, room_t *room, ULONG bytes, size_t *used)
{
    return ntmm_wmi_request(wdf_test_object(), minor, guid, room, bytes, used);
}

static room_t request_for(ULONG index)
{
    room_t room;
    memset(&room, 0, sizeof room);
    room.header.Flags = WNODE_FLAG_STATIC_INSTANCE_NAMES;
    room.one.InstanceIndex = index;
    room.one.DataBlockOffset = DATA;
    return room;
}

static ULONG count_guids(room_t *room)
{
    size_t used;
    assert_int_equal(ask(IRP_MN_REGINFO_EX, NULL, room, sizeof *room, &used), STATUS_SUCCESS);
    for (ULONG i = 0; i < room->info.GuidCount; i++)
        ObDereferenceObject((PVOID)room->info.WmiRegGuid[i].Pdo);
    return room->info.GuidCount;
}

/* ---- registration ---- */

static void is_registered(void **state)
{
    UNICODE_STRING          mof = RTL_CONSTANT_STRING(L"Mof"), odd = { .Length = 3, .MaximumLength = 4, .Buffer = mof.Buffer };
    WDF_WMI_PROVIDER_CONFIG config;
    WDFWMIPROVIDER          second;
    room_t                  room;
    (void)state;
    assert_int_equal(WdfDeviceAssignMofResourceName(wdf_test_device, &odd), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceAssignMofResourceName(wdf_test_device, &mof), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceAssignMofResourceName(wdf_test_device, &mof), STATUS_INVALID_DEVICE_REQUEST);
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &expensive);
    config.Flags = WdfWmiProviderExpensive | WdfWmiProviderEventOnly;
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &second), STATUS_SUCCESS);
    assert_ptr_equal(WdfWmiProviderGetDevice(second), wdf_test_device);
    assert_ptr_equal(WdfWmiInstanceGetDevice(instances[1]), wdf_test_device);
    assert_ptr_equal(WdfWmiInstanceGetProvider(instances[1]), provider);
    assert_int_equal(count_guids(&room), 2);
    assert_true(IsEqualGUID(&room.info.WmiRegGuid[0].Guid, &plain) && room.info.WmiRegGuid[0].InstanceCount == 3);
    assert_int_equal(room.info.WmiRegGuid[0].Flags, WMIREG_FLAG_INSTANCE_PDO);
    assert_int_equal(room.info.WmiRegGuid[0].Pdo, (ULONG_PTR)ntmm_device_object(wdf_test_bus_device));
    assert_int_equal(room.info.WmiRegGuid[1].Flags, WMIREG_FLAG_INSTANCE_PDO | WMIREG_FLAG_EXPENSIVE | WMIREG_FLAG_EVENT_ONLY_GUID);
    assert_memory_equal(room.bytes + room.info.MofResourceName, "\6\0M\0o\0f", 8);
    assert_int_equal(IoWMIRegistrationControl(wdf_test_object(), WMIREG_ACTION_UPDATE_GUIDS), STATUS_SUCCESS); /* it is registered */
}

static void instances_come_and_go(void **state)
{
    room_t room;
    (void)state;
    assert_int_equal(WdfWmiInstanceRegister(instances[0]), STATUS_INVALID_DEVICE_REQUEST); /* it is */
    WdfWmiInstanceDeregister(instances[0]);
    WdfWmiInstanceDeregister(instances[0]);
    (void)count_guids(&room);
    assert_int_equal(room.info.WmiRegGuid[0].InstanceCount, 2);
    WdfObjectDelete(instances[1]);
    WdfObjectDelete(instances[2]);
    (void)count_guids(&room);
    assert_int_equal(room.info.WmiRegGuid[0].InstanceCount, 0);
    assert_int_equal(room.info.WmiRegGuid[0].Flags, WMIREG_FLAG_INSTANCE_PDO | WMIREG_FLAG_REMOVE_GUID);
    (void)count_guids(&room);
    assert_int_equal(room.info.WmiRegGuid[0].Flags, WMIREG_FLAG_INSTANCE_PDO); /* said once */
    assert_int_equal(ask(IRP_MN_QUERY_ALL_DATA, &plain, &room, sizeof room, NULL), STATUS_WMI_INSTANCE_NOT_FOUND);
    assert_int_equal(WdfWmiInstanceRegister(instances[0]), STATUS_SUCCESS);
    assert_int_equal(ask(IRP_MN_QUERY_ALL_DATA, &plain, &room, sizeof room, NULL), STATUS_SUCCESS);
}

/* ---- queries ---- */

static void all_instances_are_asked(void **state)
{
    room_t room = { .needed = 0 };
    size_t used;
    (void)state;
    assert_int_equal(ask(IRP_MN_QUERY_ALL_DATA, &plain, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(room.all.InstanceCount, 3);
    for (ULONG i = 0; i < 3; i++) {
        const OFFSETINSTANCEDATAANDLENGTH *where = &room.all.OffsetInstanceDataAndLength[i];
        assert_int_equal(where->LengthInstanceData, 3 + i);
        assert_int_equal(where->OffsetInstanceData % 8, 0);
        assert_int_equal(room.bytes[where->OffsetInstanceData], 'a' + i);
        assert_int_equal(room.bytes[where->OffsetInstanceData + 2 + i], 'a' + i);
    }
    assert_int_equal(used, room.all.OffsetInstanceDataAndLength[2].OffsetInstanceData + 5);
    size_t needed = used;
    memset(&room, 0, sizeof room);
    assert_int_equal(ask(IRP_MN_QUERY_ALL_DATA, &plain, &room, (ULONG)needed - 1, &used), STATUS_SUCCESS);
    assert_true((room.header.Flags & WNODE_FLAG_TOO_SMALL) != 0);
    assert_int_equal(room.small.SizeNeeded, needed);
    memset(&room, 0, sizeof room);
    assert_int_equal(ask(IRP_MN_QUERY_ALL_DATA, &plain, &room, sizeof(WNODE_TOO_SMALL), &used), STATUS_SUCCESS);
    assert_int_equal(room.small.SizeNeeded, needed); /* there was not even room for the head */
    bytes_of[1] = 0;
    memset(&room, 0, sizeof room);
    assert_int_equal(ask(IRP_MN_QUERY_ALL_DATA, &plain, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(room.all.OffsetInstanceDataAndLength[1].LengthInstanceData, 0);
    assert_int_equal(room.bytes[room.all.OffsetInstanceDataAndLength[2].OffsetInstanceData], 'c');
}

static void one_instance_is_asked(void **state)
{
    room_t room = request_for(1);
    size_t used;
    (void)state;
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(used, DATA + 4);
    assert_int_equal(room.one.SizeDataBlock, 4);
    assert_memory_equal(room.bytes + DATA, "bbbb", 4);
    room = request_for(1);
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &plain, &room, DATA, &used), STATUS_SUCCESS); /* no room at all */
    assert_int_equal(room.small.SizeNeeded, DATA + 4);
    room = request_for(3);
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_WMI_INSTANCE_NOT_FOUND);
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &unknown, &room, sizeof room, &used), STATUS_WMI_GUID_NOT_FOUND);
}

static void a_context_answers(void **state)
{
    WDF_WMI_PROVIDER_CONFIG config;
    WDF_WMI_INSTANCE_CONFIG instance;
    WDF_OBJECT_ATTRIBUTES   attributes;
    WDFWMIINSTANCE          made;
    room_t                  room = request_for(0);
    size_t                  used;
    (void)state;
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &expensive);
    config.MinInstanceBufferSize = sizeof(BLOCK) + 1;
    WDF_WMI_INSTANCE_CONFIG_INIT_PROVIDER_CONFIG(&instance, &config);
    instance.UseContextForQuery = TRUE;
    instance.Register = TRUE;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, BLOCK);
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, &attributes, &made), STATUS_BUFFER_TOO_SMALL);
    config.MinInstanceBufferSize = sizeof(BLOCK);
    instance.EvtWmiInstanceSetInstance = on_set;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, &attributes, &made), STATUS_INVALID_PARAMETER);
    instance.EvtWmiInstanceSetInstance = NULL;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, &attributes, &made), STATUS_SUCCESS);
    GetBlock(made)->value = 77;
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &expensive, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(room.one.SizeDataBlock, sizeof(BLOCK));
    assert_int_equal(((BLOCK *)(void *)(room.bytes + DATA))->value, 77);
    room = request_for(0);
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &expensive, &room, DATA + sizeof(BLOCK) - 1, &used), STATUS_SUCCESS);
    assert_int_equal(room.small.SizeNeeded, DATA + sizeof(BLOCK));
    room = request_for(0);
    room.one.SizeDataBlock = sizeof(BLOCK);
    assert_int_equal(ask(IRP_MN_CHANGE_SINGLE_INSTANCE, &expensive, &room, sizeof room, &used), STATUS_WMI_READ_ONLY);
}

/* ---- changes, methods ---- */

static void values_are_set(void **state)
{
    room_t room = request_for(2);
    size_t used;
    (void)state;
    room.one.SizeDataBlock = 2;
    memcpy(room.bytes + DATA, "ok", 2);
    assert_int_equal(ask(IRP_MN_CHANGE_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_true(item_bytes == 2 && memcmp(seen, "ok", 2) == 0);
    answer = STATUS_BUFFER_TOO_SMALL; /* who sets cannot ask for more */
    assert_int_equal(ask(IRP_MN_CHANGE_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_WMI_SET_FAILURE);
    answer = STATUS_ACCESS_DENIED;
    memset(&room, 0, sizeof room);
    room.header.Flags = WNODE_FLAG_STATIC_INSTANCE_NAMES;
    room.item.ItemId = 9;
    room.item.DataBlockOffset = DATA;
    room.item.SizeDataItem = 1;
    assert_int_equal(ask(IRP_MN_CHANGE_SINGLE_ITEM, &plain, &room, sizeof room, &used), STATUS_ACCESS_DENIED);
    assert_true(item == 9 && item_bytes == 1);
}

static void methods_are_executed(void **state)
{
    room_t room;
    size_t used;
    (void)state;
    memset(&room, 0, sizeof room);
    room.header.Flags = WNODE_FLAG_STATIC_INSTANCE_NAMES;
    room.method.MethodId = 5;
    room.method.DataBlockOffset = DATA;
    room.method.SizeDataBlock = 2;
    assert_int_equal(ask(IRP_MN_EXECUTE_METHOD, &plain, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(item, 5);
    assert_int_equal(room.method.SizeDataBlock, 3);
    assert_int_equal(room.bytes[DATA + 2], 'x');
    assert_int_equal(used, DATA + 3);
    room.method.SizeDataBlock = 2;
    assert_int_equal(ask(IRP_MN_EXECUTE_METHOD, &plain, &room, DATA + 2, &used), STATUS_SUCCESS);
    assert_int_equal(room.small.SizeNeeded, DATA + 3);
}

/* An instance that has callbacks for nothing but methods is asked first, and has no data; one without any cannot be asked. */
static void what_an_instance_cannot(void **state)
{
    WDF_WMI_INSTANCE_CONFIG config;
    WDFWMIINSTANCE          made;
    room_t                  room = request_for(3);
    size_t                  used;
    (void)state;
    WDF_WMI_INSTANCE_CONFIG_INIT_PROVIDER(&config, provider);
    config.Register = TRUE;
    config.EvtWmiInstanceExecuteMethod = on_execute;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_SUCCESS);
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_SUCCESS);
    assert_int_equal(used, DATA);
    WdfObjectDelete(made);
    config.EvtWmiInstanceExecuteMethod = NULL;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL), STATUS_SUCCESS);
    room = request_for(3);
    assert_int_equal(ask(IRP_MN_QUERY_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(ask(IRP_MN_CHANGE_SINGLE_INSTANCE, &plain, &room, sizeof room, &used), STATUS_WMI_READ_ONLY);
    room.method.InstanceIndex = 3;
    assert_int_equal(ask(IRP_MN_EXECUTE_METHOD, &plain, &room, sizeof room, &used), STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- events ---- */

static ULONG    controls;
static BOOLEAN  last_enable;
static NTSTATUS control_answer;

static NTSTATUS on_control(WDFWMIPROVIDER which, WDF_WMI_PROVIDER_CONTROL what, BOOLEAN enable)
{
    assert_int_equal(WdfWmiProviderIsEnabled(which, what), enable);
    controls++;
    last_enable = enable;
    return control_answer;
}

static WDFWMIPROVIDER controlled(const GUID *guid, ULONG flags)
{
    WDF_WMI_PROVIDER_CONFIG config;
    WDFWMIPROVIDER          made;
    controls = 0;
    control_answer = STATUS_SUCCESS;
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, guid);
    config.Flags = flags;
    config.EvtWmiProviderFunctionControl = on_control;
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_SUCCESS);
    return made;
}

static void somebody_listens(void **state)
{
    WDFWMIPROVIDER made = controlled(&expensive, WdfWmiProviderExpensive);
    room_t         room = { .needed = 0 };
    (void)state;
    assert_false(WdfWmiProviderIsEnabled(made, WdfWmiEventControl));
    assert_int_equal(ask(IRP_MN_ENABLE_EVENTS, &expensive, &room, sizeof(WNODE_HEADER), NULL), STATUS_SUCCESS);
    assert_true(controls == 1 && last_enable && WdfWmiProviderIsEnabled(made, WdfWmiEventControl));
    assert_false(WdfWmiProviderIsEnabled(made, WdfWmiInstanceControl));
    assert_false(WdfWmiProviderIsEnabled(made, WdfWmiControlInvalid));
    assert_int_equal(ask(IRP_MN_DISABLE_EVENTS, &expensive, &room, sizeof(WNODE_HEADER), NULL), STATUS_SUCCESS);
    assert_false(WdfWmiProviderIsEnabled(made, WdfWmiEventControl));
    control_answer = STATUS_DEVICE_BUSY;
    assert_int_equal(ask(IRP_MN_ENABLE_COLLECTION, &expensive, &room, sizeof(WNODE_HEADER), NULL), STATUS_DEVICE_BUSY);
    assert_false(WdfWmiProviderIsEnabled(made, WdfWmiInstanceControl));
    assert_int_equal(ask(IRP_MN_ENABLE_EVENTS, &expensive, &room, 8, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfWmiProviderGetTracingHandle(made), 0);
}

static void tracing_has_a_handle(void **state)
{
    WDFWMIPROVIDER          made = controlled(&traced, WdfWmiProviderTracing);
    WDF_WMI_INSTANCE_CONFIG config;
    room_t                  room = { .needed = 0 };
    (void)state;
    room.header.HistoricalContext = 4711;
    assert_int_equal(ask(IRP_MN_ENABLE_EVENTS, &traced, &room, sizeof(WNODE_HEADER), NULL), STATUS_SUCCESS);
    assert_int_equal(WdfWmiProviderGetTracingHandle(made), 4711);
    control_answer = STATUS_DEVICE_BUSY;
    assert_int_equal(ask(IRP_MN_ENABLE_EVENTS, &traced, &room, sizeof(WNODE_HEADER), NULL), STATUS_DEVICE_BUSY);
    assert_int_equal(WdfWmiProviderGetTracingHandle(made), 0);
    WDF_WMI_INSTANCE_CONFIG_INIT_PROVIDER(&config, made);
    config.Register = TRUE;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL), STATUS_INVALID_DEVICE_REQUEST);
}

static ULONG events;
static void  listen(void *context, const void *wnode)
{
    const WNODE_SINGLE_INSTANCE *event = wnode;
    (void)context;
    events++;
    assert_true(IsEqualGUID(&event->WnodeHeader.Guid, &plain));
    assert_int_equal(event->InstanceIndex, 2);
    assert_int_equal(event->SizeDataBlock, 3);
    assert_memory_equal((const char *)event + event->DataBlockOffset, "hi", 3);
}

static void an_event_is_fired(void **state)
{
    char text[] = "hi";
    (void)state;
    events = 0;
    assert_int_equal(WdfWmiInstanceFireEvent(instances[2], sizeof text, text), STATUS_UNSUCCESSFUL); /* nobody listens */
    ntmm_wmi_listen(listen, NULL);
    assert_int_equal(WdfWmiInstanceFireEvent(instances[2], sizeof text, text), STATUS_SUCCESS);
    ntmm_wmi_listen(NULL, NULL);
    assert_int_equal(events, 1);
}

/* ---- refusals, mistakes, failures ---- */

static void refuses_what_is_wrong(void **state)
{
    static const GUID       zeros;
    WDF_WMI_PROVIDER_CONFIG config;
    WDF_WMI_INSTANCE_CONFIG instance = all_callbacks(provider);
    WDFWMIPROVIDER          made;
    (void)state;
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &plain);
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_OBJECT_NAME_EXISTS);
    assert_null(made);
    config.Guid = zeros;
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INVALID_PARAMETER);
    config.Guid = unknown;
    config.EvtWmiProviderFunctionControl = on_control; /* of a block that is not expensive */
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INVALID_PARAMETER);
    config.EvtWmiProviderFunctionControl = NULL;
    config.Flags = WdfWmiProviderTracing | WdfWmiProviderExpensive;
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INVALID_PARAMETER);
    config.Flags = 8;
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INVALID_PARAMETER);
    config.Flags = WdfWmiProviderEventOnly;
    instance.ProviderConfig = &config;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, WDF_NO_OBJECT_ATTRIBUTES, NULL), STATUS_INVALID_PARAMETER); /* both */
    instance.Provider = NULL;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, WDF_NO_OBJECT_ATTRIBUTES, NULL), STATUS_INVALID_PARAMETER);
    room_t room;
    assert_int_equal(count_guids(&room), 1); /* the provider of the event-only instance went with it */
    config.Size--;
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INFO_LENGTH_MISMATCH);
    instance.Size--;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &instance, WDF_NO_OBJECT_ATTRIBUTES, NULL), STATUS_INFO_LENGTH_MISMATCH);
}

static void stops_at_mistakes(void **state)
{
    KIRQL irql;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfWmiInstanceFireEvent(instances[0], 0, NULL));
    ntmm_cmocka_reboot();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfWmiProviderCreate(wdf_test_device, NULL, NULL, &provider));
    ntmm_cmocka_reboot();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfWmiInstanceRegister((WDFWMIINSTANCE)(void *)provider));
}

static NTSTATUS too_much(WDFWMIINSTANCE instance, ULONG room, PVOID buffer, PULONG used)
{
    (void)instance, (void)buffer;
    *used = room + 1;
    return STATUS_SUCCESS;
}

static void a_callback_that_overruns_stops(void **state)
{
    WDF_WMI_INSTANCE_CONFIG config = all_callbacks(provider);
    room_t                  room = request_for(3);
    (void)state;
    config.EvtWmiInstanceQueryInstance = too_much;
    assert_int_equal(WdfWmiInstanceCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL), STATUS_SUCCESS);
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, ask(IRP_MN_QUERY_SINGLE_INSTANCE, &plain, &room, sizeof room, NULL));
}

static void a_control_device_has_none(void **state)
{
    static const UNICODE_STRING sddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)");
    PWDFDEVICE_INIT             init = WdfControlDeviceInitAllocate(WdfDeviceGetDriver(wdf_test_device), &sddl);
    WDFDEVICE                   device;
    WDF_WMI_PROVIDER_CONFIG     config;
    room_t                      room = { .needed = 0 };
    (void)state;
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &device), STATUS_SUCCESS);
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &plain);
    assert_int_equal(WdfWmiProviderCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &provider), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(ntmm_wmi_request(WdfDeviceWdmGetDeviceObject(device), IRP_MN_QUERY_ALL_DATA, &plain, &room, sizeof room, NULL),
                     STATUS_WMI_GUID_NOT_FOUND);
}

static void removal_ends_it(void **state)
{
    WDF_WMI_PROVIDER_CONFIG config;
    WDFWMIPROVIDER          made;
    (void)state;
    assert_int_equal(wdf_test_pnp(IRP_MN_SURPRISE_REMOVAL, NULL), STATUS_SUCCESS);
    assert_int_equal(IoWMIRegistrationControl(wdf_test_object(), WMIREG_ACTION_UPDATE_GUIDS), STATUS_INVALID_PARAMETER);
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &unknown);
    assert_int_equal(WdfWmiProviderCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made), STATUS_INVALID_DEVICE_STATE);
}

static void one_life(void *context)
{
    WDF_WMI_PROVIDER_CONFIG config;
    WDF_WMI_INSTANCE_CONFIG instance = all_callbacks(NULL);
    WDFWMIINSTANCE          made;
    room_t                  room = { .needed = 0 };
    size_t                  used;
    (void)context;
    WDF_WMI_PROVIDER_CONFIG_INIT(&config, &expensive);
    instance.ProviderConfig = &config;
    bool is_there = NT_SUCCESS(WdfWmiInstanceCreate(wdf_test_device, &instance, WDF_NO_OBJECT_ATTRIBUTES, &made));
    if (NT_SUCCESS(ask(IRP_MN_REGINFO, NULL, &room, sizeof room, &used)))
        for (ULONG i = 0; i < room.info.GuidCount; i++)
            ObDereferenceObject((PVOID)room.info.WmiRegGuid[i].Pdo);
    if (is_there)
        wdf_test_unload(); /* the provider is deleted with its device alone */
    if (is_there && (!NT_SUCCESS(wdf_test_load()) || !NT_SUCCESS(wdf_test_pnp(IRP_MN_START_DEVICE, NULL)))) {
        wdf_test_unload();
        ntmm_fail_allocation(0);
        assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
        assert_int_equal(wdf_test_pnp(IRP_MN_START_DEVICE, NULL), STATUS_SUCCESS);
    }
}

static void survives_every_failure(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 45; nth++) {
        ntmm_fail_allocation(nth);
        one_life(NULL);
        ntmm_fail_allocation(0);
    }
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(is_registered),
        row(instances_come_and_go),
        row(all_instances_are_asked),
        row(one_instance_is_asked),
        row(a_context_answers),
        row(values_are_set),
        row(methods_are_executed),
        row(what_an_instance_cannot),
        row(somebody_listens),
        row(tracing_has_a_handle),
        row(an_event_is_fired),
        row(refuses_what_is_wrong),
        row(stops_at_mistakes),
        row(a_callback_that_overruns_stops),
        row(a_control_device_has_none),
        row(removal_ends_it),
        row(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
