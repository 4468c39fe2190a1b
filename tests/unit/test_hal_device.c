/*
 * test_hal_device.c - the device's side of DMA, adapters, and common buffers.
 */
#include <errno.h>

#include "../support/dma.h"

/* ---- the device's side ---- */

static void the_device_reaches_the_drivers_bytes(void **state)
{
    (void)state;
    ntmm_device *device = ntmm_device_create(NULL);
    char        *block = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE, DMA_TAG), copy[100];
    uint64_t     logical = (uint64_t)MmGetPhysicalAddress(block + PAGE_SIZE - 50).QuadPart;
    dma_fill(block + PAGE_SIZE - 50, 100, 3);
    assert_int_equal(ntmm_device_read(device, logical, copy, 100), 0);
    assert_true(dma_is_filled(copy, 100, 3));
    dma_fill(copy, 100, 9);
    assert_int_equal(ntmm_device_write(device, logical, copy, 100), 0);
    assert_true(dma_is_filled(block + PAGE_SIZE - 50, 100, 9));
    assert_int_equal(ntmm_device_read(device, logical, copy, 0), 0);
    ExFreePoolWithTag(block, DMA_TAG);
    ntmm_device_destroy(device);
}

static void a_pageable_page_is_reached_in_its_slot(void **state)
{
    (void)state;
    ntmm_device *device = ntmm_device_create(NULL);
    char        *block = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, DMA_TAG), copy[16];
    dma_fill(block, PAGE_SIZE, 1);
    uint64_t logical = (uint64_t)MmGetPhysicalAddress(block).QuadPart;
    assert_int_not_equal(logical, 0);
    assert_int_equal(ntmm_device_read(device, logical, copy, 16), 0);
    assert_true(dma_is_filled(copy, 16, 1));
    assert_int_equal(ntmm_device_write(device, logical, "0123456789abcdef", 16), 0);
    assert_memory_equal(block, "0123456789abcdef", 16);
    ntmm_page_out(); /* nobody has the frame any longer */
    assert_int_equal(ntmm_device_write(device, logical, copy, 16), -EFAULT);
    assert_memory_equal(block, "0123456789abcdef", 16);
    ExFreePoolWithTag(block, DMA_TAG);
    ntmm_device_destroy(device);
}

static void what_nothing_backs_is_refused(void **state)
{
    (void)state;
    ntmm_device *isa = ntmm_device_create(&(ntmm_device_config){ .address_bits = 24 }), *wide = ntmm_device_create(NULL);
    char         byte = 1;
    char        *low = MmAllocateContiguousMemory(PAGE_SIZE, (PHYSICAL_ADDRESS){ .QuadPart = 0xFFFFFF });
    uint64_t     there = (uint64_t)MmGetPhysicalAddress(low).QuadPart;
    assert_int_equal(ntmm_device_read(isa, there, &byte, 1), 0);
    assert_int_equal(ntmm_device_read(isa, 0x1000000, &byte, 1), -EFAULT); /* its width */
    assert_non_null(strstr(ntmm_error(), "24 bits"));
    assert_int_equal(ntmm_device_read(isa, 0xFFFFFF, &byte, 2), -EFAULT);
    assert_int_equal(ntmm_device_read(isa, UINT64_MAX, &byte, 2), -EFAULT);
    assert_int_equal(ntmm_device_read(wide, UINT64_MAX, &byte, 2), -EFAULT);
    assert_int_equal(ntmm_device_read(wide, (uint64_t)1 << 50, &byte, 1), -EFAULT); /* no RAM */
    MmFreeContiguousMemory(low);
    assert_int_equal(ntmm_device_write(wide, there, &byte, 1), -EFAULT); /* the frame is nobody's now */
    assert_non_null(strstr(ntmm_error(), "write"));
    ntmm_device_destroy(isa);
    assert_int_equal(ntmm_device_read(isa, 0, &byte, 1), -EFAULT);
    assert_null(ntmm_device_object(isa));
    ntmm_device_destroy(NULL);
    ntmm_device_destroy(wide);
    assert_null(ntmm_device_create(&(ntmm_device_config){ .address_bits = 65 }));
}

static uint64_t port_value;
static uint64_t read_port(void *context, uint64_t offset, unsigned bytes) { return (void)context, port_value + offset + bytes; }
static void     write_port(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    (void)context;
    port_value = value + offset + bytes;
}

static void devices_reach_each_other(void **state)
{
    (void)state;
    const ntmm_io_ops ops = { read_port, write_port };
    ntmm_device      *device = ntmm_device_create(NULL);
    uint32_t          word = 0x11223344;
    assert_int_equal(ntmm_io_space_add(0xFE000000u, 0x2000), 0);
    assert_int_equal(ntmm_io_space_add_device(0xFE100000u, 0x100, &ops, NULL), 0);
    assert_int_equal(ntmm_device_write(device, 0xFE000FFEu, &word, 4), 0);
    assert_memory_equal(ntmm_io_space_bytes(0xFE000FFEu), &word, 4);
    assert_int_equal(ntmm_device_write(device, 0xFE001FFEu, &word, 4), -EFAULT); /* it ends */
    assert_int_equal(ntmm_device_write(device, 0xFE100004u, &word, 4), 0);
    assert_int_equal(port_value, 0x11223344 + 4 + 4);
    assert_int_equal(ntmm_device_read(device, 0xFE100008u, &word, 4), 0);
    assert_int_equal(word, 0x11223344 + 8 + 8 + 4);
    ntmm_device_destroy(device);
}

static void a_device_object_looks_like_one(void **state)
{
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    DEVICE_OBJECT *object = ntmm_device_object(device);
    assert_int_equal(object->Type, 3);
    assert_int_equal(object->Size, sizeof *object);
    assert_int_equal(object->StackSize, 1);
    assert_non_null(object->DriverObject);
    assert_null(object->AttachedDevice);
    ntmm_device_destroy(device);
}

/* ---- adapters ---- */

static void each_version_has_its_table(void **state)
{
    (void)state;
    static const ULONG sizes[] = { 0x68, 0x68, 0x80, 0x140 };
    for (ULONG version = 0; version < 4; version++) {
        ULONG              registers = 0;
        DEVICE_DESCRIPTION description = dma_description(version, 64, TRUE, 0x10000);
        PDMA_ADAPTER       adapter = IoGetDmaAdapter(NULL, &description, &registers);
        assert_non_null(adapter);
        assert_int_equal(adapter->Version, 1);
        assert_int_equal(adapter->DmaOperations->Size, sizes[version]);
        assert_int_equal(registers, BYTES_TO_PAGES(0x10000) + 1);
        assert_int_equal(adapter->DmaOperations->GetDmaAlignment(adapter), 1);
        assert_int_equal(adapter->DmaOperations->ReadDmaCounter(adapter), 0);
        for (size_t at = 8; at < sizes[version]; at += 8)
            assert_non_null(*(void **)((char *)adapter->DmaOperations + at));
        adapter->DmaOperations->PutDmaAdapter(adapter);
    }
    ULONG              registers;
    DEVICE_DESCRIPTION description = dma_description(4, 64, TRUE, 0x10000);
    assert_null(IoGetDmaAdapter(NULL, &description, &registers));
    description = dma_description(3, 65, TRUE, 0x10000);
    assert_null(IoGetDmaAdapter(NULL, &description, &registers));
    description = dma_description(3, 0, TRUE, 0x10000);
    assert_null(IoGetDmaAdapter(NULL, &description, &registers));
}

static const ntmm_config WINDOWS_7 = { .windows_version = NTDDI_WIN7, .quiet = true };
static const ntmm_config WINDOWS_2000 = { .windows_version = 0x05000000, .quiet = true };
static void              a_version_came_with_a_windows(void **state)
{
    ULONG              registers;
    DEVICE_DESCRIPTION newest = dma_description(3, 64, TRUE, 0x10000), second = dma_description(2, 64, TRUE, 0x10000);
    assert_null(IoGetDmaAdapter(NULL, &newest, &registers));
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &second, &registers);
    assert_int_equal(adapter != NULL, *state == &WINDOWS_7);
    if (adapter != NULL)
        adapter->DmaOperations->PutDmaAdapter(adapter);
}

static const ntmm_config UNBACKED = { .unbacked_ram = true, .quiet = true };
static void              a_machine_without_memory_has_no_dma(void **state)
{
    (void)state;
    ULONG              registers;
    char               byte;
    DEVICE_DESCRIPTION description = dma_description(1, 64, TRUE, PAGE_SIZE);
    ntmm_device       *device = ntmm_device_create(NULL);
    assert_null(IoGetDmaAdapter(NULL, &description, &registers));
    assert_int_equal(ntmm_device_read(device, 0x200000, &byte, 1), -EFAULT);
    ntmm_device_destroy(device);
}

static void a_long_transfer_has_its_registers(void **state)
{
    (void)state;
    dma_t dma = dma_start(64, 0, true, MAXULONG);
    assert_int_equal(dma.registers, BYTES_TO_PAGES((uint64_t)MAXULONG) + 1);
    dma_stop(&dma);
    dma = dma_start(32, 0, true, MAXULONG); /* bounced: memory is the limit */
    assert_in_range(dma.registers, 64, 0x4000000 / PAGE_SIZE / 16);
    dma_stop(&dma);
}

static void the_devices_registers_are_the_cap(void **state)
{
    (void)state;
    dma_t dma = dma_start(64, 8, true, 0x100000);
    assert_int_equal(dma.registers, 8);
    DEVICE_DESCRIPTION description = dma_description(1, 64, TRUE, PAGE_SIZE);
    ULONG              registers;
    PDMA_ADAPTER       other = IoGetDmaAdapter(ntmm_device_object(dma.device), &description, &registers);
    assert_int_equal(registers, 2);
    other->DmaOperations->PutDmaAdapter(other);
    dma_stop(&dma);
}

static void the_address_width_is_what_the_driver_says(void **state)
{
    (void)state;
    static const struct {
        ULONG          version, width;
        BOOLEAN        d32, d64, sg;
        INTERFACE_TYPE bus;
        ULONG          bits;
    } cases[] = { { 1, 0, FALSE, FALSE, FALSE, Isa, 24 },  { 1, 0, TRUE, FALSE, FALSE, PCIBus, 32 },
                  { 1, 0, TRUE, TRUE, FALSE, PCIBus, 64 }, { 2, 0, FALSE, FALSE, TRUE, PCIBus, 32 },
                  { 2, 0, FALSE, FALSE, TRUE, Isa, 24 },   { 3, 36, FALSE, FALSE, TRUE, PCIBus, 36 },
                  { 3, 64, TRUE, FALSE, TRUE, PCIBus, 64 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ULONG              registers;
        DEVICE_DESCRIPTION description = { .Version = cases[i].version,
                                           .Master = TRUE,
                                           .ScatterGather = cases[i].sg,
                                           .Dma32BitAddresses = cases[i].d32,
                                           .Dma64BitAddresses = cases[i].d64,
                                           .InterfaceType = cases[i].bus,
                                           .DmaAddressWidth = cases[i].width,
                                           .MaximumLength = PAGE_SIZE };
        PDMA_ADAPTER       adapter = IoGetDmaAdapter(NULL, &description, &registers);
        assert_non_null(adapter);
        PHYSICAL_ADDRESS logical;
        PVOID            va = adapter->DmaOperations->AllocateCommonBuffer(adapter, PAGE_SIZE, &logical, TRUE);
        assert_non_null(va);
        assert_true(cases[i].bits == 64 || (uint64_t)logical.QuadPart >> cases[i].bits == 0);
        if (cases[i].version == 3) {
            DMA_ADAPTER_INFO info = { .Version = DMA_ADAPTER_INFO_VERSION1 };
            assert_int_equal(adapter->DmaOperations->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
            assert_int_equal(info.V1.DmaAddressWidth, cases[i].bits);
            info.Version = 7;
            assert_int_equal(adapter->DmaOperations->GetDmaAdapterInfo(adapter, &info), STATUS_NOT_SUPPORTED);
        }
        adapter->DmaOperations->FreeCommonBuffer(adapter, PAGE_SIZE, logical, va, TRUE);
        adapter->DmaOperations->PutDmaAdapter(adapter);
    }
}

static void an_adapter_that_was_put_is_none(void **state)
{
    (void)state;
    dma_t dma = dma_start(64, 0, true, 0x10000);
    dma.op->PutDmaAdapter(dma.adapter);
    assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x18, dma.adapter, 0, 0, dma.op->PutDmaAdapter(dma.adapter));
    ntmm_cmocka_reboot();
    assert_bugcheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x19, IoFreeAdapterChannel(NULL));
}

static void adapters_are_made_at_passive_level(void **state)
{
    (void)state;
    DEVICE_DESCRIPTION description = dma_description(3, 64, TRUE, 0x10000);
    ULONG              registers;
    dma_raise();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoGetDmaAdapter(NULL, &description, &registers));
    ntmm_cmocka_reboot();
    dma_t            dma = dma_start(64, 0, true, 0x10000);
    PHYSICAL_ADDRESS logical;
    KIRQL            irql;
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, dma.op->AllocateCommonBuffer(dma.adapter, PAGE_SIZE, &logical, TRUE));
}

static void what_is_left_is_leaked(void **state)
{
    (void)state;
    static ntmm_report report;
    dma_t              dma = dma_start(64, 0, true, 0x10000);
    PHYSICAL_ADDRESS   logical;
    assert_non_null(dma.op->AllocateCommonBuffer(dma.adapter, 100, &logical, TRUE));
    assert_int_equal(ntmm_shutdown(&report), 2);
    bool adapter = false, buffer = false;
    for (size_t i = 0; i < 2; i++) {
        adapter |= report.leaks[i].tag == NTMM_TAG("HalA") && report.leaks[i].address == dma.adapter;
        buffer |= report.leaks[i].tag == NTMM_TAG("HalB") && report.leaks[i].bytes == PAGE_SIZE;
    }
    assert_true(adapter && buffer);
    assert_int_equal(ntmm_cmocka_boot_(__func__), 0);
}

/* ---- common buffers ---- */

static void driver_and_device_share_a_common_buffer(void **state)
{
    (void)state;
    dma_t            dma = dma_start(32, 0, true, 0x10000);
    PHYSICAL_ADDRESS logical;
    char            *va = dma.op->AllocateCommonBuffer(dma.adapter, 5 * PAGE_SIZE + 1, &logical, FALSE), copy[32];
    assert_non_null(va);
    assert_int_equal((uintptr_t)va % PAGE_SIZE, 0);
    assert_true((uint64_t)logical.QuadPart + 6 * PAGE_SIZE <= DMA_ABOVE_4G);
    dma_fill(va, 6 * PAGE_SIZE, 5);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart + 5 * PAGE_SIZE - 16, copy, 32), 0);
    assert_memory_equal(copy, va + 5 * PAGE_SIZE - 16, 32);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart, "hello", 5), 0);
    assert_memory_equal(va, "hello", 5);
    dma.op->FreeCommonBuffer(dma.adapter, 5 * PAGE_SIZE + 1, logical, va, FALSE);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart, "hello", 5), -EFAULT);
    dma_stop(&dma);
}

static void a_common_buffer_is_freed_as_it_was_allocated(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 5; wrong++) {
        dma_t            dma = dma_start(32, 0, true, 0x10000), other = dma_start(32, 0, true, 0x10000);
        PHYSICAL_ADDRESS logical;
        char            *va = dma.op->AllocateCommonBuffer(dma.adapter, 3 * PAGE_SIZE, &logical, TRUE);
        PHYSICAL_ADDRESS said = { .QuadPart = logical.QuadPart + (wrong == 1 ? PAGE_SIZE : 0) };
        char            *at = va + (wrong == 2 ? PAGE_SIZE : 0);
        if (wrong == 4)
            dma.op->FreeCommonBuffer(dma.adapter, 3 * PAGE_SIZE, logical, va, TRUE);
        assert_bugcheck(
            BAD_POOL_CALLER, 0x60,
            dma.op->FreeCommonBuffer(wrong == 3 ? other.adapter : dma.adapter, wrong == 0 ? PAGE_SIZE : 3 * PAGE_SIZE, said, at, TRUE));
        ntmm_cmocka_reboot();
    }
}

static void bounds_are_kept(void **state)
{
    (void)state;
    dma_t            dma = dma_start(64, 0, true, 0x10000);
    PHYSICAL_ADDRESS logical, low = { .QuadPart = 0x200000 }, high = { .QuadPart = 0x3FFFFF }, none = { .QuadPart = 0x10 };
    PVOID va = dma.op->AllocateCommonBufferWithBounds(dma.adapter, &low, &high, 3 * PAGE_SIZE, 0, NULL, MM_ANY_NODE_OK, &logical);
    assert_non_null(va);
    assert_true(logical.QuadPart >= low.QuadPart && logical.QuadPart + 3 * PAGE_SIZE - 1 <= high.QuadPart);
    dma.op->FreeCommonBuffer(dma.adapter, 3 * PAGE_SIZE, logical, va, TRUE);
    assert_null(dma.op->AllocateCommonBufferWithBounds(dma.adapter, NULL, &none, PAGE_SIZE, 0, NULL, 0, &logical));
    assert_null(dma.op->AllocateCommonBufferWithBounds(dma.adapter, NULL, NULL, PAGE_SIZE, 2, NULL, 0, &logical));
    assert_null(dma.op->AllocateCommonBufferWithBounds(dma.adapter, NULL, NULL, 0, 0, NULL, 0, &logical));
    assert_null(dma.op->AllocateCommonBuffer(dma.adapter, 0, &logical, TRUE));
    MEMORY_CACHING_TYPE combined = MmWriteCombined, plain = MmNonCached;
    assert_null(dma.op->AllocateCommonBufferWithBounds(dma.adapter, NULL, NULL, PAGE_SIZE, 0, &combined, 0, &logical));
    va = dma.op->AllocateCommonBufferWithBounds(dma.adapter, NULL, NULL, PAGE_SIZE, 0, &plain, 0, &logical);
    assert_non_null(va);
    dma.op->FreeCommonBuffer(dma.adapter, PAGE_SIZE, logical, va, TRUE);
    va = dma.op->AllocateCommonBufferWithBounds(dma.adapter, NULL, NULL, PAGE_SIZE, DOMAIN_COMMON_BUFFER_LARGE_PAGE, NULL, 0, &logical);
    assert_non_null(va);
    assert_int_equal((uint64_t)logical.QuadPart % (512 * PAGE_SIZE), 0);
    dma.op->FreeCommonBuffer(dma.adapter, PAGE_SIZE, logical, va, TRUE);
    high.QuadPart = 0xFFFFFF;
    va = dma.op->AllocateCommonBufferEx(dma.adapter, &high, PAGE_SIZE, &logical, TRUE, MM_ANY_NODE_OK);
    assert_true(logical.QuadPart <= high.QuadPart);
    dma.op->FreeCommonBuffer(dma.adapter, PAGE_SIZE, logical, va, TRUE);
    assert_null(dma.op->AllocateCommonBufferEx(dma.adapter, NULL, PAGE_SIZE, &logical, TRUE, 77)); /* no such node */
    dma_stop(&dma);
}

static void there_is_one_domain(void **state)
{
    (void)state;
    dma_t  a = dma_start(64, 0, true, 0x10000), b = dma_start(32, 0, true, 0x10000);
    HANDLE domain = a.op->GetDmaDomain(a.adapter);
    assert_non_null(domain);
    assert_ptr_equal(domain, b.op->GetDmaDomain(b.adapter));
    assert_int_equal(b.op->JoinDmaDomain(b.adapter, domain), STATUS_SUCCESS);
    assert_int_equal(b.op->JoinDmaDomain(b.adapter, &domain), STATUS_INVALID_PARAMETER);
    assert_int_equal(b.op->LeaveDmaDomain(b.adapter), STATUS_SUCCESS);
    PHYSICAL_ADDRESS logical;
    PVOID            va = NULL;
    assert_int_equal(b.op->AllocateDomainCommonBuffer(b.adapter, domain, NULL, PAGE_SIZE, 0, NULL, 0, &logical, &va), STATUS_SUCCESS);
    assert_true((uint64_t)logical.QuadPart < DMA_ABOVE_4G);
    b.op->FreeCommonBuffer(b.adapter, PAGE_SIZE, logical, va, TRUE);
    assert_int_equal(b.op->AllocateDomainCommonBuffer(b.adapter, NULL, NULL, PAGE_SIZE, 0, NULL, 0, &logical, &va),
                     STATUS_INVALID_PARAMETER);
    dma_stop(&a);
    dma_stop(&b);
}

static void a_vector_is_many_buffers(void **state)
{
    (void)state;
    dma_t                     dma = dma_start(32, 0, true, 0x10000);
    PDMA_COMMON_BUFFER_VECTOR vector = NULL;
    PHYSICAL_ADDRESS          low = { .QuadPart = 0 }, high = { .QuadPart = 0xFFFFFFFF }, logical[8];
    PVOID                     va[8];
    assert_int_equal(dma.op->AllocateCommonBufferVector(dma.adapter, low, high, MmCached, 0, 0, 8, 2 * PAGE_SIZE, &vector), STATUS_SUCCESS);
    for (ULONG i = 0; i < 8; i++) {
        dma.op->GetCommonBufferFromVectorByIndex(dma.adapter, vector, i, &va[i], &logical[i]);
        dma_fill(va[i], 2 * PAGE_SIZE, i);
    }
    for (ULONG i = 0; i < 8; i++) {
        assert_true(dma_is_filled(va[i], 2 * PAGE_SIZE, i));
        dma.op->FreeCommonBufferFromVector(dma.adapter, vector, i);
    }
    dma.op->FreeCommonBufferVector(dma.adapter, vector);
    assert_int_equal(dma.op->AllocateCommonBufferVector(dma.adapter, low, high, MmCached, 0, 0, 0, PAGE_SIZE, &vector),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->AllocateCommonBufferVector(dma.adapter, low, high, MmCached, 0, 0, 100000, PAGE_SIZE, &vector),
                     STATUS_INSUFFICIENT_RESOURCES);
    dma_stop(&dma);
}

static void a_misused_vector_stops_the_machine(void **state)
{
    (void)state;
    for (unsigned misuse = 1; misuse <= 4; misuse++) {
        dma_t                     dma = dma_start(32, 0, true, 0x10000);
        PDMA_COMMON_BUFFER_VECTOR vector = NULL;
        PHYSICAL_ADDRESS          low = { .QuadPart = 0 }, high = { .QuadPart = 0xFFFFFFFF }, logical;
        PVOID                     va;
        assert_int_equal(dma.op->AllocateCommonBufferVector(dma.adapter, low, high, MmCached, 0, 0, 2, PAGE_SIZE, &vector), STATUS_SUCCESS);
        dma.op->GetCommonBufferFromVectorByIndex(dma.adapter, vector, 1, &va, &logical);
        dma.op->FreeCommonBufferFromVector(dma.adapter, vector, 0);
        if (misuse == 1)
            dma_raise();
        if (misuse == 1)
            assert_bugcheck_all(DMA_COMMON_BUFFER_VECTOR_ERROR, 1, DISPATCH_LEVEL, 0, 0,
                                dma.op->FreeCommonBufferFromVector(dma.adapter, vector, 1));
        else if (misuse == 2)
            assert_bugcheck_all(DMA_COMMON_BUFFER_VECTOR_ERROR, 2, 1, va, logical.QuadPart,
                                dma.op->FreeCommonBufferVector(dma.adapter, vector));
        else if (misuse == 3)
            assert_bugcheck_all(DMA_COMMON_BUFFER_VECTOR_ERROR, 3, 2, 2, 0, dma.op->FreeCommonBufferFromVector(dma.adapter, vector, 2));
        else
            assert_bugcheck_all(DMA_COMMON_BUFFER_VECTOR_ERROR, 4, 0, 0, 0, dma.op->FreeCommonBufferFromVector(dma.adapter, vector, 0));
        ntmm_cmocka_reboot();
    }
}

static void a_common_buffer_out_of_an_mdl(void **state)
{
    (void)state;
    dma_t            dma = dma_start(32, 0, true, 0x10000);
    char            *block = MmAllocateContiguousMemory(4 * PAGE_SIZE, (PHYSICAL_ADDRESS){ .QuadPart = 0xFFFFFFFF });
    PMDL             mdl = dma_mdl(block, 4 * PAGE_SIZE), odd = dma_mdl(block + 8, PAGE_SIZE);
    PHYSICAL_ADDRESS logical = { .QuadPart = 0 };
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, NULL, 0, &logical), STATUS_SUCCESS);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart + PAGE_SIZE, "there", 5), 0);
    assert_memory_equal(block + PAGE_SIZE, "there", 5);
    dma.op->FreeCommonBuffer(dma.adapter, 4 * PAGE_SIZE, logical, block, TRUE);
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, odd, NULL, 0, &logical), STATUS_INVALID_PARAMETER);

    DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION configs[2] = { { .ConfigType = CommonBufferConfigTypeSubSection },
                                                            { .ConfigType = CommonBufferConfigTypeLogicalAddressLimits } };
    configs[0].SubSection.Offset = PAGE_SIZE;
    configs[0].SubSection.Length = 2 * PAGE_SIZE;
    configs[1].LogicalAddressLimits.MaximumAddress.QuadPart = 0xFFFFFFFF;
    mdl->Next = odd;
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, NULL, 0, &logical), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, configs, 2, &logical), STATUS_SUCCESS);
    assert_int_equal(logical.QuadPart, MmGetPhysicalAddress(block + PAGE_SIZE).QuadPart);
    dma.op->FreeCommonBuffer(dma.adapter, 2 * PAGE_SIZE, logical, block + PAGE_SIZE, TRUE);
    configs[1] = configs[0];
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, configs, 2, &logical), STATUS_INVALID_PARAMETER);
    configs[1].ConfigType = CommonBufferConfigTypeHardwareAccessPermissions;
    configs[1].HardwareAccessType = CommonBufferHardwareAccessReadOnly;
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, configs, 2, &logical), STATUS_NOT_SUPPORTED);
    mdl->Next = NULL;
    mdl->MdlFlags = 0; /* not locked */
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, NULL, 0, &logical), STATUS_INVALID_PARAMETER);
    dma_mdl_free(mdl);
    dma_mdl_free(odd);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

/* ---- memory is short ---- */

static void everything_in_turn(void *unused)
{
    (void)unused;
    PHYSICAL_ADDRESS          logical, low = { .QuadPart = 0 }, high = { .QuadPart = 0xFFFFFFFF };
    PDMA_COMMON_BUFFER_VECTOR vector;
    ULONG                     registers;
    DEVICE_DESCRIPTION        description = dma_description(3, 24, FALSE, 0x8000);
    PDMA_ADAPTER              adapter = IoGetDmaAdapter(NULL, &description, &registers);
    if (adapter == NULL)
        return;
    PVOID va = adapter->DmaOperations->AllocateCommonBuffer(adapter, 2 * PAGE_SIZE, &logical, TRUE);
    if (va != NULL)
        adapter->DmaOperations->FreeCommonBuffer(adapter, 2 * PAGE_SIZE, logical, va, TRUE);
    if (NT_SUCCESS(adapter->DmaOperations->AllocateCommonBufferVector(adapter, low, high, MmCached, 0, 0, 1, PAGE_SIZE, &vector))) {
        adapter->DmaOperations->FreeCommonBufferFromVector(adapter, vector, 0);
        adapter->DmaOperations->FreeCommonBufferVector(adapter, vector);
    }
    adapter->DmaOperations->PutDmaAdapter(adapter);
}

static void failures_leave_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(everything_in_turn, NULL), 4);
    assert_true(ntmm_check());
}

static void bounce_pages_go_with_the_last_adapter(void **state)
{
    (void)state;
    ntmm_memory_usage before, with, after;
    dma_t             dma = dma_start(24, 0, false, 0x10000);
    dma_stop(&dma); /* once, so that pool has the page that asking the bus takes */
    ntmm_query_memory(&before);
    dma = dma_start(24, 0, false, 0x10000);
    ntmm_query_memory(&with);
    assert_true(with.committed >= before.committed + dma.registers);
    dma_stop(&dma);
    ntmm_query_memory(&after);
    assert_int_equal(after.committed, before.committed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(the_device_reaches_the_drivers_bytes),
        ntmm_cmocka_test(a_pageable_page_is_reached_in_its_slot),
        ntmm_cmocka_test(what_nothing_backs_is_refused),
        ntmm_cmocka_test(devices_reach_each_other),
        ntmm_cmocka_test(a_device_object_looks_like_one),
        ntmm_cmocka_test(each_version_has_its_table),
        ntmm_cmocka_test_config(a_version_came_with_a_windows, &WINDOWS_7),
        ntmm_cmocka_test_config(a_version_came_with_a_windows, &WINDOWS_2000),
        ntmm_cmocka_test_config(a_machine_without_memory_has_no_dma, &UNBACKED),
        ntmm_cmocka_test(a_long_transfer_has_its_registers),
        ntmm_cmocka_test(the_devices_registers_are_the_cap),
        ntmm_cmocka_test(the_address_width_is_what_the_driver_says),
        ntmm_cmocka_test(an_adapter_that_was_put_is_none),
        ntmm_cmocka_test(adapters_are_made_at_passive_level),
        ntmm_cmocka_test(what_is_left_is_leaked),
        ntmm_cmocka_test(driver_and_device_share_a_common_buffer),
        ntmm_cmocka_test(a_common_buffer_is_freed_as_it_was_allocated),
        ntmm_cmocka_test(bounds_are_kept),
        ntmm_cmocka_test(there_is_one_domain),
        ntmm_cmocka_test(a_vector_is_many_buffers),
        ntmm_cmocka_test(a_misused_vector_stops_the_machine),
        ntmm_cmocka_test(a_common_buffer_out_of_an_mdl),
        ntmm_cmocka_test(failures_leave_nothing_behind),
        ntmm_cmocka_test(bounce_pages_go_with_the_last_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
