/* test_rtl_lists.c - lists inside the driver's structures: what each routine does, a model, and every way in which links can disagree. */
#include <stdio.h>
#include <stdlib.h>

#include <ntmm/cmocka.h>

typedef struct item {
    int        number;
    LIST_ENTRY links;
} item_t;

static LIST_ENTRY head, e[5];

static void make_list(unsigned count)
{
    InitializeListHead(&head);
    for (unsigned i = 0; i < count; i++)
        InsertTailList(&head, &e[i]);
}

/* The list is exactly these entries, in both directions. */
static void expect(const char *order)
{
    const LIST_ENTRY *at = head.Flink;
    const char       *c = order;

    for (; *c != '\0'; c++, at = at->Flink)
        assert_ptr_equal(at, &e[*c - '0']);
    assert_ptr_equal(at, &head);
    for (at = head.Blink; c != order; at = at->Blink)
        assert_ptr_equal(at, &e[*--c - '0']);
    assert_ptr_equal(at, &head);
    assert_int_equal(IsListEmpty(&head), *order == '\0');
}

/* ---- what each does; none of it needs a machine ---- */

static void an_empty_list(void **state)
{
    (void)state;
    make_list(0);
    expect("");
    assert_ptr_equal(RemoveHeadList(&head), &head);
    assert_ptr_equal(RemoveTailList(&head), &head);
    expect("");
}

static void both_ends(void **state)
{
    (void)state;
    make_list(0);
    InsertHeadList(&head, &e[1]);
    InsertHeadList(&head, &e[0]);
    InsertTailList(&head, &e[2]);
    expect("012");
    assert_ptr_equal(RemoveTailList(&head), &e[2]);
    assert_ptr_equal(RemoveHeadList(&head), &e[0]);
    expect("1");
    assert_ptr_equal(RemoveHeadList(&head), &e[1]);
    expect("");
}

static void the_middle(void **state)
{
    (void)state;
    make_list(3);
    assert_false(RemoveEntryList(&e[1]));
    expect("02");
    assert_ptr_equal(e[1].Flink, &e[2]); /* its own links stay */
    assert_ptr_equal(e[1].Blink, &e[0]);
    assert_false(RemoveEntryList(&e[0]));
    assert_true(RemoveEntryList(&e[2]));
    expect("");
}

static void appending(void **state)
{
    (void)state;
    make_list(2);
    InitializeListHead(&e[2]);
    InsertTailList(&e[2], &e[3]);
    InsertTailList(&e[2], &e[4]); /* 2, 3, 4 without a head */
    AppendTailList(&head, &e[2]);
    expect("01234");
    make_list(0);
    InitializeListHead(&e[0]);
    AppendTailList(&head, &e[0]);
    expect("0");
}

static void singly_linked(void **state)
{
    SINGLE_LIST_ENTRY top = { NULL }, a, b;

    (void)state;
    assert_null(PopEntryList(&top));
    PushEntryList(&top, &a);
    PushEntryList(&top, &b);
    assert_ptr_equal(top.Next, &b);
    assert_ptr_equal(PopEntryList(&top), &b);
    assert_ptr_equal(b.Next, &a); /* stays */
    assert_ptr_equal(PopEntryList(&top), &a);
    assert_null(PopEntryList(&top));
}

static void containing_record(void **state)
{
    item_t      item = { .number = 7 };
    PLIST_ENTRY entry;

    (void)state;
    InitializeListHead(&head);
    InsertTailList(&head, &item.links);
    entry = RemoveHeadList(&head);
    assert_int_equal(CONTAINING_RECORD(entry, item_t, links)->number, 7);
}

/* ---- against an array ---- */

enum { ITEMS = 40, STEPS = 20000 };

static item_t             items[ITEMS];
static int                model[ITEMS], model_count;
static unsigned long long seed;

static unsigned random_below(unsigned limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % limit;
}

static void model_insert(int at, int number)
{
    for (int i = model_count++; i > at; i--)
        model[i] = model[i - 1];
    model[at] = number;
}
static void model_remove(int at)
{
    model_count--;
    for (int i = at; i < model_count; i++)
        model[i] = model[i + 1];
}

static void step(bool *listed)
{
    int number = (int)random_below(ITEMS), at = 0;

    if (!listed[number]) {
        bool first = random_below(2) == 0;
        (first ? InsertHeadList : InsertTailList)(&head, &items[number].links);
        model_insert(first ? 0 : model_count, number);
        listed[number] = true;
        return;
    }
    if (random_below(3) == 0) {
        bool        first = random_below(2) == 0;
        PLIST_ENTRY entry = (first ? RemoveHeadList : RemoveTailList)(&head);
        at = first ? 0 : model_count - 1;
        assert_ptr_equal(entry, &items[model[at]].links);
        number = model[at];
    } else {
        while (model[at] != number)
            at++;
        assert_int_equal(RemoveEntryList(&items[number].links), model_count == 1);
    }
    model_remove(at);
    listed[number] = false;
}

static void like_an_array(void **state)
{
    bool        listed[ITEMS] = { false };
    const char *wanted = getenv("NTMM_SEED");

    (void)state;
    seed = wanted != NULL ? strtoull(wanted, NULL, 0) : 0x11575;
    printf("seed 0x%llx\n", seed);
    InitializeListHead(&head);
    model_count = 0;
    for (int i = 0; i < ITEMS; i++)
        items[i].number = i;
    for (int i = 0; i < STEPS; i++) {
        const LIST_ENTRY *link;
        step(listed);
        link = head.Flink;
        for (int k = 0; k < model_count; k++, link = link->Flink)
            assert_int_equal(CONTAINING_RECORD(link, item_t, links)->number, model[k]);
        assert_ptr_equal(link, &head);
    }
}

/* ---- links that disagree: 0, 1, 2 on the list, then something happens, then the call ---- */

static void nothing(void) {}
static void remove_1(void) { RemoveEntryList(&e[1]); }
static void remove_0(void) { RemoveEntryList(&e[0]); }
static void remove_2(void) { RemoveEntryList(&e[2]); }
static void insert_3(void) { InsertTailList(&head, &e[3]); }
static void first_forgets(void) { e[0].Blink = &e[4]; }
static void first_points_astray(void)
{
    InitializeListHead(&e[4]);
    e[0].Flink = &e[4];
}
static void last_forgets(void) { e[2].Flink = &e[4]; }
static void last_points_astray(void)
{
    InitializeListHead(&e[4]);
    e[2].Blink = &e[4];
}
static void insert_1_again(void) { InsertTailList(&head, &e[1]); }
static void use_after_free(void) { memset(&e[1], 0, sizeof e[1]), e[1].Flink = &e[3], e[1].Blink = &e[3]; }

static void insert_head(void) { InsertHeadList(&head, &e[3]); }
static void insert_tail(void) { InsertTailList(&head, &e[3]); }
static void remove_head(void) { RemoveHeadList(&head); }
static void remove_tail(void) { RemoveTailList(&head); }
static void remove_head_twice(void)
{
    RemoveHeadList(&head);
    RemoveHeadList(&head);
}
static void append_it(void) { AppendTailList(&head, &e[1]); }
static void append_to_it(void)
{
    InitializeListHead(&e[3]);
    AppendTailList(&head, &e[3]);
}

static struct damage_case {
    const char *name;
    void (*before)(void);
    void (*call)(void);
    bool stops;
} DAMAGE[] = {
    { "an entry that was removed is removed again", remove_1, remove_1, true },
    { "the first one, too", remove_0, remove_0, true },
    { "and the last", remove_2, remove_2, true },
    { "an entry that is not first is inserted once more, then removed from where it was", insert_1_again, remove_head_twice, true },
    { "an overwritten entry is removed", use_after_free, remove_1, true },
    { "its left neighbour is removed", use_after_free, remove_0, true },
    { "its right neighbour is removed", use_after_free, remove_2, true },
    { "InsertHeadList before an entry that names another", first_forgets, insert_head, true },
    { "RemoveHeadList of an entry that names another", first_forgets, remove_head, true },
    { "RemoveHeadList of an entry whose successor does not know it", first_points_astray, remove_head, true },
    { "InsertTailList behind an entry that names another", last_forgets, insert_tail, true },
    { "RemoveTailList of an entry that names another", last_forgets, remove_tail, true },
    { "RemoveTailList of an entry whose predecessor does not know it", last_points_astray, remove_tail, true },
    { "AppendTailList to a damaged list", last_forgets, append_to_it, true },
    { "AppendTailList of damaged entries", use_after_free, append_it, true },
    { "the far side is not looked at: InsertHeadList", last_forgets, insert_head, false },
    { "the far side is not looked at: InsertTailList", first_forgets, insert_tail, false },
    { "nothing is wrong", nothing, insert_3, false },
};

static void check_damage(void **state)
{
    const struct damage_case *c = *state;

    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    make_list(3);
    InitializeListHead(&e[3]);
    InitializeListHead(&e[4]);
    c->before();
    if (c->stops)
        assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST_ENTRY, c->call());
    else
        assert_no_bugcheck(c->call());
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- fast fail itself ---- */

static void the_stop(void **state)
{
    const EXCEPTION_RECORD *record;

    (void)state;
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, 0x1234, RtlFailFast(0x1234));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0);
    record = (const EXCEPTION_RECORD *)ntmm_cmocka_caught.parameter[2];
    assert_int_equal(record->ExceptionCode, STATUS_STACK_BUFFER_OVERRUN);
    assert_int_equal(record->NumberParameters, 1);
    assert_int_equal(record->ExceptionInformation[0], 0x1234);
    assert_non_null(strstr(ntmm_stop_report(), "RtlFailFast"));
}

static void by_the_name_of_the_intrinsic(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(HIGH_LEVEL, &old);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, __fastfail(FAST_FAIL_INVALID_ARG));
    assert_int_equal(ntmm_cmocka_caught.irql, HIGH_LEVEL);
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(an_empty_list), cmocka_unit_test(both_ends),     cmocka_unit_test(the_middle),
        cmocka_unit_test(appending),     cmocka_unit_test(singly_linked), cmocka_unit_test(containing_record),
        cmocka_unit_test(like_an_array), ntmm_cmocka_test(the_stop),      ntmm_cmocka_test(by_the_name_of_the_intrinsic),
    };
    enum { FIXED_COUNT = sizeof FIXED / sizeof FIXED[0], DAMAGE_COUNT = sizeof DAMAGE / sizeof DAMAGE[0] };
    struct CMUnitTest tests[FIXED_COUNT + DAMAGE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < DAMAGE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = DAMAGE[i].name, .test_func = check_damage, .initial_state = &DAMAGE[i] };
    return cmocka_run_group_tests_name("rtl lists", tests, NULL, NULL);
}
