/*
 * resource_list.h - lists of hardware resources, inside the library: who makes them, and fills them from what PnP brings.
 */
#ifndef NTMM_WDF_RESOURCE_LIST_H
#define NTMM_WDF_RESOURCE_LIST_H

#include "wdf/object.h"

/* What the driver may do with a list. */
enum wdf_resource_access { WDF_RESOURCES_READ = 0, WDF_RESOURCES_ADD = 1, WDF_RESOURCES_REMOVE = 2 };

extern const wdf_type_t wdf_cm_list_type, wdf_io_list_type, wdf_io_requirements_type;

/* An empty list, child of `parent`; a WDFCMRESLIST. STATUS_INSUFFICIENT_RESOURCES */
NTSTATUS wdf_cm_list_new(wdf_object_t *parent, wdf_object_t **list);
/* It has what `from` has from now on, and nothing else; NULL: nothing at all. On failure it is empty. */
NTSTATUS wdf_cm_list_fill(wdf_object_t *list, const CM_RESOURCE_LIST *from, unsigned access);
/* The same in one block of paged pool, with the driver's tag; *out NULL: the list is empty. */
NTSTATUS wdf_cm_list_to_wdm(wdf_object_t *list, PCM_RESOURCE_LIST *out);

/* A WDFIORESREQLIST with what PnP proposes (NULL: nothing), child of `parent`. */
NTSTATUS wdf_io_requirements_new(wdf_object_t *parent, const IO_RESOURCE_REQUIREMENTS_LIST *from, unsigned access, wdf_object_t **list);
/* The driver has changed something. */
bool wdf_io_requirements_changed(const wdf_object_t *list);
/* As PnP wants it, in paged pool with the driver's tag; *out NULL: there are no alternatives. */
NTSTATUS wdf_io_requirements_to_wdm(wdf_object_t *list, PIO_RESOURCE_REQUIREMENTS_LIST *out);

#endif
