/*
 * driver_whole.c - drivers that are pageable as a whole: MmPageEntireDriver, MmResetDriverPaging.
 * A driver in a library of its own has pages of its own, and what it is made of may go, whatever its sections say:
 *
 *     image      | header, tables | .plt .text .fini | PAGE | .rodata | .eh_frame | .tdata .dynamic .got | .got.plt .data .bss |
 *                  the loader's      pageable           is     pageable  unwinder's  loader's               pageable
 *
 * What the dynamic linker, a starting thread or an unwinder looks into stays, since they look at any IRQL, and so does what shares a page with
 * it. A section that is discarded or protected stays as it is, too. The program is the test's as much as the driver's, and libraries that are
 * not linked with ntmm are no drivers: of both nothing goes.
 *
 *     resident ---- MmPageEntireDriver ----> pageable, as PAGE sections are ---- MmResetDriverPaging ----> all of it is there, resident
 *                                             ^                                                                |
 *                                             '---------------- MmPageEntireDriver ---------------------------'
 *
 * Runs and records are made once, and last as long as the library. Who unloads it, or ends the process, calls its destructors below
 * DISPATCH_LEVEL: they are paged in like anything else.
 *
 * Locks       mm_paging_lock; the dynamic linker's before it.
 * Source      WDK reference: MmPageEntireDriver, MmResetDriverPaging; "Paging an Entire Driver".
 * Fidelity    a driver whose code outside of PAGE sections is locked stays as it is (choice).
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/interrupt.h"
#include "mm/driver_pages.h"

#define PIECES 32u

typedef struct piece {
    mm_driver_section_t section;
    uintptr_t           run_base, run_end; /* of all sections of a run alike */
} piece_t;

typedef struct driver { /* the image that holds an address */
    uintptr_t address, image, end;
    bool      is_driver; /* it is one in a library of its own */
    bool      too_many;
    size_t    count;
    piece_t   piece[PIECES];
} driver_t;

/* ---- what the image has ---- */

static void shares(const host_image_t *image, const host_section_t *section, const char *with)
{
    (void)image, (void)section, (void)with; /* that page stays */
}

static bool may_go(const host_section_t *section)
{
    return !section->is_loaders && !mm_driver_is_paged_by_name(section) && strncmp(section->name, "INIT", 4) != 0;
}

static void add_piece(driver_t *driver, const host_section_t *section, uintptr_t run_base, uintptr_t run_end)
{
    if (driver->count == PIECES) {
        driver->too_many = true;
        return;
    }
    piece_t *piece = &driver->piece[driver->count++];
    *piece = (piece_t){ .run_base = run_base, .run_end = run_end };
    piece->section = (mm_driver_section_t){
        .start = section->start, .end = section->start + section->bytes, .image = driver->image, .access = section->access, .is_whole = true
    };
    memcpy(piece->section.name, section->name, MM_DRIVER_NAME);
}

static void look(const host_image_t *image, void *context)
{
    driver_t *driver = context;
    if (driver->address - image->base >= image->end - image->base)
        return;
    driver->image = image->base;
    driver->end = image->end;
    driver->is_driver = image->is_client;
    for (size_t first = 0, end; first < image->section_count && driver->is_driver; first = end) {
        uintptr_t base, run_end;
        end = first + 1;
        if (!may_go(&image->sections[first]))
            continue;
        while (end < image->section_count && may_go(&image->sections[end]) &&
               mm_driver_shares_run(&image->sections[end - 1], &image->sections[end]))
            end++;
        mm_driver_bound_run(image, first, end, &base, &run_end, shares);
        for (size_t i = first; i < end; i++)
            add_piece(driver, &image->sections[i], base, run_end);
    }
}

/* ---- pageable ---- */

typedef struct tally {
    bool is_known; /* it was pageable as a whole before */
    bool is_locked;
} tally_t;

static void take_stock(mm_driver_section_t *section, void *context)
{
    tally_t *tally = context;
    tally->is_known = tally->is_known || section->is_whole;
    tally->is_locked = tally->is_locked || (section->is_resident && !section->is_whole && section->locks != 0);
}

static void let_go(mm_driver_section_t *section, void *context)
{
    (void)context;
    if (section->is_whole && section->run != NULL)
        mm_driver_run_may_go_locked(section->run);
}

/* A section that there is a record of is protected, and stays. */
static bool make_pageable_locked(const piece_t *piece, mm_driver_run_t **run)
{
    if (mm_driver_section_locked(piece->section.start) != NULL)
        return true;
    bool goes_on = *run != NULL && (*run)->base == piece->run_base;
    if (!goes_on)
        *run = piece->run_base < piece->run_end ? mm_driver_add_run_locked(piece->run_base, piece->run_end, piece->section.access, false)
                                                : NULL;
    mm_driver_section_t *record = mm_driver_add_resident_locked(&piece->section);
    if (record != NULL)
        record->run = *run;
    return record != NULL && (*run != NULL || piece->run_base >= piece->run_end);
}

static bool page_locked(const driver_t *driver)
{
    tally_t          tally = { 0 };
    mm_driver_run_t *run = NULL;
    bool             all = !driver->too_many;
    mm_driver_visit_sections_locked(driver->image, take_stock, &tally);
    if (tally.is_locked)
        return ke_error(false, "MmPageEntireDriver: code or data of the driver outside of its PAGE sections is locked, so all of it stays");
    if (tally.is_known) {
        mm_driver_visit_sections_locked(driver->image, let_go, NULL);
        return true;
    }
    for (size_t i = 0; i < driver->count; i++)
        all = make_pageable_locked(&driver->piece[i], &run) && all;
    return all || ke_error(false, "MmPageEntireDriver: part of the driver stays, for want of room in the tables or of host mappings");
}

static void page(const driver_t *driver)
{
    if (ke_interrupt_is_connected_to(driver->image, driver->end))
        ke_error(0, "MmPageEntireDriver: an interrupt is connected to a service routine of the driver, which may be out when it is called");
    ke_lock(&mm_paging_lock);
    (void)page_locked(driver);
    ke_unlock(&mm_paging_lock);
}

PVOID MmPageEntireDriver(PVOID AddressWithinSection)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    driver_t     driver = { .address = (uintptr_t)AddressWithinSection };
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return NULL;
    mm_driver_look();
    mm_driver_visit_images(look, &driver);
    bool found =
        driver.image != 0 || host_image_of(driver.address, &driver.image, &driver.end); /* without its file: no sections to go by */
    if (!found)
        ke_error(0, "%s: %p lies in no image that is loaded", __func__, AddressWithinSection);
    if (driver.is_driver)
        page(&driver);
    ke_thread_leave(thread);
    return found ? (PVOID)driver.image : NULL;
}

/* ---- and as linked ---- */

static void stay(mm_driver_section_t *section, void *context)
{
    bool *all = context;
    if (section->is_whole && section->run != NULL && !section->run->resident)
        *all = mm_driver_run_stay_locked(section->run) && *all;
}

void mm_driver_reset(uintptr_t address)
{
    uintptr_t image = 0, end;
    bool      all = true;
    if (!host_image_of(address, &image, &end))
        return;
    ke_lock(&mm_paging_lock);
    mm_driver_visit_sections_locked(image, stay, &all);
    ke_unlock(&mm_paging_lock);
    if (!all)
        ke_error(0, "the host refuses to bring in pages of the driver at %p", (void *)image);
}

VOID MmResetDriverPaging(PVOID AddressWithinSection)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    mm_driver_look();
    mm_driver_reset((uintptr_t)AddressWithinSection);
    ke_thread_leave(thread);
}
