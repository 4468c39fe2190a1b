/*
 * rtl_table.h - generic tables: elements of the driver's own, kept in order by the driver's own comparison.
 * The driver says how two elements compare and where memory comes from; the table copies each element behind a header of links:
 *
 *     RTL_GENERIC_TABLE   a splay tree: what was looked at last is at the root         header: 40 bytes, links and a list in order of insertion
 *     RTL_AVL_TABLE       an AVL tree: two subtrees differ by one level at most        header: 32 bytes
 *
 * With RTL_USE_AVL_TABLES defined the names of the first mean the second. Splay links can also be used on their own, in structures of the
 * driver.
 *
 * @irql as the driver's routines and memory permit; they synchronise nothing, and work without a machine.
 *
 * Source  WDK reference: ntddk.h, the page of each routine; RtlInitializeGenericTable (what headers are).
 */
#ifndef NTMM_DDK_NTDDK_RTL_TABLE_H
#define NTMM_DDK_NTDDK_RTL_TABLE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _TABLE_SEARCH_RESULT { TableEmptyTree, TableFoundNode, TableInsertAsLeft, TableInsertAsRight } TABLE_SEARCH_RESULT;
typedef enum _RTL_GENERIC_COMPARE_RESULTS { GenericLessThan, GenericGreaterThan, GenericEqual } RTL_GENERIC_COMPARE_RESULTS;

/* ---- splay links ---- */

typedef struct _RTL_SPLAY_LINKS {
    struct _RTL_SPLAY_LINKS *Parent, *LeftChild, *RightChild; /* Parent of a root: itself */
} RTL_SPLAY_LINKS, *PRTL_SPLAY_LINKS;
NTMM_LAYOUT(sizeof(RTL_SPLAY_LINKS) == 24, "x64 layout");

#define RtlParent(Links) ((PRTL_SPLAY_LINKS)(Links)->Parent)
#define RtlLeftChild(Links) ((PRTL_SPLAY_LINKS)(Links)->LeftChild)
#define RtlRightChild(Links) ((PRTL_SPLAY_LINKS)(Links)->RightChild)
#define RtlIsRoot(Links) (RtlParent(Links) == (PRTL_SPLAY_LINKS)(Links))
#define RtlIsLeftChild(Links) (RtlLeftChild(RtlParent(Links)) == (PRTL_SPLAY_LINKS)(Links))
#define RtlIsRightChild(Links) (RtlRightChild(RtlParent(Links)) == (PRTL_SPLAY_LINKS)(Links))

/** A tree of one. @source WDK reference: ntddk.h, RtlInitializeSplayLinks */
FORCEINLINE VOID RtlInitializeSplayLinks(PRTL_SPLAY_LINKS Links)
{
    Links->Parent = Links;
    Links->LeftChild = Links->RightChild = NULL;
}
/** Where there is no such child. @source WDK reference: ntddk.h, RtlInsertAsLeftChild, RtlInsertAsRightChild */
FORCEINLINE VOID ntmm_insert_as_left_child(PRTL_SPLAY_LINKS Parent, PRTL_SPLAY_LINKS Child)
{
    Parent->LeftChild = Child;
    Child->Parent = Parent;
}
FORCEINLINE VOID ntmm_insert_as_right_child(PRTL_SPLAY_LINKS Parent, PRTL_SPLAY_LINKS Child)
{
    Parent->RightChild = Child;
    Child->Parent = Parent;
}
#define RtlInsertAsLeftChild(ParentLinks, ChildLinks) \
    ntmm_insert_as_left_child((PRTL_SPLAY_LINKS)(ParentLinks), (PRTL_SPLAY_LINKS)(ChildLinks))
#define RtlInsertAsRightChild(ParentLinks, ChildLinks) \
    ntmm_insert_as_right_child((PRTL_SPLAY_LINKS)(ParentLinks), (PRTL_SPLAY_LINKS)(ChildLinks))

/** Bring a node to the root. @return the root, which is that node @source WDK reference: ntddk.h, RtlSplay */
NTSYSAPI PRTL_SPLAY_LINKS RtlSplay(PRTL_SPLAY_LINKS Links);
/** Take a node out; its parent goes to the root. @return the root; NULL: the tree is empty @source WDK reference: ntddk.h, RtlDelete */
NTSYSAPI PRTL_SPLAY_LINKS RtlDelete(PRTL_SPLAY_LINKS Links);
/** The same without bringing anything to the root. @param Root  changed when that was the node @source WDK reference: RtlDeleteNoSplay */
NTSYSAPI VOID RtlDeleteNoSplay(PRTL_SPLAY_LINKS Links, PRTL_SPLAY_LINKS *Root);
/** The next and the last node in order: in the whole tree, or below this one. @return NULL: there is none
 *  @source WDK reference: ntddk.h, RtlRealSuccessor, RtlRealPredecessor, RtlSubtreeSuccessor, RtlSubtreePredecessor */
NTSYSAPI PRTL_SPLAY_LINKS RtlRealSuccessor(PRTL_SPLAY_LINKS Links);
NTSYSAPI PRTL_SPLAY_LINKS RtlRealPredecessor(PRTL_SPLAY_LINKS Links);
NTSYSAPI PRTL_SPLAY_LINKS RtlSubtreeSuccessor(PRTL_SPLAY_LINKS Links);
NTSYSAPI PRTL_SPLAY_LINKS RtlSubtreePredecessor(PRTL_SPLAY_LINKS Links);

/* ---- tables of splay trees ---- */

struct _RTL_GENERIC_TABLE;
typedef RTL_GENERIC_COMPARE_RESULTS NTAPI RTL_GENERIC_COMPARE_ROUTINE(struct _RTL_GENERIC_TABLE *Table, PVOID FirstStruct,
                                                                      PVOID SecondStruct);
typedef PVOID NTAPI                       RTL_GENERIC_ALLOCATE_ROUTINE(struct _RTL_GENERIC_TABLE *Table, ULONG ByteSize);
typedef VOID NTAPI                        RTL_GENERIC_FREE_ROUTINE(struct _RTL_GENERIC_TABLE *Table, PVOID Buffer);
typedef RTL_GENERIC_COMPARE_ROUTINE      *PRTL_GENERIC_COMPARE_ROUTINE;
typedef RTL_GENERIC_ALLOCATE_ROUTINE     *PRTL_GENERIC_ALLOCATE_ROUTINE;
typedef RTL_GENERIC_FREE_ROUTINE         *PRTL_GENERIC_FREE_ROUTINE;

typedef struct _RTL_GENERIC_TABLE {
    PRTL_SPLAY_LINKS              TableRoot;
    LIST_ENTRY                    InsertOrderList;
    PLIST_ENTRY                   OrderedPointer; /* the element that was asked for by number last */
    ULONG                         WhichOrderedElement;
    ULONG                         NumberGenericTableElements;
    PRTL_GENERIC_COMPARE_ROUTINE  CompareRoutine;
    PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine;
    PRTL_GENERIC_FREE_ROUTINE     FreeRoutine;
    PVOID                         TableContext;
} RTL_GENERIC_TABLE, *PRTL_GENERIC_TABLE;
NTMM_LAYOUT(sizeof(RTL_GENERIC_TABLE) == 72, "x64 layout");

/**
 * An empty table.
 *
 * @param CompareRoutine   gets the driver's data: a key that is looked for, and that of an element
 * @param AllocateRoutine  gets the bytes of header and data together
 * @param FreeRoutine      gets what AllocateRoutine returned
 * @source                 WDK reference: ntddk.h, RtlInitializeGenericTable
 */
NTSYSAPI VOID RtlInitializeGenericTable(PRTL_GENERIC_TABLE Table, PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine,
                                        PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine, PRTL_GENERIC_FREE_ROUTINE FreeRoutine,
                                        PVOID TableContext);
/**
 * Insert a copy of an element, unless there is an equal one.
 *
 * @param NewElement  TRUE: inserted; FALSE: one was there, or there is no memory. May be NULL
 * @return            the data in the table; NULL: AllocateRoutine returned NULL
 * @source            WDK reference: ntddk.h, RtlInsertElementGenericTable
 */
NTSYSAPI PVOID RtlInsertElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement);
/** The same where a lookup by RtlLookupElementGenericTableFull has said where it goes. @source WDK headers: ntddk.h (no page) */
NTSYSAPI PVOID RtlInsertElementGenericTableFull(PRTL_GENERIC_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement,
                                                PVOID NodeOrParent, TABLE_SEARCH_RESULT SearchResult);
/** @return FALSE: there is no such element @source WDK reference: ntddk.h, RtlDeleteElementGenericTable */
NTSYSAPI BOOLEAN RtlDeleteElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer);
/** @return the data of the element that equals Buffer, which goes to the root; NULL: there is none
 *  @source WDK reference: ntddk.h, RtlLookupElementGenericTable */
NTSYSAPI PVOID RtlLookupElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer);
NTSYSAPI PVOID RtlLookupElementGenericTableFull(PRTL_GENERIC_TABLE Table, PVOID Buffer, PVOID *NodeOrParent,
                                                TABLE_SEARCH_RESULT *SearchResult);
/** In order. @param Restart  TRUE: the first; FALSE: the one behind the root, which is the last one returned unless something was looked at
 *  since @return NULL: that was all @source WDK reference: ntddk.h, RtlEnumerateGenericTable */
NTSYSAPI PVOID RtlEnumerateGenericTable(PRTL_GENERIC_TABLE Table, BOOLEAN Restart);
/** In order, the tree staying as it is. @param RestartKey  NULL in it: the first @source WDK reference: ...WithoutSplaying */
NTSYSAPI PVOID RtlEnumerateGenericTableWithoutSplaying(PRTL_GENERIC_TABLE Table, PVOID *RestartKey);
/** @return the data of the element that was inserted as number I of those that are left, from 0 on; NULL: there are not so many
 *  @source WDK reference: ntddk.h, RtlGetElementGenericTable */
NTSYSAPI PVOID   RtlGetElementGenericTable(PRTL_GENERIC_TABLE Table, ULONG I);
NTSYSAPI ULONG   RtlNumberGenericTableElements(PRTL_GENERIC_TABLE Table);
NTSYSAPI BOOLEAN RtlIsGenericTableEmpty(PRTL_GENERIC_TABLE Table);

/* ---- tables of AVL trees ---- */

typedef struct _RTL_BALANCED_LINKS {
    struct _RTL_BALANCED_LINKS *Parent, *LeftChild, *RightChild;
    CHAR                        Balance; /* levels of the right subtree less those of the left: -1, 0, 1 */
    UCHAR                       Reserved[3];
} RTL_BALANCED_LINKS, *PRTL_BALANCED_LINKS;
NTMM_LAYOUT(sizeof(RTL_BALANCED_LINKS) == 32, "x64 layout");

struct _RTL_AVL_TABLE;
typedef RTL_GENERIC_COMPARE_RESULTS NTAPI RTL_AVL_COMPARE_ROUTINE(struct _RTL_AVL_TABLE *Table, PVOID FirstStruct, PVOID SecondStruct);
typedef PVOID NTAPI                       RTL_AVL_ALLOCATE_ROUTINE(struct _RTL_AVL_TABLE *Table, ULONG ByteSize);
typedef VOID NTAPI                        RTL_AVL_FREE_ROUTINE(struct _RTL_AVL_TABLE *Table, PVOID Buffer);
typedef NTSTATUS NTAPI                    RTL_AVL_MATCH_FUNCTION(struct _RTL_AVL_TABLE *Table, PVOID UserData, PVOID MatchData);
typedef RTL_AVL_COMPARE_ROUTINE          *PRTL_AVL_COMPARE_ROUTINE;
typedef RTL_AVL_ALLOCATE_ROUTINE         *PRTL_AVL_ALLOCATE_ROUTINE;
typedef RTL_AVL_FREE_ROUTINE             *PRTL_AVL_FREE_ROUTINE;
typedef RTL_AVL_MATCH_FUNCTION           *PRTL_AVL_MATCH_FUNCTION;

typedef struct _RTL_AVL_TABLE {
    RTL_BALANCED_LINKS        BalancedRoot; /* its right child is the root */
    PVOID                     OrderedPointer;
    ULONG                     WhichOrderedElement;
    ULONG                     NumberGenericTableElements;
    ULONG                     DepthOfTree;
    PRTL_BALANCED_LINKS       RestartKey; /* where RtlEnumerateGenericTableAvl is */
    ULONG                     DeleteCount;
    PRTL_AVL_COMPARE_ROUTINE  CompareRoutine;
    PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine;
    PRTL_AVL_FREE_ROUTINE     FreeRoutine;
    PVOID                     TableContext;
} RTL_AVL_TABLE, *PRTL_AVL_TABLE;
NTMM_LAYOUT(sizeof(RTL_AVL_TABLE) == 104, "x64 layout");

/* As the routines of the same names above. @source WDK reference: ntddk.h, the page of each routine */
NTSYSAPI VOID    RtlInitializeGenericTableAvl(PRTL_AVL_TABLE Table, PRTL_AVL_COMPARE_ROUTINE CompareRoutine,
                                              PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine, PRTL_AVL_FREE_ROUTINE FreeRoutine,
                                              PVOID TableContext);
NTSYSAPI PVOID   RtlInsertElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement);
NTSYSAPI PVOID   RtlInsertElementGenericTableFullAvl(PRTL_AVL_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement,
                                                     PVOID NodeOrParent, TABLE_SEARCH_RESULT SearchResult);
NTSYSAPI BOOLEAN RtlDeleteElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer);
/** @param NodeOrParent  the element, as RtlLookupElementGenericTableFullAvl gave it */
NTSYSAPI VOID  RtlDeleteElementGenericTableAvlEx(PRTL_AVL_TABLE Table, PVOID NodeOrParent);
NTSYSAPI PVOID RtlLookupElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer);
NTSYSAPI PVOID RtlLookupElementGenericTableFullAvl(PRTL_AVL_TABLE Table, PVOID Buffer, PVOID *NodeOrParent,
                                                   TABLE_SEARCH_RESULT *SearchResult);
/** The first of several that equal Buffer. @param RestartKey  for RtlEnumerateGenericTableWithoutSplayingAvl */
NTSYSAPI PVOID RtlLookupFirstMatchingElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, PVOID *RestartKey);
/** In order; deleting the element that was returned last leaves the place. */
NTSYSAPI PVOID RtlEnumerateGenericTableAvl(PRTL_AVL_TABLE Table, BOOLEAN Restart);
NTSYSAPI PVOID RtlEnumerateGenericTableWithoutSplayingAvl(PRTL_AVL_TABLE Table, PVOID *RestartKey);
/**
 * In order, from a place that survives deletions.
 *
 * @param MatchFunction  STATUS_SUCCESS: that one; STATUS_NO_MATCH: go on; STATUS_NO_MORE_MATCHES: stop. NULL: every element fits
 * @param NextFlag       with a RestartKey: whether the element there was seen already. 0: it counts again
 * @param RestartKey     NULL in it: start at Buffer, or behind where it would be; receives the element
 * @param DeleteCount    the table's of the last call: when something was deleted since, the place is looked for by Buffer
 * @return               the data; NULL: that was all
 * @source               WDK reference: ntddk.h, RtlEnumerateGenericTableLikeADirectory
 */
NTSYSAPI PVOID RtlEnumerateGenericTableLikeADirectory(PRTL_AVL_TABLE Table, PRTL_AVL_MATCH_FUNCTION MatchFunction, PVOID MatchData,
                                                      ULONG NextFlag, PVOID *RestartKey, PULONG DeleteCount, PVOID Buffer);
/** The element number I in order (choice: the reference does not say in which), from 0 on; NULL: there are not so many. */
NTSYSAPI PVOID   RtlGetElementGenericTableAvl(PRTL_AVL_TABLE Table, ULONG I);
NTSYSAPI ULONG   RtlNumberGenericTableElementsAvl(PRTL_AVL_TABLE Table);
NTSYSAPI BOOLEAN RtlIsGenericTableEmptyAvl(PRTL_AVL_TABLE Table);

#ifdef RTL_USE_AVL_TABLES
#define RTL_GENERIC_TABLE RTL_AVL_TABLE
#define PRTL_GENERIC_TABLE PRTL_AVL_TABLE
#define RTL_GENERIC_COMPARE_ROUTINE RTL_AVL_COMPARE_ROUTINE
#define RTL_GENERIC_ALLOCATE_ROUTINE RTL_AVL_ALLOCATE_ROUTINE
#define RTL_GENERIC_FREE_ROUTINE RTL_AVL_FREE_ROUTINE
#define PRTL_GENERIC_COMPARE_ROUTINE PRTL_AVL_COMPARE_ROUTINE
#define PRTL_GENERIC_ALLOCATE_ROUTINE PRTL_AVL_ALLOCATE_ROUTINE
#define PRTL_GENERIC_FREE_ROUTINE PRTL_AVL_FREE_ROUTINE
#define RtlInitializeGenericTable RtlInitializeGenericTableAvl
#define RtlInsertElementGenericTable RtlInsertElementGenericTableAvl
#define RtlInsertElementGenericTableFull RtlInsertElementGenericTableFullAvl
#define RtlDeleteElementGenericTable RtlDeleteElementGenericTableAvl
#define RtlLookupElementGenericTable RtlLookupElementGenericTableAvl
#define RtlLookupElementGenericTableFull RtlLookupElementGenericTableFullAvl
#define RtlEnumerateGenericTable RtlEnumerateGenericTableAvl
#define RtlEnumerateGenericTableWithoutSplaying RtlEnumerateGenericTableWithoutSplayingAvl
#define RtlGetElementGenericTable RtlGetElementGenericTableAvl
#define RtlNumberGenericTableElements RtlNumberGenericTableElementsAvl
#define RtlIsGenericTableEmpty RtlIsGenericTableEmptyAvl
#endif

#ifdef __cplusplus
}
#endif
#endif
