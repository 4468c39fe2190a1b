/*
 * test_io_pnp.c - the PnP side: a function driver started, stopped, removed; what the bus answers; interfaces, notifications, properties;
 * driver object extensions, routines for later, shutdown.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <string.h>

#include <initguid.h>
#include <wdmguid.h>

DEFINE_GUID(class_one, 0x11111111, 0x2222, 0x3333, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb);
DEFINE_GUID(class_two, 0x21111111, 0x2222, 0x3333, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb);

#include <devpropdef.h>
DEFINE_DEVPROPKEY(key_one, 0x31111111, 0x2222, 0x3333, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 2);
DEFINE_DEVPROPKEY(key_two, 0x31111111, 0x2222, 0x3333, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 3);

/* ---- a function driver ---- */

typedef struct extension {
    PDEVICE_OBJECT below, physical;
    UNICODE_STRING interface;
    uint64_t       memory, length;
    ULONG          vector;
    bool           started, refuses;
} extension_t;

static char history[64]; /* one letter a request */
static void note(char letter)
{
    size_t at = strlen(history);
    if (at + 1 < sizeof history)
        history[at] = letter;
}

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}
static NTSTATUS start(extension_t *extension, PIRP irp)
{
    PCM_RESOURCE_LIST list = IoGetCurrentIrpStackLocation(irp)->Parameters.StartDevice.AllocatedResourcesTranslated;
    assert_true(IoForwardIrpSynchronously(extension->below, irp));
    NTSTATUS status = irp->IoStatus.Status;
    for (ULONG i = 0; list != NULL && i < list->List[0].PartialResourceList.Count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = &list->List[0].PartialResourceList.PartialDescriptors[i];
        if (descriptor->Type == CmResourceTypeMemory) {
            extension->memory = (uint64_t)descriptor->u.Memory.Start.QuadPart;
            extension->length = descriptor->u.Memory.Length;
        } else if (descriptor->Type == CmResourceTypeInterrupt)
            extension->vector = descriptor->u.Interrupt.Vector;
    }
    if (NT_SUCCESS(status))
        status = IoSetDeviceInterfaceState(&extension->interface, TRUE);
    extension->started = NT_SUCCESS(status);
    return complete(irp, status);
}
static NTSTATUS remove_device(PDEVICE_OBJECT device, PIRP irp)
{
    extension_t *extension = device->DeviceExtension;
    if (extension->started)
        IoSetDeviceInterfaceState(&extension->interface, FALSE);
    RtlFreeUnicodeString(&extension->interface);
    irp->IoStatus.Status = STATUS_SUCCESS;
    IoSkipCurrentIrpStackLocation(irp);
    NTSTATUS status = IoCallDriver(extension->below, irp);
    IoDetachDevice(extension->below);
    IoDeleteDevice(device);
    return status;
}
static NTSTATUS pnp(PDEVICE_OBJECT device, PIRP irp)
{
    extension_t *extension = device->DeviceExtension;
    UCHAR        minor = IoGetCurrentIrpStackLocation(irp)->MinorFunction;
    assert_int_equal(irp->IoStatus.Status, STATUS_NOT_SUPPORTED);
    note((char)('A' + minor));
    switch (minor) {
    case IRP_MN_START_DEVICE: return start(extension, irp);
    case IRP_MN_REMOVE_DEVICE: return remove_device(device, irp);
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
        if (extension->refuses)
            return complete(irp, STATUS_DEVICE_BUSY);
        break;
    default: break;
    }
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(extension->below, irp);
}
static NTSTATUS quiet(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    return complete(irp, STATUS_SUCCESS);
}
static NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    PDEVICE_OBJECT device;
    NTSTATUS       status = IoCreateDevice(driver, sizeof(extension_t), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    extension_t *extension = device->DeviceExtension;
    extension->physical = physical;
    status = IoRegisterDeviceInterface(physical, &class_one, NULL, &extension->interface);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(device);
        return status;
    }
    extension->below = IoAttachDeviceToDeviceStack(device, physical);
    assert_non_null(extension->below);
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}
static VOID     unload(PDRIVER_OBJECT driver) { (void)driver; }
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_PNP] = pnp;
    driver->MajorFunction[IRP_MJ_CREATE] = driver->MajorFunction[IRP_MJ_CLEANUP] = driver->MajorFunction[IRP_MJ_CLOSE] = quiet;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

static const ntmm_resource RESOURCES[] = {
    { .type = CmResourceTypeMemory, .start = 0xF0000000, .length = 0x1000 },
    { .type = CmResourceTypeInterrupt, .flags = CM_RESOURCE_INTERRUPT_LATCHED, .start = 0x51, .length = 5 },
};

typedef struct rig {
    PDRIVER_OBJECT driver;
    ntmm_device   *device;
    PDEVICE_OBJECT physical;
    extension_t   *extension;
} rig_t;
static rig_t plug_in(void)
{
    rig_t rig = { .driver = ntmm_driver_load(DriverEntry), .device = ntmm_device_create(NULL) };
    memset(history, 0, sizeof history);
    assert_true(rig.driver != NULL && rig.device != NULL);
    rig.physical = ntmm_device_object(rig.device);
    assert_int_equal(ntmm_pnp_add(rig.driver, rig.physical), STATUS_SUCCESS);
    rig.extension = rig.driver->DeviceObject->DeviceExtension;
    return rig;
}
static void pull_out(const rig_t *rig)
{
    ntmm_device_destroy(rig->device);
    assert_int_equal(ntmm_driver_unload(rig->driver), 0);
}

/* ---- a device's life ---- */

static void started_and_removed(void **state)
{
    (void)state;
    rig_t rig = plug_in();
    assert_int_equal(ntmm_pnp_start(rig.physical, RESOURCES, 2), STATUS_SUCCESS);
    assert_true(rig.extension->memory == 0xF0000000 && rig.extension->length == 0x1000 && rig.extension->vector == 0x51);
    rig.extension->refuses = true;
    assert_int_equal(ntmm_pnp_stop(rig.physical), STATUS_DEVICE_BUSY);
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_DEVICE_BUSY);
    rig.extension->refuses = false;
    assert_int_equal(ntmm_pnp_stop(rig.physical), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(rig.physical, NULL, 0), STATUS_OBJECT_NAME_EXISTS); /* a success: the interface is enabled already */
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_SUCCESS);
    assert_null(rig.driver->DeviceObject);
    assert_null(rig.physical->AttachedDevice);
    assert_string_equal(history, "AFGBDFEABC"); /* start; query, cancel stop; query, cancel remove; query, stop; start; query, remove */
    pull_out(&rig);
}

static void surprise_removed(void **state)
{
    (void)state;
    rig_t rig = plug_in();
    assert_int_equal(ntmm_pnp_start(rig.physical, NULL, 0), STATUS_SUCCESS);
    rig.extension->refuses = true; /* nobody asks */
    assert_int_equal(ntmm_pnp_surprise_remove(rig.driver->DeviceObject), STATUS_SUCCESS);
    assert_string_equal(history, "AXC");
    pull_out(&rig);
}

static void every_failed_allocation(void *context)
{
    (void)context;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    ntmm_device   *device = ntmm_device_create(NULL);
    if (driver != NULL) {
        PDEVICE_OBJECT physical = ntmm_device_object(device);
        if (NT_SUCCESS(ntmm_pnp_add(driver, physical))) {
            (void)ntmm_pnp_start(physical, RESOURCES, 2);
            while (ntmm_pnp_surprise_remove(physical) == STATUS_INSUFFICIENT_RESOURCES && driver->DeviceObject != NULL)
                ;
        }
        if (driver->DeviceObject == NULL)
            assert_int_equal(ntmm_driver_unload(driver), 0);
    }
    ntmm_device_destroy(device);
}
static void without_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(every_failed_allocation, NULL) > 7);
}

/* ---- what the bus answers ---- */

static PVOID ask(PDEVICE_OBJECT device, IO_STACK_LOCATION *location, NTSTATUS expected)
{
    uintptr_t information = 0;
    assert_int_equal(ntmm_pnp_request(device, location, &information), expected);
    return (PVOID)information;
}
static void answers_of_the_bus(void **state)
{
    DEVICE_CAPABILITIES    capabilities;
    BUS_INTERFACE_STANDARD bus;
    IO_STACK_LOCATION      location = { .MinorFunction = IRP_MN_QUERY_ID };
    (void)state;
    rig_t rig = plug_in();
    assert_int_equal(ntmm_pnp_capabilities(rig.physical, &capabilities), STATUS_SUCCESS);
    assert_true(capabilities.DeviceState[PowerSystemWorking] == PowerDeviceD0 &&
                capabilities.DeviceState[PowerSystemHibernate] == PowerDeviceD3);
    location.Parameters.QueryId.IdType = BusQueryInstanceID;
    PWSTR text = ask(rig.physical, &location, STATUS_SUCCESS);
    assert_memory_equal(text, L"0001", 5 * sizeof(WCHAR));
    ExFreePool(text);
    assert_int_equal(ntmm_device_set_property(rig.physical, DevicePropertyHardwareID, L"PCI\\VEN_1234\0", 28), 0);
    location.Parameters.QueryId.IdType = BusQueryHardwareIDs;
    text = ask(rig.physical, &location, STATUS_SUCCESS);
    assert_memory_equal(text, L"PCI\\VEN_1234\0", 28);
    ExFreePool(text);
    location = (IO_STACK_LOCATION){ .MinorFunction = IRP_MN_QUERY_DEVICE_RELATIONS };
    location.Parameters.QueryDeviceRelations.Type = TargetDeviceRelation;
    PDEVICE_RELATIONS relations = ask(rig.physical, &location, STATUS_SUCCESS);
    assert_true(relations->Count == 1 && relations->Objects[0] == rig.physical);
    ObDereferenceObject(relations->Objects[0]);
    ExFreePool(relations);
    location = (IO_STACK_LOCATION){ .MinorFunction = IRP_MN_QUERY_RESOURCES };
    assert_null(ask(rig.physical, &location, STATUS_NOT_SUPPORTED));

    assert_true(ntmm_device_place(rig.device, 2, 3));
    assert_int_equal(ntmm_pci_add(2, 3, NULL, NULL), 0);
    memcpy(ntmm_pci_bytes(2, 3), "\x34\x12\x78\x56", 4);
    location = (IO_STACK_LOCATION){ .MinorFunction = IRP_MN_QUERY_INTERFACE };
    location.Parameters.QueryInterface.InterfaceType = &GUID_BUS_INTERFACE_STANDARD;
    location.Parameters.QueryInterface.Size = sizeof bus;
    location.Parameters.QueryInterface.Version = 1;
    location.Parameters.QueryInterface.Interface = (PINTERFACE)&bus;
    (void)ask(rig.physical, &location, STATUS_SUCCESS);
    ULONG vendor = 0;
    assert_int_equal(bus.GetBusData(bus.Context, 0, &vendor, 0, 4), 4);
    assert_int_equal(vendor, 0x56781234);
    bus.InterfaceDereference(bus.Context);
    location = (IO_STACK_LOCATION){ .MinorFunction = IRP_MN_QUERY_BUS_INFORMATION };
    PPNP_BUS_INFORMATION information = ask(rig.physical, &location, STATUS_SUCCESS);
    assert_true(information->LegacyBusType == PCIBus && information->BusNumber == 2);
    ExFreePool(information);
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_SUCCESS);
    pull_out(&rig);
}

static void physical_devices_are_objects(void **state)
{
    static ntmm_report report;
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    assert_int_equal(ObReferenceObjectByPointer(physical, 0, *IoDeviceObjectType, KernelMode), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByPointer(physical, 0, *IoFileObjectType, KernelMode), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObReferenceObject(physical), 2);
    ntmm_device_destroy(device);
    assert_int_equal(physical->Type, 3); /* still there */
    assert_int_equal(ObDereferenceObject(physical), 1);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_true(report.leaks[0].address == physical && report.leaks[0].tag == NTMM_TAG("Devi"));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    device = ntmm_device_create(NULL);
    physical = ntmm_device_object(device);
    assert_bugcheck_code(REFERENCE_BY_POINTER, ObDereferenceObject(physical));
}

/* ---- properties ---- */

static void properties(void **state)
{
    WCHAR text[40];
    ULONG bytes, number;
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    assert_int_equal(IoGetDeviceProperty(physical, DevicePropertyPhysicalDeviceObjectName, sizeof text, text, &bytes), STATUS_SUCCESS);
    assert_memory_equal(text, L"\\Device\\00000001", bytes);
    assert_int_equal(bytes, 17 * sizeof(WCHAR));
    assert_int_equal(IoGetDeviceProperty(physical, DevicePropertyPhysicalDeviceObjectName, bytes - 1, text, &bytes),
                     STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bytes, 17 * sizeof(WCHAR));
    assert_int_equal(IoGetDeviceProperty(physical, DevicePropertyFriendlyName, sizeof text, text, &bytes), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ntmm_device_set_property(physical, DevicePropertyFriendlyName, L"One", 8), 0);
    assert_int_equal(ntmm_device_set_property(physical, DevicePropertyFriendlyName, L"Second", 14), 0);
    assert_int_equal(IoGetDeviceProperty(physical, DevicePropertyFriendlyName, sizeof text, text, &bytes), STATUS_SUCCESS);
    assert_memory_equal(text, L"Second", 14);
    assert_int_equal(IoGetDeviceProperty(physical, (DEVICE_REGISTRY_PROPERTY)99, 4, &number, &bytes), STATUS_INVALID_PARAMETER_2);
    assert_true(ntmm_device_place(device, 1, 7 | 2 << 5));
    assert_int_equal(IoGetDeviceProperty(physical, DevicePropertyAddress, 4, &number, &bytes), STATUS_SUCCESS);
    assert_int_equal(number, 7 << 16 | 2);
    ntmm_device_destroy(device);
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    PDEVICE_OBJECT other;
    assert_int_equal(IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &other), STATUS_SUCCESS);
    assert_bugcheck(PNP_DETECTED_FATAL_ERROR, 2, IoGetDeviceProperty(other, DevicePropertyAddress, 4, &number, &bytes));
}

/* ---- interfaces and notifications ---- */

static int            arrivals, removals, queries, completions, cancels, customs;
static NTSTATUS       query_answer;
static UNICODE_STRING last_name;
static WCHAR          last_text[80];
static NTSTATUS       told(PVOID what, PVOID context)
{
    PDEVICE_INTERFACE_CHANGE_NOTIFICATION change = what;
    assert_ptr_equal(context, &arrivals);
    assert_int_equal(change->Version, 1);
    arrivals += IsEqualGUID(&change->Event, &GUID_DEVICE_INTERFACE_ARRIVAL);
    removals += IsEqualGUID(&change->Event, &GUID_DEVICE_INTERFACE_REMOVAL);
    memcpy(last_text, change->SymbolicLinkName->Buffer, change->SymbolicLinkName->Length);
    last_name = (UNICODE_STRING){ change->SymbolicLinkName->Length, sizeof last_text, last_text };
    return STATUS_SUCCESS;
}
static void interfaces_come_and_go(void **state)
{
    PVOID          entry, late;
    PFILE_OBJECT   file;
    PDEVICE_OBJECT top;
    PZZWSTR        list;
    (void)state;
    arrivals = removals = 0;
    rig_t rig = plug_in();
    assert_int_equal(
        IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange, 0, (PVOID)&class_one, rig.driver, told, &arrivals, &entry),
        STATUS_SUCCESS);
    assert_int_equal(IoGetDeviceInterfaces(&class_one, NULL, 0, &list), STATUS_SUCCESS);
    assert_int_equal(list[0], 0); /* registered, not enabled */
    ExFreePool(list);
    assert_int_equal(IoGetDeviceInterfaces(&class_one, rig.physical, DEVICE_INTERFACE_INCLUDE_NONACTIVE, &list), STATUS_SUCCESS);
    assert_memory_equal(list, L"\\??\\NTMM#00000001#{11111111-2222-3333-4455-66778899aabb}\0", 57 * sizeof(WCHAR));
    ExFreePool(list);
    assert_int_equal(IoGetDeviceObjectPointer(&rig.extension->interface, FILE_ALL_ACCESS, &file, &top), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ntmm_pnp_start(rig.physical, NULL, 0), STATUS_SUCCESS);
    assert_true(arrivals == 1 && RtlEqualUnicodeString(&last_name, &rig.extension->interface, FALSE));
    assert_int_equal(IoGetDeviceObjectPointer(&last_name, FILE_ALL_ACCESS, &file, &top), STATUS_SUCCESS);
    assert_ptr_equal(top, rig.driver->DeviceObject);
    ObDereferenceObject(file);
    assert_int_equal(IoSetDeviceInterfaceState(&rig.extension->interface, TRUE), STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange,
                                                    PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES, (PVOID)&class_one, rig.driver,
                                                    told, &arrivals, &late),
                     STATUS_SUCCESS);
    assert_int_equal(arrivals, 2);
    assert_int_equal(IoUnregisterPlugPlayNotificationEx(late), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_SUCCESS);
    assert_true(arrivals == 2 && removals == 1);
    assert_int_equal(IoUnregisterPlugPlayNotification(entry), STATUS_SUCCESS);
    pull_out(&rig);
    assert_int_equal(IoGetDeviceInterfaces(&class_one, NULL, DEVICE_INTERFACE_INCLUDE_NONACTIVE, &list), STATUS_SUCCESS);
    assert_int_equal(list[0], 0); /* it went with its device */
    ExFreePool(list);
}

static void reference_strings_and_aliases(void **state)
{
    UNICODE_STRING left = RTL_CONSTANT_STRING(L"left"), one, one_left, two_left, again, alias, wrong = RTL_CONSTANT_STRING(L"\\??\\wrong");
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    assert_int_equal(IoRegisterDeviceInterface(physical, &class_one, NULL, &one), STATUS_SUCCESS);
    assert_int_equal(IoRegisterDeviceInterface(physical, &class_one, &left, &one_left), STATUS_SUCCESS);
    assert_int_equal(IoRegisterDeviceInterface(physical, &class_one, &left, &again), STATUS_SUCCESS);
    assert_int_equal(IoRegisterDeviceInterface(physical, &class_two, &left, &two_left), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&one_left, &again, FALSE) && one_left.Length == one.Length + 5 * sizeof(WCHAR));
    assert_int_equal(IoGetDeviceInterfaceAlias(&one_left, &class_two, &alias), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&alias, &two_left, FALSE));
    RtlFreeUnicodeString(&alias);
    assert_int_equal(IoGetDeviceInterfaceAlias(&one, &class_two, &alias), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoSetDeviceInterfaceState(&wrong, TRUE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoSetDeviceInterfaceState(&one, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoSetDeviceInterfaceState(&one, TRUE), STATUS_SUCCESS); /* both share the link */
    assert_int_equal(IoSetDeviceInterfaceState(&one_left, TRUE), STATUS_SUCCESS);
    assert_int_equal(IoSetDeviceInterfaceState(&one, FALSE), STATUS_SUCCESS);
    assert_int_equal(IoCreateSymbolicLink(&one, &left), STATUS_OBJECT_NAME_COLLISION);
    RtlFreeUnicodeString(&one);
    RtlFreeUnicodeString(&one_left);
    RtlFreeUnicodeString(&two_left);
    RtlFreeUnicodeString(&again);
    ntmm_device_destroy(device); /* takes what is enabled along */
}

static NTSTATUS target_event(PVOID what, PVOID context)
{
    PTARGET_DEVICE_REMOVAL_NOTIFICATION event = what;
    assert_ptr_equal(event->FileObject, *(PFILE_OBJECT *)context);
    completions += IsEqualGUID(&event->Event, &GUID_TARGET_DEVICE_REMOVE_COMPLETE);
    cancels += IsEqualGUID(&event->Event, &GUID_TARGET_DEVICE_REMOVE_CANCELLED);
    customs += IsEqualGUID(&event->Event, &class_two);
    if (!IsEqualGUID(&event->Event, &GUID_TARGET_DEVICE_QUERY_REMOVE))
        return STATUS_SUCCESS;
    queries++;
    return query_answer;
}
static PVOID target_entry;
static void  all_told(PVOID context) { KeSetEvent(context, IO_NO_INCREMENT, FALSE); }
static void  target_device_notifications(void **state)
{
    static PFILE_OBJECT               file;
    KEVENT                            done;
    PDEVICE_OBJECT                    top;
    TARGET_DEVICE_CUSTOM_NOTIFICATION custom = { .Version = 1, .Size = sizeof custom, .Event = class_two, .NameBufferOffset = -1 };
    (void)state;
    queries = completions = cancels = customs = 0;
    rig_t rig = plug_in();
    assert_int_equal(ntmm_pnp_start(rig.physical, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(IoGetDeviceObjectPointer(&rig.extension->interface, FILE_ALL_ACCESS, &file, &top), STATUS_SUCCESS);
    assert_int_equal(
        IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, file, rig.driver, target_event, &file, &target_entry),
        STATUS_SUCCESS);
    assert_int_equal(IoReportTargetDeviceChange(rig.physical, &custom), STATUS_SUCCESS);
    assert_int_equal(customs, 1);
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    assert_int_equal(IoReportTargetDeviceChangeAsynchronous(rig.physical, &custom, all_told, &done), STATUS_PENDING);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(customs, 2);
    custom.Event = GUID_TARGET_DEVICE_QUERY_REMOVE;
    assert_int_equal(IoReportTargetDeviceChange(rig.physical, &custom), STATUS_INVALID_DEVICE_REQUEST);
    query_answer = STATUS_UNSUCCESSFUL;
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_UNSUCCESSFUL);
    assert_true(queries == 1 && cancels == 1 && completions == 0);
    query_answer = STATUS_SUCCESS;
    ObDereferenceObject(file);
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_SUCCESS);
    assert_true(queries == 2 && cancels == 1 && completions == 1);
    assert_int_equal(IoUnregisterPlugPlayNotification(target_entry), STATUS_SUCCESS);
    pull_out(&rig);
}

static PVOID    own_entry;
static NTSTATUS unregisters_itself(PVOID what, PVOID context)
{
    (void)what;
    (void)context;
    return IoUnregisterPlugPlayNotification(own_entry);
}
static void unregistered_from_the_callback(void **state)
{
    (void)state;
    rig_t rig = plug_in();
    assert_int_equal(IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange, 0, (PVOID)&class_one, rig.driver,
                                                    unregisters_itself, NULL, &own_entry),
                     STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(rig.physical, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_remove(rig.physical), STATUS_SUCCESS); /* not called again; and no leak */
    pull_out(&rig);
}

/* ---- what drivers ask of the PnP manager ---- */

static void invalidated(void **state)
{
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    IoInvalidateDeviceRelations(physical, BusRelations);
    IoInvalidateDeviceState(physical);
    assert_int_equal(ntmm_pnp_take_invalidated(device), NTMM_PNP_RELATIONS(BusRelations) | NTMM_PNP_STATE);
    assert_int_equal(ntmm_pnp_take_invalidated(device), 0);
    ntmm_device_destroy(device);
}

static PDEVICE_OBJECT child;
static NTSTATUS       report_child(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    PDEVICE_RELATIONS relations = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *relations, NTMM_TAG("Rela"));
    relations->Count = 1;
    relations->Objects[0] = child;
    ObReferenceObject(child);
    irp->IoStatus.Information = (ULONG_PTR)relations;
    return complete(irp, STATUS_SUCCESS);
}
static void children_of_a_bus_driver(void **state)
{
    PDEVICE_OBJECT bus, reported;
    UNICODE_STRING link;
    size_t         count;
    (void)state;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    driver->MajorFunction[IRP_MJ_PNP] = report_child;
    assert_int_equal(IoCreateDevice(driver, 0, NULL, FILE_DEVICE_BUS_EXTENDER, 0, FALSE, &bus), STATUS_SUCCESS);
    assert_int_equal(IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, FILE_AUTOGENERATED_DEVICE_NAME, FALSE, &child), STATUS_SUCCESS);
    assert_true((child->Flags & DO_DEVICE_HAS_NAME) != 0);
    assert_int_equal(ntmm_pnp_children(bus, &reported, 1, &count), STATUS_SUCCESS);
    assert_true(count == 1 && reported == child && (child->Flags & DO_BUS_ENUMERATED_DEVICE) != 0);
    assert_int_equal(IoRegisterDeviceInterface(child, &class_one, NULL, &link), STATUS_SUCCESS); /* it is a physical device now */
    RtlFreeUnicodeString(&link);
    IoDeleteDevice(child);
    IoDeleteDevice(bus);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

/* ---- what hangs on a driver object ---- */

static int   reinitialized;
static ULONG last_count;
static VOID  again(PDRIVER_OBJECT driver, PVOID context, ULONG count)
{
    reinitialized++;
    last_count = count;
    if (context != NULL)
        IoRegisterDriverReinitialization(driver, again, NULL);
}
static NTSTATUS entry_with_more(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PVOID extension;
    (void)path;
    driver->DriverUnload = unload;
    IoRegisterDriverReinitialization(driver, again, driver);
    return IoAllocateDriverObjectExtension(driver, (PVOID)entry_with_more, 100, &extension);
}
static void extensions_and_routines_for_later(void **state)
{
    PVOID extension;
    (void)state;
    reinitialized = 0;
    PDRIVER_OBJECT driver = ntmm_driver_load(entry_with_more);
    assert_true(driver != NULL && reinitialized == 1 && last_count == 1);
    assert_non_null(IoGetDriverObjectExtension(driver, (PVOID)entry_with_more));
    assert_null(IoGetDriverObjectExtension(driver, &extension));
    assert_int_equal(IoAllocateDriverObjectExtension(driver, (PVOID)entry_with_more, 1, &extension), STATUS_OBJECT_NAME_COLLISION);
    PDRIVER_OBJECT second = ntmm_driver_load(DriverEntry);
    assert_true(reinitialized == 2 && last_count == 2);
    assert_int_equal(ObReferenceObjectByPointer(driver, 0, *IoDriverObjectType, KernelMode), STATUS_SUCCESS);
    assert_int_equal(ntmm_driver_unload(driver), 0);
    assert_int_equal(driver->Type, 4); /* somebody refers to it */
    ObDereferenceObject(driver);
    assert_int_equal(ntmm_driver_unload(second), 0);
}

static int      shutdowns;
static NTSTATUS shut(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    shutdowns++;
    return complete(irp, STATUS_SUCCESS);
}
static void told_of_the_shutdown(void **state)
{
    PDEVICE_OBJECT device;
    (void)state;
    shutdowns = 0;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    driver->MajorFunction[IRP_MJ_SHUTDOWN] = shut;
    assert_int_equal(IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device), STATUS_SUCCESS);
    assert_int_equal(IoRegisterShutdownNotification(device), STATUS_SUCCESS);
    IoUnregisterShutdownNotification(device);
    assert_int_equal(ntmm_system_shutdown(), 0);
    assert_int_equal(IoRegisterLastChanceShutdownNotification(device), STATUS_SUCCESS);
    assert_int_equal(ntmm_system_shutdown(), 1);
    assert_int_equal(shutdowns, 1);
    IoDeleteDevice(device);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

/* ---- properties by key ---- */

#define GERMAN 0x0407

static NTSTATUS get_number(PDEVICE_OBJECT device, const DEVPROPKEY *key, LCID locale, uint32_t *value)
{
    DEVPROPTYPE type = 99;
    ULONG       bytes = 99;
    NTSTATUS    status = IoGetDevicePropertyData(device, key, locale, 0, sizeof *value, value, &bytes, &type);
    assert_int_equal(bytes, NT_SUCCESS(status) ? sizeof *value : 0);
    assert_int_equal(type, NT_SUCCESS(status) ? DEVPROP_TYPE_UINT32 : 99);
    return status;
}
static NTSTATUS set_number(PDEVICE_OBJECT device, const DEVPROPKEY *key, LCID locale, uint32_t value)
{
    return IoSetDevicePropertyData(device, key, locale, PLUGPLAY_PROPERTY_PERSISTENT, DEVPROP_TYPE_UINT32, sizeof value, &value);
}

static void properties_by_key(void **state)
{
    uint32_t    value;
    ULONG       bytes;
    DEVPROPTYPE type;
    (void)state;
    ntmm_device   *one = ntmm_device_create(NULL), *two = ntmm_device_create(NULL);
    PDEVICE_OBJECT device = ntmm_device_object(one), other = ntmm_device_object(two);
    assert_int_equal(get_number(device, &key_one, LOCALE_NEUTRAL, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(set_number(device, &key_one, LOCALE_NEUTRAL, 1), STATUS_SUCCESS);
    assert_int_equal(set_number(device, &key_two, LOCALE_NEUTRAL, 2), STATUS_SUCCESS);
    assert_int_equal(set_number(device, &key_one, GERMAN, 3), STATUS_SUCCESS);
    assert_int_equal(set_number(other, &key_one, LOCALE_NEUTRAL, 4), STATUS_SUCCESS);
    assert_int_equal(set_number(device, &key_one, LOCALE_NEUTRAL, 5), STATUS_SUCCESS); /* in the place of 1 */
    assert_true(NT_SUCCESS(get_number(device, &key_one, LOCALE_NEUTRAL, &value)) && value == 5);
    assert_true(NT_SUCCESS(get_number(device, &key_two, LOCALE_NEUTRAL, &value)) && value == 2);
    assert_true(NT_SUCCESS(get_number(device, &key_one, GERMAN, &value)) && value == 3);
    assert_true(NT_SUCCESS(get_number(other, &key_one, LOCALE_NEUTRAL, &value)) && value == 4);
    assert_int_equal(IoGetDevicePropertyData(device, &key_one, LOCALE_NEUTRAL, 0, 3, &value, &bytes, &type), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bytes, 4);
    assert_int_equal(IoSetDevicePropertyData(device, &key_one, LOCALE_NEUTRAL, 0, DEVPROP_TYPE_EMPTY, 0, NULL), STATUS_SUCCESS);
    assert_int_equal(get_number(device, &key_one, LOCALE_NEUTRAL, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(get_number(device, &key_one, GERMAN, &value), STATUS_SUCCESS);
    assert_int_equal(IoSetDevicePropertyData(device, &key_one, LOCALE_NEUTRAL, 0, 0, 0, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(set_number(device, &key_one, 0x0400, 1), STATUS_UNSUCCESSFUL);
    assert_int_equal(set_number(device, &key_one, 0x0800, 1), STATUS_UNSUCCESSFUL);
    assert_int_equal(IoSetDevicePropertyData(device, &key_one, 0, 2, DEVPROP_TYPE_UINT32, 4, &value), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoSetDevicePropertyData(device, &key_one, 0, 0, MAX_DEVPROP_TYPE + 1, 4, &value), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoSetDevicePropertyData(device, &key_one, 0, 0, DEVPROP_TYPE_BYTE | 0x3000, 4, &value), STATUS_INVALID_PARAMETER);
    at_irql(APC_LEVEL, assert_int_equal(get_number(device, &key_two, LOCALE_NEUTRAL, &value), STATUS_SUCCESS));
    ntmm_device_destroy(one);
    assert_true(NT_SUCCESS(get_number(other, &key_one, LOCALE_NEUTRAL, &value)) && value == 4);
    ntmm_device_destroy(two);
    one = ntmm_device_create(NULL); /* what was set went with its device */
    assert_int_equal(get_number(ntmm_device_object(one), &key_two, LOCALE_NEUTRAL, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    ntmm_device_destroy(one);
}

static void properties_by_key_of_others(void **state)
{
    DEVICE_OBJECT none = { .Type = IO_TYPE_DEVICE };
    uint32_t      value = 0;
    (void)state;
    assert_bugcheck(PNP_DETECTED_FATAL_ERROR, 2, set_number(&none, &key_one, LOCALE_NEUTRAL, 1));
    ntmm_cmocka_reboot();
    assert_bugcheck(PNP_DETECTED_FATAL_ERROR, 2, get_number(&none, &key_one, LOCALE_NEUTRAL, &value));
    ntmm_cmocka_reboot();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL, set_number(&none, &key_one, LOCALE_NEUTRAL, 1)));
    ntmm_cmocka_reboot();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL, get_number(&none, &key_one, LOCALE_NEUTRAL, &value)));
}

static void properties_by_key_without_memory(void **state)
{
    uint32_t value = 0;
    (void)state;
    ntmm_device   *one = ntmm_device_create(NULL);
    PDEVICE_OBJECT device = ntmm_device_object(one);
    assert_int_equal(set_number(device, &key_one, LOCALE_NEUTRAL, 1), STATUS_SUCCESS);
    ntmm_fail_allocation(1);
    assert_int_equal(set_number(device, &key_one, LOCALE_NEUTRAL, 2), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(1);
    assert_int_equal(get_number(device, &key_one, LOCALE_NEUTRAL, &value), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    assert_true(NT_SUCCESS(get_number(device, &key_one, LOCALE_NEUTRAL, &value)) && value == 1);
    ntmm_device_destroy(one);
}

static void properties_of_interfaces(void **state)
{
    UNICODE_STRING first, second, unknown;
    WCHAR          text[4];
    ULONG          bytes;
    DEVPROPTYPE    type;
    (void)state;
    ntmm_device   *one = ntmm_device_create(NULL);
    PDEVICE_OBJECT device = ntmm_device_object(one);
    RtlInitUnicodeString(&unknown, L"\\??\\nobody");
    assert_int_equal(IoRegisterDeviceInterface(device, &class_one, NULL, &first), STATUS_SUCCESS);
    assert_int_equal(IoRegisterDeviceInterface(device, &class_two, NULL, &second), STATUS_SUCCESS);
    assert_int_equal(IoSetDeviceInterfacePropertyData(&first, &key_one, 0, 0, DEVPROP_TYPE_STRING, 6, (PVOID)L"ab"), STATUS_SUCCESS);
    assert_int_equal(IoGetDeviceInterfacePropertyData(&first, &key_one, 0, 0, sizeof text, text, &bytes, &type), STATUS_SUCCESS);
    assert_true(bytes == 6 && type == DEVPROP_TYPE_STRING && text[0] == 'a' && text[2] == 0);
    assert_int_equal(IoGetDeviceInterfacePropertyData(&second, &key_one, 0, 0, sizeof text, text, &bytes, &type),
                     STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoGetDeviceInterfacePropertyData(&unknown, &key_one, 0, 0, sizeof text, text, &bytes, &type),
                     STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoSetDeviceInterfacePropertyData(&unknown, &key_one, 0, 0, DEVPROP_TYPE_STRING, 6, text),
                     STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoSetDeviceInterfacePropertyData(&first, &key_one, 0x0400, 0, DEVPROP_TYPE_STRING, 6, text), STATUS_UNSUCCESSFUL);
    RtlFreeUnicodeString(&first);
    RtlFreeUnicodeString(&second);
    ntmm_device_destroy(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(started_and_removed),
        ntmm_cmocka_test(surprise_removed),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(answers_of_the_bus),
        ntmm_cmocka_test(physical_devices_are_objects),
        ntmm_cmocka_test(properties),
        ntmm_cmocka_test(properties_by_key),
        ntmm_cmocka_test(properties_by_key_of_others),
        ntmm_cmocka_test(properties_by_key_without_memory),
        ntmm_cmocka_test(properties_of_interfaces),
        ntmm_cmocka_test(interfaces_come_and_go),
        ntmm_cmocka_test(reference_strings_and_aliases),
        ntmm_cmocka_test(target_device_notifications),
        ntmm_cmocka_test(unregistered_from_the_callback),
        ntmm_cmocka_test(invalidated),
        ntmm_cmocka_test(children_of_a_bus_driver),
        ntmm_cmocka_test(extensions_and_routines_for_later),
        ntmm_cmocka_test(told_of_the_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
