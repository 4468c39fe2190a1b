/*
 * callback_lock.c - WdfSynchronizationScopeDevice and -Queue: one callback at a time.
 *
 * Locks       none of ours: they are locks of the driver's.
 * Source      WDK reference: "Using Automatic Synchronization"; Bug Check 0x10D/0x2; the published framework.
 */
#include "wdf/callback_lock.h"

#include "wdf/object.h"

void wdf_callback_lock_init(wdf_callback_lock_t *lock, bool passive)
{
    *lock = (wdf_callback_lock_t){ .passive = passive };
    KeInitializeSpinLock(&lock->spin);
    KeInitializeEvent(&lock->free, SynchronizationEvent, TRUE);
}

void wdf_callback_lock_acquire(const char *routine, wdf_callback_lock_t *lock, const void *handle)
{
    KIRQL irql = PASSIVE_LEVEL;
    if (lock == NULL)
        return;
    if (wdf_callback_lock_is_mine(lock))
        wdf_stop(routine, "This thread holds the lock of the device's or queue's callbacks already.", WDF_RECURSIVE_LOCK, (ULONG_PTR)handle,
                 (ULONG_PTR)PsGetCurrentThread());
    if (lock->passive) {
        KeEnterCriticalRegion();
        (void)KeWaitForSingleObject(&lock->free, Executive, KernelMode, FALSE, NULL);
    } else
        KeAcquireSpinLock(&lock->spin, &irql);
    lock->irql = irql;
    atomic_store(&lock->owner, ke_self());
}

void wdf_callback_lock_release(wdf_callback_lock_t *lock)
{
    if (lock == NULL)
        return;
    KIRQL irql = lock->irql;
    atomic_store(&lock->owner, NULL);
    if (!lock->passive) {
        KeReleaseSpinLock(&lock->spin, irql);
        return;
    }
    (void)KeSetEvent(&lock->free, IO_NO_INCREMENT, FALSE);
    KeLeaveCriticalRegion();
}
