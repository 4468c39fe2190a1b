/*
 * test_mm_user_access.c - the user-mode accessors: what each family moves, and what each raises for addresses that are not a user's, or not there.
 */
#define NTMM_USES_TRY
#define DBG 1
#include "../support/user_memory.h"

#include <usermode_accessors.h>

/* A kernel address, wherever the program is loaded; pool is far above. */
static unsigned char *kernel_bytes(SIZE_T bytes)
{
    unsigned char *kernel = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, NTMM_TAG("Tst1"));
    assert_non_null(kernel);
    return kernel;
}

#define NOTHING_THERE ((PVOID)0x1000) /* a user address that nobody has */

/* ---- one value of each type ---- */

#define BITS ((ULONG_PTR)UINT64_C(0x8182838485868788))

#define TYPE_CHECK(Name, Type) \
    static void check_##Name(unsigned char *user, unsigned char *kernel) \
    { \
        for (unsigned at = 0; at <= 1; at++) { /* aligned, and not */ \
            Type volatile *theirs = (Type volatile *)(void *)(user + at); \
            Type volatile *ours = (Type volatile *)(void *)(kernel + at); \
            Type           value = (Type)BITS, other = (Type)(BITS ^ 0x7F), seen; \
            memset(user, 0x5A, 32); \
            memset(kernel, 0x5A, 32); \
            Write##Name##ToUser(theirs, value); \
            assert_memory_equal(user + at, &value, sizeof value); \
            assert_int_equal(user[at + sizeof value], 0x5A); \
            seen = Read##Name##FromUser(theirs); \
            assert_memory_equal(&seen, &value, sizeof value); \
            Write##Name##ToUserRelease(theirs, other); \
            seen = Read##Name##FromUserAcquire(theirs); \
            assert_memory_equal(&seen, &other, sizeof value); \
            Write##Name##ToMode(theirs, value, UserMode); \
            seen = Read##Name##FromMode(theirs, UserMode); \
            assert_memory_equal(&seen, &value, sizeof value); \
            Write##Name##ToMode(ours, other, KernelMode); \
            seen = Read##Name##FromMode(ours, KernelMode); \
            assert_memory_equal(&seen, &other, sizeof value); \
            assert_int_equal(kernel[at + sizeof value], 0x5A); \
            assert_int_equal(raised((void)Read##Name##FromUser(ours)), STATUS_ACCESS_VIOLATION); \
            assert_int_equal(raised((void)Read##Name##FromUserAcquire(ours)), STATUS_ACCESS_VIOLATION); \
            assert_int_equal(raised((void)Read##Name##FromMode(ours, UserMode)), STATUS_ACCESS_VIOLATION); \
            assert_int_equal(raised(Write##Name##ToUser(ours, value)), STATUS_ACCESS_VIOLATION); \
            assert_int_equal(raised(Write##Name##ToUserRelease(ours, value)), STATUS_ACCESS_VIOLATION); \
            assert_int_equal(raised(Write##Name##ToMode(ours, value, UserMode)), STATUS_ACCESS_VIOLATION); \
            assert_memory_equal(kernel + at, &other, sizeof value); \
            theirs = (Type volatile *)(0x1000 + (uintptr_t)at); /* a user address, and nothing there */ \
            assert_int_equal(raised((void)Read##Name##FromUser(theirs)), STATUS_ACCESS_VIOLATION); \
            assert_int_equal(raised(Write##Name##ToUser(theirs, value)), STATUS_ACCESS_VIOLATION); \
        } \
    }
#define TYPES(X) \
    X(Boolean, BOOLEAN) \
    X(Char, CHAR) \
    X(UChar, UCHAR) \
    X(Int8, INT8) \
    X(UInt8, UINT8) \
    X(Short, SHORT) \
    X(UShort, USHORT) \
    X(Int16, INT16) \
    X(UInt16, UINT16) \
    X(WChar, WCHAR) \
    X(Long, LONG) \
    X(ULong, ULONG) \
    X(Int32, INT32) \
    X(UInt32, UINT32) \
    X(NtStatus, NTSTATUS) \
    X(Longlong, LONGLONG) \
    X(ULonglong, ULONGLONG) \
    X(Long64, LONG64) \
    X(ULong64, ULONG64) \
    X(Int64, INT64) \
    X(UInt64, UINT64) \
    X(IntPtr, INT_PTR) \
    X(UIntPtr, UINT_PTR) \
    X(LongPtr, LONG_PTR) \
    X(ULongPtr, ULONG_PTR) \
    X(SizeT, SIZE_T) \
    X(SSizeT, SSIZE_T) \
    X(Handle, HANDLE) \
    X(Pointer, PVOID)
TYPES(TYPE_CHECK)
#define TYPE_CALL(Name, Type) check_##Name(user, kernel);

static void every_type(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE), *kernel = kernel_bytes(64);
    TYPES(TYPE_CALL)
    ExFreePool(kernel);
}

static void large_integers_and_strings(void **state)
{
    (void)state;
    unsigned char  *user = user_pages(PAGE_SIZE), *kernel = kernel_bytes(64);
    LARGE_INTEGER   large = { .QuadPart = -5 };
    ULARGE_INTEGER  ularge = { .QuadPart = BITS };
    UNICODE_STRING  name = { .Length = 6, .MaximumLength = 8, .Buffer = (PWCH)NOTHING_THERE }, seen;
    LARGE_INTEGER  *user_large = (LARGE_INTEGER *)(void *)user, *kernel_large = (LARGE_INTEGER *)(void *)kernel;
    ULARGE_INTEGER *user_ularge = (ULARGE_INTEGER *)(void *)user, *kernel_ularge = (ULARGE_INTEGER *)(void *)kernel;
    UNICODE_STRING *user_name = (UNICODE_STRING *)(void *)user, *kernel_name = (UNICODE_STRING *)(void *)kernel;

    WriteLargeIntegerToUser(user_large, large);
    assert_int_equal(ReadLargeIntegerFromUser(user_large).QuadPart, -5);
    WriteLargeIntegerToMode(kernel_large, large, KernelMode);
    assert_int_equal(ReadLargeIntegerFromMode(kernel_large, KernelMode).QuadPart, -5);
    WriteLargeIntegerToMode(user_large, large, UserMode);
    assert_int_equal(ReadLargeIntegerFromMode(user_large, UserMode).QuadPart, -5);
    WriteULargeIntegerToUser(user_ularge, ularge);
    assert_int_equal(ReadULargeIntegerFromUser(user_ularge).QuadPart, BITS);
    WriteULargeIntegerToMode(kernel_ularge, ularge, KernelMode);
    assert_int_equal(ReadULargeIntegerFromMode(kernel_ularge, KernelMode).QuadPart, BITS);
    WriteULargeIntegerToMode(user_ularge, ularge, UserMode);
    assert_int_equal(ReadULargeIntegerFromMode(user_ularge, UserMode).QuadPart, BITS);
    WriteUnicodeStringToUser(user_name, name); /* its buffer is a user address: nobody looks there */
    seen = ReadUnicodeStringFromUser(user_name);
    assert_true(seen.Length == 6 && seen.MaximumLength == 8 && seen.Buffer == name.Buffer);
    WriteUnicodeStringToMode(kernel_name, name, KernelMode);
    seen = ReadUnicodeStringFromMode(kernel_name, KernelMode);
    assert_true(seen.Length == 6 && seen.MaximumLength == 8 && seen.Buffer == name.Buffer);
    WriteUnicodeStringToMode(user_name, name, UserMode);
    seen = ReadUnicodeStringFromMode(user_name, UserMode);
    assert_ptr_equal(seen.Buffer, name.Buffer);
    assert_int_equal(raised((void)ReadLargeIntegerFromUser(kernel_large)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(WriteULargeIntegerToUser(kernel_ularge, ularge)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)ReadUnicodeStringFromUser(kernel_name)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(WriteUnicodeStringToMode(kernel_name, name, UserMode)), STATUS_ACCESS_VIOLATION);
    ExFreePool(kernel);
}

/* ---- many bytes ---- */

static void copies(void **state)
{
    (void)state;
    unsigned char *user = user_pages(2 * PAGE_SIZE), *kernel = kernel_bytes(PAGE_SIZE);
    for (unsigned i = 0; i < 256; i++)
        user[i] = (unsigned char)i;
    CopyFromUser(kernel, user, 256);
    assert_memory_equal(kernel, user, 256);
    CopyToUser(user + PAGE_SIZE + 1, kernel, 255);
    assert_memory_equal(user + PAGE_SIZE + 1, kernel, 255);
    memset(kernel, 0, 256);
    CopyFromUserNonTemporal(kernel, user, 100);
    CopyToUserNonTemporal(user + PAGE_SIZE, kernel, 100);
    assert_memory_equal(user + PAGE_SIZE, user, 100);
    CopyToUserFromUser(user + PAGE_SIZE, user + 100, 100);
    assert_memory_equal(user + PAGE_SIZE, user + 100, 100);
    MoveToUserFromUser(user + 1, user, 100); /* they overlap */
    assert_true(user[1] == 0 && user[100] == 99 && user[101] == 101);
    CopyFromMode(kernel, user + 200, 50, UserMode);
    assert_memory_equal(kernel, user + 200, 50);
    CopyFromMode(kernel + 100, kernel, 50, KernelMode);
    assert_memory_equal(kernel + 100, kernel, 50);
    CopyToMode(user, kernel, 50, UserMode);
    CopyToModeNonTemporal(kernel + 200, user, 50, KernelMode);
    CopyFromModeNonTemporal(kernel + 300, user, 50, UserMode);
    assert_memory_equal(kernel + 200, kernel + 300, 50);
    CopyFromUserToMode(kernel + 400, user, 50, KernelMode);
    CopyFromUserToMode(user + 400, user, 50, UserMode);
    assert_memory_equal(kernel + 400, user + 400, 50);
    CopyFromUserAligned(kernel, user + 8, 16, 8);
    CopyFromModeAligned(kernel + 16, kernel + 1, 8, KernelMode, 8); /* of a kernel address the alignment is the driver's affair */
    CopyFromModeAligned(kernel + 16, user + 8, 8, UserMode, 8);
    assert_memory_equal(kernel + 16, user + 8, 8);
    ExFreePool(kernel);
}

static void copies_that_raise(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE), *kernel = kernel_bytes(64);
    assert_int_equal(raised(CopyFromUser(kernel, kernel + 32, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyToUser(kernel + 32, kernel, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromUserNonTemporal(kernel, kernel + 32, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyToUserNonTemporal(kernel + 32, kernel, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyToUserFromUser(user, kernel, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyToUserFromUser(kernel, user, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(MoveToUserFromUser(user, kernel, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromMode(kernel, kernel + 32, 32, UserMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyToMode(kernel + 32, kernel, 32, UserMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromUserToMode(kernel, user, 32, UserMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromUserToMode(kernel, kernel + 32, 32, KernelMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromUserAligned(kernel, user + 4, 16, 8)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised(CopyFromModeAligned(kernel, user + 4, 16, UserMode, 8)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised(CopyFromUser(kernel, NOTHING_THERE, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyToUser(NOTHING_THERE, kernel, 32)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromUser(kernel, user, SIZE_MAX)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(CopyFromUser(kernel, (PVOID)UINTPTR_MAX, 0)), STATUS_SUCCESS);
    assert_int_equal(raised(CopyFromUserAligned(kernel, user + 1, 0, 8)), STATUS_SUCCESS);
    ExFreePool(kernel);
}

static void fills(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE), *kernel = kernel_bytes(64);
    FillUserMemory(user, 10, 0x11);
    assert_true(user[0] == 0x11 && user[9] == 0x11 && user[10] == 0);
    SetUserMemory(user, 0x22, 5);
    assert_true(user[4] == 0x22 && user[5] == 0x11);
    ZeroUserMemory(user + 1, 3);
    assert_true(user[0] == 0x22 && user[1] == 0 && user[3] == 0 && user[4] == 0x22);
    FillModeMemory(user, 2, 0x33, UserMode);
    SetModeMemory(kernel, 0x44, 20, KernelMode);
    FillModeMemory(kernel, 10, 0x55, KernelMode);
    ZeroModeMemory(kernel, 5, KernelMode);
    ZeroModeMemory(user, 1, UserMode);
    assert_true(user[0] == 0 && user[1] == 0x33 && kernel[4] == 0 && kernel[5] == 0x55 && kernel[10] == 0x44 && kernel[20] == 0);
    assert_int_equal(raised(ZeroUserMemory(kernel, 1)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(FillUserMemory(kernel, 1, 1)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(SetModeMemory(kernel, 1, 1, UserMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(ZeroUserMemory(NOTHING_THERE, 1)), STATUS_ACCESS_VIOLATION);
    ExFreePool(kernel);
}

/* ---- structures ---- */

typedef struct request {
    ULONG   size;
    PVOID   data;
    ULONG64 more[4];
} request_t;

static void structures(void **state)
{
    (void)state;
    unsigned char            *user = user_pages(PAGE_SIZE);
    request_t                 value = { .size = 7, .more = { 1, 2, 3, 4 } }, seen;
    request_t                *theirs = (request_t *)(void *)user, *askew = (request_t *)(void *)(user + 1);
    const volatile request_t *watched = theirs;
    request_t                *ours = (request_t *)(void *)kernel_bytes(sizeof *ours);
    WriteStructToUser(theirs, &value);
    ReadStructFromUser(&seen, watched);
    assert_memory_equal(&seen, &value, sizeof seen);
    WriteStructToUserAligned(theirs, &value, 8);
    ReadStructFromUserAligned(&seen, theirs, 8);
    WriteStructToMode(theirs, &value, UserMode);
    ReadStructFromMode(&seen, theirs, UserMode);
    WriteStructToMode(ours, &value, KernelMode);
    ReadStructFromMode(&seen, ours, KernelMode);
    WriteStructToModeAligned(ours, &value, KernelMode, 8);
    ReadStructFromModeAligned(&seen, ours, KernelMode, 4096);
    assert_memory_equal(&seen, &value, sizeof seen);
    WriteStructToUser(askew, &value);
    assert_int_equal(raised(ReadStructFromUserAligned(&seen, askew, 8)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised(ReadStructFromModeAligned(&seen, askew, UserMode, 8)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised(WriteStructToUserAligned(askew, &value, 8)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised(WriteStructToModeAligned(askew, &value, UserMode, 8)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised(ReadStructFromUser(&seen, ours)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(WriteStructToUser(ours, &value)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(ReadStructFromMode(&seen, ours, UserMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(WriteStructToMode(ours, &value, UserMode)), STATUS_ACCESS_VIOLATION);
    ExFreePool(ours);
}

/* ---- strings ---- */

static void strings(void **state)
{
    (void)state;
    unsigned char *user = user_pages(3 * PAGE_SIZE), *kernel = kernel_bytes(64);
    CHAR          *text = (CHAR *)user + PAGE_SIZE - 3;
    WCHAR         *wide = (WCHAR *)(void *)(user + PAGE_SIZE + PAGE_SIZE - 4);
    memcpy(text, "abcdefg", 8);
    assert_int_equal(StringLengthFromUser(text), 7);
    assert_int_equal(StringLengthFromUser(text + 7), 0);
    assert_int_equal(StringLengthFromMode(text, UserMode), 7);
    memcpy(wide, u"wide text", 20);
    assert_int_equal(WideStringLengthFromUser(wide), 9);
    assert_int_equal(WideStringLengthFromMode(wide, UserMode), 9);
    assert_int_equal(WideStringLengthFromUser((const WCHAR *)(const void *)((const char *)wide + 1)),
                     8); /* askew: the zero bytes shift, too */
    memcpy(kernel, "hello", 6);
    assert_int_equal(StringLengthFromMode((CHAR *)kernel, KernelMode), 5);
    memcpy(kernel, u"hello", 12);
    assert_int_equal(WideStringLengthFromMode((WCHAR *)(void *)kernel, KernelMode), 5);
    assert_int_equal(raised((void)StringLengthFromUser((CHAR *)kernel)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)WideStringLengthFromUser((WCHAR *)(void *)kernel)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)StringLengthFromUser(NOTHING_THERE)), STATUS_ACCESS_VIOLATION);
    memset(user, 'x', 3 * PAGE_SIZE); /* the memory ends before the string does */
    assert_int_equal(raised((void)StringLengthFromUser((CHAR *)user)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)WideStringLengthFromUser((WCHAR *)(void *)(user + 1))), STATUS_ACCESS_VIOLATION);
    ExFreePool(kernel);
}

/* ---- interlocked ---- */

static void interlocked(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE), *kernel = kernel_bytes(64);
    LONG          *theirs = (LONG *)(void *)user, *ours = (LONG *)(void *)kernel;
    LONG64        *theirs64 = (LONG64 *)(void *)(user + 8), *ours64 = (LONG64 *)(void *)(kernel + 8);
    *theirs = *ours = 0xF0;
    *theirs64 = *ours64 = 0xF0F;
    assert_int_equal(InterlockedAndToUser(theirs, 0x30), 0xF0);
    assert_int_equal(InterlockedOrToUser(theirs, 0x01), 0x30);
    assert_int_equal(InterlockedCompareExchangeToUser(theirs, 5, 4), 0x31);
    assert_int_equal(InterlockedCompareExchangeToUser(theirs, 5, 0x31), 0x31);
    assert_int_equal(*theirs, 5);
    assert_int_equal(InterlockedAnd64ToUser(theirs64, 0xF00), 0xF0F);
    assert_int_equal(InterlockedOr64ToUser(theirs64, 1), 0xF00);
    assert_int_equal(InterlockedCompareExchange64ToUser(theirs64, INT64_MIN, 0xF01), 0xF01);
    assert_int_equal(*theirs64, INT64_MIN);
    assert_int_equal(InterlockedAndToMode(ours, 0x30, KernelMode), 0xF0);
    assert_int_equal(InterlockedOrToMode(ours, 1, KernelMode), 0x30);
    assert_int_equal(InterlockedCompareExchangeToMode(ours, 9, 0x31, KernelMode), 0x31);
    assert_int_equal(InterlockedAnd64ToMode(ours64, 0xF, KernelMode), 0xF0F);
    assert_int_equal(InterlockedOr64ToMode(ours64, 0x10, KernelMode), 0xF);
    assert_int_equal(InterlockedCompareExchange64ToMode(ours64, 1, 0x1F, KernelMode), 0x1F);
    assert_int_equal(InterlockedAndToMode(theirs, 4, UserMode), 5);
    assert_int_equal(InterlockedOrToMode(theirs, 1, UserMode), 4);
    assert_int_equal(InterlockedCompareExchangeToMode(theirs, 0, 5, UserMode), 5);
    assert_int_equal(InterlockedAnd64ToMode(theirs64, 0, UserMode), INT64_MIN);
    assert_int_equal(InterlockedOr64ToMode(theirs64, 6, UserMode), 0);
    assert_int_equal(InterlockedCompareExchange64ToMode(theirs64, 7, 6, UserMode), 6);
    assert_int_equal(raised((void)InterlockedAndToUser(ours, 0)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)InterlockedOr64ToMode(ours64, 0, UserMode)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)InterlockedCompareExchangeToUser(NOTHING_THERE, 0, 0)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised((void)InterlockedOrToUser((LONG *)(void *)(user + 2), 0)), STATUS_DATATYPE_MISALIGNMENT);
    assert_int_equal(raised((void)InterlockedAnd64ToUser((LONG64 *)(void *)(user + 4), 0)), STATUS_DATATYPE_MISALIGNMENT);
    ExFreePool(kernel);
}

/* ---- modes, filters, levels ---- */

static void a_filter_for_each_mode(void **state)
{
    (void)state;
    NTSTATUS status = STATUS_SUCCESS;
    assert_int_equal(UmaExceptionFilter(UserMode), EXCEPTION_EXECUTE_HANDLER);
    assert_int_equal(UmaExceptionFilter(KernelMode), EXCEPTION_CONTINUE_SEARCH);
    __try {
        (void)ReadULongFromUser(NOTHING_THERE);
    } __except (UmaExceptionFilter(UserMode)) {
        status = GetExceptionCode();
    }
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
}

static void a_user_address_in_kernel_mode(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_KERNEL_POINTER_EXPECTED,
                    (void)ReadULongFromMode((ULONG *)(void *)user, KernelMode));
    ntmm_cmocka_reboot();
    user = user_pages(PAGE_SIZE);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_KERNEL_POINTER_EXPECTED, CopyToMode(user, &user, sizeof user, KernelMode));
}

static void too_high(void **state)
{
    (void)state;
    KIRQL          old;
    unsigned char *user = user_pages(PAGE_SIZE);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(ReadUCharFromUser(user), 0);
    KeLowerIrql(old);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, (void)ReadUCharFromUser(user));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, CopyFromUser(&old, user, 1));
    for (volatile int row = 0; row < 8; row++) { /* the rule is the same for what a kernel component asks for */
        LONG   value = 5, copy = 0;
        LONG64 value64 = 6;
        ntmm_cmocka_reboot();
        KeRaiseIrql(APC_LEVEL, &old);
        CopyFromMode(&copy, &value, sizeof copy, KernelMode);
        assert_int_equal(copy, 5);
        KeLowerIrql(old);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
            switch (row) {
            case 0: CopyFromMode(&copy, &value, sizeof copy, KernelMode); break;
            case 1: CopyToMode(&copy, &value, sizeof copy, KernelMode); break;
            case 2: ZeroModeMemory(&copy, sizeof copy, KernelMode); break;
            case 3: (void)ReadLongFromMode(&value, KernelMode); break;
            case 4: WriteLongToMode(&value, 1, KernelMode); break;
            case 5: (void)StringLengthFromMode("abc", KernelMode); break;
            case 6: (void)InterlockedOr64ToMode(&value64, 1, KernelMode); break;
            default: ReadStructFromMode(&copy, &value, KernelMode); break;
            }
        });
        assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
        assert_true(value == 5 && copy == 5 && value64 == 6); /* nothing was done */
    }
}

static void outside_of_a_try(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_ACCESS_VIOLATION, (void)ReadULongFromUser(NOTHING_THERE));
    assert_true(ntmm_cmocka_caught.parameter[2] == 0 && ntmm_cmocka_caught.parameter[3] == (uintptr_t)NOTHING_THERE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(every_type),
        ntmm_cmocka_test(large_integers_and_strings),
        ntmm_cmocka_test(copies),
        ntmm_cmocka_test(copies_that_raise),
        ntmm_cmocka_test(fills),
        ntmm_cmocka_test(structures),
        ntmm_cmocka_test(strings),
        ntmm_cmocka_test(interlocked),
        ntmm_cmocka_test(a_filter_for_each_mode),
        ntmm_cmocka_test(a_user_address_in_kernel_mode),
        ntmm_cmocka_test(too_high),
        ntmm_cmocka_test(outside_of_a_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
