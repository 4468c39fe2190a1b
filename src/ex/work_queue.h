/*
 * work_queue.h - the system's worker threads, for the boot and for io's work items.
 */
#ifndef NTMM_EX_WORK_QUEUE_H
#define NTMM_EX_WORK_QUEUE_H

#include <stdbool.h>

#include <ntddk.h>

void ex_work_boot(void);
void ex_work_stop(void);  /* before the system threads are waited for: workers end when nothing is queued any more */
void ex_work_go_on(void); /* the shutdown was refused */
/* A routine that called back at another IRQL than PASSIVE_LEVEL stops the machine, naming what the driver queued. */
void ex_work_check_return(ULONG_PTR routine, ULONG_PTR parameter, ULONG_PTR item);
void ex_work_queue(const char *routine, PWORK_QUEUE_ITEM item); /* the library's own items: the delayed queue */
void ex_work_queue_by_type(const char *routine, PWORK_QUEUE_ITEM item, WORK_QUEUE_TYPE type);
/* A driver's words: a queue that there is, and a routine (0: none). */
void                   ex_work_check_words(const char *routine, const void *item, WORK_QUEUE_TYPE type, ULONG_PTR worker_routine);
bool                   ex_work_is_queued(const WORK_QUEUE_ITEM *item);
const WORK_QUEUE_ITEM *ex_work_queued_in(uintptr_t address, size_t bytes); /* one in the queue that lies there; NULL: none */

#endif
