/*
 * io_target_open.c - remote I/O targets are opened, by name or with a device object, and closed when that device goes.
 *
 *     closed --WdfIoTargetOpen--> started: a file object, its handle, a notice of removal for its physical device     io/pnp_notify.c
 *        ^                           |
 *        |                           | the device shall be removed: EvtIoTargetQueryRemove; without it, closed for that
 *        |                           v
 *        |<--it is gone------- closed for query remove --it stays: EvtIoTargetRemoveCanceled; without it, opened again--> started
 *             EvtIoTargetRemoveComplete; without it, closed
 *
 * The notice stays while a target is closed for query remove. It is ended by the target's own callback, too, which may close, open and delete it.
 *
 * Locks       the target's lock for its fields; whoever opens it has `is_opening`. Code of others runs with no lock held.
 * Source      WDK reference: wdfiotarget.h, WdfIoTargetOpen, WdfIoTargetCloseForQueryRemove, EvtIoTargetQueryRemove and its companions; KMDF 1.33
 *             (what happens without callbacks; that only a target which was opened by name is reopened).
 * Fidelity    the physical device is looked up in the stack, not asked for by IRP_MN_QUERY_DEVICE_RELATIONS.
 */
#include <string.h>

#include <initguid.h>
#include <wdmguid.h>

#include "wdf/io_target.h"
#include "wdf/key.h"

static ULONG tag_of(const wdf_io_target_t *target) { return target->object.driver->globals.DriverTag; }

/* ---- how it was opened ---- */

static void forget_params(wdf_io_target_t *target)
{
    WDF_IO_TARGET_OPEN_PARAMS *opened = &target->opened;
    if (opened->TargetDeviceName.Buffer != NULL)
        ExFreePoolWithTag(opened->TargetDeviceName.Buffer, tag_of(target));
    if (opened->EaBuffer != NULL)
        ExFreePoolWithTag(opened->EaBuffer, tag_of(target));
    memset(opened, 0, sizeof *opened);
}

static void *copy_of(const wdf_io_target_t *target, const void *bytes, size_t count)
{
    void *copy = ExAllocatePool2(POOL_FLAG_PAGED, count, tag_of(target));
    if (copy != NULL)
        memcpy(copy, bytes, count);
    return copy;
}

static NTSTATUS keep_params(wdf_io_target_t *target, const WDF_IO_TARGET_OPEN_PARAMS *params)
{
    WDF_IO_TARGET_OPEN_PARAMS *opened = &target->opened;
    *opened = *params;
    opened->TargetDeviceName.Buffer = NULL;
    opened->EaBuffer = NULL;
    if (params->Type != WdfIoTargetOpenByName)
        return STATUS_SUCCESS;
    opened->TargetDeviceName.Buffer = copy_of(target, params->TargetDeviceName.Buffer, params->TargetDeviceName.Length);
    opened->TargetDeviceName.MaximumLength = params->TargetDeviceName.Length;
    if (params->EaBuffer != NULL)
        opened->EaBuffer = copy_of(target, params->EaBuffer, params->EaBufferLength);
    if (params->AllocationSize != NULL) {
        target->allocation.QuadPart = *params->AllocationSize;
        opened->AllocationSize = &target->allocation.QuadPart;
    }
    bool is_whole = opened->TargetDeviceName.Buffer != NULL && (params->EaBuffer == NULL || opened->EaBuffer != NULL);
    if (!is_whole)
        forget_params(target);
    return is_whole ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static bool has_callbacks(const WDF_IO_TARGET_OPEN_PARAMS *params)
{
    return params->EvtIoTargetQueryRemove != NULL || params->EvtIoTargetRemoveCanceled != NULL || params->EvtIoTargetRemoveComplete != NULL;
}

static NTSTATUS check_params(const wdf_io_target_t *target, const WDF_IO_TARGET_OPEN_PARAMS *params)
{
    switch (params->Type) {
    case WdfIoTargetOpenUseExistingDevice:
        if (params->TargetFileObject == NULL && has_callbacks(params))
            return STATUS_INVALID_PARAMETER; /* notices are about a file object */
        return params->TargetDeviceObject != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case WdfIoTargetOpenByName:
        if (!NT_SUCCESS(wdf_string_check(&params->TargetDeviceName)) || params->TargetDeviceName.Length == 0)
            return STATUS_INVALID_PARAMETER;
        return (params->EaBuffer != NULL) == (params->EaBufferLength != 0) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case WdfIoTargetOpenReopen: return target->opened.Type == WdfIoTargetOpenByName ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
    default: return STATUS_INVALID_PARAMETER;
    }
}

/* ---- what it leads to ---- */

typedef struct found {
    HANDLE         handle;
    PFILE_OBJECT   file; /* referenced */
    PDEVICE_OBJECT device;
} found_t;

static void close_found(const found_t *found)
{
    if (found->file != NULL)
        ObDereferenceObject(found->file);
    if (found->handle != NULL)
        (void)ZwClose(found->handle);
}

static NTSTATUS create_file(WDF_IO_TARGET_OPEN_PARAMS *how, HANDLE *handle, ULONG_PTR *information)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK   block = { .Information = 0 };
    InitializeObjectAttributes(&attributes, &how->TargetDeviceName, OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS status =
        ZwCreateFile(handle, how->DesiredAccess, &attributes, &block, (PLARGE_INTEGER)(void *)how->AllocationSize, how->FileAttributes,
                     how->ShareAccess, how->CreateDisposition, how->CreateOptions, how->EaBuffer, how->EaBufferLength);
    *information = block.Information;
    return status;
}

static NTSTATUS find_by_name(wdf_io_target_t *target, PWDF_IO_TARGET_OPEN_PARAMS params, found_t *found)
{
    ULONG_PTR information = 0;
    NTSTATUS  status = create_file(&target->opened, &found->handle, &information);
    params->FileInformation = (ULONG)information;
    if (!NT_SUCCESS(status))
        return status;
    status =
        ObReferenceObjectByHandle(found->handle, target->opened.DesiredAccess, *IoFileObjectType, KernelMode, (PVOID *)&found->file, NULL);
    if (NT_SUCCESS(status))
        found->device = IoGetRelatedDeviceObject(found->file);
    if (NT_SUCCESS(status) && found->device == NULL)
        status = STATUS_NO_SUCH_DEVICE; /* a file of the host's: no driver is behind it */
    if (!NT_SUCCESS(status))
        close_found(found);
    return status;
}

static NTSTATUS find(wdf_io_target_t *target, PWDF_IO_TARGET_OPEN_PARAMS params, found_t *found)
{
    *found = (found_t){ 0 };
    if (target->opened.Type == WdfIoTargetOpenByName)
        return find_by_name(target, params, found);
    found->device = params->TargetDeviceObject;
    found->file = params->TargetFileObject;
    if (found->file != NULL)
        ObReferenceObject(found->file);
    return STATUS_SUCCESS;
}

/* ---- notices of removal ---- */

static bool is_told_here(const wdf_io_target_t *target) { return target->told_on == KeGetCurrentThread(); }

/* Nobody is in the callback any more, unless this is. */
static void end_notice(wdf_io_target_t *target)
{
    wdf_lock(&target->lock);
    PVOID notice = target->notice;
    bool  is_inside = is_told_here(target);
    target->notice = NULL;
    wdf_unlock(&target->lock);
    if (notice != NULL)
        (void)(is_inside ? IoUnregisterPlugPlayNotification(notice) : IoUnregisterPlugPlayNotificationEx(notice));
}

static void     close(wdf_io_target_t *target, WDF_IO_TARGET_STATE state);
static NTSTATUS open(wdf_io_target_t *target, PWDF_IO_TARGET_OPEN_PARAMS params);

#define TELL(target, callback) \
    do { \
        wdf_call_t call_ = wdf_call_begin((target)->object.driver); \
        (callback)((WDFIOTARGET)(target)); \
        WDF_CALL_END(&call_, (callback)); \
    } while (0)

static NTSTATUS query_remove(wdf_io_target_t *target)
{
    PFN_WDF_IO_TARGET_QUERY_REMOVE callback = target->opened.EvtIoTargetQueryRemove;
    if (callback == NULL) {
        close(target, WdfIoTargetClosedForQueryRemove);
        return STATUS_SUCCESS;
    }
    wdf_call_t call = wdf_call_begin(target->object.driver);
    NTSTATUS   status = callback((WDFIOTARGET)target);
    WDF_CALL_END(&call, callback);
    return status;
}

static void remove_canceled(wdf_io_target_t *target)
{
    WDF_IO_TARGET_OPEN_PARAMS again;
    if (target->opened.EvtIoTargetRemoveCanceled != NULL) {
        TELL(target, target->opened.EvtIoTargetRemoveCanceled);
        return;
    }
    WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(&again);
    (void)open(target, &again); /* it was not closed, perhaps, or not opened by name */
}

static NTSTATUS told(PVOID what, PVOID context)
{
    const TARGET_DEVICE_REMOVAL_NOTIFICATION *notification = what;
    wdf_io_target_t                          *target = context;
    NTSTATUS                                  status = STATUS_SUCCESS;
    wdf_object_reference(&target->object); /* the driver may delete it in its callback */
    wdf_lock(&target->lock);
    target->told_on = KeGetCurrentThread();
    wdf_unlock(&target->lock);
    if (IsEqualGUID(&notification->Event, &GUID_TARGET_DEVICE_QUERY_REMOVE))
        status = query_remove(target);
    else if (IsEqualGUID(&notification->Event, &GUID_TARGET_DEVICE_REMOVE_CANCELLED))
        remove_canceled(target);
    else if (IsEqualGUID(&notification->Event, &GUID_TARGET_DEVICE_REMOVE_COMPLETE)) {
        if (target->opened.EvtIoTargetRemoveComplete != NULL)
            TELL(target, target->opened.EvtIoTargetRemoveComplete);
        else
            close(target, WdfIoTargetClosed);
    }
    wdf_lock(&target->lock);
    target->told_on = NULL;
    wdf_unlock(&target->lock);
    wdf_object_dereference("EvtIoTargetRemoveComplete", &target->object);
    return status;
}

/* A target that its own callback opens again, to the same device, keeps its notice: a new one would be told of the same event. Without a notice
 * a target works all the same. */
static void watch(wdf_io_target_t *target)
{
    PVOID          notice = NULL;
    PDEVICE_OBJECT physical = wdf_io_target_physical(target);
    if (target->notice != NULL && is_told_here(target) && target->watched == physical)
        return;
    end_notice(target);
    if (physical == NULL || target->file == NULL)
        return;
    (void)IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, target->file, target->object.driver->wdm, told, target,
                                         &notice);
    wdf_lock(&target->lock);
    target->notice = notice;
    target->watched = physical;
    wdf_unlock(&target->lock);
}

/* ---- open ---- */

static bool is_closed(const wdf_io_target_t *target)
{
    return target->state == WdfIoTargetClosed || target->state == WdfIoTargetClosedForQueryRemove;
}

static bool begin_opening(wdf_io_target_t *target)
{
    wdf_lock(&target->lock);
    bool may = !target->is_local && is_closed(target) && !target->is_opening;
    if (may)
        target->is_opening = true;
    wdf_unlock(&target->lock);
    return may;
}

static void end_opening(wdf_io_target_t *target, const found_t *found)
{
    wdf_lock(&target->lock);
    target->is_opening = false;
    if (found != NULL) {
        target->device = found->device;
        target->file = found->file;
        target->handle = found->handle;
        target->state = WdfIoTargetStarted;
    }
    wdf_unlock(&target->lock);
}

static NTSTATUS open(wdf_io_target_t *target, PWDF_IO_TARGET_OPEN_PARAMS params)
{
    found_t  found;
    NTSTATUS status = STATUS_SUCCESS;
    if (!begin_opening(target))
        return STATUS_INVALID_DEVICE_STATE;
    if (params->Type != WdfIoTargetOpenReopen) {
        forget_params(target);
        status = keep_params(target, params);
    }
    if (NT_SUCCESS(status))
        status = find(target, params, &found);
    end_opening(target, NT_SUCCESS(status) ? &found : NULL);
    if (NT_SUCCESS(status))
        watch(target);
    return status;
}

NTSTATUS WdfIoTargetOpen(WDFIOTARGET IoTarget, PWDF_IO_TARGET_OPEN_PARAMS OpenParams)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    WDF_REQUIRE(OpenParams);
    if (OpenParams->Size != sizeof *OpenParams)
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS status = check_params(target, OpenParams);
    return NT_SUCCESS(status) ? open(target, OpenParams) : status;
}

/* ---- close ---- */

static void let_go(wdf_io_target_t *target, WDF_IO_TARGET_STATE state)
{
    wdf_lock(&target->lock);
    found_t found = { .handle = target->handle, .file = target->file };
    target->handle = NULL;
    target->file = NULL;
    target->device = NULL;
    target->state = state;
    wdf_unlock(&target->lock);
    close_found(&found);
}

void wdf_io_target_forget(wdf_io_target_t *target, WDF_IO_TARGET_STATE state)
{
    if (target->is_local) {
        wdf_io_target_set_state(target, state);
        return;
    }
    end_notice(target);
    let_go(target, state);
    forget_params(target);
}

static void close(wdf_io_target_t *target, WDF_IO_TARGET_STATE state)
{
    if (target->is_local || target->state == WdfIoTargetClosed)
        return;
    if (state != WdfIoTargetClosedForQueryRemove)
        end_notice(target);
    if (!is_closed(target))
        wdf_io_target_purge(target, true);
    let_go(target, state);
}

VOID WdfIoTargetClose(WDFIOTARGET IoTarget)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    close(WDF_FROM(IoTarget, &wdf_io_target_type), WdfIoTargetClosed);
}

VOID WdfIoTargetCloseForQueryRemove(WDFIOTARGET IoTarget)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    close(WDF_FROM(IoTarget, &wdf_io_target_type), WdfIoTargetClosedForQueryRemove);
}

/* ---- the file ---- */

PFILE_OBJECT WdfIoTargetWdmGetTargetFileObject(WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    const wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    return target->file;
}

HANDLE WdfIoTargetWdmGetTargetFileHandle(WDFIOTARGET IoTarget)
{
    WDF_ENTER(PASSIVE_LEVEL, NULL);
    const wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    return target->handle;
}
