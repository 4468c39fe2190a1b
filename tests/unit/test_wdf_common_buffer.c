/*
 * test_wdf_common_buffer.c - common buffers of the framework: alignment, lengths, both sides of the memory, and when it goes.
 */
#include "../support/wdf_dma.h"

#define LENGTH 0x10000u

/* Driver and device see the same bytes. */
static void both_sides_see_the_same_bytes(void **state)
{
    (void)state;
    wdf_dma_t       dma = wdf_dma_start(WdfDmaProfileScatterGather, 0, LENGTH, 0);
    WDFCOMMONBUFFER buffer;
    unsigned char   seen[100];
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 3 * PAGE_SIZE + 7, WDF_NO_OBJECT_ATTRIBUTES, &buffer), STATUS_SUCCESS);
    assert_int_equal(WdfCommonBufferGetLength(buffer), 3 * PAGE_SIZE + 7);
    unsigned char   *va = WdfCommonBufferGetAlignedVirtualAddress(buffer);
    PHYSICAL_ADDRESS logical = WdfCommonBufferGetAlignedLogicalAddress(buffer);
    assert_true((uint64_t)logical.QuadPart + 3 * PAGE_SIZE < UINT64_C(1) << 32); /* the profile's 32 bits */
    dma_fill(va, 3 * PAGE_SIZE + 7, 3);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart, seen, sizeof seen), 0);
    assert_true(dma_is_filled(seen, sizeof seen, 3));
    memset(seen, 0xA5, sizeof seen);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart + 2 * PAGE_SIZE, seen, sizeof seen), 0);
    assert_memory_equal(va + 2 * PAGE_SIZE, seen, sizeof seen);
    wdf_dma_stop(&dma);
}

/* Alignments are boundaries less one; beyond a page only the device's address has them for sure. */
static void is_aligned_as_asked(void **state)
{
    (void)state;
    static const ULONG alignments[] = { 0, 1, FILE_LONG_ALIGNMENT, 63, 511, 0xfff, 0x3fff, 0xffff, 0xfffff };
    wdf_dma_t          dma = wdf_dma_start(WdfDmaProfileScatterGather64, 0, LENGTH, 0);
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
        WDF_COMMON_BUFFER_CONFIG config;
        WDFCOMMONBUFFER          buffers[3];
        WDF_COMMON_BUFFER_CONFIG_INIT(&config, alignments[i]);
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(WdfCommonBufferCreateWithConfig(dma.enabler, 5000, &config, WDF_NO_OBJECT_ATTRIBUTES, &buffers[j]),
                             STATUS_SUCCESS);
            assert_int_equal((uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffers[j]).QuadPart & alignments[i], 0);
            if (alignments[i] < PAGE_SIZE)
                assert_int_equal((uintptr_t)WdfCommonBufferGetAlignedVirtualAddress(buffers[j]) & alignments[i], 0);
            memset(WdfCommonBufferGetAlignedVirtualAddress(buffers[j]), 0x77, 5000); /* all of it is there */
            assert_int_equal(WdfCommonBufferGetLength(buffers[j]), 5000);
        }
        for (size_t j = 0; j < 3; j++)
            WdfObjectDelete(buffers[j]);
    }
    wdf_dma_stop(&dma);
}

/* Without a config the device's alignment counts. */
static void takes_the_alignment_of_the_device(void **state)
{
    (void)state;
    ntmm_device_config config = { .scatter_gather = true };
    wdf_dma_t          dma = wdf_dma_start_device(&config);
    WDFCOMMONBUFFER    buffer;
    WdfDeviceSetAlignmentRequirement(dma.wdf, 0x1ffff);
    assert_int_equal(WdfDeviceGetAlignmentRequirement(dma.wdf), 0x1ffff);
    dma.enabler = wdf_dma_enabler(dma.wdf, WdfDmaProfileScatterGather64, LENGTH, 0, 0);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, &buffer), STATUS_SUCCESS);
    assert_int_equal((uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart & 0x1ffff, 0);
    wdf_dma_stop(&dma);
}

static void refuses(void **state)
{
    (void)state;
    wdf_dma_t                dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    WDFCOMMONBUFFER          buffer = (WDFCOMMONBUFFER)&dma;
    WDF_OBJECT_ATTRIBUTES    attributes;
    WDF_COMMON_BUFFER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = dma.wdf;
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, 0);
    config.Size = 4;
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 0, NULL, &buffer), STATUS_INVALID_PARAMETER);
    assert_null(buffer);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 10, &attributes, &buffer), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, (size_t)MAXULONG + 1, NULL, &buffer), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, (size_t)1 << 30, NULL, &buffer), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(WdfCommonBufferCreateWithConfig(dma.enabler, 10, &config, NULL, &buffer), STATUS_INFO_LENGTH_MISMATCH);
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, 0x1ffff); /* with which the sum has more than 32 bits */
    assert_int_equal(WdfCommonBufferCreateWithConfig(dma.enabler, 0xFFFF0000u, &config, NULL, &buffer), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, SIZE_MAX, NULL, &buffer), STATUS_INSUFFICIENT_RESOURCES);
    wdf_dma_stop(&dma);
}

/* The memory goes with the object, or with its enabler, and its pages are there for the next one. */
static void memory_goes_with_the_object(void **state)
{
    (void)state;
    ntmm_memory_usage before, with, after;
    wdf_dma_t         dma = wdf_dma_start(WdfDmaProfileScatterGather64, 0, LENGTH, 0);
    WDFCOMMONBUFFER   buffer;
    ntmm_query_memory(&before);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 64 * PAGE_SIZE, NULL, &buffer), STATUS_SUCCESS);
    ntmm_query_memory(&with);
    assert_true(with.committed >= before.committed + 64);
    WdfObjectDelete(buffer);
    ntmm_query_memory(&after);
    assert_int_equal(after.committed, before.committed);
    assert_int_equal(WdfCommonBufferCreate(dma.enabler, 64 * PAGE_SIZE, NULL, &buffer), STATUS_SUCCESS);
    WdfObjectDelete(dma.enabler);
    wdf_dma_stop(&dma);
}

static void stops_at_mistakes(void **state)
{
    (void)state;
    WDFCOMMONBUFFER buffer;
    wdf_dma_t       dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfCommonBufferCreate(dma.enabler, 10, NULL, NULL));
    ntmm_cmocka_reboot();
    dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfCommonBufferCreateWithConfig(dma.enabler, 10, NULL, NULL, &buffer));
    ntmm_cmocka_reboot();
    dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfCommonBufferGetLength((WDFCOMMONBUFFER)(void *)dma.enabler));
    ntmm_cmocka_reboot();
    dma = wdf_dma_start(WdfDmaProfilePacket, 0, LENGTH, 0);
    (void)dma_raise();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfCommonBufferCreate(dma.enabler, 10, NULL, &buffer));
}

static void one_buffer(void *context)
{
    wdf_dma_t      *dma = context;
    WDFCOMMONBUFFER buffer = NULL;
    NTSTATUS        status = WdfCommonBufferCreate(dma->enabler, 2 * PAGE_SIZE, NULL, &buffer);
    assert_true(status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(NT_SUCCESS(status), buffer != NULL);
    if (buffer != NULL)
        WdfObjectDelete(buffer);
}

static void survives_every_failure(void **state)
{
    (void)state;
    wdf_dma_t dma = wdf_dma_start(WdfDmaProfileScatterGather, 0, LENGTH, 0);
    assert_true(ntmm_for_each_failure(one_buffer, &dma) >= 3); /* the object, the buffer, and none */
    wdf_dma_stop(&dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(both_sides_see_the_same_bytes),
        ntmm_cmocka_test(is_aligned_as_asked),
        ntmm_cmocka_test(takes_the_alignment_of_the_device),
        ntmm_cmocka_test(refuses),
        ntmm_cmocka_test(memory_goes_with_the_object),
        ntmm_cmocka_test(stops_at_mistakes),
        ntmm_cmocka_test(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
