/*
 * ex_pool.h - memory for drivers: the nonpaged and paged pools.
 * ExAllocatePool3, ExFreePool2 and secure pool are in ex_pool_extended.h.
 *
 * Source  WDK reference: wdm.h, the ExAllocatePool and ExFreePool families; Bug Check 0xC2 and 0x19.
 */
#ifndef NTMM_DDK_WDM_EX_POOL_H
#define NTMM_DDK_WDM_EX_POOL_H

#ifdef __cplusplus
extern "C" {
#endif

/* Part of a tag: the block may only be freed by naming the tag. */
#define PROTECTED_POOL 0x80000000u

/**
 * Allocate pool, filled with zeros unless POOL_FLAG_UNINITIALIZED is given.
 *
 * @param Flags          exactly one of POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED, and any of the others;
 *                       POOL_FLAG_USE_QUOTA charges a block smaller than a page to the current process
 * @param NumberOfBytes  not zero; from PAGE_SIZE on the block begins at a page, below it is 16-byte aligned and stays inside one page
 * @param Tag            one to four characters, not zero
 * @return NULL when memory is short, a quota is exceeded, or the arguments are not acceptable; with POOL_FLAG_RAISE_ON_FAILURE it raises
 *         STATUS_INSUFFICIENT_RESOURCES, STATUS_QUOTA_EXCEEDED or STATUS_INVALID_PARAMETER instead
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   BAD_POOL_CALLER: 0x08 IRQL too high
 * @models     session pool is ordinary pool; POOL_FLAG_SPECIAL_POOL changes nothing
 * @source     WDK reference: ExAllocatePool2, POOL_FLAGS
 */
NTKERNELAPI PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/**
 * Allocate pool, contents indeterminate.
 *
 * @param PoolType       a POOL_TYPE, with POOL_RAISE_IF_ALLOCATION_FAILURE, POOL_COLD_ALLOCATION and POOL_ZERO_ALLOCATION if wanted
 * @param NumberOfBytes  0 gets the smallest block
 * @param Tag            one to four characters with a letter or a digit
 * @return NULL when memory is short; with POOL_RAISE_IF_ALLOCATION_FAILURE it raises STATUS_INSUFFICIENT_RESOURCES instead
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   BAD_POOL_CALLER: 0x08 IRQL too high, 0x9A must-succeed pool, 0x9B tag 0, 0x9C tag 'BIG ', 0x9D tag without letter or digit
 * @source     WDK reference: ExAllocatePoolWithTag; Bug Check 0xC2
 */
NTKERNELAPI PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);

/**
 * As ExAllocatePoolWithTag with the tag `None`.
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   BAD_POOL_CALLER: 0x08 IRQL too high, 0x9A must-succeed pool
 * @source     WDK reference: ExAllocatePool
 */
NTKERNELAPI PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes);

/**
 * As ExAllocatePoolWithTag, for a caller who says how badly the memory is needed.
 *
 * @param Priority  Low may fail when memory is short, Normal when it is very short, High only when there is none. The ...Overrun and
 *                  ...Underrun variants place blocks in special pool and change nothing here
 * @return NULL when memory is too short for that priority; with POOL_RAISE_IF_ALLOCATION_FAILURE it raises STATUS_INSUFFICIENT_RESOURCES
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   as ExAllocatePoolWithTag
 * @models     short and very short: less than 1/8 or 1/32 of the pool's limit left, or 1/64 or 1/256 of RAM free (choice)
 * @source     WDK reference: ExAllocatePoolWithTagPriority, EX_POOL_PRIORITY
 */
NTKERNELAPI PVOID ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EX_POOL_PRIORITY Priority);

/**
 * As ExAllocatePoolWithTag, charging a block smaller than a page to the current process until it is freed.
 *
 * @param PoolType  a POOL_TYPE, with POOL_QUOTA_FAIL_INSTEAD_OF_RAISE if NULL is wanted instead of an exception
 * @return never NULL unless told so: raises STATUS_QUOTA_EXCEEDED, or STATUS_INSUFFICIENT_RESOURCES when memory is short
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   as ExAllocatePoolWithTag
 * @models     what is charged is the block with header and rounding (choice); the System process is never charged
 * @source     WDK reference: ExAllocatePoolWithQuotaTag
 */
NTKERNELAPI PVOID ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);

/** As ExAllocatePoolWithQuotaTag with the tag `None`. @source WDK reference: ExAllocatePoolWithQuota */
NTKERNELAPI PVOID ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes);

/**
 * Return a pool block to the pool it came from, and its quota to the process that was charged.
 *
 * @param P    what an ExAllocatePool routine returned
 * @param Tag  the tag given at allocation; 0 accepts any but a protected one
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL if the block is paged
 * @bugcheck   BAD_POOL_CALLER: 0x07 already free, 0x09 IRQL too high, 0x0A tag differs, 0x0D what the header says of the process to be
 *             refunded is no process, 0x46 not from a pool, 0x99 no block begins there, or secure pool;
 *             BAD_POOL_HEADER: 0x03, 0x05, 0x06, 0x08, 0x09, 0x20 headers or lists were overwritten, 0x22 whole pages that are not
 *             allocated
 * @source     WDK reference: ExFreePoolWithTag; Bug Check 0xC2, 0x19
 */
NTKERNELAPI VOID ExFreePoolWithTag(PVOID P, ULONG Tag);

/** As ExFreePoolWithTag with tag 0. @source WDK reference: ExFreePool */
NTKERNELAPI VOID ExFreePool(PVOID P);

/* ---- the same under names that say what the memory holds: inline, for drivers that also run before Windows 10, version 2004 ---- */

#ifdef POOL_ZERO_DOWN_LEVEL_SUPPORT
#define NTMM_ZERO_DOWN_LEVEL_(block, bytes) \
    ((block) != NULL && !ExPoolZeroingNativelySupported ? __builtin_memset((block), 0, (bytes)) : (block))
#else
#define NTMM_ZERO_DOWN_LEVEL_(block, bytes) (block)
#endif

/**
 * ExAllocatePoolWithTag, and zeros.
 * @models  before Windows 10, version 2004, the memory is zeroed only if the driver defines POOL_ZERO_DOWN_LEVEL_SUPPORT
 * @source  WDK reference: ExAllocatePoolZero
 */
FORCEINLINE PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID block = ExAllocatePoolWithTag((POOL_TYPE)(PoolType | POOL_ZERO_ALLOCATION), NumberOfBytes, Tag);
    return NTMM_ZERO_DOWN_LEVEL_(block, NumberOfBytes);
}
/** ExAllocatePoolWithQuotaTag, and zeros, as ExAllocatePoolZero. @source WDK reference: ExAllocatePoolQuotaZero */
FORCEINLINE PVOID ExAllocatePoolQuotaZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID block = ExAllocatePoolWithQuotaTag((POOL_TYPE)(PoolType | POOL_ZERO_ALLOCATION), NumberOfBytes, Tag);
    return NTMM_ZERO_DOWN_LEVEL_(block, NumberOfBytes);
}
/** ExAllocatePoolWithTagPriority, and zeros, as ExAllocatePoolZero. @source WDK reference: ExAllocatePoolPriorityZero */
FORCEINLINE PVOID ExAllocatePoolPriorityZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EX_POOL_PRIORITY Priority)
{
    PVOID block = ExAllocatePoolWithTagPriority((POOL_TYPE)(PoolType | POOL_ZERO_ALLOCATION), NumberOfBytes, Tag, Priority);
    return NTMM_ZERO_DOWN_LEVEL_(block, NumberOfBytes);
}

/** ExAllocatePoolWithTag. @source WDK reference: ExAllocatePoolUninitialized */
FORCEINLINE PVOID ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}
/** ExAllocatePoolWithQuotaTag. @source WDK reference: ExAllocatePoolQuotaUninitialized */
FORCEINLINE PVOID ExAllocatePoolQuotaUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return ExAllocatePoolWithQuotaTag(PoolType, NumberOfBytes, Tag);
}
/** ExAllocatePoolWithTagPriority. @source WDK reference: ExAllocatePoolPriorityUninitialized */
FORCEINLINE PVOID ExAllocatePoolPriorityUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EX_POOL_PRIORITY Priority)
{
    return ExAllocatePoolWithTagPriority(PoolType, NumberOfBytes, Tag, Priority);
}

#ifdef __cplusplus
}
#endif
#endif
