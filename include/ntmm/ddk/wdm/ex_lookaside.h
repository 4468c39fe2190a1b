/*
 * ex_lookaside.h - lookaside lists: a driver's own stock of entries of one size, in front of a pool.
 *
 *     allocate: the entry freed last, if the list has one      --no-->  the Allocate routine, or the pool          a miss
 *     free:     onto the list, if it has fewer than Depth      --no-->  the Free routine, or the pool              a miss
 *
 * A list begins empty, with a Depth of 4. From time to time the system looks at how often an allocation missed and gives the list more room, up
 * to MaximumDepth, or less; entries beyond the room then go back to the pool. ntmm_balance_scan() of the control API does it now.
 *
 * Three structures, one layout: NPAGED_LOOKASIDE_LIST and PAGED_LOOKASIDE_LIST say by their type which pool, LOOKASIDE_LIST_EX by an
 * argument; its routines get the list as context. The structure stays where it is from the initialisation to the deletion, in resident memory
 * aligned to 16 bytes, whatever its entries lie in. Entries are not zeroed.
 *
 * What is left on a list that was never deleted is a leak at ntmm_shutdown, under the list's tag. While ntmm_fail_allocation is armed, every
 * list passes every call on to its routines, so that each allocation is one.
 *
 * Source  WDK reference: "Using lookaside lists"; wdm.h, the page of each routine; !lookaside (what is counted). The structures are opaque to
 *         drivers; sizes and fields are those of the public x64 header.
 */
#ifndef NTMM_DDK_WDM_EX_LOOKASIDE_H
#define NTMM_DDK_WDM_EX_LOOKASIDE_H

#ifdef __cplusplus
extern "C" {
#endif

struct _LOOKASIDE_LIST_EX;

/** The driver's own routines (LookasideListAllocateEx, LookasideListFreeEx in the reference), called at the caller's IRQL with no lock
 *  held. Allocate gets the pool type with the flags that the list was initialised with, the size in bytes and the tag of the list, and
 *  returns NULL when there is no memory.
 *  @irql <= DISPATCH_LEVEL; <= APC_LEVEL for lists of paged entries @source WDK reference: wdm.h, ALLOCATE_FUNCTION_EX, FREE_FUNCTION_EX */
typedef PVOID              ALLOCATE_FUNCTION(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef PVOID              ALLOCATE_FUNCTION_EX(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, struct _LOOKASIDE_LIST_EX *Lookaside);
typedef VOID               FREE_FUNCTION(PVOID Buffer);
typedef VOID               FREE_FUNCTION_EX(PVOID Buffer, struct _LOOKASIDE_LIST_EX *Lookaside);
typedef ALLOCATE_FUNCTION *PALLOCATE_FUNCTION;
typedef ALLOCATE_FUNCTION_EX *PALLOCATE_FUNCTION_EX;
typedef FREE_FUNCTION        *PFREE_FUNCTION;
typedef FREE_FUNCTION_EX     *PFREE_FUNCTION_EX;

#define NTMM_LOOKASIDE_FIELDS \
    union { \
        SLIST_HEADER      ListHead; /* the entries */ \
        SINGLE_LIST_ENTRY SingleListHead; \
    }; \
    USHORT Depth;        /* as many entries are kept at most */ \
    USHORT MaximumDepth; /* and Depth never grows beyond this */ \
    ULONG  TotalAllocates; \
    union { \
        ULONG AllocateMisses; \
        ULONG AllocateHits; \
    }; \
    ULONG TotalFrees; \
    union { \
        ULONG FreeMisses; \
        ULONG FreeHits; \
    }; \
    POOL_TYPE Type; /* with the flags or-ed in */ \
    ULONG     Tag; \
    ULONG     Size; /* bytes an entry */ \
    union { \
        PALLOCATE_FUNCTION_EX AllocateEx; \
        PALLOCATE_FUNCTION    Allocate; \
    }; \
    union { \
        PFREE_FUNCTION_EX FreeEx; \
        PFREE_FUNCTION    Free; \
    }; \
    LIST_ENTRY ListEntry;          /* of all active lists */ \
    ULONG      LastTotalAllocates; /* when Depth was last looked at */ \
    union { \
        ULONG LastAllocateMisses; \
        ULONG LastAllocateHits; \
    }; \
    ULONG Future[2]; /* says that the list is active, and in which boot of the machine */

/* Seen through it, a list of any kind is a list: hence the attribute. */
typedef struct __attribute__((may_alias)) _GENERAL_LOOKASIDE_POOL {
    NTMM_LOOKASIDE_FIELDS
} GENERAL_LOOKASIDE_POOL, *PGENERAL_LOOKASIDE_POOL;

/* Windows aligns it to a cache line. Drivers are told that 16 bytes are enough, and pool gives no more: the size is kept, the alignment not. */
typedef struct _GENERAL_LOOKASIDE {
    NTMM_LOOKASIDE_FIELDS
    ULONGLONG CacheLinePadding[4];
} GENERAL_LOOKASIDE, *PGENERAL_LOOKASIDE;

typedef struct _NPAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} NPAGED_LOOKASIDE_LIST, *PNPAGED_LOOKASIDE_LIST;

typedef struct _PAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} PAGED_LOOKASIDE_LIST, *PPAGED_LOOKASIDE_LIST;

typedef struct _LOOKASIDE_LIST_EX {
    GENERAL_LOOKASIDE_POOL L;
} LOOKASIDE_LIST_EX, *PLOOKASIDE_LIST_EX;

NTMM_LAYOUT(sizeof(NPAGED_LOOKASIDE_LIST) == 0x80 && sizeof(PAGED_LOOKASIDE_LIST) == 0x80, "lookaside lists, x64");
NTMM_LAYOUT(sizeof(LOOKASIDE_LIST_EX) == 0x60 && sizeof(GENERAL_LOOKASIDE_POOL) == 0x60, "LOOKASIDE_LIST_EX, x64");
NTMM_LAYOUT(FIELD_OFFSET(GENERAL_LOOKASIDE, Depth) == 0x10 && FIELD_OFFSET(GENERAL_LOOKASIDE, MaximumDepth) == 0x12,
            "GENERAL_LOOKASIDE, x64");
NTMM_LAYOUT(FIELD_OFFSET(GENERAL_LOOKASIDE, TotalAllocates) == 0x14 && FIELD_OFFSET(GENERAL_LOOKASIDE, AllocateMisses) == 0x18 &&
                FIELD_OFFSET(GENERAL_LOOKASIDE, TotalFrees) == 0x1c && FIELD_OFFSET(GENERAL_LOOKASIDE, FreeMisses) == 0x20,
            "GENERAL_LOOKASIDE, x64");
NTMM_LAYOUT(FIELD_OFFSET(GENERAL_LOOKASIDE, Type) == 0x24 && FIELD_OFFSET(GENERAL_LOOKASIDE, Tag) == 0x28 &&
                FIELD_OFFSET(GENERAL_LOOKASIDE, Size) == 0x2c && FIELD_OFFSET(GENERAL_LOOKASIDE, AllocateEx) == 0x30 &&
                FIELD_OFFSET(GENERAL_LOOKASIDE, FreeEx) == 0x38,
            "GENERAL_LOOKASIDE, x64");
NTMM_LAYOUT(FIELD_OFFSET(GENERAL_LOOKASIDE, ListEntry) == 0x40 && FIELD_OFFSET(GENERAL_LOOKASIDE, LastTotalAllocates) == 0x50 &&
                FIELD_OFFSET(GENERAL_LOOKASIDE, LastAllocateMisses) == 0x54 && FIELD_OFFSET(GENERAL_LOOKASIDE, Future) == 0x58,
            "GENERAL_LOOKASIDE, x64");

#define LOOKASIDE_MINIMUM_BLOCK_SIZE ((ULONG)sizeof(((PSLIST_ENTRY)0)->Next)) /* bytes: room for the link */
#define EX_MAXIMUM_LOOKASIDE_DEPTH_BASE 256
#define EX_MAXIMUM_LOOKASIDE_DEPTH_LIMIT 1024
#define EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL 0x00000001u
#define EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE 0x00000002u

/* ---- nonpaged entries ---- */

/**
 * Make an empty list of nonpaged entries and register it with the system.
 *
 * @param Lookaside  resident, aligned to 16 bytes
 * @param Allocate   called when the list is empty; NULL: ExAllocatePoolWithTag
 * @param Free       called when the list is full; NULL: ExFreePool
 * @param Flags      POOL_NX_ALLOCATION: entries that are not executable; POOL_RAISE_IF_ALLOCATION_FAILURE; other bits are ignored (choice)
 * @param Size       bytes of an entry; less than LOOKASIDE_MINIMUM_BLOCK_SIZE, which is not allowed, counts as that (choice)
 * @param Tag        pool tag, as for ExAllocatePoolWithTag
 * @param Depth      reserved, ignored
 * @irql             <= DISPATCH_LEVEL
 * @bugcheck         IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL; KERNEL_SECURITY_CHECK_FAILURE 0x3: the list is active already,
 *                   or another one's memory was overwritten while it was active; KMODE_EXCEPTION_NOT_HANDLED (0x1E) with
 *                   STATUS_DATATYPE_MISALIGNMENT: not aligned (choice)
 * @source           WDK reference: wdm.h, ExInitializeNPagedLookasideList
 */
NTKERNELAPI VOID ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free,
                                                 ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth);

/**
 * Free what is on the list, through its Free routine, and take the list out of the system's set. The structure's memory is the caller's again.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL; KERNEL_SECURITY_CHECK_FAILURE 0x3: the list is not active (deleted
 *            twice, never initialised, overwritten), or its neighbours do not know it
 * @source    WDK reference: wdm.h, ExDeleteNPagedLookasideList
 */
NTKERNELAPI VOID ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);

/**
 * An entry: the one freed last, or a new one.
 *
 * @return    contents indeterminate; NULL when memory is short
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL; KERNEL_SECURITY_CHECK_FAILURE 0x5: the list is not active (choice);
 *            those of the Allocate routine
 * @source    WDK reference: wdm.h, ExAllocateFromNPagedLookasideList
 */
NTKERNELAPI PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);

/**
 * Give an entry back.
 *
 * @param Entry  from the same list
 * @irql         <= DISPATCH_LEVEL
 * @bugcheck     IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL; KERNEL_SECURITY_CHECK_FAILURE 0x5: the list is not active (choice);
 *               BAD_POOL_CALLER 0x07: the entry is the one that was freed last (choice); those of the Free routine
 * @source       WDK reference: wdm.h, ExFreeToNPagedLookasideList
 */
NTKERNELAPI VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry);

/* With a POOL_NX_OPTIN the word NonPagedPool means memory that is not executable, for these lists, too. */
#if defined(POOL_NX_OPTIN) || defined(POOL_NX_OPTIN_AUTO)
#define ExInitializeNPagedLookasideList(Lookaside, Allocate, Free, Flags, Size, Tag, Depth) \
    (ExInitializeNPagedLookasideList)((Lookaside), (Allocate), (Free), (Flags) | ((ULONG)(NonPagedPool)&POOL_NX_ALLOCATION), (Size), \
                                      (Tag), (Depth))
#endif

/* ---- paged entries ---- */

/**
 * Make an empty list of paged entries and register it. The structure itself is resident all the same.
 *
 * @param Flags  POOL_RAISE_IF_ALLOCATION_FAILURE; other bits are ignored
 * @irql         <= APC_LEVEL
 * @bugcheck     as ExInitializeNPagedLookasideList; IRQL_NOT_LESS_OR_EQUAL (0xA) above APC_LEVEL
 * @source       WDK reference: wdm.h, ExInitializePagedLookasideList
 */
NTKERNELAPI VOID ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free,
                                                ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth);
/** As ExDeleteNPagedLookasideList. @irql <= APC_LEVEL @bugcheck the same; 0xA above APC_LEVEL
 *  @source WDK reference: wdm.h, ExDeletePagedLookasideList */
NTKERNELAPI VOID ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);
/** As ExAllocateFromNPagedLookasideList. @return an entry or NULL @irql <= APC_LEVEL @bugcheck the same; 0xA above APC_LEVEL
 *  @source WDK reference: wdm.h, ExAllocateFromPagedLookasideList */
NTKERNELAPI PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);
/** As ExFreeToNPagedLookasideList. @irql <= APC_LEVEL @bugcheck the same; 0xA above APC_LEVEL
 *  @source WDK reference: wdm.h, ExFreeToPagedLookasideList */
NTKERNELAPI VOID ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry);

/* ---- entries of either kind, routines with a context ---- */

/**
 * Make an empty list of entries from the pool of that type and register it.
 *
 * @param Allocate  called when the list is empty; NULL: ExAllocatePoolWithTag
 * @param Free      called when the list is full; NULL: ExFreePool
 * @param PoolType  a value of POOL_TYPE that names a pool, without flags
 * @param Flags     0; EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL: Allocate's PoolType has POOL_RAISE_IF_ALLOCATION_FAILURE or-ed in;
 *                  EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, not without an Allocate routine: POOL_QUOTA_FAIL_INSTEAD_OF_RAISE
 * @param Size      bytes of an entry; less than LOOKASIDE_MINIMUM_BLOCK_SIZE counts as that (choice)
 * @param Depth     reserved, ignored
 * @return          STATUS_INVALID_PARAMETER_4 or _5: PoolType or Flags is not one of these; STATUS_INVALID_PARAMETER_6: Size has more than
 *                  32 bits (choice)
 * @irql            <= DISPATCH_LEVEL
 * @bugcheck        as ExInitializeNPagedLookasideList
 * @source          WDK reference: wdm.h, ExInitializeLookasideListEx
 */
NTKERNELAPI NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate, PFREE_FUNCTION_EX Free,
                                                 POOL_TYPE PoolType, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth);

/** As ExDeleteNPagedLookasideList; what is on a list of paged entries cannot be freed above APC_LEVEL.
 *  @irql <= DISPATCH_LEVEL @bugcheck the same; BAD_POOL_CALLER 0x09 for such entries @source WDK reference: wdm.h, ExDeleteLookasideListEx */
NTKERNELAPI VOID ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);

/** As ExAllocateFromNPagedLookasideList. @return an entry or NULL
 *  @irql <= DISPATCH_LEVEL; <= APC_LEVEL for paged entries @bugcheck the same @source WDK reference: wdm.h, ExAllocateFromLookasideListEx */
NTKERNELAPI PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);

/** As ExFreeToNPagedLookasideList.
 *  @irql <= DISPATCH_LEVEL; <= APC_LEVEL for paged entries @bugcheck the same @source WDK reference: wdm.h, ExFreeToLookasideListEx */
NTKERNELAPI VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry);

/** Free what is on the list, through its Free routine. It stays active. @irql <= DISPATCH_LEVEL
 *  @bugcheck KERNEL_SECURITY_CHECK_FAILURE 0x5: the list is not active (choice); BAD_POOL_CALLER 0x09: paged entries above APC_LEVEL
 *  @source WDK reference: wdm.h, ExFlushLookasideListEx */
NTKERNELAPI VOID ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);

/**
 * Look at all active lists and set their Depth anew, as the system does from time to time.
 *
 * @irql      <= APC_LEVEL (not documented: choice)
 * @bugcheck  KERNEL_SECURITY_CHECK_FAILURE 0x3: the memory of an active list was freed or overwritten
 * @source    WDK reference: ntifs.h, ExAdjustLookasideDepth (reserved for system use)
 */
NTKERNELAPI VOID ExAdjustLookasideDepth(VOID);

#ifdef __cplusplus
}
#endif
#endif
