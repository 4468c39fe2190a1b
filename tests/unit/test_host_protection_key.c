/*
 * test_host_protection_key.c - memory that is closed to one thread alone. Where the host has no protection keys that is said, and nothing happens.
 */
#include "host/page_gate.h"
#include "host/protection_key.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/protection_key.h"

static size_t           page;
static char            *pages; /* two, both under the key; a third that is not */
static _Atomic unsigned by_key, other;
static bool             has_key;

static __attribute__((noinline, no_sanitize("address", "thread"))) char load(const volatile char *p) { return *p; }
static __attribute__((noinline, no_sanitize("address", "thread"))) void store(volatile char *p, char value) { *p = value; }

static host_fault_verdict_t open_it(host_fault_t *fault)
{
    if (fault->address - (uintptr_t)pages >= 3 * page)
        return HOST_FAULT_NOT_OURS;
    if (!fault->by_key) {
        atomic_fetch_add(&other, 1);
        host_protect((void *)(fault->address & ~(uintptr_t)(page - 1)), page, HOST_READ | HOST_WRITE);
        return HOST_FAULT_RESOLVED;
    }
    atomic_fetch_add(&by_key, 1);
    return host_key_open_interrupted(fault) ? HOST_FAULT_RESOLVED : HOST_FAULT_NOT_OURS;
}

static int make_pages(void **state)
{
    (void)state;
    page = host_page_size();
    pages = host_reserve(3 * page);
    atomic_store(&by_key, 0);
    atomic_store(&other, 0);
    has_key = host_key_take();
    host_key_use(has_key);
    if (has_key && host_key_cover(pages, 2 * page, HOST_READ | HOST_WRITE, true) != 0)
        return -1;
    return pages == NULL ? -1 : host_faults_start(open_it);
}

static int release_pages(void **state)
{
    (void)state;
    host_faults_stop();
    host_key_open();
    host_key_use(false);
    host_release(pages, 3 * page);
    return 0;
}

#define NEEDS_KEY() \
    do { \
        if (!has_key) \
            skip(); \
    } while (0)

static void there_is_one_where_the_kernel_has_them(void **state)
{
    (void)state;
    assert_int_equal(has_key, kernel_has_keys());
}

static void a_closed_key_is_told_from_a_closed_page(void **state)
{
    (void)state;
    NEEDS_KEY();
    store(pages, 1);
    assert_int_equal(by_key, 0);
    host_key_close();
    assert_int_equal(load(pages), 1);
    assert_int_equal(by_key, 1);
    assert_int_equal(load(pages), 1); /* opened for good by the handler */
    assert_int_equal(by_key, 1);
    host_key_close();
    store(pages + 2 * page, 1); /* not under the key */
    assert_int_equal(by_key, 1);
    assert_int_equal(other, 1);
    host_protect(pages, page, HOST_NONE); /* the key stays, and comes first */
    store(pages, 2);
    assert_int_equal(by_key, 2);
    assert_int_equal(other, 2);
    host_key_close();
    host_key_open();
    assert_int_equal(load(pages), 2);
    assert_int_equal(by_key, 2);
}

static void *touch_in_another_thread(void *closes)
{
    if (closes != NULL)
        host_key_close();
    store(pages + page, 3);
    return NULL;
}

static void each_thread_has_its_own(void **state)
{
    (void)state;
    pthread_t thread;
    NEEDS_KEY();
    pthread_create(&thread, NULL, touch_in_another_thread, pages);
    pthread_join(thread, NULL);
    assert_int_equal(by_key, 1);
    assert_int_equal(load(pages + page), 3);
    assert_int_equal(by_key, 1);
    host_key_close();
    pthread_create(&thread, NULL, touch_in_another_thread, NULL); /* inherits it */
    pthread_join(thread, NULL);
    assert_int_equal(by_key, 2);
    assert_int_equal(load(pages + page), 3);
    assert_int_equal(by_key, 3);
}

static void touch_in_a_handler(int signal)
{
    (void)signal;
    store(pages, 4);
}

static void signal_handlers_begin_with_it_closed(void **state)
{
    (void)state;
    struct sigaction action = { .sa_handler = touch_in_a_handler }, before;
    NEEDS_KEY();
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    assert_int_equal(by_key, 1);
    assert_int_equal(load(pages), 4); /* and what was interrupted goes on as it was */
    assert_int_equal(by_key, 1);
    host_key_close();
    raise(SIGUSR1);
    assert_int_equal(by_key, 2);
    assert_int_equal(load(pages), 4);
    assert_int_equal(by_key, 3);
    sigaction(SIGUSR1, &before, NULL);
}

static sigjmp_buf out;
static void       leave_by_jump(int signal)
{
    (void)signal;
    siglongjmp(out, 1);
}

static void who_leaves_a_handler_by_a_jump_is_served(void **state)
{
    (void)state;
    struct sigaction action = { .sa_handler = leave_by_jump }, before;
    NEEDS_KEY();
    sigaction(SIGUSR1, &action, &before);
    if (sigsetjmp(out, 1) == 0)
        raise(SIGUSR1);
    store(pages, 5);
    assert_int_equal(by_key, 1);
    sigaction(SIGUSR1, &before, NULL);
}

static void system_calls_count_as_the_threads_own(void **state)
{
    (void)state;
    int  ends[2];
    char copy = 0;
    NEEDS_KEY();
    store(pages, 6);
    assert_int_equal(pipe(ends), 0);
    host_key_close();
    assert_int_equal(write(ends[1], pages, 1), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(host_copy_safely(&copy, pages, 1), 1); /* as another process would read */
    assert_int_equal(copy, 6);
    host_key_open();
    assert_int_equal(write(ends[1], pages, 1), 1);
    assert_int_equal(by_key, 0);
    close(ends[0]);
    close(ends[1]);
}

/* ---- a fault that ordinary code serves, which changes the register meanwhile ---- */

static void close_the_key_and_go_on(void *kept)
{
    host_registers_t registers;
    host_protect(pages + 2 * page, page, HOST_READ | HOST_WRITE);
    host_key_close();
    host_interrupted_registers(kept, &registers);
    host_interrupted_go_on(kept, &registers);
}

static host_fault_verdict_t serve_outside(host_fault_t *fault)
{
    if (fault->address - (uintptr_t)pages >= 3 * page)
        return HOST_FAULT_NOT_OURS;
    if (fault->by_key)
        return open_it(fault);
    host_fault_redirect_resumable(fault, close_the_key_and_go_on);
    return HOST_FAULT_REDIRECT;
}

static void what_is_interrupted_keeps_the_newer_register(void **state)
{
    (void)state;
    NEEDS_KEY();
    host_faults_stop();
    assert_int_equal(host_faults_start(serve_outside), 0);
    store(pages, 7);
    store(pages + 2 * page, 8);
    assert_int_equal(by_key, 0);
    assert_int_equal(load(pages), 7);
    assert_int_equal(by_key, 1);
    assert_int_equal(load(pages + 2 * page), 8);
}

/* ---- a gate under the key ---- */

static void play_with_gate(enum host_gate_kind kind)
{
    host_object_t object;
    host_gate_t   gate;
    size_t        bytes = 8 * page;
    char         *base = host_reserve(bytes), *alias = host_reserve(bytes);
    assert_int_equal(host_object_create(&object, bytes, HOST_OBJECT_BEST), 0);
    int status = host_gate_create(&gate, &object, 0, base, alias, bytes, kind, 100);
    assert_int_equal(status, 0);
    alias[2 * page] = 1;
    assert_true(host_gate_open(&gate, 2 * page, page, true) >= 0);
    assert_int_equal(host_gate_open_zero(&gate, 3 * page, 2 * page), 0);
    assert_int_equal(host_gate_cover(&gate, true), 0);
    pages = base; /* for the handler */
    assert_int_equal(load(base + 2 * page), 1);
    assert_int_equal(by_key, 0);
    host_key_close();
    assert_int_equal(load(base + 2 * page), 1);
    assert_int_equal(by_key, 1);
    host_key_close();
    assert_int_equal(host_gate_cover_page(&gate, 2 * page, page, false), 0);
    assert_int_equal(load(base + 2 * page), 1);
    assert_int_equal(by_key, 1);
    assert_int_equal(host_gate_cover_page(&gate, 2 * page, page, true), 0);
    host_gate_close(&gate, 2 * page, page);
    assert_int_equal(host_gate_open(&gate, 2 * page, page, true), 0);
    assert_int_equal(load(base + 2 * page), 1); /* opening and closing leave the key */
    assert_int_equal(by_key, 2);
    host_key_close();
    assert_int_equal(host_gate_cover(&gate, false), 0);
    assert_int_equal(load(base + 2 * page), 1);
    assert_int_equal(by_key, 2);
    host_key_open();
    host_gate_destroy(&gate);
    host_object_close(&object);
    host_release(base, bytes);
    host_release(alias, bytes);
}

static void gates_go_under_it(void **state)
{
    (void)state;
    char *own = pages;
    NEEDS_KEY();
    play_with_gate(HOST_GATE_BEST);
    atomic_store(&by_key, 0);
    play_with_gate(HOST_GATE_PROTECT);
    pages = own;
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, make_pages, release_pages)
    const struct CMUnitTest tests[] = {
        ROW(there_is_one_where_the_kernel_has_them),
        ROW(a_closed_key_is_told_from_a_closed_page),
        ROW(each_thread_has_its_own),
        ROW(signal_handlers_begin_with_it_closed),
        ROW(who_leaves_a_handler_by_a_jump_is_served),
        ROW(system_calls_count_as_the_threads_own),
        ROW(what_is_interrupted_keeps_the_newer_register),
        ROW(gates_go_under_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
