/* test_host_page_gate.c - each kind of gate from the outside: what faults, what does not, what the bytes are, and how many mappings it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "host/page_gate.h"

#define PAGES 256u
#define LIMIT 40u

static host_gate_t   gate;
static host_object_t object;
static char         *base, *alias;
static size_t        page;
static volatile int  faults, writes;
static void (*volatile mend)(size_t at, bool write);

static host_fault_verdict_t on_fault(host_fault_t *fault)
{
    if (fault->address - (uintptr_t)base >= gate.bytes)
        return HOST_FAULT_NOT_OURS;
    faults++;
    writes += fault->write;
    mend((fault->address - (uintptr_t)base) & ~(page - 1), fault->write);
    return HOST_FAULT_RESOLVED;
}

static void open_for_what_is_asked(size_t at, bool write)
{
    int status = write ? host_gate_allow_writes(&gate, at, page) : 0;
    if (status == 0)
        status = host_gate_open(&gate, at, page, write);
    if (status == -EFAULT)
        host_gate_open_zero(&gate, at, page);
}

static int set_up(void **state)
{
    enum host_gate_kind kind = *(enum host_gate_kind *)*state;
    page = host_page_size();
    base = host_reserve(PAGES * page);
    alias = host_reserve(PAGES * page);
    if (base == NULL || alias == NULL || host_object_create(&object, (PAGES + 3) * page, HOST_OBJECT_BEST) != 0)
        return -1;
    int status = host_gate_create(&gate, &object, 3 * page, base, alias, PAGES * page, kind, LIMIT);
    if (status != 0 && !(status == -ENOTSUP && kind == HOST_GATE_USERFAULT))
        return -1;
    faults = writes = 0;
    mend = open_for_what_is_asked;
    return host_faults_start(on_fault);
}

static int tear_down(void **state)
{
    (void)state;
    host_faults_stop();
    host_gate_destroy(&gate);
    host_release(base, PAGES * page);
    host_release(alias, PAGES * page);
    host_object_close(&object);
    return 0;
}

#define SKIP_IF_THERE_IS_NONE() \
    if (gate.kind == HOST_GATE_BEST) \
    skip()

static char read_at(size_t index) { return ((volatile char *)base)[index * page]; }
static void write_at(size_t index, char byte) { ((volatile char *)base)[index * page] = byte; }

static int faults_of_read(size_t index)
{
    faults = 0;
    (void)read_at(index);
    return faults;
}
static int faults_of_write(size_t index)
{
    faults = writes = 0;
    write_at(index, read_at(index));
    return writes;
}

static void all_pages_begin_closed(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    char byte;
    for (size_t i = 0; i < PAGES; i += 51)
        assert_int_equal(host_copy_safely(&byte, base + i * page, 1), 0);
    assert_int_equal(faults, 0);
    assert_int_equal(faults_of_read(7), 1);
    assert_int_equal(faults_of_read(7), 0);
}

static void bytes_stay_while_the_page_is_closed(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    assert_int_equal(host_gate_open_zero(&gate, 4 * page, 16 * page), 0);
    for (size_t i = 4; i < 20; i++) {
        assert_int_equal(read_at(i), 0);
        write_at(i, (char)i);
    }
    assert_int_equal(faults, 0);
    host_gate_close(&gate, 6 * page, 3 * page);
    for (size_t i = 4; i < 20; i++) {
        assert_int_equal(alias[i * page], (char)i);
        alias[i * page] = (char)(i + 1);
        assert_int_equal(faults_of_read(i), i >= 6 && i < 9);
        assert_int_equal(read_at(i), (char)(i + 1));
    }
}

static void a_page_open_for_reading_tells_of_the_first_write(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    alias[9 * page] = 5;
    assert_int_equal(host_gate_open(&gate, 9 * page, page, false), 0);
    assert_int_equal(faults_of_read(9), 0);
    assert_int_equal(faults_of_write(9), 1);
    assert_int_equal(faults_of_write(9), 0);
    host_gate_close(&gate, 9 * page, page); /* what it was before is forgotten */
    assert_int_equal(host_gate_open(&gate, 9 * page, page, true), 0);
    assert_int_equal(faults_of_write(9), 0);
    assert_int_equal(read_at(9), 5);
    assert_int_equal(host_gate_open(&gate, 9 * page, page, true), 1); /* it was open */
}

static void pages_are_made_of_given_bytes(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    char *bytes = malloc(4 * page);
    memset(bytes, 0x66, 4 * page);
    alias[12 * page] = 1; /* one of them has bytes already: they are replaced */
    assert_int_equal(host_gate_open_copy(&gate, 11 * page, 4 * page, bytes, false), 0);
    for (size_t i = 11; i < 15; i++) {
        assert_int_equal(faults_of_read(i), 0);
        assert_memory_equal(base + i * page, bytes, page);
        assert_memory_equal(alias + i * page, bytes, page);
        assert_int_equal(faults_of_write(i), 1);
    }
    assert_int_equal(host_gate_open_copy(&gate, 20 * page, page, bytes, true), 0);
    assert_int_equal(faults_of_write(20), 0);
    free(bytes);
}

static void zeros_are_zeros_whoever_made_them(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    alias[31 * page] = 0; /* the object holds bytes for this one, zeros */
    assert_int_equal(host_gate_open_zero(&gate, 30 * page, 3 * page), 0);
    for (size_t i = 30; i < 33; i++)
        assert_true(faults_of_write(i) == 0 && read_at(i) == 0);
    assert_int_equal(host_gate_open_zero(&gate, 30 * page, 3 * page), 1);
}

static void bytes_given_back_to_the_host_are_gone(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    memset(alias + 40 * page, 1, 8 * page);
    assert_int_equal(host_gate_open(&gate, 40 * page, 8 * page, true), 0);
    assert_int_equal(host_object_discard(&object, (3 + 40) * page, 8 * page), 0);
    host_gate_close(&gate, 40 * page, 8 * page);
    for (size_t i = 40; i < 48; i++) {
        assert_int_equal(faults_of_read(i), 1);
        assert_int_equal(read_at(i), 0);
    }
}

/* Every second page open: by mprotect each is a mapping of its own. */
static void mappings_are_counted_and_bounded(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    int    status = 0;
    size_t opened = 0;
    memset(alias, 7, PAGES * page);
    for (size_t i = 1; i < PAGES && status == 0; i += 2) {
        status = host_gate_open(&gate, i * page, page, i % 4 == 1);
        opened += status == 0;
    }
    if (gate.kind == HOST_GATE_USERFAULT) {
        assert_int_equal(opened, PAGES / 2);
        return;
    }
    assert_int_equal(status, -ENFILE);
    assert_in_range(opened, LIMIT / 2 - 2, LIMIT / 2);
    assert_true(gate.mappings <= LIMIT);
    host_gate_close(&gate, 8 * page, 8 * page); /* splits and joins at once */
    assert_true(gate.mappings < LIMIT - 6);
    assert_int_equal(host_gate_open(&gate, 200 * page, page, true), 0);
    host_gate_close(&gate, 0, PAGES * page);
    assert_int_equal(gate.mappings, 1);
    host_gate_close(&gate, 3 * page, 9 * page);
    assert_int_equal(gate.mappings, 1);
    assert_int_equal(host_gate_open(&gate, 0, PAGES * page, true), 0);
    assert_int_equal(gate.mappings, 1);
}

/* ---- a gate over several mappings ---- */

static void parts_of_an_object_are_mapped_one_by_one(void **state)
{
    (void)state;
    SKIP_IF_THERE_IS_NONE();
    host_gate_t parts;
    char       *first = base, *over = host_reserve(16 * page);
    host_gate_t whole = gate;
    assert_non_null(over);
    for (size_t i = 0; i < 4; i++)
        alias[i * page] = (char)(10 + i);
    assert_int_equal(host_gate_create_over(&parts, &gate, over, 16 * page, LIMIT), 0);
    assert_int_equal(parts.kind, gate.kind);
    char byte;
    assert_int_equal(host_copy_safely(&byte, over, 1), 0); /* nothing is mapped */
    assert_int_equal(host_gate_map(&parts, 2 * page, &object, 3 * page, 4 * page), 0);
    assert_int_equal(host_gate_map(&parts, 8 * page, &object, 4 * page, 2 * page), 0);
    base = over; /* the handler looks there now */
    gate = parts;
    atomic_signal_fence(memory_order_seq_cst);
    assert_int_equal(faults_of_read(2), 1);
    assert_int_equal(read_at(2), 10);
    assert_int_equal(faults_of_write(8), 1);
    write_at(8, 77);
    assert_int_equal(alias[page], 77); /* the same bytes */
    assert_int_equal(read_at(3), 77);
    assert_int_equal(host_gate_map(&gate, 3 * page, &object, 6 * page, page), 0); /* another page in the middle of a part */
    assert_int_equal(faults_of_read(3), 1);
    assert_int_equal(read_at(3), 13);
    host_gate_close(&gate, 2 * page, 4 * page);
    assert_int_equal(faults_of_read(3), 1);
    assert_int_equal(faults_of_read(2), 1);
    assert_int_equal(host_gate_unmap(&gate, 2 * page, 4 * page), 0);
    assert_int_equal(host_copy_safely(&byte, over + 2 * page, 1), 0);
    assert_int_equal(read_at(8), 77);
    assert_true(gate.kind == HOST_GATE_USERFAULT || gate.mappings <= 3);
    parts = gate;
    host_gate_destroy(&parts);
    base = first;
    gate = whole;
    atomic_signal_fence(memory_order_seq_cst);
    assert_int_equal(faults_of_read(1), 1); /* the one whose descriptor it had goes on */
    host_release(over, 16 * page);
}

static void a_file_without_a_name_keeps_bytes(void **state)
{
    (void)state;
    host_file_t file;
    char        out[300], in[300];
    memset(out, 0x31, sizeof out);
    assert_int_equal(host_file_create(&file), 0);
    assert_int_equal(host_file_write(&file, 5000, out, sizeof out), 0);
    assert_int_equal(host_file_read(&file, 5000, in, sizeof in), 0);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(host_file_read(&file, 5001, in, sizeof in), -EIO); /* the file ends before */
    assert_int_equal(host_file_forget_bytes(&file), 0);
    assert_int_equal(host_file_read(&file, 0, in, 1), -EIO);
    host_file_close(&file);
    assert_int_equal(host_file_write(&file, 0, out, 1), -EBADF);
}

int main(void)
{
    static enum host_gate_kind userfault = HOST_GATE_USERFAULT, protect = HOST_GATE_PROTECT, best = HOST_GATE_BEST;
#define TEST(test, kind) \
    { \
#test ", " #kind, test, set_up, tear_down, &kind \
    }
#define BOTH(test) TEST(test, userfault), TEST(test, protect)
    const struct CMUnitTest tests[] = {
        BOTH(all_pages_begin_closed),
        BOTH(bytes_stay_while_the_page_is_closed),
        BOTH(a_page_open_for_reading_tells_of_the_first_write),
        BOTH(pages_are_made_of_given_bytes),
        BOTH(zeros_are_zeros_whoever_made_them),
        BOTH(bytes_given_back_to_the_host_are_gone),
        BOTH(mappings_are_counted_and_bounded),
        BOTH(parts_of_an_object_are_mapped_one_by_one),
        TEST(all_pages_begin_closed, best),
        cmocka_unit_test(a_file_without_a_name_keeps_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
