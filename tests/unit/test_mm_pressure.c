/*
 * test_mm_pressure.c - the memory conditions against what they say: after every single step of every gauge, up to its limit and back, all nine
 * events must be what the thresholds make of the counters. Then the same at random, from four threads, and with RAM that comes, goes and
 * breaks. Prints its seed; NTMM_SEED replays one.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TAG NTMM_TAG("Prss")
#define FILE_PAGES 10u

enum { LOW_MEMORY, HIGH_MEMORY, LOW_NONPAGED, HIGH_NONPAGED, LOW_PAGED, HIGH_PAGED, LOW_COMMIT, HIGH_COMMIT, MAXIMUM_COMMIT, CONDITIONS };

static const WCHAR *const NAMES[CONDITIONS] = {
    u"\\KernelObjects\\LowMemoryCondition",        u"\\KernelObjects\\HighMemoryCondition",   u"\\KernelObjects\\LowNonPagedPoolCondition",
    u"\\KernelObjects\\HighNonPagedPoolCondition", u"\\KernelObjects\\LowPagedPoolCondition", u"\\KernelObjects\\HighPagedPoolCondition",
    u"\\KernelObjects\\LowCommitCondition",        u"\\KernelObjects\\HighCommitCondition",   u"\\KernelObjects\\MaximumCommitCondition",
};

static PKEVENT     events[CONDITIONS];
static HANDLE      handles[CONDITIONS];
static uint64_t    seed, low_memory;                                 /* pages; the threshold is that of the RAM at boot */
static ntmm_config config = { .quiet = true, .no_magazines = true }; /* every page that is freed goes back at once */

static uint64_t next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}
static uint32_t below(uint64_t *state, uint32_t limit) { return (uint32_t)((next(state) >> 32) * limit >> 32); }

/* ---- the model ---- */

static uint64_t at_least_one(uint64_t n) { return n != 0 ? n : 1; }

static void expect(bool *set)
{
    ntmm_memory_usage memory;
    ntmm_pool_usage   nonpaged, paged;
    ntmm_query_memory(&memory);
    ntmm_query_pool(NonPagedPool, &nonpaged);
    ntmm_query_pool(PagedPool, &paged);
    assert_true(memory.active <= memory.committed); /* nothing takes a frame without being charged */
    assert_int_equal(memory.commit_limit, memory.total + FILE_PAGES);
    int64_t  available = (int64_t)memory.total - (int64_t)memory.bad - (int64_t)memory.committed;
    uint64_t free_nonpaged = config.nonpaged_pool_limit / PAGE_SIZE - nonpaged.pages,
             free_paged = config.paged_pool_limit / PAGE_SIZE - paged.pages;
    uint64_t low_nonpaged = at_least_one(config.nonpaged_pool_limit / PAGE_SIZE / 8),
             low_paged = at_least_one(config.paged_pool_limit / PAGE_SIZE / 8);
    set[LOW_MEMORY] = available < (int64_t)low_memory;
    set[HIGH_MEMORY] = available > 3 * (int64_t)low_memory;
    set[LOW_NONPAGED] = free_nonpaged < low_nonpaged;
    set[HIGH_NONPAGED] = free_nonpaged > 3 * low_nonpaged;
    set[LOW_PAGED] = free_paged < low_paged;
    set[HIGH_PAGED] = free_paged > 3 * low_paged;
    set[LOW_COMMIT] = memory.committed < memory.commit_limit * 50 / 100;
    set[HIGH_COMMIT] = memory.committed >= memory.commit_limit * 90 / 100;
    set[MAXIMUM_COMMIT] = memory.committed >= memory.commit_limit * 97 / 100;
}

static unsigned seen_set[CONDITIONS], seen_clear[CONDITIONS];

static void events_are_right(void)
{
    bool set[CONDITIONS];
    expect(set);
    for (int c = 0; c < CONDITIONS; c++) {
        if ((KeReadStateEvent(events[c]) != 0) != set[c])
            fail_msg("seed %llu: condition %d should be %s", (unsigned long long)seed, c, set[c] ? "set" : "clear");
        ++*(set[c] ? &seen_set[c] : &seen_clear[c]);
    }
}

/* ---- fixture ---- */

static int set_up(void **state)
{
    ntmm_memory_usage memory;
    (void)state;
    config.physical_memory = 600 * (uint64_t)PAGE_SIZE;
    config.nonpaged_pool_limit = 300 * (uint64_t)PAGE_SIZE;
    config.paged_pool_limit = 200 * (uint64_t)PAGE_SIZE;
    config.page_file_size = FILE_PAGES * (uint64_t)PAGE_SIZE;
    if (ntmm_boot(&config) != 0)
        return -1;
    memset(seen_set, 0, sizeof seen_set);
    memset(seen_clear, 0, sizeof seen_clear);
    ntmm_query_memory(&memory);
    low_memory = at_least_one(memory.total / 128);
    for (int c = 0; c < CONDITIONS; c++) {
        UNICODE_STRING name;
        RtlInitUnicodeString(&name, NAMES[c]);
        events[c] = IoCreateNotificationEvent(&name, &handles[c]);
        if (events[c] == NULL)
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int c = 0; c < CONDITIONS; c++)
        ZwClose(handles[c]);
    return ntmm_check() && ntmm_shutdown(NULL) == 0 ? 0 : -1;
}

/* ---- page by page ---- */

enum source { NONPAGED, EXECUTE, PAGED, CONTIGUOUS, NONCACHED, SOURCES };

static void *take(enum source source, size_t pages)
{
    PHYSICAL_ADDRESS zero = { .QuadPart = 0 }, highest = { .QuadPart = INT64_MAX };
    switch (source) {
    case NONPAGED: return ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, pages * PAGE_SIZE, TAG);
    case EXECUTE: return ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_UNINITIALIZED, pages * PAGE_SIZE, TAG);
    case PAGED: return ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, pages * PAGE_SIZE, TAG);
    case CONTIGUOUS: return MmAllocateContiguousMemorySpecifyCache(pages * PAGE_SIZE, zero, highest, zero, MmCached);
    default: return MmAllocateNonCachedMemory(pages * PAGE_SIZE);
    }
}

static void give(enum source source, void *block, size_t pages)
{
    if (source == CONTIGUOUS)
        MmFreeContiguousMemory(block);
    else if (source == NONCACHED)
        MmFreeNonCachedMemory(block, pages * PAGE_SIZE);
    else
        ExFreePoolWithTag(block, TAG);
}

static void up_to_the_limit_and_back(void **state)
{
    static void *blocks[1000];
    (void)state;
    events_are_right();
    for (enum source source = NONPAGED; source < SOURCES; source++) {
        size_t count = 0;
        for (; (blocks[count] = take(source, 1)) != NULL; count++)
            events_are_right();
        events_are_right();
        assert_true(source == PAGED ? count > 150 : count > 250);
        while (count != 0) {
            give(source, blocks[--count], 1);
            events_are_right();
        }
    }
    for (int c = 0; c < CONDITIONS; c++)
        assert_true(seen_set[c] > 1 && seen_clear[c] > 1);
}

/* ---- at random ---- */

enum { SLOTS = 120 };

typedef struct slot {
    void       *block;
    size_t      pages;
    enum source source;
} slot_t;

static void change(slot_t *slot, uint64_t *random)
{
    if (slot->block != NULL) {
        give(slot->source, slot->block, slot->pages);
        slot->block = NULL;
        return;
    }
    slot->source = below(random, SOURCES);
    slot->pages = 1 + below(random, below(random, 8) == 0 ? 60 : 8);
    slot->block = take(slot->source, slot->pages);
}

static void at_random(void **state)
{
    static slot_t slots[SLOTS];
    uint64_t      random = seed;
    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        unsigned busy = i / 500 % 2 == 0 ? SLOTS : SLOTS / 8; /* much in use, then little */
        slot_t  *slot = &slots[below(&random, SLOTS)];
        if (slot - slots < busy || slot->block != NULL)
            change(slot, &random);
        events_are_right();
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].block != NULL)
            change(&slots[i], &random);
    events_are_right();
}

static void a_page_that_cannot_be_had_changes_nothing(void **state)
{
    (void)state;
    for (enum source source = NONPAGED; source < SOURCES; source++) {
        assert_null(take(source, 700));
        events_are_right();
        ntmm_fail_allocation(1);
        assert_null(take(source, 1));
        ntmm_fail_allocation(0);
        events_are_right();
    }
}

static void at_dispatch_level(void **state)
{
    void *blocks[300];
    int   count = 0;
    KIRQL old;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    while (count < 300 && (blocks[count] = take(NONPAGED, 1)) != NULL)
        count++;
    assert_int_not_equal(KeReadStateEvent(events[LOW_NONPAGED]), 0);
    events_are_right();
    while (count > 0)
        give(NONPAGED, blocks[--count], 1);
    events_are_right();
    KeLowerIrql(old);
}

/* ---- RAM that changes ---- */

static void frames_that_go_bad_are_not_free(void **state)
{
    ntmm_memory_usage      memory;
    PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRanges();
    uint64_t               marked = 0;
    (void)state;
    assert_non_null(ranges);
    ntmm_query_memory(&memory);
    for (PPHYSICAL_MEMORY_RANGE range = ranges; range->NumberOfBytes.QuadPart != 0; range++)
        for (LONGLONG at = 0; at < range->NumberOfBytes.QuadPart && marked < memory.total - 10; at += PAGE_SIZE) {
            marked += ntmm_mark_bad((uint64_t)(range->BaseAddress.QuadPart + at), PAGE_SIZE);
            events_are_right();
        }
    ExFreePool(ranges);
    assert_true(seen_clear[HIGH_MEMORY] != 0);
    void *block[20];
    int   count = 0;
    while (KeReadStateEvent(events[LOW_MEMORY]) == 0 && count < 20) {
        assert_non_null(block[count] = take(NONPAGED, 1));
        count++;
        events_are_right();
    }
    assert_true(count < 20);
    assert_int_not_equal(KeReadStateEvent(events[LOW_COMMIT]), 0); /* little is committed, for all that */
    while (count > 0) {
        give(NONPAGED, block[--count], 1);
        events_are_right();
    }
}

static void ram_comes_and_goes(void **state)
{
    ntmm_memory_usage      before, after;
    PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRanges();
    int                    last = 0;
    (void)state;
    assert_non_null(ranges);
    while (ranges[last + 1].NumberOfBytes.QuadPart != 0)
        last++;
    PHYSICAL_ADDRESS at = { .QuadPart = ranges[last].BaseAddress.QuadPart + ranges[last].NumberOfBytes.QuadPart };
    LARGE_INTEGER    bytes = { .QuadPart = 1000 * (LONGLONG)PAGE_SIZE };
    ExFreePool(ranges);
    ntmm_query_memory(&before);
    void *blocks[250];
    for (int i = 0; i < 250; i++)
        blocks[i] = take(i < 150 ? NONPAGED : PAGED, 2);
    for (int pass = 0; pass < 2; pass++) {
        events_are_right();
        assert_int_equal(MmAddPhysicalMemory(&at, &bytes), STATUS_SUCCESS);
        events_are_right();
        ntmm_query_memory(&after);
        assert_int_equal(after.commit_limit, before.commit_limit + 1000);
        assert_int_equal(MmRemovePhysicalMemory(&at, &bytes), STATUS_SUCCESS);
        events_are_right();
    }
    for (int i = 0; i < 250; i++)
        if (blocks[i] != NULL)
            give(i < 150 ? NONPAGED : PAGED, blocks[i], 2);
    events_are_right();
}

/* ---- threads ---- */

enum { THREADS = 4 };

static void free_all(slot_t *slots, uint64_t *random)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].block != NULL)
            change(&slots[i], random);
}

static void *change_and_free(void *argument)
{
    slot_t  *slots = calloc(SLOTS, sizeof *slots);
    uint64_t random = seed + (uint64_t)(uintptr_t)argument * 0x9E3779B97F4A7C15ull;
    for (unsigned i = 0; slots != NULL && i < 3000; i++)
        change(&slots[below(&random, i / 300 % 2 == 0 ? SLOTS : SLOTS / 8)], &random);
    if (slots != NULL)
        free_all(slots, &random);
    free(slots);
    return NULL;
}

static void four_threads_cross_the_lines(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (uintptr_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, change_and_free, (void *)(i + 1 + 10 * (uintptr_t)round)), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        events_are_right();
    }
}

/* A driver's thread that does what the documentation says: waits for the condition, then frees what it can spare. */
typedef struct saver {
    void       *spare[100];
    _Atomic int freed, times;
    KEVENT      stop;
} saver_t;

static void *save_memory(void *argument)
{
    saver_t *saver = argument;
    PVOID    objects[] = { &saver->stop, events[LOW_NONPAGED] };
    while (KeWaitForMultipleObjects(2, objects, WaitAny, Executive, KernelMode, FALSE, NULL, NULL) == STATUS_WAIT_1) {
        atomic_fetch_add(&saver->times, 1);
        for (int i = 0; i < 10 && saver->freed < 100; i++)
            give(NONPAGED, saver->spare[saver->freed++], 1);
    }
    return NULL;
}

static void a_driver_frees_memory_when_told(void **state)
{
    static saver_t saver;
    pthread_t      thread;
    static void   *blocks[400];
    int            count = 0;
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_non_null(saver.spare[i] = take(NONPAGED, 1));
    KeInitializeEvent(&saver.stop, NotificationEvent, FALSE);
    assert_int_equal(pthread_create(&thread, NULL, save_memory, &saver), 0);
    LARGE_INTEGER moment = { .QuadPart = -2000 };
    while (saver.freed < 100) { /* about 200 of 300 pages are left, and 37 have to be */
        if ((blocks[count] = take(NONPAGED, 1)) != NULL)
            count++;
        if (KeReadStateEvent(events[LOW_NONPAGED]) != 0)
            KeDelayExecutionThread(KernelMode, FALSE, &moment);
    }
    assert_true(saver.times >= 10);
    for (int refusals = 0; refusals < 1000 && count < 280;) { /* the last blocks may still be on their way */
        if ((blocks[count] = take(NONPAGED, 1)) != NULL)
            count++;
        else if (++refusals != 0)
            KeDelayExecutionThread(KernelMode, FALSE, &moment);
    }
    assert_in_range(count, 280, 300); /* 100 more than there would be otherwise */
    while (count > 0)
        give(NONPAGED, blocks[--count], 1);
    events_are_right();
    for (int i = 0; i < 1000 && !ntmm_check(); i++) /* once the thread is asleep again it is no obstacle */
        KeDelayExecutionThread(KernelMode, FALSE, &moment);
    assert_true(ntmm_check());
    KeSetEvent(&saver.stop, 0, FALSE);
    pthread_join(thread, NULL);
}

/* ---- other machines ---- */

static bool opens_signaled(const WCHAR *text, bool *is_the_machines)
{
    UNICODE_STRING  name;
    HANDLE          handle;
    ntmm_pool_usage usage;
    RtlInitUnicodeString(&name, text);
    PKEVENT event = IoCreateNotificationEvent(&name, &handle);
    assert_non_null(event);
    ntmm_query_tag(NTMM_TAG("Even"), NonPagedPoolNx, &usage);
    *is_the_machines = usage.allocs == usage.frees;
    bool set = KeReadStateEvent(event) != 0;
    ZwClose(handle);
    return set;
}

static void older_windows_knows_fewer(void **state)
{
    static const struct {
        uint32_t version;
        int      first_unknown;
    } CASES[] = { { 0x05010000, LOW_NONPAGED }, { 0x05020000, LOW_COMMIT }, { 0x06000000, CONDITIONS }, { 0, CONDITIONS } };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .windows_version = CASES[i].version }), 0);
        for (int c = 0; c < CONDITIONS; c++) {
            bool the_machines, set = opens_signaled(NAMES[c], &the_machines);
            assert_int_equal(the_machines, c < CASES[i].first_unknown);
            if (the_machines) /* a machine that has just been booted has plenty of everything */
                assert_int_equal(set, c == HIGH_MEMORY || c == HIGH_NONPAGED || c == HIGH_PAGED || c == LOW_COMMIT);
            else
                assert_true(set); /* an ordinary event, new */
        }
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
}

#define ON_A_SMALL_MACHINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const char *given = getenv("NTMM_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&given * 0x9E3779B97F4A7C15ull | 1;
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        ON_A_SMALL_MACHINE(up_to_the_limit_and_back),
        ON_A_SMALL_MACHINE(at_random),
        ON_A_SMALL_MACHINE(a_page_that_cannot_be_had_changes_nothing),
        ON_A_SMALL_MACHINE(at_dispatch_level),
        ON_A_SMALL_MACHINE(frames_that_go_bad_are_not_free),
        ON_A_SMALL_MACHINE(ram_comes_and_goes),
        ON_A_SMALL_MACHINE(four_threads_cross_the_lines),
        ON_A_SMALL_MACHINE(a_driver_frees_memory_when_told),
        cmocka_unit_test(older_windows_knows_fewer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
