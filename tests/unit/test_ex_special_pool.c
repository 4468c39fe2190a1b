/*
 * test_ex_special_pool.c - special pool: overruns and underruns, use after free, what is written beside a block, addresses that are none; where blocks lie; when
 * there is no more of it; accounting, leaks, MDLs, and the report.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TAG 'lcpS'

static ntmm_config special = { .quiet = true, .verifier = NTMM_VERIFY_SPECIAL_POOL };
static ntmm_config at_start = { .quiet = true, .verifier = NTMM_VERIFY_SPECIAL_POOL, .special_pool_start = true };

static char *allocate(size_t bytes) { return ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG); }

static char read_byte(const char *p) { return *(const volatile char *)p; }
static void write_byte(char *p, char byte) { *(volatile char *)p = byte; }

/* Code, parameter 1 and 2; the third is an instruction of this program. */
static ntmm_bugcheck check;

static void the_fault_was(uint32_t code, const void *address, uintptr_t access)
{
    assert_true(ntmm_is_halted());
    assert_int_equal(check.code, code);
    assert_int_equal(check.parameter[0], (uintptr_t)address);
    assert_int_equal(check.parameter[1], access);
    assert_int_not_equal(check.parameter[2], 0);
    assert_int_equal(check.parameter[3], 0);
}

/* ---- touching ---- */

static void past_the_end(void *p) { write_byte((char *)p, 1); }

static void a_block_ends_where_nobody_may_go(void **state)
{
    static const size_t SIZES[] = { 1, 15, 16, 17, 100, 2048, PAGE_SIZE - 16, PAGE_SIZE - 1 };
    (void)state;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        char *p = allocate(SIZES[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_int_equal(((uintptr_t)p + (SIZES[i] + 15) / 16 * 16) % PAGE_SIZE, 0);
        for (size_t k = 0; k < SIZES[i]; k++)
            assert_int_equal(read_byte(p + k), 0);
        memset(p, 1, SIZES[i]);
        ExFreePoolWithTag(p, TAG);
        assert_true(ntmm_check());
    }
    char *p = allocate(100); /* 112 with what is rounded */
    assert_true(ntmm_catch_bugcheck(past_the_end, p + 112, &check));
    the_fault_was(DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p + 112, 1);
}

static void read_at(void *p) { (void)read_byte(p); }

static void reads_count_and_so_does_the_page_before(void **state)
{
    (void)state;
    char *p = allocate(64), *page = PAGE_ALIGN(p);
    assert_true(ntmm_catch_bugcheck(read_at, p + 64 + PAGE_SIZE - 1, &check));
    the_fault_was(DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p + 64 + PAGE_SIZE - 1, 0);
    ntmm_cmocka_reboot();
    p = allocate(64);
    page = PAGE_ALIGN(p);
    assert_true(ntmm_catch_bugcheck(read_at, page - 1, &check));
    the_fault_was(DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, page - 1, 0);
}

static void what_is_freed_is_gone(void **state)
{
    (void)state;
    char *p = allocate(64);
    write_byte(p, 5);
    ExFreePoolWithTag(p, TAG);
    for (int i = 0; i < 100; i++) /* its addresses are not used again for a while */
        ExFreePoolWithTag(allocate(64), TAG);
    assert_true(ntmm_catch_bugcheck(read_at, p + 3, &check));
    the_fault_was(DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, p + 3, 0);
    assert_non_null(strstr(ntmm_stop_report(), "special pool, freed: a block of 64 bytes"));
    assert_non_null(strstr(ntmm_stop_report(), "tag 'Spcl', offset 3"));
}

static void at_any_irql(void **state)
{
    KIRQL irql;
    (void)state;
    char *p = allocate(64);
    ExFreePoolWithTag(p, TAG);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_true(ntmm_catch_bugcheck(past_the_end, p, &check));
    the_fault_was(DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, p, 1);
    assert_int_equal(check.irql, DISPATCH_LEVEL);
}

/* The library itself reads a string of the driver's that has no end. */
static void measure(void *p)
{
    UNICODE_STRING text;
    RtlInitUnicodeString(&text, p);
}

/* A library that is part of the program cannot be told from the driver. */
static bool library_is_apart(void)
{
    Dl_info library, program;
    return dladdr((void *)(uintptr_t)ntmm_boot, &library) != 0 && dladdr((void *)(uintptr_t)measure, &program) != 0 &&
           library.dli_fbase != program.dli_fbase;
}

static void the_systems_own_touch_has_codes_of_its_own(void **state)
{
    bool apart = library_is_apart();
    (void)state;
    WCHAR *p = (WCHAR *)(void *)allocate(64);
    for (int i = 0; i < 32; i++)
        p[i] = 'a';
    assert_true(ntmm_catch_bugcheck(measure, p, &check));
    the_fault_was(apart ? PAGE_FAULT_BEYOND_END_OF_ALLOCATION : DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p + 32, 0);
    ntmm_cmocka_reboot();
    p = (WCHAR *)(void *)allocate(64);
    ExFreePoolWithTag(p, TAG);
    assert_true(ntmm_catch_bugcheck(measure, p, &check));
    the_fault_was(apart ? PAGE_FAULT_IN_FREED_SPECIAL_POOL : DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, p, 0);
}

static void a_block_at_the_start_of_its_page(void **state)
{
    (void)state;
    char *p = allocate(100);
    assert_int_equal((uintptr_t)p % PAGE_SIZE, 0);
    assert_true(ntmm_catch_bugcheck(read_at, p - 1, &check));
    the_fault_was(DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p - 1, 0);
    ntmm_cmocka_reboot();
    p = allocate(100);
    write_byte(p + 112, 0x55);
    write_byte(p + 113, 0x55);
    assert_bugcheck(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, p, ExFreePoolWithTag(p, TAG));
    ntmm_cmocka_reboot();
    p = ExAllocatePoolWithTagPriority(NonPagedPoolNx, 100, TAG, NormalPoolPrioritySpecialPoolOverrun); /* the priority says otherwise */
    assert_int_equal(((uintptr_t)p + 112) % PAGE_SIZE, 0);
    ExFreePoolWithTag(p, TAG);
}

static void a_priority_chooses_the_side(void **state)
{
    (void)state;
    char *p = ExAllocatePoolWithTagPriority(NonPagedPoolNx, 100, TAG, NormalPoolPrioritySpecialPoolUnderrun);
    assert_int_equal((uintptr_t)p % PAGE_SIZE, 0);
    ExFreePoolWithTag(p, TAG);
    POOL_EXTENDED_PARAMETER parameter = { .Type = PoolExtendedParameterPriority, .Priority = LowPoolPrioritySpecialPoolUnderrun };
    p = ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, &parameter, 1);
    assert_int_equal((uintptr_t)p % PAGE_SIZE, 0);
    ExFreePoolWithTag(p, TAG);
}

/* ---- freeing ---- */

static void free_it(void *p) { ExFreePoolWithTag(p, TAG); }

static void corruption(char *freed, uintptr_t p2, uintptr_t p3, uintptr_t kind)
{
    assert_true(ntmm_catch_bugcheck(free_it, freed, &check));
    assert_int_equal(check.code, SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION);
    assert_int_equal(check.parameter[0], (uintptr_t)freed);
    assert_int_equal(check.parameter[1], p2);
    assert_int_equal(check.parameter[2], p3);
    assert_int_equal(check.parameter[3], kind);
    ntmm_cmocka_reboot();
}

static void what_is_written_beside_it_is_found(void **state)
{
    (void)state;
    char *p = allocate(100);
    write_byte(p - 1, (char)~read_byte(p - 1)); /* all bits of it: no memory fails so */
    corruption(p, (uintptr_t)(p - 1), 0, 0x23);
    p = allocate(100);
    write_byte(PAGE_ALIGN(p), (char)~read_byte(PAGE_ALIGN(p))); /* the page's first byte */
    corruption(p, (uintptr_t)PAGE_ALIGN(p), 0, 0x23);
    p = allocate(100);
    write_byte(p + 100, (char)~read_byte(p + 100)); /* between the block and the guard */
    corruption(p, (uintptr_t)(p + 100), 0, 0x24);
    p = allocate(100);
    write_byte(p - 20, (char)(read_byte(p - 20) ^ 8)); /* one bit */
    corruption(p, (uintptr_t)(p - 20), 0, 0x32);
}

static void addresses_that_are_none(void **state)
{
    (void)state;
    char *p = allocate(100);
    corruption(p + 16, 100, 96, 0x21);
    p = allocate(100);
    ExFreePoolWithTag(p, TAG);
    corruption(p, 0, 0, 0x20); /* twice */
    p = allocate(100);
    corruption((char *)PAGE_ALIGN(p) + PAGE_SIZE, 0, 0, 0x20); /* a guard */
    p = ExAllocatePoolWithTagPriority(NonPagedPoolNx, 100, TAG, NormalPoolPrioritySpecialPoolUnderrun);
    corruption(p + 32, 100, 32, 0x22);
}

static void tags_and_levels_are_checked_as_ever(void **state)
{
    KIRQL irql;
    (void)state;
    char *p = allocate(100);
    assert_bugcheck(BAD_POOL_CALLER, 0x0A, ExFreePoolWithTag(p, 'xxxx'));
    ntmm_cmocka_reboot();
    p = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x11, ExFreePoolWithTag(p, TAG));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x01, ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG));
}

/* ---- which blocks, and how many ---- */

static void what_is_in_special_pool(void **state)
{
    BOOLEAN charged;
    (void)state;
    char *whole = allocate(PAGE_SIZE), *paged = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    char *code = ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, 100, TAG), *old = ExAllocatePoolWithTag(PagedPool, 1, TAG);
    assert_int_equal((uintptr_t)whole % PAGE_SIZE, 0); /* PAGE_SIZE and more: ordinary pool */
    assert_int_equal(((uintptr_t)paged + 112) % PAGE_SIZE, 0);
    assert_int_equal(((uintptr_t)code + 112) % PAGE_SIZE, 0);
    assert_int_equal(((uintptr_t)old + 16) % PAGE_SIZE, 0);
    assert_int_equal(ExQueryPoolBlockSize(paged, &charged), 100);
    assert_false(charged);
    ntmm_page_out(); /* its page is never paged out */
    ntmm_fault_counts before, after;
    ntmm_query_faults(&before);
    assert_int_equal(read_byte(paged), 0);
    ntmm_query_faults(&after);
    assert_int_equal(before.hard + before.soft, after.hard + after.soft);
    ExFreePoolWithTag(whole, TAG);
    ExFreePoolWithTag(paged, TAG);
    ExFreePoolWithTag(code, TAG);
    ExFreePoolWithTag(old, TAG);
    char *quota = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_USE_QUOTA, 100, TAG);
    assert_int_not_equal(((uintptr_t)quota + 112) % PAGE_SIZE, 0); /* its header names the process that pays */
    ExFreePoolWithTag(quota, TAG);
}

static void one_tag_only(void **state)
{
    (void)state;
    char *ours = allocate(100), *others = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, 'xxxx');
    assert_int_equal(((uintptr_t)ours + 112) % PAGE_SIZE, 0);
    write_byte(others + 112, read_byte(others + 112)); /* the next header: it is ordinary pool */
    ExFreePoolWithTag(others, 'xxxx');
    ExFreePoolWithTag(ours, TAG);
}

static bool is_special(const char *p, size_t bytes) { return ((uintptr_t)p + (bytes + 15) / 16 * 16) % PAGE_SIZE == 0; }

/* One block of ordinary pool in 256 ends with its page as well: a few in a row do not. */
static void when_there_is_no_more_ordinary_pool_serves(void **state)
{
    enum { MANY = 60000 };
    static char *blocks[MANY];
    size_t       count = 0, in_special = 0;
    (void)state;
    while (count < MANY && (blocks[count] = allocate(64)) != NULL) {
        in_special += is_special(blocks[count], 64);
        count++;
    }
    assert_in_range(in_special, 1000, count - 1000);
    assert_true(ntmm_check());
    for (size_t i = 0; i < count; i++)
        ExFreePoolWithTag(blocks[i], TAG);
    assert_true(ntmm_check());
    for (size_t i = 0; i < 3 * in_special; i++) { /* what was freed is used again in the end */
        char *p = allocate(64);
        assert_true(is_special(p, 64));
        ExFreePoolWithTag(p, TAG);
    }
    assert_true(ntmm_check());
}

static void accounts_and_leaks(void **state)
{
    ntmm_pool_usage before, after;
    ntmm_report     report;
    (void)state;
    ntmm_query_pool(PagedPool, &before);
    char *p = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    ntmm_query_pool(PagedPool, &after);
    assert_int_equal(after.bytes_requested, before.bytes_requested + 100);
    assert_int_equal(after.allocs, before.allocs + 1);
    assert_true(ntmm_query_tag(TAG, PagedPool, &after));
    assert_int_equal(after.pages, 1);
    assert_true(ntmm_check());
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, p);
    assert_int_equal(report.leaks[0].bytes, 100);
    assert_int_equal(report.leaks[0].tag, TAG);
    assert_int_equal(report.leaks[0].type, PagedPool);
    assert_int_equal(ntmm_boot(&special), 0);
}

static void a_locked_block_is_not_freed(void **state)
{
    (void)state;
    char *p = allocate(100);
    PMDL  mdl = IoAllocateMdl(p, 100, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    assert_non_null(seen);
    write_byte(seen + 99, 7);
    assert_int_equal(read_byte(p + 99), 7);
    assert_int_not_equal(MmGetPhysicalAddress(p).QuadPart, 0);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(p, TAG);
    p = allocate(100);
    mdl = IoAllocateMdl(p, 100, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    assert_bugcheck_code(PFN_LIST_CORRUPT, ExFreePoolWithTag(p, TAG));
}

static void *exchange(void *argument)
{
    uint64_t random = (uintptr_t)argument * 0x9E3779B97F4A7C15ull;
    char    *held[16] = { NULL };
    size_t   bytes[16];
    for (int i = 0; i < 2000; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        size_t k = random >> 60, wanted = (random >> 33) % (PAGE_SIZE - 1) + 1;
        if (held[k] != NULL) {
            for (size_t at = 0; at < bytes[k]; at += 97)
                assert_int_equal(held[k][at], (char)k);
            ExFreePoolWithTag(held[k], TAG);
        }
        held[k] = allocate(bytes[k] = wanted);
        if (held[k] != NULL)
            memset(held[k], (int)k, wanted);
    }
    for (size_t k = 0; k < 16; k++)
        if (held[k] != NULL)
            ExFreePoolWithTag(held[k], TAG);
    return NULL;
}

static void four_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, exchange, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(ntmm_check());
}

static void one_life(void)
{
    char *p = allocate(64), *q = ExAllocatePool2(POOL_FLAG_PAGED, 64, TAG);
    if (p != NULL)
        ExFreePoolWithTag(p, TAG);
    if (q != NULL)
        ExFreePoolWithTag(q, TAG);
}
static void survives_every_failure(void **state)
{
    (void)state;
    for_each_failure(one_life());
}

int main(void)
{
    static ntmm_config      only = { .quiet = true, .verifier = NTMM_VERIFY_SPECIAL_POOL, .special_pool_tag = TAG };
    static ntmm_config      nodes = { .quiet = true, .verifier = NTMM_VERIFY_SPECIAL_POOL, .numa_nodes = 2 };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(a_block_ends_where_nobody_may_go, &special),
        ntmm_cmocka_test_config(reads_count_and_so_does_the_page_before, &special),
        ntmm_cmocka_test_config(what_is_freed_is_gone, &special),
        ntmm_cmocka_test_config(at_any_irql, &special),
        ntmm_cmocka_test_config(the_systems_own_touch_has_codes_of_its_own, &special),
        ntmm_cmocka_test_config(a_block_at_the_start_of_its_page, &at_start),
        ntmm_cmocka_test_config(a_priority_chooses_the_side, &special),
        ntmm_cmocka_test_config(what_is_written_beside_it_is_found, &special),
        ntmm_cmocka_test_config(addresses_that_are_none, &special),
        ntmm_cmocka_test_config(tags_and_levels_are_checked_as_ever, &special),
        ntmm_cmocka_test_config(what_is_in_special_pool, &special),
        ntmm_cmocka_test_config(one_tag_only, &only),
        ntmm_cmocka_test_config(when_there_is_no_more_ordinary_pool_serves, &special),
        ntmm_cmocka_test_config(accounts_and_leaks, &special),
        ntmm_cmocka_test_config(a_locked_block_is_not_freed, &special),
        ntmm_cmocka_test_config(four_threads, &special),
        ntmm_cmocka_test_config(four_threads, &nodes),
        ntmm_cmocka_test_config(survives_every_failure, &special),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
