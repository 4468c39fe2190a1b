/*
 * irp_requestor.c - whom an IRP comes from, and whether he waits.
 *
 * Source      WDK reference: ntifs.h, wdm.h, the page of each routine.
 */
#include <ntifs.h>

#include "ke/bugcheck.h"

PEPROCESS IoGetRequestorProcess(PIRP Irp)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return Irp->Tail.Overlay.Thread != NULL ? IoThreadToProcess(Irp->Tail.Overlay.Thread) : NULL;
}

ULONG IoGetRequestorProcessId(PIRP Irp)
{
    PEPROCESS process = IoGetRequestorProcess(Irp);
    return process != NULL ? HandleToULong(PsGetProcessId(process)) : 0;
}

BOOLEAN IoIsOperationSynchronous(PIRP Irp)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    const FILE_OBJECT *file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    if ((Irp->Flags & IRP_PAGING_IO) != 0)
        return (Irp->Flags & IRP_SYNCHRONOUS_PAGING_IO) != 0;
    return (Irp->Flags & (IRP_SYNCHRONOUS_API | IRP_SYNCHRONOUS_PAGING_IO)) != 0 ||
           (file != NULL && (file->Flags & FO_SYNCHRONOUS_IO) != 0);
}
