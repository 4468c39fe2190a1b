/*
 * fast_io.h - requests that a file system may answer without an IRP: the table in DRIVER_OBJECT.FastIoDispatch. Nothing here calls it.
 *
 * Source  WDK reference: wdm.h, ntifs.h: FAST_IO_DISPATCH and the pages of its members; x64 layout.
 */
#ifndef NTMM_DDK_WDM_FAST_IO_H
#define NTMM_DDK_WDM_FAST_IO_H

#include "file_information.h"
#include "irp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct _COMPRESSED_DATA_INFO;

/* NTMM_FAST_IO(ROUTINE, result, (parameters)): the type of a function, and PROUTINE, a pointer to one */
#define NTMM_FAST_IO(name, type, parameters) \
    typedef type name parameters; \
    typedef name     *P##name

NTMM_FAST_IO(FAST_IO_CHECK_IF_POSSIBLE, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait, ULONG LockKey, BOOLEAN CheckForReadOperation,
              PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_READ, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait, ULONG LockKey, PVOID Buffer,
              PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_WRITE, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait, ULONG LockKey, PVOID Buffer,
              PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_QUERY_BASIC_INFO, BOOLEAN,
             (PFILE_OBJECT FileObject, BOOLEAN Wait, PFILE_BASIC_INFORMATION Buffer, PIO_STATUS_BLOCK IoStatus,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_QUERY_STANDARD_INFO, BOOLEAN,
             (PFILE_OBJECT FileObject, BOOLEAN Wait, PFILE_STANDARD_INFORMATION Buffer, PIO_STATUS_BLOCK IoStatus,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_LOCK, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, PLARGE_INTEGER Length, PEPROCESS ProcessId, ULONG Key,
              BOOLEAN FailImmediately, BOOLEAN ExclusiveLock, PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_UNLOCK_SINGLE, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, PLARGE_INTEGER Length, PEPROCESS ProcessId, ULONG Key,
              PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_UNLOCK_ALL, BOOLEAN,
             (PFILE_OBJECT FileObject, PEPROCESS ProcessId, PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_UNLOCK_ALL_BY_KEY, BOOLEAN,
             (PFILE_OBJECT FileObject, PVOID ProcessId, ULONG Key, PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_DEVICE_CONTROL, BOOLEAN,
             (PFILE_OBJECT FileObject, BOOLEAN Wait, PVOID InputBuffer, ULONG InputBufferLength, PVOID OutputBuffer,
              ULONG OutputBufferLength, ULONG IoControlCode, PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_ACQUIRE_FILE, VOID, (PFILE_OBJECT FileObject));
NTMM_FAST_IO(FAST_IO_RELEASE_FILE, VOID, (PFILE_OBJECT FileObject));
NTMM_FAST_IO(FAST_IO_DETACH_DEVICE, VOID, (PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice));
NTMM_FAST_IO(FAST_IO_QUERY_NETWORK_OPEN_INFO, BOOLEAN,
             (PFILE_OBJECT FileObject, BOOLEAN Wait, PFILE_NETWORK_OPEN_INFORMATION Buffer, PIO_STATUS_BLOCK IoStatus,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_ACQUIRE_FOR_MOD_WRITE, NTSTATUS,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER EndingOffset, struct _ERESOURCE **ResourceToRelease, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_MDL_READ, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, ULONG LockKey, PMDL *MdlChain, PIO_STATUS_BLOCK IoStatus,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_MDL_READ_COMPLETE, BOOLEAN, (PFILE_OBJECT FileObject, PMDL MdlChain, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_PREPARE_MDL_WRITE, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, ULONG LockKey, PMDL *MdlChain, PIO_STATUS_BLOCK IoStatus,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_MDL_WRITE_COMPLETE, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, PMDL MdlChain, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_READ_COMPRESSED, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, ULONG LockKey, PVOID Buffer, PMDL *MdlChain,
              PIO_STATUS_BLOCK IoStatus, struct _COMPRESSED_DATA_INFO *CompressedDataInfo, ULONG CompressedDataInfoLength,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_WRITE_COMPRESSED, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, ULONG LockKey, PVOID Buffer, PMDL *MdlChain,
              PIO_STATUS_BLOCK IoStatus, struct _COMPRESSED_DATA_INFO *CompressedDataInfo, ULONG CompressedDataInfoLength,
              PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_MDL_READ_COMPLETE_COMPRESSED, BOOLEAN, (PFILE_OBJECT FileObject, PMDL MdlChain, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_MDL_WRITE_COMPLETE_COMPRESSED, BOOLEAN,
             (PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, PMDL MdlChain, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_QUERY_OPEN, BOOLEAN, (PIRP Irp, PFILE_NETWORK_OPEN_INFORMATION NetworkInformation, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_RELEASE_FOR_MOD_WRITE, NTSTATUS,
             (PFILE_OBJECT FileObject, struct _ERESOURCE *ResourceToRelease, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_ACQUIRE_FOR_CCFLUSH, NTSTATUS, (PFILE_OBJECT FileObject, PDEVICE_OBJECT DeviceObject));
NTMM_FAST_IO(FAST_IO_RELEASE_FOR_CCFLUSH, NTSTATUS, (PFILE_OBJECT FileObject, PDEVICE_OBJECT DeviceObject));
#undef NTMM_FAST_IO

typedef struct _FAST_IO_DISPATCH {
    ULONG                                  SizeOfFastIoDispatch; /* bytes */
    PFAST_IO_CHECK_IF_POSSIBLE             FastIoCheckIfPossible;
    PFAST_IO_READ                          FastIoRead;
    PFAST_IO_WRITE                         FastIoWrite;
    PFAST_IO_QUERY_BASIC_INFO              FastIoQueryBasicInfo;
    PFAST_IO_QUERY_STANDARD_INFO           FastIoQueryStandardInfo;
    PFAST_IO_LOCK                          FastIoLock;
    PFAST_IO_UNLOCK_SINGLE                 FastIoUnlockSingle;
    PFAST_IO_UNLOCK_ALL                    FastIoUnlockAll;
    PFAST_IO_UNLOCK_ALL_BY_KEY             FastIoUnlockAllByKey;
    PFAST_IO_DEVICE_CONTROL                FastIoDeviceControl;
    PFAST_IO_ACQUIRE_FILE                  AcquireFileForNtCreateSection;
    PFAST_IO_RELEASE_FILE                  ReleaseFileForNtCreateSection;
    PFAST_IO_DETACH_DEVICE                 FastIoDetachDevice;
    PFAST_IO_QUERY_NETWORK_OPEN_INFO       FastIoQueryNetworkOpenInfo;
    PFAST_IO_ACQUIRE_FOR_MOD_WRITE         AcquireForModWrite;
    PFAST_IO_MDL_READ                      MdlRead;
    PFAST_IO_MDL_READ_COMPLETE             MdlReadComplete;
    PFAST_IO_PREPARE_MDL_WRITE             PrepareMdlWrite;
    PFAST_IO_MDL_WRITE_COMPLETE            MdlWriteComplete;
    PFAST_IO_READ_COMPRESSED               FastIoReadCompressed;
    PFAST_IO_WRITE_COMPRESSED              FastIoWriteCompressed;
    PFAST_IO_MDL_READ_COMPLETE_COMPRESSED  MdlReadCompleteCompressed;
    PFAST_IO_MDL_WRITE_COMPLETE_COMPRESSED MdlWriteCompleteCompressed;
    PFAST_IO_QUERY_OPEN                    FastIoQueryOpen;
    PFAST_IO_RELEASE_FOR_MOD_WRITE         ReleaseForModWrite;
    PFAST_IO_ACQUIRE_FOR_CCFLUSH           AcquireForCcFlush;
    PFAST_IO_RELEASE_FOR_CCFLUSH           ReleaseForCcFlush;
} FAST_IO_DISPATCH;
NTMM_LAYOUT(sizeof(FAST_IO_DISPATCH) == 0xe0, "FAST_IO_DISPATCH, x64");

#ifdef __cplusplus
}
#endif
#endif
