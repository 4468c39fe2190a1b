/*
 * allocation_trace.c - a table of call stacks, keyed by the address that was allocated.
 * To take a stack costs about 20 us, so a machine takes only as many as its config says. What was freed stays until its address is used again, so that a double free and a touch after the free can be told from both sides.
 *
 *     address --- hash ---> set of SET_SIZE entries: the one of this address, else an empty one, else the one that was freed longest ago;
 *                           when all are held, the newest allocation has no trace
 *
 * Locks   trace_lock, a leaf, for changes. Readers take none: they run when nothing changes any more, or see a torn entry at worst.
 */
#include "ke/allocation_trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "host/host.h"
#include "ke/lock.h"

#define SET_SIZE 8u
#define SET_COUNT_LOG2 12u
#define SET_COUNT ((size_t)1 << SET_COUNT_LOG2)
#define LIBRARY_FRAMES 12u /* at most so many calls deep inside the library */

typedef struct entry {
    const void *address; /* NULL: empty */
    uint64_t    freed;   /* when, in frees; 0: it is held */
    ke_trace_t  trace;
} entry_t;

bool ke_trace_on;
const void *(*ke_trace_start_of)(uintptr_t address);

static entry_t  *table; /* SET_COUNT sets; made when it is first wanted, and kept */
static bool      table_is_used;
static uint64_t  frees, allocations; /* whose calls were taken */
static uint64_t  most_stacks;
static ke_lock_t trace_lock = KE_LOCK_INIT(KE_RANK_LEAF);

static entry_t *set_of(const void *address)
{
    uint64_t hash = ((uint64_t)(uintptr_t)address >> 4) * 0x9E3779B97F4A7C15u;
    return table + (hash >> (64 - SET_COUNT_LOG2)) * SET_SIZE;
}

static entry_t *entry_of(const void *address)
{
    entry_t *set = set_of(address);
    for (size_t i = 0; i < SET_SIZE; i++)
        if (set[i].address == address)
            return &set[i];
    return NULL;
}

/* For an address that has none yet. */
static entry_t *vacant_entry(const void *address)
{
    entry_t *set = set_of(address), *oldest = NULL;
    for (size_t i = 0; i < SET_SIZE; i++) {
        if (set[i].address == NULL)
            return &set[i];
        if (set[i].freed != 0 && (oldest == NULL || set[i].freed < oldest->freed))
            oldest = &set[i];
    }
    return oldest;
}

/* The driver's calls, without those inside the library. */
static void take_stack(uintptr_t *frames)
{
    void  *all[KE_TRACE_FRAMES + LIBRARY_FRAMES];
    size_t count = host_backtrace(all, NTMM_ARRAY_COUNT(all)), first = 2; /* this function and who asked for it */
    while (first < count && first < LIBRARY_FRAMES && host_is_library_code((uintptr_t)all[first] - 1))
        first++;
    for (size_t i = 0; i < KE_TRACE_FRAMES; i++)
        frames[i] = first + i < count ? (uintptr_t)all[first + i] : 0;
}

int ke_trace_boot(uint32_t most)
{
    bool wanted = most != 0;
    if (table_is_used)
        host_tables_clear(table, SET_COUNT * SET_SIZE * sizeof *table);
    if (wanted && table == NULL)
        table = host_tables(SET_COUNT * SET_SIZE * sizeof *table);
    table_is_used = ke_trace_on = wanted && table != NULL;
    frees = allocations = 0;
    most_stacks = most;
    ke_lock_init(&trace_lock, KE_RANK_LEAF);
    return wanted && table == NULL ? -ENOMEM : 0;
}

/* What was known of the address is no longer true. */
static void forget(const void *address)
{
    ke_lock(&trace_lock);
    entry_t *entry = entry_of(address);
    if (entry != NULL)
        entry->address = NULL;
    ke_unlock(&trace_lock);
}

static bool may_take(const uint64_t *taken) { return __atomic_load_n(taken, __ATOMIC_RELAXED) < most_stacks; }

__attribute__((noinline)) void ke_trace_allocated(const void *address)
{
    ke_trace_t trace = { 0 };
    if (!may_take(&allocations)) {
        forget(address);
        return;
    }
    take_stack(trace.allocated);
    ke_lock(&trace_lock);
    entry_t *entry = entry_of(address);
    entry = entry != NULL ? entry : vacant_entry(address);
    if (entry != NULL)
        *entry = (entry_t){ address, 0, trace };
    __atomic_store_n(&allocations, allocations + 1, __ATOMIC_RELAXED);
    ke_unlock(&trace_lock);
}

__attribute__((noinline)) void ke_trace_freed(const void *address)
{
    ke_trace_t trace;
    if (!may_take(&frees))
        return;
    take_stack(trace.freed);
    ke_lock(&trace_lock);
    entry_t *entry = entry_of(address);
    if (entry != NULL) {
        __atomic_store_n(&frees, frees + 1, __ATOMIC_RELAXED);
        entry->freed = frees;
        memcpy(entry->trace.freed, trace.freed, sizeof trace.freed);
    }
    ke_unlock(&trace_lock);
}

bool ke_trace_find(const void *address, ke_trace_t *out)
{
    const entry_t *entry = table_is_used && address != NULL ? entry_of(address) : NULL;
    if (entry != NULL)
        *out = entry->trace;
    return entry != NULL;
}

/* ---- for people ---- */

typedef struct words {
    char  *text;
    size_t bytes, used;
} words_t;

/* false: not even for the shortest line, so nobody need be asked what it would say. */
static bool has_room(const words_t *words) { return words->bytes - words->used > sizeof "        freed by      x\n"; }

static void add_place(words_t *words, const char *label, uintptr_t pc, const char *source)
{
    char place[160];
    host_describe_address(pc, place, sizeof place);
    int more = snprintf(words->text + words->used, words->bytes - words->used, "        %-12s  %s%s%s\n", label, place,
                        source[0] != '\0' ? "  " : "", source);
    if (more > 0 && (size_t)more < words->bytes - words->used)
        words->used += (size_t)more;
    else
        words->text[words->used] = '\0'; /* no half line */
}

static void add_stack(words_t *words, const char *label, const uintptr_t *frames)
{
    static host_source_line_t lines[KE_TRACE_FRAMES];
    uintptr_t                 pcs[KE_TRACE_FRAMES] = { 0 };
    size_t                    count = 0;
    if (!has_room(words))
        return;
    for (; count < KE_TRACE_FRAMES && frames[count] != 0; count++)
        pcs[count] = frames[count] - 1; /* inside the call */
    host_source_lines(pcs, count, lines);
    for (size_t i = 0; i < count; i++)
        add_place(words, i == 0 ? label : "", pcs[i], lines[i].text);
}

bool ntmm_describe_allocation(const void *address, char *text, size_t bytes)
{
    ke_trace_t trace;
    words_t    words = { text, bytes, 0 };
    if (bytes == 0)
        return false;
    text[0] = '\0';
    if (!ke_trace_find(address, &trace))
        return false;
    add_stack(&words, "allocated by", trace.allocated);
    add_stack(&words, "freed by", trace.freed);
    return true;
}
