/*
 * peer.c - libraries by name, children by posix_spawn.
 *
 * The libraries are looked for where the C library of this very process lies (so that they fit it), then in the usual places of Linux and
 * Homebrew. They are never loaded into the parent: an allocator must be there before the first malloc, so only a preload will do.
 * LD_PRELOAD is Linux' name for that and DYLD_INSERT_LIBRARIES the one of macOS; each host ignores the other's.
 */
#include "tool/peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define CHILD_STREAM_FD 3
#define CHILD_RESULT_FD 4
#define LOWEST_FD 10

/* ---- libraries ---- */

static bool readable_in(const char *folder, size_t folder_length, const char *file, char *path, size_t path_size)
{
    int n = snprintf(path, path_size, "%.*s/%s", (int)folder_length, folder, file);
    return n > 0 && (size_t)n < path_size && access(path, R_OK) == 0;
}

static bool in_path_list(const char *list, const char *file, char *path, size_t path_size)
{
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ":");
        if (length != 0 && readable_in(list, length, file, path, path_size))
            return true;
        list += length + (list[length] == ':');
    }
    return false;
}

static bool find_file(const char *file, char *path, size_t path_size)
{
    static const char USUAL[] = "/usr/local/lib:/usr/lib64:/usr/lib:/opt/homebrew/lib:/opt/homebrew/opt/jemalloc/lib";
    char              beside[PATH_MAX + 8];
    Dl_info           libc;
    void             *symbol = dlsym(RTLD_NEXT, "snprintf");
    if (in_path_list(getenv("LD_LIBRARY_PATH"), file, path, path_size))
        return true;
    if (symbol != NULL && dladdr(symbol, &libc) != 0 && strrchr(libc.dli_fname, '/') != NULL) {
        size_t length = (size_t)(strrchr(libc.dli_fname, '/') - libc.dli_fname);
        if (readable_in(libc.dli_fname, length, file, path, path_size))
            return true;
        snprintf(beside, sizeof beside, "/usr%.*s", (int)length, libc.dli_fname);
        if (readable_in(beside, strlen(beside), file, path, path_size))
            return true;
    }
    return in_path_list(USUAL, file, path, path_size);
}

/* A sanitizer brings a malloc of its own, and must come before whatever else is preloaded. */
static bool sanitized(void) { return dlsym(RTLD_DEFAULT, "__asan_init") != NULL || dlsym(RTLD_DEFAULT, "__tsan_init") != NULL; }

bool peer_find(const allocator *a, char *path, size_t path_size)
{
    path[0] = '\0';
    if ((a->needs != NULL || a->files != NULL) && sanitized())
        return false;
    if (a->needs != NULL && dlsym(RTLD_DEFAULT, a->needs) == NULL)
        return false;
    if (a->files == NULL)
        return true;
    for (const char *const *file = a->files; *file != NULL; file++)
        if (find_file(*file, path, path_size))
            return true;
    path[0] = '\0';
    return false;
}

/* ---- children ---- */

static bool is_preload(const char *variable)
{
    return strncmp(variable, "LD_PRELOAD=", 11) == 0 || strncmp(variable, "DYLD_INSERT_LIBRARIES=", 22) == 0;
}

/* Our environment with its preloads replaced; one block to free(), the strings of `preload` inside it. */
static char **make_environment(const char *library)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    size_t table = (count + 3) * sizeof(char *);
    size_t text = strlen(library) + 32;
    char **made = malloc(table + 2 * text);
    if (made == NULL)
        return NULL;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_preload(environ[i]))
            made[kept++] = environ[i];
    if (*library != '\0') {
        char *linux_name = (char *)made + table, *mac_name = linux_name + text;
        snprintf(linux_name, text, "LD_PRELOAD=%s", library);
        snprintf(mac_name, text, "DYLD_INSERT_LIBRARIES=%s", library);
        made[kept++] = linux_name;
        made[kept++] = mac_name;
    }
    made[kept] = NULL;
    return made;
}

/* A pipe whose ends are clear of the descriptors that the child gets by number. */
static bool make_pipe(int ends[2])
{
    int low[2];
    if (pipe(low) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, LOWEST_FD);
        close(low[i]);
    }
    return ends[0] >= 0 && ends[1] >= 0;
}

static int start(const peer_child *child, int result_fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    char                     **environment = make_environment(child->library);
    if (environment == NULL)
        return ENOMEM;
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        if (child->stream >= 0)
            error = posix_spawn_file_actions_adddup2(&actions, child->stream, CHILD_STREAM_FD);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&actions, result_fd, CHILD_RESULT_FD);
        if (error == 0)
            error = posix_spawn(pid, child->program, &actions, NULL, child->arguments, environment);
        posix_spawn_file_actions_destroy(&actions);
    }
    free(environment);
    return error;
}

static size_t read_to_end(int fd, char *output, size_t room)
{
    size_t length = 0;
    while (length < room) {
        ssize_t n = read(fd, output + length, room - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    return length;
}

static bool wait_for(pid_t pid, char *why, size_t why_size)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) {
            snprintf(why, why_size, "was lost: %s", strerror(errno));
            return false;
        }
    if (WIFSIGNALED(status))
        snprintf(why, why_size, "was killed by signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(why, why_size, "ended with exit code %d", WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool peer_run(const peer_child *child, void *output, size_t room, size_t *length, char *why, size_t why_size)
{
    int   ends[2];
    pid_t pid;
    *length = 0;
    if (!make_pipe(ends)) {
        snprintf(why, why_size, "could not be started: %s", strerror(errno));
        return false;
    }
    int error = start(child, ends[1], &pid);
    close(ends[1]);
    if (error == 0)
        *length = read_to_end(ends[0], output, room);
    close(ends[0]);
    if (error == 0)
        return wait_for(pid, why, why_size);
    snprintf(why, why_size, "could not be started: %s", strerror(error));
    return false;
}
