/*
 * test_ex_object.c - references and handles: who keeps an object, what a handle is good for, and what too few references lead to.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>
#include <pthread.h>

#include "ex/handle.h"
#include "ke/thread.h"

#define TAG NTMM_TAG("Toys")
#define HANDLE_TAG NTMM_TAG("Obtb")

typedef struct toy {
    int number;
} toy_t;

static int         deleted;
static _Atomic int closed;
static void       *last_deleted;

static void toy_closed(void *object) { closed += ((toy_t *)object)->number; }
static void toy_deleted(void *object)
{
    deleted++;
    last_deleted = object;
}

static const ex_object_type_t toy_type = {
    .name = "Toy",
    .tag = TAG,
    .all_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 3,
    .generic_read = STANDARD_RIGHTS_READ | 1,
    .generic_write = STANDARD_RIGHTS_WRITE | 2,
    .generic_execute = STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE,
    .closed = toy_closed,
    .deleted = toy_deleted,
};
static POBJECT_TYPE toys(void) { return (POBJECT_TYPE)(uintptr_t)&toy_type; }

static toy_t *make(void)
{
    toy_t *toy = ex_object_create(&toy_type, sizeof *toy);
    assert_non_null(toy);
    toy->number = 1;
    deleted = 0;
    closed = 0;
    last_deleted = NULL;
    return toy;
}

static HANDLE open_toy(toy_t *toy, ULONG attributes, ACCESS_MASK access)
{
    HANDLE handle;
    assert_int_equal(ObOpenObjectByPointer(toy, attributes, NULL, access, toys(), KernelMode, &handle), STATUS_SUCCESS);
    return handle;
}

static uint64_t live(uint32_t tag, POOL_TYPE type)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(tag, type, &usage) ? usage.allocs - usage.frees : 0;
}

/* ---- references ---- */

static void the_last_reference_deletes(void **state)
{
    (void)state;
    toy_t *toy = make();
    assert_int_equal((uintptr_t)toy % 16, 0);
    assert_int_equal(ObReferenceObject(toy), 2);
    assert_int_equal(ObReferenceObjectWithTag(toy, TAG), 3);
    assert_int_equal(ObReferenceObjectByPointer(toy, 0, toys(), UserMode), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByPointerWithTag(toy, 0, NULL, KernelMode, TAG), STATUS_SUCCESS);
    assert_int_equal(ObDereferenceObject(toy), 4);
    ObDereferenceObjectDeferDelete(toy);
    ObDereferenceObjectDeferDeleteWithTag(toy, TAG);
    assert_int_equal(ObDereferenceObjectWithTag(toy, TAG), 1);
    assert_int_equal(deleted, 0);
    assert_int_equal(ObDereferenceObject(toy), 0);
    assert_int_equal(deleted, 1);
    assert_ptr_equal(last_deleted, toy);
    assert_int_equal(live(TAG, NonPagedPoolNx), 0);
}

static void up_to_dispatch_level(void **state)
{
    KIRQL old;
    (void)state;
    toy_t *toy = make();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ObReferenceObject(toy);
    assert_int_equal(ObReferenceObjectByPointer(toy, 0, toys(), KernelMode), STATUS_SUCCESS);
    ObDereferenceObject(toy);
    ObDereferenceObject(toy);
    ObDereferenceObject(toy);
    KeLowerIrql(old);
    assert_int_equal(deleted, 1);
    toy = make();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ObReferenceObject(toy));
    ntmm_cmocka_reboot();
    toy = make();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ObDereferenceObject(toy));
    ntmm_cmocka_reboot();
    toy = make();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ObReferenceObjectByPointer(toy, 0, toys(), KernelMode));
}

static void dereferenced_too_often(void **state)
{
    (void)state;
    ntmm_process *process = ntmm_process_create(); /* its home keeps its bytes, whoever refers to it */
    assert_bugcheck_all(REFERENCE_BY_POINTER, *PsProcessType, process, 0, 0, ObDereferenceObject(process));
    assert_non_null(strstr(ntmm_stop_report(), "ObfDereferenceObject"));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(REFERENCE_BY_POINTER, *PsThreadType, KeGetCurrentThread(), 0, 0, ObDereferenceObject(KeGetCurrentThread()));
}

static void what_is_no_object(void **state)
{
    _Alignas(16) static char nothing[64];
    (void)state;
    assert_bugcheck_all(REFERENCE_BY_POINTER, 0, nothing + 32, 0, 0, ObReferenceObject(nothing + 32));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(REFERENCE_BY_POINTER, 0, nothing + 33, 0, 0, ObDereferenceObject(nothing + 33));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(REFERENCE_BY_POINTER, 0, nothing + 32, 0, 0,
                        ObReferenceObjectByPointer(nothing + 32, 0, *ExEventObjectType, KernelMode));
    ntmm_cmocka_reboot();
    HANDLE handle;
    assert_bugcheck_all(REFERENCE_BY_POINTER, 0, nothing + 32, 0, 0,
                        ObOpenObjectByPointer(nothing + 32, 0, NULL, 0, NULL, KernelMode, &handle));
}

static void another_type_is_refused(void **state)
{
    HANDLE handle = (HANDLE)1;
    (void)state;
    toy_t *toy = make();
    assert_int_equal(ObReferenceObjectByPointer(toy, 0, *PsThreadType, KernelMode), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObReferenceObjectByPointer(toy, 0, NULL, UserMode), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObOpenObjectByPointer(toy, OBJ_KERNEL_HANDLE, NULL, 0, *PsProcessType, KernelMode, &handle),
                     STATUS_OBJECT_TYPE_MISMATCH);
    assert_null(handle);
    assert_int_equal(ObOpenObjectByPointer(toy, OBJ_KERNEL_HANDLE, NULL, 0, NULL, UserMode, &handle), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObDereferenceObject(toy), 0);
}

/* ---- handles ---- */

static void a_handle_keeps_its_object(void **state)
{
    void *object = NULL;
    (void)state;
    toy_t *toy = make();
    HANDLE handle = open_toy(toy, OBJ_KERNEL_HANDLE, GENERIC_READ);
    ObDereferenceObject(toy);
    assert_int_equal(deleted, 0);
    assert_int_equal(ObReferenceObjectByHandle(handle, 1, toys(), KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_ptr_equal(object, toy);
    assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
    assert_int_equal(closed, 1);
    assert_int_equal(deleted, 0);
    ObDereferenceObject(toy);
    assert_int_equal(deleted, 1);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 0);
}

static void what_a_handle_says(void **state)
{
    OBJECT_HANDLE_INFORMATION said;
    void                     *object;
    (void)state;
    toy_t *toy = make();
    HANDLE read = open_toy(toy, OBJ_KERNEL_HANDLE, GENERIC_READ), all = open_toy(toy, 0, MAXIMUM_ALLOWED);
    assert_int_equal(ObReferenceObjectByHandleWithTag(read, 0, NULL, KernelMode, TAG, &object, &said), STATUS_SUCCESS);
    assert_int_equal(said.GrantedAccess, READ_CONTROL | 1);
    assert_int_equal(said.HandleAttributes, OBJ_KERNEL_HANDLE);
    assert_int_equal(ObReferenceObjectByHandle(all, 0, NULL, KernelMode, &object, &said), STATUS_SUCCESS);
    assert_int_equal(said.GrantedAccess, toy_type.all_access);
    assert_int_equal(said.HandleAttributes, 0);
    ZwClose(read);
    ZwClose(all);
    for (int i = 0; i < 3; i++)
        ObDereferenceObject(toy);
    assert_int_equal(deleted, 1);
}

static void for_an_application_access_is_checked(void **state)
{
    void *object = (void *)1;
    (void)state;
    toy_t *toy = make();
    HANDLE handle = open_toy(toy, 0, GENERIC_READ);
    assert_true((uintptr_t)handle < 0x80000000u && (uintptr_t)handle % 4 == 0);
    assert_int_equal(ObReferenceObjectByHandle(handle, 2, toys(), UserMode, &object, NULL), STATUS_ACCESS_DENIED);
    assert_null(object);
    assert_int_equal(ObReferenceObjectByHandle(handle, 1, *ExEventObjectType, UserMode, &object, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObReferenceObjectByHandle(handle, 2, toys(), KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, 1, toys(), UserMode, &object, NULL), STATUS_SUCCESS);
    ObDereferenceObject(toy);
    ObDereferenceObject(toy);
    ZwClose(handle);
    HANDLE kernel = open_toy(toy, OBJ_KERNEL_HANDLE, GENERIC_ALL); /* an application that guesses its number */
    assert_int_equal(ObReferenceObjectByHandle(kernel, 1, toys(), UserMode, &object, NULL), STATUS_INVALID_HANDLE);
    assert_null(object);
    ZwClose(kernel);
    assert_int_equal(ObOpenObjectByPointer(toy, 0, NULL, 0x8000, toys(), UserMode, &handle), STATUS_ACCESS_DENIED);
    assert_null(handle);
    ObDereferenceObject(toy);
}

static void a_handle_belongs_to_its_process(void **state)
{
    void *object;
    (void)state;
    toy_t        *toy = make();
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    HANDLE own = open_toy(toy, 0, GENERIC_ALL), kernel = open_toy(toy, OBJ_KERNEL_HANDLE, GENERIC_ALL);
    ntmm_process_attach(NULL);
    assert_int_equal(ObReferenceObjectByHandle(own, 0, NULL, KernelMode, &object, NULL), STATUS_INVALID_HANDLE);
    assert_int_equal(ZwClose(own), STATUS_INVALID_HANDLE);
    assert_int_equal(ZwClose(kernel), STATUS_SUCCESS);
    ntmm_process_attach(process);
    assert_int_equal(ObReferenceObjectByHandle(own, 0, NULL, UserMode, &object, NULL), STATUS_SUCCESS);
    ObDereferenceObject(object);
    assert_int_equal(ZwClose(own), STATUS_SUCCESS);
    assert_int_equal(ZwClose(own), STATUS_INVALID_HANDLE); /* for an application's number no bug check */
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    ObDereferenceObject(toy);
}

static void handles_that_are_not_open(void **state)
{
    void *object = (void *)1;
    (void)state;
    assert_int_equal(ObReferenceObjectByHandle(NULL, 0, NULL, KernelMode, &object, NULL), STATUS_INVALID_HANDLE);
    assert_null(object);
    assert_int_equal(ObReferenceObjectByHandle((HANDLE)UINT64_C(0xFFFFFFFF80000123), 0, NULL, KernelMode, &object, NULL),
                     STATUS_INVALID_HANDLE);
    assert_int_equal(ObReferenceObjectByHandle((HANDLE)4, 0, NULL, UserMode, &object, NULL), STATUS_INVALID_HANDLE);
}

static void an_object_that_went_under_its_handle(void **state)
{
    void *object;
    (void)state;
    toy_t *toy = make();
    HANDLE handle = open_toy(toy, OBJ_KERNEL_HANDLE, 0);
    ObDereferenceObject(toy);
    ObDereferenceObject(toy); /* the handle's reference */
    assert_int_equal(deleted, 1);
    assert_bugcheck_all(REFERENCE_BY_POINTER, 0, toy, 0, 0, ObReferenceObjectByHandle(handle, 0, toys(), KernelMode, &object, NULL));
}

static void the_calling_process_and_thread(void **state)
{
    void *object;
    (void)state;
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    assert_int_equal(ObReferenceObjectByHandle(ZwCurrentProcess(), 0, *PsProcessType, UserMode, &object, NULL), STATUS_SUCCESS);
    assert_ptr_equal(object, process);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    assert_int_equal(ObReferenceObject(object), 2); /* it lives on */
    ObDereferenceObject(object);
    assert_int_equal(ObDereferenceObject(object), 0);
    assert_int_equal(ObReferenceObjectByHandle(NtCurrentThread(), 0, *PsThreadType, UserMode, &object, NULL), STATUS_SUCCESS);
    assert_ptr_equal(object, KeGetCurrentThread());
    ObDereferenceObject(object);
    assert_int_equal(ObReferenceObjectByHandle(NtCurrentThread(), 0, *PsProcessType, KernelMode, &object, NULL),
                     STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ZwClose(NtCurrentThread()), STATUS_SUCCESS);
    assert_int_equal(ZwClose(NtCurrentProcess()), STATUS_SUCCESS);
}

static void only_at_passive_level(void **state)
{
    void  *object;
    HANDLE handle;
    KIRQL  old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ObReferenceObjectByHandle(NULL, 0, NULL, KernelMode, &object, NULL));
    ntmm_cmocka_reboot();
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ObOpenObjectByPointer(PsInitialSystemProcess, 0, NULL, 0, NULL, KernelMode, &handle));
}

/* ---- events, processes ---- */

static void an_event_outlives_its_handle(void **state)
{
    UNICODE_STRING name;
    HANDLE         handle, again;
    void          *object;
    (void)state;
    RtlInitUnicodeString(&name, u"\\BaseNamedObjects\\Mine");
    PKEVENT event = IoCreateNotificationEvent(&name, &handle);
    assert_int_equal(ObReferenceObjectByHandle(handle, EVENT_MODIFY_STATE, *ExEventObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_ptr_equal(object, event);
    ZwClose(handle);
    assert_int_equal(KeReadStateEvent(event), 1);
    assert_ptr_not_equal(IoCreateNotificationEvent(&name, &again), event); /* the name went with the handle */
    ObDereferenceObject(event);
    ZwClose(again);
    assert_int_equal(live(NTMM_TAG("Even"), NonPagedPoolNx), 0);
    RtlInitUnicodeString(&name, u"\\KernelObjects\\HighMemoryCondition"); /* the machine's own */
    event = IoCreateNotificationEvent(&name, &handle);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, *ExEventObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_ptr_equal(object, event);
    assert_int_equal(ObDereferenceObject(event), 1);
    ZwClose(handle);
    assert_bugcheck_all(REFERENCE_BY_POINTER, *ExEventObjectType, event, 0, 0, ObDereferenceObject(event));
}

static void processes_by_number(void **state)
{
    PEPROCESS found;
    (void)state;
    assert_int_equal(PsLookupProcessByProcessId((HANDLE)4, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, PsInitialSystemProcess);
    ObDereferenceObject(found);
    ntmm_process *process = ntmm_process_create();
    HANDLE        id = PsGetProcessId((PEPROCESS)(void *)process);
    assert_int_equal(PsLookupProcessByProcessId(id, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, process);
    ntmm_process_destroy(process);
    ObDereferenceObject(found);
    assert_int_equal(PsLookupProcessByProcessId(id, &found), STATUS_INVALID_CID);
    assert_null(found);
    assert_int_equal(PsLookupProcessByProcessId((HANDLE)5, &found), STATUS_INVALID_CID);
    assert_int_equal(PsLookupProcessByProcessId((HANDLE)0, &found), STATUS_INVALID_CID);
    assert_int_equal(PsLookupProcessByProcessId((HANDLE)-4, &found), STATUS_INVALID_CID);
    assert_true(ntmm_check());
}

/* ---- failures, threads ---- */

static int failures;

static void create_and_open(void *context)
{
    HANDLE handle;
    (void)context;
    toy_t *toy = ex_object_create(&toy_type, sizeof *toy);
    failures += toy == NULL;
    if (toy == NULL)
        return;
    NTSTATUS status = ObOpenObjectByPointer(toy, 0, NULL, 0, toys(), KernelMode, &handle);
    failures += status == STATUS_INSUFFICIENT_RESOURCES && handle == NULL;
    if (NT_SUCCESS(status))
        ZwClose(handle);
    ObDereferenceObject(toy);
}

static void every_failure_leaves_nothing_behind(void **state)
{
    (void)state;
    failures = 0;
    assert_int_equal(ntmm_for_each_failure(create_and_open, NULL), 3);
    assert_int_equal(failures, 2);
    assert_int_equal(live(TAG, NonPagedPoolNx), 0);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 0);
}

enum { THREADS = 4, TURNS = 1000 };

static void *share(void *argument)
{
    toy_t   *toy = argument;
    intptr_t wrong = 0;
    for (int i = 0; i < TURNS; i++) {
        HANDLE handle;
        void  *object;
        wrong += ObOpenObjectByPointer(toy, OBJ_KERNEL_HANDLE, NULL, 0, toys(), KernelMode, &handle) != STATUS_SUCCESS;
        wrong += ObReferenceObjectByHandle(handle, 0, toys(), KernelMode, &object, NULL) != STATUS_SUCCESS || object != toy;
        ZwClose(handle);
        ObDereferenceObject(toy);
    }
    ObDereferenceObject(toy); /* each thread has a reference */
    return (void *)wrong;
}

static void threads_share_an_object(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    toy_t *toy = make();
    toy->number = 0;
    for (int i = 0; i < THREADS; i++) {
        ObReferenceObject(toy);
        assert_int_equal(pthread_create(&thread[i], NULL, share, toy), 0);
    }
    ObDereferenceObject(toy);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(deleted, 1);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 0);
}

static void a_forgotten_reference_is_a_leak(void **state)
{
    ntmm_report report;
    (void)state;
    make();
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, TAG);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(the_last_reference_deletes),
        ntmm_cmocka_test(up_to_dispatch_level),
        ntmm_cmocka_test(dereferenced_too_often),
        ntmm_cmocka_test(what_is_no_object),
        ntmm_cmocka_test(another_type_is_refused),
        ntmm_cmocka_test(a_handle_keeps_its_object),
        ntmm_cmocka_test(what_a_handle_says),
        ntmm_cmocka_test(for_an_application_access_is_checked),
        ntmm_cmocka_test(a_handle_belongs_to_its_process),
        ntmm_cmocka_test(handles_that_are_not_open),
        ntmm_cmocka_test(an_object_that_went_under_its_handle),
        ntmm_cmocka_test(the_calling_process_and_thread),
        ntmm_cmocka_test(only_at_passive_level),
        ntmm_cmocka_test(an_event_outlives_its_handle),
        ntmm_cmocka_test(processes_by_number),
        ntmm_cmocka_test(every_failure_leaves_nothing_behind),
        ntmm_cmocka_test(threads_share_an_object),
        ntmm_cmocka_test(a_forgotten_reference_is_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
