/*
 * test_ke_try.c - what the library keeps of __try statements: records that come and go, places that are known, other stacks.
 */
#include <string.h>

#include "../support/exceptions.h"

#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/stack.h"
#include "ke/try.h"

/* ---- records ---- */

static APART uint32_t records_inside(void)
{
    uint32_t inside = 0;
    __try {
        __try {
            inside = ke_tries->count;
        } __finally {
            assert_int_equal(ke_tries->count, inside - 1);
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('x');
    }
    return inside;
}

static void records_come_and_go(void **state)
{
    (void)state;
    assert_int_equal(ke_tries->count, 0);
    assert_int_equal(records_inside(), 2);
    assert_int_equal(ke_tries->count, 0);
    __try {
        raise_now(STATUS_A);
    } __except (ke_tries->count == 2 ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) { /* the statement, and the filter's call */
        assert_int_equal(ke_tries->count, 1);                                                   /* for GetExceptionCode() */
    }
    assert_int_equal(records_inside(), ke_tries->count + 2);
    ntmm_catch_pop(NULL);
    assert_int_equal(ke_tries->count, 0);
}

static void stop_in_a_body(void *unused)
{
    (void)unused;
    __try {
        KeBugCheckEx(0xDEAD, 1, 2, 3, 4);
    } __finally {
        note('x');
    }
}

static void stop_forgets_what_is_inside_its_catch(void **state)
{
    (void)state;
    __try {
        assert_true(ntmm_catch_bugcheck(stop_in_a_body, NULL, NULL));
        assert_int_equal(ke_tries->count, 1);
    } __finally {
        note('F');
    }
    happened("F");
}

/* Another driver may have been loaded where one was: what is known of a place holds as long as the code there is the same. */
static void known_places_are_looked_at_again(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        for (uint32_t i = 0; i < KE_TRY_KNOWN; i++) {
            if (how == 1)
                ke_tries->known[i].code ^= 1;
            if (how == 2 && ke_tries->known[i].begin != 0)
                ke_tries->known[i].end -= 3;
        }
        __try {
            note('b');
        } __finally {
            note(AbnormalTermination() ? 'x' : 'F');
        }
    }
    happened("bFbFbF");
}

/* ---- inside the library ---- */

static APART void raise_in_the_library(void)
{
    assert_non_null(ke_thread_enter(__func__)); /* and does not leave */
    raise_now(STATUS_A);
}

static void handler_is_outside_the_library(void **state)
{
    (void)state;
    __try {
        raise_in_the_library();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        assert_int_equal(ke_self()->in_library, 0);
    }
}

static APART void fault_in_the_library(void)
{
    ke_thread_t *self = ke_thread_enter(__func__);
    __try { /* of a callback: this one is inside as well */
        read_at((void *)8);
    } __except (says('c', EXCEPTION_EXECUTE_HANDLER)) {
        note('C');
    }
    ke_thread_leave(self);
    ke_thread_enter(__func__);
    read_at((void *)16);
}

static void guarded_fault_in_the_library(void)
{
    __try {
        fault_in_the_library();
    } __except (says('x', EXCEPTION_EXECUTE_HANDLER)) {
        note('x');
    }
}

static void faults_in_the_library_are_not_handled(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_ACCESS_VIOLATION, guarded_fault_in_the_library());
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 16);
    happened("cC");
}

static APART void raise_as_system(void *unused)
{
    (void)unused;
    ke_self()->is_system = 1;
    raise_now(STATUS_A);
}

static void system_thread(void **state)
{
    ntmm_bugcheck stop = { 0 };
    (void)state;
    assert_non_null(ke_thread_ready(__func__));
    assert_true(ntmm_catch_bugcheck(raise_as_system, NULL, &stop));
    ke_self()->is_system = 0;
    assert_int_equal(stop.code, SYSTEM_THREAD_EXCEPTION_NOT_HANDLED);
    const EXCEPTION_RECORD *record = (const EXCEPTION_RECORD *)stop.parameter[2];
    const CONTEXT          *context = (const CONTEXT *)stop.parameter[3];
    assert_int_equal(record->ExceptionCode, STATUS_A);
    assert_int_equal(record->ExceptionAddress, stop.parameter[1]);
    assert_int_equal(CONTEXT_PC(context), stop.parameter[1]);
}

/* ---- other stacks ---- */

static void on_the_other_stack(void *unused)
{
    (void)unused;
    __try {
        __try {
            note('1');
            raise_now(STATUS_A);
        } __finally {
            note('F');
        }
    } __except (GetExceptionCode() == STATUS_A) {
        note('A');
    }
    __try {
        raise_now(STATUS_B);
    } __finally {
        note('G');
    }
}

static void exceptions_cross_stacks(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        __try {
            ntmm_on_kernel_stack(on_the_other_stack, NULL);
            note('x');
        } __except (says('f', GetExceptionCode() == STATUS_B)) {
            note('H');
        }
        assert_int_equal(ke_stack_level((uintptr_t)__builtin_frame_address(0)), 0); /* the machine is back on the host's */
    }
    happened("1FAfGH1FAfGH1FAfGH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        exception_test(records_come_and_go),
        exception_test(stop_forgets_what_is_inside_its_catch),
        exception_test(known_places_are_looked_at_again),
        exception_test(handler_is_outside_the_library),
        exception_test(faults_in_the_library_are_not_handled),
        exception_test(system_thread),
        exception_test(exceptions_cross_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
