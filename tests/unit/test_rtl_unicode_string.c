/* test_rtl_unicode_string.c - counted strings: lengths in bytes, with the null and without, and where a long one is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_bytes),
        cmocka_unit_test(a_constant_string_is_the_same),
        cmocka_unit_test(the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
