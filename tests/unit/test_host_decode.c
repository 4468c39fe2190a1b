/*
 * test_host_decode.c - what the instruction decoders make of code: one row per instruction form, its bytes as an assembler wrote them.
 * Register n holds 0x9a00000000000000 + n * 0x1010101010, so every sum of a base and an index is recognisable.
 */
#include "host/fault_decode.h"
#include "host/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define REGISTER(n) (UINT64_C(0x9a00000000000000) + (uint64_t)(n)*UINT64_C(0x1010101010))
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { READ, WRITE, EXECUTE };

static struct x86_case {
    const char *name;
    uint8_t     code[15], bytes;
    uint64_t    address;
    int         access;
} x86_cases[] = {
    { "mov (%rax),%al", { 0x8a, 0x00 }, 2, REGISTER(RAX), READ },
    { "mov %al,(%rax)", { 0x88, 0x00 }, 2, REGISTER(RAX), WRITE },
    { "mov 8(%r13),%r9", { 0x4d, 0x8b, 0x4d, 0x08 }, 4, REGISTER(R13) + 8, READ },
    { "mov -8(%rbp),%eax", { 0x8b, 0x45, 0xf8 }, 3, REGISTER(RBP) - 8, READ },
    { "mov %rdx,0x12345678(%r12)", { 0x49, 0x89, 0x94, 0x24, 0x78, 0x56, 0x34, 0x12 }, 8, REGISTER(R12) + 0x12345678, WRITE },
    { "mov (%rsp,%rcx,8),%rax", { 0x48, 0x8b, 0x04, 0xcc }, 4, REGISTER(RSP) + (REGISTER(RCX) << 3), READ },
    { "movl $1,(,%r15,4)", { 0x42, 0xc7, 0x04, 0xbd, 0, 0, 0, 0, 1, 0, 0, 0 }, 12, REGISTER(R15) << 2, WRITE },
    { "mov 0x10(%rip),%rax: always canonical", { 0x48, 0x8b, 0x05, 0x10, 0, 0, 0 }, 7, 0, READ },
    { "mov %fs:(%rax),%rax: a base we do not know", { 0x64, 0x48, 0x8b, 0x00 }, 4, 0, READ },
    { "mov (%eax),%eax: always canonical", { 0x67, 0x8b, 0x00 }, 3, 0, READ },
    { "lock cmpxchg %rcx,(%rdx)", { 0xf0, 0x48, 0x0f, 0xb1, 0x0a }, 5, REGISTER(RDX), WRITE },
    { "lock xadd %eax,(%rbx)", { 0xf0, 0x0f, 0xc1, 0x03 }, 4, REGISTER(RBX), WRITE },
    { "addl $1,(%rcx)", { 0x83, 0x01, 0x01 }, 3, REGISTER(RCX), WRITE },
    { "cmpl $1,(%rcx)", { 0x83, 0x39, 0x01 }, 3, REGISTER(RCX), READ },
    { "negq (%rcx)", { 0x48, 0xf7, 0x19 }, 3, REGISTER(RCX), WRITE },
    { "mulq (%rcx)", { 0x48, 0xf7, 0x21 }, 3, REGISTER(RCX), READ },
    { "btsl $3,(%rcx)", { 0x0f, 0xba, 0x29, 0x03 }, 4, REGISTER(RCX), WRITE },
    { "movups (%rsi),%xmm0", { 0x0f, 0x10, 0x06 }, 3, REGISTER(RSI), READ },
    { "movaps %xmm0,(%rdi)", { 0x0f, 0x29, 0x07 }, 3, REGISTER(RDI), WRITE },
    { "movq (%rdi),%xmm0", { 0xf3, 0x0f, 0x7e, 0x07 }, 4, REGISTER(RDI), READ },
    { "movd %xmm0,(%rdi)", { 0x66, 0x0f, 0x7e, 0x07 }, 4, REGISTER(RDI), WRITE },
    { "vmovdqu (%rdi),%ymm0", { 0xc5, 0xfe, 0x6f, 0x07 }, 4, REGISTER(RDI), READ },
    { "vmovdqu %ymm0,(%r8)", { 0xc4, 0xc1, 0x7e, 0x7f, 0x00 }, 5, REGISTER(R8), WRITE },
    { "vpcmpeqb (%rdi),%ymm0,%ymm1", { 0xc5, 0xfd, 0x74, 0x0f }, 4, REGISTER(RDI), READ },
    { "vpbroadcastb (%rdi),%ymm0", { 0xc4, 0xe2, 0x7d, 0x78, 0x07 }, 5, REGISTER(RDI), READ },
    { "vmovdqu64 (%rsi),%zmm16", { 0x62, 0xe1, 0xfe, 0x48, 0x6f, 0x06 }, 6, REGISTER(RSI), READ },
    { "vmovdqu64 64(%rsi),%zmm16: scaled", { 0x62, 0xe1, 0xfe, 0x48, 0x6f, 0x46, 0x01 }, 7, 0, READ },
    { "vmovdqu64 %zmm16,(%rdi)", { 0x62, 0xe1, 0xfe, 0x48, 0x7f, 0x07 }, 6, REGISTER(RDI), WRITE },
    { "vpgatherdd: many addresses", { 0xc4, 0xe2, 0x75, 0x90, 0x04, 0x17 }, 6, 0, READ },
    { "movbe %eax,(%rcx)", { 0x0f, 0x38, 0xf1, 0x01 }, 4, REGISTER(RCX), WRITE },
    { "crc32l (%rcx),%eax", { 0xf2, 0x0f, 0x38, 0xf1, 0x01 }, 5, REGISTER(RCX), READ },
    { "fstpl (%rax)", { 0xdd, 0x18 }, 2, REGISTER(RAX), WRITE },
    { "fldl (%rax)", { 0xdd, 0x00 }, 2, REGISTER(RAX), READ },
    { "rep movsb: the source first", { 0xf3, 0xa4 }, 2, REGISTER(RSI), READ },
    { "rep stosq", { 0xf3, 0x48, 0xab }, 3, REGISTER(RDI), WRITE },
    { "lodsb", { 0xac }, 1, REGISTER(RSI), READ },
    { "repne scasb", { 0xf2, 0xae }, 2, REGISTER(RDI), READ },
    { "call *%r11", { 0x41, 0xff, 0xd3 }, 3, REGISTER(R11), EXECUTE },
    { "jmp *%rax", { 0xff, 0xe0 }, 2, REGISTER(RAX), EXECUTE },
    { "call *8(%rax): the pointer to the target", { 0xff, 0x50, 0x08 }, 3, REGISTER(RAX) + 8, READ },
    { "call *0x10(%rip): the target, unknown", { 0xff, 0x15, 0x10, 0, 0, 0 }, 6, 0, EXECUTE },
    { "ret: the target was on the stack", { 0xc3 }, 1, 0, EXECUTE },
    { "hlt: no operand", { 0xf4 }, 1, 0, READ },
    { "nothing readable at all", { 0 }, 0, 0, READ },
    { "cut short inside the displacement", { 0x48, 0x8b, 0x80, 0x10 }, 4, 0, READ },
};

static void check_x86_case(void **state)
{
    const struct x86_case *row = *state;
    uint64_t               registers[16];
    for (unsigned i = 0; i < 16; i++)
        registers[i] = REGISTER(i);
    host_operand_t operand = host_decode_x86(row->code, row->bytes, registers);
    assert_int_equal(operand.address, row->address);
    assert_int_equal(operand.write, row->access == WRITE);
    assert_int_equal(operand.execute, row->access == EXECUTE);
}

static void a_move_with_a_good_source_reports_its_target(void **state)
{
    (void)state;
    static const uint8_t rep_movsb[] = { 0xf3, 0xa4 };
    uint64_t             registers[16] = { [RSI] = 0x1000, [RDI] = REGISTER(RDI) };
    host_operand_t       operand = host_decode_x86(rep_movsb, sizeof rep_movsb, registers);
    assert_int_equal(operand.address, REGISTER(RDI));
    assert_true(operand.write);
}

/* Any bytes are decoded without reading past their end (AddressSanitizer looks on). */
static void noise_is_harmless(void **state)
{
    (void)state;
    uint64_t registers[16] = { [RDI] = 1 }, seed = 1;
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t code[15];
        for (size_t i = 0; i < sizeof code; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            code[i] = (uint8_t)(seed >> 56);
        }
        size_t         bytes = round % 16;
        host_operand_t operand = host_decode_x86(code + sizeof code - bytes, bytes, registers);
        assert_false(operand.write && operand.execute);
        assert_true(operand.address != 0 || !operand.write);
    }
}

static struct a64_case {
    const char *name;
    uint32_t    instruction;
    bool        writes;
} a64_cases[] = {
    { "ldr x0, [x1]", 0xf9400020, false },
    { "str x0, [x1]", 0xf9000020, true },
    { "ldrsw x0, [x1, #4]", 0xb9800420, false },
    { "strb w0, [x1], #1", 0x38001420, true },
    { "ldr x0, [x1, x2]", 0xf8626820, false },
    { "str x0, [x1, x2]", 0xf8226820, true },
    { "str q0, [x1]", 0x3d800020, true },
    { "ldr q0, [x1]", 0x3dc00020, false },
    { "ldr b0, [x1]", 0x3d400020, false },
    { "ldp x0, x1, [x2]", 0xa9400440, false },
    { "stp x29, x30, [sp, #-16]!", 0xa9bf7bfd, true },
    { "stp q0, q1, [x2]", 0xad000440, true },
    { "ldxr x0, [x1]", 0xc85f7c20, false },
    { "stxr w2, x0, [x1]", 0xc8027c20, true },
    { "ldar x0, [x1]", 0xc8dffc20, false },
    { "stlr x0, [x1]", 0xc89ffc20, true },
    { "casal x0, x1, [x2]", 0xc8e0fc41, true },
    { "ldaddal x0, x1, [x2]", 0xf8e00041, true },
    { "swpb w0, w1, [x2]", 0x38208041, true },
    { "ldapr x0, [x1]", 0xf8bfc020, false },
    { "ldraa x0, [x1, #8]", 0xf8201420, false },
    { "stlur x0, [x1, #8]", 0xd9008020, true },
    { "ldapur x0, [x1, #8]", 0xd9408020, false },
    { "ld1 {v0.16b}, [x1]", 0x4c407020, false },
    { "st1 {v0.16b}, [x1]", 0x4c007020, true },
    { "ld1b {z0.b}, p0/z, [x1]", 0xa400a020, false },
    { "st1b {z0.b}, p0, [x0]", 0xe400e000, true },
    { "prfm pldl1keep, [x1]", 0xf9800020, false },
    { "ldr x0, label", 0x58000040, false },
    { "dc zva, x0", 0xd50b7420, true },
    { "dc civac, x0", 0xd50b7e20, false },
    { "ret", 0xd65f03c0, false },
    { "add x0, x1, x2", 0x8b020020, false },
};

static void check_a64_case(void **state)
{
    const struct a64_case *row = *state;
    assert_int_equal(host_decode_a64_writes(row->instruction), row->writes);
}

int main(void)
{
    enum { X86_COUNT = NTMM_ARRAY_COUNT(x86_cases), A64_COUNT = NTMM_ARRAY_COUNT(a64_cases) };
    struct CMUnitTest tests[X86_COUNT + A64_COUNT + 2];
    size_t            count = 0;
    for (size_t i = 0; i < X86_COUNT; i++)
        tests[count++] = (struct CMUnitTest){ x86_cases[i].name, check_x86_case, NULL, NULL, &x86_cases[i] };
    for (size_t i = 0; i < A64_COUNT; i++)
        tests[count++] = (struct CMUnitTest){ a64_cases[i].name, check_a64_case, NULL, NULL, &a64_cases[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_move_with_a_good_source_reports_its_target);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(noise_is_harmless);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
