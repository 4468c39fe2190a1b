/*
 * test_echo.c - the KMDF driver of echo.c, from DriverEntry to DriverUnload: what it does, and that it survives each of its allocations failing.
 */
#include <ntmm/cmocka.h>

#include "echo.h"

DRIVER_INITIALIZE echo_DriverEntry; /* ntmm_add_driver(echo ...) has renamed it, so that one test can have several drivers */

static PDRIVER_OBJECT driver;
static ntmm_device   *device;

/* false: the machine had no memory for it. */
static bool start(void)
{
    device = ntmm_device_create(NULL);
    driver = ntmm_driver_load(echo_DriverEntry);
    return driver != NULL && NT_SUCCESS(ntmm_pnp_add(driver, ntmm_device_object(device))) &&
           NT_SUCCESS(ntmm_pnp_start(ntmm_device_object(device), NULL, 0));
}

static void stop(void)
{
    if (driver != NULL) {
        while (ntmm_pnp_remove(ntmm_device_object(device)) == STATUS_INSUFFICIENT_RESOURCES) /* there was no memory for the request */
            ;
        assert_int_equal(ntmm_driver_unload(driver), 0);
    }
    ntmm_device_destroy(device);
}

static void gives_back_what_was_written_last(void **state)
{
    char   text[ECHO_MOST];
    size_t bytes;
    (void)state;
    assert_true(start());
    PDEVICE_OBJECT object = ntmm_device_object(device);
    assert_int_equal(ntmm_request_control(object, IOCTL_ECHO_LAST, NULL, 0, text, sizeof text, &bytes), STATUS_SUCCESS);
    assert_int_equal(bytes, 0);
    assert_int_equal(ntmm_request_write(object, 0, "first", 6, &bytes), STATUS_SUCCESS);
    assert_int_equal(ntmm_request_write(object, 0, "second", 7, &bytes), STATUS_SUCCESS);
    assert_int_equal(ntmm_request_control(object, IOCTL_ECHO_LAST, NULL, 0, text, sizeof text, &bytes), STATUS_SUCCESS);
    assert_int_equal(bytes, 7);
    assert_string_equal(text, "second");
    assert_int_equal(ntmm_request_control(object, IOCTL_ECHO_LAST, NULL, 0, text, 6, &bytes), STATUS_BUFFER_TOO_SMALL);
    stop();
}

static void life(void *context)
{
    size_t bytes;
    (void)context;
    if (start())
        (void)ntmm_request_write(ntmm_device_object(device), 0, "text", 5, &bytes);
    stop();
}

/* Whatever fails, nothing is left: a leak fails the test. */
static void survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(life, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = { ntmm_cmocka_test(gives_back_what_was_written_last),
                                        ntmm_cmocka_test(survives_every_failing_allocation) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
