/*
 * views.h - a space, segments and views of them, for tests of single mappings: what is shown where, what a touch does, what is counted.
 * How much RAM and page file there is, is the test's choice (views_config). For files that define NTMM_USES_TRY.
 */
#ifndef NTMM_TESTS_VIEWS_H
#define NTMM_TESTS_VIEWS_H

#include "exceptions.h"
#include "mm/space.h"

#define PAGES(n) ((uint64_t)(n) << PAGE_SHIFT)

static mm_space_t      *space;
static EXCEPTION_RECORD raised; /* by the last touch that did */

static int keep(PEXCEPTION_POINTERS exception)
{
    raised = *exception->ExceptionRecord;
    return EXCEPTION_EXECUTE_HANDLER;
}
static inline NTSTATUS touch(uintptr_t va, bool write) /* 0, or what it raised */
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    __try {
        if (write)
            write_at((void *)va);
        else
            read_at((void *)va);
    } __except (keep(GetExceptionInformation())) {
        status = GetExceptionCode();
    }
    return status;
}
static UNCHECKED void     write_word(uintptr_t va, uint64_t word) { *(volatile uint64_t *)va = word; }
static UNCHECKED uint64_t read_word(uintptr_t va) { return *(volatile uint64_t *)va; }

static inline ntmm_fault_counts faults(void)
{
    ntmm_fault_counts counts;
    ntmm_query_faults(&counts);
    return counts;
}

/* Pages of the segment from `first` on. */
static inline uintptr_t show(mm_space_t *where, mm_segment_t *segment, size_t first, size_t pages, uint32_t protect)
{
    mm_view_want_t want = { .bytes = PAGES(pages), .protect = protect, .type = MEM_MAPPED, .segment = segment, .first_page = first };
    uintptr_t      base = 0;
    assert_int_equal(mm_view_map(where, &want, &base), STATUS_SUCCESS);
    return base;
}
static inline mm_segment_t *segment_of(size_t pages)
{
    mm_segment_t *segment = NULL;
    assert_int_equal(mm_segment_create(pages, true, &segment), STATUS_SUCCESS);
    return segment;
}
static inline void check(void)
{
    if (!ntmm_check())
        fail_msg("%s", ntmm_error());
}

/* ---- running ---- */

static inline int setup_views(void **state)
{
    int status = ntmm_boot(*state);
    ntmm_rearm_faults();
    space = status == 0 ? mm_space_create() : NULL;
    return space != NULL ? 0 : -1;
}
static inline int teardown_views(void **state)
{
    (void)state;
    if (KeGetCurrentIrql() != PASSIVE_LEVEL && ntmm_stop_report()[0] == '\0')
        KeLowerIrql(PASSIVE_LEVEL);
    return ntmm_shutdown(NULL) == 0 || ntmm_stop_report()[0] != '\0' ? 0 : -1;
}

static inline ntmm_config views_config(uint64_t ram, uint64_t file, enum ntmm_page_gate gate)
{
    return (ntmm_config){ .quiet = true, .physical_memory = PAGES(ram), .page_file_size = PAGES(file), .page_gate = gate };
}
/* Whether this host has the other gate. */
static inline bool can_boot(const ntmm_config *config)
{
    bool can = ntmm_boot(config) == 0;
    if (can)
        ntmm_shutdown(NULL);
    return can;
}

#endif
