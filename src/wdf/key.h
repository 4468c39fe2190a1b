/*
 * key.h - registry keys as objects, inside the library.
 */
#ifndef NTMM_WDF_KEY_H
#define NTMM_WDF_KEY_H

#include "wdf/object.h"

typedef struct wdf_key {
    wdf_object_t object;
    HANDLE       handle; /* NULL: closed */
} wdf_key_t;

extern const wdf_type_t wdf_key_type;

/* A string that can be a name: STATUS_INVALID_PARAMETER otherwise. */
NTSTATUS wdf_string_check(PCUNICODE_STRING text);
/* An object for a key that is open; on failure the handle is closed. `parent`: where the attributes name none; NULL: the driver. */
NTSTATUS wdf_key_new(HANDLE handle, wdf_object_t *parent, PWDF_OBJECT_ATTRIBUTES attributes, WDFKEY *out);

#endif
