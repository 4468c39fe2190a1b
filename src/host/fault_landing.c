/*
 * fault_landing.c - where a redirected thread lands: a few instructions between the interrupted code and the function that goes on.
 * The return from the signal handler jumps here, on a stack that begins with a record of what was interrupted:
 *
 *     stack pointer -> | frame pointer | program counter |  a frame record, so that the chain of frame pointers goes on into
 *                      | stack pointer | return address  |  the interrupted code; the second half is for unwind tables
 *
 * The unwind table of the landing says "my caller is the interrupted instruction", as the C library's table does for a signal handler. So
 * a backtrace taken by the target, and a debugger that stops in it, shows the driver's function that touched the wrong address, and its
 * callers.
 *
 * Source      System V AMD64 ABI, 3.6.2 (register numbers); DWARF for the Arm 64-bit Architecture, 4.1; DWARF 5, 6.4.2 (DW_CFA_expression).
 */
#include "host/fault_landing.h"

/* .cfi_escape: 0x0f n = the caller's stack pointer is the value of this expression; 0x10 r n = register r was saved at this address.
 * 0x77 k and 0x8f k = stack pointer + k; 0x06 = fetch. */
#if defined(__APPLE__)
#define SYMBOL "_host_fault_landing"
#define TYPE_AND_VISIBILITY ".private_extern " SYMBOL "\n"
#define END_OF_FUNCTION ""
#else
#define SYMBOL "host_fault_landing"
#define TYPE_AND_VISIBILITY ".type " SYMBOL ", %function\n.hidden " SYMBOL "\n"
#define END_OF_FUNCTION ".size " SYMBOL ", .-" SYMBOL "\n"
#endif

#if defined(__x86_64__)
#define FRAME \
    ".cfi_escape 0x0f, 3, 0x77, 16, 0x06\n" /* rsp */ \
    ".cfi_escape 0x10, 16, 2, 0x77, 8\n"    /* rip */ \
    ".cfi_escape 0x10, 6, 2, 0x77, 0\n"     /* rbp */
#define CODE "call *%rsi\nud2\n"
#elif defined(__APPLE__) /* its unwinder has no column for a pc beside lr: the frame record serves */
#define FRAME ".cfi_def_cfa w29, 16\n.cfi_offset w30, -8\n.cfi_offset w29, -16\n"
#define CODE "blr x1\nbrk #1\n"
#else
#define FRAME \
    ".cfi_return_column 96\n"               /* a pc of its own: the interrupted x30 is still needed */ \
    ".cfi_escape 0x0f, 3, 0x8f, 16, 0x06\n" /* sp */ \
    ".cfi_escape 0x10, 96, 2, 0x8f, 8\n"    /* pc */ \
    ".cfi_escape 0x10, 29, 2, 0x8f, 0\n"    /* x29 */ \
    ".cfi_escape 0x10, 30, 2, 0x8f, 24\n"   /* x30 */
#define CODE "blr x1\nbrk #1\n"
#endif

__asm__(".text\n"
        ".balign 16\n"
        ".globl " SYMBOL "\n" TYPE_AND_VISIBILITY SYMBOL ":\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n" FRAME CODE ".cfi_endproc\n" END_OF_FUNCTION);
