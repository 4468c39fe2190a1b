/*
 * avl.h - the balanced tree below RTL_AVL_TABLE: links put in and taken out, and neighbours.
 */
#ifndef NTMM_RTL_AVL_H
#define NTMM_RTL_AVL_H

#include <stdbool.h>

#include <ntddk.h>

/* `head` is the table's BalancedRoot: parent of the root, which is its right child. Both return by how many levels the tree has grown: -1, 0, 1. */
int rtl_avl_insert(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS parent, bool left, PRTL_BALANCED_LINKS node);
int rtl_avl_remove(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS node);

PRTL_BALANCED_LINKS rtl_avl_first(PRTL_BALANCED_LINKS head); /* NULL: the tree is empty */
PRTL_BALANCED_LINKS rtl_avl_next(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS node);
PRTL_BALANCED_LINKS rtl_avl_previous(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS node);

#endif
