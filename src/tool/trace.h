/*
 * trace.h - reading `ntmm-trace 1`: one checked event at a time.
 * What a replayer may rely on: every event that trace_next() returns is well formed, its numbers are in the ranges below, an allocation's
 * id was free and a free's id was live. The first thing that is wrong ends the reading, with one sentence that names file and line.
 */
#ifndef NTMM_TOOL_TRACE_H
#define NTMM_TOOL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_LINE_LIMIT 4096        /* bytes of a line, its newline included */
#define TRACE_ID_LIMIT (1u << 24)    /* ids are below this: that many things live at once */
#define TRACE_BYTES_LIMIT (1u << 30) /* bytes of one object: at most this */
#define TRACE_ORDER_LIMIT 10         /* a page run is at most 2^10 pages, as in the kernel that is recorded */
#define TRACE_CPU_LIMIT 64           /* processors are numbered below this */
#define TRACE_PAGE_BYTES 4096        /* the recorded kernel's page, whatever PAGE_SIZE is here */

typedef struct trace_event {
    uint64_t time_ns; /* since the start of the recording */
    uint32_t id;      /* names one live object (a c f) or one live page run (p q): two number spaces */
    uint32_t bytes;   /* a c: asked for, 1..TRACE_BYTES_LIMIT; p: the run's; f q: 0 */
    char     op;      /* a c f p q */
    char     context; /* t p b s d h */
    uint8_t  cpu;
    bool     may_wait; /* allocations: the caller may be put to sleep */
    bool     zeroed;   /* allocations: the memory is wanted zeroed */
    bool     below_16m, below_4g, reserves;
    char     tag[4]; /* allocations: printable ASCII, not terminated */
} trace_event;

typedef enum trace_status { TRACE_EVENT, TRACE_END, TRACE_FAULT } trace_status;

typedef struct trace_reader trace_reader;

/**
 * Open a trace and leave the rest to trace_next().
 *
 * @param path  a file, plain or .xz; "-": standard input
 * @param why   filled with "FILE: sentence" when NULL is returned
 */
trace_reader *trace_open(const char *path, char *why, size_t why_size);

/** The next event, or the proper end, or the first fault (then and ever after). */
trace_status trace_next(trace_reader *reader, trace_event *event);

/** "FILE:LINE: sentence" after TRACE_FAULT, "" before. */
const char *trace_fault(const trace_reader *reader);

/** What the header promises (`# events: N`); 0 when it says nothing. A piece cut from a longer trace may hold fewer. */
uint64_t trace_promised_events(const trace_reader *reader);

/** Events returned so far. */
uint64_t trace_event_count(const trace_reader *reader);

void trace_close(trace_reader *reader);

#endif
