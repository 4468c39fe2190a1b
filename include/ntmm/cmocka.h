/*
 * cmocka.h - testing a driver with CMocka: a fresh machine for each test, leaks that fail the test, assertions about bug checks.
 *
 *     #include <ntmm/cmocka.h>
 *
 *     static void frees_twice(void **state)
 *     {
 *         (void)state;
 *         PVOID p = ExAllocatePool2(POOL_FLAG_NON_PAGED, 24, NTMM_TAG("Tst1"));
 *         ExFreePool(p);
 *         assert_bugcheck(BAD_POOL_CALLER, 0x07, ExFreePool(p));
 *     }
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = { ntmm_cmocka_test(frees_twice) };
 *         return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 *
 *     assert_bugcheck, assert_no_bugcheck      a stop that is expected, with its parameters; or none
 *     assert_irql, assert_no_leaks             what holds now
 *     for_each_failure(statements)             they survive the refusal of each of their allocations, and leave nothing behind
 *     at_irql(level, statements)               they run there; in_process(process, statements), on_kernel_stack(body, context) likewise
 *     irp_start, irp_end, assert_irp           a request of any kind: is it pending, how did it end, can it be cancelled
 *
 * A test that leaks fails with tag, size and the calls that led to the allocation; one that stops the machine without an assertion around it
 * fails with the stop report, and the tests behind it go on.
 *
 * After assert_bugcheck the machine is halted, as after a blue screen: what was allocated is not counted as leaked, and a test that wants
 * to go on calls ntmm_cmocka_reboot(). Header-only: link your test with cmocka, the library does not need it.
 */
#ifndef NTMM_CMOCKA_H
#define NTMM_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ntmm/ntmm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- fixtures ---- */

/** The config that the fixtures of this file boot with; NULL: defaults, and stop reports are printed by failing assertions only, or when
 *  a test fails because of one that nobody expected. Must stay valid. */
static const ntmm_config *ntmm_cmocka_config __attribute__((unused));

/** What the last assert_bugcheck of this file caught, for a look at the other parameters and the IRQL. */
static ntmm_bugcheck ntmm_cmocka_caught __attribute__((unused));

/* print_error() cuts what it is given at 1,023 bytes (CMocka 1.1): a long text goes through it line by line. */
static inline void ntmm_cmocka_print_text_(const char *text)
{
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        bytes += text[bytes] == '\n';
        if (bytes > 512)
            bytes = 512;
        print_error("%.*s", (int)bytes, text);
        text += bytes;
    }
}

static __thread bool ntmm_cmocka_runs_here_ __attribute__((unused)); /* this thread runs the tests, and can leave them by an assertion */

static inline void ntmm_cmocka_uncaught_(const ntmm_bugcheck *stop)
{
    if (!ntmm_cmocka_runs_here_)
        return;
    ntmm_cmocka_caught = *stop;
    print_error("the machine stopped, and no assertion expected it\n");
    ntmm_cmocka_print_text_(ntmm_stop_report());
    _fail("the stop report above says where", 0);
}

static inline int ntmm_cmocka_boot_(const char *who)
{
    static const ntmm_config defaults = { .stack_traces = 10000, .quiet = true };

    ntmm_cmocka_runs_here_ = true;
    ntmm_on_uncaught_stop(ntmm_cmocka_uncaught_);
    ntmm_catch_pop(NULL); /* an assertion may have left a catch by longjmp */
    if (ntmm_boot(ntmm_cmocka_config != NULL ? ntmm_cmocka_config : &defaults) != 0) {
        print_error("%s: %s\n", who, ntmm_error());
        return -1;
    }
    ntmm_rearm_faults();
    return 0;
}

static inline void ntmm_cmocka_print_leaks_(const ntmm_report *report)
{
    size_t listed = report->leak_count < sizeof report->leaks / sizeof report->leaks[0] ? report->leak_count
                                                                                        : sizeof report->leaks / sizeof report->leaks[0];
    print_error("%zu allocation(s) leaked:\n", report->leak_count);
    for (size_t i = 0; i < listed; i++) {
        const ntmm_leak *leak = &report->leaks[i];
        char             tag[5] = { 0 }, calls[1000];
        for (unsigned c = 0; c < 4; c++) {
            char letter = (char)(leak->tag >> (8 * c));
            tag[c] = letter >= ' ' && letter <= '~' ? letter : '.';
        }
        print_error("    tag '%s'  %zu bytes at %p%s%s\n", tag, leak->bytes, leak->address, leak->note[0] != '\0' ? "  " : "", leak->note);
        if (i < 8 && ntmm_describe_allocation(leak->address, calls, sizeof calls))
            print_error("%s", calls);
    }
}

/* Leaves no machine up, whatever the test did. 0, or -1 with the reason printed. */
static inline int ntmm_cmocka_shutdown_(const char *who)
{
    static ntmm_report report;
    int                result = 0;
    bool               stopped = ntmm_is_halted(); /* a halted machine keeps what it had */
    KIRQL              irql = KeGetCurrentIrql();
    size_t             leaks;

    ntmm_catch_pop(NULL);
    if (!stopped && irql != PASSIVE_LEVEL) {
        print_error("%s: the test ended at IRQL %u\n", who, (unsigned)irql);
        KeLowerIrql(PASSIVE_LEVEL);
        result = -1;
    }
    leaks = ntmm_shutdown(&report);
    if (leaks == SIZE_MAX) {
        print_error("%s: %s\n", who, ntmm_error());
        return -1;
    }
    if (leaks != 0 && !stopped) {
        ntmm_cmocka_print_leaks_(&report);
        result = -1;
    }
    return result;
}

/**
 * Setup of a test or of a group: boots a machine. *state is NULL or a `const ntmm_config *`, which becomes ntmm_cmocka_config; a group
 * has no initial state, so set ntmm_cmocka_config before you run it.
 */
static inline int ntmm_cmocka_setup(void **state)
{
    if (*state != NULL)
        ntmm_cmocka_config = (const ntmm_config *)*state;
    return ntmm_cmocka_boot_("ntmm_cmocka_setup");
}
/** Teardown of a test or of a group: shuts the machine down; fails when the test leaked or ended at a raised IRQL. */
static inline int ntmm_cmocka_teardown(void **state)
{
    if (*state != NULL && *state == (const void *)ntmm_cmocka_config) /* the next test has its own config, or none */
        ntmm_cmocka_config = NULL;
    return ntmm_cmocka_shutdown_("ntmm_cmocka_teardown");
}
static inline int ntmm_cmocka_group_setup(void **state) { return ntmm_cmocka_setup(state); }
static inline int ntmm_cmocka_group_teardown(void **state) { return ntmm_cmocka_teardown(state); }

/** A row of the test table: the test with a machine of its own. */
#define ntmm_cmocka_test(test) cmocka_unit_test_setup_teardown(test, ntmm_cmocka_setup, ntmm_cmocka_teardown)
/** The same on a machine built from *config. */
#define ntmm_cmocka_test_config(test, config) \
    cmocka_unit_test_prestate_setup_teardown(test, ntmm_cmocka_setup, ntmm_cmocka_teardown, (void *)(uintptr_t)(config))

/** Shut the machine down, halted or not, and boot a new one from the same config; leaks of a machine that had not halted fail the test. */
static inline void ntmm_cmocka_reboot(void)
{
    if (ntmm_cmocka_shutdown_("ntmm_cmocka_reboot") != 0 || ntmm_cmocka_boot_("ntmm_cmocka_reboot") != 0)
        fail();
}

/* ---- assertions ---- */

static inline void ntmm_cmocka_expect_stop_(const ntmm_catch_frame *frame, uint32_t code, const uintptr_t *parameter, unsigned parameters,
                                            const char *expression, const char *file, int line)
{
    bool same = frame->caught && frame->stop.code == code;

    ntmm_cmocka_caught = frame->stop;
    for (unsigned i = 0; same && i < parameters; i++)
        same = frame->stop.parameter[i] == parameter[i];
    if (same)
        return;
    print_error("expected bug check 0x%X %s", (unsigned)code, ntmm_bugcheck_name(code));
    for (unsigned i = 0; i < parameters; i++)
        print_error("%s0x%llX", i == 0 ? " (" : ", ", (unsigned long long)parameter[i]);
    print_error("%s from: ", parameters != 0 ? ")" : "");
    ntmm_cmocka_print_text_(expression);
    print_error("\n");
    ntmm_cmocka_print_text_(frame->caught ? ntmm_stop_report() : "but the machine did not stop\n");
    _fail(file, line);
}

static inline void ntmm_cmocka_expect_no_stop_(const ntmm_catch_frame *frame, const char *expression, const char *file, int line)
{
    if (!frame->caught)
        return;
    ntmm_cmocka_caught = frame->stop;
    print_error("expected no bug check from: ");
    ntmm_cmocka_print_text_(expression);
    print_error("\n");
    ntmm_cmocka_print_text_(ntmm_stop_report());
    _fail(file, line);
}

#define ntmm_cmocka_run_(frame, ...) \
    ntmm_catch_frame frame; \
    ntmm_rearm_faults(); \
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) { \
        __VA_ARGS__; \
        ntmm_catch_pop(&frame); \
    }

/** The expression stops the machine with this code and this first parameter. */
#define assert_bugcheck(code, parameter1, ...) \
    do { \
        const uintptr_t ntmm_parameter_[] = { (uintptr_t)(parameter1) }; \
        ntmm_cmocka_run_(ntmm_frame_, __VA_ARGS__) \
            ntmm_cmocka_expect_stop_(&ntmm_frame_, (code), ntmm_parameter_, 1, #__VA_ARGS__, __FILE__, __LINE__); \
    } while (0)
/** The expression stops the machine with this code, whatever the parameters. */
#define assert_bugcheck_code(code, ...) \
    do { \
        ntmm_cmocka_run_(ntmm_frame_, __VA_ARGS__) \
            ntmm_cmocka_expect_stop_(&ntmm_frame_, (code), NULL, 0, #__VA_ARGS__, __FILE__, __LINE__); \
    } while (0)
/** The expression stops the machine with this code and these four parameters. */
#define assert_bugcheck_all(code, parameter1, parameter2, parameter3, parameter4, ...) \
    do { \
        const uintptr_t ntmm_parameter_[] = { (uintptr_t)(parameter1), (uintptr_t)(parameter2), (uintptr_t)(parameter3), \
                                              (uintptr_t)(parameter4) }; \
        ntmm_cmocka_run_(ntmm_frame_, __VA_ARGS__) \
            ntmm_cmocka_expect_stop_(&ntmm_frame_, (code), ntmm_parameter_, 4, #__VA_ARGS__, __FILE__, __LINE__); \
    } while (0)
/** The expression leaves the machine running. */
#define assert_no_bugcheck(...) \
    do { \
        ntmm_cmocka_run_(ntmm_frame_, __VA_ARGS__) ntmm_cmocka_expect_no_stop_(&ntmm_frame_, #__VA_ARGS__, __FILE__, __LINE__); \
    } while (0)

/** The calling thread is at this IRQL. */
#define assert_irql(level) assert_int_equal(KeGetCurrentIrql(), (level))

/** Nothing is held now. The machine is shut down to find out, and a new one booted: every address from before is gone. */
#define assert_no_leaks() \
    do { \
        static ntmm_report ntmm_report_; \
        size_t             ntmm_leaks_ = ntmm_shutdown(&ntmm_report_); \
        if (ntmm_leaks_ == SIZE_MAX) \
            fail_msg("%s", ntmm_error()); \
        int ntmm_booted_ = ntmm_cmocka_boot_("assert_no_leaks"); \
        if (ntmm_leaks_ != 0) \
            ntmm_cmocka_print_leaks_(&ntmm_report_); \
        if (ntmm_leaks_ != 0 || ntmm_booted_ != 0) \
            _fail(__FILE__, __LINE__); \
    } while (0)

/* ---- a body somewhere ---- */

/** The statements run at this IRQL, not below the present one; then the IRQL is what it was. */
#define at_irql(level, ...) \
    do { \
        KIRQL ntmm_irql_; \
        KeRaiseIrql((level), &ntmm_irql_); \
        __VA_ARGS__; \
        KeLowerIrql(ntmm_irql_); \
    } while (0)

/** The statements run in this process; then the thread is back in the System process. */
#define in_process(process, ...) \
    do { \
        ntmm_process_attach(process); \
        __VA_ARGS__; \
        ntmm_process_attach(NULL); \
    } while (0)

/** body(context) runs on a kernel stack, 24 KiB with a guard page. */
#define on_kernel_stack(body, context) \
    do { \
        if (!ntmm_on_kernel_stack((body), (context))) \
            fail_msg("%s", ntmm_error()); \
    } while (0)

/* ---- failing allocations ---- */

typedef struct ntmm_cmocka_sweep_ {
    uint64_t run;  /* which of the allocations is refused */
    uint64_t held; /* blocks of pool before the run */
} ntmm_cmocka_sweep_;

static inline uint64_t ntmm_cmocka_blocks_(void)
{
    ntmm_pool_usage nonpaged, paged;
    ntmm_query_pool(NonPagedPool, &nonpaged);
    ntmm_query_pool(PagedPool, &paged);
    return nonpaged.allocs - nonpaged.frees + paged.allocs - paged.frees;
}

static inline void ntmm_cmocka_look_after_run_(const ntmm_cmocka_sweep_ *sweep, const char *file, int line)
{
    uint64_t held = ntmm_cmocka_blocks_();
    if (held == sweep->held)
        return;
    print_error("with allocation number %llu refused, %lld block(s) of pool more are held than before\n", (unsigned long long)sweep->run,
                (long long)(held - sweep->held));
    ntmm_fail_allocation(0);
    _fail(file, line);
}

/* Arms the next run; false: the one before had no failure any more. */
static inline bool ntmm_cmocka_next_run_(ntmm_cmocka_sweep_ *sweep, const char *file, int line)
{
    if (sweep->run != 0) {
        bool failed = ntmm_allocation_failed();
        ntmm_cmocka_look_after_run_(sweep, file, line);
        if (!failed) {
            ntmm_fail_allocation(0);
            return false;
        }
    }
    sweep->held = ntmm_cmocka_blocks_();
    ntmm_fail_allocation(++sweep->run);
    return true;
}

static inline void ntmm_cmocka_run_survived_(const ntmm_catch_frame *frame, const ntmm_cmocka_sweep_ *sweep, const char *expression,
                                             const char *file, int line)
{
    if (frame->caught)
        print_error("with allocation number %llu refused\n", (unsigned long long)sweep->run);
    ntmm_cmocka_expect_no_stop_(frame, expression, file, line);
}

/** The statements run again and again, with their 1st, 2nd, ... allocation refused, until none was. Each run leaves the machine up, and holds no
 *  more pool than before; assertions inside hold for every run. */
#define for_each_failure(...) \
    do { \
        ntmm_cmocka_sweep_ ntmm_sweep_ = { 0, 0 }; \
        while (ntmm_cmocka_next_run_(&ntmm_sweep_, __FILE__, __LINE__)) { \
            ntmm_cmocka_run_(ntmm_frame_, __VA_ARGS__) \
                ntmm_cmocka_run_survived_(&ntmm_frame_, &ntmm_sweep_, #__VA_ARGS__, __FILE__, __LINE__); \
        } \
    } while (0)

/* ---- requests of any kind ---- */

/** A request that the test has sent: from irp_start() to irp_end(). */
typedef struct ntmm_irp {
    PIRP      irp;
    KEVENT    completed;
    NTSTATUS  returned;    /* by the driver's dispatch routine */
    NTSTATUS  status;      /* IoStatus, once it is completed */
    ULONG_PTR information; /* the same */
} ntmm_irp;

static inline NTSTATUS ntmm_irp_completed_(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    ntmm_irp *request = (ntmm_irp *)context;
    (void)device;
    request->status = irp->IoStatus.Status;
    request->information = irp->IoStatus.Information;
    KeSetEvent(&request->completed, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED; /* irp_end() frees it */
}

/**
 * Send a request to the top of a device's stack.
 *
 * @param what    major and minor function and their parameters, as the driver will find them in its stack location
 * @param buffer  NULL, or what the driver finds in AssociatedIrp.SystemBuffer; nobody copies or frees it
 */
static inline void irp_start(ntmm_irp *request, PDEVICE_OBJECT device, const IO_STACK_LOCATION *what, void *buffer)
{
    PDEVICE_OBJECT     top = IoGetAttachedDevice(device);
    PIO_STACK_LOCATION next;

    memset(request, 0, sizeof *request);
    KeInitializeEvent(&request->completed, NotificationEvent, FALSE);
    request->irp = IoAllocateIrp(top->StackSize, FALSE);
    if (request->irp == NULL)
        fail_msg("irp_start: no IRP could be allocated");
    request->irp->AssociatedIrp.SystemBuffer = buffer;
    request->irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    next = IoGetNextIrpStackLocation(request->irp);
    *next = *what;
    IoSetCompletionRoutine(request->irp, ntmm_irp_completed_, request, TRUE, TRUE, TRUE);
    request->returned = IoCallDriver(top, request->irp);
}

/** The driver has it, and has not completed it. */
static inline bool irp_is_pending(ntmm_irp *request) { return KeReadStateEvent(&request->completed) == 0; }
/** @return false: nobody had set a cancel routine */
static inline bool irp_cancel(ntmm_irp *request) { return IoCancelIrp(request->irp) != FALSE; }
/** Wait until it is completed, and free it. @return its status */
static inline NTSTATUS irp_end(ntmm_irp *request)
{
    (void)KeWaitForSingleObject(&request->completed, Executive, KernelMode, FALSE, NULL);
    IoFreeIrp(request->irp);
    request->irp = NULL;
    return request->status;
}
/** irp_start() and irp_end(). */
static inline NTSTATUS irp_send(ntmm_irp *request, PDEVICE_OBJECT device, const IO_STACK_LOCATION *what, void *buffer)
{
    irp_start(request, device, what, buffer);
    return irp_end(request);
}

/** The request was completed with this status and this many bytes, or whatever else IoStatus.Information says. */
#define assert_irp(request, expected_status, expected_information) \
    do { \
        assert_int_equal((request)->status, (expected_status)); \
        assert_int_equal((request)->information, (expected_information)); \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
