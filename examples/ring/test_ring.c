#include <ntmm/cmocka.h>

DRIVER_INITIALIZE DriverEntry;

static void takes_ten_words(void **state)
{
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    for (ULONG i = 0; i < 10; i++)
        assert_int_equal(ntmm_request_write(driver->DeviceObject, 0, &i, sizeof i, NULL), STATUS_SUCCESS);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void load_and_unload(void)
{
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    if (driver != NULL)
        ntmm_driver_unload(driver);
}
static void leaves_nothing_behind(void **state)
{
    /* refuse the 1st allocation, then the 2nd, ... */
    for_each_failure(load_and_unload());
}

int main(void)
{
    const struct CMUnitTest tests[] = { ntmm_cmocka_test(takes_ten_words), ntmm_cmocka_test(leaves_nothing_behind) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
