/* test_io_interrupt.c - IoConnectInterruptEx: the driver's words, the device's line, and its messages. */
#include <ntmm/cmocka.h>

static uint32_t served;
static KIRQL    served_at;
static char     messages[8];

static BOOLEAN serve(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    served_at = KeGetCurrentIrql();
    served++;
    return TRUE;
}

static BOOLEAN serve_message(PKINTERRUPT interrupt, PVOID context, ULONG message)
{
    PIO_INTERRUPT_MESSAGE_INFO *table = context;
    assert_ptr_equal((*table)->MessageInfo[message].InterruptObject, interrupt);
    served_at = KeGetCurrentIrql();
    messages[strlen(messages)] = (char)('0' + message);
    return TRUE;
}

static void disconnect(ULONG version, PVOID what)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS parameters = { .Version = version, .ConnectionContext.Generic = what };
    IoDisconnectInterruptEx(&parameters);
}

static IO_CONNECT_INTERRUPT_PARAMETERS line_of(PDEVICE_OBJECT device, PKINTERRUPT *line)
{
    served = 0;
    return (IO_CONNECT_INTERRUPT_PARAMETERS){
        .Version = CONNECT_LINE_BASED, .LineBased = { .PhysicalDeviceObject = device, .InterruptObject = line, .ServiceRoutine = serve }
    };
}

static IO_CONNECT_INTERRUPT_PARAMETERS messages_of(PDEVICE_OBJECT device, PIO_INTERRUPT_MESSAGE_INFO *table)
{
    served = 0;
    memset(messages, 0, sizeof messages);
    return (IO_CONNECT_INTERRUPT_PARAMETERS){ .Version = CONNECT_MESSAGE_BASED,
                                              .MessageBased = { .PhysicalDeviceObject = device,
                                                                .ConnectionContext.InterruptMessageTable = table,
                                                                .MessageServiceRoutine = serve_message,
                                                                .ServiceContext = table } };
}

/* ---- the driver's words ---- */

static void fully_specified(void **state)
{
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = { .Version = CONNECT_FULLY_SPECIFIED };
    PKINTERRUPT                     interrupt;
    KIRQL                           old;
    (void)state;
    parameters.FullySpecified.InterruptObject = &interrupt;
    parameters.FullySpecified.ServiceRoutine = serve;
    parameters.FullySpecified.Vector = 5;
    parameters.FullySpecified.Irql = parameters.FullySpecified.SynchronizeIrql = 6;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_true(ntmm_fire_vector(5));
    assert_int_equal(served_at, 6);
    disconnect(CONNECT_FULLY_SPECIFIED, interrupt);
    assert_false(ntmm_fire_vector(5));
    parameters.Version = CONNECT_FULLY_SPECIFIED_GROUP;
    parameters.FullySpecified.Group = 1;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_INVALID_PARAMETER);
    parameters.Version = 77;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_NOT_SUPPORTED);
    assert_int_equal(parameters.Version, CONNECT_CURRENT_VERSION);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoConnectInterruptEx(&parameters));
}

/* ---- the device's line ---- */

static void a_line_of_nobodys(void **state)
{
    PKINTERRUPT                     line, other;
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = line_of(NULL, &line);
    (void)state;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_true(ntmm_fire_interrupt(line));
    assert_true(served_at > DISPATCH_LEVEL);
    parameters.LineBased.InterruptObject = &other;
    parameters.LineBased.SynchronizeIrql = 12;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_true(ntmm_fire_interrupt(other));
    assert_int_equal(served_at, 12);
    assert_int_equal(served, 2);
    disconnect(CONNECT_LINE_BASED, line);
    disconnect(CONNECT_LINE_BASED, other);
}

static void the_line_that_the_device_was_started_with(void **state)
{
    static const ntmm_resource RESOURCES[] = {
        { .type = CmResourceTypeMemory, .start = 0xF0000000, .length = 0x1000 },
        { .type = CmResourceTypeInterrupt,
          .flags = CM_RESOURCE_INTERRUPT_MESSAGE | CM_RESOURCE_INTERRUPT_LATCHED,
          .start = 0x60,
          .length = 9 },
        { .type = CmResourceTypeInterrupt, .start = 0x51, .length = 5 },
    };
    PKINTERRUPT                     line, second;
    ntmm_device                    *device = ntmm_device_create(NULL);
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = line_of(ntmm_device_object(device), &line);
    (void)state;
    assert_int_equal(ntmm_pnp_start(ntmm_device_object(device), RESOURCES, 3), STATUS_SUCCESS);
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_false(ntmm_fire_vector(0x60));
    assert_true(ntmm_fire_vector(0x51));
    assert_int_equal(served_at, 5);
    parameters.LineBased.InterruptObject = &second;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_INVALID_PARAMETER); /* exclusive */
    disconnect(CONNECT_LINE_BASED, line);
    parameters.LineBased.InterruptObject = &line;
    parameters.LineBased.SynchronizeIrql = 7;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_true(ntmm_fire_vector(0x51));
    assert_int_equal(served_at, 7);
    disconnect(CONNECT_LINE_BASED, line);
    ntmm_device_destroy(device);
}

/* ---- messages ---- */

static const ntmm_resource MESSAGES[] = {
    { .type = CmResourceTypeInterrupt, .flags = CM_RESOURCE_INTERRUPT_MESSAGE | CM_RESOURCE_INTERRUPT_LATCHED, .start = 0x60, .length = 7 },
    { .type = CmResourceTypeInterrupt, .flags = CM_RESOURCE_INTERRUPT_MESSAGE | CM_RESOURCE_INTERRUPT_LATCHED, .start = 0x61, .length = 9 },
};

static void each_message_is_connected(void **state)
{
    PIO_INTERRUPT_MESSAGE_INFO      table;
    ntmm_device                    *device = ntmm_device_create(NULL);
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = messages_of(ntmm_device_object(device), &table);
    (void)state;
    assert_int_equal(ntmm_pnp_start(ntmm_device_object(device), MESSAGES, 2), STATUS_SUCCESS);
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_int_equal(parameters.Version, CONNECT_MESSAGE_BASED);
    assert_int_equal(table->MessageCount, 2);
    assert_int_equal(table->UnifiedIrql, 9);
    assert_true(table->MessageInfo[0].Vector == 0x60 && table->MessageInfo[0].Irql == 7 && table->MessageInfo[0].Mode == Latched);
    assert_true(table->MessageInfo[1].Vector == 0x61 && table->MessageInfo[1].Irql == 9);
    assert_true(ntmm_fire_vector(0x61));
    assert_true(ntmm_fire_vector(0x60));
    assert_int_equal(served_at, 9); /* one lock, and so one level */
    assert_string_equal(messages, "10");
    disconnect(CONNECT_MESSAGE_BASED, table);
    assert_false(ntmm_fire_vector(0x60));
    parameters.MessageBased.MessageServiceRoutine = NULL;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_INVALID_PARAMETER);
    ntmm_device_destroy(device);
}

static void one_message_too_many(void **state)
{
    PIO_INTERRUPT_MESSAGE_INFO      table;
    PKINTERRUPT                     other;
    ntmm_device                    *device = ntmm_device_create(NULL);
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = messages_of(ntmm_device_object(device), &table);
    (void)state;
    assert_int_equal(ntmm_pnp_start(ntmm_device_object(device), MESSAGES, 2), STATUS_SUCCESS);
    assert_int_equal(IoConnectInterrupt(&other, serve, NULL, NULL, 0x61, 9, 9, Latched, FALSE, 1, FALSE), STATUS_SUCCESS);
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_INVALID_PARAMETER); /* the second vector is taken, and the first let go */
    assert_null(table);
    assert_false(ntmm_fire_vector(0x60));
    IoDisconnectInterrupt(other);
    ntmm_device_destroy(device);
}

static void no_message(void **state)
{
    PKINTERRUPT                     line;
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = messages_of(NULL, NULL);
    (void)state;
    parameters.MessageBased.ConnectionContext.InterruptObject = &line;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_NOT_FOUND);
    parameters.MessageBased.FallBackServiceRoutine = serve;
    parameters.MessageBased.SynchronizeIrql = 12;
    assert_int_equal(IoConnectInterruptEx(&parameters), STATUS_SUCCESS);
    assert_int_equal(parameters.Version, CONNECT_LINE_BASED);
    assert_true(ntmm_fire_interrupt(line));
    assert_int_equal(served_at, 12);
    disconnect(CONNECT_LINE_BASED, line);
}

static void connects(void *context)
{
    PIO_INTERRUPT_MESSAGE_INFO      table;
    IO_CONNECT_INTERRUPT_PARAMETERS parameters = messages_of(context, &table);
    NTSTATUS                        status = IoConnectInterruptEx(&parameters);
    if (NT_SUCCESS(status))
        disconnect(CONNECT_MESSAGE_BASED, table);
    else
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
}

static void without_memory(void **state)
{
    ntmm_device *device = ntmm_device_create(NULL);
    (void)state;
    assert_int_equal(ntmm_pnp_start(ntmm_device_object(device), MESSAGES, 2), STATUS_SUCCESS);
    assert_int_equal(ntmm_for_each_failure(connects, ntmm_device_object(device)),
                     4); /* the table, two messages, and one that has no failure */
    ntmm_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(fully_specified),
        ntmm_cmocka_test(a_line_of_nobodys),
        ntmm_cmocka_test(the_line_that_the_device_was_started_with),
        ntmm_cmocka_test(each_message_is_connected),
        ntmm_cmocka_test(one_message_too_many),
        ntmm_cmocka_test(no_message),
        ntmm_cmocka_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
