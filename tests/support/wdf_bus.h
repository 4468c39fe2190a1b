/*
 * wdf_bus.h - what a test asks the children of a bus driver of the framework: the PnP manager's questions.
 */
#ifndef NTMM_TESTS_WDF_BUS_H
#define NTMM_TESTS_WDF_BUS_H

#include "wdf_device.h"

#include <wdffdo.h>
#include <wdfpdo.h>

static inline NTSTATUS wdf_bus_ask(PDEVICE_OBJECT device, UCHAR minor, void **answer)
{
    const IO_STACK_LOCATION location = { .MinorFunction = minor };
    uintptr_t               information = 0;
    NTSTATUS                status = ntmm_pnp_request(device, &location, &information);
    *answer = (void *)information;
    return status;
}

static inline NTSTATUS wdf_bus_relations(PDEVICE_OBJECT device, DEVICE_RELATION_TYPE type, PDEVICE_RELATIONS *answer)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_DEVICE_RELATIONS };
    uintptr_t         information = (uintptr_t)*answer;
    location.Parameters.QueryDeviceRelations.Type = type;
    NTSTATUS status = ntmm_pnp_request(device, &location, &information);
    *answer = (PDEVICE_RELATIONS)information;
    return status;
}

static inline void wdf_bus_relations_free(PDEVICE_RELATIONS relations)
{
    for (ULONG i = 0; relations != NULL && i < relations->Count; i++)
        ObDereferenceObject(relations->Objects[i]);
    if (relations != NULL)
        ExFreePool(relations);
}

static inline NTSTATUS wdf_bus_id(PDEVICE_OBJECT device, BUS_QUERY_ID_TYPE type, PWSTR *text)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_ID };
    uintptr_t         information = 0;
    location.Parameters.QueryId.IdType = type;
    NTSTATUS status = ntmm_pnp_request(device, &location, &information);
    *text = (PWSTR)information;
    return status;
}

/* The answer is exactly these bytes; it is freed. */
static inline void wdf_bus_assert_id(PDEVICE_OBJECT device, BUS_QUERY_ID_TYPE type, const void *expected, size_t bytes)
{
    PWSTR text;
    assert_int_equal(wdf_bus_id(device, type, &text), STATUS_SUCCESS);
    assert_memory_equal(text, expected, bytes);
    ExFreePool(text);
}

/* How many children there are; the first is *child. */
static inline size_t wdf_bus_count(PDEVICE_OBJECT *child)
{
    PDEVICE_OBJECT children[8];
    size_t         count;
    (void)ntmm_pnp_children(wdf_test_object(), children, 8, &count);
    if (child != NULL)
        *child = count != 0 ? children[0] : NULL;
    return count;
}

#endif
