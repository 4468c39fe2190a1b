/*
 * test_wdf_levels.c - the highest IRQL of the framework's routines for objects, memory, DMA and the buffers of requests: one above it each stops the
 * machine. What has no limit is left out: handles, contexts, buffers and copies of memory that is there.
 */
#include "../support/levels.h"
#include "../support/wdf_dma.h"

#define TAG NTMM_TAG("WLev")

static wdf_dma_t         dma;
static WDFOBJECT         object;
static WDFMEMORY         memory;
static WDFLOOKASIDE      paged_list, list;
static WDFCOMMONBUFFER   buffer;
static WDFDMATRANSACTION transaction;
static WDFDMAENABLER     enabler;
static WDFREQUEST        request;
static char              bytes[8];
static size_t            length;
static NTSTATUS          status;
static PVOID             pointer;
static PMDL              mdl;

static WDF_OBJECT_ATTRIBUTES         attributes;
static WDF_COMMON_BUFFER_CONFIG      buffer_config;
static WDF_DMA_ENABLER_CONFIG        enabler_config;
static WDF_DMA_SYSTEM_PROFILE_CONFIG profile_config;

static BOOLEAN program(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                       PSCATTER_GATHER_LIST List)
{
    (void)Transaction, (void)Device, (void)Context, (void)Direction, (void)List;
    return TRUE;
}
static VOID reserve(WDFDMATRANSACTION Transaction, PVOID Context) { (void)Transaction, (void)Context; }

/* At the highest level itself all of this works: DISPATCH_LEVEL for what is made behind KeRaiseIrql. */
static void start(void)
{
    KIRQL irql;
    dma = wdf_dma_start(WdfDmaProfileScatterGather, 0, 0x10000, 0);
    WDF_COMMON_BUFFER_CONFIG_INIT(&buffer_config, 0);
    WDF_DMA_ENABLER_CONFIG_INIT(&enabler_config, WdfDmaProfilePacket, 0x1000);
    memset(&profile_config, 0, sizeof profile_config);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 10, NULL, &buffer), STATUS_SUCCESS);
    assert_int_equal(WdfLookasideListCreate(NULL, 100, PagedPool, NULL, TAG, &paged_list), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_int_equal(WdfObjectCreate(NULL, &object), STATUS_SUCCESS);
    assert_int_equal(WdfLookasideListCreate(NULL, 100, NonPagedPoolNx, NULL, TAG, &list), STATUS_SUCCESS);
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 8, &memory, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionCreate(dma.enabler, NULL, &transaction), STATUS_SUCCESS);
    assert_int_equal(WdfRequestCreate(NULL, NULL, &request), STATUS_SUCCESS);
    assert_int_equal(WdfCommonBufferGetLength(buffer), 10);
    assert_int_equal(WdfDmaTransactionGetBytesTransferred(transaction), 0);
    KeLowerIrql(irql);
}

#define DISPATCHES(name, ...) LEVEL(name, DISPATCH_LEVEL, name(__VA_ARGS__))
#define PASSES(name, ...) LEVEL(name, PASSIVE_LEVEL, name(__VA_ARGS__))
DISPATCHES(WdfObjectCreate, NULL, &object)
DISPATCHES(WdfObjectDelete, object)
DISPATCHES(WdfObjectReferenceActual, object, NULL, 0, NULL)
DISPATCHES(WdfObjectDereferenceActual, object, NULL, 0, NULL)
DISPATCHES(WdfObjectAllocateContext, object, &attributes, NULL)
DISPATCHES(WdfMemoryCreate, NULL, NonPagedPoolNx, TAG, 8, &memory, NULL)
LEVEL(memory_with_attributes, DISPATCH_LEVEL, WdfMemoryCreate(&attributes, NonPagedPoolNx, TAG, 8, &memory, NULL))
LEVEL(a_page_of_memory, DISPATCH_LEVEL, WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, PAGE_SIZE, &memory, NULL))
LEVEL(paged_memory, APC_LEVEL, WdfMemoryCreate(NULL, PagedPool, TAG, 8, &memory, NULL))
DISPATCHES(WdfMemoryCreatePreallocated, NULL, bytes, sizeof bytes, &memory)
DISPATCHES(WdfLookasideListCreate, NULL, 8, NonPagedPoolNx, NULL, TAG, &list)
LEVEL(a_paged_lookaside_list, APC_LEVEL, WdfLookasideListCreate(NULL, 8, PagedPool, NULL, TAG, &list))
DISPATCHES(WdfMemoryCreateFromLookaside, list, &memory)
LEVEL(paged_memory_of_a_list, APC_LEVEL, WdfMemoryCreateFromLookaside(paged_list, &memory))
PASSES(WdfCommonBufferCreate, dma.enabler, 10, NULL, &buffer)
PASSES(WdfCommonBufferCreateWithConfig, dma.enabler, 10, &buffer_config, NULL, &buffer)
DISPATCHES(WdfCommonBufferGetAlignedVirtualAddress, buffer)
LEVEL(WdfCommonBufferGetAlignedLogicalAddress, DISPATCH_LEVEL, WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart)
DISPATCHES(WdfCommonBufferGetLength, buffer)
PASSES(WdfDmaEnablerCreate, dma.wdf, &enabler_config, NULL, &enabler)
PASSES(WdfDmaEnablerConfigureSystemProfile, dma.enabler, &profile_config, WdfDmaDirectionReadFromDevice)
DISPATCHES(WdfDmaEnablerGetFragmentLength, dma.enabler, WdfDmaDirectionReadFromDevice)
DISPATCHES(WdfDmaEnablerGetMaximumLength, dma.enabler)
DISPATCHES(WdfDmaEnablerGetMaximumScatterGatherElements, dma.enabler)
PASSES(WdfDmaEnablerSetMaximumScatterGatherElements, dma.enabler, 4)
DISPATCHES(WdfDmaEnablerWdmGetDmaAdapter, dma.enabler, WdfDmaDirectionReadFromDevice)
DISPATCHES(WdfDmaTransactionCreate, dma.enabler, NULL, &transaction)
DISPATCHES(WdfDmaTransactionInitialize, transaction, program, WdfDmaDirectionReadFromDevice, mdl, bytes, 8)
DISPATCHES(WdfDmaTransactionInitializeUsingOffset, transaction, program, WdfDmaDirectionReadFromDevice, mdl, 0, 8)
DISPATCHES(WdfDmaTransactionInitializeUsingRequest, transaction, request, program, WdfDmaDirectionReadFromDevice)
DISPATCHES(WdfDmaTransactionExecute, transaction, NULL)
DISPATCHES(WdfDmaTransactionRelease, transaction)
DISPATCHES(WdfDmaTransactionDmaCompleted, transaction, &status)
DISPATCHES(WdfDmaTransactionDmaCompletedWithLength, transaction, 8, &status)
DISPATCHES(WdfDmaTransactionDmaCompletedFinal, transaction, 8, &status)
DISPATCHES(WdfDmaTransactionGetBytesTransferred, transaction)
DISPATCHES(WdfDmaTransactionGetCurrentDmaTransferLength, transaction)
DISPATCHES(WdfDmaTransactionGetDevice, transaction)
DISPATCHES(WdfDmaTransactionGetRequest, transaction)
DISPATCHES(WdfDmaTransactionAllocateResources, transaction, WdfDmaDirectionReadFromDevice, 1, reserve, NULL)
DISPATCHES(WdfDmaTransactionFreeResources, transaction)
DISPATCHES(WdfDmaTransactionCancel, transaction)
DISPATCHES(WdfDmaTransactionStopSystemTransfer, transaction)
DISPATCHES(WdfDmaTransactionSetMaximumLength, transaction, 8)
DISPATCHES(WdfDmaTransactionSetImmediateExecution, transaction, TRUE)
DISPATCHES(WdfDmaTransactionSetSingleTransferRequirement, transaction, TRUE)
DISPATCHES(WdfDmaTransactionSetTransferCompleteCallback, transaction, NULL, NULL)
DISPATCHES(WdfDmaTransactionSetChannelConfigurationCallback, transaction, NULL, NULL)
DISPATCHES(WdfDmaTransactionSetDeviceAddressOffset, transaction, 0)
DISPATCHES(WdfDmaTransactionWdmGetTransferContext, transaction)
DISPATCHES(WdfDeviceSetAlignmentRequirement, dma.wdf, 0)
DISPATCHES(WdfDeviceGetAlignmentRequirement, dma.wdf)
DISPATCHES(WdfRequestRetrieveInputBuffer, request, 1, &pointer, &length)
DISPATCHES(WdfRequestRetrieveInputMemory, request, &memory)
DISPATCHES(WdfRequestRetrieveInputWdmMdl, request, &mdl)
DISPATCHES(WdfRequestRetrieveOutputBuffer, request, 1, &pointer, &length)
DISPATCHES(WdfRequestRetrieveOutputMemory, request, &memory)
DISPATCHES(WdfRequestRetrieveOutputWdmMdl, request, &mdl)
PASSES(WdfRequestRetrieveUnsafeUserInputBuffer, request, 1, &pointer, &length)
PASSES(WdfRequestRetrieveUnsafeUserOutputBuffer, request, 1, &pointer, &length)
PASSES(WdfRequestProbeAndLockUserBufferForRead, request, bytes, 1, &memory)
PASSES(WdfRequestProbeAndLockUserBufferForWrite, request, bytes, 1, &memory)

static void objects_and_memory(void **state)
{
    static const struct level_case cases[] = {
        LEVEL_ROW(WdfObjectCreate),
        LEVEL_ROW(WdfObjectDelete),
        LEVEL_ROW(WdfObjectReferenceActual),
        LEVEL_ROW(WdfObjectDereferenceActual),
        LEVEL_ROW(WdfObjectAllocateContext),
        LEVEL_ROW(WdfMemoryCreate),
        LEVEL_ROW(memory_with_attributes),
        LEVEL_ROW(a_page_of_memory),
        LEVEL_ROW(paged_memory),
        LEVEL_ROW(WdfMemoryCreatePreallocated),
        LEVEL_ROW(WdfLookasideListCreate),
        LEVEL_ROW(a_paged_lookaside_list),
        LEVEL_ROW(WdfMemoryCreateFromLookaside),
        LEVEL_ROW(paged_memory_of_a_list),
    };
    (void)state;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    assert_levels(cases, sizeof cases / sizeof cases[0], start);
}

static void dma_routines(void **state)
{
    static const struct level_case cases[] = {
        LEVEL_ROW(WdfCommonBufferCreate),
        LEVEL_ROW(WdfCommonBufferCreateWithConfig),
        LEVEL_ROW(WdfCommonBufferGetAlignedVirtualAddress),
        LEVEL_ROW(WdfCommonBufferGetAlignedLogicalAddress),
        LEVEL_ROW(WdfCommonBufferGetLength),
        LEVEL_ROW(WdfDmaEnablerCreate),
        LEVEL_ROW(WdfDmaEnablerConfigureSystemProfile),
        LEVEL_ROW(WdfDmaEnablerGetFragmentLength),
        LEVEL_ROW(WdfDmaEnablerGetMaximumLength),
        LEVEL_ROW(WdfDmaEnablerGetMaximumScatterGatherElements),
        LEVEL_ROW(WdfDmaEnablerSetMaximumScatterGatherElements),
        LEVEL_ROW(WdfDmaEnablerWdmGetDmaAdapter),
        LEVEL_ROW(WdfDmaTransactionCreate),
        LEVEL_ROW(WdfDmaTransactionInitialize),
        LEVEL_ROW(WdfDmaTransactionInitializeUsingOffset),
        LEVEL_ROW(WdfDmaTransactionInitializeUsingRequest),
        LEVEL_ROW(WdfDmaTransactionExecute),
        LEVEL_ROW(WdfDmaTransactionRelease),
        LEVEL_ROW(WdfDmaTransactionDmaCompleted),
        LEVEL_ROW(WdfDmaTransactionDmaCompletedWithLength),
        LEVEL_ROW(WdfDmaTransactionDmaCompletedFinal),
        LEVEL_ROW(WdfDmaTransactionGetBytesTransferred),
        LEVEL_ROW(WdfDmaTransactionGetCurrentDmaTransferLength),
        LEVEL_ROW(WdfDmaTransactionGetDevice),
        LEVEL_ROW(WdfDmaTransactionGetRequest),
        LEVEL_ROW(WdfDmaTransactionAllocateResources),
        LEVEL_ROW(WdfDmaTransactionFreeResources),
        LEVEL_ROW(WdfDmaTransactionCancel),
        LEVEL_ROW(WdfDmaTransactionStopSystemTransfer),
        LEVEL_ROW(WdfDmaTransactionSetMaximumLength),
        LEVEL_ROW(WdfDmaTransactionSetImmediateExecution),
        LEVEL_ROW(WdfDmaTransactionSetSingleTransferRequirement),
        LEVEL_ROW(WdfDmaTransactionSetTransferCompleteCallback),
        LEVEL_ROW(WdfDmaTransactionSetChannelConfigurationCallback),
        LEVEL_ROW(WdfDmaTransactionSetDeviceAddressOffset),
        LEVEL_ROW(WdfDmaTransactionWdmGetTransferContext),
        LEVEL_ROW(WdfDeviceSetAlignmentRequirement),
        LEVEL_ROW(WdfDeviceGetAlignmentRequirement),
    };
    (void)state;
    assert_levels(cases, sizeof cases / sizeof cases[0], start);
}

static void buffers_of_requests(void **state)
{
    static const struct level_case cases[] = {
        LEVEL_ROW(WdfRequestRetrieveInputBuffer),           LEVEL_ROW(WdfRequestRetrieveInputMemory),
        LEVEL_ROW(WdfRequestRetrieveInputWdmMdl),           LEVEL_ROW(WdfRequestRetrieveOutputBuffer),
        LEVEL_ROW(WdfRequestRetrieveOutputMemory),          LEVEL_ROW(WdfRequestRetrieveOutputWdmMdl),
        LEVEL_ROW(WdfRequestRetrieveUnsafeUserInputBuffer), LEVEL_ROW(WdfRequestRetrieveUnsafeUserOutputBuffer),
        LEVEL_ROW(WdfRequestProbeAndLockUserBufferForRead), LEVEL_ROW(WdfRequestProbeAndLockUserBufferForWrite),
    };
    (void)state;
    assert_levels(cases, sizeof cases / sizeof cases[0], start);
}

int main(void)
{
    static const ntmm_config plain = { .quiet = true, .no_memory_tools = true }; /* the short way of most calls */
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test(objects_and_memory),
         ntmm_cmocka_test_config(objects_and_memory, &plain),
         ntmm_cmocka_test(dma_routines),
         ntmm_cmocka_test(buffers_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
