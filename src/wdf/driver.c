/*
 * driver.c - drivers come and go: WdfDriverCreate, and the DriverUnload that the framework puts into the DRIVER_OBJECT.
 *
 *     free record --WdfDriverCreate--> in use, its WDFDRIVER is the root of a tree --DriverUnload--> EvtDriverUnload, the tree is deleted, free
 *
 * A DriverEntry that fails after WdfDriverCreate leaves a driver that will never be unloaded: its tree is deleted then, as by the code that is
 * linked into every framework driver on Windows.
 *
 * Locks       drivers_lock (leaf): which records are in use.
 * Source      WDK reference: wdfdriver.h, WdfDriverCreate, EvtDriverUnload; KMDF 1.33 (the tag made of the name; what is checked first).
 * Fidelity    no companions, no miniport-style unload override; objects that outlive their driver show as leaks.
 */
#include <string.h>

#include "io/driver_hook.h"
#include "ke/lock.h"
#include "wdf/device.h"
#include "wdf/driver_object.h"

#define DRIVERS_MAX 64u
#define TAG_NO_NAME NTMM_TAG("FxDr")
#define TAG_NOT_MEANT NTMM_TAG("Ddk ") /* what tools of the kit put there */

static wdf_driver_t drivers[DRIVERS_MAX];
static uint64_t     created; /* drivers_lock */
static ke_lock_t    drivers_lock = KE_LOCK_INIT(KE_RANK_LEAF);

/* ---- records ---- */

static void find_newest_locked(void)
{
    wdf_driver_t *newest = NULL;
    for (size_t i = 0; i < DRIVERS_MAX; i++)
        if (drivers[i].object != NULL && (newest == NULL || drivers[i].number > newest->number))
            newest = &drivers[i];
    atomic_store(&wdf_newest, newest);
}

static wdf_driver_t *find_locked(const DRIVER_OBJECT *wdm)
{
    for (size_t i = 0; i < DRIVERS_MAX; i++)
        if (drivers[i].wdm == wdm)
            return &drivers[i];
    return NULL;
}

wdf_driver_t *wdf_driver_of(const DRIVER_OBJECT *wdm)
{
    ke_lock(&drivers_lock);
    wdf_driver_t *driver = find_locked(wdm);
    ke_unlock(&drivers_lock);
    return driver;
}

/* The one that was used longest ago; STATUS_DRIVER_INTERNAL_ERROR: that DRIVER_OBJECT has one. */
static NTSTATUS record_take(PDRIVER_OBJECT wdm, wdf_driver_t **taken)
{
    ke_lock(&drivers_lock);
    NTSTATUS status = find_locked(wdm) != NULL ? STATUS_DRIVER_INTERNAL_ERROR : STATUS_INSUFFICIENT_RESOURCES;
    *taken = NULL;
    for (size_t i = 0; i < DRIVERS_MAX && status != STATUS_DRIVER_INTERNAL_ERROR; i++)
        if (drivers[i].wdm == NULL && (*taken == NULL || drivers[i].number < (*taken)->number))
            *taken = &drivers[i];
    if (*taken != NULL) {
        **taken = (wdf_driver_t){ .number = ++created, .generation = ke_machine_generation, .wdm = wdm };
        status = STATUS_SUCCESS;
    }
    ke_unlock(&drivers_lock);
    return status;
}

static void record_use(wdf_driver_t *driver, wdf_object_t *object)
{
    ke_lock(&drivers_lock);
    driver->object = object;
    find_newest_locked();
    ke_unlock(&drivers_lock);
}

static void record_give_back(wdf_driver_t *driver)
{
    ke_lock(&drivers_lock);
    driver->object = NULL;
    driver->wdm = NULL;
    driver->globals.Driver = NULL;
    find_newest_locked();
    ke_unlock(&drivers_lock);
}

static void abandoned(PDRIVER_OBJECT wdm);

void wdf_boot(void)
{
    ke_lock_init(&drivers_lock, KE_RANK_LEAF);
    memset(drivers, 0, sizeof drivers);
    created = 0;
    atomic_store(&wdf_newest, NULL);
    wdf_deferred_boot();
    io_driver_abandoned_hook = abandoned;
}

/* ---- name and tag ---- */

static void take_name(WDF_DRIVER_GLOBALS *globals, PCUNICODE_STRING path)
{
    size_t end = path->Length / sizeof(WCHAR), begin = end, most = sizeof globals->DriverName - 1;
    while (begin > 0 && path->Buffer[begin - 1] != L'\\')
        begin--;
    if (begin == 0) { /* not a path */
        memcpy(globals->DriverName, "WDF", 4);
        return;
    }
    for (size_t i = 0; i < most && begin + i < end; i++)
        globals->DriverName[i] = (CHAR)path->Buffer[begin + i];
}

static bool begins_with_wdf(const char *name) { return (name[0] | 32) == 'w' && (name[1] | 32) == 'd' && (name[2] | 32) == 'f'; }

static ULONG tag_of_name(const char *name)
{
    ULONG tag = 0;
    if (begins_with_wdf(name))
        name += 3;
    size_t length = strlen(name);
    if (length <= 2)
        return TAG_NO_NAME;
    memcpy(&tag, name, length < sizeof tag ? length : sizeof tag);
    return tag;
}

static void fill_globals(WDF_DRIVER_GLOBALS *globals, PCUNICODE_STRING path, const WDF_DRIVER_CONFIG *config)
{
    const ULONG special = WdfDriverInitNoDispatchOverride | WdfDriverInitNonPnpDriver;
    take_name(globals, path);
    globals->DriverFlags = config->DriverInitFlags;
    globals->DriverTag =
        config->DriverPoolTag != 0 && config->DriverPoolTag != TAG_NOT_MEANT ? config->DriverPoolTag : tag_of_name(globals->DriverName);
    globals->DisplaceDriverUnload = (config->DriverInitFlags & special) == 0 || config->EvtDriverUnload != NULL;
}

/* ---- unload ---- */

/* Devices that the PnP manager has not removed, and control devices. */
static void retire_devices(const DRIVER_OBJECT *wdm)
{
    for (PDEVICE_OBJECT device = wdm->DeviceObject; device != NULL; device = device->NextDevice)
        wdf_device_retire(wdf_device_of(device));
}

static void delete_tree(wdf_driver_t *driver)
{
    wdf_deferred_flush();
    if ((driver->globals.DriverFlags & WdfDriverInitNoDispatchOverride) == 0)
        retire_devices(driver->wdm);
    wdf_object_delete(driver->object);
    wdf_deferred_flush();
    record_give_back(driver);
}

static VOID unload(PDRIVER_OBJECT wdm)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    wdf_driver_t *driver = wdf_driver_of(wdm);
    if (driver == NULL || driver->object == NULL)
        return;
    PFN_WDF_DRIVER_UNLOAD callback = ((wdf_driver_object_t *)driver->object)->config.EvtDriverUnload;
    if (callback != NULL) {
        wdf_call_t call = wdf_call_begin(driver);
        callback((WDFDRIVER)driver->object);
        WDF_CALL_END(&call, callback);
    }
    delete_tree(driver);
}

/* Its DriverEntry has failed. */
static void abandoned(PDRIVER_OBJECT wdm)
{
    wdf_driver_t *driver = wdf_driver_of(wdm);
    if (driver != NULL && driver->object != NULL)
        delete_tree(driver);
}

/* ---- the WDFDRIVER ---- */

static void driver_destroy(wdf_object_t *object)
{
    wdf_driver_object_t *driver = (wdf_driver_object_t *)object;
    if (driver->path.Buffer != NULL)
        ExFreePoolWithTag(driver->path.Buffer, object->driver->globals.DriverTag);
}

const wdf_type_t wdf_driver_type = {
    .name = "WDFDRIVER",
    .number = WDF_NUMBER_DRIVER,
    .bytes = sizeof(wdf_driver_object_t),
    .options = WDF_TYPE_NO_DELETE | WDF_TYPE_PASSIVE_DISPOSE | WDF_TYPE_LONG_LIVED,
    .destroy = driver_destroy,
};

static bool is_string(PCUNICODE_STRING text)
{
    return (text->Length & 1) == 0 && (text->MaximumLength & 1) == 0 && text->Length <= text->MaximumLength &&
           (text->MaximumLength == 0 || text->Buffer != NULL);
}

static NTSTATUS check(PCUNICODE_STRING path, PWDF_OBJECT_ATTRIBUTES attributes, const WDF_DRIVER_CONFIG *config)
{
    const ULONG known = WdfDriverInitNonPnpDriver | WdfDriverInitNoDispatchOverride | WdfDriverInitCompanion;
    bool        has_devices = config->EvtDriverDeviceAdd != NULL && (config->DriverInitFlags & WdfDriverInitNoDispatchOverride) == 0;
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if ((config->DriverInitFlags & ~known) != 0 || !is_string(path) ||
        ((config->DriverInitFlags & WdfDriverInitNonPnpDriver) != 0 && has_devices))
        return STATUS_INVALID_PARAMETER;
    return wdf_attributes_check(attributes, WDF_ATTRIBUTES_NO_PARENT | WDF_ATTRIBUTES_LEVEL | WDF_ATTRIBUTES_SCOPE);
}

static NTSTATUS copy_path(wdf_driver_object_t *driver, PCUNICODE_STRING path)
{
    SIZE_T bytes = (SIZE_T)path->Length + sizeof(WCHAR);
    driver->path.Buffer = ExAllocatePool2(POOL_FLAG_PAGED, bytes, driver->object.driver->globals.DriverTag);
    if (driver->path.Buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(driver->path.Buffer, path->Buffer, path->Length);
    driver->path.Length = path->Length;
    driver->path.MaximumLength = (USHORT)bytes;
    return STATUS_SUCCESS;
}

static NTSTATUS make(wdf_driver_t *record, PCUNICODE_STRING path, PWDF_OBJECT_ATTRIBUTES attributes, const WDF_DRIVER_CONFIG *config,
                     wdf_driver_object_t **made)
{
    NTSTATUS status = wdf_object_new(&(wdf_new_t){ .type = &wdf_driver_type, .attributes = attributes, .root_of = record }, made);
    if (!NT_SUCCESS(status))
        return status;
    (*made)->config = *config;
    status = copy_path(*made, path);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(*made, attributes);
    if (!NT_SUCCESS(status))
        wdf_object_abandon(*made);
    return status;
}

static void fill_in(PDRIVER_OBJECT wdm, const WDF_DRIVER_CONFIG *config)
{
    bool has_devices = (config->DriverInitFlags & WdfDriverInitNonPnpDriver) == 0;
    if ((config->DriverInitFlags & WdfDriverInitNoDispatchOverride) != 0)
        return;
    if (wdm->DriverExtension != NULL)
        wdm->DriverExtension->AddDevice = has_devices ? wdf_add_device : NULL;
    for (size_t i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        wdm->MajorFunction[i] = wdf_dispatch;
    wdm->DriverUnload = has_devices || config->EvtDriverUnload != NULL ? unload : NULL;
}

NTSTATUS WdfDriverCreate(PDRIVER_OBJECT DriverObject, PCUNICODE_STRING RegistryPath, PWDF_OBJECT_ATTRIBUTES DriverAttributes,
                         PWDF_DRIVER_CONFIG DriverConfig, WDFDRIVER *Driver)
{
    wdf_driver_t        *record;
    wdf_driver_object_t *made;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DriverObject);
    WDF_REQUIRE(RegistryPath);
    WDF_REQUIRE(DriverConfig);
    if (Driver != NULL)
        *Driver = NULL;
    NTSTATUS status = check(RegistryPath, DriverAttributes, DriverConfig);
    if (NT_SUCCESS(status))
        status = record_take(DriverObject, &record);
    if (!NT_SUCCESS(status))
        return status;
    fill_globals(&record->globals, RegistryPath, DriverConfig);
    status = make(record, RegistryPath, DriverAttributes, DriverConfig, &made);
    if (!NT_SUCCESS(status)) {
        record_give_back(record);
        return status;
    }
    record->globals.Driver = (WDFDRIVER)made;
    fill_in(DriverObject, DriverConfig);
    record_use(record, &made->object);
    if (Driver != NULL)
        *Driver = (WDFDRIVER)made;
    return STATUS_SUCCESS;
}

/* ---- what drivers ask ---- */

PWSTR WdfDriverGetRegistryPath(WDFDRIVER Driver)
{
    WDF_ENTER(PASSIVE_LEVEL, NULL);
    wdf_driver_object_t *driver = WDF_FROM(Driver, &wdf_driver_type);
    return driver->path.Buffer;
}

PDRIVER_OBJECT WdfDriverWdmGetDriverObject(WDFDRIVER Driver)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_object_t *object = WDF_FROM(Driver, &wdf_driver_type);
    return object->driver->wdm;
}

WDFDRIVER WdfWdmDriverGetWdfDriverHandle(PDRIVER_OBJECT DriverObject)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    WDF_REQUIRE(DriverObject);
    wdf_driver_t *driver = wdf_driver_of(DriverObject);
    return driver != NULL ? driver->globals.Driver : NULL;
}

NTSTATUS WdfDriverRegisterTraceInfo(PDRIVER_OBJECT DriverObject, PFN_WDF_TRACE_CALLBACK EvtTraceCallback, PVOID ControlBlock)
{
    (void)DriverObject, (void)EvtTraceCallback, (void)ControlBlock;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return STATUS_NOT_SUPPORTED;
}

BOOLEAN WdfDriverIsVersionAvailable(WDFDRIVER Driver, PWDF_DRIVER_VERSION_AVAILABLE_PARAMS VersionAvailableParams)
{
    WDF_ENTER(PASSIVE_LEVEL, FALSE);
    (void)WDF_FROM(Driver, &wdf_driver_type);
    WDF_REQUIRE(VersionAvailableParams);
    return VersionAvailableParams->Size == sizeof *VersionAvailableParams && VersionAvailableParams->MajorVersion == WDF_MAJOR_VERSION &&
           VersionAvailableParams->MinorVersion <= WDF_MINOR_VERSION;
}
