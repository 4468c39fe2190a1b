/*
 * test_ex_pool_secure.c - secure pool: what can be read, what can be changed and by whom, what stops the machine.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>

#define TAG NTMM_TAG("Secu")
#define OTHER NTMM_TAG("Oops")
#define COOKIE 0x1122334455667788u
#define FREEABLE SECURE_POOL_FLAGS_FREEABLE
#define MODIFIABLE SECURE_POOL_FLAGS_MODIFIABLE

static HANDLE pool;

static void create(void)
{
    assert_int_equal(ExCreatePool(POOL_CREATE_FLG_SECURE_POOL | POOL_CREATE_FLG_USE_GLOBAL_POOL, TAG, NULL, &pool), STATUS_SUCCESS);
    assert_non_null(pool);
}

static POOL_EXTENDED_PARAMS_SECURE_POOL params;
static POOL_EXTENDED_PARAMETER          parameter;
static PCPOOL_EXTENDED_PARAMETER        with(HANDLE handle, const void *buffer, ULONG_PTR cookie, ULONG flags)
{
    params = (POOL_EXTENDED_PARAMS_SECURE_POOL){ handle, (PVOID)(uintptr_t)buffer, cookie, flags };
    parameter = (POOL_EXTENDED_PARAMETER){ .Type = PoolExtendedParameterSecurePool, .SecurePoolParams = &params };
    return &parameter;
}
static void *take(size_t bytes, const void *buffer, ULONG flags)
{
    return ExAllocatePool3(POOL_FLAG_NON_PAGED, bytes, TAG, with(pool, buffer, COOKIE, flags), 1);
}
static void give(void *block) { ExFreePool2(block, TAG, with(pool, NULL, COOKIE, 0), 1); }

/* ---- pools ---- */

static UNICODE_STRING const           NAME = { 8, 8, (PWCH)(uintptr_t)L"Pool" };
static POOL_CREATE_EXTENDED_PARAMETER a_name = { .Type = PoolCreateExtendedParameterName },
                                      no_type = { .Type = PoolCreateExtendedParameterInvalidType };
static POOL_CREATE_EXTENDED_PARAMS versioned = { .Version = POOL_CREATE_PARAMS_VERSION }, unversioned = { .Version = 0 },
                                   later = { .Version = 2 };
static POOL_CREATE_EXTENDED_PARAMS named = { POOL_CREATE_PARAMS_VERSION, 1, &a_name },
                                   invalid = { POOL_CREATE_PARAMS_VERSION, 1, &no_type };
static POOL_CREATE_EXTENDED_PARAMS countless = { POOL_CREATE_PARAMS_VERSION, 0, &a_name },
                                   pointless = { POOL_CREATE_PARAMS_VERSION, 1, NULL };
static struct creation_case {
    const char                  *name;
    ULONG                        flags;
    ULONG_PTR                    tag;
    POOL_CREATE_EXTENDED_PARAMS *params;
    NTSTATUS                     status;
} CREATIONS[] = {
    { "a secure pool", POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, STATUS_SUCCESS },
    { "a secure pool of the global pool", POOL_CREATE_FLG_VALID_FLAGS, TAG, NULL, STATUS_SUCCESS },
    { "with a version", POOL_CREATE_FLG_SECURE_POOL, TAG, &versioned, STATUS_SUCCESS },
    { "no flags", 0, TAG, NULL, STATUS_INVALID_PARAMETER_1 },
    { "no kind of pool", POOL_CREATE_FLG_USE_GLOBAL_POOL, TAG, NULL, STATUS_INVALID_PARAMETER_1 },
    { "an unknown flag", POOL_CREATE_FLG_SECURE_POOL | 0x80000000u, TAG, NULL, STATUS_INVALID_PARAMETER_1 },
    { "tag 0", POOL_CREATE_FLG_SECURE_POOL, 0, NULL, STATUS_INVALID_PARAMETER_2 },
    { "a tag of five characters", POOL_CREATE_FLG_SECURE_POOL, (ULONG_PTR)TAG | (ULONG_PTR)'5' << 32, NULL, STATUS_INVALID_PARAMETER_2 },
    { "no version", POOL_CREATE_FLG_SECURE_POOL, TAG, &unversioned, STATUS_INVALID_PARAMETER },
    { "a later version", POOL_CREATE_FLG_SECURE_POOL, TAG, &later, STATUS_INVALID_PARAMETER },
    { "a name", POOL_CREATE_FLG_SECURE_POOL, TAG, &named, STATUS_INVALID_PARAMETER_3 },
    { "a parameter of no type", POOL_CREATE_FLG_SECURE_POOL, TAG, &invalid, STATUS_INVALID_PARAMETER_3 },
    { "an array without a count", POOL_CREATE_FLG_SECURE_POOL, TAG, &countless, STATUS_INVALID_PARAMETER_3 },
    { "a count without an array", POOL_CREATE_FLG_SECURE_POOL, TAG, &pointless, STATUS_INVALID_PARAMETER_3 },
};
static void check_creation(void **state)
{
    const struct creation_case *c = *state;
    HANDLE                      handle = NULL;
    a_name.PoolName = NAME;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    assert_int_equal(ExCreatePool(c->flags, c->tag, c->params, &handle), c->status);
    if (c->status == STATUS_SUCCESS)
        ExDestroyPool(handle);
    else
        assert_null(handle);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

static void handles_do_not_come_again(void **state)
{
    (void)state;
    create();
    HANDLE first = pool;
    ExDestroyPool(first);
    create();
    assert_ptr_not_equal(pool, first);
    assert_null(ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, with(first, NULL, COOKIE, 0), 1));
    assert_int_equal(ExSecurePoolUpdate(first, TAG, &pool, COOKIE, 0, 0, NULL), STATUS_INVALID_HANDLE);
    ExDestroyPool(pool);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, first, 0, 0, ExDestroyPool(first));
}
static void a_handle_that_never_was(void **state)
{
    (void)state;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, 0, 0, 0, ExDestroyPool(NULL));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, &pool, 0, 0, ExDestroyPool((HANDLE)&pool));
}
static void there_is_an_end_of_pools(void **state)
{
    HANDLE handles[200];
    size_t count = 0;
    (void)state;
    while (ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &handles[count]) == STATUS_SUCCESS)
        assert_true(++count < 200);
    assert_int_equal(ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &handles[count]), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(1);
    ExDestroyPool(handles[3]);
    assert_int_equal(ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &handles[3]), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &handles[3]), STATUS_SUCCESS);
    ntmm_fail_allocation(0);
    while (count > 0)
        ExDestroyPool(handles[--count]);
}
static void a_pool_is_destroyed_when_it_is_empty(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, FREEABLE);
    (void)block;
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, pool, 0, 0, ExDestroyPool(pool));
}
static void pools_at_passive_level_only(void **state)
{
    (void)state;
    KIRQL old;
    create();
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExDestroyPool(pool));
    ntmm_cmocka_reboot();
    KeRaiseIrql(APC_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExCreatePool(POOL_CREATE_FLG_SECURE_POOL, TAG, NULL, &pool));
}

/* ---- what a block holds ---- */

static void fill(unsigned char *bytes, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(seed + i * 7 + i / 256);
}

static void a_block_holds_what_it_was_given(void **state)
{
    static const size_t  sizes[] = { 1, 16, 100, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 5 * PAGE_SIZE + 33 };
    static unsigned char buffer[6 * PAGE_SIZE];
    (void)state;
    create();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ntmm_pool_usage usage;
        fill(buffer, sizes[i], (unsigned)i);
        unsigned char *block = take(sizes[i], buffer, FREEABLE);
        assert_non_null(block);
        assert_int_equal(BYTE_OFFSET(block), 0); /* pages of its own */
        assert_memory_equal(block, buffer, sizes[i]);
        for (size_t at = sizes[i]; at < ROUND_TO_PAGES(sizes[i]); at++)
            assert_int_equal(block[at], 0); /* nobody else's bytes behind it */
        assert_true(ntmm_query_tag(TAG, NonPagedPoolNx, &usage));
        assert_int_equal(usage.bytes_requested, sizes[i]);
        assert_int_equal(usage.pages, BYTES_TO_PAGES(sizes[i]));
        assert_true(ntmm_check());
        give(block);
        assert_true(ntmm_check());
    }
    ExDestroyPool(pool);
}
static void without_a_buffer_it_holds_zeros(void **state)
{
    (void)state;
    create();
    void *dirty = ExAllocatePoolWithTag(NonPagedPoolNx, 8 * PAGE_SIZE, TAG);
    memset(dirty, 0xDD, 8 * PAGE_SIZE);
    ExFreePool(dirty);
    for (unsigned round = 0; round < 2; round++) {
        unsigned char *block = ExAllocatePool3(POOL_FLAG_NON_PAGED | (round == 0 ? 0 : POOL_FLAG_UNINITIALIZED), 4 * PAGE_SIZE, TAG,
                                               with(pool, NULL, COOKIE, FREEABLE), 1);
        for (size_t i = 0; i < 4 * PAGE_SIZE; i++)
            assert_int_equal(block[i], 0);
        give(block);
    }
    ExDestroyPool(pool);
}

static struct refused_case {
    const char *name;
    POOL_FLAGS  pool_flags;
    ULONG       flags;
    bool        optional, served;
} REFUSED[] = {
    { "not modifiable, not freeable", POOL_FLAG_NON_PAGED, SECURE_POOL_FLAGS_NONE, false, true },
    { "both", POOL_FLAG_NON_PAGED, FREEABLE | MODIFIABLE, false, true },
    { "an unknown flag", POOL_FLAG_NON_PAGED, FREEABLE | 4, false, false },
    { "for paged pool", POOL_FLAG_PAGED, FREEABLE, false, false },
    { "for executable pool", POOL_FLAG_NON_PAGED_EXECUTE, FREEABLE, false, false },
    { "with quota", POOL_FLAG_NON_PAGED | POOL_FLAG_USE_QUOTA, FREEABLE, false, true },
    { "for paged pool, optional: an ordinary block", POOL_FLAG_PAGED, FREEABLE, true, true },
    { "an unknown flag, optional: an ordinary block", POOL_FLAG_NON_PAGED, 8, true, true },
};
static void check_refused(void **state)
{
    const struct refused_case *c = *state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    create();
    with(pool, NULL, COOKIE, c->flags);
    parameter.Optional = c->optional;
    unsigned char *block = ExAllocatePool3(c->pool_flags, 100, TAG, &parameter, 1);
    assert_int_equal(block != NULL, c->served);
    if (block != NULL && c->optional) {
        assert_false(ExSecurePoolValidate(pool, TAG, block, COOKIE));
        block[0] = 1;
        ExFreePoolWithTag(block, TAG);
    } else if (block != NULL) {
        assert_true(ExSecurePoolValidate(pool, TAG, block, COOKIE));
        if ((c->flags & FREEABLE) != 0)
            give(block);
    }
    assert_true(ntmm_check());
    ExDestroyPool(pool);
    assert_int_equal(ntmm_shutdown(NULL), 0); /* what cannot be freed is no leak */
}

static void memory_is_short(void **state)
{
    (void)state;
    void  *blocks[64];
    size_t count = 0;
    create();
    while ((blocks[count] = take(PAGE_SIZE + 1, NULL, FREEABLE)) != NULL)
        assert_true(++count < 64);
    assert_int_equal(count, 16); /* two pages each, of 32 */
    assert_bugcheck(
        KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_INSUFFICIENT_RESOURCES,
        ExAllocatePool3(POOL_FLAG_NON_PAGED | POOL_FLAG_RAISE_ON_FAILURE, PAGE_SIZE, TAG, with(pool, NULL, COOKIE, FREEABLE), 1));
    ntmm_cmocka_reboot();
    create();
    void *hoard[32];
    for (unsigned i = 0; i < 32; i++)
        hoard[i] = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, TAG);
    for (unsigned i = 0; i < 32; i++)
        ExFreePool(hoard[i]); /* the thread keeps some of them, and gives them back for this: */
    void *all = take(32 * PAGE_SIZE, NULL, FREEABLE);
    assert_non_null(all);
    give(all);
    ntmm_fail_allocation(1);
    assert_null(take(100, NULL, FREEABLE));
    ntmm_fail_allocation(0);
    ExDestroyPool(pool);
    assert_true(ntmm_check());
}
static void on_a_node(void **state)
{
    (void)state;
    create();
    POOL_EXTENDED_PARAMETER both[2] = { *with(pool, NULL, COOKIE, FREEABLE),
                                        { .Type = PoolExtendedParameterNumaNode, .PreferredNode = 1 } };
    void                   *block = ExAllocatePool3(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE, TAG, both, 2);
    assert_non_null(block);
    assert_true(ntmm_check());
    give(block);
    ExDestroyPool(pool);
}

/* ---- the driver's own writes ---- */

static void writing_stops_the_machine(void **state)
{
    (void)state;
    create();
    volatile unsigned char *block = take(2 * PAGE_SIZE, NULL, FREEABLE | MODIFIABLE);
    assert_int_equal(block[PAGE_SIZE + 5], 0);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, &block[PAGE_SIZE + 5], block[PAGE_SIZE + 5] = 1);
    uintptr_t pte = ntmm_cmocka_caught.parameter[1];
    assert_true((pte & 1) != 0 && (pte & 2) == 0 && (pte >> 63) == 1); /* valid, not writable, not executable */
    assert_true(ntmm_cmocka_caught.parameter[2] == 0 && ntmm_cmocka_caught.parameter[3] == 0);
    assert_int_equal(block[PAGE_SIZE + 5], 0); /* and it did not happen */
    assert_non_null(strstr(ntmm_stop_report(), "secure pool"));
    assert_non_null(strstr(ntmm_stop_report(), "tag 'Secu'"));
}
static void writing_at_dispatch_level(void **state)
{
    (void)state;
    KIRQL old;
    create();
    volatile unsigned char *block = take(100, NULL, FREEABLE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(block[0], 0); /* nonpaged: it can be read */
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, block, block[0] = 1);
    assert_int_equal(ntmm_cmocka_caught.irql, DISPATCH_LEVEL);
}
static void writing_by_way_of_the_physical_address(void **state)
{
    (void)state;
    create();
    volatile unsigned char *block = take(100, NULL, FREEABLE);
    PHYSICAL_ADDRESS        physical = MmGetPhysicalAddress((PVOID)(uintptr_t)block);
    volatile unsigned char *again = MmGetVirtualForPhysical(physical);
    assert_true(physical.QuadPart != 0);
    assert_ptr_equal(again, block);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, again, again[0] = 1);
}
static void executing(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, FREEABLE);
    void (*call)(void);
    memcpy(&call, &block, sizeof call);
    assert_bugcheck(ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, block, call());
}

/* ---- changing it ---- */

static void an_update_changes_what_is_read(void **state)
{
    static unsigned char buffer[3 * PAGE_SIZE], wanted[3 * PAGE_SIZE];
    (void)state;
    create();
    fill(wanted, sizeof wanted, 1);
    unsigned char *block = take(sizeof wanted, wanted, FREEABLE | MODIFIABLE);
    static const struct {
        size_t offset, bytes;
    } changes[] = {
        { 0, 1 }, { 5, 100 }, { PAGE_SIZE - 3, 6 }, { 511, 1025 }, { 0, 3 * PAGE_SIZE }, { 3 * PAGE_SIZE - 1, 1 }, { 3 * PAGE_SIZE, 0 },
        { 7, 0 }
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        fill(buffer, changes[i].bytes, 50 + (unsigned)i);
        memcpy(wanted + changes[i].offset, buffer, changes[i].bytes);
        assert_int_equal(ExSecurePoolUpdate(pool, TAG, block, COOKIE, changes[i].offset, changes[i].bytes, buffer), STATUS_SUCCESS);
        assert_memory_equal(block, wanted, sizeof wanted);
    }
    assert_int_equal(ExSecurePoolUpdate(pool, TAG, block, COOKIE, 0, 0, NULL), STATUS_SUCCESS);
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(ExSecurePoolUpdate(pool, TAG, block, COOKIE, 0, 4, "abc"), STATUS_SUCCESS);
    KeLowerIrql(old);
    assert_string_equal((char *)block, "abc");
    give(block);
    ExDestroyPool(pool);
}

static void an_update_needs_to_know_everything(void **state)
{
    (void)state;
    create();
    HANDLE mine = pool;
    create();
    unsigned char *block = ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, with(mine, NULL, COOKIE, FREEABLE | MODIFIABLE), 1);
    unsigned char *fixed = ExAllocatePool3(POOL_FLAG_NON_PAGED, 100, TAG, with(mine, NULL, COOKIE, FREEABLE), 1);
    unsigned char *ordinary = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    struct {
        HANDLE         handle;
        ULONG          tag;
        unsigned char *block;
        ULONG_PTR      cookie;
        SIZE_T         offset, bytes;
        const char    *buffer;
        NTSTATUS       status;
    } rows[] = {
        { mine, TAG, block, COOKIE, 96, 4, "abc", STATUS_SUCCESS },
        { pool, TAG, block, COOKIE, 0, 4, "abc", STATUS_INVALID_PARAMETER }, /* another pool's */
        { NULL, TAG, block, COOKIE, 0, 4, "abc", STATUS_INVALID_HANDLE },
        { (HANDLE)&pool, TAG, block, COOKIE, 0, 4, "abc", STATUS_INVALID_HANDLE },
        { mine, OTHER, block, COOKIE, 0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, 0, block, COOKIE, 0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, block, COOKIE + 1, 0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, block + 1, COOKIE, 0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, ordinary, COOKIE, 0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, NULL, COOKIE, 0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, block, COOKIE, 97, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, block, COOKIE, 101, 0, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, block, COOKIE, 4, ~(SIZE_T)0, "abc", STATUS_INVALID_PARAMETER }, /* the sum wraps around */
        { mine, TAG, block, COOKIE, ~(SIZE_T)0, 4, "abc", STATUS_INVALID_PARAMETER },
        { mine, TAG, block, COOKIE, 0, 4, NULL, STATUS_INVALID_PARAMETER },
        { mine, TAG, fixed, COOKIE, 0, 4, "abc", STATUS_ACCESS_DENIED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        NTSTATUS status = ExSecurePoolUpdate(rows[i].handle, rows[i].tag, rows[i].block, rows[i].cookie, rows[i].offset, rows[i].bytes,
                                             (PVOID)(uintptr_t)rows[i].buffer);
        if (status != rows[i].status)
            fail_msg("row %zu: 0x%08x", i, (unsigned)status);
    }
    for (size_t i = 0; i < 96; i++)
        assert_true(block[i] == 0 && fixed[i] == 0);
    ExFreePool(ordinary);
    ExFreePool2(block, TAG, with(mine, NULL, COOKIE, 0), 1);
    ExFreePool2(fixed, TAG, with(mine, NULL, COOKIE, 0), 1);
    ExDestroyPool(mine);
    ExDestroyPool(pool);
}
static void an_update_from_nowhere(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, FREEABLE | MODIFIABLE);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(LONG_PTR)STATUS_ACCESS_VIOLATION,
                    ExSecurePoolUpdate(pool, TAG, block, COOKIE, 0, 8, (PVOID)(uintptr_t)16));
}
static void updates_at_dispatch_level_at_most(void **state)
{
    (void)state;
    KIRQL old;
    create();
    void *block = take(100, NULL, FREEABLE | MODIFIABLE);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExSecurePoolUpdate(pool, TAG, block, COOKIE, 0, 4, "abc"));
    ntmm_cmocka_reboot();
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, ExSecurePoolValidate(pool, TAG, block, COOKIE));
}
static void validating(void **state)
{
    (void)state;
    int local;
    create();
    char *block = take(2 * PAGE_SIZE, NULL, FREEABLE);
    assert_int_equal(ExSecurePoolValidate(pool, TAG, block, COOKIE), TRUE);
    assert_false(ExSecurePoolValidate(pool, OTHER, block, COOKIE));
    assert_false(ExSecurePoolValidate(pool, TAG, block, COOKIE - 1));
    assert_false(ExSecurePoolValidate(NULL, TAG, block, COOKIE));
    assert_false(ExSecurePoolValidate(pool, TAG, block + 16, COOKIE));
    assert_false(ExSecurePoolValidate(pool, TAG, block + PAGE_SIZE, COOKIE));
    assert_false(ExSecurePoolValidate(pool, TAG, &local, COOKIE));
    assert_false(ExSecurePoolValidate(pool, TAG, NULL, COOKIE));
    give(block);
    assert_false(ExSecurePoolValidate(pool, TAG, block, COOKIE));
    ExDestroyPool(pool);
}

/* ---- freeing it ---- */

static void freeing_needs_to_know_everything(void **state)
{
    static const struct {
        bool      other_pool, no_pool;
        ULONG_PTR cookie;
        bool      buffer;
        ULONG     flags, count;
    } rows[] = {
        { true, false, COOKIE, false, 0, 1 }, { false, true, COOKIE, false, 0, 1 },         { false, false, COOKIE + 1, false, 0, 1 },
        { false, false, COOKIE, true, 0, 1 }, { false, false, COOKIE, false, FREEABLE, 1 }, { false, false, COOKIE, false, 0, 2 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        create();
        HANDLE other = pool;
        create();
        void                   *block = take(100, NULL, FREEABLE);
        POOL_EXTENDED_PARAMETER array[2];
        array[0] = array[1] = *with(rows[i].other_pool ? other
                                    : rows[i].no_pool  ? NULL
                                                       : pool,
                                    rows[i].buffer ? &other : NULL, rows[i].cookie, rows[i].flags);
        assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePool2(block, TAG, array, rows[i].count));
        ntmm_cmocka_reboot();
    }
}
static void parameters_of_another_kind(void **state)
{
    (void)state;
    create();
    void                   *block = take(100, NULL, FREEABLE);
    POOL_EXTENDED_PARAMETER priority = { .Type = PoolExtendedParameterPriority, .Priority = HighPoolPriority };
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePool2(block, TAG, &priority, 1));
    ntmm_cmocka_reboot();
    create();
    block = take(100, NULL, FREEABLE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePool2(block, TAG, NULL, 1));
    ntmm_cmocka_reboot();
    create();
    block = take(100, NULL, FREEABLE);
    POOL_EXTENDED_PARAMETER empty = { .Type = PoolExtendedParameterSecurePool };
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePool2(block, TAG, &empty, 1));
}
static void freed_with_another_tag(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, FREEABLE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x0A, block, TAG, OTHER, ExFreePool2(block, OTHER, with(pool, NULL, COOKIE, 0), 1));
}
static void freed_as_ordinary_pool(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, FREEABLE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePoolWithTag(block, TAG));
    ntmm_cmocka_reboot();
    create();
    block = take(100, NULL, FREEABLE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePool(block));
    ntmm_cmocka_reboot();
    create();
    block = take(100, NULL, FREEABLE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, ExFreePool2(block, TAG, NULL, 0));
}
static void ordinary_pool_freed_as_secure(void **state)
{
    (void)state;
    create();
    void *block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, give(block));
}
static void a_block_that_may_not_be_freed(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, MODIFIABLE);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, give(block));
}
static void freed_twice(void **state)
{
    (void)state;
    create();
    void *block = take(100, NULL, FREEABLE);
    give(block);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x99, block, 0, 0, give(block));
}
static void read_after_it_was_freed(void **state)
{
    (void)state;
    create();
    volatile char *block = take(100, NULL, FREEABLE);
    give((void *)(uintptr_t)block);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, block, (void)block[0]);
}
static void freed_at_any_irql_of_nonpaged_pool(void **state)
{
    (void)state;
    KIRQL old;
    create();
    void *first = take(100, NULL, FREEABLE), *second = take(100, NULL, FREEABLE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_no_bugcheck(give(first));
    KeLowerIrql(old);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    assert_bugcheck_all(BAD_POOL_CALLER, 0x09, DISPATCH_LEVEL + 1, NonPagedPoolNx, second, give(second));
}

/* ---- at the end ---- */

static void leaks(void **state)
{
    static ntmm_report report;
    (void)state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    create();
    void *leaked = take(100, NULL, FREEABLE), *permanent = take(100, NULL, MODIFIABLE);
    assert_true(leaked != NULL && permanent != NULL);
    assert_int_equal(ntmm_shutdown(&report), 2); /* the block that could have been freed, and the pool */
    assert_ptr_equal(report.leaks[0].address, pool);
    assert_true(report.leaks[0].tag == TAG && report.leaks[0].bytes == 0);
    assert_ptr_equal(report.leaks[1].address, leaked);
    assert_true(report.leaks[1].tag == TAG && report.leaks[1].bytes >= 100 && report.leaks[1].type == NonPagedPoolNx);
}

/* ---- two threads ---- */

enum { ROUNDS = 400 };
static void *use(void *context)
{
    unsigned char                    mine[PAGE_SIZE + 100], seed = (unsigned char)(uintptr_t)context;
    POOL_EXTENDED_PARAMS_SECURE_POOL secure = { .SecurePoolHandle = pool, .Cookie = seed };
    POOL_EXTENDED_PARAMETER          own = { .Type = PoolExtendedParameterSecurePool, .SecurePoolParams = &secure };
    for (unsigned round = 0; round < ROUNDS; round++) {
        memset(mine, seed, sizeof mine);
        secure.Buffer = mine;
        secure.SecurePoolFlags = FREEABLE | MODIFIABLE;
        unsigned char *block = ExAllocatePool3(POOL_FLAG_NON_PAGED, sizeof mine, TAG, &own, 1);
        if (block == NULL || memcmp(block, mine, sizeof mine) != 0)
            return "what it holds is not what it was given";
        memset(mine, seed + 1, sizeof mine);
        if (ExSecurePoolUpdate(pool, TAG, block, seed, 0, sizeof mine, mine) != STATUS_SUCCESS || memcmp(block, mine, sizeof mine) != 0)
            return "it was not changed";
        secure.Buffer = NULL;
        secure.SecurePoolFlags = 0;
        ExFreePool2(block, TAG, &own, 1);
    }
    return NULL;
}
static void two_threads_in_one_pool(void **state)
{
    (void)state;
    pthread_t thread[2];
    void     *result;
    create();
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, use, (void *)(i * 2 + 1)), 0);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(thread[i], &result);
        if (result != NULL)
            fail_msg("%s", (char *)result);
    }
    ExDestroyPool(pool);
    assert_true(ntmm_check());
}

static const ntmm_config TIGHT = { .quiet = true, .nonpaged_pool_limit = 32 * PAGE_SIZE };
static const ntmm_config TWO_NODES = { .quiet = true, .numa_nodes = 2 };

#define CREATION_COUNT (sizeof CREATIONS / sizeof CREATIONS[0])
#define REFUSED_COUNT (sizeof REFUSED / sizeof REFUSED[0])

int main(void)
{
    static struct CMUnitTest creations[CREATION_COUNT], refused[REFUSED_COUNT];
    for (size_t i = 0; i < CREATION_COUNT; i++)
        creations[i] = (struct CMUnitTest){ .name = CREATIONS[i].name, .test_func = check_creation, .initial_state = &CREATIONS[i] };
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        refused[i] = (struct CMUnitTest){ .name = REFUSED[i].name, .test_func = check_refused, .initial_state = &REFUSED[i] };
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(handles_do_not_come_again),
        ntmm_cmocka_test(a_handle_that_never_was),
        ntmm_cmocka_test(there_is_an_end_of_pools),
        ntmm_cmocka_test(a_pool_is_destroyed_when_it_is_empty),
        ntmm_cmocka_test(pools_at_passive_level_only),
        ntmm_cmocka_test(a_block_holds_what_it_was_given),
        ntmm_cmocka_test(without_a_buffer_it_holds_zeros),
        ntmm_cmocka_test_config(memory_is_short, &TIGHT),
        ntmm_cmocka_test_config(on_a_node, &TWO_NODES),
        ntmm_cmocka_test(writing_stops_the_machine),
        ntmm_cmocka_test(writing_at_dispatch_level),
        ntmm_cmocka_test(writing_by_way_of_the_physical_address),
        ntmm_cmocka_test(executing),
        ntmm_cmocka_test(an_update_changes_what_is_read),
        ntmm_cmocka_test(an_update_needs_to_know_everything),
        ntmm_cmocka_test(an_update_from_nowhere),
        ntmm_cmocka_test(updates_at_dispatch_level_at_most),
        ntmm_cmocka_test(validating),
        ntmm_cmocka_test(freeing_needs_to_know_everything),
        ntmm_cmocka_test(parameters_of_another_kind),
        ntmm_cmocka_test(freed_with_another_tag),
        ntmm_cmocka_test(freed_as_ordinary_pool),
        ntmm_cmocka_test(ordinary_pool_freed_as_secure),
        ntmm_cmocka_test(a_block_that_may_not_be_freed),
        ntmm_cmocka_test(freed_twice),
        ntmm_cmocka_test(read_after_it_was_freed),
        ntmm_cmocka_test(freed_at_any_irql_of_nonpaged_pool),
        cmocka_unit_test(leaks),
        ntmm_cmocka_test(two_threads_in_one_pool),
    };
    int failed = cmocka_run_group_tests(creations, NULL, NULL);
    failed += cmocka_run_group_tests(refused, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
