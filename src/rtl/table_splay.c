/*
 * table_splay.c - RTL_GENERIC_TABLE: a splay tree of the driver's elements, and a list of them in order of insertion.
 * Source      WDK reference: ntddk.h, RtlInitializeGenericTable and the routines that it names.
 * Fidelity    choice: a lookup that finds nothing leaves the tree as it is.
 */
#include <string.h>

#include <ntddk.h>

/* In front of the driver's data, which is told that it must not touch the first 40 bytes. */
typedef struct element {
    RTL_SPLAY_LINKS links;
    LIST_ENTRY      order;
    LONGLONG        data[];
} element_t;
NTMM_LAYOUT(sizeof(element_t) == sizeof(RTL_SPLAY_LINKS) + sizeof(LIST_ENTRY), "as documented");

static element_t *element_of(PRTL_SPLAY_LINKS links) { return (element_t *)(void *)links; }

VOID RtlInitializeGenericTable(PRTL_GENERIC_TABLE Table, PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine,
                               PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine, PRTL_GENERIC_FREE_ROUTINE FreeRoutine, PVOID TableContext)
{
    *Table = (RTL_GENERIC_TABLE){
        .CompareRoutine = CompareRoutine, .AllocateRoutine = AllocateRoutine, .FreeRoutine = FreeRoutine, .TableContext = TableContext
    };
    InitializeListHead(&Table->InsertOrderList);
    Table->OrderedPointer = &Table->InsertOrderList;
}

static TABLE_SEARCH_RESULT search(PRTL_GENERIC_TABLE table, PVOID key, PRTL_SPLAY_LINKS *found)
{
    PRTL_SPLAY_LINKS node = table->TableRoot;

    *found = NULL;
    while (node != NULL) {
        RTL_GENERIC_COMPARE_RESULTS order = table->CompareRoutine(table, key, element_of(node)->data);
        PRTL_SPLAY_LINKS            next = order == GenericLessThan ? node->LeftChild : node->RightChild;
        *found = node;
        if (order == GenericEqual)
            return TableFoundNode;
        if (next == NULL)
            return order == GenericLessThan ? TableInsertAsLeft : TableInsertAsRight;
        node = next;
    }
    return TableEmptyTree;
}

PVOID RtlLookupElementGenericTableFull(PRTL_GENERIC_TABLE Table, PVOID Buffer, PVOID *NodeOrParent, TABLE_SEARCH_RESULT *SearchResult)
{
    PRTL_SPLAY_LINKS found;

    *SearchResult = search(Table, Buffer, &found);
    *NodeOrParent = found;
    if (*SearchResult != TableFoundNode)
        return NULL;
    Table->TableRoot = RtlSplay(found);
    return element_of(found)->data;
}

PVOID RtlLookupElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer)
{
    PVOID               node;
    TABLE_SEARCH_RESULT result;
    return RtlLookupElementGenericTableFull(Table, Buffer, &node, &result);
}

static element_t *new_element(PRTL_GENERIC_TABLE table, PVOID data, ULONG bytes)
{
    element_t *element = table->AllocateRoutine(table, bytes + (ULONG)sizeof *element);

    if (element == NULL)
        return NULL;
    RtlInitializeSplayLinks(&element->links);
    InsertTailList(&table->InsertOrderList, &element->order);
    memcpy(element->data, data, bytes);
    table->NumberGenericTableElements++;
    return element;
}

PVOID RtlInsertElementGenericTableFull(PRTL_GENERIC_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement, PVOID NodeOrParent,
                                       TABLE_SEARCH_RESULT SearchResult)
{
    element_t *element = SearchResult == TableFoundNode ? element_of(NodeOrParent) : new_element(Table, Buffer, BufferSize);

    if (NewElement != NULL)
        *NewElement = SearchResult != TableFoundNode && element != NULL;
    if (element == NULL)
        return NULL;
    if (SearchResult == TableInsertAsLeft)
        RtlInsertAsLeftChild(NodeOrParent, &element->links);
    else if (SearchResult == TableInsertAsRight)
        RtlInsertAsRightChild(NodeOrParent, &element->links);
    Table->TableRoot = RtlSplay(&element->links);
    return element->data;
}

PVOID RtlInsertElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement)
{
    PRTL_SPLAY_LINKS    found;
    TABLE_SEARCH_RESULT result = search(Table, Buffer, &found);
    return RtlInsertElementGenericTableFull(Table, Buffer, BufferSize, NewElement, found, result);
}

BOOLEAN RtlDeleteElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer)
{
    PRTL_SPLAY_LINKS found;

    if (search(Table, Buffer, &found) != TableFoundNode)
        return FALSE;
    Table->TableRoot = RtlDelete(found);
    RemoveEntryList(&element_of(found)->order);
    Table->NumberGenericTableElements--;
    Table->WhichOrderedElement = 0;
    Table->OrderedPointer = &Table->InsertOrderList;
    Table->FreeRoutine(Table, found);
    return TRUE;
}

/* ---- in order ---- */

static PRTL_SPLAY_LINKS first(PRTL_GENERIC_TABLE table)
{
    PRTL_SPLAY_LINKS node = table->TableRoot;
    while (node != NULL && node->LeftChild != NULL)
        node = node->LeftChild;
    return node;
}

PVOID RtlEnumerateGenericTable(PRTL_GENERIC_TABLE Table, BOOLEAN Restart)
{
    PRTL_SPLAY_LINKS node = Restart || Table->TableRoot == NULL ? first(Table) : RtlRealSuccessor(Table->TableRoot);

    if (node == NULL)
        return NULL;
    Table->TableRoot = RtlSplay(node);
    return element_of(node)->data;
}

PVOID RtlEnumerateGenericTableWithoutSplaying(PRTL_GENERIC_TABLE Table, PVOID *RestartKey)
{
    PRTL_SPLAY_LINKS node = *RestartKey == NULL ? first(Table) : RtlRealSuccessor(*RestartKey);

    if (node == NULL)
        return NULL;
    *RestartKey = node;
    return element_of(node)->data;
}

/* Steps from where the last call ended, or from the nearer end. WhichOrderedElement is 1 for the first; 0: the head of the list. */
PVOID RtlGetElementGenericTable(PRTL_GENERIC_TABLE Table, ULONG I)
{
    ULONG at = Table->WhichOrderedElement, wanted = I + 1;

    if (I == MAXULONG || wanted > Table->NumberGenericTableElements)
        return NULL;
    if (wanted < at && wanted <= at / 2) {
        at = 0;
        Table->OrderedPointer = &Table->InsertOrderList;
    } else if (wanted > at && Table->NumberGenericTableElements + 1 - wanted < wanted - at) {
        at = Table->NumberGenericTableElements + 1;
        Table->OrderedPointer = &Table->InsertOrderList;
    }
    for (; at < wanted; at++)
        Table->OrderedPointer = Table->OrderedPointer->Flink;
    for (; at > wanted; at--)
        Table->OrderedPointer = Table->OrderedPointer->Blink;
    Table->WhichOrderedElement = wanted;
    return CONTAINING_RECORD(Table->OrderedPointer, element_t, order)->data;
}

ULONG RtlNumberGenericTableElements(PRTL_GENERIC_TABLE Table) { return Table->NumberGenericTableElements; }

BOOLEAN RtlIsGenericTableEmpty(PRTL_GENERIC_TABLE Table) { return Table->TableRoot == NULL; }
