/*
 * test_mm_force_users.c - NTMM_VERIFY_FORCE_IRQL and user addresses: those of a process in which the thread does not run are nobody's. Runs with
 * both gates.
 */
#define NTMM_USES_TRY
#include "../support/user_memory.h"

#include <pthread.h>
#include <string.h>

#define TAG NTMM_TAG("Forc")

static void read_raised(const void *p)
{
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    (void)peek(p);
    KeLowerIrql(irql);
}

static ntmm_process  *owner;
static unsigned char *of_owner(void) /* memory of a process that has touched it, and in which the thread is not any longer */
{
    owner = ntmm_process_create();
    ntmm_process_attach(owner);
    unsigned char *p = ntmm_user_alloc(owner, 2 * PAGE_SIZE, PAGE_READWRITE);
    assert_non_null(p);
    p[0] = 7, p[PAGE_SIZE] = 8;
    ntmm_process_attach(NULL);
    return p;
}
static void end_owner(void)
{
    ntmm_process_attach(NULL);
    ntmm_process_destroy(owner);
}

static void without_the_flag_nobody_notices(void **state)
{
    (void)state;
    unsigned char *p = of_owner();
    assert_int_equal(peek(p), 7);
    end_owner();
}

static void memory_of_another_process_is_not_there(void **state)
{
    (void)state;
    KAPC_STATE     apc;
    unsigned char *p = of_owner();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
        assert_int_equal(raised(poke(p + PAGE_SIZE, 1)), STATUS_ACCESS_VIOLATION);
        KeStackAttachProcess(as_object(owner), &apc);
        assert_true(peek(p) == 7 && peek(p + PAGE_SIZE) == 8); /* where it belongs it is */
        KeUnstackDetachProcess(&apc);
    }
    ntmm_process *other = ntmm_process_create();
    ntmm_process_attach(owner);
    assert_int_equal(peek(p), 7);
    KeStackAttachProcess(as_object(other), &apc); /* from its own process into another one */
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    KeUnstackDetachProcess(&apc);
    assert_int_equal(peek(p), 7);
    ntmm_process_attach(other);
    assert_int_equal(raised((void)peek(p)), STATUS_ACCESS_VIOLATION);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(other);
    end_owner();
}

static void outside_of_a_try_it_stops_the_machine(void **state)
{
    (void)state;
    unsigned char *p = of_owner();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (intptr_t)STATUS_ACCESS_VIOLATION, (void)peek(p));
    assert_int_equal(ntmm_cmocka_caught.parameter[3], (uintptr_t)p);
    ntmm_cmocka_reboot();
    p = of_owner();
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p, read_raised(p));
}

static void *touch_from_a_thread(void *p) { return raised((void)peek(p)) == STATUS_ACCESS_VIOLATION ? p : NULL; }

static void a_thread_of_the_system_has_no_user_memory(void **state)
{
    (void)state;
    pthread_t      thread;
    void          *right;
    unsigned char *p = of_owner();
    assert_int_equal(pthread_create(&thread, NULL, touch_from_a_thread, p), 0);
    pthread_join(thread, &right);
    assert_ptr_equal(right, p);
    end_owner();
}

/* An IRP's output is copied as by an APC of the thread that sent it: wherever, and at whatever IRQL, the IRP is completed. */
static NTSTATUS pend(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoMarkIrpPending(irp);
    return STATUS_PENDING;
}

static void output_reaches_its_process(void **state)
{
    (void)state;
    static DRIVER_OBJECT driver;
    for (int kind = 0; kind < 3; kind++) { /* of a process, by somebody else; the same at DISPATCH_LEVEL; paged pool at DISPATCH_LEVEL */
        IO_STATUS_BLOCK local, *block = &local;
        KEVENT          event;
        KIRQL           old;
        unsigned char  *p = of_owner(), *pool = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG), *to = kind < 2 ? p + PAGE_SIZE - 2 : pool;
        DEVICE_OBJECT   device = { .Type = IO_TYPE_DEVICE, .DriverObject = &driver, .StackSize = 1 };
        driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = pend;
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        if (kind == 2)
            block = (IO_STATUS_BLOCK *)(void *)(pool + 32);
        ntmm_process_attach(owner);
        PIRP irp = IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS), &device, NULL, 0,
                                                 to, 4, FALSE, &event, block);
        assert_int_equal(IoCallDriver(&device, irp), STATUS_PENDING);
        ntmm_process_attach(NULL);
        memcpy(irp->AssociatedIrp.SystemBuffer, "abcd", 4);
        irp->IoStatus = (IO_STATUS_BLOCK){ .Status = STATUS_SUCCESS, .Information = 4 };
        KeRaiseIrql(kind > 0 ? DISPATCH_LEVEL : PASSIVE_LEVEL, &old);
        IoCompleteRequest(irp, IO_NO_INCREMENT);
        KeLowerIrql(old);
        ntmm_process_attach(owner);
        assert_true(to[0] == 'a' && to[3] == 'd' && block->Information == 4);
        end_owner();
        ExFreePoolWithTag(pool, TAG);
    }
    assert_true(ntmm_check());
}

static const ntmm_config userfault = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL, .page_gate = NTMM_GATE_BEST };
static const ntmm_config protect = { .quiet = true, .verifier = NTMM_VERIFY_FORCE_IRQL, .page_gate = NTMM_GATE_MPROTECT };

#define BOTH(test) ntmm_cmocka_test_config(test, &userfault), ntmm_cmocka_test_config(test, &protect)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(without_the_flag_nobody_notices),
        BOTH(memory_of_another_process_is_not_there),
        BOTH(outside_of_a_try_it_stops_the_machine),
        BOTH(a_thread_of_the_system_has_no_user_memory),
        BOTH(output_reaches_its_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
