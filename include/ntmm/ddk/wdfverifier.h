/*
 * wdfverifier.h - a breakpoint, and a bug check, by way of the framework.
 *
 * Source  WDK reference: wdfverifier.h, WdfVerifierDbgBreakPoint, WdfVerifierKeBugCheck.
 */
#ifndef NTMM_DDK_WDFVERIFIER_H
#define NTMM_DDK_WDFVERIFIER_H

#include "wdftypes.h"

/** The expression is evaluated always, and should be true: NT_VERIFY. @source WDK: wdfassert.h, part of wdf.h */
#ifndef WDFVERIFY
#define WDFVERIFY(exp) NT_VERIFY(exp)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** DbgBreakPoint. @irql any @source WDK reference: wdfverifier.h */
FORCEINLINE VOID WdfVerifierDbgBreakPoint(VOID) { DbgBreakPoint(); }
/** KeBugCheckEx. @irql any @source WDK reference: wdfverifier.h */
FORCEINLINE VOID WdfVerifierKeBugCheck(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2,
                                       ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4)
{
    KeBugCheckEx(BugCheckCode, BugCheckParameter1, BugCheckParameter2, BugCheckParameter3, BugCheckParameter4);
}

#ifdef __cplusplus
}
#endif
#endif
