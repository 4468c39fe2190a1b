/*
 * request.c - the test's side of requests that it follows: begun, looked at, cancelled, and taken back.
 *
 *     ntmm_request_begin   an IRP of the system to the top of the device's stack, with a completion routine of ours above all others
 *      `- came_up          it keeps the IRP: so the IRP is there, whatever the driver does, until
 *     ntmm_request_end     the wait for it, and the rest of the completion: output, buffers, the packet
 *
 * Locks       none.
 * Source      none (choice): the control API is our own.
 */
#include <ntmm/ntmm.h>

#include "io/irp.h"
#include "ke/bugcheck.h"

#define TAG_REQUEST NTMM_TAG("Rqst")

struct ntmm_request {
    PIRP            irp;
    KEVENT          done;
    IO_STATUS_BLOCK block;
};

static NTSTATUS came_up(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    ntmm_request *request = context;
    (void)device, (void)irp;
    (void)KeSetEvent(&request->done, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static PIRP build(PDEVICE_OBJECT top, const ntmm_request_config *config, IO_STATUS_BLOCK *block)
{
    bool          is_control = config->function == IRP_MJ_DEVICE_CONTROL || config->function == IRP_MJ_INTERNAL_DEVICE_CONTROL;
    bool          is_read = config->function == IRP_MJ_READ;
    LARGE_INTEGER offset = { .QuadPart = (LONGLONG)config->offset };
    if (is_control)
        return IoBuildDeviceIoControlRequest(config->code, top, config->input, config->input_bytes, config->output, config->output_bytes,
                                             config->function == IRP_MJ_INTERNAL_DEVICE_CONTROL, NULL, block);
    return IoBuildSynchronousFsdRequest(config->function, top, is_read ? config->output : config->input,
                                        is_read ? config->output_bytes : config->input_bytes, &offset, NULL, block);
}

ntmm_request *ntmm_request_begin(PDEVICE_OBJECT device, const ntmm_request_config *config)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ntmm_request *request = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *request, TAG_REQUEST);
    if (request == NULL)
        return NULL;
    *request = (ntmm_request){ .irp = NULL };
    KeInitializeEvent(&request->done, NotificationEvent, FALSE);
    PDEVICE_OBJECT top = IoGetAttachedDevice(device);
    request->irp = build(top, config, &request->block);
    if (request->irp == NULL) {
        (void)ke_error(0, "%s: the IRP could not be built: no memory, a buffer that cannot be locked, no such function", __func__);
        ExFreePoolWithTag(request, TAG_REQUEST);
        return NULL;
    }
    request->irp->RequestorMode = config->user_mode ? UserMode : KernelMode;
    IoGetNextIrpStackLocation(request->irp)->MinorFunction = config->minor;
    IoGetNextIrpStackLocation(request->irp)->FileObject = config->file;
    IoSetCompletionRoutine(request->irp, came_up, request, TRUE, TRUE, TRUE);
    (void)IoCallDriver(top, request->irp);
    return request;
}

bool ntmm_request_is_pending(ntmm_request *request) { return KeReadStateEvent(&request->done) == 0; }

bool ntmm_request_cancel(ntmm_request *request) { return IoCancelIrp(request->irp) != FALSE; }

PIRP ntmm_request_irp(ntmm_request *request) { return request->irp; }

NTSTATUS ntmm_request_end(ntmm_request *request, size_t *transferred)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    (void)KeWaitForSingleObject(&request->done, Executive, KernelMode, FALSE, NULL);
    IoCompleteRequest(request->irp, IO_NO_INCREMENT);
    NTSTATUS status = request->block.Status;
    if (transferred != NULL)
        *transferred = request->block.Information;
    ExFreePoolWithTag(request, TAG_REQUEST);
    return status;
}
