/*
 * rtl_lists.h - lists that live inside the driver's own structures.
 *
 *     doubly linked, circular: an empty list is a head whose links name itself         singly linked: a head whose Next is NULL
 *
 *        head <----> entry <----> entry                                                head -> entry -> entry -> NULL
 *          ^-----------------------^
 *
 * Every routine that follows a link first asks whether the neighbour at its other end agrees: an entry that was removed twice, inserted while
 * on a list, or written over after it was freed stops the machine where it is noticed (0x139/3), as in drivers built with current headers. A driver that
 * defines NO_KERNEL_LIST_ENTRY_CHECKS goes without.
 *
 * They are inline, synchronise nothing, and work with or without a machine. Any IRQL; at DISPATCH_LEVEL and above the entries must be
 * resident.
 *
 * Source  WDK reference: "Singly and doubly linked lists"; wdm.h, the page of each routine; Bug Check 0x139.
 */
#ifndef NTMM_DDK_WDM_RTL_LISTS_H
#define NTMM_DDK_WDM_RTL_LISTS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The link from `left` to `right` is also one from `right` to `left`. */
FORCEINLINE VOID ntmm_require_link(const LIST_ENTRY *Left, const LIST_ENTRY *Right)
{
#ifdef NO_KERNEL_LIST_ENTRY_CHECKS
    (void)Left;
    (void)Right;
#else
    if (Left->Flink != Right || Right->Blink != Left)
        RtlFailFast(FAST_FAIL_CORRUPT_LIST_ENTRY);
#endif
}

/* Both neighbours know this entry. */
FORCEINLINE VOID RtlpCheckListEntry(const LIST_ENTRY *Entry)
{
    ntmm_require_link(Entry, Entry->Flink);
    ntmm_require_link(Entry->Blink, Entry);
}

/** Make an empty list. @irql any @source WDK reference: wdm.h, InitializeListHead */
FORCEINLINE VOID InitializeListHead(PLIST_ENTRY ListHead) { ListHead->Flink = ListHead->Blink = ListHead; }

/** @return TRUE: nothing but the head. @irql any @source WDK reference: wdm.h, IsListEmpty */
FORCEINLINE BOOLEAN IsListEmpty(const LIST_ENTRY *ListHead) { return (BOOLEAN)(ListHead->Flink == ListHead); }

/**
 * Take an entry out of the list it is on. Its own links stay as they are.
 *
 * @return    TRUE: the list is empty now
 * @irql      any
 * @bugcheck  KERNEL_SECURITY_CHECK_FAILURE 0x3: a neighbour does not know the entry
 * @source    WDK reference: wdm.h, RemoveEntryList
 */
FORCEINLINE BOOLEAN RemoveEntryList(PLIST_ENTRY Entry)
{
    PLIST_ENTRY next = Entry->Flink, previous = Entry->Blink;

    RtlpCheckListEntry(Entry);
    previous->Flink = next;
    next->Blink = previous;
    return (BOOLEAN)(next == previous);
}

/**
 * Take the first entry out.
 *
 * @return    the entry; ListHead itself when the list is empty
 * @irql      any
 * @bugcheck  KERNEL_SECURITY_CHECK_FAILURE 0x3: the links of head, entry and next entry disagree
 * @source    WDK reference: wdm.h, RemoveHeadList
 */
FORCEINLINE PLIST_ENTRY RemoveHeadList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY entry = ListHead->Flink;

    ntmm_require_link(ListHead, entry);
    (void)RemoveEntryList(entry);
    return entry;
}

/** The same at the other end. @irql any @bugcheck as RemoveHeadList @source WDK reference: wdm.h, RemoveTailList */
FORCEINLINE PLIST_ENTRY RemoveTailList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY entry = ListHead->Blink;

    ntmm_require_link(entry, ListHead);
    (void)RemoveEntryList(entry);
    return entry;
}

/**
 * Put an entry in front of all others. What its links were before does not matter.
 *
 * @irql      any
 * @bugcheck  KERNEL_SECURITY_CHECK_FAILURE 0x3: head and first entry disagree
 * @source    WDK reference: wdm.h, InsertHeadList
 */
FORCEINLINE VOID InsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    PLIST_ENTRY next = ListHead->Flink;

    ntmm_require_link(ListHead, next);
    Entry->Flink = next;
    Entry->Blink = ListHead;
    next->Blink = Entry;
    ListHead->Flink = Entry;
}

/** Put an entry behind all others. @irql any @bugcheck as InsertHeadList @source WDK reference: wdm.h, InsertTailList */
FORCEINLINE VOID InsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    PLIST_ENTRY previous = ListHead->Blink;

    ntmm_require_link(previous, ListHead);
    Entry->Flink = ListHead;
    Entry->Blink = previous;
    previous->Flink = Entry;
    ListHead->Blink = Entry;
}

/**
 * Put all entries of a list without a head behind those of another list.
 *
 * @param ListToAppend  its first entry, which becomes an entry of the whole: remove a head before
 * @irql                any
 * @bugcheck            KERNEL_SECURITY_CHECK_FAILURE 0x3: the links around either argument disagree
 * @source              WDK reference: wdm.h, AppendTailList
 */
FORCEINLINE VOID AppendTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListToAppend)
{
    PLIST_ENTRY last = ListHead->Blink, appended_last = ListToAppend->Blink;

    RtlpCheckListEntry(ListHead);
    RtlpCheckListEntry(ListToAppend);
    last->Flink = ListToAppend;
    ListToAppend->Blink = last;
    appended_last->Flink = ListHead;
    ListHead->Blink = appended_last;
}

/** Put an entry in front. @irql any @source WDK reference: wdm.h, PushEntryList */
FORCEINLINE VOID PushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY Entry)
{
    Entry->Next = ListHead->Next;
    ListHead->Next = Entry;
}

/** Take the first entry. @return the entry; NULL: there is none. @irql any @source WDK reference: wdm.h, PopEntryList */
FORCEINLINE PSINGLE_LIST_ENTRY PopEntryList(PSINGLE_LIST_ENTRY ListHead)
{
    PSINGLE_LIST_ENTRY first = ListHead->Next;

    if (first != NULL)
        ListHead->Next = first->Next;
    return first;
}

#ifdef __cplusplus
}
#endif
#endif
