/*
 * toy_bus.c - a bus driver and a function driver as one writes them for Windows; see toy_bus.h.
 */
#include "toy_bus.h"

#include <initguid.h>
#include <ntstrsafe.h>

LONG ToyReferences;

DEFINE_GUID(GUID_TOY_INTERFACE, 0x5d3a1c44, 0x7b1e, 0x4a6e, 0x9c, 0x1d, 0x0f, 0x2b, 0x3c, 0x4d, 0x5e, 0x6f);
DEFINE_GUID(GUID_TOY_BUS, 0x5d3a1c45, 0x7b1e, 0x4a6e, 0x9c, 0x1d, 0x0f, 0x2b, 0x3c, 0x4d, 0x5e, 0x6f);

/* ---- the bus ---- */

typedef struct TOY_DESCRIPTION {
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER Header;
    ULONG                                       Serial;
} TOY_DESCRIPTION;

typedef struct TOY_PDO {
    ULONG Serial;
} TOY_PDO;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(TOY_PDO, ToyPdo)

static EVT_WDF_DRIVER_DEVICE_ADD          BusDeviceAdd;
static EVT_WDF_CHILD_LIST_CREATE_DEVICE   BusCreateChild;
static EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL PdoControl;

static ULONG PdoSerial(PVOID context) { return ToyPdo((WDFDEVICE)context)->Serial; }
static VOID  PdoReference(PVOID context)
{
    WdfObjectReference(context);
    InterlockedIncrement(&ToyReferences);
}
static VOID PdoDereference(PVOID context)
{
    InterlockedDecrement(&ToyReferences);
    WdfObjectDereference(context);
}

static VOID PdoControl(WDFQUEUE queue, WDFREQUEST request, size_t outputLength, size_t inputLength, ULONG code)
{
    PULONG   output;
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    UNREFERENCED_PARAMETER(outputLength);
    UNREFERENCED_PARAMETER(inputLength);
    if (code == IOCTL_TOY_SERIAL)
        status = WdfRequestRetrieveOutputBuffer(request, sizeof *output, (PVOID *)&output, NULL);
    if (NT_SUCCESS(status))
        *output = ToyPdo(WdfIoQueueGetDevice(queue))->Serial;
    WdfRequestCompleteWithInformation(request, status, NT_SUCCESS(status) ? sizeof *output : 0);
}

static NTSTATUS PdoNames(PWDFDEVICE_INIT init, ULONG serial)
{
    DECLARE_CONST_UNICODE_STRING(id, L"TOY\\Duck");
    DECLARE_CONST_UNICODE_STRING(description, L"Toy duck");
    DECLARE_CONST_UNICODE_STRING(location, L"In the tub");
    DECLARE_UNICODE_STRING_SIZE(instance, 16);
    NTSTATUS status = RtlUnicodeStringPrintf(&instance, L"%02u", serial);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAssignInstanceID(init, &instance);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAssignDeviceID(init, &id);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAddHardwareID(init, &id);
    if (NT_SUCCESS(status))
        status = WdfPdoInitAddDeviceText(init, &description, &location, 0x409);
    WdfPdoInitSetDefaultLocale(init, 0x409);
    return status;
}

static NTSTATUS PdoInterface(WDFDEVICE pdo)
{
    TOY_INTERFACE              toy = { .Serial = PdoSerial };
    WDF_QUERY_INTERFACE_CONFIG config;
    toy.Header.Size = sizeof toy;
    toy.Header.Version = 1;
    toy.Header.Context = pdo;
    toy.Header.InterfaceReference = PdoReference;
    toy.Header.InterfaceDereference = PdoDereference;
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, &toy.Header, &GUID_TOY_INTERFACE, NULL);
    return WdfDeviceAddQueryInterface(pdo, &config);
}

static NTSTATUS PdoQueue(WDFDEVICE pdo)
{
    WDF_IO_QUEUE_CONFIG queue;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchParallel);
    queue.EvtIoDeviceControl = PdoControl;
    return WdfIoQueueCreate(pdo, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

static NTSTATUS BusCreateChild(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER description, PWDFDEVICE_INIT init)
{
    const TOY_DESCRIPTION      *toy = CONTAINING_RECORD(description, TOY_DESCRIPTION, Header);
    WDF_OBJECT_ATTRIBUTES       attributes;
    WDF_DEVICE_PNP_CAPABILITIES capabilities;
    WDFDEVICE                   pdo;
    UNREFERENCED_PARAMETER(list);
    NTSTATUS status = PdoNames(init, toy->Serial);
    if (!NT_SUCCESS(status))
        return status;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, TOY_PDO);
    status = WdfDeviceCreate(&init, &attributes, &pdo);
    if (!NT_SUCCESS(status))
        return status;
    ToyPdo(pdo)->Serial = toy->Serial;
    WDF_DEVICE_PNP_CAPABILITIES_INIT(&capabilities);
    capabilities.Removable = capabilities.SurpriseRemovalOK = WdfTrue;
    capabilities.Address = toy->Serial;
    WdfDeviceSetPnpCapabilities(pdo, &capabilities);
    status = PdoQueue(pdo);
    return NT_SUCCESS(status) ? PdoInterface(pdo) : status;
}

static NTSTATUS BusDeviceAdd(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    WDF_CHILD_LIST_CONFIG config;
    PNP_BUS_INFORMATION   information = { .BusTypeGuid = GUID_TOY_BUS, .LegacyBusType = PNPBus };
    WDFDEVICE             bus;
    UNREFERENCED_PARAMETER(driver);
    WdfDeviceInitSetDeviceType(init, FILE_DEVICE_BUS_EXTENDER);
    WDF_CHILD_LIST_CONFIG_INIT(&config, sizeof(TOY_DESCRIPTION), BusCreateChild);
    WdfFdoInitSetDefaultChildListConfig(init, &config, WDF_NO_OBJECT_ATTRIBUTES);
    NTSTATUS status = WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &bus);
    if (NT_SUCCESS(status))
        WdfDeviceSetBusInformationForChildren(bus, &information);
    return status;
}

NTSTATUS ToyBusEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, BusDeviceAdd);
    return WdfDriverCreate(driver, path, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

NTSTATUS ToyPlugIn(PDEVICE_OBJECT bus, ULONG serial)
{
    TOY_DESCRIPTION description;
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER_INIT(&description.Header, sizeof description);
    description.Serial = serial;
    return WdfChildListAddOrUpdateChildDescriptionAsPresent(WdfFdoGetDefaultChildList(WdfWdmDeviceGetWdfDeviceHandle(bus)),
                                                            &description.Header, NULL);
}

NTSTATUS ToyUnplug(PDEVICE_OBJECT bus, ULONG serial)
{
    TOY_DESCRIPTION description;
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER_INIT(&description.Header, sizeof description);
    description.Serial = serial;
    return WdfChildListUpdateChildDescriptionAsMissing(WdfFdoGetDefaultChildList(WdfWdmDeviceGetWdfDeviceHandle(bus)), &description.Header);
}

/* ---- the function driver ---- */

typedef struct TOY_FDO {
    TOY_INTERFACE Toy; /* Size 0: it has none */
} TOY_FDO;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(TOY_FDO, ToyFdo)

static EVT_WDF_DRIVER_DEVICE_ADD       FunctionDeviceAdd;
static EVT_WDF_DEVICE_PREPARE_HARDWARE FunctionPrepare;
static EVT_WDF_DEVICE_RELEASE_HARDWARE FunctionRelease;
static EVT_WDF_IO_QUEUE_IO_READ        FunctionRead;

static NTSTATUS FunctionPrepare(WDFDEVICE device, WDFCMRESLIST raw, WDFCMRESLIST translated)
{
    TOY_FDO *fdo = ToyFdo(device);
    UNREFERENCED_PARAMETER(raw);
    UNREFERENCED_PARAMETER(translated);
    return WdfFdoQueryForInterface(device, &GUID_TOY_INTERFACE, &fdo->Toy.Header, sizeof fdo->Toy, 1, NULL);
}

static NTSTATUS FunctionRelease(WDFDEVICE device, WDFCMRESLIST translated)
{
    TOY_FDO *fdo = ToyFdo(device);
    UNREFERENCED_PARAMETER(translated);
    if (fdo->Toy.Header.Size != 0)
        fdo->Toy.Header.InterfaceDereference(fdo->Toy.Header.Context);
    fdo->Toy.Header.Size = 0;
    return STATUS_SUCCESS;
}

static VOID FunctionRead(WDFQUEUE queue, WDFREQUEST request, size_t length)
{
    TOY_FDO *fdo = ToyFdo(WdfIoQueueGetDevice(queue));
    PULONG   output;
    UNREFERENCED_PARAMETER(length);
    NTSTATUS status = WdfRequestRetrieveOutputBuffer(request, sizeof *output, (PVOID *)&output, NULL);
    if (NT_SUCCESS(status))
        *output = fdo->Toy.Serial(fdo->Toy.Header.Context);
    WdfRequestCompleteWithInformation(request, status, NT_SUCCESS(status) ? sizeof *output : 0);
}

static NTSTATUS FunctionDeviceAdd(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES        attributes;
    WDF_IO_QUEUE_CONFIG          queue;
    WDFDEVICE                    device;
    UNREFERENCED_PARAMETER(driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = FunctionPrepare;
    callbacks.EvtDeviceReleaseHardware = FunctionRelease;
    WdfDeviceInitSetPnpPowerEventCallbacks(init, &callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, TOY_FDO);
    NTSTATUS status = WdfDeviceCreate(&init, &attributes, &device);
    if (!NT_SUCCESS(status))
        return status;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoRead = FunctionRead;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

NTSTATUS ToyFunctionEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, FunctionDeviceAdd);
    return WdfDriverCreate(driver, path, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
