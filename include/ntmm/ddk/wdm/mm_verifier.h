/*
 * mm_verifier.h - may a driver be under Driver Verifier?
 *
 * Source  WDK reference: wdm.h.
 */
#ifndef NTMM_DDK_WDM_MM_VERIFIER_H
#define NTMM_DDK_WDM_MM_VERIFIER_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Is the driver verified, or does it call one that is?
 *
 * @param DriverObject  whose image is meant; NULL: FALSE (choice)
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @models    TRUE for every driver of a machine that was booted with config.verifier, and for none of any other
 * @source    WDK reference: wdm.h, MmIsDriverVerifying
 */
NTKERNELAPI LOGICAL MmIsDriverVerifying(struct _DRIVER_OBJECT *DriverObject);

/** The same for the driver whose image the address lies in. @irql, @bugcheck and @models as above; FALSE for an address in no image, and for
 *  the library's own, where it is a library. @source WDK reference: wdm.h, MmIsDriverVerifyingByAddress (Windows Vista) */
NTKERNELAPI LOGICAL MmIsDriverVerifyingByAddress(PVOID AddressWithinSection);

/** Is the driver on the list of those to be verified? @irql, @bugcheck and @models as above, where the list has all drivers or none.
 *  @source WDK reference: wdm.h, MmIsDriverSuspectForVerifier (Windows 8) */
NTKERNELAPI LOGICAL MmIsDriverSuspectForVerifier(struct _DRIVER_OBJECT *DriverObject);

#ifdef __cplusplus
}
#endif
#endif
