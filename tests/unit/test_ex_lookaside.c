/*
 * test_ex_lookaside.c - lookaside lists of the three kinds: what is kept and what goes to the pool, exact counters, the driver's own routines, IRQL,
 * mistakes, failure injection, leaks. How Depth follows demand: test_ex_lookaside_depth.c.
 */
#include <stdint.h>

#include <ntmm/cmocka.h>

#include "mm/mm.h"

#define TAG NTMM_TAG("Look")
#define OTHER_TAG NTMM_TAG("Else")
#define SIZE 72u

/* ---- one face for the three kinds ---- */

static NPAGED_LOOKASIDE_LIST np;
static PAGED_LOOKASIDE_LIST  pg;
static LOOKASIDE_LIST_EX     ex;

static void  np_init(void) { ExInitializeNPagedLookasideList(&np, NULL, NULL, POOL_NX_ALLOCATION, SIZE, TAG, 0); }
static PVOID np_take(void) { return ExAllocateFromNPagedLookasideList(&np); }
static void  np_give(PVOID entry) { ExFreeToNPagedLookasideList(&np, entry); }
static void  np_delete(void) { ExDeleteNPagedLookasideList(&np); }
static void  pg_init(void) { ExInitializePagedLookasideList(&pg, NULL, NULL, 0, SIZE, TAG, 0); }
static PVOID pg_take(void) { return ExAllocateFromPagedLookasideList(&pg); }
static void  pg_give(PVOID entry) { ExFreeToPagedLookasideList(&pg, entry); }
static void  pg_delete(void) { ExDeletePagedLookasideList(&pg); }
static void  ex_init(void)
{
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, NonPagedPoolNx, 0, SIZE, TAG, 0), STATUS_SUCCESS);
}
static void ex_init_paged(void)
{
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 0, SIZE, TAG, 0), STATUS_SUCCESS);
}
static PVOID ex_take(void) { return ExAllocateFromLookasideListEx(&ex); }
static void  ex_give(PVOID entry) { ExFreeToLookasideListEx(&ex, entry); }
static void  ex_delete(void) { ExDeleteLookasideListEx(&ex); }

static const struct kind {
    GENERAL_LOOKASIDE_POOL *list;
    POOL_TYPE               pool;
    void (*init)(void);
    PVOID (*take)(void);
    void (*give)(PVOID entry);
    void (*end)(void);
} KINDS[] = {
    { (GENERAL_LOOKASIDE_POOL *)(void *)&np.L, NonPagedPoolNx, np_init, np_take, np_give, np_delete },
    { (GENERAL_LOOKASIDE_POOL *)(void *)&pg.L, PagedPool, pg_init, pg_take, pg_give, pg_delete },
    { &ex.L, NonPagedPoolNx, ex_init, ex_take, ex_give, ex_delete },
    { &ex.L, PagedPool, ex_init_paged, ex_take, ex_give, ex_delete },
};
enum { KIND_COUNT = NTMM_ARRAY_COUNT(KINDS) };

static const struct kind *kind; /* of the test that runs */

static int fresh(void **state)
{
    void *none = NULL;
    if (*state != NULL)
        kind = *state;
    memset(&np, 0, sizeof np);
    memset(&pg, 0, sizeof pg);
    memset(&ex, 0, sizeof ex);
    return ntmm_cmocka_setup(&none);
}
static int shut_down(void **state)
{
    (void)state;
    void *none = NULL;
    return ntmm_cmocka_teardown(&none);
}

static void expect_counts(ULONG allocates, ULONG allocate_misses, ULONG frees, ULONG free_misses)
{
    assert_int_equal(kind->list->TotalAllocates, allocates);
    assert_int_equal(kind->list->AllocateMisses, allocate_misses);
    assert_int_equal(kind->list->TotalFrees, frees);
    assert_int_equal(kind->list->FreeMisses, free_misses);
    assert_true(ntmm_check());
}

static uint64_t live_entries(void)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(TAG, kind->pool, &usage) ? usage.allocs - usage.frees : 0;
}

/* ---- every kind ---- */

static void as_initialised(void **state)
{
    (void)state;
    kind->init();
    assert_int_equal(kind->list->Depth, 4);
    assert_int_equal(kind->list->MaximumDepth, 256);
    assert_int_equal(kind->list->Type, kind->pool);
    assert_int_equal(kind->list->Tag, TAG);
    assert_int_equal(kind->list->Size, SIZE);
    assert_int_equal(kind->list->LastTotalAllocates, 0);
    assert_int_equal(kind->list->LastAllocateMisses, 0);
    assert_int_equal(ExQueryDepthSList(&kind->list->ListHead), 0);
    expect_counts(0, 0, 0, 0);
    assert_int_equal(live_entries(), 0); /* nothing in advance */
    kind->end();
}

static void the_entry_freed_last_comes_first(void **state)
{
    PVOID entry[3];

    (void)state;
    kind->init();
    for (unsigned i = 0; i < 3; i++) {
        entry[i] = kind->take();
        assert_non_null(entry[i]);
        assert_int_equal((uintptr_t)entry[i] % 16, 0);
        memset(entry[i], 0xa0 + (int)i, SIZE);
    }
    expect_counts(3, 3, 0, 0);
    for (unsigned i = 0; i < 3; i++)
        kind->give(entry[i]);
    expect_counts(3, 3, 3, 0);
    assert_int_equal(live_entries(), 3); /* the pool sees them in use */
    for (unsigned i = 3; i-- > 0;) {
        assert_ptr_equal(kind->take(), entry[i]);
        assert_int_equal(((unsigned char *)entry[i])[SIZE - 1], 0xa0 + i); /* nobody has zeroed it */
    }
    expect_counts(6, 3, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        kind->give(entry[i]);
    kind->end();
    assert_int_equal(live_entries(), 0);
}

static void beyond_its_depth(void **state)
{
    PVOID entry[7];

    (void)state;
    kind->init();
    for (unsigned i = 0; i < 7; i++)
        entry[i] = kind->take();
    for (unsigned i = 0; i < 7; i++)
        kind->give(entry[i]);
    expect_counts(7, 7, 7, 3);
    assert_int_equal(live_entries(), 4);
    assert_int_equal(ExQueryDepthSList(&kind->list->ListHead), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(kind->take(), entry[3 - i]);
    entry[4] = kind->take();
    expect_counts(12, 8, 7, 3);
    for (unsigned i = 0; i < 5; i++)
        kind->give(entry[i]);
    expect_counts(12, 8, 12, 4);
    kind->end();
    assert_int_equal(live_entries(), 0);
}

static void deleted_and_initialised_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        kind->init();
        expect_counts(0, 0, 0, 0);
        kind->give(kind->take());
        expect_counts(1, 1, 1, 0);
        kind->end();
    }
    assert_int_equal(live_entries(), 0);
}

static void memory_is_short(void **state)
{
    static const ntmm_config SMALL = { .quiet = true, .nonpaged_pool_limit = 4 * PAGE_SIZE, .paged_pool_limit = 4 * PAGE_SIZE };
    PVOID                    entry, newest = NULL;
    ULONG                    taken = 0;

    (void)state;
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(&SMALL), 0);
    kind->init();
    while ((entry = kind->take()) != NULL) {
        *(PVOID *)entry = newest;
        newest = entry;
        taken++;
    }
    assert_true(taken > 100);
    expect_counts(taken + 1, taken + 1, 0, 0);
    assert_null(kind->take());
    while (newest != NULL) {
        PVOID next = *(PVOID *)newest;
        kind->give(newest);
        newest = next;
    }
    expect_counts(taken + 2, taken + 2, taken, taken - 4);
    kind->end();
    assert_int_equal(live_entries(), 0);
}

/* ---- mistakes with the list, of every kind ---- */

#define CORRUPT FAST_FAIL_CORRUPT_LIST_ENTRY
#define ARGUMENT FAST_FAIL_INVALID_ARG

static PVOID entry_of_list;

static void a_list(void) { kind->init(); }
static void no_list(void) {}
static void garbage(void) { memset(kind->list, 0xdb, sizeof *kind->list); }
static void a_deleted_list(void)
{
    kind->init();
    kind->end();
}
static void a_list_of_an_earlier_boot(void)
{
    kind->init();
    ntmm_cmocka_reboot();
}
static void a_copy_of_a_list(void)
{
    GENERAL_LOOKASIDE_POOL copy;
    kind->init();
    copy = *kind->list;
    kind->end();
    *kind->list = copy;
    kind->list->ListHead = (SLIST_HEADER){ 0 };
}
static void take_one(void) { entry_of_list = kind->take(); }
static void give_any(void) { kind->give(&np); }
static void init_it(void) { kind->init(); }
static void delete_it(void) { kind->end(); }

static const struct list_mistake {
    const char *name;
    void (*before)(void);
    void (*call)(void);
    ULONG       code; /* of 0x139; 0: no stop */
    const char *says;
} LIST_MISTAKES[] = {
    { "initialised twice", a_list, init_it, CORRUPT, "active already" },
    { "deleted twice", a_deleted_list, delete_it, CORRUPT, "has been deleted" },
    { "deleted without being initialised", no_list, delete_it, CORRUPT, "never initialised" },
    { "garbage is deleted", garbage, delete_it, CORRUPT, "never initialised" },
    { "deleted in a later boot", a_list_of_an_earlier_boot, delete_it, CORRUPT, "before the machine was booted" },
    { "allocation from no list", no_list, take_one, ARGUMENT, "never initialised" },
    { "allocation from garbage", garbage, take_one, ARGUMENT, "never initialised" },
    { "allocation from a deleted list", a_deleted_list, take_one, ARGUMENT, "has been deleted" },
    { "allocation from a list of an earlier boot", a_list_of_an_earlier_boot, take_one, ARGUMENT, "before the machine was booted" },
    { "free to no list", no_list, give_any, ARGUMENT, "never initialised" },
    { "free to a deleted list", a_deleted_list, give_any, ARGUMENT, "has been deleted" },
    { "the set does not know it any more", a_copy_of_a_list, delete_it, CORRUPT, "neighbours" },
    { "initialised in a later boot", a_list_of_an_earlier_boot, init_it, 0, NULL },
    { "garbage is initialised", garbage, init_it, 0, NULL },
};

static const struct list_mistake *mistake;

static void check_list_mistake(void **state)
{
    (void)state;
    mistake->before();
    if (mistake->code == 0) {
        assert_no_bugcheck(mistake->call());
        kind->end();
        return;
    }
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, mistake->code, mistake->call());
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0);
    if (strstr(ntmm_stop_report(), mistake->says) == NULL)
        fail_msg("%s: the report does not say \"%s\":\n%s", mistake->name, mistake->says, ntmm_stop_report());
}

static void every_list_mistake(void **state)
{
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(LIST_MISTAKES); i++) {
        mistake = &LIST_MISTAKES[i];
        memset(kind->list, 0, sizeof *kind->list);
        check_list_mistake(state);
        ntmm_cmocka_reboot();
    }
}

/* ---- mistakes with entries ---- */

static void freed_twice_in_a_row(void **state)
{
    PVOID entry;

    (void)state;
    kind->init();
    entry = kind->take();
    kind->give(entry);
    assert_bugcheck(BAD_POOL_CALLER, 7, kind->give(entry));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], (uintptr_t)entry);
    assert_int_equal(ntmm_cmocka_caught.parameter[2] >> 32, TAG); /* the header's second word */
}

static void freed_twice_with_another_between(void **state)
{
    PVOID entry[2];

    (void)state;
    kind->init();
    entry[0] = kind->take();
    entry[1] = kind->take();
    kind->give(entry[0]);
    kind->give(entry[1]);
    kind->give(entry[0]); /* 0 -> 1 -> 0 ..., which nobody sees in passing */
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "freed twice"));
    ntmm_shutdown(NULL);
    fresh(state);
}

static void an_entry_freed_to_the_pool_as_well(void **state)
{
    PVOID entry;

    (void)state;
    kind->init();
    entry = kind->take();
    kind->give(entry);
    assert_true(ntmm_check());
    ExFreePool(entry);
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "no live pool allocation"));
    ntmm_shutdown(NULL);
    fresh(state);
}

static void an_entry_of_another_list(void **state)
{
    PVOID entry;

    (void)state;
    kind->init();
    entry = ExAllocatePoolWithTag(kind->pool, SIZE, OTHER_TAG);
    kind->give(entry);
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "another size or tag"));
    assert_ptr_equal(kind->take(), entry);
    ExFreePool(entry);
    entry = ExAllocatePoolWithTag(kind->pool, SIZE - 1, TAG);
    kind->give(entry);
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "another size or tag"));
    assert_ptr_equal(kind->take(), entry);
    ExFreePool(entry);
    assert_true(ntmm_check());
    kind->end();
}

static void a_link_overwritten(void **state)
{
    PVOID entry[2];

    (void)state;
    kind->init();
    entry[0] = kind->take();
    entry[1] = kind->take();
    kind->give(entry[0]);
    kind->give(entry[1]);
    *(uintptr_t *)entry[1] ^= 8;
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "the link to an entry was overwritten"));
    *(uintptr_t *)entry[1] ^= 8;
    assert_true(ntmm_check());
    kind->end();
}

static void an_entry_of_whole_pages(void **state)
{
    LOOKASIDE_LIST_EX pages;
    PVOID             entry;

    (void)state;
    assert_int_equal(ExInitializeLookasideListEx(&pages, NULL, NULL, kind->pool, 0, 2 * PAGE_SIZE + 100, TAG, 0), STATUS_SUCCESS);
    entry = ExAllocateFromLookasideListEx(&pages);
    assert_int_equal(BYTE_OFFSET(entry), 0);
    ExFreeToLookasideListEx(&pages, entry);
    assert_true(ntmm_check());
    assert_bugcheck(BAD_POOL_CALLER, 7, ExFreeToLookasideListEx(&pages, entry));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0); /* whole pages have no header */
    assert_int_equal(ntmm_cmocka_caught.parameter[3], (uintptr_t)entry);
}

/* ---- leaks ---- */

static void what_is_held_is_leaked(void **state)
{
    static ntmm_report report;
    PVOID              entry[6];

    kind->init();
    for (unsigned i = 0; i < 6; i++)
        entry[i] = kind->take();
    kind->give(entry[0]);
    kind->give(entry[1]);
    assert_int_equal(ntmm_shutdown(&report), 6); /* four by the driver, two by a list that nobody deleted */
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(report.leaks[i].tag, TAG);
        assert_int_equal(report.leaks[i].type, kind->pool);
        assert_true(report.leaks[i].bytes >= SIZE);
    }
    fresh(state);
    ntmm_balance_scan(); /* no list is known */
    assert_true(ntmm_check());
    kind->init();
    kind->end();
}

/* ---- failure injection ---- */

static unsigned rounds, failures;

static void three_allocations(void *unused)
{
    PVOID entry;

    (void)unused;
    rounds++;
    kind->init();
    for (unsigned i = 0; i < 3; i++) { /* but for the injection the second and third would be served by the list */
        entry = kind->take();
        if (entry != NULL)
            kind->give(entry);
        else
            failures++;
    }
    kind->end();
}

static void each_allocation_is_one(void **state)
{
    (void)state;
    rounds = failures = 0;
    assert_int_equal(ntmm_for_each_failure(three_allocations, NULL), 4);
    assert_int_equal(rounds, 4);
    assert_int_equal(failures, 3);
    assert_int_equal(live_entries(), 0);
}

static void an_armed_failure_passes_by_what_is_on_the_list(void **state)
{
    PVOID entry[2];

    (void)state;
    kind->init();
    entry[0] = kind->take();
    kind->give(entry[0]);
    ntmm_fail_allocation(2);
    entry[1] = kind->take();
    assert_non_null(entry[1]);
    assert_ptr_not_equal(entry[1], entry[0]);
    assert_null(kind->take());
    expect_counts(3, 3, 1, 0);
    kind->give(entry[1]);
    expect_counts(3, 3, 2, 1);
    assert_int_equal(ExQueryDepthSList(&kind->list->ListHead), 1);
    entry[1] = kind->take(); /* it has fired, and is still in force */
    assert_ptr_not_equal(entry[1], entry[0]);
    kind->give(entry[1]);
    ntmm_fail_allocation(0);
    assert_ptr_equal(kind->take(), entry[0]);
    kind->give(entry[0]);
    kind->end();
}

/* ---- the driver's own routines ---- */

static struct {
    POOL_TYPE type;
    SIZE_T    bytes;
    ULONG     tag;
    PVOID     context;
    unsigned  allocates, frees;
    KIRQL     irql;
} seen;

static PVOID own_allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    seen.type = type;
    seen.bytes = bytes;
    seen.tag = tag;
    seen.allocates++;
    seen.irql = KeGetCurrentIrql();
    return ExAllocatePoolWithTag(type, bytes, tag);
}
static VOID own_free(PVOID buffer)
{
    seen.frees++;
    seen.irql = KeGetCurrentIrql();
    ExFreePool(buffer);
}
/* A LookasideListAllocateEx, and below a LookasideListFreeEx. */
static PVOID own_allocate_ex(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    seen.context = list;
    return own_allocate((POOL_TYPE)(type & ~(unsigned)POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) == type ? type : NonPagedPoolNx, bytes, tag);
}
static VOID own_free_ex(PVOID buffer, PLOOKASIDE_LIST_EX list)
{
    seen.context = list;
    own_free(buffer);
}

static void routines_without_context(void **state)
{
    PVOID entry[6];
    KIRQL old;

    (void)state;
    memset(&seen, 0, sizeof seen);
    ExInitializeNPagedLookasideList(&np, own_allocate, own_free, POOL_NX_ALLOCATION | POOL_RAISE_IF_ALLOCATION_FAILURE, SIZE, TAG, 0);
    assert_ptr_equal(np.L.Allocate, own_allocate);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    for (unsigned i = 0; i < 6; i++)
        entry[i] = ExAllocateFromNPagedLookasideList(&np);
    assert_int_equal(seen.type, NonPagedPoolNx | POOL_RAISE_IF_ALLOCATION_FAILURE);
    assert_int_equal(seen.bytes, SIZE);
    assert_int_equal(seen.tag, TAG);
    assert_int_equal(seen.allocates, 6);
    assert_int_equal(seen.irql, DISPATCH_LEVEL);
    for (unsigned i = 0; i < 6; i++)
        ExFreeToNPagedLookasideList(&np, entry[i]);
    assert_int_equal(seen.frees, 2);
    ExDeleteNPagedLookasideList(&np);
    assert_int_equal(seen.frees, 6);
    assert_int_equal(seen.irql, DISPATCH_LEVEL);
    KeLowerIrql(old);
    ExInitializePagedLookasideList(&pg, own_allocate, NULL, POOL_NX_ALLOCATION, SIZE, TAG, 0);
    ExFreeToPagedLookasideList(&pg, ExAllocateFromPagedLookasideList(&pg));
    assert_int_equal(seen.type, PagedPool); /* the flag has no effect */
    ExDeletePagedLookasideList(&pg);
    assert_int_equal(seen.frees, 6); /* by the pool's own routine */
}

static void routines_with_context(void **state)
{
    PVOID entry[5];

    (void)state;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(ExInitializeLookasideListEx(&ex, own_allocate_ex, own_free_ex, NonPagedPoolNx, 0, SIZE, TAG, 0), STATUS_SUCCESS);
    for (unsigned i = 0; i < 5; i++)
        entry[i] = ExAllocateFromLookasideListEx(&ex);
    assert_ptr_equal(seen.context, &ex);
    assert_int_equal(seen.type, NonPagedPoolNx);
    seen.context = NULL;
    for (unsigned i = 0; i < 5; i++)
        ExFreeToLookasideListEx(&ex, entry[i]);
    assert_ptr_equal(seen.context, &ex);
    assert_int_equal(seen.frees, 1);
    ExFlushLookasideListEx(&ex);
    assert_int_equal(seen.frees, 5);
    assert_int_equal(ExQueryDepthSList(&ex.L.ListHead), 0);
    assert_int_equal(ex.L.TotalFrees, 5); /* a flush is no free */
    assert_int_equal(ex.L.FreeMisses, 1);
    entry[0] = ExAllocateFromLookasideListEx(&ex); /* and the list goes on */
    assert_int_equal(seen.allocates, 6);
    ExFreeToLookasideListEx(&ex, entry[0]);
    ExFlushLookasideListEx(&ex);
    ExFlushLookasideListEx(&ex); /* of an empty list */
    ExDeleteLookasideListEx(&ex);
    assert_int_equal(seen.frees, 6);
}

static POOL_TYPE type_seen_with(POOL_TYPE type, ULONG flags)
{
    assert_int_equal(ExInitializeLookasideListEx(&ex, own_allocate_ex, NULL, type, flags, SIZE, TAG, 0), STATUS_SUCCESS);
    POOL_TYPE seen_by_list = ex.L.Type;
    ExFreeToLookasideListEx(&ex, ExAllocateFromLookasideListEx(&ex));
    ExDeleteLookasideListEx(&ex);
    return seen_by_list;
}

static void flags_become_part_of_the_type(void **state)
{
    (void)state;
    assert_int_equal(type_seen_with(PagedPool, EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL), PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE);
    assert_int_equal(seen.type, PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE);
    assert_int_equal(type_seen_with(NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE),
                     NonPagedPoolNx | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE);
    assert_int_equal(type_seen_with(NonPagedPool, 0), NonPagedPool);
}

/* ---- arguments ---- */

static void statuses_of_ex(void **state)
{
    static const struct {
        ULONG    type, flags;
        SIZE_T   size;
        bool     routine;
        NTSTATUS status;
    } rows[] = {
        { NonPagedPool, 0, SIZE, false, STATUS_SUCCESS },
        { PagedPool, 0, SIZE, false, STATUS_SUCCESS },
        { NonPagedPoolCacheAligned, 0, SIZE, false, STATUS_SUCCESS },
        { PagedPoolCacheAligned, 0, SIZE, false, STATUS_SUCCESS },
        { NonPagedPoolNxCacheAligned, 0, SIZE, false, STATUS_SUCCESS },
        { NonPagedPoolSessionNx, 0, SIZE, false, STATUS_SUCCESS },
        { PagedPoolSession, 0, SIZE, false, STATUS_SUCCESS },
        { NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, SIZE, false, STATUS_SUCCESS },
        { NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, SIZE, true, STATUS_SUCCESS },
        { NonPagedPoolNx, 0, 0, false, STATUS_SUCCESS },
        { NonPagedPoolMustSucceed, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { DontUseThisType, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { NonPagedPoolCacheAlignedMustS, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { MaxPoolType, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { NonPagedPoolNx | PagedPool, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { NonPagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { 1024, 0, SIZE, false, STATUS_INVALID_PARAMETER_4 },
        { NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL | EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, SIZE, true,
          STATUS_INVALID_PARAMETER_5 },
        { NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, SIZE, false, STATUS_INVALID_PARAMETER_5 },
        { NonPagedPoolNx, 4, SIZE, true, STATUS_INVALID_PARAMETER_5 },
        { NonPagedPoolNx, 0, (SIZE_T)MAXULONG + 1, false, STATUS_INVALID_PARAMETER_6 },
    };

    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(rows); i++) {
        LOOKASIDE_LIST_EX list, untouched;
        NTSTATUS          status;
        memset(&list, 0, sizeof list);
        untouched = list;
        status = ExInitializeLookasideListEx(&list, rows[i].routine ? own_allocate_ex : NULL, NULL, (POOL_TYPE)rows[i].type, rows[i].flags,
                                             rows[i].size, TAG, (USHORT)i);
        if (status != rows[i].status)
            fail_msg("row %zu: status 0x%x", i, (unsigned)status);
        if (NT_SUCCESS(status)) {
            PVOID entry = ExAllocateFromLookasideListEx(&list);
            assert_non_null(entry);
            ExFreeToLookasideListEx(&list, entry);
            assert_int_equal(list.L.Depth, 4); /* the argument is reserved */
            assert_true(ntmm_check());
            ExDeleteLookasideListEx(&list);
        } else {
            assert_memory_equal(&list, &untouched, sizeof list);
        }
    }
}

static void sizes_and_reserved_arguments(void **state)
{
    (void)state;
    ExInitializeNPagedLookasideList(&np, NULL, NULL, 0, LOOKASIDE_MINIMUM_BLOCK_SIZE, TAG, 20);
    assert_int_equal(np.L.Size, LOOKASIDE_MINIMUM_BLOCK_SIZE);
    assert_int_equal(np.L.Depth, 4);
    assert_int_equal(np.L.MaximumDepth, 256);
    assert_int_equal(np.L.Type, NonPagedPool);
    ExDeleteNPagedLookasideList(&np);
    ExInitializeNPagedLookasideList(&np, NULL, NULL, PagedPool | POOL_COLD_ALLOCATION, 1, TAG, 0);
    assert_int_equal(np.L.Size, LOOKASIDE_MINIMUM_BLOCK_SIZE); /* the link must fit */
    assert_int_equal(np.L.Type, NonPagedPool);
    ExFreeToNPagedLookasideList(&np, ExAllocateFromNPagedLookasideList(&np));
    assert_true(ntmm_check());
    ExDeleteNPagedLookasideList(&np);
    ExInitializePagedLookasideList(&pg, NULL, NULL, 0, (SIZE_T)1 << 40, TAG, 0);
    assert_null(ExAllocateFromPagedLookasideList(&pg)); /* as much as there never is */
    ExDeletePagedLookasideList(&pg);
}

static void which_pool(void **state)
{
    PVOID entry;

    (void)state;
    ExInitializeNPagedLookasideList(&np, NULL, NULL, 0, SIZE, TAG, 0);
    entry = ExAllocateFromNPagedLookasideList(&np);
    assert_int_equal(mm_pool_of(entry), MM_NONPAGED_EXECUTE);
    ExFreeToNPagedLookasideList(&np, entry);
    ExDeleteNPagedLookasideList(&np);
    np_init();
    entry = np_take();
    assert_int_equal(mm_pool_of(entry), MM_NONPAGED_NX);
    np_give(entry);
    np_delete();
    pg_init();
    entry = pg_take();
    assert_int_equal(mm_pool_of(entry), MM_PAGED);
    pg_give(entry);
    pg_delete();
}

static void raising(void **state)
{
    (void)state;
    ExInitializeNPagedLookasideList(&np, NULL, NULL, POOL_RAISE_IF_ALLOCATION_FAILURE, SIZE, TAG, 0);
    ntmm_fail_allocation(1);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (LONG_PTR)STATUS_INSUFFICIENT_RESOURCES, ExAllocateFromNPagedLookasideList(&np));
    ntmm_cmocka_reboot();
    memset(&ex, 0, sizeof ex);
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, SIZE, TAG, 0),
                     STATUS_SUCCESS);
    ntmm_fail_allocation(1);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (LONG_PTR)STATUS_INSUFFICIENT_RESOURCES, ExAllocateFromLookasideListEx(&ex));
}

static void a_bad_tag_is_noticed_by_the_pool(void **state)
{
    (void)state;
    ExInitializeNPagedLookasideList(&np, NULL, NULL, 0, SIZE, 0, 0);
    assert_bugcheck(BAD_POOL_CALLER, 0x9B, ExAllocateFromNPagedLookasideList(&np));
}

static void not_aligned(void **state)
{
    static _Alignas(16) char bytes[256];

    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (LONG_PTR)STATUS_DATATYPE_MISALIGNMENT,
                    ExInitializeNPagedLookasideList((PVOID)(bytes + 8), NULL, NULL, 0, SIZE, TAG, 0));
    ntmm_cmocka_reboot();
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, ExAllocateFromNPagedLookasideList((PVOID)(bytes + 8)));
    assert_non_null(strstr(ntmm_stop_report(), "not aligned"));
}

static void the_routines_of_another_kind(void **state)
{
    (void)state;
    np_init();
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, ExAllocateFromPagedLookasideList((PVOID)&np));
    assert_non_null(strstr(ntmm_stop_report(), "another kind"));
}

static void in_pool(void **state)
{
    PNPAGED_LOOKASIDE_LIST list = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, sizeof *list, OTHER_TAG);

    (void)state;
    ExInitializeNPagedLookasideList(list, NULL, NULL, 0, SIZE, TAG, 0);
    ExFreeToNPagedLookasideList(list, ExAllocateFromNPagedLookasideList(list));
    assert_true(ntmm_check());
    ExDeleteNPagedLookasideList(list);
    ExFreePool(list);
    assert_true(ntmm_check());
}

/* ---- memory of a list that was freed before the list was deleted ---- */

static void freed_block_with_an_active_list(void **state)
{
    PNPAGED_LOOKASIDE_LIST list = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *list, OTHER_TAG);

    ExInitializeNPagedLookasideList(list, NULL, NULL, 0, SIZE, TAG, 0);
    ExFreePool(list);
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "delete a list before freeing its memory"));
    ntmm_shutdown(NULL);
    fresh(state);
}

static void pool_that_becomes_somebody_elses(void)
{
    PVOID list = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(NPAGED_LOOKASIDE_LIST), OTHER_TAG), other;

    ExInitializeNPagedLookasideList(list, NULL, NULL, 0, SIZE, TAG, 0);
    ExFreePool(list);
    other = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(NPAGED_LOOKASIDE_LIST), OTHER_TAG); /* zeroed */
    assert_ptr_equal(other, list);
}

static void overwritten_active_list(void **state)
{
    (void)state;
    pool_that_becomes_somebody_elses();
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "freed or overwritten"));
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST_ENTRY, ntmm_balance_scan());
    assert_non_null(strstr(ntmm_stop_report(), "balance set manager"));
    ntmm_cmocka_reboot();
    pool_that_becomes_somebody_elses();
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST_ENTRY, ExAdjustLookasideDepth());
    ntmm_cmocka_reboot();
    pool_that_becomes_somebody_elses();
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST_ENTRY, np_init()); /* it would be linked to that one */
    ntmm_cmocka_reboot();
    np_init();
    pool_that_becomes_somebody_elses();
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST_ENTRY, np_delete()); /* that one is its neighbour */
}

static void unmapped_active_list(void **state)
{
    PNPAGED_LOOKASIDE_LIST list = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, OTHER_TAG);

    (void)state;
    ExInitializeNPagedLookasideList(list, NULL, NULL, 0, SIZE, TAG, 0);
    ntmm_fail_allocation(1000); /* no magazine keeps the page */
    ExFreePool(list);
    ntmm_fail_allocation(0);
    assert_false(ntmm_check());
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST_ENTRY, ntmm_balance_scan());
}

/* ---- IRQL ---- */

static void init_np(void) { np_init(); }
static void init_pg(void) { pg_init(); }
static void init_ex(void) { ex_init(); }
static void take_np(void) { entry_of_list = np_take(); }
static void take_pg(void) { entry_of_list = pg_take(); }
static void take_ex(void) { entry_of_list = ex_take(); }
static void give_np(void) { np_give(entry_of_list); }
static void give_pg(void) { pg_give(entry_of_list); }
static void give_ex(void) { ex_give(entry_of_list); }
static void flush_ex(void) { ExFlushLookasideListEx(&ex); }
static void none(void) {}
static void np_with_entry(void) { np_init(), take_np(); }
static void pg_with_entry(void) { pg_init(), take_pg(); }
static void ex_with_entry(void) { ex_init(), take_ex(); }
static void ex_paged(void) { ex_init_paged(); }
static void ex_paged_with_entry(void) { ex_init_paged(), take_ex(); }
static void adjust(void) { ExAdjustLookasideDepth(); }

static struct irql_case {
    const char *name;
    KIRQL       limit;
    void (*before)(void);
    void (*call)(void);
} IRQLS[] = {
    { "irql: ExInitializeNPagedLookasideList", DISPATCH_LEVEL, none, init_np },
    { "irql: ExDeleteNPagedLookasideList", DISPATCH_LEVEL, np_init, np_delete },
    { "irql: ExAllocateFromNPagedLookasideList", DISPATCH_LEVEL, np_init, take_np },
    { "irql: ExFreeToNPagedLookasideList", DISPATCH_LEVEL, np_with_entry, give_np },
    { "irql: ExInitializePagedLookasideList", APC_LEVEL, none, init_pg },
    { "irql: ExDeletePagedLookasideList", APC_LEVEL, pg_init, pg_delete },
    { "irql: ExAllocateFromPagedLookasideList", APC_LEVEL, pg_init, take_pg },
    { "irql: ExFreeToPagedLookasideList", APC_LEVEL, pg_with_entry, give_pg },
    { "irql: ExInitializeLookasideListEx", DISPATCH_LEVEL, none, init_ex },
    { "irql: ExDeleteLookasideListEx", DISPATCH_LEVEL, ex_init, ex_delete },
    { "irql: ExFlushLookasideListEx", DISPATCH_LEVEL, ex_init, flush_ex },
    { "irql: ExAllocateFromLookasideListEx, nonpaged", DISPATCH_LEVEL, ex_init, take_ex },
    { "irql: ExFreeToLookasideListEx, nonpaged", DISPATCH_LEVEL, ex_with_entry, give_ex },
    { "irql: ExAllocateFromLookasideListEx, paged", APC_LEVEL, ex_paged, take_ex },
    { "irql: ExFreeToLookasideListEx, paged", APC_LEVEL, ex_paged_with_entry, give_ex },
    { "irql: ExAdjustLookasideDepth", APC_LEVEL, np_init, adjust },
};

static void check_irql(void **state)
{
    const struct irql_case *c = *state;
    void                   *unused = NULL;
    KIRQL                   old;

    assert_int_equal(fresh(&unused), 0);
    c->before();
    KeRaiseIrql(c->limit, &old);
    assert_no_bugcheck(c->call());
    KeLowerIrql(old);
    ntmm_shutdown(NULL);
    assert_int_equal(fresh(&unused), 0);
    c->before();
    KeRaiseIrql((KIRQL)(c->limit + 1), &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, c->call());
    assert_true(ntmm_cmocka_caught.parameter[0] != 0);
    assert_int_equal(ntmm_cmocka_caught.parameter[1], c->limit + 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 8);
    assert_int_equal(ntmm_cmocka_caught.irql, c->limit + 1);
    ntmm_shutdown(NULL);
}

static void paged_entries_are_not_freed_at_dispatch_level(void **state)
{
    KIRQL old;

    (void)state;
    ex_init_paged();
    ex_give(ex_take());
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck(BAD_POOL_CALLER, 9, ExDeleteLookasideListEx(&ex));
}

/* ---- no machine ---- */

static void refused_without_a_machine(void **state)
{
    static const NPAGED_LOOKASIDE_LIST zero;

    (void)state;
    memset(&np, 0, sizeof np);
    np_init();
    assert_non_null(strstr(ntmm_error(), "ExInitializeNPagedLookasideList: no machine is up"));
    assert_memory_equal(&np, &zero, sizeof np);
    assert_null(np_take());
    np_give(&np);
    np_delete();
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, NonPagedPoolNx, 0, SIZE, TAG, 0), STATUS_UNSUCCESSFUL);
    assert_null(ex_take());
    ExAdjustLookasideDepth();
    ntmm_balance_scan();
    assert_non_null(strstr(ntmm_error(), "no machine is up"));
}

/* ---- all of them ---- */

#define test(name) cmocka_unit_test_setup_teardown(name, fresh, shut_down)
#define test_kind(name, k) \
    { \
#name " of list kind " #k, name, fresh, shut_down, (void *)(uintptr_t)&KINDS[k] \
    }
#define test_kinds(name) test_kind(name, 0), test_kind(name, 1), test_kind(name, 2), test_kind(name, 3)

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(refused_without_a_machine),
        test_kinds(as_initialised),
        test_kinds(the_entry_freed_last_comes_first),
        test_kinds(beyond_its_depth),
        test_kinds(deleted_and_initialised_again),
        test_kinds(memory_is_short),
        test_kinds(every_list_mistake),
        test_kinds(freed_twice_in_a_row),
        test_kinds(freed_twice_with_another_between),
        test_kinds(an_entry_freed_to_the_pool_as_well),
        test_kinds(an_entry_of_another_list),
        test_kinds(a_link_overwritten),
        test_kinds(an_entry_of_whole_pages),
        test_kinds(what_is_held_is_leaked),
        test_kinds(each_allocation_is_one),
        test_kinds(an_armed_failure_passes_by_what_is_on_the_list),
        test(routines_without_context),
        test(routines_with_context),
        test(flags_become_part_of_the_type),
        test(statuses_of_ex),
        test(sizes_and_reserved_arguments),
        test(which_pool),
        test(raising),
        test(a_bad_tag_is_noticed_by_the_pool),
        test(not_aligned),
        test(the_routines_of_another_kind),
        test(in_pool),
        test(freed_block_with_an_active_list),
        test(overwritten_active_list),
        test(unmapped_active_list),
        test(paged_entries_are_not_freed_at_dispatch_level),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), IRQL_COUNT = NTMM_ARRAY_COUNT(IRQLS) };
    static struct CMUnitTest tests[FIXED_COUNT + IRQL_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < IRQL_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = IRQLS[i].name, .test_func = check_irql, .initial_state = &IRQLS[i] };
    return cmocka_run_group_tests_name("ex lookaside", tests, NULL, NULL);
}
