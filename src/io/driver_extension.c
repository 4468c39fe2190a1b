/*
 * driver_extension.c - what a driver hangs on its driver object: data of its own, and routines for later.
 *
 *     IoAllocateDriverObjectExtension       by an address that nobody else uses; goes with the driver object
 *     IoRegisterDriverReinitialization      called once, when DriverEntry has succeeded; it may register itself again, for the next driver's load
 *     IoRegisterShutdownNotification        IRP_MJ_SHUTDOWN for a device, when the test says that the system shuts down
 *
 * Locks       lists_lock (leaf) for all three lists; pool and drivers are called without it.
 * Source      WDK reference: wdm.h, IoAllocateDriverObjectExtension, IoGetDriverObjectExtension, IoRegisterShutdownNotification; ntddk.h,
 *             IoRegisterDriverReinitialization, IoRegisterBootDriverReinitialization.
 * Fidelity    all drivers count as loaded after the boot drivers. ntmm_shutdown is the end of the machine, and tells no driver.
 */
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/object.h"
#include "io/driver.h"
#include "io/irp.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_EXTENSION NTMM_TAG("IoDx")
#define TAG_LATER NTMM_TAG("IoRi")
#define TAG_SHUTDOWN NTMM_TAG("IoSh")

typedef struct extension {
    LIST_ENTRY     link;
    PDRIVER_OBJECT driver;
    PVOID          id;
    _Alignas(16) unsigned char data[];
} extension_t;

typedef struct later {
    LIST_ENTRY           link;
    PDRIVER_OBJECT       driver;
    PDRIVER_REINITIALIZE routine;
    PVOID                context;
} later_t;

typedef struct notice {
    LIST_ENTRY     link;
    PDEVICE_OBJECT device; /* referenced */
} notice_t;

static ke_lock_t  lists_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY extensions, laters, notices; /* lists_lock */

void io_drivers_boot(void)
{
    ke_lock_init(&lists_lock, KE_RANK_LEAF);
    InitializeListHead(&extensions);
    InitializeListHead(&laters);
    InitializeListHead(&notices);
}

/* ---- extensions ---- */

static extension_t *find_locked(PDRIVER_OBJECT driver, const void *id)
{
    for (PLIST_ENTRY at = extensions.Flink; at != &extensions; at = at->Flink) {
        extension_t *one = CONTAINING_RECORD(at, extension_t, link);
        if (one->driver == driver && one->id == id)
            return one;
    }
    return NULL;
}

NTSTATUS IoAllocateDriverObjectExtension(PDRIVER_OBJECT DriverObject, PVOID ClientIdentificationAddress, ULONG DriverObjectExtensionSize,
                                         PVOID *DriverObjectExtension)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    *DriverObjectExtension = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    extension_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh + (SIZE_T)DriverObjectExtensionSize, TAG_EXTENSION);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->driver = DriverObject;
    fresh->id = ClientIdentificationAddress;
    ke_lock(&lists_lock);
    bool taken = find_locked(DriverObject, ClientIdentificationAddress) != NULL;
    if (!taken)
        InsertTailList(&extensions, &fresh->link);
    ke_unlock(&lists_lock);
    if (taken)
        ExFreePoolWithTag(fresh, TAG_EXTENSION);
    else
        *DriverObjectExtension = fresh->data;
    return taken ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
}

PVOID IoGetDriverObjectExtension(PDRIVER_OBJECT DriverObject, PVOID ClientIdentificationAddress)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    ke_lock(&lists_lock);
    extension_t *found = find_locked(DriverObject, ClientIdentificationAddress);
    ke_unlock(&lists_lock);
    return found != NULL ? found->data : NULL;
}

static extension_t *take_extension(PDRIVER_OBJECT driver)
{
    extension_t *taken = NULL;
    ke_lock(&lists_lock);
    for (PLIST_ENTRY at = extensions.Flink; at != &extensions && taken == NULL; at = at->Flink)
        if (CONTAINING_RECORD(at, extension_t, link)->driver == driver)
            taken = CONTAINING_RECORD(at, extension_t, link);
    if (taken != NULL)
        RemoveEntryList(&taken->link);
    ke_unlock(&lists_lock);
    return taken;
}

/* ---- routines for later ---- */

static void register_later(PDRIVER_OBJECT driver, PDRIVER_REINITIALIZE routine, PVOID context)
{
    later_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, TAG_LATER);
    if (fresh == NULL) /* the routine of Windows says nothing either */
        return;
    *fresh = (later_t){ .driver = driver, .routine = routine, .context = context };
    ke_lock(&lists_lock);
    InsertTailList(&laters, &fresh->link);
    ke_unlock(&lists_lock);
}

VOID IoRegisterDriverReinitialization(PDRIVER_OBJECT DriverObject, PDRIVER_REINITIALIZE DriverReinitializationRoutine, PVOID Context)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) != NULL)
        register_later(DriverObject, DriverReinitializationRoutine, Context);
}

VOID IoRegisterBootDriverReinitialization(PDRIVER_OBJECT DriverObject, PDRIVER_REINITIALIZE DriverReinitializationRoutine, PVOID Context)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) != NULL)
        register_later(DriverObject, DriverReinitializationRoutine, Context);
}

/* driver NULL: of any. */
static later_t *take_later(PLIST_ENTRY list, const DRIVER_OBJECT *driver)
{
    later_t *taken = NULL;
    ke_lock(&lists_lock);
    for (PLIST_ENTRY at = list->Flink; at != list && taken == NULL; at = at->Flink)
        if (driver == NULL || CONTAINING_RECORD(at, later_t, link)->driver == driver)
            taken = CONTAINING_RECORD(at, later_t, link);
    if (taken != NULL)
        RemoveEntryList(&taken->link);
    ke_unlock(&lists_lock);
    return taken;
}

/* Those that are registered now. */
void io_driver_reinitialize(void)
{
    LIST_ENTRY now;
    InitializeListHead(&now);
    ke_lock(&lists_lock);
    while (!IsListEmpty(&laters))
        InsertTailList(&now, RemoveHeadList(&laters));
    ke_unlock(&lists_lock);
    for (later_t *one; (one = take_later(&now, NULL)) != NULL;) {
        const later_t call = *one;
        ExFreePoolWithTag(one, TAG_LATER);
        call.routine(call.driver, call.context, ++call.driver->DriverExtension->Count);
    }
}

void io_driver_forget(PDRIVER_OBJECT driver)
{
    for (extension_t *one; (one = take_extension(driver)) != NULL;)
        ExFreePoolWithTag(one, TAG_EXTENSION);
    for (later_t *one; (one = take_later(&laters, driver)) != NULL;)
        ExFreePoolWithTag(one, TAG_LATER);
}

/* ---- the shutdown of the system ---- */

NTSTATUS IoRegisterShutdownNotification(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    notice_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, TAG_SHUTDOWN);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->device = DeviceObject;
    ObReferenceObject(DeviceObject);
    DeviceObject->Flags |= DO_SHUTDOWN_REGISTERED;
    ke_lock(&lists_lock);
    InsertHeadList(&notices, &fresh->link); /* who came last is told first */
    ke_unlock(&lists_lock);
    return STATUS_SUCCESS;
}

NTSTATUS IoRegisterLastChanceShutdownNotification(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = IoRegisterShutdownNotification(DeviceObject);
    if (!NT_SUCCESS(status))
        return status;
    ke_lock(&lists_lock); /* behind all others */
    InsertTailList(&notices, RemoveHeadList(&notices));
    ke_unlock(&lists_lock);
    return STATUS_SUCCESS;
}

/* device NULL: the first. */
static notice_t *take_notice(const DEVICE_OBJECT *device)
{
    notice_t *taken = NULL;
    ke_lock(&lists_lock);
    for (PLIST_ENTRY at = notices.Flink; at != &notices && taken == NULL; at = at->Flink)
        if (device == NULL || CONTAINING_RECORD(at, notice_t, link)->device == device)
            taken = CONTAINING_RECORD(at, notice_t, link);
    if (taken != NULL)
        RemoveEntryList(&taken->link);
    ke_unlock(&lists_lock);
    return taken;
}

static void end_notice(notice_t *one)
{
    ObDereferenceObject(one->device);
    ExFreePoolWithTag(one, TAG_SHUTDOWN);
}

VOID IoUnregisterShutdownNotification(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    for (notice_t *one; (one = take_notice(DeviceObject)) != NULL;)
        end_notice(one);
    DeviceObject->Flags &= ~(ULONG)DO_SHUTDOWN_REGISTERED;
}

static void tell_of_shutdown(PDEVICE_OBJECT device)
{
    PDEVICE_OBJECT top = IoGetAttachedDevice(device);
    PIRP           irp = IoAllocateIrp(top->StackSize, FALSE);
    if (irp == NULL)
        return;
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_SHUTDOWN;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    (void)io_irp_send(top, irp);
    IoFreeIrp(irp);
}

size_t ntmm_system_shutdown(void)
{
    size_t told = 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return 0;
    for (notice_t *one; (one = take_notice(NULL)) != NULL; told++) {
        tell_of_shutdown(one->device);
        end_notice(one);
    }
    return told;
}
