/*
 * test_kmdf_bus.c - the whole life of a KMDF bus driver with dynamic children (support/toy_bus.c): two are plugged in and get a function driver each,
 * one is pulled out while it works, the bus goes with the other; and the same with each of the allocations failing once.
 *
 *     bus device -- bus FDO -- PDO 7 -- FDO        loaded by this test, which is the PnP manager
 *                       `----- PDO 8 -- FDO
 */
#include <ntmm/cmocka.h>

#include "../support/toy_bus.h"

static struct {
    ntmm_device   *device;
    PDRIVER_OBJECT bus_driver, function_driver;
} at;

static PDEVICE_OBJECT bus_pdo(void) { return ntmm_device_object(at.device); }
static PDEVICE_OBJECT bus_fdo(void) { return bus_pdo()->AttachedDevice; }

static NTSTATUS read_serial(PDEVICE_OBJECT device, ULONG *serial)
{
    *serial = 0;
    return ntmm_request_read(device, 0, serial, sizeof *serial, NULL);
}

static NTSTATUS start_child(PDEVICE_OBJECT child)
{
    NTSTATUS status = ntmm_pnp_add(at.function_driver, child);
    return NT_SUCCESS(status) ? ntmm_pnp_start(child, NULL, 0) : status;
}

/* ---- one after the other ---- */

static void lives_and_goes(void **state)
{
    PDEVICE_OBJECT children[2];
    size_t         count;
    ULONG          serial;
    (void)state;
    assert_int_equal(ntmm_pnp_add(at.bus_driver, bus_pdo()), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(bus_pdo(), NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 7), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 8), STATUS_SUCCESS);
    assert_true((ntmm_pnp_take_invalidated(at.device) & NTMM_PNP_RELATIONS(BusRelations)) != 0);
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), children, 2, &count), STATUS_SUCCESS);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(start_child(children[i]), STATUS_SUCCESS);
        assert_int_equal(read_serial(children[i], &serial), STATUS_SUCCESS);
        assert_int_equal(serial, 7 + i);
    }
    assert_int_equal(ToyReferences, 2);
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), NULL, 0, &count), STATUS_SUCCESS);
    assert_int_equal(count, 0); /* nobody is new */

    assert_int_equal(ToyUnplug(bus_fdo(), 7), STATUS_SUCCESS);
    assert_int_equal(read_serial(children[0], &serial), STATUS_SUCCESS); /* its PnP manager does not know yet */
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), NULL, 0, &count), STATUS_SUCCESS);
    assert_int_equal(ToyReferences, 1);
    assert_int_equal(read_serial(children[1], &serial), STATUS_SUCCESS);
    assert_int_equal(serial, 8);

    assert_int_equal(ntmm_pnp_remove(bus_pdo()), STATUS_SUCCESS); /* with the other child */
    assert_int_equal(ToyReferences, 0);
    assert_null(bus_pdo()->AttachedDevice);
}

static void a_child_is_disabled_and_enabled(void **state)
{
    PDEVICE_OBJECT child;
    size_t         count;
    ULONG          serial;
    (void)state;
    assert_int_equal(ntmm_pnp_add(at.bus_driver, bus_pdo()), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(bus_pdo(), NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 9), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), &child, 1, &count), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(start_child(child), STATUS_SUCCESS);
        assert_int_equal(read_serial(child, &serial), STATUS_SUCCESS);
        assert_int_equal(ntmm_pnp_remove(child), STATUS_SUCCESS);
        assert_null(child->AttachedDevice);
        assert_int_equal(ToyReferences, 0);
    }
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), NULL, 0, &count), STATUS_SUCCESS);
    assert_int_equal(count, 0); /* it is the same device */
    assert_int_equal(ntmm_pnp_surprise_remove(bus_pdo()), STATUS_SUCCESS);
}

static void a_child_is_ejected(void **state)
{
    PDEVICE_OBJECT child;
    size_t         count;
    (void)state;
    assert_int_equal(ntmm_pnp_add(at.bus_driver, bus_pdo()), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(bus_pdo(), NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 9), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), &child, 1, &count), STATUS_SUCCESS);
    assert_int_equal(start_child(child), STATUS_SUCCESS);
    (void)ntmm_pnp_take_invalidated_of(child);
    WdfPdoRequestEject(WdfWdmDeviceGetWdfDeviceHandle(child));
    assert_int_equal(ntmm_pnp_take_invalidated_of(child), NTMM_PNP_EJECT);
    assert_int_equal(ntmm_pnp_eject(child), STATUS_SUCCESS);
    assert_int_equal(ToyReferences, 0);
    assert_int_equal(ToyUnplug(bus_fdo(), 9), STATUS_NO_SUCH_DEVICE); /* its description went with it */
    assert_int_equal(ntmm_pnp_remove(bus_pdo()), STATUS_SUCCESS);
}

static void everything_is_pulled_out(void **state)
{
    PDEVICE_OBJECT children[2];
    size_t         count;
    (void)state;
    assert_int_equal(ntmm_pnp_add(at.bus_driver, bus_pdo()), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(bus_pdo(), NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 7), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 8), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), children, 2, &count), STATUS_SUCCESS);
    assert_int_equal(start_child(children[0]), STATUS_SUCCESS); /* the other one has no driver */
    assert_int_equal(ntmm_pnp_surprise_remove(bus_pdo()), STATUS_SUCCESS);
    assert_int_equal(ToyReferences, 0);
    assert_null(bus_pdo()->AttachedDevice);
}

/* A child whose driver refuses keeps the bus. */
static void a_child_may_keep_the_bus(void **state)
{
    PDEVICE_OBJECT children[2];
    size_t         count;
    ULONG          serial;
    (void)state;
    assert_int_equal(ntmm_pnp_add(at.bus_driver, bus_pdo()), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_start(bus_pdo(), NULL, 0), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 7), STATUS_SUCCESS);
    assert_int_equal(ToyPlugIn(bus_fdo(), 8), STATUS_SUCCESS);
    assert_int_equal(ntmm_pnp_enumerate(bus_pdo(), children, 2, &count), STATUS_SUCCESS);
    assert_int_equal(start_child(children[0]), STATUS_SUCCESS);
    assert_int_equal(start_child(children[1]), STATUS_SUCCESS);
    WDFDEVICE stubborn = WdfWdmDeviceGetWdfDeviceHandle(children[1]->AttachedDevice);
    WdfDeviceSetStaticStopRemove(stubborn, FALSE);
    assert_int_equal(ntmm_pnp_remove(bus_pdo()), STATUS_UNSUCCESSFUL);
    assert_int_equal(read_serial(children[0], &serial), STATUS_SUCCESS);
    assert_int_equal(read_serial(children[1], &serial), STATUS_SUCCESS);
    WdfDeviceSetStaticStopRemove(stubborn, TRUE);
    assert_int_equal(ntmm_pnp_remove(bus_pdo()), STATUS_SUCCESS);
}

static void the_pnp_manager_works_at_passive_level(void **state)
{
    size_t count;
    KIRQL  irql;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ntmm_pnp_enumerate(bus_pdo(), NULL, 0, &count));
}

/* ---- every failure ---- */

static void one_life(void *context)
{
    PDEVICE_OBJECT children[2];
    size_t         count = 0, arrived;
    ULONG          serial;
    (void)context;
    if (!NT_SUCCESS(ntmm_pnp_add(at.bus_driver, bus_pdo())))
        return;
    if (NT_SUCCESS(ntmm_pnp_start(bus_pdo(), NULL, 0))) {
        (void)ToyPlugIn(bus_fdo(), 7);
        (void)ToyPlugIn(bus_fdo(), 8);
        for (int i = 0; i < 2 && count < 2; i++, count += arrived)
            (void)ntmm_pnp_enumerate(bus_pdo(), children + count, 2 - count, &arrived);
        for (size_t i = 0; i < count; i++)
            if (NT_SUCCESS(start_child(children[i])))
                (void)read_serial(children[i], &serial);
        (void)ToyUnplug(bus_fdo(), 7);
        (void)ntmm_pnp_enumerate(bus_pdo(), NULL, 0, &arrived);
    }
    while (ntmm_pnp_remove(bus_pdo()) == STATUS_INSUFFICIENT_RESOURCES)
        continue;
    assert_null(bus_pdo()->AttachedDevice);
    assert_int_equal(ToyReferences, 0);
}

static void survives_every_failure(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(one_life, NULL) > 60);
}

/* ---- main ---- */

static int setup(void **state)
{
    if (ntmm_cmocka_setup(state) != 0)
        return -1;
    ToyReferences = 0;
    at.bus_driver = ntmm_driver_load_as("ToyBus", ToyBusEntry);
    at.function_driver = ntmm_driver_load_as("ToyDuck", ToyFunctionEntry);
    at.device = ntmm_device_create(NULL);
    return at.bus_driver != NULL && at.function_driver != NULL && at.device != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    int result = 0;
    if (!ntmm_is_halted()) {
        result = ntmm_driver_unload(at.function_driver) | ntmm_driver_unload(at.bus_driver);
        ntmm_device_destroy(at.device);
    }
    if (result != 0)
        print_error("%s\n", ntmm_error());
    return ntmm_cmocka_teardown(state) != 0 || result != 0 ? -1 : 0;
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(lives_and_goes),           row(a_child_is_disabled_and_enabled), row(a_child_is_ejected),
        row(everything_is_pulled_out), row(a_child_may_keep_the_bus),        row(the_pnp_manager_works_at_passive_level),
        row(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
