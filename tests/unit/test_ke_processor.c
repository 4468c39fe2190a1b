/* test_ke_processor.c - who has which processor, what becomes of it when its thread goes away, and the records of threads. */
#include "../support/ke_machine.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic uint32_t stage;

static void wait_for_stage(uint32_t wanted)
{
    while (atomic_load(&stage) != wanted)
        host_sleep_ns(50000);
}

static bool raises_within(uint64_t ns, uint64_t *took)
{
    uint64_t begin = host_clock_ns();
    KIRQL    old = KeRaiseIrqlToDpcLevel();

    *took = host_clock_ns() - begin;
    KeLowerIrql(old);
    return *took < ns;
}

/* ---- which one ---- */

static void a_thread_alone_is_on_processor_0(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        KIRQL old = KeRaiseIrqlToDpcLevel();
        assert_int_equal(KeGetCurrentProcessorNumber(), 0);
        KeLowerIrql(old);
        assert_int_equal(KeGetCurrentProcessorNumber(), 0);
    }
}

static void *raise_and_stay(void *out)
{
    KIRQL old = KeRaiseIrqlToDpcLevel();

    *(ULONG *)out = KeGetCurrentProcessorNumber();
    atomic_store(&stage, 1);
    wait_for_stage(2);
    KeLowerIrql(old);
    return NULL;
}

static void two_threads_are_on_two_processors(void **state)
{
    ULONG     other = 99;
    KIRQL     old = KeRaiseIrqlToDpcLevel();
    pthread_t thread;

    (void)state;
    atomic_store(&stage, 0);
    thread = thread_run(raise_and_stay, &other);
    wait_for_stage(1);
    assert_int_equal(KeGetCurrentProcessorNumber(), 0);
    assert_int_equal(other, 1);
    assert_false(ke_threads_are_outside());
    atomic_store(&stage, 2);
    pthread_join(thread, NULL);
    assert_true(ke_threads_are_outside());
    KeLowerIrql(old);
}

/* ---- never more than there are ---- */

#define CROWD 4
#define ROUNDS 20000

static _Atomic int       at_dispatch, most, misplaced;
static _Atomic int       on_processor[2];
static uint64_t          per_processor[2]; /* plain: each is protected by its processor */
static pthread_barrier_t together;

static void *crowd(void *unused)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        KIRQL old = KeRaiseIrqlToDpcLevel();
        ULONG me = KeGetCurrentProcessorNumber();
        int   now = atomic_fetch_add(&at_dispatch, 1) + 1;
        if (now > atomic_load(&most))
            atomic_store(&most, now);
        if (atomic_fetch_add(&on_processor[me], 1) != 0)
            atomic_store(&misplaced, 1);
        per_processor[me]++;
        if (i % 512 == 0)
            host_yield(); /* be switched away with the processor in hand */
        atomic_fetch_sub(&on_processor[me], 1);
        atomic_fetch_sub(&at_dispatch, 1);
        KeLowerIrql(old);
    }
    return unused;
}

static void run_crowd(void)
{
    pthread_t threads[CROWD];

    most = misplaced = 0;
    per_processor[0] = per_processor[1] = 0;
    pthread_barrier_init(&together, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        threads[i] = thread_run(crowd, NULL);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    assert_int_equal(misplaced, 0);
    assert_int_equal(per_processor[0] + per_processor[1], (uint64_t)CROWD * ROUNDS);
}

static void a_crowd_on_two_processors(void **state)
{
    (void)state;
    run_crowd();
    assert_in_range(most, 1, 2);
}

static void a_crowd_on_one_processor(void **state)
{
    (void)state;
    run_crowd();
    assert_int_equal(most, 1);
}

static void a_crowd_with_the_portable_fence(void **state)
{
    bool was = host_fence_is_free;

    (void)state;
    host_fence_is_free = false; /* a host without membarrier: both sides fence for themselves */
    run_crowd();
    host_fence_is_free = was;
    assert_in_range(most, 1, 2);
}

#define HANDSHAKES 150000

static uint64_t guarded; /* plain: protected by the only processor */

static void *come_and_go(void *pauses)
{
    uint32_t random = 12345 + (uint32_t)(uintptr_t)pauses;

    pthread_barrier_wait(&together);
    for (int i = 0; i < HANDSHAKES; i++) {
        KIRQL old = KeRaiseIrqlToDpcLevel();
        if (atomic_fetch_add(&at_dispatch, 1) != 0)
            atomic_store(&misplaced, 1);
        guarded++;
        for (int n = i % 8 == 0 ? 200 : 0; n > 0; n--) /* stay longer than a taker's fence takes */
            host_pause();
        atomic_fetch_sub(&at_dispatch, 1);
        KeLowerIrql(old);
        random = random * 1664525u + 1013904223u;
        for (uint32_t n = random >> 28; n > 0; n--) /* idle for a moment: then the other one reaches for the processor */
            host_pause();
    }
    return NULL;
}

static void an_owner_that_comes_back_while_it_is_taken_over(void **state)
{
    pthread_t threads[2];

    (void)state;
    misplaced = 0;
    guarded = 0;
    pthread_barrier_init(&together, NULL, 2);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_run(come_and_go, (void *)(uintptr_t)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    assert_int_equal(misplaced, 0);
    assert_int_equal(guarded, 2 * HANDSHAKES);
}

/* ---- threads that go away ---- */

static void *raise_once_and_never_come_back(void *unused)
{
    KIRQL old = KeRaiseIrqlToDpcLevel();

    KeLowerIrql(old);
    atomic_store(&stage, 1);
    wait_for_stage(2); /* alive, owner of the processor by bias, outside of the library */
    return unused;
}

static void an_idle_processor_is_taken_over(void **state)
{
    pthread_t thread;
    uint64_t  took;

    (void)state;
    atomic_store(&stage, 0);
    thread = thread_run(raise_once_and_never_come_back, NULL);
    wait_for_stage(1);
    assert_non_null(atomic_load(&ke_processors[0].owner));
    assert_true(raises_within(UINT64_C(1000000000), &took));
    assert_ptr_equal(atomic_load(&ke_processors[0].owner), ke_self());
    atomic_store(&stage, 2);
    pthread_join(thread, NULL);
}

static void *end_at_dispatch_level(void *unused)
{
    (void)KeRaiseIrqlToDpcLevel();
    return unused;
}

static void a_thread_that_ends_leaves_no_processor_locked(void **state)
{
    uint64_t took;

    (void)state;
    pthread_join(thread_run(end_at_dispatch_level, NULL), NULL);
    assert_true(raises_within(UINT64_C(1000000000), &took));
    assert_true(ke_threads_are_outside());
}

/* ---- nobody starves, nobody waits for a dead machine ---- */

static void *hog(void *unused)
{
    atomic_fetch_add(&stage, 1);
    while (atomic_load(&stage) != 9) {
        KIRQL old = KeRaiseIrqlToDpcLevel();
        for (int i = 0; i < 1000; i++)
            host_pause();
        KeLowerIrql(old);
    }
    return unused;
}

static void a_busy_thread_does_not_starve_another(void **state)
{
    pthread_t threads[2];
    uint64_t  took;
    bool      in_time = true;

    (void)state;
    atomic_store(&stage, 0);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_run(hog, NULL);
    wait_for_stage(2);
    for (int i = 0; i < 20; i++)
        in_time = raises_within(UINT64_C(2000000000), &took) && in_time;
    atomic_store(&stage, 9);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(in_time);
}

static void raise_in_vain(void *unused)
{
    (void)unused;
    atomic_store(&stage, 1);
    (void)KeRaiseIrqlToDpcLevel();
    atomic_store(&stage, 9);
}

static void *wait_for_a_processor(void *out)
{
    ntmm_bugcheck stop;

    if (ntmm_catch_bugcheck(raise_in_vain, NULL, &stop))
        *(ULONG *)out = stop.code;
    return NULL;
}

static void who_waits_for_a_processor_leaves_a_halted_machine(void **state)
{
    ULONG     code = 0;
    pthread_t thread;

    (void)state;
    (void)KeRaiseIrqlToDpcLevel();
    atomic_store(&stage, 0);
    thread = thread_run(wait_for_a_processor, &code);
    wait_for_stage(1);
    host_sleep_ns(5000000); /* it is in the queue by now */
    assert_stop(IRQL_NOT_LESS_OR_EQUAL, 7, KeLowerIrql(7));
    pthread_join(thread, NULL);
    assert_int_equal(code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(atomic_load(&stage), 1);
}

/* ---- records and hooks ---- */

static _Atomic uint32_t starts, stops, dirty;

static void on_start(ke_thread_t *thread)
{
    atomic_fetch_add(&starts, 1);
    for (size_t i = 0; i < sizeof thread->upper; i++)
        if (thread->upper[i] != 0)
            atomic_fetch_add(&dirty, 1);
    thread->upper[17] = 42;
}

static void on_stop(ke_thread_t *thread)
{
    atomic_fetch_add(&stops, 1);
    (void)thread;
}

static void *call_in(void *out)
{
    *(PKTHREAD *)out = KeGetCurrentThread();
    return NULL;
}

static void records_serve_one_thread_after_another(void **state)
{
    PKTHREAD first = NULL, second = NULL, mine;

    (void)state;
    ke_thread_hooks = (ke_thread_hooks_t){ .start = on_start, .stop = on_stop };
    starts = stops = dirty = 0;
    mine = KeGetCurrentThread();
    assert_int_equal(starts, 1);
    pthread_join(thread_run(call_in, &first), NULL);
    pthread_join(thread_run(call_in, &second), NULL);
    ke_thread_hooks = (ke_thread_hooks_t){ .start = NULL };
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, mine);
    assert_ptr_equal(mine, KeGetCurrentThread());
    assert_int_equal(starts, 3);
    assert_int_equal(stops, 2);
    assert_int_equal(dirty, 0);
}

static void a_forked_child_is_refused(void **state)
{
    KIRQL old = KeRaiseIrqlToDpcLevel();
    int   status;
    pid_t child;

    (void)state;
    KeLowerIrql(old);
    child = fork();
    if (child == 0) { /* what ntmm's fork handler does */
        atomic_store(&ke_machine_state, KE_MACHINE_FORKED);
        ke_processors_disarm();
        bool refused =
            KeRaiseIrqlToDpcLevel() == PASSIVE_LEVEL && strstr(ntmm_error(), "forked child") != NULL && ke_self()->irql == PASSIVE_LEVEL;
        ke_threads_fork_forget();
        atomic_store(&ke_machine_state, KE_MACHINE_OFF);
        bool booted = ke_machine_boot(1) == 0 && KeRaiseIrqlToDpcLevel() == PASSIVE_LEVEL && KeGetCurrentIrql() == DISPATCH_LEVEL;
        _exit(refused && booted ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL); /* the parent goes on */
    KeLowerIrql(PASSIVE_LEVEL);
}

/* ---- asking ---- */

static struct shape_case {
    const char *name;
    uint32_t    processors, nodes;
    KAFFINITY   mask;
    int         result;
} SHAPES[] = {
    { "shape: 1 processor", 1, 1, 1, 0 },
    { "shape: 6 processors on 3 nodes", 6, 3, 0x3f, 0 },
    { "shape: 64 processors", 64, 2, ~(KAFFINITY)0, 0 },
    { "shape: no processor", 0, 1, 0, -EINVAL },
    { "shape: 65 processors", 65, 1, 0, -EINVAL },
    { "shape: no node", 1, 0, 0, -EINVAL },
    { "shape: 65 nodes", 4, 65, 0, -EINVAL },
};

static void check_shape(void **state)
{
    const struct shape_case *c = *state;
    PROCESSOR_NUMBER         number = { 9, 9, 9 };
    KAFFINITY                mask = 0;

    host_fences_start();
    assert_int_equal(ke_processors_boot(c->processors, c->nodes), c->result);
    if (c->result != 0)
        return;
    ke_machine_generation++;
    atomic_store(&ke_machine_state, KE_MACHINE_UP);
    assert_int_equal(KeQueryActiveProcessorCount(&mask), c->processors);
    assert_true(mask == c->mask);
    assert_int_equal(KeQueryActiveProcessorCount(NULL), c->processors);
    assert_int_equal(KeQueryActiveProcessorCountEx(0), c->processors);
    assert_int_equal(KeQueryActiveProcessorCountEx(1), 0);
    assert_int_equal(KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS), c->processors);
    assert_int_equal(KeQueryMaximumProcessorCount(), c->processors);
    assert_int_equal(KeQueryMaximumProcessorCountEx(0), c->processors);
    assert_int_equal(KeQueryMaximumProcessorCountEx(2), 0);
    assert_int_equal(KeQueryHighestNodeNumber(), c->nodes - 1);
    assert_int_equal(KeGetCurrentNodeNumber(), 0);
    assert_int_equal(KeGetCurrentProcessorNumberEx(&number), 0);
    assert_int_equal(KeGetCurrentProcessorIndex(), 0);
    assert_true(KeGetRecommendedSharedDataAlignment() >= 64);
    assert_int_equal(number.Group, 0);
    assert_int_equal(number.Number, 0);
    assert_int_equal(number.Reserved, 0);
    assert_int_equal(ke_processors[c->processors - 1].node, c->processors == 1 ? 0 : c->nodes - 1);
    assert_true(ke_machine_shutdown());
}

static void without_a_machine_there_are_no_processors(void **state)
{
    KAFFINITY mask = 7;

    (void)state;
    assert_int_equal(KeQueryActiveProcessorCount(&mask), 0);
    assert_int_equal(mask, 0);
    assert_int_equal(KeQueryMaximumProcessorCount(), 0);
    assert_int_equal(KeGetCurrentProcessorNumber(), 0);
    assert_null(KeGetCurrentThread());
    assert_int_equal(KeQueryHighestNodeNumber(), 0);
    assert_int_equal(KeGetCurrentNodeNumber(), 0);
    assert_non_null(strstr(ntmm_error(), "KeGetCurrentNodeNumber: no machine is up"));
}

int main(void)
{
    static const struct CMUnitTest FIXED[] = {
        cmocka_unit_test(without_a_machine_there_are_no_processors),
        cmocka_unit_test_setup_teardown(a_thread_alone_is_on_processor_0, boot_four, shut_down),
        cmocka_unit_test_setup_teardown(two_threads_are_on_two_processors, boot_four, shut_down),
        cmocka_unit_test_setup_teardown(a_crowd_on_two_processors, boot_two, shut_down),
        cmocka_unit_test_setup_teardown(a_crowd_on_one_processor, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(a_crowd_with_the_portable_fence, boot_two, shut_down),
        cmocka_unit_test_setup_teardown(an_owner_that_comes_back_while_it_is_taken_over, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(an_idle_processor_is_taken_over, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(a_thread_that_ends_leaves_no_processor_locked, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(a_busy_thread_does_not_starve_another, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(who_waits_for_a_processor_leaves_a_halted_machine, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(records_serve_one_thread_after_another, boot_one, shut_down),
        cmocka_unit_test_setup_teardown(a_forked_child_is_refused, boot_one, shut_down),
    };
    enum { FIXED_COUNT = NTMM_ARRAY_COUNT(FIXED), SHAPE_COUNT = NTMM_ARRAY_COUNT(SHAPES) };
    struct CMUnitTest tests[FIXED_COUNT + SHAPE_COUNT];

    for (size_t i = 0; i < FIXED_COUNT; i++)
        tests[i] = FIXED[i];
    for (size_t i = 0; i < SHAPE_COUNT; i++)
        tests[FIXED_COUNT + i] = (struct CMUnitTest){ .name = SHAPES[i].name, .test_func = check_shape, .initial_state = &SHAPES[i] };
    return cmocka_run_group_tests_name("ke processor", tests, NULL, NULL);
}
