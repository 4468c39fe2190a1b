/*
 * os_version.h - which Windows this is: that which ntmm_config.windows_version says.
 *
 * Source  WDK reference: wdm.h, RTL_OSVERSIONINFOW, RTL_OSVERSIONINFOEXW, RtlGetVersion, RtlVerifyVersionInfo, VerSetConditionMask; ntddk.h, PsGetVersion.
 */
#ifndef NTMM_DDK_NTDDK_OS_VERSION_H
#define NTMM_DDK_NTDDK_OS_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define NTMM_OS_VERSION(Char) \
    ULONG dwOSVersionInfoSize, dwMajorVersion, dwMinorVersion, dwBuildNumber, dwPlatformId; \
    Char  szCSDVersion[128]
#define NTMM_OS_VERSION_EX(Char) \
    NTMM_OS_VERSION(Char); \
    USHORT wServicePackMajor, wServicePackMinor, wSuiteMask; \
    UCHAR  wProductType, wReserved
typedef struct _OSVERSIONINFOA {
    NTMM_OS_VERSION(CHAR);
} OSVERSIONINFOA, *POSVERSIONINFOA, *LPOSVERSIONINFOA;
typedef struct _OSVERSIONINFOW {
    NTMM_OS_VERSION(WCHAR);
} OSVERSIONINFOW, *POSVERSIONINFOW, *LPOSVERSIONINFOW, RTL_OSVERSIONINFOW, *PRTL_OSVERSIONINFOW;
typedef struct _OSVERSIONINFOEXA {
    NTMM_OS_VERSION_EX(CHAR);
} OSVERSIONINFOEXA, *POSVERSIONINFOEXA, *LPOSVERSIONINFOEXA;
typedef struct _OSVERSIONINFOEXW {
    NTMM_OS_VERSION_EX(WCHAR);
} OSVERSIONINFOEXW, *POSVERSIONINFOEXW, *LPOSVERSIONINFOEXW, RTL_OSVERSIONINFOEXW, *PRTL_OSVERSIONINFOEXW;
#undef NTMM_OS_VERSION_EX
#undef NTMM_OS_VERSION
NTMM_LAYOUT(sizeof(RTL_OSVERSIONINFOW) == 276 && sizeof(RTL_OSVERSIONINFOEXW) == 284, "RTL_OSVERSIONINFOEXW");
#ifdef UNICODE
typedef OSVERSIONINFOW   OSVERSIONINFO, *POSVERSIONINFO, *LPOSVERSIONINFO;
typedef OSVERSIONINFOEXW OSVERSIONINFOEX, *POSVERSIONINFOEX, *LPOSVERSIONINFOEX;
#else
typedef OSVERSIONINFOA   OSVERSIONINFO, *POSVERSIONINFO, *LPOSVERSIONINFO;
typedef OSVERSIONINFOEXA OSVERSIONINFOEX, *POSVERSIONINFOEX, *LPOSVERSIONINFOEX;
#endif

#define VER_EQUAL 1
#define VER_GREATER 2
#define VER_GREATER_EQUAL 3
#define VER_LESS 4
#define VER_LESS_EQUAL 5
#define VER_AND 6
#define VER_OR 7
#define VER_CONDITION_MASK 7
#define VER_NUM_BITS_PER_CONDITION_MASK 3
#define VER_MINORVERSION 0x0000001
#define VER_MAJORVERSION 0x0000002
#define VER_BUILDNUMBER 0x0000004
#define VER_PLATFORMID 0x0000008
#define VER_SERVICEPACKMINOR 0x0000010
#define VER_SERVICEPACKMAJOR 0x0000020
#define VER_SUITENAME 0x0000040
#define VER_PRODUCT_TYPE 0x0000080
#define VER_NT_WORKSTATION 0x0000001
#define VER_NT_DOMAIN_CONTROLLER 0x0000002
#define VER_NT_SERVER 0x0000003
#define VER_PLATFORM_WIN32s 0
#define VER_PLATFORM_WIN32_WINDOWS 1
#define VER_PLATFORM_WIN32_NT 2

/**
 * The version by number: 10.0.26100 unless the machine was booted as an older one.
 *
 * @param lpVersionInformation  dwOSVersionInfoSize says which of the two structures it is
 * @return    STATUS_SUCCESS
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @models    no service pack; a workstation, or a server when the machine is one
 * @source    WDK reference: wdm.h, RtlGetVersion
 */
NTSYSAPI NTSTATUS RtlGetVersion(PRTL_OSVERSIONINFOW lpVersionInformation);

/**
 * Does the version satisfy each condition? Major and minor version and service pack are compared as one number, from the left; the first that
 * differs decides.
 *
 * @param VersionInfo    what to compare with
 * @param TypeMask       VER_*: which members
 * @param ConditionMask  from VerSetConditionMask
 * @return    STATUS_SUCCESS; STATUS_REVISION_MISMATCH; STATUS_INVALID_PARAMETER: no member, or one without a condition
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, RtlVerifyVersionInfo
 */
NTSYSAPI NTSTATUS RtlVerifyVersionInfo(PRTL_OSVERSIONINFOEXW VersionInfo, ULONG TypeMask, ULONGLONG ConditionMask);
/** A condition mask with one more condition: TypeMask is one VER_ member, Condition VER_EQUAL and its like. @irql any
 *  @source WDK reference: wdm.h, VerSetConditionMask */
NTSYSAPI ULONGLONG VerSetConditionMask(ULONGLONG ConditionMask, ULONG TypeMask, UCHAR Condition);
#define VER_SET_CONDITION(ConditionMask, TypeBitMask, ComparisonType) \
    ((ConditionMask) = VerSetConditionMask((ConditionMask), (TypeBitMask), (ComparisonType)))

/** Obsolete: the same numbers one by one; any pointer may be NULL. CSDVersion becomes empty. @return FALSE: not a checked build
 *  @irql PASSIVE_LEVEL @source WDK reference: ntddk.h, PsGetVersion */
NTKERNELAPI BOOLEAN PsGetVersion(PULONG MajorVersion, PULONG MinorVersion, PULONG BuildNumber, PUNICODE_STRING CSDVersion);

#ifdef __cplusplus
}
#endif
#endif
