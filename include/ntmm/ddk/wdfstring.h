/*
 * wdfstring.h - strings as objects: a copy with a parent.
 *
 * Source  WDK reference: wdfstring.h.
 */
#ifndef NTMM_DDK_WDFSTRING_H
#define NTMM_DDK_WDFSTRING_H

#include "wdfobject.h"

WDF_EXTERN_C_START

/**
 * @param UnicodeString     copied; NULL: an empty string, which other routines fill
 * @param StringAttributes  or NULL; ParentObject NULL: the driver
 * @return    STATUS_INVALID_PARAMETER: no string; STATUS_INSUFFICIENT_RESOURCES; STATUS_DELETE_PENDING; those of bad attributes
 * @irql      PASSIVE_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: String is NULL; 0x5: the parent is none
 * @source    WDK reference: wdfstring.h, WdfStringCreate
 */
WDFAPI NTSTATUS WdfStringCreate(PCUNICODE_STRING UnicodeString, PWDF_OBJECT_ATTRIBUTES StringAttributes, WDFSTRING *String);
/** The string itself, not a copy: it goes with the object. Ended by 0. @irql PASSIVE_LEVEL @bugcheck WDF_VIOLATION 0x5; 0x4: UnicodeString is NULL
 *  @source WDK reference: wdfstring.h, WdfStringGetUnicodeString */
WDFAPI VOID WdfStringGetUnicodeString(WDFSTRING String, PUNICODE_STRING UnicodeString);

WDF_EXTERN_C_END
#endif
