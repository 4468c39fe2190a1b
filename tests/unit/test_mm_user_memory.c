/*
 * test_mm_user_memory.c - user memory of processes: whose it is, what a touch raises, that it is demand paged, what secures it, and its end.
 */
#define NTMM_USES_TRY
#include "../support/levels.h"
#include "../support/user_memory.h"

#include <pthread.h>
#include <unistd.h>

#include "ke/process.h"
#include "mm/process_space.h"

#define PAGES(n) ((size_t)(n) << PAGE_SHIFT)

static ntmm_process *process; /* one of each test, in which its thread runs */

static int boot(void **state)
{
    int result = ntmm_cmocka_setup(state);
    process = result == 0 ? ntmm_process_create() : NULL;
    ntmm_process_attach(process);
    return process != NULL ? 0 : -1;
}
#define user_test(test) cmocka_unit_test_setup_teardown(test, boot, ntmm_cmocka_teardown)
#define user_test_config(test, config) \
    cmocka_unit_test_prestate_setup_teardown(test, boot, ntmm_cmocka_teardown, (void *)(uintptr_t)(config))

static ntmm_process_memory memory_of(ntmm_process *whose)
{
    ntmm_process_memory memory;
    ntmm_query_process_memory(whose, &memory);
    return memory;
}
static void check(void)
{
    if (!ntmm_check())
        fail_msg("%s", ntmm_error());
}

/* ---- allocating ---- */

static void memory_is_zero_and_pageable(void **state)
{
    (void)state;
    ntmm_fault_counts before, after;
    unsigned char    *p = ntmm_user_alloc(process, PAGES(3) - 5, PAGE_READWRITE);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 0x10000, 0);
    assert_true((uintptr_t)p < MmUserProbeAddress && (uintptr_t)p >= (uintptr_t)MM_LOWEST_USER_ADDRESS);
    assert_true(memory_of(process).committed == 3 && memory_of(process).working_set == 0);
    ntmm_query_faults(&before);
    for (size_t i = 0; i < PAGES(3); i += PAGE_SIZE / 2)
        assert_int_equal(p[i], 0);
    p[PAGES(2)] = 7;
    ntmm_query_faults(&after);
    assert_true(after.demand_zero > before.demand_zero);
    assert_int_equal(memory_of(process).working_set, 3);
    ntmm_trim_pageable();
    assert_int_equal(memory_of(process).working_set, 0);
    assert_int_equal(p[PAGES(2)], 7);
    ntmm_page_out();
    assert_int_equal(p[PAGES(2)], 7);
    check();
    ntmm_user_free(process, p);
    assert_int_equal(memory_of(process).committed, 0);
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    check();
}

static void protections(void **state)
{
    (void)state;
    static const struct {
        uint32_t protect;
        NTSTATUS read, write;
    } cases[] = {
        { PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS },
        { PAGE_READONLY, STATUS_SUCCESS, STATUS_ACCESS_VIOLATION },
        { PAGE_NOACCESS, STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION },
        { PAGE_EXECUTE_READ, STATUS_SUCCESS, STATUS_ACCESS_VIOLATION },
        { PAGE_EXECUTE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS },
        { PAGE_READWRITE | PAGE_NOCACHE, STATUS_SUCCESS, STATUS_SUCCESS },
        { PAGE_READWRITE | PAGE_WRITECOMBINE, STATUS_SUCCESS, STATUS_SUCCESS },
        { PAGE_READONLY | PAGE_GUARD, STATUS_GUARD_PAGE_VIOLATION, STATUS_ACCESS_VIOLATION },
    };
    ntmm_fault_counts before, after;
    ntmm_query_faults(&before);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char *p = ntmm_user_alloc(process, 100, cases[i].protect);
        assert_non_null(p);
        assert_int_equal(raised((void)peek(p)), cases[i].read);
        assert_int_equal(raised(poke(p, 1)), cases[i].write);
        ntmm_user_free(process, p);
    }
    ntmm_query_faults(&after);
    assert_int_equal(after.access_violations - before.access_violations, 5);
}

static void what_cannot_be_allocated(void **state)
{
    (void)state;
    static const uint32_t bad[] = { 0,
                                    PAGE_READONLY | PAGE_READWRITE,
                                    PAGE_WRITECOPY,
                                    PAGE_EXECUTE_WRITECOPY,
                                    PAGE_NOACCESS | PAGE_GUARD,
                                    PAGE_NOACCESS | PAGE_NOCACHE,
                                    PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE,
                                    0x1000,
                                    PAGE_GUARD };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(ntmm_user_alloc(process, 1, bad[i]));
    assert_null(ntmm_user_alloc(process, 0, PAGE_READWRITE));
    assert_null(ntmm_user_alloc(process, SIZE_MAX, PAGE_READWRITE));
    assert_null(ntmm_user_alloc(process, (size_t)1 << 40, PAGE_READWRITE));
    assert_non_null(strstr(ntmm_error(), "ntmm_user_alloc"));
    assert_null(ntmm_user_alloc(NULL, 1, PAGE_READWRITE));
    ntmm_process *gone = ntmm_process_create();
    ntmm_process_destroy(gone);
    assert_null(ntmm_user_alloc(gone, 1, PAGE_READWRITE));
    assert_non_null(strstr(ntmm_error(), "destroyed"));
    unsigned char *p = ntmm_user_alloc(process, PAGES(2), PAGE_READWRITE);
    ntmm_user_free(process, p + PAGE_SIZE);
    assert_non_null(strstr(ntmm_error(), "ntmm_user_free"));
    assert_int_equal(p[PAGE_SIZE], 0);
    ntmm_user_free(process, NULL);
    ntmm_user_free(process, p);
    ntmm_user_free(process, p);
    assert_non_null(strstr(ntmm_error(), "ntmm_user_free"));
}

static void more_processes_than_slices(void **state)
{
    (void)state;
    ntmm_process *all[64];
    size_t        with = 0;
    for (size_t i = 0; i < 64; i++) {
        all[i] = ntmm_process_create();
        assert_non_null(all[i]);
        with += ntmm_user_alloc(all[i], 1, PAGE_READWRITE) != NULL;
    }
    assert_true(with >= 8 && with < 64); /* a stated limit, met with a sentence */
    assert_non_null(strstr(ntmm_error(), "processes"));
    for (size_t i = 0; i < 64; i++)
        ntmm_process_destroy(all[i]);
    ntmm_process *next = ntmm_process_create();
    assert_non_null(ntmm_user_alloc(next, 1, PAGE_READWRITE));
    check();
}

/* ---- whose it is ---- */

static void each_process_has_its_own(void **state)
{
    (void)state;
    KAPC_STATE      apc;
    ntmm_process   *other = ntmm_process_create();
    unsigned char  *ours = ntmm_user_alloc(process, 8, PAGE_READWRITE), *theirs = ntmm_user_alloc(other, 8, PAGE_READWRITE);
    MM_COPY_ADDRESS from = { .VirtualAddress = theirs };
    char            byte;
    SIZE_T          copied;
    *ours = 1;
    assert_true(MmIsAddressValid(ours));
    KeStackAttachProcess(as_object(other), &apc);
    *theirs = 2;
    assert_true(MmIsAddressValid(theirs));
    assert_false(MmIsAddressValid(ours));
    assert_int_equal(MmCopyMemory(&byte, from, 1, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    assert_int_equal(byte, 2);
    KeUnstackDetachProcess(&apc);
    assert_false(MmIsAddressValid(theirs));
    assert_int_equal(MmCopyMemory(&byte, from, 1, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_ACCESS_VIOLATION);
    assert_int_equal(copied, 0);
    assert_null(MmSecureVirtualMemory(theirs, 8, PAGE_READONLY));
}

static void copies_fetch_pages_and_stop_where_they_end(void **state)
{
    (void)state;
    unsigned char  *p = ntmm_user_alloc(process, PAGES(2), PAGE_READWRITE), copy[64];
    SIZE_T          copied;
    MM_COPY_ADDRESS from = { .VirtualAddress = p + PAGES(2) - 16 };
    memset(p, 0x3C, PAGES(2));
    ntmm_page_out();
    assert_false(MmIsAddressValid(p));
    assert_int_equal(MmCopyMemory(copy, from, 32, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_ACCESS_VIOLATION);
    assert_int_equal(copied, 16);
    assert_int_equal(copy[15], 0x3C);
    assert_true(MmIsAddressValid(p + PAGE_SIZE));
    from.PhysicalAddress = MmGetPhysicalAddress(p + PAGE_SIZE); /* where the frame's bytes are: not at its home */
    assert_true(from.PhysicalAddress.QuadPart != 0);
    memset(copy, 0, sizeof copy);
    assert_int_equal(MmCopyMemory(copy, from, 8, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_SUCCESS);
    assert_true(copied == 8 && copy[7] == 0x3C);
    unsigned char *none = ntmm_user_alloc(process, 1, PAGE_NOACCESS), *guard = ntmm_user_alloc(process, 1, PAGE_READWRITE | PAGE_GUARD);
    from.VirtualAddress = none;
    assert_int_equal(MmCopyMemory(copy, from, 1, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_ACCESS_VIOLATION);
    from.VirtualAddress = guard;
    assert_int_equal(MmCopyMemory(copy, from, 1, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_ACCESS_VIOLATION);
    from.VirtualAddress = NULL;
    assert_int_equal(MmCopyMemory(copy, from, 1, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_ACCESS_VIOLATION);
}

typedef struct worker {
    ntmm_process  *process;
    unsigned char *memory, value;
    bool           right;
} worker_t;
enum { ROUNDS = 200, WORKER_PAGES = 32 };
static void *work(void *context)
{
    worker_t  *worker = context;
    KAPC_STATE apc;
    worker->right = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        KeStackAttachProcess(as_object(worker->process), &apc);
        for (size_t i = 0; i < WORKER_PAGES; i++)
            poke(worker->memory + PAGES(i) + round, worker->value);
        for (size_t i = 0; i < WORKER_PAGES; i++)
            worker->right = worker->right && peek(worker->memory + PAGES(i) + round) == worker->value;
        KeUnstackDetachProcess(&apc);
        if (round % 16 == 0)
            ntmm_trim_pageable();
        if (round % 64 == 1)
            ntmm_page_out();
    }
    return NULL;
}
static void two_threads_in_two_processes(void **state)
{
    (void)state;
    pthread_t threads[2];
    worker_t  workers[2];
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = (worker_t){ .process = ntmm_process_create(), .value = (unsigned char)(0x11 * (i + 1)) };
        workers[i].memory = ntmm_user_alloc(workers[i].process, PAGES(WORKER_PAGES), PAGE_READWRITE);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(workers[0].right && workers[1].right);
    check();
}

static const ntmm_config small = { .quiet = true, .physical_memory = 4u << 20, .page_file_size = 64u << 20 };
static void              more_memory_than_ram(void **state)
{
    (void)state;
    size_t            pages = ((size_t)8 << 20) >> PAGE_SHIFT;
    unsigned char    *p = ntmm_user_alloc(process, PAGES(pages), PAGE_READWRITE);
    ntmm_fault_counts counts;
    assert_non_null(p);
    for (size_t i = 0; i < pages; i++)
        memcpy(p + PAGES(i) + 8, &i, sizeof i);
    for (size_t i = 0; i < pages; i++)
        assert_memory_equal(p + PAGES(i) + 8, &i, sizeof i);
    ntmm_query_faults(&counts);
    assert_true(counts.hard != 0);
    assert_true(memory_of(process).working_set < pages);
    check();
    assert_null(ntmm_user_alloc(process, (size_t)62 << 20, PAGE_READWRITE)); /* RAM and page file have no room for that, too */
    ntmm_user_free(process, p);
    check();
}

/* ---- views of a file ---- */

static void a_view_is_flushed(void **state)
{
    (void)state;
    host_file_t     file, copy;
    mm_segment_t   *segment;
    mm_space_t     *space;
    char            bytes[4];
    IO_STATUS_BLOCK io;
    assert_int_equal(host_file_create(&file), 0);
    copy.fd = dup(file.fd);
    assert_int_equal(host_file_write(&file, PAGES(4) - 1, "x", 1), 0);
    assert_int_equal(mm_segment_create_file(file, PAGES(4), true, &segment), STATUS_SUCCESS);
    assert_int_equal(mm_process_space_need((ke_process_t *)(void *)process, &space), STATUS_SUCCESS);
    mm_view_want_t want = { .bytes = PAGES(3), .protect = PAGE_READWRITE, .type = MEM_MAPPED, .segment = segment, .first_page = 1 };
    uintptr_t      view;
    assert_int_equal(mm_view_map(space, &want, &view), STATUS_SUCCESS);
    memcpy((void *)(view + PAGE_SIZE), "abc", 4);
    memcpy((void *)(view + PAGES(2)), "def", 4);
    PVOID  base = (PVOID)(view + PAGE_SIZE + 10);
    SIZE_T size = 1;
    assert_int_equal(ZwFlushVirtualMemory(ZwCurrentProcess(), &base, &size, &io), STATUS_SUCCESS);
    assert_true(base == (PVOID)(view + PAGE_SIZE) && size == PAGE_SIZE && io.Status == STATUS_SUCCESS && io.Information == PAGE_SIZE);
    assert_int_equal(host_file_read(&copy, PAGES(2), bytes, 4), 0);
    assert_string_equal(bytes, "abc");
    assert_int_equal(host_file_read(&copy, PAGES(3), bytes, 4), 0);
    assert_int_equal(bytes[0], 0); /* not yet */
    size = 0;
    assert_int_equal(ZwFlushVirtualMemory(ZwCurrentProcess(), &base, &size, &io), STATUS_SUCCESS); /* to the end */
    assert_true(size == PAGES(2) && io.Information == PAGE_SIZE);
    assert_int_equal(host_file_read(&copy, PAGES(3), bytes, 4), 0);
    assert_string_equal(bytes, "def");
    size = PAGES(3);
    assert_int_equal(ZwFlushVirtualMemory(ZwCurrentProcess(), &base, &size, &io), STATUS_INVALID_PARAMETER_2);
    base = (PVOID)view;
    size = 0;
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_RELEASE), STATUS_UNABLE_TO_DELETE_SECTION);
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_DECOMMIT), STATUS_UNABLE_TO_DELETE_SECTION);
    assert_int_equal(mm_view_unmap(space, view), STATUS_SUCCESS);
    mm_segment_dereference(segment);
    host_file_close(&copy);
    check();
}

/* ---- secured ---- */

static void secured_memory_stays(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, PAGES(4), PAGE_READWRITE);
    PVOID          base;
    SIZE_T         size;
    ULONG          old;
    HANDLE         read = MmSecureVirtualMemory(p + PAGE_SIZE, PAGE_SIZE, PAGE_READONLY);
    HANDLE         write = MmSecureVirtualMemory(p + PAGES(2) + 5, 1, PAGE_READWRITE);
    assert_true(read != NULL && write != NULL && read != write);
#define protect_page(number, protect) \
    (base = p + PAGES(number), size = 1, ZwProtectVirtualMemory(ZwCurrentProcess(), &base, &size, (protect), &old))
    assert_int_equal(protect_page(0, PAGE_NOACCESS), STATUS_SUCCESS);
    assert_int_equal(protect_page(1, PAGE_NOACCESS), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(protect_page(1, PAGE_READONLY), STATUS_SUCCESS);
    assert_int_equal(protect_page(1, PAGE_READWRITE), STATUS_SUCCESS); /* more is allowed */
    assert_int_equal(protect_page(2, PAGE_READONLY), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(protect_page(2, PAGE_EXECUTE_READWRITE), STATUS_SUCCESS);
    base = p;
    size = 0;
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_RELEASE), STATUS_INVALID_PAGE_PROTECTION);
    base = p + PAGE_SIZE;
    size = 1;
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_DECOMMIT), STATUS_INVALID_PAGE_PROTECTION);
    ntmm_user_free(process, p);
    assert_non_null(strstr(ntmm_error(), "secured"));
    MmUnsecureVirtualMemory(read);
    assert_int_equal(protect_page(1, PAGE_NOACCESS), STATUS_SUCCESS);
    assert_int_equal(protect_page(2, PAGE_NOACCESS), STATUS_INVALID_PAGE_PROTECTION);
    MmUnsecureVirtualMemory(write);
    ntmm_user_free(process, p);
    assert_int_equal(memory_of(process).committed, 0);
}

static void flags_of_securing(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, PAGES(4), PAGE_READWRITE);
    PVOID          base;
    SIZE_T         size;
    ULONG          old;
    HANDLE         one = MmSecureVirtualMemoryEx(p, 1, PAGE_READONLY, MM_SECURE_NO_CHANGE | MM_SECURE_NO_INHERIT);
    assert_non_null(one);
    assert_int_equal(protect_page(0, PAGE_EXECUTE_READWRITE), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(protect_page(1, PAGE_READONLY), STATUS_SUCCESS);
    assert_null(MmSecureVirtualMemoryEx(p + PAGES(3), 1, PAGE_READONLY, MM_SECURE_EXCLUSIVE)); /* somewhere in the same allocation */
    MmUnsecureVirtualMemory(one);
    HANDLE alone = MmSecureVirtualMemoryEx(p + PAGES(3), 1, PAGE_READONLY, MM_SECURE_EXCLUSIVE);
    assert_non_null(alone);
    HANDLE nobody = MmSecureVirtualMemoryEx(p, 1, PAGE_READWRITE, MM_SECURE_USER_MODE_ONLY);
    assert_non_null(nobody);
    assert_int_equal(protect_page(0, PAGE_NOACCESS), STATUS_SUCCESS); /* we are kernel mode */
    MmUnsecureVirtualMemory(nobody);
    MmUnsecureVirtualMemory(alone);
    assert_null(MmSecureVirtualMemoryEx(p + PAGES(3), 1, PAGE_READONLY, 0x10));
}

static void what_cannot_be_secured(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, PAGES(2), PAGE_READWRITE), *read_only = ntmm_user_alloc(process, 1, PAGE_READONLY);
    unsigned char *guard = ntmm_user_alloc(process, 1, PAGE_READWRITE | PAGE_GUARD);
    int            local;
    assert_null(MmSecureVirtualMemory(p, 0, PAGE_READONLY));
    assert_null(MmSecureVirtualMemory(p, 1, PAGE_NOACCESS));
    assert_null(MmSecureVirtualMemory(p, 1, PAGE_EXECUTE_READWRITE));
    assert_null(MmSecureVirtualMemory(p, PAGES(2) + 1, PAGE_READONLY));
    assert_null(MmSecureVirtualMemory(p, SIZE_MAX, PAGE_READONLY));
    assert_null(MmSecureVirtualMemory(read_only, 1, PAGE_READWRITE));
    assert_null(MmSecureVirtualMemory(guard, 1, PAGE_READONLY));
    assert_null(MmSecureVirtualMemory(&local, sizeof local, PAGE_READONLY));
    assert_null(MmSecureVirtualMemory(NULL, 1, PAGE_READONLY));
    ntmm_fail_allocation(1);
    assert_null(MmSecureVirtualMemory(p, 1, PAGE_READONLY));
    HANDLE   last = NULL, next;
    unsigned count = 0;
    for (; (next = MmSecureVirtualMemory(p, 1, PAGE_READONLY)) != NULL; count++)
        last = next;
    assert_true(count >= 16);
    MmUnsecureVirtualMemory(last);
    assert_non_null(MmSecureVirtualMemory(p, 1, PAGE_READONLY)); /* the rest goes with the process */
}

static void unsecured_twice(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, 1, PAGE_READWRITE);
    HANDLE         handle = MmSecureVirtualMemory(p, 1, PAGE_READONLY);
    MmUnsecureVirtualMemory(handle);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x15000, handle, 0, 0, MmUnsecureVirtualMemory(handle));
}

static void unsecured_in_another_process(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, 1, PAGE_READWRITE);
    HANDLE         handle = MmSecureVirtualMemory(p, 1, PAGE_READONLY);
    ntmm_process_attach(NULL);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x15001, 0, 0, 0, MmUnsecureVirtualMemory(handle));
}

static void unsecured_too_late(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, 1, PAGE_READWRITE);
    HANDLE         handle = MmSecureVirtualMemory(p, 1, PAGE_READONLY);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x15000, handle, 0, 0, MmUnsecureVirtualMemory(handle));
}

static unsigned char *level_memory;
static HANDLE         level_secured;
static KAPC_STATE     level_state;
LEVEL(MmSecureVirtualMemory, APC_LEVEL, MmSecureVirtualMemory(level_memory, 1, PAGE_READONLY))
LEVEL(MmSecureVirtualMemoryEx, APC_LEVEL, MmSecureVirtualMemoryEx(level_memory, 1, PAGE_READONLY, 0))
LEVEL(MmUnsecureVirtualMemory, APC_LEVEL, MmUnsecureVirtualMemory(level_secured))
LEVEL(KeStackAttachProcess, APC_LEVEL, KeStackAttachProcess(as_object(process), &level_state))
LEVEL(KeUnstackDetachProcess, APC_LEVEL, KeUnstackDetachProcess(&level_state))

static void secure_at_apc_level(void)
{
    KIRQL old;
    process = ntmm_process_create();
    ntmm_process_attach(process);
    level_memory = ntmm_user_alloc(process, 1, PAGE_READWRITE);
    KeRaiseIrql(APC_LEVEL, &old);
    MmUnsecureVirtualMemory(MmSecureVirtualMemory(level_memory, 1, PAGE_READONLY));
    level_secured = MmSecureVirtualMemoryEx(level_memory, 1, PAGE_READONLY, 0);
    KeStackAttachProcess(PsInitialSystemProcess, &level_state);
    KeUnstackDetachProcess(&level_state);
    KeStackAttachProcess(as_object(process), &level_state);
    KeLowerIrql(old);
}

static void securing_too_high(void **state)
{
    static const struct level_case cases[] = { LEVEL_ROW(MmSecureVirtualMemory), LEVEL_ROW(MmSecureVirtualMemoryEx),
                                               LEVEL_ROW(MmUnsecureVirtualMemory), LEVEL_ROW(KeStackAttachProcess),
                                               LEVEL_ROW(KeUnstackDetachProcess) };
    (void)state;
    assert_levels(cases, sizeof cases / sizeof cases[0], secure_at_apc_level);
}

/* ---- the end ---- */

static mm_pfn_number_t pin(unsigned char *p)
{
    mm_pfn_number_t pfn;
    assert_int_equal(mm_view_pin(mm_process_space((ke_process_t *)(void *)process), (uintptr_t)p, true, &pfn), STATUS_SUCCESS);
    return pfn;
}

static void a_process_ends_with_locked_pages(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, PAGES(3), PAGE_READWRITE);
    pin(p);
    pin(p + PAGES(2));
    assert_int_equal(memory_of(process).locked, 2);
    assert_bugcheck_all(PROCESS_HAS_LOCKED_PAGES, 0, process, 2, 0, ntmm_process_destroy(process));
}

static void memory_lasts_while_a_thread_is_there(void **state)
{
    (void)state;
    ntmm_memory_usage before, after;
    unsigned char    *p = ntmm_user_alloc(process, PAGES(3), PAGE_READWRITE);
    PVOID             base = NULL;
    SIZE_T            size = 1;
    *p = 9;
    ntmm_query_memory(&before);
    ntmm_process_destroy(process);
    assert_int_equal(*p, 9);
    assert_int_equal(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, MEM_COMMIT, PAGE_READWRITE),
                     STATUS_PROCESS_IS_TERMINATING);
    ntmm_process_attach(NULL);
    ntmm_query_memory(&after);
    assert_int_equal(before.committed - after.committed, 3);
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    check();
}

static void what_is_left_at_shutdown_is_no_leak(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, PAGES(10), PAGE_READWRITE);
    memset(p, 1, PAGES(10));
    assert_no_leaks();
    process = ntmm_process_create();
    ntmm_process_attach(process);
    assert_int_equal(*(unsigned char *)ntmm_user_alloc(process, 1, PAGE_READWRITE), 0);
}

static void outside_of_a_try(void **state)
{
    (void)state;
    unsigned char *p = ntmm_user_alloc(process, 1, PAGE_READONLY);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_ACCESS_VIOLATION, poke(p, 1));
    assert_true(ntmm_cmocka_caught.parameter[2] == 1 && ntmm_cmocka_caught.parameter[3] == (uintptr_t)p);
}

static void at_dispatch_level(void **state)
{
    (void)state;
    KIRQL          old;
    unsigned char *p = ntmm_user_alloc(process, 1, PAGE_READWRITE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p, (void)raised(poke(p, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        user_test(memory_is_zero_and_pageable),
        user_test(protections),
        user_test(what_cannot_be_allocated),
        user_test(more_processes_than_slices),
        user_test(each_process_has_its_own),
        user_test(copies_fetch_pages_and_stop_where_they_end),
        user_test(two_threads_in_two_processes),
        user_test_config(more_memory_than_ram, &small),
        user_test(a_view_is_flushed),
        user_test(secured_memory_stays),
        user_test(flags_of_securing),
        user_test(what_cannot_be_secured),
        user_test(unsecured_twice),
        user_test(unsecured_in_another_process),
        user_test(unsecured_too_late),
        user_test(securing_too_high),
        user_test(a_process_ends_with_locked_pages),
        user_test(memory_lasts_while_a_thread_is_there),
        user_test(what_is_left_at_shutdown_is_no_leak),
        user_test(outside_of_a_try),
        user_test(at_dispatch_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
