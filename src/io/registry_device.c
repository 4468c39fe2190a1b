/*
 * registry_device.c - keys that belong to a device, a driver, an interface; and the test's side of the registry.
 *
 *     device       Enum\NTMM\<last part of the physical device's name>\Device Parameters      below \Registry\Machine\System\CurrentControlSet
 *     its driver   Control\Class\NTMM\<the same>
 *     interface    Control\DeviceClasses\<name with # for \>\Device Parameters
 *     service      Services\<name>\Parameters
 *
 * Locks       the registry's lock, inside.
 * Source      WDK reference: wdm.h, IoOpenDeviceRegistryKey, IoOpenDeviceInterfaceRegistryKey, IoOpenDriverRegistryKey. The test's side: none
 *             (choice).
 * Fidelity    where the keys are is a choice, which drivers should not know on Windows either. They are made when they are first opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "io/bus.h"
#include "io/driver.h"
#include "io/pnp.h"
#include "io/registry.h"
#include "ke/bugcheck.h"

#define PATH_MAX_CHARACTERS 512

/* ---- paths, piece by piece ---- */

typedef struct path {
    WCHAR          text[PATH_MAX_CHARACTERS];
    UNICODE_STRING string;
    bool           too_long;
} path_t;

static void append_character(path_t *path, WCHAR character)
{
    size_t at = path->string.Length / sizeof(WCHAR);
    path->too_long = at == PATH_MAX_CHARACTERS;
    if (path->too_long)
        return;
    path->text[at] = character;
    path->string.Buffer = path->text;
    path->string.Length = (USHORT)((at + 1) * sizeof(WCHAR));
}

static void append_text(path_t *path, const char *text)
{
    while (*text != '\0')
        append_character(path, (unsigned char)*text++);
}

static void append_string(path_t *path, PCUNICODE_STRING string, bool flat)
{
    for (size_t i = 0; i < string->Length / sizeof(WCHAR); i++)
        append_character(path, flat && string->Buffer[i] == '\\' ? '#' : string->Buffer[i]);
}

static NTSTATUS open_path(const path_t *path, io_key_create_t create, ACCESS_MASK access, HANDLE *handle)
{
    bool created;
    if (path->too_long)
        return STATUS_OBJECT_NAME_INVALID;
    return io_key_open_handle(NULL, &path->string, create, false, access, OBJ_KERNEL_HANDLE, handle, &created);
}

/* The last part of the device's name. */
static UNICODE_STRING leaf_of(PDEVICE_OBJECT device)
{
    static const UNICODE_STRING no_name = { 0 };
    const io_device_name_t     *name = io_device_extension(device)->name;
    if (name == NULL)
        return no_name;
    size_t at = name->text.Length / sizeof(WCHAR);
    while (at > 0 && name->text.Buffer[at - 1] != '\\')
        at--;
    return (UNICODE_STRING){ .Buffer = name->text.Buffer + at, .Length = (USHORT)(name->text.Length - at * sizeof(WCHAR)) };
}

NTSTATUS IoOpenDeviceRegistryKey(PDEVICE_OBJECT DeviceObject, ULONG DevInstKeyType, ACCESS_MASK DesiredAccess, PHANDLE DeviceRegKey)
{
    path_t path = { .string = { 0 } };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *DeviceRegKey = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    io_require_pdo(__func__, DeviceObject);
    UNICODE_STRING leaf = leaf_of(DeviceObject);
    bool           of_driver = (DevInstKeyType & PLUGPLAY_REGKEY_DRIVER) != 0;
    if (of_driver == ((DevInstKeyType & PLUGPLAY_REGKEY_DEVICE) != 0))
        return STATUS_INVALID_PARAMETER;
    if (leaf.Length == 0)
        return STATUS_INVALID_DEVICE_REQUEST;
    append_text(&path, of_driver ? IO_CONTROL_SET "Control\\Class\\NTMM\\" : IO_CONTROL_SET "Enum\\NTMM\\");
    append_string(&path, &leaf, false);
    append_text(&path, of_driver ? "" : "\\Device Parameters");
    return open_path(&path, IO_KEY_CREATE_ALL, DesiredAccess, DeviceRegKey);
}

NTSTATUS IoOpenDeviceInterfaceRegistryKey(PUNICODE_STRING SymbolicLinkName, ACCESS_MASK DesiredAccess, PHANDLE DeviceInterfaceRegKey)
{
    path_t path = { .string = { 0 } };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *DeviceInterfaceRegKey = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!io_interface_exists(SymbolicLinkName))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    append_text(&path, IO_CONTROL_SET "Control\\DeviceClasses\\");
    append_string(&path, SymbolicLinkName, true);
    append_text(&path, "\\Device Parameters");
    return open_path(&path, IO_KEY_CREATE_ALL, DesiredAccess, DeviceInterfaceRegKey);
}

NTSTATUS IoOpenDriverRegistryKey(PDRIVER_OBJECT DriverObject, DRIVER_REGKEY_TYPE RegKeyType, ACCESS_MASK DesiredAccess, ULONG Flags,
                                 PHANDLE DriverRegKey)
{
    path_t path = { .string = { 0 } };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *DriverRegKey = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PCUNICODE_STRING service = io_driver_registry_path(DriverObject);
    if (Flags != 0 || service == NULL)
        return STATUS_INVALID_PARAMETER;
    if (RegKeyType != DriverRegKeyParameters && RegKeyType != DriverRegKeyPersistentState)
        return RegKeyType == DriverRegKeySharedPersistentState ? STATUS_NOT_SUPPORTED : STATUS_INVALID_PARAMETER;
    append_string(&path, service, false);
    append_text(&path, RegKeyType == DriverRegKeyParameters ? "\\Parameters" : "\\State");
    return open_path(&path, IO_KEY_CREATE_ALL, DesiredAccess, DriverRegKey);
}

/* ---- the test's side ---- */

/* Below the root. False: it is no path, or is too long. */
static bool test_path(path_t *path, const char *key)
{
    static const char PREFIX[] = "\\Registry\\", BELOW[] = "Machine\\System\\CurrentControlSet\\";
    bool              absolute = strncmp(key, PREFIX, sizeof PREFIX - 1) == 0;
    *path = (path_t){ .string = { 0 } };
    append_text(path, absolute ? "" : BELOW);
    append_text(path, absolute ? key + sizeof PREFIX - 1 : key);
    return (absolute || key[0] != '\\') && !path->too_long;
}

static int errno_of(NTSTATUS status)
{
    switch (status) {
    case STATUS_SUCCESS: return 0;
    case STATUS_OBJECT_NAME_NOT_FOUND: return -ENOENT;
    case STATUS_INSUFFICIENT_RESOURCES: return -ENOMEM;
    default: return -EINVAL;
    }
}

int ntmm_registry_set(const char *key, const char *value, uint32_t type, const void *data, size_t bytes)
{
    path_t    path, name = { .string = { 0 } };
    io_key_t *found;
    bool      created;
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (!test_path(&path, key) || bytes > MAXULONG / 2)
        return ke_error(-EINVAL, "%s: `%s` is no path of a key: \\Registry\\..., or relative to CurrentControlSet", __func__, key);
    append_text(&name, value);
    io_registry_lock();
    NTSTATUS status = io_key_find_locked(NULL, path.string, IO_KEY_CREATE_ALL, false, &found, &created);
    io_registry_unlock();
    if (NT_SUCCESS(status))
        status = io_value_write(found, &name.string, type, data, (ULONG)bytes);
    return errno_of(status);
}

int ntmm_registry_set_number(const char *key, const char *value, uint32_t number)
{
    return ntmm_registry_set(key, value, REG_DWORD, &number, sizeof number);
}

int ntmm_registry_set_text(const char *key, const char *value, const char *text)
{
    size_t count = strlen(text) + 1;
    WCHAR *wide = malloc(count * sizeof *wide);
    if (wide == NULL)
        return ke_error(-ENOMEM, "%s: the host has no memory", __func__);
    for (size_t i = 0; i < count; i++)
        wide[i] = (unsigned char)text[i];
    int result = ntmm_registry_set(key, value, REG_SZ, wide, count * sizeof *wide);
    free(wide);
    return result;
}

int64_t ntmm_registry_get(const char *key, const char *value, uint32_t *type, void *data, size_t bytes)
{
    path_t    path, name = { .string = { 0 } };
    io_key_t *found;
    bool      created;
    int64_t   result = -ENOENT;
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (!test_path(&path, key))
        return ke_error(-EINVAL, "%s: `%s` is no path of a key", __func__, key);
    append_text(&name, value);
    io_registry_lock();
    NTSTATUS          status = io_key_find_locked(NULL, path.string, IO_KEY_OPEN, false, &found, &created);
    const io_value_t *known = NT_SUCCESS(status) ? io_value_find_locked(found, &name.string) : NULL;
    if (known != NULL) {
        result = known->bytes;
        if (type != NULL)
            *type = known->type;
        if (bytes != 0)
            memcpy(data, known->data, known->bytes < bytes ? known->bytes : bytes); /* the test's memory is not pageable */
    }
    io_registry_unlock();
    return result;
}

int ntmm_registry_delete(const char *key)
{
    path_t    path;
    io_key_t *found;
    bool      created;
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (!test_path(&path, key))
        return ke_error(-EINVAL, "%s: `%s` is no path of a key", __func__, key);
    io_registry_lock();
    NTSTATUS status = io_key_find_locked(NULL, path.string, IO_KEY_OPEN, false, &found, &created);
    if (NT_SUCCESS(status))
        status = io_key_delete_locked(found, true);
    io_registry_unlock();
    return errno_of(status);
}
