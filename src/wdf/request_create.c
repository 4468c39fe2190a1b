/*
 * request_create.c - requests of the driver's own: made, used again, and prepared by hand for the next driver.
 *
 * Locks       none: whoever has the request.
 * Source      WDK reference: wdfrequest.h, "Creating Framework Request Objects", "Reusing Framework Request Objects"; Bug Check 0x10D/0x6.
 */
#include "wdf/io_target.h"

NTSTATUS WdfRequestCreate(PWDF_OBJECT_ATTRIBUTES RequestAttributes, WDFIOTARGET IoTarget, WDFREQUEST *Request)
{
    wdf_request_t *request;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_io_target_t *target = IoTarget != NULL ? WDF_FROM(IoTarget, &wdf_io_target_type) : NULL;
    WDF_REQUIRE(Request);
    *Request = NULL;
    NTSTATUS status = wdf_attributes_check(RequestAttributes, 0);
    if (NT_SUCCESS(status))
        status = wdf_request_new(NULL, NULL, RequestAttributes, &request);
    if (!NT_SUCCESS(status))
        return status;
    request->place = WDF_REQUEST_DRIVER;
    status = target != NULL ? wdf_request_prepare(request, target) : STATUS_SUCCESS;
    if (!NT_SUCCESS(status)) {
        wdf_object_delete(&request->object);
        return status;
    }
    *Request = (WDFREQUEST)request;
    return STATUS_SUCCESS;
}

NTSTATUS WdfRequestCreateFromIrp(PWDF_OBJECT_ATTRIBUTES RequestAttributes, PIRP Irp, BOOLEAN RequestFreesIrp, WDFREQUEST *Request)
{
    wdf_request_t *request;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Irp);
    WDF_REQUIRE(Request);
    *Request = NULL;
    NTSTATUS status = wdf_attributes_check(RequestAttributes, 0);
    if (NT_SUCCESS(status))
        status = wdf_request_new(NULL, NULL, RequestAttributes, &request);
    if (!NT_SUCCESS(status))
        return status;
    request->place = WDF_REQUEST_DRIVER;
    request->irp = Irp;
    request->owns_irp = RequestFreesIrp != FALSE;
    *Request = (WDFREQUEST)request;
    return STATUS_SUCCESS;
}

/* ---- again ---- */

static void set_irp(wdf_request_t *request, PIRP irp)
{
    if (request->owns_irp && request->irp != NULL && request->irp != irp)
        IoFreeIrp(request->irp);
    request->irp = irp;
    request->owns_irp = request->made_irp = false;
}

NTSTATUS WdfRequestReuse(WDFREQUEST Request, PWDF_REQUEST_REUSE_PARAMS ReuseParams)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(ReuseParams);
    if (ReuseParams->Size != sizeof *ReuseParams || (ReuseParams->Flags & ~(ULONG)WDF_REQUEST_REUSE_SET_NEW_IRP) != 0)
        return STATUS_INVALID_PARAMETER;
    if (request->place == WDF_REQUEST_SENT)
        wdf_break(__func__, "The request was sent to an I/O target, and has not come back.");
    bool new_irp = (ReuseParams->Flags & WDF_REQUEST_REUSE_SET_NEW_IRP) != 0;
    request->completion = NULL;
    request->completion_context = NULL;
    wdf_format_undo(request);
    request->is_formatted = false;
    if (wdf_request_is_of_queue(request) && new_irp)
        return STATUS_WDF_REQUEST_INVALID_STATE;
    if (new_irp)
        set_irp(request, ReuseParams->NewIrp);
    else if (request->made_irp)
        IoReuseIrp(request->irp, ReuseParams->Status);
    request->status = ReuseParams->Status;
    if (request->irp != NULL) {
        request->irp->IoStatus.Status = ReuseParams->Status;
        request->irp->Cancel = FALSE;
    }
    request->is_cancelled = false;
    return STATUS_SUCCESS;
}

NTSTATUS WdfRequestChangeTarget(WDFREQUEST Request, WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t   *request = WDF_FROM(Request, &wdf_request_type);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    if (request->place == WDF_REQUEST_SENT)
        return STATUS_INVALID_DEVICE_REQUEST;
    return wdf_request_prepare(request, target);
}

/* ---- by hand ---- */

static void check_location(const char *routine, const wdf_request_t *request, CHAR least)
{
    if (request->irp == NULL)
        wdf_stop(routine, "The request has no IRP.", WDF_REQUEST_FATAL_ERROR, WDF_REQUEST_FATAL_ERROR_NULL_IRP, (ULONG_PTR)request);
    if (request->irp->CurrentLocation < least || request->irp->CurrentLocation <= 1)
        wdf_stop(routine, "The request's IRP has no stack location for the next driver.", WDF_REQUEST_FATAL_ERROR,
                 WDF_REQUEST_FATAL_ERROR_NO_MORE_STACK_LOCATIONS, (ULONG_PTR)request->irp);
}

VOID WdfRequestFormatRequestUsingCurrentType(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    check_location(__func__, request, 2);
    IoCopyCurrentIrpStackLocationToNext(request->irp);
    request->is_formatted = true;
}

VOID WdfRequestWdmFormatUsingStackLocation(WDFREQUEST Request, PIO_STACK_LOCATION Stack)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Stack);
    check_location(__func__, request, 2);
    *IoGetNextIrpStackLocation(request->irp) = *Stack;
    request->is_formatted = true;
}
