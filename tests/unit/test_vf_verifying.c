/*
 * test_vf_verifying.c - MmIsDriverVerifying and its like: all drivers of the process, or none.
 */
#include <ntmm/cmocka.h>

static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config FORCED = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL };
static const ntmm_config DMA = { .quiet = true, .verifier = NTMM_VERIFY_DMA };

static int           driver_data = 1;
static DRIVER_OBJECT driver;

static void answers_are(LOGICAL verified)
{
    int local = 0;
    assert_int_equal(MmIsDriverVerifying(&driver), verified);
    assert_int_equal(MmIsDriverSuspectForVerifier(&driver), verified);
    assert_int_equal(MmIsDriverVerifyingByAddress((PVOID)(ULONG_PTR)answers_are), verified);
    assert_int_equal(MmIsDriverVerifyingByAddress(&driver_data), verified);
    assert_false(MmIsDriverVerifying(NULL));
    assert_false(MmIsDriverSuspectForVerifier(NULL));
    assert_false(MmIsDriverVerifyingByAddress(NULL));
    assert_false(MmIsDriverVerifyingByAddress(&local));
    PVOID pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, 'yfrV');
    assert_non_null(pool);
    assert_false(MmIsDriverVerifyingByAddress(pool));
    ExFreePool(pool);
}

static void nobody_is_verified(void **state)
{
    (void)state;
    answers_are(FALSE);
}

static void all_are_verified(void **state)
{
    KIRQL old;
    (void)state;
    answers_are(TRUE);
    KeRaiseIrql(APC_LEVEL, &old);
    answers_are(TRUE);
    KeLowerIrql(old);
}

static void ask_for_driver(void *context) { MmIsDriverVerifying(context); }
static void ask_for_address(void *context) { MmIsDriverVerifyingByAddress(context); }
static void ask_for_suspect(void *context) { MmIsDriverSuspectForVerifier(context); }

static void not_above_apc_level(void **state)
{
    void (*const questions[])(void *) = { ask_for_driver, ask_for_address, ask_for_suspect };
    (void)state;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        ntmm_bugcheck stop;
        KIRQL         old;
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        assert_true(ntmm_catch_bugcheck(questions[i], &driver, &stop));
        assert_int_equal(stop.code, IRQL_NOT_LESS_OR_EQUAL);
        assert_int_equal(stop.parameter[1], DISPATCH_LEVEL);
        ntmm_cmocka_reboot();
    }
}

static void without_a_machine_nobody_is(void **state)
{
    (void)state;
    assert_false(MmIsDriverVerifying(&driver));
    assert_false(MmIsDriverVerifyingByAddress(&driver_data));
    assert_false(MmIsDriverSuspectForVerifier(&driver));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(nobody_is_verified, &PLAIN),
        ntmm_cmocka_test_config(all_are_verified, &FORCED),
        ntmm_cmocka_test_config(all_are_verified, &DMA),
        ntmm_cmocka_test_config(nobody_is_verified, &PLAIN),
        ntmm_cmocka_test(not_above_apc_level),
        cmocka_unit_test(without_a_machine_nobody_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
