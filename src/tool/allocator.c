/*
 * allocator.c - the table of allocators, and the one that is none.
 */
#include "tool/allocator.h"

#include <string.h>
#include <sys/mman.h>

#include <ntmm/ntmm.h>

#define TAG_OF_FIRST_CALLS 0x74737246u /* "Frst" */

/* ---- what is the same for those that have nothing to do ---- */

static void stay_at_level(bool dispatch) { (void)dispatch; } /* only ntmm has an IRQL */

static bool just_run(void (*body)(void *), void *context, char *why)
{
    (void)why; /* a crash ends the child, and its parent says so */
    body(context);
    return true;
}

static bool nothing_to_finish(char *why)
{
    (void)why;
    return true;
}

/* ---- the floor ---- */

static size_t              block_bytes;
static _Thread_local void *the_block; /* each thread has one: two that write to the same line wait for each other */

static bool floor_start(const allocator *self, const allocator_need *need, char *why)
{
    (void)self, (void)why; /* the block comes with the thread: floor_run() */
    block_bytes = (size_t)need->largest_bytes;
    return true;
}

static bool floor_run(void (*body)(void *), void *context, char *why)
{
    the_block = mmap(NULL, block_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (the_block == MAP_FAILED) {
        strcpy(why, "no memory for one block");
        return false;
    }
    memset(the_block, 1, block_bytes);
    body(context);
    munmap(the_block, block_bytes);
    return true;
}

static void *floor_alloc(size_t bytes, uint32_t tag, uint32_t flags)
{
    (void)bytes, (void)tag, (void)flags; /* every block is the same one */
    return the_block;
}

static void floor_release(void *block, uint32_t tag) { (void)block, (void)tag; }

const allocator ALLOCATOR_FLOOR = { .name = "floor",
                                    .remark = "nothing at all: what the loop and the two calls cost",
                                    .start = floor_start,
                                    .alloc = floor_alloc,
                                    .release = floor_release,
                                    .set_level = stay_at_level,
                                    .guard = floor_run,
                                    .finish = nothing_to_finish };

/* ---- the table ---- */

/* Debian's names and Homebrew's, newest first. */
static const char *const JEMALLOC_FILES[] = { "libjemalloc.so.2", "libjemalloc.2.dylib", NULL };
static const char *const MIMALLOC_FILES[] = { "libmimalloc.so.3",    "libmimalloc.so.2",    "libmimalloc.so.2.0",
                                              "libmimalloc.3.dylib", "libmimalloc.2.dylib", NULL };
static const char *const TCMALLOC_FILES[] = { "libtcmalloc_minimal.so.4", "libtcmalloc_minimal.4.dylib", NULL };

#define MACHINE \
    .start = machine_start, .alloc = machine_alloc, .release = machine_release, .set_level = machine_set_level, .usage = machine_usage, \
    .guard = machine_guard, .finish = machine_finish
#define MALLOC \
    .start = malloc_start, .alloc = malloc_alloc, .release = malloc_release, .set_level = stay_at_level, .usable = malloc_usable, \
    .guard = just_run, .finish = nothing_to_finish

const allocator ALLOCATORS[] = {
    { .name = "ntmm-classic", .remark = "the classic pool", .by_default = true, .variant = NTMM_POOL_CLASSIC, MACHINE },
    { .name = "ntmm-segment", .remark = "the segment heap, once it is built", .variant = NTMM_POOL_SEGMENT, MACHINE },
    { .name = "jemalloc",
      .remark = "libjemalloc.so.2, preloaded",
      .preload = "jemalloc",
      .files = JEMALLOC_FILES,
      .by_default = true,
      MALLOC },
    { .name = "mimalloc",
      .remark = "libmimalloc.so, preloaded",
      .preload = "mimalloc",
      .files = MIMALLOC_FILES,
      .by_default = true,
      MALLOC },
    { .name = "tcmalloc",
      .remark = "libtcmalloc_minimal.so.4, preloaded",
      .preload = "tcmalloc",
      .files = TCMALLOC_FILES,
      .by_default = true,
      MALLOC },
    { .name = "glibc", .remark = "the C library's own malloc", .needs = "gnu_get_libc_version", .by_default = true, MALLOC },
};
const size_t ALLOCATOR_COUNT = sizeof ALLOCATORS / sizeof ALLOCATORS[0];

void allocator_first_calls(const allocator *a)
{
    static const uint32_t KINDS[] = { 0, BLOCK_PAGED, BLOCK_ZEROED, BLOCK_PAGED | BLOCK_ZEROED };
    for (unsigned i = 0; i < 2 * sizeof KINDS / sizeof KINDS[0]; i++) {
        void *block = a->alloc(i % 2 == 0 ? 64 : 4096, TAG_OF_FIRST_CALLS, KINDS[i / 2]);
        if (block != NULL)
            a->release(block, TAG_OF_FIRST_CALLS);
    }
}

const allocator *allocator_find(const char *name)
{
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++)
        if (strcmp(ALLOCATORS[i].name, name) == 0)
            return &ALLOCATORS[i];
    return strcmp(name, ALLOCATOR_FLOOR.name) == 0 ? &ALLOCATOR_FLOOR : NULL;
}
