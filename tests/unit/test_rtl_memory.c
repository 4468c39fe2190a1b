/*
 * test_rtl_memory.c - filling, copying and comparing bytes, every length and alignment around the edges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ntifs.h>

static UCHAR buffer[256], other[256];

static void fill(UCHAR *bytes, unsigned seed)
{
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (UCHAR)(i * 7 + seed);
}

static void copies(void **state)
{
    (void)state;
    for (unsigned length = 0; length < 200; length++) {
        fill(buffer, 1);
        fill(other, 99);
        RtlCopyMemory(other + 3, buffer + 5, length);
        assert_true(RtlEqualMemory(other + 3, buffer + 5, length));
        assert_int_equal(other[3 + length], (UCHAR)((3 + length) * 7 + 99));
        RtlMoveMemory(buffer + 4, buffer, length); /* overlapping, upwards */
        for (unsigned i = 0; i < length; i++)
            assert_int_equal(buffer[4 + i], (UCHAR)(i * 7 + 1));
        fill(other, 99);
        RtlCopyMemoryNonTemporal(other, buffer, length);
        assert_true(RtlEqualMemory(other, buffer, length));
        assert_int_equal(other[length], (UCHAR)(length * 7 + 99));
    }
}

static void fills(void **state)
{
    (void)state;
    fill(buffer, 0);
    RtlFillMemory(buffer + 1, 10, 0xC3);
    RtlZeroMemory(buffer + 11, 5);
    RtlFillMemoryNonTemporal(buffer + 16, 3, 0x3C);
    assert_int_equal(buffer[0], 0);
    for (unsigned i = 1; i < 19; i++)
        assert_int_equal(buffer[i], i < 11 ? 0xC3 : i < 16 ? 0 : 0x3C);
    assert_int_equal(buffer[19], (UCHAR)(19 * 7));
    assert_ptr_equal(RtlSecureZeroMemory(buffer, 100), buffer);
    assert_true(RtlIsZeroMemory(buffer, 100));
    assert_int_equal(buffer[100], (UCHAR)(100 * 7));
}

static void patterns_fill_whole_words_only(void **state)
{
    (void)state;
    static DECLSPEC_ALIGN(8) UCHAR bytes[64];
    for (unsigned length = 0; length <= 40; length++) {
        memset(bytes, 0xEE, sizeof bytes);
        RtlFillMemoryUlong(bytes + 4, length, 0x04030201);
        for (unsigned i = 0; i < 60; i++)
            assert_int_equal(bytes[4 + i], i < length / 4 * 4 ? i % 4 + 1 : 0xEE);
        memset(bytes, 0xEE, sizeof bytes);
        RtlFillMemoryUlonglong(bytes + 8, length, 0x0807060504030201ull);
        for (unsigned i = 0; i < 56; i++)
            assert_int_equal(bytes[8 + i], i < length / 8 * 8 ? i % 8 + 1 : 0xEE);
    }
}

static void comparing_stops_at_the_first_difference(void **state)
{
    (void)state;
    fill(buffer, 5);
    fill(other, 5);
    assert_int_equal(RtlCompareMemory(buffer, other, 200), 200);
    assert_int_equal(RtlCompareMemory(buffer, other, 0), 0);
    assert_true(RtlConstantTimeEqualMemory(buffer, other, 200));
    for (unsigned at = 0; at < 200; at++) {
        other[at] ^= 0x40;
        assert_int_equal(RtlCompareMemory(buffer, other, 200), at);
        assert_false(RtlEqualMemory(buffer, other, 200));
        assert_false(RtlConstantTimeEqualMemory(buffer, other, 200));
        assert_true(RtlConstantTimeEqualMemory(buffer, other, at));
        other[at] ^= 0x40;
    }
}

static void comparing_with_a_pattern(void **state)
{
    (void)state;
    static ULONG words[16];
    RtlFillMemoryUlong(words, sizeof words, 0xDEADBEEF);
    assert_int_equal(RtlCompareMemoryUlong(words, sizeof words, 0xDEADBEEF), sizeof words);
    assert_int_equal(RtlCompareMemoryUlong(words, 3, 0xDEADBEEF), 0);
    assert_int_equal(RtlCompareMemoryUlong(words, 11, 0xDEADBEEF), 8);
    assert_int_equal(RtlCompareMemoryUlong((UCHAR *)words + 1, 40, 0xDEADBEEF), 0); /* not aligned */
    for (unsigned i = 0; i < 16; i++) {
        words[i]++;
        assert_int_equal(RtlCompareMemoryUlong(words, sizeof words, 0xDEADBEEF), i * 4);
        words[i]--;
    }
}

static void zero_or_not(void **state)
{
    (void)state;
    memset(buffer, 0, sizeof buffer);
    assert_true(RtlIsZeroMemory(buffer, 0));
    for (unsigned at = 0; at < 100; at++) {
        buffer[at + 1] = 1;
        assert_false(RtlIsZeroMemory(buffer + 1, 100));
        assert_true(RtlIsZeroMemory(buffer + 1, at));
        buffer[at + 1] = 0;
    }
}

/* In units of pages, whatever their size. */
static void pages_of_a_range(void **state)
{
    (void)state;
    char *page = (char *)(ULONG_PTR)(8 * PAGE_SIZE);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page, 0), 0);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page, 1), 1);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page, PAGE_SIZE), 1);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page, PAGE_SIZE + 1), 2);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page + PAGE_SIZE - 1, 1), 1);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page + PAGE_SIZE - 1, 2), 2);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(page + 1, PAGE_SIZE), 2);
    assert_int_equal(BYTES_TO_PAGES(0), 0);
    assert_int_equal(BYTES_TO_PAGES(PAGE_SIZE + 1), 2);
    assert_int_equal(ROUND_TO_PAGES(PAGE_SIZE + 1), 2 * PAGE_SIZE);
    assert_ptr_equal(PAGE_ALIGN(page + 5), page);
    assert_int_equal(BYTE_OFFSET(page + 5), 5);
    struct holder {
        int  first;
        char second;
    } holder;
    assert_ptr_equal(CONTAINING_RECORD(&holder.second, struct holder, second), &holder);
}

static void hints_and_fences_compile(void **state)
{
    (void)state;
    RtlPrefetchMemoryNonTemporal(buffer, sizeof buffer);
    RtlPrefetchMemoryNonTemporal(NULL, 128); /* a hint never faults */
    KeMemoryBarrier();
    KeMemoryBarrierWithoutFence();
    MemoryBarrier();
    _ReadWriteBarrier();
    _ReadBarrier();
    _WriteBarrier();
    YieldProcessor();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(fills),
        cmocka_unit_test(patterns_fill_whole_words_only),
        cmocka_unit_test(comparing_stops_at_the_first_difference),
        cmocka_unit_test(comparing_with_a_pattern),
        cmocka_unit_test(zero_or_not),
        cmocka_unit_test(pages_of_a_range),
        cmocka_unit_test(hints_and_fences_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
