/*
 * pdo.h - physical devices that a bus driver of the framework makes for its children: what WDFDEVICE_INIT collects, and the WDFDEVICE keeps.
 *
 * Lock key: (B) set before the WDFDEVICE is seen   (P) PnP IRPs only, of which there is one at a time
 */
#ifndef NTMM_WDF_PDO_H
#define NTMM_WDF_PDO_H

#include <wdfpdo.h>

#include "wdf/device.h"
#include "wdf/relations.h"

struct wdf_child;

typedef struct wdf_pdo_id { /* one text, or several, each with its null; paged pool */
    PWCH   text;            /* NULL: none */
    SIZE_T bytes;           /* without the null that ends a list */
} wdf_pdo_id_t;

typedef struct wdf_pdo_text { /* in one language; paged pool */
    struct wdf_pdo_text *next;
    LCID                 locale;
    PWCH                 location;      /* behind the description */
    WCHAR                description[]; /* each with its null */
} wdf_pdo_text_t;

typedef struct wdf_pdo {
    wdf_device_t           *parent;                       /* (B) the bus, referenced */
    struct wdf_child       *child;                        /* (P) in the parent's list; NULL: no list has it, or has it any more */
    wdf_pdo_id_t            ids[BusQueryContainerID + 1]; /* (B) by BUS_QUERY_ID_TYPE */
    wdf_pdo_text_t         *texts;                        /* (B) as they were added */
    LCID                    default_locale;               /* (B) */
    bool                    is_static;                    /* (B) of WdfPdoInitAllocate */
    bool                    is_raw;                       /* (B) it works without a function driver */
    bool                    forwards_to_parent;           /* (B) */
    WDF_PDO_EVENT_CALLBACKS callbacks;                    /* (B) */
    wdf_relations_t         ejection;                     /* devices that go when it is ejected */
} wdf_pdo_t;

/* child NULL: a static one. NULL: no memory. */
wdf_pdo_t *wdf_pdo_new(wdf_device_t *parent, struct wdf_child *child);
void       wdf_pdo_delete(wdf_pdo_t *pdo, ULONG tag);
/* A WDFDEVICE_INIT for a PDO; wdf_device_init_end ends it, whatever this returns: STATUS_INSUFFICIENT_RESOURCES */
NTSTATUS wdf_pdo_init_begin(struct WDFDEVICE_INIT *init, wdf_device_t *parent, struct wdf_child *child);

/* true: the IRP is one that a physical device answers, and is complete; *status is what the dispatch routine returns. PASSIVE_LEVEL */
bool wdf_pdo_pnp(wdf_device_t *device, PIRP irp, NTSTATUS *status);
void wdf_pdo_pulled_out(const wdf_device_t *device); /* IRP_MN_SURPRISE_REMOVAL */
/* Its IRP_MN_REMOVE_DEVICE has come. Does that take it away for good? The bus has reported it missing, or no list has it. */
bool wdf_pdo_is_gone(const wdf_device_t *device);
/* Nobody reports it any more: its WDFDEVICE goes, whatever it still does. PASSIVE_LEVEL */
void wdf_pdo_end(wdf_device_t *device);

#endif
