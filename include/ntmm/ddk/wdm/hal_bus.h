/*
 * hal_bus.h - buses as old drivers meet them: what is in a PCI slot, and which physical address a bus-relative one is. New drivers get
 * translated resources (cm_resources.h) and ask their bus driver. ntmm_pci_add (ntmm/ntmm.h) puts a function into a slot.
 *
 * Source  WDK reference: ntddk.h, HalGetBusDataByOffset, HalSetBusDataByOffset; wdm.h, PCI_SLOT_NUMBER, PCI_COMMON_CONFIG. Windows NT and 2000
 *         DDK: HalGetBusData, HalSetBusData, HalTranslateBusAddress, and the IRQLs of all.
 */
#ifndef NTMM_DDK_WDM_HAL_BUS_H
#define NTMM_DDK_WDM_HAL_BUS_H

#include "cm_resources.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _BUS_DATA_TYPE {
    ConfigurationSpaceUndefined = -1,
    Cmos,
    EisaConfiguration,
    Pos,
    CbusConfiguration,
    PCIConfiguration,
    VMEConfiguration,
    NuBusConfiguration,
    PCMCIAConfiguration,
    MPIConfiguration,
    MPSAConfiguration,
    PNPISAConfiguration,
    SgiInternalConfiguration,
    MaximumBusDataType
} BUS_DATA_TYPE,
    *PBUS_DATA_TYPE;

typedef struct _PCI_SLOT_NUMBER {
    union {
        struct {
            ULONG DeviceNumber : 5;
            ULONG FunctionNumber : 3;
            ULONG Reserved : 24;
        } bits;
        ULONG AsULONG;
    } u;
} PCI_SLOT_NUMBER, *PPCI_SLOT_NUMBER;

#define PCI_TYPE0_ADDRESSES 6
#define PCI_TYPE1_ADDRESSES 2
#define PCI_INVALID_VENDORID 0xFFFF
#define PCI_DEVICE_TYPE 0x00
#define PCI_BRIDGE_TYPE 0x01
#define PCI_MULTIFUNCTION 0x80
#define PCI_ENABLE_IO_SPACE 0x0001
#define PCI_ENABLE_MEMORY_SPACE 0x0002
#define PCI_ENABLE_BUS_MASTER 0x0004
#define PCI_ADDRESS_IO_SPACE 0x00000001u
#define PCI_ADDRESS_MEMORY_TYPE_MASK 0x00000006u
#define PCI_ADDRESS_MEMORY_PREFETCHABLE 0x00000008u
#define PCI_ADDRESS_IO_ADDRESS_MASK 0xfffffffcu
#define PCI_ADDRESS_MEMORY_ADDRESS_MASK 0xfffffff0u

#define NTMM_PCI_COMMON_HEADER \
    USHORT VendorID; \
    USHORT DeviceID; \
    USHORT Command; \
    USHORT Status; \
    UCHAR  RevisionID; \
    UCHAR  ProgIf; \
    UCHAR  SubClass; \
    UCHAR  BaseClass; \
    UCHAR  CacheLineSize; \
    UCHAR  LatencyTimer; \
    UCHAR  HeaderType; \
    UCHAR  BIST; \
    union { \
        struct { \
            ULONG  BaseAddresses[PCI_TYPE0_ADDRESSES]; \
            ULONG  CIS; \
            USHORT SubVendorID; \
            USHORT SubSystemID; \
            ULONG  ROMBaseAddress; \
            UCHAR  CapabilitiesPtr; \
            UCHAR  Reserved1[3]; \
            ULONG  Reserved2; \
            UCHAR  InterruptLine; \
            UCHAR  InterruptPin; \
            UCHAR  MinimumGrant; \
            UCHAR  MaximumLatency; \
        } type0; \
        struct { \
            ULONG  BaseAddresses[PCI_TYPE1_ADDRESSES]; \
            UCHAR  PrimaryBus; \
            UCHAR  SecondaryBus; \
            UCHAR  SubordinateBus; \
            UCHAR  SecondaryLatency; \
            UCHAR  IOBase; \
            UCHAR  IOLimit; \
            USHORT SecondaryStatus; \
            USHORT MemoryBase; \
            USHORT MemoryLimit; \
            USHORT PrefetchBase; \
            USHORT PrefetchLimit; \
            ULONG  PrefetchBaseUpper32; \
            ULONG  PrefetchLimitUpper32; \
            USHORT IOBaseUpper16; \
            USHORT IOLimitUpper16; \
            UCHAR  CapabilitiesPtr; \
            UCHAR  Reserved1[3]; \
            ULONG  ROMBaseAddress; \
            UCHAR  InterruptLine; \
            UCHAR  InterruptPin; \
            USHORT BridgeControl; \
        } type1; \
    } u;
typedef struct _PCI_COMMON_HEADER {
    NTMM_PCI_COMMON_HEADER
} PCI_COMMON_HEADER, *PPCI_COMMON_HEADER;

typedef struct _PCI_COMMON_CONFIG {
    NTMM_PCI_COMMON_HEADER
    UCHAR DeviceSpecific[192];
} PCI_COMMON_CONFIG, *PPCI_COMMON_CONFIG;
#undef NTMM_PCI_COMMON_HEADER
#define PCI_COMMON_HDR_LENGTH ((ULONG)sizeof(PCI_COMMON_HEADER))

NTMM_LAYOUT(sizeof(PCI_COMMON_HEADER) == 64 && sizeof(PCI_COMMON_CONFIG) == 256, "PCI_COMMON_CONFIG");
NTMM_LAYOUT(FIELD_OFFSET(PCI_COMMON_HEADER, HeaderType) == 14 && FIELD_OFFSET(PCI_COMMON_HEADER, u) == 16, "PCI_COMMON_HEADER");
NTMM_LAYOUT(FIELD_OFFSET(PCI_COMMON_HEADER, u.type0.InterruptLine) == 60, "PCI_COMMON_HEADER");
NTMM_LAYOUT(FIELD_OFFSET(PCI_COMMON_HEADER, u.type1.BridgeControl) == 62, "PCI_COMMON_HEADER");

/**
 * Read the configuration space of what is in a slot.
 *
 * @param BusDataType  PCIConfiguration; for any other the machine has nothing: 0
 * @param BusNumber    segment << 8 | bus number
 * @param SlotNumber   PCI_SLOT_NUMBER.u.AsULONG
 * @param Offset       of the first byte, in bytes; configuration space has 4,096
 * @param Length       bytes; no byte outside of them is touched, and no access is wider than what is left
 * @return bytes read; 0: there is no such bus; 2, with PCI_INVALID_VENDORID in the buffer: nothing is in the slot
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: ntddk.h, HalGetBusDataByOffset; Windows 2000 DDK (the values 0 and 2, and the IRQL)
 */
NTHALAPI ULONG HalGetBusDataByOffset(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Offset,
                                     ULONG Length);

/**
 * Write it.
 *
 * @return bytes written; 0 when there is no such bus or device, and for the first 256 bytes of a bridge (header type 1)
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: ntddk.h, HalSetBusDataByOffset
 */
NTHALAPI ULONG HalSetBusDataByOffset(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Offset,
                                     ULONG Length);

/** The same from offset 0 on. @irql <= DISPATCH_LEVEL @source Windows 2000 DDK: HalGetBusData, HalSetBusData */
NTHALAPI ULONG HalGetBusData(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Length);
NTHALAPI ULONG HalSetBusData(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Length);

/**
 * The physical address, or the port, that a bus-relative address is. They are the same on this machine, where the bus reaches that far.
 *
 * @param InterfaceType      Internal, PCIBus (64 bits), Eisa (32) or Isa (24)
 * @param BusNumber          0; for PCIBus also any bus with a function on it
 * @param AddressSpace       in: 0 memory, 1 ports; out: the same, as the two are apart here as well
 * @param TranslatedAddress  out: for MmMapIoSpace, or for READ_PORT_UCHAR and its like
 * @return FALSE: there is no such bus, or it has no such address; nothing is written
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    Windows 2000 DDK: HalTranslateBusAddress; obsolete since
 */
NTHALAPI BOOLEAN HalTranslateBusAddress(INTERFACE_TYPE InterfaceType, ULONG BusNumber, PHYSICAL_ADDRESS BusAddress, PULONG AddressSpace,
                                        PPHYSICAL_ADDRESS TranslatedAddress);

#ifdef __cplusplus
}
#endif
#endif
