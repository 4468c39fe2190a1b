/*
 * automatic.c - Driver Verifier's automatic checks, which any flag brings with it: steps that are wrong although the machine itself bears them.
 * Every one of them is bug check 0xC4 with a code of its own.
 *
 *     MDLs      locked, mapped, unmapped, freed in a state that does not allow it
 *     locks     released at another IRQL than they were acquired at, or while APCs could interfere
 *     objects   that threads wait for, in pageable memory (forced IRQL checking), or on the stack for a wait in user mode (miscellaneous checks)
 *     routines  of the driver that return otherwise than they were called
 *     pool      freed with something in it that the system knows of: contents.c
 *
 * Elsewhere   mistakes that stop the machine anyway: automatic_stop.c.
 * Locks       none.
 * Source      WDK documentation: "Automatic Checks", "Force IRQL Checking", "Miscellaneous Checks"; Bug Check 0xC4.
 * Fidelity    a partial MDL must not be given to MmUnmapLockedPages at all, though it was mapped by itself: MmPrepareMdlForReuse undoes that.
 *             Resources may be acquired by any thread with normal kernel APCs disabled; system threads are no exception (choice).
 */
#include "vf/automatic.h"

#include "ke/probe.h"
#include "ke/region.h"
#include "ke/stack.h"
#include "mm/mdl.h"
#include "mm/paging.h"
#include "vf/deadlock.h"

static bool forces_irql, checks_misc;

_Noreturn static NTMM_COLD void violation(const char *routine, const char *why, ULONG_PTR code, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    ke_bugcheck(routine, why, DRIVER_VERIFIER_DETECTED_VIOLATION, code, p2, p3, p4);
}

static bool is_on_stack(ULONG_PTR address)
{
    uintptr_t low, high;
    ke_stack_limits((ULONG_PTR)__builtin_frame_address(0), &low, &high);
    return address >= low && address < high;
}

/* ---- MDLs ---- */

static unsigned flags_of(const MDL *mdl) { return (uint16_t)mdl->MdlFlags; }

static void none_of(const char *routine, const char *why, ULONG_PTR code, const MDL *mdl, unsigned flags)
{
    if ((flags_of(mdl) & flags) != 0)
        violation(routine, why, code, (ULONG_PTR)mdl, flags_of(mdl), flags_of(mdl) & flags);
}

static void one_of(const char *routine, const char *why, ULONG_PTR code, const MDL *mdl, unsigned flags)
{
    if ((flags_of(mdl) & flags) == 0)
        violation(routine, why, code, (ULONG_PTR)mdl, flags_of(mdl), flags);
}

static void unlock(const char *routine, const MDL *mdl)
{
    none_of(routine, "A partial MDL was unlocked: its pages are those of its source.", 0xB4, mdl, MDL_PARTIAL);
    if ((flags_of(mdl) & MDL_SOURCE_IS_NONPAGED_POOL) != 0)
        violation(routine, "An MDL was unlocked that was built for nonpaged pool.", 0x7D, (ULONG_PTR)mdl, flags_of(mdl), 0);
    if ((flags_of(mdl) & MDL_PAGES_LOCKED) == 0)
        violation(routine, "An MDL was unlocked that is not locked.", 0x7C, (ULONG_PTR)mdl, flags_of(mdl), 0);
}

/* A stack may be traded for another while its thread waits. */
static void build(const char *routine, const MDL *mdl)
{
    ULONG_PTR address = mm_mdl_address(mdl);
    if (mm_pageable_of(address) != NULL)
        violation(routine, "An MDL was built for nonpaged pool over paged pool.", 0x7F, ke_self()->irql, (ULONG_PTR)mdl, flags_of(mdl));
    if (is_on_stack(address))
        violation(routine, "An MDL was built for nonpaged pool over a stack.", 0x140, ke_self()->irql, (ULONG_PTR)mdl, address);
}

static void free_mdl(const char *routine, const MDL *mdl)
{
    bool is_mapped = (flags_of(mdl) & MDL_MAPPED_TO_SYSTEM_VA) != 0, is_locked = (flags_of(mdl) & MDL_PAGES_LOCKED) != 0;
    if ((flags_of(mdl) & MDL_PARTIAL) != 0) /* IoFreeMdl unmaps it */
        return;
    if (is_mapped || (is_locked && (flags_of(mdl) & MDL_IO_SPACE) == 0))
        violation(routine, "An MDL was freed while its pages are still locked or mapped.", 0xB8, (ULONG_PTR)mdl, flags_of(mdl), 0);
}

static void unmap(const char *routine, const MDL *mdl)
{
    none_of(routine, "A partial MDL was unmapped: MmPrepareMdlForReuse does that.", 0xB5, mdl, MDL_PARTIAL);
    one_of(routine, "An MDL was unmapped that has no system mapping.", 0xB6, mdl, MDL_MAPPED_TO_SYSTEM_VA);
}

static void mdl_step(const char *routine, ke_mdl_step_t step, const MDL *mdl)
{
    const unsigned not_to_lock = MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL;
    bool           is_old = strcmp(routine, "MmMapLockedPages") == 0;
    switch (step) {
    case KE_MDL_LOCK: none_of(routine, "An MDL was locked in a state that does not allow it.", 0xB0, mdl, not_to_lock); break;
    case KE_MDL_LOCK_PROCESS: none_of(routine, "An MDL was locked in a state that does not allow it.", 0xB1, mdl, not_to_lock); break;
    case KE_MDL_UNLOCK: unlock(routine, mdl); break;
    case KE_MDL_BUILD: build(routine, mdl); break;
    case KE_MDL_MAP_OR_STOP:
        violation(routine,
                  is_old ? "MmMapLockedPages is obsolete: it stops the machine when no mapping is to be had."
                         : "A mapping was asked for that stops the machine when it is not to be had.",
                  is_old ? 0x81 : 0x82, (ULONG_PTR)mdl, flags_of(mdl), 0);
    case KE_MDL_MAP:
        none_of(routine, "An MDL was mapped that is mapped already.", 0xB2, mdl,
                MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED);
        one_of(routine, "An MDL was mapped that is not locked.", 0xB3, mdl, MDL_PAGES_LOCKED | MDL_PARTIAL);
        break;
    case KE_MDL_MAP_USER:
        one_of(routine, "An MDL was mapped that is not locked.", 0xB3, mdl, MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL);
        break;
    case KE_MDL_UNMAP: unmap(routine, mdl); break;
    case KE_MDL_FREE: free_mdl(routine, mdl); break;
    }
}

/* ---- locks ---- */

static bool apcs_are_off(const ke_thread_t *self)
{
    return self->irql >= APC_LEVEL || self->kernel_apc_disable != 0 || self->special_apc_disable != 0;
}

static void must_hold(bool holds, const char *routine, const char *why, ULONG_PTR code, ULONG_PTR p3, ULONG_PTR p4)
{
    if (!holds)
        violation(routine, why, code, ke_self()->irql, p3, p4);
}

static void spin_step(const char *routine, ke_lock_step_t step, ULONG_PTR lock, ULONG_PTR old_irql)
{
    const KIRQL irql = ke_self()->irql;
    const char *why = "A spin lock was acquired or released at the wrong IRQL.";
    switch (step) {
    case KE_SPIN_ACQUIRE: must_hold(irql <= DISPATCH_LEVEL, routine, why, 0x42, lock, 0); break;
    case KE_SPIN_RELEASE: must_hold(irql == DISPATCH_LEVEL, routine, why, 0x32, lock, 0); break;
    case KE_SPIN_ACQUIRE_AT_DPC: must_hold(irql >= DISPATCH_LEVEL, routine, why, 0x40, lock, 0); break;
    case KE_SPIN_RELEASE_FROM_DPC: must_hold(irql >= DISPATCH_LEVEL, routine, why, 0x41, lock, 0); break;
    default: must_hold(irql == DISPATCH_LEVEL, routine, why, 0x36, lock, old_irql); break;
    }
}

static void mutex_step(const char *routine, ke_lock_step_t step, ULONG_PTR mutex)
{
    const ke_thread_t *self = ke_self();
    ULONG_PTR          count = ke_apc_disable_count(self);
    if (step == KE_FAST_MUTEX_RELEASE)
        must_hold(self->irql == APC_LEVEL, routine, "A fast mutex was released at another IRQL than APC_LEVEL.", 0x34, count, mutex);
    else
        must_hold(self->irql <= APC_LEVEL && apcs_are_off(self), routine, "An APC could take the mutex while it is held.",
                  step == KE_FAST_MUTEX_ACQUIRE_UNSAFE ? 0x39 : 0x3A, count, mutex);
}

/* Lookaside lists and resources that come or go at the wrong time. */
static void life_step(const char *routine, ke_lock_step_t step, ULONG_PTR what, ULONG_PTR bytes)
{
    switch (step) {
    case KE_RESOURCE_TWICE: violation(routine, "A resource was initialised that is active.", 0xD0, what, 0, 0);
    case KE_RESOURCE_UNKNOWN: violation(routine, "A resource was deleted that was not initialised, or deleted before.", 0xD1, what, 0, 0);
    case KE_LOOKASIDE_TWICE: violation(routine, "A lookaside list was initialised that is active.", 0xCA, what, 0, 0);
    case KE_LOOKASIDE_UNKNOWN:
        violation(routine, "A lookaside list was deleted that was not initialised, or deleted before.", 0xCB, what, 0, 0);
    default: violation(routine, "The blocks of a lookaside list are too small.", 0xCD, what, bytes, LOOKASIDE_MINIMUM_BLOCK_SIZE);
    }
}

/* Where something lies, and whose it is. */
static void place_step(const char *routine, ke_lock_step_t step, ULONG_PTR what, ULONG_PTR caller)
{
    if (step == KE_WORK_ITEM_QUEUE && mm_pageable_of(what) != NULL)
        violation(routine, "A work item in pageable memory was queued.", 0x131, what, 0, 0);
    if (!checks_misc)
        return;
    if (step == KE_WAIT_FOR_USER && is_on_stack(what))
        violation(routine, "A thread waits in user mode for an object on its stack, which may be put out meanwhile.", 0x123, what, 0, 0);
    if (step == KE_HANDLE_OF_USER && PsGetCurrentProcess() != PsInitialSystemProcess)
        violation(routine, "A handle of a process was trusted like a kernel handle: the application can make it another object's.", 0xF6,
                  what, (ULONG_PTR)PsGetCurrentProcess(), caller);
}

static void lock_step(const char *routine, ke_lock_step_t step, const volatile void *lock, ULONG_PTR operand)
{
    const ke_thread_t *self = ke_self();
    switch (step) {
    case KE_FAST_MUTEX_RELEASE:
    case KE_FAST_MUTEX_ACQUIRE_UNSAFE:
    case KE_FAST_MUTEX_RELEASE_UNSAFE: mutex_step(routine, step, (ULONG_PTR)lock); break;
    case KE_RESOURCE_ACQUIRE:
    case KE_RESOURCE_RELEASE:
        if ((ULONG_PTR)lock % __alignof__(ERESOURCE) != 0)
            violation(routine, "A resource does not lie at an address that its alignment allows.", 0x3D, 0, 0, (ULONG_PTR)lock);
        must_hold(apcs_are_off(self), routine, "A thread that holds a resource could be suspended: kernel APCs must be disabled.",
                  step == KE_RESOURCE_ACQUIRE ? 0x37 : 0x38, ke_apc_disable_count(self), (ULONG_PTR)lock);
        break;
    case KE_CRITICAL_ENTER:
    case KE_CRITICAL_LEAVE:
        must_hold(!forces_irql || self->irql <= APC_LEVEL, routine, "A critical region was entered or left above APC_LEVEL.",
                  step == KE_CRITICAL_ENTER ? 0x11A : 0x11B, 0, 0);
        break;
    case KE_PUSH_LOCK_ACQUIRE:
    case KE_PUSH_LOCK_RELEASE:
        must_hold(apcs_are_off(self), routine, "A thread that holds a push lock could be suspended: kernel APCs must be disabled.",
                  step == KE_PUSH_LOCK_ACQUIRE ? 0xEA : 0xEB, ke_apc_disable_count(self), (ULONG_PTR)lock);
        break;
    case KE_WAIT_FOR_USER:
    case KE_WORK_ITEM_QUEUE:
    case KE_HANDLE_OF_USER: place_step(routine, step, (ULONG_PTR)lock, operand); break;
    case KE_RESOURCE_TWICE:
    case KE_RESOURCE_UNKNOWN:
    case KE_LOOKASIDE_TWICE:
    case KE_LOOKASIDE_UNKNOWN:
    case KE_LOOKASIDE_SMALL: life_step(routine, step, (ULONG_PTR)lock, operand); break;
    default: spin_step(routine, step, (ULONG_PTR)lock, operand); break;
    }
}

static void object(const char *routine, const void *object)
{
    vf_deadlock_init(routine, (uintptr_t)object);
    if (forces_irql && mm_pageable_of((uintptr_t)object) != NULL)
        violation(routine, "A lock, or an object that threads wait for, lies in pageable memory.", 0xE1, (ULONG_PTR)object, 0, 0);
}

static void freeing(const char *routine, const ke_freed_t *freed)
{
    vf_deadlock_freeing(routine, freed->address, freed->bytes);
    vf_contents_check(routine, freed, checks_misc);
}

/* ---- routines of the driver ---- */

static void returned(const char *routine, ke_callback_t kind, ULONG_PTR callback, KIRQL irql, ULONG_PTR apcs)
{
    const ke_thread_t *self = ke_self();
    ULONG_PTR          now = ke_apc_disable_count(self);
    bool               completion = kind == KE_CALLED_COMPLETION; /* of a dispatch routine io looks at the IRQL itself */
    if (completion && self->irql != irql)
        violation(routine, "A completion routine returned at another IRQL than it was called at.", 0xFA, callback, irql, self->irql);
    if (now != apcs)
        violation(routine, "A routine did not leave a critical or guarded region, or left one that it had not entered.",
                  completion ? 0xFB : 0xC5, callback, now, apcs);
}

void vf_automatic_boot(uint32_t flags)
{
    static const ke_probe_t probe = { .stop = vf_automatic_stop,
                                      .mdl = mdl_step,
                                      .lock = lock_step,
                                      .own = vf_deadlock_step,
                                      .object = object,
                                      .freeing = freeing,
                                      .returned = returned };
    forces_irql = (flags & NTMM_VERIFY_FORCE_IRQL) != 0;
    checks_misc = (flags & NTMM_VERIFY_MISC) != 0;
    vf_deadlock_boot((flags & NTMM_VERIFY_DEADLOCK) != 0);
    ke_probe = flags != 0 ? &probe : NULL;
}
