/*
 * test_ex_pool_big.c - allocations of whole pages and the table of their tags: what is seen when the table is full.
 */
#include <ntmm/cmocka.h>

#include <errno.h>

#include "ex/pool_big_table.h"
#include "ex/pool_header.h"

#define TAG NTMM_TAG("Big1")
#define OTHER NTMM_TAG("Oops")
#define BIG NTMM_TAG("BIG ")

static const ntmm_config TABLE = { .quiet = true, .big_page_table_entries = 64 };
static const ntmm_config ROUNDED = { .quiet = true, .big_page_table_entries = 65, .no_magazines = true };
static const ntmm_config TINY = { .quiet = true, .big_page_table_entries = 1, .no_magazines = true };

static void *take(POOL_TYPE type, size_t bytes)
{
    void *pages = ExAllocatePoolWithTag(type, bytes, TAG);
    assert_non_null(pages);
    return pages;
}
static void check(void)
{
    if (!ntmm_check())
        fail_msg("%s", ntmm_error());
}
static uint64_t live(ULONG tag, POOL_TYPE type)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(tag, type, &usage) ? usage.allocs - usage.frees : 0;
}

static void *block[100];
static void  fill(void)
{
    for (unsigned i = 0; i < 64; i++)
        block[i] = take(i % 3 == 0 ? PagedPool : NonPagedPoolNx, PAGE_SIZE * (1 + i % 2));
}
static void empty(void)
{
    for (unsigned i = 0; i < 64; i++)
        ExFreePoolWithTag(block[i], TAG);
}

static void sixty_four_entries_at_least_and_a_power_of_two(void **state)
{
    (void)state;
    bool rounded = ntmm_cmocka_config == &ROUNDED;
    assert_int_equal(ex_big_table_counts().entries, rounded ? 128 : 64);
    assert_int_equal(ex_big_table_counts().used, 0);
}

static void an_entry_comes_and_goes_with_its_allocation(void **state)
{
    (void)state;
    char *pages = take(NonPagedPoolNx, 3 * PAGE_SIZE), *shared = take(PagedPool, PAGE_SIZE + 100), *small = take(PagedPool, 100);
    assert_int_equal(ex_big_table_counts().used, 2);
    assert_int_equal(ex_big_table_tag(pages), TAG);
    assert_int_equal(ex_big_table_tag(shared), TAG);
    assert_int_equal(ex_big_table_tag(pages + PAGE_SIZE), 0);
    check();
    ExFreePool(pages);
    assert_int_equal(ex_big_table_counts().used, 1);
    assert_int_equal(ex_big_table_tag(pages), 0);
    check();
    ExFreePoolWithTag(shared, TAG);
    ExFreePool(small);
    assert_int_equal(ex_big_table_counts().used, 0);
    check();
}

static void the_65th_goes_on_under_big(void **state)
{
    (void)state;
    fill();
    assert_int_equal(ex_big_table_counts().used, 64);
    assert_true(ex_big_table_counts().expansions_refused != 0); /* long before it was full */
    void *more = take(NonPagedPoolNx, 2 * PAGE_SIZE);
    assert_int_equal(ex_big_table_counts().untagged, 1);
    assert_int_equal(live(BIG, NonPagedPoolNx), 1);
    assert_int_equal(live(TAG, NonPagedPool) + live(TAG, PagedPool), 64);
    check();
    empty();
    check();
    assert_no_bugcheck(ExFreePoolWithTag(more, TAG)); /* the driver is right, and the pool does not know better */
    assert_int_equal(live(BIG, NonPagedPoolNx), 0);
    check();
}

static void what_is_under_big_may_be_freed_by_any_tag_or_none(void **state)
{
    (void)state;
    fill();
    void *one = take(PagedPool, PAGE_SIZE), *two = take(PagedPool, PAGE_SIZE), *three = take(PagedPool, PAGE_SIZE),
         *four = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, TAG | PROTECTED_POOL);
    assert_no_bugcheck(ExFreePool(one));
    assert_no_bugcheck(ExFreePoolWithTag(two, BIG));
    assert_no_bugcheck(ExFreePoolWithTag(three, OTHER));
    assert_no_bugcheck(ExFreePool(four)); /* its protection is lost with its tag */
    assert_int_equal(live(BIG, PagedPool), 0);
    empty();
    check();
}

static void what_is_in_the_table_needs_its_tag(void **state)
{
    (void)state;
    fill();
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block[5], TAG, OTHER, ExFreePoolWithTag(block[5], OTHER));
}

static void a_place_that_is_free_again_is_used(void **state)
{
    (void)state;
    fill();
    ExFreePoolWithTag(block[17], TAG);
    block[17] = take(NonPagedPoolNx, PAGE_SIZE);
    assert_int_equal(ex_big_table_counts().untagged, 0);
    assert_int_equal(ex_big_table_tag(block[17]), TAG);
    empty();
    assert_int_equal(ex_big_table_counts().used, 0);
    check();
}

static void a_leak_under_big(void **state)
{
    ntmm_report report;
    (void)state;
    fill();
    void *more = take(NonPagedPoolNx, PAGE_SIZE);
    empty();
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, more);
    assert_int_equal(report.leaks[0].tag, BIG);
    assert_int_equal(ntmm_boot(&TABLE), 0);
}

static void pages_freed_twice_are_in_no_table(void **state)
{
    (void)state;
    void *pages = take(NonPagedPoolNx, 2 * PAGE_SIZE);
    ExFreePool(pages);
    assert_bugcheck_all(BAD_POOL_HEADER, 0x22, pages, 0, 0, ExFreePool(pages));
}

static void without_a_table_there_is_always_room(void **state)
{
    (void)state;
    assert_int_equal(ex_big_table_counts().entries, 0);
    for (unsigned i = 0; i < 100; i++)
        block[i] = take(NonPagedPoolNx, PAGE_SIZE);
    assert_int_equal(live(BIG, NonPagedPoolNx), 0);
    for (unsigned i = 0; i < 100; i++)
        ExFreePoolWithTag(block[i], TAG);
    check();
}

static void too_large_a_table_is_refused(void **state)
{
    ntmm_config large = { .quiet = true, .big_page_table_entries = 65537 };
    (void)state;
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&large), -EINVAL);
    large.big_page_table_entries = 65536;
    assert_int_equal(ntmm_boot(&large), 0);
    assert_int_equal(ex_big_table_counts().entries, 65536);
}

#define table(test) ntmm_cmocka_test_config(test, &TABLE), ntmm_cmocka_test_config(test, &TINY)

int main(void)
{
    const struct CMUnitTest tests[] = {
        table(sixty_four_entries_at_least_and_a_power_of_two),
        ntmm_cmocka_test_config(sixty_four_entries_at_least_and_a_power_of_two, &ROUNDED),
        table(an_entry_comes_and_goes_with_its_allocation),
        table(the_65th_goes_on_under_big),
        table(what_is_under_big_may_be_freed_by_any_tag_or_none),
        table(what_is_in_the_table_needs_its_tag),
        table(a_place_that_is_free_again_is_used),
        table(a_leak_under_big),
        table(pages_freed_twice_are_in_no_table),
        ntmm_cmocka_test(without_a_table_there_is_always_room),
        ntmm_cmocka_test(too_large_a_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
