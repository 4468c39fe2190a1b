/*
 * try_records.c - which records of __try statements still count.
 * Nobody promises to come to a statement's end. A body may be left by return, break or goto, and by somebody's longjmp. So a record tells by
 * itself whether it counts:
 *
 *     its function has been left     its frame pointer lies below the stack pointer of now
 *     its body has been left         its function does not execute the body's code, begin <= pc < end
 *
 * Where a function executes is known when it enters or ends another statement, or says __leave; and for all functions when the calls have been
 * walked, which the dispatcher does before it asks anybody (ke_tries_judge). Where there is a guard, a variable in whose scope the statement
 * lies, the end of the scope drops the record at once (try.c).
 *
 *     records, innermost on top      stack, growing down
 *       BODY    frame of f           f
 *       BODY    frame of f            g   left by return in the body, without a guard: the record in the middle waits to be found out
 *       BODY    frame of g           h
 *       BODY    frame of h
 *
 * Records are kept beside the stack, since what has been left may be overwritten.
 *
 * Locks   none: a thread touches its own records only.
 */
#include <stdio.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/stack.h"
#include "ke/try.h"

#define TRAP_DOUBLE_FAULT 8u
#define ROOM_FOR_CALLS 16u /* that statements leave: their filters must run, and the stop of one too many must be told of */

static ke_tries_t             no_tries; /* of all threads that have met no __try: without room, and never written to */
HOST_THREAD_LOCAL ke_tries_t *ke_tries = &no_tries;

#define FRAME ((uintptr_t)__builtin_frame_address(0))

/* ---- left, or not ---- */

/* sp: of whoever asks; frame: of the function that has called us, or sp. They differ in a filter, and in the block of a __finally, which run
 * far below the frame of their function. */
static bool function_is_left(const ke_try_record_t *record, uintptr_t frame, uintptr_t sp)
{
    switch (record->kind) {
    case KE_TRY_CALL: return ke_stack_is_left(record->stack, sp);
    case KE_TRY_FENCE: return ke_stack_is_left(record->frame, sp);
    default: return ke_stack_is_left(record->frame, frame);
    }
}

/* The record's function enters another statement, at pc. */
static bool statement_is_left(const ke_try_record_t *record, uintptr_t pc, const void *guard)
{
    switch (record->kind) {
    case KE_TRY_BODY:
        if (record->begin == pc || record->end == 0)
            return true;
        return record->guard != NULL ? record->guard == guard : !ke_try_body_holds(record, pc);
    case KE_TRY_HANDLER: return pc < record->end;
    default: return record->begin == pc; /* the block was left by a jump, and here is its statement again */
    }
}

static void say_what_is_skipped(const ke_try_record_t *record)
{
    char where[256];
    if (record->kind != KE_TRY_BODY || !record->is_finally)
        return;
    host_describe_address(record->begin, where, sizeof where);
    fprintf(stderr, "ntmm: the body of the __try at %s was left by return, goto or longjmp, and the block of its __finally did not run\n",
            where);
}

/* ---- dropping ---- */

void ke_tries_keep(uint32_t count)
{
    while (ke_tries->count > count)
        say_what_is_skipped(&ke_tries->records[--ke_tries->count]);
}

void ke_tries_cut(uint32_t count)
{
    if (ke_tries->count > count)
        ke_tries->count = count;
}

static void drop_left(uintptr_t frame, uintptr_t sp)
{
    uint32_t count = ke_tries->count;
    while (count > 0 && function_is_left(&ke_tries->records[count - 1], frame, sp))
        count--;
    ke_tries_keep(count);
}

void ke_tries_drop_left(uintptr_t sp) { drop_left(sp, sp); }

static void drop_left_statements(uintptr_t frame, uintptr_t pc, const void *guard)
{
    uint32_t count = ke_tries->count;
    for (; count > 0; count--) {
        const ke_try_record_t *record = &ke_tries->records[count - 1];
        if (record->kind == KE_TRY_FENCE || record->frame != frame || !statement_is_left(record, pc, guard))
            break;
    }
    ke_tries_keep(count);
}

static bool a_call_runs(uintptr_t sp)
{
    bool runs = false;
    for (uint32_t i = 0; i < ke_tries->count; i++) {
        const ke_try_record_t *record = &ke_tries->records[i];
        runs |= record->kind == KE_TRY_CALL && record->is_live && !function_is_left(record, sp, sp);
    }
    return runs;
}

/* Records in the middle, too. Not while a call knows others by their index. */
static NTMM_COLD void drop_dead(uintptr_t sp)
{
    uint32_t kept = 0;
    ke_tries_judge();
    if (a_call_runs(sp))
        return;
    for (uint32_t i = 0; i < ke_tries->count; i++) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if ((record->kind == KE_TRY_BODY && record->is_live) || (record->kind == KE_TRY_FENCE && !function_is_left(record, sp, sp)))
            ke_tries->records[kept++] = *record;
        else
            say_what_is_skipped(record);
    }
    ke_tries_cut(kept);
}

void ke_tries_forget_left(uintptr_t sp)
{
    ke_tries_drop_left(sp);
    if (ke_tries->count != 0)
        drop_dead(sp);
}

/* ---- room ---- */

static void thread_ends(void) { ke_tries = &no_tries; }

static NTMM_COLD void first_record(void)
{
    ke_tries_t *tries = host_thread_memory(thread_ends);
    if (tries == NULL)
        return;
    host_thread_faults_prepare(); /* a fault is redirected below what it interrupted, where no signal frame may lie */
    tries->capacity = (HOST_THREAD_MEMORY - sizeof *tries) / (sizeof tries->records[0] + sizeof(sigjmp_buf));
    tries->usable = tries->capacity - ROOM_FOR_CALLS;
    ke_tries = tries;
}

static NTMM_COLD _Noreturn void too_many(void)
{
    ke_bugcheck("__try", "More __try statements are nested than fit a kernel stack.", UNEXPECTED_KERNEL_MODE_TRAP, TRAP_DOUBLE_FAULT, 0, 0,
                0);
}

void ke_tries_look_around(uintptr_t frame, uintptr_t sp, uintptr_t pc, const void *guard)
{
    drop_left(frame, sp);
    drop_left_statements(frame, pc, guard);
    if (NTMM_LIKELY(ke_tries->count < ke_tries->usable))
        return;
    if (ke_tries->capacity == 0)
        first_record();
    else
        drop_dead(sp);
    if (ke_tries->count >= ke_tries->usable)
        too_many();
}

ke_try_record_t *ke_tries_add(ke_try_kind_t kind, uintptr_t frame)
{
    if (ke_tries->count >= ke_tries->capacity)
        too_many();
    ke_try_record_t *record = &ke_tries->records[ke_tries->count++];
    record->kind = (uint8_t)kind;
    record->frame = frame;
    return record;
}

/* ---- fences, and a look from the fault handler ---- */

uint32_t ke_try_fence(uintptr_t frame)
{
    if (ke_tries->count == 0)
        return 0;
    ke_tries_add(KE_TRY_FENCE, frame);
    return ke_tries->count;
}

void ke_try_unfence(uint32_t fence)
{
    if (fence == 0 || ke_tries->count < fence || ke_tries->records[fence - 1].kind != KE_TRY_FENCE)
        return;
    ke_tries_keep(fence - 1);
}

const ke_try_record_t *ke_try_around(uintptr_t sp)
{
    for (uint32_t i = ke_tries->count; i-- > 0;) {
        const ke_try_record_t *record = &ke_tries->records[i];
        if (function_is_left(record, sp, sp))
            continue;
        if (record->kind == KE_TRY_FENCE)
            return NULL;
        if (record->kind == KE_TRY_BODY && record->end != 0)
            return record;
    }
    return NULL;
}
