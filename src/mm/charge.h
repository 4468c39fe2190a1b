/*
 * charge.h - who holds how many pages, and how many may be held: the limits of the pools and the commit limit. Only mm includes this.
 * Whoever takes pages is charged first, and finds frames then; whoever gives pages back is uncharged when the frames are free again. So a
 * charge that was granted finds its frames, unless they lie apart where a run is asked for, or are bad.
 *
 *     kind      nonpaged NX | nonpaged execute | paged | other (contiguous, noncached)
 *     gauges    `-- nonpaged: limit ---------'   limit   none
 *               `------------- committed: commit limit ------------'
 *
 * Each gauge has a band: while its value is inside, none of the conditions of pressure.c changes.
 *
 * Units       pages.
 * Invariants  the sum of all kinds <= commit limit; each pool's gauge <= its limit
 * Locks       none. A charge is counted first and looked at then: two that race for the last page may both be refused, never both served.
 *             What has no chance is not even counted, so that it stands in nobody's way.
 */
#ifndef NTMM_MM_CHARGE_H
#define NTMM_MM_CHARGE_H

#include "ke/thread.h"
#include "mm/mm.h"

enum mm_charge_kind { MM_CHARGE_OTHER = MM_POOLS, MM_CHARGE_KINDS }; /* the pools come first: enum mm_pool */
enum mm_gauge { MM_GAUGE_NONPAGED, MM_GAUGE_PAGED, MM_GAUGE_COMMITTED, MM_GAUGES };

/* Lock key: (A) atomic   (B) set at boot */
typedef struct mm_charges {
    _Atomic uint64_t held[MM_CHARGE_KINDS];        /* (A) */
    _Atomic uint64_t limit[MM_GAUGES];             /* (A) those of the pools: (B) */
    _Alignas(64) _Atomic uint64_t band[MM_GAUGES]; /* (A) lowest value in the low half, number of values in the high half */
    _Atomic uint64_t usable;                       /* (A) RAM but for bad frames */
} mm_charges_t;
extern _Alignas(64) mm_charges_t mm_charges;

typedef struct mm_levels {
    uint64_t of[MM_GAUGES];
} mm_levels_t;

static inline mm_levels_t mm_levels_now(void)
{
    uint64_t nonpaged = atomic_load(&mm_charges.held[MM_NONPAGED_NX]) + atomic_load(&mm_charges.held[MM_NONPAGED_EXECUTE]);
    uint64_t paged = atomic_load(&mm_charges.held[MM_PAGED]);
    return (mm_levels_t){ { nonpaged, paged, nonpaged + paged + atomic_load(&mm_charges.held[MM_CHARGE_OTHER]) } };
}

static inline bool mm_level_fits(const mm_levels_t *levels, enum mm_gauge gauge, uint64_t more)
{
    uint64_t limit = atomic_load_explicit(&mm_charges.limit[gauge], memory_order_relaxed);
    return more <= limit && levels->of[gauge] <= limit - more;
}

static inline bool mm_levels_fit(const mm_levels_t *levels, unsigned kind, uint64_t more)
{
    if (kind != MM_CHARGE_OTHER && !mm_level_fits(levels, kind == MM_PAGED ? MM_GAUGE_PAGED : MM_GAUGE_NONPAGED, more))
        return false;
    return mm_level_fits(levels, MM_GAUGE_COMMITTED, more);
}

static inline bool mm_level_left_band(const mm_levels_t *levels, enum mm_gauge gauge)
{
    uint64_t band = atomic_load(&mm_charges.band[gauge]);
    return levels->of[gauge] - (uint32_t)band >= band >> 32;
}

/* A condition may have changed: whoever leaves the library next looks (pressure.c). */
static inline void mm_levels_note(const mm_levels_t *levels)
{
    if (NTMM_UNLIKELY(mm_level_left_band(levels, MM_GAUGE_COMMITTED) || mm_level_left_band(levels, MM_GAUGE_NONPAGED) ||
                      mm_level_left_band(levels, MM_GAUGE_PAGED)))
        atomic_store(&ke_leave_due, true);
}

static inline void mm_uncharge(unsigned kind, uint64_t page_count)
{
    uint64_t before = atomic_fetch_sub(&mm_charges.held[kind], page_count);
    NTMM_INVARIANT(before >= page_count, "nobody gives back more pages than are held");
    mm_levels_t levels = mm_levels_now();
    mm_levels_note(&levels);
}

/* false: a limit is in the way. */
static inline bool mm_charge(unsigned kind, uint64_t page_count)
{
    mm_levels_t levels = mm_levels_now();
    if (NTMM_UNLIKELY(!mm_levels_fit(&levels, kind, page_count)))
        return false;
    atomic_fetch_add(&mm_charges.held[kind], page_count);
    levels = mm_levels_now();
    if (NTMM_UNLIKELY(!mm_levels_fit(&levels, kind, 0))) {
        mm_uncharge(kind, page_count);
        return false;
    }
    mm_levels_note(&levels);
    return true;
}

void mm_charges_boot(const ntmm_config *config); /* after the frames are there */
void mm_charges_ram_changed_locked(void);        /* under mm_pfn_lock: there is more or less RAM, or more of it is bad */

#endif
