/*
 * pnp.h - what the files about Plug and Play share.
 */
#ifndef NTMM_IO_PNP_H
#define NTMM_IO_PNP_H

#include <stdbool.h>

#include <ntddk.h>

/* ---- pnp.c: one request to the top of a stack; its status. STATUS_INSUFFICIENT_RESOURCES: it could not be sent. ---- */
NTSTATUS io_pnp_send(PDEVICE_OBJECT device, UCHAR minor);
/* The children are physical devices from now on; *relations, or NULL: none, is for io_pnp_relations_free. */
NTSTATUS io_pnp_bus_relations(PDEVICE_OBJECT device, PDEVICE_RELATIONS *relations);
void     io_pnp_relations_free(PDEVICE_RELATIONS relations);

/* ---- pnp_tree.c ---- */
void io_pnp_tree_reset(void);
void io_pnp_is_started(PDEVICE_OBJECT device); /* the stack that it is in */

void io_require_pdo(const char *routine, PDEVICE_OBJECT device); /* else 0xCA with 2 */

/* ---- device_interface.c ---- */
void io_interfaces_reset(void);
bool io_interface_exists(PCUNICODE_STRING name);
void io_interfaces_forget(PDEVICE_OBJECT device); /* off the bus */
/* Each enabled one of that class, with no lock held; `name` is a copy. */
void io_interfaces_visit(const GUID *class_guid, void (*visit)(void *context, PUNICODE_STRING name), void *context);

/* ---- pnp_notify.c ---- */
void io_pnp_notifications_boot(void);
void io_notify_interface(const GUID *event, const GUID *class_guid, PUNICODE_STRING name);
/* Who asked for the stack above that physical device is told so; the first error ends it, if `may_refuse`. */
NTSTATUS io_notify_target(PDEVICE_OBJECT bottom, const GUID *event, bool may_refuse);

#endif
