/*
 * callback_lock.h - a lock that knows its holder: what spin locks, wait locks and the locks of callbacks are made of.
 *
 *     wdf_callback_lock_init(&device->callbacks, &device->object, wdf_object_is_passive(&device->object));
 *     wdf_callback_lock_take(__func__, lock); ... EvtIoRead ... ; wdf_callback_lock_let_go(__func__, lock);
 *
 * Spinning, it raises to DISPATCH_LEVEL. Passive, it waits at PASSIVE_LEVEL and holds kernel APCs off, as KMDF's mutexes do.
 */
#ifndef NTMM_WDF_CALLBACK_LOCK_H
#define NTMM_WDF_CALLBACK_LOCK_H

#include "wdf/object.h"

typedef struct wdf_callback_lock {
    wdf_object_t   *object;     /* whose it is: p2 of the stops */
    bool            is_passive; /* once it is known */
    KIRQL           irql;       /* its holder's: before it was taken */
    _Atomic(void *) owner;      /* the thread that holds it; NULL: none */
    KSPIN_LOCK      spin;
    KEVENT          free; /* passive: a synchronization event */
} wdf_callback_lock_t;

void wdf_callback_lock_init(wdf_callback_lock_t *lock, wdf_object_t *object, bool is_passive);
/* 0x10D/2: this thread holds it. */
void wdf_callback_lock_take(const char *routine, wdf_callback_lock_t *lock);
/* Passive only. timeout as WdfWaitLockAcquire has it: STATUS_TIMEOUT */
NTSTATUS wdf_callback_lock_wait(const char *routine, wdf_callback_lock_t *lock, PLONGLONG timeout);
/* 0x10D/0xB: this thread does not hold it. */
void               wdf_callback_lock_let_go(const char *routine, wdf_callback_lock_t *lock);
static inline bool wdf_callback_lock_is_mine(const wdf_callback_lock_t *lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == ke_self();
}

#endif
