/*
 * string_room.h - where the result of a conversion goes: the buffer that the destination has, or one from paged pool.
 */
#ifndef NTMM_EX_STRING_ROOM_H
#define NTMM_EX_STRING_ROOM_H

#include <stddef.h>

#include <ntifs.h>

typedef struct ex_string_room {
    NTSTATUS status; /* STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW, STATUS_INVALID_PARAMETER_2, STATUS_NO_MEMORY */
    PVOID    buffer;
    USHORT   maximum; /* bytes */
} ex_string_room_t;

/* Room for `bytes`, null included, in a buffer of `maximum` bytes, or with `allocate` in a new one. */
ex_string_room_t ex_string_room(PVOID buffer, USHORT maximum, size_t bytes, BOOLEAN allocate);
void             ex_string_free(PVOID buffer); /* NULL: nothing happens */

#endif
