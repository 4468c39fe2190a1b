/*
 * dma.h - DMA from the inside: devices, adapters, map registers, requests.
 *
 *     device     the far side of the bus, or one that nobody plays            device.c
 *      |- file   its map registers, and their bounce pages                    map_registers.c
 *      |- queue  requests that wait for map registers or a channel            dma_queue.c
 *      `- adapters, one for each IoGetDmaAdapter                              dma_adapter.c
 *          |- common buffers                                                  common_buffer.c, _mdl.c, _vector.c
 *          `- requests: an adapter channel, or a scatter/gather list, with the map registers that it holds
 *                                                                             dma_channel.c, dma_transfer.c, scatter_gather.c
 *
 * A driver holds four kinds of handles: DMA_ADAPTER, MapRegisterBase, SCATTER_GATHER_LIST (its Reserved word leads to the request), and the
 * vector of common buffers. All but the third are records (dma_records.c), so that a wrong one is known for what it is.
 *
 * Units   bytes; map registers are counted.
 * Locks   (D) the device's lock, KE_RANK_HAL_DEVICE. No driver code runs under it.
 */
#ifndef NTMM_HAL_DMA_H
#define NTMM_HAL_DMA_H

#include <stdbool.h>
#include <stdint.h>

#include <ntmm/ntmm.h>

#include "hal/hal.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "mm/mm.h"
#include "rtl/runs.h"

#define HAL_TAG_ADAPTER NTMM_TAG("HalA")
#define HAL_TAG_COMMON_BUFFER NTMM_TAG("HalB")
#define HAL_TAG_MAP_REGISTERS NTMM_TAG("HalM")
#define HAL_TAG_DEVICE NTMM_TAG("Devi")
#define HAL_TAG_LIST NTMM_TAG("HalS")
#define HAL_TAG_VECTOR NTMM_TAG("HalV")

/* Devices without an IOMMU are all in one domain; each that has one is in a domain of its own. */
#define HAL_THE_DOMAIN ((HANDLE)1)

#define HAL_CONTROLLER_BYTES 0x10000u /* that the system's DMA controller counts */

typedef struct ntmm_device hal_device_t;
typedef struct hal_adapter hal_adapter_t;
typedef struct hal_request hal_request_t;

/* ---- records (dma_records.c) ---- */

#define HAL_RECORD_BYTES 256u
typedef enum hal_kind { HAL_FREE, HAL_ADAPTER, HAL_REQUEST, HAL_COMMON_BUFFER } hal_kind_t;

void *hal_record_take(hal_kind_t kind); /* zero bytes; NULL: there are 65,536 of them, or the host has no memory */
void  hal_record_give(void *record);
bool  hal_record_is(const void *record, hal_kind_t kind); /* any pointer */
bool  hal_record_was(const void *record);                 /* a place where records are: one is there, or was */
void  hal_records_visit(hal_kind_t kind, void (*visit)(void *context, void *record), void *context);
void  hal_records_reset(void);

/* ---- an IOMMU (iommu.c) ---- */

typedef struct hal_iommu {
    uint64_t          first, pages; /* logical pages */
    _Atomic uint64_t *entries;      /* NULL: the device has none, and logical addresses are physical ones */
    rt_runs_t         runs;         /* (D) logical pages that are handed out */
    size_t            table_bytes;
} hal_iommu_t;
bool     hal_iommu_make(hal_iommu_t *iommu, uint64_t reach); /* false: the host has no memory, or the device reaches nothing */
void     hal_iommu_release(hal_iommu_t *iommu);
uint64_t hal_iommu_take_locked(hal_iommu_t *iommu, uint64_t page_count, uint64_t lowest, uint64_t highest); /* 0: there is no such run */
void     hal_iommu_give_locked(hal_iommu_t *iommu, uint64_t logical, uint64_t page_count);
void     hal_iommu_map(hal_iommu_t *iommu, uint64_t logical, uint64_t physical); /* the pages that these are on */
void     hal_iommu_unmap(hal_iommu_t *iommu, uint64_t logical, uint64_t page_count);
uint64_t hal_iommu_find(hal_iommu_t *iommu, uint64_t logical); /* physical; UINT64_MAX: nothing is mapped there */

/* ---- map registers (map_registers.c) ---- */

/* One page of a transfer, or a part of one, from the moment that it is mapped until it is flushed. */
typedef struct hal_map_register {
    PMDL     mdl;    /* whose page it is; NULL: not in use */
    uint32_t offset; /* of the first byte in the MDL */
    uint32_t bytes;
    uint64_t origin; /* physical address of the driver's first byte */
    uint64_t at;     /* in the bounce pages; HAL_DIRECT: the device uses the driver's memory itself */
} hal_map_register_t;
#define HAL_DIRECT UINT64_MAX

typedef struct hal_register_file {
    uint32_t            total, free; /* (D) total 0: not made yet */
    uint64_t            highest;     /* every bounce page lies at or below it */
    hal_map_register_t *registers;   /* (D) by who holds them; NULL: no transfer is ever bounced, and registers are only counted */
    rt_runs_t           runs;        /* (D) which of them are taken */
    size_t              table_bytes;
    char               *bounce; /* register i has bounce page i */
    uint64_t            iova;   /* behind an IOMMU: register i has logical page i from here on, and no bytes are copied; else 0 */
} hal_register_file_t;

/* A file for `wanted` registers, fewer if memory below `highest` is short; false: none at all. `bounces`: with bounce pages, or logical pages
 * of the device's IOMMU. */
bool     hal_file_make(hal_device_t *device, hal_register_file_t *file, uint32_t wanted, bool bounces, uint64_t highest);
void     hal_file_release(hal_device_t *device, hal_register_file_t *file);
bool     hal_file_take_locked(hal_register_file_t *file, uint32_t count, uint32_t *first);
void     hal_file_give_locked(hal_device_t *device, uint32_t first, uint32_t count); /* of the device's file */
uint64_t hal_register_address(const hal_register_file_t *file, uint64_t at);         /* logical */

/* ---- devices (device.c) ---- */

struct ntmm_device {
    _Atomic bool        in_use;   /* to change: under the lock of all devices, as the next three */
    _Atomic bool        played;   /* a test has it; false: of an adapter without a known device */
    uint32_t            adapters; /* that are not put yet, or still hold something */
    ntmm_device_config  config;   /* as given */
    uint64_t            reach;    /* the highest address that it can say */
    ke_lock_t           lock;     /* (D) KE_RANK_HAL_DEVICE */
    hal_iommu_t         iommu;
    hal_register_file_t file;                         /* (D) */
    hal_request_t      *first_waiting, *last_waiting; /* (D) in order of arrival */
    bool                serving;                      /* (D) a thread runs the routines of requests that waited */
    hal_adapter_t      *programmed;            /* (D) a subordinate device: the adapter whose transfer the system's controller makes */
    uint32_t            masters, subordinates; /* (D) adapters of it, as their drivers describe it */
    DEVICE_OBJECT       object;                /* its physical device object */
    _Atomic int64_t     references;            /* to that, by drivers and handles */
    _Alignas(16) unsigned char upper[HAL_DEVICE_UPPER_BYTES]; /* io's */
};

hal_device_t *hal_device_of(PDEVICE_OBJECT object);  /* one more adapter of it; NULL or an unknown object: a fresh one; NULL: no room */
void          hal_device_drop(hal_device_t *device); /* one adapter less */
void          hal_devices_reset(void);
void          hal_devices_visit(void (*visit)(void *context, hal_device_t *device), void *context);

static inline uint64_t hal_reach_of(uint32_t bits) { return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1; }

/* Without an IOMMU. The bus of every device is PCI's or Internal: a logical address is the physical one (bus_address.c). */
static inline uint64_t hal_logical_of(uint64_t physical) { return physical; }
static inline uint64_t hal_physical_of(uint64_t logical) { return logical; }

/* Bytes between a buffer of ours and physical memory, wherever that is: RAM at home, a slot, a window of I/O space (physical_copy.c). How
 * many, up to the first that nothing backs. */
size_t hal_copy_from_physical(void *to, uint64_t physical, size_t bytes);
size_t hal_copy_to_physical(uint64_t physical, const void *from, size_t bytes);

/* ---- adapters (dma_adapter.c) ---- */

struct hal_adapter { /* a record */
    DMA_ADAPTER public;
    hal_device_t  *device;
    uint64_t       highest; /* logical address that the driver says its device can say */
    uint32_t       bits;
    uint32_t       most; /* map registers of one transfer */
    bool           master, scatter_gather;
    bool           put;                   /* (D) PutDmaAdapter was called; the record stays while something is held */
    uint32_t       held;                  /* (D) requests and common buffers */
    hal_request_t *channel;               /* (D) who has it */
    uint32_t       lists_made, lists_put; /* (D) */

    /* (D) system DMA: what the controller has been told */
    uint32_t                controller_channel; /* DmaChannel of the description */
    uint64_t                logical;
    uint32_t                length, moved; /* bytes */
    bool                    to_device, over;
    PDMA_COMPLETION_ROUTINE completion;
    PVOID                   completion_context;
    PDEVICE_OBJECT          completion_object;
};
_Static_assert(sizeof(struct hal_adapter) <= HAL_RECORD_BYTES, "an adapter is a record");

hal_adapter_t *hal_adapter_make(PDEVICE_OBJECT object, const DEVICE_DESCRIPTION *description, const DMA_OPERATIONS *operations);
/* Every routine of the table begins here: ke_thread_enter, and the adapter behind what the driver passed. NULL: refused, there is nothing to
 * leave. Stops the machine when that is no adapter. */
hal_adapter_t *hal_enter(const char *routine, PDMA_ADAPTER adapter, ke_thread_t **thread);
/* One more thing is held by its driver, or one less; the adapter's record goes with the last of them when it was put. */
void hal_adapter_hold(hal_adapter_t *adapter);
void hal_adapter_release(hal_adapter_t *adapter);
/* System DMA: the routine that was to be told of the transfer's end is told. No lock held (device.c). */
void hal_complete(hal_adapter_t *adapter, const hal_adapter_t *transfer, DMA_COMPLETION_STATUS status);

/* ---- requests (dma_queue.c) ---- */

enum hal_request_state {
    HAL_WAITING = 1,   /* in the queue */
    HAL_REGISTERS = 2, /* it holds map registers (none, perhaps) */
    HAL_CHANNEL = 4,   /* it holds the adapter's channel */
    HAL_CALLING = 8,   /* the driver's routine runs */
    HAL_LIST = 16      /* there is a scatter/gather list */
};

struct hal_request { /* a record; as a handle it is MapRegisterBase */
    hal_adapter_t       *adapter;
    hal_request_t       *next;  /* (D) in the queue */
    _Atomic uint32_t     state; /* (D) to change: a driver's calls look at it without */
    bool                 wants_channel, cancelled;
    uint32_t             first, count; /* map registers */
    uint32_t             used;         /* by who holds it: registers [0, used) of them are, or were, in use since the last full flush */
    uint32_t             mapped;       /* of which so many are not flushed yet */
    PMDL                 mapped_mdl;   /* where the last piece ended */
    uint32_t             mapped_to;    /* offset in that MDL */
    PDEVICE_OBJECT       object;
    PIRP                 irp;
    PVOID                context;
    PVOID                transfer_context; /* of version 3 */
    PDRIVER_CONTROL      control;          /* a channel's routine */
    PDRIVER_LIST_CONTROL list_control;     /* a list's routine */

    /* a list */
    PSCATTER_GATHER_LIST list;
    bool                 list_is_ours, write, has_mdl; /* has_mdl: BuildMdlFromScatterGatherList was called */
    uint32_t             elements;                     /* that the list has room for */
    PMDL                 mdl;
    uint64_t             offset;
    uint32_t             length;
};
_Static_assert(sizeof(struct hal_request) <= HAL_RECORD_BYTES, "a request is a record");

static inline uint32_t hal_state(const hal_request_t *request) { return atomic_load_explicit(&request->state, memory_order_acquire); }
static inline void     hal_state_set_locked(hal_request_t *request, uint32_t state)
{
    atomic_store_explicit(&request->state, state, memory_order_release);
}
hal_request_t *hal_request_make(hal_adapter_t *adapter); /* NULL: no record */
/* Grants it, or lets it wait. What the request's routine does it does now, then, or later on another thread; false: it would have to wait
 * and may not, and is gone. */
bool hal_request_submit(hal_request_t *request, bool now_or_never);
/* These states end; the request goes with the last of them, and others may get what it held. false: it had none of them. */
bool           hal_request_end(hal_request_t *request, uint32_t states);
bool           hal_request_cancel(hal_adapter_t *adapter, PVOID transfer_context);
hal_request_t *hal_request_of(const hal_adapter_t *adapter,
                              const void          *handle); /* NULL: no map registers that this adapter's driver holds */

bool           hal_context_is_ready(const void *transfer_context); /* InitializeDmaTransferContext was here (dma_channel.c) */
bool           hal_context_use(void *transfer_context);            /* for a request; false: that is cancelled already */
hal_request_t *hal_request_of_list(const hal_adapter_t       *adapter,
                                   const SCATTER_GATHER_LIST *list); /* NULL: none of its, or put (scatter_gather.c) */

/* ---- buffers as MDLs have them (mdl_chain.c), and mapping (dma_map.c) ---- */

typedef struct hal_cursor { /* a byte of a chain */
    PMDL     mdl;
    uint32_t offset; /* in the MDL */
} hal_cursor_t;

bool     hal_chain_has(PMDL mdl, uint64_t offset, uint64_t length);   /* so many bytes from there on */
uint32_t hal_chain_pages(PMDL mdl, uint64_t offset, uint64_t length); /* map registers that they need */
uint64_t hal_offset_of(PMDL mdl, PVOID va);                           /* UINT64_MAX: va lies before the buffer */

/* The next element from the cursor on, at most `length` bytes: mapped, copied if that is called for. 0: no map register is left. */
uint32_t     hal_map_element(hal_request_t *request, hal_cursor_t *cursor, uint32_t length, bool write, uint64_t *logical);
hal_cursor_t hal_cursor_at(PMDL mdl, uint64_t offset);
/* How many elements that would be. */
uint32_t hal_count_elements(const hal_adapter_t *adapter, PMDL mdl, uint64_t offset, uint32_t length);
/* What was mapped of those bytes is flushed: copied back if the device wrote. Map registers that were in use. */
uint32_t hal_flush(hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length, bool write);
bool     hal_is_bounced(const hal_request_t *request); /* some of what it maps is a copy */
void     hal_list_build(hal_request_t *request);       /* scatter_gather.c */
void     hal_list_drop(hal_request_t *request);        /* its memory, if it is ours */

/* ---- checks of the caller ---- */

/* Who watches every use of DMA (dma_probe.h); NULL: nobody. Set at boot. */
struct hal_dma_probe;
extern const struct hal_dma_probe *hal_probe;
NTMM_COLD void                     hal_irql_look(const char *routine, KIRQL least, KIRQL most, ULONG_PTR caller);
NTMM_COLD void                     hal_irql_unsaid(const char *routine, ULONG_PTR caller);
/* `least` matters to a verifier alone. */
#define HAL_REQUIRE_IRQLS(routine, least, most) \
    do { \
        if (NTMM_UNLIKELY(ke_self()->irql > (most) || hal_probe != NULL)) \
            hal_irql_look((routine), (least), (most), (ULONG_PTR)__builtin_return_address(0)); \
    } while (0)
#define HAL_REQUIRE_IRQL(routine, most) HAL_REQUIRE_IRQLS(routine, PASSIVE_LEVEL, most)
/* A routine whose page names no level. */
#define HAL_REQUIRE_IRQL_UNSAID(routine, most) \
    do { \
        if (NTMM_UNLIKELY(ke_self()->irql > (most))) \
            hal_irql_unsaid((routine), (ULONG_PTR)__builtin_return_address(0)); \
    } while (0)
#define HAL_REQUIRE_DISPATCH(routine) HAL_REQUIRE_IRQLS(routine, DISPATCH_LEVEL, DISPATCH_LEVEL)

static inline size_t hal_list_bytes(uint32_t elements) { return sizeof(SCATTER_GATHER_LIST) + elements * sizeof(SCATTER_GATHER_ELEMENT); }

#endif
