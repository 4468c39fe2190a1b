/*
 * test_host_text.c - backtraces and names of addresses, from ordinary code and from where a fault was redirected to.
 */
#include "host/host.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAMES = 32 };
static void      *frames[FRAMES];
static size_t     frame_count;
static sigjmp_buf back;

/* true when some frame returns into the first bytes of a function. */
static bool passes_through(uintptr_t function)
{
    for (size_t i = 0; i < frame_count; i++)
        if ((uintptr_t)frames[i] - function < 512)
            return true;
    return false;
}

__attribute__((noinline)) int take_backtrace(void)
{
    frame_count = host_backtrace(frames, FRAMES);
    return (int)frame_count;
}

__attribute__((noinline)) int calls_take_backtrace(void) { return take_backtrace() + 1; /* no tail call */ }

static void a_backtrace_has_the_callers(void **state)
{
    (void)state;
    assert_true(calls_take_backtrace() > 3);
    assert_true(passes_through((uintptr_t)take_backtrace));
    assert_true(passes_through((uintptr_t)calls_take_backtrace));
    assert_int_equal(host_backtrace(frames, 1), 1);
    assert_int_equal(host_backtrace(frames, 0), 0);
}

/* ---- after a fault ---- */

static void land(void *argument)
{
    (void)argument;
    take_backtrace();
    siglongjmp(back, 1);
}

static char *volatile fault_stack;

static host_fault_verdict_t redirect(host_fault_t *fault)
{
    host_fault_redirect(fault, land, NULL, fault_stack);
    return HOST_FAULT_REDIRECT;
}

/* Spills registers and has no frame pointer of its own (-fomit-frame-pointer): only the unwind tables find the way. */
__attribute__((noinline, no_sanitize("address"), no_sanitize("undefined"))) int driver_reads(const volatile int *at, int depth)
{
    volatile int local[3] = { depth, 1, 2 };
    return *at + local[depth];
}

__attribute__((noinline)) int driver_routine(const volatile int *at) { return driver_reads(at, 1) + 1; }

__attribute__((noinline)) int driver_entry(const volatile int *at) { return driver_routine(at) + 1; }

static void (*volatile no_routine)(void);

__attribute__((noinline, no_sanitize("undefined"))) int driver_calls_null(int x)
{
    no_routine();
    return x + 1;
}

__attribute__((noinline)) int driver_entry_null(int x) { return driver_calls_null(x) + 1; }

static void a_backtrace_reaches_the_faulting_code(void **state)
{
    (void)state;
    static char other_stack[65536];
    char       *stacks[] = { NULL, other_stack + sizeof other_stack };
    for (volatile size_t i = 0; i < 2; i++) {
        fault_stack = stacks[i];
        frame_count = 0;
        assert_int_equal(host_faults_start(redirect), 0);
        if (sigsetjmp(back, 0) == 0)
            driver_entry((const volatile int *)16);
        host_faults_stop();
        assert_true(passes_through((uintptr_t)land));
        assert_true(passes_through((uintptr_t)driver_reads));
        assert_true(passes_through((uintptr_t)driver_routine));
        assert_true(passes_through((uintptr_t)driver_entry));
    }
}

static void a_backtrace_reaches_the_caller_of_null(void **state)
{
    (void)state;
    fault_stack = NULL;
    frame_count = 0;
    assert_int_equal(host_faults_start(redirect), 0);
    if (sigsetjmp(back, 0) == 0)
        driver_entry_null(3);
    host_faults_stop();
    assert_true(passes_through((uintptr_t)driver_calls_null));
    assert_true(passes_through((uintptr_t)driver_entry_null));
}

/* ---- names ---- */

static void addresses_have_names(void **state)
{
    (void)state;
    char text[128], expected[64];
    host_describe_address((uintptr_t)dlsym(RTLD_DEFAULT, "cmocka_set_message_output") + 1, text, sizeof text);
    assert_non_null(strstr(text, "cmocka_set_message_output+0x1 (libcmocka"));
    host_describe_address((uintptr_t)addresses_have_names, text, sizeof text);
    assert_non_null(strstr(text, "+0x"));
    assert_non_null(strstr(text, "test_host_text"));
    host_describe_address(0x10, text, sizeof text);
    snprintf(expected, sizeof expected, "0x%x", 0x10u);
    assert_string_equal(text, expected);
    char tiny[4] = "xxx";
    host_describe_address((uintptr_t)addresses_have_names, tiny, sizeof tiny);
    assert_int_equal(tiny[3], 0);
}

/* What addr2line says to a shell is what we must say, "" included where the code was built without -g. */
static void an_address_has_a_line(void **state)
{
    (void)state;
    Dl_info            here;
    char               command[128], answer[512] = "";
    uintptr_t          pcs[] = { (uintptr_t)driver_routine, 0x10, (uintptr_t)driver_entry };
    host_source_line_t lines[NTMM_ARRAY_COUNT(pcs)];
    assert_int_not_equal(dladdr((void *)pcs[0], &here), 0);
    snprintf(command, sizeof command, "addr2line -e /proc/%d/exe 0x%llx 2>&1", (int)getpid(),
             (unsigned long long)(pcs[0] - (uintptr_t)here.dli_fbase));
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    assert_non_null(fgets(answer, sizeof answer, shell));
    pclose(shell);
    host_source_lines(pcs, NTMM_ARRAY_COUNT(pcs), lines);
    assert_string_equal(lines[1].text, "");
    if (getenv("NTMM_EMULATED") != NULL)
        skip(); /* its path of the program is the emulator's */
    if (strstr(answer, "test_host_text.c:") == NULL) {
        assert_string_equal(lines[0].text, "");
        skip(); /* no addr2line, no -g, or a processor that this one does not know */
    }
    assert_string_equal(strtok(strrchr(answer, '/') + 1, " \n"), lines[0].text);
    assert_non_null(strstr(lines[2].text, "test_host_text.c:"));
    assert_string_not_equal(lines[0].text, lines[2].text);
}

static void a_static_library_is_the_program(void **state)
{
    (void)state;
    assert_false(host_is_library_code((uintptr_t)host_clock_ns));
    assert_false(host_is_library_code((uintptr_t)addresses_have_names));
    assert_false(host_is_library_code(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backtrace_has_the_callers),
        cmocka_unit_test(a_backtrace_reaches_the_faulting_code),
        cmocka_unit_test(a_backtrace_reaches_the_caller_of_null),
        cmocka_unit_test(addresses_have_names),
        cmocka_unit_test(an_address_has_a_line),
        cmocka_unit_test(a_static_library_is_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
