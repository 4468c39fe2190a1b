/*
 * request.h - requests, inside the library.
 *
 *     FRESH --queue--> WAITING --presented, retrieved--> DRIVER --sent--> SENT --back--> DRIVER --completed--> DONE
 *                         ^- forwarded, requeued ----------'
 *     a request of the driver's own begins with DRIVER, and is never DONE
 *
 * Lock key: (Q) the lock of its queue   (S) lock   (B) set when it is made   (D) whoever has the request: the driver, or the queue
 */
#ifndef NTMM_WDF_REQUEST_H
#define NTMM_WDF_REQUEST_H

#include "wdf/device_io.h"

enum wdf_request_place { WDF_REQUEST_FRESH, WDF_REQUEST_WAITING, WDF_REQUEST_DRIVER, WDF_REQUEST_SENT, WDF_REQUEST_DONE };
enum wdf_request_stop { WDF_STOP_UNKNOWN, WDF_STOP_ACKNOWLEDGED, WDF_STOP_REQUEUE };

struct wdf_io_target;
struct wdf_queue;
struct wdf_request_memory;

/* What was formatted, so that it can be undone: references on memory objects, and what the IRP had before. */
typedef struct wdf_format {
    bool                          is_set;
    WDF_REQUEST_COMPLETION_PARAMS params;
    wdf_object_t                 *memory[3]; /* referenced, or NULL */
    PVOID                         pool;      /* a system buffer of our own, or NULL */
    PVOID                         copy_to;   /* where output goes when it comes back; NULL: nowhere */
    ULONG                         copy_bytes;
    PMDL                          mdl; /* made for it, or NULL */
    PMDL                          before_mdl;
    PVOID                         before_system, before_user;
} wdf_format_t;

typedef struct wdf_request {
    wdf_object_t           object;
    PIRP                   irp;               /* (D) NULL: none, or complete */
    wdf_device_io_t       *io;                /* (B) the device that it came to; NULL: the driver's own */
    struct wdf_queue      *queue;             /* (Q) the last one */
    LIST_ENTRY             link;              /* (Q) among those that wait, or that the driver has */
    LIST_ENTRY             cancels;           /* (Q) among those whose cancel callback is due; empty: none is */
    uint8_t                place;             /* (Q) enum wdf_request_place */
    uint8_t                stop;              /* (Q) enum wdf_request_stop */
    bool                   is_presented;      /* (D) the driver has seen it */
    bool                   is_marked;         /* (Q) cancelable */
    bool                   is_cancelled;      /* (Q) its cancel callback is due, or has been called */
    bool                   in_caller_context; /* (D) EvtIoInCallerContext runs */
    bool                   in_stop;           /* (Q) EvtIoStop was called for it */
    bool                   owns_irp;          /* (D) the IRP goes with it */
    bool                   made_irp;          /* (D) and can be exchanged for a larger one */
    bool                   is_found;          /* (Q) WdfIoQueueFindRequest has shown it to the driver */
    PFN_WDF_REQUEST_CANCEL cancel;            /* (Q) */

    struct wdf_request_memory *input,
        *output;               /* (D) memory objects over the IRP's buffers, once somebody asked; of read and write: input alone */
    PMDL            mdl;       /* (D) made over a system buffer, once somebody asked */
    _Atomic int32_t transfers; /* DMA transactions that move its buffer now */

    bool                               is_formatted; /* (D) the next stack location is filled in */
    PFN_WDF_REQUEST_COMPLETION_ROUTINE completion;   /* (D) */
    WDFCONTEXT                         completion_context;
    wdf_format_t                       format;        /* (D) */
    NTSTATUS                           status;        /* (D) why it was not sent, while there is no IRP to say so */
    wdf_lock_t                         lock;          /* (S) who sends, who cancels, and who completes it below share this */
    struct wdf_io_target              *target;        /* (S) it is on its way there, or waits there; NULL: neither */
    LIST_ENTRY                         sent;          /* the target's lock */
    KEVENT                            *waiter;        /* (S) of a synchronous send */
    unsigned                           cancelling;    /* (S) threads inside IoCancelIrp for it */
    bool                               is_back;       /* (S) it came back meanwhile: the last of them goes on */
    bool                               is_pended;     /* (S) it waits for the target to be started */
    bool                               was_cancelled; /* target's lock: a stopping target has cancelled it */
    struct wdf_send_timer             *timer;         /* (D) or NULL */
} wdf_request_t;

extern const wdf_type_t wdf_request_type;

/* parent NULL: the calling driver; root_of: it belongs to nobody. */
NTSTATUS wdf_request_new(wdf_object_t *parent, wdf_driver_t *root_of, PWDF_OBJECT_ATTRIBUTES attributes, wdf_request_t **request);
/* A request for an IRP that a device got. STATUS_INSUFFICIENT_RESOURCES: the IRP is not touched. */
NTSTATUS wdf_request_for_irp(wdf_device_io_t *io, PIRP irp, wdf_request_t **request);

/* Where the framework's verifier breaks into a debugger: on a machine without one that is 0x1E with STATUS_BREAKPOINT. */
_Noreturn NTMM_COLD void wdf_break(const char *routine, const char *why);
/* The driver has it, and may complete it, forward it ...; else a break. */
void wdf_request_require_owned(const char *routine, const wdf_request_t *request);
void wdf_request_require_unmarked(const char *routine, const wdf_request_t *request);

/* The end of it: memory, IRP, queue, object. The driver has it, or the framework. */
void wdf_request_finish(const char *routine, wdf_request_t *request, NTSTATUS status, CCHAR boost);
/* The framework ends it itself, with Information 0. */
void wdf_request_refuse(wdf_request_t *request, NTSTATUS status);

/* request_memory.c: the object is cleaned up with all its children; its own memory objects are still referenced then: 0x10D/3. The caller has a
 * reference. */
void wdf_request_delete_with_memory(const char *routine, wdf_request_t *request);

/* io_target_format.c: the request came back: output is copied, the completion parameters are filled in; and what was formatted is undone. */
void wdf_format_back(wdf_request_t *request);
void wdf_format_undo(wdf_request_t *request);

/* As WdfRequestGetParameters. */
void wdf_request_parameters(const wdf_request_t *request, PWDF_REQUEST_PARAMETERS parameters);

static inline PIO_STACK_LOCATION wdf_request_location(const wdf_request_t *request) { return IoGetCurrentIrpStackLocation(request->irp); }
static inline bool               wdf_request_is_of_queue(const wdf_request_t *request) { return request->io != NULL; }

#endif
