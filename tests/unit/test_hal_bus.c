/*
 * test_hal_bus.c - PCI configuration space as drivers of old find it, and bus-relative addresses.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

static ULONG slot_of(ULONG device, ULONG function)
{
    PCI_SLOT_NUMBER slot = { .u.AsULONG = 0 };
    slot.u.bits.DeviceNumber = device & 0x1F;
    slot.u.bits.FunctionNumber = function & 7;
    return slot.u.AsULONG;
}

/* How a driver of Windows NT looked for its device. */
static BOOLEAN find_device(USHORT vendor, USHORT device, ULONG *bus, ULONG *slot)
{
    PCI_COMMON_CONFIG config;
    for (*bus = 0; *bus < 256; ++*bus)
        for (*slot = 0; *slot < 256; ++*slot) {
            ULONG got = HalGetBusDataByOffset(PCIConfiguration, *bus, *slot, &config, 0, PCI_COMMON_HDR_LENGTH);
            if (got == 0)
                break; /* no such bus */
            if (got >= 4 && config.VendorID == vendor && config.DeviceID == device)
                return TRUE;
        }
    return FALSE;
}

static void a_driver_finds_its_device_and_maps_it(void **state)
{
    (void)state;
    ULONG bus, slot;
    assert_false(find_device(0x1234, 0x0011, &bus, &slot));
    assert_int_equal(ntmm_pci_add(0, slot_of(2, 0), NULL, NULL), 0);
    assert_int_equal(ntmm_pci_add(3, slot_of(31, 7), NULL, NULL), 0);
    PCI_COMMON_CONFIG *there = ntmm_pci_bytes(3, slot_of(31, 7));
    there->VendorID = 0x1234;
    there->DeviceID = 0x0011;
    there->u.type0.BaseAddresses[0] = 0xFE200000u | PCI_ADDRESS_MEMORY_PREFETCHABLE;
    assert_int_equal(ntmm_io_space_add(0xFE200000u, 0x100), 0);
    assert_true(find_device(0x1234, 0x0011, &bus, &slot));
    assert_int_equal(bus, 3);
    assert_int_equal(slot, 0xFF);

    ULONG            base, space = 0;
    USHORT           command = PCI_ENABLE_MEMORY_SPACE | PCI_ENABLE_BUS_MASTER;
    PHYSICAL_ADDRESS physical;
    assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, bus, slot, &command, FIELD_OFFSET(PCI_COMMON_HEADER, Command), 2), 2);
    assert_int_equal(there->Command, 6);
    assert_int_equal(HalGetBusDataByOffset(PCIConfiguration, bus, slot, &base, 0x10, 4), 4);
    assert_true(
        HalTranslateBusAddress(PCIBus, bus, (PHYSICAL_ADDRESS){ .QuadPart = base & PCI_ADDRESS_MEMORY_ADDRESS_MASK }, &space, &physical));
    assert_int_equal(space, 0);
    volatile ULONG *registers = MmMapIoSpace(physical, 0x100, MmNonCached);
    WRITE_REGISTER_ULONG(registers, 77);
    assert_int_equal(*(ULONG *)ntmm_io_space_bytes(0xFE200000u), 77);
    MmUnmapIoSpace((PVOID)(uintptr_t)registers, 0x100);
}

static void nothing_there_is_told_in_two_ways(void **state)
{
    (void)state;
    UCHAR buffer[8];
    assert_int_equal(ntmm_pci_add(5, slot_of(1, 0), NULL, NULL), 0);
    memset(buffer, 0x11, sizeof buffer);
    assert_int_equal(HalGetBusData(PCIConfiguration, 4, 0, buffer, 8), 0); /* no bus */
    assert_int_equal(buffer[0], 0x11);
    assert_int_equal(HalGetBusData(PCIConfiguration, 5, slot_of(1, 1), buffer, 8), 2); /* no function */
    assert_int_equal(*(USHORT *)buffer, PCI_INVALID_VENDORID);
    assert_int_equal(buffer[2], 0x11);
    memset(buffer, 0x11, sizeof buffer);
    assert_int_equal(HalGetBusData(PCIConfiguration, 0, 0, buffer, 1), 2); /* bus 0 is always there */
    assert_int_equal(buffer[0], 0xFF);
    assert_int_equal(buffer[1], 0x11);                                                         /* not beyond what there is room for */
    assert_int_equal(HalGetBusData(PCIConfiguration, 5, 0x100 | slot_of(1, 0), buffer, 8), 2); /* reserved bits are no slot */
    assert_int_equal(HalSetBusData(PCIConfiguration, 5, slot_of(1, 1), buffer, 8), 0);
    assert_int_equal(HalGetBusData(Cmos, 0, 0, buffer, 8), 0);
    assert_int_equal(HalGetBusData(EisaConfiguration, 0, 0, buffer, 8), 0);
    assert_int_equal(HalSetBusData(Cmos, 5, slot_of(1, 0), buffer, 8), 0);
    assert_int_equal(HalGetBusData(MaximumBusDataType, 5, slot_of(1, 0), buffer, 8), 0);
}

/* ---- how an access is cut ---- */

static struct {
    bool     write;
    unsigned bytes;
    uint64_t offset;
} accesses[64];
static unsigned made;
static UCHAR    space[4096];

static uint64_t read_space(void *context, uint64_t offset, unsigned bytes)
{
    uint64_t value = 0;
    assert_ptr_equal(context, space);
    accesses[made].write = false;
    accesses[made].bytes = bytes;
    accesses[made++ % 64].offset = offset;
    memcpy(&value, space + offset, bytes);
    return value;
}
static void write_space(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    assert_ptr_equal(context, space);
    accesses[made].write = true;
    accesses[made].bytes = bytes;
    accesses[made++ % 64].offset = offset;
    memcpy(space + offset, &value, bytes);
}
static const ntmm_io_ops ops = { read_space, write_space };

static void accesses_are_aligned_and_none_goes_too_far(void **state)
{
    (void)state;
    UCHAR buffer[64], back[64];
    assert_int_equal(ntmm_pci_add(0, 8, &ops, space), 0);
    for (unsigned i = 0; i < sizeof buffer; i++)
        buffer[i] = (UCHAR)(i + 1);
    for (ULONG offset = 0x40; offset < 0x48; offset++)
        for (ULONG length = 0; length <= 20; length++) {
            memset(space, 0, sizeof space);
            memset(back, 0xEE, sizeof back);
            made = 0;
            assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, 0, 8, buffer, offset, length), length);
            unsigned written = made;
            assert_int_equal(HalGetBusDataByOffset(PCIConfiguration, 0, 8, back, offset, length), length);
            ULONG next = offset;
            for (unsigned i = written; i < made; i++) {
                assert_false(accesses[i].write);
                assert_int_equal(accesses[i].offset, next);
                assert_int_equal(next % accesses[i].bytes, 0);
                next += accesses[i].bytes;
            }
            assert_int_equal(next, offset + length);
            assert_true(made - written <= length / 4 + 4);
            assert_memory_equal(buffer, back, length);
            assert_int_equal(back[length], 0xEE);
            assert_int_equal(space[offset + length], 0);
            assert_int_equal(space[offset - 1], 0);
        }
}

static void configuration_space_ends(void **state)
{
    (void)state;
    static UCHAR buffer[5000];
    assert_int_equal(ntmm_pci_add(1, 0, NULL, NULL), 0);
    UCHAR *bytes = ntmm_pci_bytes(1, 0);
    bytes[4095] = 0x42;
    assert_int_equal(HalGetBusDataByOffset(PCIConfiguration, 1, 0, buffer, 0, sizeof buffer), 4096);
    assert_int_equal(buffer[4095], 0x42);
    assert_int_equal(HalGetBusDataByOffset(PCIConfiguration, 1, 0, buffer, 4090, 100), 6);
    assert_int_equal(buffer[5], 0x42);
    assert_int_equal(HalGetBusDataByOffset(PCIConfiguration, 1, 0, buffer, 4096, 1), 0);
    assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, 1, 0, buffer, 0xFFFFFFFF, 0xFFFFFFFF), 0);
}

static void the_header_of_a_bridge_cannot_be_written(void **state)
{
    (void)state;
    UCHAR value = 9;
    assert_int_equal(ntmm_pci_add(0, 1, NULL, NULL), 0);
    PCI_COMMON_CONFIG *bridge = ntmm_pci_bytes(0, 1);
    bridge->HeaderType = PCI_BRIDGE_TYPE | PCI_MULTIFUNCTION;
    assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, 0, 1, &value, 0x19, 1), 0);
    assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, 0, 1, &value, 0xFF, 1), 0);
    assert_int_equal(bridge->u.type1.SecondaryBus, 0);
    assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, 0, 1, &value, 0x100, 1), 1);
    bridge->HeaderType = PCI_DEVICE_TYPE;
    assert_int_equal(HalSetBusDataByOffset(PCIConfiguration, 0, 1, &value, 0x19, 1), 1);
    assert_int_equal(bridge->u.type1.SecondaryBus, 9);
}

/* ---- bus-relative addresses ---- */

static void addresses_are_the_same_as_far_as_the_bus_reaches(void **state)
{
    (void)state;
    static const struct {
        INTERFACE_TYPE type;
        ULONG          bus;
        uint64_t       address;
        ULONG          space;
        BOOLEAN        there;
    } cases[] = {
        { PCIBus, 0, 0xFEDCBA9876u, 0, TRUE },
        { PCIBus, 0, 0xFFFF, 1, TRUE },
        { PCIBus, 0, 0x10000, 1, FALSE },
        { PCIBus, 7, 0x1000, 0, TRUE },
        { PCIBus, 6, 0x1000, 0, FALSE },
        { Internal, 0, UINT64_MAX, 0, TRUE },
        { Internal, 1, 0, 0, FALSE },
        { Isa, 0, 0xFFFFFF, 0, TRUE },
        { Isa, 0, 0x1000000, 0, FALSE },
        { Isa, 0, 0x3F8, 1, TRUE },
        { Eisa, 0, 0xFFFFFFFF, 0, TRUE },
        { Eisa, 0, 0x100000000u, 0, FALSE },
        { MicroChannel, 0, 0, 0, FALSE },
        { MaximumInterfaceType, 0, 0, 0, FALSE },
        { InterfaceTypeUndefined, 0, 0, 0, FALSE },
        { Isa, 0, 0, 2, FALSE },
    };
    assert_int_equal(ntmm_pci_add(7, 0, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PHYSICAL_ADDRESS address = { .QuadPart = (LONGLONG)cases[i].address }, translated = { .QuadPart = 5 };
        ULONG            space_now = cases[i].space;
        if (HalTranslateBusAddress(cases[i].type, cases[i].bus, address, &space_now, &translated) != cases[i].there)
            fail_msg("row %zu", i);
        assert_int_equal(space_now, cases[i].space);
        assert_true((uint64_t)translated.QuadPart == (cases[i].there ? cases[i].address : 5));
    }
}

static void levels(void **state)
{
    (void)state;
    for (volatile int form = 0; form < 3; form++) {
        KIRQL            before;
        ULONG            value = 0;
        PHYSICAL_ADDRESS physical = { .QuadPart = 0 };
        assert_int_equal(ntmm_pci_add(0, 0, NULL, NULL), 0);
        KeRaiseIrql(DISPATCH_LEVEL, &before);
        assert_int_equal(HalGetBusData(PCIConfiguration, 0, 0, &value, 4), 4);
        assert_int_equal(HalSetBusData(PCIConfiguration, 0, 0, &value, 4), 4);
        assert_true(HalTranslateBusAddress(Isa, 0, physical, &value, &physical));
        KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, form == 0   ? HalGetBusData(PCIConfiguration, 0, 0, &value, 4)
                                                     : form == 1 ? HalSetBusData(PCIConfiguration, 0, 0, &value, 4)
                                                                 : HalTranslateBusAddress(Isa, 0, physical, &value, &physical));
        ntmm_cmocka_reboot();
    }
}

static void functions_come_and_go(void **state)
{
    (void)state;
    ULONG value;
    assert_int_equal(ntmm_pci_add(0, 0x100, NULL, NULL), -EINVAL);
    assert_int_equal(ntmm_pci_add(0x1000000, 0, NULL, NULL), -EINVAL);
    assert_int_equal(ntmm_pci_add(0x12FF, 3, &ops, space), 0); /* segment 0x12 */
    assert_int_equal(ntmm_pci_add(0x12FF, 3, NULL, NULL), -EINVAL);
    assert_non_null(strstr(ntmm_error(), "taken"));
    assert_null(ntmm_pci_bytes(0x12FF, 3)); /* it has callbacks */
    assert_null(ntmm_pci_bytes(0, 0));
    assert_non_null(strstr(ntmm_error(), "no function"));
    for (uint32_t i = 0; i < 255; i++)
        assert_int_equal(ntmm_pci_add(9, i, NULL, NULL), 0);
    assert_int_equal(ntmm_pci_add(9, 255, NULL, NULL), -ENOSPC);
    assert_int_equal(ntmm_pci_remove(9, 254), 0);
    assert_int_equal(ntmm_pci_remove(9, 254), -EINVAL);
    assert_int_equal(ntmm_pci_add(9, 255, NULL, NULL), 0);
    assert_int_equal(HalGetBusData(PCIConfiguration, 9, 254, &value, 4), 2);
    ntmm_cmocka_reboot();
    assert_int_equal(HalGetBusData(PCIConfiguration, 9, 255, &value, 4), 0);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_pci_add(0, 0, NULL, NULL), -ENODEV);
    assert_null(ntmm_pci_bytes(0, 0));
    assert_int_equal(ntmm_pci_remove(0, 0), -ENODEV);
    assert_int_equal(HalGetBusData(PCIConfiguration, 0, 0, &value, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_driver_finds_its_device_and_maps_it),
        ntmm_cmocka_test(nothing_there_is_told_in_two_ways),
        ntmm_cmocka_test(accesses_are_aligned_and_none_goes_too_far),
        ntmm_cmocka_test(configuration_space_ends),
        ntmm_cmocka_test(the_header_of_a_bridge_cannot_be_written),
        ntmm_cmocka_test(addresses_are_the_same_as_far_as_the_bus_reaches),
        ntmm_cmocka_test(levels),
        ntmm_cmocka_test(functions_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
