/*
 * object.h - objects of the kernel, inside the library: what a layer does that has a kind of object of its own.
 *
 *     static const ex_object_type_t section_type = { .name = "Section", .tag = ..., .deleted = section_deleted, ... };
 *     section_t *section = ex_object_create(&section_type, sizeof *section);      one reference, the creator's
 *     status = ex_handle_open(section, access, attributes, &handle);              one more, the handle's
 *     ex_object_dereference(section);                                             the handle keeps it
 *
 * An object is a block of nonpaged pool with a header in front, or lives in a table of a lower layer, which counts for itself: a home.
 *
 * Lock key: (A) atomic   (B) set when it is made
 */
#ifndef NTMM_EX_OBJECT_H
#define NTMM_EX_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <ntddk.h>

/* What POBJECT_TYPE points to. */
typedef struct _OBJECT_TYPE {
    const char *name;
    ULONG       tag;        /* of the pool that its objects are made of */
    ACCESS_MASK all_access; /* every right that a handle of it may have */
    ACCESS_MASK generic_read, generic_write, generic_execute;
    void (*closed)(void *object);  /* one of its handles was closed, whose reference is given back next; PASSIVE_LEVEL. Or NULL */
    void (*deleted)(void *object); /* the last reference is gone, the storage goes next; <= DISPATCH_LEVEL, no lock held. Or NULL */
    void (*opened)(void *object);  /* ObOpenObjectByPointer makes one more handle; `closed` follows if it cannot. PASSIVE_LEVEL. Or NULL */
    void (*closed_last)(void *object); /* as closed, for the last of them only. Or NULL */
    /* The last reference is gone. True: the type calls ex_object_delete itself, later. <= DISPATCH_LEVEL, no lock held. Or NULL */
    bool (*postpone)(void *object);
} ex_object_type_t;

/* Objects that a lower layer keeps, where no header is in front of them. */
typedef struct ex_object_home {
    const ex_object_type_t *type;
    bool (*holds)(const void *object); /* any address may be asked for, at any IRQL */
    /* How many references drivers and handles have now; -1: it is gone, or has none to give back, and nothing has changed. */
    int64_t (*reference)(void *object);
    int64_t (*dereference)(void *object);
} ex_object_home_t;
void ex_object_home_add(const ex_object_home_t *home); /* while nothing runs; idempotent */

/* Zero bytes, nonpaged, one reference. NULL: no memory, or the failure was injected. At most DISPATCH_LEVEL. */
void *ex_object_create(const ex_object_type_t *type, size_t bytes);
/* NULL: it is no object. */
const ex_object_type_t *ex_object_type_of(const void *object);
/* References now; 0x18 for what is no object, or has none. */
int64_t ex_object_reference(const char *routine, void *object);
int64_t ex_object_try_reference(void *object); /* the same; -1 instead of 0x18: for who holds a lock */
int64_t ex_object_dereference(const char *routine, void *object);

void ex_object_delete(void *object); /* that was postponed */
void ex_object_handle_opened(void *object);
bool ex_object_handle_closed(void *object); /* true: it was the last one. Of an object in a table of a lower layer: never */

/* Generic rights and MAXIMUM_ALLOWED become those of the type. */
ACCESS_MASK ex_object_map_access(const ex_object_type_t *type, ACCESS_MASK access);

void ex_process_objects_register(void); /* object_ps.c: processes and threads are objects */

#endif
