/*
 * pool_boot.c - the pools as part of the machine: boot, shutdown, threads that come and go, questions.
 *
 * Source  WDK reference: !poolused (what is counted). Fidelity: NonPagedPool asks for both nonpaged pools together, as !poolused shows
 *         them; NonPagedPoolNx for that one alone.
 */
#include "ex/ex.h"

#include <errno.h>

#include "ex/pool_aligned.h"
#include "ex/pool_big.h"
#include "ex/pool_big_table.h"
#include "ex/pool_fast.h"
#include "ex/pool_lookaside.h"
#include "ex/pool_magazine.h"
#include "ex/pool_quota.h"
#include "ex/pool_request.h"
#include "ex/pool_rules.h"
#include "ex/pool_secure.h"
#include "ex/pool_special.h"
#include "ex/pool_select.h"
#include "ex/pool_tag.h"
#include "ex/pool_tools.h"
#include "ke/balance.h"
#include "ke/inject.h"
#include "ke/version.h"
#include "mm/pressure.h"

static bool magazines_wanted;

ex_pool_rules_t ex_pool_rules;

void ex_pool_rules_boot(uint32_t windows_version)
{
    ex_pool_rules = (ex_pool_rules_t){ .must_succeed = windows_version < NTDDI_WINXP,
                                       .nx_lookaside = windows_version >= NTDDI_WIN8,
                                       .fail_fast = windows_version >= NTDDI_WIN8 };
    ex_big_tails = windows_version >= NTDDI_VISTA;
    ex_zeroes_natively = windows_version >= NTDDI_WIN10_VB;
}

static void empty_thread(ke_thread_t *thread, const char *routine)
{
    ex_stop_t stop = { 0 };
    ex_tools_begin();
    ex_magazines_empty(ex_thread_of(thread), &stop);
    ex_tools_end();
    ex_stop_if_set(routine, &stop);
}

static void thread_stops(ke_thread_t *thread)
{
    empty_thread(thread, "the end of a thread");
    ex_tag_retire(ex_thread_of(thread));
    mm_pressure_settle();
}

/* The nth allocation is exact only when each one asks, so while a failure is armed nobody has a stock. */
static void failure_armed(bool armed)
{
    if (atomic_load(&ke_machine_state) == KE_MACHINE_UP)
        ex_pool_magazines(!armed);
}

mm_region_t ex_fast_regions[MM_POOLS];
uintptr_t   ex_fast_owner_bias[MM_POOLS];

static void fast_regions_open(void)
{
    const mm_region_t *regions[MM_POOLS] = {
        [MM_NONPAGED_NX] = &mm_physical_map, [MM_NONPAGED_EXECUTE] = &mm_executable_map, [MM_PAGED] = &mm_paged_region
    };
    for (unsigned pool = 0; pool < MM_POOLS; pool++) {
        uintptr_t first = pool == MM_PAGED ? (uintptr_t)mm_paged_owners : (uintptr_t)&mm_pfn_database->owner;
        ex_fast_owner_bias[pool] = first - (regions[pool]->base >> EX_OWNER_SHIFT(pool));
        ex_fast_regions[pool].base = regions[pool]->base;
        __atomic_store_n(&ex_fast_regions[pool].bytes, regions[pool]->bytes, __ATOMIC_RELEASE);
    }
}

static void fast_regions_close(void)
{
    for (unsigned pool = 0; pool < MM_POOLS; pool++)
        __atomic_store_n(&ex_fast_regions[pool].bytes, 0, __ATOMIC_SEQ_CST);
}

void ex_pool_forget(void) { fast_regions_close(); }

/* The machine stops: what the fast paths of all threads look at first is gone. */
static void fast_paths_close(void)
{
    fast_regions_close();
    ex_tags_close();
}

int ex_pool_boot(const ntmm_config *config)
{
    if (config->pool_model != NTMM_POOL_CLASSIC)
        return ke_error(-ENOTSUP, "the segment pool model is not built yet");
    ex_tools_boot(!config->no_memory_tools, config->verifier != 0);
    ex_descriptors_boot(ke_node_count);
    ex_select_boot(config->no_magazines || config->classic_lookaside);
    ex_pool_rules_boot(ke_windows_version);
    ex_aligned_boot(config->seed);
    ex_pool_lookaside_boot(config->classic_lookaside);
    ke_balance_register(ex_pool_lookaside_scan);
    ex_tags_boot();
    ex_big_table_boot(config->big_page_table_entries);
    ex_quota_boot(config->seed);
    ex_secure_boot();
    ex_special_boot(config);
    magazines_wanted = !config->no_magazines && !config->classic_lookaside;
    ex_magazines_boot(magazines_wanted);
    if (!ex_pool_is_slow) /* a free does not even look at a header there */
        fast_regions_open();
    ke_thread_hooks.stop = thread_stops;
    ke_thread_hooks.disarm = fast_paths_close;
    ke_inject_armed_hook = failure_armed;
    return 0;
}

static bool is_ready(const ke_thread_t *thread) { return thread->generation == ke_machine_generation; }

void ex_pool_shutdown(void)
{
    fast_regions_close();
    ex_magazines_on = false;
    ex_pool_lookaside_boot(false);
    ex_tools_shutdown();
    ex_big_table_boot(0);
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        if (is_ready(thread))
            memset(thread->upper, 0,
                   sizeof(ex_thread_t)); /* mm takes the pages back as a whole; what matters is that no fast path finds anything */
    ex_descriptors_boot(ke_node_count);
    ex_tags_boot();
    ex_secure_boot();
}

void ex_pool_magazines(bool on)
{
    ex_magazines_on = on && magazines_wanted;
    if (ex_magazines_on)
        return;
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        if (is_ready(thread))
            empty_thread(thread, "ex_pool_magazines");
    mm_pressure_settle();
}

/* ---- questions ---- */

static bool is_asked(POOL_TYPE base_type, mm_pool_t pool)
{
    if (((unsigned)base_type & PagedPool) != 0)
        return pool == MM_PAGED;
    return pool == MM_NONPAGED_NX || (pool == MM_NONPAGED_EXECUTE && ((unsigned)base_type & POOL_NX_ALLOCATION) == 0);
}

void ex_query_pool(POOL_TYPE base_type, ntmm_pool_usage *out)
{
    ex_tag_counts_t sum = { 0 };
    uint64_t        pages = 0;
    for (unsigned pool = 0; pool < MM_POOLS; pool++) {
        if (!is_asked(base_type, (mm_pool_t)pool))
            continue;
        ex_tag_sum(0, true, (mm_pool_t)pool, &sum);
        pages += mm_pool_page_count((mm_pool_t)pool);
    }
    ex_tag_usage(&sum, out);
    out->pages = pages;
}

/* Pages that a tag holds: whole pages only; small blocks share theirs with other tags. */
typedef struct page_count {
    uint32_t  tag;
    POOL_TYPE base_type;
    uint64_t  pages;
} page_count_t;

static void count_pages(void *context, void *page, mm_owner_t *owner)
{
    page_count_t *count = context;
    (void)page;
    if (owner->use == MM_USE_POOL_RUN && owner->tag == count->tag && is_asked(count->base_type, (mm_pool_t)owner->pool))
        count->pages += BYTES_TO_PAGES(owner->bytes);
}

bool ex_query_tag(uint32_t tag, POOL_TYPE base_type, ntmm_pool_usage *out)
{
    ex_tag_counts_t sum = { 0 };
    page_count_t    count = { tag, base_type, 0 };
    bool            found = false;
    *out = (ntmm_pool_usage){ 0 };
    for (unsigned pool = 0; pool < MM_POOLS; pool++)
        if (is_asked(base_type, (mm_pool_t)pool))
            found |= ex_tag_sum(tag, false, (mm_pool_t)pool, &sum);
    if (!found)
        return false;
    ex_tag_usage(&sum, out);
    mm_visit_owners(count_pages, &count);
    out->pages = count.pages;
    return true;
}
