/*
 * crt_wide.h - the C run-time that Windows' kernel exports to drivers: texts of 16-bit characters, and some names that only Visual C++ has.
 * The host's own wide functions think of characters of 32 bits. So in C the names mean functions of ours from here on, also where <wchar.h> is
 * included before or after. In C++ they stay the host's, and must not be used.
 *
 * They mean what the C library's mean. Case is that of ASCII, as in the C locale. The printf-like ones take Windows formats (rtl_debug.h),
 * return -1 when the text does not fit, and write a null only where there is room for one.
 *
 * @irql any, if the strings are resident
 * Source  Visual C++ documentation: the page of each function; WDK documentation: "Run-time library routines".
 */
#ifndef NTMM_DDK_WDM_CRT_WIDE_H
#define NTMM_DDK_WDM_CRT_WIDE_H

#include <stdarg.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

NTMM_PUBLIC size_t ntmm_wcslen(PCWSTR text);
NTMM_PUBLIC size_t ntmm_wcsnlen(PCWSTR text, size_t most);
NTMM_PUBLIC PWSTR  ntmm_wcscpy(PWSTR to, PCWSTR from);
NTMM_PUBLIC PWSTR  ntmm_wcsncpy(PWSTR to, PCWSTR from, size_t count); /* the rest of count becomes nulls; no null without room */
NTMM_PUBLIC PWSTR  ntmm_wcscat(PWSTR to, PCWSTR from);
NTMM_PUBLIC PWSTR  ntmm_wcsncat(PWSTR to, PCWSTR from, size_t count);
NTMM_PUBLIC int    ntmm_wcscmp(PCWSTR one, PCWSTR other);
NTMM_PUBLIC int    ntmm_wcsncmp(PCWSTR one, PCWSTR other, size_t count);
NTMM_PUBLIC int    ntmm_wcsicmp(PCWSTR one, PCWSTR other);
NTMM_PUBLIC int    ntmm_wcsnicmp(PCWSTR one, PCWSTR other, size_t count);
NTMM_PUBLIC PWSTR  ntmm_wcschr(PCWSTR text, WCHAR c);
NTMM_PUBLIC PWSTR  ntmm_wcsrchr(PCWSTR text, WCHAR c);
NTMM_PUBLIC PWSTR  ntmm_wcsstr(PCWSTR text, PCWSTR wanted);
NTMM_PUBLIC size_t ntmm_wcsspn(PCWSTR text, PCWSTR set);
NTMM_PUBLIC PWSTR  ntmm_wcsupr(PWSTR text);
NTMM_PUBLIC PWSTR  ntmm_wcslwr(PWSTR text);
NTMM_PUBLIC int    ntmm_vsnwprintf(PWSTR to, size_t count, PCWSTR format, va_list arguments);
NTMM_PUBLIC int    ntmm_snwprintf(PWSTR to, size_t count, PCWSTR format, ...);
NTMM_PUBLIC int    ntmm_vsnprintf(PSTR to, size_t count, PCSTR format, va_list arguments);
NTMM_PUBLIC int    ntmm_snprintf(PSTR to, size_t count, PCSTR format, ...);
NTMM_PUBLIC int    ntmm_stricmp(PCSTR one, PCSTR other);
NTMM_PUBLIC int    ntmm_strnicmp(PCSTR one, PCSTR other, size_t count);

#if !defined(__cplusplus) && !defined(NTMM_BUILDING)
#define wcslen ntmm_wcslen
#define wcsnlen ntmm_wcsnlen
#define wcscpy ntmm_wcscpy
#define wcsncpy ntmm_wcsncpy
#define wcscat ntmm_wcscat
#define wcsncat ntmm_wcsncat
#define wcscmp ntmm_wcscmp
#define wcsncmp ntmm_wcsncmp
#define wcschr ntmm_wcschr
#define wcsrchr ntmm_wcsrchr
#define wcsstr ntmm_wcsstr
#define wcsspn ntmm_wcsspn
#endif
#define _wcsicmp ntmm_wcsicmp
#define _wcsnicmp ntmm_wcsnicmp
#define _wcsupr ntmm_wcsupr
#define _wcslwr ntmm_wcslwr
#define _vsnwprintf ntmm_vsnwprintf
#define _snwprintf ntmm_snwprintf
#define _vsnprintf ntmm_vsnprintf
#define _snprintf ntmm_snprintf
#define _stricmp ntmm_stricmp
#define _strnicmp ntmm_strnicmp

#ifdef __cplusplus
}
#endif
#endif
