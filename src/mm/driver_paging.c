/*
 * driver_paging.c - pages of pageable driver sections, from state to state.
 *
 *                   page is touched, written: dirty
 *              .-------------------------------------.
 *              v                                     |
 *          there --- trim ---> trimmed --- put out ---> out             open          bytes of what can be written   of the rest
 *            ^ `-- soft fault ----'                     |       there     yes           in the slot                    in the image
 *            `------------ hard fault ------------------'       trimmed   no            in the slot                    in the image
 *                                                               out       no            in the page file alone         in the image
 *
 * What can be written is moved, when the machine boots, from the image's own pages to a memory object that is mapped in their place: so it has an
 * alias that is always open, and bytes are back before the page opens. An image gets pages of its own again at shutdown. What cannot be
 * written is never moved: a page that is out is closed, and its bytes are where the host has them, in the image file or in its memory. So
 * breakpoints that a debugger has set in pageable code stay, and profilers find names.
 *
 * The page file of drivers is a file of its own, in which each page has its place: nothing that is committed in the machine can run short of
 * it. Written pages come back read only, so that the next write tells that they are dirty.
 *
 * When memory is short and the working set is trimmed, pages here are trimmed at the same pace, by a hand that goes round. That frees nothing: they
 * have no frames, for a frame is RAM of the machine, and an image lies in memory of the host, which has no room for it in any frame; code is
 * never moved there (see above), so a device or MmGetVirtualForPhysical would find other bytes in the frame than the driver sees. What a driver
 * may observe of the shortage is there nevertheless: pageable code that ran a moment ago is a page fault away.
 *
 * Invariants  a page that is pinned is there; one that is out and can be written is in the file
 * Locks       mm_paging_lock, held by the caller.
 */
#include "mm/driver_pages.h"

#include <errno.h>
#include <string.h>

#include "host/protection_key.h"
#include "ke/bugcheck.h"

static host_file_t file = { .fd = -1 };

/* ---- places ---- */

static uintptr_t round_down(uintptr_t va, size_t unit) { return va / unit * unit; }

size_t mm_driver_page_index(const mm_driver_run_t *run, uintptr_t va) { return (va - round_down(run->base, PAGE_SIZE)) >> PAGE_SHIFT; }

static uintptr_t page_start(const mm_driver_run_t *run, size_t index)
{
    return index == 0 ? run->base : round_down(run->base, PAGE_SIZE) + (index << PAGE_SHIFT);
}

static size_t page_bytes(const mm_driver_run_t *run, size_t index)
{
    uintptr_t end = index + 1 == run->page_count ? run->end : page_start(run, index + 1);
    return end - page_start(run, index);
}

static size_t   offset_of(const mm_driver_run_t *run, size_t index) { return page_start(run, index) - run->base; }
static char    *alias_of(const mm_driver_run_t *run, size_t index) { return (char *)run->alias + offset_of(run, index); }
static uint64_t file_offset_of(const mm_driver_run_t *run, size_t index)
{
    return (uint64_t)(run - mm_driver_runs) << 32 | (uint64_t)index << PAGE_SHIFT;
}

static size_t table_bytes(const mm_driver_run_t *run)
{
    return (run->page_count * sizeof(mm_driver_page_t) + host_page_size() - 1) / host_page_size() * host_page_size();
}

static bool is_moved(const mm_driver_run_t *run) { return run->alias != NULL; }

/* ---- the gate ---- */

static unsigned access_of(const mm_driver_run_t *run, size_t index)
{
    return run->pages[index].is_read_only ? run->access & ~(unsigned)HOST_WRITE : run->access;
}

static int open_page(mm_driver_run_t *run, size_t index)
{
    if (is_moved(run))
        return host_gate_open(&run->gate, offset_of(run, index), page_bytes(run, index),
                              run->pages[index].dirty && (access_of(run, index) & HOST_WRITE) != 0);
    return host_protect((void *)page_start(run, index), page_bytes(run, index), access_of(run, index));
}

/* false: the host refuses to split the mapping, and the page stays open. */
static bool close_page(mm_driver_run_t *run, size_t index)
{
    if (!is_moved(run))
        return host_protect((void *)page_start(run, index), page_bytes(run, index), HOST_NONE) == 0;
    host_gate_close(&run->gate, offset_of(run, index), page_bytes(run, index));
    return true;
}

/* ---- under the protection key ---- */

bool mm_driver_run_is_data(const mm_driver_run_t *run) { return !run->resident && (run->access & HOST_EXECUTE) == 0; }

int mm_driver_page_cover_locked(const mm_driver_run_t *run, size_t index, bool covered)
{
    if (is_moved(run))
        return host_gate_cover_page(&run->gate, offset_of(run, index), page_bytes(run, index), covered);
    unsigned access = run->pages[index].state == MM_DRIVER_THERE ? access_of(run, index) : HOST_NONE;
    return host_key_cover((void *)page_start(run, index), page_bytes(run, index), access, covered);
}

static int cover(mm_driver_run_t *run, bool covered)
{
    int status = 0;
    if (run->covered == covered || !mm_driver_run_is_data(run))
        return 0;
    run->covered = covered;
    for (size_t i = 0; i < run->page_count && status == 0; i++)
        status = mm_driver_page_cover_locked(run, i, covered);
    return status;
}

int mm_driver_cover_locked(bool covered)
{
    int status = 0;
    for (mm_driver_run_t *run = mm_driver_runs; run < mm_driver_runs + mm_driver_run_count && status == 0; run++)
        status = run->pages != NULL ? cover(run, covered) : 0;
    return status;
}

/* ---- in ---- */

static int bring(mm_driver_run_t *run, size_t index)
{
    mm_driver_page_t *page = &run->pages[index];
    int               status = 0;
    if (page->state == MM_DRIVER_THERE)
        return 0;
    if (page->state == MM_DRIVER_OUT && page->in_file)
        status = host_file_read(&file, file_offset_of(run, index), alias_of(run, index), page_bytes(run, index));
    if (status == 0)
        status = open_page(run, index);
    if (status >= 0)
        page->state = MM_DRIVER_THERE;
    return status;
}

bool mm_driver_page_bring_locked(mm_driver_run_t *run, size_t index) { return bring(run, index) >= 0; }

static mm_page_answer_t make_dirty(mm_driver_run_t *run, size_t index)
{
    if (host_gate_allow_writes(&run->gate, offset_of(run, index), page_bytes(run, index)) < 0)
        return MM_PAGE_NO_FRAME;
    run->pages[index].dirty = true;
    run->pages[index].in_file = false;
    return MM_PAGE_RESOLVED;
}

bool mm_driver_page_dirty_locked(mm_driver_run_t *run, size_t index)
{
    if ((access_of(run, index) & HOST_WRITE) == 0)
        return false;
    return run->pages[index].dirty || make_dirty(run, index) == MM_PAGE_RESOLVED;
}

/* The page is there, and nothing about it explains the fault: another thread was quicker. */
static mm_page_answer_t open_again(mm_driver_run_t *run, size_t index, uintptr_t address)
{
    if (open_page(run, index) < 0 || mm_page_is_lost(address))
        return MM_PAGE_LOST;
    return MM_PAGE_RESOLVED;
}

static bool is_refused(unsigned access, const host_fault_t *fault)
{
    return (fault->write && (access & HOST_WRITE) == 0) || (fault->execute && (access & HOST_EXECUTE) == 0);
}

mm_page_answer_t mm_driver_page_fault_locked(mm_driver_run_t *run, const host_fault_t *fault, bool irql_is_low)
{
    size_t            index = mm_driver_page_index(run, fault->address);
    mm_driver_page_t *page = &run->pages[index];
    bool              hard = page->state == MM_DRIVER_OUT;
    if (fault->by_key)
        return mm_key_fault_locked(fault);
    if (page->state == MM_DRIVER_THERE && is_refused(access_of(run, index), fault))
        return MM_PAGE_REFUSED;
    if (page->state == MM_DRIVER_THERE && fault->write && !page->dirty)
        return make_dirty(run, index);
    if (page->state == MM_DRIVER_THERE)
        return open_again(run, index, fault->address);
    if (!irql_is_low)
        return MM_PAGE_IRQL;
    int status = bring(run, index);
    if (status < 0)
        return status == -EIO ? MM_PAGE_IO_ERROR : MM_PAGE_NO_FRAME;
    mm_count_fault(hard);
    return MM_PAGE_RESOLVED;
}

/* ---- out ---- */

static bool trim(mm_driver_run_t *run, size_t index)
{
    mm_driver_page_t *page = &run->pages[index];
    if (page->state != MM_DRIVER_THERE || page->pins != 0 || run->resident || !close_page(run, index))
        return false;
    page->state = MM_DRIVER_TRIMMED;
    return true;
}

/* false: the host refuses the file, and the page keeps its bytes. */
static bool write_page(mm_driver_run_t *run, size_t index)
{
    mm_driver_page_t *page = &run->pages[index];
    if (!is_moved(run) || page->in_file)
        return true;
    if (file.fd < 0 && host_file_create(&file) != 0)
        return ke_error(false, "the host gives no page file for pageable sections of drivers");
    if (host_file_write(&file, file_offset_of(run, index), alias_of(run, index), page_bytes(run, index)) != 0)
        return ke_error(false, "the host refuses to write a page of a driver to the page file");
    page->in_file = true;
    page->dirty = false;
    return true;
}

static bool put_out(mm_driver_run_t *run, size_t index)
{
    if (run->pages[index].state != MM_DRIVER_TRIMMED || !write_page(run, index))
        return false;
    if (is_moved(run)) {
        int status = host_object_discard(&run->object, offset_of(run, index), page_bytes(run, index));
        NTMM_INVARIANT(status == 0, "the host takes back memory that it gave");
    }
    run->pages[index].state = MM_DRIVER_OUT;
    return true;
}

static size_t for_each_page(bool (*step)(mm_driver_run_t *run, size_t index))
{
    size_t done = 0;
    for (mm_driver_run_t *run = mm_driver_runs; run < mm_driver_runs + mm_driver_run_count; run++)
        for (size_t i = 0; run->pages != NULL && i < run->page_count; i++)
            done += step(run, i);
    return done;
}

size_t mm_driver_trim_locked(void) { return for_each_page(trim); }

/* ---- when memory is short ---- */

static struct { /* the page that is looked at next, and trims that are due, as a fraction */
    size_t   run, page;
    uint64_t due, of;
} hand;

static size_t pageable_pages(void)
{
    size_t count = 0;
    for (const mm_driver_run_t *run = mm_driver_runs; run < mm_driver_runs + mm_driver_run_count; run++)
        count += run->pages != NULL && !run->resident ? run->page_count : 0;
    return count;
}

static void move_hand(void)
{
    hand.page++;
    while (hand.run < mm_driver_run_count && (mm_driver_runs[hand.run].pages == NULL || hand.page >= mm_driver_runs[hand.run].page_count)) {
        hand.run++;
        hand.page = 0;
    }
    if (hand.run >= mm_driver_run_count)
        hand.run = hand.page = 0;
}

void mm_driver_trim_with_locked(uint64_t trimmed, uint64_t of)
{
    size_t pages = mm_driver_run_count != 0 ? pageable_pages() : 0;
    if (pages == 0)
        return;
    hand.due = (hand.of != 0 ? hand.due * of / hand.of : 0) + trimmed * pages;
    hand.of = of;
    for (size_t looked = 0; hand.due >= of && looked < pages; looked++, hand.due -= of) {
        mm_driver_run_t *run = &mm_driver_runs[hand.run];
        if (run->pages != NULL && hand.page < run->page_count)
            (void)trim(run, hand.page);
        move_hand();
    }
}

size_t mm_driver_put_out_locked(void)
{
    mm_driver_trim_locked();
    return for_each_page(put_out);
}

void mm_driver_page_protect_locked(mm_driver_run_t *run, size_t index)
{
    run->pages[index].is_read_only = true;
    if (run->pages[index].state == MM_DRIVER_THERE && close_page(run, index))
        NTMM_INVARIANT(open_page(run, index) >= 0, "a page that was closed a moment ago can be opened");
}

/* ---- runs ---- */

/* By words, since a sanitizer knows of bytes between a driver's variables that nobody may read. */
__attribute__((no_sanitize("address", "thread"))) static void copy_words(void *to, const void *from, size_t bytes)
{
    volatile uint64_t       *words = to;
    const volatile uint64_t *read = from;
    for (size_t i = 0; i < bytes / sizeof *words; i++)
        words[i] = read[i];
}

/* The image's bytes move to an object, which then is what is mapped there. Who writes meanwhile faults, and waits for our lock. */
static int move_bytes(mm_driver_run_t *run)
{
    size_t bytes = run->end - run->base;
    int    status = host_object_create(&run->object, bytes, HOST_OBJECT_BEST);
    if (status != 0)
        return status;
    run->alias = host_reserve(bytes);
    status = run->alias == NULL ? -ENOMEM : host_map_object(run->alias, &run->object, 0, bytes, HOST_READ | HOST_WRITE);
    if (status == 0)
        status = host_protect((void *)run->base, bytes, HOST_READ);
    if (status == 0)
        copy_words(run->alias, (void *)run->base, bytes);
    if (status == 0)
        status = host_gate_create(&run->gate, &run->object, 0, (void *)run->base, run->alias, bytes, HOST_GATE_PROTECT, SIZE_MAX);
    for (size_t i = 0; i < run->page_count && status >= 0; i++) {
        run->pages[i].dirty = true;
        status = open_page(run, i);
    }
    return status < 0 ? status : 0;
}

static void release(mm_driver_run_t *run)
{
    size_t bytes = run->end - run->base;
    if (run->gate.kind != HOST_GATE_BEST)
        host_gate_destroy(&run->gate);
    if (run->alias != NULL)
        host_release(run->alias, bytes);
    if (run->object.fd >= 0)
        host_object_close(&run->object);
    host_release(run->pages, table_bytes(run));
    *run = (mm_driver_run_t){ .object.fd = -1 };
}

int mm_driver_run_create_locked(mm_driver_run_t *run, uintptr_t base, uintptr_t end, unsigned access, bool resident)
{
    int status = 0;
    *run = (mm_driver_run_t){ .base = base, .end = end, .access = access, .resident = resident, .object.fd = -1 };
    run->page_count = mm_driver_page_index(run, end - 1) + 1;
    run->pages = host_tables(table_bytes(run));
    if (run->pages == NULL)
        return -ENOMEM;
    if ((access & HOST_WRITE) != 0 && !resident)
        status = move_bytes(run);
    else
        status = host_protect((void *)base, end - base, access); /* its segment may allow more than the section asks for */
    if (status != 0) {
        (void)host_protect((void *)base, end - base, access);
        release(run);
    } else if (mm_keyed && cover(run, true) != 0) {
        (void)cover(run, false); /* as without keys, then */
    }
    return status;
}

bool mm_driver_run_stay_locked(mm_driver_run_t *run)
{
    bool all = true;
    for (size_t i = 0; i < run->page_count; i++)
        all = bring(run, i) >= 0 && all;
    if (all)
        (void)cover(run, false); /* a raised thread may use it */
    run->resident = all;
    return all;
}

void mm_driver_run_may_go_locked(mm_driver_run_t *run)
{
    run->resident = false;
    if (mm_keyed && cover(run, true) != 0)
        (void)cover(run, false);
}

static uint64_t one_page[PAGE_SIZE / sizeof(uint64_t)]; /* of whoever boots or shuts down */

/* Private bytes of the image's own once more; in a forked child the parent's are only read. */
static void give_back(mm_driver_run_t *run)
{
    if (!is_moved(run)) {
        if (run->covered)
            (void)host_key_cover((void *)run->base, run->end - run->base, run->access, false);
        else
            (void)host_protect((void *)run->base, run->end - run->base, run->access);
        return;
    }
    int status = host_map_private((void *)run->base, run->end - run->base);
    for (size_t i = 0; i < run->page_count && status == 0; i++) {
        if (run->pages[i].state == MM_DRIVER_OUT)
            status = host_file_read(&file, file_offset_of(run, i), one_page, page_bytes(run, i));
        copy_words((void *)page_start(run, i), run->pages[i].state == MM_DRIVER_OUT ? one_page : (void *)alias_of(run, i),
                   page_bytes(run, i));
    }
    NTMM_INVARIANT(status == 0, "a driver's data come back from the page file");
}

void mm_driver_run_forget_locked(mm_driver_run_t *run, bool image_is_there)
{
    if (image_is_there)
        give_back(run);
    release(run);
}

/* Of what is not moved nothing tells whether it was loaded again, and is open; what is closed stays so. */
static void close_again(mm_driver_run_t *run)
{
    for (size_t i = 0; i < run->page_count; i++)
        if (run->pages[i].state != MM_DRIVER_THERE && !close_page(run, i))
            run->pages[i].state = MM_DRIVER_THERE;
}

/* An image that was unloaded and loaded again at the same addresses has its own pages there. A byte of the last page tells. */
__attribute__((no_sanitize("address", "thread"))) bool mm_driver_run_is_mapped_locked(mm_driver_run_t *run)
{
    size_t last = run->page_count - 1;
    if (!is_moved(run)) {
        close_again(run);
        return true;
    }
    mm_driver_page_bring_locked(run, last);
    mm_faults_forgive(true); /* a raised thread has its protection key closed, and under the lock no fault would be served */
    volatile unsigned char *here = (unsigned char *)run->end - 1, *there = (unsigned char *)run->alias + (run->end - run->base) - 1;
    unsigned char           byte = __atomic_fetch_xor(there, 0xFF, __ATOMIC_SEQ_CST);
    bool                    same = *here == (unsigned char)(byte ^ 0xFF);
    __atomic_fetch_xor(there, 0xFF, __ATOMIC_SEQ_CST);
    mm_faults_forgive(false);
    return same;
}

void mm_driver_page_file_reset(bool is_shared)
{
    memset(&hand, 0, sizeof hand);
    if (file.fd >= 0 && (is_shared || host_file_forget_bytes(&file) != 0))
        host_file_close(&file);
}
