/*
 * test_ex_virtual_memory.c - ZwAllocateVirtualMemory and its companions: which arguments they take, what they answer, and what is there afterwards.
 */
#define NTMM_USES_TRY
#include "../support/levels.h"
#include "../support/user_memory.h"

#define PAGES(n) ((SIZE_T)(n) << PAGE_SHIFT)
#define LARGE ((SIZE_T)2 << 20)
#define GRANULE ((uintptr_t)(PAGE_SIZE > 0x10000 ? PAGE_SIZE : 0x10000))
#define HERE ZwCurrentProcess()

static ntmm_process *process;

static int boot(void **state)
{
    int result = ntmm_cmocka_setup(state);
    process = result == 0 ? ntmm_process_create() : NULL;
    ntmm_process_attach(process);
    return process != NULL ? 0 : -1;
}
#define vm_test(test) cmocka_unit_test_setup_teardown(test, boot, ntmm_cmocka_teardown)

static NTSTATUS allocate_at(unsigned char **base, SIZE_T size, ULONG type, ULONG protect)
{
    PVOID    at = *base;
    NTSTATUS status = ZwAllocateVirtualMemory(HERE, &at, 0, &size, type, protect);
    *base = at;
    return status;
}
static unsigned char *allocate(SIZE_T size, ULONG type, ULONG protect)
{
    unsigned char *base = NULL;
    assert_int_equal(allocate_at(&base, size, type, protect), STATUS_SUCCESS);
    return base;
}
static NTSTATUS free_at(unsigned char *at, SIZE_T size, ULONG type)
{
    PVOID base = at;
    return ZwFreeVirtualMemory(HERE, &base, &size, type);
}
static NTSTATUS protect_at(unsigned char *at, SIZE_T size, ULONG protect, ULONG *old)
{
    PVOID base = at;
    return ZwProtectVirtualMemory(HERE, &base, &size, protect, old);
}
static MEMORY_BASIC_INFORMATION query(const unsigned char *at)
{
    MEMORY_BASIC_INFORMATION information;
    SIZE_T                   length = 0;
    assert_int_equal(ZwQueryVirtualMemory(HERE, (PVOID)(uintptr_t)at, MemoryBasicInformation, &information, sizeof information, &length),
                     STATUS_SUCCESS);
    assert_int_equal(length, sizeof information);
    return information;
}
static void assert_region(const unsigned char *at, ULONG state, ULONG protect, SIZE_T bytes)
{
    MEMORY_BASIC_INFORMATION information = query(at);
    assert_ptr_equal(information.BaseAddress, PAGE_ALIGN(at));
    assert_int_equal(information.State, state);
    assert_int_equal(information.Protect, protect);
    assert_int_equal(information.RegionSize, bytes);
}

/* ---- allocating ---- */

static void reserved_then_committed(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(8), MEM_RESERVE, PAGE_READWRITE), *q = p + PAGES(2) + 1;
    PVOID          base = q;
    SIZE_T         size = PAGE_SIZE;
    assert_int_equal((uintptr_t)p % GRANULE, 0);
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    assert_region(p, MEM_RESERVE, 0, PAGES(8));
    assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, 0, &size, MEM_COMMIT, PAGE_READONLY), STATUS_SUCCESS);
    assert_ptr_equal(base, p + PAGES(2)); /* down to a page, up to a page: two of them */
    assert_int_equal(size, PAGES(2));
    assert_region(p, MEM_RESERVE, 0, PAGES(2));
    assert_region(p + PAGES(2), MEM_COMMIT, PAGE_READONLY, PAGES(2));
    assert_region(p + PAGES(3) + 7, MEM_COMMIT, PAGE_READONLY, PAGES(1));
    assert_region(p + PAGES(4), MEM_RESERVE, 0, PAGES(4));
    MEMORY_BASIC_INFORMATION information = query(p + PAGES(3));
    assert_ptr_equal(information.AllocationBase, p);
    assert_int_equal(information.AllocationProtect, PAGE_READWRITE);
    assert_int_equal(information.Type, MEM_PRIVATE);
    assert_int_equal(peek(q), 0);
    assert_int_equal(raised(poke(q, 1)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_SUCCESS);
    information = query(p);
    assert_true(information.State == MEM_FREE && information.Protect == PAGE_NOACCESS && information.AllocationBase == NULL);
    assert_true(information.Type == 0 && information.AllocationProtect == 0);
}

static void both_at_once_and_without_saying_so(void **state)
{
    (void)state;
    PVOID          base = NULL;
    SIZE_T         size = 1;
    unsigned char *p = allocate(100, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    assert_region(p, MEM_COMMIT, PAGE_READWRITE, PAGE_SIZE);
    assert_int_equal(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(size, PAGE_SIZE); /* it is reserved as well */
    poke(base, 1);
    size = 0;
    assert_int_equal(NtFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE), STATUS_SUCCESS);
    assert_int_equal(size, PAGE_SIZE);
}

static void at_a_given_address(void **state)
{
    (void)state;
    unsigned char *first = allocate(4 * GRANULE, MEM_RESERVE, PAGE_READWRITE), *p;
    assert_int_equal(free_at(first, 0, MEM_RELEASE), STATUS_SUCCESS);
    PVOID  base = first + GRANULE + 100; /* down to 64 KiB, up to the page after the last byte */
    SIZE_T size = GRANULE;
    assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, 0, &size, MEM_RESERVE, PAGE_READWRITE), STATUS_SUCCESS);
    assert_ptr_equal(base, first + GRANULE);
    assert_int_equal(size, GRANULE + PAGE_SIZE);
    p = first + GRANULE + PAGE_SIZE;
    assert_int_equal(allocate_at(&p, 1, MEM_RESERVE, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES); /* no second time */
    assert_int_equal(allocate_at(&p, 1, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    p = first;
    assert_int_equal(allocate_at(&p, GRANULE + 1, MEM_RESERVE, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(allocate_at(&p, 1, MEM_COMMIT, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES); /* nothing is reserved there */
    p = first + GRANULE;
    assert_int_equal(allocate_at(&p, GRANULE + 2 * PAGE_SIZE, MEM_COMMIT, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES); /* beyond */
    assert_int_equal(allocate_at(&p, GRANULE, MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    p = first;
    assert_int_equal(allocate_at(&p, GRANULE, MEM_RESERVE, PAGE_READWRITE), STATUS_SUCCESS);
    p = (unsigned char *)0x20000; /* a user address of Windows, and none of a process here */
    assert_int_equal(allocate_at(&p, 1, MEM_RESERVE, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    p = (unsigned char *)1;
    assert_int_equal(allocate_at(&p, 1, MEM_RESERVE, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
}

static void committed_again(void **state)
{
    (void)state;
    unsigned char      *p = allocate(PAGES(4), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), *at = p + PAGES(1);
    ntmm_process_memory memory;
    poke(p + PAGES(1), 5);
    assert_int_equal(allocate_at(&at, PAGES(2), MEM_COMMIT, PAGE_READONLY), STATUS_SUCCESS);
    assert_int_equal(peek(p + PAGES(1)), 5);
    assert_int_equal(raised(poke(p + PAGES(1), 1)), STATUS_ACCESS_VIOLATION);
    ntmm_query_process_memory(process, &memory);
    assert_int_equal(memory.committed, 4); /* and not paid twice */
    at = p;
    assert_int_equal(allocate_at(&at, PAGES(4), MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

static void from_the_top(void **state)
{
    (void)state;
    unsigned char *low = allocate(1, MEM_RESERVE, PAGE_READWRITE), *high = allocate(1, MEM_RESERVE | MEM_TOP_DOWN, PAGE_READWRITE);
    unsigned char *next = allocate(1, MEM_COMMIT | MEM_TOP_DOWN, PAGE_READWRITE);
    assert_true(low < next && next < high);
    assert_int_equal(high - next, GRANULE);
}

static void zero_bits(void **state)
{
    (void)state;
    PVOID  base = NULL;
    SIZE_T size = 1;
    assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, 0x7FFFFFFFFFFF, &size, MEM_RESERVE, PAGE_READWRITE), STATUS_SUCCESS); /* a mask */
    for (ULONG_PTR bits = 1; bits <= 20; bits++) {
        base = NULL;
        size = 1;
        NTSTATUS status = ZwAllocateVirtualMemory(HERE, &base, bits, &size, MEM_RESERVE, PAGE_READWRITE);
        assert_true(status == STATUS_SUCCESS || status == STATUS_NO_MEMORY);
        if (status == STATUS_SUCCESS)
            assert_int_equal((uintptr_t)base >> (32 - bits), 0);
        else
            assert_true(base == NULL && size == 1); /* untouched */
    }
    for (ULONG_PTR bits = 21; bits <= 32; bits++) {
        base = NULL;
        assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, bits, &size, MEM_RESERVE, PAGE_READWRITE), STATUS_INVALID_PARAMETER_3);
    }
    assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, 0xFFFFF, &size, MEM_RESERVE, PAGE_READWRITE), STATUS_NO_MEMORY); /* below 1 MiB */
}

static void bad_arguments_of_allocate(void **state)
{
    (void)state;
    static const struct {
        uintptr_t base;
        SIZE_T    size;
        ULONG     type, protect;
        NTSTATUS  status;
    } cases[] = {
        { 0, 0, MEM_RESERVE, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4 },
        { 0, SIZE_MAX, MEM_RESERVE, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4 },
        { 0, (SIZE_T)1 << 62, MEM_COMMIT, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4 },
        { UINTPTR_MAX, 1, MEM_RESERVE, PAGE_READWRITE, STATUS_INVALID_PARAMETER_2 },
        { 0xFFFF800000000000, 1, MEM_COMMIT, PAGE_READWRITE, STATUS_INVALID_PARAMETER_2 },
        { 0, 1, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_TOP_DOWN, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RELEASE, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RESERVE | 1, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RESET | MEM_COMMIT, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RESET | MEM_TOP_DOWN, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_PHYSICAL, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RESERVE | MEM_PHYSICAL | MEM_TOP_DOWN, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RESERVE | MEM_PHYSICAL, PAGE_READONLY, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, LARGE, MEM_RESERVE | MEM_LARGE_PAGES, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, LARGE, MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READONLY, STATUS_INVALID_PAGE_PROTECTION },
        { 0, LARGE + 1, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4 },
        { GRANULE, LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE, STATUS_INVALID_PARAMETER_2 },
        { 0, 1, MEM_COMMIT | MEM_PHYSICAL, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5 },
        { 0, 1, MEM_RESERVE, 0, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_RESERVE, PAGE_READONLY | PAGE_READWRITE, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_RESERVE, PAGE_WRITECOPY, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_COMMIT, PAGE_EXECUTE_WRITECOPY, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_COMMIT, PAGE_NOACCESS | PAGE_GUARD, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_COMMIT, PAGE_NOACCESS | PAGE_WRITECOMBINE, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD | PAGE_NOCACHE, STATUS_INVALID_PAGE_PROTECTION },
        { 0, 1, MEM_COMMIT, 0x10000000, STATUS_INVALID_PAGE_PROTECTION },
        { 0, (SIZE_T)512 << 20, MEM_RESERVE, PAGE_READWRITE, STATUS_NO_MEMORY },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PVOID    base = (PVOID)cases[i].base;
        SIZE_T   size = cases[i].size;
        NTSTATUS status = ZwAllocateVirtualMemory(HERE, &base, 0, &size, cases[i].type, cases[i].protect);
        if (status != cases[i].status)
            fail_msg("case %zu: 0x%08x", i, (unsigned)status);
        assert_true(base == (PVOID)cases[i].base && size == cases[i].size);
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    PVOID  base = NULL;
    SIZE_T size = PAGES(2);
    ntmm_fail_allocation(1);
    assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, 0, &size, MEM_COMMIT, PAGE_READWRITE), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(ZwAllocateVirtualMemory(HERE, &base, 0, &size, MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

static const ntmm_config little_commit = { .quiet = true, .physical_memory = 4u << 20, .page_file_size = 1u << 20 };
static void              the_commit_limit(void **state)
{
    (void)state;
    unsigned char *p = NULL;
    process = ntmm_process_create();
    ntmm_process_attach(process);
    assert_int_equal(allocate_at(&p, 16u << 20, MEM_COMMIT, PAGE_READWRITE), STATUS_COMMITMENT_LIMIT);
    p = allocate(16u << 20, MEM_RESERVE, PAGE_READWRITE); /* addresses cost nothing */
    assert_int_equal(allocate_at(&p, 16u << 20, MEM_COMMIT, PAGE_READWRITE), STATUS_COMMITMENT_LIMIT);
    assert_region(p, MEM_RESERVE, 0, 16u << 20);
    assert_int_equal(allocate_at(&p, PAGES(4), MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

/* ---- reset ---- */

enum { RESET_PAGES = 8 };

static unsigned char *filled(void)
{
    unsigned char *p = allocate(PAGES(RESET_PAGES), MEM_COMMIT, PAGE_READWRITE);
    for (size_t i = 0; i < RESET_PAGES; i++)
        poke(p + PAGES(i), (unsigned char)(i + 1));
    return p;
}
static NTSTATUS reset(unsigned char *p, SIZE_T size) { return allocate_at(&p, size, MEM_RESET, PAGE_NOACCESS); }
static NTSTATUS undo(unsigned char *p, SIZE_T size) { return allocate_at(&p, size, MEM_RESET_UNDO, PAGE_READWRITE); }
static uint64_t demand_zero_faults(void)
{
    ntmm_fault_counts counts;
    ntmm_query_faults(&counts);
    return counts.demand_zero;
}

static void reset_pages_that_stay_can_be_asked_back(void **state)
{
    (void)state;
    unsigned char *p = filled();
    assert_int_equal(reset(p, PAGES(RESET_PAGES)), STATUS_SUCCESS);
    assert_true(peek(p) == 1 && peek(p + PAGES(1)) == 2); /* still in RAM */
    ntmm_trim_pageable();                                 /* on a list, and still in RAM */
    assert_int_equal(undo(p, PAGES(RESET_PAGES)), STATUS_SUCCESS);
    ntmm_page_out(); /* and written, since somebody is interested again */
    for (size_t i = 0; i < RESET_PAGES; i++)
        assert_int_equal(peek(p + PAGES(i)), i + 1);
    assert_int_equal(undo(p, PAGES(RESET_PAGES)), STATUS_SUCCESS); /* of what is not reset */
    assert_true(ntmm_check());
}

static void reset_pages_that_go_are_zeros(void **state)
{
    (void)state;
    unsigned char *p = filled();
    uint64_t       before;
    assert_int_equal(reset(p, PAGES(RESET_PAGES)), STATUS_SUCCESS);
    ntmm_page_out();
    before = demand_zero_faults();
    for (size_t i = 0; i < RESET_PAGES; i++)
        assert_int_equal(peek(p + PAGES(i)), 0);
    assert_true(demand_zero_faults() > before);
    assert_int_equal(undo(p, PAGES(RESET_PAGES)), STATUS_UNSUCCESSFUL); /* also when the zeros were seen */
    assert_int_equal(undo(p, PAGES(RESET_PAGES)), STATUS_SUCCESS);
    poke(p, 7);
    ntmm_page_out();
    assert_true(peek(p) == 7 && peek(p + PAGES(1)) == 0);
    assert_true(ntmm_check());
}

static void a_page_written_after_the_reset_is_kept(void **state)
{
    (void)state;
    unsigned char *p = filled();
    assert_int_equal(reset(p, PAGES(2)), STATUS_SUCCESS);
    poke(p, 50);
    ntmm_page_out();
    assert_true(peek(p) == 50 && peek(p + PAGES(1)) == 0 && peek(p + PAGES(2)) == 3);
    poke(p + PAGES(1), 51);
    ntmm_page_out();
    assert_true(peek(p) == 50 && peek(p + PAGES(1)) == 51);
    assert_int_equal(undo(p, PAGES(2)), STATUS_SUCCESS); /* both are new */
    assert_true(ntmm_check());
}

static void what_is_in_the_page_file_is_lost_at_once(void **state)
{
    (void)state;
    unsigned char *p = filled();
    ntmm_page_out();
    assert_int_equal(reset(p, PAGES(RESET_PAGES)), STATUS_SUCCESS);
    assert_true(ntmm_check()); /* its slots in the file are free */
    assert_int_equal(undo(p, PAGES(RESET_PAGES)), STATUS_UNSUCCESSFUL);
    assert_int_equal(peek(p), 0);
    ntmm_page_out();
    assert_int_equal(reset(p, PAGES(1)), STATUS_SUCCESS);
    assert_int_equal(reset(p, PAGES(1)), STATUS_SUCCESS); /* again: what is there are zeros, and will be */
    assert_int_equal(undo(p, PAGES(1)), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

static void locked_and_untouched_pages_are_not_lost(void **state)
{
    (void)state;
    unsigned char *p = filled(), *fresh = allocate(PAGES(2), MEM_COMMIT, PAGE_READWRITE);
    PVOID          base = p;
    SIZE_T         size = PAGE_SIZE;
    assert_int_equal(ZwLockVirtualMemory(HERE, &base, &size, MAP_PROCESS), STATUS_SUCCESS);
    assert_int_equal(reset(p, PAGES(1)), STATUS_SUCCESS);
    assert_int_equal(reset(fresh, PAGES(2)), STATUS_SUCCESS);
    ntmm_page_out();
    assert_int_equal(undo(p, PAGES(1)), STATUS_SUCCESS);
    assert_int_equal(undo(fresh, PAGES(2)), STATUS_SUCCESS);
    assert_true(peek(p) == 1 && peek(fresh) == 0);
}

static void reset_needs_committed_pages(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_RESERVE, PAGE_READWRITE), *at = p;
    assert_int_equal(allocate_at(&at, PAGES(2), MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    poke(p, 3);
    assert_int_equal(reset(p, PAGES(3)), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(undo(p, PAGES(3)), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(reset((unsigned char *)0x20000, 1), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(allocate_at(&at, PAGES(1), MEM_RESET, 0), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(allocate_at(&at, PAGES(1), MEM_RESET | MEM_RESET_UNDO, PAGE_READWRITE), STATUS_INVALID_PARAMETER_5);
    ntmm_page_out();
    assert_int_equal(peek(p), 3);
}

static const ntmm_config windows_7 = { .quiet = true, .windows_version = NTDDI_WIN7 };
static void              undo_came_with_windows_8(void **state)
{
    (void)state;
    process = ntmm_process_create();
    ntmm_process_attach(process);
    unsigned char *p = filled();
    assert_int_equal(reset(p, PAGES(1)), STATUS_SUCCESS);
    assert_int_equal(undo(p, PAGES(1)), STATUS_INVALID_PARAMETER_5);
}

/* ---- other kinds ---- */

static void large_pages_are_rows_of_frames_that_stay(void **state)
{
    (void)state;
    unsigned char *p = allocate(2 * LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE), *at = p;
    assert_int_equal((uintptr_t)p % LARGE, 0);
    for (size_t i = 0; i < 2; i++) {
        uint64_t first = (uint64_t)MmGetPhysicalAddress(p + i * LARGE).QuadPart;
        assert_int_equal(first % LARGE, 0);
        for (size_t page = 0; page < LARGE; page += PAGE_SIZE)
            assert_int_equal(MmGetPhysicalAddress(p + i * LARGE + page).QuadPart, first + page);
    }
    memset(p, 0x42, 2 * LARGE);
    uint64_t first = (uint64_t)MmGetPhysicalAddress(p).QuadPart;
    ntmm_page_out();
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    assert_int_equal(p[LARGE + 5], 0x42); /* no page fault */
    KeLowerIrql(irql);
    assert_int_equal(MmGetPhysicalAddress(p).QuadPart, first);
    ULONG old;
    assert_int_equal(protect_at(p, PAGE_SIZE, PAGE_READONLY, &old), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(free_at(p, PAGE_SIZE, MEM_DECOMMIT), STATUS_UNABLE_TO_DECOMMIT_VM);
    assert_int_equal(allocate_at(&at, LARGE, MEM_RESET, PAGE_READWRITE), STATUS_SUCCESS); /* as on locked pages: no effect */
    assert_region(p, MEM_COMMIT, PAGE_READWRITE, 2 * LARGE);
    assert_true(ntmm_check());
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_SUCCESS);
    assert_true(ntmm_check());
    p = allocate(LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES | MEM_TOP_DOWN,
                 PAGE_EXECUTE_READWRITE); /* and is left to the process's end */
    assert_true((uintptr_t)p % LARGE == 0 && peek(p) == 0);
}

static void large_pages_run_out(void **state)
{
    (void)state;
    unsigned char *p = NULL, *last = NULL;
    NTSTATUS       status;
    size_t         count = 0;
    while ((status = allocate_at(&p, LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE)) == STATUS_SUCCESS) {
        last = p;
        p = NULL;
        count++;
    }
    assert_true(status == STATUS_INSUFFICIENT_RESOURCES || status == STATUS_NO_MEMORY);
    assert_true(count > 4);
    assert_true(ntmm_check());
    assert_int_equal(free_at(last, 0, MEM_RELEASE), STATUS_SUCCESS);
    p = NULL;
    assert_int_equal(allocate_at(&p, LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

static void addresses_for_physical_pages(void **state)
{
    (void)state;
    unsigned char *p = allocate(4 * GRANULE, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE), *at = p;
    assert_region(p, MEM_RESERVE, 0, 4 * GRANULE);
    assert_int_equal(allocate_at(&at, PAGE_SIZE, MEM_COMMIT, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

static void watched_memory_is_like_any_other(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(2), MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
    poke(p, 1);
    assert_region(p, MEM_COMMIT, PAGE_READWRITE, PAGES(2));
}

/* ---- freeing ---- */

static void decommitted_pages_are_reserved_and_zero_again(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_COMMIT, PAGE_READWRITE), *at;
    PVOID          base = p + PAGE_SIZE - 1;
    SIZE_T         size = 2; /* both pages */
    memset(p, 0x77, PAGES(4));
    assert_int_equal(ZwFreeVirtualMemory(HERE, &base, &size, MEM_DECOMMIT), STATUS_SUCCESS);
    assert_ptr_equal(base, p);
    assert_int_equal(size, PAGES(2));
    assert_region(p, MEM_RESERVE, 0, PAGES(2));
    assert_region(p + PAGES(2), MEM_COMMIT, PAGE_READWRITE, PAGES(2));
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(free_at(p, PAGES(3), MEM_DECOMMIT), STATUS_SUCCESS); /* some of them are not committed: no harm */
    at = p;
    assert_int_equal(allocate_at(&at, PAGES(4), MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_true(peek(p) == 0 && peek(p + PAGES(2)) == 0 && peek(p + PAGES(3)) == 0x77);
    size = 0;
    base = p;
    assert_int_equal(ZwFreeVirtualMemory(HERE, &base, &size, MEM_DECOMMIT), STATUS_SUCCESS); /* all of it */
    assert_int_equal(size, PAGES(4));
    assert_region(p, MEM_RESERVE, 0, PAGES(4));
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

static void release_takes_all_that_begins_there(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_RESERVE, PAGE_READWRITE), *at = p + PAGE_SIZE;
    PVOID          base = p;
    SIZE_T         size = 0;
    assert_int_equal(allocate_at(&at, PAGES(2), MEM_COMMIT, PAGE_READONLY), STATUS_SUCCESS);
    assert_int_equal(free_at(p + PAGE_SIZE, 0, MEM_RELEASE), STATUS_FREE_VM_NOT_AT_BASE);
    assert_int_equal(free_at(p + PAGE_SIZE, 0, MEM_DECOMMIT), STATUS_FREE_VM_NOT_AT_BASE);
    assert_int_equal(free_at(p, PAGES(4), MEM_RELEASE), STATUS_INVALID_PARAMETER_3); /* as documented: the size must be 0 */
    assert_int_equal(ZwFreeVirtualMemory(HERE, &base, &size, MEM_RELEASE), STATUS_SUCCESS);
    assert_ptr_equal(base, p);
    assert_int_equal(size, PAGES(4));
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_MEMORY_NOT_ALLOCATED);
    assert_int_equal(free_at(p, 1, MEM_DECOMMIT), STATUS_MEMORY_NOT_ALLOCATED);
}

static void bad_arguments_of_free(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(2), MEM_COMMIT, PAGE_READWRITE);
    assert_int_equal(free_at(p, 0, 0), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(free_at(p, 0, MEM_RELEASE | MEM_DECOMMIT), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(free_at(p, 0, MEM_COMMIT), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(free_at(p, SIZE_MAX, MEM_DECOMMIT), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(free_at((unsigned char *)UINTPTR_MAX, 0, MEM_RELEASE), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(free_at(p, PAGES(2) + 1, MEM_DECOMMIT), STATUS_UNABLE_TO_FREE_VM);
    assert_int_equal(free_at(NULL, 0, MEM_RELEASE), STATUS_MEMORY_NOT_ALLOCATED);
    assert_int_equal(peek(p), 0);
}

/* ---- protecting ---- */

static void protection_changes(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_COMMIT, PAGE_READWRITE);
    PVOID          base = p + PAGES(1) + 5;
    SIZE_T         size = PAGE_SIZE;
    ULONG          old = 0;
    poke(p + PAGES(1), 6);
    assert_int_equal(ZwProtectVirtualMemory(HERE, &base, &size, PAGE_READONLY, &old), STATUS_SUCCESS);
    assert_ptr_equal(base, p + PAGES(1));
    assert_int_equal(size, PAGES(2));
    assert_int_equal(old, PAGE_READWRITE);
    assert_region(p + PAGES(1), MEM_COMMIT, PAGE_READONLY, PAGES(2));
    assert_int_equal(peek(p + PAGES(1)), 6);
    assert_int_equal(raised(poke(p + PAGES(1), 1)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(protect_at(p, PAGES(4), PAGE_NOACCESS, &old), STATUS_SUCCESS);
    assert_int_equal(old, PAGE_READWRITE); /* of the first page */
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(NtProtectVirtualMemory(HERE, &base, &size, PAGE_READWRITE, &old), STATUS_SUCCESS);
    assert_int_equal(old, PAGE_NOACCESS);
    assert_int_equal(peek(p + PAGES(1)), 6);
}

static void a_guard_page_alarms_once(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(2), MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    ULONG          old;
    assert_region(p, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD, PAGES(2));
    assert_int_equal(raised(poke(p, 1)), STATUS_GUARD_PAGE_VIOLATION);
    assert_int_equal(raised(poke(p, 1)), STATUS_SUCCESS);
    assert_region(p, MEM_COMMIT, PAGE_READWRITE, PAGE_SIZE);
    assert_region(p + PAGE_SIZE, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD, PAGE_SIZE);
    assert_int_equal(protect_at(p, PAGE_SIZE, PAGE_READONLY | PAGE_GUARD, &old), STATUS_SUCCESS);
    assert_int_equal(raised((void)peek(p)), STATUS_GUARD_PAGE_VIOLATION);
    assert_int_equal(peek(p), 1);
    assert_int_equal(raised(poke(p, 2)), STATUS_ACCESS_VIOLATION);
}

static void bad_arguments_of_protect(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_RESERVE, PAGE_READWRITE), *at = p;
    ULONG          old = 0xAA;
    assert_int_equal(allocate_at(&at, PAGES(2), MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(protect_at(p, PAGES(3), PAGE_READONLY, &old), STATUS_NOT_COMMITTED);
    assert_int_equal(protect_at(p, PAGES(5), PAGE_READONLY, &old), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(protect_at(p, 1, 0, &old), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(protect_at(p, 1, PAGE_WRITECOPY, &old), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(protect_at(p, 1, PAGE_NOACCESS | PAGE_GUARD, &old), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(protect_at(p, 0, PAGE_READONLY, &old), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(protect_at(p, SIZE_MAX, PAGE_READONLY, &old), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(protect_at((unsigned char *)UINTPTR_MAX, 1, PAGE_READONLY, &old), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(protect_at(NULL, 1, PAGE_READONLY, &old), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(old, 0xAA);
}

/* ---- asking ---- */

static void regions_fill_the_address_space(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(2), MEM_RESERVE, PAGE_READWRITE), *q = allocate(PAGES(2), MEM_COMMIT, PAGE_READONLY);
    uintptr_t      at = 0;
    unsigned       reserved = 0, committed = 0;
    while (at <= (uintptr_t)MM_HIGHEST_USER_ADDRESS) {
        MEMORY_BASIC_INFORMATION information = query((unsigned char *)at);
        assert_int_equal((uintptr_t)information.BaseAddress, at);
        assert_true(information.RegionSize != 0 && information.RegionSize % PAGE_SIZE == 0);
        reserved += information.State == MEM_RESERVE && information.AllocationBase == p;
        committed += information.State == MEM_COMMIT && information.AllocationBase == q;
        at += information.RegionSize;
    }
    assert_int_equal(at, MmUserProbeAddress);
    assert_true(reserved == 1 && committed == 1);
}

static void bad_arguments_of_query(void **state)
{
    (void)state;
    MEMORY_BASIC_INFORMATION information[2] = { { .State = 1 } };
    SIZE_T                   length = 77;
    assert_int_equal(ZwQueryVirtualMemory(HERE, NULL, (MEMORY_INFORMATION_CLASS)1, information, sizeof information, &length),
                     STATUS_INVALID_INFO_CLASS);
    assert_int_equal(ZwQueryVirtualMemory(HERE, NULL, MemoryBasicInformation, information, sizeof information[0] - 1, &length),
                     STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(
        ZwQueryVirtualMemory(HERE, (PVOID)MmUserProbeAddress, MemoryBasicInformation, information, sizeof information, &length),
        STATUS_INVALID_PARAMETER);
    assert_int_equal(ZwQueryVirtualMemory(HERE, information, MemoryBasicInformation, information, sizeof information, &length),
                     STATUS_INVALID_PARAMETER);
    assert_true(length == 77 && information[0].State == 1);
    assert_int_equal(NtQueryVirtualMemory(HERE, NULL, MemoryBasicInformation, information, sizeof information, NULL), STATUS_SUCCESS);
    assert_int_equal(information[0].State, MEM_FREE);
}

static void prefetched(void **state)
{
    (void)state;
    unsigned char     *p = allocate(PAGES(8), MEM_COMMIT, PAGE_READWRITE);
    MEMORY_RANGE_ENTRY ranges[2] = { { p, PAGES(2) }, { p + PAGES(4) + 9, PAGE_SIZE } };
    ULONG              zero = 0, one = 1;
    ntmm_fault_counts  before, after;
    memset(p, 1, PAGES(8));
    ntmm_page_out();
    assert_int_equal(ZwSetInformationVirtualMemory(HERE, VmPrefetchInformation, 2, ranges, &zero, sizeof zero), STATUS_SUCCESS);
    ntmm_query_faults(&before);
    assert_true(peek(p) == 1 && peek(p + PAGES(1)) == 1 && peek(p + PAGES(4)) == 1 && peek(p + PAGES(5)) == 1);
    ntmm_query_faults(&after);
    assert_int_equal(after.hard, before.hard);
    ranges[1].NumberOfBytes = PAGES(100); /* beyond what is there: as far as it goes */
    assert_int_equal(ZwSetInformationVirtualMemory(HERE, VmPrefetchInformation, 2, ranges, &zero, sizeof zero), STATUS_SUCCESS);
#define prefetch(class, count, entries, information, length) \
    ZwSetInformationVirtualMemory(HERE, (VIRTUAL_MEMORY_INFORMATION_CLASS)(class), (count), (entries), (information), (length))
    assert_int_equal(prefetch(1, 2, ranges, &zero, sizeof zero), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(prefetch(0, 0, ranges, &zero, sizeof zero), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(prefetch(0, 2, NULL, &zero, sizeof zero), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(prefetch(0, 2, ranges, NULL, sizeof zero), STATUS_INVALID_PARAMETER_5);
    assert_int_equal(prefetch(0, 2, ranges, &one, sizeof one), STATUS_INVALID_PARAMETER_5);
    assert_int_equal(prefetch(0, 2, ranges, &zero, 8), STATUS_INVALID_PARAMETER_6);
    ranges[0].VirtualAddress = &zero;
    assert_int_equal(prefetch(0, 2, ranges, &zero, sizeof zero), STATUS_INVALID_PARAMETER_4);
}

/* ---- locking ---- */

static NTSTATUS lock_at(unsigned char *at, SIZE_T size, ULONG how)
{
    PVOID base = at;
    return ZwLockVirtualMemory(HERE, &base, &size, how);
}
static NTSTATUS unlock_at(unsigned char *at, SIZE_T size, ULONG how)
{
    PVOID base = at;
    return ZwUnlockVirtualMemory(HERE, &base, &size, how);
}
static uint64_t locked(void)
{
    ntmm_process_memory memory;
    ntmm_query_process_memory(process, &memory);
    return memory.locked;
}

static void locked_pages_stay(void **state)
{
    (void)state;
    unsigned char    *p = allocate(PAGES(6), MEM_COMMIT, PAGE_READWRITE);
    PVOID             base = p + PAGES(1) + 9;
    SIZE_T            size = PAGE_SIZE;
    ntmm_fault_counts before, after;
    memset(p, 1, PAGES(6));
    ntmm_page_out();
    assert_int_equal(ZwLockVirtualMemory(HERE, &base, &size, MAP_PROCESS), STATUS_SUCCESS);
    assert_ptr_equal(base, p + PAGES(1));
    assert_int_equal(size, PAGES(2));
    assert_int_equal(locked(), 2);
    ntmm_page_out();
    ntmm_query_faults(&before);
    assert_true(peek(p + PAGES(1)) == 1 && peek(p + PAGES(2)) == 1);
    ntmm_query_faults(&after);
    assert_int_equal(after.hard, before.hard);
    assert_int_equal(lock_at(p, PAGES(3), MAP_PROCESS), STATUS_WAS_LOCKED);
    assert_int_equal(lock_at(p, PAGES(1), MAP_SYSTEM), STATUS_SUCCESS); /* the other way: a lock of its own */
    assert_int_equal(locked(), 3);
    assert_int_equal(unlock_at(p, PAGES(4), MAP_PROCESS), STATUS_NOT_LOCKED);
    assert_int_equal(unlock_at(p, PAGES(2), MAP_PROCESS | MAP_SYSTEM), STATUS_NOT_LOCKED);
    assert_int_equal(unlock_at(p, PAGES(3), MAP_PROCESS), STATUS_SUCCESS);
    assert_int_equal(locked(), 1);
    assert_int_equal(unlock_at(p, 1, MAP_SYSTEM), STATUS_SUCCESS);
    assert_int_equal(locked(), 0);
    assert_int_equal(unlock_at(p, 1, MAP_SYSTEM), STATUS_NOT_LOCKED);
    assert_true(ntmm_check());
}

static void locked_pages_can_be_freed(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_COMMIT, PAGE_READWRITE), *q = allocate(PAGES(4), MEM_COMMIT, PAGE_READWRITE);
    assert_int_equal(lock_at(p, PAGES(4), MAP_PROCESS | MAP_SYSTEM), STATUS_SUCCESS);
    assert_int_equal(free_at(p, PAGES(2), MEM_DECOMMIT), STATUS_SUCCESS);
    assert_int_equal(locked(), 2);
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_SUCCESS);
    assert_int_equal(locked(), 0);
    assert_int_equal(lock_at(q, PAGES(4), MAP_PROCESS), STATUS_SUCCESS);
    assert_true(ntmm_check());
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process); /* no bug check: these are its own locks */
    assert_true(ntmm_check());
}

static void what_cannot_be_locked(void **state)
{
    (void)state;
    unsigned char *p = allocate(PAGES(4), MEM_RESERVE, PAGE_READWRITE), *at = p;
    ULONG          old;
    assert_int_equal(lock_at(p, 1, MAP_PROCESS), STATUS_ACCESS_VIOLATION);
    assert_int_equal(allocate_at(&at, PAGES(3), MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(lock_at(p, PAGES(4), MAP_PROCESS), STATUS_ACCESS_VIOLATION);
    assert_int_equal(protect_at(p + PAGES(2), 1, PAGE_READWRITE | PAGE_GUARD, &old), STATUS_SUCCESS);
    assert_int_equal(lock_at(p, PAGES(3), MAP_PROCESS), STATUS_GUARD_PAGE_VIOLATION);
    assert_int_equal(locked(), 0);
    assert_int_equal(lock_at(p, PAGES(3), MAP_PROCESS), STATUS_SUCCESS); /* the alarm is over */
    assert_int_equal(protect_at(p, 1, PAGE_NOACCESS, &old), STATUS_SUCCESS);
    assert_int_equal(lock_at(p, 1, MAP_SYSTEM), STATUS_ACCESS_VIOLATION);
    assert_int_equal(lock_at(p, 0, MAP_PROCESS), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(lock_at(p, SIZE_MAX, MAP_PROCESS), STATUS_INVALID_PARAMETER_3);
    assert_int_equal(lock_at((unsigned char *)UINTPTR_MAX, 1, MAP_PROCESS), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(lock_at(p, 1, 0), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(unlock_at(p, 1, 4), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(lock_at(NULL, 1, MAP_PROCESS), STATUS_ACCESS_VIOLATION);
    assert_int_equal(unlock_at(NULL, 1, MAP_PROCESS), STATUS_NOT_LOCKED);
    p = allocate(32u << 20, MEM_COMMIT, PAGE_READWRITE);
    assert_int_equal(lock_at(p, 32u << 20, MAP_PROCESS), STATUS_WORKING_SET_QUOTA);
    assert_true(ntmm_check());
}

/* ---- flushing ---- */

static void only_views_can_be_flushed(void **state) /* of views: test_mm_user_memory */
{
    (void)state;
    unsigned char  *p = allocate(PAGES(2), MEM_COMMIT, PAGE_READWRITE);
    PVOID           base = p;
    SIZE_T          size = 0;
    IO_STATUS_BLOCK io = { .Information = 5 };
    assert_int_equal(ZwFlushVirtualMemory(HERE, &base, &size, &io), STATUS_NOT_MAPPED_VIEW);
    assert_true(io.Status == STATUS_NOT_MAPPED_VIEW && io.Information == 0);
    base = NULL;
    assert_int_equal(ZwFlushVirtualMemory(HERE, &base, &size, &io), STATUS_NOT_MAPPED_VIEW);
    base = &io;
    assert_int_equal(ZwFlushVirtualMemory(HERE, &base, &size, &io), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(ZwFlushVirtualMemory(NULL, &base, &size, &io), STATUS_INVALID_PARAMETER_2);
    base = p;
    assert_int_equal(ZwFlushVirtualMemory(NULL, &base, &size, &io), STATUS_INVALID_HANDLE);
}

/* ---- handles and levels ---- */

static void in_another_process_by_handle(void **state)
{
    (void)state;
    ntmm_process *other = ntmm_process_create();
    HANDLE        handle;
    KAPC_STATE    apc;
    PVOID         base = NULL;
    SIZE_T        size = PAGES(2);
    ULONG         old;
    assert_int_equal(
        ObOpenObjectByPointer(as_object(other), OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, &handle),
        STATUS_SUCCESS);
    assert_int_equal(ZwAllocateVirtualMemory(handle, &base, 0, &size, MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(query(base).State, MEM_FREE); /* not ours */
    KeStackAttachProcess(as_object(other), &apc);
    assert_int_equal(query(base).State, MEM_COMMIT);
    poke(base, 4);
    KeUnstackDetachProcess(&apc);
    MEMORY_BASIC_INFORMATION information;
    assert_int_equal(ZwQueryVirtualMemory(handle, base, MemoryBasicInformation, &information, sizeof information, NULL), STATUS_SUCCESS);
    assert_int_equal(information.State, MEM_COMMIT);
    assert_int_equal(ZwProtectVirtualMemory(handle, &base, &size, PAGE_READONLY, &old), STATUS_SUCCESS);
    size = 0;
    assert_int_equal(ZwFreeVirtualMemory(handle, &base, &size, MEM_RELEASE), STATUS_SUCCESS);
    base = NULL;
    size = 1;
    ntmm_process_destroy(other);
    assert_int_equal(ZwAllocateVirtualMemory(handle, &base, 0, &size, MEM_COMMIT, PAGE_READWRITE), STATUS_PROCESS_IS_TERMINATING);
    assert_int_equal(ZwQueryVirtualMemory(handle, NULL, MemoryBasicInformation, &information, sizeof information, NULL),
                     STATUS_PROCESS_IS_TERMINATING);
    assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
}

static void wrong_handles(void **state)
{
    (void)state;
    HANDLE                   thread;
    PVOID                    base = NULL;
    SIZE_T                   size = 1, nothing = 0;
    ULONG                    old, zero = 0;
    MEMORY_RANGE_ENTRY       range = { NULL, 1 };
    MEMORY_BASIC_INFORMATION information;
    assert_int_equal(
        ObOpenObjectByPointer(KeGetCurrentThread(), OBJ_KERNEL_HANDLE, NULL, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &thread),
        STATUS_SUCCESS);
    const struct {
        HANDLE   handle;
        NTSTATUS status;
    } cases[] = { { NULL, STATUS_INVALID_HANDLE },
                  { (HANDLE)0x1234, STATUS_INVALID_HANDLE },
                  { thread, STATUS_OBJECT_TYPE_MISMATCH },
                  { ZwCurrentThread(), STATUS_OBJECT_TYPE_MISMATCH } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        HANDLE handle = cases[i].handle;
        assert_int_equal(ZwAllocateVirtualMemory(handle, &base, 0, &size, MEM_COMMIT, PAGE_READWRITE), cases[i].status);
        assert_int_equal(ZwFreeVirtualMemory(handle, &base, &nothing, MEM_RELEASE), cases[i].status);
        assert_int_equal(ZwProtectVirtualMemory(handle, &base, &size, PAGE_READWRITE, &old), cases[i].status);
        assert_int_equal(ZwQueryVirtualMemory(handle, NULL, MemoryBasicInformation, &information, sizeof information, NULL),
                         cases[i].status);
        assert_int_equal(ZwSetInformationVirtualMemory(handle, VmPrefetchInformation, 1, &range, &zero, sizeof zero), cases[i].status);
    }
    assert_int_equal(ZwClose(thread), STATUS_SUCCESS);
}

static void the_system_process_has_user_memory_too(void **state)
{
    (void)state;
    ntmm_process_attach(NULL);
    unsigned char *p = allocate(PAGES(2), MEM_COMMIT, PAGE_READWRITE);
    poke(p, 1);
    assert_int_equal(free_at(p, 0, MEM_RELEASE), STATUS_SUCCESS);
}

static PVOID                    level_base;
static SIZE_T                   level_size = 1;
static ULONG                    level_old;
static IO_STATUS_BLOCK          level_io;
static MEMORY_BASIC_INFORMATION level_info;
LEVEL(ZwAllocateVirtualMemory, PASSIVE_LEVEL, ZwAllocateVirtualMemory(HERE, &level_base, 0, &level_size, MEM_COMMIT, PAGE_READWRITE))
LEVEL(NtAllocateVirtualMemory, PASSIVE_LEVEL, NtAllocateVirtualMemory(HERE, &level_base, 0, &level_size, MEM_COMMIT, PAGE_READWRITE))
LEVEL(ZwFreeVirtualMemory, PASSIVE_LEVEL, ZwFreeVirtualMemory(HERE, &level_base, &level_size, MEM_RELEASE))
LEVEL(NtFreeVirtualMemory, PASSIVE_LEVEL, NtFreeVirtualMemory(HERE, &level_base, &level_size, MEM_RELEASE))
LEVEL(ZwProtectVirtualMemory, PASSIVE_LEVEL, ZwProtectVirtualMemory(HERE, &level_base, &level_size, PAGE_READONLY, &level_old))
LEVEL(ZwQueryVirtualMemory, PASSIVE_LEVEL,
      ZwQueryVirtualMemory(HERE, NULL, MemoryBasicInformation, &level_info, sizeof level_info, &level_size))
LEVEL(NtQueryVirtualMemory, PASSIVE_LEVEL,
      NtQueryVirtualMemory(HERE, NULL, MemoryBasicInformation, &level_info, sizeof level_info, &level_size))
LEVEL(ZwLockVirtualMemory, PASSIVE_LEVEL, ZwLockVirtualMemory(HERE, &level_base, &level_size, 1))
LEVEL(ZwUnlockVirtualMemory, PASSIVE_LEVEL, ZwUnlockVirtualMemory(HERE, &level_base, &level_size, 1))
LEVEL(ZwSetInformationVirtualMemory, PASSIVE_LEVEL, ZwSetInformationVirtualMemory(HERE, VmPrefetchInformation, 0, NULL, NULL, 0))
LEVEL(ZwFlushVirtualMemory, PASSIVE_LEVEL, ZwFlushVirtualMemory(HERE, &level_base, &level_size, &level_io))
static void too_high(void **state)
{
    static const struct level_case cases[] = {
        LEVEL_ROW(ZwAllocateVirtualMemory), LEVEL_ROW(NtAllocateVirtualMemory),       LEVEL_ROW(ZwFreeVirtualMemory),
        LEVEL_ROW(NtFreeVirtualMemory),     LEVEL_ROW(ZwProtectVirtualMemory),        LEVEL_ROW(ZwQueryVirtualMemory),
        LEVEL_ROW(NtQueryVirtualMemory),    LEVEL_ROW(ZwLockVirtualMemory),           LEVEL_ROW(ZwUnlockVirtualMemory),
        LEVEL_ROW(ZwFlushVirtualMemory),    LEVEL_ROW(ZwSetInformationVirtualMemory),
    };
    (void)state;
    assert_levels(cases, sizeof cases / sizeof cases[0], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vm_test(reserved_then_committed),
        vm_test(both_at_once_and_without_saying_so),
        vm_test(at_a_given_address),
        vm_test(committed_again),
        vm_test(from_the_top),
        vm_test(zero_bits),
        vm_test(bad_arguments_of_allocate),
        vm_test(memory_runs_out),
        ntmm_cmocka_test_config(the_commit_limit, &little_commit),
        vm_test(reset_pages_that_stay_can_be_asked_back),
        vm_test(reset_pages_that_go_are_zeros),
        vm_test(a_page_written_after_the_reset_is_kept),
        vm_test(what_is_in_the_page_file_is_lost_at_once),
        vm_test(locked_and_untouched_pages_are_not_lost),
        vm_test(reset_needs_committed_pages),
        ntmm_cmocka_test_config(undo_came_with_windows_8, &windows_7),
        vm_test(large_pages_are_rows_of_frames_that_stay),
        vm_test(large_pages_run_out),
        vm_test(addresses_for_physical_pages),
        vm_test(watched_memory_is_like_any_other),
        vm_test(decommitted_pages_are_reserved_and_zero_again),
        vm_test(release_takes_all_that_begins_there),
        vm_test(bad_arguments_of_free),
        vm_test(protection_changes),
        vm_test(a_guard_page_alarms_once),
        vm_test(bad_arguments_of_protect),
        vm_test(regions_fill_the_address_space),
        vm_test(bad_arguments_of_query),
        vm_test(prefetched),
        vm_test(locked_pages_stay),
        vm_test(locked_pages_can_be_freed),
        vm_test(what_cannot_be_locked),
        vm_test(only_views_can_be_flushed),
        vm_test(in_another_process_by_handle),
        vm_test(wrong_handles),
        vm_test(the_system_process_has_user_memory_too),
        vm_test(too_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
