/*
 * irp.h - the I/O request packet and the part of it that belongs to one driver of the stack, laid out as on x64.
 * Layouts and constants: memory code reads MdlAddress, SystemBuffer, UserBuffer and the Parameters of reads, writes and controls. The
 * routines on IRPs are in io_irp.h.
 *
 *     IRP   208 bytes   IO_STACK_LOCATION 72 bytes   IO_STACK_LOCATION ...     StackCount of them behind the packet
 *
 * Source  WDK reference: wdm.h, IRP, IO_STACK_LOCATION, IO_STATUS_BLOCK; x64 layouts.
 */
#ifndef NTMM_DDK_WDM_IRP_H
#define NTMM_DDK_WDM_IRP_H

#include "io_objects.h"
#include "ke_irql.h"
#include "mdl.h"
#include "file_information.h"
#include "power_types.h"
#include "se_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define POINTER_ALIGNMENT DECLSPEC_ALIGN(8)

typedef struct _FILE_OBJECT              FILE_OBJECT, *PFILE_OBJECT;
typedef struct _INTERFACE                INTERFACE, *PINTERFACE;
typedef struct _SECTION_OBJECT_POINTERS *PSECTION_OBJECT_POINTERS;

typedef struct _IO_STATUS_BLOCK {
    union {
        NTSTATUS Status;
        PVOID    Pointer;
    };
    ULONG_PTR Information; /* bytes transferred, mostly */
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;
NTMM_LAYOUT(sizeof(IO_STATUS_BLOCK) == 16 && FIELD_OFFSET(IO_STATUS_BLOCK, Information) == 8, "IO_STATUS_BLOCK, x64");

typedef VOID                   IO_APC_ROUTINE(PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, ULONG Reserved);
typedef IO_APC_ROUTINE        *PIO_APC_ROUTINE;
typedef VOID                   DRIVER_CANCEL(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef DRIVER_CANCEL         *PDRIVER_CANCEL;
typedef NTSTATUS               IO_COMPLETION_ROUTINE(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context);
typedef IO_COMPLETION_ROUTINE *PIO_COMPLETION_ROUTINE;

struct DECLSPEC_ALIGN(16) _IRP {
    CSHORT Type; /* IO_TYPE_IRP */
    USHORT Size; /* bytes, stack locations included */
    USHORT AllocationProcessorNumber;
    USHORT Reserved;
    PMDL   MdlAddress; /* the buffer of direct I/O: a chain of MDLs */
    ULONG  Flags;      /* IRP_* */
    union {
        struct _IRP  *MasterIrp;
        volatile LONG IrpCount;
        PVOID         SystemBuffer; /* of buffered I/O */
    } AssociatedIrp;
    LIST_ENTRY       ThreadListEntry;
    IO_STATUS_BLOCK  IoStatus;
    KPROCESSOR_MODE  RequestorMode;
    BOOLEAN          PendingReturned;
    CHAR             StackCount;
    CHAR             CurrentLocation;
    BOOLEAN          Cancel;
    KIRQL            CancelIrql;
    CCHAR            ApcEnvironment;
    UCHAR            AllocationFlags;
    PIO_STATUS_BLOCK UserIosb;
    PKEVENT          UserEvent;
    union {
        struct {
            union {
                PIO_APC_ROUTINE UserApcRoutine;
                PVOID           IssuingProcess;
            };
            PVOID UserApcContext;
        } AsynchronousParameters;
        LARGE_INTEGER AllocationSize;
    } Overlay;
    volatile PDRIVER_CANCEL CancelRoutine;
    PVOID                   UserBuffer; /* of neither */
    union {
        struct {
            union {
                KDEVICE_QUEUE_ENTRY DeviceQueueEntry;
                struct {
                    PVOID DriverContext[4];
                };
            };
            PETHREAD Thread;
            PCHAR    AuxiliaryBuffer;
            struct {
                LIST_ENTRY ListEntry;
                union {
                    struct _IO_STACK_LOCATION *CurrentStackLocation;
                    ULONG                      PacketType;
                };
            };
            PFILE_OBJECT OriginalFileObject;
            PVOID        IrpExtension;
        } Overlay;
        UCHAR Apc[0x58]; /* a KAPC, which only the I/O system uses */
        PVOID CompletionKey;
    } Tail;
};

NTMM_LAYOUT(sizeof(IRP) == 208, "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, MdlAddress) == 0x08 && FIELD_OFFSET(IRP, Flags) == 0x10 && FIELD_OFFSET(IRP, AssociatedIrp) == 0x18,
            "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, ThreadListEntry) == 0x20 && FIELD_OFFSET(IRP, IoStatus) == 0x30, "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, RequestorMode) == 0x40 && FIELD_OFFSET(IRP, StackCount) == 0x42 && FIELD_OFFSET(IRP, Cancel) == 0x44,
            "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, UserIosb) == 0x48 && FIELD_OFFSET(IRP, UserEvent) == 0x50 && FIELD_OFFSET(IRP, Overlay) == 0x58, "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, CancelRoutine) == 0x68 && FIELD_OFFSET(IRP, UserBuffer) == 0x70 && FIELD_OFFSET(IRP, Tail) == 0x78,
            "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, Tail.Overlay.Thread) == 0x98 && FIELD_OFFSET(IRP, Tail.Overlay.ListEntry) == 0xa8, "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, Tail.Overlay.CurrentStackLocation) == 0xb8, "IRP, x64");
NTMM_LAYOUT(FIELD_OFFSET(IRP, Tail.Overlay.OriginalFileObject) == 0xc0, "IRP, x64");

#define IO_TYPE_IRP 6

/* Flags */
#define IRP_NOCACHE 0x00000001u
#define IRP_PAGING_IO 0x00000002u
#define IRP_MOUNT_COMPLETION 0x00000002u
#define IRP_SYNCHRONOUS_API 0x00000004u
#define IRP_ASSOCIATED_IRP 0x00000008u
#define IRP_BUFFERED_IO 0x00000010u
#define IRP_DEALLOCATE_BUFFER 0x00000020u
#define IRP_INPUT_OPERATION 0x00000040u
#define IRP_SYNCHRONOUS_PAGING_IO 0x00000040u
#define IRP_CREATE_OPERATION 0x00000080u
#define IRP_READ_OPERATION 0x00000100u
#define IRP_WRITE_OPERATION 0x00000200u
#define IRP_CLOSE_OPERATION 0x00000400u
#define IRP_DEFER_IO_COMPLETION 0x00000800u
#define IRP_OB_QUERY_NAME 0x00001000u
#define IRP_HOLD_DEVICE_QUEUE 0x00002000u

/* MajorFunction */
#define IRP_MJ_CREATE 0x00
#define IRP_MJ_CREATE_NAMED_PIPE 0x01
#define IRP_MJ_CLOSE 0x02
#define IRP_MJ_READ 0x03
#define IRP_MJ_WRITE 0x04
#define IRP_MJ_QUERY_INFORMATION 0x05
#define IRP_MJ_SET_INFORMATION 0x06
#define IRP_MJ_QUERY_EA 0x07
#define IRP_MJ_SET_EA 0x08
#define IRP_MJ_FLUSH_BUFFERS 0x09
#define IRP_MJ_QUERY_VOLUME_INFORMATION 0x0a
#define IRP_MJ_SET_VOLUME_INFORMATION 0x0b
#define IRP_MJ_DIRECTORY_CONTROL 0x0c
#define IRP_MJ_FILE_SYSTEM_CONTROL 0x0d
#define IRP_MJ_DEVICE_CONTROL 0x0e
#define IRP_MJ_INTERNAL_DEVICE_CONTROL 0x0f
#define IRP_MJ_SCSI 0x0f
#define IRP_MJ_SHUTDOWN 0x10
#define IRP_MJ_LOCK_CONTROL 0x11
#define IRP_MJ_CLEANUP 0x12
#define IRP_MJ_CREATE_MAILSLOT 0x13
#define IRP_MJ_QUERY_SECURITY 0x14
#define IRP_MJ_SET_SECURITY 0x15
#define IRP_MJ_POWER 0x16
#define IRP_MJ_SYSTEM_CONTROL 0x17
#define IRP_MJ_DEVICE_CHANGE 0x18
#define IRP_MJ_QUERY_QUOTA 0x19
#define IRP_MJ_SET_QUOTA 0x1a
#define IRP_MJ_PNP 0x1b
#define IRP_MJ_PNP_POWER 0x1b

/* MinorFunction of IRP_MJ_PNP */
#define IRP_MN_START_DEVICE 0x00
#define IRP_MN_QUERY_REMOVE_DEVICE 0x01
#define IRP_MN_REMOVE_DEVICE 0x02
#define IRP_MN_CANCEL_REMOVE_DEVICE 0x03
#define IRP_MN_STOP_DEVICE 0x04
#define IRP_MN_QUERY_STOP_DEVICE 0x05
#define IRP_MN_CANCEL_STOP_DEVICE 0x06
#define IRP_MN_QUERY_DEVICE_RELATIONS 0x07
#define IRP_MN_QUERY_INTERFACE 0x08
#define IRP_MN_QUERY_CAPABILITIES 0x09
#define IRP_MN_QUERY_RESOURCES 0x0a
#define IRP_MN_QUERY_RESOURCE_REQUIREMENTS 0x0b
#define IRP_MN_QUERY_DEVICE_TEXT 0x0c
#define IRP_MN_FILTER_RESOURCE_REQUIREMENTS 0x0d
#define IRP_MN_READ_CONFIG 0x0f
#define IRP_MN_WRITE_CONFIG 0x10
#define IRP_MN_EJECT 0x11
#define IRP_MN_SET_LOCK 0x12
#define IRP_MN_QUERY_ID 0x13
#define IRP_MN_QUERY_PNP_DEVICE_STATE 0x14
#define IRP_MN_QUERY_BUS_INFORMATION 0x15
#define IRP_MN_DEVICE_USAGE_NOTIFICATION 0x16
#define IRP_MN_SURPRISE_REMOVAL 0x17
#define IRP_MN_DEVICE_ENUMERATED 0x19

/* MinorFunction of IRP_MJ_POWER */
#define IRP_MN_WAIT_WAKE 0x00
#define IRP_MN_POWER_SEQUENCE 0x01
#define IRP_MN_SET_POWER 0x02
#define IRP_MN_QUERY_POWER 0x03

/* MinorFunction of IRP_MJ_READ and IRP_MJ_WRITE */
#define IRP_MN_NORMAL 0x00
#define IRP_MN_DPC 0x01
#define IRP_MN_MDL 0x02
#define IRP_MN_COMPLETE 0x04

/* ---- what the Parameters name ---- */

typedef enum _DEVICE_RELATION_TYPE {
    BusRelations,
    EjectionRelations,
    PowerRelations,
    RemovalRelations,
    TargetDeviceRelation,
    SingleBusRelations,
    TransportRelations
} DEVICE_RELATION_TYPE;
typedef enum _BUS_QUERY_ID_TYPE {
    BusQueryDeviceID,
    BusQueryHardwareIDs,
    BusQueryCompatibleIDs,
    BusQueryInstanceID,
    BusQueryDeviceSerialNumber,
    BusQueryContainerID
} BUS_QUERY_ID_TYPE;
typedef enum _DEVICE_TEXT_TYPE { DeviceTextDescription, DeviceTextLocationInformation } DEVICE_TEXT_TYPE;
typedef enum _DEVICE_USAGE_NOTIFICATION_TYPE {
    DeviceUsageTypeUndefined,
    DeviceUsageTypePaging,
    DeviceUsageTypeHibernation,
    DeviceUsageTypeDumpFile,
    DeviceUsageTypeBoot,
    DeviceUsageTypePostDisplay,
    DeviceUsageTypeGuestAssigned
} DEVICE_USAGE_NOTIFICATION_TYPE;
/* ---- IO_STACK_LOCATION ---- */

typedef struct _IO_STACK_LOCATION {
    UCHAR MajorFunction;
    UCHAR MinorFunction;
    UCHAR Flags;   /* SL_*, by function */
    UCHAR Control; /* SL_PENDING_RETURNED and its like */
    union {
        struct {
            struct _IO_SECURITY_CONTEXT *SecurityContext;
            ULONG                        Options;
            USHORT POINTER_ALIGNMENT     FileAttributes;
            USHORT                       ShareAccess;
            ULONG POINTER_ALIGNMENT      EaLength;
        } Create;
        struct {
            struct _IO_SECURITY_CONTEXT          *SecurityContext;
            ULONG                                 Options;
            USHORT POINTER_ALIGNMENT              Reserved;
            USHORT                                ShareAccess;
            struct _NAMED_PIPE_CREATE_PARAMETERS *Parameters;
        } CreatePipe;
        struct {
            struct _IO_SECURITY_CONTEXT        *SecurityContext;
            ULONG                               Options;
            USHORT POINTER_ALIGNMENT            Reserved;
            USHORT                              ShareAccess;
            struct _MAILSLOT_CREATE_PARAMETERS *Parameters;
        } CreateMailslot;
        struct {
            ULONG                   Length;
            ULONG POINTER_ALIGNMENT Key;
            ULONG                   Flags;
            LARGE_INTEGER           ByteOffset;
        } Read;
        struct {
            ULONG                   Length;
            ULONG POINTER_ALIGNMENT Key;
            ULONG                   Flags;
            LARGE_INTEGER           ByteOffset;
        } Write;
        struct {
            ULONG                   Length;
            PUNICODE_STRING         FileName;
            FILE_INFORMATION_CLASS  FileInformationClass;
            ULONG POINTER_ALIGNMENT FileIndex;
        } QueryDirectory;
        struct {
            ULONG                   Length;
            ULONG POINTER_ALIGNMENT CompletionFilter;
        } NotifyDirectory;
        struct {
            ULONG                                                Length;
            ULONG POINTER_ALIGNMENT                              CompletionFilter;
            DIRECTORY_NOTIFY_INFORMATION_CLASS POINTER_ALIGNMENT DirectoryNotifyInformationClass;
        } NotifyDirectoryEx;
        struct {
            ULONG                                    Length;
            FILE_INFORMATION_CLASS POINTER_ALIGNMENT FileInformationClass;
        } QueryFile;
        struct {
            ULONG                                    Length;
            FILE_INFORMATION_CLASS POINTER_ALIGNMENT FileInformationClass;
            PFILE_OBJECT                             FileObject;
            union {
                struct {
                    BOOLEAN ReplaceIfExists;
                    BOOLEAN AdvanceOnly;
                };
                ULONG  ClusterCount;
                HANDLE DeleteHandle;
            };
        } SetFile;
        struct {
            ULONG                   Length;
            PVOID                   EaList;
            ULONG                   EaListLength;
            ULONG POINTER_ALIGNMENT EaIndex;
        } QueryEa;
        struct {
            ULONG Length;
        } SetEa;
        struct {
            ULONG                                  Length;
            FS_INFORMATION_CLASS POINTER_ALIGNMENT FsInformationClass;
        } QueryVolume;
        struct {
            ULONG                                  Length;
            FS_INFORMATION_CLASS POINTER_ALIGNMENT FsInformationClass;
        } SetVolume;
        struct {
            ULONG                   OutputBufferLength;
            ULONG POINTER_ALIGNMENT InputBufferLength;
            ULONG POINTER_ALIGNMENT FsControlCode;
            PVOID                   Type3InputBuffer;
        } FileSystemControl;
        struct {
            PLARGE_INTEGER          Length;
            ULONG POINTER_ALIGNMENT Key;
            LARGE_INTEGER           ByteOffset;
        } LockControl;
        struct {
            ULONG                   OutputBufferLength;
            ULONG POINTER_ALIGNMENT InputBufferLength;
            ULONG POINTER_ALIGNMENT IoControlCode;
            PVOID                   Type3InputBuffer;
        } DeviceIoControl;
        struct {
            ULONG                               Length;
            PSID                                StartSid;
            struct _FILE_GET_QUOTA_INFORMATION *SidList;
            ULONG                               SidListLength;
        } QueryQuota;
        struct {
            ULONG Length;
        } SetQuota;
        struct {
            SECURITY_INFORMATION    SecurityInformation;
            ULONG POINTER_ALIGNMENT Length;
        } QuerySecurity;
        struct {
            SECURITY_INFORMATION SecurityInformation;
            PSECURITY_DESCRIPTOR SecurityDescriptor;
        } SetSecurity;
        struct {
            PVPB           Vpb;
            PDEVICE_OBJECT DeviceObject;
        } MountVolume;
        struct {
            PVPB           Vpb;
            PDEVICE_OBJECT DeviceObject;
        } VerifyVolume;
        struct {
            struct _SCSI_REQUEST_BLOCK *Srb;
        } Scsi;
        struct {
            DEVICE_RELATION_TYPE Type;
        } QueryDeviceRelations;
        struct {
            const GUID *InterfaceType;
            USHORT      Size;
            USHORT      Version;
            PINTERFACE  Interface;
            PVOID       InterfaceSpecificData;
        } QueryInterface;
        struct {
            struct _DEVICE_CAPABILITIES *Capabilities;
        } DeviceCapabilities;
        struct {
            struct _IO_RESOURCE_REQUIREMENTS_LIST *IoResourceRequirementList;
        } FilterResourceRequirements;
        struct {
            ULONG                   WhichSpace;
            PVOID                   Buffer;
            ULONG                   Offset;
            ULONG POINTER_ALIGNMENT Length;
        } ReadWriteConfig;
        struct {
            BOOLEAN Lock;
        } SetLock;
        struct {
            BUS_QUERY_ID_TYPE IdType;
        } QueryId;
        struct {
            DEVICE_TEXT_TYPE        DeviceTextType;
            ULONG POINTER_ALIGNMENT LocaleId;
        } QueryDeviceText;
        struct {
            BOOLEAN                                          InPath;
            BOOLEAN                                          Reserved[3];
            DEVICE_USAGE_NOTIFICATION_TYPE POINTER_ALIGNMENT Type;
        } UsageNotification;
        struct {
            SYSTEM_POWER_STATE PowerState;
        } WaitWake;
        struct {
            PPOWER_SEQUENCE PowerSequence;
        } PowerSequence;
        struct {
            union {
                ULONG                      SystemContext;
                SYSTEM_POWER_STATE_CONTEXT SystemPowerStateContext;
            };
            POWER_STATE_TYPE POINTER_ALIGNMENT Type;
            POWER_STATE POINTER_ALIGNMENT      State;
            POWER_ACTION POINTER_ALIGNMENT     ShutdownType;
        } Power;
        struct {
            struct _CM_RESOURCE_LIST *AllocatedResources;
            struct _CM_RESOURCE_LIST *AllocatedResourcesTranslated;
        } StartDevice;
        struct {
            ULONG_PTR ProviderId;
            PVOID     DataPath;
            ULONG     BufferSize;
            PVOID     Buffer;
        } WMI;
        struct {
            PVOID Argument1;
            PVOID Argument2;
            PVOID Argument3;
            PVOID Argument4;
        } Others;
    } Parameters;
    PDEVICE_OBJECT         DeviceObject;
    PFILE_OBJECT           FileObject;
    PIO_COMPLETION_ROUTINE CompletionRoutine;
    PVOID                  Context;
} IO_STACK_LOCATION, *PIO_STACK_LOCATION;

NTMM_LAYOUT(sizeof(IO_STACK_LOCATION) == 72, "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters) == 8 && FIELD_OFFSET(IO_STACK_LOCATION, DeviceObject) == 0x28,
            "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, FileObject) == 0x30 && FIELD_OFFSET(IO_STACK_LOCATION, CompletionRoutine) == 0x38,
            "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.Read.Key) == 0x10 &&
                FIELD_OFFSET(IO_STACK_LOCATION, Parameters.Read.ByteOffset) == 0x18,
            "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.DeviceIoControl.InputBufferLength) == 0x10, "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.DeviceIoControl.IoControlCode) == 0x18, "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.DeviceIoControl.Type3InputBuffer) == 0x20, "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.Create.FileAttributes) == 0x18, "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.Create.EaLength) == 0x20, "IO_STACK_LOCATION, x64");
NTMM_LAYOUT(FIELD_OFFSET(IO_STACK_LOCATION, Parameters.Power.Type) == 0x10 &&
                FIELD_OFFSET(IO_STACK_LOCATION, Parameters.Power.State) == 0x18,
            "IO_STACK_LOCATION, x64");

/* Control */
#define SL_PENDING_RETURNED 0x01
#define SL_ERROR_RETURNED 0x02
#define SL_INVOKE_ON_CANCEL 0x20
#define SL_INVOKE_ON_SUCCESS 0x40
#define SL_INVOKE_ON_ERROR 0x80

/* ---- I/O control codes ---- */

#define METHOD_BUFFERED 0
#define METHOD_IN_DIRECT 1
#define METHOD_OUT_DIRECT 2
#define METHOD_NEITHER 3
#define METHOD_DIRECT_TO_HARDWARE METHOD_IN_DIRECT
#define METHOD_DIRECT_FROM_HARDWARE METHOD_OUT_DIRECT

#define FILE_ANY_ACCESS 0x0000u
#define FILE_SPECIAL_ACCESS FILE_ANY_ACCESS
#define FILE_READ_ACCESS 0x0001u
#define FILE_WRITE_ACCESS 0x0002u

#define CTL_CODE(DeviceType, Function, Method, Access) \
    (((ULONG)(DeviceType) << 16) | ((ULONG)(Access) << 14) | ((ULONG)(Function) << 2) | (ULONG)(Method))
#define METHOD_FROM_CTL_CODE(ControlCode) ((ULONG)((ControlCode)&3))
#define DEVICE_TYPE_FROM_CTL_CODE(ControlCode) (((ULONG)(ControlCode)&0xffff0000u) >> 16)

#ifdef __cplusplus
}
#endif
#endif
