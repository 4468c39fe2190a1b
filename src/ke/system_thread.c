/*
 * system_thread.c - threads of the machine's own: made, run on a kernel stack, ended, and got rid of at shutdown.
 *
 *     make    host thread --> record, object, process --> MADE: waits for the word
 *     begin   run: switch to the kernel stack, routine(context) --.
 *             else -----------------------------------------------+--> back on the host's stack, object signaled, ENDED
 *     PsTerminateSystemThread, a stop, an abandoned wait: --------'
 *
 * A thread that has ended is joined by the next one that is made, or by the shutdown. A thread that never ends would keep the machine from
 * being shut down: one that sleeps in a wait is taken out of that and counts as a leak; one that runs is named in ntmm_error().
 *
 * Locks       list_lock for the list; nothing is called while it is held.
 * Elsewhere   handles, and what drivers call: ex/system_thread_api.c.
 */
#include "ke/system_thread.h"

#include <stdlib.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/region.h"
#include "ke/probe.h"
#include "ke/stack.h"
#include "ke/wait.h"

#define GRACE_NS 50000000u /* for a thread that was told to end and is about to */
#define PATIENCE_NS 1000000000u
#define POLL_NS 200000u

enum state { STARTING, MADE, RUNNING, CANCELLED, ENDED, FAILED };

struct ke_system_thread {
    ke_system_thread_t    *next;
    host_thread_t         *host;
    PKSTART_ROUTINE        routine;
    PVOID                  context;
    ke_process_t          *process;
    ke_stack_t             stack;
    _Atomic(ke_thread_t *) record;
    _Atomic uint32_t       state;
    _Atomic bool           was_abandoned; /* by a shutdown, which reads on while the thread leaves */
    bool                   has_run, is_told;
};

static ke_lock_t           list_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static ke_system_thread_t *list;
static void               *abandoned[64]; /* objects, for the leak report */
static size_t              abandoned_count;

void (*ke_thread_notice)(ke_thread_t *thread, const ke_process_t *process, bool created);

void ke_system_threads_boot(void)
{
    ke_lock_init(&list_lock, KE_RANK_LEAF);
    list = NULL;
    abandoned_count = 0;
}

static void set_state(ke_system_thread_t *thread, uint32_t state)
{
    atomic_store(&thread->state, state);
    host_wake(&thread->state, true);
}

static uint32_t wait_while(ke_system_thread_t *thread, uint32_t state)
{
    while (atomic_load(&thread->state) == state)
        host_wait(&thread->state, state, 0);
    return atomic_load(&thread->state);
}

/* ---- the thread itself ---- */

bool ke_is_system_thread(void) { return ke_self() != &ke_empty_thread && ke_self()->made_by_machine; }

static void run_routine(void *context)
{
    ke_system_thread_t *thread = context;
    thread->has_run = true;
    thread->routine(thread->context);
    ke_system_thread_check_end("PsCreateSystemThread");
    atomic_store(&ke_self()->exit_status, STATUS_SUCCESS);
}

static void run_guarded(void *context)
{
    ke_system_thread_t *thread = context;
    NTMM_INVARIANT(ke_stack_run(&thread->stack, run_routine, thread), "a new thread is on no kernel stack yet");
}

static void tell_of_end(void *context)
{
    const ke_system_thread_t *thread = context;
    ke_thread_notice(ke_self(), thread->process, false);
}

static ke_thread_t *become(ke_system_thread_t *thread)
{
    ke_thread_t *self = ke_thread_ready("PsCreateSystemThread");
    if (self == NULL)
        return NULL;
    if (thread->process != NULL && !ke_process_use(thread->process))
        return NULL;
    self->home = self->process = thread->process;
    atomic_store(&self->is_system, 1);
    self->made_by_machine = true;
    (void)ke_thread_object_reference(self->kthread); /* for whoever made it */
    return self;
}

static void thread_main(void *argument)
{
    ke_system_thread_t *thread = argument;
    ke_thread_t        *self = become(thread);
    if (self == NULL) {
        set_state(thread, FAILED);
        return;
    }
    atomic_store(&thread->record, self);
    set_state(thread, MADE);
    if (wait_while(thread, MADE) == RUNNING)
        ke_system_thread_guard(run_guarded, thread);
    if (thread->is_told && !thread->was_abandoned && atomic_load(&ke_machine_state) == KE_MACHINE_UP)
        ke_system_thread_guard(tell_of_end, thread);
    ke_thread_end_record(); /* here, and not when the host thread is gone, so that nothing is left to do when its object is signaled */
    atomic_store(&thread->state, ENDED); /* nobody sleeps on it now; the host thread is joined, and is the last to touch this */
}

_Noreturn void ke_system_thread_end(void)
{
    ke_thread_t *self = ke_self();
    self->irql = PASSIVE_LEVEL;
    atomic_store(&self->in_library, 0);
    ke_system_thread_leave();
}

void ke_system_thread_check_end(const char *routine)
{
    const ke_thread_t *self = ke_self();
    if (self->irql > PASSIVE_LEVEL)
        ke_irql_too_high(routine, 0, KE_CALLER());
    ke_probe_own(routine, KE_OWN_END, KE_OWN_MUTEX, NULL);
    ke_mutex_check_end(routine);
    if (self->kernel_apc_disable != 0 || self->special_apc_disable != 0)
        ke_bugcheck(routine, "A system thread ended in a critical or guarded region.", KERNEL_APC_PENDING_DURING_EXIT, 0,
                    ke_apc_disable_count(self), self->irql, 0);
    if (self->stack_stays)
        ke_bugcheck(routine, "A system thread ended, and its stack was still not to be paged out.", KERNEL_STACK_LOCKED_AT_EXIT, 0, 0, 0,
                    0);
}

/* ---- making ---- */

static void bury(ke_system_thread_t *thread)
{
    host_thread_join(thread->host);
    free(thread);
}

/* Takes what has ended off the list. */
static ke_system_thread_t *take_ended(void)
{
    ke_lock(&list_lock);
    ke_system_thread_t **link = &list;
    while (*link != NULL && atomic_load(&(*link)->state) != ENDED)
        link = &(*link)->next;
    ke_system_thread_t *found = *link;
    if (found != NULL)
        *link = found->next;
    ke_unlock(&list_lock);
    return found;
}

static void bury_ended(void)
{
    for (ke_system_thread_t *thread = take_ended(); thread != NULL; thread = take_ended())
        bury(thread);
}

static void enlist(ke_system_thread_t *thread)
{
    ke_lock(&list_lock);
    thread->next = list;
    list = thread;
    ke_unlock(&list_lock);
}

static bool start(ke_system_thread_t *thread)
{
    int error = host_thread_start(&thread->host, thread_main, thread);
    if (error != 0)
        return ke_error(error, "the host has no thread for one of the machine's") != 0 && false;
    if (wait_while(thread, STARTING) != FAILED)
        return true;
    host_thread_join(thread->host);
    return false;
}

ke_system_thread_t *ke_system_thread_make(PKSTART_ROUTINE routine, PVOID context, ke_process_t *process)
{
    bury_ended();
    ke_system_thread_t *thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    thread->routine = routine;
    thread->context = context;
    thread->process = process;
    if (!ke_stack_take(KERNEL_STACK_SIZE, &thread->stack))
        goto free_thread;
    if (!start(thread))
        goto give_stack;
    enlist(thread);
    return thread;

give_stack:
    ke_stack_maker.give(&thread->stack);
free_thread:
    free(thread);
    return NULL;
}

ke_thread_t *ke_system_thread_object(ke_system_thread_t *thread) { return atomic_load(&thread->record); }

void ke_system_thread_tell(ke_system_thread_t *thread)
{
    thread->is_told = ke_thread_notice != NULL;
    if (thread->is_told)
        ke_thread_notice(ke_system_thread_object(thread), thread->process, true);
}

void ke_system_thread_begin(ke_system_thread_t *thread, bool run)
{
    if (!run)
        ke_stack_maker.give(&thread->stack);
    set_state(thread, run ? RUNNING : CANCELLED);
    while (!run && atomic_load(&thread->state) != ENDED) /* it has nothing to do but that */
        host_yield();
}

/* ---- the shutdown; no other thread of the test is in the library ---- */

static ke_system_thread_t *first_that_runs(void)
{
    ke_lock_t *lock = atomic_load(&ke_machine_state) == KE_MACHINE_UP ? &list_lock : NULL; /* of a halted machine nobody gives it back */
    if (lock != NULL)
        ke_lock(lock);
    ke_system_thread_t *thread = list;
    while (thread != NULL && atomic_load(&thread->state) == ENDED)
        thread = thread->next;
    if (lock != NULL)
        ke_unlock(lock);
    return thread;
}

static void take_out_of_wait(ke_system_thread_t *thread)
{
    ke_thread_t *record = atomic_load(&thread->record);
    if (record == NULL || thread->was_abandoned || atomic_load(&record->asleep) == 0)
        return;
    thread->was_abandoned = true;
    atomic_store(&record->abandoned, 1);
    host_wake(&record->granted, true);
    if (abandoned_count < NTMM_ARRAY_COUNT(abandoned))
        abandoned[abandoned_count] = record->kthread;
    abandoned_count++;
}

static bool give_up(const ke_system_thread_t *thread)
{
    char where[256];
    host_describe_address((uintptr_t)thread->routine, where, sizeof where);
    return ke_error(0, "a system thread still runs, which was started at %s; let it end first", where) != 0;
}

bool ke_system_threads_shutdown(void)
{
    uint64_t            began = host_clock_ns();
    ke_system_thread_t *thread;
    while ((thread = first_that_runs()) != NULL) {
        uint64_t waited = host_clock_ns() - began;
        if (waited > PATIENCE_NS)
            return give_up(thread);
        if (waited > GRACE_NS)
            for (ke_system_thread_t *each = list; each != NULL; each = each->next)
                take_out_of_wait(each);
        host_sleep_ns(POLL_NS);
    }
    while (list != NULL) {
        thread = list;
        list = thread->next;
        bury(thread);
    }
    return true;
}

void ke_system_threads_visit_abandoned(void (*visit)(void *context, void *object), void *context)
{
    for (size_t i = 0; i < abandoned_count && i < NTMM_ARRAY_COUNT(abandoned); i++)
        visit(context, abandoned[i]);
}
