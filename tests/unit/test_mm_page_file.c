/*
 * test_mm_page_file.c - the page file: that a page which is out is nowhere else, what happens when the file is full or the host refuses it,
 * and that memory in use stays within what was promised. Every test runs with both gates.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/charge.h"
#include "mm/paging.h"

#define TAG NTMM_TAG("PgFi")
#define RAM 1024u  /* pages */
#define FILE 2048u /* pages */

static uint64_t pte_of(const void *page) { return mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)page)]; }

static char *try_allocate(size_t pages) { return ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, pages * PAGE_SIZE, TAG); }
static char *allocate(size_t pages)
{
    char *p = try_allocate(pages);
    assert_non_null(p);
    return p;
}

static void what_is_out_is_in_the_file_alone(void **state)
{
    (void)state;
    char *p = allocate(2);
    memset(p, 0x11, 2 * PAGE_SIZE);
    ntmm_page_out();
    uint32_t slot = mm_pte_file_slot(pte_of(p));
    assert_int_not_equal(slot, 0);
    char byte = 0x77;
    assert_int_equal(pwrite(mm_page_file_descriptor(), &byte, 1, (off_t)slot * PAGE_SIZE + 100), 1);
    assert_int_equal(((volatile char *)p)[100], 0x77);
    assert_int_equal(((volatile char *)p)[101], 0x11);
    ExFreePoolWithTag(p, TAG);
}

static void the_file_has_no_name(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 1, PAGE_SIZE);
    struct stat stat;
    ntmm_page_out();
    assert_int_equal(fstat(mm_page_file_descriptor(), &stat), 0);
    assert_int_equal(stat.st_nlink, 0);
    assert_true(S_ISREG(stat.st_mode));
    assert_true((uint64_t)stat.st_size > PAGE_SIZE);
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(fstat(mm_page_file_descriptor(), &stat), 0);
    assert_int_equal(stat.st_size, 0); /* the disk has its space back */
    assert_int_equal(ntmm_boot(*state), 0);
}

static void slots_are_given_back(void **state)
{
    (void)state;
    char *p = allocate(60);
    for (int round = 0; round < 3; round++) {
        memset(p, round, 60 * PAGE_SIZE);
        assert_int_equal(mm_page_file_used_locked(), 0);
        ntmm_page_out();
        assert_true(mm_page_file_used_locked() >= 60);
    }
    ExFreePoolWithTag(p, TAG);
    assert_int_equal(mm_page_file_used_locked(), 0);
    assert_true(ntmm_check());
}

static void clusters_lie_in_a_row(void **state)
{
    (void)state;
    char    *p = allocate(48);
    unsigned breaks = 0;
    for (size_t i = 48; i-- > 0;) /* touched the wrong way round */
        p[i * PAGE_SIZE] = 1;
    ntmm_page_out();
    for (size_t i = 1; i < 48; i++)
        breaks += mm_pte_file_slot(pte_of(p + i * PAGE_SIZE)) != mm_pte_file_slot(pte_of(p + (i - 1) * PAGE_SIZE)) + 1;
    assert_in_range(breaks, 0, 48 / MM_CLUSTER);
    ExFreePoolWithTag(p, TAG);
}

/* ---- full ---- */

/* Every page that can be committed holds bytes of its own, so that all of RAM and all of the file are needed. */
static void all_that_can_be_committed_can_be_used(void **state)
{
    (void)state;
    static char *piece[RAM + FILE + 1];
    size_t       count = 0;
    while ((piece[count] = try_allocate(1)) != NULL) {
        memset(piece[count], (int)count % 251, PAGE_SIZE);
        count++;
    }
    assert_int_equal(count, RAM + FILE);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            size_t at = i * 769 % count;
            assert_int_equal(((volatile unsigned char *)piece[at])[i % PAGE_SIZE], at % 251);
            if (round == 1)
                ((volatile char *)piece[at])[0] = (char)(at % 251);
        }
        assert_true(ntmm_check());
    }
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG));
    while (count > 0)
        ExFreePoolWithTag(piece[--count], TAG);
    assert_true(ntmm_check());
}

/* What must stay in RAM takes it from what need not. */
static void nonpaged_memory_finds_the_frames_that_it_was_granted(void **state)
{
    (void)state;
    static char *held[RAM];
    char        *paged = allocate(FILE);
    size_t       count = 0;
    for (size_t i = 0; i < FILE; i++)
        paged[i * PAGE_SIZE + 3] = (char)i;
    while ((held[count] = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG)) != NULL)
        memset(held[count++], 0x33, PAGE_SIZE);
    assert_int_equal(count, mm_pool_limit_pages(MM_NONPAGED_NX)); /* 3/4 of RAM */
    PHYSICAL_ADDRESS highest = { .QuadPart = INT64_MAX };
    void            *other[RAM];
    size_t           others = 0;
    while ((other[others] = others % 2 == 0 ? MmAllocateNonCachedMemory(PAGE_SIZE) : MmAllocateContiguousMemory(PAGE_SIZE, highest)) !=
           NULL)
        memset(other[others++], 0x44, PAGE_SIZE);
    assert_int_equal(count + others, RAM - MM_RESERVE);
    assert_true(ntmm_check());
    for (size_t i = 0; i < FILE; i++)
        assert_int_equal(((volatile char *)paged)[i * PAGE_SIZE + 3], (char)i);
    assert_true(ntmm_check());
    for (size_t i = 0; i < count; i++)
        assert_int_equal(held[i][99], 0x33);
    while (others-- > 0)
        others % 2 == 0 ? MmFreeNonCachedMemory(other[others], PAGE_SIZE) : MmFreeContiguousMemory(other[others]);
    while (count > 0)
        ExFreePoolWithTag(held[--count], TAG);
    ExFreePoolWithTag(paged, TAG);
}

static void pageable_pages_make_room_for_a_run(void **state)
{
    (void)state;
    char *paged = allocate(RAM);
    for (size_t i = 0; i < RAM; i++)
        paged[i * PAGE_SIZE] = (char)i;
    PHYSICAL_ADDRESS highest = { .QuadPart = INT64_MAX };
    char            *run = MmAllocateContiguousMemory(64 * PAGE_SIZE, highest);
    assert_non_null(run);
    memset(run, 1, 64 * PAGE_SIZE);
    for (size_t i = 0; i < RAM; i++)
        assert_int_equal(((volatile char *)paged)[i * PAGE_SIZE], (char)i);
    MmFreeContiguousMemory(run);
    ExFreePoolWithTag(paged, TAG);
}

static uint64_t object_bytes(void)
{
    struct stat stat;
    assert_int_equal(fstat(mm_object.fd, &stat), 0);
    return (uint64_t)stat.st_blocks * 512;
}

static void the_host_keeps_ram_and_a_batch(void **state)
{
    (void)state;
    uint64_t most = (RAM + RAM / 4 + MM_STALE_HOMES + 32) * (uint64_t)PAGE_SIZE;
    char    *paged = allocate(FILE);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < FILE; i++) {
            paged[(i * 37 % FILE) * PAGE_SIZE] = (char)round;
            if (i % 64 == 0 && object_bytes() > most)
                fail_msg("the host keeps %llu bytes", (unsigned long long)object_bytes());
        }
    ExFreePoolWithTag(paged, TAG);
}

/* ---- a host that refuses ---- */

static void open_over_the_file(const char *path)
{
    int other = open(path, O_RDWR | O_CLOEXEC);
    assert_true(other >= 0);
    assert_true(dup2(other, mm_page_file_descriptor()) >= 0);
    close(other);
}

static void make_the_file(void)
{
    char *p = allocate(1);
    memset(p, 1, PAGE_SIZE);
    ntmm_page_out();
    ExFreePoolWithTag(p, TAG);
}

static void a_full_disk_makes_allocations_fail(void **state)
{
    (void)state;
    static char *piece[RAM + FILE + 1];
    size_t       count = 0;
    make_the_file();
    open_over_the_file("/dev/full");
    while (count < RAM + FILE && (piece[count] = try_allocate(1)) != NULL)
        memset(piece[count++], 0x29, PAGE_SIZE);
    assert_in_range(count, RAM - 2 * MM_CLUSTER, RAM); /* as if there were no page file */
    ntmm_memory_usage usage;
    ntmm_query_memory(&usage);
    assert_int_equal(usage.commit_limit, RAM);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(piece[i][200], 0x29);
    assert_true(ntmm_check());
    while (count > 0)
        ExFreePoolWithTag(piece[--count], TAG);
}

static void touch_all(char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        ((volatile char *)p)[i * PAGE_SIZE] = 1;
}

/* What was promised before the disk was full cannot be kept. */
static void without_room_on_the_disk_no_page_can_be_had(void **state)
{
    (void)state;
    make_the_file();
    open_over_the_file("/dev/full");
    char *p = allocate(RAM + 100);
    assert_bugcheck(NO_PAGES_AVAILABLE, MM_CLUSTER, touch_all(p, RAM + 100)); /* as many as were trimmed at once */
    assert_int_equal(ntmm_cmocka_caught.parameter[1], MM_CLUSTER);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], mm_pool_limit_pages(MM_NONPAGED_NX));
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0xC000007Fu); /* STATUS_DISK_FULL */
}

static void a_page_that_cannot_be_read_stops_the_machine(void **state)
{
    (void)state;
    char *p = allocate(1);
    memset(p, 1, PAGE_SIZE);
    ntmm_page_out();
    assert_int_equal(ftruncate(mm_page_file_descriptor(), 0), 0);
    assert_bugcheck(KERNEL_DATA_INPAGE_ERROR, &mm_paged_table.ptes[mm_table_index(&mm_paged_table, (uintptr_t)p)], *(volatile char *)p = 1);
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0xC0000185u);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], pte_of(p));
    assert_ptr_equal((void *)ntmm_cmocka_caught.parameter[3], p);
}

static int set_up(void **state)
{
    ntmm_config *config = *state;
    int          status = ntmm_boot(config);
    if (status != -ENOTSUP)
        return status;
    config->page_gate = NTMM_GATE_BEST; /* for the boots within a test too */
    return ntmm_boot(config);
}

/* A descriptor that was put in the file's place must not meet the next test. */
static int tear_down(void **state)
{
    int status = ntmm_cmocka_teardown(state);
    ntmm_boot(&(ntmm_config){ .quiet = true, .physical_memory = 4 << 20, .page_file_size = PAGE_SIZE });
    ntmm_shutdown(NULL);
    return status;
}

int main(void)
{
#define CONFIG(gate) \
    { \
        .quiet = true, .physical_memory = RAM * (uint64_t)PAGE_SIZE, .page_file_size = FILE * (uint64_t)PAGE_SIZE, .page_gate = gate, \
        .no_magazines = true \
    }
    static ntmm_config userfaultfd = CONFIG(NTMM_GATE_USERFAULTFD), mprotect = CONFIG(NTMM_GATE_MPROTECT);
#define TEST(test, config) \
    { \
#test ", " #config, test, set_up, tear_down, &config \
    }
#define BOTH(test) TEST(test, userfaultfd), TEST(test, mprotect)
    const struct CMUnitTest tests[] = {
        BOTH(what_is_out_is_in_the_file_alone),
        BOTH(the_file_has_no_name),
        BOTH(slots_are_given_back),
        BOTH(clusters_lie_in_a_row),
        BOTH(all_that_can_be_committed_can_be_used),
        BOTH(nonpaged_memory_finds_the_frames_that_it_was_granted),
        BOTH(pageable_pages_make_room_for_a_run),
        BOTH(the_host_keeps_ram_and_a_batch),
        BOTH(a_full_disk_makes_allocations_fail),
        BOTH(without_room_on_the_disk_no_page_can_be_had),
        BOTH(a_page_that_cannot_be_read_stops_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
