/*
 * test_rtl_ip_string.c - addresses of IPv4 and IPv6 to text and back, narrow and wide, with ports and scopes.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#include <ip2string.h>

static IN6_ADDR six(const char *text)
{
    IN6_ADDR address;
    PCSTR    end;
    assert_int_equal(RtlIpv6StringToAddressA(text, &end, &address), STATUS_SUCCESS);
    assert_string_equal(end, "");
    return address;
}

static void four_to_text(void **state)
{
    const IN_ADDR address = { .S_un.S_un_b = { 192, 0, 2, 1 } };
    char          text[32];
    WCHAR         wide[32];
    ULONG         room;
    (void)state;
    assert_ptr_equal(RtlIpv4AddressToStringA(&address, text), text + 9);
    assert_string_equal(text, "192.0.2.1");
    assert_ptr_equal(RtlIpv4AddressToStringW(&address, wide), wide + 9);
    assert_memory_equal(wide, L"192.0.2.1", sizeof L"192.0.2.1");
    room = 12;
    assert_int_equal(RtlIpv4AddressToStringExA(&address, 0x5000, text, &room), STATUS_INVALID_PARAMETER); /* port 80 */
    assert_int_equal(room, 13);
    assert_int_equal(RtlIpv4AddressToStringExA(&address, 0x5000, text, &room), STATUS_SUCCESS);
    assert_string_equal(text, "192.0.2.1:80");
    assert_int_equal(RtlIpv4AddressToStringExW(&address, 0, wide, &room), STATUS_SUCCESS);
    assert_int_equal(room, 10);
    assert_int_equal(RtlIpv4AddressToStringExA(NULL, 0, text, &room), STATUS_INVALID_PARAMETER);
}

static struct six_case {
    const char *given, *written; /* NULL: the same */
} SIXES[] = {
    { "::", NULL },
    { "::1", NULL },
    { "1::", NULL },
    { "2001:db8::1", NULL },
    { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
    { "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
    { "1:0:0:2:0:0:3:4", "1::2:0:0:3:4" }, /* the first of two */
    { "1:2:3:4:5:6:7:0", NULL },           /* one zero is no row */
    { "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
    { "::ffff:192.0.2.1", NULL },
    { "::192.0.2.1", NULL },
    { "::ffff:c000:201", "::ffff:192.0.2.1" },
    { "fe80::5efe:192.0.2.1", NULL },
    { "fe80::200:5efe:c000:201", "fe80::200:5efe:192.0.2.1" },
};

static void six_to_text_and_back(void **state)
{
    char  text[64];
    WCHAR wide[64];
    (void)state;
    for (size_t i = 0; i < sizeof SIXES / sizeof SIXES[0]; i++) {
        IN6_ADDR address = six(SIXES[i].given);
        PSTR     end = RtlIpv6AddressToStringA(&address, text);
        assert_string_equal(text, SIXES[i].written != NULL ? SIXES[i].written : SIXES[i].given);
        assert_ptr_equal(end, text + strlen(text));
        assert_ptr_equal(RtlIpv6AddressToStringW(&address, wide), wide + strlen(text));
        for (size_t c = 0; c <= strlen(text); c++)
            assert_int_equal(wide[c], text[c]);
        IN6_ADDR again = six(text);
        assert_memory_equal(&again, &address, sizeof again);
    }
}

static void six_with_scope_and_port(void **state)
{
    char     text[64];
    WCHAR    wide[64];
    ULONG    room = 64, scope = 9;
    USHORT   port = 9;
    IN6_ADDR address = six("fe80::1"), back;
    (void)state;
    assert_int_equal(RtlIpv6AddressToStringExA(&address, 4, 0x5000, text, &room), STATUS_SUCCESS);
    assert_string_equal(text, "[fe80::1%4]:80");
    assert_int_equal(room, 15);
    assert_int_equal(RtlIpv6StringToAddressExA(text, &back, &scope, &port), STATUS_SUCCESS);
    assert_memory_equal(&back, &address, sizeof back);
    assert_true(scope == 4 && port == 0x5000);
    room = 64;
    assert_int_equal(RtlIpv6AddressToStringExW(&address, 4, 0, wide, &room), STATUS_SUCCESS);
    assert_memory_equal(wide, L"fe80::1%4", sizeof L"fe80::1%4");
    assert_int_equal(RtlIpv6StringToAddressExW(wide, &back, &scope, &port), STATUS_SUCCESS);
    assert_true(scope == 4 && port == 0);
    assert_int_equal(RtlIpv6StringToAddressExA("[fe80::1]", &back, &scope, &port), STATUS_SUCCESS);
    assert_true(scope == 0 && port == 0);
    static const char *const BAD[] = { "[fe80::1", "fe80::1]",           "[fe80::1]:0", "[fe80::1]:65536",
                                       "fe80::1%", "fe80::1%4294967296", "fe80::1x",    "" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(RtlIpv6StringToAddressExA(BAD[i], &back, &scope, &port), STATUS_INVALID_PARAMETER);
}

static void no_six(void **state)
{
    static const char *const BAD[] = { "", ":", "1", "1:2:3:4:5:6:7", "12345::", "x", "::1.2.3" };
    IN6_ADDR                 address;
    PCSTR                    end;
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(RtlIpv6StringToAddressA(BAD[i], &end, &address), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlIpv6StringToAddressA("1::2/64", &end, &address), STATUS_SUCCESS);
    assert_string_equal(end, "/64");
}

static struct four_case {
    const char *text;
    BOOLEAN     strict;
    uint32_t    address; /* as a number */
    const char *rest;    /* NULL: no address */
} FOURS[] = {
    { "192.0.2.1", TRUE, 0xC0000201, "" },
    { "192.0.2.1:80", TRUE, 0xC0000201, ":80" },
    { "192.0.2", TRUE, 0, NULL },
    { "192.0.2", FALSE, 0xC0000002, "" },
    { "192.513", FALSE, 0xC0000201, "" },
    { "0xC0000201", FALSE, 0xC0000201, "" },
    { "0300.0.2.1", FALSE, 0xC0000201, "" },
    { "256.0.0.1", TRUE, 0, NULL },
    { "1.2.3.256", FALSE, 0, NULL },
    { "4294967296", FALSE, 0, NULL },
    { "", FALSE, 0, NULL },
    { "1.2.3.", TRUE, 0, NULL },
    { "a.2.3.4", TRUE, 0, NULL },
    { "1.2.3.4.5", TRUE, 0x01020304, ".5" },
};

static void four_from_text(void **state)
{
    IN_ADDR address;
    PCSTR   end;
    PCWSTR  wide_end;
    USHORT  port;
    (void)state;
    for (size_t i = 0; i < sizeof FOURS / sizeof FOURS[0]; i++) {
        const struct four_case *c = &FOURS[i];
        WCHAR                   wide[32] = { 0 };
        for (size_t k = 0; c->text[k] != 0; k++)
            wide[k] = (unsigned char)c->text[k];
        NTSTATUS status = RtlIpv4StringToAddressA(c->text, c->strict, &end, &address);
        assert_int_equal(status, c->rest != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        assert_int_equal(RtlIpv4StringToAddressW(wide, c->strict, &wide_end, &address), status);
        assert_int_equal(wide_end - wide, end - c->text);
        if (c->rest == NULL)
            continue;
        assert_string_equal(end, c->rest);
        assert_int_equal(RtlUlongByteSwap(address.S_un.S_addr), c->address);
    }
    assert_int_equal(RtlIpv4StringToAddressExW(L"192.0.2.1:80", TRUE, &address, &port), STATUS_SUCCESS);
    assert_int_equal(port, 0x5000);
    assert_int_equal(RtlIpv4StringToAddressExA("192.0.2.1", TRUE, &address, &port), STATUS_SUCCESS);
    assert_int_equal(port, 0);
    assert_int_equal(RtlIpv4StringToAddressExA("192.0.2.1 ", TRUE, &address, &port), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlIpv4StringToAddressExA(NULL, TRUE, &address, &port), STATUS_INVALID_PARAMETER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_to_text), cmocka_unit_test(six_to_text_and_back), cmocka_unit_test(six_with_scope_and_port),
        cmocka_unit_test(no_six),       cmocka_unit_test(four_from_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
