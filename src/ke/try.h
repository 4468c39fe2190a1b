/*
 * try.h - what a thread remembers of its __try statements: a stack of records, beside the stack of its functions (try_records.c).
 */
#ifndef NTMM_KE_TRY_H
#define NTMM_KE_TRY_H

#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ntddk.h>

#include "host/host.h"
#include "host/jump.h"

typedef enum ke_try_kind {
    KE_TRY_BODY,    /* a __try statement whose body runs */
    KE_TRY_HANDLER, /* one whose handler was entered: GetExceptionCode() there tells the code */
    KE_TRY_CALL,    /* a filter, or the block of a __finally, was called and runs */
    KE_TRY_FENCE    /* code from here on does not belong to what it has interrupted: a DPC, an interrupt */
} ke_try_kind_t;

typedef struct ke_try_record {
    host_jump_t         jump;                    /* BODY: the __try statement; CALL: back to the caller */
    uintptr_t           frame;                   /* frame pointer of the function with the statement; FENCE: that of who put it up */
    uintptr_t           begin, end;              /* all but FENCE: the code of the body */
    const void         *guard;                   /* BODY, HANDLER: the variable whose scope ends with the statement's, or NULL */
    uint32_t            catches;                 /* BODY: how many of the thread's catches are outside of it */
    uint8_t             in_library;              /* BODY: what the thread's was */
    uint8_t             kind;                    /* ke_try_kind_t */
    bool                is_finally;              /* BODY */
    bool                is_live;                 /* BODY, CALL: it runs, as far as anybody can tell; set by ke_tries_judge */
    NTSTATUS            code;                    /* HANDLER */
    uint32_t            of;                      /* CALL: index of the statement's record; of a __finally: where it was */
    int                 answer;                  /* CALL: the filter's */
    uintptr_t           stack;                   /* CALL: frame pointer of the caller */
    PEXCEPTION_POINTERS exception;               /* CALL of a filter: what it may see; NULL: of a __finally */
    bool                buffered;                /* BODY: the way to the handler is ke_try_buffer_of(), and not the jump */
} __attribute__((aligned(256))) ke_try_record_t; /* a power of two, so that finding one is a shift */
static_assert(sizeof(ke_try_record_t) == 256, "one unit of alignment");

/* Why a statement is entered: what ntmm_try_save returns. */
enum ke_try_entry { KE_TRY_ENTER_LOOKING = 0, KE_TRY_ENTER_BODY = 1, KE_TRY_ENTER_END = 2 };
/* Why its end is reached: set before the jump. */
typedef enum ke_try_arrival { KE_TRY_BODY_IS_DONE, KE_TRY_LOOK, KE_TRY_FILTER, KE_TRY_HANDLE, KE_TRY_FINALLY } ke_try_arrival_t;

typedef struct ke_try_known { /* a statement that has been looked at */
    uintptr_t begin, end;
    uint64_t  code; /* the last bytes before the end: others stand there when another driver has been loaded in that place */
    bool      is_finally;
} ke_try_known_t;

#define KE_TRY_KNOWN 64u
typedef struct ke_tries {
    uint32_t         count;
    uint32_t         capacity, usable; /* usable: for statements; the rest is for the calls of their filters */
    ke_try_arrival_t arrival;
    ke_try_known_t   known[KE_TRY_KNOWN]; /* by a few bits of `begin` */
    ke_try_record_t  records[];           /* outermost first; room for `capacity`, then as many sigjmp_bufs */
} ke_tries_t;

extern HOST_THREAD_LOCAL ke_tries_t *ke_tries; /* never NULL; the fault handler reads it */

/* For ThreadSanitizer, which keeps a stack of its own and follows no jump but siglongjmp(). */
static inline sigjmp_buf *ke_try_buffer_of(ke_tries_t *tries, uint32_t index)
{
    return (sigjmp_buf *)(void *)&tries->records[tries->capacity] + index;
}

/* ---- for those who leave functions otherwise, or must not be left (try_records.c) ---- */

/* The innermost __try of this thread in whose body the code at that stack pointer is, as far as addresses tell; or NULL. Async-signal-safe. */
const ke_try_record_t *ke_try_around(uintptr_t sp);

/* A catch, or the end of a thread, leaves all but the outermost `count` records for good. No block of a __finally runs. */
void ke_tries_cut(uint32_t count);
/* A test fixture says that assertions may have left bodies by longjmp. */
void ke_tries_forget_left(uintptr_t sp);

/* Around code that no exception may leave, the caller's frame pointer given: fence, call, unfence. */
uint32_t ke_try_fence(uintptr_t frame);
void     ke_try_unfence(uint32_t fence);

/* ---- for try.c and dispatch.c ---- */

ke_try_record_t *ke_tries_add(ke_try_kind_t kind, uintptr_t frame);
void             ke_tries_keep(uint32_t count);    /* drop the inner ones; says which __finally has not run */
void             ke_tries_drop_left(uintptr_t sp); /* records of functions that have returned */
void             ke_tries_look_around(uintptr_t frame, uintptr_t sp, uintptr_t pc, const void *guard); /* before one more statement */

int  ke_try_call_filter(uint32_t index, PEXCEPTION_POINTERS exception); /* try.c: what the filter answers */
void ke_try_call_finally(uint32_t index);                               /* try.c: first drops that record and the inner ones */
void ke_tries_judge(void);                                              /* dispatch.c: sets is_live */

static inline bool ke_try_body_holds(const ke_try_record_t *record, uintptr_t pc) { return record->begin <= pc && pc < record->end; }

#ifndef NTMM_TRY_BUFFERED_ /* wdm/excpt.h has it for files that ThreadSanitizer watches */
NTMM_PUBLIC sigjmp_buf *ntmm_try_buffer(PVOID frame, PVOID guard, int enters);
#endif

#endif
