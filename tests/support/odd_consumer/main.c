/*
 * main.c - what somebody else's test asks of the driver: is its pageable code paged, and which text was compiled?
 */
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

DRIVER_INITIALIZE odd_DriverEntry;
DRIVER_UNLOAD     OddUnload;
ULONGLONG         OddMask(VOID);
NTSTATUS          OddCallHelper(PDEVICE_OBJECT Device);
ULONG             OddOther(ULONG x);

static int failures;
#define CHECK(condition) ((condition) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition)))

static uint64_t hard_faults(void)
{
    ntmm_fault_counts counts;
    ntmm_query_faults(&counts);
    return counts.hard;
}

static void unload_at_dispatch_level(void *driver)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    OddUnload(driver);
    KeLowerIrql(irql);
}

int main(void)
{
    ntmm_bugcheck stop = { 0 };

    CHECK(ntmm_boot(&(ntmm_config){ .quiet = true }) == 0);
    CHECK(strstr(ntmm_error(), "shares a page") == NULL);
    PDRIVER_OBJECT driver = ntmm_driver_load(odd_DriverEntry);
    CHECK(driver != NULL);
    CHECK(ntmm_page_out() >= 3);
    uint64_t before = hard_faults();
    OddCallHelper(NULL);
    CHECK(hard_faults() == before + 1);
    CHECK(OddOther(1) == 6);
    CHECK(hard_faults() == before + 3);
    ntmm_page_out();
    CHECK(ntmm_catch_bugcheck(unload_at_dispatch_level, driver, &stop));
    CHECK(stop.code == DRIVER_PORTION_MUST_BE_NONPAGED && stop.parameter[0] == (uintptr_t)OddUnload);
    printf("mask %llu\n", (unsigned long long)OddMask());
    ntmm_shutdown(NULL);
    return failures != 0;
}
