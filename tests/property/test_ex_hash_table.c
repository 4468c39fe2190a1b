/*
 * test_ex_hash_table.c - dynamic hash tables against an array that is looked through from one end to the other.
 */
#include <stdlib.h>

#include <ntmm/cmocka.h>

#define ENTRIES 3000

typedef struct item {
    int                          unused;
    RTL_DYNAMIC_HASH_TABLE_ENTRY entry;
    ULONG_PTR                    signature;
    bool                         is_in;
    unsigned                     seen;
} item_t;

static item_t   items[ENTRIES];
static uint64_t seed = 0x5eed;

static uint32_t number_below(uint32_t end)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % end;
}

static item_t *item_of(PRTL_DYNAMIC_HASH_TABLE_ENTRY entry) { return CONTAINING_RECORD(entry, item_t, entry); }

static unsigned count_in(ULONG_PTR signature)
{
    unsigned count = 0;
    for (size_t i = 0; i < ENTRIES; i++)
        count += items[i].is_in && items[i].signature == signature;
    return count;
}

static void check_signature(PRTL_DYNAMIC_HASH_TABLE table, ULONG_PTR signature)
{
    RTL_DYNAMIC_HASH_TABLE_CONTEXT context;
    unsigned                       count = 0;
    RtlInitHashTableContext(&context);
    for (PRTL_DYNAMIC_HASH_TABLE_ENTRY e = RtlLookupEntryHashTable(table, signature, &context); e != NULL;
         e = RtlGetNextEntryHashTable(table, &context)) {
        assert_int_equal(HASH_ENTRY_KEY(e), signature);
        assert_true(item_of(e)->is_in);
        count++;
    }
    assert_int_equal(count, count_in(signature));
    RtlReleaseHashTableContext(&context);
}

static void check_all(PRTL_DYNAMIC_HASH_TABLE table, bool weakly)
{
    RTL_DYNAMIC_HASH_TABLE_ENUMERATOR enumerator;
    PRTL_DYNAMIC_HASH_TABLE_ENTRY     e;
    unsigned                          count = 0;
    assert_true(weakly ? RtlInitWeakEnumerationHashTable(table, &enumerator) : RtlInitEnumerationHashTable(table, &enumerator));
    assert_false(RtlExpandHashTable(table));
    assert_false(RtlContractHashTable(table));
    assert_int_equal(RtlActiveEnumeratorsHashTable(table), 1);
    while ((e = weakly ? RtlWeaklyEnumerateEntryHashTable(table, &enumerator) : RtlEnumerateEntryHashTable(table, &enumerator)) != NULL) {
        item_of(e)->seen++;
        count++;
    }
    if (weakly)
        RtlEndWeakEnumerationHashTable(table, &enumerator);
    else
        RtlEndEnumerationHashTable(table, &enumerator);
    assert_int_equal(count, RtlTotalEntriesHashTable(table));
    for (size_t i = 0; i < ENTRIES; i++) {
        assert_int_equal(items[i].seen, items[i].is_in);
        items[i].seen = 0;
    }
}

static void change_one(PRTL_DYNAMIC_HASH_TABLE table)
{
    item_t *item = &items[number_below(ENTRIES)];
    if (item->is_in) {
        assert_true(RtlRemoveEntryHashTable(table, &item->entry, NULL));
    } else {
        item->signature = 1 + number_below(ENTRIES / 2);
        assert_true(RtlInsertEntryHashTable(table, &item->entry, item->signature, NULL));
    }
    item->is_in = !item->is_in;
}

static void like_an_array(void **state)
{
    PRTL_DYNAMIC_HASH_TABLE table = NULL;
    const char             *given = getenv("NTMM_SEED");
    (void)state;
    seed = given != NULL ? strtoull(given, NULL, 0) : seed;
    memset(items, 0, sizeof items);
    assert_true(RtlCreateHashTable(&table, 0, 0));
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 200; i++)
            change_one(table);
        unsigned resizes = number_below(300);
        for (unsigned i = 0; i < resizes; i++)
            (void)(round % 3 == 2 ? RtlContractHashTable(table) : RtlExpandHashTable(table));
        for (unsigned i = 0; i < 20; i++)
            check_signature(table, 1 + number_below(ENTRIES / 2));
        check_all(table, round % 2 == 0);
        assert_int_equal(RtlNonEmptyBucketsHashTable(table) + RtlEmptyBucketsHashTable(table), RtlTotalBucketsHashTable(table));
    }
    while (RtlContractHashTable(table))
        ;
    assert_int_equal(RtlTotalBucketsHashTable(table), 128);
    check_all(table, false);
    for (size_t i = 0; i < ENTRIES; i++)
        if (items[i].is_in)
            assert_true(RtlRemoveEntryHashTable(table, &items[i].entry, NULL));
    assert_int_equal(RtlNonEmptyBucketsHashTable(table), 0);
    assert_int_equal(RtlTotalEntriesHashTable(table), 0);
    RtlDeleteHashTable(table);
}

static void contexts_and_enumerators_keep_their_place(void **state)
{
    RTL_DYNAMIC_HASH_TABLE            table, *pointer = &table;
    RTL_DYNAMIC_HASH_TABLE_ENTRY      a, b, zero;
    RTL_DYNAMIC_HASH_TABLE_CONTEXT    context;
    RTL_DYNAMIC_HASH_TABLE_ENUMERATOR enumerator;
    (void)state;
    assert_true(RtlCreateHashTableEx(&pointer, 1000, 4, 0));
    assert_ptr_equal(pointer, &table);
    assert_int_equal(RtlTotalBucketsHashTable(&table), 1024);
    assert_null(RtlLookupEntryHashTable(&table, 0x100, &context));
    assert_true(RtlInsertEntryHashTable(&table, &a, 0x100, &context));
    assert_true(RtlInsertEntryHashTable(&table, &b, 0x10f, NULL)); /* the same chain: 4 bits do not count */
    assert_ptr_equal(RtlLookupEntryHashTable(&table, 0x10f, NULL), &b);
    assert_int_equal(RtlNonEmptyBucketsHashTable(&table), 1);
    assert_true(RtlInsertEntryHashTable(&table, &zero, RTL_HASH_RESERVED_SIGNATURE, NULL));
    assert_ptr_equal(RtlLookupEntryHashTable(&table, RTL_HASH_RESERVED_SIGNATURE, NULL), &zero);
    assert_true(RtlInitEnumerationHashTable(&table, &enumerator));
    while (RtlEnumerateEntryHashTable(&table, &enumerator) != &a)
        ;
    assert_true(RtlRemoveEntryHashTable(&table, &a, NULL)); /* the one that it stands behind */
    RtlEndEnumerationHashTable(&table, &enumerator);
    assert_int_equal(RtlTotalEntriesHashTable(&table), 2);
    RtlDeleteHashTable(&table);
    assert_false(RtlCreateHashTable(&pointer, 0, 1));
}

static void make_one(void *unused)
{
    PRTL_DYNAMIC_HASH_TABLE table = NULL;
    (void)unused;
    if (!RtlCreateHashTable(&table, 0, 0))
        return;
    (void)RtlExpandHashTable(table);
    RtlDeleteHashTable(table);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(make_one, NULL) > 4);
}

static void deleted_while_it_is_enumerated(void **state)
{
    PRTL_DYNAMIC_HASH_TABLE           table = NULL;
    RTL_DYNAMIC_HASH_TABLE_ENUMERATOR enumerator;
    (void)state;
    assert_true(RtlCreateHashTable(&table, 0, 0));
    assert_true(RtlInitWeakEnumerationHashTable(table, &enumerator));
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, RtlDeleteHashTable(table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(like_an_array),
        ntmm_cmocka_test(contexts_and_enumerators_keep_their_place),
        ntmm_cmocka_test(memory_may_be_short),
        ntmm_cmocka_test(deleted_while_it_is_enumerated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
