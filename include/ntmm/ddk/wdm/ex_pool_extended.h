/*
 * ex_pool_extended.h - pool with extended parameters: a priority, a NUMA node, or memory that its own driver can no longer write to.
 *
 *     ExCreatePool ---> handle ---> ExAllocatePool3: filled from Buffer once ---> read-only for everybody
 *                                     ExSecurePoolUpdate    the one way to change it, for who knows handle, tag and cookie
 *                                     ExFreePool2           the one way to free it, likewise
 *                       ExDestroyPool: when all that can be freed has been
 *
 * Source  WDK reference: wdm.h, the pages of these routines.
 */
#ifndef NTMM_DDK_WDM_EX_POOL_EXTENDED_H
#define NTMM_DDK_WDM_EX_POOL_EXTENDED_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum POOL_EXTENDED_PARAMETER_TYPE {
    PoolExtendedParameterInvalidType = 0,
    PoolExtendedParameterPriority,
    PoolExtendedParameterSecurePool,
    PoolExtendedParameterNumaNode,
    PoolExtendedParameterMax
} POOL_EXTENDED_PARAMETER_TYPE,
    *PPOOL_EXTENDED_PARAMETER_TYPE;

typedef ULONG POOL_NODE_REQUIREMENT; /* a node's number; with MM_ANY_NODE_OK or-ed to it, others will do */

#define SECURE_POOL_FLAGS_NONE 0x0
#define SECURE_POOL_FLAGS_FREEABLE 0x1   /* it may be freed */
#define SECURE_POOL_FLAGS_MODIFIABLE 0x2 /* ExSecurePoolUpdate may change it */

typedef struct _POOL_EXTENDED_PARAMS_SECURE_POOL {
    HANDLE    SecurePoolHandle;
    PVOID     Buffer;          /* allocating: what the block is to hold, NumberOfBytes of it; NULL: zeros. Freeing: NULL */
    ULONG_PTR Cookie;          /* any number; whoever updates, validates or frees must know it */
    ULONG     SecurePoolFlags; /* allocating: SECURE_POOL_FLAGS_*. Freeing: 0 */
} POOL_EXTENDED_PARAMS_SECURE_POOL;

#define POOL_EXTENDED_PARAMETER_TYPE_BITS 8
#define POOL_EXTENDED_PARAMETER_REQUIRED_FIELD_BITS 1
#define POOL_EXTENDED_PARAMETER_RESERVED_BITS (64 - POOL_EXTENDED_PARAMETER_TYPE_BITS - POOL_EXTENDED_PARAMETER_REQUIRED_FIELD_BITS)

typedef struct _POOL_EXTENDED_PARAMETER {
    struct {
        ULONG64 Type : POOL_EXTENDED_PARAMETER_TYPE_BITS; /* POOL_EXTENDED_PARAMETER_TYPE */
        ULONG64 Optional : POOL_EXTENDED_PARAMETER_REQUIRED_FIELD_BITS;
        ULONG64 Reserved : POOL_EXTENDED_PARAMETER_RESERVED_BITS; /* 0 */
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
NTMM_LAYOUT(sizeof(POOL_EXTENDED_PARAMETER) == 16, "POOL_EXTENDED_PARAMETER, x64");

/**
 * As ExAllocatePool2, with extended parameters.
 *
 * @param ExtendedParameters       [ExtendedParametersCount], each of another Type: PoolExtendedParameterPriority;
 *                                 PoolExtendedParameterNumaNode and PoolExtendedParameterSecurePool, both for POOL_FLAG_NON_PAGED only.
 *                                 One with Optional set is ignored when it is unknown or does not fit; any other fails the call
 * @param ExtendedParametersCount  0: no array is read
 * @return NULL, or with POOL_FLAG_RAISE_ON_FAILURE an exception, for the reasons of ExAllocatePool2; when a parameter is not acceptable; when
 *         memory is too short for the priority; when a node without MM_ANY_NODE_OK has none
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck   BAD_POOL_CALLER: 0x08 IRQL too high
 * @source     WDK reference: ExAllocatePool3, POOL_EXTENDED_PARAMETER
 */
NTKERNELAPI PVOID ExAllocatePool3(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters,
                                  ULONG ExtendedParametersCount);

/**
 * As ExFreePoolWithTag, also for secure pool.
 *
 * @param ExtendedParameters       ordinary pool: NULL. Secure pool: one of PoolExtendedParameterSecurePool with handle and cookie of the
 *                                 block, Buffer NULL and SecurePoolFlags 0
 * @param ExtendedParametersCount  0 or 1
 * @irql       <= DISPATCH_LEVEL; <= APC_LEVEL if the block is paged
 * @bugcheck   as ExFreePoolWithTag; BAD_POOL_CALLER: 0x0A tag differs, 0x99 anything else that does not fit, or a block that was allocated
 *             without SECURE_POOL_FLAGS_FREEABLE. The reference names the code alone: the sub-codes are a choice
 * @source     WDK reference: ExFreePool2
 */
NTKERNELAPI VOID ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount);

/* ---- secure pools ---- */

#define POOL_CREATE_FLG_SECURE_POOL 0x1
#define POOL_CREATE_FLG_USE_GLOBAL_POOL 0x2
#define POOL_CREATE_FLG_VALID_FLAGS (POOL_CREATE_FLG_SECURE_POOL | POOL_CREATE_FLG_USE_GLOBAL_POOL)
#define POOL_CREATE_PARAMS_VERSION 1

typedef enum _POOL_CREATE_EXTENDED_PARAMETER_TYPE {
    PoolCreateExtendedParameterInvalidType = 0,
    PoolCreateExtendedParameterName
} POOL_CREATE_EXTENDED_PARAMETER_TYPE,
    *PPOOL_CREATE_EXTENDED_PARAMETER_TYPE;

typedef struct _POOL_CREATE_EXTENDED_PARAMETER {
    POOL_CREATE_EXTENDED_PARAMETER_TYPE Type;
    union {
        UNICODE_STRING PoolName;
    };
} POOL_CREATE_EXTENDED_PARAMETER, *PPOOL_CREATE_EXTENDED_PARAMETER;

typedef struct _POOL_CREATE_EXTENDED_PARAMS {
    ULONG                           Version; /* POOL_CREATE_PARAMS_VERSION */
    ULONG                           ParameterCount;
    PPOOL_CREATE_EXTENDED_PARAMETER Parameters; /* [ParameterCount]; NULL for none */
} POOL_CREATE_EXTENDED_PARAMS, *PPOOL_CREATE_EXTENDED_PARAMS;

/**
 * Create a secure pool.
 *
 * @param Flags       POOL_CREATE_FLG_SECURE_POOL, with or without POOL_CREATE_FLG_USE_GLOBAL_POOL
 * @param Tag         four characters, not zero
 * @param Params      NULL, or a version with no parameter: a secure pool has no name
 * @param PoolHandle  out: for ExAllocatePool3, and for ExDestroyPool in the end
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_1 for other flags, _2 for the tag (choice), _3 for a parameter,
 *         STATUS_INVALID_PARAMETER for another version, STATUS_INSUFFICIENT_RESOURCES
 * @irql       PASSIVE_LEVEL
 * @bugcheck   IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @models     private paged and nonpaged pools are not there: the documents give no values for their flags, and no way to allocate from them
 * @source     WDK reference: ExCreatePool, POOL_CREATE_EXTENDED_PARAMS, POOL_CREATE_EXTENDED_PARAMETER
 */
NTKERNELAPI NTSTATUS ExCreatePool(ULONG Flags, ULONG_PTR Tag, POOL_CREATE_EXTENDED_PARAMS *Params, HANDLE *PoolHandle);

/**
 * Destroy a secure pool. What was allocated from it without SECURE_POOL_FLAGS_FREEABLE stays for ever, and is not a leak.
 *
 * @irql       PASSIVE_LEVEL
 * @bugcheck   IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL;
 *             BAD_POOL_CALLER: 0x99 with the handle, no pool has it, or allocations are left that could have been freed (choice)
 * @source     WDK reference: ExDestroyPool
 */
NTKERNELAPI VOID ExDestroyPool(HANDLE PoolHandle);

/**
 * Change what a block of secure pool holds.
 *
 * @param Tag, Cookie   those of its allocation
 * @param Allocation    its first byte
 * @param Offset, Size  bytes; Offset + Size lies within the allocation
 * @param Buffer        Size bytes
 * @return STATUS_SUCCESS; STATUS_INVALID_HANDLE; STATUS_INVALID_PARAMETER when one of the others does not fit; STATUS_ACCESS_DENIED for a
 *         block without SECURE_POOL_FLAGS_MODIFIABLE. The reference names none: choice
 * @irql       <= DISPATCH_LEVEL (choice: the reference is silent)
 * @bugcheck   IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source     WDK reference: ExSecurePoolUpdate
 */
NTKERNELAPI NTSTATUS ExSecurePoolUpdate(HANDLE SecurePoolHandle, ULONG Tag, PVOID Allocation, ULONG_PTR Cookie, SIZE_T Offset, SIZE_T Size,
                                        PVOID Buffer);

/**
 * Is this a block of that secure pool, with that tag and cookie?
 *
 * @irql       <= DISPATCH_LEVEL (choice: the reference is silent)
 * @bugcheck   IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source     WDK reference: ExSecurePoolValidate
 */
NTKERNELAPI LOGICAL ExSecurePoolValidate(HANDLE SecurePoolHandle, ULONG Tag, PVOID Allocation, ULONG_PTR Cookie);

#ifdef __cplusplus
}
#endif
#endif
