/*
 * object_life.c - the end of a framework object: deleted by its driver or with its parent, cleaned up from the leaves to the root, destroyed
 * with its last reference.
 *
 *     wdf_object_delete
 *      |- claim_and_leave  it is deleted once: whoever makes it CLAIMED goes on; when the parent is being deleted, too, that one does the rest
 *      |- defer            above PASSIVE_LEVEL, and something in the tree needs that: a worker thread does the rest
 *      |- clean_up_tree    type->dispose, EvtCleanup: children first
 *      `- let_go_tree      creation references are given back, children first; those without another one are destroyed: EvtDestroy
 *
 * A parent that is CLAIMED takes in no child and lets none go, so its list is the business of the claimer alone, but for a child that another thread
 * has just claimed: that one looks at the parent next, and gives its claim back. So as long as somebody has a claim, the parent stays.
 *
 * A parent with many children has a lock that is cheap (lock.h), and a claim by an atomic exchange would cost more than all the rest. Its children
 * are claimed under that lock instead; what the parent pointer leads to stays meanwhile, because such a parent's block is freed only when nobody
 * is reading (ke_readers_wait).
 *
 * Why no lock to see that an object has no children: an adder of children locks the object and looks at its state then; a deleter changes the state
 * and looks at the lock then. Both are done in one order for all, so either the adder sees the claim, or the deleter sees the lock or the child.
 *
 * Locks       object->lock; the parent's. None while a callback runs.
 * Source      WDK reference: "Framework Object Life Cycle", EvtCleanupCallback, EvtDestroyCallback; Bug Check 0x10D; KMDF 1.33.
 */
#include "wdf/object_fast.h"

#include "ex/work_queue.h"
#include "wdf/tags.h"

#define DEFERRED_POLL_NS 50000u

/* ---- deferred: one list, one work item, of the machine ---- */

static struct {
    wdf_lock_t      lock;
    LIST_ENTRY      list;   /* of siblings: objects that are DEFERRED, or DISPOSED with their last reference gone */
    _Atomic bool    queued; /* the work item is, or runs; changed under lock */
    WORK_QUEUE_ITEM item;
} deferred;

static inline void destroy(wdf_object_t *object);
static void        delete_claimed(wdf_object_t *object);

static wdf_object_t *deferred_take(void)
{
    wdf_object_t *object = NULL;
    wdf_lock(&deferred.lock);
    if (!IsListEmpty(&deferred.list))
        object = CONTAINING_RECORD(RemoveHeadList(&deferred.list), wdf_object_t, siblings);
    else
        deferred.queued = false;
    wdf_unlock(&deferred.lock);
    return object;
}

static void deferred_serve(PVOID context)
{
    (void)context;
    for (wdf_object_t *object = deferred_take(); object != NULL; object = deferred_take())
        if (atomic_load(&object->state) == WDF_DISPOSED)
            destroy(object);
        else
            delete_claimed(object);
}

static void defer(wdf_object_t *object)
{
    wdf_lock(&deferred.lock);
    InsertTailList(&deferred.list, &object->siblings);
    bool first = !deferred.queued;
    deferred.queued = true;
    wdf_unlock(&deferred.lock);
    if (!first)
        return;
    ExInitializeWorkItem(&deferred.item, deferred_serve, NULL);
    ex_work_queue("WdfObjectDelete", &deferred.item);
}

void wdf_deferred_boot(void)
{
    deferred.lock = (wdf_lock_t){ 0 };
    deferred.queued = false;
    InitializeListHead(&deferred.list);
}

void wdf_deferred_flush(void)
{
    while (atomic_load(&deferred.queued)) {
        ke_wait_poll();
        host_sleep_ns(DEFERRED_POLL_NS);
    }
}

/* ---- the last reference ---- */

static void call(wdf_object_t *object, PFN_WDF_OBJECT_CONTEXT_CLEANUP callback)
{
    wdf_call_t call = wdf_call_begin(object->driver);
    callback(object);
    WDF_CALL_END(&call, callback);
}

static void call_cleanups(wdf_object_t *object)
{
    for (wdf_context_t *context = object->contexts; context != NULL; context = context->next) {
        PFN_WDF_OBJECT_CONTEXT_CLEANUP callback = context->cleanup;
        context->cleanup = NULL;
        if (callback != NULL)
            call(object, callback);
    }
}

static void call_destroys(wdf_object_t *object)
{
    for (wdf_context_t *context = object->contexts; context != NULL; context = context->next)
        if (context->destroy != NULL)
            call(object, context->destroy);
}

static void free_added_contexts(wdf_object_t *object)
{
    wdf_context_t *context = object->contexts, *next;
    if (context == NULL)
        return;
    bool is_inside = (object->flags & WDF_OBJECT_CONTEXT) != 0;
    for (; context != NULL; context = next, is_inside = false) {
        next = context->next;
        if (!is_inside)
            ExFreePoolWithTag(context, object->driver->globals.DriverTag);
    }
}

static inline void give_block(wdf_object_t *object)
{
    if (object->type->release != NULL)
        object->type->release(object);
    else
        wdf_block_give(object, object->tag);
}

static inline void free_block(wdf_object_t *object)
{
    __atomic_store_n(&object->mark, 0, __ATOMIC_RELAXED);
    if (NTMM_UNLIKELY((object->type->options & WDF_TYPE_LONG_LIVED) != 0))
        ke_readers_wait();
    give_block(object);
}

static inline void destroy(wdf_object_t *object)
{
    if (NTMM_UNLIKELY(object->contexts != NULL)) {
        call_destroys(object);
        free_added_contexts(object);
    }
    if (NTMM_UNLIKELY(object->tags != NULL))
        wdf_tags_destroy(object);
    if (object->type->destroy != NULL)
        object->type->destroy(object);
    free_block(object);
}

static inline bool must_wait(const wdf_object_t *object)
{
    return (object->flags & WDF_OBJECT_PASSIVE) != 0 && ke_self()->irql > PASSIVE_LEVEL;
}

static inline void last_reference_gone(wdf_object_t *object)
{
    if (must_wait(object))
        defer(object);
    else
        destroy(object);
}

/* ---- from the leaves to the root ---- */

static inline bool try_claim(wdf_object_t *object)
{
    uint8_t live = WDF_LIVE;
    return atomic_compare_exchange_strong(&object->state, &live, WDF_CLAIMED);
}

/* Another thread that has claimed the child will find out that its parent is claimed, too. */
static wdf_object_t *claim_next(wdf_object_t *parent, LIST_ENTRY *after)
{
    uint32_t turns = 0;
    for (;;) {
        wdf_lock(&parent->lock);
        wdf_object_t *next = after->Flink != &parent->children ? CONTAINING_RECORD(after->Flink, wdf_object_t, siblings) : NULL;
        bool          mine = next == NULL || try_claim(next);
        wdf_unlock(&parent->lock);
        if (mine)
            return next;
        wdf_lock_wait(&turns);
    }
}

static void clean_up(wdf_object_t *object)
{
    if (object->type->dispose != NULL)
        object->type->dispose(object);
    if (NTMM_UNLIKELY(object->contexts != NULL))
        call_cleanups(object);
    atomic_store_explicit(&object->state, WDF_DISPOSED, memory_order_release);
}

/* No adder of children is under way, and none will come: without a reference of its own it would have no handle to be sure of. */
static inline bool has_no_children(wdf_object_t *object)
{
    if (NTMM_UNLIKELY(atomic_load_explicit(&object->references, memory_order_relaxed) != 1))
        atomic_thread_fence(memory_order_seq_cst);
    return wdf_lock_is_free(&object->lock) && IsListEmpty(&object->children);
}

static void clean_up_tree(wdf_object_t *root)
{
    wdf_object_t *object = root, *next = has_no_children(root) ? NULL : claim_next(root, &root->children);
    for (;;) {
        if (next != NULL) { /* down */
            object = next;
            next = claim_next(object, &object->children);
            continue;
        }
        clean_up(object);
        if (object == root)
            return;
        wdf_object_t *parent = object->parent;
        next = claim_next(parent, &object->siblings); /* along, or up */
        object = parent;
    }
}

/* The reference that it was created with. */
static inline void let_go(wdf_object_t *object)
{
    __atomic_store_n(&object->flags, (uint8_t)(object->flags | WDF_OBJECT_DELETED), __ATOMIC_RELAXED); /* others may look */
    if (atomic_load_explicit(&object->references, memory_order_acquire) == 1 || atomic_fetch_sub(&object->references, 1) == 1)
        last_reference_gone(object);
}

static wdf_object_t *first_child(wdf_object_t *object)
{
    return IsListEmpty(&object->children) ? NULL : CONTAINING_RECORD(object->children.Flink, wdf_object_t, siblings);
}

static void let_go_tree(wdf_object_t *root)
{
    wdf_object_t *object = root;
    for (;;) {
        wdf_object_t *child = first_child(object);
        if (child != NULL) {
            object = child;
            continue;
        }
        wdf_object_t *parent = object->parent;
        bool          is_root = object == root;
        if (!is_root)
            RemoveEntryList(&object->siblings);
        wdf_parent_set(object, NULL);
        let_go(object);
        if (is_root)
            return;
        object = parent;
    }
}

/* ---- deleted ---- */

static inline void unlink(wdf_object_t *object)
{
    object->siblings.Flink->Blink = object->siblings.Blink;
    object->siblings.Blink->Flink = object->siblings.Flink;
    wdf_parent_set(object, NULL);
}

static inline bool is_live(const wdf_object_t *object) { return atomic_load_explicit(&object->state, memory_order_relaxed) == WDF_LIVE; }

/* It is claimed. false: so is the parent, and takes this one along. */
static bool leave_parent(wdf_object_t *object)
{
    wdf_object_t *parent = object->parent;
    if (parent == NULL)
        return true;
    wdf_lock(&parent->lock);
    bool stays = is_live(parent);
    if (stays)
        unlink(object);
    else
        atomic_store(&object->state, WDF_LIVE);
    wdf_unlock(&parent->lock);
    return stays;
}

/* The parent's lock is held. */
static inline bool claim_under(wdf_object_t *object, const wdf_object_t *parent)
{
    if (NTMM_UNLIKELY(wdf_parent(object) != parent || !is_live(object) || !is_live(parent)))
        return false;
    atomic_store_explicit(&object->state, WDF_CLAIMED, memory_order_relaxed);
    unlink(object);
    return true;
}

static inline bool claim_and_leave(wdf_object_t *object)
{
    if (NTMM_UNLIKELY((EX_GLANCE(object->flags) & WDF_OBJECT_UNDER) == 0))
        return try_claim(object) && leave_parent(object);
    bool mine = false;
    ke_reading_begin();
    wdf_object_t *parent = wdf_parent(object);
    if (NTMM_LIKELY(parent != NULL)) {
        wdf_lock(&parent->lock);
        mine = claim_under(object, parent);
        wdf_unlock(&parent->lock);
    }
    ke_reading_end();
    return mine;
}

static bool tree_is_passive(wdf_object_t *object)
{
    bool is_passive = (object->flags & WDF_OBJECT_PASSIVE) != 0;
    if (is_passive || has_no_children(object))
        return is_passive;
    wdf_lock(&object->lock);
    for (LIST_ENTRY *link = object->children.Flink; !is_passive && link != &object->children; link = link->Flink)
        is_passive = tree_is_passive(CONTAINING_RECORD(link, wdf_object_t, siblings));
    wdf_unlock(&object->lock);
    return is_passive;
}

/* It has left its parent. */
static NTMM_COLD void delete_claimed(wdf_object_t *object)
{
    clean_up_tree(object);
    let_go_tree(object);
}

/* Nothing to clean up, nobody to ask. */
static inline bool is_plain(wdf_object_t *object)
{
    return object->contexts == NULL && object->type->dispose == NULL && has_no_children(object);
}

static inline void delete_now(wdf_object_t *object)
{
    if (NTMM_LIKELY(is_plain(object))) {
        atomic_store_explicit(&object->state, WDF_DISPOSED, memory_order_release);
        let_go(object);
    } else {
        delete_claimed(object);
    }
}

static void delete_object(wdf_object_t *object)
{
    if (NTMM_UNLIKELY(!claim_and_leave(object)))
        return;
    if (NTMM_UNLIKELY(ke_self()->irql > PASSIVE_LEVEL) && tree_is_passive(object)) {
        atomic_store(&object->state, WDF_DEFERRED);
        defer(object);
    } else {
        delete_now(object);
    }
}

void wdf_object_delete(wdf_object_t *object) { delete_object(object); }

void wdf_object_forget_callbacks(wdf_object_t *object)
{
    for (wdf_context_t *context = object->contexts; context != NULL; context = context->next)
        context->cleanup = context->destroy = NULL;
}

/* Whatever it has got for children is its type's, and was abandoned or deleted by that. */
void wdf_object_abandon(void *made)
{
    wdf_object_t *object = made;
    wdf_object_forget_callbacks(object);
    object->parent = NULL;
    atomic_store(&object->state, WDF_CLAIMED);
    clean_up_tree(object);
    let_go_tree(object);
}

/* ---- references ---- */

void wdf_object_reference(wdf_object_t *object) { (void)atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed); }

void wdf_object_dereference(const char *routine, wdf_object_t *object)
{
    if (atomic_fetch_sub(&object->references, 1) != 1)
        return;
    if ((object->flags & WDF_OBJECT_DELETED) == 0)
        wdf_stop(routine, "The reference that the object was created with was given back; only WdfObjectDelete does that.",
                 WDF_OBJECT_ERROR, (ULONG_PTR)object, (ULONG_PTR)object);
    last_reference_gone(object);
}

/* ---- what drivers call ---- */

/* Alone with its creation reference: it can go at once. The parent's lock is held. */
static inline bool is_alone(wdf_object_t *object)
{
    return object->contexts == NULL && object->tags == NULL && atomic_load_explicit(&object->references, memory_order_acquire) == 1 &&
           IsListEmpty(&object->children) && wdf_lock_is_free(&object->lock);
}

/* An ordinary object under a long-lived parent whose lock is ours, as most are. false: nothing has been done. Nothing is called. */
static inline bool claim_ordinary(ke_thread_t *self, wdf_object_t *object)
{
    bool mine = false;
    atomic_store_explicit(&self->reading, 1, memory_order_relaxed);
    host_fence_light();
    wdf_object_t *parent = wdf_parent(object);
    if (NTMM_LIKELY(parent != NULL && wdf_lock_own(&parent->lock, self))) {
        mine = NTMM_LIKELY(is_alone(object)) && claim_under(object, parent);
        wdf_unlock_own(&parent->lock);
    }
    atomic_store_explicit(&self->reading, 0, memory_order_release);
    return mine;
}

/* Of a type without options, such as WDF_TYPE_LONG_LIVED. */
static inline void free_ordinary(wdf_object_t *object)
{
    __atomic_store_n(&object->mark, 0, __ATOMIC_RELAXED);
    give_block(object);
}

/* The machine is up, or there is no such region. */
static inline bool is_ordinary(const ke_thread_t *self, const void *handle)
{
    const wdf_object_t *object = handle;
    return self->irql <= DISPATCH_LEVEL && self->generation == ke_machine_generation && ex_fast_in(MM_NONPAGED_NX, handle) &&
           (uintptr_t)handle % 16 == 0 && EX_GLANCE(object->mark) == (WDF_OBJECT_MARK ^ (uintptr_t)handle) &&
           EX_GLANCE(object->flags) == (WDF_OBJECT_ORDINARY | WDF_OBJECT_UNDER);
}

static __attribute__((noinline)) void delete_checked(const char *routine, WDFOBJECT handle, ULONG_PTR caller)
{
    if (!wdf_thread_is_ready(routine))
        return;
    wdf_object_t *object = wdf_from_handle(routine, handle, NULL);
    KIRQL         limit = (object->type->options & WDF_TYPE_PASSIVE_DELETE) != 0 ? PASSIVE_LEVEL : DISPATCH_LEVEL;
    if (ke_self()->irql > limit)
        ke_irql_too_high(routine, 0, caller);
    if ((object->type->options & WDF_TYPE_NO_DELETE) != 0 || (EX_GLANCE(object->flags) & WDF_OBJECT_NO_DELETE) != 0)
        (void)ke_error(0, "%s: the %s %p is deleted by the framework alone", routine, object->type->name, (void *)object);
    else
        delete_object(object);
}

VOID WdfObjectDelete(WDFOBJECT Object)
{
    ke_thread_t *self = ke_self();
    if (NTMM_UNLIKELY(!is_ordinary(self, Object)) || NTMM_UNLIKELY(!claim_ordinary(self, Object)))
        delete_checked(__func__, Object, KE_CALLER());
    else
        free_ordinary(Object);
}

VOID WdfObjectReferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    WDF_REQUIRE(Handle);
    wdf_object_t *object = WDF_FROM(Handle, NULL);
    wdf_object_reference(object);
    if (Tag != NULL)
        wdf_tag_add(object, Tag, Line, File);
}

VOID WdfObjectDereferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File)
{
    (void)Line, (void)File;
    WDF_ENTER(DISPATCH_LEVEL, );
    WDF_REQUIRE(Handle);
    wdf_object_t *object = WDF_FROM(Handle, NULL);
    if (Tag != NULL)
        wdf_tag_remove(object, Tag);
    wdf_object_dereference(__func__, object);
}
