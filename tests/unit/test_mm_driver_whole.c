/*
 * test_mm_driver_whole.c - MmPageEntireDriver and MmResetDriverPaging: a driver in a library of its own goes with code, constants and data, and
 * comes back; a touch at DISPATCH_LEVEL is 0xD3. What is not the driver's stays.
 */
#include <ntmm/cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../support/sanitizer.h"

typedef struct driver {
    void *library;
    ULONG (*count_up)(ULONG by);
    ULONG (*count_paged)(ULONG by);
    ULONG (*of_thread)(void);
    ULONG (*attempt)(volatile UCHAR *at);
    PVOID (*page_me)(void);
    void (*reset_me)(void);
    PKSERVICE_ROUTINE     serve;
    DRIVER_INITIALIZE    *entry;
    volatile ULONG       *count, **farewell;
    volatile UCHAR       *large, *zeros;
    const volatile UCHAR *table;
} driver_t;

static driver_t driver;

static void *symbol(const char *name)
{
    void *at = dlsym(driver.library, name);
    assert_non_null(at);
    return at;
}

static void load(void)
{
    driver.library = dlopen(WHOLE_DRIVER, RTLD_NOW | RTLD_LOCAL);
    if (driver.library == NULL)
        fail_msg("%s", dlerror());
    driver.count_up = (ULONG(*)(ULONG))(uintptr_t)symbol("CountUp");
    driver.count_paged = (ULONG(*)(ULONG))(uintptr_t)symbol("CountPaged");
    driver.of_thread = (ULONG(*)(void))(uintptr_t)symbol("OfThread");
    driver.attempt = (ULONG(*)(volatile UCHAR *))(uintptr_t)symbol("Try");
    driver.page_me = (PVOID(*)(void))(uintptr_t)symbol("PageMe");
    driver.reset_me = (void (*)(void))(uintptr_t)symbol("ResetMe");
    driver.serve = (PKSERVICE_ROUTINE)(uintptr_t)symbol("Serve");
    driver.entry = (DRIVER_INITIALIZE *)(uintptr_t)symbol(WHOLE_ENTRY);
    driver.count = symbol("Count");
    driver.farewell = symbol("Farewell");
    driver.large = symbol("Large");
    driver.zeros = symbol("Zeros");
    driver.table = symbol("Table");
}

static int boot(void **state)
{
    int status = ntmm_cmocka_setup(state);
    load();
    return status;
}

static int end(void **state)
{
    if (driver.library != NULL)
        dlclose(driver.library);
    driver.library = NULL;
    return ntmm_cmocka_teardown(state);
}

static uint64_t hard_faults(void)
{
    ntmm_fault_counts counts;
    ntmm_query_faults(&counts);
    return counts.hard;
}

static void at_dispatch(void (*run)(void))
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    run();
    KeLowerIrql(irql);
}
static void call(void) { driver.count_up(1); }
static void read_data(void) { (void)*driver.count; }
static void write_large(void) { driver.large[2 * PAGE_SIZE] = 9; }
static void read_zeros(void) { (void)driver.zeros[2 * PAGE_SIZE]; }
static void read_table(void) { (void)driver.table[3 * PAGE_SIZE]; }

/* ---- out and in ---- */

static void everything_stays_until_the_driver_says_otherwise(void **state)
{
    (void)state;
    ntmm_page_out();
    uint64_t before = hard_faults();
    at_dispatch(call);
    at_dispatch(write_large);
    at_dispatch(read_zeros);
    at_dispatch(read_table);
    assert_int_equal(hard_faults(), before);
}

static void all_of_it_goes_and_comes(void **state)
{
    (void)state;
    size_t   few = ntmm_page_out();
    PVOID    base = driver.page_me();
    Dl_info  where;
    uint64_t before;
    assert_true(dladdr((void *)(uintptr_t)driver.count_up, &where) != 0);
    assert_ptr_equal(base, where.dli_fbase);
    *driver.count = 40;
    driver.zeros[2 * PAGE_SIZE] = 3;
    driver.large[2 * PAGE_SIZE] = 4;
    assert_true(ntmm_page_out() >= few + 10); /* three pages each of data, zeros and constants, and code */
    before = hard_faults();
    assert_int_equal(driver.count_up(2), 42);
    assert_true(hard_faults() >= before + 2); /* code and data */
    before = hard_faults();
    assert_int_equal(driver.zeros[2 * PAGE_SIZE], 3);
    assert_int_equal(driver.large[2 * PAGE_SIZE], 4);
    assert_int_equal(driver.table[3 * PAGE_SIZE], 7);
    assert_int_equal(hard_faults(), before + 3);
    assert_int_equal(driver.count_paged(1), 2);
    assert_ptr_equal(driver.page_me(), base); /* once more: no effect */
    ntmm_trim_pageable();
    assert_int_equal(driver.count_up(1), 43);
    assert_true(ntmm_check());
}

static void a_touch_at_dispatch_level_stops(void **state)
{
    (void)state;
    static const struct {
        void (*run)(void);
        ULONG_PTR write;
    } touches[] = { { call, 0 }, { read_data, 0 }, { write_large, 1 }, { read_zeros, 0 }, { read_table, 0 } };
    for (size_t i = 0; i < sizeof touches / sizeof touches[0]; i++) {
        const volatile void *at[] = { (void *)(uintptr_t)driver.count_up, driver.count, driver.large + 2 * PAGE_SIZE,
                                      driver.zeros + 2 * PAGE_SIZE, driver.table + 3 * PAGE_SIZE };
        driver.page_me();
        ntmm_page_out();
        assert_true(
            ntmm_catch_bugcheck((void (*)(void *))(void (*)(void))at_dispatch, (void *)(uintptr_t)touches[i].run, &ntmm_cmocka_caught));
        assert_int_equal(ntmm_cmocka_caught.code, DRIVER_PORTION_MUST_BE_NONPAGED);
        assert_int_equal(ntmm_cmocka_caught.parameter[0], (uintptr_t)at[i]);
        assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
        assert_int_equal(ntmm_cmocka_caught.parameter[2], touches[i].write);
        ntmm_cmocka_reboot();
    }
    at_dispatch(call); /* a new machine: resident again */
}

static void reset_brings_it_in_for_good(void **state)
{
    (void)state;
    driver.reset_me(); /* nothing to undo */
    for (int round = 1; round < 4; round++) {
        driver.page_me();
        ntmm_page_out();
        driver.reset_me();
        uint64_t before = hard_faults();
        ntmm_page_out();
        at_dispatch(call);
        at_dispatch(write_large);
        at_dispatch(read_zeros);
        at_dispatch(read_table);
        assert_int_equal(hard_faults(), before);
        assert_int_equal(*driver.count, 100 + round);
    }
    ntmm_page_out();
    uint64_t before = hard_faults();
    driver.count_paged(1); /* a PAGE section is one still: code and data */
    assert_int_equal(hard_faults(), before + 2);
}

static void locks_hold_the_sections_that_they_name(void **state)
{
    (void)state;
    driver.page_me();
    PVOID code = MmLockPagableCodeSection((PVOID)(uintptr_t)driver.count_up);
    PVOID data = MmLockPagableDataSection((PVOID)(uintptr_t)driver.count);
    ntmm_page_out();
    at_dispatch(call);
    MmUnlockPagableImageSection(data);
    MmLockPagableSectionByHandle(code);
    MmUnlockPagableImageSection(code);
    driver.reset_me();
    driver.page_me();
    ntmm_page_out();
    assert_bugcheck_code(DRIVER_PORTION_MUST_BE_NONPAGED, at_dispatch(call));
    assert_true(PAGE_ALIGN(ntmm_cmocka_caught.parameter[0]) != PAGE_ALIGN((uintptr_t)driver.count_up)); /* its code was there */
}

static void what_is_locked_before_stays(void **state)
{
    (void)state;
    PVOID rest = MmLockPagableCodeSection((PVOID)(uintptr_t)driver.count_up);
    assert_non_null(driver.page_me());
    assert_non_null(strstr(ntmm_error(), "is locked"));
    ntmm_page_out();
    at_dispatch(call);
    MmUnlockPagableImageSection(rest);
    driver.page_me();
    ntmm_page_out();
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)driver.count_up, at_dispatch(call));
}

/* ---- what is not the driver's ---- */

static volatile int here = 1;
static int          program(int x) { return x + here; }

static void the_program_and_other_libraries_stay(void **state)
{
    (void)state;
    size_t pages = ntmm_page_out();
    assert_non_null(MmPageEntireDriver((PVOID)(uintptr_t)program));
    assert_non_null(MmPageEntireDriver((PVOID)(uintptr_t)dlsym(RTLD_DEFAULT, "ExFreePool"))); /* ntmm */
    assert_non_null(MmPageEntireDriver((PVOID)(uintptr_t)dlsym(RTLD_DEFAULT, "getenv")));     /* the C library */
    assert_null(MmPageEntireDriver(&pages));
    MmResetDriverPaging(&pages);
    assert_true(ntmm_page_out() <= pages);
    assert_int_equal(program(1), 2);
}

static void *ask_thread(void *result)
{
    *(ULONG *)result = driver.of_thread();
    return NULL;
}

static void threads_exceptions_and_symbols_work_meanwhile(void **state)
{
    (void)state;
    pthread_t thread;
    ULONG     own = 0;
    driver.page_me();
    ntmm_page_out();
    assert_int_equal(pthread_create(&thread, NULL, ask_thread, &own), 0); /* has variables of its own, from a page of the driver's */
    pthread_join(thread, NULL);
    assert_int_equal(own, 6);
    ntmm_page_out();
    assert_int_equal(driver.attempt((volatile UCHAR *)16), (ULONG)STATUS_ACCESS_VIOLATION);
    ntmm_page_out();
    assert_int_equal(driver.attempt(driver.zeros), 0);
    ntmm_page_out();
    assert_ptr_equal(symbol("Count"), driver.count);
}

/* ---- coming and going ---- */

static void unloaded_while_out(void **state)
{
    (void)state;
    static volatile ULONG farewell;
    for (ULONG round = 1; round < 4; round++) {
        farewell = 0;
        *driver.farewell = &farewell;
        driver.page_me();
        driver.count_up(round);
        ntmm_page_out();
        dlclose(driver.library); /* its destructor is paged in */
        assert_int_equal(farewell, 100 + round);
        load();
        assert_int_equal(*driver.count, 100);
        ntmm_page_out();
        at_dispatch(call); /* loaded afresh: resident */
        assert_int_equal(*driver.count, 101);
        dlclose(driver.library);
        ntmm_page_out();
        load();
    }
    assert_true(ntmm_check());
}

static void the_machine_ends_first(void **state)
{
    (void)state;
    driver.page_me();
    driver.count_up(5);
    ntmm_page_out();
    ntmm_shutdown(NULL);
    assert_int_equal(driver.count_up(1), 106);
    assert_int_equal(driver.table[3 * PAGE_SIZE], 7);
    assert_int_equal(ntmm_boot(NULL), 0);
    ntmm_page_out();
    at_dispatch(call);
    assert_int_equal(*driver.count, 107);
}

static void a_driver_that_is_unloaded_is_as_linked(void **state)
{
    (void)state;
    PDRIVER_OBJECT object = ntmm_driver_load(driver.entry); /* pages itself */
    assert_non_null(object);
    ntmm_page_out();
    uint64_t before = hard_faults();
    driver.count_up(1);
    assert_true(hard_faults() > before);
    ntmm_page_out();
    assert_int_equal(ntmm_driver_unload(object), 0);
    ntmm_page_out();
    at_dispatch(call);
}

/* What another library or the program has put where a driver was is not touched. */
static void addresses_of_an_unloaded_driver_are_somebody_elses(void **state)
{
    (void)state;
    uintptr_t page = (uintptr_t)driver.large / PAGE_SIZE * PAGE_SIZE + 2 * PAGE_SIZE;
    driver.page_me();
    ntmm_page_out();
    dlclose(driver.library);
    driver.library = NULL;
    void *other = mmap((void *)page, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (other != (void *)page)
        skip();
    memset(other, 0x5A, PAGE_SIZE);
    ntmm_shutdown(NULL);
    for (size_t i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(((unsigned char *)other)[i], 0x5A);
    munmap(other, PAGE_SIZE);
}

static void a_protected_section_of_an_unloaded_driver_is_forgotten(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(MmProtectDriverSection(symbol("Alone"), 0, 0), STATUS_SUCCESS);
        assert_int_equal(MmProtectDriverSection(symbol("Alone"), 0, 0), STATUS_ALREADY_COMMITTED);
        driver.page_me();
        ntmm_page_out();
        assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, (uintptr_t)symbol("Alone"), driver.attempt(symbol("Alone")));
        ntmm_cmocka_reboot();
        assert_int_equal(driver.attempt(symbol("Alone")), 0);
        assert_int_equal(MmProtectDriverSection(symbol("Alone"), 0, 0), STATUS_SUCCESS);
        dlclose(driver.library);
        driver.library = NULL;
        ntmm_page_out();
        load();
    }
}

/* ---- interrupts, I/O, other threads ---- */

static void an_interrupt_finds_its_routine_out(void **state)
{
    (void)state;
    PKINTERRUPT interrupt;
    assert_int_equal(IoConnectInterrupt(&interrupt, driver.serve, NULL, NULL, 0x40, 5, 5, Latched, FALSE, 1, FALSE), STATUS_SUCCESS);
    driver.page_me();
    assert_non_null(strstr(ntmm_error(), "interrupt"));
    ntmm_page_out();
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)driver.serve, ntmm_fire_interrupt(interrupt));
}

static void MDLs_over_its_data(void **state)
{
    (void)state;
    PVOID buffer = (PVOID)(uintptr_t)(driver.large + PAGE_SIZE);
    PMDL  mdl = IoAllocateMdl(buffer, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    KIRQL irql;
    driver.page_me();
    ntmm_page_out();
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    ntmm_page_out();
    at_dispatch(write_large);
    MmUnlockPages(mdl);
    driver.reset_me();
    ntmm_page_out();
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess); /* resident memory may be locked here */
    MmUnlockPages(mdl);
    KeLowerIrql(irql);
    assert_int_equal(driver.large[2 * PAGE_SIZE], 9);
    IoFreeMdl(mdl);
}

enum { WRITERS = 2, ROUNDS = 60 };
static _Atomic bool done;
static _Atomic int  wrong;

static void *write_on(void *argument)
{
    volatile UCHAR *own = driver.large + ((uintptr_t)argument + 1) * PAGE_SIZE, expected = own[7];
    while (!atomic_load(&done)) {
        if (own[7] != expected || driver.attempt(own + 8) != 0)
            atomic_fetch_add(&wrong, 1);
        own[7] = expected = (UCHAR)(expected + 1);
    }
    return NULL;
}

static void threads_use_it_while_it_comes_and_goes(void **state)
{
    (void)state;
    pthread_t thread[WRITERS];
    atomic_store(&done, false);
    atomic_store(&wrong, 0);
#if WATCHED_BY_TSAN
    driver.page_me(); /* it takes the mapping of new pages for a write to them, and does not know that writers wait for it */
#endif
    for (uintptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_on, (void *)i), 0);
    for (int round = 0; round < ROUNDS; round++) {
        driver.page_me();
        (void)(round % 3 == 0 ? ntmm_page_out() : ntmm_trim_pageable());
        if (round % 4 == 3)
            driver.reset_me();
    }
    atomic_store(&done, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(wrong, 0);
    assert_true(ntmm_check());
}

static const ntmm_config little = { .quiet = true, .physical_memory = 256 * (uint64_t)PAGE_SIZE };
static void              short_memory_puts_it_out(void **state)
{
    enum { PAGES = 384 };
    volatile UCHAR *pool = ExAllocatePool2(POOL_FLAG_PAGED, (SIZE_T)PAGES * PAGE_SIZE, NTMM_TAG("Whol"));
    (void)state;
    assert_non_null((PVOID)(uintptr_t)pool);
    driver.page_me();
    driver.count_up(1);
    at_dispatch(call); /* it is there */
    for (size_t i = 0; i < 2 * PAGES; i++)
        pool[i % PAGES * PAGE_SIZE]++;
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)driver.count_up, at_dispatch(call));
}

static const ntmm_config forced = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL };
static void              a_raise_puts_it_out(void **state)
{
    (void)state;
    driver.page_me();
    driver.count_up(1);
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)driver.count_up, at_dispatch(call));
}

#define whole_test(test) cmocka_unit_test_setup_teardown(test, boot, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        whole_test(everything_stays_until_the_driver_says_otherwise),
        whole_test(all_of_it_goes_and_comes),
        whole_test(a_touch_at_dispatch_level_stops),
        whole_test(reset_brings_it_in_for_good),
        whole_test(locks_hold_the_sections_that_they_name),
        whole_test(what_is_locked_before_stays),
        whole_test(the_program_and_other_libraries_stay),
        whole_test(threads_exceptions_and_symbols_work_meanwhile),
        whole_test(unloaded_while_out),
        whole_test(the_machine_ends_first),
        whole_test(a_driver_that_is_unloaded_is_as_linked),
        whole_test(addresses_of_an_unloaded_driver_are_somebody_elses),
        whole_test(a_protected_section_of_an_unloaded_driver_is_forgotten),
        whole_test(an_interrupt_finds_its_routine_out),
        whole_test(MDLs_over_its_data),
        whole_test(threads_use_it_while_it_comes_and_goes),
        { "short_memory_puts_it_out", short_memory_puts_it_out, boot, end, (void *)(uintptr_t)&little },
        { "a_raise_puts_it_out", a_raise_puts_it_out, boot, end, (void *)(uintptr_t)&forced },
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
