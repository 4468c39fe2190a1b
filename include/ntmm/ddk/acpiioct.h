/*
 * acpiioct.h - asking the ACPI driver to run a method of a device's firmware: requests, and the buffers that go with them.
 *
 * Source  WDK reference: acpiioct.h, "Evaluating ACPI control methods", the page of each structure. Checked against mingw-w64's by headers_compare.
 */
#ifndef NTMM_DDK_ACPIIOCT_H
#define NTMM_DDK_ACPIIOCT_H

#include "wdm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NTMM_ACPI(function) CTL_CODE(FILE_DEVICE_ACPI, function, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)
#define IOCTL_ACPI_ASYNC_EVAL_METHOD NTMM_ACPI(0)
#define IOCTL_ACPI_EVAL_METHOD NTMM_ACPI(1)
#define IOCTL_ACPI_ACQUIRE_GLOBAL_LOCK NTMM_ACPI(4)
#define IOCTL_ACPI_RELEASE_GLOBAL_LOCK NTMM_ACPI(5)
#define IOCTL_ACPI_EVAL_METHOD_EX NTMM_ACPI(6)
#define IOCTL_ACPI_ASYNC_EVAL_METHOD_EX NTMM_ACPI(7)
#define IOCTL_ACPI_ENUM_CHILDREN NTMM_ACPI(8)

/* ---- signatures: which buffer it is ---- */
#define ACPI_EVAL_INPUT_BUFFER_SIGNATURE 'BieA'
#define ACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER_SIGNATURE 'IieA'
#define ACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING_SIGNATURE 'SieA'
#define ACPI_EVAL_INPUT_BUFFER_COMPLEX_SIGNATURE 'CieA'
#define ACPI_EVAL_OUTPUT_BUFFER_SIGNATURE 'BoeA'
#define ACPI_EVAL_INPUT_BUFFER_SIGNATURE_EX 'AieA'
#define ACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER_SIGNATURE_EX 'DieA'
#define ACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING_SIGNATURE_EX 'EieA'
#define ACPI_EVAL_INPUT_BUFFER_COMPLEX_SIGNATURE_EX 'FieA'
#define ACPI_ENUM_CHILDREN_OUTPUT_BUFFER_SIGNATURE 'GieA'
#define ACPI_ENUM_CHILDREN_INPUT_BUFFER_SIGNATURE 'HieA'
#define ACPI_ACQUIRE_GLOBAL_LOCK_SIGNATURE 'LgaA'
#define ACPI_RELEASE_GLOBAL_LOCK_SIGNATURE 'LgrA'

/* ---- arguments and results ---- */
#define ACPI_METHOD_ARGUMENT_INTEGER 0x0
#define ACPI_METHOD_ARGUMENT_STRING 0x1
#define ACPI_METHOD_ARGUMENT_BUFFER 0x2
#define ACPI_METHOD_ARGUMENT_PACKAGE 0x3
#define ACPI_METHOD_ARGUMENT_PACKAGE_EX 0x4
typedef struct _ACPI_METHOD_ARGUMENT_V1 {
    USHORT Type, DataLength; /* ACPI_METHOD_ARGUMENT_*, bytes */
    union {
        ULONG Argument;
        UCHAR Data[ANYSIZE_ARRAY];
    };
} ACPI_METHOD_ARGUMENT_V1, ACPI_METHOD_ARGUMENT, *PACPI_METHOD_ARGUMENT;
#define ACPI_METHOD_ARGUMENT_LENGTH(DataLength) \
    ((ULONG)(FIELD_OFFSET(ACPI_METHOD_ARGUMENT, Data) + ((DataLength) > sizeof(ULONG) ? (DataLength) : sizeof(ULONG))))
#define ACPI_METHOD_ARGUMENT_LENGTH_FROM_ARGUMENT(Argument) (ACPI_METHOD_ARGUMENT_LENGTH(((PACPI_METHOD_ARGUMENT)(Argument))->DataLength))
#define ACPI_METHOD_NEXT_ARGUMENT(Argument) \
    ((PACPI_METHOD_ARGUMENT)((PUCHAR)(Argument) + ACPI_METHOD_ARGUMENT_LENGTH_FROM_ARGUMENT(Argument)))
#define ACPI_METHOD_SET_ARGUMENT_INTEGER(MethodArgument, IntData) \
    { \
        (MethodArgument)->Type = ACPI_METHOD_ARGUMENT_INTEGER; \
        (MethodArgument)->DataLength = sizeof(ULONG); \
        (MethodArgument)->Argument = (IntData); \
    }
#define ACPI_METHOD_SET_ARGUMENT_STRING(MethodArgument, StrData) \
    { \
        (MethodArgument)->Type = ACPI_METHOD_ARGUMENT_STRING; \
        (MethodArgument)->DataLength = (USHORT)(strlen((PCHAR)(StrData)) + sizeof(UCHAR)); \
        RtlCopyMemory(&(MethodArgument)->Data[0], (PUCHAR)(StrData), (MethodArgument)->DataLength); \
    }
#define ACPI_METHOD_SET_ARGUMENT_BUFFER(MethodArgument, BuffData, BuffLength) \
    { \
        (MethodArgument)->Type = ACPI_METHOD_ARGUMENT_BUFFER; \
        (MethodArgument)->DataLength = (BuffLength); \
        RtlCopyMemory(&(MethodArgument)->Data[0], (PUCHAR)(BuffData), (MethodArgument)->DataLength); \
    }

/* ---- the buffers; the second form names a method by its path ---- */
#define NTMM_ACPI_METHOD \
    ULONG Signature; \
    union { \
        UCHAR MethodName[4]; \
        ULONG MethodNameAsUlong; \
    }
#define NTMM_ACPI_PATH \
    ULONG Signature; \
    CHAR  MethodName[256]
typedef struct _ACPI_EVAL_INPUT_BUFFER {
    NTMM_ACPI_METHOD;
} ACPI_EVAL_INPUT_BUFFER, *PACPI_EVAL_INPUT_BUFFER;
typedef struct _ACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER {
    NTMM_ACPI_METHOD;
    ULONG IntegerArgument;
} ACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER, *PACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER;
typedef struct _ACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING {
    NTMM_ACPI_METHOD;
    ULONG StringLength;
    UCHAR String[ANYSIZE_ARRAY];
} ACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING, *PACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING;
typedef struct _ACPI_EVAL_INPUT_BUFFER_COMPLEX {
    NTMM_ACPI_METHOD;
    ULONG                Size, ArgumentCount;
    ACPI_METHOD_ARGUMENT Argument[ANYSIZE_ARRAY];
} ACPI_EVAL_INPUT_BUFFER_COMPLEX, *PACPI_EVAL_INPUT_BUFFER_COMPLEX;
typedef struct _ACPI_EVAL_INPUT_BUFFER_EX {
    NTMM_ACPI_PATH;
} ACPI_EVAL_INPUT_BUFFER_EX, *PACPI_EVAL_INPUT_BUFFER_EX;
typedef struct _ACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER_EX {
    NTMM_ACPI_PATH;
    ULONG64 IntegerArgument;
} ACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER_EX, *PACPI_EVAL_INPUT_BUFFER_SIMPLE_INTEGER_EX;
typedef struct _ACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING_EX {
    NTMM_ACPI_PATH;
    ULONG StringLength;
    UCHAR String[ANYSIZE_ARRAY];
} ACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING_EX, *PACPI_EVAL_INPUT_BUFFER_SIMPLE_STRING_EX;
typedef struct _ACPI_EVAL_INPUT_BUFFER_COMPLEX_EX {
    NTMM_ACPI_PATH;
    ULONG                Size, ArgumentCount;
    ACPI_METHOD_ARGUMENT Argument[ANYSIZE_ARRAY];
} ACPI_EVAL_INPUT_BUFFER_COMPLEX_EX, *PACPI_EVAL_INPUT_BUFFER_COMPLEX_EX;
#undef NTMM_ACPI_METHOD
#undef NTMM_ACPI_PATH
typedef struct _ACPI_EVAL_OUTPUT_BUFFER_V1 {
    ULONG                Signature, Length, Count; /* bytes; results */
    ACPI_METHOD_ARGUMENT Argument[ANYSIZE_ARRAY];
} ACPI_EVAL_OUTPUT_BUFFER_V1, ACPI_EVAL_OUTPUT_BUFFER, *PACPI_EVAL_OUTPUT_BUFFER;
typedef struct _ACPI_MANIPULATE_GLOBAL_LOCK_BUFFER {
    ULONG Signature;
    PVOID LockObject;
} ACPI_MANIPULATE_GLOBAL_LOCK_BUFFER, *PACPI_MANIPULATE_GLOBAL_LOCK_BUFFER;

/* ---- what is below a device in the name space ---- */
#define ACPI_OBJECT_HAS_CHILDREN 0x1
#define ENUM_CHILDREN_IMMEDIATE_ONLY 0x1
#define ENUM_CHILDREN_MULTILEVEL 0x2
#define ENUM_CHILDREN_NAME_IS_FILTER 0x4
typedef struct _ACPI_ENUM_CHILDREN_INPUT_BUFFER {
    ULONG Signature, Flags, NameLength;
    CHAR  Name[ANYSIZE_ARRAY];
} ACPI_ENUM_CHILDREN_INPUT_BUFFER, *PACPI_ENUM_CHILDREN_INPUT_BUFFER;
typedef struct _ACPI_ENUM_CHILD {
    ULONG Flags, NameLength;
    CHAR  Name[ANYSIZE_ARRAY];
} ACPI_ENUM_CHILD, *PACPI_ENUM_CHILD;
typedef struct _ACPI_ENUM_CHILDREN_OUTPUT_BUFFER {
    ULONG           Signature, NumberOfChildren;
    ACPI_ENUM_CHILD Children[ANYSIZE_ARRAY];
} ACPI_ENUM_CHILDREN_OUTPUT_BUFFER, *PACPI_ENUM_CHILDREN_OUTPUT_BUFFER;
#define ACPI_ENUM_CHILD_LENGTH_FROM_CHILD(Child) ((ULONG)(FIELD_OFFSET(ACPI_ENUM_CHILD, Name) + (Child)->NameLength))
#define ACPI_ENUM_CHILD_NEXT(Child) ((PACPI_ENUM_CHILD)((PUCHAR)(Child) + ACPI_ENUM_CHILD_LENGTH_FROM_CHILD(Child)))

#ifdef __cplusplus
}
#endif
#endif
