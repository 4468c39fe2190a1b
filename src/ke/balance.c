/*
 * balance.c - one scan: every registered part in turn.
 *
 * Locks   none: a word names the boot of the machine in which a scan is under way, so that a second thread leaves it to the first, and a stop in
 *         the middle of a scan does not outlive its machine. Registering happens at boot.
 * Source  "Windows Internals", balance set manager: lookaside lists are adjusted once a second. The period here is a choice.
 */
#include "ke/balance.h"

#include "ke/bugcheck.h"

#define HOOKS_MAX 8u

HOST_THREAD_LOCAL ke_balance_clock_t ke_balance_clock;

static ke_balance_hook_t hooks[HOOKS_MAX];
static uint32_t          hook_count;
static _Atomic uint32_t  scanning_generation; /* 0: nobody scans */

void ke_balance_register(ke_balance_hook_t hook)
{
    for (uint32_t i = 0; i < hook_count; i++)
        if (hooks[i] == hook)
            return;
    NTMM_INVARIANT(hook_count < HOOKS_MAX, "few parts of the machine keep things ready");
    hooks[hook_count++] = hook;
}

static bool begin_scan(void)
{
    uint32_t before = atomic_load(&scanning_generation);
    return before != ke_machine_generation && atomic_compare_exchange_strong(&scanning_generation, &before, ke_machine_generation);
}

void ke_balance_scan(const char *routine)
{
    ke_thread_t *thread = ke_thread_enter(routine);

    if (thread == NULL)
        return;
    if (begin_scan()) {
        for (uint32_t i = 0; i < hook_count; i++)
            hooks[i]();
        atomic_store(&scanning_generation, 0);
    }
    ke_thread_leave(thread);
}

NTMM_COLD void ke_balance_scan_when_due(ke_thread_t *thread)
{
    ke_balance_clock_t *clock = &ke_balance_clock;

    if (clock->generation != thread->generation) {
        *clock = (ke_balance_clock_t){ thread->generation, KE_BALANCE_PERIOD - 1 };
        return;
    }
    if (thread->irql > APC_LEVEL) /* due, and done when the thread is at a level where everything may be looked at */
        return;
    clock->left = KE_BALANCE_PERIOD;
    ke_balance_scan("the balance set manager");
}
