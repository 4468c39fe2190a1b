/*
 * pool_tag_query.c - the tags that fit a pattern, each with what it has in nonpaged and in paged pool: what !poolused shows.
 *
 *     rows of threads, machine  --ex_tag_visit-->  one entry a tag, by hash  --sort-->  visit(tag, NonPagedPool), visit(tag, PagedPool)
 *     owners of whole pages     --mm_visit_owners----^  pages
 *
 * Numbers are those of ntmm_query_tag(): exact when the threads rest.
 *
 * Locks       none of its own; ex_tag_visit holds that of the tags while rows are added up. The caller's routine is called with none.
 * Source      Debugger reference: !poolused, !poolfind (patterns, order of the rows).
 */
#include "ex/ex.h"

#include <stdlib.h>
#include <string.h>

#include "ex/pool_header.h"
#include "ex/pool_tag.h"
#include "ke/bugcheck.h"

#define TAG_CHARACTERS 4u
#define TABLE_BITS 13u /* many more entries than there can be tags: some 3,300 (pool_tag.c) */
#define TABLE_ENTRIES (1u << TABLE_BITS)

enum column { NONPAGED, PAGED, COLUMNS };

typedef struct tag_entry {
    bool            present, used[COLUMNS];
    uint32_t        tag;
    ex_tag_counts_t counts[COLUMNS];
    uint64_t        pages[COLUMNS];
} tag_entry_t;

typedef struct tag_table {
    const char  *pattern;
    tag_entry_t *entries; /* [TABLE_ENTRIES] */
} tag_table_t;

static enum column column_of(mm_pool_t pool) { return pool == MM_PAGED ? PAGED : NONPAGED; }

/* ---- patterns ---- */

static bool is_pattern(const char *pattern) { return strchr(pattern, '*') != NULL || strlen(pattern) == TAG_CHARACTERS; }

/* A tag of fewer than four characters ends in zeros, which a debugger shows as spaces. */
static bool is_same(char wanted, char found) { return wanted == '?' || wanted == found || (wanted == ' ' && found == '\0'); }

static bool fits(const char *pattern, const char *text, unsigned left)
{
    for (; *pattern != '*'; pattern++, text++, left--) {
        if (left == 0 || *pattern == '\0')
            return left == 0 && *pattern == '\0';
        if (!is_same(*pattern, *text))
            return false;
    }
    while (*pattern == '*')
        pattern++;
    for (unsigned skip = 0; skip <= left; skip++)
        if (fits(pattern, text + skip, left - skip))
            return true;
    return false;
}

static bool tag_fits(const char *pattern, uint32_t tag)
{
    char text[TAG_CHARACTERS];
    tag &= ~PROTECTED_POOL;
    memcpy(text, &tag, sizeof text);
    return fits(pattern, text, sizeof text);
}

/* ---- adding up ---- */

/* The entry of a tag, or the blank one where it would be. */
static tag_entry_t *entry_of(tag_table_t *table, uint32_t tag)
{
    uint32_t i = tag * 0x9E3779B1u >> (32 - TABLE_BITS);
    while (table->entries[i].present && table->entries[i].tag != tag)
        i = (i + 1) % TABLE_ENTRIES;
    return &table->entries[i];
}

static void add_row(void *context, uint32_t tag, mm_pool_t pool, const ex_tag_counts_t *counts)
{
    tag_table_t *table = context;
    if (!tag_fits(table->pattern, tag))
        return;
    tag_entry_t *entry = entry_of(table, tag);
    entry->present = entry->used[column_of(pool)] = true;
    entry->tag = tag;
    ex_tag_counts_add(&entry->counts[column_of(pool)], counts);
}

static void add_pages(void *context, void *page, mm_owner_t *owner)
{
    (void)page;
    if (owner->use != MM_USE_POOL_RUN)
        return;
    tag_entry_t *entry = entry_of(context, owner->tag);
    if (entry->present)
        entry->pages[column_of((mm_pool_t)owner->pool)] += BYTES_TO_PAGES(owner->bytes);
}

/* ---- showing ---- */

static int by_text(const void *a, const void *b) /* character by character, the first one first in memory */
{
    uint32_t left = __builtin_bswap32(((const tag_entry_t *)a)->tag), right = __builtin_bswap32(((const tag_entry_t *)b)->tag);
    return left < right ? -1 : left > right;
}

static size_t pack(tag_table_t *table)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLE_ENTRIES; i++)
        if (table->entries[i].present)
            table->entries[count++] = table->entries[i];
    return count;
}

static size_t show(const tag_entry_t *entry, ex_tag_visitor_t visit, void *context)
{
    static const POOL_TYPE TYPES[COLUMNS] = { [NONPAGED] = NonPagedPool, [PAGED] = PagedPool };
    size_t                 shown = 0;
    for (enum column column = NONPAGED; column < COLUMNS; column++) {
        ntmm_pool_usage usage;
        if (!entry->used[column])
            continue;
        ex_tag_usage(&entry->counts[column], &usage);
        usage.pages = entry->pages[column];
        visit(context, entry->tag, TYPES[column], &usage);
        shown++;
    }
    return shown;
}

size_t ex_query_tags(const char *pattern, ex_tag_visitor_t visit, void *context)
{
    tag_table_t table = { .pattern = pattern };
    size_t      shown = 0;
    if (!is_pattern(pattern))
        return (size_t)ke_error(0, "\"%s\" is no pattern for tags: it has neither four characters nor a `*`", pattern);
    table.entries = calloc(TABLE_ENTRIES, sizeof *table.entries);
    if (table.entries == NULL)
        return (size_t)ke_error(0, "the host has no memory for a table of tags");
    ex_tag_visit(add_row, &table);
    mm_visit_owners(add_pages, &table);
    size_t count = pack(&table);
    qsort(table.entries, count, sizeof *table.entries, by_text);
    for (size_t i = 0; i < count; i++)
        shown += show(&table.entries[i], visit, context);
    free(table.entries);
    return shown;
}
