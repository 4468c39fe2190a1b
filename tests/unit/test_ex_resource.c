/*
 * test_ex_resource.c - ERESOURCE: who gets in, who waits, who goes next, and what a thread that is not an owner is told.
 * Other threads follow a script of one line each; the test waits until the resource shows what it expects, never for a fixed time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <ntmm/ntmm.h>

#define PATIENCE_MS 20000
#define TABLE_TAG NTMM_TAG("ExRo")

static ERESOURCE resource;

/* ---- another thread: acquires, says so, releases when told ---- */

typedef BOOLEAN (*acquire_t)(PERESOURCE, BOOLEAN);
typedef struct player {
    pthread_t    thread;
    acquire_t    acquire;
    _Atomic int  order; /* 0: not in yet; else the how-many-th it was let in */
    _Atomic bool go;    /* release it */
    bool         convert_first;
    bool         halted; /* its wait ended by the machine's halt */
} player_t;

static _Atomic int let_in; /* players so far */

static void nap(void) { nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL); }

static void play_body(void *context)
{
    player_t *p = context;

    KeEnterCriticalRegion();
    if (p->acquire(&resource, TRUE))
        atomic_store(&p->order, ++let_in);
    while (!atomic_load(&p->go))
        nap();
    if (p->convert_first)
        ExConvertExclusiveToSharedLite(&resource);
    ExReleaseResourceLite(&resource);
    KeLeaveCriticalRegion();
}

static void *play(void *context)
{
    player_t *p = context;
    p->halted = ntmm_catch_bugcheck(play_body, p, NULL);
    return NULL;
}

static void start(player_t *p, acquire_t acquire)
{
    *p = (player_t){ .acquire = acquire };
    assert_int_equal(pthread_create(&p->thread, NULL, play, p), 0);
}

static void finish(player_t *p)
{
    atomic_store(&p->go, true);
    assert_int_equal(pthread_join(p->thread, NULL), 0);
}

#define EVENTUALLY(condition) \
    do { \
        for (int patience_ = PATIENCE_MS * 5; !(condition); nap()) \
            if (--patience_ == 0) \
                fail_msg("did not come true: %s", #condition); \
    } while (0)

static void start_owner(player_t *p, acquire_t acquire)
{
    start(p, acquire);
    EVENTUALLY(atomic_load(&p->order) != 0);
}
static void start_waiting_writer(player_t *p)
{
    ULONG before = ExGetExclusiveWaiterCount(&resource);
    start(p, ExAcquireResourceExclusiveLite);
    EVENTUALLY(ExGetExclusiveWaiterCount(&resource) == before + 1);
}
static void start_waiting_reader(player_t *p)
{
    ULONG before = ExGetSharedWaiterCount(&resource);
    start(p, ExAcquireResourceSharedLite);
    EVENTUALLY(ExGetSharedWaiterCount(&resource) == before + 1);
}

/* ---- a machine per test ---- */

static int boot(void **state)
{
    (void)state;
    let_in = 0;
    if (ntmm_boot(&(ntmm_config){ .quiet = true }) != 0)
        return -1;
    return NT_SUCCESS(ExInitializeResourceLite(&resource)) ? 0 : -1;
}
static int shut_down(void **state)
{
    (void)state;
    ExDeleteResourceLite(&resource);
    return ntmm_shutdown(NULL) == 0 ? 0 : -1;
}
static int shut_down_halted(void **state)
{
    (void)state;
    ntmm_shutdown(NULL);
    return 0;
}

static ntmm_bugcheck stop_of(void (*body)(void *), void *context)
{
    ntmm_bugcheck stop = { 0 };
    assert_true(ntmm_catch_bugcheck(body, context, &stop));
    return stop;
}

/* ---- who gets in at once ---- */

enum situation {
    FREE,
    SHARED_BY_OTHER,
    WRITER_WAITS,
    EXCLUSIVE_BY_OTHER,
    SHARED_BY_ME_TOO,
    SHARED_BY_ME_TOO_WRITER_WAITS,
    EXCLUSIVE_BY_ME
};

static struct entry_case {
    const char    *name;
    enum situation situation;
    acquire_t      acquire;
    BOOLEAN        granted;
} ENTRY_CASES[] = {
    { "free: exclusive", FREE, ExAcquireResourceExclusiveLite, TRUE },
    { "free: shared", FREE, ExAcquireResourceSharedLite, TRUE },
    { "free: starve exclusive", FREE, ExAcquireSharedStarveExclusive, TRUE },
    { "free: wait for exclusive", FREE, ExAcquireSharedWaitForExclusive, TRUE },
    { "shared by another: exclusive waits", SHARED_BY_OTHER, ExAcquireResourceExclusiveLite, FALSE },
    { "shared by another: shared", SHARED_BY_OTHER, ExAcquireResourceSharedLite, TRUE },
    { "shared by another: starve exclusive", SHARED_BY_OTHER, ExAcquireSharedStarveExclusive, TRUE },
    { "shared by another: wait for exclusive", SHARED_BY_OTHER, ExAcquireSharedWaitForExclusive, TRUE },
    { "a writer waits: exclusive waits", WRITER_WAITS, ExAcquireResourceExclusiveLite, FALSE },
    { "a writer waits: shared waits behind it", WRITER_WAITS, ExAcquireResourceSharedLite, FALSE },
    { "a writer waits: starve exclusive overtakes it", WRITER_WAITS, ExAcquireSharedStarveExclusive, TRUE },
    { "a writer waits: wait for exclusive waits", WRITER_WAITS, ExAcquireSharedWaitForExclusive, FALSE },
    { "exclusive by another: exclusive waits", EXCLUSIVE_BY_OTHER, ExAcquireResourceExclusiveLite, FALSE },
    { "exclusive by another: shared waits", EXCLUSIVE_BY_OTHER, ExAcquireResourceSharedLite, FALSE },
    { "exclusive by another: starve exclusive waits", EXCLUSIVE_BY_OTHER, ExAcquireSharedStarveExclusive, FALSE },
    { "exclusive by another: wait for exclusive waits", EXCLUSIVE_BY_OTHER, ExAcquireSharedWaitForExclusive, FALSE },
    { "a reader asks exclusive: waits for itself", SHARED_BY_ME_TOO, ExAcquireResourceExclusiveLite, FALSE },
    { "a reader once more", SHARED_BY_ME_TOO, ExAcquireResourceSharedLite, TRUE },
    { "a reader once more, a writer waits: shared enters", SHARED_BY_ME_TOO_WRITER_WAITS, ExAcquireResourceSharedLite, TRUE },
    { "a reader once more, a writer waits: starve enters", SHARED_BY_ME_TOO_WRITER_WAITS, ExAcquireSharedStarveExclusive, TRUE },
    { "a reader once more, a writer waits: wait for it", SHARED_BY_ME_TOO_WRITER_WAITS, ExAcquireSharedWaitForExclusive, FALSE },
    { "the writer once more: exclusive", EXCLUSIVE_BY_ME, ExAcquireResourceExclusiveLite, TRUE },
    { "the writer once more: shared", EXCLUSIVE_BY_ME, ExAcquireResourceSharedLite, TRUE },
    { "the writer once more: starve exclusive", EXCLUSIVE_BY_ME, ExAcquireSharedStarveExclusive, TRUE },
    { "the writer once more: wait for exclusive", EXCLUSIVE_BY_ME, ExAcquireSharedWaitForExclusive, TRUE },
};

static void check_entry(void **state)
{
    const struct entry_case *c = *state;
    bool                     mine = c->situation >= SHARED_BY_ME_TOO;
    bool                     writer = c->situation == WRITER_WAITS || c->situation == SHARED_BY_ME_TOO_WRITER_WAITS;
    bool                     has_other = c->situation != FREE && c->situation != EXCLUSIVE_BY_ME;
    BOOLEAN                  granted;
    player_t                 other, waiting;

    if (has_other)
        start_owner(&other, c->situation == EXCLUSIVE_BY_OTHER ? ExAcquireResourceExclusiveLite : ExAcquireResourceSharedLite);
    if (mine)
        assert_true((c->situation == EXCLUSIVE_BY_ME ? ExAcquireResourceExclusiveLite : ExAcquireResourceSharedLite)(&resource, FALSE));
    if (writer)
        start_waiting_writer(&waiting);

    granted = c->acquire(&resource, FALSE);
    assert_int_equal(granted, c->granted);
    assert_int_equal(ExIsResourceAcquiredLite(&resource), (mine ? 1u : 0u) + granted);
    assert_int_equal(ExGetSharedWaiterCount(&resource), 0);
    assert_int_equal(ExGetExclusiveWaiterCount(&resource), writer);
    if (c->situation == EXCLUSIVE_BY_ME)
        assert_true(ExIsResourceAcquiredExclusiveLite(&resource));
    else
        assert_int_equal(ExIsResourceAcquiredExclusiveLite(&resource), granted && c->acquire == ExAcquireResourceExclusiveLite);

    if (granted)
        ExReleaseResourceLite(&resource);
    if (mine)
        ExReleaseResourceLite(&resource);
    if (has_other)
        finish(&other);
    if (writer)
        finish(&waiting);
    assert_int_equal(ExIsResourceAcquiredLite(&resource), 0);
    assert_true(ExAcquireResourceExclusiveLite(&resource, FALSE)); /* all of it is free again */
    ExReleaseResourceLite(&resource);
}

/* ---- who goes next ---- */

static void last_reader_lets_the_first_writer_in(void **state)
{
    player_t writer[2], reader;
    (void)state;

    assert_true(ExAcquireResourceSharedLite(&resource, TRUE));
    start_waiting_writer(&writer[0]);
    start_waiting_writer(&writer[1]);
    start_waiting_reader(&reader);
    ExReleaseResourceLite(&resource);
    EVENTUALLY(atomic_load(&writer[0].order) == 1);
    assert_int_equal(ExGetExclusiveWaiterCount(&resource), 1);
    finish(&writer[0]); /* a writer who leaves lets the readers in ahead of the next writer */
    EVENTUALLY(atomic_load(&reader.order) == 2);
    assert_int_equal(atomic_load(&writer[1].order), 0);
    finish(&reader);
    EVENTUALLY(atomic_load(&writer[1].order) == 3);
    finish(&writer[1]);
}

static void writer_lets_all_readers_in(void **state)
{
    player_t reader[3];
    (void)state;

    assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
    assert_true(ExAcquireResourceSharedLite(&resource, TRUE));
    for (int i = 0; i < 3; i++)
        start_waiting_reader(&reader[i]);
    ExReleaseResourceLite(&resource);
    assert_int_equal(ExGetSharedWaiterCount(&resource), 3); /* acquired twice, released once */
    ExReleaseResourceLite(&resource);
    assert_int_equal(ExGetSharedWaiterCount(&resource), 0); /* it was handed over there and then */
    assert_false(ExAcquireResourceExclusiveLite(&resource, FALSE));
    for (int i = 0; i < 3; i++)
        EVENTUALLY(atomic_load(&reader[i].order) != 0);
    for (int i = 0; i < 3; i++)
        finish(&reader[i]);
}

static void converting_lets_readers_in_and_keeps_writers_out(void **state)
{
    player_t writer, reader;
    (void)state;

    assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
    start_waiting_writer(&writer);
    start_waiting_reader(&reader);
    ExConvertExclusiveToSharedLite(&resource);
    EVENTUALLY(atomic_load(&reader.order) == 1);
    assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
    assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 1);
    assert_int_equal(atomic_load(&writer.order), 0);
    finish(&reader);
    assert_int_equal(atomic_load(&writer.order), 0); /* this thread shares it still */
    ExReleaseResourceLite(&resource);
    EVENTUALLY(atomic_load(&writer.order) == 2);
    finish(&writer);
}

/* ExAcquireSharedWaitForExclusive by a reader: somebody else has to release its old share, and the writer goes first. */
static _Atomic bool             has_first_share, ask_again;
static _Atomic ERESOURCE_THREAD asker;

static BOOLEAN share_then_wait_for_exclusive(PERESOURCE r, BOOLEAN wait)
{
    asker = ExGetCurrentResourceThread();
    ExAcquireResourceSharedLite(r, TRUE);
    has_first_share = true;
    while (!ask_again)
        nap();
    return ExAcquireSharedWaitForExclusive(r, wait);
}

static void reader_waits_for_a_writer_it_holds_up(void **state)
{
    player_t writer, reader;
    (void)state;

    has_first_share = ask_again = false;
    start(&reader, share_then_wait_for_exclusive);
    EVENTUALLY(has_first_share);
    start_waiting_writer(&writer);
    ask_again = true;
    EVENTUALLY(ExGetSharedWaiterCount(&resource) == 1);
    assert_int_equal(atomic_load(&reader.order) + atomic_load(&writer.order), 0); /* each waits for the other */
    ExReleaseResourceForThreadLite(&resource, asker);
    EVENTUALLY(atomic_load(&writer.order) == 1);
    assert_int_equal(atomic_load(&reader.order), 0);
    finish(&writer);
    EVENTUALLY(atomic_load(&reader.order) == 2);
    finish(&reader);
}

static void an_owner_pointer_releases_it(void **state)
{
    static ULONG_PTR owner; /* somewhere in nonpaged memory */
    PVOID            pointer = (PVOID)((ULONG_PTR)&owner | 3);
    (void)state;
    assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
    ExSetResourceOwnerPointer(&resource, pointer);
    assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
    assert_false(ExAcquireResourceSharedLite(&resource, FALSE));
    ExReleaseResourceForThreadLite(&resource, (ERESOURCE_THREAD)pointer);
    assert_true(ExAcquireResourceSharedLite(&resource, FALSE));
    ExReleaseResourceLite(&resource);
}

/* ---- owners that do not fit into the structure ---- */

static void many_readers(void **state)
{
    enum { READERS = 40 };
    player_t reader[READERS];
    (void)state;

    assert_null(resource.OwnerTable);
    for (int i = 0; i < READERS; i++)
        start_owner(&reader[i], ExAcquireResourceSharedLite);
    assert_non_null(resource.OwnerTable);
    assert_int_equal(resource.ActiveEntries, READERS);
    for (int i = 0; i < READERS; i += 2)
        finish(&reader[i]);
    assert_true(ExAcquireResourceSharedLite(&resource, FALSE));
    ExReleaseResourceLite(&resource);
    for (int i = 1; i < READERS; i += 2)
        finish(&reader[i]);
    assert_int_equal(resource.ActiveEntries, 0);
    assert_true(ntmm_check());

    assert_int_equal(ExReinitializeResourceLite(&resource), STATUS_SUCCESS);
    assert_non_null(resource.OwnerTable); /* the memory stays, its contents are zero */
    for (ULONG i = 1; i < resource.OwnerTable[0].TableSize; i++)
        assert_true(resource.OwnerTable[i].OwnerThread == 0 && resource.OwnerTable[i].OwnerCount == 0);
}

static void undeleted_resource_leaks_its_table(void **state)
{
    ntmm_report report;
    player_t    reader;
    (void)state;

    assert_int_equal(ntmm_boot(NULL), 0);
    ExInitializeResourceLite(&resource);
    assert_true(ExAcquireResourceSharedLite(&resource, TRUE));
    start_owner(&reader, ExAcquireResourceSharedLite);
    finish(&reader);
    ExReleaseResourceLite(&resource);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, TABLE_TAG);
}

static void refused_memory_is_not_granted_at_once_and_waited_for(void **state)
{
    player_t other;
    (void)state;

    start_owner(&other, ExAcquireResourceSharedLite);
    ntmm_fail_allocation(1);
    assert_false(ExAcquireResourceSharedLite(&resource, FALSE));
    ntmm_fail_allocation(1);
    assert_true(ExAcquireResourceSharedLite(&resource, TRUE));
    ntmm_fail_allocation(0);
    ExReleaseResourceLite(&resource);
    finish(&other);
}

/* ---- mistakes ---- */

static void release_body(void *context) { ExReleaseResourceLite(context); }
static void convert_body(void *context) { ExConvertExclusiveToSharedLite(context); }
static void release_for_body(void *context) { ExReleaseResourceForThreadLite(&resource, *(ERESOURCE_THREAD *)context); }

static void check_not_owned(ntmm_bugcheck stop, ERESOURCE_THREAD thread, const void *table)
{
    assert_int_equal(stop.code, RESOURCE_NOT_OWNED);
    assert_int_equal(stop.parameter[0], (uintptr_t)&resource);
    assert_int_equal(stop.parameter[1], thread);
    assert_int_equal(stop.parameter[2], (uintptr_t)table);
    assert_int_equal(stop.parameter[3], 3);
}

static void releasing_a_free_resource(void **state)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread();
    (void)state;
    check_not_owned(stop_of(release_body, &resource), self, NULL);
}

static void releasing_once_too_often(void **state)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread();
    (void)state;
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    ExReleaseResourceLite(&resource);
    ExReleaseResourceLite(&resource);
    check_not_owned(stop_of(release_body, &resource), self, NULL);
}

static void releasing_what_another_owns(void **state)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread();
    POWNER_ENTRY     table;
    player_t         owner[2];
    (void)state;
    start_owner(&owner[0], ExAcquireResourceSharedLite);
    start_owner(&owner[1], ExAcquireResourceSharedLite);
    table = resource.OwnerTable;
    assert_non_null(table);
    check_not_owned(stop_of(release_body, &resource), self, table);
    for (int i = 0; i < 2; i++)
        finish(&owner[i]);
}

static void releasing_for_a_thread_that_owns_nothing(void **state)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread(), other = self + 64;
    (void)state;
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    check_not_owned(stop_of(release_for_body, &other), other, NULL);
}

static void converting_what_is_only_shared(void **state)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread();
    (void)state;
    ExAcquireResourceSharedLite(&resource, TRUE);
    check_not_owned(stop_of(convert_body, &resource), self, NULL);
}

static void acquire_at_dispatch_body(void *context)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    ((acquire_t)context)(&resource, FALSE);
}
static void check_irql(void **state)
{
    ntmm_bugcheck stop = stop_of(acquire_at_dispatch_body, *state);
    assert_int_equal(stop.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(stop.parameter[1], DISPATCH_LEVEL);
    assert_int_equal(stop.irql, DISPATCH_LEVEL);
}

static void what_dispatch_level_may_do(void **state)
{
    KIRQL irql;
    (void)state;
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_true(ExIsResourceAcquiredExclusiveLite(&resource));
    assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 1);
    assert_int_equal(ExGetExclusiveWaiterCount(&resource), 0);
    assert_int_equal(ExGetSharedWaiterCount(&resource), 0);
    ExReleaseResourceLite(&resource);
    ExReinitializeResourceLite(&resource);
    KeLowerIrql(irql);
}

static void bugcheck_body(void *context)
{
    (void)context;
    KeBugCheckEx(MANUALLY_INITIATED_CRASH, 1, 2, 3, 4);
}
static void halted_machine_ends_waits(void **state)
{
    player_t writer, reader;
    (void)state;
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    start_waiting_writer(&writer);
    start_waiting_reader(&reader);
    assert_int_equal(stop_of(bugcheck_body, NULL).code, MANUALLY_INITIATED_CRASH);
    pthread_join(writer.thread, NULL);
    pthread_join(reader.thread, NULL);
    assert_true(writer.halted && reader.halted);
    assert_int_equal(atomic_load(&let_in), 0);
}

/* A driver's global outlives the machine that stopped with it owned; the next machine loads the driver afresh. */
static void resource_of_a_stopped_machine_is_new_on_the_next(void **state)
{
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    ExInitializeResourceLite(&resource);
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    stop_of(bugcheck_body, NULL);
    assert_false(ExAcquireResourceExclusiveLite(&resource, TRUE)); /* refused: the machine is halted */
    ntmm_shutdown(NULL);
    assert_int_equal(ntmm_boot(NULL), 0);
    assert_int_equal(ExIsResourceAcquiredLite(&resource), 0);
    assert_true(ExAcquireResourceSharedLite(&resource, FALSE));
    ExReleaseResourceLite(&resource);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void critical_region_in_one_call(void **state)
{
    static PVOID (*const ENTER[])(PERESOURCE) = { ExEnterCriticalRegionAndAcquireResourceExclusive,
                                                  ExEnterCriticalRegionAndAcquireResourceShared,
                                                  ExEnterCriticalRegionAndAcquireSharedWaitForExclusive };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_false(KeAreApcsDisabled());
        ENTER[i](&resource);
        assert_true(KeAreApcsDisabled());
        assert_int_equal(ExIsResourceAcquiredLite(&resource), 1);
        assert_int_equal(ExIsResourceAcquiredExclusiveLite(&resource), i == 0);
        ExReleaseResourceAndLeaveCriticalRegion(&resource);
        assert_false(KeAreApcsDisabled());
        assert_int_equal(ExIsResourceAcquiredLite(&resource), 0);
    }
}

/* ---- readers and writers at random: a writer is alone, a reader never meets one ---- */

typedef struct crowd {
    _Atomic int  readers, writers, broken;
    _Atomic long value_changes;
    uint64_t     value[2]; /* both the same whenever nobody writes */
} crowd_t;
typedef struct member {
    crowd_t *crowd;
    uint32_t seed;
} member_t;

static void write_once(crowd_t *c)
{
    if (atomic_fetch_add(&c->writers, 1) != 0 || atomic_load(&c->readers) != 0)
        atomic_fetch_add(&c->broken, 1);
    c->value[0]++;
    c->value[1]++;
    atomic_fetch_sub(&c->writers, 1);
}
static void read_once(crowd_t *c)
{
    atomic_fetch_add(&c->readers, 1);
    if (atomic_load(&c->writers) != 0 || c->value[0] != c->value[1])
        atomic_fetch_add(&c->broken, 1);
    atomic_fetch_sub(&c->readers, 1);
}

static void *mill_about(void *context)
{
    static const acquire_t SHARED[] = { ExAcquireResourceSharedLite, ExAcquireSharedStarveExclusive, ExAcquireSharedWaitForExclusive };
    member_t              *m = context;
    for (int i = 0; i < 2000; i++) {
        m->seed = m->seed * 1664525u + 1013904223u;
        uint32_t r = m->seed >> 16;
        KeEnterCriticalRegion();
        if (r % 4 == 0) {
            if (ExAcquireResourceExclusiveLite(&resource, (r & 16) != 0)) {
                write_once(m->crowd);
                if (r & 32) { /* from now on a reader among readers */
                    ExConvertExclusiveToSharedLite(&resource);
                    read_once(m->crowd);
                }
                ExReleaseResourceLite(&resource);
            }
        } else if (SHARED[r % 4 - 1](&resource, (r & 16) != 0)) {
            read_once(m->crowd);
            ExReleaseResourceLite(&resource);
        }
        KeLeaveCriticalRegion();
    }
    return NULL;
}

static void crowd_of_threads(void **state)
{
    enum { MEMBERS = 6 };
    const char *given = getenv("NTMM_SEED");
    uint32_t    seed = given != NULL ? (uint32_t)strtoul(given, NULL, 0) : 0x5eed;
    crowd_t     crowd = { 0 };
    member_t    member[MEMBERS];
    pthread_t   thread[MEMBERS];
    (void)state;

    print_message("NTMM_SEED=%u\n", seed);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        member[i] = (member_t){ &crowd, seed + i * 7919u };
        assert_int_equal(pthread_create(&thread[i], NULL, mill_about, &member[i]), 0);
    }
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&crowd.broken), 0);
    assert_int_equal(crowd.value[0], crowd.value[1]);
    assert_int_equal(resource.ActiveEntries, 0);
    assert_int_equal(ExGetExclusiveWaiterCount(&resource) + ExGetSharedWaiterCount(&resource), 0);
    assert_true(ntmm_check());
}

#define HEALTHY(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)
#define STOPS(test) cmocka_unit_test_setup_teardown(test, boot, shut_down_halted)
#define IRQL_RULE(acquire) \
    { \
        "irql rule of " #acquire, check_irql, boot, shut_down_halted, (void *)(acquire) \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEALTHY(last_reader_lets_the_first_writer_in),
        HEALTHY(writer_lets_all_readers_in),
        HEALTHY(converting_lets_readers_in_and_keeps_writers_out),
        HEALTHY(reader_waits_for_a_writer_it_holds_up),
        HEALTHY(an_owner_pointer_releases_it),
        HEALTHY(many_readers),
        cmocka_unit_test(undeleted_resource_leaks_its_table),
        HEALTHY(refused_memory_is_not_granted_at_once_and_waited_for),
        STOPS(releasing_a_free_resource),
        STOPS(releasing_once_too_often),
        STOPS(releasing_what_another_owns),
        STOPS(releasing_for_a_thread_that_owns_nothing),
        STOPS(converting_what_is_only_shared),
        IRQL_RULE(ExAcquireResourceExclusiveLite),
        IRQL_RULE(ExAcquireResourceSharedLite),
        IRQL_RULE(ExAcquireSharedStarveExclusive),
        IRQL_RULE(ExAcquireSharedWaitForExclusive),
        HEALTHY(what_dispatch_level_may_do),
        STOPS(halted_machine_ends_waits),
        cmocka_unit_test(resource_of_a_stopped_machine_is_new_on_the_next),
        HEALTHY(critical_region_in_one_call),
        HEALTHY(crowd_of_threads),
    };
    enum { ENTRIES = sizeof ENTRY_CASES / sizeof ENTRY_CASES[0] };
    struct CMUnitTest entries[ENTRIES];
    int               failed;

    for (size_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct CMUnitTest){ ENTRY_CASES[i].name, check_entry, boot, shut_down, &ENTRY_CASES[i] };
    failed = cmocka_run_group_tests_name("who gets in at once", entries, NULL, NULL);
    return failed + cmocka_run_group_tests_name("who goes next, and mistakes", tests, NULL, NULL);
}
