/*
 * test_mm_segment.c - copies of copy-on-write, and segments over a file of the host: what is whose, what reaches the file, what when the file
 * fails. Every test runs with both gates.
 */
#define NTMM_USES_TRY
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/views.h"
#include "mm/charge.h"
#include "mm/pinned.h"

#define RAM 512u    /* pages */
#define FILE_ 1024u /* pages of the page file */
/* ---- copy-on-write ---- */

static void the_first_write_makes_a_copy(void **state)
{
    (void)state;
    mm_segment_t     *segment = segment_of(8);
    uintptr_t         all = show(space, segment, 0, 8, PAGE_READWRITE), own = show(space, segment, 0, 8, PAGE_WRITECOPY);
    ntmm_fault_counts before = faults();
    write_word(all, 1);
    assert_int_equal(read_word(own), 1);
    write_word(all, 2);
    assert_int_equal(read_word(own), 2); /* until it is copied the page is everybody's */
    assert_int_equal(faults().copy_on_write, before.copy_on_write);
    write_word(own + 8, 3);
    assert_int_equal(faults().copy_on_write, before.copy_on_write + 1);
    assert_int_equal(read_word(own), 2);
    write_word(all, 4);
    assert_int_equal(read_word(own), 2);
    assert_int_equal(read_word(all + 8), 0);
    check();
    mm_view_info_t info;
    assert_true(mm_view_query(space, own, &info));
    assert_int_equal(info.protect, PAGE_READWRITE); /* it is the viewer's own */
    assert_int_equal(info.bytes, PAGES(1));
    assert_int_equal(info.allocation_protect, PAGE_WRITECOPY);
    assert_true(mm_view_query(space, own + PAGES(1), &info));
    assert_int_equal(info.protect, PAGE_WRITECOPY);
    ntmm_page_out();
    check();
    assert_int_equal(read_word(own + 8), 3);
    assert_int_equal(read_word(all), 4);
    write_word(own + PAGES(1), 5); /* never touched before: zeros are copied */
    assert_int_equal(read_word(own + PAGES(1) + 8), 0);
    assert_int_equal(read_word(all + PAGES(1)), 0);
    check();
    assert_int_equal(mm_view_unmap(space, own), STATUS_SUCCESS);
    own = show(space, segment, 0, 8, PAGE_WRITECOPY); /* copies are gone with the view that had them */
    assert_int_equal(read_word(own), 4);
    mm_segment_dereference(segment);
    check();
}

static void copies_are_paid_for_when_the_view_is_made(void **state)
{
    (void)state;
    mm_segment_t *segment = segment_of(16);
    uint64_t      before = mm_held(MM_CHARGE_PRIVATE);
    uintptr_t     own = show(space, segment, 0, 16, PAGE_WRITECOPY);
    assert_int_equal(mm_held(MM_CHARGE_PRIVATE), before + 16);
    write_word(own, 1);
    assert_int_equal(mm_held(MM_CHARGE_PRIVATE), before + 16);
    uintptr_t all = show(space, segment, 0, 16, PAGE_READWRITE);
    uint32_t  old;
    assert_int_equal(mm_view_protect(space, all, PAGES(4), PAGE_WRITECOPY, &old), STATUS_SUCCESS);
    assert_int_equal(mm_held(MM_CHARGE_PRIVATE), before + 20);
    write_word(all + PAGES(1), 1);
    check();
    assert_int_equal(mm_view_unmap(space, own), STATUS_SUCCESS);
    assert_int_equal(mm_view_unmap(space, all), STATUS_SUCCESS);
    assert_int_equal(mm_held(MM_CHARGE_PRIVATE), before);
    mm_segment_dereference(segment);
    mm_segment_t  *large = segment_of(RAM + FILE_ - 200);
    mm_view_want_t want = { .bytes = PAGES(RAM), .protect = PAGE_WRITECOPY, .type = MEM_MAPPED, .segment = large };
    uintptr_t      base;
    assert_int_equal(mm_view_map(space, &want, &base), STATUS_COMMITMENT_LIMIT);
    mm_segment_dereference(large);
    check();
}

static void protections_of_a_view_for_copying(void **state)
{
    (void)state;
    mm_segment_t  *segment = segment_of(4);
    uintptr_t      own = show(space, segment, 0, 4, PAGE_WRITECOPY), all = show(space, segment, 0, 4, PAGE_READWRITE);
    uint32_t       old;
    mm_view_info_t info;
    assert_int_equal(mm_view_protect(space, own, PAGES(4), PAGE_READONLY, &old), STATUS_SUCCESS);
    assert_int_equal(touch(own, true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(mm_view_protect(space, own, PAGES(4), PAGE_READWRITE, &old), STATUS_SUCCESS); /* which copies here */
    assert_true(mm_view_query(space, own, &info));
    assert_int_equal(info.protect, PAGE_WRITECOPY);
    write_word(own, 1);
    assert_int_equal(read_word(all), 0);
    assert_int_equal(mm_view_protect(space, own, PAGES(2), PAGE_READONLY, &old), STATUS_SUCCESS);
    assert_int_equal(old, PAGE_READWRITE);
    assert_int_equal(touch(own, true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(read_word(own), 1);
    assert_int_equal(mm_view_protect(space, own, PAGES(2), PAGE_WRITECOPY, &old), STATUS_SUCCESS);
    assert_int_equal(touch(own, true), STATUS_SUCCESS); /* it has been copied: nothing is copied again */
    assert_int_equal(faults().copy_on_write, 1);
    mm_segment_dereference(segment);
    check();
}

static void a_pin_for_writing_copies_first(void **state)
{
    (void)state;
    mm_segment_t   *segment = segment_of(2);
    uintptr_t       own = show(space, segment, 0, 2, PAGE_WRITECOPY), all = show(space, segment, 0, 2, PAGE_READWRITE);
    mm_pfn_number_t shared, copy;
    write_word(all, 7);
    assert_int_equal(mm_view_pin(space, own, false, &shared), STATUS_SUCCESS);
    assert_int_equal(PAGES(shared), MmGetPhysicalAddress((PVOID)all).QuadPart);
    assert_int_equal(mm_view_pin(space, own, true, &copy), STATUS_SUCCESS);
    assert_int_not_equal(copy, shared);
    assert_int_equal(faults().copy_on_write, 1);
    assert_int_equal(*(uint64_t *)mm_pfn_entry(copy)->mapped.va, 7);
    assert_true(mm_frame_unpin(shared));
    assert_true(mm_frame_unpin(copy));
    mm_segment_dereference(segment);
    check();
}

static void write_at_dispatch(void *va)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    write_at(va);
    KeLowerIrql(old);
}

static void at_dispatch_level_nothing_is_copied(void **state)
{
    (void)state;
    ntmm_bugcheck stop;
    mm_segment_t *segment = segment_of(2);
    uintptr_t     own = show(space, segment, 0, 2, PAGE_WRITECOPY);
    mm_segment_dereference(segment);
    assert_int_equal(read_word(own), 0);
    assert_true(ntmm_catch_bugcheck(write_at_dispatch, (void *)own, &stop));
    assert_int_equal(stop.code, DRIVER_IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(stop.parameter[0], own);
    assert_int_equal(stop.parameter[2], 1);
}

/* ---- files ---- */

static char path[64];

static void fill_file(size_t bytes)
{
    snprintf(path, sizeof path, "/tmp/ntmm-segment-%d", (int)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    for (size_t at = 0; at < bytes; at++) {
        char byte = (char)(1 + at / 100 % 100);
        if (at % 100 == 0 || at + 1 == bytes)
            assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
    close(fd);
}
static char byte_of_file(uint64_t at)
{
    char byte = 0;
    int  fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    close(fd);
    return byte;
}
static mm_segment_t *over_file(uint64_t bytes, int how, bool writable)
{
    mm_segment_t *segment = NULL;
    host_file_t   file = { .fd = open(path, how) };
    assert_true(file.fd >= 0);
    assert_int_equal(mm_segment_create_file(file, bytes, writable, &segment), STATUS_SUCCESS);
    return segment;
}

static void a_view_of_a_file_shows_it(void **state)
{
    (void)state;
    uint64_t bytes = PAGES(5) + 300;
    fill_file(bytes);
    mm_segment_t *segment = over_file(bytes, O_RDWR, true);
    uint64_t      committed = mm_gauge_now(MM_GAUGE_COMMITTED);
    assert_int_equal(mm_segment_pages(segment), 6);
    uintptr_t         view = show(space, segment, 0, 6, PAGE_READWRITE);
    ntmm_fault_counts before = faults();
    assert_int_equal(read_at((void *)(view + PAGES(2))), (unsigned char)byte_of_file(PAGES(2)));
    assert_int_equal(faults().hard, before.hard + 1);
    assert_int_equal(read_at((void *)(view + PAGES(5) + 200)), (unsigned char)byte_of_file(PAGES(5) + 200));
    assert_int_equal(read_at((void *)(view + PAGES(5) + 301)), 0);
    assert_int_equal(read_at((void *)(view + PAGES(6) - 1)), 0);
    write_at((void *)(view + PAGES(3)));
    *(volatile char *)(view + PAGES(5) + 400) = 9; /* behind the end */
    assert_int_equal(mm_gauge_now(MM_GAUGE_COMMITTED), committed);
    check();
    ntmm_page_out();
    check();
    assert_int_equal(byte_of_file(PAGES(3)), 1);
    assert_int_equal(read_at((void *)(view + PAGES(3))), 1);
    assert_int_equal(mm_page_file_used_locked(), 0); /* the page file has none of it */
    mm_segment_dereference(segment);
    assert_int_equal(mm_view_unmap(space, view), STATUS_SUCCESS);
    int fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 0, SEEK_END), bytes); /* it has not grown */
    close(fd);
    check();
}

static void what_was_written_reaches_the_file(void **state)
{
    (void)state;
    uint64_t written;
    fill_file(PAGES(40));
    mm_segment_t *segment = over_file(PAGES(40), O_RDWR, true);
    uintptr_t     view = show(space, segment, 0, 40, PAGE_READWRITE), second = show(&mm_system_views, segment, 0, 40, PAGE_READWRITE);
    for (size_t i = 0; i < 40; i += 2)
        *(volatile char *)(view + PAGES(i) + 7) = 55;
    assert_int_equal(mm_segment_flush(segment, 0, 10, &written), STATUS_SUCCESS);
    assert_int_equal(written, 5);
    assert_int_equal(byte_of_file(PAGES(8) + 7), 55);
    assert_int_equal(byte_of_file(PAGES(10) + 7), 0);
    check();
    assert_int_equal(mm_segment_flush(segment, 0, UINT64_MAX, &written), STATUS_SUCCESS);
    assert_int_equal(written, 15);
    assert_int_equal(mm_segment_flush(segment, 0, 40, &written), STATUS_SUCCESS);
    assert_int_equal(written, 0);
    ntmm_fault_counts before = faults();
    *(volatile char *)(view + 7) = 56; /* clean again, so that this is seen */
    *(volatile char *)(second + PAGES(1) + 7) = 56;
    assert_int_equal(faults().hard, before.hard);
    assert_int_equal(mm_segment_flush(segment, 0, 40, &written), STATUS_SUCCESS);
    assert_int_equal(written, 2);
    assert_int_equal(byte_of_file(PAGES(1) + 7), 56);
    *(volatile char *)(view + PAGES(2) + 7) = 57;
    ntmm_trim_pageable();
    *(volatile char *)(view + PAGES(4) + 7) = 57;
    check();
    assert_int_equal(mm_view_unmap(space, view), STATUS_SUCCESS);
    assert_int_equal(mm_view_unmap(&mm_system_views, second), STATUS_SUCCESS);
    mm_segment_dereference(segment); /* the last one writes what is left */
    assert_int_equal(byte_of_file(PAGES(2) + 7), 57);
    assert_int_equal(byte_of_file(PAGES(4) + 7), 57);
    check();
}

static void copies_never_reach_the_file(void **state)
{
    (void)state;
    fill_file(PAGES(4));
    mm_segment_t *segment = over_file(PAGES(4), O_RDONLY, false);
    uintptr_t     own = show(space, segment, 0, 4, PAGE_WRITECOPY);
    char          before = byte_of_file(0);
    assert_int_equal(read_at((void *)own), before);
    *(volatile char *)own = 99;
    ntmm_page_out();
    assert_int_equal(read_at((void *)own), 99);
    assert_int_equal(read_at((void *)(own + 100)), (unsigned char)byte_of_file(100));
    check();
    assert_int_equal(mm_view_unmap(space, own), STATUS_SUCCESS);
    mm_segment_dereference(segment);
    assert_int_equal(byte_of_file(0), before);
}

static void a_file_that_cannot_be_read(void **state)
{
    (void)state;
    fill_file(PAGES(4));
    mm_segment_t *segment = over_file(PAGES(4), O_RDWR, true);
    uintptr_t     view = show(space, segment, 0, 4, PAGE_READWRITE), second = show(&mm_system_views, segment, 0, 4, PAGE_READWRITE);
    assert_int_equal(truncate(path, 0), 0); /* behind the section's back */
    assert_int_equal(touch(view + PAGES(1), false), STATUS_IN_PAGE_ERROR);
    assert_int_equal(raised.NumberParameters, 3);
    assert_int_equal(raised.ExceptionInformation[0], 0);
    assert_int_equal(raised.ExceptionInformation[1], view + PAGES(1));
    assert_int_equal((NTSTATUS)raised.ExceptionInformation[2], STATUS_IO_DEVICE_ERROR);
    check();
    mm_pfn_number_t pfn;
    assert_int_equal(mm_view_pin(space, view, true, &pfn), STATUS_IN_PAGE_ERROR);
    check();
    assert_int_equal(mm_view_unmap(space, view), STATUS_SUCCESS);
    mm_segment_dereference(segment);
    ntmm_bugcheck stop;
    assert_true(ntmm_catch_bugcheck((void (*)(void *))write_at, (void *)(second + PAGES(2)), &stop));
    assert_int_equal(stop.code, KERNEL_DATA_INPAGE_ERROR);
    assert_int_equal(stop.parameter[3], second + PAGES(2));
}

static void a_file_that_cannot_be_written(void **state)
{
    (void)state;
    fill_file(PAGES(8));
    mm_segment_t *segment = over_file(PAGES(8), O_RDONLY, true), *other = segment_of(RAM);
    uintptr_t     view = show(space, segment, 0, 8, PAGE_READWRITE), more = show(space, other, 0, RAM, PAGE_READWRITE);
    uint64_t      written;
    for (size_t i = 0; i < 8; i++)
        *(volatile char *)(view + PAGES(i)) = 77;
    assert_int_equal(mm_segment_flush(segment, 0, 8, &written), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(written, 0);
    ntmm_page_out();
    check();
    for (size_t i = 0; i < RAM; i++) /* what cannot be written stays, and is in nobody's way */
        write_word(more + PAGES(i), i);
    for (size_t i = 0; i < RAM; i++)
        assert_int_equal(read_word(more + PAGES(i)), i);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(read_at((void *)(view + PAGES(i))), 77);
    check();
    mm_segment_dereference(segment);
    mm_segment_dereference(other);
}

static void a_pinned_page_of_a_file_stays(void **state)
{
    (void)state;
    uint64_t        written;
    mm_pfn_number_t pfn;
    fill_file(PAGES(4));
    mm_segment_t *segment = over_file(PAGES(4), O_RDWR, true);
    uintptr_t     view = show(space, segment, 0, 4, PAGE_READWRITE);
    assert_int_equal(mm_view_pin(space, view, true, &pfn), STATUS_SUCCESS);
    char *alias = (char *)mm_pfn_entry(pfn)->mapped.va;
    alias[0] = 33;
    assert_int_equal(mm_segment_flush(segment, 0, 4, &written), STATUS_SUCCESS);
    assert_int_equal(byte_of_file(0), 33);
    alias[0] = 34; /* a device wrote again, and nobody saw it */
    assert_int_equal(mm_segment_flush(segment, 0, 4, &written), STATUS_SUCCESS);
    assert_int_equal(byte_of_file(0), 34);
    assert_int_equal(mm_view_unmap(space, view), STATUS_SUCCESS);
    mm_segment_dereference(segment);
    check();
    alias[0] = 35;
    ntmm_page_out();
    assert_int_equal(alias[0], 35);
    check();
    assert_true(mm_frame_unpin(pfn));
    ntmm_page_out(); /* nobody's, and pageable */
    check();
    assert_int_equal(byte_of_file(0), 34);
    mm_segment_dereference(segment_of(1)); /* here it is given back */
    check();
}

/* ---- running ---- */

static int teardown(void **state)
{
    unlink(path);
    return teardown_views(state);
}

int main(void)
{
    static ntmm_config mprotect, userfaultfd;
    mprotect = views_config(RAM, FILE_, NTMM_GATE_MPROTECT);
    userfaultfd = views_config(RAM, FILE_, NTMM_GATE_USERFAULTFD);
#define TEST(test, config) \
    { \
#test ", " #config, test, setup_views, teardown, &config \
    }
#define ALL(config) \
    TEST(the_first_write_makes_a_copy, config), TEST(copies_are_paid_for_when_the_view_is_made, config), \
        TEST(protections_of_a_view_for_copying, config), TEST(a_pin_for_writing_copies_first, config), \
        TEST(at_dispatch_level_nothing_is_copied, config), TEST(a_view_of_a_file_shows_it, config), \
        TEST(what_was_written_reaches_the_file, config), TEST(copies_never_reach_the_file, config), \
        TEST(a_file_that_cannot_be_read, config), TEST(a_file_that_cannot_be_written, config), TEST(a_pinned_page_of_a_file_stays, config)
    const struct CMUnitTest tests[] = { ALL(mprotect), ALL(userfaultfd) };
    size_t                  count = can_boot(&userfaultfd) ? NTMM_ARRAY_COUNT(tests) : NTMM_ARRAY_COUNT(tests) / 2;
    return _cmocka_run_group_tests("segments", tests, count, NULL, NULL);
}
