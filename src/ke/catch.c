/*
 * catch.c - where a stopped thread goes: catch frames and the start of a system thread.
 * A catch frame is a sigsetjmp buffer on the stack of whoever waits for a bug check, linked to the one outside it:
 *
 *     stack, growing down       test -> [frame A] -> driver -> [frame B] -> driver: bug check
 *     list of the thread                     A  <------ outer ------ B  <- innermost
 *
 * Nobody promises to pop. A test framework's assertion may longjmp from inside the driver past B and A, and the frames stay listed
 * although their functions are gone and their bytes overwritten. So the list is kept beside the frames, in thread-local storage, each
 * entry with the address of the stack where it was pushed: one that lies deeper than the stack pointer of now belongs to a function that
 * has been left. Such stale entries are dropped at every push and at every stop. A frame also belongs to one machine: the one that was up
 * when it was pushed, or the next one when none was; a later boot ends it. A stale frame above the stack pointer of now is known by its
 * bytes when something else has been written there; what neither tells, a test fixture says: ntmm_catch_pop(NULL) forgets all.
 *
 * "Deeper" is a question of levels where there are several stacks (stack.c): seen from inside, the frames outside are all live; seen from
 * outside, the ones inside have been left. A stop that goes to a frame on another stack goes back to that stack first, and jumps there.
 *
 * Locks   none: a thread touches its own list only. One atomic counter knows how many frames there are in the process.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/catch.h"
#include "ke/report.h"
#include "ke/stack.h"
#include "ke/try.h"

#define CALL_BYTES 64u          /* what calling ntmm_catch_push may have put onto the stack: saved registers and the way back */
#define CATCHES_MAX 16u         /* nested, in one thread */
#define PATIENCE_NS 2000000000u /* how long a thread without a catch may go on waiting when the machine has halted */

typedef struct catch_entry {
    ntmm_catch_frame *frame;
    uintptr_t         stack;      /* where it was pushed */
    uint32_t          generation; /* of the machine it belongs to */
    uint32_t          tries;      /* records of __try statements outside of it */
} catch_entry_t;

/* Thread-local words that the fault handler reads: they must be there without an allocation. */
static HOST_THREAD_LOCAL catch_entry_t      catches[CATCHES_MAX]; /* outermost first */
HOST_THREAD_LOCAL uint32_t                  ke_catch_count;
static HOST_THREAD_LOCAL ke_escape_t       *escape;               /* a callback of the stop, or the fault resolver, is running */
static HOST_THREAD_LOCAL const ke_escape_t *thread_start;         /* system threads */
static HOST_THREAD_LOCAL bool               prepared;             /* this thread has its alternate signal stack */
static HOST_THREAD_LOCAL uint32_t           left_generation;      /* of the halted machine that this thread has left */
static _Atomic uint32_t                     process_catches;      /* of all threads */
static bool                                 somebody_catches;     /* at the moment of the stop; the stopping thread's */
static _Atomic uint32_t                     delivered_generation; /* of the machine whose stop has come back through a catch */

/* Does the frame still say what was written into it at the push? Its memory may be anything by now. */
static bool frame_is_overwritten(const catch_entry_t *entry)
{
    struct {
        ntmm_catch_frame *outer;
        uintptr_t         stack;
        uint32_t          generation;
    } now;
    const size_t bytes = offsetof(ntmm_catch_frame, halted) - offsetof(ntmm_catch_frame, outer);

    return host_copy_safely(&now, &entry->frame->outer, bytes) != bytes || now.stack != entry->stack || now.generation != entry->generation;
}

static bool entry_is_stale(const catch_entry_t *entry, uintptr_t sp)
{
    if (entry->generation - ke_machine_generation > 1) /* neither of this machine nor of the one to come */
        return true;
    return ke_stack_is_left(entry->stack, sp) || frame_is_overwritten(entry);
}

static void catches_cut(uint32_t count) /* only the outermost `count` remain */
{
    atomic_fetch_sub(&process_catches, ke_catch_count - count);
    ke_catch_count = count;
}

static void catches_drop_stale(uintptr_t sp)
{
    uint32_t count = ke_catch_count;
    while (count > 0 && entry_is_stale(&catches[count - 1], sp))
        count--;
    catches_cut(count);
}

void ke_catches_drop_left(uintptr_t sp) { catches_drop_stale(sp); }

static uint32_t catch_index(const ntmm_catch_frame *frame) /* ke_catch_count when it is not listed */
{
    uint32_t index = 0;
    while (index < ke_catch_count && catches[index].frame != frame)
        index++;
    return index;
}

/* sp: of the function that pushes, or a little above it. Whatever it calls runs below. */
static __attribute__((noinline)) sigjmp_buf *catch_push(ntmm_catch_frame *frame, uintptr_t sp)
{
    uint32_t state = atomic_load(&ke_machine_state);

    if (!prepared) {
        host_thread_faults_prepare();
        prepared = true;
    }
    ke_stop_look_for_longjmp(sp);
    ke_stack_forget_left(sp);
    catches_cut(catch_index(frame));     /* the same frame again: its function was left by a longjmp and entered anew */
    catches_drop_stale(sp - CALL_BYTES); /* an entry of the same function is live: it is the outer one of two */
    NTMM_INVARIANT(ke_catch_count < CATCHES_MAX, "at most 16 bug-check catches are nested in one thread");
    memset(&frame->stop, 0, sizeof frame->stop);
    frame->outer = ke_catch_count > 0 ? catches[ke_catch_count - 1].frame : NULL;
    frame->stack = sp;
    frame->generation = state == KE_MACHINE_UP || state == KE_MACHINE_HALTED ? ke_machine_generation : ke_machine_generation + 1;
    frame->halted = state == KE_MACHINE_HALTED;
    frame->caught = 0;
    catches[ke_catch_count++] = (catch_entry_t){ frame, sp, frame->generation, ke_tries->count };
    atomic_fetch_add(&process_catches, 1);
    return &frame->context;
}

/* Does nothing itself, so that its own frame is small and right below its caller's. */
__attribute__((noinline)) sigjmp_buf *ntmm_catch_push(ntmm_catch_frame *frame)
{
    return catch_push(frame, (uintptr_t)__builtin_frame_address(0) + CALL_BYTES);
}

/* A thread without a catch stopped the machine (a DPC thread, say), and ended: the first body that returns tells of it. */
static bool take_orphan(ntmm_bugcheck *stop)
{
    if (atomic_load(&ke_machine_state) != KE_MACHINE_HALTED)
        return false;
    const ntmm_bugcheck *first = ke_first_stop();
    if (atomic_exchange(&delivered_generation, ke_machine_generation) == ke_machine_generation)
        return false;
    *stop = *first;
    return true;
}

void ke_catch_fork_forget(void) { atomic_store(&process_catches, ke_catch_count); }

/* Before the stop is published: then others may leave their catches with it. */
void ke_catch_look_around(void) { somebody_catches = atomic_load(&process_catches) != 0; }

void ke_catch_take(uintptr_t sp)
{
    catches_drop_stale(sp);
    ke_catch_look_around();
    if (ke_catch_count > 0)
        atomic_store(&delivered_generation, ke_machine_generation);
}

void ntmm_catch_pop(ntmm_catch_frame *frame)
{
    uint32_t index = frame == NULL ? 0 : catch_index(frame);

    ke_stop_look_for_longjmp((uintptr_t)__builtin_frame_address(0));
    ke_stack_forget_left((uintptr_t)__builtin_frame_address(0));
    if (frame == NULL)
        ke_tries_forget_left((uintptr_t)__builtin_frame_address(0));
    if (index == ke_catch_count) /* left already, by a frame outside it */
        return;
    catches_cut(index);
    if (frame != NULL && !frame->halted && frame->generation == ke_machine_generation && take_orphan(&frame->stop))
        frame->caught = 1;
}

bool ntmm_catch_bugcheck(void (*body)(void *), void *context, ntmm_bugcheck *out)
{
    ntmm_catch_frame frame;

    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        body(context);
        ntmm_catch_pop(&frame);
    }
    if (out != NULL)
        *out = frame.stop;
    return frame.caught != 0;
}

void ke_catch_unwound(uint32_t count)
{
    if (ke_catch_count > count)
        catches_cut(count);
}

bool ke_catch_is_live(uintptr_t sp)
{
    bool live = escape != NULL;
    for (uint32_t i = 0; i < ke_catch_count && !live; i++)
        live = !entry_is_stale(&catches[i], sp);
    return live;
}

ke_escape_t *ke_escape_set(ke_escape_t *now)
{
    ke_escape_t *before = escape;
    escape = now;
    return before;
}

bool ke_guarded(void (*call)(void *), void *context)
{
    ke_escape_t guard;
    ke_escape_t *volatile before = ke_escape_set(&guard);
    volatile bool     returned = false;
    volatile uint32_t fence = ke_try_fence((uintptr_t)__builtin_frame_address(0));

    if (ke_escape_here(&guard) == 0) {
        call(context);
        returned = true;
    }
    ke_try_unfence(fence);
    ke_escape_set(before);
    return returned;
}

/* No fast path of this thread works from now on. Its IRQL stays, for whoever wants to see it. */
static void thread_put_out(void)
{
    ke_thread_t *self = ke_self();
    if (self == &ke_empty_thread)
        return;
    self->processor = &ke_no_processor;
    self->ranks_held = 0;
    atomic_store(&self->dispatching, 0);
    atomic_store(&self->in_library, 0);
}

static void (*uncaught_stop)(const ntmm_bugcheck *stop);

void ntmm_on_uncaught_stop(void (*handler)(const ntmm_bugcheck *stop)) { uncaught_stop = handler; }

/* It comes back only from a handler that does not know better. */
static void tell_of_uncaught_stop(const ntmm_bugcheck *stop)
{
    if (uncaught_stop != NULL && thread_start == NULL)
        uncaught_stop(stop);
}

static void go_to_thread_start(void *start) { ke_escape_take(start); }

static void end_host_thread(void *unused)
{
    (void)unused;
    host_thread_exit();
}

/* No catch of its own is left. The machine's own threads end where they began; a test's thread ends, so that whoever joins it goes on;
 * the thread that the process began with cannot end without taking the exit code along, and dies loudly. */
static _Noreturn void thread_end(void)
{
    if (thread_start != NULL)
        ke_stack_leave_to((uintptr_t)thread_start, go_to_thread_start, (void *)(uintptr_t)thread_start);
    if (!host_thread_is_first())
        ke_stack_leave_to(0, end_host_thread, NULL);
    ke_report_print_at_the_end();
    fprintf(stderr, "ntmm: the machine has halted, and this thread is in no ntmm_catch_bugcheck\n");
    abort();
}

static void go_to_frame(void *frame) { siglongjmp(((ntmm_catch_frame *)frame)->context, 1); }

static _Noreturn void catch_enter(const ntmm_bugcheck *stop)
{
    catch_entry_t     entry = catches[ke_catch_count - 1];
    ntmm_catch_frame *frame = entry.frame;

    catches_cut(ke_catch_count - 1);
    ke_tries_cut(entry.tries);
    frame->stop = *stop;
    frame->caught = 1;
    ke_stack_leave_to(entry.stack, go_to_frame, frame);
}

_Noreturn void ke_catch_leave(const ntmm_bugcheck *stop, uintptr_t sp, bool first)
{
    thread_put_out();
    left_generation = ke_machine_generation;
    ke_stack_forget_left_at_stop(sp);
    catches_drop_stale(sp);
    if (ke_catch_count > 0)
        catch_enter(stop);
    tell_of_uncaught_stop(stop);
    if (first && !somebody_catches) {
        ke_report_print_at_the_end();
        abort(); /* the stop report has said everything */
    }
    thread_end();
}

_Noreturn void ke_system_thread_leave(void)
{
    NTMM_INVARIANT(thread_start != NULL, "only a thread of the machine's own is ended where it is");
    ke_tries_cut(0);
    ke_stack_leave_to((uintptr_t)thread_start, go_to_thread_start, (void *)(uintptr_t)thread_start);
}

void ke_system_thread_guard(void (*entry)(void *), void *argument)
{
    ke_escape_t start;

    thread_start = &start;
    if (ke_escape_here(&start) == 0)
        entry(argument);
    thread_start = NULL;
    ntmm_catch_pop(NULL);
}

/* A thread of a test that is in no catch cannot be unwound; the lock it waits for is most likely given back in a moment. */
static bool may_wait_on(uintptr_t sp)
{
    static _Atomic uint64_t halted_since;
    static _Atomic uint32_t halted_generation;

    if (thread_start != NULL || ke_catch_is_live(sp))
        return false;
    if (atomic_exchange(&halted_generation, ke_machine_generation) != ke_machine_generation)
        atomic_store(&halted_since, host_clock_ns());
    return host_clock_ns() - atomic_load(&halted_since) < PATIENCE_NS;
}

/* Here a wait notices that the machine has halted. */
void ke_wait_poll(void)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    if (NTMM_LIKELY(atomic_load_explicit(&ke_machine_state, memory_order_relaxed) != KE_MACHINE_HALTED))
        return;
    if (escape != NULL)
        ke_escape_take(escape);
    if (!may_wait_on(sp))
        ke_catch_leave(ke_first_stop(), sp, false);
}

void ke_loop_poll(void)
{
    if (NTMM_UNLIKELY(atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED) && escape == NULL &&
        left_generation != ke_machine_generation)
        ke_wait_poll();
}
