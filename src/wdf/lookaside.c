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

typedef struct from_lookaside from_lookaside_t;

typedef struct lookaside {
    wdf_object_t          object;
    wdf_lock_t            list_lock;
    from_lookaside_t     *free;    /* (list_lock) linked by siblings.Flink */
    uint32_t              depth;   /* (list_lock) blocks there */
    uint32_t              limit;   /* (list_lock) how many may be */
    bool                  is_gone; /* (list_lock) its last reference is */
    uint64_t              out;     /* (list_lock) objects that are not there */
    WDF_OBJECT_ATTRIBUTES memory_attributes;
    bool                  has_attributes;
    bool                  is_ordinary; /* nonpaged, and without attributes */
    size_t                buffer_bytes, block_bytes;
    POOL_TYPE             pool;
    ULONG                 tag;
    bool                  is_apart; /* buffers are blocks of their own */
    uint8_t               flags;    /* of each object: enum wdf_object_flags */
} lookaside_t;

/* On the list it stays what it was, but for its mark. */
struct from_lookaside {
    wdf_memory_t memory;
    lookaside_t *list;
    uint64_t     unused;
};

static const wdf_type_t lookaside_type;

/* ---- blocks ---- */

static void block_free(const lookaside_t *list, from_lookaside_t *block)
{
    if (list->is_apart)
        ExFreePoolWithTag(block->memory.buffer, list->tag);
    ExFreePoolWithTag(block, list->tag);
}

static POOL_TYPE pool_of_block(const lookaside_t *list) { return list->is_apart ? NonPagedPoolNx : list->pool; }

static from_lookaside_t *block_make(const lookaside_t *list)
{
    from_lookaside_t *block = ExAllocatePoolWithTag(pool_of_block(list), list->block_bytes, list->tag);
    if (block == NULL)
        return NULL;
    block->memory.buffer = list->is_apart ? ExAllocatePoolWithTag(list->pool, list->buffer_bytes, list->tag) : block + 1;
    if (block->memory.buffer != NULL)
        return block;
    ExFreePoolWithTag(block, list->tag);
    return NULL;
}

static from_lookaside_t *next_of(const from_lookaside_t *block) { return (from_lookaside_t *)(void *)block->memory.object.siblings.Flink; }

/* There is a block on the list, and no armed failure wants to see every allocation. */
static inline bool can_pop_locked(const lookaside_t *list)
{
    return list->free != NULL && !atomic_load_explicit(&ke_inject_caches_off, memory_order_relaxed);
}

static inline from_lookaside_t *block_pop_locked(lookaside_t *list)
{
    from_lookaside_t *block = list->free;
    list->free = next_of(block);
    list->depth--;
    list->out++;
    return block;
}

/* NULL: none; one more is out all the same. */
static from_lookaside_t *block_pop(lookaside_t *list)
{
    from_lookaside_t *block = NULL;
    wdf_lock(&list->list_lock);
    if (can_pop_locked(list))
        block = block_pop_locked(list);
    else
        list->out++;
    wdf_unlock(&list->list_lock);
    return block;
}

static NTMM_COLD void list_free(lookaside_t *list)
{
    for (from_lookaside_t *block = list->free, *next; block != NULL; block = next) {
        next = next_of(block);
        block_free(list, block);
    }
    ExFreePoolWithTag(list, list->object.tag);
}

/* It is not kept; the last one that a list which is gone has waited for takes it along. */
static NTMM_COLD void block_drop(lookaside_t *list, from_lookaside_t *block)
{
    wdf_lock(&list->list_lock);
    bool is_last = --list->out == 0 && list->is_gone;
    wdf_unlock(&list->list_lock);
    if (block != NULL)
        block_free(list, block);
    if (is_last)
        list_free(list);
}

static inline void block_push(lookaside_t *list, from_lookaside_t *block)
{
    wdf_lock(&list->list_lock);
    bool is_kept = list->depth < list->limit;
    if (NTMM_LIKELY(is_kept)) {
        block->memory.object.siblings.Flink = (LIST_ENTRY *)(void *)list->free;
        list->free = block;
        list->depth++;
        list->out--;
    }
    wdf_unlock(&list->list_lock);
    if (NTMM_UNLIKELY(!is_kept))
        block_drop(list, block);
}

/* ---- objects that come from it ---- */

static void memory_release(wdf_object_t *object)
{
    from_lookaside_t *memory = (from_lookaside_t *)object;
    block_push(memory->list, memory);
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

static NTSTATUS commit(from_lookaside_t *memory, NTSTATUS status, WDFMEMORY *handle)
{
    if (NTMM_LIKELY(NT_SUCCESS(status)))
        *handle = (WDFMEMORY)memory;
    else
        wdf_object_abandon(memory);
    return status;
}

/* An object without attributes, in a block that has been one before: what its life has changed becomes what it was. */
static inline void memory_revive(const lookaside_t *list, from_lookaside_t *memory, wdf_object_t *parent)
{
    wdf_object_t *object = &memory->memory.object;
    object->mark = WDF_OBJECT_MARK ^ (uintptr_t)object;
    object->flags = list->flags | WDF_OBJECT_UNDER;
    atomic_store_explicit(&object->references, 1, memory_order_relaxed);
    object->parent = parent;
    memory->memory.mdl = NULL;
    wdf_object_link(object, parent);
}

static NTSTATUS memory_make(lookaside_t *list, from_lookaside_t *block, WDFMEMORY *handle)
{
    from_lookaside_t *made;
    wdf_new_t         new_one = new_memory(list);
    void             *buffer = block->memory.buffer;
    new_one.block = block;
    new_one.parent = list->object.driver->object;
    NTSTATUS status = wdf_object_new(&new_one, &made);
    if (!NT_SUCCESS(status)) {
        block_push(list, block);
        return status;
    }
    made->list = list;
    made->memory.bytes = list->buffer_bytes;
    made->memory.buffer = buffer;
    made->memory.object.flags |= list->flags;
    return commit(made, wdf_object_commit(made, new_one.attributes), handle);
}

/* An empty list: a block of the pool. */
static NTMM_COLD NTSTATUS create_slowly(lookaside_t *list, WDFMEMORY *handle)
{
    from_lookaside_t *block = block_make(list);
    if (block != NULL)
        return memory_make(list, block, handle);
    block_drop(list, NULL);
    return STATUS_INSUFFICIENT_RESOURCES;
}

static __attribute__((noinline)) NTSTATUS create_checked(const char *routine, WDFLOOKASIDE handle, WDFMEMORY *memory, ULONG_PTR caller)
{
    if (!wdf_thread_is_ready(routine))
        return STATUS_UNSUCCESSFUL;
    lookaside_t *list = (lookaside_t *)wdf_from_handle(routine, handle, &lookaside_type);
    if (ke_self()->irql > ((list->flags & WDF_OBJECT_PASSIVE) != 0 ? APC_LEVEL : DISPATCH_LEVEL))
        ke_irql_too_high(routine, 0, caller);
    if (memory == NULL)
        wdf_stop_null(routine, caller);
    *memory = NULL;
    from_lookaside_t *block = block_pop(list);
    return block != NULL ? memory_make(list, block, memory) : create_slowly(list, memory);
}

/* Nonpaged objects without attributes. The machine is up, or there is no such region. */
static inline bool is_ordinary(const ke_thread_t *self, const void *handle)
{
    const lookaside_t *list = handle;
    return self->irql <= DISPATCH_LEVEL && self->generation == ke_machine_generation && ex_fast_in(MM_NONPAGED_NX, handle) &&
           (uintptr_t)handle % 16 == 0 && EX_GLANCE(list->object.mark) == (WDF_OBJECT_MARK ^ (uintptr_t)handle) &&
           list->object.type == &lookaside_type && list->is_ordinary;
}

/* Where both locks are ours and a block is on the list. NULL: nothing has been done. Nothing is called. */
static inline from_lookaside_t *create_ordinary(const ke_thread_t *self, lookaside_t *list)
{
    wdf_object_t     *parent = list->object.driver->object;
    from_lookaside_t *block = NULL;
    if (NTMM_UNLIKELY(!wdf_lock_own(&parent->lock, self)))
        return NULL;
    if (NTMM_LIKELY(wdf_is_parent(parent) && wdf_lock_own(&list->list_lock, self))) {
        if (NTMM_LIKELY(can_pop_locked(list))) {
            block = block_pop_locked(list);
            memory_revive(list, block, parent);
        }
        wdf_unlock_own(&list->list_lock);
    }
    wdf_unlock_own(&parent->lock);
    return block;
}

NTSTATUS WdfMemoryCreateFromLookaside(WDFLOOKASIDE Lookaside, WDFMEMORY *Memory)
{
    from_lookaside_t *made = NULL;
    if (NTMM_LIKELY(Memory != NULL && is_ordinary(ke_self(), Lookaside)))
        made = create_ordinary(ke_self(), (lookaside_t *)(void *)Lookaside);
    if (NTMM_UNLIKELY(made == NULL))
        return create_checked(__func__, Lookaside, Memory, KE_CALLER());
    *Memory = (WDFMEMORY)made;
    return STATUS_SUCCESS;
}

/* ---- the list ---- */

/* Its block stays as long as an object is out. */
static void lookaside_release(wdf_object_t *object)
{
    lookaside_t *list = (lookaside_t *)object;
    wdf_lock(&list->list_lock);
    list->is_gone = true;
    list->limit = 0;
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
    list->limit = ex_tools_on ? 0 : DEPTH_MAX; /* AddressSanitizer and memcheck want to see every free */
    wdf_lock_bias(&list->list_lock);
    wdf_new_t memory = new_memory(list);
    if (!wdf_object_bytes(&memory, &list->block_bytes))
        return STATUS_INTEGER_OVERFLOW;
    list->flags = wdf_type_flags(&memory_type);
    list->is_ordinary = memory_attributes == NULL && !wdf_pool_is_paged(pool);
    if (wdf_pool_is_paged(pool)) {
        list->flags |= WDF_OBJECT_PASSIVE;
        list->object.flags |= WDF_OBJECT_PASSIVE;
    }
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
