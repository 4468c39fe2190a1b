/*
 * dma.h - a device, its adapter, and buffers to move: what every test of DMA begins with.
 */
#ifndef NTMM_TESTS_SUPPORT_DMA_H
#define NTMM_TESTS_SUPPORT_DMA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#define DMA_TAG NTMM_TAG("TDma")

/* What a driver says of a bus master on PCI. */
static inline DEVICE_DESCRIPTION dma_description(ULONG version, ULONG bits, BOOLEAN scatter_gather, ULONG length)
{
    DEVICE_DESCRIPTION description = { .Version = version, .Master = TRUE, .ScatterGather = scatter_gather, .InterfaceType = PCIBus };
    description.MaximumLength = length;
    description.Dma32BitAddresses = bits == 32;
    description.Dma64BitAddresses = bits == 64;
    description.DmaAddressWidth = bits;
    if (bits == 24)
        description.InterfaceType = Isa;
    return description;
}

typedef struct dma {
    ntmm_device    *device;
    PDMA_ADAPTER    adapter;
    PDMA_OPERATIONS op;
    ULONG           registers; /* as IoGetDmaAdapter said */
} dma_t;

static inline dma_t dma_start_iommu(uint32_t bits, uint32_t registers, bool scatter_gather, ULONG length, bool iommu)
{
    ntmm_device_config config = { .address_bits = bits, .map_registers = registers, .scatter_gather = scatter_gather, .iommu = iommu };
    DEVICE_DESCRIPTION description = dma_description(DEVICE_DESCRIPTION_VERSION3, bits, scatter_gather, length);
    dma_t              dma = { .device = ntmm_device_create(&config) };
    assert_non_null(dma.device);
    dma.adapter = IoGetDmaAdapter(ntmm_device_object(dma.device), &description, &dma.registers);
    assert_non_null(dma.adapter);
    dma.op = dma.adapter->DmaOperations;
    return dma;
}

static inline dma_t dma_start(uint32_t bits, uint32_t registers, bool scatter_gather, ULONG length)
{
    return dma_start_iommu(bits, registers, scatter_gather, length, false);
}

static inline void dma_stop(dma_t *dma)
{
    dma->op->PutDmaAdapter(dma->adapter);
    ntmm_device_destroy(dma->device);
    assert_true(ntmm_check());
}

/* An MDL of nonpaged memory. */
static inline PMDL dma_mdl(PVOID va, ULONG bytes)
{
    PMDL mdl = IoAllocateMdl(va, bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    MmBuildMdlForNonPagedPool(mdl);
    return mdl;
}
static inline void dma_mdl_free(PMDL mdl) { IoFreeMdl(mdl); }

/* Memory whose pages all lie above 16 MiB, and above 4 GiB, or anywhere. */
static inline void *dma_high_memory(SIZE_T bytes, uint64_t lowest)
{
    PVOID  base;
    SIZE_T size = bytes;
    assert_int_equal(MmAllocateContiguousMemoryEx(&size, (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)lowest },
                                                  (PHYSICAL_ADDRESS){ .QuadPart = -1 }, (PHYSICAL_ADDRESS){ .QuadPart = 0 }, MM_ANY_NODE_OK,
                                                  PAGE_READWRITE, NULL, DMA_TAG, 0, &base),
                     STATUS_SUCCESS);
    return base;
}
#define DMA_ABOVE_ISA 0x1000000ull
#define DMA_ABOVE_4G 0x100000000ull

static inline void dma_fill(void *to, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)(seed + i * 7 + (i >> 8));
}
static inline bool dma_is_filled(const void *from, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        if (((const unsigned char *)from)[i] != (unsigned char)(seed + i * 7 + (i >> 8)))
            return false;
    return true;
}

/* Execution routines: the map registers' base is noted, and the registers are kept, with the channel or without. */
static PVOID                       dma_kept_base;
static inline IO_ALLOCATION_ACTION dma_keep_registers(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)Context;
    dma_kept_base = MapRegisterBase;
    return DeallocateObjectKeepRegisters;
}
static inline IO_ALLOCATION_ACTION dma_keep_object(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    (void)dma_keep_registers(DeviceObject, Irp, MapRegisterBase, Context);
    return KeepObject;
}

static inline KIRQL dma_raise(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    return irql;
}

#endif
