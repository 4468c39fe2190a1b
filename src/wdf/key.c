/*
 * key.c - registry keys as objects: opened or made with the object, closed with it.
 *
 *     WdfRegistryOpenKey, WdfRegistryCreateKey   ZwOpenKey, ZwCreateKey, with a kernel handle         io/registry_key.c
 *      `- wdf_key_new                            the object for it
 *     WdfRegistryClose, or deletion              ZwClose
 *
 * Values are key_values.c.
 *
 * Source      WDK reference: wdfregistry.h; the order of the checks: the published KMDF 1.33.
 */
#include "wdf/key.h"

#include "wdf/driver_object.h"

static void destroy(wdf_object_t *object)
{
    wdf_key_t *key = (wdf_key_t *)object;
    if (key->handle != NULL)
        (void)ZwClose(key->handle);
}

const wdf_type_t wdf_key_type = {
    .name = "WDFKEY", .number = WDF_NUMBER_KEY, .bytes = sizeof(wdf_key_t), .options = WDF_TYPE_PASSIVE_DISPOSE, .destroy = destroy
};

NTSTATUS wdf_string_check(PCUNICODE_STRING text)
{
    bool whole = (text->Length & 1) == 0 && (text->MaximumLength & 1) == 0 && text->Length <= text->MaximumLength;
    return whole && (text->MaximumLength == 0 || text->Buffer != NULL) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS wdf_key_new(HANDLE handle, wdf_object_t *parent, PWDF_OBJECT_ATTRIBUTES attributes, WDFKEY *out)
{
    wdf_key_t *key = NULL;
    NTSTATUS   status = wdf_object_new(&(wdf_new_t){ .type = &wdf_key_type, .attributes = attributes, .parent = parent }, &key);
    if (!NT_SUCCESS(status)) {
        (void)ZwClose(handle);
        return status;
    }
    key->handle = handle;
    status = wdf_object_commit(key, attributes);
    if (NT_SUCCESS(status))
        *out = (WDFKEY)(void *)key;
    else
        wdf_object_abandon(key);
    return status;
}

/* ---- opening ---- */

typedef struct key_want {
    HANDLE           parent; /* NULL: the name is a full path */
    PCUNICODE_STRING name;
    ACCESS_MASK      access;
    bool             create;
    ULONG            options;
    PULONG           disposition;
} key_want_t;

static NTSTATUS open_handle(const key_want_t *want, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, (PUNICODE_STRING)(uintptr_t)want->name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, want->parent,
                               NULL);
    return want->create ? ZwCreateKey(handle, want->access, &attributes, 0, NULL, want->options, want->disposition)
                        : ZwOpenKey(handle, want->access, &attributes);
}

static NTSTATUS open_key(key_want_t *want, WDFKEY parent, PWDF_OBJECT_ATTRIBUTES attributes, const char *routine, WDFKEY *out)
{
    HANDLE handle = NULL;
    if (parent != NULL)
        want->parent = ((wdf_key_t *)wdf_from_handle(routine, parent, &wdf_key_type))->handle;
    if (want->name == NULL || out == NULL)
        wdf_stop_null(routine, KE_CALLER());
    *out = NULL;
    NTSTATUS status = wdf_attributes_check(attributes, 0);
    if (NT_SUCCESS(status))
        status = wdf_string_check(want->name);
    if (NT_SUCCESS(status))
        status = open_handle(want, &handle);
    return NT_SUCCESS(status) ? wdf_key_new(handle, NULL, attributes, out) : status;
}

NTSTATUS WdfRegistryOpenKey(WDFKEY ParentKey, PCUNICODE_STRING KeyName, ACCESS_MASK DesiredAccess, PWDF_OBJECT_ATTRIBUTES KeyAttributes,
                            WDFKEY *Key)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    key_want_t want = { .name = KeyName, .access = DesiredAccess };
    return open_key(&want, ParentKey, KeyAttributes, __func__, Key);
}

NTSTATUS WdfRegistryCreateKey(WDFKEY ParentKey, PCUNICODE_STRING KeyName, ACCESS_MASK DesiredAccess, ULONG CreateOptions,
                              PULONG CreateDisposition, PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    key_want_t want = {
        .name = KeyName, .access = DesiredAccess, .create = true, .options = CreateOptions, .disposition = CreateDisposition
    };
    return open_key(&want, ParentKey, KeyAttributes, __func__, Key);
}

/* ---- closing, deleting ---- */

VOID WdfRegistryClose(WDFKEY Key)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_key_t *key = WDF_FROM(Key, &wdf_key_type);
    HANDLE     handle = key->handle;
    key->handle = NULL;
    if (handle != NULL)
        (void)ZwClose(handle);
    wdf_object_delete(&key->object);
}

HANDLE WdfRegistryWdmGetHandle(WDFKEY Key)
{
    WDF_ENTER(PASSIVE_LEVEL, NULL);
    wdf_key_t *key = WDF_FROM(Key, &wdf_key_type);
    return key->handle;
}

NTSTATUS WdfRegistryRemoveKey(WDFKEY Key)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_key_t *key = WDF_FROM(Key, &wdf_key_type);
    NTSTATUS   status = ZwDeleteKey(key->handle);
    if (NT_SUCCESS(status))
        wdf_object_delete(&key->object);
    return status;
}

/* ---- the driver's own ---- */

NTSTATUS WdfDriverOpenParametersRegistryKey(WDFDRIVER Driver, ACCESS_MASK DesiredAccess, PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_driver_object_t *driver = WDF_FROM(Driver, &wdf_driver_type);
    UNICODE_STRING       parameters = RTL_CONSTANT_STRING(L"Parameters");
    HANDLE               service = NULL, handle = NULL;
    WDF_REQUIRE(Key);
    *Key = NULL;
    NTSTATUS status = wdf_attributes_check(KeyAttributes, 0);
    if (NT_SUCCESS(status))
        status = open_handle(&(key_want_t){ .name = &driver->path, .access = KEY_READ }, &service);
    if (!NT_SUCCESS(status))
        return status;
    status = open_handle(&(key_want_t){ .parent = service, .name = &parameters, .access = DesiredAccess, .create = true }, &handle);
    (void)ZwClose(service);
    return NT_SUCCESS(status) ? wdf_key_new(handle, &driver->object, KeyAttributes, Key) : status;
}
