/*
 * section.h - section objects, for the files that make, map and ask about them.
 */
#ifndef NTMM_IO_SECTION_H
#define NTMM_IO_SECTION_H

#include <ntifs.h>

#include "ex/object.h"
#include "io/file.h"

typedef struct io_section {
    struct io_section *next;    /* named ones. By the lock of section.c, as is `handles` */
    mm_segment_t      *segment; /* a reference */
    io_file_node_t    *node;    /* NULL: in the page file */
    uint64_t           bytes;   /* of the section: as asked for, or as the file was long */
    ULONG              protect, attributes;
    ULONG              handles; /* and who is about to open one; while there are any, the name has a reference */
    USHORT             name_bytes;
    WCHAR              name[];
} io_section_t;

extern const ex_object_type_t io_section_type;

void io_sections_boot(void);

static inline uint64_t io_section_view_bytes(const io_section_t *section) { return ROUND_TO_PAGES(section->bytes); }

/* Exactly one way of access, and modifiers that go with it. */
bool io_protect_is_valid(ULONG protect);
bool io_protect_writes(ULONG protect); /* what everybody sees: not copies */
/* May a view be used in that way? */
bool io_section_allows(const io_section_t *section, ULONG protect);
/* STATUS_NO_MEMORY and so on: of the view, which begins at that page; base, and the size of it. */
NTSTATUS io_section_map(const io_section_t *section, mm_space_t *space, mm_view_want_t *want, PVOID *base, SIZE_T *bytes);

#endif
