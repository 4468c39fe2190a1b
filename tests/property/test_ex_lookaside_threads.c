/*
 * test_ex_lookaside_threads.c - one lookaside list shared by several threads, with scans and with other lists that come and go meanwhile: no entry
 * has two owners, no count is lost, nothing is left.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <ntmm/cmocka.h>

#define TAG NTMM_TAG("Thrd")
#define HELD 24

enum { THREADS = 4, ROUNDS = 10000 };

typedef struct entry {
    PVOID        link; /* the list's, while it has the entry */
    _Atomic bool owned;
    unsigned     owner;
} entry_t;

static LOOKASIDE_LIST_EX shared;
static _Atomic unsigned  allocates, frees;
static _Atomic bool      failed;
static pthread_barrier_t together;

static void take(entry_t **held, unsigned *count, unsigned me)
{
    entry_t *entry = ExAllocateFromLookasideListEx(&shared);
    if (entry == NULL || atomic_exchange(&entry->owned, true))
        atomic_store(&failed, true);
    entry->owner = me;
    entry->link = entry; /* contents are the owner's */
    held[(*count)++] = entry;
    atomic_fetch_add(&allocates, 1);
}

static void give(entry_t **held, unsigned *count, unsigned me)
{
    entry_t *entry = held[--*count];
    if (entry->owner != me || entry->link != entry || !atomic_exchange(&entry->owned, false))
        atomic_store(&failed, true);
    ExFreeToLookasideListEx(&shared, entry);
    atomic_fetch_add(&frees, 1);
}

static void own_list(void)
{
    NPAGED_LOOKASIDE_LIST own = { 0 };
    ExInitializeNPagedLookasideList(&own, NULL, NULL, POOL_NX_ALLOCATION, 100, TAG, 0);
    ExFreeToNPagedLookasideList(&own, ExAllocateFromNPagedLookasideList(&own));
    ExDeleteNPagedLookasideList(&own);
}

static void work(void *argument)
{
    unsigned me = (unsigned)(size_t)argument, random = me * 2654435761u + 1, count = 0;
    entry_t *held[HELD];
    KIRQL    old;

    pthread_barrier_wait(&together);
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1664525u + 1013904223u;
        unsigned target = (random >> 16) % HELD;
        KeRaiseIrql((random >> 12) % 3 == 0 ? DISPATCH_LEVEL : PASSIVE_LEVEL, &old);
        while (count < target)
            take(held, &count, me);
        while (count > target)
            give(held, &count, me);
        KeLowerIrql(old);
        if (i % 64 == me)
            own_list();
        if (i % 200 == me)
            ntmm_balance_scan();
        if (i % 500 == me)
            ExFlushLookasideListEx(&shared);
    }
    while (count > 0)
        give(held, &count, me);
}

static void *run(void *argument)
{
    if (ntmm_catch_bugcheck(work, argument, NULL))
        atomic_store(&failed, true);
    return NULL;
}

static PVOID zeroed(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    return ExAllocatePoolZero(type, bytes, tag);
}

static void four_threads_and_one_list(void **state)
{
    pthread_t       threads[THREADS];
    ntmm_pool_usage usage;

    (void)state;
    assert_int_equal(ExInitializeLookasideListEx(&shared, zeroed, NULL, NonPagedPoolNx, 0, sizeof(entry_t), TAG, 0), STATUS_SUCCESS);
    pthread_barrier_init(&together, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    if (atomic_load(&failed))
        fail_msg("an entry had two owners, or the machine stopped: %s", ntmm_stop_report());
    assert_int_equal(shared.L.TotalAllocates, atomic_load(&allocates));
    assert_int_equal(shared.L.TotalFrees, atomic_load(&frees));
    assert_int_equal(atomic_load(&allocates), atomic_load(&frees));
    assert_true(shared.L.AllocateMisses <= shared.L.TotalAllocates && shared.L.FreeMisses <= shared.L.TotalFrees);
    assert_true(shared.L.Depth >= 4 && shared.L.Depth <= 256);
    assert_true(ntmm_check());
    ExDeleteLookasideListEx(&shared);
    assert_true(ntmm_query_tag(TAG, NonPagedPoolNx, &usage));
    assert_int_equal(usage.allocs, usage.frees);
}

/* The fixture's own machine records who called, for which each call of pool takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };

int main(void)
{
    const struct CMUnitTest tests[] = { ntmm_cmocka_test_config(four_threads_and_one_list, &PLAIN) };
    return cmocka_run_group_tests_name("ex lookaside, threads", tests, NULL, NULL);
}
