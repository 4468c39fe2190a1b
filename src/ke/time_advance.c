/*
 * time_advance.c - a clock that stands still, and what moves it: the test, a processor that is kept busy, and waits when nobody is left to do
 * anything before the next thing is due.
 *
 *     |---- now ----|---- a timer is due ----|---- a wait ends ----|---- to ----|
 *                   `-- stop: it expires     `-- stop: the thread goes on, and is given time to come to rest
 *
 * So what happens on the way happens in order and at its own time, whatever the step: a periodic timer expires once for each of its periods.
 *
 * A thread rests that is asleep in a wait whose time is not up, or, of the machine's own, has nothing to do. What a thread of the test does that
 * has not called the library yet nobody can know.
 *
 * Locks       `leaping` serialises the waits that move the clock.
 * Source      none (choice): there is no such clock in Windows.
 */
#include <errno.h>

#include "ke/bugcheck.h"
#include "ke/dpc.h"
#include "ke/time.h"
#include "ke/timer.h"

#define REST_PATIENCE_NS 200000000u /* for all threads that go on during one advance; those that run for longer are not waited for */
#define REST_POLL_NS 20000u

_Atomic uint32_t ke_work_waiting, ke_activity;

static _Atomic uint32_t leaping_generation; /* of the machine in which a wait moves the clock; 0: none does */

/* ---- who rests ---- */

static bool waits_on(ke_thread_t *thread, uint64_t now)
{
    return atomic_load(&thread->asleep) != 0 && atomic_load(&thread->granted) == 0 && atomic_load(&thread->wake_at) > now;
}

static bool rests(ke_thread_t *thread, uint64_t now) { return atomic_load(&thread->idle) != 0 || waits_on(thread, now); }

static bool counts(const ke_thread_t *thread)
{
    return atomic_load(&thread->alive) && __atomic_load_n(&thread->generation, __ATOMIC_ACQUIRE) == ke_machine_generation;
}

/* Looked at twice, so that nobody has got up behind our back. */
static bool all_rest(const ke_thread_t *self, bool machine_only)
{
    uint32_t activity = atomic_load(&ke_activity);
    uint64_t now = ke_time_now();
    if (atomic_load(&ke_work_waiting) != 0 || !ke_dpc_is_settled())
        return false;
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next) {
        bool runs_in_test = atomic_load(&thread->is_system) == 0 && atomic_load(&thread->asleep) == 0;
        if (thread != self && counts(thread) && !(machine_only && runs_in_test) && !rests(thread, now))
            return false;
    }
    return atomic_load(&ke_activity) == activity && atomic_load(&ke_work_waiting) == 0;
}

/* ---- what comes next ---- */

static uint64_t next_event(uint64_t now)
{
    uint64_t first = ke_timer_next_due();
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next) {
        uint64_t wake_at = atomic_load(&thread->wake_at);
        if (counts(thread) && atomic_load(&thread->asleep) != 0 && wake_at > now && wake_at < first)
            first = wake_at;
    }
    return first;
}

static void expire_all(bool run_here)
{
    while (ke_timer_expire(ke_time_now(), run_here))
        ;
}

static void let_rest(const ke_thread_t *self, uint64_t deadline_ns)
{
    while (!all_rest(self, true) && host_clock_ns() < deadline_ns) {
        ke_wait_poll();
        host_sleep_ns(REST_POLL_NS);
    }
}

/* ---- moving ---- */

void ke_time_advance(uint64_t to)
{
    ke_thread_t *self = ke_thread_enter("ntmm_time_advance");
    if (self == NULL)
        return;
    bool     may_wait = self->irql < DISPATCH_LEVEL; /* else others may need the processor that it has */
    uint64_t deadline_ns = host_clock_ns() + (may_wait ? REST_PATIENCE_NS : 0), due;
    while ((due = next_event(ke_time_now())) <= to) {
        ke_time_move(due);
        expire_all(true);
        let_rest(self, deadline_ns);
    }
    ke_time_move(to);
    ke_thread_leave(self);
}

static bool leap(ke_thread_t *self)
{
    uint64_t due = all_rest(self, false) && waits_on(self, ke_time_now()) ? next_event(ke_time_now()) : KE_TIME_NEVER;
    if (due == KE_TIME_NEVER)
        return false;
    ke_time_move(due);
    expire_all(false);
    return true;
}

bool ke_time_leap(ke_thread_t *self)
{
    uint32_t before = atomic_load(&leaping_generation);
    if (before == ke_machine_generation || !atomic_compare_exchange_strong(&leaping_generation, &before, ke_machine_generation))
        return false;
    bool moved = leap(self);
    atomic_store(&leaping_generation, 0);
    return moved;
}

/* ---- the test's ---- */

static int require_standing_clock(const char *routine)
{
    if (atomic_load(&ke_machine_state) != KE_MACHINE_UP)
        return ke_error(-ENODEV, "%s: no machine is up, or it has halted", routine);
    if (!ke_time_stands_still)
        return ke_error(-EINVAL, "%s: the machine's clock is the host's; boot with config.stopped_clock", routine);
    return 0;
}

int ntmm_time_advance(uint64_t units)
{
    int      result = require_standing_clock(__func__);
    uint64_t now = ke_time_now();
    if (result == 0 && ke_self()->irql > DISPATCH_LEVEL)
        result = ke_error(-EINVAL, "ntmm_time_advance was called at IRQL %u; the clock's interrupt is masked there", ke_self()->irql);
    if (result == 0)
        ke_time_advance(units < KE_TIME_NEVER - 1 - now ? now + units : KE_TIME_NEVER - 1);
    return result;
}

uint64_t ntmm_time_until_due(void)
{
    uint64_t now = ke_time_now(), due = require_standing_clock(__func__) == 0 ? next_event(now) : KE_TIME_NEVER;
    if (due == KE_TIME_NEVER)
        return UINT64_MAX;
    return due > now ? due - now : 0;
}
