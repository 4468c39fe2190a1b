/*
 * test_wdf_child_list.c - dynamic children: described, scanned for, made into devices when the PnP manager asks, gone when they are missing.
 */
#include "../support/wdf_bus.h"

#include <pthread.h>

typedef struct thing_id {
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER header;
    ULONG                                       serial;
    ULONG                                      *counted; /* duplicates that are alive; a pointer that only its owner understands */
} thing_id_t;
typedef struct thing_address {
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER header;
    ULONG                                slot;
} thing_address_t;

static struct {
    WDF_CHILD_LIST_CONFIG config;
    bool                  has_callbacks;
    NTSTATUS              create_status, duplicate_status;
    bool                  creates_nothing, scans;
    unsigned              created, missing, scanned, compared, copied, cleaned;
    ULONG                 alive;
    ULONG                 seen[4]; /* who scans finds, up to the first 0 */
    WDFDEVICE             last;
} test;

static WDFCHILDLIST list_of_test(void) { return WdfFdoGetDefaultChildList(wdf_test_device); }

static thing_id_t id_of(ULONG serial)
{
    thing_id_t id;
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER_INIT(&id.header, sizeof id);
    id.serial = serial;
    return id;
}

static NTSTATUS add(ULONG serial, ULONG slot)
{
    thing_id_t      id = id_of(serial);
    thing_address_t address;
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(&address.header, sizeof address);
    address.slot = slot;
    return WdfChildListAddOrUpdateChildDescriptionAsPresent(list_of_test(), &id.header, &address.header);
}

static NTSTATUS miss(ULONG serial)
{
    thing_id_t id = id_of(serial);
    return WdfChildListUpdateChildDescriptionAsMissing(list_of_test(), &id.header);
}

static WDFDEVICE pdo_of(ULONG serial, WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS *status)
{
    thing_id_t              id = id_of(serial);
    WDF_CHILD_RETRIEVE_INFO info;
    WDF_CHILD_RETRIEVE_INFO_INIT(&info, &id.header);
    WDFDEVICE device = WdfChildListRetrievePdo(list_of_test(), &info);
    if (status != NULL)
        *status = info.Status;
    return device;
}

static ULONG slot_of(ULONG serial)
{
    thing_id_t      id = id_of(serial);
    thing_address_t address;
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(&address.header, sizeof address);
    NTSTATUS status = WdfChildListRetrieveAddressDescription(list_of_test(), &id.header, &address.header);
    return status == STATUS_SUCCESS ? address.slot : status == STATUS_NO_SUCH_DEVICE ? 0 : (ULONG)status;
}

/* ---- the driver ---- */

static VOID on_missing(WDFDEVICE device)
{
    (void)device;
    test.missing++;
}

static NTSTATUS create_child(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id, PWDFDEVICE_INIT init)
{
    WDF_PDO_EVENT_CALLBACKS callbacks;
    assert_irql(PASSIVE_LEVEL);
    assert_int_equal(id->IdentificationDescriptionSize, test.config.IdentificationDescriptionSize);
    assert_non_null(WdfChildListGetDevice(list));
    WDF_PDO_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceReportedMissing = on_missing;
    WdfPdoInitSetEventCallbacks(init, &callbacks);
    if (test.creates_nothing)
        return test.create_status;
    NTSTATUS status = WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &test.last);
    if (!NT_SUCCESS(status))
        return status;
    test.created++;
    return test.create_status;
}

static VOID scan(WDFCHILDLIST list)
{
    assert_irql(PASSIVE_LEVEL);
    test.scanned++;
    if (!test.scans)
        return;
    WdfChildListBeginScan(list);
    for (unsigned i = 0; i < RTL_NUMBER_OF(test.seen) && test.seen[i] != 0; i++)
        (void)add(test.seen[i], 1);
    WdfChildListEndScan(list);
}

static BOOLEAN compare(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER one,
                       PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER two)
{
    assert_irql(DISPATCH_LEVEL);
    assert_ptr_equal(list, list_of_test());
    test.compared++;
    return ((thing_id_t *)one)->serial == ((thing_id_t *)two)->serial;
}
static VOID copy_id(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER from, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER to)
{
    (void)list;
    test.copied++;
    ((thing_id_t *)to)->serial = ((thing_id_t *)from)->serial;
}
static NTSTATUS duplicate_id(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER from,
                             PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER to)
{
    assert_irql(DISPATCH_LEVEL);
    (void)list;
    if (!NT_SUCCESS(test.duplicate_status))
        return test.duplicate_status;
    *(thing_id_t *)to = *(thing_id_t *)from;
    ((thing_id_t *)to)->counted = &test.alive;
    test.alive++;
    return STATUS_SUCCESS;
}
static VOID clean_id(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id)
{
    (void)list;
    if (((thing_id_t *)id)->counted != NULL)
        --*((thing_id_t *)id)->counted;
    test.cleaned++;
}
static VOID copy_address(WDFCHILDLIST list, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER from, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER to)
{
    (void)list;
    test.copied++;
    ((thing_address_t *)to)->slot = ((thing_address_t *)from)->slot;
}
static NTSTATUS duplicate_address(WDFCHILDLIST list, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER from, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER to)
{
    (void)list;
    *(thing_address_t *)to = *(thing_address_t *)from;
    test.alive++;
    return STATUS_SUCCESS;
}
static VOID clean_address(WDFCHILDLIST list, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address)
{
    (void)list;
    test.alive -= ((thing_address_t *)address)->slot != 0;
    test.cleaned++;
}

static VOID configure(PWDFDEVICE_INIT init)
{
    WDF_CHILD_LIST_CONFIG *config = &test.config;
    WDF_CHILD_LIST_CONFIG_INIT(config, sizeof(thing_id_t), create_child);
    config->AddressDescriptionSize = sizeof(thing_address_t);
    config->EvtChildListScanForChildren = scan;
    if (test.has_callbacks) {
        config->EvtChildListIdentificationDescriptionCompare = compare;
        config->EvtChildListIdentificationDescriptionCopy = copy_id;
        config->EvtChildListIdentificationDescriptionDuplicate = duplicate_id;
        config->EvtChildListIdentificationDescriptionCleanup = clean_id;
        config->EvtChildListAddressDescriptionCopy = copy_address;
        config->EvtChildListAddressDescriptionDuplicate = duplicate_address;
        config->EvtChildListAddressDescriptionCleanup = clean_address;
    }
    WdfFdoInitSetDefaultChildListConfig(init, config, WDF_NO_OBJECT_ATTRIBUTES);
}

static PDEVICE_OBJECT object_of(ULONG serial)
{
    WDFDEVICE pdo = pdo_of(serial, NULL);
    return pdo != NULL ? WdfDeviceWdmGetDeviceObject(pdo) : NULL;
}

/* ---- described, and made ---- */

static void is_made_when_the_pnp_manager_asks(void **state)
{
    WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS status;
    PDEVICE_OBJECT                        reported;
    thing_id_t                            id = id_of(0);
    thing_address_t                       address;
    (void)state;
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    assert_int_equal(add(7, 70), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_RELATIONS(BusRelations));
    assert_null(pdo_of(7, &status));
    assert_int_equal(status, WdfChildListRetrieveDeviceNotYetCreated);
    assert_int_equal(test.created, 0);
    assert_int_equal(wdf_bus_count(&reported), 1);
    assert_int_equal(test.created, 1);
    assert_ptr_equal(pdo_of(7, &status), test.last);
    assert_int_equal(status, WdfChildListRetrieveDeviceSuccess);
    assert_ptr_equal(WdfDeviceWdmGetDeviceObject(test.last), reported);
    assert_ptr_equal(WdfPdoGetParent(test.last), wdf_test_device);
    assert_null(pdo_of(8, &status));
    assert_int_equal(status, WdfChildListRetrieveDeviceNoSuchDevice);
    assert_int_equal(WdfPdoRetrieveIdentificationDescription(test.last, &id.header), STATUS_SUCCESS);
    assert_int_equal(id.serial, 7);
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(&address.header, sizeof address);
    assert_int_equal(WdfPdoRetrieveAddressDescription(test.last, &address.header), STATUS_SUCCESS);
    assert_int_equal(address.slot, 70);
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_int_equal(test.created, 1); /* once */
}

static void moves(void **state)
{
    thing_address_t address;
    (void)state;
    assert_int_equal(slot_of(7), 0);
    assert_int_equal(add(7, 70), STATUS_SUCCESS);
    assert_int_equal(add(7, 71), STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(slot_of(7), 71);
    assert_int_equal(wdf_bus_count(NULL), 1);
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    assert_int_equal(add(7, 72), STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), 0);
    assert_int_equal(slot_of(7), 72);
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(&address.header, sizeof address);
    address.slot = 73;
    assert_int_equal(WdfPdoUpdateAddressDescription(test.last, &address.header), STATUS_SUCCESS);
    assert_int_equal(slot_of(7), 73);
}

static void goes_when_it_is_missing(void **state)
{
    WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS status;
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 1);
    PDEVICE_OBJECT object = object_of(7);
    assert_int_equal(ntmm_pnp_start(object, NULL, 0), STATUS_SUCCESS);
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_RELATIONS(BusRelations));
    assert_int_equal(miss(8), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(test.missing, 0);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(test.missing, 1);
    assert_ptr_equal(pdo_of(7, &status), test.last); /* its device is there still */
    assert_int_equal(ntmm_pnp_surprise_remove(object), STATUS_SUCCESS);
    assert_null(pdo_of(7, &status));
    assert_int_equal(status, WdfChildListRetrieveDeviceNoSuchDevice);
    assert_int_equal(wdf_bus_count(NULL), 0);
}

static void may_be_missing_before_it_is_made(void **state)
{
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    assert_int_equal(miss(7), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(test.created + test.missing, 0);
}

/* Two descriptions with one identity: the old device is on its way out, the new one is another. */
static void comes_back_as_another_device(void **state)
{
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 1);
    PDEVICE_OBJECT old = object_of(7);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    assert_int_equal(add(7, 2), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_int_equal(test.created, 2);
    assert_int_equal(test.missing, 1);
    assert_ptr_not_equal(object_of(7), old);
    assert_int_equal(slot_of(7), 2);
    assert_int_equal(ntmm_pnp_remove(old), STATUS_SUCCESS);
    assert_non_null(object_of(7));
}

static void is_the_drivers_to_make(void **state)
{
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    test.create_status = STATUS_RETRY;
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_RELATIONS(BusRelations));
    test.create_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(test.created, 2); /* and deleted twice */
    test.create_status = STATUS_SUCCESS;
    assert_int_equal(wdf_bus_count(NULL), 0); /* it has been dropped */
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    test.creates_nothing = true;
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(miss(7), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    test.create_status = STATUS_RETRY;
    assert_int_equal(wdf_bus_count(NULL), 0);
    test.creates_nothing = false;
    test.create_status = STATUS_SUCCESS;
    assert_int_equal(wdf_bus_count(NULL), 1);
}

static void is_ejected(void **state)
{
    void      *answer;
    thing_id_t seven = id_of(7), eight = id_of(8);
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_false(WdfChildListRequestChildEject(list_of_test(), &seven.header)); /* not yet made */
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_true(WdfChildListRequestChildEject(list_of_test(), &seven.header));
    assert_false(WdfChildListRequestChildEject(list_of_test(), &eight.header));
    eight.header.IdentificationDescriptionSize--;
    assert_false(WdfChildListRequestChildEject(list_of_test(), &eight.header));
    PDEVICE_OBJECT object = object_of(7);
    assert_int_equal(wdf_bus_ask(object, IRP_MN_EJECT, &answer), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(ntmm_pnp_remove(object), STATUS_SUCCESS);
    assert_int_equal(miss(7), STATUS_NO_SUCH_DEVICE);
}

/* ---- scans ---- */

static void is_scanned_for_in_d0(void **state)
{
    (void)state;
    assert_int_equal(test.scanned, 1); /* the device has been started */
    test.scans = true;
    test.seen[0] = 7, test.seen[1] = 8;
    assert_int_equal(ntmm_power_set(wdf_test_object(), DevicePowerState, PowerDeviceD3), STATUS_SUCCESS);
    assert_int_equal(ntmm_power_set(wdf_test_object(), DevicePowerState, PowerDeviceD0), STATUS_SUCCESS);
    assert_int_equal(test.scanned, 2);
    assert_int_equal(wdf_bus_count(NULL), 2);
    test.seen[1] = 9;
    assert_int_equal(ntmm_power_set(wdf_test_object(), DevicePowerState, PowerDeviceD2), STATUS_SUCCESS);
    assert_int_equal(ntmm_power_set(wdf_test_object(), DevicePowerState, PowerDeviceD0), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 2);
    assert_true(test.created == 3 && test.missing == 1);
    assert_null(pdo_of(10, NULL));
    assert_non_null(pdo_of(7, NULL));
    assert_non_null(pdo_of(9, NULL));
    assert_int_equal(ntmm_pnp_remove(object_of(8)), STATUS_SUCCESS);
}

static void changes_wait_for_the_end_of_a_scan(void **state)
{
    (void)state;
    WDFCHILDLIST list = list_of_test();
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(add(8, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 2);
    PDEVICE_OBJECT eight = object_of(8);
    (void)ntmm_pnp_take_invalidated(wdf_test_bus_device);
    WdfChildListBeginScan(list);
    WdfChildListBeginScan(list);
    assert_int_equal(add(7, 2), STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(add(9, 1), STATUS_SUCCESS);
    assert_int_equal(add(10, 1), STATUS_SUCCESS);
    assert_int_equal(miss(10), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 2); /* as before */
    WdfChildListEndScan(list);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), 0);
    WdfChildListEndScan(list);
    assert_int_equal(ntmm_pnp_take_invalidated(wdf_test_bus_device), NTMM_PNP_RELATIONS(BusRelations));
    assert_int_equal(wdf_bus_count(NULL), 2); /* 7 and 9: nobody has found 8 */
    assert_non_null(object_of(9));
    assert_int_equal(test.missing, 1);
    assert_int_equal(ntmm_pnp_remove(eight), STATUS_SUCCESS);
    WdfChildListEndScan(list);
    assert_non_null(strstr(ntmm_error(), "nothing was begun"));
    assert_int_equal(wdf_bus_count(NULL), 2);
}

static void a_scan_may_find_all_as_they_were(void **state)
{
    (void)state;
    WDFCHILDLIST list = list_of_test();
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(add(8, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 2);
    assert_int_equal(add(9, 1), STATUS_SUCCESS);
    WdfChildListBeginScan(list);
    assert_int_equal(miss(8), STATUS_SUCCESS);
    WdfChildListUpdateAllChildDescriptionsAsPresent(list); /* but for who was called missing */
    WdfChildListEndScan(list);
    assert_int_equal(wdf_bus_count(NULL), 2);
    assert_int_equal(test.missing, 1);
    WdfChildListBeginScan(list);
    WdfChildListEndScan(list);
    assert_int_equal(wdf_bus_count(NULL), 0);
}

/* ---- iterations ---- */

static void assert_next(PWDF_CHILD_LIST_ITERATOR iterator, PWDF_CHILD_RETRIEVE_INFO info, ULONG serial, ULONG slot)
{
    WDFDEVICE device;
    assert_int_equal(WdfChildListRetrieveNextDevice(list_of_test(), iterator, &device, info), STATUS_SUCCESS);
    assert_ptr_equal(device, pdo_of(serial, NULL));
    assert_int_equal(info->Status, device != NULL ? WdfChildListRetrieveDeviceSuccess : WdfChildListRetrieveDeviceNotYetCreated);
    assert_int_equal(((thing_id_t *)info->IdentificationDescription)->serial, serial);
    assert_int_equal(((thing_address_t *)info->AddressDescription)->slot, slot);
}

static BOOLEAN is_even(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER one,
                       PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER two)
{
    (void)list, (void)one;
    return ((thing_id_t *)two)->serial % 2 == 0;
}

static void is_found_by_iteration(void **state)
{
    WDF_CHILD_LIST_ITERATOR iterator;
    WDF_CHILD_RETRIEVE_INFO info;
    thing_id_t              id = id_of(0);
    thing_address_t         address;
    WDFDEVICE               device;
    (void)state;
    WDFCHILDLIST list = list_of_test();
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(&address.header, sizeof address);
    WDF_CHILD_RETRIEVE_INFO_INIT(&info, &id.header);
    info.AddressDescription = &address.header;
    assert_int_equal(add(7, 70), STATUS_SUCCESS);
    assert_int_equal(add(8, 80), STATUS_SUCCESS);
    assert_int_equal(add(9, 90), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 3);
    assert_int_equal(miss(8), STATUS_SUCCESS);
    assert_int_equal(add(10, 100), STATUS_SUCCESS);
    WDF_CHILD_LIST_ITERATOR_INIT(&iterator, WdfRetrievePresentChildren);
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, NULL), STATUS_INVALID_DEVICE_STATE);
    WdfChildListBeginIteration(list, &iterator);
    assert_next(&iterator, &info, 7, 70);
    assert_int_equal(miss(7), STATUS_SUCCESS); /* waits */
    assert_next(&iterator, &info, 9, 90);
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, &info), STATUS_NO_MORE_ENTRIES);
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, &info), STATUS_NO_MORE_ENTRIES);
    WdfChildListEndIteration(list, &iterator);
    WDF_CHILD_LIST_ITERATOR_INIT(&iterator, WdfRetrieveAllChildren);
    WdfChildListBeginIteration(list, &iterator);
    info.EvtChildListIdentificationDescriptionCompare = is_even;
    assert_next(&iterator, &info, 8, 80);
    assert_next(&iterator, &info, 10, 100);
    assert_int_equal(ntmm_pnp_remove(object_of(9)), STATUS_SUCCESS); /* not missing: it stays */
    WdfChildListEndIteration(list, &iterator);
    assert_int_equal(wdf_bus_count(NULL), 2);
}

/* A device that goes during an iteration leaves its description behind until the end: the iterator stands on it. */
static void an_iterator_stands_on_firm_ground(void **state)
{
    WDF_CHILD_LIST_ITERATOR iterator;
    WDFDEVICE               device;
    (void)state;
    WDFCHILDLIST list = list_of_test();
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(add(8, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 2);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 1);
    WDF_CHILD_LIST_ITERATOR_INIT(&iterator, WdfRetrieveAllChildren);
    WdfChildListBeginIteration(list, &iterator);
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, NULL), STATUS_SUCCESS);
    assert_ptr_equal(device, pdo_of(7, NULL));
    assert_int_equal(ntmm_pnp_remove(object_of(7)), STATUS_SUCCESS);
    assert_null(pdo_of(7, NULL));
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, NULL), STATUS_SUCCESS);
    assert_ptr_equal(device, pdo_of(8, NULL));
    WdfChildListEndIteration(list, &iterator);
}

/* ---- the driver's own descriptions ---- */

static void descriptions_are_the_drivers(void **state)
{
    thing_id_t id = id_of(0);
    (void)state;
    assert_int_equal(add(7, 70), STATUS_SUCCESS);
    assert_int_equal(test.alive, 2);
    assert_int_equal(add(7, 71), STATUS_OBJECT_NAME_EXISTS);
    assert_true(test.compared != 0 && test.copied == 1);
    test.duplicate_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(add(8, 80), STATUS_DEVICE_NOT_READY);
    test.duplicate_status = STATUS_SUCCESS;
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_int_equal(WdfPdoRetrieveIdentificationDescription(test.last, &id.header), STATUS_SUCCESS);
    assert_int_equal(id.serial, 7);
    assert_int_equal(slot_of(7), 71);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(test.alive, 2);
    assert_int_equal(ntmm_pnp_remove(object_of(7)), STATUS_SUCCESS);
    assert_int_equal(test.alive, 0);
    assert_int_equal(add(9, 90), STATUS_SUCCESS); /* goes with the list */
    wdf_test_unload();
    assert_int_equal(test.alive, 0);
}

/* ---- with the bus ---- */

static void go_with_their_bus(void **state)
{
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 1);
    assert_int_equal(ntmm_pnp_start(object_of(7), NULL, 0), STATUS_SUCCESS);
    assert_int_equal(add(8, 1), STATUS_SUCCESS);
    wdf_test_unload();
}

static void go_with_a_bus_that_never_started(void **state)
{
    (void)state;
    wdf_test_unload();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    wdf_test_unload();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 1);
}

static void are_lost_with_a_bus_that_is_pulled_out(void **state)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_SURPRISE_REMOVAL };
    PDEVICE_OBJECT    seven;
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(&seven), 1);
    assert_int_equal(add(8, 1), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_request(wdf_test_object(), &location, NULL), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_remove(seven), STATUS_SUCCESS); /* missing, without having been reported so */
    assert_null(pdo_of(7, NULL));
    assert_int_equal(miss(8), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(test.missing, 0);
}

/* ---- a list of its own; a bus on a bus ---- */

static void there_may_be_several_lists(void **state)
{
    WDF_CHILD_LIST_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFCHILDLIST          second;
    thing_id_t            id = id_of(7);
    (void)state;
    WDF_CHILD_LIST_CONFIG_INIT(&config, sizeof(thing_id_t), create_child);
    assert_int_equal(WdfChildListCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &second), STATUS_SUCCESS);
    assert_ptr_equal(WdfChildListGetDevice(second), wdf_test_device);
    assert_int_equal(WdfChildListAddOrUpdateChildDescriptionAsPresent(second, &id.header, NULL), STATUS_SUCCESS);
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 2);
    WdfObjectDelete(second);
    assert_non_null(strstr(ntmm_error(), "deleted by the framework alone"));
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_test_device;
    assert_int_equal(WdfChildListCreate(wdf_test_device, &config, &attributes, &second), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    config.IdentificationDescriptionSize = 0;
    assert_int_equal(WdfChildListCreate(wdf_test_device, &config, NULL, &second), STATUS_INVALID_PARAMETER);
    WDF_CHILD_LIST_CONFIG_INIT(&config, sizeof(thing_id_t), NULL);
    assert_int_equal(WdfChildListCreate(wdf_test_device, &config, NULL, &second), STATUS_INVALID_PARAMETER);
    config.Size--;
    assert_int_equal(WdfChildListCreate(wdf_test_device, &config, NULL, &second), STATUS_INFO_LENGTH_MISMATCH);
}

static void a_child_may_be_a_bus(void **state)
{
    WDF_CHILD_LIST_CONFIG config;
    WDFCHILDLIST          list;
    PDEVICE_OBJECT        child, grandchild;
    size_t                count;
    thing_id_t            id = id_of(7);
    (void)state;
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(&child), 1);
    WDFDEVICE middle = test.last;
    WDF_CHILD_LIST_CONFIG_INIT(&config, sizeof(thing_id_t), create_child);
    assert_int_equal(WdfChildListCreate(middle, &config, WDF_NO_OBJECT_ATTRIBUTES, &list), STATUS_SUCCESS);
    assert_int_equal(WdfChildListAddOrUpdateChildDescriptionAsPresent(list, &id.header, NULL), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_children(child, &grandchild, 1, &count), STATUS_SUCCESS);
    assert_int_equal(count, 1);
    assert_ptr_equal(WdfPdoGetParent(test.last), middle);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    assert_int_equal(wdf_bus_count(NULL), 0);
    assert_int_equal(ntmm_pnp_remove(child), STATUS_SUCCESS); /* with all below */
}

/* ---- refused ---- */

static void refuses_other_sizes(void **state)
{
    WDF_CHILD_LIST_ITERATOR iterator;
    WDF_CHILD_RETRIEVE_INFO info;
    thing_id_t              id = id_of(7);
    thing_address_t         address;
    WDFDEVICE               device;
    (void)state;
    WDFCHILDLIST list = list_of_test();
    WDF_CHILD_ADDRESS_DESCRIPTION_HEADER_INIT(&address.header, sizeof address);
    assert_int_equal(WdfChildListAddOrUpdateChildDescriptionAsPresent(list, &id.header, NULL), STATUS_INVALID_DEVICE_REQUEST);
    address.header.AddressDescriptionSize--;
    assert_int_equal(WdfChildListAddOrUpdateChildDescriptionAsPresent(list, &id.header, &address.header), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfChildListRetrieveAddressDescription(list, &id.header, &address.header), STATUS_INVALID_DEVICE_REQUEST);
    WDF_CHILD_RETRIEVE_INFO_INIT(&info, NULL);
    assert_null(WdfChildListRetrievePdo(list, &info));
    WDF_CHILD_LIST_ITERATOR_INIT(&iterator, WdfRetrieveAllChildren);
    WdfChildListBeginIteration(list, &iterator);
    info.AddressDescription = &address.header;
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, &info), STATUS_INVALID_PARAMETER);
    id.header.IdentificationDescriptionSize--;
    WDF_CHILD_RETRIEVE_INFO_INIT(&info, &id.header);
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, &info), STATUS_INVALID_PARAMETER);
    info.Size--;
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, &info), STATUS_INFO_LENGTH_MISMATCH);
    iterator.Flags = 8;
    assert_int_equal(WdfChildListRetrieveNextDevice(list, &iterator, &device, NULL), STATUS_INVALID_PARAMETER);
    WdfChildListEndIteration(list, &iterator);
    assert_non_null(strstr(ntmm_error(), "Flags that are none"));
    assert_int_equal(miss(7), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(WdfChildListUpdateChildDescriptionAsMissing(list, &id.header), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfPdoRetrieveIdentificationDescription(wdf_test_device, &id.header), STATUS_INVALID_PARAMETER);
}

static void needs_a_list(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfChildListBeginScan((WDFCHILDLIST)(void *)wdf_test_device));
}

static void works_up_to_dispatch_level(void **state)
{
    KIRQL irql;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_int_equal(add(7, 1), STATUS_SUCCESS);
    assert_int_equal(miss(7), STATUS_SUCCESS);
    KeRaiseIrql(12, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, add(7, 1));
}

/* A routine of the list from a callback under its lock waits for itself. */
static BOOLEAN calls_back(WDFCHILDLIST list, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER one,
                          PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER two)
{
    (void)one, (void)two;
    WdfChildListBeginScan(list);
    return FALSE;
}
static void its_callbacks_leave_it_alone(void **state)
{
    WDF_CHILD_LIST_CONFIG config;
    WDFCHILDLIST          list;
    thing_id_t            id = id_of(7);
    (void)state;
    WDF_CHILD_LIST_CONFIG_INIT(&config, sizeof(thing_id_t), create_child);
    config.EvtChildListIdentificationDescriptionCompare = calls_back;
    assert_int_equal(WdfChildListCreate(wdf_test_device, &config, WDF_NO_OBJECT_ATTRIBUTES, &list), STATUS_SUCCESS);
    assert_int_equal(WdfChildListAddOrUpdateChildDescriptionAsPresent(list, &id.header, NULL), STATUS_SUCCESS);
    assert_bugcheck_code(SPIN_LOCK_ALREADY_OWNED, WdfChildListAddOrUpdateChildDescriptionAsPresent(list, &id.header, NULL));
}

/* ---- two threads ---- */

static _Atomic bool stops;

static void *come_and_go(void *context)
{
    (void)context;
    for (ULONG i = 0; i < 200; i++) {
        (void)add(20 + i % 3, 1);
        (void)miss(20 + (i + 1) % 3);
        WdfChildListBeginScan(list_of_test());
        WdfChildListUpdateAllChildDescriptionsAsPresent(list_of_test());
        WdfChildListEndScan(list_of_test());
    }
    stops = true;
    return NULL;
}

/* The PnP manager: who was there and is not any more is removed. */
static void enumerate(PDEVICE_OBJECT *known, size_t *known_count)
{
    PDEVICE_OBJECT now[8];
    size_t         count, kept = 0;
    assert_true(NT_SUCCESS(ntmm_pnp_children(wdf_test_object(), now, 8, &count)) || count == 0);
    for (size_t i = 0; i < *known_count; i++) {
        bool is_there = false;
        for (size_t j = 0; j < count; j++)
            is_there |= now[j] == known[i];
        if (!is_there)
            assert_int_equal(ntmm_pnp_remove(known[i]), STATUS_SUCCESS);
    }
    for (size_t j = 0; j < count; j++)
        known[kept++] = now[j];
    *known_count = kept;
}

static void two_threads_agree(void **state)
{
    pthread_t      thread;
    PDEVICE_OBJECT known[8];
    size_t         known_count = 0;
    (void)state;
    stops = false;
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, NULL), 0);
    while (!stops)
        enumerate(known, &known_count);
    (void)pthread_join(thread, NULL);
    enumerate(known, &known_count);
    WdfChildListBeginScan(list_of_test());
    WdfChildListEndScan(list_of_test());
    enumerate(known, &known_count);
    assert_int_equal(known_count, 0);
    assert_null(pdo_of(20, NULL));
}

/* ---- failures ---- */

static void one_life(void *context)
{
    PDEVICE_OBJECT child;
    (void)context;
    if (add(7, 1) != STATUS_SUCCESS)
        return;
    (void)add(8, 1);
    for (int i = 0; i < 4 && wdf_bus_count(&child) == 0; i++)
        continue;
    if (object_of(7) != NULL)
        (void)ntmm_pnp_start(object_of(7), NULL, 0);
    WdfChildListBeginScan(list_of_test());
    WdfChildListEndScan(list_of_test());
    while (wdf_bus_count(NULL) != 0)
        continue;
    (void)wdf_bus_count(NULL);
    for (ULONG serial = 7; serial <= 8; serial++)
        while ((child = object_of(serial)) != NULL)
            (void)ntmm_pnp_remove(child);
}

static void survives_every_failure(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(one_life, NULL) > 12);
    assert_int_equal(test.alive, 0);
}

/* ---- main ---- */

static int setup_with(void **state, bool has_callbacks)
{
    memset(&test, 0, sizeof test);
    test.has_callbacks = has_callbacks;
    wdf_device_init = configure;
    return wdf_device_setup(state);
}
static int setup(void **state) { return setup_with(state, false); }
static int setup_callbacks(void **state) { return setup_with(state, true); }
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)
#define row_callbacks(test) cmocka_unit_test_setup_teardown(test, setup_callbacks, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(is_made_when_the_pnp_manager_asks),
        row_callbacks(is_made_when_the_pnp_manager_asks),
        row(moves),
        row_callbacks(moves),
        row(goes_when_it_is_missing),
        row_callbacks(goes_when_it_is_missing),
        row(may_be_missing_before_it_is_made),
        row(comes_back_as_another_device),
        row(is_the_drivers_to_make),
        row(is_ejected),
        row(is_scanned_for_in_d0),
        row(changes_wait_for_the_end_of_a_scan),
        row(a_scan_may_find_all_as_they_were),
        row(is_found_by_iteration),
        row_callbacks(is_found_by_iteration),
        row(an_iterator_stands_on_firm_ground),
        row_callbacks(descriptions_are_the_drivers),
        row(go_with_their_bus),
        row(go_with_a_bus_that_never_started),
        row(are_lost_with_a_bus_that_is_pulled_out),
        row(there_may_be_several_lists),
        row(a_child_may_be_a_bus),
        row(refuses_other_sizes),
        row(needs_a_list),
        row(works_up_to_dispatch_level),
        row(its_callbacks_leave_it_alone),
        row(two_threads_agree),
        row_callbacks(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
