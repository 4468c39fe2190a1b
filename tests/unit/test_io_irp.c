/*
 * test_io_irp.c - a function driver with a filter above it, and requests of every kind that go through both: where the buffers are, who keeps an
 * IRP and who frees it, which completion routines run, cancelling; and what stops the machine.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#define IOCTL(method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, method, FILE_ANY_ACCESS)
#define BYTES (PAGE_SIZE + 100u)

/* ---- the function driver: every control adds one to every byte of its input ---- */

static DRIVER_OBJECT function_driver, filter_driver;
static DEVICE_OBJECT function_device, filter_device;
static PIRP          kept;   /* by the function driver, when it makes requests pend */
static bool          pends;  /* it does */
static NTSTATUS      answer; /* what it answers */

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS do_control(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    ULONG              in = location->Parameters.DeviceIoControl.InputBufferLength;
    ULONG              out = location->Parameters.DeviceIoControl.OutputBufferLength;
    unsigned char     *from = irp->AssociatedIrp.SystemBuffer, *to = from;
    assert_ptr_equal(location->DeviceObject, device);
    if (METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_NEITHER) {
        from = location->Parameters.DeviceIoControl.Type3InputBuffer;
        to = irp->UserBuffer;
    } else if (irp->MdlAddress != NULL)
        to = MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
    ULONG bytes = in < out ? in : out;
    for (ULONG i = 0; i < bytes; i++)
        to[i] = (unsigned char)(from[i] + 1);
    return complete(irp, answer, bytes);
}

static NTSTATUS do_transfer(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    ULONG              bytes = location->Parameters.Read.Length;
    unsigned char     *buffer = (device->Flags & DO_BUFFERED_IO) != 0 ? irp->AssociatedIrp.SystemBuffer
                                : (device->Flags & DO_DIRECT_IO) != 0 ? MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority)
                                                                      : irp->UserBuffer;
    if (pends) {
        IoMarkIrpPending(irp);
        kept = irp;
        return STATUS_PENDING;
    }
    if (location->MajorFunction == IRP_MJ_READ)
        memset(buffer, (int)location->Parameters.Read.ByteOffset.QuadPart, bytes);
    else
        for (ULONG i = 0; i < bytes; i++)
            assert_int_equal(buffer[i], 9);
    return complete(irp, answer, bytes);
}

/* ---- the filter ---- */

static enum { SKIPS, COPIES, WATCHES, KEEPS } filter;
static int  watched;
static bool watched_pending;

static NTSTATUS watch(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    assert_ptr_equal(device, &filter_device);
    assert_ptr_equal(context, &watched);
    watched++;
    watched_pending = irp->PendingReturned;
    if (irp->PendingReturned)
        IoMarkIrpPending(irp);
    return STATUS_CONTINUE_COMPLETION;
}
static NTSTATUS keep(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    (void)device, (void)irp;
    watched++;
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS pass_down(PDEVICE_OBJECT device, PIRP irp)
{
    KEVENT event;
    (void)device;
    if (filter == SKIPS)
        IoSkipCurrentIrpStackLocation(irp);
    else
        IoCopyCurrentIrpStackLocationToNext(irp);
    if (filter == WATCHES)
        IoSetCompletionRoutine(irp, watch, &watched, TRUE, TRUE, TRUE);
    if (filter != KEEPS)
        return IoCallDriver(&function_device, irp);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoSetCompletionRoutine(irp, keep, &event, TRUE, TRUE, TRUE);
    if (IoCallDriver(&function_device, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    NTSTATUS status = irp->IoStatus.Status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* ---- the machine ---- */

static unsigned char *input, *output;

static void device_init(DEVICE_OBJECT *device, DRIVER_OBJECT *driver, CCHAR stack_size, ULONG flags)
{
    *device =
        (DEVICE_OBJECT){ .Type = IO_TYPE_DEVICE, .Size = sizeof *device, .DriverObject = driver, .StackSize = stack_size, .Flags = flags };
}
static void prepare(ULONG flags)
{
    memset(&function_driver, 0, sizeof function_driver);
    memset(&filter_driver, 0, sizeof filter_driver);
    function_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = do_control;
    function_driver.MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = do_control;
    function_driver.MajorFunction[IRP_MJ_READ] = function_driver.MajorFunction[IRP_MJ_WRITE] = do_transfer;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        filter_driver.MajorFunction[i] = pass_down;
    device_init(&function_device, &function_driver, 1, flags);
    device_init(&filter_device, &filter_driver, 2, flags);
    filter = SKIPS;
    pends = watched_pending = false;
    watched = 0;
    kept = NULL;
    answer = STATUS_SUCCESS;
    if (input == NULL) {
        input = ExAllocatePool2(POOL_FLAG_PAGED, BYTES, NTMM_TAG("Test"));
        output = ExAllocatePool2(POOL_FLAG_PAGED, BYTES, NTMM_TAG("Test"));
    }
    memset(input, 9, BYTES);
    memset(output, 0, BYTES);
}
static int boot(void **state)
{
    input = output = NULL;
    if (ntmm_cmocka_setup(state) != 0)
        return -1;
    prepare(DO_BUFFERED_IO);
    return 0;
}
static void free_buffers(void)
{
    ExFreePoolWithTag(input, NTMM_TAG("Test"));
    ExFreePoolWithTag(output, NTMM_TAG("Test"));
    input = output = NULL;
}
static int shut_down(void **state)
{
    if (!ntmm_is_halted() && input != NULL)
        free_buffers();
    return ntmm_cmocka_teardown(state);
}
#define irp_test(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

/* ---- requests of the system ---- */

static NTSTATUS send(PDEVICE_OBJECT device, ULONG code, ULONG in, ULONG out, ULONG_PTR *information)
{
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = -1 };
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp =
        IoBuildDeviceIoControlRequest(code, device, in != 0 ? input : NULL, in, out != 0 ? output : NULL, out, FALSE, &event, &block);
    assert_non_null(irp);
    NTSTATUS status = IoCallDriver(device, irp);
    assert_int_equal(KeReadStateEvent(&event) != 0, status != STATUS_PENDING);
    *information = block.Information;
    return block.Status;
}

static void controls_of_every_method_through_every_filter(void **state)
{
    (void)state;
    static const struct {
        ULONG in, out;
    } LENGTHS[] = { { BYTES, BYTES }, { 8, BYTES }, { BYTES, 8 }, { 0, 0 }, { 0, 8 }, { 8, 0 } };
    for (ULONG method = METHOD_BUFFERED; method <= METHOD_NEITHER; method++)
        for (filter = SKIPS; filter <= KEEPS; filter++)
            for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
                ULONG     in = LENGTHS[i].in, out = LENGTHS[i].out, bytes = in < out ? in : out;
                ULONG_PTR information;
                int       before = watched;
                memset(output, 0, BYTES);
                assert_int_equal(send(&filter_device, IOCTL(method), in, out, &information), STATUS_SUCCESS);
                assert_int_equal(information, bytes);
                for (ULONG at = 0; at < BYTES; at++)
                    assert_int_equal(output[at], at < bytes ? 10 : 0);
                assert_int_equal(watched - before, filter >= WATCHES);
                assert_true(ntmm_check());
            }
}

static void an_error_gives_no_output(void **state)
{
    (void)state;
    ULONG_PTR information;
    answer = STATUS_UNSUCCESSFUL;
    assert_int_equal(send(&function_device, IOCTL(METHOD_BUFFERED), 8, 8, &information), STATUS_UNSUCCESSFUL);
    assert_int_equal(output[0], 0);
    answer = STATUS_BUFFER_OVERFLOW; /* a warning does */
    assert_int_equal(send(&function_device, IOCTL(METHOD_BUFFERED), 8, 8, &information), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(output[0], 10);
}

static void reads_and_writes_by_the_flags_of_the_device(void **state)
{
    (void)state;
    static const ULONG FLAGS[] = { DO_BUFFERED_IO, DO_DIRECT_IO, 0 };
    for (size_t i = 0; i < 3; i++) {
        KEVENT          event;
        IO_STATUS_BLOCK block = { .Status = -1 };
        LARGE_INTEGER   offset = { .QuadPart = 0x5C };
        prepare(FLAGS[i]);
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, &filter_device, output, BYTES, &offset, &event, &block);
        assert_non_null(irp);
        assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_SUCCESS);
        assert_true(KeReadStateEvent(&event) != 0 && block.Status == STATUS_SUCCESS && block.Information == BYTES);
        assert_true(output[0] == 0x5C && output[BYTES - 1] == 0x5C);
        irp = IoBuildSynchronousFsdRequest(IRP_MJ_WRITE, &filter_device, input, BYTES, &offset, &event, &block);
        assert_non_null(irp);
        assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_SUCCESS);
    }
}

static void a_function_that_no_driver_has(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block;
    PIRP            irp = IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, &function_device, NULL, 0, NULL, NULL, &block);
    assert_non_null(irp);
    assert_int_equal(IoCallDriver(&function_device, irp), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(block.Status, STATUS_INVALID_DEVICE_REQUEST);
}

static void a_request_that_pends(void **state)
{
    (void)state;
    for (filter = SKIPS; filter <= WATCHES; filter++) {
        KEVENT          event;
        IO_STATUS_BLOCK block = { .Status = -1 };
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        pends = true;
        PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, &filter_device, output, 16, NULL, &event, &block);
        assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_PENDING);
        assert_int_equal(KeReadStateEvent(&event), 0);
        memset(kept->AssociatedIrp.SystemBuffer, 0x33, 16);
        KIRQL before;
        KeRaiseIrql(DISPATCH_LEVEL, &before); /* as from a DPC */
        complete(kept, STATUS_SUCCESS, 16);
        KeLowerIrql(before);
        assert_true(KeReadStateEvent(&event) != 0 && block.Status == STATUS_SUCCESS);
        assert_true(output[15] == 0x33 && output[16] == 0);
        assert_int_equal(watched_pending, filter == WATCHES);
    }
}

/* However many a driver has added, locked or built for its own memory: there at the completion routine, and gone after it. */
static PMDL add_mdl(PIRP irp, PVOID buffer, ULONG bytes)
{
    PMDL mdl = IoAllocateMdl(buffer, bytes, irp->MdlAddress != NULL, FALSE, irp);
    assert_non_null(mdl);
    return mdl;
}
static NTSTATUS see_mdls(PDEVICE_OBJECT device, PIRP irp, PVOID count)
{
    (void)device;
    for (PMDL mdl = irp->MdlAddress; mdl != NULL; mdl = mdl->Next)
        ++*(int *)count;
    return STATUS_CONTINUE_COMPLETION;
}
static void mdls_of_a_request_go_with_it(void **state)
{
    (void)state;
    static const ULONG FLAGS[] = { DO_DIRECT_IO, DO_BUFFERED_IO };
    for (size_t i = 0; i < 2; i++) {
        IO_STATUS_BLOCK block;
        int             seen = 0;
        char           *pages = ExAllocatePool2(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE, NTMM_TAG("TIrp"));
        prepare(FLAGS[i]);
        pends = true;
        PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, &function_device, output, 16, NULL, NULL, &block);
        IoSetCompletionRoutine(irp, see_mdls, &seen, TRUE, TRUE, TRUE);
        assert_int_equal(IoCallDriver(&function_device, irp), STATUS_PENDING);
        MmProbeAndLockPages(add_mdl(kept, pages, 2 * PAGE_SIZE), KernelMode, IoWriteAccess);
        MmBuildMdlForNonPagedPool(add_mdl(kept, pages + 2 * PAGE_SIZE, 100));
        complete(kept, STATUS_SUCCESS, 0);
        assert_int_equal(seen, i == 0 ? 3 : 2);
        ExFreePool(pages); /* nobody locks them any more; and an MDL that is left would be a leak */
    }
}

/* ---- IRPs of the driver's own ---- */

static NTSTATUS free_asynchronous(PDEVICE_OBJECT device, PIRP irp, PVOID status)
{
    assert_null(device); /* the creator has no location */
    *(NTSTATUS *)status = irp->IoStatus.Status;
    if ((irp->Flags & IRP_DEALLOCATE_BUFFER) != 0)
        ExFreePool(irp->AssociatedIrp.SystemBuffer);
    else if (irp->MdlAddress != NULL) {
        MmUnlockPages(irp->MdlAddress);
        IoFreeMdl(irp->MdlAddress);
    }
    IoFreeIrp(irp);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static void asynchronous_requests_are_the_drivers(void **state)
{
    (void)state;
    static const ULONG FLAGS[] = { DO_BUFFERED_IO, DO_DIRECT_IO, 0 };
    for (size_t i = 0; i < 3; i++) {
        NTSTATUS      status = -1;
        LARGE_INTEGER offset = { .QuadPart = 0 };
        prepare(FLAGS[i]);
        PIRP irp = IoBuildAsynchronousFsdRequest(IRP_MJ_WRITE, &filter_device, input, BYTES, &offset, NULL);
        IoSetCompletionRoutine(irp, free_asynchronous, &status, TRUE, TRUE, TRUE);
        assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_SUCCESS);
        assert_int_equal(status, STATUS_SUCCESS);
    }
}

static void an_irp_of_the_drivers_is_used_again(void **state)
{
    (void)state;
    KEVENT event;
    PIRP   irp = IoAllocateIrp(3, FALSE);
    assert_true(irp->Type == IO_TYPE_IRP && irp->Size == IoSizeOfIrp(3) && irp->StackCount == 3 && irp->CurrentLocation == 4);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    pends = true;
    for (int round = 0; round < 3; round++) {
        IoSetNextIrpStackLocation(irp); /* one for its creator */
        IoGetCurrentIrpStackLocation(irp)->DeviceObject = &filter_device;
        IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
        assert_int_equal(IoSetCompletionRoutineEx(&filter_device, irp, keep, &event, TRUE, FALSE, FALSE), STATUS_SUCCESS);
        assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_PENDING);
        complete(kept, STATUS_SUCCESS, 0);
        assert_int_equal(watched, round + 1);
        assert_int_equal(irp->CurrentLocation, 3);
        assert_int_equal(IoGetNextIrpStackLocation(irp)->MajorFunction, 0); /* what was below is cleared */
        IoReuseIrp(irp, STATUS_DEVICE_BUSY);
        assert_true(irp->CurrentLocation == 4 && irp->IoStatus.Status == STATUS_DEVICE_BUSY && !irp->PendingReturned);
    }
    IoFreeIrp(irp);
    assert_null(IoAllocateIrp(-1, FALSE));
    irp = IoAllocateIrpEx(&filter_device, 126, TRUE);
    assert_non_null(irp);
    IoFreeIrp(irp);
}

static void completion_routines_run_for_the_outcomes_they_asked_for(void **state)
{
    (void)state;
    pends = true;
    for (unsigned asked = 0; asked < 8; asked++)
        for (unsigned outcome = 0; outcome < 4; outcome++) { /* 1: error, 2: cancelled */
            NTSTATUS status = (outcome & 1) != 0 ? STATUS_CANCELLED : STATUS_SUCCESS;
            bool     runs =
                ((asked & 1) != 0 && outcome % 2 == 0) || ((asked & 2) != 0 && outcome % 2 == 1) || ((asked & 4) != 0 && outcome >= 2);
            KEVENT event;
            PIRP   irp = IoAllocateIrp(2, FALSE);
            KeInitializeEvent(&event, NotificationEvent, FALSE);
            IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
            IoSetCompletionRoutine(irp, keep, &event, TRUE, TRUE, TRUE);
            IoSetNextIrpStackLocation(irp);
            IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
            IoSetCompletionRoutine(irp, watch, &watched, (asked & 1) != 0, (asked & 2) != 0, (asked & 4) != 0);
            IoGetCurrentIrpStackLocation(irp)->DeviceObject = &filter_device;
            watched = 0;
            assert_int_equal(IoCallDriver(&function_device, irp), STATUS_PENDING);
            if (outcome >= 2)
                assert_false(IoCancelIrp(irp)); /* no routine, but Cancel is set */
            complete(irp, status, 0);
            assert_int_equal(watched, runs ? 2 : 1);
            assert_true(irp->PendingReturned);
            IoFreeIrp(irp);
        }
}

static void allocations_that_fail(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        KEVENT          event;
        IO_STATUS_BLOCK block;
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        ntmm_fail_allocation(nth);
        PIRP irp = IoBuildDeviceIoControlRequest(IOCTL(METHOD_OUT_DIRECT), &filter_device, input, 8, output, BYTES, FALSE, &event, &block);
        ntmm_fail_allocation(0);
        assert_true(ntmm_check());
        if (irp == NULL)
            continue;
        assert_true(nth > 4); /* packet, system buffer, MDL, lock */
        assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_SUCCESS);
        break;
    }
    assert_null(
        IoBuildDeviceIoControlRequest(IOCTL(METHOD_OUT_DIRECT), &filter_device, NULL, 0, (PVOID)(ULONG_PTR)8, 8, FALSE, NULL, NULL));
    assert_null(IoBuildSynchronousFsdRequest(IRP_MJ_MAXIMUM_FUNCTION + 1, &filter_device, NULL, 0, NULL, NULL, NULL));
}

/* ---- cancel ---- */

static VOID cancel_kept(PDEVICE_OBJECT device, PIRP irp)
{
    assert_ptr_equal(device, &function_device);
    assert_irql(DISPATCH_LEVEL);
    assert_true(irp->Cancel && irp->CancelRoutine == NULL);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    complete(irp, STATUS_CANCELLED, 0);
}
static VOID cancel_and_hold(PDEVICE_OBJECT device, PIRP irp) { (void)device, (void)irp; }

static PIRP pending_read(PIO_STATUS_BLOCK block)
{
    pends = true;
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, &filter_device, output, 16, NULL, NULL, block);
    assert_int_equal(IoCallDriver(&filter_device, irp), STATUS_PENDING);
    return irp;
}

static void a_cancelled_request(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block = { .Status = -1 };
    filter = COPIES;
    PIRP irp = pending_read(&block);
    assert_null(IoSetCancelRoutine(irp, cancel_kept));
    assert_true(IoCancelIrp(irp));
    assert_irql(PASSIVE_LEVEL);
    assert_int_equal(block.Status, STATUS_CANCELLED);
    irp = pending_read(&block); /* the driver is faster */
    IoSetCancelRoutine(irp, cancel_kept);
    assert_ptr_equal(IoSetCancelRoutine(irp, NULL), cancel_kept);
    complete(irp, STATUS_SUCCESS, 0);
    assert_int_equal(block.Status, STATUS_SUCCESS);
}

/* ---- what stops the machine ---- */

static void a_cancel_routine_that_holds_the_lock(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block;
    PIRP            irp = pending_read(&block);
    IoSetCancelRoutine(irp, cancel_and_hold);
    assert_bugcheck_all(DRIVER_RETURNED_HOLDING_CANCEL_LOCK, (ULONG_PTR)irp, (ULONG_PTR)cancel_and_hold, 0, 0, IoCancelIrp(irp));
}
static void cancelling_what_is_complete(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    IoSetCancelRoutine(irp, cancel_kept);
    assert_bugcheck_all(CANCEL_STATE_IN_COMPLETED_IRP, (ULONG_PTR)irp, (ULONG_PTR)cancel_kept, 0, 0, IoCancelIrp(irp));
}
static void completing_while_it_can_be_cancelled(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block;
    PIRP            irp = pending_read(&block);
    IoSetCancelRoutine(irp, cancel_kept);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 7, (ULONG_PTR)cancel_kept, (ULONG_PTR)irp, 0,
                        complete(irp, STATUS_SUCCESS, 0));
}
static void completing_as_pending(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block;
    PIRP            irp = pending_read(&block);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 6, STATUS_PENDING, (ULONG_PTR)irp, 0, complete(irp, STATUS_PENDING, 0));
    ntmm_cmocka_reboot();
    irp = IoAllocateIrp(1, FALSE);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 6, (LONG_PTR)-1, (ULONG_PTR)irp, 0, complete(irp, -1, 0));
}
static void completing_an_irp_that_nobody_keeps(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
    pends = true;
    IoCallDriver(&function_device, irp);
    assert_bugcheck_all(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)irp, 0, 0, 0, complete(irp, STATUS_SUCCESS, 0));
}
static void completing_twice(void **state)
{
    (void)state;
    KEVENT event;
    PIRP   irp = IoAllocateIrp(1, FALSE);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
    IoSetCompletionRoutine(irp, keep, &event, TRUE, TRUE, TRUE);
    pends = true;
    IoCallDriver(&function_device, irp);
    complete(irp, STATUS_SUCCESS, 0);
    assert_bugcheck_all(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)irp, 0, 0, 0, complete(irp, STATUS_SUCCESS, 0));
}
static void too_few_locations(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
    filter = COPIES;
    assert_bugcheck_all(NO_MORE_IRP_STACK_LOCATIONS, (ULONG_PTR)irp, 0, 0, 0, {
        IoSetNextIrpStackLocation(irp);
        IoCallDriver(&filter_device, irp);
    });
}
static NTSTATUS return_raised(PDEVICE_OBJECT device, PIRP irp)
{
    KIRQL before;
    (void)device;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    complete(irp, STATUS_SUCCESS, 0);
    return STATUS_SUCCESS;
}
static void returning_at_another_irql(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block;
    function_driver.MajorFunction[IRP_MJ_SHUTDOWN] = return_raised;
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_SHUTDOWN, &function_device, NULL, 0, NULL, NULL, &block);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 5, (ULONG_PTR)&function_device, PASSIVE_LEVEL, DISPATCH_LEVEL,
                        IoCallDriver(&function_device, irp));
}
static void sending_or_freeing_what_is_no_irp(void **state)
{
    (void)state;
    IRP nothing = { .Type = 0 };
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 3, &nothing, 0, 0, IoCallDriver(&function_device, &nothing));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 1, &nothing, 0, 0, IoFreeIrp(&nothing));
}
static void sending_to_nobody(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 4, 0, 0, 0, IoCallDriver(NULL, irp));
    ntmm_cmocka_reboot();
    DEVICE_OBJECT without_driver = { .DriverObject = NULL };
    irp = IoAllocateIrp(1, FALSE);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 4, &without_driver, 0, 0, IoCallDriver(&without_driver, irp));
    ntmm_cmocka_reboot();
    irp = IoAllocateIrp(1, FALSE);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_MAXIMUM_FUNCTION + 1;
    assert_bugcheck_all(INCONSISTENT_IRP, irp, 0, 0, 0, IoCallDriver(&function_device, irp));
}
static void freeing_what_is_the_systems(void **state)
{
    (void)state;
    IO_STATUS_BLOCK block;
    PIRP            irp = pending_read(&block);
    assert_bugcheck_all(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 2, (ULONG_PTR)irp, 0, 0, IoFreeIrp(irp));
}
static void building_above_passive_level(void **state)
{
    (void)state;
    KIRQL before;
    KeRaiseIrql(APC_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL,
                         IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, &function_device, NULL, 0, NULL, NULL, NULL));
}

static void an_irp_that_is_never_freed(void **state)
{
    (void)state;
    ntmm_report report;
    PIRP        irp = IoAllocateIrp(1, FALSE);
    free_buffers();
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_true(report.leaks[0].address == irp && report.leaks[0].tag == NTMM_TAG("Irp "));
    assert_int_equal(ntmm_cmocka_boot_(__func__), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        irp_test(controls_of_every_method_through_every_filter),
        irp_test(an_error_gives_no_output),
        irp_test(reads_and_writes_by_the_flags_of_the_device),
        irp_test(a_function_that_no_driver_has),
        irp_test(a_request_that_pends),
        irp_test(mdls_of_a_request_go_with_it),
        irp_test(asynchronous_requests_are_the_drivers),
        irp_test(an_irp_of_the_drivers_is_used_again),
        irp_test(completion_routines_run_for_the_outcomes_they_asked_for),
        irp_test(allocations_that_fail),
        irp_test(a_cancelled_request),
        irp_test(a_cancel_routine_that_holds_the_lock),
        irp_test(cancelling_what_is_complete),
        irp_test(completing_while_it_can_be_cancelled),
        irp_test(completing_as_pending),
        irp_test(completing_an_irp_that_nobody_keeps),
        irp_test(completing_twice),
        irp_test(too_few_locations),
        irp_test(returning_at_another_irql),
        irp_test(sending_or_freeing_what_is_no_irp),
        irp_test(sending_to_nobody),
        irp_test(freeing_what_is_the_systems),
        irp_test(building_above_passive_level),
        irp_test(an_irp_that_is_never_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
