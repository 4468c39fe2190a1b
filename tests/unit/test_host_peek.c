/* test_host_peek.c - a word that is there, one that is not, and one that comes and goes while it is read. */
#include "host/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char            *page; /* a reservation of two */
static _Atomic unsigned resumed, refused;

static host_fault_verdict_t on_fault(host_fault_t *fault)
{
    if (fault->address - (uintptr_t)page >= 2 * host_page_size())
        return HOST_FAULT_NOT_OURS;
    if (!host_peek_resume(fault)) {
        atomic_fetch_add(&refused, 1);
        return HOST_FAULT_NOT_OURS;
    }
    atomic_fetch_add(&resumed, 1);
    return HOST_FAULT_RESOLVED;
}

static int open_page(void **state)
{
    (void)state;
    page = host_reserve(2 * host_page_size());
    atomic_store(&resumed, 0);
    atomic_store(&refused, 0);
    return page == NULL ? -1 : host_faults_start(on_fault);
}

static int close_page(void **state)
{
    (void)state;
    host_faults_stop();
    host_release(page, 2 * host_page_size());
    return atomic_load(&refused) == 0 ? 0 : -1;
}

static void a_word_that_is_there(void **state)
{
    uintptr_t     word = 0x1234567890abcdef, none = 0;
    host_peeked_t peeked = host_peek_word(&word);

    (void)state;
    assert_int_equal(peeked.there, 1);
    assert_int_equal(peeked.value, word);
    peeked = host_peek_word(&none);
    assert_int_equal(peeked.there, 1);
    assert_int_equal(peeked.value, 0);
    assert_int_equal(atomic_load(&resumed), 0);
}

static void a_word_that_is_not_there(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 1000; i++) {
        host_peeked_t peeked = host_peek_word(page + 8 * (i % 64));
        assert_int_equal(peeked.there, 0);
        assert_int_equal(peeked.value, 0);
        assert_int_equal(atomic_load(&resumed), i);
    }
}

static void a_word_that_comes_and_goes(void **state)
{
    (void)state;
    for (uintptr_t i = 1; i <= 100; i++) {
        assert_int_equal(host_protect(page, host_page_size(), HOST_READ | HOST_WRITE), 0);
        *(volatile uintptr_t *)page = i;
        assert_int_equal(host_peek_word(page).value, i);
        assert_int_equal(host_protect(page, host_page_size(), HOST_NONE), 0);
        assert_int_equal(host_peek_word(page).there, 0);
    }
    assert_int_equal(atomic_load(&resumed), 100);
}

/* The second half lies on a page that is not there. */
static void a_word_across_the_edge(void **state)
{
    (void)state;
    assert_int_equal(host_protect(page, host_page_size(), HOST_READ | HOST_WRITE), 0);
    assert_int_equal(host_peek_word(page + host_page_size() - 8).there, 1);
    assert_int_equal(host_peek_word(page + host_page_size() - 4).there, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_word_that_is_there, open_page, close_page),
        cmocka_unit_test_setup_teardown(a_word_that_is_not_there, open_page, close_page),
        cmocka_unit_test_setup_teardown(a_word_that_comes_and_goes, open_page, close_page),
        cmocka_unit_test_setup_teardown(a_word_across_the_edge, open_page, close_page),
    };
    return cmocka_run_group_tests_name("host peek", tests, NULL, NULL);
}
