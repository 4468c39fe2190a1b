/*
 * test_wdf_registry.c - registry keys of the framework: opened, made, closed; values in and out of every form; refusals; nothing left.
 */
#include "../support/wdf_driver.h"

#include <wdfregistry.h>

#define KEY "\\Registry\\Machine\\Software\\Test"
static UNICODE_STRING key_name = RTL_CONSTANT_STRING(L"\\Registry\\Machine\\Software\\Test");
static UNICODE_STRING number = RTL_CONSTANT_STRING(L"Number"), text = RTL_CONSTANT_STRING(L"Text"), list = RTL_CONSTANT_STRING(L"List"),
                      none = RTL_CONSTANT_STRING(L"None"), data = RTL_CONSTANT_STRING(L"Data");

static WDFKEY open_key(void)
{
    WDFKEY key;
    assert_int_equal(ntmm_registry_set_number(KEY, "Number", 42), 0);
    assert_int_equal(ntmm_registry_set_text(KEY, "Text", "one two"), 0);
    assert_int_equal(WdfRegistryOpenKey(NULL, &key_name, KEY_ALL_ACCESS, WDF_NO_OBJECT_ATTRIBUTES, &key), STATUS_SUCCESS);
    return key;
}

static WDFSTRING string_make(const WCHAR *from)
{
    UNICODE_STRING unicode;
    WDFSTRING      string;
    RtlInitUnicodeString(&unicode, from);
    assert_int_equal(WdfStringCreate(from != NULL ? &unicode : NULL, WDF_NO_OBJECT_ATTRIBUTES, &string), STATUS_SUCCESS);
    return string;
}

/* ---- keys ---- */

static void opens_makes_and_removes_keys(void **state)
{
    UNICODE_STRING missing = RTL_CONSTANT_STRING(L"\\Registry\\Machine\\Software\\Missing"), below = RTL_CONSTANT_STRING(L"Below");
    WDFKEY         key = open_key(), child, again;
    ULONG          disposition = 0;
    (void)state;
    assert_int_equal(WdfRegistryOpenKey(NULL, &missing, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &child), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_null(child);
    assert_int_equal(
        WdfRegistryCreateKey(key, &below, KEY_ALL_ACCESS, REG_OPTION_NON_VOLATILE, &disposition, WDF_NO_OBJECT_ATTRIBUTES, &child),
        STATUS_SUCCESS);
    assert_int_equal(disposition, REG_CREATED_NEW_KEY);
    assert_non_null(WdfRegistryWdmGetHandle(child));
    assert_int_equal(WdfRegistryOpenKey(key, &below, KEY_ALL_ACCESS, WDF_NO_OBJECT_ATTRIBUTES, &again), STATUS_SUCCESS);
    WdfRegistryClose(again);
    assert_int_equal(WdfRegistryRemoveKey(child), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryOpenKey(key, &below, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &again), STATUS_OBJECT_NAME_NOT_FOUND);
    WdfObjectDelete(key); /* closes, too */
}

static void has_parameters_of_the_driver(void **state)
{
    WDFKEY key;
    ULONG  value;
    (void)state;
    assert_int_equal(WdfDriverOpenParametersRegistryKey(wdf_driver, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key), STATUS_SUCCESS);
    assert_int_equal(ntmm_registry_set_number("\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Test\\Parameters", "Number", 7),
                     0);
    assert_int_equal(WdfRegistryQueryULong(key, &number, &value), STATUS_SUCCESS);
    assert_int_equal(value, 7);
    WdfRegistryClose(key);
}

/* ---- values ---- */

static void numbers(void **state)
{
    WDFKEY key = open_key();
    ULONG  value = 0;
    (void)state;
    assert_int_equal(WdfRegistryQueryULong(key, &number, &value), STATUS_SUCCESS);
    assert_int_equal(value, 42);
    assert_int_equal(WdfRegistryQueryULong(key, &text, &value), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(WdfRegistryQueryULong(key, &none, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(WdfRegistryAssignULong(key, &none, 5), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryULong(key, &none, &value), STATUS_SUCCESS);
    assert_int_equal(value, 5);
    assert_int_equal(WdfRegistryRemoveValue(key, &none), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryULong(key, &none, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    WdfRegistryClose(key);
}

static void bytes(void **state)
{
    WDFKEY           key = open_key();
    char             there[4] = "abc", back[10];
    ULONG            length = 0, type = 0;
    WDFMEMORY        memory, again;
    size_t           size;
    WDFMEMORY_OFFSET part = { .BufferOffset = 1, .BufferLength = 2 };
    (void)state;
    assert_int_equal(WdfRegistryAssignValue(key, &data, REG_BINARY, 4, there), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryValue(key, &data, sizeof back, back, &length, &type), STATUS_SUCCESS);
    assert_int_equal(length, 4);
    assert_int_equal(type, REG_BINARY);
    assert_string_equal(back, "abc");
    assert_int_equal(WdfRegistryQueryValue(key, &data, 0, NULL, &length, &type), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(length, 4);
    assert_int_equal(WdfRegistryQueryValue(key, &data, 3, back, &length, NULL), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(WdfRegistryQueryMemory(key, &data, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory, &type), STATUS_SUCCESS);
    assert_string_equal((char *)WdfMemoryGetBuffer(memory, &size), "abc");
    assert_int_equal(size, 4);
    assert_int_equal(WdfRegistryAssignMemory(key, &none, REG_BINARY, memory, &part), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryValue(key, &none, sizeof back, back, &length, &type), STATUS_SUCCESS);
    assert_int_equal(length, 2);
    assert_memory_equal(back, "bc", 2);
    part.BufferLength = 4;
    assert_int_equal(WdfRegistryAssignMemory(key, &none, REG_BINARY, memory, &part), STATUS_BUFFER_TOO_SMALL);
    part.BufferLength = SIZE_MAX;
    assert_int_equal(WdfRegistryAssignMemory(key, &none, REG_BINARY, memory, &part), STATUS_INTEGER_OVERFLOW);
    assert_int_equal(WdfRegistryAssignValue(key, &none, REG_BINARY, 0, there), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryMemory(key, &none, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &again, NULL), STATUS_RESOURCE_DATA_NOT_FOUND);
    WdfObjectDelete(memory);
    WdfRegistryClose(key);
}

static void texts(void **state)
{
    WDFKEY         key = open_key();
    WCHAR          room[20];
    UNICODE_STRING back = { .MaximumLength = sizeof room, .Buffer = room }, expected = RTL_CONSTANT_STRING(L"one two");
    USHORT         length = 0;
    (void)state;
    assert_int_equal(WdfRegistryQueryUnicodeString(key, &text, &length, &back), STATUS_SUCCESS);
    assert_int_equal(length, 16);
    assert_int_equal(RtlCompareUnicodeString(&back, &expected, FALSE), 0);
    assert_int_equal(WdfRegistryQueryUnicodeString(key, &text, &length, NULL), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(length, 16);
    back.MaximumLength = 8;
    back.Length = 0;
    assert_int_equal(WdfRegistryQueryUnicodeString(key, &text, NULL, &back), STATUS_BUFFER_OVERFLOW);
    back.MaximumLength = 0;
    assert_int_equal(WdfRegistryQueryUnicodeString(key, &text, NULL, &back), STATUS_INVALID_PARAMETER);
    back.MaximumLength = sizeof room;
    assert_int_equal(WdfRegistryQueryUnicodeString(key, &number, NULL, &back), STATUS_OBJECT_TYPE_MISMATCH);

    WDFSTRING string = string_make(NULL);
    assert_int_equal(WdfRegistryQueryString(key, &text, string), STATUS_SUCCESS);
    WdfStringGetUnicodeString(string, &back);
    assert_int_equal(RtlCompareUnicodeString(&back, &expected, FALSE), 0);
    assert_int_equal(WdfRegistryAssignString(key, &none, string), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryAssignUnicodeString(key, &data, &expected), STATUS_SUCCESS);
    back = (UNICODE_STRING){ .MaximumLength = sizeof room, .Buffer = room };
    assert_int_equal(WdfRegistryQueryUnicodeString(key, &none, &length, &back), STATUS_SUCCESS);
    assert_int_equal(length, 16);
    assert_int_equal(WdfRegistryQueryString(key, &number, string), STATUS_OBJECT_TYPE_MISMATCH);
    WdfObjectDelete(string);
    WdfRegistryClose(key);
}

static void several_texts(void **state)
{
    WDFKEY         key = open_key();
    WDFCOLLECTION  there, back;
    WDFSTRING      strings[2] = { string_make(L"first"), string_make(L"second") };
    UNICODE_STRING one, expected = RTL_CONSTANT_STRING(L"second");
    (void)state;
    assert_int_equal(WdfCollectionCreate(WDF_NO_OBJECT_ATTRIBUTES, &there), STATUS_SUCCESS);
    assert_int_equal(WdfCollectionCreate(WDF_NO_OBJECT_ATTRIBUTES, &back), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++)
        assert_int_equal(WdfCollectionAdd(there, strings[i]), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryAssignMultiString(key, &list, there), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryMultiString(key, &list, WDF_NO_OBJECT_ATTRIBUTES, back), STATUS_SUCCESS);
    assert_int_equal(WdfCollectionGetCount(back), 2);
    WdfStringGetUnicodeString((WDFSTRING)WdfCollectionGetItem(back, 1), &one);
    assert_int_equal(RtlCompareUnicodeString(&one, &expected, FALSE), 0);
    assert_int_equal(WdfRegistryQueryMultiString(key, &text, WDF_NO_OBJECT_ATTRIBUTES, back), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(WdfCollectionAdd(there, key), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryAssignMultiString(key, &list, there), STATUS_INVALID_PARAMETER); /* that is no string */
}

/* ---- mistakes, failures ---- */

static void stops_at_mistakes(void **state)
{
    WDFKEY         key = open_key();
    ULONG          value;
    UNICODE_STRING odd = { .Length = 3, .MaximumLength = 4, .Buffer = number.Buffer };
    (void)state;
    assert_int_equal(WdfRegistryQueryULong(key, &odd, &value), STATUS_INVALID_PARAMETER);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfRegistryQueryULong(key, NULL, &value));
    ntmm_cmocka_reboot();
    wdf_driver_load();
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfRegistryQueryULong((WDFKEY)(void *)wdf_driver, &number, &value));
    ntmm_cmocka_reboot();
    wdf_driver_load();
    key = open_key();
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfRegistryQueryULong(key, &number, &value));
}

static void one_life(void *context)
{
    WDFKEY    key;
    WDFMEMORY memory;
    ULONG     value;
    (void)context;
    if (!NT_SUCCESS(WdfRegistryOpenKey(NULL, &key_name, KEY_ALL_ACCESS, WDF_NO_OBJECT_ATTRIBUTES, &key)))
        return;
    (void)WdfRegistryQueryULong(key, &number, &value);
    if (NT_SUCCESS(WdfRegistryQueryMemory(key, &text, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory, NULL)))
        WdfObjectDelete(memory);
    (void)WdfRegistryAssignUnicodeString(key, &data, &text);
    WdfRegistryClose(key);
}

static void survives_every_failure(void **state)
{
    (void)state;
    WdfRegistryClose(open_key());
    assert_true(ntmm_for_each_failure(one_life, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wdf_driver_test(opens_makes_and_removes_keys),
        wdf_driver_test(has_parameters_of_the_driver),
        wdf_driver_test(numbers),
        wdf_driver_test(bytes),
        wdf_driver_test(texts),
        wdf_driver_test(several_texts),
        wdf_driver_test(stops_at_mistakes),
        wdf_driver_test(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
