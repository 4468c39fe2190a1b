/*
 * stack_query.c - what drivers ask about their stack: where it ends, how much is left, who called.
 * On a thread that is on no kernel stack the answers are about the stack that the host gave it, which is much larger than any of Windows.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, IoGetStackLimits, IoGetRemainingStackSize, IoGetInitialStack, IoWithinStackLimits; ntifs.h,
 *             KeSetKernelStackSwapEnable, RtlCaptureStackBackTrace.
 * Fidelity    DPCs have no stack of their own: they run on that of the thread which lowers its IRQL.
 */
#include <ntifs.h>

#include "host/host.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/stack.h"
#include "ke/version.h"

#define FRAME ((uintptr_t)__builtin_frame_address(0))

/* Whoever asks where the stack ends: at any IRQL since Windows Server 2003 with SP1. */
static KIRQL highest_to_ask(void) { return ke_windows_version >= NTDDI_WS03SP1 ? HIGH_LEVEL : APC_LEVEL; }

VOID IoGetStackLimits(PULONG_PTR LowLimit, PULONG_PTR HighLimit)
{
    uintptr_t low, high;
    KE_REQUIRE_IRQL(highest_to_ask());
    ke_stack_limits(FRAME, &low, &high);
    *LowLimit = low;
    *HighLimit = high;
}

ULONG_PTR IoGetRemainingStackSize(VOID)
{
    uintptr_t low, high;
    KE_REQUIRE_IRQL(highest_to_ask());
    ke_stack_limits(FRAME, &low, &high);
    return FRAME - low;
}

PVOID IoGetInitialStack(VOID)
{
    uintptr_t low, high;
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_stack_limits(FRAME, &low, &high);
    return (PVOID)high;
}

ULONG IoWithinStackLimits(ULONG_PTR RegionStart, SIZE_T RegionSize)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return ke_stack_holds(RegionStart, RegionSize) ? TRUE : FALSE;
}

BOOLEAN KeSetKernelStackSwapEnable(BOOLEAN Enable)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *self = ke_thread_ready(__func__);
    if (self == NULL)
        return FALSE;
    BOOLEAN before = !self->stack_stays;
    self->stack_stays = Enable == FALSE;
    return before;
}

/* ---- calls under way ---- */

typedef struct capture {
    uintptr_t from; /* the first one is where this routine was called from */
    PVOID    *frames;
    ULONG     skip, wanted, count, hash;
    bool      begun;
} capture_t;

static bool capture_call(uintptr_t pc, uintptr_t sp, void *context)
{
    capture_t *capture = context;
    (void)sp;
    capture->begun = capture->begun || pc == capture->from;
    if (!capture->begun)
        return true;
    if (capture->skip != 0) {
        capture->skip--;
        return true;
    }
    if (capture->count == capture->wanted)
        return false;
    capture->frames[capture->count++] = (PVOID)pc;
    capture->hash += (ULONG)pc;
    return true;
}

USHORT RtlCaptureStackBackTrace(ULONG FramesToSkip, ULONG FramesToCapture, PVOID *BackTrace, PULONG BackTraceHash)
{
    capture_t capture = { .from = (uintptr_t)__builtin_return_address(0), .frames = BackTrace, .skip = FramesToSkip };
    capture.wanted = FramesToCapture < UINT16_MAX ? FramesToCapture : UINT16_MAX;
    if (capture.wanted != 0)
        host_walk_calls(capture_call, &capture);
    if (BackTraceHash != NULL && capture.count != 0)
        *BackTraceHash = capture.hash;
    return (USHORT)capture.count;
}
