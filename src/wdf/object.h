/*
 * object.h - framework objects, inside the library: what every kind of handle is made of.
 *
 *     static const wdf_type_t collection_type = { .name = "WDFCOLLECTION", .number = 0x100E, .bytes = sizeof(collection_t), ... };
 *     typedef struct collection { wdf_object_t object; ... } collection_t;                      the handle is its address
 *
 *     status = wdf_attributes_check(attributes, 0);                                             the documented refusals
 *     status = wdf_object_new(&(wdf_new_t){ .type = &collection_type, .attributes = attributes }, &collection);
 *     ... fill in the body; on failure wdf_object_abandon(collection) ...
 *     status = wdf_object_commit(collection, attributes);                                       it has a parent, and may be seen
 *
 *     collection_t *c = WDF_FROM(Handle, &collection_type);                                     or 0x10D
 *
 * One block of nonpaged pool each:
 *
 *     | wdf_object_t, the type's own fields | extra: a memory object's buffer | wdf_context_t | the driver's context ... |
 *
 *     new --commit--> LIVE --delete, by the driver or with the parent--> CLAIMED (cleanup runs) --> DISPOSED --count 0--> destroyed
 *                                                    `- needs PASSIVE_LEVEL: DEFERRED until a worker thread comes -'
 *
 * Locks       object->lock, a word to spin on: its state, its list of children and their links. Never held while the driver's code runs.
 * Lock key: (L) lock   (P) the parent's lock   (A) atomic   (B) set when it is made
 */
#ifndef NTMM_WDF_OBJECT_H
#define NTMM_WDF_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <wdf.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "wdf/driver.h"
#include "wdf/lock.h"

typedef struct wdf_object wdf_object_t;

/* ---- kinds ---- */

enum wdf_type_options {
    WDF_TYPE_NO_DELETE = 1,       /* WdfObjectDelete is not for it: the framework deletes it */
    WDF_TYPE_PASSIVE_DISPOSE = 2, /* dispose, EvtCleanup, destroy and EvtDestroy run at PASSIVE_LEVEL */
    WDF_TYPE_PASSIVE_DELETE = 4,  /* WdfObjectDelete is for PASSIVE_LEVEL */
    WDF_TYPE_LONG_LIVED = 8       /* many children come and go while it stays: whoever makes it gets its lock cheaply */
};

typedef struct wdf_type {
    const char            *name;   /* of the handle: "WDFQUEUE" */
    USHORT                 number; /* as 0x10D shows it: FX_TYPE_* of the published framework */
    USHORT                 bytes;  /* of the structure that begins with wdf_object_t */
    unsigned               options;
    const struct wdf_type *base; /* whose handles these may stand for: a request's memory is a WDFMEMORY. Or NULL */
    /* Deleted, its children are cleaned up already, its EvtCleanup comes next: stop. Or NULL. */
    void (*dispose)(wdf_object_t *object);
    /* EvtDestroy has been called, the block goes next: give back what the body holds. Or NULL. Also for a block that was never committed. */
    void (*destroy)(wdf_object_t *object);
    /* Gives the block back instead of the pool (a lookaside list does). Or NULL. */
    void (*release)(wdf_object_t *object);
    /* The lock that the callbacks run under: WdfObjectAcquireLock. NULL, or an answer of NULL: it has none. */
    struct wdf_callback_lock *(*callback_lock)(wdf_object_t *object);
} wdf_type_t;

/* The numbers of the published framework. */
enum wdf_type_number {
    WDF_NUMBER_OBJECT = 0x1000,
    WDF_NUMBER_DRIVER = 0x1001,
    WDF_NUMBER_DEVICE = 0x1002,
    WDF_NUMBER_QUEUE = 0x1003,
    WDF_NUMBER_WMI_PROVIDER = 0x1004,
    WDF_NUMBER_KEY = 0x1006,
    WDF_NUMBER_STRING = 0x1007,
    WDF_NUMBER_REQUEST = 0x1008,
    WDF_NUMBER_LOOKASIDE = 0x1009,
    WDF_NUMBER_MEMORY = 0x100A,
    WDF_NUMBER_USER_OBJECT = 0x100C,
    WDF_NUMBER_COLLECTION = 0x100E,
    WDF_NUMBER_DPC = 0x1015,
    WDF_NUMBER_FILE_OBJECT = 0x1018,
    WDF_NUMBER_MEMORY_PREALLOCATED = 0x1022,
    WDF_NUMBER_WAIT_LOCK = 0x1023,
    WDF_NUMBER_SPIN_LOCK = 0x1024,
    WDF_NUMBER_WORK_ITEM = 0x1025,
    WDF_NUMBER_INTERRUPT = 0x1027,
    WDF_NUMBER_TIMER = 0x1028,
    WDF_NUMBER_CHILD_LIST = 0x1029,
    WDF_NUMBER_REQUEST_MEMORY = 0x1032,
    WDF_NUMBER_WMI_INSTANCE = 0x1034,
    WDF_NUMBER_IO_RESOURCE_LIST = 0x1035,
    WDF_NUMBER_CM_RESOURCE_LIST = 0x1036,
    WDF_NUMBER_IO_RESOURCE_REQUIREMENTS = 0x1037,
    WDF_NUMBER_IO_TARGET = 0x1200,
    WDF_NUMBER_IO_TARGET_REMOTE = 0x1201,
    WDF_NUMBER_DMA_ENABLER = 0x1400,
    WDF_NUMBER_DMA_TRANSACTION = 0x1401,
    WDF_NUMBER_COMMON_BUFFER = 0x1402
};

/* ---- one object ---- */

/* In front of each context of a driver's. */
typedef struct wdf_context {
    wdf_object_t                  *object;  /* (B) */
    struct wdf_context            *next;    /* (L) written once; read without it */
    PFN_WDF_OBJECT_CONTEXT_CLEANUP cleanup; /* taken back when it was called */
    PFN_WDF_OBJECT_CONTEXT_DESTROY destroy;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO type;    /* (B) NULL: callbacks only */
    uint64_t                       mark;    /* (B) WDF_CONTEXT_MARK and its own address */
    unsigned char                  bytes[]; /* 16-byte aligned, zero at first */
} wdf_context_t;
_Static_assert(sizeof(wdf_context_t) == 48, "a context is aligned as pool is");

struct wdf_object {
    uint64_t                 mark; /* (B) WDF_OBJECT_MARK and its own address; 0: destroyed */
    const wdf_type_t        *type; /* (B) */
    wdf_lock_t               lock;
    _Atomic uint8_t          state;      /* (A) enum wdf_state; changed under lock */
    uint8_t                  level;      /* (B) WDF_EXECUTION_LEVEL, never InheritFromParent once committed */
    uint8_t                  scope;      /* (B) WDF_SYNCHRONIZATION_SCOPE, the same */
    uint8_t                  flags;      /* enum wdf_object_flags */
    _Atomic int32_t          references; /* (A) */
    ULONG                    tag;        /* (B) of its block of pool */
    wdf_object_t            *parent;     /* (P) NULL: it has none, or left it; written and read atomically */
    LIST_ENTRY               siblings;   /* (P) */
    LIST_ENTRY               children;   /* (L) oldest first */
    _Atomic(wdf_context_t *) contexts;   /* (L) the first came with the object, others are blocks of their own */
    wdf_driver_t            *driver;     /* (B) whose it is */
    struct wdf_tag          *tags;       /* (L) references that were given a name */
};
_Static_assert(sizeof(wdf_object_t) % 16 == 0, "what follows is aligned as pool is");

enum wdf_state { WDF_NEW = 0, WDF_LIVE, WDF_CLAIMED, WDF_DEFERRED, WDF_DISPOSED };
enum wdf_object_flags {
    WDF_OBJECT_PASSIVE = 1,   /* its cleanup and destruction are for PASSIVE_LEVEL */
    WDF_OBJECT_NO_DELETE = 2, /* as the option of the type, for this one alone */
    WDF_OBJECT_DELETED = 4,   /* the framework has given back the reference of its creation: dropping to 0 is right */
    WDF_OBJECT_CONTEXT = 8,   /* the first context lies in its own block */
    WDF_OBJECT_ORDINARY = 16, /* its type has nothing to say about its end, and no options */
    WDF_OBJECT_UNDER = 32     /* its parent is WDF_TYPE_LONG_LIVED */
};

#define WDF_OBJECT_MARK UINT64_C(0x3146444B4D4D544E)
#define WDF_CONTEXT_MARK UINT64_C(0x3158544B4D4D544E)

/* ---- making one ---- */

enum wdf_attribute_options {
    WDF_ATTRIBUTES_REQUIRED = 1,  /* NULL: STATUS_WDF_PARENT_NOT_SPECIFIED */
    WDF_ATTRIBUTES_NO_PARENT = 2, /* a ParentObject: STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED */
    WDF_ATTRIBUTES_PARENT = 4,    /* none: STATUS_WDF_PARENT_NOT_SPECIFIED */
    WDF_ATTRIBUTES_LEVEL = 8,     /* ExecutionLevel may be set; otherwise STATUS_WDF_EXECUTION_LEVEL_INVALID */
    WDF_ATTRIBUTES_SCOPE = 16     /* SynchronizationScope may be set; otherwise STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID */
};
/* Size, context, parent, level, scope; does not look at the parent's handle. */
NTSTATUS wdf_attributes_check(PWDF_OBJECT_ATTRIBUTES attributes, unsigned options);

typedef struct wdf_new {
    const wdf_type_t      *type;
    PWDF_OBJECT_ATTRIBUTES attributes; /* for its context; checked already; or NULL */
    wdf_object_t          *parent;     /* where the attributes name none; NULL: the calling driver */
    wdf_driver_t          *root_of;    /* it has no parent: it is this one's WDFDRIVER. Or NULL */
    size_t                 extra;      /* bytes behind the type's structure */
    ULONG                  tag;        /* of the block; 0: the driver's */
    bool                   of_pool;    /* the block is of that pool: */
    POOL_TYPE              pool;
    void                  *block; /* take this one, of wdf_object_bytes() bytes, instead of one of a pool; or NULL */
} wdf_new_t;

/* Bytes that a block needs; false: more than there can be. */
bool wdf_object_bytes(const wdf_new_t *new_one, size_t *bytes);
/* Nobody knows it yet; its own fields and its context are zero, its extra bytes are not. *object: the type's structure.
 * STATUS_INSUFFICIENT_RESOURCES, STATUS_INTEGER_OVERFLOW; 0x10D/5: the parent is none. */
NTSTATUS wdf_object_new(const wdf_new_t *new_one, void *object);
/* It becomes a child of the parent that it was made for, and its callbacks are set. STATUS_DELETE_PENDING: that one is being deleted, and
 * nothing has changed: abandon it. */
NTSTATUS wdf_object_commit(void *object, PWDF_OBJECT_ATTRIBUTES attributes);
void     wdf_object_abandon(void *object); /* a creation that failed, before or at the commit: no callback of the driver's runs */

void wdf_object_forget_callbacks(wdf_object_t *object); /* the same for one that was committed and shall be deleted */

static inline void *wdf_extra(const wdf_object_t *object) { return (char *)(uintptr_t)object + ((object->type->bytes + 15u) & ~15u); }

/* ---- handles ---- */

/* NULL, of another kind (type; NULL: any will do), freed, or no handle at all: 0x10D/5. */
wdf_object_t *wdf_from_handle(const char *routine, const void *handle, const wdf_type_t *type);
#define WDF_FROM(handle, type) ((void *)wdf_from_handle(__func__, (handle), (type)))
/* Without a stop: NULL. */
wdf_object_t *wdf_peek_handle(const void *handle);

/* 0x10D; p4 is the address of the driver's globals. */
_Noreturn NTMM_COLD void wdf_stop(const char *routine, const char *why, ULONG_PTR code, ULONG_PTR p2, ULONG_PTR p3);
_Noreturn NTMM_COLD void wdf_stop_null(const char *routine, ULONG_PTR caller); /* 0x10D/4 */
#define WDF_REQUIRE(pointer) \
    do { \
        if (NTMM_UNLIKELY((pointer) == NULL)) \
            wdf_stop_null(__func__, KE_CALLER()); \
    } while (0)
/* Every routine of the framework begins so: the machine is up, or `refused` is returned. */
#define WDF_ENTER(max_irql, refused) \
    do { \
        KE_REQUIRE_IRQL(max_irql); \
        if (NTMM_UNLIKELY(!wdf_thread_is_ready(__func__))) \
            return refused; \
    } while (0)

/* ---- life ---- */

void wdf_object_delete(wdf_object_t *object);                           /* as WdfObjectDelete, for whatever type; <= DISPATCH_LEVEL */
void wdf_object_reference(wdf_object_t *object);                        /* it must be alive */
void wdf_object_dereference(const char *routine, wdf_object_t *object); /* 0x10D/7: it was not deleted */
/* What waits for a worker thread to clean it up is cleaned up now, or has been when this returns. PASSIVE_LEVEL. */
void wdf_deferred_flush(void);
void wdf_deferred_boot(void);
/* The nearest of that type among the object and its parents; NULL: none. */
wdf_object_t      *wdf_object_ancestor(wdf_object_t *object, const wdf_type_t *type);
static inline bool wdf_object_is_passive(const wdf_object_t *object) { return object->level == WdfExecutionLevelPassive; }

/* ---- contexts (context.c) ---- */

/* The object's context of that type, or NULL. */
void *wdf_context_find(wdf_object_t *object, PCWDF_OBJECT_CONTEXT_TYPE_INFO type);
/* For object.c: the one that comes with the object; bytes: how many to zero. */
void wdf_context_init(wdf_context_t *context, wdf_object_t *object, const WDF_OBJECT_ATTRIBUTES *attributes, size_t bytes);

#endif
