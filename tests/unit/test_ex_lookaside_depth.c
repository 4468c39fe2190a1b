/*
 * test_ex_lookaside_depth.c - how Depth follows demand: the formula, row by row and against a model; scans by call and by the clock of allocations;
 * what becomes of entries beyond the new depth.
 */
#include <stdio.h>
#include <stdlib.h>

#include <ntmm/cmocka.h>

#include "ex/lookaside.h"
#include "host/host.h"
#include "ke/balance.h"

#define TAG NTMM_TAG("Dpth")
#define SIZE 40u
#define MOST 300u

static NPAGED_LOOKASIDE_LIST list;
static PVOID                 entries[MOST];

static int fresh(void **state)
{
    void *none = NULL;
    (void)state;
    if (ntmm_cmocka_setup(&none) != 0)
        return -1;
    ExInitializeNPagedLookasideList(&list, NULL, NULL, POOL_NX_ALLOCATION, SIZE, TAG, 0);
    return 0;
}
static int shut_down(void **state)
{
    void *none = NULL;
    (void)state;
    if (ntmm_stop_report()[0] == '\0')
        ExDeleteNPagedLookasideList(&list);
    return ntmm_cmocka_teardown(&none);
}

/* ---- the formula ---- */

static void row_by_row(void **state)
{
    static const struct {
        ULONG depth, maximum, allocates, misses, next;
    } rows[] = {
        { 4, 256, 0, 0, 4 },        /* nothing happened; it is at the least already */
        { 14, 256, 24, 24, 4 },     /* hardly used, however often it missed */
        { 15, 256, 24, 0, 5 },      //
        { 13, 256, 0, 0, 4 },       /* never below 4 */
        { 256, 256, 0, 0, 246 },    //
        { 4, 256, 25, 0, 4 },       /* used, with no miss */
        { 5, 256, 25, 0, 4 },       //
        { 100, 256, 1000, 4, 99 },  /* 0.4 % */
        { 100, 256, 1000, 5, 105 }, /* 0.5 %: 5 * 156 / 2000 = 0, and 5 */
        { 100, 256, 200, 1, 105 },  /* 0.5 % */
        { 100, 256, 201, 1, 99 },   /* a little less */
        { 4, 256, 25, 25, 135 },    /* all missed: 252 / 2, and 5 */
        { 4, 256, 100, 50, 72 },    /* half: 252 / 4, and 5 */
        { 135, 256, 100, 100, 200 },
        { 200, 256, 100, 100, 233 },
        { 233, 256, 100, 100, 249 },
        { 249, 256, 100, 100, 256 }, /* 3 and 5 would be beyond */
        { 256, 256, 100, 100, 256 },
        { 254, 256, 100, 1, 256 },
        { 4, 256, 100, 200, 135 }, /* misses counted ahead of their allocations: as if all had missed */
        { 4, 8, 100, 100, 8 },     /* somebody has lowered the maximum */
        { 20, 8, 100, 100, 20 },   /* below what there is: it grows no more */
        { 4, 256, 4000000000u, 4000000000u, 135 },
        { 4, 256, 4000000000u, 19999999u, 4 },
        { 4, 256, 4000000000u, 20000000u, 9 },
    };

    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(rows); i++) {
        ULONG next = ex_lookaside_next_depth(rows[i].depth, rows[i].maximum, rows[i].allocates, rows[i].misses);
        if (next != rows[i].next)
            fail_msg("row %zu: %u, not %u", i, next, rows[i].next);
    }
}

/* Written another way: with fractions. */
static unsigned model_next(unsigned depth, unsigned allocates, unsigned misses)
{
    double ratio = (double)misses / allocates, next;

    if (allocates < 25)
        return depth < 14 ? 4 : depth - 10;
    if (ratio < 0.005)
        return depth > 4 ? depth - 1 : 4;
    next = (double)(int)((double)(int)(ratio * 1000 + 1e-9) / 1000 * (256 - depth) / 2 + 1e-9) + depth + 5;
    return next > 256 ? 256 : (unsigned)next;
}

static void against_fractions(void **state)
{
    (void)state;
    for (unsigned depth = 4; depth <= 256; depth++)
        for (unsigned allocates = 1; allocates <= 2000; allocates = allocates * 3 / 2 + 1)
            for (unsigned misses = 0; misses <= allocates; misses += 1 + allocates / 20)
                if (ex_lookaside_next_depth(depth, 256, allocates, misses) != model_next(depth, allocates, misses))
                    fail_msg("depth %u, %u allocations, %u misses: %u, not %u", depth, allocates, misses,
                             ex_lookaside_next_depth(depth, 256, allocates, misses), model_next(depth, allocates, misses));
}

/* ---- a list, against a model of all of it ---- */

static struct model {
    unsigned depth, kept, held, allocates, misses, frees, free_misses, last_allocates, last_misses, clock;
} model;
static unsigned long long seed;

static unsigned random_below(unsigned limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % limit;
}

static void model_scan(void)
{
    model.depth = model_next(model.depth, model.allocates - model.last_allocates, model.misses - model.last_misses);
    model.last_allocates = model.allocates;
    model.last_misses = model.misses;
    if (model.kept > model.depth)
        model.kept = model.depth;
}

static void take(void)
{
    if (++model.clock == KE_BALANCE_PERIOD) {
        model.clock = 0;
        model_scan();
    }
    model.allocates++;
    if (model.kept > 0)
        model.kept--;
    else
        model.misses++;
    entries[model.held++] = ExAllocateFromNPagedLookasideList(&list);
}

static void give(void)
{
    unsigned which = random_below(model.held);
    PVOID    entry = entries[which];

    entries[which] = entries[--model.held];
    model.frees++;
    if (model.kept < model.depth)
        model.kept++;
    else
        model.free_misses++;
    ExFreeToNPagedLookasideList(&list, entry);
}

static void expect_model(void)
{
    assert_int_equal(list.L.Depth, model.depth);
    assert_int_equal(ExQueryDepthSList(&list.L.ListHead), model.kept);
    assert_int_equal(list.L.TotalAllocates, model.allocates);
    assert_int_equal(list.L.AllocateMisses, model.misses);
    assert_int_equal(list.L.TotalFrees, model.frees);
    assert_int_equal(list.L.FreeMisses, model.free_misses);
    assert_int_equal(list.L.LastTotalAllocates, model.last_allocates);
    assert_int_equal(list.L.LastAllocateMisses, model.last_misses);
}

static void like_the_model(void **state)
{
    const char *wanted = getenv("NTMM_SEED");
    unsigned    deepest = 0;

    (void)state;
    seed = wanted != NULL ? strtoull(wanted, NULL, 0) : 0xdee9;
    printf("seed 0x%llx\n", seed);
    model = (struct model){ .depth = 4 };
    for (unsigned phase = 0; phase < 120; phase++) {
        unsigned most = 1 + random_below(MOST), steps = random_below(400), bias = random_below(10); /* how much is held, and for how long */
        for (unsigned i = 0; i < steps; i++)
            if (model.held == 0 || (model.held < most && random_below(10) > bias))
                take();
            else
                give();
        if (phase % 3 == 0) {
            ntmm_balance_scan();
            model_scan();
        }
        expect_model();
        assert_true(ntmm_check());
        deepest = model.depth > deepest ? model.depth : deepest;
    }
    assert_true(deepest > 50); /* it has been somewhere */
    while (model.held > 0)
        give();
    expect_model();
}

/* ---- scans ---- */

static void take_and_give(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ExFreeToNPagedLookasideList(&list, ExAllocateFromNPagedLookasideList(&list));
}

static void hold(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        entries[i] = ExAllocateFromNPagedLookasideList(&list);
}
static void let_go(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ExFreeToNPagedLookasideList(&list, entries[i]);
}

static uint64_t live(void)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(TAG, NonPagedPoolNx, &usage) ? usage.allocs - usage.frees : 0;
}

static void by_call(void **state)
{
    (void)state;
    hold(100);
    ntmm_balance_scan();
    assert_int_equal(list.L.Depth, 135);
    let_go(100);
    assert_int_equal(list.L.FreeMisses, 0);
    assert_int_equal(live(), 100);
    take_and_give(900);
    ExAdjustLookasideDepth(); /* no miss */
    assert_int_equal(list.L.Depth, 134);
    assert_int_equal(live(), 100);
    ntmm_balance_scan(); /* not used at all any more: 124, 114, 104, 94 */
    ntmm_balance_scan();
    ntmm_balance_scan();
    assert_int_equal(live(), 100);
    ntmm_balance_scan();
    assert_int_equal(list.L.Depth, 94);
    assert_int_equal(live(), 94); /* what is too much has gone back to the pool */
    assert_int_equal(list.L.TotalFrees, 1000);
    assert_int_equal(list.L.FreeMisses, 0);
    for (unsigned i = 0; i < 20; i++)
        ntmm_balance_scan();
    assert_int_equal(list.L.Depth, 4);
    assert_int_equal(live(), 4);
    assert_true(ntmm_check());
}

static void by_the_clock(void **state)
{
    (void)state;
    hold(200); /* of 1,024 allocations of this thread */
    let_go(200);
    take_and_give(KE_BALANCE_PERIOD - 200 - 1);
    assert_int_equal(list.L.Depth, 4);
    take_and_give(1);
    /* 200 misses of 1,023: 195 of a thousand, 195 * 252 / 2000 = 24, and 5 */
    assert_int_equal(list.L.Depth, 33);
    take_and_give(KE_BALANCE_PERIOD - 1);
    assert_int_equal(list.L.Depth, 33);
    take_and_give(1); /* no miss in the second period */
    assert_int_equal(list.L.Depth, 32);
}

static void several_lists(void **state)
{
    LOOKASIDE_LIST_EX    others[2];
    PAGED_LOOKASIDE_LIST paged;

    (void)state;
    memset(others, 0, sizeof others);
    memset(&paged, 0, sizeof paged);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(ExInitializeLookasideListEx(&others[i], NULL, NULL, PagedPool, 0, SIZE, TAG, 0), STATUS_SUCCESS);
    ExInitializePagedLookasideList(&paged, NULL, NULL, 0, SIZE, TAG, 0);
    for (unsigned i = 0; i < 30; i++)
        entries[i] = ExAllocateFromLookasideListEx(&others[1]);
    ntmm_balance_scan();
    assert_int_equal(others[0].L.Depth, 4);
    assert_int_equal(others[1].L.Depth, 135);
    assert_int_equal(paged.L.Depth, 4);
    assert_int_equal(list.L.Depth, 4);
    for (unsigned i = 0; i < 30; i++)
        ExFreeToLookasideListEx(&others[1], entries[i]);
    ExDeleteLookasideListEx(&others[0]); /* one in the middle */
    for (unsigned i = 0; i < 14; i++)
        ntmm_balance_scan();
    assert_int_equal(others[1].L.Depth, 4);
    assert_int_equal(ExQueryDepthSList(&others[1].L.ListHead), 4); /* paged entries have gone, too */
    ExDeletePagedLookasideList(&paged);
    ExDeleteLookasideListEx(&others[1]);
    ntmm_balance_scan();
    assert_true(ntmm_check());
}

static unsigned own_frees;
static VOID     own_free(PVOID entry)
{
    own_frees++;
    ExFreePool(entry);
}

/* A scan may happen in the middle of any driver's call: it calls no driver's routine. */
static void a_routine_of_the_driver_is_not_called(void **state)
{
    NPAGED_LOOKASIDE_LIST own;

    (void)state;
    memset(&own, 0, sizeof own);
    own_frees = 0;
    ExInitializeNPagedLookasideList(&own, NULL, own_free, POOL_NX_ALLOCATION, SIZE, TAG, 0);
    for (unsigned i = 0; i < 30; i++)
        entries[i] = ExAllocateFromNPagedLookasideList(&own);
    ntmm_balance_scan();
    for (unsigned i = 0; i < 30; i++)
        ExFreeToNPagedLookasideList(&own, entries[i]);
    for (unsigned i = 0; i < 14; i++)
        ntmm_balance_scan();
    assert_int_equal(own.L.Depth, 4);
    assert_int_equal(ExQueryDepthSList(&own.L.ListHead), 30);
    assert_int_equal(own_frees, 0);
    for (unsigned i = 0; i < 10; i++)
        entries[i] = ExAllocateFromNPagedLookasideList(&own);
    for (unsigned i = 0; i < 10; i++)
        ExFreeToNPagedLookasideList(&own, entries[i]); /* too full to take them */
    assert_int_equal(own_frees, 10);
    assert_int_equal(ExQueryDepthSList(&own.L.ListHead), 20);
    ExDeleteNPagedLookasideList(&own);
    assert_int_equal(own_frees, 30);
}

static void the_control_api_at_dispatch_level(void **state)
{
    KIRQL old;

    (void)state;
    hold(30);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ntmm_balance_scan();
    assert_int_equal(list.L.Depth, 4);
    assert_non_null(strstr(ntmm_error(), "IRQL 2"));
    KeLowerIrql(old);
    ntmm_balance_scan();
    assert_int_equal(list.L.Depth, 135);
    let_go(30);
}

/* An entry of the list was freed, and its page is gone, so the surplus ends there; whoever uses the list meets the page fault. */
static void a_damaged_list_is_left_alone(void **state)
{
    NPAGED_LOOKASIDE_LIST pages;
    PVOID                 nowhere = host_reserve(host_page_size());

    (void)state;
    memset(&pages, 0, sizeof pages);
    ExInitializeNPagedLookasideList(&pages, NULL, NULL, POOL_NX_ALLOCATION, SIZE, TAG, 0);
    ExFreeToNPagedLookasideList(&pages, ExAllocateFromNPagedLookasideList(&pages));
    pages.L.ListHead.Region = (uintptr_t)nowhere;
    pages.L.ListHead.HeaderX64.Depth = 9;
    assert_no_bugcheck(ntmm_balance_scan());
    assert_int_equal(pages.L.ListHead.HeaderX64.Depth, 9);
    assert_false(ntmm_check());
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, nowhere, ExAllocateFromNPagedLookasideList(&pages));
    host_release(nowhere, host_page_size());
}

#define test(name) cmocka_unit_test_setup_teardown(name, fresh, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_by_row),
        cmocka_unit_test(against_fractions),
        test(like_the_model),
        test(by_call),
        test(by_the_clock),
        test(several_lists),
        test(a_routine_of_the_driver_is_not_called),
        test(the_control_api_at_dispatch_level),
        test(a_damaged_list_is_left_alone),
    };
    return cmocka_run_group_tests_name("ex lookaside depth", tests, NULL, NULL);
}
