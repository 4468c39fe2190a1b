/*
 * host.h - everything the simulator asks of the operating system below it.
 * This is the only layer that knows Linux from macOS. It has no idea of frames, pools or IRQL: it hands out bytes of a
 * memory object, address space, faults, threads and time. Errors are negative errno values.
 *
 * Units   bytes everywhere; offsets, lengths and addresses are multiples of host_page_size().
 * Locks   none taken, unless said.
 */
#ifndef NTMM_HOST_HOST_H
#define NTMM_HOST_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NTMM_LIKELY(x) __builtin_expect(!!(x), 1)
#define NTMM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NTMM_COLD __attribute__((noinline, cold))
#define NTMM_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A broken invariant of our own is never the driver's fault: say where, then abort. Checked in every build: it stands on slow paths. */
#define NTMM_INVARIANT(cond, what) ((cond) ? (void)0 : host_invariant_failed(__FILE__, __LINE__, #cond, what))
_Noreturn void host_invariant_failed(const char *file, int line, const char *condition, const char *what);

/* ---- memory (memory_posix.c) ---- */

typedef struct host_object { /* one shared memory object; its bytes are zero until written */
    int      fd;             /* -1: none */
    uint64_t bytes;
} host_object_t;

enum host_object_kind { HOST_OBJECT_BEST, HOST_OBJECT_SHM }; /* memfd where there is one; or shm_open, the portable way */

enum host_access { HOST_NONE = 0, HOST_READ = 1, HOST_WRITE = 2, HOST_EXECUTE = 4 };

size_t host_page_size(void);
int    host_object_create(host_object_t *object, uint64_t bytes, enum host_object_kind kind);
void   host_object_close(host_object_t *object);
int host_object_discard(host_object_t *object, uint64_t offset, uint64_t bytes); /* the bytes read as zero, the host has its memory back */

void *host_reserve(size_t bytes);                       /* address space that faults when touched; NULL: none left */
void *host_reserve_aligned(size_t bytes, size_t align); /* the same at a multiple of align, a power of two of host pages */
void *host_reserve_at(void *hint, size_t bytes);        /* the same near a hint, or NULL when it would land elsewhere */
void  host_release(void *address, size_t bytes);
int   host_map_object(void *at, const host_object_t *object, uint64_t offset, size_t bytes, unsigned access); /* over a reservation */
int   host_map_private(void *at, size_t bytes); /* zero bytes of this process alone, that can be read and written, over whatever is there */
int   host_unmap(void *at, size_t bytes);       /* back to a bare reservation */
int   host_protect(void *at, size_t bytes, unsigned access);
void  host_expect_writes(void *at, size_t bytes); /* a hint: mapped pages will be written soon, and may come in one go. Their bytes stay */
/* A page that the host's page tables map by one entry. Address and offset in the object must be multiples of it, and where they are alike modulo
 * HOST_LARGE_PAGE_MOST they can be. */
#define HOST_LARGE_PAGE_MOST (2u << 20)
size_t   host_large_page_bytes(void);                   /* 0: there is none up to that size, or the host does not let us have one */
bool     host_expect_writes_large(void *page);          /* host_expect_writes for such a page; false: it stays as it is */
void    *host_tables(size_t bytes);                     /* private zero bytes that cost nothing until touched; NULL: no memory */
int      host_tables_clear(void *tables, size_t bytes); /* zero again, memory given back */
uint64_t host_resident_bytes(void);                     /* of this process, shared pages included; 0 if the host does not tell */
size_t   host_mapping_limit(void);                      /* how many separate mappings a process may have */

/* ---- files (file_posix.c); by the caller's lock. The first kind has no name ---- */

typedef struct host_file {
    int fd; /* -1: none */
} host_file_t;
int  host_file_create(host_file_t *file); /* empty; grows as it is written */
void host_file_close(host_file_t *file);
int  host_file_forget_bytes(host_file_t *file); /* empty again: the disk has its space back */
int  host_file_write(const host_file_t *file, uint64_t offset, const void *from, size_t bytes); /* all of them, or an error */
int  host_file_read(const host_file_t *file, uint64_t offset, void *to, size_t bytes);          /* likewise; -EIO: it ends before */

/* A file of the person's, by name. */
typedef struct host_file_identity {
    uint64_t device, number; /* the same for all names and descriptors of one file */
    uint64_t bytes;
    bool     is_regular; /* bytes that can be read anywhere; not a folder or a pipe */
} host_file_identity_t;
int host_file_open(host_file_t *file, const char *path, bool writable); /* one that is there */
/* The same, made or emptied first; removed. */
#define HOST_FILE_WRITE 1u
#define HOST_FILE_CREATE 2u
#define HOST_FILE_NEW 4u /* with HOST_FILE_CREATE: -EEXIST, there is one */
#define HOST_FILE_EMPTY 8u
int  host_file_open_as(host_file_t *file, const char *path, unsigned how);
bool host_file_is_there(const char *path);
int  host_file_remove(const char *path);
int  host_file_duplicate(const host_file_t *file, host_file_t *twin); /* the same file, another descriptor */
int  host_file_identify(const host_file_t *file, host_file_identity_t *out);
int  host_file_set_size(const host_file_t *file, uint64_t bytes);
bool host_file_is_locked(const host_file_t *file); /* somebody else holds an exclusive lock of it, by flock() */

/* ---- faults (fault_posix.c) ---- */

/* How a fault is described to the machine. Filled from the signal frame; valid during the handler only. */
typedef struct host_fault {
    uintptr_t address;                            /* what was touched */
    uintptr_t pc;                                 /* the instruction that did it */
    uintptr_t sp;                                 /* the stack pointer of the interrupted code */
    uint8_t   write, execute, non_canonical, bus; /* bus: it came as SIGBUS */
    uint8_t   by_key;                             /* the thread's protection key was closed, whatever else is wrong */
    uint8_t   division;                           /* none of these: an integer was divided by zero, or the quotient is too large */
    void     *context;                            /* ucontext_t of the host */
} host_fault_t;

typedef enum host_fault_verdict {
    HOST_FAULT_RESOLVED, /* the instruction may run again */
    HOST_FAULT_NOT_OURS, /* to whoever had the signal before */
    HOST_FAULT_REDIRECT  /* leave the handler into ordinary code: see host_fault_redirect */
} host_fault_verdict_t;

typedef host_fault_verdict_t (*host_fault_handler_t)(host_fault_t *fault);

/* Own SIGSEGV, SIGBUS and SIGFPE until host_faults_stop. From then on other code's signal() and sigaction() for them are kept
 * as the chained handler and never installed; host_faults_stop installs the last of them (or what was there before). */
int  host_faults_start(host_fault_handler_t handler);
void host_faults_stop(void);
void host_faults_rearm(void); /* install ours again where interposition cannot reach */
bool host_faults_armed(void);
/* From a handler that will return HOST_FAULT_REDIRECT: the interrupted thread continues in target(argument), on its own stack below the
 * red zone (or on stack_top when not NULL), outside the signal handler, the signal mask as it was. target must not return. */
void host_fault_redirect(host_fault_t *fault, void (*target)(void *), void *argument, void *stack_top);
/* The same, and what was interrupted is kept: target(kept) may end in host_interrupted_go_on(kept, ...). Only in a thread that has an alternate
 * stack; `kept` and everything above it are on the thread's own stack for as long as target has not left. */
typedef struct host_interrupted host_interrupted_t;
typedef struct host_registers {
    uint64_t general[31]; /* x86-64: rax rcx rdx rbx rsp rbp rsi rdi r8-r15; AArch64: x0-x30 */
    uint64_t pc, sp;      /* sp is general[4] once more on x86-64 */
    uint64_t flags;       /* rflags, pstate */
} host_registers_t;
void           host_fault_registers(const host_fault_t *fault, host_registers_t *registers);
void           host_fault_redirect_resumable(host_fault_t *fault, void (*target)(void *));
void           host_interrupted_registers(host_interrupted_t *kept, host_registers_t *registers);
_Noreturn void host_interrupted_go_on(host_interrupted_t *kept, const host_registers_t *registers);
/* Each thread that may fault on an overflown stack needs an alternate one. Idempotent, 120 ns. */
void host_thread_faults_prepare(void);
/* Copies without ever faulting: the number of bytes copied before the first one that could not be read or written. Async-signal-safe reads. */
size_t host_copy_safely(void *to, const void *from, size_t bytes);
/* One word that may be gone, without a system call (peek.c). `there` is 0, and no fault was taken, when the machine's fault handler, asked by
 * host_peek_resume, says so; without a handler it faults like any load. */
typedef struct host_peeked { /* comes back in two registers */
    uintptr_t value, there;
} host_peeked_t;
host_peeked_t host_peek_word(const void *from);
bool          host_peek_resume(host_fault_t *fault); /* for a handler: it was such a load, which now returns; HOST_FAULT_RESOLVED */
/* true when pc lies in the library's own code. In a static library this cannot be told from the program: false. */
bool host_is_library_code(uintptr_t pc);

/* ---- threads, waiting, fences (thread_posix.c) ---- */

/* How a hot thread-local pointer is declared: reached without a call where the loader lets a shared library do that.
 * -DNTMM_TLS_DEFAULT gives it up, for a libntmm that is opened late by dlopen(). */
#if defined(__APPLE__) || defined(NTMM_TLS_DEFAULT)
#define HOST_THREAD_LOCAL _Thread_local
#else
#define HOST_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) _Thread_local
#endif

typedef struct host_thread host_thread_t;
int                        host_thread_start(host_thread_t **out, void (*entry)(void *), void *argument);
void                       host_thread_join(host_thread_t *thread);
uint64_t                   host_thread_id(void);                /* as gdb and perf show it */
_Noreturn void             host_thread_exit(void);              /* end the calling thread here; not the first one */
bool                       host_thread_is_first(void);          /* the thread that the process began with */
int  host_at_thread_exit(void (*hook)(void *), void *argument); /* for the calling thread, at most once; NULL argument cancels;
                                                                       one function for all threads, a second one: -EBUSY */
void host_at_fork_child(void (*hook)(void));                    /* at most one hook */

void host_pause(void); /* a spin-wait hint */
void host_yield(void);
void host_sleep_ns(uint64_t ns);
/* Sleep while *word == expected, at most timeout_ns (0: no limit); spurious wake-ups happen. */
void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
void host_wake(_Atomic uint32_t *word, bool all);

/* Zero bytes of the calling thread's own, at most one piece a thread; NULL: none left. When the thread ends they go, after forget() has been
 * called there: the same function for all threads. */
#define HOST_THREAD_MEMORY (160u << 10)
void *host_thread_memory(void (*forget)(void));

/* Asymmetric fence: host_fence_light() between a store and a load on the fast side costs nothing where the host has membarrier,
 * because host_fence_heavy() on the rare side makes every thread of the process execute a full fence. */
int                     host_fences_start(void); /* once; decides which kind */
void                    host_fence_heavy(void);
extern bool             host_fence_is_free; /* true: host_fence_light is a compiler barrier only */
extern _Atomic uint32_t host_fence_word;
static inline void      host_fence_light(void)
{
    if (NTMM_LIKELY(host_fence_is_free))
        atomic_signal_fence(memory_order_seq_cst);
    else
#ifdef __SANITIZE_THREAD__ /* GCC's understands no fences, but this */
        atomic_fetch_add(&host_fence_word, 0);
#else
        atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* ---- time ---- */
uint64_t host_clock_ns(void);   /* monotonic */
uint64_t host_wall_100ns(void); /* since 1601, as Windows counts */

/* ---- text ---- */
size_t host_backtrace(void **frames, size_t count); /* return addresses, innermost first */
/* The calls that are under way, innermost first, as far as the unwind tables lead: `visit` returns false to end the walk. sp: the function's stack
 * pointer at the call that is under way, so that its frame lies between this sp and the next. */
void host_walk_calls(bool (*visit)(uintptr_t pc, uintptr_t sp, void *context), void *context);
void host_describe_address(uintptr_t pc, char *text, size_t bytes); /* "function+0x12 (file)" as far as known */

/* "ring.c:30" for each of the addresses, or "": the host's addr2line is asked (source_line.c), which takes milliseconds. Allocates nothing.
 * Of two callers at once one gets no answer. */
#define HOST_SOURCE_LINES 48u /* at most so many */
typedef struct host_source_line {
    char text[64];
} host_source_line_t;
void host_source_lines(const uintptr_t *pcs, size_t count, host_source_line_t *lines);

void host_tell(const char *text); /* to stderr; async-signal-safe */

#endif
