/*
 * tool.c - the tool's voice, and how it finds itself.
 */
#include "tool/tool.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tool_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ntmm: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* A name without a slash was found by the shell along PATH; walk the same way. */
static char *search_path(const char *name)
{
    const char *path = getenv("PATH");
    char        candidate[PATH_MAX];
    while (path != NULL && *path != '\0') {
        size_t      length = strcspn(path, ":");
        const char *folder = length != 0 ? path : ".";
        int         n = snprintf(candidate, sizeof candidate, "%.*s/%s", length != 0 ? (int)length : 1, folder, name);
        if (n > 0 && (size_t)n < sizeof candidate && access(candidate, X_OK) == 0)
            return realpath(candidate, NULL);
        path += length;
        path += *path == ':';
    }
    return NULL;
}

const char *tool_self(const char *argv0)
{
    static char *self;
    char         link[PATH_MAX];
    if (self != NULL)
        return self;
    ssize_t n = readlink("/proc/self/exe", link, sizeof link - 1); /* Linux; elsewhere there is no such file */
    if (n > 0) {
        link[n] = '\0';
        self = strdup(link);
    } else if (argv0 != NULL) {
        self = strchr(argv0, '/') != NULL ? realpath(argv0, NULL) : search_path(argv0);
    }
    return self;
}
