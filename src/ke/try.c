/*
 * try.c - the calls that the macros of wdm/excpt.h make, in the order of a statement.
 *
 *     __try {              ntmm_try_push       a record; ntmm_try_save remembers the place in it
 *                            0: looking       the first time: on to the statement's end, to see where that is and of which kind; and back
 *         body               1: runs
 *     }
 *     __except (filter)    ntmm_try_except     why are we here? body done: drop the record, go on behind the handler
 *                                              filter: evaluate it; ntmm_try_filtered jumps back to the dispatcher
 *                                              handle: the handler, and GetExceptionCode() finds its code in the record
 *     or __finally         ntmm_try_finally    body done: drop the record, run the block
 *                                              finally: run it; ntmm_try_finally_done jumps back to whoever unwinds
 *
 * A filter, and the block of a __finally that an exception runs, are called like functions, although they are pieces of one: with that
 * function's frame pointer, on a stack that begins below the caller (host/jump.h). So nothing is unwound while filters are asked.
 *
 * Where there is a guard, a variable in whose scope the statement lies, the compiler calls ntmm_try_drop at the end of the scope, however it
 * comes to that; a block of a __finally that has not run by then is called from there.
 *
 * Locks      none: a thread touches its own records only.
 * Elsewhere  which records count: try_records.c. Who asks filters and unwinds: dispatch.c.
 */
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/try.h"

const volatile SIZE_T ntmm_try_never = 0;

#define FRAME ((uintptr_t)__builtin_frame_address(0))
#define CALLER ((uintptr_t)__builtin_return_address(0))
#define APART __attribute__((noinline)) /* keeps the short path short */

/* ---- the statement begins ---- */

static uint64_t code_before(uintptr_t pc)
{
    uint64_t code;
    memcpy(&code, (const void *)(pc - sizeof code), sizeof code);
    return code;
}

static ke_try_known_t *known_place(ke_tries_t *tries, uintptr_t begin) { return &tries->known[(begin >> 2) % KE_TRY_KNOWN]; }

static PVOID push_record(uintptr_t frame, const void *guard, bool buffered, uintptr_t pc)
{
    ke_tries_t           *tries = ke_tries;
    ke_try_record_t      *record = &tries->records[tries->count++];
    const ke_try_known_t *known = known_place(tries, pc);
    record->kind = KE_TRY_BODY;
    record->in_library = atomic_load_explicit(&ke_self()->in_library, memory_order_relaxed);
    record->catches = ke_catch_count;
    record->frame = frame;
    record->guard = guard;
    record->buffered = buffered;
    record->begin = pc;
    if (NTMM_LIKELY(known->begin == pc && known->code == code_before(known->end))) {
        record->end = known->end;
        record->is_finally = known->is_finally;
        record->jump.first = KE_TRY_ENTER_BODY;
    } else {
        record->end = 0;
        record->jump.first = KE_TRY_ENTER_LOOKING;
        tries->arrival = KE_TRY_LOOK;
    }
    return &record->jump;
}

static APART PVOID push_with_care(uintptr_t frame, const void *guard, bool buffered, uintptr_t pc)
{
    ke_tries_look_around(frame, FRAME, pc, guard);
    return push_record(frame, guard, buffered, pc);
}

/* There is room, and the innermost record belongs to a function further out: nothing has been left. */
static bool is_plain(const ke_tries_t *tries, uintptr_t frame)
{
    if (tries->count >= tries->usable)
        return false;
    if (tries->count == 0)
        return true;
    const ke_try_record_t *top = &tries->records[tries->count - 1];
    return top->kind <= KE_TRY_HANDLER && top->frame > frame;
}

PVOID ntmm_try_push(PVOID frame, PVOID guard, PVOID buffered)
{
    if (NTMM_LIKELY(is_plain(ke_tries, (uintptr_t)frame)))
        return push_record((uintptr_t)frame, guard, buffered != NULL, CALLER);
    return push_with_care((uintptr_t)frame, guard, buffered != NULL, CALLER);
}

/* For ThreadSanitizer: in the record that the push takes next. */
sigjmp_buf *ntmm_try_buffer(PVOID frame, PVOID guard, int enters)
{
    if (enters)
        ke_tries_look_around((uintptr_t)frame, FRAME, CALLER, guard);
    return ke_try_buffer_of(ke_tries, ke_tries->count);
}

/* ---- its end is reached ---- */

static _Noreturn void end_is_here(uintptr_t pc, bool is_finally)
{
    ke_try_record_t *record = &ke_tries->records[ke_tries->count - 1];
    record->end = pc;
    record->is_finally = is_finally;
    *known_place(ke_tries, record->begin) = (ke_try_known_t){ record->begin, pc, code_before(pc), is_finally };
    host_jump_to(&record->jump, KE_TRY_ENTER_BODY);
}

/* false: nobody has entered this statement. So it is behind an `if` without braces, whose condition did not hold. */
static APART bool inner_bodies_are_left(uintptr_t frame, uintptr_t end)
{
    for (uint32_t i = ke_tries->count; i-- > 0;) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if (record->kind != KE_TRY_BODY || record->frame != frame || record->end != end)
            continue;
        ke_tries_keep(i + 1);
        ke_tries_cut(i);
        return true;
    }
    return false;
}

static bool body_is_done(uintptr_t frame, uintptr_t end)
{
    ke_tries_t *tries = ke_tries;
    if (NTMM_LIKELY(tries->count > 0)) {
        const ke_try_record_t *top = &tries->records[tries->count - 1];
        if (NTMM_LIKELY(top->frame == frame && top->end == end && top->kind == KE_TRY_BODY)) {
            tries->count--;
            return true;
        }
    }
    return inner_bodies_are_left(frame, end);
}

static ke_try_arrival_t arrival(void)
{
    ke_try_arrival_t why = ke_tries->arrival;
    if (why != KE_TRY_BODY_IS_DONE)
        ke_tries->arrival = KE_TRY_BODY_IS_DONE;
    return why;
}

int ntmm_try_except(PVOID frame)
{
    switch (arrival()) {
    case KE_TRY_LOOK: end_is_here(CALLER, false);
    case KE_TRY_FILTER: return 1;
    case KE_TRY_HANDLE: return 2;
    default: body_is_done((uintptr_t)frame, CALLER); return 0;
    }
}

int ntmm_try_finally(PVOID frame)
{
    switch (arrival()) {
    case KE_TRY_LOOK: end_is_here(CALLER, true);
    case KE_TRY_FINALLY: return 2;
    default: return body_is_done((uintptr_t)frame, CALLER) ? 1 : 0;
    }
}

void ntmm_try_leave(PVOID frame)
{
    const uintptr_t pc = CALLER - 1; /* the call may be the last instruction of the body */
    for (uint32_t i = ke_tries->count; i-- > 0;) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if (record->kind != KE_TRY_BODY || record->frame != (uintptr_t)frame || !ke_try_body_holds(record, pc))
            continue;
        ke_tries_keep(i + 1);
        host_jump_to(&record->jump, KE_TRY_ENTER_END);
    }
    NTMM_INVARIANT(false, "__leave stands in the body of a __try");
    __builtin_unreachable();
}

/* ---- the scope ends ---- */

static APART void drop_guarded(const void *guard)
{
    for (uint32_t i = ke_tries->count; i-- > 0;) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if (record->kind > KE_TRY_HANDLER || record->guard != guard)
            continue;
        ke_tries_keep(i + 1);
        if (record->kind == KE_TRY_BODY && record->is_finally)
            ke_try_call_finally(i);
        else
            ke_tries_cut(i);
        return;
    }
}

/* A goto may have jumped over the statement: then the guard is in no record. */
void ntmm_try_drop(PVOID guard)
{
    if (ke_tries->count != 0)
        drop_guarded(guard);
}

/* ---- calls of pieces of functions ---- */

static int call(const ke_try_record_t *statement, uint32_t of, PEXCEPTION_POINTERS exception)
{
    ke_try_record_t *record = ke_tries_add(KE_TRY_CALL, statement->frame);
    const uint32_t   index = ke_tries->count - 1;

    record->begin = statement->begin;
    record->end = statement->end;
    record->stack = FRAME;
    record->of = of;
    record->exception = exception;
    record->answer = EXCEPTION_CONTINUE_SEARCH;
    record->is_live = true;
    record->jump.first = 0;
    if (host_jump_save(&record->jump) == 0) {
        ke_tries->arrival = exception != NULL ? KE_TRY_FILTER : KE_TRY_FINALLY;
        host_jump_below(&statement->jump, KE_TRY_ENTER_END);
    }
    ke_tries_cut(index);
    return record->answer;
}

int ke_try_call_filter(uint32_t index, PEXCEPTION_POINTERS exception) { return call(&ke_tries->records[index], index, exception); }

void ke_try_call_finally(uint32_t index)
{
    const ke_try_record_t statement = ke_tries->records[index]; /* the call's record takes its place */
    ke_tries_cut(index);
    call(&statement, index, NULL);
}

/* The innermost call of that kind; frame 0: of any function. */
static ke_try_record_t *innermost_call(bool of_a_filter, uintptr_t frame)
{
    for (uint32_t i = ke_tries->count; i-- > 0;) {
        ke_try_record_t *record = &ke_tries->records[i];
        if (record->kind == KE_TRY_CALL && (record->exception != NULL) == of_a_filter && (frame == 0 || record->frame == frame))
            return record;
    }
    return NULL;
}

static _Noreturn void call_returns(ke_try_record_t *record, int answer)
{
    ke_tries_keep((uint32_t)(record - ke_tries->records) + 1);
    record->answer = answer;
    host_jump_to(&record->jump, 1);
}

int ntmm_try_filtered(int disposition)
{
    ke_try_record_t *record = innermost_call(true, 0);
    NTMM_INVARIANT(record != NULL, "a filter runs when the dispatcher has called it");
    call_returns(record, disposition);
}

int ntmm_try_finally_done(PVOID frame, int termination)
{
    ke_try_record_t *record = termination == 2 ? innermost_call(false, (uintptr_t)frame) : NULL;
    if (record != NULL)
        call_returns(record, 0);
    return 0;
}

/* ---- questions of filters and handlers ---- */

NTSTATUS ntmm_try_code(PVOID frame)
{
    for (uint32_t i = ke_tries->count; i-- > 0;) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if (record->kind == KE_TRY_FENCE || record->frame != (uintptr_t)frame)
            continue;
        if (record->kind == KE_TRY_CALL && record->exception != NULL)
            return record->exception->ExceptionRecord->ExceptionCode;
        if (record->kind == KE_TRY_HANDLER && record->end <= CALLER)
            return record->code;
    }
    return STATUS_SUCCESS;
}

PEXCEPTION_POINTERS ntmm_try_information(PVOID frame)
{
    const ke_try_record_t *record = innermost_call(true, (uintptr_t)frame);
    return record != NULL ? record->exception : NULL;
}
