/*
 * test_wdf_memory.c - memory objects: where their buffers lie, whose they are, and what copying refuses.
 */
#include "../support/wdf_driver.h"

#define TAG NTMM_TAG("MemT")

typedef struct NOTE {
    uint64_t words[5];
} NOTE;
WDF_DECLARE_CONTEXT_TYPE(NOTE)

static size_t blocks_of(uint32_t tag, POOL_TYPE type)
{
    ntmm_pool_usage usage;
    return ntmm_query_tag(tag, type, &usage) ? (size_t)(usage.allocs - usage.frees) : 0;
}

/* ---- where a buffer lies ---- */

static struct size_case {
    const char *name;
    POOL_TYPE   type;
    size_t      bytes, align;
    size_t      own, shared; /* blocks with the driver's tag, and with the buffer's */
} SIZES[] = {
    { "one byte shares a block", NonPagedPoolNx, 1, MEMORY_ALLOCATION_ALIGNMENT, 0, 1 },
    { "100 bytes share a block", NonPagedPoolNx, 100, MEMORY_ALLOCATION_ALIGNMENT, 0, 1 },
    { "a page less one shares a block", NonPagedPoolNx, PAGE_SIZE - 1, MEMORY_ALLOCATION_ALIGNMENT, 0, 1 },
    { "a page is aligned to one", NonPagedPoolNx, PAGE_SIZE, PAGE_SIZE, 1, 1 },
    { "three pages are aligned to one", NonPagedPoolNx, 3 * PAGE_SIZE, PAGE_SIZE, 1, 1 },
    { "executable pool", NonPagedPool, 100, MEMORY_ALLOCATION_ALIGNMENT, 0, 1 },
    { "must succeed is plain pool", NonPagedPoolMustSucceed, 100, MEMORY_ALLOCATION_ALIGNMENT, 0, 1 },
    { "paged bytes lie apart", PagedPool, 100, MEMORY_ALLOCATION_ALIGNMENT, 1, 1 },
    { "a paged page", PagedPool, PAGE_SIZE, PAGE_SIZE, 1, 1 },
};

static void check_size(void **state)
{
    const struct size_case *c = *state;
    WDFMEMORY               memory;
    PVOID                   buffer = NULL;
    size_t                  bytes = 0, before = blocks_of(NTMM_TAG("Test"), NonPagedPoolNx);
    void                   *no_state = NULL;
    assert_int_equal(wdf_driver_setup(&no_state), 0);
    before = blocks_of(NTMM_TAG("Test"), NonPagedPoolNx);
    assert_int_equal(WdfMemoryCreate(WDF_NO_OBJECT_ATTRIBUTES, c->type, TAG, c->bytes, &memory, &buffer), STATUS_SUCCESS);
    assert_int_equal((uintptr_t)buffer % c->align, 0);
    assert_ptr_equal(WdfMemoryGetBuffer(memory, &bytes), buffer);
    assert_ptr_equal(WdfMemoryGetBuffer(memory, NULL), buffer);
    assert_int_equal(bytes, c->bytes);
    memset(buffer, 0xa5, bytes);
    assert_int_equal(blocks_of(NTMM_TAG("Test"), NonPagedPoolNx) - before, c->own);
    assert_int_equal(blocks_of(TAG, c->type == PagedPool ? PagedPool : NonPagedPool), c->shared);
    WdfObjectDelete(memory);
    assert_int_equal(blocks_of(TAG, c->type == PagedPool ? PagedPool : NonPagedPool), 0);
    assert_int_equal(wdf_driver_teardown(&no_state), 0);
}

static void a_context_follows_the_buffer(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFMEMORY             memory;
    char                 *buffer;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, NOTE);
    assert_int_equal(WdfMemoryCreate(&attributes, NonPagedPoolNx, TAG, 33, &memory, (PVOID *)&buffer), STATUS_SUCCESS);
    NOTE *note = WdfObjectGet_NOTE(memory);
    assert_in_range((uintptr_t)note, (uintptr_t)buffer + 33, (uintptr_t)buffer + 33 + 100);
    memset(buffer, 0xff, 33);
    assert_int_equal(note->words[0], 0);
    assert_ptr_equal(WdfObjectContextGetObject(note), memory);
    WdfObjectDelete(memory);
}

static void tag_0_is_made_of_the_service(void **state)
{
    (void)state;
    WDFMEMORY memory;
    size_t    before = blocks_of(NTMM_TAG("Test"), NonPagedPoolNx);
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, 0, 10, &memory, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfDriverGlobals->DriverTag, NTMM_TAG("Test"));
    assert_int_equal(blocks_of(NTMM_TAG("Test"), NonPagedPoolNx) - before, 1);
    WdfObjectDelete(memory);
}

static void a_service_of_another_name_has_another_tag(void **state)
{
    static const struct {
        const char *service;
        ULONG       tag;
    } rows[] = { { "WdfAbcdef", NTMM_TAG("Abcd") },     { "wdfabc", NTMM_TAG("abc") & 0xFFFFFF },
                 { "xyz", NTMM_TAG("xyz") & 0xFFFFFF }, { "ab", NTMM_TAG("FxDr") },
                 { "WDFab", NTMM_TAG("FxDr") },         { "Longer", NTMM_TAG("Long") } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WDFMEMORY memory;
        assert_int_equal(ntmm_driver_unload(wdf_driver_object), 0);
        wdf_driver_object = ntmm_driver_load_as(rows[i].service, wdf_driver_entry);
        assert_non_null(wdf_driver_object);
        assert_int_equal(WdfDriverGlobals->DriverTag, rows[i].tag);
        size_t before = blocks_of(rows[i].tag, NonPagedPoolNx);
        assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, 0, 10, &memory, NULL), STATUS_SUCCESS);
        assert_int_equal(blocks_of(rows[i].tag, NonPagedPoolNx) - before, 1);
        WdfObjectDelete(memory);
    }
}

static void goes_with_its_parent(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             parent;
    WDFMEMORY             memory, kept;
    assert_int_equal(WdfObjectCreate(NULL, &parent), STATUS_SUCCESS);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = parent;
    assert_int_equal(WdfMemoryCreate(&attributes, PagedPool, TAG, 5000, &memory, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfMemoryCreate(&attributes, NonPagedPoolNx, TAG, 50, &kept, NULL), STATUS_SUCCESS);
    WdfObjectReference(kept);
    WdfObjectDelete(parent);
    assert_int_equal(blocks_of(TAG, PagedPool), 0);
    memset(WdfMemoryGetBuffer(kept, NULL), 1, 50); /* referenced memory survives */
    WdfObjectDereference(kept);
    assert_int_equal(blocks_of(TAG, NonPagedPool), 0);
}

static void paged_memory_waits_for_passive_level(void **state)
{
    (void)state;
    WDFMEMORY memory;
    KIRQL     irql;
    assert_int_equal(WdfMemoryCreate(NULL, PagedPool, TAG, 10, &memory, NULL), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    WdfObjectDelete(memory); /* freeing it here would be 0xC2 */
    KeLowerIrql(irql);
}

/* ---- refusals ---- */

static void refuses(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFMEMORY             memory = (WDFMEMORY)1;
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 0, &memory, NULL), STATUS_INVALID_PARAMETER);
    assert_ptr_equal(memory, (WDFMEMORY)1);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    assert_int_equal(WdfMemoryCreate(&attributes, NonPagedPoolNx, TAG, 8, &memory, NULL), STATUS_WDF_EXECUTION_LEVEL_INVALID);
    assert_null(memory);
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, (size_t)1 << 40, &memory, NULL), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(WdfMemoryCreatePreallocated(NULL, &attributes, 0, &memory), STATUS_INVALID_PARAMETER);
}

static void memory_without_a_place_for_the_handle_stops(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 8, NULL, NULL));
}
static void paged_memory_at_dispatch_level_stops(void **state)
{
    (void)state;
    KIRQL     irql;
    WDFMEMORY memory;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 8, &memory, NULL), STATUS_SUCCESS);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, (void)WdfMemoryCreate(NULL, PagedPool, TAG, 8, &memory, NULL));
}
static void a_buffer_of_another_kind_of_object_stops(void **state)
{
    (void)state;
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, wdf_driver, 0x100A, WdfDriverGlobals,
                        (void)WdfMemoryGetBuffer((WDFMEMORY)wdf_driver, NULL));
}

/* ---- a buffer of the driver's ---- */

static void takes_another_buffer(void **state)
{
    (void)state;
    char      first[40] = { 1 }, second[60] = { 2 };
    WDFMEMORY memory;
    size_t    bytes;
    assert_int_equal(WdfMemoryCreatePreallocated(NULL, first, sizeof first, &memory), STATUS_SUCCESS);
    assert_ptr_equal(WdfMemoryGetBuffer(memory, &bytes), first);
    assert_int_equal(bytes, 40);
    assert_int_equal(WdfMemoryAssignBuffer(memory, second, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfMemoryAssignBuffer(memory, second, sizeof second), STATUS_SUCCESS);
    assert_ptr_equal(WdfMemoryGetBuffer(memory, &bytes), second);
    assert_int_equal(bytes, 60);
    WdfObjectDelete(memory);
    assert_int_equal(second[0], 2);
}

static void assigning_to_other_memory_stops(void **state)
{
    (void)state;
    char      buffer[8];
    WDFMEMORY memory;
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 8, &memory, NULL), STATUS_SUCCESS);
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, memory, 0x1022, WdfDriverGlobals,
                        (void)WdfMemoryAssignBuffer(memory, buffer, 8));
}
static void assigning_nothing_stops(void **state)
{
    (void)state;
    char      buffer[8];
    WDFMEMORY memory;
    assert_int_equal(WdfMemoryCreatePreallocated(NULL, buffer, 8, &memory), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfMemoryAssignBuffer(memory, NULL, 8));
}

/* ---- copying ---- */

static struct copy_case {
    const char *name;
    size_t      offset, bytes;
    NTSTATUS    to, from; /* of an object of 10 bytes */
} COPIES[] = {
    { "all", 0, 10, STATUS_SUCCESS, STATUS_SUCCESS },
    { "the last byte", 9, 1, STATUS_SUCCESS, STATUS_SUCCESS },
    { "nothing", 3, 0, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER },
    { "one too many", 0, 11, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_BUFFER_SIZE },
    { "beyond the end", 5, 6, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_BUFFER_SIZE },
    { "from the end on", 10, 1, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_BUFFER_SIZE },
    { "an offset that wraps", SIZE_MAX, 2, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_BUFFER_SIZE },
    { "a length that wraps", 1, SIZE_MAX, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_BUFFER_SIZE },
};

static void check_copy(void **state)
{
    const struct copy_case *c = *state;
    void                   *no_state = NULL;
    WDFMEMORY               memory;
    char                    in[16] = "abcdefghijklmno", out[16] = { 0 }, *bytes;
    assert_int_equal(wdf_driver_setup(&no_state), 0);
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 10, &memory, (PVOID *)&bytes), STATUS_SUCCESS);
    memcpy(bytes, "0123456789", 10);
    assert_int_equal(WdfMemoryCopyToBuffer(memory, c->offset, out, c->bytes), c->to);
    if (c->to == STATUS_SUCCESS)
        assert_memory_equal(out, &"0123456789"[c->offset], c -> bytes);
    assert_int_equal(WdfMemoryCopyFromBuffer(memory, c->offset, in, c->bytes), c->from);
    if (c->from == STATUS_SUCCESS)
        assert_memory_equal(bytes + c->offset, in, c->bytes);
    WdfObjectDelete(memory);
    assert_int_equal(wdf_driver_teardown(&no_state), 0);
}

static void copying_to_nowhere_stops(void **state)
{
    (void)state;
    WDFMEMORY memory;
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 8, &memory, NULL), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfMemoryCopyToBuffer(memory, 0, NULL, 1));
}
static void copying_from_nowhere_stops(void **state)
{
    (void)state;
    WDFMEMORY memory;
    assert_int_equal(WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 8, &memory, NULL), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfMemoryCopyFromBuffer(memory, 0, NULL, 1));
}

/* ---- descriptors, sizes ---- */

static void describes_memory_in_three_forms(void **state)
{
    (void)state;
    WDF_MEMORY_DESCRIPTOR d;
    WDFMEMORY_OFFSET      part = { 3, 4 };
    MDL                   mdl;
    memset(&d, 0xff, sizeof d);
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&d, &part, sizeof part);
    assert_int_equal(d.Type, WdfMemoryDescriptorTypeBuffer);
    assert_ptr_equal(d.u.BufferType.Buffer, &part);
    assert_int_equal(d.u.BufferType.Length, 16);
    memset(&d, 0xff, sizeof d);
    WDF_MEMORY_DESCRIPTOR_INIT_MDL(&d, &mdl, 77);
    assert_int_equal(d.Type, WdfMemoryDescriptorTypeMdl);
    assert_ptr_equal(d.u.MdlType.Mdl, &mdl);
    assert_int_equal(d.u.MdlType.BufferLength, 77);
    memset(&d, 0xff, sizeof d);
    WDF_MEMORY_DESCRIPTOR_INIT_HANDLE(&d, (WDFMEMORY)wdf_driver, &part);
    assert_int_equal(d.Type, WdfMemoryDescriptorTypeHandle);
    assert_ptr_equal(d.u.HandleType.Memory, wdf_driver);
    assert_ptr_equal(d.u.HandleType.Offsets, &part);
}

static void rounds_sizes(void **state)
{
    (void)state;
    assert_int_equal(WDF_ALIGN_SIZE_UP(0, 8), 0);
    assert_int_equal(WDF_ALIGN_SIZE_UP(1, 8), 8);
    assert_int_equal(WDF_ALIGN_SIZE_UP(8, 8), 8);
    assert_int_equal(WDF_ALIGN_SIZE_UP(SIZE_MAX, 8), 0); /* it wraps */
    assert_int_equal(WDF_ALIGN_SIZE_DOWN(7, 8), 0);
    assert_int_equal(WDF_ALIGN_SIZE_DOWN(4097, 4096), 4096);
    assert_int_equal(WDF_REL_TIMEOUT_IN_MS(5), -50000);
    assert_int_equal(WDF_REL_TIMEOUT_IN_SEC(1), -10000000);
    assert_int_equal(WDF_ABS_TIMEOUT_IN_US(3), 30);
}

/* ---- refused memory ---- */

static void make_several(void *context)
{
    WDFMEMORY small = NULL, large = NULL, paged = NULL, own = NULL;
    (void)WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 40, &small, NULL);
    (void)WdfMemoryCreate(NULL, NonPagedPoolNx, TAG, 2 * PAGE_SIZE, &large, NULL);
    (void)WdfMemoryCreate(NULL, PagedPool, TAG, 40, &paged, NULL);
    (void)WdfMemoryCreatePreallocated(NULL, context, 1, &own);
    WDFMEMORY all[] = { small, large, paged, own };
    for (size_t i = 0; i < 4; i++)
        if (all[i] != NULL)
            WdfObjectDelete(all[i]);
}
static void survives_refused_memory(void **state)
{
    (void)state;
    char byte;
    assert_int_equal(ntmm_for_each_failure(make_several, &byte), 7); /* 1 + 2 + 2 + 1, and one without a failure */
}

int main(void)
{
    struct CMUnitTest tests[60] = {
        wdf_driver_test(a_context_follows_the_buffer),
        wdf_driver_test(tag_0_is_made_of_the_service),
        wdf_driver_test(a_service_of_another_name_has_another_tag),
        wdf_driver_test(goes_with_its_parent),
        wdf_driver_test(paged_memory_waits_for_passive_level),
        wdf_driver_test(refuses),
        wdf_driver_test(memory_without_a_place_for_the_handle_stops),
        wdf_driver_test(paged_memory_at_dispatch_level_stops),
        wdf_driver_test(a_buffer_of_another_kind_of_object_stops),
        wdf_driver_test(takes_another_buffer),
        wdf_driver_test(assigning_to_other_memory_stops),
        wdf_driver_test(assigning_nothing_stops),
        wdf_driver_test(copying_to_nowhere_stops),
        wdf_driver_test(copying_from_nowhere_stops),
        wdf_driver_test(describes_memory_in_three_forms),
        wdf_driver_test(rounds_sizes),
        wdf_driver_test(survives_refused_memory),
    };
    size_t count = 0;
    while (tests[count].test_func != NULL)
        count++;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++)
        tests[count++] = (struct CMUnitTest){ .name = SIZES[i].name, .test_func = check_size, .initial_state = &SIZES[i] };
    for (size_t i = 0; i < sizeof COPIES / sizeof COPIES[0]; i++)
        tests[count++] = (struct CMUnitTest){ .name = COPIES[i].name, .test_func = check_copy, .initial_state = &COPIES[i] };
    int failed = _cmocka_run_group_tests("wdf_memory", tests, count, NULL, NULL);
    ntmm_cmocka_config = &wdf_driver_plain; /* once more on the short way */
    return failed + _cmocka_run_group_tests("wdf_memory, plain", tests, count, NULL, NULL);
}
