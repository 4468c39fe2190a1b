/*
 * force_irql.c - forced IRQL checking, the memory's part: at a raise to DISPATCH_LEVEL every pageable page that may go is trimmed.
 * The touch of a page that was there is caught as well then, as with Windows' Driver Verifier, which trims for it, too. Pages that are locked
 * stay: they may be used at that level.
 *
 *     thread A raises: all pages closed     A touches one: 0xD1, of a driver's section 0xD3
 *                                           B, below DISPATCH_LEVEL, touches one: a soft fault gives it back. To A, too, until somebody raises
 *                                           again, unless a protection key is closed to A: counted
 *
 * Locks       mm_paging_lock.
 * Source      Windows Driver Verifier documentation: "Force IRQL Checking".
 * Elsewhere   protection keys: protection_keys.c.
 * Fidelity    without keys, and for code, a page that was given back is open to the raised thread as well.
 */
#include "ke/force_irql.h"

#include "ke/bugcheck.h"
#include "mm/driver_pages.h"
#include "mm/paging.h"

static _Atomic uint64_t closed, given_back;

static void close_pageable(void)
{
    ke_lock(&mm_paging_lock);
    size_t pages = mm_driver_trim_locked();
    if (mm_working_set.count != 0)
        pages += mm_working_set_empty_locked();
    ke_unlock(&mm_paging_lock);
    atomic_fetch_add_explicit(&closed, pages, memory_order_relaxed);
}

void mm_force_irql(bool on, bool by_key)
{
    mm_keys_boot(on && by_key);
    atomic_store(&closed, 0);
    atomic_store(&given_back, 0);
    ke_force_irql(on ? close_pageable : NULL);
}

void mm_note_given_back(void) { atomic_fetch_add_explicit(&given_back, 1, memory_order_relaxed); }

void ntmm_query_force_irql(ntmm_force_irql_counts *out)
{
    *out = (ntmm_force_irql_counts){ 0 };
    if (atomic_load(&ke_machine_state) != KE_MACHINE_UP && atomic_load(&ke_machine_state) != KE_MACHINE_HALTED) {
        ke_error(0, "%s: no machine is up; call ntmm_boot first", __func__);
        return;
    }
    out->raises = atomic_load(&ke_force_raises);
    out->closed = atomic_load(&closed);
    out->given_back = atomic_load(&given_back);
    out->by_key = mm_keyed;
}
