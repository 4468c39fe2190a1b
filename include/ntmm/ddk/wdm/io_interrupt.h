/*
 * io_interrupt.h - interrupts connected by IoConnectInterruptEx, which knows the device's resources.
 *
 *     CONNECT_FULLY_SPECIFIED  the driver says vector and IRQL, as it would to IoConnectInterrupt
 *     CONNECT_LINE_BASED       they are the device's, as ntmm_pnp_start() had it; without such a resource the machine deals out a vector, and DIRQL is 8
 *     CONNECT_MESSAGE_BASED    one for each message among the device's resources; without any the fallback routine is connected to a line, and
 *                              Version says so
 *
 * ntmm_fire_vector() and ntmm_fire_interrupt() play them.
 *
 * Source  WDK reference: wdm.h, IoConnectInterruptEx, "Using the CONNECT_MESSAGE_BASED Version of IoConnectInterruptEx"; x64 layouts.
 */
#ifndef NTMM_DDK_WDM_IO_INTERRUPT_H
#define NTMM_DDK_WDM_IO_INTERRUPT_H

#include "ke_dpc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONNECT_FULLY_SPECIFIED 0x1
#define CONNECT_LINE_BASED 0x2
#define CONNECT_MESSAGE_BASED 0x3
#define CONNECT_FULLY_SPECIFIED_GROUP 0x4
#define CONNECT_MESSAGE_BASED_PASSIVE 0x5
#define CONNECT_CURRENT_VERSION 0x5

typedef enum _KINTERRUPT_POLARITY {
    InterruptPolarityUnknown,
    InterruptActiveHigh,
    InterruptRisingEdge = InterruptActiveHigh,
    InterruptActiveLow,
    InterruptFallingEdge = InterruptActiveLow,
    InterruptActiveBoth,
    InterruptActiveBothTriggerLow = InterruptActiveBoth,
    InterruptActiveBothTriggerHigh
} KINTERRUPT_POLARITY,
    *PKINTERRUPT_POLARITY;

typedef BOOLEAN                   KMESSAGE_SERVICE_ROUTINE(PKINTERRUPT Interrupt, PVOID ServiceContext, ULONG MessageID);
typedef KMESSAGE_SERVICE_ROUTINE *PKMESSAGE_SERVICE_ROUTINE;

typedef struct _IO_INTERRUPT_MESSAGE_INFO_ENTRY {
    PHYSICAL_ADDRESS    MessageAddress;
    KAFFINITY           TargetProcessorSet;
    PKINTERRUPT         InterruptObject;
    ULONG               MessageData;
    ULONG               Vector;
    KIRQL               Irql;
    KINTERRUPT_MODE     Mode;
    KINTERRUPT_POLARITY Polarity;
} IO_INTERRUPT_MESSAGE_INFO_ENTRY, *PIO_INTERRUPT_MESSAGE_INFO_ENTRY;

typedef struct _IO_INTERRUPT_MESSAGE_INFO {
    KIRQL                           UnifiedIrql;
    ULONG                           MessageCount;
    IO_INTERRUPT_MESSAGE_INFO_ENTRY MessageInfo[1];
} IO_INTERRUPT_MESSAGE_INFO, *PIO_INTERRUPT_MESSAGE_INFO;

typedef struct _IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS {
    PDEVICE_OBJECT    PhysicalDeviceObject;
    PKINTERRUPT      *InterruptObject;
    PKSERVICE_ROUTINE ServiceRoutine;
    PVOID             ServiceContext;
    PKSPIN_LOCK       SpinLock;
    KIRQL             SynchronizeIrql;
    BOOLEAN           FloatingSave;
    BOOLEAN           ShareVector;
    ULONG             Vector;
    KIRQL             Irql;
    KINTERRUPT_MODE   InterruptMode;
    KAFFINITY         ProcessorEnableMask;
    USHORT            Group;
} IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS, *PIO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS;

typedef struct _IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS {
    PDEVICE_OBJECT    PhysicalDeviceObject;
    PKINTERRUPT      *InterruptObject;
    PKSERVICE_ROUTINE ServiceRoutine;
    PVOID             ServiceContext;
    PKSPIN_LOCK       SpinLock;
    KIRQL             SynchronizeIrql; /* 0: the system's choice */
    BOOLEAN           FloatingSave;
} IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS, *PIO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS;

typedef struct _IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS {
    PDEVICE_OBJECT PhysicalDeviceObject;
    union {
        PVOID                      *Generic;
        PIO_INTERRUPT_MESSAGE_INFO *InterruptMessageTable;
        PKINTERRUPT                *InterruptObject;
    } ConnectionContext;
    PKMESSAGE_SERVICE_ROUTINE MessageServiceRoutine;
    PVOID                     ServiceContext;
    PKSPIN_LOCK               SpinLock;
    KIRQL                     SynchronizeIrql;
    BOOLEAN                   FloatingSave;
    PKSERVICE_ROUTINE         FallBackServiceRoutine;
} IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS, *PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS;

typedef struct _IO_CONNECT_INTERRUPT_PARAMETERS {
    ULONG Version; /* CONNECT_* */
    union {
        IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS FullySpecified;
        IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS      LineBased;
        IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS   MessageBased;
    };
} IO_CONNECT_INTERRUPT_PARAMETERS, *PIO_CONNECT_INTERRUPT_PARAMETERS;

typedef struct _IO_DISCONNECT_INTERRUPT_PARAMETERS {
    ULONG Version; /* what IoConnectInterruptEx left there */
    union {
        PVOID                      Generic;
        PKINTERRUPT                InterruptObject;
        PIO_INTERRUPT_MESSAGE_INFO InterruptMessageTable;
    } ConnectionContext;
} IO_DISCONNECT_INTERRUPT_PARAMETERS, *PIO_DISCONNECT_INTERRUPT_PARAMETERS;

NTMM_LAYOUT(sizeof(IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS) == 72 && sizeof(IO_CONNECT_INTERRUPT_PARAMETERS) == 80, "x64");
NTMM_LAYOUT(sizeof(IO_DISCONNECT_INTERRUPT_PARAMETERS) == 16, "x64");

/**
 * Connect a service routine, as the version says.
 *
 * @param Parameters  Version is changed when CONNECT_MESSAGE_BASED fell back to CONNECT_LINE_BASED
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER; STATUS_NOT_FOUND: messages are wanted, and there is no fallback routine; STATUS_NOT_SUPPORTED: a
 *         version that is not there, with the one that is in Version; STATUS_INSUFFICIENT_RESOURCES
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @models    the resources are those of the last IRP_MN_START_DEVICE that reached PhysicalDeviceObject, 16 interrupts at most.
 *            CONNECT_MESSAGE_BASED_PASSIVE is CONNECT_MESSAGE_BASED; no routine runs at PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, IoConnectInterruptEx
 */
NTKERNELAPI NTSTATUS IoConnectInterruptEx(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters);
/** @irql, @bugcheck as IoDisconnectInterrupt @source WDK reference: wdm.h, IoDisconnectInterruptEx */
NTKERNELAPI VOID IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters);

#ifdef __cplusplus
}
#endif
#endif
