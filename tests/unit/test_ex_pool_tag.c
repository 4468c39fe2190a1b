/*
 * test_ex_pool_tag.c - the counters per tag and per pool: exact after any calls, from any thread, for more tags than a thread has rows.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>

#include "ex/pool_header.h"

static ntmm_pool_usage of_tag(ULONG tag, POOL_TYPE type)
{
    ntmm_pool_usage usage;
    assert_true(ntmm_query_tag(tag, type, &usage));
    return usage;
}
static ntmm_pool_usage of_pool(POOL_TYPE type)
{
    ntmm_pool_usage usage;
    ntmm_query_pool(type, &usage);
    return usage;
}

static void a_tag_never_used_is_unknown(void **state)
{
    (void)state;
    ntmm_pool_usage usage;
    assert_false(ntmm_query_tag(NTMM_TAG("Nvr1"), NonPagedPoolNx, &usage));
    assert_int_equal(usage.allocs, 0);
    ExFreePool(ExAllocatePool2(POOL_FLAG_PAGED, 16, NTMM_TAG("Nvr1")));
    assert_false(ntmm_query_tag(NTMM_TAG("Nvr1"), NonPagedPoolNx, &usage));
    assert_true(ntmm_query_tag(NTMM_TAG("Nvr1"), PagedPool, &usage));
}

/* 'derF', as drivers write it, is this number, and reads Fred in memory and in whatever shows the block. */
static void a_tag_reads_backwards(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 24, 0x64657246), *again = ExAllocatePool2(POOL_FLAG_PAGED, 24, NTMM_TAG("Fred"));
    assert_memory_equal(&ex_header_of(block)->PoolTag, "Fred", 4);
    assert_int_equal(of_tag(0x64657246, PagedPool).allocs, 1);
    assert_bugcheck(BAD_POOL_CALLER, 0x0A, ExFreePoolWithTag(block, 0x46726564));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0x64657246);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0x46726564);
    assert_non_null(strstr(ntmm_stop_report(), "'Fred'"));
    (void)again;
}

static void small_blocks_count_header_and_rounding(void **state)
{
    (void)state;
    const ULONG     tag = NTMM_TAG("Sml1");
    void           *a = ExAllocatePool2(POOL_FLAG_NON_PAGED, 1, tag), *b = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, tag);
    size_t          bytes = (size_t)(ex_units(1) + ex_units(100)) * EX_UNIT;
    ntmm_pool_usage usage = of_tag(tag, NonPagedPoolNx);
    assert_int_equal(usage.allocs, 2);
    assert_int_equal(usage.frees, 0);
    assert_int_equal(usage.bytes_in_use, bytes);
    assert_int_equal(usage.bytes_requested, 101);
    assert_int_equal(usage.pages, 0); /* it shares its page */
    ExFreePool(a);
    usage = of_tag(tag, NonPagedPoolNx);
    assert_int_equal(usage.frees, 1);
    assert_int_equal(usage.bytes_requested, 100);
    ExFreePoolWithTag(b, tag);
    usage = of_tag(tag, NonPagedPoolNx);
    assert_int_equal(usage.bytes_in_use, 0);
    assert_int_equal(usage.bytes_requested, 0);
}

static void whole_pages_count_what_they_occupy(void **state)
{
    (void)state;
    const ULONG     tag = NTMM_TAG("Big1");
    void           *pages = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE + 1, tag);
    ntmm_pool_usage usage = of_tag(tag, PagedPool);
    assert_int_equal(usage.bytes_in_use, PAGE_SIZE + EX_UNIT); /* the rest of the second page is given to others */
    assert_int_equal(usage.bytes_requested, PAGE_SIZE + 1);
    assert_int_equal(usage.pages, 2);
    assert_int_equal(of_pool(PagedPool).pages, 2);
    ExFreePool(pages);
    assert_int_equal(of_tag(tag, PagedPool).bytes_in_use, 0);
    assert_int_equal(of_pool(PagedPool).pages, 0);
}

static void whole_pages_that_come_again_count_again(void **state)
{
    (void)state;
    const ULONG tag = NTMM_TAG("Big2");
    for (unsigned pool = 0; pool < 2; pool++) {
        POOL_TYPE type = pool == 0 ? NonPagedPoolNx : PagedPool;
        for (unsigned round = 1; round <= 4; round++) { /* from the second on the thread has them ready */
            void           *pages = ExAllocatePoolWithTag(type, 2 * PAGE_SIZE, tag);
            ntmm_pool_usage usage = of_tag(tag, type);
            assert_int_equal(usage.allocs, round);
            assert_int_equal(usage.bytes_in_use, 2 * PAGE_SIZE);
            assert_int_equal(usage.bytes_requested, 2 * PAGE_SIZE);
            ExFreePoolWithTag(pages, tag);
            usage = of_tag(tag, type);
            assert_int_equal(usage.frees, round);
            assert_int_equal(usage.bytes_in_use, 0);
            assert_int_equal(usage.bytes_requested, 0);
            assert_true(ntmm_check());
        }
    }
}

static void the_two_nonpaged_pools_can_be_told_apart(void **state)
{
    (void)state;
    const ULONG tag = NTMM_TAG("Two1");
    void       *nx = ExAllocatePoolWithTag(NonPagedPoolNx, 100, tag), *executable = ExAllocatePoolWithTag(NonPagedPool, 50, tag);
    assert_int_equal(of_tag(tag, NonPagedPoolNx).bytes_requested, 100);
    assert_int_equal(of_tag(tag, NonPagedPool).bytes_requested, 150);
    assert_int_equal(of_pool(NonPagedPoolNx).allocs, 1);
    assert_int_equal(of_pool(NonPagedPool).allocs, 2);
    ExFreePool(nx);
    ExFreePool(executable);
    assert_int_equal(of_tag(tag, NonPagedPool).frees, 2);
}

static ULONG nth_tag(unsigned n)
{
    return NTMM_TAG("T000") + ((ULONG)(n % 10) << 24) + ((ULONG)(n / 10 % 10) << 16) + ((ULONG)(n / 100) << 8);
}

static void more_tags_than_a_thread_has_rows(void **state)
{
    enum { TAGS = 7000 };
    (void)state;
    uint64_t overflowed = 0;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < TAGS; i++)
            ExFreePool(ExAllocatePool2(POOL_FLAG_NON_PAGED, 10, nth_tag(i)));
    void *held = ExAllocatePool2(POOL_FLAG_NON_PAGED, 10, nth_tag(1));
    for (unsigned i = 0; i < TAGS; i++) {
        ntmm_pool_usage usage;
        if (ntmm_query_tag(nth_tag(i), NonPagedPoolNx, &usage))
            assert_int_equal(usage.allocs, i == 1 ? 3 : 2);
        else
            overflowed++;
    }
    assert_int_equal(of_tag(NTMM_TAG("Ovfl"), NonPagedPoolNx).allocs, 2 * overflowed); /* nothing is lost: the table's last row has it */
    assert_true(overflowed > 0);
    assert_int_equal(of_pool(NonPagedPoolNx).allocs, 2 * TAGS + 1);
    assert_true(ntmm_check());
    ExFreePool(held);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 3000 };

static void *allocate_and_end(void *argument)
{
    void **held = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 1 + i % 300, NTMM_TAG("Thrd"));
        if (i % 100 == 0)
            held[i / 100] = block;
        else
            ExFreePoolWithTag(block, NTMM_TAG("Thrd"));
    }
    return NULL;
}

static void threads_add_up_also_when_they_have_ended(void **state)
{
    static void *held[THREADS][ROUNDS / 100];
    pthread_t    thread[THREADS];
    (void)state;
    for (unsigned round = 0; round < 3; round++) { /* records of ended threads are used again */
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, allocate_and_end, held[i]), 0);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        ntmm_pool_usage usage = of_tag(NTMM_TAG("Thrd"), NonPagedPoolNx);
        assert_int_equal(usage.allocs, (round + 1) * THREADS * ROUNDS);
        assert_int_equal(usage.allocs - usage.frees, THREADS * ROUNDS / 100);
        assert_true(ntmm_check());
        for (unsigned i = 0; i < THREADS; i++)
            for (unsigned k = 0; k < ROUNDS / 100; k++)
                ExFreePoolWithTag(held[i][k], NTMM_TAG("Thrd"));
    }
    assert_int_equal(of_tag(NTMM_TAG("Thrd"), NonPagedPoolNx).bytes_in_use, 0);
}

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
#define each(test) ntmm_cmocka_test(test), ntmm_cmocka_test_config(test, &PLAIN)

int main(void)
{
    const struct CMUnitTest tests[] = {
        each(a_tag_never_used_is_unknown),
        each(a_tag_reads_backwards),
        each(small_blocks_count_header_and_rounding),
        each(whole_pages_count_what_they_occupy),
        each(whole_pages_that_come_again_count_again),
        each(the_two_nonpaged_pools_can_be_told_apart),
        each(more_tags_than_a_thread_has_rows),
        each(threads_add_up_also_when_they_have_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
