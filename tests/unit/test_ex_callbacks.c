/*
 * test_ex_callbacks.c - drivers that see handles of processes opened, and processes come and go.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#include <ntddk.h>

static int         before, after;
static ACCESS_MASK to_take, last_granted;
static PVOID       last_object;

static OB_PREOP_CALLBACK_STATUS pre(PVOID context, POB_PRE_OPERATION_INFORMATION information)
{
    assert_true(information->Operation == OB_OPERATION_HANDLE_CREATE && information->ObjectType == *PsProcessType);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    before++;
    last_object = information->Object;
    information->Parameters->CreateHandleInformation.DesiredAccess &= ~to_take;
    information->Parameters->CreateHandleInformation.DesiredAccess |= 0x8000; /* nothing can be added */
    information->CallContext = context;
    return OB_PREOP_SUCCESS;
}
static VOID post(PVOID context, POB_POST_OPERATION_INFORMATION information)
{
    assert_ptr_equal(information->CallContext, context);
    after++;
    last_granted = information->Parameters->CreateHandleInformation.GrantedAccess;
}

static NTSTATUS enlist(const WCHAR *altitude, PVOID context, PVOID *handle)
{
    OB_OPERATION_REGISTRATION operation = { PsProcessType, OB_OPERATION_HANDLE_CREATE, pre, post };
    OB_CALLBACK_REGISTRATION  registration = { .Version = OB_FLT_REGISTRATION_VERSION, .OperationRegistrationCount = 1 };
    registration.OperationRegistration = &operation;
    registration.RegistrationContext = context;
    RtlInitUnicodeString(&registration.Altitude, altitude);
    return ObRegisterCallbacks(&registration, handle);
}

static NTSTATUS open_process(HANDLE id, ACCESS_MASK access, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attributes;
    CLIENT_ID         client = { .UniqueProcess = id };
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenProcess(handle, access, &attributes, &client);
}

static void rights_are_taken(void **state)
{
    OBJECT_HANDLE_INFORMATION information;
    PVOID                     callbacks, other, object;
    HANDLE                    handle;
    (void)state;
    before = after = 0;
    to_take = 0x0001; /* PROCESS_TERMINATE */
    assert_int_equal(ObGetFilterVersion(), OB_FLT_REGISTRATION_VERSION);
    assert_int_equal(enlist(L"1000", &before, &callbacks), STATUS_SUCCESS);
    assert_int_equal(enlist(L"1000", &before, &other), STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    assert_int_equal(enlist(L"1000.5", &after, &other), STATUS_SUCCESS);
    HANDLE system = PsGetProcessId(PsInitialSystemProcess);
    assert_int_equal(open_process(system, 0x0011, &handle), STATUS_SUCCESS);
    assert_true(before == 2 && after == 2 && last_object == PsInitialSystemProcess && last_granted == 0x0010);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, *PsProcessType, KernelMode, &object, &information), STATUS_SUCCESS);
    assert_int_equal(information.GrantedAccess, 0x0010);
    ObDereferenceObject(object);
    ZwClose(handle);
    ObUnRegisterCallbacks(other);
    ObUnRegisterCallbacks(callbacks);
    assert_int_equal(open_process(system, 0x0011, &handle), STATUS_SUCCESS);
    assert_int_equal(before, 2);
    ZwClose(handle);
    assert_int_equal(open_process((HANDLE)(ULONG_PTR)0x4444, 1, &handle), STATUS_INVALID_CID);
}

static void what_makes_no_sense(void **state)
{
    OB_OPERATION_REGISTRATION operation = { IoFileObjectType, OB_OPERATION_HANDLE_CREATE, pre, post };
    OB_CALLBACK_REGISTRATION  registration = { .Version = OB_FLT_REGISTRATION_VERSION, .OperationRegistrationCount = 1 };
    PVOID                     handle;
    (void)state;
    registration.OperationRegistration = &operation;
    assert_int_equal(ObRegisterCallbacks(&registration, &handle), STATUS_INVALID_PARAMETER);
    operation.ObjectType = PsThreadType;
    operation.Operations = 0;
    assert_int_equal(ObRegisterCallbacks(&registration, &handle), STATUS_INVALID_PARAMETER);
    operation.Operations = OB_OPERATION_HANDLE_CREATE;
    registration.Version = 0x0200;
    assert_int_equal(ObRegisterCallbacks(&registration, &handle), STATUS_INVALID_PARAMETER);
}

static void every_failed_allocation(void *context)
{
    PVOID  callbacks;
    HANDLE handle;
    (void)context;
    if (!NT_SUCCESS(enlist(L"7", &before, &callbacks)))
        return;
    if (NT_SUCCESS(open_process(PsGetProcessId(PsInitialSystemProcess), 0x10, &handle)))
        ZwClose(handle);
    ObUnRegisterCallbacks(callbacks);
}
static void without_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(every_failed_allocation, NULL) == 3);
}

/* ---- processes ---- */

static int      came, went;
static NTSTATUS verdict;
static HANDLE   last_id;
static VOID     plain(HANDLE parent, HANDLE id, BOOLEAN create)
{
    assert_ptr_equal(parent, PsGetProcessId(PsInitialSystemProcess));
    came += create;
    went += !create;
    last_id = id;
}
static VOID extended(PEPROCESS process, HANDLE id, PPS_CREATE_NOTIFY_INFO info)
{
    assert_ptr_equal(PsGetProcessId(process), id);
    if (info != NULL)
        info->CreationStatus = verdict;
}
static void processes_come_and_go(void **state)
{
    (void)state;
    came = went = 0;
    verdict = STATUS_SUCCESS;
    assert_int_equal(PsSetCreateProcessNotifyRoutine(plain, TRUE), STATUS_PROCEDURE_NOT_FOUND);
    assert_int_equal(PsSetCreateProcessNotifyRoutine(plain, FALSE), STATUS_SUCCESS);
    assert_int_equal(PsSetCreateProcessNotifyRoutine(plain, FALSE), STATUS_INVALID_PARAMETER);
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx(extended, FALSE), STATUS_SUCCESS);
    ntmm_process *process = ntmm_process_create();
    assert_true(process != NULL && came == 1);
    ntmm_process_attach(process);
    assert_ptr_equal(PsGetCurrentProcessId(), last_id);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    assert_int_equal(went, 1);
    verdict = STATUS_ACCESS_DENIED;
    assert_null(ntmm_process_create());
    assert_int_equal(came, 2);
    assert_int_equal(PsSetCreateProcessNotifyRoutine(plain, TRUE), STATUS_SUCCESS);
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx(extended, TRUE), STATUS_SUCCESS);
    process = ntmm_process_create();
    assert_int_equal(came, 2);
    ntmm_process_destroy(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(rights_are_taken),
        ntmm_cmocka_test(what_makes_no_sense),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(processes_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
