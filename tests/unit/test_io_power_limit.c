/*
 * test_io_power_limit.c - limits that policies ask for: which there are, which holds, what is refused.
 */
#include <ntmm/cmocka.h>

#include <string.h>

static const POWER_LIMIT_ATTRIBUTES ROWS[] = {
    { .Type = PowerLimitContinuous, .DomainId = 0, .MinValue = 1000, .MaxValue = 9000, .DefaultACValue = 8000, .DefaultDCValue = 5000 },
    { .Type = PowerLimitBurst,
      .DomainId = 1,
      .MinValue = 2000,
      .MaxValue = 20000,
      .MinTimeParameter = 10,
      .MaxTimeParameter = 50,
      .DefaultACValue = 15000,
      .Flags = { .AsUlong = 1 } },
};

static DEVICE_OBJECT device;

static PVOID ask_for(void)
{
    PVOID request;
    assert_int_equal(PoCreatePowerLimitRequest(&request, &device, NULL, NULL), STATUS_SUCCESS);
    return request;
}
static NTSTATUS set(PVOID request, POWER_LIMIT_TYPES type, ULONG domain, ULONG target, ULONG time)
{
    POWER_LIMIT_VALUE value = { type, domain, target, time };
    return PoSetPowerLimitValue(request, NULL, 1, &value);
}
static ULONG get(PVOID request, POWER_LIMIT_TYPES type, ULONG domain)
{
    POWER_LIMIT_VALUE value = { .Type = type, .DomainId = domain };
    assert_int_equal(PoQueryPowerLimitValue(request, 1, &value), STATUS_SUCCESS);
    return value.TargetValue;
}

static void which_there_are(void **state)
{
    POWER_LIMIT_ATTRIBUTES rows[2];
    ULONG                  count = 9;
    PVOID                  request = &count;
    (void)state;
    assert_int_equal(PoCreatePowerLimitRequest(&request, &device, NULL, NULL), STATUS_NOT_SUPPORTED);
    assert_null(request);
    assert_int_equal(PoCreatePowerLimitRequest(&request, NULL, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_true(ntmm_power_limits_set(&device, ROWS, 0) < 0 && ntmm_power_limits_set(&device, ROWS, 65) < 0);
    assert_int_equal(ntmm_power_limits_set(&device, ROWS, 2), 0);
    request = ask_for();
    assert_int_equal(PoQueryPowerLimitAttributes(request, 0, NULL, &count), STATUS_SUCCESS);
    assert_int_equal(count, 2);
    assert_int_equal(PoQueryPowerLimitAttributes(request, 1, rows, &count), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(PoQueryPowerLimitAttributes(request, 2, rows, &count), STATUS_SUCCESS);
    assert_memory_equal(rows, ROWS, sizeof rows);
    PoDeletePowerLimitRequest(request);
}

static void the_lowest_holds(void **state)
{
    (void)state;
    assert_int_equal(ntmm_power_limits_set(&device, ROWS, 2), 0);
    PVOID one = ask_for(), other = ask_for();
    assert_int_equal(get(one, PowerLimitContinuous, 0), 8000);
    assert_int_equal(set(one, PowerLimitContinuous, 0, 7000, 0), STATUS_SUCCESS);
    assert_int_equal(set(other, PowerLimitContinuous, 0, 6000, 0), STATUS_SUCCESS);
    assert_int_equal(get(one, PowerLimitContinuous, 0), 6000);
    assert_int_equal(get(one, PowerLimitBurst, 1), 15000);
    PoDeletePowerLimitRequest(other);
    assert_int_equal(get(one, PowerLimitContinuous, 0), 7000);
    assert_int_equal(set(one, PowerLimitContinuous, 0, 9000, 0), STATUS_SUCCESS); /* above the default */
    assert_int_equal(get(one, PowerLimitContinuous, 0), 9000);
    PoDeletePowerLimitRequest(one);
}

static void what_is_refused(void **state)
{
    POWER_LIMIT_VALUE both[] = { { PowerLimitContinuous, 0, 4000, 0 }, { PowerLimitBurst, 1, 1, 20 } };
    (void)state;
    assert_int_equal(ntmm_power_limits_set(&device, ROWS, 2), 0);
    PVOID request = ask_for();
    assert_int_equal(set(request, PowerLimitContinuous, 1, 4000, 0), STATUS_NOT_FOUND);
    assert_int_equal(set(request, PowerLimitContinuous, 0, 999, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(set(request, PowerLimitContinuous, 0, 9001, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(set(request, PowerLimitContinuous, 0, 4000, 5), STATUS_INVALID_PARAMETER);
    assert_int_equal(set(request, PowerLimitBurst, 1, 4000, 9), STATUS_INVALID_PARAMETER);
    assert_int_equal(set(request, PowerLimitBurst, 1, 4000, 10), STATUS_SUCCESS);
    assert_int_equal(PoSetPowerLimitValue(request, NULL, 2, both), STATUS_INVALID_PARAMETER);
    assert_int_equal(get(request, PowerLimitContinuous, 0), 8000); /* none of them */
    both[0].DomainId = 7;
    assert_int_equal(PoQueryPowerLimitValue(request, 1, both), STATUS_NOT_FOUND);
    PoDeletePowerLimitRequest(request);
}

static void without_memory_and_too_high(void **state)
{
    PVOID request;
    (void)state;
    assert_int_equal(ntmm_power_limits_set(&device, ROWS, 2), 0);
    ntmm_fail_allocation(1);
    assert_int_equal(PoCreatePowerLimitRequest(&request, &device, NULL, NULL), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PoCreatePowerLimitRequest(&request, &device, NULL, NULL)));
    ntmm_cmocka_reboot();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, set(NULL, PowerLimitBurst, 1, 1, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(which_there_are),
        ntmm_cmocka_test(the_lowest_holds),
        ntmm_cmocka_test(what_is_refused),
        ntmm_cmocka_test(without_memory_and_too_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
