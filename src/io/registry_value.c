/*
 * registry_value.c - the routines that read, write, list and delete values.
 *
 * Locks       as registry_key.c.
 * Source      WDK reference: wdm.h, ZwQueryValueKey, ZwSetValueKey, ZwEnumerateValueKey, ZwDeleteValueKey; KEY_VALUE_FULL_INFORMATION and the
 *             other structures (data begin on a multiple of 4, or of 8 where the class says Align64).
 */
#include <stdlib.h>
#include <string.h>

#include "io/host_name.h"
#include "io/registry.h"
#include "io/registry_answer.h"
#include "io/registry_callback.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"

/* ---- answers ---- */

void *io_answer_make(io_answer_t *answer, size_t fixed, size_t behind)
{
    answer->fixed = fixed;
    answer->all = fixed + behind;
    answer->bytes = calloc(1, answer->all + sizeof(ULONG_PTR));
    return answer->bytes;
}

NTSTATUS io_answer_give(io_answer_t *answer, NTSTATUS status, void *out, ULONG length, PULONG result)
{
    if (NT_SUCCESS(status)) {
        *result = (ULONG)answer->all;
        if (length < answer->fixed)
            status = STATUS_BUFFER_TOO_SMALL;
        else if (length < answer->all)
            status = STATUS_BUFFER_OVERFLOW;
    }
    if (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW)
        memcpy(out, answer->bytes, length < answer->all ? length : answer->all);
    free(answer->bytes);
    return status;
}

static NTSTATUS answer_basic(const io_value_t *value, io_answer_t *answer)
{
    KEY_VALUE_BASIC_INFORMATION *basic = io_answer_make(answer, FIELD_OFFSET(KEY_VALUE_BASIC_INFORMATION, Name), value->name.Length);
    if (basic == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    basic->Type = value->type;
    basic->NameLength = value->name.Length;
    memcpy(basic->Name, value->name.Buffer, value->name.Length);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_full(const io_value_t *value, size_t alignment, io_answer_t *answer)
{
    const size_t                fixed = FIELD_OFFSET(KEY_VALUE_FULL_INFORMATION, Name);
    size_t                      offset = ALIGN_UP_BY(fixed + value->name.Length, alignment);
    KEY_VALUE_FULL_INFORMATION *full = io_answer_make(answer, fixed, offset - fixed + value->bytes);
    if (full == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    full->Type = value->type;
    full->DataOffset = (ULONG)offset;
    full->DataLength = value->bytes;
    full->NameLength = value->name.Length;
    memcpy(full->Name, value->name.Buffer, value->name.Length);
    memcpy(answer->bytes + offset, value->data, value->bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_partial(const io_value_t *value, io_answer_t *answer)
{
    KEY_VALUE_PARTIAL_INFORMATION *partial = io_answer_make(answer, FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data), value->bytes);
    if (partial == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    partial->Type = value->type;
    partial->DataLength = value->bytes;
    memcpy(partial->Data, value->data, value->bytes);
    return STATUS_SUCCESS;
}

/* Type, DataLength, Data: no title, so that the data lie on a multiple of 8. */
static NTSTATUS answer_partial_64(const io_value_t *value, io_answer_t *answer)
{
    ULONG *partial = io_answer_make(answer, 2 * sizeof(ULONG), value->bytes);
    if (partial == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    partial[0] = value->type;
    partial[1] = value->bytes;
    memcpy(partial + 2, value->data, value->bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_value(const io_value_t *value, KEY_VALUE_INFORMATION_CLASS what, io_answer_t *answer)
{
    switch (what) {
    case KeyValueBasicInformation: return answer_basic(value, answer);
    case KeyValueFullInformation: return answer_full(value, sizeof(ULONG), answer);
    case KeyValuePartialInformation: return answer_partial(value, answer);
    case KeyValueFullInformationAlign64: return answer_full(value, sizeof(ULONG64), answer);
    case KeyValuePartialInformationAlign64: return answer_partial_64(value, answer);
    default: return STATUS_INVALID_PARAMETER;
    }
}

/* name NULL: by index. */
static NTSTATUS ask(const io_key_object_t *object, PCUNICODE_STRING name, ULONG index, KEY_VALUE_INFORMATION_CLASS what, PVOID out,
                    ULONG length, PULONG result)
{
    io_answer_t answer = { .bytes = NULL };
    NTSTATUS    status;
    io_registry_lock();
    const io_value_t *value = name != NULL ? io_value_find_locked(object->key, name) : io_value_at_locked(object->key, index);
    if (object->key->deleted)
        status = STATUS_KEY_DELETED;
    else if (value != NULL)
        status = answer_value(value, what, &answer);
    else
        status = name != NULL ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_NO_MORE_ENTRIES;
    io_registry_unlock();
    return io_answer_give(&answer, status, out, length, result);
}

NTSTATUS ZwQueryValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass,
                         PVOID KeyValueInformation, ULONG Length, PULONG ResultLength)
{
    io_key_object_t *object;
    UNICODE_STRING   name;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_host_name(ValueName, &name);
    if (!NT_SUCCESS(status))
        return status;
    status = io_key_reference(KeyHandle, &object);
    *ResultLength = 0;
    if (NT_SUCCESS(status)) {
        REG_QUERY_VALUE_KEY_INFORMATION info = {
            object, ValueName, KeyValueInformationClass, KeyValueInformation, Length, ResultLength, NULL, NULL, NULL
        };
        io_registry_call_t call = IO_REGISTRY_CALL(object, info);
        if (io_registry_begin(&call, RegNtPreQueryValueKey))
            status = ask(object, &name, 0, KeyValueInformationClass, KeyValueInformation, Length, ResultLength);
        status = io_registry_end(&call, RegNtPostQueryValueKey, object, status);
        io_key_dereference(object);
    }
    io_host_name_free(&name);
    return status;
}

NTSTATUS ZwEnumerateValueKey(HANDLE KeyHandle, ULONG Index, KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass, PVOID KeyValueInformation,
                             ULONG Length, PULONG ResultLength)
{
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_key_reference(KeyHandle, &object);
    *ResultLength = 0;
    if (!NT_SUCCESS(status))
        return status;
    REG_ENUMERATE_VALUE_KEY_INFORMATION info = { object, Index, KeyValueInformationClass, KeyValueInformation, Length, ResultLength, NULL,
                                                 NULL,   NULL };
    io_registry_call_t                  call = IO_REGISTRY_CALL(object, info);
    if (io_registry_begin(&call, RegNtPreEnumerateValueKey))
        status = ask(object, NULL, Index, KeyValueInformationClass, KeyValueInformation, Length, ResultLength);
    status = io_registry_end(&call, RegNtPostEnumerateValueKey, object, status);
    io_key_dereference(object);
    return status;
}

/* ---- writing ---- */

NTSTATUS io_value_write(io_key_t *key, PCUNICODE_STRING value_name, ULONG type, const void *data, ULONG bytes)
{
    UNICODE_STRING name;
    void          *copy = malloc(bytes + 1);
    NTSTATUS       status = copy != NULL ? io_host_name(value_name, &name) : STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(status)) {
        free(copy);
        return status;
    }
    if (bytes != 0)
        memcpy(copy, data, bytes);
    io_registry_lock();
    status = io_value_set_locked(key, &name, type, copy, bytes);
    io_registry_unlock();
    if (!NT_SUCCESS(status))
        free(copy);
    io_host_name_free(&name);
    return status;
}

NTSTATUS ZwSetValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data, ULONG DataSize)
{
    io_key_object_t *object;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_key_reference(KeyHandle, &object);
    if (!NT_SUCCESS(status))
        return status;
    REG_SET_VALUE_KEY_INFORMATION info = { object, ValueName, TitleIndex, Type, Data, DataSize, NULL, NULL, NULL };
    io_registry_call_t            call = IO_REGISTRY_CALL(object, info);
    if (io_registry_begin(&call, RegNtPreSetValueKey))
        status = ke_inject_failure() ? STATUS_INSUFFICIENT_RESOURCES : io_value_write(object->key, ValueName, Type, Data, DataSize);
    status = io_registry_end(&call, RegNtPostSetValueKey, object, status);
    io_key_dereference(object);
    return status;
}

static NTSTATUS delete_value(const io_key_object_t *object, PCUNICODE_STRING name)
{
    NTSTATUS status = STATUS_KEY_DELETED;
    io_registry_lock();
    if (!object->key->deleted)
        status = io_value_delete_locked(object->key, name) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
    io_registry_unlock();
    return status;
}

NTSTATUS ZwDeleteValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName)
{
    io_key_object_t *object;
    UNICODE_STRING   name;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_host_name(ValueName, &name);
    if (!NT_SUCCESS(status))
        return status;
    status = io_key_reference(KeyHandle, &object);
    if (NT_SUCCESS(status)) {
        REG_DELETE_VALUE_KEY_INFORMATION info = { .Object = object, .ValueName = ValueName };
        io_registry_call_t               call = IO_REGISTRY_CALL(object, info);
        if (io_registry_begin(&call, RegNtPreDeleteValueKey))
            status = delete_value(object, &name);
        status = io_registry_end(&call, RegNtPostDeleteValueKey, object, status);
        io_key_dereference(object);
    }
    io_host_name_free(&name);
    return status;
}
