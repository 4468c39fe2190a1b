/*
 * test_wdf_lookaside.c - lists of memory objects: what comes back is used again, and the list outlives what came from it.
 */
#include "../support/wdf_driver.h"

#define TAG NTMM_TAG("LooT")

typedef struct NOTE {
    uint64_t word;
} NOTE;
WDF_DECLARE_CONTEXT_TYPE(NOTE)

static uint64_t blocks(POOL_TYPE type)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(TAG, type, &usage) ? usage.allocs - usage.frees : 0;
}

static WDFLOOKASIDE list_of(size_t bytes, POOL_TYPE type, PWDF_OBJECT_ATTRIBUTES memory_attributes)
{
    WDFLOOKASIDE list;
    assert_int_equal(WdfLookasideListCreate(NULL, bytes, type, memory_attributes, TAG, &list), STATUS_SUCCESS);
    return list;
}

static WDFMEMORY take(WDFLOOKASIDE list)
{
    WDFMEMORY memory;
    assert_int_equal(WdfMemoryCreateFromLookaside(list, &memory), STATUS_SUCCESS);
    return memory;
}

static void uses_a_block_again(void **state)
{
    (void)state;
    static const struct {
        size_t    bytes, align;
        POOL_TYPE type;
        uint64_t  nonpaged, paged;
    } kinds[] = { { 100, 16, NonPagedPoolNx, 1, 0 }, { 2 * PAGE_SIZE, PAGE_SIZE, NonPagedPoolNx, 2, 0 }, { 100, 16, PagedPool, 1, 1 } };
    for (size_t i = 0; i < 3; i++) {
        size_t       bytes;
        WDFLOOKASIDE list = list_of(kinds[i].bytes, kinds[i].type, NULL);
        WDFMEMORY    first = take(list);
        void        *buffer = WdfMemoryGetBuffer(first, &bytes);
        assert_int_equal(bytes, kinds[i].bytes);
        assert_int_equal((uintptr_t)buffer % kinds[i].align, 0);
        memset(buffer, 1, bytes);
        assert_int_equal(blocks(NonPagedPool), kinds[i].nonpaged);
        assert_int_equal(blocks(PagedPool), kinds[i].paged);
        WdfObjectDelete(first);
        assert_int_equal(blocks(NonPagedPool), kinds[i].nonpaged);
        WDFMEMORY second = take(list);
        assert_ptr_equal(WdfMemoryGetBuffer(second, NULL), buffer);
        assert_int_equal(blocks(NonPagedPool), kinds[i].nonpaged);
        WdfObjectDelete(second);
        WdfObjectDelete(list);
        assert_int_equal(blocks(NonPagedPool), 0);
        assert_int_equal(blocks(PagedPool), 0);
    }
}

static void keeps_no_more_than_256(void **state)
{
    (void)state;
    static WDFMEMORY memory[300];
    WDFLOOKASIDE     list = list_of(8, NonPagedPoolNx, NULL);
    for (size_t i = 0; i < 300; i++)
        memory[i] = take(list);
    for (size_t i = 0; i < 300; i++)
        WdfObjectDelete(memory[i]);
    assert_int_equal(blocks(NonPagedPool), 256);
    WdfObjectDelete(list);
}

static void outlives_its_deletion(void **state)
{
    (void)state;
    WDFLOOKASIDE list = list_of(50, NonPagedPoolNx, NULL);
    WDFMEMORY    memory = take(list), other = take(list);
    WdfObjectDelete(other);
    WdfObjectDelete(list);
    memset(WdfMemoryGetBuffer(memory, NULL), 1, 50);
    WdfObjectDelete(memory);
    assert_int_equal(blocks(NonPagedPool), 0);
}

static ULONG cleanups;
static VOID  count_cleanup(WDFOBJECT object) { cleanups++, (void)object; }

static void objects_have_the_lists_attributes(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             parent;
    assert_int_equal(WdfObjectCreate(NULL, &parent), STATUS_SUCCESS);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, NOTE);
    attributes.EvtCleanupCallback = count_cleanup;
    attributes.ParentObject = parent;
    WDFLOOKASIDE list = list_of(50, NonPagedPoolNx, &attributes);
    memset(&attributes, 0xee, sizeof attributes); /* they were copied */
    cleanups = 0;
    WDFMEMORY memory = take(list);
    WdfObjectGet_NOTE(memory)->word = 7;
    WdfObjectDelete(memory);
    assert_int_equal(cleanups, 1);
    memory = take(list);
    assert_int_equal(WdfObjectGet_NOTE(memory)->word, 0);
    WdfObjectDelete(parent);
    assert_int_equal(cleanups, 2);
    WdfObjectDelete(list);
}

static VOID take_one_more(WDFOBJECT parent)
{
    WDFMEMORY memory = (WDFMEMORY)1;
    (void)parent;
    assert_int_equal(WdfMemoryCreateFromLookaside(*(WDFLOOKASIDE *)WdfObjectGet_NOTE(parent), &memory), STATUS_DELETE_PENDING);
    assert_null(memory);
    cleanups++;
}
static void a_parent_that_goes_takes_in_nobody(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             parent;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, NOTE);
    attributes.EvtCleanupCallback = take_one_more;
    assert_int_equal(WdfObjectCreate(&attributes, &parent), STATUS_SUCCESS);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = parent;
    WDFLOOKASIDE list = list_of(50, NonPagedPoolNx, &attributes);
    *(WDFLOOKASIDE *)WdfObjectGet_NOTE(parent) = list;
    cleanups = 0;
    WdfObjectDelete(parent);
    assert_int_equal(cleanups, 1);
    WdfObjectDelete(list);
}

static void refuses(void **state)
{
    (void)state;
    WDFLOOKASIDE          list = (WDFLOOKASIDE)1;
    WDF_OBJECT_ATTRIBUTES bad;
    WDF_OBJECT_ATTRIBUTES_INIT(&bad);
    bad.Size = 3;
    assert_int_equal(WdfLookasideListCreate(NULL, 0, NonPagedPoolNx, NULL, TAG, &list), STATUS_INVALID_PARAMETER);
    assert_null(list);
    assert_int_equal(WdfLookasideListCreate(&bad, 8, NonPagedPoolNx, NULL, TAG, &list), STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(WdfLookasideListCreate(NULL, 8, NonPagedPoolNx, &bad, TAG, &list), STATUS_INFO_LENGTH_MISMATCH);
}

static void no_list_stops(void **state)
{
    (void)state;
    WDFMEMORY memory;
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, wdf_driver, 0x1009, WdfDriverGlobals,
                        (void)WdfMemoryCreateFromLookaside((WDFLOOKASIDE)wdf_driver, &memory));
}
static void no_place_for_the_list_stops(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfLookasideListCreate(NULL, 8, NonPagedPoolNx, NULL, TAG, NULL));
}
static void no_place_for_the_memory_stops(void **state)
{
    (void)state;
    WDFLOOKASIDE list = list_of(8, NonPagedPoolNx, NULL);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfMemoryCreateFromLookaside(list, NULL));
}
static void paged_memory_at_dispatch_level_stops(void **state)
{
    (void)state;
    KIRQL        irql;
    WDFMEMORY    memory;
    WDFLOOKASIDE list = list_of(8, PagedPool, NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, (void)WdfMemoryCreateFromLookaside(list, &memory));
}
static void a_handle_that_went_back_stops(void **state)
{
    (void)state;
    WDFLOOKASIDE list = list_of(8, NonPagedPoolNx, NULL);
    WDFMEMORY    memory = take(list);
    WdfObjectDelete(memory);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, (void)WdfMemoryGetBuffer(memory, NULL));
}

static void make_and_use(void *context)
{
    static const struct {
        size_t    bytes;
        POOL_TYPE type;
    } kinds[] = { { 20, NonPagedPoolNx }, { PAGE_SIZE, NonPagedPoolNx }, { 20, PagedPool } };
    (void)context;
    for (size_t i = 0; i < 3; i++) {
        WDFLOOKASIDE list;
        WDFMEMORY    memory;
        if (!NT_SUCCESS(WdfLookasideListCreate(NULL, kinds[i].bytes, kinds[i].type, NULL, TAG, &list)))
            continue;
        if (NT_SUCCESS(WdfMemoryCreateFromLookaside(list, &memory)))
            WdfObjectDelete(memory);
        WdfObjectDelete(list);
    }
}
static void survives_refused_memory(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(make_and_use, NULL), 9); /* 2 + 3 + 3, and one without a failure */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wdf_driver_test(outlives_its_deletion),
        wdf_driver_test(objects_have_the_lists_attributes),
        wdf_driver_test(a_parent_that_goes_takes_in_nobody),
        wdf_driver_test(refuses),
        wdf_driver_test(no_list_stops),
        wdf_driver_test(no_place_for_the_list_stops),
        wdf_driver_test(no_place_for_the_memory_stops),
        wdf_driver_test(paged_memory_at_dispatch_level_stops),
        wdf_driver_test(a_handle_that_went_back_stops),
        wdf_driver_test(survives_refused_memory),
    };
    const struct CMUnitTest plain[] = { wdf_driver_test(uses_a_block_again), wdf_driver_test(keeps_no_more_than_256) };
    int                     failed = cmocka_run_group_tests(tests, NULL, NULL);
    ntmm_cmocka_config = &wdf_driver_plain; /* once more on the short way; under AddressSanitizer nothing is kept otherwise */
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(plain, NULL, NULL);
}
