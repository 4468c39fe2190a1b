/*
 * allocator_malloc.c - malloc, whoever's it is in this process.
 * Before the first block it is made sure that malloc comes from the library that was meant: a preload that the loader passed over
 * would otherwise measure the C library twice under two names.
 */
#include "tool/allocator.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t (*usable_size)(void *); /* malloc_usable_size, or malloc_size where that is its name */

bool malloc_start(const allocator *self, const allocator_need *need, char *why)
{
    (void)need; /* malloc takes what it needs when it needs it */
    const char *expected = self->preload != NULL ? self->preload : "libc.so";
    Dl_info     owner;
    void       *symbol = dlsym(RTLD_DEFAULT, "malloc");
    if (symbol == NULL || dladdr(symbol, &owner) == 0 || owner.dli_fname == NULL || strstr(owner.dli_fname, expected) == NULL) {
        snprintf(why, ALLOCATOR_WHY, "malloc in this process comes from %.150s, not from %s", symbol != NULL ? owner.dli_fname : "nowhere",
                 expected);
        return false;
    }
    void *size_symbol = dlsym(RTLD_DEFAULT, "malloc_usable_size");
    if (size_symbol == NULL)
        size_symbol = dlsym(RTLD_DEFAULT, "malloc_size");
    memcpy(&usable_size, &size_symbol, sizeof usable_size);
    if (usable_size == NULL)
        snprintf(why, ALLOCATOR_WHY, "%s has no malloc_usable_size", owner.dli_fname);
    return usable_size != NULL;
}

void *malloc_alloc(size_t bytes, uint32_t tag, uint32_t flags)
{
    (void)tag; /* malloc keeps no tags */
    return (flags & BLOCK_ZEROED) != 0 ? calloc(1, bytes) : malloc(bytes);
}

void malloc_release(void *block, uint32_t tag)
{
    (void)tag;
    free(block);
}

size_t malloc_usable(void *block) { return usable_size(block); }
