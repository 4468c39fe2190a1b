/*
 * io_event.h - events with a name: those that two drivers share, and those by which the system tells how much memory there is.
 *
 *     \KernelObjects\LowMemoryCondition       HighMemoryCondition         free physical memory; thresholds are in docs/fidelity.md
 *                    LowNonPagedPoolCondition HighNonPagedPoolCondition   free nonpaged pool
 *                    LowPagedPoolCondition    HighPagedPoolCondition      free paged pool
 *                    LowCommitCondition       HighCommitCondition         commit charge: low means that much is free
 *                    MaximumCommitCondition
 *
 * They are notification events, and stay signaled as long as the condition holds.
 *
 * Source  WDK reference: "Standard event objects".
 */
#ifndef NTMM_DDK_WDM_IO_EVENT_H
#define NTMM_DDK_WDM_IO_EVENT_H

#include "dispatcher.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Open the event of that name, or create a notification event, signaled, if there is none.
 *
 * @param EventName    full name, as in \BaseNamedObjects\Name; compared without regard to case
 * @param EventHandle  receives a kernel handle for ZwClose; NULL when nothing was opened
 * @return             the event, good until the handle is closed; NULL: no memory, or no such name is possible
 * @irql               PASSIVE_LEVEL
 * @bugcheck           IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @models             the directories are \, \BaseNamedObjects, \Device and \KernelObjects (choice)
 * @source             WDK reference: wdm.h, IoCreateNotificationEvent
 */
NTKERNELAPI PKEVENT IoCreateNotificationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle);

/**
 * The same with a synchronization event. An event that exists is opened, whatever its type.
 *
 * @irql    PASSIVE_LEVEL
 * @source  WDK reference: wdm.h, IoCreateSynchronizationEvent
 */
NTKERNELAPI PKEVENT IoCreateSynchronizationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle);

/**
 * A handle of an event with a name, one of the system's above or one that somebody has created.
 *
 * @return STATUS_OBJECT_NAME_NOT_FOUND; STATUS_OBJECT_NAME_INVALID: no name; STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_PATH_NOT_FOUND,
 *         STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES
 * @irql    PASSIVE_LEVEL
 * @source  WDK reference: wdm.h, ZwOpenEvent
 */
NTSYSAPI NTSTATUS ZwOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);

#ifdef __cplusplus
}
#endif
#endif
