/*
 * dpc.c - WDFDPC: a KDPC as an object.
 *
 * Locks       none of its own.
 * Source      WDK reference: wdfdpc.h, "DPC Objects"; the published framework.
 */
#include "wdf/serialize.h"

typedef struct wdf_dpc {
    wdf_object_t     object;
    WDF_DPC_CONFIG   config;
    wdf_serializer_t serializer;
    KDPC             dpc;
} wdf_dpc_t;

static void dpc_dispose(wdf_object_t *object);

static const wdf_type_t dpc_type = {
    .name = "WDFDPC", .number = WDF_NUMBER_DPC, .bytes = sizeof(wdf_dpc_t), .options = WDF_TYPE_PASSIVE_DISPOSE, .dispose = dpc_dispose
};

static VOID run(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wdf_dpc_t *self = context;
    (void)dpc, (void)argument1, (void)argument2;
    WDF_SERIALIZED_CALL(&self->serializer, self, self->config.EvtDpcFunc, (WDFDPC)self);
}

/* Off its queue, and out of its callback. */
static BOOLEAN stop(wdf_dpc_t *dpc)
{
    BOOLEAN removed = KeRemoveQueueDpc(&dpc->dpc);
    if (!removed)
        KeFlushQueuedDpcs();
    return removed;
}

static void dpc_dispose(wdf_object_t *object)
{
    wdf_dpc_t *dpc = (wdf_dpc_t *)(void *)object;
    if (dpc->config.EvtDpcFunc != NULL)
        (void)stop(dpc);
}

NTSTATUS WdfDpcCreate(PWDF_DPC_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes, WDFDPC *Dpc)
{
    wdf_dpc_t *dpc;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Config);
    WDF_REQUIRE(Attributes);
    WDF_REQUIRE(Dpc);
    *Dpc = NULL;
    if (Config->Size != sizeof *Config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Config->EvtDpcFunc == NULL)
        return STATUS_INVALID_PARAMETER;
    wdf_serializer_t serializer;
    NTSTATUS         status = wdf_serializer_init(__func__, &serializer, Attributes, 0, Config->AutomaticSerialization != FALSE, false);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &dpc_type, .attributes = Attributes }, &dpc);
    if (!NT_SUCCESS(status))
        return status;
    dpc->serializer = serializer;
    KeInitializeDpc(&dpc->dpc, run, dpc);
    status = wdf_object_commit(dpc, Attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(dpc);
        return status;
    }
    dpc->config = *Config;
    *Dpc = (WDFDPC)dpc;
    return STATUS_SUCCESS;
}

BOOLEAN WdfDpcEnqueue(WDFDPC Dpc)
{
    WDF_ENTER(HIGH_LEVEL, FALSE);
    wdf_dpc_t *dpc = WDF_FROM(Dpc, &dpc_type);
    return KeInsertQueueDpc(&dpc->dpc, NULL, NULL);
}

BOOLEAN WdfDpcCancel(WDFDPC Dpc, BOOLEAN Wait)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_dpc_t *dpc = WDF_FROM(Dpc, &dpc_type);
    if (!Wait)
        return KeRemoveQueueDpc(&dpc->dpc);
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return stop(dpc);
}

WDFOBJECT WdfDpcGetParentObject(WDFDPC Dpc)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_dpc_t *dpc = WDF_FROM(Dpc, &dpc_type);
    return dpc->object.parent;
}

PKDPC WdfDpcWdmGetDpc(WDFDPC Dpc)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_dpc_t *dpc = WDF_FROM(Dpc, &dpc_type);
    return &dpc->dpc;
}
