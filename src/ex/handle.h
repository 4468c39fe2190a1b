/*
 * handle.h - what a layer that has objects to open needs of the table of handles.
 */
#ifndef NTMM_EX_HANDLE_H
#define NTMM_EX_HANDLE_H

#include <ntddk.h>

/* A new kernel handle; close(object) is called when it is closed, with no lock held. NULL: no memory, the object is still the caller's. */
HANDLE ex_handle_open(PVOID object, void (*close)(PVOID object));
void   ex_handles_boot(void); /* none is open */

#endif
