/*
 * test_mm_machine.c - machines of many shapes come up, go down clean, and cost next to nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "mm/machine.h"
#include "mm/pfn.h"

#define PAGE ((uint64_t)PAGE_SIZE)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TAG NTMM_TAG("Mach")

static const PHYSICAL_ADDRESS ANYWHERE = { .QuadPart = -1 }, ZERO = { .QuadPart = 0 };

static void up(const ntmm_config *config)
{
    if (ntmm_boot(config) != 0)
        fail_msg("%s", ntmm_error());
}

static ntmm_memory_usage usage(void)
{
    ntmm_memory_usage out;
    ntmm_query_memory(&out);
    return out;
}

static void every_amount_boots(void **state)
{
    (void)state;
    const uint64_t amounts[] = { MIB(1), MIB(4), MIB(64), MIB(256), GIB(8) };
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        up(&(ntmm_config){ .physical_memory = amounts[i], .quiet = true });
        assert_int_equal(usage().total, amounts[i] / PAGE);
        char *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
        assert_non_null(p);
        memset(p, 0x5A, PAGE_SIZE);
        MmFreeContiguousMemory(p);
        assert_true(ntmm_check());
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

static void one_page_of_ram_is_a_machine(void **state)
{
    (void)state;
    const ntmm_ram_range page = { MIB(1), PAGE };
    up(&(ntmm_config){ .ram = &page, .ram_ranges = 1, .quiet = true });
    assert_int_equal(usage().total, 1);
    assert_int_equal(usage().largest_free_run + usage().active, 1);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* Maps that no firmware makes: every frame of them can be had once, and nothing else. */
static void odd_maps_are_machines(void **state)
{
    static const struct {
        ntmm_ram_range ram[4];
        size_t         ranges;
        uint64_t       pages, in_a_row;
    } maps[] = {
        { { { 0, PAGE } }, 1, 1, 1 },
        { { { 0, PAGE }, { 2 * PAGE, PAGE }, { 4 * PAGE, PAGE } }, 3, 3, 1 },
        { { { 3 * PAGE, 4 * PAGE }, { PAGE, PAGE }, { 2 * PAGE, PAGE } }, 3, 6, 6 },                    /* adjacent, not in order */
        { { { GIB(4) - PAGE, 2 * PAGE }, { MIB(16) - PAGE, 2 * PAGE }, { MIB(1), PAGE } }, 3, 5, 2 },   /* across what preference draws */
        { { { GIB(64), PAGE }, { 0, 2 * PAGE }, { GIB(64) + PAGE, PAGE }, { MIB(8), PAGE } }, 4, 5, 2 } /* far apart: the last */
    };
    size_t count_of_maps = sizeof maps / sizeof maps[0];
    (void)state;
    if (getenv("NTMM_EMULATED") != NULL) /* qemu-user keeps a record of every page of address space that was ever reserved */
        count_of_maps--;
    for (size_t i = 0; i < count_of_maps; i++)
        for (uint32_t policy = NTMM_RUNS_INDEXED; policy <= NTMM_RUNS_BUDDY; policy++) {
            void    *held[8];
            uint64_t count = 0;
            up(&(ntmm_config){
                .ram = maps[i].ram, .ram_ranges = maps[i].ranges, .run_policy = (enum ntmm_run_policy)policy, .quiet = true });
            assert_int_equal(usage().total, maps[i].pages);
            if (policy != NTMM_RUNS_BUDDY) {
                assert_int_equal(usage().largest_free_run, maps[i].in_a_row);
                void *run = MmAllocateContiguousMemory(maps[i].in_a_row * PAGE, ANYWHERE);
                assert_non_null(run);
                memset(run, 0x11, maps[i].in_a_row * PAGE);
                MmFreeContiguousMemory(run);
            }
            assert_null(MmAllocateContiguousMemory((maps[i].in_a_row + 1) * PAGE, ANYWHERE));
            while (count < 8 && (held[count] = MmAllocateContiguousMemory(PAGE, ANYWHERE)) != NULL)
                memset(held[count++], 0x22, PAGE);
            assert_int_equal(count, maps[i].pages);
            assert_true(ntmm_check());
            while (count > 0)
                MmFreeContiguousMemory(held[--count]);
            assert_true(ntmm_check());
            assert_int_equal(ntmm_shutdown(NULL), 0);
        }
}

static void what_cannot_be_built_is_refused(void **state)
{
    (void)state;
    const ntmm_ram_range high = { (uint64_t)1 << 51, MIB(1) };
    assert_int_equal(ntmm_boot(&(ntmm_config){ .ram = &high, .ram_ranges = 1 }), -ENOTSUP);
    assert_non_null(strstr(ntmm_error(), "not built yet"));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .numa_nodes = 65 }), -EINVAL);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .paged_pool_limit = (uint64_t)1 << 60 }), -EINVAL);
    up(NULL); /* a refusal leaves nothing behind */
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* What one machine wrote, no later one finds: not at home, not in the slots, whatever the shape in between. */
static void memory_is_zero_at_every_boot(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 4; round++) {
        up(&(ntmm_config){ .quiet = true, .physical_memory = round == 2 ? 512 * PAGE : 0 });
        static const POOL_FLAGS flags[] = { POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAG_NON_PAGED_EXECUTE };
        unsigned char          *p[3];
        for (uint32_t kind = 0; kind < 3; kind++) {
            p[kind] = ExAllocatePool2(flags[kind] | POOL_FLAG_UNINITIALIZED, 100 * PAGE_SIZE, TAG);
            assert_non_null(p[kind]);
            for (size_t i = 0; i < 100 * PAGE_SIZE; i += 512)
                assert_int_equal(p[kind][i], 0);
            memset(p[kind], 0xE7, 100 * PAGE_SIZE);
        }
        for (uint32_t kind = 0; kind < 3 && round % 2 == 0; kind++)
            ExFreePoolWithTag(p[kind], TAG);
        assert_true(ntmm_check());
        assert_int_equal(ntmm_shutdown(NULL), round % 2 == 0 ? 0 : 3);
    }
}

static void a_thousand_boots_do_not_grow(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        up(&(ntmm_config){ .quiet = true });
        void *p = ExAllocatePool2(POOL_FLAG_PAGED, 9 * PAGE_SIZE, TAG), *n = MmAllocateNonCachedMemory(3 * PAGE_SIZE);
        assert_true(p != NULL && n != NULL);
        memset(p, 1, 9 * PAGE_SIZE);
        memset(n, 1, 3 * PAGE_SIZE);
        if (i % 2 == 0) { /* else both leak */
            ExFreePoolWithTag(p, TAG);
            MmFreeNonCachedMemory(n, 3 * PAGE_SIZE);
        }
        assert_int_equal(ntmm_shutdown(NULL), i % 2 == 0 ? 0 : 2);
        if (i == 100)
            before = host_resident_bytes();
    }
    assert_true(host_resident_bytes() <= before + MIB(1));
}

static void unbacked_ram_has_frames_and_no_bytes(void **state)
{
    (void)state;
    /* qemu-user keeps a record of every page of address space: gigabytes of its own for a terabyte of ours */
    const uint64_t ram = getenv("NTMM_EMULATED") != NULL ? GIB(64) : GIB(1024);
    up(&(ntmm_config){ .physical_memory = ram, .unbacked_ram = true, .quiet = true });
    assert_int_equal(usage().total, ram / PAGE);
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, 9 * PAGE_SIZE, TAG));
    assert_null(MmAllocateNonCachedMemory(PAGE_SIZE));
    assert_non_null(ke_thread_ready("test_mm_machine"));
    mm_frame_want_t want = { .page_count = GIB(1) / PAGE, .low = (ram - GIB(24)) / PAGE, .high = UINT64_MAX, .node = MM_ANY_NODE };
    mm_pfn_number_t first = mm_frames_get(&want, NULL);
    assert_true(first != MM_PFN_NONE);
    mm_frames_put(first, want.page_count);
    assert_int_equal(usage().zeroed + usage().free, ram / PAGE);
    if (mm_physical_map.bytes != 0) { /* addresses, where the host has so many */
        PHYSICAL_ADDRESS high = { .QuadPart = (LONGLONG)GIB(4) - 1 };
        void            *p = MmAllocateContiguousMemory(MIB(2), high);
        assert_non_null(p);
        assert_true((uint64_t)MmGetPhysicalAddress(p).QuadPart + MIB(2) <= GIB(4));
        assert_false(MmIsAddressValid(p));
        MmFreeContiguousMemory(p);
    }
    assert_int_equal(ntmm_shutdown(NULL), 0);
    up(NULL);
    assert_int_equal(usage().total, MIB(64) / PAGE);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void nodes_share_ram_equally(void **state)
{
    (void)state;
    const uint32_t node_counts[] = { 1, 2, 3, 7, 64 };
    for (size_t i = 0; i < sizeof node_counts / sizeof node_counts[0]; i++) {
        uint32_t nodes = node_counts[i];
        up(&(ntmm_config){ .numa_nodes = nodes, .quiet = true });
        uint64_t per_node[64] = { 0 };
        for (uint64_t n = 0; n < mm_frames.map.page_count; n++)
            per_node[mm_node_of_frame(mm_ram_map_nth(&mm_frames.map, n))]++;
        for (uint32_t node = 0; node < nodes; node++)
            assert_in_range(per_node[node], mm_frames.map.page_count / nodes, mm_frames.map.page_count / nodes + 1);
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

/* Each frame has one node, and a node without frames gives none, also where RAM begins at physical address 0. */
static void more_nodes_than_frames(void **state)
{
    (void)state;
    for (uint64_t base = 0; base <= PAGE; base += PAGE)
        for (uint32_t pages = 1; pages <= 3; pages++) {
            const ntmm_ram_range ram = { base, pages * PAGE };
            uint32_t             nodes_with_memory = 0;
            up(&(ntmm_config){ .ram = &ram, .ram_ranges = 1, .numa_nodes = 64, .processors = 64, .quiet = true });
            for (uint32_t node = 0; node < 64; node++) {
                void *p = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, node);
                if (p == NULL)
                    continue;
                assert_int_equal(mm_node_of_frame((mm_pfn_number_t)MmGetPhysicalAddress(p).QuadPart >> PAGE_SHIFT), node);
                assert_null(MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, node));
                MmFreeContiguousMemory(p);
                nodes_with_memory++;
            }
            assert_int_equal(nodes_with_memory, pages);
            void *block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG); /* a frame from a cache, of whatever node */
            assert_true(ntmm_check());
            if (block != NULL)
                ExFreePoolWithTag(block, TAG);
            assert_true(ntmm_check());
            assert_int_equal(ntmm_shutdown(NULL), 0);
        }
}

/* Memory that is added to a machine whose frames are not all looked at by the check: what was free and dirty before still is. */
static void added_memory_keeps_what_is_known_of_the_rest(void **state)
{
    (void)state;
    const enum ntmm_run_policy policies[] = { NTMM_RUNS_INDEXED, NTMM_RUNS_BUDDY };
    for (size_t i = 0; i < 2; i++) {
        up(&(ntmm_config){ .physical_memory = GIB(8) * (PAGE / 4096), .run_policy = policies[i], .unbacked_ram = true, .quiet = true });
        void *p = MmAllocateContiguousMemory(5000 * PAGE, ANYWHERE);
        assert_non_null(p);
        MmFreeContiguousMemory(p);
        PHYSICAL_ADDRESS start = { .QuadPart = (LONGLONG)MIB(15) };
        LARGE_INTEGER    bytes = { .QuadPart = (LONGLONG)MIB(1) };
        assert_true(ntmm_check());
        assert_int_equal(MmAddPhysicalMemory(&start, &bytes), STATUS_SUCCESS);
        if (!ntmm_check())
            fail_msg("%s", ntmm_error());
        p = MmAllocateContiguousMemory(6000 * PAGE, ANYWHERE);
        assert_non_null(p);
        MmFreeContiguousMemory(p);
        assert_int_equal(MmRemovePhysicalMemory(&start, &bytes), STATUS_SUCCESS);
        if (!ntmm_check())
            fail_msg("%s", ntmm_error());
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

static void every_policy_and_memory_kind_boots(void **state)
{
    (void)state;
    for (uint32_t policy = NTMM_RUNS_INDEXED; policy <= NTMM_RUNS_BUDDY; policy++)
        for (uint32_t portable = 0; portable < 2; portable++) {
            up(&(ntmm_config){ .run_policy = (enum ntmm_run_policy)policy, .portable_memory = portable, .quiet = true });
            void *p = MmAllocateContiguousMemory(8 * PAGE_SIZE, ANYWHERE);
            assert_non_null(p);
            memset(p, 1, 8 * PAGE_SIZE);
            assert_true(ntmm_check());
            MmFreeContiguousMemory(p);
            assert_int_equal(ntmm_shutdown(NULL), 0);
        }
}

static void a_forked_child_boots_its_own(void **state)
{
    if (getenv("NTMM_EMULATED") != NULL) /* qemu-user cannot fork with so much address space */
        skip();
    (void)state;
    up(&(ntmm_config){ .quiet = true });
    char *mine = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
    assert_non_null(mine);
    memset(mine, 0x11, PAGE_SIZE);
    pid_t child = fork();
    if (child == 0) {
        if (ntmm_boot(&(ntmm_config){ .quiet = true }) != 0)
            _exit(1);
        char *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
        if (p == NULL || p[0] != 0)
            _exit(2);
        memset(p, 0x22, PAGE_SIZE);
        _exit(ntmm_shutdown(NULL) == 1 ? 0 : 3);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(mine[0], 0x11); /* the child's RAM is another one */
    MmFreeContiguousMemory(mine);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* Both maps show the same bytes; holes between ranges of RAM are in neither. */
static void maps_alias_and_holes_are_not_there(void **state)
{
    (void)state;
    up(&(ntmm_config){ .quiet = true });
    char *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
    assert_non_null(p);
    uint64_t physical = (uint64_t)MmGetPhysicalAddress(p).QuadPart;
    assert_true(mm_in(&mm_executable_map, (uintptr_t)p));
    p[5] = 0x3C;
    assert_int_equal(((char *)(mm_physical_map.base + physical))[5], 0x3C);
    char byte;
    assert_int_equal(host_copy_safely(&byte, (char *)mm_physical_map.base + MIB(15), 1), 0);
    assert_int_equal(host_copy_safely(&byte, (char *)mm_executable_map.base + GIB(4) - PAGE, 1), 0);
    assert_int_equal(host_copy_safely(&byte, (char *)mm_physical_map.base, 1), 0);
    MmFreeContiguousMemory(p);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_amount_boots),
        cmocka_unit_test(one_page_of_ram_is_a_machine),
        cmocka_unit_test(odd_maps_are_machines),
        cmocka_unit_test(what_cannot_be_built_is_refused),
        cmocka_unit_test(memory_is_zero_at_every_boot),
        cmocka_unit_test(a_thousand_boots_do_not_grow),
        cmocka_unit_test(unbacked_ram_has_frames_and_no_bytes),
        cmocka_unit_test(nodes_share_ram_equally),
        cmocka_unit_test(more_nodes_than_frames),
        cmocka_unit_test(added_memory_keeps_what_is_known_of_the_rest),
        cmocka_unit_test(every_policy_and_memory_kind_boots),
        cmocka_unit_test(a_forked_child_boots_its_own),
        cmocka_unit_test(maps_alias_and_holes_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
