/*
 * ob_handle.h - kernel handles: a number for an object that a driver has opened.
 *
 * Source  WDK reference: ntifs.h, ZwClose; "Object handles"; Bug Check 0x93.
 */
#ifndef NTMM_DDK_WDM_OB_HANDLE_H
#define NTMM_DDK_WDM_OB_HANDLE_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Close a handle. When it was the last one of the object, the object goes.
 *
 * @return    STATUS_SUCCESS; STATUS_INVALID_HANDLE for a value that cannot be a kernel handle
 * @irql      PASSIVE_LEVEL
 * @bugcheck  INVALID_KERNEL_HANDLE (0x93): a kernel handle that is not open (never was, or is closed already); p1 the handle, p2 1, p3 0, p4
 *            0. The pages give both this and the status: which of them when is a choice
 * @source    WDK reference: ntifs.h, ZwClose; Bug Check 0x93
 */
NTSYSAPI NTSTATUS ZwClose(HANDLE Handle);

#ifdef __cplusplus
}
#endif
#endif
