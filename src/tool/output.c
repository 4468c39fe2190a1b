/*
 * output.c - write beside, then rename: a reader sees the old file or the whole new one, never half.
 * Only a regular file is replaced that way; /dev/stdout, a pipe or a terminal is simply written to. Ctrl-C and its like wait meanwhile, so
 * that no part is left lying about.
 */
#include "tool/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

static bool written_directly(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static char *temporary_name(const char *path)
{
    size_t room = strlen(path) + 32;
    char  *name = malloc(room);
    if (name != NULL)
        snprintf(name, room, "%s.part%ld", path, (long)getpid());
    return name;
}

static void hold_signals(sigset_t *before)
{
    static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    sigset_t         held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        sigaddset(&held, ending[i]);
    sigprocmask(SIG_BLOCK, &held, before);
}

/* The file is what it is to be; a signal that waited ends the process now. */
static void forget(output *out)
{
    if (out->temporary != NULL)
        sigprocmask(SIG_SETMASK, &out->before, NULL);
    free(out->temporary);
    free(out->path);
}

bool output_open(output *out, const char *path)
{
    bool direct = written_directly(path);
    *out = (output){ .path = strdup(path), .temporary = direct ? NULL : temporary_name(path) };
    if (out->temporary != NULL)
        hold_signals(&out->before);
    if (out->path != NULL && (direct || out->temporary != NULL))
        out->stream = fopen(direct ? path : out->temporary, "w");
    if (out->stream != NULL)
        return true;
    tool_say("%s cannot be written: %s", path, strerror(errno));
    forget(out);
    return false;
}

bool output_close(output *out, bool keep)
{
    bool ok = ferror(out->stream) == 0;
    ok = fclose(out->stream) == 0 && ok;
    if (ok && keep && out->temporary != NULL)
        ok = rename(out->temporary, out->path) == 0;
    if (!ok)
        tool_say("%s cannot be written: %s", out->path, strerror(errno));
    if (out->temporary != NULL && (!ok || !keep))
        unlink(out->temporary);
    forget(out);
    return ok;
}

/* A file that is made beside it and removed again: permissions alone do not tell for root, nor on every file system. */
static bool can_be_made_beside(const char *path)
{
    char *name = temporary_name(path);
    int   fd = name != NULL ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    int   why = errno;
    if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    free(name);
    errno = why;
    return fd >= 0;
}

bool output_possible(const char *path)
{
    struct stat status;
    if (*path == '\0') {
        tool_say("an output is given as an empty name");
        return false;
    }
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        tool_say("%s cannot be written: it is a folder", path);
        return false;
    }
    if (written_directly(path) || can_be_made_beside(path))
        return true;
    tool_say("%s cannot be written: %s", path, strerror(errno));
    return false;
}
