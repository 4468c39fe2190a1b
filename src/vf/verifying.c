/*
 * verifying.c - which drivers are verified: all of the process, or none, as config.verifier says.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, MmIsDriverVerifying, MmIsDriverVerifyingByAddress, MmIsDriverSuspectForVerifier.
 * Fidelity    Windows has a list of drivers; a test links the one that it is about.
 */
#include "vf/verifying.h"

#include <ntddk.h>

#include "host/image_sections.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"

static bool verifying;

void vf_verifying_boot(uint32_t flags) { verifying = flags != 0; }

static LOGICAL is_verified(const char *routine, bool is_driver) { return ke_thread_ready(routine) != NULL && is_driver && verifying; }

LOGICAL MmIsDriverVerifying(PDRIVER_OBJECT DriverObject)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return is_verified(__func__, DriverObject != NULL);
}

LOGICAL MmIsDriverVerifyingByAddress(PVOID AddressWithinSection)
{
    uintptr_t base, end, address = (uintptr_t)AddressWithinSection;
    KE_REQUIRE_IRQL(APC_LEVEL);
    return is_verified(__func__, host_image_of(address, &base, &end) && !host_is_library_code(address));
}

LOGICAL MmIsDriverSuspectForVerifier(PDRIVER_OBJECT DriverObject)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return is_verified(__func__, DriverObject != NULL);
}
