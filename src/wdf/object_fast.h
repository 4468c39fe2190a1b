/*
 * object_fast.h - the short way through the life of an object: what most objects have in common, without calls.
 *
 *     take a block -> fill in the header -> join the parent          handle -> claim -> leave the parent -> give the block back
 *
 * Whatever is out of the ordinary (no stock of blocks, a context, children, a reference, a callback) takes the way of object.c and object_life.c;
 * both do the same, step by step.
 */
#ifndef NTMM_WDF_OBJECT_FAST_H
#define NTMM_WDF_OBJECT_FAST_H

#include "ex/pool_fast.h"
#include "wdf/object.h"

/* ---- blocks of nonpaged pool ---- */

EX_ALWAYS_INLINE void *wdf_block_take(size_t bytes, ULONG tag)
{
    void *block = NTMM_LIKELY(bytes <= EX_BLOCK_MAX) ? ex_fast_take(ke_self(), MM_NONPAGED_NX, bytes, tag, false) : NULL;
    return NTMM_LIKELY(block != NULL) ? block : ExAllocatePoolWithTag(NonPagedPoolNx, bytes, tag);
}

EX_ALWAYS_INLINE void wdf_block_give(void *block, ULONG tag)
{
    unsigned unit = ex_unit_before(block);
    if (NTMM_UNLIKELY(unit >= EX_PAGE_UNITS || !ex_fast_in(MM_NONPAGED_NX, block) ||
                      !ex_fast_give_to(ke_self(), MM_NONPAGED_NX, block, unit, tag)))
        ExFreePoolWithTag(block, tag);
}

/* ---- the parent, which another thread may be deleting ---- */

static inline wdf_object_t *wdf_parent(const wdf_object_t *object) { return __atomic_load_n(&object->parent, __ATOMIC_ACQUIRE); }
static inline void          wdf_parent_set(wdf_object_t *object, wdf_object_t *parent)
{
    __atomic_store_n(&object->parent, parent, __ATOMIC_RELEASE);
}

/* ---- handles ---- */

/* Objects lie in nonpaged pool, which can be read; another address is asked about with more care. */
EX_ALWAYS_INLINE wdf_object_t *wdf_handle_at(const char *routine, const void *handle, const wdf_type_t *type)
{
    wdf_object_t *object = (wdf_object_t *)(uintptr_t)handle;
    if (NTMM_LIKELY(ex_fast_in(MM_NONPAGED_NX, handle) && (uintptr_t)handle % 16 == 0)) {
        bool fits = EX_GLANCE(object->mark) == (WDF_OBJECT_MARK ^ (uintptr_t)object);
        if (NTMM_LIKELY(fits && (type == NULL || object->type == type || object->type->base == type)))
            return object;
    }
    return wdf_from_handle(routine, handle, type);
}

/* ---- making one ---- */

EX_ALWAYS_INLINE uint8_t wdf_type_flags(const wdf_type_t *type)
{
    bool is_ordinary = type->options == 0 && type->dispose == NULL && type->destroy == NULL;
    return is_ordinary ? WDF_OBJECT_ORDINARY : (type->options & WDF_TYPE_PASSIVE_DISPOSE) != 0 ? WDF_OBJECT_PASSIVE : 0;
}

/* The header of an object without a context; the rest of its structure is the caller's. */
EX_ALWAYS_INLINE void wdf_object_place(wdf_object_t *object, const wdf_type_t *type, wdf_object_t *parent, wdf_driver_t *driver, ULONG tag)
{
    object->mark = WDF_OBJECT_MARK ^ (uintptr_t)object;
    object->type = type;
    object->lock = (wdf_lock_t){ 0 };
    atomic_init(&object->state, WDF_NEW);
    object->level = 0;
    object->scope = 0;
    object->flags = wdf_type_flags(type);
    atomic_init(&object->references, 1);
    object->tag = tag;
    object->parent = parent;
    object->children.Flink = object->children.Blink = &object->children;
    atomic_init(&object->contexts, NULL);
    object->driver = driver;
    object->tags = NULL;
}

/* The parent's lock is held, and it takes in children: it is not being deleted. */
EX_ALWAYS_INLINE bool wdf_is_parent(wdf_object_t *parent) { return atomic_load_explicit(&parent->state, memory_order_seq_cst) == WDF_LIVE; }
EX_ALWAYS_INLINE void wdf_object_link(wdf_object_t *object, wdf_object_t *parent)
{
    LIST_ENTRY *last = parent->children.Blink;
    object->siblings.Flink = &parent->children;
    atomic_signal_fence(memory_order_seq_cst); /* one word at a time: as a pair they would be read back late */
    object->siblings.Blink = last;
    last->Flink = &object->siblings;
    parent->children.Blink = &object->siblings;
    atomic_store_explicit(&object->state, WDF_LIVE, memory_order_release);
}

/* false: the parent is being deleted. */
EX_ALWAYS_INLINE bool wdf_object_join(wdf_object_t *object, wdf_object_t *parent)
{
    wdf_lock(&parent->lock);
    bool is_live = wdf_is_parent(parent);
    if (NTMM_LIKELY(is_live))
        wdf_object_link(object, parent);
    wdf_unlock(&parent->lock);
    return is_live;
}

/* Which claim its deletion needs depends on the parent. */
EX_ALWAYS_INLINE uint8_t wdf_flags_under(const wdf_object_t *parent)
{
    return (parent->type->options & WDF_TYPE_LONG_LIVED) != 0 ? WDF_OBJECT_UNDER : 0;
}

/* Without attributes, a child of its driver's WDFDRIVER, which is long-lived: placed, and filled in. */
EX_ALWAYS_INLINE void wdf_object_inherit(wdf_object_t *object, const wdf_object_t *parent)
{
    object->level = parent->level;
    object->scope = parent->scope;
    object->flags |= WDF_OBJECT_UNDER;
}

#endif
