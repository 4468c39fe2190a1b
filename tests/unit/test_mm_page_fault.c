/*
 * test_mm_page_fault.c - what a touched page of paged pool costs, which state it is in before and after, and what a touch that is not allowed
 * stops the machine with. Every test runs with both gates.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/paging.h"

#define TAG NTMM_TAG("PgFl")
#define LONG_RUN 40u /* pages: too long to be made resident at allocation */

static uint64_t        pte_of(const void *page) { return mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)page)]; }
static const mm_pfn_t *frame_of(const void *page) { return mm_pfn_entry(mm_pte_pfn(pte_of(page))); }
static bool            is_dirty(const void *page) { return mm_pte_is_valid(pte_of(page)) && (pte_of(page) & MM_PTE_DIRTY) != 0; }

static char *allocate(size_t pages)
{
    char *p = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, pages * PAGE_SIZE, TAG);
    assert_non_null(p);
    return p;
}

static ntmm_fault_counts before;
static void              faults_begin(void) { ntmm_query_faults(&before); }
static void              faults_were(uint64_t soft, uint64_t hard, uint64_t zero)
{
    ntmm_fault_counts after;
    ntmm_query_faults(&after);
    assert_int_equal(after.soft - before.soft, soft);
    assert_int_equal(after.hard - before.hard, hard);
    assert_int_equal(after.demand_zero - before.demand_zero, zero);
    before = after;
}

static char read_byte(const char *p) { return *(const volatile char *)p; }
static void write_byte(char *p, char byte) { *(volatile char *)p = byte; }

/* ---- states ---- */

static void a_long_run_is_demand_zero(void **state)
{
    (void)state;
    char *p = allocate(LONG_RUN);
    faults_begin();
    assert_int_equal(pte_of(p + 7 * PAGE_SIZE) & ~MM_PTE_STALE_SLOT, MM_PTE_READ_WRITE);
    assert_false(MmIsAddressValid(p + 7 * PAGE_SIZE));
    assert_int_equal(MmGetPhysicalAddress(p + 7 * PAGE_SIZE).QuadPart, 0);
    assert_int_equal(read_byte(p + 7 * PAGE_SIZE + 5), 0);
    faults_were(0, 0, 1);
    assert_true(is_dirty(p + 7 * PAGE_SIZE));
    assert_true(MmIsAddressValid(p + 7 * PAGE_SIZE));
    assert_int_not_equal(MmGetPhysicalAddress(p + 7 * PAGE_SIZE).QuadPart, 0);
    (void)read_byte(p + 7 * PAGE_SIZE);
    faults_were(0, 0, 0);
    assert_true(ntmm_check());
    ExFreePoolWithTag(p, TAG);
}

static void a_walk_through_zeros_faults_less_and_less(void **state)
{
    (void)state;
    char *p = allocate(LONG_RUN);
    faults_begin();
    for (size_t i = 0; i < LONG_RUN; i++)
        write_byte(p + i * PAGE_SIZE, 1);
    ntmm_fault_counts after;
    ntmm_query_faults(&after);
    assert_in_range(after.demand_zero - before.demand_zero, 5, 8); /* 1, 2, 4, 8, 16 pages */
    ExFreePoolWithTag(p, TAG);
}

static void a_short_run_is_there_at_once(void **state)
{
    (void)state;
    char *p = allocate(4);
    faults_begin();
    for (size_t i = 0; i < 4; i++)
        write_byte(p + i * PAGE_SIZE, 1);
    faults_were(0, 0, 0);
    ExFreePoolWithTag(p, TAG);
}

static void a_trimmed_page_is_a_soft_fault_away(void **state)
{
    (void)state;
    ntmm_memory_usage usage;
    char             *p = allocate(3);
    memset(p, 0x41, 3 * PAGE_SIZE);
    mm_pfn_number_t pfn = mm_pte_pfn(pte_of(p));
    size_t          trimmed = ntmm_trim_pageable();
    assert_true(trimmed >= 3);
    assert_true(mm_pte_is_transition(pte_of(p)));
    assert_int_equal(frame_of(p)->list, MM_MODIFIED);
    ntmm_query_memory(&usage);
    assert_int_equal(usage.modified, trimmed);
    assert_false(MmIsAddressValid(p));
    assert_true(ntmm_check()); /* the walk over the pool's pages touches some */
    faults_begin();
    assert_int_equal(read_byte(p), 0x41);
    faults_were(1, 0, 0);
    assert_int_equal(mm_pte_pfn(pte_of(p)), pfn);
    assert_true(is_dirty(p)); /* never written to the page file */
    assert_int_equal(ntmm_trim_pageable() > 0, 1);
    write_byte(p + PAGE_SIZE, 0x42);
    faults_were(1, 0, 0);
    ExFreePoolWithTag(p, TAG);
    ntmm_query_memory(&usage);
    assert_true(ntmm_check());
}

static void a_page_that_is_out_is_a_hard_fault_away(void **state)
{
    (void)state;
    ntmm_memory_usage usage;
    char             *p = allocate(1);
    memset(p, 0x51, PAGE_SIZE);
    size_t out = ntmm_page_out();
    assert_true(out >= 1);
    ntmm_query_memory(&usage);
    assert_int_equal(usage.standby + usage.modified, 0);
    assert_int_not_equal(mm_pte_file_slot(pte_of(p)), 0);
    faults_begin();
    assert_int_equal(read_byte(p + 100), 0x51);
    faults_were(0, 1, 0);
    assert_true(mm_pte_is_valid(pte_of(p)) && !is_dirty(p));
    assert_int_not_equal(frame_of(p)->mapped.file_slot, 0);
    ntmm_trim_pageable(); /* clean: to the standby list, without a write */
    assert_int_equal(frame_of(p)->list, MM_STANDBY);
    (void)read_byte(p);
    faults_were(1, 0, 0);
    assert_false(is_dirty(p));
    write_byte(p, 0x52); /* the copy in the page file is worth nothing now */
    faults_were(0, 0, 0);
    assert_true(is_dirty(p));
    assert_int_equal(frame_of(p)->mapped.file_slot, 0);
    assert_true(ntmm_check());
    ntmm_page_out();
    assert_int_equal(read_byte(p), 0x52);
    assert_int_equal(read_byte(p + PAGE_SIZE - 1), 0x51);
    faults_were(0, 1, 0);
    ExFreePoolWithTag(p, TAG);
    assert_true(ntmm_check());
}

static void a_write_to_a_page_that_is_out_makes_it_dirty(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 0x61, PAGE_SIZE);
    ntmm_page_out();
    faults_begin();
    write_byte(p, 0x62);
    faults_were(0, 1, 0);
    assert_true(is_dirty(p));
    ntmm_trim_pageable();
    assert_int_equal(frame_of(p)->list, MM_MODIFIED);
    write_byte(p, 0x63);
    faults_were(1, 0, 0);
    assert_int_equal(read_byte(p + 1), 0x61);
    ExFreePoolWithTag(p, TAG);
}

static void neighbours_come_along_from_the_page_file(void **state)
{
    (void)state;
    char *p = allocate(16);
    for (size_t i = 0; i < 16; i++)
        memset(p + i * PAGE_SIZE, (int)i + 1, PAGE_SIZE);
    ntmm_page_out();
    faults_begin();
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(read_byte(p + i * PAGE_SIZE + 9), (char)(i + 1));
    faults_were(0, 16 / MM_READ_AHEAD, 0);
    ExFreePoolWithTag(p, TAG);
}

static void freeing_what_is_not_there(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        char *p = allocate(how == 3 ? LONG_RUN : 5);
        if (how < 3)
            memset(p, 1, 5 * PAGE_SIZE);
        if (how == 1)
            ntmm_trim_pageable();
        else if (how == 2)
            ntmm_page_out();
        faults_begin();
        ExFreePoolWithTag(p, TAG);
        assert_true(ntmm_check());
        char *again = ExAllocatePool2(POOL_FLAG_PAGED, 5 * PAGE_SIZE, TAG);
        for (size_t i = 0; i < 5 * PAGE_SIZE; i += 64)
            assert_int_equal(again[i], 0);
        ExFreePoolWithTag(again, TAG);
    }
    assert_int_equal(mm_page_file_used_locked() == 0 || ntmm_check(), 1);
}

static void memory_that_lies_out_can_be_copied(void **state)
{
    (void)state;
    char           *p = allocate(3), *to = ExAllocatePool2(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE, TAG);
    MM_COPY_ADDRESS from = { .VirtualAddress = p };
    SIZE_T          copied;
    for (size_t i = 0; i < 3; i++)
        memset(p + i * PAGE_SIZE, (int)i + 0x21, PAGE_SIZE);
    ntmm_page_out();
    assert_int_equal(MmCopyMemory(to, from, 3 * PAGE_SIZE, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    assert_int_equal(copied, 3 * PAGE_SIZE);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(to[i * PAGE_SIZE + 77], (char)(i + 0x21));
    ntmm_trim_pageable(); /* by its physical address also while it is on a list */
    from.PhysicalAddress.QuadPart = (LONGLONG)(mm_pte_pfn(pte_of(p + PAGE_SIZE)) << PAGE_SHIFT);
    assert_int_equal(MmCopyMemory(to, from, 16, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_SUCCESS);
    assert_int_equal(to[3], 0x22);
    ExFreePoolWithTag(p, TAG);
    ExFreePoolWithTag(to, TAG);
}

static void a_system_call_is_refused_a_page_that_is_not_there(void **state)
{
    (void)state;
    char *p = allocate(1);
    int   ends[2];
    memset(p, 1, PAGE_SIZE);
    assert_int_equal(pipe(ends), 0);
    ntmm_trim_pageable();
    assert_int_equal(write(ends[1], p, 16), -1);
    assert_int_equal(errno, EFAULT);
    (void)read_byte(p);
    assert_int_equal(write(ends[1], p, 16), 16);
    close(ends[0]);
    close(ends[1]);
    ExFreePoolWithTag(p, TAG);
}

static void *touch_from_outside(void *page) { return (void *)(uintptr_t)(unsigned char)read_byte(page); }

static void a_thread_that_never_called_in_may_touch(void **state)
{
    (void)state;
    char     *p = allocate(1);
    pthread_t thread;
    void     *seen;
    memset(p, 0x71, PAGE_SIZE);
    ntmm_page_out();
    assert_int_equal(pthread_create(&thread, NULL, touch_from_outside, p), 0);
    pthread_join(thread, &seen);
    assert_int_equal((uintptr_t)seen, 0x71);
    ExFreePoolWithTag(p, TAG);
}

/* ---- where it is not allowed ---- */

static void the_stop_was(const void *address, uintptr_t irql, uintptr_t access)
{
    assert_ptr_equal((void *)ntmm_cmocka_caught.parameter[0], address);
    assert_int_equal(ntmm_cmocka_caught.parameter[1], irql);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], access);
    assert_int_not_equal(ntmm_cmocka_caught.parameter[3], 0);
}

static KIRQL raise_to(KIRQL irql)
{
    KIRQL old;
    KeRaiseIrql(irql, &old);
    return old;
}

/* In this program the library is linked statically, where its code counts as the driver's. */
static void a_read_at_dispatch_level(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 1, PAGE_SIZE);
    ntmm_trim_pageable();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p + 8, (raise_to(DISPATCH_LEVEL), read_byte(p + 8)));
    the_stop_was(p + 8, DISPATCH_LEVEL, 0);
    assert_non_null(strstr(ntmm_stop_report(), "modified list"));
}

static void a_write_above_dispatch_level(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 1, PAGE_SIZE);
    ntmm_page_out();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p + 9, (raise_to(DISPATCH_LEVEL + 3), write_byte(p + 9, 1)));
    the_stop_was(p + 9, DISPATCH_LEVEL + 3, 1);
    assert_non_null(strstr(ntmm_stop_report(), "paged out"));
}

static void a_page_never_touched_at_dispatch_level(void **state)
{
    (void)state;
    char *p = allocate(LONG_RUN);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p + 20 * PAGE_SIZE, (raise_to(DISPATCH_LEVEL), read_byte(p + 20 * PAGE_SIZE)));
    the_stop_was(p + 20 * PAGE_SIZE, DISPATCH_LEVEL, 0);
}

static void what_is_there_may_be_touched_at_any_level(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 1, PAGE_SIZE);
    ntmm_page_out();
    (void)read_byte(p);
    KIRQL old = raise_to(HIGH_LEVEL);
    assert_int_equal(read_byte(p), 1);
    write_byte(p, 2); /* a clean page: the processor would set its dirty bit */
    assert_true(is_dirty(p));
    KeLowerIrql(old);
    ExFreePoolWithTag(p, TAG);
}

static void apc_level_is_low_enough(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 7, PAGE_SIZE);
    ntmm_page_out();
    KIRQL old = raise_to(APC_LEVEL);
    assert_int_equal(read_byte(p), 7);
    KeLowerIrql(old);
    ExFreePoolWithTag(p, TAG);
}

static char *unallocated(void) { return (char *)mm_paged_region.base + mm_paged_region.bytes / 2 + 64; }

static void a_page_that_nobody_has(void **state)
{
    (void)state;
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, unallocated(), write_byte(unallocated(), 1));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 2);
    assert_int_not_equal(ntmm_cmocka_caught.parameter[2], 0);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0);
}

static void a_page_that_nobody_has_at_dispatch_level(void **state)
{
    (void)state;
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, unallocated(), (raise_to(DISPATCH_LEVEL), read_byte(unallocated())));
    the_stop_was(unallocated(), DISPATCH_LEVEL, 0);
}

static void a_long_run_that_was_freed_is_gone(void **state)
{
    (void)state;
    char *p = allocate(80);
    memset(p, 1, 80 * PAGE_SIZE);
    ExFreePoolWithTag(p, TAG);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, p + 3 * PAGE_SIZE, read_byte(p + 3 * PAGE_SIZE));
}

static void code_in_paged_pool_is_not_executed(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 0xC3, PAGE_SIZE);
    ntmm_page_out();
    void (*code)(void);
    memcpy(&code, &p, sizeof code);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, p, code());
    assert_int_not_equal(ntmm_cmocka_caught.parameter[1] & MM_PTE_NX, 0);
}

/* ---- the machine's own steps ---- */

static void the_machine_is_checked_at_any_level(void **state)
{
    (void)state;
    void *small[200];
    for (size_t i = 0; i < 200; i++)
        small[i] = ExAllocatePool2(POOL_FLAG_PAGED, 100 + i, TAG);
    ntmm_page_out();
    KIRQL old = raise_to(DISPATCH_LEVEL);
    assert_true(ntmm_check());
    ntmm_page_out();
    ntmm_fail_allocation(5);
    ntmm_fail_allocation(0);
    KeLowerIrql(old);
    for (size_t i = 0; i < 200; i++)
        ExFreePoolWithTag(small[i], TAG);
}

/* A thread whose stock is full of paged blocks that lie out frees nonpaged ones, and runs out of nonpaged memory, at DISPATCH_LEVEL. */
static void nonpaged_work_at_dispatch_level_leaves_paged_stock_alone(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static void *paged[COUNT], *nonpaged[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        paged[i] = ExAllocatePool2(POOL_FLAG_PAGED, 1 + i % 900, TAG);
        nonpaged[i] = ExAllocatePool2(POOL_FLAG_NON_PAGED, 1 + i % 900, TAG);
    }
    for (size_t i = 0; i < COUNT; i++)
        ExFreePoolWithTag(paged[i], TAG);
    ntmm_page_out();
    KIRQL old = raise_to(DISPATCH_LEVEL);
    for (size_t i = 0; i < COUNT; i++)
        ExFreePoolWithTag(nonpaged[i], TAG);
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, (SIZE_T)1 << 40, TAG)); /* gives back all that it may first */
    for (size_t i = 0; i < COUNT; i++)
        nonpaged[i] = ExAllocatePool2(POOL_FLAG_NON_PAGED, 1 + i % 900, TAG);
    KeLowerIrql(old);
    for (size_t i = 0; i < COUNT; i++)
        ExFreePoolWithTag(nonpaged[i], TAG);
    assert_true(ntmm_check());
}

static void leaks_are_found_wherever_they_lie(void **state)
{
    (void)state;
    ntmm_report report;
    void       *small = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    char       *large = allocate(20);
    memset(large, 1, 20 * PAGE_SIZE);
    ntmm_page_out();
    assert_int_equal(ntmm_shutdown(&report), 2);
    assert_true(report.leaks[0].address == small || report.leaks[1].address == small);
    assert_true(report.leaks[0].address == large || report.leaks[1].address == large);
    for (int i = 0; i < 2; i++)
        assert_int_equal(report.leaks[i].tag, TAG);
    assert_int_equal(ntmm_boot(*state), 0);
}

static void a_halted_machine_is_looked_at_all_the_same(void **state)
{
    (void)state;
    void *small[50];
    for (size_t i = 0; i < 50; i++)
        small[i] = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    ntmm_page_out();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, small[7], (raise_to(DISPATCH_LEVEL), read_byte(small[7])));
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(NULL), 50);
    assert_int_equal(ntmm_boot(*state), 0);
}

static void many_machines_leave_nothing_behind(void **state)
{
    size_t   machines = getenv("NTMM_EMULATED") == NULL ? 1000 : 250; /* an emulator takes its time to map */
    uint64_t resident = 0;
    for (size_t i = 0; i < machines; i++) {
        size_t pages = i % 30 + 1;
        assert_int_equal(ntmm_shutdown(NULL), 0);
        assert_int_equal(ntmm_boot(*state), 0);
        char *p = allocate(pages);
        for (size_t k = 0; k < pages; k++) {
            assert_int_equal(read_byte(p + k * PAGE_SIZE), 0); /* the machine before left zeros */
            write_byte(p + k * PAGE_SIZE, 1);
        }
        if (i % 10 == 0)
            ntmm_page_out();
        else if (i % 3 == 0)
            ntmm_trim_pageable();
        ExFreePoolWithTag(p, TAG);
        if (i == 200)
            resident = host_resident_bytes();
    }
    assert_true(host_resident_bytes() < resident + (4 << 20));
}

static int set_up(void **state)
{
    ntmm_config *config = *state;
    int          status = ntmm_boot(config);
    if (status != -ENOTSUP)
        return status;
    config->page_gate = NTMM_GATE_BEST; /* for the boots within a test too */
    return ntmm_boot(config);
}

int main(void)
{
    static ntmm_config userfaultfd = { .quiet = true, .page_gate = NTMM_GATE_USERFAULTFD },
                       mprotect = { .quiet = true, .page_gate = NTMM_GATE_MPROTECT };
#define TEST(test, config) \
    { \
#test ", " #config, test, set_up, ntmm_cmocka_teardown, &config \
    }
#define BOTH(test) TEST(test, userfaultfd), TEST(test, mprotect)
    const struct CMUnitTest tests[] = {
        BOTH(a_long_run_is_demand_zero),
        BOTH(a_walk_through_zeros_faults_less_and_less),
        BOTH(a_short_run_is_there_at_once),
        BOTH(a_trimmed_page_is_a_soft_fault_away),
        BOTH(a_page_that_is_out_is_a_hard_fault_away),
        BOTH(a_write_to_a_page_that_is_out_makes_it_dirty),
        BOTH(neighbours_come_along_from_the_page_file),
        BOTH(freeing_what_is_not_there),
        BOTH(memory_that_lies_out_can_be_copied),
        BOTH(a_system_call_is_refused_a_page_that_is_not_there),
        BOTH(a_thread_that_never_called_in_may_touch),
        BOTH(a_read_at_dispatch_level),
        BOTH(a_write_above_dispatch_level),
        BOTH(a_page_never_touched_at_dispatch_level),
        BOTH(what_is_there_may_be_touched_at_any_level),
        BOTH(apc_level_is_low_enough),
        BOTH(a_page_that_nobody_has),
        BOTH(a_page_that_nobody_has_at_dispatch_level),
        BOTH(a_long_run_that_was_freed_is_gone),
        BOTH(code_in_paged_pool_is_not_executed),
        BOTH(the_machine_is_checked_at_any_level),
        BOTH(nonpaged_work_at_dispatch_level_leaves_paged_stock_alone),
        BOTH(leaks_are_found_wherever_they_lie),
        BOTH(a_halted_machine_is_looked_at_all_the_same),
        BOTH(many_machines_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
