/*
 * test_ex_work_item.c - work items: run at PASSIVE_LEVEL on a kernel stack, once for each time they are queued, and before the machine goes.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>

static KEVENT      done, go;
static _Atomic int counted;
static PETHREAD    ran_in;
static KIRQL       ran_at;
static BOOLEAN     ran_in_system;
static ULONG_PTR   stack_bytes;

static void prepare(void)
{
    KeInitializeEvent(&done, SynchronizationEvent, FALSE);
    KeInitializeEvent(&go, NotificationEvent, FALSE);
    counted = 0;
}

static void wait_for(PVOID object)
{
    LARGE_INTEGER limit = { .QuadPart = -10 * 10000000ll };
    assert_int_equal(KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static VOID look(PVOID event)
{
    ULONG_PTR low, high;
    IoGetStackLimits(&low, &high);
    stack_bytes = high - low;
    ran_in = PsGetCurrentThread();
    ran_at = KeGetCurrentIrql();
    ran_in_system = PsIsSystemThread(PsGetCurrentThread());
    KeSetEvent(event, 0, FALSE);
}
static VOID count(PVOID unused)
{
    (void)unused;
    counted++;
}
static VOID wait_and_count(PVOID unused)
{
    (void)unused;
    KeWaitForSingleObject(&go, Executive, KernelMode, FALSE, NULL);
    counted++;
    KeSetEvent(&done, 0, FALSE);
}

static void an_item_runs_in_a_system_thread(void **state)
{
    static WORK_QUEUE_ITEM item;
    KIRQL                  old;
    (void)state;
    prepare();
    ExInitializeWorkItem(&item, look, &done);
    for (int i = 0; i < 3; i++) {
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        ExQueueWorkItem(&item, DelayedWorkQueue);
        KeLowerIrql(old);
        wait_for(&done);
        assert_true(ran_in != PsGetCurrentThread() && ran_in_system);
        assert_int_equal(ran_at, PASSIVE_LEVEL);
        assert_true(stack_bytes >= KERNEL_STACK_SIZE && stack_bytes <= 16 * KERNEL_STACK_SIZE);
    }
}

static void all_items_have_run_when_the_machine_goes(void **state)
{
    static WORK_QUEUE_ITEM items[200];
    (void)state;
    prepare();
    for (int i = 0; i < 200; i++) {
        ExInitializeWorkItem(&items[i], count, NULL);
        ExQueueWorkItem(&items[i], i % 2 == 0 ? CriticalWorkQueue : DelayedWorkQueue);
    }
    assert_no_leaks();
    assert_int_equal(counted, 200);
}

static void one_that_waits_does_not_hold_up_the_others(void **state)
{
    static WORK_QUEUE_ITEM slow[3], fast;
    (void)state;
    prepare();
    for (int i = 0; i < 3; i++) {
        ExInitializeWorkItem(&slow[i], wait_and_count, NULL);
        ExQueueWorkItem(&slow[i], DelayedWorkQueue);
    }
    ExInitializeWorkItem(&fast, look, &done);
    ExQueueWorkItem(&fast, DelayedWorkQueue);
    wait_for(&done);
    assert_int_equal(counted, 0);
    KeSetEvent(&go, 0, FALSE);
    assert_no_leaks();
    assert_int_equal(counted, 3);
}

static WORK_QUEUE_ITEM again;
static VOID            queue_again(PVOID unused)
{
    (void)unused;
    if (++counted < 5)
        ExQueueWorkItem(&again, DelayedWorkQueue);
}

static void it_queues_itself(void **state)
{
    (void)state;
    prepare();
    ExInitializeWorkItem(&again, queue_again, NULL);
    ExQueueWorkItem(&again, DelayedWorkQueue);
    assert_no_leaks();
    assert_int_equal(counted, 5);
}

static void it_is_queued_twice(void **state)
{
    static WORK_QUEUE_ITEM items[9];
    (void)state;
    prepare();
    for (int i = 0; i < 9; i++) { /* eight threads wait in the first eight */
        ExInitializeWorkItem(&items[i], wait_and_count, NULL);
        ExQueueWorkItem(&items[i], DelayedWorkQueue);
    }
    assert_bugcheck_all(WORKER_INVALID, 1, &items[8], CriticalWorkQueue, 0, ExQueueWorkItem(&items[8], CriticalWorkQueue));
    ntmm_cmocka_reboot();
    ExInitializeWorkItem(&items[0], NULL, NULL);
    assert_bugcheck_all(WORKER_INVALID, 7, &items[0], DelayedWorkQueue, 0, ExQueueWorkItem(&items[0], DelayedWorkQueue));
}

static void it_is_queued_nowhere(void **state)
{
    static const unsigned  none[] = { MaximumWorkQueue, CustomPriorityWorkQueue - 1, CustomPriorityWorkQueue + 32, 0xFFFFFFFF };
    static WORK_QUEUE_ITEM item;
    (void)state;
    prepare();
    ExInitializeWorkItem(&item, look, &done);
    ExQueueWorkItem(&item, (WORK_QUEUE_TYPE)(CustomPriorityWorkQueue + 31));
    wait_for(&done);
    for (volatile unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_bugcheck_all(WORKER_INVALID, 6, &item, none[i], 0, ExQueueWorkItem(&item, (WORK_QUEUE_TYPE)none[i]));
        ntmm_cmocka_reboot();
    }
    PIO_WORKITEM of_device = IoAllocateWorkItem(NULL);
    assert_bugcheck_all(WORKER_INVALID, 6, of_device, 7, 0, IoQueueWorkItemEx(of_device, NULL, MaximumWorkQueue, NULL));
    ntmm_cmocka_reboot();
    of_device = IoAllocateWorkItem(NULL);
    assert_bugcheck_all(WORKER_INVALID, 7, of_device, DelayedWorkQueue, 0, IoQueueWorkItem(of_device, NULL, DelayedWorkQueue, NULL));
}

static VOID stay_raised(PVOID unused)
{
    KIRQL old;
    (void)unused;
    KeRaiseIrql(APC_LEVEL, &old);
}
static WORK_QUEUE_ITEM raised;
static void            queue_raised(void)
{
    ExInitializeWorkItem(&raised, stay_raised, &counted);
    ExQueueWorkItem(&raised, DelayedWorkQueue);
    LARGE_INTEGER limit = { .QuadPart = -10 * 10000000ll };
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, &limit);
}

static void it_returns_at_another_irql(void **state)
{
    (void)state;
    prepare();
    assert_bugcheck_all(WORKER_THREAD_RETURNED_AT_BAD_IRQL, (uintptr_t)stay_raised, APC_LEVEL, &counted, &raised, queue_raised());
}

static void too_high(void **state)
{
    static WORK_QUEUE_ITEM item;
    KIRQL                  old;
    (void)state;
    ExInitializeWorkItem(&item, count, NULL);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExQueueWorkItem(&item, DelayedWorkQueue));
}

/* ---- of devices ---- */

static DEVICE_OBJECT device;
static VOID          of_a_device(PDEVICE_OBJECT object, PVOID context)
{
    counted += object == &device;
    KeSetEvent(context, 0, FALSE);
}
static VOID free_itself(PVOID object, PVOID context, PIO_WORKITEM item)
{
    counted += object == &device;
    IoFreeWorkItem(item);
    KeSetEvent(context, 0, FALSE);
}

static void items_of_devices(void **state)
{
    char storage[256];
    (void)state;
    prepare();
    PIO_WORKITEM item = IoAllocateWorkItem(&device);
    assert_non_null(item);
    IoQueueWorkItem(item, of_a_device, DelayedWorkQueue, &done);
    wait_for(&done);
    IoQueueWorkItemEx(item, free_itself, DelayedWorkQueue, &done);
    wait_for(&done);
    assert_true(IoSizeofWorkItem() <= sizeof storage);
    item = (PIO_WORKITEM)(void *)storage;
    IoInitializeWorkItem(&device, item);
    IoQueueWorkItem(item, of_a_device, CriticalWorkQueue, &done);
    wait_for(&done);
    IoUninitializeWorkItem(item);
    assert_int_equal(counted, 3);
}

static VOID wait_for_go(PDEVICE_OBJECT object, PVOID context)
{
    (void)object;
    wait_and_count(context);
}

static void it_is_freed_in_the_queue(void **state)
{
    PIO_WORKITEM item = NULL;
    (void)state;
    prepare();
    for (int i = 0; i < 9; i++) {
        item = IoAllocateWorkItem(&device);
        IoQueueWorkItem(item, wait_for_go, DelayedWorkQueue, NULL);
    }
    assert_bugcheck_all(WORKER_INVALID, 2, item, (uintptr_t)wait_for_go, 0, IoFreeWorkItem(item));
}

static int  refused;
static void allocate_one(void *unused)
{
    PIO_WORKITEM item = IoAllocateWorkItem(unused);
    refused += item == NULL;
    if (item != NULL)
        IoFreeWorkItem(item);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    refused = 0;
    assert_int_equal(ntmm_for_each_failure(allocate_one, &device), 2);
    assert_int_equal(refused, 1);
}

/* ---- several threads ---- */

enum { TURNS = 200 };
static void *queue_many(void *items)
{
    WORK_QUEUE_ITEM *item = items;
    for (int i = 0; i < TURNS; i++) {
        ExInitializeWorkItem(&item[i], count, NULL);
        ExQueueWorkItem(&item[i], DelayedWorkQueue);
    }
    return NULL;
}

static void threads_queue_at_once(void **state)
{
    static WORK_QUEUE_ITEM items[4][TURNS];
    pthread_t              thread[4];
    (void)state;
    prepare();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, queue_many, items[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_no_leaks();
    assert_int_equal(counted, 4 * TURNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(an_item_runs_in_a_system_thread),
        ntmm_cmocka_test(all_items_have_run_when_the_machine_goes),
        ntmm_cmocka_test(one_that_waits_does_not_hold_up_the_others),
        ntmm_cmocka_test(it_queues_itself),
        ntmm_cmocka_test(it_is_queued_twice),
        ntmm_cmocka_test(it_is_queued_nowhere),
        ntmm_cmocka_test(it_returns_at_another_irql),
        ntmm_cmocka_test(too_high),
        ntmm_cmocka_test(items_of_devices),
        ntmm_cmocka_test(it_is_freed_in_the_queue),
        ntmm_cmocka_test(memory_may_be_short),
        ntmm_cmocka_test(threads_queue_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
