/*
 * user_access.c - what the user-mode accessors are made of: each probes the address and makes one access.
 * The typed routines of usermode_accessors.h are in the driver, as they are in umaccess.lib; they end in these, which the kernel exports. A
 * call that the compiler cannot look into is what makes the access happen once, and there.
 *
 *     ReadULongFromUser -> RtlReadULongFromUser -> admit (IRQL, whose address is it) -> one load, which may fault to the driver's __try
 *
 * No lock is held and the thread is not inside of the library during an access, so that the exception leaves for the driver's __try.
 *
 * Locks       none.
 * Source      WDK reference: usermode_accessors.h; "User-mode accessors".
 * Fidelity    non-temporal copies are ordinary ones. Accesses that are not aligned are made as the host's processor makes them.
 */
#include <ntifs.h>
#include <string.h>
#include <usermode_accessors.h>

#include "mm/user_range.h"

/* Somebody else may be writing there: that is what these routines are for. */
#if __has_attribute(disable_sanitizer_instrumentation) /* clang's, which otherwise goes on watching atomic operations */
#define UNCHECKED __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined", "thread")))
#endif
#define CALLER ((ULONG_PTR)__builtin_return_address(0))

/* The address is one of this thread's process; raises if it is not. false: no machine is up. */
static bool admit(const char *routine, const volatile VOID *address, SIZE_T bytes, ULONG_PTR caller)
{
    if (NTMM_UNLIKELY(ke_self()->irql > APC_LEVEL))
        ke_irql_too_high(routine, 0, caller);
    ke_thread_t *thread = ke_thread_ready(routine);
    if (thread == NULL)
        return false;
    if (!mm_user_range_is_ours(thread, (uintptr_t)address, bytes))
        ke_raise_status(routine, STATUS_ACCESS_VIOLATION, caller);
    return true;
}

/* ---- one value ---- */

#define VALUE_ROUTINES(Name, Type) \
    typedef struct __attribute__((packed, may_alias)) { \
        Type value; \
    } unaligned_##Name; \
    static UNCHECKED Type load_##Name(const volatile VOID *from) { return ((const volatile unaligned_##Name *)from)->value; } \
    static UNCHECKED void store_##Name(volatile VOID *to, Type value) { ((volatile unaligned_##Name *)to)->value = value; } \
    Type                  RtlRead##Name##FromUser(const volatile Type *Address) \
    { \
        return admit(__func__, Address, sizeof(Type), CALLER) ? load_##Name(Address) : 0; \
    } \
    Type RtlRead##Name##FromUserAcquire(const volatile Type *Address) \
    { \
        Type value = admit(__func__, Address, sizeof(Type), CALLER) ? load_##Name(Address) : 0; \
        atomic_thread_fence(memory_order_acquire); \
        return value; \
    } \
    VOID RtlWrite##Name##ToUser(volatile Type *Address, Type Value) \
    { \
        if (admit(__func__, Address, sizeof(Type), CALLER)) \
            store_##Name(Address, Value); \
    } \
    VOID RtlWrite##Name##ToUserRelease(volatile Type *Address, Type Value) \
    { \
        atomic_thread_fence(memory_order_release); \
        if (admit(__func__, Address, sizeof(Type), CALLER)) \
            store_##Name(Address, Value); \
    }
VALUE_ROUTINES(UChar, UCHAR)
VALUE_ROUTINES(UShort, USHORT)
VALUE_ROUTINES(ULong, ULONG)
VALUE_ROUTINES(ULong64, ULONG64)

/* ---- many bytes ---- */

static UNCHECKED void copy(volatile VOID *to, const volatile VOID *from, SIZE_T bytes) { memmove((void *)to, (const void *)from, bytes); }

VOID RtlCopyFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    if (admit(__func__, Source, Length, CALLER))
        copy(Destination, Source, Length);
}

VOID RtlCopyFromUserNonTemporal(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    if (admit(__func__, Source, Length, CALLER))
        copy(Destination, Source, Length);
}

VOID RtlCopyToUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    if (admit(__func__, Destination, Length, CALLER))
        copy(Destination, Source, Length);
}

VOID RtlCopyToUserNonTemporal(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    if (admit(__func__, Destination, Length, CALLER))
        copy(Destination, Source, Length);
}

VOID RtlCopyToUserFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    if (admit(__func__, Source, Length, CALLER) && admit(__func__, Destination, Length, CALLER))
        copy(Destination, Source, Length);
}

VOID RtlMoveToUserFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    if (admit(__func__, Source, Length, CALLER) && admit(__func__, Destination, Length, CALLER))
        copy(Destination, Source, Length);
}

static UNCHECKED void fill(volatile VOID *to, UCHAR byte, SIZE_T bytes) { memset((void *)to, byte, bytes); }

VOID RtlSetUserMemory(volatile VOID *Destination, UCHAR Fill, SIZE_T Length)
{
    if (admit(__func__, Destination, Length, CALLER))
        fill(Destination, Fill, Length);
}

/* ---- strings: each character is one that may be read, however far the end is ---- */

/* `bytes` at the address are on one page or two, and are looked at anew when a page begins. */
#define LENGTH_ROUTINE(Routine, Type, load) \
    SIZE_T Routine(const volatile Type *String) \
    { \
        for (SIZE_T length = 0;; length++) { \
            const volatile Type *at = (const volatile Type *)((ULONG_PTR)String + length * sizeof(Type)); \
            bool                 new_page = length == 0 || BYTE_OFFSET(at) + sizeof(Type) > PAGE_SIZE || BYTE_OFFSET(at) < sizeof(Type); \
            if (new_page && !admit(__func__, at, sizeof(Type), CALLER)) \
                return 0; \
            if (load(at) == 0) \
                return length; \
        } \
    }
LENGTH_ROUTINE(RtlStringLengthFromUser, CHAR, load_UChar)
LENGTH_ROUTINE(RtlWideStringLengthFromUser, WCHAR, load_UShort)

/* ---- interlocked: full barriers. A value that is not aligned is a mistake that the processor may not even see ---- */

static bool admit_aligned(const char *routine, const volatile VOID *address, SIZE_T bytes, ULONG_PTR caller)
{
    bool admitted = admit(routine, address, bytes, caller);
    if (admitted && (uintptr_t)address % bytes != 0)
        ke_raise_status(routine, STATUS_DATATYPE_MISALIGNMENT, caller);
    return admitted;
}

/* Built-ins, so that no sanitizer makes the access, with its locks held when it faults. */
#define INTERLOCKED_ROUTINES(Bits, Type) \
    static UNCHECKED Type and_##Bits(Type volatile *at, Type value) { return __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST); } \
    static UNCHECKED Type or_##Bits(Type volatile *at, Type value) { return __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST); } \
    static UNCHECKED Type exchange_##Bits(Type volatile *at, Type value, Type comperand) \
    { \
        __atomic_compare_exchange_n(at, &comperand, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return comperand; /* what was found, when it was another value */ \
    } \
    Type RtlInterlockedAnd##Bits##ToUser(Type volatile *Destination, Type Value) \
    { \
        return admit_aligned(__func__, Destination, sizeof(Type), CALLER) ? and_##Bits(Destination, Value) : 0; \
    } \
    Type RtlInterlockedOr##Bits##ToUser(Type volatile *Destination, Type Value) \
    { \
        return admit_aligned(__func__, Destination, sizeof(Type), CALLER) ? or_##Bits(Destination, Value) : 0; \
    } \
    Type RtlInterlockedCompareExchange##Bits##ToUser(Type volatile *Destination, Type ExChange, Type Comperand) \
    { \
        return admit_aligned(__func__, Destination, sizeof(Type), CALLER) ? exchange_##Bits(Destination, ExChange, Comperand) : 0; \
    }
INTERLOCKED_ROUTINES(32, LONG)
INTERLOCKED_ROUTINES(64, LONG64)

/* ---- kernel addresses ---- */

/* `Routine` is one of those that are in the driver: their page has one IRQL for both modes. */
VOID ntmm_accessor_in_kernel_mode(PCSTR Routine)
{
    if (NTMM_UNLIKELY(ke_self()->irql > APC_LEVEL))
        ke_irql_too_high(Routine, 0, CALLER);
}

VOID ntmm_fast_fail_if_user_pointer(const VOID *Pointer)
{
    if (mm_is_user_range((uintptr_t)Pointer, 1))
        ke_fast_fail(__func__, "A user address was given to an accessor that was told to expect a kernel address.",
                     FAST_FAIL_KERNEL_POINTER_EXPECTED, CALLER);
}

/* Out of the driver's sight, like the accesses to user memory. */
VOID ntmm_copy_kernel_memory(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length) { copy(Destination, Source, Length); }
VOID ntmm_set_kernel_memory(volatile VOID *Destination, UCHAR Fill, SIZE_T Length) { fill(Destination, Fill, Length); }
