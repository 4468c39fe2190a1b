/*
 * test_odd_driver.c - a driver written as for Visual C++ (tests/support/odd_driver), built by ntmm_add_driver: names of headers, WPP, tokens,
 * where its functions lie, and a second driver with the same names beside it.
 */
#include <ntmm/cmocka.h>

DRIVER_INITIALIZE odd_DriverEntry, plain_DriverEntry, apart_DriverEntry, DriverEntry;
DRIVER_UNLOAD     OddUnload;
ULONG             OddShared(void), OddInit(void), OddResident(ULONG By), PlainShared(void), ApartShared(void);
NTSTATUS          OddCallHelper(PDEVICE_OBJECT Device);
NTSTATUS          OddTouch(volatile UCHAR *Address);
PCSTR             OddJoined(VOID), OddFile(VOID), OddFunction(VOID), OddOtherFunction(VOID), OddSays(VOID);
PCSTR             OddSayNothingMore(VOID), OddSayMore(VOID), OddSayAll(VOID), OddSayOnLines(VOID), OddSayThrough(VOID), OddQuote(VOID);
PCWSTR            OddWide(VOID);
ULONGLONG         OddMask(VOID);
ULONG             OddLine(VOID), OddAlignments(VOID), OddCastAddresses(ULONG mask);
ULONG             OddBefore(ULONG x), OddAnnotated(ULONG x), OddOther(ULONG x), OddAfter(ULONG x), OddDeclared(ULONG x);
VOID              OddAgain(ULONG *x);
extern ULONG      OddEvaluated, OddDatum, OddZero;

extern const ULONG OddConstant;

static volatile ULONG sink;

/* ---- what the text says ---- */

static void tokens_mean_what_they_mean_to_Visual_Cxx(void **state)
{
    (void)state;
    assert_string_equal(OddJoined(), "odd: joined\n");
    assert_int_equal(OddWide()[3], L'e');
    assert_int_equal(OddWide()[4], 0);
    assert_int_equal(OddMask(), 0xFF + 7);
    assert_string_equal(OddFunction(), "in OddFunction()");
    assert_string_equal(OddOtherFunction(), "OddOtherFunction: %d");
    assert_non_null(strstr(OddSays(), "driver.c: hello"));
    assert_int_equal(OddAlignments(), 64 + 32);
    assert_int_equal(OddCastAddresses(7), 1 + 2 + 4);
}

static void no_comma_is_left_before_arguments_that_are_not_there(void **state)
{
    (void)state;
    assert_string_equal(OddSayNothingMore(), "odd: nothing");
    assert_string_equal(OddSayMore(), "odd: 2 3");
    assert_string_equal(OddSayAll(), "all");
    assert_string_equal(OddSayOnLines(), "lines");
    assert_string_equal(OddSayThrough(), "odd: through");
    assert_string_equal(OddQuote(), "one is 1"); /* macros among the arguments are expanded before they are passed on */
}

static void places_are_those_of_the_original(void **state)
{
    (void)state;
    assert_non_null(strstr(OddFile(), "odd_driver/src/driver.c"));
    assert_null(strstr(OddFile(), ".ntmm"));
    assert_int_equal(OddLine(), ODD_LINE);
}

static void data_is_resident_whatever_segment_it_asks_for(void **state)
{
    (void)state;
    ntmm_page_out();
    OddDatum++;
    OddZero++;
    assert_int_equal(OddDatum + OddZero + OddConstant, 7);
}

static void trace_messages_are_not_evaluated(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = ntmm_driver_load(odd_DriverEntry);
    assert_non_null(driver);
    assert_int_equal(OddEvaluated, 0);
    assert_int_equal(OddResident(1), 3);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void an_exception_finds_variables_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(OddTouch(NULL), STATUS_ACCESS_VIOLATION);
}

/* ---- two drivers ---- */

static void two_drivers_with_the_same_names(void **state)
{
    (void)state;
    assert_int_equal(OddShared(), 1);
    assert_int_equal(PlainShared(), 2);
    assert_int_equal(ApartShared(), 2);
    assert_null(ntmm_driver_load(apart_DriverEntry));
    assert_null(ntmm_driver_load(plain_DriverEntry));
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry); /* that of the library that comes first */
    assert_non_null(driver);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

/* ---- where its functions lie ---- */

#ifdef HAVE_LINK_STEP
static uint64_t hard_faults(void)
{
    ntmm_fault_counts counts;
    ntmm_query_faults(&counts);
    return counts.hard;
}

#define assert_hard_faults(count, expression) \
    do { \
        uint64_t before = hard_faults(); \
        (void)(expression); \
        assert_int_equal(hard_faults(), before + (count)); \
    } while (0)

static void alloc_text_is_heard(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = ntmm_driver_load(odd_DriverEntry);
    assert_non_null(driver);
    assert_int_equal(ntmm_page_out() != 0, true);
    assert_hard_faults(0, sink = OddResident(1));
    assert_hard_faults(1, OddCallHelper(driver->DeviceObject)); /* PAGEODD1 */
    assert_hard_faults(0, OddCallHelper(driver->DeviceObject));
    assert_hard_faults(1, ntmm_driver_unload(driver)); /* PAGE */
}

static void unload_at_dispatch_level(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    OddUnload(NULL);
    KeLowerIrql(irql);
}

static void pageable_code_at_DISPATCH_LEVEL_stops_the_machine(void **state)
{
    (void)state;
    ntmm_page_out();
    assert_bugcheck(DRIVER_PORTION_MUST_BE_NONPAGED, (uintptr_t)OddUnload, unload_at_dispatch_level());
    assert_int_equal(ntmm_cmocka_caught.parameter[1], DISPATCH_LEVEL);
}

static void code_seg_is_heard(void **state)
{
    (void)state;
    ULONG x = 1;
    ntmm_page_out();
    assert_hard_faults(0, sink = OddBefore(1) + OddAfter(1));
    assert_hard_faults(1, x = OddAnnotated(2)); /* with what it calls, in the same page */
    assert_int_equal(x, 4);
    assert_hard_faults(0, OddAgain(&x));
    assert_int_equal(x, 5);
    assert_hard_faults(0, sink = OddDeclared(1));
    assert_hard_faults(1, x = OddOther(1)); /* PAGEODD2 */
    assert_int_equal(x, 6);
}

#ifdef HAVE_PLUS
ULONG    PlusPaged(ULONG x), PlusSegment(ULONG x), PlusLength(ULONG x), PlusSums(VOID);
NTSTATUS PlusTouch(volatile UCHAR *Address);

static void the_same_in_Cxx(void **state)
{
    (void)state;
    assert_int_equal(PlusTouch(NULL), STATUS_ACCESS_VIOLATION);
    assert_int_equal(PlusSums(), 35);
    ntmm_page_out();
    assert_hard_faults(1, sink = PlusPaged(1));
    assert_int_equal(sink, 0x100);
    assert_hard_faults(1, sink = PlusSegment(1));
    assert_int_equal(sink, 3);
    ntmm_page_out();
    assert_hard_faults(1, sink = PlusLength(4)); /* constructor and method, in one page */
    assert_int_equal(sink, 4);
}
#endif

static void init_at_dispatch_level(void)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    OddInit();
    KeLowerIrql(irql);
}

static void INIT_is_gone_when_DriverEntry_has_returned(void **state)
{
    (void)state;
    assert_int_equal(OddInit(), 1);
    for (unsigned round = 0; round < 2; round++) {
        PDRIVER_OBJECT driver = ntmm_driver_load(odd_DriverEntry);
        assert_non_null(driver);
        assert_int_equal(ntmm_driver_unload(driver), 0);
        assert_int_equal(OddInit(), 1);
    }
    assert_non_null(ntmm_driver_load(odd_DriverEntry));
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, (uintptr_t)OddInit, OddInit());
    assert_non_null(strstr(ntmm_stop_report(), "section INIT of a driver, which was discarded"));
    ntmm_cmocka_reboot();
    assert_int_equal(OddInit(), 1);
    assert_non_null(ntmm_driver_load(odd_DriverEntry));
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, (uintptr_t)OddInit, init_at_dispatch_level());
}

static void sections_have_pages_of_their_own(void **state)
{
    (void)state;
    assert_null(strstr(ntmm_error(), "shares a page"));
    PVOID lock = MmLockPagableCodeSection((PVOID)(uintptr_t)OddOther);
    ntmm_page_out();
    assert_hard_faults(1, sink = OddOther(1)); /* for the static function in PAGE */
    MmUnlockPagableImageSection(lock);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef HAVE_LINK_STEP
        ntmm_cmocka_test(sections_have_pages_of_their_own),
        ntmm_cmocka_test(alloc_text_is_heard),
        ntmm_cmocka_test(pageable_code_at_DISPATCH_LEVEL_stops_the_machine),
        ntmm_cmocka_test(code_seg_is_heard),
        ntmm_cmocka_test(INIT_is_gone_when_DriverEntry_has_returned),
#ifdef HAVE_PLUS
        ntmm_cmocka_test(the_same_in_Cxx),
#endif
#endif
        ntmm_cmocka_test(tokens_mean_what_they_mean_to_Visual_Cxx),
        ntmm_cmocka_test(no_comma_is_left_before_arguments_that_are_not_there),
        ntmm_cmocka_test(places_are_those_of_the_original),
        ntmm_cmocka_test(data_is_resident_whatever_segment_it_asks_for),
        ntmm_cmocka_test(trace_messages_are_not_evaluated),
        ntmm_cmocka_test(an_exception_finds_variables_as_they_are),
        ntmm_cmocka_test(two_drivers_with_the_same_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
