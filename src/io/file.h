/*
 * file.h - file objects over files of the host, and what is kept of each file for sections.
 *
 *     file object --.                          .--> segment <-- views
 *     file object ---+--> node, one a file ----'       ^
 *     section -------'    (device and number)          |
 *        `---------------------------------------------'
 *
 * The node keeps the segment between two sections, as Windows does, until the file is closed or MmForceSectionClosed wants it gone. Views may
 * keep it longer: then the node still knows it, so that whoever opens the file again sees what they see, but the last view takes it with it.
 *
 * Lock key: (F) io_file_lock
 */
#ifndef NTMM_IO_FILE_H
#define NTMM_IO_FILE_H

#include <ntifs.h>

#include "ke/lock.h"
#include "mm/view.h"

typedef struct io_open {  /* a descriptor of the host's, which is closed even if the file object is never */
    struct io_open *next; /* (F) */
    host_file_t     file;
} io_open_t;

typedef struct io_file_node {
    struct io_file_node    *next;                        /* (F) */
    SECTION_OBJECT_POINTERS pointers;                    /* what file objects point to; DataSectionObject is the segment */
    uint64_t                device, number;              /* of the host's file */
    io_open_t              *opens;                       /* (F) */
    mm_segment_t           *segment;                     /* (F) NULL: none */
    uint64_t                serial;                      /* (F) of the segment */
    bool                    holds;                       /* (F) a reference to it; else it may be gone */
    uint32_t                files;                       /* (F) file objects, closed ones that are still referenced included */
    uint32_t                sections, writable_sections; /* (F) */
    bool                    close_later;                 /* (F) the segment is not kept between two sections */
} io_file_node_t;

typedef struct io_file {
    FILE_OBJECT     object; /* first: its address is what drivers get */
    io_open_t      *host;   /* NULL: of a device */
    io_file_node_t *node;   /* NULL: likewise */
    PIRP            last;   /* of a device that was opened: its IRP_MJ_CLEANUP and IRP_MJ_CLOSE, made beforehand. NULL: not opened */
    WORK_QUEUE_ITEM later;  /* the close of an object that was dereferenced above PASSIVE_LEVEL */
    WCHAR           name[];
} io_file_t;

extern ke_lock_t                 io_file_lock; /* KE_RANK_IO_FILE */
extern const struct _OBJECT_TYPE io_file_type;

io_file_t *io_file_make(size_t name_bytes); /* zero name; NULL: no memory */
void       io_file_close_host(io_file_t *file);
int        io_file_open_host(const char *path, unsigned how, io_file_t **file); /* HOST_FILE_*; a negative errno value */

/* How a device is to be opened. */
typedef struct io_open_want {
    ACCESS_MASK access;
    ULONG       disposition, options, attributes, share; /* FILE_OPEN; FILE_SYNCHRONOUS_IO_NONALERT ... */
    void       *ea;
    ULONG       ea_bytes;
} io_open_want_t;
/* A file object of the device, which IRP_MJ_CREATE has seen; `rest` is its FileName. The reference to the device is used up, whatever comes
 * of it. PASSIVE_LEVEL, outside of the library. */
NTSTATUS io_file_open_device(PDEVICE_OBJECT device, PCUNICODE_STRING rest, const io_open_want_t *want, io_file_t **file,
                             IO_STATUS_BLOCK *block);
/* The same in a folder of the host that a test has lent. *mounted: false, no folder has that name. */
NTSTATUS io_mount_open(PCUNICODE_STRING name, const io_open_want_t *want, io_file_t **file, IO_STATUS_BLOCK *block, bool *mounted);
void     io_mounts_reset(void);         /* no folder has a name */
NTSTATUS io_status_of_errno(int error); /* a negative errno value, or 0 */
/* No handle of it is open: IRP_MJ_CLEANUP. */
void io_file_clean_up(io_file_t *file);

void            io_files_reset(void);                               /* boot and shutdown: none is open, and nothing is kept */
bool            io_file_hold_locked(io_file_node_t *node);          /* one reference to its segment; false: there is none any more */
io_file_node_t *io_file_node_of(PSECTION_OBJECT_POINTERS pointers); /* NULL: the pointers are no file's */
/* The segment over the file, which is so many bytes long now: made, or grown if need be. A reference for the caller. */
NTSTATUS io_file_segment(io_file_t *file, uint64_t bytes, bool writable, mm_segment_t **segment);
void     io_file_section_opened(io_file_node_t *node, bool writable);
void     io_file_section_closed(io_file_node_t *node, bool writable); /* after it has given up its segment */
/* What is kept of the file goes, if nobody uses it: true, nothing is left. `later`: else as soon as nobody does. */
bool io_file_forget(io_file_node_t *node, bool later);

#endif
