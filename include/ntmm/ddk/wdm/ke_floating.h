/*
 * ke_floating.h - the floating point registers around a use of them in kernel mode. On x64 every thread keeps its own, and there is nothing to save.
 *
 * Source  WDK reference: wdm.h, KeSaveFloatingPointState, KeRestoreFloatingPointState; "Using floating point in a WDM driver".
 */
#ifndef NTMM_DDK_WDM_KE_FLOATING_H
#define NTMM_DDK_WDM_KE_FLOATING_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _KFLOATING_SAVE {
    ULONG Dummy;
} KFLOATING_SAVE, *PKFLOATING_SAVE;

/** @return STATUS_SUCCESS; nothing is written, as on x64 @irql <= DISPATCH_LEVEL on x86; not checked on x64 @source WDK reference: wdm.h */
FORCEINLINE NTSTATUS KeSaveFloatingPointState(PVOID FloatingState)
{
    (void)FloatingState;
    return STATUS_SUCCESS;
}
FORCEINLINE NTSTATUS KeRestoreFloatingPointState(PVOID FloatingState)
{
    (void)FloatingState;
    return STATUS_SUCCESS;
}

#ifdef __cplusplus
}
#endif
#endif
