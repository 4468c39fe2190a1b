/*
 * trace_bytes.h - the bytes of a trace file, whether it is plain text, an .xz file or standard input.
 */
#ifndef NTMM_TOOL_TRACE_BYTES_H
#define NTMM_TOOL_TRACE_BYTES_H

#include <stddef.h>
#include <sys/types.h>

typedef struct trace_bytes trace_bytes;

/**
 * Open a file; what it holds is recognised by its first bytes, not by its name.
 *
 * @param path  a file name, or "-" for standard input
 * @param why   room for a sentence, filled when NULL is returned
 */
trace_bytes *trace_bytes_open(const char *path, char *why, size_t why_size);

/** @return bytes put into buffer; 0 at the proper end; -1 when the input is broken: trace_bytes_fault() says how */
ssize_t trace_bytes_read(trace_bytes *bytes, void *buffer, size_t room);

/** What is wrong with the input, without file or line. */
const char *trace_bytes_fault(const trace_bytes *bytes);

void trace_bytes_close(trace_bytes *bytes);

#endif
