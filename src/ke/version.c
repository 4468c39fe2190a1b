/*
 * version.c - the version of Windows that the machine plays, and the routine by which drivers ask for it.
 *
 * Source      WDK reference: RtlIsNtDdiVersionAvailable.
 * Fidelity    the reference says that values which name a service pack are not for this routine; here the whole number is compared, so that
 *             releases of Windows 10 can be told apart as well (choice).
 */
#include "ke/version.h"

#include "ke/bugcheck.h"

#define NEWEST NTDDI_WIN11_GE

uint32_t ke_windows_version = NEWEST;

void ke_version_boot(const ntmm_config *config) { ke_windows_version = config->windows_version != 0 ? config->windows_version : NEWEST; }

BOOLEAN RtlIsNtDdiVersionAvailable(ULONG Version)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ke_thread_ready(__func__) != NULL && ke_windows_version >= Version;
}
