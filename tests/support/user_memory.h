/*
 * user_memory.h - a process, and memory at user addresses, for tests of what probes and accesses it.
 */
#ifndef NTMM_TESTS_USER_MEMORY_H
#define NTMM_TESTS_USER_MEMORY_H

#include <ntmm/cmocka.h>

#include <ntifs.h>

/* Zeros of a new process, in which the calling thread runs from now on. */
static inline unsigned char *user_pages(size_t bytes)
{
    ntmm_process *process = ntmm_process_create();
    assert_non_null(process);
    ntmm_process_attach(process);
    unsigned char *pages = ntmm_user_alloc(process, bytes, PAGE_READWRITE);
    assert_non_null(pages);
    return pages;
}

static inline PEPROCESS as_object(ntmm_process *process) { return (PEPROCESS)(void *)process; }

/* What the statements raise; STATUS_SUCCESS: nothing. For files that define NTMM_USES_TRY. */
#define raised(...) \
    __extension__({ \
        volatile NTSTATUS raised_ = STATUS_SUCCESS; \
        __try { \
            __VA_ARGS__; \
        } __except (EXCEPTION_EXECUTE_HANDLER) { \
            raised_ = GetExceptionCode(); \
        } \
        raised_; \
    })

#define UNWATCHED __attribute__((noinline, unused, no_sanitize("address", "undefined", "thread")))
static UNWATCHED unsigned char peek(const volatile void *address) { return *(const volatile unsigned char *)address; }
static UNWATCHED void          poke(volatile void *address, unsigned char value) { *(volatile unsigned char *)address = value; }

#endif
