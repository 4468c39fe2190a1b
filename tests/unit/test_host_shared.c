/*
 * test_host_shared.c - what holds only when the library is an object of its own: it knows its code from the program's.
 * Linked with the host layer as a shared library whose names are all visible.
 */
#include "host/host.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_library_knows_its_own_code(void **state)
{
    (void)state;
    static int data;
    void *(*volatile of_libc)(void *, const void *, size_t) = memcpy;
    assert_true(host_is_library_code((uintptr_t)host_clock_ns));
    assert_true(host_is_library_code((uintptr_t)host_faults_start + 3));
    assert_false(host_is_library_code((uintptr_t)the_library_knows_its_own_code));
    assert_false(host_is_library_code((uintptr_t)of_libc));
    assert_false(host_is_library_code((uintptr_t)&host_fence_is_free)); /* its data is not code */
    assert_false(host_is_library_code((uintptr_t)&data));
    assert_false(host_is_library_code(0));
}

/* ---- a fault inside the library, and one in the program ---- */

static sigjmp_buf back;
static bool       in_library;
static uintptr_t  touched;

static void land(void *argument)
{
    (void)argument;
    siglongjmp(back, 1);
}

static host_fault_verdict_t look_at_pc(host_fault_t *fault)
{
    in_library = host_is_library_code(fault->pc);
    touched = fault->address;
    host_fault_redirect(fault, land, NULL, NULL);
    return HOST_FAULT_REDIRECT;
}

__attribute__((noinline, no_sanitize("address"), no_sanitize("thread"))) static int load(const void *at)
{
    return *(volatile const char *)at;
}

static void a_fault_is_told_by_whose_code_it_is(void **state)
{
    (void)state;
    char *closed = host_reserve(host_page_size());
    assert_int_equal(host_faults_start(look_at_pc), 0);
    if (sigsetjmp(back, 0) == 0)
        load(closed);
    assert_false(in_library);
    assert_int_equal(touched, (uintptr_t)closed);
    if (sigsetjmp(back, 0) == 0)
        host_object_close((host_object_t *)closed); /* reads its argument */
    assert_true(in_library);
    host_faults_stop();
    host_release(closed, host_page_size());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_knows_its_own_code),
        cmocka_unit_test(a_fault_is_told_by_whose_code_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
