/* ntifs.h - what a file system or filter driver includes: ntddk.h and the routines beyond it. */
#ifndef NTMM_DDK_NTIFS_H
#define NTMM_DDK_NTIFS_H
#include "ntddk.h"

#include "ntifs/ex_pool_size.h"
#include "ntifs/se_sid.h"           /* security identifiers */
#include "ntifs/file_information.h" /* files, directories, volumes */
#include "ntifs/fs_control.h"       /* requests of IRP_MJ_FILE_SYSTEM_CONTROL */
#include "ntifs/fsrtl.h"            /* FsRtlAllocatePool, FsRtlEnterFileSystem */
#include "ntifs/mm_file_section.h"  /* MmCanFileBeTruncated and its like */
#include "ntifs/mm_virtual.h"       /* ZwAllocateVirtualMemory and its like */
#include "ntifs/ob_event.h"         /* ZwCreateEvent */
#include "ntifs/ps_attach.h"        /* KeStackAttachProcess */

#include "ntifs/rtl_string_oem.h"
#endif
