/*
 * file_object.h - WDFFILEOBJECT, inside the library.
 */
#ifndef NTMM_WDF_FILE_OBJECT_H
#define NTMM_WDF_FILE_OBJECT_H

#include "wdf/device_io.h"

typedef struct wdf_file {
    wdf_object_t     object;
    wdf_device_io_t *io;
    LIST_ENTRY       of_device; /* io->lock */
    PFILE_OBJECT     wdm;
    ULONG            process; /* who opened it; 0: nobody knows */
} wdf_file_t;

extern const wdf_type_t wdf_file_type;

wdf_file_t *wdf_file_find(wdf_device_io_t *io, const FILE_OBJECT *wdm); /* NULL: none */
void        wdf_file_created(wdf_device_io_t *io, PIRP irp);            /* a create is about to be completed: a failed one leaves nothing */
/* Dispatch routines. */
NTSTATUS wdf_file_create(wdf_device_io_t *io, PIRP irp);
NTSTATUS wdf_file_cleanup(wdf_device_io_t *io, PIRP irp);
NTSTATUS wdf_file_close(wdf_device_io_t *io, PIRP irp);

#endif
