/*
 * dma_records.c - the records behind the handles of DMA: adapters, requests, common buffers.
 * They lie in the host's memory, in a row, so that no driver's stray write damages them, and any pointer that a driver passes can be told:
 * it is a record of that kind that somebody has, or it is not. Which kind a record is, and which free one comes next, is written beside them.
 *
 *     sides    | kind next | kind next | ...          records  | 256 bytes | 256 bytes | ...
 *
 * Units       records, numbered from 0.
 * Invariants  a free record is on the list, or has never been used
 * Locks       records_lock, a leaf.
 */
#include <string.h>

#include "hal/dma.h"

#define RECORDS 65536u
#define NONE UINT32_MAX

typedef struct side {
    _Atomic uint32_t kind; /* hal_kind_t */
    uint32_t         next; /* of a free one: the next free one */
} side_t;

static side_t         *sides; /* NULL: none was needed yet; all below by records_lock */
static unsigned char  *records;
static uint32_t        first_free = NONE, used; /* records [0, used) were handed out at least once */
static ke_lock_t       records_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static _Atomic(size_t) ready; /* `records` once it is there, for those who look without the lock */

static bool make_room_locked(void)
{
    if (sides != NULL)
        return true;
    sides = host_tables((size_t)RECORDS * (sizeof(side_t) + HAL_RECORD_BYTES));
    if (sides == NULL)
        return false;
    records = (unsigned char *)(sides + RECORDS);
    atomic_store_explicit(&ready, (size_t)records, memory_order_release);
    return true;
}

static uint32_t take_number_locked(void)
{
    if (!make_room_locked())
        return NONE;
    if (first_free == NONE)
        return used < RECORDS ? used++ : NONE;
    uint32_t number = first_free;
    first_free = sides[number].next;
    return number;
}

void *hal_record_take(hal_kind_t kind)
{
    ke_lock(&records_lock);
    uint32_t number = take_number_locked();
    ke_unlock(&records_lock);
    if (number == NONE)
        return NULL;
    void *record = records + (size_t)number * HAL_RECORD_BYTES;
    memset(record, 0, HAL_RECORD_BYTES);
    atomic_store_explicit(&sides[number].kind, (uint32_t)kind, memory_order_release);
    return record;
}

void hal_record_give(void *record)
{
    uint32_t number = (uint32_t)(((unsigned char *)record - records) / HAL_RECORD_BYTES);
    NTMM_INVARIANT(atomic_exchange(&sides[number].kind, HAL_FREE) != HAL_FREE, "a record is given back once");
    ke_lock(&records_lock);
    sides[number].next = first_free;
    first_free = number;
    ke_unlock(&records_lock);
}

static bool is_place(size_t base, size_t offset)
{
    return base != 0 && offset < (size_t)RECORDS * HAL_RECORD_BYTES && offset % HAL_RECORD_BYTES == 0;
}

bool hal_record_is(const void *record, hal_kind_t kind)
{
    size_t base = atomic_load_explicit(&ready, memory_order_acquire), offset = (size_t)record - base;
    return is_place(base, offset) && atomic_load_explicit(&sides[offset / HAL_RECORD_BYTES].kind, memory_order_acquire) == (uint32_t)kind;
}

bool hal_record_was(const void *record)
{
    size_t base = atomic_load_explicit(&ready, memory_order_acquire);
    return is_place(base, (size_t)record - base);
}

void hal_records_visit(hal_kind_t kind, void (*visit)(void *context, void *record), void *context)
{
    for (uint32_t number = 0; number < used; number++)
        if (atomic_load(&sides[number].kind) == (uint32_t)kind)
            visit(context, records + (size_t)number * HAL_RECORD_BYTES);
}

void hal_records_reset(void)
{
    ke_lock_init(&records_lock, KE_RANK_LEAF);
    atomic_store(&ready, 0);
    if (sides != NULL)
        host_release(sides, (size_t)RECORDS * (sizeof(side_t) + HAL_RECORD_BYTES));
    sides = NULL;
    records = NULL;
    first_free = NONE;
    used = 0;
}
