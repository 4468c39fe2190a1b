/*
 * test_ex_pool_tag_query.c - tags by pattern: which fit, in which order they come, and that every number is the one of ntmm_query_tag().
 */
#include <ntmm/cmocka.h>

#include <stdio.h>

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };

enum { ROWS_MAX = 4000 };

typedef struct row {
    uint32_t        tag;
    POOL_TYPE       type;
    ntmm_pool_usage usage;
} row_t;

static row_t  rows[ROWS_MAX];
static size_t row_count;

static void keep_row(void *context, uint32_t tag, POOL_TYPE type, const ntmm_pool_usage *usage)
{
    ntmm_pool_usage same;
    (void)context;
    assert_in_range(row_count, 0, ROWS_MAX - 1);
    rows[row_count++] = (row_t){ tag, type, *usage };
    assert_true(ntmm_query_tag(tag, type, &same)); /* no lock is held: it may be called */
    assert_memory_equal(&same, usage, sizeof same);
}

static size_t query(const char *pattern)
{
    row_count = 0;
    size_t shown = ntmm_query_tags(pattern, keep_row, NULL);
    assert_int_equal(shown, row_count);
    return shown;
}

static const char *const TAGS[] = { "Abc1", "Abc2", "abc1", "AbX1", "zZzZ", "1abc", "A*c1", "Ab\0\0", "Q   " };

static void *blocks[sizeof TAGS / sizeof TAGS[0]];

static int hold_one_of_each(void **state)
{
    int failed = ntmm_cmocka_setup(state);
    for (size_t i = 0; failed == 0 && i < sizeof TAGS / sizeof TAGS[0]; i++)
        blocks[i] = ExAllocatePoolWithTag(NonPagedPoolNx, 40 + i, NTMM_TAG(TAGS[i]));
    return failed;
}

static int give_them_back(void **state)
{
    for (size_t i = 0; i < sizeof TAGS / sizeof TAGS[0]; i++)
        ExFreePool(blocks[i]);
    return ntmm_cmocka_teardown(state);
}

static struct pattern_case {
    const char *pattern;
    const char *expected; /* indexes in TAGS, as they are shown: 0 first */
} PATTERNS[] = {
    { "*", "567301824" },
    { "Abc1", "0" },
    { "Abc?", "01" },
    { "A???", "67301" },
    { "A*", "67301" },
    { "*1", "6302" },
    { "*c*", "56012" },
    { "?b*1", "302" },
    { "ab*", "2" },
    { "*Z", "4" },
    { "*Z*Z*", "4" },
    { "**", "567301824" },
    { "*?*?*?*?*", "567301824" },
    { "*?*?*?*?*?*", "" },
    { "Abc1*", "0" },
    { "Abc1?*", "" },
    { "ABC1", "" },
    { "Ab  ", "7" },
    { "Ab ?", "7" },
    { "Q*", "8" },
    { "Q   ", "8" },
};

static void check_pattern_case(void **state)
{
    const struct pattern_case *c = *state;
    char                       found[16] = "";
    query(c->pattern);
    for (size_t i = 0; i < row_count; i++)
        for (size_t k = 0; k < sizeof TAGS / sizeof TAGS[0]; k++)
            if (rows[i].tag == NTMM_TAG(TAGS[k])) {
                size_t used = strlen(found);
                found[used] = (char)('0' + k);
                found[used + 1] = '\0';
                assert_int_equal(rows[i].usage.allocs, 1);
                assert_int_equal(rows[i].usage.bytes_requested, 40 + k);
            }
    assert_int_equal(strlen(found), row_count);
    assert_string_equal(found, c->expected);
}

static void what_is_no_pattern(void **state)
{
    static const char *const BAD[] = { "", "Abc", "Abc12", "????1" };
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(query(BAD[i]), 0);
        assert_non_null(strstr(ntmm_error(), "no pattern"));
    }
}

static void both_columns_and_both_nonpaged_kinds(void **state)
{
    const uint32_t  tag = NTMM_TAG("Both");
    void           *nx = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, tag), *x = ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, 50, tag);
    void           *paged = ExAllocatePool2(POOL_FLAG_PAGED, 3 * PAGE_SIZE, tag);
    ntmm_pool_usage usage;
    (void)state;
    assert_int_equal(query("Both"), 2);
    assert_int_equal(rows[0].type, NonPagedPool);
    assert_int_equal(rows[0].usage.allocs, 2);
    assert_int_equal(rows[0].usage.bytes_requested, 150);
    assert_int_equal(rows[0].usage.pages, 0);
    assert_int_equal(rows[1].type, PagedPool);
    assert_int_equal(rows[1].usage.pages, 3);
    ExFreePool(nx);
    ExFreePool(x);
    ExFreePool(paged);
    assert_int_equal(query("Bo*"), 2); /* a tag stays, as in the debugger */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rows[i].usage.allocs, rows[i].usage.frees);
        assert_int_equal(rows[i].usage.bytes_in_use, 0);
    }
    ntmm_query_pool(NonPagedPool, &usage);
    assert_int_equal(usage.allocs, 2);
}

/* More than a thread counts by itself, and more than the machine's table holds: what is left comes under `Ovfl`. */
static void thousands_of_tags(void **state)
{
    ntmm_pool_usage sum = { 0 }, usage;
    char            name[8];
    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(name, sizeof name, "%04x", i * 7);
        void *block = ExAllocatePool2(i % 2 == 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, i + 1, NTMM_TAG(name));
        assert_non_null(block);
        ExFreePoolWithTag(block, NTMM_TAG(name));
    }
    assert_true(query("*") > 3000);
    for (size_t i = 0; i < row_count; i++) {
        if (i > 0 && rows[i - 1].type == rows[i].type)
            assert_true(__builtin_bswap32(rows[i - 1].tag) < __builtin_bswap32(rows[i].tag));
        else if (i > 0)
            assert_true(__builtin_bswap32(rows[i - 1].tag) <= __builtin_bswap32(rows[i].tag));
        sum.allocs += rows[i].usage.allocs;
        sum.frees += rows[i].usage.frees;
    }
    assert_int_equal(sum.allocs, 4000);
    assert_int_equal(sum.frees, 4000);
    ntmm_query_pool(PagedPool, &usage);
    assert_int_equal(usage.allocs, 2000);
    assert_int_equal(query("Ovfl"), 2);
    assert_true(query("000*") > 0);
    assert_int_equal(rows[0].tag, NTMM_TAG("0000"));
}

static void without_a_machine(void **state)
{
    (void)state;
    assert_int_equal(query("*"), 0);
    assert_non_null(strstr(ntmm_error(), "no machine"));
}

int main(void)
{
    struct CMUnitTest patterns[sizeof PATTERNS / sizeof PATTERNS[0]];
    for (size_t i = 0; i < sizeof PATTERNS / sizeof PATTERNS[0]; i++)
        patterns[i] = (struct CMUnitTest){ PATTERNS[i].pattern, check_pattern_case, NULL, NULL, &PATTERNS[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(what_is_no_pattern, &PLAIN),
        ntmm_cmocka_test_config(both_columns_and_both_nonpaged_kinds, &PLAIN),
        ntmm_cmocka_test_config(thousands_of_tags, &PLAIN),
        cmocka_unit_test(without_a_machine),
    };
    int failed = _cmocka_run_group_tests("patterns", patterns, sizeof patterns / sizeof patterns[0], hold_one_of_each, give_them_back);
    return failed + cmocka_run_group_tests_name("tags", tests, NULL, NULL);
}
