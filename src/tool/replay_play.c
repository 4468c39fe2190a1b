/*
 * replay_play.c - one process, one allocator, one pass.
 *
 *     start the allocator -> its first calls -> note what is resident -> play every event -> free what is left -> finish -> send the result
 *
 * Everything the player itself needs (event buffer, table of slots, histogram, samples) is mapped and touched before the allocator's
 * memory is first looked at, and never comes from the allocator under test.
 *
 * throughput   the processor clock is read around each buffer of events, so that reading the file is not counted. Touched lightly:
 *              eight bytes at the start of a block and one byte in each further page, the same for all. Then the trace is played once
 *              more: the first time has the host's price of every fresh page in it, the second only what the allocator itself costs.
 * latency      one operation between two readings of the cycle counter; the IRQL is changed, and every byte of the block
 *              written, outside the timed interval.
 * memory       touched as for throughput; every so many operations the resident set is read.
 *
 * Invariant  slots[s] is the block between the allocation and the free that name slot s, and NULL otherwise.
 * Elsewhere  where the stream comes from: replay_stream.c. Who starts this process: replay_run.c.
 */
#include "tool/replay_play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool/clock.h"
#include "tool/histogram.h"
#include "tool/replay_stream.h"
#include "tool/resident.h"

#define BUFFER_EVENTS 4096u
#define TOUCH_STRIDE 4096u

const char *const REPLAY_PASS_NAMES[PASS_COUNT] = { "throughput", "latency", "memory" };

typedef struct live_block {
    void    *address;
    uint32_t tag;
    uint32_t usable; /* PASS_MEMORY */
} live_block;

typedef struct player {
    const allocator     *under_test;
    replay_pass          pass;
    replay_stream_header stream;
    replay_event        *buffer; /* [BUFFER_EVENTS] */
    live_block          *slots;  /* [stream.slots] */
    histogram           *latency;
    replay_sample       *samples; /* [REPLAY_SAMPLES] */
    uint64_t             sample_count, stride;
    uint64_t             position; /* of the event being played */
    uint64_t             live, usable, resident_before;
    uint32_t             level; /* REPLAY_DISPATCH or 0 */
    bool                 failed;
    replay_result        result;
} player;

/* ---- memory of our own ---- */

/* Mapped and touched: none of it shows later as growth. */
static void *own_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes != 0 ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    memset(memory, 1, bytes);
    memset(memory, 0, bytes);
    return memory;
}

static bool prepare(player *p)
{
    ssize_t n = pread(REPLAY_STREAM_FD, &p->stream, sizeof p->stream, 0);
    if (n != (ssize_t)sizeof p->stream || p->stream.magic != REPLAY_STREAM_MAGIC) {
        snprintf(p->result.why, sizeof p->result.why, "there is no event stream on descriptor %d", REPLAY_STREAM_FD);
        return false;
    }
    p->buffer = own_memory(BUFFER_EVENTS * sizeof *p->buffer);
    p->slots = own_memory(p->stream.slots * sizeof *p->slots);
    p->latency = own_memory(sizeof *p->latency);
    p->samples = own_memory(REPLAY_SAMPLES * sizeof *p->samples);
    p->stride = (p->stream.events + REPLAY_SAMPLES - 2) / (REPLAY_SAMPLES - 1);
    if (p->buffer != NULL && p->slots != NULL && p->latency != NULL && p->samples != NULL)
        return true;
    snprintf(p->result.why, sizeof p->result.why, "no memory for the player's own tables");
    return false;
}

/* ---- one event ---- */

static inline void change_level(player *p, const replay_event *event)
{
    uint32_t level = event->flags & REPLAY_DISPATCH;
    if (level != p->level) {
        p->under_test->set_level(level != 0);
        p->level = level;
    }
}

static inline void touch_lightly(volatile unsigned char *block, uint32_t bytes)
{
    if (bytes >= 8)
        *(volatile uint64_t *)(volatile void *)block = bytes;
    else
        block[0] = 1;
    for (uint32_t at = TOUCH_STRIDE; at < bytes; at += TOUCH_STRIDE)
        block[at] = 1;
}

static void out_of_memory(player *p, const replay_event *event)
{
    snprintf(p->result.why, sizeof p->result.why, "operation %llu, an allocation of %u bytes, was refused", (unsigned long long)p->position,
             event->bytes);
    p->failed = true;
}

/* ---- the passes: each plays one buffer ---- */

static void play_throughput(player *p, size_t count)
{
    const allocator *a = p->under_test;
    double           cpu = clock_cpu_ns();
    double           wall = clock_wall_ns();
    for (const replay_event *event = p->buffer; event != p->buffer + count; event++, p->position++) {
        live_block *slot = &p->slots[event->slot];
        change_level(p, event);
        if ((event->flags & REPLAY_ALLOC) == 0) {
            a->release(slot->address, event->tag);
            slot->address = NULL;
            continue;
        }
        slot->address = a->alloc(event->bytes, event->tag, event->flags);
        if (slot->address == NULL) {
            out_of_memory(p, event);
            return;
        }
        slot->tag = event->tag;
        touch_lightly(slot->address, event->bytes);
    }
    p->result.cpu_ns += clock_cpu_ns() - cpu;
    p->result.wall_ns += clock_wall_ns() - wall;
}

static void play_latency(player *p, size_t count)
{
    const allocator *a = p->under_test;
    for (const replay_event *event = p->buffer; event != p->buffer + count; event++, p->position++) {
        live_block *slot = &p->slots[event->slot];
        uint64_t    begin, end;
        change_level(p, event);
        if ((event->flags & REPLAY_ALLOC) == 0) {
            void *block = slot->address;
            slot->address = NULL;
            begin = clock_ticks_begin();
            a->release(block, event->tag);
            end = clock_ticks_end();
        } else {
            begin = clock_ticks_begin();
            void *block = a->alloc(event->bytes, event->tag, event->flags);
            end = clock_ticks_end();
            if (block == NULL) {
                out_of_memory(p, event);
                return;
            }
            memset(block, (int)(event->slot & 0xFF), event->bytes);
            *slot = (live_block){ block, event->tag, 0 };
        }
        histogram_add(p->latency, end - begin);
    }
}

static void take_sample(player *p)
{
    allocator_usage usage = { 0 };
    replay_sample  *sample = &p->samples[p->sample_count++];
    uint64_t        resident = resident_bytes();
    if (p->under_test->usage != NULL)
        p->under_test->usage(&usage);
    sample->operation = p->position;
    sample->live = p->live;
    sample->committed = resident > p->resident_before ? resident - p->resident_before : 0;
    sample->allotted = usage.known ? usage.allotted : p->usable;
    sample->free_run_ratio = usage.known && usage.free_pages != 0 ? (double)usage.largest_free_run / (double)usage.free_pages : -1;
    if (sample->committed > p->result.peak_committed)
        p->result.peak_committed = sample->committed;
    if (sample->live >= p->result.live_at_peak) {
        p->result.live_at_peak = sample->live;
        p->result.allotted_at_peak = sample->allotted;
    }
}

static void play_memory(player *p, size_t count)
{
    const allocator *a = p->under_test;
    for (const replay_event *event = p->buffer; event != p->buffer + count; event++) {
        live_block *slot = &p->slots[event->slot];
        change_level(p, event);
        if ((event->flags & REPLAY_ALLOC) == 0) {
            p->live -= event->bytes;
            p->usable -= slot->usable;
            a->release(slot->address, event->tag);
            slot->address = NULL;
        } else {
            void *block = a->alloc(event->bytes, event->tag, event->flags);
            if (block == NULL) {
                out_of_memory(p, event);
                return;
            }
            touch_lightly(block, event->bytes);
            *slot = (live_block){ block, event->tag, a->usable != NULL ? (uint32_t)a->usable(block) : 0 };
            p->live += event->bytes;
            p->usable += slot->usable;
            if (p->live > p->result.peak_live)
                p->result.peak_live = p->live;
        }
        p->position++;
        if (p->position % p->stride == 0 || p->position == p->stream.events)
            take_sample(p);
    }
}

/* ---- the whole stream ---- */

static bool next_buffer(player *p, uint64_t from, size_t *count)
{
    uint64_t left = p->stream.events - from;
    *count = left < BUFFER_EVENTS ? (size_t)left : BUFFER_EVENTS;
    size_t  bytes = *count * sizeof *p->buffer;
    ssize_t n = pread(REPLAY_STREAM_FD, p->buffer, bytes, (off_t)(sizeof p->stream + from * sizeof *p->buffer));
    if (n == (ssize_t)bytes)
        return true;
    snprintf(p->result.why, sizeof p->result.why, "the event stream ends early: %s",
             n < 0 ? strerror(errno) : "it is shorter than it says");
    p->failed = true;
    return false;
}

static void free_the_rest(player *p)
{
    change_level(p, &(replay_event){ 0 });
    for (uint64_t slot = 0; slot < p->stream.slots; slot++)
        if (p->slots[slot].address != NULL) {
            p->under_test->release(p->slots[slot].address, p->slots[slot].tag);
            p->slots[slot].address = NULL;
        }
}

static void play_stream(player *p)
{
    size_t count = 0;
    p->resident_before = resident_bytes();
    for (uint64_t from = 0; from < p->stream.events && !p->failed; from += count) {
        if (!next_buffer(p, from, &count))
            break;
        if (p->pass == PASS_THROUGHPUT)
            play_throughput(p, count);
        else if (p->pass == PASS_LATENCY)
            play_latency(p, count);
        else
            play_memory(p, count);
    }
    free_the_rest(p);
}

static void play_passes(void *context)
{
    player *p = context;
    allocator_first_calls(p->under_test);
    play_stream(p);
    if (p->pass != PASS_THROUGHPUT || p->failed)
        return;
    double cpu = p->result.cpu_ns, wall = p->result.wall_ns;
    p->result.cpu_ns = 0;
    p->position = 0;
    play_stream(p);
    p->result.warm_cpu_ns = p->result.cpu_ns;
    p->result.cpu_ns = cpu;
    p->result.wall_ns = wall;
}

static void read_histogram(player *p, uint64_t step)
{
    double         tick = p->result.ns_per_tick;
    replay_result *r = &p->result;
    r->median_ns = histogram_quantile(p->latency, 0.5, step) * tick;
    r->p99_ns = histogram_quantile(p->latency, 0.99, step) * tick;
    r->p999_ns = histogram_quantile(p->latency, 0.999, step) * tick;
    r->max_ns = (double)p->latency->max * tick;
    r->mean_ns = p->latency->count != 0 ? (double)p->latency->sum / (double)p->latency->count * tick : 0;
    r->timer_step_ns = (double)step * tick;
}

static bool play(player *p)
{
    allocator_need   need = { p->stream.peak_live_bytes, p->stream.largest_bytes };
    const allocator *a = p->under_test;
    uint64_t         step = 1;
    if (p->pass == PASS_LATENCY) {
        p->result.ns_per_tick = clock_calibrate();
        p->result.timer_floor_ns = clock_floor_ticks() * p->result.ns_per_tick;
        step = clock_step_ticks();
    }
    if (!a->start(a, &need, p->result.why) || !a->guard(play_passes, p, p->result.why) || p->failed)
        return false;
    p->result.operations = p->position;
    if (p->pass == PASS_LATENCY)
        read_histogram(p, step);
    return a->finish(p->result.why);
}

/* ---- the child ---- */

static bool send_all(const void *data, size_t bytes)
{
    for (const char *from = data; bytes != 0;) {
        ssize_t n = write(REPLAY_RESULT_FD, from, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        bytes -= (size_t)n;
    }
    return true;
}

int replay_play_main(int argc, char **argv)
{
    static player p;
    p.result.magic = REPLAY_RESULT_MAGIC;
    p.pass = PASS_COUNT;
    p.under_test = argc == 3 ? allocator_find(argv[1]) : NULL;
    for (int pass = 0; argc == 3 && pass < PASS_COUNT; pass++)
        if (strcmp(argv[2], REPLAY_PASS_NAMES[pass]) == 0)
            p.pass = (replay_pass)pass;
    if (p.under_test == NULL || p.pass == PASS_COUNT) {
        fputs("ntmm: `__play` is for `ntmm replay` to call, not for people\n", stderr);
        return 2;
    }
    p.result.succeeded = prepare(&p) && play(&p);
    p.result.samples = p.result.succeeded ? p.sample_count : 0;
    bool sent = send_all(&p.result, sizeof p.result) && send_all(p.samples, p.result.samples * sizeof *p.samples);
    return sent && p.result.succeeded ? 0 : 1;
}
