/*
 * zw_file_open.c - ZwCreateFile, ZwOpenFile: a handle for a device, or for a file of the host.
 *
 *     \??\C:\folder\file     io_mount_open             in a folder that a test has lent
 *     \??\Adder\x            io_device_by_name         IRP_MJ_CREATE
 *
 * Source      WDK reference: the pages of these routines; "Using files in a driver".
 * Fidelity    no relative names.
 */
#include <ntmm/ntmm.h>

#include "ex/handle.h"
#include "io/device_name.h"
#include "io/file.h"
#include "io/host_name.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"

static NTSTATUS open_by_name(PCUNICODE_STRING name, const io_open_want_t *want, io_file_t **file, IO_STATUS_BLOCK *block)
{
    PDEVICE_OBJECT device;
    UNICODE_STRING rest;
    bool           mounted;
    *file = NULL;
    NTSTATUS status = io_mount_open(name, want, file, block, &mounted);
    if (mounted)
        return status;
    status = io_device_by_name(name, &device, &rest);
    return NT_SUCCESS(status) ? io_file_open_device(device, &rest, want, file, block) : status;
}

static void set_options(io_file_t *file, const io_open_want_t *want)
{
    if ((want->options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) != 0)
        file->object.Flags |= FO_SYNCHRONOUS_IO;
    if ((want->options & FILE_DELETE_ON_CLOSE) != 0)
        file->object.DeletePending = TRUE;
}

static NTSTATUS open_handle(POBJECT_ATTRIBUTES attributes, const io_open_want_t *want, HANDLE *handle, PIO_STATUS_BLOCK out)
{
    IO_STATUS_BLOCK block = { .Information = 0 };
    UNICODE_STRING  name;
    io_file_t      *file;
    *handle = NULL;
    if (attributes == NULL || attributes->Length != sizeof *attributes || attributes->ObjectName == NULL)
        return STATUS_INVALID_PARAMETER;
    if (attributes->RootDirectory != NULL)
        return STATUS_NOT_SUPPORTED;
    NTSTATUS status = io_host_name(attributes->ObjectName, &name);
    if (!NT_SUCCESS(status))
        return status;
    status = open_by_name(&name, want, &file, &block);
    io_host_name_free(&name);
    if (NT_SUCCESS(status) && file->host != NULL)
        set_options(file, want);
    if (NT_SUCCESS(status)) {
        status = ex_handle_open(file, want->access, attributes->Attributes, handle);
        if (!NT_SUCCESS(status))
            io_file_clean_up(file);
        (void)ex_object_dereference("ZwCreateFile", file); /* the handle keeps it */
    }
    block.Status = status;
    *out = block;
    return status;
}

NTSTATUS ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                      PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions,
                      PVOID EaBuffer, ULONG EaLength)
{
    const io_open_want_t want = { .access = DesiredAccess,
                                  .disposition = CreateDisposition,
                                  .options = CreateOptions,
                                  .attributes = FileAttributes,
                                  .share = ShareAccess,
                                  .ea = EaBuffer,
                                  .ea_bytes = EaLength };
    (void)AllocationSize;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *FileHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return open_handle(ObjectAttributes, &want, FileHandle, IoStatusBlock);
}

NTSTATUS ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                    ULONG ShareAccess, ULONG OpenOptions)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ZwCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN, OpenOptions, NULL, 0);
}
