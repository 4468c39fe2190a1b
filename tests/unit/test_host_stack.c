/*
 * test_host_stack.c - a function is called on another stack: arguments, alignment, registers, unwinding, jumps out of it, bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "host/host.h"
#include "host/jump.h"
#include "host/stack.h"

static _Alignas(16) char stack[128 * 1024], second[128 * 1024];
#define TOP(of) ((of) + sizeof(of))
#define FRAME ((uintptr_t)__builtin_frame_address(0))
#define APART __attribute__((noinline))

static bool is_on(const char *on, uintptr_t address) { return address - (uintptr_t)on < sizeof stack; }

/* AddressSanitizer is told, as ke does it. */
typedef struct call {
    host_stack_seen_t seen;
    void (*body)(void *);
    void *argument;
} call_t;
static void arrive(void *context)
{
    call_t *call = context;
    host_stack_arrived(&call->seen);
    call->body(call->argument);
    host_stack_returning(&call->seen);
}
static APART void call_on(char *on, void (*body)(void *), void *argument)
{
    call_t call = { .body = body, .argument = argument };
    host_stack_leaving(&call.seen, (uintptr_t)on, sizeof stack);
    host_stack_call(on + sizeof stack, arrive, &call);
    host_stack_returned(&call.seen);
}

static void look(void *out)
{
    _Alignas(16) volatile char local[16];
    uintptr_t                 *seen = out;
    local[0] = 1;
    seen[0] = FRAME;
    seen[1] = (uintptr_t)local % 16 + (uintptr_t)local[0] - 1;
}

static void runs_there_and_comes_back(void **state)
{
    uintptr_t seen[2];
    (void)state;
    for (int i = 0; i < 3; i++) {
        call_on(stack, look, seen);
        assert_true(is_on(stack, seen[0]));
        assert_int_equal(seen[1], 0);
    }
}

static void go_on(void *out) { call_on(second, look, out); }

static void from_one_to_the_next(void **state)
{
    uintptr_t seen[2];
    (void)state;
    call_on(stack, go_on, seen);
    assert_true(is_on(second, seen[0]));
}

static volatile double one = 1;

static APART double with_everything_in_registers(uintptr_t *seen)
{
    double   a = one * 2, b = one * 3, c = one * 5;
    unsigned d = (unsigned)one * 7, e = (unsigned)one * 11, f = (unsigned)one * 13, g = (unsigned)one * 17, h = (unsigned)one * 19;
    call_on(stack, look, seen);
    return a * b * c * d * e * f * g * h;
}

static void registers_are_kept(void **state)
{
    uintptr_t seen[2];
    (void)state;
    assert_true(with_everything_in_registers(seen) == 2. * 3 * 5 * 7 * 11 * 13 * 17 * 19);
}

/* ---- who called ---- */

typedef struct seen_calls {
    unsigned there, here;
    bool     came_back;
} seen_calls_t;

static bool see_call(uintptr_t pc, uintptr_t sp, void *context)
{
    seen_calls_t *seen = context;
    (void)pc;
    if (is_on(stack, sp - 1))
        seen->there++;
    else if (seen->there != 0)
        seen->here++;
    return true;
}
static APART void walk(void *seen) { host_walk_calls(see_call, seen); }

static void unwinders_cross(void **state)
{
    seen_calls_t seen = { 0 };
    (void)state;
    call_on(stack, walk, &seen);
    assert_true(seen.there >= 2);
    assert_true(seen.here >= 3); /* this test, cmocka, main */
}

/* ---- jumps ---- */

static host_jump_t place;
static void        jump_back(void *call)
{
    host_stack_returning(&((call_t *)call)->seen);
    host_jump_to(&place, 7);
}

static void jumps_back(void **state)
{
    static call_t call;
    (void)state;
    call.body = jump_back;
    call.argument = &call;
    place.first = 0;
    int value = host_jump_save(&place);
    if (value == 0) {
        host_stack_leaving(&call.seen, (uintptr_t)stack, sizeof stack);
        host_stack_call(TOP(stack), arrive, &call);
    }
    host_stack_returned(&call.seen);
    host_stack_wipe((uintptr_t)stack, sizeof stack);
    assert_int_equal(value, 7);
}

/* ---- bounds ---- */

static void *ask(void *unused)
{
    uintptr_t low = 0, high = 0;
    (void)unused;
    assert_true(host_stack_bounds(&low, &high));
    assert_true(low < FRAME && FRAME < high);
    assert_true(high - low >= 16384);
    return (void *)high;
}

static void bounds_of_a_thread(void **state)
{
    pthread_t thread;
    void     *there;
    (void)state;
    void *here = ask(NULL);
    assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
    pthread_join(thread, &there);
    assert_ptr_not_equal(here, there);
}

static void tools_may_be_told(void **state)
{
    (void)state;
    unsigned number = host_stack_register((uintptr_t)stack, (uintptr_t)TOP(stack));
    host_stack_forget(number);
    assert_true(host_stack_factor() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_there_and_comes_back), cmocka_unit_test(from_one_to_the_next), cmocka_unit_test(registers_are_kept),
        cmocka_unit_test(unwinders_cross),           cmocka_unit_test(jumps_back),           cmocka_unit_test(bounds_of_a_thread),
        cmocka_unit_test(tools_may_be_told),

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
