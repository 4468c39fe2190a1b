/*
 * handle.h - what a layer that has objects to open needs of the table of handles.
 */
#ifndef NTMM_EX_HANDLE_H
#define NTMM_EX_HANDLE_H

#include <ntddk.h>

#include "ex/object.h"

/* A new handle with a reference of its own. attributes: OBJ_KERNEL_HANDLE, or it belongs to the calling process. `access` is what it is good
 * for, generic rights included. STATUS_INSUFFICIENT_RESOURCES: *handle is NULL. PASSIVE_LEVEL. */
NTSTATUS ex_handle_open(void *object, ACCESS_MASK access, ULONG attributes, HANDLE *handle);
/* The object behind it, referenced; as ObReferenceObjectByHandle says. type NULL: any; information NULL: not wanted. */
NTSTATUS ex_handle_reference(HANDLE handle, ACCESS_MASK access, const ex_object_type_t *type, KPROCESSOR_MODE mode, void **object,
                             OBJECT_HANDLE_INFORMATION *information);
void     ex_handles_boot(void); /* none is open */

#endif
