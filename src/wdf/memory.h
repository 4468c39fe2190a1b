/*
 * memory.h - memory objects from inside: whatever stands behind a WDFMEMORY begins like this.
 */
#ifndef NTMM_WDF_MEMORY_H
#define NTMM_WDF_MEMORY_H

#include "wdf/object.h"

typedef struct wdf_memory {
    wdf_object_t object;
    void        *buffer;
    size_t       bytes;
    PMDL         mdl;       /* that describes the buffer, when somebody has made one; not the object's. Or NULL */
    ULONG        tag;       /* of the buffer, a block of pool that goes with the object; 0: it is none */
    bool         read_only; /* CopyFromBuffer is refused: the sender's bytes of a request */
} wdf_memory_t;

/* Kinds of their own name it as their base, and begin with wdf_memory_t. */
extern const wdf_type_t wdf_memory_type;
void                    wdf_memory_destroy(wdf_object_t *object); /* frees the buffer, if that is its own */
static inline bool      wdf_pool_is_paged(POOL_TYPE type) { return ((ULONG)type & 1u) != 0; }

/* From a buffer to another, in parts: STATUS_BUFFER_TOO_SMALL: the source has not so many bytes; STATUS_INVALID_BUFFER_SIZE: the destination. */
NTSTATUS wdf_memory_copy(const void *source, size_t source_bytes, size_t source_offset, void *destination, size_t destination_bytes,
                         size_t destination_offset, size_t bytes);
/* Is the part inside of the object's buffer? NULL: all of it. STATUS_INTEGER_OVERFLOW, STATUS_INVALID_BUFFER_SIZE. */
NTSTATUS wdf_memory_part(const wdf_memory_t *memory, const WDFMEMORY_OFFSET *part, void **buffer, size_t *bytes);

#endif
