/*
 * device_name.h - names of devices, and symbolic links: what a name leads to in this boot of the machine.
 */
#ifndef NTMM_IO_DEVICE_NAME_H
#define NTMM_IO_DEVICE_NAME_H

#include <stdbool.h>

#include <ntddk.h>

/* By the lock of device_name.c. */
typedef struct io_device_name {
    LIST_ENTRY     link;
    PDEVICE_OBJECT device;       /* NULL: a link */
    UNICODE_STRING text, target; /* target: where a link leads */
} io_device_name_t;

#define IO_AUTOMATIC_NAME 17                                      /* characters of \Device\0000001a, with the null */
void io_device_automatic_name(WCHAR *text, UNICODE_STRING *name); /* the next one */

/* STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_NAME_COLLISION, STATUS_INSUFFICIENT_RESOURCES. At most APC_LEVEL. `device` or `target`. */
NTSTATUS io_device_name_add(PCUNICODE_STRING name, PDEVICE_OBJECT device, PCUNICODE_STRING target, io_device_name_t **added);
void     io_device_name_put(io_device_name_t *name); /* filled in, in the caller's storage, and no other name is the same */
void     io_device_name_take(io_device_name_t *name);
void     io_device_name_remove(io_device_name_t *name); /* of io_device_name_add */
bool     io_device_link_remove(PCUNICODE_STRING name);  /* false: there is no such link */

/* The device that a name leads to through any number of links, referenced, and what of the name is left behind its own: begins with a
 * backslash, or is empty. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD. The name's text must not be pageable. */
NTSTATUS io_device_by_name(PCUNICODE_STRING name, PDEVICE_OBJECT *device, UNICODE_STRING *rest);

#endif
