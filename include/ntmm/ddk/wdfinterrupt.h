/*
 * wdfinterrupt.h - interrupts of a device: service routine at DIRQL, what follows at DISPATCH_LEVEL (DPC) or PASSIVE_LEVEL (work item).
 *
 *     ntmm_fire_interrupt(WdfInterruptWdmGetInterrupt(interrupt))     the test is the device
 *      `- EvtInterruptIsr            DIRQL, under the interrupt's lock
 *          `- WdfInterruptQueueDpcForIsr --> EvtInterruptDpc          DISPATCH_LEVEL
 *
 * They are connected when the device enters D0, with the interrupt resources of IRP_MN_START_DEVICE, and disconnected when it leaves.
 *
 * Source  WDK reference: wdfinterrupt.h, "Handling Hardware Interrupts"; x64 layouts.
 */
#ifndef NTMM_DDK_WDFINTERRUPT_H
#define NTMM_DDK_WDFINTERRUPT_H

#include "wdfobject.h"

WDF_EXTERN_C_START

typedef enum _WDF_INTERRUPT_POLARITY {
    WdfInterruptPolarityUnknown,
    WdfInterruptActiveHigh,
    WdfInterruptActiveLow
} WDF_INTERRUPT_POLARITY,
    *PWDF_INTERRUPT_POLARITY;

typedef enum _WDF_INTERRUPT_POLICY {
    WdfIrqPolicyMachineDefault,
    WdfIrqPolicyAllCloseProcessors,
    WdfIrqPolicyOneCloseProcessor,
    WdfIrqPolicyAllProcessorsInMachine,
    WdfIrqPolicySpecifiedProcessors,
    WdfIrqPolicySpreadMessagesAcrossAllProcessors
} WDF_INTERRUPT_POLICY,
    *PWDF_INTERRUPT_POLICY;

typedef enum _WDF_INTERRUPT_PRIORITY {
    WdfIrqPriorityUndefined,
    WdfIrqPriorityLow,
    WdfIrqPriorityNormal,
    WdfIrqPriorityHigh
} WDF_INTERRUPT_PRIORITY,
    *PWDF_INTERRUPT_PRIORITY;

/** At DIRQL (PASSIVE_LEVEL with PassiveHandling). @return TRUE: the device is the one that interrupted */
typedef BOOLEAN                        EVT_WDF_INTERRUPT_ISR(WDFINTERRUPT Interrupt, ULONG MessageID);
typedef EVT_WDF_INTERRUPT_ISR         *PFN_WDF_INTERRUPT_ISR;
typedef BOOLEAN                        EVT_WDF_INTERRUPT_SYNCHRONIZE(WDFINTERRUPT Interrupt, WDFCONTEXT Context);
typedef EVT_WDF_INTERRUPT_SYNCHRONIZE *PFN_WDF_INTERRUPT_SYNCHRONIZE;
typedef VOID                           EVT_WDF_INTERRUPT_DPC(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject);
typedef EVT_WDF_INTERRUPT_DPC         *PFN_WDF_INTERRUPT_DPC;
typedef VOID                           EVT_WDF_INTERRUPT_WORKITEM(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject);
typedef EVT_WDF_INTERRUPT_WORKITEM    *PFN_WDF_INTERRUPT_WORKITEM;
typedef NTSTATUS                       EVT_WDF_INTERRUPT_ENABLE(WDFINTERRUPT Interrupt, WDFDEVICE AssociatedDevice);
typedef EVT_WDF_INTERRUPT_ENABLE      *PFN_WDF_INTERRUPT_ENABLE;
typedef NTSTATUS                       EVT_WDF_INTERRUPT_DISABLE(WDFINTERRUPT Interrupt, WDFDEVICE AssociatedDevice);
typedef EVT_WDF_INTERRUPT_DISABLE     *PFN_WDF_INTERRUPT_DISABLE;

typedef struct _WDF_INTERRUPT_CONFIG {
    ULONG                           Size;
    WDFSPINLOCK                     SpinLock; /* for several interrupts that share one; NULL: the interrupt has its own */
    WDF_TRI_STATE                   ShareVector;
    BOOLEAN                         FloatingSave;
    BOOLEAN                         AutomaticSerialization; /* of the DPC or work item, under the device's synchronization lock */
    PFN_WDF_INTERRUPT_ISR           EvtInterruptIsr;
    PFN_WDF_INTERRUPT_DPC           EvtInterruptDpc;
    PFN_WDF_INTERRUPT_ENABLE        EvtInterruptEnable;
    PFN_WDF_INTERRUPT_DISABLE       EvtInterruptDisable;
    PFN_WDF_INTERRUPT_WORKITEM      EvtInterruptWorkItem; /* not together with EvtInterruptDpc */
    PCM_PARTIAL_RESOURCE_DESCRIPTOR InterruptRaw;         /* both, when it is made in EvtDevicePrepareHardware; else both NULL */
    PCM_PARTIAL_RESOURCE_DESCRIPTOR InterruptTranslated;
    WDFWAITLOCK                     WaitLock; /* with PassiveHandling: as SpinLock */
    BOOLEAN                         PassiveHandling;
    WDF_TRI_STATE                   ReportInactiveOnPowerDown;
    BOOLEAN                         CanWakeDevice;
} WDF_INTERRUPT_CONFIG, *PWDF_INTERRUPT_CONFIG;
NTMM_LAYOUT(sizeof(WDF_INTERRUPT_CONFIG) == 104 && FIELD_OFFSET(WDF_INTERRUPT_CONFIG, WaitLock) == 80, "WDF_INTERRUPT_CONFIG, x64");

FORCEINLINE VOID WDF_INTERRUPT_CONFIG_INIT(PWDF_INTERRUPT_CONFIG Configuration, PFN_WDF_INTERRUPT_ISR EvtInterruptIsr,
                                           PFN_WDF_INTERRUPT_DPC EvtInterruptDpc)
{
    RtlZeroMemory(Configuration, sizeof *Configuration);
    Configuration->Size = WDF_STRUCTURE_SIZE(WDF_INTERRUPT_CONFIG);
    Configuration->ShareVector = WdfUseDefault;
    Configuration->EvtInterruptIsr = EvtInterruptIsr;
    Configuration->EvtInterruptDpc = EvtInterruptDpc;
    Configuration->ReportInactiveOnPowerDown = WdfUseDefault;
}

typedef struct _WDF_INTERRUPT_INFO {
    ULONG                  Size;
    ULONG64                Reserved1;
    KAFFINITY              TargetProcessorSet;
    ULONG                  Reserved2;
    ULONG                  MessageNumber;
    ULONG                  Vector;
    KIRQL                  Irql;
    KINTERRUPT_MODE        Mode;
    WDF_INTERRUPT_POLARITY Polarity;
    BOOLEAN                MessageSignaled;
    UCHAR                  ShareDisposition;
    DECLSPEC_ALIGN(8) USHORT Group;
} WDF_INTERRUPT_INFO, *PWDF_INTERRUPT_INFO;
NTMM_LAYOUT(sizeof(WDF_INTERRUPT_INFO) == 64 && FIELD_OFFSET(WDF_INTERRUPT_INFO, Group) == 56, "WDF_INTERRUPT_INFO, x64");

FORCEINLINE VOID WDF_INTERRUPT_INFO_INIT(PWDF_INTERRUPT_INFO Info)
{
    RtlZeroMemory(Info, sizeof *Info);
    Info->Size = WDF_STRUCTURE_SIZE(WDF_INTERRUPT_INFO);
}

typedef struct _WDF_INTERRUPT_EXTENDED_POLICY {
    ULONG                  Size;
    WDF_INTERRUPT_POLICY   Policy;
    WDF_INTERRUPT_PRIORITY Priority;
    GROUP_AFFINITY         TargetProcessorSetAndGroup;
} WDF_INTERRUPT_EXTENDED_POLICY, *PWDF_INTERRUPT_EXTENDED_POLICY;

FORCEINLINE VOID WDF_INTERRUPT_EXTENDED_POLICY_INIT(PWDF_INTERRUPT_EXTENDED_POLICY ExtendedPolicy)
{
    RtlZeroMemory(ExtendedPolicy, sizeof *ExtendedPolicy);
    ExtendedPolicy->Size = WDF_STRUCTURE_SIZE(WDF_INTERRUPT_EXTENDED_POLICY);
}

/**
 * An interrupt of a device; Attributes' ParentObject must be NULL: the device is the parent.
 * Made in EvtDriverDeviceAdd, the nth one gets the nth interrupt resource; made in EvtDevicePrepareHardware, the one that Configuration names.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER; STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED; STATUS_INVALID_DEVICE_REQUEST: the device
 *         has been started; STATUS_INSUFFICIENT_RESOURCES
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdfinterrupt.h, WdfInterruptCreate
 */
WDFAPI NTSTATUS WdfInterruptCreate(WDFDEVICE Device, PWDF_INTERRUPT_CONFIG Configuration, PWDF_OBJECT_ATTRIBUTES Attributes,
                                   WDFINTERRUPT *Interrupt);
/** Have EvtInterruptDpc called. @return FALSE: it is queued already @irql any @source WDK reference: wdfinterrupt.h */
WDFAPI BOOLEAN WdfInterruptQueueDpcForIsr(WDFINTERRUPT Interrupt);
/** Have EvtInterruptWorkItem called. @return FALSE: it is queued already @irql any @source WDK reference: wdfinterrupt.h */
WDFAPI BOOLEAN WdfInterruptQueueWorkItemForIsr(WDFINTERRUPT Interrupt);
/** Run a callback at DIRQL under the interrupt's lock. @return what it returned @irql <= DIRQL; PASSIVE_LEVEL with PassiveHandling
 *  @source WDK reference: wdfinterrupt.h, WdfInterruptSynchronize */
WDFAPI BOOLEAN WdfInterruptSynchronize(WDFINTERRUPT Interrupt, PFN_WDF_INTERRUPT_SYNCHRONIZE Callback, WDFCONTEXT Context);
/** Raise to DIRQL and take the interrupt's lock. @irql <= DIRQL; PASSIVE_LEVEL with PassiveHandling @source WDK reference: wdfinterrupt.h */
WDFAPI VOID WdfInterruptAcquireLock(WDFINTERRUPT Interrupt);
/** @irql DIRQL; PASSIVE_LEVEL with PassiveHandling @source WDK reference: wdfinterrupt.h, WdfInterruptReleaseLock */
WDFAPI VOID WdfInterruptReleaseLock(WDFINTERRUPT Interrupt);
/** Take the lock of an interrupt with PassiveHandling, if it is free. @return FALSE: it is not @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfinterrupt.h, WdfInterruptTryToAcquireLock */
WDFAPI BOOLEAN WdfInterruptTryToAcquireLock(WDFINTERRUPT Interrupt);
/** Call EvtInterruptEnable at DIRQL under the interrupt's lock. @irql PASSIVE_LEVEL @source WDK reference: wdfinterrupt.h */
WDFAPI VOID WdfInterruptEnable(WDFINTERRUPT Interrupt);
/** Call EvtInterruptDisable at DIRQL under the interrupt's lock. @irql PASSIVE_LEVEL @source WDK reference: wdfinterrupt.h */
WDFAPI VOID WdfInterruptDisable(WDFINTERRUPT Interrupt);
/** Its KINTERRUPT, for ntmm_fire_interrupt(). @return NULL: it is not connected @irql any @source WDK reference: wdfinterrupt.h */
WDFAPI PKINTERRUPT WdfInterruptWdmGetInterrupt(WDFINTERRUPT Interrupt);
/** What its resource says; Info->Size is set. @irql any @source WDK reference: wdfinterrupt.h, WdfInterruptGetInfo */
WDFAPI VOID WdfInterruptGetInfo(WDFINTERRUPT Interrupt, PWDF_INTERRUPT_INFO Info);
/** @models remembered, and without effect: an interrupt comes to the thread that fires it @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfinterrupt.h, WdfInterruptSetPolicy */
WDFAPI VOID WdfInterruptSetPolicy(WDFINTERRUPT Interrupt, WDF_INTERRUPT_POLICY Policy, WDF_INTERRUPT_PRIORITY Priority,
                                  KAFFINITY TargetProcessorSet);
/** The same. @irql PASSIVE_LEVEL @source WDK reference: wdfinterrupt.h, WdfInterruptSetExtendedPolicy */
WDFAPI VOID WdfInterruptSetExtendedPolicy(WDFINTERRUPT Interrupt, PWDF_INTERRUPT_EXTENDED_POLICY PolicyAndGroup);
/** @irql any @source WDK reference: wdfinterrupt.h, WdfInterruptGetDevice */
WDFAPI WDFDEVICE WdfInterruptGetDevice(WDFINTERRUPT Interrupt);

WDF_EXTERN_C_END
#endif
