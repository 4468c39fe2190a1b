/*
 * memory.c - memory objects: buffers with a parent.
 *
 *     less than a page, nonpaged       | object | buffer | context |      one block of that pool, with the driver's tag for it
 *     paged, or a page and more        | object | context |  -->  | buffer |        so that it is aligned, or paged
 *     preallocated                     | object | context |  -->  the driver's buffer
 *
 * Locks       none.
 * Source      WDK reference: wdfmemory.h, the pages of the routines; "Memory Buffer Life Cycle"; KMDF 1.33 (where pages and documents differ).
 */
#include "wdf/memory.h"

#include <string.h>

#include "wdf/object_fast.h"

/* ---- kinds ---- */

void wdf_memory_destroy(wdf_object_t *object)
{
    wdf_memory_t *memory = (wdf_memory_t *)object;
    if (memory->tag != 0)
        ExFreePoolWithTag(memory->buffer, memory->tag);
}

const wdf_type_t wdf_memory_type = {
    .name = "WDFMEMORY",
    .number = WDF_NUMBER_MEMORY,
    .bytes = sizeof(wdf_memory_t),
    .destroy = wdf_memory_destroy,
};

/* Object and buffer are one block: there is nothing to free but that. */
static const wdf_type_t together_type = {
    .name = "WDFMEMORY",
    .number = WDF_NUMBER_MEMORY,
    .bytes = sizeof(wdf_memory_t),
    .base = &wdf_memory_type,
};

static const wdf_type_t preallocated_type = {
    .name = "WDFMEMORY",
    .number = WDF_NUMBER_MEMORY_PREALLOCATED,
    .bytes = sizeof(wdf_memory_t),
    .base = &wdf_memory_type,
};

/* ---- making one ---- */

static POOL_TYPE plain_pool(POOL_TYPE type)
{
    return type == NonPagedPoolCacheAligned || type == NonPagedPoolMustSucceed || type == NonPagedPoolCacheAlignedMustS ? NonPagedPool
                                                                                                                        : type;
}

static NTSTATUS make_together(PWDF_OBJECT_ATTRIBUTES attributes, POOL_TYPE type, ULONG tag, size_t bytes, wdf_memory_t **made)
{
    wdf_new_t new_one = {
        .type = &together_type, .attributes = attributes, .extra = bytes, .tag = tag, .pool = plain_pool(type), .of_pool = true
    };
    NTSTATUS status = wdf_object_new(&new_one, made);
    if (NT_SUCCESS(status))
        (*made)->buffer = wdf_extra(&(*made)->object);
    return status;
}

static NTSTATUS make_apart(PWDF_OBJECT_ATTRIBUTES attributes, POOL_TYPE type, ULONG tag, size_t bytes, wdf_memory_t **made)
{
    NTSTATUS status = wdf_object_new(&(wdf_new_t){ .type = &wdf_memory_type, .attributes = attributes }, made);
    if (!NT_SUCCESS(status))
        return status;
    ULONG buffer_tag = tag != 0 ? tag : (*made)->object.driver->globals.DriverTag;
    void *buffer = ExAllocatePoolWithTag(type, bytes, buffer_tag);
    if (buffer == NULL) {
        wdf_object_abandon(*made);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    (*made)->buffer = buffer;
    (*made)->tag = buffer_tag;
    if (wdf_pool_is_paged(type))
        (*made)->object.flags |= WDF_OBJECT_PASSIVE;
    return STATUS_SUCCESS;
}

static NTSTATUS commit(wdf_memory_t *memory, PWDF_OBJECT_ATTRIBUTES attributes, size_t bytes, WDFMEMORY *handle)
{
    memory->bytes = bytes;
    NTSTATUS status = wdf_object_commit(memory, attributes);
    if (NT_SUCCESS(status))
        *handle = (WDFMEMORY)memory;
    else
        wdf_object_abandon(memory);
    return status;
}

static inline void fill_plain(wdf_memory_t *memory, wdf_driver_t *driver, wdf_object_t *parent, ULONG tag, size_t bytes)
{
    wdf_object_place(&memory->object, &together_type, parent, driver, tag);
    wdf_object_inherit(&memory->object, parent);
    memory->buffer = memory + 1;
    memory->bytes = bytes;
    memory->mdl = NULL;
    memory->tag = 0;
    memory->read_only = false;
}

/* Nonpaged, less than a page, no attributes, a parent whose lock is ours: most memory is so. NULL: nothing has been done. Nothing is called. */
static inline wdf_memory_t *create_plain(ke_thread_t *self, ULONG tag, size_t bytes)
{
    wdf_driver_t *driver = wdf_driver_current();
    if (NTMM_UNLIKELY(!wdf_thread_is_known(self) || driver == NULL || sizeof(wdf_memory_t) + bytes > EX_BLOCK_MAX))
        return NULL;
    wdf_object_t *parent = driver->object;
    if (NTMM_UNLIKELY(!wdf_lock_own(&parent->lock, self)))
        return NULL;
    wdf_memory_t *memory = NULL;
    tag = tag != 0 ? tag : driver->globals.DriverTag;
    if (NTMM_LIKELY(wdf_is_parent(parent)))
        memory = ex_fast_take(self, MM_NONPAGED_NX, sizeof *memory + bytes, tag, false);
    if (NTMM_LIKELY(memory != NULL)) {
        fill_plain(memory, driver, parent, tag, bytes);
        wdf_object_link(&memory->object, parent);
    }
    wdf_unlock_own(&parent->lock);
    return memory;
}

static __attribute__((noinline)) NTSTATUS create_checked(PWDF_OBJECT_ATTRIBUTES attributes, POOL_TYPE type, ULONG tag, size_t bytes,
                                                         WDFMEMORY *handle, PVOID *buffer, ULONG_PTR caller)
{
    static const char ROUTINE[] = "WdfMemoryCreate";
    wdf_memory_t     *made;
    bool              is_paged = wdf_pool_is_paged(type);
    if (!wdf_thread_is_ready(ROUTINE))
        return STATUS_UNSUCCESSFUL;
    if (ke_self()->irql > (is_paged ? APC_LEVEL : DISPATCH_LEVEL))
        ke_irql_too_high(ROUTINE, 0, caller);
    if (handle == NULL)
        wdf_stop_null(ROUTINE, caller);
    if (bytes == 0)
        return STATUS_INVALID_PARAMETER;
    *handle = NULL;
    NTSTATUS status = wdf_attributes_check(attributes, 0);
    if (NT_SUCCESS(status))
        status = is_paged || bytes >= PAGE_SIZE ? make_apart(attributes, type, tag, bytes, &made)
                                                : make_together(attributes, type, tag, bytes, &made);
    if (NT_SUCCESS(status))
        status = commit(made, attributes, bytes, handle);
    if (buffer != NULL && NT_SUCCESS(status))
        *buffer = made->buffer;
    return status;
}

NTSTATUS WdfMemoryCreate(PWDF_OBJECT_ATTRIBUTES Attributes, POOL_TYPE PoolType, ULONG PoolTag, size_t BufferSize, WDFMEMORY *Memory,
                         PVOID *Buffer)
{
    wdf_memory_t *made = NULL;
    if (NTMM_LIKELY(Attributes == NULL && PoolType == NonPagedPoolNx && BufferSize - 1 < PAGE_SIZE - 1 && Memory != NULL))
        made = create_plain(ke_self(), PoolTag, BufferSize);
    if (NTMM_UNLIKELY(made == NULL))
        return create_checked(Attributes, PoolType, PoolTag, BufferSize, Memory, Buffer, KE_CALLER());
    *Memory = (WDFMEMORY)made;
    if (Buffer != NULL)
        *Buffer = made->buffer;
    return STATUS_SUCCESS;
}

NTSTATUS WdfMemoryCreatePreallocated(PWDF_OBJECT_ATTRIBUTES Attributes, PVOID Buffer, size_t BufferSize, WDFMEMORY *Memory)
{
    wdf_memory_t *made;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Buffer);
    WDF_REQUIRE(Memory);
    *Memory = NULL;
    if (BufferSize == 0)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = wdf_attributes_check(Attributes, 0);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &preallocated_type, .attributes = Attributes }, &made);
    if (!NT_SUCCESS(status))
        return status;
    made->buffer = Buffer;
    return commit(made, Attributes, BufferSize, Memory);
}

/* ---- using it ---- */

PVOID WdfMemoryGetBuffer(WDFMEMORY Memory, size_t *BufferSize)
{
    if (!wdf_thread_is_ready(__func__))
        return NULL;
    const wdf_memory_t *memory = (const wdf_memory_t *)wdf_handle_at(__func__, Memory, &wdf_memory_type);
    if (BufferSize != NULL)
        *BufferSize = memory->bytes;
    return memory->buffer;
}

NTSTATUS WdfMemoryAssignBuffer(WDFMEMORY Memory, PVOID Buffer, size_t BufferSize)
{
    if (!wdf_thread_is_ready(__func__))
        return STATUS_UNSUCCESSFUL;
    wdf_memory_t *memory = WDF_FROM(Memory, &preallocated_type);
    WDF_REQUIRE(Buffer);
    if (BufferSize == 0)
        return STATUS_INVALID_PARAMETER;
    memory->buffer = Buffer;
    memory->bytes = BufferSize;
    memory->mdl = NULL;
    return STATUS_SUCCESS;
}

NTSTATUS wdf_memory_copy(const void *source, size_t source_bytes, size_t source_offset, void *destination, size_t destination_bytes,
                         size_t destination_offset, size_t bytes)
{
    if (source_offset != 0 && source_offset >= source_bytes)
        return STATUS_BUFFER_TOO_SMALL;
    if (destination_offset != 0 && destination_offset >= destination_bytes)
        return STATUS_INVALID_BUFFER_SIZE;
    if (bytes > destination_bytes - destination_offset)
        return STATUS_INVALID_BUFFER_SIZE;
    if (bytes > source_bytes - source_offset)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy((char *)destination + destination_offset, (const char *)source + source_offset, bytes);
    return STATUS_SUCCESS;
}

NTSTATUS wdf_memory_part(const wdf_memory_t *memory, const WDFMEMORY_OFFSET *part, void **buffer, size_t *bytes)
{
    size_t offset = part != NULL ? part->BufferOffset : 0, length = part != NULL ? part->BufferLength : 0;
    if (offset + length < offset)
        return STATUS_INTEGER_OVERFLOW;
    if (offset + length > memory->bytes)
        return STATUS_INVALID_BUFFER_SIZE;
    *buffer = (char *)memory->buffer + offset;
    *bytes = length != 0 ? length : memory->bytes - offset;
    return STATUS_SUCCESS;
}

NTSTATUS WdfMemoryCopyToBuffer(WDFMEMORY SourceMemory, size_t SourceOffset, PVOID Buffer, size_t NumBytesToCopyTo)
{
    if (!wdf_thread_is_ready(__func__))
        return STATUS_UNSUCCESSFUL;
    const wdf_memory_t *memory = WDF_FROM(SourceMemory, &wdf_memory_type);
    WDF_REQUIRE(Buffer);
    if (NumBytesToCopyTo == 0)
        return STATUS_INVALID_PARAMETER;
    return wdf_memory_copy(memory->buffer, memory->bytes, SourceOffset, Buffer, NumBytesToCopyTo, 0, NumBytesToCopyTo);
}

NTSTATUS WdfMemoryCopyFromBuffer(WDFMEMORY DestinationMemory, size_t DestinationOffset, PVOID Buffer, size_t NumBytesToCopyFrom)
{
    if (!wdf_thread_is_ready(__func__))
        return STATUS_UNSUCCESSFUL;
    const wdf_memory_t *memory = WDF_FROM(DestinationMemory, &wdf_memory_type);
    WDF_REQUIRE(Buffer);
    if (NumBytesToCopyFrom == 0)
        return STATUS_INVALID_PARAMETER;
    if (memory->read_only)
        return STATUS_ACCESS_VIOLATION;
    return wdf_memory_copy(Buffer, NumBytesToCopyFrom, 0, memory->buffer, memory->bytes, DestinationOffset, NumBytesToCopyFrom);
}
