/*
 * clock_thread.c - who lets timers expire by the host's clock: one thread, made when the first timer is set.
 *
 *     KeSetTimer --due first--> wakes it (makes it) --asleep until then--> expires what is due; DPCs go where their timers were set
 *
 * It runs no driver code: DPCs are run by whoever owns their processor, or by its DPC thread. A machine whose timers are never set has no
 * such thread, nor has one whose clock stands still, nor has a forked child until it boots a machine and sets a timer there.
 *
 * Locks       none here.
 */
#include "ke/bugcheck.h"
#include "ke/time.h"
#include "ke/timer.h"

#define STOP_PATIENCE_NS 2000000000u
#define RECHECK_NS 100000000u /* how late it may notice that the machine has halted */

enum clock_state { CLOCK_NONE, CLOCK_STARTING, CLOCK_RUNNING, CLOCK_STOPPING, CLOCK_ENDED };

static host_thread_t   *thread;
static _Atomic uint32_t state;
static _Atomic uint32_t calls; /* counts timers that became the first; the thread sleeps on it */
static _Atomic uint32_t held, at_work;

void ke_clock_boot(void)
{
    thread = NULL; /* of a forked child's parent it is not in this process */
    atomic_store(&state, CLOCK_NONE);
    atomic_store(&held, 0);
    atomic_store(&at_work, 0);
}

static bool goes_on(void) { return atomic_load(&state) != CLOCK_STOPPING && atomic_load(&ke_machine_state) == KE_MACHINE_UP; }

/* @return nanoseconds until the next one is due */
static uint64_t expire_due(void)
{
    atomic_store(&at_work, 1);
    while (atomic_load(&held) == 0 && goes_on() && ke_timer_expire(ke_time_now(), false))
        ;
    atomic_store(&at_work, 0);
    uint64_t due = ke_timer_next_due();
    return due == KE_TIME_NEVER ? RECHECK_NS : ke_time_left_ns(due);
}

static void serve(void *unused)
{
    ke_thread_t *self = ke_thread_ready("the machine's clock");
    (void)unused;
    if (self == NULL)
        return;
    atomic_store(&self->is_system, 1);
    while (goes_on()) {
        uint32_t seen = atomic_load(&calls);
        uint64_t left = expire_due();
        if (atomic_load(&held) != 0)
            left = RECHECK_NS;
        if (left != 0)
            host_wait(&calls, seen, left < RECHECK_NS ? left : RECHECK_NS);
    }
}

static void clock_main(void *unused)
{
    ke_system_thread_guard(serve, unused);
    atomic_store(&at_work, 0);
    atomic_store(&state, CLOCK_ENDED);
    host_wake(&state, true);
}

static void start(void)
{
    uint32_t none = CLOCK_NONE, starting = CLOCK_STARTING;
    if (atomic_load(&state) != CLOCK_NONE || !atomic_compare_exchange_strong(&state, &none, CLOCK_STARTING))
        return;
    int error = host_thread_start(&thread, clock_main, NULL);
    if (error == 0) {
        atomic_compare_exchange_strong(&state, &starting, CLOCK_RUNNING);
        return;
    }
    ke_error(error, "the host has no thread for the machine's clock: timers do not expire");
    host_tell("ntmm: the host has no thread for the machine's clock: timers do not expire\n");
    atomic_store(&state, CLOCK_NONE);
}

void ke_clock_look(void)
{
    if (ke_time_stands_still || atomic_load(&ke_machine_state) != KE_MACHINE_UP)
        return;
    atomic_fetch_add(&calls, 1);
    host_wake(&calls, true);
    start();
}

void ke_clock_hold(bool hold)
{
    atomic_store(&held, hold);
    if (!hold) {
        atomic_fetch_add(&calls, 1);
        host_wake(&calls, true);
    }
    while (hold && atomic_load(&at_work) != 0 && atomic_load(&ke_machine_state) == KE_MACHINE_UP)
        host_yield();
}

static uint32_t wait_while(uint32_t unwanted, uint64_t deadline)
{
    while (atomic_load(&state) == unwanted && host_clock_ns() < deadline)
        host_wait(&state, unwanted, 1000000);
    return atomic_load(&state);
}

void ke_clock_shutdown(void)
{
    uint64_t deadline = host_clock_ns() + STOP_PATIENCE_NS;
    uint32_t running = CLOCK_RUNNING;
    if (wait_while(CLOCK_STARTING, deadline) == CLOCK_NONE)
        return;
    atomic_compare_exchange_strong(&state, &running, CLOCK_STOPPING);
    atomic_fetch_add(&calls, 1);
    host_wake(&calls, true);
    if (wait_while(CLOCK_STOPPING, deadline) == CLOCK_ENDED)
        host_thread_join(thread);
    thread = NULL;
}
