/*
 * test_cmocka_header.c - ntmm/cmocka.h: fixtures that boot and find leaks, assertions that pass and, as important, that fail when they
 * must. What must fail runs in a child: this program again, with the name of a group as its argument.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ntmm/cmocka.h>

#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined", "thread")))

UNCHECKED static void write_at(uintptr_t address)
{
    unsigned char *volatile pointer = (unsigned char *)address;
    *(volatile unsigned char *)pointer = 1;
}
UNCHECKED static void call_at(uintptr_t address)
{
    void (*volatile function)(void) = (void (*)(void))address;
    function();
}

static PVOID allocate(void) { return ExAllocatePool2(POOL_FLAG_NON_PAGED, 24, NTMM_TAG("Tst1")); }

/* ---- what must pass ---- */

static void fixture_boots(void **state)
{
    PVOID p = allocate();
    (void)state;
    assert_non_null(p);
    ExFreePoolWithTag(p, NTMM_TAG("Tst1"));
    assert_irql(PASSIVE_LEVEL);
}

static void bug_check_is_caught_in_place(void **state)
{
    PVOID p = allocate();
    (void)state;
    assert_bugcheck(BAD_POOL_CALLER, 0x0A, ExFreePoolWithTag(p, NTMM_TAG("Oops")));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], NTMM_TAG("Tst1"));
    assert_int_equal(ntmm_cmocka_caught.parameter[3], NTMM_TAG("Oops"));
    assert_int_equal(ntmm_cmocka_caught.irql, PASSIVE_LEVEL);
} /* the block is still held, which is no leak after a stop */

static void fault_is_caught_in_place(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ACCESS_VIOLATION, write_at(8));
    ntmm_cmocka_reboot();
    assert_bugcheck_code(PAGE_FAULT_IN_NONPAGED_AREA, call_at(0x6123456789a0));
    ntmm_cmocka_reboot();
    assert_no_bugcheck(ExFreePool(allocate()));
}

static void all_parameters(void **state)
{
    (void)state;
    assert_bugcheck_all(0xE2, 1, 2, 3, 4, KeBugCheckEx(0xE2, 1, 2, 3, 4));
}

static void expression_may_hold_commas_and_statements(void **state)
{
    KIRQL old;
    (void)state;
    assert_no_bugcheck(KeRaiseIrql(DISPATCH_LEVEL, &old); assert_irql(DISPATCH_LEVEL); KeLowerIrql(old));
    assert_irql(PASSIVE_LEVEL);
}

static void no_leaks_shuts_down_to_look(void **state)
{
    PVOID p = allocate();
    (void)state;
    ExFreePool(p);
    assert_no_leaks();
    assert_non_null(p = allocate()); /* on the new machine */
    ExFreePool(p);
}

static const ntmm_config TWO_PROCESSORS = { .processors = 2, .quiet = true };

static void config_of_the_row(void **state)
{
    assert_ptr_equal(*state, &TWO_PROCESSORS);
    assert_ptr_equal(ntmm_cmocka_config, &TWO_PROCESSORS);
    assert_int_equal(KeQueryActiveProcessorCount(NULL), 2);
    ntmm_cmocka_reboot();
    assert_int_equal(KeQueryActiveProcessorCount(NULL), 2);
}

static void config_does_not_stick(void **state)
{
    (void)state;
    assert_null(ntmm_cmocka_config);
    assert_int_equal(KeQueryActiveProcessorCount(NULL), 4);
}

static void statements_run_at_an_irql(void **state)
{
    (void)state;
    at_irql(DISPATCH_LEVEL, assert_irql(DISPATCH_LEVEL); at_irql(HIGH_LEVEL, assert_irql(HIGH_LEVEL)));
    assert_irql(PASSIVE_LEVEL);
    assert_bugcheck(BAD_POOL_CALLER, 8, at_irql(DISPATCH_LEVEL, ExAllocatePool2(POOL_FLAG_PAGED, 24, NTMM_TAG("Tst1"))));
}

static void statements_run_in_a_process(void **state)
{
    ntmm_process *process = ntmm_process_create();
    PEPROCESS     system = PsGetCurrentProcess();
    (void)state;
    in_process(process, assert_ptr_not_equal(PsGetCurrentProcess(), system));
    assert_ptr_equal(PsGetCurrentProcess(), system);
    ntmm_process_destroy(process);
}

static void look_at_stack(void *remaining) { *(SIZE_T *)remaining = IoGetRemainingStackSize(); }
static void body_runs_on_a_kernel_stack(void **state)
{
    SIZE_T remaining = 0;
    (void)state;
    on_kernel_stack(look_at_stack, &remaining);
    assert_in_range(remaining, 1, 8 * 64 * 1024);
}

static void each_failure_is_survived(void **state)
{
    unsigned runs = 0, refused = 0;
    (void)state;
    for_each_failure(PVOID a = allocate(); PVOID b = allocate(); runs++; refused += a == NULL || b == NULL; if (a != NULL) ExFreePool(a);
                     if (b != NULL) ExFreePool(b));
    assert_int_equal(runs, 3);
    assert_int_equal(refused, 2);
}

/* A driver that keeps one read until somebody cancels it, and completes everything else. */
static PIRP     kept;
static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}
static VOID cancel_read(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    complete(irp, STATUS_CANCELLED, 0);
}
static NTSTATUS dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION at = IoGetCurrentIrpStackLocation(irp);
    (void)device;
    if (at->MajorFunction != IRP_MJ_READ)
        return complete(irp, STATUS_SUCCESS, at->MinorFunction + 40u);
    IoMarkIrpPending(irp);
    (void)IoSetCancelRoutine(irp, cancel_read);
    kept = irp;
    return STATUS_PENDING;
}
static VOID     unload(PDRIVER_OBJECT driver) { IoDeleteDevice(driver->DeviceObject); }
static NTSTATUS entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    (void)path;
    driver->DriverUnload = unload;
    driver->MajorFunction[IRP_MJ_READ] = driver->MajorFunction[IRP_MJ_PNP] = dispatch;
    return IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}

static void requests_of_any_kind(void **state)
{
    PDRIVER_OBJECT          driver = ntmm_driver_load(entry);
    const IO_STACK_LOCATION pnp = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = 2 }, read = { .MajorFunction = IRP_MJ_READ };
    ntmm_irp                irp;
    (void)state;
    assert_non_null(driver);
    assert_int_equal(irp_send(&irp, driver->DeviceObject, &pnp, NULL), STATUS_SUCCESS);
    assert_irp(&irp, STATUS_SUCCESS, 42);
    irp_start(&irp, driver->DeviceObject, &read, NULL);
    assert_ptr_equal(irp.irp, kept);
    assert_int_equal(irp.returned, STATUS_PENDING);
    assert_true(irp_is_pending(&irp));
    assert_true(irp_cancel(&irp));
    assert_false(irp_is_pending(&irp));
    assert_int_equal(irp_end(&irp), STATUS_CANCELLED);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

/* ---- what must fail: each group below has one failing test, and one after it that passes ---- */

static void null_call(void **state)
{
    (void)state;
    call_at(0); /* outside of every catch: an ordinary failure of this test */
}
static void fails_inside_a_catch(void **state)
{
    (void)state;
    assert_no_bugcheck(fail()); /* longjmps over the catch */
}
static void null_call_from_a_large_frame(void **state)
{
    volatile unsigned char bytes[8192]; /* lies over the frames that the test before has left */
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0xA5;
    call_at(0);
    bytes[0] = 0;
}
static void expects_a_stop(void **state)
{
    (void)state;
    assert_bugcheck(BAD_POOL_CALLER, 7, (void)0);
}
static void expects_another_code(void **state)
{
    (void)state;
    assert_bugcheck(BAD_POOL_CALLER, 7, KeBugCheckEx(0xE2, 7, 0, 0, 0));
}
static void expects_another_parameter(void **state)
{
    (void)state;
    assert_bugcheck(0xE2, 7, KeBugCheckEx(0xE2, 8, 0, 0, 0));
}
static void expects_no_stop(void **state)
{
    (void)state;
    assert_no_bugcheck(KeBugCheckEx(0xE2, 8, 0, 0, 0));
}
static volatile unsigned              returned; /* keeps the recursion one */
static __attribute__((noinline)) void stop_deep_down(unsigned depth)
{
    if (depth == 24)
        KeBugCheckEx(0xE2, 1, 2, 3, 4);
    if (depth < 24)
        stop_deep_down(depth + 1);
    returned = depth;
}
static void expects_no_stop_and_shows_all_of_it(void **state)
{
    (void)state;
    assert_no_bugcheck(stop_deep_down(0));
}
static void leaks(void **state)
{
    (void)state;
    (void)allocate();
}
static void holds_something(void **state)
{
    (void)state;
    (void)allocate();
    assert_no_leaks();
}
static void ends_at_dispatch(void **state)
{
    KIRQL old;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
}
static void stops_unexpectedly(void **state)
{
    (void)state;
    ExFreePoolWithTag(allocate(), NTMM_TAG("Oops"));
}
static void stop_on_kernel_stack(void *context)
{
    (void)context;
    KeBugCheckEx(0xE2, 1, 2, 3, 4);
}
static void stops_on_a_kernel_stack(void **state)
{
    (void)state;
    on_kernel_stack(stop_on_kernel_stack, NULL);
}
static void loses_a_block_when_refused(void **state)
{
    (void)state;
    for_each_failure(PVOID a = allocate(); PVOID b = allocate(); if (a != NULL && b != NULL) {
        ExFreePool(a);
        ExFreePool(b);
    });
}
static void stops_when_refused(void **state)
{
    (void)state;
    for_each_failure(PVOID a = allocate(); ExFreePoolWithTag(a, NTMM_TAG("Tst1")));
}
static void expects_another_end_of_irp(void **state)
{
    ntmm_irp irp = { .status = STATUS_SUCCESS, .information = 4 };
    (void)state;
    assert_irp(&irp, STATUS_SUCCESS, 5);
}
static void expects_another_irql(void **state)
{
    (void)state;
    assert_irql(DISPATCH_LEVEL);
}

static const struct failing_group {
    const char        *name;
    CMUnitTestFunction test;
    const char        *says; /* in its output */
} FAILING[] = {
    { "null_call", null_call, "FAILED" },
    { "fails_inside_a_catch", fails_inside_a_catch, "FAILED" },
    { "expects_a_stop", expects_a_stop, "the machine did not stop" },
    { "expects_another_code", expects_another_code, "*** STOP 0x000000E2" },
    { "expects_another_parameter", expects_another_parameter, "expected bug check 0xE2 MANUALLY_INITIATED_CRASH (0x7)" },
    { "expects_no_stop", expects_no_stop, "expected no bug check" },
    { "expects_no_stop_and_shows_all_of_it", expects_no_stop_and_shows_all_of_it, "#20 " },
    { "expects_no_stop_and_shows_the_end_too", expects_no_stop_and_shows_all_of_it,
      "What the driver probably did wrong:\n  Nothing: somebody stopped the machine on purpose.\n\n" },
    { "leaks", leaks, "tag 'Tst1'" },
    { "holds_something", holds_something, "1 allocation(s) leaked" },
    { "stops_unexpectedly", stops_unexpectedly, "no assertion expected it\n\n*** STOP 0x000000C2 BAD_POOL_CALLER" },
    { "stops_on_a_kernel_stack", stops_on_a_kernel_stack, "*** STOP 0x000000E2" },
    { "loses_a_block_when_refused", loses_a_block_when_refused, "with allocation number 1 refused, 1 block(s)" },
    { "stops_when_refused", stops_when_refused, "with allocation number 1 refused\nexpected no bug check" },
    { "expects_another_end_of_irp", expects_another_end_of_irp, "0x4 != 0x5" },
    { "ends_at_dispatch", ends_at_dispatch, "ended at IRQL 2" },
    { "expects_another_irql", expects_another_irql, "FAILED" },
};

static int run_failing_group(const char *name, const char *kind)
{
    for (size_t i = 0; i < sizeof FAILING / sizeof FAILING[0]; i++) {
        const struct CMUnitTest fresh[] = { { name, FAILING[i].test, ntmm_cmocka_setup, ntmm_cmocka_teardown, NULL },
                                            ntmm_cmocka_test(fixture_boots),
                                            ntmm_cmocka_test(fault_is_caught_in_place),
                                            ntmm_cmocka_test(bug_check_is_caught_in_place) };
        const struct CMUnitTest shared[] = { cmocka_unit_test(fixture_boots),
                                             { name, FAILING[i].test, NULL, NULL, NULL },
                                             cmocka_unit_test(fixture_boots),
                                             cmocka_unit_test(bug_check_is_caught_in_place) };
        const struct CMUnitTest left[] = { { name, FAILING[i].test, NULL, NULL, NULL },
                                           cmocka_unit_test(null_call_from_a_large_frame),
                                           cmocka_unit_test(fixture_boots),
                                           cmocka_unit_test(bug_check_is_caught_in_place) };
        if (strcmp(FAILING[i].name, name) != 0)
            continue;
        if (strcmp(kind, "left") == 0)
            return cmocka_run_group_tests(left, ntmm_cmocka_group_setup, ntmm_cmocka_group_teardown);
        if (strcmp(kind, "group") == 0)
            return cmocka_run_group_tests(shared, ntmm_cmocka_group_setup, ntmm_cmocka_group_teardown);
        return cmocka_run_group_tests(fresh, NULL, NULL);
    }
    return 99;
}

static const char *program;
static char        output[65536];

static int run_child(const char *name, const char *kind)
{
    int    pipes[2], status = 0;
    size_t used = 0;
    pid_t  child;
    if (getenv("NTMM_EMULATED") != NULL) /* a program that executes itself leaves the emulator */
        skip();

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        setenv("ASAN_OPTIONS", "handle_segv=0:handle_sigbus=0:detect_leaks=0", 1);
        setenv("TSAN_OPTIONS", "report_signal_unsafe=0", 1); /* CMocka's own handler allocates */
        execl(program, program, kind, name, (char *)NULL);
        _exit(98);
    }
    close(pipes[1]);
    for (ssize_t got; used < sizeof output - 1 && (got = read(pipes[0], output + used, sizeof output - 1 - used)) > 0;)
        used += (size_t)got;
    output[used] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static unsigned count_of(const char *text)
{
    unsigned count = 0;
    for (const char *at = output; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void failing_test_fails(void **state)
{
    const struct failing_group *group = *state;
    int                         code = run_child(group->name, "fresh");

    if (code != 1 || strstr(output, group->says) == NULL)
        print_error("%s", output);
    assert_int_equal(code, 1);
    assert_non_null(strstr(output, group->says));
    assert_int_equal(count_of("[       OK ] fixture_boots"), 1);            /* the tests behind it still run */
    assert_int_equal(count_of("[       OK ] fault_is_caught_in_place"), 1); /* and the signal is not blocked */
    assert_int_equal(count_of("[       OK ] bug_check_is_caught_in_place"), 1);
}

static void null_call_on_a_group_machine(void **state)
{
    (void)state;
    assert_int_equal(run_child("null_call", "group"), 1);
    assert_int_equal(count_of("[       OK ] fixture_boots"), 2);
    assert_int_equal(count_of("[       OK ] bug_check_is_caught_in_place"), 1);
}

/* An assertion that fails inside a catch leaves it by longjmp, and no fixture forgets it: it does not catch what the next test does. */
static void null_call_after_a_catch_was_left(void **state)
{
    (void)state;
    assert_int_equal(run_child("fails_inside_a_catch", "left"), 2);
    assert_int_equal(count_of("[  FAILED  ] null_call_from_a_large_frame"), 2);
    assert_int_equal(count_of("[       OK ] fixture_boots"), 1);
    assert_int_equal(count_of("[       OK ] bug_check_is_caught_in_place"), 1);
}

/* Tests that share the machine of their group. */
static PVOID shared_block;
static void  group_member_allocates(void **state)
{
    (void)state;
    shared_block = allocate();
    assert_non_null(shared_block);
}
static void group_member_frees(void **state)
{
    (void)state;
    assert_no_bugcheck(ExFreePool(shared_block));
}
static void group_member_faults(void **state)
{
    (void)state;
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, write_at(8));
}

int main(int argc, char **argv)
{
    static struct CMUnitTest failing[sizeof FAILING / sizeof FAILING[0] + 2];
    const struct CMUnitTest  passing[] = {
         ntmm_cmocka_test(fixture_boots),
         ntmm_cmocka_test(bug_check_is_caught_in_place),
         ntmm_cmocka_test(fault_is_caught_in_place),
         ntmm_cmocka_test(all_parameters),
         ntmm_cmocka_test(expression_may_hold_commas_and_statements),
         ntmm_cmocka_test(no_leaks_shuts_down_to_look),
         ntmm_cmocka_test_config(config_of_the_row, &TWO_PROCESSORS),
         ntmm_cmocka_test(config_does_not_stick),
         ntmm_cmocka_test(statements_run_at_an_irql),
         ntmm_cmocka_test(statements_run_in_a_process),
         ntmm_cmocka_test(body_runs_on_a_kernel_stack),
         ntmm_cmocka_test(each_failure_is_survived),
         ntmm_cmocka_test(requests_of_any_kind),
    };
    const struct CMUnitTest sharing[] = {
        cmocka_unit_test(group_member_allocates),
        cmocka_unit_test(group_member_frees),
        cmocka_unit_test(group_member_faults),
    };
    size_t count = 0;

    if (argc == 3)
        return run_failing_group(argv[2], argv[1]);
    program = argv[0];
    for (; count < sizeof FAILING / sizeof FAILING[0]; count++)
        failing[count] = (struct CMUnitTest){ FAILING[count].name, failing_test_fails, NULL, NULL, (void *)(uintptr_t)&FAILING[count] };
    failing[count++] = (struct CMUnitTest)cmocka_unit_test(null_call_on_a_group_machine);
    failing[count++] = (struct CMUnitTest)cmocka_unit_test(null_call_after_a_catch_was_left);
    return cmocka_run_group_tests(passing, NULL, NULL) +
           cmocka_run_group_tests(sharing, ntmm_cmocka_group_setup, ntmm_cmocka_group_teardown) +
           _cmocka_run_group_tests("failing", failing, count, NULL, NULL);
}
