/*
 * pressure.c - memory is short, memory is plenty: notification events that say so as long as it is so.
 *
 *     gauge       0 ........................................................................ limit
 *     paged       |<- High is set ->|                                        |<- Low is set --->|     nonpaged likewise
 *     committed   |<- HighMemory -------------------------->|                  |<- LowMemory -->|     of usable RAM
 *                 |<- LowCommit ------->|        |<- HighCommit ------>|<- MaximumCommit ------>|     of the commit limit
 *
 * A charge only compares its gauge with the band around it in which nothing changes, and leaves word (ke_leave_due) when the band was left.
 * The events are set when a thread leaves the library, with no lock of a pool in its hand: by the thread that crossed the line, or by
 * another that leaves before it and is waited for. So they are right when the call that changed something returns.
 *
 * Invariants  an event is signaled if and only if its condition held when somebody looked last; a gauge that is outside its band has
 *             ke_leave_due set, or somebody is looking
 * Locks       pressure_lock while looking: two who look do not undo each other's work. Bands and gauges: sequentially consistent atomics,
 *             so that a charge sees the new band, or who publishes it sees the charge.
 * Source      WDK reference: "Standard event objects". Windows Internals: LowMemory at 32 MB for each 4 GB of RAM, at most 64 MB, HighMemory
 *             at three times that. Thresholds of the pools and of commit are documented nowhere (choice).
 */
#include "mm/pressure.h"

#include "ke/wait.h"
#include "mm/charge.h"

#define NTDDI_OF_SERVER_2003 0x05020000u
#define NTDDI_OF_VISTA 0x06000000u

#define LOOKING (MM_CHARGE_WORD + 1) /* ke_leave_due: somebody is at it */

#define LOW_MEMORY_SHARE 128u /* 32 MB of 4 GB */
#define LOW_MEMORY_MOST ((UINT64_C(64) << 20) >> PAGE_SHIFT)
#define LOW_POOL_SHARE 8u
#define HIGH_TIMES 3u
#define LOW_COMMIT_PERCENT 50u
#define HIGH_COMMIT_PERCENT 90u
#define MAXIMUM_COMMIT_PERCENT 97u

static const struct condition {
    uint8_t  gauge; /* enum mm_gauge */
    bool     above; /* set at its boundary and above, or below it */
    uint32_t since; /* NTDDI value */
} CONDITIONS[MM_CONDITIONS] = {
    [MM_LOW_MEMORY] = { MM_GAUGE_COMMITTED, true, 0 },
    [MM_HIGH_MEMORY] = { MM_GAUGE_COMMITTED, false, 0 },
    [MM_LOW_NONPAGED] = { MM_GAUGE_NONPAGED, true, NTDDI_OF_SERVER_2003 },
    [MM_HIGH_NONPAGED] = { MM_GAUGE_NONPAGED, false, NTDDI_OF_SERVER_2003 },
    [MM_LOW_PAGED] = { MM_GAUGE_PAGED, true, NTDDI_OF_SERVER_2003 },
    [MM_HIGH_PAGED] = { MM_GAUGE_PAGED, false, NTDDI_OF_SERVER_2003 },
    [MM_LOW_COMMIT] = { MM_GAUGE_COMMITTED, false, NTDDI_OF_VISTA },
    [MM_HIGH_COMMIT] = { MM_GAUGE_COMMITTED, true, NTDDI_OF_VISTA },
    [MM_MAXIMUM_COMMIT] = { MM_GAUGE_COMMITTED, true, NTDDI_OF_VISTA },
};

static ke_lock_t pressure_lock = KE_LOCK_INIT(KE_RANK_MM_PRESSURE);
static KEVENT    events[MM_CONDITIONS];
static bool      is_set[MM_CONDITIONS]; /* under pressure_lock */
static uint64_t  low_memory;            /* pages, as below: set at boot */
static uint32_t  windows_version;

mm_condition_t mm_pressure_condition_of(const void *event)
{
    uintptr_t offset = (uintptr_t)event - (uintptr_t)events;
    return offset < sizeof events && offset % sizeof events[0] == 0 ? (mm_condition_t)(offset / sizeof events[0]) : MM_CONDITIONS;
}

/* ---- boundaries ---- */

static uint64_t at_least_one(uint64_t count) { return count != 0 ? count : 1; }

/* The lowest value of a gauge at which less than `spare` is left below the limit. */
static uint64_t leaves_less(uint64_t limit, uint64_t spare) { return limit >= spare ? limit - spare + 1 : 0; }
/* Below it, more than `spare` is left. */
static uint64_t leaves_more(uint64_t limit, uint64_t spare) { return limit > spare ? limit - spare : 0; }

static uint64_t boundary_of(mm_condition_t condition)
{
    uint64_t usable = atomic_load(&mm_charges.usable), limit = atomic_load(&mm_charges.limit[CONDITIONS[condition].gauge]);
    uint64_t low_pool = at_least_one(limit / LOW_POOL_SHARE);
    switch (condition) {
    case MM_LOW_MEMORY: return leaves_less(usable, low_memory);
    case MM_HIGH_MEMORY: return leaves_more(usable, HIGH_TIMES * low_memory);
    case MM_LOW_NONPAGED:
    case MM_LOW_PAGED: return leaves_less(limit, low_pool);
    case MM_HIGH_NONPAGED:
    case MM_HIGH_PAGED: return leaves_more(limit, HIGH_TIMES * low_pool);
    case MM_LOW_COMMIT: return limit * LOW_COMMIT_PERCENT / 100;
    case MM_HIGH_COMMIT: return limit * HIGH_COMMIT_PERCENT / 100;
    default: return limit * MAXIMUM_COMMIT_PERCENT / 100;
    }
}

/* ---- looking ---- */

static void set_event_locked(mm_condition_t condition, bool set)
{
    if (is_set[condition] == set)
        return;
    is_set[condition] = set;
    if (set)
        ke_event_set(&events[condition]);
    else
        ke_event_reset(&events[condition]);
}

/* Around the value of a gauge: from the nearest boundary at or below it to the nearest one above. */
static uint64_t look_at_gauge_locked(enum mm_gauge gauge, uint64_t value)
{
    uint64_t from = 0, end = UINT32_MAX;
    for (mm_condition_t c = 0; c < MM_CONDITIONS; c++) {
        if (CONDITIONS[c].gauge != gauge)
            continue;
        uint64_t boundary = boundary_of(c);
        set_event_locked(c, CONDITIONS[c].above == (value >= boundary));
        if (boundary <= value)
            from = boundary > from ? boundary : from;
        else
            end = boundary < end ? boundary : end;
    }
    return from | (end - from) << 32;
}

static void look_locked(void)
{
    for (enum mm_gauge gauge = 0; gauge < MM_GAUGES; gauge++)
        atomic_store(&mm_charges.band[gauge], look_at_gauge_locked(gauge, mm_gauge_now(gauge)));
    for (enum mm_gauge gauge = 0; gauge < MM_GAUGES; gauge++) /* what was charged meanwhile has seen the bands before */
        mm_charge_note(gauge, mm_gauge_now(gauge), mm_gauge_now(MM_GAUGE_COMMITTED));
}

/* Word stays until somebody has looked, so that nobody leaves while another thread is about to set the event that he caused; what comes
 * meanwhile is looked at again. */
void mm_pressure_settle(void)
{
    while (atomic_load(&ke_leave_due) != 0) {
        uint32_t looking = LOOKING;
        ke_lock(&pressure_lock);
        if (atomic_load(&ke_leave_due) != 0) {
            atomic_store(&ke_leave_due, looking);
            look_locked();
            atomic_compare_exchange_strong(&ke_leave_due, &looking, 0);
        }
        ke_unlock(&pressure_lock);
    }
}

/* ---- boot ---- */

void mm_pressure_boot(const ntmm_config *config)
{
    uint64_t low = atomic_load(&mm_charges.usable) / LOW_MEMORY_SHARE;
    ke_lock_init(&pressure_lock, KE_RANK_MM_PRESSURE);
    low_memory = at_least_one(low < LOW_MEMORY_MOST ? low : LOW_MEMORY_MOST);
    windows_version = config->windows_version != 0 ? config->windows_version : UINT32_MAX;
    for (mm_condition_t c = 0; c < MM_CONDITIONS; c++) {
        KeInitializeEvent(&events[c], NotificationEvent, FALSE);
        is_set[c] = false;
    }
    ke_leave_hook = mm_pressure_settle;
    atomic_store(&ke_leave_due, MM_CHARGE_WORD);
    mm_pressure_settle();
}

PKEVENT mm_pressure_event(mm_condition_t condition) { return windows_version >= CONDITIONS[condition].since ? &events[condition] : NULL; }
