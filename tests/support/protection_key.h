/*
 * protection_key.h - an independent witness of protection keys: what the kernel says of the processor, and that it gives one.
 */
#ifndef NTMM_TESTS_PROTECTION_KEY_H
#define NTMM_TESTS_PROTECTION_KEY_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline bool kernel_has_keys(void)
{
#if defined(__x86_64__) && defined(SYS_pkey_alloc)
    char  line[8192];
    bool  listed = false;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (!listed && file != NULL && fgets(line, sizeof line, file) != NULL)
        listed = strstr(line, " ospke") != NULL;
    if (file != NULL)
        fclose(file);
    long key = syscall(SYS_pkey_alloc, 0, 0); /* of a processor that has none a kernel may give one, too */
    return key > 0 && syscall(SYS_pkey_free, key) == 0 && listed;
#else
    return false;
#endif
}

#endif
