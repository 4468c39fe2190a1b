/*
 * bugcheck.h - how a broken rule stops the machine, and what the rest of the library needs of it.
 */
#ifndef NTMM_KE_BUGCHECK_H
#define NTMM_KE_BUGCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <ntmm/ntmm.h>

#include "ke/thread.h"

enum ke_machine_state { KE_MACHINE_OFF = 0, KE_MACHINE_UP, KE_MACHINE_HALTED, KE_MACHINE_FORKED };
extern _Atomic uint32_t ke_machine_state;
extern uint32_t         ke_machine_generation; /* counts boots, from 1 */
extern ke_lock_t        ke_machine_lock;       /* KE_RANK_MACHINE */

/* A forked child is about to boot a machine of its own: no other thread, no lock held, no fault handler of the parent's machine. */
void ke_fork_forget(void);

/* Stop the machine, naming the routine that noticed. Call with no simulator lock held. Never returns: it unwinds to the innermost catch,
 * ends a system thread, or aborts the process. p[] as in the bug-check reference. `why` is one plain sentence for the stop report. */
_Noreturn void ke_bugcheck(const char *routine, const char *why, ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4);
/* The same, with what a verifier wants to tell besides: the routine's operands. */
_Noreturn void ke_bugcheck_about(const char *routine, const char *why, const ntmm_bugcheck *check, ULONG_PTR operand1, ULONG_PTR operand2);

/* One stop, before anybody knows whether it is the first. */
typedef struct ke_stop {
    const char   *routine, *why;
    ntmm_bugcheck check;
    uintptr_t     pc;     /* the instruction that faulted; 0: the stop came from a call */
    uintptr_t     sp;     /* stack pointer where it happened: catch frames below are stale; 0: the caller's own */
    uintptr_t     from;   /* the backtrace is shown from this return address outwards; 0: all of it */
    void *const  *frames; /* a backtrace taken where it happened; NULL: taken when the report is written */
    size_t        frame_count;
    uintptr_t     stack_low, stack_high; /* the kernel stack where it happened; 0: on none. Filled in */
    ULONG_PTR     operand[2];            /* of the routine that was called wrongly: for a verifier (probe.h) */
    size_t        calls;                 /* it overflowed, so many calls deep; 0: it did not, or nobody counted */
} ke_stop_t;
_Noreturn void ke_bugcheck_stop(const ke_stop_t *stop); /* the general form of ke_bugcheck; check.irql is filled in, and the stack */

/* false: the machine has halted, and the report of that is still being written. */
bool ke_stop_is_told(void);
/* Called where a thread is surely outside of the library's own code: if it was writing a report deeper down its stack, that is over. */
void ke_stop_look_for_longjmp(uintptr_t sp);

/* Whoever starts a thread of the machine's own (is_system) runs its body through this: a halted machine brings the thread back here. */
void           ke_system_thread_guard(void (*entry)(void *), void *argument);
_Noreturn void ke_system_thread_leave(void); /* from inside of it: the thread is brought back there now */

/* The IRQL rule of a routine outside the pools: `max` is the highest level it may be called at. Broken, it is what a call into pageable kernel
 * code gives: 0xA with the routine's address, the IRQL, 8 (execute) and the caller's address. */
_Noreturn NTMM_COLD void ke_irql_too_high(const char *routine, ULONG_PTR routine_address, ULONG_PTR caller);
_Noreturn NTMM_COLD void ke_irql_too_high_for(const char *routine, ULONG_PTR caller, ULONG_PTR operand1, ULONG_PTR operand2);
#define KE_REQUIRE_IRQL(max) \
    do { \
        if (NTMM_UNLIKELY(ke_self()->irql > (max))) \
            ke_irql_too_high(__func__, (ULONG_PTR)0, (ULONG_PTR)__builtin_return_address(0)); \
    } while (0)
/* The same for a routine whose operands Driver Verifier's stop shows. */
#define KE_REQUIRE_IRQL_FOR(max, operand1, operand2) \
    do { \
        if (NTMM_UNLIKELY(ke_self()->irql > (max))) \
            ke_irql_too_high_for(__func__, (ULONG_PTR)__builtin_return_address(0), (ULONG_PTR)(operand1), (ULONG_PTR)(operand2)); \
    } while (0)

/* ExRaiseStatus and friends: to the nearest __try that takes it, else 0x1E (0x7E in a system thread). */
_Noreturn void ke_raise_status(const char *routine, NTSTATUS status, ULONG_PTR address);

/* 0x139 with that FAST_FAIL_* code, found wrong on behalf of `routine`; `caller`: the driver's return address. */
_Noreturn void ke_fast_fail(const char *routine, const char *why, ULONG code, ULONG_PTR caller);

/* Every layer may explain addresses in stop reports: writes one line without newline and returns true when it knows the address. */
typedef bool (*ke_describe_t)(uintptr_t address, char *line, size_t bytes);
void ke_describe_register(ke_describe_t describe); /* idempotent; kept for the life of the process */
bool ke_describe(uintptr_t address, char *line, size_t bytes);

/* ntmm_error(): set by whoever refuses, thread-local text. Returns `result` so that a refusal is one line. */
int ke_error(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Waits of any kind call this while they spin or sleep: it unwinds when the machine has halted. */
void ke_wait_poll(void);
/* The same for a routine that a driver may call in a loop until it says TRUE, which a halted machine never does: unwinds a thread that has
 * not left that machine yet. Whoever has, or runs a bug-check callback, goes on to be refused. */
void ke_loop_poll(void);

/* The machine's page-fault handler begins here (fault.c); mm registers what it can resolve. */
typedef enum ke_fault_answer {
    KE_FAULT_UNKNOWN,
    KE_FAULT_RESOLVED,
    KE_FAULT_BUGCHECK,
    KE_FAULT_EXCEPTION,
    KE_FAULT_PASSED_ON
} ke_fault_answer_t;
/* Runs in the signal handler: async-signal-safe. KE_FAULT_BUGCHECK: thread->fault_code and fault_parameter[] say which. KE_FAULT_EXCEPTION:
 * fault_code is the status, fault_parameter[] the first two words of ExceptionInformation, with
 * STATUS_IN_PAGE_ERROR three. KE_FAULT_PASSED_ON: no rule of the machine was
 * broken, and whoever had the signal before gets it, catch or not. */
typedef ke_fault_answer_t (*ke_fault_resolver_t)(ke_thread_t *thread, const host_fault_t *fault);
extern ke_fault_resolver_t ke_fault_resolver; /* may wait for locks: ke_wait_poll leaves it when the machine has halted */
uintptr_t                  ke_fault_kind(const host_fault_t *fault); /* the second parameter of 0x50 */
int                        ke_faults_boot(void);
void                       ke_faults_shutdown(void);

#endif
