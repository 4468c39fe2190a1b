/*
 * test_mm_frames.c - frames against a model too simple to be wrong: one byte a frame, searched from end to end.
 * Random gets, puts, runs with limits, memory added and removed, on machines of every policy and one to three nodes. After each step the
 * answer is compared with the model's, and mm_check looks at everything. Prints its seed; NTMM_SEED replays it, NTMM_STEPS sets the length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "mm/mm.h"
#include "mm/pfn.h"

#define MODEL_PFNS (((uint64_t)5 << 30) >> PAGE_SHIFT)
#define HELD_MOST 4096u
enum { HOLE, FREE, USED };

typedef struct held { /* what the test holds: a run, or one frame */
    uint64_t first, page_count;
} held_t;

static struct {
    uint64_t             random;
    uint8_t             *frame; /* HOLE, FREE, USED, by PFN */
    uint64_t             free;
    held_t               held[HELD_MOST];
    uint32_t             held_count;
    uint32_t             nodes;
    enum ntmm_run_policy policy;
} model;

static uint64_t next_random(void)
{
    model.random ^= model.random << 13;
    model.random ^= model.random >> 7;
    model.random ^= model.random << 17;
    return model.random;
}
static uint64_t below(uint64_t bound) { return next_random() % bound; }

/* ---- the model ---- */

static void model_set(uint64_t first, uint64_t page_count, uint8_t from, uint8_t to)
{
    for (uint64_t pfn = first; pfn < first + page_count; pfn++) {
        assert_int_equal(model.frame[pfn], from);
        model.frame[pfn] = to;
    }
    if (to == FREE)
        model.free += page_count;
    if (from == FREE)
        model.free -= page_count;
}

static bool suits(const mm_frame_want_t *want, uint64_t first)
{
    uint64_t last = first + want->page_count - 1;
    if (first < want->low || last > want->high || last >= MODEL_PFNS)
        return false;
    if (want->align != 0 && first % want->align != 0)
        return false;
    if (want->boundary != 0 && first / want->boundary != last / want->boundary)
        return false;
    if (want->node != MM_ANY_NODE && (mm_node_of_frame(first) != want->node || mm_node_of_frame(last) != want->node))
        return false;
    return true;
}

static bool model_has_run(const mm_frame_want_t *want)
{
    uint64_t run = 0;
    for (uint32_t i = 0; i < mm_frames.map.range_count; i++) {
        uint64_t base = mm_frames.map.range[i].first_pfn, end = base + mm_frames.map.range[i].page_count;
        run = 0;
        for (uint64_t pfn = base; pfn < end; pfn++) {
            run = model.frame[pfn] == FREE ? run + 1 : 0;
            if (run >= want->page_count && suits(want, pfn + 1 - want->page_count))
                return true;
        }
    }
    return false;
}

static void hold(uint64_t first, uint64_t page_count)
{
    model_set(first, page_count, FREE, USED);
    model.held[model.held_count++] = (held_t){ first, page_count };
}

/* ---- steps ---- */

static void step_get_one(void)
{
    bool zeroed;
    if (model.held_count == HELD_MOST)
        return;
    mm_pfn_number_t pfn = mm_frame_get(model.nodes > 1 && below(2) ? (uint32_t)below(model.nodes) : MM_ANY_NODE, &zeroed);
    assert_int_equal(pfn == MM_PFN_NONE, model.free == 0);
    if (pfn != MM_PFN_NONE)
        hold(pfn, 1);
}

static mm_frame_want_t random_want(void)
{
    uint64_t        most = mm_highest_pfn + 2;
    mm_frame_want_t want = { .page_count = 1 + below(below(4) == 0 ? 300 : 12), .high = UINT64_MAX, .node = MM_ANY_NODE };
    if (below(2)) {
        want.low = below(most);
        want.high = below(8) ? want.low + below(most - want.low + 1) : below(most);
    }
    if (below(4) == 0)
        want.align = (uint64_t)1 << below(7);
    if (below(4) == 0)
        want.boundary = (uint64_t)1 << below(9);
    if (below(4) == 0)
        want.node = (uint32_t)below(model.nodes);
    return want;
}

static void step_get_run(void)
{
    mm_frame_want_t want = random_want();
    if (model.held_count == HELD_MOST)
        return;
    mm_pfn_number_t first = mm_frames_get(&want, NULL);
    if (first != MM_PFN_NONE)
        assert_true(suits(&want, first));
    else if (model.policy != NTMM_RUNS_BUDDY) /* buddy finds less, and says so */
        assert_false(model_has_run(&want));
    if (first != MM_PFN_NONE)
        hold(first, want.page_count);
}

/* All of it, or a part at either end: pools do that with the tail of a run. */
static void step_put(void)
{
    if (model.held_count == 0)
        return;
    uint32_t i = (uint32_t)below(model.held_count);
    held_t  *held = &model.held[i];
    uint64_t part = below(4) ? held->page_count : 1 + below(held->page_count);
    uint64_t first = below(2) ? held->first : held->first + held->page_count - part;
    if (part == 1 && below(2))
        mm_frame_put(first);
    else
        mm_frames_put(first, part);
    model_set(first, part, USED, FREE);
    if (first == held->first)
        held->first += part;
    held->page_count -= part;
    if (held->page_count == 0)
        *held = model.held[--model.held_count];
}

static bool model_all(uint64_t first, uint64_t page_count, uint8_t what)
{
    for (uint64_t pfn = first; pfn < first + page_count; pfn++)
        if (model.frame[pfn] != what)
            return false;
    return true;
}

static void step_change_map(void)
{
    PHYSICAL_ADDRESS start;
    LARGE_INTEGER    bytes;
    uint64_t         at = mm_frames.map.range[below(mm_frames.map.range_count)].first_pfn + below(64);
    uint64_t         first = below(2) && at > 40 ? at - 40 : at, page_count = 1 + below(60);
    start.QuadPart = (LONGLONG)(first << PAGE_SHIFT);
    bytes.QuadPart = (LONGLONG)(page_count << PAGE_SHIFT);
    if (below(2)) {
        NTSTATUS status = MmAddPhysicalMemory(&start, &bytes);
        assert_int_equal(NT_SUCCESS(status), model_all(first, page_count, HOLE));
        if (NT_SUCCESS(status))
            model_set(first, page_count, HOLE, FREE);
    } else {
        bool     possible = model_all(first, page_count, FREE) && page_count < mm_frames.map.page_count; /* the last frame stays */
        NTSTATUS status = MmRemovePhysicalMemory(&start, &bytes);
        assert_int_equal(NT_SUCCESS(status), possible);
        if (NT_SUCCESS(status))
            model_set(first, page_count, FREE, HOLE);
    }
}

static void check_all(uint64_t seed, uint64_t step)
{
    ntmm_memory_usage usage;
    mm_query_frames(&usage);
    if (!mm_check())
        fail_msg("seed %llu, step %llu: %s", (unsigned long long)seed, (unsigned long long)step, ntmm_error());
    assert_int_equal(usage.zeroed + usage.free, model.free);
    assert_int_equal(usage.active, usage.total - model.free);
}

static void play(uint64_t seed, uint64_t steps)
{
    for (uint64_t step = 0; step < steps; step++) {
        uint64_t phase = step / 400 % 2; /* fill, then empty, so that both ends are met */
        uint64_t dice = below(100);
        if (dice < 3)
            step_change_map();
        else if (dice < (phase ? 35u : 20u))
            step_get_one();
        else if (dice < (phase ? 75u : 45u))
            step_get_run();
        else
            step_put();
        if (step % 8 == 0 || dice < 3)
            check_all(seed, step);
    }
}

static void forget_model(void)
{
    while (model.held_count > 0) {
        held_t held = model.held[--model.held_count];
        mm_frames_put(held.first, held.page_count);
        model_set(held.first, held.page_count, USED, FREE);
    }
}

static void run_machine(const ntmm_config *config, uint64_t seed, uint64_t steps)
{
    if (ntmm_boot(config) != 0)
        fail_msg("%s", ntmm_error());
    assert_non_null(ke_thread_ready("test_mm_frames"));
    memset(model.frame, HOLE, MODEL_PFNS);
    model.free = model.held_count = 0;
    model.nodes = mm_frames.node_count;
    model.policy = config->run_policy;
    for (uint32_t i = 0; i < mm_frames.map.range_count; i++)
        model_set(mm_frames.map.range[i].first_pfn, mm_frames.map.range[i].page_count, HOLE, FREE);
    ntmm_memory_usage usage;
    mm_query_frames(&usage); /* the pools may have taken pages already: hold them, so that the model knows */
    uint64_t taken = 0;
    for (uint64_t pfn = 0; pfn <= mm_highest_pfn; pfn++)
        if (model.frame[pfn] == FREE && mm_pfn_entry(pfn)->list == MM_ACTIVE) {
            model_set(pfn, 1, FREE, USED);
            taken++;
        }
    assert_int_equal(taken, usage.active);
    play(seed, steps);
    forget_model();
    check_all(seed, steps);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void frames_agree_with_the_model(void **state)
{
    (void)state;
    static const uint64_t MIB1 = (uint64_t)1 << 20, GIB4 = (uint64_t)4 << 30;
    const char           *seed_text = getenv("NTMM_SEED"), *steps_text = getenv("NTMM_STEPS");
    uint64_t              seed = seed_text != NULL ? strtoull(seed_text, NULL, 0) : host_clock_ns() | 1;
    uint64_t              steps = steps_text != NULL ? strtoull(steps_text, NULL, 0) : 1600;
    print_message("seed %llu\n", (unsigned long long)seed);
    model.random = seed != 0 ? seed : 1;
    model.frame = malloc(MODEL_PFNS);
    assert_non_null(model.frame);
    const ntmm_ram_range pieces[] = { { PAGE_SIZE, 37 * PAGE_SIZE },
                                      { MIB1 - 8 * PAGE_SIZE, 640 * PAGE_SIZE },
                                      { MIB1 * 16, 700 * PAGE_SIZE },
                                      { GIB4 - 9 * PAGE_SIZE, 600 * PAGE_SIZE } };
    for (uint32_t policy = NTMM_RUNS_INDEXED; policy <= NTMM_RUNS_BUDDY; policy++)
        for (uint32_t nodes = 1; nodes <= 3; nodes++) {
            ntmm_config config = {
                .ram = pieces, .ram_ranges = 4, .numa_nodes = nodes, .run_policy = (enum ntmm_run_policy)policy, .quiet = true
            };
            run_machine(&config, seed, steps);
            ntmm_config by_amount = { .physical_memory = MIB1 * 4,
                                      .numa_nodes = nodes,
                                      .run_policy = (enum ntmm_run_policy)policy,
                                      .quiet = true,
                                      .unbacked_ram = nodes == 2 };
            run_machine(&by_amount, seed, steps / 2);
        }
    free(model.frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(frames_agree_with_the_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
