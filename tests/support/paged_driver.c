/*
 * paged_driver.c - a driver with pageable code and data in a library of its own, loaded twice over by test_mm_driver_images.c.
 */
#include <ntddk.h>

__attribute__((visibility("default"))) NTMM_PAGEABLE_DATA ULONG Count = 100;

__attribute__((visibility("default"))) NTMM_PAGEABLE_CODE ULONG CountUp(ULONG by)
{
    Count += by;
    return Count;
}
