/*
 * segments.c - functions between #pragma code_seg, in all the shapes that definitions have.
 */
/* clang-format off */
#include <wdm.h>
#include "REAL.tmh"

ULONG OddBefore(ULONG x);
static VOID Silent(ULONG *x);
struct ODD_TABLE { ULONG (*Routine)(ULONG x); };

#ifdef ALLOC_DATA_PRAGMA
#pragma data_seg("PAGE")
#pragma const_seg("PAGE") // where code is, too
#pragma bss_seg(push, stack, "PAGE")
#endif
ULONG OddDatum = 1;
const ULONG OddConstant = 4;
ULONG OddZero;
#ifdef ALLOC_DATA_PRAGMA
#pragma data_seg()
#pragma const_seg()
#pragma bss_seg(pop, stack)
#endif

ULONG OddBefore(ULONG x) { return x + 1; }

#pragma code_seg("PAGE")
static ULONG Static(ULONG x) { return x + 2; }

_IRQL_requires_max_(PASSIVE_LEVEL)
_Must_inspect_result_
ULONG
OddAnnotated(
    _In_ ULONG x
    )
/*++ A comment with a { brace } and "quotes". --*/
{
    if (x == 0) {
        return 2;
    }
    return Static(x);
}

static const struct ODD_TABLE Table = { Static };
struct ODD_LATER { ULONG x; } OddLater = { 3 };
typedef DECLSPEC_ALIGN(16) struct ODD_ALIGNED { ULONG x; } ODD_ALIGNED;

#pragma code_seg(push, "PAGEODD2")
#if defined(ODD_OTHER)
ULONG OddOther(PUCHAR unused) {
#else
ULONG OddOther(ULONG x) {
#endif
    return Table.Routine(x) + OddLater.x;
}
#pragma code_seg(pop)

VOID OddAgain(ULONG *x) { Silent(x); }
static VOID Silent(ULONG *x) { *x += 1; }
#pragma code_seg()

ULONG OddAfter(ULONG x) { return x + ODD_REAL - 6; }

__declspec(code_seg("PAGE")) ULONG OddDeclared(ULONG x) { return x + 5; }
