/*
 * test_wdf_query_interface.c - interfaces between drivers: offered by a device, asked for by IRP_MN_QUERY_INTERFACE, counted, imported, answered by the
 * parent's stack.
 */
#include "../support/wdf_bus.h"

#include <wdfcontrol.h>
#include <wdfqueryinterface.h>

static const GUID first_guid = { 0x11111111, 0x2222, 0x3333, { 1, 2, 3, 4, 5, 6, 7, 8 } };
static const GUID other_guid = { 0x21111111, 0x2222, 0x3333, { 1, 2, 3, 4, 5, 6, 7, 8 } };

typedef struct thing_interface {
    INTERFACE header;
    ULONG     value;
    ULONG (*twice)(PVOID context, ULONG value);
} thing_interface_t;

static LONG     references;
static unsigned processed;
static NTSTATUS process_status;
static PVOID    seen_data;

static VOID  reference(PVOID context) { ++*(LONG *)context; }
static VOID  dereference(PVOID context) { --*(LONG *)context; }
static ULONG twice(PVOID context, ULONG value) { return context == &references ? 2 * value : 0; }

static thing_interface_t offered(void)
{
    return (thing_interface_t){ .header = { .Size = sizeof(thing_interface_t),
                                            .Version = 2,
                                            .Context = &references,
                                            .InterfaceReference = reference,
                                            .InterfaceDereference = dereference },
                                .value = 5,
                                .twice = twice };
}

static NTSTATUS process(WDFDEVICE device, LPGUID type, PINTERFACE interface, PVOID data)
{
    (void)device;
    assert_irql(PASSIVE_LEVEL);
    assert_memory_equal(type, &first_guid, sizeof first_guid);
    processed++;
    seen_data = data;
    ((thing_interface_t *)interface)->value++;
    return process_status;
}

static NTSTATUS offer(WDFDEVICE device, thing_interface_t *interface, PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST callback)
{
    WDF_QUERY_INTERFACE_CONFIG config;
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, interface != NULL ? &interface->header : NULL, &first_guid, callback);
    return WdfDeviceAddQueryInterface(device, &config);
}

static NTSTATUS ask(PDEVICE_OBJECT device, const GUID *type, USHORT size, USHORT version, thing_interface_t *interface)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_INTERFACE };
    location.Parameters.QueryInterface.InterfaceType = type;
    location.Parameters.QueryInterface.Size = size;
    location.Parameters.QueryInterface.Version = version;
    location.Parameters.QueryInterface.Interface = &interface->header;
    location.Parameters.QueryInterface.InterfaceSpecificData = &processed;
    return ntmm_pnp_request(device, &location, NULL);
}

static WDFDEVICE child;

static PDEVICE_OBJECT report_child(void)
{
    PDEVICE_OBJECT  object;
    PWDFDEVICE_INIT init = WdfPdoInitAllocate(wdf_test_device);
    assert_non_null(init);
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &child), STATUS_SUCCESS);
    assert_int_equal(WdfFdoAddStaticChild(wdf_test_device, child), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(&object), 1);
    return object;
}

/* ---- handed out ---- */

static void is_handed_out_by_a_pdo(void **state)
{
    thing_interface_t mine = offered(), got = { .value = 0 };
    (void)state;
    PDEVICE_OBJECT object = report_child();
    assert_int_equal(offer(child, &mine, NULL), STATUS_SUCCESS);
    mine.value = 0; /* it has been copied */
    assert_int_equal(ask(object, &other_guid, sizeof got, 2, &got), STATUS_NOT_SUPPORTED);
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_SUCCESS);
    assert_int_equal(got.value, 5);
    assert_int_equal(references, 1);
    assert_int_equal(got.twice(got.header.Context, 21), 42);
    got.header.InterfaceDereference(got.header.Context);
    assert_int_equal(references, 0);
}

static void size_and_version_are_the_least(void **state)
{
    thing_interface_t mine = offered(), got[2];
    (void)state;
    PDEVICE_OBJECT object = report_child();
    assert_int_equal(offer(child, &mine, NULL), STATUS_SUCCESS);
    assert_int_equal(ask(object, &first_guid, sizeof mine - 1, 2, got), STATUS_INVALID_BUFFER_SIZE);
    assert_int_equal(ask(object, &first_guid, sizeof mine, 1, got), STATUS_INVALID_BUFFER_SIZE);
    assert_int_equal(references, 0);
    assert_int_equal(ask(object, &first_guid, sizeof got, 3, got), STATUS_SUCCESS);
    assert_int_equal(references, 1);
}

static void the_driver_sees_it_first(void **state)
{
    thing_interface_t mine = offered(), got = { .value = 0 };
    (void)state;
    PDEVICE_OBJECT object = report_child();
    assert_int_equal(offer(child, &mine, process), STATUS_SUCCESS);
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_SUCCESS);
    assert_int_equal(got.value, 6);
    assert_ptr_equal(seen_data, &processed);
    process_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_DEVICE_NOT_READY);
    assert_int_equal(processed, 2);
    assert_int_equal(references, 1); /* not for the one that was refused */
}

static void nobody_need_count(void **state)
{
    thing_interface_t mine = offered(), got = { .value = 0 };
    (void)state;
    PDEVICE_OBJECT object = report_child();
    mine.header.InterfaceReference = mine.header.InterfaceDereference = NULL;
    assert_int_equal(offer(child, &mine, NULL), STATUS_SUCCESS);
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_SUCCESS);
    got.header.InterfaceReference(got.header.Context);
    got.header.InterfaceDereference(got.header.Context);
    WdfDeviceInterfaceReferenceNoOp(got.header.Context);
    WdfDeviceInterfaceDereferenceNoOp(got.header.Context);
    assert_int_equal(references, 0);
}

/* ImportInterface: what is in the buffer is for the driver to read, and to answer. */
static NTSTATUS import(WDFDEVICE device, LPGUID type, PINTERFACE interface, PVOID data)
{
    (void)device, (void)type, (void)data;
    thing_interface_t *theirs = (thing_interface_t *)interface;
    theirs->value = theirs->twice(&references, theirs->value);
    return STATUS_SUCCESS;
}

static void may_be_imported(void **state)
{
    WDF_QUERY_INTERFACE_CONFIG config;
    thing_interface_t          mine = offered(), got = offered();
    (void)state;
    PDEVICE_OBJECT object = report_child();
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, &mine.header, &first_guid, import);
    config.ImportInterface = TRUE;
    assert_int_equal(WdfDeviceAddQueryInterface(child, &config), STATUS_SUCCESS);
    got.value = 8;
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_SUCCESS);
    assert_int_equal(got.value, 16);
    assert_int_equal(references, 1);
    got.header.InterfaceReference = NULL; /* it may say nothing of that */
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_SUCCESS);
}

/* ---- other devices' ---- */

static void a_function_driver_asks_its_stack(void **state)
{
    thing_interface_t mine = offered(), got = { .value = 0 };
    (void)state;
    (void)report_child();
    assert_int_equal(offer(wdf_test_device, &mine, process), STATUS_SUCCESS);
    assert_int_equal(WdfFdoQueryForInterface(wdf_test_device, &other_guid, &got.header, sizeof got, 2, NULL), STATUS_NOT_SUPPORTED);
    assert_int_equal(WdfFdoQueryForInterface(wdf_test_device, &first_guid, &got.header, sizeof got, 2, &mine), STATUS_SUCCESS);
    assert_int_equal(got.value, 6);
    assert_ptr_equal(seen_data, &mine);
    assert_int_equal(WdfFdoQueryForInterface(child, &first_guid, &got.header, sizeof got, 2, NULL), STATUS_INVALID_PARAMETER);
}

static void not_supported_leaves_it_to_those_below(void **state)
{
    thing_interface_t mine = offered(), got = { .value = 0 };
    (void)state;
    assert_int_equal(offer(wdf_test_device, &mine, process), STATUS_SUCCESS);
    process_status = STATUS_NOT_SUPPORTED;
    assert_int_equal(ask(wdf_test_object(), &first_guid, sizeof got, 2, &got), STATUS_NOT_SUPPORTED); /* the bus knows it neither */
    assert_int_equal(processed, 1);
}

static void the_parents_stack_may_answer(void **state)
{
    WDF_QUERY_INTERFACE_CONFIG config;
    thing_interface_t          mine = offered(), got = { .value = 0 };
    (void)state;
    PDEVICE_OBJECT object = report_child();
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, NULL, &first_guid, NULL);
    config.SendQueryToParentStack = TRUE;
    assert_int_equal(WdfDeviceAddQueryInterface(wdf_test_device, &config), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceAddQueryInterface(child, &config), STATUS_SUCCESS);
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_NOT_SUPPORTED);
    assert_int_equal(offer(wdf_test_device, &mine, NULL), STATUS_SUCCESS);
    assert_int_equal(ask(object, &first_guid, sizeof got, 2, &got), STATUS_SUCCESS);
    assert_int_equal(got.value, 5);
    assert_int_equal(references, 1);
}

/* ---- refused ---- */

static void refuses_what_makes_no_sense(void **state)
{
    WDF_QUERY_INTERFACE_CONFIG config;
    thing_interface_t          mine = offered();
    WDFDEVICE                  control;
    (void)state;
    assert_int_equal(offer(wdf_test_device, NULL, process), STATUS_INVALID_PARAMETER);
    mine.header.Size = sizeof(INTERFACE) - 1;
    assert_int_equal(offer(wdf_test_device, &mine, NULL), STATUS_INVALID_PARAMETER);
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, NULL, &first_guid, NULL);
    config.ImportInterface = TRUE;
    assert_int_equal(WdfDeviceAddQueryInterface(wdf_test_device, &config), STATUS_INVALID_PARAMETER);
    config.Size--;
    assert_int_equal(WdfDeviceAddQueryInterface(wdf_test_device, &config), STATUS_INFO_LENGTH_MISMATCH);
    PWDFDEVICE_INIT init = WdfControlDeviceInitAllocate(WdfGetDriver(), &SDDL_DEVOBJ_SYS_ALL_ADM_ALL);
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &control), STATUS_SUCCESS);
    mine = offered();
    assert_int_equal(offer(control, &mine, NULL), STATUS_INVALID_DEVICE_REQUEST);
    WdfObjectDelete(control);
}

static void asks_for_passive_level(void **state)
{
    thing_interface_t mine = offered();
    KIRQL             irql;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, offer(wdf_test_device, &mine, NULL));
}

static void needs_a_type(void **state)
{
    WDF_QUERY_INTERFACE_CONFIG config;
    (void)state;
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, NULL, NULL, process);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfDeviceAddQueryInterface(wdf_test_device, &config));
}

static void one_offer(void *context)
{
    thing_interface_t mine = offered(), got = { .value = 0 };
    (void)context;
    if (NT_SUCCESS(offer(wdf_test_device, &mine, NULL)))
        (void)WdfFdoQueryForInterface(wdf_test_device, &first_guid, &got.header, sizeof got, 2, NULL);
}

static void survives_every_failure(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(one_offer, NULL), 3); /* the offer, the IRP, and none */
}

/* ---- main ---- */

static int setup(void **state)
{
    references = 0;
    processed = 0;
    process_status = STATUS_SUCCESS;
    return wdf_device_setup(state);
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(is_handed_out_by_a_pdo),
        row(size_and_version_are_the_least),
        row(the_driver_sees_it_first),
        row(nobody_need_count),
        row(may_be_imported),
        row(a_function_driver_asks_its_stack),
        row(not_supported_leaves_it_to_those_below),
        row(the_parents_stack_may_answer),
        row(refuses_what_makes_no_sense),
        row(asks_for_passive_level),
        row(needs_a_type),
        row(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
