/*
 * test_mm_mdl.c - random MDLs over memory of every kind against a model: a copy of what each byte should hold.
 * They are locked, built, made of selected pages, mapped, mapped at reserved addresses and for an application, protected, advanced, taken
 * apart, and freed, between page-outs; every byte that is read, directly or through any mapping, must be the one that was written last, through whatever. In the end
 * no frame is pinned, no charge and no system PTE is lost.
 * Prints its seed; NTMM_SEED replays one, NTMM_OPERATIONS changes the number of steps.
 */
#include <ntmm/cmocka.h>

#include <ntifs.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mm/charge.h"
#include "mm/pinned.h"
#include "mm/system_pte.h"

#define TAG NTMM_TAG("MdPr")
#define MEMORIES 8u
#define USER_KIND 6u /* and above: private memory of a process, and a view of a section */
#define PAGES_MOST 48u
#define MDLS 40u
#define MDL_PAGES_MOST 12u

static uint64_t seed, state;

static uint32_t below(uint32_t limit) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(((state * 0x2545F4914F6CDD1Dull) >> 32) * limit >> 32);
}

typedef struct memory {
    char    *base;
    uint32_t pages;
    bool     pageable, is_user;
    char    *copy; /* what it should hold */
} memory_t;
static memory_t      memories[MEMORIES];
static ntmm_process *process; /* in which all of it happens */
static HANDLE        section;

typedef struct mdl_record {
    PMDL      mdl; /* NULL: free */
    memory_t *memory;
    uint32_t  page[MDL_PAGES_MOST + 1]; /* of the memory, for each page of the MDL */
    uint32_t  offset, bytes;
    bool      locked, writable;
    char     *seen; /* NULL: not mapped by us */
    bool      seen_writable, seen_reserved, seen_by_user;
} mdl_record_t;
static mdl_record_t records[MDLS];
static char        *reserved;
static bool         reserved_used;

/* ---- the model ---- */

static char *copy_at(const mdl_record_t *record, uint32_t at) /* of byte `at` of the buffer */
{
    uint32_t place = record->offset + at;
    return record->memory->copy + (size_t)record->page[place / PAGE_SIZE] * PAGE_SIZE + place % PAGE_SIZE;
}

static void expect(char is, char should_be, const char *what)
{
    if (is != should_be)
        fail_msg("seed %llu: a byte seen %s is 0x%02x, not 0x%02x", (unsigned long long)seed, what, (unsigned char)is,
                 (unsigned char)should_be);
}

static void look_through(const mdl_record_t *record, const char *seen, uint32_t from, uint32_t bytes, const char *what)
{
    for (uint32_t i = 0; i < 4 && bytes != 0; i++) {
        uint32_t at = below(bytes);
        expect(seen[at], *copy_at(record, from + at), what);
    }
    if (bytes != 0) {
        expect(seen[0], *copy_at(record, from), what);
        expect(seen[bytes - 1], *copy_at(record, from + bytes - 1), what);
    }
}

/* ---- steps ---- */

static void choose_pages(mdl_record_t *record, bool selected)
{
    memory_t *memory = record->memory;
    uint32_t  pages = 1 + below(MDL_PAGES_MOST), first = below(memory->pages - pages + 1);
    record->offset = below(3) == 0 ? 0 : below(PAGE_SIZE);
    record->bytes = pages * PAGE_SIZE - record->offset - below(PAGE_SIZE - record->offset);
    for (uint32_t i = 0; i < pages; i++)
        record->page[i] = selected ? below(memory->pages) : first + i;
}

static void make(mdl_record_t *record)
{
    FILE_SEGMENT_ELEMENT segments[MDL_PAGES_MOST + 1];
    uint32_t             how = below(3);
    *record = (mdl_record_t){ .memory = &memories[below(MEMORIES)] };
    choose_pages(record, how == 0);
    char *start = record->memory->base + (size_t)record->page[0] * PAGE_SIZE + record->offset;
    if (how == 0)
        start = (char *)(uintptr_t)record->offset;
    record->mdl = IoAllocateMdl(start, record->bytes, FALSE, FALSE, NULL);
    assert_non_null(record->mdl);
    LOCK_OPERATION operation = (LOCK_OPERATION)below(3);
    record->locked = how != 1 || record->memory->pageable;
    record->writable = !record->locked || operation != IoReadAccess;
    if (!record->locked) {
        MmBuildMdlForNonPagedPool(record->mdl);
    } else if (how == 0) {
        for (uint32_t i = 0; i < ADDRESS_AND_SIZE_TO_SPAN_PAGES(record->offset, record->bytes); i++)
            segments[i].Buffer = record->memory->base + (size_t)record->page[i] * PAGE_SIZE;
        MmProbeAndLockSelectedPages(record->mdl, segments, KernelMode, operation);
    } else {
        MmProbeAndLockPages(record->mdl, record->memory->is_user && below(2) == 0 ? UserMode : KernelMode, operation);
    }
}

static void unmap(mdl_record_t *record)
{
    if (record->seen == NULL)
        return;
    if (record->seen_reserved) {
        MmUnmapReservedMapping(reserved, TAG, record->mdl);
        reserved_used = false;
    } else {
        MmUnmapLockedPages(record->seen, record->mdl);
    }
    record->seen = NULL;
}

static void discard(mdl_record_t *record)
{
    if (below(2) == 0 || !record->locked || record->seen_reserved || record->seen_by_user)
        unmap(record);
    if (record->locked)
        MmUnlockPages(record->mdl);
    IoFreeMdl(record->mdl);
    record->mdl = NULL;
}

static void map(mdl_record_t *record)
{
    if (record->seen != NULL || record->bytes == 0) {
        unmap(record);
        return;
    }
    ULONG flags = below(4) == 0 ? MdlMappingNoWrite : 0;
    record->seen_by_user = below(4) == 0;
    record->seen_reserved = !record->seen_by_user && !reserved_used && below(6) == 0;
    record->seen_writable = record->writable && (flags == 0 || record->seen_reserved);
    if (record->seen_by_user)
        record->seen = MmMapLockedPagesSpecifyCache(record->mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority | flags);
    else if (record->seen_reserved)
        record->seen = MmMapLockedPagesWithReservedMapping(reserved, TAG, record->mdl, MmCached);
    else
        record->seen =
            MmMapLockedPagesSpecifyCache(record->mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority | flags | MdlMappingNoExecute);
    assert_non_null(record->seen);
    reserved_used = reserved_used || record->seen_reserved;
    look_through(record, record->seen, 0, record->bytes, "through a mapping");
}

static void write_through(mdl_record_t *record)
{
    if (record->seen == NULL || !record->seen_writable || record->bytes == 0)
        return;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t at = below(record->bytes);
        char     value = (char)below(256);
        record->seen[at] = value;
        *copy_at(record, at) = value;
    }
    look_through(record, record->seen, 0, record->bytes, "through the mapping that wrote it");
}

static void touch_directly(memory_t *memory)
{
    for (uint32_t i = 0; i < 4; i++) {
        size_t at = (size_t)below(memory->pages) * PAGE_SIZE + below(PAGE_SIZE);
        expect(memory->base[at], memory->copy[at], "directly");
        if (below(2) == 0)
            memory->base[at] = memory->copy[at] = (char)below(256);
    }
}

static void look_at_part(mdl_record_t *record)
{
    if (record->bytes == 0 || (record->seen != NULL && record->seen_reserved))
        return;
    uint32_t from = below(record->bytes), bytes = 1 + below(record->bytes - from);
    PMDL     part = IoAllocateMdl((char *)MmGetMdlVirtualAddress(record->mdl) + from, bytes, FALSE, FALSE, NULL);
    IoBuildPartialMdl(record->mdl, part, (char *)MmGetMdlVirtualAddress(record->mdl) + from, bytes);
    char *seen = MmGetSystemAddressForMdlSafe(part, NormalPagePriority | MdlMappingNoExecute);
    assert_non_null(seen);
    look_through(record, seen, from, bytes, "through a part");
    if (below(2) == 0)
        MmPrepareMdlForReuse(part);
    IoFreeMdl(part);
}

static void advance(mdl_record_t *record)
{
    uint32_t by = below(record->bytes + 1), place = record->offset + by, passed = place / PAGE_SIZE;
    if (record->seen != NULL && (record->seen_reserved || record->seen_by_user || by == record->bytes))
        return;
    assert_int_equal(MmAdvanceMdl(record->mdl, by), STATUS_SUCCESS);
    memmove(record->page, record->page + passed, (MDL_PAGES_MOST - passed) * sizeof record->page[0]);
    record->offset = place % PAGE_SIZE;
    record->bytes -= by;
    record->seen = record->seen != NULL ? record->seen + by : NULL;
    if (record->seen != NULL)
        look_through(record, record->seen, 0, record->bytes, "behind what was passed");
}

static void protect(mdl_record_t *record)
{
    if (record->seen == NULL || record->seen_by_user)
        return;
    static const ULONG PROTECT[] = { PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE_READ };
    uint32_t           which = below(3);
    assert_int_equal(MmProtectMdlSystemAddress(record->mdl, PROTECT[which]), STATUS_SUCCESS);
    record->seen_writable = record->writable && which == 1;
    look_through(record, record->seen, 0, record->bytes, "after a change of protection");
}

static void step(void)
{
    mdl_record_t *record = &records[below(MDLS)];
    uint32_t      what = below(100);
    if (what == 0)
        ntmm_page_out();
    else if (what == 1)
        ntmm_trim_pageable();
    else if (what < 20)
        touch_directly(&memories[below(MEMORIES)]);
    else if (record->mdl == NULL)
        make(record);
    else if (what < 40)
        map(record);
    else if (what < 65)
        write_through(record);
    else if (what < 75)
        look_at_part(record);
    else if (what < 80)
        advance(record);
    else if (what < 84)
        protect(record);
    else if (what < 95)
        discard(record);
    else if (record->seen != NULL)
        look_through(record, record->seen, 0, record->bytes, "through a mapping, later");
}

/* ---- the machine ---- */

static char *view_of_a_section(SIZE_T bytes)
{
    LARGE_INTEGER size = { .QuadPart = (LONGLONG)bytes };
    PVOID         base = NULL;
    SIZE_T        view = 0;
    assert_int_equal(ZwCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL), STATUS_SUCCESS);
    assert_int_equal(ZwMapViewOfSection(section, ZwCurrentProcess(), &base, 0, 0, NULL, &view, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_SUCCESS);
    return base;
}

static void leave_process(void)
{
    assert_int_equal(ZwUnmapViewOfSection(ZwCurrentProcess(), memories[USER_KIND + 1].base), STATUS_SUCCESS);
    assert_int_equal(ZwClose(section), STATUS_SUCCESS);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
}

static char *memory_of_kind(uint32_t kind, SIZE_T bytes)
{
    const PHYSICAL_ADDRESS anywhere = { .QuadPart = -1 };
    switch (kind) {
    case 0: return ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
    case 1: return ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, bytes, TAG);
    case 2: return MmAllocateContiguousMemory(bytes, anywhere);
    case 3: return MmAllocateNonCachedMemory(bytes);
    case USER_KIND: return ntmm_user_alloc(process, bytes, PAGE_READWRITE);
    case USER_KIND + 1: return view_of_a_section(bytes);
    default: return ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG);
    }
}

static void set_up(void)
{
    process = ntmm_process_create();
    assert_non_null(process);
    ntmm_process_attach(process);
    for (uint32_t i = 0; i < MEMORIES; i++) {
        memory_t *memory = &memories[i];
        memory->pages = PAGES_MOST - 5 * i;
        memory->pageable = i >= 4;
        memory->is_user = i >= USER_KIND;
        memory->base = memory_of_kind(i, memory->pages * PAGE_SIZE);
        memory->copy = malloc(memory->pages * PAGE_SIZE);
        assert_true(memory->base != NULL && memory->copy != NULL);
        for (size_t k = 0; k < memory->pages * PAGE_SIZE; k++)
            memory->base[k] = memory->copy[k] = (char)(k * 7 + i);
    }
    reserved = MmAllocateMappingAddress((MDL_PAGES_MOST + 1) * PAGE_SIZE, TAG);
    assert_non_null(reserved);
}

static void tear_down(void)
{
    for (uint32_t i = 0; i < MDLS; i++)
        if (records[i].mdl != NULL)
            discard(&records[i]);
    MmFreeMappingAddress(reserved, TAG);
    for (uint32_t i = 0; i < MEMORIES; i++) {
        memory_t *memory = &memories[i];
        for (size_t k = 0; k < memory->pages * PAGE_SIZE; k++)
            expect(memory->base[k], memory->copy[k], "directly, in the end");
        if (i == 2)
            MmFreeContiguousMemory(memory->base);
        else if (i == 3)
            MmFreeNonCachedMemory(memory->base, memory->pages * PAGE_SIZE);
        else if (!memory->is_user)
            ExFreePool(memory->base);
        free(memory->copy);
    }
    leave_process();
}

static void no_pins(void *context, mm_pfn_number_t pfn, mm_pfn_t *entry)
{
    (void)context, (void)entry;
    if (mm_pins_of(pfn) != 0)
        fail_msg("seed %llu: frame 0x%llx is still pinned", (unsigned long long)seed, (unsigned long long)pfn);
}

static void check(void)
{
    if (!ntmm_check())
        fail_msg("seed %llu: %s", (unsigned long long)seed, ntmm_error());
}

static void every_view_shows_the_same_bytes(void **unused)
{
    (void)unused;
    const char *text = getenv("NTMM_OPERATIONS");
    uint64_t    steps = text != NULL ? strtoull(text, NULL, 0) : 200000, free_ptes = mm_system_pte_free();
    state = seed;
    set_up();
    for (uint64_t i = 0; i < steps; i++) {
        step();
        if (i % 2000 == 0)
            check();
    }
    tear_down();
    check();
    mm_visit_frames(no_pins, NULL);
    assert_int_equal(atomic_load(&mm_charges.locked), 0);
    assert_int_equal(mm_system_pte_free(), free_ptes);
}

int main(void)
{
    static const ntmm_config small = { .quiet = true, .physical_memory = 16 << 20, .page_file_size = 16 << 20 };
    const char              *text = getenv("NTMM_SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 0x9E3779B97F4A7C15u | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = { ntmm_cmocka_test_config(every_view_shows_the_same_bytes, &small) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
