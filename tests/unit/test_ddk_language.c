/*
 * test_ddk_language.c - what Visual C++ understands and our compilers do not, as drivers write it: keywords, annotations, packing, GUIDs, macros,
 * and tables by their other names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RTL_USE_AVL_TABLES 0
#include <ntifs.h>
#include <wdmguid.h>

#include <initguid.h>

DEFINE_GUID(GUID_OF_OURS, 0x12345678, 0x9abc, 0xdef0, 1, 2, 3, 4, 5, 6, 7, 8);
#include <wdmguid.h>
#include <wdmsec.h>

C_ASSERT(sizeof(ULONG) == 4);
C_ASSERT(sizeof(unsigned __int64) == 8 && sizeof(__int16) == 2);

__declspec(align(64)) static int aligned;
typedef struct __declspec(align(32)) wide {
    int a;
} wide_t;
C_ASSERT(sizeof(wide_t) == 32);

__pragma(warning(push)) __pragma(pack(push, 1)) typedef struct packed {
    char c;
    int  i;
} packed_t;
__pragma(pack(pop)) C_ASSERT(sizeof(packed_t) == 5);

#include <pshpack2.h>
typedef struct halves {
    char c;
    int  i;
} halves_t;
#include <poppack.h>
C_ASSERT(sizeof(halves_t) == 6);

__inline int             twice(int a) { return 2 * a; } /* no static: C alone would leave nothing to call */
static __forceinline int thrice(int a) { return 3 * a; }
__declspec(noinline) static int NTAPI four_times(_In_ int a) { return 4 * a; }

_IRQL_requires_max_(DISPATCH_LEVEL) _Must_inspect_result_ _Success_(return >= 0) static NTSTATUS
    fill(_Out_writes_bytes_to_(Size, *Written) PVOID Buffer, __in ULONG Size, __deref_out_ecount(1) PULONG Written,
         IN OUT PVOID Context OPTIONAL)
{
    UNREFERENCED_PARAMETER(Context);
    __analysis_assume(Size != 0);
    RtlZeroMemory(Buffer, Size);
    *Written = Size;
    return STATUS_SUCCESS;
}

static void keywords(void **state)
{
    char  buffer[3] = "xy";
    ULONG written;
    (void)state;
    assert_int_equal((uintptr_t)&aligned % 64, 0);
    assert_int_equal(twice(1) + thrice(1) + four_times(1), 9);
    assert_true(NT_SUCCESS(fill(buffer, 2, &written, NULL)));
    assert_int_equal(written, 2);
    assert_int_equal('abcd', 0x61626364); /* the first character in the highest byte */
}

static void guids(void **state)
{
    (void)state;
    assert_int_equal(GUID_OF_OURS.Data1, 0x12345678);
    assert_int_equal(GUID_BUS_INTERFACE_STANDARD.Data1, 0x496B8280);
    assert_true(IsEqualGUID(&GUID_OF_OURS, &GUID_OF_OURS));
    assert_false(IsEqualGUID(&GUID_OF_OURS, &GUID_BUS_INTERFACE_STANDARD));
    assert_int_equal(SDDL_DEVOBJ_SYS_ALL.Length, 2 * sizeof("D:P(A;;GA;;;SY)") - 2);
}

static void macros(void **state)
{
    struct holder {
        int  a;
        char b[6];
    } holder = { 0 };
    ULONG flags = 5;
    (void)state;
    assert_int_equal(FIELD_OFFSET(struct holder, b), 4);
    assert_int_equal(RTL_FIELD_SIZE(struct holder, b), 6);
    assert_int_equal(RTL_SIZEOF_THROUGH_FIELD(struct holder, b), 10);
    assert_int_equal(ARRAYSIZE(holder.b), 6);
    assert_true(RTL_CONTAINS_FIELD(&holder, 10, b) && !RTL_CONTAINS_FIELD(&holder, 9, b));
    assert_int_equal(min(3, 2) + max(3, 2), 5);
    assert_true(FlagOn(flags, 4) && BooleanFlagOn(flags, 1) == TRUE && !FlagOn(flags, 2));
    SetFlag(flags, 2);
    ClearFlag(flags, 1u);
    assert_int_equal(flags, 6);
    assert_int_equal(ALIGN_UP_BY(13, 8), 16);
    assert_int_equal(ALIGN_DOWN_BY(13, 8), 8);
    assert_ptr_equal(ALIGN_UP_POINTER_BY((PVOID)13, 8), (PVOID)16);
    assert_int_equal(PtrToUlong(ULongToPtr(0xFFFFFFFF)), 0xFFFFFFFF);
    assert_true(HandleToLong(LongToHandle(-4)) == -4);
    assert_true(Int32x32To64(-2, 0x7FFFFFFF) == -0xFFFFFFFEll);
    assert_int_equal(MAXUSHORT, 0xFFFF);
    assert_int_equal(METHOD_BUFFERED | CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS), 0x222000);
}

static RTL_GENERIC_COMPARE_RESULTS compare(PRTL_GENERIC_TABLE table, PVOID one, PVOID other)
{
    (void)table;
    return *(int *)one < *(int *)other ? GenericLessThan : *(int *)one > *(int *)other ? GenericGreaterThan : GenericEqual;
}
static UCHAR room[4][64] __attribute__((aligned(16)));
static ULONG used;
static PVOID take(PRTL_GENERIC_TABLE table, CLONG bytes)
{
    (void)table;
    assert_in_range(bytes, 0, 64);
    return room[used++];
}
static VOID give(PRTL_GENERIC_TABLE table, PVOID buffer)
{
    (void)table;
    (void)buffer;
    used--;
}

static void tables_by_their_other_names(void **state)
{
    RTL_GENERIC_TABLE table;
    int               key = 7;
    BOOLEAN           fresh;
    (void)state;
    RtlInitializeGenericTable(&table, compare, take, give, NULL);
    assert_int_equal(sizeof table, sizeof(RTL_AVL_TABLE));
    assert_int_equal(*(int *)RtlInsertElementGenericTable(&table, &key, sizeof key, &fresh), 7);
    assert_true(fresh);
    assert_int_equal(RtlNumberGenericTableElements(&table), 1);
    assert_true(RtlDeleteElementGenericTable(&table, &key));
    assert_int_equal(used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keywords),
        cmocka_unit_test(guids),
        cmocka_unit_test(macros),
        cmocka_unit_test(tables_by_their_other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
