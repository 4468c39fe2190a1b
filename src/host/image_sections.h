/*
 * image_sections.h - which sections the images of this process are made of: the program and every library that is loaded.
 */
#ifndef NTMM_HOST_IMAGE_SECTIONS_H
#define NTMM_HOST_IMAGE_SECTIONS_H

#include "host/host.h"

#define HOST_IMAGE_SECTIONS 256u /* more than that: the image counts as one without section headers */

typedef struct host_section {
    uintptr_t start;
    size_t    bytes;
    unsigned  access;     /* enum host_access, as the section asks for it */
    bool      is_loaders; /* the dynamic linker, the start of a thread or an unwinder looks into it, at any time */
    char      name[32];
} host_section_t;

typedef struct host_image {
    const char           *path; /* of the file; valid while the visitor runs */
    uintptr_t             base, end;
    const host_section_t *sections; /* those that are in memory, ascending */
    size_t                section_count;
    bool                  is_client; /* a library that is linked with the one that this code is part of. ELF only */
} host_image_t;

/* A number that is another one when images were loaded or unloaded. */
uint64_t host_images_number(void);
/* Every image, the program first. The dynamic linker's lock is held around `visit`, which takes no lock of ours; one caller at a time. */
void host_visit_images(void (*visit)(const host_image_t *image, void *context), void *context);
/* The image that an address lies in, with its bounds alone. */
bool host_image_of(uintptr_t address, uintptr_t *base, uintptr_t *end);

#endif
