/*
 * test_ex_string_number.c - numbers, GUIDs and UTF-8: every edge of the text that is taken, and of the room that is needed.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

typedef struct number {
    const char *text;
    ULONG       base;
    ULONG       value;
} number_t;

static const number_t NUMBERS[] = {
    { "0", 0, 0 },
    { "123", 0, 123 },
    { "0x1F", 0, 0x1F },
    { "0xfFz", 0, 0xFF },
    { "0o17", 0, 017 },
    { "0b101", 0, 5 },
    { "017", 0, 17 }, /* no prefix of C */
    { "0X1F", 0, 0 },
    { "0x1F", 16, 0 }, /* the prefix counts with base 0 only */
    { "1F", 16, 0x1F },
    { "12", 2, 1 },
    { "189", 8, 1 },
    { " \t\n 42", 0, 42 },
    { "-1", 0, 0xFFFFFFFF },
    { "+7", 10, 7 },
    { "-0x10", 0, 0xFFFFFFF0 },
    { "--1", 0, 0 },
    { "#1", 0, 0 },
    { " ", 0, 0 },
    { "4294967295", 10, 0xFFFFFFFF },
    { "4294967296", 10, 0 },
    { "12 34", 0, 12 },
    { "0x", 0, 0 },
};

static void numbers_from_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        WCHAR          wide[32];
        UNICODE_STRING string = { (USHORT)(2 * strlen(NUMBERS[i].text)), sizeof wide, wide };
        ULONG          value = 99;
        for (size_t c = 0; c < 32; c++)
            wide[c] = c < strlen(NUMBERS[i].text) ? (WCHAR)NUMBERS[i].text[c] : '1'; /* what follows the string is not of it */
        assert_int_equal(RtlUnicodeStringToInteger(&string, NUMBERS[i].base, &value), STATUS_SUCCESS);
        assert_int_equal(value, NUMBERS[i].value);
        value = 99;
        assert_int_equal(RtlCharToInteger(NUMBERS[i].text, NUMBERS[i].base, &value), STATUS_SUCCESS);
        assert_int_equal(value, NUMBERS[i].value);
    }
}

static void numbers_that_are_refused(void **state)
{
    UNICODE_STRING string = RTL_CONSTANT_STRING(u"1"), empty = { 0, 0, NULL };
    ULONG          value;
    (void)state;
    assert_int_equal(RtlUnicodeStringToInteger(&empty, 0, &value), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlCharToInteger("", 0, &value), STATUS_SUCCESS);
    assert_int_equal(value, 0);
    for (ULONG base = 0; base < 40; base++) {
        bool known = base == 0 || base == 2 || base == 8 || base == 10 || base == 16;
        assert_int_equal(RtlUnicodeStringToInteger(&string, base, &value), known ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        assert_int_equal(RtlCharToInteger("1", base, &value), known ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
    }
}

static void numbers_to_text(void **state)
{
    WCHAR          buffer[66];
    UNICODE_STRING string = { 0, sizeof buffer, buffer };
    (void)state;
    assert_int_equal(RtlIntegerToUnicodeString(0, 0, &string), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"0", 4);
    assert_int_equal(RtlIntegerToUnicodeString(0xDEADBEEF, 16, &string), STATUS_SUCCESS);
    assert_int_equal(string.Length, 16);
    assert_memory_equal(buffer, u"DEADBEEF", 18);
    assert_int_equal(RtlIntegerToUnicodeString(4294967295u, 10, &string), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"4294967295", 22);
    assert_int_equal(RtlIntegerToUnicodeString(8, 8, &string), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"10", 6);
    assert_int_equal(RtlInt64ToUnicodeString(~0ull, 2, &string), STATUS_SUCCESS);
    assert_int_equal(string.Length, 128);
    assert_int_equal(RtlInt64ToUnicodeString(~0ull, 10, &string), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"18446744073709551615", 42);
    assert_int_equal(RtlIntPtrToUnicodeString(0xABCull, 16, &string), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"ABC", 8);
    assert_int_equal(RtlIntegerToUnicodeString(1, 3, &string), STATUS_INVALID_PARAMETER);
    string.MaximumLength = 6;
    string.Length = 0;
    assert_int_equal(RtlIntegerToUnicodeString(123, 10, &string), STATUS_BUFFER_OVERFLOW); /* its null does not fit */
    assert_int_equal(string.Length, 0);
    assert_int_equal(RtlIntegerToUnicodeString(99, 10, &string), STATUS_SUCCESS);
}

static const GUID SAMPLE = { 0x12345678, 0x9abc, 0xDEF0, { 1, 2, 3, 4, 0xa5, 0xb6, 0xc7, 0xd8 } };

static void guids(void **state)
{
    UNICODE_STRING string, lower = RTL_CONSTANT_STRING(u"{12345678-9abc-def0-0102-0304a5b6c7d8}");
    GUID           guid;
    (void)state;
    assert_int_equal(RtlStringFromGUID(&SAMPLE, &string), STATUS_SUCCESS);
    assert_int_equal(string.Length, 76);
    assert_int_equal(string.MaximumLength, 78);
    assert_memory_equal(string.Buffer, u"{12345678-9ABC-DEF0-0102-0304A5B6C7D8}", 78);
    assert_int_equal(RtlGUIDFromString(&string, &guid), STATUS_SUCCESS);
    assert_true(IsEqualGUID(&guid, &SAMPLE));
    assert_int_equal(RtlGUIDFromString(&lower, &guid), STATUS_SUCCESS);
    assert_true(IsEqualGUID(&guid, &SAMPLE));
    for (size_t i = 0; i < 38; i++) { /* one wrong character at each place */
        WCHAR was = string.Buffer[i];
        string.Buffer[i] = 'g';
        assert_int_equal(RtlGUIDFromString(&string, &guid), STATUS_INVALID_PARAMETER);
        string.Buffer[i] = was;
    }
    string.Length = 74;
    assert_int_equal(RtlGUIDFromString(&string, &guid), STATUS_INVALID_PARAMETER);
    RtlFreeUnicodeString(&string);
}

/* ---- UTF-8 ---- */

static void every_character_there_and_back(void **state)
{
    (void)state;
    for (ULONG c = 0; c<0x110000; c += c> 0x3000 && c < 0x10F000 ? 37 : 1) {
        WCHAR wide[2] = { (WCHAR)c, 0 }, back[2];
        char  narrow[4];
        ULONG bytes = c < 0x10000 ? 2 : 4, narrow_bytes, back_bytes;
        if (c >= 0xD800 && c < 0xE000)
            continue;
        if (c >= 0x10000) {
            wide[0] = (WCHAR)(0xD800 + ((c - 0x10000) >> 10));
            wide[1] = (WCHAR)(0xDC00 + (c & 0x3FF));
        }
        assert_int_equal(RtlUnicodeToUTF8N(narrow, 4, &narrow_bytes, wide, bytes), STATUS_SUCCESS);
        assert_int_equal(narrow_bytes, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(RtlUTF8ToUnicodeN(back, 4, &back_bytes, narrow, narrow_bytes), STATUS_SUCCESS);
        assert_int_equal(back_bytes, bytes);
        assert_memory_equal(back, wide, bytes);
    }
}

typedef struct bad {
    const char  *text;
    size_t       bytes;
    const WCHAR *wide;
} bad_t;

static void what_is_no_character(void **state)
{
    static const bad_t BAD[] = {
        { "a\x80z", 3, u"a\xFFFDz" },
        { "\xC0\xAF", 2, u"\xFFFD\xFFFD" },           /* longer than needed */
        { "\xE0\x80\x80", 3, u"\xFFFD\xFFFD\xFFFD" }, /* also */
        { "\xED\xA0\x80", 3, u"\xFFFD\xFFFD\xFFFD" }, /* half of a surrogate pair */
        { "\xF4\x90\x80\x80", 4, u"\xFFFD\xFFFD\xFFFD\xFFFD" },
        { "\xE2\x82", 2, u"\xFFFD" }, /* cut: one piece */
        { "\xF0\x9F\x98x", 4, u"\xFFFDx" },
        { "\xFF", 1, u"\xFFFD" },
    };
    static const WCHAR LONE[][3] = { { 0xD800, 'x' }, { 0xDC00, 'x' }, { 0xDC00, 0xD800 } };
    char               narrow[8];
    ULONG              bytes;
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        WCHAR wide[8] = { 0 };
        assert_int_equal(RtlUTF8ToUnicodeN(wide, sizeof wide, &bytes, BAD[i].text, (ULONG)BAD[i].bytes), STATUS_SOME_NOT_MAPPED);
        for (size_t c = 0; c <= bytes / 2; c++)
            assert_int_equal(wide[c], BAD[i].wide[c]);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(RtlUnicodeToUTF8N(narrow, 8, &bytes, LONE[i], 4), STATUS_SOME_NOT_MAPPED);
    assert_int_equal(bytes, 6);
}

static void room_for_whole_characters(void **state)
{
    static const WCHAR TEXT[] = u"a\x20AC\xD83D\xDE00"; /* 1, 3 and 4 bytes */
    static const ULONG FITS[] = { 0, 1, 1, 1, 4, 4, 4, 4, 8, 8 };
    (void)state;
    for (ULONG room = 0; room < 10; room++) {
        char  narrow[12] = "############";
        ULONG bytes;
        assert_int_equal(RtlUnicodeToUTF8N(narrow, room, &bytes, TEXT, 8), room < 8 ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS);
        assert_int_equal(bytes, FITS[room]);
        assert_int_equal(narrow[bytes], '#');
    }
    for (ULONG room = 0; room < 10; room++) {
        WCHAR wide[6] = { 9, 9, 9, 9, 9, 9 };
        ULONG bytes;
        assert_int_equal(RtlUTF8ToUnicodeN(wide, room, &bytes, "a\xE2\x82\xAC\xF0\x9F\x98\x80", 8),
                         room < 8 ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS);
        assert_int_equal(bytes, room < 2 ? 0 : room < 4 ? 2 : room < 8 ? 4 : 8);
        assert_int_equal(wide[bytes / 2], 9);
    }
}

static void utf8_arguments(void **state)
{
    char  narrow[4];
    WCHAR wide[4];
    ULONG bytes;
    (void)state;
    assert_int_equal(RtlUnicodeToUTF8N(NULL, 0, NULL, u"x", 2), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUnicodeToUTF8N(narrow, 4, &bytes, NULL, 2), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(RtlUnicodeToUTF8N(narrow, 4, &bytes, u"x", 1), STATUS_INVALID_PARAMETER_5);
    assert_int_equal(RtlUnicodeToUTF8N(narrow, 4, NULL, u"x", 2), STATUS_SUCCESS);
    assert_int_equal(RtlUnicodeToUTF8N(NULL, 0, &bytes, u"\x20AC", 4), STATUS_SUCCESS); /* a null is a character, too */
    assert_int_equal(bytes, 4);
    assert_int_equal(RtlUTF8ToUnicodeN(NULL, 0, NULL, "x", 1), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlUTF8ToUnicodeN(wide, 8, &bytes, NULL, 1), STATUS_INVALID_PARAMETER_4);
    assert_int_equal(RtlUTF8ToUnicodeN(NULL, 0, &bytes, "\xF0\x9F\x98\x80", 4), STATUS_SUCCESS);
    assert_int_equal(bytes, 4);
}

static void utf8_strings(void **state)
{
    UNICODE_STRING wide = RTL_CONSTANT_STRING(u"\x20ACx"), back, lone = RTL_CONSTANT_STRING(u"\xD800");
    UTF8_STRING    narrow, bad;
    (void)state;
    assert_int_equal(RtlUnicodeStringToUTF8String(&narrow, &wide, TRUE), STATUS_SUCCESS);
    assert_string_equal(narrow.Buffer, "\xE2\x82\xACx");
    assert_int_equal(narrow.MaximumLength, 5);
    assert_int_equal(RtlUTF8StringToUnicodeString(&back, &narrow, TRUE), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&wide, &back, FALSE));
    narrow.MaximumLength = 4;
    assert_int_equal(RtlUnicodeStringToUTF8String(&narrow, &wide, FALSE), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(RtlUnicodeStringToUTF8String(&bad, &lone, TRUE), STATUS_SOME_NOT_MAPPED);
    assert_string_equal(bad.Buffer, "\xEF\xBF\xBD");
    RtlFreeUTF8String(&bad);
    RtlFreeUTF8String(&narrow);
    RtlFreeUnicodeString(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(numbers_from_text),
        ntmm_cmocka_test(numbers_that_are_refused),
        ntmm_cmocka_test(numbers_to_text),
        ntmm_cmocka_test(guids),
        ntmm_cmocka_test(every_character_there_and_back),
        ntmm_cmocka_test(what_is_no_character),
        ntmm_cmocka_test(room_for_whole_characters),
        ntmm_cmocka_test(utf8_arguments),
        ntmm_cmocka_test(utf8_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
