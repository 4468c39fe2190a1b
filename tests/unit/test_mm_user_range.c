/*
 * test_mm_user_range.c - where user addresses end, and what the probes accept and raise.
 */
#define NTMM_USES_TRY
#include "../support/user_memory.h"

static NTSTATUS probe_read(const volatile void *address, SIZE_T length, ULONG alignment)
{
    return raised(ProbeForRead(address, length, alignment));
}
static NTSTATUS probe_write(volatile void *address, SIZE_T length, ULONG alignment)
{
    return raised(ProbeForWrite(address, length, alignment));
}

static void the_boundary(void **state)
{
    (void)state;
    assert_int_equal((uintptr_t)MM_HIGHEST_USER_ADDRESS + 1, MM_USER_PROBE_ADDRESS);
    assert_true((uintptr_t)MM_SYSTEM_RANGE_START >= MM_USER_PROBE_ADDRESS);
    assert_true((uintptr_t)MM_LOWEST_USER_ADDRESS <= MM_USER_PROBE_ADDRESS);
    PVOID block = ExAllocatePool2(POOL_FLAG_PAGED, 16, NTMM_TAG("Tst1"));
    assert_true((uintptr_t)block >= (uintptr_t)MM_SYSTEM_RANGE_START);
    ExFreePool(block);
}

static void a_user_buffer_passes(void **state)
{
    (void)state;
    unsigned char *user = user_pages(3 * PAGE_SIZE);
    assert_int_equal(probe_read(user, 100, 1), STATUS_SUCCESS);
    assert_int_equal(probe_read(user + 8, 3 * PAGE_SIZE - 8, 8), STATUS_SUCCESS);
    assert_int_equal(probe_write(user + 1, 3 * PAGE_SIZE - 1, 1), STATUS_SUCCESS);
    assert_int_equal(probe_read(user, 1, PAGE_SIZE), STATUS_SUCCESS);
    assert_int_equal(probe_read(user, 1, 0), STATUS_SUCCESS);
}

static void a_probe_for_reading_touches_nothing(void **state)
{
    (void)state;
    (void)user_pages(1);
    assert_int_equal(probe_read(NULL, 16, 4), STATUS_SUCCESS); /* the numbers are in order */
    assert_int_equal(probe_read((PVOID)0x1000, 16, 4), STATUS_SUCCESS);
    assert_int_equal(probe_write(NULL, 16, 4), STATUS_ACCESS_VIOLATION);
}

static void a_probe_for_writing_writes_back(void **state)
{
    (void)state;
    unsigned char *user = user_pages(2 * PAGE_SIZE);
    user[5] = 1;
    user[PAGE_SIZE] = 2;
    assert_int_equal(probe_write(user + 5, PAGE_SIZE, 1), STATUS_SUCCESS);
    assert_true(user[5] == 1 && user[PAGE_SIZE] == 2);
}

static void misaligned(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE);
    for (ULONG alignment = 2; alignment <= 16; alignment *= 2) {
        assert_int_equal(probe_read(user + 1, 16, alignment), STATUS_DATATYPE_MISALIGNMENT);
        assert_int_equal(probe_write(user + alignment / 2, 16, alignment), STATUS_DATATYPE_MISALIGNMENT);
        assert_int_equal(probe_read(user + alignment, 16, alignment), STATUS_SUCCESS);
    }
}

static void system_addresses(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE), *block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Tst1"));
    static int     global;
    int            local = 0;
    (void)user;
    assert_int_equal(probe_read(block, 64, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_write(block, 64, 1), STATUS_ACCESS_VIOLATION);
    if ((uintptr_t)&global >= MmUserProbeAddress) /* a program may be loaded low */
        assert_int_equal(probe_read(&global, sizeof global, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read(&local, sizeof local, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read((PVOID)MmUserProbeAddress, 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read((PVOID)(MmUserProbeAddress - 1), 1, 1), STATUS_SUCCESS);
    assert_int_equal(probe_read((PVOID)(MmUserProbeAddress - 1), 2, 1), STATUS_ACCESS_VIOLATION); /* only its beginning is a user's */
    ExFreePool(block);
}

static void a_range_that_wraps(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE);
    assert_int_equal(probe_read(user, SIZE_MAX, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read(user, (SIZE_T)0 - (uintptr_t)user, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read(user, (SIZE_T)0 - (uintptr_t)user + 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_write((PVOID)(UINTPTR_MAX - 3), 8, 4), STATUS_ACCESS_VIOLATION);
}

static void no_bytes_no_check(void **state)
{
    (void)state;
    assert_int_equal(probe_read((PVOID)UINTPTR_MAX, 0, 16), STATUS_SUCCESS);
    assert_int_equal(probe_write((PVOID)1, 0, 16), STATUS_SUCCESS);
    assert_int_equal(probe_write(NULL, 0, 4), STATUS_SUCCESS);
}

/* ---- whose memory is it? ---- */

static void memory_of_another_process(void **state)
{
    (void)state;
    KAPC_STATE     apc;
    unsigned char *theirs = user_pages(PAGE_SIZE), *ours = user_pages(PAGE_SIZE); /* two processes; the thread is in the second */
    ntmm_process  *own = (ntmm_process *)(void *)PsGetCurrentProcess();
    assert_int_equal(probe_read(ours, 1, 1), STATUS_SUCCESS);
    assert_int_equal(probe_read(theirs, 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_write(theirs, 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read(ours < theirs ? ours : theirs, (SIZE_T)(ours < theirs ? theirs - ours : ours - theirs) + 1, 1),
                     STATUS_ACCESS_VIOLATION); /* from the one to the other */
    KeStackAttachProcess(PsInitialSystemProcess, &apc);
    assert_int_equal(probe_read(ours, 1, 1), STATUS_ACCESS_VIOLATION);
    KeUnstackDetachProcess(&apc);
    ntmm_process_attach(NULL);
    KeStackAttachProcess(as_object(own), &apc);
    assert_int_equal(probe_write(ours, 1, 1), STATUS_SUCCESS);
    KeUnstackDetachProcess(&apc);
}

static void memory_of_a_process_that_is_gone(void **state)
{
    (void)state;
    unsigned char *gone = user_pages(PAGE_SIZE);
    ntmm_process  *process = (ntmm_process *)(void *)PsGetCurrentProcess();
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    assert_int_equal(probe_read(gone, 1, 1), STATUS_SUCCESS); /* a user address, and nothing there */
    assert_int_equal(probe_write(gone, 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)peek(gone)), STATUS_ACCESS_VIOLATION);
}

static void what_cannot_be_written(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE);
    ntmm_process  *process = (ntmm_process *)(void *)PsGetCurrentProcess();
    unsigned char *read_only = ntmm_user_alloc(process, 2 * PAGE_SIZE, PAGE_READONLY);
    unsigned char *none = ntmm_user_alloc(process, PAGE_SIZE, PAGE_NOACCESS);
    unsigned char *guard = ntmm_user_alloc(process, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD);
    assert_int_equal(probe_read(read_only, PAGE_SIZE, 1), STATUS_SUCCESS);
    assert_int_equal(probe_write(read_only, PAGE_SIZE, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_read(none, PAGE_SIZE, 1), STATUS_SUCCESS);
    assert_int_equal(probe_write(none, PAGE_SIZE, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_write(guard, PAGE_SIZE, 1), STATUS_GUARD_PAGE_VIOLATION);
    assert_int_equal(probe_write(guard, PAGE_SIZE, 1), STATUS_SUCCESS); /* once */
    assert_int_equal(probe_write(user, PAGE_SIZE + 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probe_write(user + PAGE_SIZE - 1, 1, 1), STATUS_SUCCESS);
    assert_int_equal(probe_write(user + PAGE_SIZE - 1, 2, 1), STATUS_ACCESS_VIOLATION); /* two bytes, and two pages */
    ntmm_user_free(process, user);
    assert_int_equal(probe_read(user, PAGE_SIZE, 1), STATUS_SUCCESS);
    assert_int_equal(probe_write(user, PAGE_SIZE, 1), STATUS_ACCESS_VIOLATION);
}

static void outside_of_a_try(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_ACCESS_VIOLATION, ProbeForRead((PVOID)UINTPTR_MAX, 1, 1));
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_DATATYPE_MISALIGNMENT, ProbeForWrite((PVOID)0x1001, 4, 4));
}

static void too_high(void **state)
{
    (void)state;
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ProbeForRead((PVOID)0x1000, 1, 1));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ProbeForWrite((PVOID)0x1000, 0, 1));
}

static void without_a_machine(void **state)
{
    (void)state;
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(probe_read((PVOID)UINTPTR_MAX, 1, 1), STATUS_SUCCESS); /* refused with a sentence, no machine raises */
    assert_non_null(strstr(ntmm_error(), "ProbeForRead"));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(the_boundary),
        ntmm_cmocka_test(a_user_buffer_passes),
        ntmm_cmocka_test(a_probe_for_reading_touches_nothing),
        ntmm_cmocka_test(a_probe_for_writing_writes_back),
        ntmm_cmocka_test(misaligned),
        ntmm_cmocka_test(system_addresses),
        ntmm_cmocka_test(a_range_that_wraps),
        ntmm_cmocka_test(no_bytes_no_check),
        ntmm_cmocka_test(memory_of_another_process),
        ntmm_cmocka_test(memory_of_a_process_that_is_gone),
        ntmm_cmocka_test(what_cannot_be_written),
        ntmm_cmocka_test(outside_of_a_try),
        ntmm_cmocka_test(too_high),
        ntmm_cmocka_test(without_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
