/*
 * driver_current.c - whose code runs on this thread.
 *
 * Locks       none: the thread's own word; the newest driver is one atomic pointer.
 * Source      none (choice): on Windows each driver image is bound to globals of its own, and says so with each call. KMDF 1.33, Bug Check 0x10D
 *             (callbacks that return at another IRQL, or in a critical region).
 */
#include "wdf/driver.h"

#include "wdf/object.h"

HOST_THREAD_LOCAL wdf_current_t wdf_current;
_Atomic(wdf_driver_t *)         wdf_newest;

static void set(wdf_driver_t *driver) { wdf_current = (wdf_current_t){ .driver = driver, .generation = ke_machine_generation }; }

wdf_call_t wdf_call_begin(wdf_driver_t *driver)
{
    const ke_thread_t *self = ke_self();
    wdf_call_t         call = {
                .before = wdf_current.generation == ke_machine_generation ? wdf_current.driver : NULL,
                .irql = self->irql,
                .apc_disable = self->kernel_apc_disable,
    };
    set(driver);
    return call;
}

void wdf_call_end(const wdf_call_t *call, ULONG_PTR callback)
{
    const ke_thread_t *self = ke_self();
    set(call->before);
    if (NTMM_UNLIKELY(self->irql != call->irql))
        wdf_stop("the framework", "A callback of the driver's returned at another IRQL than it was called at.", WDF_VERIFIER_IRQL_MISMATCH,
                 call->irql, self->irql);
    if (NTMM_UNLIKELY(self->kernel_apc_disable != call->apc_disable))
        wdf_stop("the framework", "A callback of the driver's returned inside of a critical region that it entered.",
                 WDF_VERIFIER_CRITICAL_REGION_MISMATCH, callback, 0);
}

PWDF_DRIVER_GLOBALS ntmm_wdf_driver_globals(VOID)
{
    wdf_driver_t *driver = wdf_driver_current();
    return driver != NULL ? &driver->globals : NULL;
}
