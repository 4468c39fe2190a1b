/*
 * device_name.c - names of devices, and symbolic links: one list of this boot's, in which a name is once.
 *
 *     \??\Adder\stream   the link \??\Adder, and \stream is left
 *      `-> \Device\Adder the device; its driver gets \stream as FileObject->FileName
 *
 * Locks       names_lock (leaf).
 * Source      WDK reference: wdm.h, IoCreateSymbolicLink, IoDeleteSymbolicLink; "Introduction to MS-DOS device names".
 * Fidelity    no directories: a name begins with a backslash. \DosDevices\, \??\ and \GLOBAL??\ are the same place. Folded as ASCII. A link
 *             leads to a device or to another link, and not to what lies behind one.
 */
#include "io/device_name.h"

#include <string.h>

#include "ex/object.h"
#include "io/object_name.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_NAME NTMM_TAG("IoNm") /* a device's name, or a link */
#define LINKS_MAX 32

static ke_lock_t  names_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY names;     /* names_lock */
static uint32_t   boot;      /* names_lock: the machine whose names they are */
static uint32_t   automatic; /* names_lock: names that were made up */

/* ---- names as text ---- */

static UNICODE_STRING behind(PCUNICODE_STRING name, size_t characters)
{
    UNICODE_STRING rest = { .Buffer = name->Buffer + characters };
    rest.Length = rest.MaximumLength = (USHORT)(name->Length - characters * sizeof(WCHAR));
    return rest;
}

/* Where a program's names for devices are. */
static UNICODE_STRING without_prefix(PCUNICODE_STRING name)
{
    static const char *const PREFIXES[] = { "\\DosDevices\\Global\\", "\\DosDevices\\", "\\??\\Global\\", "\\??\\", "\\GLOBAL??\\" };
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(PREFIXES); i++)
        if (io_name_begins_with(name, PREFIXES[i]))
            return behind(name, strlen(PREFIXES[i]));
    return *name;
}

/* `whole` is that name, or begins with it and goes on with a backslash. */
static bool leads_into(PCUNICODE_STRING whole, const io_device_name_t *known)
{
    UNICODE_STRING front = { .Length = known->text.Length, .Buffer = whole->Buffer };
    return whole->Length >= known->text.Length && io_name_is(&front, known->text.Buffer, known->text.Length) &&
           (whole->Length == known->text.Length || whole->Buffer[known->text.Length / sizeof(WCHAR)] == '\\');
}

/* ---- the list ---- */

static void look_at_boot_locked(void)
{
    if (boot == ke_machine_generation)
        return;
    InitializeListHead(&names); /* the names of another machine went with its pool */
    boot = ke_machine_generation;
    automatic = 0;
}

static io_device_name_t *find_locked(PCUNICODE_STRING name)
{
    look_at_boot_locked();
    for (PLIST_ENTRY at = names.Flink; at != &names; at = at->Flink) {
        io_device_name_t *known = CONTAINING_RECORD(at, io_device_name_t, link);
        if (io_name_is(name, known->text.Buffer, known->text.Length))
            return known;
    }
    return NULL;
}

/* The longest one that the name leads into. */
static io_device_name_t *find_front_locked(PCUNICODE_STRING name)
{
    io_device_name_t *best = NULL;
    look_at_boot_locked();
    for (PLIST_ENTRY at = names.Flink; at != &names; at = at->Flink) {
        io_device_name_t *known = CONTAINING_RECORD(at, io_device_name_t, link);
        if (leads_into(name, known) && (best == NULL || known->text.Length > best->text.Length))
            best = known;
    }
    return best;
}

void io_device_automatic_name(WCHAR *text, UNICODE_STRING *name)
{
    static const char PREFIX[] = "\\Device\\", DIGITS[] = "0123456789abcdef";
    ke_lock(&names_lock);
    look_at_boot_locked();
    uint32_t number = ++automatic;
    ke_unlock(&names_lock);
    for (size_t i = 0; i < sizeof PREFIX - 1; i++)
        text[i] = (unsigned char)PREFIX[i];
    for (size_t i = 0; i < 8; i++)
        text[sizeof PREFIX - 1 + i] = (unsigned char)DIGITS[number >> (28 - 4 * i) & 15];
    text[IO_AUTOMATIC_NAME - 1] = 0;
    name->Buffer = text;
    name->Length = (IO_AUTOMATIC_NAME - 1) * sizeof(WCHAR);
    name->MaximumLength = IO_AUTOMATIC_NAME * sizeof(WCHAR);
}

/* ---- adding and removing ---- */

static UNICODE_STRING copy_behind(void *room, PCUNICODE_STRING text)
{
    if (text->Length != 0)
        memcpy(room, text->Buffer, text->Length);
    return (UNICODE_STRING){ .Length = text->Length, .MaximumLength = text->Length, .Buffer = room };
}

static io_device_name_t *make(PCUNICODE_STRING text, PDEVICE_OBJECT device, PCUNICODE_STRING target)
{
    size_t            target_bytes = target != NULL ? target->Length : 0;
    io_device_name_t *fresh = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *fresh + text->Length + target_bytes, TAG_NAME);
    if (fresh == NULL)
        return NULL;
    memset(fresh, 0, sizeof *fresh);
    fresh->device = device;
    fresh->text = copy_behind(fresh + 1, text);
    if (target != NULL)
        fresh->target = copy_behind((char *)(fresh + 1) + text->Length, target);
    return fresh;
}

NTSTATUS io_device_name_add(PCUNICODE_STRING name, PDEVICE_OBJECT device, PCUNICODE_STRING target, io_device_name_t **added)
{
    if (name->Length < 2 * sizeof(WCHAR) || name->Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    UNICODE_STRING    rest = without_prefix(name);
    io_device_name_t *fresh = make(&rest, device, target);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    ke_lock(&names_lock);
    bool taken = find_locked(&fresh->text) != NULL;
    if (!taken)
        InsertTailList(&names, &fresh->link);
    ke_unlock(&names_lock);
    if (taken)
        ExFreePoolWithTag(fresh, TAG_NAME);
    else if (added != NULL)
        *added = fresh;
    return taken ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
}

void io_device_name_put(io_device_name_t *name)
{
    ke_lock(&names_lock);
    look_at_boot_locked();
    InsertTailList(&names, &name->link);
    ke_unlock(&names_lock);
}

void io_device_name_take(io_device_name_t *name)
{
    ke_lock(&names_lock);
    RemoveEntryList(&name->link);
    ke_unlock(&names_lock);
}

void io_device_name_remove(io_device_name_t *name)
{
    io_device_name_take(name);
    ExFreePoolWithTag(name, TAG_NAME);
}

bool io_device_link_remove(PCUNICODE_STRING name)
{
    UNICODE_STRING rest = without_prefix(name);
    ke_lock(&names_lock);
    io_device_name_t *known = find_locked(&rest);
    bool              is_link = known != NULL && known->device == NULL;
    if (is_link)
        RemoveEntryList(&known->link);
    ke_unlock(&names_lock);
    if (is_link)
        ExFreePoolWithTag(known, TAG_NAME);
    return is_link;
}

/* ---- where a name leads ---- */

/* NULL: to no device. One link may have something left behind it. */
static PDEVICE_OBJECT follow_locked(UNICODE_STRING name, UNICODE_STRING *rest)
{
    *rest = (UNICODE_STRING){ 0 };
    for (int links = 0; links < LINKS_MAX; links++) {
        const io_device_name_t *known = find_front_locked(&name);
        if (known == NULL || (known->text.Length != name.Length && rest->Length != 0))
            return NULL;
        if (known->text.Length != name.Length)
            *rest = behind(&name, known->text.Length / sizeof(WCHAR));
        if (known->device != NULL)
            return known->device;
        name = without_prefix(&known->target);
    }
    return NULL;
}

NTSTATUS io_device_by_name(PCUNICODE_STRING name, PDEVICE_OBJECT *device, UNICODE_STRING *rest)
{
    *device = NULL;
    if (name->Length < 2 * sizeof(WCHAR) || name->Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    ke_lock(&names_lock);
    PDEVICE_OBJECT found = follow_locked(without_prefix(name), rest);
    if (found != NULL && ex_object_try_reference(found) > 0)
        *device = found;
    ke_unlock(&names_lock);
    return *device != NULL ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---- what drivers call ---- */

NTSTATUS IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return io_device_name_add(SymbolicLinkName, NULL, DeviceName, NULL);
}

NTSTATUS IoCreateUnprotectedSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return io_device_name_add(SymbolicLinkName, NULL, DeviceName, NULL);
}

NTSTATUS IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return io_device_link_remove(SymbolicLinkName) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}
