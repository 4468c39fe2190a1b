/*
 * fault_decode_x86.c - the address behind a general protection fault.
 * A pointer such as 0xDFDFDFDFDFDFDFDF, read from freed memory, is not canonical: the processor refuses it before any page table is asked,
 * and reports neither address nor access. The registers and the instruction's bytes still say both:
 *
 *     [prefixes] [REX | VEX | EVEX] opcode [ModRM [SIB] [displacement]] ...        address = base + index * scale + displacement
 *
 * What is not decoded (segments with a base, gathers, scaled EVEX displacements) yields address 0, and a few rare vector stores count as
 * loads: the fault is reported all the same, with less detail. Built on every host, so that it is tested on every host.
 * Source      Intel SDM volume 2, chapter 2 and appendix A (instruction format, opcode maps).
 */
#include "host/fault_decode.h"

enum { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A };
enum { REX_B = 1, REX_X = 2, REX_R = 4 };
enum { RSP = 4, RBP = 5, RSI = 6, RDI = 7 }; /* as the processor numbers them */

typedef struct instruction {
    const uint8_t *at, *end;
    unsigned       map, opcode, rex;
    bool           short_addresses;     /* prefix 67: 32-bit addresses are always canonical */
    bool           based_segment;       /* FS or GS: its base is not among the registers */
    bool           scaled_displacement; /* EVEX counts a one-byte displacement in vectors */
    bool           repeats;             /* prefix F2 or F3, which tells apart some opcodes */
    bool           cut_short;           /* more bytes were needed than could be read */
} instruction_t;

static unsigned next(instruction_t *i)
{
    if (i->at < i->end)
        return *i->at++;
    i->cut_short = true;
    return 0;
}

static unsigned read_prefixes(instruction_t *i)
{
    for (;;) {
        unsigned byte = next(i);
        switch (byte) {
        case 0x67: i->short_addresses = true; break;
        case 0x64:
        case 0x65: i->based_segment = true; break;
        case 0xf2:
        case 0xf3: i->repeats = true; break;
        case 0x66:
        case 0xf0:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x26: break;
        default: return byte;
        }
    }
}

/* VEX and EVEX carry REX's bits inverted in the top of their first byte, and the map below. */
static void read_vector_prefix(instruction_t *i, unsigned first)
{
    unsigned byte = next(i);
    i->rex = ~byte >> 5 & 7; /* R X B */
    i->map = byte & 7;
    if (first == 0xc5) {
        i->rex &= REX_R;
        i->map = MAP_0F;
    } else {
        byte = next(i);
    }
    i->repeats = (byte & 3) >= 2;
    if (first == 0x62) {
        next(i);
        i->scaled_displacement = true;
    }
    i->opcode = next(i);
}

static void read_opcode(instruction_t *i)
{
    unsigned byte = read_prefixes(i);
    if ((byte & 0xf0) == 0x40) {
        i->rex = byte & 0xf;
        byte = next(i);
    }
    i->map = MAP_ONE_BYTE;
    if (byte == 0x62 || byte == 0xc4 || byte == 0xc5) {
        read_vector_prefix(i, byte);
        return;
    }
    if (byte == 0x0f) {
        i->map = MAP_0F;
        byte = next(i);
        if (byte == 0x38 || byte == 0x3a) {
            i->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
            byte = next(i);
        }
    }
    i->opcode = byte;
}

/* One bit for each opcode of a map, 16 per word. */
static bool listed(const uint16_t table[16], unsigned opcode) { return (table[opcode >> 4] >> (opcode & 15) & 1) != 0; }

static bool has_modrm(const instruction_t *i)
{
    static const uint16_t one_byte[16] = { 0x0f0f, 0x0f0f, 0x0f0f, 0x0f0f, 0, 0, 0x0a08, 0, 0xffff, 0, 0, 0, 0x00c3, 0xff0f, 0, 0xc0c0 };
    static const uint16_t map_0f[16] = { 0xa00f, 0xffff, 0xff0f, 0,      0xffff, 0xffff, 0xffff, 0xff7f,
                                         0,      0xffff, 0xf838, 0xffff, 0x00ff, 0xffff, 0xffff, 0xffff };
    if (i->map == MAP_ONE_BYTE)
        return listed(one_byte, i->opcode);
    return i->map != MAP_0F || listed(map_0f, i->opcode);
}

static int64_t read_displacement(instruction_t *i, unsigned bytes)
{
    uint32_t wide = 0;
    if (bytes == 1)
        return (int8_t)next(i);
    for (unsigned n = 0; n < bytes; n++)
        wide |= next(i) << (8 * n);
    return (int32_t)wide;
}

/* base + index * scale of a SIB byte. */
static uint64_t read_sib(instruction_t *i, unsigned mode, const uint64_t registers[16], unsigned *displacement_bytes)
{
    unsigned sib = next(i);
    unsigned base = (sib & 7) | ((i->rex & REX_B) != 0 ? 8u : 0);
    unsigned index = (sib >> 3 & 7) | ((i->rex & REX_X) != 0 ? 8u : 0);
    uint64_t address = index != RSP ? registers[index] << (sib >> 6) : 0;
    if ((base & 7) == RBP && mode == 0)
        *displacement_bytes = 4;
    else
        address += registers[base];
    return address;
}

/* The address a ModRM byte means; 0 when it names a register or lies relative to the instruction. */
static uintptr_t read_address(instruction_t *i, unsigned modrm, const uint64_t registers[16])
{
    unsigned mode = modrm >> 6, base = modrm & 7, displacement_bytes = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    bool     gather = i->map == MAP_0F38 && ((i->opcode & 0xfc) == 0x90 || (i->opcode & 0xfc) == 0xa0);
    if (mode == 3 || (mode == 0 && base == RBP) || i->short_addresses || i->based_segment || gather)
        return 0;
    if (mode == 1 && i->scaled_displacement)
        return 0;
    uint64_t address = base == RSP ? read_sib(i, mode, registers, &displacement_bytes) : registers[base | ((i->rex & REX_B) != 0 ? 8u : 0)];
    return (uintptr_t)(address + (uint64_t)read_displacement(i, displacement_bytes));
}

/* Where ModRM's middle field (0..7) is part of the opcode, one bit for each value that writes. */
static const struct group {
    uint8_t map, opcode, writing;
} groups[] = {
    { MAP_ONE_BYTE, 0x80, 0x7f }, { MAP_ONE_BYTE, 0x81, 0x7f }, { MAP_ONE_BYTE, 0x83, 0x7f }, /* all but cmp */
    { MAP_ONE_BYTE, 0xd9, 0xcc }, { MAP_ONE_BYTE, 0xdb, 0x8e }, { MAP_ONE_BYTE, 0xdd, 0xce }, /* x87 stores */
    { MAP_ONE_BYTE, 0xdf, 0xce }, { MAP_ONE_BYTE, 0xf6, 0x0c }, { MAP_ONE_BYTE, 0xf7, 0x0c }, /* not, neg */
    { MAP_ONE_BYTE, 0xfe, 0x03 }, { MAP_ONE_BYTE, 0xff, 0x03 },                               /* inc, dec */
    { MAP_0F, 0xae, 0x59 },                                                                   /* fxsave, stmxcsr, xsave, xsaveopt */
    { MAP_0F, 0xba, 0xe0 },       { MAP_0F, 0xc7, 0x32 },                                     /* bts, btr, btc; cmpxchg8b, xsavec, xsaves */
};

/* Opcodes whose memory operand is the destination, whatever the middle field says. */
static bool stores(const instruction_t *i)
{
    static const uint16_t one_byte[16] = { 0x0303, 0x0303, 0x0303, 0x0003, 0, 0, 0, 0, 0x93c0, 0, 0, 0, 0x00c3, 0x000f, 0, 0 };
    static const uint16_t map_0f[16] = { 0, 0x008a, 0x0a00, 0, 0, 0, 0, 0x8000, 0, 0xffff, 0x3830, 0x080b, 0x000b, 0x0040, 0x0080, 0 };
    switch (i->map) {
    case MAP_ONE_BYTE: return listed(one_byte, i->opcode);
    case MAP_0F: return listed(map_0f, i->opcode) || (i->opcode == 0x7e && !i->repeats); /* movd; with F3 it loads */
    case MAP_0F38:
        return i->opcode == 0x2e || i->opcode == 0x2f || i->opcode == 0x8e || (i->opcode == 0xf1 && !i->repeats); /* vmaskmov, movbe */
    case MAP_0F3A:
        return (i->opcode & 0xfc) == 0x14 || i->opcode == 0x19 || i->opcode == 0x1d || i->opcode == 0x39; /* pextr, vextract, vcvtps2ph */
    default: return false;
    }
}

static bool writes(const instruction_t *i, unsigned extension)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        if (groups[g].map == i->map && groups[g].opcode == i->opcode)
            return (groups[g].writing >> extension & 1) != 0;
    return stores(i);
}

static bool is_canonical(uint64_t address)
{
    int64_t high = (int64_t)address >> 47;
    return high == 0 || high == -1;
}

/* String instructions have their addresses in rsi and rdi; the ones that move have both. */
static host_operand_t string_operand(const instruction_t *i, const uint64_t registers[16])
{
    unsigned opcode = i->opcode;
    bool     reads_source = opcode <= 0xa7 || opcode == 0xac || opcode == 0xad;
    bool     writes_target = opcode == 0xa4 || opcode == 0xa5 || opcode == 0xaa || opcode == 0xab;
    if (i->short_addresses || i->based_segment)
        return (host_operand_t){ .address = 0 };
    if (reads_source && (opcode >= 0xac || !is_canonical(registers[RSI])))
        return (host_operand_t){ .address = (uintptr_t)registers[RSI] };
    return (host_operand_t){ .address = (uintptr_t)registers[RDI], .write = writes_target };
}

/* call and jmp through a register: the target is the address. Through memory: the operand if that is wild, else what it holds, unknown. */
static host_operand_t jump_operand(instruction_t *i, unsigned modrm, const uint64_t registers[16])
{
    if (modrm >> 6 == 3)
        return (host_operand_t){ .address = (uintptr_t)registers[(modrm & 7) | ((i->rex & REX_B) != 0 ? 8u : 0)], .execute = true };
    host_operand_t operand = { .address = read_address(i, modrm, registers) };
    if (is_canonical(operand.address))
        operand = (host_operand_t){ .execute = true };
    return operand;
}

static host_operand_t modrm_operand(instruction_t *i, const uint64_t registers[16])
{
    unsigned modrm = next(i), extension = modrm >> 3 & 7;
    if (i->map == MAP_ONE_BYTE && i->opcode == 0xff && (extension == 2 || extension == 4))
        return jump_operand(i, modrm, registers);
    host_operand_t operand = { .address = read_address(i, modrm, registers) };
    operand.write = operand.address != 0 && writes(i, extension);
    return operand;
}

host_operand_t host_decode_x86(const uint8_t *code, size_t bytes, const uint64_t registers[16])
{
    instruction_t  i = { .at = code, .end = code + (bytes < 15 ? bytes : 15) };
    host_operand_t operand = { .address = 0 };
    read_opcode(&i);
    if (i.map == MAP_ONE_BYTE && ((i.opcode >= 0xa4 && i.opcode <= 0xa7) || (i.opcode >= 0xaa && i.opcode <= 0xaf)))
        operand = string_operand(&i, registers);
    else if (i.map == MAP_ONE_BYTE && (i.opcode == 0xc2 || i.opcode == 0xc3))
        operand.execute = true; /* ret: the target was on the stack */
    else if (has_modrm(&i))
        operand = modrm_operand(&i, registers);
    return i.cut_short ? (host_operand_t){ .address = 0 } : operand;
}
