/*
 * test_mm_pool_pages.c - pages for the pools from the inside: limits, zeroed pages, scattered runs, slots, owners, system PTEs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#include "mm/frame_cache.h"
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/pte.h"
#include "mm/system_pte.h"

static char *pages(mm_pool_t pool, size_t count, bool *zeroed) { return mm_pool_pages_alloc(pool, MM_ANY_NODE, count, zeroed); }

static void each_pool_lies_in_its_region(void **state)
{
    (void)state;
    bool zeroed;
    for (size_t count = 1; count <= 70; count += 23)
        for (mm_pool_t pool = MM_NONPAGED_NX; pool < MM_POOLS; pool++) {
            size_t before = mm_pool_page_count(pool);
            char  *p = pages(pool, count, &zeroed);
            assert_non_null(p);
            assert_int_equal(mm_pool_of(p), pool);
            assert_int_equal(mm_pool_page_count(pool), before + count);
            for (size_t i = 0; i < count; i++) {
                mm_owner_t *owner = mm_owner_of(p + i * PAGE_SIZE);
                assert_non_null(owner);
                assert_int_equal(owner->pool, pool);
                assert_int_equal(owner->use, MM_USE_NONE);
                assert_int_equal(owner->bytes, 0);
                assert_ptr_equal(mm_owner_of(p + i * PAGE_SIZE + PAGE_SIZE - 1), owner);
            }
            memset(p, 0x51, count * PAGE_SIZE);
            assert_true(mm_check());
            mm_pool_pages_free(pool, p, count);
            assert_null(mm_owner_of(p));
            assert_int_equal(mm_pool_page_count(pool), before);
            assert_true(mm_check());
        }
    assert_null(mm_owner_of(state));
    assert_int_equal(mm_pool_of(state), MM_POOLS);
    assert_int_equal(mm_pool_of((void *)mm_system_pte_region.base), MM_POOLS);
    assert_null(pages(MM_PAGED, 0, &zeroed));
}

static void zeroed_is_true_exactly_when_it_is_known(void **state)
{
    (void)state;
    for (mm_pool_t pool = MM_NONPAGED_NX; pool < MM_POOLS; pool++)
        for (size_t count = 1; count <= 5; count += 4) {
            bool  zeroed = false;
            char *p = pages(pool, count, &zeroed);
            if (zeroed)
                for (size_t i = 0; i < count * PAGE_SIZE; i += 64)
                    assert_int_equal(p[i], 0);
            memset(p, 0x6B, count * PAGE_SIZE);
            mm_pool_pages_free(pool, p, count);
            char *again = pages(pool, count, &zeroed);
            assert_ptr_equal(again, p); /* the same pages, and dirty now */
            assert_false(zeroed);
            mm_pool_pages_free(pool, again, count);
        }
}

static void a_part_of_a_run_can_go_first(void **state)
{
    (void)state;
    for (mm_pool_t pool = MM_NONPAGED_NX; pool < MM_POOLS; pool++) {
        char *p = pages(pool, 10, NULL);
        mm_pool_pages_free(pool, p + 3 * PAGE_SIZE, 4);
        assert_null(mm_owner_of(p + 3 * PAGE_SIZE));
        assert_non_null(mm_owner_of(p + 2 * PAGE_SIZE));
        assert_non_null(mm_owner_of(p + 7 * PAGE_SIZE));
        assert_true(mm_check());
        mm_pool_pages_free(pool, p + 7 * PAGE_SIZE, 3);
        mm_pool_pages_free(pool, p, 3);
        assert_true(mm_check());
    }
}

static void limits_are_exact_and_shared_by_the_nonpaged_kinds(void **state)
{
    (void)state;
    size_t nonpaged = mm_pool_limit_pages(MM_NONPAGED_NX) - mm_pool_page_count(MM_NONPAGED_NX) - mm_pool_page_count(MM_NONPAGED_EXECUTE);
    assert_int_equal(mm_pool_limit_pages(MM_NONPAGED_NX), 100);
    assert_null(pages(MM_NONPAGED_NX, nonpaged + 1, NULL));
    char *nx = pages(MM_NONPAGED_NX, nonpaged - 10, NULL), *executable = pages(MM_NONPAGED_EXECUTE, 10, NULL);
    assert_true(nx != NULL && executable != NULL);
    assert_null(pages(MM_NONPAGED_NX, 1, NULL));
    assert_null(pages(MM_NONPAGED_EXECUTE, 1, NULL));
    mm_pool_pages_free(MM_NONPAGED_EXECUTE, executable, 10);
    char *one = pages(MM_NONPAGED_NX, 1, NULL);
    assert_non_null(one);
    mm_pool_pages_free(MM_NONPAGED_NX, one, 1);
    mm_pool_pages_free(MM_NONPAGED_NX, nx, nonpaged - 10);
    size_t paged = mm_pool_limit_pages(MM_PAGED) - mm_pool_page_count(MM_PAGED);
    assert_int_equal(mm_pool_limit_pages(MM_PAGED), 50);
    assert_null(pages(MM_PAGED, paged + 1, NULL));
    char *all = pages(MM_PAGED, paged, NULL);
    assert_non_null(all);
    assert_null(pages(MM_PAGED, 1, NULL));
    mm_pool_pages_free(MM_PAGED, all, paged);
    assert_null(pages(MM_PAGED, SIZE_MAX, NULL));
    assert_true(mm_check());
}

/* Every second frame is taken, so that no two free ones are neighbours. */
static mm_pfn_number_t *fragment(uint64_t *count)
{
    mm_pfn_number_t *all = malloc(mm_frames.map.page_count * sizeof *all), pfn;
    assert_non_null(all);
    for (*count = 0; (pfn = mm_frame_get(MM_ANY_NODE, NULL)) != MM_PFN_NONE; ++*count)
        all[*count] = pfn;
    uint64_t kept = 0;
    for (uint64_t i = 0; i < *count; i++) {
        if (all[i] % 2 == 0)
            mm_frame_put(all[i]);
        else
            all[kept++] = all[i];
    }
    *count = kept;
    return all;
}

static void put_all(mm_pfn_number_t *pfns, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        mm_frame_put(pfns[i]);
    free(pfns);
}

static void without_a_run_frames_are_mapped_in_a_row(void **state)
{
    (void)state;
    uint64_t         count;
    mm_pfn_number_t *held = fragment(&count);
    for (mm_pool_t pool = MM_NONPAGED_NX; pool <= MM_NONPAGED_EXECUTE; pool++) {
        char *p = pages(pool, 9, NULL);
        assert_non_null(p);
        assert_true(mm_in(&mm_system_pte_region, (uintptr_t)p));
        assert_int_equal(mm_pool_of(p), pool);
        for (size_t i = 0; i < 9; i++) {
            memset(p + i * PAGE_SIZE, (int)(0x40 + i), PAGE_SIZE);
            mm_pfn_number_t pfn = mm_pte_pfn(mm_pte_of((uintptr_t)p + i * PAGE_SIZE));
            assert_int_equal(((char *)(mm_physical_map.base + (pfn << PAGE_SHIFT)))[77], 0x40 + i); /* true aliases */
            assert_int_equal((mm_pte_of((uintptr_t)p) & MM_PTE_NX) == 0, pool == MM_NONPAGED_EXECUTE);
        }
        assert_true(mm_check());
        mm_pool_pages_free(pool, p + 6 * PAGE_SIZE, 3);
        char byte;
        assert_int_equal(host_copy_safely(&byte, p + 6 * PAGE_SIZE, 1), 0);
        assert_int_equal(host_copy_safely(&byte, p + 5 * PAGE_SIZE, 1), 1);
        assert_true(mm_check());
        mm_pool_pages_free(pool, p, 6);
        assert_int_equal(host_copy_safely(&byte, p, 1), 0);
    }
    put_all(held, count);
    assert_true(mm_check());
}

static void host_mappings_run_out_before_the_host_says_so(void **state)
{
    (void)state;
    if (host_mapping_limit() > 200000)
        skip();
    uint64_t         count, mapped = 0;
    mm_pfn_number_t *held = fragment(&count), pfns[64];
    static void     *views[4096];
    for (size_t i = 0; i < 64; i++)
        pfns[i] = held[i * 2];
    while (mapped < 4096 && (views[mapped] = mm_system_pte_map(pfns, 64, HOST_READ | HOST_WRITE)) != NULL)
        mapped++;
    assert_in_range(mapped, 100, 4095);
    assert_non_null(strstr(ntmm_error(), "host mappings"));
    assert_true(mm_check());
    void *still = malloc(1 << 20); /* the process has room of its own left */
    assert_non_null(still);
    free(still);
    while (mapped > 0)
        mm_system_pte_unmap(views[--mapped], 64);
    assert_true(mm_check());
    put_all(held, count);
}

static void neighbours_are_one_host_mapping(void **state)
{
    (void)state;
    mm_frame_want_t want = { .page_count = 64, .high = UINT64_MAX, .node = MM_ANY_NODE };
    mm_pfn_number_t first = mm_frames_get(&want, NULL), pfns[64];
    for (size_t i = 0; i < 64; i++)
        pfns[i] = first + i;
    static void *views[4000]; /* 256,000 pages: far beyond any limit, were each a mapping */
    for (size_t i = 0; i < 4000; i++) {
        views[i] = mm_system_pte_map(pfns, 64, HOST_READ | HOST_WRITE);
        if (views[i] == NULL && mm_table_pages(&mm_system_table) < 64 * (i + 1)) { /* out of addresses, with large pages */
            views[i] = NULL;
            break;
        }
        assert_non_null(views[i]);
    }
    memset(views[3], 0x21, 64 * PAGE_SIZE);
    assert_int_equal(((char *)views[2])[64 * PAGE_SIZE - 1], 0x21);
    assert_true(mm_check());
    for (size_t i = 0; i < 4000 && views[i] != NULL; i++)
        mm_system_pte_unmap(views[i], 64);
    mm_frames_put(first, 64);
}

static void a_read_only_view_cannot_be_written(void **state)
{
    (void)state;
    mm_pfn_number_t pfn = mm_frame_get(MM_ANY_NODE, NULL);
    volatile char  *view = mm_system_pte_map(&pfn, 1, HOST_READ);
    assert_non_null((void *)(uintptr_t)view);
    assert_int_equal(view[0], 0);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, view, view[0] = 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[1] & MM_PTE_WRITE, 0);
}

static uint64_t object_bytes(void) /* what the host keeps of the memory object */
{
    struct stat stat;
    assert_int_equal(fstat(mm_object.fd, &stat), 0);
    return (uint64_t)stat.st_blocks * 512;
}

/* What the host keeps is RAM and a batch each of slots and homes, whichever way the bytes wander between homes and slots. */
static void the_host_gets_back_what_is_stale(void **state)
{
    (void)state;
    const size_t chunk = 40;
    static char *held[1024];
    uint64_t     ram = mm_frames.map.page_count << PAGE_SHIFT, batches = ram / 4 + MM_STALE_HOMES * PAGE_SIZE;
    for (int round = 0; round < 6; round++) {
        mm_pool_t pool = round % 2 == 0 ? MM_PAGED : MM_NONPAGED_NX;
        size_t    count = 0;
        while (count < 1024 && (held[count] = pages(pool, chunk, NULL)) != NULL)
            memset(held[count++], 1, chunk * PAGE_SIZE);
        assert_true(count * chunk >= mm_frames.map.page_count / 2);
        assert_true(object_bytes() <= ram + batches);
        assert_true(mm_check());
        while (count > 0)
            mm_pool_pages_free(pool, held[--count], chunk);
        assert_true(mm_check());
    }
}

/* A slot is known to be zero again after its batch was given back. */
static void slots_are_zero_after_their_batch(void **state)
{
    (void)state;
    static char *one[2 * MM_STALE_SLOTS_MOST];
    size_t       batch = mm_frames.map.page_count / 4;
    bool         zeroed, any_zero = false;
    for (size_t i = 0; i < 2 * batch; i++) {
        one[i] = pages(MM_PAGED, 1, NULL);
        memset(one[i], 0x7E, PAGE_SIZE);
    }
    for (size_t i = 0; i < 2 * batch; i++) /* every second one first: none has a stale neighbour */
        mm_pool_pages_free(MM_PAGED, one[i < batch ? 2 * i : 2 * (i - batch) + 1], 1);
    for (size_t i = 0; i < 2 * batch; i++) {
        one[i] = pages(MM_PAGED, 1, &zeroed);
        any_zero |= zeroed;
        for (size_t k = 0; zeroed && k < PAGE_SIZE; k += 32)
            assert_int_equal(one[i][k], 0);
    }
    assert_true(any_zero);
    for (size_t i = 0; i < 2 * batch; i++)
        mm_pool_pages_free(MM_PAGED, one[i], 1);
}

static bool home_is_stale(const char *page)
{
    uint64_t pte = mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)page)];
    return (mm_pfn_entry(mm_pte_pfn(pte))->flags & MM_PFN_HOME_STALE) != 0;
}

/* Frames whose homes were written wait in the cache and lie lowest among the free ones: a slot gets another frame all the same, as long as
 * there is one. Then the host has nothing to take back. */
static void a_slot_is_charged_a_frame_with_a_zero_home(void **state)
{
    (void)state;
    enum { WRITTEN = 700 };
    static char *home[WRITTEN], *slot[65536];
    uint64_t     frames = mm_frames.map.page_count, taken = 0, stale = 0;
    for (size_t i = 0; i < WRITTEN; i++) {
        home[i] = pages(MM_NONPAGED_NX, 1, NULL);
        memset(home[i], 0x3C, PAGE_SIZE);
    }
    for (size_t i = 0; i < WRITTEN; i++)
        mm_pool_pages_free(MM_NONPAGED_NX, home[i], 1);
    while (taken < frames && (slot[taken] = pages(MM_PAGED, 1, NULL)) != NULL) {
        stale += home_is_stale(slot[taken]) ? 1u : 0u;
        taken++;
        if (taken == frames - 2 * WRITTEN)
            assert_int_equal(stale, 0);
    }
    assert_int_equal(taken, frames); /* in the end they are taken as well */
    assert_true(mm_check());
    while (taken-- > 0)
        mm_pool_pages_free(MM_PAGED, slot[taken], 1);
    assert_true(mm_check());
}

/* Frames for slots come from elsewhere, so a nonpaged pool that grows again finds its own frames, whose homes were written; but for those that
 * a cache had fetched ahead. */
static void a_pool_that_shrank_grows_into_the_same_homes(void **state)
{
    (void)state;
    enum { PAGES = 600 };
    static char *home[PAGES], *slot[PAGES];
    size_t       fresh = 0;
    for (size_t round = 0; round < 2; round++) {
        fresh = 0;
        for (size_t i = 0; i < PAGES; i++) {
            bool zeroed;
            home[i] = pages(MM_NONPAGED_NX, 1, &zeroed);
            slot[i] = pages(MM_PAGED, 1, NULL);
            fresh += zeroed ? 1u : 0u;
            memset(home[i], 0x5D, PAGE_SIZE);
        }
        for (size_t i = 0; i < PAGES; i++) {
            mm_pool_pages_free(MM_NONPAGED_NX, home[i], 1);
            mm_pool_pages_free(MM_PAGED, slot[i], 1);
        }
        assert_true(mm_check());
    }
    assert_true(fresh <= MM_FRAME_CACHE_BATCH);
}

/* Large enough that whole large pages come from the host: pages that are said to be zero are, and each is there once. */
static void a_pool_that_grows_by_large_pages_gets_good_ones(void **state)
{
    (void)state;
    enum { PAGES = 3000 };
    static char *home[PAGES];
    size_t       count = mm_frames.map.page_count / 2 < PAGES ? mm_frames.map.page_count / 2 : PAGES;
    for (size_t i = 0; i < count; i++) {
        bool zeroed;
        home[i] = pages(i % 700 == 699 ? MM_NONPAGED_EXECUTE : MM_NONPAGED_NX, 1, &zeroed);
        assert_non_null(home[i]);
        for (size_t at = 0; zeroed && at < PAGE_SIZE; at += 512)
            assert_int_equal(home[i][at], 0);
        memset(home[i], 0x2F, PAGE_SIZE);
        memcpy(home[i], &i, sizeof i);
    }
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(home[i], &i, sizeof i);
        mm_pool_pages_free(i % 700 == 699 ? MM_NONPAGED_EXECUTE : MM_NONPAGED_NX, home[i], 1);
    }
    assert_true(mm_check());
}

static void count_owner(void *context, void *page, mm_owner_t *owner)
{
    size_t *seen = context;
    assert_int_equal(owner->tag, 0x1234);
    assert_ptr_equal(mm_owner_of(page), owner);
    ++*seen;
}

static void the_walk_sees_every_owner_once(void **state)
{
    (void)state;
    char *p[MM_POOLS];
    for (mm_pool_t pool = MM_NONPAGED_NX; pool < MM_POOLS; pool++) {
        p[pool] = pages(pool, 5, NULL);
        for (size_t i = 0; i < 5; i++) {
            mm_owner_of(p[pool] + i * PAGE_SIZE)->use = MM_USE_POOL_RUN;
            mm_owner_of(p[pool] + i * PAGE_SIZE)->tag = 0x1234;
        }
    }
    size_t seen = 0;
    mm_visit_owners(count_owner, &seen);
    assert_int_equal(seen, 15);
    for (mm_pool_t pool = MM_NONPAGED_NX; pool < MM_POOLS; pool++)
        mm_pool_pages_free(pool, p[pool], 5);
}

static int enter(void **state) { return ntmm_cmocka_setup(state) != 0 || ke_thread_ready("test_mm_pool_pages") == NULL ? -1 : 0; }

int main(void)
{
    static ntmm_config plain = { .quiet = true },
                       limited = { .quiet = true, .nonpaged_pool_limit = 100 * PAGE_SIZE, .paged_pool_limit = 50 * PAGE_SIZE };
#define TEST(test, config) cmocka_unit_test_prestate_setup_teardown(test, enter, ntmm_cmocka_teardown, &config)
    const struct CMUnitTest tests[] = {
        TEST(each_pool_lies_in_its_region, plain),
        TEST(zeroed_is_true_exactly_when_it_is_known, plain),
        TEST(a_part_of_a_run_can_go_first, plain),
        TEST(limits_are_exact_and_shared_by_the_nonpaged_kinds, limited),
        TEST(without_a_run_frames_are_mapped_in_a_row, plain),
        TEST(host_mappings_run_out_before_the_host_says_so, plain),
        TEST(neighbours_are_one_host_mapping, plain),
        TEST(a_read_only_view_cannot_be_written, plain),
        TEST(the_host_gets_back_what_is_stale, plain),
        TEST(slots_are_zero_after_their_batch, plain),
        TEST(a_slot_is_charged_a_frame_with_a_zero_home, plain),
        TEST(a_pool_that_shrank_grows_into_the_same_homes, plain),
        TEST(a_pool_that_grows_by_large_pages_gets_good_ones, plain),
        TEST(the_walk_sees_every_owner_once, plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
