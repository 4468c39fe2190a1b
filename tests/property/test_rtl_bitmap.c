/*
 * test_rtl_bitmap.c - the driver's bitmaps against an array with a byte for each bit: random operations on bitmaps of many sizes, every answer
 * compared; then the edges by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ntifs.h>

#define BITS_MAX 200u

static unsigned long long seed;
static unsigned           below(unsigned limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return limit != 0 ? (unsigned)(seed >> 33) % limit : 0;
}

/* ---- the model ---- */

static unsigned char model[BITS_MAX];
static ULONG         size;

static ULONG model_find(unsigned char value, ULONG count, ULONG from, ULONG end)
{
    for (ULONG at = from; at < end; at++) {
        ULONG length = 0;
        while (length < count && at + length < size && model[at + length] == value)
            length++;
        if (length == count)
            return at;
    }
    return 0xFFFFFFFF;
}

static ULONG model_find_hint(unsigned char value, ULONG count, ULONG hint)
{
    ULONG found;
    if (hint >= size)
        hint = 0;
    if (count == 0)
        return hint;
    found = model_find(value, count, hint, size);
    return found == 0xFFFFFFFF ? model_find(value, count, 0, hint) : found;
}

static ULONG model_run(ULONG from, ULONG *start)
{
    ULONG end;
    while (from < size && model[from])
        from++;
    for (end = from; end < size && !model[end]; end++)
        ;
    *start = from;
    return end - from;
}

static ULONG model_count(void)
{
    ULONG count = 0;
    for (ULONG i = 0; i < size; i++)
        count += model[i];
    return count;
}

/* ---- one operation, then every question ---- */

static void change(PRTL_BITMAP map)
{
    ULONG at = below(size), count = below(size - at + 1), found;

    switch (below(8)) {
    case 0: RtlSetBits(map, at, count), memset(model + at, 1, count); break;
    case 1: RtlClearBits(map, at, count), memset(model + at, 0, count); break;
    case 2: RtlSetBit(map, at), model[at] = 1; break;
    case 3: RtlClearBit(map, at), model[at] = 0; break;
    case 4:
        count = 1 + below(20);
        found = model_find_hint(0, count, at);
        assert_int_equal(RtlFindClearBitsAndSet(map, count, at), found);
        if (found != 0xFFFFFFFF)
            memset(model + found, 1, count);
        break;
    case 5:
        count = 1 + below(20);
        found = model_find_hint(1, count, at);
        assert_int_equal(RtlFindSetBitsAndClear(map, count, at), found);
        if (found != 0xFFFFFFFF)
            memset(model + found, 0, count);
        break;
    case 6:
        if (below(20) == 0)
            RtlSetAllBits(map), memset(model, 1, size);
        break;
    default:
        if (below(20) == 0)
            RtlClearAllBits(map), memset(model, 0, size);
    }
}

static void ask_runs(PRTL_BITMAP map)
{
    RTL_BITMAP_RUN runs[5];
    ULONG          start, expected, from = below(size), length = model_run(from, &expected), longest = 0, longest_at = 0, used;

    assert_int_equal(RtlFindNextForwardRunClear(map, from, &start), length);
    if (length != 0)
        assert_int_equal(start, expected);
    for (ULONG at = 0; (length = model_run(at, &expected)) != 0; at = expected + length)
        if (length > longest) {
            longest = length;
            longest_at = expected;
        }
    assert_int_equal(RtlFindLongestRunClear(map, &start), longest);
    if (longest != 0)
        assert_int_equal(start, longest_at);
    used = RtlFindClearRuns(map, runs, 5, TRUE);
    for (ULONG i = 0; i < used; i++) {
        assert_true(i == 0 || runs[i].NumberOfBits <= runs[i - 1].NumberOfBits);
        assert_true(RtlAreBitsClear(map, runs[i].StartingIndex, runs[i].NumberOfBits));
    }
    assert_int_equal(used != 0 ? runs[0].NumberOfBits : 0, longest);
    used = RtlFindClearRuns(map, runs, 5, FALSE);
    for (ULONG i = 0, at = 0; i < used; i++, at = expected + length) {
        length = model_run(at, &expected);
        assert_int_equal(runs[i].StartingIndex, expected);
        assert_int_equal(runs[i].NumberOfBits, length);
    }
    from = below(size);
    for (expected = from + 1; expected > 0 && model[expected - 1]; expected--)
        ;
    for (length = 0; length < expected && !model[expected - 1 - length]; length++)
        ;
    assert_int_equal(RtlFindLastBackwardRunClear(map, from, &start), length);
    if (length != 0)
        assert_int_equal(start, expected - length);
}

static void ask(PRTL_BITMAP map)
{
    ULONG at = below(size), count = below(size - at) + 1, hint = below(size + 5), wanted = below(30), set = 0;

    assert_int_equal(RtlNumberOfSetBits(map), model_count());
    assert_int_equal(RtlNumberOfClearBits(map), size - model_count());
    for (ULONG i = at; i < at + count; i++)
        set += model[i];
    assert_int_equal(RtlNumberOfSetBitsInRange(map, at, count), set);
    assert_int_equal(RtlNumberOfClearBitsInRange(map, at, count), count - set);
    assert_int_equal(RtlAreBitsSet(map, at, count), set == count);
    assert_int_equal(RtlAreBitsClear(map, at, count), set == 0);
    assert_int_equal(RtlTestBit(map, at), model[at]);
    assert_int_equal(RtlCheckBit(map, at), model[at]);
    assert_int_equal(RtlFindClearBits(map, wanted, hint), model_find_hint(0, wanted, hint));
    assert_int_equal(RtlFindSetBits(map, wanted, hint), model_find_hint(1, wanted, hint));
    ask_runs(map);
}

static void as_the_model_says(void **state)
{
    const char *chosen = getenv("NTMM_SEED");
    (void)state;
    seed = chosen != NULL ? strtoull(chosen, NULL, 0) : 33;
    print_message("seed %llu\n", seed);
    for (unsigned round = 0; round < 60; round++) {
        ULONG      words[BITS_MAX / 32 + 2];
        RTL_BITMAP map;
        size = 1 + below(BITS_MAX);
        memset(words, 0xA5, sizeof words);
        RtlInitializeBitMap(&map, words, size);
        for (ULONG i = 0; i < size; i++)
            model[i] = RtlTestBit(&map, i);
        for (unsigned step = 0; step < 300; step++) {
            change(&map);
            ask(&map);
        }
        assert_int_equal(words[(size + 31) / 32], 0xA5A5A5A5); /* nothing behind the last word */
    }
}

static void edges(void **state)
{
    ULONG      words[4] = { 0, 0, 0, 0 }, start = 7;
    RTL_BITMAP map, none;
    (void)state;
    RtlInitializeBitMap(&map, words, 100);
    RtlInitializeBitMap(&none, NULL, 0);
    assert_false(RtlAreBitsClear(&map, 0, 0));
    assert_false(RtlAreBitsClear(&map, 90, 11));
    assert_false(RtlAreBitsClear(&map, 100, 1));
    assert_false(RtlAreBitsClear(&map, 1, 0xFFFFFFFF));
    assert_int_equal(RtlFindClearBits(&map, 101, 0), 0xFFFFFFFF);
    assert_int_equal(RtlFindClearBits(&map, 100, 50), 0);
    assert_int_equal(RtlFindClearBits(&map, 10, 1000), 0);
    assert_int_equal(RtlFindFirstRunClear(&map, &start), 100);
    assert_int_equal(start, 0);
    assert_int_equal(RtlFindClearRuns(&map, NULL, 0, TRUE), 0);
    assert_int_equal(RtlFindClearBits(&none, 1, 0), 0xFFFFFFFF);
    assert_int_equal(RtlFindLastBackwardRunClear(&none, 5, &start), 0);
    RtlSetBits(&map, 31, 2); /* over a word's end */
    assert_int_equal(words[0], 0x80000000);
    assert_int_equal(words[1], 1);
    RtlSetAllBits(&map);
    assert_int_equal(words[3], 0xFFFFFFFF);
    assert_int_equal(RtlFindLeastSignificantBit(0), -1);
    assert_int_equal(RtlFindMostSignificantBit(0), -1);
    assert_int_equal(RtlFindLeastSignificantBit(0x8000000000000000), 63);
    assert_int_equal(RtlFindMostSignificantBit(0x8000000000000001), 63);
    assert_int_equal(RtlFindMostSignificantBit(0x7F), 6);
    assert_int_equal(RtlNumberOfSetBitsUlongPtr(~(ULONG_PTR)0), 64);
}

static void copies(void **state)
{
    ULONG      from_words[2] = { 0x12345678, 0x9ABCDEF0 }, to_words[3] = { 0, 0, 0 };
    RTL_BITMAP from, to;
    (void)state;
    RtlInitializeBitMap(&from, from_words, 64);
    RtlInitializeBitMap(&to, to_words, 70);
    RtlCopyBitMap(&from, &to, 4);
    assert_int_equal(to_words[0], 0x23456780);
    assert_int_equal(to_words[2], 0x9);
    RtlCopyBitMap(&from, &to, 66); /* four bits of room */
    assert_int_equal(to_words[2], 0x21);
    RtlExtractBitMap(&from, &to, 8, 16);
    assert_int_equal(to_words[0], 0x23453456);
    RtlExtractBitMap(&from, &to, 60, 16); /* four bits are there */
    assert_int_equal(to_words[0], 0x23453459);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_model_says),
        cmocka_unit_test(edges),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
