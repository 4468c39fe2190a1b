/*
 * queue.h - queues of a device, inside the library.
 *
 * Lock key: (L) the queue's lock, a word to spin on, never held while code of the driver's runs   (B) set when it is made
 */
#ifndef NTMM_WDF_QUEUE_H
#define NTMM_WDF_QUEUE_H

#include "wdf/request.h"

enum wdf_queue_power { WDF_QUEUE_ON, WDF_QUEUE_STOPPING, WDF_QUEUE_OFF };

/* A thread that takes requests off the queue; on its stack. */
typedef struct wdf_dispatcher {
    struct wdf_dispatcher *outer;
    ke_thread_t           *thread;
} wdf_dispatcher_t;

typedef struct wdf_queue_notice {   /* somebody wants to know when a state is reached */
    PFN_WDF_IO_QUEUE_STATE routine; /* NULL: nobody */
    WDFCONTEXT             context;
    KEVENT                *event; /* of the library's own, instead */
} wdf_queue_notice_t;

typedef struct wdf_queue {
    wdf_object_t         object;
    wdf_device_io_t     *io;                           /* (B) */
    LIST_ENTRY           of_device;                    /* io->lock */
    WDF_IO_QUEUE_CONFIG  config;                       /* (B) */
    bool                 is_power_managed, is_passive; /* (B) */
    wdf_callback_lock_t *callback_lock;                /* (B) own_lock, the device's, or NULL */
    wdf_callback_lock_t  own_lock;
    wdf_lock_t           lock;
    bool                 accepts, delivers, is_closed; /* (L) is_closed: the device is being removed */
    bool                 cancels_all;                  /* (L) a purge is on: what is marked cancelable is cancelled at once */
    bool                 from_empty;                   /* (L) a request came to the empty queue, and nobody was told */
    uint8_t              power;                        /* (L) enum wdf_queue_power */
    LIST_ENTRY           waiting, owned, cancelled, cancelled_on_queue; /* (L) of requests: link, link, cancels, cancels */
    ULONG                waiting_count, owned_count;                    /* (L) */
    wdf_dispatcher_t    *dispatchers;                                   /* (L) */
    ULONG                dispatcher_count;                              /* (L) */
    wdf_queue_notice_t   idle, purged, ready;                           /* (L) */
    KEVENT              *power_idle;                                    /* (L) a power-down waits for the driver's requests */
    bool                 is_deferred, runs_again;                       /* (L) the work item or DPC is queued; and shall run once more */
    WORK_QUEUE_ITEM      item;
    KDPC                 dpc;
} wdf_queue_t;

extern const wdf_type_t wdf_queue_type;

/* queue_dispatch.c. Around each callback: the lock that it runs under, and whose code it is. */
wdf_call_t wdf_queue_call_begin(wdf_queue_t *queue);
void       wdf_queue_call_end(wdf_queue_t *queue, const wdf_call_t *call, ULONG_PTR function);
#define WDF_QUEUE_CALL(queue, function, ...) \
    do { \
        wdf_call_t call_ = wdf_queue_call_begin(queue); \
        (function)(__VA_ARGS__); \
        wdf_queue_call_end((queue), &call_, (ULONG_PTR)(function)); \
    } while (0)
void wdf_queue_run(wdf_queue_t *queue); /* whatever is due: callbacks, deliveries, notices */
/* Of a dispatch routine: a fresh request, which ends here at the latest if the queue does not accept it. What the dispatch routine returns. */
NTSTATUS wdf_queue_add(wdf_queue_t *queue, wdf_request_t *request);
NTSTATUS wdf_queue_forward(wdf_queue_t   *queue,
                           wdf_request_t *request); /* the driver has it, from another queue. STATUS_WDF_BUSY: nothing changed */
void     wdf_queue_completed(wdf_queue_t *queue, wdf_request_t *request);  /* the driver has it no longer; it is DONE already */
void     wdf_queue_own_locked(wdf_queue_t *queue, wdf_request_t *request); /* it has left `waiting`; now the driver has it */
void     wdf_queue_disown_locked(wdf_queue_t *queue, wdf_request_t *request);

/* queue_cancel.c */
bool           wdf_queue_insert_locked(wdf_queue_t *queue, wdf_request_t *request,
                                       bool at_head); /* false: it is cancelled already, and nothing has changed */
bool           wdf_queue_remove_locked(wdf_queue_t *queue, wdf_request_t *request); /* false: it is being cancelled: leave it */
wdf_request_t *wdf_queue_next_locked(wdf_queue_t *queue);                           /* removed; NULL: none waits */
void           wdf_queue_cancel_waiting(wdf_queue_t   *queue,
                                        wdf_request_t *request); /* it waits nowhere any more, and ends, or is given to the driver */
void           wdf_queue_cancel_marked(wdf_queue_t *queue);      /* what the driver has marked, now */

void           wdf_queue_cancel_file(wdf_queue_t *queue, const FILE_OBJECT *file);    /* what waits for a file that is being closed */
wdf_request_t *wdf_queue_next_of_locked(wdf_queue_t *queue, const FILE_OBJECT *file); /* as wdf_queue_next_locked */

/* queue_state.c */
void wdf_queue_close(wdf_queue_t *queue);  /* the device is removed: nothing comes any more, and EvtIoStop is told of what is left */
void wdf_queue_reopen(wdf_queue_t *queue); /* it was not deleted, and is started again: the queue is as it was at first */
void wdf_queue_end(wdf_queue_t *queue);    /* waits until nothing is left */
void wdf_queue_power_off(wdf_queue_t *queue);
void wdf_queue_power_on(wdf_queue_t *queue);
bool wdf_queue_has_callback(const wdf_queue_t *queue, UCHAR major);

#endif
