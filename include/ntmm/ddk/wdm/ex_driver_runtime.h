/*
 * ex_driver_runtime.h - one driver for old and new Windows: opting in to NX pool and to pool that is zeroed.
 *
 *     -DPOOL_NX_OPTIN=1                 NonPagedPool becomes a variable, which ExInitializeDriverRuntime(DrvRtPoolNxOptIn) sets to
 *                                       NonPagedPoolNx from Windows 8 on; until then it is NonPagedPoolExecute
 *     -DPOOL_NX_OPTIN_AUTO=1            NonPagedPool becomes NonPagedPoolNx when the driver is compiled
 *     #define POOL_NX_OPTOUT 1          neither, for this source file
 *     #define POOL_ZERO_DOWN_LEVEL_SUPPORT   ExAllocatePoolZero and its like zero by themselves unless ExInitializeDriverRuntime has found a
 *                                       Windows that does so (10, version 2004)
 *
 * The variables belong to the image that is linked: all sources of a driver, and not those of another in a shared library of its own.
 *
 * Source  WDK reference: ExInitializeDriverRuntime; "Single Binary Opt-In: POOL_NX_OPTIN", "Multiple Binary Opt-In: POOL_NX_OPTIN_AUTO",
 *         "Selective Opt-Out: POOL_NX_OPTOUT", "Updating deprecated ExAllocatePool calls".
 */
#ifndef NTMM_DDK_WDM_EX_DRIVER_RUNTIME_H
#define NTMM_DDK_WDM_EX_DRIVER_RUNTIME_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(POOL_NX_OPTIN) && !defined(POOL_NX_OPTOUT)
#if POOL_NX_OPTIN
#define NTMM_POOL_NX_OPTIN_ 1
#endif
#endif
#if defined(POOL_NX_OPTIN_AUTO) && !defined(POOL_NX_OPTOUT)
#if POOL_NX_OPTIN_AUTO
#define NTMM_POOL_NX_OPTIN_AUTO_ 1
#endif
#endif

typedef enum _DRIVER_RUNTIME_INIT_FLAGS { DrvRtPoolNxOptIn = 0x00000001, LastDrvRtFlag } DRIVER_RUNTIME_INIT_FLAGS;

#ifdef NTMM_POOL_NX_OPTIN_
DECLSPEC_SELECTANY POOL_TYPE ExDefaultNonPagedPoolType = NonPagedPoolExecute;
#endif
#ifdef POOL_ZERO_DOWN_LEVEL_SUPPORT
DECLSPEC_SELECTANY BOOLEAN ExPoolZeroingNativelySupported = FALSE;
#endif

/**
 * To be called in DriverEntry, before anything is allocated.
 *
 * @param RuntimeFlags  DrvRtPoolNxOptIn: NonPagedPool becomes NonPagedPoolNx where Windows has it; needs POOL_NX_OPTIN. Other bits mean
 *                      nothing
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL, by a driver that has opted in to one of the two
 * @source    WDK reference: wdm.h, ExInitializeDriverRuntime
 */
FORCEINLINE VOID ExInitializeDriverRuntime(ULONG RuntimeFlags)
{
#ifdef NTMM_POOL_NX_OPTIN_
    if ((RuntimeFlags & DrvRtPoolNxOptIn) != 0)
        ExDefaultNonPagedPoolType = RtlIsNtDdiVersionAvailable(NTDDI_WIN8) ? NonPagedPoolNx : NonPagedPoolExecute;
#endif
#ifdef POOL_ZERO_DOWN_LEVEL_SUPPORT
    ExPoolZeroingNativelySupported = RtlIsNtDdiVersionAvailable(NTDDI_WIN10_VB);
#endif
    (void)RuntimeFlags;
}

#if defined(NTMM_POOL_NX_OPTIN_)
#define NonPagedPool ExDefaultNonPagedPoolType
#define NonPagedPoolCacheAligned ((POOL_TYPE)(ExDefaultNonPagedPoolType + 4))
#elif defined(NTMM_POOL_NX_OPTIN_AUTO_)
#define NonPagedPool NonPagedPoolNx
#define NonPagedPoolCacheAligned NonPagedPoolNxCacheAligned
#endif

#ifdef __cplusplus
}
#endif
#endif
