/*
 * wdfdmatransaction.h - DMA transactions: one buffer on its way to or from a device, in as many transfers as it takes.
 *
 *     WdfDmaTransactionCreate         a child of the enabler                    CREATED
 *     ...Initialize                   a buffer: MDL and address, MDL and offset, or a request       --> INITIALIZED
 *     ...Execute                      map registers, mapping, EvtProgramDma at DISPATCH_LEVEL       --> TRANSFER
 *     ...DmaCompleted                 in the DPC: FALSE and STATUS_MORE_PROCESSING_REQUIRED while there is more; then EvtProgramDma was
 *                                     called again, or will be. TRUE: it is over                    --> COMPLETED or FAILED
 *     ...Release                      everything goes back, the object can be used again            --> RELEASED
 *
 * AllocateResources (version 3, packet and system profiles) reserves map registers for many transactions until FreeResources.
 * @irql everywhere <= DISPATCH_LEVEL
 * @bugcheck WDF_VIOLATION (0x10D): 4 NULL, 5 no transaction, 8 the transaction is in another state than the routine wants (p2 the handle, p3 the
 *           state: 1 created, 2 reserved, 3 initialized, 4 transfer, 5 completed, 6 failed, 7 released, 8 deleted)
 *
 * Source  WDK reference: wdfdmatransaction.h; the states: the published KMDF.
 */
#ifndef NTMM_DDK_WDFDMATRANSACTION_H
#define NTMM_DDK_WDFDMATRANSACTION_H

#include "wdfdmaenabler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a driver supplies, called at DISPATCH_LEVEL ---- */

/** Start the device: it finds the bytes at SgList. What it returns is not looked at. */
typedef BOOLEAN NTAPI EVT_WDF_PROGRAM_DMA(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                          PSCATTER_GATHER_LIST SgList);
typedef EVT_WDF_PROGRAM_DMA *PFN_WDF_PROGRAM_DMA;
/** System profiles, before mapping. FALSE: do not map; the driver stops there. */
typedef BOOLEAN NTAPI EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL(WDFDMATRANSACTION DmaTransaction, WDFDEVICE Device, PVOID Context,
                                                                    PMDL Mdl, size_t Offset, size_t Length);
typedef EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL *PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL;
/** System profiles: the controller has moved the bytes, or was stopped. */
typedef VOID NTAPI EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context,
                                                                 WDF_DMA_DIRECTION Direction, DMA_COMPLETION_STATUS Status);
typedef EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE *PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE;
/** The map registers are there. */
typedef VOID NTAPI           EVT_WDF_RESERVE_DMA(WDFDMATRANSACTION DmaTransaction, PVOID Context);
typedef EVT_WDF_RESERVE_DMA *PFN_WDF_RESERVE_DMA;

/* ---- one transaction ---- */

/**
 * A transaction, child of the enabler; packet, scatter/gather or system as the enabler's profile is.
 *
 * @return STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED: Attributes name a parent; STATUS_INSUFFICIENT_RESOURCES
 * @source WDK reference: wdfdmatransaction.h, WdfDmaTransactionCreate
 */
WDFAPI NTSTATUS WdfDmaTransactionCreate(WDFDMAENABLER DmaEnabler, PWDF_OBJECT_ATTRIBUTES Attributes, WDFDMATRANSACTION *DmaTransaction);

/**
 * What is to be transferred: Length bytes from VirtualAddress on, which must lie in the first MDL; the rest may lie in the next ones of the
 * chain when the enabler has version 3.
 *
 * @return STATUS_INVALID_PARAMETER: length 0, no such direction, outside the MDL; STATUS_WDF_TOO_FRAGMENTED: more elements than the enabler
 *         allows; in single-transfer mode STATUS_WDF_TOO_MANY_TRANSFERS, STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS; STATUS_BUFFER_TOO_SMALL: the
 *         chain ends before Length; STATUS_INSUFFICIENT_RESOURCES
 * @source WDK reference: wdfdmatransaction.h, WdfDmaTransactionInitialize
 */
WDFAPI NTSTATUS WdfDmaTransactionInitialize(WDFDMATRANSACTION DmaTransaction, PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                            WDF_DMA_DIRECTION DmaDirection, PMDL Mdl, PVOID VirtualAddress, size_t Length);
/** The same with an offset from the MDL's first byte. */
WDFAPI NTSTATUS WdfDmaTransactionInitializeUsingOffset(WDFDMATRANSACTION DmaTransaction, PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                                       WDF_DMA_DIRECTION DmaDirection, PMDL Mdl, size_t Offset, size_t Length);
/** The same with a request's buffer, all of it. The request is referenced while the transfer runs.
 *  @return also STATUS_INVALID_DEVICE_REQUEST: the direction does not suit the request, or its length is 0 */
WDFAPI NTSTATUS WdfDmaTransactionInitializeUsingRequest(WDFDMATRANSACTION DmaTransaction, WDFREQUEST Request,
                                                        PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction, WDF_DMA_DIRECTION DmaDirection);
/**
 * The first transfer begins, now or when map registers are free; EvtProgramDma may run before this returns. Once for each Initialize.
 *
 * @param Context  for EvtProgramDma
 * @return STATUS_WDF_BUSY: packet, version 2: another transaction of the device has the channel; STATUS_INSUFFICIENT_RESOURCES: no memory,
 *         or, immediate, no map registers. After a failure the driver calls WdfDmaTransactionRelease
 */
WDFAPI NTSTATUS WdfDmaTransactionExecute(WDFDMATRANSACTION DmaTransaction, WDFCONTEXT Context);
/** Back to where Initialize may be called. Reserved map registers stay. @return STATUS_SUCCESS */
WDFAPI NTSTATUS WdfDmaTransactionRelease(WDFDMATRANSACTION DmaTransaction);

/**
 * The device has made the transfer: all of it; TransferredLength bytes of it, and the next begins after those; or as many, and that is the end.
 *
 * @param Status  out: STATUS_MORE_PROCESSING_REQUIRED when another transfer has begun; STATUS_SUCCESS; STATUS_INVALID_PARAMETER: more bytes
 *                than the transfer has; STATUS_WDF_TOO_MANY_TRANSFERS: single transfer, and there is more; why the next one failed
 * @return TRUE: the transaction is over, well or not
 */
WDFAPI BOOLEAN WdfDmaTransactionDmaCompleted(WDFDMATRANSACTION DmaTransaction, NTSTATUS *Status);
WDFAPI BOOLEAN WdfDmaTransactionDmaCompletedWithLength(WDFDMATRANSACTION DmaTransaction, size_t TransferredLength, NTSTATUS *Status);
WDFAPI BOOLEAN WdfDmaTransactionDmaCompletedFinal(WDFDMATRANSACTION DmaTransaction, size_t FinalTransferredLength, NTSTATUS *Status);

/** Bytes of all transfers that were completed. */
WDFAPI size_t WdfDmaTransactionGetBytesTransferred(WDFDMATRANSACTION DmaTransaction);
/** Bytes of the transfer that is under way. */
WDFAPI size_t WdfDmaTransactionGetCurrentDmaTransferLength(WDFDMATRANSACTION DmaTransaction);
/** Bytes of one transfer at most, after Initialize. More than the enabler's: no effect */
WDFAPI VOID WdfDmaTransactionSetMaximumLength(WDFDMATRANSACTION DmaTransaction, size_t MaximumLength);
/** One transfer or none, from the next Initialize to Release. Version 3; without it no effect. */
WDFAPI VOID WdfDmaTransactionSetSingleTransferRequirement(WDFDMATRANSACTION DmaTransaction, BOOLEAN RequireSingleTransfer);
/** NULL: it was initialized otherwise */
WDFAPI WDFREQUEST WdfDmaTransactionGetRequest(WDFDMATRANSACTION DmaTransaction);
WDFAPI WDFDEVICE  WdfDmaTransactionGetDevice(WDFDMATRANSACTION DmaTransaction);
/** What all of the buffer takes, once it is initialized: exact with version 3, else the most. Either may be NULL. */
WDFAPI VOID WdfDmaTransactionGetTransferInfo(WDFDMATRANSACTION DmaTransaction, ULONG *MapRegisterCount, ULONG *ScatterGatherElementCount);

/* ---- version 3 ---- */

/** Execute and AllocateResources fail where they would have to wait. */
WDFAPI VOID WdfDmaTransactionSetImmediateExecution(WDFDMATRANSACTION DmaTransaction, BOOLEAN UseImmediateExecution);
/**
 * Map registers for transactions to come, kept through Release.
 *
 * @param RequiredMapRegisters  0: as many as what was initialized needs; the driver initializes again afterwards
 * @return STATUS_INVALID_DEVICE_REQUEST: version 2, or a scatter/gather profile; STATUS_INVALID_PARAMETER: no such direction;
 *         STATUS_INSUFFICIENT_RESOURCES
 */
WDFAPI NTSTATUS WdfDmaTransactionAllocateResources(WDFDMATRANSACTION DmaTransaction, WDF_DMA_DIRECTION DmaDirection,
                                                   ULONG RequiredMapRegisters, PFN_WDF_RESERVE_DMA EvtReserveDmaFunction,
                                                   PVOID EvtReserveDmaContext);
WDFAPI VOID     WdfDmaTransactionFreeResources(WDFDMATRANSACTION DmaTransaction);
/** TRUE: it waited for map registers and does not any longer; EvtProgramDma will not be called */
WDFAPI BOOLEAN WdfDmaTransactionCancel(WDFDMATRANSACTION DmaTransaction);
/** DMA_TRANSFER_CONTEXT_SIZE_V1 bytes, for the driver's own calls of the adapter. NULL: version 2, or not initialized */
WDFAPI PVOID WdfDmaTransactionWdmGetTransferContext(WDFDMATRANSACTION DmaTransaction);

/* ---- system profiles; with others no effect ---- */

WDFAPI VOID WdfDmaTransactionSetChannelConfigurationCallback(WDFDMATRANSACTION                             DmaTransaction,
                                                             PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL ConfigureRoutine,
                                                             PVOID                                         ConfigureContext);
WDFAPI VOID WdfDmaTransactionSetTransferCompleteCallback(WDFDMATRANSACTION                             DmaTransaction,
                                                         PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE DmaCompletionRoutine,
                                                         PVOID                                         DmaCompletionContext);
/** From the enabler's DeviceAddress, for the transfers to come. */
WDFAPI VOID WdfDmaTransactionSetDeviceAddressOffset(WDFDMATRANSACTION DmaTransaction, ULONG Offset);
/** The controller stops; the completion callback is told DmaCancelled. */
WDFAPI VOID WdfDmaTransactionStopSystemTransfer(WDFDMATRANSACTION DmaTransaction);

#ifdef __cplusplus
}
#endif
#endif
