/*
 * test_ke_exception_frames.c - a filter runs in a function whose stack pointer is far from its frame: every kind of frame that compilers lay
 * out must stand that. Written in the lower-case words, as most drivers have them.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../support/exceptions.h"

static void locals_of_every_alignment(void **state)
{
    _Alignas(64) char         line[64] = "line";
    _Alignas(32) double       four[4] = { 1, 2, 3, 4 };
    _Alignas(4096) static int page[4]; /* not on the stack */
    (void)state;
    try {
        strcpy(line, "changed");
        four[2] = 30;
        page[1] = 7;
        raise_now(STATUS_A);
    }
    except((uintptr_t)line % 64 == 0 && strcmp(line, "changed") == 0 && four[2] == 30 && page[1] == 7)
    {
        line[0] = 'C';
        note('H');
    }
    assert_string_equal(line, "Changed");
    assert_true((uintptr_t)four % 32 == 0 && four[3] == 4);
    happened("H");
}

static __attribute__((noinline)) int variable_length(int n)
{
    char outside[n];
    memset(outside, 'o', (size_t)n);
    for (int i = 0; i < 3; i++) {
        try {
            char inside[n * 2];
            memset(inside, 'i', (size_t)n * 2);
            if (i > 0)
                raise_now(STATUS_A + inside[n] - 'i');
        }
        except(outside[n - 1] == 'o' ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) { outside[0]++; }
    }
    return outside[0] - 'o' + outside[n - 1] - 'o';
}

static __attribute__((noinline)) int aligned_and_variable(int n)
{
    _Alignas(64) char line[64] = { 0 };
    char              more[n];
    memset(more, 1, (size_t)n);
    try {
        char *extra = __builtin_alloca((size_t)n);
        memset(extra, 2, (size_t)n);
        line[0] = extra[n - 1];
        raise_now(STATUS_A);
    }
    except(line[0] == 2 && more[n - 1] == 1 && (uintptr_t)line % 64 == 0) { line[0]++; }
    return line[0] + more[0];
}

static void variable_frames(void **state)
{
    (void)state;
    assert_int_equal(variable_length(10), 2);
    assert_int_equal(variable_length(5000), 2);
    assert_int_equal(aligned_and_variable(10), 4);
    assert_int_equal(aligned_and_variable(3000), 4);
}

static __attribute__((noinline)) int large_frame(int n)
{
    int numbers[6000];
    for (int i = 0; i < 6000; i++)
        numbers[i] = i;
    try {
        numbers[n]++;
        raise_now(STATUS_A);
    }
    except(numbers[n] == n + 1 && numbers[0] == 0 && numbers[5999] == 5999) { numbers[n] += 10; }
    return numbers[n];
}

static void large_frames(void **state)
{
    (void)state;
    assert_int_equal(large_frame(1), 12);
    assert_int_equal(large_frame(5000), 5011);
}

/* ---- arguments ---- */

struct three_words {
    long long a, b, c;
};
struct much {
    char bytes[600];
};

static __attribute__((noinline)) int sum_of_many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l,
                                                 double x, struct three_words w)
{
    return a + b + c + d + e + f + g + h + i + j + k + l + (int)x + (int)(w.a + w.b + w.c);
}
static __attribute__((noinline)) struct three_words three(long long n) { return (struct three_words){ n, n + 1, n + 2 }; }
static __attribute__((noinline)) int                last_of(struct much much, int n) { return much.bytes[599] + n; }

static struct much *raisers;

static __attribute__((noinline)) void raise_below_a_pattern(void)
{
    struct much pattern;
    memset(&pattern, 0x5a, sizeof pattern);
    raisers = &pattern;
    raise_now(STATUS_A);
}
static int pattern_is_whole(void)
{
    for (size_t i = 0; i < sizeof raisers->bytes; i++)
        if (raisers->bytes[i] != 0x5a)
            return 0;
    return 1;
}

/* A filter's calls put their arguments on the stack, and the raiser's frame is still there. */
static void filter_with_many_arguments(void **state)
{
    struct much much = { .bytes = { [599] = 9 } };
    (void)state;
    try {
        try {
            raise_below_a_pattern();
        }
        except(sum_of_many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13.0, three(14)) == 78 + 13 + 45 && last_of(much, 1) == 10
                   ? EXCEPTION_CONTINUE_SEARCH
                   : EXCEPTION_EXECUTE_HANDLER)
        {
            note('x');
        }
    }
    except(pattern_is_whole() && last_of(much, 2) == 11) { note('H'); }
    happened("H");
}

static __attribute__((noinline)) int parameters(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, double x,
                                                struct three_words w)
{
    try {
        a += 100;
        j += 100;
        x += 0.5;
        w.c += 100;
        raise_now(STATUS_A);
    }
    except(a == 101 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8 && i == 9 && j == 110 && x == 11.5 && w.a == 12 &&
           w.c == 114)
    {
        return a + j + (int)w.c;
    }
    return 0;
}

static __attribute__((noinline)) int variadic(int count, ...)
{
    va_list list;
    int     sum = 0;
    va_start(list, count);
    try {
        for (int i = 0;; i++) {
            if (i == count)
                raise_now(STATUS_A);
            sum += va_arg(list, int);
        }
    }
    except(va_arg(list, int) == 44) { sum += va_arg(list, int); }
    va_end(list);
    return sum;
}

static void parameters_are_variables(void **state)
{
    (void)state;
    assert_int_equal(parameters(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11.0, three(12)), 101 + 110 + 114);
    assert_int_equal(variadic(10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 44, 1000), 1055);
}

/* ---- others on the stack ---- */

static int compare(const void *a, const void *b)
{
    if (*(const int *)a == 5 || *(const int *)b == 5)
        raise_now(STATUS_A);
    return *(const int *)a - *(const int *)b;
}

static void through_the_c_library(void **state)
{
    int numbers[] = { 9, 8, 7, 6, 5, 4, 3 };
    (void)state;
    for (int i = 0; i < 10; i++) {
        try {
            try {
                qsort(numbers, 7, sizeof numbers[0], compare);
                note('x');
            } finally {
                numbers[4] = 5;
            }
        }
        except(numbers[4] == 5 || i >= 0) { note('H'); }
    }
    happened("HHHHHHHHHH");
}

static void memory_routines_on_bad_addresses(void **state)
{
    char text[16] = "0123456789";
    void *volatile nowhere = (void *)0x60;
    NTSTATUS codes[3] = { 0 };
    (void)state;
    try {
        memcpy(nowhere, text, 10);
    }
    except(EXCEPTION_EXECUTE_HANDLER) { codes[0] = GetExceptionCode(); }
    try {
        memmove(text, nowhere, 10);
    }
    except(EXCEPTION_EXECUTE_HANDLER) { codes[1] = GetExceptionCode(); }
    try {
        if (strlen(nowhere) != 0)
            leave;
    }
    except(EXCEPTION_EXECUTE_HANDLER) { codes[2] = GetExceptionCode(); }
    for (int i = 0; i < 3; i++)
        assert_int_equal(codes[i], STATUS_ACCESS_VIOLATION);
    assert_string_equal(text, "0123456789");
}

/* ---- spellings ---- */

static void other_spellings(void **state)
{
    (void)state;
    _try
    {
        _try
        {
            raise_now(STATUS_B);
            _leave;
        }
        _finally { note(_abnormal_termination() ? 'A' : 'x'); }
    }
    _except(note('c'), _exception_info() != NULL && _exception_code() == STATUS_B) { note('H'); }
    happened("cAH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        exception_test(locals_of_every_alignment),        exception_test(variable_frames),          exception_test(large_frames),
        exception_test(filter_with_many_arguments),       exception_test(parameters_are_variables), exception_test(through_the_c_library),
        exception_test(memory_routines_on_bad_addresses), exception_test(other_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
