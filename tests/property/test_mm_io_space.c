/*
 * test_mm_io_space.c - windows of I/O space against a model too simple to be wrong: what is known of each byte of a few pages.
 * Random windows of memory and of registers, mappings, unmappings, reads and writes through every door: a plain pointer, READ_REGISTER_UCHAR,
 * the device's side, the callbacks. Whether each may be added, removed and mapped the model says beforehand; ntmm_check looks at everything
 * after each step. Prints its seed; NTMM_SEED replays it, NTMM_STEPS sets the length.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

enum { PAGES = 12, WINDOWS = 24, MAPPINGS = 12, NONE = -1 };
#define BYTES (PAGES * PAGE_SIZE)
#define BASE 0xFE000000u

typedef struct window {
    size_t first, bytes; /* bytes 0: none */
    bool   registers;
} window_t;
typedef struct mapping {
    size_t              first, bytes; /* bytes 0: none */
    MEMORY_CACHING_TYPE cache;
    UCHAR              *va;
} mapping_t;

static uint64_t  state_of_random;
static window_t  windows[WINDOWS];
static mapping_t mappings[MAPPINGS];
static UCHAR     value_of[BYTES]; /* what the byte holds, if a window has it */

static uint64_t below(uint64_t bound)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random % bound;
}

/* ---- the model ---- */

static bool overlap(size_t a, size_t a_bytes, size_t b, size_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }
static bool share_a_page(size_t a, size_t a_bytes, size_t b, size_t b_bytes)
{
    return a / PAGE_SIZE <= (b + b_bytes - 1) / PAGE_SIZE && b / PAGE_SIZE <= (a + a_bytes - 1) / PAGE_SIZE;
}

static int window_at(size_t byte)
{
    for (int i = 0; i < WINDOWS; i++)
        if (overlap(byte, 1, windows[i].first, windows[i].bytes))
            return i;
    return NONE;
}

static bool page_has(size_t page, bool registers_only)
{
    for (int i = 0; i < WINDOWS; i++)
        if (windows[i].bytes != 0 && share_a_page(page * PAGE_SIZE, 1, windows[i].first, windows[i].bytes) &&
            (windows[i].registers || !registers_only))
            return true;
    return false;
}

static int mapping_of_page(size_t page)
{
    for (int i = 0; i < MAPPINGS; i++)
        if (mappings[i].bytes != 0 && share_a_page(page * PAGE_SIZE, 1, mappings[i].first, mappings[i].bytes))
            return i;
    return NONE;
}

static int expected_add(size_t first, size_t bytes, bool registers)
{
    for (int i = 0; i < WINDOWS; i++)
        if (windows[i].bytes != 0 && overlap(first, bytes, windows[i].first, windows[i].bytes))
            return -EINVAL;
    for (size_t page = first / PAGE_SIZE; registers && page <= (first + bytes - 1) / PAGE_SIZE; page++)
        if (mapping_of_page(page) != NONE && !page_has(page, true))
            return -EBUSY;
    return 0;
}

static int expected_remove(const window_t *window)
{
    for (size_t page = window->first / PAGE_SIZE; page <= (window->first + window->bytes - 1) / PAGE_SIZE; page++)
        if (mapping_of_page(page) != NONE)
            return -EBUSY;
    return 0;
}

static bool expected_map(size_t first, size_t bytes, MEMORY_CACHING_TYPE cache)
{
    for (size_t page = first / PAGE_SIZE; page <= (first + bytes - 1) / PAGE_SIZE; page++) {
        int other = mapping_of_page(page);
        if (!page_has(page, false) || (other != NONE && mappings[other].cache != cache))
            return false;
    }
    return true;
}

/* ---- the steps ---- */

static uint64_t read_bytes(void *context, uint64_t offset, unsigned bytes)
{
    const window_t *window = context;
    assert_true(bytes == 1 && offset < window->bytes);
    return value_of[window->first + offset];
}
static void write_bytes(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    const window_t *window = context;
    assert_true(bytes == 1 && offset < window->bytes);
    value_of[window->first + offset] = (UCHAR)value;
}
static const ntmm_io_ops ops = { read_bytes, write_bytes };

static size_t some_bytes(size_t first)
{
    size_t bytes = below(4) == 0 ? PAGE_SIZE * (1 + below(3)) : 1 + below(below(2) == 0 ? 64 : 2 * PAGE_SIZE);
    return bytes < BYTES - first ? bytes : BYTES - first;
}
static size_t some_byte(void) { return below(3) == 0 ? below(PAGES) * PAGE_SIZE : below(BYTES); }

static void add(void)
{
    size_t    first = some_byte(), bytes = some_bytes(first);
    bool      registers = below(3) == 0;
    window_t *window = &windows[below(WINDOWS)];
    int       expected = expected_add(first, bytes, registers);
    if (window->bytes != 0)
        return;
    if (expected == 0)
        *window = (window_t){ first, bytes, registers };
    assert_int_equal(registers ? ntmm_io_space_add_device(BASE + first, bytes, &ops, window) : ntmm_io_space_add(BASE + first, bytes),
                     expected);
    if (expected == 0)
        memset(value_of + first, 0, bytes);
}

static void take_away(void)
{
    window_t *window = &windows[below(WINDOWS)];
    if (window->bytes == 0)
        return;
    int expected = expected_remove(window);
    assert_int_equal(ntmm_io_space_remove(BASE + window->first), expected);
    if (expected == 0)
        window->bytes = 0;
}

static void map(void)
{
    size_t              first = some_byte(), bytes = some_bytes(first);
    MEMORY_CACHING_TYPE cache = below(5) == 0 ? MmCached : MmNonCached;
    mapping_t          *mapping = &mappings[below(MAPPINGS)];
    if (mapping->bytes != 0)
        return;
    bool   expected = expected_map(first, bytes, cache);
    UCHAR *va = MmMapIoSpace((PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)(BASE + first) }, bytes, cache);
    assert_int_equal(va != NULL, expected);
    if (expected)
        *mapping = (mapping_t){ first, bytes, cache, va };
}

static void unmap(mapping_t *mapping)
{
    if (mapping->bytes != 0)
        MmUnmapIoSpace(mapping->va, mapping->bytes);
    mapping->bytes = 0;
}

static void access_through_mapping(void)
{
    const mapping_t *mapping = &mappings[below(MAPPINGS)];
    if (mapping->bytes == 0)
        return;
    size_t          offset = below(mapping->bytes), byte = mapping->first + offset;
    volatile UCHAR *va = mapping->va + offset;
    bool            plain = below(2) == 0 && !page_has(byte / PAGE_SIZE, true), played = page_has(byte / PAGE_SIZE, true);
    UCHAR           value = (UCHAR)below(256);
    assert_true(MmGetPhysicalAddress((PVOID)(uintptr_t)va).QuadPart == (LONGLONG)(BASE + byte));
    if (window_at(byte) == NONE) { /* beside a window: memory of the page, or nobody */
        if (played)
            assert_int_equal(READ_REGISTER_UCHAR(va), 0xFF);
        return;
    }
    assert_int_equal(plain ? *va : READ_REGISTER_UCHAR(va), value_of[byte]);
    if (plain)
        *va = value;
    else
        WRITE_REGISTER_UCHAR(va, value);
    if (!windows[window_at(byte)].registers)
        value_of[byte] = value;
    assert_int_equal(value_of[byte], value);
}

static void access_from_the_device(void)
{
    size_t byte = below(BYTES);
    int    window = window_at(byte);
    UCHAR *there = ntmm_io_space_bytes(BASE + byte);
    assert_int_equal(there != NULL, window != NONE && !windows[window].registers);
    if (there == NULL)
        return;
    assert_int_equal(*there, value_of[byte]);
    *there = value_of[byte] = (UCHAR)below(256);
}

static void step(void)
{
    switch (below(12)) {
    case 0:
    case 1: add(); break;
    case 2: take_away(); break;
    case 3:
    case 4: map(); break;
    case 5: unmap(&mappings[below(MAPPINGS)]); break;
    case 6:
    case 7:
    case 8:
    case 9: access_through_mapping(); break;
    default: access_from_the_device(); break;
    }
}

static void windows_and_mappings_do_as_the_model_says(void **state)
{
    (void)state;
    const char *seed = getenv("NTMM_SEED"), *length = getenv("NTMM_STEPS");
    state_of_random = seed != NULL ? strtoull(seed, NULL, 0) : 0x1057ACE;
    uint64_t steps = length != NULL ? strtoull(length, NULL, 0) : 6000;
    print_message("seed 0x%llx\n", (unsigned long long)state_of_random);
    for (uint64_t i = 0; i < steps; i++) {
        step();
        if (!ntmm_check())
            fail_msg("step %llu: %s", (unsigned long long)i, ntmm_error());
    }
    for (int i = 0; i < MAPPINGS; i++)
        unmap(&mappings[i]);
    for (int i = 0; i < WINDOWS; i++)
        if (windows[i].bytes != 0)
            assert_int_equal(ntmm_io_space_remove(BASE + windows[i].first), 0);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = { ntmm_cmocka_test(windows_and_mappings_do_as_the_model_says) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
