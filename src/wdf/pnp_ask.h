/*
 * pnp_ask.h - a framework driver asks another one something, as the PnP manager would.
 */
#ifndef NTMM_WDF_PNP_ASK_H
#define NTMM_WDF_PNP_ASK_H

#include <stdbool.h>

#include <ntddk.h>

/* An IRP of IRP_MJ_PNP with STATUS_NOT_SUPPORTED in it goes to the device, or to the top of the stack that it is in, and comes back. `query`:
 * minor function and parameters. *information: IoStatus.Information, before and after; or NULL. STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL */
NTSTATUS wdf_pnp_send(PDEVICE_OBJECT device, const IO_STACK_LOCATION *query, ULONG_PTR *information);
NTSTATUS wdf_pnp_ask(PDEVICE_OBJECT device, const IO_STACK_LOCATION *query, ULONG_PTR *information);
NTSTATUS wdf_pnp_query_interface(PDEVICE_OBJECT device, bool to_top, LPCGUID type, PINTERFACE interface, USHORT size, USHORT version,
                                 PVOID data);

#endif
