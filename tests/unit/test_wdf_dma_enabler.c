/*
 * test_wdf_dma_enabler.c - DMA enablers: profiles, adapters, lengths, refusals.
 */
#include "../support/wdf_dma.h"

#define LENGTH 0x10000u

/* ---- what a profile brings ---- */

static struct profile_case {
    const char     *name;
    WDF_DMA_PROFILE profile;
    bool            duplex;
    ULONG           bits; /* of the address that the adapter says */
} PROFILES[] = {
    { "packet", WdfDmaProfilePacket, false, 32 },
    { "packet, 64 bits", WdfDmaProfilePacket64, false, 64 },
    { "scatter/gather", WdfDmaProfileScatterGather, false, 32 },
    { "scatter/gather, 64 bits", WdfDmaProfileScatterGather64, false, 64 },
    { "duplex", WdfDmaProfileScatterGatherDuplex, true, 32 },
    { "duplex, 64 bits", WdfDmaProfileScatterGather64Duplex, true, 64 },
};

static void brings_what_the_profile_says(void **state)
{
    const struct profile_case *c = *state;
    DMA_ADAPTER_INFO           info = { .Version = DMA_ADAPTER_INFO_VERSION1 };
    *state = NULL;
    assert_int_equal(ntmm_cmocka_setup(state), 0);
    wdf_dma_t    dma = wdf_dma_start(c->profile, 0, LENGTH, DEVICE_DESCRIPTION_VERSION3);
    PDMA_ADAPTER reads = WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, WdfDmaDirectionReadFromDevice);
    PDMA_ADAPTER writes = WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, WdfDmaDirectionWriteToDevice);
    assert_non_null(reads);
    assert_non_null(writes);
    assert_int_equal(reads != writes, c->duplex);
    assert_int_equal(reads->DmaOperations->GetDmaAdapterInfo(reads, &info), STATUS_SUCCESS);
    assert_int_equal(info.V1.DmaAddressWidth, c->bits);
    assert_int_equal(WdfDmaEnablerGetMaximumLength(dma.enabler), LENGTH);
    assert_int_equal(WdfDmaEnablerGetFragmentLength(dma.enabler, WdfDmaDirectionReadFromDevice), LENGTH);
    assert_int_equal(WdfDmaEnablerGetFragmentLength(dma.enabler, WdfDmaDirectionWriteToDevice), LENGTH);
    wdf_dma_stop(&dma);
    assert_int_equal(ntmm_cmocka_teardown(state), 0);
}

/* Version 2 is what a driver gets that asks for nothing special. */
static void version_is_2_unless_asked(void **state)
{
    (void)state;
    wdf_dma_t    dma = wdf_dma_start(WdfDmaProfileScatterGather64, 0, LENGTH, 0);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, WdfDmaDirectionReadFromDevice);
    assert_int_equal(adapter->DmaOperations->Size, FIELD_OFFSET(DMA_OPERATIONS, GetDmaAdapterInfo));
    WDFDMAENABLER v3 = wdf_dma_enabler(dma.wdf, WdfDmaProfileScatterGather64, LENGTH, DEVICE_DESCRIPTION_VERSION3, 0);
    adapter = WdfDmaEnablerWdmGetDmaAdapter(v3, WdfDmaDirectionReadFromDevice);
    assert_int_equal(adapter->DmaOperations->Size, sizeof(DMA_OPERATIONS));
    wdf_dma_stop(&dma);
}

static void narrow_address_brings_version_3(void **state)
{
    (void)state;
    DMA_ADAPTER_INFO       info = { .Version = DMA_ADAPTER_INFO_VERSION1 };
    wdf_dma_t              dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, LENGTH);
    config.AddressWidthOverride = 28;
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler), STATUS_SUCCESS);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(enabler, WdfDmaDirectionReadFromDevice);
    assert_int_equal(adapter->DmaOperations->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
    assert_int_equal(info.V1.DmaAddressWidth, 28);
    wdf_dma_stop(&dma);
}

/* A transfer must fit the map registers wherever it begins on its first page. */
static void map_registers_bound_a_transfer(void **state)
{
    (void)state;
    wdf_dma_t dma = wdf_dma_start(WdfDmaProfileScatterGather64, 5, 100 * PAGE_SIZE, 0);
    assert_int_equal(WdfDmaEnablerGetMaximumLength(dma.enabler), 100 * PAGE_SIZE);
    assert_int_equal(WdfDmaEnablerGetFragmentLength(dma.enabler, WdfDmaDirectionReadFromDevice), 4 * PAGE_SIZE);
    assert_int_equal(WdfDmaEnablerGetFragmentLength(dma.enabler, (WDF_DMA_DIRECTION)7), 0);
    assert_null(WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, (WDF_DMA_DIRECTION)7));
    wdf_dma_stop(&dma);
}

static void elements_are_unlimited_until_set(void **state)
{
    (void)state;
    wdf_dma_t dma = wdf_dma_start(WdfDmaProfileScatterGather64, 0, LENGTH, 0);
    assert_int_equal(WdfDmaEnablerGetMaximumScatterGatherElements(dma.enabler), WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS);
    WdfDmaEnablerSetMaximumScatterGatherElements(dma.enabler, 9);
    assert_int_equal(WdfDmaEnablerGetMaximumScatterGatherElements(dma.enabler), 9);
    WdfDmaEnablerSetMaximumScatterGatherElements(dma.enabler, 0); /* says nothing */
    assert_int_equal(WdfDmaEnablerGetMaximumScatterGatherElements(dma.enabler), 9);
    WdfDmaEnablerSetMaximumScatterGatherElements(dma.enabler, (size_t)1 << 40);
    assert_int_equal(WdfDmaEnablerGetMaximumScatterGatherElements(dma.enabler), WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS);
    wdf_dma_stop(&dma);
}

/* ---- refusals ---- */

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        WDF_DMA_PROFILE profile;
        size_t          length;
        ULONG           size, width, version, flags;
        NTSTATUS        expected;
    } cases[] = {
        { WdfDmaProfilePacket, LENGTH, 4, 0, 0, 0, STATUS_INFO_LENGTH_MISMATCH },
        { WdfDmaProfileInvalid, LENGTH, 0, 0, 0, 0, STATUS_INVALID_PARAMETER },
        { (WDF_DMA_PROFILE)9, LENGTH, 0, 0, 0, 0, STATUS_INVALID_PARAMETER },
        { WdfDmaProfilePacket, 0, 0, 0, 0, 0, STATUS_INVALID_PARAMETER },
        { WdfDmaProfilePacket, LENGTH, 0, 33, 0, 0, STATUS_INVALID_PARAMETER },  /* more than the profile has */
        { WdfDmaProfileSystem, LENGTH, 0, 24, 0, 0, STATUS_INVALID_PARAMETER },  /* the controller has its own */
        { WdfDmaProfileSystem, LENGTH, 0, 0, 2, 0, STATUS_INVALID_PARAMETER },   /* needs version 3 */
        { WdfDmaProfilePacket64, LENGTH, 0, 0, 1, 0, STATUS_INVALID_PARAMETER }, /* needs version 2 */
        { WdfDmaProfilePacket64, LENGTH, 0, 0, 0, 2, STATUS_INVALID_PARAMETER }, /* single transfers need version 3 */
        { WdfDmaProfilePacket64, LENGTH, 0, 0, 9, 0, STATUS_UNSUCCESSFUL },      /* there is no such version */
        { WdfDmaProfilePacket64, LENGTH, 0, 65, 0, 0, STATUS_UNSUCCESSFUL },     /* nor such an address */
        { WdfDmaProfilePacket64, LENGTH, 0, 64, 3, 2, STATUS_SUCCESS },
    };
    wdf_dma_t dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        WDF_DMA_ENABLER_CONFIG config;
        WDFDMAENABLER          enabler = (WDFDMAENABLER)&dma;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, cases[i].profile, cases[i].length);
        config.AddressWidthOverride = cases[i].width;
        config.WdmDmaVersionOverride = cases[i].version;
        config.Flags = cases[i].flags;
        if (cases[i].size != 0)
            config.Size = cases[i].size;
        assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler), cases[i].expected);
        assert_int_equal(enabler != NULL, cases[i].expected == STATUS_SUCCESS);
    }
    wdf_dma_stop(&dma);
}

static void one_map_register_is_too_few(void **state)
{
    (void)state;
    ntmm_device_config     device = { .map_registers = 1, .scatter_gather = true };
    wdf_dma_t              dma = wdf_dma_start_device(&device);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, LENGTH);
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler), STATUS_INSUFFICIENT_RESOURCES);
    wdf_dma_stop(&dma);
}

/* A parent must lie under the device. */
static void parent_lies_under_the_device(void **state)
{
    (void)state;
    wdf_dma_t              dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    WDF_DMA_ENABLER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES  attributes;
    WDFDMAENABLER          enabler;
    WDFOBJECT              under, beside;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    assert_int_equal(WdfObjectCreate(&attributes, &beside), STATUS_SUCCESS); /* the driver's */
    attributes.ParentObject = dma.wdf;
    assert_int_equal(WdfObjectCreate(&attributes, &under), STATUS_SUCCESS);
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, LENGTH);
    attributes.ParentObject = beside;
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, &attributes, &enabler), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    attributes.ParentObject = under;
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, &attributes, &enabler), STATUS_SUCCESS);
    WdfObjectDelete(under); /* and the enabler with it */
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfDmaEnablerGetMaximumLength(enabler));
}

static void old_windows_has_no_version_3(void **state)
{
    (void)state;
    wdf_dma_t              dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileSystem, LENGTH);
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler), STATUS_NOT_SUPPORTED);
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket64, LENGTH);
    config.AddressWidthOverride = 40; /* as near as version 2 comes */
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler), STATUS_SUCCESS);
    wdf_dma_stop(&dma);
}

/* ---- the system's controller ---- */

static void system_profile_is_configured_later(void **state)
{
    (void)state;
    ntmm_device_config             device = { .address_bits = 24 };
    wdf_dma_t                      dma = wdf_dma_start_device(&device);
    WDF_DMA_SYSTEM_PROFILE_CONFIG  config;
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = { .Type = CmResourceTypeDma };
    PHYSICAL_ADDRESS               nowhere = { .QuadPart = 0 };
    const WDF_DMA_DIRECTION        read = WdfDmaDirectionReadFromDevice, write = WdfDmaDirectionWriteToDevice;
    dma.enabler = wdf_dma_enabler(dma.wdf, WdfDmaProfileSystemDuplex, LENGTH, 0, 0);
    assert_null(WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, read));
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, NULL, read), STATUS_INVALID_PARAMETER);
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, nowhere, Width8Bits, NULL);
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, &config, read), STATUS_INVALID_PARAMETER);
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, nowhere, Width8Bits, &descriptor);
    config.Size--;
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, &config, read), STATUS_INFO_LENGTH_MISMATCH);
    config.Size++;
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, &config, (WDF_DMA_DIRECTION)2), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, &config, read), STATUS_SUCCESS);
    assert_non_null(WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, read));
    assert_null(WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, write));
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, &config, read), STATUS_INVALID_PARAMETER); /* once */
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(dma.enabler, &config, write), STATUS_SUCCESS);
    wdf_dma_stop(&dma);
}

/* ---- mistakes ---- */

static void checks_handles_pointers_and_irql(void **state)
{
    (void)state;
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, LENGTH);
    wdf_dma_t dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfDmaEnablerCreate(dma.wdf, NULL, NULL, &enabler));
    ntmm_cmocka_reboot();
    dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfDmaEnablerCreate(dma.wdf, &config, NULL, NULL));
    ntmm_cmocka_reboot();
    dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfDmaEnablerCreate((WDFDEVICE)(void *)dma.enabler, &config, NULL, &enabler));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)dma.enabler);
    ntmm_cmocka_reboot();
    dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    (void)dma_raise();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfDmaEnablerCreate(dma.wdf, &config, NULL, &enabler));
}

/* The adapters go with the enabler: one that was leaked would be in the report of the next shutdown. */
static void adapters_go_with_the_enabler(void **state)
{
    (void)state;
    wdf_dma_t    dma = wdf_dma_start(WdfDmaProfileScatterGather64Duplex, 0, LENGTH, 0);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(dma.enabler, WdfDmaDirectionWriteToDevice);
    WdfObjectDelete(dma.enabler);
    assert_bugcheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x18, adapter->DmaOperations->PutDmaAdapter(adapter));
}

static void every_failing_allocation(void *context)
{
    wdf_dma_t             *dma = context;
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGatherDuplex, LENGTH);
    NTSTATUS status = WdfDmaEnablerCreate(dma->wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler);
    assert_int_equal(NT_SUCCESS(status), enabler != NULL);
    if (NT_SUCCESS(status))
        WdfObjectDelete(enabler);
}

static void survives_every_failure(void **state)
{
    (void)state;
    ntmm_device_config config = { .scatter_gather = true };
    wdf_dma_t          dma = wdf_dma_start_device(&config);
    assert_true(ntmm_for_each_failure(every_failing_allocation, &dma) >= 3); /* the object, two adapters */
    wdf_dma_stop(&dma);
}

/* ---- to D0 and back ---- */

static char        happened[100];
static const char *failing;

static NTSTATUS note(const char *what)
{
    assert_irql(PASSIVE_LEVEL);
    assert_true(strlen(happened) + strlen(what) + 2 < sizeof happened);
    strcat(happened, what);
    strcat(happened, " ");
    return failing != NULL && strcmp(failing, what) == 0 ? STATUS_DEVICE_NOT_READY : STATUS_SUCCESS;
}
#define NOTES(function, what) \
    static NTSTATUS function(WDFDMAENABLER enabler) \
    { \
        assert_non_null(enabler); \
        return note(what); \
    }
NOTES(fill, "fill")
NOTES(flush, "flush")
NOTES(enable, "enable")
NOTES(disable, "disable")
NOTES(begin_io, "begin")
NOTES(end_io, "end")

static NTSTATUS stop_here(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    (void)device, (void)irp, (void)context;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS pnp(WDFDEVICE wdf, UCHAR minor)
{
    PDEVICE_OBJECT device = WdfDeviceWdmGetDeviceObject(wdf);
    PIRP           irp = IoAllocateIrp(device->StackSize, FALSE);
    assert_non_null(irp);
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_PNP;
    IoGetNextIrpStackLocation(irp)->MinorFunction = minor;
    IoSetCompletionRoutine(irp, stop_here, NULL, TRUE, TRUE, TRUE);
    (void)IoCallDriver(device, irp);
    NTSTATUS status = irp->IoStatus.Status;
    IoFreeIrp(irp);
    return status;
}

static wdf_dma_t with_callbacks(void)
{
    ntmm_device_config     device = { .scatter_gather = true };
    wdf_dma_t              dma = wdf_dma_start_device(&device);
    WDF_DMA_ENABLER_CONFIG config;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, LENGTH);
    config.EvtDmaEnablerFill = fill;
    config.EvtDmaEnablerFlush = flush;
    config.EvtDmaEnablerEnable = enable;
    config.EvtDmaEnablerDisable = disable;
    config.EvtDmaEnablerSelfManagedIoStart = begin_io;
    config.EvtDmaEnablerSelfManagedIoStop = end_io;
    assert_int_equal(WdfDmaEnablerCreate(dma.wdf, &config, WDF_NO_OBJECT_ATTRIBUTES, &dma.enabler), STATUS_SUCCESS);
    failing = NULL;
    happened[0] = '\0';
    return dma;
}

static void goes_to_d0_and_back_with_the_device(void **state)
{
    (void)state;
    wdf_dma_t dma = with_callbacks();
    assert_int_equal(pnp(dma.wdf, IRP_MN_START_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "fill enable begin ");
    happened[0] = '\0';
    assert_int_equal(pnp(dma.wdf, IRP_MN_STOP_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "end disable flush ");
    happened[0] = '\0';
    WdfObjectDelete(dma.enabler); /* nobody is told of one that is gone */
    assert_int_equal(pnp(dma.wdf, IRP_MN_START_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "");
    wdf_dma_stop(&dma);
}

static void what_failed_is_not_undone(void **state)
{
    (void)state;
    wdf_dma_t dma = with_callbacks();
    failing = "enable";
    assert_int_equal(pnp(dma.wdf, IRP_MN_START_DEVICE), STATUS_DEVICE_NOT_READY);
    assert_non_null(strstr(happened, "fill enable "));
    assert_null(strstr(happened, "begin"));
    assert_null(strstr(happened, "flush"));
    wdf_dma_stop(&dma);
}

int main(void)
{
    static const ntmm_config windows_7 = { .windows_version = NTDDI_WIN7, .quiet = true };
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test(version_is_2_unless_asked),           ntmm_cmocka_test(narrow_address_brings_version_3),
         ntmm_cmocka_test(map_registers_bound_a_transfer),      ntmm_cmocka_test(elements_are_unlimited_until_set),
         ntmm_cmocka_test(refuses_what_makes_no_sense),         ntmm_cmocka_test(one_map_register_is_too_few),
         ntmm_cmocka_test(parent_lies_under_the_device),        ntmm_cmocka_test_config(old_windows_has_no_version_3, &windows_7),
         ntmm_cmocka_test(system_profile_is_configured_later),  ntmm_cmocka_test(checks_handles_pointers_and_irql),
         ntmm_cmocka_test(adapters_go_with_the_enabler),        ntmm_cmocka_test(survives_every_failure),
         ntmm_cmocka_test(goes_to_d0_and_back_with_the_device), ntmm_cmocka_test(what_failed_is_not_undone),
    };
    struct CMUnitTest profiles[sizeof PROFILES / sizeof PROFILES[0]];
    for (size_t i = 0; i < sizeof PROFILES / sizeof PROFILES[0]; i++)
        profiles[i] =
            (struct CMUnitTest){ .name = PROFILES[i].name, .test_func = brings_what_the_profile_says, .initial_state = &PROFILES[i] };
    return cmocka_run_group_tests_name("profiles", profiles, NULL, NULL) + cmocka_run_group_tests(tests, NULL, NULL);
}
