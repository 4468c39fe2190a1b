/*
 * fsrtl.h - what file systems call before and after everything else: pool that is there or raises, and regions in which they are not suspended.
 *
 * Source  WDK reference: ntifs.h, the pages of these routines.
 */
#ifndef NTMM_DDK_NTIFS_FSRTL_H
#define NTMM_DDK_NTIFS_FSRTL_H

/** Pool as ExAllocatePoolWithTag gives it, or STATUS_INSUFFICIENT_RESOURCES is raised. @irql as ExAllocatePoolWithTag */
#define FsRtlAllocatePoolWithTag(PoolType, NumberOfBytes, Tag) \
    ExAllocatePoolWithTag((POOL_TYPE)((ULONG)(PoolType) | POOL_RAISE_IF_ALLOCATION_FAILURE), (NumberOfBytes), (Tag))
#define FsRtlAllocatePool(PoolType, NumberOfBytes) FsRtlAllocatePoolWithTag((PoolType), (NumberOfBytes), 'trSF')
/** The same, charged to the process; STATUS_QUOTA_EXCEEDED is raised, too. */
#define FsRtlAllocatePoolWithQuotaTag(PoolType, NumberOfBytes, Tag) \
    ExAllocatePoolWithQuotaTag((POOL_TYPE)((ULONG)(PoolType) | POOL_RAISE_IF_ALLOCATION_FAILURE), (NumberOfBytes), (Tag))
#define FsRtlAllocatePoolWithQuota(PoolType, NumberOfBytes) FsRtlAllocatePoolWithQuotaTag((PoolType), (NumberOfBytes), 'trSF')

/** KeEnterCriticalRegion and KeLeaveCriticalRegion, around what a request of a file system does. @irql <= APC_LEVEL */
#define FsRtlEnterFileSystem() KeEnterCriticalRegion()
#define FsRtlExitFileSystem() KeLeaveCriticalRegion()

#endif
