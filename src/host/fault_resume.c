/*
 * fault_resume.c - an interrupted instruction that may run after all: what the signal frame knew is kept on the thread's own stack.
 *
 *     handler                 copies the frame's registers below the interrupted stack pointer, sends the thread to `target`, returns
 *     target                  ordinary code, for as long as it likes: the signal frame is gone
 *     host_interrupted_go_on  faults on purpose, at an address that the handler knows, and the handler puts the registers back
 *
 * The second fault is the way back because nothing but a return from a signal brings back every register, those of the vector unit
 * included, on every host.
 *
 *     stack of the thread, growing down    interrupted code | red zone | registers | landing (fault_landing.h) | target
 */
#include "host/fault_resume.h"

#include <string.h>

#include "host/fault_context.h"
#include "host/memory_tools.h"

struct host_interrupted {
    ucontext_t context;
#if defined(__APPLE__)
    __typeof__(*((ucontext_t *)0)->uc_mcontext) state; /* what context points to */
#elif defined(__x86_64__)
    size_t        vector_bytes;
    unsigned char vector[]; /* what context points to */
#endif
};

/* ---- general registers, in the order in which instructions number them ---- */

#if defined(__x86_64__)

enum { GENERAL_COUNT = 16, FIRST_ARGUMENT = 7 /* rdi */ };

static host_register_t *general_register(ucontext_t *of, unsigned number)
{
#if defined(__APPLE__)
    __typeof__(&of->uc_mcontext->__ss) s = &of->uc_mcontext->__ss;
    __uint64_t *const all[GENERAL_COUNT] = { &s->__rax, &s->__rcx, &s->__rdx, &s->__rbx, &s->__rsp, &s->__rbp, &s->__rsi, &s->__rdi,
                                             &s->__r8,  &s->__r9,  &s->__r10, &s->__r11, &s->__r12, &s->__r13, &s->__r14, &s->__r15 };
    return (host_register_t *)all[number];
#else
    static const uint8_t order[GENERAL_COUNT] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    return &of->uc_mcontext.gregs[order[number]];
#endif
}

static void registers_read(host_registers_t *registers, ucontext_t *of)
{
    for (unsigned i = 0; i < GENERAL_COUNT; i++)
        registers->general[i] = (uint64_t)*general_register(of, i);
    registers->pc = (uint64_t)CONTEXT_PC(of);
    registers->sp = (uint64_t)CONTEXT_SP(of);
    registers->flags = (uint64_t)CONTEXT_FLAGS(of);
}

static void registers_write(ucontext_t *of, const host_registers_t *registers)
{
    for (unsigned i = 0; i < GENERAL_COUNT; i++)
        *general_register(of, i) = (host_register_t)registers->general[i];
    CONTEXT_PC(of) = (host_register_t)registers->pc;
    CONTEXT_SP(of) = (host_register_t)registers->sp;
    CONTEXT_FLAGS(of) = (host_register_t)registers->flags;
}

#elif defined(__APPLE__)

enum { FIRST_ARGUMENT = 0 };

static void registers_read(host_registers_t *registers, ucontext_t *of)
{
    __typeof__(&of->uc_mcontext->__ss) s = &of->uc_mcontext->__ss;
    memcpy(registers->general, s->__x, sizeof s->__x); /* x0-x28 */
    registers->general[29] = (uint64_t)__darwin_arm_thread_state64_get_fp(*s);
    registers->general[30] = (uint64_t)__darwin_arm_thread_state64_get_lr(*s);
    registers->pc = (uint64_t)__darwin_arm_thread_state64_get_pc(*s);
    registers->sp = (uint64_t)__darwin_arm_thread_state64_get_sp(*s);
    registers->flags = s->__cpsr;
}

static void registers_write(ucontext_t *of, const host_registers_t *registers)
{
    __typeof__(&of->uc_mcontext->__ss) s = &of->uc_mcontext->__ss;
    memcpy(s->__x, registers->general, sizeof s->__x);
    __darwin_arm_thread_state64_set_fp(*s, (void *)registers->general[29]);
    __darwin_arm_thread_state64_set_lr_fptr(*s, (void *)registers->general[30]);
    __darwin_arm_thread_state64_set_pc_fptr(*s, (void *)registers->pc);
    __darwin_arm_thread_state64_set_sp(*s, (void *)registers->sp);
    s->__cpsr = (uint32_t)registers->flags;
}

#else

enum { FIRST_ARGUMENT = 0 };

static void registers_read(host_registers_t *registers, ucontext_t *of)
{
    memcpy(registers->general, of->uc_mcontext.regs, sizeof registers->general);
    registers->pc = of->uc_mcontext.pc;
    registers->sp = of->uc_mcontext.sp;
    registers->flags = of->uc_mcontext.pstate;
}

static void registers_write(ucontext_t *of, const host_registers_t *registers)
{
    memcpy(of->uc_mcontext.regs, registers->general, sizeof registers->general);
    of->uc_mcontext.pc = registers->pc;
    of->uc_mcontext.sp = registers->sp;
    of->uc_mcontext.pstate = registers->flags;
}

#endif

/* ---- the vector unit ---- */

#if defined(__APPLE__)

static size_t interrupted_bytes(const ucontext_t *now)
{
    (void)now;
    return sizeof(host_interrupted_t);
}

static void keep(host_interrupted_t *kept, const ucontext_t *now)
{
    kept->state = *now->uc_mcontext;
    kept->context.uc_mcontext = &kept->state;
}

static void put_back(ucontext_t *now, const host_interrupted_t *kept) { *now->uc_mcontext = kept->state; }

#elif defined(__x86_64__)

/* The size of the state is in the part of the legacy area that the processor leaves to software. */
enum { LEGACY_BYTES = 512, SOFTWARE_WORDS = 464, EXTENDED_MAGIC = 0x46505853, EXTENDED_MOST = 16384 };

static size_t vector_bytes(const ucontext_t *now)
{
    struct {
        uint32_t magic, extended_bytes;
    } words;
    if (now->uc_mcontext.fpregs == NULL)
        return 0;
    memcpy(&words, (const char *)now->uc_mcontext.fpregs + SOFTWARE_WORDS, sizeof words);
    return words.magic == EXTENDED_MAGIC && words.extended_bytes <= EXTENDED_MOST ? words.extended_bytes : LEGACY_BYTES;
}

static size_t interrupted_bytes(const ucontext_t *now) { return sizeof(host_interrupted_t) + vector_bytes(now); }

static void keep(host_interrupted_t *kept, const ucontext_t *now)
{
    kept->vector_bytes = vector_bytes(now);
    memcpy(kept->vector, now->uc_mcontext.fpregs, kept->vector_bytes);
}

/* But for protection keys: what the thread may touch now is not what it might then. */
static void put_back(ucontext_t *now, const host_interrupted_t *kept)
{
    uint32_t keys = context_keys(now);
    memcpy(now->uc_mcontext.gregs, kept->context.uc_mcontext.gregs, sizeof now->uc_mcontext.gregs);
    if (vector_bytes(now) == kept->vector_bytes)
        memcpy(now->uc_mcontext.fpregs, kept->vector, kept->vector_bytes);
    context_set_keys(now, keys);
}

#else

static size_t interrupted_bytes(const ucontext_t *now)
{
    (void)now;
    return sizeof(host_interrupted_t);
}

static void keep(host_interrupted_t *kept, const ucontext_t *now)
{
    (void)kept;
    (void)now;
}

/* Behind the registers: a magic number, a size, and so on; 0, 0 ends it. These two hold vector registers. */
enum { FPSIMD_RECORD = 0x46508001, SVE_RECORD = 0x53564501, RECORD_HEAD = 8 };

static unsigned char *find_record(mcontext_t *of, uint32_t magic, uint32_t *bytes)
{
    unsigned char *at = of->__reserved, *end = at + sizeof of->__reserved;
    while (end - at >= RECORD_HEAD) {
        uint32_t head[2];
        memcpy(head, at, sizeof head);
        if (head[0] == 0 || head[1] < RECORD_HEAD || head[1] > end - at)
            return NULL;
        *bytes = head[1];
        if (head[0] == magic)
            return at;
        at += head[1];
    }
    return NULL;
}

static void put_record_back(ucontext_t *now, const host_interrupted_t *kept, uint32_t magic)
{
    uint32_t       bytes = 0, kept_bytes = 0;
    unsigned char *to = find_record(&now->uc_mcontext, magic, &bytes);
    unsigned char *from = find_record((mcontext_t *)&kept->context.uc_mcontext, magic, &kept_bytes);
    if (to != NULL && from != NULL && bytes == kept_bytes)
        memcpy(to, from, bytes);
}

static void put_back(ucontext_t *now, const host_interrupted_t *kept)
{
    memcpy(now->uc_mcontext.regs, kept->context.uc_mcontext.regs, sizeof now->uc_mcontext.regs);
    now->uc_mcontext.sp = kept->context.uc_mcontext.sp;
    now->uc_mcontext.pc = kept->context.uc_mcontext.pc;
    now->uc_mcontext.pstate = kept->context.uc_mcontext.pstate;
    put_record_back(now, kept, FPSIMD_RECORD);
    put_record_back(now, kept, SVE_RECORD);
}

#endif

/* ---- there and back ---- */

void host_fault_registers(const host_fault_t *fault, host_registers_t *registers) { registers_read(registers, fault->context); }

void host_fault_redirect_resumable(host_fault_t *fault, void (*target)(void *))
{
    const ucontext_t   *now = fault->context;
    uintptr_t           top = (fault->sp - HOST_RED_ZONE - interrupted_bytes(now)) & ~(uintptr_t)63;
    host_interrupted_t *kept = (host_interrupted_t *)top;
    host_tools_forget(kept, interrupted_bytes(now));
    kept->context = *now;
    keep(kept, now);
    host_fault_redirect(fault, target, kept, kept);
}

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
#define POINT_INTO_PAGE_ZERO "movl $8, %eax\n"
#define READ_THERE "movb (%rax), %al\nud2\n"
#else
#define POINT_INTO_PAGE_ZERO "mov x1, #8\n"
#define READ_THERE "ldrb w1, [x1]\nbrk #1\n"
#endif

_Noreturn void    host_resume(const host_interrupted_t *kept); /* in the first argument register when it faults */
extern const char host_resume_trap[];
/* clang-format off */
__asm__(".text\n"
        ".balign 16\n" LABEL("host_resume") ".cfi_startproc\n" POINT_INTO_PAGE_ZERO
        INSIDE("host_resume_trap") LABEL("host_resume_trap") READ_THERE ".cfi_endproc\n");
/* clang-format on */

bool host_fault_resumes(ucontext_t *now, uintptr_t pc)
{
    host_registers_t registers;
    if (pc != (uintptr_t)host_resume_trap)
        return false;
    registers_read(&registers, now);
    put_back(now, (const host_interrupted_t *)registers.general[FIRST_ARGUMENT]);
    return true;
}

void host_interrupted_registers(host_interrupted_t *kept, host_registers_t *registers) { registers_read(registers, &kept->context); }

_Noreturn void host_interrupted_go_on(host_interrupted_t *kept, const host_registers_t *registers)
{
    registers_write(&kept->context, registers);
    host_resume(kept);
}
