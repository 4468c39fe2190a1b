/*
 * test_ex_pool_nx.c - which pool holds code, how a driver opts in to one that does not, and to memory that is zeroed, on old and new Windows.
 */
#include <ntmm/cmocka.h>

#include "../support/nx_driver.h"
#include "ex/pool_header.h"
#include "mm/machine.h"
#include "mm/pte.h"

#define TAG NTMM_TAG("NxNx")

/* ---- executing ---- */

#if defined(__aarch64__)
static const unsigned char RETURN[] = { 0xC0, 0x03, 0x5F, 0xD6 };
#else
static const unsigned char RETURN[] = { 0xC3 };
#endif

static void run(void *code)
{
    void (*call)(void);
    memcpy(code, RETURN, sizeof RETURN);
    __builtin___clear_cache(code, (char *)code + sizeof RETURN);
    memcpy(&call, &code, sizeof call);
    call();
}

typedef enum pool_kind { BY_TYPE, BY_FLAGS, BY_POOL3 } pool_kind_t;
static struct code_case {
    const char *name;
    pool_kind_t kind;
    uint64_t    pool; /* POOL_TYPE or POOL_FLAGS */
    bool        executable;
} CASES[] = {
    { "NonPagedPool", BY_TYPE, NonPagedPool, true },
    { "NonPagedPoolExecute", BY_TYPE, NonPagedPoolExecute, true },
    { "NonPagedPoolCacheAligned", BY_TYPE, NonPagedPoolCacheAligned, true },
    { "NonPagedPoolSession", BY_TYPE, NonPagedPoolSession, true },
    { "NonPagedPoolNx", BY_TYPE, NonPagedPoolNx, false },
    { "NonPagedPoolNxCacheAligned", BY_TYPE, NonPagedPoolNxCacheAligned, false },
    { "NonPagedPoolSessionNx", BY_TYPE, NonPagedPoolSessionNx, false },
    { "NonPagedPool and POOL_NX_ALLOCATION", BY_TYPE, NonPagedPool | POOL_NX_ALLOCATION, false },
    { "PagedPool", BY_TYPE, PagedPool, false },
    { "PagedPoolCacheAligned", BY_TYPE, PagedPoolCacheAligned, false },
    { "POOL_FLAG_NON_PAGED", BY_FLAGS, POOL_FLAG_NON_PAGED, false },
    { "POOL_FLAG_NON_PAGED_EXECUTE", BY_FLAGS, POOL_FLAG_NON_PAGED_EXECUTE, true },
    { "POOL_FLAG_PAGED", BY_FLAGS, POOL_FLAG_PAGED, false },
    { "POOL_FLAG_NON_PAGED_EXECUTE, ExAllocatePool3", BY_POOL3, POOL_FLAG_NON_PAGED_EXECUTE, true },
    { "POOL_FLAG_NON_PAGED, ExAllocatePool3", BY_POOL3, POOL_FLAG_NON_PAGED, false },
};

static void *take(const struct code_case *c, size_t bytes)
{
    void *block = c->kind == BY_TYPE    ? ExAllocatePoolWithTag((POOL_TYPE)c->pool, bytes, TAG)
                  : c->kind == BY_FLAGS ? ExAllocatePool2(c->pool, bytes, TAG)
                                        : ExAllocatePool3(c->pool, bytes, TAG, NULL, 0);
    assert_non_null(block);
    return block;
}
static void check_case(void **state)
{
    static const size_t     sizes[] = { 64, PAGE_SIZE, 3 * PAGE_SIZE };
    const struct code_case *c = *state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
        unsigned char *block = take(c, sizes[i]);
        if (c->executable && mm_executable_map_is_nx)
            print_message("this host has no memory that is writable and executable: not tried\n");
        else if (c->executable)
            assert_no_bugcheck(run(block));
        else
            assert_bugcheck_all(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, block, mm_pte_of((uintptr_t)block), 0, 0, run(block));
        if (!c->executable)
            assert_int_equal(ntmm_cmocka_caught.parameter[1] >> 63, 1); /* the PTE says NX */
        (void)ntmm_shutdown(NULL);
    }
}

/* Nonpaged memory that found no frames in a row is mapped page by page. */
static void code_in_scattered_pages(void **state)
{
    (void)state;
    enum { PAGES = 1024 };
    static void *hoard[PAGES];
    size_t       count = 0;
    char        *pages;
    while (count < PAGES && (hoard[count] = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, TAG)) != NULL)
        count++;
    for (size_t i = 0; i < count; i += 2) {
        ExFreePool(hoard[i]);
        hoard[i] = NULL;
    }
    pages = ExAllocatePoolWithTag(NonPagedPoolExecute, 4 * PAGE_SIZE, TAG);
    assert_non_null(pages);
    assert_true(mm_in(&mm_system_pte_region, (uintptr_t)pages));
    if (!mm_executable_map_is_nx)
        assert_no_bugcheck(run(pages + 2 * PAGE_SIZE + 64));
    ExFreePool(pages);
    pages = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * PAGE_SIZE, TAG);
    assert_true(mm_in(&mm_system_pte_region, (uintptr_t)pages));
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, pages + 2 * PAGE_SIZE + 64, run(pages + 2 * PAGE_SIZE + 64));
}
static const ntmm_config NO_STOCK = {
    .quiet = true, .no_magazines = true, .physical_memory = 700 * (uint64_t)PAGE_SIZE, .nonpaged_pool_limit = 700 * PAGE_SIZE
};

/* ---- opting in to NX ---- */

static void without_macros_nothing_changes(void **state)
{
    (void)state;
    plain_driver.entry();
    assert_int_equal(plain_driver.nonpaged(), 0);
    assert_int_equal(plain_driver.nonpaged_cache_aligned(), 4);
}
static void opting_in_at_run_time(void **state)
{
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_WIN7 }), 0);
    optin_driver.entry();
    assert_int_equal(optin_driver.nonpaged(), NonPagedPoolExecute);
    assert_int_equal(optin_driver.nonpaged_cache_aligned(), NonPagedPoolCacheAligned);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_WIN8 }), 0);
    assert_int_equal(optin_driver.nonpaged(), NonPagedPoolExecute); /* until it asks */
    optin_driver.initialize_for_zeros_only();
    assert_int_equal(optin_driver.nonpaged(), NonPagedPoolExecute); /* for NX */
    optin_driver.entry();
    assert_int_equal(optin_driver.nonpaged(), NonPagedPoolNx);
    assert_int_equal(optin_driver.nonpaged_cache_aligned(), NonPagedPoolNxCacheAligned);
    void *block = ExAllocatePoolWithTag(optin_driver.nonpaged(), 64, TAG);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, block, run(block));
    (void)ntmm_shutdown(NULL);
}
static void opting_in_when_compiling(void **state)
{
    (void)state;
    assert_int_equal(auto_driver.nonpaged(), NonPagedPoolNx); /* whether or not the driver calls anything */
    assert_int_equal(auto_driver.nonpaged_cache_aligned(), NonPagedPoolNxCacheAligned);
}
static void opting_out(void **state)
{
    (void)state;
    optout_driver.entry();
    assert_int_equal(optout_driver.nonpaged(), 0);
    assert_int_equal(optout_driver.nonpaged_cache_aligned(), 4);
    assert_int_equal(auto_optout_driver.nonpaged(), 0);
    assert_int_equal(auto_optout_driver.nonpaged_cache_aligned(), 4);
}
/* Nonpaged lists say NonPagedPool only by leaving a flag out: they go with the word, and other flags stay. */
static void lookaside_lists_opt_in_as_well(void **state)
{
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_WIN7 }), 0);
    optin_driver.entry();
    assert_int_equal(optin_driver.of_lookaside(0), NonPagedPoolExecute);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_WIN8 }), 0);
    assert_int_equal(optin_driver.of_lookaside(0), NonPagedPoolExecute); /* until it asks */
    optin_driver.entry();
    assert_int_equal(optin_driver.of_lookaside(0), NonPagedPoolNx);
    assert_int_equal(optin_driver.of_lookaside(POOL_RAISE_IF_ALLOCATION_FAILURE), NonPagedPoolNx | POOL_RAISE_IF_ALLOCATION_FAILURE);
    assert_int_equal(auto_driver.of_lookaside(0), NonPagedPoolNx);
    const nx_driver_t *const others[] = { &plain_driver, &optout_driver, &auto_optout_driver };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        others[i]->entry();
        assert_int_equal(others[i]->of_lookaside(0), NonPagedPoolExecute);
        assert_int_equal(others[i]->of_lookaside(POOL_NX_ALLOCATION), NonPagedPoolNx);
    }
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void opting_in_above_passive_level(void **state)
{
    (void)state;
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_no_bugcheck(plain_driver.entry()); /* it asks nothing */
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, optin_driver.entry());
}

/* ---- zeros ---- */

static bool is_zeroed(nx_allocate_t *allocate, size_t bytes)
{
    bool           zeroed = true;
    unsigned char *block = ExAllocatePoolWithTag(PagedPool, bytes, TAG);
    memset(block, 0xB5, bytes);
    ExFreePool(block);
    block = allocate(PagedPool, bytes, TAG); /* the same memory again */
    assert_non_null(block);
    for (size_t i = 0; i < bytes; i++)
        zeroed = zeroed && block[i] == 0;
    ExFreePool(block);
    return zeroed;
}
static void zeros_by_version(void **state)
{
    static const struct {
        uint32_t           version;
        const nx_driver_t *driver;
        bool               initialized, zeroed;
    } rows[] = {
        { NTDDI_WIN10_VB, &plain_driver, false, true },
        { 0, &plain_driver, false, true },
        { NTDDI_WIN10_19H1, &plain_driver, true, false },
        { NTDDI_WIN7, &plain_driver, true, false }, /* the flag is not known */
        { NTDDI_WIN10_VB, &down_level_driver, true, true },
        { NTDDI_WIN10_19H1, &down_level_driver, true, true },
        { NTDDI_WIN10_19H1, &down_level_driver, false, true },
        { NTDDI_VISTA, &down_level_driver, true, true },
        { 0, &down_level_driver, false, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = rows[i].version }), 0);
        if (rows[i].initialized)
            rows[i].driver->initialize_for_zeros_only();
        for (size_t bytes = 40; bytes < 3 * PAGE_SIZE; bytes *= 5) {
            nx_allocate_t *routines[] = { rows[i].driver->allocate_zero, rows[i].driver->allocate_quota_zero,
                                          rows[i].driver->allocate_priority_zero };
            for (size_t k = 0; k < 3; k++)
                if (is_zeroed(routines[k], bytes) != rows[i].zeroed)
                    fail_msg("row %zu, routine %zu, %zu bytes", i, k, bytes);
        }
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

#define CASE_COUNT (sizeof CASES / sizeof CASES[0])

int main(void)
{
    static struct CMUnitTest cases[CASE_COUNT];
    for (size_t i = 0; i < CASE_COUNT; i++)
        cases[i] = (struct CMUnitTest){ .name = CASES[i].name, .test_func = check_case, .initial_state = &CASES[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(code_in_scattered_pages, &NO_STOCK),
        ntmm_cmocka_test(without_macros_nothing_changes),
        cmocka_unit_test(opting_in_at_run_time),
        ntmm_cmocka_test(opting_in_when_compiling),
        ntmm_cmocka_test(opting_out),
        cmocka_unit_test(lookaside_lists_opt_in_as_well),
        ntmm_cmocka_test(opting_in_above_passive_level),
        cmocka_unit_test(zeros_by_version),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
