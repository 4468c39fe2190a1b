/*
 * io_target_format.h - pieces of memory that a request is formatted with.
 */
#ifndef NTMM_WDF_IO_TARGET_FORMAT_H
#define NTMM_WDF_IO_TARGET_FORMAT_H

#include "wdf/io_target.h"

typedef struct wdf_piece {       /* all zero: no bytes */
    wdf_object_t *memory;        /* a WDFMEMORY, or NULL */
    PMDL          mdl;           /* of the whole memory, if it has one */
    void         *buffer;        /* where the piece begins */
    size_t        offset, bytes; /* within the memory, or the MDL */
} wdf_piece_t;

NTSTATUS wdf_piece_of_memory(const char *routine, WDFMEMORY memory, const WDFMEMORY_OFFSET *offset, wdf_piece_t *piece);
NTSTATUS wdf_piece_of_descriptor(const char *routine, const WDF_MEMORY_DESCRIPTOR *descriptor, wdf_piece_t *piece);

/* pieces: input, output. */
NTSTATUS wdf_format_transfer(const char *routine, wdf_request_t *request, wdf_io_target_t *target, UCHAR major, const wdf_piece_t *piece,
                             const LONGLONG *offset);
NTSTATUS wdf_format_control(const char *routine, wdf_request_t *request, wdf_io_target_t *target, bool internal, ULONG code,
                            const wdf_piece_t pieces[2]);
NTSTATUS wdf_format_others(wdf_request_t *request, wdf_io_target_t *target, ULONG code, const wdf_piece_t pieces[3]);

#endif
