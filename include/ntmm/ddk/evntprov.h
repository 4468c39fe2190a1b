/*
 * evntprov.h - event tracing: a driver registers as a provider and writes events, which go to whoever has a trace session. Nobody has one here.
 *
 * Source  WDK reference: wdm.h, EtwRegister, EtwWrite, EtwUnregister and the others; Windows reference: evntprov.h, EVENT_DESCRIPTOR,
 *         EVENT_DATA_DESCRIPTOR.
 */
#ifndef NTMM_DDK_EVNTPROV_H
#define NTMM_DDK_EVNTPROV_H

#include "ntdef.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef ULONGLONG REGHANDLE, *PREGHANDLE;

typedef struct _EVENT_DESCRIPTOR {
    USHORT    Id;
    UCHAR     Version, Channel, Level, Opcode;
    USHORT    Task;
    ULONGLONG Keyword;
} EVENT_DESCRIPTOR, *PEVENT_DESCRIPTOR;
typedef const EVENT_DESCRIPTOR *PCEVENT_DESCRIPTOR;
NTMM_LAYOUT(sizeof(EVENT_DESCRIPTOR) == 16, "EVENT_DESCRIPTOR");

typedef struct _EVENT_DATA_DESCRIPTOR {
    ULONGLONG Ptr;
    ULONG     Size;
    union {
        ULONG Reserved;
        struct {
            UCHAR  Type, Reserved1;
            USHORT Reserved2;
        };
    };
} EVENT_DATA_DESCRIPTOR, *PEVENT_DATA_DESCRIPTOR;
NTMM_LAYOUT(sizeof(EVENT_DATA_DESCRIPTOR) == 16, "EVENT_DATA_DESCRIPTOR");

typedef struct _EVENT_FILTER_DESCRIPTOR {
    ULONGLONG Ptr;
    ULONG     Size, Type;
} EVENT_FILTER_DESCRIPTOR, *PEVENT_FILTER_DESCRIPTOR;

typedef VOID ETWENABLECALLBACK(LPCGUID SourceId, ULONG ControlCode, UCHAR Level, ULONGLONG MatchAnyKeyword, ULONGLONG MatchAllKeyword,
                               PEVENT_FILTER_DESCRIPTOR FilterData, PVOID CallbackContext);
typedef ETWENABLECALLBACK *PETWENABLECALLBACK;
typedef enum _ETW_PROVIDER_CONTROL {
    EVENT_CONTROL_CODE_DISABLE_PROVIDER,
    EVENT_CONTROL_CODE_ENABLE_PROVIDER,
    EVENT_CONTROL_CODE_CAPTURE_STATE
} ETW_PROVIDER_CONTROL;
typedef enum _EVENT_INFO_CLASS {
    EventProviderBinaryTrackInfo,
    EventProviderSetReserved1,
    EventProviderSetTraits,
    EventProviderUseDescriptorType,
    MaxEventInfo
} EVENT_INFO_CLASS;

#define EVENT_ACTIVITY_CTRL_GET_ID 1
#define EVENT_ACTIVITY_CTRL_SET_ID 2
#define EVENT_ACTIVITY_CTRL_CREATE_ID 3
#define EVENT_ACTIVITY_CTRL_GET_SET_ID 4
#define EVENT_ACTIVITY_CTRL_CREATE_SET_ID 5

/** One piece of an event's data. @irql any @source Windows reference: evntprov.h */
FORCEINLINE VOID EventDataDescCreate(PEVENT_DATA_DESCRIPTOR EventDataDescriptor, const VOID *DataPtr, ULONG DataSize)
{
    EventDataDescriptor->Ptr = (ULONGLONG)(ULONG_PTR)DataPtr;
    EventDataDescriptor->Size = DataSize;
    EventDataDescriptor->Reserved = 0;
}

/**
 * Become a provider.
 *
 * @param EnableCallback  or NULL; called when a trace session turns the provider on or off, which nobody does here
 * @return STATUS_INSUFFICIENT_RESOURCES; STATUS_INVALID_PARAMETER: RegHandle is NULL
 * @irql    <= APC_LEVEL
 * @models  one that is not unregistered is a leak, tag `EtwR`
 * @source  WDK reference: wdm.h, EtwRegister
 */
NTKERNELAPI NTSTATUS EtwRegister(LPCGUID ProviderId, PETWENABLECALLBACK EnableCallback, PVOID CallbackContext, PREGHANDLE RegHandle);
/** @return STATUS_INVALID_HANDLE @irql <= APC_LEVEL @source WDK reference: wdm.h, EtwUnregister */
NTKERNELAPI NTSTATUS EtwUnregister(REGHANDLE RegHandle);
/** Write an event. @return STATUS_INVALID_HANDLE: no such provider (0 among them) @irql any
 *  @models it is lost: there is no trace session @source WDK reference: wdm.h, EtwWrite, EtwWriteTransfer, EtwWriteString */
NTKERNELAPI NTSTATUS EtwWrite(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, LPCGUID ActivityId, ULONG UserDataCount,
                              PEVENT_DATA_DESCRIPTOR UserData);
NTKERNELAPI NTSTATUS EtwWriteTransfer(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, LPCGUID ActivityId,
                                      LPCGUID RelatedActivityId, ULONG UserDataCount, PEVENT_DATA_DESCRIPTOR UserData);
NTKERNELAPI NTSTATUS EtwWriteString(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword, LPCGUID ActivityId, PCWSTR String);
/** Does anybody want it? @return FALSE @irql any @source WDK reference: wdm.h, EtwEventEnabled, EtwProviderEnabled */
NTKERNELAPI BOOLEAN EtwEventEnabled(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor);
NTKERNELAPI BOOLEAN EtwProviderEnabled(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword);
/** @return STATUS_INVALID_HANDLE @irql <= APC_LEVEL @models accepted and ignored @source WDK reference: wdm.h, EtwSetInformation */
NTKERNELAPI NTSTATUS EtwSetInformation(REGHANDLE RegHandle, EVENT_INFO_CLASS InformationClass, PVOID EventInformation,
                                       ULONG InformationLength);

#ifdef __cplusplus
}
#endif
#endif
