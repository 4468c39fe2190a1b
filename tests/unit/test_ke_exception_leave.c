/*
 * test_ke_exception_leave.c - all the ways out of the body of a __try: its end, __leave, return, break, continue, goto, longjmp.
 * What has been left must not catch anything, and the block of a __finally runs once or, where the compiler cannot see to it, is told of.
 */
#include <setjmp.h>
#include <string.h>

#include "../support/exceptions.h"

static void leave_goes_to_the_end(void **state)
{
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    (void)state;
    __try {
        for (int i = 0; i < 10; i++)
            for (;;) {
                status = STATUS_SUCCESS;
                __leave;
            }
    } __finally {
        note(AbnormalTermination() ? 'x' : 'N');
        assert_int_equal(status, STATUS_SUCCESS);
    }
    __try {
        note('1');
        if (status == STATUS_SUCCESS)
            __leave;
        note('x');
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('x');
    }
    happened("N1");
}

static void leave_from_a_handler_leaves_the_outer_one(void **state)
{
    (void)state;
    __try {
        __try {
            raise_now(STATUS_A);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            note('I');
            __leave;
        }
        note('x');
    } __finally {
        note(AbnormalTermination() ? 'x' : 'N');
    }
    happened("IN");
}

static int returns_from_the_body(int what)
{
    int n = what;
    __try {
        n++;
        if (what == 1)
            return n;
        if (what == 2)
            raise_now(STATUS_A);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return n + 100;
    }
    return n;
}

/* After each of them the statement must be gone: the exception that follows belongs to the outer one. */
static void return_from_the_body(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(returns_from_the_body(1), 2);
        assert_int_equal(returns_from_the_body(0), 1);
        assert_int_equal(returns_from_the_body(2), 103);
        __try {
            assert_int_equal(returns_from_the_body(1), 2);
            raise_and_note(STATUS_B);
        } __except (GetExceptionCode() == STATUS_B) {
            note('H');
        }
    }
    happened("rHrHrH");
}

static void break_and_continue(void **state)
{
    int i, n = 0;
    (void)state;
    __try {
        for (i = 0; i < 10; i++) {
            __try {
                if (i == 1)
                    continue;
                if (i == 4)
                    break;
                n += i;
            } __except (EXCEPTION_EXECUTE_HANDLER) {
                note('x');
            }
            n += 10;
        }
        assert_int_equal(i, 4);
        assert_int_equal(n, 0 + 2 + 3 + 30);
        raise_and_note(STATUS_B);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    happened("rH");
}

static void break_and_continue_in_a_handler(void **state)
{
    int i, n = 0;
    (void)state;
    for (i = 0; i < 10; i++) {
        __try {
            raise_now(STATUS_A);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            if (i < 4)
                continue;
            break;
        }
        n++;
    }
    assert_int_equal(i, 4);
    assert_int_equal(n, 0);
}

/* The label is in the same block as the statement: only the place in the code tells that the body has been left. */
static int goto_within_the_block(int skip)
{
    int n = 0;
    if (skip)
        goto out; /* over the statement */
    __try {
        n = 1;
        goto out;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        n = 100;
    }
    n = 50;
out:
    raise_and_note(STATUS_B);
    return n;
}

static void goto_out_of_the_body(void **state)
{
    (void)state;
    for (int skip = 0; skip < 2; skip++) {
        __try {
            goto_within_the_block(skip);
            note('x');
        } __except (GetExceptionCode() == STATUS_B) {
            note('H');
        }
    }
    happened("rHrH");
}

static void repeat_by_goto(void **state)
{
    int n = 0;
    (void)state;
again:
    __try {
        n++;
        if (n < 20)
            goto again;
        raise_now(STATUS_A);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
        if (n < 25)
            goto again;
    }
    assert_int_equal(n, 25);
    happened("HHHHHH");
}

static void in_a_switch(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        switch (i) {
        case 0: note('0'); break;
        case 1: {
            __try {
                if (i == 1)
                    break;
                note('x');
            } __except (EXCEPTION_EXECUTE_HANDLER) {
                note('x');
            }
            note('x');
            break;
        }
        case 2:
            note('2');
            __try {
                raise_now(STATUS_A);
            } __except (EXCEPTION_EXECUTE_HANDLER) {
                note('H');
                break;
            }
            note('x');
            break;
        default: note('d');
        }
    }
    happened("02Hd");
}

#if NTMM_TRY_GUARDED
static int return_through_finally(int how)
{
    int n = 1;
    __try {
        n = 2;
        if (how == 0)
            return n;
        if (how == 1)
            raise_now(STATUS_A);
        n = 3;
    } __finally {
        note(AbnormalTermination() ? 'A' : 'N');
        n += 10;
    }
    return n;
}

static void left_bodies_run_their_finally(void **state)
{
    int n = 0;
    (void)state;
    assert_int_equal(return_through_finally(0), 2);
    assert_int_equal(return_through_finally(2), 13);
    happened("AN");
    for (int i = 0; i < 3; i++) {
        __try {
            if (i == 0)
                continue;
            if (i == 2)
                break;
            n++;
        } __finally {
            note(AbnormalTermination() ? 'A' : 'N');
        }
    }
    assert_int_equal(n, 1);
    happened("ANA");
    __try {
        __try {
            return_through_finally(1);
        } __finally {
            note('F');
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    happened("AFH");
    {
        __try {
            __try {
                goto out;
            } __finally {
                note('1');
            }
        } __finally {
            note('2');
        }
    }
    note('x');
out:
    happened("12");
}

static void exception_in_a_finally_of_a_return(void **state)
{
    (void)state;
    __try {
        for (;;) {
            __try {
                break;
            } __finally {
                note('F');
                raise_now(STATUS_A);
            }
        }
        note('x');
    } __except (GetExceptionCode() == STATUS_A) {
        note('H');
    }
    happened("FH");
}
#else
/* clang refuses a goto over the guard: there the block does not run, and is told of. */
static int return_through_finally(void)
{
    __try {
        return 2;
    } __finally {
        note('x');
    }
    return 3;
}

static void left_bodies_skip_their_finally(void **state)
{
    (void)state;
    __try {
        assert_int_equal(return_through_finally(), 2);
        raise_and_note(STATUS_B);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    happened("rH");
}

static void without_braces_and_after_labels(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            __try {
                raise_now(STATUS_A);
            } __except (EXCEPTION_EXECUTE_HANDLER) {
                note('H');
            }
        switch (i) {
        case 2: __try { raise_now(STATUS_A);
            } __except (EXCEPTION_EXECUTE_HANDLER) {
                note('I');
            }
        }
    }
    happened("HI");
}
#endif

static jmp_buf away;

static __attribute__((noinline)) void jump_out_of_the_body(void)
{
    __try {
        note('1');
        longjmp(away, 1);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

/* As a failed assertion does. */
static void longjmp_over_a_body(void **state)
{
    (void)state;
    for (volatile int i = 0; i < 3; i++) {
        if (setjmp(away) == 0)
            jump_out_of_the_body();
        __try {
            raise_and_note(STATUS_B);
        } __except (says('f', GetExceptionCode() == STATUS_B)) {
            note('H');
        }
    }
    happened("1rfH1rfH1rfH");
    if (setjmp(away) == 0)
        jump_out_of_the_body();
    events[0] = '\0';
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_B, raise_and_note(STATUS_B));
}

static int filter_that_jumps(void)
{
    note('j');
    longjmp(away, 1);
}
static __attribute__((noinline)) void jump_out_of_the_filter(void)
{
    __try {
        __try {
            raise_now(STATUS_A);
        } __finally {
            note('x'); /* nobody has unwound */
        }
    } __except (filter_that_jumps()) {
        note('x');
    }
}
static __attribute__((noinline)) void jump_out_of_the_block(void)
{
    __try {
        __try {
            raise_now(STATUS_A);
        } __finally {
            note('F');
            longjmp(away, 1);
        }
    } __except (says('f', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void longjmp_out_of_filters_and_blocks(void **state)
{
    (void)state;
    for (volatile int i = 0; i < 3; i++) {
        if (setjmp(away) == 0)
            jump_out_of_the_filter();
        if (setjmp(away) == 0)
            jump_out_of_the_block();
        __try {
            raise_and_note(STATUS_B);
        } __except (GetExceptionCode() == STATUS_B) {
            note('H');
        }
    }
    happened("jfFrHjfFrHjfFrH");
}

/* The exception that was being unwound is forgotten; Windows has it so, too. */
static void jumps_out_of_a_finally(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        __try {
            __try {
                raise_now(STATUS_A);
            } __finally {
                goto out;
            }
            note('x');
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            note('x');
        }
        note('x');
    out:;
    }
    __try {
        __try {
            __try {
                raise_now(STATUS_A);
            } __finally {
                note('1');
                __leave; /* of the one outside */
            }
            note('x');
        } __finally {
            note(AbnormalTermination() ? 'x' : '2');
        }
        raise_and_note(STATUS_B);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note(GetExceptionCode() == STATUS_B ? 'H' : 'x');
    }
    happened("12rH");
}

/* ---- many ---- */

static __attribute__((noinline)) void left_by_return(int depth)
{
    char room[100];
    __try {
        room[0] = (char)depth;
        if (room[0] == (char)depth)
            return;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('x');
    }
}
static void descend(int depth)
{
    left_by_return(depth);
    if (depth > 0)
        descend(depth - 1);
    else
        raise_now(STATUS_B);
}

/* Many bodies that were left, and may still look alive by their addresses. */
static void many_that_were_left(void **state)
{
    (void)state;
    __try {
        descend(1500);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    happened("H");
}

static void nest(int depth)
{
    __try {
        if (depth > 0)
            nest(depth - 1);
        else
            raise_now(STATUS_A);
    } __finally {
        note('F');
        events[0] = '\0';
    }
}
static void nest_without_end(int depth)
{
    __try {
        nest_without_end(depth + 1);
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void deep_nesting(void **state)
{
    (void)state;
    __try {
        nest(150);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    happened("H");
    assert_bugcheck(UNEXPECTED_KERNEL_MODE_TRAP, 8, nest_without_end(0));
    happened("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        exception_test(leave_goes_to_the_end),
        exception_test(leave_from_a_handler_leaves_the_outer_one),
        exception_test(return_from_the_body),
        exception_test(break_and_continue),
        exception_test(break_and_continue_in_a_handler),
        exception_test(goto_out_of_the_body),
        exception_test(repeat_by_goto),
        exception_test(in_a_switch),
#if NTMM_TRY_GUARDED
        exception_test(left_bodies_run_their_finally),
        exception_test(exception_in_a_finally_of_a_return),
#else
        exception_test(left_bodies_skip_their_finally),
        exception_test(without_braces_and_after_labels),
#endif
        exception_test(longjmp_over_a_body),
        exception_test(longjmp_out_of_filters_and_blocks),
        exception_test(jumps_out_of_a_finally),
        exception_test(many_that_were_left),
        exception_test(deep_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
