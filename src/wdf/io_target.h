/*
 * io_target.h - I/O targets, inside the library.
 *
 * Lock key: (L) lock, held for a few instructions
 */
#ifndef NTMM_WDF_IO_TARGET_H
#define NTMM_WDF_IO_TARGET_H

#include "wdf/request.h"

typedef struct wdf_io_target {
    wdf_object_t              object;
    wdf_device_io_t          *io;       /* whose it is */
    bool                      is_local; /* the next lower device of the stack: cannot be closed */
    wdf_lock_t                lock;
    WDF_IO_TARGET_STATE       state;      /* (L) */
    PDEVICE_OBJECT            device;     /* (L) where requests go; NULL: closed */
    bool                      is_opening; /* (L) no other thread may */
    PFILE_OBJECT              file;       /* (L) that requests carry, referenced; or NULL */
    HANDLE                    handle;     /* (L) of the file, when the target was opened by name; or NULL */
    WDF_IO_TARGET_OPEN_PARAMS opened;     /* (L) how, for a reopening; what it points to is the target's */
    LARGE_INTEGER             allocation; /* (L) what opened.AllocationSize points to */
    PVOID                     notice;     /* (L) of IoRegisterPlugPlayNotification; NULL: nobody tells it of removal */
    PDEVICE_OBJECT            watched;    /* (L) the bottom of the stack that the notice is about; only compared */
    PKTHREAD                  told_on;    /* (L) the thread that tells it just now; or NULL */
    LIST_ENTRY                sent;       /* (L) of requests: sent. On their way */
    LIST_ENTRY                pended;     /* (L) of requests: sent. They wait for WdfIoTargetStart */
    ULONG                     sent_count; /* (L) */
    KEVENT                   *empty;      /* (L) somebody waits until none is on its way */
} wdf_io_target_t;

extern const wdf_type_t wdf_io_target_type;

void wdf_io_target_set_state(wdf_io_target_t *target, WDF_IO_TARGET_STATE state);
void wdf_io_target_purge(wdf_io_target_t *target, bool waits);
/* io_target_open.c. Nothing is on its way: what it has open is closed, and nobody tells it of anything. PASSIVE_LEVEL. */
void           wdf_io_target_forget(wdf_io_target_t *target, WDF_IO_TARGET_STATE state);
NTSTATUS       wdf_io_target_local(wdf_device_io_t *io, PDEVICE_OBJECT below, wdf_io_target_t **target);
PDEVICE_OBJECT wdf_io_target_device(wdf_io_target_t *target);
PDEVICE_OBJECT wdf_io_target_physical(wdf_io_target_t *target); /* at the bottom of the stack; NULL: there is none such, or it is closed */
bool           wdf_io_target_take_pended(wdf_io_target_t *target, wdf_request_t *request); /* false: it does not wait there (any more) */

/* request_send.c. STATUS_REQUEST_NOT_ACCEPTED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE: it can be sent there, with an IRP. */
NTSTATUS wdf_request_prepare(wdf_request_t *request, wdf_io_target_t *target);
void     wdf_request_launch(wdf_request_t *request, wdf_io_target_t *target); /* it is among `sent` already */
void     wdf_request_back(wdf_request_t *request, NTSTATUS status);           /* it waited, and does not go any more */
BOOLEAN  wdf_request_cancel_sent(wdf_request_t *request);
NTSTATUS wdf_request_send_and_wait(const char *routine, wdf_request_t *request, wdf_io_target_t *target, PWDF_REQUEST_SEND_OPTIONS options);

#endif
