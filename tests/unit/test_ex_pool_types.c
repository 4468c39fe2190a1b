/*
 * test_ex_pool_types.c - POOL_TYPE, POOL_FLAGS, EX_POOL_PRIORITY and their like: the documented value of every name, and for every pool type
 * and every bit whether it is served.
 */
#include <ntmm/cmocka.h>

#define TAG NTMM_TAG("Type")

/* ---- values ---- */

static const struct {
    const char *name;
    uint64_t    value, documented;
} VALUES[] = {
#define IS(name, documented) \
    { \
#name, (uint64_t)(name), (documented) \
    }
    IS(NonPagedPool, 0),
    IS(NonPagedPoolExecute, 0),
    IS(PagedPool, 1),
    IS(NonPagedPoolMustSucceed, 2),
    IS(DontUseThisType, 3),
    IS(NonPagedPoolCacheAligned, 4),
    IS(PagedPoolCacheAligned, 5),
    IS(NonPagedPoolCacheAlignedMustS, 6),
    IS(MaxPoolType, 7),
    IS(NonPagedPoolBase, 0),
    IS(NonPagedPoolBaseMustSucceed, 2),
    IS(NonPagedPoolBaseCacheAligned, 4),
    IS(NonPagedPoolBaseCacheAlignedMustS, 6),
    IS(NonPagedPoolSession, 32),
    IS(PagedPoolSession, 33),
    IS(NonPagedPoolMustSucceedSession, 34),
    IS(DontUseThisTypeSession, 35),
    IS(NonPagedPoolCacheAlignedSession, 36),
    IS(PagedPoolCacheAlignedSession, 37),
    IS(NonPagedPoolCacheAlignedMustSSession, 38),
    IS(NonPagedPoolNx, 512),
    IS(NonPagedPoolNxCacheAligned, 516),
    IS(NonPagedPoolSessionNx, 544),
    IS(POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, 8),
    IS(POOL_RAISE_IF_ALLOCATION_FAILURE, 16),
    IS(POOL_COLD_ALLOCATION, 256),
    IS(POOL_NX_ALLOCATION, 512),
    IS(POOL_ZERO_ALLOCATION, 1024),
    IS(POOL_FLAG_REQUIRED_START, 0x1),
    IS(POOL_FLAG_USE_QUOTA, 0x1),
    IS(POOL_FLAG_UNINITIALIZED, 0x2),
    IS(POOL_FLAG_SESSION, 0x4),
    IS(POOL_FLAG_CACHE_ALIGNED, 0x8),
    IS(POOL_FLAG_RESERVED1, 0x10),
    IS(POOL_FLAG_RAISE_ON_FAILURE, 0x20),
    IS(POOL_FLAG_NON_PAGED, 0x40),
    IS(POOL_FLAG_NON_PAGED_EXECUTE, 0x80),
    IS(POOL_FLAG_PAGED, 0x100),
    IS(POOL_FLAG_RESERVED2, 0x200),
    IS(POOL_FLAG_RESERVED3, 0x400),
    IS(POOL_FLAG_LAST_KNOWN_REQUIRED, 0x400),
    IS(POOL_FLAG_REQUIRED_END, 0x80000000),
    IS(POOL_FLAG_OPTIONAL_START, 0x100000000),
    IS(POOL_FLAG_SPECIAL_POOL, 0x100000000),
    IS(POOL_FLAG_OPTIONAL_END, 0x8000000000000000),
    IS(LowPoolPriority, 0),
    IS(LowPoolPrioritySpecialPoolOverrun, 8),
    IS(LowPoolPrioritySpecialPoolUnderrun, 9),
    IS(NormalPoolPriority, 16),
    IS(NormalPoolPrioritySpecialPoolOverrun, 24),
    IS(NormalPoolPrioritySpecialPoolUnderrun, 25),
    IS(HighPoolPriority, 32),
    IS(HighPoolPrioritySpecialPoolOverrun, 40),
    IS(HighPoolPrioritySpecialPoolUnderrun, 41),
    IS(PoolExtendedParameterInvalidType, 0),
    IS(PoolExtendedParameterPriority, 1),
    IS(PoolExtendedParameterSecurePool, 2),
    IS(PoolExtendedParameterNumaNode, 3),
    IS(PoolExtendedParameterMax, 4),
    IS(POOL_EXTENDED_PARAMETER_TYPE_BITS, 8),
    IS(POOL_EXTENDED_PARAMETER_REQUIRED_FIELD_BITS, 1),
    IS(POOL_EXTENDED_PARAMETER_RESERVED_BITS, 55),
    IS(SECURE_POOL_FLAGS_NONE, 0),
    IS(SECURE_POOL_FLAGS_FREEABLE, 1),
    IS(SECURE_POOL_FLAGS_MODIFIABLE, 2),
    IS(POOL_CREATE_FLG_SECURE_POOL, 1),
    IS(POOL_CREATE_FLG_USE_GLOBAL_POOL, 2),
    IS(POOL_CREATE_PARAMS_VERSION, 1),
    IS(PoolCreateExtendedParameterInvalidType, 0),
    IS(PoolCreateExtendedParameterName, 1),
    IS(DrvRtPoolNxOptIn, 1),
    IS(MM_ANY_NODE_OK, 0x80000000),
#undef IS
};
static void every_name_has_its_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++)
        if (VALUES[i].value != VALUES[i].documented)
            fail_msg("%s is 0x%llx", VALUES[i].name, (unsigned long long)VALUES[i].value);
}

/* ---- pool types ---- */

/* The whole range of the enumeration, with and without NX: all that names must-succeed pool is refused, the rest is one of three pools. */
static void every_type_is_served_or_refused(void **state)
{
    (void)state;
    for (ULONG base = 0; base < 40; base++) {
        for (ULONG nx = 0; nx <= POOL_NX_ALLOCATION; nx += POOL_NX_ALLOCATION) {
            POOL_TYPE       type = (POOL_TYPE)(base | nx);
            ntmm_pool_usage before, after;
            if ((base & (POOL_QUOTA_FAIL_INSTEAD_OF_RAISE | POOL_RAISE_IF_ALLOCATION_FAILURE)) != 0)
                continue; /* no pool types */
            if ((base & NonPagedPoolMustSucceed) != 0) {
                assert_bugcheck_all(BAD_POOL_CALLER, 0x9A, type, 48, TAG, ExAllocatePoolWithTag(type, 48, TAG));
                ntmm_cmocka_reboot();
                continue;
            }
            POOL_TYPE pool = (base & PagedPool) != 0 ? PagedPool : nx != 0 ? NonPagedPoolNx : NonPagedPool;
            ntmm_query_pool(pool, &before);
            void *block = ExAllocatePoolWithTag(type, 48, TAG);
            assert_non_null(block);
            ntmm_query_pool(pool, &after);
            assert_int_equal(after.allocs, before.allocs + 1);
            if ((base & NonPagedPoolCacheAligned) != 0)
                assert_int_equal((uintptr_t)block % 64, 0);
            ExFreePool(block);
            assert_true(ntmm_check());
        }
    }
}

static void hints_change_nothing(void **state)
{
    static const ULONG hints[] = {
        POOL_COLD_ALLOCATION, POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, POOL_RAISE_IF_ALLOCATION_FAILURE, POOL_ZERO_ALLOCATION, 0x800, 0x80000000u
    };
    (void)state;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        for (size_t bytes = 24; bytes < 4 * PAGE_SIZE; bytes *= 9) {
            void *block = ExAllocatePoolWithTag((POOL_TYPE)((ULONG)PagedPool | hints[i]), bytes, TAG);
            assert_non_null(block);
            ExFreePoolWithTag(block, TAG);
        }
    }
    assert_true(ntmm_check());
}

/* ---- tags that the legacy routines refuse: all four parameters, the caller's address among them ---- */

static void *volatile result; /* so that no call is a jump, and the caller is who it seems to be */
static void by_tag(ULONG tag) { result = ExAllocatePoolWithTag(PagedPool, 24, tag); }
static void by_priority(ULONG tag) { result = ExAllocatePoolWithTagPriority(PagedPool, 24, tag, NormalPoolPriority); }
static void by_quota(ULONG tag) { result = ExAllocatePoolWithQuotaTag(PagedPool, 24, tag); }

static void bad_tags_name_the_caller(void **state)
{
    static void (*volatile const routines[])(ULONG tag) = { by_tag, by_priority, by_quota };
    static const struct {
        ULONG     tag;
        uintptr_t parameter[3];
    } rows[] = { { 0, { 0x9B, PagedPool, 24 } },
                 { NTMM_TAG("BIG "), { 0x9C, PagedPool, 24 } },
                 { NTMM_TAG("-+-+"), { 0x9D, NTMM_TAG("-+-+"), PagedPool } } };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            assert_bugcheck(BAD_POOL_CALLER, rows[k].parameter[0], routines[i](rows[k].tag));
            assert_int_equal(ntmm_cmocka_caught.parameter[1], rows[k].parameter[1]);
            assert_int_equal(ntmm_cmocka_caught.parameter[2], rows[k].parameter[2]);
            assert_in_range(ntmm_cmocka_caught.parameter[3], (uintptr_t)routines[i], (uintptr_t)routines[i] + 1024);
            ntmm_cmocka_reboot();
        }
    }
}

/* ---- pool flags, bit by bit ---- */

static void every_flag_is_required_or_optional(void **state)
{
    const POOL_FLAGS known = POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION | POOL_FLAG_CACHE_ALIGNED |
                             POOL_FLAG_RAISE_ON_FAILURE | POOL_FLAG_PAGED;
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        POOL_FLAGS flag = (POOL_FLAGS)1 << bit;
        bool       served = bit >= 32 || (flag & known) != 0;
        void      *by2 = ExAllocatePool2(POOL_FLAG_PAGED | flag, 48, TAG), *by3 = ExAllocatePool3(POOL_FLAG_PAGED | flag, 48, TAG, NULL, 0);
        assert_int_equal(by2 != NULL, served);
        assert_int_equal(by3 != NULL, served);
        if (served) {
            ExFreePool(by2);
            ExFreePool2(by3, TAG, NULL, 0);
        }
    }
    assert_true(ntmm_check());
}

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
#define each(test) ntmm_cmocka_test(test), ntmm_cmocka_test_config(test, &PLAIN)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_has_its_value),
        each(every_type_is_served_or_refused),
        each(hints_change_nothing),
        each(bad_tags_name_the_caller),
        each(every_flag_is_required_or_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
