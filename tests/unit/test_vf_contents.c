/*
 * test_vf_contents.c - Driver Verifier's "Miscellaneous Checks", and what it finds in pool that is freed whatever its flags are.
 */
#include "../support/user_memory.h"

#include <stdlib.h>

#define TAG NTMM_TAG("VfCo")

static const ntmm_config MISC = { .verifier = NTMM_VERIFY_MISC, .quiet = true };
static const ntmm_config OTHER = { .verifier = NTMM_VERIFY_DMA, .quiet = true };
static const ntmm_config NONE = { .quiet = true };

typedef struct extension { /* of a device, say: things in the middle of it */
    char              name[40];
    KTIMER            timer;
    KDPC              dpc;
    ERESOURCE         resource;
    LOOKASIDE_LIST_EX list;
    WORK_QUEUE_ITEM   item;
} extension_t;

static extension_t *extension(POOL_FLAGS pool)
{
    extension_t *e = ExAllocatePool2(pool, sizeof *e, TAG);
    assert_non_null(e);
    return e;
}

static VOID nothing(PKDPC Dpc, PVOID Context, PVOID First, PVOID Second) { (void)Dpc, (void)Context, (void)First, (void)Second; }
static VOID work(PVOID context) { (void)KeWaitForSingleObject(context, Executive, KernelMode, FALSE, NULL); }

#define STOPS(code, p1, p2, p3, p4, ...) \
    do { \
        assert_bugcheck_all((code), (p1), (p2), (p3), (p4), __VA_ARGS__); \
        assert_null(strstr(ntmm_stop_report(), "which rule of Driver Verifier")); \
        ntmm_cmocka_reboot(); \
    } while (0)
#define C4 DRIVER_VERIFIER_DETECTED_VIOLATION

/* ---- whatever the flags ---- */

static void a_timer_that_is_set(void **state)
{
    (void)state;
    const LARGE_INTEGER late = { .QuadPart = -600 * 10000000LL };
    extension_t        *e = extension(POOL_FLAG_NON_PAGED);
    KeInitializeTimer(&e->timer);
    KeSetTimer(&e->timer, late, NULL);
    STOPS(C4, 0x15, &e->timer, NonPagedPoolNx, e, ExFreePoolWithTag(e, TAG));
    char   *pages = ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, 3 * PAGE_SIZE, TAG); /* in whole pages, and at their end */
    PKTIMER last = (PKTIMER)(void *)(pages + 3 * PAGE_SIZE - sizeof(KTIMER));
    KeInitializeTimer(last);
    KeSetTimerEx(last, late, 1000, NULL);
    STOPS(C4, 0x15, last, NonPagedPool, pages, ExFreePool(pages));
    e = extension(POOL_FLAG_NON_PAGED);
    extension_t *neighbour = extension(POOL_FLAG_NON_PAGED);
    KeInitializeTimer(&e->timer);
    KeSetTimer(&e->timer, late, NULL);
    ExFreePool(neighbour); /* not this one's */
    KeCancelTimer(&e->timer);
    ExFreePool(e);
}

static void a_dpc_that_is_queued(void **state)
{
    (void)state;
    KIRQL old;
    for (volatile int threaded = 0; threaded < 2; threaded++) {
        extension_t *e = extension(POOL_FLAG_NON_PAGED);
        if (threaded)
            KeInitializeThreadedDpc(&e->dpc, nothing, NULL);
        else
            KeInitializeDpc(&e->dpc, nothing, NULL);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        KeInsertQueueDpc(&e->dpc, NULL, NULL);
        if (!threaded) /* a threaded one may have run by now */
            STOPS(TIMER_OR_DPC_INVALID, 1, &e->dpc, e, e + 1, ExFreePool(e));
        else {
            KeLowerIrql(old);
            KeFlushQueuedDpcs();
            ExFreePool(e);
        }
    }
}

static void an_irp_freed_as_pool(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(2, FALSE);
    STOPS(C4, 0x105, irp, 0, 0, ExFreePool(irp));
    irp = IoAllocateIrp(2, FALSE);
    assert_no_bugcheck(IoFreeIrp(irp));
    irp = ExAllocatePool2(POOL_FLAG_NON_PAGED, IoSizeOfIrp(1), TAG); /* in the driver's own memory */
    IoInitializeIrp(irp, IoSizeOfIrp(1), 1);
    assert_no_bugcheck(ExFreePool(irp));
}

/* A wrong free is told first, and what is right passes. */
static void frees_are_what_they_were(void **state)
{
    (void)state;
    const LARGE_INTEGER late = { .QuadPart = -600 * 10000000LL };
    extension_t        *e = extension(POOL_FLAG_NON_PAGED);
    KeInitializeTimer(&e->timer);
    KeSetTimer(&e->timer, late, NULL);
    STOPS(BAD_POOL_CALLER, 0x0A, e, TAG, NTMM_TAG("Oops"), ExFreePoolWithTag(e, NTMM_TAG("Oops")));
    for (SIZE_T bytes = 1; bytes < 3 * PAGE_SIZE; bytes += 509)
        ExFreePool(memset(ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG), 0xFF, bytes));
    assert_true(ntmm_check());
}

/* ---- miscellaneous checks ---- */

static void lists_and_resources(void **state)
{
    (void)state;
    extension_t *e = extension(POOL_FLAG_NON_PAGED);
    ExInitializeLookasideListEx(&e->list, NULL, NULL, NonPagedPoolNx, 0, 64, TAG, 0);
    STOPS(C4, 0xCC, &e->list, e, sizeof *e, ExFreePool(e));
    e = extension(POOL_FLAG_NON_PAGED);
    ExInitializeResourceLite(&e->resource);
    STOPS(C4, 0xD2, &e->resource, e, sizeof *e, ExFreePool(e));
    PERESOURCE alone = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *alone, TAG); /* nothing but it */
    ExInitializeResourceLite(alone);
    STOPS(C4, 0xD2, alone, alone, sizeof *alone, ExFreePool(alone));
    e = extension(POOL_FLAG_NON_PAGED);
    ExInitializeLookasideListEx(&e->list, NULL, NULL, NonPagedPoolNx, 0, 64, TAG, 0);
    ExInitializeResourceLite(&e->resource);
    ExDeleteLookasideListEx(&e->list);
    ExDeleteResourceLite(&e->resource);
    assert_no_bugcheck(ExFreePool(e));
}

static void a_work_item_in_the_queue(void **state)
{
    static WORK_QUEUE_ITEM busy[8];
    static KEVENT          go;
    (void)state;
    KeInitializeEvent(&go, NotificationEvent, FALSE);
    for (int i = 0; i < 8; i++) { /* every worker waits */
        ExInitializeWorkItem(&busy[i], work, &go);
        ExQueueWorkItem(&busy[i], DelayedWorkQueue);
    }
    extension_t *e = extension(POOL_FLAG_NON_PAGED);
    ExInitializeWorkItem(&e->item, work, &go);
    ExQueueWorkItem(&e->item, DelayedWorkQueue);
    STOPS(WORKER_INVALID, 0, &e->item, e, e + 1, ExFreePool(e));
}

static void a_wait_in_user_mode_for_an_object_on_the_stack(void **state)
{
    static KEVENT global;
    KEVENT        local;
    PVOID         both[] = { &global, &local };
    (void)state;
    KeInitializeEvent(&global, NotificationEvent, TRUE);
    KeInitializeEvent(&local, NotificationEvent, TRUE);
    assert_no_bugcheck(KeWaitForSingleObject(&global, Executive, UserMode, FALSE, NULL));
    assert_no_bugcheck(KeWaitForSingleObject(&local, Executive, KernelMode, FALSE, NULL));
    assert_no_bugcheck(KeWaitForMultipleObjects(2, both, WaitAll, Executive, KernelMode, FALSE, NULL, NULL));
    STOPS(C4, 0x123, &local, 0, 0, KeWaitForSingleObject(&local, Executive, UserMode, FALSE, NULL));
    KeInitializeEvent(&global, NotificationEvent, TRUE);
    KeInitializeEvent(&local, NotificationEvent, TRUE);
    STOPS(C4, 0x123, &local, 0, 0, KeWaitForMultipleObjects(2, both, WaitAny, Executive, UserMode, FALSE, NULL, NULL));
}

static NTSTATUS reference(HANDLE handle, KPROCESSOR_MODE mode)
{
    PVOID    object;
    NTSTATUS status = ObReferenceObjectByHandle(handle, 0, NULL, mode, &object, NULL);
    if (NT_SUCCESS(status))
        ObDereferenceObject(object);
    return status;
}

static void a_handle_of_an_application(void **state)
{
    HANDLE kernel, own;
    (void)state;
    user_pages(PAGE_SIZE);
    assert_int_equal(ObOpenObjectByPointer(PsGetCurrentProcess(), OBJ_KERNEL_HANDLE, NULL, 0, NULL, KernelMode, &kernel), STATUS_SUCCESS);
    assert_int_equal(ObOpenObjectByPointer(PsGetCurrentProcess(), 0, NULL, 0, NULL, KernelMode, &own), STATUS_SUCCESS);
    assert_int_equal(reference(kernel, KernelMode), STATUS_SUCCESS);
    assert_int_equal(reference(own, UserMode), STATUS_SUCCESS);
    assert_int_equal(reference(NtCurrentProcess(), KernelMode), STATUS_SUCCESS);
    PEPROCESS process = PsGetCurrentProcess();
    assert_bugcheck(C4, 0xF6, reference(own, KernelMode));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)own);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)process);
    assert_in_range(ntmm_cmocka_caught.parameter[3], (uintptr_t)reference - PAGE_SIZE, (uintptr_t)reference + PAGE_SIZE);
}

/* Without the flag, or without a verifier, these are for others to find. */
static void without_the_flag(void **state)
{
    KEVENT local;
    HANDLE own;
    (void)state;
    KeInitializeEvent(&local, NotificationEvent, TRUE);
    assert_no_bugcheck(KeWaitForSingleObject(&local, Executive, UserMode, FALSE, NULL));
    PERESOURCE resource = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *resource, TAG);
    ExInitializeResourceLite(resource);
    assert_no_bugcheck(ExFreePool(resource));
    user_pages(PAGE_SIZE);
    assert_int_equal(ObOpenObjectByPointer(PsGetCurrentProcess(), 0, NULL, 0, NULL, KernelMode, &own), STATUS_SUCCESS);
    assert_int_equal(reference(own, KernelMode), STATUS_SUCCESS);
    assert_int_equal(ZwClose(own), STATUS_SUCCESS);
}

#define ANY_FLAG(test) ntmm_cmocka_test_config(test, &OTHER), ntmm_cmocka_test_config(test, &MISC)
#define MISC_TEST(test) ntmm_cmocka_test_config(test, &MISC)

int main(void)
{
    setenv("PATH", "/nonexistent", 1); /* the reports do without the lines of addr2line */
    const struct CMUnitTest tests[] = {
        ANY_FLAG(a_timer_that_is_set),
        ANY_FLAG(a_dpc_that_is_queued),
        ANY_FLAG(an_irp_freed_as_pool),
        ANY_FLAG(frees_are_what_they_were),
        MISC_TEST(lists_and_resources),
        MISC_TEST(a_work_item_in_the_queue),
        MISC_TEST(a_wait_in_user_mode_for_an_object_on_the_stack),
        MISC_TEST(a_handle_of_an_application),
        ntmm_cmocka_test_config(without_the_flag, &OTHER),
        ntmm_cmocka_test_config(without_the_flag, &NONE),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
