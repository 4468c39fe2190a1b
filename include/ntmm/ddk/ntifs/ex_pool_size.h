/*
 * ex_pool_size.h - how large is this pool block?
 * Source  WDK reference: ntifs.h, ExQueryPoolBlockSize.
 */
#ifndef NTMM_DDK_NTIFS_EX_POOL_SIZE_H
#define NTMM_DDK_NTIFS_EX_POOL_SIZE_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The bytes that a block can hold, which may be more than were asked for. Obsolete.
 *
 * @param PoolBlock     what an ExAllocatePool routine returned
 * @param QuotaCharged  out: TRUE when a process was charged for it
 * @irql       as for ExFreePool (choice: the reference is silent)
 * @bugcheck   as ExFreePool, for an address at which no block begins
 * @source     WDK reference: ntifs.h, ExQueryPoolBlockSize (says of itself that it was never documented); what it returns is a choice
 */
NTKERNELAPI SIZE_T ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged);

#ifdef __cplusplus
}
#endif
#endif
