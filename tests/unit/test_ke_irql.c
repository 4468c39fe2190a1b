/* test_ke_irql.c - raise, lower, ask; who breaks the order; who is refused. */
#include "../support/ke_machine.h"

/* ---- the order ---- */

static struct step_case {
    const char *name;
    KIRQL       from, to;
} STEPS[] = {
    { "raise: PASSIVE to PASSIVE", PASSIVE_LEVEL, PASSIVE_LEVEL },
    { "raise: PASSIVE to APC", PASSIVE_LEVEL, APC_LEVEL },
    { "raise: PASSIVE to DISPATCH", PASSIVE_LEVEL, DISPATCH_LEVEL },
    { "raise: PASSIVE to DIRQL", PASSIVE_LEVEL, 7 },
    { "raise: PASSIVE to HIGH", PASSIVE_LEVEL, HIGH_LEVEL },
    { "raise: APC to APC", APC_LEVEL, APC_LEVEL },
    { "raise: APC to DISPATCH", APC_LEVEL, DISPATCH_LEVEL },
    { "raise: DISPATCH to DISPATCH", DISPATCH_LEVEL, DISPATCH_LEVEL },
    { "raise: DISPATCH to DIRQL", DISPATCH_LEVEL, 5 },
    { "raise: DIRQL to HIGH", 5, HIGH_LEVEL },
    { "raise: HIGH to HIGH", HIGH_LEVEL, HIGH_LEVEL },
};

static void check_step(void **state)
{
    const struct step_case *c = *state;
    KIRQL                   start = 0xff, old = 0xff;

    assert_int_equal(ke_machine_boot(2), 0);
    KeRaiseIrql(c->from, &start);
    assert_int_equal(start, PASSIVE_LEVEL);
    KeRaiseIrql(c->to, &old);
    assert_int_equal(old, c->from);
    assert_int_equal(KeGetCurrentIrql(), c->to);
    assert_int_equal(atomic_load(&ke_self()->dispatching), c->to >= DISPATCH_LEVEL);
    KeLowerIrql(old);
    assert_int_equal(KeGetCurrentIrql(), c->from);
    assert_int_equal(atomic_load(&ke_self()->dispatching), c->from >= DISPATCH_LEVEL);
    KeLowerIrql(start);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_true(ke_machine_shutdown());
}

static void the_other_names_do_the_same(void **state)
{
    (void)state;
    assert_int_equal(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    assert_int_equal(KeRaiseIrqlToDpcLevel(), DISPATCH_LEVEL);
    assert_int_equal(KzRaiseIrql(9), DISPATCH_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), 9);
    KzLowerIrql(APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KzLowerIrql(PASSIVE_LEVEL);
    assert_int_equal(KzRaiseIrql(APC_LEVEL), PASSIVE_LEVEL);
    KzLowerIrql(PASSIVE_LEVEL);
}

/* ---- the mistakes ---- */

static struct mistake_case {
    const char *name;
    KIRQL       current, wanted;
    bool        lower;
    ULONG       code;
} MISTAKES[] = {
    { "0x9: raise DISPATCH to APC", DISPATCH_LEVEL, APC_LEVEL, false, IRQL_NOT_GREATER_OR_EQUAL },
    { "0x9: raise DISPATCH to PASSIVE", DISPATCH_LEVEL, PASSIVE_LEVEL, false, IRQL_NOT_GREATER_OR_EQUAL },
    { "0x9: raise APC to PASSIVE", APC_LEVEL, PASSIVE_LEVEL, false, IRQL_NOT_GREATER_OR_EQUAL },
    { "0x9: raise DIRQL to DISPATCH", 8, DISPATCH_LEVEL, false, IRQL_NOT_GREATER_OR_EQUAL },
    { "0x9: raise above HIGH", PASSIVE_LEVEL, HIGH_LEVEL + 1, false, IRQL_NOT_GREATER_OR_EQUAL },
    { "0xA: lower PASSIVE to APC", PASSIVE_LEVEL, APC_LEVEL, true, IRQL_NOT_LESS_OR_EQUAL },
    { "0xA: lower PASSIVE to DISPATCH", PASSIVE_LEVEL, DISPATCH_LEVEL, true, IRQL_NOT_LESS_OR_EQUAL },
    { "0xA: lower DISPATCH to DIRQL", DISPATCH_LEVEL, 4, true, IRQL_NOT_LESS_OR_EQUAL },
    { "0xA: lower DISPATCH to nonsense", DISPATCH_LEVEL, 200, true, IRQL_NOT_LESS_OR_EQUAL },
};

static void check_mistake(void **state)
{
    const struct mistake_case *c = *state;
    KIRQL                      old;

    assert_int_equal(ke_machine_boot(1), 0);
    KeRaiseIrql(c->current, &old);
    if (c->lower)
        assert_stop(c->code, c->wanted, KeLowerIrql(c->wanted));
    else
        assert_stop(c->code, c->wanted, KeRaiseIrql(c->wanted, &old));
    assert_int_equal(last_stop.parameter[1], c->current);
    assert_int_equal(last_stop.parameter[2], 0);
    assert_int_not_equal(last_stop.parameter[3], 0); /* the caller */
    assert_int_equal(last_stop.irql, c->current);
    assert_true(ke_machine_shutdown());
}

static void to_dpc_level_from_above_is_a_mistake(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(6, &old);
    assert_stop(IRQL_NOT_GREATER_OR_EQUAL, DISPATCH_LEVEL, KeRaiseIrqlToDpcLevel());
    assert_int_equal(last_stop.parameter[1], 6);
    assert_int_equal(KeGetCurrentIrql(), 6); /* the halted machine can be looked at */
}

/* ---- the refusals ---- */

static void without_a_machine_nothing_happens(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeGetCurrentIrql: no machine is up"));
    KeLowerIrql(PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeLowerIrql: no machine is up"));
    assert_int_equal(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeRaiseIrqlToDpcLevel: no machine is up"));
    assert_int_equal(KzRaiseIrql(APC_LEVEL), PASSIVE_LEVEL);
    KzLowerIrql(PASSIVE_LEVEL);
    assert_ptr_equal(ke_self(), &ke_empty_thread);
    assert_int_equal(ke_empty_thread.irql, PASSIVE_LEVEL);
    assert_int_equal(atomic_load(&ke_empty_thread.dispatching), 0);
}

static void a_halted_machine_refuses(void **state)
{
    KIRQL old = 0xff;

    (void)state;
    assert_int_equal(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    assert_stop(IRQL_NOT_LESS_OR_EQUAL, 3, KeLowerIrql(3));
    KeLowerIrql(PASSIVE_LEVEL);
    assert_non_null(strstr(ntmm_error(), "KeLowerIrql: the machine has halted"));
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_non_null(strstr(ntmm_error(), "KeRaiseIrql: the machine has halted"));
    assert_int_equal(old, PASSIVE_LEVEL);
}

static void the_next_boot_begins_at_passive_level(void **state)
{
    (void)state;
    assert_int_equal(ke_machine_boot(1), 0);
    assert_int_equal(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    assert_stop(IRQL_NOT_LESS_OR_EQUAL, 3, KeLowerIrql(3));
    assert_true(ke_machine_shutdown());
    assert_int_equal(ke_machine_boot(1), 0);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    assert_true(ke_machine_shutdown());
}

/* ---- threads ---- */

static void *read_irql(void *out)
{
    *(KIRQL *)out = KeGetCurrentIrql();
    return NULL;
}

static void irql_is_the_threads_own(void **state)
{
    KIRQL other = 0xff, old;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    pthread_join(thread_run(read_irql, &other), NULL);
    assert_int_equal(other, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
}

#define CROWD 4
#define ROUNDS 100000

static uint64_t          counter; /* plain: protected by DISPATCH_LEVEL on the only processor */
static pthread_barrier_t together;

static void *count_at_dispatch_level(void *unused)
{
    KIRQL old;

    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        counter++;
        if (i % 1024 == 0)
            host_yield(); /* be switched away with the processor in hand */
        KeLowerIrql(old);
    }
    return unused;
}

static void one_processor_runs_one_thread_at_dispatch_level(void **state)
{
    pthread_t threads[CROWD];

    (void)state;
    counter = 0;
    pthread_barrier_init(&together, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        threads[i] = thread_run(count_at_dispatch_level, NULL);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    assert_int_equal(counter, (uint64_t)CROWD * ROUNDS);
}

static _Atomic uint32_t turn;

static void *live_through_a_reboot(void *unused)
{
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeLowerIrql(old);
    atomic_store(&turn, 1);
    while (atomic_load(&turn) != 2)
        host_sleep_ns(100000);
    KeRaiseIrql(DISPATCH_LEVEL, &old); /* its record is of the boot before */
    turn = KeGetCurrentIrql() == DISPATCH_LEVEL && ke_self()->generation == ke_machine_generation ? 3 : 4;
    KeLowerIrql(old);
    return unused;
}

static void a_thread_lives_through_a_reboot(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(ke_machine_boot(1), 0);
    atomic_store(&turn, 0);
    thread = thread_run(live_through_a_reboot, NULL);
    assert_true(eventually(atomic_load(&turn) == 1));
    assert_true(ke_machine_shutdown());
    assert_int_equal(ke_machine_boot(1), 0);
    atomic_store(&turn, 2);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&turn), 3);
    assert_true(ke_machine_shutdown());
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(without_a_machine_nothing_happens), /* first: the thread has no record yet */
        cmocka_unit_test_setup_teardown(the_other_names_do_the_same, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(to_dpc_level_from_above_is_a_mistake, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(a_halted_machine_refuses, boot_one, shut_down),
        cmocka_unit_test(the_next_boot_begins_at_passive_level),
        cmocka_unit_test_setup_teardown(irql_is_the_threads_own, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(one_processor_runs_one_thread_at_dispatch_level, boot_one, shut_down),
        cmocka_unit_test(a_thread_lives_through_a_reboot),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), STEP_COUNT = NTMM_ARRAY_COUNT(STEPS), MISTAKE_COUNT = NTMM_ARRAY_COUNT(MISTAKES) };
    struct CMUnitTest tests[FIXED_COUNT + STEP_COUNT + MISTAKE_COUNT];
    size_t            n = 0;

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[n++] = FIXED[i];
    for (size_t i = 0; i < STEP_COUNT; i++)
        tests[n++] = (struct CMUnitTest){ .name = STEPS[i].name, .test_func = check_step, .initial_state = &STEPS[i] };
    for (size_t i = 0; i < MISTAKE_COUNT; i++)
        tests[n++] = (struct CMUnitTest){ .name = MISTAKES[i].name, .test_func = check_mistake, .initial_state = &MISTAKES[i] };
    return cmocka_run_group_tests_name("ke irql", tests, NULL, NULL);
}
