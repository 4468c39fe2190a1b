/*
 * test_tool_trace.c - the trace reader: what it takes, and the sentence and line for everything it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool/trace.h"

#define HEADER "# ntmm-trace 1\n"

static char path[] = "/tmp/ntmm-test-trace-XXXXXX";

static void write_file(const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Read the file to its end or first fault; events seen; the fault copied out, "" without one. */
static uint64_t read_file(char *fault, size_t size)
{
    char          why[256];
    trace_event   event;
    trace_reader *reader = trace_open(path, why, sizeof why);
    assert_non_null(reader);
    while (trace_next(reader, &event) == TRACE_EVENT)
        ;
    snprintf(fault, size, "%s", trace_fault(reader));
    if (fault[0] != '\0')
        assert_int_equal(trace_next(reader, &event), TRACE_FAULT); /* and ever after */
    uint64_t count = trace_event_count(reader);
    trace_close(reader);
    return count;
}

/* ---- what is wrong, and where ---- */

static struct fault_case {
    const char *name;
    const char *text;
    size_t      length; /* 0: strlen(text) */
    unsigned    line;
    const char *sentence; /* part of it */
} FAULTS[] = {
    { "no header", "a 0 0 8 abcd 0 tw\n", 0, 1, "the first line must be `# ntmm-trace 1`" },
    { "another version", "# ntmm-trace 2\n", 0, 1, "the first line must be" },
    { "header with more behind it", "# ntmm-trace 1 \n", 0, 1, "the first line must be" },
    { "header in CR LF", "# ntmm-trace 1\r\n", 0, 1, "CR LF" },
    { "event in CR LF", HEADER "a 0 0 8 abcd 0 tw\r\n", 0, 2, "CR LF" },
    { "comment in CR LF", HEADER "# hello\r\n", 0, 2, "CR LF" },
    { "a CR in the middle", HEADER "a 0 0 8 ab\rd 0 tw\n", 0, 2, "byte 0x0D in column 11" },
    { "a NUL", HEADER "a 0 0 8 ab\0d 0 tw\n", sizeof(HEADER "a 0 0 8 ab\0d 0 tw\n") - 1, 2, "byte 0x00 in column 11" },
    { "a NUL in the header", "# ntmm-trace 1\0\n", 16, 1, "byte 0x00" },
    { "a byte beyond ASCII", HEADER "a 0 0 8 ab\xC3\xA9 0 tw\n", 0, 2, "byte 0xC3" },
    { "a bell in a comment", HEADER "# \a\n", 0, 2, "byte 0x07" },
    { "binary garbage",
      "\x7F"
      "ELF\x02\x01\x01\0\0\n",
      10, 1, "byte 0x7F in column 1" },
    { "empty line", HEADER "\n", 0, 2, "the line is empty" },
    { "line of a space", HEADER " \n", 0, 2, "exactly one space" },
    { "no newline at the end", HEADER "a 0 0 8 abcd 0 tw", 0, 2, "cut off" },
    { "no newline after the header", "# ntmm-trace 1", 0, 1, "cut off" },
    { "unknown event", HEADER "x 0 0 8 abcd 0 tw\n", 0, 2, "the event is `x`" },
    { "event of two letters", HEADER "aa 0 0 8 abcd 0 tw\n", 0, 2, "the event is `aa`" },
    { "capital event", HEADER "A 0 0 8 abcd 0 tw\n", 0, 2, "the event is `A`" },
    { "two spaces", HEADER "a 0  0 8 abcd 0 tw\n", 0, 2, "exactly one space" },
    { "space in front", HEADER " a 0 0 8 abcd 0 tw\n", 0, 2, "exactly one space" },
    { "space behind", HEADER "a 0 0 8 abcd 0 tw \n", 0, 2, "exactly one space" },
    { "tab between", HEADER "a\t0 0 8 abcd 0 tw\n", 0, 2, "byte 0x09" },
    { "a field too few", HEADER "a 0 0 8 abcd 0\n", 0, 2, "has 7 fields, not 6" },
    { "a field too many", HEADER "a 0 0 8 abcd 0 tw x\n", 0, 2, "has 7 fields, not 8" },
    { "very many fields", HEADER "a 0 0 8 abcd 0 tw x y z u v w\n", 0, 2, "has 7 fields, not 13" },
    { "free with the fields of an allocation", HEADER "a 0 0 8 abcd 0 tw\nf 0 0 8 abcd 0 tw\n", 0, 3, "has 5 fields, not 7" },
    { "free with too few", HEADER "a 0 0 8 abcd 0 tw\nf 0 0 0\n", 0, 3, "has 5 fields, not 4" },
    { "negative gap", HEADER "a -1 0 8 abcd 0 tw\n", 0, 2, "the time gap is `-1`" },
    { "gap with a sign", HEADER "a +1 0 8 abcd 0 tw\n", 0, 2, "the time gap is `+1`" },
    { "fractional gap", HEADER "a 1.5 0 8 abcd 0 tw\n", 0, 2, "the time gap is `1.5`" },
    { "hexadecimal gap", HEADER "a 0x1 0 8 abcd 0 tw\n", 0, 2, "the time gap is `0x1`" },
    { "gap of 2^63", HEADER "a 9223372036854775808 0 8 abcd 0 tw\n", 0, 2, "the time gap" },
    { "gap of 2^64", HEADER "a 18446744073709551616 0 8 abcd 0 tw\n", 0, 2, "the time gap" },
    { "gap of 60 digits", HEADER "a 100000000000000000000000000000000000000000000000000000000000 0 8 abcd 0 tw\n", 0, 2, "the time gap" },
    { "gaps that add up beyond 2^63", HEADER "a 9223372036854775807 0 8 abcd 0 tw\na 1 1 8 abcd 0 tw\n", 0, 3, "add up" },
    { "id that is no number", HEADER "a 0 x 8 abcd 0 tw\n", 0, 2, "the id is `x`" },
    { "id out of range", HEADER "a 0 16777216 8 abcd 0 tw\n", 0, 2, "the id is `16777216`; it must be a number from 0 to 16777215" },
    { "id of 2^32", HEADER "a 0 4294967296 8 abcd 0 tw\n", 0, 2, "the id" },
    { "size 0", HEADER "a 0 0 0 abcd 0 tw\n", 0, 2, "the size is `0`; it must be a number from 1 to 1073741824" },
    { "size too large", HEADER "a 0 0 1073741825 abcd 0 tw\n", 0, 2, "the size" },
    { "size that would be 8 in 32 bits", HEADER "a 0 0 4294967304 abcd 0 tw\n", 0, 2, "the size" },
    { "order too large", HEADER "p 0 0 11 abcd 0 tw\n", 0, 2, "the order is `11`; it must be a number from 0 to 10" },
    { "order of 64", HEADER "p 0 0 64 abcd 0 tw\n", 0, 2, "the order" },
    { "tag of three", HEADER "a 0 0 8 abc 0 tw\n", 0, 2, "the tag is `abc`" },
    { "tag of five", HEADER "c 0 0 8 abcde 0 tw\n", 0, 2, "the tag is `abcde`" },
    { "processor 64", HEADER "a 0 0 8 abcd 64 tw\n", 0, 2, "the processor is `64`; it must be a number from 0 to 63" },
    { "processor 64 at a free", HEADER "a 0 0 8 abcd 0 tw\nf 0 0 64 t\n", 0, 3, "the processor" },
    { "no such context", HEADER "a 0 0 8 abcd 0 xw\n", 0, 2, "the last field is `xw`" },
    { "context alone", HEADER "a 0 0 8 abcd 0 t\n", 0, 2, "the last field is `t`" },
    { "neither w nor n", HEADER "a 0 0 8 abcd 0 tz\n", 0, 2, "the last field is `tz`" },
    { "no such flag", HEADER "a 0 0 8 abcd 0 twq\n", 0, 2, "the last field is `twq`" },
    { "a flag twice", HEADER "a 0 0 8 abcd 0 twzz\n", 0, 2, "the last field is `twzz`" },
    { "free in no such context", HEADER "a 0 0 8 abcd 0 tw\nf 0 0 0 x\n", 0, 3, "the last field is `x`" },
    { "free in two contexts", HEADER "a 0 0 8 abcd 0 tw\nf 0 0 0 tp\n", 0, 3, "the last field is `tp`" },
    { "free of what never was", HEADER "f 0 0 0 t\n", 0, 2, "object 0 is freed, but it is not live" },
    { "free of an id far out", HEADER "f 0 16777215 0 t\n", 0, 2, "object 16777215 is freed, but it is not live" },
    { "freed twice", HEADER "a 0 0 8 abcd 0 tw\nf 0 0 0 t\nf 0 0 0 t\n", 0, 4, "object 0 is freed, but it is not live" },
    { "allocated twice", HEADER "a 0 7 8 abcd 0 tw\nc 0 7 8 abcd 0 tw\n", 0, 3, "object 7 is allocated, but it is still live" },
    { "page run freed as an object", HEADER "p 0 3 0 abcd 0 tw\nf 0 3 0 t\n", 0, 3, "object 3 is freed, but it is not live" },
    { "object freed as a page run", HEADER "a 0 3 8 abcd 0 tw\nq 0 3 0 t\n", 0, 3, "page run 3 is freed, but it is not live" },
    { "page run twice", HEADER "p 0 3 0 abcd 0 tw\np 0 3 0 abcd 0 tw\n", 0, 3, "page run 3 is allocated, but it is still live" },
    { "the fault is in line 5", HEADER "# a\n# b\na 0 0 8 abcd 0 tw\nnonsense\n", 0, 5, "the event is `nonsense`" },
};

static void check_fault(void **state)
{
    const struct fault_case *c = *state;
    char                     fault[512], place[64];
    write_file(c->text, c->length != 0 ? c->length : strlen(c->text));
    read_file(fault, sizeof fault);
    snprintf(place, sizeof place, "%s:%u: ", path, c->line);
    if (strncmp(fault, place, strlen(place)) != 0 || strstr(fault, c->sentence) == NULL)
        fail_msg("expected `%s...%s`, got `%s`", place, c->sentence, fault);
}

static void check_empty_file(void **state)
{
    char fault[512];
    (void)state;
    write_file("", 0);
    assert_int_equal(read_file(fault, sizeof fault), 0);
    assert_non_null(strstr(fault, ":1: the file is empty"));
}

static void check_overlong(void **state)
{
    static char text[TRACE_LINE_LIMIT + 64];
    char        fault[512];
    (void)state;
    for (size_t length = TRACE_LINE_LIMIT - 2; length <= TRACE_LINE_LIMIT + 1; length++) { /* of the line without its newline */
        memcpy(text, HEADER "#", sizeof HEADER);
        memset(text + sizeof HEADER, 'x', length - 1);
        text[sizeof HEADER - 1 + length] = '\n';
        write_file(text, sizeof HEADER + length);
        read_file(fault, sizeof fault);
        if (length < TRACE_LINE_LIMIT)
            assert_string_equal(fault, "");
        else
            assert_non_null(strstr(fault, ":2: the line is longer than 4095 bytes"));
    }
}

/* A gigabyte without a newline must not become a gigabyte of memory: an endless line ends the reading at once. */
static void check_endless_line(void **state)
{
    static char text[1 << 20];
    char        fault[512];
    (void)state;
    memset(text, 'a', sizeof text);
    write_file(text, sizeof text);
    read_file(fault, sizeof fault);
    assert_non_null(strstr(fault, ":1: the line is longer"));
}

/* ---- what is right ---- */

static void check_fields(void **state)
{
    static const char TEXT[] =
        HEADER "# title: caf\xC3\xA9\twith a tab\n# events: 5  duration_ns: 12\na 3 0 100 !~Az 63 hnz12!\np 4 0 3 PgMv 1 tw\n"
               "c 0 16777215 1073741824 Filp 0 bw2\nf 5 0 2 s\nq 0 0 3 d\n";
    char        why[256];
    trace_event e;
    (void)state;
    write_file(TEXT, sizeof TEXT - 1);
    trace_reader *reader = trace_open(path, why, sizeof why);
    assert_non_null(reader);
    assert_int_equal(trace_next(reader, &e), TRACE_EVENT);
    assert_true(e.op == 'a' && e.time_ns == 3 && e.id == 0 && e.bytes == 100 && memcmp(e.tag, "!~Az", 4) == 0 && e.cpu == 63 &&
                e.context == 'h');
    assert_true(!e.may_wait && e.zeroed && e.below_16m && e.below_4g && e.reserves);
    assert_int_equal(trace_next(reader, &e), TRACE_EVENT);
    assert_true(e.op == 'p' && e.time_ns == 7 && e.bytes == 8 * 4096 && e.may_wait && !e.zeroed);
    assert_int_equal(trace_next(reader, &e), TRACE_EVENT);
    assert_true(e.op == 'c' && e.id == 16777215 && e.bytes == 1u << 30 && e.context == 'b' && e.below_4g && !e.below_16m && !e.reserves);
    assert_int_equal(trace_next(reader, &e), TRACE_EVENT);
    assert_true(e.op == 'f' && e.time_ns == 12 && e.bytes == 0 && e.cpu == 2 && e.context == 's');
    assert_int_equal(trace_next(reader, &e), TRACE_EVENT);
    assert_true(e.op == 'q' && e.context == 'd');
    assert_int_equal(trace_next(reader, &e), TRACE_END);
    assert_int_equal(trace_promised_events(reader), 5);
    assert_int_equal(trace_event_count(reader), 5);
    assert_string_equal(trace_fault(reader), "");
    trace_close(reader);
}

static void check_id_reuse(void **state)
{
    static const char TEXT[] = HEADER "a 0 0 8 abcd 0 tw\nf 0 0 0 t\na 0 0 8 abcd 0 tw\nf 0 0 0 t\n";
    char              fault[512];
    (void)state;
    write_file(TEXT, sizeof TEXT - 1);
    assert_int_equal(read_file(fault, sizeof fault), 4);
    assert_string_equal(fault, "");
}

static void check_header_alone(void **state)
{
    char fault[512];
    (void)state;
    write_file(HEADER, strlen(HEADER));
    assert_int_equal(read_file(fault, sizeof fault), 0);
    assert_string_equal(fault, "");
}

static void check_missing(void **state)
{
    char why[256];
    (void)state;
    assert_null(trace_open("/nowhere/at/all.ntt", why, sizeof why));
    assert_string_equal(why, "/nowhere/at/all.ntt: cannot be opened: No such file or directory");
    assert_null(trace_open("/tmp", why, sizeof why));
    assert_string_equal(why, "/tmp: cannot be read: Is a directory");
}

/* ---- xz ---- */

#define PACKED_EVENTS 300

static size_t make_text(char *text, size_t room)
{
    size_t length = (size_t)snprintf(text, room, HEADER);
    for (int i = 0; i < PACKED_EVENTS; i++)
        length += (size_t)snprintf(text + length, room - length, "a %d %d %d abcd 0 tw\n", i * 7919 % 1000, i, 1 + i * 104729 % 4096);
    return length;
}

static size_t pack(const char *text, size_t length, uint8_t *packed, size_t room)
{
    size_t at = 0;
    assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text, length, packed, &at, room), LZMA_OK);
    return at;
}

static char    plain[1 << 14];
static uint8_t packed[1 << 15];

static void check_xz(void **state)
{
    char fault[512];
    (void)state;
    size_t length = pack(plain, make_text(plain, sizeof plain), packed, sizeof packed);
    write_file(packed, length);
    assert_int_equal(read_file(fault, sizeof fault), PACKED_EVENTS);
    assert_string_equal(fault, "");
}

/* Two streams one behind the other are one file, as for xz itself. */
static void check_xz_of_two_streams(void **state)
{
    char fault[512];
    (void)state;
    size_t text = make_text(plain, sizeof plain);
    size_t first = pack(plain, text / 2, packed, sizeof packed);
    size_t length = first + pack(plain + text / 2, text - text / 2, packed + first, sizeof packed - first);
    write_file(packed, length);
    assert_int_equal(read_file(fault, sizeof fault), PACKED_EVENTS);
    assert_string_equal(fault, "");
}

/* Cut off anywhere, it is a fault and never an end. */
static void check_xz_cut_anywhere(void **state)
{
    char fault[512];
    (void)state;
    size_t length = pack(plain, make_text(plain, sizeof plain), packed, sizeof packed);
    for (size_t cut = 6; cut < length; cut++) {
        write_file(packed, cut);
        read_file(fault, sizeof fault);
        if (strstr(fault, "the xz stream stops before its end: the file is cut off") == NULL)
            fail_msg("cut at %zu of %zu: `%s`", cut, length, fault);
    }
}

/* One flipped bit anywhere behind the magic is noticed: xz has checksums. */
static void check_xz_damaged_anywhere(void **state)
{
    char fault[512];
    (void)state;
    size_t length = pack(plain, make_text(plain, sizeof plain), packed, sizeof packed);
    for (size_t at = 6; at < length; at++) {
        packed[at] ^= 0x10;
        write_file(packed, length);
        read_file(fault, sizeof fault);
        if (fault[0] == '\0')
            fail_msg("byte %zu of %zu flipped, and nobody noticed", at, length);
        packed[at] ^= 0x10;
    }
}

static void check_xz_with_a_tail(void **state)
{
    char fault[512];
    (void)state;
    size_t length = pack(plain, make_text(plain, sizeof plain), packed, sizeof packed);
    memcpy(packed + length, "something else.", 16);
    write_file(packed, length + 16);
    read_file(fault, sizeof fault);
    assert_non_null(strstr(fault, ":302: the xz data is damaged, or something else follows it"));
}

/* A fault inside names the line of the unpacked text. */
static void check_xz_with_a_bad_line(void **state)
{
    static const char TEXT[] = HEADER "a 0 0 8 abcd 0 tw\nb\n";
    char              fault[512];
    (void)state;
    size_t length = pack(TEXT, sizeof TEXT - 1, packed, sizeof packed);
    write_file(packed, length);
    read_file(fault, sizeof fault);
    assert_non_null(strstr(fault, ":3: the event is `b`"));
}

/* ---- anything at all ---- */

static uint64_t seed;

static uint32_t random_below(uint32_t limit) /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * UINT64_C(0x2545F4914F6CDD1D) >> 32) * limit >> 32);
}

/* One to four bytes of a good file replaced, plain and packed: an end or a sentence, never a crash, never an event out of range. */
static void check_mutations(void **state)
{
    static char text[1 << 12];
    (void)state;
    int length = snprintf(text, sizeof text, HEADER "# events: 9\n");
    for (int i = 0; i < 60; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, i % 3 != 2 ? "a %d %d %d abcd 0 twz!\n" : "f %d %d %d t\n", i,
                           i / 3 * 2, i % 3 != 2 ? i + 1 : 0);
    size_t packed_length = pack(text, (size_t)length, packed, sizeof packed);
    for (int run = 0; run < 2000; run++) {
        static char bytes[1 << 13];
        size_t      count = run % 2 == 0 ? (size_t)length : packed_length;
        memcpy(bytes, run % 2 == 0 ? (void *)text : (void *)packed, count);
        for (uint32_t n = 1 + random_below(4); n != 0; n--)
            bytes[random_below((uint32_t)count)] = (char)random_below(256);
        write_file(bytes, count);
        char          why[256];
        trace_event   e;
        trace_reader *reader = trace_open(path, why, sizeof why);
        assert_non_null(reader);
        trace_status status;
        while ((status = trace_next(reader, &e)) == TRACE_EVENT)
            assert_true(strchr("acfpq", e.op) != NULL && e.id < TRACE_ID_LIMIT && e.bytes <= TRACE_BYTES_LIMIT && e.cpu < TRACE_CPU_LIMIT);
        assert_true((status == TRACE_FAULT) == (trace_fault(reader)[0] != '\0'));
        trace_close(reader);
    }
}

/* ---- all ---- */

#define FAULT_COUNT (sizeof FAULTS / sizeof FAULTS[0])

int main(void)
{
    static const struct CMUnitTest OTHERS[] = {
        cmocka_unit_test(check_empty_file),
        cmocka_unit_test(check_overlong),
        cmocka_unit_test(check_endless_line),
        cmocka_unit_test(check_fields),
        cmocka_unit_test(check_id_reuse),
        cmocka_unit_test(check_header_alone),
        cmocka_unit_test(check_missing),
        cmocka_unit_test(check_xz),
        cmocka_unit_test(check_xz_of_two_streams),
        cmocka_unit_test(check_xz_cut_anywhere),
        cmocka_unit_test(check_xz_damaged_anywhere),
        cmocka_unit_test(check_xz_with_a_tail),
        cmocka_unit_test(check_xz_with_a_bad_line),
        cmocka_unit_test(check_mutations),
    };
    struct CMUnitTest tests[FAULT_COUNT + sizeof OTHERS / sizeof OTHERS[0]];
    for (size_t i = 0; i < FAULT_COUNT; i++)
        tests[i] = (struct CMUnitTest){ .name = FAULTS[i].name, .test_func = check_fault, .initial_state = &FAULTS[i] };
    memcpy(tests + FAULT_COUNT, OTHERS, sizeof OTHERS);
    const char *seed_text = getenv("NTMM_SEED");
    seed = (seed_text != NULL ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL)) | 1;
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests_name("trace", tests, NULL, NULL);
    unlink(path);
    return failed;
}
