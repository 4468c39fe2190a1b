/*
 * registry_key.c - key objects, and the routines that open, list and delete keys.
 *
 * Locks       the registry's lock, inside; answers are made in the host's memory under it, and copied to the driver's afterwards.
 * Source      WDK reference: wdm.h, ZwCreateKey, ZwOpenKey, ZwQueryKey, ZwEnumerateKey, ZwDeleteKey, ZwFlushKey; ntifs.h, ZwRenameKey.
 * Fidelity    rights of a handle are not looked at: the caller is in kernel mode. Nothing is written to a disk. No transactions.
 */
#include <stdlib.h>
#include <string.h>

#include "ex/handle.h"
#include "io/host_name.h"
#include "io/object_name.h"
#include "io/registry.h"
#include "io/registry_answer.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"

#define TAG_KEY NTMM_TAG("Key ")
#define PREFIX "\\Registry\\"

/* ---- key objects ---- */

static void key_deleted(void *object)
{
    io_key_object_t *opened = object;
    if (opened->key == NULL)
        return;
    io_registry_lock();
    if (--opened->key->opens == 0 && opened->key->deleted)
        io_key_free_locked(opened->key);
    io_registry_unlock();
}

const struct _OBJECT_TYPE io_key_type = {
    .name = "Key",
    .tag = TAG_KEY,
    .all_access = KEY_ALL_ACCESS,
    .generic_read = KEY_READ,
    .generic_write = KEY_WRITE,
    .generic_execute = KEY_EXECUTE,
    .deleted = key_deleted,
};
static POBJECT_TYPE key_type_pointer = (POBJECT_TYPE)(uintptr_t)&io_key_type;
POBJECT_TYPE       *CmKeyObjectType = &key_type_pointer;

NTSTATUS io_key_reference(HANDLE handle, io_key_object_t **object)
{
    void    *found = NULL;
    NTSTATUS status = ex_handle_reference(handle, 0, &io_key_type, KernelMode, &found, NULL);
    *object = found;
    return status;
}

void io_key_dereference(io_key_object_t *object) { (void)ex_object_dereference("ZwClose", object); }

/* The path below the root. A name without a directory says all of it. */
static NTSTATUS below_root(const io_key_t *from, UNICODE_STRING *path)
{
    if (from != NULL)
        return path->Length != 0 && path->Buffer[0] == '\\' ? STATUS_OBJECT_PATH_SYNTAX_BAD : STATUS_SUCCESS;
    if (path->Length == 0 || path->Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    size_t skip = sizeof PREFIX - 1;
    if (path->Length == (skip - 1) * sizeof(WCHAR))
        skip--;
    else if (!io_name_begins_with(path, PREFIX))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    path->Buffer += skip;
    path->Length = (USHORT)(path->Length - skip * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

static NTSTATUS open_object(io_key_object_t *object, io_key_t *from, UNICODE_STRING path, io_key_create_t create, bool is_volatile,
                            bool *created)
{
    NTSTATUS status = below_root(from, &path);
    if (!NT_SUCCESS(status))
        return status;
    io_registry_lock();
    io_key_t *key = NULL;
    status = io_key_find_locked(from, path, create, is_volatile, &key, created);
    if (NT_SUCCESS(status)) {
        object->key = key;
        key->opens++;
    }
    io_registry_unlock();
    return status;
}

NTSTATUS io_key_open_handle(io_key_t *from, PCUNICODE_STRING path, io_key_create_t create, bool is_volatile, ACCESS_MASK access,
                            ULONG attributes, HANDLE *handle, bool *created)
{
    UNICODE_STRING copy = { 0 };
    *handle = NULL;
    *created = false;
    NTSTATUS status = io_host_name(path, &copy);
    if (!NT_SUCCESS(status))
        return status;
    io_key_object_t *object = ex_object_create(&io_key_type, sizeof *object);
    status = object != NULL ? open_object(object, from, copy, create, is_volatile, created) : STATUS_INSUFFICIENT_RESOURCES;
    io_host_name_free(&copy);
    if (NT_SUCCESS(status))
        status = ex_handle_open(object, access, attributes, handle);
    if (object != NULL)
        io_key_dereference(object); /* the handle keeps it */
    return status;
}

/* ---- opening ---- */

static NTSTATUS open_by_attributes(POBJECT_ATTRIBUTES attributes, io_key_create_t create, bool is_volatile, ACCESS_MASK access,
                                   HANDLE *handle, bool *created)
{
    static const UNICODE_STRING no_name = { 0 };
    io_key_object_t            *directory = NULL;
    NTSTATUS                    status = STATUS_SUCCESS;
    *handle = NULL;
    if (attributes == NULL || attributes->Length != sizeof *attributes)
        return STATUS_INVALID_PARAMETER;
    if (attributes->RootDirectory != NULL)
        status = io_key_reference(attributes->RootDirectory, &directory);
    if (!NT_SUCCESS(status))
        return status;
    status = io_key_open_handle(directory != NULL ? directory->key : NULL,
                                attributes->ObjectName != NULL ? attributes->ObjectName : (PUNICODE_STRING)(uintptr_t)&no_name, create,
                                is_volatile, access, attributes->Attributes, handle, created);
    if (directory != NULL)
        io_key_dereference(directory);
    return status;
}

NTSTATUS ZwOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    bool created;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *KeyHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return open_by_attributes(ObjectAttributes, IO_KEY_OPEN, false, DesiredAccess, KeyHandle, &created);
}

NTSTATUS ZwOpenKeyEx(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, ULONG OpenOptions)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *KeyHandle = NULL;
    if ((OpenOptions & ~(ULONG)(REG_OPTION_OPEN_LINK | REG_OPTION_BACKUP_RESTORE)) != 0)
        return STATUS_INVALID_PARAMETER;
    return ZwOpenKey(KeyHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS ZwCreateKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, ULONG TitleIndex,
                     PUNICODE_STRING Class, ULONG CreateOptions, PULONG Disposition)
{
    bool created;
    (void)TitleIndex;
    (void)Class;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *KeyHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if ((CreateOptions & REG_OPTION_CREATE_LINK) != 0)
        return STATUS_NOT_SUPPORTED;
    NTSTATUS status = open_by_attributes(ObjectAttributes, IO_KEY_CREATE_LAST, (CreateOptions & REG_OPTION_VOLATILE) != 0, DesiredAccess,
                                         KeyHandle, &created);
    if (NT_SUCCESS(status) && Disposition != NULL)
        *Disposition = created ? REG_CREATED_NEW_KEY : REG_OPENED_EXISTING_KEY;
    return status;
}

/* ---- asking ---- */

static size_t longest(size_t one, size_t other) { return one > other ? one : other; }

static void count_children(const io_key_t *key, KEY_FULL_INFORMATION *full)
{
    for (const io_key_t *child = key->first; child != NULL; child = child->next, full->SubKeys++)
        full->MaxNameLen = (ULONG)longest(full->MaxNameLen, child->name.Length);
    for (const io_value_t *value = key->values; value != NULL; value = value->next, full->Values++) {
        full->MaxValueNameLen = (ULONG)longest(full->MaxValueNameLen, value->name.Length);
        full->MaxValueDataLen = (ULONG)longest(full->MaxValueDataLen, value->bytes);
    }
}

static NTSTATUS answer_basic(const io_key_t *key, io_answer_t *answer)
{
    KEY_BASIC_INFORMATION *basic = io_answer_make(answer, FIELD_OFFSET(KEY_BASIC_INFORMATION, Name), key->name.Length);
    if (basic == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    basic->LastWriteTime = key->written;
    basic->NameLength = key->name.Length;
    memcpy(basic->Name, key->name.Buffer, key->name.Length);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_node(const io_key_t *key, io_answer_t *answer)
{
    KEY_NODE_INFORMATION *node = io_answer_make(answer, FIELD_OFFSET(KEY_NODE_INFORMATION, Name), key->name.Length);
    if (node == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    node->LastWriteTime = key->written;
    node->ClassOffset = MAXULONG; /* it has none */
    node->NameLength = key->name.Length;
    memcpy(node->Name, key->name.Buffer, key->name.Length);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_full(const io_key_t *key, io_answer_t *answer)
{
    KEY_FULL_INFORMATION *full = io_answer_make(answer, FIELD_OFFSET(KEY_FULL_INFORMATION, Class), 0);
    if (full == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    full->LastWriteTime = key->written;
    full->ClassOffset = MAXULONG;
    count_children(key, full);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_name(const io_key_t *key, io_answer_t *answer)
{
    size_t                bytes = io_key_path_locked(key, NULL);
    KEY_NAME_INFORMATION *name = io_answer_make(answer, FIELD_OFFSET(KEY_NAME_INFORMATION, Name), bytes);
    if (name == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    name->NameLength = (ULONG)bytes;
    (void)io_key_path_locked(key, name->Name);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_key(const io_key_t *key, KEY_INFORMATION_CLASS what, io_answer_t *answer)
{
    switch (what) {
    case KeyBasicInformation: return answer_basic(key, answer);
    case KeyNodeInformation: return answer_node(key, answer);
    case KeyFullInformation: return answer_full(key, answer);
    case KeyNameInformation: return answer_name(key, answer);
    default: return STATUS_INVALID_PARAMETER;
    }
}

/* child NULL: of the key itself. */
static NTSTATUS ask(HANDLE handle, const ULONG *child, KEY_INFORMATION_CLASS what, PVOID out, ULONG length, PULONG result)
{
    io_key_object_t *object;
    io_answer_t      answer = { .bytes = NULL };
    NTSTATUS         status = io_key_reference(handle, &object);
    *result = 0;
    if (!NT_SUCCESS(status))
        return status;
    io_registry_lock();
    const io_key_t *key = child != NULL ? io_key_child_locked(object->key, *child) : object->key;
    if (object->key->deleted)
        status = STATUS_KEY_DELETED;
    else
        status = key != NULL ? answer_key(key, what, &answer) : STATUS_NO_MORE_ENTRIES;
    io_registry_unlock();
    io_key_dereference(object);
    return io_answer_give(&answer, status, out, length, result);
}

NTSTATUS ZwQueryKey(HANDLE KeyHandle, KEY_INFORMATION_CLASS KeyInformationClass, PVOID KeyInformation, ULONG Length, PULONG ResultLength)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return ask(KeyHandle, NULL, KeyInformationClass, KeyInformation, Length, ResultLength);
}

NTSTATUS ZwEnumerateKey(HANDLE KeyHandle, ULONG Index, KEY_INFORMATION_CLASS KeyInformationClass, PVOID KeyInformation, ULONG Length,
                        PULONG ResultLength)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return ask(KeyHandle, &Index, KeyInformationClass, KeyInformation, Length, ResultLength);
}

/* ---- deleting ---- */

NTSTATUS ZwDeleteKey(HANDLE KeyHandle)
{
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_key_reference(KeyHandle, &object);
    if (!NT_SUCCESS(status))
        return status;
    io_registry_lock();
    status = io_key_delete_locked(object->key, false);
    io_registry_unlock();
    io_key_dereference(object);
    return status;
}

NTSTATUS ZwFlushKey(HANDLE KeyHandle)
{
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_key_reference(KeyHandle, &object);
    if (NT_SUCCESS(status))
        io_key_dereference(object);
    return status;
}
