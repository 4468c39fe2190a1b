/*
 * wdffileobject.h - file objects: what a driver knows of one open handle of its device.
 * WDF_FILEOBJECT_CONFIG, which asks for them, is in wdfdevice.h.
 *
 * Source  WDK reference: wdffileobject.h, "Framework File Objects".
 */
#ifndef NTMM_DDK_WDFFILEOBJECT_H
#define NTMM_DDK_WDFFILEOBJECT_H

#include "wdfobject.h"

WDF_EXTERN_C_START

/** The name behind the device's, from the FILE_OBJECT. @return NULL: there is no FILE_OBJECT
 *  @irql PASSIVE_LEVEL @source WDK reference: wdffileobject.h */
WDFAPI PUNICODE_STRING WdfFileObjectGetFileName(WDFFILEOBJECT FileObject);
/** FO_* flags of the FILE_OBJECT; 0 without one. @irql <= DISPATCH_LEVEL @source WDK reference: wdffileobject.h */
WDFAPI ULONG WdfFileObjectGetFlags(WDFFILEOBJECT FileObject);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdffileobject.h */
WDFAPI WDFDEVICE WdfFileObjectGetDevice(WDFFILEOBJECT FileObject);
/** Who opened it. @irql PASSIVE_LEVEL @source WDK reference: wdffileobject.h, WdfFileObjectGetInitiatorProcessId */
WDFAPI ULONG WdfFileObjectGetInitiatorProcessId(WDFFILEOBJECT FileObject);
/** @return NULL: there is none @irql <= DISPATCH_LEVEL @source WDK reference: wdffileobject.h */
WDFAPI PFILE_OBJECT WdfFileObjectWdmGetFileObject(WDFFILEOBJECT FileObject);

WDF_EXTERN_C_END
#endif
