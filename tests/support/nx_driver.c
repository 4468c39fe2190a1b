/*
 * nx_driver.c - a driver of a few lines, built several times with other macros (tests/CMakeLists.txt): what NonPagedPool means to it.
 * DRIVER is the prefix of its names.
 */
#include <ntddk.h>

#include "nx_driver.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

static NTSTATUS entry(void)
{
    ExInitializeDriverRuntime(DrvRtPoolNxOptIn);
    return STATUS_SUCCESS;
}
static void initialize_for_zeros_only(void) { ExInitializeDriverRuntime(0); }

static POOL_TYPE nonpaged(void) { return NonPagedPool; }
static POOL_TYPE nonpaged_cache_aligned(void) { return NonPagedPoolCacheAligned; }
static POOL_TYPE of_lookaside(ULONG flags)
{
    static NPAGED_LOOKASIDE_LIST list;
    ExInitializeNPagedLookasideList(&list, NULL, NULL, flags, 64, 0x6b6f6f4c, 0);
    POOL_TYPE type = (POOL_TYPE)list.L.Type;
    ExDeleteNPagedLookasideList(&list);
    return type;
}
static void *allocate_zero(POOL_TYPE type, SIZE_T bytes, ULONG tag) { return ExAllocatePoolZero(type, bytes, tag); }
static void *allocate_quota_zero(POOL_TYPE type, SIZE_T bytes, ULONG tag) { return ExAllocatePoolQuotaZero(type, bytes, tag); }
static void *allocate_priority_zero(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    return ExAllocatePoolPriorityZero(type, bytes, tag, NormalPoolPriority);
}

const nx_driver_t JOIN(DRIVER, _driver) = { entry,
                                            initialize_for_zeros_only,
                                            nonpaged,
                                            nonpaged_cache_aligned,
                                            of_lookaside,
                                            allocate_zero,
                                            allocate_quota_zero,
                                            allocate_priority_zero };
