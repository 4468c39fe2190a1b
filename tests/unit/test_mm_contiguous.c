/*
 * test_mm_contiguous.c - contiguous memory as a driver meets it: limits to the byte, nodes, protections, frees that are wrong, and running
 * out.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#if defined(__SANITIZE_THREAD__)
#define RACES_ARE_REPORTED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACES_ARE_REPORTED 1
#endif
#endif
#ifndef RACES_ARE_REPORTED
#define RACES_ARE_REPORTED 0
#endif

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static PHYSICAL_ADDRESS       at(uint64_t bytes) { return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)bytes }; }
static uint64_t               physical(void *p) { return (uint64_t)MmGetPhysicalAddress(p).QuadPart; }
static const PHYSICAL_ADDRESS ANYWHERE = { .QuadPart = -1 }, ZERO = { .QuadPart = 0 };

static PVOID cached(SIZE_T bytes, uint64_t low, uint64_t high, uint64_t boundary)
{
    return MmAllocateContiguousMemorySpecifyCache(bytes, at(low), at(high), at(boundary), MmCached);
}

/* Virtually and physically in a row, from the first byte to the last. */
static void assert_contiguous(char *p, SIZE_T bytes)
{
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % PAGE_SIZE, 0);
    for (SIZE_T i = 0; i < bytes; i += PAGE_SIZE)
        assert_int_equal(physical(p + i), physical(p) + i);
    memset(p, 0x42, bytes);
    assert_int_equal(physical(p + bytes - 1), physical(p) + bytes - 1);
}

static void blocks_are_contiguous_page_aligned_and_rounded(void **state)
{
    (void)state;
    const SIZE_T sizes[] = { 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 17 * PAGE_SIZE, 300 * PAGE_SIZE };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = MmAllocateContiguousMemory(sizes[i], ANYWHERE), *q = MmAllocateContiguousMemory(1, ANYWHERE);
        assert_contiguous(p, sizes[i]);
        assert_true(physical(q) >= physical(p) + ROUND_TO_PAGES(sizes[i]) || physical(q) < physical(p));
        assert_true(ntmm_check());
        MmFreeContiguousMemory(p);
        MmFreeContiguousMemory(q);
    }
}

static void the_highest_address_is_inclusive_to_the_byte(void **state)
{
    (void)state;
    void *p = MmAllocateContiguousMemory(PAGE_SIZE, at(2 * (uint64_t)PAGE_SIZE - 1)); /* exactly the first page of RAM */
    assert_non_null(p);
    assert_int_equal(physical(p), PAGE_SIZE);
    assert_null(MmAllocateContiguousMemory(1, at(2 * (uint64_t)PAGE_SIZE - 1)));
    MmFreeContiguousMemory(p);
    assert_null(MmAllocateContiguousMemory(1, at(2 * (uint64_t)PAGE_SIZE - 2))); /* one byte short of a page */
    assert_null(MmAllocateContiguousMemory(1, ZERO));
    assert_null(MmAllocateContiguousMemory(1, at(PAGE_SIZE - 1)));
    const uint64_t highs[] = { MIB(1) - 1, MIB(16) - 1, GIB(4) - 1 };
    for (size_t i = 0; i < 3; i++) {
        p = MmAllocateContiguousMemory(3 * PAGE_SIZE, at(highs[i]));
        assert_non_null(p);
        assert_true(physical(p) + 3 * PAGE_SIZE - 1 <= highs[i]);
        MmFreeContiguousMemory(p);
    }
}

static void low_memory_is_left_to_those_who_need_it(void **state)
{
    (void)state;
    void *any = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE), *dma32 = MmAllocateContiguousMemory(PAGE_SIZE, at(GIB(4) - 1));
    void *isa = MmAllocateContiguousMemory(PAGE_SIZE, at(MIB(16) - 1));
    assert_true(physical(any) >= GIB(4));
    assert_true(physical(dma32) >= MIB(16) && physical(dma32) < GIB(4));
    assert_true(physical(isa) >= MIB(1) && physical(isa) < MIB(16));
    MmFreeContiguousMemory(any);
    MmFreeContiguousMemory(dma32);
    MmFreeContiguousMemory(isa);
}

static void the_lowest_address_is_inclusive_and_rounds_up(void **state)
{
    (void)state;
    void *p = cached(PAGE_SIZE, MIB(2), MIB(2) + PAGE_SIZE - 1, 0);
    assert_non_null(p);
    assert_int_equal(physical(p), MIB(2));
    MmFreeContiguousMemory(p);
    assert_null(cached(PAGE_SIZE, MIB(2) + 1, MIB(2) + PAGE_SIZE - 1, 0));
    p = cached(1, MIB(2) + 1, MIB(2) + 2 * PAGE_SIZE - 1, 0);
    assert_int_equal(physical(p), MIB(2) + PAGE_SIZE);
    MmFreeContiguousMemory(p);
    assert_null(cached(PAGE_SIZE, MIB(4), MIB(2), 0));
    assert_null(cached(PAGE_SIZE, MIB(15), MIB(16) - 1, 0)); /* the hole below 16 MiB */
    assert_null(cached(PAGE_SIZE, GIB(1024), UINT64_MAX, 0));
    assert_null(cached(PAGE_SIZE, UINT64_MAX, UINT64_MAX, 0));
}

static void a_boundary_is_not_crossed(void **state)
{
    (void)state;
    void    *held[64];
    uint64_t boundary = 8 * PAGE_SIZE;
    for (int i = 0; i < 64; i++) {
        held[i] = cached(3 * PAGE_SIZE, 0, UINT64_MAX, boundary);
        assert_non_null(held[i]);
        assert_int_equal(physical(held[i]) / boundary, (physical(held[i]) + 3 * PAGE_SIZE - 1) / boundary);
    }
    for (int i = 0; i < 64; i++)
        MmFreeContiguousMemory(held[i]);
    void *exact = cached(8 * PAGE_SIZE, 0, UINT64_MAX, boundary);
    assert_non_null(exact);
    assert_int_equal(physical(exact) % boundary, 0);
    MmFreeContiguousMemory(exact);
    assert_null(cached(8 * PAGE_SIZE + 1, 0, UINT64_MAX, boundary));
    assert_null(cached(PAGE_SIZE, 0, UINT64_MAX, boundary + 1)); /* no power of two */
    assert_null(cached(PAGE_SIZE, 0, UINT64_MAX, 3));
    assert_null(cached(PAGE_SIZE, 0, UINT64_MAX, PAGE_SIZE / 2)); /* a page crosses it */
    void *half = cached(PAGE_SIZE / 2, 0, UINT64_MAX, PAGE_SIZE / 2);
    assert_non_null(half);
    MmFreeContiguousMemory(half);
}

static void nothing_comes_of_nonsense(void **state)
{
    (void)state;
    assert_null(MmAllocateContiguousMemory(0, ANYWHERE));
    assert_null(MmAllocateContiguousMemory(SIZE_MAX, ANYWHERE));
    assert_null(MmAllocateContiguousMemory(SIZE_MAX - PAGE_SIZE + 2, ANYWHERE));
    assert_null(MmAllocateContiguousMemory(GIB(1), ANYWHERE));
    const int types[] = { MmHardwareCoherentCached, MmNonCachedUnordered, MmUSWCCached, MmMaximumCacheType, MmNotMapped, 77, 256 };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_null(MmAllocateContiguousMemorySpecifyCache(PAGE_SIZE, ZERO, ANYWHERE, ZERO, (MEMORY_CACHING_TYPE)types[i]));
    const ULONG protects[] = { 0,
                               PAGE_READONLY,
                               PAGE_EXECUTE,
                               PAGE_EXECUTE_READ,
                               PAGE_NOACCESS,
                               PAGE_READWRITE | PAGE_EXECUTE_READWRITE,
                               PAGE_READWRITE | PAGE_GUARD,
                               PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE,
                               PAGE_NOCACHE,
                               PAGE_READWRITE | 0x80000000u };
    for (size_t i = 0; i < sizeof protects / sizeof protects[0]; i++)
        assert_null(MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, protects[i], MM_ANY_NODE_OK));
    assert_null(MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, 1)); /* one node only */
    assert_true(ntmm_check());
}

#if defined(__aarch64__)
static const unsigned char RETURN[] = { 0xC0, 0x03, 0x5F, 0xD6 };
#else
static const unsigned char RETURN[] = { 0xC3 };
#endif

static void run_return(void *code)
{
    void (*call)(void);
    memcpy(code, RETURN, sizeof RETURN);
    __builtin___clear_cache(code, (char *)code + sizeof RETURN);
    memcpy(&call, &code, sizeof call);
    call();
}

static void protection_decides_which_map(void **state)
{
    (void)state;
    char *run = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_EXECUTE_READWRITE | PAGE_NOCACHE, MM_ANY_NODE_OK);
    char *data = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, 0);
    assert_true(run != NULL && data != NULL);
    assert_no_bugcheck(run_return(run));
    MmFreeContiguousMemory(run);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, data, run_return(data));
    assert_true((ntmm_cmocka_caught.parameter[1] >> 63) == 1); /* the PTE says NX */
    ntmm_cmocka_reboot();
    void *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Desc")); /* the pools speak for their own */
    assert_bugcheck(BAD_POOL_CALLER, 0x60, MmFreeContiguousMemory(pool));
    assert_non_null(strstr(ntmm_stop_report(), "tag 'Desc'"));
}

/* Whatever the cache type, and even where NX is all that the rest of the machine uses. */
static void the_older_forms_give_executable_memory(void **state)
{
    static const MEMORY_CACHING_TYPE types[] = { MmNonCached, MmCached, MmWriteCombined };
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        void *blocks[] = { MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE),
                           MmAllocateContiguousMemorySpecifyCache(PAGE_SIZE, ZERO, ANYWHERE, ZERO, types[i]),
                           MmAllocateContiguousMemorySpecifyCacheNode(PAGE_SIZE, ZERO, ANYWHERE, ZERO, types[i], MM_ANY_NODE_OK) };
        for (size_t k = 0; k < sizeof blocks / sizeof blocks[0]; k++) {
            assert_non_null(blocks[k]);
            assert_no_bugcheck(run_return(blocks[k]));
            MmFreeContiguousMemory(blocks[k]);
        }
    }
}

static void cache_flags_become_the_cache_type(void **state)
{
    static const struct {
        ULONG               protect;
        MEMORY_CACHING_TYPE is, is_not;
    } rows[] = { { PAGE_READWRITE, MmCached, MmNonCached },
                 { PAGE_READWRITE | PAGE_NOCACHE, MmNonCached, MmCached },
                 { PAGE_EXECUTE_READWRITE | PAGE_NOCACHE, MmNonCached, MmWriteCombined },
                 { PAGE_EXECUTE_READWRITE | PAGE_WRITECOMBINE, MmWriteCombined, MmCached } };
    (void)state;
    for (volatile size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *p = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, rows[i].protect, 0);
        assert_no_bugcheck(MmFreeContiguousMemorySpecifyCache(p, PAGE_SIZE, rows[i].is));
        p = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, rows[i].protect, 0);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x60, p, 0, 0, MmFreeContiguousMemorySpecifyCache(p, PAGE_SIZE, rows[i].is_not));
        ntmm_cmocka_reboot();
    }
}

static void a_node_alone_is_strict(void **state)
{
    (void)state;
    void *held[4][2] = { { 0 } };
    for (ULONG node = 0; node < 4; node++) {
        held[node][0] = MmAllocateContiguousMemorySpecifyCacheNode(MIB(4), ZERO, ANYWHERE, ZERO, MmCached, node);
        held[node][1] = MmAllocateContiguousNodeMemory(MIB(4), ZERO, ANYWHERE, ZERO, PAGE_READWRITE, node);
        assert_true(held[node][0] != NULL && held[node][1] != NULL);
    }
    for (ULONG node = 1; node < 4; node++) /* nodes own RAM in address order */
        assert_true(physical(held[node][0]) > physical(held[node - 1][0]));
    assert_null(MmAllocateContiguousNodeMemory(MIB(20), ZERO, ANYWHERE, ZERO, PAGE_READWRITE, 3)); /* more than a node has */
    assert_null(MmAllocateContiguousMemorySpecifyCacheNode(MIB(20), ZERO, ANYWHERE, ZERO, MmCached, 3));
    assert_null(MmAllocateContiguousMemorySpecifyCacheNode(PAGE_SIZE, ZERO, at(MIB(1)), ZERO, MmCached, 3));
    assert_null(MmAllocateContiguousMemorySpecifyCacheNode(PAGE_SIZE, ZERO, ANYWHERE, ZERO, MmCached, 4));
    assert_null(MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, at(MIB(1)), ZERO, PAGE_READWRITE, 3)); /* node 3 is not down there */
    assert_null(MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, 4));
    void *elsewhere = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, at(MIB(1)), ZERO, PAGE_READWRITE, 3 | MM_ANY_NODE_OK);
    assert_non_null(elsewhere);
    MmFreeContiguousMemory(elsewhere);
    SIZE_T bytes = PAGE_SIZE; /* to the extended form a node is a wish */
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, at(MIB(1)), ZERO, 3, PAGE_READWRITE, NULL, 0, 0, &elsewhere),
                     STATUS_SUCCESS);
    MmFreeContiguousMemory(elsewhere);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 3, PAGE_READWRITE, NULL, 0, 0, &elsewhere), STATUS_SUCCESS);
    assert_true(physical(elsewhere) > physical(held[2][0]));
    MmFreeContiguousMemory(elsewhere);
    for (ULONG node = 0; node < 4; node++) {
        MmFreeContiguousMemory(held[node][0]);
        MmFreeContiguousMemory(held[node][1]);
    }
}

static void the_extended_form_says_what_is_wrong(void **state)
{
    (void)state;
    SIZE_T      bytes = 0;
    PVOID       base = &bytes;
    const ULONG tag = NTMM_TAG("Cont");
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, MM_ANY_NODE_OK, PAGE_READWRITE, NULL, tag, 0, &base),
                     STATUS_INVALID_PARAMETER_1);
    assert_null(base);
    bytes = PAGE_SIZE + 1;
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, at(3), MM_ANY_NODE_OK, PAGE_READWRITE, NULL, tag, 0, &base),
                     STATUS_INVALID_PARAMETER_4);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 9, PAGE_READWRITE, NULL, tag, 0, &base),
                     STATUS_INVALID_PARAMETER_5);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READONLY, NULL, tag, 0, &base),
                     STATUS_INVALID_PARAMETER_6);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READWRITE, &bytes, tag, 0, &base),
                     STATUS_INVALID_PARAMETER_7);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READWRITE, NULL, tag, 2, &base),
                     STATUS_INVALID_PARAMETER_9);
    assert_int_equal(bytes, PAGE_SIZE + 1);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, at(PAGE_SIZE), ZERO, 0, PAGE_READWRITE, NULL, tag, 0, &base),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_null(base);
    assert_int_equal(bytes, PAGE_SIZE + 1);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READWRITE | PAGE_WRITECOMBINE, NULL, tag,
                                                  MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY, &base),
                     STATUS_SUCCESS);
    assert_int_equal(bytes, 2 * PAGE_SIZE);
    assert_contiguous(base, bytes);
    MmFreeContiguousMemorySpecifyCache(base, PAGE_SIZE + 1, MmWriteCombined);
}

/* One page of RAM and no other: to be had at once, or only after something was done for it? */
static NTSTATUS exactly(uint64_t page, ULONG flags, PVOID *base)
{
    SIZE_T bytes = PAGE_SIZE;
    return MmAllocateContiguousMemoryEx(&bytes, at(page), at(page + PAGE_SIZE - 1), ZERO, 0, PAGE_READWRITE, NULL, 0, flags, base);
}
static void fast_only_takes_what_lies_free(void **state) /* without magazines */
{
    const ULONG fast = MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY;
    PVOID       base;
    (void)state;
    void    *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, NTMM_TAG("Fast"));
    uint64_t page = physical(pool);
    assert_int_equal(exactly(page, 0, &base), STATUS_INSUFFICIENT_RESOURCES); /* nothing moves nonpaged pool */
    ExFreePool(pool);                                                         /* a processor keeps the frame at hand */
    assert_int_equal(exactly(page, fast, &base), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(exactly(page, 0, &base), STATUS_SUCCESS);
    assert_int_equal(physical(base), page);
    MmFreeContiguousMemory(base);
    assert_int_equal(exactly(page, fast, &base), STATUS_SUCCESS); /* and now it lies free */
    MmFreeContiguousMemory(base);
    char *paged = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, NTMM_TAG("Fast"));
    paged[100] = 7;
    page = physical(paged);
    assert_int_equal(exactly(page, fast, &base), STATUS_INSUFFICIENT_RESOURCES);
    assert_true(MmIsAddressValid(paged));
    assert_int_equal(exactly(page, 0, &base), STATUS_SUCCESS); /* in exchange for another one */
    assert_false(MmIsAddressValid(paged));
    assert_int_equal(paged[100], 7);
    assert_true(physical(paged) != page);
    MmFreeContiguousMemory(base);
    ExFreePool(paged);
    assert_true(ntmm_check());
}

static void leaks_are_reported_with_tag_and_type(void **state)
{
    (void)state;
    static ntmm_report report;
    SIZE_T             bytes = 3 * PAGE_SIZE;
    PVOID              base = NULL;
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READWRITE, NULL, NTMM_TAG("Leak"), 0, &base),
                     STATUS_SUCCESS);
    void *executable = MmAllocateContiguousMemory(PAGE_SIZE + 5, ANYWHERE);
    assert_int_equal(ntmm_shutdown(&report), 2);
    assert_ptr_equal(report.leaks[0].address, base);
    assert_int_equal(report.leaks[0].bytes, 3 * PAGE_SIZE);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("Leak"));
    assert_int_equal(report.leaks[0].type, NonPagedPoolNx);
    assert_ptr_equal(report.leaks[1].address, executable);
    assert_int_equal(report.leaks[1].bytes, 2 * PAGE_SIZE);
    assert_int_equal(report.leaks[1].tag, NTMM_TAG("MmCm"));
    assert_int_equal(report.leaks[1].type, NonPagedPoolExecute);
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
}

/* ---- frees that are wrong ---- */

static void a_free_needs_the_exact_base(void **state)
{
    (void)state;
    for (volatile int wrong = 0; wrong < 8; wrong++) {
        char *p = MmAllocateContiguousMemory(3 * PAGE_SIZE, ANYWHERE),
             *other = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, NTMM_TAG("Othr"));
        int on_stack = 0;
        assert_true(p != NULL && other != NULL);
        void *bad[] = { p + 1, p + PAGE_SIZE, p + 2 * PAGE_SIZE, p + 16 * PAGE_SIZE, other, &on_stack, NULL, p };
        if (wrong == 7)
            MmFreeContiguousMemory(p); /* and once more */
        assert_bugcheck_all(BAD_POOL_CALLER, 0x60, bad[wrong], 0, 0, MmFreeContiguousMemory(bad[wrong]));
        ntmm_cmocka_reboot();
    }
}

static void the_other_map_is_another_address(void **state)
{
    (void)state;
    void *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
    void *alias = MmGetVirtualForPhysical(MmGetPhysicalAddress(p));
    assert_true(alias != p); /* executable memory, seen through the map of data */
    assert_bugcheck(BAD_POOL_CALLER, 0x60, MmFreeContiguousMemory(alias));
    assert_non_null(strstr(ntmm_stop_report(), "physical map, PFN"));
    assert_non_null(strstr(ntmm_stop_report(), "active, contiguous memory"));
}

static void size_and_type_must_match_where_they_are_said(void **state)
{
    (void)state;
    const struct {
        SIZE_T              bytes;
        MEMORY_CACHING_TYPE type;
    } wrong[] = { { PAGE_SIZE, MmCached },
                  { 2 * PAGE_SIZE, MmCached },
                  { PAGE_SIZE + 7, MmNonCached },
                  { PAGE_SIZE + 7, MmNotMapped },
                  { 0, MmCached } };
    void *p = cached(PAGE_SIZE + 7, 0, UINT64_MAX, 0);
    MmFreeContiguousMemorySpecifyCache(p, PAGE_SIZE + 7, MmCached);
    for (volatile size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        p = cached(PAGE_SIZE + 7, 0, UINT64_MAX, 0);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x60, p, 0, 0, MmFreeContiguousMemorySpecifyCache(p, wrong[i].bytes, wrong[i].type));
        ntmm_cmocka_reboot();
    }
}

static void any_form(unsigned form, void *block)
{
    SIZE_T bytes = PAGE_SIZE;
    PVOID  base = NULL;
    switch (form) {
    case 0: base = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE); break;
    case 1: base = cached(PAGE_SIZE, 0, UINT64_MAX, 0); break;
    case 2: base = MmAllocateContiguousMemorySpecifyCacheNode(PAGE_SIZE, ZERO, ANYWHERE, ZERO, MmCached, 0); break;
    case 3: base = MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, 0); break;
    case 4: (void)MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READWRITE, NULL, 0, 0, &base); break;
    case 5: MmFreeContiguousMemory(block); return;
    default: MmFreeContiguousMemorySpecifyCache(block, PAGE_SIZE, MmCached); return;
    }
    assert_non_null(base);
    MmFreeContiguousMemory(base);
}

static void irql_is_at_most_dispatch_level(void **state)
{
    (void)state;
    KIRQL before;
    for (volatile unsigned form = 0; form < 7; form++) {
        void *block = form < 5 ? NULL : MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
        KeRaiseIrql(DISPATCH_LEVEL, &before);
        assert_no_bugcheck(any_form(form, block));
        KeLowerIrql(before);
        block = form < 5 ? NULL : MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
        KeRaiseIrql(DISPATCH_LEVEL + 1, &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, any_form(form, block));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL + 1);
        assert_int_equal(ntmm_cmocka_caught.parameter[2], 8);
        ntmm_cmocka_reboot();
    }
}

/* Windows before Server 2008 freed at APC_LEVEL at most. */
static void irql_is_at_most_apc_level_on_an_older_windows(void **state)
{
    const struct {
        uint32_t windows;
        KIRQL    most;
    } rows[] = { { 0x05010000, APC_LEVEL }, { 0x06000000, APC_LEVEL }, { 0x06000100, DISPATCH_LEVEL }, { 0x0A000000, DISPATCH_LEVEL } };
    KIRQL before;
    (void)state;
    for (volatile size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .windows_version = rows[i].windows, .quiet = true }), 0);
        void *p = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE), *q = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
        KeRaiseIrql(rows[i].most, &before);
        assert_no_bugcheck(MmFreeContiguousMemory(p));
        KeLowerIrql(before);
        KeRaiseIrql((KIRQL)(rows[i].most + 1), &before);
        assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmFreeContiguousMemory(q));
        assert_int_equal(ntmm_shutdown(NULL), 1);
    }
}

/* ---- two threads ---- */

#define CHURN_BLOCKS 24u
static void *churn(void *argument)
{
    uint64_t       random = (uint64_t)(uintptr_t)argument;
    unsigned char *held[CHURN_BLOCKS] = { 0 };
    SIZE_T         bytes[CHURN_BLOCKS];
    for (unsigned step = 0; step < 6000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned i = (unsigned)(random >> 33) % CHURN_BLOCKS;
        if (held[i] != NULL) {
            for (SIZE_T k = 0; k < bytes[i]; k += PAGE_SIZE / 2)
                if (held[i][k] != (unsigned char)(uintptr_t)argument) /* somebody else was given the same page */
                    return held[i];
            MmFreeContiguousMemory(held[i]);
            held[i] = NULL;
            continue;
        }
        uint64_t low = (random >> 40) % 2 * MIB(1), high = MIB(16) - 1, boundary = (uint64_t)PAGE_SIZE << (random >> 44) % 5;
        bytes[i] = PAGE_SIZE * (1 + (random >> 50) % 8);
        held[i] = cached(bytes[i], low, high, boundary);
        if (held[i] == NULL)
            continue; /* does not fit the boundary */
        memset(held[i], (int)(uintptr_t)argument, bytes[i]);
        uint64_t first = physical(held[i]), last = first + bytes[i] - 1;
        if (first < low || last > high || first / boundary != last / boundary)
            return held[i];
    }
    for (unsigned i = 0; i < CHURN_BLOCKS; i++)
        if (held[i] != NULL)
            MmFreeContiguousMemory(held[i]);
    return NULL;
}

static void two_threads_never_share_a_page(void **state)
{
    pthread_t thread[2];
    (void)state;
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)(i + 0x51)), 0);
    for (int i = 0; i < 2; i++) {
        void *where = NULL;
        pthread_join(thread[i], &where);
        assert_null(where);
    }
    assert_true(ntmm_check());
}

static pthread_barrier_t together;
static void              free_it(void *block) { MmFreeContiguousMemory(block); }
static void             *free_together(void *block)
{
    ntmm_bugcheck stop = { 0 };
    pthread_barrier_wait(&together);
    if (ntmm_catch_bugcheck(free_it, block, &stop) && (stop.code != BAD_POOL_CALLER || stop.parameter[0] != 0x60))
        return (void *)1;
    return (void *)(uintptr_t)(stop.code != 0 ? 2 : 0);
}

static void a_block_freed_by_two_threads_is_freed_once(void **state)
{
    pthread_t thread[2];
    (void)state;
    if (RACES_ARE_REPORTED) /* it is one: the stop report of the one reads what the other is still giving back */
        skip();
    pthread_barrier_init(&together, NULL, 2);
    for (int round = 0; round < 100; round++) {
        void     *block = MmAllocateContiguousMemory(3 * PAGE_SIZE, ANYWHERE);
        uintptr_t sum = 0;
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, free_together, block), 0);
        for (int i = 0; i < 2; i++) {
            void *result = NULL;
            pthread_join(thread[i], &result);
            assert_true(result != (void *)1);
            sum += (uintptr_t)result;
        }
        assert_in_range(sum, 2, 4); /* whoever comes in while the machine halts is stopped as well */
        assert_true(ntmm_check());
        ntmm_cmocka_reboot();
    }
    pthread_barrier_destroy(&together);
}

/* ---- running out ---- */

static void all_of_ram_below_a_limit_can_be_had(void **state)
{
    (void)state;
    static void *held[8192];
    size_t       count = 0;
    while ((held[count] = MmAllocateContiguousMemory(PAGE_SIZE, at(MIB(16) - 1))) != NULL)
        count++;
    assert_int_equal(count, (MIB(1) * 640 / 1024 - PAGE_SIZE + MIB(14)) / PAGE_SIZE); /* every frame below 16 MiB, none twice */
    assert_true(ntmm_check());
    assert_null(MmAllocateContiguousMemory(1, at(MIB(16) - 1)));
    MmFreeContiguousMemory(held[count / 2]);
    assert_ptr_equal(MmAllocateContiguousMemory(1, at(MIB(16) - 1)), held[count / 2]);
    while (count > 0)
        MmFreeContiguousMemory(held[--count]);
    assert_true(ntmm_check());
}

static void every_form_fails_when_told_to(void **state)
{
    (void)state;
    SIZE_T bytes = PAGE_SIZE;
    PVOID  base;
    ntmm_fail_allocation(1);
    assert_null(MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE));
    ntmm_fail_allocation(1);
    assert_null(cached(PAGE_SIZE, 0, UINT64_MAX, 0));
    ntmm_fail_allocation(1);
    assert_null(MmAllocateContiguousMemorySpecifyCacheNode(PAGE_SIZE, ZERO, ANYWHERE, ZERO, MmCached, 0));
    ntmm_fail_allocation(1);
    assert_null(MmAllocateContiguousNodeMemory(PAGE_SIZE, ZERO, ANYWHERE, ZERO, PAGE_READWRITE, 0));
    ntmm_fail_allocation(2);
    base = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE);
    assert_non_null(base);
    MmFreeContiguousMemory(base);
    assert_int_equal(MmAllocateContiguousMemoryEx(&bytes, ZERO, ANYWHERE, ZERO, 0, PAGE_READWRITE, NULL, 0, 0, &base),
                     STATUS_INSUFFICIENT_RESOURCES);
    base = MmAllocateContiguousMemory(PAGE_SIZE, ANYWHERE); /* only once */
    assert_non_null(base);
    MmFreeContiguousMemory(base);
}

int main(void)
{
    static const ntmm_config nodes = { .numa_nodes = 4, .quiet = true }, linear = { .run_policy = NTMM_RUNS_LINEAR, .quiet = true },
                             buddy = { .run_policy = NTMM_RUNS_BUDDY, .quiet = true }, bare = { .no_magazines = true, .quiet = true };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(blocks_are_contiguous_page_aligned_and_rounded),
        ntmm_cmocka_test(the_highest_address_is_inclusive_to_the_byte),
        ntmm_cmocka_test(low_memory_is_left_to_those_who_need_it),
        ntmm_cmocka_test(the_lowest_address_is_inclusive_and_rounds_up),
        ntmm_cmocka_test(a_boundary_is_not_crossed),
        ntmm_cmocka_test(nothing_comes_of_nonsense),
        ntmm_cmocka_test(protection_decides_which_map),
        ntmm_cmocka_test(the_older_forms_give_executable_memory),
        ntmm_cmocka_test(cache_flags_become_the_cache_type),
        ntmm_cmocka_test_config(a_node_alone_is_strict, &nodes),
        ntmm_cmocka_test(the_extended_form_says_what_is_wrong),
        ntmm_cmocka_test_config(fast_only_takes_what_lies_free, &bare),
        ntmm_cmocka_test(leaks_are_reported_with_tag_and_type),
        ntmm_cmocka_test(a_free_needs_the_exact_base),
        ntmm_cmocka_test(the_other_map_is_another_address),
        ntmm_cmocka_test(size_and_type_must_match_where_they_are_said),
        ntmm_cmocka_test(irql_is_at_most_dispatch_level),
        cmocka_unit_test(irql_is_at_most_apc_level_on_an_older_windows),
        ntmm_cmocka_test(two_threads_never_share_a_page),
        ntmm_cmocka_test_config(two_threads_never_share_a_page, &linear),
        ntmm_cmocka_test_config(two_threads_never_share_a_page, &buddy),
        ntmm_cmocka_test(a_block_freed_by_two_threads_is_freed_once),
        ntmm_cmocka_test(all_of_ram_below_a_limit_can_be_had),
        ntmm_cmocka_test(every_form_fails_when_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
