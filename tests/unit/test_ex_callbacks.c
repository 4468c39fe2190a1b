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

static void of_all_subsystems(void **state)
{
    (void)state;
    verdict = STATUS_ACCESS_DENIED;
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx2((PSCREATEPROCESSNOTIFYTYPE)1, (PVOID)(uintptr_t)extended, FALSE),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)(uintptr_t)extended, TRUE),
                     STATUS_PROCEDURE_NOT_FOUND);
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)(uintptr_t)extended, FALSE),
                     STATUS_SUCCESS);
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)(uintptr_t)extended, FALSE),
                     STATUS_INVALID_PARAMETER);
    assert_null(ntmm_process_create());
    assert_int_equal(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)(uintptr_t)extended, TRUE), STATUS_SUCCESS);
    ntmm_process *process = ntmm_process_create();
    assert_non_null(process);
    ntmm_process_destroy(process);
}

/* ---- threads ---- */

static _Atomic int     threads_came, threads_went;
static _Atomic(HANDLE) thread_process, thread_id, told_on;
static VOID            thread_routine(HANDLE process, HANDLE thread, BOOLEAN create)
{
    thread_process = process;
    thread_id = thread;
    told_on = PsGetCurrentThreadId();
    assert_irql(PASSIVE_LEVEL);
    if (create)
        threads_came++;
    else
        threads_went++;
}
static VOID only_this(HANDLE process, HANDLE thread, BOOLEAN create)
{
    (void)process, (void)thread;
    (void)create;
    assert_int_equal(PsRemoveCreateThreadNotifyRoutine(only_this), STATUS_SUCCESS); /* from within */
}

static VOID  nothing_to_do(PVOID context) { *(HANDLE *)context = PsGetCurrentThreadId(); }
static PVOID start(PKSTART_ROUTINE routine, PVOID context)
{
    HANDLE handle;
    PVOID  thread;
    assert_int_equal(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, context), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, *PsThreadType, KernelMode, &thread, NULL), STATUS_SUCCESS);
    ZwClose(handle);
    return thread;
}
static void wait_for_end(PVOID thread)
{
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(thread);
}

static void threads_come_and_go(void **state)
{
    HANDLE own = NULL;
    (void)state;
    threads_came = threads_went = 0;
    assert_int_equal(PsRemoveCreateThreadNotifyRoutine(thread_routine), STATUS_PROCEDURE_NOT_FOUND);
    assert_int_equal(PsSetCreateThreadNotifyRoutine(thread_routine), STATUS_SUCCESS);
    assert_int_equal(PsSetCreateThreadNotifyRoutine(only_this), STATUS_SUCCESS);
    PVOID thread = start(nothing_to_do, &own);
    assert_int_equal(threads_came, 1);
    assert_ptr_equal(thread_process, PsGetProcessId(PsInitialSystemProcess));
    wait_for_end(thread); /* the routine has been called when the object is signaled */
    assert_int_equal(threads_went, 1);
    assert_true(thread_id == own && told_on == own);
    ntmm_process *process = ntmm_process_create();
    ntmm_process_attach(process);
    assert_int_equal(threads_came, 2);
    assert_ptr_equal(thread_process, PsGetCurrentProcessId());
    assert_ptr_equal(thread_id, PsGetCurrentThreadId());
    ntmm_process_attach(NULL);
    assert_int_equal(threads_went, 2);
    ntmm_process_destroy(process);
    assert_int_equal(PsRemoveCreateThreadNotifyRoutine(thread_routine), STATUS_SUCCESS);
    assert_int_equal(PsRemoveCreateThreadNotifyRoutine(only_this), STATUS_PROCEDURE_NOT_FOUND);
    wait_for_end(start(nothing_to_do, &own));
    assert_true(threads_came == 2 && threads_went == 2);
}

static void threads_that_are_not_of_the_system(void **state)
{
    HANDLE own;
    (void)state;
    threads_came = threads_went = 0;
    PVOID routine = (PVOID)(uintptr_t)thread_routine;
    assert_int_equal(PsSetCreateThreadNotifyRoutineEx((PSCREATETHREADNOTIFYTYPE)2, routine), STATUS_INVALID_PARAMETER);
    assert_int_equal(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem, routine), STATUS_SUCCESS);
    wait_for_end(start(nothing_to_do, &own));
    assert_int_equal(threads_came + threads_went, 0);
    ntmm_process *process = ntmm_process_create();
    in_process(process, assert_int_equal(threads_came, 1));
    assert_int_equal(threads_went, 1);
    ntmm_process_destroy(process);
    assert_int_equal(PsRemoveCreateThreadNotifyRoutine(thread_routine), STATUS_SUCCESS);
    assert_int_equal(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems, routine), STATUS_SUCCESS);
    wait_for_end(start(nothing_to_do, &own));
    assert_true(threads_came == 2 && threads_went == 2);
    for (int i = 1; i < 64; i++)
        assert_int_equal(PsSetCreateThreadNotifyRoutine(only_this), STATUS_SUCCESS);
    assert_int_equal(PsSetCreateThreadNotifyRoutine(only_this), STATUS_INSUFFICIENT_RESOURCES);
}

/* ---- a routine that is removed while it runs ---- */

static KEVENT       may_go_on;
static _Atomic bool in_routine, removed;
static VOID         waits_at_the_end(HANDLE process, HANDLE thread, BOOLEAN create)
{
    (void)process, (void)thread;
    if (create)
        return;
    in_routine = true;
    KeWaitForSingleObject(&may_go_on, Executive, KernelMode, FALSE, NULL);
    in_routine = false;
}
static VOID remove_it(PVOID unused)
{
    (void)unused;
    assert_int_equal(PsRemoveCreateThreadNotifyRoutine(waits_at_the_end), STATUS_SUCCESS);
    assert_false(in_routine);
    removed = true;
}
static void pause_for(int ms)
{
    LARGE_INTEGER time = { .QuadPart = -10000 * ms };
    KeDelayExecutionThread(KernelMode, FALSE, &time);
}
static void removed_while_it_runs(void **state)
{
    HANDLE own;
    (void)state;
    in_routine = removed = false;
    KeInitializeEvent(&may_go_on, NotificationEvent, FALSE);
    assert_int_equal(PsSetCreateThreadNotifyRoutine(waits_at_the_end), STATUS_SUCCESS);
    PVOID first = start(nothing_to_do, &own);
    while (!in_routine)
        pause_for(1);
    PVOID second = start(remove_it, NULL);
    pause_for(10);
    assert_false(removed);
    KeSetEvent(&may_go_on, 0, FALSE);
    wait_for_end(second);
    wait_for_end(first);
    assert_true(removed);
}

/* ---- images ---- */

static char       image_name[300];
static HANDLE     image_process;
static IMAGE_INFO image;
static int        images;
static VOID       image_routine(PUNICODE_STRING name, HANDLE process, PIMAGE_INFO info)
{
    for (size_t i = 0; i <= name->Length / sizeof(WCHAR); i++)
        image_name[i] = i < name->Length / sizeof(WCHAR) ? (char)name->Buffer[i] : '\0';
    image_process = process;
    image = *info;
    images++;
}

static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    (void)driver;
    assert_int_equal(images, 1); /* it was told of before */
    return STATUS_UNSUCCESSFUL;
}

static void images_are_loaded(void **state)
{
    (void)state;
    images = 0;
    assert_int_equal(PsRemoveLoadImageNotifyRoutine(image_routine), STATUS_PROCEDURE_NOT_FOUND);
    assert_int_equal(PsSetLoadImageNotifyRoutineEx(image_routine, 2), STATUS_INVALID_PARAMETER_2);
    assert_int_equal(PsSetLoadImageNotifyRoutineEx(image_routine, PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE), STATUS_SUCCESS);
    assert_null(ntmm_driver_load_as("Probe", DriverEntry));
    assert_string_equal(image_name, "\\SystemRoot\\System32\\drivers\\Probe.sys");
    assert_true(image_process == NULL && image.SystemModeImage && image.ImageAddressingMode == IMAGE_ADDRESSING_MODE_32BIT);
    assert_in_range((uintptr_t)DriverEntry, (uintptr_t)image.ImageBase, (uintptr_t)image.ImageBase + image.ImageSize - 1);
    ntmm_process *process = ntmm_process_create();
    assert_int_equal(ntmm_image_load(process, "\\Device\\HarddiskVolume1\\app.exe", (void *)0x400000, 0x9000), 0);
    assert_string_equal(image_name, "\\Device\\HarddiskVolume1\\app.exe");
    assert_true(image_process != NULL && !image.SystemModeImage && image.ImageBase == (void *)0x400000 && image.ImageSize == 0x9000);
    ntmm_process_destroy(process);
    char too_long[262];
    memset(too_long, 'a', 261);
    too_long[261] = '\0';
    assert_true(ntmm_image_load(NULL, too_long, NULL, 0) < 0);
    assert_true(ntmm_image_load((ntmm_process *)(void *)too_long, "a", NULL, 0) < 0);
    assert_int_equal(images, 2);
    assert_int_equal(PsRemoveLoadImageNotifyRoutine(image_routine), STATUS_SUCCESS);
    for (int i = 0; i < 64; i++)
        assert_int_equal(PsSetLoadImageNotifyRoutine(image_routine), STATUS_SUCCESS);
    assert_int_equal(PsSetLoadImageNotifyRoutine(image_routine), STATUS_INSUFFICIENT_RESOURCES);
}

static void registering_above_passive_level(void **state)
{
    (void)state;
    PVOID routine = (PVOID)(uintptr_t)thread_routine;
    for (int i = 0; i < 7; i++) {
        switch (i) {
        case 0: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PsSetCreateThreadNotifyRoutine(thread_routine))); break;
        case 1:
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL,
                                 at_irql(APC_LEVEL, PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem, routine)));
            break;
        case 2: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PsRemoveCreateThreadNotifyRoutine(thread_routine))); break;
        case 3: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PsSetLoadImageNotifyRoutine(image_routine))); break;
        case 4: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PsSetLoadImageNotifyRoutineEx(image_routine, 0))); break;
        case 5: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PsRemoveLoadImageNotifyRoutine(image_routine))); break;
        default:
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL,
                                 at_irql(APC_LEVEL, PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, routine, FALSE)));
            break;
        }
        ntmm_cmocka_reboot();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(rights_are_taken),
        ntmm_cmocka_test(what_makes_no_sense),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(processes_come_and_go),
        ntmm_cmocka_test(of_all_subsystems),
        ntmm_cmocka_test(threads_come_and_go),
        ntmm_cmocka_test(threads_that_are_not_of_the_system),
        ntmm_cmocka_test(removed_while_it_runs),
        ntmm_cmocka_test(images_are_loaded),
        ntmm_cmocka_test(registering_above_passive_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
