/*
 * driver_init.c - the INIT section of a driver, which Windows discards when DriverEntry has returned.
 *
 *     ntmm_driver_load      DriverEntry        discard: its section is closed        whoever calls into it: 0x50, or 0xD1
 *     ntmm_driver_unload    DriverUnload       restore: the driver may be loaded again
 *
 * Which section that is tells DriverEntry itself, which drivers put there. Two drivers of one program have sections of their own (INIT_name), since
 * ntmm_add_driver and ntmm-cc see to that; a section that shares a page with something else stays.
 *
 * Locks       mm_paging_lock for the records; the fault handler reads them without, since they change while the driver runs no code of its own.
 * Source      WDK documentation: "When should code and data be pageable", alloc_text with INIT; Bug Check 0x50.
 * Fidelity    a driver whose DriverEntry lies elsewhere keeps its INIT section.
 */
#include <stdio.h>
#include <string.h>

#include "mm/driver_pages.h"
#include "mm/mm.h"

#define DRIVERS 32u

typedef struct discarded {
    uintptr_t start, end; /* start == end: the entry is free */
    uintptr_t image;
    unsigned  access; /* as linked */
} discarded_t;

static discarded_t discarded[DRIVERS];

static uintptr_t end_of(const host_section_t *section) { return section->start + section->bytes; }

static bool is_alone(const host_image_t *image, size_t index)
{
    const host_section_t *section = &image->sections[index];
    uintptr_t             end = (end_of(section) + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
    return section->start % PAGE_SIZE == 0 && (index == 0 || end_of(section - 1) <= section->start) &&
           (index + 1 == image->section_count || section[1].start >= end);
}

typedef struct sought {
    uintptr_t   entry;
    discarded_t found;
} sought_t;

static void seek_in_image(const host_image_t *image, void *context)
{
    sought_t *sought = context;
    for (size_t i = 0; i < image->section_count; i++) {
        const host_section_t *section = &image->sections[i];
        if (sought->entry - section->start >= section->bytes || strncmp(section->name, "INIT", 4) != 0 || !is_alone(image, i))
            continue;
        uintptr_t end = (end_of(section) + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
        sought->found = (discarded_t){ section->start, end, image->base, section->access };
    }
}

static discarded_t *record_of(uintptr_t va)
{
    for (discarded_t *d = discarded; d < discarded + DRIVERS; d++)
        if (va - d->start < d->end - d->start)
            return d;
    return NULL;
}

static discarded_t *free_record(void)
{
    for (discarded_t *d = discarded; d < discarded + DRIVERS; d++)
        if (d->start == d->end)
            return d;
    return NULL;
}

void mm_driver_init_discard(uintptr_t entry)
{
    sought_t sought = { .entry = entry };
    mm_driver_visit_images(seek_in_image, &sought);
    if (sought.found.start == sought.found.end)
        return;
    ke_lock(&mm_paging_lock);
    discarded_t *record = record_of(entry) == NULL ? free_record() : NULL;
    if (record != NULL && host_protect((void *)sought.found.start, sought.found.end - sought.found.start, HOST_NONE) == 0)
        *record = sought.found;
    ke_unlock(&mm_paging_lock);
}

/* `image`: what lies there now. Its library may have been unloaded meanwhile. */
static void restore(discarded_t *record, uintptr_t image)
{
    if (image == record->image)
        (void)host_protect((void *)record->start, record->end - record->start, record->access);
    *record = (discarded_t){ 0 };
}

/* Takes the dynamic linker's lock, so mm_paging_lock comes behind: who unloads a library runs code of it that may have to be paged in. */
static uintptr_t image_at(uintptr_t va)
{
    uintptr_t base = 0, end;
    return host_image_of(va, &base, &end) ? base : 0;
}

void mm_driver_init_restore(uintptr_t entry)
{
    uintptr_t image = image_at(entry);
    ke_lock(&mm_paging_lock);
    discarded_t *record = record_of(entry);
    if (record != NULL)
        restore(record, image);
    ke_unlock(&mm_paging_lock);
}

void mm_driver_init_reset(void)
{
    for (discarded_t *d = discarded; d < discarded + DRIVERS; d++)
        if (d->start != d->end)
            restore(d, image_at(d->start));
}

bool mm_driver_init_has(uintptr_t va) { return record_of(va) != NULL; }

bool mm_driver_init_describe(uintptr_t va, char *line, size_t bytes)
{
    if (!mm_driver_init_has(va))
        return false;
    snprintf(line, bytes, "section INIT of a driver, which was discarded when DriverEntry had returned");
    return true;
}
