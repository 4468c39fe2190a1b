/*
 * test_rtl_strsafe.c - ntstrsafe.h: statuses, what is cut, ends and remainders, flags; in 8 and 16 bits, in characters and bytes, counted and not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ntstrsafe.h>

static char  a[12];
static WCHAR w[12];

static void reset(void)
{
    memset(a, '#', sizeof a);
    for (size_t i = 0; i < 12; i++)
        w[i] = '#';
}

static void copying_cuts(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 6; room++) {
        NTSTATUS expected = room == 0 ? STATUS_INVALID_PARAMETER : room < 5 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
        size_t   length = room == 0 ? 0 : room < 5 ? room - 1 : 4;
        reset();
        assert_int_equal(RtlStringCchCopyA(a, room, "abcd"), expected);
        assert_memory_equal(a, "abcd", length);
        assert_int_equal(a[length], room == 0 ? '#' : 0);
        assert_int_equal(a[length + 1], '#');
        reset();
        assert_int_equal(RtlStringCchCopyW(w, room, u"abcd"), expected);
        assert_memory_equal(w, u"abcd", 2 * length);
        assert_int_equal(w[length + 1], '#');
        reset();
        assert_int_equal(RtlStringCbCopyW(w, 2 * room + 1, u"abcd"), expected); /* the odd byte is no room */
        assert_int_equal(w[length], room == 0 ? '#' : 0);
        reset();
        assert_int_equal(RtlStringCbCopyA(a, room, "abcd"), expected);
        reset();
        assert_int_equal(RtlStringCchPrintfA(a, room, "%s", "abcd"), expected);
        assert_memory_equal(a, "abcd", length);
    }
}

static void with_a_limit(void **state)
{
    (void)state;
    reset();
    assert_int_equal(RtlStringCchCopyNA(a, 12, "abcdef", 3), STATUS_SUCCESS);
    assert_string_equal(a, "abc");
    assert_int_equal(RtlStringCchCopyNA(a, 12, "abc", 30), STATUS_SUCCESS);
    assert_string_equal(a, "abc");
    assert_int_equal(RtlStringCchCopyNA(a, 3, "abcdef", 4), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "ab");
    assert_int_equal(RtlStringCbCopyNW(w, sizeof w, u"abcdef", 5), STATUS_SUCCESS); /* two and a half characters */
    assert_memory_equal(w, u"ab", 6);
    assert_int_equal(RtlStringCchCatNW(w, 12, u"xyz", 2), STATUS_SUCCESS);
    assert_memory_equal(w, u"abxy", 10);
    assert_int_equal(RtlStringCchCopyNA(a, 12, "abc", (size_t)NTSTRSAFE_MAX_CCH + 1), STATUS_INVALID_PARAMETER);
    assert_string_equal(a, "");
    assert_int_equal(RtlStringCchCopyNA(a, 12, "abc", 0), STATUS_SUCCESS);
    assert_string_equal(a, "");
}

static void appending(void **state)
{
    (void)state;
    strcpy(a, "ab");
    assert_int_equal(RtlStringCchCatA(a, 12, "cd"), STATUS_SUCCESS);
    assert_string_equal(a, "abcd");
    assert_int_equal(RtlStringCchCatA(a, 6, "efgh"), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "abcde");
    assert_int_equal(RtlStringCbCatA(a, 5, "x"), STATUS_INVALID_PARAMETER); /* no null within five bytes */
    assert_string_equal(a, "abcde");
    assert_int_equal(RtlStringCchCatA(a, 0, "x"), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCatA(a, (size_t)NTSTRSAFE_MAX_CCH + 1, "x"), STATUS_INVALID_PARAMETER);
    w[0] = 0;
    assert_int_equal(RtlStringCbCatW(w, sizeof w, u"xy"), STATUS_SUCCESS);
    assert_int_equal(RtlStringCbCatNW(w, sizeof w, u"zzz", 2), STATUS_SUCCESS);
    assert_memory_equal(w, u"xyz", 8);
}

static void ends_and_remainders(void **state)
{
    char  *end;
    WCHAR *wide_end;
    size_t left;
    (void)state;
    assert_int_equal(RtlStringCchCopyExA(a, 10, "abc", &end, &left, 0), STATUS_SUCCESS);
    assert_ptr_equal(end, a + 3);
    assert_int_equal(left, 7);
    assert_int_equal(RtlStringCbCopyExW(w, 21, u"abc", &wide_end, &left, 0), STATUS_SUCCESS);
    assert_ptr_equal(wide_end, w + 3);
    assert_int_equal(left, 15); /* bytes, with the odd one */
    assert_int_equal(RtlStringCchCatExA(a, 10, "defghijk", &end, &left, 0), STATUS_BUFFER_OVERFLOW);
    assert_ptr_equal(end, a + 9);
    assert_int_equal(left, 1);
    assert_int_equal(RtlStringCchPrintfExA(a, 10, &end, &left, 0, "%d", 1234), STATUS_SUCCESS);
    assert_ptr_equal(end, a + 4);
    assert_int_equal(left, 6);
    assert_int_equal(RtlStringCbPrintfExW(w, 20, &wide_end, &left, 0, u"%d", 12), STATUS_SUCCESS);
    assert_int_equal(left, 16);
    assert_int_equal(RtlStringCchCatNExA(a, 10, "xyz", 1, &end, &left, 0), STATUS_SUCCESS);
    assert_string_equal(a, "1234x");
    assert_int_equal(RtlStringCchCopyNExW(w, 12, u"xyz", 1, &wide_end, NULL, 0), STATUS_SUCCESS);
    assert_ptr_equal(wide_end, w + 1);
}

static void nulls(void **state)
{
    char  *end = a;
    size_t left = 77;
    (void)state;
    reset();
    assert_int_equal(RtlStringCchCopyExA(a, 10, NULL, NULL, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCopyExA(NULL, 0, "", NULL, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCopyExA(a, 10, NULL, &end, &left, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_int_equal(a[0], 0);
    assert_int_equal(left, 10);
    assert_int_equal(RtlStringCchCopyExA(NULL, 0, "", &end, &left, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_null(end);
    assert_int_equal(left, 0);
    assert_int_equal(RtlStringCchCopyExA(NULL, 0, "x", NULL, NULL, STRSAFE_IGNORE_NULLS), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCopyExA(NULL, 5, "", NULL, NULL, STRSAFE_IGNORE_NULLS), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCopyExA(a, 0, "x", NULL, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCopyExA(a, 0, "", NULL, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(RtlStringCchCatExA(NULL, 0, NULL, NULL, NULL, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_int_equal(RtlStringCchPrintfExA(a, 10, NULL, NULL, 0, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchPrintfExA(a, 10, NULL, NULL, STRSAFE_IGNORE_NULLS, NULL), STATUS_SUCCESS);
    assert_string_equal(a, "");
    assert_int_equal(RtlStringCchCopyExA(a, 10, "x", NULL, NULL, 0x2000), STATUS_INVALID_PARAMETER);
}

static void filling(void **state)
{
    char  *end;
    size_t left;
    (void)state;
    reset();
    assert_int_equal(RtlStringCchCopyExA(a, 10, "ab", NULL, NULL, STRSAFE_FILL_BYTE('.')), STATUS_SUCCESS);
    assert_memory_equal(a, "ab\0.......##", 12);
    assert_int_equal(RtlStringCchCopyExA(a, 4, "abcdef", &end, &left, STRSAFE_FAILURE_BYTE('!')), STATUS_BUFFER_OVERFLOW);
    assert_memory_equal(a, "!!!\0......##", 12);
    assert_ptr_equal(end, a + 3);
    assert_int_equal(left, 1);
    assert_int_equal(RtlStringCchCopyExA(a, 4, "abcdef", &end, &left, STRSAFE_FAILURE_BYTE(0)), STATUS_BUFFER_OVERFLOW);
    assert_memory_equal(a, "\0\0\0\0......##", 12);
    assert_ptr_equal(end, a);
    assert_int_equal(left, 4);
    assert_int_equal(RtlStringCchCopyExA(a, 10, NULL, NULL, NULL, STRSAFE_FAILURE_BYTE('!')), STATUS_INVALID_PARAMETER);
    assert_memory_equal(a, "!!!!!!!!!\0##", 12);
    assert_int_equal(RtlStringCchCopyExA(a, 4, "abcdef", &end, &left, STRSAFE_NULL_ON_FAILURE), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "");
    assert_ptr_equal(end, a);
    assert_int_equal(RtlStringCbCopyExW(w, 8, u"ab", NULL, NULL, STRSAFE_FILL_BYTE(0xAB)), STATUS_SUCCESS);
    assert_int_equal(w[3], 0xABAB);
    assert_int_equal(w[4], '#');
}

static void no_truncation(void **state)
{
    char  *end;
    size_t left;
    (void)state;
    reset();
    assert_int_equal(RtlStringCchCopyExA(a, 4, "abcdef", &end, &left, STRSAFE_NO_TRUNCATION), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "");
    assert_int_equal(left, 4);
    strcpy(a, "ab");
    assert_int_equal(RtlStringCchCatExA(a, 4, "cdef", &end, &left, STRSAFE_NO_TRUNCATION), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "ab");
    assert_ptr_equal(end, a + 2);
    assert_int_equal(left, 2);
    assert_int_equal(RtlStringCchCatExA(a, 4, "cdef", &end, &left, STRSAFE_NO_TRUNCATION | STRSAFE_FAILURE_BYTE('!')),
                     STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "!!!");
    assert_int_equal(RtlStringCchPrintfExA(a, 4, &end, &left, STRSAFE_NO_TRUNCATION, "%d", 12345), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(a, "");
}

static void lengths(void **state)
{
    size_t length = 9;
    (void)state;
    assert_int_equal(RtlStringCchLengthA("abc", 4, &length), STATUS_SUCCESS);
    assert_int_equal(length, 3);
    assert_int_equal(RtlStringCchLengthA("abc", 3, &length), STATUS_INVALID_PARAMETER);
    assert_int_equal(length, 0);
    assert_int_equal(RtlStringCbLengthW(u"abc", 9, &length), STATUS_SUCCESS);
    assert_int_equal(length, 6);
    assert_int_equal(RtlStringCbLengthW(u"abc", 7, &length), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchLengthW(NULL, 4, &length), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchLengthA("abc", (size_t)NTSTRSAFE_MAX_CCH + 1, &length), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchLengthA("abc", 4, NULL), STATUS_SUCCESS);
    assert_int_equal(RtlUnalignedStringCchLengthW(u"ab", 3, &length), STATUS_SUCCESS);
    assert_int_equal(length, 2);
}

static void from_a_counted_string(void **state)
{
    UNICODE_STRING source = RTL_CONSTANT_STRING(u"abcd"), bad = { 3, 8, w };
    WCHAR         *end;
    size_t         left;
    (void)state;
    reset();
    source.Length = 6;
    assert_int_equal(RtlStringCchCopyUnicodeString(w, 12, &source), STATUS_SUCCESS);
    assert_memory_equal(w, u"abc\0#", 10);
    assert_int_equal(RtlStringCbCopyUnicodeString(w, 6, &source), STATUS_BUFFER_OVERFLOW);
    assert_memory_equal(w, u"ab", 6);
    assert_int_equal(RtlStringCbCopyUnicodeStringEx(w, 24, &source, &end, &left, 0), STATUS_SUCCESS);
    assert_ptr_equal(end, w + 3);
    assert_int_equal(left, 18);
    assert_int_equal(RtlStringCchCopyUnicodeString(w, 12, &bad), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlStringCchCopyUnicodeString(w, 0, &source), STATUS_INVALID_PARAMETER);
}

/* ---- to counted strings ---- */

static void counted_init_and_validate(void **state)
{
    UNICODE_STRING       string;
    static WCHAR         longest[NTSTRSAFE_UNICODE_STRING_MAX_CCH + 1];
    const UNICODE_STRING BAD[] = { { 3, 8, w }, { 2, 7, w }, { 8, 6, w }, { 0, 8, NULL }, { 2, 2, NULL }, { 0, 65535, w } };
    (void)state;
    assert_int_equal(RtlUnicodeStringInit(&string, u"abc"), STATUS_SUCCESS);
    assert_int_equal(string.Length, 6);
    assert_int_equal(string.MaximumLength, 8);
    assert_int_equal(RtlUnicodeStringInit(&string, NULL), STATUS_SUCCESS);
    assert_int_equal(string.MaximumLength, 0);
    assert_int_equal(RtlUnicodeStringInitEx(NULL, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringInitEx(NULL, NULL, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringInitEx(NULL, u"x", STRSAFE_IGNORE_NULLS), STATUS_INVALID_PARAMETER);
    for (size_t i = 0; i < NTSTRSAFE_UNICODE_STRING_MAX_CCH; i++)
        longest[i] = 'x';
    assert_int_equal(RtlUnicodeStringInit(&string, longest), STATUS_INVALID_PARAMETER);
    longest[NTSTRSAFE_UNICODE_STRING_MAX_CCH - 1] = 0;
    assert_int_equal(RtlUnicodeStringInit(&string, longest), STATUS_SUCCESS);
    assert_int_equal(string.MaximumLength, 65534);
    assert_int_equal(RtlUnicodeStringValidate(&string), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(RtlUnicodeStringValidate(&BAD[i]), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringValidate(NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringValidateEx(NULL, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringValidateEx(&string, STRSAFE_NO_TRUNCATION), STATUS_INVALID_PARAMETER);
}

static void counted_copy_and_cat(void **state)
{
    UNICODE_STRING source = RTL_CONSTANT_STRING(u"abcd"), rest;
    (void)state;
    for (USHORT room = 0; room <= 12; room += 2) {
        UNICODE_STRING to = { 0, room, w };
        NTSTATUS       expected = room == 0 ? STATUS_INVALID_PARAMETER : room < 8 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
        reset();
        assert_int_equal(RtlUnicodeStringCopy(&to, &source), expected);
        assert_int_equal(to.Length, room < 8 ? room : 8);
        assert_int_equal(w[to.Length / 2], '#'); /* no null */
        to.Length = 0;
        reset();
        assert_int_equal(RtlUnicodeStringCopyString(&to, u"abcd"), expected);
        assert_int_equal(to.Length, room < 8 ? room : 8);
        to.Length = 0;
        assert_int_equal(RtlUnicodeStringPrintf(&to, u"%wZ", &source), expected);
        assert_int_equal(to.Length, room < 8 ? room : 8);
    }
    UNICODE_STRING to = { 0, 16, w };
    reset();
    assert_int_equal(RtlUnicodeStringCopy(&to, &source), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringCatEx(&to, &source, &rest, 0), STATUS_SUCCESS);
    assert_memory_equal(w, u"abcdabcd#", 18);
    assert_int_equal(rest.MaximumLength, 0);
    assert_int_equal(RtlUnicodeStringCatString(&to, u"x"), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(RtlUnicodeStringCchCopyN(&to, &source, 2), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringCchCatStringN(&to, u"xyz", 1), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringCbCatN(&to, &source, 4), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringCbCatStringNEx(&to, u"12", 2, &rest, 0), STATUS_SUCCESS);
    assert_int_equal(to.Length, 12);
    assert_memory_equal(w, u"abxab1", 12);
    assert_ptr_equal(rest.Buffer, w + 6);
    assert_int_equal(rest.MaximumLength, 4);
    assert_int_equal(RtlUnicodeStringCchCopyN(&to, &source, 70000), STATUS_INVALID_PARAMETER);
    assert_int_equal(to.Length, 12);
}

static void counted_flags(void **state)
{
    UNICODE_STRING source = RTL_CONSTANT_STRING(u"abcd"), to = { 2, 6, w }, rest, none = { 0, 0, NULL };
    (void)state;
    reset();
    assert_int_equal(RtlUnicodeStringCatEx(&to, &source, &rest, STRSAFE_NO_TRUNCATION), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(to.Length, 2);
    assert_int_equal(RtlUnicodeStringCopyEx(&to, &source, &rest, STRSAFE_NO_TRUNCATION), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(to.Length, 0);
    assert_int_equal(RtlUnicodeStringCopyEx(&to, &source, NULL, STRSAFE_ZERO_LENGTH_ON_FAILURE), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(to.Length, 0);
    assert_int_equal(RtlUnicodeStringPrintfEx(&to, &rest, STRSAFE_FILL_BYTE(0), u"%d", 7), STATUS_SUCCESS);
    assert_memory_equal(w, u"7\0\0#", 8);
    assert_int_equal(rest.MaximumLength, 4);
    assert_int_equal(RtlUnicodeStringCopyEx(&to, NULL, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringCopyEx(&to, NULL, NULL, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_int_equal(to.Length, 0);
    assert_int_equal(RtlUnicodeStringCopyEx(NULL, &none, &rest, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeStringCopyEx(NULL, &source, NULL, STRSAFE_IGNORE_NULLS), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringCopy(&none, &source), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringCopyEx(&to, &source, NULL, 0x2000), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringCopyStringEx(&to, NULL, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeStringCopyStringEx(&to, NULL, NULL, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copying_cuts),
        cmocka_unit_test(with_a_limit),
        cmocka_unit_test(appending),
        cmocka_unit_test(ends_and_remainders),
        cmocka_unit_test(nulls),
        cmocka_unit_test(filling),
        cmocka_unit_test(no_truncation),
        cmocka_unit_test(lengths),
        cmocka_unit_test(from_a_counted_string),
        cmocka_unit_test(counted_init_and_validate),
        cmocka_unit_test(counted_copy_and_cat),
        cmocka_unit_test(counted_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
