/*
 * registry.h - the registry: a tree of keys with values, in the host's memory, of this boot of the machine.
 *
 *     \Registry -- Machine -- System -- CurrentControlSet -- Services ...     keys, sorted by name without regard to case
 *                                 `-- values                                  in the order in which they were written
 *
 * What drivers pass in is copied into the host's memory before the lock is taken, and what they get after it is given back: their buffers may be
 * pageable.
 *
 * Lock key: (R) the registry's lock
 */
#ifndef NTMM_IO_REGISTRY_H
#define NTMM_IO_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include <ntddk.h>

#include "ex/object.h"

typedef struct io_value {
    struct io_value *next; /* (R) */
    UNICODE_STRING   name;
    ULONG            type; /* (R) REG_* */
    ULONG            bytes;
    void            *data;
} io_value_t;

typedef struct io_key {
    struct io_key *parent, *first, *next; /* (R) parent NULL: the root, or deleted; first child, next sibling */
    io_value_t    *values;                /* (R) */
    UNICODE_STRING name, class_name;
    LARGE_INTEGER  written;     /* (R) when it, or a value of it, was changed */
    ULONG          opens;       /* (R) key objects */
    bool           deleted;     /* (R) gone from the tree; stays for its key objects */
    bool           is_volatile; /* (R) */
} io_key_t;

/* What a handle is of: nonpaged pool, tag `Key `. */
typedef struct io_key_object {
    io_key_t                 *key;
    _Atomic(PCUNICODE_STRING) name; /* of CmCallbackGetKeyObjectID; NULL: nobody has asked */
} io_key_object_t;
extern const struct _OBJECT_TYPE io_key_type;

#define IO_CONTROL_SET "\\Registry\\Machine\\System\\CurrentControlSet\\"

void io_registry_reset(void); /* boot and shutdown: empty */
void io_registry_lock(void);  /* makes the root and what is always there, if need be */
void io_registry_unlock(void);

/* ---- keys; names in the host's memory ---- */
typedef enum io_key_create { IO_KEY_OPEN, IO_KEY_CREATE_LAST, IO_KEY_CREATE_ALL } io_key_create_t;
/* From the root, or from `from`: path without a backslash in front, "" is the key itself. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_NO_MEMORY ... */
NTSTATUS  io_key_find_locked(io_key_t *from, UNICODE_STRING path, io_key_create_t create, bool is_volatile, io_key_t **key, bool *created);
io_key_t *io_key_child_locked(const io_key_t *key, ULONG index);   /* NULL: there are fewer */
NTSTATUS  io_key_delete_locked(io_key_t *key, bool with_children); /* STATUS_CANNOT_DELETE: it has subkeys, or is the root */
void      io_key_free_locked(io_key_t *key);                       /* deleted, and its last key object is gone */
void      io_key_touch_locked(io_key_t *key);
size_t    io_key_path_locked(const io_key_t *key, WCHAR *path); /* bytes; path NULL: only counted */

/* ---- values ---- */
io_value_t *io_value_find_locked(const io_key_t *key, PCUNICODE_STRING name);
io_value_t *io_value_at_locked(const io_key_t *key, ULONG index);
/* The name and the data become the value's: memory of the host's. */
NTSTATUS io_value_set_locked(io_key_t *key, UNICODE_STRING *name, ULONG type, void *data, ULONG bytes);
/* Copies of both, which may be anybody's memory. Takes the lock. */
NTSTATUS io_value_write(io_key_t *key, PCUNICODE_STRING name, ULONG type, const void *data, ULONG bytes);
bool     io_value_delete_locked(io_key_t *key, PCUNICODE_STRING name);

/* ---- handles (registry_key.c) ---- */
NTSTATUS io_key_open_handle(io_key_t *from, PCUNICODE_STRING path, io_key_create_t create, bool is_volatile, ACCESS_MASK access,
                            ULONG attributes, HANDLE *handle, bool *created); /* path may be anybody's memory */
/* Referenced; STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH. */
NTSTATUS io_key_reference(HANDLE handle, io_key_object_t **object);
void     io_key_dereference(io_key_object_t *object);
/* The path, in a block of pool of its own; STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS         io_key_object_name(const io_key_object_t *object, PCUNICODE_STRING *name);
void             io_key_object_name_free(PCUNICODE_STRING name);
PCUNICODE_STRING io_key_object_keep_name(io_key_object_t *object,
                                         PCUNICODE_STRING name); /* until its last handle is closed; the one that stays */

#endif
