/*
 * charge.h - who holds how many pages, and how many may be held: the limits of the pools and the commit limit. Only mm includes this.
 * Whoever takes pages is charged first, and finds frames then; whoever gives pages back is uncharged when the frames are free again.
 *
 *     kind      nonpaged NX | nonpaged execute | paged | other (contiguous, noncached) | private | section
 *     gauges    `-- nonpaged: limit ---------'   limit   none
 *               `------------- committed: RAM and page file --------------------------------------'
 *     pageable                                   paged                                 private   section
 *     besides   all that is not pageable, and MM_RESERVE pages of what is: RAM
 *
 * private: committed pages of a space that only it sees, and those that it may copy (copy-on-write). section: pages of segments in the page file.
 *
 * So a charge that was granted finds its frames, unless they lie apart where a run is asked for, or are bad: for what must stay in RAM there is
 * RAM, other pages make room for it (reclaim.c), and each page that has to go finds a place in the page file, unless the host refuses
 * it. Pageable memory of any size can have MM_RESERVE pages in RAM at once, which is more than an instruction touches.
 *
 * Each gauge has a band: while its value is inside, none of the conditions of pressure.c changes.
 *
 * Units       pages.
 * Invariants  the sum of all kinds <= commit limit; each pool's gauge <= its limit; what must be in RAM <= RAM
 * Locks       none. A charge is counted first and looked at then: two that race for the last page may both be refused, never both served.
 *             More than a page that has no chance is not even counted, so that it stands in nobody's way.
 */
#ifndef NTMM_MM_CHARGE_H
#define NTMM_MM_CHARGE_H

#include "ke/thread.h"
#include "mm/mm.h"

enum mm_charge_kind {
    MM_CHARGE_OTHER = MM_POOLS,
    MM_CHARGE_PRIVATE,
    MM_CHARGE_SECTION,
    MM_CHARGE_KINDS
}; /* the pools come first: enum mm_pool */
enum mm_gauge { MM_GAUGE_NONPAGED, MM_GAUGE_PAGED, MM_GAUGE_COMMITTED, MM_GAUGES };

#define MM_CHARGE_WORD 1u /* in ke_leave_due: a gauge has left its band */

/* Lock key: (A) atomic   (B) set at boot */
typedef struct mm_charges {
    _Atomic uint64_t held[MM_CHARGE_KINDS];        /* (A) */
    _Atomic uint64_t limit[MM_GAUGES];             /* (A) those of the pools: (B) */
    _Alignas(64) _Atomic uint64_t band[MM_GAUGES]; /* (A) lowest value in the low half, number of values in the high half */
    _Atomic uint64_t usable;                       /* (A) RAM but for bad frames */
    _Atomic uint64_t ram, file;                    /* (A) pages that can be in use: of RAM, but for locked ones; of the page file */
    _Atomic uint64_t locked;                       /* (A) pageable pages that MDLs keep in RAM; ram + locked + file is the commit limit */
} mm_charges_t;
#define MM_RESERVE 32u
extern _Alignas(64) mm_charges_t mm_charges;

static inline uint64_t mm_held(unsigned kind) { return atomic_load(&mm_charges.held[kind]); }
static inline uint64_t mm_pageable_now(void) { return mm_held(MM_PAGED) + mm_held(MM_CHARGE_PRIVATE) + mm_held(MM_CHARGE_SECTION); }

static inline uint64_t mm_gauge_now(enum mm_gauge gauge)
{
    if (gauge == MM_GAUGE_PAGED)
        return mm_held(MM_PAGED);
    uint64_t nonpaged = mm_held(MM_NONPAGED_NX) + mm_held(MM_NONPAGED_EXECUTE);
    return gauge == MM_GAUGE_NONPAGED ? nonpaged : nonpaged + mm_pageable_now() + mm_held(MM_CHARGE_OTHER);
}

/* A kind's own gauge; all have a part in the committed pages as well. */
static inline enum mm_gauge mm_gauge_of(unsigned kind)
{
    return kind >= MM_CHARGE_OTHER ? MM_GAUGE_COMMITTED : kind == MM_PAGED ? MM_GAUGE_PAGED : MM_GAUGE_NONPAGED;
}
static inline bool mm_kind_is_pageable(unsigned kind) { return kind == MM_PAGED || kind >= MM_CHARGE_PRIVATE; }

static inline bool mm_limit_allows(enum mm_gauge gauge, uint64_t value)
{
    return value <= atomic_load_explicit(&mm_charges.limit[gauge], memory_order_relaxed);
}

/* Of so many committed pages, of which so many are pageable, how many must be in RAM: a few of those, too, for who touches them. */
static inline uint64_t mm_fixed_pages(uint64_t committed, uint64_t pageable)
{
    return committed - pageable + (pageable < MM_RESERVE ? pageable : MM_RESERVE);
}
static inline bool mm_ram_allows(uint64_t committed, uint64_t pageable)
{
    return mm_fixed_pages(committed, pageable) <= atomic_load_explicit(&mm_charges.ram, memory_order_relaxed);
}
static inline bool mm_band_has(enum mm_gauge gauge, uint64_t value)
{
    uint64_t band = atomic_load(&mm_charges.band[gauge]);
    return value - (uint32_t)band < band >> 32;
}

/* A gauge that has left its band: a condition may have changed, and whoever leaves the library next looks (pressure.c). */
static inline void mm_charge_note(enum mm_gauge gauge, uint64_t value, uint64_t committed)
{
    if (NTMM_UNLIKELY(!mm_band_has(gauge, value) || !mm_band_has(MM_GAUGE_COMMITTED, committed)))
        atomic_store(&ke_leave_due, MM_CHARGE_WORD);
}

static inline void mm_uncharge(unsigned kind, uint64_t page_count)
{
    enum mm_gauge gauge = mm_gauge_of(kind);
    uint64_t      before = atomic_fetch_sub(&mm_charges.held[kind], page_count);
    NTMM_INVARIANT(before >= page_count, "nobody gives back more pages than are held");
    mm_charge_note(gauge, mm_gauge_now(gauge), mm_gauge_now(MM_GAUGE_COMMITTED));
}

/* More than can ever be had, or than is left. */
static inline bool mm_charge_is_hopeless(unsigned kind, uint64_t page_count)
{
    enum mm_gauge gauge = mm_gauge_of(kind);
    uint64_t      most = atomic_load_explicit(&mm_charges.limit[gauge], memory_order_relaxed);
    uint64_t      all = atomic_load_explicit(&mm_charges.limit[MM_GAUGE_COMMITTED], memory_order_relaxed);
    uint64_t      committed = mm_gauge_now(MM_GAUGE_COMMITTED), pageable = mm_pageable_now();
    if (page_count > most || mm_gauge_now(gauge) > most - page_count || page_count > all || committed > all - page_count)
        return true;
    return !mm_ram_allows(committed + page_count, mm_kind_is_pageable(kind) ? pageable + page_count : pageable);
}

/* false: a limit is in the way. */
static inline bool mm_charge(unsigned kind, uint64_t page_count)
{
    enum mm_gauge gauge = mm_gauge_of(kind);
    if (page_count > 1 && mm_charge_is_hopeless(kind, page_count))
        return false;
    atomic_fetch_add(&mm_charges.held[kind], page_count);
    uint64_t value = mm_gauge_now(gauge), pageable = mm_pageable_now(), committed = mm_gauge_now(MM_GAUGE_COMMITTED);
    if (NTMM_UNLIKELY(!mm_limit_allows(gauge, value) || !mm_limit_allows(MM_GAUGE_COMMITTED, committed) ||
                      !mm_ram_allows(committed, pageable))) {
        mm_uncharge(kind, page_count);
        return false;
    }
    mm_charge_note(gauge, value, committed);
    return true;
}

void mm_charges_boot(const ntmm_config *config);        /* after the frames are there */
void mm_charges_ram_changed_locked(void);               /* under mm_pfn_lock: there is more or less RAM, or more of it is bad */
bool mm_charges_fit_without_locked(uint64_t ram_pages); /* with so much less RAM what is committed could still be had */
/* A pageable page may be locked: it takes RAM from those that can never leave. Under mm_pfn_lock, as what follows. */
bool mm_charge_locked_page_locked(void);
void mm_uncharge_locked_page_locked(void);
void mm_charges_page_file_is(uint64_t pages); /* the host refuses more: what the page file can hold from now on */

#endif
