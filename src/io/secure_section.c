/*
 * secure_section.c - sections shared with the secure kernel: there is none, as on a Windows without virtualization-based security.
 * Locks   none.
 * Source  WDK reference: wdm.h, VslCreateSecureSection, VslDeleteSecureSection (pages without text).
 */
#include <ntddk.h>

#include "ke/bugcheck.h"

NTSTATUS VslCreateSecureSection(PHANDLE Handle, struct _EPROCESS *TargetProcess, struct _MDL *Mdl, ULONG DevicePageProtection,
                                ULONG Attributes)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    (void)TargetProcess, (void)Mdl, (void)DevicePageProtection, (void)Attributes;
    *Handle = NULL;
    return ke_thread_ready(__func__) != NULL ? STATUS_NOT_SUPPORTED : STATUS_UNSUCCESSFUL;
}

NTSTATUS VslDeleteSecureSection(HANDLE GlobalHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    (void)GlobalHandle;
    return ke_thread_ready(__func__) != NULL ? STATUS_NOT_SUPPORTED : STATUS_UNSUCCESSFUL;
}
