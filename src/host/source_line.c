/*
 * source_line.c - which line of which file the code at an address comes from.
 * Debug information is a language of its own, and a program of the host's reads it: addr2line, or LLVM's of the same name. It is asked once for
 * all addresses of a file. Where there is no such program, or the code was built without -g, nothing is known.
 *
 *     address -> the file that it was loaded from, and where (dladdr) -> addr2line -e FILE OFFSET... -> "ring.c:30"
 *
 * Nothing here allocates or runs fork handlers: whoever asks may have been stopped with the heap's lock in his hand.
 * Locks   the dynamic linker's.
 */
#include "host/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <link.h>
#include <sys/auxv.h>
#endif

#ifdef __linux__

#define OFFSET_TEXT 20u
#define PATH_BYTES 4096u
#define ANSWER_BYTES 16384u

/* One question: all addresses that lie in one file. Static, not on what may be an emergency stack. */
static struct {
    const void *base;
    char        path[PATH_BYTES];
    char        offset[HOST_SOURCE_LINES][OFFSET_TEXT];
    size_t      line[HOST_SOURCE_LINES]; /* of the caller's array */
    size_t      count;
    char       *argv[HOST_SOURCE_LINES + 4];
    char        answer[ANSWER_BYTES];
} asked;

/* The program itself goes by the name that it was called by, which may be no path. */
static bool path_of(const Dl_info *file)
{
    Dl_info program;
    bool    is_program = dladdr((void *)getauxval(AT_PHDR), &program) != 0 && program.dli_fbase == file->dli_fbase;
    if (!is_program)
        return snprintf(asked.path, sizeof asked.path, "%s", file->dli_fname) < (int)sizeof asked.path;
    ssize_t length = readlink("/proc/self/exe", asked.path, sizeof asked.path - 1);
    asked.path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* What debug information calls the address: an offset, or, in a program that is always loaded at one place, the address itself. */
static uintptr_t linked_address(uintptr_t pc)
{
    const ElfW(Ehdr) *header = asked.base;
    return header->e_type == ET_EXEC ? pc : pc - (uintptr_t)asked.base;
}

static void add_address(uintptr_t pc, size_t line)
{
    snprintf(asked.offset[asked.count], OFFSET_TEXT, "0x%llx", (unsigned long long)linked_address(pc));
    asked.line[asked.count++] = line;
}

/* Those that lie in the same file as the first one without an answer; false: there is none left. */
static bool gather(const uintptr_t *pcs, size_t count, bool *done)
{
    Dl_info file;
    asked.base = NULL;
    asked.count = 0;
    for (size_t i = 0; i < count && asked.count < HOST_SOURCE_LINES; i++) {
        if (done[i])
            continue;
        bool known = dladdr((void *)pcs[i], &file) != 0 && file.dli_fname != NULL;
        if (known && asked.base == NULL && path_of(&file))
            asked.base = file.dli_fbase;
        done[i] = !known || file.dli_fbase == asked.base || asked.base == NULL;
        if (done[i] && known && asked.base != NULL)
            add_address(pcs[i], i);
    }
    return asked.count != 0;
}

/* vfork: nothing is copied, no handler runs, and the child does nothing but become another program. */
static pid_t start(const char *program, int output)
{
    sigset_t all, before;
    size_t   n = 0;
    asked.argv[n++] = (char *)program;
    asked.argv[n++] = "-e";
    asked.argv[n++] = asked.path;
    for (size_t i = 0; i < asked.count; i++)
        asked.argv[n++] = asked.offset[i];
    asked.argv[n] = NULL;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = vfork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        if (dup2(output, STDOUT_FILENO) >= 0 && dup2(nowhere, STDERR_FILENO) >= 0)
            execvp(program, asked.argv);
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child;
}

static size_t read_answer(int input)
{
    size_t  used = 0;
    ssize_t more;
    while (used < ANSWER_BYTES - 1 &&
           ((more = read(input, asked.answer + used, ANSWER_BYTES - 1 - used)) > 0 || (more < 0 && errno == EINTR)))
        used += more > 0 ? (size_t)more : 0;
    asked.answer[used] = '\0';
    return used;
}

static bool ask(const char *program)
{
    int   ends[2];
    bool  answered = false;
    pid_t child = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    child = start(program, ends[1]);
    close(ends[1]);
    if (child > 0)
        answered = read_answer(ends[0]) != 0;
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return answered;
}

/* "/home/me/ring.c:30 (discriminator 2)" is ring.c:30, and "??:?" or "x.c:0" is nothing. */
static void take_line(char *answer, host_source_line_t *line)
{
    char *end = strstr(answer, " (discriminator");
    if (end != NULL)
        *end = '\0';
    const char *slash = strrchr(answer, '/'), *name = slash != NULL ? slash + 1 : answer, *colon = strrchr(name, ':');
    if (colon != NULL && name[0] != '?' && strtoul(colon + 1, NULL, 10) != 0)
        snprintf(line->text, sizeof line->text, "%.*s", (int)sizeof line->text - 1, name);
}

static void take_answer(host_source_line_t *lines)
{
    char *at = asked.answer;
    for (size_t i = 0; i < asked.count && at != NULL; i++) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        take_line(at, &lines[asked.line[i]]);
        at = end != NULL ? end + 1 : NULL;
    }
}

void host_source_lines(const uintptr_t *pcs, size_t count, host_source_line_t *lines)
{
    static _Atomic bool busy;
    bool                done[HOST_SOURCE_LINES] = { false };
    count = count < HOST_SOURCE_LINES ? count : HOST_SOURCE_LINES;
    for (size_t i = 0; i < count; i++)
        lines[i].text[0] = '\0';
    if (atomic_exchange(&busy, true))
        return;
    while (gather(pcs, count, done) && (ask("addr2line") || ask("llvm-addr2line")))
        take_answer(lines);
    atomic_store(&busy, false);
}

#else /* no such program is known */

void host_source_lines(const uintptr_t *pcs, size_t count, host_source_line_t *lines)
{
    (void)pcs;
    for (size_t i = 0; i < count && i < HOST_SOURCE_LINES; i++)
        lines[i].text[0] = '\0';
}

#endif
