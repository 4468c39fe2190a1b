/*
 * etw.c - event tracing: providers register, and what they write is lost, as there is no trace session.
 *
 * Locks       etw_lock (leaf) for the list of providers.
 * Source      WDK reference: wdm.h, EtwRegister, EtwUnregister, EtwWrite, EtwEventEnabled.
 * Fidelity    accepted and ignored, but for who is registered.
 */
#include "io/etw.h"

#include <ntddk.h>
#include <evntprov.h>

#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_PROVIDER NTMM_TAG("EtwR")

typedef struct provider {
    LIST_ENTRY link;
    ULONGLONG  handle;
} provider_t;

static ke_lock_t  etw_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY providers;   /* etw_lock */
static ULONGLONG  last_handle; /* etw_lock */

void io_etw_boot(void)
{
    ke_lock_init(&etw_lock, KE_RANK_LEAF);
    InitializeListHead(&providers);
    last_handle = 0;
}

static provider_t *find(REGHANDLE handle, bool out)
{
    provider_t *found = NULL;
    ke_lock(&etw_lock);
    for (PLIST_ENTRY at = providers.Flink; at != &providers && found == NULL; at = at->Flink)
        if (CONTAINING_RECORD(at, provider_t, link)->handle == handle)
            found = CONTAINING_RECORD(at, provider_t, link);
    if (found != NULL && out)
        RemoveEntryList(&found->link);
    ke_unlock(&etw_lock);
    return found;
}

static NTSTATUS status_of(const char *routine, REGHANDLE handle)
{
    if (ke_thread_ready(routine) == NULL)
        return STATUS_UNSUCCESSFUL;
    return find(handle, false) != NULL ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

NTSTATUS EtwRegister(LPCGUID ProviderId, PETWENABLECALLBACK EnableCallback, PVOID CallbackContext, PREGHANDLE RegHandle)
{
    (void)ProviderId;
    (void)EnableCallback;
    (void)CallbackContext;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (RegHandle == NULL)
        return STATUS_INVALID_PARAMETER;
    *RegHandle = 0;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    provider_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, TAG_PROVIDER);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    ke_lock(&etw_lock);
    fresh->handle = ++last_handle;
    InsertTailList(&providers, &fresh->link);
    ke_unlock(&etw_lock);
    *RegHandle = fresh->handle;
    return STATUS_SUCCESS;
}

NTSTATUS EtwUnregister(REGHANDLE RegHandle)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    provider_t *known = find(RegHandle, true);
    if (known == NULL)
        return STATUS_INVALID_HANDLE;
    ExFreePoolWithTag(known, TAG_PROVIDER);
    return STATUS_SUCCESS;
}

NTSTATUS EtwWrite(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, LPCGUID ActivityId, ULONG UserDataCount,
                  PEVENT_DATA_DESCRIPTOR UserData)
{
    (void)EventDescriptor;
    (void)ActivityId;
    (void)UserDataCount;
    (void)UserData;
    return status_of(__func__, RegHandle);
}

NTSTATUS EtwWriteTransfer(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, LPCGUID ActivityId, LPCGUID RelatedActivityId,
                          ULONG UserDataCount, PEVENT_DATA_DESCRIPTOR UserData)
{
    (void)RelatedActivityId;
    return EtwWrite(RegHandle, EventDescriptor, ActivityId, UserDataCount, UserData);
}

NTSTATUS EtwWriteString(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword, LPCGUID ActivityId, PCWSTR String)
{
    (void)Level;
    (void)Keyword;
    (void)ActivityId;
    (void)String;
    return status_of(__func__, RegHandle);
}

BOOLEAN EtwEventEnabled(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor)
{
    (void)RegHandle;
    (void)EventDescriptor;
    return FALSE;
}

BOOLEAN EtwProviderEnabled(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword)
{
    (void)RegHandle;
    (void)Level;
    (void)Keyword;
    return FALSE;
}

NTSTATUS EtwSetInformation(REGHANDLE RegHandle, EVENT_INFO_CLASS InformationClass, PVOID EventInformation, ULONG InformationLength)
{
    (void)InformationClass;
    (void)EventInformation;
    (void)InformationLength;
    KE_REQUIRE_IRQL(APC_LEVEL);
    return status_of(__func__, RegHandle);
}
