/*
 * test_rtl_interlocked.c - interlocked operations of every width: results, wrapping, neighbours untouched, all names; 16 bytes at once by
 * several threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#include <ntddk.h>

/* One width: the word has neighbours on both sides. */
#define WIDTH_TEST(name, Type, Suffix, Highest) \
    static void name(void **state) \
    { \
        volatile Type w[3] = { 5, 10, 7 }; \
        (void)state; \
        assert_int_equal(InterlockedIncrement##Suffix(&w[1]), 11); \
        assert_int_equal(InterlockedDecrement##Suffix(&w[1]), 10); \
        assert_int_equal(InterlockedAdd##Suffix(&w[1], 5), 15); \
        assert_int_equal(InterlockedExchangeAdd##Suffix(&w[1], -5), 15); \
        assert_int_equal(InterlockedExchange##Suffix(&w[1], 12), 10); \
        assert_int_equal(InterlockedCompareExchange##Suffix(&w[1], 3, 11), 12); \
        assert_int_equal(InterlockedCompareExchange##Suffix(&w[1], 3, 12), 12); \
        assert_int_equal(InterlockedOr##Suffix(&w[1], 8), 3); \
        assert_int_equal(InterlockedAnd##Suffix(&w[1], 9), 11); \
        assert_int_equal(InterlockedXor##Suffix(&w[1], 15), 9); \
        assert_int_equal(w[1], 6); \
        w[1] = Highest; \
        assert_true(InterlockedIncrement##Suffix(&w[1]) < 0); \
        assert_true(InterlockedDecrement##Suffix(&w[1]) == Highest); \
        assert_int_equal(w[0], 5); \
        assert_int_equal(w[2], 7); \
    }
WIDTH_TEST(bytes, CHAR, 8, 0x7F)
WIDTH_TEST(halves, SHORT, 16, 0x7FFF)
WIDTH_TEST(words, LONG, , 0x7FFFFFFF)
WIDTH_TEST(double_words, LONG64, 64, 0x7FFFFFFFFFFFFFFF)

static void bits(void **state)
{
    LONG   words[2] = { 0, 0 };
    LONG64 long_words[2] = { 0, 0 };
    (void)state;
    assert_false(InterlockedBitTestAndSet(words, 33));
    assert_true(InterlockedBitTestAndSet(words, 33));
    assert_int_equal(words[1], 2);
    assert_true(InterlockedBitTestAndComplement(words, 33));
    assert_false(InterlockedBitTestAndReset(words, 33));
    assert_int_equal(words[1], 0);
    assert_false(InterlockedBitTestAndSet64(long_words, 127));
    assert_true(InterlockedBitTestAndReset64(long_words, 127));
    assert_false(InterlockedBitTestAndComplement64(long_words, 64));
    assert_int_equal(long_words[1], 1);
    assert_false(InterlockedBitTestAndSetAcquire(words, 0));
}

static void other_names(void **state)
{
    LONG   word = 1;
    LONG64 long_word = 1;
    SHORT  half = 1;
    SIZE_T size = 1;
    PVOID  pointer = &word;
    (void)state;
    assert_int_equal(InterlockedIncrementAcquire(&word) + InterlockedIncrementNoFence64(&long_word) + InterlockedIncrementRelease16(&half),
                     6);
    assert_int_equal(InterlockedExchangeNoFence64(&long_word, 9), 2);
    assert_int_equal(InterlockedOrNoFence(&word, 4), 2);
    assert_int_equal(InterlockedAndRelease64(&long_word, 1), 9);
    assert_int_equal(InterlockedXorAcquire(&word, 1), 6);
    assert_int_equal(InterlockedCompareExchangeNoFence64(&long_word, 5, 1), 1);
    assert_int_equal(InterlockedIncrementSizeT(&size), 2);
    assert_int_equal(InterlockedExchangeAddSizeT(&size, 40), 2);
    assert_int_equal(InterlockedDecrementSizeT(&size), 41);
    assert_int_equal(_InterlockedIncrement(&word), 8);
    assert_int_equal(_InterlockedCompareExchange64(&long_word, 6, 5), 5);
    assert_ptr_equal(InterlockedExchangePointerRelease(&pointer, NULL), &word);
    assert_ptr_equal(InterlockedCompareExchangePointerNoFence(&pointer, &size, NULL), NULL);
}

static void plain_reads_and_writes(void **state)
{
    LONG  word = 0;
    CHAR  byte = 0;
    PVOID pointer = NULL;
    UCHAR bytes_[8] = { 0 };
    (void)state;
    WriteRelease(&word, -5);
    assert_int_equal(ReadAcquire(&word), -5);
    WriteNoFence8(&byte, 3);
    assert_int_equal(ReadNoFence8(&byte), 3);
    WritePointerRelease(&pointer, &word);
    assert_ptr_equal(ReadPointerAcquire(&pointer), &word);
    WriteULongRaw((ULONG *)(void *)(bytes_ + 1), 0x11223344);
    assert_int_equal(bytes_[1], 0x44);
    assert_int_equal(ReadULongRaw((ULONG *)(void *)(bytes_ + 1)), 0x11223344);
}

static void sixteen_bytes(void **state)
{
    _Alignas(16) volatile LONG64 pair[2] = { 1, 2 };
    LONG64                       expected[2] = { 1, 3 };
    (void)state;
    assert_int_equal(InterlockedCompareExchange128(pair, 20, 10, expected), 0);
    assert_int_equal(expected[0], 1);
    assert_int_equal(expected[1], 2);
    assert_int_equal(pair[0], 1);
    assert_int_equal(InterlockedCompareExchange128(pair, 20, 10, expected), 1);
    assert_int_equal(pair[0], 10);
    assert_int_equal(pair[1], 20);
}

/* Both halves count together: a torn value would show. */
#define ROUNDS 20000
static _Alignas(16) volatile LONG64 shared[2];

static void *count_both(void *argument)
{
    LONG64 seen[2] = { 0, 0 };
    (void)argument;
    for (unsigned i = 0; i < ROUNDS; i++)
        while (!InterlockedCompareExchange128(shared, seen[1] - 1, seen[0] + 1, seen))
            if (seen[0] + seen[1] != 0)
                return argument;
    return NULL;
}

static void by_several_threads(void **state)
{
    pthread_t thread[3];
    int       torn = 0;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, count_both, &torn), 0);
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    assert_int_equal(shared[0], 3 * ROUNDS);
    assert_int_equal(shared[1], -3 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes),
        cmocka_unit_test(halves),
        cmocka_unit_test(words),
        cmocka_unit_test(double_words),
        cmocka_unit_test(bits),
        cmocka_unit_test(other_names),
        cmocka_unit_test(plain_reads_and_writes),
        cmocka_unit_test(sixteen_bytes),
        cmocka_unit_test(by_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
