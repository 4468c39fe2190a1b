/*
 * ke_stack.h - the kernel stack: a few pages, and how to get along with that.
 * A thread of the system runs on one, and so does what a test gives to ntmm_on_kernel_stack(). Any other thread of a test is on the stack that
 * the host gave it, and that is what it hears about.
 *
 * Source  WDK reference: wdm.h, ntddk.h, ntifs.h; "Using the kernel stack".
 */
#ifndef NTMM_DDK_WDM_KE_STACK_H
#define NTMM_DDK_WDM_KE_STACK_H

#ifdef __cplusplus
extern "C" {
#endif

#define KERNEL_STACK_SIZE 0x6000        /* bytes: 24 KiB on x64 */
#define KERNEL_LARGE_STACK_SIZE 0x12000 /* the largest that one can grow to */
#define KERNEL_LARGE_STACK_COMMIT KERNEL_STACK_SIZE
#define MAXIMUM_EXPANSION_SIZE (KERNEL_LARGE_STACK_SIZE - (PAGE_SIZE / 2))

/**
 * The ends of the stack that the caller is on: [*LowLimit, *HighLimit).
 *
 * @irql    any; <= APC_LEVEL with a windows_version before Server 2003 with SP1
 * @models  a DPC runs on the stack of the thread that lowers its IRQL, and hears of that
 * @source  WDK reference: wdm.h, IoGetStackLimits
 */
NTKERNELAPI VOID IoGetStackLimits(PULONG_PTR LowLimit, PULONG_PTR HighLimit);

/** Bytes from here down to the end of the stack. @irql as IoGetStackLimits @source WDK reference: wdm.h, IoGetRemainingStackSize */
NTKERNELAPI ULONG_PTR IoGetRemainingStackSize(VOID);

/**
 * Where the stack of the calling thread begins: the highest address, from which it grows down.
 *
 * @irql    <= APC_LEVEL
 * @models  the stack that the thread is on now; Windows keeps some bytes above it for itself, this machine none (choice)
 * @source  WDK reference: wdm.h, IoGetInitialStack
 */
NTKERNELAPI PVOID IoGetInitialStack(VOID);

/**
 * Does a region lie on a stack of the calling thread?
 *
 * @param RegionStart  address  @param RegionSize  bytes
 * @return  TRUE: all of it, on one of its stacks: expansions count, and the stack that the host gave it
 * @irql    <= APC_LEVEL
 * @source  WDK reference: wdm.h, IoWithinStackLimits
 */
NTKERNELAPI ULONG IoWithinStackLimits(ULONG_PTR RegionStart, SIZE_T RegionSize);

/**
 * May the stack of the calling thread be paged out while it waits in UserMode?
 *
 * @return    what was so before; TRUE at the beginning
 * @irql      <= APC_LEVEL
 * @bugcheck  KERNEL_STACK_LOCKED_AT_EXIT (0x94): a system thread ends while it is disabled
 * @models    stacks are never paged out: the answer is kept, and nothing else depends on it
 * @source    WDK reference: ntifs.h, KeSetKernelStackSwapEnable; Bug Check 0x94
 */
NTKERNELAPI BOOLEAN KeSetKernelStackSwapEnable(BOOLEAN Enable);

/**
 * The calls that are under way, as return addresses, innermost first: the first is in the caller.
 *
 * @param FramesToSkip     calls at the beginning that are left out
 * @param FramesToCapture  room in BackTrace[]
 * @param BackTraceHash    NULL, or set to a number that is the same for the same calls, if there are any
 * @return  addresses written; 0: none, or the host has no unwind tables
 * @irql    any (the page names none)
 * @source  WDK reference: ntifs.h, RtlCaptureStackBackTrace
 */
NTSYSAPI USHORT RtlCaptureStackBackTrace(ULONG FramesToSkip, ULONG FramesToCapture, PVOID *BackTrace, PULONG BackTraceHash);

typedef VOID                  EXPAND_STACK_CALLOUT(PVOID Parameter);
typedef EXPAND_STACK_CALLOUT *PEXPAND_STACK_CALLOUT;

/**
 * Call a routine with that much stack below it: on the stack of now when that has room, else on more.
 *
 * @param Callout  handles all exceptions, and returns at the IRQL it was called at
 * @param Size     bytes, at most MAXIMUM_EXPANSION_SIZE
 * @return    STATUS_SUCCESS: it was called. Else it was not: STATUS_INVALID_PARAMETER_3: Size; STATUS_NO_MEMORY; STATUS_STACK_OVERFLOW: too many
 *            expansions inside one another (choice)
 * @irql      <= APC_LEVEL
 * @bugcheck  KMODE_EXCEPTION_NOT_HANDLED (0x1E): an exception that the callout does not handle, whatever handlers are outside of it.
 *            IRQL_UNEXPECTED_VALUE (0xC8): another IRQL; p1 IRQL << 16 | what it should be << 8, p2 the callout, p3 and p4 0 (choice)
 * @source    WDK reference: ntddk.h, KeExpandKernelStackAndCallout, EXPAND_STACK_CALLOUT; Bug Checks 0x1E, 0xC8
 */
NTKERNELAPI NTSTATUS KeExpandKernelStackAndCallout(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size);

/**
 * The same, also at DISPATCH_LEVEL.
 *
 * @param Wait     FALSE at DISPATCH_LEVEL: STATUS_INVALID_PARAMETER_4 otherwise. Nobody waits here
 * @param Context  NULL: accepted and ignored
 * @irql           <= DISPATCH_LEVEL; with Wait TRUE, or a windows_version before Windows 7, <= APC_LEVEL
 * @source         WDK reference: ntddk.h, KeExpandKernelStackAndCalloutEx
 */
NTKERNELAPI NTSTATUS KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size, BOOLEAN Wait,
                                                     PVOID Context);

#ifdef __cplusplus
}
#endif
#endif
