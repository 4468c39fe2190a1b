/*
 * video_display.c - MmMapVideoDisplay and its opposite: device memory like any other, so io_map.c does it.
 *
 * Source      none: the routines are declared, and described nowhere (choice).
 */
#include <ntddk.h>

#include "ke/irql.h"
#include "mm/mm.h"

PVOID MmMapVideoDisplay(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return MmMapIoSpace(PhysicalAddress, NumberOfBytes, CacheType);
}

VOID MmUnmapVideoDisplay(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    MmUnmapIoSpace(BaseAddress, NumberOfBytes);
}
