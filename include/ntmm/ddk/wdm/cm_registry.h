/*
 * cm_registry.h - the registry: keys by handle, values by path. A test fills it and looks at it with ntmm_registry_set and its like (ntmm.h).
 *
 *     \Registry\Machine\System\CurrentControlSet\Services\<driver>    what DriverEntry gets as RegistryPath
 *
 * All routines here are for PASSIVE_LEVEL: called above it they stop the machine with IRQL_NOT_LESS_OR_EQUAL (0xA).
 *
 * Source  WDK reference: wdm.h, the pages of these routines; "Using the registry in a driver".
 */
#ifndef NTMM_DDK_WDM_CM_REGISTRY_H
#define NTMM_DDK_WDM_CM_REGISTRY_H

#include "io_constants.h"
#include "ob_object.h"
#include "pnp_types.h"
#include "registry_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef RTL_REGISTRY_OPTIONAL
#define RTL_REGISTRY_OPTIONAL 0x80000000u
#endif
#ifndef RTL_QUERY_REGISTRY_TYPECHECK
#define RTL_QUERY_REGISTRY_TYPECHECK 0x00000100u
#define RTL_QUERY_REGISTRY_TYPECHECK_SHIFT 24
#define RTL_QUERY_REGISTRY_TYPECHECK_MASK (0xFFu << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT)
#endif

/** What a handle of a key is a handle of. */
extern NTKERNELAPI POBJECT_TYPE *CmKeyObjectType;

/* ---- keys ---- */

/**
 * Open a key, or make it; the key above it must be there.
 *
 * @param KeyHandle         for ZwClose; NULL when it fails
 * @param ObjectAttributes  a full path, \Registry\..., or one relative to RootDirectory, without a backslash in front
 * @param TitleIndex,Class  not looked at
 * @param CreateOptions     REG_OPTION_VOLATILE: below such a key there are no others. REG_OPTION_CREATE_LINK: STATUS_NOT_SUPPORTED
 * @param Disposition       NULL, or receives REG_CREATED_NEW_KEY or REG_OPENED_EXISTING_KEY
 * @return STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_KEY_DELETED,
 *         STATUS_CHILD_MUST_BE_VOLATILE, STATUS_INSUFFICIENT_RESOURCES
 * @models rights are not looked at: the caller is in kernel mode
 * @source WDK reference: wdm.h, ZwCreateKey
 */
NTSYSAPI NTSTATUS ZwCreateKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, ULONG TitleIndex,
                              PUNICODE_STRING Class, ULONG CreateOptions, PULONG Disposition);
/** One that is there. @return as ZwCreateKey @source WDK reference: wdm.h, ZwOpenKey */
NTSYSAPI NTSTATUS ZwOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
/** @param OpenOptions REG_OPTION_OPEN_LINK, REG_OPTION_BACKUP_RESTORE: not looked at; others: STATUS_INVALID_PARAMETER
 *  @source WDK reference: wdm.h, ZwOpenKeyEx */
NTSYSAPI NTSTATUS ZwOpenKeyEx(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, ULONG OpenOptions);
/**
 * What is known of a key, or of the key below it with that number; those are in the order of their names.
 *
 * @param KeyInformationClass  KeyBasicInformation, KeyNodeInformation, KeyFullInformation, KeyNameInformation; else STATUS_INVALID_PARAMETER
 * @param ResultLength         receives the bytes that the answer takes
 * @return STATUS_BUFFER_TOO_SMALL: there is no room for the fixed part, and nothing was written; STATUS_BUFFER_OVERFLOW: for some of the rest;
 *         STATUS_NO_MORE_ENTRIES, STATUS_KEY_DELETED, STATUS_INVALID_HANDLE
 * @source WDK reference: wdm.h, ZwQueryKey, ZwEnumerateKey
 */
NTSYSAPI NTSTATUS ZwQueryKey(HANDLE KeyHandle, KEY_INFORMATION_CLASS KeyInformationClass, PVOID KeyInformation, ULONG Length,
                             PULONG ResultLength);
NTSYSAPI NTSTATUS ZwEnumerateKey(HANDLE KeyHandle, ULONG Index, KEY_INFORMATION_CLASS KeyInformationClass, PVOID KeyInformation,
                                 ULONG Length, PULONG ResultLength);
/** It is gone for all who have it open: STATUS_KEY_DELETED. @return STATUS_CANNOT_DELETE: there are keys below it
 *  @source WDK reference: wdm.h, ZwDeleteKey */
NTSYSAPI NTSTATUS ZwDeleteKey(HANDLE KeyHandle);
/** @models nothing is on a disk: only the handle is looked at @source WDK reference: wdm.h, ZwFlushKey */
NTSYSAPI NTSTATUS ZwFlushKey(HANDLE KeyHandle);

/* ---- values ---- */

/**
 * A value of a key by its name, or by its number in the order of writing.
 *
 * @param ValueName  an empty one is the key's unnamed value
 * @return as ZwQueryKey; STATUS_OBJECT_NAME_NOT_FOUND
 * @source WDK reference: wdm.h, ZwQueryValueKey, ZwEnumerateValueKey
 */
NTSYSAPI NTSTATUS ZwQueryValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass,
                                  PVOID KeyValueInformation, ULONG Length, PULONG ResultLength);
NTSYSAPI NTSTATUS ZwEnumerateValueKey(HANDLE KeyHandle, ULONG Index, KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass,
                                      PVOID KeyValueInformation, ULONG Length, PULONG ResultLength);
/** @param TitleIndex not looked at @return STATUS_INSUFFICIENT_RESOURCES, STATUS_KEY_DELETED, STATUS_INVALID_HANDLE
 *  @source WDK reference: wdm.h, ZwSetValueKey */
NTSYSAPI NTSTATUS ZwSetValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data, ULONG DataSize);
/** @return STATUS_OBJECT_NAME_NOT_FOUND, STATUS_KEY_DELETED @source WDK reference: wdm.h, ZwDeleteValueKey */
NTSYSAPI NTSTATUS ZwDeleteValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName);

/* ---- by path ---- */

/**
 * Read values as a table says; a row without QueryRoutine, RTL_QUERY_REGISTRY_SUBKEY and RTL_QUERY_REGISTRY_DIRECT ends it.
 *
 * @param RelativeTo   RTL_REGISTRY_*; with RTL_REGISTRY_OPTIONAL a key that is not there is no failure
 * @param Path         of the key; with RTL_REGISTRY_HANDLE its handle
 * @param Environment  not looked at: REG_EXPAND_SZ is handed on as it is
 * @return what the first routine returned that failed; STATUS_OBJECT_NAME_NOT_FOUND, STATUS_BUFFER_TOO_SMALL (DIRECT),
 *         STATUS_OBJECT_TYPE_MISMATCH (TYPECHECK), STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES
 * @bugcheck  KERNEL_SECURITY_CHECK_FAILURE (0x139), p1 12: DIRECT without TYPECHECK, below \Registry\User, where users may write
 * @source    WDK reference: wdm.h, RtlQueryRegistryValues
 */
NTSYSAPI NTSTATUS RtlQueryRegistryValues(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE QueryTable, PVOID Context,
                                         PVOID Environment);
/** Keys on the way that are not there are made. @return STATUS_INSUFFICIENT_RESOURCES ... @source WDK reference: wdm.h */
NTSYSAPI NTSTATUS RtlWriteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName, ULONG ValueType, PVOID ValueData,
                                        ULONG ValueLength);
/** @return STATUS_OBJECT_NAME_NOT_FOUND @source WDK reference: wdm.h, RtlDeleteRegistryValue */
NTSYSAPI NTSTATUS RtlDeleteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName);
/** With all keys on the way. @source WDK reference: wdm.h, RtlCreateRegistryKey */
NTSYSAPI NTSTATUS RtlCreateRegistryKey(ULONG RelativeTo, PWSTR Path);
/** Is there one? @return STATUS_OBJECT_NAME_NOT_FOUND @source WDK reference: wdm.h, RtlCheckRegistryKey */
NTSYSAPI NTSTATUS RtlCheckRegistryKey(ULONG RelativeTo, PWSTR Path);

/* ---- of devices and drivers ---- */

/**
 * The key of a device (PLUGPLAY_REGKEY_DEVICE) or of its driver (PLUGPLAY_REGKEY_DRIVER), made if need be.
 *
 * @return STATUS_INVALID_PARAMETER, STATUS_INVALID_DEVICE_REQUEST: the device has no name; STATUS_INSUFFICIENT_RESOURCES
 * @bugcheck  PNP_DETECTED_FATAL_ERROR (0xCA): p1 2, it is no physical device object (p2)
 * @models    where the keys are: docs/fidelity.md. PLUGPLAY_REGKEY_CURRENT_HWPROFILE is not looked at: there is one profile
 * @source    WDK reference: wdm.h, IoOpenDeviceRegistryKey
 */
NTKERNELAPI NTSTATUS IoOpenDeviceRegistryKey(PDEVICE_OBJECT DeviceObject, ULONG DevInstKeyType, ACCESS_MASK DesiredAccess,
                                             PHANDLE DeviceRegKey);
/** Of an interface of IoRegisterDeviceInterface. @return STATUS_OBJECT_NAME_NOT_FOUND
 *  @source WDK reference: wdm.h, IoOpenDeviceInterfaceRegistryKey */
NTKERNELAPI NTSTATUS IoOpenDeviceInterfaceRegistryKey(PUNICODE_STRING SymbolicLinkName, ACCESS_MASK DesiredAccess,
                                                      PHANDLE DeviceInterfaceRegKey);
/** DriverRegKeyParameters: Parameters below the service's key. DriverRegKeyPersistentState: State. Shared state: STATUS_NOT_SUPPORTED.
 *  @return STATUS_INVALID_PARAMETER: Flags is not 0, or the driver was not loaded by ntmm_driver_load
 *  @source WDK reference: wdm.h, IoOpenDriverRegistryKey */
NTKERNELAPI NTSTATUS IoOpenDriverRegistryKey(PDRIVER_OBJECT DriverObject, DRIVER_REGKEY_TYPE RegKeyType, ACCESS_MASK DesiredAccess,
                                             ULONG Flags, PHANDLE DriverRegKey);

#ifdef __cplusplus
}
#endif
#endif
