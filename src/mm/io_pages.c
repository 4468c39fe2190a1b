/*
 * io_pages.c - the pages of I/O space: their bytes, how often each is mapped, and as what.
 * Windows are made of bytes, mappings of pages. A run is a row of pages that windows lie on; each has a memory object of the host for its
 * bytes, once a window of memory lies there, and one word for each page:
 *
 *     windows     [ A ........ ][ B ]      [ C ]             A and B share a page, so they share the run that A brought
 *     pages       | 0 | 1 | 2 | 3 |          | 7 |
 *     runs        [ run of A......]          [ run of C ]    a run stays as long as any window has a byte on it
 *
 *     word        mappings << 8 | a window lies here << 4 | cache type << 1 | registers lie here
 *
 * Since windows do not overlap, a new one finds at most its first pages and its last ones in runs already: what is left is one new run.
 *
 * Invariants  a page lies in one run at most; its word counts the PTEs that name it (mm_io_pages_check)
 *             a page that is mapped has one cache type, and does not change between memory and registers
 * Locks       (W) and (I) of io_space.h; host calls are made without (I).
 * Source      WDK reference: MEMORY_CACHING_TYPE (one caching behaviour for each physical page), Bug Check 0x1A/0x1000 (the system refuses
 *             a conflicting one).
 */
#include <errno.h>

#include "ke/bugcheck.h"
#include "mm/io_space.h"
#include "mm/machine.h"
#include "mm/pte.h"

#define REGISTERS 1u
#define CACHE_SHIFT 1u
#define CACHE_MASK (7u << CACHE_SHIFT)
#define WINDOW 0x10u
#define MAPPED 0x100u

typedef unsigned long long ull;

typedef struct io_run {
    mm_pfn_number_t first;      /* (W) to change, (I) as well */
    uint64_t        page_count; /* the same; 0: the slot is empty */
    uint32_t        windows;    /* (W) that have a byte here */
    bool            has_object; /* (W) to change, (I) as well */
    host_object_t   object;     /* the same */
    uint32_t       *pages;      /* (I) one word a page */
} io_run_t;
static io_run_t runs[3 * MM_IO_WINDOWS_MAX]; /* at most three for each window: a new one, and those of its neighbours, who may be gone */
static size_t   run_slots;                   /* (W) to change, (I) as well: those behind are empty */

#define EACH_RUN(run) \
    io_run_t *run = runs; \
    run < runs + run_slots; \
    run++

static bool     is_in(const io_run_t *run, mm_pfn_number_t pfn) { return pfn - run->first < run->page_count; }
static uint64_t run_end(const io_run_t *run) { return run->first + run->page_count; }

static io_run_t *run_of(mm_pfn_number_t pfn)
{
    for (EACH_RUN(run))
        if (is_in(run, pfn))
            return run;
    return NULL;
}

static uint32_t *word_of(mm_pfn_number_t pfn)
{
    io_run_t *run = run_of(pfn);
    return run != NULL ? &run->pages[pfn - run->first] : NULL;
}

/* ---- runs ---- */

static int run_make(io_run_t *run, mm_pfn_number_t first, uint64_t page_count)
{
    uint32_t *pages = host_tables(page_count * sizeof *pages);
    if (pages == NULL)
        return ke_error(-ENOMEM, "the host has no memory for the table of a window of %llu pages", (ull)page_count);
    ke_lock(&mm_io_lock);
    *run = (io_run_t){ .first = first, .page_count = page_count, .pages = pages };
    if (run == runs + run_slots)
        run_slots++;
    ke_unlock(&mm_io_lock);
    return 0;
}

static void run_release(io_run_t *run)
{
    io_run_t old = *run;
    ke_lock(&mm_io_lock);
    *run = (io_run_t){ 0 };
    ke_unlock(&mm_io_lock);
    if (old.has_object)
        host_object_close(&old.object);
    host_release(old.pages, old.page_count * sizeof *old.pages);
}

/* Bytes for a window of memory, where so far registers were alone. */
static int run_give_bytes(io_run_t *run)
{
    host_object_t object;
    if (run->has_object)
        return 0;
    int status = host_object_create(&object, run->page_count << PAGE_SHIFT, HOST_OBJECT_BEST);
    if (status != 0)
        return ke_error(status, "the host gives no memory object for a window of %llu pages", (ull)run->page_count);
    ke_lock(&mm_io_lock);
    run->object = object;
    run->has_object = true;
    ke_unlock(&mm_io_lock);
    return 0;
}

/* Calls for each run that has some of the pages; stops at the first that does not return 0. */
static int each_run(mm_pfn_number_t first, mm_pfn_number_t last, int (*call)(io_run_t *run))
{
    int status = 0;
    for (EACH_RUN(run))
        if (status == 0 && run->page_count != 0 && run->first <= last && first < run_end(run))
            status = call(run);
    return status;
}

static int one_window_more(io_run_t *run)
{
    run->windows++;
    return 0;
}

static int one_window_less(io_run_t *run)
{
    if (--run->windows == 0)
        run_release(run);
    return 0;
}

static int release_if_unused(io_run_t *run)
{
    if (run->windows == 0)
        run_release(run);
    return 0;
}

/* A run for those of the pages that have none. */
static int cover(mm_pfn_number_t first, mm_pfn_number_t last)
{
    io_run_t *empty = runs, *run;
    while (first <= last && (run = run_of(first)) != NULL)
        first = run_end(run);
    while (first < last && (run = run_of(last)) != NULL)
        last = run->first - 1;
    if (first > last)
        return 0;
    while (empty < runs + run_slots && empty->page_count != 0)
        empty++;
    NTMM_INVARIANT(empty < runs + NTMM_ARRAY_COUNT(runs), "the table of windows has room, so that of their runs has");
    return run_make(empty, first, last - first + 1);
}

/* ---- the words of a row of pages ---- */

static bool word_is_mapped(uint32_t word) { return word >= MAPPED; }
static bool word_is_mapped_as_memory(uint32_t word) { return word >= MAPPED && (word & REGISTERS) == 0; }

static bool any_page_locked(mm_pfn_number_t first, mm_pfn_number_t last, bool (*is)(uint32_t word))
{
    bool found = false;
    for (EACH_RUN(run))
        for (mm_pfn_number_t pfn = run->first > first ? run->first : first; pfn <= last && is_in(run, pfn) && !found; pfn++)
            found = is(run->pages[pfn - run->first]);
    return found;
}

bool mm_io_pages_are_mapped_locked(mm_pfn_number_t first, mm_pfn_number_t last) { return any_page_locked(first, last, word_is_mapped); }

static void change_pages_locked(mm_pfn_number_t first, mm_pfn_number_t last, uint32_t clear, uint32_t set)
{
    NTMM_INVARIANT(ke_lock_is_held(&mm_io_lock), "the words of pages change under their lock");
    for (EACH_RUN(run))
        for (mm_pfn_number_t pfn = run->first > first ? run->first : first; pfn <= last && is_in(run, pfn); pfn++)
            run->pages[pfn - run->first] = (run->pages[pfn - run->first] & ~clear) | set;
}

void mm_io_pages_mark_locked(mm_pfn_number_t first, mm_pfn_number_t last, bool registers)
{
    change_pages_locked(first, last, 0, WINDOW | (registers ? REGISTERS : 0));
}

void mm_io_pages_unmark_locked(mm_pfn_number_t first, mm_pfn_number_t last) { change_pages_locked(first, last, WINDOW | REGISTERS, 0); }

/* ---- windows come and go ---- */

/* A page that a driver has mapped as memory cannot become registers under it. */
static bool mark_if_allowed(mm_pfn_number_t first, mm_pfn_number_t last, bool registers)
{
    ke_lock(&mm_io_lock);
    bool allowed = !registers || !any_page_locked(first, last, word_is_mapped_as_memory);
    if (allowed)
        mm_io_pages_mark_locked(first, last, registers);
    ke_unlock(&mm_io_lock);
    return allowed;
}

int mm_io_pages_hold(mm_pfn_number_t first, mm_pfn_number_t last, bool registers)
{
    int status = cover(first, last);
    if (status == 0 && !registers)
        status = each_run(first, last, run_give_bytes);
    if (status == 0 && !mark_if_allowed(first, last, registers))
        status = ke_error(-EBUSY, "a driver has mapped a page as memory on which these registers would lie");
    (void)each_run(first, last, status == 0 ? one_window_more : release_if_unused);
    return status;
}

void mm_io_pages_drop(mm_pfn_number_t first, mm_pfn_number_t last) { (void)each_run(first, last, one_window_less); }

void mm_io_pages_wipe(mm_pfn_number_t first, uint64_t page_count)
{
    for (EACH_RUN(run)) {
        mm_pfn_number_t from = run->first > first ? run->first : first;
        uint64_t        end = run_end(run) < first + page_count ? run_end(run) : first + page_count;
        if (from >= end || run->windows == 1 || !run->has_object)
            continue;
        int status = host_object_discard(&run->object, (from - run->first) << PAGE_SHIFT, (end - from) << PAGE_SHIFT);
        NTMM_INVARIANT(status == 0, "the host takes back memory that it gave");
    }
}

/* ---- mapping ---- */

/* As far as one run goes; 0 pages: it has no bytes. */
static uint64_t piece_at(mm_pfn_number_t first, uint64_t page_count, host_object_t *object, uint64_t *offset)
{
    uint64_t piece = 0;
    ke_lock(&mm_io_lock);
    const io_run_t *run = run_of(first);
    if (run != NULL && run->has_object) {
        *object = run->object;
        *offset = (first - run->first) << PAGE_SHIFT;
        piece = run_end(run) - first < page_count ? run_end(run) - first : page_count;
    }
    ke_unlock(&mm_io_lock);
    return piece;
}

int mm_io_pages_map(void *at, mm_pfn_number_t first, uint64_t page_count, unsigned access)
{
    char *here = at;
    int   status = 0;
    for (uint64_t done = 0, piece; done < page_count && status == 0; done += piece) {
        host_object_t object;
        uint64_t      offset;
        piece = piece_at(first + done, page_count - done, &object, &offset);
        status = piece == 0 ? -ENXIO : host_map_object(here + (done << PAGE_SHIFT), &object, offset, piece << PAGE_SHIFT, access);
    }
    return status;
}

mm_io_claim_t mm_io_page_claim(mm_pfn_number_t pfn, MEMORY_CACHING_TYPE cache, bool *registers)
{
    mm_io_claim_t claim = MM_IO_NO_PAGE;
    ke_lock(&mm_io_lock);
    uint32_t *word = word_of(pfn);
    if (word != NULL && (*word & WINDOW) == 0)
        word = NULL; /* the run stays for the sake of others */
    if (word != NULL && *word < MAPPED)
        *word = (*word & ~CACHE_MASK) | (uint32_t)cache << CACHE_SHIFT;
    if (word != NULL)
        claim = (*word & CACHE_MASK) == (uint32_t)cache << CACHE_SHIFT ? MM_IO_CLAIMED : MM_IO_OTHER_CACHE;
    if (claim == MM_IO_CLAIMED) {
        *word += MAPPED;
        *registers = (*word & REGISTERS) != 0;
    }
    ke_unlock(&mm_io_lock);
    return claim;
}

void mm_io_page_release(mm_pfn_number_t pfn)
{
    ke_lock(&mm_io_lock);
    uint32_t *word = word_of(pfn);
    NTMM_INVARIANT(word != NULL && *word >= MAPPED, "a page of I/O space is mapped as long as a PTE names it");
    *word -= MAPPED;
    ke_unlock(&mm_io_lock);
}

void mm_io_pages_shutdown(void)
{
    for (EACH_RUN(run))
        if (run->page_count != 0)
            run_release(run);
    run_slots = 0;
}

/* ---- checking: take away what the PTEs count, look what is left, and count again ---- */

typedef struct count_check {
    uint64_t limit, seen;
    bool     sound;
} count_check_t;

static bool uncount(uint64_t pte)
{
    uint32_t *word = word_of(mm_pte_pfn(pte));
    if (word == NULL || *word < MAPPED || (*word & WINDOW) == 0 || ((*word & REGISTERS) != 0) != ((pte & MM_PTE_DEVICE) != 0))
        return ke_error(false, "a PTE names the page of I/O space at 0x%llx, which %s", (ull)(pte & MM_PTE_ADDRESS),
                        word == NULL ? "no window lies on" : "is counted as less, or as something else");
    *word -= MAPPED;
    return true;
}

static void uncount_page(void *context, mm_page_table_t *table, size_t index)
{
    count_check_t *check = context;
    uint64_t       pte = table->ptes[index];
    if (!check->sound || !mm_pte_is_valid(pte) || (pte & MM_PTE_IO) == 0)
        return;
    check->sound = uncount(pte);
    check->limit += check->sound;
}

static void recount_page(void *context, mm_page_table_t *table, size_t index)
{
    count_check_t *check = context;
    uint64_t       pte = table->ptes[index];
    if (mm_pte_is_valid(pte) && (pte & MM_PTE_IO) != 0 && check->seen < check->limit) {
        *word_of(mm_pte_pfn(pte)) += MAPPED;
        check->seen++;
    }
}

static bool nothing_is_left(void)
{
    for (EACH_RUN(run))
        for (uint64_t i = 0; i < run->page_count; i++)
            if (run->pages[i] >= MAPPED)
                return ke_error(false, "the page of I/O space at 0x%llx is counted as mapped more often than PTEs name it",
                                (ull)(run->first + i) << PAGE_SHIFT);
    return true;
}

bool mm_io_pages_check(void)
{
    count_check_t check = { 0, 0, true };
    mm_table_visit(&mm_system_table, uncount_page, &check);
    bool sound = check.sound && nothing_is_left();
    mm_table_visit(&mm_system_table, recount_page, &check);
    return sound;
}
