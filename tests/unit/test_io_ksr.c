/*
 * test_io_ksr.c - what a driver leaves to itself over a soft reboot: found by the next boot, by that driver and device, once.
 */
#include <string.h>

#include <ntmm/cmocka.h>

static uint16_t       driver_name[] = { '\\', 'D', 'r', 'v' };
static uint16_t       id_text[] = { 'P', 'C', 'I', '1' };
static UNICODE_STRING id = { sizeof id_text, sizeof id_text, id_text };
static DRIVER_OBJECT  driver, other_driver;
static DEVICE_OBJECT  device, other_device;

static PVOID reserve(PDRIVER_OBJECT owner, USHORT tag, ULONG version, SIZE_T size)
{
    PVOID handle = NULL;
    assert_int_equal(IoReserveKsrPersistentMemoryEx(owner, NULL, &id, &tag, version, size, 0, &handle), STATUS_SUCCESS);
    assert_non_null(handle);
    return handle;
}

static void leave_bytes(PDRIVER_OBJECT owner, USHORT tag, ULONG version, const char *text)
{
    PVOID handle = reserve(owner, tag, version, strlen(text) + 10);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, (PVOID)(uintptr_t)text, strlen(text)), STATUS_SUCCESS);
}

static NTSTATUS take(PDRIVER_OBJECT owner, USHORT tag, ULONG *version, char *buffer, SIZE_T *size)
{
    memset(buffer, 0, *size);
    return IoAcquireKsrPersistentMemoryEx(owner, NULL, &id, &tag, version, buffer, size);
}

static void bytes_survive_one_reboot(void **state)
{
    char   buffer[32];
    SIZE_T size = sizeof buffer;
    ULONG  version = 0;
    USHORT tag = 7;
    (void)state;
    leave_bytes(&driver, tag, 42, "remember me");
    assert_int_equal(take(&driver, tag, &version, buffer, &size), STATUS_NOT_FOUND); /* it is for the next boot */
    ntmm_cmocka_reboot();
    assert_int_equal(IoQueryKsrPersistentMemorySizeEx(&driver, NULL, &id, &tag, &version, &size), STATUS_SUCCESS);
    assert_int_equal(size, 11);
    assert_int_equal(version, 42);
    size = 10;
    assert_int_equal(take(&driver, tag, &version, buffer, &size), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(size, 11);
    size = sizeof buffer;
    assert_int_equal(take(&driver, tag, &version, buffer, &size), STATUS_SUCCESS);
    assert_int_equal(size, 11);
    assert_string_equal(buffer, "remember me");
    assert_int_equal(take(&driver, tag, &version, buffer, &size), STATUS_NOT_FOUND);
}

static void bytes_not_taken_are_gone(void **state)
{
    SIZE_T size;
    USHORT tag = 1;
    (void)state;
    leave_bytes(&driver, tag, 0, "forgotten");
    ntmm_cmocka_reboot();
    assert_int_equal(IoQueryKsrPersistentMemorySizeEx(&driver, NULL, &id, &tag, NULL, &size), STATUS_SUCCESS);
    ntmm_cmocka_reboot();
    assert_int_equal(IoQueryKsrPersistentMemorySizeEx(&driver, NULL, &id, &tag, NULL, &size), STATUS_NOT_FOUND);
}

static void only_written_bytes_survive(void **state)
{
    char   buffer[32];
    SIZE_T size = sizeof buffer;
    PVOID  handle;
    (void)state;
    (void)reserve(&driver, 1, 0, 100);
    handle = reserve(&driver, 2, 0, 8);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "123456789", 9), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "12345678", 8), STATUS_SUCCESS);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "abc", 3), STATUS_SUCCESS); /* the last one counts */
    handle = reserve(&driver, 3, 0, 8);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "freed", 5), STATUS_SUCCESS);
    assert_int_equal(IoFreeKsrPersistentMemory(handle), STATUS_SUCCESS);
    ntmm_cmocka_reboot();
    assert_int_equal(take(&driver, 1, NULL, buffer, &size), STATUS_NOT_FOUND);
    assert_int_equal(take(&driver, 3, NULL, buffer, &size), STATUS_NOT_FOUND);
    assert_int_equal(take(&driver, 2, NULL, buffer, &size), STATUS_SUCCESS);
    assert_int_equal(size, 3);
    assert_string_equal(buffer, "abc");
}

static void others_do_not_see_it(void **state)
{
    char   buffer[32];
    SIZE_T size = sizeof buffer;
    USHORT tag = 1;
    (void)state;
    leave_bytes(&driver, tag, 0, "mine");
    ntmm_cmocka_reboot();
    assert_int_equal(take(&other_driver, tag, NULL, buffer, &size), STATUS_NOT_FOUND);
    assert_int_equal(take(&driver, 2, NULL, buffer, &size), STATUS_NOT_FOUND);
    assert_int_equal(IoAcquireKsrPersistentMemoryEx(&driver, &device, NULL, &tag, NULL, buffer, &size), STATUS_NOT_FOUND);
    /* the id names the device, whatever object stands for it */
    assert_int_equal(IoAcquireKsrPersistentMemoryEx(&driver, &device, &id, &tag, NULL, buffer, &size), STATUS_SUCCESS);
}

static void plain_forms_go_by_the_device(void **state)
{
    char   buffer[8] = { 0 };
    SIZE_T size = 0;
    PVOID  handle;
    (void)state;
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, &device, 4, 0, &handle), STATUS_SUCCESS);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "dev1", 4), STATUS_SUCCESS);
    ntmm_cmocka_reboot();
    assert_int_equal(IoQueryKsrPersistentMemorySize(&driver, &other_device, &size), STATUS_NOT_FOUND);
    assert_int_equal(IoQueryKsrPersistentMemorySize(&driver, NULL, &size), STATUS_NOT_FOUND);
    assert_int_equal(IoQueryKsrPersistentMemorySize(&driver, &device, &size), STATUS_SUCCESS);
    assert_int_equal(size, 4);
    assert_int_equal(IoAcquireKsrPersistentMemory(&driver, &device, buffer, &size), STATUS_SUCCESS);
    assert_string_equal(buffer, "dev1");
}

static void handles_end_with_the_boot(void **state)
{
    PVOID handle, none;
    (void)state;
    handle = reserve(&driver, 1, 0, 8);
    assert_int_equal(IoReserveKsrPersistentMemoryEx(&driver, NULL, &id, &(USHORT){ 1 }, 0, 8, 0, &none), STATUS_OBJECT_NAME_COLLISION);
    assert_null(none);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "x", 1), STATUS_SUCCESS);
    ntmm_cmocka_reboot();
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "x", 1), STATUS_INVALID_HANDLE);
    assert_int_equal(IoFreeKsrPersistentMemory(handle), STATUS_INVALID_HANDLE);
    assert_int_equal(IoFreeKsrPersistentMemory(NULL), STATUS_INVALID_HANDLE);
    (void)reserve(&driver, 1, 0, 8); /* what is left over does not stand in the way */
}

static void wrong_arguments_are_refused(void **state)
{
    PVOID          handle;
    SIZE_T         size = 0;
    UNICODE_STRING empty = { 0, 0, NULL };
    (void)state;
    assert_int_equal(IoReserveKsrPersistentMemory(NULL, NULL, 8, 0, &handle), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, 0, 0, &handle), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, 8, 1, &handle), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, 8, 0, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoReserveKsrPersistentMemoryEx(&driver, NULL, &empty, NULL, 0, 8, 0, &handle), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, (SIZE_T)1 << 40, 0, &handle), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(IoQueryKsrPersistentMemorySize(&driver, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoAcquireKsrPersistentMemory(&driver, NULL, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoAcquireKsrPersistentMemory(&driver, NULL, NULL, &size), STATUS_NOT_FOUND);
    assert_int_equal(IoEnumerateKsrPersistentMemoryEx(&driver, NULL, NULL, NULL, NULL), STATUS_INVALID_PARAMETER);
}

static void there_is_a_limit(void **state)
{
    PVOID handle;
    (void)state;
    for (USHORT tag = 0; tag < 16; tag++)
        (void)reserve(&driver, tag, 0, 1u << 20);
    assert_int_equal(IoReserveKsrPersistentMemoryEx(&driver, NULL, &id, &(USHORT){ 99 }, 0, 1, 0, &handle), STATUS_INSUFFICIENT_RESOURCES);
    assert_null(handle);
}

static void injected_failure(void **state)
{
    PVOID handle;
    (void)state;
    ntmm_fail_allocation(1);
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, 8, 0, &handle), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, 8, 0, &handle), STATUS_SUCCESS);
    ntmm_fail_allocation(1);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "12345678", 8), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(IoWriteKsrPersistentMemory(handle, "12345678", 8), STATUS_SUCCESS);
    ntmm_fail_allocation(0);
}

typedef struct seen {
    unsigned count, stop_after;
    USHORT   tags[8];
    ULONG    versions[8];
} seen_t;

static NTSTATUS note(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Device, PUNICODE_STRING Id, PUSHORT DataTag, PULONG DataVersion, PVOID Context)
{
    seen_t *seen = Context;
    char    buffer[32];
    SIZE_T  size = sizeof buffer;
    assert_ptr_equal(Driver, &driver);
    assert_null(Device);
    assert_ptr_equal(Id, &id);
    seen->tags[seen->count] = *DataTag;
    seen->versions[seen->count] = *DataVersion;
    assert_int_equal(take(&driver, *DataTag, NULL, buffer, &size), STATUS_SUCCESS); /* the callback may take it */
    return ++seen->count == seen->stop_after ? STATUS_CANCELLED : STATUS_SUCCESS;
}

static void enumeration_finds_all_in_order(void **state)
{
    seen_t seen = { 0 };
    (void)state;
    leave_bytes(&driver, 30, 3, "c");
    leave_bytes(&driver, 10, 1, "a");
    leave_bytes(&other_driver, 77, 7, "x");
    leave_bytes(&driver, 20, 2, "b");
    assert_int_equal(IoEnumerateKsrPersistentMemoryEx(&driver, NULL, &id, note, &seen), STATUS_NOT_FOUND);
    ntmm_cmocka_reboot();
    seen.stop_after = 2;
    assert_int_equal(IoEnumerateKsrPersistentMemoryEx(&driver, NULL, &id, note, &seen), STATUS_CANCELLED);
    seen.stop_after = 0;
    assert_int_equal(IoEnumerateKsrPersistentMemoryEx(&driver, NULL, &id, note, &seen), STATUS_SUCCESS);
    assert_int_equal(seen.count, 3);
    assert_true(seen.tags[0] == 30 && seen.tags[1] == 10 && seen.tags[2] == 20);
    assert_true(seen.versions[0] == 3 && seen.versions[1] == 1 && seen.versions[2] == 2);
}

static void above_passive_level(unsigned routine)
{
    SIZE_T size = 8;
    PVOID  handle;
    char   buffer[8] = { 0 };
    switch (routine) {
    case 0: (void)IoReserveKsrPersistentMemory(&driver, NULL, 8, 0, &handle); break;
    case 1: (void)IoReserveKsrPersistentMemoryEx(&driver, NULL, NULL, NULL, 0, 8, 0, &handle); break;
    case 2: (void)IoWriteKsrPersistentMemory(buffer, buffer, 8); break;
    case 3: (void)IoFreeKsrPersistentMemory(buffer); break;
    case 4: (void)IoAcquireKsrPersistentMemory(&driver, NULL, buffer, &size); break;
    case 5: (void)IoAcquireKsrPersistentMemoryEx(&driver, NULL, NULL, NULL, NULL, buffer, &size); break;
    case 6: (void)IoQueryKsrPersistentMemorySize(&driver, NULL, &size); break;
    case 7: (void)IoQueryKsrPersistentMemorySizeEx(&driver, NULL, NULL, NULL, NULL, &size); break;
    default: (void)IoEnumerateKsrPersistentMemoryEx(&driver, NULL, NULL, note, NULL); break;
    }
}

static void passive_level_only(void **state)
{
    KIRQL old;
    (void)state;
    for (volatile unsigned routine = 0; routine < 9; routine++) {
        KeRaiseIrql(APC_LEVEL, &old);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, above_passive_level(routine));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], APC_LEVEL);
        ntmm_cmocka_reboot();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(bytes_survive_one_reboot),
        ntmm_cmocka_test(bytes_not_taken_are_gone),
        ntmm_cmocka_test(only_written_bytes_survive),
        ntmm_cmocka_test(others_do_not_see_it),
        ntmm_cmocka_test(plain_forms_go_by_the_device),
        ntmm_cmocka_test(handles_end_with_the_boot),
        ntmm_cmocka_test(wrong_arguments_are_refused),
        ntmm_cmocka_test(there_is_a_limit),
        ntmm_cmocka_test(injected_failure),
        ntmm_cmocka_test(enumeration_finds_all_in_order),
        ntmm_cmocka_test(passive_level_only),
    };
    driver.DriverName = (UNICODE_STRING){ sizeof driver_name, sizeof driver_name, driver_name };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
