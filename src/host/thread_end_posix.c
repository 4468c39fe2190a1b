/*
 * thread_end_posix.c - a thread that has nowhere to return to: ends, and lets whoever joins it go on.
 */
#include <pthread.h>
#include <unistd.h>

#include "host/host.h"

_Noreturn void host_thread_exit(void) { pthread_exit(NULL); }

bool host_thread_is_first(void)
{
#ifdef __APPLE__
    return pthread_main_np() != 0;
#else
    return host_thread_id() == (uint64_t)getpid();
#endif
}
