/*
 * lookaside.c - lists of memory objects that wait for their next use.
 *
 *     WdfMemoryCreateFromLookaside                        WdfObjectDelete
 *      |- take      a block from the list, or the pool      |- EvtCleanup, EvtDestroy, as for any object
 *      |- wdf_object_new, in that block                     `- release   the block goes back, or to the pool when enough are kept
 *      `- wdf_object_commit
 *
 * A free block keeps its buffer, where that is one of its own. The list counts what is out, and goes when it was deleted and all has come back.
 *
 * Locks       the list's own: free blocks and counts.
 * Source      WDK reference: wdfmemory.h, WdfLookasideListCreate, WdfMemoryCreateFromLookaside; KMDF 1.33 (which sizes share a block; whose device
 *             is compared).
 * Fidelity    KMDF uses the system's lookaside lists, whose depth follows the traffic; here it is fixed.
 */
#include <string.h>

#include "ex/pool_tools.h"
#include "ke/inject.h"
#include "wdf/device.h"
#include "wdf/memory.h"
#include "wdf/object_fast.h"

#define DEPTH_MAX 256u

typedef struct free_block { /* what lies in a block on the list, where the object's mark was 0 */
    uint64_t           mark;
    struct free_block *next;
    void              *buffer;
} free_block_t;

typedef struct lookaside {
    wdf_object_t          object;
    wdf_lock_t            list_lock;
    free_block_t         *free;    /* (list_lock) */
    uint32_t              depth;   /* (list_lock) blocks there */
    bool                  is_gone; /* (list_lock) its last reference is */
    uint64_t              out;     /* (list_lock) objects that are not there */
    WDF_OBJECT_ATTRIBUTES memory_attributes;
    bool                  has_attributes;
    size_t                buffer_bytes, block_bytes;
    POOL_TYPE             pool;
    ULONG                 tag;
    bool                  is_apart; /* buffers are blocks of their own */
} lookaside_t;

typedef struct from_lookaside {
    wdf_memory_t memory;
    lookaside_t *list;
    uint64_t     unused;
} from_lookaside_t;

static const wdf_type_t lookaside_type;

/* ---- blocks ---- */

static void block_free(const lookaside_t *list, void *block, void *buffer)
{
    if (list->is_apart && buffer != NULL)
        ExFreePoolWithTag(buffer, list->tag);
    ExFreePoolWithTag(block, list->tag);
}

static POOL_TYPE pool_of_block(const lookaside_t *list) { return list->is_apart ? NonPagedPoolNx : list->pool; }

static void *block_make(const lookaside_t *list, void **buffer)
{
    void *block = ExAllocatePoolWithTag(pool_of_block(list), list->block_bytes, list->tag);
    *buffer = NULL;
    if (block == NULL || !list->is_apart)
        return block;
    *buffer = ExAllocatePoolWithTag(list->pool, list->buffer_bytes, list->tag);
    if (*buffer != NULL)
        return block;
    ExFreePoolWithTag(block, list->tag);
    return NULL;
}

/* An armed failure wants to see every allocation, AddressSanitizer and memcheck every free. */
static bool keeps_nothing(void) { return atomic_load_explicit(&ke_inject_caches_off, memory_order_relaxed) || ex_tools_on; }

static inline void *block_take(lookaside_t *list, void **buffer)
{
    free_block_t *block = NULL;
    wdf_lock(&list->list_lock);
    list->out++;
    if (NTMM_LIKELY(list->free != NULL) && NTMM_LIKELY(!keeps_nothing())) {
        block = list->free;
        list->free = block->next;
        list->depth--;
    }
    wdf_unlock(&list->list_lock);
    if (NTMM_UNLIKELY(block == NULL))
        return block_make(list, buffer);
    *buffer = block->buffer;
    return block;
}

static void list_free(lookaside_t *list)
{
    for (free_block_t *block = list->free, *next; block != NULL; block = next) {
        next = block->next;
        block_free(list, block, block->buffer);
    }
    ExFreePoolWithTag(list, list->object.tag);
}

/* block: to be kept, or NULL: it never was one. */
static inline void block_give(lookaside_t *list, void *block, void *buffer)
{
    free_block_t *kept = block;
    wdf_lock(&list->list_lock);
    list->out--;
    if (kept != NULL && list->depth < DEPTH_MAX && !list->is_gone && !keeps_nothing()) {
        kept->next = list->free;
        kept->buffer = buffer;
        list->free = kept;
        list->depth++;
        block = NULL;
    }
    bool is_last = list->is_gone && list->out == 0;
    wdf_unlock(&list->list_lock);
    if (block != NULL)
        block_free(list, block, buffer);
    if (NTMM_UNLIKELY(is_last))
        list_free(list);
}

/* ---- objects that come from it ---- */

static void memory_release(wdf_object_t *object)
{
    from_lookaside_t *memory = (from_lookaside_t *)object;
    block_give(memory->list, memory, memory->list->is_apart ? memory->memory.buffer : NULL);
}

static const wdf_type_t memory_type = {
    .name = "WDFMEMORY",
    .number = WDF_NUMBER_MEMORY,
    .bytes = sizeof(from_lookaside_t),
    .base = &wdf_memory_type,
    .release = memory_release,
};

static PWDF_OBJECT_ATTRIBUTES attributes_of(lookaside_t *list) { return list->has_attributes ? &list->memory_attributes : NULL; }

static wdf_new_t new_memory(lookaside_t *list)
{
    return (wdf_new_t){
        .type = &memory_type, .attributes = attributes_of(list), .extra = list->is_apart ? 0 : list->buffer_bytes, .tag = list->tag
    };
}

/* Without attributes: the parent is the driver. */
static inline NTSTATUS memory_make_plain(lookaside_t *list, from_lookaside_t *memory, void *buffer, WDFMEMORY *handle)
{
    wdf_driver_t *driver = list->object.driver;
    wdf_object_place(&memory->memory.object, &memory_type, driver->object, driver, list->tag);
    memory->memory.buffer = list->is_apart ? buffer : memory + 1;
    memory->memory.bytes = list->buffer_bytes;
    memory->memory.mdl = NULL;
    memory->memory.tag = 0;
    memory->memory.read_only = false;
    memory->list = list;
    if (NTMM_UNLIKELY(wdf_pool_is_paged(list->pool)))
        memory->memory.object.flags |= WDF_OBJECT_PASSIVE;
    NTSTATUS status = wdf_object_commit_plain(&memory->memory.object);
    if (NTMM_LIKELY(NT_SUCCESS(status)))
        *handle = (WDFMEMORY)memory;
    else
        wdf_object_abandon(memory);
    return status;
}

static NTSTATUS memory_make(lookaside_t *list, void *block, void *buffer, WDFMEMORY *handle)
{
    from_lookaside_t *made;
    wdf_new_t         new_one = new_memory(list);
    new_one.block = block;
    new_one.parent = list->object.driver->object;
    NTSTATUS status = wdf_object_new(&new_one, &made);
    if (!NT_SUCCESS(status)) {
        block_give(list, block, buffer);
        return status;
    }
    made->list = list;
    made->memory.bytes = list->buffer_bytes;
    made->memory.buffer = list->is_apart ? buffer : wdf_extra(&made->memory.object);
    if (wdf_pool_is_paged(list->pool))
        made->memory.object.flags |= WDF_OBJECT_PASSIVE;
    status = wdf_object_commit(made, new_one.attributes);
    if (NT_SUCCESS(status))
        *handle = (WDFMEMORY)made;
    else
        wdf_object_abandon(made);
    return status;
}

NTSTATUS WdfMemoryCreateFromLookaside(WDFLOOKASIDE Lookaside, WDFMEMORY *Memory)
{
    void *buffer;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    lookaside_t *list = (lookaside_t *)wdf_handle_at(__func__, Lookaside, &lookaside_type);
    if (NTMM_UNLIKELY(wdf_pool_is_paged(list->pool)))
        KE_REQUIRE_IRQL(APC_LEVEL);
    WDF_REQUIRE(Memory);
    *Memory = NULL;
    void *block = block_take(list, &buffer);
    if (NTMM_LIKELY(block != NULL && !list->has_attributes))
        return memory_make_plain(list, block, buffer, Memory);
    if (block != NULL)
        return memory_make(list, block, buffer, Memory);
    block_give(list, NULL, NULL);
    return STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- the list ---- */

/* Its block stays as long as an object is out. */
static void lookaside_release(wdf_object_t *object)
{
    lookaside_t *list = (lookaside_t *)object;
    wdf_lock(&list->list_lock);
    list->is_gone = true;
    bool is_last = list->out == 0;
    wdf_unlock(&list->list_lock);
    if (is_last)
        list_free(list);
}

static const wdf_type_t lookaside_type = {
    .name = "WDFLOOKASIDE",
    .number = WDF_NUMBER_LOOKASIDE,
    .bytes = sizeof(lookaside_t),
    .release = lookaside_release,
};

static wdf_object_t *parent_in(const WDF_OBJECT_ATTRIBUTES *attributes)
{
    return attributes != NULL && attributes->ParentObject != NULL ? WDF_FROM(attributes->ParentObject, NULL) : NULL;
}

/* A paged list and its objects are cleaned up by one device's worker. */
static bool two_devices(const WDF_OBJECT_ATTRIBUTES *of_list, const WDF_OBJECT_ATTRIBUTES *of_memory)
{
    wdf_object_t *a = wdf_object_ancestor(parent_in(of_list), &wdf_device_type);
    wdf_object_t *b = wdf_object_ancestor(parent_in(of_memory), &wdf_device_type);
    return a != NULL && b != NULL && a != b;
}

static NTSTATUS check(PWDF_OBJECT_ATTRIBUTES of_list, PWDF_OBJECT_ATTRIBUTES of_memory, size_t bytes, POOL_TYPE pool)
{
    if (bytes == 0)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = wdf_attributes_check(of_list, 0);
    if (NT_SUCCESS(status))
        status = wdf_attributes_check(of_memory, 0);
    if (NT_SUCCESS(status) && wdf_pool_is_paged(pool) && two_devices(of_list, of_memory))
        status = STATUS_INVALID_PARAMETER;
    return status;
}

static NTSTATUS fill_in(lookaside_t *list, PWDF_OBJECT_ATTRIBUTES memory_attributes, size_t bytes, POOL_TYPE pool, ULONG tag)
{
    list->has_attributes = memory_attributes != NULL;
    if (memory_attributes != NULL)
        list->memory_attributes = *memory_attributes;
    list->buffer_bytes = bytes;
    list->pool = pool;
    list->is_apart = wdf_pool_is_paged(pool) || bytes >= PAGE_SIZE;
    list->tag = tag != 0 ? tag : list->object.driver->globals.DriverTag;
    wdf_lock_bias(&list->list_lock);
    wdf_new_t memory = new_memory(list);
    if (!wdf_object_bytes(&memory, &list->block_bytes))
        return STATUS_INTEGER_OVERFLOW;
    if (wdf_pool_is_paged(pool))
        list->object.flags |= WDF_OBJECT_PASSIVE;
    return STATUS_SUCCESS;
}

NTSTATUS WdfLookasideListCreate(PWDF_OBJECT_ATTRIBUTES LookasideAttributes, size_t BufferSize, POOL_TYPE PoolType,
                                PWDF_OBJECT_ATTRIBUTES MemoryAttributes, ULONG PoolTag, WDFLOOKASIDE *Lookaside)
{
    lookaside_t *list;
    WDF_ENTER(wdf_pool_is_paged(PoolType) ? APC_LEVEL : DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Lookaside);
    *Lookaside = NULL;
    NTSTATUS status = check(LookasideAttributes, MemoryAttributes, BufferSize, PoolType);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &lookaside_type, .attributes = LookasideAttributes }, &list);
    if (!NT_SUCCESS(status))
        return status;
    status = fill_in(list, MemoryAttributes, BufferSize, PoolType, PoolTag);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(list, LookasideAttributes);
    if (NT_SUCCESS(status))
        *Lookaside = (WDFLOOKASIDE)list;
    else
        wdf_object_abandon(list);
    return status;
}
