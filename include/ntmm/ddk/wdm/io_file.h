/*
 * io_file.h - FILE_OBJECT, laid out as on x64. There is no file system here: a test opens files of the host with ntmm_file_open (ntmm.h), and a
 * driver gets to the file object through its handle.
 *
 * Source  WDK reference: wdm.h, FILE_OBJECT; ntifs.h, SECTION_OBJECT_POINTERS; x64 layouts.
 */
#ifndef NTMM_DDK_WDM_IO_FILE_H
#define NTMM_DDK_WDM_IO_FILE_H

#include "io_objects.h"
#include "ob_object.h"
#include "rtl_string.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _SECTION_OBJECT_POINTERS { /* one for each file, shared by all of its file objects */
    PVOID DataSectionObject;              /* NULL: nothing of it is kept for sections */
    PVOID SharedCacheMap;                 /* NULL: there is no cache manager */
    PVOID ImageSectionObject;             /* NULL: no sections of images */
} SECTION_OBJECT_POINTERS, *PSECTION_OBJECT_POINTERS;

typedef struct _FILE_OBJECT {
    CSHORT                   Type; /* 5 */
    CSHORT                   Size;
    PDEVICE_OBJECT           DeviceObject; /* NULL: no volume */
    PVPB                     Vpb;
    PVOID                    FsContext;
    PVOID                    FsContext2;
    PSECTION_OBJECT_POINTERS SectionObjectPointer;
    PVOID                    PrivateCacheMap;
    NTSTATUS                 FinalStatus;
    struct _FILE_OBJECT     *RelatedFileObject;
    BOOLEAN                  LockOperation;
    BOOLEAN                  DeletePending;
    BOOLEAN                  ReadAccess;
    BOOLEAN                  WriteAccess;
    BOOLEAN                  DeleteAccess;
    BOOLEAN                  SharedRead;
    BOOLEAN                  SharedWrite;
    BOOLEAN                  SharedDelete;
    ULONG                    Flags;
    UNICODE_STRING           FileName; /* the host's name of it */
    LARGE_INTEGER            CurrentByteOffset;
    volatile ULONG           Waiters;
    volatile ULONG           Busy;
    PVOID                    LastLock;
    KEVENT                   Lock;
    KEVENT                   Event;
    PVOID                    CompletionContext;
    KSPIN_LOCK               IrpListLock;
    LIST_ENTRY               IrpList;
    volatile PVOID           FileObjectExtension;
} FILE_OBJECT, *PFILE_OBJECT;

NTMM_LAYOUT(sizeof(SECTION_OBJECT_POINTERS) == 24, "SECTION_OBJECT_POINTERS, x64");
NTMM_LAYOUT(sizeof(FILE_OBJECT) == 0xd8 && FIELD_OFFSET(FILE_OBJECT, SectionObjectPointer) == 0x28, "FILE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(FILE_OBJECT, LockOperation) == 0x48 && FIELD_OFFSET(FILE_OBJECT, Flags) == 0x50, "FILE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(FILE_OBJECT, FileName) == 0x58 && FIELD_OFFSET(FILE_OBJECT, CurrentByteOffset) == 0x68, "FILE_OBJECT, x64");
NTMM_LAYOUT(FIELD_OFFSET(FILE_OBJECT, Lock) == 0x80 && FIELD_OFFSET(FILE_OBJECT, IrpList) == 0xc0, "FILE_OBJECT, x64");

/** What a handle of a file is a handle of, for ObReferenceObjectByHandle. */
extern NTKERNELAPI POBJECT_TYPE *IoFileObjectType;

#ifdef __cplusplus
}
#endif
#endif
