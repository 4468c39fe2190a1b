/*
 * object_callbacks.h - who is asked when a handle of a process or a thread is opened.
 */
#ifndef NTMM_EX_OBJECT_CALLBACKS_H
#define NTMM_EX_OBJECT_CALLBACKS_H

#include <stdbool.h>

#include <ntddk.h>

#include "ex/object.h"

#define EX_OBJECT_CALLBACKS_MAX 8u

/* One opening: who was asked before, and what for. */
typedef struct ex_object_opening {
    void  *asked[EX_OBJECT_CALLBACKS_MAX]; /* held until the end */
    PVOID  context[EX_OBJECT_CALLBACKS_MAX];
    size_t count;
    void  *object;
    bool   kernel_handle;
} ex_object_opening_t;

void ex_object_callbacks_boot(void);
/* The rights that are left. PASSIVE_LEVEL, no lock held. */
ACCESS_MASK ex_object_opening_begin(ex_object_opening_t *opening, void *object, ACCESS_MASK access, bool kernel_handle);
void        ex_object_opening_end(ex_object_opening_t *opening, ACCESS_MASK granted, NTSTATUS status);

#endif
