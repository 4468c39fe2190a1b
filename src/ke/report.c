/*
 * report.c - the stop report: what a driver author reads after a bug check. It says, in this order: which rule was broken (code and
 * name), who noticed and in one sentence why, at which IRQL, what each parameter means for this code and what lies at the addresses among
 * them, the host's backtrace, and what the driver most likely did wrong. The drivers' callbacks add their part at the end. The buffer is
 * static, because a stop may come while the host's heap is locked or broken; it has room for all but the callbacks, and if they say too much
 * it ends with a whole line and a remark.
 *
 * Locks   none: the stop that halts the machine is the only writer.
 * Elsewhere  meaning of parameters, advice: stop_text.c.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/allocation_trace.h"
#include "ke/catch.h"
#include "ke/report.h"

#define BACKTRACE_MAX 32u
#define DESCRIBERS_MAX 16u

#define NO_ROOM "  (the report ends here: there is no room for more)\n"

static char   text[16384];
static size_t text_used, text_printed;
static bool   text_is_full;
static bool   report_is_quiet;

static struct { /* places in the program that the text names */
    uintptr_t address[HOST_SOURCE_LINES];
    size_t    end[HOST_SOURCE_LINES]; /* of its line in the text, without the line feed */
    size_t    count;
} places;

static _Atomic(ke_describe_t) describers[DESCRIBERS_MAX];

void ke_describe_register(ke_describe_t describe)
{
    for (size_t i = 0; i < DESCRIBERS_MAX; i++) {
        ke_describe_t there = NULL;
        if (atomic_compare_exchange_strong(&describers[i], &there, describe) || there == describe)
            return;
    }
    NTMM_INVARIANT(false, "every layer registers one hook that describes addresses");
}

bool ke_describe(uintptr_t address, char *line, size_t bytes)
{
    for (size_t i = 0; i < DESCRIBERS_MAX; i++) {
        ke_describe_t describe = atomic_load(&describers[i]);
        if (describe != NULL && describe(address, line, bytes))
            return true;
    }
    return false;
}

void ke_report_configure(bool quiet)
{
    report_is_quiet = quiet;
    text_used = text_printed = places.count = 0;
    text_is_full = false;
    text[0] = '\0';
    ke_stop_callbacks_boot();
}

/* The line that did not fit goes, from its beginning. */
static void text_end(void)
{
    while (text_used > text_printed && text[text_used - 1] != '\n')
        text_used--;
    memcpy(text + text_used, NO_ROOM, sizeof NO_ROOM);
    text_used += sizeof NO_ROOM - 1;
    text_is_full = true;
}

void ke_report_append(const char *format, ...)
{
    size_t  room = sizeof text - sizeof NO_ROOM - text_used;
    va_list arguments;
    int     wanted;

    if (text_is_full)
        return;
    va_start(arguments, format);
    wanted = vsnprintf(text + text_used, room, format, arguments);
    va_end(arguments);
    if (wanted >= 0 && (size_t)wanted < room)
        text_used += (size_t)wanted;
    else
        text_end();
}

/* ---- files and lines ----
 * To find them takes longer than all the rest of a stop, so they are added when somebody reads the report. */

static void place_insert(size_t at, const char *source)
{
    size_t bytes = strlen(source) + 2;
    if (bytes == 2 || text_used + bytes > sizeof text - sizeof NO_ROOM)
        return;
    memmove(text + at + bytes, text + at, text_used - at + 1);
    memcpy(text + at, "  ", 2);
    memcpy(text + at + 2, source, bytes - 2);
    text_used += bytes;
    text_printed += at < text_printed ? bytes : 0;
}

static void places_to_lines(void)
{
    static host_source_line_t lines[HOST_SOURCE_LINES];
    if (places.count == 0)
        return;
    host_source_lines(places.address, places.count, lines);
    while (places.count > 0) {
        places.count--;
        place_insert(places.end[places.count], lines[places.count].text);
    }
}

void ke_report_print(void)
{
    if (!report_is_quiet) {
        places_to_lines();
        fwrite(text + text_printed, 1, text_used - text_printed, stderr);
        fflush(stderr);
    }
    text_printed = text_used;
}

void ke_report_print_at_the_end(void)
{
    if (report_is_quiet) {
        places_to_lines();
        fwrite(text, 1, text_used, stderr);
        fflush(stderr);
    }
}

char *ke_report_text(size_t *bytes)
{
    *bytes = text_used;
    return text;
}

const char *ntmm_stop_report(void)
{
    places_to_lines();
    return text;
}

static const char *irql_name(uintptr_t irql)
{
    static const char *const names[] = { "PASSIVE_LEVEL", "APC_LEVEL", "DISPATCH_LEVEL" };
    if (irql < NTMM_ARRAY_COUNT(names))
        return names[irql];
    if (irql < CLOCK_LEVEL)
        return "a device level";
    return irql == HIGH_LEVEL ? "HIGH_LEVEL" : "a level above the devices";
}

typedef struct describe_request {
    uintptr_t   address;
    char        line[256];
    bool        known;
    const void *start; /* of the allocation that it lies in */
} describe_request_t;

static void describe_call(void *context)
{
    describe_request_t *request = context;
    request->known = ke_describe(request->address, request->line, sizeof request->line);
    if (request->known && ke_trace_on && ke_trace_start_of != NULL)
        request->start = ke_trace_start_of(request->address);
}

static void place_append(const char *label, uintptr_t address)
{
    char line[256] = "";
    host_describe_address(address, line, sizeof line);
    ke_report_append("  %-12s  0x%016llX  %s\n", label, (unsigned long long)address, line);
    if (places.count < HOST_SOURCE_LINES && !text_is_full) {
        places.address[places.count] = address;
        places.end[places.count++] = text_used - 1;
    }
}

static void stack_append(const char *label, const uintptr_t *frames)
{
    for (size_t i = 0; i < KE_TRACE_FRAMES && frames[i] != 0; i++)
        place_append(i == 0 ? label : "", frames[i] - 1);
}

/* A freed block may be part of a larger free one by now: then the address itself is what was allocated, or nobody knows. */
static void trace_append(const describe_request_t *request)
{
    ke_trace_t trace;
    if ((request->start == NULL || !ke_trace_find(request->start, &trace)) && !ke_trace_find((void *)request->address, &trace))
        return;
    stack_append("allocated by", trace.allocated);
    stack_append("freed by", trace.freed);
}

/* What the layers know about the address; else what the host knows of it as a place in the program. */
static void address_append(uintptr_t address)
{
    describe_request_t request = { .address = address };
    if (!ke_guarded(describe_call, &request))
        return;
    if (!request.known)
        host_describe_address(address, request.line, sizeof request.line);
    if (request.known || strncmp(request.line, "0x", 2) != 0) /* the host shows what it does not know as a number */
        ke_report_append("                                    that is %s\n", request.line);
    trace_append(&request);
}

static void tag_append(uintptr_t tag)
{
    char letters[5] = { 0 };
    for (unsigned i = 0; i < 4; i++) {
        char letter = (char)(tag >> (8 * i));
        letters[i] = letter >= 0x20 && letter <= 0x7e ? letter : '.';
    }
    ke_report_append(" '%s'", letters);
}

static void parameter_append(unsigned index, uintptr_t value, const char *meaning)
{
    char kind = meaning == NULL ? '\0' : meaning[0];
    bool plain = kind != '@' && kind != '#' && kind != '^';

    ke_report_append("  parameter %u   0x%016llX  %s", index + 1, (unsigned long long)value, meaning == NULL ? "" : meaning + !plain);
    if (kind == '#')
        tag_append(value);
    if (kind == '^')
        ke_report_append(" (%s)", irql_name(value));
    ke_report_append("\n");
    if (kind == '@')
        address_append(value);
}

/* The frames outside of `from`: the machinery of the stop itself tells nobody anything. All of them when `from` is not among them. */
static size_t frames_skip(void *const *frames, size_t count, uintptr_t from)
{
    for (size_t i = 0; i < count && from != 0; i++)
        if ((uintptr_t)frames[i] == from)
            return i;
    return 0;
}

static void backtrace_append(const ke_stop_t *stop)
{
    void        *own[BACKTRACE_MAX];
    void *const *frames = stop->frames;
    size_t       count = stop->frame_count, first;
    char         label[24];

    if (frames == NULL) {
        count = host_backtrace(own, BACKTRACE_MAX);
        frames = own;
    }
    first = frames_skip(frames, count, stop->from);
    ke_report_append("\nWhere it happened, innermost call first:\n");
    if (stop->pc != 0)
        place_append("instruction", stop->pc);
    first += first < count && (uintptr_t)frames[first] == stop->pc; /* said already */
    for (size_t i = first; i < count; i++) {
        snprintf(label, sizeof label, "#%zu", i - first);
        place_append(label, (uintptr_t)frames[i] - 1); /* inside the call, not behind it: that may be the next function */
    }
}

static void kernel_stack_append(const ke_stop_t *stop)
{
    unsigned long long bytes = stop->stack_high - stop->stack_low, used = stop->stack_high - stop->sp;
    if (bytes == 0)
        return;
    ke_report_append("  kernel stack  %llu bytes, from 0x%016llX down to 0x%016llX: ", bytes, (unsigned long long)stop->stack_high,
                     (unsigned long long)stop->stack_low);
    if (stop->calls != 0)
        ke_report_append("full, %zu calls deep\n", stop->calls);
    else
        ke_report_append("%llu in use\n", used);
}

void ke_report_compose(const ke_stop_t *stop)
{
    const ke_stop_text_t *words = ke_stop_text(&stop->check);

    text_used = text_printed = places.count = 0;
    text_is_full = false;
    ke_report_append("\n*** STOP 0x%08X %s\n\n", stop->check.code, ntmm_bugcheck_name(stop->check.code));
    ke_report_append("  detected by   %s: %s\n", stop->routine, stop->why);
    ke_report_append("  IRQL          %u (%s)\n", stop->check.irql, irql_name(stop->check.irql));
    kernel_stack_append(stop);
    for (unsigned i = 0; i < 4; i++)
        parameter_append(i, stop->check.parameter[i], words != NULL ? words->parameter[i] : NULL);
    backtrace_append(stop);
    if (words != NULL && words->advice != NULL)
        ke_report_append("\nWhat the driver probably did wrong:\n  %s\n\n", words->advice);
}
