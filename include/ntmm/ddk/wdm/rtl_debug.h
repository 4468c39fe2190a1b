/*
 * rtl_debug.h - messages for the debugger, assertions and break points.
 * There is no kernel debugger here. Messages go to stderr, or to where a test wants them (ntmm_debug_output); a break point is an exception,
 * which stops the machine when no __try takes it, as on a Windows that nobody debugs.
 *
 * Formats are those of printf for Windows: %lx has 32 bits, %I64x and %llx 64, %p 16 digits; %s and %c are 8-bit text, %S, %ws and %wc 16-bit
 * text, %Z is a pointer to an ANSI_STRING and %wZ one to a UNICODE_STRING. There is no floating point.
 *
 * KdPrint and assertions are there unless the driver is compiled with DBG defined as 0.
 *
 * Source  WDK reference: wdm.h, the page of each routine; "Reading and filtering debugging messages"; "Breakpoints and assertions".
 */
#ifndef NTMM_DDK_WDM_RTL_DEBUG_H
#define NTMM_DDK_WDM_RTL_DEBUG_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who says it: components, by number. */
#define DPFLTR_SYSTEM_ID 0
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_IHVVIDEO_ID 78
#define DPFLTR_IHVAUDIO_ID 79
#define DPFLTR_IHVNETWORK_ID 80
#define DPFLTR_IHVSTREAMING_ID 81
#define DPFLTR_IHVBUS_ID 82
#define DPFLTR_DEFAULT_ID 101

/* How important it is: a bit number from 0 to 31, or a mask of bits. */
#define DPFLTR_ERROR_LEVEL 0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL 2
#define DPFLTR_INFO_LEVEL 3
#define DPFLTR_MASK 0x80000000u

/**
 * Say something, of component DPFLTR_DEFAULT_ID and level DPFLTR_INFO_LEVEL.
 *
 * @param Format  8-bit text; at most 512 bytes of what it makes are sent
 * @return        STATUS_SUCCESS, also when the filter of the component holds it back
 * @irql          <= DIRQL. The reference wants PASSIVE_LEVEL for 16-bit text; that is not checked
 * @models        nothing is held back until ntmm_debug_filter or DbgSetDebugFilterState says so (choice)
 * @source        WDK reference: wdm.h, DbgPrint, DbgPrintEx, vDbgPrintEx, vDbgPrintExWithPrefix
 */
NTSYSAPI ULONG DbgPrint(PCSTR Format, ...);
NTSYSAPI ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...);
NTSYSAPI ULONG vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list arglist);
/** @param Prefix  put in front, as it is; it counts into the 512 bytes */
NTSYSAPI ULONG vDbgPrintExWithPrefix(PCCH Prefix, ULONG ComponentId, ULONG Level, PCCH Format, va_list arglist);

/** Is such a message let through? @return TRUE or FALSE; STATUS_INVALID_PARAMETER_1: no such component (255 is the last, choice)
 *  @irql any @source "Reading and filtering debugging messages"; wdm.h (declaration) */
NTSYSAPI NTSTATUS DbgQueryDebugFilterState(ULONG ComponentId, ULONG Level);
/** Let such messages through, or not. @return STATUS_INVALID_PARAMETER_1 @irql any @source as DbgQueryDebugFilterState */
NTSYSAPI NTSTATUS DbgSetDebugFilterState(ULONG ComponentId, ULONG Level, BOOLEAN State);

/**
 * A break point: an exception, STATUS_BREAKPOINT. A filter may go on behind it.
 *
 * @irql      any
 * @bugcheck  KMODE_EXCEPTION_NOT_HANDLED (0x1E), in a system thread 0x7E: no __try takes it
 * @source    WDK reference: wdm.h, DbgBreakPoint, DbgBreakPointWithStatus
 */
NTSYSAPI VOID DbgBreakPoint(VOID);
NTSYSAPI VOID DbgBreakPointWithStatus(ULONG Status); /* Status goes to a debugger: it is in the exception's information (choice) */

/** An assertion that failed: an exception, STATUS_ASSERTION_FAILURE. @irql any @bugcheck as DbgBreakPoint
 *  @source WDK reference: wdm.h, NT_ASSERT; ntstatus.h */
NTMM_PUBLIC VOID ntmm_raise_assertion(VOID);
#define DbgRaiseAssertionFailure() ntmm_raise_assertion()

/** Prints the assertion, then breaks as DbgBreakPoint. @param Message  printed, too, unless NULL @irql any @bugcheck as DbgBreakPoint
 *  @source WDK reference: wdm.h, ASSERT */
NTSYSAPI VOID RtlAssert(PVOID VoidFailedAssertion, PVOID VoidFileName, ULONG LineNumber, PSTR MutableMessage);

#define KD_DEBUGGER_ENABLED FALSE
#define KD_DEBUGGER_NOT_PRESENT TRUE
/** Nobody debugs, ever. @return TRUE: no debugger @irql any @source WDK reference: wdm.h, KdRefreshDebuggerNotPresent */
NTKERNELAPI BOOLEAN KdRefreshDebuggerNotPresent(VOID);

#if defined(DBG) && DBG + 0 == 0
#define KdPrint(_x_)
#define KdPrintEx(_x_)
#define vKdPrintEx(_x_)
#define vKdPrintExWithPrefix(_x_)
#define KdBreakPoint()
#define KdBreakPointWithStatus(s)
#define ASSERT(exp) ((void)0)
#define ASSERTMSG(msg, exp) ((void)0)
#define RTL_SOFT_ASSERT(exp) ((void)0)
#define RTL_SOFT_ASSERTMSG(msg, exp) ((void)0)
#define NT_ASSERT(exp) ((void)0)
#define NT_ASSERTMSG(msg, exp) ((void)0)
#define NT_ASSERTMSGW(msg, exp) ((void)0)
#define NT_VERIFY(exp) ((exp) ? TRUE : FALSE)
#define NT_VERIFYMSG(msg, exp) ((exp) ? TRUE : FALSE)
#define NT_VERIFYMSGW(msg, exp) ((exp) ? TRUE : FALSE)
#define RTL_VERIFY(exp) ((exp) ? TRUE : FALSE)
#define RTL_VERIFYMSG(msg, exp) ((exp) ? TRUE : FALSE)
#else
#define KdPrint(_x_) DbgPrint _x_
#define KdPrintEx(_x_) DbgPrintEx _x_
#define vKdPrintEx(_x_) vDbgPrintEx _x_
#define vKdPrintExWithPrefix(_x_) vDbgPrintExWithPrefix _x_
#define KdBreakPoint() DbgBreakPoint()
#define KdBreakPointWithStatus(s) DbgBreakPointWithStatus(s)
#define NTMM_ASSERT_TOLD(exp, message) \
    (!(exp) ? (RtlAssert((PVOID)(ULONG_PTR) #exp, (PVOID)(ULONG_PTR)__FILE__, __LINE__, message), FALSE) : TRUE)
#define ASSERT(exp) NTMM_ASSERT_TOLD(exp, NULL)
#define ASSERTMSG(msg, exp) NTMM_ASSERT_TOLD(exp, (PSTR)(ULONG_PTR)(msg))
#define RTL_SOFT_ASSERT(exp) ((!(exp)) ? (DbgPrint("%s(%d): soft assertion failed: %s\n", __FILE__, __LINE__, #exp), FALSE) : TRUE)
#define RTL_SOFT_ASSERTMSG(msg, exp) \
    ((!(exp)) ? (DbgPrint("%s(%d): soft assertion failed: %s: %s\n", __FILE__, __LINE__, #exp, msg), FALSE) : TRUE)
#define NTMM_ASSERT_SAID(exp) \
    (!(exp) ? (DbgPrint("%s(%d): assertion failed: %s\n", __FILE__, __LINE__, #exp), DbgRaiseAssertionFailure(), FALSE) : TRUE)
#define NTMM_ASSERT_SAID_WITH(format, msg, exp) \
    (!(exp) ? (DbgPrint("%s(%d): assertion failed: %s: " format "\n", __FILE__, __LINE__, #exp, msg), DbgRaiseAssertionFailure(), FALSE) \
            : TRUE)
#define NT_ASSERT(exp) NTMM_ASSERT_SAID(exp)
#define NT_ASSERTMSG(msg, exp) NTMM_ASSERT_SAID_WITH("%s", msg, exp)
#define NT_ASSERTMSGW(msg, exp) NTMM_ASSERT_SAID_WITH("%ws", msg, exp)
#define NT_VERIFY(exp) NT_ASSERT(exp)
#define NT_VERIFYMSG(msg, exp) NT_ASSERTMSG(msg, exp)
#define NT_VERIFYMSGW(msg, exp) NT_ASSERTMSGW(msg, exp)
#define RTL_VERIFY(exp) ASSERT(exp)
#define RTL_VERIFYMSG(msg, exp) ASSERTMSG(msg, exp)
#endif
#define NT_ASSERT_ASSUME(exp) NT_ASSERT(exp)
#define NT_ASSERTMSG_ASSUME(msg, exp) NT_ASSERTMSG(msg, exp)
#define NT_ASSERT_NOASSUME(exp) NT_ASSERT(exp)
#define NT_ASSERTMSG_NOASSUME(msg, exp) NT_ASSERTMSG(msg, exp)

#ifdef __cplusplus
}
#endif
#endif
