/*
 * wdf_driver.h - a framework driver for tests of the framework: a machine with it loaded for each test, and gone again afterwards.
 *
 *     static void makes_one(void **state) { ... WdfObjectCreate(...) ... }
 *     const struct CMUnitTest tests[] = { wdf_driver_test(makes_one) };
 *
 * Its service is called Test, so its pool has the tag `Test`. A test that stops the machine needs no unload; one that unloads the driver itself
 * sets wdf_driver_object to NULL.
 */
#ifndef NTMM_TESTS_WDF_DRIVER_H
#define NTMM_TESTS_WDF_DRIVER_H

#include <ntmm/cmocka.h>
#include <wdf.h>

static PDRIVER_OBJECT wdf_driver_object;
static WDFDRIVER      wdf_driver;
/* What DriverEntry passes on; a test that wants something else loads a driver of its own. */
static WDF_DRIVER_CONFIG      wdf_driver_config;
static PWDF_OBJECT_ATTRIBUTES wdf_driver_attributes;

/* A machine without call stacks and memory tools, with which most calls take a longer way. */
static const ntmm_config wdf_driver_plain __attribute__((unused)) = { .quiet = true, .no_memory_tools = true };

static NTSTATUS wdf_driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    return WdfDriverCreate(driver, path, wdf_driver_attributes, &wdf_driver_config, &wdf_driver);
}

static inline void wdf_driver_load(void) { wdf_driver_object = ntmm_driver_load(wdf_driver_entry); }

static inline int wdf_driver_setup(void **state)
{
    if (ntmm_cmocka_setup(state) != 0)
        return -1;
    WDF_DRIVER_CONFIG_INIT(&wdf_driver_config, NULL);
    wdf_driver_attributes = NULL;
    wdf_driver_load();
    return wdf_driver_object != NULL ? 0 : -1;
}

static inline int wdf_driver_teardown(void **state)
{
    int result = 0;
    if (!ntmm_is_halted() && wdf_driver_object != NULL && KeGetCurrentIrql() == PASSIVE_LEVEL)
        result = ntmm_driver_unload(wdf_driver_object);
    if (result != 0)
        print_error("%s\n", ntmm_error());
    return ntmm_cmocka_teardown(state) != 0 || result != 0 ? -1 : 0;
}

#define wdf_driver_test(test) cmocka_unit_test_setup_teardown(test, wdf_driver_setup, wdf_driver_teardown)

#endif
