/*
 * resource.c - ERESOURCE: many readers or one writer, recursion, and two queues.
 *
 *              acquire shared                              acquire exclusive
 *     free --------------------> shared (owners, counts)   free --------------> exclusive (one owner, count)
 *      ^                           |  last owner leaves      ^                     |  count drops to 0: pass_on
 *      '---------- pass_on --------'                         '----- pass_on -------'
 *
 * pass_on hands the resource over, so that nobody who arrives meanwhile can overtake those who wait: a writer who leaves lets in every reader
 * that waits, else the first writer; the last reader who leaves lets in the first writer. A waiter sleeps on its own thread record, which is
 * never unmapped, so that a halted machine can be left with waiters still queued.
 *
 * Owners      one writer, or the first reader, is in OwnerEntry; further readers are in OwnerTable, a block of nonpaged pool that grows.
 * Invariants  1 an entry is in use exactly if OwnerThread != 0, and then OwnerCount >= 1
 *             2 ActiveEntries == ActiveCount == entries in use
 *             3 owned exclusively: the one owner is in OwnerEntry
 *             4 free entries >= NumberOfSharedWaiters, so that letting readers in needs no memory and cannot fail
 *             5 somebody waits only while somebody owns
 * Locks       one of a few ex.resource locks, picked by address: a resource that the driver never initialised, or has overwritten, then cannot
 *             damage a lock. Nothing is called with it held.
 * Source      WDK reference: wdm.h, the ExAcquire... pages and "Introduction to ERESOURCE routines"; Bug Check 0xE3.
 * Fidelity    the system's list of all resources is not kept; the order among waiters is a choice where the pages are silent.
 */
#include <assert.h>

#include <ntddk.h>

#include "ex/ex.h"
#include "host/host.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"
#include "ke/probe.h"
#include "ke/thread.h"

#define LOCK_COUNT 16u
#define TABLE_STEP 4u         /* entries that an owner table grows by */
#define OWNER_TAG 0x6f527845u /* "ExRo" */
#define RECHECK_NS 10000000u  /* how late a waiter may notice that the machine has halted */
#define REFUSED_TABLE_RETRY_NS 1000000u
#define NOT_OWNED_RESERVED 3u /* parameter 4 of bug check 0xE3 */

static_assert(sizeof(ERESOURCE) == 104, "x64 layout of the public wdm.h");
static_assert(offsetof(ERESOURCE, SharedWaiters) == 32 && offsetof(ERESOURCE, OwnerEntry) == 48, "x64 layout of the public wdm.h");
static_assert(offsetof(ERESOURCE, ActiveEntries) == 64 && offsetof(ERESOURCE, SpinLock) == 96, "x64 layout of the public wdm.h");
static_assert(sizeof(OWNER_ENTRY) == 16, "x64 layout of the public wdm.h");

typedef enum access { ACCESS_EXCLUSIVE, ACCESS_SHARED, ACCESS_STARVE_EXCLUSIVE, ACCESS_WAIT_FOR_EXCLUSIVE } access_t;
typedef enum answer { ANSWER_GRANTED, ANSWER_WAIT, ANSWER_NO_ROOM } answer_t;

static ke_lock_t resource_locks[LOCK_COUNT] = { [0 ... LOCK_COUNT - 1] = KE_LOCK_INIT(KE_RANK_EX_RESOURCE) };

void ex_resource_boot(void)
{
    for (size_t i = 0; i < LOCK_COUNT; i++)
        ke_lock_init(&resource_locks[i], KE_RANK_EX_RESOURCE);
}

static ke_lock_t *lock_of(const ERESOURCE *resource) { return &resource_locks[((uintptr_t)resource >> 7) % LOCK_COUNT]; }

static ERESOURCE_THREAD thread_id(const ke_thread_t *thread) { return (ERESOURCE_THREAD)(uintptr_t)thread->kthread; }

/* ---- state of one resource; every _locked function needs its lock ---- */

static void make_new_locked(PERESOURCE r, POWNER_ENTRY table)
{
    ULONG size = table != NULL ? table[0].TableSize : 0;
    *r = (ERESOURCE){ .OwnerTable = table, .Reserved2 = (PVOID)(uintptr_t)ke_machine_generation };
    r->SystemResourcesList.Flink = r->SystemResourcesList.Blink = &r->SystemResourcesList;
    for (ULONG i = 1; i < size; i++)
        table[i] = (OWNER_ENTRY){ 0 };
}

/* Reads it first, so that a bad address faults with no lock held. A resource of an earlier boot is a driver's global whose driver was just
 * loaded again: its owners, waiters and table are gone with that machine. */
static void lock_resource(PERESOURCE r)
{
    (void)*(PLIST_ENTRY volatile *)&r->SystemResourcesList.Flink;
    (void)*(volatile KSPIN_LOCK *)&r->SpinLock;
    ke_lock(lock_of(r));
    if (r->Reserved2 != (PVOID)(uintptr_t)ke_machine_generation)
        make_new_locked(r, NULL);
}
static void unlock_resource(PERESOURCE r) { ke_unlock(lock_of(r)); }

static bool is_exclusive_locked(const ERESOURCE *r) { return (r->Flag & ResourceOwnedExclusive) != 0; }

static ULONG table_size_locked(const ERESOURCE *r) { return r->OwnerTable != NULL ? r->OwnerTable[0].TableSize : 0; }

/* The entry of a thread, or a free one for thread 0; NULL: none. */
static POWNER_ENTRY find_entry_locked(PERESOURCE r, ERESOURCE_THREAD thread)
{
    ULONG size = table_size_locked(r);
    if (r->OwnerEntry.OwnerThread == thread)
        return &r->OwnerEntry;
    for (ULONG i = 1; i < size; i++)
        if (r->OwnerTable[i].OwnerThread == thread)
            return &r->OwnerTable[i];
    return NULL;
}

static void add_owner_locked(PERESOURCE r, ERESOURCE_THREAD thread)
{
    POWNER_ENTRY entry = find_entry_locked(r, thread);
    if (entry != NULL) {
        entry->OwnerCount++;
        return;
    }
    entry = find_entry_locked(r, 0);
    NTMM_INVARIANT(entry != NULL, "an owner is let in only when an entry is free for it");
    entry->OwnerThread = thread;
    entry->OwnerCount = 1;
    r->ActiveEntries++;
    r->ActiveCount++;
}

/* Room for the owners, the readers who wait, and one more. */
static bool has_room_locked(const ERESOURCE *r)
{
    ULONG size = table_size_locked(r);
    return r->ActiveEntries + r->NumberOfSharedWaiters < 1 + (size != 0 ? size - 1 : 0);
}

/* ---- waiting ---- */

static void enqueue_locked(PVOID *queue, ULONG *count, ke_thread_t *self)
{
    ke_thread_t **link = (ke_thread_t **)queue;
    while (*link != NULL)
        link = &(*link)->wait_next;
    self->wait_next = NULL;
    atomic_store_explicit(&self->granted, 0, memory_order_relaxed);
    *link = self;
    ++*count;
}

static void let_first_in_locked(PERESOURCE r, PVOID *queue, ULONG *count)
{
    ke_thread_t *thread = *queue;
    *queue = thread->wait_next;
    --*count;
    add_owner_locked(r, thread_id(thread));
    atomic_store_explicit(&thread->granted, 1, memory_order_release);
    host_wake(&thread->granted, true);
}

static void let_readers_in_locked(PERESOURCE r)
{
    while (r->SharedWaiters != NULL)
        let_first_in_locked(r, &r->SharedWaiters, &r->NumberOfSharedWaiters);
}

/* Nobody owns it any more: whose turn is it? */
static void pass_on_locked(PERESOURCE r)
{
    bool writer_left = is_exclusive_locked(r);

    r->Flag = (USHORT)(r->Flag & ~ResourceOwnedExclusive);
    if (r->ExclusiveWaiters != NULL && !(writer_left && r->SharedWaiters != NULL)) {
        r->Flag = (USHORT)(r->Flag | ResourceOwnedExclusive);
        let_first_in_locked(r, &r->ExclusiveWaiters, &r->NumberOfExclusiveWaiters);
        return;
    }
    let_readers_in_locked(r);
}

static void wait_for_turn(ke_thread_t *self)
{
    while (atomic_load_explicit(&self->granted, memory_order_acquire) == 0) {
        ke_wait_poll();
        host_wait(&self->granted, 0, RECHECK_NS);
    }
}

/* ---- acquiring ---- */

static answer_t try_exclusive_locked(PERESOURCE r, ERESOURCE_THREAD self)
{
    if (r->ActiveEntries != 0 && !(is_exclusive_locked(r) && r->OwnerEntry.OwnerThread == self))
        return ANSWER_WAIT;
    r->Flag = (USHORT)(r->Flag | ResourceOwnedExclusive);
    add_owner_locked(r, self);
    return ANSWER_GRANTED;
}

static answer_t try_shared_locked(PERESOURCE r, ERESOURCE_THREAD self, access_t access, bool wait)
{
    bool writers_wait = r->NumberOfExclusiveWaiters != 0;
    bool is_owner = find_entry_locked(r, self) != NULL;
    bool may_enter;

    if (is_exclusive_locked(r))
        may_enter = is_owner;
    else if (access == ACCESS_STARVE_EXCLUSIVE || !writers_wait)
        may_enter = true;
    else
        may_enter = is_owner && access == ACCESS_SHARED;

    if (may_enter && (is_owner || has_room_locked(r))) {
        add_owner_locked(r, self);
        return ANSWER_GRANTED;
    }
    return (may_enter || wait) && !has_room_locked(r) ? ANSWER_NO_ROOM : ANSWER_WAIT;
}

static answer_t try_locked(PERESOURCE r, ERESOURCE_THREAD self, access_t access, bool wait)
{
    return access == ACCESS_EXCLUSIVE ? try_exclusive_locked(r, self) : try_shared_locked(r, self, access, wait);
}

/* Pool for a table of that many entries. There is no status to return a failure with: who may wait tries until memory is there. */
static POWNER_ENTRY allocate_table(ULONG size, bool wait)
{
    POWNER_ENTRY table;
    while ((table = ExAllocatePool2(POOL_FLAG_NON_PAGED, size * sizeof *table, OWNER_TAG)) == NULL && wait) {
        ke_wait_poll();
        host_sleep_ns(REFUSED_TABLE_RETRY_NS);
    }
    return table;
}

/* Makes the owner table larger; pool is asked for with the lock dropped. Should another thread have been faster, its table stays. */
static bool grow_table(PERESOURCE r, bool wait)
{
    POWNER_ENTRY fresh, old;
    ULONG        size;

    lock_resource(r);
    size = table_size_locked(r);
    unlock_resource(r);
    fresh = allocate_table(size + TABLE_STEP, wait);
    if (fresh == NULL)
        return false;
    lock_resource(r);
    if (table_size_locked(r) == size) {
        old = r->OwnerTable;
        for (ULONG i = 1; i < size; i++)
            fresh[i] = old[i];
        fresh[0].TableSize = size + TABLE_STEP;
        r->OwnerTable = fresh;
        fresh = old;
    }
    unlock_resource(r);
    if (fresh != NULL)
        ExFreePoolWithTag(fresh, OWNER_TAG);
    return true;
}

static BOOLEAN acquire(ke_thread_t *self, PERESOURCE r, bool wait, access_t access)
{
    answer_t answer;

    for (;;) {
        lock_resource(r);
        answer = try_locked(r, thread_id(self), access, wait);
        if (answer != ANSWER_NO_ROOM)
            break;
        unlock_resource(r);
        if (!grow_table(r, wait))
            return FALSE;
    }
    if (answer == ANSWER_WAIT && wait) {
        r->ContentionCount++;
        if (access == ACCESS_EXCLUSIVE)
            enqueue_locked(&r->ExclusiveWaiters, &r->NumberOfExclusiveWaiters, self);
        else
            enqueue_locked(&r->SharedWaiters, &r->NumberOfSharedWaiters, self);
    }
    unlock_resource(r);
    if (answer == ANSWER_WAIT && wait)
        wait_for_turn(self);
    return answer == ANSWER_GRANTED || wait;
}

static BOOLEAN acquire_entered(const char *routine, PERESOURCE r, BOOLEAN wait, access_t access)
{
    BOOLEAN got;
    ke_probe_lock(routine, KE_RESOURCE_ACQUIRE, r, 0);
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return FALSE;
    got = acquire(self, r, wait, access);
    ke_thread_leave(self);
    return got;
}

BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return acquire_entered(__func__, Resource, Wait, ACCESS_EXCLUSIVE);
}

BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return acquire_entered(__func__, Resource, Wait, ACCESS_SHARED);
}

BOOLEAN ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return acquire_entered(__func__, Resource, Wait, ACCESS_STARVE_EXCLUSIVE);
}

BOOLEAN ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return acquire_entered(__func__, Resource, Wait, ACCESS_WAIT_FOR_EXCLUSIVE);
}

/* ---- releasing ---- */

static _Noreturn void not_owned(const char *routine, const char *why, PERESOURCE r, ERESOURCE_THREAD thread, POWNER_ENTRY table)
{
    ke_bugcheck(routine, why, RESOURCE_NOT_OWNED, (ULONG_PTR)r, thread, (ULONG_PTR)table, NOT_OWNED_RESERVED);
}

static void release(const char *routine, PERESOURCE r, ERESOURCE_THREAD thread)
{
    POWNER_ENTRY table, entry;

    lock_resource(r);
    table = r->OwnerTable;
    entry = thread != 0 ? find_entry_locked(r, thread) : NULL;
    if (entry != NULL && --entry->OwnerCount == 0) {
        entry->OwnerThread = 0;
        r->ActiveCount--;
        if (--r->ActiveEntries == 0)
            pass_on_locked(r);
    }
    unlock_resource(r);
    if (entry == NULL)
        not_owned(routine, "a resource was released by, or for, a thread that does not own it", r, thread, table);
}

static void release_entered(const char *routine, PERESOURCE r)
{
    ke_probe_lock(routine, KE_RESOURCE_RELEASE, r, 0);
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return;
    release(routine, r, thread_id(self));
    ke_thread_leave(self);
}

VOID ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return;
    lock_resource(Resource);
    POWNER_ENTRY table = Resource->OwnerTable, entry = find_entry_locked(Resource, thread_id(self));
    if (entry != NULL)
        entry->OwnerThread = (ERESOURCE_THREAD)(uintptr_t)OwnerPointer;
    unlock_resource(Resource);
    ke_thread_leave(self);
    if (entry == NULL)
        not_owned(__func__, "the owner of a resource was changed by a thread that does not own it", Resource, thread_id(self), table);
}

VOID ExReleaseResourceLite(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    release_entered(__func__, Resource);
}

VOID ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId)
{
    ke_thread_t *self;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    self = ke_thread_enter(__func__);
    if (self == NULL)
        return;
    release(__func__, Resource, ResourceThreadId);
    ke_thread_leave(self);
}

VOID ExConvertExclusiveToSharedLite(PERESOURCE Resource)
{
    POWNER_ENTRY table;
    bool         owned;
    ke_thread_t *self;

    KE_REQUIRE_IRQL(APC_LEVEL);
    self = ke_thread_enter(__func__);
    if (self == NULL)
        return;
    lock_resource(Resource);
    table = Resource->OwnerTable;
    owned = is_exclusive_locked(Resource) && Resource->OwnerEntry.OwnerThread == thread_id(self);
    if (owned) {
        Resource->Flag = (USHORT)(Resource->Flag & ~ResourceOwnedExclusive);
        let_readers_in_locked(Resource);
    }
    unlock_resource(Resource);
    if (!owned)
        not_owned(__func__, "only the exclusive owner of a resource may convert it to shared", Resource, thread_id(self), table);
    ke_thread_leave(self);
}

/* ---- both at once with a critical region ---- */

PVOID ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    KeEnterCriticalRegion();
    acquire_entered(__func__, Resource, TRUE, ACCESS_EXCLUSIVE);
    return Resource;
}

PVOID ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    KeEnterCriticalRegion();
    acquire_entered(__func__, Resource, TRUE, ACCESS_SHARED);
    return Resource;
}

PVOID ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    KeEnterCriticalRegion();
    acquire_entered(__func__, Resource, TRUE, ACCESS_WAIT_FOR_EXCLUSIVE);
    return Resource;
}

VOID ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    release_entered(__func__, Resource);
    KeLeaveCriticalRegion();
}

/* ---- looking ---- */

ERESOURCE_THREAD ExGetCurrentResourceThread(VOID)
{
    ke_thread_t *self = ke_thread_ready(__func__);
    return self != NULL ? thread_id(self) : 0;
}

/* What the calling thread has: how often, and whether exclusively. */
static ULONG acquired(const char *routine, PERESOURCE r, bool *exclusive)
{
    POWNER_ENTRY entry;
    ULONG        count = 0;
    ke_thread_t *self = ke_thread_enter(routine);

    *exclusive = false;
    if (self == NULL)
        return 0;
    lock_resource(r);
    entry = find_entry_locked(r, thread_id(self));
    if (entry != NULL) {
        count = entry->OwnerCount;
        *exclusive = is_exclusive_locked(r);
    }
    unlock_resource(r);
    ke_thread_leave(self);
    return count;
}

BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
    bool exclusive;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    acquired(__func__, Resource, &exclusive);
    return exclusive;
}

ULONG ExIsResourceAcquiredSharedLite(PERESOURCE Resource)
{
    bool exclusive;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return acquired(__func__, Resource, &exclusive);
}

static ULONG waiters(const char *routine, PERESOURCE r, bool exclusive)
{
    ke_thread_t *self = ke_thread_enter(routine);
    ULONG        count;
    if (self == NULL)
        return 0;
    lock_resource(r);
    count = exclusive ? r->NumberOfExclusiveWaiters : r->NumberOfSharedWaiters;
    unlock_resource(r);
    ke_thread_leave(self);
    return count;
}

ULONG ExGetExclusiveWaiterCount(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return waiters(__func__, Resource, true);
}

ULONG ExGetSharedWaiterCount(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return waiters(__func__, Resource, false);
}

/* ---- life ---- */

/* @param keep_table  reinitialising: the memory for owners stays. @return the table that is no longer needed, or NULL */
static POWNER_ENTRY start_over(PERESOURCE r, bool keep_table)
{
    POWNER_ENTRY table;
    lock_resource(r);
    table = r->OwnerTable;
    make_new_locked(r, keep_table ? table : NULL);
    unlock_resource(r);
    return keep_table ? NULL : table;
}

static bool is_active(const ERESOURCE *r)
{
    return r->Reserved2 == (PVOID)(uintptr_t)ke_machine_generation && r->SystemResourcesList.Flink == &r->SystemResourcesList;
}

/* A resource that is active points to itself, so it can be told from any other bytes. */
const ERESOURCE *ex_resource_active_in(uintptr_t address, size_t bytes)
{
    const uintptr_t step = __alignof__(ERESOURCE);
    for (uintptr_t at = (address + step - 1) & ~(step - 1); at + sizeof(ERESOURCE) <= address + bytes; at += step)
        if (is_active((const ERESOURCE *)at))
            return (const ERESOURCE *)at;
    return NULL;
}

NTSTATUS ExInitializeResourceLite(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    (void)*(volatile KSPIN_LOCK *)&Resource->SpinLock;
    if (is_active(Resource))
        ke_probe_lock(__func__, KE_RESOURCE_TWICE, Resource, 0);
    ke_lock(lock_of(Resource));
    make_new_locked(Resource, NULL); /* what was in the storage before means nothing */
    ke_unlock(lock_of(Resource));
    return STATUS_SUCCESS;
}

NTSTATUS ExReinitializeResourceLite(PERESOURCE Resource)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    start_over(Resource, true);
    return STATUS_SUCCESS;
}

NTSTATUS ExDeleteResourceLite(PERESOURCE Resource)
{
    POWNER_ENTRY table;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!is_active(Resource))
        ke_probe_lock(__func__, KE_RESOURCE_UNKNOWN, Resource, 0);
    table = start_over(Resource, false);
    Resource->Reserved2 = NULL; /* who uses it all the same gets a new one */
    if (table != NULL)
        ExFreePoolWithTag(table, OWNER_TAG);
    return STATUS_SUCCESS;
}
