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
 *  the process dies of the stop because no assertion was around it. Must stay valid. */
static const ntmm_config *ntmm_cmocka_config __attribute__((unused));

/** What the last assert_bugcheck of this file caught, for a look at the other parameters and the IRQL. */
static ntmm_bugcheck ntmm_cmocka_caught __attribute__((unused));

static inline int ntmm_cmocka_boot_(const char *who)
{
    static const ntmm_config defaults = { .quiet = true, .stack_traces = 10000 };

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

#ifdef __cplusplus
}
#endif
#endif
