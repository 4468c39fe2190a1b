/*
 * callback.c - callback objects: found by name, and called one after the other.
 *
 *     all objects --next--> object: name, registrations --next--> function, context, calls that are under way
 *
 * A registration has a reference of its object. It stays in the list while it is being called, and who takes it out waits for that to end.
 *
 * Locks       callbacks_lock (leaf) for the lists; nothing is called while it is held. The driver's name is copied before.
 * Source      WDK reference: wdm.h, "Callback Objects", ExCreateCallback and its companions.
 * Fidelity    names have no directories: \Callback\X is a name like any other. The system's own objects are never notified by the system.
 */
#include <string.h>

#include <ntddk.h>

#include "ex/ex.h"
#include "ex/object.h"
#include "ke/bugcheck.h"

#define TAG_CALLBACK NTMM_TAG("Call")
#define TAG_REGISTRATION NTMM_TAG("CbRg")
#define RUNNING_TURN_NS 50000u

typedef struct registration {
    struct registration     *next;
    struct _CALLBACK_OBJECT *object;
    PCALLBACK_FUNCTION       function;
    PVOID                    context;
    uint32_t                 running;
} registration_t;

typedef struct _CALLBACK_OBJECT {
    struct _CALLBACK_OBJECT *next;
    registration_t          *registrations;
    bool                     allows_many, is_listed;
    USHORT                   bytes; /* of the name; 0: none */
    WCHAR                    name[];
} callback_t;

static ke_lock_t   callbacks_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static callback_t *callbacks;

static void unlist(void *object)
{
    callback_t *callback = object;
    ke_lock(&callbacks_lock);
    for (callback_t **link = &callbacks; callback->is_listed && *link != NULL; link = &(*link)->next)
        if (*link == callback) {
            *link = callback->next;
            break;
        }
    ke_unlock(&callbacks_lock);
}

static const ex_object_type_t callback_type = {
    .name = "Callback", .tag = TAG_CALLBACK, .all_access = STANDARD_RIGHTS_ALL, .deleted = unlist
};

void ex_callbacks_boot(void)
{
    ke_lock_init(&callbacks_lock, KE_RANK_LEAF);
    callbacks = NULL;
}

/* ---- by name ---- */

static bool is_same(const callback_t *a, const callback_t *b)
{
    if (a->bytes != b->bytes)
        return false;
    for (size_t i = 0; i < a->bytes / sizeof(WCHAR); i++) {
        WCHAR x = a->name[i], y = b->name[i];
        if (x != y && ((x | 0x20) != (y | 0x20) || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
            return false;
    }
    return true;
}

static bool is_of_system(const callback_t *callback)
{
    static const char *const NAMES[] = { "\\Callback\\PowerState", "\\Callback\\SetSystemTime", "\\Callback\\ProcessorAdd" };
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(NAMES); i++) {
        size_t at = 0, length = callback->bytes / sizeof(WCHAR);
        while (at < length && NAMES[i][at] != '\0' && callback->name[at] == (WCHAR)NAMES[i][at])
            at++;
        if (at == length && NAMES[i][at] == '\0')
            return true;
    }
    return false;
}

/* The one of that name, with a reference; NULL: there is none, and `fresh` is listed if it shall be. */
static callback_t *find_or_list(callback_t *fresh, bool list)
{
    ke_lock(&callbacks_lock);
    callback_t *found = callbacks;
    while (found != NULL && !(is_same(found, fresh) && ex_object_try_reference(found) >= 0))
        found = found->next;
    if (found == NULL && list) {
        fresh->next = callbacks;
        fresh->is_listed = true;
        callbacks = fresh;
    }
    ke_unlock(&callbacks_lock);
    return found;
}

static callback_t *make(const UNICODE_STRING *name)
{
    USHORT      bytes = name != NULL ? name->Length : 0;
    callback_t *callback = ex_object_create(&callback_type, sizeof *callback + bytes);
    if (callback == NULL)
        return NULL;
    callback->bytes = bytes;
    if (bytes != 0)
        memcpy(callback->name, name->Buffer, bytes);
    return callback;
}

static NTSTATUS create_named(callback_t *fresh, bool create, PCALLBACK_OBJECT *out)
{
    bool        may_list = create || is_of_system(fresh);
    callback_t *found = find_or_list(fresh, may_list);
    *out = found != NULL ? found : may_list ? fresh : NULL;
    if (*out != fresh)
        (void)ex_object_dereference("ExCreateCallback", fresh);
    return *out != NULL ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS ExCreateCallback(PCALLBACK_OBJECT *CallbackObject, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN Create,
                          BOOLEAN AllowMultipleCallbacks)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *CallbackObject = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    const UNICODE_STRING *name = ObjectAttributes != NULL ? ObjectAttributes->ObjectName : NULL;
    if (name == NULL && !Create)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    callback_t *fresh = make(name);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->allows_many = AllowMultipleCallbacks || is_of_system(fresh);
    if (name != NULL)
        return create_named(fresh, Create != FALSE, CallbackObject);
    *CallbackObject = fresh;
    return STATUS_SUCCESS;
}

/* ---- registrations ---- */

/* At the end, so that they are called in order. false: it allows no more. */
static bool append(callback_t *callback, registration_t *registration)
{
    ke_lock(&callbacks_lock);
    registration_t **link = &callback->registrations;
    bool             allowed = *link == NULL || callback->allows_many;
    while (*link != NULL)
        link = &(*link)->next;
    if (allowed)
        *link = registration;
    ke_unlock(&callbacks_lock);
    return allowed;
}

PVOID ExRegisterCallback(PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    registration_t *registration = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *registration, TAG_REGISTRATION);
    if (registration == NULL)
        return NULL;
    *registration = (registration_t){ .object = CallbackObject, .function = CallbackFunction, .context = CallbackContext };
    if (append(CallbackObject, registration)) {
        (void)ex_object_reference(__func__, CallbackObject);
        return registration;
    }
    ExFreePoolWithTag(registration, TAG_REGISTRATION);
    return NULL;
}

/* false: it is being called now. */
static bool take_out(registration_t *registration)
{
    ke_lock(&callbacks_lock);
    bool idle = registration->running == 0;
    for (registration_t **link = &registration->object->registrations; idle && *link != NULL; link = &(*link)->next)
        if (*link == registration) {
            *link = registration->next;
            break;
        }
    ke_unlock(&callbacks_lock);
    return idle;
}

VOID ExUnregisterCallback(PVOID CallbackRegistration)
{
    registration_t *registration = CallbackRegistration;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    while (!take_out(registration)) {
        ke_wait_poll();
        host_sleep_ns(RUNNING_TURN_NS);
    }
    (void)ex_object_dereference(__func__, registration->object);
    ExFreePoolWithTag(registration, TAG_REGISTRATION);
}

/* The one after `last`, which is not being called any more; the first, when that is NULL. It is being called now. */
static registration_t *next_to_call(callback_t *callback, registration_t *last)
{
    ke_lock(&callbacks_lock);
    registration_t *next = last != NULL ? last->next : callback->registrations;
    if (next != NULL)
        next->running++;
    if (last != NULL)
        last->running--;
    ke_unlock(&callbacks_lock);
    return next;
}

VOID ExNotifyCallback(PVOID CallbackObject, PVOID Argument1, PVOID Argument2)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    for (registration_t *each = next_to_call(CallbackObject, NULL); each != NULL; each = next_to_call(CallbackObject, each))
        each->function(each->context, Argument1, Argument2);
}
