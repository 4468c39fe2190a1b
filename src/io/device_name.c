/*
 * device_name.c - names of devices, and symbolic links: one list of this boot's, in which a name is once.
 * Nothing is opened by name here, so a link leads nowhere: what is kept is whether it is there.
 *
 * Locks       names_lock (leaf).
 * Source      WDK reference: wdm.h, IoCreateSymbolicLink, IoDeleteSymbolicLink.
 * Fidelity    no directories: a name begins with a backslash. \DosDevices\ and \??\ are the same place. Folded as ASCII.
 */
#include "io/device_name.h"

#include <string.h>

#include "io/object_name.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_NAME NTMM_TAG("IoNm") /* a device's name, or a link */

struct io_device_name {
    LIST_ENTRY link;
    USHORT     bytes;
    WCHAR      text[];
};

static ke_lock_t  names_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY names; /* names_lock */
static uint32_t   boot;  /* names_lock: the machine whose names they are */

/* Where a program's names for devices are. */
static UNICODE_STRING without_prefix(PCUNICODE_STRING name)
{
    static const char *const PREFIXES[] = { "\\DosDevices\\", "\\??\\" };
    UNICODE_STRING           rest = *name;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(PREFIXES); i++)
        if (io_name_begins_with(name, PREFIXES[i])) {
            rest.Buffer += strlen(PREFIXES[i]);
            rest.Length = (USHORT)(rest.Length - strlen(PREFIXES[i]) * sizeof(WCHAR));
            break;
        }
    return rest;
}

static io_device_name_t *find_locked(PCUNICODE_STRING name)
{
    if (boot != ke_machine_generation) {
        InitializeListHead(&names); /* the names of another machine went with its pool */
        boot = ke_machine_generation;
    }
    for (PLIST_ENTRY at = names.Flink; at != &names; at = at->Flink) {
        io_device_name_t *known = CONTAINING_RECORD(at, io_device_name_t, link);
        if (io_name_is(name, known->text, known->bytes))
            return known;
    }
    return NULL;
}

NTSTATUS io_device_name_add(PCUNICODE_STRING name, io_device_name_t **added)
{
    if (name->Length < 2 * sizeof(WCHAR) || name->Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    UNICODE_STRING    rest = without_prefix(name);
    io_device_name_t *fresh = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *fresh + rest.Length, TAG_NAME);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->bytes = rest.Length;
    memcpy(fresh->text, rest.Buffer, rest.Length);
    ke_lock(&names_lock);
    bool taken = find_locked(&rest) != NULL;
    if (!taken)
        InsertTailList(&names, &fresh->link);
    ke_unlock(&names_lock);
    if (taken)
        ExFreePoolWithTag(fresh, TAG_NAME);
    else if (added != NULL)
        *added = fresh;
    return taken ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
}

void io_device_name_remove(io_device_name_t *name)
{
    ke_lock(&names_lock);
    RemoveEntryList(&name->link);
    ke_unlock(&names_lock);
    ExFreePoolWithTag(name, TAG_NAME);
}

NTSTATUS IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
    (void)DeviceName;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return io_device_name_add(SymbolicLinkName, NULL);
}

NTSTATUS IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    UNICODE_STRING rest = without_prefix(SymbolicLinkName);
    ke_lock(&names_lock);
    io_device_name_t *known = find_locked(&rest);
    if (known != NULL)
        RemoveEntryList(&known->link);
    ke_unlock(&names_lock);
    if (known == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    ExFreePoolWithTag(known, TAG_NAME);
    return STATUS_SUCCESS;
}
