/*
 * ntmm_keywords.h - the words that only one compiler knows.
 * Source annotations (SAL) vanish; calling conventions have one meaning on our hosts; imports and exports become visibility.
 */
#ifndef NTMM_DDK_KEYWORDS_H
#define NTMM_DDK_KEYWORDS_H

#if defined(__GNUC__)
#define NTMM_PUBLIC __attribute__((visibility("default")))
#define NTMM_NORETURN __attribute__((noreturn))
#else
#define NTMM_PUBLIC
#define NTMM_NORETURN
#endif

#define NTAPI
#define NTKERNELAPI NTMM_PUBLIC
#define NTSYSAPI NTMM_PUBLIC
#define NTHALAPI NTMM_PUBLIC
#define DECLSPEC_NORETURN NTMM_NORETURN
#define DECLSPEC_ALIGN(x) __attribute__((aligned(x)))
#define DECLSPEC_SELECTANY __attribute__((weak, visibility("hidden"))) /* one for each image, whoever defines it */
#define FASTCALL
#define CONST const
#ifndef FORCEINLINE
#if defined(__OPTIMIZE__) && !defined(NTMM_USES_TRY)
#define FORCEINLINE static inline __attribute__((always_inline, unused))
#else /* gcc cannot inline a function with a __try in it, and nothing is gained by inlining the others */
#define FORCEINLINE static inline __attribute__((unused))
#endif
#endif

#ifdef __cplusplus /* a layout that drivers can see, checked where it is declared */
#define NTMM_LAYOUT(condition, what) static_assert(condition, what)
#else
#define NTMM_LAYOUT(condition, what) _Static_assert(condition, what)
#endif

#endif
