/*
 * io_csq.h - cancel-safe queues: the driver keeps IRPs in a queue of its own making, and the races with cancellation are dealt with here.
 *
 *     IoCsqInsertIrp --> the driver's CsqInsertIrp, under its lock; the IRP is pending
 *     IoCsqRemoveNextIrp, IoCsqRemoveIrp --> one that nobody cancels, or NULL
 *     IoCancelIrp --> the driver's CsqRemoveIrp, then CsqCompleteCanceledIrp
 *
 * While an IRP is in the queue its Tail.Overlay.DriverContext[3] is the queue's.
 *
 * Source  WDK reference: wdm.h, "Cancel-Safe IRP Queues", and the page of each routine.
 */
#ifndef NTMM_DDK_WDM_IO_CSQ_H
#define NTMM_DDK_WDM_IO_CSQ_H

#include "irp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define IO_TYPE_CSQ_IRP_CONTEXT 1
#define IO_TYPE_CSQ 2
#define IO_TYPE_CSQ_EX 3

typedef struct _IO_CSQ IO_CSQ, *PIO_CSQ;

typedef VOID                          IO_CSQ_INSERT_IRP(PIO_CSQ Csq, PIRP Irp);
typedef IO_CSQ_INSERT_IRP            *PIO_CSQ_INSERT_IRP;
typedef NTSTATUS                      IO_CSQ_INSERT_IRP_EX(PIO_CSQ Csq, PIRP Irp, PVOID InsertContext);
typedef IO_CSQ_INSERT_IRP_EX         *PIO_CSQ_INSERT_IRP_EX;
typedef VOID                          IO_CSQ_REMOVE_IRP(PIO_CSQ Csq, PIRP Irp);
typedef IO_CSQ_REMOVE_IRP            *PIO_CSQ_REMOVE_IRP;
typedef PIRP                          IO_CSQ_PEEK_NEXT_IRP(PIO_CSQ Csq, PIRP Irp, PVOID PeekContext);
typedef IO_CSQ_PEEK_NEXT_IRP         *PIO_CSQ_PEEK_NEXT_IRP;
typedef VOID                          IO_CSQ_ACQUIRE_LOCK(PIO_CSQ Csq, PKIRQL Irql);
typedef IO_CSQ_ACQUIRE_LOCK          *PIO_CSQ_ACQUIRE_LOCK;
typedef VOID                          IO_CSQ_RELEASE_LOCK(PIO_CSQ Csq, KIRQL Irql);
typedef IO_CSQ_RELEASE_LOCK          *PIO_CSQ_RELEASE_LOCK;
typedef VOID                          IO_CSQ_COMPLETE_CANCELED_IRP(PIO_CSQ Csq, PIRP Irp);
typedef IO_CSQ_COMPLETE_CANCELED_IRP *PIO_CSQ_COMPLETE_CANCELED_IRP;

struct _IO_CSQ {
    ULONG                         Type;
    PIO_CSQ_INSERT_IRP            CsqInsertIrp;
    PIO_CSQ_REMOVE_IRP            CsqRemoveIrp;
    PIO_CSQ_PEEK_NEXT_IRP         CsqPeekNextIrp;
    PIO_CSQ_ACQUIRE_LOCK          CsqAcquireLock;
    PIO_CSQ_RELEASE_LOCK          CsqReleaseLock;
    PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp;
    PVOID                         ReservePointer;
};

typedef struct _IO_CSQ_IRP_CONTEXT { /* names one IRP of the queue, for IoCsqRemoveIrp */
    ULONG   Type;
    PIRP    Irp; /* NULL: it is not in the queue any more */
    PIO_CSQ Csq;
} IO_CSQ_IRP_CONTEXT, *PIO_CSQ_IRP_CONTEXT;

NTMM_LAYOUT(sizeof(IO_CSQ) == 64 && sizeof(IO_CSQ_IRP_CONTEXT) == 24, "IO_CSQ, x64");

/** The driver's routines. @return STATUS_SUCCESS @irql any @source WDK reference: wdm.h, IoCsqInitialize */
NTKERNELAPI NTSTATUS IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                                     PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                                     PIO_CSQ_RELEASE_LOCK CsqReleaseLock, PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp);
/** The same; CsqInsertIrp may refuse. @return STATUS_SUCCESS @irql any @source WDK reference: wdm.h, IoCsqInitializeEx */
NTKERNELAPI NTSTATUS IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                                       PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                                       PIO_CSQ_RELEASE_LOCK CsqReleaseLock, PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp);

/**
 * Put an IRP into the queue, and mark it pending. One that has been cancelled is completed at once.
 *
 * @param Context  NULL, or storage that stays while the IRP is in the queue
 * @irql           <= DISPATCH_LEVEL
 * @bugcheck       IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source         WDK reference: wdm.h, IoCsqInsertIrp
 */
NTKERNELAPI VOID IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context);
/** The same. @param InsertContext  for CsqInsertIrp @return what that said; on failure the IRP is neither queued nor pending
 *  @irql, @bugcheck as IoCsqInsertIrp @source WDK reference: wdm.h, IoCsqInsertIrpEx */
NTKERNELAPI NTSTATUS IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext);
/** The one that the context names. @return NULL: it is being cancelled, or was removed @irql, @bugcheck as IoCsqInsertIrp
 *  @source WDK reference: wdm.h, IoCsqRemoveIrp */
NTKERNELAPI PIRP IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context);
/** The next that matches PeekContext, which is for CsqPeekNextIrp. @return NULL: there is none @irql, @bugcheck as IoCsqInsertIrp
 *  @source WDK reference: wdm.h, IoCsqRemoveNextIrp */
NTKERNELAPI PIRP IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext);

#ifdef __cplusplus
}
#endif
#endif
