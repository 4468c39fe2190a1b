/*
 * mm.h - what the memory manager offers the layers above: regions of address space, frames, pool pages, contiguous memory.
 *
 *   region            what lies there                                        frames
 *   physical map      nonpaged pool (NX), contiguous NX memory               at home: address = base + physical address
 *   executable map    the same bytes again, executable: executable pool      at home, second alias
 *   system PTEs       scattered frames, noncached memory, secure pool        at home, mapped one by one or in runs
 *                     I/O space                                              not RAM: io_space.h
 *   paged pool        pages mapped once, each to its own slot, and opened    in the slot of the page; there or not (paging.h)
 *   slots             the same bytes, always open: for mm itself             likewise
 *   shared slots      pages that views show: prototype PTEs (view.h)         likewise, always open here
 *   system views      views of sections, each through a gate                 those of the shared slots
 *   user slices       the same, of processes; a reservation of its own       likewise
 *
 * Units   bytes at the driver's interface, pages and PFNs inside.
 * Locks   each function says; nothing here calls out while holding one.
 */
#ifndef NTMM_MM_MM_H
#define NTMM_MM_MM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/thread.h"

typedef uint64_t mm_pfn_number_t;
#define MM_PFN_NONE UINT64_MAX

/* Which list a frame is on; zero bytes mean free and zeroed, so an untouched PFN database says the truth. */
typedef enum mm_list {
    MM_ZEROED = 0,
    MM_FREE,   /* below 2: in the run index (the linear policy reads this byte) */
    MM_CACHED, /* free or zeroed, in a thread's frame cache; counted as what it was */
    MM_STANDBY,
    MM_MODIFIED,
    MM_MODIFIED_NO_WRITE,
    MM_BAD,
    MM_ACTIVE,
    MM_LISTS
} mm_list_t;

/* What an active page is used for; the leak walk and !pfn read it. */
typedef enum mm_use {
    MM_USE_NONE = 0,
    MM_USE_POOL_BLOCKS, /* a pool page of small blocks */
    MM_USE_POOL_RUN,    /* first page of an allocation of whole pages; owner.bytes = bytes asked for */
    MM_USE_POOL_TAIL,   /* further pages of it; owner.bytes = pages back to the first */
    MM_USE_POOL_CACHED, /* first page of a run that pool holds ready, free for the driver */
    MM_USE_CONTIGUOUS,  /* first page of contiguous memory */
    MM_USE_NONCACHED,
    MM_USE_MAPPED,         /* backs a page of the system PTE or paged region: pte_va says which */
    MM_USE_SYSTEM,         /* the machine's own */
    MM_USE_TAIL,           /* further pages of contiguous or noncached memory; owner.bytes = pages back to the first */
    MM_USE_IO,             /* first page of a mapping that MmMapIoSpace made; owner.bytes: mm_io_extent */
    MM_USE_IO_TAIL,        /* further pages of it */
    MM_USE_MDL,            /* first page of the system mapping of an MDL; owner.bytes: its StartVa, owner.tag: pages */
    MM_USE_MDL_TAIL,       /* further pages of it; owner.bytes = pages back to the first */
    MM_USE_RESERVED,       /* first page of reserved addresses, mapped or not; owner.bytes: mm_reserved_pages, owner.tag: its owner's */
    MM_USE_MDL_PAGES,      /* first frame of MmAllocatePagesForMdl; owner.bytes = bytes */
    MM_USE_MDL_PAGES_TAIL, /* its other frames, which may lie anywhere */
    MM_USE_KERNEL_STACK,   /* owner.bytes = pages from its low end */
    MM_USE_SPECIAL_GUARD,  /* beside a page of special pool: mm_special_at knows which */
    MM_USE_SPECIAL_FREED   /* a page of special pool that is gone; bytes, tag and pool as they were */
} mm_use_t;

/* What is known of one page of an allocation. 16 bytes: in the PFN entry while the frame is at home,
 * in the region's own table for pages of the system PTE and paged regions. */
typedef struct mm_owner {
    uint64_t bytes;      /* first page: bytes asked for; later pages of a run: how many pages back the first one is */
    uint32_t tag;        /* pool tag; 0 = none */
    uint8_t  use;        /* mm_use_t */
    uint8_t  first_unit; /* MM_USE_POOL_BLOCKS: units at the page's start that belong to the allocation before it */
    uint8_t  pool;       /* mm_pool_t */
    uint8_t  flags;      /* MM_OWNER_*: the user's */
} mm_owner_t;
/* Its last four bytes in one look, and in one stroke, so that a look soon after it need not wait for the store; first_unit is 0. */
static inline void mm_owner_say(mm_owner_t *owner, unsigned use, unsigned pool, unsigned flags)
{
    uint32_t word = use | pool << 16 | flags << 24;
    memcpy(&owner->use, &word, sizeof word);
}
static inline bool mm_owner_says(const mm_owner_t *owner, unsigned use, unsigned pool, unsigned flags)
{
    uint32_t word;
    memcpy(&word, &owner->use, sizeof word);
    return word == (use | pool << 16 | flags << 24);
}
/* The page behind a large allocation's end turns into a page of blocks while others free blocks on it: they look at those four bytes at
 * once, and see either the one or the other. */
typedef uint32_t __attribute__((may_alias)) mm_owner_word_t;
static inline mm_owner_t mm_owner_glance(const mm_owner_t *owner)
{
    mm_owner_t seen = { 0 };
    uint32_t   word = __atomic_load_n((const mm_owner_word_t *)&owner->use, __ATOMIC_RELAXED);
    memcpy(&seen.use, &word, sizeof word);
    return seen;
}
static inline void mm_owner_turn(mm_owner_t *owner, unsigned use, unsigned first_unit, unsigned pool)
{
    owner->bytes = 0;
    owner->tag = 0;
    __atomic_store_n((mm_owner_word_t *)&owner->use, use | first_unit << 8 | pool << 16, __ATOMIC_RELAXED);
}
#define MM_OWNER_EXECUTE 0x01u         /* contiguous, noncached: protection asked for */
#define MM_OWNER_HAS_TAIL_BLOCKS 0x02u /* pool run: its last page carries small blocks behind the tail */
#define MM_OWNER_SECURE 0x04u          /* pool run: read-only where it is mapped */
#define MM_OWNER_PERMANENT 0x08u       /* pool run: can never be freed, and is not a leak */
#define MM_OWNER_SPECIAL 0x20u         /* pool run: a block of special pool, at the end of its page */
#define MM_OWNER_SPECIAL_START 0x40u   /* with the last: at its start */
#define MM_OWNER_LOCKED 0x10u          /* pool run: an MDL locked a page of it at some time, so who frees it looks */

typedef struct
    mm_pfn { /* the PFN database: one entry a frame, indexed by PFN.  Lock key: (P) mm_pfn_lock  (O) the owner of the active frame */
    uint32_t         next, prev; /* (P) PFN + 1 of the neighbours on a list; 0: end. In the working set: by the lock of the page table */
    _Atomic uint32_t pins;       /* references that keep the frame where it is: MDL locks */
    union {
        struct {
            uint8_t list;  /* (P) mm_list_t */
            uint8_t was;   /* (P) MM_ZEROED or MM_FREE while MM_CACHED; else 0 */
            uint8_t cache; /* (O) 1 + MEMORY_CACHING_TYPE of the mapping; 0: none yet */
            uint8_t flags; /* (P) MM_PFN_* */
        };
        uint32_t state; /* the four at once, list in the lowest byte: our hosts are little-endian */
    };
    union {
        mm_owner_t owner;       /* (O) at home */
        struct {                /* MM_USE_MAPPED: use stays at the same offset. Of a pageable page: by the lock of its page table */
            uint64_t va;        /* the page that this frame backs */
            uint32_t file_slot; /* in the page file, where the same bytes are; 0: none, the page was written since */
            uint8_t  use;       /* MM_USE_MAPPED */
            uint8_t  pad[3];
        } mapped;
    };
} mm_pfn_t;
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "mm_pfn.state names the bytes below it");
_Static_assert(sizeof(mm_pfn_t) == 32, "32 bytes a frame: 0.8 % of RAM with 4 KiB pages");

/* ---- the machine's memory (machine.c) ---- */
typedef struct mm_region { /* [base, base + bytes) */
    uintptr_t base;
    size_t    bytes;
} mm_region_t;
extern mm_region_t mm_physical_map, mm_executable_map, mm_system_pte_region, mm_paged_region, mm_slot_region, mm_shared_region;
extern mm_region_t mm_system_view_region;
extern mm_region_t mm_all;         /* the reservation that holds the seven */
extern mm_region_t mm_user_region; /* the slices of all processes: another reservation (space.h) */
extern mm_pfn_t   *mm_pfn_database;
extern uint64_t    mm_highest_pfn; /* inclusive */
extern bool        mm_unbacked;    /* frames without memory: the two maps are addresses that fault, there are no other regions */

int  mm_boot(const ntmm_config *config); /* negative errno with ke_error set; the tables and mappings of the boot before are used again */
void mm_shutdown(void);                  /* all frames free and zeroed again; touches only what was touched */
void mm_forget(void);                    /* in a forked child: the memory belongs to the parent */
ke_fault_answer_t mm_fault_resolve(ke_thread_t *thread, const host_fault_t *fault); /* async-signal-safe */
void              mm_describe_register(void);                                       /* stop reports then explain addresses of the regions */
bool              mm_check(void);                                                   /* every structure; false with ke_error set */

static inline bool mm_in(const mm_region_t *region, uintptr_t va) { return va - region->base < region->bytes; }

/* ---- frames (pfn.c) ---- */
mm_pfn_number_t mm_frame_get(uint32_t node,
                             bool    *zeroed); /* one frame, made active, from this thread's cache: list MM_ACTIVE, owner zero; of that
                                                            * node while it has any; MM_PFN_NONE when no frame is free anywhere */
mm_pfn_number_t mm_frame_get_zeroed_home(uint32_t node, bool *zeroed); /* the same, preferring one whose home the host keeps no bytes for */
void            mm_frame_put(mm_pfn_number_t pfn);                     /* dirty: goes to the free list */
typedef struct mm_frame_want {
    uint64_t page_count;
    uint64_t low, high; /* physical page numbers, [low, high] inclusive */
    uint64_t align;     /* pages, power of two; 0: none */
    uint64_t boundary;  /* pages, power of two; 0: none */
    uint32_t node;      /* only that one, or MM_ANY_NODE */
    bool     fast_only; /* fail rather than collect the free frames that threads keep in their caches */
} mm_frame_want_t;
#define MM_ANY_NODE UINT32_MAX
mm_pfn_number_t         mm_frames_get(const mm_frame_want_t *want,
                                      bool                  *zeroed); /* a run, all active; drains the frame caches before it gives up */
void                    mm_frames_put(mm_pfn_number_t first, uint64_t page_count);
void                    mm_query_frames(ntmm_memory_usage *out);
uint64_t                mm_frames_total(void);     /* of RAM */
uint64_t                mm_frames_available(void); /* zeroed and free ones; those in frame caches as of a moment ago */
static inline mm_pfn_t *mm_pfn_entry(mm_pfn_number_t pfn) { return &mm_pfn_database[pfn]; }
bool                    mm_pfn_is_ram(mm_pfn_number_t pfn);
uint32_t                mm_node_of_home(const void *va); /* NUMA node of the frame whose home this is; 0 when va is no home */
void                    mm_visit_frames(void (*visit)(void *context, mm_pfn_number_t pfn, mm_pfn_t *entry),
                                        void *context); /* touched ones, ascending, active only */

/* ---- pool pages (pool_pages.c) ---- */
typedef enum mm_pool { MM_NONPAGED_NX, MM_NONPAGED_EXECUTE, MM_PAGED, MM_POOLS } mm_pool_t;
/* Whole pages for the pools, owner entries zero but for `pool`; NULL when the limit, address space or frames are short.
 * *zeroed: the bytes are zero. */
void *mm_pool_pages_alloc(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed);
void  mm_pool_pages_free(mm_pool_t pool, void *va, size_t page_count);
/* The same for nonpaged pools with every page on that node; NULL when it has not as many. */
void  *mm_pool_pages_alloc_on_node(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed);
size_t mm_pool_page_count(mm_pool_t pool); /* pages that the pools of that kind hold now */
size_t mm_pool_limit_pages(mm_pool_t pool);

uint32_t mm_node_of(const void *va);   /* of the frame behind an address of the regions that has one */
size_t   mm_pool_room(mm_pool_t pool); /* pages that the limit still allows */

/* ---- secure pool (secure_pages.c) ---- */
/* Nonpaged pages filled with zeros that can be read, and written by mm_secure_write alone; MM_ANY_NODE or a node, of which all of them are.
 * The first page's owner entry is the caller's to fill in, MM_OWNER_SECURE stays set in it; the later ones say MM_USE_POOL_TAIL. */
void *mm_secure_alloc(uint32_t node, size_t page_count);
void  mm_secure_write(void *va, const void *from, size_t bytes); /* any bytes of such pages */
void  mm_secure_free(void *va, size_t page_count);

/* ---- special pool (special_pages.c) ---- */
/* One page between two that fault; NULL: frames, addresses or host mappings are short. The owner entry is the caller's to fill in, with
 * MM_OWNER_SPECIAL. Once it is freed all three fault until their addresses are needed. */
void *mm_special_alloc(uint32_t node, mm_pool_t pool);
void  mm_special_free(void *page);

typedef struct mm_special {
    enum { MM_SPECIAL_NONE = 0, MM_SPECIAL_BLOCK, MM_SPECIAL_GUARD, MM_SPECIAL_FREED } is; /* FREED: the guards of what was freed as well */
    mm_owner_t *owner;                                                                     /* of the block's page */
    void       *page;
} mm_special_t;
mm_special_t mm_special_at(uintptr_t va); /* takes no lock: the fault handler asks */

/* The owner entry of the page that va lies in, for all four regions of memory that is handed out; NULL outside, in a hole, or for a page that
 * nobody has. A page of paged pool need not be there. */
mm_owner_t *mm_owner_of(const void *va);
/* The entry of a page that is known to lie in the paged region, without asking whether the page is there: use is MM_USE_NONE if it is not. */
extern mm_owner_t        *mm_paged_owners;
static inline mm_owner_t *mm_paged_owner(const void *page)
{
    return &mm_paged_owners[((uintptr_t)page - mm_paged_region.base) >> PAGE_SHIFT];
}
/* Which pool an address would belong to by its region alone; MM_POOLS when none. (system PTE pages: from the owner entry) */
mm_pool_t mm_pool_of(const void *va);
/* Every page of all regions with an owner entry in use, ascending by address, region by region (nonpaged by PFN, then system PTE,
 * then paged). */
void mm_visit_owners(void (*visit)(void *context, void *page, mm_owner_t *owner), void *context);

/* ---- paging (page_fault.c, paging_control.c) ---- */
/* Between the two the calling thread may touch pageable memory at any IRQL: the machine's own walks, not the driver. They nest. */
void mm_faults_forgive(bool on);

/* The INIT section of the driver whose DriverEntry is at `entry`: closed, if it has pages of its own; and open again. */
void mm_driver_init_discard(uintptr_t entry);
void mm_driver_init_restore(uintptr_t entry);
/* The driver that lies there is as it was linked, if it was pageable as a whole. */
void mm_driver_reset(uintptr_t address);
bool mm_may_touch_pageable(void); /* the calling thread is below DISPATCH_LEVEL, or forgiven */
/* Part of boot: whoever raises to DISPATCH_LEVEL loses all pageable memory (force_irql.c); alone, where the host has protection keys. */
void mm_force_irql(bool on, bool by_key);
void mm_balance_working_set(void); /* a step of the working set manager: trims and writes when memory is short. At APC_LEVEL or below */

/* ---- system PTEs (system_pte.c) ---- */
void *mm_system_pte_map(const mm_pfn_number_t *pfns, size_t page_count, unsigned access /* enum host_access */); /* NULL: none left */
void  mm_system_pte_unmap(void *va, size_t page_count); /* the frames stay the caller's */

/* Where a device's access to that byte of RAM, and to the rest of its page, ends up: at home, or in the slot of a pageable page, there or not.
 * NULL: no RAM, a frame that nobody has, or secure pool to be written. Outside of mm_all: memory of the process, if it is there. Takes no
 * lock (address.c). */
void *mm_device_view(uint64_t physical, bool write);
/* A copy to a buffer of some other thread: in whatever process, and at whatever IRQL, the caller is (deliver.c). */
void     mm_deliver(void *to, const void *from, size_t bytes);
uint64_t mm_device_highest(void); /* no MDL holds a frame beyond this physical address */

/* ---- mappings by physical address (io_map.c) ---- */
/* What MmMapIoSpace was asked for: the address that it returned, on the page whose owner says MM_USE_IO, and the bytes. */
void *mm_io_extent(void *page, const mm_owner_t *owner, size_t *bytes);

/* Mappings of MDLs (MM_USE_MDL) and reserved addresses (MM_USE_RESERVED). */
void mm_visit_mappings(void (*visit)(void *context, void *page, mm_owner_t *owner), void *context);
/* ---- pages that are locked (lock_pages.c) ---- */
/* The first frame of pages at `run` that somebody has locked, or MM_PFN_NONE. */
mm_pfn_number_t mm_first_locked_page(const void *run, size_t page_count);
/* All of them, in rows: where the first one can be seen. */
void mm_visit_locked(void (*visit)(void *context, void *first, size_t page_count), void *context);

/* ---- contiguous and noncached memory (contiguous.c) ---- */
/* For hal, without a question for injected failures: a run in the physical map, whole pages for `bytes`, not executable, that
 * MmFreeContiguousMemory takes back. `of_machine`: the machine's own, which is no leak, and goes back by mm_contiguous_put. NULL: none. */
typedef struct mm_contiguous_want {
    uint64_t bytes, lowest, highest; /* physical addresses, of the first byte and of the last one */
    uint64_t align;                  /* pages, power of two; 0: none */
    uint32_t node;                   /* the first choice; MM_ANY_NODE_OK: none */
    uint32_t tag;
    uint8_t  cache; /* MEMORY_CACHING_TYPE */
    bool     of_machine;
} mm_contiguous_want_t;
void *mm_contiguous_get(const mm_contiguous_want_t *want);
void  mm_contiguous_put(void *base);
/* Leaks: the boot code asks for each live allocation through mm_visit_owners with use MM_USE_CONTIGUOUS or MM_USE_NONCACHED. */

#endif
