/*
 * dispatch.c - an exception looks for its handler: first the filters are asked, then the stack is unwound.
 *
 *     ke_exception_dispatch
 *      |- ke_tries_judge          which of the thread's __try statements are in their bodies? The unwind tables know
 *      |- search                  the innermost filter first, each called while everything that it guards is still on the stack
 *      |     CONTINUE_SEARCH      the next one outwards; with none left it returns: nobody has taken the exception
 *      |     CONTINUE_EXECUTION   it returns: the interrupted instruction runs again. After a raise that is not possible, and
 *      |                          STATUS_NONCONTINUABLE_EXCEPTION is looked for from the start, with the first exception linked to it
 *      |     EXECUTE_HANDLER      |
 *      `- unwind                  blocks of __finally inside that statement, innermost first; then the handler, never to return here
 *
 * An exception in a filter, or in the block of a __finally, is one more exception: it is searched for from there, then outside of the
 * statement whose filter or block it is. When a statement further out takes it, the first dispatch is simply forgotten.
 *
 * What a handler leaves behind besides functions: catches of bug checks that lie below it, and the count of library routines that the
 * thread is in. The IRQL is none of that: it stays.
 *
 * Locks   none. Filters and blocks are driver code.
 * Source  Windows reference: Exception Dispatching, Structured Exception Handling: Using an Exception Handler, Termination Handler.
 */
#include <ntmm/ntmm.h>

#include "ke/catch.h"
#include "ke/exception.h"
#include "ke/stack.h"
#include "ke/try.h"

/* ---- which bodies run ---- */

/* The statements that are asked: a filter that runs hides its own statement and the ones inside that, a __finally has taken its record off. */
static uint32_t next_outer(uint32_t index)
{
    const ke_try_record_t *record = &ke_tries->records[index];
    return record->kind == KE_TRY_CALL && record->is_live ? record->of : index;
}

typedef struct walk {
    uint32_t  left;   /* records that are not judged yet */
    uintptr_t pc, sp; /* of the call before; its frame ends where the next begins */
    bool      begun;
} walk_t;

/* Than a frame that reaches from one stack pointer to the next, which may be on another stack. */
static bool is_further_out(const ke_try_record_t *record, uintptr_t from, uintptr_t to)
{
    uint32_t there = ke_stack_level(record->frame), here = ke_stack_level(from);
    if (there != here)
        return there < here;
    return there == ke_stack_level(to) && record->frame >= to;
}

static bool judge_call(uintptr_t pc, uintptr_t sp, void *context)
{
    walk_t *walk = context;
    while (walk->begun && walk->left > 0) {
        ke_try_record_t *record = &ke_tries->records[walk->left - 1];
        if (record->kind == KE_TRY_FENCE)
            return false;
        if (record->kind != KE_TRY_HANDLER && is_further_out(record, walk->sp, sp))
            break;
        if (record->kind == KE_TRY_BODY)
            record->is_live = !ke_stack_is_left(record->frame, walk->sp) && ke_try_body_holds(record, walk->pc);
        else if (record->kind == KE_TRY_CALL) /* its function's frame reaches from where it always was to below the caller */
            record->is_live = !ke_stack_is_left(record->stack, walk->sp);
        walk->left = next_outer(walk->left - 1);
    }
    walk->pc = pc;
    walk->sp = sp;
    walk->begun = true;
    return walk->left > 0;
}

/* Where the tables end, a record counts. */
void ke_tries_judge(void)
{
    walk_t walk = { .left = ke_tries->count };
    for (uint32_t i = ke_tries->count; i > 0; i = next_outer(i - 1))
        ke_tries->records[i - 1].is_live = ke_tries->records[i - 1].kind != KE_TRY_BODY || ke_tries->records[i - 1].end != 0;
    if (walk.left > 0)
        host_walk_calls(judge_call, &walk);
}

/* ---- unwinding ---- */

static void run_the_finallys(uint32_t target)
{
    for (uint32_t i = ke_tries->count; i-- > target + 1;) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if (record->kind == KE_TRY_BODY && record->is_finally && record->is_live)
            ke_try_call_finally(i);
        else
            ke_tries_keep(i);
    }
}

/* The handler's function has its stack back. */
static void go_to_handler(void *context)
{
    const ke_try_record_t *record = context;
    host_jump_leaves_frames();
    ke_tries->arrival = KE_TRY_HANDLE;
    if (record->buffered)
        siglongjmp(*ke_try_buffer_of(ke_tries, (uint32_t)(record - ke_tries->records)), 1);
    host_jump_to(&record->jump, KE_TRY_ENTER_END);
}

static _Noreturn void unwind(uint32_t target, NTSTATUS code)
{
    ke_thread_t *self = ke_self();

    run_the_finallys(target);
    ke_try_record_t *record = &ke_tries->records[target];
    record->kind = KE_TRY_HANDLER;
    record->code = code;
    ke_catch_unwound(record->catches);
    if (self != &ke_empty_thread)
        atomic_store(&self->in_library, record->in_library);
    ke_stack_leave_to(record->frame, go_to_handler, record);
}

/* ---- searching ---- */

typedef enum verdict { NOBODY, GO_ON, NOT_CONTINUABLE } verdict_t;

static verdict_t search(PEXCEPTION_POINTERS exception)
{
    const EXCEPTION_RECORD *what = exception->ExceptionRecord;

    for (uint32_t i = ke_tries->count; i > 0; i = next_outer(i - 1)) {
        const ke_try_record_t *record = &ke_tries->records[i - 1];
        if (record->kind == KE_TRY_FENCE)
            return NOBODY;
        if (record->kind != KE_TRY_BODY || record->is_finally || !record->is_live)
            continue;
        int answer = ke_try_call_filter(i - 1, exception);
        if (answer > 0)
            unwind(i - 1, what->ExceptionCode);
        if (answer < 0 && (what->ExceptionFlags & EXCEPTION_NONCONTINUABLE) == 0)
            return GO_ON;
        if (answer < 0 && what->ExceptionCode != STATUS_NONCONTINUABLE_EXCEPTION) /* twice would be for ever */
            return NOT_CONTINUABLE;
    }
    return NOBODY;
}

bool ke_exception_dispatch(PEXCEPTION_POINTERS exception, uintptr_t sp)
{
    EXCEPTION_RECORD *what = exception->ExceptionRecord;
    EXCEPTION_RECORD  first;

    ke_stack_forget_left_at_stop(sp); /* the raiser may hold a lock */
    ke_tries_drop_left(sp);
    ke_tries_judge();
    verdict_t verdict = search(exception);
    if (verdict == NOT_CONTINUABLE) {
        first = *what;
        *what = (EXCEPTION_RECORD){ .ExceptionCode = STATUS_NONCONTINUABLE_EXCEPTION,
                                    .ExceptionFlags = EXCEPTION_NONCONTINUABLE,
                                    .ExceptionRecord = &first,
                                    .ExceptionAddress = first.ExceptionAddress };
        verdict = search(exception);
        what->ExceptionRecord = NULL; /* it is ours, and we return */
    }
    return verdict == GO_ON;
}
