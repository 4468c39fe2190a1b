/*
 * pool_mistakes.c - one mistake in the use of pool memory, chosen on the command line, for AddressSanitizer or Valgrind to find.
 * Built as a driver's test is: against the library as users have it, with or without -fsanitize=address.
 * Each mistake touches memory that is readable and writable all the time: without the tool nothing would happen at that line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntddk.h>

#include <ntmm/ntmm.h>

#define TAG NTMM_TAG("Oops")

static volatile char sink;
static char *volatile opaque; /* so that no compiler sees the mistake */

static char *block(POOL_FLAGS flags, size_t bytes)
{
    opaque = ExAllocatePool2(flags, bytes, TAG);
    if (opaque == NULL)
        exit(3);
    return opaque;
}

static void one_past_the_end(void) { block(POOL_FLAG_NON_PAGED, 60)[60] = 1; }
static void header_in_front(void) { sink = block(POOL_FLAG_PAGED, 100)[-16]; }
static void after_the_free(void)
{
    char *p = block(POOL_FLAG_NON_PAGED, 64);
    ExFreePoolWithTag(p, TAG);
    for (int i = 0; i < 20; i++)
        block(POOL_FLAG_NON_PAGED, 64); /* nobody gets the same memory for some time */
    sink = p[5];
}
static void paged_after_the_free(void)
{
    char *p = block(POOL_FLAG_PAGED, 700);
    ExFreePool(p);
    p[0] = 1;
}
static void pages_past_the_end(void) { block(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE - 8)[3 * PAGE_SIZE - 8] = 1; }
static void pages_after_the_free(void)
{
    char *p = block(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE);
    ExFreePoolWithTag(p, TAG);
    sink = p[PAGE_SIZE + 1];
}
static void pages_with_a_tail_after_the_free(void)
{
    char *p = block(POOL_FLAG_PAGED, 2 * PAGE_SIZE + 100);
    ExFreePoolWithTag(p, TAG);
    sink = p[1];
}
static void executable_past_the_end(void) { block(POOL_FLAG_NON_PAGED_EXECUTE, 32)[32] = 1; }
static void contiguous_after_the_free(void)
{
    PHYSICAL_ADDRESS any = { .QuadPart = -1 };
    char            *p = MmAllocateContiguousMemory(PAGE_SIZE, any);
    if (p == NULL)
        exit(3);
    p[7] = 1;
    opaque = p;
    MmFreeContiguousMemory(p);
    sink = opaque[7];
}
static void lookaside_after_the_free(void)
{
    static NPAGED_LOOKASIDE_LIST list;
    ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, 100, TAG, 0);
    opaque = ExAllocateFromNPagedLookasideList(&list);
    if (opaque == NULL)
        exit(3);
    opaque[99] = 1;
    ExFreeToNPagedLookasideList(&list, opaque);
    sink = opaque[99];
}
static void cache_aligned_past_the_end(void)
{
    char *p = block(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED, 40);
    p[39] = 1;
    p[40] = 1;
}
static void uninitialised(void)
{
    if (block(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 64)[3] == 'x')
        puts("x");
}

/* A great deal of everything and no mistake; what malloc() gave is known to a pool block alone, when the program ends with the machine up. */
static void nothing_wrong(void)
{
    char    *kept[200] = { 0 };
    unsigned seed = 12345;
    for (int i = 0; i < 60000; i++) {
        seed = seed * 1103515245u + 12345u;
        char **slot = &kept[seed / 7 % 200];
        if (*slot != NULL)
            ExFreePoolWithTag(*slot, TAG);
        size_t bytes = seed / 64 % 11 == 0 ? seed / 512 % 40000 + 1 : seed / 512 % 600 + 1;
        *slot = block(seed % 3 == 0 ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED, bytes);
        memset(*slot, (int)seed, bytes);
    }
    for (int i = 0; i < 200; i++)
        if (kept[i] != NULL)
            ExFreePool(kept[i]);
    if (!ntmm_check()) {
        puts(ntmm_error());
        exit(4);
    }
    void **holder = (void **)(void *)block(POOL_FLAG_NON_PAGED, 4000);
    holder[200] = malloc(77);
    opaque = (char *)holder;
}

/* The machine goes and comes: what it had hidden is ordinary memory again, and another machine may be without the tools. */
static void another_machine(void)
{
    for (int round = 0; round < 6; round++) {
        char *p = block(round % 2 == 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED, 100), *q = block(POOL_FLAG_NON_PAGED, 5 * PAGE_SIZE);
        ExFreePool(p);
        ExFreePool(q);
        ntmm_shutdown(NULL);
        ntmm_config config = { .no_memory_tools = round % 3 == 0 };
        if (ntmm_boot(&config) != 0)
            exit(3);
        p = block(POOL_FLAG_NON_PAGED, 64);
        memset(p, 1, 64);
        if (config.no_memory_tools)
            p[64] = 0; /* seen by nobody: the slack of the block, or the next header's first byte */
    }
}

static const struct {
    const char *name;
    void (*make)(void);
} mistakes[] = {
    { "one_past_the_end", one_past_the_end },
    { "header_in_front", header_in_front },
    { "after_the_free", after_the_free },
    { "paged_after_the_free", paged_after_the_free },
    { "pages_past_the_end", pages_past_the_end },
    { "pages_after_the_free", pages_after_the_free },
    { "pages_with_a_tail_after_the_free", pages_with_a_tail_after_the_free },
    { "executable_past_the_end", executable_past_the_end },
    { "contiguous_after_the_free", contiguous_after_the_free },
    { "lookaside_after_the_free", lookaside_after_the_free },
    { "cache_aligned_past_the_end", cache_aligned_past_the_end },
    { "uninitialised", uninitialised },
    { "nothing_wrong", nothing_wrong },
    { "another_machine", another_machine },
};

int main(int argc, char **argv)
{
    if (argc != 2 || ntmm_boot(NULL) != 0)
        return 3;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        if (strcmp(argv[1], mistakes[i].name) == 0) {
            mistakes[i].make();
            puts("nobody saw it");
            return 0;
        }
    return 3;
}
