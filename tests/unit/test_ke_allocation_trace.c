/*
 * test_ke_allocation_trace.c - who allocated what, and who freed it: in stop reports, in leak reports, and for who asks.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TAG 'ecrT'

static const ntmm_config TRACED = { .quiet = true, .stack_traces = UINT32_MAX };
static const ntmm_config A_FEW = { .quiet = true, .stack_traces = 10 };
static const ntmm_config PLAIN = { .quiet = true };

static char text[4096];

/* Whether something is known; to say what takes long, since another program finds the lines. */
static bool is_known(PVOID block) { return ntmm_describe_allocation(block, text, 1); }

static __attribute__((noinline)) PVOID driver_allocates(SIZE_T bytes)
{
    PVOID block = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
    assert_non_null(block);
    return block; /* no tail call */
}

static __attribute__((noinline)) int driver_frees(PVOID block)
{
    ExFreePoolWithTag(block, TAG);
    return 1;
}

/* How often the text names a place in this program. */
static unsigned places_here(const char *where)
{
    unsigned count = 0;
    for (const char *at = where; (at = strstr(at, "test_ke_allocation_trace")) != NULL; at++)
        count++;
    return count;
}

static void both_sides_are_known(void **state)
{
    static const SIZE_T SIZES[] = { 1, 100, 2000, PAGE_SIZE, 5 * PAGE_SIZE + 100 };
    (void)state;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        PVOID block = driver_allocates(SIZES[i]);
        if (i == 0) {
            assert_true(ntmm_describe_allocation(block, text, sizeof text));
            assert_null(strstr(text, "freed by"));
        }
        assert_true(is_known(block));
        driver_frees(block);
        assert_true(ntmm_describe_allocation(block, text, sizeof text));
        assert_ptr_equal(strstr(text, "        allocated by"), text);
        assert_true(places_here(text) >= 2 + places_here(strstr(text, "freed by"))); /* driver_allocates, and this test */
        assert_true(places_here(strstr(text, "freed by")) >= 2);
    }
}

static void an_address_that_is_used_again_has_a_new_past(void **state)
{
    (void)state;
    PVOID first = driver_allocates(64), again = NULL;
    driver_frees(first);
    for (int i = 0; i < 1000 && again != first; i++) /* tools keep freed blocks for a while */
        driver_frees(again = driver_allocates(64));
    if (again != first)
        skip();
    do
        again = driver_allocates(64);
    while (again != first && driver_frees(again));
    assert_true(ntmm_describe_allocation(again, text, sizeof text));
    assert_null(strstr(text, "freed by"));
    driver_frees(again);
}

static void what_is_not_known_is_not_made_up(void **state)
{
    int local = 0;
    (void)state;
    memset(text, 'x', 8);
    assert_false(ntmm_describe_allocation(&local, text, sizeof text));
    assert_string_equal(text, "");
    assert_false(ntmm_describe_allocation(NULL, text, sizeof text));
    PVOID block = driver_allocates(64);
    assert_false(ntmm_describe_allocation(block, text, 0));
    for (size_t bytes = 1; bytes <= 36; bytes += 5) {
        assert_true(ntmm_describe_allocation(block, text, bytes));
        assert_string_equal(text, ""); /* no half line */
    }
    driver_frees(block);
}

static void free_twice(void *block)
{
    driver_frees(block);
    driver_frees(block);
}

static void a_stop_report_tells_both_sides(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(free_twice, driver_allocates(64), &stop));
    assert_int_equal(stop.code, BAD_POOL_CALLER);
    assert_non_null(strstr(ntmm_stop_report(), "\n  allocated by"));
    assert_non_null(strstr(ntmm_stop_report(), "\n  freed by"));
}

static void a_leak_has_its_past_after_shutdown(void **state)
{
    static ntmm_report report;
    (void)state;
    assert_int_equal(ntmm_boot(&TRACED), 0);
    PVOID block = driver_allocates(64);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, block);
    assert_true(ntmm_describe_allocation(block, text, sizeof text));
    assert_true(places_here(text) >= 2);
    assert_int_equal(ntmm_boot(&TRACED), 0);
    assert_false(ntmm_describe_allocation(block, text, sizeof text));
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void without_it_nothing_is_kept(void **state)
{
    (void)state;
    assert_int_equal(ntmm_boot(&PLAIN), 0);
    PVOID block = driver_allocates(64);
    assert_false(ntmm_describe_allocation(block, text, sizeof text));
    driver_frees(block);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void the_environment_asks_for_it(void **state)
{
    (void)state;
    setenv("NTMM_STACK_TRACES", "perhaps", 1);
    assert_int_equal(ntmm_boot(&PLAIN), -EINVAL);
    assert_non_null(strstr(ntmm_error(), "NTMM_STACK_TRACES"));
    setenv("NTMM_STACK_TRACES", "on", 1);
    assert_int_equal(ntmm_boot(&PLAIN), 0);
    unsetenv("NTMM_STACK_TRACES");
    PVOID block = driver_allocates(64);
    assert_true(ntmm_describe_allocation(block, text, sizeof text));
    driver_frees(block);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* Where blocks lie does not depend on who watches. */
enum { BLOCKS = 3000 };
static void places_of_blocks(const ntmm_config *config, uint64_t *places)
{
    static PVOID held[64];
    uint64_t     random = 88172645463325252u;
    memset(held, 0, sizeof held);
    assert_int_equal(ntmm_boot(config), 0);
    for (size_t i = 0; i < BLOCKS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        PVOID *slot = &held[random % 64];
        if (*slot != NULL)
            driver_frees(*slot);
        *slot = driver_allocates(1 + (random >> 20) % 3000);
        places[i] = (uint64_t)MmGetPhysicalAddress(*slot).QuadPart;
    }
    for (size_t i = 0; i < 64; i++)
        if (held[i] != NULL)
            driver_frees(held[i]);
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void blocks_lie_where_they_would_lie_without(void **state)
{
    static uint64_t plain[BLOCKS], traced[BLOCKS];
    ntmm_config     config = PLAIN;
    (void)state;
    config.no_memory_tools = true;
    places_of_blocks(&config, plain);
    config.stack_traces = 1000;
    places_of_blocks(&config, traced);
    assert_memory_equal(plain, traced, sizeof plain);
}

/* The first so many; and what is told of an address is never that of an allocation before. */
static void no_more_than_was_asked_for(void **state)
{
    PVOID first[20];
    (void)state;
    for (int i = 0; i < 20; i++)
        first[i] = driver_allocates(200);
    for (int i = 0; i < 20; i++)
        assert_int_equal(is_known(first[i]), i < 10);
    for (int i = 0; i < 20; i++)
        driver_frees(first[i]);
    assert_true(ntmm_describe_allocation(first[0], text, sizeof text));
    assert_non_null(strstr(text, "freed by"));
    for (int i = 0; i < 20; i++)
        first[i] = driver_allocates(200);
    for (int i = 0; i < 20; i++)
        if (is_known(first[i]))
            fail_msg("the past of %p is that of another allocation", first[i]);
    for (int i = 0; i < 20; i++)
        driver_frees(first[i]);
}

/* More than there is room for: the newest have no trace, and nothing else happens. */
static void more_blocks_than_the_table_has_room_for(void **state)
{
    enum { MANY = 37000 };
    PVOID *blocks = calloc(MANY, sizeof *blocks);
    size_t known = 0;
    (void)state;
    assert_non_null(blocks);
    for (size_t i = 0; i < MANY; i++)
        blocks[i] = driver_allocates(16);
    for (size_t i = 0; i < MANY; i += 1000)
        known += is_known(blocks[i]);
    assert_in_range(known, 20, MANY / 1000);
    for (size_t i = 0; i < MANY; i++)
        driver_frees(blocks[i]);
    PVOID block = driver_allocates(16); /* what was freed makes room */
    assert_true(ntmm_describe_allocation(block, text, sizeof text));
    driver_frees(block);
    free(blocks);
}

static void *allocate_and_free(void *argument)
{
    PVOID held[16] = { 0 };
    for (size_t i = 0; i < 2000; i++) {
        size_t at = (i * 7 + (size_t)(uintptr_t)argument) % 16;
        if (held[at] != NULL)
            driver_frees(held[at]);
        held[at] = driver_allocates(32 + i % 200);
    }
    for (size_t i = 0; i < 16; i++)
        if (held[i] != NULL)
            driver_frees(held[i]);
    return NULL;
}

static void threads_share_the_table(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_and_free, (void *)i), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(both_sides_are_known, &TRACED),
        ntmm_cmocka_test_config(an_address_that_is_used_again_has_a_new_past, &TRACED),
        ntmm_cmocka_test_config(what_is_not_known_is_not_made_up, &TRACED),
        ntmm_cmocka_test_config(a_stop_report_tells_both_sides, &TRACED),
        cmocka_unit_test(a_leak_has_its_past_after_shutdown),
        cmocka_unit_test(without_it_nothing_is_kept),
        cmocka_unit_test(the_environment_asks_for_it),
        cmocka_unit_test(blocks_lie_where_they_would_lie_without),
        ntmm_cmocka_test_config(no_more_than_was_asked_for, &A_FEW),
        ntmm_cmocka_test_config(more_blocks_than_the_table_has_room_for, &TRACED),
        ntmm_cmocka_test_config(threads_share_the_table, &TRACED),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
