/*
 * wmilib.h - the library that answers IRP_MJ_SYSTEM_CONTROL for a driver: the driver gives it a table of data blocks and callbacks.
 *
 * Source  WDK reference: wmilib.h, WMILIB_CONTEXT, WMIGUIDREGINFO, the page of each callback; x64 layouts.
 */
#ifndef NTMM_DDK_WMILIB_H
#define NTMM_DDK_WMILIB_H

#include "wdm.h"
#include "wmistr.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    WmiEventControl,    /* turn an event on or off */
    WmiDataBlockControl /* turn the collection of a block on or off */
} WMIENABLEDISABLECONTROL,
    *PWMIENABLEDISABLECONTROL;

/** What is to become of the IRP, as WmiSystemControl says. */
typedef enum {
    IrpProcessed,    /* a callback has completed it, or will */
    IrpNotCompleted, /* complete it */
    IrpNotWmi,       /* not for the library: pass it on */
    IrpForward       /* for another driver: pass it on */
} SYSCTL_IRP_DISPOSITION,
    *PSYSCTL_IRP_DISPOSITION;

typedef struct _WMIGUIDREGINFO {
    LPCGUID Guid;
    ULONG   InstanceCount;
    ULONG   Flags; /* WMIREG_FLAG_* */
} WMIGUIDREGINFO, *PWMIGUIDREGINFO;

typedef NTSTATUS                    WMI_QUERY_REGINFO_CALLBACK(PDEVICE_OBJECT DeviceObject, PULONG RegFlags, PUNICODE_STRING InstanceName,
                                                               PUNICODE_STRING *RegistryPath, PUNICODE_STRING MofResourceName, PDEVICE_OBJECT *Pdo);
typedef WMI_QUERY_REGINFO_CALLBACK *PWMI_QUERY_REGINFO;
typedef NTSTATUS WMI_QUERY_DATABLOCK_CALLBACK(PDEVICE_OBJECT DeviceObject, PIRP Irp, ULONG GuidIndex, ULONG InstanceIndex,
                                              ULONG InstanceCount, PULONG InstanceLengthArray, ULONG BufferAvail, PUCHAR Buffer);
typedef WMI_QUERY_DATABLOCK_CALLBACK *PWMI_QUERY_DATABLOCK;
typedef NTSTATUS WMI_SET_DATABLOCK_CALLBACK(PDEVICE_OBJECT DeviceObject, PIRP Irp, ULONG GuidIndex, ULONG InstanceIndex, ULONG BufferSize,
                                            PUCHAR Buffer);
typedef WMI_SET_DATABLOCK_CALLBACK *PWMI_SET_DATABLOCK;
typedef NTSTATUS WMI_SET_DATAITEM_CALLBACK(PDEVICE_OBJECT DeviceObject, PIRP Irp, ULONG GuidIndex, ULONG InstanceIndex, ULONG DataItemId,
                                           ULONG BufferSize, PUCHAR Buffer);
typedef WMI_SET_DATAITEM_CALLBACK *PWMI_SET_DATAITEM;
typedef NTSTATUS WMI_EXECUTE_METHOD_CALLBACK(PDEVICE_OBJECT DeviceObject, PIRP Irp, ULONG GuidIndex, ULONG InstanceIndex, ULONG MethodId,
                                             ULONG InBufferSize, ULONG OutBufferSize, PUCHAR Buffer);
typedef WMI_EXECUTE_METHOD_CALLBACK *PWMI_EXECUTE_METHOD;
typedef NTSTATUS WMI_FUNCTION_CONTROL_CALLBACK(PDEVICE_OBJECT DeviceObject, PIRP Irp, ULONG GuidIndex, WMIENABLEDISABLECONTROL Function,
                                               BOOLEAN Enable);
typedef WMI_FUNCTION_CONTROL_CALLBACK *PWMI_FUNCTION_CONTROL;

typedef struct _WMILIB_CONTEXT {
    ULONG                 GuidCount;
    PWMIGUIDREGINFO       GuidList; /* [GuidCount] */
    PWMI_QUERY_REGINFO    QueryWmiRegInfo;
    PWMI_QUERY_DATABLOCK  QueryWmiDataBlock;
    PWMI_SET_DATABLOCK    SetWmiDataBlock; /* this one and those below may be NULL */
    PWMI_SET_DATAITEM     SetWmiDataItem;
    PWMI_EXECUTE_METHOD   ExecuteWmiMethod;
    PWMI_FUNCTION_CONTROL WmiFunctionControl;
} WMILIB_CONTEXT, *PWMILIB_CONTEXT;
NTMM_LAYOUT(sizeof(WMILIB_CONTEXT) == 64 && sizeof(WMIGUIDREGINFO) == 16, "WMILIB_CONTEXT, x64");

/* The library itself: a program that calls it without its being there does not link. docs/fidelity.md says what there is. */
NTMM_PUBLIC NTSTATUS WmiSystemControl(PWMILIB_CONTEXT WmiLibInfo, PDEVICE_OBJECT DeviceObject, PIRP Irp,
                                      PSYSCTL_IRP_DISPOSITION IrpDisposition);
NTMM_PUBLIC NTSTATUS WmiCompleteRequest(PDEVICE_OBJECT DeviceObject, PIRP Irp, NTSTATUS Status, ULONG BufferUsed, CCHAR PriorityBoost);
NTMM_PUBLIC NTSTATUS WmiFireEvent(PDEVICE_OBJECT DeviceObject, LPCGUID Guid, ULONG InstanceIndex, ULONG EventDataSize, PVOID EventData);

#ifdef __cplusplus
}
#endif
#endif
