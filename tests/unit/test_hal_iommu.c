/*
 * test_hal_iommu.c - a device behind an IOMMU reaches what its driver has mapped for it, and nothing else.
 */
#include <errno.h>

#include "../support/dma.h"

static void a_common_buffer_is_mapped_while_it_lives(void **state)
{
    (void)state;
    dma_t            dma = dma_start_iommu(24, 0, true, 16 * PAGE_SIZE, true), other = dma_start_iommu(24, 0, true, 16 * PAGE_SIZE, true);
    PHYSICAL_ADDRESS logical;
    char            *va = dma.op->AllocateCommonBuffer(dma.adapter, 3 * PAGE_SIZE, &logical, TRUE), copy[100];
    assert_non_null(va);
    assert_true((uint64_t)logical.QuadPart < 0x1000000);
    assert_int_not_equal(logical.QuadPart, MmGetPhysicalAddress(va).QuadPart);
    dma_fill(va, 3 * PAGE_SIZE, 7);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart + PAGE_SIZE - 50, copy, 100), 0);
    assert_memory_equal(copy, va + PAGE_SIZE - 50, 100);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart + 2 * PAGE_SIZE, "there", 5), 0);
    assert_memory_equal(va + 2 * PAGE_SIZE, "there", 5);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)MmGetPhysicalAddress(va).QuadPart, copy, 1), -EFAULT);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart + 3 * PAGE_SIZE, copy, 1), -EFAULT);
    assert_int_equal(ntmm_device_read(other.device, (uint64_t)logical.QuadPart, copy, 1), -EFAULT); /* another device's */
    PHYSICAL_ADDRESS low = { .QuadPart = 0x400000 }, high = { .QuadPart = 0x4FFFFF }, bound;
    PVOID            bounded = dma.op->AllocateCommonBufferWithBounds(dma.adapter, &low, &high, PAGE_SIZE, 0, NULL, MM_ANY_NODE_OK, &bound);
    assert_non_null(bounded);
    assert_int_equal(bound.QuadPart, low.QuadPart);
    dma.op->FreeCommonBuffer(dma.adapter, PAGE_SIZE, bound, bounded, TRUE);
    dma.op->FreeCommonBuffer(dma.adapter, 3 * PAGE_SIZE, logical, va, TRUE);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart, copy, 1), -EFAULT);
    dma_stop(&dma);
    dma_stop(&other);
}

static PSCATTER_GATHER_LIST kept;
static VOID                 keep_list(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)Context;
    kept = ScatterGather;
}

static void pages_in_any_order_are_a_row(void **state)
{
    (void)state;
    for (unsigned scatter_gather = 0; scatter_gather < 2; scatter_gather++) {
        dma_t      dma = dma_start_iommu(24, 8, scatter_gather != 0, 16 * PAGE_SIZE, true);
        char      *block = dma_high_memory(8 * PAGE_SIZE, DMA_ABOVE_ISA), copy[3 * PAGE_SIZE];
        PMDL       mdl = dma_mdl(block + 10, 4 * PAGE_SIZE - 10);
        PFN_NUMBER first = (PFN_NUMBER)(MmGetPhysicalAddress(block).QuadPart >> PAGE_SHIFT);
        for (unsigned i = 0; i < 4; i++)
            MmGetMdlPfnArray(mdl)[i] = first + 6 - 2 * i;
        dma_fill(block, 8 * PAGE_SIZE, 90);
        KIRQL irql = dma_raise();
        assert_int_equal(dma.op->GetScatterGatherList(dma.adapter, NULL, mdl, block + 20, sizeof copy, keep_list, NULL, TRUE),
                         STATUS_SUCCESS);
        assert_int_equal(kept->NumberOfElements, 1);
        uint64_t logical = (uint64_t)kept->Elements[0].Address.QuadPart;
        assert_int_equal(kept->Elements[0].Length, sizeof copy);
        assert_int_equal(ntmm_device_read(dma.device, logical, copy, sizeof copy), 0);
        for (ULONG i = 0; i < sizeof copy; i++)
            assert_int_equal(copy[i], block[(6 - 2 * ((i + 20) / PAGE_SIZE)) * PAGE_SIZE + (i + 20) % PAGE_SIZE]);
        block[6 * PAGE_SIZE + 20] = 77; /* nothing was copied */
        assert_int_equal(ntmm_device_read(dma.device, logical, copy, 1), 0);
        assert_int_equal(copy[0], 77);
        dma.op->PutScatterGatherList(dma.adapter, kept, TRUE);
        assert_int_equal(ntmm_device_read(dma.device, logical, copy, 1), -EFAULT); /* too late */
        KeLowerIrql(irql);
        dma_mdl_free(mdl);
        MmFreeContiguousMemory(block);
        dma_stop(&dma);
    }
}

static void an_mdl_of_any_pages_becomes_a_common_buffer(void **state)
{
    (void)state;
    dma_t            dma = dma_start_iommu(32, 0, true, 16 * PAGE_SIZE, true);
    char            *block = dma_high_memory(4 * PAGE_SIZE, 0), copy[4];
    PMDL             mdl = dma_mdl(block, 2 * PAGE_SIZE);
    PHYSICAL_ADDRESS logical;
    MmGetMdlPfnArray(mdl)[1] = (PFN_NUMBER)(MmGetPhysicalAddress(block + 3 * PAGE_SIZE).QuadPart >> PAGE_SHIFT);
    memcpy(block + 3 * PAGE_SIZE, "here", 4);
    assert_int_equal(dma.op->CreateCommonBufferFromMdl(dma.adapter, mdl, NULL, 0, &logical), STATUS_SUCCESS);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart + PAGE_SIZE, copy, 4), 0);
    assert_memory_equal(copy, "here", 4);
    dma.op->FreeCommonBuffer(dma.adapter, 2 * PAGE_SIZE, logical, block, TRUE);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart, copy, 4), -EFAULT);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void each_device_is_its_own_domain(void **state)
{
    (void)state;
    dma_t  a = dma_start_iommu(32, 0, true, PAGE_SIZE, true), b = dma_start_iommu(32, 0, true, PAGE_SIZE, true);
    HANDLE domain = a.op->GetDmaDomain(a.adapter);
    assert_ptr_not_equal(domain, b.op->GetDmaDomain(b.adapter));
    assert_int_equal(a.op->JoinDmaDomain(a.adapter, domain), STATUS_SUCCESS);
    assert_int_equal(b.op->JoinDmaDomain(b.adapter, domain), STATUS_NOT_SUPPORTED);
    dma_stop(&a);
    dma_stop(&b);
    assert_null(ntmm_device_create(&(ntmm_device_config){ .address_bits = 16, .iommu = true })); /* nothing of the window is in its reach */
}

static const ntmm_config VERIFIED = { .verifier = NTMM_VERIFY_DMA, .quiet = true };
static void              a_verifier_stops_at_a_fault(void **state)
{
    (void)state;
    dma_t dma = dma_start_iommu(32, 0, true, PAGE_SIZE, true);
    char  byte = 0;
    assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x26, ntmm_device_object(dma.device), 0x123456, 2,
                        ntmm_device_write(dma.device, 0x123456, &byte, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_common_buffer_is_mapped_while_it_lives),      ntmm_cmocka_test(pages_in_any_order_are_a_row),
        ntmm_cmocka_test(an_mdl_of_any_pages_becomes_a_common_buffer),   ntmm_cmocka_test(each_device_is_its_own_domain),
        ntmm_cmocka_test_config(a_verifier_stops_at_a_fault, &VERIFIED),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
