/*
 * contents.c - what a driver frees must hold nothing that the system still knows of: it would be found there later, by somebody else.
 *
 *     an IRP of IoAllocateIrp              0xC4/0x105    IoFreeIrp frees it
 *     a timer that is set                  0xC4/0x15     KeCancelTimer first
 *     a DPC that is queued                 0xC7/1        KeRemoveQueueDpc, or KeFlushQueuedDpcs
 *     with NTMM_VERIFY_MISC also
 *     a work item in the queue             0xE4/0        wait until its routine has run
 *     an active lookaside list             0xC4/0xCC     ExDelete...LookasideList
 *     an active ERESOURCE                  0xC4/0xD2     ExDeleteResourceLite
 *
 * Locks       those of the lists that are looked through, one after the other; none is held at a stop.
 * Source      WDK documentation: "Miscellaneous Checks"; Bug Checks 0xC4, 0xC7, 0xE4.
 * Fidelity    which of several is told first: choice. Pool alone is looked at, and not what MmFreeContiguousMemory and its like give back.
 */
#include <ntddk.h>

#include "ex/ex.h"
#include "ex/lookaside.h"
#include "ex/work_queue.h"
#include "ke/dpc.h"
#include "ke/timer.h"
#include "ke/wait.h"
#include "vf/automatic.h"

typedef struct search {
    const ke_freed_t *freed;
    const void       *found;
} search_t;

static bool is_inside(const ke_freed_t *freed, const void *what) { return (uintptr_t)what - freed->address < freed->bytes; }

static _Noreturn NTMM_COLD void stop(const char *routine, const char *why, ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3,
                                     ULONG_PTR p4)
{
    ke_bugcheck(routine, why, code, p1, p2, p3, p4);
}

/* ---- whatever the flags ---- */

static void no_irp(const char *routine, const ke_freed_t *freed)
{
    const IRP *irp = (const IRP *)freed->address;
    if (freed->tag == NTMM_TAG("Irp ") && freed->bytes >= sizeof *irp && irp->Type == IO_TYPE_IRP)
        stop(routine, "An IRP was freed like other pool.", DRIVER_VERIFIER_DETECTED_VIOLATION, 0x105, freed->address, 0, 0);
}

static void look_at_timer(void *context, void *timer, size_t bytes)
{
    search_t *search = context;
    (void)bytes;
    if (is_inside(search->freed, timer))
        search->found = timer;
}

static void no_timer(const char *routine, const ke_freed_t *freed)
{
    search_t search = { freed, NULL };
    ke_lock(&ke_dispatcher_lock);
    ke_timers_visit_set(look_at_timer, &search);
    ke_unlock(&ke_dispatcher_lock);
    if (search.found != NULL)
        stop(routine, "Pool was freed while a timer in it is set.", DRIVER_VERIFIER_DETECTED_VIOLATION, 0x15, (ULONG_PTR)search.found,
             freed->pool_type, freed->address);
}

static void no_dpc(const char *routine, const ke_freed_t *freed)
{
    const KDPC *dpc = ke_dpc_queued_in(freed->address, freed->bytes);
    if (dpc != NULL)
        stop(routine, "Pool was freed while a DPC in it is queued.", TIMER_OR_DPC_INVALID, 1, (ULONG_PTR)dpc, freed->address,
             freed->address + freed->bytes);
}

/* ---- miscellaneous checks ---- */

static void no_work_item(const char *routine, const ke_freed_t *freed)
{
    const WORK_QUEUE_ITEM *item = ex_work_queued_in(freed->address, freed->bytes);
    if (item != NULL)
        stop(routine, "Pool was freed while a work item in it is in the queue.", WORKER_INVALID, 0, (ULONG_PTR)item, freed->address,
             freed->address + freed->bytes);
}

static const char *look_at_list(void *context, ex_lookaside_t *list)
{
    search_t *search = context;
    if (is_inside(search->freed, list))
        search->found = list;
    return NULL;
}

static void no_lookaside_list(const char *routine, const ke_freed_t *freed)
{
    search_t search = { freed, NULL };
    (void)ex_lookaside_visit(look_at_list, &search); /* a damaged set is for whoever walks it next */
    if (search.found != NULL)
        stop(routine, "Pool was freed while a lookaside list in it is active.", DRIVER_VERIFIER_DETECTED_VIOLATION, 0xCC,
             (ULONG_PTR)search.found, freed->address, freed->bytes);
}

static void no_resource(const char *routine, const ke_freed_t *freed)
{
    const ERESOURCE *resource = ex_resource_active_in(freed->address, freed->bytes);
    if (resource != NULL)
        stop(routine, "Pool was freed while a resource in it is active.", DRIVER_VERIFIER_DETECTED_VIOLATION, 0xD2, (ULONG_PTR)resource,
             freed->address, freed->bytes);
}

void vf_contents_check(const char *routine, const ke_freed_t *freed, bool misc)
{
    no_irp(routine, freed);
    no_timer(routine, freed);
    no_dpc(routine, freed);
    if (!misc)
        return;
    no_work_item(routine, freed);
    no_lookaside_list(routine, freed);
    no_resource(routine, freed);
}
