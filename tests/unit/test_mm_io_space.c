/*
 * test_mm_io_space.c - windows of I/O space, and MmMapIoSpace over them and over RAM: two views of one window, wrong unmaps, cache types,
 * protections, exhaustion, threads.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define WINDOW 0xFE000000u /* no RAM is there on the default machine */
#define TAG NTMM_TAG("Iosp")

static PHYSICAL_ADDRESS       at(uint64_t bytes) { return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)bytes }; }
static const PHYSICAL_ADDRESS ANYWHERE = { .QuadPart = -1 };

static bool says(const char *part) { return strstr(ntmm_error(), part) != NULL; }

/* ---- what is written on one side is seen on the other ---- */

static void both_sides_see_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, 3 * PAGE_SIZE), 0);
    char *device = ntmm_io_space_bytes(WINDOW), *driver = MmMapIoSpace(at(WINDOW), 3 * PAGE_SIZE, MmNonCached);
    assert_true(device != NULL && driver != NULL);
    assert_int_equal(BYTE_OFFSET(driver), 0);
    for (size_t i = 0; i < 3 * PAGE_SIZE; i++)
        assert_int_equal(device[i], 0);
    for (size_t i = 0; i < 3 * PAGE_SIZE; i += 61) {
        driver[i] = (char)i;
        assert_int_equal(device[i], (char)i);
        device[i] = (char)(i + 1);
        assert_int_equal(driver[i], (char)(i + 1));
    }
    assert_ptr_equal(ntmm_io_space_bytes(WINDOW + PAGE_SIZE + 5), device + PAGE_SIZE + 5);
    assert_int_equal(MmGetPhysicalAddress(driver + PAGE_SIZE + 5).QuadPart, WINDOW + PAGE_SIZE + 5);
    assert_true(MmIsAddressValid(driver + PAGE_SIZE));
    assert_true(ntmm_check());
    MmUnmapIoSpace(driver, 3 * PAGE_SIZE);
    assert_int_equal(MmGetPhysicalAddress(driver).QuadPart, 0);
    assert_int_equal(device[61], 62); /* the window keeps its bytes while nobody maps it */
    assert_true(ntmm_check());
}

static void the_offset_on_the_page_is_kept(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x10, 2 * PAGE_SIZE), 0); /* three pages, the last with 16 bytes of it */
    char *device = ntmm_io_space_bytes(WINDOW + 0x10);
    char *driver = MmMapIoSpace(at(WINDOW + PAGE_SIZE + 0x123), 17, MmNonCached);
    assert_int_equal(BYTE_OFFSET(driver), 0x123);
    driver[16] = 0x5a;
    assert_int_equal(device[PAGE_SIZE + 0x113 + 16], 0x5a);
    MmUnmapIoSpace(driver, 17);
    driver = MmMapIoSpace(at(WINDOW + 2 * PAGE_SIZE - 1), 2, MmNonCached); /* two bytes, two pages */
    driver[1] = 0x77;
    assert_int_equal(*(char *)ntmm_io_space_bytes(WINDOW + 2 * PAGE_SIZE), 0x77);
    MmUnmapIoSpace(driver, 2);
    assert_null(ntmm_io_space_bytes(WINDOW + 0x0f));
    assert_true(says("no window of memory"));
    assert_null(ntmm_io_space_bytes(WINDOW + 0x10 + 2 * PAGE_SIZE));
    assert_non_null(ntmm_io_space_bytes(WINDOW + 0x0f + 2 * PAGE_SIZE));
}

static void two_views_of_one_window(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, 4 * PAGE_SIZE), 0);
    volatile char *all = MmMapIoSpace(at(WINDOW), 4 * PAGE_SIZE, MmNonCached);
    volatile char *part = MmMapIoSpace(at(WINDOW + PAGE_SIZE + 8), PAGE_SIZE, MmNonCached);
    assert_true(all != part + 8);
    all[PAGE_SIZE + 8] = 3;
    assert_int_equal(part[0], 3);
    part[PAGE_SIZE - 1] = 4;
    assert_int_equal(all[2 * PAGE_SIZE + 7], 4);
    MmUnmapIoSpace((PVOID)(uintptr_t)all, 4 * PAGE_SIZE);
    assert_int_equal(part[0], 3); /* the other view stays */
    assert_true(ntmm_check());
    MmUnmapIoSpace((PVOID)(uintptr_t)part, PAGE_SIZE);
    assert_true(ntmm_check());
}

static void windows_lie_anywhere_but_in_ram(void **state)
{
    (void)state;
    const uint64_t bases[] = { 0xA0000, WINDOW + 8, GIB(1000), ((uint64_t)1 << 52) - PAGE_SIZE };
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        assert_int_equal(ntmm_io_space_add(bases[i], 24), 0);
        char *device = ntmm_io_space_bytes(bases[i]), *driver = MmMapIoSpace(at(bases[i]), 24, MmNonCached);
        assert_non_null(driver);
        driver[23] = (char)(i + 1);
        assert_int_equal(device[23], i + 1);
        assert_int_equal(MmGetPhysicalAddress(driver + 23).QuadPart, bases[i] + 23);
        assert_null(MmGetVirtualForPhysical(at(bases[i]))); /* of RAM only */
        MmUnmapIoSpace(driver, 24);
    }
    assert_true(ntmm_check());
}

/* ---- the control API ---- */

static void a_window_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t    physical;
        size_t      bytes;
        const char *says;
    } refused[] = {
        { WINDOW, 0, "some bytes" },
        { (uint64_t)1 << 52, 16, "2^52" },
        { ((uint64_t)1 << 52) - 16, 17, "2^52" },
        { 16, SIZE_MAX, "2^52" },
        { UINT64_MAX, 1, "2^52" },
        { MIB(1), 16, "RAM" }, /* in the middle of RAM, across its first byte, across its last, around all of it */
        { MIB(1) - 1, 2, "RAM" },
        { MIB(15) - 1, 2, "RAM" },
        { 0, GIB(100), "RAM" },
        { WINDOW + 0x10f, 1, "the window at 0xfe000100" }, /* the same with a window */
        { WINDOW + 0xff, 2, "the window at 0xfe000100" },
        { WINDOW + 0x100, 16, "the window at 0xfe000100" },
        { WINDOW, PAGE_SIZE, "the window at 0xfe000100" },
    };
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x100, 16), 0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(ntmm_io_space_add(refused[i].physical, refused[i].bytes), -EINVAL);
        if (!says(refused[i].says))
            fail_msg("row %zu says: %s", i, ntmm_error());
        assert_int_equal(ntmm_io_space_add_device(refused[i].physical, refused[i].bytes, &(ntmm_io_ops){ NULL, NULL }, NULL), -EINVAL);
    }
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 1, NULL, NULL), -EINVAL);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x101), -EINVAL); /* in it, but not where it begins */
    assert_int_equal(ntmm_io_space_remove(WINDOW), -EINVAL);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x100), 0);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x100), -EINVAL);
    assert_true(ntmm_check());
}

static void windows_may_share_a_page(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x20, 0x10), 0);
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x30, 2 * PAGE_SIZE), 0); /* touches the first one, and goes on */
    assert_int_equal(ntmm_io_space_add(WINDOW, 0x20), 0);
    char *first = ntmm_io_space_bytes(WINDOW), *second = ntmm_io_space_bytes(WINDOW + 0x20), *third = ntmm_io_space_bytes(WINDOW + 0x30);
    memset(first, 1, 0x20);
    memset(second, 2, 0x10);
    memset(third, 3, 2 * PAGE_SIZE);
    char *driver = MmMapIoSpace(at(WINDOW), 2 * PAGE_SIZE + 0x30, MmNonCached); /* all three at once */
    for (size_t i = 0; i < 2 * PAGE_SIZE + 0x30; i++)
        assert_int_equal(driver[i], i < 0x20 ? 1 : i < 0x30 ? 2 : 3);
    assert_true(ntmm_check());
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x30), -EBUSY);
    assert_true(says("mapped"));
    MmUnmapIoSpace(driver, 2 * PAGE_SIZE + 0x30);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x30), 0);
    assert_int_equal(first[0x1f], 1); /* the others keep their bytes, and what comes next finds zeros */
    assert_int_equal(second[0x0f], 2);
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x28 + PAGE_SIZE, PAGE_SIZE), 0);
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x30, 0x18), 0);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x20), 0);
    assert_int_equal(ntmm_io_space_add(WINDOW + 0x24, 0x0c), 0);
    driver = MmMapIoSpace(at(WINDOW), 2 * PAGE_SIZE + 0x28, MmNonCached);
    for (size_t i = 0; i < 2 * PAGE_SIZE + 0x28; i++)
        assert_int_equal(driver[i], i < 0x20 ? 1 : 0);
    MmUnmapIoSpace(driver, 2 * PAGE_SIZE + 0x28);
    assert_true(ntmm_check());
}

static void there_is_room_for_256(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256;
         i++) /* every second one is taken away again, so that runs of pages stay without the window that made them */
        assert_int_equal(ntmm_io_space_add(WINDOW + i * (PAGE_SIZE + 0x10), PAGE_SIZE + 0x10), 0);
    assert_int_equal(ntmm_io_space_add(GIB(500), 1), -ENOSPC);
    for (unsigned i = 0; i < 256; i += 2)
        assert_int_equal(ntmm_io_space_remove(WINDOW + i * (PAGE_SIZE + 0x10)), 0);
    assert_true(ntmm_check());
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(ntmm_io_space_add(GIB(500) + i * PAGE_SIZE, PAGE_SIZE), 0);
    assert_int_equal(ntmm_io_space_add(GIB(600), 1), -ENOSPC);
    char *driver = MmMapIoSpace(at(GIB(500)), 128 * PAGE_SIZE, MmCached); /* windows in a row are mapped in one piece */
    memset(driver, 9, 128 * PAGE_SIZE);
    assert_int_equal(*(char *)ntmm_io_space_bytes(GIB(500) + 128 * PAGE_SIZE - 1), 9);
    assert_true(ntmm_check());
    MmUnmapIoSpace(driver, 128 * PAGE_SIZE);
}

static void windows_go_with_the_machine(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    memset(ntmm_io_space_bytes(WINDOW), 7, PAGE_SIZE);
    ntmm_cmocka_reboot();
    assert_null(ntmm_io_space_bytes(WINDOW));
    assert_null(MmMapIoSpace(at(WINDOW), 1, MmNonCached));
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    char *device = ntmm_io_space_bytes(WINDOW);
    assert_int_equal(device[0], 0);
    device[1] = 5;
    assert_bugcheck_code(MANUALLY_INITIATED_CRASH, KeBugCheck(MANUALLY_INITIATED_CRASH));
    assert_ptr_equal(ntmm_io_space_bytes(WINDOW), device); /* a halted machine may be looked at, and not changed */
    assert_int_equal(device[1], 5);
    assert_int_equal(ntmm_io_space_add(GIB(100), 1), -ENODEV);
    assert_int_equal(ntmm_io_space_remove(WINDOW), -ENODEV);
    ntmm_cmocka_reboot();
    assert_null(ntmm_io_space_bytes(WINDOW));
}

static void no_machine_no_windows(void **state)
{
    (void)state;
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_io_space_add(WINDOW, 1), -ENODEV);
    assert_null(ntmm_io_space_bytes(WINDOW));
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .unbacked_ram = true }), 0);
    assert_int_equal(ntmm_io_space_add(WINDOW, 1), -ENOTSUP);
    assert_true(says("unbacked"));
    assert_null(MmMapIoSpace(at(WINDOW), 1, MmNonCached));
}

static void memory_that_is_added_keeps_clear_of_windows(void **state)
{
    (void)state;
    PHYSICAL_ADDRESS start = at(0xF0000000u);
    LARGE_INTEGER    length = { .QuadPart = 64 * PAGE_SIZE };
    assert_int_equal(ntmm_io_space_add(0xF0000000u + 63 * PAGE_SIZE + 8, 8), 0);
    assert_int_equal(MmAddPhysicalMemory(&start, &length), STATUS_CONFLICTING_ADDRESSES);
    assert_true(ntmm_check());
    length.QuadPart -= PAGE_SIZE;
    assert_int_equal(MmAddPhysicalMemory(&start, &length), STATUS_SUCCESS);
    assert_int_equal(ntmm_io_space_add(0xF0000000u + 62 * PAGE_SIZE, 8), -EINVAL);
    assert_true(says("RAM"));
    assert_int_equal(MmRemovePhysicalMemory(&start, &length), STATUS_SUCCESS);
    assert_int_equal(ntmm_io_space_add(0xF0000000u + 62 * PAGE_SIZE, 8), 0);
    assert_true(ntmm_check());
}

/* ---- mapping ---- */

static void what_cannot_be_mapped_is_null_with_a_sentence(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    const struct {
        uint64_t            physical;
        SIZE_T              bytes;
        MEMORY_CACHING_TYPE cache;
        const char         *says;
    } refused[] = {
        { WINDOW, 0, MmNonCached, "greater than zero" },
        { WINDOW, SIZE_MAX, MmNonCached, "physical addresses" },
        { UINT64_MAX - 8, 8, MmNonCached, "physical addresses" },
        { WINDOW, (SIZE_T)1 << 40, MmNonCached, "system PTEs" },
        { WINDOW, 8, MmHardwareCoherentCached, "cache type 3" },
        { WINDOW, 8, MmUSWCCached, "cache type 5" },
        { WINDOW, 8, MmNotMapped, "cache type -1" },
        { WINDOW - 1, 1, MmNonCached, "ntmm_io_space_add" }, /* nothing is there */
        { WINDOW - 1, 2, MmNonCached, "ntmm_io_space_add" },
        { WINDOW, PAGE_SIZE + 1, MmNonCached, "ntmm_io_space_add" },
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_null(MmMapIoSpace(at(refused[i].physical), refused[i].bytes, refused[i].cache));
        if (!says(refused[i].says))
            fail_msg("row %zu says: %s", i, ntmm_error());
        assert_true(ntmm_check());
    }
    assert_int_equal(ntmm_io_space_remove(WINDOW), 0); /* and nothing of it counts as mapped */
}

static void protections_are_real(void **state)
{
    (void)state;
    static const ULONG good[] = { PAGE_READONLY,
                                  PAGE_READWRITE,
                                  PAGE_EXECUTE,
                                  PAGE_EXECUTE_READ,
                                  PAGE_EXECUTE_READWRITE,
                                  PAGE_READWRITE | PAGE_NOCACHE,
                                  PAGE_READONLY | PAGE_WRITECOMBINE };
    static const ULONG bad[] = { 0,
                                 PAGE_NOACCESS,
                                 PAGE_WRITECOPY,
                                 PAGE_EXECUTE_WRITECOPY,
                                 PAGE_NOCACHE,
                                 PAGE_READWRITE | PAGE_READONLY,
                                 PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE,
                                 PAGE_READWRITE | PAGE_GUARD,
                                 PAGE_READWRITE | 0x80000000u };
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    *(char *)ntmm_io_space_bytes(WINDOW + 4) = 0x11;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        volatile char *p = MmMapIoSpaceEx(at(WINDOW), PAGE_SIZE, good[i]);
        assert_non_null(p);
        assert_int_equal(p[4], 0x11);
        if ((good[i] & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0)
            p[4] = 0x11;
        MmUnmapIoSpace((PVOID)(uintptr_t)p, PAGE_SIZE);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(MmMapIoSpaceEx(at(WINDOW), PAGE_SIZE, bad[i]));
        assert_true(says("PAGE_NOCACHE"));
    }
    volatile char *p = MmMapIoSpaceEx(at(WINDOW), PAGE_SIZE, PAGE_READONLY | PAGE_NOCACHE);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, p + 8, p[8] = 1);
    assert_non_null(strstr(ntmm_stop_report(), "mapped by MmMapIoSpace, physical address 0xfe000008: byte 0x8 of the window of memory"));
}

/* By another name, with the same rules. */
static void a_frame_buffer_is_io_space(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, 2 * PAGE_SIZE), 0);
    char *device = ntmm_io_space_bytes(WINDOW), *driver = MmMapVideoDisplay(at(WINDOW + 0x10), PAGE_SIZE, MmWriteCombined);
    assert_non_null(driver);
    driver[0] = 7;
    assert_int_equal(device[0x10], 7);
    assert_null(MmMapVideoDisplay(at(WINDOW), PAGE_SIZE, MmCached)); /* one cache type at a time */
    MmUnmapVideoDisplay(driver, PAGE_SIZE);
    assert_null(MmMapVideoDisplay(at(WINDOW + 2 * PAGE_SIZE), 1, MmNonCached)); /* nothing is there */
    driver = MmMapVideoDisplay(at(WINDOW), 2 * PAGE_SIZE, MmNonCached);
    assert_bugcheck_all(SYSTEM_PTE_MISUSE, 0x400, (uintptr_t)driver, 1, 0, MmUnmapVideoDisplay(driver, PAGE_SIZE));
}

static void code_runs_where_it_may(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov eax, 42; ret */
#elif defined(__aarch64__)
    static const uint32_t code[] = { 0x52800540, 0xd65f03c0 }; /* mov w0, 42; ret */
#endif
    int (*run)(void);
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    memcpy(ntmm_io_space_bytes(WINDOW), code, sizeof code);
    __builtin___clear_cache((char *)ntmm_io_space_bytes(WINDOW), (char *)ntmm_io_space_bytes(WINDOW) + sizeof code);
    void *executable = MmMapIoSpaceEx(at(WINDOW), PAGE_SIZE, PAGE_EXECUTE_READ);
    assert_non_null(executable);
    memcpy(&run, &executable, sizeof run);
#ifdef __linux__ /* macOS maps no code that comes out of a memory object */
    if (getenv("NTMM_EMULATED") == NULL)
        assert_int_equal(run(), 42);
#endif
    void *data = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmCached);
    memcpy(&run, &data, sizeof run);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, data, run());
}

static void one_cache_type_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, 3 * PAGE_SIZE), 0);
    void *first = MmMapIoSpace(at(WINDOW + PAGE_SIZE), PAGE_SIZE, MmNonCached);
    assert_null(MmMapIoSpace(at(WINDOW + PAGE_SIZE), PAGE_SIZE, MmCached));
    assert_true(says("another cache type"));
    assert_null(MmMapIoSpaceEx(at(WINDOW), 3 * PAGE_SIZE, PAGE_READWRITE)); /* fails at its second page, and lets go of the first */
    assert_null(MmMapIoSpaceEx(at(WINDOW), 3 * PAGE_SIZE, PAGE_READWRITE | PAGE_WRITECOMBINE));
    assert_true(ntmm_check());
    void *second = MmMapIoSpaceEx(at(WINDOW), 3 * PAGE_SIZE, PAGE_READONLY | PAGE_NOCACHE);
    void *third = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached);
    assert_true(first != NULL && second != NULL && third != NULL);
    MmUnmapIoSpace(first, PAGE_SIZE);
    MmUnmapIoSpace(second, 3 * PAGE_SIZE);
    void *fourth = MmMapIoSpace(at(WINDOW + PAGE_SIZE), PAGE_SIZE, MmCached); /* nobody maps it any more: it may become another */
    assert_non_null(fourth);
    assert_null(MmMapIoSpace(at(WINDOW), 2 * PAGE_SIZE, MmCached));
    MmUnmapIoSpace(third, PAGE_SIZE);
    MmUnmapIoSpace(fourth, PAGE_SIZE);
    assert_true(ntmm_check());
}

static void levels(void **state)
{
    (void)state;
    KIRQL before;
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    for (volatile int form = 0; form < 5; form++) {
        KeRaiseIrql(DISPATCH_LEVEL, &before);
        void *p = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached), *q = MmMapIoSpaceEx(at(WINDOW), 1, PAGE_READONLY | PAGE_NOCACHE);
        assert_true(p != NULL && q != NULL);
        MmUnmapIoSpace(q, 1);
        KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, form == 0   ? (void)MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached)
                                                     : form == 1 ? (void)MmMapIoSpaceEx(at(WINDOW), PAGE_SIZE, PAGE_READONLY)
                                                     : form == 2 ? (void)MmMapVideoDisplay(at(WINDOW), PAGE_SIZE, MmNonCached)
                                                     : form == 3 ? MmUnmapVideoDisplay(p, PAGE_SIZE)
                                                                 : MmUnmapIoSpace(p, PAGE_SIZE));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL + 1);
        assert_int_equal(strstr(ntmm_stop_report(), "VideoDisplay") != NULL, form == 2 || form == 3); /* the routine that was called */
        ntmm_cmocka_reboot();
        assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    }
}

/* ---- unmapping ---- */

static void wrong_unmaps_stop_the_machine(void **state)
{
    (void)state;
    for (volatile int wrong = 0; wrong < 10; wrong++) {
        assert_int_equal(ntmm_io_space_add(WINDOW, 4 * PAGE_SIZE), 0);
        char *p = MmMapIoSpace(at(WINDOW + 0x40), 2 * PAGE_SIZE, MmNonCached);
        char *noncached = MmAllocateNonCachedMemory(PAGE_SIZE), *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
        const struct {
            char     *base;
            SIZE_T    bytes;
            uintptr_t pages;
        } bad[] = {
            { p, 2 * PAGE_SIZE - 1, 3 },
            { p, PAGE_SIZE, 2 },
            { p, 0, 1 },
            { p - 0x40, 2 * PAGE_SIZE + 0x40, 3 },
            { p + 1, 2 * PAGE_SIZE, 3 },
            { p + PAGE_SIZE, PAGE_SIZE, 2 },
            { noncached, PAGE_SIZE, 1 },
            { pool, 64, ADDRESS_AND_SIZE_TO_SPAN_PAGES(pool, 64) },
            { NULL, PAGE_SIZE, 1 },
            { p, 2 * PAGE_SIZE, 3 },
        };
        if (wrong == 9)
            MmUnmapIoSpace(p, 2 * PAGE_SIZE); /* and again */
        assert_bugcheck_all(SYSTEM_PTE_MISUSE, 0x400, bad[wrong].base, bad[wrong].pages, 0,
                            MmUnmapIoSpace(bad[wrong].base, bad[wrong].bytes));
        ntmm_cmocka_reboot();
    }
}

static void other_frees_are_wrong_too(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, 2 * PAGE_SIZE), 0);
    void *p = MmMapIoSpace(at(WINDOW), 2 * PAGE_SIZE, MmNonCached);
    assert_bugcheck(SYSTEM_PTE_MISUSE, 0x302, MmFreeNonCachedMemory(p, 2 * PAGE_SIZE));
    ntmm_cmocka_reboot();
    assert_int_equal(ntmm_io_space_add(WINDOW, 2 * PAGE_SIZE), 0);
    p = MmMapIoSpace(at(WINDOW), 2 * PAGE_SIZE, MmNonCached);
    assert_bugcheck(BAD_POOL_CALLER, 0x46, ExFreePool((char *)p + 64));
    ntmm_cmocka_reboot();
    assert_int_equal(ntmm_io_space_add(WINDOW, 2 * PAGE_SIZE), 0);
    p = MmMapIoSpace(at(WINDOW), 2 * PAGE_SIZE, MmNonCached);
    assert_bugcheck(BAD_POOL_CALLER, 0x60, MmFreeContiguousMemory(p));
}

static void what_is_unmapped_is_gone(void **state)
{
    (void)state;
    KIRQL before;
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    volatile ULONG *p = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached);
    *p = 1;
    MmUnmapIoSpace((PVOID)(uintptr_t)p, PAGE_SIZE);
    assert_false(MmIsAddressValid((PVOID)(uintptr_t)p));
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, p, *p = 2);
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 2);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0);
    ntmm_cmocka_reboot();
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    p = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p + PAGE_SIZE / 4, (void)p[PAGE_SIZE / 4]); /* and nothing lies behind it */
}

static void a_mapping_that_stays_is_a_leak(void **state)
{
    (void)state;
    static ntmm_report report;
    assert_int_equal(ntmm_io_space_add(WINDOW, 4 * PAGE_SIZE), 0);
    void          *p = MmMapIoSpace(at(WINDOW + 0x68), 2 * PAGE_SIZE, MmNonCached);
    volatile char *gone = MmMapIoSpace(at(WINDOW), 1, MmNonCached);
    assert_int_equal(ntmm_shutdown(&report), 2);
    size_t i = report.leaks[0].address == p ? 0 : 1;
    assert_ptr_equal(report.leaks[i].address, p);
    assert_int_equal(report.leaks[i].bytes, 2 * PAGE_SIZE);
    assert_int_equal(report.leaks[i].tag, NTMM_TAG("MmIo"));
    assert_int_equal(report.leaks[1 - i].bytes, 1);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    assert_true(ntmm_check());
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, gone, (void)gone[0]);
}

/* ---- RAM ---- */

static void memory_that_stays_where_it_is_can_be_mapped(void **state)
{
    (void)state;
    char *run = MmAllocateContiguousMemory(3 * PAGE_SIZE, ANYWHERE), *noncached = MmAllocateNonCachedMemory(2 * PAGE_SIZE);
    char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
    char *p = MmMapIoSpace(MmGetPhysicalAddress(run + 5), 2 * PAGE_SIZE, MmCached);
    char *q = MmMapIoSpace(MmGetPhysicalAddress(pool), 100, MmCached);
    char *r = MmMapIoSpace(MmGetPhysicalAddress(noncached), PAGE_SIZE, MmNonCached);
    assert_true(p != NULL && q != NULL && r != NULL);
    p[2 * PAGE_SIZE - 1] = 0x21;
    q[99] = 0x22;
    r[0] = 0x23;
    assert_int_equal(run[2 * PAGE_SIZE + 4], 0x21);
    assert_int_equal(pool[99], 0x22);
    assert_int_equal(noncached[0], 0x23);
    assert_int_equal(MmGetPhysicalAddress(p).QuadPart, MmGetPhysicalAddress(run + 5).QuadPart);
    assert_null(MmMapIoSpace(MmGetPhysicalAddress(run), PAGE_SIZE, MmNonCached));
    assert_true(says("has cache type 1, not 0"));
    assert_null(MmMapIoSpace(MmGetPhysicalAddress(pool), 100, MmWriteCombined));
    assert_null(MmMapIoSpace(MmGetPhysicalAddress(noncached), PAGE_SIZE, MmCached));
    assert_true(ntmm_check());
    MmFreeContiguousMemory(run); /* a bug that the reference warns of: nothing holds it, and nothing breaks here */
    assert_true(ntmm_check());
    MmUnmapIoSpace(p, 2 * PAGE_SIZE);
    MmUnmapIoSpace(q, 100);
    MmUnmapIoSpace(r, PAGE_SIZE);
    ExFreePool(pool);
    MmFreeNonCachedMemory(noncached, 2 * PAGE_SIZE);
    assert_true(ntmm_check());
}

static void memory_that_nobody_has_locked_cannot(void **state)
{
    (void)state;
    for (volatile int kind = 0; kind < 4; kind++) {
        char            *pageable = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, TAG);
        char            *run = MmAllocateContiguousMemory(2 * PAGE_SIZE, ANYWHERE);
        PHYSICAL_ADDRESS physical = kind == 0 ? at(MIB(1)) : MmGetPhysicalAddress(run);
        memset(pageable, 1, PAGE_SIZE);
        if (kind == 0)
            assert_int_equal(ntmm_mark_bad(MIB(1), PAGE_SIZE), 1);
        else if (kind == 1)
            MmFreeContiguousMemory(run); /* free now */
        else
            physical = MmGetPhysicalAddress(pageable + 8);
        assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1233, physical.QuadPart >> PAGE_SHIFT, 0, 0,
                            kind == 3 ? MmMapIoSpaceEx(physical, 8, PAGE_READONLY) : MmMapIoSpace(physical, 8, MmCached));
        ntmm_cmocka_reboot();
    }
}

static void secure_pool_stays_read_only(void **state)
{
    (void)state;
    HANDLE secure;
    assert_int_equal(ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &secure), STATUS_SUCCESS);
    POOL_EXTENDED_PARAMS_SECURE_POOL params = { .SecurePoolHandle = secure, .SecurePoolFlags = SECURE_POOL_FLAGS_FREEABLE };
    POOL_EXTENDED_PARAMETER          parameter = { .Type = PoolExtendedParameterSecurePool, .SecurePoolParams = &params };
    char                            *p = ExAllocatePool3(POOL_FLAG_NON_PAGED, 64, TAG, &parameter, 1);
    assert_non_null(p);
    assert_null(MmMapIoSpace(MmGetPhysicalAddress(p), 64, MmCached));
    assert_true(says("secure pool"));
    char *q = MmMapIoSpaceEx(MmGetPhysicalAddress(p), 64, PAGE_READONLY);
    assert_non_null(q);
    assert_memory_equal(p, q, 64);
    MmUnmapIoSpace(q, 64);
    assert_true(ntmm_check());
    params = (POOL_EXTENDED_PARAMS_SECURE_POOL){ .SecurePoolHandle = secure };
    ExFreePool2(p, TAG, &parameter, 1);
    ExDestroyPool(secure);
}

static void copies_are_of_memory_only(void **state)
{
    (void)state;
    char            to[16];
    SIZE_T          copied = 7;
    MM_COPY_ADDRESS source = { .PhysicalAddress = at(WINDOW) };
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    assert_int_equal(MmCopyMemory(to, source, sizeof to, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_INVALID_ADDRESS);
    assert_int_equal(copied, 0);
    source.VirtualAddress = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached);
    assert_int_equal(MmCopyMemory(to, source, sizeof to, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_INVALID_ADDRESS);
    assert_int_equal(copied, 0);
    MmUnmapIoSpace(source.VirtualAddress, PAGE_SIZE);
}

/* ---- shortage ---- */

static void system_ptes_run_out(void **state)
{
    (void)state;
    static void *held[64];
    size_t       count = 0;
    assert_int_equal(ntmm_io_space_add(GIB(900), MIB(96)), 0);
    while (count < 64 && (held[count] = MmMapIoSpace(at(GIB(900)), MIB(96), MmNonCached)) != NULL)
        count++;
    assert_int_equal(count, 10); /* 1 GiB of them */
    assert_true(says("system PTEs"));
    assert_true(ntmm_check());
    while (count > 0)
        MmUnmapIoSpace(held[--count], MIB(96));
    held[0] = MmMapIoSpace(at(GIB(900)), MIB(96), MmNonCached);
    assert_non_null(held[0]);
    *(char *)held[0] = 1;
    MmUnmapIoSpace(held[0], MIB(96));
    assert_int_equal(ntmm_io_space_remove(GIB(900)), 0);
    assert_true(ntmm_check());
}

static void host_mappings_run_out(void **state)
{
    (void)state;
    enum { MOST = 270000 };
    void **held = calloc(MOST, sizeof *held);
    size_t count = 0;
    if (getenv("NTMM_EMULATED") != NULL)
        skip();
    assert_int_equal(ntmm_io_space_add(WINDOW, 2 * PAGE_SIZE), 0);
    while (count < MOST && (held[count] = MmMapIoSpace(at(WINDOW), 1, MmNonCached)) != NULL)
        count++; /* each is a host mapping of its own */
    assert_in_range(count, 1000, MOST - 1);
    assert_true(says("host mappings") || says("system PTEs"));
    assert_true(ntmm_check());
    for (size_t i = 0; i < count; i++)
        MmUnmapIoSpace(held[i], 1);
    free(held);
    assert_true(ntmm_check());
}

static void map_and_unmap(void *context)
{
    char *p = MmMapIoSpace(at(WINDOW + 9), PAGE_SIZE, MmNonCached), *q = NULL;
    if (p != NULL)
        q = MmMapIoSpaceEx(at(WINDOW), 1, PAGE_READWRITE | PAGE_NOCACHE);
    if (q != NULL)
        ++*(int *)context;
    if (q != NULL)
        MmUnmapIoSpace(q, 1);
    if (p != NULL)
        MmUnmapIoSpace(p, PAGE_SIZE);
    assert_true(ntmm_check());
}

static void failures_are_survived(void **state)
{
    (void)state;
    int whole = 0;
    assert_int_equal(ntmm_io_space_add(WINDOW, 2 * PAGE_SIZE), 0);
    assert_int_equal(ntmm_for_each_failure(map_and_unmap, &whole), 3);
    assert_int_equal(whole, 1);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 400 };

static void *map_write_unmap(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t own = WINDOW + me * (3 * PAGE_SIZE / 2); /* neighbours share pages */
        if (round % 16 == 0 && ntmm_io_space_add(GIB(700) + me * 64, 64) != 0)
            return "add";
        volatile ULONG *p = MmMapIoSpace(at(own), 64, MmNonCached), *q = MmMapIoSpace(at(WINDOW), 6 * PAGE_SIZE, MmNonCached);
        if (p == NULL || q == NULL)
            return "map";
        p[3] = round * THREADS + me;
        if (q[me * (3 * PAGE_SIZE / 2) / 4 + 3] != round * THREADS + me)
            return "another's value";
        MmUnmapIoSpace((PVOID)(uintptr_t)q, 6 * PAGE_SIZE);
        MmUnmapIoSpace((PVOID)(uintptr_t)p, 64);
        if (round % 16 == 15 && ntmm_io_space_remove(GIB(700) + me * 64) != 0)
            return "remove";
    }
    return NULL;
}

static void threads_map_and_unmap_side_by_side(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(ntmm_io_space_add(WINDOW + i * (3 * PAGE_SIZE / 2), 3 * PAGE_SIZE / 2), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, map_write_unmap, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *what = NULL;
        pthread_join(threads[i], &what);
        if (what != NULL)
            fail_msg("thread %u: %s: %s", i, (const char *)what, ntmm_error());
    }
    assert_true(ntmm_check());
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(ntmm_io_space_remove(WINDOW + i * (3 * PAGE_SIZE / 2)), 0);
    assert_true(ntmm_check());
}

static void *unmap_it(void *p)
{
    ntmm_catch_frame frame;
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        MmUnmapIoSpace(p, PAGE_SIZE);
        ntmm_catch_pop(&frame);
        return NULL;
    }
    return frame.stop.code == SYSTEM_PTE_MISUSE && frame.stop.parameter[0] == 0x400 ? p : "another stop";
}

static void of_two_threads_that_unmap_one_stops(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[2];
        void     *result[2];
        assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
        void *p = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, unmap_it, p), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], &result[i]);
        assert_true((result[0] == p && (result[1] == NULL || result[1] == p)) || (result[0] == NULL && result[1] == p));
        ntmm_cmocka_reboot();
    }
}

static _Atomic(char *) mapped_now;
static _Atomic int     others_are_done;

static void *map_and_unmap_three_pages(void *unused)
{
    (void)unused;
    ntmm_catch_frame frame;
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) { /* the other thread stops the machine */
        while (atomic_load(&others_are_done) == 0) {
            char *p = MmMapIoSpace(at(WINDOW), 3 * PAGE_SIZE, MmNonCached);
            atomic_store(&mapped_now, p);
            MmUnmapIoSpace(p, 3 * PAGE_SIZE);
        }
        ntmm_catch_pop(&frame);
    }
    return NULL;
}

static void *unmap_the_middle(void *unused)
{
    (void)unused;
    ntmm_catch_frame frame;
    void            *result = "no stop";
    while (atomic_load(&mapped_now) == NULL)
        sched_yield();
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        MmUnmapIoSpace(atomic_load(&mapped_now) + PAGE_SIZE, PAGE_SIZE);
        ntmm_catch_pop(&frame);
    } else if (frame.stop.code == SYSTEM_PTE_MISUSE && frame.stop.parameter[0] == 0x400 && frame.stop.parameter[2] == 1) {
        result = NULL;
    }
    atomic_store(&others_are_done, 1);
    return result;
}

/* Whatever the owner of the page is doing just now, a wrong address is a wrong address. The report of the stop looks at the machine without
 * locks, while the other thread is on its way out: ThreadSanitizer would mind. */
static void a_wrong_unmap_beside_a_map(void **state)
{
    (void)state;
#ifdef WATCHED_BY_TSAN
    skip();
#endif
    for (int round = 0; round < 20; round++) {
        pthread_t threads[2];
        void     *result = NULL;
        assert_int_equal(ntmm_io_space_add(WINDOW, 3 * PAGE_SIZE), 0);
        atomic_store(&mapped_now, NULL);
        atomic_store(&others_are_done, 0);
        assert_int_equal(pthread_create(&threads[0], NULL, map_and_unmap_three_pages, NULL), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, unmap_the_middle, NULL), 0);
        pthread_join(threads[1], &result);
        pthread_join(threads[0], NULL);
        if (result != NULL)
            fail_msg("%s", (const char *)result);
        ntmm_cmocka_reboot();
    }
}

/* ---- pageable memory that an MDL has locked ---- */

/* Locked for reading and written through the mapping: the copy in the page file is the old one then. */
static void what_is_written_through_a_mapping_is_dirty(void **state)
{
    (void)state;
    char *p = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, NTMM_TAG("IoDi"));
    assert_non_null(p);
    p[5] = 1;
    ntmm_page_out();
    assert_int_equal(*(volatile char *)&p[5], 1); /* clean: the page file has the same */
    PMDL mdl = IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    volatile char *mapped = MmMapIoSpace(MmGetPhysicalAddress(p), PAGE_SIZE, MmCached);
    assert_non_null((PVOID)(uintptr_t)mapped);
    mapped[5] = 2;
    assert_int_equal(*(volatile char *)&p[5], 2);
    assert_true(ntmm_check());
    MmUnmapIoSpace((PVOID)(uintptr_t)mapped, PAGE_SIZE);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ntmm_page_out();
    assert_int_equal(*(volatile char *)&p[5], 2);
    assert_true(ntmm_check());
    ExFreePoolWithTag(p, NTMM_TAG("IoDi"));
}

static void a_mapping_to_read_leaves_it_clean(void **state)
{
    (void)state;
    char *p = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, NTMM_TAG("IoDi"));
    p[5] = 1;
    ntmm_page_out();
    (void)*(volatile char *)&p[5];
    PMDL mdl = IoAllocateMdl(p, PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    volatile char *mapped = MmMapIoSpaceEx(MmGetPhysicalAddress(p), PAGE_SIZE, PAGE_READONLY);
    assert_int_equal(mapped[5], 1);
    MmUnmapIoSpace((PVOID)(uintptr_t)mapped, PAGE_SIZE);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ntmm_memory_usage usage;
    ntmm_trim_pageable();
    ntmm_query_memory(&usage);
    assert_true(usage.standby >= 1); /* where clean pages go */
    ExFreePoolWithTag(p, NTMM_TAG("IoDi"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(both_sides_see_the_same_bytes),
        ntmm_cmocka_test(the_offset_on_the_page_is_kept),
        ntmm_cmocka_test(two_views_of_one_window),
        ntmm_cmocka_test(windows_lie_anywhere_but_in_ram),
        ntmm_cmocka_test(a_window_that_makes_no_sense_is_refused),
        ntmm_cmocka_test(windows_may_share_a_page),
        ntmm_cmocka_test(there_is_room_for_256),
        ntmm_cmocka_test(windows_go_with_the_machine),
        ntmm_cmocka_test(no_machine_no_windows),
        ntmm_cmocka_test(memory_that_is_added_keeps_clear_of_windows),
        ntmm_cmocka_test(what_cannot_be_mapped_is_null_with_a_sentence),
        ntmm_cmocka_test(protections_are_real),
        ntmm_cmocka_test(a_frame_buffer_is_io_space),
        ntmm_cmocka_test(code_runs_where_it_may),
        ntmm_cmocka_test(one_cache_type_at_a_time),
        ntmm_cmocka_test(levels),
        ntmm_cmocka_test(wrong_unmaps_stop_the_machine),
        ntmm_cmocka_test(other_frees_are_wrong_too),
        ntmm_cmocka_test(what_is_unmapped_is_gone),
        ntmm_cmocka_test(a_mapping_that_stays_is_a_leak),
        ntmm_cmocka_test(memory_that_stays_where_it_is_can_be_mapped),
        ntmm_cmocka_test(memory_that_nobody_has_locked_cannot),
        ntmm_cmocka_test(secure_pool_stays_read_only),
        ntmm_cmocka_test(copies_are_of_memory_only),
        ntmm_cmocka_test(system_ptes_run_out),
        ntmm_cmocka_test(host_mappings_run_out),
        ntmm_cmocka_test(failures_are_survived),
        ntmm_cmocka_test(threads_map_and_unmap_side_by_side),
        ntmm_cmocka_test(of_two_threads_that_unmap_one_stops),
        ntmm_cmocka_test(a_wrong_unmap_beside_a_map),
        ntmm_cmocka_test(what_is_written_through_a_mapping_is_dirty),
        ntmm_cmocka_test(a_mapping_to_read_leaves_it_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
