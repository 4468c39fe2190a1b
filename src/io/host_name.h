/*
 * host_name.h - a driver's string in the host's memory: nothing of it is pageable, so that it can be looked at under a lock.
 */
#ifndef NTMM_IO_HOST_NAME_H
#define NTMM_IO_HOST_NAME_H

#include <stdlib.h>
#include <string.h>

#include <ntddk.h>

/* STATUS_INSUFFICIENT_RESOURCES: the host has no memory. The driver's string is read before anything is allocated: it may fault. */
static inline NTSTATUS io_host_name(PCUNICODE_STRING name, UNICODE_STRING *copy)
{
    const volatile WCHAR *text = name->Buffer;
    for (size_t i = 0; i < name->Length / sizeof(WCHAR); i++)
        (void)text[i];
    copy->Length = name->Length;
    copy->MaximumLength = name->Length;
    copy->Buffer = malloc(name->Length + sizeof(WCHAR));
    if (copy->Buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (name->Length != 0)
        memcpy(copy->Buffer, name->Buffer, name->Length);
    copy->Buffer[name->Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}
static inline void io_host_name_free(UNICODE_STRING *copy) { free(copy->Buffer); }

#endif
