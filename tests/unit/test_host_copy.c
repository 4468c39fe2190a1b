/*
 * test_host_copy.c - host_copy_safely over holes, NULL and wild pointers: how many bytes came, and that nothing else happened.
 * Each row runs three times: with no handler, with faults armed, and through the pipe that sandboxes leave us.
 */
#include "host/fallback.h"
#include "host/host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef size_t (*copy_t)(void *, const void *, size_t);

static host_fault_verdict_t no_fault_expected(host_fault_t *fault)
{
    (void)fault;
    abort();
}

/* pages: 0 and 1 open, 2 closed, 3 read-only */
static char *make_pages(void)
{
    size_t page = host_page_size();
    char  *at = host_reserve(4 * page);
    assert_int_equal(host_protect(at, 4 * page, HOST_READ | HOST_WRITE), 0);
    for (size_t i = 0; i < 4 * page; i++)
        at[i] = (char)(i * 7);
    assert_int_equal(host_protect(at + 2 * page, page, HOST_NONE), 0);
    assert_int_equal(host_protect(at + 3 * page, page, HOST_READ), 0);
    return at;
}

static void check_copies(copy_t copy)
{
    size_t page = host_page_size();
    char  *pages = make_pages(), *buffer = malloc(4 * page);
    errno = 77;
    assert_int_equal(copy(buffer, pages + 3, 100), 100);
    assert_memory_equal(buffer, pages + 3, 100);
    assert_int_equal(copy(buffer, pages, 2 * page), 2 * page);
    assert_memory_equal(buffer, pages, 2 * page);
    assert_int_equal(copy(buffer + 5, pages + page + 10, 2 * page), page - 10); /* up to the hole, both sides askew */
    assert_memory_equal(buffer + 5, pages + page + 10, page - 10);
    assert_int_equal(copy(buffer, pages + 2 * page, 1), 0);
    assert_int_equal(copy(pages + page - 3, buffer, page + 10), page + 3); /* the hole at the other end */
    assert_int_equal(copy(pages + 3 * page, buffer, 8), 0);
    assert_int_equal(copy(buffer, pages + 3 * page, 8), 8);
    assert_int_equal(copy(buffer, NULL, 8), 0);
    assert_int_equal(copy(NULL, buffer, 8), 0);
    assert_int_equal(copy(buffer, (void *)0xdead000, 8), 0);
    assert_int_equal(copy(buffer, (void *)0xfff0800000000000u, 8), 0); /* non-canonical on x86-64 */
    assert_int_equal(copy(buffer, (void *)~(uintptr_t)3, 8), 0);       /* the end of the address space */
    assert_int_equal(copy(buffer, pages, 0), 0);
    if (copy == host_copy_safely)
        assert_int_equal(errno, 77);
    free(buffer);
    host_release(pages, 4 * page);
}

static void without_a_handler(void **state)
{
    (void)state;
    check_copies(host_copy_safely);
}

static void with_faults_armed(void **state)
{
    (void)state;
    assert_int_equal(host_faults_start(no_fault_expected), 0);
    check_copies(host_copy_safely);
    host_faults_stop();
}

#ifdef __linux__
static void through_a_pipe(void **state)
{
    (void)state;
    check_copies(host_copy_through_pipe);
}
#endif

static void long_copies_take_several_calls(void **state)
{
    (void)state;
    const size_t bytes = 300 * host_page_size();
    char        *from = malloc(bytes), *to = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        from[i] = (char)(i % 251);
    memset(to, 0, bytes);
    assert_int_equal(host_copy_safely(to, from, bytes), bytes);
    assert_memory_equal(to, from, bytes);
    free(from);
    free(to);
}

static void copy_once(void *result)
{
    char byte;
    *(size_t *)result = host_copy_safely(&byte, (void *)8, 1) + 10;
}

static void on_a_new_thread(void **state)
{
    (void)state;
    host_thread_t *thread;
    size_t         result = 0;
    assert_int_equal(host_thread_start(&thread, copy_once, &result), 0);
    host_thread_join(thread);
    assert_int_equal(result, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_handler),
        cmocka_unit_test(with_faults_armed),
#ifdef __linux__
        cmocka_unit_test(through_a_pipe),
#endif
        cmocka_unit_test(long_copies_take_several_calls),
        cmocka_unit_test(on_a_new_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
