/*
 * os_version.c - the version of Windows that the machine plays, by the numbers that Windows reports, and comparing with it.
 * A condition mask has three bits for each member of the structure, VER_MINORVERSION's the lowest.
 *
 * Source      WDK reference: wdm.h, RtlGetVersion, RtlVerifyVersionInfo, VerSetConditionMask; "Operating system version" (numbers); Windows release
 *             information (build numbers).
 * Fidelity    NTDDI values between two releases report the release before; no service packs (choice).
 */
#include <stdbool.h>
#include <string.h>

#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/version.h"

static const struct release {
    uint32_t ntddi;
    ULONG    major, minor, build;
} RELEASES[] = {
    { NTDDI_WIN2K, 5, 0, 2195 },        { NTDDI_WINXP, 5, 1, 2600 },       { NTDDI_WS03, 5, 2, 3790 },
    { NTDDI_VISTA, 6, 0, 6000 },        { NTDDI_VISTASP1, 6, 0, 6001 },    { NTDDI_WIN7, 6, 1, 7600 },
    { NTDDI_WIN8, 6, 2, 9200 },         { NTDDI_WINBLUE, 6, 3, 9600 },     { NTDDI_WIN10, 10, 0, 10240 },
    { NTDDI_WIN10_TH2, 10, 0, 10586 },  { NTDDI_WIN10_RS1, 10, 0, 14393 }, { NTDDI_WIN10_RS2, 10, 0, 15063 },
    { NTDDI_WIN10_RS3, 10, 0, 16299 },  { NTDDI_WIN10_RS4, 10, 0, 17134 }, { NTDDI_WIN10_RS5, 10, 0, 17763 },
    { NTDDI_WIN10_19H1, 10, 0, 18362 }, { NTDDI_WIN10_VB, 10, 0, 19041 },  { NTDDI_WIN10_FE, 10, 0, 20348 },
    { NTDDI_WIN10_CO, 10, 0, 22000 },   { NTDDI_WIN10_NI, 10, 0, 22621 },  { NTDDI_WIN11_ZN, 10, 0, 25398 },
    { NTDDI_WIN11_GE, 10, 0, 26100 },
};

static const struct release *current(void)
{
    size_t at = 0;
    while (at + 1 < ARRAYSIZE(RELEASES) && RELEASES[at + 1].ntddi <= ke_windows_version)
        at++;
    return &RELEASES[at];
}

static void describe(PRTL_OSVERSIONINFOEXW info)
{
    const struct release *release = current();
    *info = (RTL_OSVERSIONINFOEXW){ .dwOSVersionInfoSize = sizeof *info,
                                    .dwMajorVersion = release->major,
                                    .dwMinorVersion = release->minor,
                                    .dwBuildNumber = release->build,
                                    .dwPlatformId = VER_PLATFORM_WIN32_NT,
                                    .wProductType = MmIsThisAnNtAsSystem() ? VER_NT_SERVER : VER_NT_WORKSTATION };
}

NTSTATUS RtlGetVersion(PRTL_OSVERSIONINFOW lpVersionInformation)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    RTL_OSVERSIONINFOEXW info;
    ULONG                bytes = lpVersionInformation->dwOSVersionInfoSize;
    describe(&info);
    info.dwOSVersionInfoSize = bytes;
    memcpy(lpVersionInformation, &info, bytes == sizeof info ? sizeof info : sizeof *lpVersionInformation);
    return STATUS_SUCCESS;
}

BOOLEAN PsGetVersion(PULONG MajorVersion, PULONG MinorVersion, PULONG BuildNumber, PUNICODE_STRING CSDVersion)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    const struct release *release = current();
    if (MajorVersion != NULL)
        *MajorVersion = release->major;
    if (MinorVersion != NULL)
        *MinorVersion = release->minor;
    if (BuildNumber != NULL)
        *BuildNumber = release->build;
    if (CSDVersion != NULL)
        *CSDVersion = (UNICODE_STRING){ 0 };
    return FALSE;
}

ULONGLONG VerSetConditionMask(ULONGLONG ConditionMask, ULONG TypeMask, UCHAR Condition)
{
    if (TypeMask == 0 || TypeMask > VER_PRODUCT_TYPE * 2 - 1 || (Condition & VER_CONDITION_MASK) == 0)
        return ConditionMask;
    unsigned member = 31u - (unsigned)__builtin_clz(TypeMask); /* several: the highest */
    return ConditionMask | (ULONGLONG)(Condition & VER_CONDITION_MASK) << (member * VER_NUM_BITS_PER_CONDITION_MASK);
}

static ULONG condition_of(ULONGLONG mask, ULONG type)
{
    return (ULONG)(mask >> ((unsigned)__builtin_ctz(type) * VER_NUM_BITS_PER_CONDITION_MASK)) & VER_CONDITION_MASK;
}

static bool holds(ULONG condition, ULONG have, ULONG wanted)
{
    switch (condition) {
    case VER_EQUAL: return have == wanted;
    case VER_GREATER: return have > wanted;
    case VER_GREATER_EQUAL: return have >= wanted;
    case VER_LESS: return have < wanted;
    default: return have <= wanted;
    }
}

/* Version and service pack: under the condition of the first member that is asked for; those that are equal leave it to the next. */
static bool version_holds(PRTL_OSVERSIONINFOEXW have, PRTL_OSVERSIONINFOEXW wanted, ULONG types, ULONGLONG conditions)
{
    const struct {
        ULONG type, have, wanted;
    } parts[] = { { VER_MAJORVERSION, have->dwMajorVersion, wanted->dwMajorVersion },
                  { VER_MINORVERSION, have->dwMinorVersion, wanted->dwMinorVersion },
                  { VER_SERVICEPACKMAJOR, have->wServicePackMajor, wanted->wServicePackMajor },
                  { VER_SERVICEPACKMINOR, have->wServicePackMinor, wanted->wServicePackMinor } };
    ULONG condition = 0;
    for (size_t i = 0; i < ARRAYSIZE(parts); i++) {
        if ((types & parts[i].type) == 0)
            continue;
        condition = condition != 0 ? condition : condition_of(conditions, parts[i].type);
        if (parts[i].have != parts[i].wanted)
            return holds(condition, parts[i].have, parts[i].wanted);
    }
    return condition == 0 || holds(condition, 0, 0);
}

static bool suites_hold(ULONG condition, USHORT have, USHORT wanted)
{
    return condition == VER_OR ? wanted == 0 || (have & wanted) != 0 : (have & wanted) == wanted;
}

NTSTATUS RtlVerifyVersionInfo(PRTL_OSVERSIONINFOEXW VersionInfo, ULONG TypeMask, ULONGLONG ConditionMask)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    RTL_OSVERSIONINFOEXW have;
    if (TypeMask == 0 || TypeMask >= VER_PRODUCT_TYPE * 2)
        return STATUS_INVALID_PARAMETER;
    for (ULONG type = 1; type <= VER_PRODUCT_TYPE; type *= 2)
        if ((TypeMask & type) != 0 && condition_of(ConditionMask, type) == 0)
            return STATUS_INVALID_PARAMETER;
    describe(&have);
    if (((TypeMask & VER_SUITENAME) != 0 &&
         !suites_hold(condition_of(ConditionMask, VER_SUITENAME), have.wSuiteMask, VersionInfo->wSuiteMask)) ||
        ((TypeMask & VER_PRODUCT_TYPE) != 0 &&
         !holds(condition_of(ConditionMask, VER_PRODUCT_TYPE), have.wProductType, VersionInfo->wProductType)) ||
        ((TypeMask & VER_BUILDNUMBER) != 0 &&
         !holds(condition_of(ConditionMask, VER_BUILDNUMBER), have.dwBuildNumber, VersionInfo->dwBuildNumber)) ||
        ((TypeMask & VER_PLATFORMID) != 0 &&
         !holds(condition_of(ConditionMask, VER_PLATFORMID), have.dwPlatformId, VersionInfo->dwPlatformId)) ||
        !version_holds(&have, VersionInfo, TypeMask, ConditionMask))
        return STATUS_REVISION_MISMATCH;
    return STATUS_SUCCESS;
}
