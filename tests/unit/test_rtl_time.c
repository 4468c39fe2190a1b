/*
 * test_rtl_time.c - dates there and back, against the C library's calendar; seconds; random numbers; bytes in another order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <ntifs.h>

#define SECOND 10000000ll
#define TO_1970 11644473600ll

static void as_the_c_library_says(void **state)
{
    (void)state;
    for (int64_t seconds = -11644473600; seconds < 300000000000; seconds += 7654321) {
        LARGE_INTEGER time = { .QuadPart = (seconds + TO_1970) * SECOND + 1230000 }, back;
        TIME_FIELDS   fields;
        time_t        host_time = (time_t)seconds;
        struct tm     tm;
        assert_non_null(gmtime_r(&host_time, &tm));
        RtlTimeToTimeFields(&time, &fields);
        assert_int_equal(fields.Year, tm.tm_year + 1900);
        assert_int_equal(fields.Month, tm.tm_mon + 1);
        assert_int_equal(fields.Day, tm.tm_mday);
        assert_int_equal(fields.Hour, tm.tm_hour);
        assert_int_equal(fields.Minute, tm.tm_min);
        assert_int_equal(fields.Second, tm.tm_sec);
        assert_int_equal(fields.Milliseconds, 123);
        assert_int_equal(fields.Weekday, tm.tm_wday);
        fields.Weekday = 99; /* does not matter */
        assert_true(RtlTimeFieldsToTime(&fields, &back));
        assert_true(back.QuadPart == time.QuadPart);
    }
}

static void every_day_of_400_years(void **state)
{
    TIME_FIELDS before = { 1600, 12, 31, 0, 0, 0, 0, 0 };
    (void)state;
    for (LONGLONG day = 0; day < 146097; day++) {
        LARGE_INTEGER time = { .QuadPart = day * 86400 * SECOND };
        TIME_FIELDS   fields;
        RtlTimeToTimeFields(&time, &fields);
        assert_true(fields.Day == before.Day + 1 ||
                    (fields.Day == 1 && (fields.Month == before.Month + 1 || (fields.Month == 1 && fields.Year == before.Year + 1))));
        assert_int_equal(fields.Weekday, (before.Weekday + 1) % 7);
        before = fields;
    }
    assert_int_equal(before.Year, 2000);
    assert_int_equal(before.Day, 31);
}

static void dates_that_do_not_exist(void **state)
{
    static const TIME_FIELDS NONE[] = {
        { 1600, 12, 31, 0, 0, 0, 0, 0 }, { 30828, 1, 1, 0, 0, 0, 0, 0 }, { 2000, 0, 1, 0, 0, 0, 0, 0 },  { 2000, 13, 1, 0, 0, 0, 0, 0 },
        { 2000, 1, 0, 0, 0, 0, 0, 0 },   { 2000, 1, 32, 0, 0, 0, 0, 0 }, { 2001, 2, 29, 0, 0, 0, 0, 0 }, { 1900, 2, 29, 0, 0, 0, 0, 0 },
        { 2000, 1, 1, 24, 0, 0, 0, 0 },  { 2000, 1, 1, 0, 60, 0, 0, 0 }, { 2000, 1, 1, 0, 0, 60, 0, 0 }, { 2000, 1, 1, 0, 0, 0, 1000, 0 },
        { 2000, 1, 1, -1, 0, 0, 0, 0 },  { 2000, 1, 1, 0, 0, 0, -1, 0 },
    };
    TIME_FIELDS   leap = { 2000, 2, 29, 0, 0, 0, 0, 0 }, last = { 30827, 12, 31, 23, 59, 59, 999, 0 };
    LARGE_INTEGER time = { .QuadPart = 5 };
    (void)state;
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
        TIME_FIELDS fields = NONE[i];
        assert_false(RtlTimeFieldsToTime(&fields, &time));
        assert_int_equal(time.QuadPart, 5);
    }
    assert_true(RtlTimeFieldsToTime(&leap, &time));
    assert_true(RtlTimeFieldsToTime(&last, &time));
    RtlTimeToTimeFields(&time, &leap);
    assert_int_equal(leap.Year, 30827);
    assert_int_equal(leap.Milliseconds, 999);
}

static void seconds(void **state)
{
    LARGE_INTEGER time;
    ULONG         elapsed = 7;
    (void)state;
    RtlSecondsSince1970ToTime(0, &time);
    assert_true(time.QuadPart == TO_1970 * SECOND);
    RtlSecondsSince1980ToTime(0, &time);
    assert_true(RtlTimeToSecondsSince1970(&time, &elapsed));
    assert_int_equal(elapsed, 315532800);
    RtlSecondsSince1970ToTime(MAXULONG, &time);
    assert_true(RtlTimeToSecondsSince1970(&time, &elapsed));
    assert_int_equal(elapsed, MAXULONG);
    time.QuadPart += SECOND;
    assert_false(RtlTimeToSecondsSince1970(&time, &elapsed));
    time.QuadPart = TO_1970 * SECOND - 1;
    assert_false(RtlTimeToSecondsSince1970(&time, &elapsed));
    assert_false(RtlTimeToSecondsSince1980(&time, &elapsed));
    assert_int_equal(elapsed, MAXULONG);
}

static void random_numbers(void **state)
{
    ULONG seed = 12345, again = 12345, zero = 0, high = MAXULONG, below_half = 0;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        ULONG number = RtlRandomEx(&seed);
        assert_true(number < MAXLONG);
        assert_int_equal(RtlRandomEx(&again), number);
        below_half += number < MAXLONG / 2;
    }
    assert_in_range(below_half, 4700, 5300);
    assert_true(RtlRandom(&zero) < MAXLONG && zero != 0);
    assert_true(RtlRandomEx(&high) < MAXLONG);
}

static void bytes(void **state)
{
    UCHAR         buffer[16] = { 0 };
    USHORT        half;
    ULONG         word, rest;
    LARGE_INTEGER large = { .QuadPart = -7 };
    LUID          luid = RtlConvertLongToLuid(-1), zero = RtlConvertUlongToLuid(0);
    (void)state;
    assert_int_equal(RtlUshortByteSwap(0x1234), 0x3412);
    assert_int_equal(RtlUlongByteSwap(0x12345678), 0x78563412);
    assert_true(RtlUlonglongByteSwap(0x0102030405060708ull) == 0x0807060504030201ull);
    RtlStoreUshort(buffer + 1, 0x1122);
    RtlStoreUlong(buffer + 3, 0x33445566);
    RtlStoreUlonglong(buffer + 7, 0x778899AABBCCDDEEull);
    assert_memory_equal(buffer, "\0\x22\x11\x66\x55\x44\x33\xEE\xDD\xCC\xBB\xAA\x99\x88\x77", 15);
    RtlRetrieveUshort(&half, buffer + 1);
    RtlRetrieveUlong(&word, buffer + 3);
    assert_int_equal(half, 0x1122);
    assert_int_equal(word, 0x33445566);
    assert_true(RtlConvertLongToLargeInteger(-5).QuadPart == -5);
    assert_true(RtlConvertUlongToLargeInteger(0xFFFFFFFF).QuadPart == 0xFFFFFFFF);
    assert_true(RtlEnlargedIntegerMultiply(-3, 0x7FFFFFFF).QuadPart == -3ll * 0x7FFFFFFF);
    assert_true(RtlEnlargedUnsignedMultiply(0xFFFFFFFF, 2).QuadPart == 0x1FFFFFFFEll);
    assert_true(RtlExtendedIntegerMultiply(large, 3).QuadPart == -21);
    large.QuadPart = 1000000000007;
    assert_true(RtlExtendedLargeIntegerDivide(large, 1000, &rest).QuadPart == 1000000000);
    assert_int_equal(rest, 7);
    assert_true(RtlExtendedMagicDivide(large, (LARGE_INTEGER){ .QuadPart = (LONGLONG)0xD1B71758E219652Cull }, 13).QuadPart ==
                100000000); /* by 10,000 */
    assert_true(RtlEqualLuid(&luid, &luid) && !RtlEqualLuid(&luid, &zero));
    assert_true(RtlIsZeroLuid(&zero) && !RtlIsZeroLuid(&luid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_c_library_says),   cmocka_unit_test(every_day_of_400_years),
        cmocka_unit_test(dates_that_do_not_exist), cmocka_unit_test(seconds),
        cmocka_unit_test(random_numbers),          cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
