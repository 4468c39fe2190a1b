/*
 * ex_interlocked.h - lists and counters changed under a spin lock, with interrupts masked meanwhile.
 * One lock, shared by all calls about one list or counter and used for nothing else, makes each of them atomic to the others, also to those
 * of a service routine. The lock is an ordinary KSPIN_LOCK: taken by a thread that holds it already it is a bug check and not a hang.
 *
 * Interrupts are masked by raising to HIGH_LEVEL for the time of the call. List, entries, counter and lock must be resident: at that level a
 * page fault stops the machine. Mixing these with the plain routines of rtl_lists.h on one list is forbidden, and not noticed.
 *
 * Source  WDK reference: "Singly and doubly linked lists"; wdm.h, the page of each routine.
 */
#ifndef NTMM_DDK_WDM_EX_INTERLOCKED_H
#define NTMM_DDK_WDM_EX_INTERLOCKED_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * InsertHeadList, atomically.
 *
 * @param Lock  the lock of this list
 * @return      the entry that was first before; NULL: there was none
 * @irql        any
 * @bugcheck    KERNEL_SECURITY_CHECK_FAILURE 0x3: head and first entry disagree; SPIN_LOCK_ALREADY_OWNED (0xF): the caller holds the
 *              lock
 * @source      WDK reference: wdm.h, ExInterlockedInsertHeadList
 */
NTKERNELAPI PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock);

/**
 * InsertTailList, atomically.
 *
 * @return    the entry that was last before; NULL: there was none
 * @irql      any
 * @bugcheck  as ExInterlockedInsertHeadList, for head and last entry
 * @source    WDK reference: wdm.h, ExInterlockedInsertTailList
 */
NTKERNELAPI PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock);

/**
 * RemoveHeadList, atomically.
 *
 * @return    the entry; NULL, where RemoveHeadList returns the head, when the list is empty
 * @irql      any
 * @bugcheck  KERNEL_SECURITY_CHECK_FAILURE 0x3: the links of head, entry and next entry disagree; SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, ExInterlockedRemoveHeadList
 */
NTKERNELAPI PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock);

/**
 * PushEntryList, atomically.
 *
 * @return    the entry that was first before; NULL: there was none
 * @irql      any
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, ExInterlockedPushEntryList
 */
NTKERNELAPI PSINGLE_LIST_ENTRY ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry, PKSPIN_LOCK Lock);

/**
 * PopEntryList, atomically.
 *
 * @return    the entry; NULL: there is none
 * @irql      any
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, ExInterlockedPopEntryList
 */
NTKERNELAPI PSINGLE_LIST_ENTRY ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock);

/**
 * Add, wrapping around.
 *
 * @return    the value before
 * @irql      any
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, ExInterlockedAddUlong
 */
NTKERNELAPI ULONG ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock);

/** The same with 64 bits. @return the value before @irql any @bugcheck as ExInterlockedAddUlong
 *  @source WDK reference: wdm.h, ExInterlockedAddLargeInteger */
NTKERNELAPI LARGE_INTEGER ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock);

#ifdef __cplusplus
}
#endif
#endif
