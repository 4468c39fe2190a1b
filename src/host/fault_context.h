/*
 * fault_context.h - the processor's state inside a signal frame: what faulted, and where to go on.
 * Four hosts keep the same facts in four places; this is the only file that knows them.
 *
 *                    pc, sp            what kind of access                              address
 *   Linux x86-64     gregs             REG_ERR, the page fault's error code             si_addr; after general protection the operand's
 *   Linux AArch64    pc, sp            ESR record behind the registers, if there        si_addr
 *   macOS x86-64     __ss              __es.__err                                       si_addr
 *   macOS arm64      __ss              __es.__esr                                       __es.__far
 *
 * The register of protection keys lies among the vector registers: protection_key.c finds it.
 * Without an error record the instruction itself tells a store from a load, and a non-canonical address (fault_decode.h).
 *
 * Source      Intel SDM volume 3, Page-Fault Exception (error code bits); Arm ARM, ESR_EL1 (EC, WnR, CM);
 *             System V AMD64 ABI and AAPCS64 (state at a function's entry).
 */
#ifndef NTMM_HOST_FAULT_CONTEXT_H
#define NTMM_HOST_FAULT_CONTEXT_H

#include "host/fault_decode.h"
#include "host/fault_landing.h"
#include "host/host.h"

#include <signal.h>
#include <sys/ucontext.h>
#ifdef __APPLE__
#include "host/mach.h"
#endif

#define HOST_RED_ZONE 128 /* bytes below sp that a leaf function may use without saying so */

/* Protection keys (protection_key.c): what the thread was refused for; and the register of keys that it goes on with, 0 where there is none. */
bool     context_is_by_key(const siginfo_t *info);
uint32_t context_keys(const ucontext_t *uc);
void     context_set_keys(ucontext_t *uc, uint32_t keys);

#if defined(__APPLE__)
#define HOST_SENT_BY_A_PROGRAM(info) ((info)->si_code >= SI_USER) /* 0x10001; the kernel's own codes are small */
#else
#define HOST_SENT_BY_A_PROGRAM(info) ((info)->si_code <= 0)
#endif

#if defined(__x86_64__)

enum { X86_PAGE_FAULT_WRITE = 1u << 1, X86_PAGE_FAULT_FETCH = 1u << 4 };
enum { X86_TRAP_STACK = 12, X86_TRAP_GENERAL_PROTECTION = 13, X86_TRAP_PAGE_FAULT = 14 };
enum { X86_FLAG_TRAP = 1u << 8, X86_FLAG_DIRECTION = 1u << 10 };

#if defined(__APPLE__)
#define CONTEXT_PC(uc) ((uc)->uc_mcontext->__ss.__rip)
#define CONTEXT_SP(uc) ((uc)->uc_mcontext->__ss.__rsp)
#define CONTEXT_FRAME(uc) ((uc)->uc_mcontext->__ss.__rbp)
#define CONTEXT_ARGUMENT_1(uc) ((uc)->uc_mcontext->__ss.__rdi)
#define CONTEXT_ARGUMENT_2(uc) ((uc)->uc_mcontext->__ss.__rsi)
#define CONTEXT_FLAGS(uc) ((uc)->uc_mcontext->__ss.__rflags)
#define CONTEXT_ERROR(uc) ((uc)->uc_mcontext->__es.__err)
#define CONTEXT_TRAP(uc) ((uc)->uc_mcontext->__es.__trapno)
typedef uint64_t host_register_t;

static inline uint64_t context_register(const ucontext_t *uc, unsigned number)
{
    const _STRUCT_X86_THREAD_STATE64 *s = &uc->uc_mcontext->__ss;
    const uint64_t                    all[16] = { s->__rax, s->__rcx, s->__rdx, s->__rbx, s->__rsp, s->__rbp, s->__rsi, s->__rdi,
                                                  s->__r8,  s->__r9,  s->__r10, s->__r11, s->__r12, s->__r13, s->__r14, s->__r15 };
    return all[number];
}
#else
#define CONTEXT_PC(uc) ((uc)->uc_mcontext.gregs[REG_RIP])
#define CONTEXT_SP(uc) ((uc)->uc_mcontext.gregs[REG_RSP])
#define CONTEXT_FRAME(uc) ((uc)->uc_mcontext.gregs[REG_RBP])
#define CONTEXT_ARGUMENT_1(uc) ((uc)->uc_mcontext.gregs[REG_RDI])
#define CONTEXT_ARGUMENT_2(uc) ((uc)->uc_mcontext.gregs[REG_RSI])
#define CONTEXT_FLAGS(uc) ((uc)->uc_mcontext.gregs[REG_EFL])
#define CONTEXT_ERROR(uc) ((uc)->uc_mcontext.gregs[REG_ERR])
#define CONTEXT_TRAP(uc) ((uc)->uc_mcontext.gregs[REG_TRAPNO])
typedef greg_t host_register_t;

static inline uint64_t context_register(const ucontext_t *uc, unsigned number)
{
    static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                       REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    return (uint64_t)uc->uc_mcontext.gregs[order[number]];
}
#endif

/* A non-canonical address never reaches the page tables: the processor reports general protection (through rsp or rbp: a stack fault) and
 * does not say which address it was. */
static inline void context_read_general_protection(host_fault_t *fault, const ucontext_t *uc)
{
    uint64_t registers[16];
    for (unsigned i = 0; i < 16; i++)
        registers[i] = context_register(uc, i);
    uint8_t        code[15];
    host_operand_t operand = host_decode_x86(code, host_copy_safely(code, (const void *)fault->pc, sizeof code), registers);
    fault->non_canonical = 1;
    fault->address = operand.address;
    fault->write = operand.write;
    fault->execute = operand.execute;
}

static inline void context_read(host_fault_t *fault, const siginfo_t *info, ucontext_t *uc)
{
    fault->pc = (uintptr_t)CONTEXT_PC(uc);
    fault->sp = (uintptr_t)CONTEXT_SP(uc);
    fault->address = (uintptr_t)info->si_addr;
    if (CONTEXT_TRAP(uc) == X86_TRAP_PAGE_FAULT) {
        fault->write = (CONTEXT_ERROR(uc) & X86_PAGE_FAULT_WRITE) != 0;
        fault->execute = (CONTEXT_ERROR(uc) & X86_PAGE_FAULT_FETCH) != 0;
    } else if (fault->address == fault->pc) {
        fault->execute = 1; /* Valgrind reports its own failure to fetch, without a trap */
    } else if (CONTEXT_TRAP(uc) == X86_TRAP_GENERAL_PROTECTION || CONTEXT_TRAP(uc) == X86_TRAP_STACK) {
        context_read_general_protection(fault, uc);
    }
}

static inline void context_go_to(ucontext_t *uc, uintptr_t pc) { CONTEXT_PC(uc) = (host_register_t)pc; }

/* Go on in the landing, direction flag clear as at any function's entry. */
static inline void context_enter(ucontext_t *uc, host_landing_t *landing, uintptr_t target, uintptr_t argument)
{
    landing->frame_pointer = (uintptr_t)CONTEXT_FRAME(uc);
    landing->return_address = 0;
    CONTEXT_PC(uc) = (host_register_t)(uintptr_t)host_fault_landing;
    CONTEXT_SP(uc) = (host_register_t)(uintptr_t)landing;
    CONTEXT_FRAME(uc) = (host_register_t)(uintptr_t)landing;
    CONTEXT_ARGUMENT_1(uc) = (host_register_t)argument;
    CONTEXT_ARGUMENT_2(uc) = (host_register_t)target;
    CONTEXT_FLAGS(uc) &= ~(host_register_t)(X86_FLAG_DIRECTION | X86_FLAG_TRAP);
}

/* A call to an address that holds no code has left no frame: its caller stands for it. */
static inline void context_skip_bad_call(const ucontext_t *uc, host_landing_t *landing)
{
    uintptr_t caller;
    (void)uc;
    if (host_copy_safely(&caller, (const void *)landing->sp, sizeof caller) == sizeof caller) {
        landing->pc = caller;
        landing->sp += sizeof caller;
    }
}

#elif defined(__aarch64__)

enum { ESR_FETCH_LOWER = 0x20, ESR_FETCH_SAME = 0x21, ESR_DATA_LOWER = 0x24, ESR_DATA_SAME = 0x25 }; /* exception classes of aborts */
enum { ESR_WRITE = 1u << 6, ESR_CACHE_MAINTENANCE = 1u << 8 };
enum { PSTATE_BRANCH_TYPE = 3u << 10 };

#if defined(__APPLE__)
static inline uintptr_t context_pc(const ucontext_t *uc) { return (uintptr_t)__darwin_arm_thread_state64_get_pc(uc->uc_mcontext->__ss); }
static inline uintptr_t context_sp(const ucontext_t *uc) { return (uintptr_t)__darwin_arm_thread_state64_get_sp(uc->uc_mcontext->__ss); }
static inline uint64_t  context_esr(const ucontext_t *uc) { return uc->uc_mcontext->__es.__esr; }
static inline uintptr_t context_address(const ucontext_t *uc, const siginfo_t *info)
{
    (void)info; /* si_addr is the same, but not on every release for an instruction fetch */
    return (uintptr_t)uc->uc_mcontext->__es.__far;
}
#else
#define CONTEXT_ESR_MAGIC 0x45535201u

static inline uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.pc; }
static inline uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.sp; }
static inline uintptr_t context_address(const ucontext_t *uc, const siginfo_t *info)
{
    (void)uc;
    return (uintptr_t)info->si_addr;
}

/* Records of a magic number and a size follow the registers; 0, 0 ends them. 0: there is no ESR record. */
static inline uint64_t context_esr(const ucontext_t *uc)
{
    const unsigned char *at = uc->uc_mcontext.__reserved;
    const unsigned char *end = at + sizeof uc->uc_mcontext.__reserved;
    while (end - at >= 16) {
        const uint32_t *head = (const uint32_t *)(const void *)at;
        if (head[0] == CONTEXT_ESR_MAGIC)
            return *(const uint64_t *)(const void *)(at + 8);
        if (head[0] == 0 || head[1] < 8)
            return 0;
        at += head[1];
    }
    return 0;
}
#endif

static inline bool context_instruction_writes(uintptr_t pc)
{
    uint32_t instruction;
    size_t   read = host_copy_safely(&instruction, (const void *)pc, sizeof instruction);
    return read == sizeof instruction && host_decode_a64_writes(instruction);
}

static inline void context_read(host_fault_t *fault, const siginfo_t *info, ucontext_t *uc)
{
    uint64_t esr = context_esr(uc);
    unsigned class = (unsigned)(esr >> 26) & 0x3f;
    fault->pc = context_pc(uc);
    fault->sp = context_sp(uc);
    fault->address = context_address(uc, info);
    int64_t high = (int64_t)((uint64_t)fault->address << 8) >> 60; /* bits 52..55; the kernel has cleared the tag above */
    fault->non_canonical = high != 0 && high != -1;
    if (class == ESR_FETCH_LOWER || class == ESR_FETCH_SAME) {
        fault->execute = 1;
    } else if (class == ESR_DATA_LOWER || class == ESR_DATA_SAME) {
        fault->write = (esr & (ESR_WRITE | ESR_CACHE_MAINTENANCE)) == ESR_WRITE;
    } else {
        fault->execute = fault->address == fault->pc;
        fault->write = !fault->execute && context_instruction_writes(fault->pc);
    }
}

#if defined(__APPLE__)
static inline void context_go_to(ucontext_t *uc, uintptr_t pc)
{
    __darwin_arm_thread_state64_set_pc_fptr(uc->uc_mcontext->__ss, (void *)pc);
}

static inline void context_enter(ucontext_t *uc, host_landing_t *landing, uintptr_t target, uintptr_t argument)
{
    landing->frame_pointer = (uintptr_t)__darwin_arm_thread_state64_get_fp(uc->uc_mcontext->__ss);
    landing->return_address = (uintptr_t)__darwin_arm_thread_state64_get_lr(uc->uc_mcontext->__ss);
    __darwin_arm_thread_state64_set_pc_fptr(uc->uc_mcontext->__ss, (void *)(uintptr_t)host_fault_landing);
    __darwin_arm_thread_state64_set_sp(uc->uc_mcontext->__ss, landing);
    __darwin_arm_thread_state64_set_fp(uc->uc_mcontext->__ss, landing);
    uc->uc_mcontext->__ss.__x[0] = argument;
    uc->uc_mcontext->__ss.__x[1] = target;
    uc->uc_mcontext->__ss.__cpsr &= ~(uint32_t)PSTATE_BRANCH_TYPE;
}

static inline uintptr_t context_link(const ucontext_t *uc) { return (uintptr_t)__darwin_arm_thread_state64_get_lr(uc->uc_mcontext->__ss); }
#else
static inline void context_go_to(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.pc = pc; }

static inline void context_enter(ucontext_t *uc, host_landing_t *landing, uintptr_t target, uintptr_t argument)
{
    landing->frame_pointer = uc->uc_mcontext.regs[29];
    landing->return_address = uc->uc_mcontext.regs[30];
    uc->uc_mcontext.pc = (uintptr_t)host_fault_landing;
    uc->uc_mcontext.sp = (uintptr_t)landing;
    uc->uc_mcontext.regs[29] = (uintptr_t)landing;
    uc->uc_mcontext.regs[0] = argument;
    uc->uc_mcontext.regs[1] = target;
    uc->uc_mcontext.pstate &= ~(uint64_t)PSTATE_BRANCH_TYPE; /* what we return to is no target of an indirect branch */
}

static inline uintptr_t context_link(const ucontext_t *uc) { return uc->uc_mcontext.regs[30]; }
#endif

/* A call to an address that holds no code has left no frame: its caller stands for it. */
static inline void context_skip_bad_call(const ucontext_t *uc, host_landing_t *landing) { landing->pc = context_link(uc); }

#else
#error "ntmm knows the signal frames of x86-64 and AArch64"
#endif

#endif
