/*
 * interrupt_ex.c - IoConnectInterruptEx: each version becomes a call of IoConnectInterrupt.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, IoConnectInterruptEx, IoDisconnectInterruptEx.
 * Fidelity    a device's interrupt resources are not known here: a line is given the next free vector. No device has messages.
 */
#include "ke/bugcheck.h"
#include "ke/irql.h"

#define LINE_DIRQL 8u
#define FIRST_LINE_VECTOR 0x1000u /* beyond those that drivers make up for themselves */

static NTSTATUS connect_full(const IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS *p)
{
    return IoConnectInterrupt(p->InterruptObject, p->ServiceRoutine, p->ServiceContext, p->SpinLock, p->Vector, p->Irql, p->SynchronizeIrql,
                              p->InterruptMode, p->ShareVector, p->ProcessorEnableMask, p->FloatingSave);
}

static NTSTATUS connect_line(const IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS *p)
{
    static _Atomic uint32_t vectors;
    KIRQL                   irql = p->SynchronizeIrql > LINE_DIRQL ? p->SynchronizeIrql : LINE_DIRQL;
    return IoConnectInterrupt(p->InterruptObject, p->ServiceRoutine, p->ServiceContext, p->SpinLock,
                              FIRST_LINE_VECTOR + atomic_fetch_add(&vectors, 1) % 0x10000000u, LINE_DIRQL, irql, LevelSensitive, TRUE, 1,
                              p->FloatingSave);
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
    case CONNECT_MESSAGE_BASED_PASSIVE: return fall_back(Parameters);
    default: Parameters->Version = CONNECT_CURRENT_VERSION; return STATUS_NOT_SUPPORTED;
    }
}

VOID IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    IoDisconnectInterrupt(Parameters->ConnectionContext.InterruptObject);
}
