/*
 * system_pte.h - system PTEs from the inside: reserve addresses, say which frames, map. Only mm includes this.
 *
 *     reserve ---> set (each page) ---> commit --------------> mm_system_pte_unmap
 *                       `-------------> abandon <--- close <----'
 */
#ifndef NTMM_MM_SYSTEM_PTE_H
#define NTMM_MM_SYSTEM_PTE_H

#include "mm/machine.h"

void *mm_system_pte_reserve(size_t page_count); /* NULL: no addresses left */
void  mm_system_pte_set(void *va, size_t index, mm_pfn_number_t pfn, unsigned access);
void  mm_system_pte_mark(void *va, size_t index, uint64_t bits);   /* what was set is told more: MM_PTE_HOME, MM_PTE_IO, MM_PTE_DEVICE */
mm_pfn_number_t mm_system_pte_frame(const void *va, size_t index); /* what was set */
void            mm_system_pte_close(void *va, size_t page_count);  /* the pages fault from now on, and can still be asked what was set */
bool            mm_system_pte_commit(void *va, size_t page_count); /* false: nothing is mapped, reason in ke_error; abandon it */
void            mm_system_pte_abandon(void *va, size_t page_count);
void            mm_system_pte_clear(void *va, size_t page_count); /* closed pages name nothing any more; the addresses stay reserved */
bool     mm_system_pte_protect(void *va, size_t page_count, unsigned access); /* of a mapping that was committed; HOST_NONE: it faults */
uint64_t mm_system_pte_free(void);                                            /* addresses that are left, in pages */
/* Host mappings for so many pages of which each may need its own: committing them then does not fail for want of them. False: ke_error. */
bool mm_system_pte_promise(size_t page_count);
void mm_system_pte_promise_back(size_t page_count);
bool mm_system_pte_commit_promised(void *va, size_t page_count);
bool mm_system_pte_check(void); /* the count of host mappings; false with ke_error set */

/* Frames of their own, one by one, mapped in a row: pool that found no run, noncached memory. NULL: frames, addresses or host mappings are
 * short. *zeroed: all of them are. `pool` and `cache` are what their entries say. */
void *mm_scattered_alloc(uint32_t node, size_t page_count, unsigned access, mm_pool_t pool, uint8_t cache, bool *zeroed);
void  mm_scattered_free(void *va, size_t page_count);
/* The same with every frame on that node, or NULL; MM_ANY_NODE: wherever there are any. */
void *mm_scattered_alloc_on_node(uint32_t node, size_t page_count, unsigned access, mm_pool_t pool, uint8_t cache, bool *zeroed);

#endif
