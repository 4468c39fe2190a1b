/*
 * text_posix.c - names for addresses: who called, which function, which file, and whether the code is the library's own.
 * Elsewhere   what a stop report says: ke. Locks: the dynamic linker's, so nothing here may run in a fault handler, except
 *             host_is_library_code once host_faults_start has asked it before.
 */
#include "host/host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>
#ifdef __linux__
#include <link.h>
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <mach-o/loader.h>
#endif

/* ---- backtraces: the compiler's unwinder, asked directly; backtrace() would allocate and load a library at its first call ---- */

typedef struct trace {
    void **frames;
    size_t count, limit;
} trace_t;

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *frame, void *context)
{
    trace_t  *trace = context;
    uintptr_t pc = (uintptr_t)_Unwind_GetIP(frame);
    if (pc == 0 || trace->count == trace->limit)
        return _URC_END_OF_STACK;
    trace->frames[trace->count++] = (void *)pc;
    return _URC_NO_REASON;
}

size_t host_backtrace(void **frames, size_t count)
{
    trace_t trace = { .frames = frames, .limit = count };
    _Unwind_Backtrace(add_frame, &trace);
    return trace.count;
}

typedef struct walk {
    bool (*visit)(uintptr_t pc, uintptr_t sp, void *context);
    void *context;
} walk_t;

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *frame, void *context)
{
    walk_t   *walk = context;
    uintptr_t pc = (uintptr_t)_Unwind_GetIP(frame);
    return pc != 0 && walk->visit(pc, (uintptr_t)_Unwind_GetCFA(frame), walk->context) ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void host_walk_calls(bool (*visit)(uintptr_t pc, uintptr_t sp, void *context), void *context)
{
    walk_t walk = { visit, context };
    _Unwind_Backtrace(walk_frame, &walk);
}

/* ---- names ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* Without a name, the offset in the file is what addr2line and atos want. */
void host_describe_address(uintptr_t pc, char *text, size_t bytes)
{
    Dl_info info;
    if (dladdr((void *)pc, &info) == 0 || info.dli_fname == NULL)
        snprintf(text, bytes, "0x%llx", (unsigned long long)pc);
    else if (info.dli_sname != NULL)
        snprintf(text, bytes, "%s+0x%llx (%s)", info.dli_sname, (unsigned long long)(pc - (uintptr_t)info.dli_saddr),
                 base_name(info.dli_fname));
    else
        snprintf(text, bytes, "%s+0x%llx", base_name(info.dli_fname), (unsigned long long)(pc - (uintptr_t)info.dli_fbase));
}

void host_tell(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody is left to tell */
}

_Noreturn void host_invariant_failed(const char *file, int line, const char *condition, const char *what)
{
    char  text[512];
    void *frames[32];
    snprintf(text, sizeof text, "ntmm: broken invariant at %s:%d: %s\n      (%s)\n", base_name(file), line, what, condition);
    host_tell(text);
    size_t count = host_backtrace(frames, NTMM_ARRAY_COUNT(frames));
    for (size_t i = 1; i < count; i++) {
        char name[256];
        host_describe_address((uintptr_t)frames[i], name, sizeof name);
        snprintf(text, sizeof text, "      %2zu %s\n", i, name);
        host_tell(text);
    }
    abort();
}

/* ---- the library's own code ---- */

enum { RANGE_COUNT = 4 }; /* executable segments: one, two with some linkers */

static struct code_range {
    uintptr_t start, end;
} ranges[RANGE_COUNT]; /* written once under the pthread_once; empty in a static library */
static pthread_once_t ranges_once = PTHREAD_ONCE_INIT;

static void add_range(uintptr_t start, uintptr_t bytes)
{
    for (size_t i = 0; i < RANGE_COUNT; i++)
        if (ranges[i].end == 0) {
            ranges[i] = (struct code_range){ start, start + bytes };
            return;
        }
}

#ifdef __linux__
static bool segment_holds(const struct dl_phdr_info *object, const ElfW(Phdr) * segment, uintptr_t address)
{
    return segment->p_type == PT_LOAD && address - (object->dlpi_addr + segment->p_vaddr) < segment->p_memsz;
}

static int collect_from_object(struct dl_phdr_info *object, size_t bytes, void *context)
{
    (void)bytes;
    bool ours = false;
    for (int i = 0; i < object->dlpi_phnum; i++)
        ours |= segment_holds(object, &object->dlpi_phdr[i], (uintptr_t)context);
    if (!ours)
        return 0;
    if ((uintptr_t)object->dlpi_phdr == getauxval(AT_PHDR))
        return 1; /* we are part of the program itself */
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0)
            add_range(object->dlpi_addr + segment->p_vaddr, segment->p_memsz);
    }
    return 1;
}

static void collect_ranges(void) { dl_iterate_phdr(collect_from_object, (void *)(uintptr_t)host_is_library_code); }
#elif defined(__APPLE__)
static void collect_ranges(void)
{
    Dl_info info;
    if (dladdr((void *)(uintptr_t)host_is_library_code, &info) == 0)
        return;
    const struct mach_header_64 *header = info.dli_fbase;
    if (header->filetype == MH_EXECUTE)
        return; /* we are part of the program itself */
    const struct load_command *command = (const struct load_command *)(header + 1);
    uintptr_t                  slide = 0;
    for (uint32_t i = 0; i < header->ncmds; i++, command = (const struct load_command *)((const char *)command + command->cmdsize)) {
        const struct segment_command_64 *segment = (const struct segment_command_64 *)command;
        if (command->cmd != LC_SEGMENT_64)
            continue;
        if (strcmp(segment->segname, SEG_TEXT) == 0) /* the first segment: it holds the header, so it tells where all were put */
            slide = (uintptr_t)header - segment->vmaddr;
        if ((segment->initprot & VM_PROT_EXECUTE) != 0)
            add_range(segment->vmaddr + slide, segment->vmsize);
    }
}
#else
static void collect_ranges(void) {}
#endif

bool host_is_library_code(uintptr_t pc)
{
    pthread_once(&ranges_once, collect_ranges);
    for (size_t i = 0; i < RANGE_COUNT; i++)
        if (pc >= ranges[i].start && pc < ranges[i].end)
            return true;
    return false;
}
