/*
 * cm_callback.h - registry filters: a driver is asked before and told after each operation on the registry.
 *
 *     pre, highest altitude first --> the operation --> post, lowest first
 *          STATUS_SUCCESS            go on
 *          STATUS_CALLBACK_BYPASS    the driver has done it all: the caller gets STATUS_SUCCESS      } nobody below is asked, those above get
 *          another error             the caller gets it                                              } their post
 *     post: STATUS_CALLBACK_BYPASS   the caller gets ReturnStatus instead
 *
 * Source  WDK reference: wdm.h, EX_CALLBACK_FUNCTION, REG_NOTIFY_CLASS, the page of each structure; "Filtering Registry Calls". x64 layouts.
 */
#ifndef NTMM_DDK_WDM_CM_CALLBACK_H
#define NTMM_DDK_WDM_CM_CALLBACK_H

#include "registry_types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _REG_NOTIFY_CLASS {
    RegNtDeleteKey,
    RegNtPreDeleteKey = RegNtDeleteKey,
    RegNtSetValueKey,
    RegNtPreSetValueKey = RegNtSetValueKey,
    RegNtDeleteValueKey,
    RegNtPreDeleteValueKey = RegNtDeleteValueKey,
    RegNtSetInformationKey,
    RegNtPreSetInformationKey = RegNtSetInformationKey,
    RegNtRenameKey,
    RegNtPreRenameKey = RegNtRenameKey,
    RegNtEnumerateKey,
    RegNtPreEnumerateKey = RegNtEnumerateKey,
    RegNtEnumerateValueKey,
    RegNtPreEnumerateValueKey = RegNtEnumerateValueKey,
    RegNtQueryKey,
    RegNtPreQueryKey = RegNtQueryKey,
    RegNtQueryValueKey,
    RegNtPreQueryValueKey = RegNtQueryValueKey,
    RegNtQueryMultipleValueKey,
    RegNtPreQueryMultipleValueKey = RegNtQueryMultipleValueKey,
    RegNtPreCreateKey,
    RegNtPostCreateKey,
    RegNtPreOpenKey,
    RegNtPostOpenKey,
    RegNtKeyHandleClose,
    RegNtPreKeyHandleClose = RegNtKeyHandleClose,
    RegNtPostDeleteKey,
    RegNtPostSetValueKey,
    RegNtPostDeleteValueKey,
    RegNtPostSetInformationKey,
    RegNtPostRenameKey,
    RegNtPostEnumerateKey,
    RegNtPostEnumerateValueKey,
    RegNtPostQueryKey,
    RegNtPostQueryValueKey,
    RegNtPostQueryMultipleValueKey,
    RegNtPostKeyHandleClose,
    RegNtPreCreateKeyEx,
    RegNtPostCreateKeyEx,
    RegNtPreOpenKeyEx,
    RegNtPostOpenKeyEx,
    RegNtPreFlushKey,
    RegNtPostFlushKey,
    RegNtPreLoadKey,
    RegNtPostLoadKey,
    RegNtPreUnLoadKey,
    RegNtPostUnLoadKey,
    RegNtPreQueryKeySecurity,
    RegNtPostQueryKeySecurity,
    RegNtPreSetKeySecurity,
    RegNtPostSetKeySecurity,
    RegNtCallbackObjectContextCleanup,
    RegNtPreRestoreKey,
    RegNtPostRestoreKey,
    RegNtPreSaveKey,
    RegNtPostSaveKey,
    RegNtPreReplaceKey,
    RegNtPostReplaceKey,
    RegNtPreQueryKeyName,
    RegNtPostQueryKeyName,
    RegNtPreSaveMergedKey,
    RegNtPostSaveMergedKey,
    MaxRegNtNotifyClass
} REG_NOTIFY_CLASS,
    *PREG_NOTIFY_CLASS;

/* Argument1: a REG_NOTIFY_CLASS. Argument2: the structure that belongs to it. At PASSIVE_LEVEL. */
typedef NTSTATUS              EX_CALLBACK_FUNCTION(PVOID CallbackContext, PVOID Argument1, PVOID Argument2);
typedef EX_CALLBACK_FUNCTION *PEX_CALLBACK_FUNCTION;

/* ---- before; CallContext is the driver's, from its pre to its post; ObjectContext that of CmSetCallbackObjectContext ---- */
typedef struct _REG_DELETE_KEY_INFORMATION {
    PVOID Object, CallContext, ObjectContext, Reserved;
} REG_DELETE_KEY_INFORMATION, *PREG_DELETE_KEY_INFORMATION, REG_FLUSH_KEY_INFORMATION, *PREG_FLUSH_KEY_INFORMATION;
typedef struct _REG_SET_VALUE_KEY_INFORMATION {
    PVOID           Object;
    PUNICODE_STRING ValueName;
    ULONG           TitleIndex, Type;
    PVOID           Data;
    ULONG           DataSize;
    PVOID           CallContext, ObjectContext, Reserved;
} REG_SET_VALUE_KEY_INFORMATION, *PREG_SET_VALUE_KEY_INFORMATION;
typedef struct _REG_DELETE_VALUE_KEY_INFORMATION {
    PVOID           Object;
    PUNICODE_STRING ValueName;
    PVOID           CallContext, ObjectContext, Reserved;
} REG_DELETE_VALUE_KEY_INFORMATION, *PREG_DELETE_VALUE_KEY_INFORMATION;
typedef struct _REG_ENUMERATE_KEY_INFORMATION {
    PVOID                 Object;
    ULONG                 Index;
    KEY_INFORMATION_CLASS KeyInformationClass;
    PVOID                 KeyInformation;
    ULONG                 Length;
    PULONG                ResultLength;
    PVOID                 CallContext, ObjectContext, Reserved;
} REG_ENUMERATE_KEY_INFORMATION, *PREG_ENUMERATE_KEY_INFORMATION;
typedef struct _REG_ENUMERATE_VALUE_KEY_INFORMATION {
    PVOID                       Object;
    ULONG                       Index;
    KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass;
    PVOID                       KeyValueInformation;
    ULONG                       Length;
    PULONG                      ResultLength;
    PVOID                       CallContext, ObjectContext, Reserved;
} REG_ENUMERATE_VALUE_KEY_INFORMATION, *PREG_ENUMERATE_VALUE_KEY_INFORMATION;
typedef struct _REG_QUERY_KEY_INFORMATION {
    PVOID                 Object;
    KEY_INFORMATION_CLASS KeyInformationClass;
    PVOID                 KeyInformation;
    ULONG                 Length;
    PULONG                ResultLength;
    PVOID                 CallContext, ObjectContext, Reserved;
} REG_QUERY_KEY_INFORMATION, *PREG_QUERY_KEY_INFORMATION;
typedef struct _REG_QUERY_VALUE_KEY_INFORMATION {
    PVOID                       Object;
    PUNICODE_STRING             ValueName;
    KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass;
    PVOID                       KeyValueInformation;
    ULONG                       Length;
    PULONG                      ResultLength;
    PVOID                       CallContext, ObjectContext, Reserved;
} REG_QUERY_VALUE_KEY_INFORMATION, *PREG_QUERY_VALUE_KEY_INFORMATION;
typedef struct _REG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION {
    PVOID            Object;
    PKEY_VALUE_ENTRY ValueEntries;
    ULONG            EntryCount;
    PVOID            ValueBuffer;
    PULONG           BufferLength, RequiredBufferLength;
    PVOID            CallContext, ObjectContext, Reserved;
} REG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION, *PREG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION;
typedef struct _REG_RENAME_KEY_INFORMATION {
    PVOID           Object;
    PUNICODE_STRING NewName;
    PVOID           CallContext, ObjectContext, Reserved;
} REG_RENAME_KEY_INFORMATION, *PREG_RENAME_KEY_INFORMATION;
typedef struct _REG_KEY_HANDLE_CLOSE_INFORMATION {
    PVOID Object, CallContext, ObjectContext, Reserved;
} REG_KEY_HANDLE_CLOSE_INFORMATION, *PREG_KEY_HANDLE_CLOSE_INFORMATION;
typedef struct _REG_CREATE_KEY_INFORMATION {
    PUNICODE_STRING CompleteName; /* below RootObject, or with a backslash in front */
    PVOID           RootObject, ObjectType;
    ULONG           CreateOptions;
    PUNICODE_STRING Class;
    PVOID           SecurityDescriptor, SecurityQualityOfService;
    ACCESS_MASK     DesiredAccess, GrantedAccess;
    PULONG          Disposition;
    PVOID          *ResultObject;
    PVOID           CallContext, RootObjectContext, Transaction, Reserved; /* Reserved 1: it is a _V1 */
} REG_CREATE_KEY_INFORMATION, *PREG_CREATE_KEY_INFORMATION, REG_OPEN_KEY_INFORMATION, *PREG_OPEN_KEY_INFORMATION;
typedef struct _REG_CREATE_KEY_INFORMATION_V1 {
    PUNICODE_STRING CompleteName;
    PVOID           RootObject, ObjectType;
    ULONG           Options;
    PUNICODE_STRING Class;
    PVOID           SecurityDescriptor, SecurityQualityOfService;
    ACCESS_MASK     DesiredAccess, GrantedAccess;
    PULONG          Disposition;
    PVOID          *ResultObject;
    PVOID           CallContext, RootObjectContext, Transaction;
    ULONG_PTR       Version; /* 1 */
    PUNICODE_STRING RemainingName;
    ULONG           Wow64Flags, Attributes;
    KPROCESSOR_MODE CheckAccessMode;
} REG_CREATE_KEY_INFORMATION_V1, *PREG_CREATE_KEY_INFORMATION_V1, REG_OPEN_KEY_INFORMATION_V1, *PREG_OPEN_KEY_INFORMATION_V1;
NTMM_LAYOUT(sizeof(REG_CREATE_KEY_INFORMATION) == 112 && FIELD_OFFSET(REG_CREATE_KEY_INFORMATION, ResultObject) == 72, "x64 layout");
NTMM_LAYOUT(FIELD_OFFSET(REG_CREATE_KEY_INFORMATION_V1, Version) == FIELD_OFFSET(REG_CREATE_KEY_INFORMATION, Reserved), "x64 layout");

/* ---- after ---- */
typedef struct _REG_POST_OPERATION_INFORMATION {
    PVOID    Object;
    NTSTATUS Status;
    PVOID    PreInformation;
    NTSTATUS ReturnStatus;
    PVOID    CallContext, ObjectContext, Reserved;
} REG_POST_OPERATION_INFORMATION, *PREG_POST_OPERATION_INFORMATION;
typedef struct _REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION {
    PVOID Object, ObjectContext, Reserved;
} REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION, *PREG_CALLBACK_CONTEXT_CLEANUP_INFORMATION;

/* ---- registering ---- */

/**
 * Have a routine called before and after each operation on the registry.
 *
 * @param Altitude  decimal, as "380000": the place among other filters
 * @param Driver    the driver object: not looked at
 * @param Cookie    receives what names this registration
 * @return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION: another filter has it. STATUS_INVALID_PARAMETER: no altitude (choice).
 *         STATUS_INSUFFICIENT_RESOURCES, also beyond 32 filters (choice)
 * @irql    <= APC_LEVEL
 * @models  operations are those of ZwCreateKey and its like, and closing; not what the I/O manager and Rtl...Registry... do by themselves. One
 *          that is not unregistered is a leak, tag `CmCb`
 * @source  WDK reference: wdm.h, CmRegisterCallbackEx
 */
NTKERNELAPI NTSTATUS CmRegisterCallbackEx(PEX_CALLBACK_FUNCTION Function, PCUNICODE_STRING Altitude, PVOID Driver, PVOID Context,
                                          PLARGE_INTEGER Cookie, PVOID Reserved);
/** The same below all altitudes, the first registered highest (choice). @irql <= APC_LEVEL @source WDK reference: wdm.h, CmRegisterCallback */
NTKERNELAPI NTSTATUS CmRegisterCallback(PEX_CALLBACK_FUNCTION Function, PVOID Context, PLARGE_INTEGER Cookie);
/** Returns when the routine does not run any more on another thread; contexts of key objects are cleaned up before.
 *  @return STATUS_INVALID_PARAMETER: no such cookie @irql <= APC_LEVEL @source WDK reference: wdm.h, CmUnRegisterCallback */
NTKERNELAPI NTSTATUS CmUnRegisterCallback(LARGE_INTEGER Cookie);
/** Version of the interface: 1.1. Either may be NULL. @irql <= APC_LEVEL @models the number is a choice
 *  @source WDK reference: wdm.h, CmGetCallbackVersion */
NTKERNELAPI VOID CmGetCallbackVersion(PULONG Major, PULONG Minor);

/* ---- about a key object ---- */

/**
 * What a key object is of.
 *
 * @param ObjectID    NULL, or receives a number that all objects of the same key have
 * @param ObjectName  NULL, or receives the key's path, good until the object's last handle is closed
 * @return STATUS_INVALID_PARAMETER: no such cookie, or no key object; STATUS_INSUFFICIENT_RESOURCES
 * @irql    <= APC_LEVEL
 * @source  WDK reference: wdm.h, CmCallbackGetKeyObjectID
 */
NTKERNELAPI NTSTATUS CmCallbackGetKeyObjectID(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID, PCUNICODE_STRING *ObjectName);
/** The same; the name is for CmCallbackReleaseKeyObjectIDEx. @param Flags 0 @return and STATUS_INVALID_PARAMETER: other flags
 *  @irql <= APC_LEVEL @models a name that is not released is a leak, tag `CmNm` @source WDK reference: wdm.h, CmCallbackGetKeyObjectIDEx */
NTKERNELAPI NTSTATUS CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID, PCUNICODE_STRING *ObjectName,
                                                ULONG Flags);
/** @irql <= APC_LEVEL @source WDK reference: wdm.h, CmCallbackReleaseKeyObjectIDEx */
NTKERNELAPI VOID CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING ObjectName);
/** Give a key object a context, which this filter then finds in ObjectContext. It gets RegNtCallbackObjectContextCleanup when the object's last
 *  handle is closed, or when it unregisters.
 *  @param OldContext NULL, or receives what it was before @return STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES
 *  @irql <= APC_LEVEL @source WDK reference: wdm.h, CmSetCallbackObjectContext */
NTKERNELAPI NTSTATUS CmSetCallbackObjectContext(PVOID Object, PLARGE_INTEGER Cookie, PVOID NewContext, PVOID *OldContext);

#ifdef __cplusplus
}
#endif
#endif
