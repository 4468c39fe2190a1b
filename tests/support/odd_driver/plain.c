/* plain.c - a second driver, with a DriverEntry and a function by the same names as the first one's. */
/* clang-format off */
#include <wdm.h>

DRIVER_INITIALIZE DriverEntry;
ULONG OddShared(void) { return 2; }
#ifndef ODD_APART
#define ODD_APART PlainShared
#endif
ULONG ODD_APART(void) { return OddShared(); }

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    return STATUS_DEVICE_NOT_READY;
}
