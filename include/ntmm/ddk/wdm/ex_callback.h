/*
 * ex_callback.h - callback objects: who knows an object's name is called when somebody else has something to tell.
 *
 *     ExCreateCallback (by name) --> ExRegisterCallback --> ExNotifyCallback calls them all, in order of registration --> ExUnregisterCallback
 *
 * The system's own are there from the start, and nobody notifies them but the test: \Callback\PowerState, \Callback\SetSystemTime,
 * \Callback\ProcessorAdd.
 *
 * Source  WDK reference: wdm.h, "Callback Objects", and the page of each routine.
 */
#ifndef NTMM_DDK_WDM_EX_CALLBACK_H
#define NTMM_DDK_WDM_EX_CALLBACK_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _CALLBACK_OBJECT *PCALLBACK_OBJECT; /* opaque */

typedef VOID               CALLBACK_FUNCTION(PVOID CallbackContext, PVOID Argument1, PVOID Argument2);
typedef CALLBACK_FUNCTION *PCALLBACK_FUNCTION;

/**
 * A callback object, by name, or a new one.
 *
 * @param ObjectAttributes        with a name, \Callback\... mostly; without one only with Create
 * @param Create                  TRUE: it is made if there is none
 * @param AllowMultipleCallbacks  of one that is made: more than one may be registered at a time
 * @return STATUS_OBJECT_NAME_NOT_FOUND, STATUS_INSUFFICIENT_RESOURCES; *CallbackObject is NULL then. ObDereferenceObject gives it back
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @models    nonpaged pool, tag `Call`; an object that somebody has a reference of, or a registered callback, is a leak. Letters A to Z
 *            without regard to case (choice)
 * @source    WDK reference: wdm.h, ExCreateCallback
 */
NTKERNELAPI NTSTATUS ExCreateCallback(PCALLBACK_OBJECT *CallbackObject, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN Create,
                                      BOOLEAN AllowMultipleCallbacks);
/** @return for ExUnregisterCallback; NULL: no memory, or one is registered and the object allows no more @irql <= APC_LEVEL
 *  @bugcheck 0xA above @source WDK reference: wdm.h, ExRegisterCallback */
NTKERNELAPI PVOID ExRegisterCallback(PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext);
/** Waits until it does not run. @irql <= APC_LEVEL @bugcheck 0xA above @source WDK reference: wdm.h, ExUnregisterCallback */
NTKERNELAPI VOID ExUnregisterCallback(PVOID CallbackRegistration);
/** Calls all of them, at the caller's IRQL. @irql <= DISPATCH_LEVEL @bugcheck 0xA above @source WDK reference: wdm.h, ExNotifyCallback */
NTKERNELAPI VOID ExNotifyCallback(PVOID CallbackObject, PVOID Argument1, PVOID Argument2);

#ifdef __cplusplus
}
#endif
#endif
