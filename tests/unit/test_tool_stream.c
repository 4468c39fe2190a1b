/*
 * test_tool_stream.c - from trace to compact stream: pool, level, slot and sums, decided once and ahead of time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/replay_stream.h"

#define HEADER "# ntmm-trace 1\n"

static char path[] = "/tmp/ntmm-test-stream-XXXXXX";

static replay_stream prepare(const char *text, replay_kind kind)
{
    replay_stream stream;
    char          why[512];
    bool          not_found;
    FILE         *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(HEADER, file) >= 0 && fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    if (!replay_stream_prepare(&stream, path, kind, why, sizeof why, &not_found))
        fail_msg("%s", why);
    return stream;
}

static replay_event event_at(const replay_stream *stream, uint64_t index)
{
    replay_event event;
    assert_int_equal(pread(stream->fd, &event, sizeof event, (off_t)(sizeof(replay_stream_header) + index * sizeof event)), sizeof event);
    return event;
}

/* ---- which pool, which level ---- */

static struct pool_case {
    const char *name;
    const char *text; /* one allocation first, perhaps its free */
    replay_kind kind;
    uint32_t    flags;      /* of the allocation */
    uint32_t    free_flags; /* of the free, when there is one */
} POOLS[] = {
    { "tw, freed at t: paged", "a 0 0 8 abcd 0 tw\nf 0 0 0 t\n", REPLAY_OBJECTS, REPLAY_ALLOC | REPLAY_PAGED, 0 },
    { "tw, never freed: paged", "a 0 0 8 abcd 0 tw\n", REPLAY_OBJECTS, REPLAY_ALLOC | REPLAY_PAGED, 0 },
    { "twz: paged, zeroed", "c 0 0 8 abcd 0 twz\n", REPLAY_OBJECTS, REPLAY_ALLOC | REPLAY_PAGED | REPLAY_ZEROED, 0 },
    { "tn: nonpaged", "a 0 0 8 abcd 0 tn\n", REPLAY_OBJECTS, REPLAY_ALLOC, 0 },
    { "pw: nonpaged, dispatch", "a 0 0 8 abcd 0 pw\n", REPLAY_OBJECTS, REPLAY_ALLOC | REPLAY_DISPATCH, 0 },
    { "hn: clamped to dispatch", "a 0 0 8 abcd 0 hn\n", REPLAY_OBJECTS, REPLAY_ALLOC | REPLAY_DISPATCH, 0 },
    { "tw, freed at s: nonpaged from the start", "a 0 0 8 abcd 0 tw\nf 0 0 0 s\n", REPLAY_OBJECTS, REPLAY_ALLOC, REPLAY_DISPATCH },
    { "twz, freed at d: nonpaged, still zeroed", "a 0 0 8 abcd 0 twz\nf 0 0 0 d\n", REPLAY_OBJECTS, REPLAY_ALLOC | REPLAY_ZEROED,
      REPLAY_DISPATCH },
    { "page run: nonpaged", "p 0 0 2 PgMv 0 tw\nq 0 0 0 t\n", REPLAY_PAGES, REPLAY_ALLOC, 0 },
};

static void check_pool(void **state)
{
    const struct pool_case *c = *state;
    replay_stream           stream = prepare(c->text, c->kind);
    replay_event            first = event_at(&stream, 0);
    assert_int_equal(first.flags, c->flags);
    assert_int_equal(stream.header.paged_allocations, (c->flags & REPLAY_PAGED) != 0);
    if (stream.header.events == 2)
        assert_int_equal(event_at(&stream, 1).flags, c->free_flags);
    replay_stream_close(&stream);
}

/* The free comes 200,000 events later, when the allocation has long been written: its flags are mended in the file. */
static void check_mending_far_behind(void **state)
{
    enum { PAIRS = 100000 };
    size_t room = PAIRS * 48 + 256, length = 0;
    char  *text = malloc(room);
    (void)state;
    assert_non_null(text);
    length += (size_t)snprintf(text, room, "a 0 0 8 abcd 0 tw\na 0 1 8 abcd 0 tw\n");
    for (int i = 0; i < PAIRS; i++)
        length += (size_t)snprintf(text + length, room - length, "a 1 2 16 efgh 0 tw\nf 1 2 0 t\n");
    snprintf(text + length, room - length, "f 1 0 0 s\n");
    replay_stream stream = prepare(text, REPLAY_OBJECTS);
    free(text);
    assert_int_equal(stream.header.events, 2 * PAIRS + 3);
    assert_int_equal(event_at(&stream, 0).flags, REPLAY_ALLOC);
    assert_int_equal(event_at(&stream, 1).flags, REPLAY_ALLOC | REPLAY_PAGED);
    assert_int_equal(event_at(&stream, 2).flags, REPLAY_ALLOC | REPLAY_PAGED);
    assert_int_equal(event_at(&stream, 2 * PAIRS + 2).flags, REPLAY_DISPATCH);
    assert_int_equal(stream.header.paged_allocations, PAIRS + 1);
    assert_int_equal(stream.header.irql_changes, 1);
    replay_stream_close(&stream);
}

/* ---- slots, tags, sums ---- */

static void check_slots_are_dense(void **state)
{
    (void)state;
    replay_stream stream = prepare("a 0 1000000 8 abcd 0 tw\na 0 5 8 abcd 0 tw\nf 0 1000000 0 t\na 0 77 8 abcd 0 tw\n", REPLAY_OBJECTS);
    assert_int_equal(stream.header.slots, 2);
    assert_int_equal(event_at(&stream, 0).slot, 0);
    assert_int_equal(event_at(&stream, 1).slot, 1);
    assert_int_equal(event_at(&stream, 2).slot, 0);
    assert_int_equal(event_at(&stream, 3).slot, 0); /* most recently freed first */
    replay_stream_close(&stream);
}

static void check_tags(void **state)
{
    (void)state;
    replay_stream stream = prepare("a 0 0 8 Abcd 0 tw\nf 0 0 0 t\n", REPLAY_OBJECTS);
    replay_event  alloc = event_at(&stream, 0), release = event_at(&stream, 1);
    assert_memory_equal(&alloc.tag, "Abcd", 4); /* first character first in memory */
    assert_int_equal(release.tag, alloc.tag);
    assert_int_equal(release.bytes, 8);
    replay_stream_close(&stream);
}

static void check_sums(void **state)
{
    static const char TEXT[] = "a 0 0 100 abcd 0 tw\np 0 0 3 PgMv 0 tw\na 0 1 50 abcd 0 sn\nf 0 0 0 t\na 0 0 60 abcd 0 tn\nq 0 0 0 t\n";
    (void)state;
    replay_stream objects = prepare(TEXT, REPLAY_OBJECTS), pages = prepare(TEXT, REPLAY_PAGES);
    assert_int_equal(objects.trace_events, 6);
    assert_int_equal(objects.header.events, 4);
    assert_int_equal(objects.header.allocations, 3);
    assert_int_equal(objects.header.peak_live_bytes, 150);
    assert_int_equal(objects.header.peak_live_blocks, 2);
    assert_int_equal(objects.header.largest_bytes, 100);
    assert_int_equal(objects.header.irql_changes, 2);
    assert_int_equal(objects.header.magic, REPLAY_STREAM_MAGIC);
    assert_int_equal(pages.header.events, 2);
    assert_int_equal(pages.header.peak_live_bytes, 8 * 4096);
    replay_stream_close(&objects);
    replay_stream_close(&pages);
}

/* ---- what cannot be played ---- */

static void check_refusals(void **state)
{
    static const struct {
        const char *text, *sentence;
        replay_kind kind;
    } CASES[] = {
        { HEADER, ": the trace has no object events", REPLAY_OBJECTS },
        { HEADER "p 0 0 0 PgMv 0 tw\n", ": the trace has no object events", REPLAY_OBJECTS },
        { HEADER "a 0 0 8 abcd 0 tw\n", ": the trace has no page events", REPLAY_PAGES },
        { HEADER "a 0 0 8 abcd 0 tw\nf 0 1 0 t\n", ":3: object 1 is freed, but it is not live", REPLAY_OBJECTS },
        { HEADER "a 0 0 8 abcd 0 tw\nq 0 1 0 t\n", ":3: page run 1 is freed, but it is not live",
          REPLAY_OBJECTS }, /* also when pages are not played */
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        replay_stream stream;
        char          why[512];
        bool          not_found;
        FILE         *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(CASES[i].text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_false(replay_stream_prepare(&stream, path, CASES[i].kind, why, sizeof why, &not_found));
        assert_false(not_found);
        assert_non_null(strstr(why, CASES[i].sentence));
        assert_int_equal(stream.fd, -1);
    }
}

#define POOL_COUNT (sizeof POOLS / sizeof POOLS[0])

int main(void)
{
    static const struct CMUnitTest OTHERS[] = {
        cmocka_unit_test(check_mending_far_behind),
        cmocka_unit_test(check_slots_are_dense),
        cmocka_unit_test(check_tags),
        cmocka_unit_test(check_sums),
        cmocka_unit_test(check_refusals),
    };
    struct CMUnitTest tests[POOL_COUNT + sizeof OTHERS / sizeof OTHERS[0]];
    for (size_t i = 0; i < POOL_COUNT; i++)
        tests[i] = (struct CMUnitTest){ .name = POOLS[i].name, .test_func = check_pool, .initial_state = &POOLS[i] };
    memcpy(tests + POOL_COUNT, OTHERS, sizeof OTHERS);
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests_name("stream", tests, NULL, NULL);
    unlink(path);
    return failed;
}
