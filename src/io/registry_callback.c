/*
 * registry_callback.c - registry filters: who is registered, and how each operation asks and tells them.
 *
 *     io_registry_begin --> filters from the highest altitude down, each is held until its post
 *          one says no   --> it is let go of, nobody below is asked; the operation is not done
 *     io_registry_end   --> those that were asked and let it pass, from the lowest up
 *
 * Locks       filters_lock (leaf) for the list, the counts and the contexts of key objects; drivers' routines run with none held.
 * Source      WDK reference: wdm.h, CmRegisterCallbackEx, EX_CALLBACK_FUNCTION, CmSetCallbackObjectContext; "Handling Notifications",
 *             "Supporting Layered Registry Filtering Drivers", "Specifying Context Information".
 * Fidelity    only Zw routines and closing are operations. That filters above one that says no get their post: choice. At most 32 filters.
 */
#include "io/registry_callback.h"

#include <string.h>

#include "ex/altitude.h"
#include "io/registry.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_FILTER NTMM_TAG("CmCb")
#define TAG_CONTEXT NTMM_TAG("CmCx")
#define POLL_NS 100000u
#define VERSION_MAJOR 1
#define VERSION_MINOR 1

typedef struct filter {
    LIST_ENTRY            link;
    PEX_CALLBACK_FUNCTION function;
    PVOID                 context;
    LONGLONG              cookie;
    uint32_t              held;     /* operations that it was asked about, and calls that run; 1 more while it is registered */
    const void           *runner;   /* the thread that runs it, of several the last: a routine may unregister itself */
    UNICODE_STRING        altitude; /* Length 0: below all others */
    WCHAR                 altitude_text[];
} filter_t;

typedef struct object_context {
    LIST_ENTRY  link;
    filter_t   *filter;
    const void *object;
    PVOID       context;
} object_context_t;

static ke_lock_t        filters_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY       filters; /* highest first */
static LIST_ENTRY       contexts;
static _Atomic uint32_t filter_count;
static LONGLONG         last_cookie;

void io_registry_callbacks_boot(void)
{
    ke_lock_init(&filters_lock, KE_RANK_LEAF);
    InitializeListHead(&filters);
    InitializeListHead(&contexts);
    atomic_store(&filter_count, 0);
}

/* ---- who is there ---- */

static filter_t *find_locked(LONGLONG cookie)
{
    for (PLIST_ENTRY at = filters.Flink; at != &filters; at = at->Flink)
        if (CONTAINING_RECORD(at, filter_t, link)->cookie == cookie)
            return CONTAINING_RECORD(at, filter_t, link);
    return NULL;
}

static void let_go(filter_t *filter)
{
    ke_lock(&filters_lock);
    bool last = --filter->held == 0;
    ke_unlock(&filters_lock);
    if (last)
        ExFreePoolWithTag(filter, TAG_FILTER);
}

static PVOID context_locked(const filter_t *filter, const void *object)
{
    for (PLIST_ENTRY at = contexts.Flink; at != &contexts; at = at->Flink) {
        const object_context_t *one = CONTAINING_RECORD(at, object_context_t, link);
        if (one->filter == filter && one->object == object)
            return one->context;
    }
    return NULL;
}

/* The filter at that place of the list, held; or the first one below `after`. NULL: there is none. */
static filter_t *next_held(filter_t *after)
{
    ke_lock(&filters_lock);
    PLIST_ENTRY at = after == NULL ? filters.Flink : after->link.Flink;
    filter_t   *next = at != &filters && at != NULL ? CONTAINING_RECORD(at, filter_t, link) : NULL;
    if (next != NULL)
        next->held++;
    ke_unlock(&filters_lock);
    return next;
}

/* ---- asking and telling ---- */

static NTSTATUS run(filter_t *filter, REG_NOTIFY_CLASS what, void *information)
{
    uint8_t depth = ke_thread_step_out();
    ke_lock(&filters_lock);
    const void *outer = filter->runner; /* a filter that uses the registry itself */
    filter->runner = ke_self();
    ke_unlock(&filters_lock);
    NTSTATUS status = filter->function(filter->context, (PVOID)(ULONG_PTR)what, information);
    ke_lock(&filters_lock);
    filter->runner = outer;
    ke_unlock(&filters_lock);
    ke_thread_step_in(depth);
    return status;
}

static PVOID context_of(const filter_t *filter, const void *object)
{
    ke_lock(&filters_lock);
    PVOID context = context_locked(filter, object);
    ke_unlock(&filters_lock);
    return context;
}

static bool decide(io_registry_call_t *call, NTSTATUS status)
{
    call->is_decided = true;
    call->decision = status == STATUS_CALLBACK_BYPASS ? STATUS_SUCCESS : status;
    return false;
}

bool io_registry_begin(io_registry_call_t *call, REG_NOTIFY_CLASS what)
{
    if (atomic_load(&filter_count) == 0)
        return true;
    for (filter_t *filter = next_held(NULL); filter != NULL; filter = next_held(filter)) {
        *call->call_context = NULL;
        *call->object_context = context_of(filter, call->object);
        NTSTATUS status = run(filter, what, call->information);
        if (!NT_SUCCESS(status)) {
            let_go(filter);
            return decide(call, status);
        }
        call->contexts[call->count] = *call->call_context;
        call->asked[call->count++] = filter;
    }
    return true;
}

NTSTATUS io_registry_end(io_registry_call_t *call, REG_NOTIFY_CLASS what, void *result, NTSTATUS status)
{
    if (call->is_decided)
        status = call->decision;
    while (call->count > 0) {
        filter_t                      *filter = call->asked[--call->count];
        REG_POST_OPERATION_INFORMATION post = {
            .Object = result, .Status = status, .PreInformation = call->information, .ReturnStatus = status
        };
        post.CallContext = call->contexts[call->count];
        post.ObjectContext = context_of(filter, call->object);
        if (run(filter, what, &post) == STATUS_CALLBACK_BYPASS)
            status = post.ReturnStatus;
        let_go(filter);
    }
    return status;
}

/* ---- contexts of key objects ---- */

static object_context_t *take_context(const filter_t *filter, const void *object)
{
    object_context_t *found = NULL;
    ke_lock(&filters_lock);
    for (PLIST_ENTRY at = contexts.Flink; at != &contexts && found == NULL; at = at->Flink) {
        object_context_t *one = CONTAINING_RECORD(at, object_context_t, link);
        if ((filter != NULL && one->filter == filter) || (object != NULL && one->object == object))
            found = one;
    }
    if (found != NULL)
        RemoveEntryList(&found->link);
    ke_unlock(&filters_lock);
    return found;
}

/* Each context has a reference on its filter. */
static void clean_up(const filter_t *filter, const void *object)
{
    for (object_context_t *one = take_context(filter, object); one != NULL; one = take_context(filter, object)) {
        REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION information = { .Object = (PVOID)(uintptr_t)one->object, .ObjectContext = one->context };
        (void)run(one->filter, RegNtCallbackObjectContextCleanup, &information);
        let_go(one->filter);
        ExFreePoolWithTag(one, TAG_CONTEXT);
    }
}

void io_registry_object_closed(const void *object) { clean_up(NULL, object); }

static bool is_key_object(const void *object) { return object != NULL && ex_object_type_of(object) == &io_key_type; }

/* The one that is there already gets the new value; else `fresh` is put in. */
static bool set_context_locked(filter_t *filter, object_context_t *fresh, PVOID *old)
{
    for (PLIST_ENTRY at = contexts.Flink; at != &contexts; at = at->Flink) {
        object_context_t *one = CONTAINING_RECORD(at, object_context_t, link);
        if (one->filter != filter || one->object != fresh->object)
            continue;
        *old = one->context;
        one->context = fresh->context;
        return false;
    }
    fresh->filter = filter;
    filter->held++;
    InsertTailList(&contexts, &fresh->link);
    return true;
}

NTSTATUS CmSetCallbackObjectContext(PVOID Object, PLARGE_INTEGER Cookie, PVOID NewContext, PVOID *OldContext)
{
    PVOID old = NULL;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!is_key_object(Object))
        return STATUS_INVALID_PARAMETER;
    object_context_t *fresh = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *fresh, TAG_CONTEXT);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *fresh = (object_context_t){ .object = Object, .context = NewContext };
    ke_lock(&filters_lock);
    filter_t *filter = find_locked(Cookie->QuadPart);
    bool      is_used = filter != NULL && set_context_locked(filter, fresh, &old);
    ke_unlock(&filters_lock);
    if (!is_used)
        ExFreePoolWithTag(fresh, TAG_CONTEXT);
    if (OldContext != NULL)
        *OldContext = old;
    return filter != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* ---- registering ---- */

static NTSTATUS insert(filter_t *fresh)
{
    NTSTATUS status = STATUS_SUCCESS;
    int      order = -1;
    ke_lock(&filters_lock);
    PLIST_ENTRY at = filters.Flink;
    for (; at != &filters && fresh->altitude.Length != 0; at = at->Flink) {
        const filter_t *other = CONTAINING_RECORD(at, filter_t, link);
        order = other->altitude.Length == 0 ? 1 : ex_altitude_compare(&fresh->altitude, &other->altitude);
        if (order >= 0)
            break;
    }
    if (fresh->altitude.Length == 0)
        at = &filters;
    if (at != &filters && order == 0)
        status = STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
    else if (atomic_load(&filter_count) == IO_REGISTRY_FILTERS)
        status = STATUS_INSUFFICIENT_RESOURCES;
    else {
        InsertTailList(at, &fresh->link);
        fresh->cookie = ++last_cookie;
        atomic_fetch_add(&filter_count, 1);
    }
    ke_unlock(&filters_lock);
    return status;
}

static NTSTATUS enlist(PEX_CALLBACK_FUNCTION function, PCUNICODE_STRING altitude, PVOID context, PLARGE_INTEGER cookie)
{
    filter_t *fresh = ExAllocatePoolZero(NonPagedPoolNx, sizeof *fresh + altitude->Length, TAG_FILTER);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->function = function;
    fresh->context = context;
    fresh->held = 1;
    fresh->altitude = (UNICODE_STRING){ altitude->Length, altitude->Length, fresh->altitude_text };
    if (altitude->Length != 0)
        memcpy(fresh->altitude_text, altitude->Buffer, altitude->Length);
    NTSTATUS status = insert(fresh);
    if (NT_SUCCESS(status))
        cookie->QuadPart = fresh->cookie;
    else
        ExFreePoolWithTag(fresh, TAG_FILTER);
    return status;
}

static bool is_altitude(PCUNICODE_STRING altitude)
{
    size_t points = 0, characters = altitude != NULL ? altitude->Length / sizeof(WCHAR) : 0;
    for (size_t i = 0; i < characters; i++) {
        WCHAR c = altitude->Buffer[i];
        points += c == '.';
        if (c != '.' && (c < '0' || c > '9'))
            return false;
    }
    return characters != 0 && points <= 1;
}

NTSTATUS CmRegisterCallbackEx(PEX_CALLBACK_FUNCTION Function, PCUNICODE_STRING Altitude, PVOID Driver, PVOID Context, PLARGE_INTEGER Cookie,
                              PVOID Reserved)
{
    (void)Driver;
    (void)Reserved;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return is_altitude(Altitude) ? enlist(Function, Altitude, Context, Cookie) : STATUS_INVALID_PARAMETER;
}

NTSTATUS CmRegisterCallback(PEX_CALLBACK_FUNCTION Function, PVOID Context, PLARGE_INTEGER Cookie)
{
    static const UNICODE_STRING lowest = { 0 };
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return enlist(Function, &lowest, Context, Cookie);
}

/* Nobody else runs it, and no other operation will tell it more. */
static bool is_quiet(const filter_t *filter)
{
    ke_lock(&filters_lock);
    bool quiet = filter->held == 1 || (filter->held == 2 && filter->runner == ke_self());
    ke_unlock(&filters_lock);
    return quiet;
}

NTSTATUS CmUnRegisterCallback(LARGE_INTEGER Cookie)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_lock(&filters_lock);
    filter_t *filter = find_locked(Cookie.QuadPart);
    if (filter != NULL) {
        RemoveEntryList(&filter->link);
        filter->link.Flink = NULL; /* whoever goes down the list ends here */
        atomic_fetch_sub(&filter_count, 1);
    }
    ke_unlock(&filters_lock);
    if (filter == NULL)
        return STATUS_INVALID_PARAMETER;
    clean_up(filter, NULL);
    while (!is_quiet(filter)) {
        ke_wait_poll();
        host_sleep_ns(POLL_NS);
    }
    let_go(filter);
    return STATUS_SUCCESS;
}

VOID CmGetCallbackVersion(PULONG Major, PULONG Minor)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (Major != NULL)
        *Major = VERSION_MAJOR;
    if (Minor != NULL)
        *Minor = VERSION_MINOR;
}

/* ---- what a key object is of ---- */

static bool is_registered(const LARGE_INTEGER *cookie)
{
    ke_lock(&filters_lock);
    bool there = cookie != NULL && find_locked(cookie->QuadPart) != NULL;
    ke_unlock(&filters_lock);
    return there;
}

NTSTATUS CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID, PCUNICODE_STRING *ObjectName, ULONG Flags)
{
    NTSTATUS status = STATUS_SUCCESS;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (Flags != 0 || !is_registered(Cookie) || !is_key_object(Object))
        return STATUS_INVALID_PARAMETER;
    if (ObjectName != NULL)
        status = io_key_object_name(Object, ObjectName);
    if (ObjectID != NULL && NT_SUCCESS(status))
        *ObjectID = (ULONG_PTR)((const io_key_object_t *)Object)->key;
    return status;
}

VOID CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING ObjectName)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    io_key_object_name_free(ObjectName);
}

NTSTATUS CmCallbackGetKeyObjectID(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID, PCUNICODE_STRING *ObjectName)
{
    PCUNICODE_STRING name = NULL;
    NTSTATUS         status = CmCallbackGetKeyObjectIDEx(Cookie, Object, ObjectID, ObjectName != NULL ? &name : NULL, 0);
    if (NT_SUCCESS(status) && ObjectName != NULL)
        *ObjectName = io_key_object_keep_name(Object, name);
    return status;
}
