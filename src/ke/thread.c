/*
 * thread.c - the records that the machine keeps for its threads: made, found again, given back.
 *
 *     first call of a host thread     record_take    a dead record from the list, else a new one
 *     first call after a boot         record_start   IRQL 0, no processor, upper[] zero; hooks.start
 *     the host thread ends            thread_ended   processor and process given up; hooks.stop; the record is dead, its memory stays
 *
 * The list only grows, at its head, so that walkers need no lock: a record once listed stays mapped with the same `next`. A dead record
 * that was the owner of a processor may still be named there: it is not dispatching, so that the processor is taken over as from any idle
 * thread.
 *
 * Locks       none for the list, whose head and `alive` are atomic. `resetting` keeps a thread that ends and a shutdown from emptying the
 *             same record at once; it comes before all other locks.
 * Fidelity    every host thread that calls in is a system thread of the machine; none is scheduled by it.
 */
#include "ke/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/protection_key.h"
#include "ke/bugcheck.h"
#include "ke/dpc.h"
#include "ke/process.h"
#include "ke/stack.h"
#include "ke/time.h"
#include "ke/try.h"
#include "ke/wait.h"

ke_thread_t                    ke_empty_thread = { .processor = &ke_no_processor };
HOST_THREAD_LOCAL ke_thread_t *ke_current = &ke_empty_thread;
ke_thread_hooks_t              ke_thread_hooks;
_Atomic uint32_t               ke_leave_due;
void (*ke_leave_hook)(void);

#define READER_PATIENCE_NS 1000u

static _Atomic(ke_thread_t *) first_record;

ke_thread_t *ke_thread_first(void) { return atomic_load(&first_record); }

/* ---- the life of a record ---- */

static bool is_free(ke_thread_t *record)
{
    return !atomic_load_explicit(&record->alive, memory_order_relaxed) && atomic_load(&record->references) == 0;
}

static ke_thread_t *record_reuse(void)
{
    for (ke_thread_t *record = ke_thread_first(); record != NULL; record = record->next) {
        bool alive = false;
        if (!is_free(record) || !atomic_compare_exchange_strong(&record->alive, &alive, true))
            continue;
        if (atomic_load(&record->references) == 0)
            return record;
        atomic_store(&record->alive, false);
    }
    return NULL;
}

static ke_thread_t *record_make(void)
{
    ke_thread_t *record = host_tables(sizeof *record);

    if (record == NULL)
        return NULL;
    record->processor = &ke_no_processor;
    atomic_store(&record->alive, true);
    record->next = ke_thread_first();
    while (!atomic_compare_exchange_weak(&first_record, &record->next, record))
        ;
    return record;
}

static void record_reset(ke_thread_t *record)
{
    record->irql = PASSIVE_LEVEL;
    record->processor = &ke_no_processor;
    record->kernel_apc_disable = 0;
    record->special_apc_disable = 0;
    record->ranks_held = 0;
    atomic_store_explicit(&record->reading, 0, memory_order_release);
    record->dpc = NULL;
    record->serves = NULL;
    record->process = record->home = NULL;
    record->attached = 0;
    record->top_level_irp = NULL;
    record->wait_next = NULL;
    record->wait_lock = NULL;
    record->wait_count = 0;
    record->mutex_count = 0;
    record->set_and_wait = false;
    record->stack_stays = false;
    record->made_by_machine = false;
    record->callouts = 0;
    record->rw_count = 0;
    record->rw_unnamed = 0;
    atomic_store(&record->in_library, 0);
    atomic_store(&record->asleep, 0);
    atomic_store(&record->idle, 0);
    atomic_store(&record->wake_at, KE_TIME_NEVER);
    atomic_store(&record->dispatching, 0);
}

static _Atomic bool resetting;

static void resets_begin(void)
{
    while (atomic_exchange(&resetting, true))
        host_yield();
}

static void resets_end(void) { atomic_store(&resetting, false); }

static void give_back(void *argument)
{
    ke_mutexes_abandon(argument);
    if (ke_thread_hooks.stop != NULL)
        ke_thread_hooks.stop(argument);
    ke_processor_release(argument); /* after the hook, which may use one */
    ke_process_leave(argument);
}

static void thread_ended(void *argument)
{
    ke_thread_t *record = argument;

    resets_begin();
    record->irql = PASSIVE_LEVEL;
    ke_stacks_thread_ends();
    if (record->generation == ke_machine_generation && atomic_load(&ke_machine_state) == KE_MACHINE_UP)
        ntmm_catch_bugcheck(give_back, record, NULL); /* for a stop in there, no other frame of the thread is left */
    ntmm_catch_pop(NULL);                             /* it may have ended inside a catch */
    ke_tries_cut(0);
    record_reset(record);
    resets_end();
    ke_thread_object_end(record, record->exit_status); /* whoever waits for the thread may count on all of the above */
    ke_current = &ke_empty_thread;
    atomic_store(&record->alive, false);
}

void ke_thread_end_record(void)
{
    (void)host_at_thread_exit(thread_ended, NULL);
    if (ke_self() != &ke_empty_thread)
        thread_ended(ke_self());
}

static ke_thread_t *record_take(void)
{
    ke_thread_t *record = record_reuse();

    if (record == NULL)
        record = record_make();
    if (record == NULL)
        return NULL;
    __atomic_store_n(&record->generation, 0, __ATOMIC_RELAXED); /* made ready afresh, whoever had it before */
    atomic_store(&record->is_system, 0);
    if (host_at_thread_exit(thread_ended, record) != 0) {
        atomic_store(&record->alive, false);
        return NULL;
    }
    record->host_id = host_thread_id();
    ke_current = record;
    return record;
}

static void record_start(ke_thread_t *record)
{
    record_reset(record);
    host_key_open(); /* whoever made the thread may have been at DISPATCH_LEVEL */
    memset(record->upper, 0, sizeof record->upper);
    __atomic_store_n(&record->generation, ke_machine_generation, __ATOMIC_RELEASE); /* others look at it: time_advance.c */
    ke_thread_object_start(record);
    if (ke_thread_hooks.start != NULL)
        ke_thread_hooks.start(record);
}

/* ---- entering ---- */

static NTMM_COLD void refuse(const char *routine, uint32_t state)
{
    static const char *const WHY[] = { [KE_MACHINE_OFF] = "no machine is up: call ntmm_boot first",
                                       [KE_MACHINE_HALTED] = "the machine has halted at a bug check: inspect it, then shut it down",
                                       [KE_MACHINE_FORKED] = "this is a forked child, which has no machine: boot one here" };

    ke_error(-ENODEV, "%s: %s", routine, WHY[state]);
    fprintf(stderr, "ntmm: %s was refused: %s\n", routine, WHY[state]);
}

static NTMM_COLD ke_thread_t *thread_start(const char *routine)
{
    ke_thread_t *record = ke_self();

    if (record == &ke_empty_thread)
        record = record_take();
    if (record == NULL) {
        ke_error(-ENOMEM, "%s: the host has no memory for one more thread", routine);
        fprintf(stderr, "ntmm: %s was refused: the host has no memory for one more thread\n", routine);
        return NULL;
    }
    record_start(record);
    return record;
}

ke_thread_t *ke_thread_ready(const char *routine)
{
    uint32_t     state = atomic_load_explicit(&ke_machine_state, memory_order_acquire);
    ke_thread_t *record = ke_self();

    if (NTMM_UNLIKELY(state != KE_MACHINE_UP)) {
        refuse(routine, state);
        return NULL;
    }
    if (NTMM_UNLIKELY(record->generation != ke_machine_generation))
        return thread_start(routine);
    return record;
}

/* Only its own thread writes in_library, so that no read-modify-write is needed. */
ke_thread_t *ke_thread_enter(const char *routine)
{
    ke_thread_t *record = ke_thread_ready(routine);

    if (NTMM_LIKELY(record != NULL)) {
        uint8_t depth = atomic_load_explicit(&record->in_library, memory_order_relaxed);
        atomic_store_explicit(&record->in_library, (uint8_t)(depth + 1), memory_order_release);
    }
    return record;
}

void ke_thread_leave(ke_thread_t *record)
{
    uint8_t depth = atomic_load_explicit(&record->in_library, memory_order_relaxed);

    if (NTMM_UNLIKELY(atomic_load_explicit(&ke_leave_due, memory_order_relaxed) != 0) && depth == 1)
        ke_leave_hook();
    if (NTMM_LIKELY(depth != 0)) /* 0: a stop that was caught in between has set it right */
        atomic_store_explicit(&record->in_library, (uint8_t)(depth - 1), memory_order_release);
}

/* ---- all of them ---- */

static bool is_outside(const ke_thread_t *record)
{
    bool has_processors = atomic_load(&ke_machine_state) == KE_MACHINE_UP; /* a halted machine has none that one could own */
    return atomic_load(&record->in_library) == 0 && (!has_processors || atomic_load(&record->dispatching) == 0);
}

static bool are_outside(bool or_asleep)
{
    if (!ke_dpc_settle() || !ke_stop_is_told()) /* who stops may be a thread without a record */
        return false;
    for (ke_thread_t *record = ke_thread_first(); record != NULL; record = record->next)
        if (record != ke_self() && atomic_load(&record->alive) && !is_outside(record) && !(or_asleep && atomic_load(&record->asleep) != 0))
            return false;
    return true;
}

bool ke_threads_are_outside(void) { return are_outside(false); }
bool ke_threads_are_quiet(void) { return are_outside(true); }

void ke_threads_shutdown(void)
{
    resets_begin();
    for (ke_thread_t *record = ke_thread_first(); record != NULL; record = record->next) {
        record_reset(record);
        atomic_store(&record->references, 0);
    }
    resets_end();
}

void ke_thread_fork_leave(void)
{
    (void)host_at_thread_exit(thread_ended, NULL);
    ke_current = &ke_empty_thread;
}

void ke_threads_fork_forget(void)
{
    resets_end(); /* whoever was at it is not here */
    for (ke_thread_t *record = ke_thread_first(); record != NULL; record = record->next) {
        record_reset(record);
        record->generation = 0;
        atomic_store(&record->references, 0);
        atomic_store(&record->alive, record == ke_self());
    }
}

/* ---- readers ---- */

void ke_readers_wait(void)
{
    const ke_thread_t *self = ke_self();
    host_fence_heavy();
    for (ke_thread_t *record = ke_thread_first(); record != NULL; record = record->next)
        while (record != self && atomic_load_explicit(&record->reading, memory_order_acquire) != 0) {
            ke_wait_poll();
            host_sleep_ns(READER_PATIENCE_NS);
        }
}
