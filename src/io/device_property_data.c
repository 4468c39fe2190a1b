/*
 * device_property_data.c - the unified device property model: values by key and locale, of devices and of device interfaces.
 *
 *     owner (a device, an interface) -> key, locale -> type, bytes           one list in the host's memory; what is not in it was never set
 *
 * A locale is a key of its own, also the neutral one, as since Windows 8. Drivers' buffers may be pageable: they are copied before the lock is
 * taken and after it is released.
 *
 * Locks       data_lock (leaf) for the list.
 * Source      WDK reference: wdm.h, IoSetDevicePropertyData, IoGetDevicePropertyData, IoSetDeviceInterfacePropertyData; "Property value types".
 * Fidelity    what the bus knows of a device (IoGetDeviceProperty) is not found under its DEVPKEY. Nothing outlives its owner.
 */
#include <stdlib.h>
#include <string.h>

#include "io/device_property.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/lock.h"

#define LOCALE_OF_USER 0x0400u
#define LOCALE_OF_SYSTEM 0x0800u

typedef struct entry {
    struct entry *next;
    const void   *owner;
    DEVPROPKEY    key;
    LCID          locale;
    DEVPROPTYPE   type;
    ULONG         bytes;
    _Alignas(16) unsigned char data[];
} entry_t;

static ke_lock_t data_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static entry_t  *entries;

void io_property_data_reset(void)
{
    ke_lock_init(&data_lock, KE_RANK_LEAF);
    while (entries != NULL) {
        entry_t *first = entries;
        entries = first->next;
        free(first);
    }
}

/* ---- the list ---- */

static bool is_named(const entry_t *one, const entry_t *other)
{
    return one->owner == other->owner && one->locale == other->locale && IsEqualDevPropKey(one->key, other->key);
}

static entry_t **find_locked(const entry_t *wanted)
{
    entry_t **link = &entries;
    while (*link != NULL && !is_named(*link, wanted))
        link = &(*link)->next;
    return link;
}

static entry_t *take_out_locked(const entry_t *wanted)
{
    entry_t **link = find_locked(wanted), *one = *link;
    if (one != NULL)
        *link = one->next;
    return one;
}

void io_properties_of_forget(const void *owner)
{
    entry_t *gone = NULL;
    ke_lock(&data_lock);
    for (entry_t **link = &entries; *link != NULL;) {
        entry_t *one = *link;
        if (one->owner != owner) {
            link = &one->next;
            continue;
        }
        *link = one->next;
        one->next = gone;
        gone = one;
    }
    ke_unlock(&data_lock);
    while (gone != NULL) {
        entry_t *first = gone;
        gone = first->next;
        free(first);
    }
}

/* ---- set and get ---- */

static bool is_locale(LCID locale) { return locale != LOCALE_OF_USER && locale != LOCALE_OF_SYSTEM; }

static bool is_type(DEVPROPTYPE type)
{
    ULONG modifier = type & DEVPROP_MASK_TYPEMOD;
    return (type & ~(ULONG)(DEVPROP_MASK_TYPE | DEVPROP_MASK_TYPEMOD)) == 0 && (type & DEVPROP_MASK_TYPE) <= MAX_DEVPROP_TYPE &&
           (modifier == 0 || modifier == DEVPROP_TYPEMOD_ARRAY || modifier == DEVPROP_TYPEMOD_LIST);
}

static entry_t make_name(const io_property_name_t *name)
{
    return (entry_t){ .owner = name->owner, .key = *name->key, .locale = name->locale };
}

/* NULL: no memory, or the failure was injected. */
static entry_t *make(const io_property_name_t *name, DEVPROPTYPE type, ULONG size, const void *data)
{
    entry_t *fresh = ke_inject_failure() ? NULL : malloc(sizeof *fresh + size);
    if (fresh == NULL)
        return NULL;
    *fresh = make_name(name);
    fresh->type = type;
    fresh->bytes = size;
    memcpy(fresh->data, data, size);
    return fresh;
}

static NTSTATUS delete (const io_property_name_t *name)
{
    const entry_t wanted = make_name(name);
    ke_lock(&data_lock);
    entry_t *one = take_out_locked(&wanted);
    ke_unlock(&data_lock);
    free(one);
    return one != NULL ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS io_property_set(const io_property_name_t *name, ULONG flags, DEVPROPTYPE type, ULONG size, const void *data)
{
    if (!is_locale(name->locale))
        return STATUS_UNSUCCESSFUL;
    if (name->key == NULL || (flags & ~(ULONG)PLUGPLAY_PROPERTY_PERSISTENT) != 0 || (data != NULL && !is_type(type)))
        return STATUS_INVALID_PARAMETER;
    if (data == NULL)
        return delete (name);
    entry_t *fresh = make(name, type, size, data);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    ke_lock(&data_lock);
    entry_t *old = take_out_locked(fresh);
    fresh->next = entries;
    entries = fresh;
    ke_unlock(&data_lock);
    free(old);
    return STATUS_SUCCESS;
}

/* A copy for the time without the lock; NULL with STATUS_OBJECT_NAME_NOT_FOUND or STATUS_INSUFFICIENT_RESOURCES. */
static entry_t *copy_of(const io_property_name_t *name, NTSTATUS *status)
{
    const entry_t wanted = make_name(name);
    bool          fails = ke_inject_failure();
    ke_lock(&data_lock);
    const entry_t *one = *find_locked(&wanted);
    entry_t       *copy = one == NULL || fails ? NULL : malloc(sizeof *copy + one->bytes);
    if (copy != NULL)
        memcpy(copy, one, sizeof *copy + one->bytes);
    *status = one == NULL ? STATUS_OBJECT_NAME_NOT_FOUND : copy == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
    ke_unlock(&data_lock);
    return copy;
}

NTSTATUS io_property_get(const io_property_name_t *name, ULONG size, void *data, PULONG required, PDEVPROPTYPE type)
{
    NTSTATUS status;
    *required = 0;
    if (!is_locale(name->locale))
        return STATUS_UNSUCCESSFUL;
    if (name->key == NULL)
        return STATUS_INVALID_PARAMETER;
    entry_t *copy = copy_of(name, &status);
    if (copy == NULL)
        return status;
    *required = copy->bytes;
    if (size < copy->bytes)
        status = STATUS_BUFFER_TOO_SMALL;
    else {
        *type = copy->type;
        memcpy(data, copy->data, copy->bytes);
    }
    free(copy);
    return status;
}

/* ---- devices ---- */

NTSTATUS IoSetDevicePropertyData(PDEVICE_OBJECT Pdo, const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags, DEVPROPTYPE Type, ULONG Size,
                                 PVOID Data)
{
    const io_property_name_t name = { Pdo, PropertyKey, Lcid };
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, Pdo);
    return io_property_set(&name, Flags, Type, Size, Data);
}

NTSTATUS IoGetDevicePropertyData(PDEVICE_OBJECT Pdo, const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags, ULONG Size, PVOID Data,
                                 PULONG RequiredSize, PDEVPROPTYPE Type)
{
    const io_property_name_t name = { Pdo, PropertyKey, Lcid };
    (void)Flags; /* reserved */
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, Pdo);
    return io_property_get(&name, Size, Data, RequiredSize, Type);
}
