/*
 * test_ex_pool3.c - ExAllocatePool3: which extended parameters are taken, passed over or refused, and what they do.
 */
#include <ntmm/cmocka.h>

#include "ex/pool_header.h"
#include "mm/mm.h"

#define TAG NTMM_TAG("Ext3")
enum { NODES = 4, LIMIT = 64 };

static const ntmm_config FOUR_NODES = { .quiet = true, .numa_nodes = NODES };
static const ntmm_config TIGHT = { .quiet = true, .no_magazines = true, .paged_pool_limit = LIMIT * PAGE_SIZE };

/* ---- acceptable or not ---- */

#define PRIORITY(value) \
    { \
        .Type = PoolExtendedParameterPriority, .Priority = (EX_POOL_PRIORITY)(value) \
    }
#define OPTIONAL_PRIORITY(value) \
    { \
        .Type = PoolExtendedParameterPriority, .Optional = 1, .Priority = (EX_POOL_PRIORITY)(value) \
    }
#define NODE(value) \
    { \
        .Type = PoolExtendedParameterNumaNode, .PreferredNode = (value) \
    }
#define OPTIONAL_NODE(value) \
    { \
        .Type = PoolExtendedParameterNumaNode, .Optional = 1, .PreferredNode = (value) \
    }

static struct extended_case {
    const char             *name;
    POOL_FLAGS              flags;
    ULONG                   count;
    bool                    served;
    POOL_EXTENDED_PARAMETER parameters[3];
} CASES[] = {
    { "no parameters", POOL_FLAG_NON_PAGED, 0, true, { { .Type = 0 } } },
    { "a priority", POOL_FLAG_PAGED, 1, true, { PRIORITY(HighPoolPriority) } },
    { "a priority for special pool", POOL_FLAG_PAGED, 1, true, { PRIORITY(LowPoolPrioritySpecialPoolUnderrun) } },
    { "a priority that is none", POOL_FLAG_PAGED, 1, false, { PRIORITY(7) } },
    { "a priority that is too high", POOL_FLAG_PAGED, 1, false, { PRIORITY(48) } },
    { "a negative priority", POOL_FLAG_PAGED, 1, false, { PRIORITY(-16) } },
    { "an optional priority that is none", POOL_FLAG_PAGED, 1, true, { OPTIONAL_PRIORITY(7) } },
    { "the first node", POOL_FLAG_NON_PAGED, 1, true, { NODE(0) } },
    { "the last node", POOL_FLAG_NON_PAGED, 1, true, { NODE(NODES - 1) } },
    { "a node that does not exist", POOL_FLAG_NON_PAGED, 1, false, { NODE(NODES) } },
    { "any node", POOL_FLAG_NON_PAGED, 1, true, { NODE(2 | MM_ANY_NODE_OK) } },
    { "a node that does not exist, or any", POOL_FLAG_NON_PAGED, 1, false, { NODE(NODES | MM_ANY_NODE_OK) } },
    { "an optional node that does not exist", POOL_FLAG_NON_PAGED, 1, true, { OPTIONAL_NODE(NODES) } },
    { "a node for paged pool", POOL_FLAG_PAGED, 1, false, { NODE(0) } },
    { "a node for executable pool", POOL_FLAG_NON_PAGED_EXECUTE, 1, false, { NODE(0) } },
    { "an optional node for paged pool", POOL_FLAG_PAGED, 1, true, { OPTIONAL_NODE(0) } },
    { "type 0", POOL_FLAG_NON_PAGED, 1, false, { { .Type = PoolExtendedParameterInvalidType } } },
    { "type 0, optional", POOL_FLAG_NON_PAGED, 1, true, { { .Type = PoolExtendedParameterInvalidType, .Optional = 1 } } },
    { "the first unknown type", POOL_FLAG_NON_PAGED, 1, false, { { .Type = PoolExtendedParameterMax } } },
    { "an unknown type", POOL_FLAG_NON_PAGED, 1, false, { { .Type = 255 } } },
    { "an unknown type, optional", POOL_FLAG_NON_PAGED, 1, true, { { .Type = 255, .Optional = 1, .Reserved2 = ~0ull } } },
    { "a reserved bit",
      POOL_FLAG_PAGED,
      1,
      false,
      { { .Type = PoolExtendedParameterPriority, .Reserved = 1, .Priority = HighPoolPriority } } },
    { "a reserved bit, optional",
      POOL_FLAG_PAGED,
      1,
      true,
      { { .Type = PoolExtendedParameterPriority, .Optional = 1, .Reserved = 1ull << 54 } } },
    { "two of different types", POOL_FLAG_NON_PAGED, 2, true, { PRIORITY(NormalPoolPriority), NODE(1) } },
    { "two of one type", POOL_FLAG_NON_PAGED, 2, false, { PRIORITY(NormalPoolPriority), PRIORITY(NormalPoolPriority) } },
    { "two of one type, the second optional",
      POOL_FLAG_NON_PAGED,
      2,
      true,
      { PRIORITY(NormalPoolPriority), OPTIONAL_PRIORITY(LowPoolPriority) } },
    { "a bad one behind a good one", POOL_FLAG_NON_PAGED, 2, false, { NODE(1), { .Type = 77 } } },
    { "a bad one beyond the count", POOL_FLAG_NON_PAGED, 1, true, { NODE(1), { .Type = 77 } } },
    { "an unknown type that is optional, then a good one", POOL_FLAG_NON_PAGED, 2, true, { { .Type = 77, .Optional = 1 }, NODE(1) } },
    { "secure pool without its structure", POOL_FLAG_NON_PAGED, 1, false, { { .Type = PoolExtendedParameterSecurePool } } },
    { "secure pool without its structure, optional",
      POOL_FLAG_NON_PAGED,
      1,
      true,
      { { .Type = PoolExtendedParameterSecurePool, .Optional = 1 } } },
    { "an unknown optional flag", POOL_FLAG_NON_PAGED | 0x4000000000000000ULL, 1, true, { NODE(0) } },
    { "an unknown required flag", POOL_FLAG_NON_PAGED | 0x80000000ULL, 1, false, { NODE(0) } },
    { "a reserved flag", POOL_FLAG_NON_PAGED | POOL_FLAG_RESERVED3, 1, false, { NODE(0) } },
    { "two pools", POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED, 0, false, { { .Type = 0 } } },
};

static void check_case(void **state)
{
    const struct extended_case *c = *state;
    assert_int_equal(ntmm_boot(&FOUR_NODES), 0);
    for (size_t bytes = 1; bytes < 4 * PAGE_SIZE; bytes = bytes * 3 + 7) {
        unsigned char *block = ExAllocatePool3(c->flags, bytes, TAG, c->parameters, c->count);
        assert_int_equal(block != NULL, c->served);
        if (block == NULL)
            continue;
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0x99, bytes);
        ExFreePoolWithTag(block, TAG);
    }
    assert_true(ntmm_check());
    if (!c->served)
        assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_INVALID_PARAMETER,
                        ExAllocatePool3(c->flags | POOL_FLAG_RAISE_ON_FAILURE, 100, TAG, c->parameters, c->count));
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void a_count_without_an_array(void **state)
{
    (void)state;
    POOL_EXTENDED_PARAMETER priority = PRIORITY(HighPoolPriority);
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, NULL, 1));
    void *block = ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, &priority, 0);
    assert_non_null(block);
    ExFreePool(block);
}

static void size_and_tag_as_for_pool2(void **state)
{
    (void)state;
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 0, TAG, NULL, 0));
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, 0, NULL, 0));
    assert_null(ExAllocatePool3(0, 100, TAG, NULL, 0));
    void *block = ExAllocatePool3(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION, 100,
                                  NTMM_TAG("...."), NULL, 0);
    assert_int_equal((uintptr_t)block % 64, 0);
    ExFreePool(block);
}

static void irql_rules(void **state)
{
    (void)state;
    KIRQL                   old;
    POOL_EXTENDED_PARAMETER priority = PRIORITY(HighPoolPriority);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_no_bugcheck(ExFreePool(ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, &priority, 1)));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 100, ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, &priority, 1));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL + 1, NonPagedPoolNx, 100,
                        ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, &priority, 1));
}

static void an_armed_failure(void **state)
{
    (void)state;
    POOL_EXTENDED_PARAMETER node = NODE(0);
    ntmm_fail_allocation(2);
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, NULL, 1)); /* never asked for memory */
    void *block = ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, &node, 1);
    assert_non_null(block);
    assert_null(ExAllocatePool3(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG, &node, 1));
    ntmm_fail_allocation(0);
    ExFreePool(block);
}

/* ---- priorities ---- */

static void a_priority_is_heeded(void **state)
{
    (void)state;
    POOL_EXTENDED_PARAMETER low = PRIORITY(LowPoolPriority), normal = PRIORITY(NormalPoolPriority);
    void                   *most = ExAllocatePool3(POOL_FLAG_PAGED, (LIMIT - LIMIT / 8) * PAGE_SIZE, TAG, &low, 1);
    assert_non_null(most);
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, &low, 1));
    low.Optional = 1;
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, &low, 1)); /* optional, but understood */
    void *block = ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG, &normal, 1);
    assert_non_null(block);
    ExFreePool(block);
    ExFreePool(most);
}

/* ---- nodes ---- */

static void every_page_is_on(const char *block, size_t bytes, uint32_t node)
{
    for (size_t at = 0; at < bytes; at += PAGE_SIZE)
        assert_int_equal(mm_node_of(block + at), node);
}
static void memory_comes_from_the_node(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    void *blocks[NODES][COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        for (uint32_t node = 0; node < NODES; node++) {
            POOL_EXTENDED_PARAMETER parameter = NODE(i % 2 == 0 ? node : node | MM_ANY_NODE_OK);
            size_t                  bytes = i < COUNT / 2 ? 1 + i * EX_BLOCK_MAX / COUNT : i * PAGE_SIZE / 8;
            blocks[node][i] = ExAllocatePool3(POOL_FLAG_NON_PAGED, bytes, TAG, &parameter, 1);
            assert_non_null(blocks[node][i]);
            every_page_is_on(blocks[node][i], bytes, node);
        }
        if (i % 3 == 0) /* blocks of all nodes come back to the stock and to the lists */
            for (uint32_t node = 0; node < NODES; node++) {
                ExFreePool(blocks[node][i]);
                blocks[node][i] = NULL;
            }
    }
    assert_true(ntmm_check());
    for (uint32_t node = 0; node < NODES; node++)
        for (unsigned i = 0; i < COUNT; i++)
            if (blocks[node][i] != NULL)
                ExFreePool(blocks[node][i]);
    assert_true(ntmm_check());
}

/* Takes whatever the node has, in pages; the list of them. */
static void *empty_node(uint32_t node)
{
    POOL_EXTENDED_PARAMETER parameter = NODE(node);
    void                   *list = NULL, *page;
    while ((page = ExAllocatePool3(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, PAGE_SIZE, TAG, &parameter, 1)) != NULL) {
        assert_int_equal(mm_node_of(page), node);
        *(void **)page = list;
        list = page;
    }
    return list;
}
static void give_back(void *list)
{
    for (void *page; (page = list) != NULL; ExFreePool(page))
        list = *(void **)page;
}
static void an_empty_node_fails_unless_others_will_do(void **state)
{
    (void)state;
    POOL_EXTENDED_PARAMETER strict = NODE(1), any = NODE(1 | MM_ANY_NODE_OK), optional = OPTIONAL_NODE(1);
    void                   *list = empty_node(1);
    for (size_t bytes = 100; bytes <= 3 * PAGE_SIZE; bytes += PAGE_SIZE) {
        assert_null(ExAllocatePool3(POOL_FLAG_NON_PAGED, bytes, TAG, &strict, 1));
        char *elsewhere = ExAllocatePool3(POOL_FLAG_NON_PAGED, bytes, TAG, &any, 1);
        assert_non_null(elsewhere);
        assert_int_not_equal(mm_node_of(elsewhere), 1);
        ExFreePool(elsewhere);
        elsewhere = ExAllocatePool3(POOL_FLAG_NON_PAGED, bytes, TAG, &optional, 1);
        assert_non_null(elsewhere);
        ExFreePool(elsewhere);
    }
    assert_true(ntmm_check());
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_INSUFFICIENT_RESOURCES,
                    ExAllocatePool3(POOL_FLAG_NON_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 100, TAG, &strict, 1));
    ntmm_cmocka_reboot();
    list = empty_node(NODES - 1);
    give_back(list);
    strict.PreferredNode = NODES - 1;
    void *block = ExAllocatePool3(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE, TAG, &strict, 1);
    assert_non_null(block);
    every_page_is_on(block, 3 * PAGE_SIZE, NODES - 1);
    ExFreePool(block);
    assert_true(ntmm_check());
}

/* No two frames of the node lie side by side: pages are mapped one by one, and still all of that node. */
static void a_fragmented_node(void **state)
{
    (void)state;
    POOL_EXTENDED_PARAMETER strict = NODE(2);
    void                   *list = empty_node(2), *kept = NULL, *page;
    for (unsigned i = 0; (page = list) != NULL; i++) {
        list = *(void **)page;
        if (i % 2 == 0) {
            *(void **)page = kept;
            kept = page;
        } else {
            ExFreePool(page);
        }
    }
    char *pages = ExAllocatePool3(POOL_FLAG_NON_PAGED, 5 * PAGE_SIZE, TAG, &strict, 1);
    assert_non_null(pages);
    every_page_is_on(pages, 5 * PAGE_SIZE, 2);
    memset(pages, 0x77, 5 * PAGE_SIZE);
    assert_true(ntmm_check());
    ExFreePool(pages);
    give_back(kept);
    assert_true(ntmm_check());
}

#define CASE_COUNT (sizeof CASES / sizeof CASES[0])

int main(void)
{
    static struct CMUnitTest cases[CASE_COUNT];
    for (size_t i = 0; i < CASE_COUNT; i++)
        cases[i] = (struct CMUnitTest){ .name = CASES[i].name, .test_func = check_case, .initial_state = &CASES[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_count_without_an_array),
        ntmm_cmocka_test(size_and_tag_as_for_pool2),
        ntmm_cmocka_test(irql_rules),
        ntmm_cmocka_test(an_armed_failure),
        ntmm_cmocka_test_config(a_priority_is_heeded, &TIGHT),
        ntmm_cmocka_test_config(memory_comes_from_the_node, &FOUR_NODES),
        ntmm_cmocka_test_config(an_empty_node_fails_unless_others_will_do, &FOUR_NODES),
        ntmm_cmocka_test_config(a_fragmented_node, &FOUR_NODES),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
