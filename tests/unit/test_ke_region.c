/* test_ke_region.c - critical and guarded regions: what the queries say, and the leave that is one too many. */
#include "../support/ke_machine.h"

#include "ke/region.h"

static struct region_case {
    const char *name;
    int         critical, guarded; /* how often entered */
    KIRQL       irql;
    BOOLEAN     apcs, all_apcs; /* disabled? */
} CASES[] = {
    { "regions: none", 0, 0, PASSIVE_LEVEL, FALSE, FALSE },
    { "regions: critical", 1, 0, PASSIVE_LEVEL, TRUE, FALSE },
    { "regions: critical three times", 3, 0, PASSIVE_LEVEL, TRUE, FALSE },
    { "regions: guarded", 0, 1, PASSIVE_LEVEL, TRUE, TRUE },
    { "regions: guarded in critical", 1, 1, PASSIVE_LEVEL, TRUE, TRUE },
    { "regions: none, at APC_LEVEL", 0, 0, APC_LEVEL, FALSE, TRUE },
    { "regions: critical, at APC_LEVEL", 1, 0, APC_LEVEL, TRUE, TRUE },
    { "regions: none, at DISPATCH_LEVEL", 0, 0, DISPATCH_LEVEL, FALSE, TRUE },
};

static void check_region(void **state)
{
    const struct region_case *c = *state;
    KIRQL                     old;

    assert_int_equal(ke_machine_boot(1), 0);
    for (int i = 0; i < c->critical; i++)
        KeEnterCriticalRegion();
    for (int i = 0; i < c->guarded; i++)
        KeEnterGuardedRegion();
    KeRaiseIrql(c->irql, &old);
    assert_int_equal(KeAreApcsDisabled(), c->apcs);
    assert_int_equal(KeAreAllApcsDisabled(), c->all_apcs);
    assert_int_equal(ke_apc_disable_count(ke_self()), (uint16_t)-c->critical | (ULONG)(uint16_t)-c->guarded << 16);
    KeLowerIrql(old);
    for (int i = 0; i < c->guarded; i++) {
        assert_true(KeAreAllApcsDisabled());
        KeLeaveGuardedRegion();
    }
    for (int i = 0; i < c->critical; i++) {
        assert_true(KeAreApcsDisabled());
        KeLeaveCriticalRegion();
    }
    assert_false(KeAreApcsDisabled());
    assert_false(KeAreAllApcsDisabled());
    assert_true(ke_machine_shutdown());
}

static void one_leave_too_many_of_a_critical_region(void **state)
{
    (void)state;
    KeEnterCriticalRegion();
    KeLeaveCriticalRegion();
    KeEnterGuardedRegion();
    {
        ntmm_catch_frame frame;
        if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
            KeLeaveCriticalRegion();
            fail();
        }
        assert_int_equal(frame.stop.code, APC_INDEX_MISMATCH);
        assert_int_not_equal(frame.stop.parameter[0], 0); /* the caller */
        assert_int_equal(frame.stop.parameter[1], 0);
        assert_int_equal(frame.stop.parameter[2], 0xffff0001u); /* guarded: one; critical: one leave too many */
        assert_int_equal(frame.stop.parameter[3], 0);
    }
}

static void one_leave_too_many_of_a_guarded_region(void **state)
{
    ntmm_catch_frame frame;

    (void)state;
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        KeLeaveGuardedRegion();
        fail();
    }
    assert_int_equal(frame.stop.code, APC_INDEX_MISMATCH);
    assert_int_equal(frame.stop.parameter[2], 0x00010000u);
}

/* Only the verifier minds a region above APC_LEVEL. */
static void regions_at_dispatch_level_count_as_well(void **state)
{
    KIRQL old = KeRaiseIrqlToDpcLevel();

    (void)state;
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    assert_true(KeAreApcsDisabled());
    KeLowerIrql(old);
    assert_true(KeAreAllApcsDisabled());
    (void)KeRaiseIrqlToDpcLevel();
    KeLeaveGuardedRegion();
    KeLeaveCriticalRegion();
    assert_false(KeAreApcsDisabled());
    KeLowerIrql(old);
    assert_false(KeAreAllApcsDisabled());
}

static int   disabled_there;
static void *ask_about_apcs(void *unused) { return KeAreApcsDisabled() || KeAreAllApcsDisabled() ? &disabled_there : unused; }

static void regions_are_the_threads_own(void **state)
{
    void *disabled = NULL;

    (void)state;
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    pthread_join(thread_run(ask_about_apcs, NULL), &disabled);
    assert_null(disabled);
    assert_true(KeAreApcsDisabled() && KeAreAllApcsDisabled());
    KeLeaveGuardedRegion();
    KeLeaveCriticalRegion();
}

static void the_next_boot_begins_outside(void **state)
{
    (void)state;
    assert_int_equal(ke_machine_boot(1), 0);
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    assert_true(ke_machine_shutdown());
    assert_int_equal(ke_machine_boot(1), 0);
    assert_false(KeAreApcsDisabled());
    assert_false(KeAreAllApcsDisabled());
    assert_true(ke_machine_shutdown());
}

static void without_a_machine_there_are_no_regions(void **state)
{
    (void)state;
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    assert_false(KeAreApcsDisabled());
    assert_false(KeAreAllApcsDisabled());
    assert_non_null(strstr(ntmm_error(), "KeAreAllApcsDisabled: no machine is up"));
    KeLeaveGuardedRegion();
    KeLeaveCriticalRegion();
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(without_a_machine_there_are_no_regions),
        cmocka_unit_test_setup_teardown(one_leave_too_many_of_a_critical_region, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(one_leave_too_many_of_a_guarded_region, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(regions_at_dispatch_level_count_as_well, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(regions_are_the_threads_own, boot_one, shut_down),
        cmocka_unit_test(the_next_boot_begins_outside),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), CASE_COUNT = NTMM_ARRAY_COUNT(CASES) };
    struct CMUnitTest tests[FIXED_COUNT + CASE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < CASE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = CASES[i].name, .test_func = check_region, .initial_state = &CASES[i] };
    return cmocka_run_group_tests_name("ke region", tests, NULL, NULL);
}
