/*
 * debug_print.c - DbgPrint and its like: formatted, filtered, handed to the test or to stderr.
 * Nothing here needs a machine, takes a lock or allocates, so that a driver may print at any IRQL, in an interrupt service routine and in a
 * bug-check callback. Settings belong to the process and outlive the machine.
 *
 *     message of (component, level)  ->  filter: one mask of 32 levels a component  ->  sink of the test, or stderr
 *
 * Source      WDK reference: wdm.h, DbgPrint, DbgPrintEx, vDbgPrintExWithPrefix; "Reading and filtering debugging messages".
 * Fidelity    choice: every level of every component is on at first, where Windows lets errors through, so that messages are not lost unseen.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "host/host.h"
#include "rtl/format.h"

#define COMPONENTS 256u
#define MESSAGE_BYTES 512u

static _Atomic uint32_t held_back[COMPONENTS]; /* a bit for each level that is off */
static ntmm_debug_sink  sink;
static void            *sink_context;

void ntmm_debug_output(ntmm_debug_sink print, void *context)
{
    sink_context = context;
    sink = print;
}

bool ntmm_debug_filter(uint32_t component, uint32_t levels)
{
    if (component >= COMPONENTS)
        return false;
    atomic_store_explicit(&held_back[component], ~levels, memory_order_relaxed);
    return true;
}

static uint32_t levels_of(ULONG level) { return level < 32 ? 1u << level : level; }

NTSTATUS DbgQueryDebugFilterState(ULONG ComponentId, ULONG Level)
{
    if (ComponentId >= COMPONENTS)
        return STATUS_INVALID_PARAMETER_1;
    return (levels_of(Level) & ~atomic_load_explicit(&held_back[ComponentId], memory_order_relaxed)) != 0 ? TRUE : FALSE;
}

NTSTATUS DbgSetDebugFilterState(ULONG ComponentId, ULONG Level, BOOLEAN State)
{
    if (ComponentId >= COMPONENTS)
        return STATUS_INVALID_PARAMETER_1;
    if (State)
        atomic_fetch_and_explicit(&held_back[ComponentId], ~levels_of(Level), memory_order_relaxed);
    else
        atomic_fetch_or_explicit(&held_back[ComponentId], levels_of(Level), memory_order_relaxed);
    return STATUS_SUCCESS;
}

ULONG vDbgPrintExWithPrefix(PCCH Prefix, ULONG ComponentId, ULONG Level, PCCH Format, va_list arglist)
{
    char       message[MESSAGE_BYTES + 1];
    rtl_text_t text = { .buffer = message, .room = MESSAGE_BYTES };
    size_t     length;

    if (DbgQueryDebugFilterState(ComponentId < COMPONENTS ? ComponentId : DPFLTR_DEFAULT_ID, Level) != TRUE)
        return STATUS_SUCCESS;
    rtl_format_text(&text, Prefix);
    rtl_format(&text, Format, arglist);
    length = text.count < MESSAGE_BYTES ? text.count : MESSAGE_BYTES;
    message[length] = '\0';
    if (sink != NULL)
        sink(sink_context, ComponentId, Level, message, length);
    else
        host_tell(message);
    return STATUS_SUCCESS;
}

ULONG vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list arglist)
{
    return vDbgPrintExWithPrefix("", ComponentId, Level, Format, arglist);
}

ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    va_list arguments;
    ULONG   status;
    va_start(arguments, Format);
    status = vDbgPrintExWithPrefix("", ComponentId, Level, Format, arguments);
    va_end(arguments);
    return status;
}

ULONG DbgPrint(PCSTR Format, ...)
{
    va_list arguments;
    ULONG   status;
    va_start(arguments, Format);
    status = vDbgPrintExWithPrefix("", DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL, Format, arguments);
    va_end(arguments);
    return status;
}
