/*
 * callback_lock.c - locks that know their holder, and the routines that drivers take them by.
 *
 * Locks       these; none of the simulator's.
 * Source      WDK reference: wdfsync.h, "Using Automatic Synchronization", "Using Framework Locks"; Bug Check 0x10D.
 * Fidelity    KMDF looks for a holder's mistakes when its verifier is on; here always.
 */
#include "wdf/callback_lock.h"

#include "wdf/sync.h"

void wdf_callback_lock_init(wdf_callback_lock_t *lock, wdf_object_t *object, bool is_passive)
{
    lock->object = object;
    lock->is_passive = is_passive;
    atomic_store(&lock->owner, NULL);
    KeInitializeSpinLock(&lock->spin);
    KeInitializeEvent(&lock->free, SynchronizationEvent, TRUE);
}

static void must_not_be_mine(const char *routine, const wdf_callback_lock_t *lock)
{
    if (NTMM_UNLIKELY(wdf_callback_lock_is_mine(lock)))
        wdf_stop(routine, "The thread holds this lock already.", WDF_RECURSIVE_LOCK, (ULONG_PTR)lock->object, 0);
}

static void owned_by(wdf_callback_lock_t *lock, void *thread) { atomic_store_explicit(&lock->owner, thread, memory_order_relaxed); }

static void spin(wdf_callback_lock_t *lock)
{
    KIRQL irql;
    KeAcquireSpinLock(&lock->spin, &irql);
    lock->irql = irql;
    owned_by(lock, ke_self());
}

/* A time-out of 0 may be asked for at DISPATCH_LEVEL, where the count of held-off APCs is nobody's business but its own. */
NTSTATUS wdf_callback_lock_wait(const char *routine, wdf_callback_lock_t *lock, PLONGLONG timeout)
{
    LARGE_INTEGER due = { .QuadPart = timeout != NULL ? *timeout : 0 };
    must_not_be_mine(routine, lock);
    KeEnterCriticalRegion();
    NTSTATUS status = KeWaitForSingleObject(&lock->free, Executive, KernelMode, FALSE, timeout != NULL ? &due : NULL);
    if (status == STATUS_SUCCESS)
        owned_by(lock, ke_self());
    else
        KeLeaveCriticalRegion();
    return status;
}

void wdf_callback_lock_take(const char *routine, wdf_callback_lock_t *lock)
{
    must_not_be_mine(routine, lock);
    if (lock->is_passive)
        (void)wdf_callback_lock_wait(routine, lock, NULL);
    else
        spin(lock);
}

void wdf_callback_lock_let_go(const char *routine, wdf_callback_lock_t *lock)
{
    if (NTMM_UNLIKELY(!wdf_callback_lock_is_mine(lock)))
        wdf_stop(routine, "The lock is released by a thread that does not hold it.", WDF_INVALID_LOCK_OPERATION, (ULONG_PTR)lock->object,
                 1);
    owned_by(lock, NULL);
    if (!lock->is_passive) {
        KeReleaseSpinLock(&lock->spin, lock->irql);
        return;
    }
    (void)KeSetEvent(&lock->free, IO_NO_INCREMENT, FALSE);
    KeLeaveCriticalRegion();
}

/* ---- the lock of an object ---- */

static wdf_callback_lock_t *lock_of(const char *routine, WDFOBJECT handle)
{
    wdf_object_t        *object = wdf_from_handle(routine, handle, NULL);
    wdf_callback_lock_t *lock = object->type->callback_lock != NULL ? object->type->callback_lock(object) : NULL;
    if (lock == NULL)
        wdf_stop(routine, "Objects of this type have no lock.", WDF_INVALID_LOCK_OPERATION, (ULONG_PTR)handle, 0);
    return lock;
}

VOID WdfObjectAcquireLock(WDFOBJECT Object)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_callback_lock_t *lock = lock_of(__func__, Object);
    if (lock->is_passive)
        KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    wdf_callback_lock_take(__func__, lock);
}

VOID WdfObjectReleaseLock(WDFOBJECT Object)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_callback_lock_let_go(__func__, lock_of(__func__, Object));
}

/* ---- locks that are objects ---- */

typedef struct lock_object {
    wdf_object_t        object;
    wdf_callback_lock_t lock;
} lock_object_t;

static const wdf_type_t wait_lock_type = { .name = "WDFWAITLOCK", .number = WDF_NUMBER_WAIT_LOCK, .bytes = sizeof(lock_object_t) };
static const wdf_type_t spin_lock_type = { .name = "WDFSPINLOCK", .number = WDF_NUMBER_SPIN_LOCK, .bytes = sizeof(lock_object_t) };

static NTSTATUS create(const wdf_type_t *type, PWDF_OBJECT_ATTRIBUTES attributes, void **made)
{
    lock_object_t *lock;
    NTSTATUS       status = wdf_attributes_check(attributes, 0);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = type, .attributes = attributes }, &lock);
    if (!NT_SUCCESS(status))
        return status;
    wdf_callback_lock_init(&lock->lock, &lock->object, type == &wait_lock_type);
    status = wdf_object_commit(lock, attributes);
    if (NT_SUCCESS(status))
        *made = lock;
    else
        wdf_object_abandon(lock);
    return status;
}

NTSTATUS WdfWaitLockCreate(PWDF_OBJECT_ATTRIBUTES LockAttributes, WDFWAITLOCK *Lock)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Lock);
    *Lock = NULL;
    return create(&wait_lock_type, LockAttributes, (void **)Lock);
}

NTSTATUS WdfWaitLockAcquire(WDFWAITLOCK Lock, PLONGLONG Timeout)
{
    WDF_ENTER(Timeout != NULL && *Timeout == 0 ? DISPATCH_LEVEL : PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    lock_object_t *lock = WDF_FROM(Lock, &wait_lock_type);
    return wdf_callback_lock_wait(__func__, &lock->lock, Timeout);
}

VOID WdfWaitLockRelease(WDFWAITLOCK Lock)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    lock_object_t *lock = WDF_FROM(Lock, &wait_lock_type);
    wdf_callback_lock_let_go(__func__, &lock->lock);
}

NTSTATUS WdfSpinLockCreate(PWDF_OBJECT_ATTRIBUTES SpinLockAttributes, WDFSPINLOCK *SpinLock)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(SpinLock);
    *SpinLock = NULL;
    return create(&spin_lock_type, SpinLockAttributes, (void **)SpinLock);
}

VOID WdfSpinLockAcquire(WDFSPINLOCK SpinLock)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    lock_object_t *lock = WDF_FROM(SpinLock, &spin_lock_type);
    wdf_callback_lock_take(__func__, &lock->lock);
}

VOID WdfSpinLockRelease(WDFSPINLOCK SpinLock)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    lock_object_t *lock = WDF_FROM(SpinLock, &spin_lock_type);
    wdf_callback_lock_let_go(__func__, &lock->lock);
}

PKSPIN_LOCK wdf_spin_lock_word(const char *routine, WDFSPINLOCK lock)
{
    return &((lock_object_t *)wdf_from_handle(routine, lock, &spin_lock_type))->lock.spin;
}
