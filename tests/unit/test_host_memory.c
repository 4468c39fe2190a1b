/*
 * test_host_memory.c - the shared memory object, reservations, mappings and tables, in both kinds of object.
 * A touch that must fault is made by the kernel on our behalf (host_copy_safely), so these tests need no handler.
 */
#include "host/fallback.h"
#include "host/host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES = 16 };

static bool readable(const void *at)
{
    char byte;
    return host_copy_safely(&byte, at, 1) == 1;
}

static bool writable(void *at)
{
    char byte = 0;
    return host_copy_safely(&byte, at, 1) == 1 && host_copy_safely(at, &byte, 1) == 1;
}

typedef struct fixture {
    enum host_object_kind kind;
    host_object_t         object;
    char                 *view;
    size_t                page, bytes;
} fixture_t;

static void open_fixture(fixture_t *f, const enum host_object_kind *kind)
{
    f->kind = *kind;
    f->page = host_page_size();
    f->bytes = PAGES * f->page;
    assert_int_equal(host_object_create(&f->object, f->bytes, f->kind), 0);
    f->view = host_reserve(f->bytes);
    assert_non_null(f->view);
}

static void close_fixture(fixture_t *f)
{
    host_release(f->view, f->bytes);
    host_object_close(&f->object);
    assert_int_equal(f->object.fd, -1);
}

static void object_is_zero_and_keeps_what_is_written(void **state)
{
    fixture_t f;
    open_fixture(&f, *state);
    assert_true(f.object.fd >= 0);
    assert_int_equal(f.object.bytes, f.bytes);
    assert_int_equal(host_map_object(f.view, &f.object, 0, f.bytes, HOST_READ | HOST_WRITE), 0);
    for (size_t i = 0; i < f.bytes; i++)
        assert_int_equal(f.view[i], 0);
    f.view[f.page + 1] = 42;
    assert_int_equal(host_unmap(f.view, f.bytes), 0);
    assert_false(readable(f.view + f.page + 1));
    assert_int_equal(host_map_object(f.view, &f.object, f.page, f.page, HOST_READ), 0);
    assert_int_equal(f.view[1], 42);
    close_fixture(&f);
}

static void two_maps_of_one_offset_alias(void **state)
{
    fixture_t f;
    open_fixture(&f, *state);
    assert_int_equal(host_map_object(f.view, &f.object, 3 * f.page, f.page, HOST_READ | HOST_WRITE), 0);
    assert_int_equal(host_map_object(f.view + 5 * f.page, &f.object, 3 * f.page, f.page, HOST_READ), 0);
    strcpy(f.view, "one frame, two addresses");
    assert_string_equal(f.view + 5 * f.page, "one frame, two addresses");
    assert_false(readable(f.view + f.page));
    assert_false(writable(f.view + 5 * f.page));
    close_fixture(&f);
}

static void protection_is_per_page(void **state)
{
    fixture_t f;
    open_fixture(&f, *state);
    assert_int_equal(host_map_object(f.view, &f.object, 0, f.bytes, HOST_READ | HOST_WRITE), 0);
    assert_int_equal(host_protect(f.view + f.page, f.page, HOST_NONE), 0);
    assert_int_equal(host_protect(f.view + 2 * f.page, f.page, HOST_READ), 0);
    assert_true(writable(f.view + f.page - 1));
    assert_false(readable(f.view + f.page));
    assert_false(readable(f.view + 2 * f.page - 1));
    assert_true(readable(f.view + 2 * f.page));
    assert_false(writable(f.view + 2 * f.page));
    assert_true(writable(f.view + 3 * f.page));
    assert_int_equal(host_protect(f.view + f.page, 2 * f.page, HOST_READ | HOST_WRITE), 0);
    assert_true(writable(f.view + f.page));
    close_fixture(&f);
}

static void discarded_bytes_are_zero_in_every_map(void **state)
{
    fixture_t f;
    open_fixture(&f, *state);
    assert_int_equal(host_map_object(f.view, &f.object, 0, f.bytes, HOST_READ | HOST_WRITE), 0);
    memset(f.view, 0x5a, f.bytes);
    assert_int_equal(host_object_discard(&f.object, 2 * f.page, 3 * f.page), 0);
    for (size_t i = 0; i < f.bytes; i++)
        assert_int_equal(f.view[i], i >= 2 * f.page && i < 5 * f.page ? 0 : 0x5a);
    f.view[2 * f.page] = 1; /* and can be used again */
    assert_int_equal(f.view[2 * f.page], 1);
    assert_int_equal(host_object_discard(&f.object, 0, 0), 0);
    assert_int_equal(host_object_discard(&f.object, 0, f.bytes + f.page), -EINVAL);
    assert_int_equal(host_object_discard(&f.object, f.bytes + f.page, f.page), -EINVAL);
    close_fixture(&f);
}

static void objects_of_impossible_size_are_refused(void **state)
{
    host_object_t object;
    assert_int_equal(host_object_create(&object, 0, *(enum host_object_kind *)*state), -EINVAL);
    assert_int_equal(object.fd, -1);
    assert_int_equal(host_object_create(&object, UINT64_MAX, *(enum host_object_kind *)*state), -EINVAL);
    host_object_close(&object); /* closing none is harmless */
}

/* What a host without holes does; longer than the window it writes through. */
static void discarding_by_writing_is_zero_as_well(void **state)
{
    (void)state;
    const size_t   page = host_page_size(), bytes = (9u << 20) + 3 * page;
    host_object_t  object;
    unsigned char *view = host_reserve(bytes);
    assert_int_equal(host_object_create(&object, bytes, HOST_OBJECT_BEST), 0);
    assert_int_equal(host_map_object(view, &object, 0, bytes, HOST_READ | HOST_WRITE), 0);
    memset(view, 0x5a, bytes);
    assert_int_equal(host_discard_by_writing(&object, page, bytes - 2 * page), 0);
    for (size_t i = 0; i < bytes; i += 512)
        assert_int_equal(view[i], i >= page && i < bytes - page ? 0 : 0x5a);
    assert_int_equal(view[page - 1], 0x5a);
    assert_int_equal(view[bytes - page - 1], 0);
    host_release(view, bytes);
    host_object_close(&object);
}

/* Not instrumented: a sanitizer's shadow would be counted as well. */
__attribute__((noinline, no_sanitize("thread"), no_sanitize("address"))) static void touch_pages(char *at, size_t bytes, size_t step)
{
    for (size_t i = 0; i < bytes; i += step)
        ((volatile char *)at)[i] = 1;
}

static void discard_gives_the_memory_back(void **state)
{
    (void)state;
    const size_t  bytes = 32u << 20;
    host_object_t object;
    char         *view = host_reserve(bytes);
    assert_int_equal(host_object_create(&object, bytes, HOST_OBJECT_BEST), 0);
    assert_int_equal(host_map_object(view, &object, 0, bytes, HOST_READ | HOST_WRITE), 0);
    uint64_t before = host_resident_bytes();
    if (before == 0)
        skip();
    touch_pages(view, bytes, host_page_size());
    assert_true(host_resident_bytes() >= before + bytes / 2);
    assert_int_equal(host_object_discard(&object, 0, bytes), 0);
    assert_true(host_resident_bytes() <= before + bytes / 2);
    host_release(view, bytes);
    host_object_close(&object);
}

static void a_reservation_faults_everywhere(void **state)
{
    (void)state;
    const size_t page = host_page_size();
    char        *at = host_reserve(4 * page);
    for (size_t i = 0; i < 4 * page; i += page / 2)
        assert_false(readable(at + i));
    host_release(at, 4 * page);
    char *huge = host_reserve((size_t)1 << 36); /* address space costs nothing */
    assert_non_null(huge);
    host_release(huge, (size_t)1 << 36);
    host_release(NULL, page);
}

/* Several at once, so that not every address is a multiple by chance; what lies around each is nobody's again. */
static void a_reservation_can_be_aligned(void **state)
{
    (void)state;
    size_t page = host_page_size();
    char  *odd[8], *at[8];
    for (int i = 0; i < 8; i++) {
        odd[i] = host_reserve(page * (size_t)(2 * i + 1));
        at[i] = host_reserve_aligned(3 * page, (size_t)4 << i << 12);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % ((size_t)4 << i << 12), 0);
        assert_false(readable(at[i]) || readable(at[i] + 3 * page - 1));
    }
    for (int i = 0; i < 8; i++) {
        host_release(at[i], 3 * page);
        host_release(odd[i], page * (size_t)(2 * i + 1));
    }
}

static void a_hint_is_taken_or_refused(void **state)
{
    (void)state;
    const size_t page = host_page_size();
    char        *at = host_reserve(4 * page);
    assert_null(host_reserve_at(at, page)); /* taken */
    assert_false(readable(at));
    host_release(at, 4 * page);
    char *again = host_reserve_at(at, 2 * page);
    assert_ptr_equal(again, at);
    host_release(again, 2 * page);
    assert_null(host_reserve_at((void *)~(uintptr_t)0xffff, page)); /* no such address */
}

static void tables_are_zero_sparse_and_clearable(void **state)
{
    if (getenv("NTMM_EMULATED") != NULL) /* an emulator tells its own resident memory */
        skip();
    (void)state;
    const size_t   bytes = (size_t)1 << 34;
    uint64_t       before = host_resident_bytes();
    unsigned char *tables = host_tables(bytes);
    assert_non_null(tables);
    for (size_t i = 0; i < bytes; i += bytes / 64) {
        assert_int_equal(tables[i], 0);
        tables[i] = 0xff;
    }
    assert_true(host_resident_bytes() < before + (16u << 20)); /* 64 pages, and not 64 huge ones */
    assert_int_equal(host_tables_clear(tables, bytes), 0);
    for (size_t i = 0; i < bytes; i += bytes / 64)
        assert_int_equal(tables[i], 0);
    host_release(tables, bytes);
    assert_null(host_tables((size_t)1 << 62));
}

/* Whether the host grants it or not: what was written stays, the rest is zero, and a part can still be given back. */
static void a_large_page_has_the_bytes_of_its_small_ones(void **state)
{
    (void)state;
    size_t        large = host_large_page_bytes(), page = host_page_size();
    host_object_t object;
    if (large == 0)
        skip();
    assert_true(large <= HOST_LARGE_PAGE_MOST && large % page == 0);
    assert_int_equal(host_object_create(&object, 2 * large, HOST_OBJECT_BEST), 0);
    char *view = host_reserve_aligned(2 * large, large);
    assert_int_equal(host_map_object(view, &object, 0, 2 * large, HOST_READ | HOST_WRITE), 0);
    view[0] = 'a';
    view[3 * page] = 'b';
    uint64_t before = host_resident_bytes();
    if (host_expect_writes_large(view) && before != 0 && getenv("NTMM_EMULATED") == NULL) /* an emulator tells its own */
        assert_true(host_resident_bytes() >= before + large / 2);
    for (size_t at = 0; at < 2 * large; at += page)
        assert_int_equal(view[at], at == 0 ? 'a' : at == 3 * page ? 'b' : 0);
    memset(view, 'c', large);
    assert_int_equal(host_object_discard(&object, 5 * page, page), 0);
    for (size_t at = 0; at < large; at += page)
        assert_int_equal(view[at], at == 5 * page ? 0 : 'c');
    host_release(view, 2 * large);
    host_object_close(&object);
}

static void the_host_tells_its_limits(void **state)
{
    (void)state;
    assert_true(host_page_size() >= 4096 && (host_page_size() & (host_page_size() - 1)) == 0);
    assert_true(host_mapping_limit() >= 1024);
}

int main(void)
{
    static enum host_object_kind best = HOST_OBJECT_BEST, shm = HOST_OBJECT_SHM;
#define BOTH(test) \
    cmocka_unit_test_prestate(test, &best), { #test " (shm)", test, NULL, NULL, &shm }
    const struct CMUnitTest tests[] = {
        BOTH(object_is_zero_and_keeps_what_is_written),
        BOTH(two_maps_of_one_offset_alias),
        BOTH(protection_is_per_page),
        BOTH(discarded_bytes_are_zero_in_every_map),
        BOTH(objects_of_impossible_size_are_refused),
        cmocka_unit_test(discarding_by_writing_is_zero_as_well),
        cmocka_unit_test(discard_gives_the_memory_back),
        cmocka_unit_test(a_reservation_faults_everywhere),
        cmocka_unit_test(a_reservation_can_be_aligned),
        cmocka_unit_test(a_hint_is_taken_or_refused),
        cmocka_unit_test(tables_are_zero_sparse_and_clearable),
        cmocka_unit_test(a_large_page_has_the_bytes_of_its_small_ones),
        cmocka_unit_test(the_host_tells_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
