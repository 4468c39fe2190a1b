/*
 * key_values.c - values of registry keys, in and out of buffers, memory objects, strings and collections of strings.
 *
 *     reading    WdfRegistryQuery...  -->  read_value: the value with its header, in paged pool  -->  type, then what was asked for
 *     writing    WdfRegistryAssign... -->  ZwSetValueKey
 *
 * Units       bytes; texts end with a null in the registry, and two end a REG_MULTI_SZ.
 * Source      WDK reference: wdfregistry.h; the order of the checks, and a value without bytes: the published KMDF 1.33.
 * Fidelity    strings that were made for a REG_MULTI_SZ are deleted when one of the later ones fails; Windows leaves them to their parent.
 */
#include <string.h>

#include "wdf/key.h"
#include "wdf/string.h"

#define TAG_VALUE NTMM_TAG("FxVa")

static const ULONG header_bytes = FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data);

/* ---- reading ---- */

/* What a driver passes for a value's name, checked; the key. */
static NTSTATUS enter(const char *routine, WDFKEY handle, PCUNICODE_STRING name, wdf_key_t **key)
{
    *key = (void *)wdf_from_handle(routine, handle, &wdf_key_type);
    if (name == NULL)
        wdf_stop_null(routine, KE_CALLER());
    return wdf_string_check(name);
}

static NTSTATUS query(const wdf_key_t *key, PCUNICODE_STRING name, KEY_VALUE_PARTIAL_INFORMATION *value, ULONG bytes)
{
    ULONG length;
    return ZwQueryValueKey(key->handle, (PUNICODE_STRING)(uintptr_t)name, KeyValuePartialInformation, value, bytes, &length);
}

static NTSTATUS value_make(ULONG data_bytes, KEY_VALUE_PARTIAL_INFORMATION **value)
{
    *value = data_bytes <= MAXULONG - header_bytes - 4 ? ExAllocatePool2(POOL_FLAG_PAGED, header_bytes + data_bytes + 4u, TAG_VALUE) : NULL;
    return *value != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* All of a value; STATUS_RESOURCE_DATA_NOT_FOUND: it has no bytes. To be freed. */
static NTSTATUS read_value(const wdf_key_t *key, PCUNICODE_STRING name, KEY_VALUE_PARTIAL_INFORMATION **value)
{
    KEY_VALUE_PARTIAL_INFORMATION header = { .DataLength = 0 };
    NTSTATUS                      status = query(key, name, &header, header_bytes);
    *value = NULL;
    if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW)
        return status;
    if (header.DataLength == 0)
        return STATUS_RESOURCE_DATA_NOT_FOUND;
    status = value_make(header.DataLength, value);
    if (NT_SUCCESS(status))
        status = query(key, name, *value, header_bytes + header.DataLength);
    if (!NT_SUCCESS(status) && *value != NULL) {
        ExFreePoolWithTag(*value, TAG_VALUE);
        *value = NULL;
    }
    return status;
}

static void free_value(KEY_VALUE_PARTIAL_INFORMATION *value)
{
    if (value != NULL)
        ExFreePoolWithTag(value, TAG_VALUE);
}

NTSTATUS WdfRegistryQueryValue(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG ValueLength, PVOID Value, PULONG ValueLengthQueried,
                               PULONG ValueType)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t                     *key;
    KEY_VALUE_PARTIAL_INFORMATION *value = NULL;
    NTSTATUS                       status = enter(__func__, Key, ValueName, &key);
    ULONG                          room = Value != NULL ? ValueLength : 0;
    if (NT_SUCCESS(status))
        status = value_make(room, &value);
    if (NT_SUCCESS(status))
        status = query(key, ValueName, value, header_bytes + room);
    if (NT_SUCCESS(status) && Value != NULL)
        memcpy(Value, value->Data, value->DataLength);
    if ((NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW) && ValueLengthQueried != NULL)
        *ValueLengthQueried = value->DataLength;
    if ((NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW) && ValueType != NULL)
        *ValueType = value->Type;
    free_value(value);
    return status;
}

NTSTATUS WdfRegistryQueryMemory(WDFKEY Key, PCUNICODE_STRING ValueName, POOL_TYPE PoolType, PWDF_OBJECT_ATTRIBUTES MemoryAttributes,
                                WDFMEMORY *Memory, PULONG ValueType)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t                     *key;
    KEY_VALUE_PARTIAL_INFORMATION *value = NULL;
    PVOID                          buffer;
    NTSTATUS                       status = enter(__func__, Key, ValueName, &key);
    WDF_REQUIRE(Memory);
    *Memory = NULL;
    if (NT_SUCCESS(status))
        status = read_value(key, ValueName, &value);
    if (NT_SUCCESS(status))
        status = WdfMemoryCreate(MemoryAttributes, PoolType, 0, value->DataLength, Memory, &buffer);
    if (NT_SUCCESS(status)) {
        memcpy(buffer, value->Data, value->DataLength);
        if (ValueType != NULL)
            *ValueType = value->Type;
    }
    free_value(value);
    return status;
}

NTSTATUS WdfRegistryQueryULong(WDFKEY Key, PCUNICODE_STRING ValueName, PULONG Value)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t                    *key;
    KEY_VALUE_PARTIAL_INFORMATION value = { .DataLength = 0 };
    NTSTATUS                      status = enter(__func__, Key, ValueName, &key);
    WDF_REQUIRE(Value);
    if (NT_SUCCESS(status))
        status = query(key, ValueName, &value, header_bytes + sizeof(ULONG));
    if ((NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW) && (value.Type != REG_DWORD || value.DataLength != sizeof(ULONG)))
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (NT_SUCCESS(status))
        memcpy(Value, value.Data, sizeof(ULONG));
    return status;
}

/* ---- texts ---- */

static bool is_text(ULONG type) { return type == REG_SZ || type == REG_EXPAND_SZ || type == REG_MULTI_SZ; }

/* One text of a value, without its null. */
static UNICODE_STRING text_of(const void *data, ULONG bytes)
{
    const WCHAR *first = data;
    if (bytes >= sizeof(WCHAR) && first[bytes / sizeof(WCHAR) - 1] == 0)
        bytes -= (ULONG)sizeof(WCHAR);
    return (UNICODE_STRING){ .Length = (USHORT)bytes, .MaximumLength = (USHORT)bytes, .Buffer = (PWSTR)(uintptr_t)data };
}

static NTSTATUS copy_text(const wdf_key_t *key, PCUNICODE_STRING name, PUSHORT bytes, PUNICODE_STRING text)
{
    KEY_VALUE_PARTIAL_INFORMATION *value;
    ULONG                          room = text != NULL ? text->MaximumLength : 0;
    NTSTATUS                       status = value_make(room, &value);
    if (!NT_SUCCESS(status))
        return status;
    status = query(key, name, value, header_bytes + room);
    if (NT_SUCCESS(status) && !is_text(value->Type))
        status = STATUS_OBJECT_TYPE_MISMATCH;
    if ((NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW) && bytes != NULL)
        *bytes = (USHORT)value->DataLength;
    if (NT_SUCCESS(status) && text != NULL) {
        memcpy(text->Buffer, value->Data, value->DataLength);
        text->Length = text_of(value->Data, value->DataLength).Length;
    }
    free_value(value);
    return status;
}

NTSTATUS WdfRegistryQueryUnicodeString(WDFKEY Key, PCUNICODE_STRING ValueName, PUSHORT ValueByteLength, PUNICODE_STRING Value)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t *key;
    NTSTATUS   status = enter(__func__, Key, ValueName, &key);
    if (NT_SUCCESS(status) && Value != NULL)
        status = Value->MaximumLength != 0 ? wdf_string_check(Value) : STATUS_INVALID_PARAMETER;
    return NT_SUCCESS(status) ? copy_text(key, ValueName, ValueByteLength, Value) : status;
}

NTSTATUS WdfRegistryQueryString(WDFKEY Key, PCUNICODE_STRING ValueName, WDFSTRING String)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t                     *key;
    KEY_VALUE_PARTIAL_INFORMATION *value = NULL;
    NTSTATUS                       status = enter(__func__, Key, ValueName, &key);
    wdf_string_t                  *string = WDF_FROM(String, &wdf_string_type);
    if (NT_SUCCESS(status))
        status = read_value(key, ValueName, &value);
    if (NT_SUCCESS(status) && !is_text(value->Type))
        status = STATUS_OBJECT_TYPE_MISMATCH;
    if (NT_SUCCESS(status) && value->DataLength > MAXUSHORT)
        status = STATUS_INVALID_BUFFER_SIZE;
    if (NT_SUCCESS(status)) {
        UNICODE_STRING text = text_of(value->Data, value->DataLength);
        status = wdf_string_assign(string, &text);
    }
    free_value(value);
    return status;
}

/* ---- several texts ---- */

static bool is_multi_string(const KEY_VALUE_PARTIAL_INFORMATION *value)
{
    const WCHAR *text = (const WCHAR *)(const void *)value->Data;
    size_t       length = value->DataLength / sizeof(WCHAR);
    return value->Type == REG_MULTI_SZ && value->DataLength % sizeof(WCHAR) == 0 && length >= 2 && text[length - 1] == 0 &&
           text[length - 2] == 0;
}

static NTSTATUS add_string(WDFCOLLECTION collection, PCUNICODE_STRING text, PWDF_OBJECT_ATTRIBUTES attributes)
{
    WDFSTRING string;
    NTSTATUS  status = WdfStringCreate(text, attributes, &string);
    if (!NT_SUCCESS(status))
        return status;
    status = WdfCollectionAdd(collection, string);
    if (!NT_SUCCESS(status))
        WdfObjectDelete(string);
    return status;
}

static void remove_strings(WDFCOLLECTION collection, ULONG first)
{
    while (WdfCollectionGetCount(collection) > first) {
        WDFOBJECT string = WdfCollectionGetItem(collection, first);
        WdfCollectionRemoveItem(collection, first);
        WdfObjectDelete(string);
    }
}

static NTSTATUS add_strings(WDFCOLLECTION collection, const WCHAR *text, PWDF_OBJECT_ATTRIBUTES attributes)
{
    ULONG    first = WdfCollectionGetCount(collection);
    NTSTATUS status = STATUS_SUCCESS;
    for (; *text != 0 && NT_SUCCESS(status); text++) {
        UNICODE_STRING one = { .Buffer = (PWSTR)(uintptr_t)text };
        while (*text != 0)
            text++;
        one.Length = one.MaximumLength = (USHORT)((size_t)(text - one.Buffer) * sizeof(WCHAR));
        status = add_string(collection, &one, attributes);
    }
    if (!NT_SUCCESS(status))
        remove_strings(collection, first);
    return status;
}

NTSTATUS WdfRegistryQueryMultiString(WDFKEY Key, PCUNICODE_STRING ValueName, PWDF_OBJECT_ATTRIBUTES StringsAttributes,
                                     WDFCOLLECTION Collection)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t                     *key;
    KEY_VALUE_PARTIAL_INFORMATION *value = NULL;
    NTSTATUS                       status = enter(__func__, Key, ValueName, &key);
    WDF_REQUIRE(Collection);
    if (NT_SUCCESS(status))
        status = read_value(key, ValueName, &value);
    if (NT_SUCCESS(status) && !is_multi_string(value))
        status = STATUS_OBJECT_TYPE_MISMATCH;
    if (NT_SUCCESS(status))
        status = add_strings(Collection, (const WCHAR *)(const void *)value->Data, StringsAttributes);
    free_value(value);
    return status;
}

/* ---- writing ---- */

static NTSTATUS assign(const char *routine, WDFKEY handle, PCUNICODE_STRING name, ULONG type, const void *data, ULONG bytes)
{
    wdf_key_t *key;
    NTSTATUS   status = enter(routine, handle, name, &key);
    if (!NT_SUCCESS(status))
        return status;
    return ZwSetValueKey(key->handle, (PUNICODE_STRING)(uintptr_t)name, 0, type, (PVOID)(uintptr_t)data, bytes);
}

NTSTATUS WdfRegistryRemoveValue(WDFKEY Key, PCUNICODE_STRING ValueName)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t *key;
    NTSTATUS   status = enter(__func__, Key, ValueName, &key);
    return NT_SUCCESS(status) ? ZwDeleteValueKey(key->handle, (PUNICODE_STRING)(uintptr_t)ValueName) : status;
}

NTSTATUS WdfRegistryAssignValue(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG ValueType, ULONG ValueLength, PVOID Value)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return assign(__func__, Key, ValueName, ValueType, Value, ValueLength);
}

NTSTATUS WdfRegistryAssignULong(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG Value)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return assign(__func__, Key, ValueName, REG_DWORD, &Value, sizeof Value);
}

NTSTATUS WdfRegistryAssignMemory(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG ValueType, WDFMEMORY Memory, PWDFMEMORY_OFFSET MemoryOffsets)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Memory);
    size_t bytes, offset = MemoryOffsets != NULL ? MemoryOffsets->BufferOffset : 0;
    char  *buffer = WdfMemoryGetBuffer(Memory, &bytes);
    size_t length = MemoryOffsets != NULL && MemoryOffsets->BufferLength != 0 ? MemoryOffsets->BufferLength : bytes;
    if (MemoryOffsets != NULL && length > SIZE_MAX - offset)
        return STATUS_INTEGER_OVERFLOW;
    if (MemoryOffsets != NULL && MemoryOffsets->BufferLength == 0 && offset <= bytes)
        length = bytes - offset;
    if (offset + length > bytes)
        return STATUS_BUFFER_TOO_SMALL;
    return assign(__func__, Key, ValueName, ValueType, buffer + offset, (ULONG)length);
}

static NTSTATUS assign_text(const char *routine, WDFKEY key, PCUNICODE_STRING name, PCUNICODE_STRING text)
{
    ULONG  bytes = (ULONG)(text->Length + sizeof(WCHAR));
    WCHAR *copy = ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG_VALUE); /* zeroed: the null is there */
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(copy, text->Buffer, text->Length);
    NTSTATUS status = assign(routine, key, name, REG_SZ, copy, bytes);
    ExFreePoolWithTag(copy, TAG_VALUE);
    return status;
}

NTSTATUS WdfRegistryAssignUnicodeString(WDFKEY Key, PCUNICODE_STRING ValueName, PCUNICODE_STRING Value)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Value);
    NTSTATUS status = wdf_string_check(Value);
    return NT_SUCCESS(status) ? assign_text(__func__, Key, ValueName, Value) : status;
}

NTSTATUS WdfRegistryAssignString(WDFKEY Key, PCUNICODE_STRING ValueName, WDFSTRING String)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    UNICODE_STRING text = { .Length = 0 };
    WDF_REQUIRE(String);
    WdfStringGetUnicodeString(String, &text);
    return assign_text(__func__, Key, ValueName, &text);
}

/* Bytes of all strings with their nulls, and one more; 0: there is something else among them. */
static size_t multi_string_bytes(WDFCOLLECTION collection)
{
    size_t bytes = sizeof(WCHAR);
    for (ULONG i = 0; i < WdfCollectionGetCount(collection); i++) {
        UNICODE_STRING text;
        WDFOBJECT      item = WdfCollectionGetItem(collection, i);
        wdf_object_t  *object = wdf_peek_handle(item);
        if (object == NULL || object->type != &wdf_string_type)
            return 0;
        WdfStringGetUnicodeString((WDFSTRING)item, &text);
        bytes += text.Length + sizeof(WCHAR);
    }
    return bytes;
}

static void multi_string_store(WDFCOLLECTION collection, WCHAR *to)
{
    for (ULONG i = 0; i < WdfCollectionGetCount(collection); i++) {
        UNICODE_STRING text;
        WdfStringGetUnicodeString((WDFSTRING)WdfCollectionGetItem(collection, i), &text);
        memcpy(to, text.Buffer, text.Length);
        to += text.Length / sizeof(WCHAR) + 1;
    }
}

NTSTATUS WdfRegistryAssignMultiString(WDFKEY Key, PCUNICODE_STRING ValueName, WDFCOLLECTION StringsCollection)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(StringsCollection);
    size_t bytes = multi_string_bytes(StringsCollection);
    if (bytes == 0 || bytes > MAXULONG)
        return STATUS_INVALID_PARAMETER;
    WCHAR *texts = ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG_VALUE); /* zeroed */
    if (texts == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    multi_string_store(StringsCollection, texts);
    NTSTATUS status = assign(__func__, Key, ValueName, REG_MULTI_SZ, texts, (ULONG)bytes);
    ExFreePoolWithTag(texts, TAG_VALUE);
    return status;
}
