/*
 * timer_queue.c - the timers that are set: a heap by due time, and a table that finds a timer's entry.
 *
 *     heap:  [0] is due first; [i] is not due after [2i+1] and [2i+2]          chains: by the timer's address
 *
 * Entries are ours and not the driver's: a timer in memory that has been freed is found out when it expires, and breaks nothing here.
 *
 * Invariants  entry == heap[entry->place]; every entry of the heap is in its timer's chain, once
 * Locks       ke_dispatcher_lock; memory comes from ke_timer_entry_take, which takes it itself.
 */
#include <stdlib.h>

#include "ke/lock.h"
#include "ke/timer.h"
#include "ke/wait.h"

#define CHAINS 256u
#define FIRST_CAPACITY 64u

static ke_timer_entry_t **heap; /* capacity pointers, count of them in use */
static size_t             count, capacity;
static size_t             entries; /* made so far, never more than capacity: so there is room in the heap for all of them */
static ke_timer_entry_t  *chains[CHAINS], *free_entries;
static uint64_t           orders;

static ke_timer_entry_t **chain_of(const KTIMER *timer) { return &chains[((uintptr_t)timer >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 56]; }

void ke_timer_entry_give_locked(ke_timer_entry_t *entry)
{
    entry->next = free_entries;
    free_entries = entry;
}

void ke_timer_queue_boot(void)
{
    while (count > 0)
        ke_timer_entry_give_locked(heap[--count]);
    for (size_t i = 0; i < CHAINS; i++)
        chains[i] = NULL;
}

/* ---- memory ---- */

static bool heap_grow(size_t wanted)
{
    ke_timer_entry_t **larger = calloc(wanted, sizeof *larger), **unused = larger;
    if (larger == NULL)
        return false;
    ke_lock(&ke_dispatcher_lock);
    if (wanted > capacity) {
        for (size_t i = 0; i < count; i++)
            larger[i] = heap[i];
        unused = heap;
        heap = larger;
        capacity = wanted;
    }
    ke_unlock(&ke_dispatcher_lock);
    free(unused);
    return true;
}

static size_t count_entries(int by)
{
    ke_lock(&ke_dispatcher_lock);
    entries += (size_t)by;
    size_t room_wanted = entries > capacity ? 2 * entries + FIRST_CAPACITY : 0;
    ke_unlock(&ke_dispatcher_lock);
    return room_wanted;
}

static ke_timer_entry_t *entry_make(void)
{
    ke_timer_entry_t *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    size_t room_wanted = count_entries(1);
    if (room_wanted == 0 || heap_grow(room_wanted))
        return entry;
    (void)count_entries(-1);
    free(entry);
    return NULL;
}

ke_timer_entry_t *ke_timer_entry_take(void)
{
    ke_lock(&ke_dispatcher_lock);
    ke_timer_entry_t *entry = free_entries;
    if (entry != NULL)
        free_entries = entry->next;
    ke_unlock(&ke_dispatcher_lock);
    return entry != NULL ? entry : entry_make();
}

/* ---- the heap ---- */

static bool is_before(const ke_timer_entry_t *a, const ke_timer_entry_t *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(ke_timer_entry_t *entry, size_t place)
{
    heap[place] = entry;
    entry->place = place;
}

static size_t rise(ke_timer_entry_t *entry, size_t place)
{
    for (; place > 0 && is_before(entry, heap[(place - 1) / 2]); place = (place - 1) / 2)
        put(heap[(place - 1) / 2], place);
    return place;
}

static size_t sink(ke_timer_entry_t *entry, size_t place)
{
    for (size_t child = 2 * place + 1; child < count; child = 2 * place + 1) {
        if (child + 1 < count && is_before(heap[child + 1], heap[child]))
            child++;
        if (!is_before(heap[child], entry))
            break;
        put(heap[child], place);
        place = child;
    }
    return place;
}

/* ---- the queue ---- */

ke_timer_entry_t *ke_timer_queue_find(const KTIMER *timer)
{
    ke_timer_entry_t *entry = *chain_of(timer);
    while (entry != NULL && entry->timer != timer)
        entry = entry->next;
    return entry;
}

ke_timer_entry_t *ke_timer_queue_first(void) { return count > 0 ? heap[0] : NULL; }

void ke_timer_queue_insert(ke_timer_entry_t *entry)
{
    entry->order = ++orders;
    entry->next = *chain_of(entry->timer);
    *chain_of(entry->timer) = entry;
    put(entry, rise(entry, count++));
}

void ke_timer_queue_remove(ke_timer_entry_t *entry)
{
    ke_timer_entry_t **link = chain_of(entry->timer), *last = heap[--count];
    size_t             place = entry->place;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    if (last != entry) {
        place = rise(last, place);
        put(last, sink(last, place));
    }
}

void ke_timer_queue_visit(void (*visit)(void *context, const ke_timer_entry_t *entry), void *context)
{
    for (size_t i = 0; i < count; i++)
        visit(context, heap[i]);
}
