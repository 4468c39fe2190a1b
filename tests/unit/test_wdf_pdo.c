/*
 * test_wdf_pdo.c - physical devices of a bus driver, static ones: made, added, reported, asked who they are, ejected, removed for good or for a while.
 */
#include "../support/wdf_bus.h"

#define ENGLISH 0x0409
#define GERMAN 0x0407
#define TEST_TAG NTMM_TAG("Test")

DECLARE_CONST_UNICODE_STRING(device_id, L"BUS\\Thing");
DECLARE_CONST_UNICODE_STRING(instance_id, L"7");
DECLARE_CONST_UNICODE_STRING(hardware_id, L"BUS\\Thing_2");
DECLARE_CONST_UNICODE_STRING(other_hardware_id, L"BUS\\Thing_1");
DECLARE_CONST_UNICODE_STRING(container_id, L"{11111111-2222-3333-4455-66778899aabb}");
DECLARE_CONST_UNICODE_STRING(english, L"thing");
DECLARE_CONST_UNICODE_STRING(german, L"Ding");
DECLARE_CONST_UNICODE_STRING(place, L"slot 7");
static const GUID bus_guid = { 0x12345678, 0x1111, 0x2222, { 1, 2, 3, 4, 5, 6, 7, 8 } };

/* ---- a child, and what it is told ---- */

static NTSTATUS callback_status;
static unsigned ejected, locked, missing, entered, exited, asked, surprised;

static NTSTATUS on_eject(WDFDEVICE device)
{
    assert_non_null(WdfPdoGetParent(device));
    assert_irql(PASSIVE_LEVEL);
    ejected++;
    return callback_status;
}
static NTSTATUS on_lock(WDFDEVICE device, BOOLEAN is_locked)
{
    (void)device;
    locked = is_locked ? 1 : 2;
    return callback_status;
}
static VOID on_missing(WDFDEVICE device)
{
    assert_ptr_equal(WdfPdoGetParent(device), wdf_test_device);
    missing++;
}
static NTSTATUS on_resources(WDFDEVICE device, WDFCMRESLIST list)
{
    CM_PARTIAL_RESOURCE_DESCRIPTOR port = { .Type = CmResourceTypePort };
    (void)device;
    port.u.Port.Start.QuadPart = 0x300;
    asked++;
    return NT_SUCCESS(callback_status) ? WdfCmResourceListAppendDescriptor(list, &port) : callback_status;
}
static NTSTATUS on_requirements(WDFDEVICE device, WDFIORESREQLIST list)
{
    IO_RESOURCE_DESCRIPTOR port = { .Type = CmResourceTypePort };
    WDFIORESLIST           one;
    (void)device;
    port.u.Port.Length = 8;
    asked++;
    if (!NT_SUCCESS(callback_status))
        return callback_status;
    NTSTATUS status = WdfIoResourceListCreate(list, WDF_NO_OBJECT_ATTRIBUTES, &one);
    if (NT_SUCCESS(status))
        status = WdfIoResourceListAppendDescriptor(one, &port);
    return NT_SUCCESS(status) ? WdfIoResourceRequirementsListAppendIoResList(list, one) : status;
}
static NTSTATUS on_entry(WDFDEVICE device, WDF_POWER_DEVICE_STATE from)
{
    (void)device, (void)from;
    entered++;
    return STATUS_SUCCESS;
}
static NTSTATUS on_exit(WDFDEVICE device, WDF_POWER_DEVICE_STATE to)
{
    (void)device, (void)to;
    exited++;
    return STATUS_SUCCESS;
}
static VOID on_surprise(WDFDEVICE device) { (void)device, surprised++; }
static VOID on_read(WDFQUEUE queue, WDFREQUEST request, size_t length)
{
    (void)queue;
    WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, length);
}

static bool answers_resources;

static void set_callbacks(PWDFDEVICE_INIT init)
{
    WDF_PDO_EVENT_CALLBACKS      pdo;
    WDF_PNPPOWER_EVENT_CALLBACKS power;
    WDF_PDO_EVENT_CALLBACKS_INIT(&pdo);
    pdo.EvtDeviceEject = on_eject;
    pdo.EvtDeviceSetLock = on_lock;
    pdo.EvtDeviceReportedMissing = on_missing;
    pdo.EvtDeviceResourcesQuery = answers_resources ? on_resources : NULL;
    pdo.EvtDeviceResourceRequirementsQuery = answers_resources ? on_requirements : NULL;
    WdfPdoInitSetEventCallbacks(init, &pdo);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&power);
    power.EvtDeviceD0Entry = on_entry;
    power.EvtDeviceD0Exit = on_exit;
    power.EvtDeviceSurpriseRemoval = on_surprise;
    WdfDeviceInitSetPnpPowerEventCallbacks(init, &power);
}

static NTSTATUS set_ids(PWDFDEVICE_INIT init)
{
    NTSTATUS status = WdfPdoInitAssignDeviceID(init, &english);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAssignDeviceID(init, &device_id); /* this one counts */
    if (NT_SUCCESS(status))
        status = WdfPdoInitAssignInstanceID(init, &instance_id);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAddHardwareID(init, &hardware_id);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAddHardwareID(init, &other_hardware_id);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAddDeviceText(init, &english, &place, ENGLISH);
    return NT_SUCCESS(status) ? WdfPdoInitAddDeviceText(init, &german, &place, GERMAN) : status;
}

static NTSTATUS create(PWDFDEVICE_INIT init, WDFDEVICE *child)
{
    WDF_IO_QUEUE_CONFIG queue;
    NTSTATUS            status = set_ids(init);
    WdfPdoInitSetDefaultLocale(init, ENGLISH);
    set_callbacks(init);
    if (NT_SUCCESS(status))
        status = WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, child);
    if (!NT_SUCCESS(status)) {
        WdfDeviceInitFree(init);
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchParallel);
    queue.EvtIoRead = on_read;
    status = WdfIoQueueCreate(*child, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (!NT_SUCCESS(status))
        WdfObjectDelete(*child);
    return status;
}

static NTSTATUS make_child(WDFDEVICE *child)
{
    PWDFDEVICE_INIT init = WdfPdoInitAllocate(wdf_test_device);
    return init != NULL ? create(init, child) : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS add_child(WDFDEVICE *child)
{
    NTSTATUS status = make_child(child);
    if (NT_SUCCESS(status)) {
        status = WdfFdoAddStaticChild(wdf_test_device, *child);
        if (!NT_SUCCESS(status))
            WdfObjectDelete(*child);
    }
    return status;
}

/* Added and reported. */
static PDEVICE_OBJECT report_child(WDFDEVICE *child)
{
    PDEVICE_OBJECT reported;
    assert_int_equal(add_child(child), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(&reported), 1);
    assert_ptr_equal(reported, WdfDeviceWdmGetDeviceObject(*child));
    return reported;
}

/* ---- reported ---- */

static void is_reported_when_added(void **state)
{
    WDFDEVICE      one, two;
    PDEVICE_OBJECT reported[2];
    size_t         count;
    (void)state;
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    assert_int_equal(make_child(&one), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(WdfFdoAddStaticChild(wdf_test_device, one), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_RELATIONS(BusRelations));
    assert_int_equal(WdfFdoAddStaticChild(wdf_test_device, one), STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), 0);
    assert_int_equal(add_child(&two), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_children(wdf_test_object(), reported, 2, &count), STATUS_SUCCESS);
    assert_true(count == 2 && reported[0] == WdfDeviceWdmGetDeviceObject(one) && reported[1] == WdfDeviceWdmGetDeviceObject(two));
}

static void is_the_bottom_of_its_stack(void **state)
{
    WDFDEVICE child;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(object->Flags & DO_DEVICE_INITIALIZING, 0);
    assert_true((object->Flags & DO_DEVICE_HAS_NAME) != 0);
    assert_ptr_equal(WdfDeviceWdmGetPhysicalDevice(child), object);
    assert_null(WdfDeviceWdmGetAttachedDevice(child));
    assert_null(WdfDeviceGetIoTarget(child));
    assert_ptr_equal(WdfPdoGetParent(child), wdf_test_device);
    assert_null(WdfPdoGetParent(wdf_test_device));
    WdfObjectDelete(child); /* the framework's now */
    assert_non_null(strstr(ntmm_error(), "deleted by the framework alone"));
    assert_int_equal(wdf_bus_count(NULL), 1);
}

static void others_have_reported_before(void **state)
{
    WDFDEVICE         child;
    PDEVICE_RELATIONS relations = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *relations, NTMM_TAG("Rela"));
    (void)state;
    assert_non_null(relations);
    relations->Count = 1;
    relations->Objects[0] = ntmm_device_object(wdf_test_bus_device);
    ObReferenceObject(relations->Objects[0]);
    assert_int_equal(add_child(&child), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_relations(wdf_test_object(), BusRelations, &relations), STATUS_SUCCESS);
    assert_int_equal(relations->Count, 2);
    assert_ptr_equal(relations->Objects[0], ntmm_device_object(wdf_test_bus_device));
    assert_ptr_equal(relations->Objects[1], WdfDeviceWdmGetDeviceObject(child));
    wdf_bus_relations_free(relations);
}

/* ---- asked who it is ---- */

static void tells_its_ids(void **state)
{
    WDFDEVICE child;
    PWSTR     none;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    wdf_bus_assert_id(object, BusQueryDeviceID, L"BUS\\Thing", sizeof L"BUS\\Thing");
    wdf_bus_assert_id(object, BusQueryInstanceID, L"7", sizeof L"7");
    wdf_bus_assert_id(object, BusQueryHardwareIDs, L"BUS\\Thing_2\0BUS\\Thing_1\0", sizeof L"BUS\\Thing_2\0BUS\\Thing_1\0");
    wdf_bus_assert_id(object, BusQueryCompatibleIDs, L"\0", sizeof L"\0");
    assert_int_equal(wdf_bus_id(object, BusQueryContainerID, &none), STATUS_NOT_SUPPORTED);
    assert_null(none);
    assert_int_equal(wdf_bus_id(object, (BUS_QUERY_ID_TYPE)77, &none), STATUS_NOT_SUPPORTED);
}

static NTSTATUS ask_text(PDEVICE_OBJECT device, DEVICE_TEXT_TYPE type, LCID locale, PWSTR *text)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_DEVICE_TEXT };
    uintptr_t         information = 0;
    location.Parameters.QueryDeviceText.DeviceTextType = type;
    location.Parameters.QueryDeviceText.LocaleId = locale;
    NTSTATUS status = ntmm_pnp_request(device, &location, &information);
    *text = (PWSTR)information;
    return status;
}

static void assert_text(PDEVICE_OBJECT device, DEVICE_TEXT_TYPE type, LCID locale, const void *expected, size_t bytes)
{
    PWSTR text;
    assert_int_equal(ask_text(device, type, locale, &text), STATUS_SUCCESS);
    assert_memory_equal(text, expected, bytes);
    ExFreePool(text);
}

static void tells_its_name_in_two_languages(void **state)
{
    WDFDEVICE child;
    PWSTR     none;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_text(object, DeviceTextDescription, ENGLISH, L"thing", sizeof L"thing");
    assert_text(object, DeviceTextDescription, GERMAN, L"Ding", sizeof L"Ding");
    assert_text(object, DeviceTextDescription, 0x040C, L"thing", sizeof L"thing"); /* the default's */
    assert_text(object, DeviceTextLocationInformation, GERMAN, L"slot 7", sizeof L"slot 7");
    assert_int_equal(ask_text(object, (DEVICE_TEXT_TYPE)9, GERMAN, &none), STATUS_NOT_SUPPORTED);
}

static NTSTATUS create_bare(PWDFDEVICE_INIT init, WDFDEVICE *child)
{
    NTSTATUS status = WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, child);
    if (!NT_SUCCESS(status))
        WdfDeviceInitFree(init);
    return status;
}

static void may_tell_nothing(void **state)
{
    WDFDEVICE       child;
    PWSTR           none;
    void           *answer;
    PWDFDEVICE_INIT init = WdfPdoInitAllocate(wdf_test_device);
    (void)state;
    assert_int_equal(create_bare(init, &child), STATUS_SUCCESS);
    assert_int_equal(WdfFdoAddStaticChild(wdf_test_device, child), STATUS_SUCCESS);
    PDEVICE_OBJECT object = WdfDeviceWdmGetDeviceObject(child);
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_int_equal(ask_text(object, DeviceTextDescription, ENGLISH, &none), STATUS_NOT_SUPPORTED);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_BUS_INFORMATION, &answer), STATUS_NOT_SUPPORTED);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_RESOURCES, &answer), STATUS_NOT_SUPPORTED);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_RESOURCE_REQUIREMENTS, &answer), STATUS_SUCCESS);
    assert_null(answer);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_EJECT, &answer), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_SET_LOCK, &answer), STATUS_UNSUCCESSFUL);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_DEVICE_ENUMERATED, &answer), STATUS_NOT_SUPPORTED);
    assert_int_equal(ntmm_request_read(object, 0, &none, sizeof none, NULL), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(ntmm_wmi_request(object, IRP_MN_QUERY_ALL_DATA, &bus_guid, &none, sizeof none, NULL), STATUS_WMI_GUID_NOT_FOUND);
}

static void tells_its_bus(void **state)
{
    WDFDEVICE           child;
    PNP_BUS_INFORMATION information = { .BusTypeGuid = bus_guid, .LegacyBusType = PNPBus, .BusNumber = 3 };
    void               *answer;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    WdfDeviceSetBusInformationForChildren(wdf_test_device, &information);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_BUS_INFORMATION, &answer), STATUS_SUCCESS);
    assert_memory_equal(answer, &information, sizeof information);
    ExFreePool(answer);
}

static void tells_its_resources(void **state)
{
    WDFDEVICE child;
    void     *answer;
    (void)state;
    answers_resources = true;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_RESOURCES, &answer), STATUS_SUCCESS);
    assert_int_equal(((PCM_RESOURCE_LIST)answer)->List[0].PartialResourceList.PartialDescriptors[0].u.Port.Start.QuadPart, 0x300);
    ExFreePool(answer);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_RESOURCE_REQUIREMENTS, &answer), STATUS_SUCCESS);
    assert_int_equal(((PIO_RESOURCE_REQUIREMENTS_LIST)answer)->List[0].Descriptors[0].u.Port.Length, 8);
    ExFreePool(answer);
    callback_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_RESOURCES, &answer), STATUS_DEVICE_NOT_READY);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_RESOURCE_REQUIREMENTS, &answer), STATUS_DEVICE_NOT_READY);
    assert_int_equal(asked, 4);
}

/* ---- what it can do ---- */

static void tells_its_capabilities(void **state)
{
    WDFDEVICE                     child;
    DEVICE_CAPABILITIES           capabilities, parent;
    WDF_DEVICE_PNP_CAPABILITIES   pnp;
    WDF_DEVICE_POWER_CAPABILITIES power;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    WDF_DEVICE_PNP_CAPABILITIES_INIT(&pnp);
    pnp.Removable = pnp.EjectSupported = pnp.SurpriseRemovalOK = pnp.UniqueID = WdfTrue;
    pnp.Address = 7;
    WdfDeviceSetPnpCapabilities(child, &pnp);
    pnp.Address = (ULONG)-1; /* does not take the number back */
    WdfDeviceSetPnpCapabilities(child, &pnp);
    WDF_DEVICE_POWER_CAPABILITIES_INIT(&power);
    power.DeviceD1 = WdfTrue;
    power.DeviceState[PowerSystemSleeping1] = PowerDeviceD1;
    power.D3Latency = 9;
    WdfDeviceSetPowerCapabilities(child, &power);
    assert_int_equal(ntmm_pnp_capabilities(object, &capabilities), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_capabilities(wdf_test_object(), &parent), STATUS_SUCCESS);
    assert_true(capabilities.Removable && capabilities.EjectSupported && capabilities.SurpriseRemovalOK && capabilities.UniqueID);
    assert_false(capabilities.LockSupported || capabilities.RawDeviceOK || capabilities.SilentInstall || capabilities.DeviceD2);
    assert_int_equal(capabilities.Address, 7);
    assert_int_equal(capabilities.UINumber, (ULONG)-1);
    assert_true(capabilities.DeviceD1);
    assert_int_equal(capabilities.DeviceState[PowerSystemSleeping1], PowerDeviceD1);
    assert_int_equal(capabilities.DeviceState[PowerSystemHibernate], parent.DeviceState[PowerSystemHibernate]);
    assert_int_equal(parent.DeviceState[PowerSystemHibernate], PowerDeviceD3);
    assert_int_equal(capabilities.D3Latency, 9);
    pnp.Size = 4;
    WdfDeviceSetPnpCapabilities(child, &pnp);
    assert_non_null(strstr(ntmm_error(), "Size is 4"));
}

static void refuses_capabilities_of_another_size(void **state)
{
    WDFDEVICE           child;
    IO_STACK_LOCATION   location = { .MinorFunction = IRP_MN_QUERY_CAPABILITIES };
    DEVICE_CAPABILITIES capabilities = { .Size = sizeof capabilities, .Version = 2 };
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    location.Parameters.DeviceCapabilities.Capabilities = &capabilities;
    assert_int_equal(ntmm_pnp_request(object, &location, NULL), STATUS_UNSUCCESSFUL);
    capabilities.Version = 1;
    capabilities.Size = 8;
    assert_int_equal(ntmm_pnp_request(object, &location, NULL), STATUS_UNSUCCESSFUL);
}

static void may_be_raw(void **state)
{
    WDFDEVICE           child;
    DEVICE_CAPABILITIES capabilities;
    PWDFDEVICE_INIT     init = WdfPdoInitAllocate(wdf_test_device);
    (void)state;
    assert_int_equal(WdfPdoInitAssignRawDevice(init, &bus_guid), STATUS_SUCCESS);
    assert_int_equal(WdfPdoInitAssignContainerID(init, &container_id), STATUS_SUCCESS);
    assert_int_equal(WdfPdoInitAddCompatibleID(init, &device_id), STATUS_SUCCESS);
    assert_int_equal(create_bare(init, &child), STATUS_SUCCESS);
    assert_int_equal(WdfFdoAddStaticChild(wdf_test_device, child), STATUS_SUCCESS);
    PDEVICE_OBJECT object = WdfDeviceWdmGetDeviceObject(child);
    assert_int_equal(ntmm_pnp_capabilities(object, &capabilities), STATUS_SUCCESS);
    assert_true(capabilities.RawDeviceOK && capabilities.SilentInstall);
    wdf_bus_assert_id(object, BusQueryContainerID, L"{11111111-2222-3333-4455-66778899aabb}",
                      sizeof L"{11111111-2222-3333-4455-66778899aabb}");
    wdf_bus_assert_id(object, BusQueryCompatibleIDs, L"BUS\\Thing\0", sizeof L"BUS\\Thing\0");
}

/* The function driver's own words: "can" on the way down, "cannot" on the way up, power only lower. */
static void a_function_driver_changes_capabilities(void **state)
{
    DEVICE_CAPABILITIES           capabilities;
    WDF_DEVICE_PNP_CAPABILITIES   pnp;
    WDF_DEVICE_POWER_CAPABILITIES power;
    (void)state;
    WDF_DEVICE_PNP_CAPABILITIES_INIT(&pnp);
    pnp.SurpriseRemovalOK = WdfTrue;
    pnp.NoDisplayInUI = WdfTrue;
    pnp.UniqueID = WdfFalse; /* the bus's alone */
    pnp.UINumber = 5;
    WdfDeviceSetPnpCapabilities(wdf_test_device, &pnp);
    WDF_DEVICE_POWER_CAPABILITIES_INIT(&power);
    power.DeviceState[PowerSystemWorking] = PowerDeviceD1;
    power.DeviceState[PowerSystemHibernate] = PowerDeviceD1;
    power.D1Latency = 3;
    WdfDeviceSetPowerCapabilities(wdf_test_device, &power);
    assert_int_equal(ntmm_pnp_capabilities(wdf_test_object(), &capabilities), STATUS_SUCCESS);
    assert_true(capabilities.SurpriseRemovalOK && capabilities.NoDisplayInUI && capabilities.UniqueID);
    assert_int_equal(capabilities.UINumber, 5);
    assert_int_equal(capabilities.DeviceState[PowerSystemWorking], PowerDeviceD1);
    assert_int_equal(capabilities.DeviceState[PowerSystemHibernate], PowerDeviceD3);
    assert_int_equal(capabilities.D1Latency, 3);
}

static void tells_its_state(void **state)
{
    WDFDEVICE                   child;
    WDF_DEVICE_STATE            said;
    WDF_DEVICE_PNP_CAPABILITIES pnp;
    void                       *answer;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_PNP_DEVICE_STATE, &answer), STATUS_SUCCESS);
    assert_null(answer);
    WDF_DEVICE_PNP_CAPABILITIES_INIT(&pnp);
    pnp.NoDisplayInUI = WdfTrue;
    WdfDeviceSetPnpCapabilities(child, &pnp);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_PNP_DEVICE_STATE, &answer), STATUS_SUCCESS);
    assert_ptr_equal(answer, (uintptr_t)PNP_DEVICE_DONT_DISPLAY_IN_UI);
    WDF_DEVICE_STATE_INIT(&said);
    said.NotDisableable = WdfTrue;
    said.DontDisplayInUI = WdfFalse;
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    WdfDeviceSetDeviceState(wdf_test_device, &said);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_STATE);
    WdfDeviceSetDeviceState(child, &said);
    WdfDeviceSetFailed(child, WdfDeviceFailedNoRestart);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_QUERY_PNP_DEVICE_STATE, &answer), STATUS_SUCCESS);
    assert_ptr_equal(answer, (uintptr_t)(PNP_DEVICE_NOT_DISABLEABLE | PNP_DEVICE_FAILED));
    assert_int_equal(wdf_bus_ask(wdf_test_object(), IRP_MN_QUERY_PNP_DEVICE_STATE, &answer), STATUS_SUCCESS);
    assert_ptr_equal(answer, (uintptr_t)PNP_DEVICE_NOT_DISABLEABLE);
}

/* ---- who goes along ---- */

static void names_devices_that_go_along(void **state)
{
    WDFDEVICE         child;
    PDEVICE_RELATIONS relations = NULL;
    PDEVICE_OBJECT    other = ntmm_device_object(wdf_test_bus_device);
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(wdf_bus_relations(object, EjectionRelations, &relations), STATUS_NOT_SUPPORTED);
    assert_int_equal(WdfPdoAddEjectionRelationsPhysicalDevice(child, other), STATUS_SUCCESS);
    assert_int_equal(WdfPdoAddEjectionRelationsPhysicalDevice(child, other), STATUS_DUPLICATE_OBJECTID);
    assert_int_equal(WdfPdoAddEjectionRelationsPhysicalDevice(wdf_test_device, other), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfPdoAddEjectionRelationsPhysicalDevice(child, wdf_test_object()), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_relations(object, EjectionRelations, &relations), STATUS_SUCCESS);
    assert_int_equal(relations->Count, 2);
    assert_true(relations->Objects[0] == other && relations->Objects[1] == wdf_test_object());
    wdf_bus_relations_free(relations), relations = NULL;
    WdfPdoRemoveEjectionRelationsPhysicalDevice(child, other);
    WdfPdoRemoveEjectionRelationsPhysicalDevice(child, other);
    assert_int_equal(wdf_bus_relations(object, EjectionRelations, &relations), STATUS_SUCCESS);
    assert_true(relations->Count == 1 && relations->Objects[0] == wdf_test_object());
    wdf_bus_relations_free(relations), relations = NULL;
    WdfPdoClearEjectionRelationsDevices(child);
    assert_int_equal(wdf_bus_relations(object, EjectionRelations, &relations), STATUS_SUCCESS); /* empty, which is news */
    assert_int_equal(relations->Count, 0);
    wdf_bus_relations_free(relations), relations = NULL;
    assert_int_equal(wdf_bus_relations(object, EjectionRelations, &relations), STATUS_NOT_SUPPORTED);
    assert_int_equal(wdf_bus_relations(object, TargetDeviceRelation, &relations), STATUS_SUCCESS);
    assert_true(relations->Count == 1 && relations->Objects[0] == object);
    wdf_bus_relations_free(relations), relations = NULL;
    assert_int_equal(wdf_bus_relations(object, BusRelations, &relations), STATUS_NOT_SUPPORTED);
}

static void any_device_names_who_is_removed_with_it(void **state)
{
    WDFDEVICE         child;
    PDEVICE_RELATIONS relations = NULL;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(WdfDeviceAddRemovalRelationsPhysicalDevice(wdf_test_device, object), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_relations(wdf_test_object(), RemovalRelations, &relations), STATUS_SUCCESS);
    assert_true(relations->Count == 1 && relations->Objects[0] == object);
    wdf_bus_relations_free(relations), relations = NULL;
    WdfDeviceRemoveRemovalRelationsPhysicalDevice(wdf_test_device, object);
    assert_int_equal(WdfDeviceAddRemovalRelationsPhysicalDevice(child, wdf_test_object()), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_relations(object, RemovalRelations, &relations), STATUS_SUCCESS);
    assert_int_equal(relations->Count, 1);
    wdf_bus_relations_free(relations);
    WdfDeviceClearRemovalRelationsDevices(child);
}

/* ---- its life ---- */

static void works_without_a_function_driver(void **state)
{
    WDFDEVICE child;
    char      byte;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceGetDevicePnpState(child), WdfDevStatePnpStarted);
    assert_int_equal(ntmm_request_read(object, 0, &byte, 1, NULL), STATUS_SUCCESS);
    assert_int_equal(ntmm_power_set(object, DevicePowerState, PowerDeviceD3), STATUS_SUCCESS);
    assert_int_equal(exited, 1);
    assert_int_equal(ntmm_power_set(object, DevicePowerState, PowerDeviceD0), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_stop(object), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(entered, 3);
    assert_int_equal(exited, 2);
}

static void stays_while_its_bus_has_it(void **state)
{
    WDFDEVICE child;
    char      byte;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
        assert_int_equal(ntmm_request_read(object, 0, &byte, 1, NULL), STATUS_SUCCESS);
        assert_int_equal(ntmm_pnp_remove(object), STATUS_SUCCESS);
        assert_int_equal(WdfDeviceGetDevicePnpState(child), WdfDevStatePnpRemovedPdoWait);
        assert_int_equal(exited, i);
        assert_int_not_equal(ntmm_request_read(object, 0, &byte, 1, NULL), STATUS_SUCCESS);
    }
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_int_equal(missing, 0);
}

static void goes_when_it_is_missing(void **state)
{
    WDFDEVICE child;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    assert_int_equal(WdfPdoMarkMissing(child), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_RELATIONS(BusRelations));
    assert_int_equal(missing, 0);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(missing, 1);
    ObReferenceObject(object);
    assert_int_equal(ntmm_pnp_surprise_remove(object), STATUS_SUCCESS);
    assert_int_equal(surprised, 1);
    assert_int_equal(exited, 1);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_INVALID_DEVICE_REQUEST); /* its WDFDEVICE is gone */
    ObDereferenceObject(object);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(missing, 1);
}

/* The PnP manager does not know it: there is nobody to remove it. */
static void goes_at_once_before_it_is_reported(void **state)
{
    WDFDEVICE child;
    KIRQL     irql;
    (void)state;
    assert_int_equal(add_child(&child), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_int_equal(WdfPdoMarkMissing(child), STATUS_SUCCESS);
    KeLowerIrql(irql);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(missing, 0);
    assert_int_equal(make_child(&child), STATUS_SUCCESS);
    assert_int_equal(WdfPdoMarkMissing(child), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(WdfPdoMarkMissing(wdf_test_device), STATUS_INVALID_PARAMETER);
    WdfObjectDelete(child); /* still the driver's */
}

static void is_ejected(void **state)
{
    WDFDEVICE child;
    void     *answer;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    callback_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(wdf_bus_ask(object, IRP_MN_EJECT, &answer), STATUS_DEVICE_NOT_READY);
    assert_int_equal(wdf_bus_count(NULL), 1);
    callback_status = STATUS_SUCCESS;
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_remove(object), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_EJECT, &answer), STATUS_SUCCESS);
    assert_int_equal(ejected, 2);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(missing, 1);
    assert_int_equal(ntmm_pnp_remove(object), STATUS_SUCCESS); /* the end of it */
}

static void is_locked(void **state)
{
    WDFDEVICE         child;
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_SET_LOCK };
    uintptr_t         information = 1;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    location.Parameters.SetLock.Lock = TRUE;
    assert_int_equal(ntmm_pnp_request(object, &location, &information), STATUS_SUCCESS);
    assert_true(locked == 1 && information == 0);
    location.Parameters.SetLock.Lock = FALSE;
    callback_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(ntmm_pnp_request(object, &location, &information), STATUS_DEVICE_NOT_READY);
    assert_int_equal(locked, 2);
}

static void cannot_wake_the_machine(void **state)
{
    WDFDEVICE child;
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    ntmm_request  *wake = ntmm_request_begin(object, &(ntmm_request_config){ .function = IRP_MJ_POWER, .minor = IRP_MN_WAIT_WAKE });
    assert_int_equal(ntmm_request_end(wake, NULL), STATUS_NOT_SUPPORTED);
}

/* ---- with its bus ---- */

static void goes_with_its_bus(void **state)
{
    WDFDEVICE one, two;
    (void)state;
    PDEVICE_OBJECT object = report_child(&one);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_remove(object), STATUS_SUCCESS); /* the children go first, and wait */
    assert_int_equal(add_child(&two), STATUS_SUCCESS);         /* never reported */
    wdf_test_unload();                                         /* both are gone, or the driver would leave devices behind */
    assert_int_equal(missing, 0);
}

/* It was open when both were pulled out: it goes last, with its own IRP_MN_REMOVE_DEVICE. */
static void may_outlive_its_bus(void **state)
{
    WDFDEVICE         child;
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_SURPRISE_REMOVAL };
    (void)state;
    PDEVICE_OBJECT object = report_child(&child);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_request(object, &location, NULL), STATUS_SUCCESS);
    assert_int_equal(exited, 1);
    assert_int_equal(ntmm_pnp_surprise_remove(wdf_test_object()), STATUS_SUCCESS);
    wdf_test_device = NULL;
    assert_int_equal(WdfDeviceGetDevicePnpState(child), WdfDevStatePnpSurpriseRemove);
    location.MinorFunction = IRP_MN_REMOVE_DEVICE;
    ObReferenceObject(object);
    assert_int_equal(ntmm_pnp_request(object, &location, NULL), STATUS_SUCCESS);
    ObDereferenceObject(object);
    wdf_test_unload();
}

static void goes_when_its_driver_is_unloaded(void **state)
{
    WDFDEVICE child, not_added;
    (void)state;
    (void)report_child(&child);
    assert_int_equal(make_child(&not_added), STATUS_SUCCESS);
    wdf_test_unload();
}

/* ---- iteration ---- */

static void is_found_by_iteration(void **state)
{
    WDFDEVICE one, two, three;
    (void)state;
    (void)report_child(&one);
    assert_int_equal(add_child(&two), STATUS_SUCCESS);
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, WdfRetrieveAllChildren)); /* not locked */
    WdfFdoLockStaticChildListForIteration(wdf_test_device);
    assert_int_equal(add_child(&three), STATUS_SUCCESS);
    assert_ptr_equal(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, WdfRetrievePresentChildren), one);
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, one, WdfRetrievePresentChildren));
    assert_ptr_equal(WdfFdoRetrieveNextStaticChild(wdf_test_device, one, WdfRetrieveAllChildren), two);
    assert_ptr_equal(WdfFdoRetrieveNextStaticChild(wdf_test_device, two, WdfRetrievePendingChildren), three);
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, three, WdfRetrieveAllChildren));
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, WdfRetrieveMissingChildren));
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, 0));
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, 0x10));
    assert_int_equal(WdfPdoMarkMissing(two), STATUS_SUCCESS);
    assert_int_equal(WdfPdoMarkMissing(three), STATUS_SUCCESS); /* both wait */
    assert_int_equal(wdf_bus_count(NULL), 2);                   /* `three` was never anything but waiting */
    WdfFdoUnlockStaticChildListFromIteration(wdf_test_device);
    assert_int_equal(wdf_bus_count(NULL), 1);
    WdfFdoLockStaticChildListForIteration(wdf_test_device);
    assert_ptr_equal(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, WdfRetrieveMissingChildren), two);
    assert_int_equal(ntmm_pnp_remove(WdfDeviceWdmGetDeviceObject(two)), STATUS_SUCCESS);
    assert_null(WdfFdoRetrieveNextStaticChild(wdf_test_device, NULL, WdfRetrieveMissingChildren));
    WdfFdoUnlockStaticChildListFromIteration(wdf_test_device);
    WdfFdoUnlockStaticChildListFromIteration(wdf_test_device);
    assert_non_null(strstr(ntmm_error(), "not locked"));
}

/* ---- refused ---- */

static void refuses_what_is_no_pdo(void **state)
{
    WDFDEVICE      child;
    UNICODE_STRING odd = { .Length = 3, .MaximumLength = 4, .Buffer = (PWCH)L"x" };
    (void)state;
    (void)report_child(&child);
    assert_null(WdfPdoInitAllocate(child));
    assert_int_equal(WdfFdoAddStaticChild(child, child), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfFdoAddStaticChild(wdf_test_device, wdf_test_device), STATUS_INVALID_PARAMETER);
    PWDFDEVICE_INIT control = WdfControlDeviceInitAllocate(WdfGetDriver(), &SDDL_DEVOBJ_SYS_ALL_ADM_ALL);
    assert_int_equal(WdfPdoInitAssignDeviceID(control, &device_id), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfPdoInitAddDeviceText(control, &english, &place, 0), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfPdoInitAssignRawDevice(control, &bus_guid), STATUS_INVALID_PARAMETER);
    WdfPdoInitSetDefaultLocale(control, GERMAN);
    assert_non_null(strstr(ntmm_error(), "not that of a PDO"));
    WdfDeviceInitFree(control);
    PWDFDEVICE_INIT init = WdfPdoInitAllocate(wdf_test_device);
    assert_int_equal(WdfPdoInitAddHardwareID(init, &odd), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfPdoInitAddDeviceText(init, &english, &odd, 0), STATUS_INVALID_PARAMETER);
    WdfDeviceInitSetCharacteristics(init, 0, FALSE); /* nor FILE_AUTOGENERATED_DEVICE_NAME */
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &child), STATUS_OBJECT_NAME_INVALID);
    WdfDeviceInitFree(init);
}

static void forwarding_needs_room(void **state)
{
    WDFDEVICE       child;
    PWDFDEVICE_INIT init = WdfPdoInitAllocate(wdf_test_device);
    (void)state;
    WdfPdoInitAllowForwardingRequestToParent(init);
    assert_int_equal(create_bare(init, &child), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceWdmGetDeviceObject(child)->StackSize, 1 + wdf_test_object()->StackSize);
}

static void asks_for_passive_level(void **state)
{
    KIRQL irql;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfPdoInitAllocate(wdf_test_device));
}

static void needs_a_device(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfPdoMarkMissing(NULL));
}

/* ---- failures ---- */

static void one_life(void *context)
{
    WDFDEVICE      child;
    PDEVICE_OBJECT reported[1];
    size_t         count;
    void          *answer;
    (void)context;
    if (!NT_SUCCESS(add_child(&child)))
        return;
    if (!NT_SUCCESS(ntmm_pnp_children(wdf_test_object(), reported, 1, &count)))
        assert_int_equal(ntmm_pnp_children(wdf_test_object(), reported, 1, &count), STATUS_SUCCESS);
    assert_int_equal(count, 1);
    (void)WdfPdoAddEjectionRelationsPhysicalDevice(child, wdf_test_object());
    (void)ntmm_pnp_start(reported[0], NULL, 0);
    for (int type = BusQueryDeviceID; type <= BusQueryContainerID; type++) {
        PWSTR text;
        if (NT_SUCCESS(wdf_bus_id(reported[0], (BUS_QUERY_ID_TYPE)type, &text)))
            ExFreePool(text);
    }
    if (NT_SUCCESS(wdf_bus_ask(reported[0], IRP_MN_QUERY_RESOURCES, &answer)))
        ExFreePool(answer);
    if (NT_SUCCESS(wdf_bus_ask(reported[0], IRP_MN_QUERY_RESOURCE_REQUIREMENTS, &answer)))
        ExFreePool(answer);
    PDEVICE_RELATIONS relations = NULL;
    (void)wdf_bus_relations(reported[0], EjectionRelations, &relations);
    wdf_bus_relations_free(relations);
    assert_int_equal(WdfPdoMarkMissing(child), STATUS_SUCCESS);
    while (wdf_bus_count(NULL) != 0) /* one of them may fail */
        continue;
    while (missing == 0)
        (void)wdf_bus_count(NULL);
    while (ntmm_pnp_remove(reported[0]) == STATUS_INSUFFICIENT_RESOURCES)
        continue;
    missing = 0;
}

static void survives_every_failure(void **state)
{
    (void)state;
    answers_resources = true;
    assert_true(ntmm_for_each_failure(one_life, NULL) > 25);
    assert_int_equal(wdf_bus_count(NULL), 0);
}

/* ---- main ---- */

static int setup(void **state)
{
    callback_status = STATUS_SUCCESS;
    ejected = locked = missing = entered = exited = asked = surprised = 0;
    answers_resources = false;
    return wdf_device_setup(state);
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(is_reported_when_added),
        row(is_the_bottom_of_its_stack),
        row(others_have_reported_before),
        row(tells_its_ids),
        row(tells_its_name_in_two_languages),
        row(may_tell_nothing),
        row(tells_its_bus),
        row(tells_its_resources),
        row(tells_its_capabilities),
        row(refuses_capabilities_of_another_size),
        row(may_be_raw),
        row(a_function_driver_changes_capabilities),
        row(tells_its_state),
        row(names_devices_that_go_along),
        row(any_device_names_who_is_removed_with_it),
        row(works_without_a_function_driver),
        row(stays_while_its_bus_has_it),
        row(goes_when_it_is_missing),
        row(goes_at_once_before_it_is_reported),
        row(is_ejected),
        row(is_locked),
        row(cannot_wake_the_machine),
        row(goes_with_its_bus),
        row(may_outlive_its_bus),
        row(goes_when_its_driver_is_unloaded),
        row(is_found_by_iteration),
        row(refuses_what_is_no_pdo),
        row(forwarding_needs_room),
        row(asks_for_passive_level),
        row(needs_a_device),
        row(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
