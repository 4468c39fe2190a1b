/*
 * process_space.h - the address space of a process: made when it is first needed. mm and the layers above include this.
 */
#ifndef NTMM_MM_PROCESS_SPACE_H
#define NTMM_MM_PROCESS_SPACE_H

#include "ke/process.h"
#include "mm/view.h"

void mm_process_spaces_register(void); /* once: hangs spaces on the life of processes */

/* The caller keeps the process in use (ke_process_use, or it runs in it), and with it the space. NULL: nobody has needed one yet. */
mm_space_t *mm_process_space(const ke_process_t *process);
/* The same, made if it is not there. STATUS_PROCESS_IS_TERMINATING; STATUS_INSUFFICIENT_RESOURCES with ke_error set. */
NTSTATUS mm_process_space_need(ke_process_t *process, mm_space_t **space);

/* With forced IRQL checking: a user address of a process in which the thread does not run. Async-signal-safe. */
bool mm_touch_is_foreign(const ke_thread_t *thread, uintptr_t va);

/* Pages of the range that are not in RAM are fetched, as far as they are committed and may be read; how many there are now. */
uint64_t mm_space_prefetch(mm_space_t *space, uintptr_t va, uint64_t bytes);

#endif
