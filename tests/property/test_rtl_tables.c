/*
 * test_rtl_tables.c - generic tables against a sorted array: random insertions, deletions, lookups and enumerations, of splay trees and of
 * balanced ones; after each the links agree, and a balanced tree is balanced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ntddk.h>

#define KEYS 64u

typedef struct item {
    int key, number;
} item_t;

static unsigned long long seed;
static unsigned           below(unsigned limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % limit;
}

/* ---- the model: which keys are there, with which number, inserted when ---- */

static bool     there[KEYS];
static int      numbers[KEYS];
static int      order[KEYS]; /* keys, in order of insertion */
static unsigned count;
static int      allocations; /* that are alive */
static bool     no_memory;

static void forget(int key)
{
    unsigned at = 0;
    there[key] = false;
    while (order[at] != key)
        at++;
    memmove(order + at, order + at + 1, (--count - at) * sizeof order[0]);
}

static int next_key(int from) /* the first key at or behind it; -1 */
{
    for (; from < (int)KEYS; from++)
        if (there[from])
            return from;
    return -1;
}

static RTL_GENERIC_COMPARE_RESULTS compare(PVOID one, PVOID other)
{
    int a = ((item_t *)one)->key, b = ((item_t *)other)->key;
    return a < b ? GenericLessThan : a > b ? GenericGreaterThan : GenericEqual;
}
static PVOID take(ULONG bytes)
{
    if (no_memory)
        return NULL;
    allocations++;
    return malloc(bytes);
}
static void give(PVOID buffer)
{
    allocations--;
    free(buffer);
}
static RTL_GENERIC_COMPARE_RESULTS splay_compare(PRTL_GENERIC_TABLE table, PVOID one, PVOID other)
{
    assert_ptr_equal(table->TableContext, &seed);
    return compare(one, other);
}
static PVOID splay_take(PRTL_GENERIC_TABLE table, ULONG bytes)
{
    (void)table;
    assert_int_equal(bytes, 40 + sizeof(item_t));
    return take(bytes);
}
static VOID splay_give(PRTL_GENERIC_TABLE table, PVOID buffer)
{
    (void)table;
    give(buffer);
}
static RTL_GENERIC_COMPARE_RESULTS avl_compare(PRTL_AVL_TABLE table, PVOID one, PVOID other)
{
    assert_ptr_equal(table->TableContext, &seed);
    return compare(one, other);
}
static PVOID avl_take(PRTL_AVL_TABLE table, ULONG bytes)
{
    (void)table;
    assert_int_equal(bytes, 32 + sizeof(item_t));
    return take(bytes);
}
static VOID avl_give(PRTL_AVL_TABLE table, PVOID buffer)
{
    (void)table;
    give(buffer);
}

/* ---- what holds of every tree ---- */

static unsigned check_splay(PRTL_SPLAY_LINKS node, PRTL_SPLAY_LINKS parent)
{
    if (node == NULL)
        return 0;
    assert_ptr_equal(node->Parent, parent != NULL ? parent : node);
    return 1 + check_splay(node->LeftChild, node) + check_splay(node->RightChild, node);
}

static int check_avl(PRTL_BALANCED_LINKS node, PRTL_BALANCED_LINKS parent, unsigned *nodes)
{
    int left, right;
    if (node == NULL)
        return 0;
    ++*nodes;
    assert_ptr_equal(node->Parent, parent);
    left = check_avl(node->LeftChild, node, nodes);
    right = check_avl(node->RightChild, node, nodes);
    assert_int_equal(node->Balance, right - left);
    assert_true(right - left >= -1 && right - left <= 1);
    return 1 + (left > right ? left : right);
}

/* ---- either table behind one face ---- */

static bool              is_avl;
static RTL_GENERIC_TABLE splay;
static RTL_AVL_TABLE     avl;

static void check(void)
{
    unsigned nodes = 0;
    if (is_avl) {
        assert_int_equal(check_avl(avl.BalancedRoot.RightChild, &avl.BalancedRoot, &nodes), avl.DepthOfTree);
        assert_null(avl.BalancedRoot.LeftChild);
        assert_int_equal(RtlNumberGenericTableElementsAvl(&avl), count);
        assert_int_equal(RtlIsGenericTableEmptyAvl(&avl), count == 0);
    } else {
        nodes = check_splay(splay.TableRoot, NULL);
        assert_int_equal(RtlNumberGenericTableElements(&splay), count);
        assert_int_equal(RtlIsGenericTableEmpty(&splay), count == 0);
    }
    assert_int_equal(nodes, count);
    assert_int_equal(allocations, count);
}

static item_t *insert(item_t *item, BOOLEAN *fresh)
{
    PVOID               node;
    TABLE_SEARCH_RESULT result;
    if (below(2))
        return is_avl ? RtlInsertElementGenericTableAvl(&avl, item, sizeof *item, fresh)
                      : RtlInsertElementGenericTable(&splay, item, sizeof *item, fresh);
    if (is_avl) {
        RtlLookupElementGenericTableFullAvl(&avl, item, &node, &result);
        return RtlInsertElementGenericTableFullAvl(&avl, item, sizeof *item, fresh, node, result);
    }
    RtlLookupElementGenericTableFull(&splay, item, &node, &result);
    return RtlInsertElementGenericTableFull(&splay, item, sizeof *item, fresh, node, result);
}
static item_t *look_up(item_t *item)
{
    return is_avl ? RtlLookupElementGenericTableAvl(&avl, item) : RtlLookupElementGenericTable(&splay, item);
}
static BOOLEAN remove_item(item_t *item)
{
    return is_avl ? RtlDeleteElementGenericTableAvl(&avl, item) : RtlDeleteElementGenericTable(&splay, item);
}
static item_t *enumerate(BOOLEAN restart)
{
    return is_avl ? RtlEnumerateGenericTableAvl(&avl, restart) : RtlEnumerateGenericTable(&splay, restart);
}
static item_t *walk(PVOID *key)
{
    return is_avl ? RtlEnumerateGenericTableWithoutSplayingAvl(&avl, key) : RtlEnumerateGenericTableWithoutSplaying(&splay, key);
}
static item_t *get(ULONG number) { return is_avl ? RtlGetElementGenericTableAvl(&avl, number) : RtlGetElementGenericTable(&splay, number); }

/* ---- operations ---- */

static void try_insert(int key)
{
    item_t  item = { key, (int)below(1000) }, *got;
    BOOLEAN fresh = 7;

    no_memory = below(10) == 0;
    got = insert(&item, below(8) ? &fresh : NULL);
    if (there[key]) {
        assert_int_equal(got->number, numbers[key]);
        assert_true(fresh == FALSE || fresh == 7);
    } else if (no_memory) {
        assert_null(got);
        assert_true(fresh == FALSE || fresh == 7);
    } else {
        assert_int_equal(got->key, key);
        assert_true(fresh == TRUE || fresh == 7);
        there[key] = true;
        numbers[key] = item.number;
        order[count++] = key;
    }
    no_memory = false;
}

static void try_enumerate(void)
{
    PVOID   restart = NULL;
    item_t *item;
    int     key = -1;

    if (below(2)) {
        for (item = enumerate(TRUE); item != NULL; item = enumerate(FALSE)) {
            key = next_key(key + 1);
            assert_int_equal(item->key, key);
        }
    } else {
        for (item = walk(&restart); item != NULL; item = walk(&restart)) {
            key = next_key(key + 1);
            assert_int_equal(item->key, key);
        }
        assert_null(walk(&restart));
    }
    assert_int_equal(next_key(key + 1), -1);
}

static void try_get(void)
{
    ULONG   number = below(KEYS);
    item_t *item = get(number);

    if (number >= count) {
        assert_null(item);
        return;
    }
    if (is_avl) {
        int key = next_key(0);
        for (ULONG i = 0; i < number; i++)
            key = next_key(key + 1);
        assert_int_equal(item->key, key);
    } else {
        assert_int_equal(item->key, order[number]);
    }
    assert_null(get(MAXULONG));
}

static void one_step(unsigned growth)
{
    int     key = (int)below(KEYS);
    item_t  wanted = { key, 0 }, *found;
    BOOLEAN deleted;

    switch (below(6)) {
    case 0:
    case 1:
        if (below(4) < growth)
            try_insert(key);
        else {
            deleted = remove_item(&wanted);
            assert_int_equal(deleted, there[key]);
            if (there[key])
                forget(key);
        }
        break;
    case 2:
        found = look_up(&wanted);
        assert_int_equal(found != NULL, there[key]);
        if (found != NULL)
            assert_int_equal(found->number, numbers[key]);
        break;
    case 3: try_get(); break;
    case 4:
        if (below(10) == 0)
            try_enumerate();
        break;
    default: try_insert(key);
    }
}

static void play(void)
{
    const char *chosen = getenv("NTMM_SEED");

    seed = chosen != NULL ? strtoull(chosen, NULL, 0) : 44;
    print_message("seed %llu\n", seed);
    memset(there, 0, sizeof there);
    count = 0;
    for (unsigned step = 0; step < 60000; step++) {
        one_step(1 + step / 5000 % 3);
        check();
    }
    for (int key = 0; key < (int)KEYS; key++) {
        item_t item = { key, 0 };
        if (remove_item(&item))
            forget(key);
        check();
    }
    assert_int_equal(allocations, 0);
    assert_null(enumerate(TRUE));
    assert_null(enumerate(FALSE));
}

static void splay_tables(void **state)
{
    (void)state;
    is_avl = false;
    RtlInitializeGenericTable(&splay, splay_compare, splay_take, splay_give, &seed);
    play();
}

static void avl_tables(void **state)
{
    (void)state;
    is_avl = true;
    RtlInitializeGenericTableAvl(&avl, avl_compare, avl_take, avl_give, &seed);
    play();
}

/* ---- what only balanced tables have ---- */

static void fill(int keys)
{
    is_avl = true;
    RtlInitializeGenericTableAvl(&avl, avl_compare, avl_take, avl_give, &seed);
    for (int key = 0; key < keys; key++) {
        item_t item = { 2 * key, key };
        RtlInsertElementGenericTableAvl(&avl, &item, sizeof item, NULL);
    }
}
static void empty(void)
{
    item_t *item;
    while ((item = RtlGetElementGenericTableAvl(&avl, 0)) != NULL)
        RtlDeleteElementGenericTableAvl(&avl, item);
    assert_int_equal(allocations, 0);
}

static void deleting_while_enumerating(void **state)
{
    int expected = 0;
    (void)state;
    fill(20);
    for (item_t *item = enumerate(TRUE); item != NULL; item = enumerate(FALSE)) {
        assert_int_equal(item->key, expected);
        expected += 2;
        if (item->key % 3 == 0)
            assert_true(RtlDeleteElementGenericTableAvl(&avl, item));
    }
    assert_int_equal(expected, 40);
    empty();
}

static NTSTATUS every_third(PRTL_AVL_TABLE table, PVOID data, PVOID match)
{
    (void)table;
    assert_ptr_equal(match, &seed);
    if (((item_t *)data)->key > 30)
        return STATUS_NO_MORE_MATCHES;
    return ((item_t *)data)->number % 3 == 0 ? STATUS_SUCCESS : STATUS_NO_MATCH;
}

static void like_a_directory(void **state)
{
    item_t  from = { 5, 0 }, *item;
    PVOID   restart = NULL;
    ULONG   deleted = 0;
    int     expected = 6;
    BOOLEAN next = FALSE;
    (void)state;
    fill(20);
    while ((item = RtlEnumerateGenericTableLikeADirectory(&avl, NULL, NULL, next, &restart, &deleted, &from)) != NULL) {
        assert_int_equal(item->key, expected);
        from = *item;
        next = TRUE;
        expected += 2;
        if (item->key == 10 || item->key == 20)
            RtlDeleteElementGenericTableAvl(&avl, item); /* goes on behind the key */
    }
    assert_int_equal(expected, 40);
    restart = NULL;
    from.key = -1;
    expected = 0;
    for (next = FALSE; (item = RtlEnumerateGenericTableLikeADirectory(&avl, every_third, &seed, next, &restart, &deleted, &from)) != NULL;
         next = TRUE) {
        assert_int_equal(item->key, expected);
        expected += 6;
    }
    assert_int_equal(expected, 36);
    empty();
}

static RTL_GENERIC_COMPARE_RESULTS by_tens(PRTL_AVL_TABLE table, PVOID one, PVOID other)
{
    int a = ((item_t *)one)->key / 10, b = ((item_t *)other)->key / 10;
    (void)table;
    return a < b ? GenericLessThan : a > b ? GenericGreaterThan : GenericEqual;
}

static void the_first_of_several(void **state)
{
    item_t wanted = { 15, 0 }, *item;
    PVOID  restart;
    (void)state;
    fill(20);
    avl.CompareRoutine = by_tens;
    item = RtlLookupFirstMatchingElementGenericTableAvl(&avl, &wanted, &restart);
    assert_int_equal(item->key, 10);
    assert_int_equal(((item_t *)RtlEnumerateGenericTableWithoutSplayingAvl(&avl, &restart))->key, 12);
    wanted.key = 400;
    assert_null(RtlLookupFirstMatchingElementGenericTableAvl(&avl, &wanted, &restart));
    avl.CompareRoutine = avl_compare;
    empty();
}

static void deep_enough(void **state)
{
    (void)state;
    fill(1000); /* in order, the worst for a tree that does not balance */
    assert_true(avl.DepthOfTree >= 10 && avl.DepthOfTree <= 14);
    empty();
    assert_int_equal(avl.DepthOfTree, 0);
}

/* ---- splay links on their own ---- */

static void links_of_the_driver(void **state)
{
    RTL_SPLAY_LINKS links[7], *root = &links[3];
    (void)state;
    for (int i = 0; i < 7; i++)
        RtlInitializeSplayLinks(&links[i]);
    assert_true(RtlIsRoot(root));
    RtlInsertAsLeftChild(root, &links[1]);
    RtlInsertAsRightChild(root, &links[5]);
    RtlInsertAsLeftChild(&links[1], &links[0]);
    RtlInsertAsRightChild(&links[1], &links[2]);
    RtlInsertAsLeftChild(&links[5], &links[4]);
    RtlInsertAsRightChild(&links[5], &links[6]);
    assert_true(RtlIsLeftChild(&links[1]) && RtlIsRightChild(&links[5]));
    for (int i = 0; i < 7; i++) {
        assert_ptr_equal(RtlRealSuccessor(&links[i]), i < 6 ? &links[i + 1] : NULL);
        assert_ptr_equal(RtlRealPredecessor(&links[i]), i > 0 ? &links[i - 1] : NULL);
    }
    assert_ptr_equal(RtlSubtreeSuccessor(&links[1]), &links[2]);
    assert_ptr_equal(RtlSubtreePredecessor(&links[1]), &links[0]);
    assert_null(RtlSubtreeSuccessor(&links[2]));
    assert_ptr_equal(RtlSplay(&links[0]), &links[0]);
    assert_int_equal(check_splay(&links[0], NULL), 7);
    root = RtlDelete(&links[3]);
    assert_int_equal(check_splay(root, NULL), 6);
    RtlDeleteNoSplay(root, &root);
    assert_int_equal(check_splay(root, NULL), 5);
    while (root != NULL)
        root = RtlDelete(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splay_tables),        cmocka_unit_test(avl_tables),           cmocka_unit_test(deleting_while_enumerating),
        cmocka_unit_test(like_a_directory),    cmocka_unit_test(the_first_of_several), cmocka_unit_test(deep_enough),
        cmocka_unit_test(links_of_the_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
