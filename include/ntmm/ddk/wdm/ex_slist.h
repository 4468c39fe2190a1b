/*
 * ex_slist.h - sequenced singly linked lists: a stack that any number of threads push to and pop from without a lock.
 *
 *     header, 16 bytes:   | depth 16 | sequence 48 || first entry 64 |  ->  entry  ->  entry  ->  NULL
 *
 * Push and pop replace the whole header at once, and only if nobody else has done so in between. The sequence grows with each push, so that
 * a list that looks the same again is still told from the one that was read (the ABA problem). The depth counts modulo 65,536.
 *
 * Headers and entries are aligned to 16 bytes. Windows stores an entry's address without its lowest four bits and exchanges headers with an
 * instruction that faults on misaligned ones; here either mistake raises STATUS_DATATYPE_MISALIGNMENT where it is made (choice).
 *
 * These routines touch nothing but header and entries, and work with or without a machine. An entry may be freed as soon as it is popped,
 * even while another thread is about to pop it as well: that thread reads the entry's link, finds the memory or the header changed, and
 * tries again.
 *
 * Source  WDK reference: "Singly and doubly linked lists", SLIST_ENTRY; wdm.h, the page of each routine; winnt.h (the x64 header).
 */
#ifndef NTMM_DDK_WDM_EX_SLIST_H
#define NTMM_DDK_WDM_EX_SLIST_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct DECLSPEC_ALIGN(16) _SLIST_ENTRY {
    struct _SLIST_ENTRY *Next;
} SLIST_ENTRY, *PSLIST_ENTRY;

typedef union DECLSPEC_ALIGN(16) _SLIST_HEADER {
    struct {
        ULONGLONG Alignment;
        ULONGLONG Region; /* the first entry's address, or 0 */
    };
    struct {
        ULONGLONG Depth : 16;
        ULONGLONG Sequence : 48;
        ULONGLONG Reserved : 4;
        ULONGLONG NextEntry : 60; /* the first entry's address divided by 16 */
    } HeaderX64;
    struct {
        ULONGLONG Depth : 16;
        ULONGLONG Sequence : 48;
        ULONGLONG Reserved : 4;
        ULONGLONG NextEntry : 60;
    } HeaderArm64;
} SLIST_HEADER, *PSLIST_HEADER;

NTMM_LAYOUT(sizeof(SLIST_HEADER) == 16 && __alignof__(SLIST_HEADER) == 16, "SLIST_HEADER, x64");
NTMM_LAYOUT(sizeof(SLIST_ENTRY) == 16 && __alignof__(SLIST_ENTRY) == 16 && FIELD_OFFSET(SLIST_ENTRY, Next) == 0, "SLIST_ENTRY, x64");

/**
 * Make an empty list. Depth and sequence are 0.
 *
 * @param ListHead  aligned to 16 bytes, resident
 * @irql            any
 * @bugcheck        KMODE_EXCEPTION_NOT_HANDLED (0x1E) with STATUS_DATATYPE_MISALIGNMENT: not aligned (choice)
 * @source          WDK reference: wdm.h, InitializeSListHead
 */
NTKERNELAPI VOID InitializeSListHead(PSLIST_HEADER ListHead);
#define ExInitializeSListHead InitializeSListHead

/**
 * Put an entry in front.
 *
 * @param ListEntry  aligned to 16 bytes, the list's until it is popped
 * @return           the entry that was first before; NULL: there was none
 * @irql             any
 * @bugcheck         KMODE_EXCEPTION_NOT_HANDLED (0x1E) with STATUS_DATATYPE_MISALIGNMENT: header or entry not aligned (choice)
 * @source           WDK reference: wdm.h, ExInterlockedPushEntrySList, ExpInterlockedPushEntrySList
 */
NTKERNELAPI PSLIST_ENTRY ExpInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry);

/**
 * Take the first entry. Its link stays as it is.
 *
 * @return    the entry; NULL: there is none
 * @irql      any
 * @bugcheck  as the push, for the header
 * @source    WDK reference: wdm.h, ExInterlockedPopEntrySList, ExpInterlockedPopEntrySList
 */
NTKERNELAPI PSLIST_ENTRY ExpInterlockedPopEntrySList(PSLIST_HEADER ListHead);

/**
 * Take all entries, in the order in which they would be popped.
 *
 * @return    the first of them, chained through Next; NULL: there is none
 * @irql      any
 * @bugcheck  as the push, for the header
 * @source    WDK reference: wdm.h, ExInterlockedFlushSList
 */
NTKERNELAPI PSLIST_ENTRY ExpInterlockedFlushSList(PSLIST_HEADER ListHead);

/**
 * The three under the names that drivers use.
 *
 * @param Lock  not used, as on every Windows with lists of this kind; may be NULL
 * @irql        any
 * @source      WDK reference: wdm.h, ExInterlockedPushEntrySList, ExInterlockedPopEntrySList, ExInterlockedFlushSList
 */
NTKERNELAPI PSLIST_ENTRY ExInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry, PKSPIN_LOCK Lock);
NTKERNELAPI PSLIST_ENTRY ExInterlockedPopEntrySList(PSLIST_HEADER ListHead, PKSPIN_LOCK Lock);
NTKERNELAPI PSLIST_ENTRY ExInterlockedFlushSList(PSLIST_HEADER ListHead);
#define InterlockedPushEntrySList(ListHead, ListEntry) ExpInterlockedPushEntrySList((ListHead), (ListEntry))
#define InterlockedPopEntrySList(ListHead) ExpInterlockedPopEntrySList(ListHead)
#define InterlockedFlushSList(ListHead) ExpInterlockedFlushSList(ListHead)

/**
 * How many entries there are, modulo 65,536.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, ExQueryDepthSList
 */
NTKERNELAPI USHORT ExQueryDepthSList(PSLIST_HEADER SListHead);
#define QueryDepthSList(ListHead) ExQueryDepthSList(ListHead)

/**
 * The first entry, which stays where it is and may be gone by the time it is looked at.
 *
 * @return  NULL: there is none
 * @irql    any
 * @source  WDK reference: wdm.h, FirstEntrySList
 */
NTKERNELAPI PSLIST_ENTRY FirstEntrySList(const SLIST_HEADER *SListHead);
#define RtlFirstEntrySList(ListHead) FirstEntrySList(ListHead)

#ifdef __cplusplus
}
#endif
#endif
