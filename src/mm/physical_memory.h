/*
 * physical_memory.h - memory added and removed while the machine runs. Only mm and io/physical_ranges.c include this.
 */
#ifndef NTMM_MM_PHYSICAL_MEMORY_H
#define NTMM_MM_PHYSICAL_MEMORY_H

#include <ntddk.h>

#include "mm/ram_map.h"

void mm_physical_memory_boot(void);
/* Until the unlock no RAM comes or goes: KE_RANK_MM_RAM_MAP. */
void mm_ram_map_lock(void);
void mm_ram_map_unlock(void);
/* The ranges as they are now; room for `most` entries. Returns how many there are. */
uint32_t mm_physical_ranges(mm_ram_range_t *ranges, uint32_t most);

/* Free frames leave the machine, as with MmRemovePhysicalMemory. */
NTSTATUS mm_remove_ram(uint64_t first_pfn, uint64_t page_count);

#endif
