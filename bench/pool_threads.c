/*
 * pool_threads.c - threads of a test.
 * With two processors and a busy neighbour on one of them, a scheduler may keep both threads on the other for good, where they take turns
 * and nothing of what was to be measured happens. So they are placed apart, where the host has calls for that. With more than two
 * processors the scheduler finds room, and knows which of them are two halves of one core.
 */
#include "pool_threads.h"

#include <sched.h>

#include "pool_loops.h"

#define PATIENCE 20000u /* looks before the processor is offered to somebody else, who may be the one that is waited for */

static void place_apart(unsigned place)
{
#ifdef CPU_SET /* Linux */
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) != 2)
        return;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && place-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one); /* the calling thread; refused: it stays where it is */
            return;
        }
#else
    (void)place; /* there is no such call */
#endif
}

static void *work(void *context)
{
    pool_worker *w = context;
    char         why[ALLOCATOR_WHY];
    place_apart(w->place);
    if (!w->allocator->guard(w->body, w->context, why))
        pool_give_up(w->allocator, why);
    return NULL;
}

void pool_worker_start(pool_worker *worker)
{
    if (pthread_create(&worker->thread, NULL, work, worker) != 0)
        pool_give_up(worker->allocator, "there is no thread to be had");
}

void pool_worker_join(pool_worker *worker) { pthread_join(worker->thread, NULL); }

void pool_worker_wait(unsigned *looks)
{
    if (++*looks % PATIENCE == 0)
        sched_yield();
}
