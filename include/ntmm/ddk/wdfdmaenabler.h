/*
 * wdfdmaenabler.h - DMA enablers: what a KMDF driver says once of its device's DMA, and the adapters that come of it.
 *
 *     profile                        adapter                             transfers begin with
 *     Packet, Packet64               bus master, one piece               AllocateAdapterChannel, MapTransfer
 *     ScatterGather(64)(Duplex)      bus master, lists of pieces         GetScatterGatherList
 *     System(Duplex)                 subordinate, version 3              AllocateAdapterChannelEx, MapTransferEx
 *
 * Duplex: an adapter for each direction. Enablers have transactions (wdfdmatransaction.h) and common buffers (wdfcommonbuffer.h) as children.
 *
 * Source  WDK reference: wdfdmaenabler.h; layouts and values as in the published KMDF 1.33.
 */
#ifndef NTMM_DDK_WDFDMAENABLER_H
#define NTMM_DDK_WDFDMAENABLER_H

#include "wdfdevice.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _WDF_DMA_PROFILE {
    WdfDmaProfileInvalid = 0,
    WdfDmaProfilePacket,
    WdfDmaProfileScatterGather,
    WdfDmaProfilePacket64,
    WdfDmaProfileScatterGather64,
    WdfDmaProfileScatterGatherDuplex,
    WdfDmaProfileScatterGather64Duplex,
    WdfDmaProfileSystem,
    WdfDmaProfileSystemDuplex
} WDF_DMA_PROFILE;

typedef enum _WDF_DMA_DIRECTION { WdfDmaDirectionReadFromDevice = FALSE, WdfDmaDirectionWriteToDevice = TRUE } WDF_DMA_DIRECTION;

/* ---- what a driver supplies: called at PASSIVE_LEVEL on the way into D0 (Fill, Enable, SelfManagedIoStart) and out of it ---- */

typedef NTSTATUS NTAPI                            EVT_WDF_DMA_ENABLER_FILL(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_FILL                 *PFN_WDF_DMA_ENABLER_FILL;
typedef NTSTATUS NTAPI                            EVT_WDF_DMA_ENABLER_FLUSH(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_FLUSH                *PFN_WDF_DMA_ENABLER_FLUSH;
typedef NTSTATUS NTAPI                            EVT_WDF_DMA_ENABLER_ENABLE(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_ENABLE               *PFN_WDF_DMA_ENABLER_ENABLE;
typedef NTSTATUS NTAPI                            EVT_WDF_DMA_ENABLER_DISABLE(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_DISABLE              *PFN_WDF_DMA_ENABLER_DISABLE;
typedef NTSTATUS NTAPI                            EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_START(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_START *PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START;
typedef NTSTATUS NTAPI                            EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP  *PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP;

#define WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS ((ULONG)-1) /* elements of a list: as many as map registers */

typedef enum _WDF_DMA_ENABLER_CONFIG_FLAGS {
    WDF_DMA_ENABLER_CONFIG_NO_SGLIST_PREALLOCATION = 0x00000001,
    WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER = 0x00000002 /* version 3 only */
} WDF_DMA_ENABLER_CONFIG_FLAGS;

typedef struct _WDF_DMA_ENABLER_CONFIG {
    ULONG                                    Size;
    WDF_DMA_PROFILE                          Profile;
    size_t                                   MaximumLength; /* of one transfer, in bytes */
    PFN_WDF_DMA_ENABLER_FILL                 EvtDmaEnablerFill;
    PFN_WDF_DMA_ENABLER_FLUSH                EvtDmaEnablerFlush;
    PFN_WDF_DMA_ENABLER_DISABLE              EvtDmaEnablerDisable;
    PFN_WDF_DMA_ENABLER_ENABLE               EvtDmaEnablerEnable;
    PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START EvtDmaEnablerSelfManagedIoStart;
    PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP  EvtDmaEnablerSelfManagedIoStop;
    ULONG                                    AddressWidthOverride;  /* bits; 0: the profile's. Brings version 3 */
    ULONG                                    WdmDmaVersionOverride; /* 0: DEVICE_DESCRIPTION_VERSION2, or as the profile needs */
    ULONG                                    Flags;                 /* WDF_DMA_ENABLER_CONFIG_FLAGS */
} WDF_DMA_ENABLER_CONFIG, *PWDF_DMA_ENABLER_CONFIG;
NTMM_LAYOUT(sizeof(WDF_DMA_ENABLER_CONFIG) == 80 && FIELD_OFFSET(WDF_DMA_ENABLER_CONFIG, AddressWidthOverride) == 64,
            "WDF_DMA_ENABLER_CONFIG, x64");

FORCEINLINE VOID WDF_DMA_ENABLER_CONFIG_INIT(PWDF_DMA_ENABLER_CONFIG Config, WDF_DMA_PROFILE Profile, size_t MaximumLength)
{
    RtlZeroMemory(Config, sizeof(WDF_DMA_ENABLER_CONFIG));
    Config->Size = sizeof(WDF_DMA_ENABLER_CONFIG);
    Config->Profile = Profile;
    Config->MaximumLength = MaximumLength;
}

typedef struct _WDF_DMA_SYSTEM_PROFILE_CONFIG {
    ULONG                           Size;
    BOOLEAN                         DemandMode;
    BOOLEAN                         LoopedTransfer; /* auto-initialize: the controller goes round and round */
    DMA_WIDTH                       DmaWidth;
    PHYSICAL_ADDRESS                DeviceAddress;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR DmaDescriptor; /* the translated resource: channel and request line */
} WDF_DMA_SYSTEM_PROFILE_CONFIG, *PWDF_DMA_SYSTEM_PROFILE_CONFIG;
NTMM_LAYOUT(sizeof(WDF_DMA_SYSTEM_PROFILE_CONFIG) == 32, "WDF_DMA_SYSTEM_PROFILE_CONFIG, x64");

FORCEINLINE VOID WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(PWDF_DMA_SYSTEM_PROFILE_CONFIG DmaConfig, PHYSICAL_ADDRESS Address, DMA_WIDTH DmaWidth,
                                                    PCM_PARTIAL_RESOURCE_DESCRIPTOR DmaDescriptor)
{
    RtlZeroMemory(DmaConfig, sizeof(WDF_DMA_SYSTEM_PROFILE_CONFIG));
    DmaConfig->Size = sizeof(WDF_DMA_SYSTEM_PROFILE_CONFIG);
    DmaConfig->DeviceAddress = Address;
    DmaConfig->DmaWidth = DmaWidth;
    DmaConfig->DmaDescriptor = DmaDescriptor;
}

/**
 * An enabler, and the DMA adapter or the two that its profile needs; those of a system profile come with WdfDmaEnablerConfigureSystemProfile.
 *
 * @param Attributes        NULL, or a ParentObject that is the device or lies under it
 * @param DmaEnablerHandle  out; NULL on failure
 * @return STATUS_INFO_LENGTH_MISMATCH: Size; STATUS_INVALID_PARAMETER: profile, length 0, or an override that does not fit the profile;
 *         STATUS_WDF_OBJECT_ATTRIBUTES_INVALID: another parent; STATUS_INSUFFICIENT_RESOURCES; STATUS_UNSUCCESSFUL: there is no adapter
 * @irql     PASSIVE_LEVEL
 * @bugcheck WDF_VIOLATION (0x10D): 4 NULL, 5 no device; at a higher IRQL as for any routine
 * @source   WDK reference: wdfdmaenabler.h, WdfDmaEnablerCreate
 */
WDFAPI NTSTATUS WdfDmaEnablerCreate(WDFDEVICE Device, PWDF_DMA_ENABLER_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes,
                                    WDFDMAENABLER *DmaEnablerHandle);
/**
 * The adapter of a system profile, for both directions or, duplex, for one.
 *
 * @return STATUS_INVALID_PARAMETER: no config, no descriptor, no such direction, or it is configured already; STATUS_INFO_LENGTH_MISMATCH;
 *         STATUS_INSUFFICIENT_RESOURCES; STATUS_UNSUCCESSFUL: there is no adapter
 * @irql PASSIVE_LEVEL
 */
WDFAPI NTSTATUS WdfDmaEnablerConfigureSystemProfile(WDFDMAENABLER DmaEnabler, PWDF_DMA_SYSTEM_PROFILE_CONFIG ProfileConfig,
                                                    WDF_DMA_DIRECTION ConfigDirection);

/* @irql <= DISPATCH_LEVEL, but PASSIVE_LEVEL for WdfDmaEnablerSetMaximumScatterGatherElements */

/** Bytes, as given to WdfDmaEnablerCreate. */
WDFAPI size_t WdfDmaEnablerGetMaximumLength(WDFDMAENABLER DmaEnabler);
/** Bytes of one transfer: the least of that and what the map registers span from any offset on a page. 0: no such direction */
WDFAPI size_t WdfDmaEnablerGetFragmentLength(WDFDMAENABLER DmaEnabler, WDF_DMA_DIRECTION DmaDirection);
WDFAPI size_t WdfDmaEnablerGetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler);
/** 0 changes nothing. */
WDFAPI VOID WdfDmaEnablerSetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler, size_t MaximumFragments);
/** Valid as long as the enabler. NULL: no such direction, or not configured yet */
WDFAPI PDMA_ADAPTER WdfDmaEnablerWdmGetDmaAdapter(WDFDMAENABLER DmaEnabler, WDF_DMA_DIRECTION DmaDirection);

#ifdef __cplusplus
}
#endif
#endif
