/*
 * test_mm_ram_map.c - the layout of RAM: what a config may say, what comes out, and ranges that come and go.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "mm/ram_map.h"

#define PAGE ((uint64_t)PAGE_SIZE)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static mm_ram_map_t map;

static bool has_memory_in(uint64_t low, uint64_t high) /* bytes, [low, high) */
{
    for (uint32_t i = 0; i < map.range_count; i++) {
        uint64_t base = map.range[i].first_pfn << PAGE_SHIFT, end = base + (map.range[i].page_count << PAGE_SHIFT);
        if (base < high && end > low)
            return true;
    }
    return false;
}

static void an_amount_is_laid_out_around_every_boundary(void **state)
{
    (void)state;
    const uint64_t amounts[] = { 0, MIB(1), MIB(4), MIB(64), GIB(1), GIB(16), GIB(1024) };
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        ntmm_config config = { .physical_memory = amounts[i] };
        assert_int_equal(mm_ram_map_build(&map, &config), 0);
        assert_int_equal(map.page_count, (amounts[i] != 0 ? amounts[i] : MIB(64)) / PAGE);
        assert_true(has_memory_in(0, MIB(1)));
        assert_true(has_memory_in(MIB(1), MIB(16)));
        assert_true(has_memory_in(MIB(16), GIB(4)));
        assert_true(has_memory_in(GIB(4), UINT64_MAX));
        assert_false(has_memory_in(0, PAGE));
        assert_false(has_memory_in(MIB(1) * 640 / 1024, MIB(1)));
        assert_false(has_memory_in(MIB(15), MIB(16)));
        assert_false(has_memory_in(GIB(3) + MIB(512), GIB(4)));
    }
}

static void the_smallest_machines_have_memory_at_all(void **state)
{
    (void)state;
    for (uint64_t pages = 1; pages < 40; pages++) {
        ntmm_config config = { .physical_memory = pages * PAGE };
        assert_int_equal(mm_ram_map_build(&map, &config), 0);
        assert_int_equal(map.page_count, pages);
    }
}

static void explicit_ranges_are_sorted_and_merged(void **state)
{
    (void)state;
    const ntmm_ram_range ram[] = { { MIB(2), MIB(1) }, { GIB(4), PAGE }, { PAGE, PAGE }, { MIB(1), MIB(1) }, { MIB(3), MIB(1) } };
    ntmm_config          config = { .ram = ram, .ram_ranges = 5 };
    assert_int_equal(mm_ram_map_build(&map, &config), 0);
    assert_int_equal(map.range_count, 3);
    assert_int_equal(map.range[0].first_pfn, 1);
    assert_int_equal(map.range[1].first_pfn, MIB(1) / PAGE);
    assert_int_equal(map.range[1].page_count, MIB(3) / PAGE);
    assert_int_equal(map.range[2].first_pfn, GIB(4) / PAGE);
    assert_int_equal(map.page_count, MIB(3) / PAGE + 2);
    assert_int_equal(mm_ram_map_highest(&map), GIB(4) / PAGE);
    assert_int_equal(mm_ram_map_nth(&map, 0), 1);
    assert_int_equal(mm_ram_map_nth(&map, 1), MIB(1) / PAGE);
    assert_int_equal(mm_ram_map_nth(&map, map.page_count - 1), GIB(4) / PAGE);
}

static void bad_configs_are_refused_with_a_reason(void **state)
{
    (void)state;
    const ntmm_ram_range empty = { MIB(1), 0 }, odd_base = { MIB(1) + 1, PAGE }, odd_length = { MIB(1), PAGE + 1 };
    const ntmm_ram_range too_high = { (uint64_t)1 << 52, PAGE }, over_the_top = { ((uint64_t)1 << 52) - PAGE, 2 * PAGE },
                         wraps = { UINT64_MAX - PAGE + 1, PAGE };
    const ntmm_ram_range good = { MIB(1), MIB(1) };
    const ntmm_ram_range overlap[] = { { MIB(1), MIB(2) }, { MIB(2), MIB(2) } }, inside[] = { { MIB(1), MIB(9) }, { MIB(2), PAGE } },
                         same[] = { { PAGE, PAGE }, { PAGE, PAGE } };
    const ntmm_config bad[] = {
        { .ram = &empty, .ram_ranges = 1 },
        { .ram = &odd_base, .ram_ranges = 1 },
        { .ram = &odd_length, .ram_ranges = 1 },
        { .ram = &too_high, .ram_ranges = 1 },
        { .ram = &over_the_top, .ram_ranges = 1 },
        { .ram = &wraps, .ram_ranges = 1 },
        { .ram = overlap, .ram_ranges = 2 },
        { .ram = inside, .ram_ranges = 2 },
        { .ram = same, .ram_ranges = 2 },
        { .ram = NULL, .ram_ranges = 1 },
        { .ram = &good, .ram_ranges = 1, .physical_memory = MIB(2) },
        { .physical_memory = PAGE + 1 },
        { .physical_memory = UINT64_MAX - PAGE + 1 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mm_ram_map_build(&map, &bad[i]), -EINVAL);
        assert_true(ntmm_error()[0] != '\0');
    }
    ntmm_config agreed = { .ram = &good, .ram_ranges = 1, .physical_memory = MIB(1) };
    assert_int_equal(mm_ram_map_build(&map, &agreed), 0);
}

static void the_top_of_52_bits_is_a_good_address(void **state)
{
    (void)state;
    const ntmm_ram_range top = { ((uint64_t)1 << 52) - PAGE, PAGE };
    ntmm_config          config = { .ram = &top, .ram_ranges = 1 };
    assert_int_equal(mm_ram_map_build(&map, &config), 0);
    assert_int_equal(mm_ram_map_highest(&map), (((uint64_t)1 << 52) >> PAGE_SHIFT) - 1);
}

static void ranges_come_and_go(void **state)
{
    (void)state;
    map = (mm_ram_map_t){ 0 };
    assert_true(mm_ram_map_add(&map, 100, 100));
    assert_false(mm_ram_map_add(&map, 199, 1));
    assert_false(mm_ram_map_add(&map, 99, 2));
    assert_false(mm_ram_map_add(&map, 0, 300));
    assert_false(mm_ram_map_add(&map, 300, 0));
    assert_true(mm_ram_map_add(&map, 300, 10));
    assert_true(mm_ram_map_add(&map, 200, 100)); /* joins both */
    assert_int_equal(map.range_count, 1);
    assert_int_equal(map.page_count, 210);
    assert_true(mm_ram_map_remove(&map, 150, 10)); /* splits */
    assert_int_equal(map.range_count, 2);
    assert_false(mm_ram_map_contains(&map, 150));
    assert_false(mm_ram_map_contains(&map, 159));
    assert_true(mm_ram_map_contains(&map, 149));
    assert_true(mm_ram_map_contains(&map, 160));
    assert_false(mm_ram_map_remove(&map, 149, 2));
    assert_false(mm_ram_map_remove(&map, 155, 1));
    assert_true(mm_ram_map_remove(&map, 100, 1));
    assert_true(mm_ram_map_remove(&map, 309, 1));
    assert_true(mm_ram_map_remove(&map, 101, 49));
    assert_int_equal(map.range_count, 1);
    assert_int_equal(map.range[0].first_pfn, 160);
    assert_int_equal(map.range[0].page_count, 149);
}

static void a_full_map_refuses_and_stays(void **state)
{
    (void)state;
    map = (mm_ram_map_t){ 0 };
    for (uint64_t i = 0; i < MM_RAM_RANGES_MAX; i++)
        assert_true(mm_ram_map_add(&map, i * 4, 3));
    assert_false(mm_ram_map_add(&map, MM_RAM_RANGES_MAX * 4, 1));
    assert_false(mm_ram_map_remove(&map, 1, 1));
    assert_int_equal(map.page_count, MM_RAM_RANGES_MAX * 3);
    assert_true(mm_ram_map_add(&map, 3, 1)); /* joins, so that there is room again */
    assert_true(mm_ram_map_add(&map, MM_RAM_RANGES_MAX * 4, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_amount_is_laid_out_around_every_boundary),
        cmocka_unit_test(the_smallest_machines_have_memory_at_all),
        cmocka_unit_test(explicit_ranges_are_sorted_and_merged),
        cmocka_unit_test(bad_configs_are_refused_with_a_reason),
        cmocka_unit_test(the_top_of_52_bits_is_a_good_address),
        cmocka_unit_test(ranges_come_and_go),
        cmocka_unit_test(a_full_map_refuses_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
