/*
 * stack.c - the instructions behind stack.h, and the tools: AddressSanitizer by the names of its interface, Valgrind through client requests.
 *
 * Source      System V AMD64 ABI, 3.2; AAPCS64, 6.2: stack pointer and alignment at a call.
 */
#include "host/stack.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "host/assembly.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define HAVE_VALGRIND 1
#endif
#endif

/* The caller's stack pointer is kept in the frame pointer, by which unwinders find it, too. */
#if defined(__x86_64__)
#define CALL_THERE \
    ".cfi_startproc\n" \
    "pushq %rbp\n" \
    ".cfi_def_cfa_offset 16\n" \
    ".cfi_offset %rbp, -16\n" \
    "movq %rsp, %rbp\n" \
    ".cfi_def_cfa_register %rbp\n" \
    "movq %rdi, %rsp\n" \
    "movq %rdx, %rdi\n" \
    "callq *%rsi\n" \
    "movq %rbp, %rsp\n" \
    "popq %rbp\n" \
    ".cfi_def_cfa %rsp, 8\n" \
    "ret\n" \
    ".cfi_endproc\n"
#elif defined(__aarch64__)
#define CALL_THERE \
    ".cfi_startproc\n" \
    "stp x29, x30, [sp, #-16]!\n" \
    ".cfi_def_cfa_offset 16\n" \
    ".cfi_offset x29, -16\n" \
    ".cfi_offset x30, -8\n" \
    "mov x29, sp\n" \
    ".cfi_def_cfa x29, 16\n" \
    "mov sp, x0\n" \
    "mov x0, x2\n" \
    "blr x1\n" \
    "mov sp, x29\n" \
    "ldp x29, x30, [sp], #16\n" \
    ".cfi_def_cfa sp, 0\n" \
    ".cfi_restore x29\n" \
    ".cfi_restore x30\n" \
    "ret\n" \
    ".cfi_endproc\n"
#endif

/* clang-format off */
__asm__(".text\n"
        FUNCTION("host_stack_call") CALL_THERE END("host_stack_call"));
/* clang-format on */

/* ---- AddressSanitizer, ThreadSanitizer ---- */

static struct {
    void (*start_switch)(void **fake, const void *bottom, size_t bytes);
    void (*finish_switch)(void *fake, const void **bottom, size_t *bytes);
    void (*unpoison)(const volatile void *at, size_t bytes);
    void *(*fiber)(void);
    void *(*make_fiber)(unsigned flags);
    void (*end_fiber)(void *fiber);
    void (*switch_fiber)(void *fiber, unsigned flags);
    unsigned factor;
} tools;
static pthread_once_t tools_once = PTHREAD_ONCE_INIT;

static void *find(const char *name, void *function, size_t bytes)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (function != NULL)
        memcpy(function, &found, bytes);
    return found;
}

#define SANITIZED_FRAMES 8u

static void look_for_tools(void)
{
    bool watched = find("__asan_init", NULL, 0) != NULL || find("__tsan_init", NULL, 0) != NULL || find("__msan_init", NULL, 0) != NULL;
    tools.factor = watched ? SANITIZED_FRAMES : 1;
    find("__asan_unpoison_memory_region", &tools.unpoison, sizeof tools.unpoison);
    find("__sanitizer_start_switch_fiber", &tools.start_switch, sizeof tools.start_switch);
    find("__sanitizer_finish_switch_fiber", &tools.finish_switch, sizeof tools.finish_switch);
    find("__tsan_get_current_fiber", &tools.fiber, sizeof tools.fiber);
    find("__tsan_create_fiber", &tools.make_fiber, sizeof tools.make_fiber);
    find("__tsan_destroy_fiber", &tools.end_fiber, sizeof tools.end_fiber);
    find("__tsan_switch_to_fiber", &tools.switch_fiber, sizeof tools.switch_fiber);
    if (tools.unpoison == NULL || tools.finish_switch == NULL) /* another sanitizer has these, and does nothing */
        tools.start_switch = NULL;
}

static bool asan_is_here(void)
{
    pthread_once(&tools_once, look_for_tools);
    return tools.start_switch != NULL;
}

static bool tsan_is_here(void)
{
    pthread_once(&tools_once, look_for_tools);
    return tools.fiber != NULL && tools.make_fiber != NULL && tools.end_fiber != NULL && tools.switch_fiber != NULL;
}

HOST_STACK_SWITCHES void host_stack_leaving(host_stack_seen_t *seen, uintptr_t low, size_t bytes)
{
    memset(seen, 0, sizeof *seen);
    if (asan_is_here())
        tools.start_switch(&seen->fake, (const void *)low, bytes);
    if (low < (uintptr_t)__builtin_frame_address(0) || !tsan_is_here())
        return;
    seen->fiber_before = tools.fiber();
    seen->fiber = tools.make_fiber(0);
    tools.switch_fiber(seen->fiber, 0);
}

void host_stack_arrived(host_stack_seen_t *seen)
{
    if (asan_is_here())
        tools.finish_switch(NULL, &seen->bottom, &seen->bytes);
}

void host_stack_returning(const host_stack_seen_t *seen)
{
    if (asan_is_here())
        tools.start_switch(NULL, seen->bottom, seen->bytes); /* what is left now is over */
}

HOST_STACK_SWITCHES void host_stack_returned(const host_stack_seen_t *seen)
{
    if (asan_is_here())
        tools.finish_switch(seen->fake, NULL, NULL);
    host_stack_left_too(seen);
}

HOST_STACK_SWITCHES void host_stack_left_too(const host_stack_seen_t *seen)
{
    if (seen->fiber == NULL)
        return;
    tools.switch_fiber(seen->fiber_before, 0);
    tools.end_fiber(seen->fiber);
}

void host_stack_wipe(uintptr_t low, size_t bytes)
{
    if (asan_is_here())
        tools.unpoison((const volatile void *)low, bytes);
}

unsigned host_stack_factor(void)
{
    pthread_once(&tools_once, look_for_tools);
    return tools.factor;
}

/* ---- Valgrind ---- */

unsigned host_stack_register(uintptr_t low, uintptr_t high)
{
#ifdef HAVE_VALGRIND
    return VALGRIND_STACK_REGISTER(low, high - 1);
#else
    (void)low;
    (void)high;
    return 0;
#endif
}

void host_stack_forget(unsigned number)
{
#ifdef HAVE_VALGRIND
    VALGRIND_STACK_DEREGISTER(number);
#else
    (void)number;
#endif
}

/* ---- the thread's own stack ---- */

#ifdef __APPLE__
bool host_stack_bounds(uintptr_t *low, uintptr_t *high)
{
    *high = (uintptr_t)pthread_get_stackaddr_np(pthread_self());
    *low = *high - pthread_get_stacksize_np(pthread_self());
    return true;
}
#else
/* Where the process's first thread began, as the GNU C library's start code saw it; no such symbol elsewhere. */
extern void *__libc_stack_end __attribute__((weak));
#define DEFAULT_STACK ((uintptr_t)8 << 20)

/* The first thread's stack, when the library cannot find it in /proc/self/maps: qemu-user with 16 KiB pages leaves it out of that file. */
static bool first_stack_bounds(uintptr_t *low, uintptr_t *high)
{
    struct rlimit limit;
    if (&__libc_stack_end == NULL || __libc_stack_end == NULL)
        return false;
    bool limited = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < (rlim_t)__libc_stack_end;
    *high = (uintptr_t)__libc_stack_end;
    *low = *high - (limited ? (uintptr_t)limit.rlim_cur : DEFAULT_STACK);
    return *low < (uintptr_t)__builtin_frame_address(0) && (uintptr_t)__builtin_frame_address(0) < *high;
}

bool host_stack_bounds(uintptr_t *low, uintptr_t *high)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t bytes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return first_stack_bounds(low, high);
    bool known = pthread_attr_getstack(&attributes, &lowest, &bytes) == 0;
    pthread_attr_destroy(&attributes);
    *low = known ? (uintptr_t)lowest : 0;
    *high = known ? (uintptr_t)lowest + bytes : 0;
    return known;
}
#endif
