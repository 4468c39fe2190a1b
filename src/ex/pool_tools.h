/*
 * pool_tools.h - the pools under AddressSanitizer or memcheck: which bytes are a driver's, and which nobody's.
 */
#ifndef NTMM_EX_POOL_TOOLS_H
#define NTMM_EX_POOL_TOOLS_H

#include "ex/pool_find.h"
#include "host/memory_tools.h"
#include "ke/thread.h"

extern bool ex_tools_on; /* constant while a machine is up */
/* The same: every call takes the slow path, because of the tools, or because call stacks are kept (ke/allocation_trace.h). All tags are closed
 * then, as on a machine that has stopped (pool_tag.h), and so are the fast regions (pool_fast.h). */
extern bool ex_pool_is_slow;

void ex_tools_boot(bool wanted, bool watched); /* watched: a verifier is on */
void ex_tools_shutdown(void);

/* Pages that mm gave to a pool. Under the lock of a descriptor, or before anybody else knows of them. */
void ex_tools_pages(void *page, size_t page_count);
/* The driver may touch these bytes from now on. */
static inline void ex_tools_hand_out(const void *body, size_t bytes)
{
    if (NTMM_UNLIKELY(ex_tools_on))
        host_tools_hand_out(body, bytes);
}
/* And what he reads there are the zeros that he asked for, although nobody has written them. */
static inline void ex_tools_zeroed(const void *body, size_t bytes)
{
    if (NTMM_UNLIKELY(ex_tools_on))
        host_tools_forget(body, bytes);
}
/* A freed allocation that nobody may touch for some time. It is marked as free; in its stead *found and the result are those that waited
 * longest, and go back now. NULL: none has to. */
void *ex_tools_exchange(ex_found_t *found, void *address);
/* Memory is short: the same without a new one. */
void *ex_tools_oldest(ex_found_t *found);
/* How many wait, for a check on a machine at rest: blocks of so many units, or (0) runs of pages. */
uint64_t ex_tools_waiting(mm_pool_t pool, unsigned units);

/* Around every step that looks into free memory. */
static inline void ex_tools_begin(void)
{
    if (NTMM_UNLIKELY(ex_tools_on))
        host_tools_begin_access();
}
static inline void ex_tools_end(void)
{
    if (NTMM_UNLIKELY(ex_tools_on))
        host_tools_end_access();
}

#endif
