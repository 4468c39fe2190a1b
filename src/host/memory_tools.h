/*
 * memory_tools.h - what AddressSanitizer, LeakSanitizer and Valgrind's memcheck are told about memory that is handed out in pieces.
 * To them a pool is one large mapping. With these words they know it piece by piece, and name the driver's line that touched a freed block.
 * Nobody is spoken to when none of them is there; they are found at run time, so the library need not be built for them.
 *
 * Locks   none of ours.
 */
#ifndef NTMM_HOST_MEMORY_TOOLS_H
#define NTMM_HOST_MEMORY_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

bool host_tools_watch(void); /* one of them watches memory, and does not watch this library's own steps in it */

void host_tools_hide(const void *at, size_t bytes);      /* nobody may touch it: fresh pages of a pool */
void host_tools_hand_out(const void *at, size_t bytes);  /* a part of what is hidden is the driver's, to the byte */
void host_tools_take_back(const void *at, size_t bytes); /* the same part is hidden again: freed */
void host_tools_forget(const void *at, size_t bytes);    /* ordinary memory, as if nothing had been said */

/* The machine goes: first what was handed out and not taken back, and all roots; then, when every hidden byte is forgotten, the tools. */
void host_tools_forget_pieces(void);
void host_tools_leave(void);

void host_tools_root(const void *at,
                     size_t      bytes); /* pointers that lie here keep malloc()ed memory from being a leak. Readable at any time */

/* Between begin and end the calling thread may read and write what is hidden. They nest. */
void host_tools_begin_access(void);
void host_tools_end_access(void);

#endif
