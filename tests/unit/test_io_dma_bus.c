/*
 * test_io_dma_bus.c - DMA adapters of a bus driver's own: who is asked by IoGetDmaAdapter, what an answer is worth, and the interface that
 * physical devices of ntmm's have.
 */
#include "../support/wdf_dma.h"

#include <initguid.h>
#include <wdmguid.h>

/* ---- a bus driver, and its one child ---- */

typedef enum answer {
    NOT_AT_ALL,      /* it has no such interface */
    FROM_THE_PARENT, /* an adapter of the bus' own device */
    OF_ITS_OWN,      /* one that it has made itself */
    NONE,            /* GetDmaAdapter returns NULL */
    WITHOUT_ADAPTERS /* an interface without GetDmaAdapter */
} answer_t;

static answer_t        answer;
static PDEVICE_OBJECT  below_bus, child, child_function;
static LONG            references;
static unsigned        asked, adapters_asked, function_asked, calls, puts;
static USHORT          version_asked;
static const ULONG_PTR TOKEN = 4711; /* what the child's interface has for a context */

static VOID reference(PVOID context)
{
    assert_true((ULONG_PTR)context == TOKEN);
    references++;
}
static VOID dereference(PVOID context)
{
    assert_true((ULONG_PTR)context == TOKEN);
    references--;
}

static VOID own_put(PDMA_ADAPTER adapter)
{
    (void)adapter;
    puts++;
}
static ULONG own_counter(PDMA_ADAPTER adapter)
{
    (void)adapter;
    calls++;
    return 77;
}
static ULONG own_alignment(PDMA_ADAPTER adapter)
{
    (void)adapter;
    calls++;
    return 512;
}
static DMA_OPERATIONS own_operations = { .Size = FIELD_OFFSET(DMA_OPERATIONS, CalculateScatterGatherList),
                                         .PutDmaAdapter = own_put,
                                         .ReadDmaCounter = own_counter,
                                         .GetDmaAlignment = own_alignment };
static DMA_ADAPTER    own_adapter = { 1, sizeof(DMA_ADAPTER), &own_operations };

static PDMA_ADAPTER get_adapter(PVOID context, PDEVICE_DESCRIPTION description, PULONG registers)
{
    assert_true((ULONG_PTR)context == TOKEN);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(references, 1);
    adapters_asked++;
    if (answer == FROM_THE_PARENT)
        return IoGetDmaAdapter(below_bus, description, registers);
    if (answer == NONE)
        return NULL;
    *registers = 3;
    return &own_adapter;
}

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS child_pnp(PIRP irp)
{
    PIO_STACK_LOCATION      location = IoGetCurrentIrpStackLocation(irp);
    PBUS_INTERFACE_STANDARD bus = (PBUS_INTERFACE_STANDARD)location->Parameters.QueryInterface.Interface;
    if (location->MinorFunction != IRP_MN_QUERY_INTERFACE)
        return complete(irp, STATUS_SUCCESS);
    assert_true(IsEqualGUID(location->Parameters.QueryInterface.InterfaceType, &GUID_BUS_INTERFACE_STANDARD));
    assert_int_equal(irp->IoStatus.Status, STATUS_NOT_SUPPORTED);
    assert_int_equal(location->Parameters.QueryInterface.Size, sizeof *bus);
    version_asked = location->Parameters.QueryInterface.Version;
    asked++;
    if (answer == NOT_AT_ALL)
        return complete(irp, irp->IoStatus.Status);
    *bus = (BUS_INTERFACE_STANDARD){ .Size = sizeof *bus,
                                     .Version = 1,
                                     .Context = (PVOID)TOKEN,
                                     .InterfaceReference = reference,
                                     .InterfaceDereference = dereference,
                                     .GetDmaAdapter = answer == WITHOUT_ADAPTERS ? NULL : get_adapter };
    bus->InterfaceReference(bus->Context);
    return complete(irp, STATUS_SUCCESS);
}

/* The child itself; the function driver above it, and whoever else passes on what is not his. */
static NTSTATUS dispatch_pnp(PDEVICE_OBJECT device, PIRP irp)
{
    if (device == child)
        return child_pnp(irp);
    function_asked += device == child_function && IoGetCurrentIrpStackLocation(irp)->MinorFunction == IRP_MN_QUERY_INTERFACE;
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(*(PDEVICE_OBJECT *)device->DeviceExtension, irp);
}
static VOID     unload(PDRIVER_OBJECT driver) { (void)driver; }
static NTSTATUS entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    driver->DriverUnload = unload;
    driver->MajorFunction[IRP_MJ_PNP] = dispatch_pnp;
    return STATUS_SUCCESS;
}

typedef struct rig {
    ntmm_device   *device; /* that the bus driver is for */
    PDRIVER_OBJECT driver;
    PDEVICE_OBJECT bus;
} rig_t;

static rig_t rig_start(answer_t how)
{
    const ntmm_device_config config = { .address_bits = 32, .scatter_gather = true, .map_registers = 5 };
    rig_t                    rig = { .device = ntmm_device_create(&config), .driver = ntmm_driver_load(entry) };
    answer = how;
    references = 0;
    asked = adapters_asked = function_asked = calls = puts = 0;
    below_bus = ntmm_device_object(rig.device);
    assert_int_equal(IoCreateDevice(rig.driver, sizeof(PVOID), NULL, FILE_DEVICE_BUS_EXTENDER, 0, FALSE, &rig.bus), STATUS_SUCCESS);
    *(PDEVICE_OBJECT *)rig.bus->DeviceExtension = IoAttachDeviceToDeviceStack(rig.bus, below_bus);
    assert_int_equal(IoCreateDevice(rig.driver, 0, NULL, FILE_DEVICE_UNKNOWN, FILE_AUTOGENERATED_DEVICE_NAME, FALSE, &child),
                     STATUS_SUCCESS);
    assert_int_equal(IoCreateDevice(rig.driver, sizeof(PVOID), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &child_function), STATUS_SUCCESS);
    child->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    *(PDEVICE_OBJECT *)child_function->DeviceExtension = IoAttachDeviceToDeviceStack(child_function, child);
    child_function->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return rig;
}
static void rig_stop(rig_t *rig)
{
    assert_int_equal(references, 0);
    IoDetachDevice(child);
    IoDeleteDevice(child_function);
    IoDeleteDevice(child);
    IoDetachDevice(below_bus);
    IoDeleteDevice(rig->bus);
    assert_int_equal(ntmm_driver_unload(rig->driver), 0);
    ntmm_device_destroy(rig->device);
    child = child_function = NULL;
}

/* ---- who gives the adapter ---- */

static void an_adapter_of_the_bus_own_device(void **state)
{
    ULONG              registers = 0;
    PHYSICAL_ADDRESS   logical;
    ULONG              word = 0, sent = 0x12345678;
    DEVICE_DESCRIPTION description = dma_description(2, 32, TRUE, 64 * PAGE_SIZE);
    (void)state;
    rig_t        rig = rig_start(FROM_THE_PARENT);
    PDMA_ADAPTER adapter = IoGetDmaAdapter(child, &description, &registers);
    assert_non_null(adapter);
    assert_true(asked == 1 && adapters_asked == 1 && version_asked == 1);
    assert_int_equal(function_asked, 1); /* from the top of the stack */
    assert_int_equal(registers, 5);      /* those of the device that the bus is */
    PULONG va = adapter->DmaOperations->AllocateCommonBuffer(adapter, sizeof word, &logical, TRUE);
    *va = sent;
    assert_int_equal(ntmm_device_read(rig.device, (uint64_t)logical.QuadPart, &word, sizeof word), 0);
    assert_int_equal(word, sent);
    adapter->DmaOperations->FreeCommonBuffer(adapter, sizeof word, logical, va, TRUE);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    rig_stop(&rig);
}

/* The exports of old go through its table as well. */
static void an_adapter_that_the_bus_has_made(void **state)
{
    ULONG              registers = 0;
    DEVICE_DESCRIPTION description = dma_description(1, 32, TRUE, 64 * PAGE_SIZE);
    (void)state;
    rig_t        rig = rig_start(OF_ITS_OWN);
    PDMA_ADAPTER adapter = IoGetDmaAdapter(child, &description, &registers);
    assert_ptr_equal(adapter, &own_adapter);
    assert_int_equal(registers, 3);
    assert_int_equal(adapter->DmaOperations->ReadDmaCounter(adapter), 77);
    assert_int_equal(IoReadDmaCounter(adapter), 77);
    assert_int_equal(HalReadDmaCounter(adapter), 77);
    assert_int_equal(HalGetDmaAlignment(adapter), 512);
    assert_int_equal(calls, 4);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    assert_int_equal(puts, 1);
    rig_stop(&rig);
}

static void no_answer_is_no_obstacle(void **state)
{
    (void)state;
    for (answer_t how = NOT_AT_ALL; how <= WITHOUT_ADAPTERS; how++) {
        ULONG              registers = 0;
        DEVICE_DESCRIPTION description = dma_description(1, 64, TRUE, 4 * PAGE_SIZE);
        if (how != NOT_AT_ALL && how != NONE && how != WITHOUT_ADAPTERS)
            continue;
        rig_t        rig = rig_start(how);
        PDMA_ADAPTER adapter = IoGetDmaAdapter(child, &description, &registers);
        assert_int_equal(asked, 1);
        assert_int_equal(adapters_asked, how == NONE);
        assert_int_equal(adapter != NULL, how != NONE); /* the bus' no is a no */
        if (adapter != NULL) {
            assert_int_equal(registers, 5); /* hal's: four pages, and one more */
            adapter->DmaOperations->PutDmaAdapter(adapter);
        }
        rig_stop(&rig);
    }
}

static void nobody_to_ask(void **state)
{
    ULONG              registers;
    DEVICE_DESCRIPTION description = dma_description(1, 64, TRUE, PAGE_SIZE);
    (void)state;
    rig_t        rig = rig_start(OF_ITS_OWN);
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &description, &registers);
    assert_non_null(adapter);
    assert_int_equal(asked, 0);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    PDMA_ADAPTER legacy = HalGetAdapter(&description, &registers);
    assert_non_null(legacy);
    assert_int_equal(asked, 0);
    legacy->DmaOperations->PutDmaAdapter(legacy);
    rig_stop(&rig);
}

static void only_at_passive_level(void **state)
{
    ULONG              registers;
    DEVICE_DESCRIPTION description = dma_description(1, 64, TRUE, PAGE_SIZE);
    (void)state;
    (void)rig_start(OF_ITS_OWN);
    dma_raise();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoGetDmaAdapter(child, &description, &registers));
    assert_int_equal(asked, 0);
}

static void get_adapter_or_nothing(void *context)
{
    ULONG              registers;
    DEVICE_DESCRIPTION description = dma_description(1, 32, TRUE, PAGE_SIZE);
    PDMA_ADAPTER       adapter;
    (void)context;
    adapter = IoGetDmaAdapter(child, &description, &registers);
    if (adapter != NULL)
        adapter->DmaOperations->PutDmaAdapter(adapter);
    assert_int_equal(references, 0);
}
static void without_memory(void **state)
{
    (void)state;
    rig_t rig = rig_start(FROM_THE_PARENT);
    assert_true(ntmm_for_each_failure(get_adapter_or_nothing, NULL) > 2);
    rig_stop(&rig);
}

/* ---- ntmm's own physical devices ---- */

static NTSTATUS query(PDEVICE_OBJECT device, USHORT version, PBUS_INTERFACE_STANDARD bus)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_INTERFACE };
    location.Parameters.QueryInterface.InterfaceType = &GUID_BUS_INTERFACE_STANDARD;
    location.Parameters.QueryInterface.Size = sizeof *bus;
    location.Parameters.QueryInterface.Version = version;
    location.Parameters.QueryInterface.Interface = (PINTERFACE)bus;
    memset(bus, 0, sizeof *bus);
    return ntmm_pnp_request(device, &location, NULL);
}

/* What IoGetDmaAdapter may not do, the interface may: an adapter at DISPATCH_LEVEL. Configuration space can be had in an interrupt routine. */
static void the_interface_of_a_pci_device(void **state)
{
    BUS_INTERFACE_STANDARD bus;
    KIRQL                  old;
    ULONG                  registers, id = 0;
    USHORT                 command = 0x0006;
    DEVICE_DESCRIPTION     description = dma_description(1, 64, TRUE, 2 * PAGE_SIZE);
    PHYSICAL_ADDRESS       at = { .QuadPart = 0xFEB00000 }, there;
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    assert_true(ntmm_device_place(device, 1, 4));
    assert_int_equal(ntmm_pci_add(1, 4, NULL, NULL), 0);
    memcpy(ntmm_pci_bytes(1, 4), "\x86\x80\x0e\x10", 4);
    assert_int_equal(query(physical, 0, &bus), STATUS_INVALID_PARAMETER);
    assert_int_equal(query(physical, 7, &bus), STATUS_SUCCESS); /* the closest that there is */
    assert_int_equal(bus.Version, 1);
    bus.InterfaceDereference(bus.Context);
    assert_int_equal(query(physical, 1, &bus), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    PDMA_ADAPTER adapter = bus.GetDmaAdapter(bus.Context, &description, &registers);
    assert_non_null(adapter);
    assert_int_equal(registers, 3);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    KeRaiseIrql(DISPATCH_LEVEL + 3, &old);
    assert_int_equal(bus.GetBusData(bus.Context, 0, &id, 0, 4), 4);
    assert_int_equal(id, 0x100E8086);
    assert_int_equal(bus.SetBusData(bus.Context, 0, &command, 4, 2), 2);
    assert_memory_equal((char *)ntmm_pci_bytes(1, 4) + 4, "\x06\x00", 2);
    assert_int_equal(bus.GetBusData(bus.Context, 0x52696350, &id, 0, 4), 0); /* PCI_WHICHSPACE_ROM: it has none */
    KeLowerIrql(PASSIVE_LEVEL);
    ULONG space = 0;
    assert_true(bus.TranslateBusAddress(bus.Context, at, PAGE_SIZE, &space, &there));
    assert_true(there.QuadPart == at.QuadPart && space == 0);
    bus.InterfaceDereference(bus.Context);
    assert_int_equal(ntmm_pci_remove(1, 4), 0);
    ntmm_device_destroy(device);
}

/* ---- by way of the framework ---- */

static void an_enabler_of_the_framework(void **state)
{
    (void)state;
    rig_t          rig = rig_start(FROM_THE_PARENT);
    PDRIVER_OBJECT driver = ntmm_driver_load(wdf_dma_driver_entry);
    assert_int_equal(driver->DriverExtension->AddDevice(driver, child), STATUS_SUCCESS);
    WDFDMAENABLER enabler = wdf_dma_enabler(wdf_dma_device, WdfDmaProfileScatterGather, 64 * PAGE_SIZE, 0, 0);
    assert_true(asked == 1 && adapters_asked == 1 && references == 0);
    assert_int_equal(WdfDmaEnablerGetFragmentLength(enabler, WdfDmaDirectionReadFromDevice), 4 * PAGE_SIZE); /* five registers */
    assert_int_equal(ntmm_driver_unload(driver), 0);
    rig_stop(&rig);
}

static void a_function_driver_of_the_framework_asks(void **state)
{
    BUS_INTERFACE_STANDARD bus;
    ULONG                  id = 0;
    (void)state;
    wdf_dma_t dma = wdf_dma_start_device(NULL);
    assert_true(ntmm_device_place(dma.device, 0, 9));
    assert_int_equal(ntmm_pci_add(0, 9, NULL, NULL), 0);
    memcpy(ntmm_pci_bytes(0, 9), "\x86\x80\x0e\x10", 4);
    assert_int_equal(WdfFdoQueryForInterface(dma.wdf, &GUID_BUS_INTERFACE_STANDARD, (PINTERFACE)&bus, sizeof bus, 1, NULL), STATUS_SUCCESS);
    assert_int_equal(bus.GetBusData(bus.Context, 0, &id, 0, 4), 4);
    assert_int_equal(id, 0x100E8086);
    bus.InterfaceDereference(bus.Context);
    assert_int_equal(ntmm_pci_remove(0, 9), 0);
    wdf_dma_stop(&dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(an_adapter_of_the_bus_own_device),
        ntmm_cmocka_test(an_adapter_that_the_bus_has_made),
        ntmm_cmocka_test(no_answer_is_no_obstacle),
        ntmm_cmocka_test(nobody_to_ask),
        ntmm_cmocka_test(only_at_passive_level),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(the_interface_of_a_pci_device),
        ntmm_cmocka_test(an_enabler_of_the_framework),
        ntmm_cmocka_test(a_function_driver_of_the_framework_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
