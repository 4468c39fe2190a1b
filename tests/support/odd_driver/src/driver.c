/*
 * driver.c - a driver written as for Visual C++, down to the names of its headers: what tests/unit/test_odd_driver.c is about.
 */
/* clang-format off */
#include <NTDDK.h>
#include "..\INC\Public.h"
#include "trace.H"
#include <String.h>
#include <ntstrsafe.h>
#include "generated.h"
#include "driver.tmh"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD     OddUnload;
_Dispatch_type_(IRP_MJ_CREATE) DRIVER_DISPATCH OddCreate;
static NTSTATUS OddHelper(_In_ PDEVICE_OBJECT Device);
ULONG OddResident(ULONG By);
ULONG OddInit(VOID);

#ifdef ALLOC_PRAGMA
#pragma alloc_text (INIT, DriverEntry) // once
#pragma alloc_text(INIT, OddInit)
#pragma alloc_text( "PAGE", OddUnload, \
                    OddCreate )
#pragma alloc_text(PAGEODD1, OddHelper) /* by a name that no linker script knows */
#endif

__declspec(align(64)) struct ODD_ALIGNED { ULONG x; };
typedef DECLSPEC_ALIGN(32) union ODD_UNION { ULONG x; } ODD_UNION;
ULONG OddAlignments(VOID) { return sizeof(struct ODD_ALIGNED) + sizeof(union ODD_UNION); }

ULONG OddEvaluated;
ULONG OddShared(void) { return 1; }

ULONG OddInit(VOID) { return ODD_LIMIT > MAXULONG ? 1 : 0; }

NTSTATUS DriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT device;
    NTSTATUS       status;

    WPP_INIT_TRACING(DriverObject, RegistryPath);
    UNREFERENCED_PARAMETER(RegistryPath);
    FuncEntry(ODD_INIT);
    TraceEvents(TRACE_LEVEL_ERROR, ODD_INIT, "%!FUNC! %!STATUS!", OddEvaluated++);
    DoTraceMessage(ODD_QUEUE, "hello %d", OddEvaluated++);
    OddTrace("%d", OddEvaluated++); // as the project file has it
    if (OddInit() != 1)
        return STATUS_UNSUCCESSFUL;
    status = IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    DriverObject->DriverUnload = OddUnload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OddCreate;
    return STATUS_SUCCESS;
}

VOID OddUnload(_In_ PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    WPP_CLEANUP(DriverObject);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS OddCreate(_In_ PDEVICE_OBJECT DeviceObject, _Inout_ PIRP Irp)
{
    NTSTATUS status = OddHelper(DeviceObject);
    PAGED_CODE();
    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS OddHelper(_In_ PDEVICE_OBJECT Device)
{
    UNREFERENCED_PARAMETER(Device);
    return STATUS_SUCCESS;
}

NTSTATUS OddCallHelper(PDEVICE_OBJECT Device) { return OddHelper(Device); }

ULONG OddResident(ULONG By) { return By + WPP_BIT_ODD_QUEUE; }

PCSTR OddJoined(VOID) { return JOINED("joined"); }
PCWSTR OddWide(VOID) { return WIDE(wide); }
ULONGLONG OddMask(VOID) { return ODD_MASK + NUMBER; }
#define ODD_SAYS(text) __FUNCTION__ ": " text
PCSTR OddFunction(VOID) { return "in " __FUNCTION__ "()"; }
PCSTR
OddOtherFunction(VOID)
{
    return __FUNCTION__ ": %d";
}
PCSTR OddSays(VOID) { return ODD_SAYS("hello"); }
PCSTR OddFile(VOID) { return __FILE__; }
ULONG OddLine(VOID) { return __LINE__; }

static PCSTR OddFormat(PCSTR format, ...)
{
    static CHAR text[32];
    va_list     list;

    va_start(list, format);
    (VOID)RtlStringCbVPrintfA(text, sizeof text, format, list);
    va_end(list);
    return text;
}

#define ODD_SAY(text, ...) OddFormat("odd: " text, __VA_ARGS__)
#define ODD_SAY_ALL(...) OddFormat("all",__VA_ARGS__)
#define ODD_SAY_ON_LINES(level, text, ...) \
    ((level) ? OddFormat(text, \
                         __VA_ARGS__) : #__VA_ARGS__)
#define ODD_THROUGH(text, ...) ODD_SAY(text, __VA_ARGS__)
#define ODD_ONE 1
#define ODD_QUOTE(text, ...) ODD_QUOTE_(text, __VA_ARGS__)
#define ODD_QUOTE_(text, ...) text #__VA_ARGS__
PCSTR OddSayNothingMore(VOID) { return ODD_SAY("nothing"); }
PCSTR OddSayMore(VOID) { return ODD_SAY("%d %d", 2, 3); }
PCSTR OddSayAll(VOID) { return ODD_SAY_ALL(); }
PCSTR OddSayOnLines(VOID) { return ODD_SAY_ON_LINES(OddResident(1), "lines"); }
PCSTR OddSayThrough(VOID) { return ODD_THROUGH("through"); }
PCSTR OddQuote(VOID) { return ODD_QUOTE("one is ", ODD_ONE); }

NTSTATUS OddTouch(volatile UCHAR *Address)
{
    ULONG attempts = 1;
    __try
    {
        attempts++;
        *Address = 1;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return attempts == 2 ? GetExceptionCode() : STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}

/* Which variable a routine fills in, as another type of pointer. */
static VOID OddFill(PVOID *first, PVOID *second, ULONG_PTR mask, PUCHAR *third)
{
    *first = (PVOID)(1 & mask);
    *second = (PVOID)(2 & mask);
    *third = (PUCHAR)(4 & mask);
}
ULONG OddCastAddresses(ULONG mask)
{
    PULONG       one = NULL;
    struct { PULONG Member; } two = { NULL };
    const CHAR  *three = NULL;
    ULONG_PTR    not_a_cast = mask
                              &((ULONG)(mask)); /* an address would be one of a cast, too */
    OddFill(&(PVOID)one, // the first
            &((PVOID)(two.Member)),
            not_a_cast &((ULONG_PTR)(mask)), & ( (UCHAR *) three ));
    return (ULONG)((ULONG_PTR)one + (ULONG_PTR)two.Member + (ULONG_PTR)three);
}

#if !defined(_WIN64) || !defined(_AMD64_) || !defined(AMD64) || _M_X64 != 100 || _M_AMD64 != 100
#error "a driver for x64 is compiled here, whatever the host"
#endif
