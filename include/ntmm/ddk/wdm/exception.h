/*
 * exception.h - what an exception is: its record, the processor's state where it happened, and the pair of both that a filter sees.
 * CONTEXT is that of the host's processor, in Windows' layout for it; ContextFlags says which parts are filled.
 *
 * Source  WDK reference: EXCEPTION_RECORD, EXCEPTION_POINTERS; Windows reference: CONTEXT for x64 and for ARM64.
 */
#ifndef NTMM_DDK_WDM_EXCEPTION_H
#define NTMM_DDK_WDM_EXCEPTION_H

#ifdef __cplusplus
extern "C" {
#endif

#define EXCEPTION_NONCONTINUABLE 0x1
#define EXCEPTION_MAXIMUM_PARAMETERS 15

typedef struct _EXCEPTION_RECORD {
    NTSTATUS                  ExceptionCode;
    ULONG                     ExceptionFlags;
    struct _EXCEPTION_RECORD *ExceptionRecord; /* the one that this one came of, or NULL */
    PVOID                     ExceptionAddress;
    ULONG                     NumberParameters;
    ULONG_PTR ExceptionInformation[EXCEPTION_MAXIMUM_PARAMETERS]; /* an access violation: 0 read, 1 write, 8 execute; address */
} EXCEPTION_RECORD, *PEXCEPTION_RECORD;

typedef struct DECLSPEC_ALIGN(16) _M128A {
    ULONGLONG Low;
    LONGLONG  High;
} M128A, *PM128A;

#if defined(__x86_64__)

#define CONTEXT_AMD64 0x00100000u
#define CONTEXT_CONTROL (CONTEXT_AMD64 | 0x1u) /* Rip, Rsp, EFlags */
#define CONTEXT_INTEGER (CONTEXT_AMD64 | 0x2u) /* the other general registers */
#define CONTEXT_SEGMENTS (CONTEXT_AMD64 | 0x4u)
#define CONTEXT_FLOATING_POINT (CONTEXT_AMD64 | 0x8u)
#define CONTEXT_DEBUG_REGISTERS (CONTEXT_AMD64 | 0x10u)
#define CONTEXT_FULL (CONTEXT_CONTROL | CONTEXT_INTEGER | CONTEXT_FLOATING_POINT)

typedef struct DECLSPEC_ALIGN(16) _XSAVE_FORMAT {
    USHORT ControlWord, StatusWord;
    UCHAR  TagWord, Reserved1;
    USHORT ErrorOpcode;
    ULONG  ErrorOffset;
    USHORT ErrorSelector, Reserved2;
    ULONG  DataOffset;
    USHORT DataSelector, Reserved3;
    ULONG  MxCsr, MxCsr_Mask;
    M128A  FloatRegisters[8], XmmRegisters[16];
    UCHAR  Reserved4[96];
} XSAVE_FORMAT, XMM_SAVE_AREA32;

typedef struct DECLSPEC_ALIGN(16) _CONTEXT {
    ULONG64 P1Home, P2Home, P3Home, P4Home, P5Home, P6Home;
    ULONG   ContextFlags, MxCsr;
    USHORT  SegCs, SegDs, SegEs, SegFs, SegGs, SegSs;
    ULONG   EFlags;
    ULONG64 Dr0, Dr1, Dr2, Dr3, Dr6, Dr7;
    ULONG64 Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15;
    ULONG64 Rip;
    union {
        XMM_SAVE_AREA32 FltSave;
        struct {
            M128A Header[2], Legacy[8];
            M128A Xmm0, Xmm1, Xmm2, Xmm3, Xmm4, Xmm5, Xmm6, Xmm7, Xmm8, Xmm9, Xmm10, Xmm11, Xmm12, Xmm13, Xmm14, Xmm15;
        };
    };
    M128A   VectorRegister[26];
    ULONG64 VectorControl, DebugControl, LastBranchToRip, LastBranchFromRip, LastExceptionToRip, LastExceptionFromRip;
} CONTEXT, *PCONTEXT;
NTMM_LAYOUT(sizeof(CONTEXT) == 1232 && FIELD_OFFSET(CONTEXT, Rip) == 0xF8, "CONTEXT as on x64");

#elif defined(__aarch64__)

#define CONTEXT_ARM64 0x00400000u
#define CONTEXT_CONTROL (CONTEXT_ARM64 | 0x1u) /* Pc, Sp, Fp, Lr, Cpsr */
#define CONTEXT_INTEGER (CONTEXT_ARM64 | 0x2u) /* X0 to X28 */
#define CONTEXT_FLOATING_POINT (CONTEXT_ARM64 | 0x4u)
#define CONTEXT_DEBUG_REGISTERS (CONTEXT_ARM64 | 0x8u)
#define CONTEXT_FULL (CONTEXT_CONTROL | CONTEXT_INTEGER | CONTEXT_FLOATING_POINT)

typedef union _ARM64_NT_NEON128 {
    struct {
        ULONGLONG Low;
        LONGLONG  High;
    };
    double D[2];
    float  S[4];
    USHORT H[8];
    UCHAR  B[16];
} ARM64_NT_NEON128, *PARM64_NT_NEON128;

typedef struct DECLSPEC_ALIGN(16) _CONTEXT {
    ULONG ContextFlags, Cpsr;
    union {
        struct {
            ULONG64 X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15, X16, X17, X18, X19, X20, X21, X22, X23, X24, X25,
                X26, X27, X28, Fp, Lr;
        };
        ULONG64 X[31];
    };
    ULONG64          Sp, Pc;
    ARM64_NT_NEON128 V[32];
    ULONG            Fpcr, Fpsr, Bcr[8];
    ULONG64          Bvr[8];
    ULONG            Wcr[2];
    ULONG64          Wvr[2];
} CONTEXT, *PCONTEXT;
NTMM_LAYOUT(sizeof(CONTEXT) == 0x390 && FIELD_OFFSET(CONTEXT, Pc) == 0x108, "CONTEXT as on ARM64");

#endif

typedef struct _EXCEPTION_POINTERS {
    PEXCEPTION_RECORD ExceptionRecord;
    PCONTEXT          ContextRecord;
} EXCEPTION_POINTERS, *PEXCEPTION_POINTERS;

#ifdef __cplusplus
}
#endif
#endif
