/*
 * fault_decode.h - what the instruction at a fault was doing, for hosts and faults where no error code says.
 */
#ifndef NTMM_HOST_FAULT_DECODE_H
#define NTMM_HOST_FAULT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct host_operand {
    uintptr_t address; /* of the memory operand, or of the jump's target; 0 when it is not known */
    bool      write, execute;
} host_operand_t;

/**
 * The memory operand of an x86-64 instruction that raised a general protection fault.
 *
 * @param code       its bytes; a longest instruction has 15, fewer may be readable
 * @param registers  the 16 general registers as the processor numbers them (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 ...)
 */
host_operand_t host_decode_x86(const uint8_t *code, size_t bytes, const uint64_t registers[16]);

/** true when the A64 instruction word writes memory. */
bool host_decode_a64_writes(uint32_t instruction);

#endif
