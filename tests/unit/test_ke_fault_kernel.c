/*
 * test_ke_fault_kernel.c - a bad pointer that the library itself follows, on the driver's behalf: at DISPATCH_LEVEL that is 0xA, not 0xD1.
 * Needs the shared library, where the instruction's address tells the library's code from the driver's.
 */
#include <ntmm/cmocka.h>

static KIRQL raise_to_dispatch(void)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    return old;
}

static void lock_at_a_wild_address(void **state)
{
    (void)state;
    (void)raise_to_dispatch();
    assert_bugcheck(IRQL_NOT_LESS_OR_EQUAL, 0x6123456789a0, KeAcquireSpinLockAtDpcLevel((PKSPIN_LOCK)0x6123456789a0));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.irql, DISPATCH_LEVEL);
}

static void lock_at_null(void **state)
{
    (void)state;
    (void)raise_to_dispatch();
    assert_bugcheck(IRQL_NOT_LESS_OR_EQUAL, 8, KeAcquireSpinLockAtDpcLevel((PKSPIN_LOCK)8));
}

/* A spin lock in paged pool is found out when its page is not there. */
static void lock_in_paged_pool(void **state)
{
    (void)state;
    PKSPIN_LOCK lock = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *lock, NTMM_TAG("Pgdl"));
    KeInitializeSpinLock(lock);
    ntmm_page_out();
    (void)raise_to_dispatch();
    assert_bugcheck(IRQL_NOT_LESS_OR_EQUAL, lock, KeAcquireSpinLockAtDpcLevel(lock));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2] & ~1u, 0); /* read or write */
    assert_int_not_equal(ntmm_cmocka_caught.parameter[3], 0);
}

static void below_dispatch_level_there_is_no_difference(void **state)
{
    DRIVER_OBJECT driver = { .DriverName = { 8, 8, (PWCH)16 } };
    PVOID         handle;
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ACCESS_VIOLATION,
                    (void)IoReserveKsrPersistentMemory(&driver, NULL, 8, 0, &handle));
    ntmm_cmocka_reboot();
    driver.DriverName.Length = 0; /* the lock that was held at the stop is not held any more */
    assert_int_equal(IoReserveKsrPersistentMemory(&driver, NULL, 8, 0, &handle), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(lock_at_a_wild_address),
        ntmm_cmocka_test(lock_at_null),
        ntmm_cmocka_test(lock_in_paged_pool),
        ntmm_cmocka_test(below_dispatch_level_there_is_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
