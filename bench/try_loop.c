/*
 * try_loop.c - the loops behind the rows of frame_bench that are about __try, in a file of their own because such functions are not optimised.
 */
#include "try_loop.h"

#include <setjmp.h>

#include <ntddk.h>

static __attribute__((noinline)) void body(NTSTATUS status)
{
    if (status != STATUS_SUCCESS)
        ExRaiseStatus(status);
}

void loop_plain(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        body(STATUS_SUCCESS);
}

void loop_sigsetjmp(unsigned times)
{
    static sigjmp_buf place;
    for (unsigned i = 0; i < times; i++)
        if (sigsetjmp(place, 0) == 0)
            body(STATUS_SUCCESS);
}

void loop_try(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        __try {
            body(STATUS_SUCCESS);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
        }
    }
}

void loop_raise(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        __try {
            body(STATUS_UNSUCCESSFUL);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
        }
    }
}
