/*
 * ob_register.h - see handles of processes and threads opened.
 * Source  WDK reference: wdm.h, ObRegisterCallbacks, ObUnRegisterCallbacks, ObGetFilterVersion.
 */
#ifndef NTMM_DDK_WDM_OB_REGISTER_H
#define NTMM_DDK_WDM_OB_REGISTER_H

#include "ob_callbacks.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Have routines called before and after a handle of a process or a thread is opened; the first may clear bits of DesiredAccess.
 *
 * @param RegistrationHandle  receives what to unregister
 * @return STATUS_INVALID_PARAMETER; STATUS_FLT_INSTANCE_ALTITUDE_COLLISION: another driver has that altitude; STATUS_INSUFFICIENT_RESOURCES:
 *         no memory, or eight drivers have registered
 * @irql    <= APC_LEVEL
 * @models  all openings count, those of kernel handles, too. Handles are not duplicated here. No image has to be signed. One that is not
 *          unregistered is a leak, tag `ObCb`
 * @source  WDK reference: wdm.h, ObRegisterCallbacks
 */
NTKERNELAPI NTSTATUS ObRegisterCallbacks(POB_CALLBACK_REGISTRATION CallbackRegistration, PVOID *RegistrationHandle);
/** Returns when none of the routines runs any more; not from one of them. @irql <= APC_LEVEL @source WDK reference: wdm.h */
NTKERNELAPI VOID ObUnRegisterCallbacks(PVOID RegistrationHandle);
/** @return OB_FLT_REGISTRATION_VERSION @irql <= APC_LEVEL @source WDK reference: wdm.h, ObGetFilterVersion */
NTKERNELAPI USHORT ObGetFilterVersion(VOID);

#ifdef __cplusplus
}
#endif
#endif
