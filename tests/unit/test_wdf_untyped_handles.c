/* test_wdf_untyped_handles.c - a driver that takes handles for pointers compiles, and works, when it asks for that. */
#define NTMM_UNTYPED_HANDLES
#include <ntmm/cmocka.h>
#include <wdf.h>

/* As in its header, and as in its source: two types, were handles typed. */
static NTSTATUS parent_of(PVOID Context, PVOID *Parent);
static NTSTATUS parent_of(WDFMEMORY Memory, WDFDRIVER *Parent)
{
    *Parent = WdfGetDriver();
    return Memory != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static NTSTATUS driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, WDF_NO_EVENT_CALLBACK);
    config.DriverInitFlags |= WdfDriverInitNonPnpDriver;
    return WdfDriverCreate(driver, path, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

static void handles_are_pointers(void **state)
{
    (void)state;
    PVOID          memory, parent = NULL;
    PDRIVER_OBJECT driver = ntmm_driver_load(driver_entry);
    assert_int_equal(WdfMemoryCreate(WDF_NO_OBJECT_ATTRIBUTES, NonPagedPoolNx, 'hnuT', 64, &memory, NULL), STATUS_SUCCESS);
    assert_int_equal(parent_of(memory, &parent), STATUS_SUCCESS);
    assert_ptr_equal(parent, WdfGetDriver());
    WdfObjectDelete(memory);
    assert_bugcheck_code(WDF_VIOLATION, WdfObjectDelete(memory)); /* checked they are all the same */
    (void)driver;
}

int main(void)
{
    const struct CMUnitTest tests[] = { ntmm_cmocka_test(handles_are_pointers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
