/*
 * ob_event.h - events by handle, and the wait for what a handle is of. ZwOpenEvent is in wdm.h.
 * Source  WDK reference: ntifs.h, the pages of these routines.
 */
#ifndef NTMM_DDK_NTIFS_OB_EVENT_H
#define NTMM_DDK_NTIFS_OB_EVENT_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A new event.
 *
 * @param ObjectAttributes  NULL, or attributes and perhaps a name, as \BaseNamedObjects\Name. OBJ_OPENIF: one of that name may exist already
 * @return STATUS_OBJECT_NAME_COLLISION: it exists. STATUS_OBJECT_NAME_EXISTS (a success): it existed, and is opened. STATUS_INVALID_PARAMETER:
 *         no such type, or a wrong Length. STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_PATH_NOT_FOUND,
 *         STATUS_INSUFFICIENT_RESOURCES. *EventHandle is NULL then
 * @irql    PASSIVE_LEVEL
 * @models  no security; a RootDirectory is STATUS_OBJECT_PATH_NOT_FOUND: there are no directories to open
 * @source  WDK reference: ntifs.h, ZwCreateEvent
 */
NTSYSAPI NTSTATUS ZwCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, EVENT_TYPE EventType,
                                BOOLEAN InitialState);
/** As KeSetEvent. @param PreviousState NULL, or receives whether it was signaled @return STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH
 *  @irql PASSIVE_LEVEL @source WDK reference: ntifs.h, ZwSetEvent */
NTSYSAPI NTSTATUS ZwSetEvent(HANDLE EventHandle, PLONG PreviousState);
/** As KeResetEvent and KeClearEvent. @return as ZwSetEvent @irql PASSIVE_LEVEL @source mingw-w64's ntifs.h: without a page */
NTSYSAPI NTSTATUS ZwResetEvent(HANDLE EventHandle, PLONG PreviousState);
NTSYSAPI NTSTATUS ZwClearEvent(HANDLE EventHandle);
/**
 * Wait for an event or for the end of a thread.
 *
 * @param Timeout  as of KeWaitForSingleObject
 * @return STATUS_SUCCESS, STATUS_TIMEOUT; STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH: it is of something else
 * @irql    PASSIVE_LEVEL
 * @models  processes and files cannot be waited for
 * @source  WDK reference: ntifs.h, ZwWaitForSingleObject
 */
NTSYSAPI NTSTATUS ZwWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
/** As ZwClose. @irql PASSIVE_LEVEL @models every caller counts as kernel mode @source WDK reference: ntifs.h, NtClose */
NTSYSAPI NTSTATUS NtClose(HANDLE Handle);

#ifdef __cplusplus
}
#endif
#endif
