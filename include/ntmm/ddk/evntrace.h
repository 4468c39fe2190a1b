/*
 * evntrace.h - levels of trace messages. There is no event tracing here: drivers need the names for their own trace macros.
 * Source  Windows reference: evntrace.h; WDK documentation: "Trace message levels".
 */
#ifndef NTMM_DDK_EVNTRACE_H
#define NTMM_DDK_EVNTRACE_H

#define TRACE_LEVEL_NONE 0
#define TRACE_LEVEL_CRITICAL 1
#define TRACE_LEVEL_FATAL 1
#define TRACE_LEVEL_ERROR 2
#define TRACE_LEVEL_WARNING 3
#define TRACE_LEVEL_INFORMATION 4
#define TRACE_LEVEL_VERBOSE 5
#define TRACE_LEVEL_RESERVED6 6
#define TRACE_LEVEL_RESERVED7 7
#define TRACE_LEVEL_RESERVED8 8
#define TRACE_LEVEL_RESERVED9 9

#endif
