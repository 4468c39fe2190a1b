/*
 * object_life.c - the end of a framework object: deleted by its driver or with its parent, cleaned up from the leaves to the root, destroyed
 * with its last reference.
 *
 *     wdf_object_delete
 *      |- claim            it is deleted once: whoever makes it CLAIMED goes on
 *      |- leave_parent     or, when the parent is being deleted, too: that one does the rest
 *      |- defer            above PASSIVE_LEVEL, and something in the tree needs that: a worker thread does the rest
 *      |- clean_up_tree    type->dispose, EvtCleanup: children first
 *      `- let_go_tree      creation references are given back, children first; those without another one are destroyed: EvtDestroy
 *
 * A parent that is CLAIMED takes in no child and lets none go, so its list is the business of the claimer alone, but for a child that another thread
 * has just claimed: that one looks at the parent next, and gives its claim back.
 *
 * Why no lock for a claim: an adder of children locks the object and looks at its state then; a deleter changes the state and looks at the lock
 * then. Both are done in one order for all, so either the adder sees the claim, or the deleter sees the lock or the child.
 *
 * Locks       object->lock; the parent's. None while a callback runs.
 * Source      WDK reference: "Framework Object Life Cycle", EvtCleanupCallback, EvtDestroyCallback; Bug Check 0x10D; KMDF 1.33.
 */
#include "wdf/object.h"

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

static void destroy(wdf_object_t *object);
static void delete_claimed(wdf_object_t *object);

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
    deferred.lock.word = 0;
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

static void free_block(wdf_object_t *object)
{
    object->mark = 0;
    if (object->type->release != NULL)
        object->type->release(object);
    else
        ExFreePoolWithTag(object, object->tag);
}

static void destroy(wdf_object_t *object)
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

static bool must_wait(const wdf_object_t *object) { return (object->flags & WDF_OBJECT_PASSIVE) != 0 && ke_self()->irql > PASSIVE_LEVEL; }

static void last_reference_gone(wdf_object_t *object)
{
    if (must_wait(object))
        defer(object);
    else
        destroy(object);
}

/* ---- from the leaves to the root ---- */

static bool try_claim(wdf_object_t *object)
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

/* No adder of children is under way, and none will come. */
static bool has_no_children(wdf_object_t *object) { return atomic_load(&object->lock.word) == 0 && IsListEmpty(&object->children); }

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
static void let_go(wdf_object_t *object)
{
    object->flags |= WDF_OBJECT_DELETED;
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
        object->parent = NULL;
        let_go(object);
        if (is_root)
            return;
        object = parent;
    }
}

/* ---- deleted ---- */

/* false: the parent is claimed, and takes this one along. */
static bool leave_parent(wdf_object_t *object)
{
    wdf_object_t *parent = object->parent;
    if (parent == NULL)
        return true;
    wdf_lock(&parent->lock);
    bool stays = atomic_load_explicit(&parent->state, memory_order_relaxed) == WDF_LIVE;
    if (stays) {
        object->siblings.Flink->Blink = object->siblings.Blink;
        object->siblings.Blink->Flink = object->siblings.Flink;
        object->parent = NULL;
    } else {
        atomic_store(&object->state, WDF_LIVE);
    }
    wdf_unlock(&parent->lock);
    return stays;
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
static void delete_claimed(wdf_object_t *object)
{
    clean_up_tree(object);
    let_go_tree(object);
}

void wdf_object_delete(wdf_object_t *object)
{
    if (!try_claim(object) || !leave_parent(object))
        return;
    if (NTMM_UNLIKELY(ke_self()->irql > PASSIVE_LEVEL) && tree_is_passive(object)) {
        atomic_store(&object->state, WDF_DEFERRED);
        defer(object);
    } else {
        delete_claimed(object);
    }
}

/* Whatever it has got for children is its type's, and was abandoned or deleted by that. */
void wdf_object_abandon(void *made)
{
    wdf_object_t  *object = made;
    wdf_context_t *context = object->contexts;
    if (context != NULL)
        context->cleanup = context->destroy = NULL;
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

VOID WdfObjectDelete(WDFOBJECT Object)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_object_t *object = WDF_FROM(Object, NULL);
    if (NTMM_UNLIKELY((object->type->options & WDF_TYPE_PASSIVE_DELETE) != 0))
        KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (NTMM_UNLIKELY((object->type->options & WDF_TYPE_NO_DELETE) != 0 || (object->flags & WDF_OBJECT_NO_DELETE) != 0))
        (void)ke_error(0, "WdfObjectDelete: the %s %p is deleted by the framework alone", object->type->name, (void *)object);
    else
        wdf_object_delete(object);
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
