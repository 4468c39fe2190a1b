/*
 * interrupt_connect.c - IoConnectInterruptEx: who knows the device knows its vectors, and each becomes a call of IoConnectInterrupt.
 *
 *     CONNECT_FULLY_SPECIFIED   vector, IRQL and mode are the driver's words
 *     CONNECT_LINE_BASED        they are those of the first line in the resources that the device was started with
 *     CONNECT_MESSAGE_BASED     every message in these resources is connected, and a table of them is the driver's; without messages the
 *                               fallback routine is connected to the line
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, IoConnectInterruptEx, IoDisconnectInterruptEx, "Using the CONNECT_MESSAGE_BASED Version of
 *             IoConnectInterruptEx", "Using Interrupt Resource Descriptors".
 * Fidelity    a device that is not on the bus, or was started without an interrupt, is given the next free vector and DIRQL 8, so that a
 *             test need not start it. A resource that is a message stands for one; its address and data are not the bus's.
 */
#include "io/bus.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"

#define TAG_MESSAGES NTMM_TAG("IoMs")
#define LINE_DIRQL 8u
#define FIRST_LINE_VECTOR 0x1000u /* beyond those that drivers make up for themselves */

/* ---- lines ---- */

static NTSTATUS connect_full(const IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS *p)
{
    return IoConnectInterrupt(p->InterruptObject, p->ServiceRoutine, p->ServiceContext, p->SpinLock, p->Vector, p->Irql, p->SynchronizeIrql,
                              p->InterruptMode, p->ShareVector, p->ProcessorEnableMask, p->FloatingSave);
}

static io_bus_interrupt_t made_up(void)
{
    static _Atomic uint32_t vectors;
    return (io_bus_interrupt_t){ .vector = FIRST_LINE_VECTOR + atomic_fetch_add(&vectors, 1) % 0x10000000u,
                                 .irql = LINE_DIRQL,
                                 .is_shared = true };
}

static io_bus_interrupt_t line_of(const io_bus_device_t *device)
{
    for (uint32_t i = 0; device != NULL && i < device->interrupt_count; i++)
        if ((device->interrupts[i].flags & CM_RESOURCE_INTERRUPT_MESSAGE) == 0)
            return device->interrupts[i];
    return made_up();
}

static NTSTATUS connect_line(const IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS *p)
{
    const io_bus_interrupt_t                        line = line_of(io_bus_device_of(p->PhysicalDeviceObject));
    IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS full = {
        .InterruptObject = p->InterruptObject,
        .ServiceRoutine = p->ServiceRoutine,
        .ServiceContext = p->ServiceContext,
        .SpinLock = p->SpinLock,
        .SynchronizeIrql = p->SynchronizeIrql > line.irql ? p->SynchronizeIrql : line.irql,
        .FloatingSave = p->FloatingSave,
        .ShareVector = line.is_shared,
        .Vector = line.vector,
        .Irql = line.irql,
        .InterruptMode = (line.flags & CM_RESOURCE_INTERRUPT_LATCHED) != 0 ? Latched : LevelSensitive,
        .ProcessorEnableMask = 1
    };
    return connect_full(&full);
}

/* ---- messages ---- */

typedef struct message {
    struct message_table *table;
    ULONG                 number;
} message_t;

typedef struct message_table {
    PKMESSAGE_SERVICE_ROUTINE routine;
    PVOID                     context;
    KSPIN_LOCK                own_lock; /* of all messages, when the driver has none */
    message_t                 messages[IO_BUS_INTERRUPTS];
    IO_INTERRUPT_MESSAGE_INFO info; /* the driver's; with as many entries as there are messages */
} message_table_t;

static BOOLEAN serve_message(PKINTERRUPT interrupt, PVOID context)
{
    const message_t *message = context;
    return message->table->routine(interrupt, message->table->context, message->number);
}

static void disconnect_messages(message_table_t *table)
{
    for (ULONG i = 0; i < table->info.MessageCount; i++)
        IoDisconnectInterrupt(table->info.MessageInfo[i].InterruptObject);
    ExFreePoolWithTag(table, TAG_MESSAGES);
}

static NTSTATUS connect_message(message_table_t *table, const io_bus_interrupt_t *resource,
                                const IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS *p)
{
    ULONG                            number = table->info.MessageCount;
    IO_INTERRUPT_MESSAGE_INFO_ENTRY *entry = &table->info.MessageInfo[number];
    table->messages[number] = (message_t){ table, number };
    *entry =
        (IO_INTERRUPT_MESSAGE_INFO_ENTRY){ .TargetProcessorSet = 1, .Vector = resource->vector, .Irql = resource->irql, .Mode = Latched };
    NTSTATUS status = IoConnectInterrupt(&entry->InterruptObject, serve_message, &table->messages[number],
                                         p->SpinLock != NULL ? p->SpinLock : &table->own_lock, resource->vector, resource->irql,
                                         table->info.UnifiedIrql, Latched, FALSE, 1, p->FloatingSave);
    if (NT_SUCCESS(status))
        table->info.MessageCount++;
    return status;
}

/* Messages share a lock, and so they all run at the highest of their levels. */
static ULONG count_messages(const io_bus_device_t *device, KIRQL *highest)
{
    ULONG count = 0;
    for (uint32_t i = 0; device != NULL && i < device->interrupt_count; i++)
        if ((device->interrupts[i].flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0) {
            count++;
            if (device->interrupts[i].irql > *highest)
                *highest = device->interrupts[i].irql;
        }
    return count;
}

static NTSTATUS connect_messages(const IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS *p, const io_bus_device_t *device, ULONG count,
                                 KIRQL irql)
{
    NTSTATUS         status = STATUS_SUCCESS;
    message_table_t *table =
        ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *table + (count - 1) * sizeof table->info.MessageInfo[0], TAG_MESSAGES);
    if (table == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    table->routine = p->MessageServiceRoutine;
    table->context = p->ServiceContext;
    table->info.UnifiedIrql = irql;
    *p->ConnectionContext.InterruptMessageTable = &table->info;
    for (uint32_t i = 0; i < device->interrupt_count && NT_SUCCESS(status); i++)
        if ((device->interrupts[i].flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0)
            status = connect_message(table, &device->interrupts[i], p);
    if (!NT_SUCCESS(status)) {
        *p->ConnectionContext.InterruptMessageTable = NULL;
        disconnect_messages(table);
    }
    return status;
}

static NTSTATUS fall_back(PIO_CONNECT_INTERRUPT_PARAMETERS parameters)
{
    const IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS *p = &parameters->MessageBased;
    IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS           line = { .PhysicalDeviceObject = p->PhysicalDeviceObject,
                                                                  .InterruptObject = p->ConnectionContext.InterruptObject,
                                                                  .ServiceRoutine = p->FallBackServiceRoutine,
                                                                  .ServiceContext = p->ServiceContext,
                                                                  .SpinLock = p->SpinLock,
                                                                  .SynchronizeIrql = p->SynchronizeIrql,
                                                                  .FloatingSave = p->FloatingSave };
    if (p->FallBackServiceRoutine == NULL)
        return STATUS_NOT_FOUND;
    NTSTATUS status = connect_line(&line);
    if (NT_SUCCESS(status))
        parameters->Version = CONNECT_LINE_BASED;
    return status;
}

static NTSTATUS connect_by_message(PIO_CONNECT_INTERRUPT_PARAMETERS parameters)
{
    const IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS *p = &parameters->MessageBased;
    const io_bus_device_t                               *device = io_bus_device_of(p->PhysicalDeviceObject);
    KIRQL                                                irql = p->SynchronizeIrql;
    ULONG                                                count = count_messages(device, &irql);
    if (count == 0)
        return fall_back(parameters);
    return p->MessageServiceRoutine != NULL ? connect_messages(p, device, count, irql) : STATUS_INVALID_PARAMETER;
}

/* ---- what drivers call ---- */

NTSTATUS IoConnectInterruptEx(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    switch (Parameters->Version) {
    case CONNECT_FULLY_SPECIFIED: return connect_full(&Parameters->FullySpecified);
    case CONNECT_FULLY_SPECIFIED_GROUP:
        return Parameters->FullySpecified.Group == 0 ? connect_full(&Parameters->FullySpecified) : STATUS_INVALID_PARAMETER;
    case CONNECT_LINE_BASED: return connect_line(&Parameters->LineBased);
    case CONNECT_MESSAGE_BASED:
    case CONNECT_MESSAGE_BASED_PASSIVE: return connect_by_message(Parameters);
    default: Parameters->Version = CONNECT_CURRENT_VERSION; return STATUS_NOT_SUPPORTED;
    }
}

VOID IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (Parameters->Version == CONNECT_MESSAGE_BASED || Parameters->Version == CONNECT_MESSAGE_BASED_PASSIVE)
        disconnect_messages(CONTAINING_RECORD(Parameters->ConnectionContext.InterruptMessageTable, message_table_t, info));
    else
        IoDisconnectInterrupt(Parameters->ConnectionContext.InterruptObject);
}
