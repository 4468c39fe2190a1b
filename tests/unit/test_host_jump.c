/*
 * test_host_jump.c - places to come back to; the walk over the calls; an instruction that goes on after its signal frame is gone; memory
 * that ends with its thread.
 */
#include "host/host.h"
#include "host/jump.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define APART __attribute__((noinline))

/* ---- jumps ---- */

static host_jump_t place;

static APART void jump_from_below(int depth, int value)
{
    void (*volatile deeper)(int, int) = jump_from_below;
    if (depth > 0)
        deeper(depth - 1, value);
    host_jump_to(&place, value);
}

static void comes_back_with_a_value(void **state)
{
    volatile int times = 0;
    (void)state;
    place.first = 77;
    int value = host_jump_save(&place);
    if (times == 0)
        assert_int_equal(value, 77);
    else
        assert_int_equal(value, times);
    times++;
    if (times < 10)
        jump_from_below(times, times);
}

/* Registers that a call preserves hold these variables, if anything does. */
static APART long long preserved(long long a, long long b, long long c, double x)
{
    host_jump_t   here = { .first = 0 };
    volatile bool again = false;
    long long     p = a * 3, q = b * 5, r = c * 7, s = a + b, t = b + c;
    double        y = x * 2;
    if (host_jump_save(&here) == 0) {
        again = true;
        host_jump_to(&here, 1);
    }
    assert_true(again);
    return p + q + r + s + t + (long long)y;
}

static void what_calls_preserve_is_preserved(void **state)
{
    (void)state;
    assert_int_equal(preserved(1, 2, 3, 4.5), 3 + 10 + 21 + 3 + 5 + 9);
}

static host_jump_t   back;
static volatile char own[64]; /* the bytes on the stack that must survive */

static APART void call_below(const host_jump_t *piece)
{
    char mine[64];
    memset(mine, 0x5a, sizeof mine);
    back.first = 0;
    if (host_jump_save(&back) == 0)
        host_jump_below(piece, 1);
    for (size_t i = 0; i < sizeof mine; i++)
        own[i] = mine[i];
}

static APART void use_the_stack(int depth)
{
    volatile char bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)depth;
    if (depth > 0)
        use_the_stack(depth - 1);
}

/* What the compiler cannot rule out is never executed: with it the function does without its stack pointer. */
static volatile size_t never;

#if defined(__clang__)
__attribute__((optnone))
#else
__attribute__((optimize("O0")))
#endif
static APART int
function_in_two_pieces(int parameter)
{
    host_jump_t piece = { .first = 0 };
    int         local = parameter + 1;
    if (never != 0)
        memset(__builtin_alloca(never), 0, never);
    if (host_jump_save(&piece) == 0) {
        local = 10;
        call_below(&piece);
        return local;
    }
    use_the_stack(3); /* the second piece, on the far side of call_below */
    local += parameter;
    host_jump_to(&back, 1);
}

static void a_piece_runs_below_who_asks(void **state)
{
    (void)state;
    assert_int_equal(function_in_two_pieces(5), 15);
    for (size_t i = 0; i < sizeof own; i++)
        assert_int_equal(own[i], 0x5a);
}

/* ---- the walk ---- */

typedef struct trace {
    uintptr_t pc[64], sp[64];
    size_t    count, limit;
} trace_t;

static bool add_call(uintptr_t pc, uintptr_t sp, void *context)
{
    trace_t *trace = context;
    trace->pc[trace->count] = pc;
    trace->sp[trace->count] = sp;
    return ++trace->count < trace->limit;
}

static APART int walk_from_below(int depth, trace_t *trace, uintptr_t *frames)
{
    frames[depth] = (uintptr_t)__builtin_frame_address(0);
    if (depth > 0)
        return walk_from_below(depth - 1, trace, frames) + 1;
    host_walk_calls(add_call, trace);
    return 0;
}

static void frames_lie_between_stack_pointers(void **state)
{
    trace_t   trace = { .limit = 64 };
    uintptr_t frames[5];
    (void)state;
    assert_int_equal(walk_from_below(4, &trace, frames), 4);
    assert_true(trace.count > 6);
    for (size_t i = 1; i < trace.count; i++)
        assert_true(trace.sp[i] > trace.sp[i - 1]);
    for (size_t depth = 0; depth < 5; depth++) {
        size_t holders = 0;
        for (size_t i = 0; i + 1 < trace.count; i++)
            if (trace.sp[i] <= frames[depth] && frames[depth] < trace.sp[i + 1]) {
                holders++;
                assert_in_range(trace.pc[i], (uintptr_t)walk_from_below, (uintptr_t)walk_from_below + 1024);
            }
        assert_int_equal(holders, 1);
    }
    trace = (trace_t){ .limit = 2 };
    walk_from_below(4, &trace, frames);
    assert_int_equal(trace.count, 2);
}

/* ---- back to an instruction ---- */

#define UNINSTRUMENTED __attribute__((noinline, no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

static char    *pages;
static unsigned redirected;
static bool     elsewhere; /* the registers are changed on the way back */
static char     other_byte = 42;

static void open_and_go_on(void *interrupted)
{
    host_registers_t registers;
    redirected++;
    host_interrupted_registers(interrupted, &registers);
    assert_in_range(registers.sp, (uintptr_t)interrupted, (uintptr_t)interrupted + 65536);
    if (elsewhere) {
        for (size_t i = 0; i < 31; i++)
            if (registers.general[i] == (uintptr_t)pages + 8)
                registers.general[i] = (uintptr_t)&other_byte;
    } else {
        assert_int_equal(host_protect(pages, host_page_size(), HOST_READ | HOST_WRITE), 0);
    }
    host_interrupted_go_on(interrupted, &registers);
}

static host_fault_verdict_t redirect(host_fault_t *fault)
{
    if (fault->address - (uintptr_t)pages >= host_page_size())
        return HOST_FAULT_NOT_OURS;
    host_fault_redirect_resumable(fault, open_and_go_on);
    return HOST_FAULT_REDIRECT;
}

UNINSTRUMENTED static int load(const char *at) { return *(const volatile char *)at; }

static void instruction_goes_on(void **state)
{
    (void)state;
    pages = host_reserve(host_page_size());
    assert_non_null(pages);
    assert_int_equal(host_faults_start(redirect), 0);
    redirected = 0;
    elsewhere = true;
    assert_int_equal(load(pages + 8), 42);
    elsewhere = false;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(load(pages + 16), 0);
        assert_int_equal(host_protect(pages, host_page_size(), HOST_NONE), 0);
    }
    assert_int_equal(redirected, 4);
    host_faults_stop();
    host_release(pages, host_page_size());
}

/* ---- memory of a thread ---- */

static _Atomic unsigned forgotten;
static void             forget(void) { atomic_fetch_add(&forgotten, 1); }

static void *use_memory(void *unused)
{
    char *memory = host_thread_memory(forget);
    bool  zero = memory != NULL;
    (void)unused;
    for (size_t i = 0; zero && i < HOST_THREAD_MEMORY; i++)
        zero = memory[i] == 0;
    if (zero)
        memset(memory, 1, HOST_THREAD_MEMORY);
    return (void *)(uintptr_t)zero;
}

static void memory_ends_with_its_thread(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        pthread_t thread;
        void     *good = NULL;
        assert_int_equal(pthread_create(&thread, NULL, use_memory, NULL), 0);
        pthread_join(thread, &good);
        assert_non_null(good);
        assert_int_equal(forgotten, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_with_a_value),     cmocka_unit_test(what_calls_preserve_is_preserved),
        cmocka_unit_test(a_piece_runs_below_who_asks), cmocka_unit_test(frames_lie_between_stack_pointers),
        cmocka_unit_test(instruction_goes_on),         cmocka_unit_test(memory_ends_with_its_thread),
    };
    host_thread_faults_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
