/*
 * test_mm_pfn.c - the PFN database from the inside: page lists, preference, limits, exhaustion, frame caches and two threads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#include "mm/frame_cache.h"
#include "mm/machine.h"
#include "mm/pfn.h"

#define PFN_OF(bytes) ((uint64_t)(bytes) >> PAGE_SHIFT)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static uint64_t free_frames(void)
{
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    return usage.zeroed + usage.free;
}

static mm_pfn_number_t *take_all(uint64_t *count)
{
    mm_pfn_number_t *pfns = malloc(mm_frames.map.page_count * sizeof *pfns), pfn;
    assert_non_null(pfns);
    for (*count = 0; (pfn = mm_frame_get(MM_ANY_NODE, NULL)) != MM_PFN_NONE; ++*count)
        pfns[*count] = pfn;
    return pfns;
}

static void give_all(mm_pfn_number_t *pfns, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        mm_frame_put(pfns[i]);
    free(pfns);
}

static void lists_keep_their_order(void **state)
{
    (void)state;
    mm_pfn_number_t f[4];
    for (int i = 0; i < 4; i++)
        f[i] = mm_frame_get(MM_ANY_NODE, NULL);
    for (int list = MM_STANDBY; list <= MM_BAD; list++) {
        mm_list_t l = (mm_list_t)list;
        ke_lock(&mm_pfn_lock);
        assert_true(mm_list_pop_locked(l) == MM_PFN_NONE);
        mm_list_push_tail_locked(l, f[0]);
        mm_list_push_tail_locked(l, f[1]);
        mm_list_push_head_locked(l, f[2]);
        mm_list_push_tail_locked(l, f[3]);
        assert_int_equal(mm_frames.list[l].count, 4);
        assert_int_equal(mm_pfn_entry(f[0])->list, l);
        ke_unlock(&mm_pfn_lock);
        assert_true(mm_check());
        ke_lock(&mm_pfn_lock);
        mm_list_remove_locked(l, f[1]); /* from the middle */
        assert_int_equal(mm_pfn_entry(f[1])->list, MM_ACTIVE);
        assert_true(mm_list_pop_locked(l) == f[2]);
        assert_true(mm_list_pop_locked(l) == f[0]);
        assert_true(mm_list_pop_locked(l) == f[3]);
        assert_true(mm_list_pop_locked(l) == MM_PFN_NONE);
        assert_int_equal(mm_frames.list[l].count, 0);
        ke_unlock(&mm_pfn_lock);
        assert_true(mm_check());
    }
    for (int i = 0; i < 4; i++)
        mm_frame_put(f[i]);
}

static void the_check_sees_each_kind_of_damage(void **state)
{
    (void)state;
    mm_pfn_number_t f = mm_frame_get(MM_ANY_NODE, NULL), g = mm_frame_get(MM_ANY_NODE, NULL);
    mm_pfn_t       *entry = mm_pfn_entry(f);
    assert_true(mm_check());
    entry->list = MM_FREE;
    assert_false(mm_check());
    entry->list = MM_STANDBY;
    assert_false(mm_check());
    entry->list = MM_CACHED;
    assert_false(mm_check());
    entry->list = MM_LISTS;
    assert_false(mm_check());
    entry->list = MM_ACTIVE;
    entry->mapped.use = MM_USE_MAPPED;
    entry->mapped.va = mm_paged_region.base;
    assert_false(mm_check());
    entry->mapped.use = MM_USE_NONE;
    entry->mapped.va = 0;
    mm_frames.zeroed--;
    assert_false(mm_check());
    mm_frames.zeroed++;
    mm_pfn_number_t free_one = mm_ram_map_highest(&mm_frames.map);
    mm_pfn_entry(free_one)->owner.tag = 1;
    assert_false(mm_check());
    mm_pfn_entry(free_one)->owner.tag = 0;
    mm_paged_table.ptes[3] = 0x1000; /* neither valid nor empty */
    assert_true(mm_check());         /* in a leaf that was never touched */
    mm_paged_table.ptes[3] = 0;
    ke_lock(&mm_pfn_lock);
    mm_list_push_tail_locked(MM_BAD, f);
    mm_list_push_tail_locked(MM_BAD, g);
    ke_unlock(&mm_pfn_lock);
    uint32_t link = entry->next;
    entry->next = 0;
    assert_false(mm_check());
    entry->next = link;
    mm_frames.list[MM_BAD].count++;
    assert_false(mm_check());
    mm_frames.list[MM_BAD].count--;
    assert_true(mm_check());
}

static void high_memory_goes_first_and_low_addresses_first_in_it(void **state)
{
    (void)state;
    static const uint64_t zone[] = { 0, MIB(1), MIB(16), GIB(4), UINT64_MAX };
    uint64_t              count, last = 0;
    int                   now = 3;
    mm_pfn_number_t      *pfns = take_all(&count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bytes = pfns[i] << PAGE_SHIFT;
        while (!(bytes >= zone[now] && bytes < zone[now + 1])) {
            assert_true(now > 0); /* never up again */
            now--;
            last = 0;
        }
        assert_true(pfns[i] >= last);
        last = pfns[i];
    }
    assert_int_equal(now, 0);
    give_all(pfns, count);
}

static void all_of_ram_can_be_had_and_not_one_more(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        uint64_t         before = free_frames(), count;
        mm_pfn_number_t *pfns = take_all(&count);
        assert_int_equal(count, before);
        assert_int_equal(free_frames(), 0);
        assert_true(mm_check());
        mm_frame_want_t want = { .page_count = 1, .high = UINT64_MAX, .node = MM_ANY_NODE };
        assert_true(mm_frames_get(&want, NULL) == MM_PFN_NONE);
        mm_frame_put(pfns[count - 1]); /* one back, one had */
        assert_true(mm_frames_get(&want, NULL) == pfns[count - 1]);
        give_all(pfns, count);
        assert_int_equal(free_frames(), before);
        assert_true(mm_check());
    }
}

static void runs_find_frames_that_caches_hold(void **state)
{
    (void)state;
    uint64_t         count;
    mm_pfn_number_t *pfns = take_all(&count), run = MM_PFN_NONE;
    for (uint64_t i = 0; i + 8 < count && run == MM_PFN_NONE; i++)
        if (pfns[i + 7] == pfns[i] + 7)
            run = pfns[i];
    assert_true(run != MM_PFN_NONE);
    for (uint64_t k = 0; k < 8; k++)
        mm_frame_put(run + k); /* into this thread's cache, all eight */
    mm_frame_want_t want = { .page_count = 8, .high = UINT64_MAX, .node = MM_ANY_NODE, .fast_only = true };
    assert_true(mm_frames_get(&want, NULL) == MM_PFN_NONE);
    want.fast_only = false;
    assert_true(mm_frames_get(&want, NULL) == run);
    give_all(pfns, count);
}

static void a_frame_is_zeroed_until_it_was_used(void **state)
{
    (void)state;
    bool            zeroed = false;
    mm_pfn_number_t f = mm_frame_get(MM_ANY_NODE, &zeroed);
    assert_true(zeroed);
    mm_frame_put(f);
    assert_true(mm_frame_get(MM_ANY_NODE, &zeroed) == f); /* the warm one first */
    assert_false(zeroed);
    mm_frame_want_t want = { .page_count = 4, .high = UINT64_MAX, .node = MM_ANY_NODE };
    mm_pfn_number_t run = mm_frames_get(&want, &zeroed);
    assert_true(zeroed);
    mm_frames_put(run, 4);
    assert_true(mm_frames_get(&want, &zeroed) == run);
    assert_false(zeroed);
    mm_frames_put(run, 4);
    mm_frame_put(f);
}

/* A run may lie across the edges that preference draws. */
static void a_run_as_large_as_ram_is_found(void **state)
{
    (void)state;
    assert_int_equal(mm_frames.map.range_count, 1);
    mm_frame_want_t   want = { .page_count = mm_frames.map.page_count, .high = UINT64_MAX, .node = MM_ANY_NODE };
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    if (usage.active != 0)
        want.page_count = usage.largest_free_run;
    mm_pfn_number_t first = mm_frames_get(&want, NULL);
    assert_true(first != MM_PFN_NONE);
    mm_frames_put(first, want.page_count);
}

static void a_node_is_local_first_and_strict_for_runs(void **state)
{
    (void)state;
    for (uint32_t node = 0; node < 4; node++) {
        mm_pfn_number_t f = mm_frame_get(node, NULL);
        assert_int_equal(mm_node_of_frame(f), node);
        mm_frame_want_t want = { .page_count = 16, .high = UINT64_MAX, .node = node };
        mm_pfn_number_t run = mm_frames_get(&want, NULL);
        assert_true(run != MM_PFN_NONE);
        assert_int_equal(mm_node_of_frame(run), node);
        assert_int_equal(mm_node_of_frame(run + 15), node);
        mm_frames_put(run, 16);
        mm_frame_put(f);
        assert_true(mm_check());
    }
    uint64_t         count = 0;
    mm_pfn_number_t *pfns = malloc(mm_frames.map.page_count * sizeof *pfns),
                    f; /* node 2 runs dry: single frames come from elsewhere then */
    assert_non_null(pfns);
    while (mm_node_of_frame(f = mm_frame_get(2, NULL)) == 2)
        pfns[count++] = f;
    mm_frame_want_t want = { .page_count = 1, .high = UINT64_MAX, .node = 2 };
    assert_true(mm_frames_get(&want, NULL) == MM_PFN_NONE);
    mm_frame_put(f);
    give_all(pfns, count);
    assert_true(mm_check());
}

static void bad_frames_leave_for_good(void **state)
{
    (void)state;
    uint64_t        before = free_frames();
    mm_pfn_number_t f = mm_frame_get(MM_ANY_NODE, NULL); /* its neighbours are in this thread's cache */
    assert_int_equal(ntmm_mark_bad(f << PAGE_SHIFT, 4 * PAGE_SIZE), 3);
    assert_int_equal(ntmm_mark_bad(f << PAGE_SHIFT, 4 * PAGE_SIZE), 0);
    assert_int_equal(ntmm_mark_bad(((f + 8) << PAGE_SHIFT) + 1, 1), 1);
    assert_int_equal(ntmm_mark_bad(0, PAGE_SIZE), 0); /* no RAM there */
    assert_int_equal(ntmm_mark_bad(UINT64_MAX - 5, 100), 0);
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    assert_int_equal(usage.bad, 4);
    assert_int_equal(usage.zeroed + usage.free, before - 5);
    assert_true(mm_check());
    uint64_t         count;
    mm_pfn_number_t *pfns = take_all(&count);
    assert_int_equal(count, before - 5);
    give_all(pfns, count);
    mm_frame_put(f);
}

/* What an MDL has locked may not be freed under it. */
static void a_pinned_frame_is_not_freed(void **state)
{
    (void)state;
    const PHYSICAL_ADDRESS anywhere = { .QuadPart = -1 };
    char                  *p = MmAllocateContiguousMemory(3 * PAGE_SIZE, anywhere);
    assert_non_null(p);
    mm_pfn_number_t pfn = PFN_OF(MmGetPhysicalAddress(p + 2 * PAGE_SIZE).QuadPart);
    mm_pfn_entry(pfn)->pins = 2;
    assert_bugcheck_all(PFN_LIST_CORRUPT, 0x9A, pfn, MM_ACTIVE, 2, MmFreeContiguousMemory(p));
    ntmm_cmocka_reboot();
    p = MmAllocateContiguousMemory(PAGE_SIZE, anywhere);
    pfn = PFN_OF(MmGetPhysicalAddress(p).QuadPart);
    mm_pfn_entry(pfn)->pins = 1;
    assert_bugcheck_all(PFN_LIST_CORRUPT, 0x9A, pfn, MM_ACTIVE, 1, MmFreeContiguousMemorySpecifyCache(p, PAGE_SIZE, MmCached));
    ntmm_cmocka_reboot();
    p = MmAllocateNonCachedMemory(3 * PAGE_SIZE);
    assert_non_null(p);
    pfn = PFN_OF(MmGetPhysicalAddress(p + PAGE_SIZE).QuadPart);
    mm_pfn_entry(pfn)->pins = 1;
    assert_bugcheck_all(PFN_LIST_CORRUPT, 0x9A, pfn, MM_ACTIVE, 1, MmFreeNonCachedMemory(p, 3 * PAGE_SIZE));
    ntmm_cmocka_reboot();
    p = MmAllocateContiguousMemory(3 * PAGE_SIZE, anywhere); /* nothing of it is left on the next machine */
    MmFreeContiguousMemory(p);
    assert_true(mm_check());
}

/* ---- two threads ---- */

#define ROUNDS 30000u
static void *churn(void *argument)
{
    uint64_t        seed = (uint64_t)(uintptr_t)argument;
    mm_pfn_number_t held[100];
    uint32_t        count = 0;
    if (ke_thread_ready("churn") == NULL)
        return (void *)1;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (count < 100 && (seed >> 33) % 3 != 0) {
            mm_pfn_number_t f = mm_frame_get(MM_ANY_NODE, NULL);
            if (f != MM_PFN_NONE) {
                mm_pfn_entry(f)->owner.bytes = seed | 1; /* nobody else may write there while it is ours */
                held[count++] = f;
            }
        } else if (count != 0) {
            mm_pfn_t *entry = mm_pfn_entry(held[--count]);
            if (entry->list != MM_ACTIVE || entry->owner.bytes == 0)
                return (void *)2;
            mm_frame_put(held[count]);
        }
        if (i % 64 == 0) { /* too long for what is left: the caches of all are emptied again and again */
            mm_frame_want_t want = { .page_count = mm_frames.map.page_count, .high = UINT64_MAX, .node = MM_ANY_NODE };
            if (mm_frames_get(&want, NULL) != MM_PFN_NONE)
                return (void *)3;
        }
    }
    while (count != 0)
        mm_frame_put(held[--count]);
    return NULL;
}

static void two_threads_share_and_drain(void **state)
{
    (void)state;
    uint64_t  before = free_frames();
    pthread_t thread[2];
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)(i + 7)), 0);
    for (int i = 0; i < 2; i++) {
        void *result = NULL;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    assert_true(mm_check());
    assert_int_equal(free_frames(), before); /* what ended threads had cached is still counted */
    uint64_t         count;
    mm_pfn_number_t *pfns = take_all(&count); /* and can be had */
    assert_int_equal(count, before);
    give_all(pfns, count);
}

static int enter(void **state) { return ntmm_cmocka_setup(state) != 0 || ke_thread_ready("test_mm_pfn") == NULL ? -1 : 0; }

int main(void)
{
    static const ntmm_ram_range one = { PAGE_SIZE, 24u << 20 };
    static ntmm_config          plain = { .quiet = true }, tiny = { .quiet = true, .physical_memory = 1u << 20 },
                       nodes = { .quiet = true, .numa_nodes = 4 };
    static ntmm_config single = { .quiet = true, .ram = &one, .ram_ranges = 1 },
                       linear = { .quiet = true, .physical_memory = 1u << 20, .run_policy = NTMM_RUNS_LINEAR };
    static ntmm_config buddy = { .quiet = true, .run_policy = NTMM_RUNS_BUDDY };
#define TEST(test, config) cmocka_unit_test_prestate_setup_teardown(test, enter, ntmm_cmocka_teardown, &config)
    const struct CMUnitTest tests[] = {
        TEST(lists_keep_their_order, plain),
        TEST(the_check_sees_each_kind_of_damage, plain),
        TEST(high_memory_goes_first_and_low_addresses_first_in_it, plain),
        TEST(all_of_ram_can_be_had_and_not_one_more, plain),
        TEST(all_of_ram_can_be_had_and_not_one_more, tiny),
        TEST(all_of_ram_can_be_had_and_not_one_more, nodes),
        TEST(all_of_ram_can_be_had_and_not_one_more, linear),
        TEST(all_of_ram_can_be_had_and_not_one_more, buddy),
        TEST(runs_find_frames_that_caches_hold, plain),
        TEST(a_frame_is_zeroed_until_it_was_used, plain),
        TEST(a_run_as_large_as_ram_is_found, single),
        TEST(a_node_is_local_first_and_strict_for_runs, nodes),
        TEST(bad_frames_leave_for_good, plain),
        TEST(a_pinned_frame_is_not_freed, plain),
        TEST(two_threads_share_and_drain, plain),
        TEST(two_threads_share_and_drain, linear),
        TEST(two_threads_share_and_drain, nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
