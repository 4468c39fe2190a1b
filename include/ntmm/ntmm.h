/*
 * ntmm.h - the control API: boot the machine, watch it, break it on purpose, shut it down.
 * A driver never includes this; its test does. Names are snake_case with the prefix ntmm_; the driver's own API is in ntddk.h.
 *
 * There is one machine per process. Everything here may be called from any thread, unless said otherwise.
 */
#ifndef NTMM_NTMM_H
#define NTMM_NTMM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ntddk.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- configuration ---- */

typedef struct ntmm_ram_range {
    uint64_t base, length; /* bytes, page aligned */
} ntmm_ram_range;

enum ntmm_pool_model { NTMM_POOL_CLASSIC, NTMM_POOL_SEGMENT };
/** How pages of pageable memory are opened and closed; BEST is userfaultfd where the host permits it, mprotect elsewhere. */
enum ntmm_page_gate { NTMM_GATE_BEST, NTMM_GATE_USERFAULTFD, NTMM_GATE_MPROTECT };
/** Which page leaves the working set when frames are short: that which waited longest since it was touched, the oldest, or any, by the seed. */
enum ntmm_page_replacement { NTMM_REPLACE_CLOCK, NTMM_REPLACE_FIFO, NTMM_REPLACE_RANDOM };
enum ntmm_run_policy { NTMM_RUNS_INDEXED, NTMM_RUNS_LINEAR, NTMM_RUNS_BUDDY };

#define NTMM_VERIFY_SPECIAL_POOL 0x1u
#define NTMM_VERIFY_FORCE_IRQL 0x2u
#define NTMM_VERIFY_LOW_RESOURCES 0x4u
#define NTMM_VERIFY_POOL_TRACKING 0x8u
#define NTMM_VERIFY_IO 0x10u
#define NTMM_VERIFY_DEADLOCK 0x20u
#define NTMM_VERIFY_DMA 0x80u
#define NTMM_VERIFY_MISC 0x800u

/** What machine to build. A zeroed config means defaults in every field. */
typedef struct ntmm_config {
    uint64_t              physical_memory; /* bytes; 0 = 64 MiB, laid out with holes: some below 1 MiB, 16 MiB and 4 GiB, some above */
    const ntmm_ram_range *ram;             /* or an explicit map, in any order, not overlapping */
    size_t                ram_ranges;
    bool                  unbacked_ram;        /* frames without memory: PFN and contiguous experiments only; up to 1 TiB of them */
    uint32_t              processors;          /* 0 = 4; at most 64 */
    uint32_t              numa_nodes;          /* 0 = 1; at most 64; frames and processors are dealt out evenly, in order */
    uint64_t              nonpaged_pool_limit; /* bytes; 0 = 75 % of RAM */
    uint64_t              paged_pool_limit;    /* bytes; 0 = RAM and page file */
    uint64_t              page_file_size; /* bytes; 0 = as much as RAM. A file without a name in TMPDIR or /tmp, made when first needed */
    enum ntmm_pool_model  pool_model;
    enum ntmm_run_policy  run_policy;
    uint32_t              verifier;        /* NTMM_VERIFY_*: all but _POOL_TRACKING and _IO are built; those are -ENOTSUP */
    uint32_t              windows_version; /* NTDDI value, 0 = newest */
    uint64_t              seed;
    bool                  no_magazines;      /* pools work on their free lists alone, as with the lookaside lists off */
    bool                  classic_lookaside; /* pools have the lookaside lists and deferred frees of the classic pool, not magazines */
    bool                  no_memory_tools;   /* AddressSanitizer and Valgrind are not told which bytes of the pools are free. The same
                                                without a new build: NTMM_MEMORY_TOOLS=off in the environment */
    bool                  server;            /* MmIsThisAnNtAsSystem answers TRUE */
    uint32_t              stack_traces; /* so many allocations of pool, and as many frees, are remembered with the calls that led there,
                                                for stop reports and leaks: about 20 us each. 0 = none.
                                                NTMM_STACK_TRACES=on in the environment: all of them */
    bool                  quiet; /* stop reports are kept for ntmm_stop_report(), and printed only when the process dies of the stop */
    bool                  portable_memory; /* use shm_open even where there is memfd */
    bool track_locked_pages; /* the registry value TrackLockedPages: locked pages have a record for each MDL, so that a process
                                                 that leaves some behind is 0xCB with the MDL, and an MDL locked twice 0xD9 */

    /* Tags of large allocations that the big-page table has room for: at least 64, a power of two, at most 65536. Whatever finds it full goes
     * on under the tag `BIG `. 0 = it never fills. */
    uint32_t                   big_page_table_entries;
    enum ntmm_page_gate        page_gate; /* the same without a new build: NTMM_PAGE_GATE=userfaultfd or mprotect in the environment */
    enum ntmm_page_replacement page_replacement;

    bool no_protection_keys; /* NTMM_VERIFY_FORCE_IRQL does without the host's protection keys. The same without a new build:
                              * NTMM_PROTECTION_KEYS=off in the environment */

    bool stopped_clock; /* time stands still, but for ntmm_time_advance: see there */

    /* Driver Verifier's options, each with its flag. */
    bool     special_pool_start;  /* blocks begin their page: underruns are found at once, and not overruns */
    uint32_t special_pool_tag;    /* blocks of that tag only; 0 = all */
    uint32_t low_resources_share; /* of 10,000 requests so many fail, by `seed`; 0 = 600 */
    uint64_t low_resources_after; /* so many are spared first */
} ntmm_config;

/* ---- life of the machine ---- */

/**
 * Build the machine.
 *
 * @param config  NULL for all defaults
 * @return 0; -EBUSY when one is up; -EINVAL for a config that makes no sense; -ENOTSUP for a feature that is not built yet or a host whose
 *         pages are larger than PAGE_SIZE; -ENOMEM. The reason is in ntmm_error().
 */
NTMM_PUBLIC int ntmm_boot(const ntmm_config *config);

/** One allocation that was still held at shutdown. */
typedef struct ntmm_leak {
    void     *address;
    size_t    bytes; /* what the block can hold, at least what was asked for */
    uint32_t  tag;
    POOL_TYPE type;
    char      note[72]; /* of an object of the driver framework: what it is, and whose child; else empty */
} ntmm_leak;
typedef struct ntmm_report {
    size_t    leak_count; /* all of them; the first 64 are listed */
    ntmm_leak leaks[64];
} ntmm_report;

/**
 * Tear the machine down and free everything. Every other thread must be outside the library.
 *
 * @param report  NULL, or filled with what was leaked, by address
 * @return number of leaked allocations; SIZE_MAX, with the reason in ntmm_error() and the machine still up, when another thread is inside
 */
NTMM_PUBLIC size_t ntmm_shutdown(ntmm_report *report);

/** Why the calling thread's last refused call failed, for a person; never NULL. */
NTMM_PUBLIC const char *ntmm_error(void);

/* ---- bug checks ---- */

typedef struct ntmm_bugcheck {
    uint32_t  code;
    uintptr_t parameter[4];
    uint8_t   irql; /* at the moment of the stop */
} ntmm_bugcheck;

/**
 * Run body; if it stops the machine, come back here.
 *
 * @param out  NULL, or filled with code and parameters
 * @return true: body bug checked, the machine is halted: inspect it, shut it down. Driver calls on it are refused with a sentence.
 */
NTMM_PUBLIC bool ntmm_catch_bugcheck(void (*body)(void *), void *context, ntmm_bugcheck *out);

/** "BAD_POOL_CALLER" for 0xC2; "UNKNOWN" for a code that no list has. */
NTMM_PUBLIC const char *ntmm_bugcheck_name(uint32_t code);

/** A bug check has halted the machine; until it is shut down it can be inspected. @irql any */
NTMM_PUBLIC bool ntmm_is_halted(void);

/**
 * The text of the last stop report since boot, "" if there was none.
 * Who reads it sees files and lines, too, where the host has addr2line and the code was built with -g; to find them takes some milliseconds.
 */
NTMM_PUBLIC const char *ntmm_stop_report(void);

/**
 * Who allocated what begins at `address`, and who freed it, as indented lines of text for a person. The machine was booted with stack_traces; it
 * may be halted or shut down, until the next boot.
 *
 * @param bytes of `text`; lines that do not fit are left out. With 1 this only tells whether something is known, which costs next to nothing
 * @return false, and "" as the text: nothing is known of it
 */
NTMM_PUBLIC bool ntmm_describe_allocation(const void *address, char *text, size_t bytes);

/**
 * Who is told of a stop on a thread that is in no ntmm_catch_bugcheck. It outlives the machine.
 *
 * @param handler  runs on that thread, when the report is complete and the machine halted; it may leave by longjmp(), as the failing assertion of
 *                 a test framework does. When it returns the process aborts, as it does without one. NULL: nobody is told
 */
NTMM_PUBLIC void ntmm_on_uncaught_stop(void (*handler)(const ntmm_bugcheck *stop));

/* The pieces of ntmm_catch_bugcheck, for macros (ntmm/cmocka.h) that guard an expression in place:
 *     ntmm_catch_frame f;  if (sigsetjmp(*ntmm_catch_push(&f), 0) == 0) { expression; ntmm_catch_pop(&f); }  if (f.caught) f.stop says why */
typedef struct ntmm_catch_frame {
    sigjmp_buf               context;
    struct ntmm_catch_frame *outer;
    uintptr_t                stack;      /* address of the frame: tells stale frames from live ones */
    uint32_t                 generation; /* of the machine */
    uint16_t                 halted;     /* the machine had halted already when the frame was pushed */
    uint16_t                 caught; /* not zero: `stop` says why; also set by the pop when a thread without a catch stopped the machine */
    ntmm_bugcheck            stop;
} ntmm_catch_frame;
NTMM_PUBLIC sigjmp_buf *ntmm_catch_push(ntmm_catch_frame *frame);
NTMM_PUBLIC void        ntmm_catch_pop(ntmm_catch_frame *frame); /* and every frame inside it; NULL: all frames of the calling thread */

/** Take SIGSEGV, SIGBUS and SIGFPE back where interposing signal() cannot reach (static linking, macOS). ntmm/cmocka.h calls it. */
NTMM_PUBLIC void ntmm_rearm_faults(void);

/* ---- kernel stacks ---- */

/**
 * Run body on a kernel stack: 24 KiB (KERNEL_STACK_SIZE, whole pages) with pages below that fault, and then the machine stops with 0x7F, as on
 * Windows. __try, catches of bug checks and a test framework's longjmp() work across. A process that a sanitizer watches has larger frames, and
 * gets eight times as much. Neither ntmm_shutdown nor fork() may be called from body.
 *
 * @return false, with the reason in ntmm_error(): no stack could be had, and body has not run
 */
NTMM_PUBLIC bool ntmm_on_kernel_stack(void (*body)(void *), void *context);

/* ---- failure injection ---- */

/** The nth allocation from now fails once; 0 = off. An allocation is any call of a driver routine that can fail for want of memory. */
NTMM_PUBLIC void ntmm_fail_allocation(uint64_t nth);
/** Has the failure happened that was armed last? */
NTMM_PUBLIC bool ntmm_allocation_failed(void);
/** Runs body failing its 1st, 2nd, ... allocation until one run has no failure. @return runs made */
NTMM_PUBLIC size_t ntmm_for_each_failure(void (*body)(void *), void *context);

/* ---- watching ---- */

/** allocs and frees count since boot; the rest is now: bytes of live blocks with header and rounding, bytes that were asked for, pages held. */
typedef struct ntmm_pool_usage {
    uint64_t allocs, frees, bytes_in_use, bytes_requested, pages;
} ntmm_pool_usage;
NTMM_PUBLIC void ntmm_query_pool(POOL_TYPE base_type, ntmm_pool_usage *out);
/** @return false: tag never used */
NTMM_PUBLIC bool ntmm_query_tag(uint32_t tag, POOL_TYPE base_type, ntmm_pool_usage *out);

/**
 * What !poolused shows: every tag that fits a pattern, in the order of its characters, with what ntmm_query_tag says of it.
 *
 * @param pattern  `*` stands for any number of characters, `?` for one; four characters unless there is a `*`; upper and lower case differ
 * @param visit    called for a tag's nonpaged pool (NonPagedPool: both kinds), then for its paged pool (PagedPool), if it was ever used there;
 *                 with no lock held, so that it may call anything
 * @return         calls of visit; 0, with the reason in ntmm_error(), when that is no pattern
 */
NTMM_PUBLIC size_t ntmm_query_tags(const char *pattern,
                                   void (*visit)(void *context, uint32_t tag, POOL_TYPE base_type, const ntmm_pool_usage *usage),
                                   void *context);

typedef struct ntmm_memory_usage {
    uint64_t total, zeroed, free, standby, modified, bad, active, largest_free_run; /* pages */
    uint64_t commit_limit, committed; /* pages: RAM and page file; what pools, contiguous and noncached memory hold */
} ntmm_memory_usage;
NTMM_PUBLIC void ntmm_query_memory(ntmm_memory_usage *out);

/** Page faults since boot. `soft`: the page was still in RAM, on the standby or modified list; `hard`: it was read from the page file;
 *  `demand_zero`: it was touched for the first time. Each fault counts once, however many pages came with it. */
typedef struct ntmm_fault_counts {
    uint64_t soft, hard, demand_zero, copy_on_write, access_violations;
} ntmm_fault_counts;
NTMM_PUBLIC void ntmm_query_faults(ntmm_fault_counts *out);

/** What NTMM_VERIFY_FORCE_IRQL has done since boot: raises from below DISPATCH_LEVEL, at each of which all pageable pages are closed but those
 *  that are locked; how many pages that were; and how many of them are open to the raised threads as well, until the next raise, since others have
 *  touched them below DISPATCH_LEVEL. `by_key`: the host's protection keys tell threads apart, so that only pages of code are given back so. */
typedef struct ntmm_force_irql_counts {
    uint64_t raises, closed, given_back;
    bool     by_key;
} ntmm_force_irql_counts;
NTMM_PUBLIC void ntmm_query_force_irql(ntmm_force_irql_counts *out);

/** Every pageable page leaves the working set; soft faults bring it back. @return pages trimmed */
NTMM_PUBLIC size_t ntmm_trim_pageable(void);
/** The same, then all of them are written to the page file and give up their frames; hard faults bring them back. @return pages put out */
NTMM_PUBLIC size_t ntmm_page_out(void);

/** Verifies every invariant of every structure; every other thread must be outside the library, or asleep in a wait for an event.
 *  @return false, with the first broken one in ntmm_error() */
NTMM_PUBLIC bool ntmm_check(void);

/**
 * Housekeeping, now: what the balance set manager does once a second on Windows, and this machine after every 1,024 allocations that a thread makes
 * from lookaside lists. Each active lookaside list gets a new Depth. IRQL <= APC_LEVEL; above it is refused, with the reason in ntmm_error().
 */
NTMM_PUBLIC void ntmm_balance_scan(void);

/**
 * Where DbgPrint and its like go. Set it while nobody prints; it outlives the machine.
 *
 * @param print  called with each message that its component's filter lets through, on the driver's thread at the driver's IRQL, with no lock
 *               held; text ends with a null, which is not counted in bytes. NULL: they go to stderr, as at first
 */
typedef void (*ntmm_debug_sink)(void *context, uint32_t component, uint32_t level, const char *text, size_t bytes);
NTMM_PUBLIC void ntmm_debug_output(ntmm_debug_sink print, void *context);
/** Which messages of a component get through: bit n is level n; all of them at first. @return false: no such component, 255 is the last */
NTMM_PUBLIC bool ntmm_debug_filter(uint32_t component, uint32_t levels);

/* ---- time ---- */

/**
 * Let time pass on a machine with config.stopped_clock. What is due on the way happens in order, each at its own time: timers expire, and their
 * DPCs have run on return; threads whose delay or timeout ends go on, and those of the machine are given a moment to come to rest before time
 * goes on. Such a clock begins at 1 January 2024, 0:00 UTC, with an interrupt time of 0, and is moved by three things only: this;
 * KeStallExecutionProcessor; and a wait when all threads that the machine knows wait: time then leaps to what is due next, so that a driver's
 * delays and timeouts cost nothing. (A thread of the test that has made no call yet is not known.)
 *
 * @param units  100 ns
 * @return 0; -EINVAL: the clock is the host's, or IRQL above DISPATCH_LEVEL; -ENODEV when no machine is up. The reason is in ntmm_error()
 */
NTMM_PUBLIC int ntmm_time_advance(uint64_t units);
/** How far off the next timer, end of a delay or timeout is, in 100 ns. @return UINT64_MAX: there is none, or the clock is the host's */
NTMM_PUBLIC uint64_t ntmm_time_until_due(void);
/**
 * Play a defective performance counter: from now on KeQueryPerformanceCounter counts from so much further on. All other clocks are right still.
 * With NTMM_VERIFY_DMA the next query stops the machine: 0xE6/0x01 when the counter is less than it was at the query before, 0xE6/0x02 when it
 * is a second further ahead of the clock. Without, drivers see what it says.
 *
 * @param units  100 ns; below 0: back. What it jumps by in several calls adds up; ntmm_boot repairs it
 * @return 0; -ENODEV when no machine is up
 */
NTMM_PUBLIC int ntmm_performance_counter_jump(int64_t units);

/** A pool tag from four characters, first character first in memory: NTMM_TAG("Tag1"). */
#define NTMM_TAG(s) \
    ((ULONG)((uint32_t)(unsigned char)(s)[0] | (uint32_t)(unsigned char)(s)[1] << 8 | (uint32_t)(unsigned char)(s)[2] << 16 | \
             (uint32_t)(unsigned char)(s)[3] << 24))

/* ---- processes ---- */

/** A process: an address space, and who is charged when pool is allocated with quota. PsGetCurrentProcess() names it to a driver. */
typedef struct ntmm_process ntmm_process;
/** @return NULL, with the reason in ntmm_error(), when no machine is up or there are 4,095 of them */
NTMM_PUBLIC ntmm_process *ntmm_process_create(void);
/** The process ends. Its object lives on while a thread is attached or a block of pool is charged to it, its memory while a thread is attached.
 *  NULL: nothing happens. A page of it that is still locked is bug check PROCESS_HAS_LOCKED_PAGES (0x76): p1 0, p2 the process, p3 how many
 *  pages are locked, p4 0. */
NTMM_PUBLIC void ntmm_process_destroy(ntmm_process *process);
/** Say that the process has loaded an image (NULL: that a driver's was loaded): drivers hear of it that registered a load-image notify routine.
 *  @param name ASCII, at most 260 characters @return 0, -ENODEV, -EINVAL (no process), -ENAMETOOLONG */
NTMM_PUBLIC int ntmm_image_load(ntmm_process *process, const char *name, const void *base, size_t bytes);
/** The calling thread runs in it from now on; NULL: back in the System process, where every thread begins. Drivers that hear of threads are told
 *  that it ends in the process it leaves, and is new in the one it comes to. */
NTMM_PUBLIC void ntmm_process_attach(ntmm_process *process);

/**
 * Memory of a process, as an application gets it from VirtualAlloc: committed, zero, and pageable. With NTMM_VERIFY_FORCE_IRQL it is there for
 * threads that run in the process (ntmm_process_attach), and for no others.
 *
 * @param bytes    rounded up to whole pages
 * @param protect  PAGE_READWRITE, PAGE_READONLY, PAGE_NOACCESS ..., perhaps with PAGE_GUARD
 * @return         page aligned; NULL, with the reason in ntmm_error(). What is left when the process ends is no leak
 */
NTMM_PUBLIC void *ntmm_user_alloc(ntmm_process *process, size_t bytes, uint32_t protect);
/** All of what begins there, whoever allocated it. NULL: nothing happens. Secured memory stays, with the reason in ntmm_error(). */
NTMM_PUBLIC void ntmm_user_free(ntmm_process *process, void *address);

/** Pages of a process: reserved and not committed; committed; of these there and mapped for it; of these locked, by MDLs for example. */
typedef struct ntmm_process_memory {
    uint64_t reserved, committed, working_set, locked;
} ntmm_process_memory;
NTMM_PUBLIC void ntmm_query_process_memory(ntmm_process *process, ntmm_process_memory *out);

/** Bytes of pool charged to a process, with header and rounding, and the limits; a limit of 0: the system decides, which is no limit here. */
typedef struct ntmm_quota_usage {
    uint64_t nonpaged_bytes, paged_bytes, nonpaged_limit, paged_limit;
} ntmm_quota_usage;
/** Limits as the registry has them (NonPagedPoolQuota, PagedPoolQuota), but in bytes and for one process; 0: the system decides. What is
 *  charged already stays charged. */
NTMM_PUBLIC void ntmm_process_set_quota(ntmm_process *process, uint64_t nonpaged_bytes, uint64_t paged_bytes);
NTMM_PUBLIC void ntmm_process_query_quota(ntmm_process *process, ntmm_quota_usage *out);

/* ---- files that a test has ---- */

/**
 * Open a file of the host for the driver under test: a kernel handle of a FILE_OBJECT, for ZwCreateSection and, by way of
 * ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, ...), for routines that take the file object or its SectionObjectPointer. ZwClose
 * closes it. All file objects of one file share its sections, by whichever name it was opened. There is no file system: nothing but sections
 * reads or writes the file.
 *
 * @param path      of a file that there is
 * @param writable  sections over it may be written
 * @return  0; -EINVAL no machine is up or IRQL above PASSIVE_LEVEL, -ENOMEM, or why the host does not open it; *handle is NULL then
 */
NTMM_PUBLIC int ntmm_file_open(const char *path, bool writable, HANDLE *handle);
/** Lend a folder of the host to ZwCreateFile and its like: what a driver opens below `name`, as in \??\C: or \SystemRoot, is in that folder.
 *  Backslashes become slashes; names are as the host has them. @return 0, -EINVAL, -ENOMEM, -ENODEV */
NTMM_PUBLIC int ntmm_files_mount(const char *name, const char *folder);

/* ---- hardware that a test plays ---- */

/** A device interrupt: the connected routine runs at its DIRQL on the calling thread, holding the interrupt spin lock.
 *  @return what the service routine returned; false when the interrupt is masked by the caller's IRQL (then it stays pending until that drops below). */
NTMM_PUBLIC bool ntmm_fire_interrupt(PKINTERRUPT interrupt);
/** The same for whoever is connected to a vector, without a look into the driver: the one that ntmm_pnp_start() gave the device. Several that share it
 *  are called in the order in which they connected: a level-sensitive one until the first claims it, a latched one all of them.
 *  @return one of them claimed it; false, too, when nobody is connected (see ntmm_error()) or it is masked. IRQL any */
NTMM_PUBLIC bool ntmm_fire_vector(uint32_t vector);

/** Mark frames bad: free ones leave their list for good. @return pages marked */
NTMM_PUBLIC size_t ntmm_mark_bad(uint64_t physical, size_t bytes);

/**
 * What stands behind a range of addresses that is no memory: a test's model of a device. A driver's access to a register or a port calls it
 * on the driver's thread, at the driver's IRQL, with no lock of the machine held, so that it may do what code may do at that IRQL. Two
 * threads that access one device call it at once.
 */
typedef struct ntmm_io_ops {
    /** @param offset  from where the range begins, in bytes  @param bytes  1, 2, 4 or 8  @return the value; what goes beyond `bytes` is cut
     *  NULL: every read gives ones, as when nothing answers on the bus */
    uint64_t (*read)(void *context, uint64_t offset, unsigned bytes);
    /** NULL: writes are lost */
    void (*write)(void *context, uint64_t offset, unsigned bytes, uint64_t value);
} ntmm_io_ops;

/**
 * A window of I/O space: device memory, or registers that are plain memory. MmMapIoSpace maps it, and the bytes keep what is written there.
 * Windows belong to this boot of the machine, and go with it.
 *
 * @param physical  first byte; neither this nor the end need be on a page boundary
 * @param bytes     that no RAM and no other window has; at most 256 windows
 * @return 0; -EINVAL for a range that makes no sense or is taken; -ENOSPC; -ENOMEM; -ENOTSUP on a machine without memory; -EBUSY when the
 *         page is mapped as something else; -ENODEV when no machine is up. The reason is in ntmm_error()
 */
NTMM_PUBLIC int ntmm_io_space_add(uint64_t physical, size_t bytes);
/**
 * A window of registers that the test plays. READ_REGISTER_ULONG and its like call `ops`; a plain load or store through the pointer that
 * MmMapIoSpace returned would work on hardware, but faults here: the sentence on stderr says so, and the process gets its SIGSEGV.
 *
 * @param ops      copied; not NULL
 * @param context  handed to ops
 */
NTMM_PUBLIC int ntmm_io_space_add_device(uint64_t physical, size_t bytes, const ntmm_io_ops *ops, void *context);
/** The byte at that physical address, and what follows it in its window, from the device's side, whoever has mapped it.
 *  @return NULL, with the reason in ntmm_error(), where there is no window, or one that is played by callbacks */
NTMM_PUBLIC void *ntmm_io_space_bytes(uint64_t physical);
/** @param physical  where the window begins  @return 0; -EINVAL when none does; -EBUSY while one of its pages is mapped; -ENODEV */
NTMM_PUBLIC int ntmm_io_space_remove(uint64_t physical);

/** Ports of the processor's I/O space, for READ_PORT_UCHAR and its like. @param count  ports, none of which may be taken: else -EINVAL
 *  @return 0 or a negative errno value, as for ntmm_io_space_add_device */
NTMM_PUBLIC int ntmm_io_port_add(uint16_t port, size_t count, const ntmm_io_ops *ops, void *context);
NTMM_PUBLIC int ntmm_io_port_remove(uint16_t port); /* where the range begins; -EINVAL when none does */

/**
 * A PCI function, which HalGetBusDataByOffset and HalSetBusDataByOffset find.
 *
 * @param bus   segment << 8 | bus number
 * @param slot  PCI_SLOT_NUMBER: device number | function number << 5
 * @param ops   its configuration space, 4,096 bytes; NULL: plain bytes, all zero until the test writes a vendor there
 * @return 0; -EINVAL for a place that does not exist or is taken; -ENOSPC beyond 256 functions; -ENOMEM; -ENODEV when no machine is up
 */
NTMM_PUBLIC int   ntmm_pci_add(uint32_t bus, uint32_t slot, const ntmm_io_ops *ops, void *context);
NTMM_PUBLIC void *ntmm_pci_bytes(uint32_t bus,
                                 uint32_t slot); /* the plain bytes; NULL, with the reason in ntmm_error(), when it has none */
NTMM_PUBLIC int   ntmm_pci_remove(uint32_t bus, uint32_t slot);

/* ---- devices that do DMA ---- */

/** The far side of the bus: a device, whose part the test plays. Devices belong to this boot of the machine, and go with it. */
typedef struct ntmm_device ntmm_device;
typedef struct ntmm_device_config {
    uint32_t address_bits;  /* of the addresses that it can say: 24, 32, 64; 0: 64 */
    uint32_t map_registers; /* its total, which all its transfers share, and the cap on what IoGetDmaAdapter returns; 0: as many as a driver
                               asks for, or, where transfers must be bounced, as memory allows */
    bool     scatter_gather; /* it takes lists of pieces; false: every transfer is one piece to it, whatever its driver says */
    uint32_t
         dma_alignment; /* what GetDmaAlignment says: a power of two up to PAGE_SIZE; 0: 1. With NTMM_VERIFY_DMA transfers are held to it */
    bool iommu; /* one stands before it: it reaches what its driver has mapped, and nothing else; logical addresses are not physical */
} ntmm_device_config;
/** @param config  NULL: 64 bits, scatter/gather  @return NULL, with the reason in ntmm_error(): no machine, 1,024 devices, impossible bits or alignment */
NTMM_PUBLIC ntmm_device *ntmm_device_create(const ntmm_device_config *config);
/** Its physical device object, for AddDevice and IoGetDmaAdapter; valid until the device is destroyed and nobody refers to it any more. A
 *  bus driver of the machine stands behind it, and completes the PnP and power requests that reach the bottom of the stack. */
NTMM_PUBLIC PDEVICE_OBJECT ntmm_device_object(ntmm_device *device);
/**
 * The device reads memory; `logical` is an address as its driver got it from the DMA routines.
 *
 * @return 0; -EFAULT, with the reason in ntmm_error(): its width cannot say the address, nothing backs it (no RAM, no window of I/O space, a
 *         frame that nobody has), or, for a device that is no bus master, the system's DMA controller was not told to move those bytes;
 *         the bytes before are copied. -ENODEV when no machine is up
 */
NTMM_PUBLIC int ntmm_device_read(ntmm_device *device, uint64_t logical, void *to, size_t bytes);
/** The device writes to memory. */
NTMM_PUBLIC int ntmm_device_write(ntmm_device *device, uint64_t logical, const void *from, size_t bytes);
/** It sits in a slot of a PCI bus (ntmm_pci_add): its properties say so, and BUS_INTERFACE_STANDARD and IRP_MN_READ_CONFIG reach that slot.
 *  @return false: no such device */
NTMM_PUBLIC bool ntmm_device_place(ntmm_device *device, uint32_t bus, uint32_t slot);
/**
 * What IoGetDeviceProperty answers for a physical device object; texts with their nulls, as L"..." has them.
 *
 * @param data  copied @return 0, -ENOMEM, -ENODEV when no machine is up
 */
NTMM_PUBLIC int ntmm_device_set_property(PDEVICE_OBJECT device, DEVICE_REGISTRY_PROPERTY property, const void *data, size_t bytes);
/** It is gone from the bus; adapters that a driver still has go on working. NULL: nothing happens. */
NTMM_PUBLIC void ntmm_device_destroy(ntmm_device *device);

/* ---- drivers and their devices ---- */

/**
 * Make a DRIVER_OBJECT ready, whose dispatch routines all answer STATUS_INVALID_DEVICE_REQUEST, and call DriverEntry on this thread. A driver
 * that is not unloaded is a leak, tag `Driv`. Its INIT section, if on pages of its own, is gone until then (docs/fidelity.md).
 *
 * @param name  of the service, at most 64 characters: \Driver\name, \Registry\Machine\System\CurrentControlSet\Services\name; without one: Test
 * @return NULL, with the reason in ntmm_error(): no machine, no memory, or DriverEntry failed. IRQL PASSIVE_LEVEL
 */
NTMM_PUBLIC PDRIVER_OBJECT ntmm_driver_load(DRIVER_INITIALIZE *entry);
NTMM_PUBLIC PDRIVER_OBJECT ntmm_driver_load_as(const char *name, DRIVER_INITIALIZE *entry);
/** Call DriverUnload, and free the DRIVER_OBJECT.
 *  @return 0; -ENOTSUP: it has none, and stays; -EBUSY: it has left devices behind, and the object stays; -ENODEV when no machine is up */
NTMM_PUBLIC int ntmm_driver_unload(PDRIVER_OBJECT driver);
/**
 * Send a control request to the top of a device's stack, and wait until it is complete. The requester is kernel code: buffers are not probed.
 *
 * @param code         CTL_CODE(...), whose METHOD_ says where the buffers go
 * @param transferred  NULL, or filled with IoStatus.Information
 * @return             how the IRP was completed; STATUS_INSUFFICIENT_RESOURCES when none could be built. IRQL PASSIVE_LEVEL
 */
NTMM_PUBLIC NTSTATUS ntmm_request_control(PDEVICE_OBJECT device, uint32_t code, void *input, uint32_t input_bytes, void *output,
                                          uint32_t output_bytes, size_t *transferred);
/** The same for a read and a write; the device's Flags say where the buffer goes. */
NTMM_PUBLIC NTSTATUS ntmm_request_read(PDEVICE_OBJECT device, uint64_t offset, void *buffer, uint32_t bytes, size_t *transferred);
NTMM_PUBLIC NTSTATUS ntmm_request_write(PDEVICE_OBJECT device, uint64_t offset, const void *buffer, uint32_t bytes, size_t *transferred);

/**
 * A request that a test follows: what does the driver do with it while it has it, and what when it is cancelled?
 *
 *     ntmm_request *request = ntmm_request_begin(device, &(ntmm_request_config){ .function = IRP_MJ_READ, .output = bytes, .output_bytes = 8 });
 *     assert_true(ntmm_request_is_pending(request));
 *     ntmm_request_cancel(request);
 *     assert_int_equal(ntmm_request_end(request, NULL), STATUS_CANCELLED);
 */
typedef struct ntmm_request ntmm_request;
typedef struct ntmm_request_config {
    uint8_t      function, minor; /* IRP_MJ_READ ..., IRP_MN_... */
    uint32_t     code;            /* of IRP_MJ_DEVICE_CONTROL and its internal relative: CTL_CODE(...) */
    uint64_t     offset;          /* of reads and writes */
    void        *input;           /* of controls; what is written */
    uint32_t     input_bytes;
    void        *output; /* of controls; where to read to */
    uint32_t     output_bytes;
    PFILE_OBJECT file;      /* or NULL */
    bool         user_mode; /* the requester is a program (IRP.RequestorMode), on the calling thread */
} ntmm_request_config;
/** Send it to the top of a device's stack. @return NULL, with the reason in ntmm_error(). IRQL PASSIVE_LEVEL */
NTMM_PUBLIC ntmm_request *ntmm_request_begin(PDEVICE_OBJECT device, const ntmm_request_config *config);
/** It is not complete yet. IRQL <= DISPATCH_LEVEL */
NTMM_PUBLIC bool ntmm_request_is_pending(ntmm_request *request);
/** IoCancelIrp. @return true: a driver had a cancel routine for it. IRQL <= DISPATCH_LEVEL */
NTMM_PUBLIC bool ntmm_request_cancel(ntmm_request *request);
/** Its IRP, which is there until the end. */
NTMM_PUBLIC PIRP ntmm_request_irp(ntmm_request *request);
/** Wait until it is complete, and forget it. @param transferred NULL, or filled with IoStatus.Information
 *  @return how it was completed. IRQL PASSIVE_LEVEL */
NTMM_PUBLIC NTSTATUS ntmm_request_end(ntmm_request *request, size_t *transferred);

/* ---- Plug and Play: the test is the PnP manager ---- */

/** One resource of a device, as its CM_PARTIAL_RESOURCE_DESCRIPTOR has it. */
typedef struct ntmm_resource {
    uint8_t  type;   /* CmResourceTypePort, CmResourceTypeMemory, CmResourceTypeInterrupt ... */
    uint16_t flags;  /* CM_RESOURCE_* */
    uint64_t start;  /* first address; an interrupt's vector; a channel */
    uint64_t length; /* bytes; an interrupt's IRQL */
} ntmm_resource;

/** Call the driver's AddDevice. @return what that returned; STATUS_INVALID_DEVICE_REQUEST when there is none */
NTMM_PUBLIC NTSTATUS ntmm_pnp_add(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical);
/**
 * Send IRP_MN_START_DEVICE to the stack that a device is in. This and all that follow return how the request was completed. IRQL PASSIVE_LEVEL
 *
 * @param resources  become the lists of raw and of translated resources; the latter are the same
 * @param count      0: NULL for both lists
 */
NTMM_PUBLIC NTSTATUS ntmm_pnp_start(PDEVICE_OBJECT device, const ntmm_resource *resources, size_t count);
NTMM_PUBLIC NTSTATUS ntmm_pnp_start_lists(PDEVICE_OBJECT device, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated);
/** Ask whether it can be stopped, and stop it; a driver that refuses is told that it goes on, and its status is returned. */
NTMM_PUBLIC NTSTATUS ntmm_pnp_stop(PDEVICE_OBJECT device);
/** Ask whether it can be removed, tell who registered for that, and remove it: the device objects above the physical one are gone then. A driver
 *  that refuses is told that it stays. Children that ntmm_pnp_enumerate has found are asked first, and removed first. */
NTMM_PUBLIC NTSTATUS ntmm_pnp_remove(PDEVICE_OBJECT device);
/** It was pulled out, with its children: IRP_MN_SURPRISE_REMOVAL and IRP_MN_REMOVE_DEVICE, which nobody may refuse. */
NTMM_PUBLIC NTSTATUS ntmm_pnp_surprise_remove(PDEVICE_OBJECT device);
/** Any other request. @param location MinorFunction and Parameters @param information NULL, or IoStatus.Information before and after */
NTMM_PUBLIC NTSTATUS ntmm_pnp_request(PDEVICE_OBJECT device, const IO_STACK_LOCATION *location, uintptr_t *information);
NTMM_PUBLIC NTSTATUS ntmm_pnp_capabilities(PDEVICE_OBJECT device, DEVICE_CAPABILITIES *capabilities);
/** The children that a bus driver under test reports: physical device objects from now on, as long as that driver keeps them. The first `room`
 *  of them are written. */
NTMM_PUBLIC NTSTATUS ntmm_pnp_children(PDEVICE_OBJECT device, PDEVICE_OBJECT *children, size_t room, size_t *count);
/**
 * The same, and what the PnP manager does next: who is new is remembered (and referenced) as a child of that bus, who is missing is told so, if it was
 * started, and removed, its own children first. For those that are new the test goes on: ntmm_pnp_add for each driver of the stack, ntmm_pnp_start.
 *
 *     ntmm_pnp_enumerate(bus, &child, 1, &count);         the bus driver reports a child
 *     ntmm_pnp_add(driver, child);                        its function driver's AddDevice
 *     ntmm_pnp_start(child, NULL, 0);
 *     ... the bus driver finds that it is gone, and calls IoInvalidateDeviceRelations ...
 *     ntmm_pnp_enumerate(bus, NULL, 0, &count);           IRP_MN_SURPRISE_REMOVAL, IRP_MN_REMOVE_DEVICE
 *
 * @param arrived  receives the first `room` of the new ones @param count  how many there are
 * @return how the request was completed; an error, but for STATUS_NOT_SUPPORTED, changes nothing. IRQL PASSIVE_LEVEL
 */
NTMM_PUBLIC NTSTATUS ntmm_pnp_enumerate(PDEVICE_OBJECT bus, PDEVICE_OBJECT *arrived, size_t room, size_t *count);
/** Remove a device, send IRP_MN_EJECT to what is left of its stack, and enumerate its bus again. @return why it was not removed, or not ejected */
NTMM_PUBLIC NTSTATUS ntmm_pnp_eject(PDEVICE_OBJECT device);
/** What drivers have asked the PnP manager for since the last call, of a device of ntmm_device_create; and of any physical device. */
#define NTMM_PNP_RELATIONS(type) (1u << (type)) /* IoInvalidateDeviceRelations */
#define NTMM_PNP_STATE 0x10000u                 /* IoInvalidateDeviceState */
#define NTMM_PNP_EJECT 0x20000u                 /* IoRequestDeviceEject */
NTMM_PUBLIC uint32_t ntmm_pnp_take_invalidated(ntmm_device *device);
NTMM_PUBLIC uint32_t ntmm_pnp_take_invalidated_of(PDEVICE_OBJECT physical);

/* ---- power, and what drivers report ---- */

/** Send IRP_MN_SET_POWER or IRP_MN_QUERY_POWER to the stack that a device is in, and wait. @param state a DEVICE_POWER_STATE or a
 *  SYSTEM_POWER_STATE, as `type` says @return how it was completed. IRQL PASSIVE_LEVEL */
NTMM_PUBLIC NTSTATUS ntmm_power_set(PDEVICE_OBJECT device, POWER_STATE_TYPE type, uint32_t state);
NTMM_PUBLIC NTSTATUS ntmm_power_query(PDEVICE_OBJECT device, POWER_STATE_TYPE type, uint32_t state);
/** A power setting has that value now: who registered with PoRegisterPowerSettingCallback is told, and who registers later.
 *  @return 0, -ENOMEM, -ENODEV. IRQL PASSIVE_LEVEL */
NTMM_PUBLIC int ntmm_power_setting(const GUID *guid, const void *value, uint32_t bytes);
/** The power engine plug-in, to which PoFxPowerControl goes; NULL: there is none. */
typedef NTSTATUS (*ntmm_power_plugin)(void *context, PDEVICE_OBJECT physical, const GUID *code, void *input, size_t input_bytes,
                                      void *output, size_t output_bytes, size_t *returned);
NTMM_PUBLIC void ntmm_power_plugin_set(ntmm_power_plugin routine, void *context);
/** The plug-in sends a request to the driver of a device that is registered by PoFxRegisterDevice: its PowerControlCallback is called.
 *  @return what that says; STATUS_NO_SUCH_DEVICE, STATUS_NOT_IMPLEMENTED */
NTMM_PUBLIC NTSTATUS ntmm_power_plugin_control(PDEVICE_OBJECT physical, const GUID *code, void *input, size_t input_bytes, void *output,
                                               size_t output_bytes, size_t *returned);
/** The device's power can be limited so, by PoCreatePowerLimitRequest. @param count 1 to 64 rows, which are copied @return 0, -EINVAL, -ENOMEM */
NTMM_PUBLIC int ntmm_power_limits_set(PDEVICE_OBJECT device, const POWER_LIMIT_ATTRIBUTES *rows, uint32_t count);

/**
 * Send a request of IRP_MJ_SYSTEM_CONTROL for the data of a provider.
 *
 * @param device  that called IoWMIRegistrationControl, or whose stack has the provider
 * @param minor   IRP_MN_REGINFO_EX, IRP_MN_QUERY_ALL_DATA, IRP_MN_EXECUTE_METHOD ...
 * @param guid    of the block; NULL for a registration
 * @param buffer  a WNODE_ALL_DATA or what else the request takes, filled in as it wants; the answer
 * @param used    NULL, or receives IoStatus.Information
 */
NTMM_PUBLIC NTSTATUS ntmm_wmi_request(PDEVICE_OBJECT device, uint8_t minor, const GUID *guid, void *buffer, uint32_t bytes, size_t *used);
/** Called with each event that a driver sends, a WNODE_HEADER and what follows; NULL: nobody listens, as at first. Outlives the machine. */
typedef void (*ntmm_wmi_listener)(void *context, const void *wnode);
NTMM_PUBLIC void ntmm_wmi_listen(ntmm_wmi_listener listen, void *context);

/* ---- the registry ---- */

/**
 * Write a value; keys on the way are made. The registry is empty at each boot, but for a few keys that are always there.
 *
 * @param key    \Registry\Machine\...; or relative to \Registry\Machine\System\CurrentControlSet, as in Services\Test\Parameters
 * @param value  its name; "" is the unnamed one
 * @param type   REG_DWORD, REG_SZ ...; texts in `data` have 16-bit characters, and their null
 * @return 0, -EINVAL, -ENOMEM; -ENODEV when no machine is up
 */
NTMM_PUBLIC int ntmm_registry_set(const char *key, const char *value, uint32_t type, const void *data, size_t bytes);
NTMM_PUBLIC int ntmm_registry_set_number(const char *key, const char *value, uint32_t number); /* REG_DWORD */
NTMM_PUBLIC int ntmm_registry_set_text(const char *key, const char *value, const char *text);  /* REG_SZ */
/** @param type NULL, or receives REG_* @param data receives the first `bytes` of it @return how many bytes the value has; -ENOENT, -EINVAL, -ENODEV */
NTMM_PUBLIC int64_t ntmm_registry_get(const char *key, const char *value, uint32_t *type, void *data, size_t bytes);
/** A key with all that is below it. @return 0, -ENOENT, -EINVAL, -ENODEV */
NTMM_PUBLIC int ntmm_registry_delete(const char *key);

/** The system shuts down: devices of IoRegisterShutdownNotification get IRP_MJ_SHUTDOWN. The machine stays up. @return devices told */
NTMM_PUBLIC size_t ntmm_system_shutdown(void);

#ifdef __cplusplus
}
#endif
#endif
