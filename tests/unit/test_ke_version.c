/*
 * test_ke_version.c - which Windows the machine plays, as a driver finds out.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

static struct version_case {
    const char *name;
    uint32_t    boots, asked;
    BOOLEAN     available;
} CASES[] = {
    { "the newest has them all", 0, NTDDI_WIN11_GE, TRUE },
    { "the newest has the oldest", 0, NTDDI_WIN2K, TRUE },
    { "Windows 7 is itself", NTDDI_WIN7, NTDDI_WIN7, TRUE },
    { "Windows 7 is no Windows 8", NTDDI_WIN7, NTDDI_WIN8, FALSE },
    { "Windows 7 has Vista", NTDDI_WIN7, NTDDI_VISTA, TRUE },
    { "1909 has 1903", 0x0A000007, NTDDI_WIN10_19H1, TRUE },
    { "1903 is no 2004", NTDDI_WIN10_19H1, NTDDI_WIN10_VB, FALSE },
    { "Windows 2000 has no XP", NTDDI_WIN2K, NTDDI_WINXP, FALSE },
    { "a version yet to come", 0, 0x0B000000, FALSE },
};

static void check_version(void **state)
{
    const struct version_case *c = *state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = c->boots }), 0);
    assert_int_equal(RtlIsNtDdiVersionAvailable(c->asked), c->available);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void above_passive_level(void **state)
{
    (void)state;
    KIRQL old;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, RtlIsNtDdiVersionAvailable(NTDDI_WIN8));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], APC_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 8);
}

static void without_a_machine(void **state)
{
    (void)state;
    assert_int_equal(RtlIsNtDdiVersionAvailable(NTDDI_WIN2K), FALSE);
}

/* ---- routines that an older Windows does not have ---- */

static bool is_exported(PCWSTR name)
{
    UNICODE_STRING string = { 0, 0, (PWCH)(uintptr_t)name };
    while (name[string.Length / 2] != 0)
        string.Length = (USHORT)(string.Length + 2);
    string.MaximumLength = string.Length;
    return MmGetSystemRoutineAddress(&string) != NULL;
}
static void routines_are_as_old_as_they_are(void **state)
{
    static const struct {
        PCWSTR   name;
        uint32_t last_without, first_with; /* 0: none is without */
    } rows[] = {
        { (PCWSTR)L"ExAllocatePool2", NTDDI_WIN10_19H1, NTDDI_WIN10_VB },
        { (PCWSTR)L"ExAllocatePool3", NTDDI_WIN10_19H1, NTDDI_WIN10_VB },
        { (PCWSTR)L"ExFreePool2", NTDDI_WIN10_MN, NTDDI_WIN10_FE },
        { (PCWSTR)L"ExCreatePool", NTDDI_WIN10_MN, NTDDI_WIN10_FE },
        { (PCWSTR)L"ExDestroyPool", NTDDI_WIN10_MN, NTDDI_WIN10_FE },
        { (PCWSTR)L"ExSecurePoolUpdate", NTDDI_WIN10_MN, NTDDI_WIN10_FE },
        { (PCWSTR)L"ExSecurePoolValidate", NTDDI_WIN10_MN, NTDDI_WIN10_FE },
        { (PCWSTR)L"MmProtectDriverSection", NTDDI_WIN10_VB, NTDDI_WIN10_MN },
        { (PCWSTR)L"RtlIsNtDdiVersionAvailable", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExAcquireSpinLockExclusive", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExAcquireSpinLockShared", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExReleaseSpinLockExclusive", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExReleaseSpinLockShared", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExAcquireSpinLockExclusiveAtDpcLevel", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExAcquireSpinLockSharedAtDpcLevel", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExReleaseSpinLockExclusiveFromDpcLevel", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExReleaseSpinLockSharedFromDpcLevel", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExTryConvertSharedSpinLockExclusive", NTDDI_VISTA, NTDDI_VISTASP1 },
        { (PCWSTR)L"ExInitializeLookasideListEx", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExDeleteLookasideListEx", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExFlushLookasideListEx", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExAllocateFromLookasideListEx", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExFreeToLookasideListEx", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExEnterCriticalRegionAndAcquireResourceExclusive", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"ExReleaseResourceAndLeaveCriticalRegion", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KeEnterGuardedRegion", NTDDI_WINXP, NTDDI_WS03 },
        { (PCWSTR)L"KeLeaveGuardedRegion", NTDDI_WINXP, NTDDI_WS03 },
        { (PCWSTR)L"KeAcquireSpinLockForDpc", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KeReleaseSpinLockForDpc", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KeAcquireInStackQueuedSpinLockForDpc", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KeReleaseInStackQueuedSpinLockForDpc", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KeInitializeThreadedDpc", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KeSetTargetProcessorDpcEx", NTDDI_VISTA, NTDDI_WIN7 },
        { (PCWSTR)L"KeIsExecutingDpc", NTDDI_WIN10_RS3, NTDDI_WIN10_RS4 },
        { (PCWSTR)L"KeQueryDpcWatchdogInformation", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"KzRaiseIrql", NTDDI_WIN10_RS4, NTDDI_WIN10_RS5 },
        { (PCWSTR)L"KzLowerIrql", NTDDI_WIN10_RS4, NTDDI_WIN10_RS5 },
        { (PCWSTR)L"KeExpandKernelStackAndCalloutEx", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"MmAllocateContiguousMemorySpecifyCacheNode", NTDDI_WS03, NTDDI_VISTA },
        { (PCWSTR)L"MmAllocateContiguousNodeMemory", NTDDI_WIN7, NTDDI_WIN8 },
        { (PCWSTR)L"MmAllocateContiguousMemoryEx", NTDDI_WIN10_MN, NTDDI_WIN10_FE },
        { (PCWSTR)L"MmGetPhysicalMemoryRangesEx2", NTDDI_WIN10_19H1, NTDDI_WIN10_VB },
        { (PCWSTR)L"MmCopyMemory", NTDDI_WIN8, NTDDI_WINBLUE },
        { (PCWSTR)L"ExAllocatePoolWithTag", 0, NTDDI_WIN2K },
        { (PCWSTR)L"ExQueryPoolBlockSize", 0, NTDDI_WIN2K },
        { (PCWSTR)L"MmAllocateContiguousMemorySpecifyCache", 0, NTDDI_WIN2K },
        { (PCWSTR)L"KeAcquireInStackQueuedSpinLock", 0, NTDDI_WINXP },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = rows[i].first_with }), 0);
        assert_true(is_exported(rows[i].name));
        assert_int_equal(ntmm_shutdown(NULL), 0);
        if (rows[i].last_without == 0)
            continue;
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = rows[i].last_without }), 0);
        assert_false(is_exported(rows[i].name));
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

/* ---- by number ---- */

static void the_numbers_of_a_version(void **state)
{
    static const struct {
        uint32_t boots;
        ULONG    major, minor, build;
    } rows[] = { { NTDDI_WIN2K, 5, 0, 2195 },      { NTDDI_VISTA, 6, 0, 6000 },        { NTDDI_WIN7, 6, 1, 7600 },
                 { NTDDI_WINBLUE, 6, 3, 9600 },    { NTDDI_WIN10_19H1, 10, 0, 18362 }, { NTDDI_WIN10_VB, 10, 0, 19041 },
                 { NTDDI_WIN10_MN, 10, 0, 19041 }, { NTDDI_WIN10_CO, 10, 0, 22000 },   { 0, 10, 0, 26100 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RTL_OSVERSIONINFOEXW info = { .dwOSVersionInfoSize = sizeof(RTL_OSVERSIONINFOW), .wProductType = 0x55 };
        ULONG                major = 0, minor = 9, build = 0;
        UNICODE_STRING       pack = { 4, 4, (PWCH)(uintptr_t)L"SP" };
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = rows[i].boots, .server = i == 1 }), 0);
        assert_int_equal(RtlGetVersion((PRTL_OSVERSIONINFOW)&info), STATUS_SUCCESS);
        assert_int_equal(info.dwOSVersionInfoSize, sizeof(RTL_OSVERSIONINFOW));
        assert_int_equal(info.dwMajorVersion, rows[i].major);
        assert_int_equal(info.dwMinorVersion, rows[i].minor);
        assert_int_equal(info.dwBuildNumber, rows[i].build);
        assert_int_equal(info.dwPlatformId, VER_PLATFORM_WIN32_NT);
        assert_int_equal(info.wProductType, 0x55); /* not asked for */
        info.dwOSVersionInfoSize = sizeof info;
        assert_int_equal(RtlGetVersion((PRTL_OSVERSIONINFOW)&info), STATUS_SUCCESS);
        assert_int_equal(info.wProductType, i == 1 ? VER_NT_SERVER : VER_NT_WORKSTATION);
        assert_false(PsGetVersion(&major, &minor, &build, &pack));
        assert_true(major == rows[i].major && minor == rows[i].minor && build == rows[i].build && pack.Length == 0);
        assert_false(PsGetVersion(NULL, NULL, NULL, NULL));
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

static NTSTATUS verify(ULONG major, ULONG minor, ULONG types, UCHAR condition)
{
    RTL_OSVERSIONINFOEXW info = { .dwOSVersionInfoSize = sizeof info,
                                  .dwMajorVersion = major,
                                  .dwMinorVersion = minor,
                                  .dwBuildNumber = 7600,
                                  .dwPlatformId = VER_PLATFORM_WIN32_NT,
                                  .wProductType = VER_NT_WORKSTATION };
    ULONGLONG            mask = 0;
    for (ULONG type = 1; type <= VER_PRODUCT_TYPE; type *= 2)
        if ((types & type) != 0)
            VER_SET_CONDITION(mask, type, type == VER_SUITENAME ? VER_AND : condition);
    return RtlVerifyVersionInfo(&info, types, mask);
}

static void comparing_versions(void **state)
{
    const ULONG both = VER_MAJORVERSION | VER_MINORVERSION;
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = NTDDI_WIN7 }), 0);
    assert_int_equal(verify(6, 1, both, VER_EQUAL), STATUS_SUCCESS);
    assert_int_equal(verify(6, 0, both, VER_EQUAL), STATUS_REVISION_MISMATCH);
    assert_int_equal(verify(6, 0, both, VER_GREATER), STATUS_SUCCESS);
    assert_int_equal(verify(6, 1, both, VER_GREATER), STATUS_REVISION_MISMATCH);
    assert_int_equal(verify(6, 1, both, VER_GREATER_EQUAL), STATUS_SUCCESS);
    assert_int_equal(verify(5, 9, both, VER_GREATER_EQUAL), STATUS_SUCCESS); /* the major one decides */
    assert_int_equal(verify(7, 0, both, VER_LESS), STATUS_SUCCESS);
    assert_int_equal(verify(6, 0, both, VER_LESS_EQUAL), STATUS_REVISION_MISMATCH);
    assert_int_equal(verify(0, 1, VER_MINORVERSION, VER_EQUAL), STATUS_SUCCESS);
    assert_int_equal(verify(0, 0, VER_BUILDNUMBER | VER_PLATFORMID | VER_PRODUCT_TYPE, VER_EQUAL), STATUS_SUCCESS);
    assert_int_equal(verify(0, 0, VER_BUILDNUMBER, VER_LESS), STATUS_REVISION_MISMATCH);
    assert_int_equal(verify(0, 0, VER_SUITENAME, VER_AND), STATUS_SUCCESS); /* none is asked for */
    assert_int_equal(verify(0, 0, 0, VER_EQUAL), STATUS_INVALID_PARAMETER);
    assert_int_equal(verify(0, 0, both, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void numbers_above_passive_level(void **state)
{
    RTL_OSVERSIONINFOW info = { .dwOSVersionInfoSize = sizeof info };
    KIRQL              old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, RtlGetVersion(&info));
}

#define CASE_COUNT (sizeof CASES / sizeof CASES[0])

int main(void)
{
    static struct CMUnitTest cases[CASE_COUNT];
    for (size_t i = 0; i < CASE_COUNT; i++)
        cases[i] = (struct CMUnitTest){ .name = CASES[i].name, .test_func = check_version, .initial_state = &CASES[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(above_passive_level),      cmocka_unit_test(without_a_machine),  cmocka_unit_test(routines_are_as_old_as_they_are),
        cmocka_unit_test(the_numbers_of_a_version), cmocka_unit_test(comparing_versions), ntmm_cmocka_test(numbers_above_passive_level),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
