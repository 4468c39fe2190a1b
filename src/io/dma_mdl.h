/* dma_mdl.h - MDLs of what a scatter/gather list names. */
#ifndef NTMM_IO_DMA_MDL_H
#define NTMM_IO_DMA_MDL_H

#include <ntddk.h>

NTSTATUS io_build_mdl_from_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, PMDL OriginalMdl,
                                               PMDL *TargetMdl);

#endif
