/*
 * wdfcore.h - small arithmetic that framework drivers use: time-outs in units of 100 ns, sizes rounded to a power of two, offsets of pointers.
 *
 *     WDF_REL_TIMEOUT_IN_MS(5) = -50000     from now; WDF_ABS_...: since 1601
 *
 * Source  WDK reference: wdfcore.h; KMDF 1.33 headers.
 */
#ifndef NTMM_DDK_WDFCORE_H
#define NTMM_DDK_WDFCORE_H

#include "wdftypes.h"

WDF_EXTERN_C_START

#define WDF_TIMEOUT_TO_SEC ((LONGLONG)1 * 10 * 1000 * 1000)
#define WDF_TIMEOUT_TO_MS ((LONGLONG)1 * 10 * 1000)
#define WDF_TIMEOUT_TO_US ((LONGLONG)1 * 10)

/* Multiplied without sign: what does not fit wraps, as it does on Windows. */
FORCEINLINE LONGLONG WDF_REL_TIMEOUT_IN_SEC(ULONGLONG Time) { return (LONGLONG)(0 - Time * (ULONGLONG)WDF_TIMEOUT_TO_SEC); }
FORCEINLINE LONGLONG WDF_ABS_TIMEOUT_IN_SEC(ULONGLONG Time) { return (LONGLONG)(Time * (ULONGLONG)WDF_TIMEOUT_TO_SEC); }
FORCEINLINE LONGLONG WDF_REL_TIMEOUT_IN_MS(ULONGLONG Time) { return (LONGLONG)(0 - Time * (ULONGLONG)WDF_TIMEOUT_TO_MS); }
FORCEINLINE LONGLONG WDF_ABS_TIMEOUT_IN_MS(ULONGLONG Time) { return (LONGLONG)(Time * (ULONGLONG)WDF_TIMEOUT_TO_MS); }
FORCEINLINE LONGLONG WDF_REL_TIMEOUT_IN_US(ULONGLONG Time) { return (LONGLONG)(0 - Time * (ULONGLONG)WDF_TIMEOUT_TO_US); }
FORCEINLINE LONGLONG WDF_ABS_TIMEOUT_IN_US(ULONGLONG Time) { return (LONGLONG)(Time * (ULONGLONG)WDF_TIMEOUT_TO_US); }

/** @param AlignTo a power of two @irql any @source WDK reference: wdfcore.h, WDF_ALIGN_SIZE_DOWN */
FORCEINLINE size_t WDF_ALIGN_SIZE_DOWN(size_t Length, size_t AlignTo) { return Length & ~(AlignTo - 1); }
/** @param AlignTo a power of two @return less than Length: it wrapped @irql any @source WDK reference: wdfcore.h, WDF_ALIGN_SIZE_UP */
FORCEINLINE size_t WDF_ALIGN_SIZE_UP(size_t Length, size_t AlignTo) { return WDF_ALIGN_SIZE_DOWN(Length + AlignTo - 1, AlignTo); }

#define WDF_PTR_ADD_OFFSET_TYPE(_ptr, _offset, _type) ((_type)(((PUCHAR)(_ptr)) + (_offset)))
#define WDF_PTR_ADD_OFFSET(_ptr, _offset) WDF_PTR_ADD_OFFSET_TYPE(_ptr, _offset, PVOID)
#define WDF_PTR_GET_OFFSET(_base, _addr) (size_t)(((PUCHAR)(_addr)) - ((PUCHAR)(_base)))

WDF_EXTERN_C_END
#endif
