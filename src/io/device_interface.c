/*
 * device_interface.c - device interfaces: a class that a device belongs to, by a name under which it is found.
 *
 *     registered --- IoSetDeviceInterfaceState(TRUE) ---> enabled: \??\NTMM#0000000a#{class} is a symbolic link to the physical device
 *         ^                                                  |
 *         '---------- (FALSE), or the device goes -----------'      both changes are told to who asked (pnp_notify.c)
 *
 * A reference string stands behind that name; whoever opens it with the string is given to the driver as FileName.
 *
 * Locks       interfaces_lock (leaf) for the list, which is in the host's memory; links, pool and callbacks without it.
 * Source      WDK reference: wdm.h, the pages of these routines; "Registering a device interface class".
 * Fidelity    interfaces are in the registry on Windows and outlive a boot; here they go with their device. The text of the name is a choice.
 */
#include <ntifs.h>

#include <initguid.h>
#include <wdmguid.h>

#include "hal/hal.h"
#include "io/bus.h"
#include "io/device_property.h"
#include "io/host_name.h"
#include "io/object_name.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_INTERFACE NTMM_TAG("PnpI")
#define GUID_CHARACTERS 38

typedef struct interface {
    struct interface *next;
    GUID              class_guid;
    PDEVICE_OBJECT    device;
    io_device_name_t *link; /* of an enabled one */
    bool              enabled;
    USHORT            link_bytes; /* of `name`: without the reference string */
    UNICODE_STRING    name;       /* in the host's memory */
} interface_t;

static ke_lock_t    interfaces_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static interface_t *interfaces;

static void free_interface(interface_t *one)
{
    io_properties_of_forget(one);
    io_host_name_free(&one->name);
    free(one);
}

/* Links were pool of the machine, and went with it. */
void io_interfaces_reset(void)
{
    ke_lock_init(&interfaces_lock, KE_RANK_LEAF);
    while (interfaces != NULL) {
        interface_t *first = interfaces;
        interfaces = first->next;
        free_interface(first);
    }
}

/* ---- names ---- */

static void append(UNICODE_STRING *to, const WCHAR *text, size_t bytes)
{
    memcpy((char *)to->Buffer + to->Length, text, bytes);
    to->Length = (USHORT)(to->Length + bytes);
}

/* The last part of a device's name. */
static UNICODE_STRING leaf_of(const UNICODE_STRING *name)
{
    size_t at = name->Length / sizeof(WCHAR);
    while (at > 0 && name->Buffer[at - 1] != '\\')
        at--;
    return (UNICODE_STRING){ .Buffer = name->Buffer + at, .Length = (USHORT)(name->Length - at * sizeof(WCHAR)) };
}

static void guid_text(const GUID *guid, WCHAR text[GUID_CHARACTERS])
{
    static const char    DIGITS[] = "0123456789abcdef";
    static const uint8_t ORDER[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    size_t               at = 0;
    text[at++] = '{';
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        unsigned byte = ((const unsigned char *)guid)[ORDER[i]];
        text[at++] = (unsigned char)DIGITS[byte >> 4];
        text[at++] = (unsigned char)DIGITS[byte & 15];
    }
    text[at] = '}';
}

static interface_t *make(PDEVICE_OBJECT device, const GUID *class_guid, PCUNICODE_STRING reference)
{
    static const WCHAR PREFIX[] = L"\\??\\NTMM#", HASH[] = L"#", BACKSLASH[] = L"\\";
    WCHAR              guid[GUID_CHARACTERS];
    UNICODE_STRING     leaf = leaf_of(&io_device_extension(device)->name->text);
    size_t             reference_bytes = reference != NULL ? reference->Length : 0;
    interface_t       *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    fresh->name.Buffer = malloc(sizeof PREFIX + leaf.Length + sizeof guid + reference_bytes + 4 * sizeof(WCHAR));
    if (fresh->name.Buffer == NULL) {
        free(fresh);
        return NULL;
    }
    fresh->class_guid = *class_guid;
    fresh->device = device;
    guid_text(class_guid, guid);
    append(&fresh->name, PREFIX, sizeof PREFIX - sizeof(WCHAR));
    append(&fresh->name, leaf.Buffer, leaf.Length);
    append(&fresh->name, HASH, sizeof(WCHAR));
    append(&fresh->name, guid, sizeof guid);
    fresh->link_bytes = fresh->name.Length;
    if (reference_bytes != 0) {
        append(&fresh->name, BACKSLASH, sizeof(WCHAR));
        append(&fresh->name, reference->Buffer, reference_bytes);
    }
    fresh->name.MaximumLength = fresh->name.Length;
    fresh->name.Buffer[fresh->name.Length / sizeof(WCHAR)] = 0;
    return fresh;
}

/* For RtlFreeUnicodeString, with a null. */
static NTSTATUS give_name(const UNICODE_STRING *name, PUNICODE_STRING out)
{
    return RtlCreateUnicodeString(out, name->Buffer) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- the list ---- */

/* The name must not be pageable. */
static interface_t *find_locked(PCUNICODE_STRING name)
{
    interface_t *one = interfaces;
    while (one != NULL && !io_name_is(name, one->name.Buffer, one->name.Length))
        one = one->next;
    return one;
}

static interface_t *find_or_add(interface_t *fresh)
{
    ke_lock(&interfaces_lock);
    interface_t *known = find_locked(&fresh->name);
    if (known == NULL) {
        fresh->next = interfaces;
        interfaces = fresh;
    }
    ke_unlock(&interfaces_lock);
    return known != NULL ? known : fresh;
}

/* NULL: there is none of that name, or the host has no memory. */
static interface_t *find(PCUNICODE_STRING name)
{
    UNICODE_STRING copy;
    if (!NT_SUCCESS(io_host_name(name, &copy)))
        return NULL;
    ke_lock(&interfaces_lock);
    interface_t *one = find_locked(&copy);
    ke_unlock(&interfaces_lock);
    io_host_name_free(&copy);
    return one;
}

bool io_interface_exists(PCUNICODE_STRING name) { return find(name) != NULL; }

NTSTATUS IoRegisterDeviceInterface(PDEVICE_OBJECT PhysicalDeviceObject, const GUID *InterfaceClassGuid, PUNICODE_STRING ReferenceString,
                                   PUNICODE_STRING SymbolicLinkName)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *SymbolicLinkName = (UNICODE_STRING){ 0 };
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, PhysicalDeviceObject);
    if (io_device_extension(PhysicalDeviceObject)->name == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    interface_t *fresh = make(PhysicalDeviceObject, InterfaceClassGuid, ReferenceString);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = give_name(&fresh->name, SymbolicLinkName);
    if (!NT_SUCCESS(status) || find_or_add(fresh) != fresh)
        free_interface(fresh);
    return status;
}

/* ---- enabled or not ---- */

static NTSTATUS add_link(interface_t *one)
{
    UNICODE_STRING text = { .Buffer = one->name.Buffer, .Length = one->link_bytes };
    NTSTATUS       status = io_device_name_add(&text, NULL, &io_device_extension(one->device)->name->text, &one->link);
    return status == STATUS_OBJECT_NAME_COLLISION ? STATUS_SUCCESS : status; /* of another reference string */
}

/* Another enabled interface that differs in its reference string keeps the link. */
static void drop_link(interface_t *one)
{
    io_device_name_t *link = one->link;
    one->link = NULL;
    ke_lock(&interfaces_lock);
    for (interface_t *other = interfaces; link != NULL && other != NULL; other = other->next)
        if (other != one && other->enabled && other->link == NULL && other->device == one->device &&
            IsEqualGUID(&other->class_guid, &one->class_guid)) {
            other->link = link;
            link = NULL;
        }
    ke_unlock(&interfaces_lock);
    if (link != NULL)
        io_device_name_remove(link);
}

/* False: it was so already. */
static bool change(interface_t *one, bool enable)
{
    ke_lock(&interfaces_lock);
    bool changes = one->enabled != enable;
    one->enabled = enable;
    ke_unlock(&interfaces_lock);
    return changes;
}

static NTSTATUS set_state(interface_t *one, bool enable)
{
    if (!change(one, enable))
        return enable ? STATUS_OBJECT_NAME_EXISTS : STATUS_OBJECT_NAME_NOT_FOUND;
    NTSTATUS status = STATUS_SUCCESS;
    if (enable)
        status = add_link(one);
    else
        drop_link(one);
    if (!NT_SUCCESS(status))
        (void)change(one, false);
    else
        io_notify_interface(enable ? &GUID_DEVICE_INTERFACE_ARRIVAL : &GUID_DEVICE_INTERFACE_REMOVAL, &one->class_guid, &one->name);
    return status;
}

NTSTATUS IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (SymbolicLinkName == NULL || SymbolicLinkName->Length == 0)
        return STATUS_INVALID_PARAMETER;
    interface_t *one = find(SymbolicLinkName);
    return one != NULL ? set_state(one, Enable) : STATUS_OBJECT_NAME_NOT_FOUND;
}

void io_interfaces_forget(PDEVICE_OBJECT device)
{
    for (;;) {
        ke_lock(&interfaces_lock);
        interface_t **link = &interfaces;
        while (*link != NULL && (*link)->device != device)
            link = &(*link)->next;
        interface_t *one = *link;
        ke_unlock(&interfaces_lock);
        if (one == NULL)
            return;
        if (one->enabled)
            (void)set_state(one, false);
        ke_lock(&interfaces_lock);
        for (link = &interfaces; *link != one;)
            link = &(*link)->next;
        *link = one->next;
        ke_unlock(&interfaces_lock);
        free_interface(one);
    }
}

/* ---- which there are ---- */

typedef struct wanted {
    const GUID    *class_guid;
    PDEVICE_OBJECT device; /* NULL: any */
    bool           inactive;
} wanted_t;

static bool fits(const interface_t *one, const wanted_t *wanted)
{
    return IsEqualGUID(&one->class_guid, wanted->class_guid) && (wanted->device == NULL || one->device == wanted->device) &&
           (one->enabled || wanted->inactive);
}

/* Names with a null behind each, oldest first, and one more null; NULL: the host has no memory. */
static WCHAR *list_names(const wanted_t *wanted, size_t *bytes)
{
    *bytes = sizeof(WCHAR);
    ke_lock(&interfaces_lock);
    for (const interface_t *one = interfaces; one != NULL; one = one->next)
        *bytes += fits(one, wanted) ? one->name.Length + sizeof(WCHAR) : 0;
    WCHAR *list = calloc(1, *bytes);
    size_t end = *bytes - sizeof(WCHAR);
    for (const interface_t *one = interfaces; one != NULL && list != NULL; one = one->next)
        if (fits(one, wanted)) {
            end -= one->name.Length + sizeof(WCHAR);
            memcpy((char *)list + end, one->name.Buffer, one->name.Length);
        }
    ke_unlock(&interfaces_lock);
    return list;
}

NTSTATUS IoGetDeviceInterfaces(const GUID *InterfaceClassGuid, PDEVICE_OBJECT PhysicalDeviceObject, ULONG Flags, PZZWSTR *SymbolicLinkList)
{
    const wanted_t wanted = { InterfaceClassGuid, PhysicalDeviceObject, (Flags & DEVICE_INTERFACE_INCLUDE_NONACTIVE) != 0 };
    size_t         bytes;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *SymbolicLinkList = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    WCHAR *list = list_names(&wanted, &bytes);
    PWSTR  copy = list != NULL ? ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG_INTERFACE) : NULL;
    if (copy != NULL)
        memcpy(copy, list, bytes);
    free(list);
    *SymbolicLinkList = copy;
    return copy != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void io_interfaces_visit(const GUID *class_guid, void (*visit)(void *context, PUNICODE_STRING name), void *context)
{
    const wanted_t wanted = { .class_guid = class_guid };
    size_t         bytes;
    WCHAR         *list = list_names(&wanted, &bytes);
    for (WCHAR *at = list; at != NULL && *at != 0;) {
        UNICODE_STRING name;
        RtlInitUnicodeString(&name, at);
        at += name.MaximumLength / sizeof(WCHAR);
        visit(context, &name);
    }
    free(list);
}

/* ---- properties (device_property_data.c) ---- */

NTSTATUS IoSetDeviceInterfacePropertyData(PUNICODE_STRING SymbolicLinkName, const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags,
                                          DEVPROPTYPE Type, ULONG Size, PVOID Data)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    const io_property_name_t name = { find(SymbolicLinkName), PropertyKey, Lcid };
    return name.owner != NULL ? io_property_set(&name, Flags, Type, Size, Data) : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS IoGetDeviceInterfacePropertyData(PUNICODE_STRING SymbolicLinkName, const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags,
                                          ULONG Size, PVOID Data, PULONG RequiredSize, PDEVPROPTYPE Type)
{
    (void)Flags; /* reserved */
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    const io_property_name_t name = { find(SymbolicLinkName), PropertyKey, Lcid };
    return name.owner != NULL ? io_property_get(&name, Size, Data, RequiredSize, Type) : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---- the same device by another class ---- */

static bool same_reference(const interface_t *one, const interface_t *other)
{
    UNICODE_STRING mine = { .Buffer = one->name.Buffer + one->link_bytes / sizeof(WCHAR),
                            .Length = (USHORT)(one->name.Length - one->link_bytes) };
    return io_name_is(&mine, other->name.Buffer + other->link_bytes / sizeof(WCHAR), (USHORT)(other->name.Length - other->link_bytes));
}

NTSTATUS IoGetDeviceInterfaceAlias(PUNICODE_STRING SymbolicLinkName, const GUID *AliasInterfaceClassGuid,
                                   PUNICODE_STRING AliasSymbolicLinkName)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *AliasSymbolicLinkName = (UNICODE_STRING){ 0 };
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    const interface_t *one = find(SymbolicLinkName);
    if (one == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    ke_lock(&interfaces_lock);
    interface_t *alias = interfaces;
    while (alias != NULL &&
           (alias->device != one->device || !IsEqualGUID(&alias->class_guid, AliasInterfaceClassGuid) || !same_reference(alias, one)))
        alias = alias->next;
    ke_unlock(&interfaces_lock);
    return alias != NULL ? give_name(&alias->name, AliasSymbolicLinkName) : STATUS_OBJECT_NAME_NOT_FOUND;
}
