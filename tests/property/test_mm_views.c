/*
 * test_mm_views.c - spaces and views against a model: an array of what each page should hold and how it may be touched.
 * Segments in the page file and over a file, shown in several spaces, beside private memory; random maps, unmaps, commits, decommits, changes
 * of protection and touches, and trims and page-outs at fixed steps, with less RAM than all of it needs. Every touch must do what the model
 * says: the bytes, or the exception.
 * Prints its seed; NTMM_SEED replays one, NTMM_OPERATIONS changes the number of steps.
 */
#define NTMM_USES_TRY
#include <unistd.h>

#include "../support/exceptions.h"
#include "../support/paging.h"
#include "mm/charge.h"
#include "mm/pinned.h"
#include "mm/space.h"

#define RAM_PAGES 256u
#define SPACES 3u
#define SEGMENTS 5u
#define VIEWS 24u
#define MOST 64u       /* pages of a segment or view */
#define AWAY_EVERY 60u /* steps */

static uint64_t state;
static uint32_t any(uint32_t limit) { return below(&state, limit); }

/* ---- the model ---- */

typedef struct cell { /* one page */
    uint32_t word;
    bool     committed;
} cell_t;

static struct model_segment {
    mm_segment_t *segment; /* NULL: none */
    host_file_t   file;    /* ours: a second descriptor is the segment's */
    bool          is_file;
    size_t        pages;
    cell_t        cell[MOST];
} segments[SEGMENTS];

static struct model_view {
    uintptr_t base; /* 0: none */
    uint32_t  space, segment /* SEGMENTS: private */;
    size_t    first, pages;
    uint32_t  allocation_protect, protect[MOST];
    bool      copied[MOST];
    cell_t    own[MOST];
} views[VIEWS];

static mm_space_t *spaces[SPACES + 1]; /* the last one: system views */
static uint64_t    steps_done, copies;

#define FAIL(...) \
    do { \
        print_error("seed %llu, step %llu: ", (unsigned long long)seed, (unsigned long long)steps_done); \
        fail_msg(__VA_ARGS__); \
    } while (0)

static cell_t *cell_of(struct model_view *view, size_t page)
{
    return view->segment == SEGMENTS || view->copied[page] ? &view->own[page] : &segments[view->segment].cell[view->first + page];
}

/* ---- touching ---- */

static volatile uint32_t seen;

static UNCHECKED void load(uintptr_t va) { seen = *(volatile uint32_t *)va; }
static UNCHECKED void store(uintptr_t va, uint32_t word) { *(volatile uint32_t *)va = word; }
static NTSTATUS       touch(uintptr_t va, bool write, uint32_t word)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    __try {
        if (write)
            store(va, word);
        else
            load(va);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

static NTSTATUS expected_of(struct model_view *view, size_t page, bool write)
{
    uint32_t protect = view->protect[page];
    if (!cell_of(view, page)->committed || (protect & 0xFF) == PAGE_NOACCESS)
        return STATUS_ACCESS_VIOLATION;
    if ((protect & PAGE_GUARD) != 0)
        return STATUS_GUARD_PAGE_VIOLATION;
    return write && (protect & 0xFF) == PAGE_READONLY ? STATUS_ACCESS_VIOLATION : STATUS_SUCCESS;
}

static void copy_in_model(struct model_view *view, size_t page)
{
    view->own[page] = *cell_of(view, page);
    view->copied[page] = true;
    view->protect[page] = PAGE_READWRITE;
    copies++;
}

static void touch_a_page(struct model_view *view)
{
    size_t    page = any((uint32_t)view->pages);
    bool      write = any(2) != 0;
    uint32_t  word = (uint32_t)any(UINT32_MAX);
    uintptr_t va = view->base + (page << PAGE_SHIFT) + 64;
    NTSTATUS  expected = expected_of(view, page, write);
    if (view->space == SPACES && !NT_SUCCESS(expected))
        return; /* it would stop the machine */
    NTSTATUS status = touch(va, write, word);
    if (status != expected)
        FAIL("page %zu at 0x%llx, protection 0x%x: %s gives 0x%x, not 0x%x", page, (unsigned long long)va, view->protect[page],
             write ? "a write" : "a read", (unsigned)status, (unsigned)expected);
    if (status == STATUS_GUARD_PAGE_VIOLATION)
        view->protect[page] &= ~(uint32_t)PAGE_GUARD;
    if (!NT_SUCCESS(status))
        return;
    if (!write && seen != cell_of(view, page)->word)
        FAIL("page %zu at 0x%llx holds 0x%x, not 0x%x", page, (unsigned long long)va, seen, cell_of(view, page)->word);
    if (write && (view->protect[page] & PAGE_WRITECOPY) != 0)
        copy_in_model(view, page);
    if (write)
        cell_of(view, page)->word = word;
}

/* ---- segments and views come and go ---- */

static host_file_t twin_of(host_file_t file) { return (host_file_t){ .fd = dup(file.fd) }; }

static void make_segment(struct model_segment *model)
{
    *model = (struct model_segment){ .pages = 1 + any(MOST), .is_file = any(2) != 0, .file = { .fd = -1 } };
    bool committed = any(3) != 0 || model->is_file;
    for (size_t i = 0; i < model->pages; i++)
        model->cell[i].committed = committed;
    if (!model->is_file) {
        assert_int_equal(mm_segment_create(model->pages, committed, &model->segment), STATUS_SUCCESS);
        return;
    }
    assert_int_equal(host_file_create(&model->file), 0);
    for (size_t i = 0; i < model->pages; i++) {
        uint32_t word = model->cell[i].word = any(UINT32_MAX);
        assert_int_equal(host_file_write(&model->file, (i << PAGE_SHIFT) + 64, &word, sizeof word), 0);
    }
    uint64_t bytes = ((uint64_t)(model->pages - 1) << PAGE_SHIFT) + 100;
    char     zero = 0;
    assert_int_equal(host_file_write(&model->file, bytes - 1, &zero, 1), 0);
    assert_int_equal(mm_segment_create_file(twin_of(model->file), bytes, true, &model->segment), STATUS_SUCCESS);
}

static void check_file(const struct model_segment *model)
{
    for (size_t i = 0; i < model->pages; i++) {
        uint32_t word;
        assert_int_equal(host_file_read(&model->file, (i << PAGE_SHIFT) + 64, &word, sizeof word), 0);
        if (word != model->cell[i].word)
            FAIL("page %zu of the file holds 0x%x, not 0x%x", i, word, model->cell[i].word);
    }
}

static void drop_segment(struct model_segment *model)
{
    size_t number = (size_t)(model - segments);
    for (size_t i = 0; i < VIEWS; i++)
        if (views[i].base != 0 && views[i].segment == number)
            return; /* still shown */
    mm_segment_dereference(model->segment);
    if (model->is_file)
        check_file(model);
    host_file_close(&model->file);
    model->segment = NULL;
}

static void flush_segment(struct model_segment *model)
{
    uint64_t written;
    if (!model->is_file)
        return;
    assert_int_equal(mm_segment_flush(model->segment, 0, UINT64_MAX, &written), STATUS_SUCCESS);
    check_file(model);
}

static uint32_t any_protect(void)
{
    static const uint32_t protects[] = { PAGE_READWRITE, PAGE_READWRITE, PAGE_READONLY, PAGE_NOACCESS, PAGE_READWRITE | PAGE_GUARD };
    return protects[any(NTMM_ARRAY_COUNT(protects))];
}

static void map_view(struct model_view *view)
{
    *view = (struct model_view){ .space = any(SPACES + 1), .segment = any(SEGMENTS + 2) };
    bool commit = any(2) != 0;
    if (view->segment < SEGMENTS && segments[view->segment].segment == NULL)
        return;
    if (view->segment >= SEGMENTS) {
        view->segment = SEGMENTS;
        view->space = any(SPACES);
        view->pages = 1 + any(MOST);
    } else {
        view->first = any((uint32_t)segments[view->segment].pages);
        view->pages = 1 + any((uint32_t)(segments[view->segment].pages - view->first));
    }
    uint32_t       protect = view->segment < SEGMENTS && view->space < SPACES && any(3) == 0 ? PAGE_WRITECOPY : PAGE_READWRITE;
    mm_view_want_t want = { .bytes = (uint64_t)view->pages << PAGE_SHIFT, .protect = protect, .commit = commit, .top_down = any(3) == 0 };
    want.type = view->segment < SEGMENTS ? MEM_MAPPED : MEM_PRIVATE;
    want.segment = view->segment < SEGMENTS ? segments[view->segment].segment : NULL;
    want.first_page = view->first;
    uintptr_t base;
    assert_int_equal(mm_view_map(spaces[view->space], &want, &base), STATUS_SUCCESS);
    view->base = base;
    view->allocation_protect = protect;
    for (size_t i = 0; i < view->pages; i++) {
        view->protect[i] = protect;
        view->own[i].committed = commit;
    }
}

static void unmap_view(struct model_view *view)
{
    uintptr_t va = view->base + ((uintptr_t)any((uint32_t)view->pages) << PAGE_SHIFT) + 1;
    assert_int_equal(mm_view_unmap(spaces[view->space], va), STATUS_SUCCESS);
    view->base = 0;
}

/* ---- pages change ---- */

static void commit_pages(struct model_view *view)
{
    size_t first = any((uint32_t)view->pages), count = 1 + any((uint32_t)(view->pages - first));
    if (view->allocation_protect == PAGE_WRITECOPY)
        return;
    assert_int_equal(mm_view_commit(spaces[view->space], view->base + (first << PAGE_SHIFT), (uint64_t)count << PAGE_SHIFT, PAGE_READWRITE),
                     STATUS_SUCCESS);
    for (size_t i = first; i < first + count; i++) {
        view->protect[i] = PAGE_READWRITE;
        cell_of(view, i)->committed = true;
    }
}

static void decommit_pages(struct model_view *view)
{
    size_t   first = any((uint32_t)view->pages), count = 1 + any((uint32_t)(view->pages - first));
    NTSTATUS status = mm_view_decommit(spaces[view->space], view->base + (first << PAGE_SHIFT), (uint64_t)count << PAGE_SHIFT);
    assert_int_equal(status, view->segment < SEGMENTS ? STATUS_UNABLE_TO_DECOMMIT_VM : STATUS_SUCCESS);
    for (size_t i = first; i < first + count && NT_SUCCESS(status); i++)
        view->own[i] = (cell_t){ 0 };
}

static void protect_pages(struct model_view *view)
{
    size_t   first = any((uint32_t)view->pages), count = 1 + any((uint32_t)(view->pages - first));
    uint32_t protect = any_protect(), old;
    bool     committed = true;
    for (size_t i = first; i < first + count; i++)
        committed = committed && cell_of(view, i)->committed;
    if (view->space == SPACES)
        protect &= ~(uint32_t)PAGE_GUARD;
    NTSTATUS status =
        mm_view_protect(spaces[view->space], view->base + (first << PAGE_SHIFT), (uint64_t)count << PAGE_SHIFT, protect, &old);
    assert_int_equal(status, committed ? STATUS_SUCCESS : STATUS_NOT_COMMITTED);
    if (!committed)
        return;
    assert_int_equal(old, view->protect[first]);
    for (size_t i = first; i < first + count; i++) {
        bool copies = view->allocation_protect == PAGE_WRITECOPY && !view->copied[i] && (protect & PAGE_READWRITE) != 0;
        view->protect[i] = copies ? (protect & ~(uint32_t)PAGE_READWRITE) | PAGE_WRITECOPY : protect;
    }
}

static void release_pages(struct model_view *view)
{
    size_t first = any((uint32_t)view->pages), count = view->pages - first;
    if (view->segment < SEGMENTS)
        return;
    assert_int_equal(mm_view_release(spaces[view->space], view->base + (first << PAGE_SHIFT), (uint64_t)count << PAGE_SHIFT),
                     STATUS_SUCCESS);
    view->pages = first;
    view->base = first != 0 ? view->base : 0;
}

static void pin_a_page(struct model_view *view)
{
    size_t          page = any((uint32_t)view->pages);
    bool            write = any(2) != 0;
    mm_pfn_number_t pfn;
    NTSTATUS        expected = expected_of(view, page, write);
    NTSTATUS        status = mm_view_pin(spaces[view->space], view->base + (page << PAGE_SHIFT), write, &pfn);
    assert_int_equal(status, expected);
    if (status == STATUS_GUARD_PAGE_VIOLATION)
        view->protect[page] &= ~(uint32_t)PAGE_GUARD;
    if (!NT_SUCCESS(status))
        return;
    if (write && (view->protect[page] & PAGE_WRITECOPY) != 0)
        copy_in_model(view, page);
    if (any(4) == 0)
        ntmm_page_out();
    uint32_t *alias = (uint32_t *)(void *)(mm_pfn_entry(pfn)->mapped.va + 64);
    if (*alias != cell_of(view, page)->word)
        FAIL("a pinned page holds 0x%x, not 0x%x", *alias, cell_of(view, page)->word);
    if (write)
        *alias = cell_of(view, page)->word = any(UINT32_MAX);
    assert_true(mm_frame_unpin(pfn));
}

/* ---- playing ---- */

static void step(void)
{
    struct model_view    *view = &views[any(VIEWS)];
    struct model_segment *segment = &segments[any(SEGMENTS)];
    uint32_t              what = any(1000);
    if (what < 8)
        segment->segment == NULL ? make_segment(segment) : drop_segment(segment);
    else if (what < 20 && segment->segment != NULL)
        flush_segment(segment);
    else if (view->base == 0)
        map_view(view);
    else if (what < 30)
        unmap_view(view);
    else if (what < 50)
        commit_pages(view);
    else if (what < 60)
        decommit_pages(view);
    else if (what < 100)
        protect_pages(view);
    else if (what < 104)
        release_pages(view);
    else if (what < 120)
        pin_a_page(view);
    else
        touch_a_page(view);
}

static void check(void)
{
    if (!ntmm_check())
        FAIL("%s", ntmm_error());
}

static void views_do_what_the_model_says(void **config_of)
{
    const ntmm_config *wanted = *config_of;
    uint64_t           steps = operations(50000) / 10;
    ntmm_config config = { .quiet = true, .seed = seed, .page_gate = wanted->page_gate, .page_replacement = wanted->page_replacement };
    config.physical_memory = RAM_PAGES * (uint64_t)PAGE_SIZE;
    config.page_file_size = 16 * RAM_PAGES * (uint64_t)PAGE_SIZE;
    if (!boot(&config))
        skip();
    state = seed * 2 + 1;
    copies = 0;
    memset(segments, 0, sizeof segments);
    memset(views, 0, sizeof views);
    for (uint32_t i = 0; i < SPACES; i++)
        spaces[i] = mm_space_create();
    spaces[SPACES] = &mm_system_views;
    for (steps_done = 0; steps_done < steps; steps_done++) {
        if (steps_done % AWAY_EVERY == AWAY_EVERY - 1)
            take_pages_away(steps_done / AWAY_EVERY, 3);
        step();
        if (steps_done % (steps / 50 + 1) == 0)
            check();
    }
    ntmm_fault_counts faults;
    ntmm_query_faults(&faults);
    assert_int_equal(faults.copy_on_write, copies);
    assert_true(faults.soft > 50 && faults.hard > 50 && copies > 5);
    for (uint32_t i = 0; i < VIEWS; i++)
        if (views[i].base != 0)
            unmap_view(&views[i]);
    for (uint32_t i = 0; i < SEGMENTS; i++)
        if (segments[i].segment != NULL)
            drop_segment(&segments[i]);
    for (uint32_t i = 0; i < SPACES; i++)
        mm_space_destroy(spaces[i]);
    check();
    assert_int_equal(mm_held(MM_CHARGE_PRIVATE) + mm_held(MM_CHARGE_SECTION), 0);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

/* ---- threads ---- */

enum { THREADS = 3, SHARED_PAGES = 2 * RAM_PAGES };
static uintptr_t        shown[THREADS]; /* a view of the same segment for each thread, in spaces of their own */
static _Atomic uint64_t wrong;

/* Every third page is this thread's; it comes and goes with all the others. Between touches, memory of its own does. */
static void *touch_own_pages(void *argument)
{
    uintptr_t       self = (uintptr_t)argument;
    uint64_t        rnd = seed * 8 + 2 * self + 1;
    static uint32_t expected[THREADS][SHARED_PAGES];
    memset(expected[self], 0, sizeof expected[self]);
    for (uint64_t i = 0; i < 2000; i++) {
        rnd = rnd * 6364136223846793005u + 1442695040888963407u;
        size_t             page = (size_t)(rnd >> 33) % (SHARED_PAGES / THREADS) * THREADS + self;
        volatile uint32_t *word = (volatile uint32_t *)(shown[self] + (page << PAGE_SHIFT) + 8);
        if (*word != expected[self][page])
            atomic_fetch_add(&wrong, 1);
        if ((rnd >> 20 & 3) == 0)
            *word = expected[self][page] = (uint32_t)(rnd >> 13);
        if (i % 64 != 0)
            continue;
        mm_view_want_t want = { .bytes = (uint64_t)8 << PAGE_SHIFT, .protect = PAGE_READWRITE, .type = MEM_PRIVATE, .commit = true };
        uintptr_t      base;
        if (mm_view_map(spaces[self], &want, &base) != STATUS_SUCCESS || *(volatile uint32_t *)(base + 4) != 0)
            atomic_fetch_add(&wrong, 1);
        *(volatile uint32_t *)(base + 4) = 1;
        mm_view_unmap(spaces[self], base);
    }
    return NULL;
}

static void threads_see_the_same_pages(void **config_of)
{
    const ntmm_config *wanted = *config_of;
    ntmm_config        config = { .quiet = true, .seed = seed, .page_gate = wanted->page_gate };
    mm_segment_t      *segment;
    pthread_t          thread[THREADS];
    trimmer_t          trimmer;
    config.physical_memory = RAM_PAGES * (uint64_t)PAGE_SIZE;
    config.page_file_size = 16 * RAM_PAGES * (uint64_t)PAGE_SIZE;
    if (!boot(&config))
        skip();
    assert_int_equal(mm_segment_create(SHARED_PAGES, true, &segment), STATUS_SUCCESS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        mm_view_want_t want = { .bytes = (uint64_t)SHARED_PAGES << PAGE_SHIFT, .protect = PAGE_READWRITE, .segment = segment };
        spaces[i] = mm_space_create();
        assert_int_equal(mm_view_map(spaces[i], &want, &shown[i]), STATUS_SUCCESS);
    }
    mm_segment_dereference(segment);
    atomic_store(&wrong, 0);
    trimmer_start(&trimmer, 8);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, touch_own_pages, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    trimmer_stop(&trimmer);
    assert_int_equal(wrong, 0);
    check();
    for (uint32_t i = 0; i < THREADS; i++)
        mm_space_destroy(spaces[i]);
    check();
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

int main(void)
{
    choose_seed();
    static ntmm_config userfaultfd = { .page_gate = NTMM_GATE_USERFAULTFD }, mprotect = { .page_gate = NTMM_GATE_MPROTECT },
                       fifo = { .page_replacement = NTMM_REPLACE_FIFO }, random = { .page_replacement = NTMM_REPLACE_RANDOM };
#define TEST(test, config) \
    { \
#test ", " #config, test, NULL, tear_down, &config \
    }
    const struct CMUnitTest tests[] = {
        TEST(views_do_what_the_model_says, userfaultfd), TEST(views_do_what_the_model_says, mprotect),
        TEST(views_do_what_the_model_says, fifo),        TEST(views_do_what_the_model_says, random),
        TEST(threads_see_the_same_pages, userfaultfd),   TEST(threads_see_the_same_pages, mprotect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
