/*
 * wdfglobals.h - what a driver can read about itself: WdfDriverGlobals.
 * On Windows each driver image has a pointer of its own, filled in when it is bound to the framework. Here drivers share a process, and the
 * name stands for a call: the globals of the driver whose code runs on this thread, else of the one created last.
 *
 * Source  KMDF 1.33 headers, published with the framework's sources.
 */
#ifndef NTMM_DDK_WDFGLOBALS_H
#define NTMM_DDK_WDFGLOBALS_H

#include "wdftypes.h"

WDF_EXTERN_C_START

#define WDF_MAJOR_VERSION 1 /* which framework this is */
#define WDF_MINOR_VERSION 33

#define WDF_DRIVER_GLOBALS_NAME_LEN (32)

typedef struct _WDF_DRIVER_GLOBALS {
    WDFDRIVER Driver;
    ULONG     DriverFlags; /* DriverInitFlags of its WDF_DRIVER_CONFIG */
    ULONG     DriverTag;   /* of the pool that the framework allocates for it */
    CHAR      DriverName[WDF_DRIVER_GLOBALS_NAME_LEN];
    BOOLEAN   DisplaceDriverUnload; /* the framework puts a DriverUnload of its own in front of the driver's */
} WDF_DRIVER_GLOBALS, *PWDF_DRIVER_GLOBALS;

/** Of the driver that calls; NULL: there is none. @irql any @source none (choice): see above */
WDFAPI PWDF_DRIVER_GLOBALS ntmm_wdf_driver_globals(VOID);
#define WdfDriverGlobals ntmm_wdf_driver_globals()

WDF_EXTERN_C_END
#endif
