/*
 * driver_sections.c - which sections of which images are pageable, and who has locked them.
 * A section whose name begins with PAGE is pageable, in every image of the process: the program, and each library. Only whole pages come and
 * go, so the link step that comes with the package gives such sections pages of their own (ntmm_pageable.ld). A page that a section shares
 * with something else stays resident, and ntmm_error() says so after the boot.
 *
 *     image      | .text  | PAGE     : PAGELK : PAGEVIDE | .rodata     |        PAGE: sections; `:` and `|` where one ends
 *     pages      |    0   |    1     |    2   |    3     |    4        |        link step used: runs are the pages 1 to 3
 *
 * Sections that share pages and allow the same accesses make one run: a page that two of them share comes and goes when both may. A lock
 * pins all pages that the section lies on. Names may be of any length, and tell sections apart in full; reports show the eight characters that
 * an image file of Windows has room for.
 *
 * Images are looked for at boot, and again when some were loaded or unloaded: before pages are trimmed or put out, and at each lock.
 *
 * Locks       look_lock around a look, mm_paging_lock for the records; the dynamic linker's between the two.
 * Source      WDK reference: MmLockPagableCodeSection, MmLockPagableDataSection, MmLockPagableSectionByHandle, MmUnlockPagableImageSection,
 *             "Making drivers pageable"; Bug Check 0x1A.
 */
#include <ntddk.h>
#include <stdio.h>

#include "ke/bugcheck.h"
#include "mm/driver_pages.h"

#define SECTIONS 128u
#define IMAGES 256u

mm_driver_run_t mm_driver_runs[MM_DRIVER_RUNS];
size_t          mm_driver_run_count;

static mm_driver_section_t sections[SECTIONS];
static ke_lock_t           look_lock = KE_LOCK_INIT(KE_RANK_MM_DRIVERS);
static uint64_t            found_number, records_number; /* under look_lock: host_images_number() when they were made; 0: never */

/* ---- what an image has ---- */

typedef struct found { /* under look_lock */
    mm_driver_section_t section;
    uintptr_t           run_base, run_end; /* of all sections of a run alike; run_base == run_end: no page is theirs alone */
    bool                is_kept;           /* a record of it exists */
} found_t;
static found_t found[SECTIONS];
static size_t  found_count;
static char    complaint[256]; /* about the first section that shares a page; empty: there is none */

static struct { /* under look_lock: where images lie; more than there is room for count as there */
    uintptr_t base, end;
} loaded[IMAGES];
static size_t loaded_count;

static uintptr_t up(uintptr_t va, size_t unit) { return (va + unit - 1) / unit * unit; }
static uintptr_t down(uintptr_t va, size_t unit) { return va / unit * unit; }

static bool is_pageable_name(const char *name) { return strncmp(name, "PAGE", 4) == 0; }
bool        mm_driver_is_paged_by_name(const host_section_t *section) { return is_pageable_name(section->name); }

static void complain(const host_image_t *image, const host_section_t *section, const char *with)
{
    if (complaint[0] == '\0')
        snprintf(complaint, sizeof complaint,
                 "section %s of %s shares a page with %s and is resident there: link with the options of ntmm::ntmm or pkg-config, or with "
                 "a script like ntmm_pageable.ld",
                 section->name, image->path, with);
}

void mm_driver_bound_run(const host_image_t *image, size_t first, size_t end, uintptr_t *base, uintptr_t *run_end,
                         void (*shares)(const host_image_t *image, const host_section_t *section, const char *with))
{
    const host_section_t *sections_of = image->sections;
    uintptr_t             start = sections_of[first].start, stop = sections_of[end - 1].start + sections_of[end - 1].bytes;
    uintptr_t             before = first > 0 ? sections_of[first - 1].start + sections_of[first - 1].bytes : 0;
    uintptr_t             after = end < image->section_count ? sections_of[end].start : UINTPTR_MAX;
    *base = down(start, host_page_size());
    *run_end = up(stop, host_page_size());
    if (before > down(start, PAGE_SIZE)) {
        shares(image, &sections_of[first], sections_of[first - 1].name);
        *base = up(start, PAGE_SIZE);
    }
    if (after < up(stop, PAGE_SIZE)) {
        shares(image, &sections_of[end - 1], sections_of[end].name);
        *run_end = down(stop, PAGE_SIZE);
    }
    if (*run_end < *base)
        *run_end = *base;
}

static void add_found(const host_image_t *image, const host_section_t *section, uintptr_t run_base, uintptr_t run_end)
{
    if (found_count == SECTIONS) {
        snprintf(complaint, sizeof complaint, "there are more than %u pageable sections: %s of %s stays resident", SECTIONS, section->name,
                 image->path);
        return;
    }
    found_t *f = &found[found_count++];
    *f = (found_t){ .run_base = run_base, .run_end = run_end };
    f->section = (mm_driver_section_t){
        .start = section->start, .end = section->start + section->bytes, .image = image->base, .access = section->access
    };
    memcpy(f->section.name, section->name, MM_DRIVER_NAME);
}

bool mm_driver_shares_run(const host_section_t *before, const host_section_t *section)
{
    return section->access == before->access && section->start < up(before->start + before->bytes, PAGE_SIZE);
}

static bool goes_on(const host_section_t *before, const host_section_t *section)
{
    return is_pageable_name(section->name) && mm_driver_shares_run(before, section);
}

static void look_at_image(const host_image_t *image, void *context)
{
    (void)context;
    if (loaded_count < IMAGES) {
        loaded[loaded_count].base = image->base;
        loaded[loaded_count++].end = image->end;
    }
    for (size_t first = 0, end; first < image->section_count; first = end) {
        const host_section_t *group = &image->sections[first];
        uintptr_t             base, run_end;
        end = first + 1;
        if (!is_pageable_name(group->name))
            continue;
        while (end < image->section_count && goes_on(&image->sections[end - 1], &image->sections[end]))
            end++;
        mm_driver_bound_run(image, first, end, &base, &run_end, complain);
        for (size_t i = first; i < end; i++)
            add_found(image, &image->sections[i], base, run_end);
    }
}

/* ---- records ---- */

static bool is_in(const mm_driver_section_t *section, uintptr_t va) { return va - section->start < section->end - section->start; }

mm_driver_run_t *mm_driver_run_of(uintptr_t va)
{
    for (mm_driver_run_t *run = mm_driver_runs; run < mm_driver_runs + mm_driver_run_count; run++)
        if (run->pages != NULL && va - run->base < run->end - run->base)
            return run;
    return NULL;
}

static mm_driver_section_t *section_of(uintptr_t va)
{
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++)
        if (is_in(s, va))
            return s;
    return NULL;
}

static found_t *found_like(const mm_driver_section_t *section)
{
    for (found_t *f = found; f < found + found_count; f++)
        if (f->section.start == section->start && f->section.end == section->end && f->section.image == section->image)
            return f;
    return NULL;
}

static void forget_run(mm_driver_run_t *run, bool image_is_there)
{
    mm_driver_run_forget_locked(run, image_is_there);
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++)
        if (s->run == run)
            *s = (mm_driver_section_t){ 0 };
}

static bool is_loaded(const mm_driver_section_t *section)
{
    for (size_t i = 0; i < loaded_count; i++)
        if (loaded[i].base == section->image && section->end <= loaded[i].end)
            return true;
    return loaded_count == IMAGES;
}

/* What was made for somebody who asked goes with its image, all of it. */
static void drop_resident_locked(mm_driver_section_t *gone)
{
    uintptr_t image = gone->image;
    if (is_loaded(gone) && (gone->run == NULL || mm_driver_run_is_mapped_locked(gone->run)))
        return;
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++) {
        if (s->image != image || !s->is_resident)
            continue;
        if (s->run != NULL)
            forget_run(s->run, false);
        else
            *s = (mm_driver_section_t){ 0 };
    }
}

/* Records of what is gone, or is not what it was. */
static void drop_records_locked(void)
{
    for (found_t *f = found; f < found + found_count; f++)
        f->is_kept = false;
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++) {
        found_t *f = s->image != 0 ? found_like(s) : NULL;
        if (s->is_resident)
            drop_resident_locked(s);
        else if (f != NULL && (s->run == NULL || mm_driver_run_is_mapped_locked(s->run)))
            f->is_kept = true;
        else if (s->run != NULL)
            forget_run(s->run, false);
        else
            *s = (mm_driver_section_t){ 0 };
    }
}

static mm_driver_section_t *free_record(void)
{
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++)
        if (s->image == 0)
            return s;
    return NULL;
}

static mm_driver_run_t *free_run(void)
{
    for (mm_driver_run_t *run = mm_driver_runs; run < mm_driver_runs + MM_DRIVER_RUNS; run++)
        if (run->pages == NULL)
            return run;
    return NULL;
}

mm_driver_run_t *mm_driver_add_run_locked(uintptr_t base, uintptr_t end, unsigned access, bool resident)
{
    mm_driver_run_t *run = free_run();
    if (run == NULL)
        return NULL;
    if (mm_driver_run_count < (size_t)(run - mm_driver_runs) + 1) /* first: who touches it while it is made must find it */
        mm_driver_run_count = (size_t)(run - mm_driver_runs) + 1;
    return mm_driver_run_create_locked(run, base, end, access, resident) == 0 ? run : NULL;
}

static mm_driver_run_t *run_for_locked(const found_t *f)
{
    mm_driver_run_t *run = f->run_base < f->run_end ? mm_driver_run_of(f->run_base) : NULL;
    if (run == NULL && f->run_base < f->run_end) {
        run = mm_driver_add_run_locked(f->run_base, f->run_end, f->section.access, false);
        if (run == NULL)
            snprintf(complaint, sizeof complaint, "section %s at 0x%llx stays resident: the host refuses mappings for it", f->section.name,
                     (unsigned long long)f->section.start);
    }
    return run;
}

static void make_records_locked(void)
{
    for (found_t *f = found; f < found + found_count; f++) {
        mm_driver_section_t *record = f->is_kept ? NULL : free_record();
        if (record == NULL)
            continue;
        *record = f->section;
        record->run = run_for_locked(f);
    }
}

/* What the files say is kept from one boot to the next. */
static void find_sections(uint64_t number)
{
    found_count = loaded_count = 0;
    complaint[0] = '\0';
    host_visit_images(look_at_image, NULL);
    found_number = number;
}

void mm_driver_look(void)
{
    uint64_t number = host_images_number();
    ke_lock(&look_lock);
    if (number != found_number)
        find_sections(number);
    if (number != records_number) {
        ke_lock(&mm_paging_lock);
        drop_records_locked();
        make_records_locked();
        ke_unlock(&mm_paging_lock);
        records_number = number;
        if (complaint[0] != '\0')
            ke_error(0, "%s", complaint);
    }
    ke_unlock(&look_lock);
}

void mm_driver_visit_images(void (*visit)(const host_image_t *image, void *context), void *context)
{
    ke_lock(&look_lock);
    host_visit_images(visit, context);
    ke_unlock(&look_lock);
}

void mm_driver_boot(void)
{
    ke_lock_init(&look_lock, KE_RANK_MM_DRIVERS);
    records_number = 0;
    mm_driver_look();
}

static void end_all(void)
{
    for (mm_driver_run_t *run = mm_driver_runs; run < mm_driver_runs + mm_driver_run_count; run++)
        if (run->pages != NULL)
            forget_run(run, true);
    memset(sections, 0, sizeof sections);
    mm_driver_run_count = 0;
}

/* What lies now where an image was is not ours. */
static void forget_unloaded(void)
{
    uint64_t number = host_images_number();
    ke_lock(&look_lock);
    if (number != records_number) {
        find_sections(number);
        ke_lock(&mm_paging_lock);
        drop_records_locked();
        ke_unlock(&mm_paging_lock);
    }
    ke_unlock(&look_lock);
}

void mm_driver_shutdown(void)
{
    forget_unloaded();
    end_all();
    mm_driver_init_reset();
    mm_driver_page_file_reset(false);
}

void mm_driver_forget(void)
{
    end_all();
    mm_driver_init_reset();
    mm_driver_page_file_reset(true);
}

/* ---- pages by address ---- */

mm_page_answer_t mm_driver_fault_locked(const host_fault_t *fault, bool irql_is_low)
{
    mm_driver_run_t *run = mm_driver_run_of(fault->address);
    return run != NULL ? mm_driver_page_fault_locked(run, fault, irql_is_low) : MM_PAGE_ABSENT;
}

bool mm_driver_bring_locked(uintptr_t va)
{
    mm_driver_run_t *run = mm_driver_run_of(va);
    return run != NULL && mm_driver_page_bring_locked(run, mm_driver_page_index(run, va));
}

bool mm_driver_pin(uintptr_t va, bool write)
{
    ke_lock(&mm_paging_lock);
    mm_driver_run_t *run = mm_driver_run_of(va);
    size_t           index = run != NULL ? mm_driver_page_index(run, va) : 0;
    bool             pinned = run != NULL && mm_driver_page_bring_locked(run, index) && (!write || mm_driver_page_dirty_locked(run, index));
    if (pinned)
        run->pages[index].pins++;
    ke_unlock(&mm_paging_lock);
    return pinned;
}

void mm_driver_unpin(uintptr_t va)
{
    if (mm_driver_run_of(va) == NULL) /* most likely */
        return;
    ke_lock(&mm_paging_lock);
    mm_driver_run_t  *run = mm_driver_run_of(va);
    mm_driver_page_t *page = run != NULL ? &run->pages[mm_driver_page_index(run, va)] : NULL;
    if (page != NULL && page->pins != 0 && --page->pins == 0)
        mm_key_take_back_locked();
    ke_unlock(&mm_paging_lock);
}

bool mm_driver_has(uintptr_t va) { return mm_driver_run_of(va) != NULL; }

bool mm_driver_stays(uintptr_t va)
{
    const mm_driver_run_t *run = mm_driver_run_of(va);
    return run != NULL && run->resident;
}

void mm_driver_visit_sections_locked(uintptr_t image, void (*visit)(mm_driver_section_t *section, void *context), void *context)
{
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++)
        if (s->image == image)
            visit(s, context);
}

bool mm_driver_describe(uintptr_t va, char *line, size_t bytes)
{
    static const char *const   states[] = { "resident", "not in the working set: a soft fault away", "paged out: a hard fault away" };
    const mm_driver_run_t     *run = mm_driver_run_of(va);
    const mm_driver_section_t *section = section_of(va);
    if (run == NULL)
        return false;
    const mm_driver_page_t *page = &run->pages[mm_driver_page_index(run, va)];
    snprintf(line, bytes, "pageable section %s of a driver, %s%s", section != NULL ? section->name : "", states[page->state],
             page->pins != 0 ? ", locked" : "");
    return true;
}

/* ---- locks ---- */

static void pin_locked(mm_driver_section_t *section, bool pin)
{
    mm_driver_run_t *run = section->run;
    for (size_t i = 0; run != NULL && i < run->page_count; i++) {
        uintptr_t page = down(run->base, PAGE_SIZE) + (i << PAGE_SHIFT);
        if (page >= section->end || page + PAGE_SIZE <= section->start)
            continue;
        run->pages[i].pins += pin ? 1u : -1u;
        if (pin)
            NTMM_INVARIANT(mm_driver_page_bring_locked(run, i), "a page of a driver comes back");
    }
}

static void lock_locked(mm_driver_section_t *section)
{
    if (section->locks++ == 0)
        pin_locked(section, true);
}

mm_driver_section_t *mm_driver_section_locked(uintptr_t va) { return section_of(va); }

mm_driver_section_t *mm_driver_add_resident_locked(const mm_driver_section_t *like)
{
    mm_driver_section_t *record = free_record();
    if (record != NULL) {
        *record = *like;
        record->is_resident = true;
    }
    return record;
}

/* Code that no compiler or linker has put into a PAGE section is resident: locking it is counted, and nothing more. */
static mm_driver_section_t *rest_of_image_locked(uintptr_t image)
{
    mm_driver_section_t rest = { .start = image, .end = image, .image = image }; /* it is found by its image, not by an address */
    for (mm_driver_section_t *s = sections; s < sections + SECTIONS; s++)
        if (s->image == image && s->start == s->end)
            return s;
    return mm_driver_add_resident_locked(&rest);
}

static PVOID lock_section(const char *routine, PVOID address)
{
    uintptr_t    image, end;
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return NULL;
    mm_driver_look();
    bool is_image = host_image_of((uintptr_t)address, &image, &end);
    ke_lock(&mm_paging_lock);
    mm_driver_section_t *section = section_of((uintptr_t)address);
    if (section == NULL && is_image)
        section = rest_of_image_locked(image);
    if (section != NULL)
        lock_locked(section);
    ke_unlock(&mm_paging_lock);
    ke_thread_leave(thread);
    if (!is_image)
        ke_bugcheck(routine, "The address to lock lies in no section of any image that is loaded.", MEMORY_MANAGEMENT, 0x1234,
                    (ULONG_PTR)address, 0, 0);
    return section;
}

PVOID MmLockPagableCodeSection(PVOID AddressWithinSection)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return lock_section(__func__, AddressWithinSection);
}

PVOID MmLockPagableDataSection(PVOID AddressWithinSection)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return lock_section(__func__, AddressWithinSection);
}

static mm_driver_section_t *section_of_handle(PVOID handle)
{
    uintptr_t offset = (uintptr_t)handle - (uintptr_t)sections;
    if (offset >= sizeof sections || offset % sizeof sections[0] != 0 || ((mm_driver_section_t *)handle)->image == 0)
        return NULL;
    return handle;
}

VOID MmLockPagableSectionByHandle(PVOID ImageSectionHandle)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    ke_lock(&mm_paging_lock);
    mm_driver_section_t *section = section_of_handle(ImageSectionHandle);
    if (section != NULL)
        lock_locked(section);
    ke_unlock(&mm_paging_lock);
    ke_thread_leave(thread);
    if (section == NULL)
        ke_bugcheck(__func__, "The handle to lock by is none that MmLockPagableCodeSection or MmLockPagableDataSection returned.",
                    MEMORY_MANAGEMENT, 0x1234, (ULONG_PTR)ImageSectionHandle, 0, 0);
}

VOID MmUnlockPagableImageSection(PVOID ImageSectionHandle)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    ke_lock(&mm_paging_lock);
    mm_driver_section_t *section = section_of_handle(ImageSectionHandle);
    bool                 was_locked = section != NULL && section->locks != 0;
    if (was_locked && --section->locks == 0) {
        pin_locked(section, false);
        mm_key_take_back_locked();
    }
    ke_unlock(&mm_paging_lock);
    ke_thread_leave(thread);
    if (!was_locked)
        ke_bugcheck(__func__, "A pageable section was unlocked that is not locked: one unlock for each lock.", MEMORY_MANAGEMENT, 0x1010,
                    (ULONG_PTR)ImageSectionHandle, 0, 0);
}
