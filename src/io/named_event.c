/*
 * named_event.c - events that are found by name.
 *
 *     \KernelObjects\LowMemoryCondition ...   the machine's own, in mm/pressure.c: opened, never created
 *     any other name                          created by the first who asks: nonpaged pool, tag `Even`. The name goes with its last handle, the
 *                                             event when no driver refers to it either
 *
 * Locks       named_event_lock for the list and the counts of handles; pool is called without it. The driver's string is read once before, so
 *             that a bad one faults with nothing locked.
 * Source      WDK reference: wdm.h, IoCreateNotificationEvent, IoCreateSynchronizationEvent; "Standard event objects".
 * Fidelity    object_name.c.
 */
#include "io/named_event.h"

#include <ntddk.h>
#include <string.h>

#include "ex/handle.h"
#include "io/object_name.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"
#include "mm/pressure.h"

#define EVENT_TAG 0x6e657645u /* "Even" */

typedef struct named_event {   /* one without a name is in no list, and its handles are not counted */
    KEVENT              event; /* first: its address is what drivers get */
    struct named_event *next;
    ULONG               handles; /* and who is about to open one; while there are any, the name has a reference */
    USHORT              bytes;   /* of the name */
    WCHAR               name[];
} named_event_t;

static ke_lock_t      named_event_lock = KE_LOCK_INIT(KE_RANK_IO_EVENT);
static named_event_t *named_events;

/* ---- the machine's own ---- */

static PKEVENT standard_event(PCUNICODE_STRING name)
{
    static const char *const NAMES[MM_CONDITIONS] = {
        [MM_LOW_MEMORY] = IO_KERNEL_OBJECTS "LowMemoryCondition",
        [MM_HIGH_MEMORY] = IO_KERNEL_OBJECTS "HighMemoryCondition",
        [MM_LOW_NONPAGED] = IO_KERNEL_OBJECTS "LowNonPagedPoolCondition",
        [MM_HIGH_NONPAGED] = IO_KERNEL_OBJECTS "HighNonPagedPoolCondition",
        [MM_LOW_PAGED] = IO_KERNEL_OBJECTS "LowPagedPoolCondition",
        [MM_HIGH_PAGED] = IO_KERNEL_OBJECTS "HighPagedPoolCondition",
        [MM_LOW_COMMIT] = IO_KERNEL_OBJECTS "LowCommitCondition",
        [MM_HIGH_COMMIT] = IO_KERNEL_OBJECTS "HighCommitCondition",
        [MM_MAXIMUM_COMMIT] = IO_KERNEL_OBJECTS "MaximumCommitCondition",
    };
    for (mm_condition_t c = 0; c < MM_CONDITIONS; c++)
        if (strlen(NAMES[c]) == name->Length / sizeof(WCHAR) && io_name_begins_with(name, NAMES[c]))
            return mm_pressure_event(c);
    return NULL;
}

/* ---- events as objects ---- */

static void open_again(void *object);
static void close_named(void *object);

const ex_object_type_t io_event_type = {
    .name = "Event",
    .tag = EVENT_TAG,
    .all_access = EVENT_ALL_ACCESS,
    .generic_read = STANDARD_RIGHTS_READ | EVENT_QUERY_STATE,
    .generic_write = STANDARD_RIGHTS_WRITE | EVENT_MODIFY_STATE,
    .generic_execute = STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE,
    .opened = open_again,
    .closed = close_named,
};
static POBJECT_TYPE event_type_pointer = (POBJECT_TYPE)(uintptr_t)&io_event_type;
POBJECT_TYPE       *ExEventObjectType = &event_type_pointer;

static _Atomic int64_t standard_references[MM_CONDITIONS]; /* the events themselves stay */

static bool is_standard(const void *object) { return mm_pressure_condition_of(object) != MM_CONDITIONS; }

static int64_t reference_standard(void *object) { return atomic_fetch_add(&standard_references[mm_pressure_condition_of(object)], 1) + 1; }

static int64_t dereference_standard(void *object)
{
    _Atomic int64_t *references = &standard_references[mm_pressure_condition_of(object)];
    int64_t          count = atomic_load(references);
    do {
        if (count == 0)
            return -1;
    } while (!atomic_compare_exchange_weak(references, &count, count - 1));
    return count - 1;
}

void io_named_events_boot(void)
{
    static const ex_object_home_t standard = { &io_event_type, is_standard, reference_standard, dereference_standard };
    ke_lock_init(&named_event_lock, KE_RANK_IO_EVENT);
    named_events = NULL;
    for (mm_condition_t c = 0; c < MM_CONDITIONS; c++)
        atomic_store(&standard_references[c], 0);
    ex_object_home_add(&standard);
}

/* ---- created events ---- */

static named_event_t *find_locked(PCUNICODE_STRING name)
{
    named_event_t *event = named_events;
    while (event != NULL && !io_name_is(name, event->name, event->bytes))
        event = event->next;
    if (event != NULL)
        event->handles++;
    return event;
}

static named_event_t *find(PCUNICODE_STRING name)
{
    ke_lock(&named_event_lock);
    named_event_t *event = find_locked(name);
    ke_unlock(&named_event_lock);
    return event;
}

static named_event_t *create(PCUNICODE_STRING name, EVENT_TYPE type, BOOLEAN state, bool *existed)
{
    named_event_t *fresh = ex_object_create(&io_event_type, sizeof *fresh + name->Length), *event;
    *existed = false;
    if (fresh == NULL)
        return NULL;
    KeInitializeEvent(&fresh->event, type, state);
    fresh->handles = 1;
    fresh->bytes = name->Length;
    memcpy(fresh->name, name->Buffer, name->Length);
    ke_lock(&named_event_lock);
    event = find_locked(name); /* somebody was faster */
    if (event == NULL) {
        fresh->next = named_events;
        named_events = fresh;
    }
    ke_unlock(&named_event_lock);
    if (event == NULL)
        return fresh;
    (void)ex_object_dereference("IoCreateNotificationEvent", fresh);
    *existed = true;
    return event;
}

PKEVENT io_event_find(PCUNICODE_STRING name)
{
    PKEVENT standard = standard_event(name);
    return standard != NULL ? standard : (PKEVENT)(void *)find(name);
}

PKEVENT io_event_find_or_create(PCUNICODE_STRING name, EVENT_TYPE type, BOOLEAN state, bool *existed)
{
    PKEVENT event = io_event_find(name);
    *existed = event != NULL;
    return event != NULL ? event : (PKEVENT)(void *)create(name, type, state, existed);
}

PKEVENT io_event_create_unnamed(EVENT_TYPE type, BOOLEAN state)
{
    named_event_t *fresh = ex_object_create(&io_event_type, sizeof *fresh);
    if (fresh != NULL)
        KeInitializeEvent(&fresh->event, type, state);
    return fresh != NULL ? &fresh->event : NULL;
}

void io_event_not_opened(PKEVENT event) { close_named(event); }

/* Once the name has gone nobody counts any longer. */
static void open_again(void *object)
{
    if (is_standard(object))
        return;
    named_event_t *event = object;
    ke_lock(&named_event_lock);
    event->handles += event->handles != 0;
    ke_unlock(&named_event_lock);
}

/* A handle of it is closed, or could not be opened. Events of the machine's own come here, too. */
static void close_named(void *object)
{
    if (is_standard(object))
        return;
    named_event_t *event = object, **link = &named_events;
    ke_lock(&named_event_lock);
    bool last = event->handles == 1;
    event->handles -= event->handles != 0;
    if (last) {
        while (*link != event)
            link = &(*link)->next;
        *link = event->next;
    }
    ke_unlock(&named_event_lock);
    if (last)
        (void)ex_object_dereference("ZwClose", event); /* the name's */
}

/* ---- opening ---- */

static PKEVENT open_event(PCUNICODE_STRING name, EVENT_TYPE type, PHANDLE handle)
{
    if (!io_name_is_possible(name))
        return NULL;
    bool    existed;
    PKEVENT event = io_event_find_or_create(name, type, TRUE, &existed);
    if (event == NULL)
        return NULL;
    if (NT_SUCCESS(ex_handle_open(event, EVENT_ALL_ACCESS, OBJ_KERNEL_HANDLE, handle)))
        return event;
    close_named(event);
    return NULL;
}

static PKEVENT create_or_open(const char *routine, PCUNICODE_STRING name, EVENT_TYPE type, PHANDLE handle)
{
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return NULL;
    *handle = NULL;
    PKEVENT event = open_event(name, type, handle);
    ke_thread_leave(self);
    return event;
}

PKEVENT IoCreateNotificationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return create_or_open(__func__, EventName, NotificationEvent, EventHandle);
}

PKEVENT IoCreateSynchronizationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return create_or_open(__func__, EventName, SynchronizationEvent, EventHandle);
}
