/*
 * paging_control.c - paging as a test drives and watches it: ntmm_trim_pageable, ntmm_page_out, ntmm_query_faults.
 * Locks   mm_paging_lock.
 */
#include "mm/driver_pages.h"
#include "mm/paging.h"

#include "ke/bugcheck.h"
#include "ke/exception.h"

static bool machine_is_there(const char *routine)
{
    uint32_t state = atomic_load(&ke_machine_state);
    if (state == KE_MACHINE_UP || state == KE_MACHINE_HALTED)
        return true;
    ke_error(0, "%s: no machine is up; call ntmm_boot first", routine);
    return false;
}

static size_t under_lock(const char *routine, size_t (*step)(void), size_t (*step_of_drivers)(void))
{
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return 0;
    mm_driver_look();
    ke_lock(&mm_paging_lock);
    size_t pages = step() + step_of_drivers();
    ke_unlock(&mm_paging_lock);
    ke_thread_leave(thread);
    return pages;
}

size_t ntmm_trim_pageable(void) { return under_lock(__func__, mm_working_set_empty_locked, mm_driver_trim_locked); }
size_t ntmm_page_out(void) { return under_lock(__func__, mm_put_all_out_locked, mm_driver_put_out_locked); }

void ntmm_query_faults(ntmm_fault_counts *out)
{
    *out = (ntmm_fault_counts){ 0 };
    if (!machine_is_there(__func__))
        return;
    mm_query_page_faults(out);
    out->access_violations = atomic_load_explicit(&ke_access_violations, memory_order_relaxed);
}

/* ---- a step of the working set manager ---- */

#define SHORT_SHARE 16u /* memory is short when less than that part of RAM is free or standby */
#define STEP_SHARE 8u

static bool memory_is_short(void)
{
    ke_lock(&mm_pfn_lock);
    uint64_t available = mm_frames.zeroed + mm_frames.free + mm_frames.list[MM_STANDBY].count;
    ke_unlock(&mm_pfn_lock);
    return available < mm_frames.map.page_count / SHORT_SHARE;
}

void mm_balance_working_set(void)
{
    if (mm_unbacked)
        return;
    ke_lock(&mm_paging_lock);
    if (memory_is_short()) {
        mm_working_set_trim_locked(mm_working_set.count / STEP_SHARE + 1);
        while (mm_modified_write_locked() != 0)
            ;
    }
    ke_unlock(&mm_paging_lock);
}
