/*
 * pool_model.h - the classic pool once more, too simple to be wrong: pages are arrays of units, free lists are arrays of places.
 * It follows the published rules and shares no code with the library, so a test can ask it where the next block will lie: on which page (by
 * order of appearance, never by address), at which unit, and in which order the free lists are.
 *
 *     take    the smallest listed size that is large enough, first of its list. At unit 0 it gives its front, elsewhere its tail; what is left
 *             over goes to the tail of its list, one unit of 16 bytes to none. Nothing listed: a fresh page
 *     give    a free right neighbour joins, then a free left one; a whole page is gone; anything else goes to the head of its list
 *     tail    behind a large allocation: a free block at the head of its list; when the allocation is freed, its part of the page is given
 *
 * Several blocks at once are cut from one free block after the other, in ascending order, as one piece each time.
 */
#ifndef NTMM_TESTS_POOL_MODEL_H
#define NTMM_TESTS_POOL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ntddk.h>

enum { M_NX, M_EXECUTE, M_PAGED, M_POOLS };
enum { M_UNITS = 256, M_UNIT = PAGE_SIZE / M_UNITS, M_HEADER = 16, M_PAGES = 16384, M_DESCRIPTORS = 5 };
enum { M_MIN = (M_HEADER + 16 + M_UNIT - 1) / M_UNIT, M_BLOCK_MAX = 255 * M_UNIT - M_HEADER };
enum { M_FREE, M_TAKEN };

typedef struct m_page {
    bool     live;
    int      pool, index;    /* of the descriptor */
    unsigned first;          /* where its blocks begin: behind the part of a large allocation */
    char    *address;        /* NULL: not seen yet */
    uint8_t  state[M_UNITS]; /* of the block that begins here */
    uint8_t  size[M_UNITS];  /* 0: none begins here */
} m_page_t;

typedef struct m_place {
    uint16_t page, unit;
} m_place_t;

typedef struct m_list {
    m_place_t *at;
    unsigned   count, room;
} m_list_t;

typedef struct m_descriptor {
    int      pool, index;
    m_list_t list[M_UNITS];
} m_descriptor_t;

static struct {
    m_page_t       page[M_PAGES];
    unsigned       unused[M_PAGES], unused_count;
    m_descriptor_t descriptor[M_POOLS][M_DESCRIPTORS];
    uint64_t       held[M_POOLS], limit[M_POOLS]; /* pages; the two nonpaged kinds share theirs */
    uint64_t       out[M_POOLS];                  /* units that are in no free block */
    unsigned       turn;                          /* of the paged descriptors */
    int            paged_home;                    /* the descriptor of a thread with magazines; 0: round robin */
} m;

/* ---- lists ---- */

static void m_list_insert(m_list_t *list, m_place_t place, bool at_tail)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 16 : 2 * list->room;
        list->at = realloc(list->at, list->room * sizeof *list->at);
    }
    if (!at_tail)
        memmove(list->at + 1, list->at, list->count * sizeof *list->at);
    list->at[at_tail ? list->count : 0] = place;
    list->count++;
}

static void m_list_remove(m_list_t *list, m_place_t place)
{
    unsigned i = 0;
    while (list->at[i].page != place.page || list->at[i].unit != place.unit)
        i++;
    memmove(list->at + i, list->at + i + 1, (list->count - i - 1) * sizeof *list->at);
    list->count--;
}

/* ---- pages ---- */

static void m_boot(uint64_t nonpaged_limit, uint64_t paged_limit, int paged_home)
{
    for (unsigned pool = 0; pool < M_POOLS; pool++)
        for (unsigned index = 0; index < M_DESCRIPTORS; index++)
            for (unsigned size = 0; size < M_UNITS; size++)
                free(m.descriptor[pool][index].list[size].at);
    memset(&m, 0, sizeof m);
    for (unsigned i = 0; i < M_PAGES; i++)
        m.unused[m.unused_count++] = M_PAGES - 1 - i;
    for (int pool = 0; pool < M_POOLS; pool++)
        for (int index = 0; index < M_DESCRIPTORS; index++)
            m.descriptor[pool][index].pool = pool, m.descriptor[pool][index].index = index;
    m.limit[M_NX] = m.limit[M_EXECUTE] = nonpaged_limit;
    m.limit[M_PAGED] = paged_limit;
    m.paged_home = paged_home;
}

static bool m_charge(int pool, uint64_t pages)
{
    uint64_t held = pool == M_PAGED ? m.held[M_PAGED] : m.held[M_NX] + m.held[M_EXECUTE];
    if (held + pages > m.limit[pool])
        return false;
    m.held[pool] += pages;
    return true;
}

static unsigned m_page_new(m_descriptor_t *d, unsigned first)
{
    unsigned  number = m.unused[--m.unused_count];
    m_page_t *page = &m.page[number];
    memset(page, 0, sizeof *page);
    page->live = true;
    page->pool = d->pool;
    page->index = d->index;
    page->first = first;
    return number;
}

static void m_page_end(unsigned number)
{
    m.held[m.page[number].pool]--;
    m.page[number].live = false;
    m.unused[m.unused_count++] = number;
}

static m_descriptor_t *m_descriptor_of(m_place_t place) { return &m.descriptor[m.page[place.page].pool][m.page[place.page].index]; }
static unsigned        m_size(m_place_t place) { return m.page[place.page].size[place.unit]; }

static m_descriptor_t *m_descriptor_for(int pool)
{
    if (pool != M_PAGED)
        return &m.descriptor[pool][0];
    return &m.descriptor[M_PAGED][m.paged_home != 0 ? m.paged_home : 1 + (int)(m.turn++ % 4)];
}

static void m_put_block(m_place_t place, unsigned size, unsigned state)
{
    m.page[place.page].size[place.unit] = (uint8_t)size;
    m.page[place.page].state[place.unit] = (uint8_t)state;
}

static void m_put_free(m_descriptor_t *d, m_place_t place, unsigned size, bool at_tail)
{
    m_put_block(place, size, M_FREE);
    if (size >= M_MIN)
        m_list_insert(&d->list[size], place, at_tail);
}

/* ---- take ---- */

static unsigned m_cut(m_descriptor_t *d, m_place_t from, unsigned size, unsigned units, unsigned want, m_place_t *out)
{
    unsigned count = size / units < want ? size / units : want, rest = size - count * units;
    unsigned at = from.unit == 0 ? 0 : from.unit + rest, left = from.unit == 0 ? count * units : from.unit;
    for (unsigned i = 0; i < count; i++) {
        out[i] = (m_place_t){ from.page, (uint16_t)(at + i * units) };
        m_put_block(out[i], units, M_TAKEN);
    }
    m.out[d->pool] += count * units;
    if (rest != 0)
        m_put_free(d, (m_place_t){ from.page, (uint16_t)left }, rest, true);
    return count;
}

static unsigned m_take_from(m_descriptor_t *d, unsigned units, unsigned want, bool grow, m_place_t *out)
{
    unsigned got = 0;
    while (got < want) {
        unsigned size = units;
        while (size < M_UNITS && d->list[size].count == 0)
            size++;
        if (size == M_UNITS)
            break;
        m_place_t place = d->list[size].at[0];
        m_list_remove(&d->list[size], place);
        got += m_cut(d, place, size, units, want - got, out + got);
    }
    while (got < want && grow && m_charge(d->pool, 1))
        got += m_cut(d, (m_place_t){ (uint16_t)m_page_new(d, 0), 0 }, M_UNITS, units, want - got, out + got);
    return got;
}

/* From its own descriptor; when that has none and can get no page, from the others in turn. */
static unsigned m_take(m_descriptor_t *home, unsigned units, unsigned want, bool grow, m_place_t *out)
{
    unsigned got = m_take_from(home, units, want, grow, out);
    for (int step = 1; got == 0 && grow && home->pool == M_PAGED && step < 4; step++)
        got = m_take_from(&m.descriptor[M_PAGED][1 + (home->index - 1 + step) % 4], units, want, true, out);
    return got;
}

/* ---- give ---- */

static void m_free_span(m_place_t place)
{
    m_page_t       *page = &m.page[place.page];
    m_descriptor_t *d = m_descriptor_of(place);
    unsigned        size = page->size[place.unit], right = place.unit + size, left = place.unit;
    if (right < M_UNITS && page->state[right] == M_FREE) {
        if (page->size[right] >= M_MIN)
            m_list_remove(&d->list[page->size[right]], (m_place_t){ place.page, (uint16_t)right });
        size += page->size[right];
        page->size[right] = 0;
    }
    while (left > page->first && (left == place.unit || page->size[left] == 0))
        left--;
    if (left < place.unit && page->state[left] == M_FREE) {
        if (page->size[left] >= M_MIN)
            m_list_remove(&d->list[page->size[left]], (m_place_t){ place.page, (uint16_t)left });
        size += page->size[left];
        page->size[place.unit] = 0;
        place.unit = (uint16_t)left;
    }
    if (size == M_UNITS)
        m_page_end(place.page);
    else
        m_put_free(d, place, size, false);
}

static void m_give(m_place_t place)
{
    m.out[m.page[place.page].pool] -= m_size(place);
    m_free_span(place);
}

/* ---- large allocations ---- */

typedef struct m_large {
    unsigned pages;
    int      shared;  /* the last page, when it has blocks behind the end; else -1 */
    char    *address; /* where it must lie; NULL: anywhere */
} m_large_t;

static unsigned m_end_unit(size_t bytes) { return (unsigned)((bytes % PAGE_SIZE + M_UNIT - 1) / M_UNIT); }
static bool     m_has_tail(size_t bytes) { return m_end_unit(bytes) != 0 && m_end_unit(bytes) <= M_UNITS - M_MIN; }

static bool m_large_take(int pool, size_t bytes, m_large_t *large)
{
    unsigned units = m_end_unit(bytes);
    *large = (m_large_t){ .pages = (unsigned)((bytes + PAGE_SIZE - 1) / PAGE_SIZE), .shared = -1 };
    if (!m_charge(pool, large->pages))
        return false;
    if (m_has_tail(bytes)) {
        m_descriptor_t *d = m_descriptor_for(pool);
        large->shared = (int)m_page_new(d, units);
        m_put_free(d, (m_place_t){ (uint16_t)large->shared, (uint16_t)units }, M_UNITS - units, false);
    }
    return true;
}

static void m_large_give(int pool, const m_large_t *large)
{
    m.held[pool] -= large->pages - (large->shared >= 0);
    if (large->shared < 0)
        return;
    m_place_t front = { (uint16_t)large->shared, 0 };
    m_put_block(front, m.page[large->shared].first, M_TAKEN);
    m.page[large->shared].first = 0;
    m_free_span(front);
}

#endif
