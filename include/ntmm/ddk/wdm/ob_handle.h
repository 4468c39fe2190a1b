/*
 * ob_handle.h - handles: a number for an object that a driver has opened, with the access that was asked for.
 *
 *     OBJ_KERNEL_HANDLE      a kernel handle: good in every process, and not for a caller in user mode
 *     without                a handle of the process that opened it, as an application gets it
 *
 * Source  WDK reference: ntifs.h, ZwClose; wdm.h, OBJECT_ATTRIBUTES, InitializeObjectAttributes, ACCESS_MASK; "Object handles"; Bug Check 0x93.
 */
#ifndef NTMM_DDK_WDM_OB_HANDLE_H
#define NTMM_DDK_WDM_OB_HANDLE_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- access rights ---- */

#define DELETE 0x00010000u
#define READ_CONTROL 0x00020000u
#define WRITE_DAC 0x00040000u
#define WRITE_OWNER 0x00080000u
#define SYNCHRONIZE 0x00100000u
#define STANDARD_RIGHTS_REQUIRED 0x000F0000u
#define STANDARD_RIGHTS_READ READ_CONTROL
#define STANDARD_RIGHTS_WRITE READ_CONTROL
#define STANDARD_RIGHTS_EXECUTE READ_CONTROL
#define STANDARD_RIGHTS_ALL 0x001F0000u
#define SPECIFIC_RIGHTS_ALL 0x0000FFFFu
#define ACCESS_SYSTEM_SECURITY 0x01000000u
#define MAXIMUM_ALLOWED 0x02000000u
#define GENERIC_READ 0x80000000u
#define GENERIC_WRITE 0x40000000u
#define GENERIC_EXECUTE 0x20000000u
#define GENERIC_ALL 0x10000000u

#define EVENT_QUERY_STATE 0x0001u
#define EVENT_MODIFY_STATE 0x0002u
#define EVENT_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3u)
#define PROCESS_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFFu)
#define THREAD_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFFu)

/* ---- what is to be opened, and how ---- */

#define OBJ_INHERIT 0x00000002u
#define OBJ_PERMANENT 0x00000010u
#define OBJ_EXCLUSIVE 0x00000020u
#define OBJ_CASE_INSENSITIVE 0x00000040u
#define OBJ_OPENIF 0x00000080u
#define OBJ_OPENLINK 0x00000100u
#define OBJ_KERNEL_HANDLE 0x00000200u
#define OBJ_FORCE_ACCESS_CHECK 0x00000400u
#define OBJ_VALID_ATTRIBUTES 0x00001FF2u

typedef struct _OBJECT_ATTRIBUTES {
    ULONG           Length; /* sizeof(OBJECT_ATTRIBUTES) */
    HANDLE          RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG           Attributes; /* OBJ_* */
    PVOID           SecurityDescriptor;
    PVOID           SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;
typedef const OBJECT_ATTRIBUTES *PCOBJECT_ATTRIBUTES;

NTMM_LAYOUT(sizeof(OBJECT_ATTRIBUTES) == 48 && FIELD_OFFSET(OBJECT_ATTRIBUTES, RootDirectory) == 8, "OBJECT_ATTRIBUTES, x64");
NTMM_LAYOUT(FIELD_OFFSET(OBJECT_ATTRIBUTES, ObjectName) == 16 && FIELD_OFFSET(OBJECT_ATTRIBUTES, Attributes) == 24,
            "OBJECT_ATTRIBUTES, x64");
NTMM_LAYOUT(FIELD_OFFSET(OBJECT_ATTRIBUTES, SecurityDescriptor) == 32, "OBJECT_ATTRIBUTES, x64");

/** Fill in an OBJECT_ATTRIBUTES; p: the structure, n: the name or NULL, a: OBJ_*, r: directory, s: security descriptor. @irql any */
#define InitializeObjectAttributes(p, n, a, r, s) \
    do { \
        (p)->Length = sizeof(OBJECT_ATTRIBUTES); \
        (p)->RootDirectory = (r); \
        (p)->Attributes = (a); \
        (p)->ObjectName = (n); \
        (p)->SecurityDescriptor = (s); \
        (p)->SecurityQualityOfService = NULL; \
    } while (0)

/* The calling process and thread, wherever a handle is asked for. Closing them does nothing. */
#define NtCurrentProcess() ((HANDLE)(LONG_PTR)-1)
#define ZwCurrentProcess() NtCurrentProcess()
#define NtCurrentThread() ((HANDLE)(LONG_PTR)-2)
#define ZwCurrentThread() NtCurrentThread()

/**
 * Close a handle, and give back its reference to the object. When that was the last one, the object goes.
 *
 * @return    STATUS_SUCCESS; STATUS_INVALID_HANDLE for a value that cannot be a kernel handle and is no handle of the calling process
 * @irql      PASSIVE_LEVEL
 * @bugcheck  INVALID_KERNEL_HANDLE (0x93): a kernel handle that is not open (never was, or is closed already); p1 the handle, p2 1, p3 0, p4
 *            0. The pages give both this and the status: which of them when is a choice
 * @source    WDK reference: ntifs.h, ZwClose; Bug Check 0x93
 */
NTSYSAPI NTSTATUS ZwClose(HANDLE Handle);

#ifdef __cplusplus
}
#endif
#endif
