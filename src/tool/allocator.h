/*
 * allocator.h - the allocators that can be compared, behind one set of function pointers.
 * Every one of them is called through the same pointers with the same arguments, so that what the calls cost is the same for all.
 * A process uses one allocator: the malloc family is chosen by what was preloaded into the process, and a machine is booted once.
 */
#ifndef NTMM_TOOL_ALLOCATOR_H
#define NTMM_TOOL_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum block_flag {
    BLOCK_PAGED = 1u << 2, /* ntmm: paged pool; others have one kind of memory */
    BLOCK_ZEROED = 1u << 3
};

typedef struct allocator_need {
    uint64_t live_bytes;    /* most that will be live at once */
    uint64_t largest_bytes; /* largest single block */
} allocator_need;

/* What an allocator knows of itself. */
typedef struct allocator_usage {
    bool     known;
    uint64_t allotted;         /* bytes of live blocks with header and rounding */
    uint64_t free_pages;       /* of the machine */
    uint64_t largest_free_run; /* pages */
} allocator_usage;

typedef struct allocator {
    const char        *name;
    const char        *remark;     /* for `ntmm replay --help` */
    const char        *preload;    /* part of the library's file name, "jemalloc"; NULL: nothing is preloaded */
    const char *const *files;      /* file names to look for, NULL at the end */
    const char        *needs;      /* a symbol without which this host does not have it; NULL: none */
    bool               by_default; /* compared when the user names none */
    int                variant;    /* a number for start() */

    /* Everything below runs in the child. `why` has room for ALLOCATOR_WHY bytes. */
    bool (*start)(const struct allocator *self, const allocator_need *need, char *why);
    void *(*alloc)(size_t bytes, uint32_t tag, uint32_t flags); /* NULL: no memory */
    void (*release)(void *block, uint32_t tag);
    void (*set_level)(bool dispatch);                              /* between calls, when the caller's context changes */
    size_t (*usable)(void *block);                                 /* bytes the block can hold; NULL: ask usage() */
    void (*usage)(allocator_usage *usage);                         /* NULL: knows nothing */
    bool (*guard)(void (*body)(void *), void *context, char *why); /* runs body; false: it stopped. Every thread calls within one */
    bool (*finish)(char *why);                                     /* everything is freed; false: something was not right */
} allocator;

#define ALLOCATOR_WHY 256

extern const allocator ALLOCATORS[];
extern const size_t    ALLOCATOR_COUNT;

/** The one of that name, the floor included; NULL: there is none. */
const allocator *allocator_find(const char *name);

/**
 * One block and one page of each kind come and go before anything is measured: what an allocator builds at its first call, and its code on
 * its way from the disk, belong to no figure. The C library's allocator has had such calls since the process began.
 */
void allocator_first_calls(const allocator *a);

/** Nothing behind the pointers: one block for every request of a thread. What a loop costs with it is what the loop itself costs. */
extern const allocator ALLOCATOR_FLOOR;

/* allocator_malloc.c */
bool   malloc_start(const allocator *self, const allocator_need *need, char *why);
void  *malloc_alloc(size_t bytes, uint32_t tag, uint32_t flags);
void   malloc_release(void *block, uint32_t tag);
size_t malloc_usable(void *block);

/* allocator_ntmm.c */
bool  machine_start(const allocator *self, const allocator_need *need, char *why);
void *machine_alloc(size_t bytes, uint32_t tag, uint32_t flags);
void  machine_release(void *block, uint32_t tag);
void  machine_set_level(bool dispatch);
void  machine_usage(allocator_usage *usage);
bool  machine_guard(void (*body)(void *), void *context, char *why);
bool  machine_finish(char *why);

#endif
