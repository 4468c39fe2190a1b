/*
 * device_property.c - what is known of a device: IoGetDeviceProperty answers what the test has said, else what the bus knows.
 *
 * Locks       properties_lock (leaf) for the list. What is replaced stays until its device goes, so that nobody reads what was freed.
 * Source      WDK reference: wdm.h, IoGetDeviceProperty; Bug Check 0xCA (2: no physical device object).
 * Fidelity    nothing of this is in the registry: where Windows reads a device's key, this is the key.
 */
#include "io/device_property.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <initguid.h>
#include <wdmguid.h>

#include <ntmm/ntmm.h>

#include "io/bus.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/lock.h"

typedef struct property {
    struct property         *next;
    PDEVICE_OBJECT           device; /* NULL: it is gone */
    DEVICE_REGISTRY_PROPERTY property;
    size_t                   bytes;
    _Alignas(16) unsigned char data[];
} property_t;

static ke_lock_t   properties_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static property_t *properties; /* newest first */

/* ---- what the test has said ---- */

void io_device_properties_reset(void)
{
    io_property_data_reset();
    ke_lock_init(&properties_lock, KE_RANK_LEAF);
    while (properties != NULL) {
        property_t *first = properties;
        properties = first->next;
        free(first);
    }
}

void io_device_properties_forget(PDEVICE_OBJECT device)
{
    ke_lock(&properties_lock);
    for (property_t *one = properties; one != NULL; one = one->next)
        if (one->device == device)
            one->device = NULL;
    ke_unlock(&properties_lock);
    io_properties_of_forget(device);
}

const void *io_device_property(PDEVICE_OBJECT device, DEVICE_REGISTRY_PROPERTY property, size_t *bytes)
{
    ke_lock(&properties_lock);
    const property_t *one = properties;
    while (one != NULL && (one->device != device || one->property != property))
        one = one->next;
    ke_unlock(&properties_lock);
    if (one != NULL)
        *bytes = one->bytes;
    return one != NULL ? one->data : NULL;
}

int ntmm_device_set_property(PDEVICE_OBJECT device, DEVICE_REGISTRY_PROPERTY property, const void *data, size_t bytes)
{
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    property_t *fresh = malloc(sizeof *fresh + bytes);
    if (fresh == NULL)
        return ke_error(-ENOMEM, "%s: the host has no memory", __func__);
    fresh->device = device;
    fresh->property = property;
    fresh->bytes = bytes;
    if (bytes != 0)
        memcpy(fresh->data, data, bytes);
    ke_lock(&properties_lock);
    fresh->next = properties;
    properties = fresh;
    ke_unlock(&properties_lock);
    return 0;
}

/* ---- what the bus knows ---- */

typedef struct answer {
    const void *data;
    size_t      bytes;
    bool        text; /* a null is to follow */
    union {
        GUID  guid;
        ULONG number;
    } room;
} answer_t;

static void answer_number(answer_t *answer, ULONG number)
{
    answer->room.number = number;
    answer->data = &answer->room;
    answer->bytes = sizeof number;
}

static void answer_guid(answer_t *answer, const GUID *guid)
{
    answer->data = guid;
    answer->bytes = sizeof *guid;
}

static void answer_text(answer_t *answer, const WCHAR *text, size_t bytes)
{
    answer->data = text;
    answer->bytes = bytes;
    answer->text = true;
}

static void ask_slot(const io_bus_device_t *known, DEVICE_REGISTRY_PROPERTY property, answer_t *answer)
{
    switch (property) {
    case DevicePropertyBusTypeGuid: answer_guid(answer, known->placed ? &GUID_BUS_TYPE_PCI : &GUID_BUS_TYPE_INTERNAL); break;
    case DevicePropertyLegacyBusType: answer_number(answer, known->placed ? PCIBus : Internal); break;
    case DevicePropertyBusNumber: answer_number(answer, known->placed ? known->bus & 0xFF : 0); break;
    case DevicePropertyAddress: answer_number(answer, known->placed ? (known->slot & 31) << 16 | known->slot >> 5 : known->number); break;
    default: break;
    }
}

/* answer->data stays NULL: nobody knows. */
static void ask(PDEVICE_OBJECT device, DEVICE_REGISTRY_PROPERTY property, answer_t *answer)
{
    const io_bus_device_t  *known = io_bus_device_of(device);
    const io_device_name_t *name = io_device_extension(device)->name;
    answer->data = io_device_property(device, property, &answer->bytes);
    if (answer->data != NULL)
        return;
    switch (property) {
    case DevicePropertyPhysicalDeviceObjectName:
        if (name != NULL)
            answer_text(answer, name->text.Buffer, name->text.Length);
        break;
    case DevicePropertyInstallState: answer_number(answer, InstallStateInstalled); break;
    case DevicePropertyRemovalPolicy: answer_number(answer, RemovalPolicyExpectNoRemoval); break;
    case DevicePropertyEnumeratorName: answer_text(answer, L"NTMM", 4 * sizeof(WCHAR)); break;
    default:
        if (known != NULL)
            ask_slot(known, property, answer);
        break;
    }
}

void io_require_pdo(const char *routine, PDEVICE_OBJECT device)
{
    if (device == NULL || device->DeviceObjectExtension == NULL || (device->Flags & DO_BUS_ENUMERATED_DEVICE) == 0)
        ke_bugcheck(routine, "What was to be a physical device object is another one, or no bus driver has reported it.",
                    PNP_DETECTED_FATAL_ERROR, 2, (ULONG_PTR)device, 0, 0);
}

NTSTATUS IoGetDeviceProperty(PDEVICE_OBJECT DeviceObject, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength, PVOID PropertyBuffer,
                             PULONG ResultLength)
{
    answer_t answer = { .data = NULL };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, DeviceObject);
    *ResultLength = 0;
    if ((ULONG)DeviceProperty > DevicePropertyContainerID)
        return STATUS_INVALID_PARAMETER_2;
    if (ke_inject_failure())
        return STATUS_INSUFFICIENT_RESOURCES;
    ask(DeviceObject, DeviceProperty, &answer);
    if (answer.data == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    *ResultLength = (ULONG)(answer.bytes + (answer.text ? sizeof(WCHAR) : 0));
    if (BufferLength < *ResultLength)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(PropertyBuffer, answer.data, answer.bytes);
    if (answer.text)
        ((PWSTR)PropertyBuffer)[answer.bytes / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}
