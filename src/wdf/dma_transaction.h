/*
 * dma_transaction.h - DMA transactions, inside the library: one buffer, moved in as many transfers as it takes.
 *
 *     offset                         transferred       current        remaining
 *       |------------- done -----------------|===== under way =====|---- to come ----|        all of it: length bytes
 *
 *                   Initialize                Execute                 ...DmaCompleted                  Release
 *     CREATED ------------------> INITIALIZED --------> TRANSFER -------------------> COMPLETED, FAILED ------> RELEASED
 *        |                            ^                 ^    |  more to come                                       |
 *        | AllocateResources          |                 `----'                                                     |
 *        `----------> RESERVED -------'<---------------------------------------------------------------------------'
 *
 * Which way the bytes go is the enabler's: scatter/gather lists (dma_lists.c), or adapter channels (dma_packet.c).
 *
 * Lock key: (S) `staging`   (A) atomic; the rest belongs to whoever drives the transaction: the driver between Initialize and Execute, then its
 *           callbacks and the completion, one after another
 */
#ifndef NTMM_WDF_DMA_TRANSACTION_H
#define NTMM_WDF_DMA_TRANSACTION_H

#include "hal/mdl_chain.h"
#include "wdf/dma_enabler.h"

/* As 0x10D/8 shows it. */
typedef enum wdf_dma_state {
    WDF_DMA_CREATED = 1,
    WDF_DMA_RESERVED,
    WDF_DMA_INITIALIZED,
    WDF_DMA_TRANSFER,
    WDF_DMA_COMPLETED,
    WDF_DMA_FAILED,
    WDF_DMA_RELEASED,
    WDF_DMA_DELETED
} wdf_dma_state_t;

typedef struct wdf_dma_transaction wdf_dma_transaction_t;

/* A way for the bytes. */
typedef struct wdf_dma_way {
    NTSTATUS (*prepare)(wdf_dma_transaction_t *transaction);            /* the buffer is known: can it be? */
    NTSTATUS (*start)(wdf_dma_transaction_t *transaction);              /* the first transfer */
    NTSTATUS (*stage)(wdf_dma_transaction_t *transaction);              /* the next one */
    NTSTATUS (*flush)(wdf_dma_transaction_t *transaction, size_t done); /* the device has moved so many bytes of the current one */
    void (*release)(wdf_dma_transaction_t *transaction, bool reserved); /* nothing is held any longer; `reserved`: nor what was reserved */
} wdf_dma_way_t;
extern const wdf_dma_way_t wdf_dma_lists, wdf_dma_packet;

struct wdf_dma_transaction {
    wdf_object_t         object;
    wdf_dma_enabler_t   *enabler;
    const wdf_dma_way_t *way;
    _Atomic uint32_t     state; /* (A) wdf_dma_state_t */

    /* the buffer, and how far it is */
    const wdf_dma_side_t *side;
    WDF_DMA_DIRECTION     direction;
    PMDL                  mdl;
    size_t                offset;                                        /* from the first MDL's first byte */
    size_t                length, remaining, transferred, current, most; /* bytes; most: of one transfer */
    bool                  single;                                        /* one transfer or none */
    bool                  under_way;                                     /* a transfer has begun, and is not completed */
    ULONG                 flags;                                         /* DMA_SYNCHRONOUS_CALLBACK, or 0 */
    PFN_WDF_PROGRAM_DMA   program;
    PVOID                 context;
    wdf_object_t         *request; /* of InitializeUsingRequest; or NULL */
    bool                  request_is_held;

    /* scatter/gather */
    PSCATTER_GATHER_LIST list;   /* of the current transfer; NULL: none is mapped */
    PVOID                buffer; /* for lists, made with the transaction; NULL: each has memory of its own */
    ULONG                buffer_bytes;

    /* packet and system */
    PVOID                 base; /* map registers; NULL: none */
    ULONG                 needed, reserved;
    PFN_WDF_RESERVE_DMA   reserve;
    ULONG                 device_offset;
    _Atomic bool          cancelled;
    wdf_lock_t            staging;
    bool                  is_staging, again, is_done; /* (S) a thread stages; it is to stage again; the controller is done meanwhile */
    DMA_COMPLETION_STATUS done;                       /* (S) how */

    /* system */
    PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL configure;
    PVOID                                         configure_context;
    PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE complete;
    PVOID                                         complete_context;
};

extern const wdf_type_t wdf_dma_transaction_type;

static inline WDFDMATRANSACTION wdf_dma_handle(wdf_dma_transaction_t *transaction) { return (WDFDMATRANSACTION)(void *)transaction; }
static inline BOOLEAN           wdf_dma_to_device(const wdf_dma_transaction_t *transaction)
{
    return transaction->direction == WdfDmaDirectionWriteToDevice;
}
/* Version 3: what the adapter knows the transaction by. */
static inline PVOID           wdf_dma_transfer_context(wdf_dma_transaction_t *transaction) { return wdf_extra(&transaction->object); }
static inline PDMA_OPERATIONS wdf_dma_operations(const wdf_dma_transaction_t *transaction)
{
    return transaction->side->adapter->DmaOperations;
}
/* Where the current transfer begins. */
static inline hal_cursor_t wdf_dma_cursor(const wdf_dma_transaction_t *transaction)
{
    return hal_cursor_at(transaction->mdl, transaction->offset + transaction->transferred);
}
static inline size_t wdf_dma_least(size_t a, size_t b) { return a < b ? a : b; }

/* 0x10D/8 unless it is in one of these states (bits). */
void wdf_dma_require(const char *routine, const wdf_dma_transaction_t *transaction, unsigned states, const char *why);
#define WDF_DMA_IN(state) (1u << (state))
/* The system's DMA controller is done, or something else ended the transfer that the driver waits for. false: it has no callback for that */
bool wdf_dma_tell(wdf_dma_transaction_t *transaction, DMA_COMPLETION_STATUS status);
/* EvtProgramDma. DISPATCH_LEVEL */
void wdf_dma_program(wdf_dma_transaction_t *transaction, PSCATTER_GATHER_LIST list);
/* Is this a buffer that can be moved? The documented refusals. */
NTSTATUS wdf_dma_check_buffer(const wdf_dma_transaction_t *transaction, WDF_DMA_DIRECTION direction, PMDL mdl, uint64_t offset,
                              size_t length);
/* It has that buffer from now on; or is as if released. 0x10D/8 in the wrong state. */
NTSTATUS wdf_dma_initialize(const char *routine, wdf_dma_transaction_t *transaction, PFN_WDF_PROGRAM_DMA program,
                            WDF_DMA_DIRECTION direction, PMDL mdl, size_t offset, size_t length);
/* Back to where it can be initialized, whatever it holds. */
void wdf_dma_release(wdf_dma_transaction_t *transaction, bool reserved);
/* The request, if there is one, is not to be completed: 0x10D/3; and may be again (dma_request.c). */
void wdf_dma_hold_request(wdf_dma_transaction_t *transaction);
void wdf_dma_let_request_go(wdf_dma_transaction_t *transaction);
/* The adapter's version 3 is told of a transaction's next use. */
void wdf_dma_context_init(wdf_dma_transaction_t *transaction);

#endif
