/*
 * resident.c - resident set from /proc/self/statm, or from getrusage() where there is no /proc.
 * The second field of statm counts anonymous, file and shared pages: heap of a malloc and memory object of a machine alike.
 */
#include "tool/resident.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef TOOL_MAXRSS_UNIT /* bytes in a unit of ru_maxrss; the build says 1 for macOS */
#define TOOL_MAXRSS_UNIT 1024
#endif

static uint64_t highest_resident(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * TOOL_MAXRSS_UNIT;
}

uint64_t resident_bytes(void)
{
    static int  fd = -2; /* -2: not tried yet */
    static long page_bytes;
    char        text[128];
    if (fd == -2) {
        fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
        page_bytes = sysconf(_SC_PAGESIZE);
    }
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : -1;
    if (n <= 0)
        return highest_resident();
    text[n] = '\0';
    const char *second = strchr(text, ' ');
    return second != NULL ? strtoull(second, NULL, 10) * (uint64_t)page_bytes : highest_resident();
}
