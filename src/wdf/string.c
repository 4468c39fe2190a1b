/*
 * string.c - string objects.
 *
 * Locks       none: PASSIVE_LEVEL, and the driver's affair.
 * Source      WDK reference: wdfstring.h; wdfdriver.h, WdfDriverRetrieveVersionString.
 */
#include "wdf/string.h"

#include <string.h>

#include "wdf/driver_object.h"

static void string_destroy(wdf_object_t *object)
{
    wdf_string_t *string = (wdf_string_t *)object;
    if (string->text.Buffer != NULL)
        ExFreePoolWithTag(string->text.Buffer, object->driver->globals.DriverTag);
}

const wdf_type_t wdf_string_type = {
    .name = "WDFSTRING",
    .number = WDF_NUMBER_STRING,
    .bytes = sizeof(wdf_string_t),
    .options = WDF_TYPE_PASSIVE_DISPOSE,
    .destroy = string_destroy,
};

NTSTATUS wdf_string_assign(wdf_string_t *string, PCUNICODE_STRING text)
{
    SIZE_T bytes = (SIZE_T)text->Length + sizeof(WCHAR);
    PWCH   copy = bytes <= MAXUSHORT ? ExAllocatePool2(POOL_FLAG_PAGED, bytes, string->object.driver->globals.DriverTag) : NULL;
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(copy, text->Buffer, text->Length);
    string_destroy(&string->object);
    string->text = (UNICODE_STRING){ .Length = text->Length, .MaximumLength = (USHORT)bytes, .Buffer = copy };
    return STATUS_SUCCESS;
}

static bool is_string(PCUNICODE_STRING text)
{
    return (text->Length & 1) == 0 && (text->MaximumLength & 1) == 0 && text->Length <= text->MaximumLength &&
           (text->MaximumLength == 0 || text->Buffer != NULL);
}

NTSTATUS WdfStringCreate(PCUNICODE_STRING UnicodeString, PWDF_OBJECT_ATTRIBUTES StringAttributes, WDFSTRING *String)
{
    wdf_string_t *string;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(String);
    *String = NULL;
    NTSTATUS status =
        UnicodeString == NULL || is_string(UnicodeString) ? wdf_attributes_check(StringAttributes, 0) : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &wdf_string_type, .attributes = StringAttributes }, &string);
    if (!NT_SUCCESS(status))
        return status;
    if (UnicodeString != NULL)
        status = wdf_string_assign(string, UnicodeString);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(string, StringAttributes);
    if (NT_SUCCESS(status))
        *String = (WDFSTRING)string;
    else
        wdf_object_abandon(string);
    return status;
}

VOID WdfStringGetUnicodeString(WDFSTRING String, PUNICODE_STRING UnicodeString)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    const wdf_string_t *string = WDF_FROM(String, &wdf_string_type);
    WDF_REQUIRE(UnicodeString);
    *UnicodeString = string->text;
}

NTSTATUS WdfDriverRetrieveVersionString(WDFDRIVER Driver, WDFSTRING String)
{
    static const WCHAR          text[] = L"Kernel Mode Driver Framework version 1.33.0";
    static const UNICODE_STRING version = { sizeof text - sizeof(WCHAR), sizeof text, (PWCH)(uintptr_t)text };
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    (void)WDF_FROM(Driver, &wdf_driver_type);
    WDF_REQUIRE(String);
    return wdf_string_assign(WDF_FROM(String, &wdf_string_type), &version);
}
