/*
 * test_mm_working_set.c - which page goes next, policy by policy, seen by what a walk through memory costs.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#include "mm/paging.h"

#define TAG NTMM_TAG("PgWs")
#define RAM 512u /* pages */

static uint64_t pte_of(const void *page) { return mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)page)]; }
static bool     is_out(const char *page) { return mm_pte_file_slot(pte_of(page)) != 0; }

static char *allocate(size_t pages)
{
    char *p = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, pages * PAGE_SIZE, TAG);
    assert_non_null(p);
    return p;
}
static void touch(char *p, size_t page) { ((volatile char *)p)[page * PAGE_SIZE] = 1; }

static void boot(enum ntmm_page_replacement policy, uint64_t seed)
{
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true,
                                               .physical_memory = RAM * (uint64_t)PAGE_SIZE,
                                               .page_file_size = 4 * RAM * (uint64_t)PAGE_SIZE,
                                               .page_replacement = policy,
                                               .seed = seed,
                                               .no_magazines = true }),
                     0);
}

/* One page is touched between any two others. Fault counts of a walk over twice as many pages as RAM has. */
static ntmm_fault_counts walk_with_a_favourite(enum ntmm_page_replacement policy, bool *favourite_was_out)
{
    ntmm_fault_counts faults;
    boot(policy, 1);
    char *p = allocate(2 * RAM + 1), *favourite = p + 2 * RAM * PAGE_SIZE;
    *favourite_was_out = false;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < 2 * RAM; i++) {
            touch(p, i * 401 % (2 * RAM)); /* no two in a row: nothing comes along */
            *favourite_was_out = *favourite_was_out || is_out(favourite);
            touch(favourite, 0);
        }
    ntmm_query_faults(&faults);
    assert_true(ntmm_check());
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    return faults;
}

static void the_clock_spares_what_is_in_use(void **state)
{
    (void)state;
    bool              out;
    ntmm_fault_counts faults = walk_with_a_favourite(NTMM_REPLACE_CLOCK, &out);
    assert_false(out);
    assert_true(faults.soft > 0); /* that is how it learned */
    assert_in_range(faults.hard, 3 * RAM, 4 * RAM);
}

static void first_in_first_out_spares_nobody(void **state)
{
    (void)state;
    bool out;
    walk_with_a_favourite(NTMM_REPLACE_FIFO, &out);
    assert_true(out);
}

/* With FIFO and a cyclic walk of one page more than fits, every touch misses: the page that is needed next went last. Random keeps some. */
static uint64_t hard_faults_of_cyclic_walk(enum ntmm_page_replacement policy, uint64_t seed)
{
    ntmm_fault_counts before, after;
    boot(policy, seed);
    size_t pages = RAM + RAM / 8;
    char  *p = allocate(pages);
    for (size_t i = 0; i < pages; i++)
        touch(p, i * 5 % pages);
    ntmm_query_faults(&before);
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < pages; i++)
            touch(p, i * 5 % pages);
    ntmm_query_faults(&after);
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    return after.hard - before.hard;
}

static void random_beats_fifo_in_a_loop(void **state)
{
    (void)state;
    uint64_t fifo = hard_faults_of_cyclic_walk(NTMM_REPLACE_FIFO, 1), first = hard_faults_of_cyclic_walk(NTMM_REPLACE_RANDOM, 1);
    assert_true(fifo > 4 * RAM);
    assert_true(first < fifo * 3 / 4);
    assert_int_equal(hard_faults_of_cyclic_walk(NTMM_REPLACE_RANDOM, 1), first); /* the seed decides */
    uint64_t second = hard_faults_of_cyclic_walk(NTMM_REPLACE_RANDOM, 2), third = hard_faults_of_cyclic_walk(NTMM_REPLACE_RANDOM, 3);
    assert_true(second != first || third != first);
}

static void fifo_puts_out_the_oldest(void **state)
{
    (void)state;
    boot(NTMM_REPLACE_FIFO, 0);
    char *p = allocate(RAM);
    for (size_t i = 0; i < RAM; i++)
        touch(p, i * 37 % RAM);
    char *more = allocate(40);
    for (size_t i = 0; i < 40; i += 2)
        touch(more, i);
    size_t out = 0;
    while (out < RAM && is_out(p + out * 37 % RAM * PAGE_SIZE))
        out++;
    assert_in_range(out, 15, 60);
    for (size_t i = out + MM_CLUSTER; i < RAM; i++) /* those that follow are there, but for what was trimmed or written with the others */
        if (i > out + 4 * MM_CLUSTER)
            assert_false(is_out(p + i * 37 % RAM * PAGE_SIZE));
    ExFreePoolWithTag(p, TAG);
    ExFreePoolWithTag(more, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void a_pinned_page_stays(void **state)
{
    (void)state;
    boot(NTMM_REPLACE_CLOCK, 0);
    char *p = allocate(3);
    memset(p, 1, 3 * PAGE_SIZE);
    mm_pfn_t *entry = mm_pfn_entry(mm_pte_pfn(pte_of(p + PAGE_SIZE)));
    atomic_store(&entry->pins, 1);
    ntmm_trim_pageable();
    ntmm_page_out();
    assert_true(mm_pte_is_valid(pte_of(p + PAGE_SIZE)));
    assert_true(is_out(p) && is_out(p + 2 * PAGE_SIZE));
    assert_true(ntmm_check());
    atomic_store(&entry->pins, 0);
    assert_int_equal(ntmm_page_out(), 1);
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void the_working_set_manager_waits_until_memory_is_short(void **state)
{
    (void)state;
    boot(NTMM_REPLACE_CLOCK, 0);
    char *p = allocate(RAM);
    for (size_t i = 0; i < RAM / 2; i++)
        touch(p, i);
    uint64_t          before = mm_working_set.count;
    ntmm_memory_usage usage;
    ntmm_balance_scan();
    assert_int_equal(mm_working_set.count, before);
    for (size_t i = 0; i < RAM; i++)
        touch(p, i);
    before = mm_working_set.count;
    ntmm_balance_scan();
    assert_true(mm_working_set.count < before);
    ntmm_query_memory(&usage);
    assert_true(usage.standby > 0);
    assert_int_equal(usage.modified, 0);
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static int tear_down(void **state)
{
    (void)state;
    ntmm_shutdown(NULL);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_clock_spares_what_is_in_use),
        TEST(first_in_first_out_spares_nobody),
        TEST(random_beats_fifo_in_a_loop),
        TEST(fifo_puts_out_the_oldest),
        TEST(a_pinned_page_stays),
        TEST(the_working_set_manager_waits_until_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
