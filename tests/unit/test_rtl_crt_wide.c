/*
 * test_rtl_crt_wide.c - the C run-time's 16-bit texts, by the names that drivers use, with the host's <wchar.h> in front and behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include <ntddk.h>

#include <wchar.h>

static int sign(int value) { return (value > 0) - (value < 0); }

static void lengths_and_copies(void **state)
{
    WCHAR room[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
    (void)state;
    assert_int_equal(wcslen(L"abcd"), 4); /* a constant, which a compiler would count by its own width */
    assert_int_equal(wcslen(L""), 0);
    assert_int_equal(wcsnlen(L"abcd", 2), 2);
    assert_ptr_equal(wcscpy(room, L"ab"), room);
    assert_memory_equal(room, L"ab", 6);
    assert_int_equal(room[3], 9);
    wcscat(room, L"cd");
    wcsncat(room, L"efgh", 1);
    assert_memory_equal(room, L"abcde", 12);
    assert_int_equal(room[6], 9);
    wcsncpy(room, L"x", 3);
    assert_memory_equal(room, L"x\0\0d", 8);
    wcsncpy(room, L"xyz", 2);
    assert_memory_equal(room, L"xy\0d", 8);
}

static void comparing(void **state)
{
    (void)state;
    assert_int_equal(wcscmp(L"ab", L"ab"), 0);
    assert_int_equal(sign(wcscmp(L"ab", L"b")), -1);
    assert_int_equal(sign(wcscmp(L"ab", L"a")), 1);
    assert_int_equal(wcsncmp(L"abc", L"abd", 2), 0);
    assert_int_equal(_wcsicmp(L"AbC", L"aBc"), 0);
    assert_int_equal(sign(_wcsicmp(L"A", L"_")), 1); /* as small letters */
    assert_int_equal(_wcsnicmp(L"ABx", L"aby", 2), 0);
    assert_int_equal(_stricmp("Abc", "aBC"), 0);
    assert_int_equal(sign(_stricmp("Abc", "aBCd")), -1);
    assert_int_equal(_strnicmp("abX", "ABy", 2), 0);
    assert_int_equal(sign(_wcsicmp(L"\x00C4", L"\x00E4")), -1); /* ASCII alone is folded */
}

static void searching(void **state)
{
    WCHAR text[] = L"\\Device\\Disk0", mixed[] = L"aBc\x00E4";
    (void)state;
    assert_ptr_equal(wcschr(text, L'D'), &text[1]);
    assert_ptr_equal(wcsrchr(text, L'D'), &text[8]);
    assert_ptr_equal(wcschr(text, 0), &text[13]);
    assert_null(wcschr(text, L'#'));
    assert_null(wcsrchr(text, L'#'));
    assert_ptr_equal(wcsstr(text, L"\\Disk"), &text[7]);
    assert_ptr_equal(wcsstr(text, L""), text);
    assert_null(wcsstr(text, L"Disk01"));
    assert_int_equal(wcsspn(text, L"\\Dev"), 4);
    assert_ptr_equal(_wcsupr(mixed), mixed);
    assert_memory_equal(mixed, L"ABC\x00E4", 10);
    assert_memory_equal(_wcslwr(mixed), L"abc\x00E4", 10);
}

static void printing(void **state)
{
    WCHAR room[6] = { 9, 9, 9, 9, 9, 9 };
    char  narrow[6] = "#####";
    (void)state;
    assert_int_equal(_snwprintf(room, 5, L"%s", L"abc"), 3);
    assert_memory_equal(room, L"abc", 8);
    room[5] = 9;
    assert_int_equal(_snwprintf(room, 5, L"%d", 12345), 5); /* fits, without a null */
    assert_int_equal(room[5], 9);
    assert_int_equal(_snwprintf(room, 5, L"%d", 123456), -1);
    assert_int_equal(room[5], 9);
    assert_int_equal(_snprintf(narrow, 5, "%ws", L"xy"), 2);
    assert_string_equal(narrow, "xy");
    assert_int_equal(_snprintf(narrow, 2, "%ws", L"xyz"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_and_copies),
        cmocka_unit_test(comparing),
        cmocka_unit_test(searching),
        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
