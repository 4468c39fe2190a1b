/*
 * control.c - watching the machine and breaking it on purpose: queries, the invariant check, housekeeping, failure injection.
 */
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/ex.h"
#include "hal/hal.h"
#include "ke/balance.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/thread.h"
#include "ke/timer.h"
#include "mm/mm.h"

/* A halted machine may be looked at; one that is off may not. */
static bool machine_is_there(const char *routine)
{
    uint32_t state = atomic_load(&ke_machine_state);
    if (state == KE_MACHINE_UP || state == KE_MACHINE_HALTED)
        return true;
    ke_error(0, "%s: no machine is up; call ntmm_boot first", routine);
    return false;
}

void ntmm_query_pool(POOL_TYPE base_type, ntmm_pool_usage *out)
{
    memset(out, 0, sizeof *out);
    if (machine_is_there(__func__))
        ex_query_pool(base_type, out);
}

bool ntmm_query_tag(uint32_t tag, POOL_TYPE base_type, ntmm_pool_usage *out)
{
    ntmm_pool_usage unread;
    if (out == NULL)
        out = &unread;
    memset(out, 0, sizeof *out);
    return machine_is_there(__func__) && ex_query_tag(tag, base_type, out);
}

size_t ntmm_query_tags(const char *pattern, void (*visit)(void *context, uint32_t tag, POOL_TYPE base_type, const ntmm_pool_usage *usage),
                       void       *context)
{
    return machine_is_there(__func__) ? ex_query_tags(pattern, visit, context) : 0;
}

void ntmm_query_memory(ntmm_memory_usage *out)
{
    memset(out, 0, sizeof *out);
    if (machine_is_there(__func__))
        mm_query_frames(out);
}

static bool check_quiet_machine(void)
{
    if (atomic_load(&ke_machine_state) == KE_MACHINE_UP && !ke_threads_are_quiet())
        return ke_error(0, "ntmm_check: another thread is inside the library or at DISPATCH_LEVEL") != 0;
    mm_faults_forgive(true); /* at whatever IRQL: the walk goes over paged pool */
    bool sound = mm_check() && ex_pool_check() && ex_lookaside_check() && hal_check();
    mm_faults_forgive(false);
    return sound;
}

bool ntmm_check(void)
{
    if (!machine_is_there(__func__))
        return false;
    ke_clock_hold(true);
    bool sound = check_quiet_machine();
    ke_clock_hold(false);
    return sound;
}

void ntmm_balance_scan(void)
{
    if (!machine_is_there(__func__))
        return;
    if (ke_self()->irql > APC_LEVEL)
        ke_error(0, "ntmm_balance_scan was called at IRQL %u; the balance set manager runs at APC_LEVEL or below", ke_self()->irql);
    else
        ke_balance_scan(__func__);
}

void ntmm_fail_allocation(uint64_t nth)
{
    if (!machine_is_there(__func__))
        return;
    mm_faults_forgive(true); /* stocks of paged blocks are given back */
    ke_inject_arm(nth);
    mm_faults_forgive(false);
}

bool ntmm_allocation_failed(void) { return machine_is_there(__func__) && ke_inject_fired(); }

size_t ntmm_for_each_failure(void (*body)(void *), void *context)
{
    size_t runs = 0;
    bool   fired;
    if (!machine_is_there(__func__))
        return 0;
    do {
        ke_inject_arm(++runs);
        body(context);
        fired = ke_inject_fired();
        ke_inject_arm(0);
    } while (fired && atomic_load(&ke_machine_state) == KE_MACHINE_UP);
    return runs;
}
