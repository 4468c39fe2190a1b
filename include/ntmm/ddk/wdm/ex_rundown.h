/*
 * ex_rundown.h - rundown protection: who uses an object says so, and who wants to delete it waits until nobody does.
 *
 *     in use by n --ExWaitForRundownProtectionRelease--> no new users, the wait lasts while n > 0 --> run down --ExReInitialize...--> in use by 0
 *
 * The cache-aware form keeps a count for each processor, in memory that the driver has for it, or that is allocated.
 *
 * Source  WDK reference: wdm.h, "Run-Down Protection", and the page of each routine.
 */
#ifndef NTMM_DDK_WDM_EX_RUNDOWN_H
#define NTMM_DDK_WDM_EX_RUNDOWN_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _EX_RUNDOWN_REF { /* opaque */
    union {
        ULONG_PTR Count;
        PVOID     Ptr;
    };
} EX_RUNDOWN_REF, *PEX_RUNDOWN_REF;
NTMM_LAYOUT(sizeof(EX_RUNDOWN_REF) == 8, "EX_RUNDOWN_REF, x64");

typedef struct _EX_RUNDOWN_REF_CACHE_AWARE *PEX_RUNDOWN_REF_CACHE_AWARE; /* opaque */

/** Nobody uses it. @irql any (not checked) @source WDK reference: wdm.h, ExInitializeRundownProtection */
NTKERNELAPI VOID ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef);
/** After it was run down: for a new object. @irql <= APC_LEVEL @bugcheck 0xA above; KERNEL_SECURITY_CHECK_FAILURE (0x139/14): it is not
 *  run down (choice) @source WDK reference: wdm.h, ExReInitializeRundownProtection */
NTKERNELAPI VOID ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef);

/**
 * One more user, or Count of them.
 *
 * @return    FALSE: the object is being run down, or has been: keep away from it
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, ExAcquireRundownProtection, ExAcquireRundownProtectionEx
 */
NTKERNELAPI BOOLEAN ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef);
NTKERNELAPI BOOLEAN ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count);

/**
 * One user less, or Count.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above; KERNEL_SECURITY_CHECK_FAILURE (0x139/14): there are not so many (choice)
 * @source    WDK reference: wdm.h, ExReleaseRundownProtection, ExReleaseRundownProtectionEx
 */
NTKERNELAPI VOID ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef);
NTKERNELAPI VOID ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count);

/**
 * No new users from now on; wait until those there are have released it. At once, when it is run down already.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, ExWaitForRundownProtectionRelease
 */
NTKERNELAPI VOID ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef);
/** It is run down, and that is all. @irql <= APC_LEVEL @bugcheck 0xA above; 0x139/14: it is not run down (choice)
 *  @source WDK reference: wdm.h, ExRundownCompleted */
NTKERNELAPI VOID ExRundownCompleted(PEX_RUNDOWN_REF RunRef);

/* ---- a count for each processor ---- */

/** @return NULL: no memory @param PoolType  nonpaged if it shall be used at DISPATCH_LEVEL @irql <= APC_LEVEL; DISPATCH_LEVEL for
 *  nonpaged memory @source WDK reference: wdm.h, ExAllocateCacheAwareRundownProtection */
NTKERNELAPI PEX_RUNDOWN_REF_CACHE_AWARE ExAllocateCacheAwareRundownProtection(POOL_TYPE PoolType, ULONG PoolTag);
/** Of what that has allocated. @irql as ExFreePool @source WDK reference: wdm.h, ExFreeCacheAwareRundownProtection */
NTKERNELAPI VOID ExFreeCacheAwareRundownProtection(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware);
/** Bytes for ExInitializeRundownProtectionCacheAware. @irql any @source WDK reference: wdm.h, ExSizeOfRundownProtectionCacheAware */
NTKERNELAPI SIZE_T ExSizeOfRundownProtectionCacheAware(VOID);
/** In the driver's own memory, of that many bytes. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdm.h, ExInitializeRundownProtectionCacheAware */
NTKERNELAPI VOID ExInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, SIZE_T RunRefSize);
/** As the routines without CacheAware. @irql, @bugcheck as those, but for releases that nobody has acquired: the counts of single processors
 *  do not show them @source WDK reference: wdm.h */
NTKERNELAPI VOID    ExReInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware);
NTKERNELAPI BOOLEAN ExAcquireRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware);
NTKERNELAPI BOOLEAN ExAcquireRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count);
NTKERNELAPI VOID    ExReleaseRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware);
NTKERNELAPI VOID    ExReleaseRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count);
NTKERNELAPI VOID    ExWaitForRundownProtectionReleaseCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware);
NTKERNELAPI VOID    ExRundownCompletedCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware);

#ifdef __cplusplus
}
#endif
#endif
