/*
 * pnp_notify.c - who wants to be told of what happens to devices: interfaces that come and go, and the end of one device.
 *
 *     IoRegisterPlugPlayNotification ---> registered --- an event: `running` + 1, the callback, `running` - 1 ---.
 *                                             |  ^--------------------------------------------------------------'
 *                                             | IoUnregisterPlugPlayNotification
 *                                             v
 *                                          dead: freed by who comes last, the unregistering thread or one that runs the callback
 *
 * Locks       notify_lock (leaf) for the list and the counts; callbacks run with none held, on the thread that makes the event happen.
 * Source      WDK reference: wdm.h, IoRegisterPlugPlayNotification, IoUnregisterPlugPlayNotificationEx, IoReportTargetDeviceChange; "Using PnP
 *             device interface change notification", "... target device change notification".
 * Fidelity    Windows calls from a system thread, later; here it is at once. Hardware profiles never change. The driver object is not referenced.
 */
#include <string.h>

#include <initguid.h>
#include <wdmguid.h>

#include <ntmm/ntmm.h>

#include "ex/work_queue.h"
#include "io/device.h"
#include "io/file.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_NOTIFY NTMM_TAG("PnpN")
#define NOTIFICATION_VERSION 1

typedef struct registration {
    LIST_ENTRY                            link;
    IO_NOTIFICATION_EVENT_CATEGORY        category;
    GUID                                  class_guid; /* of interfaces */
    PFILE_OBJECT                          file;       /* target device: as registered, */
    PDEVICE_OBJECT                        bottom;     /* and the physical device below it, referenced */
    PDRIVER_NOTIFICATION_CALLBACK_ROUTINE callback;
    PVOID                                 context;
    ULONG                                 running; /* threads in the callback, or about to be */
    bool                                  dead, awaited;
    KEVENT                                idle; /* for who waits until nobody runs it */
} registration_t;

static ke_lock_t  notify_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY registrations; /* notify_lock; dead ones are not in it, unless somebody runs them */

void io_pnp_notifications_boot(void)
{
    ke_lock_init(&notify_lock, KE_RANK_LEAF);
    InitializeListHead(&registrations);
}

static void free_registration(registration_t *one)
{
    if (one->bottom != NULL)
        (void)ex_object_dereference("IoUnregisterPlugPlayNotification", one->bottom);
    ExFreePoolWithTag(one, TAG_NOTIFY);
}

/* ---- telling ---- */

typedef bool (*concerns_t)(const registration_t *one, const void *what);

/* The next one that the event concerns, held; `after` is let go. NULL: there is none. */
static registration_t *next_of(registration_t *after, concerns_t concerns, const void *what)
{
    registration_t *found = NULL;
    ke_lock(&notify_lock);
    for (PLIST_ENTRY at = after != NULL ? after->link.Flink : registrations.Flink; at != &registrations && found == NULL; at = at->Flink) {
        registration_t *one = CONTAINING_RECORD(at, registration_t, link);
        if (!one->dead && concerns(one, what))
            found = one;
    }
    if (found != NULL)
        found->running++;
    bool last = after != NULL && --after->running == 0 && after->dead, awaited = last && after->awaited;
    if (last)
        RemoveEntryList(&after->link);
    ke_unlock(&notify_lock);
    if (awaited)
        KeSetEvent(&after->idle, IO_NO_INCREMENT, FALSE);
    else if (last)
        free_registration(after);
    return found;
}

static bool wants_class(const registration_t *one, const void *class_guid)
{
    return one->category == EventCategoryDeviceInterfaceChange && IsEqualGUID(&one->class_guid, (const GUID *)class_guid);
}

static bool wants_device(const registration_t *one, const void *bottom)
{
    return one->category == EventCategoryTargetDeviceChange && one->bottom == bottom;
}

static NTSTATUS tell_of_interface(const registration_t *one, const GUID *event, const GUID *class_guid, PUNICODE_STRING name)
{
    DEVICE_INTERFACE_CHANGE_NOTIFICATION what = { .Version = NOTIFICATION_VERSION, .Size = sizeof what, .Event = *event };
    what.InterfaceClassGuid = *class_guid;
    what.SymbolicLinkName = name;
    return one->callback(&what, one->context);
}

void io_notify_interface(const GUID *event, const GUID *class_guid, PUNICODE_STRING name)
{
    for (registration_t *one = NULL; (one = next_of(one, wants_class, class_guid)) != NULL;)
        (void)tell_of_interface(one, event, class_guid, name);
}

NTSTATUS io_notify_target(PDEVICE_OBJECT bottom, const GUID *event, bool may_refuse)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (registration_t *one = NULL; (one = next_of(one, wants_device, bottom)) != NULL;) {
        TARGET_DEVICE_REMOVAL_NOTIFICATION what = { .Version = NOTIFICATION_VERSION, .Size = sizeof what, .Event = *event };
        what.FileObject = one->file;
        NTSTATUS answer = one->callback(&what, one->context);
        if (may_refuse && NT_SUCCESS(status))
            status = answer;
    }
    return status;
}

/* ---- registering ---- */

static void tell_existing(void *context, PUNICODE_STRING name)
{
    const registration_t *one = context;
    (void)tell_of_interface(one, &GUID_DEVICE_INTERFACE_ARRIVAL, &one->class_guid, name);
}

static NTSTATUS fill_in(registration_t *one, PVOID data)
{
    PDEVICE_OBJECT device;
    if (one->category == EventCategoryDeviceInterfaceChange)
        one->class_guid = *(const GUID *)data;
    if (one->category != EventCategoryTargetDeviceChange)
        return STATUS_SUCCESS;
    one->file = data;
    device = IoGetRelatedDeviceObject(one->file);
    one->bottom = device != NULL ? io_device_bottom(device) : NULL;
    return one->bottom != NULL ? STATUS_SUCCESS : STATUS_NO_SUCH_DEVICE;
}

static void let_in(registration_t *one)
{
    ke_lock(&notify_lock);
    InsertTailList(&registrations, &one->link);
    ke_unlock(&notify_lock);
}

NTSTATUS IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY EventCategory, ULONG EventCategoryFlags, PVOID EventCategoryData,
                                        PDRIVER_OBJECT DriverObject, PDRIVER_NOTIFICATION_CALLBACK_ROUTINE CallbackRoutine, PVOID Context,
                                        PVOID *NotificationEntry)
{
    (void)DriverObject;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *NotificationEntry = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (EventCategory <= EventCategoryReserved || EventCategory > EventCategoryTargetDeviceChange)
        return STATUS_INVALID_PARAMETER;
    if (EventCategoryData == NULL && EventCategory != EventCategoryHardwareProfileChange)
        return STATUS_INVALID_PARAMETER;
    registration_t *one = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *one, TAG_NOTIFY);
    if (one == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    one->category = EventCategory;
    one->callback = CallbackRoutine;
    one->context = Context;
    KeInitializeEvent(&one->idle, NotificationEvent, FALSE);
    NTSTATUS status = fill_in(one, EventCategoryData);
    if (!NT_SUCCESS(status)) {
        free_registration(one);
        return status;
    }
    *NotificationEntry = one;
    let_in(one);
    if (EventCategory == EventCategoryDeviceInterfaceChange &&
        (EventCategoryFlags & PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES) != 0)
        io_interfaces_visit(&one->class_guid, tell_existing, one);
    return STATUS_SUCCESS;
}

static NTSTATUS unregister(registration_t *one, bool wait)
{
    ke_lock(&notify_lock);
    bool runs = one->running != 0;
    one->dead = true;
    one->awaited = wait && runs;
    if (!runs)
        RemoveEntryList(&one->link);
    ke_unlock(&notify_lock);
    if (runs && wait)
        (void)KeWaitForSingleObject(&one->idle, Executive, KernelMode, FALSE, NULL);
    if (!runs || wait)
        free_registration(one);
    return STATUS_SUCCESS;
}

NTSTATUS IoUnregisterPlugPlayNotification(PVOID NotificationEntry)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ke_thread_ready(__func__) != NULL ? unregister(NotificationEntry, false) : STATUS_UNSUCCESSFUL;
}

NTSTATUS IoUnregisterPlugPlayNotificationEx(PVOID NotificationEntry)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ke_thread_ready(__func__) != NULL ? unregister(NotificationEntry, true) : STATUS_UNSUCCESSFUL;
}

/* ---- a driver's own events ---- */

typedef struct report {
    WORK_QUEUE_ITEM                   item;
    PDEVICE_OBJECT                    device; /* referenced */
    PDEVICE_CHANGE_COMPLETE_CALLBACK  done;
    PVOID                             context;
    TARGET_DEVICE_CUSTOM_NOTIFICATION what; /* and more bytes */
} report_t;

static bool may_report(const TARGET_DEVICE_CUSTOM_NOTIFICATION *what)
{
    const GUID *event = &what->Event;
    return what->Size >= FIELD_OFFSET(TARGET_DEVICE_CUSTOM_NOTIFICATION, CustomDataBuffer) && what->FileObject == NULL &&
           !IsEqualGUID(event, &GUID_TARGET_DEVICE_QUERY_REMOVE) && !IsEqualGUID(event, &GUID_TARGET_DEVICE_REMOVE_CANCELLED) &&
           !IsEqualGUID(event, &GUID_TARGET_DEVICE_REMOVE_COMPLETE);
}

static NTSTATUS make_report(const char *routine, PDEVICE_OBJECT device, const TARGET_DEVICE_CUSTOM_NOTIFICATION *what, report_t **report)
{
    *report = NULL;
    if (!may_report(what))
        return STATUS_INVALID_DEVICE_REQUEST;
    report_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh + what->Size, TAG_NOTIFY);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    (void)ex_object_reference(routine, device);
    fresh->device = device;
    memcpy(&fresh->what, what, what->Size);
    *report = fresh;
    return STATUS_SUCCESS;
}

static void deliver(report_t *report)
{
    for (registration_t *one = NULL; (one = next_of(one, wants_device, report->device)) != NULL;) {
        report->what.FileObject = one->file;
        (void)one->callback(&report->what, one->context);
    }
    if (report->done != NULL)
        report->done(report->context);
    (void)ex_object_dereference("IoReportTargetDeviceChange", report->device);
    ExFreePoolWithTag(report, TAG_NOTIFY);
}

static VOID deliver_later(PVOID report) { deliver(report); }

NTSTATUS IoReportTargetDeviceChange(PDEVICE_OBJECT PhysicalDeviceObject, PVOID NotificationStructure)
{
    report_t *report;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, PhysicalDeviceObject);
    NTSTATUS status = make_report(__func__, PhysicalDeviceObject, NotificationStructure, &report);
    if (NT_SUCCESS(status))
        deliver(report);
    return status;
}

NTSTATUS IoReportTargetDeviceChangeAsynchronous(PDEVICE_OBJECT PhysicalDeviceObject, PVOID NotificationStructure,
                                                PDEVICE_CHANGE_COMPLETE_CALLBACK Callback, PVOID Context)
{
    report_t *report;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, PhysicalDeviceObject);
    NTSTATUS status = make_report(__func__, PhysicalDeviceObject, NotificationStructure, &report);
    if (!NT_SUCCESS(status))
        return status;
    report->done = Callback;
    report->context = Context;
    ExInitializeWorkItem(&report->item, deliver_later, report);
    ex_work_queue(__func__, &report->item);
    return STATUS_PENDING;
}
