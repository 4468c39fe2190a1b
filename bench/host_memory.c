/*
 * host_memory.c - MemAvailable of /proc/meminfo, less when a control group has a limit; physical memory where there is no /proc.
 * Only the limit that a container sees at its own root is looked at: one further down the tree goes unnoticed.
 * Source  Linux, Documentation/filesystems/proc.rst (MemAvailable), Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current).
 */
#include "host_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The number behind `name` at the start of a line, or the file's first number when name is "". @return false: there is none */
static bool read_number(const char *path, const char *name, uint64_t *number)
{
    char  line[256];
    FILE *file = fopen(path, "re");
    bool  found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), "%" SCNu64, number) == 1;
    if (file != NULL)
        fclose(file);
    return found;
}

uint64_t host_memory_available(void)
{
    uint64_t available, most, taken;
    if (read_number("/proc/meminfo", "MemAvailable:", &available))
        available *= 1024;
    else
        available = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (read_number("/sys/fs/cgroup/memory.max", "", &most) && read_number("/sys/fs/cgroup/memory.current", "", &taken)) {
        uint64_t left = most > taken ? most - taken : 0;
        available = left < available ? left : available;
    }
    return available;
}
