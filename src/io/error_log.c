/*
 * error_log.c - entries of the error log; and small questions about who sent a request.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, IoAllocateErrorLogEntry, IoWriteErrorLogEntry, IoFreeErrorLogEntry, IoIs32bitProcess; ntddk.h,
 *             SeSinglePrivilegeCheck.
 * Fidelity    an entry is a line of debug output; there is no log, and no security.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"

#define TAG_ENTRY NTMM_TAG("IoEr")

PVOID IoAllocateErrorLogEntry(PVOID IoObject, UCHAR EntrySize)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (IoObject == NULL || EntrySize < sizeof(IO_ERROR_LOG_PACKET) || EntrySize > ERROR_LOG_MAXIMUM_SIZE)
        return NULL;
    return ExAllocatePool2(POOL_FLAG_NON_PAGED, EntrySize, TAG_ENTRY);
}

VOID IoWriteErrorLogEntry(PVOID ElEntry)
{
    const IO_ERROR_LOG_PACKET *packet = ElEntry;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    DbgPrint("error log: code 0x%08x, status 0x%08x, unique value 0x%x, major function 0x%02x\n", packet->ErrorCode, packet->FinalStatus,
             packet->UniqueErrorValue, packet->MajorFunctionCode);
    ExFreePoolWithTag(ElEntry, TAG_ENTRY);
}

VOID IoFreeErrorLogEntry(PVOID ElEntry)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ExFreePoolWithTag(ElEntry, TAG_ENTRY);
}

BOOLEAN IoIs32bitProcess(PIRP Irp)
{
    (void)Irp;
    return FALSE;
}

BOOLEAN SeSinglePrivilegeCheck(LUID PrivilegeValue, KPROCESSOR_MODE PreviousMode)
{
    (void)PrivilegeValue;
    (void)PreviousMode;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return TRUE;
}
