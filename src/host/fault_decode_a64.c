/*
 * fault_decode_a64.c - does this AArch64 instruction load or store? Asked where the signal frame has no ESR record.
 * Stores of the vector extension SME count as loads: the kernels that know it write the record. Those of SVE do not, since emulators have SVE
 * and no record, and a C library copies with it. Built on every host, so that it is tested on every host.
 * Source      Arm ARM, C4 (A64 instruction set encoding: Loads and Stores).
 */
#include "host/fault_decode.h"

static bool bit(uint32_t instruction, unsigned number) { return (instruction >> number & 1) != 0; }

/* Exclusives and ordered: bit 22 is "load"; CAS and CASP have bit 21 set where the others mean a pair. */
static bool exclusive_writes(uint32_t instruction)
{
    bool compare_and_swap = bit(instruction, 21) && (bit(instruction, 23) || !bit(instruction, 31));
    return compare_and_swap || !bit(instruction, 22);
}

/* One register: bits 23:22 are 0 for stores, for vectors of 16 bytes 2. Atomics sit where bit 21 is set and bits 11:10 are zero. */
static bool single_writes(uint32_t instruction)
{
    bool     register_form = !bit(instruction, 24) && bit(instruction, 21);
    unsigned form = instruction >> 10 & 3;
    if (register_form && form == 0)
        return (instruction & 0x0080f000) != 0x0080c000; /* LDAPR is the one atomic that only reads */
    if (register_form && form != 2)
        return false; /* loads with pointer authentication */
    return bit(instruction, 26) ? !bit(instruction, 22) : (instruction >> 22 & 3) == 0;
}

bool host_decode_a64_writes(uint32_t instruction)
{
    if ((instruction & 0xffffffe0) == 0xd50b7420)
        return true; /* DC ZVA */
    if ((instruction & 0xfe000000) == 0xe4000000)
        return true; /* SVE stores, all of them */
    if ((instruction & 0x0a000000) != 0x08000000)
        return false; /* not among the loads and stores */
    if ((instruction & 0x3f000000) == 0x08000000)
        return exclusive_writes(instruction);
    if ((instruction & 0xbe000000) == 0x0c000000 || (instruction & 0x38000000) == 0x28000000)
        return !bit(instruction, 22); /* vector structures; pairs */
    if ((instruction & 0x3f000000) == 0x19000000)
        return (instruction >> 22 & 3) == 0; /* STLUR */
    if ((instruction & 0x38000000) == 0x38000000)
        return single_writes(instruction);
    return false; /* literal loads */
}
