/*
 * driver_pages.h - sections of drivers that may be paged: those whose name begins with PAGE. Only mm includes this.
 *
 *     driver_sections.c   which there are, who has locked them, MmLockPagableCodeSection and its like
 *     driver_paging.c     their pages, from state to state
 *     driver_whole.c      drivers that are pageable as a whole: MmPageEntireDriver
 *     driver_protect.c    data that nobody may write any more: MmProtectDriverSection
 *     driver_init.c       sections that are discarded when DriverEntry has returned: INIT
 *
 *     section    as the linker made it: PAGE, PAGELK, PAGEDATA ..      what is locked
 *     run        pages in a row that belong to such sections alone     what comes and goes, page by page
 *
 * Images of drivers are no RAM of the machine (driver_paging.c says why): their pages have states, but no frames.
 *
 * Units   bytes; pages of a run.
 * Locks   mm_paging_lock for all of it; boot and shutdown run alone.
 */
#ifndef NTMM_MM_DRIVER_PAGES_H
#define NTMM_MM_DRIVER_PAGES_H

#include "host/image_sections.h"
#include "mm/paging.h"

#define MM_DRIVER_NAME 8u /* characters of a section's name that count, as in an image file of Windows */

enum mm_driver_state { MM_DRIVER_THERE, MM_DRIVER_TRIMMED, MM_DRIVER_OUT };

typedef struct mm_driver_page {
    uint32_t pins;         /* locks of sections that lie on it */
    uint8_t  state;        /* enum mm_driver_state */
    bool     dirty;        /* written since it was read from the page file, or never there */
    bool     in_file;      /* the page file has the same bytes */
    bool     is_read_only; /* MmProtectDriverSection */
} mm_driver_page_t;

typedef struct mm_driver_run {
    uintptr_t         base, end;  /* multiples of the host's page */
    unsigned          access;     /* enum host_access, as linked */
    bool              covered;    /* its pages lie under the protection key */
    bool              resident;   /* no PAGE section: its pages do not go; they are here because they are protected, or went once */
    mm_driver_page_t *pages;      /* NULL: the entry is free */
    size_t            page_count; /* PAGE_SIZE each, but the first and the last may be shorter */
    host_object_t     object;     /* what can be written: its slots, which the image's own pages were replaced with */
    host_gate_t       gate;
    void             *alias;
} mm_driver_run_t;

/* ---- driver_paging.c ---- */

/* -ENOMEM, or what the host says: the pages stay as they are. */
int    mm_driver_run_create_locked(mm_driver_run_t *run, uintptr_t base, uintptr_t end, unsigned access, bool resident);
void   mm_driver_run_forget_locked(mm_driver_run_t *run, bool image_is_there); /* there: it has pages of its own again */
bool   mm_driver_run_is_mapped_locked(mm_driver_run_t *run);                   /* false: other pages lie at its addresses now */
size_t mm_driver_page_index(const mm_driver_run_t *run, uintptr_t va);
bool   mm_driver_run_stay_locked(mm_driver_run_t *run);                 /* all of it is there, and resident. false: the host refuses */
void   mm_driver_run_may_go_locked(mm_driver_run_t *run);               /* and pageable again */
bool   mm_driver_page_bring_locked(mm_driver_run_t *run, size_t index); /* there now, whatever its state was */
bool   mm_driver_page_dirty_locked(mm_driver_run_t *run, size_t index); /* and written to. false: it may not be, or the host refuses */
mm_page_answer_t mm_driver_page_fault_locked(mm_driver_run_t *run, const host_fault_t *fault, bool irql_is_low);
void             mm_driver_page_protect_locked(mm_driver_run_t *run, size_t index); /* read-only from now on */
size_t           mm_driver_trim_locked(void);                                       /* every page that may go is closed; how many were */
void             mm_driver_trim_with_locked(uint64_t trimmed, uint64_t of); /* so many of so many pages of the working set were, too */
size_t           mm_driver_put_out_locked(void);                            /* the same, and its bytes leave, too */
void             mm_driver_page_file_reset(bool is_shared);                 /* shared: its bytes are the parent's */

/* Pages come under the protection key, or away from it; or what the host says. Those of code stay away: the key does not count for fetches. */
bool mm_driver_run_is_data(const mm_driver_run_t *run);
int  mm_driver_page_cover_locked(const mm_driver_run_t *run, size_t index, bool covered);
int  mm_driver_cover_locked(bool covered); /* all runs; the first refusal ends it */

/* ---- driver_sections.c ---- */

typedef struct mm_driver_section {
    uintptr_t        start, end;
    uintptr_t        image;  /* where its image begins; 0: the entry is free */
    unsigned         access; /* enum host_access, as linked */
    char             name[MM_DRIVER_NAME + 1];
    mm_driver_run_t *run; /* NULL: none of its pages is its own */
    uint32_t         locks;
    bool             is_resident; /* no PAGE section: somebody has locked, protected or paged it */
    bool             is_protected;
    bool             is_whole; /* is_resident, and pageable while its driver is as a whole */
} mm_driver_section_t;

#define MM_DRIVER_RUNS 64u
extern mm_driver_run_t mm_driver_runs[MM_DRIVER_RUNS];
extern size_t          mm_driver_run_count; /* entries that were ever in use */

void mm_driver_boot(void);
void mm_driver_forget(void);   /* in a forked child: the same, and what the parent shares is left alone */
void mm_driver_shutdown(void); /* the images have pages of their own again; no section is locked or protected */
void mm_driver_look(void);     /* images came or went? Takes the dynamic linker's lock, then mm_paging_lock */
void mm_driver_visit_images(void (*visit)(const host_image_t *image, void *context), void *context); /* with nothing of mm's held */
/* Of an image whose sections [first, end) are pageable and alike: which pages are theirs alone? `shares` hears of those that are not. */
void mm_driver_bound_run(const host_image_t *image, size_t first, size_t end, uintptr_t *base, uintptr_t *run_end,
                         void (*shares)(const host_image_t *image, const host_section_t *section, const char *with));
bool mm_driver_shares_run(const host_section_t *before, const host_section_t *section); /* on the same page, and alike */
bool mm_driver_is_paged_by_name(const host_section_t *section);
void mm_driver_visit_sections_locked(uintptr_t image, void (*visit)(mm_driver_section_t *section, void *context), void *context);
/* Async-signal-safe. MM_PAGE_ABSENT: the address lies in no pageable section. */
mm_page_answer_t     mm_driver_fault_locked(const host_fault_t *fault, bool irql_is_low);
bool                 mm_driver_bring_locked(uintptr_t va);                           /* false: no such page, or the host refuses */
mm_driver_section_t *mm_driver_section_locked(uintptr_t va);                         /* NULL: no section that there is a record of */
mm_driver_section_t *mm_driver_add_resident_locked(const mm_driver_section_t *like); /* NULL: no room */
mm_driver_run_t     *mm_driver_add_run_locked(uintptr_t base, uintptr_t end, unsigned access, bool resident); /* NULL: the host refuses */
/* For I/O: the page is there, stays, and is dirty if it is to be written. false: the host refuses. */
bool mm_driver_pin(uintptr_t va, bool write);
void mm_driver_unpin(uintptr_t va); /* of no pageable section: nothing */
bool mm_driver_has(uintptr_t va);   /* the address lies in a pageable section */
bool mm_driver_stays(uintptr_t va); /* in one that was, or is there for another reason: resident */
bool mm_driver_describe(uintptr_t va, char *line, size_t bytes);
/* The run of such a section, or NULL. */
mm_driver_run_t *mm_driver_run_of(uintptr_t va);

/* ---- driver_init.c ---- */

void mm_driver_init_reset(void);       /* every INIT section can be executed again */
bool mm_driver_init_has(uintptr_t va); /* in an INIT section that is gone. Async-signal-safe */
bool mm_driver_init_describe(uintptr_t va, char *line, size_t bytes);

/* ---- bad_pointer.c ---- */

void mm_bad_pointer_boot(void);
bool mm_is_bad_pointer(uintptr_t va);

#endif
