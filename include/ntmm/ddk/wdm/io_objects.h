/*
 * io_objects.h - DRIVER_OBJECT and DEVICE_OBJECT, laid out as on x64, and the types that they need.
 * IRP is in irp.h, routines on device objects are in io_device.h.
 *
 * Source  WDK reference: DEVICE_OBJECT, DRIVER_OBJECT, DRIVER_EXTENSION (ddk), KDEVICE_QUEUE, WAIT_CONTEXT_BLOCK; x64 layouts of wdm.h.
 */
#ifndef NTMM_DDK_WDM_IO_OBJECTS_H
#define NTMM_DDK_WDM_IO_OBJECTS_H

#include "dispatcher.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _IRP               IRP, *PIRP;
typedef struct _DEVICE_OBJECT     DEVICE_OBJECT, *PDEVICE_OBJECT;
typedef struct _DRIVER_OBJECT     DRIVER_OBJECT, *PDRIVER_OBJECT;
typedef struct _VPB              *PVPB;
typedef struct _IO_TIMER         *PIO_TIMER;
typedef struct _FAST_IO_DISPATCH *PFAST_IO_DISPATCH;
typedef PVOID                     PSECURITY_DESCRIPTOR;
typedef ULONG                     DEVICE_TYPE;

/* ---- KDPC: 64 bytes; its routines are in ke_dpc.h ---- */

struct _KDPC;
typedef VOID               KDEFERRED_ROUTINE(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2);
typedef KDEFERRED_ROUTINE *PKDEFERRED_ROUTINE;

typedef struct _KDPC {
    union {
        ULONG TargetInfoAsUlong;
        struct {
            UCHAR           Type;       /* DpcObject or ThreadedDpcObject */
            UCHAR           Importance; /* KDPC_IMPORTANCE */
            volatile USHORT Number;     /* 0: the processor of whoever queues it; else MAXIMUM_PROCESSORS + the target's number */
        };
    };
    SINGLE_LIST_ENTRY  DpcListEntry;
    KAFFINITY          ProcessorHistory; /* processors it was queued on */
    PKDEFERRED_ROUTINE DeferredRoutine;
    PVOID              DeferredContext;
    PVOID              SystemArgument1;
    PVOID              SystemArgument2;
    volatile PVOID     DpcData; /* the queue it is on; NULL: on none */
} KDPC, *PKDPC, *PRKDPC;

NTMM_LAYOUT(sizeof(KDPC) == 64, "KDPC, x64");
NTMM_LAYOUT(FIELD_OFFSET(KDPC, Importance) == 1 && FIELD_OFFSET(KDPC, Number) == 2 && FIELD_OFFSET(KDPC, DpcListEntry) == 8, "KDPC, x64");
NTMM_LAYOUT(FIELD_OFFSET(KDPC, ProcessorHistory) == 16 && FIELD_OFFSET(KDPC, DeferredRoutine) == 24, "KDPC, x64");
NTMM_LAYOUT(FIELD_OFFSET(KDPC, DeferredContext) == 32 && FIELD_OFFSET(KDPC, SystemArgument1) == 40, "KDPC, x64");
NTMM_LAYOUT(FIELD_OFFSET(KDPC, SystemArgument2) == 48 && FIELD_OFFSET(KDPC, DpcData) == 56, "KDPC, x64");

/* ---- device queues and what waits in them ---- */

typedef struct _KDEVICE_QUEUE_ENTRY {
    LIST_ENTRY DeviceListEntry;
    ULONG      SortKey;
    BOOLEAN    Inserted;
} KDEVICE_QUEUE_ENTRY, *PKDEVICE_QUEUE_ENTRY;

typedef struct _KDEVICE_QUEUE {
    SHORT      Type, Size;
    LIST_ENTRY DeviceListHead;
    KSPIN_LOCK Lock;
    union {
        BOOLEAN Busy;
        struct {
            LONG64 Reserved : 8;
            LONG64 Hint : 56;
        };
    };
} KDEVICE_QUEUE, *PKDEVICE_QUEUE;

typedef enum _IO_ALLOCATION_ACTION {
    KeepObject = 1,
    DeallocateObject,
    DeallocateObjectKeepRegisters
} IO_ALLOCATION_ACTION,
    *PIO_ALLOCATION_ACTION;
typedef IO_ALLOCATION_ACTION DRIVER_CONTROL(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context);
typedef DRIVER_CONTROL      *PDRIVER_CONTROL;

typedef struct _WAIT_CONTEXT_BLOCK {
    union {
        KDEVICE_QUEUE_ENTRY WaitQueueEntry;
        struct {
            LIST_ENTRY DmaWaitEntry;
            ULONG      NumberOfChannels;
            ULONG      SyncCallback : 1;
            ULONG      DmaContext : 1;
            ULONG      ZeroMapRegisters : 1;
            ULONG      Reserved : 9;
            ULONG      NumberOfRemapPages : 20;
        };
    };
    PDRIVER_CONTROL DeviceRoutine;
    PVOID           DeviceContext;
    ULONG           NumberOfMapRegisters;
    PVOID           DeviceObject;
    PVOID           CurrentIrp;
    PKDPC           BufferChainingDpc;
} WAIT_CONTEXT_BLOCK, *PWAIT_CONTEXT_BLOCK;

NTMM_LAYOUT(sizeof(KDEVICE_QUEUE) == 0x28, "KDEVICE_QUEUE, x64");
NTMM_LAYOUT(sizeof(WAIT_CONTEXT_BLOCK) == 0x48 && FIELD_OFFSET(WAIT_CONTEXT_BLOCK, DeviceRoutine) == 0x18, "WAIT_CONTEXT_BLOCK, x64");

/* ---- devices ---- */

struct _DEVICE_OBJECT {
    CSHORT         Type;
    USHORT         Size;
    LONG           ReferenceCount;
    PDRIVER_OBJECT DriverObject;
    PDEVICE_OBJECT NextDevice;
    PDEVICE_OBJECT AttachedDevice;
    PIRP           CurrentIrp;
    PIO_TIMER      Timer;
    ULONG          Flags;
    ULONG          Characteristics;
    volatile PVPB  Vpb;
    PVOID          DeviceExtension;
    DEVICE_TYPE    DeviceType;
    CCHAR          StackSize;
    union {
        LIST_ENTRY         ListEntry;
        WAIT_CONTEXT_BLOCK Wcb;
    } Queue;
    ULONG                     AlignmentRequirement;
    KDEVICE_QUEUE             DeviceQueue;
    KDPC                      Dpc; /* IoInitializeDpcRequest, IoRequestDpc */
    ULONG                     ActiveThreadCount;
    PSECURITY_DESCRIPTOR      SecurityDescriptor;
    KEVENT                    DeviceLock;
    USHORT                    SectorSize;
    USHORT                    Spare1;
    struct _DEVOBJ_EXTENSION *DeviceObjectExtension;
    PVOID                     Reserved;
} DECLSPEC_ALIGN(16);

NTMM_LAYOUT(sizeof(DEVICE_OBJECT) == 0x150, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, DriverObject) == 0x08 && FIELD_OFFSET(DEVICE_OBJECT, NextDevice) == 0x10, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, AttachedDevice) == 0x18 && FIELD_OFFSET(DEVICE_OBJECT, CurrentIrp) == 0x20, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, Timer) == 0x28 && FIELD_OFFSET(DEVICE_OBJECT, Flags) == 0x30, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, Characteristics) == 0x34 && FIELD_OFFSET(DEVICE_OBJECT, Vpb) == 0x38, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, DeviceExtension) == 0x40 && FIELD_OFFSET(DEVICE_OBJECT, DeviceType) == 0x48, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, StackSize) == 0x4c && FIELD_OFFSET(DEVICE_OBJECT, Queue) == 0x50, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, AlignmentRequirement) == 0x98 && FIELD_OFFSET(DEVICE_OBJECT, DeviceQueue) == 0xa0,
            "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, Dpc) == 0xc8 && FIELD_OFFSET(DEVICE_OBJECT, ActiveThreadCount) == 0x108, "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, SecurityDescriptor) == 0x110 && FIELD_OFFSET(DEVICE_OBJECT, DeviceLock) == 0x118,
            "DEVICE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_OBJECT, SectorSize) == 0x130 && FIELD_OFFSET(DEVICE_OBJECT, DeviceObjectExtension) == 0x138,
            "DEVICE_OBJECT, x64");

/* ---- drivers ---- */

typedef NTSTATUS           DRIVER_INITIALIZE(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
typedef DRIVER_INITIALIZE *PDRIVER_INITIALIZE;
typedef VOID               DRIVER_STARTIO(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef DRIVER_STARTIO    *PDRIVER_STARTIO;
typedef VOID               DRIVER_UNLOAD(PDRIVER_OBJECT DriverObject);
typedef DRIVER_UNLOAD     *PDRIVER_UNLOAD;
typedef NTSTATUS           DRIVER_ADD_DEVICE(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject);
typedef DRIVER_ADD_DEVICE *PDRIVER_ADD_DEVICE;
typedef NTSTATUS           DRIVER_DISPATCH(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef DRIVER_DISPATCH   *PDRIVER_DISPATCH;

#define IRP_MJ_MAXIMUM_FUNCTION 0x1b

typedef struct _DRIVER_EXTENSION {
    PDRIVER_OBJECT     DriverObject;
    PDRIVER_ADD_DEVICE AddDevice;
    ULONG              Count;
    UNICODE_STRING     ServiceKeyName;
} DRIVER_EXTENSION, *PDRIVER_EXTENSION;

struct _DRIVER_OBJECT {
    CSHORT             Type;
    CSHORT             Size;
    PDEVICE_OBJECT     DeviceObject;
    ULONG              Flags;
    PVOID              DriverStart;
    ULONG              DriverSize;
    PVOID              DriverSection;
    PDRIVER_EXTENSION  DriverExtension;
    UNICODE_STRING     DriverName;
    PUNICODE_STRING    HardwareDatabase;
    PFAST_IO_DISPATCH  FastIoDispatch;
    PDRIVER_INITIALIZE DriverInit;
    PDRIVER_STARTIO    DriverStartIo;
    PDRIVER_UNLOAD     DriverUnload;
    PDRIVER_DISPATCH   MajorFunction[IRP_MJ_MAXIMUM_FUNCTION + 1];
};

NTMM_LAYOUT(sizeof(DRIVER_OBJECT) == 0x150, "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, DeviceObject) == 0x08 && FIELD_OFFSET(DRIVER_OBJECT, Flags) == 0x10, "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, DriverStart) == 0x18 && FIELD_OFFSET(DRIVER_OBJECT, DriverSize) == 0x20, "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, DriverSection) == 0x28 && FIELD_OFFSET(DRIVER_OBJECT, DriverExtension) == 0x30,
            "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, DriverName) == 0x38 && FIELD_OFFSET(DRIVER_OBJECT, HardwareDatabase) == 0x48, "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, FastIoDispatch) == 0x50 && FIELD_OFFSET(DRIVER_OBJECT, DriverInit) == 0x58, "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, DriverStartIo) == 0x60 && FIELD_OFFSET(DRIVER_OBJECT, DriverUnload) == 0x68, "DRIVER_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(DRIVER_OBJECT, MajorFunction) == 0x70, "DRIVER_OBJECT, x64");

#ifdef __cplusplus
}
#endif
#endif
