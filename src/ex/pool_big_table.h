/*
 * pool_big_table.h - a table of large allocations that can be full, for those who want to see what happens then.
 */
#ifndef NTMM_EX_POOL_BIG_TABLE_H
#define NTMM_EX_POOL_BIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EX_BIG_TABLE_LEAST 64u
#define EX_BIG_TABLE_MOST 65536u

typedef struct ex_big_table_counts {
    uint32_t entries, used;
    uint64_t expansions_refused; /* times that it was too full and found room only after many looks */
    uint64_t untagged;           /* allocations that found no room at all */
} ex_big_table_counts_t;

extern bool ex_big_table_on;

void                  ex_big_table_boot(uint32_t entries); /* 0: none; else at least EX_BIG_TABLE_LEAST, and a power of two */
bool                  ex_big_table_add(const void *page, uint32_t tag, size_t page_count); /* false: full */
bool                  ex_big_table_remove(const void *page);                               /* false: not in it */
uint32_t              ex_big_table_tag(const void *page);                                  /* 0: not in it */
ex_big_table_counts_t ex_big_table_counts(void);

#endif
