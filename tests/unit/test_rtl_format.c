/*
 * test_rtl_format.c - formats as drivers write them, in 8 and in 16 bits: sizes of arguments, counted strings, what is not supported.
 * Where the C library means the same it says what must come: random directives of numbers and strings, each printed by both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ntstrsafe.h>

static char  narrow[300];
static WCHAR wide[300];

static const char *print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    assert_int_equal(RtlStringCchVPrintfA(narrow, sizeof narrow, format, arguments), STATUS_SUCCESS);
    va_end(arguments);
    return narrow;
}

/* The same, in 16 bits; shown in 8, where a character above 0x7F is an x. */
static const char *print_wide(const WCHAR *format, ...)
{
    va_list arguments;
    size_t  i = 0;
    va_start(arguments, format);
    assert_int_equal(RtlStringCchVPrintfW(wide, 300, format, arguments), STATUS_SUCCESS);
    va_end(arguments);
    do
        narrow[i] = (char)(wide[i] < 0x80 ? wide[i] : 'x');
    while (wide[i++] != 0);
    return narrow;
}

static void sizes_of_integers(void **state)
{
    (void)state;
    assert_string_equal(print("%lx %ld %lu", 0xFFFFFFFFu, -1, 4000000000u), "ffffffff -1 4000000000"); /* long has 32 bits */
    assert_string_equal(print("%lx|%s", 1, "next"), "1|next");
    assert_string_equal(print("%I64x %I64d %I64u", 0x123456789ABCDEFull, -5ll, ~0ull), "123456789abcdef -5 18446744073709551615");
    assert_string_equal(print("%I32x %Ix %Iu", -1, ~(SIZE_T)0, (SIZE_T)7), "ffffffff ffffffffffffffff 7");
    assert_string_equal(print("%llX %zu %jd %td", 0xABCDEF0123ull, (size_t)9, (intmax_t)-3, (ptrdiff_t)4), "ABCDEF0123 9 -3 4");
    assert_string_equal(print("%hx %hd %hhx %hhd", 0x12345, 0x18000, 0x1FF, 0x1FF), "2345 -32768 ff -1");
    assert_string_equal(print("%#x %#X %#o %#x %o", 255, 255, 8, 0, 8), "0xff 0XFF 010 0 10");
    assert_string_equal(print("%08lX", 0xBEEF), "0000BEEF");
}

static void pointers(void **state)
{
    (void)state;
    assert_string_equal(print("%p", (void *)0xDEADBEEF), "00000000DEADBEEF");
    assert_string_equal(print("[%20p]", (void *)0x1), "[    0000000000000001]");
    assert_string_equal(print("%p", NULL), "0000000000000000");
    assert_string_equal(print_wide(u"%p", (void *)0xAB), "00000000000000AB");
}

static void text_of_both_widths(void **state)
{
    (void)state;
    assert_string_equal(print("%s %S %ws %ls %hs %hS", "a", u"b", u"c", u"d", "e", "f"), "a b c d e f");
    assert_string_equal(print_wide(u"%s %S %ws %ls %hs %hS", u"a", "b", u"c", u"d", "e", "f"), "a b c d e f");
    assert_string_equal(print("%c%C%wc%lc%hc", 'a', u'b', u'c', u'd', 'e'), "abcde");
    assert_string_equal(print_wide(u"%c%C%wc%hc", u'a', 'b', u'c', 'd'), "abcd");
    assert_string_equal(print("%ws", u"\x00E4\x20AC\x4E2D"), "\xE4\x80?"); /* code page 1252 */
    print_wide(u"%hs", "\x80");
    assert_int_equal(wide[0], 0x20AC);
    print_wide(u"%s", u"\x4E2D");
    assert_int_equal(wide[0], 0x4E2D);
    assert_string_equal(print("%s", "\xC3\xA4"), "\xC3\xA4"); /* bytes stay as they are */
    assert_string_equal(print("%s|%ws|%S", NULL, NULL, NULL), "(null)|(null)|(null)");
    assert_string_equal(print("[%5s][%-5ws][%.2s][%.*ws]", "ab", u"cd", "efgh", 3, u"ijkl"), "[   ab][cd   ][ef][ijk]");
}

static void counted_strings(void **state)
{
    char           bytes[] = { 'a', 'b', 'c', 'd' };
    WCHAR          words[] = { 'w', 'x', 'y', 'z' };
    ANSI_STRING    ansi = { 3, 4, bytes }, none = { 0, 0, NULL };
    UNICODE_STRING unicode = { 6, 8, words }, empty = { 0, 8, words };
    (void)state;
    assert_string_equal(print("%Z|%wZ|%lZ", &ansi, &unicode, &unicode), "abc|wxy|wxy");
    assert_string_equal(print_wide(u"%Z|%wZ", &ansi, &unicode), "abc|wxy");
    assert_string_equal(print("[%wZ][%Z][%wZ]", &empty, &none, NULL), "[][(null)][(null)]");
    assert_string_equal(print("[%5wZ][%-5Z][%.1wZ]", &unicode, &ansi, &unicode), "[  wxy][abc  ][w]");
}

static void what_is_not_supported(void **state)
{
    int written = 7;
    (void)state;
    assert_string_equal(print("%f %5.2e|%d", 1.5, 2.5, 3), "%f %5.2e|3"); /* the arguments are passed over */
    assert_string_equal(print("%n%d", &written, 4), "%n4");
    assert_int_equal(written, 7);
    assert_string_equal(print("100%% %y %"), "100% y ");
    assert_string_equal(print("%-08d|%+d|% d|%+5d", 5, 5, 5, -5), "5       |+5| 5|   -5");
}

static void more_than_there_is_room_for(void **state)
{
    char room[6] = "#####";
    (void)state;
    assert_int_equal(RtlStringCchPrintfA(room, 5, "%d%s", 12, "3456"), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(room, "1234");
    assert_int_equal(RtlStringCchPrintfA(room, 5, "%100d", 1), STATUS_BUFFER_OVERFLOW);
    assert_string_equal(room, "    ");
    assert_int_equal(RtlStringCchPrintfA(room, 5, "%.4d", 1), STATUS_SUCCESS);
    assert_string_equal(room, "0001");
}

/* ---- the C library's opinion ---- */

static unsigned long long seed;
static unsigned           random_below(unsigned limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % limit;
}

static void a_random_directive(void)
{
    static const char *const SIZES[] = { "", "h", "hh", "ll", "j", "z" };
    static const uint64_t    VALUES[] = {
           0, 1, 7, 8, 255, 256, 65535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, ~0ull
    };
    char     format[40], expected[200], got[200];
    uint64_t value = VALUES[random_below(sizeof VALUES / sizeof VALUES[0])];
    unsigned size = random_below(6);
    size_t   at = 0;

    format[at++] = '<';
    format[at++] = '%';
    for (const char *flag = "-+ 0#"; *flag != '\0'; flag++)
        if (random_below(3) == 0)
            format[at++] = *flag;
    if (random_below(2))
        at += (size_t)sprintf(format + at, "%u", 1 + random_below(30));
    if (random_below(3) == 0)
        at += (size_t)sprintf(format + at, ".%u", random_below(25));
    at += (size_t)sprintf(format + at, "%s%c>", SIZES[size], "diuxX"[random_below(5)]);
    if (size < 3) {
        snprintf(expected, sizeof expected, format, (int)value);
        assert_int_equal(RtlStringCchPrintfA(got, sizeof got, format, (int)value), STATUS_SUCCESS);
    } else {
        snprintf(expected, sizeof expected, format, value);
        assert_int_equal(RtlStringCchPrintfA(got, sizeof got, format, value), STATUS_SUCCESS);
    }
    if (strcmp(expected, got) != 0)
        print_error("format %s of %#llx, seed %llu\n", format, (unsigned long long)value, seed);
    assert_string_equal(got, expected);
}

static void numbers_as_the_c_library_prints_them(void **state)
{
    const char *chosen = getenv("NTMM_SEED");
    (void)state;
    seed = chosen != NULL ? strtoull(chosen, NULL, 0) : 20;
    for (unsigned i = 0; i < 100000; i++)
        a_random_directive();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_integers),
        cmocka_unit_test(pointers),
        cmocka_unit_test(text_of_both_widths),
        cmocka_unit_test(counted_strings),
        cmocka_unit_test(what_is_not_supported),
        cmocka_unit_test(more_than_there_is_room_for),
        cmocka_unit_test(numbers_as_the_c_library_prints_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
