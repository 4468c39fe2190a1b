/*
 * dma_queue.c - who gets map registers and channels, and when: first come, first served.
 * A request is granted at once, on its own thread, or waits in its device's queue. Whoever gives something back grants what can be granted
 * now, and runs those requests' routines, as on Windows: a driver's routine may run on any thread, at DISPATCH_LEVEL.
 *
 *     submit --granted--> registers, channel --> CALLING --> the driver's routine --KeepObject------------> registers, channel
 *        |                                                          |--...KeepRegisters--> registers
 *        `-- WAITING --> granted by who gives back --^              `--DeallocateObject--> gone
 *
 * A request that waits for map registers lets no later one pass that wants some: it would starve. One that waits for the channel of its
 * adapter alone lets others pass. One thread at a time serves a queue; whoever gives something back meanwhile leaves that to it, so that
 * a routine which gives back does not call the next one from inside.
 *
 * Invariants  the registers of all requests that hold some, and the free ones, are all there are   (hal_check)
 * Locks       (D); not held while driver code runs.
 * Source      WDK reference: PALLOCATE_ADAPTER_CHANNEL, PGET_SCATTER_GATHER_LIST, DRIVER_CONTROL, IO_ALLOCATION_ACTION.
 */
#include <ntddk.h>

#include "hal/dma_probe.h"

hal_request_t *hal_request_make(hal_adapter_t *adapter)
{
    hal_request_t *request = hal_record_take(HAL_REQUEST);
    if (request != NULL)
        request->adapter = adapter;
    return request;
}

/* ---- granting ---- */

static bool channel_is_busy(const hal_request_t *request) { return request->wants_channel && request->adapter->channel != NULL; }

static bool grant_locked(hal_device_t *device, hal_request_t *request)
{
    if (channel_is_busy(request) || !hal_file_take_locked(&device->file, request->count, &request->first))
        return false;
    hal_state_set_locked(request, HAL_REGISTERS | HAL_CALLING | (request->list != NULL ? HAL_LIST : 0u) |
                                      (request->wants_channel ? HAL_CHANNEL : 0u));
    if (request->wants_channel)
        request->adapter->channel = request;
    request->adapter->lists_made += request->list != NULL;
    return true;
}

/* Nobody waits for map registers; and a channel that somebody waits for is busy, so that a newcomer does not get it either. */
static bool may_pass_locked(const hal_device_t *device)
{
    const hal_request_t *request = device->first_waiting;
    while (request != NULL && channel_is_busy(request))
        request = request->next;
    return request == NULL;
}

static void enqueue_locked(hal_device_t *device, hal_request_t *request)
{
    hal_state_set_locked(request, HAL_WAITING);
    if (device->last_waiting != NULL)
        device->last_waiting->next = request;
    else
        device->first_waiting = request;
    device->last_waiting = request;
}

static void dequeue_locked(hal_device_t *device, hal_request_t *before, hal_request_t *request)
{
    if (before != NULL)
        before->next = request->next;
    else
        device->first_waiting = request->next;
    if (device->last_waiting == request)
        device->last_waiting = before;
    request->next = NULL;
}

/* The first request that can be granted now, granted and out of the queue. */
static hal_request_t *next_grantable_locked(hal_device_t *device)
{
    bool registers_are_waited_for = false;
    for (hal_request_t *before = NULL, *request = device->first_waiting; request != NULL; before = request, request = request->next) {
        if (channel_is_busy(request) || (registers_are_waited_for && request->count != 0))
            continue;
        if (grant_locked(device, request)) {
            dequeue_locked(device, before, request);
            return request;
        }
        registers_are_waited_for = true;
    }
    return NULL;
}

/* ---- the driver's routine ---- */

static uint32_t states_that_end(IO_ALLOCATION_ACTION action)
{
    switch (action) {
    case KeepObject: return HAL_CALLING;
    case DeallocateObjectKeepRegisters: return HAL_CALLING | HAL_CHANNEL;
    default: return HAL_CALLING | HAL_CHANNEL | HAL_REGISTERS;
    }
}

/* A verifier wants bounce pages to be in order while nobody has them. */
static NTMM_COLD void look_at_bounce(const hal_request_t *request, bool freed)
{
    const hal_register_file_t *file = &request->adapter->device->file;
    char                      *first = file->bounce + ((size_t)request->first << PAGE_SHIFT);
    if (file->bounce == NULL)
        return;
    if (freed)
        hal_probe->bounce_free(first, (size_t)request->count << PAGE_SHIFT);
    else
        hal_probe->bounce_taken(first, (size_t)request->count << PAGE_SHIFT);
}

static uint32_t call(hal_request_t *request)
{
    if (request->control != NULL)
        return states_that_end(request->control(request->object, request->irp, request, request->context));
    request->list_control(request->object, request->irp, request->list, request->context);
    return HAL_CALLING;
}

/* With none of our locks held. The driver's routine runs at DISPATCH_LEVEL, whatever the caller's IRQL, outside of the library. */
static void run(hal_request_t *request)
{
    uint32_t end = HAL_CALLING;
    if (hal_probe != NULL)
        look_at_bounce(request, false);
    if (request->list != NULL)
        hal_list_build(request);
    if (request->control != NULL || request->list_control != NULL) {
        KIRQL irql = ke_self()->irql;
        ke_thread_leave(ke_self());
        if (irql < DISPATCH_LEVEL)
            KeRaiseIrql(DISPATCH_LEVEL, &irql);
        end = call(request);
        if (irql < DISPATCH_LEVEL)
            KeLowerIrql(irql);
        (void)ke_thread_enter("AdapterControl");
    }
    if (hal_probe != NULL && (hal_state(request) & end & HAL_REGISTERS) != 0)
        hal_probe->free_registers("AdapterControl", request);
    hal_request_end(request, end);
}

static void serve(hal_device_t *device)
{
    hal_request_t *request;
    ke_lock(&device->lock);
    bool mine = !device->serving && device->first_waiting != NULL;
    while (mine && (request = next_grantable_locked(device)) != NULL) {
        device->serving = true;
        ke_unlock(&device->lock);
        run(request);
        ke_lock(&device->lock);
    }
    if (mine)
        device->serving = false;
    ke_unlock(&device->lock);
}

/* ---- in and out ---- */

bool hal_request_submit(hal_request_t *request, bool now_or_never)
{
    hal_device_t *device = request->adapter->device;
    ke_lock(&device->lock);
    bool granted = may_pass_locked(device) && grant_locked(device, request);
    if (granted || !now_or_never)
        request->adapter->held++;
    if (!granted && !now_or_never)
        enqueue_locked(device, request);
    ke_unlock(&device->lock);
    if (granted)
        run(request);
    else if (now_or_never)
        hal_record_give(request);
    return granted || !now_or_never;
}

bool hal_request_end(hal_request_t *request, uint32_t states)
{
    hal_adapter_t *adapter = request->adapter;
    hal_device_t  *device = adapter->device;
    if (hal_probe != NULL && (hal_state(request) & states & HAL_REGISTERS) != 0)
        look_at_bounce(request, true);
    ke_lock(&device->lock);
    uint32_t ended = hal_state(request) & states, left = hal_state(request) & ~states;
    hal_state_set_locked(request, left);
    if ((ended & HAL_CHANNEL) != 0) {
        adapter->channel = NULL;
        if (device->programmed == adapter)
            device->programmed = NULL;
    }
    adapter->lists_put += (ended & HAL_LIST) != 0;
    if ((ended & HAL_REGISTERS) != 0)
        hal_file_give_locked(device, request->first, request->count);
    bool gone = left == 0, somebody_waits = device->first_waiting != NULL && (ended & (HAL_CHANNEL | HAL_REGISTERS)) != 0;
    bool last = gone && adapter->held == 1 && adapter->put;
    if (gone && !last)
        adapter->held--;
    if (gone)
        hal_record_give(request);
    ke_unlock(&device->lock);
    if (somebody_waits)
        serve(device);
    if (last)
        hal_adapter_release(adapter);
    return ended != 0;
}

bool hal_request_cancel(hal_adapter_t *adapter, PVOID transfer_context)
{
    hal_device_t  *device = adapter->device;
    hal_request_t *before = NULL, *request;
    ke_lock(&device->lock);
    for (request = device->first_waiting; request != NULL; before = request, request = request->next)
        if (request->adapter == adapter && request->transfer_context == transfer_context)
            break;
    if (request != NULL)
        dequeue_locked(device, before, request);
    ke_unlock(&device->lock);
    if (request == NULL)
        return false;
    hal_list_drop(request);
    hal_record_give(request);
    serve(device); /* it may have stood in somebody's way */
    hal_adapter_release(adapter);
    return true;
}

hal_request_t *hal_request_of(const hal_adapter_t *adapter, const void *handle)
{
    hal_request_t *request = (hal_request_t *)(uintptr_t)handle;
    bool           is = hal_record_is(request, HAL_REQUEST) && request->adapter == adapter && (hal_state(request) & HAL_REGISTERS) != 0;
    return is ? request : NULL;
}

/* ---- checking, leaks ---- */

typedef struct tally {
    const hal_device_t *device;
    uint64_t            registers;
} tally_t;

static void add_registers(void *context, void *record)
{
    tally_t             *tally = context;
    const hal_request_t *request = record;
    if (request->adapter->device == tally->device && (hal_state(request) & HAL_REGISTERS) != 0)
        tally->registers += request->count;
}

static void check_device(void *context, hal_device_t *device)
{
    bool       *sound = context;
    const char *what = NULL;
    tally_t     tally = { .device = device };
    hal_records_visit(HAL_REQUEST, add_registers, &tally);
    if (*sound && tally.registers + device->file.free != device->file.total)
        *sound = ke_error(false, "a device has %u map registers: requests hold %llu, and %u are free", device->file.total,
                          (unsigned long long)tally.registers, device->file.free);
    if (*sound && device->file.registers != NULL &&
        (!rt_runs_check(&device->file.runs, &what) || device->file.runs.free_count != device->file.free))
        *sound = ke_error(false, "the map registers of a device: %s", what != NULL ? what : "as many are free as are counted");
}

bool hal_check(void)
{
    bool sound = true;
    hal_devices_visit(check_device, &sound);
    return sound;
}
