/*
 * whole_driver.c - a driver in a library of its own that lets itself be paged out as a whole, for test_mm_driver_whole.c.
 */
#include <ntddk.h>

#define SEEN __attribute__((visibility("default")))

SEEN volatile ULONG                                                     Count = 100;
SEEN volatile UCHAR                                                     Large[4 * PAGE_SIZE] = { 1 };
SEEN volatile UCHAR                                                     Zeros[4 * PAGE_SIZE];
SEEN const UCHAR                                                        Table[6 * PAGE_SIZE] = { [3 * PAGE_SIZE] = 7 };
SEEN __attribute__((section("SHIELD"), aligned(0x4000))) volatile UCHAR Alone[0x4000] = { 1 };
SEEN NTMM_PAGEABLE_DATA volatile ULONG                                  Paged = 1;
SEEN volatile ULONG                                                    *Farewell; /* where the destructor leaves word */
static __thread volatile ULONG                                          own = 5;

SEEN ULONG CountUp(ULONG by)
{
    Count += by;
    return Count;
}

SEEN NTMM_PAGEABLE_CODE ULONG CountPaged(ULONG by)
{
    Paged += by;
    return Paged;
}

SEEN ULONG OfThread(VOID) { return ++own; }
SEEN PVOID PageMe(VOID) { return MmPageEntireDriver((PVOID)(ULONG_PTR)PageMe); }
SEEN VOID  ResetMe(VOID) { MmResetDriverPaging((PVOID)(ULONG_PTR)PageMe); }

SEEN BOOLEAN Serve(PKINTERRUPT interrupt, PVOID context)
{
    UNREFERENCED_PARAMETER(interrupt);
    UNREFERENCED_PARAMETER(context);
    return TRUE;
}

SEEN ULONG Try(volatile UCHAR *at)
{
    ULONG code = 0;
    __try {
        *at = 1;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = (ULONG)GetExceptionCode();
    }
    return code;
}

static VOID Unload(PDRIVER_OBJECT driver) { UNREFERENCED_PARAMETER(driver); }

SEEN NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = Unload;
    return PageMe() != NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static __attribute__((destructor)) void say_farewell(void)
{
    if (Farewell != NULL)
        *Farewell = Count;
}
