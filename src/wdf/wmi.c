/*
 * wmi.c - providers and instances of data blocks: objects below a device, which WMI knows from its start to its removal.
 *
 *     WDFDEVICE
 *      `- WDFWMIPROVIDER    a GUID; deleted with the device alone
 *          `- WDFWMIINSTANCE, WDFWMIINSTANCE ...     registered, or not: WdfWmiInstanceRegister, WdfWmiInstanceDeregister
 *
 *     start      IoWMIRegistrationControl: WMIREG_ACTION_REGISTER                      io/wmi.c
 *     changes    WMIREG_ACTION_UPDATE_GUIDS
 *     removal    WMIREG_ACTION_DEREGISTER
 *
 * What WMI asks for then is answered in wmi_dispatch.c.
 *
 * Locks       the lock of the device's wdf_wmi_t, for lists and counts.
 * Source      WDK reference: wdfwmi.h, the pages of the routines; KMDF 1.33 (the order of the checks, when a GUID is reported as removed).
 * Fidelity    above PASSIVE_LEVEL changes are told to nobody: io's registration has nothing to do for them.
 */
#include "wdf/wmi.h"

#include <string.h>

#include <wmilib.h>

#include "wdf/key.h"

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

/* ---- registration ---- */

NTSTATUS wdf_wmi_register(wdf_device_t *device)
{
    if (device->wmi.is_registered)
        return STATUS_SUCCESS; /* it was stopped, and starts again */
    NTSTATUS status = IoWMIRegistrationControl(device->wdm, WMIREG_ACTION_REGISTER);
    wdf_lock(&device->wmi.lock);
    device->wmi.is_registered = NT_SUCCESS(status);
    device->wmi.is_over = false;
    wdf_unlock(&device->wmi.lock);
    return status;
}

void wdf_wmi_deregister(wdf_device_t *device)
{
    wdf_lock(&device->wmi.lock);
    bool was = device->wmi.is_registered;
    device->wmi.is_registered = false;
    device->wmi.is_over = true;
    wdf_unlock(&device->wmi.lock);
    if (was)
        (void)IoWMIRegistrationControl(device->wdm, WMIREG_ACTION_DEREGISTER);
}

void wdf_wmi_forget(wdf_device_t *device)
{
    if (device->wdm != NULL)
        wdf_wmi_deregister(device);
    if (device->wmi.mof.Buffer != NULL)
        ExFreePoolWithTag(device->wmi.mof.Buffer, tag_of(device));
    device->wmi.mof.Buffer = NULL;
}

static void changed(wdf_device_t *device)
{
    wdf_lock(&device->wmi.lock);
    bool is_registered = device->wmi.is_registered;
    wdf_unlock(&device->wmi.lock);
    if (is_registered && KeGetCurrentIrql() == PASSIVE_LEVEL)
        (void)IoWMIRegistrationControl(device->wdm, WMIREG_ACTION_UPDATE_GUIDS);
}

NTSTATUS WdfDeviceAssignMofResourceName(WDFDEVICE Device, PCUNICODE_STRING MofResourceName)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(MofResourceName);
    NTSTATUS status = wdf_string_check(MofResourceName);
    if (NT_SUCCESS(status) && device->wmi.mof.Buffer != NULL)
        status = STATUS_INVALID_DEVICE_REQUEST;
    if (!NT_SUCCESS(status))
        return status;
    PWCH copy = ExAllocatePool2(POOL_FLAG_PAGED, (SIZE_T)MofResourceName->Length + sizeof(WCHAR), tag_of(device));
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(copy, MofResourceName->Buffer, MofResourceName->Length);
    device->wmi.mof = (UNICODE_STRING){ .Buffer = copy, .Length = MofResourceName->Length, .MaximumLength = MofResourceName->Length };
    return STATUS_SUCCESS;
}

/* ---- lists ---- */

static wdf_wmi_provider_t *find_locked(const wdf_device_t *device, const GUID *guid)
{
    for (PLIST_ENTRY at = device->wmi.providers.Flink; at != &device->wmi.providers; at = at->Flink) {
        wdf_wmi_provider_t *provider = CONTAINING_RECORD(at, wdf_wmi_provider_t, of_device);
        if (IsEqualGUID(&provider->guid, guid))
            return provider;
    }
    return NULL;
}

wdf_wmi_provider_t *wdf_wmi_find(wdf_device_t *device, const GUID *guid)
{
    wdf_lock(&device->wmi.lock);
    wdf_wmi_provider_t *provider = find_locked(device, guid);
    if (provider != NULL)
        wdf_object_reference(&provider->object);
    wdf_unlock(&device->wmi.lock);
    return provider;
}

wdf_wmi_instance_t *wdf_wmi_instance_at(wdf_wmi_provider_t *provider, ULONG index)
{
    wdf_wmi_instance_t *instance = NULL;
    wdf_lock(&provider->device->wmi.lock);
    PLIST_ENTRY at = provider->instances.Flink;
    while (at != &provider->instances && index-- > 0)
        at = at->Flink;
    if (at != &provider->instances) {
        instance = CONTAINING_RECORD(at, wdf_wmi_instance_t, of_provider);
        wdf_object_reference(&instance->object);
    }
    wdf_unlock(&provider->device->wmi.lock);
    return instance;
}

static ULONG index_of(wdf_wmi_instance_t *instance)
{
    wdf_wmi_provider_t *provider = instance->provider;
    ULONG               index = 0;
    wdf_lock(&provider->device->wmi.lock);
    for (PLIST_ENTRY at = provider->instances.Flink; at != &provider->instances && at != &instance->of_provider; at = at->Flink)
        index++;
    wdf_unlock(&provider->device->wmi.lock);
    return index;
}

static NTSTATUS add_instance(wdf_wmi_instance_t *instance)
{
    wdf_wmi_provider_t *provider = instance->provider;
    NTSTATUS            status = STATUS_SUCCESS;
    if ((provider->flags & WdfWmiProviderTracing) != 0)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_lock(&provider->device->wmi.lock);
    if (!IsListEmpty(&instance->of_provider)) {
        status = STATUS_INVALID_DEVICE_REQUEST;
    } else {
        InsertTailList(&provider->instances, &instance->of_provider);
        provider->count++;
        provider->is_removed = false;
    }
    wdf_unlock(&provider->device->wmi.lock);
    if (NT_SUCCESS(status))
        changed(provider->device);
    return status;
}

/* False: it was not there. */
static bool remove_instance(wdf_wmi_instance_t *instance)
{
    wdf_wmi_provider_t *provider = instance->provider;
    wdf_lock(&provider->device->wmi.lock);
    bool was = !IsListEmpty(&instance->of_provider);
    if (was) {
        RemoveEntryList(&instance->of_provider);
        InitializeListHead(&instance->of_provider);
        provider->count--;
        if (provider->device->wmi.is_registered && provider->count == 0 && (provider->flags & WdfWmiProviderExpensive) == 0)
            provider->is_removed = true;
    }
    wdf_unlock(&provider->device->wmi.lock);
    return was;
}

/* ---- kinds ---- */

/* One that was abandoned never came into the list. */
static void provider_dispose(wdf_object_t *object)
{
    wdf_wmi_provider_t *provider = (wdf_wmi_provider_t *)(void *)object;
    if (provider->of_device.Flink == NULL)
        return;
    wdf_lock(&provider->device->wmi.lock);
    RemoveEntryList(&provider->of_device);
    wdf_unlock(&provider->device->wmi.lock);
    provider->of_device.Flink = NULL;
}

static void instance_dispose(wdf_object_t *object)
{
    wdf_wmi_instance_t *instance = (wdf_wmi_instance_t *)(void *)object;
    if (remove_instance(instance))
        changed(instance->provider->device);
}

const wdf_type_t wdf_wmi_provider_type = { .name = "WDFWMIPROVIDER",
                                           .number = WDF_NUMBER_WMI_PROVIDER,
                                           .bytes = sizeof(wdf_wmi_provider_t),
                                           .options = WDF_TYPE_NO_DELETE,
                                           .dispose = provider_dispose };
const wdf_type_t wdf_wmi_instance_type = {
    .name = "WDFWMIINSTANCE", .number = WDF_NUMBER_WMI_INSTANCE, .bytes = sizeof(wdf_wmi_instance_t), .dispose = instance_dispose
};

/* ---- providers ---- */

static NTSTATUS check_provider(const WDF_WMI_PROVIDER_CONFIG *config)
{
    static const GUID none;
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    ULONG flags = config->Flags;
    bool  is_tracing = (flags & WdfWmiProviderTracing) != 0;
    if ((flags & ~(ULONG)WdfWmiProviderValidFlags) != 0 || (is_tracing && flags != WdfWmiProviderTracing))
        return STATUS_INVALID_PARAMETER;
    if (config->EvtWmiProviderFunctionControl != NULL && (flags & (WdfWmiProviderTracing | WdfWmiProviderExpensive)) == 0)
        return STATUS_INVALID_PARAMETER; /* nobody would call it */
    return IsEqualGUID(&config->Guid, &none) ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* In the device's list, if it may be. */
static NTSTATUS add_provider(wdf_wmi_provider_t *provider)
{
    wdf_device_t *device = provider->device;
    NTSTATUS      status = STATUS_SUCCESS;
    wdf_lock(&device->wmi.lock);
    if (find_locked(device, &provider->guid) != NULL)
        status = STATUS_OBJECT_NAME_EXISTS;
    else if (device->wmi.is_over)
        status = STATUS_INVALID_DEVICE_STATE;
    else
        InsertTailList(&device->wmi.providers, &provider->of_device);
    wdf_unlock(&device->wmi.lock);
    return status;
}

static NTSTATUS create_provider(wdf_device_t *device, const WDF_WMI_PROVIDER_CONFIG *config, PWDF_OBJECT_ATTRIBUTES attributes,
                                wdf_wmi_provider_t **out)
{
    wdf_wmi_provider_t *provider = NULL;
    NTSTATUS            status = wdf_attributes_check(attributes, WDF_ATTRIBUTES_NO_PARENT);
    *out = NULL;
    if (NT_SUCCESS(status))
        status = device->setup.is_control ? STATUS_INVALID_DEVICE_REQUEST : check_provider(config);
    if (NT_SUCCESS(status))
        status =
            wdf_object_new(&(wdf_new_t){ .type = &wdf_wmi_provider_type, .attributes = attributes, .parent = &device->object }, &provider);
    if (!NT_SUCCESS(status))
        return status;
    provider->device = device;
    provider->guid = config->Guid;
    provider->flags = config->Flags;
    provider->min_bytes = config->MinInstanceBufferSize;
    provider->control = config->EvtWmiProviderFunctionControl;
    InitializeListHead(&provider->instances);
    status = add_provider(provider);
    if (status != STATUS_SUCCESS) { /* STATUS_OBJECT_NAME_EXISTS is none of NT_SUCCESS's failures */
        wdf_object_abandon(provider);
        return status;
    }
    status = wdf_object_commit(provider, attributes);
    if (!NT_SUCCESS(status)) {
        provider_dispose(&provider->object);
        wdf_object_abandon(provider);
        return status;
    }
    if ((config->Flags & WdfWmiProviderTracing) != 0)
        changed(device);
    *out = provider;
    return STATUS_SUCCESS;
}

NTSTATUS WdfWmiProviderCreate(WDFDEVICE Device, PWDF_WMI_PROVIDER_CONFIG WmiProviderConfig, PWDF_OBJECT_ATTRIBUTES ProviderAttributes,
                              WDFWMIPROVIDER *WmiProvider)
{
    wdf_wmi_provider_t *provider;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(WmiProviderConfig);
    WDF_REQUIRE(WmiProvider);
    NTSTATUS status = create_provider(device, WmiProviderConfig, ProviderAttributes, &provider);
    *WmiProvider = (WDFWMIPROVIDER)(void *)provider;
    return status;
}

WDFDEVICE WdfWmiProviderGetDevice(WDFWMIPROVIDER WmiProvider)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    const wdf_wmi_provider_t *provider = WDF_FROM(WmiProvider, &wdf_wmi_provider_type);
    return wdf_device_handle(provider->device);
}

BOOLEAN WdfWmiProviderIsEnabled(WDFWMIPROVIDER WmiProvider, WDF_WMI_PROVIDER_CONTROL ProviderControl)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    const wdf_wmi_provider_t *provider = WDF_FROM(WmiProvider, &wdf_wmi_provider_type);
    return (ProviderControl == WdfWmiEventControl && provider->has_events) ||
           (ProviderControl == WdfWmiInstanceControl && provider->has_collection);
}

ULONGLONG WdfWmiProviderGetTracingHandle(WDFWMIPROVIDER WmiProvider)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    const wdf_wmi_provider_t *provider = WDF_FROM(WmiProvider, &wdf_wmi_provider_type);
    return provider->tracing;
}

/* ---- instances ---- */

static bool has_callback(const WDF_WMI_INSTANCE_CONFIG *config)
{
    return config->EvtWmiInstanceQueryInstance != NULL || config->EvtWmiInstanceSetInstance != NULL ||
           config->EvtWmiInstanceSetItem != NULL || config->EvtWmiInstanceExecuteMethod != NULL;
}

static size_t context_bytes(const WDF_OBJECT_ATTRIBUTES *attributes)
{
    return attributes->ContextSizeOverride != 0 ? attributes->ContextSizeOverride : attributes->ContextTypeInfo->ContextSize;
}

/* Can the context answer queries? It is read-only for WMI, and large enough. */
static NTSTATUS check_context_use(const wdf_wmi_provider_t *provider, const WDF_WMI_INSTANCE_CONFIG *config,
                                  const WDF_OBJECT_ATTRIBUTES *attributes)
{
    if (config->EvtWmiInstanceSetInstance != NULL || config->EvtWmiInstanceSetItem != NULL)
        return STATUS_INVALID_PARAMETER;
    if (attributes == NULL || attributes->ContextTypeInfo == NULL)
        return STATUS_INVALID_PARAMETER;
    if (context_bytes(attributes) > MAXULONG)
        return STATUS_INTEGER_OVERFLOW;
    return context_bytes(attributes) >= provider->min_bytes ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

static NTSTATUS create_instance(wdf_wmi_provider_t *provider, const WDF_WMI_INSTANCE_CONFIG *config, PWDF_OBJECT_ATTRIBUTES attributes,
                                wdf_wmi_instance_t **out)
{
    wdf_wmi_instance_t *instance = NULL;
    if ((provider->flags & WdfWmiProviderEventOnly) != 0 && (config->UseContextForQuery || has_callback(config)))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = wdf_attributes_check(attributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status) && config->UseContextForQuery)
        status = check_context_use(provider, config, attributes);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &wdf_wmi_instance_type, .attributes = attributes, .parent = &provider->object },
                                &instance);
    if (!NT_SUCCESS(status))
        return status;
    instance->provider = provider;
    instance->config = *config;
    InitializeListHead(&instance->of_provider);
    status = wdf_object_commit(instance, attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(instance);
        return status;
    }
    if (config->UseContextForQuery) {
        instance->data = wdf_context_find(&instance->object, attributes->ContextTypeInfo);
        instance->bytes = (ULONG)context_bytes(attributes);
    }
    *out = instance;
    return STATUS_SUCCESS;
}

/* The driver never had it. */
static void take_back(wdf_object_t *object)
{
    wdf_object_forget_callbacks(object);
    wdf_object_delete(object);
}

/* The provider that the configuration names, or a new one. */
static NTSTATUS provider_for(WDFDEVICE device, const WDF_WMI_INSTANCE_CONFIG *config, wdf_wmi_provider_t **provider)
{
    if ((config->Provider != NULL) == (config->ProviderConfig != NULL))
        return STATUS_INVALID_PARAMETER;
    if (config->Provider != NULL) {
        *provider = (void *)wdf_from_handle("WdfWmiInstanceCreate", config->Provider, &wdf_wmi_provider_type);
        return STATUS_SUCCESS;
    }
    wdf_device_t *of = (void *)wdf_from_handle("WdfWmiInstanceCreate", device, &wdf_device_type);
    return create_provider(of, config->ProviderConfig, NULL, provider);
}

NTSTATUS WdfWmiInstanceCreate(WDFDEVICE Device, PWDF_WMI_INSTANCE_CONFIG InstanceConfig, PWDF_OBJECT_ATTRIBUTES InstanceAttributes,
                              WDFWMIINSTANCE *Instance)
{
    wdf_wmi_provider_t *provider;
    wdf_wmi_instance_t *instance = NULL;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(InstanceConfig);
    if (InstanceConfig->Size != sizeof *InstanceConfig)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Instance != NULL)
        *Instance = NULL;
    NTSTATUS status = provider_for(Device, InstanceConfig, &provider);
    if (status != STATUS_SUCCESS)
        return status;
    status = create_instance(provider, InstanceConfig, InstanceAttributes, &instance);
    if (NT_SUCCESS(status) && InstanceConfig->Register)
        status = add_instance(instance);
    if (!NT_SUCCESS(status)) {
        if (instance != NULL)
            take_back(&instance->object);
        if (InstanceConfig->ProviderConfig != NULL)
            take_back(&provider->object);
        return status;
    }
    if (Instance != NULL)
        *Instance = (WDFWMIINSTANCE)(void *)instance;
    return status;
}

NTSTATUS WdfWmiInstanceRegister(WDFWMIINSTANCE WmiInstance)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return add_instance(WDF_FROM(WmiInstance, &wdf_wmi_instance_type));
}

VOID WdfWmiInstanceDeregister(WDFWMIINSTANCE WmiInstance)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_wmi_instance_t *instance = WDF_FROM(WmiInstance, &wdf_wmi_instance_type);
    if (remove_instance(instance))
        changed(instance->provider->device);
}

WDFDEVICE WdfWmiInstanceGetDevice(WDFWMIINSTANCE WmiInstance)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    const wdf_wmi_instance_t *instance = WDF_FROM(WmiInstance, &wdf_wmi_instance_type);
    return wdf_device_handle(instance->provider->device);
}

WDFWMIPROVIDER WdfWmiInstanceGetProvider(WDFWMIINSTANCE WmiInstance)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    const wdf_wmi_instance_t *instance = WDF_FROM(WmiInstance, &wdf_wmi_instance_type);
    return (WDFWMIPROVIDER)(void *)instance->provider;
}

NTSTATUS WdfWmiInstanceFireEvent(WDFWMIINSTANCE WmiInstance, ULONG EventDataSize, PVOID EventData)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_wmi_instance_t *instance = WDF_FROM(WmiInstance, &wdf_wmi_instance_type);
    wdf_device_t       *device = instance->provider->device;
    PVOID               copy = NULL; /* WmiFireEvent frees it */
    if (EventDataSize != 0) {
        copy = ExAllocatePool2(POOL_FLAG_NON_PAGED, EventDataSize, tag_of(device));
        if (copy == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        if (EventData != NULL)
            memcpy(copy, EventData, EventDataSize);
    }
    return WmiFireEvent(device->wdm, &instance->provider->guid, index_of(instance), EventDataSize, copy);
}
