/*
 * test_ex_pool_tools.c - the pools while AddressSanitizer watches: which bytes it knows as whose, and that every rule still holds.
 * Only this program is built with -fsanitize=address; the library is as users have it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>

#include <ntddk.h>

#include <ntmm/cmocka.h>

#define TAG NTMM_TAG("Tool")
#define SLOTS 300

static const POOL_FLAGS pools[] = { POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAG_NON_PAGED_EXECUTE };

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static bool all_poisoned(const char *from, const char *to)
{
    for (; from < to; from++)
        if (!__asan_address_is_poisoned(from))
            return false;
    return true;
}

/* Every live block is the driver's to the byte, and nothing around it. */
static void bytes_belong_to_whom_they_should(void **state)
{
    (void)state;
    struct {
        char  *body;
        size_t bytes;
    } slots[SLOTS] = { 0 };
    uint64_t seed = 20261127;
    for (unsigned i = 0; i < 30000; i++) {
        unsigned k = (unsigned)(next(&seed) % SLOTS);
        if (slots[k].body != NULL) {
            assert_null(__asan_region_is_poisoned(slots[k].body, slots[k].bytes));
            memset(slots[k].body, 0x11, slots[k].bytes);
            ExFreePoolWithTag(slots[k].body, TAG);
            assert_true(all_poisoned(slots[k].body, slots[k].body + slots[k].bytes));
            slots[k].body = NULL;
            continue;
        }
        size_t bytes = next(&seed) % 9 == 0 ? next(&seed) % (6 * PAGE_SIZE) + 1 : next(&seed) % 700 + 1;
        char  *body = ExAllocatePool2(pools[next(&seed) % 3] | (next(&seed) % 8 == 0 ? POOL_FLAG_CACHE_ALIGNED : 0), bytes, TAG);
        assert_non_null(body);
        assert_null(__asan_region_is_poisoned(body, bytes));
        if (bytes % 8 != 0 || BYTE_OFFSET(body) != 0)
            assert_true(all_poisoned(body + bytes, (char *)(((uintptr_t)body + bytes + 15) & ~(uintptr_t)15)));
        if (BYTE_OFFSET(body) != 0)
            assert_true(all_poisoned(body - 16, body));
        slots[k].body = body;
        slots[k].bytes = bytes;
        if (i % 1000 == 0)
            assert_true(ntmm_check());
    }
    for (unsigned k = 0; k < SLOTS; k++)
        if (slots[k].body != NULL)
            ExFreePool(slots[k].body);
    assert_true(ntmm_check());
}

static void free_twice(void *body)
{
    ExFreePoolWithTag(body, TAG);
    ExFreePoolWithTag(body, TAG);
}

static void a_second_free_is_recognised_while_the_block_lies_still(void **state)
{
    (void)state;
    void *body = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
    assert_bugcheck(BAD_POOL_CALLER, 7, free_twice(body));
}

static void a_second_free_of_pages_as_well(void **state)
{
    (void)state;
    void *body = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
    assert_bugcheck(BAD_POOL_HEADER, 0x22, free_twice(body));
}

/* What lies still is not lost: the same blocks fit once more, as many as before. */
static void memory_that_is_short_does_not_lie_still(void **state)
{
    (void)state;
    static void *bodies[20000];
    size_t       first = 0;
    for (int round = 0; round < 4; round++) {
        size_t bytes = round % 2 == 0 ? 200 : PAGE_SIZE, count = 0;
        while (count < 20000 && (bodies[count] = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG)) != NULL)
            count++;
        assert_true(count > 0 && count < 20000);
        if (round == 0)
            first = count;
        else if (round == 2)
            assert_int_equal(count, first);
        for (size_t i = 0; i < count; i++)
            ExFreePoolWithTag(bodies[i], TAG);
        assert_true(ntmm_check());
    }
}

static void *churn(void *argument)
{
    uint64_t seed = (uintptr_t)argument * 7919 + 1;
    void    *kept[32] = { 0 };
    for (unsigned i = 0; i < 20000; i++) {
        void **slot = &kept[next(&seed) % 32];
        if (*slot != NULL)
            ExFreePoolWithTag(*slot, TAG);
        *slot = ExAllocatePool2(pools[next(&seed) % 3], next(&seed) % 5000 + 1, TAG);
    }
    for (unsigned i = 0; i < 32; i++)
        if (kept[i] != NULL)
            ExFreePoolWithTag(kept[i], TAG);
    return NULL;
}

static void threads_share_the_queue(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(ntmm_check());
    ntmm_pool_usage usage;
    assert_true(ntmm_query_tag(TAG, NonPagedPool, &usage));
    assert_int_equal(usage.allocs, usage.frees);
}

static void a_machine_without_tools_hides_nothing(void **state)
{
    (void)state;
    char *body = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
    assert_false(__asan_address_is_poisoned(body + 100));
    ExFreePoolWithTag(body, TAG);
    assert_false(__asan_address_is_poisoned(body));
}

static void the_environment_is_read_strictly(void **state)
{
    (void)state;
    setenv("NTMM_MEMORY_TOOLS", "perhaps", 1);
    assert_true(ntmm_boot(NULL) < 0);
    assert_non_null(strstr(ntmm_error(), "NTMM_MEMORY_TOOLS"));
    setenv("NTMM_MEMORY_TOOLS", "off", 1);
    assert_int_equal(ntmm_boot(NULL), 0);
    a_machine_without_tools_hides_nothing(NULL);
    ntmm_shutdown(NULL);
    unsetenv("NTMM_MEMORY_TOOLS");
}

int main(void)
{
    static ntmm_config plain = { .quiet = true }, small = { .quiet = true, .nonpaged_pool_limit = 300 * PAGE_SIZE },
                       off = { .quiet = true, .no_memory_tools = true };
#define TEST(test, config) cmocka_unit_test_prestate_setup_teardown(test, ntmm_cmocka_setup, ntmm_cmocka_teardown, &config)
    const struct CMUnitTest tests[] = {
        TEST(bytes_belong_to_whom_they_should, plain),
        TEST(a_second_free_is_recognised_while_the_block_lies_still, plain),
        TEST(a_second_free_of_pages_as_well, plain),
        TEST(memory_that_is_short_does_not_lie_still, small),
        TEST(threads_share_the_queue, plain),
        TEST(a_machine_without_tools_hides_nothing, off),
        cmocka_unit_test(the_environment_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
