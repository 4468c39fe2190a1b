/*
 * request_memory.h - memory objects of a request.
 */
#ifndef NTMM_WDF_REQUEST_MEMORY_H
#define NTMM_WDF_REQUEST_MEMORY_H

#include "wdf/memory.h"
#include "wdf/request.h"

typedef struct wdf_request_memory {
    wdf_memory_t memory;
    PMDL         locked; /* a user's pages, to be unlocked; or NULL */
} wdf_request_memory_t;

/* The kind of I/O of its device: where the buffers of reads and writes are. */
static inline WDF_DEVICE_IO_TYPE wdf_request_read_write(const wdf_request_t *request)
{
    ULONG flags = request->io != NULL ? request->io->device->wdm->Flags : (ULONG)DO_BUFFERED_IO;
    return (flags & DO_BUFFERED_IO) != 0 ? WdfDeviceIoBuffered : (flags & DO_DIRECT_IO) != 0 ? WdfDeviceIoDirect : WdfDeviceIoNeither;
}

#endif
