/* test_mm_charge.c - limits from the inside: where they come from, that they hold to the page, also between threads, and when word is left. */
#include <ntmm/cmocka.h>

#include <pthread.h>

#include "mm/charge.h"
#include "mm/pfn.h"
#include "mm/pressure.h"

#define RAM 800u /* pages */
#define FILE 300u

static const ntmm_config SMALL = { .quiet = true,
                                   .physical_memory = RAM * (uint64_t)PAGE_SIZE,
                                   .page_file_size = FILE * (uint64_t)PAGE_SIZE };
static const ntmm_config LIMITED = { .quiet = true,
                                     .physical_memory = RAM * (uint64_t)PAGE_SIZE,
                                     .page_file_size = FILE * (uint64_t)PAGE_SIZE,
                                     .nonpaged_pool_limit = 100 * (uint64_t)PAGE_SIZE + 1,
                                     .paged_pool_limit = 50 * (uint64_t)PAGE_SIZE };
static const ntmm_config ONE_PAGE = {
    .quiet = true, .physical_memory = RAM * (uint64_t)PAGE_SIZE, .nonpaged_pool_limit = PAGE_SIZE, .paged_pool_limit = PAGE_SIZE
};

static uint64_t held(unsigned kind) { return atomic_load(&mm_charges.held[kind]); }
static uint64_t limit(enum mm_gauge gauge) { return atomic_load(&mm_charges.limit[gauge]); }

static void limits_come_from_ram(void **state)
{
    ntmm_memory_usage usage;
    (void)state;
    assert_int_equal(limit(MM_GAUGE_NONPAGED), RAM / 4 * 3);
    assert_int_equal(limit(MM_GAUGE_PAGED), RAM + FILE);
    ntmm_query_memory(&usage);
    assert_int_equal(usage.commit_limit, RAM + FILE);
    assert_int_equal(usage.committed, 0);
}

static void limits_come_from_the_config(void **state)
{
    (void)state;
    assert_int_equal(mm_pool_limit_pages(MM_NONPAGED_EXECUTE), 100);
    assert_int_equal(mm_pool_limit_pages(MM_PAGED), 50);
    assert_int_equal(limit(MM_GAUGE_COMMITTED), RAM + FILE);
}

static void a_charge_fits_or_changes_nothing(void **state)
{
    static const struct {
        unsigned kind;
        uint64_t pages;
        bool     fits;
    } STEPS[] = {
        { MM_NONPAGED_NX, 101, false },
        { MM_NONPAGED_NX, 60, true },
        { MM_NONPAGED_EXECUTE, 41, false },
        { MM_NONPAGED_EXECUTE, 40, true },
        { MM_NONPAGED_NX, 1, false },
        { MM_PAGED, 51, false },
        { MM_PAGED, 50, true },
        { MM_PAGED, 1, false },
        { MM_CHARGE_OTHER, RAM - 100 - MM_RESERVE + 1, false }, /* what must be in RAM, and enough of paged pool to work with */
        { MM_CHARGE_OTHER, RAM - 100 - MM_RESERVE, true },
        { MM_CHARGE_OTHER, 1, false },
        { MM_CHARGE_OTHER, UINT64_MAX, false },
        { MM_PAGED, UINT64_MAX, false },
        { MM_NONPAGED_NX, 1ull << 63, false },
        { MM_CHARGE_OTHER, 0, true },
    };
    uint64_t expected[MM_CHARGE_KINDS] = { 0 };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(STEPS); i++) {
        assert_int_equal(mm_charge(STEPS[i].kind, STEPS[i].pages), STEPS[i].fits);
        expected[STEPS[i].kind] += STEPS[i].fits ? STEPS[i].pages : 0;
        for (unsigned kind = 0; kind < MM_CHARGE_KINDS; kind++)
            assert_int_equal(held(kind), expected[kind]);
    }
    mm_uncharge(MM_PAGED, 50);
    assert_true(mm_charge(MM_CHARGE_OTHER, MM_RESERVE)); /* without paged pool there is no need for that */
    assert_false(mm_charge(MM_PAGED, 1));
    mm_uncharge(MM_CHARGE_OTHER, RAM - 100);
    mm_uncharge(MM_NONPAGED_NX, 60);
    mm_uncharge(MM_NONPAGED_EXECUTE, 40);
    assert_int_equal(mm_gauge_now(MM_GAUGE_COMMITTED), 0);
}

static void paged_pool_may_be_larger_than_ram(void **state)
{
    (void)state;
    assert_false(mm_charge(MM_PAGED, RAM + FILE + 1));
    assert_true(mm_charge(MM_PAGED, RAM));
    assert_false(mm_charge(MM_CHARGE_OTHER, FILE + 1)); /* the commit limit is for all of them together */
    assert_true(mm_charge(MM_CHARGE_OTHER, FILE));
    assert_false(mm_charge(MM_PAGED, 1));
    mm_charges_page_file_is(FILE - 1); /* what was granted stays so */
    mm_uncharge(MM_CHARGE_OTHER, 1);
    assert_false(mm_charge(MM_CHARGE_OTHER, 1));
    mm_uncharge(MM_CHARGE_OTHER, FILE - 1);
    mm_uncharge(MM_PAGED, RAM);
}

/* Of paged pool's 50 pages 18 have to be left for it to count as high, and 6 not to count as low. */
static void word_is_left_when_a_line_is_crossed(void **state)
{
    static const struct {
        uint64_t from, to;
        bool     word;
    } STEPS[] = {
        { 0, 31, false }, { 31, 32, true },  { 32, 44, false }, { 44, 45, true }, { 45, 50, false }, { 50, 45, false },
        { 45, 44, true }, { 44, 32, false }, { 32, 31, true },  { 31, 0, false }, { 0, 50, true },   { 50, 0, true },
    };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(STEPS); i++) {
        assert_int_equal(held(MM_PAGED), STEPS[i].from);
        if (STEPS[i].to > STEPS[i].from)
            assert_true(mm_charge(MM_PAGED, STEPS[i].to - STEPS[i].from));
        else
            mm_uncharge(MM_PAGED, STEPS[i].from - STEPS[i].to);
        assert_int_equal(atomic_load(&ke_leave_due) != 0, STEPS[i].word);
        mm_pressure_settle();
        assert_int_equal(atomic_load(&ke_leave_due), 0);
        assert_int_equal(KeReadStateEvent(mm_pressure_event(MM_HIGH_PAGED)), STEPS[i].to < 32);
        assert_int_equal(KeReadStateEvent(mm_pressure_event(MM_LOW_PAGED)), STEPS[i].to > 44);
    }
    assert_false(mm_charge(MM_PAGED, 51)); /* a refusal is nobody's business */
    assert_int_equal(atomic_load(&ke_leave_due), 0);
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 40000 };

static _Atomic int      holders[MM_CHARGE_KINDS], served;
static _Atomic unsigned wrong;

static void *fight_for_one_page(void *argument)
{
    unsigned kind = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < TURNS; i++) {
        if (!mm_charge(kind, 1))
            continue;
        unsigned gauge = kind == MM_PAGED ? MM_PAGED : MM_NONPAGED_NX;
        if (atomic_fetch_add(&holders[gauge], 1) != 0)
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_sub(&holders[gauge], 1);
        atomic_fetch_add(&served, 1);
        mm_uncharge(kind, 1);
    }
    return NULL;
}

static void the_last_page_is_given_once(void **state)
{
    static const unsigned KINDS[THREADS] = { MM_NONPAGED_NX, MM_NONPAGED_EXECUTE, MM_PAGED, MM_NONPAGED_NX };
    pthread_t             thread[THREADS];
    (void)state;
    atomic_store(&served, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, fight_for_one_page, (void *)(uintptr_t)KINDS[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(wrong, 0);
    assert_true(served >= TURNS); /* paged pool's page has one suitor */
    assert_int_equal(mm_gauge_now(MM_GAUGE_COMMITTED), 0);
}

static void *overcommit(void *argument)
{
    unsigned kind = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < TURNS; i++) {
        uint64_t pages = (uint64_t)(i * 37 % 400 + 1);
        if (!mm_charge(kind, pages))
            continue;
        if (atomic_fetch_add(&holders[0], (int)pages) + (int)pages > (int)(RAM + FILE))
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_sub(&holders[0], (int)pages);
        mm_uncharge(kind, pages);
    }
    return NULL;
}

static void threads_never_hold_more_than_there_is(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, overcommit, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(mm_gauge_now(MM_GAUGE_COMMITTED), 0);
    mm_pressure_settle();
    assert_int_equal(KeReadStateEvent(mm_pressure_event(MM_LOW_COMMIT)), 1);
    assert_int_equal(KeReadStateEvent(mm_pressure_event(MM_HIGH_COMMIT)), 0);
}

/* ---- the threshold of memory ---- */

static void low_memory_is_one_part_in_128_and_64_mib_at_most(void **state)
{
    static const struct {
        uint64_t ram, low; /* bytes */
    } CASES[] = { { UINT64_C(4) << 30, 32 << 20 }, { UINT64_C(8) << 30, 64 << 20 }, { UINT64_C(40) << 30, 64 << 20 } };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(CASES); i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .unbacked_ram = true, .physical_memory = CASES[i].ram }), 0);
        uint64_t ram = mm_frames.map.page_count, low = CASES[i].low >> PAGE_SHIFT;
        PKEVENT  low_event = mm_pressure_event(MM_LOW_MEMORY), high_event = mm_pressure_event(MM_HIGH_MEMORY);
        uint64_t at[] = { ram - 3 * low - 1, ram - 3 * low, ram - low, ram - low + 1, ram };
        for (size_t k = 0; k < NTMM_ARRAY_COUNT(at); k++) {
            assert_true(mm_charge(MM_CHARGE_OTHER, at[k] - held(MM_CHARGE_OTHER)));
            mm_pressure_settle();
            assert_int_equal(KeReadStateEvent(high_event), k < 1);
            assert_int_equal(KeReadStateEvent(low_event), k > 2);
        }
        mm_uncharge(MM_CHARGE_OTHER, ram);
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(limits_come_from_ram, &SMALL),
        ntmm_cmocka_test_config(limits_come_from_the_config, &LIMITED),
        ntmm_cmocka_test_config(a_charge_fits_or_changes_nothing, &LIMITED),
        ntmm_cmocka_test_config(paged_pool_may_be_larger_than_ram, &SMALL),
        ntmm_cmocka_test_config(word_is_left_when_a_line_is_crossed, &LIMITED),
        ntmm_cmocka_test_config(the_last_page_is_given_once, &ONE_PAGE),
        ntmm_cmocka_test_config(threads_never_hold_more_than_there_is, &SMALL),
        cmocka_unit_test(low_memory_is_one_part_in_128_and_64_mib_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
