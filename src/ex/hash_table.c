/*
 * hash_table.c - dynamic hash tables: linear hashing, so that a table grows and shrinks by one chain at a time.
 *
 *     chain of a signature: its bits below the mask; where that chain has been split already (below Pivot), one bit more
 *
 *     | 0 1 2 .. Pivot .. mask | mask+1 ..     TableSize = mask + 1 + Pivot
 *       ^ split     ^ next       ^ what came out of the splits
 *
 * Chains lie in pieces, the first two of 128, each further one twice as long, so that no chain head ever moves. Chains are sorted by signature; an
 * enumerator stands in a chain itself, with a signature that no entry has.
 *
 * Locks       none: the driver's affair.
 * Source      WDK reference: ntddk.h, the pages of these routines.
 * Fidelity    the layout of Directory, and which chain a signature belongs to, are our own.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"

#define HASH_TAG NTMM_TAG("HTab")
#define FIRST_SIZE 128u
#define PIECES 16u
#define LARGEST_SIZE (FIRST_SIZE << (PIECES - 1))

typedef struct directory {
    PLIST_ENTRY pieces[PIECES];
} directory_t;

/* ---- chains ---- */

static ULONG piece_of(ULONG index) { return index < FIRST_SIZE ? 0 : 32u - (ULONG)__builtin_clz(index / FIRST_SIZE); }
static ULONG piece_first(ULONG piece) { return piece == 0 ? 0 : FIRST_SIZE << (piece - 1); }
static ULONG piece_length(ULONG piece) { return piece == 0 ? FIRST_SIZE : FIRST_SIZE << (piece - 1); }

static PLIST_ENTRY chain_at(const RTL_DYNAMIC_HASH_TABLE *table, ULONG index)
{
    const directory_t *directory = table->Directory;
    ULONG              piece = piece_of(index);
    return &directory->pieces[piece][index - piece_first(piece)];
}

static ULONG index_of(const RTL_DYNAMIC_HASH_TABLE *table, ULONG_PTR signature)
{
    uint64_t mixed = ((uint64_t)signature >> table->Shift) * UINT64_C(0x9E3779B97F4A7C15);
    ULONG    hash = (ULONG)(mixed >> 32), index = hash & table->DivisorMask;
    return index < table->Pivot ? hash & (table->DivisorMask << 1 | 1) : index;
}

static PRTL_DYNAMIC_HASH_TABLE_ENTRY entry_of(PLIST_ENTRY link) { return CONTAINING_RECORD(link, RTL_DYNAMIC_HASH_TABLE_ENTRY, Linkage); }

static bool is_enumerator(PLIST_ENTRY link) { return entry_of(link)->Signature == RTL_HASH_RESERVED_SIGNATURE; }

/* The next entry of the driver's, or the chain's head. */
static PLIST_ENTRY next_real(PLIST_ENTRY chain, PLIST_ENTRY link)
{
    do
        link = link->Flink;
    while (link != chain && is_enumerator(link));
    return link;
}

static bool is_empty(PLIST_ENTRY chain) { return next_real(chain, chain) == chain; }

static ULONG_PTR usable(ULONG_PTR signature)
{
    return signature != RTL_HASH_RESERVED_SIGNATURE ? signature : RTL_HASH_RESERVED_SIGNATURE + 1;
}

/* Behind the last entry with a smaller signature. */
static void find_place(const RTL_DYNAMIC_HASH_TABLE *table, ULONG_PTR signature, PRTL_DYNAMIC_HASH_TABLE_CONTEXT context)
{
    PLIST_ENTRY chain = chain_at(table, index_of(table, signature)), before = chain;
    while (before->Flink != chain && entry_of(before->Flink)->Signature < signature) /* an enumerator's is the smallest of all */
        before = before->Flink;
    *context = (RTL_DYNAMIC_HASH_TABLE_CONTEXT){ chain, before, signature };
}

/* ---- making ---- */

static bool add_piece(PRTL_DYNAMIC_HASH_TABLE table, ULONG piece)
{
    directory_t *directory = table->Directory;
    if (directory->pieces[piece] != NULL)
        return true;
    directory->pieces[piece] = ExAllocatePool2(POOL_FLAG_NON_PAGED, piece_length(piece) * sizeof(LIST_ENTRY), HASH_TAG);
    for (ULONG i = 0; directory->pieces[piece] != NULL && i < piece_length(piece); i++)
        InitializeListHead(&directory->pieces[piece][i]);
    return directory->pieces[piece] != NULL;
}

static void free_directory(PRTL_DYNAMIC_HASH_TABLE table)
{
    directory_t *directory = table->Directory;
    for (ULONG i = 0; directory != NULL && i < PIECES; i++)
        if (directory->pieces[i] != NULL)
            ExFreePoolWithTag(directory->pieces[i], HASH_TAG);
    if (directory != NULL)
        ExFreePoolWithTag(directory, HASH_TAG);
}

static bool make_chains(PRTL_DYNAMIC_HASH_TABLE table, ULONG size)
{
    table->Directory = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(directory_t), HASH_TAG);
    for (ULONG piece = 0; table->Directory != NULL && piece <= piece_of(size - 1); piece++)
        if (!add_piece(table, piece))
            return false;
    return table->Directory != NULL;
}

static ULONG size_for(ULONG wanted)
{
    ULONG size = FIRST_SIZE;
    while (size < wanted && size < LARGEST_SIZE)
        size *= 2;
    return size;
}

BOOLEAN RtlCreateHashTableEx(PRTL_DYNAMIC_HASH_TABLE *HashTable, ULONG InitialSize, ULONG Shift, ULONG Flags)
{
    PRTL_DYNAMIC_HASH_TABLE table = *HashTable;
    ULONG                   size = size_for(InitialSize), flags = table == NULL ? RTL_HASH_ALLOCATED_HEADER : 0;
    if (Flags != 0)
        return FALSE;
    if (table == NULL)
        table = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *table, HASH_TAG);
    if (table == NULL)
        return FALSE;
    *table = (RTL_DYNAMIC_HASH_TABLE){ .Flags = flags, .Shift = Shift, .TableSize = size, .DivisorMask = size - 1 };
    if (make_chains(table, size)) {
        *HashTable = table;
        return TRUE;
    }
    free_directory(table);
    if (flags != 0)
        ExFreePoolWithTag(table, HASH_TAG);
    return FALSE;
}

BOOLEAN RtlCreateHashTable(PRTL_DYNAMIC_HASH_TABLE *HashTable, ULONG Shift, ULONG Flags)
{
    return RtlCreateHashTableEx(HashTable, 0, Shift, Flags);
}

VOID RtlDeleteHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable)
{
    if (HashTable->NumEnumerators != 0)
        ke_fast_fail(__func__, "A hash table is deleted while it is enumerated.", FAST_FAIL_INVALID_ARG, KE_CALLER());
    bool was_allocated = (HashTable->Flags & RTL_HASH_ALLOCATED_HEADER) != 0;
    free_directory(HashTable);
    if (was_allocated)
        ExFreePoolWithTag(HashTable, HASH_TAG);
}

/* ---- entries ---- */

static void link_entry(PRTL_DYNAMIC_HASH_TABLE table, PRTL_DYNAMIC_HASH_TABLE_ENTRY entry, const RTL_DYNAMIC_HASH_TABLE_CONTEXT *place)
{
    table->NonEmptyBuckets += is_empty(place->ChainHead);
    table->NumEntries++;
    InsertHeadList(place->PrevLinkage, &entry->Linkage);
}

BOOLEAN RtlInsertEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENTRY Entry, ULONG_PTR Signature,
                                PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    RTL_DYNAMIC_HASH_TABLE_CONTEXT place, *context = Context != NULL ? Context : &place;
    Entry->Signature = usable(Signature);
    if (Context == NULL || Context->ChainHead == NULL)
        find_place(HashTable, Entry->Signature, context);
    link_entry(HashTable, Entry, context);
    return TRUE;
}

BOOLEAN RtlRemoveEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENTRY Entry,
                                PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    PLIST_ENTRY chain = chain_at(HashTable, index_of(HashTable, Entry->Signature));
    RemoveEntryList(&Entry->Linkage);
    HashTable->NumEntries--;
    HashTable->NonEmptyBuckets -= is_empty(chain);
    if (Context != NULL)
        find_place(HashTable, Entry->Signature, Context);
    return TRUE;
}

static PRTL_DYNAMIC_HASH_TABLE_ENTRY match(const RTL_DYNAMIC_HASH_TABLE_CONTEXT *context, PLIST_ENTRY link)
{
    return link != context->ChainHead && entry_of(link)->Signature == context->Signature ? entry_of(link) : NULL;
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlLookupEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, ULONG_PTR Signature,
                                                      PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    RTL_DYNAMIC_HASH_TABLE_CONTEXT place, *context = Context != NULL ? Context : &place;
    find_place(HashTable, usable(Signature), context);
    return match(context, next_real(context->ChainHead, context->PrevLinkage));
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlGetNextEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    PLIST_ENTRY current = next_real(Context->ChainHead, Context->PrevLinkage);
    (void)HashTable;
    if (current == Context->ChainHead)
        return NULL;
    PRTL_DYNAMIC_HASH_TABLE_ENTRY next = match(Context, next_real(Context->ChainHead, current));
    if (next != NULL)
        Context->PrevLinkage = current;
    return next;
}

/* ---- enumerating ---- */

static void begin(PRTL_DYNAMIC_HASH_TABLE table, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR enumerator)
{
    enumerator->BucketIndex = 0;
    enumerator->ChainHead = chain_at(table, 0);
    table->NumEnumerators++;
}

/* The first entry from there on, chain by chain. NULL: that was the last. */
static PLIST_ENTRY advance(const RTL_DYNAMIC_HASH_TABLE *table, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR enumerator, PLIST_ENTRY from)
{
    PLIST_ENTRY link = next_real(enumerator->ChainHead, from);
    while (link == enumerator->ChainHead) {
        if (enumerator->BucketIndex + 1 >= table->TableSize)
            return NULL;
        enumerator->ChainHead = chain_at(table, ++enumerator->BucketIndex);
        link = next_real(enumerator->ChainHead, enumerator->ChainHead);
    }
    return link;
}

BOOLEAN RtlInitEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    begin(HashTable, Enumerator);
    Enumerator->HashEntry.Signature = RTL_HASH_RESERVED_SIGNATURE;
    InsertHeadList(Enumerator->ChainHead, &Enumerator->HashEntry.Linkage);
    return TRUE;
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlEnumerateEntryHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    PLIST_ENTRY own = &Enumerator->HashEntry.Linkage, link = advance(HashTable, Enumerator, own);
    RemoveEntryList(own);
    InsertHeadList(link != NULL ? link : Enumerator->ChainHead->Blink, own);
    return link != NULL ? entry_of(link) : NULL;
}

VOID RtlEndEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    RemoveEntryList(&Enumerator->HashEntry.Linkage);
    HashTable->NumEnumerators--;
}

BOOLEAN RtlInitWeakEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    begin(HashTable, Enumerator);
    Enumerator->CurEntry = Enumerator->ChainHead;
    return TRUE;
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlWeaklyEnumerateEntryHashTable(PRTL_DYNAMIC_HASH_TABLE            HashTable,
                                                               PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    PLIST_ENTRY link = advance(HashTable, Enumerator, Enumerator->CurEntry);
    Enumerator->CurEntry = link != NULL ? link : Enumerator->ChainHead->Blink;
    return link != NULL ? entry_of(link) : NULL;
}

VOID RtlEndWeakEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    (void)Enumerator;
    HashTable->NumEnumerators--;
}

/* ---- growing and shrinking ---- */

/* What belongs elsewhere now goes there; both chains stay sorted. */
static void move_what_moved(PRTL_DYNAMIC_HASH_TABLE table, PLIST_ENTRY from)
{
    for (PLIST_ENTRY link = from->Flink, next; link != from; link = next) {
        RTL_DYNAMIC_HASH_TABLE_CONTEXT place;
        next = link->Flink;
        if (chain_at(table, index_of(table, entry_of(link)->Signature)) == from)
            continue;
        RemoveEntryList(link);
        find_place(table, entry_of(link)->Signature, &place);
        while (match(&place, place.PrevLinkage->Flink) != NULL) /* behind its like, in the order that they had */
            place.PrevLinkage = place.PrevLinkage->Flink;
        InsertHeadList(place.PrevLinkage, link);
    }
}

BOOLEAN RtlExpandHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable)
{
    if (HashTable->NumEnumerators != 0 || HashTable->TableSize >= LARGEST_SIZE || !add_piece(HashTable, piece_of(HashTable->TableSize)))
        return FALSE;
    PLIST_ENTRY split = chain_at(HashTable, HashTable->Pivot), fresh = chain_at(HashTable, HashTable->TableSize);
    HashTable->NonEmptyBuckets -= !is_empty(split);
    HashTable->TableSize++;
    HashTable->Pivot++;
    move_what_moved(HashTable, split);
    HashTable->NonEmptyBuckets += (ULONG)!is_empty(split) + (ULONG)!is_empty(fresh);
    if (HashTable->Pivot > HashTable->DivisorMask) {
        HashTable->DivisorMask = HashTable->DivisorMask << 1 | 1;
        HashTable->Pivot = 0;
    }
    return TRUE;
}

static void free_last_piece(PRTL_DYNAMIC_HASH_TABLE table)
{
    directory_t *directory = table->Directory;
    ULONG        piece = piece_of(table->TableSize);
    if (piece_first(piece) != table->TableSize)
        return;
    ExFreePoolWithTag(directory->pieces[piece], HASH_TAG);
    directory->pieces[piece] = NULL;
}

BOOLEAN RtlContractHashTable(PRTL_DYNAMIC_HASH_TABLE HashTable)
{
    if (HashTable->NumEnumerators != 0 || HashTable->TableSize == FIRST_SIZE)
        return FALSE;
    if (HashTable->Pivot == 0) {
        HashTable->DivisorMask >>= 1;
        HashTable->Pivot = HashTable->DivisorMask + 1;
    }
    HashTable->Pivot--;
    HashTable->TableSize--;
    PLIST_ENTRY merged = chain_at(HashTable, HashTable->Pivot), gone = chain_at(HashTable, HashTable->TableSize);
    HashTable->NonEmptyBuckets -= (ULONG)!is_empty(merged) + (ULONG)!is_empty(gone);
    move_what_moved(HashTable, gone);
    HashTable->NonEmptyBuckets += !is_empty(merged);
    free_last_piece(HashTable);
    return TRUE;
}
