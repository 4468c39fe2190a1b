/*
 * trace.c - lines into events, and every rule of the format `ntmm-trace 1` checked on the way.
 *
 *     # ntmm-trace 1                              first line, exactly this
 *     # anything                                  comments, anywhere below
 *     a <dt> <id> <bytes> <tag> <cpu> <how>       object from a general-purpose allocator      (c: from a cache of one size)
 *     f <dt> <id> <cpu> <ctx>                     its free
 *     p <dt> <id> <order> <tag> <cpu> <how>       2^order pages of 4 KiB
 *     q <dt> <id> <cpu> <ctx>                     their free
 *
 * A line goes through four steps, each of which may end the reading with a sentence: bytes (text only, a newline at the end, not too long),
 * fields (their number, one space between), values (numbers in range, letters known), life (ids).
 *
 * Invariant  bit id of live[space] is set between the allocation and the free of that id.
 * Elsewhere  files and xz: trace_bytes.c. What the letters mean for a replay: replay_stream.c. The format in full: bench/traces/README.md.
 */
#include "tool/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/trace_bytes.h"

#define HEADER_LINE "# ntmm-trace 1"
#define CONTEXTS "tpbsdh"

enum id_space { OBJECTS, PAGE_RUNS, ID_SPACES };

typedef struct id_set {
    uint64_t *words; /* one bit for each id */
    size_t    word_count;
} id_set;

struct trace_reader {
    trace_bytes *bytes;
    char        *name; /* for sentences */
    uint64_t     line; /* number of the line being read, from 1 */
    uint64_t     time_ns;
    uint64_t     promised; /* `# events:`; 0 unknown */
    uint64_t     events;
    id_set       live[ID_SPACES];
    size_t       at, length; /* unread part of chunk[] */
    bool         faulty;
    char         fault[512];
    char         text[TRACE_LINE_LIMIT]; /* the line, its newline cut off */
    char         chunk[1 << 16];
};

typedef struct field {
    const char *text;
    size_t      length;
} field;

__attribute__((format(printf, 2, 3))) static trace_status fault(trace_reader *reader, const char *format, ...)
{
    char    sentence[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    snprintf(reader->fault, sizeof reader->fault, "%.200s:%llu: %s", reader->name, (unsigned long long)reader->line, sentence);
    reader->faulty = true;
    return TRACE_FAULT;
}

/* ---- bytes to lines ---- */

static bool text_byte(unsigned char byte, bool comment)
{
    return (byte >= 0x20 && byte < 0x7F) || (comment && (byte >= 0x80 || byte == '\t'));
}

static trace_status check_text(trace_reader *reader, size_t length)
{
    bool comment = reader->text[0] == '#';
    if (length != 0 && reader->text[length - 1] == '\r')
        return fault(reader, "the line ends in CR LF; the format has LF alone");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)reader->text[i];
        if (!text_byte(byte, comment))
            return fault(reader, "byte 0x%02X in column %zu is not text", byte, i + 1);
    }
    return TRACE_EVENT;
}

/* Move what chunk[] has of the current line into text[]; true when the newline was among it. */
static bool take_piece(trace_reader *reader, size_t *length, bool *overlong)
{
    const char *from = reader->chunk + reader->at;
    const char *newline = memchr(from, '\n', reader->length);
    size_t      piece = newline != NULL ? (size_t)(newline - from) : reader->length;
    size_t      taken = piece + (newline != NULL);
    *overlong = *length + piece >= TRACE_LINE_LIMIT;
    if (*overlong)
        return false;
    memcpy(reader->text + *length, from, piece);
    *length += piece;
    reader->at += taken;
    reader->length -= taken;
    return newline != NULL;
}

/* The next line into text[]. TRACE_EVENT: there is one. */
static trace_status next_line(trace_reader *reader, size_t *length)
{
    *length = 0;
    reader->line++;
    for (;;) {
        bool overlong = false;
        if (reader->length != 0 && take_piece(reader, length, &overlong))
            break;
        if (overlong)
            return fault(reader, "the line is longer than %d bytes", TRACE_LINE_LIMIT - 1);
        ssize_t n = trace_bytes_read(reader->bytes, reader->chunk, sizeof reader->chunk);
        if (n < 0)
            return fault(reader, "%s", trace_bytes_fault(reader->bytes));
        if (n == 0 && *length == 0)
            return TRACE_END;
        if (n == 0)
            return fault(reader, "the last line has no newline: the file is cut off");
        reader->at = 0;
        reader->length = (size_t)n;
    }
    reader->text[*length] = '\0';
    return check_text(reader, *length);
}

/* ---- fields to values ---- */

/* Digits only, at most max. */
static bool parse_number(field f, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;
    if (f.length == 0 || f.length > 20)
        return false;
    for (size_t i = 0; i < f.length; i++) {
        unsigned digit = (unsigned)(unsigned char)f.text[i] - '0';
        if (digit > 9 || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return v <= max;
}

/* Split at single spaces; false when two touch or one stands at an end. */
static bool split(const char *line, size_t length, field *fields, size_t room, size_t *count)
{
    size_t start = 0;
    *count = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i != length && line[i] != ' ')
            continue;
        if (i == start)
            return false;
        if (*count < room)
            fields[*count] = (field){ line + start, i - start };
        ++*count;
        start = i + 1;
    }
    return true;
}

static bool parse_tag(field f, char tag[4])
{
    if (f.length != 4)
        return false;
    memcpy(tag, f.text, 4); /* printable: check_text() and split() have seen to it */
    return true;
}

static bool parse_context(char letter, char *context)
{
    *context = letter;
    return letter != '\0' && strchr(CONTEXTS, letter) != NULL;
}

/* Context, then w or n, then each of z12! at most once. */
static bool parse_how(field f, trace_event *event)
{
    bool *const flags[] = { &event->zeroed, &event->below_16m, &event->below_4g, &event->reserves };
    if (f.length < 2 || !parse_context(f.text[0], &event->context) || (f.text[1] != 'w' && f.text[1] != 'n'))
        return false;
    event->may_wait = f.text[1] == 'w';
    for (size_t i = 2; i < f.length; i++) {
        const char *known = strchr("z12!", f.text[i]);
        if (known == NULL || *flags[known - "z12!"])
            return false;
        *flags[known - "z12!"] = true;
    }
    return true;
}

static trace_status bad_number(trace_reader *reader, const char *what, field f, uint64_t low, uint64_t high)
{
    return fault(reader, "%s is `%.*s`; it must be a number from %llu to %llu", what, f.length < 40 ? (int)f.length : 40, f.text,
                 (unsigned long long)low, (unsigned long long)high);
}

static trace_status bad_field(trace_reader *reader, const char *what, field f, const char *rule)
{
    return fault(reader, "%s is `%.*s`; %s", what, f.length < 40 ? (int)f.length : 40, f.text, rule);
}

/* ---- ids ---- */

static bool id_is_live(const id_set *set, uint32_t id) { return id / 64 < set->word_count && (set->words[id / 64] >> (id % 64) & 1) != 0; }

static bool id_set_reach(id_set *set, uint32_t id)
{
    size_t need = (size_t)id / 64 + 1;
    if (need <= set->word_count)
        return true;
    size_t    count = need * 2;
    uint64_t *words = realloc(set->words, count * sizeof *words);
    if (words == NULL)
        return false;
    memset(words + set->word_count, 0, (count - set->word_count) * sizeof *words);
    *set = (id_set){ words, count };
    return true;
}

static trace_status begin_life(trace_reader *reader, enum id_space space, uint32_t id)
{
    id_set *set = &reader->live[space];
    if (id_is_live(set, id))
        return fault(reader, "%s %u is allocated, but it is still live", space == OBJECTS ? "object" : "page run", id);
    if (!id_set_reach(set, id))
        return fault(reader, "no memory to follow %u ids", id);
    set->words[id / 64] |= UINT64_C(1) << (id % 64);
    return TRACE_EVENT;
}

static trace_status end_life(trace_reader *reader, enum id_space space, uint32_t id)
{
    id_set *set = &reader->live[space];
    if (!id_is_live(set, id))
        return fault(reader, "%s %u is freed, but it is not live", space == OBJECTS ? "object" : "page run", id);
    set->words[id / 64] &= ~(UINT64_C(1) << (id % 64));
    return TRACE_EVENT;
}

/* ---- one event ---- */

/* <dt> <id>: the two fields that every event begins with. */
static trace_status parse_when_and_who(trace_reader *reader, const field *fields, trace_event *event)
{
    uint64_t dt, id;
    if (!parse_number(fields[1], INT64_MAX, &dt))
        return bad_number(reader, "the time gap", fields[1], 0, INT64_MAX);
    if (dt > (uint64_t)INT64_MAX - reader->time_ns)
        return fault(reader, "the time gaps add up to more than 2^63 ns");
    if (!parse_number(fields[2], TRACE_ID_LIMIT - 1, &id))
        return bad_number(reader, "the id", fields[2], 0, TRACE_ID_LIMIT - 1);
    reader->time_ns += dt;
    event->time_ns = reader->time_ns;
    event->id = (uint32_t)id;
    return TRACE_EVENT;
}

static trace_status parse_size(trace_reader *reader, field f, trace_event *event)
{
    uint64_t value;
    if (event->op == 'p') {
        if (!parse_number(f, TRACE_ORDER_LIMIT, &value))
            return bad_number(reader, "the order", f, 0, TRACE_ORDER_LIMIT);
        event->bytes = (uint32_t)TRACE_PAGE_BYTES << value;
        return TRACE_EVENT;
    }
    if (!parse_number(f, TRACE_BYTES_LIMIT, &value) || value == 0)
        return bad_number(reader, "the size", f, 1, TRACE_BYTES_LIMIT);
    event->bytes = (uint32_t)value;
    return TRACE_EVENT;
}

static trace_status parse_allocation(trace_reader *reader, const field *fields, trace_event *event)
{
    uint64_t cpu;
    if (parse_size(reader, fields[3], event) == TRACE_FAULT)
        return TRACE_FAULT;
    if (!parse_tag(fields[4], event->tag))
        return bad_field(reader, "the tag", fields[4], "it must be four printable ASCII characters");
    if (!parse_number(fields[5], TRACE_CPU_LIMIT - 1, &cpu))
        return bad_number(reader, "the processor", fields[5], 0, TRACE_CPU_LIMIT - 1);
    if (!parse_how(fields[6], event))
        return bad_field(reader, "the last field", fields[6], "it must be one of t p b s d h, then w or n, then any of z 1 2 !");
    event->cpu = (uint8_t)cpu;
    return begin_life(reader, event->op == 'p' ? PAGE_RUNS : OBJECTS, event->id);
}

static trace_status parse_free(trace_reader *reader, const field *fields, trace_event *event)
{
    uint64_t cpu;
    if (!parse_number(fields[3], TRACE_CPU_LIMIT - 1, &cpu))
        return bad_number(reader, "the processor", fields[3], 0, TRACE_CPU_LIMIT - 1);
    if (fields[4].length != 1 || !parse_context(fields[4].text[0], &event->context))
        return bad_field(reader, "the last field", fields[4], "it must be one of t p b s d h");
    event->cpu = (uint8_t)cpu;
    return end_life(reader, event->op == 'q' ? PAGE_RUNS : OBJECTS, event->id);
}

static trace_status parse_event(trace_reader *reader, size_t length, trace_event *event)
{
    field  fields[7];
    size_t count;
    *event = (trace_event){ 0 };
    if (length == 0)
        return fault(reader, "the line is empty");
    if (!split(reader->text, length, fields, 7, &count))
        return fault(reader, "fields must be parted by exactly one space");
    if (fields[0].length != 1 || strchr("acfpq", fields[0].text[0]) == NULL)
        return bad_field(reader, "the event", fields[0], "it must be one of a c f p q");
    event->op = fields[0].text[0];
    bool   frees = event->op == 'f' || event->op == 'q';
    size_t wanted = frees ? 5 : 7;
    if (count != wanted)
        return fault(reader, "an event `%c` has %zu fields, not %zu", event->op, wanted, count);
    if (parse_when_and_who(reader, fields, event) == TRACE_FAULT)
        return TRACE_FAULT;
    return frees ? parse_free(reader, fields, event) : parse_allocation(reader, fields, event);
}

/* `# events: N ...` above the first event is what the recorder counted. */
static void note_promise(trace_reader *reader)
{
    static const char KEY[] = "# events: ";
    const char       *text = reader->text;
    if (reader->events != 0 || strncmp(text, KEY, sizeof KEY - 1) != 0)
        return;
    text += sizeof KEY - 1;
    uint64_t n;
    if (parse_number((field){ text, strspn(text, "0123456789") }, INT64_MAX, &n))
        reader->promised = n;
}

static trace_status read_header(trace_reader *reader)
{
    size_t       length;
    trace_status status = next_line(reader, &length);
    if (status == TRACE_END)
        return fault(reader, "the file is empty; its first line must be `" HEADER_LINE "`");
    if (status == TRACE_EVENT && strcmp(reader->text, HEADER_LINE) != 0)
        return fault(reader, "the first line must be `" HEADER_LINE "`");
    return status;
}

trace_status trace_next(trace_reader *reader, trace_event *event)
{
    size_t length;
    if (reader->faulty)
        return TRACE_FAULT;
    if (reader->line == 0 && read_header(reader) == TRACE_FAULT)
        return TRACE_FAULT;
    for (;;) {
        trace_status status = next_line(reader, &length);
        if (status != TRACE_EVENT)
            return status;
        if (reader->text[0] != '#')
            break;
        note_promise(reader);
    }
    trace_status status = parse_event(reader, length, event);
    reader->events += status == TRACE_EVENT;
    return status;
}

/* ---- opening and closing ---- */

trace_reader *trace_open(const char *path, char *why, size_t why_size)
{
    char          sentence[200] = "no memory to read it";
    const char   *name = strcmp(path, "-") == 0 ? "stdin" : path;
    trace_reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        reader->name = strdup(name);
        reader->bytes = reader->name != NULL ? trace_bytes_open(path, sentence, sizeof sentence) : NULL;
    }
    if (reader != NULL && reader->bytes != NULL)
        return reader;
    snprintf(why, why_size, "%s: %s", name, sentence);
    trace_close(reader);
    return NULL;
}

const char *trace_fault(const trace_reader *reader) { return reader->fault; }
uint64_t    trace_promised_events(const trace_reader *reader) { return reader->promised; }
uint64_t    trace_event_count(const trace_reader *reader) { return reader->events; }

void trace_close(trace_reader *reader)
{
    if (reader == NULL)
        return;
    trace_bytes_close(reader->bytes);
    for (int space = 0; space < ID_SPACES; space++)
        free(reader->live[space].words);
    free(reader->name);
    free(reader);
}
