/*
 * replay_stream.h - a trace made ready to be played: 16 bytes an event, in an unlinked temporary file that children read.
 * All thinking about the trace happens here, once; a player only obeys.
 */
#ifndef NTMM_TOOL_REPLAY_STREAM_H
#define NTMM_TOOL_REPLAY_STREAM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool/allocator.h"

enum replay_flag {
    REPLAY_ALLOC = 1u << 0,      /* else a free */
    REPLAY_DISPATCH = 1u << 1,   /* the caller was not an ordinary thread: DISPATCH_LEVEL here */
    REPLAY_PAGED = BLOCK_PAGED,  /* allocations: paged pool will do */
    REPLAY_ZEROED = BLOCK_ZEROED /* allocations: the memory is wanted zeroed */
};

typedef struct replay_event {
    uint32_t slot;  /* which live block; 0..slots-1, the most recently freed first */
    uint32_t bytes; /* asked for; a free repeats what its allocation asked for */
    uint32_t tag;   /* first character lowest; a free repeats its allocation's */
    uint32_t flags; /* enum replay_flag */
} replay_event;
static_assert(sizeof(replay_event) == 16, "half a million events fit 8 MB");

/* What the file begins with, so that a child needs to be told nothing else. */
#define REPLAY_STREAM_MAGIC UINT64_C(0x315950524d4d544e) /* "NTMMRPY1" */
typedef struct replay_stream_header {
    uint64_t magic;
    uint64_t events; /* of this stream: replay_event records behind this header */
    uint64_t allocations;
    uint64_t slots;
    uint64_t peak_live_bytes; /* most bytes asked for and live at one instant */
    uint64_t peak_live_blocks;
    uint64_t largest_bytes; /* the largest single request */
    uint64_t irql_changes;  /* how often an event's level differs from the event's before it */
    uint64_t paged_allocations;
    uint64_t pad[7];
} replay_stream_header;
static_assert(sizeof(replay_stream_header) == 128, "events begin on a multiple of their size");

typedef enum replay_kind { REPLAY_OBJECTS, REPLAY_PAGES } replay_kind;

typedef struct replay_stream {
    int                  fd;           /* the unlinked file; read it with pread() */
    uint64_t             trace_events; /* of both kinds, in the trace */
    uint64_t             promised_events;
    replay_stream_header header;
} replay_stream;

/**
 * Read a trace to its end, check it, and write the chosen kind of events.
 *
 * @param why       filled when false is returned: "FILE:LINE: sentence" or "FILE: sentence"
 * @param not_found set when the file could not even be opened
 */
bool replay_stream_prepare(replay_stream *stream, const char *path, replay_kind kind, char *why, size_t why_size, bool *not_found);
void replay_stream_close(replay_stream *stream);

#endif
