/*
 * pool_rules.h - which of the pools' rules hold: they changed from one Windows to the next.
 */
#ifndef NTMM_EX_POOL_RULES_H
#define NTMM_EX_POOL_RULES_H

#include <ntmm/ntmm.h>

typedef struct ex_pool_rules {
    bool must_succeed; /* before XP: NonPagedPoolMustSucceed may be asked for, and stops the machine only when there is no memory */
    bool nx_lookaside; /* since Windows 8: NX pool, and lookaside lists for it */
    bool fail_fast;    /* since Windows 8: a damaged list is found when a block is put on it, too: 0x139 */
} ex_pool_rules_t;

extern ex_pool_rules_t ex_pool_rules;

void ex_pool_rules_boot(uint32_t windows_version); /* an NTDDI value */

#endif
