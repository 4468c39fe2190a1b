/*
 * inject.c - failing the nth allocation on purpose.
 * One counter, counted down by everybody who asks; the asker who brings it from one to zero is told to fail. So exactly one asker fails per
 * arming, whatever the number of threads, and with one thread it is exactly the nth.
 *
 * Locks   none: one atomic word.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "host/host.h"
#include "ke/inject.h"
#include "ke/low_resources.h"

static _Atomic uint64_t askers_left; /* until the one that fails; 0: not armed */
static _Atomic bool     has_fired;

_Atomic bool ke_inject_caches_off;
void (*ke_inject_armed_hook)(bool armed);

void ke_inject_arm(uint64_t nth)
{
    bool off = nth != 0; /* only the control API arms, one caller at a time */

    atomic_store(&askers_left, 0); /* nobody fails while the magazines are being emptied or filled */
    atomic_store(&has_fired, false);
    if (ke_inject_armed_hook != NULL && off != atomic_load(&ke_inject_caches_off))
        ke_inject_armed_hook(off);
    atomic_store(&ke_inject_caches_off, off);
    atomic_store(&askers_left, nth);
}

bool ke_inject_failure(void)
{
    if (NTMM_UNLIKELY(ke_low_resources_on) && ke_low_resources_refuse())
        return true;
    uint64_t left = atomic_load_explicit(&askers_left, memory_order_relaxed);
    do {
        if (NTMM_LIKELY(left == 0))
            return false;
    } while (!atomic_compare_exchange_weak(&askers_left, &left, left - 1));
    if (left != 1)
        return false;
    atomic_store(&has_fired, true);
    return true;
}

bool ke_inject_is_armed(void) { return atomic_load(&askers_left) != 0; }
bool ke_inject_fired(void) { return atomic_load(&has_fired); }
