/*
 * sigaction_linux.c - sigaction as the Linux kernel itself has it, for what must not pass through anybody's wrapper.
 * A sanitizer may wrap the C library's function, and a static program has no second definition behind the one we export. The kernel's
 * structure differs from the C library's in the order of its fields and the size of its mask; on x86-64 it also wants to be told where the
 * code is that returns from the handler.
 *
 * Source      Linux manual pages: rt_sigaction(2), sigreturn(2).
 */
#ifdef __linux__
#include "host/fault_chain.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct kernel_action { /* the same on x86-64 and AArch64 */
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
} kernel_action_t;

enum { HAS_RESTORER = 0x04000000 };

#if defined(__x86_64__)
/* rt_sigreturn is system call 15. Unwinders and debuggers know a signal's frame by exactly these bytes. */
__asm__(".text\n"
        ".balign 16\n"
        ".globl host_signal_return\n"
        ".hidden host_signal_return\n"
        ".type host_signal_return, %function\n"
        "nop\n" /* an unwinder looks up the address before */
        "host_signal_return:\n"
        "movq $15, %rax\n"
        "syscall\n"
        ".size host_signal_return, .-host_signal_return\n");
void host_signal_return(void);
#endif

static kernel_action_t to_kernel(const struct sigaction *action)
{
    kernel_action_t kernel = { .handler = action->sa_handler, .flags = (unsigned)action->sa_flags, .restorer = action->sa_restorer };
    memcpy(&kernel.mask, &action->sa_mask, sizeof kernel.mask);
#if defined(__x86_64__)
    if ((kernel.flags & HAS_RESTORER) == 0) {
        kernel.flags |= HAS_RESTORER;
        kernel.restorer = host_signal_return;
    }
#endif
    return kernel;
}

static void from_kernel(struct sigaction *action, const kernel_action_t *kernel)
{
    sigemptyset(&action->sa_mask);
    action->sa_handler = kernel->handler; /* shares its place with sa_sigaction */
    action->sa_flags = (int)kernel->flags;
    action->sa_restorer = kernel->restorer;
    memcpy(&action->sa_mask, &kernel->mask, sizeof kernel->mask);
}

int host_real_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    kernel_action_t wanted, previous;
    if (action != NULL)
        wanted = to_kernel(action);
    long result = syscall(SYS_rt_sigaction, number, action != NULL ? &wanted : NULL, old != NULL ? &previous : NULL, sizeof wanted.mask);
    if (result == 0 && old != NULL)
        from_kernel(old, &previous);
    return (int)result;
}
#endif
