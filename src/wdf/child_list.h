/*
 * child_list.h - the children of a bus, as its driver describes them: WDFCHILDLIST, and the list of static children that each FDO has.
 *
 *     described                BusRelations: PDO made      missing                BusRelations            IRP_MN_REMOVE_DEVICE
 *        |                            |                        |                         |                         |
 *      ADDED ------> WANTED ------------------> REPORTED ------------------> GONE ----------------> MISSING -----------> freed
 *        |             |                                                      |
 *        `-------------+--- missing before it was reported: freed             `--- EvtDeviceReportedMissing, once the answer is complete
 *
 * A description is in ADDED, and one that has been called missing still in its old state, as long as the driver scans or iterates, or an answer
 * to the PnP manager is under way: whoever walks the row finds it as it was. The last to end does all that waits, in order.
 *
 * Locks       children->lock, a spin lock: the driver's callbacks that copy and compare descriptions run under it, at DISPATCH_LEVEL, as with KMDF.
 * Lock key: (L) that lock   (B) set when it is made   (P) PnP IRPs of the bus, of which there is one at a time
 */
#ifndef NTMM_WDF_CHILD_LIST_H
#define NTMM_WDF_CHILD_LIST_H

#include <wdfchildlist.h>

#include "wdf/object.h"

struct wdf_device;

typedef struct wdf_children {
    wdf_object_t         *owner;     /* (B) WDFCHILDLIST, or the FDO; each child refers to it */
    struct wdf_device    *device;    /* (B) the bus */
    WDF_CHILD_LIST_CONFIG config;    /* (B) sizes and callbacks */
    bool                  is_static; /* (B) a description is the WDFDEVICE that it is for */
    KSPIN_LOCK            lock;
    LIST_ENTRY            row;       /* (L) of children, oldest first */
    ULONG                 scans;     /* (L) of the driver, and iterations, that have not ended; while there are any, and */
    ULONG                 reports;   /* (L) while answers are made up, nothing leaves the row, and changes wait */
    ULONG                 retries;   /* (P) answers in a row that failed for want of memory */
    KEVENT                unscanned; /* set while scans is 0 */
} wdf_children_t;

enum wdf_child_state { WDF_CHILD_ADDED, WDF_CHILD_WANTED, WDF_CHILD_REPORTED, WDF_CHILD_GONE, WDF_CHILD_MISSING };

/* One child: nonpaged pool, with its descriptions behind it. */
typedef struct wdf_child {
    LIST_ENTRY                                   links;    /* (L) */
    wdf_children_t                              *children; /* (B) */
    struct wdf_device                           *pdo;      /* (L) NULL: none yet, or none any more */
    uint8_t                                      state;    /* (L) enum wdf_child_state */
    bool                                         leaves;   /* (L) it has been called missing: WANTED is freed next, REPORTED becomes GONE */
    bool                                         was_found;      /* (L) in the scan under way, or the last one */
    bool                                         is_dead;        /* (L) freed as soon as nobody walks */
    bool                                         tells_missing;  /* (L) its driver is to hear that it was reported missing */
    bool                                         was_pulled_out; /* (L) IRP_MN_SURPRISE_REMOVAL has come, IRP_MN_REMOVE_DEVICE has not */
    PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id;             /* (B) its bytes: (L) */
    PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER        address;        /* (B) NULL: the list has none */
} wdf_child_t;

typedef struct wdf_child_list { /* WDFCHILDLIST */
    wdf_object_t   object;
    wdf_children_t children;
    LIST_ENTRY     of_device; /* device->bus.lock */
} wdf_child_list_t;

typedef struct wdf_static_id { /* the description of a static child */
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER header;
    struct wdf_device                          *pdo;
} wdf_static_id_t;

typedef struct wdf_bus { /* what every device has, should it be a bus */
    wdf_children_t    statics;
    wdf_child_list_t *default_list; /* (B) NULL: none */
    wdf_lock_t        lock;
    LIST_ENTRY        lists; /* (lock) of WDFCHILDLISTs; they leave it with the device */
} wdf_bus_t;

extern const wdf_type_t wdf_child_list_type;

/* ---- the row (child_row.c) ---- */

void wdf_children_init(wdf_children_t *children, wdf_object_t *owner, struct wdf_device *device, const WDF_CHILD_LIST_CONFIG *config);
/* STATUS_SUCCESS; STATUS_OBJECT_NAME_EXISTS: it is there, and its address is the new one; STATUS_INSUFFICIENT_RESOURCES, the driver's status.
 * All of these <= DISPATCH_LEVEL. */
NTSTATUS wdf_children_add(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id,
                          PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address);
NTSTATUS wdf_children_miss(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id); /* STATUS_NO_SUCH_DEVICE */
void     wdf_children_miss_one(wdf_child_t *child);
/* The bus itself is gone: whoever is in the row counts as reported missing. */
void wdf_children_lose_all(wdf_children_t *children);
/* The PDO is gone: so is the child. */
void wdf_child_forget_pdo(wdf_child_t *child);
/* The newest with that description, dead ones apart; NULL: none. The lock is held. */
wdf_child_t *wdf_children_find_locked(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id);
bool         wdf_child_matches_locked(const wdf_child_t *child, ULONG flags); /* WDF_RETRIEVE_CHILD_FLAGS */

static inline bool wdf_child_is_present(const wdf_child_t *child)
{
    return child->state == WDF_CHILD_WANTED || child->state == WDF_CHILD_REPORTED;
}

/* From begin to end nothing leaves the row. `anew`: who is not found meanwhile is missing. end: false, it was not begun. */
void wdf_children_scan_begin(wdf_children_t *children, bool anew);
bool wdf_children_scan_end(wdf_children_t *children);
void wdf_children_report_begin(wdf_children_t *children);
void wdf_children_report_end(wdf_children_t *children);
/* Whoever is present, and has not been called missing, counts as found. */
void wdf_children_find_all(wdf_children_t *children);
/* The one behind, for a walker; NULL: the first, none. */
wdf_child_t *wdf_children_next(wdf_children_t *children, wdf_child_t *child);

/* ---- descriptions (child_description.c). The lock is held, but for the cleanup. ---- */

bool wdf_child_is(wdf_children_t *children, const wdf_child_t *child, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id);
void wdf_child_copy_id(const wdf_child_t *child, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER to);
void wdf_child_copy_address(wdf_children_t *children, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER from, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER to);
NTSTATUS wdf_child_new(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id,
                       PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address, wdf_child_t **child);
void     wdf_child_free(wdf_child_t *child); /* no lock is held */

/* ---- answers to the PnP manager (child_relations.c). PASSIVE_LEVEL ---- */

void wdf_bus_init(struct wdf_device *device);
/* IRP_MN_QUERY_DEVICE_RELATIONS, BusRelations: the status that it is to go on, or to be completed, with. */
NTSTATUS wdf_bus_relations(struct wdf_device *device, PIRP irp);
void     wdf_bus_lost(struct wdf_device *device); /* IRP_MN_SURPRISE_REMOVAL */
void     wdf_bus_end(struct wdf_device *device);  /* it is about to be deleted: so are the children that it has reported */

/* ---- WDFCHILDLIST (child_list.c) ---- */

NTSTATUS wdf_child_list_check(PWDF_CHILD_LIST_CONFIG config, PWDF_OBJECT_ATTRIBUTES attributes);
/* Checked already. */
NTSTATUS wdf_child_list_new(struct wdf_device *device, const WDF_CHILD_LIST_CONFIG *config, PWDF_OBJECT_ATTRIBUTES attributes,
                            wdf_child_list_t **list);
/* The next of a device's; NULL: the first, none. */
wdf_child_list_t *wdf_child_list_next(struct wdf_device *device, wdf_child_list_t *list);

#endif
