/*
 * probe.h - where Driver Verifier looks in on ke, mm and ex. A layer asks at each of these places when somebody watches, and knows nothing of
 * who. A hook returns, or stops the machine; it is called with no lock of the library's held.
 *
 *     a rule that always holds is broken      stop      the verifier's own code for the same mistake takes the place of the usual one
 *     a step that is wrong only for him       mdl, lock, own, object, freeing, returned
 */
#ifndef NTMM_KE_PROBE_H
#define NTMM_KE_PROBE_H

#include "ke/bugcheck.h"

/* What is about to be done with an MDL. */
typedef enum ke_mdl_step {
    KE_MDL_LOCK,
    KE_MDL_LOCK_PROCESS,
    KE_MDL_UNLOCK,
    KE_MDL_BUILD,
    KE_MDL_MAP, /* into system space */
    KE_MDL_MAP_USER,
    KE_MDL_MAP_OR_STOP, /* the driver has asked for a bug check if it fails */
    KE_MDL_UNMAP,       /* from system space */
    KE_MDL_FREE
} ke_mdl_step_t;

typedef enum ke_lock_step {
    KE_SPIN_ACQUIRE,
    KE_SPIN_RELEASE,
    KE_SPIN_ACQUIRE_AT_DPC,
    KE_SPIN_RELEASE_FROM_DPC,
    KE_QUEUED_RELEASE,
    KE_FAST_MUTEX_RELEASE,
    KE_FAST_MUTEX_ACQUIRE_UNSAFE,
    KE_FAST_MUTEX_RELEASE_UNSAFE,
    KE_RESOURCE_ACQUIRE,
    KE_RESOURCE_RELEASE,
    KE_CRITICAL_ENTER,
    KE_CRITICAL_LEAVE,
    KE_PUSH_LOCK_ACQUIRE,
    KE_PUSH_LOCK_RELEASE,
    KE_WAIT_FOR_USER,   /* a wait with WaitMode UserMode for this object */
    KE_WORK_ITEM_QUEUE, /* no lock, but memory with the same rule */
    KE_HANDLE_OF_USER,  /* a handle, of a process, that was to be a kernel handle; the operand is the caller */
    /* found wrong already: an initialisation of what is active, a deletion of what is not; a block size, which is the last operand */
    KE_RESOURCE_TWICE,
    KE_RESOURCE_UNKNOWN,
    KE_LOOKASIDE_TWICE,
    KE_LOOKASIDE_UNKNOWN,
    KE_LOOKASIDE_SMALL
} ke_lock_step_t;

/* What becomes of a lock that has an owner. */
typedef enum ke_own_step {
    KE_OWN_TAKE,           /* about to be acquired, or waited for */
    KE_OWN_TRIED,          /* acquired, and nobody would have waited */
    KE_OWN_CANCEL,         /* the wait has ended without it */
    KE_OWN_GIVE,           /* about to be released */
    KE_OWN_GIVE_AND_LOWER, /* and the IRQL with it */
    KE_OWN_END             /* no lock: the thread is about to end */
} ke_own_step_t;
typedef enum ke_own_kind { KE_OWN_SPIN, KE_OWN_FAST_MUTEX, KE_OWN_MUTEX } ke_own_kind_t;

/* Pool that a driver is about to free: the block is whole still. */
typedef struct ke_freed {
    uintptr_t address;
    size_t    bytes; /* asked for */
    ULONG     tag, pool_type;
} ke_freed_t;

/* A driver's routine that has returned. */
typedef enum ke_callback { KE_CALLED_DISPATCH, KE_CALLED_COMPLETION } ke_callback_t;

typedef struct ke_probe {
    void (*stop)(ke_stop_t *stop); /* changes it, or does not */
    void (*mdl)(const char *routine, ke_mdl_step_t step, const MDL *mdl);
    void (*lock)(const char *routine, ke_lock_step_t step, const volatile void *lock,
                 ULONG_PTR operand); /* operand: IRQL before the acquire */
    void (*own)(const char *routine, ke_own_step_t step, ke_own_kind_t kind, const volatile void *lock); /* NULL: it does not care */
    void (*object)(const char *routine, const void *object); /* one that threads wait for, or a spin lock, is initialised */
    void (*freeing)(const char *routine, const ke_freed_t *freed);
    void (*returned)(const char *routine, ke_callback_t kind, ULONG_PTR callback, KIRQL irql,
                     ULONG_PTR apcs); /* IRQL and APC disable count at the call */
} ke_probe_t;

extern const ke_probe_t *ke_probe; /* NULL: nobody watches */

static inline void ke_probe_mdl(const char *routine, ke_mdl_step_t step, const MDL *mdl)
{
    if (NTMM_UNLIKELY(ke_probe != NULL) && ke_thread_ready(routine) != NULL)
        ke_probe->mdl(routine, step, mdl);
}
static inline void ke_probe_lock(const char *routine, ke_lock_step_t step, const volatile void *lock, ULONG_PTR operand)
{
    if (NTMM_UNLIKELY(ke_probe != NULL) && ke_thread_ready(routine) != NULL)
        ke_probe->lock(routine, step, lock, operand);
}
static inline void ke_probe_own(const char *routine, ke_own_step_t step, ke_own_kind_t kind, const volatile void *lock)
{
    if (NTMM_UNLIKELY(ke_probe != NULL) && ke_probe->own != NULL && ke_thread_ready(routine) != NULL)
        ke_probe->own(routine, step, kind, lock);
}
static inline void ke_probe_returned(const char *routine, ke_callback_t kind, ULONG_PTR callback, KIRQL irql, ULONG_PTR apcs)
{
    if (NTMM_UNLIKELY(ke_probe != NULL) && ke_thread_ready(routine) != NULL)
        ke_probe->returned(routine, kind, callback, irql, apcs);
}
static inline void ke_probe_object(const char *routine, const void *object)
{
    if (NTMM_UNLIKELY(ke_probe != NULL) && ke_thread_ready(routine) != NULL)
        ke_probe->object(routine, object);
}

#endif
