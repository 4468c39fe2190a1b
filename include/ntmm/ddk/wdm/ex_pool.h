/*
 * ex_pool.h - memory for drivers: the nonpaged and paged pools.
 * Source  WDK reference: wdm.h, the ExAllocatePool and ExFreePool families; Bug Check 0xC2 and 0x19.
 */
#ifndef NTMM_DDK_WDM_EX_POOL_H
#define NTMM_DDK_WDM_EX_POOL_H

#ifdef __cplusplus
extern "C" {
#endif

/* Part of a tag: the block may only be freed by naming the tag. */
#define PROTECTED_POOL 0x80000000u

/* What ExFreePool2 may be told beside the tag. */
typedef enum POOL_EXTENDED_PARAMETER_TYPE {
    PoolExtendedParameterInvalidType = 0,
    PoolExtendedParameterPriority,
    PoolExtendedParameterSecurePool,
    PoolExtendedParameterNumaNode,
    PoolExtendedParameterMax
} POOL_EXTENDED_PARAMETER_TYPE,
    *PPOOL_EXTENDED_PARAMETER_TYPE;
typedef enum _EX_POOL_PRIORITY {
    LowPoolPriority = 0,
    LowPoolPrioritySpecialPoolOverrun = 8,
    LowPoolPrioritySpecialPoolUnderrun = 9,
    NormalPoolPriority = 16,
    NormalPoolPrioritySpecialPoolOverrun = 24,
    NormalPoolPrioritySpecialPoolUnderrun = 25,
    HighPoolPriority = 32,
    HighPoolPrioritySpecialPoolOverrun = 40,
    HighPoolPrioritySpecialPoolUnderrun = 41
} EX_POOL_PRIORITY;
typedef ULONG POOL_NODE_REQUIREMENT;
typedef struct _POOL_EXTENDED_PARAMS_SECURE_POOL {
    HANDLE    SecurePoolHandle;
    PVOID     Buffer;
    ULONG_PTR Cookie;
    ULONG     SecurePoolFlags;
} POOL_EXTENDED_PARAMS_SECURE_POOL;
typedef struct _POOL_EXTENDED_PARAMETER {
    struct {
        ULONG64 Type : 8; /* POOL_EXTENDED_PARAMETER_TYPE */
        ULONG64 Optional : 1;
        ULONG64 Reserved : 55;
    };
    union {
        ULONG64                           Reserved2;
        PVOID                             Reserved3;
        EX_POOL_PRIORITY                  Priority;
        POOL_EXTENDED_PARAMS_SECURE_POOL *SecurePoolParams;
        POOL_NODE_REQUIREMENT             PreferredNode;
    };
} POOL_EXTENDED_PARAMETER, *PPOOL_EXTENDED_PARAMETER;
typedef const POOL_EXTENDED_PARAMETER *PCPOOL_EXTENDED_PARAMETER;

/**
 * Allocate pool, filled with zeros unless POOL_FLAG_UNINITIALIZED is given.
 *
 * @param Flags          exactly one of POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED, and any of the others
 * @param NumberOfBytes  not zero; from PAGE_SIZE on the block begins at a page, below it is 16-byte aligned and stays inside one page
 * @param Tag            one to four characters, not zero
 * @return NULL when memory is short, or the arguments are not acceptable; with POOL_FLAG_RAISE_ON_FAILURE it raises instead
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   BAD_POOL_CALLER: 0x08 IRQL too high
 * @models     quota is accepted and not charged (only the System process allocates); session pool is ordinary pool
 * @source     WDK reference: ExAllocatePool2, POOL_FLAGS
 */
NTKERNELAPI PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/**
 * Allocate pool, contents indeterminate.
 *
 * @param PoolType       a POOL_TYPE, with POOL_RAISE_IF_ALLOCATION_FAILURE and POOL_COLD_ALLOCATION if wanted
 * @param NumberOfBytes  0 gets the smallest block
 * @param Tag            one to four characters with a letter or a digit
 * @return NULL when memory is short, unless told to raise
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
 * Return a pool block to the pool it came from.
 *
 * @param P    what an ExAllocatePool routine returned
 * @param Tag  the tag given at allocation; 0 accepts any but a protected one
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL if the block is paged
 * @bugcheck   BAD_POOL_CALLER: 0x07 already free, 0x09 IRQL too high, 0x0A tag differs, 0x46 not from a pool, 0x99 no block begins there;
 *             BAD_POOL_HEADER: 0x03, 0x05, 0x06, 0x08, 0x09, 0x20 headers or lists were overwritten, 0x22 whole pages that are not
 *             allocated
 * @source     WDK reference: ExFreePoolWithTag; Bug Check 0xC2, 0x19
 */
NTKERNELAPI VOID ExFreePoolWithTag(PVOID P, ULONG Tag);

/** As ExFreePoolWithTag with tag 0. @source WDK reference: ExFreePool */
NTKERNELAPI VOID ExFreePool(PVOID P);

/**
 * As ExFreePoolWithTag.
 * @models  the parameters concern secure pools, which nobody can create here: they are ignored
 * @source  WDK reference: ExFreePool2 (prototype only)
 */
NTKERNELAPI VOID ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount);

/** ExAllocatePoolWithTag and zeros. @source WDK reference: ExAllocatePoolZero */
FORCEINLINE PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID block = ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
    if (block != NULL)
        __builtin_memset(block, 0, NumberOfBytes);
    return block;
}

/** ExAllocatePoolWithTag under a name that says what it leaves. @source WDK reference: ExAllocatePoolUninitialized */
FORCEINLINE PVOID ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

#ifdef __cplusplus
}
#endif
#endif
