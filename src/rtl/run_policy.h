/*
 * run_policy.h - three ways to answer "which run of frames?", behind one small table of functions, so that they can be compared.
 *
 *   indexed   the run index (runs.h): lowest run that satisfies every limit, in logarithmic time        the default
 *   linear    a scan of the PFN database, entry by entry: what the documentation's performance warning implies; same answers as indexed
 *   buddy     binary buddy: aligned powers of two only, blind to limits except by trying; fast, and finds less
 *
 * A policy owns which units of one physical memory run are free. Single frames go through take_singles / give(1).
 * `find` changes nothing that a caller can see; `take` takes any free units, found or not; both and `give` keep free_count.
 *
 *                    find                               take_singles                              longest
 *   indexed, linear  the lowest start of all            the lowest units, ascending               longest free run
 *   buddy            a block, aligned by its size       from the smallest blocks; the lowest      largest block
 *                                                       units when low or high is a limit
 * Locks   none: the caller serialises.
 */
#ifndef NTMM_RTL_RUN_POLICY_H
#define NTMM_RTL_RUN_POLICY_H

#include "rtl/runs.h"

typedef struct rt_run_space rt_run_space_t;

typedef struct rt_run_policy {
    const char *name;
    size_t (*bytes)(uint64_t unit_count); /* zero bytes it needs for a space */
    void (*init)(rt_run_space_t *space);  /* all units free; the caller has filled in the fields it owns */
    void (*reset)(rt_run_space_t *space); /* the same again, private_bytes all zero; costs only what was touched */
    uint64_t (*find)(rt_run_space_t *space, const rt_runs_want_t *want);
    void (*take)(rt_run_space_t *space, uint64_t start, uint64_t count);
    void (*give)(rt_run_space_t *space, uint64_t start, uint64_t count);
    uint32_t (*take_singles)(rt_run_space_t *space, uint64_t low, uint64_t high, uint64_t *units, uint32_t most);
    uint64_t (*longest)(rt_run_space_t *space);
    bool (*check)(rt_run_space_t *space, const char **what);
} rt_run_policy_t;

struct rt_run_space {
    const rt_run_policy_t *policy;
    uint64_t               unit_count; /* the caller's, as are origin, state and private_bytes */
    uint64_t               free_count;
    uint64_t               origin; /* absolute number of unit 0; the same in every want */
    rt_runs_t              runs;   /* indexed: the index. linear and buddy keep it too, as the record of what was touched and is free ... */
    const uint8_t         *state;  /* linear: the state byte of unit 0 in the caller's array; 0 and 1 = free */
    size_t                 state_stride;  /* bytes from one unit's state to the next's */
    void                  *private_bytes; /* bytes(unit_count) zero bytes from the caller */
    void                  *extra;         /* the policy's own, inside private_bytes */
};

extern const rt_run_policy_t rt_policy_indexed, rt_policy_linear, rt_policy_buddy;

#endif
