/*
 * test_sender.c - the test plays the device: its registers are a callback, which fetches by DMA what the driver tells it to send.
 */
#include <ntmm/cmocka.h>

DRIVER_INITIALIZE sender_DriverEntry;

#define REGISTERS 0xFEB00000ull
#define MOST (256 * 1024)

typedef struct wire {
    ntmm_device   *device;
    PDRIVER_OBJECT driver;
    uint64_t       address; /* the device's registers */
    unsigned       pieces;
    size_t         sent;
    char           bytes[MOST];
} wire_t;

static void write_register(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    wire_t *wire = context;
    (void)bytes;
    if (offset == 0)
        wire->address = value;
    else if (offset == 4)
        wire->address |= value << 32;
    else {
        assert_true(wire->sent + value <= sizeof wire->bytes);
        assert_int_equal(ntmm_device_read(wire->device, wire->address, wire->bytes + wire->sent, (size_t)value), 0);
        wire->sent += (size_t)value;
        wire->pieces++;
    }
}

static void plug_in(wire_t *wire, uint32_t address_bits)
{
    static const ntmm_io_ops       registers = { .write = write_register };
    static const IO_STACK_LOCATION start = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = IRP_MN_START_DEVICE };
    ntmm_irp                       irp;

    memset(wire, 0, sizeof *wire);
    wire->device = ntmm_device_create(&(ntmm_device_config){ .address_bits = address_bits, .scatter_gather = true });
    assert_non_null(wire->device);
    assert_int_equal(ntmm_io_space_add_device(REGISTERS, PAGE_SIZE, &registers, wire), 0);
    wire->driver = ntmm_driver_load(sender_DriverEntry);
    assert_non_null(wire->driver);
    assert_int_equal(wire->driver->DriverExtension->AddDevice(wire->driver, ntmm_device_object(wire->device)), STATUS_SUCCESS);
    assert_int_equal(irp_send(&irp, wire->driver->DeviceObject, &start, NULL), STATUS_SUCCESS);
}

static void pull_out(wire_t *wire)
{
    static const IO_STACK_LOCATION removal = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = IRP_MN_REMOVE_DEVICE };
    ntmm_irp                       irp;

    assert_int_equal(irp_send(&irp, wire->driver->DeviceObject, &removal, NULL), STATUS_SUCCESS);
    assert_int_equal(ntmm_driver_unload(wire->driver), 0);
    ntmm_device_destroy(wire->device);
}

static wire_t wire;

static void sends_a_buffer_that_lies_anywhere(uint32_t address_bits)
{
    size_t bytes = 100000, sent = 0;
    char  *buffer = ExAllocatePool2(POOL_FLAG_PAGED, bytes + 123, NTMM_TAG("Test"));

    plug_in(&wire, address_bits);
    for (size_t i = 0; i < bytes; i++)
        buffer[123 + i] = (char)(i * 31 + i / 251);
    ntmm_page_out();
    assert_int_equal(ntmm_request_write(wire.driver->DeviceObject, 0, buffer + 123, (uint32_t)bytes, &sent), STATUS_SUCCESS);
    assert_int_equal(sent, bytes);
    assert_int_equal(wire.sent, bytes);
    assert_memory_equal(wire.bytes, buffer + 123, bytes);
    pull_out(&wire);
    ExFreePool(buffer);
}

static void a_device_that_reaches_all_memory(void **state)
{
    (void)state;
    sends_a_buffer_that_lies_anywhere(64);
}

static void a_device_of_32_bits(void **state)
{
    (void)state;
    sends_a_buffer_that_lies_anywhere(32);
}

static void too_much_is_refused(void **state)
{
    size_t bytes = MOST + 1, sent = 1;
    char  *buffer = ExAllocatePool2(POOL_FLAG_PAGED, bytes, NTMM_TAG("Test"));
    (void)state;
    plug_in(&wire, 64);
    assert_int_equal(ntmm_request_write(wire.driver->DeviceObject, 0, buffer, (uint32_t)bytes, &sent), STATUS_INVALID_PARAMETER);
    assert_int_equal(sent, 0);
    pull_out(&wire);
    ExFreePool(buffer);
}

int main(void)
{
    static const ntmm_config verified = { .verifier = NTMM_VERIFY_DMA, .quiet = true }; /* who forgets to give a list back is told */
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test_config(a_device_that_reaches_all_memory, &verified),
         ntmm_cmocka_test_config(a_device_of_32_bits, &verified),
         ntmm_cmocka_test(a_device_of_32_bits),
         ntmm_cmocka_test(too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
