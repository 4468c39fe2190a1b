/*
 * io_target_sync.c - format, send and wait, in one call.
 *
 * Locks       none.
 * Source      WDK reference: wdfiotarget.h, WdfIoTargetSendReadSynchronously ...; "Sending I/O Requests Synchronously".
 */
#include "wdf/io_target_format.h"

typedef struct sync {
    const char               *routine;
    wdf_io_target_t          *target;
    wdf_request_t            *request; /* the caller's, or one of our own */
    bool                      is_own;
    PWDF_REQUEST_SEND_OPTIONS options;
} sync_t;

static NTSTATUS check_options(const WDF_REQUEST_SEND_OPTIONS *options)
{
    const ULONG valid = WDF_REQUEST_SEND_OPTION_TIMEOUT | WDF_REQUEST_SEND_OPTION_SYNCHRONOUS | WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE;
    if (options == NULL)
        return STATUS_SUCCESS;
    return options->Size != sizeof *options || (options->Flags & ~valid) != 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

static NTSTATUS begin(sync_t *sync, WDFIOTARGET target, WDFREQUEST request)
{
    sync->target = (wdf_io_target_t *)(void *)wdf_from_handle(sync->routine, target, &wdf_io_target_type);
    NTSTATUS status = check_options(sync->options);
    if (!NT_SUCCESS(status))
        return status;
    sync->is_own = request == NULL;
    if (request != NULL) {
        sync->request = (wdf_request_t *)(void *)wdf_from_handle(sync->routine, request, &wdf_request_type);
        return STATUS_SUCCESS;
    }
    status = wdf_request_new(NULL, sync->target->object.driver, NULL, &sync->request);
    if (NT_SUCCESS(status))
        sync->request->place = WDF_REQUEST_DRIVER;
    return status;
}

/* `status`: of the formatting. */
static NTSTATUS end(sync_t *sync, NTSTATUS status, PULONG_PTR information)
{
    if (information != NULL)
        *information = 0;
    if (NT_SUCCESS(status)) {
        status = wdf_request_send_and_wait(sync->routine, sync->request, sync->target, sync->options);
        if (information != NULL)
            *information = sync->request->irp->IoStatus.Information;
    }
    wdf_format_undo(sync->request);
    if (sync->is_own)
        wdf_object_delete(&sync->request->object);
    return status;
}

static NTSTATUS transfer(const char *routine, WDFIOTARGET target, WDFREQUEST request, UCHAR major, PWDF_MEMORY_DESCRIPTOR buffer,
                         PLONGLONG offset, PWDF_REQUEST_SEND_OPTIONS options, PULONG_PTR information)
{
    sync_t      sync = { .routine = routine, .options = options };
    wdf_piece_t piece;
    NTSTATUS    status = begin(&sync, target, request);
    if (!NT_SUCCESS(status))
        return status;
    status = wdf_piece_of_descriptor(routine, buffer, &piece);
    if (NT_SUCCESS(status))
        status = wdf_format_transfer(routine, sync.request, sync.target, major, &piece, offset);
    return end(&sync, status, information);
}

NTSTATUS WdfIoTargetSendReadSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, PWDF_MEMORY_DESCRIPTOR OutputBuffer,
                                          PLONGLONG DeviceOffset, PWDF_REQUEST_SEND_OPTIONS RequestOptions, PULONG_PTR BytesRead)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return transfer(__func__, IoTarget, Request, IRP_MJ_READ, OutputBuffer, DeviceOffset, RequestOptions, BytesRead);
}

NTSTATUS WdfIoTargetSendWriteSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, PWDF_MEMORY_DESCRIPTOR InputBuffer,
                                           PLONGLONG DeviceOffset, PWDF_REQUEST_SEND_OPTIONS RequestOptions, PULONG_PTR BytesWritten)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return transfer(__func__, IoTarget, Request, IRP_MJ_WRITE, InputBuffer, DeviceOffset, RequestOptions, BytesWritten);
}

static NTSTATUS control(const char *routine, WDFIOTARGET target, WDFREQUEST request, bool internal, ULONG code, PWDF_MEMORY_DESCRIPTOR in,
                        PWDF_MEMORY_DESCRIPTOR out, PWDF_REQUEST_SEND_OPTIONS options, PULONG_PTR information)
{
    sync_t      sync = { .routine = routine, .options = options };
    wdf_piece_t pieces[2];
    NTSTATUS    status = begin(&sync, target, request);
    if (!NT_SUCCESS(status))
        return status;
    status = wdf_piece_of_descriptor(routine, in, &pieces[0]);
    if (NT_SUCCESS(status))
        status = wdf_piece_of_descriptor(routine, out, &pieces[1]);
    if (NT_SUCCESS(status))
        status = wdf_format_control(routine, sync.request, sync.target, internal, code, pieces);
    return end(&sync, status, information);
}

NTSTATUS WdfIoTargetSendIoctlSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode, PWDF_MEMORY_DESCRIPTOR InputBuffer,
                                           PWDF_MEMORY_DESCRIPTOR OutputBuffer, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
                                           PULONG_PTR BytesReturned)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return control(__func__, IoTarget, Request, false, IoctlCode, InputBuffer, OutputBuffer, RequestOptions, BytesReturned);
}

NTSTATUS WdfIoTargetSendInternalIoctlSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode,
                                                   PWDF_MEMORY_DESCRIPTOR InputBuffer, PWDF_MEMORY_DESCRIPTOR OutputBuffer,
                                                   PWDF_REQUEST_SEND_OPTIONS RequestOptions, PULONG_PTR BytesReturned)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    return control(__func__, IoTarget, Request, true, IoctlCode, InputBuffer, OutputBuffer, RequestOptions, BytesReturned);
}

NTSTATUS WdfIoTargetSendInternalIoctlOthersSynchronously(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode,
                                                         PWDF_MEMORY_DESCRIPTOR OtherArg1, PWDF_MEMORY_DESCRIPTOR OtherArg2,
                                                         PWDF_MEMORY_DESCRIPTOR OtherArg4, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
                                                         PULONG_PTR BytesReturned)
{
    sync_t      sync = { .routine = __func__, .options = RequestOptions };
    wdf_piece_t pieces[3];
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    NTSTATUS status = begin(&sync, IoTarget, Request);
    if (!NT_SUCCESS(status))
        return status;
    status = wdf_piece_of_descriptor(__func__, OtherArg1, &pieces[0]);
    if (NT_SUCCESS(status))
        status = wdf_piece_of_descriptor(__func__, OtherArg2, &pieces[1]);
    if (NT_SUCCESS(status))
        status = wdf_piece_of_descriptor(__func__, OtherArg4, &pieces[2]);
    if (NT_SUCCESS(status))
        status = wdf_format_others(sync.request, sync.target, IoctlCode, pieces);
    return end(&sync, status, BytesReturned);
}
