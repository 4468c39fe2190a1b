/*
 * ntmm_keywords.h - the words that only one compiler knows.
 * Calling conventions have one meaning on our hosts; imports and exports become visibility; __declspec(x) becomes the attribute of that name.
 * Source annotations are in sal.h.
 *
 *     __declspec(align(n)) and others   NTMM_DECLSPEC_x below; one that is not there is an error at the declaration
 *     __pragma(x)                       #pragma x: pack() works, the others are unknown pragmas, which -Wno-unknown-pragmas silences
 *     __inline, __forceinline           inlined in any build: C's own `inline` leaves no function to call where the compiler does not inline
 *
 * Source  Visual C++ documentation: "Microsoft extensions to C and C++", "__declspec", "Keywords".
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
#define NTAPI_INLINE
#define NTKERNELAPI NTMM_PUBLIC
#define NTSYSAPI NTMM_PUBLIC
#define NTSYSCALLAPI NTMM_PUBLIC
#define NTHALAPI NTMM_PUBLIC
#define DECLSPEC_IMPORT
#define DECLSPEC_EXPORT NTMM_PUBLIC
#define DECLSPEC_NORETURN NTMM_NORETURN
#define DECLSPEC_NOINLINE __attribute__((noinline))
#define DECLSPEC_DEPRECATED
#define DECLSPEC_DEPRECATED_DDK
#define DECLSPEC_ALIGN(x) __attribute__((aligned(x)))
#define DECLSPEC_CACHEALIGN __attribute__((aligned(64)))
#define SYSTEM_CACHE_ALIGNMENT_SIZE 64
#define DECLSPEC_SELECTANY __attribute__((weak, visibility("hidden"))) /* one for each image, whoever defines it */
#define FASTCALL
#define WINAPI
#define CALLBACK
#define STDAPICALLTYPE
#define CONST const
#define VOLATILE volatile
#define UNALIGNED /* x64 reads and writes at any address, and so do our hosts */
#define UNALIGNED64
#define POINTER_64
#define POINTER_32
#define RESTRICTED_POINTER __restrict
#define MAX_NATURAL_ALIGNMENT sizeof(ULONGLONG)
#define TYPE_ALIGNMENT(t) \
    offsetof( \
        struct { \
            char x; \
            t    test; \
        }, \
        test)
#define PROBE_ALIGNMENT(s) TYPE_ALIGNMENT(ULONG)

#define IN
#define OUT
#define OPTIONAL
#define NOTHING
#define CRITICAL
#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

#ifndef FORCEINLINE
#if defined(__OPTIMIZE__) && !defined(NTMM_USES_TRY)
#define FORCEINLINE static inline __attribute__((always_inline, unused))
#else /* gcc cannot inline a function with a __try in it, and nothing is gained by inlining the others */
#define FORCEINLINE static inline __attribute__((unused))
#endif
#endif
#define CFORCEINLINE FORCEINLINE

/* ---- keywords of Visual C++ ---- */
#ifndef NTMM_BUILDING
#define __declspec(x) NTMM_DECLSPEC_##x
#define NTMM_DECLSPEC_align(n) __attribute__((aligned(n)))
#define NTMM_DECLSPEC_allocate(section)
#ifdef __ELF__
#define NTMM_DECLSPEC_code_seg(name) __attribute__((section(name), noinline))
#else
#define NTMM_DECLSPEC_code_seg(name) /* Mach-O has other names of sections */
#endif
#define NTMM_DECLSPEC_deprecated __attribute__((deprecated))
#define NTMM_DECLSPEC_dllexport NTMM_PUBLIC
#define NTMM_DECLSPEC_dllimport
#define NTMM_DECLSPEC_empty_bases
#define NTMM_DECLSPEC_guard(x)
#define NTMM_DECLSPEC_noalias
#define NTMM_DECLSPEC_noinline __attribute__((noinline))
#define NTMM_DECLSPEC_noreturn __attribute__((noreturn))
#define NTMM_DECLSPEC_nothrow
#define NTMM_DECLSPEC_novtable
#define NTMM_DECLSPEC_restrict
#define NTMM_DECLSPEC_safebuffers
#define NTMM_DECLSPEC_selectany DECLSPEC_SELECTANY
#define NTMM_DECLSPEC_spectre(x)
#define NTMM_DECLSPEC_thread __thread
#define NTMM_DECLSPEC_uuid(x)

#ifndef __pragma /* clang has it */
#define __pragma(...) NTMM_PRAGMA_(#__VA_ARGS__)
#define NTMM_PRAGMA_(text) _Pragma(text)
#endif

#define __cdecl
#define __stdcall
#define __fastcall
#define __vectorcall
#define __thiscall
#define __unaligned
#define __ptr64
#define __ptr32
#define __sptr
#define __uptr
#define __w64
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#define __forceinline NTMM_INLINED
#ifdef __cplusplus
#define NTMM_INLINED inline
#else
#ifdef NTMM_USES_TRY /* gcc cannot inline what has a __try in it */
#define NTMM_INLINED inline __attribute__((unused))
#else
#define NTMM_INLINED inline __attribute__((always_inline, unused))
#endif
#define __inline NTMM_INLINED
#define _inline NTMM_INLINED
#endif
#define __assume(condition) ((void)0)
#define __noop(...) ((void)0)
#define __annotation(...) ((void)0) /* text for the symbol file */
#define __int2c() DbgBreakPoint()
#define __debugbreak() DbgBreakPoint()
#define _ReturnAddress() __builtin_return_address(0)
#define _AddressOfReturnAddress() ((void *)((char *)__builtin_frame_address(0) + sizeof(void *)))
#endif

/* A last member that counts for one element, and has as many as there are, in a structure that is itself an element of an array: there gcc would
 * take [1] for the truth, and end an optimised loop over them after the first. In C++ it still does; -fno-aggressive-loop-optimizations helps there. */
#ifdef __cplusplus
#define NTMM_ANY_NUMBER(type, name) type name[1]
#else
#define NTMM_ANY_NUMBER(type, name) \
    union { \
        type ntmm_first_of_##name; \
        struct { \
            struct { \
            } ntmm_in_front_of_##name; \
            type name[]; \
        }; \
    }
#endif

#ifdef __cplusplus /* a layout that drivers can see, checked where it is declared */
#define NTMM_LAYOUT(condition, what) static_assert(condition, what)
#else
#define NTMM_LAYOUT(condition, what) _Static_assert(condition, what)
#endif

#endif
