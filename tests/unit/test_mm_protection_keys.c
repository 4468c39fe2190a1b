/*
 * test_mm_protection_keys.c - forced IRQL checking, thread by thread: what a thread at DISPATCH_LEVEL may not touch, others may. With the host's
 * protection keys, if it has any, and without; with both gates. Where the two differ, by_key says which it is.
 */
#define NTMM_USES_TRY
#include <ntmm/cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/sanitizer.h"
#include "../support/protection_key.h"
#include "../support/user_memory.h"

#define TAG NTMM_TAG("PKey")

static volatile int one = 1, sink;

NTMM_PAGEABLE_CODE static int                               tiny(int x) { return x + one; }
NTMM_PAGEABLE_DATA static volatile int                      number = 7;
__attribute__((used, section("PAGECNST"))) static const int constant = 9;
static volatile int                                        *constant_at = (volatile int *)(uintptr_t)&constant;

static ntmm_force_irql_counts counts(void)
{
    ntmm_force_irql_counts out;
    ntmm_query_force_irql(&out);
    return out;
}

static char *allocate(SIZE_T bytes)
{
    char *p = ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG);
    assert_non_null(p);
    memset(p, 1, bytes);
    return p;
}

/* ---- a second thread, which stays at PASSIVE_LEVEL and does what it is told ---- */

typedef struct helper {
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    void (*what)(volatile void *);
    volatile void *where;
    bool           asked, ends;
} helper_t;
static helper_t early = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }; /* made before any machine */

static void *help(void *argument)
{
    helper_t *helper = argument;
    pthread_mutex_lock(&helper->lock);
    while (!helper->ends) {
        while (!helper->asked)
            pthread_cond_wait(&helper->changed, &helper->lock);
        if (helper->what != NULL)
            helper->what(helper->where);
        helper->asked = false;
        pthread_cond_broadcast(&helper->changed);
    }
    pthread_mutex_unlock(&helper->lock);
    return NULL;
}

static void ask(helper_t *helper, void (*what)(volatile void *), volatile void *where)
{
    pthread_mutex_lock(&helper->lock);
    helper->what = what;
    helper->where = where;
    helper->ends = what == NULL;
    helper->asked = true;
    pthread_cond_broadcast(&helper->changed);
    while (helper->asked)
        pthread_cond_wait(&helper->changed, &helper->lock);
    pthread_mutex_unlock(&helper->lock);
}

static void write_two(volatile void *p) { poke(p, 2); }
static void read_it(volatile void *p) { sink = peek(p); }
static void call_tiny(volatile void *unused)
{
    (void)unused;
    sink = tiny(1);
}
static void lock_it(volatile void *mdl) { MmProbeAndLockPages((PMDL)(uintptr_t)mdl, KernelMode, IoWriteAccess); }
static void unlock_it(volatile void *mdl) { MmUnlockPages((PMDL)(uintptr_t)mdl); }

static KIRQL go_up(void) { return KeRaiseIrqlToDpcLevel(); }

/* ---- is there a key? ---- */

static void keys_are_used_where_there_are_any(void **state)
{
    (void)state;
    ntmm_config forced = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL }, without = forced;
    without.no_protection_keys = true;
    assert_int_equal(ntmm_boot(&forced), 0);
    assert_int_equal(counts().by_key, kernel_has_keys());
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&without), 0);
    assert_false(counts().by_key);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    assert_false(counts().by_key);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    setenv("NTMM_PROTECTION_KEYS", "off", 1);
    assert_int_equal(ntmm_boot(&forced), 0);
    assert_false(counts().by_key);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    setenv("NTMM_PROTECTION_KEYS", "perhaps", 1);
    assert_int_equal(ntmm_boot(&forced), -EINVAL);
    assert_non_null(strstr(ntmm_error(), "NTMM_PROTECTION_KEYS"));
    unsetenv("NTMM_PROTECTION_KEYS");
}

/* ---- a page that another thread has brought back ---- */

static void (*touch)(volatile void *);
static void touch_what_is_back(volatile void *p)
{
    uint64_t before = counts().given_back;
    KIRQL    irql = go_up();
    ask(&early, read_it, p);
    assert_int_equal(counts().given_back - before, !counts().by_key);
    touch(p);
    KeLowerIrql(irql);
}

/* With a key it stops the machine; without, it does not. What stops it and how is the caller's to check. */
static bool touch_stops(void (*how)(volatile void *), volatile void *p, ULONG code)
{
    touch = how;
    bool by_key = counts().by_key;
    if (by_key) {
        assert_bugcheck(code, (uintptr_t)p, touch_what_is_back(p));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
        assert_int_equal(ntmm_cmocka_caught.parameter[2], how == write_two);
    } else {
        touch_what_is_back(p);
    }
    return by_key;
}

static void paged_pool_that_is_back_is_still_closed(void **state)
{
    (void)state;
    char *p = allocate(3 * PAGE_SIZE);
    if (!touch_stops(read_it, p + PAGE_SIZE, DRIVER_IRQL_NOT_LESS_OR_EQUAL)) {
        ExFreePoolWithTag(p, TAG);
        return;
    }
    assert_int_equal(peek(p + PAGE_SIZE), 1); /* on a halted machine all may be looked at */
    ntmm_cmocka_reboot();
    p = allocate(3 * PAGE_SIZE);
    poke(p, 3);
    touch_stops(write_two, p + PAGE_SIZE, DRIVER_IRQL_NOT_LESS_OR_EQUAL);
}

/* A touch by a thread that is not in the process is a mistake of another kind. */
static void join_process(volatile void *process) { ntmm_process_attach((ntmm_process *)(uintptr_t)process); }

static void user_memory_too(void **state)
{
    (void)state;
    unsigned char *p = user_pages(2 * PAGE_SIZE);
    ask(&early, join_process, (volatile void *)PsGetCurrentProcess());
    poke(p, 1);
    if (!touch_stops(read_it, p, DRIVER_IRQL_NOT_LESS_OR_EQUAL))
        ask(&early, join_process, NULL);
}

static void data_of_drivers_too(void **state)
{
    (void)state;
    if (!touch_stops(write_two, &number, DRIVER_PORTION_MUST_BE_NONPAGED))
        return;
    ntmm_cmocka_reboot();
    number = 7;
    touch_stops(read_it, constant_at, DRIVER_PORTION_MUST_BE_NONPAGED);
    ntmm_cmocka_reboot();
    assert_int_equal(*constant_at, 9);
}

static void code_is_given_back_to_all(void **state)
{
    (void)state;
    KIRQL irql = go_up();
    ask(&early, call_tiny, NULL);
    assert_int_equal(counts().given_back, 1);
    sink = tiny(1);
    KeLowerIrql(irql);
}

static _Atomic bool stop_touching;
static void         touch_all_the_time(volatile void *p)
{
    while (!atomic_load(&stop_touching)) {
        poke(p, 5);
        sched_yield();
    }
}

static void *touch_in_a_loop(void *p)
{
    touch_all_the_time(p);
    return NULL;
}

static void read_raised(volatile void *p)
{
    KIRQL irql = go_up();
    for (int i = 0; i < 1000; i++)
        sink = peek(p);
    KeLowerIrql(irql);
}

static void nobody_is_quick_enough(void **state)
{
    (void)state;
    pthread_t thread;
    bool      by_key = counts().by_key;
    for (int i = 0; i < 5 && by_key; i++) {
        char *p = allocate(PAGE_SIZE);
        atomic_store(&stop_touching, false);
        pthread_create(&thread, NULL, touch_in_a_loop, p);
        assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, read_raised(p));
        assert_int_equal(counts().given_back, 0);
        atomic_store(&stop_touching, true);
        pthread_join(thread, NULL);
        ntmm_cmocka_reboot();
    }
}

/* ---- what is locked ---- */

static PMDL mdl_for(volatile void *p, SIZE_T bytes)
{
    PMDL mdl = IoAllocateMdl((PVOID)(uintptr_t)p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    return mdl;
}

static void write_unlocked_raised(volatile void *p)
{
    PMDL mdl = mdl_for(p, PAGE_SIZE);
    lock_it(mdl);
    KIRQL irql = go_up();
    poke(p, 3);
    assert_int_equal(peek(p), 3);
    ask(&early, write_two, p);
    assert_int_equal(peek(p), 2);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    poke(p, 4);
    KeLowerIrql(irql);
}

static void what_is_locked_stays_until_it_is_unlocked(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE);
    char          *p = allocate(PAGE_SIZE);
    if (!counts().by_key) { /* unlocked, it is open until the next raise */
        write_unlocked_raised(p);
        write_unlocked_raised(user);
        ExFreePoolWithTag(p, TAG);
        return;
    }
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, write_unlocked_raised(p));
    assert_int_equal(peek(p), 2);
    ntmm_cmocka_reboot();
    user = user_pages(PAGE_SIZE);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)user, write_unlocked_raised(user));
}

static void what_another_thread_locks_is_open(void **state)
{
    (void)state;
    char *p = allocate(2 * PAGE_SIZE);
    PMDL  mdl = mdl_for(p + PAGE_SIZE, PAGE_SIZE);
    KIRQL irql = go_up();
    ask(&early, lock_it, mdl);
    poke(p + PAGE_SIZE, 3);
    KeLowerIrql(irql);
    irql = go_up(); /* the raise closes what is not locked */
    assert_int_equal(peek(p + PAGE_SIZE), 3);
    KeLowerIrql(irql);
    ask(&early, unlock_it, mdl);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p + PAGE_SIZE, read_raised(p + PAGE_SIZE));
    IoFreeMdl(mdl);
}

static void a_locked_section_is_open_until_it_is_unlocked(void **state)
{
    (void)state;
    PVOID lock = MmLockPagableDataSection((PVOID)(uintptr_t)&number);
    KIRQL irql = go_up();
    number = 8;
    KeLowerIrql(irql);
    MmUnlockPagableImageSection(lock);
    assert_int_equal(number, 8);
    number = 7;
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)&number, read_raised(&number));
}

static unsigned char *user_page_at(PVOID base)
{
    SIZE_T bytes = PAGE_SIZE;
    assert_int_equal(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
                     STATUS_SUCCESS);
    return base;
}

static PMDL lock_and_write_raised(volatile void *p)
{
    PMDL mdl = mdl_for(p, PAGE_SIZE);
    lock_it(mdl);
    KIRQL irql = go_up();
    poke(p, 3);
    KeLowerIrql(irql);
    return mdl;
}

/* The first page is still locked when another one lies at its address. */
static void an_address_that_is_used_again(void **state)
{
    (void)state;
    (void)user_pages(PAGE_SIZE);
    unsigned char *p = user_page_at(NULL);
    PVOID          base = p;
    SIZE_T         bytes = 0;
    PMDL           first = lock_and_write_raised(p);
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &bytes, MEM_RELEASE), STATUS_SUCCESS);
    assert_ptr_equal(user_page_at(p), p);
    PMDL second = lock_and_write_raised(p);
    unlock_it(first);
    KIRQL irql = go_up();
    poke(p, 4);
    KeLowerIrql(irql);
    unlock_it(second);
    IoFreeMdl(first);
    IoFreeMdl(second);
    assert_int_equal(peek(p), 4);
    base = p, bytes = 0;
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &bytes, MEM_RELEASE), STATUS_SUCCESS);
    assert_true(ntmm_check());
}

/* More than there is room for in the table of pages that are left out: the thread has the key opened, and it is counted. */
static void any_number_of_pages_can_be_locked(void **state)
{
    (void)state;
    enum { COUNT = 1500 };
    char *p = allocate(COUNT * PAGE_SIZE);
    PMDL  mdl = mdl_for(p, COUNT * PAGE_SIZE);
    lock_it(mdl);
    for (int round = 0; round < 2; round++) {
        KIRQL irql = go_up();
        for (SIZE_T i = 0; i < COUNT; i++)
            poke(p + i * PAGE_SIZE, (unsigned char)(round + 2));
        KeLowerIrql(irql);
    }
    assert_int_equal(counts().given_back, counts().by_key ? 2 : 0);
    assert_int_equal(peek(p + (COUNT - 1) * PAGE_SIZE), 3);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    assert_true(ntmm_check());
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, read_raised(p));
}

/* ---- threads and handlers that find the key closed and may have it open ---- */

static void *write_three(void *p)
{
    poke(p, 3);
    return NULL;
}

static void any_thread_below_is_served(void **state)
{
    (void)state;
    pthread_t thread;
    char     *p = allocate(PAGE_SIZE);
    ask(&early, write_two, p);
    assert_int_equal(peek(p), 2);
    KIRQL irql = go_up();
    pthread_create(&thread, NULL, write_three, p); /* it inherits what its maker has closed */
    pthread_join(thread, NULL);
    KeLowerIrql(irql);
    assert_int_equal(peek(p), 3);
    ExFreePoolWithTag(p, TAG);
}

static char *handlers;
static void  touch_in_a_handler(int signal)
{
    (void)signal;
    poke(handlers, 4);
}
static void raise_signal_raised(void *unused)
{
    (void)unused;
    KIRQL irql = go_up();
    pthread_kill(pthread_self(), SIGUSR1);
    KeLowerIrql(irql);
}

static void signal_handlers_have_the_irql_of_their_thread(void **state)
{
    (void)state;
    if (WATCHED_BY_TSAN) /* it calls the handler itself, and is not to be left by a jump */
        skip();
    struct sigaction action = { .sa_handler = touch_in_a_handler, .sa_flags = SA_NODEFER }, before; /* it is left by a stop */
    sigaction(SIGUSR1, &action, &before);
    handlers = allocate(PAGE_SIZE);
    pthread_kill(pthread_self(), SIGUSR1);
    assert_int_equal(peek(handlers), 4);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)handlers, raise_signal_raised(NULL));
    sigaction(SIGUSR1, &before, NULL);
}

static void a_walk_at_dispatch_level_leaves_it_closed(void **state)
{
    (void)state;
    char *p = allocate(PAGE_SIZE), *small = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    KIRQL irql = go_up();
    assert_true(ntmm_check());
    KeLowerIrql(irql);
    small[0] = 1;
    ExFreePoolWithTag(small, TAG);
    touch_stops(read_it, p, DRIVER_IRQL_NOT_LESS_OR_EQUAL);
    if (!ntmm_is_halted())
        ExFreePoolWithTag(p, TAG);
}

static void a_forked_child_boots_its_own(void **state)
{
    (void)state;
    int   status;
    KIRQL irql = go_up();
    pid_t child = fork();
    if (child == 0) {
        ntmm_config config = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL };
        int         wrong = ntmm_boot(&config) != 0;
        char       *p = wrong ? NULL : ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, TAG);
        if (p != NULL) {
            *(volatile char *)p = 1;
            KeLowerIrql(go_up());
            *(volatile char *)p = 2;
            ExFreePoolWithTag(p, TAG);
        }
        _exit(wrong || p == NULL || ntmm_shutdown(NULL) != 0);
    }
    KeLowerIrql(irql);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_machine_without_it_has_nothing_closed(void **state)
{
    (void)state;
    char *p = allocate(PAGE_SIZE);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)p, read_raised(p));
    assert_true(ntmm_shutdown(NULL) != SIZE_MAX);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    p = allocate(PAGE_SIZE);
    read_raised(p);
    ExFreePoolWithTag(p, TAG);
    ask(&early, call_tiny, NULL);
    number = 7;
}

#define FORCED(how_gate, without) \
    { \
        .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL, .page_gate = how_gate, .no_protection_keys = without \
    }
static const ntmm_config keyed = FORCED(NTMM_GATE_BEST, false), keyed_protect = FORCED(NTMM_GATE_MPROTECT, false);
static const ntmm_config keyless = FORCED(NTMM_GATE_BEST, true), keyless_protect = FORCED(NTMM_GATE_MPROTECT, true);

#define ALL(test) \
    ntmm_cmocka_test_config(test, &keyed), ntmm_cmocka_test_config(test, &keyed_protect), ntmm_cmocka_test_config(test, &keyless), \
        ntmm_cmocka_test_config(test, &keyless_protect)

int main(void)
{
    pthread_create(&early.thread, NULL, help, &early);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_used_where_there_are_any),
        ALL(paged_pool_that_is_back_is_still_closed),
        ALL(user_memory_too),
        ALL(nobody_is_quick_enough),
        ALL(what_is_locked_stays_until_it_is_unlocked),
        ALL(what_another_thread_locks_is_open),
        ALL(an_address_that_is_used_again),
        ALL(any_number_of_pages_can_be_locked),
        ALL(any_thread_below_is_served),
        ALL(signal_handlers_have_the_irql_of_their_thread),
        ALL(a_walk_at_dispatch_level_leaves_it_closed),
        ALL(a_forked_child_boots_its_own),
        ALL(a_machine_without_it_has_nothing_closed),
#ifdef HAVE_LINK_STEP
        ALL(data_of_drivers_too),
        ALL(code_is_given_back_to_all),
        ALL(a_locked_section_is_open_until_it_is_unlocked),
#endif
    };
    (void)data_of_drivers_too, (void)code_is_given_back_to_all, (void)a_locked_section_is_open_until_it_is_unlocked;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ask(&early, NULL, NULL);
    pthread_join(early.thread, NULL);
    return failed;
}
