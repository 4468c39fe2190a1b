/*
 * exports.c - MmGetSystemRoutineAddress: the name of a kernel routine becomes its address.
 * The table is written by the build from the declarations in include/ntmm/ddk (cmake/exports.cmake), sorted, so that a routine that a
 * driver can link against is also one that it can look up.
 *
 * Source  WDK reference: MmGetSystemRoutineAddress; the page of each routine (minimum supported version).
 */
#include <string.h>

#include <ip2string.h>
#include <ntifs.h>
#include <usermode_accessors.h>
#include <wdmsec.h>

#include "ke/bugcheck.h"
#include "ke/version.h"

typedef struct export_entry {
    const char *name;
    PVOID       address;
} export_entry_t;

#define NTMM_EXPORT(name) { #name, (PVOID)(uintptr_t)&name },
static const export_entry_t EXPORTS[] = {
#include "exports.inc"
};
#undef NTMM_EXPORT

/* Routines that came with a later Windows than the oldest that the machine can play. Drivers ask for these by name, to do without. */
static const struct {
    const char *name;
    uint32_t    since; /* NTDDI value */
} SINCE[] = {
    { "ExAllocatePool2", NTDDI_WIN10_VB },
    { "ExAllocatePool3", NTDDI_WIN10_VB },
    { "ExCreatePool", NTDDI_WIN10_FE },
    { "ExDestroyPool", NTDDI_WIN10_FE },
    { "ExFreePool2", NTDDI_WIN10_FE },
    { "ExSecurePoolUpdate", NTDDI_WIN10_FE },
    { "ExSecurePoolValidate", NTDDI_WIN10_FE },
    { "RtlIsNtDdiVersionAvailable", NTDDI_VISTA },
    { "MmMapIoSpaceEx", NTDDI_WIN10 },
    { "MmIsDriverVerifyingByAddress", NTDDI_VISTA },
    { "MmIsDriverSuspectForVerifier", NTDDI_WIN8 },
    { "MmMapMdl", NTDDI_WIN10_RS3 },
    { "MmAllocateMdlForIoSpace", NTDDI_WIN8 },
    { "MmMapMemoryDumpMdlEx", NTDDI_WIN10_VB },
    { "MmAllocateNodePagesForMdlEx", NTDDI_WIN8 },
    { "MmAllocateMappingAddressEx", NTDDI_WIN10_VB },
    { "RtlUnicodeToUTF8N", NTDDI_WIN7 },
    { "RtlUTF8ToUnicodeN", NTDDI_WIN7 },
    { "RtlInitUTF8String", NTDDI_WIN10_VB },
    { "RtlInitUTF8StringEx", NTDDI_WIN10_VB },
    { "RtlUnicodeStringToUTF8String", NTDDI_WIN10_VB },
    { "RtlFreeUTF8String", NTDDI_WIN10_VB },
    { "RtlUTF8StringToUnicodeString", NTDDI_WIN10_VB },
    { "NtCreateSectionEx", NTDDI_WIN10_RS4 },
    { "MmForceSectionClosedEx", NTDDI_WIN10_RS4 },
    { "KeSetCoalescableTimer", NTDDI_WIN7 },
    { "ExAllocateTimer", NTDDI_WINBLUE },
    { "ExSetTimer", NTDDI_WINBLUE },
    { "ExCancelTimer", NTDDI_WINBLUE },
    { "ExDeleteTimer", NTDDI_WINBLUE },
    { "ExAcquireSpinLockExclusive", NTDDI_VISTASP1 },
    { "ExAcquireSpinLockShared", NTDDI_VISTASP1 },
    { "ExReleaseSpinLockExclusive", NTDDI_VISTASP1 },
    { "ExReleaseSpinLockShared", NTDDI_VISTASP1 },
    { "ExAcquireSpinLockExclusiveAtDpcLevel", NTDDI_VISTASP1 },
    { "ExAcquireSpinLockSharedAtDpcLevel", NTDDI_VISTASP1 },
    { "ExReleaseSpinLockExclusiveFromDpcLevel", NTDDI_VISTASP1 },
    { "ExReleaseSpinLockSharedFromDpcLevel", NTDDI_VISTASP1 },
    { "ExTryConvertSharedSpinLockExclusive", NTDDI_VISTASP1 },
    { "ExInitializeLookasideListEx", NTDDI_VISTA },
    { "ExDeleteLookasideListEx", NTDDI_VISTA },
    { "ExFlushLookasideListEx", NTDDI_VISTA },
    { "ExAllocateFromLookasideListEx", NTDDI_VISTA },
    { "ExFreeToLookasideListEx", NTDDI_VISTA },
    { "ExEnterCriticalRegionAndAcquireResourceExclusive", NTDDI_VISTA },
    { "ExReleaseResourceAndLeaveCriticalRegion", NTDDI_VISTA },
    { "KeEnterGuardedRegion", NTDDI_WS03 },
    { "KeLeaveGuardedRegion", NTDDI_WS03 },
    { "KeAcquireSpinLockForDpc", NTDDI_VISTA },
    { "KeReleaseSpinLockForDpc", NTDDI_VISTA },
    { "KeAcquireInStackQueuedSpinLockForDpc", NTDDI_VISTA },
    { "KeReleaseInStackQueuedSpinLockForDpc", NTDDI_VISTA },
    { "KeInitializeThreadedDpc", NTDDI_VISTA },
    { "KeSetTargetProcessorDpcEx", NTDDI_WIN7 },
    { "KeIsExecutingDpc", NTDDI_WIN10_RS4 },
    { "KeQueryDpcWatchdogInformation", NTDDI_VISTA },
    { "KzRaiseIrql", NTDDI_WIN10_RS5 },
    { "KzLowerIrql", NTDDI_WIN10_RS5 },
    { "KeExpandKernelStackAndCalloutEx", NTDDI_VISTA },
    { "MmAllocateContiguousMemorySpecifyCacheNode", NTDDI_VISTA },
    { "MmAllocateContiguousNodeMemory", NTDDI_WIN8 },
    { "MmAllocateContiguousMemoryEx", NTDDI_WIN10_FE },
    { "MmGetPhysicalMemoryRangesEx2", NTDDI_WIN10_VB },
    { "MmCopyMemory", NTDDI_WINBLUE },
    { "MmProtectDriverSection", NTDDI_WIN10_MN }, /* build 19548 */
};

static bool is_there_yet(const char *name)
{
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(SINCE); i++)
        if (strcmp(SINCE[i].name, name) == 0)
            return ke_windows_version >= SINCE[i].since;
    return true;
}

/* Compares a counted 16-bit string with a plain one, as strcmp does. */
static int compare_name(PCUNICODE_STRING wanted, const char *name)
{
    size_t length = wanted->Length / sizeof(WCHAR);
    for (size_t i = 0; i < length; i++) {
        int difference = (int)wanted->Buffer[i] - (int)(unsigned char)name[i];
        if (difference != 0)
            return difference;
    }
    return name[length] == '\0' ? 0 : -1;
}

PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName)
{
    size_t low = 0, high = NTMM_ARRAY_COUNT(EXPORTS);

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order = compare_name(SystemRoutineName, EXPORTS[middle].name);
        if (order == 0)
            return is_there_yet(EXPORTS[middle].name) ? EXPORTS[middle].address : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
