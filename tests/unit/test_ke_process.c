/*
 * test_ke_process.c - processes: which one a thread runs in, how long the object lives, what is no process.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>

#include "ke/process.h"

static ke_process_t *record_of(ntmm_process *process) { return (ke_process_t *)(void *)process; }

/* ---- who is running ---- */

static void every_thread_begins_in_the_system_process(void **state)
{
    (void)state;
    assert_non_null(PsInitialSystemProcess);
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    assert_ptr_equal(IoGetCurrentProcess(), PsInitialSystemProcess);
    assert_ptr_equal(PsGetCurrentProcessId(), (HANDLE)4);
    assert_ptr_equal(PsGetProcessId(PsInitialSystemProcess), (HANDLE)4);
}

static void a_thread_attaches_and_comes_back(void **state)
{
    (void)state;
    ntmm_process *one = ntmm_process_create(), *two = ntmm_process_create();
    assert_true(one != NULL && two != NULL && one != two);
    ntmm_process_attach(one);
    PEPROCESS first = PsGetCurrentProcess();
    HANDLE    first_id = PsGetCurrentProcessId();
    assert_ptr_not_equal(first, PsInitialSystemProcess);
    ntmm_process_attach(two); /* from one to the other, without System in between */
    assert_ptr_not_equal(PsGetCurrentProcess(), first);
    assert_ptr_not_equal(PsGetCurrentProcessId(), first_id);
    assert_int_equal((uintptr_t)first_id % 4, 0);
    assert_ptr_equal(PsGetProcessId(first), first_id);
    ntmm_process_attach(two); /* once more is no harm */
    ntmm_process_attach(NULL);
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    ntmm_process_destroy(one);
    ntmm_process_destroy(two);
    assert_false(ke_process_is_at((uintptr_t)one) || ke_process_is_at((uintptr_t)two));
}

static void at_any_irql(void **state)
{
    (void)state;
    KIRQL         old;
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    KeRaiseIrql(HIGH_LEVEL, &old);
    assert_ptr_equal(PsGetCurrentProcess(), process);
    assert_ptr_equal(PsGetCurrentProcessId(), PsGetProcessId(PsGetCurrentProcess()));
    KeLowerIrql(old);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
}

static void *look_around(void *process)
{
    bool in_system = PsGetCurrentProcess() == PsInitialSystemProcess;
    ntmm_process_attach(process);
    bool in_process = PsGetCurrentProcess() == (PEPROCESS)process;
    return in_system && in_process ? process : NULL; /* the thread ends while it is attached */
}
static void another_thread_is_not_affected(void **state)
{
    (void)state;
    pthread_t     thread;
    void         *result;
    ntmm_process *process = ntmm_process_create(), *other = ntmm_process_create();
    ntmm_process_attach(other);
    assert_int_equal(pthread_create(&thread, NULL, look_around, process), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, process);
    assert_ptr_equal(PsGetCurrentProcess(), other);
    assert_int_equal(atomic_load(&record_of(process)->references), 1); /* the thread that ended has let go */
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    ntmm_process_destroy(other);
}

/* ---- how long it lives ---- */

static void the_object_lives_while_a_thread_is_in_it(void **state)
{
    (void)state;
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    ntmm_process_destroy(process);
    assert_ptr_equal(PsGetCurrentProcess(), process);
    assert_true(ke_process_is_at((uintptr_t)process));
    ntmm_process_attach(NULL);
    assert_false(ke_process_is_at((uintptr_t)process));
}

static void a_destroyed_process_is_refused(void **state)
{
    (void)state;
    ntmm_quota_usage usage;
    ntmm_process    *process = ntmm_process_create();
    ntmm_process_destroy(process);
    ntmm_process_destroy(process);
    assert_non_null(strstr(ntmm_error(), "ntmm_process_destroy"));
    ntmm_process_attach(process);
    assert_non_null(strstr(ntmm_error(), "ntmm_process_attach"));
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    ntmm_process_set_quota(process, 1, 1);
    ntmm_process_query_quota(process, &usage);
    assert_non_null(strstr(ntmm_error(), "ntmm_process_query_quota"));
    ntmm_process_destroy(NULL);
    ntmm_process *again = ntmm_process_create(); /* the record is used again, with nothing left over */
    assert_ptr_equal(again, process);
    ntmm_process_query_quota(again, &usage);
    assert_true(usage.nonpaged_bytes == 0 && usage.paged_bytes == 0 && usage.nonpaged_limit == 0 && usage.paged_limit == 0);
    ntmm_process_destroy(again);
}

static void the_system_process_cannot_be_destroyed(void **state)
{
    (void)state;
    ntmm_process_destroy((ntmm_process *)(void *)PsInitialSystemProcess);
    assert_true(ke_process_is_at((uintptr_t)PsInitialSystemProcess));
    ntmm_process_set_quota((ntmm_process *)(void *)PsInitialSystemProcess, 1, 1); /* nor limited */
    assert_int_equal(atomic_load(&ke_process_system()->limit[KE_QUOTA_PAGED]), KE_NO_QUOTA_LIMIT);
}

static void there_is_an_end_of_processes(void **state)
{
    static ntmm_process *all[5000];
    size_t               count = 0;
    (void)state;
    while (count < 5000 && (all[count] = ntmm_process_create()) != NULL)
        count++;
    assert_int_equal(count, 4095);
    assert_non_null(strstr(ntmm_error(), "4095"));
    ntmm_process_destroy(all[7]);
    assert_ptr_equal(ntmm_process_create(), all[7]);
    for (size_t i = 0; i < count; i++)
        ntmm_process_destroy(all[i]);
}

static void a_new_machine_has_none_of_the_old_ones(void **state)
{
    (void)state;
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    ntmm_cmocka_reboot();
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    assert_false(ke_process_is_at((uintptr_t)process));
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_null(PsInitialSystemProcess);
    assert_null(ntmm_process_create());
    assert_null(PsGetCurrentProcess());
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

static void most_addresses_are_no_process(void **state)
{
    (void)state;
    uintptr_t system = (uintptr_t)PsInitialSystemProcess;
    assert_true(ke_process_is_at(system));
    assert_int_equal(system % KE_PROCESS_ALIGN, 0);
    assert_false(ke_process_is_at(0) || ke_process_is_at(system + 1) || ke_process_is_at(system + 64) ||
                 ke_process_is_at(system + KE_PROCESS_ALIGN) || ke_process_is_at(system - KE_PROCESS_ALIGN) ||
                 ke_process_is_at((uintptr_t)1 << 63) || ke_process_is_at(~(uintptr_t)0 - (KE_PROCESS_ALIGN - 1)));
}

/* ---- two threads, one process ---- */

enum { ROUNDS = 20000 };
static void *come_and_go(void *process)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        ntmm_process_attach(process);
        ntmm_process_attach(i % 2 == 0 ? process : NULL);
    }
    return NULL;
}
static void references_survive_two_threads(void **state)
{
    (void)state;
    pthread_t     thread[2];
    ntmm_process *process = ntmm_process_create();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, come_and_go, process), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&record_of(process)->references), 1);
    ntmm_process_destroy(process);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(every_thread_begins_in_the_system_process),
        ntmm_cmocka_test(a_thread_attaches_and_comes_back),
        ntmm_cmocka_test(at_any_irql),
        ntmm_cmocka_test(another_thread_is_not_affected),
        ntmm_cmocka_test(the_object_lives_while_a_thread_is_in_it),
        ntmm_cmocka_test(a_destroyed_process_is_refused),
        ntmm_cmocka_test(the_system_process_cannot_be_destroyed),
        ntmm_cmocka_test(there_is_an_end_of_processes),
        ntmm_cmocka_test(a_new_machine_has_none_of_the_old_ones),
        ntmm_cmocka_test(most_addresses_are_no_process),
        ntmm_cmocka_test(references_survive_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
