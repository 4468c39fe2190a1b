/*
 * test_mm_view.c - spaces, views and segments: what lies where, what a touch does, what trimming takes away. Every test runs with both gates.
 */
#define NTMM_USES_TRY
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../support/views.h"
#include "ke/process.h"
#include "mm/charge.h"
#include "mm/pinned.h"

#define RAM 1024u  /* pages */
#define FILE 2048u /* pages */

#define assert_faults(before, s, h, z) \
    do { \
        ntmm_fault_counts now_ = faults(); \
        assert_int_equal(now_.soft - (before).soft, s); \
        assert_int_equal(now_.hard - (before).hard, h); \
        assert_int_equal(now_.demand_zero - (before).demand_zero, z); \
    } while (0)

static uintptr_t reserve(size_t pages, bool commit, uint32_t protect)
{
    mm_view_want_t want = { .bytes = PAGES(pages), .protect = protect, .type = MEM_PRIVATE, .commit = commit };
    uintptr_t      base = 0;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_SUCCESS);
    return base;
}

/* ---- private memory ---- */

static void private_memory_is_demand_zero(void **state)
{
    (void)state;
    uintptr_t         p = reserve(40, true, PAGE_READWRITE);
    ntmm_fault_counts before = faults();
    assert_int_equal(p % MM_USER_ALLOCATION_GRANULARITY, 0);
    assert_int_equal(read_word(p), 0);
    assert_faults(before, 0, 0, 1);
    write_word(p, 7);
    assert_faults(before, 0, 0, 1);
    for (size_t i = 0; i < 40; i++)
        write_word(p + PAGES(i) + 8, i);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(read_word(p + PAGES(i) + 8), i);
    assert_true(faults().demand_zero - before.demand_zero < 20); /* they come along */
    assert_faults(before, 0, 0, faults().demand_zero - before.demand_zero);
    check();
    assert_int_equal(mm_view_unmap(space, p + PAGES(20)), STATUS_SUCCESS);
    assert_int_equal(touch(p, false), STATUS_ACCESS_VIOLATION);
    check();
}

static void it_can_be_trimmed_and_paged_out(void **state)
{
    (void)state;
    uintptr_t p = reserve(32, true, PAGE_READWRITE);
    for (size_t i = 0; i < 32; i++)
        write_word(p + PAGES(i), 100 + i);
    ntmm_fault_counts before = faults();
    ntmm_trim_pageable();
    check();
    assert_int_equal(read_word(p), 100);
    assert_faults(before, 1, 0, 0);
    before = faults();
    ntmm_page_out();
    check();
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(read_word(p + PAGES(i)), 100 + i);
    assert_true(faults().hard - before.hard >= 2 && faults().hard - before.hard <= 4);
    assert_int_equal(faults().soft, before.soft);
    write_word(p, 5); /* clean until now */
    ntmm_page_out();
    assert_int_equal(read_word(p), 5);
    check();
}

static void nothing_lies_below_or_behind_it(void **state)
{
    (void)state;
    uintptr_t p = reserve(3, true, PAGE_READWRITE);
    assert_int_equal(touch(p + PAGES(3), true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(touch(p + PAGES(3) - 1, true), STATUS_SUCCESS);
    assert_int_equal(faults().access_violations, 1);
    mm_region_t region = mm_space_region(space);
    assert_int_equal(touch(region.base + region.bytes - 1, false), STATUS_ACCESS_VIOLATION);
    assert_int_equal(touch(region.base + region.bytes, false), STATUS_ACCESS_VIOLATION); /* the next slice: nobody's */
}

static void commit_and_decommit(void **state)
{
    (void)state;
    uintptr_t         p = reserve(16, false, PAGE_READWRITE);
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    uint64_t committed = usage.committed;
    assert_int_equal(touch(p, true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(mm_view_commit(space, p + PAGES(2), PAGES(4), PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(mm_view_commit(space, p + PAGES(4), PAGES(4), PAGE_READONLY), STATUS_SUCCESS); /* two of them again */
    ntmm_query_memory(&usage);
    assert_int_equal(usage.committed, committed + 6);
    assert_int_equal(touch(p + PAGES(2), true), STATUS_SUCCESS);
    assert_int_equal(touch(p + PAGES(4), true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(touch(p + PAGES(4), false), STATUS_SUCCESS);
    assert_int_equal(touch(p + PAGES(8), false), STATUS_ACCESS_VIOLATION);
    check();
    write_word(p + PAGES(2), 77);
    assert_int_equal(mm_view_decommit(space, p, PAGES(16)), STATUS_SUCCESS);
    ntmm_query_memory(&usage);
    assert_int_equal(usage.committed, committed);
    check();
    assert_int_equal(touch(p + PAGES(2), false), STATUS_ACCESS_VIOLATION);
    assert_int_equal(mm_view_commit(space, p, PAGES(16), PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(read_word(p + PAGES(2)), 0);
    assert_int_equal(mm_view_commit(space, p + PAGES(15), PAGES(2), PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(mm_view_decommit(space, p + PAGES(16), PAGES(1)), STATUS_MEMORY_NOT_ALLOCATED);
    check();
}

static void parts_can_be_released(void **state)
{
    (void)state;
    uintptr_t      p = reserve(32, true, PAGE_READWRITE);
    mm_view_info_t info;
    for (size_t i = 0; i < 32; i++)
        write_word(p + PAGES(i), i);
    assert_int_equal(mm_view_release(space, p + PAGES(10), PAGES(5)), STATUS_SUCCESS);
    check();
    assert_int_equal(touch(p + PAGES(10), false), STATUS_ACCESS_VIOLATION);
    assert_int_equal(read_word(p + PAGES(9)), 9);
    assert_int_equal(read_word(p + PAGES(15)), 15);
    assert_true(mm_view_query(space, p + PAGES(15), &info));
    assert_int_equal(info.allocation_base, p + PAGES(15));
    assert_int_equal(info.bytes, PAGES(17));
    assert_int_equal(mm_view_release(space, p + PAGES(9), PAGES(2)), STATUS_UNABLE_TO_FREE_VM);
    assert_int_equal(mm_view_release(space, p, PAGES(4)), STATUS_SUCCESS);             /* from the start */
    assert_int_equal(mm_view_release(space, p + PAGES(30), PAGES(2)), STATUS_SUCCESS); /* at the end */
    check();
    assert_int_equal(read_word(p + PAGES(4)), 4);
    assert_int_equal(read_word(p + PAGES(29)), 29);
    assert_int_equal(mm_view_unmap(space, p + PAGES(4)), STATUS_SUCCESS);
    assert_int_equal(mm_view_unmap(space, p + PAGES(4)), STATUS_NOT_MAPPED_VIEW);
    assert_int_equal(mm_view_unmap(space, p + PAGES(20)), STATUS_SUCCESS);
    check();
}

static void where_is_said_or_found(void **state)
{
    (void)state;
    mm_region_t    region = mm_space_region(space);
    uintptr_t      base;
    mm_view_want_t want = { .bytes = PAGES(3), .protect = PAGE_READWRITE, .type = MEM_PRIVATE };
    want.address = region.base + 0x100000;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_SUCCESS);
    assert_int_equal(base, want.address);
    want.address = base + PAGES(2);
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_CONFLICTING_ADDRESSES);
    want.address = region.base + region.bytes - PAGES(2); /* it hangs over the end */
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_CONFLICTING_ADDRESSES);
    want.address = 0;
    want.top_down = true;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_SUCCESS);
    assert_int_equal(base, region.base + region.bytes - MM_USER_ALLOCATION_GRANULARITY);
    want.limit = region.base + 0x100000;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_SUCCESS);
    assert_true(base + PAGES(3) <= want.limit && base > region.base);
    want.top_down = false;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_SUCCESS);
    assert_int_equal(base, region.base);
    want.limit = region.base + MM_USER_ALLOCATION_GRANULARITY;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_NO_MEMORY);
    want.limit = 0;
    want.bytes = region.bytes;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_NO_MEMORY);
    check();
}

static void a_query_tells_what_is_alike(void **state)
{
    (void)state;
    mm_view_info_t info;
    uintptr_t      p = reserve(16, false, PAGE_READONLY);
    assert_int_equal(mm_view_commit(space, p + PAGES(4), PAGES(4), PAGE_READWRITE), STATUS_SUCCESS);
    assert_true(mm_view_query(space, p, &info));
    assert_int_equal(info.base, p);
    assert_int_equal(info.bytes, PAGES(4));
    assert_int_equal(info.state, MEM_RESERVE);
    assert_int_equal(info.protect, 0);
    assert_int_equal(info.allocation_protect, PAGE_READONLY);
    assert_int_equal(info.type, MEM_PRIVATE);
    assert_true(mm_view_query(space, p + PAGES(5), &info));
    assert_int_equal(info.base, p + PAGES(5));
    assert_int_equal(info.allocation_base, p);
    assert_int_equal(info.bytes, PAGES(3));
    assert_int_equal(info.state, MEM_COMMIT);
    assert_int_equal(info.protect, PAGE_READWRITE);
    assert_true(mm_view_query(space, p + PAGES(16), &info));
    assert_int_equal(info.state, MEM_FREE);
    assert_int_equal(info.base + info.bytes, mm_space_region(space).base + mm_space_region(space).bytes);
    assert_false(mm_view_query(space, mm_space_region(space).base - 1, &info));
}

static void the_commit_limit_is_kept(void **state)
{
    (void)state;
    uintptr_t      base;
    mm_view_want_t want = { .bytes = PAGES(RAM + FILE + 1), .protect = PAGE_READWRITE, .type = MEM_PRIVATE, .commit = true };
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_COMMITMENT_LIMIT);
    mm_segment_t *segment;
    assert_int_equal(mm_segment_create(RAM + FILE + 1, true, &segment), STATUS_COMMITMENT_LIMIT);
    assert_int_equal(mm_segment_create(RAM + FILE + 1, false, &segment), STATUS_SUCCESS);
    uintptr_t view = show(space, segment, 0, RAM + FILE + 1, PAGE_READWRITE);
    assert_int_equal(mm_view_commit(space, view, PAGES(RAM + FILE + 1), PAGE_READWRITE), STATUS_COMMITMENT_LIMIT);
    assert_int_equal(mm_view_commit(space, view, PAGES(100), PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(touch(view + PAGES(99), true), STATUS_SUCCESS);
    assert_int_equal(touch(view + PAGES(100), true), STATUS_ACCESS_VIOLATION);
    check();
    mm_segment_dereference(segment);
    check();
    assert_int_equal(mm_view_unmap(space, view), STATUS_SUCCESS);
    check();
}

/* ---- protection ---- */

static void protections_are_kept(void **state)
{
    (void)state;
    uintptr_t p = reserve(4, true, PAGE_READWRITE);
    uint32_t  old;
    write_word(p, 1);
    assert_int_equal(mm_view_protect(space, p, PAGES(2), PAGE_READONLY, &old), STATUS_SUCCESS);
    assert_int_equal(old, PAGE_READWRITE);
    ntmm_fault_counts before = faults();
    assert_int_equal(read_word(p), 1); /* still valid: no page fault */
    assert_faults(before, 0, 0, 0);
    assert_int_equal(touch(p, true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(touch(p + PAGES(1), true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(touch(p + PAGES(2), true), STATUS_SUCCESS);
    assert_int_equal(mm_view_protect(space, p, PAGES(1), PAGE_NOACCESS, &old), STATUS_SUCCESS);
    assert_int_equal(touch(p, false), STATUS_ACCESS_VIOLATION);
    assert_int_equal(mm_view_protect(space, p, PAGES(1), PAGE_READWRITE, &old), STATUS_SUCCESS);
    assert_int_equal(old, PAGE_NOACCESS);
    write_word(p, 2);
    ntmm_page_out();
    assert_int_equal(read_word(p), 2);
    assert_int_equal(mm_view_protect(space, p, PAGES(1), PAGE_WRITECOPY, &old), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(mm_view_protect(space, p, PAGES(5), PAGE_READONLY, &old), STATUS_CONFLICTING_ADDRESSES);
    uintptr_t reserved = reserve(4, false, PAGE_READWRITE);
    assert_int_equal(mm_view_protect(space, reserved, PAGES(1), PAGE_READONLY, &old), STATUS_NOT_COMMITTED);
    check();
}

static void execution_is_refused(void **state)
{
    (void)state;
    uintptr_t p = reserve(1, true, PAGE_EXECUTE_READWRITE);
    write_word(p, 0);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, p, call_at((void *)p));
}

static void a_guard_page_tells_once(void **state)
{
    (void)state;
    uintptr_t p = reserve(2, true, PAGE_READWRITE | PAGE_GUARD);
    assert_int_equal(touch(p, false), STATUS_GUARD_PAGE_VIOLATION);
    assert_int_equal(touch(p, true), STATUS_SUCCESS);
    mm_pfn_number_t pfn;
    assert_int_equal(mm_view_pin(space, p + PAGES(1), true, &pfn), STATUS_GUARD_PAGE_VIOLATION);
    assert_int_equal(touch(p + PAGES(1), true), STATUS_SUCCESS);
    assert_int_equal(faults().access_violations, 0);
    uint32_t old;
    assert_int_equal(mm_view_protect(space, p, PAGES(1), PAGE_READWRITE | PAGE_GUARD, &old), STATUS_SUCCESS);
    assert_int_equal(old, PAGE_READWRITE);
    assert_int_equal(touch(p, true), STATUS_GUARD_PAGE_VIOLATION);
    check();
}

static void what_is_secured_stays(void **state)
{
    (void)state;
    void     *cookie, *another;
    uint32_t  old;
    uintptr_t p = reserve(8, true, PAGE_READWRITE);
    assert_int_equal(mm_view_secure(space, p + PAGES(2), PAGES(2), true, 0, &cookie), STATUS_SUCCESS);
    assert_int_equal(mm_view_protect(space, p, PAGES(8), PAGE_READONLY, &old), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(mm_view_protect(space, p, PAGES(2), PAGE_READONLY, &old), STATUS_SUCCESS);
    assert_int_equal(mm_view_decommit(space, p + PAGES(3), PAGES(1)), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(mm_view_release(space, p + PAGES(3), PAGES(1)), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(mm_view_unmap(space, p), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(mm_view_secure(space, p, PAGES(1), true, 0, &another), STATUS_ACCESS_VIOLATION);
    assert_int_equal(mm_view_secure(space, p, PAGES(1), false, 0, &another), STATUS_SUCCESS);
    assert_int_equal(mm_view_protect(space, p, PAGES(1), PAGE_READWRITE, &old), STATUS_SUCCESS); /* not stricter */
    assert_true(mm_view_unsecure(space, another));
    assert_false(mm_view_unsecure(space, another));
    assert_true(mm_view_unsecure(space, cookie));
    assert_int_equal(mm_view_unmap(space, p), STATUS_SUCCESS);
}

/* ---- segments ---- */

static void views_show_the_same_bytes(void **state)
{
    (void)state;
    mm_segment_t *segment = segment_of(64);
    mm_space_t   *other = mm_space_create();
    assert_non_null(other);
    uintptr_t a = show(space, segment, 0, 64, PAGE_READWRITE), b = show(other, segment, 16, 32, PAGE_READWRITE);
    uintptr_t c = show(&mm_system_views, segment, 20, 1, PAGE_READONLY), d = show(space, segment, 20, 2, PAGE_READWRITE);
    mm_segment_dereference(segment);
    ntmm_fault_counts before = faults();
    write_word(a + PAGES(20), 1);
    assert_faults(before, 0, 0, 1);
    assert_int_equal(read_word(b + PAGES(4)), 1);
    assert_int_equal(read_word(c), 1);
    assert_int_equal(read_word(d), 1);
    assert_faults(before, 3, 0, 1); /* each view opens it for itself */
    ntmm_page_out();
    check();
    before = faults();
    assert_int_equal(read_word(c), 1);
    assert_faults(before, 0, 1, 0); /* it comes back once */
    assert_int_equal(read_word(a + PAGES(20)), 1);
    assert_faults(before, 1, 1, 0);
    write_word(d, 2); /* what was clean is dirty now, whoever wrote */
    ntmm_page_out();
    assert_int_equal(read_word(b + PAGES(4)), 2);
    check();
    assert_int_equal(mm_view_unmap(space, a), STATUS_SUCCESS);
    assert_int_equal(read_word(d), 2);
    mm_space_destroy(other);
    check();
    assert_int_equal(mm_view_unmap(&mm_system_views, c), STATUS_SUCCESS);
    assert_int_equal(mm_view_unmap(space, d), STATUS_SUCCESS);
    assert_int_equal(mm_held(MM_CHARGE_SECTION), 0);
    check();
}

static void a_trimmed_page_is_closed_in_every_view(void **state)
{
    (void)state;
    mm_segment_t *segment = segment_of(4);
    uintptr_t     a = show(space, segment, 0, 4, PAGE_READWRITE), b = show(space, segment, 0, 4, PAGE_READWRITE);
    write_word(a, 1);
    write_word(b + 8, 2);
    ntmm_trim_pageable();
    ntmm_fault_counts before = faults();
    write_word(b + 8, 3);
    assert_faults(before, 1, 0, 0);
    write_word(a, 4);
    assert_faults(before, 2, 0, 0);
    assert_int_equal(read_word(a + 8), 3);
    mm_segment_dereference(segment);
    check();
}

static void a_view_is_no_wider_than_it_was_made(void **state)
{
    (void)state;
    mm_segment_t *segment = segment_of(4);
    uintptr_t     a = show(space, segment, 0, 4, PAGE_READONLY);
    uint32_t      old;
    assert_int_equal(mm_view_protect(space, a, PAGES(4), PAGE_READWRITE, &old), STATUS_SECTION_PROTECTION);
    assert_int_equal(mm_view_protect(space, a, PAGES(4), PAGE_NOACCESS, &old), STATUS_SUCCESS);
    assert_int_equal(mm_view_decommit(space, a, PAGES(1)), STATUS_UNABLE_TO_DECOMMIT_VM);
    assert_int_equal(mm_view_release(space, a, PAGES(4)), STATUS_UNABLE_TO_FREE_VM);
    mm_segment_dereference(segment);
}

/* ---- IRQL, stops ---- */

static uintptr_t at_dispatch; /* where the body touches */

static void dispatch_read(void *context)
{
    KIRQL old;
    (void)context;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    read_at((void *)at_dispatch);
    KeLowerIrql(old);
}
static void dispatch_write(void *context)
{
    KIRQL old;
    (void)context;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    write_at((void *)at_dispatch);
    KeLowerIrql(old);
}

static void at_dispatch_level_it_must_be_there(void **state)
{
    (void)state;
    ntmm_bugcheck stop;
    mm_segment_t *segment = segment_of(4);
    uintptr_t     a = show(space, segment, 0, 4, PAGE_READWRITE), b = show(space, segment, 0, 4, PAGE_READWRITE);
    write_word(a, 1);
    at_dispatch = a;
    assert_false(ntmm_catch_bugcheck(dispatch_write, NULL, &stop));
    ntmm_page_out();
    assert_int_equal(read_word(a), 1);
    assert_false(ntmm_catch_bugcheck(dispatch_write, NULL, &stop)); /* there and clean: the processor sets the dirty bit by itself */
    mm_segment_dereference(segment);
    at_dispatch = b; /* there, but not here */
    assert_true(ntmm_catch_bugcheck(dispatch_read, NULL, &stop));
    assert_int_equal(stop.code, DRIVER_IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(stop.parameter[0], b);
    assert_int_equal(stop.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(stop.parameter[2], 0);
    assert_non_null(strstr(ntmm_stop_report(), "view of a section"));
}

static void nothing_there_at_dispatch_level(void **state)
{
    (void)state;
    ntmm_bugcheck stop;
    at_dispatch = reserve(1, false, PAGE_READWRITE);
    assert_true(ntmm_catch_bugcheck(dispatch_write, NULL, &stop));
    assert_int_equal(stop.code, DRIVER_IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(stop.parameter[2], 1);
    assert_non_null(strstr(ntmm_stop_report(), "reserved and not committed"));
}

static void read_only_at_dispatch_level(void **state)
{
    (void)state;
    ntmm_bugcheck stop;
    at_dispatch = reserve(1, true, PAGE_READONLY);
    assert_int_equal(touch(at_dispatch, false), STATUS_SUCCESS);
    assert_true(ntmm_catch_bugcheck(dispatch_write, NULL, &stop));
    assert_int_equal(stop.code, ATTEMPTED_WRITE_TO_READONLY_MEMORY);
    assert_int_equal(stop.parameter[0], at_dispatch);
}

static void without_a_try_it_stops(void **state)
{
    (void)state;
    uintptr_t p = reserve(1, true, PAGE_READONLY);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)STATUS_ACCESS_VIOLATION, write_at((void *)p));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], p);
}

static void system_views_are_system_memory(void **state)
{
    (void)state;
    mm_segment_t *segment = segment_of(4);
    uintptr_t     a = show(&mm_system_views, segment, 0, 4, PAGE_READWRITE);
    write_word(a, 1);
    assert_int_equal(mm_view_unmap(&mm_system_views, a), STATUS_SUCCESS);
    mm_segment_dereference(segment);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, a, touch(a, true));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 2);
}

static void a_read_only_system_view(void **state)
{
    (void)state;
    mm_segment_t *segment = segment_of(4);
    uintptr_t     a = show(&mm_system_views, segment, 0, 4, PAGE_READONLY);
    mm_segment_dereference(segment);
    assert_int_equal(read_word(a), 0);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, a, touch(a, true));
}

/* ---- addresses ---- */

static void addresses_lead_to_the_frames(void **state)
{
    (void)state;
    uintptr_t p = reserve(2, true, PAGE_READWRITE);
    char      copy[8];
    SIZE_T    copied;
    assert_ptr_equal(ke_process_set_space(ke_process_system(), space), space); /* where this thread runs */
    assert_int_equal(MmGetPhysicalAddress((PVOID)p).QuadPart, 0);
    assert_false(MmIsAddressValid((PVOID)p));
    write_word(p + 16, 0x1122334455667788);
    PHYSICAL_ADDRESS physical = MmGetPhysicalAddress((PVOID)(p + 16));
    assert_int_not_equal(physical.QuadPart, 0);
    assert_true(MmIsAddressValid((PVOID)p));
    assert_ptr_equal(MmGetVirtualForPhysical(physical), (PVOID)(p + 16));
    MM_COPY_ADDRESS from = { .PhysicalAddress = physical };
    assert_int_equal(MmCopyMemory(copy, from, 8, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_SUCCESS);
    assert_memory_equal(copy, (void *)(p + 16), 8);
    ntmm_page_out();
    from.VirtualAddress = (PVOID)(p + 16);
    assert_int_equal(MmCopyMemory(copy, from, 8, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    assert_int_equal(copied, 8);
    from.VirtualAddress = (PVOID)(p + PAGES(2));
    assert_int_equal(MmCopyMemory(copy, from, 8, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_ACCESS_VIOLATION);
}

static void pinned_pages_stay(void **state)
{
    (void)state;
    uintptr_t       p = reserve(4, true, PAGE_READWRITE);
    mm_pfn_number_t pfn;
    assert_int_equal(mm_view_pin(space, p + PAGES(4), false, &pfn), STATUS_ACCESS_VIOLATION);
    assert_int_equal(mm_view_pin(space, p + PAGES(1), true, &pfn), STATUS_SUCCESS);
    assert_int_equal(mm_space_locked_pages(space), 1);
    assert_int_equal(MmGetPhysicalAddress((PVOID)(p + PAGES(1))).QuadPart, PAGES(pfn));
    char *alias = mm_alias_of(&mm_shared, mm_table_index(&mm_shared_table, mm_pfn_entry(pfn)->mapped.va));
    ntmm_page_out();
    assert_int_equal(MmGetPhysicalAddress((PVOID)(p + PAGES(1))).QuadPart, PAGES(pfn));
    alias[0] = 9; /* as a device would */
    assert_int_equal(read_at((void *)(p + PAGES(1))), 9);
    assert_int_equal(mm_view_decommit(space, p + PAGES(1), PAGES(1)), STATUS_UNABLE_TO_DECOMMIT_VM);
    assert_int_equal(mm_view_unmap(space, p), STATUS_SUCCESS); /* the page stays with who pinned it */
    check();
    alias[1] = 9;
    uintptr_t q = reserve(8, true, PAGE_READWRITE);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(read_word(q + PAGES(i)), 0);
    assert_int_equal(alias[0] + alias[1], 18);
    check();
    assert_true(mm_frame_unpin(pfn));
    uintptr_t r = reserve(8, true, PAGE_READWRITE); /* now it is given back */
    assert_true(mm_pfn_entry(pfn)->list != MM_ACTIVE || mm_pfn_entry(pfn)->mapped.va != (uintptr_t)alias);
    assert_int_equal(mm_view_unmap(space, r), STATUS_SUCCESS);
    check();
}

/* ---- limits ---- */

static void slices_run_out(void **state)
{
    (void)state;
    mm_space_t *all[MM_USER_SLICES];
    size_t      count = 0;
    while (count < MM_USER_SLICES && (all[count] = mm_space_create()) != NULL)
        count++;
    assert_int_equal(count, MM_USER_SLICES - 1);
    assert_non_null(strstr(ntmm_error(), "processes"));
    while (count > 0)
        mm_space_destroy(all[--count]);
    assert_non_null(all[0] = mm_space_create());
    mm_space_destroy(all[0]);
}

static void user_addresses_are_low(void **state)
{
    (void)state;
    assert_true(mm_user_probe_address >= mm_user_region.base + mm_user_region.bytes);
#if defined(__linux__) && defined(__x86_64__)
    if (getenv("NTMM_EMULATED") == NULL) {
        assert_true(mm_user_probe_address < UINT64_C(1) << 31);
        assert_true((uintptr_t)&space > mm_user_probe_address && (uintptr_t)state > mm_user_probe_address);
    }
#endif
}

static void little_ram_is_enough(void **state)
{
    (void)state;
    enum { MANY = RAM + FILE - 600 };
    uintptr_t p = reserve(MANY, true, PAGE_READWRITE);
    for (size_t i = 0; i < MANY; i++)
        write_word(p + PAGES(i), i);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(read_word(p + PAGES(i)), i);
    check();
}

static void mappings_run_out(void **state)
{
    (void)state;
    size_t        limit = mm_mappings_for_views();
    mm_segment_t *segment = segment_of(1);
    NTSTATUS      status = STATUS_SUCCESS;
    uintptr_t     base;
    if (limit > 40000) /* a host with next to no limit */
        skip();
    mm_view_want_t want = { .bytes = PAGES(1), .protect = PAGE_READWRITE, .type = MEM_MAPPED, .segment = segment };
    mm_space_t    *others[MM_USER_SLICES] = { space };
    size_t         count = 0;
    for (size_t i = 0; i < MM_USER_SLICES && NT_SUCCESS(status); i++) {
        others[i] = i == 0 ? space : mm_space_create();
        if (others[i] == NULL)
            break;
        while (NT_SUCCESS(status = mm_view_map(others[i], &want, &base)))
            count++;
        status = status == STATUS_NO_MEMORY ? STATUS_SUCCESS : status;
    }
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    assert_non_null(strstr(ntmm_error(), "mappings"));
    assert_true(count * 2 <= limit && count * 2 > limit - 64);
    for (size_t i = 1; i < MM_USER_SLICES; i++)
        if (others[i] != NULL)
            mm_space_destroy(others[i]);
    mm_segment_dereference(segment);
}

static void a_machine_that_went_down_leaves_nothing(void **state)
{
    mm_segment_t *segment = segment_of(8);
    uintptr_t     p = reserve(8, true, PAGE_READWRITE), a = show(space, segment, 0, 8, PAGE_READWRITE);
    for (size_t i = 0; i < 8; i++) {
        write_word(p + PAGES(i), 1);
        write_word(a + PAGES(i), 1);
    }
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(*state), 0);
    space = mm_space_create();
    assert_non_null(space);
    check();
    assert_int_equal(touch(p, false), STATUS_ACCESS_VIOLATION);
    p = reserve(16, true, PAGE_READWRITE);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(read_word(p + PAGES(i)), 0);
    check();
}

/* ---- running ---- */

int main(void)
{
    static ntmm_config mprotect, userfaultfd;
    mprotect = views_config(RAM, FILE, NTMM_GATE_MPROTECT);
    userfaultfd = views_config(RAM, FILE, NTMM_GATE_USERFAULTFD);
#define TEST(test, config) \
    { \
#test ", " #config, test, setup_views, teardown_views, &config \
    }
#define ALL(config) \
    TEST(private_memory_is_demand_zero, config), TEST(it_can_be_trimmed_and_paged_out, config), \
        TEST(nothing_lies_below_or_behind_it, config), TEST(commit_and_decommit, config), TEST(parts_can_be_released, config), \
        TEST(where_is_said_or_found, config), TEST(a_query_tells_what_is_alike, config), TEST(the_commit_limit_is_kept, config), \
        TEST(protections_are_kept, config), TEST(execution_is_refused, config), TEST(a_guard_page_tells_once, config), \
        TEST(what_is_secured_stays, config), TEST(views_show_the_same_bytes, config), \
        TEST(a_trimmed_page_is_closed_in_every_view, config), TEST(a_view_is_no_wider_than_it_was_made, config), \
        TEST(at_dispatch_level_it_must_be_there, config), TEST(nothing_there_at_dispatch_level, config), \
        TEST(read_only_at_dispatch_level, config), TEST(without_a_try_it_stops, config), TEST(system_views_are_system_memory, config), \
        TEST(a_read_only_system_view, config), TEST(addresses_lead_to_the_frames, config), TEST(pinned_pages_stay, config), \
        TEST(slices_run_out, config), TEST(user_addresses_are_low, config), TEST(little_ram_is_enough, config), \
        TEST(mappings_run_out, config), TEST(a_machine_that_went_down_leaves_nothing, config)
    const struct CMUnitTest tests[] = { ALL(mprotect), ALL(userfaultfd) };
    size_t                  count = can_boot(&userfaultfd) ? NTMM_ARRAY_COUNT(tests) : NTMM_ARRAY_COUNT(tests) / 2;
    return _cmocka_run_group_tests("views", tests, count, NULL, NULL);
}
