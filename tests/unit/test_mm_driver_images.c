/*
 * test_mm_driver_images.c - pageable sections of several images: the program, linked without the package's link step, and two drivers in
 * libraries of their own, which come and go while the machine is up.
 */
#include <ntmm/cmocka.h>

#include <dlfcn.h>

static volatile int one = 1, sink; /* so that each call of a function that does next to nothing is made, and made where it stands */

NTMM_PAGEABLE_CODE static int tiny(int x) { return x + one; }

typedef struct driver {
    void *library;
    ULONG (*count_up)(ULONG by);
    volatile ULONG *count;
} driver_t;

static driver_t load(const char *path)
{
    driver_t driver = { .library = dlopen(path, RTLD_NOW | RTLD_LOCAL) };
    if (driver.library == NULL)
        fail_msg("%s", dlerror());
    driver.count_up = (ULONG(*)(ULONG))(uintptr_t)dlsym(driver.library, "CountUp");
    driver.count = dlsym(driver.library, "Count");
    return driver;
}

static uint64_t hard_faults(void)
{
    ntmm_fault_counts counts;
    ntmm_query_faults(&counts);
    return counts.hard;
}

static void call_at_dispatch(const driver_t *driver)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    sink = tiny(1);
    if (driver != NULL)
        sink = (int)driver->count_up(1);
    KeLowerIrql(irql);
}

static void a_section_that_shares_a_page_is_told_and_stays(void **state)
{
    (void)state;
    assert_non_null(strstr(ntmm_error(), "section PAGE of"));
    assert_non_null(strstr(ntmm_error(), "shares a page with"));
    ntmm_page_out();
    uint64_t before = hard_faults();
    assert_int_equal(tiny(1), 2);
    call_at_dispatch(NULL);
    assert_int_equal(hard_faults(), before);
    PVOID handle = MmLockPagableCodeSection((PVOID)(uintptr_t)tiny);
    MmUnlockPagableImageSection(handle);
    assert_bugcheck(MEMORY_MANAGEMENT, 0x1010, MmUnlockPagableImageSection(handle));
}

static void two_drivers_have_pages_of_their_own(void **state)
{
    (void)state;
    driver_t one = load(DRIVER_ONE), other = load(DRIVER_OTHER);
    assert_ptr_not_equal(one.count, other.count);
    assert_true(ntmm_page_out() >= 4); /* loaded after the boot, and found nevertheless */
    uint64_t before = hard_faults();
    assert_int_equal(one.count_up(1), 101);
    assert_int_equal(hard_faults(), before + 2);
    assert_int_equal(other.count_up(2), 102);
    assert_int_equal(hard_faults(), before + 4);
    PVOID lock = MmLockPagableCodeSection((PVOID)(uintptr_t)one.count_up), data = MmLockPagableDataSection((PVOID)(uintptr_t)one.count);
    assert_ptr_not_equal(MmPageEntireDriver((PVOID)(uintptr_t)one.count_up), MmPageEntireDriver((PVOID)(uintptr_t)other.count_up));
    MmResetDriverPaging((PVOID)(uintptr_t)one.count_up); /* what is no PAGE section of them stays */
    MmResetDriverPaging((PVOID)(uintptr_t)other.count_up);
    ntmm_page_out();
    call_at_dispatch(&one);
    assert_int_equal(*one.count, 102);
    MmUnlockPagableImageSection(lock);
    MmUnlockPagableImageSection(data);
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)other.count_up, call_at_dispatch(&other));
    dlclose(one.library);
    dlclose(other.library);
}

/* Most likely at the same addresses as before. */
static void a_driver_that_is_loaded_again_begins_afresh(void **state)
{
    (void)state;
    for (ULONG round = 1; round < 5; round++) {
        driver_t driver = load(DRIVER_ONE);
        assert_int_equal(*driver.count, 100);
        if (round % 2 == 0)
            ntmm_page_out();
        assert_int_equal(driver.count_up(round), 100 + round);
        if (round > 2)
            ntmm_page_out();
        assert_int_equal(driver.count_up(round), 100 + 2 * round);
        ntmm_trim_pageable();
        dlclose(driver.library);
    }
    assert_true(ntmm_check());
}

static void a_driver_outlives_the_machine(void **state)
{
    (void)state;
    driver_t driver = load(DRIVER_OTHER);
    ntmm_page_out();
    driver.count_up(5);
    ntmm_page_out();
    ntmm_shutdown(NULL);
    assert_int_equal(*driver.count, 105); /* no machine, no faults */
    assert_int_equal(driver.count_up(1), 106);
    assert_int_equal(ntmm_boot(NULL), 0);
    ntmm_page_out();
    assert_int_equal(driver.count_up(1), 107);
    dlclose(driver.library);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_section_that_shares_a_page_is_told_and_stays),
        ntmm_cmocka_test(two_drivers_have_pages_of_their_own),
        ntmm_cmocka_test(a_driver_that_is_loaded_again_begins_afresh),
        ntmm_cmocka_test(a_driver_outlives_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
