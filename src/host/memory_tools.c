/*
 * memory_tools.c - AddressSanitizer and LeakSanitizer by the names of their interfaces, memcheck through its client requests.
 *
 *                 AddressSanitizer                 memcheck
 *     hide        poison                           no access
 *     hand out    unpoison, to the byte            a chunk of the memory pool: known with its stack, for the leak check, too
 *     take back   poison                           the chunk is freed: a later touch names both stacks
 *     forget      unpoison                         defined
 *     access      this code is not instrumented    errors of this thread are not reported meanwhile
 *
 * A library that is itself built with AddressSanitizer would be caught in its own free lists: then nothing is said to it. Nor is there
 * anything to say to Valgrind's other tools, which do not know the requests.
 *
 * Source      the interface headers that gcc, clang and Valgrind install for this purpose.
 */
#include "host/memory_tools.h"

#include <dlfcn.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAVE_MEMCHECK 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define WE_ARE_INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WE_ARE_INSTRUMENTED 1
#endif
#endif

static struct {
    bool asan, memcheck, pool; /* pool: memcheck knows of ours */
    void (*poison)(const volatile void *at, size_t bytes);
    void (*unpoison)(const volatile void *at, size_t bytes);
    void (*root)(const void *at, size_t bytes);
    void (*unroot)(const void *at, size_t bytes);
} here; /* written while no machine is up */

/* ---- who is there ---- */

#ifdef WE_ARE_INSTRUMENTED
static bool asan_watches(void) { return false; }
#else
static void find(const char *name, void *function)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
}

static bool asan_watches(void)
{
    find("__asan_poison_memory_region", &here.poison);
    find("__asan_unpoison_memory_region", &here.unpoison);
    find("__lsan_register_root_region", &here.root);
    find("__lsan_unregister_root_region", &here.unroot);
    return here.poison != NULL && here.unpoison != NULL;
}
#endif

#ifdef HAVE_MEMCHECK
static const char memcheck_pool; /* its address names the pool */

static bool memcheck_watches(void)
{
    static char probe;
    return RUNNING_ON_VALGRIND != 0 && VALGRIND_MAKE_MEM_DEFINED(&probe, sizeof probe) != 0; /* other tools answer 0 */
}
#else
static bool memcheck_watches(void) { return false; }
#endif

bool host_tools_watch(void)
{
    here.asan = asan_watches();
    here.memcheck = memcheck_watches();
#ifdef HAVE_MEMCHECK
    if (here.memcheck && !here.pool)
        VALGRIND_CREATE_MEMPOOL(&memcheck_pool, 0, 0);
    here.pool = here.memcheck;
#endif
    return here.asan || here.memcheck;
}

/* ---- memory ---- */

void host_tools_hide(const void *at, size_t bytes)
{
    if (here.asan)
        here.poison(at, bytes);
#ifdef HAVE_MEMCHECK
    if (here.memcheck)
        (void)VALGRIND_MAKE_MEM_NOACCESS(at, bytes);
#endif
}

void host_tools_hand_out(const void *at, size_t bytes)
{
    if (here.asan)
        here.unpoison(at, bytes);
#ifdef HAVE_MEMCHECK
    if (here.memcheck)
        VALGRIND_MEMPOOL_ALLOC(&memcheck_pool, at, bytes);
#endif
}

void host_tools_take_back(const void *at, size_t bytes)
{
    if (here.asan)
        here.poison(at, bytes);
#ifdef HAVE_MEMCHECK
    if (here.memcheck)
        VALGRIND_MEMPOOL_FREE(&memcheck_pool, at);
#endif
}

void host_tools_forget(const void *at, size_t bytes)
{
    if (here.asan)
        here.unpoison(at, bytes);
#ifdef HAVE_MEMCHECK
    if (here.memcheck)
        (void)VALGRIND_MAKE_MEM_DEFINED(at, bytes);
#endif
}

/* ---- roots ---- */

#define ROOTS_MAX 4096u
static struct {
    const void *at;
    size_t      bytes;
} roots[ROOTS_MAX]; /* by the caller's lock */
static unsigned root_count;

void host_tools_root(const void *at, size_t bytes)
{
    if (!here.asan || here.root == NULL || here.unroot == NULL || root_count == ROOTS_MAX)
        return;
    here.root(at, bytes);
    roots[root_count].at = at;
    roots[root_count++].bytes = bytes;
}

void host_tools_forget_pieces(void)
{
    while (root_count > 0) {
        root_count--;
        here.unroot(roots[root_count].at, roots[root_count].bytes);
    }
#ifdef HAVE_MEMCHECK
    if (here.pool)
        VALGRIND_DESTROY_MEMPOOL(&memcheck_pool);
    here.pool = false;
#endif
}

void host_tools_leave(void) { here.asan = here.memcheck = false; }

/* ---- our own steps ---- */

void host_tools_begin_access(void)
{
#ifdef HAVE_MEMCHECK
    if (here.memcheck)
        VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

void host_tools_end_access(void)
{
#ifdef HAVE_MEMCHECK
    if (here.memcheck)
        VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}
