/*
 * fault.c - whose fault is it? Every SIGSEGV, SIGBUS and SIGFPE of the process comes here first.
 *
 *     on_fault                     in the signal handler
 *      |- no machine, forked       not ours
 *      |- a divide error           an exception, at any IRQL, inside a catch or a __try
 *      |- below the kernel stack   a double fault, 0x7F
 *      |- ke_fault_resolver        mm looks at the address: resolved, the machine's rule is broken, or not one of its regions
 *      |- host_peek_resume         code of our own that was prepared for it: the peek says that there is nothing
 *      |- not its region, but inside a catch or a __try, or in a system thread: a driver touched what is not there
 *      |      first 64 KiB         a user address: an exception; without a handler 0x1E (0x7E in a system thread); 0xD1 at DISPATCH_LEVEL
 *      |      anything else        a wild system address, 0x50; at DISPATCH_LEVEL 0xD1, or 0xA when our own code did it
 *      |      can be read          it was written to: a constant, or code; 0xBE, at any IRQL
 *      |      next to the stack    the host's stack overflowed: a double fault, 0x7F
 *      `- otherwise                not ours: whoever had the signal before gets it, and a test framework reports a failed test
 *
 * The handler only decides. The stop or the exception is raised by ordinary code (raise_stop, raise_exception): the handler sends the
 * interrupted thread there, so that reports, callbacks, filters and longjmp run outside of a signal. Thread-local words carry it across.
 *
 * Locks   none here; the resolver takes Mm's. A wait for one of those on a halted machine is left through ke_escape_set.
 * Source  WDK reference: Bug Checks 0xA, 0x1E, 0x50, 0x7F, 0xBE, 0xD1; MM_BAD_POINTER (address zero raises, it does not bug check).
 */
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/exception.h"
#include "ke/stack.h"
#include "ke/try.h"
#include "ke/version.h"

#define USER_BYTES 0x10000u  /* the lowest 64 KiB belong to no system region */
#define READ_ONLY_PTE 0x21u  /* valid, accessed, not writable: made up, since memory of the process has no PTE here */
#define STACK_REACH 0x10000u /* one frame rarely jumps farther below the stack pointer */
#define EMERGENCY_BYTES (64u * 1024)
#define TRAP_DOUBLE_FAULT 8u
#define TRACE_MAX 48u

ke_fault_resolver_t ke_fault_resolver;
_Atomic uint64_t    ke_access_violations;

/* A thread that never called in has no record. Its fault borrows this one while the resolver looks at it. */
static ke_thread_t      guest = { .irql = PASSIVE_LEVEL, .processor = &ke_no_processor };
static _Atomic uint32_t guest_taken;

static HOST_THREAD_LOCAL ke_stop_t        pending;           /* from the handler to raise_stop */
static HOST_THREAD_LOCAL EXCEPTION_RECORD pending_exception; /* and to raise_exception */

static void            *trace[TRACE_MAX]; /* taken inside the handler, where the interrupted calls can still be seen */
static _Atomic uint32_t trace_generation; /* of the machine whose first stop it shows */

/* For one overflown stack: the machine halts, a second one is not ours. */
static _Alignas(64) unsigned char emergency_stack[EMERGENCY_BYTES];
static _Atomic uint32_t emergency_generation; /* of the machine that used it up */

/* ---- ordinary code, after the handler ---- */

static void raise_stop(void *argument)
{
    (void)argument;
    ke_bugcheck_stop(&pending);
}

static void raise_exception(void *interrupted)
{
    EXCEPTION_RECORD   record = pending_exception; /* a filter may fault, too */
    CONTEXT            context;
    EXCEPTION_POINTERS exception = { &record, &context };
    host_registers_t   registers;
    ke_stop_t          stop = { .routine = "the page-fault handler", .why = "The processor raised an exception, and no __try took it." };

    host_interrupted_registers(interrupted, &registers);
    ke_context_from(&context, &registers);
    stop.pc = stop.from = registers.pc;
    stop.sp = registers.sp;
    if (ke_exception_dispatch(&exception, registers.sp)) {
        ke_context_to(&registers, &context);
        host_interrupted_go_on(interrupted, &registers);
    }
    ke_exception_unhandled(&stop, ke_self(), &exception);
    ke_bugcheck_stop(&stop);
}

/* The machine halted while the resolver waited for a lock. A thread without a catch waits on; ke_wait_poll knows when to give up. */
static void leave_halted(void *argument)
{
    (void)argument;
    for (;;) {
        ke_wait_poll();
        host_sleep_ns(1000000);
    }
}

/* ---- in the handler ---- */

static ke_thread_t *thread_borrow(void)
{
    ke_thread_t *self = ke_self();
    if (self != &ke_empty_thread)
        return self;
    while (atomic_exchange(&guest_taken, 1) != 0)
        host_pause();
    return &guest;
}

static void thread_give_back(const ke_thread_t *thread)
{
    if (thread == &guest)
        atomic_store(&guest_taken, 0);
}

static void stop_fill(ULONG code, uintptr_t p1, uintptr_t p2, uintptr_t p3, uintptr_t p4)
{
    pending.calls = 0;
    pending.check.code = code;
    memcpy(pending.check.parameter, (uintptr_t[4]){ p1, p2, p3, p4 }, sizeof pending.check.parameter);
}

/* A jump to nowhere: no unwinder gets past it (it would read the code there), but on x86-64 the call has left its return address. */
static size_t trace_of_a_wild_call(const host_fault_t *fault)
{
#if defined(__x86_64__)
    return host_copy_safely(trace, (const void *)fault->sp, sizeof trace[0]) == sizeof trace[0] ? 1 : 0;
#else
    (void)fault;
    return 0;
#endif
}

/* The unwinder allocates nothing once it has been asked before (ke_faults_boot). */
static void trace_take(const host_fault_t *fault)
{
    unsigned char code[16];
    bool          walkable = host_copy_safely(code, (const void *)fault->pc, sizeof code) == sizeof code ||
                    pending.check.code == DRIVER_PORTION_MUST_BE_NONPAGED; /* code that is out is known to the unwind tables */

    pending.frames = NULL;
    pending.frame_count = 0;
    pending.from = walkable ? fault->pc : 0;
    if (atomic_exchange(&trace_generation, ke_machine_generation) == ke_machine_generation)
        return;
    pending.frame_count = walkable ? host_backtrace(trace, TRACE_MAX) : trace_of_a_wild_call(fault);
    pending.frames = trace;
}

static host_fault_verdict_t stop_send(host_fault_t *fault, const char *why, void *stack_top)
{
    pending.routine = "the page-fault handler";
    pending.why = why;
    pending.pc = fault->pc;
    pending.sp = fault->sp;
    trace_take(fault);
    host_fault_redirect(fault, raise_stop, NULL, stack_top);
    return HOST_FAULT_REDIRECT;
}

static bool is_next_to_stack(const host_fault_t *fault)
{
    return !fault->non_canonical && fault->address - (fault->sp - STACK_REACH) < STACK_REACH + PAGE_SIZE;
}

bool ke_fault_on_emergency_stack(uintptr_t address) { return address - (uintptr_t)emergency_stack < sizeof emergency_stack; }

static host_fault_verdict_t stack_overflowed(host_fault_t *fault)
{
    if (atomic_exchange(&emergency_generation, ke_machine_generation) == ke_machine_generation)
        return HOST_FAULT_NOT_OURS;
    return stop_send(fault, "The stack overflowed.", emergency_stack + sizeof emergency_stack);
}

static bool count_call(uintptr_t pc, uintptr_t sp, void *context)
{
    const ke_stack_t *stack = context;
    (void)pc;
    pending.calls += sp - stack->guard < stack->high - stack->guard;
    return true;
}

/* How deep the calls are can be seen from here and no more later. The stop is raised on the rest of the host's stack. */
static host_fault_verdict_t kernel_stack_overflowed(host_fault_t *fault)
{
    ke_stack_t stack = { 0 };
    stop_fill(UNEXPECTED_KERNEL_MODE_TRAP, TRAP_DOUBLE_FAULT, fault->address, fault->sp, fault->pc);
    if (ke_stack_of(fault->address, &stack))
        host_walk_calls(count_call, &stack);
    host_fault_verdict_t verdict = stop_send(fault, "The kernel stack overflowed: the page below it was touched.", ke_stack_emergency());
    if (pending.sp < stack.low)
        pending.sp = stack.low; /* a large frame may have moved it off the stack */
    return verdict;
}

static uintptr_t access_bits(const host_fault_t *fault) /* as 0xA and 0xD1 count: 0 read, 1 write, 8 execute */
{
    return fault->execute ? 8 : fault->write ? 1 : 0;
}

/* As 0x50 counts on x64: the bits of a page fault's error code. Before Windows 10 it told reads from writes alone. */
uintptr_t ke_fault_kind(const host_fault_t *fault)
{
    if (ke_windows_version < NTDDI_WIN10)
        return fault->write;
    return fault->execute ? 0x10 : fault->write ? 2 : 0;
}

/* A routine of the library that the body has called, and that may hold locks of the simulator, is not unwound. */
static bool may_be_handled(ke_thread_t *thread, const host_fault_t *fault)
{
    const ke_try_record_t *record = ke_try_around(fault->sp);
    return record != NULL && record->in_library >= atomic_load(&thread->in_library);
}

/* Without a __try there is no need to leave the handler first. */
static host_fault_verdict_t exception_send(ke_thread_t *thread, host_fault_t *fault, const EXCEPTION_RECORD *record, const char *why)
{
    CONTEXT            context;
    EXCEPTION_POINTERS exception = { (PEXCEPTION_RECORD)record, &context };
    host_registers_t   registers;

    if (may_be_handled(thread, fault)) {
        pending_exception = *record;
        host_fault_redirect_resumable(fault, raise_exception);
        return HOST_FAULT_REDIRECT;
    }
    host_fault_registers(fault, &registers);
    ke_context_from(&context, &registers);
    ke_exception_unhandled(&pending, thread, &exception);
    return stop_send(fault, why, NULL);
}

static host_fault_verdict_t access_violation(ke_thread_t *thread, host_fault_t *fault, NTSTATUS status, uintptr_t kind, uintptr_t address)
{
    EXCEPTION_RECORD record = { .ExceptionCode = status, .ExceptionAddress = (PVOID)fault->pc, .NumberParameters = 2 };

    record.ExceptionInformation[0] = kind;
    record.ExceptionInformation[1] = address;
    if (status == STATUS_IN_PAGE_ERROR) { /* it says why, too */
        record.ExceptionInformation[2] = thread->fault_parameter[2];
        record.NumberParameters = 3;
    }
    return exception_send(thread, fault, &record, "A user address, perhaps a NULL pointer, was touched outside of any __try.");
}

/* In a thread that a driver made nobody else runs. */
static bool is_drivers(const ke_thread_t *thread, const host_fault_t *fault)
{
    return ke_catch_is_live(fault->sp) || ke_try_around(fault->sp) != NULL || thread->made_by_machine;
}

static host_fault_verdict_t divide_error(ke_thread_t *thread, host_fault_t *fault)
{
    EXCEPTION_RECORD record = { .ExceptionCode = STATUS_INTEGER_DIVIDE_BY_ZERO, .ExceptionAddress = (PVOID)fault->pc };

    if (!is_drivers(thread, fault))
        return HOST_FAULT_NOT_OURS;
    return exception_send(thread, fault, &record, "An integer was divided by zero, or the quotient was too large, outside of any __try.");
}

/* Memory of the process that can be read, a constant or code: the write is what it does not allow. */
static bool is_read_only(const host_fault_t *fault)
{
    char byte;
    return fault->write && !fault->non_canonical && fault->address >= USER_BYTES &&
           host_copy_safely(&byte, (const void *)fault->address, 1) == 1;
}

/* No region of the machine holds the address. */
static host_fault_verdict_t wild_address(ke_thread_t *thread, host_fault_t *fault)
{
    bool user = fault->address < USER_BYTES && !fault->non_canonical;

    if (is_next_to_stack(fault)) {
        stop_fill(UNEXPECTED_KERNEL_MODE_TRAP, TRAP_DOUBLE_FAULT, fault->address, fault->sp, fault->pc);
        return stack_overflowed(fault);
    }
    if (is_read_only(fault)) {
        stop_fill(ATTEMPTED_WRITE_TO_READONLY_MEMORY, fault->address, READ_ONLY_PTE, 0, 0);
        return stop_send(fault, "Memory that can only be read was written to.", NULL);
    }
    if (thread->irql >= DISPATCH_LEVEL) {
        ULONG code = host_is_library_code(fault->pc) ? IRQL_NOT_LESS_OR_EQUAL : DRIVER_IRQL_NOT_LESS_OR_EQUAL;
        stop_fill(code, fault->address, thread->irql, access_bits(fault), fault->pc);
        return stop_send(fault, "An address with nothing behind it was touched at DISPATCH_LEVEL or above.", NULL);
    }
    if (user) {
        atomic_fetch_add_explicit(&ke_access_violations, 1, memory_order_relaxed);
        return access_violation(thread, fault, STATUS_ACCESS_VIOLATION, access_bits(fault), fault->address);
    }
    stop_fill(PAGE_FAULT_IN_NONPAGED_AREA, fault->address, ke_fault_kind(fault), fault->pc, fault->non_canonical ? 4 : 2);
    return stop_send(fault, "A system address with nothing behind it was touched.", NULL);
}

static ke_fault_answer_t resolver_ask(ke_thread_t *thread, const host_fault_t *fault, bool *halted)
{
    ke_escape_t                escape;
    volatile ke_fault_answer_t answer = KE_FAULT_UNKNOWN;
    ke_escape_t *volatile before = ke_escape_set(&escape);

    if (ke_escape_here(&escape) == 0)
        answer = ke_fault_resolver(thread, fault);
    else
        *halted = true;
    ke_escape_set(before);
    return answer;
}

static host_fault_verdict_t fault_decide(ke_thread_t *thread, host_fault_t *fault, uint32_t state)
{
    bool halted = false, caught;
    if (ke_stack_overflowed(fault->address, fault->sp))
        return kernel_stack_overflowed(fault);
    ke_fault_answer_t answer = ke_fault_resolver != NULL ? resolver_ask(thread, fault, &halted) : KE_FAULT_UNKNOWN;

    if (halted) {
        host_fault_redirect(fault, leave_halted, NULL, NULL);
        return HOST_FAULT_REDIRECT;
    }
    if (answer == KE_FAULT_RESOLVED || host_peek_resume(fault)) /* whoever peeks does not mind */
        return HOST_FAULT_RESOLVED;
    if (answer == KE_FAULT_PASSED_ON)
        return HOST_FAULT_NOT_OURS;
    if (answer == KE_FAULT_EXCEPTION)
        return access_violation(thread, fault, (NTSTATUS)thread->fault_code, thread->fault_parameter[0], thread->fault_parameter[1]);
    caught = is_drivers(thread, fault);
    if (!caught && (answer == KE_FAULT_UNKNOWN || state == KE_MACHINE_HALTED)) /* a halted machine has been stopped once already */
        return HOST_FAULT_NOT_OURS;
    if (answer == KE_FAULT_UNKNOWN)
        return wild_address(thread, fault);
    stop_fill((ULONG)thread->fault_code, thread->fault_parameter[0], thread->fault_parameter[1], thread->fault_parameter[2],
              thread->fault_parameter[3]);
    return stop_send(fault, "Memory of the machine was touched in a way that its state does not allow.", NULL);
}

static host_fault_verdict_t on_fault(host_fault_t *fault)
{
    uint32_t             state = atomic_load(&ke_machine_state);
    ke_thread_t         *thread;
    host_fault_verdict_t verdict;

    if (state != KE_MACHINE_UP && state != KE_MACHINE_HALTED)
        return HOST_FAULT_NOT_OURS;
    thread = thread_borrow();
    verdict = fault->division ? divide_error(thread, fault) : fault_decide(thread, fault, state);
    thread_give_back(thread);
    return verdict;
}

int ke_faults_boot(void)
{
    void *first_call[1];
    int   result = host_faults_start(on_fault);

    atomic_store(&ke_access_violations, 0);
    (void)host_backtrace(first_call, 1);
    return result == 0 ? 0 : ke_error(result, "the handlers of SIGSEGV, SIGBUS and SIGFPE could not be installed");
}

void ke_faults_shutdown(void) { host_faults_stop(); }

void ntmm_rearm_faults(void) { host_faults_rearm(); }
