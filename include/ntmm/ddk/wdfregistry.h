/*
 * wdfregistry.h - keys of the registry as objects: closed with the object, values in and out of buffers, memory objects and strings.
 *
 * A value that is missing is STATUS_OBJECT_NAME_NOT_FOUND, one of another type STATUS_OBJECT_TYPE_MISMATCH. Text ends with a null in the registry
 * and not in a string's Length.
 * @irql everywhere PASSIVE_LEVEL
 * @bugcheck WDF_VIOLATION (0x10D): 4 NULL, 5 no key
 *
 * Source  WDK reference: wdfregistry.h, "Using the Registry in WDF Drivers".
 */
#ifndef NTMM_DDK_WDFREGISTRY_H
#define NTMM_DDK_WDFREGISTRY_H

#include "wdfcollection.h"
#include "wdfmemory.h"
#include "wdfstring.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WDF_REGKEY_DEVICE_SUBKEY 0
#define WDF_REGKEY_DRIVER_SUBKEY 0

/**
 * @param ParentKey      NULL: KeyName begins at the root, as in `\Registry\Machine`
 * @param KeyAttributes  NULL: the parent is the driver
 * @param Key            out; NULL on failure
 * @return as ZwOpenKey; STATUS_INSUFFICIENT_RESOURCES
 */
WDFAPI NTSTATUS WdfRegistryOpenKey(WDFKEY ParentKey, PCUNICODE_STRING KeyName, ACCESS_MASK DesiredAccess,
                                   PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key);
/** @param CreateDisposition  NULL, or out: REG_CREATED_NEW_KEY, REG_OPENED_EXISTING_KEY */
WDFAPI NTSTATUS WdfRegistryCreateKey(WDFKEY ParentKey, PCUNICODE_STRING KeyName, ACCESS_MASK DesiredAccess, ULONG CreateOptions,
                                     PULONG CreateDisposition, PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key);
/** The handle is closed, the object deleted. */
WDFAPI VOID   WdfRegistryClose(WDFKEY Key);
WDFAPI HANDLE WdfRegistryWdmGetHandle(WDFKEY Key);
/** The key goes from the registry, and the object is deleted when that worked. */
WDFAPI NTSTATUS WdfRegistryRemoveKey(WDFKEY Key);
WDFAPI NTSTATUS WdfRegistryRemoveValue(WDFKEY Key, PCUNICODE_STRING ValueName);

/* ---- reading ---- */

/** @param ValueLength         bytes at Value, which may be NULL with 0
 *  @param ValueLengthQueried  NULL, or out: bytes that the value has
 *  @return STATUS_BUFFER_OVERFLOW: it does not fit */
WDFAPI NTSTATUS WdfRegistryQueryValue(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG ValueLength, PVOID Value, PULONG ValueLengthQueried,
                                      PULONG ValueType);
/** @return STATUS_RESOURCE_DATA_NOT_FOUND: the value has no bytes */
WDFAPI NTSTATUS WdfRegistryQueryMemory(WDFKEY Key, PCUNICODE_STRING ValueName, POOL_TYPE PoolType, PWDF_OBJECT_ATTRIBUTES MemoryAttributes,
                                       WDFMEMORY *Memory, PULONG ValueType);
/** Each text of a REG_MULTI_SZ value becomes a string object in the collection; all of them or none. */
WDFAPI NTSTATUS WdfRegistryQueryMultiString(WDFKEY Key, PCUNICODE_STRING ValueName, PWDF_OBJECT_ATTRIBUTES StringsAttributes,
                                            WDFCOLLECTION Collection);
/** @param Value  NULL, or with a buffer; @param ValueByteLength  NULL, or out: bytes, the null included */
WDFAPI NTSTATUS WdfRegistryQueryUnicodeString(WDFKEY Key, PCUNICODE_STRING ValueName, PUSHORT ValueByteLength, PUNICODE_STRING Value);
WDFAPI NTSTATUS WdfRegistryQueryString(WDFKEY Key, PCUNICODE_STRING ValueName, WDFSTRING String);
WDFAPI NTSTATUS WdfRegistryQueryULong(WDFKEY Key, PCUNICODE_STRING ValueName, PULONG Value);

/* ---- writing ---- */

WDFAPI NTSTATUS WdfRegistryAssignValue(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG ValueType, ULONG ValueLength, PVOID Value);
WDFAPI NTSTATUS WdfRegistryAssignMemory(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG ValueType, WDFMEMORY Memory,
                                        PWDFMEMORY_OFFSET MemoryOffsets);
/** @return STATUS_INVALID_PARAMETER: something in the collection is no string */
WDFAPI NTSTATUS WdfRegistryAssignMultiString(WDFKEY Key, PCUNICODE_STRING ValueName, WDFCOLLECTION StringsCollection);
WDFAPI NTSTATUS WdfRegistryAssignUnicodeString(WDFKEY Key, PCUNICODE_STRING ValueName, PCUNICODE_STRING Value);
WDFAPI NTSTATUS WdfRegistryAssignString(WDFKEY Key, PCUNICODE_STRING ValueName, WDFSTRING String);
WDFAPI NTSTATUS WdfRegistryAssignULong(WDFKEY Key, PCUNICODE_STRING ValueName, ULONG Value);

#ifdef __cplusplus
}
#endif
#endif
