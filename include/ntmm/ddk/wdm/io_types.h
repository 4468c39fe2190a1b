/*
 * io_types.h - smaller types of the I/O system: volumes, shares, the error log, priorities, and what a create request carries.
 *
 * Source  WDK reference: wdm.h, ntddk.h, the page of each structure; x64 layouts. Checked against mingw-w64's by headers_compare.
 */
#ifndef NTMM_DDK_WDM_IO_TYPES_H
#define NTMM_DDK_WDM_IO_TYPES_H

#include "io_file.h"
#include "irp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MAXIMUM_VOLUME_LABEL_LENGTH (32 * sizeof(WCHAR)) /* bytes */
#define MAXIMUM_FILENAME_LENGTH 256
typedef struct _VPB {
    CSHORT         Type, Size; /* IO_TYPE_VPB */
    USHORT         Flags;      /* VPB_* */
    USHORT         VolumeLabelLength;
    PDEVICE_OBJECT DeviceObject; /* of the file system; NULL: nothing is mounted */
    PDEVICE_OBJECT RealDevice;
    ULONG          SerialNumber, ReferenceCount;
    WCHAR          VolumeLabel[MAXIMUM_VOLUME_LABEL_LENGTH / sizeof(WCHAR)];
} VPB;
NTMM_LAYOUT(sizeof(VPB) == 96, "VPB, x64");

typedef struct _SHARE_ACCESS {
    ULONG OpenCount, Readers, Writers, Deleters, SharedRead, SharedWrite, SharedDelete;
} SHARE_ACCESS, *PSHARE_ACCESS;

/**
 * Who has a file open, and what he lets others do: counts that a driver keeps for each file, under a lock of its own.
 *
 * IoSetShareAccess     the first open: the counts, and ReadAccess .. SharedDelete of the file object
 * IoCheckShareAccess   another one: STATUS_SHARING_VIOLATION when it wants what an earlier one does not share, or shares less than an earlier one
 *                      has; else STATUS_SUCCESS, and with Update it is counted. The file object's members are written either way
 * IoUpdateShareAccess  counts an open that was checked without Update
 * IoRemoveShareAccess  a close
 *
 * Opens that neither read nor write nor delete are not counted, and never refused.
 * @param DesiredAccess       FILE_EXECUTE or FILE_READ_DATA is reading, FILE_WRITE_DATA or FILE_APPEND_DATA writing, DELETE deleting
 * @param DesiredShareAccess  FILE_SHARE_*
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, IoSetShareAccess, IoCheckShareAccess, IoUpdateShareAccess, IoRemoveShareAccess
 */
NTKERNELAPI VOID IoSetShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess);
NTKERNELAPI NTSTATUS IoCheckShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                                        PSHARE_ACCESS ShareAccess, BOOLEAN Update);
NTKERNELAPI VOID     IoUpdateShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess);
NTKERNELAPI VOID     IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess);

/* ---- who asks ---- */

/** The process whose thread the IRP belongs to. @return NULL: it has no thread, as one that a driver allocated @irql <= APC_LEVEL
 *  @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA) above @source WDK reference: ntifs.h, IoGetRequestorProcess */
NTKERNELAPI PEPROCESS IoGetRequestorProcess(PIRP Irp);
/** Its number. @return 0: there is none @irql <= APC_LEVEL @source WDK reference: ntifs.h, IoGetRequestorProcessId */
NTKERNELAPI ULONG IoGetRequestorProcessId(PIRP Irp);
/** TRUE: whoever sent it waits for it: it is synchronous paging I/O, or of a synchronous call, or the file was opened so; paging I/O that is not
 *  synchronous never. @irql <= DISPATCH_LEVEL @source WDK reference: ntifs.h, IoIsOperationSynchronous */
NTKERNELAPI BOOLEAN IoIsOperationSynchronous(PIRP Irp);
/** Is it something that a user can mend, such as a medium that is not in the drive? @irql any @source WDK reference: ntddk.h */
#define IoIsErrorUserInduced(Status) \
    ((BOOLEAN)(((Status) == STATUS_DEVICE_NOT_READY) || ((Status) == STATUS_IO_TIMEOUT) || ((Status) == STATUS_MEDIA_WRITE_PROTECTED) || \
               ((Status) == STATUS_NO_MEDIA_IN_DEVICE) || ((Status) == STATUS_VERIFY_REQUIRED) || \
               ((Status) == STATUS_UNRECOGNIZED_MEDIA) || ((Status) == STATUS_WRONG_VOLUME)))

typedef struct _IO_COMPLETION_CONTEXT {
    PVOID Port, Key;
} IO_COMPLETION_CONTEXT, *PIO_COMPLETION_CONTEXT;

/* ---- the error log ---- */
typedef struct _IO_ERROR_LOG_PACKET {
    UCHAR         MajorFunctionCode, RetryCount;
    USHORT        DumpDataSize; /* bytes */
    USHORT        NumberOfStrings, StringOffset;
    USHORT        EventCategory;
    NTSTATUS      ErrorCode;
    ULONG         UniqueErrorValue;
    NTSTATUS      FinalStatus;
    ULONG         SequenceNumber, IoControlCode;
    LARGE_INTEGER DeviceOffset;
    ULONG         DumpData[1];
} IO_ERROR_LOG_PACKET, *PIO_ERROR_LOG_PACKET;
typedef struct _IO_ERROR_LOG_MESSAGE {
    USHORT              Type, Size, DriverNameLength;
    LARGE_INTEGER       TimeStamp;
    ULONG               DriverNameOffset;
    IO_ERROR_LOG_PACKET EntryData;
} IO_ERROR_LOG_MESSAGE, *PIO_ERROR_LOG_MESSAGE;
#define PORT_MAXIMUM_MESSAGE_LENGTH 512
#define ERROR_LOG_LIMIT_SIZE (256 - 16)
#define IO_ERROR_LOG_MESSAGE_HEADER_LENGTH (sizeof(IO_ERROR_LOG_MESSAGE) - sizeof(IO_ERROR_LOG_PACKET) + (sizeof(WCHAR) * 40))
#define ERROR_LOG_MESSAGE_LIMIT_SIZE (ERROR_LOG_LIMIT_SIZE + IO_ERROR_LOG_MESSAGE_HEADER_LENGTH)
#define IO_ERROR_LOG_MESSAGE_LENGTH \
    ((PORT_MAXIMUM_MESSAGE_LENGTH > ERROR_LOG_MESSAGE_LIMIT_SIZE) ? ERROR_LOG_MESSAGE_LIMIT_SIZE : PORT_MAXIMUM_MESSAGE_LENGTH)
#define ERROR_LOG_MAXIMUM_SIZE (IO_ERROR_LOG_MESSAGE_LENGTH - IO_ERROR_LOG_MESSAGE_HEADER_LENGTH) /* bytes that a packet can have */
NTMM_LAYOUT(sizeof(IO_ERROR_LOG_PACKET) == 48 && offsetof(IO_ERROR_LOG_PACKET, DumpData) == 40, "IO_ERROR_LOG_PACKET, x64");

/* ---- opening ---- */
typedef enum _CREATE_FILE_TYPE { CreateFileTypeNone, CreateFileTypeNamedPipe, CreateFileTypeMailslot } CREATE_FILE_TYPE;
typedef struct _NAMED_PIPE_CREATE_PARAMETERS {
    ULONG         NamedPipeType, ReadMode, CompletionMode, MaximumInstances, InboundQuota, OutboundQuota;
    LARGE_INTEGER DefaultTimeout;
    BOOLEAN       TimeoutSpecified;
} NAMED_PIPE_CREATE_PARAMETERS, *PNAMED_PIPE_CREATE_PARAMETERS;
typedef struct _MAILSLOT_CREATE_PARAMETERS {
    ULONG         MailslotQuota, MaximumMessageSize;
    LARGE_INTEGER ReadTimeout;
    BOOLEAN       TimeoutSpecified;
} MAILSLOT_CREATE_PARAMETERS, *PMAILSLOT_CREATE_PARAMETERS;
typedef struct _TXN_PARAMETER_BLOCK {
    USHORT Length, TxFsContext;
    PVOID  TransactionObject;
} TXN_PARAMETER_BLOCK, *PTXN_PARAMETER_BLOCK;
#define TXF_MINIVERSION_DEFAULT_VIEW 0xFFFE
typedef struct _IO_DRIVER_CREATE_CONTEXT {
    CSHORT               Size;
    struct _ECP_LIST    *ExtraCreateParameter;
    PVOID                DeviceObjectHint;
    PTXN_PARAMETER_BLOCK TxnParameters;
    struct _ESILO       *SiloContext;
} IO_DRIVER_CREATE_CONTEXT, *PIO_DRIVER_CREATE_CONTEXT;
/** All zero but its size. @irql any @source WDK reference: ntddk.h, IoInitializeDriverCreateContext */
FORCEINLINE VOID IoInitializeDriverCreateContext(PIO_DRIVER_CREATE_CONTEXT DriverContext)
{
    RtlZeroMemory(DriverContext, sizeof *DriverContext);
    DriverContext->Size = sizeof *DriverContext;
}

#define IO_FORCE_ACCESS_CHECK 0x0001
#define IO_NO_PARAMETER_CHECKING 0x0100
#define IO_CHECK_CREATE_PARAMETERS 0x0200
#define IO_ATTACH_DEVICE 0x0400
#define IO_IGNORE_SHARE_ACCESS_CHECK 0x0800
#define IO_REPARSE 0x0
#define IO_REMOUNT 0x1
#define FILE_USE_FILE_POINTER_POSITION 0xfffffffe
#define FILE_WRITE_TO_END_OF_FILE 0xffffffff
#define FILE_VALID_OPTION_FLAGS 0x00ffffff
#define FILE_VALID_PIPE_OPTION_FLAGS 0x00000032
#define FILE_VALID_MAILSLOT_OPTION_FLAGS 0x00000032
#define FILE_VALID_SET_FLAGS 0x00000036
#define FILE_OPEN_REMOTE_INSTANCE 0x00000400
#define FILE_DISALLOW_EXCLUSIVE 0x00020000
#define FILE_SESSION_AWARE 0x00040000
#define FILE_OPEN_FOR_FREE_SPACE_QUERY 0x00800000
#define FILE_CHARACTERISTIC_TS_DEVICE 0x00001000
#define FILE_CHARACTERISTIC_WEBDAV_DEVICE 0x00002000
#define FILE_CHARACTERISTIC_CSV 0x00010000
#define FILE_DEVICE_ALLOW_APPCONTAINER_TRAVERSAL 0x00020000
#define FILE_PORTABLE_DEVICE 0x00040000
#define FILE_CHARACTERISTICS_EXPECT_ORDERLY_REMOVAL 0x00000200
#define FILE_CHARACTERISTICS_EXPECT_SURPRISE_REMOVAL 0x00000300
#define FILE_CHARACTERISTICS_REMOVAL_POLICY_MASK 0x00000300

/* ---- drivers: DRIVER_OBJECT.Flags ---- */
#define DRVO_UNLOAD_INVOKED 0x00000001
#define DRVO_LEGACY_DRIVER 0x00000002
#define DRVO_BUILTIN_DRIVER 0x00000004
#define DRVO_REINIT_REGISTERED 0x00000008
#define DRVO_INITIALIZED 0x00000010
#define DRVO_BOOTREINIT_REGISTERED 0x00000020
#define DRVO_LEGACY_RESOURCES 0x00000040

/* ---- paging ---- */
typedef enum _IO_PAGING_PRIORITY {
    IoPagingPriorityInvalid,
    IoPagingPriorityNormal,
    IoPagingPriorityHigh,
    IoPagingPriorityReserved1,
    IoPagingPriorityReserved2
} IO_PAGING_PRIORITY;

/* ---- the machine's devices ---- */
typedef struct _CONTROLLER_OBJECT {
    CSHORT        Type, Size;
    PVOID         ControllerExtension;
    KDEVICE_QUEUE DeviceWaitQueue;
    ULONG         Spare1;
    LARGE_INTEGER Spare2;
} CONTROLLER_OBJECT, *PCONTROLLER_OBJECT;
typedef struct _CONFIGURATION_INFORMATION {
    ULONG   DiskCount, FloppyCount, CdRomCount, TapeCount, ScsiPortCount, SerialCount, ParallelCount;
    BOOLEAN AtDiskPrimaryAddressClaimed, AtDiskSecondaryAddressClaimed;
    ULONG   Version, MediumChangerCount;
} CONFIGURATION_INFORMATION, *PCONFIGURATION_INFORMATION;

/* ---- sessions ---- */
typedef enum _IO_SESSION_STATE {
    IoSessionStateCreated = 1,
    IoSessionStateInitialized,
    IoSessionStateConnected,
    IoSessionStateDisconnected,
    IoSessionStateDisconnectedLoggedOn,
    IoSessionStateLoggedOn,
    IoSessionStateLoggedOff,
    IoSessionStateTerminated,
    IoSessionStateMax
} IO_SESSION_STATE,
    *PIO_SESSION_STATE;

/*
 * ---- clients of Windows management instrumentation: absent, so that a driver compiles and its test does not link until it defines them ----
 * Source  WDK reference: wdm.h, the page of each.
 */
typedef VOID                        FWMI_NOTIFICATION_CALLBACK(PVOID Wnode, PVOID Context);
typedef FWMI_NOTIFICATION_CALLBACK *WMI_NOTIFICATION_CALLBACK;
NTSTATUS                            IoWMIOpenBlock(LPCGUID Guid, ULONG DesiredAccess, PVOID *DataBlockObject);
NTSTATUS                            IoWMISetNotificationCallback(PVOID Object, WMI_NOTIFICATION_CALLBACK Callback, PVOID Context);
NTSTATUS                            IoWMIQueryAllData(PVOID DataBlockObject, PULONG InOutBufferSize, PVOID OutBuffer);
NTSTATUS IoWMIQuerySingleInstance(PVOID DataBlockObject, PUNICODE_STRING InstanceName, PULONG InOutBufferSize, PVOID OutBuffer);
NTSTATUS IoWMISetSingleInstance(PVOID DataBlockObject, PUNICODE_STRING InstanceName, ULONG Version, ULONG ValueBufferSize,
                                PVOID ValueBuffer);
NTSTATUS IoWMIExecuteMethod(PVOID DataBlockObject, PUNICODE_STRING InstanceName, ULONG MethodId, ULONG InBufferSize, PULONG OutBufferSize,
                            PUCHAR InOutBuffer);

#ifdef __cplusplus
}
#endif
#endif
