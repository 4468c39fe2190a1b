/*
 * table_avl.c - RTL_AVL_TABLE: a balanced tree of the driver's elements.
 * Source      WDK reference: ntddk.h, RtlInitializeGenericTableAvl and the routines that it names.
 * Fidelity    choice: RtlGetElementGenericTableAvl counts in order of the elements, since nothing remembers when they came.
 * Elsewhere   the tree: avl.c.
 */
#include <string.h>

#include <ntddk.h>

#include "rtl/avl.h"

/* In front of the driver's data, which is told that it must not touch the first 32 bytes. */
typedef struct element {
    RTL_BALANCED_LINKS links;
    LONGLONG           data[];
} element_t;
NTMM_LAYOUT(sizeof(element_t) == sizeof(RTL_BALANCED_LINKS), "as documented");

static PVOID data_of(PRTL_BALANCED_LINKS links) { return links != NULL ? ((element_t *)(void *)links)->data : NULL; }

VOID RtlInitializeGenericTableAvl(PRTL_AVL_TABLE Table, PRTL_AVL_COMPARE_ROUTINE CompareRoutine, PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine,
                                  PRTL_AVL_FREE_ROUTINE FreeRoutine, PVOID TableContext)
{
    *Table = (RTL_AVL_TABLE){
        .CompareRoutine = CompareRoutine, .AllocateRoutine = AllocateRoutine, .FreeRoutine = FreeRoutine, .TableContext = TableContext
    };
    Table->BalancedRoot.Parent = &Table->BalancedRoot;
}

static TABLE_SEARCH_RESULT search(PRTL_AVL_TABLE table, PVOID key, PRTL_BALANCED_LINKS *found)
{
    PRTL_BALANCED_LINKS node = table->BalancedRoot.RightChild;

    *found = NULL;
    while (node != NULL) {
        RTL_GENERIC_COMPARE_RESULTS order = table->CompareRoutine(table, key, data_of(node));
        PRTL_BALANCED_LINKS         next = order == GenericLessThan ? node->LeftChild : node->RightChild;
        *found = node;
        if (order == GenericEqual)
            return TableFoundNode;
        if (next == NULL)
            return order == GenericLessThan ? TableInsertAsLeft : TableInsertAsRight;
        node = next;
    }
    return TableEmptyTree;
}

PVOID RtlLookupElementGenericTableFullAvl(PRTL_AVL_TABLE Table, PVOID Buffer, PVOID *NodeOrParent, TABLE_SEARCH_RESULT *SearchResult)
{
    PRTL_BALANCED_LINKS found;

    *SearchResult = search(Table, Buffer, &found);
    *NodeOrParent = found;
    return *SearchResult == TableFoundNode ? data_of(found) : NULL;
}

PVOID RtlLookupElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer)
{
    PRTL_BALANCED_LINKS found;
    return search(Table, Buffer, &found) == TableFoundNode ? data_of(found) : NULL;
}

/* Nothing is known by its number any more. */
static void forget_numbers(PRTL_AVL_TABLE table)
{
    table->OrderedPointer = NULL;
    table->WhichOrderedElement = 0;
}

PVOID RtlInsertElementGenericTableFullAvl(PRTL_AVL_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement, PVOID NodeOrParent,
                                          TABLE_SEARCH_RESULT SearchResult)
{
    element_t *element;

    if (NewElement != NULL)
        *NewElement = FALSE;
    if (SearchResult == TableFoundNode)
        return data_of(NodeOrParent);
    element = Table->AllocateRoutine(Table, BufferSize + (ULONG)sizeof *element);
    if (element == NULL)
        return NULL;
    RtlZeroMemory(element, sizeof *element);
    memcpy(element->data, Buffer, BufferSize);
    Table->DepthOfTree += (ULONG)rtl_avl_insert(&Table->BalancedRoot, SearchResult == TableEmptyTree ? &Table->BalancedRoot : NodeOrParent,
                                                SearchResult == TableInsertAsLeft, &element->links);
    Table->NumberGenericTableElements++;
    forget_numbers(Table);
    if (NewElement != NULL)
        *NewElement = TRUE;
    return element->data;
}

PVOID RtlInsertElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement)
{
    PRTL_BALANCED_LINKS found;
    TABLE_SEARCH_RESULT result = search(Table, Buffer, &found);
    return RtlInsertElementGenericTableFullAvl(Table, Buffer, BufferSize, NewElement, found, result);
}

VOID RtlDeleteElementGenericTableAvlEx(PRTL_AVL_TABLE Table, PVOID NodeOrParent)
{
    PRTL_BALANCED_LINKS node = NodeOrParent;

    if (Table->RestartKey == node)
        Table->RestartKey = rtl_avl_previous(&Table->BalancedRoot, node);
    Table->DepthOfTree += (ULONG)rtl_avl_remove(&Table->BalancedRoot, node);
    Table->NumberGenericTableElements--;
    Table->DeleteCount++;
    forget_numbers(Table);
    Table->FreeRoutine(Table, node);
}

BOOLEAN RtlDeleteElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer)
{
    PRTL_BALANCED_LINKS found;

    if (search(Table, Buffer, &found) != TableFoundNode)
        return FALSE;
    RtlDeleteElementGenericTableAvlEx(Table, found);
    return TRUE;
}

/* ---- in order ---- */

static PRTL_BALANCED_LINKS step(PRTL_AVL_TABLE table, PRTL_BALANCED_LINKS from)
{
    return from == NULL ? rtl_avl_first(&table->BalancedRoot) : rtl_avl_next(&table->BalancedRoot, from);
}

PVOID RtlEnumerateGenericTableAvl(PRTL_AVL_TABLE Table, BOOLEAN Restart)
{
    PRTL_BALANCED_LINKS node = step(Table, Restart ? NULL : Table->RestartKey);

    if (node != NULL || Restart)
        Table->RestartKey = node;
    return data_of(node);
}

PVOID RtlEnumerateGenericTableWithoutSplayingAvl(PRTL_AVL_TABLE Table, PVOID *RestartKey)
{
    PRTL_BALANCED_LINKS node = step(Table, *RestartKey);

    if (node != NULL)
        *RestartKey = node;
    return data_of(node);
}

PVOID RtlLookupFirstMatchingElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, PVOID *RestartKey)
{
    PRTL_BALANCED_LINKS node, before;

    *RestartKey = NULL;
    if (search(Table, Buffer, &node) != TableFoundNode)
        return NULL;
    while ((before = rtl_avl_previous(&Table->BalancedRoot, node)) != NULL &&
           Table->CompareRoutine(Table, Buffer, data_of(before)) == GenericEqual)
        node = before;
    *RestartKey = node;
    return data_of(node);
}

/* Where an enumeration goes on that has only a key: at the element that equals it, or behind that; else at the first one behind the key. */
static PRTL_BALANCED_LINKS start_at_key(PRTL_AVL_TABLE table, PVOID key, bool behind)
{
    PRTL_BALANCED_LINKS node;

    switch (search(table, key, &node)) {
    case TableFoundNode: return behind ? step(table, node) : node;
    case TableInsertAsLeft: return node;
    case TableInsertAsRight: return step(table, node);
    default: return NULL;
    }
}

PVOID RtlEnumerateGenericTableLikeADirectory(PRTL_AVL_TABLE Table, PRTL_AVL_MATCH_FUNCTION MatchFunction, PVOID MatchData, ULONG NextFlag,
                                             PVOID *RestartKey, PULONG DeleteCount, PVOID Buffer)
{
    PRTL_BALANCED_LINKS node = *RestartKey;

    if (node == NULL || *DeleteCount != Table->DeleteCount)
        node = start_at_key(Table, Buffer, NextFlag != 0);
    else if (NextFlag != 0)
        node = step(Table, node);
    for (; node != NULL; node = step(Table, node)) {
        NTSTATUS status = MatchFunction != NULL ? MatchFunction(Table, data_of(node), MatchData) : STATUS_SUCCESS;
        if (status == STATUS_SUCCESS)
            break;
        if (status != STATUS_NO_MATCH) { /* STATUS_NO_MORE_MATCHES */
            node = NULL;
            break;
        }
    }
    if (node != NULL)
        *RestartKey = node;
    *DeleteCount = Table->DeleteCount;
    return data_of(node);
}

/* Steps from where the last call ended, or from the start. WhichOrderedElement is 1 for the first. */
PVOID RtlGetElementGenericTableAvl(PRTL_AVL_TABLE Table, ULONG I)
{
    PRTL_BALANCED_LINKS node = Table->OrderedPointer;
    ULONG               at = Table->WhichOrderedElement, wanted = I + 1;

    if (I == MAXULONG || wanted > Table->NumberGenericTableElements)
        return NULL;
    if (wanted < at) {
        node = NULL;
        at = 0;
    }
    for (; at < wanted; at++)
        node = step(Table, node);
    Table->OrderedPointer = node;
    Table->WhichOrderedElement = wanted;
    return data_of(node);
}

ULONG RtlNumberGenericTableElementsAvl(PRTL_AVL_TABLE Table) { return Table->NumberGenericTableElements; }

BOOLEAN RtlIsGenericTableEmptyAvl(PRTL_AVL_TABLE Table) { return Table->NumberGenericTableElements == 0; }
