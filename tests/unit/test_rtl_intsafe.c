/*
 * test_rtl_intsafe.c - ntintsafe.h, every routine: against arithmetic in 128 bits, at every edge of every type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ntddk.h>
#include <ntintsafe.h>

static const int EDGE_BITS[] = { 0, 7, 8, 15, 16, 31, 32, 63, 64 };

/* The i-th value around the powers of two, positive and negative: 0, 1, 2, 126 ... 129, ... */
static __int128 edge(unsigned i)
{
    __int128 power = (__int128)1 << EDGE_BITS[i / 10];
    __int128 value = power + (int)(i % 5) - 2;
    return i / 5 % 2 ? -value : value;
}
#define EDGES 90u

/* A type, by its range. */
typedef struct range {
    __int128 low, high;
} range_t;
#define RANGE(Type) range_of(sizeof(Type), (Type)-1 <= (Type)1)
static range_t range_of(size_t bytes, bool is_signed)
{
    range_t range = { 0, ((__int128)1 << 8 * bytes) - 1 };
    if (is_signed) {
        range.high >>= 1;
        range.low = -range.high - 1;
    }
    return range;
}
static bool is_in(__int128 value, range_t range) { return value >= range.low && value <= range.high; }

static void check(NTSTATUS status, __int128 result, __int128 exact, range_t range)
{
    if (is_in(exact, range)) {
        assert_int_equal(status, STATUS_SUCCESS);
        assert_true(result == exact);
    } else {
        assert_int_equal(status, STATUS_INTEGER_OVERFLOW);
        assert_true(result == (range.low < 0 ? -1 : range.high));
    }
}

/* Each routine with its types taken away, so that one loop tests all of them. */
typedef NTSTATUS (*convert_t)(__int128 value, __int128 *result);
typedef NTSTATUS (*combine_t)(__int128 one, __int128 other, __int128 *result);

#define PLAIN_CONVERT(Name, From, Result, ToType) \
    static NTSTATUS convert_##Name##_##Result(__int128 value, __int128 *result) \
    { \
        ToType   typed = 77; \
        NTSTATUS status = Rtl##Name##To##Result((From)value, &typed); \
        *result = typed; \
        return status; \
    }
NTMM_INTSAFE_CONVERSIONS(PLAIN_CONVERT)

#define PLAIN_COMBINE(Name, Type, Verb) \
    static NTSTATUS combine_##Name##_##Verb(__int128 one, __int128 other, __int128 *result) \
    { \
        Type     typed = 77; \
        NTSTATUS status = Rtl##Name##Verb((Type)one, (Type)other, &typed); \
        *result = typed; \
        return status; \
    }
#define PLAIN_ARITHMETIC(Name, Type) PLAIN_COMBINE(Name, Type, Add) PLAIN_COMBINE(Name, Type, Sub) PLAIN_COMBINE(Name, Type, Mult)
NTMM_INTSAFE_ARITHMETIC(PLAIN_ARITHMETIC)

static void check_conversions(range_t from, range_t to, convert_t convert)
{
    for (unsigned i = 0; i < EDGES; i++) {
        __int128 value = edge(i), result;
        if (is_in(value, from)) {
            NTSTATUS status = convert(value, &result);
            check(status, result, value, to);
        }
    }
}

static void check_arithmetic(range_t type, combine_t add, combine_t subtract, combine_t multiply)
{
    for (unsigned i = 0; i < EDGES; i++)
        for (unsigned j = 0; j < EDGES; j++) {
            __int128 one = edge(i), other = edge(j), result, product;
            NTSTATUS status;
            if (!is_in(one, type) || !is_in(other, type))
                continue;
            status = add(one, other, &result);
            check(status, result, one + other, type);
            status = subtract(one, other, &result);
            check(status, result, one - other, type);
            status = multiply(one, other, &result);
            if (__builtin_mul_overflow(one, other, &product)) /* of two 64-bit values; too large for any type */
                product = (__int128)1 << 100;
            check(status, result, product, type);
        }
}

static void arithmetic(void **state)
{
    (void)state;
#define CHECK(Name, Type) check_arithmetic(RANGE(Type), combine_##Name##_Add, combine_##Name##_Sub, combine_##Name##_Mult);
    NTMM_INTSAFE_ARITHMETIC(CHECK)
#undef CHECK
}

static void conversions(void **state)
{
    (void)state;
#define CHECK(Name, From, Result, To) check_conversions(RANGE(From), RANGE(To), convert_##Name##_##Result);
    NTMM_INTSAFE_CONVERSIONS(CHECK)
#undef CHECK
}

static void errors_are_all_ones(void **state)
{
    ULONG  sum;
    SIZE_T size;
    CHAR   small;
    (void)state;
    assert_int_equal(RtlULongAdd(MAXULONG, 1, &sum), STATUS_INTEGER_OVERFLOW);
    assert_int_equal(sum, ULONG_ERROR);
    assert_int_equal(RtlSizeTMult(MAXSIZE_T, 2, &size), STATUS_INTEGER_OVERFLOW);
    assert_true(size == SIZE_T_ERROR);
    assert_int_equal(RtlSizeTAdd(MAXSIZE_T - 1, 1, &size), STATUS_SUCCESS);
    assert_int_equal(RtlLongToChar(-129, &small), STATUS_INTEGER_OVERFLOW);
    assert_int_equal(small, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(conversions),
        cmocka_unit_test(errors_are_all_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
