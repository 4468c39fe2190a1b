/*
 * test_ke_stack_exceptions.c - __try statements on two stacks: who is asked, where filters run, what is unwound, and what an expansion keeps in.
 */
#include <ntmm/cmocka.h>

#include "../support/exceptions.h"

#include <setjmp.h>

#include "ke/stack.h"
#include "ke/try.h"

#define LEVEL() ((int)ke_stack_level((uintptr_t)__builtin_frame_address(0)))

static APART int levels(int answer) /* called by a filter: on which stack does that run? */
{
    note((char)('0' + LEVEL()));
    return answer;
}

static void raise_a(void *unused)
{
    (void)unused;
    note('r');
    raise_now(STATUS_A);
}

static void touch_null(void *unused)
{
    (void)unused;
    write_at(NULL);
}

/* ---- across ---- */

static void a_handler_outside_takes_it(void **state)
{
    (void)state;
    __try {
        ntmm_on_kernel_stack(raise_a, NULL);
        note('x');
    } __except (levels(GetExceptionCode() == STATUS_A)) { /* the filter runs below the raiser */
        note((char)('a' + LEVEL()));
    }
    happened("r1a");
}

static void a_fault_goes_outside(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        __try {
            ntmm_on_kernel_stack(touch_null, NULL);
        } __except (levels(GetExceptionCode() == STATUS_ACCESS_VIOLATION)) {
            note((char)('a' + LEVEL()));
        }
    }
    happened("1a1a");
}

static void go_on_after_a_fault(void *unused)
{
    (void)unused;
    __try {
        write_at(NULL);
    } __except (levels(EXCEPTION_EXECUTE_HANDLER)) {
        note('h');
    }
    note((char)('a' + LEVEL()));
}

static void a_handler_inside_takes_it(void **state)
{
    (void)state;
    __try {
        ntmm_on_kernel_stack(go_on_after_a_fault, NULL);
    } __except (levels(EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
    happened("1hb");
}

static void with_finally(void *unused)
{
    (void)unused;
    __try {
        raise_a(NULL);
    } __finally {
        note((char)('a' + LEVEL()));
    }
}

static void blocks_of_finally_run_before_it_is_left(void **state)
{
    (void)state;
    __try {
        __try {
            ntmm_on_kernel_stack(with_finally, NULL);
        } __finally {
            note('F');
        }
    } __except (levels(EXCEPTION_EXECUTE_HANDLER)) {
        note('H');
    }
    happened("r1bFH");
}

static void deeper(void *unused)
{
    (void)unused;
    __try {
        ntmm_on_kernel_stack(with_finally, NULL);
    } __except (levels(GetExceptionCode() == STATUS_B)) {
        note('x');
    }
}

static void two_stacks_are_left_at_once(void **state)
{
    (void)state;
    __try {
        ntmm_on_kernel_stack(deeper, NULL);
    } __except (levels(EXCEPTION_EXECUTE_HANDLER)) {
        note('H');
    }
    assert_int_equal(LEVEL(), 0);
    happened("r22cH");
}

static void handle_in_the_middle(void *unused)
{
    (void)unused;
    __try {
        ntmm_on_kernel_stack(with_finally, NULL);
    } __except (levels(GetExceptionCode() == STATUS_A)) {
        note((char)('a' + LEVEL()));
    }
}

static void the_stack_in_the_middle_stays(void **state)
{
    (void)state;
    assert_true(ntmm_on_kernel_stack(handle_in_the_middle, NULL));
    note((char)('a' + LEVEL()));
    happened("r2cba");
}

static void in_a_filter(void **state)
{
    (void)state;
    __try {
        raise_now(STATUS_A);
    } __except (ntmm_on_kernel_stack(go_on_after_a_fault, NULL) ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
        note('H');
    }
    happened("1hbH");
}

/* ---- stops, jumps ---- */

static void stop_in_a_body(void *unused)
{
    (void)unused;
    __try {
        KeBugCheckEx(0xDEAD, 1, 2, 3, 4);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}
static void catch_it(void *unused)
{
    (void)unused;
    assert_true(ntmm_catch_bugcheck(stop_in_a_body, NULL, NULL));
    note((char)('a' + LEVEL()));
}

static void a_stop_runs_no_filter(void **state)
{
    (void)state;
    __try {
        ntmm_on_kernel_stack(catch_it, NULL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('x');
    }
    happened("b");
    assert_int_equal(ke_tries->count, 0);
}

static void unhandled_on_it(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_A, ntmm_on_kernel_stack(raise_a, NULL));
    assert_non_null(strstr(ntmm_stop_report(), "kernel stack"));
}

static jmp_buf somewhere;
static void    jump_out_of_a_body(void *unused)
{
    (void)unused;
    __try {
        longjmp(somewhere, 1);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void a_test_framework_jumps_away(void **state)
{
    (void)state;
    for (volatile int i = 0; i < 20; i++) {
        if (setjmp(somewhere) == 0)
            ntmm_on_kernel_stack(jump_out_of_a_body, NULL);
        __try { /* what was left is not asked */
            raise_now(STATUS_B);
        } __except (GetExceptionCode() == STATUS_B) {
            note('H');
        }
        if (i % 2 == 0)
            ntmm_on_kernel_stack(go_on_after_a_fault, NULL);
    }
    ntmm_catch_pop(NULL);
    assert_int_equal(ke_tries->count, 0);
}

/* ---- expansions keep exceptions in ---- */

static void expand(void *callout)
{
    __try {
        (void)KeExpandKernelStackAndCallout((PEXPAND_STACK_CALLOUT)(uintptr_t)callout, NULL, MAXIMUM_EXPANSION_SIZE);
        note('r');
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void a_callout_handles_its_own(void **state)
{
    (void)state;
    expand((void *)(uintptr_t)go_on_after_a_fault); /* on the host's stack */
    assert_true(ntmm_on_kernel_stack(expand, (void *)(uintptr_t)go_on_after_a_fault));
    happened("0har2hcr");
}

static void out_of_a_callout_nothing_comes(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_A, expand((void *)(uintptr_t)raise_a));
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_A, ntmm_on_kernel_stack(expand, (void *)(uintptr_t)raise_a));
    happened("rr");
    assert_int_equal(ke_tries->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        exception_test(a_handler_outside_takes_it),
        exception_test(a_fault_goes_outside),
        exception_test(a_handler_inside_takes_it),
        exception_test(blocks_of_finally_run_before_it_is_left),
        exception_test(two_stacks_are_left_at_once),
        exception_test(the_stack_in_the_middle_stays),
        exception_test(in_a_filter),
        exception_test(a_stop_runs_no_filter),
        exception_test(unhandled_on_it),
        exception_test(a_test_framework_jumps_away),
        exception_test(a_callout_handles_its_own),
        exception_test(out_of_a_callout_nothing_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
