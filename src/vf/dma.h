/* dma.h - Driver Verifier's DMA checking. */
#ifndef NTMM_VF_DMA_H
#define NTMM_VF_DMA_H

#include <stdbool.h>

void vf_dma_boot(bool on);     /* from now on hal is watched, or not */
void vf_counter_boot(bool on); /* and the performance counter (performance_counter.c) */

#endif
