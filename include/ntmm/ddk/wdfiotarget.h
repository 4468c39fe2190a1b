/*
 * wdfiotarget.h - I/O targets: where a driver sends requests. The local one is the next lower device of the driver's own stack.
 *
 *     started --WdfIoTargetStop--> stopped: what is sent waits --WdfIoTargetStart--> started
 *             `-WdfIoTargetPurge-> purged: what is sent is refused -'
 *
 * Source  WDK reference: wdfiotarget.h, "Using I/O Targets"; x64 layout.
 */
#ifndef NTMM_DDK_WDFIOTARGET_H
#define NTMM_DDK_WDFIOTARGET_H

#include "wdfrequest.h"

WDF_EXTERN_C_START

typedef enum _WDF_IO_TARGET_STATE {
    WdfIoTargetStateUndefined,
    WdfIoTargetStarted,
    WdfIoTargetStopped,
    WdfIoTargetClosedForQueryRemove,
    WdfIoTargetClosed,
    WdfIoTargetDeleted,
    WdfIoTargetPurged
} WDF_IO_TARGET_STATE,
    *PWDF_IO_TARGET_STATE;

typedef enum _WDF_IO_TARGET_OPEN_TYPE {
    WdfIoTargetOpenUndefined,
    WdfIoTargetOpenUseExistingDevice,
    WdfIoTargetOpenByName,
    WdfIoTargetOpenReopen,
    WdfIoTargetOpenLocalTargetByFile
} WDF_IO_TARGET_OPEN_TYPE;

typedef enum _WDF_IO_TARGET_SENT_IO_ACTION {
    WdfIoTargetSentIoUndefined,
    WdfIoTargetCancelSentIo,
    WdfIoTargetWaitForSentIoToComplete,
    WdfIoTargetLeaveSentIoPending
} WDF_IO_TARGET_SENT_IO_ACTION;

typedef enum _WDF_IO_TARGET_PURGE_IO_ACTION {
    WdfIoTargetPurgeIoUndefined,
    WdfIoTargetPurgeIoAndWait,
    WdfIoTargetPurgeIo
} WDF_IO_TARGET_PURGE_IO_ACTION;

typedef NTSTATUS                           EVT_WDF_IO_TARGET_QUERY_REMOVE(WDFIOTARGET IoTarget);
typedef EVT_WDF_IO_TARGET_QUERY_REMOVE    *PFN_WDF_IO_TARGET_QUERY_REMOVE;
typedef VOID                               EVT_WDF_IO_TARGET_REMOVE_CANCELED(WDFIOTARGET IoTarget);
typedef EVT_WDF_IO_TARGET_REMOVE_CANCELED *PFN_WDF_IO_TARGET_REMOVE_CANCELED;
typedef VOID                               EVT_WDF_IO_TARGET_REMOVE_COMPLETE(WDFIOTARGET IoTarget);
typedef EVT_WDF_IO_TARGET_REMOVE_COMPLETE *PFN_WDF_IO_TARGET_REMOVE_COMPLETE;

typedef struct _WDF_IO_TARGET_OPEN_PARAMS {
    ULONG                             Size;
    WDF_IO_TARGET_OPEN_TYPE           Type;
    PFN_WDF_IO_TARGET_QUERY_REMOVE    EvtIoTargetQueryRemove;
    PFN_WDF_IO_TARGET_REMOVE_CANCELED EvtIoTargetRemoveCanceled;
    PFN_WDF_IO_TARGET_REMOVE_COMPLETE EvtIoTargetRemoveComplete;
    PDEVICE_OBJECT                    TargetDeviceObject; /* of WdfIoTargetOpenUseExistingDevice */
    PFILE_OBJECT                      TargetFileObject;
    UNICODE_STRING                    TargetDeviceName; /* of WdfIoTargetOpenByName, like the rest */
    ACCESS_MASK                       DesiredAccess;
    ULONG                             ShareAccess;
    ULONG                             FileAttributes;
    ULONG                             CreateDisposition;
    ULONG                             CreateOptions;
    PVOID                             EaBuffer;
    ULONG                             EaBufferLength;
    PLONGLONG                         AllocationSize;
    ULONG                             FileInformation;
    UNICODE_STRING                    FileName;
} WDF_IO_TARGET_OPEN_PARAMS, *PWDF_IO_TARGET_OPEN_PARAMS;
NTMM_LAYOUT(sizeof(WDF_IO_TARGET_OPEN_PARAMS) == 136 && FIELD_OFFSET(WDF_IO_TARGET_OPEN_PARAMS, FileName) == 120,
            "WDF_IO_TARGET_OPEN_PARAMS, x64");

FORCEINLINE VOID WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(PWDF_IO_TARGET_OPEN_PARAMS Params, PDEVICE_OBJECT DeviceObject)
{
    RtlZeroMemory(Params, sizeof *Params);
    Params->Size = WDF_STRUCTURE_SIZE(WDF_IO_TARGET_OPEN_PARAMS);
    Params->Type = WdfIoTargetOpenUseExistingDevice;
    Params->TargetDeviceObject = DeviceObject;
}
FORCEINLINE VOID WDF_IO_TARGET_OPEN_PARAMS_INIT_CREATE_BY_NAME(PWDF_IO_TARGET_OPEN_PARAMS Params, PCUNICODE_STRING TargetDeviceName,
                                                               ACCESS_MASK DesiredAccess)
{
    RtlZeroMemory(Params, sizeof *Params);
    Params->Size = WDF_STRUCTURE_SIZE(WDF_IO_TARGET_OPEN_PARAMS);
    Params->Type = WdfIoTargetOpenByName;
    Params->TargetDeviceName = *TargetDeviceName;
    Params->DesiredAccess = DesiredAccess;
    Params->CreateOptions = FILE_NON_DIRECTORY_FILE;
}
FORCEINLINE VOID WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(PWDF_IO_TARGET_OPEN_PARAMS Params, PCUNICODE_STRING TargetDeviceName,
                                                             ACCESS_MASK DesiredAccess)
{
    WDF_IO_TARGET_OPEN_PARAMS_INIT_CREATE_BY_NAME(Params, TargetDeviceName, DesiredAccess);
    Params->CreateDisposition = FILE_OPEN;
}
FORCEINLINE VOID WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(PWDF_IO_TARGET_OPEN_PARAMS Params)
{
    RtlZeroMemory(Params, sizeof *Params);
    Params->Size = WDF_STRUCTURE_SIZE(WDF_IO_TARGET_OPEN_PARAMS);
    Params->Type = WdfIoTargetOpenReopen;
}

/* ---- targets ---- */

/** A remote target, closed. @param IoTargetAttributes or NULL; ParentObject: NULL, the device, or one of its children
 *  @return STATUS_INSUFFICIENT_RESOURCES; statuses of the attributes @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI NTSTATUS WdfIoTargetCreate(WDFDEVICE Device, PWDF_OBJECT_ATTRIBUTES IoTargetAttributes, WDFIOTARGET *IoTarget);
/**
 * Open a remote target, and start it. By name: ZwCreateFile, with the driver's strings and attributes copied. When the physical device below is to be
 * removed, or is gone, the callbacks say what becomes of the target; without them it is closed, and opened again if the device stays.
 *
 * @param OpenParams  FileInformation is filled in for WdfIoTargetOpenByName; TargetFileObject is referenced; WdfIoTargetOpenReopen: what the target
 *                    was opened with last, by name
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER: no device object, no name, callbacks without a file object, or a type that there is
 *         not in kernel mode; STATUS_INVALID_DEVICE_STATE: it is open; STATUS_INVALID_DEVICE_REQUEST: it was not opened by name;
 *         STATUS_NO_SUCH_DEVICE: no driver is behind the name; as ZwCreateFile; STATUS_INSUFFICIENT_RESOURCES
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdfiotarget.h, WdfIoTargetOpen
 */
WDFAPI NTSTATUS WdfIoTargetOpen(WDFIOTARGET IoTarget, PWDF_IO_TARGET_OPEN_PARAMS OpenParams);
/** Close a remote target; what was sent is cancelled, and waited for. @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI VOID WdfIoTargetClose(WDFIOTARGET IoTarget);
/** The same; it is still told whether the device goes or stays. @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetCloseForQueryRemove */
WDFAPI VOID WdfIoTargetCloseForQueryRemove(WDFIOTARGET IoTarget);
/** Send what waits, and whatever comes. @return STATUS_INVALID_DEVICE_STATE: it is closed @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfiotarget.h, WdfIoTargetStart */
WDFAPI NTSTATUS WdfIoTargetStart(WDFIOTARGET IoTarget);
/** Send no more. @param Action what becomes of requests that are on their way @irql PASSIVE_LEVEL; <= DISPATCH_LEVEL with
 *  WdfIoTargetLeaveSentIoPending @source WDK reference: wdfiotarget.h, WdfIoTargetStop */
WDFAPI VOID WdfIoTargetStop(WDFIOTARGET IoTarget, WDF_IO_TARGET_SENT_IO_ACTION Action);
/** Refuse to send; what waits comes back with STATUS_CANCELLED, what is on its way is cancelled. @irql PASSIVE_LEVEL; <= DISPATCH_LEVEL with
 *  WdfIoTargetPurgeIo @source WDK reference: wdfiotarget.h, WdfIoTargetPurge */
WDFAPI VOID WdfIoTargetPurge(WDFIOTARGET IoTarget, WDF_IO_TARGET_PURGE_IO_ACTION Action);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetGetState */
WDFAPI WDF_IO_TARGET_STATE WdfIoTargetGetState(WDFIOTARGET IoTarget);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetGetDevice */
WDFAPI WDFDEVICE WdfIoTargetGetDevice(WDFIOTARGET IoTarget);
/** IoGetDeviceProperty of the physical device that it leads to. @return STATUS_INVALID_DEVICE_REQUEST: there is none, or the target is closed; as
 *  WdfDeviceQueryProperty @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h, the pages of the routines */
WDFAPI NTSTATUS WdfIoTargetQueryTargetProperty(WDFIOTARGET IoTarget, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength,
                                               PVOID PropertyBuffer, PULONG ResultLength);
WDFAPI NTSTATUS WdfIoTargetAllocAndQueryTargetProperty(WDFIOTARGET IoTarget, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                                       PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory);
/** The device object that gets its requests. @return NULL: it is closed @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI PDEVICE_OBJECT WdfIoTargetWdmGetTargetDeviceObject(WDFIOTARGET IoTarget);
/** The bottom of that stack. @return NULL: it is closed, or no bus has reported that device @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI PDEVICE_OBJECT WdfIoTargetWdmGetTargetPhysicalDevice(WDFIOTARGET IoTarget);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetWdmGetTargetFileObject */
WDFAPI PFILE_OBJECT WdfIoTargetWdmGetTargetFileObject(WDFIOTARGET IoTarget);
/** @return NULL: it is not open by name @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetWdmGetTargetFileHandle */
WDFAPI HANDLE WdfIoTargetWdmGetTargetFileHandle(WDFIOTARGET IoTarget);
/** Ask the drivers below for an interface (IRP_MN_QUERY_INTERFACE). @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI NTSTATUS WdfIoTargetQueryForInterface(WDFIOTARGET IoTarget, LPCGUID InterfaceType, PINTERFACE Interface, USHORT Size, USHORT Version,
                                             PVOID InterfaceSpecificData);

/* ---- format, for WdfRequestSend ---- */

/**
 * Make a request a read. It keeps a reference on the memory object until it comes back, is reused, or is deleted.
 *
 * @param OutputBuffer        NULL: no bytes
 * @param OutputBufferOffset  NULL: all of it
 * @param DeviceOffset        NULL: 0
 * @return STATUS_INVALID_PARAMETER; STATUS_INTEGER_OVERFLOW, STATUS_INVALID_BUFFER_SIZE: the offset leads out of the memory object;
 *         STATUS_REQUEST_NOT_ACCEPTED: too few stack locations; STATUS_INVALID_DEVICE_REQUEST: it is on its way; STATUS_INVALID_DEVICE_STATE: the
 *         target is closed; STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfiotarget.h, WdfIoTargetFormatRequestForRead
 */
WDFAPI NTSTATUS WdfIoTargetFormatRequestForRead(WDFIOTARGET IoTarget, WDFREQUEST Request, WDFMEMORY OutputBuffer,
                                                PWDFMEMORY_OFFSET OutputBufferOffset, PLONGLONG DeviceOffset);
/** A write. @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetFormatRequestForWrite */
WDFAPI NTSTATUS WdfIoTargetFormatRequestForWrite(WDFIOTARGET IoTarget, WDFREQUEST Request, WDFMEMORY InputBuffer,
                                                 PWDFMEMORY_OFFSET InputBufferOffset, PLONGLONG DeviceOffset);
/** A control. @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetFormatRequestForIoctl */
WDFAPI NTSTATUS WdfIoTargetFormatRequestForIoctl(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode, WDFMEMORY InputBuffer,
                                                 PWDFMEMORY_OFFSET InputBufferOffset, WDFMEMORY OutputBuffer,
                                                 PWDFMEMORY_OFFSET OutputBufferOffset);
/** An internal control. @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetFormatRequestForInternalIoctl */
WDFAPI NTSTATUS WdfIoTargetFormatRequestForInternalIoctl(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode, WDFMEMORY InputBuffer,
                                                         PWDFMEMORY_OFFSET InputBufferOffset, WDFMEMORY OutputBuffer,
                                                         PWDFMEMORY_OFFSET OutputBufferOffset);
/** An internal control whose buffers are its arguments. @irql <= DISPATCH_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI NTSTATUS WdfIoTargetFormatRequestForInternalIoctlOthers(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode,
                                                               WDFMEMORY OtherArg1, PWDFMEMORY_OFFSET OtherArg1Offset, WDFMEMORY OtherArg2,
                                                               PWDFMEMORY_OFFSET OtherArg2Offset, WDFMEMORY OtherArg4,
                                                               PWDFMEMORY_OFFSET OtherArg4Offset);

/* ---- format, send, wait ---- */

/**
 * Read and wait.
 *
 * @param Request         NULL: the framework makes one
 * @param OutputBuffer    NULL: no bytes
 * @param DeviceOffset    NULL: 0
 * @param RequestOptions  NULL, or a timeout, or WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE
 * @param BytesRead       NULL, or filled
 * @return how it was completed; as for WdfIoTargetFormatRequestForRead; STATUS_IO_TIMEOUT
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdfiotarget.h, WdfIoTargetSendReadSynchronously
 */
WDFAPI NTSTATUS WdfIoTargetSendReadSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, PWDF_MEMORY_DESCRIPTOR OutputBuffer,
                                                 PLONGLONG DeviceOffset, PWDF_REQUEST_SEND_OPTIONS RequestOptions, PULONG_PTR BytesRead);
/** Write and wait. @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetSendWriteSynchronously */
WDFAPI NTSTATUS WdfIoTargetSendWriteSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, PWDF_MEMORY_DESCRIPTOR InputBuffer,
                                                  PLONGLONG DeviceOffset, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
                                                  PULONG_PTR BytesWritten);
/** A control, and wait. @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetSendIoctlSynchronously */
WDFAPI NTSTATUS WdfIoTargetSendIoctlSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode,
                                                  PWDF_MEMORY_DESCRIPTOR InputBuffer, PWDF_MEMORY_DESCRIPTOR OutputBuffer,
                                                  PWDF_REQUEST_SEND_OPTIONS RequestOptions, PULONG_PTR BytesReturned);
/** An internal control, and wait. @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h, WdfIoTargetSendInternalIoctlSynchronously */
WDFAPI NTSTATUS WdfIoTargetSendInternalIoctlSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode,
                                                          PWDF_MEMORY_DESCRIPTOR InputBuffer, PWDF_MEMORY_DESCRIPTOR OutputBuffer,
                                                          PWDF_REQUEST_SEND_OPTIONS RequestOptions, PULONG_PTR BytesReturned);
/** An internal control with arguments, and wait. @irql PASSIVE_LEVEL @source WDK reference: wdfiotarget.h */
WDFAPI NTSTATUS WdfIoTargetSendInternalIoctlOthersSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode,
                                                                PWDF_MEMORY_DESCRIPTOR OtherArg1, PWDF_MEMORY_DESCRIPTOR OtherArg2,
                                                                PWDF_MEMORY_DESCRIPTOR OtherArg4, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
                                                                PULONG_PTR BytesReturned);

WDF_EXTERN_C_END
#endif
