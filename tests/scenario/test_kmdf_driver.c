/*
 * test_kmdf_driver.c - the whole life of a complete KMDF driver (support/kmdf_driver.c): loaded, started, used, stopped, removed, unloaded; with a
 * test that plays its hardware, and with each of its allocations failing once.
 *
 *     the test                          the driver                       the model of the device
 *     ntmm_request_read --------------> EvtIoRead, EvtProgramDma ------> doorbell: reads the ring, writes the buffer, interrupts
 *                                       EvtInterruptIsr <--------------- ntmm_fire_interrupt
 *     the request is complete <-------- EvtInterruptDpc
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#include "../support/dma.h"
#include "../support/kmdf_driver.h"

#define REGISTERS_AT 0xF0000000ull
#define VECTOR 0x51
#define IRQL_OF_DEVICE 9

/* ---- the hardware ---- */

static struct {
    ntmm_device *device;
    PKINTERRUPT  interrupt; /* NULL: it does not interrupt */
    uint32_t     ring_low, ring_high, status, moved;
    size_t       position; /* of the next byte, in its endless pattern */
    size_t       at_most;  /* bytes of one transfer; 0: all */
    bool         fails;    /* the next transfer ends in an error */
    unsigned     transfers;
} hw;

static unsigned char pattern_byte(size_t position) { return (unsigned char)(position * 7 + (position >> 8)); }

static size_t fill(const RING_ENTRY *entry, size_t most)
{
    static unsigned char bytes[0x10000];
    size_t               length = entry->Length < most ? entry->Length : most;
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern_byte(hw.position + i);
    if (ntmm_device_write(hw.device, entry->Address, bytes, length) != 0)
        hw.fails = true;
    hw.position += length;
    return length;
}

static void doorbell(size_t count)
{
    RING_ENTRY ring[RING_ENTRIES];
    size_t     left = hw.at_most != 0 ? hw.at_most : SIZE_MAX;
    hw.moved = 0;
    hw.transfers++;
    if (count > RING_ENTRIES || ntmm_device_read(hw.device, (uint64_t)hw.ring_high << 32 | hw.ring_low, ring, count * sizeof ring[0]) != 0)
        hw.fails = true;
    for (size_t i = 0; i < count && left != 0 && !hw.fails; i++) {
        size_t now = fill(&ring[i], left);
        hw.moved += (uint32_t)now;
        left -= now;
    }
    hw.status |= hw.fails ? DEVICE_ERROR : DEVICE_DONE;
    hw.fails = false;
    if (hw.interrupt != NULL)
        (void)ntmm_fire_interrupt(hw.interrupt);
}

static uint64_t register_read(void *context, uint64_t offset, unsigned bytes)
{
    (void)context;
    (void)bytes;
    uint32_t status = hw.status;
    switch (offset) {
    case REG_STATUS: hw.status = 0; return status;
    case REG_MOVED: return hw.moved;
    default: return 0xFFFFFFFF;
    }
}

static void register_write(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    (void)context;
    (void)bytes;
    switch (offset) {
    case REG_RING_LOW: hw.ring_low = (uint32_t)value; break;
    case REG_RING_HIGH: hw.ring_high = (uint32_t)value; break;
    case REG_DOORBELL: doorbell((size_t)value); break;
    default: break;
    }
}

static void plug_in(const ntmm_device_config *config)
{
    static const ntmm_io_ops ops = { .read = register_read, .write = register_write };
    memset(&hw, 0, sizeof hw);
    hw.device = ntmm_device_create(config);
    assert_non_null(hw.device);
    assert_int_equal(ntmm_io_space_add_device(REGISTERS_AT, REGISTER_BYTES, &ops, NULL), 0);
}

static void unplug(void)
{
    ntmm_device_destroy(hw.device);
    assert_int_equal(ntmm_io_space_remove(REGISTERS_AT), 0);
}

/* ---- the driver's life ---- */

static PDRIVER_OBJECT driver;
static PDEVICE_OBJECT physical;

static PDEVICE_CONTEXT context_of_device(void) { return DeviceGetContext(WdfWdmDeviceGetWdfDeviceHandle(IoGetAttachedDevice(physical))); }

/* The test is the PnP manager: a request to the top of the stack. */
static NTSTATUS pnp(UCHAR minor, PCM_RESOURCE_LIST resources)
{
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    PDEVICE_OBJECT  top = IoGetAttachedDevice(physical);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, top, NULL, 0, NULL, &event, &block);
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IoGetNextIrpStackLocation(irp)->MinorFunction = minor;
    IoGetNextIrpStackLocation(irp)->Parameters.StartDevice.AllocatedResources = resources;
    IoGetNextIrpStackLocation(irp)->Parameters.StartDevice.AllocatedResourcesTranslated = resources;
    if (IoCallDriver(top, irp) == STATUS_PENDING)
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    return block.Status;
}

static NTSTATUS start_device(void)
{
    struct {
        CM_RESOURCE_LIST               list;
        CM_PARTIAL_RESOURCE_DESCRIPTOR second;
    } resources = { .list = { .Count = 1 } };
    CM_PARTIAL_RESOURCE_DESCRIPTOR *first = resources.list.List[0].PartialResourceList.PartialDescriptors;
    resources.list.List[0].PartialResourceList.Count = 2;
    first->Type = CmResourceTypeMemory;
    first->u.Memory.Start.QuadPart = REGISTERS_AT;
    first->u.Memory.Length = REGISTER_BYTES;
    resources.second.Type = CmResourceTypeInterrupt;
    resources.second.u.Interrupt.Vector = VECTOR;
    resources.second.u.Interrupt.Level = IRQL_OF_DEVICE;
    resources.second.u.Interrupt.Affinity = 1;
    NTSTATUS status = pnp(IRP_MN_START_DEVICE, &resources.list);
    if (NT_SUCCESS(status))
        hw.interrupt = WdfInterruptWdmGetInterrupt(context_of_device()->Interrupt);
    return status;
}

static NTSTATUS add_device(void) { return driver->DriverExtension->AddDevice(driver, physical); }

/* It comes through once there is memory for the request. */
static void remove_device(void)
{
    hw.interrupt = NULL;
    if (pnp(IRP_MN_REMOVE_DEVICE, NULL) == STATUS_INSUFFICIENT_RESOURCES)
        assert_int_not_equal(pnp(IRP_MN_REMOVE_DEVICE, NULL), STATUS_INSUFFICIENT_RESOURCES);
}

static void load_and_start(const ntmm_device_config *config)
{
    plug_in(config);
    physical = ntmm_device_object(hw.device);
    driver = ntmm_driver_load(DriverEntry);
    assert_non_null(driver);
    assert_int_equal(add_device(), STATUS_SUCCESS);
    assert_int_equal(start_device(), STATUS_SUCCESS);
}

static void remove_and_unload(void)
{
    remove_device();
    assert_int_equal(ntmm_driver_unload(driver), 0);
    unplug();
    assert_true(ntmm_check());
}

/* ---- using it ---- */

static void echoes_what_was_written(void **state)
{
    static const char text[] = "one, two, three";
    char              back[WRITE_MOST];
    size_t            bytes;
    COUNTS            counts;
    (void)state;
    load_and_start(NULL);
    assert_int_equal(ntmm_request_control(physical, IOCTL_LAST, NULL, 0, back, sizeof back, &bytes), STATUS_NO_DATA_DETECTED);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(ntmm_request_write(physical, 0, text, (uint32_t)sizeof text, &bytes), STATUS_SUCCESS);
    assert_int_equal(bytes, sizeof text);
    assert_int_equal(ntmm_request_control(physical, IOCTL_LAST, NULL, 0, back, sizeof back, &bytes), STATUS_SUCCESS);
    assert_int_equal(bytes, sizeof text);
    assert_memory_equal(back, text, sizeof text);
    assert_int_equal(ntmm_request_control(physical, IOCTL_COUNT, NULL, 0, &counts, sizeof counts, &bytes), STATUS_SUCCESS);
    assert_int_equal(counts.Writes, 5);
    remove_and_unload();
}

static void refuses_what_it_does_not_understand(void **state)
{
    char   bytes[WRITE_MOST + 1] = { 0 };
    size_t done;
    (void)state;
    load_and_start(NULL);
    assert_int_equal(ntmm_request_write(physical, 0, bytes, sizeof bytes, &done), STATUS_INVALID_BUFFER_SIZE);
    assert_int_equal(done, 0);
    assert_int_equal(ntmm_request_write(physical, 0, bytes, 100, &done), STATUS_SUCCESS);
    assert_int_equal(ntmm_request_control(physical, IOCTL_LAST, NULL, 0, bytes, 99, &done), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(ntmm_request_control(physical, IOCTL_LAST, NULL, 0, NULL, 0, &done), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(ntmm_request_control(physical, IOCTL_COUNT, NULL, 0, bytes, sizeof(COUNTS) - 1, &done), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(ntmm_request_control(physical, CTL_CODE(FILE_DEVICE_UNKNOWN, 0x8FF, METHOD_BUFFERED, 0), NULL, 0, bytes, 10, &done),
                     STATUS_INVALID_DEVICE_REQUEST);
    remove_and_unload();
}

static void expect_pattern(const unsigned char *buffer, size_t bytes, size_t position)
{
    for (size_t i = 0; i < bytes; i++)
        if (buffer[i] != pattern_byte(position + i))
            fail_msg("byte %zu is 0x%02X, and should be 0x%02X", i, buffer[i], pattern_byte(position + i));
}

static void reads(uint32_t bytes, unsigned transfers)
{
    unsigned char *buffer = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, DMA_TAG);
    size_t         done, position = hw.position;
    unsigned       before = hw.transfers;
    memset(buffer, 0xEE, bytes);
    assert_int_equal(ntmm_request_read(physical, 0, buffer, bytes, &done), STATUS_SUCCESS);
    assert_int_equal(done, bytes);
    assert_int_equal(hw.transfers - before, transfers);
    expect_pattern(buffer, bytes, position);
    ExFreePoolWithTag(buffer, DMA_TAG);
}

static void reads_by_dma(void **state)
{
    (void)state;
    load_and_start(NULL);
    reads(1, 1);
    reads(100, 1);
    reads(4 * PAGE_SIZE, 1);
    reads(4 * PAGE_SIZE + 1, 2);
    reads(10 * PAGE_SIZE, 3);
    hw.at_most = 1000; /* a device that moves less at once than it is asked for */
    reads(3500, 4);
    remove_and_unload();
}

static void reads_with_few_map_registers(void **state)
{
    static const ntmm_device_config few = { .map_registers = 3, .scatter_gather = true };
    (void)state;
    load_and_start(&few);
    reads(6 * PAGE_SIZE, 3);
    remove_and_unload();
}

static void reads_into_memory_out_of_reach(void **state)
{
    static const ntmm_device_config behind_iommu = { .scatter_gather = true, .iommu = true };
    (void)state;
    load_and_start(&behind_iommu);
    reads(10 * PAGE_SIZE, 3);
    remove_and_unload();
}

static void tells_of_the_devices_error(void **state)
{
    unsigned char buffer[200];
    size_t        done;
    (void)state;
    load_and_start(NULL);
    hw.fails = true;
    assert_int_equal(ntmm_request_read(physical, 0, buffer, sizeof buffer, &done), STATUS_DEVICE_DATA_ERROR);
    assert_int_equal(done, 0);
    reads(200, 1); /* and goes on */
    remove_and_unload();
}

static void stops_and_starts_again(void **state)
{
    (void)state;
    load_and_start(NULL);
    reads(100, 1);
    hw.interrupt = NULL;
    assert_int_equal(pnp(IRP_MN_STOP_DEVICE, NULL), STATUS_SUCCESS);
    assert_null(context_of_device()->Registers);
    assert_int_equal(start_device(), STATUS_SUCCESS);
    reads(100, 1);
    remove_and_unload();
}

static void is_pulled_out(void **state)
{
    (void)state;
    load_and_start(NULL);
    reads(100, 1);
    hw.interrupt = NULL;
    assert_int_equal(pnp(IRP_MN_SURPRISE_REMOVAL, NULL), STATUS_SUCCESS);
    remove_device();
    assert_int_equal(ntmm_driver_unload(driver), 0);
    unplug();
}

static void does_not_start_without_its_registers(void **state)
{
    (void)state;
    plug_in(NULL);
    physical = ntmm_device_object(hw.device);
    driver = ntmm_driver_load(DriverEntry);
    assert_int_equal(add_device(), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_START_DEVICE, NULL), STATUS_DEVICE_CONFIGURATION_ERROR);
    remove_and_unload();
}

/* ---- every failing allocation ---- */

/* What fails is said; what succeeds is right; nothing is left. */
static void a_day(void)
{
    unsigned char buffer[600], back[100];
    size_t        done, position;
    NTSTATUS      status = ntmm_request_write(physical, 0, "abc", 4, &done);
    if (NT_SUCCESS(status) && NT_SUCCESS(ntmm_request_control(physical, IOCTL_LAST, NULL, 0, back, sizeof back, &done)))
        assert_string_equal((char *)back, "abc");
    for (unsigned i = 0; i < 2; i++) {
        position = hw.position;
        if (NT_SUCCESS(ntmm_request_read(physical, 0, buffer, sizeof buffer, &done)))
            expect_pattern(buffer, sizeof buffer, position);
    }
}

static void a_life(void *context)
{
    (void)context;
    plug_in(NULL);
    physical = ntmm_device_object(hw.device);
    driver = ntmm_driver_load(DriverEntry);
    if (driver != NULL) {
        if (NT_SUCCESS(add_device())) {
            if (NT_SUCCESS(start_device()))
                a_day();
            remove_device();
        }
        assert_int_equal(ntmm_driver_unload(driver), 0);
    }
    unplug();
}

static void lives_through_every_failing_allocation(void **state)
{
    (void)state;
    size_t runs = ntmm_for_each_failure(a_life, NULL);
    assert_true(runs > 20);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(echoes_what_was_written),
        ntmm_cmocka_test(refuses_what_it_does_not_understand),
        ntmm_cmocka_test(reads_by_dma),
        ntmm_cmocka_test(reads_with_few_map_registers),
        ntmm_cmocka_test(reads_into_memory_out_of_reach),
        ntmm_cmocka_test(tells_of_the_devices_error),
        ntmm_cmocka_test(stops_and_starts_again),
        ntmm_cmocka_test(is_pulled_out),
        ntmm_cmocka_test(does_not_start_without_its_registers),
        ntmm_cmocka_test(lives_through_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
