/*
 * test_io_irp_parts.c - a request that a driver splits into associated IRPs; and what goes along with a request: its priority, its activity, the
 * request of a file system that a thread works on.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

#define PARTS 3

/* ---- a driver that splits a request, above one that does the parts when it is told to ---- */

static DRIVER_OBJECT upper_driver, lower_driver;
static DEVICE_OBJECT upper = { .DriverObject = &upper_driver, .StackSize = 2, .Flags = DO_DIRECT_IO },
                     lower = { .DriverObject = &lower_driver, .StackSize = 1 };
static PIRP part[PARTS];
static int  parts_kept; /* by the lower driver */
static bool keeps;      /* the upper driver's completion routine does */
static bool with_mdls;
static int  completions;

static NTSTATUS do_part(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoMarkIrpPending(irp);
    part[parts_kept++] = irp;
    return STATUS_PENDING;
}

static NTSTATUS part_is_done(PDEVICE_OBJECT device, PIRP irp, PVOID master)
{
    (void)device;
    completions++;
    IoSetMasterIrpStatus(master, irp->IoStatus.Status);
    if (!keeps)
        return STATUS_CONTINUE_COMPLETION;
    IoFreeIrp(irp);
    if (completions == PARTS)
        IoCompleteRequest((PIRP)master, IO_NO_INCREMENT);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS split(PDEVICE_OBJECT device, PIRP master)
{
    PIRP  irps[PARTS];
    ULONG made = 0;
    (void)device;
    while (made < PARTS && (irps[made] = IoMakeAssociatedIrp(master, lower.StackSize)) != NULL)
        made++;
    if (made < PARTS) {
        while (made > 0)
            IoFreeIrp(irps[--made]);
        master->IoStatus.Status = STATUS_INSUFFICIENT_RESOURCES;
        IoCompleteRequest(master, IO_NO_INCREMENT);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    IoMarkIrpPending(master);
    master->IoStatus.Status = STATUS_SUCCESS;
    master->AssociatedIrp.IrpCount = PARTS;
    for (ULONG i = 0; i < PARTS; i++) {
        IoGetNextIrpStackLocation(irps[i])->MajorFunction = IRP_MJ_READ;
        assert_ptr_equal(irps[i]->AssociatedIrp.MasterIrp, master);
        assert_ptr_equal(irps[i]->Tail.Overlay.Thread, master->Tail.Overlay.Thread);
        if (with_mdls) {
            irps[i]->MdlAddress = IoAllocateMdl(MmGetMdlVirtualAddress(master->MdlAddress), 8, FALSE, FALSE, NULL);
            IoBuildPartialMdl(master->MdlAddress, irps[i]->MdlAddress, MmGetMdlVirtualAddress(master->MdlAddress), 8);
        }
        IoSetCompletionRoutine(irps[i], part_is_done, master, TRUE, TRUE, TRUE);
        assert_int_equal(IoCallDriver(&lower, irps[i]), STATUS_PENDING);
    }
    return STATUS_PENDING;
}

static int set_up(void **state)
{
    upper_driver.MajorFunction[IRP_MJ_READ] = split;
    lower_driver.MajorFunction[IRP_MJ_READ] = do_part;
    parts_kept = completions = 0;
    keeps = with_mdls = false;
    return ntmm_cmocka_setup(state);
}

static void part_ends(int which, NTSTATUS status)
{
    part[which]->IoStatus.Status = status;
    IoCompleteRequest(part[which], IO_NO_INCREMENT);
}

static NTSTATUS run(IO_STATUS_BLOCK *block, KEVENT *event)
{
    static char buffer[64];
    block->Status = -1;
    KeInitializeEvent(event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, &upper, buffer, sizeof buffer, NULL, event, block);
    return irp != NULL ? IoCallDriver(&upper, irp) : STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- parts ---- */

static void the_last_part_completes_the_master(void **state)
{
    IO_STATUS_BLOCK block;
    KEVENT          event;
    (void)state;
    with_mdls = true; /* they go with the parts: nothing leaks */
    assert_int_equal(run(&block, &event), STATUS_PENDING);
    part_ends(1, STATUS_SUCCESS);
    part_ends(0, STATUS_DEVICE_DATA_ERROR);
    assert_true(block.Status == -1 && KeReadStateEvent(&event) == 0);
    part_ends(2, STATUS_SUCCESS);
    assert_true(block.Status == STATUS_DEVICE_DATA_ERROR && KeReadStateEvent(&event) != 0);
    assert_int_equal(completions, PARTS);
}

static void kept_parts_leave_the_master_to_the_driver(void **state)
{
    IO_STATUS_BLOCK block;
    KEVENT          event;
    (void)state;
    keeps = true;
    assert_int_equal(run(&block, &event), STATUS_PENDING);
    part_ends(0, STATUS_SUCCESS);
    part_ends(1, STATUS_SUCCESS);
    assert_int_equal(block.Status, -1);
    part_ends(2, STATUS_SUCCESS);
    assert_int_equal(block.Status, STATUS_SUCCESS);
}

static void split_without_memory(void *context)
{
    IO_STATUS_BLOCK block;
    KEVENT          event;
    (void)context;
    parts_kept = completions = 0;
    NTSTATUS status = run(&block, &event);
    for (int i = 0; i < parts_kept; i++)
        part_ends(i, STATUS_SUCCESS);
    assert_int_equal(status, parts_kept != 0 ? STATUS_PENDING : STATUS_INSUFFICIENT_RESOURCES);
}
static void without_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(split_without_memory, NULL) > PARTS);
}

static void parts_above_dispatch_level(void **state)
{
    IRP master = { .Type = IO_TYPE_IRP };
    (void)state;
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL + 1, IoMakeAssociatedIrp(&master, 1)));
}

static void the_worst_status_wins(void **state)
{
    IRP master = { .Type = IO_TYPE_IRP };
    (void)state;
    IoSetMasterIrpStatus(&master, STATUS_SUCCESS);
    assert_int_equal(master.IoStatus.Status, STATUS_SUCCESS);
    IoSetMasterIrpStatus(&master, STATUS_OBJECT_NAME_EXISTS); /* 0x4...: no error */
    assert_int_equal(master.IoStatus.Status, STATUS_SUCCESS);
    IoSetMasterIrpStatus(&master, STATUS_BUFFER_OVERFLOW); /* 0x8... */
    assert_int_equal(master.IoStatus.Status, STATUS_BUFFER_OVERFLOW);
    IoSetMasterIrpStatus(&master, STATUS_CANCELLED);
    IoSetMasterIrpStatus(&master, STATUS_DEVICE_DATA_ERROR);
    IoSetMasterIrpStatus(&master, STATUS_SUCCESS);
    assert_int_equal(master.IoStatus.Status, STATUS_CANCELLED);
    master.IoStatus.Status = STATUS_FT_READ_FROM_COPY;
    IoSetMasterIrpStatus(&master, STATUS_SUCCESS);
    assert_int_equal(master.IoStatus.Status, STATUS_FT_READ_FROM_COPY);
}

/* ---- what goes along ---- */

static void priorities(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    assert_int_equal(IoGetIoPriorityHint(irp), IoPriorityNormal);
    irp->Flags = IRP_NOCACHE;
    for (IO_PRIORITY_HINT hint = IoPriorityVeryLow; hint < MaxIoPriorityTypes; hint++) {
        at_irql(HIGH_LEVEL, assert_int_equal(IoSetIoPriorityHint(irp, hint), STATUS_SUCCESS));
        assert_int_equal(IoGetIoPriorityHint(irp), hint);
    }
    assert_int_equal(IoSetIoPriorityHint(irp, MaxIoPriorityTypes), STATUS_INVALID_PARAMETER);
    assert_int_equal(IoGetIoPriorityHint(irp), IoPriorityCritical);
    assert_true((irp->Flags & IRP_NOCACHE) != 0);
    IoFreeIrp(irp);
}

static void activities(void **state)
{
    static const GUID activity = { 1, 2, 3, { 4, 5, 6, 7, 8, 9, 10, 11 } };
    GUID              found;
    union {
        IRP           irp;
        unsigned char bytes[sizeof(IRP) + sizeof(IO_STACK_LOCATION)];
    } own;
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    assert_int_equal(IoGetActivityIdIrp(irp, &found), STATUS_NOT_FOUND);
    assert_int_equal(IoSetActivityIdIrp(irp, NULL), STATUS_NOT_SUPPORTED);
    at_irql(HIGH_LEVEL, assert_int_equal(IoSetActivityIdIrp(irp, &activity), STATUS_SUCCESS));
    assert_int_equal(IoGetActivityIdIrp(irp, &found), STATUS_SUCCESS);
    assert_memory_equal(&found, &activity, sizeof found);
    IoReuseIrp(irp, STATUS_SUCCESS);
    assert_int_equal(IoGetActivityIdIrp(irp, &found), STATUS_NOT_FOUND);
    assert_int_equal(IoSetActivityIdIrp(irp, &activity), STATUS_SUCCESS); /* there is still room for it */
    IoFreeIrp(irp);
    IoInitializeIrp(&own.irp, IoSizeOfIrp(1), 1);
    assert_int_equal(IoSetActivityIdIrp(&own.irp, &activity), STATUS_UNSUCCESSFUL);
    assert_int_equal(IoGetActivityIdIrp(&own.irp, &found), STATUS_NOT_FOUND);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, IoSetActivityIdIrp(&own.irp, NULL)));
}

static VOID look_at_the_top(PVOID found) { *(PIRP *)found = IoGetTopLevelIrp(); }
static void top_level(void **state)
{
    IRP    irp;
    PIRP   seen = &irp;
    HANDLE thread;
    PVOID  object;
    (void)state;
    assert_null(IoGetTopLevelIrp());
    IoSetTopLevelIrp(&irp);
    assert_ptr_equal(IoGetTopLevelIrp(), &irp);
    assert_int_equal(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, look_at_the_top, &seen), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(thread, SYNCHRONIZE, *PsThreadType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_int_equal(KeWaitForSingleObject(object, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    ObDereferenceObject(object);
    ZwClose(thread);
    assert_null(seen); /* another thread's own */
    ntmm_cmocka_reboot();
    assert_null(IoGetTopLevelIrp());
    IoSetTopLevelIrp((PIRP)FSRTL_FSP_TOP_LEVEL_IRP);
    assert_ptr_equal(IoGetTopLevelIrp(), (PIRP)1);
    IoSetTopLevelIrp(NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, ntmm_cmocka_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_last_part_completes_the_master),
        test(kept_parts_leave_the_master_to_the_driver),
        test(without_memory),
        test(parts_above_dispatch_level),
        test(the_worst_status_wins),
        test(priorities),
        test(activities),
        test(top_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
