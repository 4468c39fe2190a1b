/*
 * test_rtl_sid.c - security identifiers: made, measured, compared, copied.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

static SID_IDENTIFIER_AUTHORITY nt = { SECURITY_NT_AUTHORITY };

static void administrators(void **state)
{
    (void)state;
    ULONG store[8] = { 0 };
    PSID  sid = store;
    assert_false(RtlValidSid(sid));
    assert_int_equal(RtlInitializeSid(sid, &nt, 2), STATUS_SUCCESS);
    *RtlSubAuthoritySid(sid, 0) = SECURITY_BUILTIN_DOMAIN_RID;
    *RtlSubAuthoritySid(sid, 1) = DOMAIN_ALIAS_RID_ADMINS;
    static const UCHAR bytes[] = { 1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 2, 0, 0 };
    assert_true(RtlValidSid(sid));
    assert_int_equal(RtlLengthSid(sid), sizeof bytes);
    assert_int_equal(RtlLengthRequiredSid(2), sizeof bytes);
    assert_memory_equal(sid, bytes, sizeof bytes);
    assert_int_equal(*RtlSubAuthorityCountSid(sid), 2);
}

static void a_copy_is_equal_until_it_is_changed(void **state)
{
    (void)state;
    ULONG one[8] = { 0 }, other[8] = { 0 };
    assert_int_equal(RtlInitializeSid(one, &nt, 2), STATUS_SUCCESS);
    one[2] = 1, one[3] = 2;
    assert_int_equal(RtlCopySid(15, other, one), STATUS_BUFFER_TOO_SMALL);
    assert_false(RtlEqualSid(one, other));
    assert_int_equal(RtlCopySid(16, other, one), STATUS_SUCCESS);
    assert_true(RtlEqualSid(one, other));
    other[4] = 7; /* behind it */
    assert_true(RtlEqualSid(one, other));
    *RtlSubAuthorityCountSid(other) = 3;
    assert_false(RtlEqualSid(one, other));
    *RtlSubAuthorityCountSid(other) = 2;
    other[3] = 3;
    assert_false(RtlEqualSid(one, other));
}

static void what_is_no_sid(void **state)
{
    (void)state;
    ULONG store[20] = { 0 };
    assert_false(RtlValidSid(NULL));
    assert_int_equal(RtlInitializeSid(store, &nt, SID_MAX_SUB_AUTHORITIES + 1), STATUS_INVALID_PARAMETER);
    assert_int_equal(RtlInitializeSid(store, &nt, SID_MAX_SUB_AUTHORITIES), STATUS_SUCCESS);
    assert_int_equal(RtlLengthSid(store), SECURITY_MAX_SID_SIZE);
    *RtlSubAuthorityCountSid(store) = SID_MAX_SUB_AUTHORITIES + 1;
    assert_false(RtlValidSid(store));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(administrators), cmocka_unit_test(a_copy_is_equal_until_it_is_changed),
                                        cmocka_unit_test(what_is_no_sid) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
