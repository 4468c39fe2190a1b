/*
 * cm_requirements.h - which resources a device could do with, as its bus driver says; what it gets is in cm_resources.h.
 *
 *     IO_RESOURCE_REQUIREMENTS_LIST
 *       List[AlternativeLists]       one of these lists is granted: IO_RESOURCE_LIST, of variable size, one behind the other
 *         Descriptors[Count]         all of these; one marked IO_RESOURCE_ALTERNATIVE stands for the one before it
 *
 * Source  WDK reference: wdm.h, IO_RESOURCE_DESCRIPTOR, IO_RESOURCE_LIST, IO_RESOURCE_REQUIREMENTS_LIST; x64 layouts.
 */
#ifndef NTMM_DDK_WDM_CM_REQUIREMENTS_H
#define NTMM_DDK_WDM_CM_REQUIREMENTS_H

#include "cm_resources.h"

#ifdef __cplusplus
extern "C" {
#endif

/* .Option */
#define IO_RESOURCE_REQUIRED 0x00
#define IO_RESOURCE_PREFERRED 0x01
#define IO_RESOURCE_DEFAULT 0x02
#define IO_RESOURCE_ALTERNATIVE 0x08

#ifdef NT_PROCESSOR_GROUPS
typedef USHORT IRQ_DEVICE_POLICY, *PIRQ_DEVICE_POLICY;
enum _IRQ_DEVICE_POLICY_USHORT {
#else
typedef enum _IRQ_DEVICE_POLICY {
#endif
    IrqPolicyMachineDefault = 0,
    IrqPolicyAllCloseProcessors,
    IrqPolicyOneCloseProcessor,
    IrqPolicyAllProcessorsInMachine,
    IrqPolicySpecifiedProcessors,
    IrqPolicySpreadMessagesAcrossAllProcessors,
    IrqPolicyAllProcessorsInMachineWhenSteered
#ifdef NT_PROCESSOR_GROUPS
};
#define NTMM_INTERRUPT_GROUP USHORT Group;
#else
} IRQ_DEVICE_POLICY,
    *PIRQ_DEVICE_POLICY;
#define NTMM_INTERRUPT_GROUP
#endif
typedef enum _IRQ_PRIORITY { IrqPriorityUndefined = 0, IrqPriorityLow, IrqPriorityNormal, IrqPriorityHigh } IRQ_PRIORITY, *PIRQ_PRIORITY;
typedef enum _IRQ_GROUP_POLICY { GroupAffinityAllGroupZero = 0, GroupAffinityDontCare } IRQ_GROUP_POLICY, *PIRQ_GROUP_POLICY;

typedef struct _IO_RESOURCE_DESCRIPTOR {
    UCHAR  Option;           /* IO_RESOURCE_* */
    UCHAR  Type;             /* CmResourceType* */
    UCHAR  ShareDisposition; /* CM_SHARE_DISPOSITION */
    UCHAR  Spare1;
    USHORT Flags; /* as of a CM_PARTIAL_RESOURCE_DESCRIPTOR of that type */
    USHORT Spare2;
    union {
        struct {
            ULONG            Length; /* bytes, or ports */
            ULONG            Alignment;
            PHYSICAL_ADDRESS MinimumAddress, MaximumAddress;
        } Port, Memory, Generic;
        struct {
            ULONG             MinimumVector, MaximumVector;
            IRQ_DEVICE_POLICY AffinityPolicy;
            NTMM_INTERRUPT_GROUP
            IRQ_PRIORITY PriorityPolicy;
            KAFFINITY    TargetedProcessors;
        } Interrupt;
        struct {
            ULONG MinimumChannel, MaximumChannel;
        } Dma;
        struct {
            ULONG RequestLine, Reserved, Channel, TransferWidth;
        } DmaV3;
        struct {
            ULONG Data[3];
        } DevicePrivate;
        struct {
            ULONG Length, MinBusNumber, MaxBusNumber, Reserved;
        } BusNumber;
        struct {
            ULONG Priority, Reserved1, Reserved2;
        } ConfigData;
        struct {
            ULONG            Length40, Alignment40;
            PHYSICAL_ADDRESS MinimumAddress, MaximumAddress;
        } Memory40;
        struct {
            ULONG            Length48, Alignment48;
            PHYSICAL_ADDRESS MinimumAddress, MaximumAddress;
        } Memory48;
        struct {
            ULONG            Length64, Alignment64;
            PHYSICAL_ADDRESS MinimumAddress, MaximumAddress;
        } Memory64;
        struct {
            UCHAR Class, Type, Reserved1, Reserved2;
            ULONG IdLowPart, IdHighPart;
        } Connection;
    } u;
} IO_RESOURCE_DESCRIPTOR, *PIO_RESOURCE_DESCRIPTOR;

typedef struct _IO_RESOURCE_LIST {
    USHORT Version, Revision; /* 1, 1 */
    ULONG  Count;
    NTMM_ANY_NUMBER(IO_RESOURCE_DESCRIPTOR, Descriptors);
} IO_RESOURCE_LIST, *PIO_RESOURCE_LIST;
typedef struct _IO_RESOURCE_REQUIREMENTS_LIST {
    ULONG            ListSize; /* bytes, all of it */
    INTERFACE_TYPE   InterfaceType;
    ULONG            BusNumber, SlotNumber;
    ULONG            Reserved[3];
    ULONG            AlternativeLists;
    IO_RESOURCE_LIST List[1];
} IO_RESOURCE_REQUIREMENTS_LIST, *PIO_RESOURCE_REQUIREMENTS_LIST;

NTMM_LAYOUT(sizeof(IO_RESOURCE_DESCRIPTOR) == 32 && sizeof(IO_RESOURCE_LIST) == 40, "IO_RESOURCE_LIST, x64");
NTMM_LAYOUT(sizeof(IO_RESOURCE_REQUIREMENTS_LIST) == 72, "IO_RESOURCE_REQUIREMENTS_LIST, x64");

#ifdef __cplusplus
}
#endif
#endif
