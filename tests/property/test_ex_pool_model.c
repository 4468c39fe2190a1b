/*
 * test_ex_pool_model.c - where does the next block lie? Random calls against a model of the published rules (pool_model.h), which predicts for
 * every allocation its page, by order of appearance, and its place on it, and after some calls the order of all free lists.
 * Prints its seed; NTMM_SEED replays one; NTMM_OPERATIONS changes how many there are in each test.
 */
#include <ntmm/cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "ex/pool_descriptor.h"
#include "ex/pool_thread.h"
#include "../support/pool_model.h"
#include "../support/pool_model_lookaside.h"
#include "../support/pool_model_magazine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWER 20
#endif
#endif
#ifndef SLOWER
#define SLOWER 1
#endif

#define DEFAULT_OPERATIONS (250000u / SLOWER)
#define LISTS_EVERY 500u
#define CHECK_EVERY 20000u
#define FEW 1500u /* blocks held at most */
#define MANY 9000u
#define TAG NTMM_TAG("Modl")

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config BARE_TIGHT = {
    .quiet = true, .no_magazines = true, .nonpaged_pool_limit = 150 * PAGE_SIZE, .paged_pool_limit = 120 * PAGE_SIZE
};
static const ntmm_config CLASSIC = { .quiet = true, .classic_lookaside = true };
static const ntmm_config CLASSIC_TIGHT = {
    .quiet = true, .classic_lookaside = true, .nonpaged_pool_limit = 150 * PAGE_SIZE, .paged_pool_limit = 120 * PAGE_SIZE
};

static const ntmm_config LARGE = { .quiet = true, .physical_memory = 512ull << 20 };
static const ntmm_config TIGHT = { .quiet = true, .nonpaged_pool_limit = 150 * PAGE_SIZE, .paged_pool_limit = 120 * PAGE_SIZE };

static uint64_t seed, random_state;
static unsigned operations = DEFAULT_OPERATIONS, operation;

static uint64_t roll(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545F4914F6CDD1Dull;
}
static uint32_t below(uint32_t limit) { return (uint32_t)((roll() >> 32) * limit >> 32); }

#define expect(condition, ...) \
    do { \
        if (!(condition)) { \
            print_error("seed %llu, call %u: ", (unsigned long long)seed, operation); \
            fail_msg(__VA_ARGS__); \
        } \
    } while (0)

/* ---- what is held ---- */

typedef struct slot {
    char     *body;
    int       pool;
    bool      is_large;
    m_place_t place;
    m_large_t large;
} slot_t;

static slot_t   slots[MANY];
static unsigned slot_count;

static const POOL_TYPE TYPES[M_POOLS] = { [M_NX] = NonPagedPoolNx, [M_EXECUTE] = NonPagedPool, [M_PAGED] = PagedPool };

/* ---- who serves a request of the model before the descriptors do ---- */

typedef struct front {
    bool (*take)(int pool, unsigned units, m_place_t *place);
    void (*give)(m_place_t place);
    bool (*take_large)(int pool, size_t bytes, m_large_t *large);
    void (*give_large)(int pool, const m_large_t *large, char *address);
} front_t;

static bool nobody_takes(int pool, unsigned units, m_place_t *place) { return m_take(m_descriptor_for(pool), units, 1, true, place) == 1; }
static void plain_give_large(int pool, const m_large_t *large, char *address)
{
    (void)address;
    m_large_give(pool, large);
}
static bool lookaside_take_large(int pool, size_t bytes, m_large_t *large)
{
    if (m_large_take(pool, bytes, large))
        return true;
    ml_give_everything();
    return m_large_take(pool, bytes, large);
}

static const front_t NOBODY = { nobody_takes, m_give, m_large_take, plain_give_large };
static const front_t LOOKASIDE = { ml_take, ml_give, lookaside_take_large, plain_give_large };
static const front_t MAGAZINES = { mz_take, mz_give, mz_take_large, mz_give_large };

static const front_t *front;

/* ---- comparing ---- */

/* The first block of a page that is seen says where that page is; from then on it must stay there. */
static void page_is_at(unsigned number, char *address)
{
    m_page_t *page = &m.page[number];
    if (page->address == NULL) {
        for (unsigned i = 0; i < M_PAGES; i++)
            expect(!m.page[i].live || m.page[i].address != address, "a page of its own was expected, not the one at %p again",
                   (void *)address);
        page->address = address;
    }
    expect(page->address == address, "the block lies on the page at %p, expected on %p", (void *)address, (void *)page->address);
}

static void block_is_at(const slot_t *slot, bool aligned)
{
    unsigned offset = slot->place.unit * (unsigned)M_UNIT + M_HEADER;
    if (aligned)
        offset = (offset + 63) / 64 * 64;
    page_is_at(slot->place.page, PAGE_ALIGN(slot->body));
    expect(BYTE_OFFSET(slot->body) == offset, "the block lies at offset %u, expected at %u", (unsigned)BYTE_OFFSET(slot->body), offset);
    expect(ex_header_of(slot->body)->PoolIndex == m.page[slot->place.page].index, "PoolIndex is %u, expected %d",
           ex_header_of(slot->body)->PoolIndex, m.page[slot->place.page].index);
}

static void list_is_equal(const m_list_t *list, int pool, int index, unsigned units)
{
    const LIST_ENTRY *head = &ex_descriptor_of((mm_pool_t)pool, (unsigned)index)->list[units], *link = head->Flink;
    for (unsigned i = 0; i < list->count; i++, link = link->Flink) {
        const char *expected = m.page[list->at[i].page].address + list->at[i].unit * M_UNIT + M_HEADER;
        expect((const char *)link == expected, "pool %d, descriptor %d, %u units: number %u of the list is %p, expected %p of %u", pool,
               index, units, i, (const void *)link, (const void *)expected, list->count);
    }
    expect(link == head, "pool %d, descriptor %d, %u units: the list is longer than %u", pool, index, units, list->count);
}

static void lists_are_equal(void)
{
    static const mm_pool_t POOLS[M_POOLS] = { [M_NX] = MM_NONPAGED_NX, [M_EXECUTE] = MM_NONPAGED_EXECUTE, [M_PAGED] = MM_PAGED };
    for (int pool = 0; pool < M_POOLS; pool++) {
        for (int index = pool == M_PAGED; index < (pool == M_PAGED ? M_DESCRIPTORS : 1); index++)
            for (unsigned units = 1; units < M_UNITS; units++)
                list_is_equal(&m.descriptor[pool][index].list[units], (int)POOLS[pool], index, units);
        expect(mm_pool_page_count(POOLS[pool]) == m.held[pool], "pool %d has %zu pages, expected %zu", pool,
               (size_t)mm_pool_page_count(POOLS[pool]), (size_t)m.held[pool]);
        expect(ex_pool_out(POOLS[pool]) == m.out[pool], "pool %d has %zu units out, expected %zu", pool, (size_t)ex_pool_out(POOLS[pool]),
               (size_t)m.out[pool]);
    }
}

/* The chain of one magazine, the newest first. What a batch has brought is seen here for the first time. */
static void magazine_is_equal(int pool, unsigned units)
{
    const mm_magazine_t *magazine = mz_blocks(pool, units);
    char                *body = ex_thread_of(ke_self())->blocks[pool][units].head;
    for (unsigned i = magazine->count; i-- > 0; body = *(char **)body) {
        m_place_t place = magazine->at[i].place;
        expect(body != NULL, "pool %d, %u units: the magazine has fewer than %u blocks", pool, units, magazine->count);
        page_is_at(place.page, PAGE_ALIGN(body));
        expect(body == mz_address(place), "pool %d, %u units: a magazine has %p, expected %p", pool, units, (void *)body,
               (void *)mz_address(place));
    }
    expect(body == NULL, "pool %d, %u units: the magazine has more than %u blocks", pool, units, magazine->count);
}

static void magazines_are_equal(void)
{
    const ex_thread_t *own = ex_thread_of(ke_self());
    for (int pool = 0; pool < M_POOLS; pool++)
        for (unsigned units = 1; units < M_UNITS; units++)
            magazine_is_equal(pool, units);
    expect(own->limit - own->room == mz.kept && own->limit == mz.limit, "the thread keeps %td of %td units, expected %lld of %lld",
           own->limit - own->room, own->limit, (long long)mz.kept, (long long)mz.limit);
}

/* ---- calls ---- */

static size_t random_size(void)
{
    static const uint32_t COMMON[] = { 8, 24, 40, 100, 112, 256, 480, 600, 1000, 2030 };
    switch (below(8)) {
    case 0: return below(3 * PAGE_SIZE);
    case 1: return below(PAGE_SIZE + 64);
    case 2: return PAGE_SIZE - below(100);
    case 3:
    case 4: return COMMON[below(sizeof COMMON / sizeof *COMMON)];
    case 5: return below(PAGE_SIZE / 4);
    default: return below(PAGE_SIZE / 16);
    }
}

static void allocate(slot_t *slot)
{
    size_t bytes = random_size(), inside = bytes == 0 ? 1 : bytes;
    bool   aligned = below(16) == 0, expected;
    slot->pool = below(8) < 4 ? M_NX : below(4) == 0 ? M_EXECUTE : M_PAGED;
    slot->is_large = bytes > M_BLOCK_MAX;
    if (slot->is_large || inside + 64 > M_BLOCK_MAX)
        aligned = false;
    slot->body = ExAllocatePoolWithTag((POOL_TYPE)((unsigned)TYPES[slot->pool] | (aligned ? 4u : 0u)), bytes, TAG);
    if (slot->is_large)
        expected = front->take_large(slot->pool, bytes, &slot->large);
    else
        expected = front->take(slot->pool, (unsigned)((inside + (aligned ? 64 : 0) + M_HEADER + M_UNIT - 1) / M_UNIT), &slot->place);
    expect((slot->body != NULL) == expected, "%zu bytes of pool %d were %s", bytes, slot->pool, expected ? "refused" : "given");
    if (slot->body == NULL)
        return;
    if (!slot->is_large)
        block_is_at(slot, aligned);
    if (front == &MAGAZINES && !slot->is_large)
        magazine_is_equal(slot->pool, m_size(slot->place));
    if (slot->is_large && slot->large.address != NULL)
        expect(slot->body == slot->large.address, "the pages lie at %p, expected at %p", (void *)slot->body, (void *)slot->large.address);
    if (slot->is_large && slot->large.shared >= 0)
        page_is_at((unsigned)slot->large.shared, slot->body + (slot->large.pages - 1) * PAGE_SIZE);
    memset(slot->body, 0xA5, bytes);
}

static void release(slot_t *slot)
{
    ExFreePoolWithTag(slot->body, TAG);
    if (slot->is_large)
        front->give_large(slot->pool, &slot->large, slot->body);
    else
        front->give(slot->place);
    slot->body = NULL;
}

static void everything_is_in_order(void)
{
    lists_are_equal();
    if (front == &MAGAZINES)
        magazines_are_equal();
    if (operation % CHECK_EVERY == 0)
        expect(ntmm_check(), "%s", ntmm_error());
}

static void play(const front_t *with, unsigned count)
{
    unsigned held = 0, target = 0;
    front = with;
    slot_count = count;
    memset(slots, 0, sizeof slots);
    random_state = seed;
    for (operation = 0; operation < operations; operation++) {
        if (operation % (2 * slot_count) == 0) /* the number of blocks held rises and falls */
            target = below(slot_count);
        slot_t *slot = &slots[below(slot_count)];
        if (slot->body != NULL && (held > target || below(8) == 0)) {
            release(slot);
            held--;
        } else if (slot->body == NULL && held <= target) {
            allocate(slot);
            held += slot->body != NULL;
        }
        if (operation % LISTS_EVERY == 0)
            everything_is_in_order();
    }
    for (unsigned i = 0; i < slot_count; i++)
        if (slots[i].body != NULL)
            release(&slots[i]);
    operation = 0;
    everything_is_in_order();
}

/* ---- the tests ---- */

static void the_bare_rules(void **state)
{
    (void)state;
    m_boot(UINT64_MAX, UINT64_MAX, 0);
    play(&NOBODY, FEW);
    assert_int_equal(m.held[M_NX] + m.held[M_EXECUTE] + m.held[M_PAGED], 0);
}

static void the_bare_rules_when_memory_is_short(void **state)
{
    (void)state;
    m_boot(150, 120, 0);
    play(&NOBODY, FEW);
    assert_int_equal(m.held[M_NX] + m.held[M_EXECUTE] + m.held[M_PAGED], 0);
}

static void lookaside_lists(void **state)
{
    (void)state;
    m_boot(UINT64_MAX, UINT64_MAX, 0);
    ml_boot();
    play(&LOOKASIDE, FEW);
}

static void lookaside_lists_when_memory_is_short(void **state)
{
    (void)state;
    m_boot(150, 120, 0);
    ml_boot();
    play(&LOOKASIDE, FEW);
}

static void magazines(void **state)
{
    (void)state;
    m_boot(UINT64_MAX, UINT64_MAX, 1);
    mz_boot(mm_pool_limit_pages(MM_NONPAGED_NX));
    play(&MAGAZINES, FEW);
}

static void magazines_of_a_large_pool(void **state)
{
    (void)state;
    m_boot(UINT64_MAX, UINT64_MAX, 1);
    mz_boot(mm_pool_limit_pages(MM_NONPAGED_NX));
    play(&MAGAZINES, MANY);
}

static void magazines_when_memory_is_short(void **state)
{
    (void)state;
    m_boot(150, 120, 1);
    mz_boot(150);
    play(&MAGAZINES, FEW);
}

int main(void)
{
    const char *given = getenv("NTMM_SEED"), *count = getenv("NTMM_OPERATIONS");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&given * 0x9E3779B97F4A7C15ull | 1;
    if (count != NULL && strtoul(count, NULL, 0) >= 50)
        operations = (unsigned)strtoul(count, NULL, 0);
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(the_bare_rules, &BARE),
        ntmm_cmocka_test_config(the_bare_rules_when_memory_is_short, &BARE_TIGHT),
        ntmm_cmocka_test_config(lookaside_lists, &CLASSIC),
        ntmm_cmocka_test_config(lookaside_lists_when_memory_is_short, &CLASSIC_TIGHT),
        ntmm_cmocka_test_config(magazines, &PLAIN),
        ntmm_cmocka_test_config(magazines_of_a_large_pool, &LARGE),
        ntmm_cmocka_test_config(magazines_when_memory_is_short, &TIGHT),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
