/*
 * deliver.c - bytes that somebody else's thread has waited for come to its buffer.
 * Windows queues an APC to the thread that sent an IRP, which copies the output in its own process, at an IRQL where pages may be missing. Here
 * whoever completes the IRP copies, in his process and at his IRQL; so pages are brought in for him, one by one, held and written to where they
 * are.
 *
 *     address of a process, paged pool    the page is locked, and written by its physical address
 *     any other                           a plain copy
 *
 * Locks       none held here; those of lock_pages.c.
 * Source      WDK reference: IoCompleteRequest; "Using Buffered I/O".
 */
#include <ntddk.h>
#include <string.h>

#include "mm/lock_pages.h"
#include "mm/paging.h"
#include "mm/space.h"

static bool may_be_missing(uintptr_t va) { return mm_space_find(va) != NULL || mm_pageable_of(va) != NULL; }

static bool deliver_in_page(uintptr_t va, const char *from, size_t bytes)
{
    mm_lock_t  lock = { .write = true, .low_irql = true };
    PFN_NUMBER pfn;
    if (!NT_SUCCESS(mm_lock_pages(&lock, va & ~((uintptr_t)PAGE_SIZE - 1), 1, &pfn)))
        return false;
    char *view = mm_device_view((pfn << PAGE_SHIFT) | (va & (PAGE_SIZE - 1)), true);
    if (view != NULL)
        memcpy(view, from, bytes);
    mm_unlock_pages(&pfn, 1, lock.io_space);
    return view != NULL;
}

static size_t deliver(uintptr_t to, const char *from, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        size_t in_page = PAGE_SIZE - ((to + done) & (PAGE_SIZE - 1)), now = bytes - done < in_page ? bytes - done : in_page;
        if (!deliver_in_page(to + done, from + done, now))
            break;
        done += now;
    }
    return done;
}

void mm_deliver(void *to, const void *from, size_t bytes)
{
    size_t       done = 0;
    ke_thread_t *thread = may_be_missing((uintptr_t)to) ? ke_thread_enter(__func__) : NULL;
    if (thread != NULL) {
        done = deliver((uintptr_t)to, from, bytes);
        ke_thread_leave(thread);
    }
    if (done < bytes) /* and what cannot be had faults, as it would for anybody */
        memcpy((char *)to + done, (const char *)from + done, bytes - done);
}
