/*
 * test_io_event_handle.c - events by handle: created, opened, set, waited for; and the wait for the end of a thread.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

static OBJECT_ATTRIBUTES attributes_of(UNICODE_STRING *name, const WCHAR *text, ULONG flags)
{
    OBJECT_ATTRIBUTES attributes;
    RtlInitUnicodeString(name, text);
    InitializeObjectAttributes(&attributes, name, flags | OBJ_KERNEL_HANDLE, NULL, NULL);
    return attributes;
}

static NTSTATUS poll(HANDLE handle)
{
    LARGE_INTEGER now = { .QuadPart = 0 };
    return ZwWaitForSingleObject(handle, FALSE, &now);
}

static void without_a_name(void **state)
{
    HANDLE event;
    LONG   before = 7;
    (void)state;
    assert_int_equal(ZwCreateEvent(&event, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE), STATUS_SUCCESS);
    assert_int_equal(poll(event), STATUS_TIMEOUT);
    assert_int_equal(ZwSetEvent(event, &before), STATUS_SUCCESS);
    assert_int_equal(before, 0);
    assert_int_equal(ZwSetEvent(event, &before), STATUS_SUCCESS);
    assert_int_not_equal(before, 0);
    assert_int_equal(poll(event), STATUS_SUCCESS);
    assert_int_equal(poll(event), STATUS_TIMEOUT);
    ZwSetEvent(event, NULL);
    assert_int_equal(ZwResetEvent(event, &before), STATUS_SUCCESS);
    assert_int_not_equal(before, 0);
    ZwSetEvent(event, NULL);
    assert_int_equal(ZwClearEvent(event), STATUS_SUCCESS);
    assert_int_equal(poll(event), STATUS_TIMEOUT);
    assert_int_equal(NtClose(event), STATUS_SUCCESS);
    assert_int_equal(ZwCreateEvent(&event, EVENT_ALL_ACCESS, NULL, NotificationEvent, TRUE), STATUS_SUCCESS);
    assert_int_equal(poll(event), STATUS_SUCCESS);
    assert_int_equal(poll(event), STATUS_SUCCESS);
    ZwClose(event);
}

static void by_name(void **state)
{
    HANDLE            first, second, third;
    UNICODE_STRING    name, unknown, low;
    OBJECT_ATTRIBUTES create = attributes_of(&name, L"\\BaseNamedObjects\\Ready", 0), open_if = create,
                      other = attributes_of(&unknown, L"\\BaseNamedObjects\\Nobody", 0),
                      standard = attributes_of(&low, L"\\KernelObjects\\LowMemoryCondition", 0);
    PKEVENT event;
    (void)state;
    open_if.Attributes |= OBJ_OPENIF;
    assert_int_equal(ZwOpenEvent(&first, EVENT_ALL_ACCESS, &create), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ZwCreateEvent(&first, EVENT_ALL_ACCESS, &create, NotificationEvent, FALSE), STATUS_SUCCESS);
    assert_int_equal(ZwCreateEvent(&second, EVENT_ALL_ACCESS, &create, NotificationEvent, FALSE), STATUS_OBJECT_NAME_COLLISION);
    assert_null(second);
    assert_int_equal(ZwCreateEvent(&second, EVENT_ALL_ACCESS, &open_if, SynchronizationEvent, TRUE), STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(ZwOpenEvent(&third, EVENT_ALL_ACCESS, &create), STATUS_SUCCESS);
    assert_int_equal(poll(third), STATUS_TIMEOUT);
    ZwSetEvent(second, NULL);
    assert_int_equal(poll(first), STATUS_SUCCESS);
    assert_int_equal(poll(third), STATUS_SUCCESS); /* it is still the notification event */
    ZwClose(third);
    event = IoCreateNotificationEvent(&name, &third); /* the same name space */
    assert_int_not_equal(KeReadStateEvent(event), 0);
    ZwClose(third);
    ZwClose(first);
    ZwClose(second);
    assert_int_equal(ZwOpenEvent(&first, EVENT_ALL_ACCESS, &create), STATUS_OBJECT_NAME_NOT_FOUND); /* the name went with the last handle */
    assert_int_equal(ZwOpenEvent(&first, EVENT_ALL_ACCESS, &other), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ZwOpenEvent(&first, SYNCHRONIZE, &standard), STATUS_SUCCESS);
    assert_int_equal(poll(first), STATUS_TIMEOUT); /* there is plenty */
    ZwClose(first);
}

static VOID end_at_once(PVOID go) { KeWaitForSingleObject(go, Executive, KernelMode, FALSE, NULL); }

static void the_end_of_a_thread(void **state)
{
    KEVENT go;
    HANDLE thread;
    (void)state;
    KeInitializeEvent(&go, NotificationEvent, FALSE);
    assert_int_equal(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, end_at_once, &go), STATUS_SUCCESS);
    assert_int_equal(poll(thread), STATUS_TIMEOUT);
    KeSetEvent(&go, 0, FALSE);
    assert_int_equal(ZwWaitForSingleObject(thread, FALSE, NULL), STATUS_SUCCESS);
    ZwClose(thread);
}

static void mistakes(void **state)
{
    HANDLE            handle = (HANDLE)8, process;
    UNICODE_STRING    text;
    OBJECT_ATTRIBUTES attributes = attributes_of(&text, L"NoDirectory", 0);
    CLIENT_ID         id = { .UniqueProcess = PsGetProcessId(PsInitialSystemProcess) };
    (void)state;
    assert_int_equal(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_null(handle);
    assert_int_equal(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, NULL, (EVENT_TYPE)2, FALSE), STATUS_INVALID_PARAMETER);
    assert_int_equal(ZwOpenEvent(&handle, EVENT_ALL_ACCESS, NULL), STATUS_INVALID_PARAMETER);
    attributes.Length--;
    assert_int_equal(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE), STATUS_INVALID_PARAMETER);
    attributes = attributes_of(&text, L"\\BaseNamedObjects\\Name", 0);
    attributes.RootDirectory = (HANDLE)4;
    assert_int_equal(ZwOpenEvent(&handle, EVENT_ALL_ACCESS, &attributes), STATUS_OBJECT_PATH_NOT_FOUND);
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    assert_int_equal(ZwOpenEvent(&handle, EVENT_ALL_ACCESS, &attributes), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(ZwSetEvent((HANDLE)44, NULL), STATUS_INVALID_HANDLE);
    assert_int_equal(ZwWaitForSingleObject((HANDLE)44, FALSE, NULL), STATUS_INVALID_HANDLE);
    assert_int_equal(ZwOpenProcess(&process, PROCESS_ALL_ACCESS, &attributes, &id), STATUS_SUCCESS);
    assert_int_equal(ZwSetEvent(process, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(poll(process), STATUS_OBJECT_TYPE_MISMATCH);
    ZwClose(process);
}

static void create_and_close(void *context)
{
    HANDLE            handle;
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes = attributes_of(&name, L"\\BaseNamedObjects\\Ready", 0);
    NTSTATUS          status = ZwCreateEvent(&handle, EVENT_ALL_ACCESS, context != NULL ? &attributes : NULL, NotificationEvent, FALSE);
    assert_int_equal(status, handle != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
    if (handle != NULL)
        ZwClose(handle);
}
static void without_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(create_and_close, NULL) >= 2);
    assert_true(ntmm_for_each_failure(create_and_close, "named") >= 2);
}

static void above_passive_level(void **state)
{
    HANDLE            handle;
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes = attributes_of(&name, L"\\BaseNamedObjects\\Ready", 0);
    (void)state;
    for (int i = 0; i < 6; i++) {
        switch (i) {
        case 0: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, ZwCreateEvent(&handle, 0, NULL, 0, FALSE))); break;
        case 1: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, ZwOpenEvent(&handle, 0, &attributes))); break;
        case 2: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, ZwSetEvent(NULL, NULL))); break;
        case 3: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, ZwResetEvent(NULL, NULL))); break;
        case 4: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, ZwClearEvent(NULL))); break;
        default: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, ZwWaitForSingleObject(NULL, FALSE, NULL))); break;
        }
        ntmm_cmocka_reboot();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(without_a_name), ntmm_cmocka_test(by_name),        ntmm_cmocka_test(the_end_of_a_thread),
        ntmm_cmocka_test(mistakes),       ntmm_cmocka_test(without_memory), ntmm_cmocka_test(above_passive_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
