/*
 * test_ex_string_convert.c - between code pages and 16 bits: every character, every size of room, memory that fails and is given back.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

#define STRING_TAG NTMM_TAG("Strg")

static uint64_t live_strings(void)
{
    ntmm_pool_usage usage = { 0 };
    ntmm_query_tag(STRING_TAG, PagedPool, &usage);
    return usage.allocs - usage.frees;
}

typedef NTSTATUS (*widen_t)(PUNICODE_STRING, const STRING *, BOOLEAN);
typedef NTSTATUS (*narrow_t)(PSTRING, PCUNICODE_STRING, BOOLEAN);

/* All 256 characters there and back, in new memory. */
static void there_and_back(widen_t widen, narrow_t narrow)
{
    char           bytes[256];
    STRING         source = { 256, 256, bytes }, back;
    UNICODE_STRING wide;

    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (char)i;
    assert_int_equal(widen(&wide, &source, TRUE), STATUS_SUCCESS);
    assert_int_equal(wide.Length, 512);
    assert_int_equal(live_strings(), 1);
    for (unsigned i = 0; i < 0x80; i++)
        assert_int_equal(wide.Buffer[i], i);
    assert_int_equal(narrow(&back, &wide, TRUE), STATUS_SUCCESS);
    assert_int_equal(back.Length, 256);
    assert_memory_equal(back.Buffer, bytes, 256);
    RtlFreeUnicodeString(&wide);
    assert_null(wide.Buffer);
    assert_int_equal(wide.MaximumLength, 0);
    RtlFreeAnsiString(&back);
    assert_int_equal(live_strings(), 0);
    RtlFreeUnicodeString(&wide); /* nothing left: nothing happens */
}

static void every_character_there_and_back(void **state)
{
    (void)state;
    there_and_back(RtlAnsiStringToUnicodeString, RtlUnicodeStringToAnsiString);
    there_and_back(RtlOemStringToUnicodeString, RtlUnicodeStringToOemString);
    there_and_back(RtlOemStringToCountedUnicodeString, RtlUnicodeStringToCountedOemString);
}

static void some_characters(void **state)
{
    STRING         ansi = RTL_CONSTANT_STRING("\x80\x9F\xE4"), oem = RTL_CONSTANT_STRING("\x80\xE1\xFF");
    WCHAR          buffer[8];
    UNICODE_STRING wide = { 0, sizeof buffer, buffer };
    (void)state;
    assert_int_equal(RtlAnsiStringToUnicodeString(&wide, &ansi, FALSE), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"\x20AC\x0178\x00E4", 8);
    assert_int_equal(RtlOemStringToUnicodeString(&wide, &oem, FALSE), STATUS_SUCCESS);
    assert_memory_equal(buffer, u"\x00C7\x00DF\x00A0", 8);
    assert_int_equal(wide.MaximumLength, sizeof buffer);
}

/* Room from nothing to more than enough: a null must fit, too, unless the string is a counted one. */
static void too_little_room(void **state)
{
    UNICODE_STRING wide = RTL_CONSTANT_STRING(u"abc");
    STRING         narrow = RTL_CONSTANT_STRING("abc");
    (void)state;
    for (USHORT room = 0; room <= 10; room++) {
        WCHAR          wide_buffer[8] = { 0x7777, 0x7777, 0x7777, 0x7777, 0x7777, 0x7777, 0x7777, 0x7777 };
        char           narrow_buffer[16] = "################";
        UNICODE_STRING to_wide = { 2, room, wide_buffer };
        STRING         to_narrow = { 1, room, narrow_buffer };
        assert_int_equal(RtlAnsiStringToUnicodeString(&to_wide, &narrow, FALSE), room < 8 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS);
        assert_int_equal(to_wide.Length, room < 8 ? 2 : 6);
        assert_int_equal(wide_buffer[0], room < 8 ? 0x7777 : 'a');
        assert_int_equal(wide_buffer[4], 0x7777);
        assert_int_equal(RtlUnicodeStringToAnsiString(&to_narrow, &wide, FALSE), room < 4 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS);
        assert_int_equal(to_narrow.Length, room < 4 ? 1 : 3);
        assert_int_equal(narrow_buffer[0], room < 4 ? '#' : 'a');
        assert_int_equal(narrow_buffer[4], '#');
        to_narrow.MaximumLength = room;
        assert_int_equal(RtlUnicodeStringToCountedOemString(&to_narrow, &wide, FALSE), room < 3 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS);
        assert_int_equal(RtlOemStringToCountedUnicodeString(&to_wide, &narrow, FALSE), room < 6 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS);
    }
}

static void sizes(void **state)
{
    UNICODE_STRING wide = RTL_CONSTANT_STRING(u"abc"), empty = { 0, 0, NULL };
    STRING         narrow = RTL_CONSTANT_STRING("abc");
    ULONG          bytes;
    (void)state;
    assert_int_equal(RtlAnsiStringToUnicodeSize(&narrow), 8);
    assert_int_equal(RtlxUnicodeStringToAnsiSize(&wide), 4);
    assert_int_equal(RtlUnicodeStringToAnsiSize(&empty), 1);
    assert_int_equal(RtlOemStringToUnicodeSize(&narrow), 8);
    assert_int_equal(RtlOemStringToCountedUnicodeSize(&narrow), 6);
    assert_int_equal(RtlUnicodeStringToOemSize(&wide), 4);
    assert_int_equal(RtlUnicodeStringToCountedOemSize(&wide), 3);
    assert_int_equal(RtlMultiByteToUnicodeSize(&bytes, "abc", 3), STATUS_SUCCESS);
    assert_int_equal(bytes, 6);
    assert_int_equal(RtlUnicodeToMultiByteSize(&bytes, u"abc", 6), STATUS_SUCCESS);
    assert_int_equal(bytes, 3);
}

static void what_the_page_does_not_have(void **state)
{
    UNICODE_STRING wide = RTL_CONSTANT_STRING(u"a\x4E2D\x0391z");
    char           buffer[8];
    STRING         narrow = { 0, sizeof buffer, buffer };
    WCHAR          c = 0x3B1;
    (void)state;
    assert_int_equal(RtlUnicodeStringToAnsiString(&narrow, &wide, FALSE), STATUS_SUCCESS);
    assert_string_equal(buffer, "a??z");
    assert_int_equal(RtlUnicodeStringToOemString(&narrow, &wide, FALSE), STATUS_UNMAPPABLE_CHARACTER);
    assert_int_equal(RtlUnicodeStringToOemString(&narrow, &wide, TRUE), STATUS_UNMAPPABLE_CHARACTER);
    assert_int_equal(live_strings(), 0);
    assert_true(RtlIsValidOemCharacter(&c)); /* alpha is there, its capital is not */
    assert_int_equal(c, 0x3B1);
    c = 0xE4;
    assert_true(RtlIsValidOemCharacter(&c));
    assert_int_equal(c, 0xC4);
    c = 0x4E2D;
    assert_false(RtlIsValidOemCharacter(&c));
}

static void capitals(void **state)
{
    UNICODE_STRING wide = RTL_CONSTANT_STRING(u"a\x00E4Z"), copy, empty = { 0, 0, NULL };
    STRING         oem;
    (void)state;
    assert_int_equal(RtlUpcaseUnicodeStringToOemString(&oem, &wide, TRUE), STATUS_SUCCESS);
    assert_string_equal(oem.Buffer, "A\x8EZ");
    RtlFreeOemString(&oem);
    assert_int_equal(RtlUpcaseUnicodeStringToCountedOemString(&oem, &wide, TRUE), STATUS_SUCCESS);
    assert_int_equal(oem.MaximumLength, 3);
    RtlFreeOemString(&oem);
    assert_int_equal(RtlUpcaseUnicodeString(&copy, &wide, TRUE), STATUS_SUCCESS);
    assert_int_equal(copy.MaximumLength, 6);
    assert_memory_equal(copy.Buffer, u"A\x00C4Z", 6);
    assert_int_equal(RtlDowncaseUnicodeString(&copy, &copy, FALSE), STATUS_SUCCESS); /* in place */
    assert_memory_equal(copy.Buffer, u"a\x00E4z", 6);
    copy.MaximumLength = 5;
    assert_int_equal(RtlUpcaseUnicodeString(&copy, &wide, FALSE), STATUS_BUFFER_OVERFLOW);
    RtlFreeUnicodeString(&copy);
    assert_int_equal(RtlUpcaseUnicodeString(&copy, &empty, TRUE), STATUS_SUCCESS);
    assert_int_equal(copy.Length, 0);
    assert_non_null(copy.Buffer);
    RtlFreeUnicodeString(&copy);
    assert_true(RtlCreateUnicodeString(&copy, u"made"));
    assert_int_equal(copy.Length, 8);
    assert_int_equal(copy.MaximumLength, 10);
    assert_memory_equal(copy.Buffer, u"made", 10);
    RtlFreeUnicodeString(&copy);
}

static void text_without_a_structure(void **state)
{
    WCHAR wide[4] = { 9, 9, 9, 9 };
    char  narrow[4] = "####";
    ULONG bytes;
    (void)state;
    assert_int_equal(RtlMultiByteToUnicodeN(wide, 5, &bytes, "abc", 3), STATUS_SUCCESS);
    assert_int_equal(bytes, 4);
    assert_int_equal(wide[2], 9);
    assert_int_equal(RtlOemToUnicodeN(wide, 8, NULL, "\x80", 1), STATUS_SUCCESS);
    assert_int_equal(wide[0], 0xC7);
    assert_int_equal(RtlUnicodeToMultiByteN(narrow, 2, &bytes, u"abc", 6), STATUS_SUCCESS);
    assert_int_equal(bytes, 2);
    assert_memory_equal(narrow, "ab##", 4);
    assert_int_equal(RtlUpcaseUnicodeToMultiByteN(narrow, 4, &bytes, u"x\x00E4", 4), STATUS_SUCCESS);
    assert_memory_equal(narrow, "X\xC4##", 4);
    assert_int_equal(RtlUnicodeToOemN(narrow, 4, NULL, u"\x00E4", 2), STATUS_SUCCESS);
    assert_int_equal((UCHAR)narrow[0], 0x84);
    assert_int_equal(RtlUpcaseUnicodeToOemN(narrow, 4, &bytes, u"\x00E4", 3), STATUS_SUCCESS); /* half a character is none */
    assert_int_equal((UCHAR)narrow[0], 0x8E);
    assert_int_equal(bytes, 1);
}

static void too_long(void **state)
{
    PCHAR          bytes = ExAllocatePool2(POOL_FLAG_PAGED, 40000, STRING_TAG);
    STRING         source = { 32767, 40000, bytes };
    UNICODE_STRING wide;
    (void)state;
    assert_int_equal(RtlAnsiStringToUnicodeString(&wide, &source, TRUE), STATUS_INVALID_PARAMETER_2);
    source.Length = 32766;
    assert_int_equal(RtlAnsiStringToUnicodeString(&wide, &source, TRUE), STATUS_SUCCESS);
    assert_int_equal(wide.MaximumLength, 65534);
    RtlFreeUnicodeString(&wide);
    ExFreePool(bytes);
}

static void no_memory(void **state)
{
    UNICODE_STRING wide = RTL_CONSTANT_STRING(u"abc"), copy;
    STRING         narrow = RTL_CONSTANT_STRING("abc"), bytes;
    GUID           guid = { 0 };
    (void)state;
    ntmm_fail_allocation(1);
    assert_int_equal(RtlUnicodeStringToAnsiString(&bytes, &wide, TRUE), STATUS_NO_MEMORY);
    ntmm_fail_allocation(1);
    assert_int_equal(RtlAnsiStringToUnicodeString(&copy, &narrow, TRUE), STATUS_NO_MEMORY);
    ntmm_fail_allocation(1);
    assert_int_equal(RtlUpcaseUnicodeString(&copy, &wide, TRUE), STATUS_NO_MEMORY);
    ntmm_fail_allocation(1);
    assert_false(RtlCreateUnicodeString(&copy, u"x"));
    ntmm_fail_allocation(1);
    assert_int_equal(RtlStringFromGUID(&guid, &copy), STATUS_NO_MEMORY);
    ntmm_fail_allocation(0);
    assert_int_equal(live_strings(), 0);
}

static void not_at_dispatch_level(void **state)
{
    STRING         narrow = RTL_CONSTANT_STRING("abc");
    UNICODE_STRING wide;
    KIRQL          old;
    (void)state;
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(APC_LEVEL, &old);
        RtlAnsiStringToUnicodeString(&wide, &narrow, TRUE);
    });
    ntmm_cmocka_reboot();
    assert_int_equal(RtlAnsiStringToUnicodeString(&wide, &narrow, TRUE), STATUS_SUCCESS);
    KeRaiseIrql(APC_LEVEL, &old);
    RtlFreeUnicodeString(&wide);
    KeLowerIrql(old);
    assert_int_equal(RtlAnsiStringToUnicodeString(&wide, &narrow, TRUE), STATUS_SUCCESS);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        RtlFreeUnicodeString(&wide);
    });
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
}

static void a_string_that_is_not_freed_is_a_leak(void **state)
{
    static ntmm_report report;
    UNICODE_STRING     copy;
    (void)state;
    assert_true(RtlCreateUnicodeString(&copy, u"lost"));
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, STRING_TAG);
    assert_int_equal(ntmm_boot(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(every_character_there_and_back),
        ntmm_cmocka_test(some_characters),
        ntmm_cmocka_test(too_little_room),
        ntmm_cmocka_test(sizes),
        ntmm_cmocka_test(what_the_page_does_not_have),
        ntmm_cmocka_test(capitals),
        ntmm_cmocka_test(text_without_a_structure),
        ntmm_cmocka_test(too_long),
        ntmm_cmocka_test(no_memory),
        ntmm_cmocka_test(not_at_dispatch_level),
        ntmm_cmocka_test(a_string_that_is_not_freed_is_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
