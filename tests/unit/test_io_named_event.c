/*
 * test_io_named_event.c - events with a name and their handles: who shares them, how long they live, which names are possible, failures.
 * What the memory conditions say is in test_mm_pressure.c.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

#include <pthread.h>

#define EVENT_TAG NTMM_TAG("Even")
#define HANDLE_TAG NTMM_TAG("Obtb")

static uint64_t live(uint32_t tag, POOL_TYPE type)
{
    ntmm_pool_usage usage;
    ntmm_query_tag(tag, type, &usage);
    return usage.allocs - usage.frees;
}

static PKEVENT notification(const WCHAR *name, HANDLE *handle)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, name);
    return IoCreateNotificationEvent(&string, handle);
}
static PKEVENT synchronization(const WCHAR *name, HANDLE *handle)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, name);
    return IoCreateSynchronizationEvent(&string, handle);
}
static bool signaled(PKEVENT event)
{
    LARGE_INTEGER now = { .QuadPart = 0 };
    return KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &now) == STATUS_SUCCESS;
}

/* ---- life ---- */

static void a_new_event_is_signaled(void **state)
{
    HANDLE  first, second;
    PKEVENT n = notification(u"\\BaseNamedObjects\\N", &first), s = synchronization(u"\\BaseNamedObjects\\S", &second);
    (void)state;
    assert_true(n != NULL && s != NULL && n != s);
    assert_true(signaled(n) && signaled(n));
    assert_true(signaled(s) && !signaled(s));
    assert_int_equal(ZwClose(first), STATUS_SUCCESS);
    assert_int_equal(ZwClose(second), STATUS_SUCCESS);
}

static void a_name_is_shared_until_its_last_handle_is_closed(void **state)
{
    HANDLE  handle[3], again;
    PKEVENT event = notification(u"\\BaseNamedObjects\\Shared", &handle[0]);
    (void)state;
    assert_non_null(event);
    KeClearEvent(event);
    assert_ptr_equal(notification(u"\\BaseNamedObjects\\Shared", &handle[1]), event);
    assert_ptr_equal(synchronization(u"\\basenamedobjects\\SHARED", &handle[2]), event); /* whatever its type and case */
    assert_int_equal(event->Header.Type, NotificationEvent);
    assert_int_equal(KeReadStateEvent(event), 0);
    assert_ptr_not_equal(handle[0], handle[1]);
    assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 1);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 1);
        assert_int_equal(ZwClose(handle[i]), STATUS_SUCCESS);
    }
    assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 0);
    event = synchronization(u"\\BaseNamedObjects\\Shared", &again); /* a new one */
    assert_non_null(event);
    assert_int_equal(event->Header.Type, SynchronizationEvent);
    assert_int_equal(KeReadStateEvent(event), 1);
    for (int i = 0; i < 3; i++)
        assert_ptr_not_equal(again, handle[i]);
    ZwClose(again);
}

/* By pointer, too; and by pointer alone when the name has gone. */
static void a_handle_opened_by_pointer_keeps_the_name(void **state)
{
    HANDLE  first, by_pointer, again;
    PKEVENT event = notification(u"\\BaseNamedObjects\\Kept", &first);
    (void)state;
    assert_int_equal(ObOpenObjectByPointer(event, OBJ_KERNEL_HANDLE, NULL, 0, *ExEventObjectType, KernelMode, &by_pointer), STATUS_SUCCESS);
    ntmm_fail_allocation(1);
    assert_int_equal(ObOpenObjectByPointer(event, OBJ_KERNEL_HANDLE, NULL, 0, *ExEventObjectType, KernelMode, &again),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(ZwClose(first), STATUS_SUCCESS);
    assert_ptr_equal(notification(u"\\BaseNamedObjects\\Kept", &again), event);
    assert_int_equal(ZwClose(again), STATUS_SUCCESS);
    ObReferenceObject(event);
    assert_int_equal(ZwClose(by_pointer), STATUS_SUCCESS);
    assert_int_equal(ObOpenObjectByPointer(event, OBJ_KERNEL_HANDLE, NULL, 0, *ExEventObjectType, KernelMode, &by_pointer), STATUS_SUCCESS);
    assert_ptr_not_equal(notification(u"\\BaseNamedObjects\\Kept", &again), event); /* a new one */
    assert_int_equal(ZwClose(by_pointer), STATUS_SUCCESS);
    assert_int_equal(ZwClose(again), STATUS_SUCCESS);
    ObDereferenceObject(event);
    assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 0);
}

static void an_open_handle_is_a_leak(void **state)
{
    static ntmm_report report;
    HANDLE             handle;
    (void)state;
    assert_non_null(notification(u"\\KernelObjects\\LowMemoryCondition", &handle));
    assert_int_equal(ntmm_shutdown(&report), 1); /* the handle: the event is the machine's */
    assert_int_equal(report.leaks[0].tag, HANDLE_TAG);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    assert_non_null(notification(u"\\BaseNamedObjects\\Mine", &handle));
    assert_int_equal(ntmm_shutdown(&report), 2);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    HANDLE other;
    assert_non_null(notification(u"\\BaseNamedObjects\\Mine", &other)); /* nothing is left of it */
    assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 1);
    ZwClose(other);
}

/* ---- names ---- */

static struct name_case {
    const char  *name;
    const WCHAR *text;
    bool         possible;
} NAMES[] = {
    { "name: in the root", u"\\Event", true },
    { "name: in \\Device", u"\\Device\\Event", true },
    { "name: in \\KernelObjects, and no condition", u"\\KernelObjects\\Event", true },
    { "name: a condition that is longer", u"\\KernelObjects\\LowMemoryConditionX", true },
    { "name: spaces", u"\\BaseNamedObjects\\ a b ", true },
    { "name: empty", u"", false },
    { "name: relative", u"Event", false },
    { "name: relative with a directory", u"BaseNamedObjects\\Event", false },
    { "name: a directory that is not there", u"\\Nowhere\\Event", false },
    { "name: a directory", u"\\BaseNamedObjects\\", false },
    { "name: the root", u"\\", false },
    { "name: an empty directory", u"\\\\Event", false },
    { "name: below an object", u"\\BaseNamedObjects\\A\\B", false },
};

static void check_name_case(void **state)
{
    const struct name_case *c = *state;
    HANDLE                  handle = (HANDLE)0x1234;
    PKEVENT                 event = notification(c->text, &handle);
    assert_int_equal(event != NULL, c->possible);
    assert_int_equal(handle != NULL, c->possible);
    if (c->possible)
        assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
}

static void names_are_counted(void **state)
{
    UNICODE_STRING string;
    HANDLE         handle[3];
    (void)state;
    RtlInitUnicodeString(&string, u"\\BaseNamedObjects\\Twins");
    PKEVENT whole = IoCreateNotificationEvent(&string, &handle[0]);
    string.Length = (USHORT)(string.Length - 2);
    PKEVENT shorter = IoCreateNotificationEvent(&string, &handle[1]);
    assert_true(whole != NULL && shorter != NULL && whole != shorter);
    assert_ptr_equal(notification(u"\\BaseNamedObjects\\Twin", &handle[2]), shorter);
    for (int i = 0; i < 3; i++)
        ZwClose(handle[i]);
}

/* ---- handles ---- */

static void what_cannot_be_a_handle(void **state)
{
    (void)state;
    assert_int_equal(ZwClose(NULL), STATUS_INVALID_HANDLE);
    assert_int_equal(ZwClose((HANDLE)4), STATUS_INVALID_HANDLE);
}

static void a_handle_closed_twice(void **state)
{
    HANDLE handle, other;
    (void)state;
    assert_non_null(notification(u"\\BaseNamedObjects\\A", &handle));
    assert_int_equal((uintptr_t)handle % 4, 0);
    assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
    assert_non_null(notification(u"\\BaseNamedObjects\\B", &other)); /* does not get the number */
    assert_bugcheck_all(INVALID_KERNEL_HANDLE, handle, 1, 0, 0, ZwClose(handle));
}

static void only_at_passive_level(void **state)
{
    HANDLE handle;
    KIRQL  old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, notification(u"\\BaseNamedObjects\\A", &handle));
    ntmm_cmocka_reboot();
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, synchronization(u"\\BaseNamedObjects\\A", &handle));
    ntmm_cmocka_reboot();
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ZwClose(NULL));
}

/* ---- failures ---- */

static int failures, successes;

static void open_both_kinds(void *context)
{
    HANDLE handle;
    (void)context;
    PKEVENT event = synchronization(u"\\BaseNamedObjects\\Mine", &handle);
    failures += event == NULL && handle == NULL;
    if (event != NULL)
        ZwClose(handle);
    event = notification(u"\\KernelObjects\\HighMemoryCondition", &handle);
    failures += event == NULL && handle == NULL;
    successes += event != NULL;
    if (event != NULL)
        ZwClose(handle);
}

static void every_failure_leaves_nothing_behind(void **state)
{
    (void)state;
    failures = successes = 0;
    assert_int_equal(ntmm_for_each_failure(open_both_kinds, NULL), 4); /* event, its handle, a handle */
    assert_int_equal(failures, 3);
    assert_int_equal(successes, 3);
    assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 0);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 0);
    assert_true(ntmm_check());
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 500 };

static void *open_and_close(void *argument)
{
    intptr_t wrong = 0;
    (void)argument;
    for (int i = 0; i < TURNS; i++) {
        HANDLE  handle[2];
        PKEVENT event = notification(u"\\BaseNamedObjects\\Busy", &handle[0]);
        wrong += event == NULL || notification(u"\\BaseNamedObjects\\Busy", &handle[1]) != event || KeReadStateEvent(event) != 1;
        ZwClose(handle[i % 2]);
        wrong += KeReadStateEvent(event) != 1; /* one handle keeps it */
        ZwClose(handle[1 - i % 2]);
    }
    return (void *)wrong;
}

static void threads_share_a_name(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, open_and_close, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(live(EVENT_TAG, NonPagedPoolNx), 0);
    assert_int_equal(live(HANDLE_TAG, PagedPool), 0);
}

int main(void)
{
    struct CMUnitTest names[sizeof NAMES / sizeof NAMES[0]];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        names[i] = (struct CMUnitTest){ NAMES[i].name, check_name_case, NULL, NULL, &NAMES[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_new_event_is_signaled),
        ntmm_cmocka_test(a_name_is_shared_until_its_last_handle_is_closed),
        ntmm_cmocka_test(a_handle_opened_by_pointer_keeps_the_name),
        ntmm_cmocka_test(an_open_handle_is_a_leak),
        ntmm_cmocka_test(names_are_counted),
        ntmm_cmocka_test(what_cannot_be_a_handle),
        ntmm_cmocka_test(a_handle_closed_twice),
        ntmm_cmocka_test(only_at_passive_level),
        ntmm_cmocka_test(every_failure_leaves_nothing_behind),
        ntmm_cmocka_test(threads_share_a_name),
    };
    int failed =
        _cmocka_run_group_tests("names", names, sizeof names / sizeof names[0], ntmm_cmocka_group_setup, ntmm_cmocka_group_teardown);
    return failed + cmocka_run_group_tests_name("named events", tests, NULL, NULL);
}
