/*
 * notify_table.c - a table of routines to be called, and the wait for one that is removed while it runs.
 *
 *     free --add--> there --call--> running + 1 --returned--> running - 1
 *      ^              `--remove--> free at once for new calls; who removes waits until `running` is 0, unless it is the routine itself
 *
 * Locks       the table's (leaf); routines run without it.
 * Source      WDK reference: ntddk.h, PsRemoveCreateThreadNotifyRoutine, PsRemoveLoadImageNotifyRoutine.
 */
#include "ex/notify_table.h"

#include <string.h>

#include "ke/bugcheck.h"
#include "ke/thread.h"

#define POLL_NS 100000u

void ex_notify_boot(ex_notify_table_t *table)
{
    ke_lock_init(&table->lock, KE_RANK_LEAF);
    memset(table->rows, 0, sizeof table->rows);
}

static ex_notify_row_t *find_locked(ex_notify_table_t *table, PVOID routine, uint32_t kinds)
{
    for (size_t i = 0; i < EX_NOTIFY_ROUTINES; i++)
        if (table->rows[i].routine == routine && (kinds >> table->rows[i].kind & 1) != 0)
            return &table->rows[i];
    return NULL;
}

/* Nobody is in it, and no call of whoever was in it before goes on. */
static ex_notify_row_t *find_free_locked(ex_notify_table_t *table)
{
    for (size_t i = 0; i < EX_NOTIFY_ROUTINES; i++)
        if (table->rows[i].routine == NULL && table->rows[i].running == 0)
            return &table->rows[i];
    return NULL;
}

bool ex_notify_is_there(ex_notify_table_t *table, PVOID routine, uint32_t kind)
{
    ke_lock(&table->lock);
    bool there = find_locked(table, routine, 1u << kind) != NULL;
    ke_unlock(&table->lock);
    return there;
}

bool ex_notify_add(ex_notify_table_t *table, PVOID routine, uint32_t kind)
{
    ke_lock(&table->lock);
    ex_notify_row_t *row = find_free_locked(table);
    if (row != NULL)
        *row = (ex_notify_row_t){ .routine = routine, .kind = kind };
    ke_unlock(&table->lock);
    return row != NULL;
}

static bool runs_elsewhere(ex_notify_table_t *table, const ex_notify_row_t *row)
{
    ke_lock(&table->lock);
    bool runs = row->running > 1 || (row->running == 1 && row->runner != ke_self());
    ke_unlock(&table->lock);
    return runs;
}

bool ex_notify_remove(ex_notify_table_t *table, PVOID routine, uint32_t kinds)
{
    ke_lock(&table->lock);
    ex_notify_row_t *row = find_locked(table, routine, kinds);
    if (row != NULL)
        row->routine = NULL;
    ke_unlock(&table->lock);
    while (row != NULL && runs_elsewhere(table, row)) {
        ke_wait_poll();
        host_sleep_ns(POLL_NS);
    }
    return row != NULL;
}

static PVOID begin(ex_notify_table_t *table, ex_notify_row_t *row, uint32_t *kind)
{
    ke_lock(&table->lock);
    PVOID routine = row->routine;
    *kind = row->kind;
    if (routine != NULL) {
        row->running++;
        row->runner = ke_self();
    }
    ke_unlock(&table->lock);
    return routine;
}

static void end(ex_notify_table_t *table, ex_notify_row_t *row)
{
    ke_lock(&table->lock);
    row->running--;
    ke_unlock(&table->lock);
}

void ex_notify_call(ex_notify_table_t *table, void (*call)(void *context, PVOID routine, uint32_t kind), void *context)
{
    for (size_t i = 0; i < EX_NOTIFY_ROUTINES; i++) {
        uint32_t kind;
        PVOID    routine = begin(table, &table->rows[i], &kind);
        if (routine == NULL)
            continue;
        uint8_t depth = ke_thread_step_out();
        call(context, routine, kind);
        ke_thread_step_in(depth);
        end(table, &table->rows[i]);
    }
}
