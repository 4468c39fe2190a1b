/*
 * plus.cpp - a file of the driver in C++.
 */
/* clang-format off */
#include <WDM.H>
#include "inc\public.h"

extern "C" ULONG PlusPaged(ULONG x);
extern "C" ULONG PlusSums(VOID);
extern "C" NTSTATUS PlusTouch(volatile UCHAR *Address);
#pragma alloc_text(PAGE, PlusPaged)

ULONG PlusPaged(ULONG x) { return x + static_cast<ULONG>(ODD_MASK); }

extern "C" {
#pragma code_seg("PAGEODD3")
ULONG PlusSegment(ULONG x)
{
    return x + 2;
}
#pragma code_seg()
}

namespace Odd {
#pragma code_seg(push, "PAGEODD3")
class Queue {
public:
    explicit Queue(ULONG x);
    ULONG Length() const;
private:
    ULONG x_;
};
Queue::Queue(ULONG x) : x_(x) {}
ULONG Queue::Length() const { return x_; }
#pragma code_seg(pop)
}

static ULONG Sum(const char *, ULONG x = 1, ULONG y = 2) { return x + y; }
#define PLUS_SUM(text, ...) Sum("plus", __VA_ARGS__)
extern "C" ULONG PlusSums(VOID) { return PLUS_SUM("nothing") * 10 + PLUS_SUM("two", 2, 3); }

extern "C" ULONG PlusLength(ULONG x) { return Odd::Queue(x).Length(); }

NTSTATUS PlusTouch(volatile UCHAR *Address)
{
    ULONG attempts = 1;
    __try {
        attempts++;
        *Address = 1;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return attempts == 2 ? GetExceptionCode() : STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}
