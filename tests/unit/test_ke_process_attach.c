/*
 * test_ke_process_attach.c - a thread in the address space of another process: where it is, how it comes back, and what it may not do; finding
 * a process by its number, and what is known of its life.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>
#include <pthread.h>

#include "ke/process.h"

static PEPROCESS as_object(ntmm_process *process) { return (PEPROCESS)(void *)process; }
static uint32_t  references(ntmm_process *process) { return atomic_load(&((ke_process_t *)(void *)process)->references); }

/* ---- there and back ---- */

static void attaches_nest_and_come_back_in_order(void **state)
{
    (void)state;
    KAPC_STATE    outer, inner, system;
    ntmm_process *one = ntmm_process_create(), *two = ntmm_process_create();
    KeStackAttachProcess(as_object(one), &outer);
    assert_ptr_equal(PsGetCurrentProcess(), one);
    KeStackAttachProcess(as_object(two), &inner);
    assert_ptr_equal(PsGetCurrentProcess(), two);
    KeStackAttachProcess(PsInitialSystemProcess, &system);
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    KeUnstackDetachProcess(&system);
    assert_ptr_equal(PsGetCurrentProcess(), two);
    KeUnstackDetachProcess(&inner);
    assert_ptr_equal(PsGetCurrentProcess(), one);
    KeUnstackDetachProcess(&outer);
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    assert_true(references(one) == 1 && references(two) == 1);
    ntmm_process_destroy(one);
    ntmm_process_destroy(two);
}

static void to_the_same_process_again(void **state)
{
    (void)state;
    KAPC_STATE    outer, inner;
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    KeStackAttachProcess(as_object(process), &outer);
    KeStackAttachProcess(as_object(process), &inner);
    KeUnstackDetachProcess(&inner);
    KeUnstackDetachProcess(&outer);
    assert_ptr_equal(PsGetCurrentProcess(), process);
    assert_int_equal(references(process), 2);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
}

static void a_state_may_move(void **state)
{
    (void)state;
    KAPC_STATE    here, there;
    ntmm_process *process = ntmm_process_create();
    KeStackAttachProcess(as_object(process), &here);
    there = here;
    KeUnstackDetachProcess(&there);
    assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
    ntmm_process_destroy(process);
}

static void the_own_process_stays_known(void **state)
{
    (void)state;
    KAPC_STATE    apc;
    ntmm_process *own = ntmm_process_create(), *other = ntmm_process_create();
    ntmm_process_attach(own);
    KeStackAttachProcess(as_object(other), &apc);
    assert_ptr_equal(PsGetProcessId(PsGetCurrentProcess()), PsGetProcessId(as_object(other)));
    assert_ptr_equal(PsGetCurrentProcessId(), PsGetProcessId(as_object(own)));
    ntmm_process_attach(NULL); /* not now */
    assert_non_null(strstr(ntmm_error(), "KeStackAttachProcess"));
    assert_ptr_equal(PsGetCurrentProcess(), other);
    KeUnstackDetachProcess(&apc);
    assert_ptr_equal(PsGetCurrentProcess(), own);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(own);
    ntmm_process_destroy(other);
}

static void the_old_pair(void **state)
{
    (void)state;
    ntmm_process *own = ntmm_process_create(), *other = ntmm_process_create();
    ntmm_process_attach(own);
    KeAttachProcess(as_object(other));
    assert_ptr_equal(PsGetCurrentProcess(), other);
    KeDetachProcess();
    assert_ptr_equal(PsGetCurrentProcess(), own);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(own);
    ntmm_process_destroy(other);
}

static void at_apc_level(void **state)
{
    (void)state;
    KIRQL         old;
    KAPC_STATE    apc;
    ntmm_process *process = ntmm_process_create();
    KeRaiseIrql(APC_LEVEL, &old);
    KeStackAttachProcess(as_object(process), &apc);
    KeUnstackDetachProcess(&apc);
    KeLowerIrql(old);
    ntmm_process_destroy(process);
}

static void pool_is_charged_where_the_thread_is(void **state)
{
    (void)state;
    KAPC_STATE       apc;
    ntmm_quota_usage usage;
    ntmm_process    *process = ntmm_process_create();
    KeStackAttachProcess(as_object(process), &apc);
    PVOID block = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 100, NTMM_TAG("Tst1"));
    KeUnstackDetachProcess(&apc);
    ntmm_process_query_quota(process, &usage);
    assert_true(usage.paged_bytes >= 100);
    ExFreePool(block);
    ntmm_process_destroy(process);
}

/* ---- mistakes ---- */

static void detach_without_attach(void **state)
{
    (void)state;
    KAPC_STATE apc = { 0 };
    assert_bugcheck_all(INVALID_PROCESS_DETACH_ATTEMPT, &apc, PsInitialSystemProcess, 0, 0, KeUnstackDetachProcess(&apc));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(INVALID_PROCESS_DETACH_ATTEMPT, 0, PsInitialSystemProcess, 0, 0, KeDetachProcess());
}

static void detach_out_of_turn(void **state)
{
    (void)state;
    KAPC_STATE    outer, inner;
    ntmm_process *process = ntmm_process_create();
    KeStackAttachProcess(as_object(process), &outer);
    KeStackAttachProcess(as_object(process), &inner);
    assert_bugcheck_all(INVALID_PROCESS_DETACH_ATTEMPT, &outer, process, 2, 0, KeUnstackDetachProcess(&outer));
}

static void detach_twice(void **state)
{
    (void)state;
    KAPC_STATE    outer, inner;
    ntmm_process *process = ntmm_process_create();
    KeStackAttachProcess(as_object(process), &outer);
    KeStackAttachProcess(as_object(process), &inner);
    KeUnstackDetachProcess(&inner);
    assert_bugcheck_all(INVALID_PROCESS_DETACH_ATTEMPT, &inner, process, 1, 0, KeUnstackDetachProcess(&inner));
}

typedef struct borrowed {
    KAPC_STATE    apc;
    ntmm_process *process;
    ntmm_bugcheck stop;
} borrowed_t;
static void  detach_here(void *context) { KeUnstackDetachProcess(context); }
static void *use_another_threads_state(void *context)
{
    borrowed_t *it = context;
    KAPC_STATE  own;
    KeStackAttachProcess(as_object(it->process), &own);
    return ntmm_catch_bugcheck(detach_here, &it->apc, &it->stop) ? it : NULL;
}
static void a_state_of_another_thread(void **state)
{
    (void)state;
    pthread_t  thread;
    void      *caught;
    borrowed_t it = { .process = ntmm_process_create() };
    KeStackAttachProcess(as_object(it.process), &it.apc);
    assert_int_equal(pthread_create(&thread, NULL, use_another_threads_state, &it), 0);
    assert_int_equal(pthread_join(thread, &caught), 0);
    assert_ptr_equal(caught, &it);
    assert_true(it.stop.code == INVALID_PROCESS_DETACH_ATTEMPT && it.stop.parameter[0] == (uintptr_t)&it.apc);
}

static void the_old_pair_does_not_nest(void **state)
{
    (void)state;
    KAPC_STATE    apc;
    ntmm_process *own = ntmm_process_create(), *one = ntmm_process_create(), *two = ntmm_process_create();
    ntmm_process_attach(own);
    KeAttachProcess(as_object(one));
    assert_bugcheck_all(INVALID_PROCESS_ATTACH_ATTEMPT, own, one, 1, 0, KeAttachProcess(as_object(two)));
    ntmm_cmocka_reboot();
    one = ntmm_process_create();
    KeStackAttachProcess(as_object(one), &apc);
    assert_bugcheck_all(INVALID_PROCESS_ATTACH_ATTEMPT, PsInitialSystemProcess, one, 1, 0, KeAttachProcess(as_object(one)));
}

static void to_what_is_no_process(void **state)
{
    (void)state;
    KAPC_STATE    apc;
    ntmm_process *process = ntmm_process_create();
    ntmm_process_destroy(process);
    assert_bugcheck_all(INVALID_PROCESS_ATTACH_ATTEMPT, process, PsInitialSystemProcess, 0, 0,
                        KeStackAttachProcess(as_object(process), &apc));
    ntmm_cmocka_reboot();
    assert_bugcheck(INVALID_PROCESS_ATTACH_ATTEMPT, &apc, KeStackAttachProcess((PRKPROCESS)(void *)&apc, &apc));
}

static void too_high(void **state)
{
    (void)state;
    KIRQL      old;
    KAPC_STATE apc;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeStackAttachProcess(PsInitialSystemProcess, &apc));
    ntmm_cmocka_reboot();
    KeStackAttachProcess(PsInitialSystemProcess, &apc);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeUnstackDetachProcess(&apc));
    ntmm_cmocka_reboot();
    PEPROCESS found;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, PsLookupProcessByProcessId((HANDLE)4, &found));
}

static KDEFERRED_ROUTINE attach_in_dpc;
static VOID              attach_in_dpc(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    KAPC_STATE apc;
    (void)Dpc, (void)SystemArgument1, (void)SystemArgument2;
    KeStackAttachProcess(DeferredContext, &apc);
}
static void in_a_dpc(void **state)
{
    (void)state;
    KDPC          dpc;
    ntmm_process *process = ntmm_process_create();
    KeInitializeDpc(&dpc, attach_in_dpc, process);
    assert_bugcheck_all(INVALID_PROCESS_ATTACH_ATTEMPT, process, PsInitialSystemProcess, 0, 1, KeInsertQueueDpc(&dpc, NULL, NULL));
}

/* ---- by number ---- */

static void a_process_is_found_by_its_number(void **state)
{
    (void)state;
    PEPROCESS     found = NULL;
    ntmm_process *process = ntmm_process_create();
    HANDLE        id = PsGetProcessId(as_object(process));
    assert_int_equal(PsLookupProcessByProcessId(id, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, process);
    assert_int_equal(references(process), 2);
    ntmm_process_destroy(process);
    assert_int_equal(PsGetProcessExitStatus(found), STATUS_SUCCESS); /* it has ended, and is still an object */
    ObDereferenceObject(found);
    assert_int_equal(PsLookupProcessByProcessId(id, &found), STATUS_INVALID_CID);
    assert_int_equal(PsLookupProcessByProcessId((HANDLE)4, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, PsInitialSystemProcess);
    ObDereferenceObject(found);
}

static void numbers_that_nobody_has(void **state)
{
    (void)state;
    const uintptr_t ids[] = { 0, 1, 5, 8, 4096u * 4u + 4u, UINTPTR_MAX, UINTPTR_MAX - 3, (uintptr_t)1 << 40 };
    PEPROCESS       found = NULL;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(PsLookupProcessByProcessId((HANDLE)ids[i], &found), STATUS_INVALID_CID);
    assert_null(found);
}

static const ntmm_config windows_xp = { .quiet = true, .windows_version = NTDDI_WINXP };
static void              before_vista_the_status_was_another(void **state)
{
    (void)state;
    PEPROCESS found;
    assert_int_equal(PsLookupProcessByProcessId((HANDLE)400, &found), STATUS_INVALID_PARAMETER);
}

static void a_process_has_a_life(void **state)
{
    (void)state;
    LARGE_INTEGER now;
    KAPC_STATE    apc;
    ntmm_process *process = ntmm_process_create();
    ULONGLONG     key = PsGetProcessStartKey(as_object(process));
    KeQuerySystemTime(&now);
    assert_true(PsGetProcessCreateTimeQuadPart(as_object(process)) <= now.QuadPart);
    assert_int_equal(PsGetProcessExitStatus(as_object(process)), STATUS_PENDING);
    KeStackAttachProcess(as_object(process), &apc);
    assert_int_equal(PsGetProcessExitTime().QuadPart, 0);
    ntmm_process_destroy(process);
    assert_true(PsGetProcessExitTime().QuadPart >= PsGetProcessCreateTimeQuadPart(PsGetCurrentProcess()));
    KeUnstackDetachProcess(&apc);
    ntmm_process *next = ntmm_process_create();
    assert_ptr_equal(next, process); /* the same number, another key */
    assert_true(PsGetProcessStartKey(as_object(next)) != key);
    ntmm_process_destroy(next);
}

/* ---- two threads ---- */

enum { ROUNDS = 20000 };
static void *come_and_go(void *process)
{
    KAPC_STATE outer, inner;
    for (unsigned i = 0; i < ROUNDS; i++) {
        KeStackAttachProcess(process, &outer);
        KeStackAttachProcess(i % 2 == 0 ? PsInitialSystemProcess : process, &inner);
        KeUnstackDetachProcess(&inner);
        KeUnstackDetachProcess(&outer);
    }
    KeStackAttachProcess(process, &outer); /* and ends */
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
    assert_int_equal(references(process), 1);
    ntmm_process_destroy(process);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(attaches_nest_and_come_back_in_order),
        ntmm_cmocka_test(to_the_same_process_again),
        ntmm_cmocka_test(a_state_may_move),
        ntmm_cmocka_test(the_own_process_stays_known),
        ntmm_cmocka_test(the_old_pair),
        ntmm_cmocka_test(at_apc_level),
        ntmm_cmocka_test(pool_is_charged_where_the_thread_is),
        ntmm_cmocka_test(detach_without_attach),
        ntmm_cmocka_test(detach_out_of_turn),
        ntmm_cmocka_test(detach_twice),
        ntmm_cmocka_test(a_state_of_another_thread),
        ntmm_cmocka_test(the_old_pair_does_not_nest),
        ntmm_cmocka_test(to_what_is_no_process),
        ntmm_cmocka_test(too_high),
        ntmm_cmocka_test(in_a_dpc),
        ntmm_cmocka_test(a_process_is_found_by_its_number),
        ntmm_cmocka_test(numbers_that_nobody_has),
        ntmm_cmocka_test_config(before_vista_the_status_was_another, &windows_xp),
        ntmm_cmocka_test(a_process_has_a_life),
        ntmm_cmocka_test(references_survive_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
