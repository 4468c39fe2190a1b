/*
 * test_ex_virtual_memory.c - ZwAllocateVirtualMemory and its companions against an array with one entry a page: random calls at random addresses,
 * sizes and protections, touches, trims and page-outs, with less RAM than is committed. Each call must answer what the array says, each touch
 * find the byte or raise the exception.
 * Prints its seed; NTMM_SEED replays one, NTMM_OPERATIONS changes the number of steps.
 */
#define NTMM_USES_TRY
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../support/user_memory.h"

#define GRANULE (PAGE_SIZE > 0x10000u ? PAGE_SIZE : 0x10000u)
#define ARENA_BYTES (48u * GRANULE)
#define ARENA (ARENA_BYTES >> PAGE_SHIFT)
#define MOST_BYTES (5u * GRANULE)
#define RAM_PAGES 256u

static uint64_t seed, state;

static uint32_t below(uint32_t limit)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(((state * 0x2545F4914F6CDD1Dull >> 32) * limit) >> 32);
}

/* ---- the model ---- */

typedef struct page {
    uint32_t      allocation; /* 0: free */
    bool          committed;
    ULONG         protect, allocation_protect;
    ULONG         locks; /* MAP_* */
    unsigned char byte;
    bool          reset; /* nobody is interested: it may become zeros */
    bool          maybe; /* it may have become zeros, and stays what it is */
    bool          lost;  /* zeros were seen where something had been reset */
} page_t;
static page_t         pages[ARENA];
static uint32_t       allocations;
static unsigned char *arena;

typedef struct range {
    size_t first, end; /* pages of the arena */
} range_t;

static range_t range_at(size_t byte, size_t bytes, size_t unit)
{
    return (range_t){ byte / unit * unit >> PAGE_SHIFT, (byte + bytes + PAGE_SIZE - 1) >> PAGE_SHIFT };
}

static bool all_free(range_t range)
{
    for (size_t i = range.first; i < range.end; i++)
        if (pages[i].allocation != 0)
            return false;
    return true;
}
static bool in_one_allocation(range_t range)
{
    for (size_t i = range.first; i < range.end; i++)
        if (pages[i].allocation == 0 || pages[i].allocation != pages[range.first].allocation)
            return false;
    return true;
}
static bool    is_base(size_t page) { return page == 0 || pages[page - 1].allocation != pages[page].allocation; }
static range_t allocation_at(size_t page)
{
    range_t range = { page, page };
    while (range.end < ARENA && pages[range.end].allocation == pages[page].allocation)
        range.end++;
    return range;
}
static void take(range_t range, bool commit, ULONG protect)
{
    allocations++;
    for (size_t i = range.first; i < range.end; i++)
        pages[i] = (page_t){ .allocation = allocations, .committed = commit, .protect = protect, .allocation_protect = protect };
}

/* ---- one step each ---- */

#define expect(status, expected) \
    do { \
        NTSTATUS status_ = (status), expected_ = (expected); \
        if (status_ != expected_) \
            fail_msg("seed %llu: 0x%08x, not 0x%08x, from %s", (unsigned long long)seed, (unsigned)status_, (unsigned)expected_, #status); \
    } while (0)

static ULONG any_protection(void)
{
    static const ULONG all[] = { PAGE_READWRITE, PAGE_READWRITE,         PAGE_READONLY,
                                 PAGE_NOACCESS,  PAGE_EXECUTE_READWRITE, PAGE_READWRITE | PAGE_GUARD };
    return all[below(sizeof all / sizeof all[0])];
}
static size_t any_byte(void) { return below(ARENA_BYTES - MOST_BYTES); }
static size_t any_size(void) { return 1 + below(below(2) ? MOST_BYTES : 3 * PAGE_SIZE); }

static void reserve_there(void)
{
    size_t   byte = any_byte(), bytes = any_size();
    ULONG    protect = any_protection();
    bool     commit = below(2);
    range_t  range = range_at(byte, bytes, GRANULE);
    PVOID    base = arena + byte;
    SIZE_T   size = bytes;
    NTSTATUS expected = all_free(range) ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
    expect(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, commit ? MEM_RESERVE | MEM_COMMIT : MEM_RESERVE, protect),
           expected);
    if (expected != STATUS_SUCCESS)
        return;
    assert_ptr_equal(base, arena + (range.first << PAGE_SHIFT));
    assert_int_equal(size, (range.end - range.first) << PAGE_SHIFT);
    take(range, commit, protect);
}

static void reserve_somewhere(void)
{
    SIZE_T  bytes = any_size(), size = bytes;
    ULONG   protect = any_protection();
    bool    commit = below(2);
    PVOID   base = NULL;
    range_t range = range_at(0, bytes, GRANULE);
    while (range.end <= ARENA && !all_free(range)) {
        range.first += GRANULE >> PAGE_SHIFT;
        range.end += GRANULE >> PAGE_SHIFT;
    }
    expect(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, commit ? MEM_COMMIT : MEM_RESERVE, protect), STATUS_SUCCESS);
    if (range.end <= ARENA) { /* the lowest place where it fits */
        assert_ptr_equal(base, arena + (range.first << PAGE_SHIFT));
        take(range, commit, protect);
        return;
    }
    assert_true((unsigned char *)base >= arena + ARENA_BYTES - MOST_BYTES); /* behind the arena, or hanging over its end */
    size = 0;
    expect(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_RELEASE), STATUS_SUCCESS);
}

static void commit_pages(void)
{
    size_t   byte = any_byte(), bytes = any_size();
    ULONG    protect = any_protection();
    range_t  range = range_at(byte, bytes, PAGE_SIZE);
    PVOID    base = arena + byte;
    SIZE_T   size = bytes;
    NTSTATUS expected = in_one_allocation(range) ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
    expect(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, MEM_COMMIT, protect), expected);
    for (size_t i = range.first; i < range.end && expected == STATUS_SUCCESS; i++) {
        if (!pages[i].committed) {
            pages[i].byte = 0;
            pages[i].reset = pages[i].maybe = pages[i].lost = false;
        }
        pages[i].committed = true;
        pages[i].protect = protect;
    }
}

static void decommit_pages(void)
{
    bool     whole = below(4) == 0;
    size_t   byte = any_byte(), bytes = whole ? 0 : any_size();
    range_t  range = range_at(byte, bytes != 0 ? bytes : 1, PAGE_SIZE);
    PVOID    base = arena + byte;
    SIZE_T   size = bytes;
    NTSTATUS expected = STATUS_SUCCESS;
    if (pages[range.first].allocation == 0)
        expected = STATUS_MEMORY_NOT_ALLOCATED;
    else if (whole)
        expected = is_base(range.first) ? STATUS_SUCCESS : STATUS_FREE_VM_NOT_AT_BASE;
    else if (!in_one_allocation(range))
        expected = STATUS_UNABLE_TO_FREE_VM;
    expect(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_DECOMMIT), expected);
    if (expected != STATUS_SUCCESS)
        return;
    range = whole ? allocation_at(range.first) : range;
    assert_int_equal(size, (range.end - range.first) << PAGE_SHIFT);
    for (size_t i = range.first; i < range.end; i++) {
        pages[i].committed = false;
        pages[i].locks = 0;
    }
}

static void release_allocation(void)
{
    size_t   byte = below(2) ? any_byte() : any_byte() / GRANULE * GRANULE, page = byte >> PAGE_SHIFT;
    PVOID    base = arena + byte;
    SIZE_T   size = 0;
    NTSTATUS expected = pages[page].allocation == 0 ? STATUS_MEMORY_NOT_ALLOCATED
                        : is_base(page)             ? STATUS_SUCCESS
                                                    : STATUS_FREE_VM_NOT_AT_BASE;
    expect(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_RELEASE), expected);
    if (expected != STATUS_SUCCESS)
        return;
    range_t range = allocation_at(page);
    assert_int_equal(size, (range.end - range.first) << PAGE_SHIFT);
    memset(&pages[range.first], 0, (range.end - range.first) * sizeof pages[0]);
}

static void protect_pages(void)
{
    size_t   byte = any_byte(), bytes = any_size();
    ULONG    protect = any_protection(), old = 0;
    range_t  range = range_at(byte, bytes, PAGE_SIZE);
    PVOID    base = arena + byte;
    SIZE_T   size = bytes;
    NTSTATUS expected = in_one_allocation(range) ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
    for (size_t i = range.first; i < range.end && expected == STATUS_SUCCESS; i++)
        if (!pages[i].committed)
            expected = STATUS_NOT_COMMITTED;
    expect(ZwProtectVirtualMemory(ZwCurrentProcess(), &base, &size, protect, &old), expected);
    if (expected != STATUS_SUCCESS)
        return;
    assert_int_equal(old, pages[range.first].protect);
    for (size_t i = range.first; i < range.end; i++)
        pages[i].protect = protect;
}

static bool all_committed(range_t range)
{
    for (size_t i = range.first; i < range.end; i++)
        if (!pages[i].committed)
            return false;
    return true;
}

static void reset_pages(void)
{
    size_t  byte = any_byte(), bytes = any_size();
    range_t range = range_at(byte, bytes, PAGE_SIZE);
    PVOID   base = arena + byte;
    SIZE_T  size = bytes;
    bool    all = all_committed(range);
    expect(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, MEM_RESET, PAGE_READWRITE),
           all ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES);
    for (size_t i = range.first; i < range.end && all; i++)
        if (pages[i].locks == 0) {
            pages[i].reset = true;
            pages[i].lost = false;
        }
}

static void undo_reset(void)
{
    size_t  byte = any_byte(), bytes = any_size();
    range_t range = range_at(byte, bytes, PAGE_SIZE);
    PVOID   base = arena + byte;
    SIZE_T  size = bytes;
    bool    lost = false, reset = false;
    for (size_t i = range.first; i < range.end; i++) {
        lost = lost || pages[i].lost;
        reset = reset || pages[i].reset;
    }
    NTSTATUS status = ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, MEM_RESET_UNDO, PAGE_READWRITE);
    if (!all_committed(range))
        expect(status, STATUS_CONFLICTING_ADDRESSES);
    else if (lost || (status != STATUS_SUCCESS && reset))
        expect(status, STATUS_UNSUCCESSFUL);
    else
        expect(status, STATUS_SUCCESS);
    for (size_t i = range.first; i < range.end && status != STATUS_CONFLICTING_ADDRESSES; i++) {
        pages[i].maybe = pages[i].maybe || (pages[i].reset && status != STATUS_SUCCESS);
        pages[i].reset = pages[i].lost = false;
    }
}

#define LOCKS_MOST (RAM_PAGES / 4)

static NTSTATUS may_lock(range_t range, ULONG how)
{
    uint32_t locked = 0;
    bool     was = false;
    for (size_t i = 0; i < ARENA; i++)
        locked += pages[i].locks != 0;
    for (size_t i = range.first; i < range.end; i++) {
        if (!pages[i].committed || pages[i].protect == PAGE_NOACCESS)
            return STATUS_ACCESS_VIOLATION;
        locked += pages[i].locks == 0;
        was = was || (pages[i].locks & how) != 0;
    }
    if (locked > LOCKS_MOST)
        return STATUS_WORKING_SET_QUOTA;
    for (size_t i = range.first; i < range.end; i++)
        if ((pages[i].protect & PAGE_GUARD) != 0) {
            pages[i].protect &= ~(ULONG)PAGE_GUARD;
            return STATUS_GUARD_PAGE_VIOLATION;
        }
    return was ? STATUS_WAS_LOCKED : STATUS_SUCCESS;
}

static void lock_pages(void)
{
    size_t   byte = any_byte(), bytes = any_size();
    ULONG    how = 1 + below(3);
    range_t  range = range_at(byte, bytes, PAGE_SIZE);
    PVOID    base = arena + byte;
    SIZE_T   size = bytes;
    NTSTATUS status = ZwLockVirtualMemory(ZwCurrentProcess(), &base, &size, how), expected;
    if (status == STATUS_INSUFFICIENT_RESOURCES) /* RAM is promised to others: nothing has changed */
        return;
    expected = may_lock(range, how);
    expect(status, expected);
    for (size_t i = range.first; i < range.end && NT_SUCCESS(expected); i++)
        pages[i].locks |= how;
}

static void unlock_pages(void)
{
    size_t  byte = any_byte(), bytes = any_size();
    ULONG   how = 1 + below(3);
    range_t range = range_at(byte, bytes, PAGE_SIZE);
    PVOID   base = arena + byte;
    SIZE_T  size = bytes;
    bool    all = true;
    for (size_t i = range.first; i < range.end; i++)
        all = all && (pages[i].locks & how) == how;
    expect(ZwUnlockVirtualMemory(ZwCurrentProcess(), &base, &size, how), all ? STATUS_SUCCESS : STATUS_NOT_LOCKED);
    for (size_t i = range.first; i < range.end && all; i++)
        pages[i].locks &= ~how;
}

static void count_locks(void)
{
    ntmm_process_memory memory;
    uint64_t            locked = 0;
    for (size_t i = 0; i < ARENA; i++)
        locked += pages[i].locks != 0;
    ntmm_query_process_memory((ntmm_process *)(void *)PsGetCurrentProcess(), &memory);
    assert_int_equal(memory.locked, locked);
}

static bool alike(const page_t *one, const page_t *other)
{
    if (one->allocation != other->allocation || one->committed != other->committed)
        return false;
    return !one->committed || one->protect == other->protect;
}

static void ask(void)
{
    MEMORY_BASIC_INFORMATION information;
    size_t                   byte = any_byte(), first = byte >> PAGE_SHIFT, end = first + 1;
    const page_t            *page = &pages[first];
    expect(ZwQueryVirtualMemory(ZwCurrentProcess(), arena + byte, MemoryBasicInformation, &information, sizeof information, NULL),
           STATUS_SUCCESS);
    while (end < ARENA && alike(page, &pages[end]))
        end++;
    assert_ptr_equal(information.BaseAddress, arena + (first << PAGE_SHIFT));
    assert_int_equal(information.State, page->allocation == 0 ? MEM_FREE : page->committed ? MEM_COMMIT : MEM_RESERVE);
    if (end < ARENA)
        assert_int_equal(information.RegionSize, (end - first) << PAGE_SHIFT);
    assert_int_equal(information.Protect, page->allocation == 0 ? PAGE_NOACCESS : page->committed ? page->protect : 0);
    assert_int_equal(information.AllocationProtect, page->allocation_protect);
}

static NTSTATUS raises(page_t *page, bool write)
{
    if (!page->committed || page->protect == PAGE_NOACCESS)
        return STATUS_ACCESS_VIOLATION;
    if ((page->protect & PAGE_GUARD) != 0) {
        page->protect &= ~(ULONG)PAGE_GUARD;
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    return write && page->protect == PAGE_READONLY ? STATUS_ACCESS_VIOLATION : STATUS_SUCCESS;
}

static void touch(void)
{
    size_t         page = below(ARENA);
    bool           write = below(2);
    unsigned char *at = arena + (page << PAGE_SHIFT) + 11, value = (unsigned char)below(256), found = 0;
    NTSTATUS       status = write ? raised(poke(at, value)) : raised(found = peek(at));
    expect(status, raises(&pages[page], write));
    if (status != STATUS_SUCCESS)
        return;
    if (write) {
        pages[page].byte = value;
        pages[page].reset = pages[page].maybe = pages[page].lost = false;
        return;
    }
    if (found != pages[page].byte && found == 0 && (pages[page].reset || pages[page].maybe)) {
        pages[page].byte = 0;
        pages[page].lost = pages[page].reset && !pages[page].maybe;
    }
    pages[page].maybe = pages[page].maybe && pages[page].reset;
    if (found != pages[page].byte)
        fail_msg("seed %llu: page %zu holds 0x%x, not 0x%x", (unsigned long long)seed, page, found, pages[page].byte);
}

/* ---- all of them ---- */

static void play(void **unused)
{
    const char       *text = getenv("NTMM_OPERATIONS");
    uint64_t          steps = text != NULL ? strtoull(text, NULL, 0) : 60000;
    unsigned char    *lowest = user_pages(1);
    ntmm_fault_counts counts;
    (void)unused;
    ntmm_user_free((ntmm_process *)(void *)PsGetCurrentProcess(), lowest);
    arena = lowest;
    state = seed * 2 + 1;
    memset(pages, 0, sizeof pages);
    for (uint64_t i = 0; i < steps; i++) {
        uint32_t which = below(100);
        if (which < 6)
            reserve_there();
        else if (which < 12)
            reserve_somewhere();
        else if (which < 24)
            commit_pages();
        else if (which < 30)
            decommit_pages();
        else if (which < 38)
            release_allocation();
        else if (which < 46)
            protect_pages();
        else if (which < 54)
            ask();
        else if (which < 58)
            lock_pages();
        else if (which < 62)
            unlock_pages();
        else if (which < 64)
            reset_pages();
        else if (which < 65)
            undo_reset();
        else if (which < 99 || below(20) != 0)
            touch();
        else if (below(2))
            ntmm_trim_pageable();
        else
            ntmm_page_out();
        if (i % 101 == 0)
            count_locks();
        if (i % 997 == 0 && !ntmm_check())
            fail_msg("seed %llu, step %llu: %s", (unsigned long long)seed, (unsigned long long)i, ntmm_error());
    }
    count_locks();
    ntmm_query_faults(&counts);
    assert_true(counts.hard != 0);
    assert_true(ntmm_check());
}

int main(void)
{
    const char *text = getenv("NTMM_SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    static const ntmm_config by_userfaultfd = { .quiet = true, .physical_memory = RAM_PAGES << PAGE_SHIFT, .page_file_size = 64u << 20 };
    static const ntmm_config by_mprotect = {
        .quiet = true, .physical_memory = RAM_PAGES << PAGE_SHIFT, .page_file_size = 64u << 20, .page_gate = NTMM_GATE_MPROTECT
    };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(play, &by_userfaultfd),
        ntmm_cmocka_test_config(play, &by_mprotect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
