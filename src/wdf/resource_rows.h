/*
 * resource_rows.h - descriptors of one size in a row: what lists of resources are made of.
 * Each has a block of its own, with room for the copy that a driver is handed, so that neither moves while others come and go.
 *
 * Locks   rows->lock, for the links and the descriptors; nothing is called while it is held.
 */
#ifndef NTMM_WDF_RESOURCE_ROWS_H
#define NTMM_WDF_RESOURCE_ROWS_H

#include "wdf/object.h"

typedef struct wdf_rows {
    wdf_lock_t lock;
    LIST_ENTRY row;   /* (lock) */
    ULONG      count; /* (lock) */
    ULONG      bytes; /* of a descriptor, at most WDF_ROW_BYTES */
    ULONG      tag;
} wdf_rows_t;
#define WDF_ROW_BYTES 32u

void wdf_rows_init(wdf_rows_t *rows, ULONG bytes, ULONG tag);
void wdf_rows_clear(wdf_rows_t *rows);
/* In front of number `index`; WDF_INSERT_AT_END, or as many as there are: behind the last. STATUS_ARRAY_BOUNDS_EXCEEDED,
 * STATUS_INSUFFICIENT_RESOURCES */
NTSTATUS wdf_rows_insert(wdf_rows_t *rows, ULONG index, const void *descriptor);
ULONG    wdf_rows_count(wdf_rows_t *rows);
void    *wdf_rows_copy(wdf_rows_t *rows, ULONG index); /* NULL: there is none */
bool     wdf_rows_update(wdf_rows_t *rows, ULONG index, const void *descriptor);
bool     wdf_rows_remove(wdf_rows_t *rows, ULONG index);
bool     wdf_rows_remove_same(wdf_rows_t *rows, const void *descriptor); /* the first with these bytes */
/* All of them, one behind the other; there is room for `count`. */
void wdf_rows_store(wdf_rows_t *rows, void *to, ULONG count);

#endif
