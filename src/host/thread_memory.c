/*
 * thread_memory.c - one piece of memory of the calling thread's own, given back when the thread ends.
 * For what is too large for thread-local storage, which comes out of every thread's stack, and is needed by few threads.
 */
#include "host/host.h"

#include <pthread.h>

static pthread_key_t  memory_key;
static pthread_once_t memory_once = PTHREAD_ONCE_INIT;
static bool           key_made;
static void (*_Atomic thread_ends)(void);

static void give_back(void *memory)
{
    atomic_load (&thread_ends)();
    host_release(memory, HOST_THREAD_MEMORY);
}

static void make_key(void) { key_made = pthread_key_create(&memory_key, give_back) == 0; }

void *host_thread_memory(void (*forget)(void))
{
    pthread_once(&memory_once, make_key);
    void *memory = key_made ? host_tables(HOST_THREAD_MEMORY) : NULL;
    if (memory == NULL)
        return NULL;
    atomic_store(&thread_ends, forget);
    if (pthread_setspecific(memory_key, memory) == 0)
        return memory;
    host_release(memory, HOST_THREAD_MEMORY);
    return NULL;
}
