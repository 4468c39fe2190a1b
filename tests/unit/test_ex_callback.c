/* test_ex_callback.c - callback objects. */
#include <pthread.h>
#include <stdatomic.h>

#include <ntmm/cmocka.h>

static char   order[8];
static size_t order_length;

static VOID note(PVOID context, PVOID argument1, PVOID argument2)
{
    assert_ptr_equal(argument1, (PVOID)order);
    assert_null(argument2);
    order[order_length++ % sizeof order] = *(const char *)context;
}

static OBJECT_ATTRIBUTES named(PUNICODE_STRING name, const WCHAR *text)
{
    OBJECT_ATTRIBUTES attributes;
    RtlInitUnicodeString(name, text);
    InitializeObjectAttributes(&attributes, name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return attributes;
}

static void all_are_called_in_order(void **state)
{
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes = named(&name, L"\\Callback\\NtmmTest");
    PCALLBACK_OBJECT  mine, theirs;
    KIRQL             old;
    (void)state;
    order_length = 0;
    assert_int_equal(ExCreateCallback(&mine, &attributes, FALSE, TRUE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_null(mine);
    assert_int_equal(ExCreateCallback(&mine, &attributes, TRUE, TRUE), STATUS_SUCCESS);
    attributes = named(&name, L"\\CALLBACK\\ntmmtest");
    assert_int_equal(ExCreateCallback(&theirs, &attributes, FALSE, FALSE), STATUS_SUCCESS);
    assert_ptr_equal(mine, theirs);
    PVOID first = ExRegisterCallback(theirs, note, (PVOID)(uintptr_t) "1");
    PVOID second = ExRegisterCallback(theirs, note, (PVOID)(uintptr_t) "2");
    ObDereferenceObject(theirs);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ExNotifyCallback(mine, order, NULL);
    KeLowerIrql(old);
    ExUnregisterCallback(first);
    ExNotifyCallback(mine, order, NULL);
    ExUnregisterCallback(second);
    ExNotifyCallback(mine, order, NULL);
    assert_int_equal(order_length, 3);
    assert_memory_equal(order, "122", 3);
    ObDereferenceObject(mine);
    assert_int_equal(ExCreateCallback(&mine, &attributes, FALSE, TRUE), STATUS_OBJECT_NAME_NOT_FOUND); /* it went with its last reference */
}

static void one_callback_only_and_the_systems_own(void **state)
{
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes = named(&name, L"\\Callback\\PowerState");
    PCALLBACK_OBJECT  object;
    (void)state;
    assert_int_equal(ExCreateCallback(&object, NULL, TRUE, FALSE), STATUS_SUCCESS);
    PVOID first = ExRegisterCallback(object, note, order);
    assert_non_null(first);
    assert_null(ExRegisterCallback(object, note, order));
    ExUnregisterCallback(first);
    ObDereferenceObject(object);
    assert_int_equal(ExCreateCallback(&object, &attributes, FALSE, FALSE), STATUS_SUCCESS);
    ObDereferenceObject(object);
}

static _Atomic bool is_inside, may_go;

static VOID stay(PVOID context, PVOID argument1, PVOID argument2)
{
    (void)context, (void)argument1, (void)argument2;
    atomic_store(&is_inside, true);
    while (!atomic_load(&may_go))
        ;
    atomic_store(&is_inside, false);
}

static void *notify(void *object)
{
    ExNotifyCallback(object, NULL, NULL);
    return NULL;
}

static void *let_go(void *unused)
{
    atomic_store(&may_go, true);
    return unused;
}

static void unregistering_waits_for_a_call(void **state)
{
    PCALLBACK_OBJECT object;
    pthread_t        caller, other;
    (void)state;
    assert_int_equal(ExCreateCallback(&object, NULL, TRUE, FALSE), STATUS_SUCCESS);
    PVOID registration = ExRegisterCallback(object, stay, NULL);
    assert_int_equal(pthread_create(&caller, NULL, notify, object), 0);
    while (!atomic_load(&is_inside))
        ;
    assert_int_equal(pthread_create(&other, NULL, let_go, NULL), 0);
    ExUnregisterCallback(registration);
    assert_false(is_inside);
    assert_int_equal(pthread_join(caller, NULL), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    ObDereferenceObject(object);
}

static void make_and_register(void *unused)
{
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes = named(&name, L"\\Callback\\Short");
    PCALLBACK_OBJECT  object;
    (void)unused;
    if (!NT_SUCCESS(ExCreateCallback(&object, &attributes, TRUE, FALSE)))
        return;
    PVOID registration = ExRegisterCallback(object, note, order);
    if (registration != NULL)
        ExUnregisterCallback(registration);
    ObDereferenceObject(object);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(make_and_register, NULL) == 3);
}

static void at_the_wrong_irql(void **state)
{
    PCALLBACK_OBJECT object;
    KIRQL            old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExCreateCallback(&object, NULL, TRUE, FALSE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(all_are_called_in_order),
        ntmm_cmocka_test(one_callback_only_and_the_systems_own),
        ntmm_cmocka_test(unregistering_waits_for_a_call),
        ntmm_cmocka_test(memory_may_be_short),
        ntmm_cmocka_test(at_the_wrong_irql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
