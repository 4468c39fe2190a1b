/*
 * device_dma.c - a device's DMA enablers when the device goes to D0, and when it leaves it.
 *
 *     up      for each, oldest first: EvtDmaEnablerFill, EvtDmaEnablerEnable, EvtDmaEnablerSelfManagedIoStart; the first failure ends it
 *     down    for each: EvtDmaEnablerSelfManagedIoStop, EvtDmaEnablerDisable, EvtDmaEnablerFlush; those whose counterpart has failed are left out
 *
 * Locks       dma->lock for the list; an enabler whose callbacks run is referenced.
 * Source      WDK reference: wdfdmaenabler.h, the pages of the six callbacks; what is left out after a failure: the published KMDF 1.33.
 */
#include "wdf/device_dma.h"
#include "wdf/dma_enabler.h"

/* ---- which there are ---- */

void wdf_device_dma_add(wdf_device_t *device, wdf_dma_enabler_t *enabler)
{
    wdf_device_dma_t *dma = wdf_device_dma(device);
    wdf_lock(&dma->lock);
    enabler->dma = dma;
    enabler->number = ++dma->created;
    InsertTailList(&dma->enablers, &enabler->link);
    wdf_unlock(&dma->lock);
}

void wdf_device_dma_remove(wdf_dma_enabler_t *enabler)
{
    wdf_device_dma_t *dma = enabler->dma;
    if (dma == NULL)
        return;
    wdf_lock(&dma->lock);
    RemoveEntryList(&enabler->link);
    enabler->dma = NULL;
    wdf_unlock(&dma->lock);
}

/* The first that was created after number `after`, referenced; NULL: there is none. */
static wdf_dma_enabler_t *next_of(wdf_device_dma_t *dma, uint64_t after)
{
    wdf_dma_enabler_t *next = NULL;
    wdf_lock(&dma->lock);
    for (PLIST_ENTRY entry = dma->enablers.Flink; entry != &dma->enablers && next == NULL; entry = entry->Flink)
        if (CONTAINING_RECORD(entry, wdf_dma_enabler_t, link)->number > after)
            next = CONTAINING_RECORD(entry, wdf_dma_enabler_t, link);
    if (next != NULL)
        wdf_object_reference(&next->object);
    wdf_unlock(&dma->lock);
    return next;
}

/* ---- up and down ---- */

/* All six have this type. */
static NTSTATUS call(wdf_dma_enabler_t *enabler, PFN_WDF_DMA_ENABLER_FILL callback)
{
    if (callback == NULL)
        return STATUS_SUCCESS;
    wdf_call_t call = wdf_call_begin(enabler->object.driver);
    NTSTATUS   status = callback((WDFDMAENABLER)(void *)enabler);
    WDF_CALL_END(&call, callback);
    return status;
}

static NTSTATUS up_one(wdf_dma_enabler_t *enabler)
{
    NTSTATUS status = call(enabler, enabler->config.EvtDmaEnablerFill);
    enabler->fill_failed = !NT_SUCCESS(status);
    enabler->enable_failed = false;
    if (NT_SUCCESS(status)) {
        status = call(enabler, enabler->config.EvtDmaEnablerEnable);
        enabler->enable_failed = !NT_SUCCESS(status);
    }
    return NT_SUCCESS(status) ? call(enabler, enabler->config.EvtDmaEnablerSelfManagedIoStart) : status;
}

static void down_one(wdf_dma_enabler_t *enabler)
{
    (void)call(enabler, enabler->config.EvtDmaEnablerSelfManagedIoStop);
    if (!enabler->fill_failed)
        (void)call(enabler, enabler->config.EvtDmaEnablerDisable);
    if (!enabler->fill_failed && !enabler->enable_failed)
        (void)call(enabler, enabler->config.EvtDmaEnablerFlush);
}

static NTSTATUS up(wdf_device_t *device)
{
    wdf_dma_enabler_t *enabler;
    NTSTATUS           status = STATUS_SUCCESS;
    for (uint64_t after = 0; NT_SUCCESS(status) && (enabler = next_of(wdf_device_dma(device), after)) != NULL;) {
        status = up_one(enabler);
        after = enabler->number;
        wdf_object_dereference("EvtDmaEnablerEnable", &enabler->object);
    }
    return status;
}

static void down(wdf_device_t *device, WDF_POWER_DEVICE_STATE target)
{
    wdf_dma_enabler_t *enabler;
    (void)target;
    for (uint64_t after = 0; (enabler = next_of(wdf_device_dma(device), after)) != NULL;) {
        down_one(enabler);
        after = enabler->number;
        wdf_object_dereference("EvtDmaEnablerDisable", &enabler->object);
    }
}

/* ---- the part ---- */

static NTSTATUS created(wdf_device_t *device)
{
    wdf_device_dma_t *dma = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *dma, device->object.tag);
    if (dma == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    InitializeListHead(&dma->enablers);
    device->parts[WDF_PART_DMA] = dma;
    return STATUS_SUCCESS;
}

static void destroyed(wdf_device_t *device)
{
    ExFreePool(device->parts[WDF_PART_DMA]);
    device->parts[WDF_PART_DMA] = NULL;
}

const wdf_device_part_t wdf_dma_part = { .number = WDF_PART_DMA, .created = created, .up = up, .down = down, .destroyed = destroyed };
