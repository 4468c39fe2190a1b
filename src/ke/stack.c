/*
 * stack.c - a thread's levels of stacks: switched to, compared, left by whatever way.
 *
 *     level 0   ... test -> ntmm_on_kernel_stack -> ke_stack_run [way back] -.
 *     level 1                                                               `-> arrive -> body -> driver ...
 *                                            ^                                                      |
 *                                            '---- returns, or ke_stack_leave_to: a jump to the way back, and from there on -'
 *
 * The catches of bug checks and the records of __try statements are kept beside the stacks, each with an address. Whether a function has been
 * left is a comparison with the stack pointer of now: on one level by address, between two levels by which is inside of which.
 *
 * Who leaves to an outer level does so in two steps, so that a longjmp() never crosses stacks: the tools that watch longjmp() would not know
 * what to make of it, and the stacks that are left go back to mm from the stack that stays.
 *
 * Locks       none here.
 */
#include "ke/stack.h"

#include "host/jump.h"
#include "host/stack.h"
#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/try.h"

#define LEVELS_MAX 8u          /* besides the host's stack */
#define TRAP_FRAME_BYTES 512u  /* with less than this left the processor could not have delivered a page fault */
#define FRAME_REACH 0x100000u  /* no frame is larger */
#define BELOW_THE_SWITCH 4096u /* what ke_stack_run and those it calls have on the stack that is left */
#define REPORT_ROOM 0x10000u   /* when the host does not tell where its stack ends */

typedef struct way_back { /* on the stack that was left */
    host_jump_t jump;
    void (*body)(void *);
    void *context;
    void (*then)(void *); /* it was left by a jump: where to */
    void *argument;
} way_back_t;

typedef struct level {
    ke_stack_t        stack;
    way_back_t       *back;
    host_stack_seen_t seen;
    uint32_t          generation; /* of the machine */
    bool              is_ours;    /* to be given back; else it is the rest of the host's */
} level_t;

/* The fault handler reads it: it must be there without an allocation. */
static HOST_THREAD_LOCAL struct {
    uint32_t count;
    level_t  level[LEVELS_MAX + 2]; /* level 1 first; two more for a stop and its report */
} stacks;

static HOST_THREAD_LOCAL struct {
    uintptr_t low, high;
} host_stack; /* high 0: not asked yet */

ke_stack_maker_t ke_stack_maker;

/* ---- comparing ---- */

/* A stack pointer: on an empty stack it is `high`. */
static bool is_on(const ke_stack_t *stack, uintptr_t address) { return address - stack->guard - 1 < stack->high - stack->guard; }

uint32_t ke_stack_level(uintptr_t address)
{
    uint32_t level = stacks.count;
    while (level > 0 && !is_on(&stacks.level[level - 1].stack, address))
        level--;
    return level == 0 && stacks.count != 0 && ke_fault_on_emergency_stack(address) ? LEVELS_MAX + 3 : level;
}

bool ke_stack_is_left(uintptr_t address, uintptr_t sp)
{
    if (NTMM_LIKELY(stacks.count == 0))
        return address < sp;
    uint32_t there = ke_stack_level(address), here = ke_stack_level(sp);
    return there == here ? address < sp : there > here;
}

bool ke_stack_of(uintptr_t sp, ke_stack_t *stack)
{
    uint32_t level = ke_stack_level(sp);
    if (level == 0 || level > stacks.count || !stacks.level[level - 1].is_ours)
        return false;
    *stack = stacks.level[level - 1].stack;
    return true;
}

/* A frame is made by moving the stack pointer, and touched afterwards. A stack pointer that is well inside says that the address is just
 * wrong. */
bool ke_stack_overflowed(uintptr_t address, uintptr_t sp)
{
    if (stacks.count == 0)
        return false;
    const ke_stack_t *stack = &stacks.level[stacks.count - 1].stack;
    return address - stack->guard < stack->low - stack->guard &&
           sp - (stack->guard - FRAME_REACH) < FRAME_REACH + (stack->low - stack->guard) + TRAP_FRAME_BYTES;
}

/* ---- the host's stack ---- */

static void find_host_stack(void)
{
    if (host_stack.high == 0 && !host_stack_bounds(&host_stack.low, &host_stack.high)) {
        host_stack.high = ((uintptr_t)__builtin_frame_address(0) | (REPORT_ROOM - 1)) + 1;
        host_stack.low = host_stack.high - 2 * (uintptr_t)REPORT_ROOM;
    }
}

/* ---- giving back ---- */

static void give_back(const level_t *level)
{
    if (!level->is_ours || level->generation != ke_machine_generation || atomic_load(&ke_machine_state) != KE_MACHINE_UP)
        return; /* it went with its machine, or will */
    ke_thread_t *self = ke_thread_enter("KeExpandKernelStackAndCallout");
    if (self == NULL)
        return;
    ke_stack_maker.give(&level->stack);
    ke_thread_leave(self);
}

/* All inside of `count` are over; the calling thread is on none of them. */
static void drop_levels(uint32_t count)
{
    while (stacks.count > count) {
        level_t over = stacks.level[--stacks.count];
        give_back(&over);
    }
}

/* ---- switching ---- */

static void arrive(void *context)
{
    way_back_t *back = context;
    level_t    *level = &stacks.level[stacks.count - 1];
    host_stack_arrived(&level->seen);
    back->body(back->context);
    host_stack_returning(&level->seen);
}

/* true: it was left by a jump. Apart, so that nothing but the way back is needed after the jump. */
static HOST_STACK_SWITCHES bool call_there(way_back_t *back)
{
    level_t *level = &stacks.level[stacks.count];
    back->jump.first = 0;
    if (host_jump_save(&back->jump) != 0)
        return true;
    host_jump_leaves_frames(); /* if somebody's longjmp() leaves them, nobody is asked */
    host_stack_leaving(&level->seen, level->stack.low, level->stack.high - level->stack.low);
    stacks.count++;
    host_stack_call((void *)level->stack.high, arrive, back);
    return false;
}

/* The innermost first: as if each had returned to the one outside of it. */
static void tell_that_left(uint32_t level)
{
    for (uint32_t i = stacks.count; --i > level;)
        host_stack_left_too(&stacks.level[i].seen);
    host_stack_returned(&stacks.level[level].seen);
}

static void run(const ke_stack_t *stack, bool is_ours, void (*body)(void *), void *context)
{
    way_back_t back = { .body = body, .context = context };
    uint32_t   level = stacks.count;
    stacks.level[level] = (level_t){ .stack = *stack, .back = &back, .generation = ke_machine_generation, .is_ours = is_ours };
    bool left = call_there(&back);
    level = ke_stack_level((uintptr_t)&back);
    tell_that_left(level);
    drop_levels(level);
    if (left)
        back.then(back.argument);
}

bool ke_stack_run(const ke_stack_t *stack, void (*body)(void *), void *context)
{
    ke_stack_forget_left((uintptr_t)__builtin_frame_address(0));
    if (stacks.count >= LEVELS_MAX)
        return ke_error(0, "%u stacks of one thread are switched from one to the next, which are all there can be", stacks.count) != 0;
    host_thread_faults_prepare();
    find_host_stack(); /* when a stop wants it, it is too late to ask */
    run(stack, true, body, context);
    return true;
}

bool ke_stack_take(size_t bytes, ke_stack_t *stack)
{
    if (ke_stack_maker.take == NULL)
        return false;
    return ke_stack_maker.take(bytes * host_stack_factor(), stack);
}

/* What the host's stack has below the switch to level 1. */
static ke_stack_t rest_of_host_stack(void)
{
    uintptr_t top = (stacks.level[0].back->jump.sp - BELOW_THE_SWITCH) & ~(uintptr_t)15;
    bool      known = host_stack.low < top && top < host_stack.high;
    uintptr_t low = known ? host_stack.low : top - REPORT_ROOM;
    return (ke_stack_t){ .guard = low, .low = low, .high = top };
}

void ke_stack_on_host(void (*body)(void *), void *context)
{
    if (stacks.count == 0 || !stacks.level[stacks.count - 1].is_ours) {
        body(context);
        return;
    }
    ke_stack_t rest = rest_of_host_stack();
    run(&rest, false, body, context);
}

/* A level that nobody returns from. */
void *ke_stack_emergency(void)
{
    ke_stack_t rest = rest_of_host_stack();
    stacks.level[stacks.count++] = (level_t){ .stack = rest };
    return (void *)rest.high;
}

/* ---- leaving ---- */

static void wipe_levels(uint32_t first)
{
    for (uint32_t i = first; i < stacks.count; i++)
        host_stack_wipe(stacks.level[i].stack.low, stacks.level[i].stack.high - stacks.level[i].stack.low);
}

_Noreturn void ke_stack_leave_to(uintptr_t address, void (*then)(void *), void *argument)
{
    uint32_t level = ke_stack_level(address);
    if (stacks.count != 0 && stacks.level[stacks.count - 1].back == NULL) /* ke_stack_emergency */
        stacks.count--;
    if (level >= stacks.count) { /* it is the innermost one */
        then(argument);
        __builtin_unreachable();
    }
    level_t *inner = &stacks.level[level];
    inner->back->then = then;
    inner->back->argument = argument;
    wipe_levels(level);
    host_stack_returning(&inner->seen);
    host_jump_to(&inner->back->jump, 1);
}

static NTMM_COLD void forget_left(uint32_t level, uintptr_t sp)
{
    ke_catches_drop_left(sp);
    ke_tries_forget_left(sp);
    wipe_levels(level);
    host_stack_returning(&stacks.level[level].seen);
    tell_that_left(level);
    host_jump_leaves_frames();
}

/* How many levels are live when code at that stack pointer runs. */
static uint32_t live_levels(uintptr_t sp)
{
    uint32_t level = ke_stack_level(sp);
    bool     emergency = stacks.level[stacks.count - 1].back == NULL; /* its own code asks on behalf of what has overflowed */
    return level + emergency < stacks.count ? level : stacks.count;
}

void ke_stack_forget_left(uintptr_t sp)
{
    if (NTMM_LIKELY(stacks.count == 0))
        return;
    uint32_t live = live_levels(sp);
    if (live == stacks.count)
        return;
    forget_left(live, sp);
    drop_levels(live);
}

void ke_stack_forget_left_at_stop(uintptr_t sp)
{
    if (NTMM_LIKELY(stacks.count == 0))
        return;
    uint32_t live = live_levels(sp);
    if (live < stacks.count)
        forget_left(live, sp);
    stacks.count = live;
}

void ke_stacks_thread_ends(void)
{
    ke_stack_forget_left((uintptr_t)__builtin_frame_address(0));
    host_stack.high = 0;
}

/* ---- questions ---- */

void ke_stack_limits(uintptr_t sp, uintptr_t *low, uintptr_t *high)
{
    ke_stack_t stack;
    bool       on_kernel_stack = ke_stack_of(sp, &stack);
    if (!on_kernel_stack)
        find_host_stack();
    *low = on_kernel_stack ? stack.low : host_stack.low;
    *high = on_kernel_stack ? stack.high : host_stack.high;
}

static bool range_is_in(uintptr_t address, size_t bytes, uintptr_t low, uintptr_t high)
{
    return address >= low && address <= high && bytes <= high - address;
}

bool ke_stack_holds(uintptr_t address, size_t bytes)
{
    find_host_stack();
    for (uint32_t i = 0; i < stacks.count; i++)
        if (range_is_in(address, bytes, stacks.level[i].stack.low, stacks.level[i].stack.high))
            return true;
    return range_is_in(address, bytes, host_stack.low, host_stack.high);
}
