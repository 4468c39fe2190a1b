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
#include "io/registry_callback.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"

#define TAG_KEY NTMM_TAG("Key ")
#define TAG_NAME NTMM_TAG("CmNm")
#define PREFIX "\\Registry\\"

/* ---- key objects ---- */

/* Filters hear of it, and cannot forbid it. */
static void handle_closes(void *object)
{
    REG_KEY_HANDLE_CLOSE_INFORMATION info = { .Object = object };
    io_registry_call_t               call = IO_REGISTRY_CALL(object, info);
    (void)io_registry_begin(&call, RegNtPreKeyHandleClose);
    (void)io_registry_end(&call, RegNtPostKeyHandleClose, object, STATUS_SUCCESS);
}

static void drop_name(io_key_object_t *object)
{
    PCUNICODE_STRING name = atomic_exchange(&object->name, NULL);
    if (name != NULL)
        io_key_object_name_free(name);
}

static void last_handle_closes(void *object)
{
    io_registry_object_closed(object);
    drop_name(object);
}

static void key_deleted(void *object)
{
    io_key_object_t *opened = object;
    drop_name(opened);
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
    .closed = handle_closes,
    .closed_last = last_handle_closes,
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

NTSTATUS io_key_object_name(const io_key_object_t *object, PCUNICODE_STRING *name)
{
    io_registry_lock();
    size_t bytes = io_key_path_locked(object->key, NULL);
    WCHAR *text = malloc(bytes + sizeof(WCHAR));
    if (text != NULL)
        (void)io_key_path_locked(object->key, text);
    io_registry_unlock();
    UNICODE_STRING *block = text != NULL ? ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *block + bytes, TAG_NAME) : NULL;
    if (block != NULL) {
        *block = (UNICODE_STRING){ (USHORT)bytes, (USHORT)bytes, (PWSTR)(void *)(block + 1) };
        memcpy(block->Buffer, text, bytes);
    }
    free(text);
    *name = block;
    return block != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void io_key_object_name_free(PCUNICODE_STRING name) { ExFreePoolWithTag((PVOID)(uintptr_t)name, TAG_NAME); }

PCUNICODE_STRING io_key_object_keep_name(io_key_object_t *object, PCUNICODE_STRING name)
{
    PCUNICODE_STRING there = NULL;
    if (atomic_compare_exchange_strong(&object->name, &there, name))
        return name;
    io_key_object_name_free(name);
    return there;
}

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

/* *object is the caller's, also when the status is an error; or NULL. */
static NTSTATUS make_object(io_key_t *from, PCUNICODE_STRING path, io_key_create_t create, bool is_volatile, io_key_object_t **object,
                            bool *created)
{
    UNICODE_STRING copy = { 0 };
    *object = NULL;
    *created = false;
    NTSTATUS status = io_host_name(path, &copy);
    if (!NT_SUCCESS(status))
        return status;
    *object = ex_object_create(&io_key_type, sizeof **object);
    status = *object != NULL ? open_object(*object, from, copy, create, is_volatile, created) : STATUS_INSUFFICIENT_RESOURCES;
    io_host_name_free(&copy);
    return status;
}

NTSTATUS io_key_open_handle(io_key_t *from, PCUNICODE_STRING path, io_key_create_t create, bool is_volatile, ACCESS_MASK access,
                            ULONG attributes, HANDLE *handle, bool *created)
{
    io_key_object_t *object;
    *handle = NULL;
    NTSTATUS status = make_object(from, path, create, is_volatile, &object, created);
    if (NT_SUCCESS(status))
        status = ex_handle_open(object, access, attributes, handle);
    if (object != NULL)
        io_key_dereference(object); /* the handle keeps it */
    return status;
}

/* ---- opening ---- */

typedef struct opening {
    POBJECT_ATTRIBUTES attributes;
    io_key_create_t    create;
    ACCESS_MASK        access;
    ULONG              options;
    PUNICODE_STRING    class_name;
    PULONG             disposition;
} opening_t;

static bool is_key(const void *object) { return object != NULL && ex_object_type_of(object) == &io_key_type; }

/* A filter that has opened the key itself has put a key object, referenced, into *ResultObject. */
static NTSTATUS give_handle(const opening_t *opening, PVOID result, ACCESS_MASK granted, HANDLE *handle)
{
    if (!is_key(result))
        return STATUS_OBJECT_TYPE_MISMATCH;
    return ex_handle_open(result, granted != 0 ? granted : opening->access, opening->attributes->Attributes, handle);
}

static NTSTATUS open_filtered(const opening_t *opening, io_key_object_t *directory, HANDLE *handle)
{
    static const UNICODE_STRING   no_name = { 0 };
    bool                          creates = opening->create != IO_KEY_OPEN, created = false;
    PVOID                         result = NULL;
    ULONG                         disposition = 0;
    NTSTATUS                      status = STATUS_SUCCESS;
    PUNICODE_STRING               name = opening->attributes->ObjectName;
    REG_CREATE_KEY_INFORMATION_V1 info = { .RootObject = directory, .ObjectType = *CmKeyObjectType, .Options = opening->options };
    io_registry_call_t            call = {
                   .object = directory, .information = &info, .call_context = &info.CallContext, .object_context = &info.RootObjectContext
    };
    info.CompleteName = info.RemainingName = name != NULL ? name : (PUNICODE_STRING)(uintptr_t)&no_name;
    info.Class = opening->class_name;
    info.SecurityDescriptor = opening->attributes->SecurityDescriptor;
    info.SecurityQualityOfService = opening->attributes->SecurityQualityOfService;
    info.DesiredAccess = opening->access;
    info.Disposition = opening->disposition != NULL ? opening->disposition : &disposition;
    info.ResultObject = &result;
    info.Version = 1;
    info.Attributes = opening->attributes->Attributes;
    if (io_registry_begin(&call, creates ? RegNtPreCreateKeyEx : RegNtPreOpenKeyEx)) {
        io_key_object_t *object;
        status = make_object(directory != NULL ? directory->key : NULL, info.CompleteName, opening->create,
                             (opening->options & REG_OPTION_VOLATILE) != 0, &object, &created);
        result = object;
        info.GrantedAccess = NT_SUCCESS(status) ? opening->access : 0;
        if (NT_SUCCESS(status) && creates)
            *info.Disposition = created ? REG_CREATED_NEW_KEY : REG_OPENED_EXISTING_KEY;
    }
    status = io_registry_end(&call, creates ? RegNtPostCreateKeyEx : RegNtPostOpenKeyEx, NT_SUCCESS(status) ? result : NULL, status);
    if (NT_SUCCESS(status))
        status = give_handle(opening, result, info.GrantedAccess, handle);
    if (is_key(result))
        io_key_dereference(result); /* the handle keeps it */
    return status;
}

static NTSTATUS open_by_attributes(const opening_t *opening, HANDLE *handle)
{
    POBJECT_ATTRIBUTES attributes = opening->attributes;
    io_key_object_t   *directory = NULL;
    NTSTATUS           status = STATUS_SUCCESS;
    *handle = NULL;
    if (attributes == NULL || attributes->Length != sizeof *attributes)
        return STATUS_INVALID_PARAMETER;
    if (attributes->RootDirectory != NULL)
        status = io_key_reference(attributes->RootDirectory, &directory);
    if (!NT_SUCCESS(status))
        return status;
    status = open_filtered(opening, directory, handle);
    if (directory != NULL)
        io_key_dereference(directory);
    return status;
}

NTSTATUS ZwOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    const opening_t opening = { .attributes = ObjectAttributes, .create = IO_KEY_OPEN, .access = DesiredAccess };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *KeyHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return open_by_attributes(&opening, KeyHandle);
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
    const opening_t opening = { ObjectAttributes, IO_KEY_CREATE_LAST, DesiredAccess, CreateOptions, Class, Disposition };
    (void)TitleIndex;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *KeyHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if ((CreateOptions & REG_OPTION_CREATE_LINK) != 0)
        return STATUS_NOT_SUPPORTED;
    return open_by_attributes(&opening, KeyHandle);
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
static NTSTATUS ask(const io_key_object_t *object, const ULONG *child, KEY_INFORMATION_CLASS what, PVOID out, ULONG length, PULONG result)
{
    io_answer_t answer = { .bytes = NULL };
    NTSTATUS    status;
    io_registry_lock();
    const io_key_t *key = child != NULL ? io_key_child_locked(object->key, *child) : object->key;
    if (object->key->deleted)
        status = STATUS_KEY_DELETED;
    else
        status = key != NULL ? answer_key(key, what, &answer) : STATUS_NO_MORE_ENTRIES;
    io_registry_unlock();
    return io_answer_give(&answer, status, out, length, result);
}

NTSTATUS ZwQueryKey(HANDLE KeyHandle, KEY_INFORMATION_CLASS KeyInformationClass, PVOID KeyInformation, ULONG Length, PULONG ResultLength)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_key_object_t *object;
    NTSTATUS         status = io_key_reference(KeyHandle, &object);
    *ResultLength = 0;
    if (!NT_SUCCESS(status))
        return status;
    REG_QUERY_KEY_INFORMATION info = { object, KeyInformationClass, KeyInformation, Length, ResultLength, NULL, NULL, NULL };
    io_registry_call_t        call = IO_REGISTRY_CALL(object, info);
    if (io_registry_begin(&call, RegNtPreQueryKey))
        status = ask(object, NULL, KeyInformationClass, KeyInformation, Length, ResultLength);
    status = io_registry_end(&call, RegNtPostQueryKey, object, status);
    io_key_dereference(object);
    return status;
}

NTSTATUS ZwEnumerateKey(HANDLE KeyHandle, ULONG Index, KEY_INFORMATION_CLASS KeyInformationClass, PVOID KeyInformation, ULONG Length,
                        PULONG ResultLength)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_key_object_t *object;
    NTSTATUS         status = io_key_reference(KeyHandle, &object);
    *ResultLength = 0;
    if (!NT_SUCCESS(status))
        return status;
    REG_ENUMERATE_KEY_INFORMATION info = { object, Index, KeyInformationClass, KeyInformation, Length, ResultLength, NULL, NULL, NULL };
    io_registry_call_t            call = IO_REGISTRY_CALL(object, info);
    if (io_registry_begin(&call, RegNtPreEnumerateKey))
        status = ask(object, &Index, KeyInformationClass, KeyInformation, Length, ResultLength);
    status = io_registry_end(&call, RegNtPostEnumerateKey, object, status);
    io_key_dereference(object);
    return status;
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
    REG_DELETE_KEY_INFORMATION info = { .Object = object };
    io_registry_call_t         call = IO_REGISTRY_CALL(object, info);
    if (io_registry_begin(&call, RegNtPreDeleteKey)) {
        io_registry_lock();
        status = io_key_delete_locked(object->key, false);
        io_registry_unlock();
    }
    status = io_registry_end(&call, RegNtPostDeleteKey, object, status);
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
    if (!NT_SUCCESS(status))
        return status;
    REG_FLUSH_KEY_INFORMATION info = { .Object = object };
    io_registry_call_t        call = IO_REGISTRY_CALL(object, info);
    (void)io_registry_begin(&call, RegNtPreFlushKey); /* there is nothing to do in between */
    status = io_registry_end(&call, RegNtPostFlushKey, object, status);
    io_key_dereference(object);
    return status;
}
