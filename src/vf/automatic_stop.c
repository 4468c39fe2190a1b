/*
 * automatic_stop.c - mistakes that stop any machine, told in Driver Verifier's words: it comes first where it is on. One table for routines that
 * were called at too high an IRQL, and one function for each other kind of stop that has a counterpart in bug check 0xC4.
 *
 *     0xC2 0x07, 0x08, 0x09, 0x46, 0x99, 0x9A; 0x19 0x22     0x13, 0x01 or 0x02, 0x11 or 0x12, 0x10, 0x10, 0x03; 0x10
 *     0x9, 0xA of KeRaiseIrql and KeLowerIrql                0x30, 0x31
 *     0xA, 0xB8 of any other routine                         its own code; Zw routines 0xE6, the rest 0xE5
 *     0x1A 0x1233, 0x1236, 0x1240; 0xDA 0x06                 0x83, 0x85 or 0x89, 0x7F; 0xB9
 *     0x1 of KeLeaveCriticalRegion                           0x3E
 *     0xC8 of an interrupt service routine                   0x111
 *     0x18 for an object whose type is known                 0x3F
 *
 * Locks       none.
 * Source      WDK documentation: Bug Check 0xC4, "Automatic Checks".
 * Fidelity    0xE5 for routines that have no code of their own: choice. Waits are 0x3B before Windows 7, then 0x120 to 0x122 (choice).
 */
#include <string.h>

#include <ntddk.h>

#include "ex/pool_header.h"
#include "ke/region.h"
#include "ke/version.h"
#include "mm/mdl.h"
#include "mm/mm.h"
#include "vf/automatic.h"

static void become(ke_stop_t *stop, ULONG_PTR code, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    stop->check.code = DRIVER_VERIFIER_DETECTED_VIOLATION;
    stop->check.parameter[0] = code;
    stop->check.parameter[1] = p2;
    stop->check.parameter[2] = p3;
    stop->check.parameter[3] = p4;
}

static bool is_from(const ke_stop_t *stop, const char *routine) { return strcmp(stop->routine, routine) == 0; }

/* ---- pools ---- */

static void pool_stop(ke_stop_t *stop)
{
    const uintptr_t *p = stop->check.parameter;
    bool             paged = (p[2] & PagedPool) != 0;
    switch (p[0]) {
    case 0x00: become(stop, 0x00, ke_self()->irql, p[2], 0); break;
    case 0x07: become(stop, 0x13, 0, p[3] - sizeof(POOL_HEADER), p[2]); break;
    case 0x08: become(stop, paged ? 0x01 : 0x02, p[1], p[2], p[3]); break;
    case 0x09: become(stop, paged ? 0x11 : 0x12, p[1], p[2], p[3]); break;
    case 0x46:
    case 0x99: become(stop, 0x10, p[1], 0, 0); break;
    case 0x9A: become(stop, 0x03, 0, 0, 0); break;
    default: break; /* tags, headers: as without a verifier */
    }
}

/* ---- IRQL ---- */

typedef enum operands { OPERANDS, OF_MAPPING, OF_UNMAPPING, OF_PAGES, OF_WAIT, OF_NOTHING } operands_t;

static const struct {
    const char *routine;
    ULONG       code;
    operands_t  operands;
} TOO_HIGH[] = {
    { "MmProbeAndLockPages", 0x70, OPERANDS },
    { "MmProbeAndLockProcessPages", 0x71, OPERANDS },
    { "MmProbeAndLockSelectedPages", 0x72, OPERANDS },
    { "MmMapIoSpace", 0x73, OPERANDS },
    { "MmMapIoSpaceEx", 0x73, OPERANDS },
    { "MmMapLockedPages", 0x74, OF_MAPPING },
    { "MmMapLockedPagesSpecifyCache", 0x76, OF_MAPPING },
    { "MmUnlockPages", 0x78, OPERANDS },
    { "MmUnmapLockedPages", 0x79, OF_UNMAPPING },
    { "MmUnmapIoSpace", 0x7B, OPERANDS },
    { "MmAllocatePagesForMdl", 0x7E, OF_PAGES },
    { "MmAllocatePagesForMdlEx", 0x7E, OF_PAGES },
    { "MmAllocateNodePagesForMdlEx", 0x7E, OF_PAGES },
    { "MmAllocatePartitionNodePagesForMdlEx", 0x7E, OF_PAGES },
    { "MmFreePagesFromMdl", 0x7E, OF_PAGES },
    { "KeSetEvent", 0x80, OPERANDS },
    { "ExAcquireFastMutex", 0x33, OPERANDS },
    { "KeWaitForSingleObject", 0x120, OF_WAIT },
    { "KeWaitForMultipleObjects", 0x120, OF_WAIT },
    { "KeDelayExecutionThread", 0x3B, OPERANDS },
};

static ULONG_PTR wait_code(KIRQL irql, ULONG_PTR timeout)
{
    if (ke_windows_version != 0 && ke_windows_version < NTDDI_WIN7)
        return 0x3B;
    return irql > DISPATCH_LEVEL ? 0x120 : timeout == 0 ? 0x121 : 0x122;
}

static void routine_too_high(ke_stop_t *stop, ULONG code, operands_t operands, KIRQL irql)
{
    const ULONG_PTR *of = stop->operand;
    switch (operands) {
    case OF_MAPPING: become(stop, of[1] == KernelMode ? code : code + 1, irql, of[0], of[1]); break;
    case OF_UNMAPPING: become(stop, of[0] >= (ULONG_PTR)MmUserProbeAddress ? code : code + 1, irql, of[0], of[1]); break;
    case OF_PAGES: become(stop, code, irql, DISPATCH_LEVEL, 0); break;
    case OF_WAIT: become(stop, wait_code(irql, of[1]), irql, of[0], of[1]); break;
    default: become(stop, code, irql, of[0], of[1]); break;
    }
}

static void too_high(ke_stop_t *stop, KIRQL irql, ULONG_PTR caller)
{
    const ke_thread_t *self = ke_self();
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(TOO_HIGH); i++)
        if (is_from(stop, TOO_HIGH[i].routine)) {
            routine_too_high(stop, TOO_HIGH[i].code, TOO_HIGH[i].operands, irql);
            return;
        }
    if (strncmp(stop->routine, "Zw", 2) == 0)
        become(stop, 0xE6, caller, irql, self->special_apc_disable != 0);
    else
        become(stop, 0xE5, irql, 0, 0);
}

static bool is_called_too_high(const ke_stop_t *stop)
{
    return stop->check.code == IRQL_NOT_LESS_OR_EQUAL && stop->check.parameter[2] == 8 && stop->pc == 0;
}

/* Parameters of 0x9 and of a wrong KeLowerIrql: what was asked for, and what was. */
static bool is_about_levels(const ke_stop_t *stop)
{
    return stop->check.code == IRQL_NOT_GREATER_OR_EQUAL ||
           (stop->check.code == IRQL_NOT_LESS_OR_EQUAL && (is_from(stop, "KeLowerIrql") || is_from(stop, "KzLowerIrql")));
}

/* ---- memory ---- */

static void unlocked_page(ke_stop_t *stop)
{
    const uintptr_t *p = stop->check.parameter;
    bool             is_ram = p[3] <= mm_highest_pfn && mm_pfn_is_ram(p[3]);
    if (is_ram)
        become(stop, 0x85, p[1], mm_mdl_pages((const MDL *)p[1]), p[3]);
    else
        become(stop, 0x89, p[1], p[2], p[3]);
}

static void memory_stop(ke_stop_t *stop)
{
    const uintptr_t *p = stop->check.parameter;
    if (p[0] == 0x1236)
        unlocked_page(stop);
    else if (p[0] == 0x1240)
        become(stop, 0x7F, ke_self()->irql, p[1], (uint16_t)((const MDL *)p[1])->MdlFlags);
    else if (p[0] == 0x1233 && stop->operand[1] != 0) /* MmMapIoSpace; an MDL that users see has no code */
        become(stop, 0x83, stop->operand[0], stop->operand[1], p[1]);
}

void vf_automatic_stop(ke_stop_t *stop)
{
    const uintptr_t *p = stop->check.parameter;
    if (strncmp(stop->routine, "KeBugCheck", 10) == 0) /* the driver's own words */
        return;
    if (stop->check.code == BAD_POOL_CALLER)
        pool_stop(stop);
    else if (stop->check.code == BAD_POOL_HEADER && p[0] == 0x22)
        become(stop, 0x10, p[1], 0, 0);
    else if (is_about_levels(stop))
        become(stop, stop->check.code == IRQL_NOT_GREATER_OR_EQUAL ? 0x30 : 0x31, p[1], p[0], 0);
    else if (is_called_too_high(stop))
        too_high(stop, (KIRQL)p[1], p[3]);
    else if (stop->check.code == ATTEMPTED_SWITCH_FROM_DPC)
        too_high(stop, DISPATCH_LEVEL, 0);
    else if (stop->check.code == MEMORY_MANAGEMENT)
        memory_stop(stop);
    else if (stop->check.code == SYSTEM_PTE_MISUSE && p[0] == 0x06 && p[2] < (ULONG_PTR)MmUserProbeAddress)
        become(stop, 0xB9, p[2], p[1], 0);
    else if (stop->check.code == IRQL_UNEXPECTED_VALUE && is_from(stop, "ntmm_fire_interrupt"))
        become(stop, 0x111, p[1], p[0] >> 8 & 0xFF, p[0] >> 16 & 0xFF);
    else if (stop->check.code == REFERENCE_BY_POINTER && p[0] != 0)
        become(stop, 0x3F, p[1], strstr(stop->routine, "Dereference") != NULL ? (ULONG_PTR)-1 : 1, 0);
    else if (stop->check.code == APC_INDEX_MISMATCH && is_from(stop, "KeLeaveCriticalRegion"))
        become(stop, 0x3E, 0, 0, 0);
}
