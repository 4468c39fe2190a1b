/*
 * io_remove_lock.h - remove locks: who works with a device holds its lock, and who removes it waits until nobody does.
 *
 *     IoInitializeRemoveLock (AddDevice) --> IoAcquireRemoveLock, IoReleaseRemoveLock (each IRP) ... --> IRP_MN_REMOVE_DEVICE:
 *     IoAcquireRemoveLock, IoReleaseRemoveLockAndWait: later acquires say STATUS_DELETE_PENDING
 *
 * A driver that is compiled with DBG defined as 1 has a longer structure, and each holder is remembered with tag, file and line, as in a checked
 * build.
 *
 * Source  WDK reference: wdm.h, "Using Remove Locks", the page of each macro.
 */
#ifndef NTMM_DDK_WDM_IO_REMOVE_LOCK_H
#define NTMM_DDK_WDM_IO_REMOVE_LOCK_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _IO_REMOVE_LOCK_TRACKING_BLOCK *PIO_REMOVE_LOCK_TRACKING_BLOCK;

typedef struct _IO_REMOVE_LOCK_COMMON_BLOCK {
    BOOLEAN       Removed;
    BOOLEAN       Reserved[3];
    volatile LONG IoCount; /* holders, and one until it is removed */
    KEVENT        RemoveEvent;
} IO_REMOVE_LOCK_COMMON_BLOCK;

typedef struct _IO_REMOVE_LOCK_DBG_BLOCK {
    LONG                           Signature;
    ULONG                          HighWatermark;
    LONGLONG                       MaxLockedTicks;
    LONG                           AllocateTag;
    LIST_ENTRY                     LockList;
    KSPIN_LOCK                     Spin;
    volatile LONG                  LowMemoryCount;
    ULONG                          Reserved1[4];
    PVOID                          Reserved2;
    PIO_REMOVE_LOCK_TRACKING_BLOCK Blocks; /* of holders, the latest first */
} IO_REMOVE_LOCK_DBG_BLOCK;

typedef struct _IO_REMOVE_LOCK {
    IO_REMOVE_LOCK_COMMON_BLOCK Common;
#if defined(DBG) && DBG + 0 != 0
    IO_REMOVE_LOCK_DBG_BLOCK Dbg;
#endif
} IO_REMOVE_LOCK, *PIO_REMOVE_LOCK;

NTMM_LAYOUT(sizeof(IO_REMOVE_LOCK_COMMON_BLOCK) == 32 && FIELD_OFFSET(IO_REMOVE_LOCK_COMMON_BLOCK, RemoveEvent) == 8, "x64");

/**
 * Make a remove lock ready for use.
 *
 * @param Lock              in the device extension
 * @param AllocateTag       of the pool that remembers holders, with DBG
 * @param MaxLockedMinutes  accepted and ignored (it is for Driver Verifier)
 * @param HighWatermark     more holders than that are an assertion, with DBG; 0: no limit
 * @param RemlockSize       sizeof(IO_REMOVE_LOCK)
 * @irql                    PASSIVE_LEVEL
 * @bugcheck                IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source                  WDK reference: wdm.h, IoInitializeRemoveLock
 */
NTKERNELAPI VOID IoInitializeRemoveLockEx(PIO_REMOVE_LOCK Lock, ULONG AllocateTag, ULONG MaxLockedMinutes, ULONG HighWatermark,
                                          ULONG RemlockSize);

/**
 * One more holder.
 *
 * @param Tag  the IRP, or whatever the release will say; may be NULL
 * @return     STATUS_DELETE_PENDING: the device is removed, and the caller does not hold the lock
 * @irql       <= DISPATCH_LEVEL
 * @bugcheck   IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source     WDK reference: wdm.h, IoAcquireRemoveLock
 */
NTKERNELAPI NTSTATUS IoAcquireRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, PCSTR File, ULONG Line, ULONG RemlockSize);

/**
 * One holder less.
 *
 * @param Tag  of its acquire; with DBG another one is an assertion
 * @irql       <= DISPATCH_LEVEL
 * @bugcheck   IRQL_NOT_LESS_OR_EQUAL (0xA) above; KERNEL_SECURITY_CHECK_FAILURE (0x139/14): nobody holds it (choice: Windows goes on)
 * @source     WDK reference: wdm.h, IoReleaseRemoveLock
 */
NTKERNELAPI VOID IoReleaseRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize);

/**
 * Release what IRP_MN_REMOVE_DEVICE has acquired, let nobody acquire it any more, and wait until nobody holds it.
 *
 * @irql      PASSIVE_LEVEL
 * @bugcheck  as IoReleaseRemoveLockEx
 * @models    with DBG those that are waited for are named in the debugger's output, with file and line
 * @source    WDK reference: wdm.h, IoReleaseRemoveLockAndWait
 */
NTKERNELAPI VOID IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize);

#define IoInitializeRemoveLock(Lock, Tag, Maxmin, HighWater) \
    IoInitializeRemoveLockEx((Lock), (Tag), (Maxmin), (HighWater), sizeof(IO_REMOVE_LOCK))
#if defined(DBG) && DBG + 0 != 0
#define IoAcquireRemoveLock(RemoveLock, Tag) IoAcquireRemoveLockEx((RemoveLock), (Tag), __FILE__, __LINE__, sizeof(IO_REMOVE_LOCK))
#else
#define IoAcquireRemoveLock(RemoveLock, Tag) IoAcquireRemoveLockEx((RemoveLock), (Tag), "", 1, sizeof(IO_REMOVE_LOCK))
#endif
#define IoReleaseRemoveLock(RemoveLock, Tag) IoReleaseRemoveLockEx((RemoveLock), (Tag), sizeof(IO_REMOVE_LOCK))
#define IoReleaseRemoveLockAndWait(RemoveLock, Tag) IoReleaseRemoveLockAndWaitEx((RemoveLock), (Tag), sizeof(IO_REMOVE_LOCK))

#ifdef __cplusplus
}
#endif
#endif
