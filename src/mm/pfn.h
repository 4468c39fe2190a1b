/*
 * pfn.h - the PFN database from the inside: lists, run spaces, counts. Only mm includes this.
 *
 *                    mm_frames_get, refill                  mm_frame_get (cached)
 *     zeroed / free ----------------------> active / cached ----------------------> active
 *      (run space)  <----------------------                 <----------------------
 *          |         mm_frames_put, flush                    mm_frame_put
 *          +--> bad (ntmm_mark_bad)          standby, modified, modified-no-write: linked lists, for pageable frames
 *
 * Units   PFNs and pages.
 * Locks   mm_pfn_lock guards everything here; names end in _locked where the caller holds it.
 */
#ifndef NTMM_MM_PFN_H
#define NTMM_MM_PFN_H

#include "ke/lock.h"
#include "mm/mm.h"
#include "mm/ram_map.h"
#include "rtl/run_policy.h"

/* Frames of one range of RAM. The policy knows which are free; the PFN entries know which of the free ones are zeroed. */
typedef struct mm_run_space {
    uint64_t       first_pfn;
    uint64_t       page_count;
    uint64_t       slots_from;  /* a unit of `runs`: frames that back slots lie there and above, as long as there are any */
    uint64_t       zeroed_from; /* a hint: where to look for a zeroed frame, a unit of `runs` */
    rt_run_space_t runs;
    size_t         private_bytes; /* of runs.private_bytes, as they came from the host */
} mm_run_space_t;

typedef struct mm_page_list { /* through next and prev of the PFN entries: PFN + 1, 0 at the ends */
    uint32_t head, tail;
    uint64_t count;
} mm_page_list_t;

/* All guarded by mm_pfn_lock. */
typedef struct mm_frames {
    mm_ram_map_t           map;
    uint32_t               space_count; /* == map.range_count, in the same order */
    mm_run_space_t         space[MM_RAM_RANGES_MAX];
    uint64_t               zeroed, free;   /* frames in the run spaces; cached ones are in neither */
    mm_page_list_t         list[MM_LISTS]; /* standby, modified, modified-no-write, bad */
    uint32_t               node_count;
    uint64_t               node_first[65]; /* node k owns PFNs [node_first[k], node_first[k + 1]) */
    const rt_run_policy_t *policy;
} mm_frames_t;

extern mm_frames_t mm_frames;
extern ke_lock_t   mm_pfn_lock; /* KE_RANK_MM_PFN */

/* entry.flags of an active, standby or modified frame: what the bytes at its home are. Zero: unknown, somebody writes there. */
#define MM_PFN_HOME_ZERO 0x01u  /* MM_USE_MAPPED to a slot: the home bytes still are zero */
#define MM_PFN_CHOSEN 0x04u     /* about to leave the working set */
#define MM_PFN_LOCKED 0x08u     /* pinned, of a pageable page: mm_charges counts it. By mm_paging_lock */
#define MM_PFN_DELETED 0x10u    /* pinned, and nobody's any more: whoever unpins it last puts it */
#define MM_PFN_HOME_STALE 0x02u /* MM_USE_MAPPED to a slot: the home bytes are left over and the host still keeps them */

int  mm_frames_boot(const mm_ram_map_t *map, const rt_run_policy_t *policy, uint32_t node_count); /* spaces for a new map; -ENOMEM */
void mm_frames_reset(const mm_ram_map_t *map,
                     uint32_t            node_count); /* the spaces of the last map again: everything free; entries are the caller's */
void mm_frames_release(void);              /* gives the spaces' memory back to the host */
/* A changed map, without losing which frames are used. Frames that leave the map must be free, new ones have zero entries.
 * -ENOMEM: unchanged. */
int mm_frames_remap_locked(const mm_ram_map_t *map);

uint32_t        mm_node_of_frame(mm_pfn_number_t pfn);
mm_run_space_t *mm_run_space_of(mm_pfn_number_t pfn); /* NULL: not RAM */
bool            mm_pfn_is_ram_locked(mm_pfn_number_t pfn);

/* Up to `most` free frames of one node (MM_ANY_NODE: of all), from the first of the preferred zones that has any, lowest first; they become
 * MM_CACHED. Number taken. */
uint32_t mm_frames_take_singles_locked(uint32_t node, uint32_t *pfns, uint32_t most);
/* The same, zeroed frames alone, and not necessarily the lowest; 0 also when a look around did not meet any. */
uint32_t mm_frames_take_zeroed_locked(uint32_t node, uint32_t *pfns, uint32_t most);
void     mm_frames_give_locked(const uint32_t *pfns, uint32_t count); /* MM_CACHED frames back to their run spaces */
/* The best run that satisfies `want`, or MM_PFN_NONE; nothing changes. Does not look into the frame caches. */
mm_pfn_number_t mm_frames_find_locked(const mm_frame_want_t *want);
bool            mm_frames_all_free_locked(mm_pfn_number_t first, uint64_t page_count);

/* A list of frames through next and prev, by whichever lock is its. */
void mm_links_push_tail(mm_page_list_t *list, mm_pfn_number_t pfn);
void mm_links_push_head(mm_page_list_t *list, mm_pfn_number_t pfn);
void mm_links_remove(mm_page_list_t *list, mm_pfn_number_t pfn);

void            mm_list_push_tail_locked(mm_list_t list, mm_pfn_number_t pfn);
void            mm_list_push_head_locked(mm_list_t list, mm_pfn_number_t pfn);
void            mm_list_remove_locked(mm_list_t list, mm_pfn_number_t pfn);
mm_pfn_number_t mm_list_pop_locked(mm_list_t list); /* the head, or MM_PFN_NONE */

/* The four bytes that say which list a frame is on, and nothing else of it. Whole, because it is on the fast path; atomic, because the
 * linear policy reads the first of them of every frame. */
static inline void mm_pfn_set_list(mm_pfn_t *entry, mm_list_t list, mm_list_t was)
{
    __atomic_store_n(&entry->state, (uint32_t)list | (uint32_t)was << 8, __ATOMIC_RELAXED);
}
/* A frame that changes hands: nothing is known of it but its list. A frame that nobody owns has had its owner cleared by this. */
static inline void mm_pfn_set(mm_pfn_t *entry, mm_list_t list, mm_list_t was)
{
    mm_pfn_set_list(entry, list, was);
    entry->owner = (mm_owner_t){ 0 };
}
/* List, flags and pins in one look; was is 0, the cache type may be any. */
typedef uint64_t __attribute__((may_alias)) mm_pfn_word_t;
_Static_assert(offsetof(mm_pfn_t, pins) % 8 == 0 && offsetof(mm_pfn_t, state) == offsetof(mm_pfn_t, pins) + 4,
               "pins and state are one word");
static inline bool mm_pfn_is_active_and_written(const mm_pfn_t *entry)
{
    return (__atomic_load_n((const mm_pfn_word_t *)(const void *)&entry->pins, __ATOMIC_RELAXED) & 0xFF0000FFFFFFFFFFu) ==
           (uint64_t)MM_ACTIVE << 32;
}
/* A frame that somebody has pinned is given up by its owner: it stays active and becomes nobody's; whoever unpins it last puts it. False:
 * nobody has, after all. */
bool mm_frame_defer(mm_pfn_number_t pfn);
bool mm_frame_defer_locked(mm_pfn_number_t pfn);
/* The list that a frame goes to when nobody needs it any longer. */
static inline mm_list_t mm_pfn_list_when_put(const mm_pfn_t *entry) { return (entry->flags & MM_PFN_HOME_ZERO) != 0 ? MM_ZEROED : MM_FREE; }

#endif
