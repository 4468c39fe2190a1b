/*
 * test_rtl_unicode_string.c - counted strings of 16 and of 8 bits: lengths in bytes, with the null and without, where a long one is cut, what
 * is copied and appended, and that nothing behind the room is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ntddk.h>

static void lengths_are_bytes(void **state)
{
    static const WCHAR text[] = { 'a', 0x4E2D, 'c', 0 };
    UNICODE_STRING     string;
    (void)state;
    RtlInitUnicodeString(&string, text);
    assert_int_equal(string.Length, 6);
    assert_int_equal(string.MaximumLength, 8);
    assert_ptr_equal(string.Buffer, text);
    RtlInitUnicodeString(&string, &text[3]);
    assert_int_equal(string.Length, 0);
    assert_int_equal(string.MaximumLength, 2);
    RtlInitUnicodeString(&string, NULL);
    assert_int_equal(string.Length, 0);
    assert_int_equal(string.MaximumLength, 0);
    assert_null(string.Buffer);
}

static void a_constant_string_is_the_same(void **state)
{
    static UNICODE_STRING wide = RTL_CONSTANT_STRING(u"\\KernelObjects");
    static STRING         narrow = RTL_CONSTANT_STRING("NT");
    UNICODE_STRING        made;
    (void)state;
    RtlInitUnicodeString(&made, wide.Buffer);
    assert_int_equal(wide.Length, made.Length);
    assert_int_equal(wide.MaximumLength, made.MaximumLength);
    assert_int_equal(narrow.Length, 2);
    assert_int_equal(narrow.MaximumLength, 3);
}

static void the_longest(void **state)
{
    WCHAR         *text = malloc(40000 * sizeof *text);
    UNICODE_STRING string;
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < 40000; i++)
        text[i] = 'x';
    for (size_t length = 32765; length <= 32768; length++) {
        text[length] = 0;
        RtlInitUnicodeString(&string, text);
        assert_int_equal(string.Length, length < 32766 ? 2 * length : 65532);
        assert_int_equal(string.MaximumLength, string.Length + 2);
        text[length] = 'x';
    }
    free(text);
}

static void a_long_one_is_refused(void **state)
{
    WCHAR         *wide = malloc(40000 * sizeof *wide);
    char          *narrow = malloc(70000);
    UNICODE_STRING string = { 1, 2, NULL };
    STRING         bytes = { 1, 2, NULL };
    (void)state;
    assert_true(wide != NULL && narrow != NULL);
    for (size_t i = 0; i < 40000; i++)
        wide[i] = 'x';
    memset(narrow, 'x', 70000);
    wide[32767] = 0;
    assert_int_equal(RtlInitUnicodeStringEx(&string, wide), STATUS_NAME_TOO_LONG);
    assert_int_equal(string.Length, 1); /* left alone */
    wide[32766] = 0;
    assert_int_equal(RtlInitUnicodeStringEx(&string, wide), STATUS_SUCCESS);
    assert_int_equal(string.Length, 65532);
    assert_int_equal(string.MaximumLength, 65534);
    assert_int_equal(RtlInitUnicodeStringEx(&string, NULL), STATUS_SUCCESS);
    assert_null(string.Buffer);
    narrow[65535] = 0;
    assert_int_equal(RtlInitAnsiStringEx(&bytes, narrow), STATUS_NAME_TOO_LONG);
    assert_int_equal(RtlInitStringEx(&bytes, narrow), STATUS_NAME_TOO_LONG);
    assert_int_equal(bytes.Length, 1);
    RtlInitAnsiString(&bytes, narrow);
    assert_int_equal(bytes.Length, 65534);
    assert_int_equal(bytes.MaximumLength, 65535);
    narrow[65534] = 0;
    assert_int_equal(RtlInitUTF8StringEx(&bytes, narrow), STATUS_SUCCESS);
    assert_int_equal(bytes.Length, 65534);
    RtlInitString(&bytes, NULL);
    assert_int_equal(bytes.MaximumLength, 0);
    free(wide);
    free(narrow);
}

DECLARE_GLOBAL_CONST_UNICODE_STRING(global, u"Global");

static void declared_strings(void **state)
{
    DECLARE_CONST_UNICODE_STRING(constant, u"abc");
    DECLARE_UNICODE_STRING_SIZE(room, 5);
    (void)state;
    assert_int_equal(global.Length, 12);
    assert_int_equal(constant.Length, 6);
    assert_int_equal(constant.MaximumLength, 8);
    assert_int_equal(constant.Buffer[3], 0);
    assert_int_equal(room.Length, 0);
    assert_int_equal(room.MaximumLength, 10);
    RtlCopyUnicodeString(&room, &constant);
    assert_int_equal(room.Length, 6);
    RtlInitEmptyUnicodeString(&room, room_buffer, 4);
    assert_int_equal(room.Length, 0);
    assert_int_equal(room.MaximumLength, 4);
}

/* Every room from none to more than enough, with a guard behind it. */
static void copying_stops_where_the_room_ends(void **state)
{
    UNICODE_STRING source = RTL_CONSTANT_STRING(u"abcd");
    (void)state;
    for (USHORT maximum = 0; maximum <= 12; maximum++) {
        WCHAR          buffer[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
        UNICODE_STRING copy = { 2, maximum, buffer };
        RtlCopyUnicodeString(&copy, &source);
        assert_int_equal(copy.Length, maximum < 8 ? maximum : 8);
        assert_int_equal(copy.MaximumLength, maximum);
        assert_memory_equal(buffer, source.Buffer, copy.Length);
        if (maximum >= 10)
            assert_int_equal(buffer[4], 0);
        for (unsigned i = (maximum + 1u) / 2; i < 8; i++)
            assert_int_equal(buffer[i], 9);
        RtlCopyUnicodeString(&copy, NULL);
        assert_int_equal(copy.Length, 0);
    }
}

static void appending_is_whole_or_not_at_all(void **state)
{
    UNICODE_STRING tail = RTL_CONSTANT_STRING(u"xyz"), nothing = { 0, 0, NULL };
    (void)state;
    for (USHORT maximum = 4; maximum <= 14; maximum++) {
        WCHAR          buffer[8] = { 'a', 'b', 9, 9, 9, 9, 9, 9 };
        UNICODE_STRING string = { 4, maximum, buffer };
        NTSTATUS       expected = maximum < 10 ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
        assert_int_equal(maximum % 4 < 2 ? RtlAppendUnicodeStringToString(&string, &tail) : RtlAppendUnicodeToString(&string, u"xyz"),
                         expected);
        assert_int_equal(string.Length, NT_SUCCESS(expected) ? 10 : 4);
        assert_int_equal(string.MaximumLength, maximum);
        assert_int_equal(buffer[2], NT_SUCCESS(expected) ? 'x' : 9);
        assert_int_equal(buffer[5], maximum >= 12 ? 0 : 9);
        assert_int_equal(buffer[6], 9);
        assert_int_equal(RtlAppendUnicodeToString(&string, NULL), STATUS_SUCCESS);
        assert_int_equal(RtlAppendUnicodeStringToString(&string, &nothing), STATUS_SUCCESS);
        assert_int_equal(string.Length, NT_SUCCESS(expected) ? 10 : 4);
    }
}

static void to_itself(void **state)
{
    WCHAR          buffer[8] = { 'a', 'b' };
    UNICODE_STRING string = { 4, sizeof buffer, buffer };
    (void)state;
    assert_int_equal(RtlAppendUnicodeStringToString(&string, &string), STATUS_SUCCESS);
    assert_int_equal(string.Length, 8);
    assert_memory_equal(buffer, u"abab", 10);
}

static void eight_bits(void **state)
{
    STRING source = RTL_CONSTANT_STRING("abcd");
    (void)state;
    for (USHORT maximum = 0; maximum <= 6; maximum++) {
        char   buffer[8] = "########";
        STRING copy = { 1, maximum, buffer };
        RtlCopyString(&copy, &source);
        assert_int_equal(copy.Length, maximum < 4 ? maximum : 4);
        assert_memory_equal(buffer, "abcd####", copy.Length);
        assert_int_equal(buffer[copy.Length], '#');
        assert_int_equal(RtlAppendAsciizToString(&copy, "yz"), maximum == 6 ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL);
        assert_int_equal(copy.Length, maximum == 6 ? 6 : maximum < 4 ? maximum : 4);
        assert_int_equal(RtlAppendAsciizToString(&copy, NULL), STATUS_SUCCESS);
        RtlCopyString(&copy, NULL);
        assert_int_equal(copy.Length, 0);
        assert_int_equal(RtlAppendStringToString(&copy, &source), maximum >= 4 ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL);
        assert_int_equal(buffer[6], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_bytes),
        cmocka_unit_test(a_constant_string_is_the_same),
        cmocka_unit_test(the_longest),
        cmocka_unit_test(a_long_one_is_refused),
        cmocka_unit_test(declared_strings),
        cmocka_unit_test(copying_stops_where_the_room_ends),
        cmocka_unit_test(appending_is_whole_or_not_at_all),
        cmocka_unit_test(to_itself),
        cmocka_unit_test(eight_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
