/*
 * driver.h - drivers of the framework: one record each, and which of them calls.
 * A record stays when its driver has been unloaded, since objects that were referenced for too long still point to it; it is used again for
 * a later driver, the one that was unloaded longest ago first.
 *
 * The framework is entered by driver code, and driver code by callbacks: around each of them the thread remembers whose code runs. Code that
 * no callback has led to (a test's, a WDM dispatch routine's) counts as that of the driver created last.
 *
 *     wdf_call_t call = wdf_call_begin(queue->object.driver);
 *     queue->EvtIoRead(...);
 *     wdf_call_end(&call, queue->EvtIoRead);              0x10D/E: it came back at another IRQL; 0x10D/F: in a critical region
 *
 * Lock key: (D) the drivers' lock   (B) set at WdfDriverCreate   (A) atomic
 */
#ifndef NTMM_WDF_DRIVER_H
#define NTMM_WDF_DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include <wdf.h>

#include "ke/bugcheck.h"

struct wdf_object;

typedef struct wdf_driver {
    WDF_DRIVER_GLOBALS globals;    /* what WdfDriverGlobals points to; first */
    struct wdf_object *object;     /* (D) the WDFDRIVER; NULL: unloaded, or never used */
    uint64_t           number;     /* (D) counts creations: the highest one is the newest */
    uint32_t           generation; /* (D) of the boot */
    PDRIVER_OBJECT     wdm;        /* (B) */
} wdf_driver_t;

typedef struct wdf_current {
    wdf_driver_t *driver;
    uint32_t      generation; /* of the boot: another one's driver is forgotten */
} wdf_current_t;
extern HOST_THREAD_LOCAL wdf_current_t wdf_current; /* whose code runs on this thread */
extern _Atomic(wdf_driver_t *)         wdf_newest;  /* written by driver.c */

/* The one whose code runs here; NULL: there is none. */
static inline wdf_driver_t *wdf_driver_current(void)
{
    if (wdf_current.driver != NULL && wdf_current.generation == ke_machine_generation && wdf_current.driver->object != NULL)
        return wdf_current.driver;
    return atomic_load_explicit(&wdf_newest, memory_order_acquire);
}
/* NULL: that DRIVER_OBJECT is none of the framework's. */
wdf_driver_t *wdf_driver_of(const DRIVER_OBJECT *wdm);

typedef struct wdf_call {
    wdf_driver_t *before;
    KIRQL         irql;
    int16_t       apc_disable;
} wdf_call_t;
wdf_call_t wdf_call_begin(wdf_driver_t *driver);
void       wdf_call_end(const wdf_call_t *call, ULONG_PTR callback);
#define WDF_CALL_END(call, function) wdf_call_end((call), (ULONG_PTR)(function))

/* The machine is up, and this thread has its record. */
static inline bool wdf_thread_is_known(const ke_thread_t *self)
{
    return self->generation == ke_machine_generation && atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_UP;
}
/* false: refused, and said so. */
static inline bool wdf_thread_is_ready(const char *routine)
{
    return NTMM_LIKELY(wdf_thread_is_known(ke_self())) || ke_thread_ready(routine) != NULL;
}

void wdf_boot(void); /* no driver is loaded, nothing is deferred, whatever the last machine left */

/* One line about a leaked block that is an object, or a context of one; false: it is neither. Nothing runs any more. (describe.c) */
bool wdf_describe_block(const void *block, char *text, size_t bytes);

#endif
