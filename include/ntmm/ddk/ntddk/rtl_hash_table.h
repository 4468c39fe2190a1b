/*
 * rtl_hash_table.h - dynamic hash tables: the driver's entries in chains, by a signature that the driver computes, and one chain more, or less,
 * at a time.
 * An entry is a part of the driver's structure. Entries of one signature are neighbours; which of them it is the driver finds out by looking.
 *
 * @irql <= DISPATCH_LEVEL; they synchronise nothing.
 *
 * Source  WDK reference: ntddk.h, RtlCreateHashTable and its companions.
 */
#ifndef NTMM_DDK_NTDDK_RTL_HASH_TABLE_H
#define NTMM_DDK_NTDDK_RTL_HASH_TABLE_H

#ifdef __cplusplus
extern "C" {
#endif

#define RTL_HASH_ALLOCATED_HEADER 0x00000001u /* Flags: the table itself was allocated */
#define RTL_HASH_RESERVED_SIGNATURE 0         /* of enumerators; an entry that is given it has the next one */

typedef struct _RTL_DYNAMIC_HASH_TABLE_ENTRY {
    LIST_ENTRY Linkage;
    ULONG_PTR  Signature;
} RTL_DYNAMIC_HASH_TABLE_ENTRY, *PRTL_DYNAMIC_HASH_TABLE_ENTRY;
#define HASH_ENTRY_KEY(x) ((x)->Signature)

typedef struct _RTL_DYNAMIC_HASH_TABLE_CONTEXT { /* a place in a chain; ChainHead NULL: none yet */
    PLIST_ENTRY ChainHead;
    PLIST_ENTRY PrevLinkage;
    ULONG_PTR   Signature;
} RTL_DYNAMIC_HASH_TABLE_CONTEXT, *PRTL_DYNAMIC_HASH_TABLE_CONTEXT;

typedef struct _RTL_DYNAMIC_HASH_TABLE_ENUMERATOR {
    union {
        RTL_DYNAMIC_HASH_TABLE_ENTRY HashEntry; /* it stands in the chain itself */
        PLIST_ENTRY                  CurEntry;
    };
    PLIST_ENTRY ChainHead;
    ULONG       BucketIndex;
} RTL_DYNAMIC_HASH_TABLE_ENUMERATOR, *PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR;

typedef struct _RTL_DYNAMIC_HASH_TABLE {
    ULONG Flags;
    ULONG Shift;
    ULONG TableSize; /* chains */
    ULONG Pivot;     /* the chain that is split next */
    ULONG DivisorMask;
    ULONG NumEntries;
    ULONG NonEmptyBuckets;
    ULONG NumEnumerators;
    PVOID Directory;
} RTL_DYNAMIC_HASH_TABLE, *PRTL_DYNAMIC_HASH_TABLE;

NTMM_LAYOUT(sizeof(RTL_DYNAMIC_HASH_TABLE) == 40 && sizeof(RTL_DYNAMIC_HASH_TABLE_ENTRY) == 24, "x64 layout");
NTMM_LAYOUT(sizeof(RTL_DYNAMIC_HASH_TABLE_ENUMERATOR) == 40 && sizeof(RTL_DYNAMIC_HASH_TABLE_CONTEXT) == 24, "x64 layout");

FORCEINLINE VOID RtlInitHashTableContext(PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    Context->ChainHead = NULL;
    Context->PrevLinkage = NULL;
}
FORCEINLINE VOID RtlInitHashTableContextFromEnumerator(PRTL_DYNAMIC_HASH_TABLE_CONTEXT    Context,
                                                       PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    Context->ChainHead = Enumerator->ChainHead;
    Context->PrevLinkage = Enumerator->HashEntry.Linkage.Blink;
}
FORCEINLINE VOID RtlReleaseHashTableContext(PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context) { (void)Context; }

FORCEINLINE ULONG RtlTotalBucketsHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable) { return HashTable->TableSize; }
FORCEINLINE ULONG RtlNonEmptyBucketsHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable) { return HashTable->NonEmptyBuckets; }
FORCEINLINE ULONG RtlEmptyBucketsHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable) { return HashTable->TableSize - HashTable->NonEmptyBuckets; }
FORCEINLINE ULONG RtlTotalEntriesHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable) { return HashTable->NumEntries; }
FORCEINLINE ULONG RtlActiveEnumeratorsHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable) { return HashTable->NumEnumerators; }

/**
 * A table of 128 chains.
 *
 * @param HashTable  points to storage, or to NULL: then it is allocated
 * @param Shift      bits of signatures that do not count, from the lowest
 * @param Flags      0
 * @return           FALSE: no memory, or Flags is not 0
 * @models           nonpaged pool, tag `HTab`
 * @source           WDK reference: ntddk.h, RtlCreateHashTable
 */
NTSYSAPI BOOLEAN RtlCreateHashTable(PRTL_DYNAMIC_HASH_TABLE *HashTable, ULONG Shift, ULONG Flags);
/** The same with at least InitialSize chains. @source WDK reference: ntddk.h, RtlCreateHashTableEx */
NTSYSAPI BOOLEAN RtlCreateHashTableEx(PRTL_DYNAMIC_HASH_TABLE *HashTable, ULONG InitialSize, ULONG Shift, ULONG Flags);
/** The table, and not its entries. @bugcheck KERNEL_SECURITY_CHECK_FAILURE (0x139/5): it is being enumerated (choice)
 *  @source WDK reference: ntddk.h, RtlDeleteHashTable */
NTSYSAPI VOID RtlDeleteHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable);

/** @param Context  NULL, or a place for that signature, which is made if there is none yet @return TRUE
 *  @source WDK reference: ntddk.h, RtlInsertEntryHashTable */
NTSYSAPI BOOLEAN RtlInsertEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENTRY Entry, ULONG_PTR Signature,
                                         PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context);
/** @param Context  NULL, or a place, which is that of the entry's signature on return @return TRUE
 *  @source WDK reference: ntddk.h, RtlRemoveEntryHashTable */
NTSYSAPI BOOLEAN RtlRemoveEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENTRY Entry,
                                         PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context);
/** The first entry with that signature. @param Context  NULL, or filled in, for RtlGetNextEntryHashTable and RtlInsertEntryHashTable
 *  @return NULL: there is none @source WDK reference: ntddk.h, RtlLookupEntryHashTable */
NTSYSAPI PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlLookupEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, ULONG_PTR Signature,
                                                               PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context);
/** The next one with the same signature. @return NULL: there is none @source WDK reference: ntddk.h, RtlGetNextEntryHashTable */
NTSYSAPI PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlGetNextEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context);

/** All entries, in no order; entries may be inserted and removed meanwhile, the table keeps its size. @return TRUE
 *  @source WDK reference: ntddk.h, RtlInitEnumerationHashTable, RtlEnumerateEntryHashTable, RtlEndEnumerationHashTable */
NTSYSAPI BOOLEAN RtlInitEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator);
NTSYSAPI PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlEnumerateEntryHashTable(PRTL_DYNAMIC_HASH_TABLE            HashTable,
                                                                  PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator);
NTSYSAPI VOID RtlEndEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator);
/** The same, and the table is only read: nothing may be inserted or removed meanwhile. @source WDK reference: ntddk.h,
 *  RtlInitWeakEnumerationHashTable, RtlWeaklyEnumerateEntryHashTable, RtlEndWeakEnumerationHashTable */
NTSYSAPI BOOLEAN RtlInitWeakEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator);
NTSYSAPI PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlWeaklyEnumerateEntryHashTable(PRTL_DYNAMIC_HASH_TABLE            HashTable,
                                                                        PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator);
NTSYSAPI VOID RtlEndWeakEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator);

/** One chain more, or less. @return FALSE: it is being enumerated, has its largest or smallest size, or there is no memory
 *  @source WDK reference: ntddk.h, RtlExpandHashTable, RtlContractHashTable */
NTSYSAPI BOOLEAN RtlExpandHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable);
NTSYSAPI BOOLEAN RtlContractHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable);

#ifdef __cplusplus
}
#endif
#endif
