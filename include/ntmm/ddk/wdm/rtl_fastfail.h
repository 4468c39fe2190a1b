/*
 * rtl_fastfail.h - a check that failed so badly that no handler may run: fast fail.
 * The list routines of rtl_lists.h end here when they meet links that do not agree.
 *
 * Source  WDK reference: Bug Check 0x139 (the codes); "__fastfail" of the compiler's documentation; winnt.h and wdm.h (names).
 */
#ifndef NTMM_DDK_WDM_RTL_FASTFAIL_H
#define NTMM_DDK_WDM_RTL_FASTFAIL_H

#ifdef __cplusplus
extern "C" {
#endif

#define FAST_FAIL_LEGACY_GS_VIOLATION 0
#define FAST_FAIL_VTGUARD_CHECK_FAILURE 1
#define FAST_FAIL_STACK_COOKIE_CHECK_FAILURE 2
#define FAST_FAIL_CORRUPT_LIST_ENTRY 3
#define FAST_FAIL_INCORRECT_STACK 4
#define FAST_FAIL_INVALID_ARG 5
#define FAST_FAIL_GS_COOKIE_INIT 6
#define FAST_FAIL_FATAL_APP_EXIT 7
#define FAST_FAIL_RANGE_CHECK_FAILURE 8
#define FAST_FAIL_UNSAFE_REGISTRY_ACCESS 9
#define FAST_FAIL_GUARD_ICALL_CHECK_FAILURE 10
#define FAST_FAIL_GUARD_WRITE_CHECK_FAILURE 11
#define FAST_FAIL_INVALID_FIBER_SWITCH 12
#define FAST_FAIL_INVALID_SET_OF_CONTEXT 13
#define FAST_FAIL_INVALID_REFERENCE_COUNT 14
#define FAST_FAIL_INVALID_JUMP_BUFFER 18
#define FAST_FAIL_MRDATA_MODIFIED 19
#define FAST_FAIL_CERTIFICATION_FAILURE 20
#define FAST_FAIL_INVALID_EXCEPTION_CHAIN 21
#define FAST_FAIL_CRYPTO_LIBRARY 22
#define FAST_FAIL_INVALID_CALL_IN_DLL_CALLOUT 23
#define FAST_FAIL_INVALID_IMAGE_BASE 24
#define FAST_FAIL_DLOAD_PROTECTION_FAILURE 25
#define FAST_FAIL_UNSAFE_EXTENSION_CALL 26
#define FAST_FAIL_DEPRECATED_SERVICE_INVOKED 27
#define FAST_FAIL_INVALID_BUFFER_ACCESS 28
#define FAST_FAIL_INVALID_BALANCED_TREE 29
#define FAST_FAIL_GUARD_JUMPTABLE 37
#define FAST_FAIL_INVALID_LONGJUMP_TARGET 38
#define FAST_FAIL_GUARD_EXPORT_SUPPRESSION_FAILURE 39
#define FAST_FAIL_KERNEL_POINTER_EXPECTED 77
#define FAST_FAIL_INVALID_FAST_FAIL_CODE 0xFFFFFFFFu

/**
 * Stop the machine: a structure is damaged beyond trust.
 *
 * @param Code  FAST_FAIL_*, or a code of the driver's own
 * @irql        any
 * @bugcheck    KERNEL_SECURITY_CHECK_FAILURE (0x139): p1 the code, p2 0 where Windows names a trap frame (none is kept), p3 an
 *              EXCEPTION_RECORD of STATUS_STACK_BUFFER_OVERRUN, p4 0
 * @source      WDK reference: Bug Check 0x139
 */
NTKERNELAPI DECLSPEC_NORETURN VOID RtlFailFast(ULONG Code);

/** The compiler's intrinsic, which is an interrupt on Windows. @irql any @bugcheck as RtlFailFast @source "__fastfail", compiler's documentation */
#define __fastfail(Code) RtlFailFast((ULONG)(Code))

#ifdef __cplusplus
}
#endif
#endif
