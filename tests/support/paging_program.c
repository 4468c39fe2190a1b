/*
 * paging_program.c - a program that takes page faults of every kind and ends well: what debuggers and Valgrind are tried on.
 */
#include <ntmm/ntmm.h>

#include <stdio.h>
#include <string.h>

#define PAGES 48u
#define TAG NTMM_TAG("Dbug")

NTMM_PAGEABLE_DATA static unsigned total = 1;

NTMM_PAGEABLE_CODE unsigned add_up(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        total += bytes[i];
    return total;
}

static int failures;
#define CHECK(condition) ((condition) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition)))

static void read_a_null_pointer(void *unused)
{
    (void)unused;
    (void)*(volatile char *)NULL;
}

static void walk(const ntmm_config *config)
{
    ntmm_fault_counts counts;
    unsigned          expected = total;
    CHECK(ntmm_boot(config) == 0);
    unsigned char *bytes = ExAllocatePool2(POOL_FLAG_PAGED, PAGES * PAGE_SIZE, TAG);
    CHECK(bytes != NULL);
    for (unsigned i = 0; i < PAGES; i++)
        bytes[i * PAGE_SIZE] = (unsigned char)i; /* demand zero */
    for (unsigned round = 0; round < 3; round++) {
        CHECK(ntmm_page_out() >= PAGES);
        expected += (PAGES - 1) * PAGES / 2;
        CHECK(add_up(bytes, PAGES * PAGE_SIZE) == expected); /* hard */
        CHECK(ntmm_trim_pageable() >= PAGES);
        for (unsigned i = 0; i < PAGES; i++)
            *(volatile unsigned char *)&bytes[i * PAGE_SIZE + 1] = 0; /* soft, and dirty again */
    }
    ntmm_query_faults(&counts);
    CHECK(counts.demand_zero > 0 && counts.hard > 0 && counts.soft > 0);
    ExFreePoolWithTag(bytes, TAG);
    CHECK(ntmm_check());
    CHECK(ntmm_shutdown(NULL) == 0);
}

static void stop_once(void)
{
    ntmm_bugcheck stop;
    CHECK(ntmm_boot(&(ntmm_config){ .quiet = true }) == 0);
    CHECK(ntmm_catch_bugcheck(read_a_null_pointer, NULL, &stop));
    CHECK(stop.code == KMODE_EXCEPTION_NOT_HANDLED);
    ntmm_shutdown(NULL);
}

/* With an argument: page faults alone. A pointer to nowhere is an error to Valgrind. */
int main(int argc, char **argv)
{
    (void)argv;
    walk(&(ntmm_config){ .page_gate = NTMM_GATE_BEST });
    walk(&(ntmm_config){ .page_gate = NTMM_GATE_MPROTECT });
    if (argc == 1)
        stop_once();
    printf("paged: %s\n", failures == 0 ? "all is well" : "something is wrong");
    return failures != 0;
}
