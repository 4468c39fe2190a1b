/*
 * test_wdf_sync.c - locks, strings and collections of the framework.
 */
#include "../support/wdf_driver.h"

/* ---- spin locks ---- */

static WDFSPINLOCK spin_lock(void)
{
    WDFSPINLOCK lock;
    assert_int_equal(WdfSpinLockCreate(NULL, &lock), STATUS_SUCCESS);
    return lock;
}

static void spins(void **state)
{
    (void)state;
    WDFSPINLOCK lock = spin_lock(), inner = spin_lock();
    WdfSpinLockAcquire(lock);
    assert_irql(DISPATCH_LEVEL);
    WdfSpinLockAcquire(inner);
    WdfSpinLockRelease(inner);
    assert_irql(DISPATCH_LEVEL);
    WdfSpinLockRelease(lock);
    assert_irql(PASSIVE_LEVEL);
}
static void spinning_twice_stops(void **state)
{
    (void)state;
    WDFSPINLOCK lock = spin_lock();
    WdfSpinLockAcquire(lock);
    assert_bugcheck_all(WDF_VIOLATION, WDF_RECURSIVE_LOCK, lock, 0, WdfDriverGlobals, WdfSpinLockAcquire(lock));
}
static void releasing_what_is_free_stops(void **state)
{
    (void)state;
    WDFSPINLOCK lock = spin_lock();
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_LOCK_OPERATION, lock, 1, WdfDriverGlobals, WdfSpinLockRelease(lock));
}
static void a_wait_lock_is_no_spin_lock(void **state)
{
    (void)state;
    WDFWAITLOCK lock;
    assert_int_equal(WdfWaitLockCreate(NULL, &lock), STATUS_SUCCESS);
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, lock, 0x1024, WdfDriverGlobals, WdfSpinLockAcquire((WDFSPINLOCK)lock));
}

/* ---- wait locks ---- */

static WDFWAITLOCK shared;
static LONG        entered, highest;
static VOID        enter_and_leave(PVOID context)
{
    (void)context;
    for (int i = 0; i < 50; i++) {
        (void)WdfWaitLockAcquire(shared, NULL);
        LONG now = InterlockedIncrement(&entered);
        if (now > highest)
            highest = now;
        InterlockedDecrement(&entered);
        WdfWaitLockRelease(shared);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static PVOID start_thread(PKSTART_ROUTINE routine)
{
    HANDLE handle;
    PVOID  thread;
    assert_int_equal(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, NULL), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, NULL, KernelMode, &thread, NULL), STATUS_SUCCESS);
    ZwClose(handle);
    return thread;
}

static void lets_one_in_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(WdfWaitLockCreate(NULL, &shared), STATUS_SUCCESS);
    entered = highest = 0;
    PVOID threads[2] = { start_thread(enter_and_leave), start_thread(enter_and_leave) };
    for (int i = 0; i < 2; i++) {
        (void)KeWaitForSingleObject(threads[i], Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(threads[i]);
    }
    assert_int_equal(highest, 1);
}

static VOID try_and_see(PVOID context)
{
    LONGLONG now = 0, soon = -10;
    (void)context;
    highest = WdfWaitLockAcquire(shared, &now) == STATUS_TIMEOUT && WdfWaitLockAcquire(shared, &soon) == STATUS_TIMEOUT;
    PsTerminateSystemThread(STATUS_SUCCESS);
}
static void a_wait_ends(void **state)
{
    (void)state;
    LONGLONG now = 0;
    KIRQL    irql;
    assert_int_equal(WdfWaitLockCreate(NULL, &shared), STATUS_SUCCESS);
    assert_int_equal(WdfWaitLockAcquire(shared, NULL), STATUS_SUCCESS);
    assert_true(KeAreApcsDisabled());
    highest = 0;
    PVOID thread = start_thread(try_and_see);
    (void)KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(thread);
    assert_int_equal(highest, 1);
    WdfWaitLockRelease(shared);
    assert_false(KeAreApcsDisabled());
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_int_equal(WdfWaitLockAcquire(shared, &now), STATUS_SUCCESS);
    WdfWaitLockRelease(shared);
    KeLowerIrql(irql);
}
static void waiting_twice_stops(void **state)
{
    (void)state;
    assert_int_equal(WdfWaitLockCreate(NULL, &shared), STATUS_SUCCESS);
    (void)WdfWaitLockAcquire(shared, NULL);
    assert_bugcheck_all(WDF_VIOLATION, WDF_RECURSIVE_LOCK, shared, 0, WdfDriverGlobals, (void)WdfWaitLockAcquire(shared, NULL));
}
static void waiting_at_dispatch_level_stops(void **state)
{
    (void)state;
    KIRQL irql;
    assert_int_equal(WdfWaitLockCreate(NULL, &shared), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, (void)WdfWaitLockAcquire(shared, NULL));
}
static void releasing_another_threads_lock_stops(void **state)
{
    (void)state;
    assert_int_equal(WdfWaitLockCreate(NULL, &shared), STATUS_SUCCESS);
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_LOCK_OPERATION, shared, 1, WdfDriverGlobals, WdfWaitLockRelease(shared));
}

static VOID keep_the_lock(WDFOBJECT object)
{
    (void)object;
    (void)WdfWaitLockAcquire(shared, NULL);
}
static void a_callback_that_keeps_it_stops(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object;
    assert_int_equal(WdfWaitLockCreate(NULL, &shared), STATUS_SUCCESS);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.EvtCleanupCallback = keep_the_lock;
    assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
    assert_bugcheck_all(WDF_VIOLATION, WDF_VERIFIER_CRITICAL_REGION_MISMATCH, (uintptr_t)keep_the_lock, 0, WdfDriverGlobals,
                        WdfObjectDelete(object));
}

static void an_object_without_a_lock_stops(void **state)
{
    (void)state;
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_LOCK_OPERATION, wdf_driver, 0, WdfDriverGlobals, WdfObjectAcquireLock(wdf_driver));
}

/* ---- strings ---- */

static void keeps_a_string(void **state)
{
    (void)state;
    WCHAR                text[] = L"abc";
    const UNICODE_STRING given = { 6, 8, text }, odd = { 5, 8, text };
    UNICODE_STRING       read;
    WDFSTRING            string, empty;
    assert_int_equal(WdfStringCreate(&given, NULL, &string), STATUS_SUCCESS);
    text[0] = 'x';
    WdfStringGetUnicodeString(string, &read);
    assert_int_equal(read.Length, 6);
    assert_int_equal(read.Buffer[0], 'a');
    assert_int_equal(read.Buffer[3], 0);
    assert_int_equal(WdfStringCreate(NULL, NULL, &empty), STATUS_SUCCESS);
    WdfStringGetUnicodeString(empty, &read);
    assert_int_equal(read.Length, 0);
    assert_int_equal(WdfDriverRetrieveVersionString(wdf_driver, empty), STATUS_SUCCESS);
    WdfStringGetUnicodeString(empty, &read);
    assert_true(read.Length > 40);
    assert_int_equal(WdfStringCreate(&odd, NULL, &empty), STATUS_INVALID_PARAMETER);
    assert_null(empty);
    WdfObjectDelete(string);
}

/* ---- what a driver asks about itself ---- */

static void the_driver_knows_itself(void **state)
{
    (void)state;
    WDF_DRIVER_VERSION_AVAILABLE_PARAMS version;
    assert_string_equal(WdfDriverGlobals->DriverName, "Test");
    assert_ptr_equal(WdfDriverWdmGetDriverObject(wdf_driver), wdf_driver_object);
    assert_ptr_equal(WdfWdmDriverGetWdfDriverHandle(wdf_driver_object), wdf_driver);
    assert_int_equal(WdfDriverGetRegistryPath(wdf_driver)[0], '\\');
    WDF_DRIVER_VERSION_AVAILABLE_PARAMS_INIT(&version, 1, 15);
    assert_true(WdfDriverIsVersionAvailable(wdf_driver, &version));
    WDF_DRIVER_VERSION_AVAILABLE_PARAMS_INIT(&version, 1, 99);
    assert_false(WdfDriverIsVersionAvailable(wdf_driver, &version));
    assert_int_equal(WdfDriverCreate(wdf_driver_object, &(UNICODE_STRING){ 0 }, NULL, &wdf_driver_config, NULL),
                     STATUS_DRIVER_INTERNAL_ERROR);
    wdf_driver_config.Size = 1;
    assert_int_equal(WdfDriverCreate(wdf_driver_object, &(UNICODE_STRING){ 0 }, NULL, &wdf_driver_config, NULL),
                     STATUS_INFO_LENGTH_MISMATCH);
}

static NTSTATUS fail_after_create(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDFOBJECT         object;
    WDF_DRIVER_CONFIG_INIT(&config, NULL);
    assert_int_equal(WdfDriverCreate(driver, path, NULL, &config, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfObjectCreate(NULL, &object), STATUS_SUCCESS);
    return STATUS_DEVICE_NOT_READY;
}
static void a_driver_entry_that_fails_leaves_nothing(void **state)
{
    (void)state;
    assert_null(ntmm_driver_load(fail_after_create));
    assert_ptr_equal(WdfGetDriver(), wdf_driver);
}

/* ---- collections ---- */

static void collects(void **state)
{
    (void)state;
    WDFCOLLECTION collection;
    WDFSPINLOCK   a = spin_lock(), b = spin_lock();
    assert_int_equal(WdfCollectionCreate(NULL, &collection), STATUS_SUCCESS);
    assert_null(WdfCollectionGetFirstItem(collection));
    assert_null(WdfCollectionGetLastItem(collection));
    assert_int_equal(WdfCollectionAdd(collection, a), STATUS_SUCCESS);
    assert_int_equal(WdfCollectionAdd(collection, b), STATUS_SUCCESS);
    assert_int_equal(WdfCollectionAdd(collection, a), STATUS_SUCCESS);
    assert_int_equal(WdfCollectionGetCount(collection), 3);
    assert_ptr_equal(WdfCollectionGetFirstItem(collection), a);
    assert_ptr_equal(WdfCollectionGetItem(collection, 1), b);
    assert_ptr_equal(WdfCollectionGetLastItem(collection), a);
    assert_null(WdfCollectionGetItem(collection, 3));
    WdfCollectionRemove(collection, a);
    assert_ptr_equal(WdfCollectionGetFirstItem(collection), b);
    WdfCollectionRemoveItem(collection, 1);
    WdfCollectionRemoveItem(collection, 1);
    assert_non_null(strstr(ntmm_error(), "WdfCollectionRemoveItem"));
    assert_int_equal(WdfCollectionGetCount(collection), 1);
    WdfObjectDelete(b); /* the collection's reference keeps it */
    WdfSpinLockAcquire(b);
    WdfSpinLockRelease(b);
    WdfObjectDelete(collection);
    WdfObjectDelete(a);
}
static void no_collection_stops(void **state)
{
    (void)state;
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, wdf_driver, 0x100E, WdfDriverGlobals,
                        (void)WdfCollectionGetCount((WDFCOLLECTION)wdf_driver));
}

/* ---- refused memory ---- */

static void make_all(void *context)
{
    WDFSPINLOCK    spin = NULL;
    WDFWAITLOCK    wait = NULL;
    WDFSTRING      string = NULL;
    WDFCOLLECTION  collection = NULL;
    WCHAR          text[] = L"abc";
    UNICODE_STRING given = { 6, 8, text };
    (void)context;
    (void)WdfSpinLockCreate(NULL, &spin);
    (void)WdfWaitLockCreate(NULL, &wait);
    (void)WdfStringCreate(&given, NULL, &string);
    (void)WdfCollectionCreate(NULL, &collection);
    if (collection != NULL && spin != NULL)
        (void)WdfCollectionAdd(collection, spin);
    WDFOBJECT all[] = { spin, wait, string, collection };
    for (size_t i = 0; i < 4; i++)
        if (all[i] != NULL)
            WdfObjectDelete(all[i]);
}
static void survives_refused_memory(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(make_all, NULL), 7);
}

/* ---- two threads under one parent ---- */

static WDFOBJECT hub;
static VOID      come_and_go(PVOID context)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    (void)context;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = hub;
    for (int i = 0; i < 200; i++) {
        WDFMEMORY with_driver, with_hub;
        if (NT_SUCCESS(WdfMemoryCreate(NULL, NonPagedPoolNx, 0, 24, &with_driver, NULL)))
            WdfObjectDelete(with_driver);
        if (NT_SUCCESS(WdfMemoryCreate(&attributes, NonPagedPoolNx, 0, 24, &with_hub, NULL)) && i % 3 != 0)
            WdfObjectDelete(with_hub);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}
static void two_threads_share_parents(void **state)
{
    (void)state;
    assert_int_equal(WdfObjectCreate(NULL, &hub), STATUS_SUCCESS);
    PVOID threads[2] = { start_thread(come_and_go), start_thread(come_and_go) };
    for (int i = 0; i < 2; i++) {
        (void)KeWaitForSingleObject(threads[i], Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(threads[i]);
    }
    WdfObjectDelete(hub);
}

/* One deletes the parent, the other the children, which it refers to. */
static WDFOBJECT children[100];
static VOID      delete_children(PVOID context)
{
    (void)context;
    for (int i = 0; i < 100; i++) {
        WdfObjectDelete(children[i]);
        WdfObjectDereference(children[i]);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}
static void parent_and_children_go_at_the_same_time(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    for (int turn = 0; turn < 5; turn++) {
        assert_int_equal(WdfObjectCreate(NULL, &hub), STATUS_SUCCESS);
        WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
        attributes.ParentObject = hub;
        for (int i = 0; i < 100; i++) {
            assert_int_equal(WdfObjectCreate(&attributes, &children[i]), STATUS_SUCCESS);
            WdfObjectReference(children[i]);
        }
        PVOID thread = start_thread(delete_children);
        WdfObjectDelete(hub);
        (void)KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(thread);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wdf_driver_test(spins),
        wdf_driver_test(spinning_twice_stops),
        wdf_driver_test(releasing_what_is_free_stops),
        wdf_driver_test(a_wait_lock_is_no_spin_lock),
        wdf_driver_test(lets_one_in_at_a_time),
        wdf_driver_test(a_wait_ends),
        wdf_driver_test(waiting_twice_stops),
        wdf_driver_test(waiting_at_dispatch_level_stops),
        wdf_driver_test(releasing_another_threads_lock_stops),
        wdf_driver_test(a_callback_that_keeps_it_stops),
        wdf_driver_test(an_object_without_a_lock_stops),
        wdf_driver_test(keeps_a_string),
        wdf_driver_test(the_driver_knows_itself),
        wdf_driver_test(a_driver_entry_that_fails_leaves_nothing),
        wdf_driver_test(collects),
        wdf_driver_test(no_collection_stops),
        wdf_driver_test(survives_refused_memory),
        wdf_driver_test(two_threads_share_parents),
        wdf_driver_test(parent_and_children_go_at_the_same_time),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ntmm_cmocka_config = &wdf_driver_plain; /* once more on the short way */
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
