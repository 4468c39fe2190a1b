/*
 * dma_types.h - what a driver says of its device when it asks for a DMA adapter, and what it gets back about transfers.
 *
 * Source  WDK reference: wdm.h, DEVICE_DESCRIPTION, DMA_ADAPTER, SCATTER_GATHER_LIST, DMA_ADAPTER_INFO, DMA_TRANSFER_INFO,
 *         DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION; x64 layouts.
 */
#ifndef NTMM_DDK_WDM_DMA_TYPES_H
#define NTMM_DDK_WDM_DMA_TYPES_H

#include "cm_resources.h"
#include "io_objects.h"
#include "mdl.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _DMA_WIDTH { Width8Bits, Width16Bits, Width32Bits, Width64Bits, WidthNoWrap, MaximumDmaWidth } DMA_WIDTH, *PDMA_WIDTH;

typedef enum _DMA_SPEED { Compatible, TypeA, TypeB, TypeC, TypeF, MaximumDmaSpeed } DMA_SPEED, *PDMA_SPEED;

#define DEVICE_DESCRIPTION_VERSION 0x0000
#define DEVICE_DESCRIPTION_VERSION1 0x0001
#define DEVICE_DESCRIPTION_VERSION2 0x0002 /* since Windows XP */
#define DEVICE_DESCRIPTION_VERSION3 0x0003 /* since Windows 8 */

typedef struct _DEVICE_DESCRIPTION { /* zero it first */
    ULONG            Version;
    BOOLEAN          Master;        /* a bus master; FALSE: a subordinate device, served by the system's DMA controller */
    BOOLEAN          ScatterGather; /* a bus master that takes a list of pieces */
    BOOLEAN          DemandMode;
    BOOLEAN          AutoInitialize;
    BOOLEAN          Dma32BitAddresses; /* before version 3 */
    BOOLEAN          IgnoreCount;
    BOOLEAN          Reserved1;
    BOOLEAN          Dma64BitAddresses; /* before version 3 */
    ULONG            BusNumber;
    ULONG            DmaChannel;
    INTERFACE_TYPE   InterfaceType;
    DMA_WIDTH        DmaWidth;
    DMA_SPEED        DmaSpeed;
    ULONG            MaximumLength; /* of one transfer, in bytes */
    ULONG            DmaPort;
    ULONG            DmaAddressWidth; /* from version 3 on: bits, 1 to 64 */
    ULONG            DmaControllerInstance;
    ULONG            DmaRequestLine;
    PHYSICAL_ADDRESS DeviceAddress;
} DEVICE_DESCRIPTION, *PDEVICE_DESCRIPTION;
NTMM_LAYOUT(sizeof(DEVICE_DESCRIPTION) == 0x40 && FIELD_OFFSET(DEVICE_DESCRIPTION, Dma64BitAddresses) == 0x0b, "DEVICE_DESCRIPTION");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_DESCRIPTION, MaximumLength) == 0x20 && FIELD_OFFSET(DEVICE_DESCRIPTION, DmaAddressWidth) == 0x28,
            "DEVICE_DESCRIPTION");
NTMM_LAYOUT(FIELD_OFFSET(DEVICE_DESCRIPTION, DeviceAddress) == 0x38, "DEVICE_DESCRIPTION");

typedef struct _DMA_ADAPTER {
    USHORT                  Version; /* 1, whatever the description asked for */
    USHORT                  Size;
    struct _DMA_OPERATIONS *DmaOperations;
} DMA_ADAPTER, *PDMA_ADAPTER, *PADAPTER_OBJECT;
NTMM_LAYOUT(sizeof(DMA_ADAPTER) == 16 && FIELD_OFFSET(DMA_ADAPTER, DmaOperations) == 8, "DMA_ADAPTER, x64");

/* ---- scatter/gather ---- */

typedef struct _SCATTER_GATHER_ELEMENT {
    PHYSICAL_ADDRESS Address; /* logical: as the device says it */
    ULONG            Length;  /* bytes */
    ULONG_PTR        Reserved;
} SCATTER_GATHER_ELEMENT, *PSCATTER_GATHER_ELEMENT;

typedef struct _SCATTER_GATHER_LIST {
    ULONG                  NumberOfElements;
    ULONG_PTR              Reserved;
    SCATTER_GATHER_ELEMENT Elements[];
} SCATTER_GATHER_LIST, *PSCATTER_GATHER_LIST;
NTMM_LAYOUT(sizeof(SCATTER_GATHER_ELEMENT) == 24 && sizeof(SCATTER_GATHER_LIST) == 16, "SCATTER_GATHER_LIST, x64");

/* ---- what version 3 tells ---- */

#define DMA_ADAPTER_INFO_VERSION1 1
typedef struct _DMA_ADAPTER_INFO_V1 {
    ULONG ReadDmaCounterAvailable;
    ULONG ScatterGatherLimit; /* elements */
    ULONG DmaAddressWidth;    /* bits */
    ULONG Flags;
    ULONG MinimumTransferUnit; /* bytes */
} DMA_ADAPTER_INFO_V1, *PDMA_ADAPTER_INFO_V1;
typedef struct _DMA_ADAPTER_INFO {
    ULONG Version;
    union {
        DMA_ADAPTER_INFO_V1 V1;
    };
} DMA_ADAPTER_INFO, *PDMA_ADAPTER_INFO;
NTMM_LAYOUT(sizeof(DMA_ADAPTER_INFO_V1) == 0x14 && FIELD_OFFSET(DMA_ADAPTER_INFO, V1) == 4, "DMA_ADAPTER_INFO");

#define DMA_TRANSFER_INFO_VERSION1 1
#define DMA_TRANSFER_INFO_VERSION2 2
typedef struct _DMA_TRANSFER_INFO_V1 {
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize; /* bytes */
} DMA_TRANSFER_INFO_V1, *PDMA_TRANSFER_INFO_V1;
typedef struct _DMA_TRANSFER_INFO_V2 {
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize; /* bytes */
    ULONG LogicalPageCount;
} DMA_TRANSFER_INFO_V2, *PDMA_TRANSFER_INFO_V2;
typedef struct _DMA_TRANSFER_INFO {
    ULONG Version;
    union {
        DMA_TRANSFER_INFO_V1 V1;
        DMA_TRANSFER_INFO_V2 V2;
    };
} DMA_TRANSFER_INFO, *PDMA_TRANSFER_INFO;
NTMM_LAYOUT(sizeof(DMA_TRANSFER_INFO) == 20 && FIELD_OFFSET(DMA_TRANSFER_INFO, V1) == 4, "DMA_TRANSFER_INFO");

#define DMA_TRANSFER_CONTEXT_VERSION1 1
#define DMA_TRANSFER_CONTEXT_SIZE_V1 128 /* bytes of nonpaged memory that a driver has for each request of version 3 */

/* Flags of AllocateAdapterChannelEx, GetScatterGatherListEx and BuildScatterGatherListEx */
#define DMA_SYNCHRONOUS_CALLBACK 0x01

/* Flags of AllocateCommonBufferWithBounds and AllocateDomainCommonBuffer: 512 pages are the least, and the alignment */
#define DOMAIN_COMMON_BUFFER_LARGE_PAGE 0x1

typedef enum { DmaComplete, DmaAborted, DmaError, DmaCancelled } DMA_COMPLETION_STATUS;

/* ---- common buffers ---- */

typedef struct _DMA_COMMON_BUFFER_VECTOR DMA_COMMON_BUFFER_VECTOR, *PDMA_COMMON_BUFFER_VECTOR;

typedef enum _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE {
    CommonBufferConfigTypeLogicalAddressLimits,
    CommonBufferConfigTypeSubSection,
    CommonBufferConfigTypeHardwareAccessPermissions,
    CommonBufferConfigTypeMax
} DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE,
    *PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE;

typedef enum _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE {
    CommonBufferHardwareAccessReadOnly,
    CommonBufferHardwareAccessWriteOnly,
    CommonBufferHardwareAccessReadWrite,
    CommonBufferHardwareAccessMax
} DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE,
    *PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE;

typedef struct _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION {
    DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE ConfigType;
    union {
        struct {
            PHYSICAL_ADDRESS MinimumAddress; /* of the first byte */
            PHYSICAL_ADDRESS MaximumAddress; /* of the last one */
        } LogicalAddressLimits;
        struct {
            ULONGLONG Offset; /* in the MDL chain, bytes */
            ULONG     Length;
        } SubSection;
        DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE HardwareAccessType;
        ULONGLONG                                            Reserved[4];
    };
} DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION, *PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION;

#ifdef __cplusplus
}
#endif
#endif
