/*
 * test_wdf_object.c - framework objects: trees, callbacks and their order, references, handles that are none.
 */
#include <stdio.h>

#include "../support/wdf_driver.h"

typedef struct NODE {
    char name;
} NODE;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(NODE, GetNode)
typedef struct EXTRA {
    ULONG number;
} EXTRA;
WDF_DECLARE_CONTEXT_TYPE(EXTRA)
typedef struct BIG {
    unsigned char bytes[300];
} BIG;
WDF_DECLARE_CONTEXT_TYPE(BIG)
WDF_DECLARE_CUSTOM_TYPE(PRINTER)
WDF_DECLARE_CUSTOM_TYPE(SCANNER)

/* ---- what happened, as text: c for a cleanup, d for a destruction, then the node ---- */

static char happened[200];

static void note(char what, WDFOBJECT object)
{
    size_t end = strlen(happened);
    happened[end] = what;
    happened[end + 1] = GetNode(object)->name;
    happened[end + 2] = '\0';
}
static VOID on_cleanup(WDFOBJECT object) { note('c', object); }
static VOID on_destroy(WDFOBJECT object) { note('d', object); }

static void node_attributes(WDF_OBJECT_ATTRIBUTES *attributes, WDFOBJECT parent)
{
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(attributes, NODE);
    attributes->EvtCleanupCallback = on_cleanup;
    attributes->EvtDestroyCallback = on_destroy;
    attributes->ParentObject = parent;
}

static WDFOBJECT node(char name, WDFOBJECT parent)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object = NULL;
    node_attributes(&attributes, parent);
    assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
    GetNode(object)->name = name;
    return object;
}

static WDFOBJECT plain(void)
{
    WDFOBJECT object = NULL;
    assert_int_equal(WdfObjectCreate(WDF_NO_OBJECT_ATTRIBUTES, &object), STATUS_SUCCESS);
    return object;
}

static int setup(void **state)
{
    happened[0] = '\0';
    return wdf_driver_setup(state);
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_driver_teardown)

/* ---- the order of deletion ---- */

static void cleans_up_children_first(void **state)
{
    (void)state;
    WDFOBJECT a = node('a', NULL), b = node('b', a);
    (void)node('c', a), (void)node('e', b);
    WdfObjectDelete(a);
    assert_string_equal(happened, "cecbccca"
                                  "dedbdcda");
}

static void deletes_one_of_several(void **state)
{
    (void)state;
    WDFOBJECT a = node('a', NULL), b = node('b', a), c = node('c', a), d = node('d', a);
    WdfObjectDelete(c);
    WdfObjectDelete(b);
    WdfObjectDelete(d);
    assert_string_equal(happened, "ccdc"
                                  "cbdb"
                                  "cddd");
    WdfObjectDelete(a);
}

static void a_reference_delays_the_destruction(void **state)
{
    (void)state;
    WDFOBJECT a = node('a', NULL), b = node('b', a);
    WdfObjectReference(b);
    WdfObjectDelete(a);
    assert_string_equal(happened, "cbca"
                                  "da");
    assert_int_equal(GetNode(b)->name, 'b');
    WdfObjectDelete(b); /* once more, without effect */
    WdfObjectDereference(b);
    assert_string_equal(happened, "cbca"
                                  "da"
                                  "db");
}

static void unload_deletes_what_is_left(void **state)
{
    (void)state;
    (void)node('b', node('a', NULL));
    assert_int_equal(ntmm_driver_unload(wdf_driver_object), 0);
    wdf_driver_object = NULL;
    assert_string_equal(happened, "cbca"
                                  "dbda");
}

static VOID take_in_a_child(WDFOBJECT object)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             child = (WDFOBJECT)1;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = object;
    assert_int_equal(WdfObjectCreate(&attributes, &child), STATUS_DELETE_PENDING);
    assert_int_equal(WdfObjectAllocateContext(object, &attributes, NULL), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(&attributes, EXTRA);
    attributes.ParentObject = NULL;
    assert_int_equal(WdfObjectAllocateContext(object, &attributes, NULL), STATUS_DELETE_PENDING);
    happened[0] = '!';
}

static void takes_in_nobody_while_it_goes(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.EvtCleanupCallback = take_in_a_child;
    assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
    WdfObjectDelete(object);
    assert_int_equal(happened[0], '!');
}

/* ---- levels ---- */

static KIRQL cleaned_up_at, destroyed_at;
static VOID  note_cleanup_level(WDFOBJECT object) { cleaned_up_at = KeGetCurrentIrql(), (void)object; }
static VOID  note_destroy_level(WDFOBJECT object) { destroyed_at = KeGetCurrentIrql(), (void)object; }

static WDFOBJECT noting_levels(WDF_EXECUTION_LEVEL level, WDFOBJECT parent)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.EvtCleanupCallback = note_cleanup_level;
    attributes.EvtDestroyCallback = note_destroy_level;
    attributes.ExecutionLevel = level;
    attributes.ParentObject = parent;
    assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
    cleaned_up_at = destroyed_at = HIGH_LEVEL;
    return object;
}

static void is_cleaned_up_at_once_at_dispatch_level(void **state)
{
    (void)state;
    KIRQL     irql;
    WDFOBJECT object = noting_levels(WdfExecutionLevelInheritFromParent, NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    WdfObjectDelete(object);
    assert_int_equal(destroyed_at, DISPATCH_LEVEL);
    KeLowerIrql(irql);
}

static void waits_for_passive_level(void **state)
{
    (void)state;
    KIRQL     irql;
    WDFOBJECT object = noting_levels(WdfExecutionLevelPassive, node('a', NULL)), parent = node('p', NULL);
    (void)noting_levels(WdfExecutionLevelPassive, parent);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    WdfObjectDelete(object);
    WdfObjectDelete(parent);
    KeLowerIrql(irql);
    assert_int_equal(ntmm_driver_unload(wdf_driver_object), 0); /* which waits for them */
    wdf_driver_object = NULL;
    assert_int_equal(cleaned_up_at, PASSIVE_LEVEL);
    assert_int_equal(destroyed_at, PASSIVE_LEVEL);
    assert_string_equal(happened, "cpdp"
                                  "cada");
}

static void the_last_reference_waits_for_passive_level(void **state)
{
    (void)state;
    KIRQL     irql;
    WDFOBJECT object = noting_levels(WdfExecutionLevelPassive, NULL);
    WdfObjectReference(object);
    WdfObjectDelete(object);
    assert_int_equal(cleaned_up_at, PASSIVE_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    WdfObjectDereference(object);
    KeLowerIrql(irql);
    assert_int_equal(ntmm_driver_unload(wdf_driver_object), 0);
    wdf_driver_object = NULL;
    assert_int_equal(destroyed_at, PASSIVE_LEVEL);
}

static VOID raise_and_stay(WDFOBJECT object)
{
    KIRQL irql;
    (void)object;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
}

static void a_callback_that_stays_raised_stops(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.EvtCleanupCallback = raise_and_stay;
    assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_VERIFIER_IRQL_MISMATCH, WdfObjectDelete(object));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], PASSIVE_LEVEL);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], DISPATCH_LEVEL);
}

/* ---- contexts ---- */

static void has_several_contexts(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    EXTRA                *extra = NULL, *again = NULL;
    WDFOBJECT             object = node('a', NULL);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EXTRA);
    assert_null(WdfObjectGet_EXTRA(object));
    assert_int_equal(WdfObjectAllocateContext(object, &attributes, (PVOID *)&extra), STATUS_SUCCESS);
    assert_int_equal(extra->number, 0);
    assert_int_equal((uintptr_t)extra % MEMORY_ALLOCATION_ALIGNMENT, 0);
    assert_ptr_equal(WdfObjectGet_EXTRA(object), extra);
    assert_ptr_equal(WdfObjectGetTypedContext(object, EXTRA), extra);
    assert_int_equal(WdfObjectAllocateContext(object, &attributes, (PVOID *)&again), STATUS_OBJECT_NAME_EXISTS);
    assert_ptr_equal(again, extra);
    assert_ptr_equal(WdfObjectContextGetObject(extra), object);
    assert_ptr_equal(WdfObjectContextGetObject(GetNode(object)), object);
    attributes.ContextTypeInfo = NULL;
    assert_int_equal(WdfObjectAllocateContext(object, &attributes, NULL), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(WdfObjectAllocateContext(object, NULL, NULL), STATUS_WDF_PARENT_NOT_SPECIFIED);
    WdfObjectDelete(object);
}

static void a_context_is_zero_and_may_be_larger(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, BIG);
    attributes.ContextSizeOverride = 1000;
    for (int round = 0; round < 3; round++) { /* what is left in the pool is not */
        assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(((unsigned char *)WdfObjectGet_BIG(object))[i], 0);
        memset(WdfObjectGet_BIG(object), 0xA5, 1000);
        WdfObjectDelete(object);
        object = node('z', NULL);
        attributes.ContextTypeInfo = WDF_GET_CONTEXT_TYPE_INFO(BIG);
        unsigned char *added;
        assert_int_equal(WdfObjectAllocateContext(object, &attributes, (PVOID *)&added), STATUS_SUCCESS);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(added[i], 0);
        memset(added, 0x5A, 1000);
        WdfObjectDelete(object);
    }
    assert_int_equal(WdfObjectCreate(&attributes, &object), STATUS_SUCCESS);
    const unsigned char *bytes = (const unsigned char *)WdfObjectGet_BIG(object);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(bytes[i], 0);
    WdfObjectDelete(object);
}

/* Another file's record of the same type. */
static void types_are_told_apart_by_name_and_size(void **state)
{
    (void)state;
    WDF_OBJECT_CONTEXT_TYPE_INFO same = *WDF_GET_CONTEXT_TYPE_INFO(NODE), other = same;
    other.ContextSize = 77;
    WDFOBJECT object = node('a', NULL);
    assert_ptr_equal(WdfObjectGetTypedContextWorker(object, &same), GetNode(object));
    assert_null(WdfObjectGetTypedContextWorker(object, &other));
}

static void a_type_has_a_record_and_a_pointer(void **state)
{
    (void)state;
    WDFOBJECT object = node('a', NULL);
    WDF_TYPE_NAME_POINTER_TYPE(NODE) pointer = GetNode(object);
    assert_int_equal(pointer->name, 'a');
    assert_string_equal(WDF_TYPE_NAME_TO_TYPE_INFO(NODE).ContextName, "NODE");
    assert_int_equal(WDF_TYPE_NAME_TO_TYPE_INFO(NODE).ContextSize, sizeof(NODE));
    WdfObjectReferenceActual(object, NULL, 7, "file");
    WdfObjectDereferenceActual(object, NULL, 7, "file");
    assert_string_equal(happened, "");
}

static void is_of_custom_types(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    assert_false(WdfObjectIsCustomType(object, PRINTER));
    assert_int_equal(WdfObjectAddCustomType(object, SCANNER), STATUS_SUCCESS);
    assert_int_equal(WdfObjectAddCustomTypeWithData(object, PRINTER, 42, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfObjectAddCustomTypeWithData(object, PRINTER, 43, NULL, NULL), STATUS_OBJECT_NAME_EXISTS);
    assert_true(WdfObjectIsCustomType(object, PRINTER));
    assert_int_equal(WdfObjectGetCustomTypeData(object, PRINTER), 42);
    assert_int_equal(WdfObjectGetCustomTypeData(object, SCANNER), 0);
    WdfObjectDelete(object);
}

static void an_added_context_has_its_own_callbacks(void **state)
{
    (void)state;
    WDFOBJECT object = node('a', NULL);
    assert_int_equal(WdfObjectAddCustomTypeWithData(object, PRINTER, 1, on_cleanup, on_destroy), STATUS_SUCCESS);
    WdfObjectDelete(object);
    assert_string_equal(happened, "caca"
                                  "dada");
}

/* ---- attributes ---- */

static void refuses_bad_attributes(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES good, bad;
    WDFOBJECT             object = (WDFOBJECT)77;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&good, BIG);
#define refuses(change, status) \
    do { \
        bad = good; \
        change; \
        assert_int_equal(WdfObjectCreate(&bad, &object), (status)); \
        assert_ptr_equal(object, (WDFOBJECT)77); \
    } while (0)
    refuses(bad.Size--, STATUS_INFO_LENGTH_MISMATCH);
    refuses(bad.ContextSizeOverride = sizeof(BIG) - 1, STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    refuses((bad.ContextTypeInfo = NULL, bad.ContextSizeOverride = 1), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    refuses(bad.ExecutionLevel = WdfExecutionLevelInvalid, STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    refuses(bad.SynchronizationScope = WdfSynchronizationScopeNone + 1, STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    refuses(bad.SynchronizationScope = WdfSynchronizationScopeQueue, STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID);
    refuses(bad.ContextSizeOverride = SIZE_MAX - 8, STATUS_INTEGER_OVERFLOW);
    refuses(bad.ContextSizeOverride = (size_t)1 << 40, STATUS_INSUFFICIENT_RESOURCES);
    WDF_OBJECT_CONTEXT_TYPE_INFO nameless = *good.ContextTypeInfo, short_one = nameless;
    nameless.ContextName = NULL;
    short_one.Size = 8;
    refuses(bad.ContextTypeInfo = &nameless, STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    refuses(bad.ContextTypeInfo = &short_one, STATUS_INFO_LENGTH_MISMATCH);
}

/* ---- handles ---- */

static void a_deleted_handle_stops(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    WdfObjectDelete(object);
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, object, 0x1000, WdfDriverGlobals, WdfObjectDelete(object));
}

static void null_stops(void **state)
{
    (void)state;
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, 0, 0x1000, WdfDriverGlobals, WdfObjectDelete(NULL));
}
static void a_reference_to_null_stops(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfObjectReference(NULL));
}
static volatile NTSTATUS              created; /* so that the call is no jump, and the caller is who it seems to be */
static __attribute__((noinline)) void create_into_nothing(void) { created = WdfObjectCreate(NULL, NULL); }
static void                           creating_into_nothing_stops(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, create_into_nothing());
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0);
    assert_in_range(ntmm_cmocka_caught.parameter[2], (uintptr_t)create_into_nothing,
                    (uintptr_t)create_into_nothing + 1024); /* its caller */
}
static void an_address_of_something_else_stops(void **state)
{
    (void)state;
    static uint64_t words[32] __attribute__((aligned(16)));
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, words, 0x1000, WdfDriverGlobals, WdfObjectDelete(words));
}
static void an_address_of_nothing_stops(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfObjectDelete((WDFOBJECT)(uintptr_t)0x7ffffff01230));
}
static void another_type_stops(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, object, 0x1001, WdfDriverGlobals,
                        WdfDriverWdmGetDriverObject((WDFDRIVER)object));
}
static void a_parent_that_is_none_stops(void **state)
{
    (void)state;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             object;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = &attributes;
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, (void)WdfObjectCreate(&attributes, &object));
}
static void a_context_of_nothing_stops(void **state)
{
    (void)state;
    static uint64_t words[32] __attribute__((aligned(16)));
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, (void)WdfObjectContextGetObject(&words[16]));
}
static void one_dereference_too_many_stops(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    WdfObjectReference(object);
    WdfObjectDereference(object);
    assert_bugcheck_all(WDF_VIOLATION, WDF_OBJECT_ERROR, object, object, WdfDriverGlobals, WdfObjectDereference(object));
}
static void too_high_an_irql_stops(void **state)
{
    (void)state;
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL + 1, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, (void)plain());
}

static void the_driver_is_not_for_the_driver_to_delete(void **state)
{
    (void)state;
    WdfObjectDelete(wdf_driver);
    assert_non_null(strstr(ntmm_error(), "WDFDRIVER"));
    assert_ptr_equal(WdfGetDriver(), wdf_driver);
}

static void queries_are_not_implemented(void **state)
{
    (void)state;
    static const GUID guid;
    assert_int_equal(WdfObjectQuery(wdf_driver, &guid, 0, NULL), STATUS_NOT_IMPLEMENTED);
}

/* ---- tags ---- */

static void a_tag_is_given_back(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    WdfObjectReferenceWithTag(object, "one");
    WdfObjectReferenceWithTag(object, &happened);
    WdfObjectReferenceWithTag(object, &happened);
    WdfObjectDelete(object);
    WdfObjectDereferenceWithTag(object, &happened);
    WdfObjectDereferenceWithTag(object, "one");
    WdfObjectDereferenceWithTag(object, &happened);
}
static void a_tag_that_was_never_taken_is_a_breakpoint(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    WdfObjectReference(object);
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, WdfObjectDereferenceWithTag(object, &happened));
    assert_int_equal((NTSTATUS)ntmm_cmocka_caught.parameter[0], STATUS_BREAKPOINT);
}
static void a_tag_that_stays_is_a_breakpoint(void **state)
{
    (void)state;
    WDFOBJECT object = plain();
    WdfObjectReferenceWithTag(object, &happened);
    WdfObjectDelete(object);
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, WdfObjectDereference(object));
}

/* ---- refused memory, several threads ---- */

static void make_and_delete(void *context)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFOBJECT             parent = NULL, child = NULL;
    (void)context;
    node_attributes(&attributes, NULL);
    attributes.EvtCleanupCallback = attributes.EvtDestroyCallback = NULL;
    if (!NT_SUCCESS(WdfObjectCreate(&attributes, &parent)))
        return;
    attributes.ParentObject = parent;
    if (NT_SUCCESS(WdfObjectCreate(&attributes, &child)))
        (void)WdfObjectAddCustomType(child, PRINTER);
    WdfObjectReferenceWithTag(parent, &happened);
    WdfObjectDelete(parent);
    WdfObjectDereferenceWithTag(parent, &happened);
}
static void survives_refused_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(make_and_delete, NULL) >= 3);
}

static void load_and_unload(void *context)
{
    (void)context;
    PDRIVER_OBJECT driver = ntmm_driver_load(wdf_driver_entry);
    if (driver != NULL)
        assert_int_equal(ntmm_driver_unload(driver), 0);
}
static void loads_despite_refused_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(load_and_unload, NULL) >= 3);
}

/* ---- what is left at shutdown ---- */

static const ntmm_leak *leak_at(const ntmm_report *report, const void *address)
{
    for (size_t i = 0; i < report->leak_count; i++)
        if (report->leaks[i].address == address)
            return &report->leaks[i];
    return NULL;
}

static void a_leak_has_a_type_and_a_parent(void **state)
{
    (void)state;
    static ntmm_report    report;
    char                  expected[72];
    WDFOBJECT             a = node('a', NULL), b = node('b', a), kept = plain();
    EXTRA                *extra;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EXTRA);
    assert_int_equal(WdfObjectAllocateContext(b, &attributes, (PVOID *)&extra), STATUS_SUCCESS);
    WdfObjectReference(kept);
    WdfObjectDelete(kept);
    assert_true(ntmm_shutdown(&report) >= 4);
    wdf_driver_object = NULL;
    assert_int_equal(ntmm_boot(NULL), 0);
    snprintf(expected, sizeof expected, "WDFOBJECT, child of WDFOBJECT %p", a);
    assert_string_equal(leak_at(&report, b)->note, expected);
    snprintf(expected, sizeof expected, "WDFOBJECT, child of WDFDRIVER %p", (void *)wdf_driver);
    assert_string_equal(leak_at(&report, a)->note, expected);
    assert_string_equal(leak_at(&report, kept)->note, "WDFOBJECT, deleted, 1 reference");
    assert_string_equal(leak_at(&report, wdf_driver)->note, "WDFDRIVER, no parent, 1 reference");
    snprintf(expected, sizeof expected, "context EXTRA of WDFOBJECT %p", b);
    bool found = false;
    for (size_t i = 0; i < report.leak_count; i++)
        found = found || strcmp(report.leaks[i].note, expected) == 0;
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(cleans_up_children_first),
        row(deletes_one_of_several),
        row(a_reference_delays_the_destruction),
        row(unload_deletes_what_is_left),
        row(takes_in_nobody_while_it_goes),
        row(is_cleaned_up_at_once_at_dispatch_level),
        row(waits_for_passive_level),
        row(the_last_reference_waits_for_passive_level),
        row(a_callback_that_stays_raised_stops),
        row(has_several_contexts),
        row(a_context_is_zero_and_may_be_larger),
        row(types_are_told_apart_by_name_and_size),
        row(a_type_has_a_record_and_a_pointer),
        row(is_of_custom_types),
        row(an_added_context_has_its_own_callbacks),
        row(refuses_bad_attributes),
        row(a_deleted_handle_stops),
        row(null_stops),
        row(a_reference_to_null_stops),
        row(creating_into_nothing_stops),
        row(an_address_of_something_else_stops),
        row(an_address_of_nothing_stops),
        row(another_type_stops),
        row(a_parent_that_is_none_stops),
        row(a_context_of_nothing_stops),
        row(one_dereference_too_many_stops),
        row(too_high_an_irql_stops),
        row(the_driver_is_not_for_the_driver_to_delete),
        row(queries_are_not_implemented),
        row(a_tag_is_given_back),
        row(a_tag_that_was_never_taken_is_a_breakpoint),
        row(a_tag_that_stays_is_a_breakpoint),
        row(survives_refused_memory),
        row(loads_despite_refused_memory),
        row(a_leak_has_a_type_and_a_parent),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ntmm_cmocka_config = &wdf_driver_plain; /* once more on the short way */
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
