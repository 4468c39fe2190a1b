/*
 * test_mm_driver_sections.c - pageable sections of drivers: one tiny function and a few variables, linked with the options that every user of
 * ntmm gets. What a touch costs, at which IRQL it stops the machine, what a lock keeps.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/levels.h"

/* ---- the driver ---- */

static volatile int one = 1, sink; /* so that each call of a function that does next to nothing is made, and made where it stands */

NTMM_PAGEABLE_CODE static int tiny(int x) { return x + one; }
NTMM_PAGEABLE_CODE static int careful(int x)
{
    PAGED_CODE();
    return x + 2 * one;
}
__attribute__((noinline, used, section("PAGELK"))) static int lockable(int x)
{
    PAGED_CODE_LOCKED();
    return x + 3;
}
NTMM_PAGEABLE_DATA static volatile int                              initialised = 7;
NTMM_PAGEABLE_DATA static volatile char                             large[3 * PAGE_SIZE];
NTMM_PAGEABLE_DATA static volatile int                              zero;
__attribute__((noinline, used, section("PAGEVIDEO1"))) static int   video(int x) { return x + 4; }
__attribute__((noinline, used, section("PAGEVIDEO2"))) static int   more_video(int x) { return x + 5; }
__attribute__((used, section("PAGECNST"))) static const int         constant = 9;
__attribute__((used, section("sharing_one"))) static volatile int   neighbour = 1;
__attribute__((used, section("sharing_other"))) static volatile int other_neighbour = 2;
static const volatile int                                          *constant_at = &constant;

static ntmm_fault_counts before;
static void              faults_begin(void) { ntmm_query_faults(&before); }
static void              faults_were(uint64_t soft, uint64_t hard)
{
    ntmm_fault_counts after;
    ntmm_query_faults(&after);
    assert_int_equal(after.soft - before.soft, soft);
    assert_int_equal(after.hard - before.hard, hard);
    before = after;
}

/* ---- pages ---- */

static void nothing_is_wrong_after_the_boot(void **state)
{
    (void)state;
    assert_null(strstr(ntmm_error(), "section"));
    faults_begin();
    assert_int_equal(tiny(1), 2);
    faults_were(0, 0);
}

static void trimmed_code_is_a_soft_fault_away(void **state)
{
    (void)state;
    assert_true(ntmm_trim_pageable() >= 5);
    faults_begin();
    assert_int_equal(tiny(1), 2);
    faults_were(1, 0);
    assert_int_equal(careful(1), 3);
    faults_were(0, 0);
    assert_true(ntmm_check());
}

static void code_that_is_out_is_a_hard_fault_away(void **state)
{
    (void)state;
    assert_true(ntmm_page_out() >= 5);
    faults_begin();
    assert_int_equal(tiny(1), 2);
    faults_were(0, 1);
    assert_int_equal(tiny(2), 3);
    faults_were(0, 0);
    assert_true(ntmm_check());
}

static void data_keep_their_bytes(void **state)
{
    (void)state;
    assert_int_equal(initialised, 7);
    assert_int_equal(zero, 0);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7);
    initialised = 8;
    for (unsigned round = 0; round < 3; round++) {
        assert_true(ntmm_page_out() >= 4);
        faults_begin();
        assert_int_equal(initialised, 8 + round);
        for (size_t i = 0; i < sizeof large; i++)
            assert_int_equal(large[i], (char)(i * 7));
        ntmm_fault_counts after;
        ntmm_query_faults(&after);
        assert_in_range(after.hard - before.hard, 4, 5);
        initialised++; /* read first: the page is clean, and becomes dirty */
        zero += 10;
    }
    assert_int_equal(zero, 30);
    ntmm_trim_pageable();
    faults_begin();
    assert_int_equal(initialised, 11);
    faults_were(1, 0);
    initialised = 7;
    zero = 0;
}

/* A page of data that is out is nowhere but in the page file. */
static void data_outlive_the_machine(void **state)
{
    (void)state;
    large[5] = 77;
    ntmm_page_out();
    ntmm_cmocka_reboot();
    assert_int_equal(large[5], 77);
    ntmm_page_out();
    ntmm_cmocka_reboot();
    faults_begin();
    assert_int_equal(large[5], 77);
    faults_were(0, 0);
}

static void read_only_data_come_back_and_stay_read_only(void **state)
{
    (void)state;
    ntmm_page_out();
    faults_begin();
    assert_int_equal(*constant_at, 9);
    faults_were(0, 1);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, (uintptr_t)&constant, *(volatile int *)(uintptr_t)&constant = 1);
}

static void MmCopyMemory_fetches_a_page(void **state)
{
    (void)state;
    int             copy = 0;
    SIZE_T          copied;
    MM_COPY_ADDRESS from = { .VirtualAddress = (PVOID)(uintptr_t)&initialised };
    ntmm_page_out();
    assert_false(MmIsAddressValid((PVOID)(uintptr_t)&initialised));
    assert_int_equal(MmCopyMemory(&copy, from, sizeof copy, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    assert_int_equal(copy, 7);
    assert_true(MmIsAddressValid((PVOID)(uintptr_t)&initialised));
}

/* What no PAGE section holds: a constant string, and code. Neither can be written, and no __try helps. ThreadSanitizer would write of such a write
 * in its own notes first, which cannot be written there either. */
__attribute__((no_sanitize("thread"), noinline)) static void write_to(volatile char *address) { *address = 1; }

static void write_in_a_try(volatile char *address)
{
    __try {
        write_to(address);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
    }
}
static void constants_and_code_cannot_be_written(void **state)
{
    static const char text[] = "a constant";
    (void)state;
    char *const read_only[] = { (char *)(uintptr_t)text, (char *)(uintptr_t) "another", (char *)(uintptr_t)write_in_a_try,
                                (char *)(uintptr_t)tiny };
    for (volatile unsigned i = 0; i < sizeof read_only / sizeof read_only[0]; i++) {
        assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, read_only[i], write_to(read_only[i]));
        ntmm_cmocka_reboot();
        assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, read_only[i], write_in_a_try(read_only[i]));
        assert_int_equal(ntmm_cmocka_caught.parameter[1] & 3, 1); /* its PTE: valid, and not writable */
        assert_true(ntmm_cmocka_caught.parameter[2] == 0 && ntmm_cmocka_caught.parameter[3] == 0);
        ntmm_cmocka_reboot();
    }
}

/* ---- at DISPATCH_LEVEL ---- */

static void call_at_dispatch(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    sink = tiny(1);
    KeLowerIrql(irql);
}

static void a_call_at_dispatch_level_stops_at_the_first_instruction(void **state)
{
    (void)state;
    call_at_dispatch(); /* it is there: good luck, as on Windows */
    ntmm_page_out();
    assert_bugcheck_all(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)tiny, DISPATCH_LEVEL, 0, (uintptr_t)tiny, call_at_dispatch());
    assert_non_null(strstr(ntmm_stop_report(), "pageable section PAGE"));
}

static void a_trimmed_page_stops_it_too(void **state)
{
    (void)state;
    ntmm_trim_pageable();
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)tiny, call_at_dispatch());
    assert_int_equal(tiny(1), 2); /* a halted machine may be looked at */
}

static void write_at_dispatch(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    initialised = 5;
    KeLowerIrql(irql);
}

static void a_write_at_dispatch_level_says_so(void **state)
{
    (void)state;
    ntmm_page_out();
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)&initialised, write_at_dispatch());
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 1);
}

static void read_only_to_write(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    sink = careful(1);
    KeLowerIrql(irql);
}

static void PAGED_CODE_asserts_the_irql(void **state)
{
    (void)state;
    assert_int_equal(careful(1), 3);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ASSERTION_FAILURE, read_only_to_write());
}

/* ---- locks ---- */

static void a_locked_section_stays(void **state)
{
    (void)state;
    ntmm_page_out();
    faults_begin();
    PVOID code = MmLockPagableCodeSection((PVOID)(uintptr_t)careful);
    PVOID data = MmLockPagableDataSection((PVOID)(uintptr_t)&zero);
    assert_non_null(code);
    assert_non_null(data);
    assert_ptr_not_equal(code, data);
    faults_were(0, 0); /* a lock is no fault */
    ntmm_page_out();
    call_at_dispatch();
    write_at_dispatch();
    initialised = 7;
    assert_true(ntmm_trim_pageable() == 0 || MmIsAddressValid((PVOID)(uintptr_t)tiny));
    MmLockPagableSectionByHandle(code);
    MmUnlockPagableImageSection(code);
    ntmm_page_out();
    faults_were(0, 0);
    call_at_dispatch();
    faults_were(0, 0);
    MmUnlockPagableImageSection(code);
    MmUnlockPagableImageSection(data);
    ntmm_page_out();
    sink = tiny(1);
    faults_were(0, 1);
    MmLockPagableSectionByHandle(code); /* the handle is good for ever */
    ntmm_page_out();
    call_at_dispatch();
    MmUnlockPagableImageSection(code);
}

static void groups_are_locked_apart(void **state)
{
    (void)state;
    PVOID page = MmLockPagableCodeSection((PVOID)(uintptr_t)tiny), lock = MmLockPagableCodeSection((PVOID)(uintptr_t)lockable);
    PVOID video1 = MmLockPagableCodeSection((PVOID)(uintptr_t)video), video2 = MmLockPagableCodeSection((PVOID)(uintptr_t)more_video);
    assert_ptr_not_equal(page, lock);
    assert_ptr_not_equal(page, video1);
    assert_ptr_not_equal(video1, video2); /* the eight characters that Windows has room for are the same */
    assert_int_equal(lockable(1), 4);
    MmUnlockPagableImageSection(page);
    MmUnlockPagableImageSection(lock);
    MmUnlockPagableImageSection(video1);
    MmUnlockPagableImageSection(video2);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1010, video2, 0, 0, MmUnlockPagableImageSection(video2));
}

static void PAGED_CODE_LOCKED_asserts_the_lock(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ASSERTION_FAILURE, lockable(1));
}

static void resident_code_may_be_locked_as_well(void **state)
{
    (void)state;
    PVOID handle = MmLockPagableCodeSection((PVOID)(uintptr_t)call_at_dispatch);
    assert_non_null(handle);
    MmUnlockPagableImageSection(handle);
    assert_bugcheck(MEMORY_MANAGEMENT, 0x1010, MmUnlockPagableImageSection(handle));
}

static void mistakes_with_locks(void **state)
{
    (void)state;
    int on_the_stack = 0;
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1234, &on_the_stack, 0, 0, MmLockPagableCodeSection(&on_the_stack));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1234, 0, 0, 0, MmLockPagableDataSection(NULL));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1234, &on_the_stack, 0, 0, MmLockPagableSectionByHandle(&on_the_stack));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1010, &on_the_stack, 0, 0, MmUnlockPagableImageSection(&on_the_stack));
    ntmm_cmocka_reboot();
    PVOID handle = MmLockPagableCodeSection((PVOID)(uintptr_t)tiny);
    MmUnlockPagableImageSection(handle);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1010, handle, 0, 0, MmUnlockPagableImageSection(handle));
}

static PVOID handle_of_tiny;
static void  lock_tiny(void) { handle_of_tiny = MmLockPagableCodeSection((PVOID)(uintptr_t)tiny); }
LEVEL(MmLockPagableCodeSection, APC_LEVEL, MmLockPagableCodeSection((PVOID)(uintptr_t)tiny))
LEVEL(MmLockPagableDataSection, APC_LEVEL, MmLockPagableDataSection((PVOID)(uintptr_t)&zero))
LEVEL(MmLockPagableSectionByHandle, APC_LEVEL, MmLockPagableSectionByHandle(handle_of_tiny))
LEVEL(MmUnlockPagableImageSection, APC_LEVEL, MmUnlockPagableImageSection(handle_of_tiny))
LEVEL(MmPageEntireDriver, APC_LEVEL, MmPageEntireDriver((PVOID)(uintptr_t)tiny))
LEVEL(MmResetDriverPaging, APC_LEVEL, MmResetDriverPaging((PVOID)(uintptr_t)tiny))
LEVEL(MmProtectDriverSection, APC_LEVEL, MmProtectDriverSection((PVOID)(uintptr_t)&zero, 0, 0))

static void locking_needs_apc_level(void **state)
{
    static const struct level_case cases[] = {
        LEVEL_ROW(MmLockPagableCodeSection),    LEVEL_ROW(MmLockPagableDataSection), LEVEL_ROW(MmLockPagableSectionByHandle),
        LEVEL_ROW(MmUnlockPagableImageSection), LEVEL_ROW(MmPageEntireDriver),       LEVEL_ROW(MmResetDriverPaging),
        LEVEL_ROW(MmProtectDriverSection),
    };
    KIRQL old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old); /* where all of that is allowed */
    lock_tiny();
    MmLockPagableSectionByHandle(handle_of_tiny);
    MmUnlockPagableImageSection(handle_of_tiny);
    MmUnlockPagableImageSection(handle_of_tiny);
    MmResetDriverPaging(MmPageEntireDriver((PVOID)(uintptr_t)tiny));
    KeLowerIrql(old);
    assert_levels(cases, sizeof cases / sizeof cases[0], lock_tiny);
}

static void a_driver_as_a_whole(void **state)
{
    (void)state;
    PVOID base = MmPageEntireDriver((PVOID)(uintptr_t)tiny);
    assert_non_null(base);
    assert_ptr_equal(base, MmPageEntireDriver((PVOID)(uintptr_t)&initialised));
    MmResetDriverPaging((PVOID)(uintptr_t)tiny);
    assert_null(MmPageEntireDriver(&base));
}

/* ---- I/O ---- */

static void pages_that_an_MDL_locks_stay(void **state)
{
    (void)state;
    PVOID buffer = (PVOID)(uintptr_t)large;
    PMDL  mdl = IoAllocateMdl(buffer, sizeof large, FALSE, FALSE, NULL);
    large[7] = 3;
    ntmm_page_out();
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    ntmm_page_out();
    faults_begin();
    volatile char *mapped = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_non_null((PVOID)(uintptr_t)mapped);
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    assert_int_equal(mapped[7], 3);
    mapped[7] = 4;
    large[2 * PAGE_SIZE] = 5;
    KeLowerIrql(irql);
    faults_were(0, 0);
    MmUnlockPages(mdl);
    ntmm_page_out();
    assert_int_equal(large[7], 4);
    faults_were(0, 1);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    assert_true(ntmm_check());
}

/* Locked for writing, a page may be written by anybody, the host's kernel included, without a fault; and is dirty. */
static void pages_that_are_locked_for_writing_are_open(void **state)
{
    (void)state;
    int   ends[2];
    PVOID buffer = (PVOID)(uintptr_t)large;
    PMDL  mdl = IoAllocateMdl(buffer, sizeof large, FALSE, FALSE, NULL);
    assert_int_equal(pipe(ends), 0);
    ntmm_page_out();
    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    assert_int_equal(write(ends[1], "news", 4), 4);
    assert_int_equal(read(ends[0], (char *)(uintptr_t)large + PAGE_SIZE, 4), 4);
    MmUnlockPages(mdl);
    ntmm_page_out();
    assert_int_equal(large[PAGE_SIZE + 3], 's');
    ntmm_page_out(); /* what is out cannot be built for */
    assert_bugcheck(MEMORY_MANAGEMENT, 0x1240, MmBuildMdlForNonPagedPool(mdl));
    close(ends[0]);
    close(ends[1]);
}

/* ---- protected data ---- */

static void protected_data_can_be_read_only(void **state)
{
    (void)state;
    int   on_the_stack = 0;
    PVOID data = (PVOID)(uintptr_t)&initialised;
    assert_int_equal(MmProtectDriverSection(data, 4, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(MmProtectDriverSection(data, 0, 2), STATUS_INVALID_PARAMETER);
    assert_int_equal(MmProtectDriverSection((PVOID)(uintptr_t)tiny, 0, 0), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(MmProtectDriverSection((PVOID)(uintptr_t)&neighbour, 0, 0), STATUS_NOT_SUPPORTED); /* on a page of its neighbour */
    assert_int_equal(MmProtectDriverSection(data, 0, MM_PROTECT_DRIVER_SECTION_ALLOW_UNLOAD), STATUS_SUCCESS);
    assert_int_equal(MmProtectDriverSection(data, 0, 0), STATUS_ALREADY_COMMITTED);
    assert_int_equal(initialised, 7);
    ntmm_page_out();
    assert_int_equal(initialised, 7);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, (uintptr_t)data, initialised = 8);
    ntmm_cmocka_reboot();
    initialised = 8;
    initialised = 7;
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1100, &on_the_stack, 0, 0, MmProtectDriverSection(&on_the_stack, 0, 0));
}

/* ---- MM_BAD_POINTER ---- */

static void follow(void *address) { *(volatile char *)address = 1; }
static void follow_in_a_try(void *address)
{
    __try {
        follow(address);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
    }
}
static void follow_at_dispatch(void *address)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    follow(address);
}

static void nobody_follows_a_bad_pointer(void **state)
{
    (void)state;
    PVOID bad = MM_BAD_POINTER;
    assert_int_equal((uintptr_t)bad % PAGE_SIZE, 0);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, (uintptr_t)bad, follow(bad));
    ntmm_cmocka_reboot();
    assert_ptr_equal(bad, MM_BAD_POINTER);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, (uintptr_t)bad + PAGE_SIZE - 1, follow_in_a_try((char *)bad + PAGE_SIZE - 1));
    ntmm_cmocka_reboot();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)bad, follow_at_dispatch(bad));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 1);
}

/* ---- several at once ---- */

#define ROUNDS 300

static void *toucher(void *argument)
{
    volatile char *mine = argument;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(tiny(i), i + 1);
        *mine = (char)i;
        assert_int_equal(initialised, 7);
    }
    return NULL;
}

static void threads_and_pages(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, toucher, (void *)(uintptr_t)&large[2 * PAGE_SIZE + (unsigned)i]);
    for (int i = 0; i < ROUNDS / 2; i++) {
        ntmm_page_out();
        ntmm_trim_pageable();
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(large[2 * PAGE_SIZE], (char)(ROUNDS - 1));
    assert_int_equal(large[2 * PAGE_SIZE + 1], (char)(ROUNDS - 1));
}

static void a_child_has_data_of_its_own(void **state)
{
    (void)state;
    int status;
    large[0] = 1;
    zero = 5;
    ntmm_page_out();
    large[0] = 1;
    pid_t child = fork();
    if (child == 0) {
        bool good = zero == 5 && large[0] == 1 && tiny(1) == 2;
        zero = 6;
        large[0] = 2;
        _exit(good && zero == 6 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(zero, 5);
    assert_int_equal(large[0], 1);
    zero = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(nothing_is_wrong_after_the_boot),
        ntmm_cmocka_test(trimmed_code_is_a_soft_fault_away),
        ntmm_cmocka_test(code_that_is_out_is_a_hard_fault_away),
        ntmm_cmocka_test(data_keep_their_bytes),
        ntmm_cmocka_test(data_outlive_the_machine),
        ntmm_cmocka_test(read_only_data_come_back_and_stay_read_only),
        ntmm_cmocka_test(MmCopyMemory_fetches_a_page),
        ntmm_cmocka_test(constants_and_code_cannot_be_written),
        ntmm_cmocka_test(a_call_at_dispatch_level_stops_at_the_first_instruction),
        ntmm_cmocka_test(a_trimmed_page_stops_it_too),
        ntmm_cmocka_test(a_write_at_dispatch_level_says_so),
        ntmm_cmocka_test(PAGED_CODE_asserts_the_irql),
        ntmm_cmocka_test(a_locked_section_stays),
        ntmm_cmocka_test(groups_are_locked_apart),
        ntmm_cmocka_test(PAGED_CODE_LOCKED_asserts_the_lock),
        ntmm_cmocka_test(resident_code_may_be_locked_as_well),
        ntmm_cmocka_test(mistakes_with_locks),
        ntmm_cmocka_test(locking_needs_apc_level),
        ntmm_cmocka_test(a_driver_as_a_whole),
        ntmm_cmocka_test(pages_that_an_MDL_locks_stay),
        ntmm_cmocka_test(pages_that_are_locked_for_writing_are_open),
        ntmm_cmocka_test(protected_data_can_be_read_only),
        ntmm_cmocka_test(nobody_follows_a_bad_pointer),
        ntmm_cmocka_test(threads_and_pages),
        ntmm_cmocka_test(a_child_has_data_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
