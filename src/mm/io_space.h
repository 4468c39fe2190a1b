/*
 * io_space.h - I/O space from the inside: windows that a test has made, the pages they lie on, and what drivers have mapped of them. mm and
 * hal include this.
 *
 *     window    a range of bytes: memory, or registers that callbacks play       io_window.c    no two overlap
 *     run       the pages that windows lie on, and their bytes                   io_pages.c     windows that share a page share a run
 *     mapping   system PTEs that name such pages, or RAM, by physical address    io_map.c       one for each MmMapIoSpace
 *
 * Units   bytes for windows, PFNs and pages for the rest.
 * Locks   (W) mm_ram_map_lock: held by whoever adds or removes windows   (I) mm_io_lock: KE_RANK_MM_IO_SPACE, for whoever looks
 */
#ifndef NTMM_MM_IO_SPACE_H
#define NTMM_MM_IO_SPACE_H

#include "ke/lock.h"
#include "mm/mm.h"

#define MM_IO_WINDOWS_MAX 256u

extern ke_lock_t mm_io_lock;

void mm_io_space_boot(void);
void mm_io_space_shutdown(void); /* after the system PTEs: windows and their bytes go */
bool mm_io_space_check(void);    /* false with ke_error set */

/* ---- windows (io_window.c) ---- */

/* What an access to a page with registers on it reaches. */
typedef struct mm_io_target {
    ntmm_io_ops ops; /* of the window; without callbacks where there is none */
    void       *context;
    uint64_t    offset; /* in the window */
    void       *memory; /* not NULL: a window of memory on the same page, and the byte there */
    uint64_t    left;   /* bytes from here to the window's end; 0: no window has that address */
} mm_io_target_t;
void mm_io_target_at(uint64_t physical, mm_io_target_t *target);

bool mm_io_overlaps(mm_pfn_number_t first, uint64_t page_count); /* a window lies on one of these pages. Caller holds (W) */
bool mm_io_describe_window(uint64_t physical, char *line, size_t bytes);
bool mm_io_describe_view(uintptr_t va, char *line, size_t bytes); /* an address on the device's side */

/* ---- pages (io_pages.c) ---- */

/* A window comes to lie on these pages. 0, or a negative errno with ke_error set and nothing changed. Caller holds (W), as for those that follow. */
int  mm_io_pages_hold(mm_pfn_number_t first, mm_pfn_number_t last, bool registers);
void mm_io_pages_drop(mm_pfn_number_t first, mm_pfn_number_t last); /* and is gone: unmark first, and mark what others have there */
void mm_io_pages_unmark_locked(mm_pfn_number_t first,
                               mm_pfn_number_t last); /* no window lies there. Caller holds (I) as well: to the end */
void mm_io_pages_mark_locked(mm_pfn_number_t first, mm_pfn_number_t last, bool registers);
bool mm_io_pages_are_mapped_locked(mm_pfn_number_t first, mm_pfn_number_t last);
void mm_io_pages_wipe(mm_pfn_number_t first, uint64_t page_count); /* zeros, where runs stay for the sake of others */

/* The bytes of pages at an address; access: enum host_access. Negative errno. */
int mm_io_pages_map(void *at, mm_pfn_number_t first, uint64_t page_count, unsigned access);

typedef enum mm_io_claim { MM_IO_CLAIMED, MM_IO_NO_PAGE, MM_IO_OTHER_CACHE } mm_io_claim_t;
/* One more mapping of a page. *registers: some lie on it. */
mm_io_claim_t mm_io_page_claim(mm_pfn_number_t pfn, MEMORY_CACHING_TYPE cache, bool *registers);
void          mm_io_page_release(mm_pfn_number_t pfn);

void mm_io_pages_shutdown(void);
bool mm_io_pages_check(void);

/* ---- mappings (io_map.c) ---- */

/* true: registers lie on the page that is mapped there; its PTE. */
bool mm_io_is_played(uintptr_t va, uint64_t *pte);
/* A PTE of a mapping by physical address that is being made names a page of I/O space; the page counts it. */
mm_io_claim_t mm_io_set_pte(void *va, size_t index, mm_pfn_number_t pfn, unsigned access, MEMORY_CACHING_TYPE cache);
/* What the PTEs of such a mapping hold, closed or never opened: I/O space is counted, pageable frames are pinned. */
void mm_io_let_go(void *va, size_t page_count);
bool mm_io_describe_mapping(uintptr_t va, char *line, size_t bytes);
void mm_io_map_boot(void);
/* A plain access to such a page: one line on stderr. Async-signal-safe. */
void mm_io_tell_plain_access(const host_fault_t *fault, uint64_t pte);

#endif
