/*
 * ex_resource.h - ERESOURCE: one writer or many readers, with recursion and queues.
 * A resource is owned by threads, and each owner counts how often it acquired it. Who waits, and for whom:
 *
 *                                   | free | shared by others | the same, a writer waits | exclusive by another
 *     ExAcquireSharedStarveExclusive| yes  | yes              | yes                      | waits
 *     ExAcquireResourceSharedLite   | yes  | yes              | waits (an owner: yes)    | waits
 *     ExAcquireSharedWaitForExclusive yes  | yes              | waits (an owner, too)    | waits
 *     ExAcquireResourceExclusiveLite| yes  | waits            | waits                    | waits
 *
 * Normal kernel APCs must be disabled (KeEnterCriticalRegion) while a resource is owned; only Driver Verifier looks at that.
 *
 * Source  WDK reference: wdm.h, "Introduction to ERESOURCE routines"; Bug Check 0xE3. The structure is opaque to drivers; its size and fields
 *         are those of the public x64 header, so that a driver's own structures around it keep their layout.
 */
#ifndef NTMM_DDK_WDM_EX_RESOURCE_H
#define NTMM_DDK_WDM_EX_RESOURCE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef ULONG_PTR ERESOURCE_THREAD, *PERESOURCE_THREAD;

typedef struct _OWNER_ENTRY {
    ERESOURCE_THREAD OwnerThread; /* 0: the entry is free */
    union {
        struct {
            ULONG IoPriorityBoosted : 1;
            ULONG OwnerReferenced : 1;
            ULONG IoQoSPriorityBoosted : 1;
            ULONG OwnerCount : 29; /* how often this thread acquired it */
        };
        ULONG TableSize; /* in the first entry of an owner table: entries, this one included */
    };
} OWNER_ENTRY, *POWNER_ENTRY;

typedef struct _ERESOURCE {
    LIST_ENTRY   SystemResourcesList;
    POWNER_ENTRY OwnerTable;  /* nonpaged pool; NULL until a second thread shares the resource */
    SHORT        ActiveCount; /* owners */
    union {
        USHORT Flag; /* ResourceOwnedExclusive */
        struct {
            UCHAR ReservedLowFlags;
            UCHAR WaiterPriority;
        };
    };
    PVOID       SharedWaiters;    /* the thread that has waited longest, NULL if none does */
    PVOID       ExclusiveWaiters; /* the same */
    OWNER_ENTRY OwnerEntry;       /* the exclusive owner, or the first of those who share */
    ULONG       ActiveEntries;    /* owners, again */
    ULONG       ContentionCount;  /* acquisitions that had to wait */
    ULONG       NumberOfSharedWaiters;
    ULONG       NumberOfExclusiveWaiters;
    PVOID       Reserved2; /* which boot of the machine initialised it */
    union {
        PVOID     Address;
        ULONG_PTR CreatorBackTraceIndex;
    };
    KSPIN_LOCK SpinLock;
} ERESOURCE, *PERESOURCE;

#define ResourceNeverExclusive 0x10
#define ResourceReleaseByOtherThread 0x20
#define ResourceOwnedExclusive 0x80

/**
 * Make a resource ready for use.
 *
 * @param Resource  storage of sizeof(ERESOURCE), 8-byte aligned, in nonpaged memory; not in use already
 * @return STATUS_SUCCESS
 * @irql   <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, ExInitializeResourceLite
 */
NTKERNELAPI NTSTATUS ExInitializeResourceLite(PERESOURCE Resource);
/**
 * Make an unowned resource as new, keeping the memory it has for its owners.
 *
 * @return STATUS_SUCCESS
 * @irql   <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, ExReinitializeResourceLite
 */
NTKERNELAPI NTSTATUS ExReinitializeResourceLite(PERESOURCE Resource);
/**
 * End a resource: call this before its storage is freed. The memory that it holds for its owners goes back to nonpaged pool; without this call
 * that block, tag "ExRo", is a leak.
 *
 * @return STATUS_SUCCESS
 * @irql   <= APC_LEVEL
 * @source WDK reference: wdm.h, ExDeleteResourceLite
 */
NTKERNELAPI NTSTATUS ExDeleteResourceLite(PERESOURCE Resource);

/**
 * Acquire for writing. Recursive for an exclusive owner; a thread that shares the resource must release it first, or waits for itself.
 *
 * @param Wait  FALSE: return at once when it cannot be had at once
 * @return TRUE: acquired
 * @irql   <= APC_LEVEL
 * @source WDK reference: wdm.h, ExAcquireResourceExclusiveLite
 */
NTKERNELAPI BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
/**
 * Acquire for reading: behind writers who wait, unless the caller is an owner already. An exclusive owner acquires exclusively once more.
 *
 * @param Wait  FALSE: return at once when it cannot be had at once
 * @return TRUE: acquired
 * @irql   <= APC_LEVEL
 * @source WDK reference: wdm.h, ExAcquireResourceSharedLite
 */
NTKERNELAPI BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
/**
 * Acquire for reading, ahead of writers who wait.
 *
 * @param Wait  FALSE: return at once when it cannot be had at once
 * @return TRUE: acquired
 * @irql   <= APC_LEVEL
 * @source WDK reference: wdm.h, ExAcquireSharedStarveExclusive
 */
NTKERNELAPI BOOLEAN ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait);
/**
 * Acquire for reading, behind writers who wait even when the caller shares the resource already: then somebody else must release that share
 * (ExReleaseResourceForThreadLite), or nobody ever goes on.
 *
 * @param Wait  FALSE: return at once when it cannot be had at once
 * @return TRUE: acquired
 * @irql   <= APC_LEVEL
 * @source WDK reference: wdm.h, ExAcquireSharedWaitForExclusive
 */
NTKERNELAPI BOOLEAN ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait);

/**
 * Give back one acquisition of the calling thread.
 *
 * @irql     <= DISPATCH_LEVEL
 * @bugcheck RESOURCE_NOT_OWNED: resource, thread, owner table, 3
 * @source   WDK reference: wdm.h, ExReleaseResourceLite; Bug Check 0xE3
 */
NTKERNELAPI VOID ExReleaseResourceLite(PERESOURCE Resource);
/**
 * Give back one acquisition of another thread.
 *
 * @param ResourceThreadId  what ExGetCurrentResourceThread returned to the thread that acquired it
 * @irql     <= DISPATCH_LEVEL
 * @bugcheck RESOURCE_NOT_OWNED: resource, thread, owner table, 3
 * @source   WDK reference: wdm.h, ExReleaseResourceForThreadLite; Bug Check 0xE3
 */
NTKERNELAPI VOID ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId);

/**
 * The calling thread's ownership becomes that of a pointer, with which ExReleaseResourceForThreadLite then releases it, in whatever thread.
 *
 * @param OwnerPointer  an address in nonpaged memory, with its two lowest bits set
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above; RESOURCE_NOT_OWNED (0xE3) as ExReleaseResourceLite
 * @source    WDK reference: wdm.h, ExSetResourceOwnerPointer
 */
NTKERNELAPI VOID ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer);
/**
 * Turn the caller's exclusive ownership into a shared one; everybody who waits to share it is let in.
 *
 * @irql     <= APC_LEVEL
 * @bugcheck RESOURCE_NOT_OWNED when the caller is not the exclusive owner: resource, thread, owner table, 3 (a choice: undocumented)
 * @source   WDK reference: wdm.h, ExConvertExclusiveToSharedLite
 */
NTKERNELAPI VOID ExConvertExclusiveToSharedLite(PERESOURCE Resource);

/** @return TRUE: the calling thread owns it exclusively  @irql <= DISPATCH_LEVEL */
NTKERNELAPI BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource);
/** @return how often the calling thread acquired it, in either way  @irql <= DISPATCH_LEVEL */
NTKERNELAPI ULONG ExIsResourceAcquiredSharedLite(PERESOURCE Resource);
#define ExIsResourceAcquiredLite ExIsResourceAcquiredSharedLite
/** @return threads that wait to own it exclusively  @irql <= DISPATCH_LEVEL */
NTKERNELAPI ULONG ExGetExclusiveWaiterCount(PERESOURCE Resource);
/** @return threads that wait to share it  @irql <= DISPATCH_LEVEL */
NTKERNELAPI ULONG ExGetSharedWaiterCount(PERESOURCE Resource);
/** @return the name by which resources know the calling thread: the address of its KTHREAD  @irql <= DISPATCH_LEVEL */
NTKERNELAPI ERESOURCE_THREAD ExGetCurrentResourceThread(VOID);

/**
 * KeEnterCriticalRegion and ExAcquireResourceExclusiveLite(Resource, TRUE) in one call.
 *
 * @return a value for the caller's stack traces, not to be used
 * @irql   <= APC_LEVEL
 * @source WDK reference: wdm.h, ExEnterCriticalRegionAndAcquireResourceExclusive
 */
NTKERNELAPI PVOID ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource);
/** The same with ExAcquireResourceSharedLite. */
NTKERNELAPI PVOID ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource);
/** The same with ExAcquireSharedWaitForExclusive. */
NTKERNELAPI PVOID ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE Resource);
/**
 * ExReleaseResourceLite and KeLeaveCriticalRegion in one call.
 *
 * @irql     <= APC_LEVEL (the documented level; ExReleaseResourceLite alone goes up to DISPATCH_LEVEL)
 * @bugcheck RESOURCE_NOT_OWNED: resource, thread, owner table, 3
 * @source   WDK reference: wdm.h, ExReleaseResourceAndLeaveCriticalRegion
 */
NTKERNELAPI VOID ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource);

#ifdef __cplusplus
}
#endif
#endif
