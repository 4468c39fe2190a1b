/*
 * jump.c - the instructions behind jump.h: what a call preserves is put away, or brought back.
 * The second name of host_jump_save, ntmm_try_save, is what the macro __try calls: it is seen from outside of a shared library.
 *
 * Elsewhere   who jumps, and why: ke/try.c, ke/dispatch.c.
 */
#include "host/jump.h"

#include "host/assembly.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static_assert(offsetof(host_jump_t, first) == 16 && offsetof(host_jump_t, kept) == 24, "the instructions below count in bytes");

#if defined(__x86_64__)
#define SAVE \
    "movq 0(%rsp), %rax\n" /* where the caller goes on, and its stack pointer there */ \
    "leaq 8(%rsp), %rdx\n" \
    "movq %rax, 0(%rdi)\n" \
    "movq %rdx, 8(%rdi)\n" \
    "movq %rbx, 24(%rdi)\n" \
    "movq %rbp, 32(%rdi)\n" \
    "movq %r12, 40(%rdi)\n" \
    "movq %r13, 48(%rdi)\n" \
    "movq %r14, 56(%rdi)\n" \
    "movq %r15, 64(%rdi)\n" \
    "movl 16(%rdi), %eax\n" \
    "ret\n"
#define RESTORE \
    "movq 24(%rdi), %rbx\n" \
    "movq 32(%rdi), %rbp\n" \
    "movq 40(%rdi), %r12\n" \
    "movq 48(%rdi), %r13\n" \
    "movq 56(%rdi), %r14\n" \
    "movq 64(%rdi), %r15\n" \
    "movl %esi, %eax\n" \
    "jmpq *0(%rdi)\n"
#define STACK_AS_SAVED "movq 8(%rdi), %rsp\n"
#define STACK_BELOW "subq $2048, %rsp\nandq $-16, %rsp\n"
#elif defined(__aarch64__)
#define SAVE \
    "mov x9, sp\n" \
    "stp x30, x9, [x0]\n" \
    "stp x19, x20, [x0, #24]\n" \
    "stp x21, x22, [x0, #40]\n" \
    "stp x23, x24, [x0, #56]\n" \
    "stp x25, x26, [x0, #72]\n" \
    "stp x27, x28, [x0, #88]\n" \
    "str x29, [x0, #104]\n" \
    "stp d8, d9, [x0, #112]\n" \
    "stp d10, d11, [x0, #128]\n" \
    "stp d12, d13, [x0, #144]\n" \
    "stp d14, d15, [x0, #160]\n" \
    "ldr w0, [x0, #16]\n" \
    "ret\n"
#define RESTORE \
    "ldr x30, [x0]\n" \
    "ldp x19, x20, [x0, #24]\n" \
    "ldp x21, x22, [x0, #40]\n" \
    "ldp x23, x24, [x0, #56]\n" \
    "ldp x25, x26, [x0, #72]\n" \
    "ldp x27, x28, [x0, #88]\n" \
    "ldr x29, [x0, #104]\n" \
    "ldp d8, d9, [x0, #112]\n" \
    "ldp d10, d11, [x0, #128]\n" \
    "ldp d12, d13, [x0, #144]\n" \
    "ldp d14, d15, [x0, #160]\n" \
    "mov w0, w1\n" \
    "ret\n"
#define STACK_AS_SAVED "ldr x9, [x0, #8]\nmov sp, x9\n"
#define STACK_BELOW "sub sp, sp, #2048\n" /* room for the arguments that the saved function stores without moving its stack pointer */
#endif

#define BODY(instructions) ".cfi_startproc\n" instructions ".cfi_endproc\n"

/* clang-format off */
__asm__(".text\n"
        FUNCTION("host_jump_save") SECOND_NAME("ntmm_try_save") BODY(SAVE) END("host_jump_save") END("ntmm_try_save")
        FUNCTION("host_jump_to") BODY(STACK_AS_SAVED RESTORE) END("host_jump_to")
        FUNCTION("host_jump_below") BODY(STACK_BELOW RESTORE) END("host_jump_below"));
/* clang-format on */

static void (*sanitizer_forgets)(void);
static pthread_once_t look_once = PTHREAD_ONCE_INIT;

static void look_for_the_sanitizer(void)
{
    void *found = dlsym(RTLD_DEFAULT, "__asan_handle_no_return");
    memcpy(&sanitizer_forgets, &found, sizeof found);
}

void host_jump_prepare(void) { pthread_once(&look_once, look_for_the_sanitizer); }

void host_jump_leaves_frames(void)
{
    host_jump_prepare();
    if (sanitizer_forgets != NULL)
        sanitizer_forgets();
}
