/*
 * test_ex_pool_quota.c - who pays for pool, how much, until when, and what becomes of a header that no longer says so.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>
#include <pthread.h>

#include "ex/pool_quota.h"
#include "ke/process.h"

#define TAG NTMM_TAG("Quot")
#define OTHER NTMM_TAG("Oops")
#define QUIET(type) ((POOL_TYPE)((type) | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE))
#define STATUS_PARAMETER(status) ((uintptr_t)(LONG_PTR)(status))

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config SMALL_POOLS = { .quiet = true, .nonpaged_pool_limit = 16 * PAGE_SIZE, .paged_pool_limit = 16 * PAGE_SIZE };

static ntmm_process *process;

static ntmm_process *enter(uint64_t nonpaged_bytes, uint64_t paged_bytes)
{
    process = ntmm_process_create();
    assert_non_null(process);
    ntmm_process_set_quota(process, nonpaged_bytes, paged_bytes);
    ntmm_process_attach(process);
    return process;
}
static void leave(void)
{
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
}
static ntmm_quota_usage usage(void)
{
    ntmm_quota_usage out;
    ntmm_process_query_quota(process, &out);
    return out;
}
static size_t block_bytes(const void *block) { return (size_t)ex_header_of(block)->BlockSize << EX_UNIT_SHIFT; }

/* ---- every routine charges ---- */

static void *by_quota(POOL_TYPE type, size_t bytes)
{
    (void)bytes;
    return ExAllocatePoolWithQuota(type, bytes);
}
static void      *by_quota_tag(POOL_TYPE type, size_t bytes) { return ExAllocatePoolWithQuotaTag(type, bytes, TAG); }
static void      *by_quota_zero(POOL_TYPE type, size_t bytes) { return ExAllocatePoolQuotaZero(type, bytes, TAG); }
static void      *by_quota_uninitialized(POOL_TYPE type, size_t bytes) { return ExAllocatePoolQuotaUninitialized(type, bytes, TAG); }
static POOL_FLAGS flags_of(POOL_TYPE type)
{
    POOL_FLAGS kind = (type & PagedPool) != 0            ? POOL_FLAG_PAGED
                      : (type & POOL_NX_ALLOCATION) != 0 ? POOL_FLAG_NON_PAGED
                                                         : POOL_FLAG_NON_PAGED_EXECUTE;
    return kind | POOL_FLAG_USE_QUOTA | ((type & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) != 0 ? 0 : POOL_FLAG_RAISE_ON_FAILURE);
}
static void *by_pool2(POOL_TYPE type, size_t bytes) { return ExAllocatePool2(flags_of(type), bytes, TAG); }
static void *by_pool3(POOL_TYPE type, size_t bytes) { return ExAllocatePool3(flags_of(type), bytes, TAG, NULL, 0); }

static struct routine {
    const char *name;
    void *(*allocate)(POOL_TYPE type, size_t bytes);
} ROUTINES[] = {
    { "ExAllocatePoolWithQuota", by_quota },
    { "ExAllocatePoolWithQuotaTag", by_quota_tag },
    { "ExAllocatePoolQuotaZero", by_quota_zero },
    { "ExAllocatePoolQuotaUninitialized", by_quota_uninitialized },
    { "ExAllocatePool2 with POOL_FLAG_USE_QUOTA", by_pool2 },
    { "ExAllocatePool3 with POOL_FLAG_USE_QUOTA", by_pool3 },
};

static void charges_until_it_is_freed(const struct routine *routine, POOL_TYPE type, size_t bytes)
{
    bool  paged = (type & PagedPool) != 0, charged = bytes <= EX_BLOCK_MAX;
    char *block = routine->allocate(type, bytes);
    assert_non_null(block);
    size_t expected = charged ? block_bytes(block) : 0;
    assert_int_equal(usage().paged_bytes, paged ? expected : 0);
    assert_int_equal(usage().nonpaged_bytes, paged ? 0 : expected);
    if (charged)
        assert_int_equal(ex_header_of(block)->PoolType, (paged ? 3 : 2) + 8);
    memset(block, 0xA7, bytes);
    assert_true(ntmm_check());
    ExFreePool(block);
    assert_true(usage().paged_bytes == 0 && usage().nonpaged_bytes == 0);
    assert_true(ntmm_check());
}
static void check_routine(void **state)
{
    static const size_t    sizes[] = { 1, 16, 100, 512, EX_BLOCK_MAX, EX_BLOCK_MAX + 1, PAGE_SIZE, 2 * PAGE_SIZE + 40 };
    static const POOL_TYPE types[] = { NonPagedPoolNx, NonPagedPool, PagedPool };
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    enter(0, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
            for (unsigned round = 0; round < 2; round++) /* the second finds what the first has left with the thread */
                charges_until_it_is_freed(*state, types[k], sizes[i]);
    leave();
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void the_system_process_never_pays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROUTINES / sizeof ROUTINES[0]; i++) {
        void *block = ROUTINES[i].allocate(NonPagedPoolNx, 100);
        assert_int_equal(ex_header_of(block)->PoolType, 2);
        ExFreePool(block);
    }
    assert_int_equal(atomic_load(&ke_process_system()->charged[KE_QUOTA_NONPAGED]), 0);
    assert_true(ntmm_check());
}

static void without_quota_nobody_pays(void **state)
{
    (void)state;
    enter(1, 1);
    void *blocks[] = { ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG), ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG),
                       ExAllocatePoolWithTag(QUIET(NonPagedPoolNx), 100, TAG), /* the bit is for the quota routines */
                       ExAllocatePoolWithTagPriority(PagedPool, 100, TAG, LowPoolPriority) };
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(blocks[i]);
        ExFreePool(blocks[i]);
    }
    leave();
}

/* ---- more than there is ---- */

static void the_quota_is_exact(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    enter(3 * block_bytes(block), 3 * block_bytes(block));
    ExFreePool(block);
    void *nonpaged[3], *paged[3];
    for (unsigned i = 0; i < 3; i++) {
        nonpaged[i] = ExAllocatePoolWithQuotaTag(QUIET(NonPagedPoolNx), 100, TAG);
        paged[i] = ExAllocatePoolWithQuotaTag(QUIET(PagedPool), 100, TAG);
        assert_true(nonpaged[i] != NULL && paged[i] != NULL);
    }
    assert_int_equal(usage().nonpaged_bytes, usage().nonpaged_limit);
    assert_null(ExAllocatePoolWithQuotaTag(QUIET(NonPagedPoolExecute), 1, TAG)); /* both nonpaged kinds together */
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 1, TAG));
    assert_null(ExAllocatePool3(POOL_FLAG_NON_PAGED | POOL_FLAG_USE_QUOTA, 1, TAG, NULL, 0));
    void *pages = ExAllocatePoolWithQuotaTag(QUIET(PagedPool), PAGE_SIZE, TAG); /* for which nobody pays */
    assert_non_null(pages);
    ExFreePool(pages);
    ExFreePool(paged[1]);
    paged[1] = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 100, TAG);
    assert_non_null(paged[1]);
    ntmm_process_set_quota(process, 1, 1); /* what is charged stays charged */
    assert_null(ExAllocatePoolWithQuotaTag(QUIET(PagedPool), 1, TAG));
    for (unsigned i = 0; i < 3; i++) {
        ExFreePool(nonpaged[i]);
        ExFreePool(paged[i]);
    }
    assert_true(usage().nonpaged_bytes == 0 && usage().paged_bytes == 0);
    leave();
}

static void exceeding_it_raises(void **state)
{
    static const struct {
        void *(*allocate)(POOL_TYPE type, size_t bytes);
    } rows[] = { { by_quota }, { by_quota_tag }, { by_quota_zero }, { by_quota_uninitialized }, { by_pool2 }, { by_pool3 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enter(8, 8);
        assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_PARAMETER(STATUS_QUOTA_EXCEEDED), rows[i].allocate(PagedPool, 100));
        assert_int_not_equal(ntmm_cmocka_caught.parameter[1], 0); /* the caller */
        assert_true(ntmm_cmocka_caught.parameter[2] == 0 && ntmm_cmocka_caught.parameter[3] == 0);
        assert_non_null(strstr(ntmm_stop_report(), "STATUS_QUOTA_EXCEEDED"));
        ntmm_cmocka_reboot();
    }
}

static void shortage_of_memory_raises_another_status(void **state) /* on SMALL_POOLS */
{
    (void)state;
    assert_null(ExAllocatePoolWithQuotaTag(QUIET(PagedPool), 100 * PAGE_SIZE, TAG));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 100 * PAGE_SIZE, TAG));
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_PARAMETER(STATUS_INSUFFICIENT_RESOURCES),
                    ExAllocatePoolWithQuotaTag(PagedPool, 100 * PAGE_SIZE, TAG));
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_PARAMETER(STATUS_INSUFFICIENT_RESOURCES),
                    ExAllocatePoolWithQuota(NonPagedPool, 100 * PAGE_SIZE));
}

static void a_failure_costs_nothing(void **state) /* on SMALL_POOLS: until there is none left */
{
    (void)state;
    void  *list = NULL, *block;
    size_t count = 0;
    enter(0, 0);
    while ((block = ExAllocatePoolWithQuotaTag(QUIET(NonPagedPoolNx), 500, TAG)) != NULL) {
        *(void **)block = list;
        list = block;
        count++;
    }
    assert_true(count > 16 * 4);
    assert_int_equal(usage().nonpaged_bytes, count * block_bytes(list));
    assert_true(ntmm_check());
    while ((block = list) != NULL) {
        list = *(void **)block;
        ExFreePool(block);
    }
    ntmm_fail_allocation(1);
    assert_null(ExAllocatePoolWithQuotaTag(QUIET(NonPagedPoolNx), 500, TAG));
    assert_int_equal(usage().nonpaged_bytes, 0);
    leave();
    assert_true(ntmm_check());
}

/* ---- what is known of a block ---- */

static void bytes_asked_for_stay_exact(void **state)
{
    (void)state;
    enum { COUNT = 48 };
    ntmm_pool_usage pool;
    uint64_t        sum = 0;
    void           *blocks[COUNT];
    enter(0, 0);
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = i < 24 ? i + 1 : (i - 23) * (EX_BLOCK_MAX / 24);
        blocks[i] = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA | (i % 3 == 0 ? POOL_FLAG_CACHE_ALIGNED : 0), bytes, TAG);
        assert_non_null(blocks[i]);
        sum += bytes;
        assert_true(ntmm_query_tag(TAG, PagedPool, &pool));
        assert_int_equal(pool.bytes_requested, sum);
        assert_true(ntmm_check());
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = i < 24 ? i + 1 : (i - 23) * (EX_BLOCK_MAX / 24);
        ExFreePoolWithTag(blocks[i], TAG);
        sum -= bytes;
        assert_true(ntmm_query_tag(TAG, PagedPool, &pool));
        assert_int_equal(pool.bytes_requested, sum);
        assert_true(ntmm_check());
    }
    assert_true(pool.bytes_in_use == 0 && pool.allocs == COUNT && pool.frees == COUNT && usage().paged_bytes == 0);
    leave();
}

static void every_size_with_and_without_alignment(void **state)
{
    (void)state;
    ntmm_pool_usage pool;
    enter(0, 0);
    for (size_t bytes = 1; bytes <= EX_BLOCK_MAX; bytes++) {
        for (unsigned aligned = 0; aligned < 2; aligned++) {
            void *block = ExAllocatePoolWithQuotaTag(aligned ? NonPagedPoolNxCacheAligned : NonPagedPoolNx, bytes, TAG);
            if (aligned && bytes + 64 <= EX_BLOCK_MAX)
                assert_int_equal((uintptr_t)block % 64, 0);
            ntmm_query_tag(TAG, NonPagedPoolNx, &pool);
            if (pool.bytes_requested != bytes)
                fail_msg("%zu bytes were asked for, and %llu are known", bytes, (unsigned long long)pool.bytes_requested);
            ExFreePool(block);
        }
    }
    assert_int_equal(usage().nonpaged_bytes, 0);
    leave();
    assert_true(ntmm_check());
}

static void the_header_names_the_process(void **state)
{
    (void)state;
    enter(0, 0);
    void        *block = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG);
    POOL_HEADER *header = ex_header_of(block);
    uint64_t     named = header->ProcessBilled ^ ex_quota_cookie ^ (uintptr_t)header;
    assert_int_equal(named & ~(uint64_t)(KE_PROCESS_ALIGN - 1), process);
    assert_int_not_equal(header->ProcessBilled, process); /* but not in plain words */
    ExFreePool(block);
    assert_int_equal(header->ProcessBilled, 0); /* the stock of the thread keeps no traces of it */
    leave();
}

static void the_cookie_comes_from_the_seed(void **state)
{
    uint64_t cookies[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true, .seed = i / 2 }), 0);
        cookies[i] = ex_quota_cookie;
        assert_int_equal(ntmm_shutdown(NULL), 0);
    }
    assert_int_equal(cookies[0], cookies[1]);
    assert_int_not_equal(cookies[0], cookies[2]);
}

static void zeros_if_wanted(void **state)
{
    (void)state;
    enter(0, 0);
    unsigned char *block = ExAllocatePoolWithQuotaTag(PagedPool, 300, TAG);
    memset(block, 0xFF, 300);
    ExFreePool(block);
    block = ExAllocatePoolQuotaZero(PagedPool, 300, TAG);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(block[i], 0);
    ExFreePool(block);
    leave();
}

static void sizes_can_be_asked_for(void **state)
{
    (void)state;
    BOOLEAN charged;
    enter(0, 0);
    void *plain = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG),
         *quota = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG | PROTECTED_POOL);
    void *line = ExAllocatePoolWithQuotaTag(NonPagedPoolNxCacheAligned, 100, TAG),
         *pages = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, PAGE_SIZE + 1, TAG);
    assert_int_equal(ExQueryPoolBlockSize(plain, &charged), block_bytes(plain) - EX_HEADER_BYTES);
    assert_false(charged);
    assert_int_equal(ExQueryPoolBlockSize(quota, &charged), block_bytes(quota) - EX_HEADER_BYTES);
    assert_true(charged);
    SIZE_T bytes = ExQueryPoolBlockSize(line, &charged);
    assert_true(charged && bytes >= 100 && bytes < 100 + 64 + EX_UNIT);
    memset(line, 0x5A, bytes); /* all of it is the driver's */
    assert_true(ntmm_check());
    bytes = ExQueryPoolBlockSize(pages, &charged);
    assert_true(!charged && bytes > PAGE_SIZE && bytes <= 2 * PAGE_SIZE);
    ExFreePool(plain);
    ExFreePoolWithTag(quota, TAG | PROTECTED_POOL);
    ExFreePool(line);
    ExFreePool(pages);
    leave();
    assert_bugcheck_all(BAD_POOL_CALLER, 0x46, &charged, 0, 0, ExQueryPoolBlockSize(&charged, &charged));
}

/* ---- who gives it back ---- */

static void *free_it(void *block)
{
    ExFreePoolWithTag(block, TAG);
    return NULL;
}
static void whoever_frees_the_payer_is_refunded(void **state)
{
    (void)state;
    pthread_t     thread;
    ntmm_process *payer = enter(0, 0);
    void         *blocks[4];
    for (unsigned i = 0; i < 4; i++)
        blocks[i] = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 200, TAG);
    ntmm_process_attach(NULL);
    ExFreePool(blocks[0]); /* by System */
    assert_int_equal(usage().nonpaged_bytes, 3 * block_bytes(blocks[1]));
    assert_int_equal(pthread_create(&thread, NULL, free_it, blocks[1]), 0);
    pthread_join(thread, NULL); /* by another thread */
    assert_int_equal(usage().nonpaged_bytes, 2 * block_bytes(blocks[2]));
    enter(0, 0);
    ExFreePool2(blocks[2], TAG, NULL, 0); /* by another process */
    assert_int_equal(usage().nonpaged_bytes, 0);
    leave();
    process = payer;
    assert_int_equal(usage().nonpaged_bytes, block_bytes(blocks[3]));
    ExFreePool(blocks[3]);
    assert_int_equal(usage().nonpaged_bytes, 0);
    ntmm_process_destroy(payer);
    assert_true(ntmm_check());
}

static void a_process_outlives_itself_until_its_pool_is_freed(void **state)
{
    (void)state;
    ntmm_process *payer = enter(0, 0);
    void         *block = ExAllocatePoolWithQuotaTag(PagedPool, 200, TAG);
    leave();
    assert_true(ke_process_is_at((uintptr_t)payer));
    assert_true(ntmm_check());
    ntmm_process *next = ntmm_process_create(); /* gets another record */
    assert_ptr_not_equal(next, payer);
    ntmm_process_destroy(next);
    assert_no_bugcheck(ExFreePool(block));
    assert_false(ke_process_is_at((uintptr_t)payer));
    assert_true(ntmm_check());
}

static void leaks_are_leaks(void **state)
{
    static ntmm_report report;
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    enter(0, 0);
    void *block = ExAllocatePoolWithQuotaTag(PagedPool, 200, TAG);
    leave();
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, block);
    assert_true(report.leaks[0].tag == TAG && report.leaks[0].type == PagedPool && report.leaks[0].bytes >= 200);
}

/* ---- damage ---- */

static void damaged(uint64_t named) /* the header is made to name this */
{
    enter(0, 0);
    void        *block = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG);
    POOL_HEADER *header = ex_header_of(block);
    header->ProcessBilled = named ^ ex_quota_cookie ^ (uintptr_t)header;
    uintptr_t bad = (uintptr_t)(named & ~(uint64_t)(KE_PROCESS_ALIGN - 1));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0D, block, TAG, bad, ExFreePoolWithTag(block, TAG));
    ntmm_cmocka_reboot();
}
static void a_header_that_names_no_process(void **state)
{
    (void)state;
    int on_the_stack;
    damaged(0);
    damaged(0x4141414141414141);
    damaged((uintptr_t)&on_the_stack);
    damaged((uintptr_t)PsInitialSystemProcess + 2000 * KE_PROCESS_ALIGN); /* a record, but a free one */
    damaged((uintptr_t)PsInitialSystemProcess - KE_PROCESS_ALIGN);
}
static void a_header_overwritten_with_text(void **state)
{
    (void)state;
    enter(0, 0);
    void        *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG);
    POOL_HEADER *header = ex_header_of(block);
    memcpy(&header->ProcessBilled, "AAAAAAAA", 8);
    assert_bugcheck(BAD_POOL_CALLER, 0x0D, ExFreePool(block));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], block);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], TAG);
}
static void a_quota_bit_that_nobody_set(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    ex_header_of(block)->PoolType |= EX_TYPE_QUOTA;
    assert_false(ntmm_check());
    assert_bugcheck(BAD_POOL_CALLER, 0x0D, ExFreePool(block));
}
static void more_is_given_back_than_was_taken(void **state)
{
    (void)state;
    enter(0, 0);
    void *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG);
    atomic_store(&((ke_process_t *)(void *)process)->charged[KE_QUOTA_PAGED], 16);
    assert_false(ntmm_check());
    assert_non_null(strstr(ntmm_error(), "a process is charged"));
    assert_bugcheck_all(QUOTA_UNDERFLOW, process, 1, block_bytes(block), block_bytes(block) - 16, ExFreePool(block));
}

/* ---- the other rules hold as well ---- */

static void a_wrong_tag(void **state)
{
    (void)state;
    enter(0, 0);
    void *block = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG, OTHER, ExFreePoolWithTag(block, OTHER));
}
static void freed_twice(void **state)
{
    (void)state;
    enter(0, 0);
    void *keep = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG), *block = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG);
    ExFreePool(block);
    assert_int_equal(usage().nonpaged_bytes, block_bytes(keep));
    uintptr_t contents = ex_header_contents(ex_header_of(block));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x07, 0, contents, block, ExFreePool(block));
}
static void irql_rules(void **state)
{
    (void)state;
    KIRQL old;
    enter(0, 0);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_no_bugcheck(ExFreePool(ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG)));
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 100, ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 100, ExAllocatePoolWithQuota(PagedPool, 100));
    ntmm_cmocka_reboot();
    enter(0, 0);
    void *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x09, DISPATCH_LEVEL, PagedPool, block, ExFreePool(block));
}
static void tag_and_type_rules(void **state)
{
    (void)state;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x9A, NonPagedPoolMustSucceed, 24, TAG,
                        ExAllocatePoolWithQuotaTag(NonPagedPoolMustSucceed, 24, TAG));
    ntmm_cmocka_reboot();
    assert_bugcheck(BAD_POOL_CALLER, 0x9B, ExAllocatePoolWithQuotaTag(PagedPool, 24, 0));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], PagedPool);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 24);
    assert_int_not_equal(ntmm_cmocka_caught.parameter[3], 0);
    ntmm_cmocka_reboot();
    assert_bugcheck(BAD_POOL_CALLER, 0x9C, ExAllocatePoolWithQuotaTag(PagedPool, 24, NTMM_TAG("BIG ")));
    ntmm_cmocka_reboot();
    assert_bugcheck(BAD_POOL_CALLER, 0x9D, ExAllocatePoolWithQuotaTag(PagedPool, 24, NTMM_TAG("....")));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], NTMM_TAG("...."));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], PagedPool);
}

/* ---- two threads ---- */

enum { LIMIT = 64 * 1024, ROUNDS = 4000, AT_ONCE = 64 };
static _Atomic uint32_t threads_begun;
static void            *allocate_and_free(void *in)
{
    void    *blocks[AT_ONCE] = { NULL };
    uint32_t random = atomic_fetch_add(&threads_begun, 1) + 1; /* another sequence for each */
    bool     good = true;
    ntmm_process_attach(in);
    for (unsigned round = 0; round < ROUNDS; round++) {
        random = random * 1664525u + 1013904223u;
        void **block = &blocks[random >> 26];
        if (*block != NULL)
            ExFreePoolWithTag(*block, TAG);
        *block = ExAllocatePoolWithQuotaTag(QUIET(NonPagedPoolNx), 1 + (random >> 8) % 2000, TAG);
        ntmm_quota_usage now;
        ntmm_process_query_quota(in, &now);
        good = good && now.nonpaged_bytes <= LIMIT;
    }
    for (unsigned i = 0; i < AT_ONCE; i++)
        if (blocks[i] != NULL)
            ExFreePoolWithTag(blocks[i], TAG);
    return good ? in : NULL;
}
static void a_limit_holds_for_all_threads_together(void **state)
{
    (void)state;
    pthread_t thread[3];
    void     *result;
    enter(LIMIT, LIMIT);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, allocate_and_free, process), 0);
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(thread[i], &result);
        assert_ptr_equal(result, process);
    }
    assert_int_equal(usage().nonpaged_bytes, 0);
    assert_int_equal(atomic_load(&((ke_process_t *)(void *)process)->references), 2); /* the test's, and its thread's */
    leave();
    assert_true(ntmm_check());
}

#define ROUTINE_COUNT (sizeof ROUTINES / sizeof ROUTINES[0])
#define both(test) ntmm_cmocka_test_config(test, &PLAIN), ntmm_cmocka_test_config(test, &BARE)

/* ---- file systems ---- */

static void the_forms_of_file_systems(void **state)
{
    (void)state;
    enter(1 << 20, 1 << 20);
    void *p = FsRtlAllocatePool(PagedPool, 100), *q = FsRtlAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    assert_int_equal(usage().paged_bytes + usage().nonpaged_bytes, 0);
    void *r = FsRtlAllocatePoolWithQuota(PagedPool, 100), *s = FsRtlAllocatePoolWithQuotaTag(NonPagedPoolNx, 100, TAG);
    assert_int_equal(usage().paged_bytes, block_bytes(r));
    assert_int_equal(usage().nonpaged_bytes, block_bytes(s));
    ExFreePool(p);
    ExFreePoolWithTag(q, TAG);
    ExFreePool(r);
    ExFreePoolWithTag(s, TAG);
    leave();
    FsRtlEnterFileSystem();
    assert_true(KeAreApcsDisabled());
    FsRtlExitFileSystem();
    assert_false(KeAreApcsDisabled());
    ntmm_fail_allocation(1);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_PARAMETER(STATUS_INSUFFICIENT_RESOURCES),
                    FsRtlAllocatePoolWithTag(NonPagedPoolNx, 100, TAG));
}

int main(void)
{
    static struct CMUnitTest routines[ROUTINE_COUNT];
    for (size_t i = 0; i < ROUTINE_COUNT; i++)
        routines[i] = (struct CMUnitTest){ .name = ROUTINES[i].name, .test_func = check_routine, .initial_state = &ROUTINES[i] };
    const struct CMUnitTest tests[] = {
        both(the_system_process_never_pays),
        both(without_quota_nobody_pays),
        both(the_quota_is_exact),
        ntmm_cmocka_test_config(exceeding_it_raises, &PLAIN),
        ntmm_cmocka_test_config(shortage_of_memory_raises_another_status, &SMALL_POOLS),
        ntmm_cmocka_test_config(a_failure_costs_nothing, &SMALL_POOLS),
        both(bytes_asked_for_stay_exact),
        ntmm_cmocka_test_config(every_size_with_and_without_alignment, &PLAIN),
        ntmm_cmocka_test_config(the_header_names_the_process, &PLAIN),
        cmocka_unit_test(the_cookie_comes_from_the_seed),
        both(zeros_if_wanted),
        both(sizes_can_be_asked_for),
        both(whoever_frees_the_payer_is_refunded),
        both(a_process_outlives_itself_until_its_pool_is_freed),
        cmocka_unit_test(leaks_are_leaks),
        ntmm_cmocka_test_config(the_forms_of_file_systems, &PLAIN),
        ntmm_cmocka_test_config(a_header_that_names_no_process, &PLAIN),
        both(a_header_overwritten_with_text),
        both(a_quota_bit_that_nobody_set),
        ntmm_cmocka_test_config(more_is_given_back_than_was_taken, &PLAIN),
        both(a_wrong_tag),
        both(freed_twice),
        ntmm_cmocka_test_config(irql_rules, &PLAIN),
        ntmm_cmocka_test_config(tag_and_type_rules, &PLAIN),
        ntmm_cmocka_test_config(a_limit_holds_for_all_threads_together, &PLAIN),
    };
    int failed = cmocka_run_group_tests(routines, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
