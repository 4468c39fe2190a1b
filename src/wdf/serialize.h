/*
 * serialize.h - callbacks of work items, DPCs and timers: under which lock they run, and for whose code.
 */
#ifndef NTMM_WDF_SERIALIZE_H
#define NTMM_WDF_SERIALIZE_H

#include "wdf/request.h"

typedef struct wdf_serializer {
    wdf_callback_lock_t *lock; /* NULL: none */
} wdf_serializer_t;

/*
 * From the attributes of the object to be: checked, by these options of wdf_attributes_check besides those for the parent, and its parent looked at, which must be a device or have one above it.
 * passive: its callback runs at PASSIVE_LEVEL. The statuses of WdfWorkItemCreate, WdfDpcCreate, WdfTimerCreate.
 */
NTSTATUS wdf_serializer_init(const char *routine, wdf_serializer_t *serializer, PWDF_OBJECT_ATTRIBUTES attributes, unsigned options,
                             bool serialized, bool passive);

#define WDF_SERIALIZED_CALL(serializer, owner, function, ...) \
    do { \
        wdf_callbacks_enter(#function, (serializer)->lock); \
        wdf_call_t call_ = wdf_call_begin((owner)->object.driver); \
        (function)(__VA_ARGS__); \
        WDF_CALL_END(&call_, (function)); \
        wdf_callbacks_leave(#function, (serializer)->lock); \
    } while (0)

#endif
