/*
 * bugcheck.c - a broken rule stops the machine: who is first, and what happens then.
 *
 *     ke_bugcheck                 this file      the first stop wins: UP -> HALTED, by one atomic exchange
 *      |- ke_report_compose       report.c       code, parameters, routine, backtrace, advice; printed
 *      |- ke_stop_callbacks_run   stop_callbacks.c  what the drivers registered; their part of the report is printed after each
 *      `- ke_catch_leave          catch.c        to the innermost catch of this thread
 *
 * A second stop, on another thread, waits until the report is complete and leaves with what the first one said: there is one stop a
 * machine. A stop inside a callback, or in a hook that describes an address, returns to the guard around it. A stop without a machine is
 * reported as well, since KeBugCheckEx never returns, but there is nothing to halt.
 *
 * Locks   none: a stop may come from code that holds any lock.
 * Source  WDK reference: KeBugCheckEx, KeBugCheck.
 */
#include <stdatomic.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/probe.h"
#include "ke/report.h"
#include "ke/stack.h"

_Atomic uint32_t ke_machine_state;
uint32_t         ke_machine_generation;
ke_lock_t        ke_machine_lock = KE_LOCK_INIT(KE_RANK_MACHINE);

static ntmm_bugcheck    first_stop;          /* written by the thread that halted the machine, read after `reported` says so */
static _Atomic uint32_t reported_generation; /* of the machine whose report is complete */

static HOST_THREAD_LOCAL uintptr_t reporting_at; /* where on its stack this thread writes the report of its stop; 0: it does not */
static ke_thread_t                 stranger;     /* stands for a stopping thread that has no record, while the callbacks run */

const ntmm_bugcheck *ke_first_stop(void)
{
    uint32_t reported;
    while ((reported = atomic_load(&reported_generation)) != ke_machine_generation)
        host_wait(&reported_generation, reported, 0);
    return &first_stop;
}

bool ke_stop_is_told(void)
{
    return atomic_load(&ke_machine_state) != KE_MACHINE_HALTED || atomic_load(&reported_generation) == ke_machine_generation;
}

/* The drivers' callbacks run at HIGH_LEVEL; what the thread had before is what an inspector sees afterwards. A thread that never called in
 * has no record of its own to keep an IRQL in. */
static void callbacks_at_high_level(const ntmm_bugcheck *check)
{
    ke_thread_t *self = ke_self();

    if (self == &ke_empty_thread) {
        stranger.processor = &ke_no_processor;
        ke_current = &stranger;
    }
    ke_self()->irql = HIGH_LEVEL;
    ke_stop_callbacks_run(check);
    ke_self()->irql = check->irql;
    ke_current = self;
}

/* From now on every thread's next driver call goes the slow way, and is refused there. */
static void fast_paths_disarm(void)
{
    ke_processors_disarm();
    if (ke_thread_hooks.disarm != NULL)
        ke_thread_hooks.disarm();
}

static void report_end(void)
{
    reporting_at = 0;
    atomic_store(&reported_generation, ke_machine_generation);
    host_wake(&reported_generation, true);
}

/* A test framework's assertion that failed in a callback has jumped out of it: code at that stack pointer runs in no callback. */
void ke_stop_look_for_longjmp(uintptr_t sp)
{
    ke_thread_t *self = ke_self();

    if (NTMM_LIKELY(reporting_at == 0 || !ke_stack_is_left(reporting_at, sp)))
        return;
    ke_escape_set(NULL);
    if (self == &stranger)
        ke_current = &ke_empty_thread;
    else if (self != &ke_empty_thread)
        self->irql = first_stop.irql;
    ke_report_append("  (a callback was left by longjmp; those behind it were not called)\n");
    ke_report_print();
    report_end();
}

bool ntmm_is_halted(void) { return atomic_load(&ke_machine_state) == KE_MACHINE_HALTED; }

/* On a stack of the host's: a kernel stack has no room for this. */
static void report_the_stop(void *context)
{
    const ke_stop_t *stop = context;
    first_stop = stop->check;
    reporting_at = (uintptr_t)__builtin_frame_address(0);
    fast_paths_disarm();
    ke_report_compose(stop);
    ke_report_print();
    callbacks_at_high_level(&stop->check);
    ke_report_print();
    ke_catch_take(stop->sp);
    report_end();
}

/* Until the thread has left (catch.c, thread_put_out) the machine is not shut down under it. */
static void enter_library(void)
{
    ke_thread_t *self = ke_self();
    if (self != &ke_empty_thread)
        atomic_fetch_add(&self->in_library, 1);
}

/* No machine is up, or the process is a forked child that has none. */
static void report_without_machine(void *stop)
{
    static _Atomic bool busy;
    if (atomic_exchange(&busy, true))
        return;
    ke_report_compose(stop);
    ke_report_append("\nNo machine is up: the stop was raised before ntmm_boot, after ntmm_shutdown, or in a forked child.\n");
    ke_report_print();
    atomic_store(&busy, false);
}

static void find_stack(ke_stop_t *stop)
{
    ke_stack_t stack;
    if (!ke_stack_of(stop->sp, &stack))
        return;
    stop->stack_low = stack.low;
    stop->stack_high = stack.high;
}

_Noreturn void ke_bugcheck_stop(const ke_stop_t *given)
{
    ke_stop_t    stop = *given;
    uint32_t     state = KE_MACHINE_UP;
    ke_escape_t *guard;

    if (stop.sp == 0)
        stop.sp = (uintptr_t)__builtin_frame_address(0);
    ke_stop_look_for_longjmp(stop.sp);
    ke_stack_forget_left_at_stop(stop.sp);
    guard = ke_escape_set(NULL);
    if (guard != NULL) { /* inside a part of the first stop's report */
        ke_report_append("  (here the report itself stopped: 0x%X %s, in %s)\n", stop.check.code, ntmm_bugcheck_name(stop.check.code),
                         stop.routine);
        ke_escape_take(guard);
    }
    NTMM_INVARIANT(reporting_at == 0, "a stop report reads nothing that can fault outside a guard");
    enter_library();
    stop.check.irql = ke_self()->irql;
    find_stack(&stop);
    if (atomic_compare_exchange_strong(&ke_machine_state, &state, KE_MACHINE_HALTED)) {
        ke_stack_on_host(report_the_stop, &stop);
        ke_catch_leave(&first_stop, stop.sp, true);
    }
    if (state == KE_MACHINE_HALTED)
        ke_catch_leave(ke_first_stop(), stop.sp, false);
    ke_stack_on_host(report_without_machine, &stop);
    ke_catch_look_around();
    ke_catch_leave(&stop.check, stop.sp, true);
}

const ke_probe_t *ke_probe;

static _Noreturn void stop_now(ke_stop_t *stop)
{
    if (NTMM_UNLIKELY(ke_probe != NULL) && atomic_load(&ke_machine_state) == KE_MACHINE_UP)
        ke_probe->stop(stop);
    ke_bugcheck_stop(stop);
}

_Noreturn void ke_bugcheck(const char *routine, const char *why, ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    ke_stop_t stop = { .routine = routine, .why = why, .check = { .code = code, .parameter = { p1, p2, p3, p4 } } };
    stop.sp = (uintptr_t)__builtin_frame_address(0);
    stop.from = (uintptr_t)__builtin_return_address(0);
    stop_now(&stop);
}

_Noreturn void ke_bugcheck_about(const char *routine, const char *why, const ntmm_bugcheck *check, ULONG_PTR operand1, ULONG_PTR operand2)
{
    ke_stop_t stop = { .routine = routine, .why = why, .check = *check, .operand = { operand1, operand2 } };
    stop.sp = (uintptr_t)__builtin_frame_address(0);
    stop.from = (uintptr_t)__builtin_return_address(0);
    stop_now(&stop);
}

void ke_fork_forget(void)
{
    ke_lock_init(&ke_machine_lock, KE_RANK_MACHINE);
    ke_catch_fork_forget();
    ke_threads_fork_forget();
    if (host_faults_armed())
        ke_faults_shutdown();
}

/* The macro knows the routine by name only; an address inside it is where this was called from. */
static _Noreturn void irql_too_high(const char *routine, ULONG_PTR routine_address, ULONG_PTR caller, const ULONG_PTR operand[2])
{
    ntmm_bugcheck check = { .code = IRQL_NOT_LESS_OR_EQUAL, .parameter = { routine_address, ke_self()->irql, 8, caller } };
    ke_bugcheck_about(routine, "It was called at an IRQL above the highest it may be called at.", &check, operand[0], operand[1]);
}

_Noreturn void ke_irql_too_high(const char *routine, ULONG_PTR routine_address, ULONG_PTR caller)
{
    static const ULONG_PTR none[2];
    if (routine_address == 0)
        routine_address = (ULONG_PTR)__builtin_return_address(0) - 1; /* the call may be the routine's last instruction */
    irql_too_high(routine, routine_address, caller, none);
}

_Noreturn void ke_irql_too_high_for(const char *routine, ULONG_PTR caller, ULONG_PTR operand1, ULONG_PTR operand2)
{
    const ULONG_PTR operand[2] = { operand1, operand2 };
    irql_too_high(routine, (ULONG_PTR)__builtin_return_address(0) - 1, caller, operand);
}

VOID KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2, ULONG_PTR BugCheckParameter3,
                  ULONG_PTR BugCheckParameter4)
{
    ke_bugcheck("KeBugCheckEx", "The driver stopped the machine itself.", BugCheckCode, BugCheckParameter1, BugCheckParameter2,
                BugCheckParameter3, BugCheckParameter4);
}

VOID KeBugCheck(ULONG BugCheckCode) { ke_bugcheck("KeBugCheck", "The driver stopped the machine itself.", BugCheckCode, 0, 0, 0, 0); }
