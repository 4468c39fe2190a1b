/*
 * callback_lock.h - the lock that a driver's callbacks run under, when the synchronization scope asks for it: of a device or of a queue.
 * A spin lock for callbacks that may run at DISPATCH_LEVEL, one that waits for those of WdfExecutionLevelPassive.
 */
#ifndef NTMM_WDF_CALLBACK_LOCK_H
#define NTMM_WDF_CALLBACK_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

#include <wdf.h>

#include "ke/thread.h"

typedef struct wdf_callback_lock {
    bool                   passive;
    KIRQL                  irql;  /* before a spin lock was taken */
    _Atomic(ke_thread_t *) owner; /* NULL: free */
    KSPIN_LOCK             spin;
    KEVENT                 free; /* synchronization event */
} wdf_callback_lock_t;

void wdf_callback_lock_init(wdf_callback_lock_t *lock, bool passive);
/* NULL: nothing happens. 0x10D/2, p2 the handle, p3 the thread: this thread has it already. */
void wdf_callback_lock_acquire(const char *routine, wdf_callback_lock_t *lock, const void *handle);
void wdf_callback_lock_release(wdf_callback_lock_t *lock);

static inline bool wdf_callback_lock_is_mine(const wdf_callback_lock_t *lock)
{
    return lock != NULL && atomic_load(&lock->owner) == ke_self();
}

#endif
