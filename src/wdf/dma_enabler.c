/*
 * dma_enabler.c - DMA enablers: a profile becomes a DEVICE_DESCRIPTION, and that an adapter for each direction.
 *
 *     profile                       Master  ScatterGather  address width         adapters
 *     Packet, ScatterGather         yes     no, yes        32 bits               one
 *     Packet64, ScatterGather64     yes     no, yes        64 bits               one
 *     ...Duplex                     yes     yes            as without Duplex     two
 *     System, SystemDuplex          no      no             the controller's      with WdfDmaEnablerConfigureSystemProfile
 *
 *     WdfDmaEnablerCreate
 *      |- check_config           the documented refusals
 *      |- describe               DEVICE_DESCRIPTION, which version of the DMA routines
 *      `- side_open              IoGetDmaAdapter                                               io/dma_adapter.c
 *
 * Units       bytes; map registers are counted.
 * Locks       none: an enabler is set up before anybody else knows it.
 * Source      WDK reference: wdfdmaenabler.h; which version a profile brings, and the length of a transfer: the published KMDF 1.33.
 * Fidelity    an adapter with one map register is refused: no length would fit it from every offset (choice). What goes wrong with an
 *             override's value is said by ntmm_error().
 */
#include "wdf/dma_enabler.h"

#include "ke/version.h"
#include "wdf/device.h"

static void dispose(wdf_object_t *object) { wdf_device_dma_remove((wdf_dma_enabler_t *)object); }

static void destroy(wdf_object_t *object)
{
    wdf_dma_enabler_t *enabler = (wdf_dma_enabler_t *)object;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(enabler->sides); i++)
        if (enabler->sides[i].adapter != NULL)
            enabler->sides[i].adapter->DmaOperations->PutDmaAdapter(enabler->sides[i].adapter);
}

const wdf_type_t wdf_dma_enabler_type = { .name = "WDFDMAENABLER",
                                          .number = WDF_NUMBER_DMA_ENABLER,
                                          .bytes = sizeof(wdf_dma_enabler_t),
                                          .options = WDF_TYPE_PASSIVE_DISPOSE,
                                          .dispose = dispose,
                                          .destroy = destroy };

/* ---- profiles ---- */

typedef struct profile {
    bool  master, lists, duplex;
    ULONG bits;
} profile_t;

static const profile_t PROFILES[] = {
    [WdfDmaProfilePacket] = { .master = true, .bits = 32 },
    [WdfDmaProfileScatterGather] = { .master = true, .lists = true, .bits = 32 },
    [WdfDmaProfilePacket64] = { .master = true, .bits = 64 },
    [WdfDmaProfileScatterGather64] = { .master = true, .lists = true, .bits = 64 },
    [WdfDmaProfileScatterGatherDuplex] = { .master = true, .lists = true, .duplex = true, .bits = 32 },
    [WdfDmaProfileScatterGather64Duplex] = { .master = true, .lists = true, .duplex = true, .bits = 64 },
    [WdfDmaProfileSystem] = { .bits = 24 },
    [WdfDmaProfileSystemDuplex] = { .duplex = true, .bits = 24 },
};

static bool is_profile(WDF_DMA_PROFILE profile) { return profile > WdfDmaProfileInvalid && (size_t)profile < NTMM_ARRAY_COUNT(PROFILES); }

static NTSTATUS check_config(const WDF_DMA_ENABLER_CONFIG *config)
{
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (!is_profile(config->Profile) || config->MaximumLength == 0)
        return STATUS_INVALID_PARAMETER;
    const profile_t *profile = &PROFILES[config->Profile];
    if (config->AddressWidthOverride != 0 && (!profile->master || (profile->bits == 32 && config->AddressWidthOverride > 32)))
        return ke_error(STATUS_INVALID_PARAMETER, "WdfDmaEnablerCreate: AddressWidthOverride %u does not fit the profile",
                        (unsigned)config->AddressWidthOverride);
    return STATUS_SUCCESS;
}

/* ---- version ---- */

/* An override of the address width brings version 3 where Windows has it, and is approximated otherwise. */
static NTSTATUS choose_version(const WDF_DMA_ENABLER_CONFIG *config, ULONG *version)
{
    bool has_v3 = ke_windows_version >= NTDDI_WIN8, wants_v3 = !PROFILES[config->Profile].master;
    *version = wants_v3 || (config->AddressWidthOverride != 0 && has_v3) ? DEVICE_DESCRIPTION_VERSION3 : DEVICE_DESCRIPTION_VERSION2;
    if (config->WdmDmaVersionOverride != 0 && config->WdmDmaVersionOverride < *version)
        return ke_error(STATUS_INVALID_PARAMETER, "WdfDmaEnablerCreate: WdmDmaVersionOverride %u is less than the profile needs",
                        (unsigned)config->WdmDmaVersionOverride);
    if (config->WdmDmaVersionOverride != 0)
        *version = config->WdmDmaVersionOverride;
    if (*version >= DEVICE_DESCRIPTION_VERSION3 && !has_v3)
        return STATUS_NOT_SUPPORTED;
    if ((config->Flags & WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER) != 0 && *version != DEVICE_DESCRIPTION_VERSION3)
        return ke_error(STATUS_INVALID_PARAMETER, "WdfDmaEnablerCreate: single transfers need version 3");
    return STATUS_SUCCESS;
}

static ULONG address_bits(const WDF_DMA_ENABLER_CONFIG *config)
{
    return config->AddressWidthOverride != 0 ? config->AddressWidthOverride : PROFILES[config->Profile].bits;
}

static DEVICE_DESCRIPTION describe(const wdf_dma_enabler_t *enabler)
{
    ULONG bits = address_bits(&enabler->config);
    return (DEVICE_DESCRIPTION){ .Version = enabler->version,
                                 .Master = enabler->master,
                                 .ScatterGather = enabler->lists,
                                 .Dma32BitAddresses = bits >= 32,
                                 .Dma64BitAddresses = bits >= 64,
                                 .InterfaceType = enabler->master ? PCIBus : Internal,
                                 .DmaAddressWidth = enabler->version >= DEVICE_DESCRIPTION_VERSION3 ? bits : 0,
                                 .MaximumLength = (ULONG)enabler->config.MaximumLength };
}

/* ---- adapters ---- */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static NTSTATUS side_open(wdf_dma_enabler_t *enabler, wdf_dma_side_t *side, DEVICE_DESCRIPTION *description)
{
    side->adapter = IoGetDmaAdapter(enabler->device->physical, description, &side->registers);
    if (side->adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    if (side->registers < 2)
        return ke_error(STATUS_INSUFFICIENT_RESOURCES, "WdfDmaEnablerCreate: the device has one map register; a transfer may need two");
    side->fragment = least(enabler->config.MaximumLength, (size_t)(side->registers - 1) << PAGE_SHIFT);
    return STATUS_SUCCESS;
}

static NTSTATUS open_bus_master(wdf_dma_enabler_t *enabler)
{
    DEVICE_DESCRIPTION description = describe(enabler);
    NTSTATUS           status = side_open(enabler, &enabler->sides[0], &description);
    if (NT_SUCCESS(status) && enabler->duplex)
        status = side_open(enabler, &enabler->sides[1], &description);
    if (!NT_SUCCESS(status))
        return status;
    ULONG alignment = enabler->sides[0].adapter->DmaOperations->GetDmaAlignment(enabler->sides[0].adapter);
    if (alignment > 1 && alignment - 1 > enabler->alignment)
        enabler->alignment = alignment - 1;
    return status;
}

static NTSTATUS set_up(wdf_dma_enabler_t *enabler, wdf_device_t *device, const WDF_DMA_ENABLER_CONFIG *config)
{
    enabler->config = *config;
    enabler->device = device;
    enabler->master = PROFILES[config->Profile].master;
    enabler->lists = PROFILES[config->Profile].lists;
    enabler->duplex = PROFILES[config->Profile].duplex;
    enabler->most_elements = WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS;
    enabler->alignment = device->wdm->AlignmentRequirement;
    NTSTATUS status = choose_version(config, &enabler->version);
    return NT_SUCCESS(status) && enabler->master ? open_bus_master(enabler) : status;
}

/* ---- creation ---- */

/* A parent of the driver's choice lies under the device. */
static NTSTATUS check_parent(PWDF_OBJECT_ATTRIBUTES attributes, const wdf_device_t *device)
{
    if (attributes == NULL || attributes->ParentObject == NULL)
        return STATUS_SUCCESS;
    wdf_object_t *parent = wdf_from_handle("WdfDmaEnablerCreate", attributes->ParentObject, NULL);
    return wdf_device_above(parent) == device ? STATUS_SUCCESS : STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
}

NTSTATUS WdfDmaEnablerCreate(WDFDEVICE Device, PWDF_DMA_ENABLER_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes,
                             WDFDMAENABLER *DmaEnablerHandle)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t      *device = WDF_FROM(Device, &wdf_device_type);
    wdf_dma_enabler_t *enabler = NULL;
    WDF_REQUIRE(DmaEnablerHandle);
    WDF_REQUIRE(Config);
    *DmaEnablerHandle = NULL;
    NTSTATUS status = wdf_attributes_check(Attributes, 0);
    if (NT_SUCCESS(status))
        status = check_parent(Attributes, device);
    if (NT_SUCCESS(status))
        status = check_config(Config);
    if (NT_SUCCESS(status))
        status =
            wdf_object_new(&(wdf_new_t){ .type = &wdf_dma_enabler_type, .attributes = Attributes, .parent = &device->object }, &enabler);
    if (!NT_SUCCESS(status))
        return status;
    status = set_up(enabler, device, Config);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(enabler, Attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(enabler);
        return status;
    }
    wdf_device_dma_add(device, enabler);
    *DmaEnablerHandle = (WDFDMAENABLER)(void *)enabler;
    return STATUS_SUCCESS;
}

/* The descriptor is the translated resource: its channel, and the port as request line. */
static NTSTATUS configure(wdf_dma_enabler_t *enabler, const WDF_DMA_SYSTEM_PROFILE_CONFIG *config, wdf_dma_side_t *side)
{
    DEVICE_DESCRIPTION description = describe(enabler);
    description.DemandMode = config->DemandMode;
    description.AutoInitialize = config->LoopedTransfer;
    description.DmaWidth = config->DmaWidth;
    description.DeviceAddress = config->DeviceAddress;
    description.DmaChannel = config->DmaDescriptor->u.Dma.Channel;
    description.DmaRequestLine = config->DmaDescriptor->u.Dma.Port;
    return side_open(enabler, side, &description);
}

NTSTATUS WdfDmaEnablerConfigureSystemProfile(WDFDMAENABLER DmaEnabler, PWDF_DMA_SYSTEM_PROFILE_CONFIG ProfileConfig,
                                             WDF_DMA_DIRECTION ConfigDirection)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    if (ProfileConfig == NULL)
        return STATUS_INVALID_PARAMETER;
    if (ProfileConfig->Size != sizeof *ProfileConfig)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (ProfileConfig->DmaDescriptor == NULL || !wdf_dma_is_direction(ConfigDirection))
        return STATUS_INVALID_PARAMETER;
    wdf_dma_side_t *side = wdf_dma_side(enabler, ConfigDirection);
    return side->adapter == NULL ? configure(enabler, ProfileConfig, side) : STATUS_INVALID_PARAMETER;
}

/* ---- what it is ---- */

size_t WdfDmaEnablerGetMaximumLength(WDFDMAENABLER DmaEnabler)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    return enabler->config.MaximumLength;
}

size_t WdfDmaEnablerGetFragmentLength(WDFDMAENABLER DmaEnabler, WDF_DMA_DIRECTION DmaDirection)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    return wdf_dma_is_direction(DmaDirection) ? wdf_dma_side(enabler, DmaDirection)->fragment : 0;
}

size_t WdfDmaEnablerGetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    return enabler->most_elements;
}

VOID WdfDmaEnablerSetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler, size_t MaximumFragments)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    if (MaximumFragments == 0)
        (void)ke_error(0, "%s: 0 elements are none: nothing is changed", __func__);
    else
        enabler->most_elements = (uint32_t)least(MaximumFragments, WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS);
}

PDMA_ADAPTER WdfDmaEnablerWdmGetDmaAdapter(WDFDMAENABLER DmaEnabler, WDF_DMA_DIRECTION DmaDirection)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    return wdf_dma_is_direction(DmaDirection) ? wdf_dma_side(enabler, DmaDirection)->adapter : NULL;
}
