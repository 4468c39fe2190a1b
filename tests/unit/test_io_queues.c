/*
 * test_io_queues.c - how drivers keep IRPs and devices: cancel-safe queues, device queues, StartIo, remove locks.
 */
#define DBG 1 /* remove locks remember who holds them */
#include <pthread.h>
#include <stdatomic.h>

#include <ntmm/cmocka.h>

#define TAG NTMM_TAG("TQue")

static LARGE_INTEGER no_time;

/* ---- a driver with both kinds of queue ---- */

typedef struct extension {
    IO_CSQ     csq;
    LIST_ENTRY irps;
    KSPIN_LOCK lock;
    bool       refuses;
    uint32_t   completed, cancelled;
} extension_t;

static DRIVER_OBJECT *driver;
static PDEVICE_OBJECT device;
static extension_t   *own;
static char           started[32]; /* a letter for each IRP that StartIo was called with */
static size_t         started_count;
static bool           start_next_inside;

static VOID insert_irp(PIO_CSQ csq, PIRP irp)
{
    extension_t *e = CONTAINING_RECORD(csq, extension_t, csq);
    InsertTailList(&e->irps, &irp->Tail.Overlay.ListEntry);
}

static NTSTATUS insert_irp_ex(PIO_CSQ csq, PIRP irp, PVOID context)
{
    extension_t *e = CONTAINING_RECORD(csq, extension_t, csq);
    if (e->refuses)
        return STATUS_DEVICE_BUSY;
    if (context != NULL)
        InsertHeadList(&e->irps, &irp->Tail.Overlay.ListEntry);
    else
        insert_irp(csq, irp);
    return STATUS_SUCCESS;
}

static VOID remove_irp(PIO_CSQ csq, PIRP irp)
{
    (void)csq;
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
}

static PIRP peek_next(PIO_CSQ csq, PIRP irp, PVOID context)
{
    extension_t *e = CONTAINING_RECORD(csq, extension_t, csq);
    PLIST_ENTRY  link = irp == NULL ? e->irps.Flink : irp->Tail.Overlay.ListEntry.Flink;
    for (; link != &e->irps; link = link->Flink) {
        PIRP next = CONTAINING_RECORD(link, IRP, Tail.Overlay.ListEntry);
        if (context == NULL || next->UserBuffer == context)
            return next;
    }
    return NULL;
}

static VOID acquire_lock(PIO_CSQ csq, PKIRQL irql) { KeAcquireSpinLock(&CONTAINING_RECORD(csq, extension_t, csq)->lock, irql); }
static VOID release_lock(PIO_CSQ csq, KIRQL irql) { KeReleaseSpinLock(&CONTAINING_RECORD(csq, extension_t, csq)->lock, irql); }

static VOID complete_cancelled(PIO_CSQ csq, PIRP irp)
{
    CONTAINING_RECORD(csq, extension_t, csq)->cancelled++;
    irp->IoStatus.Status = STATUS_CANCELLED;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
}

static VOID start_io(PDEVICE_OBJECT d, PIRP irp)
{
    assert_irql(DISPATCH_LEVEL);
    assert_ptr_equal(d->CurrentIrp, irp);
    started[started_count++ % sizeof started] = *(char *)irp->UserBuffer;
    if (start_next_inside)
        IoStartNextPacket(d, TRUE);
}

static NTSTATUS entry(PDRIVER_OBJECT d, PUNICODE_STRING path)
{
    (void)path;
    driver = d;
    d->DriverStartIo = start_io;
    NTSTATUS status = IoCreateDevice(d, sizeof(extension_t), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (NT_SUCCESS(status))
        device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return status;
}

static VOID unload(PDRIVER_OBJECT d) { IoDeleteDevice(d->DeviceObject); }

static int boot_with_driver(void **state)
{
    if (ntmm_cmocka_setup(state) != 0 || ntmm_driver_load(entry) == NULL)
        return -1;
    driver->DriverUnload = unload;
    own = device->DeviceExtension;
    InitializeListHead(&own->irps);
    KeInitializeSpinLock(&own->lock);
    memset(started, 0, sizeof started);
    started_count = 0;
    start_next_inside = false;
    return 0;
}

static int shut_down_with_driver(void **state)
{
    if (!ntmm_is_halted())
        (void)ntmm_driver_unload(driver);
    return ntmm_cmocka_teardown(state);
}

static PIRP make_irp(const char *letter)
{
    PIRP irp = IoAllocateIrp(1, FALSE);
    assert_non_null(irp);
    IoSetNextIrpStackLocation(irp);
    IoGetCurrentIrpStackLocation(irp)->DeviceObject = device;
    irp->UserBuffer = (PVOID)(uintptr_t)letter;
    return irp;
}

/* An IRP of a test that is its own sender has nobody above: it is taken back when it completes. */
static NTSTATUS take_back(PDEVICE_OBJECT d, PIRP irp, PVOID context)
{
    (void)d, (void)irp;
    ++*(uint32_t *)context;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* ---- cancel-safe queues ---- */

static void make_queue(bool ex)
{
    if (ex)
        assert_int_equal(IoCsqInitializeEx(&own->csq, insert_irp_ex, remove_irp, peek_next, acquire_lock, release_lock, complete_cancelled),
                         STATUS_SUCCESS);
    else
        assert_int_equal(IoCsqInitialize(&own->csq, insert_irp, remove_irp, peek_next, acquire_lock, release_lock, complete_cancelled),
                         STATUS_SUCCESS);
}

static PIRP make_sent_irp(const char *letter)
{
    PIRP irp = IoAllocateIrp(2, FALSE);
    assert_non_null(irp);
    IoSetNextIrpStackLocation(irp); /* the test's */
    IoSetCompletionRoutine(irp, take_back, &own->completed, TRUE, TRUE, TRUE);
    IoSetNextIrpStackLocation(irp); /* the driver's */
    IoGetCurrentIrpStackLocation(irp)->DeviceObject = device;
    irp->UserBuffer = (PVOID)(uintptr_t)letter;
    return irp;
}

static void what_is_put_in_comes_out(void **state)
{
    PIRP               a = make_sent_irp("a"), b = make_sent_irp("b"), c = make_sent_irp("c");
    IO_CSQ_IRP_CONTEXT context;
    (void)state;
    make_queue(false);
    IoCsqInsertIrp(&own->csq, a, NULL);
    IoCsqInsertIrp(&own->csq, b, &context);
    IoCsqInsertIrp(&own->csq, c, NULL);
    assert_true((IoGetCurrentIrpStackLocation(a)->Control & SL_PENDING_RETURNED) != 0);
    assert_ptr_equal(IoCsqRemoveNextIrp(&own->csq, c->UserBuffer), c);
    assert_null(IoCsqRemoveNextIrp(&own->csq, c->UserBuffer));
    assert_ptr_equal(IoCsqRemoveIrp(&own->csq, &context), b);
    assert_null(IoCsqRemoveIrp(&own->csq, &context));
    assert_ptr_equal(IoCsqRemoveNextIrp(&own->csq, NULL), a);
    assert_null(IoCsqRemoveNextIrp(&own->csq, NULL));
    assert_null((PVOID)(uintptr_t)a->CancelRoutine);
    IoFreeIrp(a);
    IoFreeIrp(b);
    IoFreeIrp(c);
}

static void a_cancelled_irp_is_completed(void **state)
{
    PIRP               a = make_sent_irp("a"), b = make_sent_irp("b");
    IO_CSQ_IRP_CONTEXT context;
    (void)state;
    make_queue(false);
    IoCsqInsertIrp(&own->csq, a, &context);
    assert_true(IoCancelIrp(a));
    assert_int_equal(own->cancelled, 1);
    assert_int_equal(own->completed, 1);
    assert_null(context.Irp);
    assert_null(IoCsqRemoveIrp(&own->csq, &context));
    assert_false(IoCancelIrp(b)); /* before it is queued */
    IoCsqInsertIrp(&own->csq, b, NULL);
    assert_int_equal(own->cancelled, 2);
    assert_null(IoCsqRemoveNextIrp(&own->csq, NULL));
    IoFreeIrp(a);
    IoFreeIrp(b);
}

static void the_driver_may_refuse_or_choose_the_place(void **state)
{
    PIRP               a = make_sent_irp("a"), b = make_sent_irp("b");
    IO_CSQ_IRP_CONTEXT context;
    (void)state;
    make_queue(true);
    own->refuses = true;
    assert_int_equal(IoCsqInsertIrpEx(&own->csq, a, &context, NULL), STATUS_DEVICE_BUSY);
    assert_int_equal(IoGetCurrentIrpStackLocation(a)->Control & SL_PENDING_RETURNED, 0);
    assert_null(context.Irp);
    own->refuses = false;
    assert_int_equal(IoCsqInsertIrpEx(&own->csq, a, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(IoCsqInsertIrpEx(&own->csq, b, NULL, own), STATUS_SUCCESS);
    assert_ptr_equal(IoCsqRemoveNextIrp(&own->csq, NULL), b);
    assert_ptr_equal(IoCsqRemoveNextIrp(&own->csq, NULL), a);
    IoFreeIrp(a);
    IoFreeIrp(b);
}

typedef struct race {
    PIRP         irps[64];
    _Atomic bool go;
} race_t;

static void *cancel_all(void *argument)
{
    race_t *race = argument;
    while (!atomic_load(&race->go))
        ;
    for (size_t i = 0; i < 64; i++)
        (void)IoCancelIrp(race->irps[i]);
    return NULL;
}

/* Each IRP is either removed by the driver or cancelled, never both, never neither. */
static void cancelling_and_removing_race(void **state)
{
    race_t    race = { 0 };
    pthread_t thread;
    uint32_t  removed = 0;
    (void)state;
    make_queue(false);
    for (size_t i = 0; i < 64; i++)
        IoCsqInsertIrp(&own->csq, race.irps[i] = make_sent_irp("x"), NULL);
    assert_int_equal(pthread_create(&thread, NULL, cancel_all, &race), 0);
    atomic_store(&race.go, true);
    while (IoCsqRemoveNextIrp(&own->csq, NULL) != NULL)
        removed++;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(removed + own->cancelled, 64);
    assert_int_equal(own->cancelled, own->completed);
    assert_true(IsListEmpty(&own->irps));
    for (size_t i = 0; i < 64; i++)
        IoFreeIrp(race.irps[i]);
}

/* ---- device queues ---- */

static void busy_until_nothing_waits(void **state)
{
    KDEVICE_QUEUE       queue;
    KDEVICE_QUEUE_ENTRY a, b, c, d;
    KIRQL               old;
    (void)state;
    KeInitializeDeviceQueue(&queue);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_false(KeInsertDeviceQueue(&queue, &a));
    assert_false(a.Inserted);
    assert_true(KeInsertByKeyDeviceQueue(&queue, &b, 20));
    assert_true(KeInsertByKeyDeviceQueue(&queue, &c, 10));
    assert_true(KeInsertByKeyDeviceQueue(&queue, &d, 20));
    assert_ptr_equal(KeRemoveByKeyDeviceQueue(&queue, 15), &b);
    assert_ptr_equal(KeRemoveByKeyDeviceQueueIfBusy(&queue, 30), &c); /* none from there on: the first */
    assert_true(KeRemoveEntryDeviceQueue(&queue, &d));
    assert_false(KeRemoveEntryDeviceQueue(&queue, &d));
    assert_true(queue.Busy);
    assert_null(KeRemoveDeviceQueue(&queue));
    assert_false(queue.Busy);
    assert_false(KeInsertDeviceQueue(&queue, &a));
    assert_true(KeInsertDeviceQueue(&queue, &b));
    assert_ptr_equal(KeRemoveDeviceQueue(&queue), &b);
    KeLowerIrql(old);
    KeRaiseIrql(HIGH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, KeInsertDeviceQueue(&queue, &a));
}

/* ---- StartIo ---- */

static void cancel_one(PDEVICE_OBJECT d, PIRP irp)
{
    (void)KeRemoveEntryDeviceQueue(&d->DeviceQueue, &irp->Tail.Overlay.DeviceQueueEntry);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    own->cancelled++;
}

static void one_packet_after_the_other(void **state)
{
    PIRP  a = make_irp("a"), b = make_irp("b"), c = make_irp("c");
    ULONG late = 5, early = 3;
    (void)state;
    IoStartPacket(device, a, NULL, NULL);
    IoStartPacket(device, b, &late, NULL);
    IoStartPacket(device, c, &early, NULL);
    assert_string_equal(started, "a");
    IoStartNextPacket(device, FALSE);
    assert_string_equal(started, "ac");
    IoStartNextPacketByKey(device, FALSE, 4);
    assert_string_equal(started, "acb");
    IoStartNextPacket(device, FALSE);
    assert_null(device->CurrentIrp);
    IoStartPacket(device, a, NULL, NULL);
    assert_string_equal(started, "acba");
    assert_irql(PASSIVE_LEVEL);
    IoFreeIrp(a);
    IoFreeIrp(b);
    IoFreeIrp(c);
}

static void a_waiting_packet_can_be_cancelled(void **state)
{
    PIRP a = make_irp("a"), b = make_irp("b"), c = make_irp("c");
    (void)state;
    IoStartPacket(device, a, NULL, cancel_one);
    IoStartPacket(device, b, NULL, cancel_one);
    assert_true(IoCancelIrp(b));
    assert_false(IoCancelIrp(c));
    IoStartPacket(device, c, NULL, cancel_one);
    assert_int_equal(own->cancelled, 2);
    IoStartNextPacket(device, TRUE);
    assert_string_equal(started, "a");
    IoSetStartIoAttributes(device, FALSE, TRUE);
    b->Cancel = FALSE;
    IoStartPacket(device, b, NULL, cancel_one);
    assert_string_equal(started, "ab");
    assert_false(IoCancelIrp(b)); /* StartIo has it, without its cancel routine */
    IoFreeIrp(a);
    IoFreeIrp(b);
    IoFreeIrp(c);
}

static void start_io_is_not_called_inside_itself(void **state)
{
    PIRP irps[3] = { make_irp("a"), make_irp("b"), make_irp("c") };
    (void)state;
    IoSetStartIoAttributes(device, TRUE, FALSE);
    IoStartPacket(device, irps[0], NULL, cancel_one);
    start_next_inside = true;
    IoStartPacket(device, irps[1], NULL, cancel_one);
    IoStartPacket(device, irps[2], NULL, cancel_one);
    IoStartNextPacket(device, TRUE);
    assert_string_equal(started, "abc");
    assert_null(device->CurrentIrp);
    for (int i = 0; i < 3; i++)
        IoFreeIrp(irps[i]);
}

/* ---- remove locks ---- */

static void removed_when_nobody_holds_it(void **state)
{
    IO_REMOVE_LOCK lock;
    (void)state;
    IoInitializeRemoveLock(&lock, TAG, 0, 0);
    assert_int_equal(IoAcquireRemoveLock(&lock, &no_time), STATUS_SUCCESS);
    assert_int_equal(IoAcquireRemoveLock(&lock, NULL), STATUS_SUCCESS);
    assert_int_equal(lock.Common.IoCount, 3);
    IoReleaseRemoveLock(&lock, &no_time);
    IoReleaseRemoveLockAndWait(&lock, NULL);
    assert_true(lock.Common.Removed);
    assert_int_equal(lock.Common.IoCount, 0);
    assert_int_equal(IoAcquireRemoveLock(&lock, NULL), STATUS_DELETE_PENDING);
    assert_int_equal(lock.Common.IoCount, 0);
}

static void the_short_form(void **state)
{
    IO_REMOVE_LOCK lock; /* longer than said */
    ULONG          bytes = sizeof(IO_REMOVE_LOCK_COMMON_BLOCK);
    (void)state;
    memset(&lock, 0x5A, sizeof lock);
    IoInitializeRemoveLockEx(&lock, TAG, 0, 0, bytes);
    assert_int_equal(IoAcquireRemoveLockEx(&lock, NULL, "", 1, bytes), STATUS_SUCCESS);
    IoReleaseRemoveLockAndWaitEx(&lock, &lock, bytes);
    assert_int_equal(lock.Dbg.HighWatermark, 0x5A5A5A5A);
}

typedef struct holder {
    IO_REMOVE_LOCK   lock;
    KEVENT           holds;
    _Atomic uint32_t done;
} holder_t;

static void *hold_for_a_while(void *argument)
{
    holder_t *h = argument;
    if (IoAcquireRemoveLock(&h->lock, h) != STATUS_SUCCESS)
        return NULL;
    (void)KeSetEvent(&h->holds, IO_NO_INCREMENT, FALSE);
    while (!__atomic_load_n(&h->lock.Common.Removed, __ATOMIC_ACQUIRE))
        ;
    atomic_store(&h->done, 1);
    IoReleaseRemoveLock(&h->lock, h);
    return NULL;
}

static void the_remover_waits(void **state)
{
    static holder_t h;
    pthread_t       thread;
    (void)state;
    memset(&h, 0, sizeof h);
    IoInitializeRemoveLock(&h.lock, TAG, 1, 10);
    KeInitializeEvent(&h.holds, NotificationEvent, FALSE);
    assert_int_equal(pthread_create(&thread, NULL, hold_for_a_while, &h), 0);
    (void)KeWaitForSingleObject(&h.holds, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(IoAcquireRemoveLock(&h.lock, &thread), STATUS_SUCCESS);
    IoReleaseRemoveLockAndWait(&h.lock, &thread);
    assert_int_equal(h.done, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_holder_that_never_lets_go_is_a_leak(void **state)
{
    IO_REMOVE_LOCK lock;
    ntmm_report    report;
    (void)state;
    IoInitializeRemoveLock(&lock, TAG, 0, 0);
    assert_int_equal(IoAcquireRemoveLock(&lock, NULL), STATUS_SUCCESS);
    assert_int_equal(ntmm_driver_unload(driver), 0);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, TAG);
    assert_int_equal(boot_with_driver(state), 0);
}

static void released_too_often(void **state)
{
    IO_REMOVE_LOCK lock;
    ULONG          bytes = sizeof(IO_REMOVE_LOCK_COMMON_BLOCK);
    KIRQL          old;
    (void)state;
    IoInitializeRemoveLockEx(&lock, TAG, 0, 0, bytes);
    assert_bugcheck(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_REFERENCE_COUNT, IoReleaseRemoveLockEx(&lock, NULL, bytes));
    ntmm_cmocka_reboot();
    IoInitializeRemoveLock(&lock, TAG, 0, 1);
    assert_int_equal(IoAcquireRemoveLock(&lock, &lock), STATUS_SUCCESS);
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, IoReleaseRemoveLock(&lock, NULL)); /* an assertion: the Tag is another one */
    ntmm_cmocka_reboot();
    IoInitializeRemoveLock(&lock, TAG, 0, 1);
    assert_int_equal(IoAcquireRemoveLock(&lock, NULL), STATUS_SUCCESS);
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, IoAcquireRemoveLock(&lock, NULL)); /* the high watermark */
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoReleaseRemoveLockAndWait(&lock, NULL));
}

#define driver_test(test) cmocka_unit_test_setup_teardown(test, boot_with_driver, shut_down_with_driver)

int main(void)
{
    const struct CMUnitTest tests[] = {
        driver_test(what_is_put_in_comes_out),
        driver_test(a_cancelled_irp_is_completed),
        driver_test(the_driver_may_refuse_or_choose_the_place),
        driver_test(cancelling_and_removing_race),
        driver_test(busy_until_nothing_waits),
        driver_test(one_packet_after_the_other),
        driver_test(a_waiting_packet_can_be_cancelled),
        driver_test(start_io_is_not_called_inside_itself),
        driver_test(removed_when_nobody_holds_it),
        driver_test(the_short_form),
        driver_test(the_remover_waits),
        driver_test(a_holder_that_never_lets_go_is_a_leak),
        driver_test(released_too_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
