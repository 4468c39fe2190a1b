/*
 * peek.c - read one word that may be gone: as quick as a load when it is there, and an answer instead of a fault when it is not.
 *
 *     host_peek_word --load--> value, 1
 *                       `- faults -> the machine's handler -> host_peek_resume -> the load's recovery: 0, 0
 *
 * For structures without locks, where a thread follows a pointer that another one may have freed meanwhile and finds out afterwards whether
 * what it read counts. The handler asks host_peek_resume only when the fault is one that it would stop the machine for. Without a machine
 * nobody asks, and the fault takes its course.
 *
 * The load is written in assembler so that its address is known, and so that no sanitizer takes it for a race: it is one, by design.
 */
#include "host/fault_context.h"

#if defined(__APPLE__)
#define SYMBOL(name) "_" name
#define HIDDEN(name) ".private_extern " SYMBOL(name) "\n"
#define INSIDE(name) ".alt_entry " SYMBOL(name) "\n" /* the linker leaves it where it is */
#else
#define SYMBOL(name) name
#define HIDDEN(name) ".type " name ", %function\n.hidden " name "\n"
#define INSIDE(name) ""
#endif
#define LABEL(name) ".globl " SYMBOL(name) "\n" HIDDEN(name) SYMBOL(name) ":\n"

#if defined(__x86_64__)
#define BEFORE "movl $1, %edx\n"
#define LOAD "movq (%rdi), %rax\nret\n"
#define RECOVERY "xorl %eax, %eax\nxorl %edx, %edx\nret\n"
#else
#define BEFORE "mov x1, #1\n"
#define LOAD "ldr x0, [x0]\nret\n"
#define RECOVERY "mov x0, #0\nmov x1, #0\nret\n"
#endif

__asm__(".text\n"
        ".balign 16\n" LABEL("host_peek_word") ".cfi_startproc\n" BEFORE INSIDE("host_peek_load") LABEL("host_peek_load")
            LOAD INSIDE("host_peek_recovery") LABEL("host_peek_recovery") RECOVERY ".cfi_endproc\n");

extern const char host_peek_load[], host_peek_recovery[];

bool host_peek_resume(host_fault_t *fault)
{
    if (fault->pc != (uintptr_t)host_peek_load)
        return false;
    context_go_to(fault->context, (uintptr_t)host_peek_recovery);
    return true;
}
