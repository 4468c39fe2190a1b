/*
 * registry_rtl.c - RtlQueryRegistryValues and its like: values by the path of a key, or by the short names of a few of them.
 *
 *     one row of the table     value there, or its default?   DIRECT: into EntryContext      else: QueryRoutine, for each string of a
 *                              neither: REQUIRED fails                                       REG_MULTI_SZ alone unless NOEXPAND
 *
 * Locks       none here: each value is read through a handle-less key object, and copied before anything is called.
 * Source      WDK reference: wdm.h, RtlQueryRegistryValues, RtlWriteRegistryValue, RtlDeleteRegistryValue, RtlCreateRegistryKey,
 *             RtlCheckRegistryKey; Bug Check 0x139 (12).
 * Fidelity    REG_EXPAND_SZ is handed on as REG_SZ and its variables stay as they are: there is no environment.
 */
#include <stdlib.h>
#include <string.h>

#include "io/registry.h"
#include "io/registry_answer.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"

#define TAG_STRING NTMM_TAG("RtlS")
#define FAST_FAIL_UNSAFE_REGISTRY_ACCESS_CODE 12
#define TYPE_CHECK_SHIFT 24

/* ---- where ---- */

static const WCHAR *place_of(ULONG relative_to)
{
    switch (relative_to & ~(ULONG)RTL_REGISTRY_OPTIONAL) {
    case RTL_REGISTRY_ABSOLUTE: return L"";
    case RTL_REGISTRY_SERVICES: return L"\\Registry\\Machine\\System\\CurrentControlSet\\Services";
    case RTL_REGISTRY_CONTROL: return L"\\Registry\\Machine\\System\\CurrentControlSet\\Control";
    case RTL_REGISTRY_WINDOWS_NT: return L"\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion";
    case RTL_REGISTRY_DEVICEMAP: return L"\\Registry\\Machine\\Hardware\\DeviceMap";
    case RTL_REGISTRY_USER: return L"\\Registry\\User\\.Default";
    default: return NULL;
    }
}

static size_t bytes_of(const WCHAR *text)
{
    size_t count = 0;
    while (text[count] != 0)
        count++;
    return count * sizeof(WCHAR);
}

/* In the host's memory; Buffer NULL: there is no such place, or no memory. */
static UNICODE_STRING full_path(ULONG relative_to, const WCHAR *path)
{
    UNICODE_STRING full = { 0 };
    const WCHAR   *place = place_of(relative_to);
    size_t         front = place != NULL ? bytes_of(place) : 0, back = path != NULL ? bytes_of(path) : 0;
    if (place == NULL || front + back + sizeof(WCHAR) > MAXUSHORT)
        return full;
    full.Buffer = malloc(front + back + 2 * sizeof(WCHAR));
    if (full.Buffer == NULL)
        return full;
    memcpy(full.Buffer, place, front);
    full.Length = (USHORT)front;
    if (front != 0 && back != 0) {
        full.Buffer[front / sizeof(WCHAR)] = '\\';
        full.Length = (USHORT)(front + sizeof(WCHAR));
    }
    if (back != 0)
        memcpy((char *)full.Buffer + full.Length, path, back);
    full.Length = full.MaximumLength = (USHORT)(full.Length + back);
    return full;
}

/* The key's object, referenced: by handle, or opened for the moment. */
static NTSTATUS reach(ULONG relative_to, const WCHAR *path, io_key_create_t create, io_key_object_t **object)
{
    HANDLE handle;
    bool   created;
    *object = NULL;
    if ((relative_to & RTL_REGISTRY_HANDLE) != 0)
        return io_key_reference((HANDLE)(uintptr_t)path, object);
    UNICODE_STRING full = full_path(relative_to, path);
    if (full.Buffer == NULL)
        return place_of(relative_to) == NULL ? STATUS_INVALID_PARAMETER : STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = io_key_open_handle(NULL, &full, create, false, KEY_ALL_ACCESS, OBJ_KERNEL_HANDLE, &handle, &created);
    free(full.Buffer);
    if (!NT_SUCCESS(status))
        return status;
    status = io_key_reference(handle, object);
    (void)ZwClose(handle);
    return status;
}

static NTSTATUS reach_below(io_key_object_t *from, const WCHAR *path, io_key_object_t **object)
{
    UNICODE_STRING name = { .Buffer = (PWSTR)(uintptr_t)path, .Length = (USHORT)bytes_of(path) };
    HANDLE         handle;
    bool           created;
    NTSTATUS       status = io_key_open_handle(from->key, &name, IO_KEY_OPEN, false, KEY_READ, OBJ_KERNEL_HANDLE, &handle, &created);
    *object = NULL;
    if (!NT_SUCCESS(status))
        return status;
    status = io_key_reference(handle, object);
    (void)ZwClose(handle);
    return status;
}

/* ---- one value, in the host's memory ---- */

typedef struct found {
    WCHAR *name; /* with a null */
    ULONG  type;
    char  *data; /* with three nulls behind */
    ULONG  bytes;
    bool   no_memory;
} found_t;

static void copy_found(const WCHAR *name, size_t name_bytes, ULONG type, const void *data, ULONG bytes, found_t *found)
{
    found->name = calloc(1, name_bytes + sizeof(WCHAR));
    found->data = calloc(1, bytes + 4 * sizeof(WCHAR));
    found->no_memory = found->name == NULL || found->data == NULL;
    if (found->no_memory)
        return;
    if (name_bytes != 0)
        memcpy(found->name, name, name_bytes);
    if (bytes != 0)
        memcpy(found->data, data, bytes);
    found->type = type;
    found->bytes = bytes;
}

static void free_found(found_t *found)
{
    free(found->name);
    free(found->data);
}

/* False: there is none. name NULL: by index. */
static bool find(io_key_object_t *object, const WCHAR *name, ULONG index, found_t *found)
{
    UNICODE_STRING wanted = { .Buffer = (PWSTR)(uintptr_t)name, .Length = name != NULL ? (USHORT)bytes_of(name) : 0 };
    *found = (found_t){ .name = NULL };
    io_registry_lock();
    const io_value_t *value = name != NULL ? io_value_find_locked(object->key, &wanted) : io_value_at_locked(object->key, index);
    if (value != NULL)
        copy_found(value->name.Buffer, value->name.Length, value->type, value->data, value->bytes, found);
    io_registry_unlock();
    return value != NULL;
}

static bool is_text(ULONG type) { return type == REG_SZ || type == REG_EXPAND_SZ || type == REG_MULTI_SZ; }

/* ---- into EntryContext ---- */

static NTSTATUS store_text(const found_t *found, PUNICODE_STRING out)
{
    size_t bytes = found->bytes & ~(size_t)1, with_null;
    if (found->type != REG_MULTI_SZ)
        bytes = bytes_of((const WCHAR *)(const void *)found->data);
    with_null = found->type == REG_MULTI_SZ ? bytes : bytes + sizeof(WCHAR);
    if (with_null > MAXUSHORT)
        return STATUS_BUFFER_TOO_SMALL;
    if (out->Buffer == NULL) {
        out->Buffer = ExAllocatePoolWithTag(PagedPool, with_null != 0 ? with_null : sizeof(WCHAR), TAG_STRING);
        if (out->Buffer == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        out->MaximumLength = (USHORT)with_null;
    }
    if (out->MaximumLength < with_null)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(out->Buffer, found->data, with_null);
    out->Length = (USHORT)bytes;
    return STATUS_SUCCESS;
}

/* The buffer begins with its own size; negative: nothing but the data is wanted. */
static NTSTATUS store_bytes(const found_t *found, PVOID out)
{
    LONG   size;
    size_t head = 0, room;
    memcpy(&size, out, sizeof size);
    room = size < 0 ? (size_t) - (int64_t)size : (size_t)size;
    if (size >= 0)
        head = 2 * sizeof(ULONG);
    if (room < head + found->bytes)
        return STATUS_BUFFER_TOO_SMALL;
    if (size >= 0) {
        memcpy(out, &found->bytes, sizeof(ULONG));
        memcpy((char *)out + sizeof(ULONG), &found->type, sizeof(ULONG));
    }
    memcpy((char *)out + head, found->data, found->bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS store(const found_t *found, const RTL_QUERY_REGISTRY_TABLE *row)
{
    ULONG expected = row->DefaultType >> TYPE_CHECK_SHIFT;
    if ((row->Flags & RTL_QUERY_REGISTRY_TYPECHECK) != 0 && expected != found->type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (row->EntryContext == NULL)
        return STATUS_INVALID_PARAMETER;
    if (is_text(found->type))
        return store_text(found, row->EntryContext);
    if (found->bytes > sizeof(ULONG))
        return store_bytes(found, row->EntryContext);
    memcpy(row->EntryContext, found->data, found->bytes);
    return STATUS_SUCCESS;
}

/* ---- to the driver's routine ---- */

static NTSTATUS call_for_strings(const found_t *found, const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (WCHAR *at = (WCHAR *)(void *)found->data; *at != 0 && NT_SUCCESS(status);) {
        size_t bytes = bytes_of(at) + sizeof(WCHAR);
        status = row->QueryRoutine(found->name, REG_SZ, at, (ULONG)bytes, context, row->EntryContext);
        at += bytes / sizeof(WCHAR);
    }
    return status;
}

static NTSTATUS hand_on(const found_t *found, const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    NTSTATUS status;
    bool     as_it_is = (row->Flags & RTL_QUERY_REGISTRY_NOEXPAND) != 0;
    ULONG    type = found->type == REG_EXPAND_SZ && !as_it_is ? REG_SZ : found->type;
    if ((row->Flags & RTL_QUERY_REGISTRY_DIRECT) != 0)
        return store(found, row);
    if (found->type == REG_MULTI_SZ && !as_it_is)
        status = call_for_strings(found, row, context);
    else
        status = row->QueryRoutine(found->name, type, found->data, found->bytes, context, row->EntryContext);
    return status == STATUS_BUFFER_TOO_SMALL ? STATUS_SUCCESS : status; /* its way to say: enough of this value */
}

/* ---- the table ---- */

static bool has_default(const RTL_QUERY_REGISTRY_TABLE *row) { return (row->DefaultType & ~((ULONG)0xFF << TYPE_CHECK_SHIFT)) != REG_NONE; }

static NTSTATUS use_default(const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    found_t found = { .name = NULL };
    ULONG   type = row->DefaultType & ~((ULONG)0xFF << TYPE_CHECK_SHIFT), bytes = row->DefaultLength;
    if (bytes == 0 && is_text(type) && row->DefaultData != NULL)
        bytes = (ULONG)(bytes_of(row->DefaultData) + sizeof(WCHAR));
    copy_found(row->Name, bytes_of(row->Name), type, row->DefaultData, bytes, &found);
    NTSTATUS status = found.no_memory ? STATUS_INSUFFICIENT_RESOURCES : hand_on(&found, row, context);
    free_found(&found);
    return status;
}

static NTSTATUS query_one(io_key_object_t *object, const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    found_t found;
    bool    there = find(object, row->Name, 0, &found);
    if (!there && has_default(row))
        return use_default(row, context);
    if (!there)
        return (row->Flags & RTL_QUERY_REGISTRY_REQUIRED) != 0 ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
    NTSTATUS status = found.no_memory ? STATUS_INSUFFICIENT_RESOURCES : hand_on(&found, row, context);
    free_found(&found);
    if (NT_SUCCESS(status) && (row->Flags & RTL_QUERY_REGISTRY_DELETE) != 0) {
        UNICODE_STRING name = { .Buffer = row->Name, .Length = (USHORT)bytes_of(row->Name) };
        io_registry_lock();
        (void)io_value_delete_locked(object->key, &name);
        io_registry_unlock();
    }
    return status;
}

static NTSTATUS query_all(io_key_object_t *object, const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    NTSTATUS status = STATUS_SUCCESS;
    found_t  found;
    ULONG    index = 0;
    for (; NT_SUCCESS(status) && find(object, NULL, index, &found); index++) {
        status = found.no_memory ? STATUS_INSUFFICIENT_RESOURCES : hand_on(&found, row, context);
        free_found(&found);
    }
    return index == 0 && (row->Flags & RTL_QUERY_REGISTRY_REQUIRED) != 0 ? STATUS_OBJECT_NAME_NOT_FOUND : status;
}

static bool makes_sense(const RTL_QUERY_REGISTRY_TABLE *row)
{
    if ((row->Flags & RTL_QUERY_REGISTRY_DIRECT) != 0)
        return row->QueryRoutine == NULL && row->Name != NULL && (row->Flags & RTL_QUERY_REGISTRY_SUBKEY) == 0;
    return (row->Flags & RTL_QUERY_REGISTRY_SUBKEY) == 0 || row->Name != NULL;
}

static NTSTATUS do_row(io_key_object_t *top, io_key_object_t **now, const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    if (!makes_sense(row))
        return STATUS_INVALID_PARAMETER;
    if ((row->Flags & (RTL_QUERY_REGISTRY_TOPKEY | RTL_QUERY_REGISTRY_SUBKEY)) != 0 && *now != top) {
        io_key_dereference(*now);
        *now = top;
    }
    if ((row->Flags & RTL_QUERY_REGISTRY_SUBKEY) != 0) {
        io_key_object_t *below;
        NTSTATUS         status = reach_below(top, row->Name, &below);
        if (!NT_SUCCESS(status))
            return (row->Flags & RTL_QUERY_REGISTRY_REQUIRED) != 0 || status != STATUS_OBJECT_NAME_NOT_FOUND ? status
                                                                                                             : STATUS_NO_MORE_ENTRIES;
        *now = below;
        return row->QueryRoutine != NULL ? query_all(below, row, context) : STATUS_SUCCESS;
    }
    if ((row->Flags & RTL_QUERY_REGISTRY_NOVALUE) != 0)
        return row->QueryRoutine(NULL, REG_NONE, NULL, 0, context, row->EntryContext);
    return row->Name != NULL ? query_one(*now, row, context) : query_all(*now, row, context);
}

/* Rows about a subkey that is not there, and need not be, are skipped with it. */
static NTSTATUS do_table(io_key_object_t *top, const RTL_QUERY_REGISTRY_TABLE *row, PVOID context)
{
    const ULONG      begins = RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_TOPKEY;
    io_key_object_t *now = top;
    NTSTATUS         status = STATUS_SUCCESS;
    bool             skipping = false;
    for (; NT_SUCCESS(status) && (row->QueryRoutine != NULL || (row->Flags & (RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_DIRECT)) != 0);
         row++) {
        skipping = skipping && (row->Flags & begins) == 0;
        if (skipping)
            continue;
        status = do_row(top, &now, row, context);
        skipping = status == STATUS_NO_MORE_ENTRIES;
        status = skipping ? STATUS_SUCCESS : status;
    }
    if (now != top)
        io_key_dereference(now);
    return status;
}

/* What users may write is not stored without a look at its type. */
static void check_trust(const char *routine, const io_key_object_t *object, const RTL_QUERY_REGISTRY_TABLE *row, ULONG_PTR caller)
{
    static const UNICODE_STRING user = RTL_CONSTANT_STRING(L"User");
    const io_key_t             *key = object->key;
    io_registry_lock();
    while (key->parent != NULL && key->parent->parent != NULL)
        key = key->parent;
    bool trusted = key->name.Length != user.Length || !RtlEqualUnicodeString(&key->name, &user, TRUE);
    io_registry_unlock();
    for (; !trusted && (row->QueryRoutine != NULL || row->Flags != 0); row++)
        if ((row->Flags & RTL_QUERY_REGISTRY_DIRECT) != 0 && (row->Flags & RTL_QUERY_REGISTRY_TYPECHECK) == 0)
            ke_fast_fail(routine,
                         "A value that users may write is read with RTL_QUERY_REGISTRY_DIRECT, without RTL_QUERY_REGISTRY_TYPECHECK.",
                         FAST_FAIL_UNSAFE_REGISTRY_ACCESS_CODE, caller);
}

NTSTATUS RtlQueryRegistryValues(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE QueryTable, PVOID Context, PVOID Environment)
{
    io_key_object_t *object;
    (void)Environment;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = reach(RelativeTo, Path, IO_KEY_OPEN, &object);
    if (!NT_SUCCESS(status))
        return (RelativeTo & RTL_REGISTRY_OPTIONAL) != 0 && status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
    check_trust(__func__, object, QueryTable, (ULONG_PTR)__builtin_return_address(0));
    status = do_table(object, QueryTable, Context);
    io_key_dereference(object);
    return status;
}

/* ---- writing and the rest ---- */

NTSTATUS RtlWriteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName, ULONG ValueType, PVOID ValueData, ULONG ValueLength)
{
    UNICODE_STRING   name = { .Buffer = (PWSTR)(uintptr_t)ValueName };
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = reach(RelativeTo, Path, IO_KEY_CREATE_ALL, &object);
    if (!NT_SUCCESS(status))
        return status;
    name.Length = (USHORT)bytes_of(ValueName);
    status = ke_inject_failure() ? STATUS_INSUFFICIENT_RESOURCES : io_value_write(object->key, &name, ValueType, ValueData, ValueLength);
    io_key_dereference(object);
    return status;
}

NTSTATUS RtlDeleteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName)
{
    UNICODE_STRING   name = { .Buffer = (PWSTR)(uintptr_t)ValueName };
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = reach(RelativeTo, Path, IO_KEY_OPEN, &object);
    if (!NT_SUCCESS(status))
        return status;
    name.Length = (USHORT)bytes_of(ValueName);
    io_registry_lock();
    status = io_value_delete_locked(object->key, &name) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
    io_registry_unlock();
    io_key_dereference(object);
    return status;
}

NTSTATUS RtlCreateRegistryKey(ULONG RelativeTo, PWSTR Path)
{
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = reach(RelativeTo, Path, IO_KEY_CREATE_ALL, &object);
    if (NT_SUCCESS(status))
        io_key_dereference(object);
    return status;
}

NTSTATUS RtlCheckRegistryKey(ULONG RelativeTo, PWSTR Path)
{
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = reach(RelativeTo, Path, IO_KEY_OPEN, &object);
    if (NT_SUCCESS(status))
        io_key_dereference(object);
    return status;
}
