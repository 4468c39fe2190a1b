/*
 * device_name.h - names of devices, and symbolic links: which there are in this boot of the machine.
 */
#ifndef NTMM_IO_DEVICE_NAME_H
#define NTMM_IO_DEVICE_NAME_H

#include <ntddk.h>

typedef struct io_device_name io_device_name_t;

/* STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_NAME_COLLISION, STATUS_INSUFFICIENT_RESOURCES. At most APC_LEVEL. */
NTSTATUS io_device_name_add(PCUNICODE_STRING name, io_device_name_t **added);
void     io_device_name_remove(io_device_name_t *name);

#endif
