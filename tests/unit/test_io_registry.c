/*
 * test_io_registry.c - keys and values by handle and by path, the keys of devices and drivers, and the test's side of it.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <string.h>

#define SERVICE "Services\\Test\\Parameters"

static UNICODE_STRING parameters = RTL_CONSTANT_STRING(L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Test\\Parameters");
static UNICODE_STRING depth = RTL_CONSTANT_STRING(L"Depth"), name_of_it = RTL_CONSTANT_STRING(L"name"), none = RTL_CONSTANT_STRING(L"None");

static HANDLE open_key(HANDLE root, PUNICODE_STRING path, NTSTATUS expected)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE            key;
    InitializeObjectAttributes(&attributes, path, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, root, NULL);
    assert_int_equal(ZwOpenKey(&key, KEY_READ, &attributes), expected);
    return key;
}
static HANDLE create_key(HANDLE root, const WCHAR *path, ULONG options, ULONG disposition, NTSTATUS expected)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING    name;
    HANDLE            key;
    ULONG             became = 0;
    RtlInitUnicodeString(&name, path);
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, root, NULL);
    assert_int_equal(ZwCreateKey(&key, KEY_ALL_ACCESS, &attributes, 0, NULL, options, &became), expected);
    assert_int_equal(became, disposition);
    return key;
}

/* ---- by handle ---- */

static void values_of_a_key(void **state)
{
    UCHAR                          room[64];
    KEY_VALUE_PARTIAL_INFORMATION *partial = (PVOID)room;
    KEY_VALUE_FULL_INFORMATION    *full = (PVOID)room;
    KEY_VALUE_BASIC_INFORMATION   *basic = (PVOID)room;
    ULONG                          bytes, number;
    uint32_t                       type;
    (void)state;
    assert_int_equal(ntmm_registry_set_number(SERVICE, "depth", 7), 0);
    HANDLE key = open_key(NULL, &parameters, STATUS_SUCCESS);
    assert_int_equal(ZwQueryValueKey(key, &depth, KeyValuePartialInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_true(bytes == 16 && partial->Type == REG_DWORD && partial->DataLength == 4 && *(ULONG *)(PVOID)partial->Data == 7);
    assert_int_equal(ZwQueryValueKey(key, &depth, KeyValuePartialInformation, room, 14, &bytes), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(bytes, 16);
    assert_int_equal(ZwQueryValueKey(key, &depth, KeyValuePartialInformation, NULL, 0, &bytes), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bytes, 16);
    assert_int_equal(ZwQueryValueKey(key, &none, KeyValuePartialInformation, room, sizeof room, &bytes), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ZwQueryValueKey(key, &depth, (KEY_VALUE_INFORMATION_CLASS)77, room, sizeof room, &bytes), STATUS_INVALID_PARAMETER);
    assert_int_equal(ZwSetValueKey(key, &name_of_it, 0, REG_SZ, (PVOID)L"abc", 8), STATUS_SUCCESS);
    assert_int_equal(ntmm_registry_get(SERVICE, "NAME", &type, room, sizeof room), 8);
    assert_true(type == REG_SZ && memcmp(room, L"abc", 8) == 0);
    assert_int_equal(ZwEnumerateValueKey(key, 1, KeyValueFullInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_true(full->DataOffset == 28 && full->DataLength == 8 && memcmp(room + 28, L"abc", 8) == 0 && full->NameLength == 8);
    assert_int_equal(ZwEnumerateValueKey(key, 0, KeyValueBasicInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_true(basic->NameLength == 10 && memcmp(basic->Name, L"depth", 10) == 0);
    assert_int_equal(ZwEnumerateValueKey(key, 0, KeyValuePartialInformationAlign64, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_true(bytes == 12 && ((ULONG *)(PVOID)room)[2] == 7);
    assert_int_equal(ZwEnumerateValueKey(key, 2, KeyValueBasicInformation, room, sizeof room, &bytes), STATUS_NO_MORE_ENTRIES);
    number = 8;
    assert_int_equal(ZwSetValueKey(key, &depth, 0, REG_DWORD, &number, 4), STATUS_SUCCESS);
    assert_int_equal(ntmm_registry_get(SERVICE, "Depth", NULL, &number, 4), 4);
    assert_int_equal(number, 8);
    assert_int_equal(ZwDeleteValueKey(key, &depth), STATUS_SUCCESS);
    assert_int_equal(ZwDeleteValueKey(key, &depth), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ntmm_registry_get(SERVICE, "Depth", NULL, NULL, 0), -ENOENT);
    assert_int_equal(ZwFlushKey(key), STATUS_SUCCESS);
    assert_int_equal(ZwClose(key), STATUS_SUCCESS);
    assert_int_equal(ZwFlushKey((HANDLE)(ULONG_PTR)0x44), STATUS_INVALID_HANDLE);
}

static void keys_below_keys(void **state)
{
    UCHAR                  room[160];
    KEY_BASIC_INFORMATION *basic = (PVOID)room;
    KEY_FULL_INFORMATION  *full = (PVOID)room;
    KEY_NAME_INFORMATION  *name = (PVOID)room;
    UNICODE_STRING         empty = RTL_CONSTANT_STRING(L""), relative = RTL_CONSTANT_STRING(L"Services"), b = RTL_CONSTANT_STRING(L"B"),
                   wrong = RTL_CONSTANT_STRING(L"\\Registrar\\x"), absolute = RTL_CONSTANT_STRING(L"\\Registry");
    ULONG bytes;
    (void)state;
    create_key(NULL, parameters.Buffer, 0, 0, STATUS_OBJECT_NAME_NOT_FOUND); /* Services\Test is not there */
    HANDLE test =
        create_key(NULL, L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Test", 0, REG_CREATED_NEW_KEY, STATUS_SUCCESS);
    HANDLE second = create_key(test, L"b", 0, REG_CREATED_NEW_KEY, STATUS_SUCCESS);
    HANDLE first = create_key(test, L"A", REG_OPTION_VOLATILE, REG_CREATED_NEW_KEY, STATUS_SUCCESS);
    create_key(first, L"below", 0, 0, STATUS_CHILD_MUST_BE_VOLATILE);
    assert_int_equal(ZwClose(create_key(test, L"B", 0, REG_OPENED_EXISTING_KEY, STATUS_SUCCESS)), STATUS_SUCCESS);
    assert_int_equal(ZwEnumerateKey(test, 1, KeyBasicInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_true(basic->NameLength == 2 && basic->Name[0] == 'b' && basic->LastWriteTime.QuadPart != 0);
    assert_int_equal(ZwEnumerateKey(test, 2, KeyBasicInformation, room, sizeof room, &bytes), STATUS_NO_MORE_ENTRIES);
    assert_int_equal(ZwQueryKey(test, KeyFullInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_true(full->SubKeys == 2 && full->Values == 0 && full->MaxNameLen == 2);
    assert_int_equal(ZwQueryKey(second, KeyNameInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    assert_memory_equal(name->Name, L"\\REGISTRY\\Machine\\System\\CurrentControlSet\\Services\\Test\\b", name->NameLength);
    assert_int_equal(ZwQueryKey(second, KeyCachedInformation, room, sizeof room, &bytes), STATUS_INVALID_PARAMETER);
    assert_int_equal(ZwClose(open_key(second, &empty, STATUS_SUCCESS)), STATUS_SUCCESS);
    assert_int_equal(ZwClose(open_key(NULL, &absolute, STATUS_SUCCESS)), STATUS_SUCCESS);
    open_key(NULL, &relative, STATUS_OBJECT_PATH_SYNTAX_BAD);
    open_key(test, &parameters, STATUS_OBJECT_PATH_SYNTAX_BAD);
    open_key(NULL, &wrong, STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ZwDeleteKey(test), STATUS_CANNOT_DELETE);
    assert_int_equal(ZwDeleteKey(second), STATUS_SUCCESS);
    assert_int_equal(ZwDeleteKey(second), STATUS_KEY_DELETED);
    assert_int_equal(ZwQueryKey(second, KeyBasicInformation, room, sizeof room, &bytes), STATUS_KEY_DELETED);
    open_key(test, &b, STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ntmm_registry_delete("Services\\Test"), 0);
    assert_int_equal(ZwSetValueKey(first, &depth, 0, REG_DWORD, &bytes, 4), STATUS_KEY_DELETED);
    assert_int_equal(ZwClose(first), STATUS_SUCCESS);
    assert_int_equal(ZwClose(second), STATUS_SUCCESS);
    assert_int_equal(ZwClose(test), STATUS_SUCCESS);
}

static void wrong_irql(void **state)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE            key;
    KIRQL             old;
    (void)state;
    InitializeObjectAttributes(&attributes, &parameters, OBJ_KERNEL_HANDLE, NULL, NULL);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(APC_LEVEL, &old);
        ZwOpenKey(&key, KEY_READ, &attributes);
    });
}

static void a_handle_left_open_is_a_leak(void **state)
{
    static ntmm_report report;
    (void)state;
    ntmm_registry_set_number(SERVICE, "x", 1);
    open_key(NULL, &parameters, STATUS_SUCCESS);
    assert_int_equal(ntmm_shutdown(&report), 2); /* the handle and the key object */
    assert_int_equal(ntmm_boot(NULL), 0);
    assert_int_equal(ntmm_registry_get(SERVICE, "x", NULL, NULL, 0), -ENOENT); /* empty at each boot */
}

static void every_failed_allocation(void *context)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE            key;
    ULONG             number = 1;
    (void)context;
    InitializeObjectAttributes(&attributes, &parameters, OBJ_KERNEL_HANDLE, NULL, NULL);
    ntmm_registry_set_number(SERVICE, "x", 1);
    if (NT_SUCCESS(ZwOpenKey(&key, KEY_ALL_ACCESS, &attributes))) {
        (void)ZwSetValueKey(key, &depth, 0, REG_DWORD, &number, 4);
        ZwClose(key);
    }
    (void)RtlWriteRegistryValue(RTL_REGISTRY_SERVICES, L"Test", L"y", REG_DWORD, &number, 4);
}
static void without_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(every_failed_allocation, NULL) >= 6);
}

/* ---- by path ---- */

static int      strings, calls;
static NTSTATUS for_each_string(PWSTR name, ULONG type, PVOID data, ULONG bytes, PVOID context, PVOID entry)
{
    assert_ptr_equal(context, &strings);
    assert_ptr_equal(entry, &calls);
    calls++;
    if (data == NULL)
        return type == REG_NONE ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    strings += type == REG_SZ && bytes == 4 && ((PWSTR)data)[0] == 'a' + strings && name[0] == 'm';
    return STATUS_SUCCESS;
}
static NTSTATUS fails(PWSTR name, ULONG type, PVOID data, ULONG bytes, PVOID context, PVOID entry)
{
    (void)name;
    (void)type;
    (void)data;
    (void)bytes;
    (void)context;
    (void)entry;
    return STATUS_ACCESS_DENIED;
}

static void direct_queries(void **state)
{
    ULONG                    number = 0, fallback = 99, missing = 5;
    UNICODE_STRING           text = { 0 }, small = { 0, 4, (WCHAR[2]){ 0 } };
    RTL_QUERY_REGISTRY_TABLE table[5] = {
        { .Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_TYPECHECK, .Name = (PWSTR)L"Depth", .EntryContext = &number },
        { .Flags = RTL_QUERY_REGISTRY_DIRECT, .Name = (PWSTR)L"None", .EntryContext = &missing, .DefaultType = REG_DWORD },
        { .Flags = RTL_QUERY_REGISTRY_DIRECT, .Name = (PWSTR)L"Text", .EntryContext = &text },
    };
    (void)state;
    table[0].DefaultType = (REG_DWORD << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT) | REG_NONE;
    table[1].DefaultData = &fallback;
    table[1].DefaultLength = 4;
    ntmm_registry_set_number(SERVICE, "Depth", 7);
    ntmm_registry_set_text(SERVICE, "Text", "hello");
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, NULL, NULL), STATUS_SUCCESS);
    assert_true(number == 7 && missing == 99 && text.Length == 10 && text.MaximumLength == 12);
    assert_memory_equal(text.Buffer, L"hello", 12);
    ExFreePool(text.Buffer);
    table[2].EntryContext = &small;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, NULL, NULL), STATUS_BUFFER_TOO_SMALL);
    table[0].DefaultType = (ULONG)REG_SZ << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, parameters.Buffer, table, NULL, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    table[0].QueryRoutine = fails; /* and DIRECT */
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, parameters.Buffer, table, NULL, NULL), STATUS_INVALID_PARAMETER);
}

static void direct_queries_of_bytes(void **state)
{
    struct {
        LONG  size;
        ULONG type;
        UCHAR data[8];
    } room = { .size = sizeof room };
    UCHAR                    bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, plain[8];
    LONG                     minus_eight = -8;
    RTL_QUERY_REGISTRY_TABLE table[2] = { { .Flags = RTL_QUERY_REGISTRY_DIRECT, .Name = (PWSTR)L"Bytes", .EntryContext = &room } };
    (void)state;
    ntmm_registry_set(SERVICE, "Bytes", REG_BINARY, bytes, 8);
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, NULL, NULL), STATUS_SUCCESS);
    assert_true(room.size == 8 && room.type == REG_BINARY && memcmp(room.data, bytes, 8) == 0);
    memcpy(plain, &minus_eight, 4);
    table[0].EntryContext = plain;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, NULL, NULL), STATUS_SUCCESS);
    assert_memory_equal(plain, bytes, 8);
    room.size = 15;
    table[0].EntryContext = &room;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, NULL, NULL), STATUS_BUFFER_TOO_SMALL);
}

static void queries_with_routines(void **state)
{
    RTL_QUERY_REGISTRY_TABLE table[4] = {
        { .QueryRoutine = for_each_string, .Name = (PWSTR)L"multi", .EntryContext = &calls },
        { .QueryRoutine = for_each_string, .Flags = RTL_QUERY_REGISTRY_NOVALUE, .EntryContext = &calls },
        { .QueryRoutine = for_each_string, .Name = (PWSTR)L"not there", .EntryContext = &calls },
    };
    (void)state;
    strings = calls = 0;
    ntmm_registry_set(SERVICE, "multi", REG_MULTI_SZ, L"a\0b\0c\0", 14);
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, &strings, NULL), STATUS_SUCCESS);
    assert_true(strings == 3 && calls == 4);
    table[2].Flags = RTL_QUERY_REGISTRY_REQUIRED;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test\\Parameters", table, &strings, NULL),
                     STATUS_OBJECT_NAME_NOT_FOUND);
    strings = calls = 0;
    memset(table, 0, sizeof table);
    table[0] = (RTL_QUERY_REGISTRY_TABLE){ .Flags = RTL_QUERY_REGISTRY_SUBKEY, .Name = (PWSTR)L"Parameters" };
    table[1] = (RTL_QUERY_REGISTRY_TABLE){ .QueryRoutine = for_each_string, .EntryContext = &calls }; /* all values */
    table[2] = (RTL_QUERY_REGISTRY_TABLE){ .QueryRoutine = fails, .Flags = RTL_QUERY_REGISTRY_TOPKEY, .Name = (PWSTR)L"multi" };
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test", table, &strings, NULL), STATUS_SUCCESS);
    assert_int_equal(strings, 3); /* the last row is about Test itself, which has no such value */
    table[0].Name = (PWSTR)L"Elsewhere";
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test", table, &strings, NULL), STATUS_SUCCESS);
    assert_int_equal(strings, 3); /* rows about a subkey that is not there are skipped */
    table[0].Name = (PWSTR)L"Parameters";
    table[1].QueryRoutine = fails;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"Test", table, &strings, NULL), STATUS_ACCESS_DENIED);
    table[0] = (RTL_QUERY_REGISTRY_TABLE){ .QueryRoutine = for_each_string,
                                           .Flags = RTL_QUERY_REGISTRY_DELETE | RTL_QUERY_REGISTRY_NOEXPAND,
                                           .Name = (PWSTR)L"multi",
                                           .EntryContext = &calls };
    table[1] = table[3];
    HANDLE key = open_key(NULL, &parameters, STATUS_SUCCESS);
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_HANDLE, key, table, &strings, NULL), STATUS_SUCCESS);
    ZwClose(key);
    assert_int_equal(ntmm_registry_get(SERVICE, "multi", NULL, NULL, 0), -ENOENT);
}

static void what_users_may_write(void **state)
{
    ULONG                    number;
    RTL_QUERY_REGISTRY_TABLE table[2] = { { .Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_TYPECHECK,
                                            .Name = (PWSTR)L"x",
                                            .EntryContext = &number,
                                            .DefaultType = (ULONG)REG_DWORD << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT } };
    (void)state;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_USER, L"", table, NULL, NULL), STATUS_SUCCESS);
    table[0].Flags = RTL_QUERY_REGISTRY_DIRECT;
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, 12, RtlQueryRegistryValues(RTL_REGISTRY_USER, L"", table, NULL, NULL));
}

static void written_by_path(void **state)
{
    ULONG number = 3, read = 0;
    (void)state;
    assert_int_equal(RtlCheckRegistryKey(RTL_REGISTRY_DEVICEMAP, (PWSTR)L"SERIALCOMM"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(RtlWriteRegistryValue(RTL_REGISTRY_DEVICEMAP, L"SERIALCOMM", L"Device0", REG_SZ, (PVOID)L"COM1", 10), STATUS_SUCCESS);
    assert_int_equal(RtlCheckRegistryKey(RTL_REGISTRY_DEVICEMAP, (PWSTR)L"SERIALCOMM"), STATUS_SUCCESS);
    assert_int_equal(ntmm_registry_get("\\Registry\\Machine\\Hardware\\DeviceMap\\SerialComm", "Device0", NULL, NULL, 0), 10);
    assert_int_equal(RtlDeleteRegistryValue(RTL_REGISTRY_DEVICEMAP, L"SERIALCOMM", L"Device0"), STATUS_SUCCESS);
    assert_int_equal(RtlDeleteRegistryValue(RTL_REGISTRY_DEVICEMAP, L"SERIALCOMM", L"Device0"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(RtlCreateRegistryKey(RTL_REGISTRY_CONTROL, (PWSTR)L"One\\Two"), STATUS_SUCCESS);
    assert_int_equal(RtlCheckRegistryKey(RTL_REGISTRY_CONTROL, (PWSTR)L"one\\two"), STATUS_SUCCESS);
    assert_int_equal(RtlWriteRegistryValue(RTL_REGISTRY_ABSOLUTE, parameters.Buffer, L"n", REG_DWORD, &number, 4), STATUS_SUCCESS);
    assert_int_equal(ntmm_registry_get(SERVICE, "n", NULL, &read, 4), 4);
    assert_int_equal(read, 3);
    assert_int_equal(RtlQueryRegistryValues(17, L"x", &(RTL_QUERY_REGISTRY_TABLE){ 0 }, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(ntmm_registry_set("\\Elsewhere", "x", REG_DWORD, &number, 4), -EINVAL);
}

/* ---- of devices and drivers ---- */

static VOID     unload(PDRIVER_OBJECT driver) { (void)driver; }
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    ULONG                    number = 0;
    RTL_QUERY_REGISTRY_TABLE table[2] = { { .Flags = RTL_QUERY_REGISTRY_DIRECT, .Name = (PWSTR)L"Start", .EntryContext = &number } };
    driver->DriverUnload = unload;
    assert_int_equal(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, path->Buffer, table, NULL, NULL), STATUS_SUCCESS);
    return number == 3 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
static void keys_of_devices_and_drivers(void **state)
{
    HANDLE key;
    (void)state;
    assert_int_equal(ntmm_registry_set_number("Services\\Mine", "Start", 3), 0);
    PDRIVER_OBJECT driver = ntmm_driver_load_as("Mine", DriverEntry);
    assert_non_null(driver);
    assert_int_equal(IoOpenDriverRegistryKey(driver, DriverRegKeyParameters, KEY_ALL_ACCESS, 0, &key), STATUS_SUCCESS);
    assert_int_equal(ZwSetValueKey(key, &depth, 0, REG_DWORD, &key, 4), STATUS_SUCCESS);
    ZwClose(key);
    assert_int_equal(ntmm_registry_get("Services\\Mine\\Parameters", "Depth", NULL, NULL, 0), 4);
    assert_int_equal(IoOpenDriverRegistryKey(driver, DriverRegKeyParameters, KEY_ALL_ACCESS, 1, &key), STATUS_INVALID_PARAMETER);
    assert_int_equal(ntmm_driver_unload(driver), 0);

    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    assert_int_equal(ntmm_registry_set_number("Enum\\NTMM\\00000001\\Device Parameters", "Depth", 5), 0);
    assert_int_equal(IoOpenDeviceRegistryKey(physical, PLUGPLAY_REGKEY_DEVICE, KEY_READ, &key), STATUS_SUCCESS);
    UCHAR room[32];
    ULONG bytes;
    assert_int_equal(ZwQueryValueKey(key, &depth, KeyValuePartialInformation, room, sizeof room, &bytes), STATUS_SUCCESS);
    ZwClose(key);
    assert_int_equal(IoOpenDeviceRegistryKey(physical, PLUGPLAY_REGKEY_DRIVER, KEY_READ, &key), STATUS_SUCCESS);
    ZwClose(key);
    assert_int_equal(IoOpenDeviceRegistryKey(physical, 0, KEY_READ, &key), STATUS_INVALID_PARAMETER);
    UNICODE_STRING link;
    GUID           guid = { .Data1 = 1 };
    assert_int_equal(IoRegisterDeviceInterface(physical, &guid, NULL, &link), STATUS_SUCCESS);
    assert_int_equal(IoOpenDeviceInterfaceRegistryKey(&link, KEY_READ, &key), STATUS_SUCCESS);
    ZwClose(key);
    assert_int_equal(IoOpenDeviceInterfaceRegistryKey(&none, KEY_READ, &key), STATUS_OBJECT_NAME_NOT_FOUND);
    RtlFreeUnicodeString(&link);
    ntmm_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(values_of_a_key),
        ntmm_cmocka_test(keys_below_keys),
        ntmm_cmocka_test(wrong_irql),
        ntmm_cmocka_test(a_handle_left_open_is_a_leak),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(direct_queries),
        ntmm_cmocka_test(direct_queries_of_bytes),
        ntmm_cmocka_test(queries_with_routines),
        ntmm_cmocka_test(what_users_may_write),
        ntmm_cmocka_test(written_by_path),
        ntmm_cmocka_test(keys_of_devices_and_drivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
