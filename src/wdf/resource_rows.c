/*
 * resource_rows.c - descriptors in a row.
 *
 *     rows -- node -- node -- node          node: | links | descriptor | the copy that a driver was handed |
 */
#include "wdf/resource_rows.h"

#include <string.h>

typedef struct node {
    LIST_ENTRY link;
    _Alignas(8) unsigned char descriptor[WDF_ROW_BYTES];
    _Alignas(8) unsigned char copy[WDF_ROW_BYTES];
} node_t;

void wdf_rows_init(wdf_rows_t *rows, ULONG bytes, ULONG tag)
{
    InitializeListHead(&rows->row);
    rows->bytes = bytes;
    rows->tag = tag;
}

void wdf_rows_clear(wdf_rows_t *rows)
{
    while (wdf_rows_remove(rows, 0))
        ;
}

static node_t *node_at_locked(const wdf_rows_t *rows, ULONG index)
{
    for (PLIST_ENTRY entry = rows->row.Flink; entry != &rows->row; entry = entry->Flink)
        if (index-- == 0)
            return CONTAINING_RECORD(entry, node_t, link);
    return NULL;
}

NTSTATUS wdf_rows_insert(wdf_rows_t *rows, ULONG index, const void *descriptor)
{
    node_t *node = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *node, rows->tag);
    if (node == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(node->descriptor, descriptor, rows->bytes);
    wdf_lock(&rows->lock);
    bool    at_end = index == WDF_INSERT_AT_END || index == rows->count;
    node_t *behind = at_end ? NULL : node_at_locked(rows, index);
    bool    is_inside = at_end || behind != NULL;
    if (is_inside) {
        InsertTailList(at_end ? &rows->row : &behind->link, &node->link);
        rows->count++;
    }
    wdf_unlock(&rows->lock);
    if (!is_inside)
        ExFreePool(node);
    return is_inside ? STATUS_SUCCESS : STATUS_ARRAY_BOUNDS_EXCEEDED;
}

ULONG wdf_rows_count(wdf_rows_t *rows)
{
    wdf_lock(&rows->lock);
    ULONG count = rows->count;
    wdf_unlock(&rows->lock);
    return count;
}

void *wdf_rows_copy(wdf_rows_t *rows, ULONG index)
{
    wdf_lock(&rows->lock);
    node_t *node = node_at_locked(rows, index);
    if (node != NULL)
        memcpy(node->copy, node->descriptor, rows->bytes);
    wdf_unlock(&rows->lock);
    return node != NULL ? node->copy : NULL;
}

bool wdf_rows_update(wdf_rows_t *rows, ULONG index, const void *descriptor)
{
    wdf_lock(&rows->lock);
    node_t *node = node_at_locked(rows, index);
    if (node != NULL)
        memcpy(node->descriptor, descriptor, rows->bytes);
    wdf_unlock(&rows->lock);
    return node != NULL;
}

static bool unlink_and_unlock(wdf_rows_t *rows, node_t *node)
{
    if (node != NULL) {
        RemoveEntryList(&node->link);
        rows->count--;
    }
    wdf_unlock(&rows->lock);
    if (node != NULL)
        ExFreePool(node);
    return node != NULL;
}

bool wdf_rows_remove(wdf_rows_t *rows, ULONG index)
{
    wdf_lock(&rows->lock);
    return unlink_and_unlock(rows, node_at_locked(rows, index));
}

bool wdf_rows_remove_same(wdf_rows_t *rows, const void *descriptor)
{
    node_t *node = NULL;
    wdf_lock(&rows->lock);
    for (PLIST_ENTRY entry = rows->row.Flink; entry != &rows->row && node == NULL; entry = entry->Flink)
        if (memcmp(CONTAINING_RECORD(entry, node_t, link)->descriptor, descriptor, rows->bytes) == 0)
            node = CONTAINING_RECORD(entry, node_t, link);
    return unlink_and_unlock(rows, node);
}

void wdf_rows_store(wdf_rows_t *rows, void *to, ULONG count)
{
    unsigned char *at = to;
    wdf_lock(&rows->lock);
    for (PLIST_ENTRY entry = rows->row.Flink; entry != &rows->row && count != 0; entry = entry->Flink, count--, at += rows->bytes)
        memcpy(at, CONTAINING_RECORD(entry, node_t, link)->descriptor, rows->bytes);
    wdf_unlock(&rows->lock);
}
