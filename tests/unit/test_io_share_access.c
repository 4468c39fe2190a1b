/*
 * test_io_share_access.c - who may open a file that others have open; and whom an IRP comes from.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

static struct share_case {
    const char *name;
    ACCESS_MASK first_access;
    ULONG       first_share;
    ACCESS_MASK access;
    ULONG       share;
    NTSTATUS    expected;
} CASES[] = {
    { "share: two readers", FILE_READ_DATA, FILE_SHARE_READ, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SUCCESS },
    { "share: executing is reading", FILE_EXECUTE, FILE_SHARE_READ, FILE_READ_DATA, 0, STATUS_SHARING_VIOLATION },
    { "share: the first does not share reading", FILE_READ_DATA, 0, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SHARING_VIOLATION },
    { "share: the second does not share what the first does", FILE_WRITE_DATA, FILE_SHARE_READ, FILE_READ_DATA, FILE_SHARE_READ,
      STATUS_SHARING_VIOLATION },
    { "share: a writer and a reader who let each other", FILE_APPEND_DATA, FILE_SHARE_READ, FILE_READ_DATA, FILE_SHARE_WRITE,
      STATUS_SUCCESS },
    { "share: deleting is not writing", DELETE, FILE_SHARE_WRITE, FILE_WRITE_DATA, FILE_SHARE_WRITE, STATUS_SHARING_VIOLATION },
    { "share: deleting is shared", DELETE, FILE_SHARE_WRITE, FILE_WRITE_DATA, FILE_SHARE_DELETE, STATUS_SUCCESS },
    { "share: attributes hinder nobody", FILE_READ_DATA, 0, FILE_READ_ATTRIBUTES, 0, STATUS_SUCCESS },
    { "share: nor are they hindered", FILE_READ_ATTRIBUTES, 0, FILE_WRITE_DATA, 0, STATUS_SUCCESS },
};

static void check_share(void **state)
{
    const struct share_case *c = *state;
    SHARE_ACCESS             all, before;
    FILE_OBJECT              first = { 0 }, second = { 0 };
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    IoSetShareAccess(c->first_access, c->first_share, &first, &all);
    before = all;
    assert_int_equal(IoCheckShareAccess(c->access, c->share, &second, &all, FALSE), c->expected);
    assert_memory_equal(&all, &before, sizeof all); /* it only asks */
    assert_int_equal(IoCheckShareAccess(c->access, c->share, &second, &all, TRUE), c->expected);
    if (c->expected == STATUS_SUCCESS) {
        IoRemoveShareAccess(&second, &all);
        assert_memory_equal(&all, &before, sizeof all);
        IoUpdateShareAccess(&second, &all);
        IoRemoveShareAccess(&second, &all);
    }
    assert_memory_equal(&all, &before, sizeof all);
    IoRemoveShareAccess(&first, &all);
    assert_memory_equal(&all, &(SHARE_ACCESS){ 0 }, sizeof all);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void the_file_object_says_what_it_may(void **state)
{
    (void)state;
    SHARE_ACCESS all;
    FILE_OBJECT  file = { 0 };
    IoSetShareAccess(FILE_GENERIC_READ | DELETE, FILE_SHARE_WRITE, &file, &all);
    assert_true(file.ReadAccess && !file.WriteAccess && file.DeleteAccess);
    assert_true(!file.SharedRead && file.SharedWrite && !file.SharedDelete);
    assert_int_equal(all.OpenCount, 1);
    assert_int_equal(all.Deleters, 1);
    assert_int_equal(all.Writers, 0);
}

static void not_above_passive_level(void **state)
{
    (void)state;
    SHARE_ACCESS all = { 0 };
    FILE_OBJECT  file = { 0 };
    KIRQL        old;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoCheckShareAccess(FILE_READ_DATA, 0, &file, &all, TRUE));
}

/* ---- whom an IRP comes from ---- */

static void an_irp_of_a_driver_has_no_requestor(void **state)
{
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    assert_non_null(irp);
    assert_null(IoGetRequestorProcess(irp));
    assert_int_equal(IoGetRequestorProcessId(irp), 0);
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    assert_ptr_equal(IoGetRequestorProcess(irp), PsGetCurrentProcess());
    assert_int_equal(IoGetRequestorProcessId(irp), HandleToULong(PsGetCurrentProcessId()));
    IoFreeIrp(irp);
}

static void who_waits(void **state)
{
    (void)state;
    FILE_OBJECT file = { 0 };
    PIRP        irp = IoAllocateIrp(1, FALSE);
    assert_non_null(irp);
    IoSetNextIrpStackLocation(irp);
    assert_false(IoIsOperationSynchronous(irp));
    IoGetCurrentIrpStackLocation(irp)->FileObject = &file;
    assert_false(IoIsOperationSynchronous(irp));
    file.Flags = FO_SYNCHRONOUS_IO;
    assert_true(IoIsOperationSynchronous(irp));
    irp->Flags = IRP_PAGING_IO;
    assert_false(IoIsOperationSynchronous(irp));
    irp->Flags = IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO;
    assert_true(IoIsOperationSynchronous(irp));
    file.Flags = 0;
    irp->Flags = IRP_SYNCHRONOUS_API;
    assert_true(IoIsOperationSynchronous(irp));
    IoFreeIrp(irp);
}

static void the_requestor_is_asked_below_dispatch_level(void **state)
{
    (void)state;
    IRP   irp = { 0 };
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoGetRequestorProcess(&irp));
}

static void what_a_user_can_mend(void **state)
{
    (void)state;
    assert_true(IoIsErrorUserInduced(STATUS_NO_MEDIA_IN_DEVICE));
    assert_false(IoIsErrorUserInduced(STATUS_IO_DEVICE_ERROR));
}

int main(void)
{
    struct CMUnitTest tests[ARRAYSIZE(CASES)];
    for (size_t i = 0; i < ARRAYSIZE(CASES); i++)
        tests[i] = (struct CMUnitTest){ .name = CASES[i].name, .test_func = check_share, .initial_state = &CASES[i] };
    const struct CMUnitTest more[] = { ntmm_cmocka_test(the_file_object_says_what_it_may),
                                       ntmm_cmocka_test(not_above_passive_level),
                                       ntmm_cmocka_test(an_irp_of_a_driver_has_no_requestor),
                                       ntmm_cmocka_test(who_waits),
                                       ntmm_cmocka_test(the_requestor_is_asked_below_dispatch_level),
                                       ntmm_cmocka_test(what_a_user_can_mend) };
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(more, NULL, NULL);
}
