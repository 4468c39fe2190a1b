/*
 * interrupt.c - WDFINTERRUPT: a KINTERRUPT that comes and goes with D0, and the DPC or work item behind it.
 *
 *     WdfInterruptCreate --resources of IRP_MN_START_DEVICE--> assigned --D0 entry: connect, EvtInterruptEnable--> ntmm_fire_interrupt calls the ISR
 *                                                                     <--D0 exit: EvtInterruptDisable, disconnect--'
 *
 * Locks       none: interrupts are made and deleted at PASSIVE_LEVEL, while the device neither starts nor stops.
 * Source      WDK reference: wdfinterrupt.h, "Handling Hardware Interrupts"; the published framework.
 * Fidelity    handling at PASSIVE_LEVEL is refused (STATUS_NOT_SUPPORTED); policies are remembered, without effect; each message of a message-signaled
 *             interrupt is one resource.
 */
#include "wdf/device_io.h"

#include "ex/work_queue.h"
#include "wdf/serialize.h"
#include "wdf/sync.h"

#define TAG_INTERRUPTS NTMM_TAG("WdfI")

typedef struct wdf_interrupts {   /* of a device */
    LIST_ENTRY        list;       /* oldest first; changes at PASSIVE_LEVEL, and not while the device starts or stops */
    PCM_RESOURCE_LIST translated; /* of IRP_MN_START_DEVICE, while it is being started */
} wdf_interrupts_t;

typedef struct wdf_interrupt {
    wdf_object_t                  object;
    wdf_device_t                 *device;
    LIST_ENTRY                    of_device;
    WDF_INTERRUPT_CONFIG          config;
    WDF_INTERRUPT_EXTENDED_POLICY policy;
    wdf_callback_lock_t          *lock;  /* of its DPC or work item; NULL: none */
    ULONG                         index; /* among the device's interrupts that take their turn */
    PKINTERRUPT                   wdm;   /* NULL: not connected */
    bool                          is_enabled;
    WDF_INTERRUPT_INFO            info;
    KIRQL                         irql; /* before WdfInterruptAcquireLock */
    KDPC                          dpc;
    wdf_lock_t                    item_lock;
    bool                          is_queued, is_running; /* (item_lock) the work item */
    KEVENT                        item_idle;
    WORK_QUEUE_ITEM               item;
} wdf_interrupt_t;

static void interrupt_dispose(wdf_object_t *object);

static const wdf_type_t interrupt_type = { .name = "WDFINTERRUPT",
                                           .number = WDF_NUMBER_INTERRUPT,
                                           .bytes = sizeof(wdf_interrupt_t),
                                           .options = WDF_TYPE_PASSIVE_DISPOSE | WDF_TYPE_NO_DELETE,
                                           .dispose = interrupt_dispose };

/* ---- what runs ---- */

static BOOLEAN service(PKINTERRUPT wdm, PVOID context)
{
    wdf_interrupt_t *interrupt = context;
    (void)wdm;
    wdf_call_t call = wdf_call_begin(interrupt->object.driver);
    BOOLEAN    claimed = interrupt->config.EvtInterruptIsr((WDFINTERRUPT)interrupt, interrupt->info.MessageNumber);
    WDF_CALL_END(&call, interrupt->config.EvtInterruptIsr);
    return claimed;
}

static void call_behind(wdf_interrupt_t *interrupt, PFN_WDF_INTERRUPT_DPC callback)
{
    const wdf_serializer_t serializer = { .lock = interrupt->lock };
    WDF_SERIALIZED_CALL(&serializer, interrupt, callback, (WDFINTERRUPT)interrupt, (WDFOBJECT)interrupt->device);
}

static VOID run_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wdf_interrupt_t *interrupt = context;
    (void)dpc, (void)argument1, (void)argument2;
    call_behind(interrupt, interrupt->config.EvtInterruptDpc);
}

static VOID run_item(PVOID context)
{
    wdf_interrupt_t *interrupt = context;
    wdf_lock(&interrupt->item_lock);
    interrupt->is_queued = false;
    interrupt->is_running = true;
    wdf_unlock(&interrupt->item_lock);
    call_behind(interrupt, interrupt->config.EvtInterruptWorkItem);
    wdf_lock(&interrupt->item_lock);
    interrupt->is_running = false;
    bool idle = !interrupt->is_queued;
    wdf_unlock(&interrupt->item_lock);
    if (idle)
        (void)KeSetEvent(&interrupt->item_idle, IO_NO_INCREMENT, FALSE);
    wdf_object_dereference("WdfInterruptQueueWorkItemForIsr", &interrupt->object);
}

/* From DIRQL, where worker threads are not woken: a DPC does that. */
static VOID queue_item(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wdf_interrupt_t *interrupt = context;
    (void)dpc, (void)argument1, (void)argument2;
    (void)KeResetEvent(&interrupt->item_idle);
    ex_work_queue("WdfInterruptQueueWorkItemForIsr", &interrupt->item);
}

/* ---- resources ---- */

/* The nth interrupt resource of a list. */
static PCM_PARTIAL_RESOURCE_DESCRIPTOR find_resource(PCM_RESOURCE_LIST list, ULONG index)
{
    if (list == NULL || list->Count == 0)
        return NULL;
    PCM_PARTIAL_RESOURCE_LIST partial = &list->List[0].PartialResourceList;
    for (ULONG i = 0; i < partial->Count; i++)
        if (partial->PartialDescriptors[i].Type == CmResourceTypeInterrupt && index-- == 0)
            return &partial->PartialDescriptors[i];
    return NULL;
}

static void assign(wdf_interrupt_t *interrupt, const CM_PARTIAL_RESOURCE_DESCRIPTOR *translated)
{
    WDF_INTERRUPT_INFO *info = &interrupt->info;
    WDF_INTERRUPT_INFO_INIT(info);
    if (translated == NULL)
        return;
    info->Vector = translated->u.Interrupt.Vector;
    info->Irql = (KIRQL)translated->u.Interrupt.Level;
    info->TargetProcessorSet = translated->u.Interrupt.Affinity;
    info->Mode = (translated->Flags & CM_RESOURCE_INTERRUPT_LATCHED) != 0 ? Latched : LevelSensitive;
    info->MessageSignaled = (translated->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0;
    info->ShareDisposition = translated->ShareDisposition;
}

static wdf_interrupts_t *interrupts_of(const wdf_device_t *device) { return device->parts[WDF_PART_INTERRUPTS]; }

static void assign_in_turn(wdf_interrupt_t *interrupt)
{
    if (interrupt->config.InterruptTranslated == NULL)
        assign(interrupt, find_resource(interrupts_of(interrupt->device)->translated, interrupt->index));
}

/* ---- power ---- */

static BOOLEAN call_enable(PVOID context)
{
    wdf_interrupt_t *interrupt = context;
    wdf_call_t       call = wdf_call_begin(interrupt->object.driver);
    NTSTATUS         status = interrupt->config.EvtInterruptEnable((WDFINTERRUPT)interrupt, wdf_device_handle(interrupt->device));
    WDF_CALL_END(&call, interrupt->config.EvtInterruptEnable);
    return NT_SUCCESS(status);
}

static BOOLEAN call_disable(PVOID context)
{
    wdf_interrupt_t *interrupt = context;
    wdf_call_t       call = wdf_call_begin(interrupt->object.driver);
    NTSTATUS         status = interrupt->config.EvtInterruptDisable((WDFINTERRUPT)interrupt, wdf_device_handle(interrupt->device));
    WDF_CALL_END(&call, interrupt->config.EvtInterruptDisable);
    return NT_SUCCESS(status);
}

static void disconnect(wdf_interrupt_t *interrupt)
{
    PKINTERRUPT wdm = interrupt->wdm;
    if (wdm == NULL)
        return;
    if (interrupt->is_enabled && interrupt->config.EvtInterruptDisable != NULL)
        (void)KeSynchronizeExecution(wdm, call_disable, interrupt);
    interrupt->is_enabled = false;
    interrupt->wdm = NULL;
    IoDisconnectInterrupt(wdm);
    if (!KeRemoveQueueDpc(&interrupt->dpc))
        KeFlushQueuedDpcs();
    else if (interrupt->config.EvtInterruptWorkItem != NULL) {
        interrupt->is_queued = false;
        wdf_object_dereference("WdfInterruptQueueWorkItemForIsr", &interrupt->object);
    }
    (void)KeWaitForSingleObject(&interrupt->item_idle, Executive, KernelMode, FALSE, NULL);
}

static NTSTATUS connect(wdf_interrupt_t *interrupt)
{
    const WDF_INTERRUPT_INFO   *info = &interrupt->info;
    const WDF_INTERRUPT_CONFIG *config = &interrupt->config;
    BOOLEAN                     share =
        config->ShareVector == WdfTrue || (config->ShareVector == WdfUseDefault && info->ShareDisposition == CmResourceShareShared);
    PKSPIN_LOCK lock = config->SpinLock != NULL ? wdf_spin_lock_word("WdfInterruptCreate", config->SpinLock) : NULL;
    if (info->Irql == 0) /* no resource */
        return STATUS_SUCCESS;
    NTSTATUS status = IoConnectInterrupt(&interrupt->wdm, service, interrupt, lock, info->Vector, info->Irql, info->Irql, info->Mode, share,
                                         info->TargetProcessorSet, config->FloatingSave);
    interrupt->is_enabled = NT_SUCCESS(status);
    if (!NT_SUCCESS(status) || config->EvtInterruptEnable == NULL)
        return status;
    interrupt->is_enabled = KeSynchronizeExecution(interrupt->wdm, call_enable, interrupt) != FALSE;
    return interrupt->is_enabled ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static void down(wdf_device_t *device, WDF_POWER_DEVICE_STATE target)
{
    LIST_ENTRY *list = &interrupts_of(device)->list;
    (void)target;
    for (PLIST_ENTRY entry = list->Blink; entry != list; entry = entry->Blink)
        disconnect(CONTAINING_RECORD(entry, wdf_interrupt_t, of_device));
}

static NTSTATUS up(wdf_device_t *device)
{
    LIST_ENTRY *list = &interrupts_of(device)->list;
    for (PLIST_ENTRY entry = list->Flink; entry != list; entry = entry->Flink) {
        wdf_interrupt_t *interrupt = CONTAINING_RECORD(entry, wdf_interrupt_t, of_device);
        NTSTATUS         status = interrupt->wdm == NULL ? connect(interrupt) : STATUS_SUCCESS;
        if (!NT_SUCCESS(status)) {
            down(device, WdfPowerDeviceD3);
            return status;
        }
    }
    interrupts_of(device)->translated = NULL; /* the IRP's list */
    return STATUS_SUCCESS;
}

/* Those that are made in EvtDevicePrepareHardware take theirs when they are made. */
static NTSTATUS resources(wdf_device_t *device, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated)
{
    wdf_interrupts_t *interrupts = interrupts_of(device);
    (void)raw;
    interrupts->translated = translated;
    for (PLIST_ENTRY entry = interrupts->list.Flink; entry != &interrupts->list; entry = entry->Flink)
        assign_in_turn(CONTAINING_RECORD(entry, wdf_interrupt_t, of_device));
    return STATUS_SUCCESS;
}

static NTSTATUS created(wdf_device_t *device)
{
    wdf_interrupts_t *interrupts = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *interrupts, TAG_INTERRUPTS);
    if (interrupts == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *interrupts = (wdf_interrupts_t){ .translated = NULL };
    InitializeListHead(&interrupts->list);
    device->parts[WDF_PART_INTERRUPTS] = interrupts;
    return STATUS_SUCCESS;
}

static void destroyed(wdf_device_t *device)
{
    ExFreePoolWithTag(device->parts[WDF_PART_INTERRUPTS], TAG_INTERRUPTS);
    device->parts[WDF_PART_INTERRUPTS] = NULL;
}

const wdf_device_part_t wdf_interrupts_part = {
    .number = WDF_PART_INTERRUPTS, .created = created, .up = up, .down = down, .destroyed = destroyed, .resources = resources
};

/* ---- life ---- */

static void interrupt_dispose(wdf_object_t *object)
{
    wdf_interrupt_t *interrupt = (wdf_interrupt_t *)(void *)object;
    if (interrupt->device == NULL)
        return;
    disconnect(interrupt);
    RemoveEntryList(&interrupt->of_device);
}

static NTSTATUS check_config(const wdf_device_t *device, const WDF_INTERRUPT_CONFIG *config)
{
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (config->EvtInterruptIsr == NULL || (config->EvtInterruptDpc != NULL && config->EvtInterruptWorkItem != NULL))
        return STATUS_INVALID_PARAMETER;
    if ((config->InterruptRaw == NULL) != (config->InterruptTranslated == NULL) || (config->WaitLock != NULL && !config->PassiveHandling))
        return STATUS_INVALID_PARAMETER;
    if (config->PassiveHandling)
        return ke_error(STATUS_NOT_SUPPORTED, "WdfInterruptCreate: interrupts handled at PASSIVE_LEVEL are not built yet");
    return device->in_d0 ? STATUS_INVALID_DEVICE_REQUEST : STATUS_SUCCESS;
}

static void fill_in(wdf_interrupt_t *interrupt, wdf_device_t *device, const WDF_INTERRUPT_CONFIG *config)
{
    LIST_ENTRY *list = &interrupts_of(device)->list;
    interrupt->device = device;
    interrupt->config = *config;
    WDF_INTERRUPT_EXTENDED_POLICY_INIT(&interrupt->policy);
    KeInitializeDpc(&interrupt->dpc, config->EvtInterruptWorkItem != NULL ? queue_item : run_dpc, interrupt);
    KeInitializeEvent(&interrupt->item_idle, NotificationEvent, TRUE);
    ExInitializeWorkItem(&interrupt->item, run_item, interrupt);
    for (PLIST_ENTRY entry = list->Flink; entry != list; entry = entry->Flink)
        interrupt->index += CONTAINING_RECORD(entry, wdf_interrupt_t, of_device)->config.InterruptTranslated == NULL;
    InsertTailList(list, &interrupt->of_device);
    if (config->InterruptTranslated != NULL)
        assign(interrupt, config->InterruptTranslated);
    else
        assign_in_turn(interrupt);
}

static NTSTATUS lock_for(wdf_device_t *device, const WDF_INTERRUPT_CONFIG *config, wdf_callback_lock_t **lock)
{
    bool passive = config->EvtInterruptWorkItem != NULL;
    *lock = config->AutomaticSerialization ? wdf_device_lock(device) : NULL;
    return *lock != NULL && (*lock)->is_passive != passive ? STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL : STATUS_SUCCESS;
}

NTSTATUS WdfInterruptCreate(WDFDEVICE Device, PWDF_INTERRUPT_CONFIG Configuration, PWDF_OBJECT_ATTRIBUTES Attributes,
                            WDFINTERRUPT *Interrupt)
{
    wdf_interrupt_t     *interrupt;
    wdf_callback_lock_t *lock = NULL;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(Configuration);
    WDF_REQUIRE(Interrupt);
    *Interrupt = NULL;
    NTSTATUS status = wdf_attributes_check(Attributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status))
        status = check_config(device, Configuration);
    if (NT_SUCCESS(status))
        status = lock_for(device, Configuration, &lock);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &interrupt_type, .attributes = Attributes, .parent = &device->object }, &interrupt);
    if (!NT_SUCCESS(status))
        return status;
    status = wdf_object_commit(interrupt, Attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(interrupt);
        return status;
    }
    interrupt->lock = lock;
    fill_in(interrupt, device, Configuration);
    *Interrupt = (WDFINTERRUPT)interrupt;
    return STATUS_SUCCESS;
}

/* ---- the driver's routines ---- */

BOOLEAN WdfInterruptQueueDpcForIsr(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(HIGH_LEVEL, FALSE);
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    if (interrupt->config.EvtInterruptDpc == NULL)
        wdf_break(__func__, "The interrupt has no EvtInterruptDpc.");
    return KeInsertQueueDpc(&interrupt->dpc, NULL, NULL);
}

BOOLEAN WdfInterruptQueueWorkItemForIsr(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(HIGH_LEVEL, FALSE);
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    if (interrupt->config.EvtInterruptWorkItem == NULL)
        wdf_break(__func__, "The interrupt has no EvtInterruptWorkItem.");
    wdf_lock(&interrupt->item_lock);
    bool is_new = !interrupt->is_queued;
    interrupt->is_queued = true;
    wdf_unlock(&interrupt->item_lock);
    if (is_new) {
        wdf_object_reference(&interrupt->object);
        (void)KeInsertQueueDpc(&interrupt->dpc, NULL, NULL);
    }
    return is_new;
}

typedef struct synchronize {
    wdf_interrupt_t              *interrupt;
    PFN_WDF_INTERRUPT_SYNCHRONIZE callback;
    WDFCONTEXT                    context;
} synchronize_t;

static BOOLEAN call_synchronized(PVOID context)
{
    const synchronize_t *synchronize = context;
    return synchronize->callback((WDFINTERRUPT)synchronize->interrupt, synchronize->context);
}

static void require_connected(const char *routine, const wdf_interrupt_t *interrupt)
{
    if (interrupt->wdm == NULL)
        wdf_break(routine, "The interrupt is not connected: the device is not in D0, or got no interrupt resource.");
}

BOOLEAN WdfInterruptSynchronize(WDFINTERRUPT Interrupt, PFN_WDF_INTERRUPT_SYNCHRONIZE Callback, WDFCONTEXT Context)
{
    WDF_ENTER(HIGH_LEVEL, FALSE);
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    WDF_REQUIRE(Callback);
    require_connected(__func__, interrupt);
    synchronize_t synchronize = { interrupt, Callback, Context };
    return KeSynchronizeExecution(interrupt->wdm, call_synchronized, &synchronize);
}

VOID WdfInterruptAcquireLock(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(HIGH_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    require_connected(__func__, interrupt);
    KIRQL before = KeAcquireInterruptSpinLock(interrupt->wdm);
    interrupt->irql = before;
}

VOID WdfInterruptReleaseLock(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(HIGH_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    require_connected(__func__, interrupt);
    KeReleaseInterruptSpinLock(interrupt->wdm, interrupt->irql);
}

BOOLEAN WdfInterruptTryToAcquireLock(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(PASSIVE_LEVEL, FALSE);
    (void)WDF_FROM(Interrupt, &interrupt_type);
    wdf_break(__func__, "Only an interrupt that is handled at PASSIVE_LEVEL has a lock that can be tried.");
}

VOID WdfInterruptEnable(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    require_connected(__func__, interrupt);
    if (interrupt->config.EvtInterruptEnable != NULL)
        (void)KeSynchronizeExecution(interrupt->wdm, call_enable, interrupt);
}

VOID WdfInterruptDisable(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    require_connected(__func__, interrupt);
    if (interrupt->config.EvtInterruptDisable != NULL)
        (void)KeSynchronizeExecution(interrupt->wdm, call_disable, interrupt);
}

PKINTERRUPT WdfInterruptWdmGetInterrupt(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(HIGH_LEVEL, NULL);
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    return interrupt->wdm;
}

VOID WdfInterruptGetInfo(WDFINTERRUPT Interrupt, PWDF_INTERRUPT_INFO Info)
{
    WDF_ENTER(HIGH_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    WDF_REQUIRE(Info);
    if (Info->Size != sizeof *Info)
        wdf_break(__func__, "Info->Size is not that of a WDF_INTERRUPT_INFO: WDF_INTERRUPT_INFO_INIT sets it.");
    *Info = interrupt->info;
    Info->Size = sizeof *Info;
}

VOID WdfInterruptSetPolicy(WDFINTERRUPT Interrupt, WDF_INTERRUPT_POLICY Policy, WDF_INTERRUPT_PRIORITY Priority,
                           KAFFINITY TargetProcessorSet)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    interrupt->policy.Policy = Policy;
    interrupt->policy.Priority = Priority;
    interrupt->policy.TargetProcessorSetAndGroup.Mask = TargetProcessorSet;
}

VOID WdfInterruptSetExtendedPolicy(WDFINTERRUPT Interrupt, PWDF_INTERRUPT_EXTENDED_POLICY PolicyAndGroup)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    WDF_REQUIRE(PolicyAndGroup);
    if (PolicyAndGroup->Size != sizeof *PolicyAndGroup)
        wdf_break(__func__, "PolicyAndGroup->Size is wrong: WDF_INTERRUPT_EXTENDED_POLICY_INIT sets it.");
    interrupt->policy = *PolicyAndGroup;
}

WDFDEVICE WdfInterruptGetDevice(WDFINTERRUPT Interrupt)
{
    WDF_ENTER(HIGH_LEVEL, NULL);
    wdf_interrupt_t *interrupt = WDF_FROM(Interrupt, &interrupt_type);
    return wdf_device_handle(interrupt->device);
}
