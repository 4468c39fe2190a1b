/*
 * notify_table.h - a driver's routines that are called when something happens: who is registered, who runs just now.
 *
 *     ex_notify_call        every routine in the order of the rows, with no lock held
 *     ex_notify_remove      returns when the routine does not run any more on another thread, so that its driver may go
 *
 * Locks       the table's (leaf).
 */
#ifndef NTMM_EX_NOTIFY_TABLE_H
#define NTMM_EX_NOTIFY_TABLE_H

#include <stdbool.h>

#include <ntddk.h>

#include "ke/lock.h"

#define EX_NOTIFY_ROUTINES 64

typedef struct ex_notify_row {
    PVOID       routine; /* NULL: free */
    uint32_t    kind;    /* the table's owner knows which types of routines there are */
    uint32_t    running; /* calls that have not returned */
    const void *runner;  /* the thread of the last of them: a routine may remove itself */
} ex_notify_row_t;

typedef struct ex_notify_table {
    ke_lock_t       lock;
    ex_notify_row_t rows[EX_NOTIFY_ROUTINES];
} ex_notify_table_t;

void ex_notify_boot(ex_notify_table_t *table); /* nobody is registered */
bool ex_notify_is_there(ex_notify_table_t *table, PVOID routine, uint32_t kind);
bool ex_notify_add(ex_notify_table_t *table, PVOID routine, uint32_t kind);     /* false: the table is full */
bool ex_notify_remove(ex_notify_table_t *table, PVOID routine, uint32_t kinds); /* kinds: one bit each. false: it is not there */
void ex_notify_call(ex_notify_table_t *table, void (*call)(void *context, PVOID routine, uint32_t kind), void *context);

#endif
