/*
 * replay_stream.c - from checked trace events to the compact stream that children play.
 *
 * Which pool?  An object goes to paged pool when paged pool is legal for its whole life: asked for by an ordinary thread that may wait
 * (`tw`), and freed by an ordinary thread (`t`) or never. The second half is known only later, so the allocation is written as paged
 * first and mended when a free in another context comes by: most often it is still in the buffer, else two bytes of the file change.
 * A page run is physical memory and always nonpaged.
 *
 * Which level?  `t` is PASSIVE_LEVEL; every other context becomes DISPATCH_LEVEL, the highest at which pool may be called. Contexts `d`
 * and `h` (interrupts off, hard interrupt) would be device levels, where Windows forbids pool altogether: they are clamped.
 *
 * Which slot?  Trace ids may be sparse; slots are dealt out densely, most recently freed first, so that a player's table is as small as
 * the trace's peak and always warm.
 *
 * Invariant  lives[id].slot is meaningful between the allocation and the free of id; the trace reader has checked the rest.
 * Elsewhere  reading and checking the trace: trace.c. Playing the stream: replay_play.c.
 */
#include "tool/replay_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/trace.h"

#define BUFFER_EVENTS 65536u
#define LOWEST_FD 10 /* clear of the descriptors that a child is given by number */

typedef struct life {
    uint64_t event; /* index of the allocation in the stream */
    uint32_t slot, bytes, tag, flags;
} life;

typedef struct preparation {
    replay_stream *stream;
    trace_reader  *reader;
    life          *lives; /* by id */
    size_t         life_count;
    uint32_t      *free_slots; /* a stack */
    size_t         free_slot_count, free_slot_room;
    uint64_t       live_bytes, live_blocks;
    uint64_t       written; /* events in the file; the buffer holds those after them */
    size_t         buffered;
    replay_event  *buffer;     /* [BUFFER_EVENTS] */
    uint32_t       last_level; /* REPLAY_DISPATCH or 0 */
    const char    *failure;    /* NULL while all is well */
} preparation;

/* ---- the file ---- */

static bool write_all(int fd, const void *data, size_t bytes, uint64_t offset)
{
    for (const char *from = data; bytes != 0;) {
        ssize_t n = pwrite(fd, from, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return true;
}

static uint64_t event_offset(uint64_t event) { return sizeof(replay_stream_header) + event * sizeof(replay_event); }

static bool flush(preparation *p)
{
    if (!write_all(p->stream->fd, p->buffer, p->buffered * sizeof(replay_event), event_offset(p->written)))
        p->failure = "the temporary file cannot be written (is the disk full? TMPDIR names another)";
    p->written += p->buffered;
    p->buffered = 0;
    return p->failure == NULL;
}

static bool append(preparation *p, replay_event event)
{
    uint32_t level = event.flags & REPLAY_DISPATCH;
    p->stream->header.irql_changes += level != p->last_level;
    p->stream->header.events++;
    p->last_level = level;
    p->buffer[p->buffered++] = event;
    return p->buffered < BUFFER_EVENTS || flush(p);
}

/* The allocation turned out to need nonpaged pool. */
static bool make_nonpaged(preparation *p, life *l)
{
    l->flags &= ~(uint32_t)REPLAY_PAGED;
    p->stream->header.paged_allocations--;
    if (l->event >= p->written) {
        p->buffer[l->event - p->written].flags = l->flags;
        return true;
    }
    if (!write_all(p->stream->fd, &l->flags, sizeof l->flags, event_offset(l->event) + offsetof(replay_event, flags)))
        p->failure = "the temporary file cannot be mended";
    return p->failure == NULL;
}

static int open_temporary(void)
{
    const char *folder = getenv("TMPDIR");
    char        path[4096];
    snprintf(path, sizeof path, "%s/ntmm-replay-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    unlink(path);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);
    close(fd);
    return high;
}

/* ---- slots and lives ---- */

static uint32_t take_slot(preparation *p)
{
    return p->free_slot_count != 0 ? p->free_slots[--p->free_slot_count] : (uint32_t)p->stream->header.slots++;
}

static bool give_slot(preparation *p, uint32_t slot)
{
    if (p->free_slot_count == p->free_slot_room) {
        size_t    room = p->free_slot_room != 0 ? p->free_slot_room * 2 : 4096;
        uint32_t *slots = realloc(p->free_slots, room * sizeof *slots);
        if (slots == NULL) {
            p->failure = "no memory for the table of free slots";
            return false;
        }
        p->free_slots = slots;
        p->free_slot_room = room;
    }
    p->free_slots[p->free_slot_count++] = slot;
    return true;
}

static life *life_of(preparation *p, uint32_t id)
{
    if (id >= p->life_count) {
        size_t count = ((size_t)id + 1) * 2;
        life  *lives = realloc(p->lives, count * sizeof *lives);
        if (lives == NULL) {
            p->failure = "no memory for the table of live blocks";
            return NULL;
        }
        p->lives = lives;
        p->life_count = count;
    }
    return &p->lives[id];
}

static uint32_t level_flag(char context) { return context == 't' ? 0 : REPLAY_DISPATCH; }

static uint32_t allocation_flags(const trace_event *event)
{
    bool paged = event->op != 'p' && event->context == 't' && event->may_wait;
    return REPLAY_ALLOC | level_flag(event->context) | (paged ? (uint32_t)REPLAY_PAGED : 0) | (event->zeroed ? (uint32_t)REPLAY_ZEROED : 0);
}

static void raise_to(uint64_t *peak, uint64_t value)
{
    if (*peak < value)
        *peak = value;
}

static bool prepare_allocation(preparation *p, const trace_event *event)
{
    replay_stream_header *header = &p->stream->header;
    life                 *l = life_of(p, event->id);
    if (l == NULL)
        return false;
    const char *tag = event->tag;
    l->event = header->events;
    l->bytes = event->bytes;
    l->tag = (uint32_t)(unsigned char)tag[0] | (uint32_t)(unsigned char)tag[1] << 8 | (uint32_t)(unsigned char)tag[2] << 16 |
             (uint32_t)(unsigned char)tag[3] << 24;
    l->flags = allocation_flags(event);
    l->slot = take_slot(p);
    p->live_bytes += l->bytes;
    p->live_blocks++;
    raise_to(&header->peak_live_bytes, p->live_bytes);
    raise_to(&header->peak_live_blocks, p->live_blocks);
    raise_to(&header->largest_bytes, l->bytes);
    header->allocations++;
    header->paged_allocations += (l->flags & REPLAY_PAGED) != 0;
    return append(p, (replay_event){ l->slot, l->bytes, l->tag, l->flags });
}

static bool prepare_free(preparation *p, const trace_event *event)
{
    life    *l = &p->lives[event->id];
    uint32_t level = level_flag(event->context);
    if (level != 0 && (l->flags & REPLAY_PAGED) != 0 && !make_nonpaged(p, l))
        return false;
    p->live_bytes -= l->bytes;
    p->live_blocks--;
    return give_slot(p, l->slot) && append(p, (replay_event){ l->slot, l->bytes, l->tag, level });
}

/* ---- from start to end ---- */

static bool wanted(const trace_event *event, replay_kind kind)
{
    bool pages = event->op == 'p' || event->op == 'q';
    return pages == (kind == REPLAY_PAGES);
}

/* The reader to its end; false with a sentence in why. */
static bool prepare_events(preparation *p, const char *path, replay_kind kind, char *why, size_t why_size)
{
    trace_event  event;
    trace_status status;
    while ((status = trace_next(p->reader, &event)) == TRACE_EVENT && p->failure == NULL)
        if (wanted(&event, kind) && !(event.op == 'f' || event.op == 'q' ? prepare_free(p, &event) : prepare_allocation(p, &event)))
            break;
    if (status == TRACE_FAULT) {
        snprintf(why, why_size, "%s", trace_fault(p->reader));
        return false;
    }
    if (p->failure == NULL && p->stream->header.events == 0)
        p->failure = kind == REPLAY_PAGES ? "the trace has no page events (p, q)"
                                          : "the trace has no object events (a, c, f); --pages plays its page events";
    replay_stream_header *header = &p->stream->header;
    header->magic = REPLAY_STREAM_MAGIC;
    if (p->failure == NULL && flush(p) && !write_all(p->stream->fd, header, sizeof *header, 0))
        p->failure = "the temporary file cannot be written";
    if (p->failure != NULL)
        snprintf(why, why_size, "%s: %s", path, p->failure);
    p->stream->trace_events = trace_event_count(p->reader);
    p->stream->promised_events = trace_promised_events(p->reader);
    return p->failure == NULL;
}

bool replay_stream_prepare(replay_stream *stream, const char *path, replay_kind kind, char *why, size_t why_size, bool *not_found)
{
    preparation p = { .stream = stream };
    bool        done;
    *stream = (replay_stream){ .fd = -1 };
    p.reader = trace_open(path, why, why_size);
    *not_found = p.reader == NULL;
    if (p.reader == NULL)
        return false;
    p.buffer = malloc(BUFFER_EVENTS * sizeof *p.buffer);
    stream->fd = open_temporary();
    if (p.buffer == NULL || stream->fd < 0) {
        snprintf(why, why_size, "%s: no temporary file can be made: %s", path, strerror(errno));
        done = false;
    } else {
        done = prepare_events(&p, path, kind, why, why_size);
    }
    trace_close(p.reader);
    free(p.buffer);
    free(p.lives);
    free(p.free_slots);
    if (!done)
        replay_stream_close(stream);
    return done;
}

void replay_stream_close(replay_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}
