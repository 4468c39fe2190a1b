/*
 * test_ke_exception_machine.c - exceptions and the machine around them: faults that no __try may take, catches of bug checks, IRQL, DPCs,
 * interrupts, threads, routines that raise.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "../support/exceptions.h"

/* ---- faults that are no exceptions, and exceptions that nobody takes ---- */

#define WILD 0x00006123456789a0u /* an address that no host hands out */

static void guarded_wild_read(void)
{
    __try {
        read_at((void *)WILD);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}
static void guarded_read_at_dispatch(void)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    __try {
        read_at((void *)0x10);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}
static void nobody_takes_it(void)
{
    __try {
        __try {
            raise_now(STATUS_A);
        } __finally {
            note('x'); /* nothing is unwound: the machine stops where the exception happened */
        }
    } __except (says('n', EXCEPTION_CONTINUE_SEARCH)) {
        note('x');
    }
}
static void nobody_takes_the_fault(void)
{
    __try {
        write_at((void *)0x30);
    } __except (says('n', EXCEPTION_CONTINUE_SEARCH)) {
        note('x');
    }
}
static void continued_for_nothing(void)
{
    __try {
        raise_now(STATUS_A);
    } __except (EXCEPTION_CONTINUE_EXECUTION) {
        note('x');
    }
}

static void bug_checks_are_not_caught(void **state)
{
    (void)state;
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, WILD, guarded_wild_read());
    ntmm_cmocka_reboot();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, 0x10, guarded_read_at_dispatch());
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_A, nobody_takes_it());
    assert_int_equal(ntmm_cmocka_caught.parameter[2] | ntmm_cmocka_caught.parameter[3], 0);
    happened("n");
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_ACCESS_VIOLATION, nobody_takes_the_fault());
    assert_in_range(ntmm_cmocka_caught.parameter[1], (uintptr_t)write_at, (uintptr_t)write_at + 128);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0x30);
    assert_non_null(strstr(ntmm_stop_report(), "#1"));
    happened("n");
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_NONCONTINUABLE_EXCEPTION, continued_for_nothing());
    ntmm_cmocka_reboot();
}

#if defined(__x86_64__) /* elsewhere a division never traps */
UNCHECKED static int divide(int by)
{
    volatile int zero = by;
    return 100 / zero;
}
static void divide_and_look(EXCEPTION_RECORD *record)
{
    CONTEXT context;
    KIRQL   old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    __try {
        divide(0);
        note('x');
    } __except (look(GetExceptionInformation(), record, &context)) {
        note('H');
    }
    KeLowerIrql(old);
}

static void divide_errors(void **state)
{
    EXCEPTION_RECORD record = { 0 };
    (void)state;
    assert_int_equal(divide(5), 20);
    divide_and_look(&record);
    assert_int_equal(record.ExceptionCode, STATUS_INTEGER_DIVIDE_BY_ZERO);
    assert_int_equal(record.ExceptionFlags, 0);
    assert_int_equal(record.NumberParameters, 0);
    assert_in_range(record.ExceptionAddress, (uintptr_t)divide, (uintptr_t)divide + 128);
    happened("H");
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_INTEGER_DIVIDE_BY_ZERO, divide(0));
    assert_in_range(ntmm_cmocka_caught.parameter[1], (uintptr_t)divide, (uintptr_t)divide + 128);
    assert_int_equal(ntmm_cmocka_caught.parameter[2] | ntmm_cmocka_caught.parameter[3], 0);
    ntmm_cmocka_reboot();
}
#endif

/* ---- catches of bug checks, and what a test does ---- */

static void stop_inside(void *context)
{
    (void)context;
    __try {
        __try {
            ExFreePool((PVOID)(uintptr_t)16);
        } __finally {
            note('x');
        }
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}
static void raise_inside(void *context)
{
    (void)context;
    raise_now(STATUS_A);
}

static void stop_leaves_the_statements_inside_its_catch(void **state)
{
    (void)state;
    __try {
        assert_true(ntmm_catch_bugcheck(stop_inside, NULL, NULL));
        note('1');
        raise_now(STATUS_B); /* the machine has halted; the statements of this thread still stand */
    } __except (GetExceptionCode() == STATUS_B) {
        note('H');
    }
    happened("1H");
}

static void exception_goes_through_a_catch(void **state)
{
    (void)state;
    __try {
        ntmm_catch_bugcheck(raise_inside, NULL, NULL);
        note('x');
    } __except (GetExceptionCode() == STATUS_A) {
        note('H');
    }
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_A, raise_now(STATUS_A)); /* the catch is not in the way of this one */
    happened("H");
}

static __attribute__((noinline)) void stop_from_far_below(void)
{
    volatile char gap[8192]; /* what lies there stays as it is */
    gap[0] = 1;
    KeBugCheckEx(0xDEAD, (ULONG_PTR)gap[0], 2, 3, 4);
}
static void raise_through_a_catch_and_stop(void *context)
{
    (void)context;
    __try {
        ntmm_catch_bugcheck(raise_inside, NULL, NULL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        stop_from_far_below(); /* belongs to the catch outside: the other one is over, although its bytes still say otherwise */
    }
    note('x');
}

static void exception_ends_the_catches_it_passes(void **state)
{
    ntmm_bugcheck stop = { 0 };
    (void)state;
    assert_true(ntmm_catch_bugcheck(raise_through_a_catch_and_stop, NULL, &stop));
    assert_int_equal(stop.code, 0xDEAD);
    happened("");
}

static void statement_inside_an_assertion(void **state)
{
    (void)state;
    assert_no_bugcheck({
        __try {
            raise_now(STATUS_A);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            note('H');
        }
    });
    happened("H");
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_B, {
        __try {
            raise_now(STATUS_A);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            note('H');
        }
        raise_now(STATUS_B);
    });
    happened("H");
}

static int filter_that_stops(void)
{
    note('s');
    KeBugCheckEx(0xDEAD, 1, 2, 3, 4);
    return EXCEPTION_EXECUTE_HANDLER;
}
static void stop_between(void *context)
{
    (void)context;
    __try {
        raise_now(STATUS_A);
    } __finally {
        note('x');
    }
}

/* The filter belongs to a function outside of the catch, and yet the stop comes to the innermost catch of the stack: the exception's. */
static void stop_in_a_filter(void **state)
{
    ntmm_bugcheck stop = { 0 };
    (void)state;
    __try {
        assert_true(ntmm_catch_bugcheck(stop_between, NULL, &stop));
        note('1');
    } __except (filter_that_stops()) {
        note('x');
    }
    assert_int_equal(stop.code, 0xDEAD);
    happened("s1");
}

static void set_a_bad_event(void)
{
    __try {
        KeSetEvent((PRKEVENT)(uintptr_t)0x100, 0, FALSE);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

/* On Windows the dispatcher is locked when it touches the object: there is no exception at that IRQL. */
static void library_is_not_unwound(void **state)
{
    (void)state;
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, set_a_bad_event());
    happened("");
}

static void without_a_machine(void **state)
{
    (void)state;
    ntmm_shutdown(NULL);
    __try {
        raise_now(STATUS_A);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    ntmm_rearm_faults();
    happened("H");
}

/* ---- IRQL, DPCs, interrupts ---- */

static void irql_stays(void **state)
{
    KIRQL      old;
    KSPIN_LOCK lock;
    (void)state;
    KeInitializeSpinLock(&lock);
    __try {
        KeAcquireSpinLock(&lock, &old);
        raise_now(STATUS_A);
    } __except (KeGetCurrentIrql() == DISPATCH_LEVEL) {
        assert_irql(DISPATCH_LEVEL);
        KeReleaseSpinLock(&lock, old);
    }
    assert_irql(PASSIVE_LEVEL);
}

static int  dpc_how;
static void dpc_routine(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc, (void)context, (void)argument1, (void)argument2;
    if (dpc_how == 1)
        raise_now(STATUS_A);
    __try {
        note('d');
        raise_now(STATUS_A);
    } __except (KeGetCurrentIrql() == DISPATCH_LEVEL && GetExceptionCode() == STATUS_A) {
        note('D');
    }
}

static void run_a_dpc_inside_a_body(void)
{
    KDPC  dpc;
    KIRQL old;
    KeInitializeDpc(&dpc, dpc_routine, NULL);
    __try {
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        KeInsertQueueDpc(&dpc, NULL, NULL);
        KeLowerIrql(old);
        note('1');
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

/* A DPC has interrupted the thread: its exceptions are none of the thread's. */
static void exceptions_of_a_dpc(void **state)
{
    (void)state;
    dpc_how = 0;
    run_a_dpc_inside_a_body();
    happened("dD1");
    dpc_how = 1;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_A, run_a_dpc_inside_a_body());
    assert_int_equal(ntmm_cmocka_caught.irql, DISPATCH_LEVEL);
    happened("");
}

static BOOLEAN service(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    __try {
        raise_now(STATUS_A);
    } __except (GetExceptionCode() == STATUS_A) {
        note('I');
    }
    if (dpc_how == 1)
        raise_now(STATUS_B);
    return TRUE;
}

static void fire_inside_a_body(PKINTERRUPT interrupt)
{
    __try {
        ntmm_fire_interrupt(interrupt);
        note('1');
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void exceptions_of_an_interrupt(void **state)
{
    PKINTERRUPT interrupt = NULL;
    (void)state;
    assert_int_equal(IoConnectInterrupt(&interrupt, service, NULL, NULL, 0x30, 5, 5, Latched, FALSE, 1, FALSE), STATUS_SUCCESS);
    dpc_how = 0;
    fire_inside_a_body(interrupt);
    happened("I1");
    dpc_how = 1;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_B, fire_inside_a_body(interrupt));
    assert_int_equal(ntmm_cmocka_caught.irql, 5);
    happened("I");
}

static void bugcheck_callback(PVOID buffer, ULONG bytes)
{
    (void)buffer, (void)bytes;
    __try {
        raise_now(STATUS_A);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('C');
    }
    raise_now(STATUS_B); /* nobody takes this one: the callback is abandoned */
    note('x');
}
static void stop_with_a_callback(void *record)
{
    static UCHAR name[] = "exceptions", buffer[16];
    KeInitializeCallbackRecord((PKBUGCHECK_CALLBACK_RECORD)record);
    assert_true(KeRegisterBugCheckCallback(record, bugcheck_callback, buffer, sizeof buffer, name));
    __try {
        KeBugCheckEx(0xDEAD, 1, 2, 3, 4);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void exceptions_of_a_bugcheck_callback(void **state)
{
    static KBUGCHECK_CALLBACK_RECORD record;
    ntmm_bugcheck                    stop = { 0 };
    (void)state;
    __try {
        assert_true(ntmm_catch_bugcheck(stop_with_a_callback, &record, &stop));
        note('1');
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
    assert_int_equal(stop.code, 0xDEAD);
    happened("C1");
}

/* ---- routines that raise ---- */

static void allocations(void *context)
{
    int *count = context;
    for (volatile int i = 0; i < 3; i++) {
        PVOID p = NULL;
        __try {
            p = ExAllocatePoolWithTag(NonPagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE, 100, NTMM_TAG("Tst1"));
            ++*count;
        } __except (GetExceptionCode() == STATUS_INSUFFICIENT_RESOURCES) {
            assert_null(p);
            ++*count;
        }
        if (p != NULL)
            ExFreePoolWithTag(p, NTMM_TAG("Tst1"));
    }
}

static void injected_failures(void **state)
{
    int count = 0;
    (void)state;
    assert_int_equal(ntmm_for_each_failure(allocations, &count), 4);
    assert_int_equal(count, 12);
    assert_true(ntmm_check());
}

static void raising_routines(void **state)
{
    NTSTATUS code[3] = { 0 };
    (void)state;
    __try {
        ExRaiseAccessViolation();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code[0] = GetExceptionCode();
    }
    __try {
        ExRaiseDatatypeMisalignment();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code[1] = GetExceptionCode();
    }
    __try {
        ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 0, NTMM_TAG("Tst1"));
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code[2] = GetExceptionCode();
    }
    assert_int_equal(code[0], STATUS_ACCESS_VIOLATION);
    assert_int_equal(code[1], STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(code[2], STATUS_INVALID_PARAMETER);
}

/* ---- threads, signals, many ---- */

static void *thread_body(void *argument)
{
    intptr_t good = 0;
    for (int i = 0; i < 200; i++) {
        __try {
            __try {
                if (i % 2 == 0)
                    raise_now(STATUS_A + i);
                else
                    read_at((void *)(uintptr_t)i);
            } __finally {
                good += AbnormalTermination();
            }
        } __except (GetExceptionCode() == (i % 2 == 0 ? STATUS_A + i : STATUS_ACCESS_VIOLATION)) {
            good++;
        }
    }
    (void)argument;
    return (void *)good;
}

static void several_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_body, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_int_equal((intptr_t)good, 400);
    }
}

static void signal_mask_and_stack_are_as_before(void **state)
{
    sigset_t before, after;
    stack_t  stack;
    (void)state;
    sigprocmask(SIG_BLOCK, NULL, &before);
    for (int i = 0; i < 10; i++) {
        __try {
            read_at((void *)8);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            note('H');
        }
    }
    sigprocmask(SIG_BLOCK, NULL, &after);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
    assert_int_equal(sigaltstack(NULL, &stack), 0);
    assert_int_equal(stack.ss_flags & SS_ONSTACK, 0);
    happened("HHHHHHHHHH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        exception_test(bug_checks_are_not_caught),
#if defined(__x86_64__)
        exception_test(divide_errors),
#endif
        exception_test(stop_leaves_the_statements_inside_its_catch),
        exception_test(exception_goes_through_a_catch),
        exception_test(exception_ends_the_catches_it_passes),
        exception_test(statement_inside_an_assertion),
        exception_test(stop_in_a_filter),
        exception_test(library_is_not_unwound),
        exception_test(without_a_machine),
        exception_test(irql_stays),
        exception_test(exceptions_of_a_dpc),
        exception_test(exceptions_of_an_interrupt),
        exception_test(exceptions_of_a_bugcheck_callback),
        exception_test(injected_failures),
        exception_test(raising_routines),
        exception_test(several_threads),
        exception_test(signal_mask_and_stack_are_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
