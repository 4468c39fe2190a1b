/*
 * dma_request.c - a transaction for a request: which buffer of it, and does the direction suit it?
 *
 *     request                       reading from the device     writing to the device
 *     read                          its buffer                  -
 *     write                         -                           its buffer
 *     control, METHOD_BUFFERED      the output                  the input
 *     control, METHOD_OUT_DIRECT    the second buffer           -
 *     control, METHOD_IN_DIRECT     -                           the second buffer
 *
 * Units       bytes.
 * Locks       none: the driver has the request.
 * Source      WDK reference: wdfdmatransaction.h, WdfDmaTransactionInitializeUsingRequest; the order of the checks: the published KMDF 1.33.
 */
#include "wdf/dma_transaction.h"
#include "wdf/request.h"

typedef struct request_buffer {
    PMDL  mdl;
    ULONG length;
} request_buffer_t;

/* A buffer that the system made has no MDL until the request makes one. */
static NTSTATUS request_mdl(WDFREQUEST request, WDF_DMA_DIRECTION direction, PMDL *mdl)
{
    return direction == WdfDmaDirectionReadFromDevice ? WdfRequestRetrieveOutputWdmMdl(request, mdl)
                                                      : WdfRequestRetrieveInputWdmMdl(request, mdl);
}

static NTSTATUS control_buffer(WDFREQUEST request, PIRP irp, WDF_DMA_DIRECTION direction, request_buffer_t *out)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    bool               reads = direction == WdfDmaDirectionReadFromDevice;
    ULONG              output = location->Parameters.DeviceIoControl.OutputBufferLength;
    switch (METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode)) {
    case METHOD_BUFFERED:
        out->length = reads ? output : location->Parameters.DeviceIoControl.InputBufferLength;
        return out->length != 0 ? request_mdl(request, direction, &out->mdl) : STATUS_INVALID_DEVICE_REQUEST;
    case METHOD_IN_DIRECT:
    case METHOD_OUT_DIRECT:
        if (reads != (METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_OUT_DIRECT))
            return STATUS_INVALID_DEVICE_REQUEST;
        out->length = output;
        out->mdl = irp->MdlAddress;
        return output != 0 && out->mdl != NULL ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
    default: return STATUS_INVALID_DEVICE_REQUEST;
    }
}

static NTSTATUS request_buffer(WDFREQUEST request, PIRP irp, WDF_DMA_DIRECTION direction, request_buffer_t *out)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    bool               reads = direction == WdfDmaDirectionReadFromDevice;
    switch (location->MajorFunction) {
    case IRP_MJ_READ:
    case IRP_MJ_WRITE:
        if (reads != (location->MajorFunction == IRP_MJ_READ))
            return STATUS_INVALID_DEVICE_REQUEST;
        out->length = reads ? location->Parameters.Read.Length : location->Parameters.Write.Length;
        return out->length != 0 ? request_mdl(request, direction, &out->mdl) : STATUS_INVALID_DEVICE_REQUEST;
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL: return control_buffer(request, irp, direction, out);
    default: return STATUS_INVALID_DEVICE_REQUEST;
    }
}

NTSTATUS WdfDmaTransactionInitializeUsingRequest(WDFDMATRANSACTION DmaTransaction, WDFREQUEST Request,
                                                 PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction, WDF_DMA_DIRECTION DmaDirection)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    request_buffer_t       buffer = { .mdl = NULL };
    WDF_REQUIRE(EvtProgramDmaFunction);
    if (!wdf_dma_is_direction(DmaDirection))
        return STATUS_INVALID_PARAMETER;
    wdf_object_t *request = WDF_FROM(Request, &wdf_request_type);
    NTSTATUS      status = request_buffer(Request, WdfRequestWdmGetIrp(Request), DmaDirection, &buffer);
    if (NT_SUCCESS(status))
        status = wdf_dma_check_buffer(transaction, DmaDirection, buffer.mdl, 0, buffer.length);
    if (NT_SUCCESS(status))
        status = wdf_dma_initialize(__func__, transaction, EvtProgramDmaFunction, DmaDirection, buffer.mdl, 0, buffer.length);
    if (NT_SUCCESS(status))
        transaction->request = request;
    return status;
}

/* ---- while the transfer runs ---- */

void wdf_dma_hold_request(wdf_dma_transaction_t *transaction)
{
    if (transaction->request == NULL)
        return;
    wdf_object_reference(transaction->request);
    atomic_fetch_add(&((wdf_request_t *)transaction->request)->transfers, 1);
    transaction->request_is_held = true;
}

void wdf_dma_let_request_go(wdf_dma_transaction_t *transaction)
{
    if (!transaction->request_is_held)
        return;
    transaction->request_is_held = false;
    atomic_fetch_sub(&((wdf_request_t *)transaction->request)->transfers, 1);
    wdf_object_dereference("WdfDmaTransactionDmaCompleted", transaction->request);
}
