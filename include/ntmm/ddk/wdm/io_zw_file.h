/*
 * io_zw_file.h - files and devices by handle. A name leads to a device, whose drivers get IRPs, or to a folder of the host that a test has lent
 * (ntmm_files_mount): there is no file system.
 *
 * All routines here are for PASSIVE_LEVEL: called above it they stop the machine with IRQL_NOT_LESS_OR_EQUAL (0xA). Every request is complete when
 * its routine returns, also for a handle that is not opened for synchronous I/O (choice).
 *
 * Source  WDK reference: wdm.h, ZwCreateFile, ZwOpenFile, ZwReadFile, ZwWriteFile, ZwQueryInformationFile, ZwSetInformationFile; ntifs.h,
 *         ZwDeviceIoControlFile, ZwFlushBuffersFile.
 */
#ifndef NTMM_DDK_WDM_IO_ZW_FILE_H
#define NTMM_DDK_WDM_IO_ZW_FILE_H

#include "file_information.h"
#include "io_file.h"
#include "io_irp.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Open a device, or open or make a file.
 *
 * @param FileHandle         for ZwClose; NULL when it fails
 * @param ObjectAttributes   a full name; a RootDirectory is STATUS_NOT_SUPPORTED
 * @param AllocationSize     not looked at
 * @param CreateDisposition  FILE_OPEN, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE, FILE_OVERWRITE_IF, FILE_SUPERSEDE
 * @return what IRP_MJ_CREATE was completed with; STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_NAME_COLLISION,
 *         STATUS_ACCESS_DENIED, STATUS_NO_SUCH_DEVICE, STATUS_FILE_IS_A_DIRECTORY, STATUS_INSUFFICIENT_RESOURCES; IoStatusBlock->Information is
 *         FILE_OPENED, FILE_CREATED ...
 */
NTSYSAPI NTSTATUS ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                               PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess,
                               ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength);
/** One that is there. */
NTSYSAPI NTSTATUS ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions);
/**
 * Read or write.
 *
 * @param Event       NULL, or one that is set at the end
 * @param ApcRoutine  must be NULL, as documented for drivers: else STATUS_INVALID_PARAMETER
 * @param ByteOffset  NULL, or FILE_USE_FILE_POINTER_POSITION: where the last request has ended, of a handle for synchronous I/O
 * @return STATUS_END_OF_FILE, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES, or what the driver says
 */
NTSYSAPI NTSTATUS ZwReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
                             PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key);
NTSYSAPI NTSTATUS ZwWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
                              PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key);
/** A control request to a device. @return STATUS_INVALID_DEVICE_REQUEST: it is a file */
NTSYSAPI NTSTATUS ZwDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                        PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer, ULONG InputBufferLength,
                                        PVOID OutputBuffer, ULONG OutputBufferLength);
/** FileStandardInformation, FileBasicInformation, FilePositionInformation of a file; of a device the last one, else its driver is asked.
 *  @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_HANDLE */
NTSYSAPI NTSTATUS ZwQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                         FILE_INFORMATION_CLASS FileInformationClass);
/** FilePositionInformation, FileEndOfFileInformation, FileDispositionInformation (the file goes with its last handle); likewise. */
NTSYSAPI NTSTATUS ZwSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                       FILE_INFORMATION_CLASS FileInformationClass);
/** @models nothing is kept back; a device gets IRP_MJ_FLUSH_BUFFERS */
NTSYSAPI NTSTATUS ZwFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);

#ifdef __cplusplus
}
#endif
#endif
