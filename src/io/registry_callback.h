/*
 * registry_callback.h - what the routines of the registry need of its filters.
 *
 *     REG_..._INFORMATION info = { ... };
 *     io_registry_call_t  call = IO_REGISTRY_CALL(object, info);
 *     if (io_registry_begin(&call, RegNtPre...))
 *         status = the operation;
 *     return io_registry_end(&call, RegNtPost..., object, status);
 */
#ifndef NTMM_IO_REGISTRY_CALLBACK_H
#define NTMM_IO_REGISTRY_CALLBACK_H

#include <stdbool.h>
#include <stddef.h>

#include <ntddk.h>

#define IO_REGISTRY_FILTERS 32u

typedef struct io_registry_call {
    const void *object;         /* whose context the filters get: a key object, or NULL */
    void       *information;    /* REG_..._INFORMATION; what filters change in it is there afterwards */
    PVOID      *call_context;   /* in it */
    PVOID      *object_context; /* in it */

    void    *asked[IO_REGISTRY_FILTERS]; /* filters that get their post; held until the end */
    PVOID    contexts[IO_REGISTRY_FILTERS];
    size_t   count;
    bool     is_decided; /* one of them has blocked the operation, or done it */
    NTSTATUS decision;
} io_registry_call_t;

#define IO_REGISTRY_CALL(of, info) \
    { \
        .object = (of), .information = &(info), .call_context = &(info).CallContext, .object_context = &(info).ObjectContext \
    }

void io_registry_callbacks_boot(void);
/* True: do it. PASSIVE_LEVEL, no lock held. */
bool io_registry_begin(io_registry_call_t *call, REG_NOTIFY_CLASS what);
/* What the caller is told. `status` counts when it was done; `result` is the key object that was opened, or the call's own. */
NTSTATUS io_registry_end(io_registry_call_t *call, REG_NOTIFY_CLASS what, void *result, NTSTATUS status);
/* The last handle of a key object is closed: its contexts go. */
void io_registry_object_closed(const void *object);

#endif
