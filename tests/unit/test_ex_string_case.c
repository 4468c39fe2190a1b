/*
 * test_ex_string_case.c - capitals, comparing, prefixes, hashes; what IRQL they are for.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

typedef struct pair {
    WCHAR small, capital;
} pair_t;

static void capitals_of_many_scripts(void **state)
{
    static const pair_t PAIRS[] = {
        { 'a', 'A' },       { 'z', 'Z' },       { 0xE4, 0xC4 },     { 0xFE, 0xDE },     { 0xFF, 0x178 },    { 0x101, 0x100 },
        { 0x17E, 0x17D },   { 0x3B1, 0x391 },   { 0x3C3, 0x3A3 },   { 0x430, 0x410 },   { 0x450, 0x400 },   { 0x561, 0x531 },
        { 0x1E01, 0x1E00 }, { 0x1F00, 0x1F08 }, { 0x24D0, 0x24B6 }, { 0xFF41, 0xFF21 }, { 0x10D0, 0x1C90 }, { 0x2C30, 0x2C00 },
    };
    static const WCHAR SAME[] = { 0, '0', '@', '[', '`', '{', 0x7F, 0xB5, 0xD7, 0xDF, 0xF7, 0x131, 0x3C2, 0x4E2D, 0xD800, 0xDFFF, 0xFFFF };
    (void)state;
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        assert_int_equal(RtlUpcaseUnicodeChar(PAIRS[i].small), PAIRS[i].capital);
        assert_int_equal(RtlDowncaseUnicodeChar(PAIRS[i].capital), PAIRS[i].small);
        assert_int_equal(RtlUpcaseUnicodeChar(PAIRS[i].capital), PAIRS[i].capital);
        assert_int_equal(RtlDowncaseUnicodeChar(PAIRS[i].small), PAIRS[i].small);
    }
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++)
        assert_int_equal(RtlUpcaseUnicodeChar(SAME[i]), SAME[i]);
}

/* For every character: what has a capital is the small letter of it, and capitals have no capitals. */
static void every_pair_leads_back(void **state)
{
    unsigned pairs = 0;
    (void)state;
    for (unsigned c = 0; c < 0x10000; c++) {
        WCHAR up = RtlUpcaseUnicodeChar((WCHAR)c), down = RtlDowncaseUnicodeChar((WCHAR)c);
        assert_int_equal(RtlUpcaseUnicodeChar(up), up);
        if (up != c) {
            assert_int_equal(RtlDowncaseUnicodeChar(up), c);
            pairs++;
        }
        if (down != c)
            assert_int_equal(RtlUpcaseUnicodeChar(down), c);
    }
    assert_int_equal(pairs, 1136);
}

static void eight_bit_capitals(void **state)
{
    STRING source = RTL_CONSTANT_STRING("az\xE4\xFF\xDF\xF7\x9C");
    char   buffer[5];
    STRING short_one = { 0, sizeof buffer, buffer };
    (void)state;
    assert_int_equal(RtlUpperChar('q'), 'Q');
    assert_int_equal((UCHAR)RtlUpperChar((CHAR)0xFF), 0x9F); /* code page 1252 has it elsewhere */
    assert_int_equal((UCHAR)RtlUpperChar((CHAR)0x83), 0x83); /* and does not have this one's capital */
    RtlUpperString(&short_one, &source);
    assert_int_equal(short_one.Length, 5);
    assert_memory_equal(buffer, "AZ\xC4\x9F\xDF", 5);
}

typedef struct order {
    const WCHAR *one, *other;
    int          plain, folded; /* sign of the comparison */
} order_t;

static int sign(LONG value) { return (value > 0) - (value < 0); }

static void comparing(void **state)
{
    static const order_t ORDERS[] = {
        { u"", u"", 0, 0 },        { u"", u"a", -1, -1 },       { u"abc", u"abc", 0, 0 }, { u"abc", u"ABC", 1, 0 },
        { u"abc", u"ABD", 1, -1 }, { u"ab", u"ABC", 1, -1 },    { u"_", u"a", -1, 1 },    { u"\x00E4", u"\x00C4", 1, 0 },
        { u"\xFF41", u"z", 1, 1 }, { u"abc", u"abcd", -1, -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof ORDERS / sizeof ORDERS[0]; i++) {
        UNICODE_STRING one, other;
        RtlInitUnicodeString(&one, ORDERS[i].one);
        RtlInitUnicodeString(&other, ORDERS[i].other);
        assert_int_equal(sign(RtlCompareUnicodeString(&one, &other, FALSE)), ORDERS[i].plain);
        assert_int_equal(sign(RtlCompareUnicodeString(&one, &other, TRUE)), ORDERS[i].folded);
        assert_int_equal(sign(RtlCompareUnicodeString(&other, &one, TRUE)), -ORDERS[i].folded);
        assert_int_equal(RtlEqualUnicodeString(&one, &other, FALSE), ORDERS[i].plain == 0);
        assert_int_equal(RtlEqualUnicodeString(&one, &other, TRUE), ORDERS[i].folded == 0);
        assert_int_equal(sign(RtlCompareUnicodeStrings(one.Buffer, one.Length / 2, other.Buffer, other.Length / 2, TRUE)),
                         ORDERS[i].folded);
    }
}

static void prefixes(void **state)
{
    UNICODE_STRING path = RTL_CONSTANT_STRING(u"\\Device\\Harddisk0"), prefix = RTL_CONSTANT_STRING(u"\\device\\");
    UNICODE_STRING none = { 0, 0, NULL };
    (void)state;
    assert_false(RtlPrefixUnicodeString(&prefix, &path, FALSE));
    assert_true(RtlPrefixUnicodeString(&prefix, &path, TRUE));
    assert_true(RtlPrefixUnicodeString(&path, &path, FALSE));
    assert_false(RtlPrefixUnicodeString(&path, &prefix, TRUE)); /* longer than the string */
    assert_true(RtlPrefixUnicodeString(&none, &prefix, FALSE));
}

static void eight_bit_strings(void **state)
{
    STRING one = RTL_CONSTANT_STRING("Abc\xE4"), other = RTL_CONSTANT_STRING("aBC\xC4"), high = RTL_CONSTANT_STRING("Abc\xFF");
    STRING prefix = RTL_CONSTANT_STRING("ab");
    (void)state;
    assert_true(RtlEqualString(&one, &other, TRUE));
    assert_false(RtlEqualString(&one, &other, FALSE));
    assert_int_equal(sign(RtlCompareString(&one, &other, FALSE)), -1);
    assert_int_equal(sign(RtlCompareString(&one, &high, FALSE)), -1); /* bytes without a sign */
    assert_true(RtlPrefixString(&prefix, &one, TRUE));
    assert_false(RtlPrefixString(&prefix, &one, FALSE));
    assert_false(RtlPrefixString(&one, &prefix, TRUE));
}

static void hashes(void **state)
{
    UNICODE_STRING string = RTL_CONSTANT_STRING(u"aB"), empty = { 0, 0, NULL };
    ULONG          hash = 7, folded;
    (void)state;
    assert_int_equal(RtlHashUnicodeString(&string, FALSE, HASH_STRING_ALGORITHM_X65599, &hash), STATUS_SUCCESS);
    assert_int_equal(hash, 'a' * 65599u + 'B');
    assert_int_equal(RtlHashUnicodeString(&string, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &folded), STATUS_SUCCESS);
    assert_int_equal(folded, 'A' * 65599u + 'B');
    assert_int_equal(RtlHashUnicodeString(&empty, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &hash), STATUS_SUCCESS);
    assert_int_equal(hash, 0);
    assert_int_equal(RtlHashUnicodeString(NULL, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &hash), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlHashUnicodeString(&string, TRUE, HASH_STRING_ALGORITHM_DEFAULT, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlHashUnicodeString(&string, TRUE, HASH_STRING_ALGORITHM_INVALID, &hash), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlHashUnicodeString(&string, TRUE, 2, &hash), STATUS_INVALID_PARAMETER);
}

static void not_for_dispatch_level(void **state)
{
    UNICODE_STRING string = RTL_CONSTANT_STRING(u"x");
    ULONG          hash;
    KIRQL          old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(RtlUpcaseUnicodeChar('x'), 'X');
    assert_int_equal(RtlHashUnicodeString(&string, TRUE, 0, &hash), STATUS_SUCCESS);
    KeLowerIrql(old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(APC_LEVEL, &old);
        RtlEqualUnicodeString(&string, &string, FALSE);
    });
    assert_int_equal(ntmm_cmocka_caught.parameter[1], APC_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 8);
    ntmm_cmocka_reboot();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        RtlUpcaseUnicodeChar('x');
    });
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(capitals_of_many_scripts),
        ntmm_cmocka_test(every_pair_leads_back),
        ntmm_cmocka_test(eight_bit_capitals),
        ntmm_cmocka_test(comparing),
        ntmm_cmocka_test(prefixes),
        ntmm_cmocka_test(eight_bit_strings),
        ntmm_cmocka_test(hashes),
        ntmm_cmocka_test(not_for_dispatch_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
