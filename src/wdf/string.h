/*
 * string.h - string objects from inside.
 */
#ifndef NTMM_WDF_STRING_H
#define NTMM_WDF_STRING_H

#include "wdf/object.h"

typedef struct wdf_string {
    wdf_object_t   object;
    UNICODE_STRING text; /* paged pool, ended by 0; Buffer NULL: empty */
} wdf_string_t;

extern const wdf_type_t wdf_string_type;
/* STATUS_INSUFFICIENT_RESOURCES: as it was. PASSIVE_LEVEL. */
NTSTATUS wdf_string_assign(wdf_string_t *string, PCUNICODE_STRING text);

#endif
