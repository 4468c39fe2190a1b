/*
 * common_buffer.c - common buffers as framework objects: AllocateCommonBuffer when they are created, FreeCommonBuffer when they are deleted.
 *
 *     raw_va       |.......|============ length ============|     raw_bytes: length, and the alignment when that is more than a page
 *     raw_logical  ^       ^ aligned for the device; the driver's address lies as far behind raw_va
 *
 * Units       bytes; an alignment is a power of two, less one.
 * Locks       none.
 * Source      WDK reference: wdfcommonbuffer.h; the published KMDF 1.33: below a page nothing is added, since the memory is whole pages.
 * Fidelity    the memory goes before EvtCleanup of the object runs, as in the published framework.
 */
#include "wdf/dma_enabler.h"

#define LENGTH_MOST ((size_t)MAXULONG - PAGE_SIZE)

typedef struct common_buffer {
    wdf_object_t       object;
    wdf_dma_enabler_t *enabler;
    char              *raw_va; /* NULL: there is none */
    PHYSICAL_ADDRESS   raw_logical, logical;
    char              *va;
    size_t             length;
    ULONG              raw_bytes;
} common_buffer_t;

static void release(wdf_object_t *object)
{
    common_buffer_t *buffer = (common_buffer_t *)object;
    if (buffer->raw_va == NULL)
        return;
    PDMA_ADAPTER adapter = buffer->enabler->sides[0].adapter;
    adapter->DmaOperations->FreeCommonBuffer(adapter, buffer->raw_bytes, buffer->raw_logical, buffer->raw_va, TRUE);
    buffer->raw_va = NULL;
}

static const wdf_type_t common_buffer_type = { .name = "WDFCOMMONBUFFER",
                                               .number = WDF_NUMBER_COMMON_BUFFER,
                                               .bytes = sizeof(common_buffer_t),
                                               .options = WDF_TYPE_PASSIVE_DISPOSE,
                                               .dispose = release,
                                               .destroy = release };

static NTSTATUS fill(common_buffer_t *buffer, wdf_dma_enabler_t *enabler, size_t length, ULONG alignment)
{
    PDMA_ADAPTER adapter = enabler->sides[0].adapter;
    uint64_t     raw_bytes = length + (alignment >= PAGE_SIZE ? (uint64_t)alignment : 0);
    if (adapter == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (length > LENGTH_MOST || raw_bytes > MAXULONG)
        return STATUS_INSUFFICIENT_RESOURCES;
    buffer->enabler = enabler;
    buffer->length = length;
    buffer->raw_bytes = (ULONG)raw_bytes;
    buffer->raw_va = adapter->DmaOperations->AllocateCommonBuffer(adapter, buffer->raw_bytes, &buffer->raw_logical, TRUE);
    if (buffer->raw_va == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    uint64_t raw = (uint64_t)buffer->raw_logical.QuadPart, aligned = (raw + alignment) & ~(uint64_t)alignment;
    buffer->logical.QuadPart = (LONGLONG)aligned;
    buffer->va = buffer->raw_va + (aligned - raw);
    return STATUS_SUCCESS;
}

static NTSTATUS create(wdf_dma_enabler_t *enabler, size_t length, ULONG alignment, PWDF_OBJECT_ATTRIBUTES attributes, WDFCOMMONBUFFER *out)
{
    common_buffer_t *buffer = NULL;
    if (length == 0)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = wdf_attributes_check(attributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &common_buffer_type, .attributes = attributes, .parent = &enabler->object }, &buffer);
    if (!NT_SUCCESS(status))
        return status;
    status = fill(buffer, enabler, length, alignment);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(buffer, attributes);
    if (NT_SUCCESS(status))
        *out = (WDFCOMMONBUFFER)(void *)buffer;
    else
        wdf_object_abandon(buffer);
    return status;
}

NTSTATUS WdfCommonBufferCreate(WDFDMAENABLER DmaEnabler, size_t Length, PWDF_OBJECT_ATTRIBUTES Attributes, WDFCOMMONBUFFER *CommonBuffer)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    WDF_REQUIRE(CommonBuffer);
    *CommonBuffer = NULL;
    return create(enabler, Length, enabler->alignment, Attributes, CommonBuffer);
}

NTSTATUS WdfCommonBufferCreateWithConfig(WDFDMAENABLER DmaEnabler, size_t Length, PWDF_COMMON_BUFFER_CONFIG Config,
                                         PWDF_OBJECT_ATTRIBUTES Attributes, WDFCOMMONBUFFER *CommonBuffer)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_enabler_t *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    WDF_REQUIRE(Config);
    if (Config->Size != sizeof *Config)
        return STATUS_INFO_LENGTH_MISMATCH;
    WDF_REQUIRE(CommonBuffer);
    *CommonBuffer = NULL;
    return create(enabler, Length, Config->AlignmentRequirement, Attributes, CommonBuffer);
}

PVOID WdfCommonBufferGetAlignedVirtualAddress(WDFCOMMONBUFFER CommonBuffer)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    common_buffer_t *buffer = WDF_FROM(CommonBuffer, &common_buffer_type);
    return buffer->va;
}

PHYSICAL_ADDRESS WdfCommonBufferGetAlignedLogicalAddress(WDFCOMMONBUFFER CommonBuffer)
{
    WDF_ENTER(DISPATCH_LEVEL, (PHYSICAL_ADDRESS){ .QuadPart = 0 });
    common_buffer_t *buffer = WDF_FROM(CommonBuffer, &common_buffer_type);
    return buffer->logical;
}

size_t WdfCommonBufferGetLength(WDFCOMMONBUFFER CommonBuffer)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    common_buffer_t *buffer = WDF_FROM(CommonBuffer, &common_buffer_type);
    return buffer->length;
}
